#include "host.h"

/* --- objects ----------------------------------------------------------------------------------------------------- */

#define TYPE(name) PyTypeObject name = { .tp_name = #name }
TYPE(PyType_Type);
TYPE(PyBaseObject_Type);
TYPE(PyBool_Type);
TYPE(PyLong_Type);
TYPE(PyFloat_Type);
TYPE(PyUnicode_Type);
TYPE(PyTuple_Type);
TYPE(PyList_Type);
TYPE(PyDict_Type);
TYPE(PySet_Type);
TYPE(PyFrozenSet_Type);
TYPE(PySlice_Type);
TYPE(PyCode_Type);
TYPE(PyFunction_Type);
TYPE(PyMethod_Type);
TYPE(PyMethodDescr_Type);
TYPE(PyCFunction_Type);
TYPE(PyModule_Type);
TYPE(PySuper_Type);
TYPE(PyGen_Type);
TYPE(PyCoro_Type);
TYPE(PyAsyncGen_Type);
TYPE(PyListIter_Type);
TYPE(PyTupleIter_Type);
TYPE(PyRangeIter_Type);
PyObject _Py_NoneStruct = { .ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL, .ob_type = &PyBaseObject_Type };
PyLongObject _Py_TrueStruct = { .ob_base = { .ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL, .ob_type = &PyBool_Type } };
PyLongObject _Py_FalseStruct = { .ob_base = { .ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL, .ob_type = &PyBool_Type } };

static bool is_immortal(PyObject *object)
{
    return _Py_atomic_load_uint32_relaxed(&object->ob_ref_local) == _Py_IMMORTAL_REFCNT_LOCAL;
}

/* All references are counted in the shared half, as those of an object whose thread has gone. */
void *new_object(PyTypeObject *type, size_t size)
{
    PyObject *object = calloc(1, size);
    REQUIRE(object);
    object->ob_type = type;
    object->ob_ref_shared = _Py_REF_SHARED(1, _Py_REF_MERGED);
    return object;
}

void _Py_IncRef(PyObject *object)
{
    if (!is_immortal(object)) {
        _Py_atomic_add_ssize(&object->ob_ref_shared, 1 << _Py_REF_SHARED_SHIFT);
    }
}

void _Py_DecRefShared(PyObject *object)
{
    if (_Py_atomic_add_ssize(&object->ob_ref_shared, -(1 << _Py_REF_SHARED_SHIFT)) == _Py_REF_SHARED(1, _Py_REF_MERGED)) {
        REQUIRE(!stopper);
        destructor end = Py_TYPE(object)->tp_dealloc;
        end ? end(object) : free(object);
    }
}

void _Py_DecRef(PyObject *object)
{
    if (!is_immortal(object)) {
        _Py_DecRefShared(object);
    }
}

int PyUnstable_Object_IsUniquelyReferenced(PyObject *object)
{
    return _Py_atomic_load_ssize_relaxed(&object->ob_ref_shared) == _Py_REF_SHARED(1, _Py_REF_MERGED);
}

static void set_int(PyLongObject *object, digit value)
{
    _PyLong_SetSignAndDigitCount(object, value != 0, value != 0);
    object->long_value.ob_digit[0] = value;
}

PyObject *PyLong_FromSsize_t(Py_ssize_t value)
{
    REQUIRE(0 <= value && value < 1 << PyLong_SHIFT);
    PyLongObject *object = new_object(&PyLong_Type, sizeof(*object));
    set_int(object, (digit)value);
    return (PyObject *)object;
}

int PyLong_AsInt(PyObject *object)
{
    REQUIRE(Py_TYPE(object) == &PyLong_Type);
    return (int)((PyLongObject *)object)->long_value.ob_digit[0];
}

static void make_small_ints(void)
{
    for (int i = 0; i < _PY_NSMALLPOSINTS; i++) {
        PyLongObject *object = &_PyLong_SMALL_INTS[_PY_NSMALLNEGINTS + i];
        object->ob_base.ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL;
        object->ob_base.ob_type = &PyLong_Type;
        set_int(object, (digit)i);
    }
}

PyObject *tuple_of_two(PyObject *one, PyObject *other)
{
    PyTupleObject *tuple = new_object(&PyTuple_Type, sizeof(*tuple) + sizeof(PyObject *));
    tuple->ob_base.ob_size = 2;
    tuple->ob_item[0] = one;
    tuple->ob_item[1] = other;
    return (PyObject *)tuple;
}

PyObject *PyTuple_Pack(Py_ssize_t count, ...)
{
    PyTupleObject *tuple = new_object(&PyTuple_Type, sizeof(*tuple) + (count - 1) * sizeof(PyObject *));
    tuple->ob_base.ob_size = count;
    va_list items;
    va_start(items, count);
    for (Py_ssize_t i = 0; i < count; i++) {
        tuple->ob_item[i] = va_arg(items, PyObject *);
        _Py_IncRef(tuple->ob_item[i]);
    }
    va_end(items);
    return (PyObject *)tuple;
}

static void end_tuple(PyObject *object)
{
    for (Py_ssize_t i = 0; i < Py_SIZE(object); i++) {
        _Py_DecRef(((PyTupleObject *)object)->ob_item[i]);
    }
    free(object);
}

/* --- exceptions -------------------------------------------------------------------------------------------------- */

/* Only whether one is set matters here, not which. */
static PyTypeObject exception_type = { .tp_name = "exception" };
PyObject *PyExc_StopIteration = (PyObject *)&exception_type;
PyObject *PyExc_ValueError = (PyObject *)&exception_type;
int64_t live_exceptions;

static void end_exception(PyObject *object)
{
    _Py_atomic_add_int64(&live_exceptions, -1);
    free(object);
}

/* The exception is set on the thread, or taken off it, by the thread itself. */
static void set_exception(PyObject *exception)
{
    REQUIRE(current && !stopper && (exception == NULL || current->current_exception == NULL));
    current->current_exception = exception;
}

void PyErr_SetObject(PyObject *type, PyObject *value)
{
    REQUIRE(type == PyExc_StopIteration && value);
    set_exception(new_object(&exception_type, sizeof(PyObject)));
    _Py_atomic_add_int64(&live_exceptions, 1);
}

PyObject *PyErr_Format(PyObject *type, const char *format, ...)
{
    REQUIRE(type == PyExc_ValueError && strstr(format, "Cannot disable"));
    PyErr_SetObject(PyExc_StopIteration, Py_None);
    return NULL;
}

PyObject *PyErr_GetRaisedException(void)
{
    PyObject *exception = current->current_exception;
    set_exception(NULL);
    return exception;
}

void PyErr_SetRaisedException(PyObject *exception)
{
    set_exception(exception);
}

void _PyErr_Clear(PyThreadState *tstate)
{
    REQUIRE(tstate == current);
    PyObject *exception = PyErr_GetRaisedException();
    if (exception) {
        _Py_DecRef(exception);
    }
}

/* Nothing is unwound. */
PyObject *PyException_GetTraceback(PyObject *exception)
{
    (void)exception;
    return NULL;
}

int PyType_IsSubtype(PyTypeObject *a, PyTypeObject *b) { return a == b; }
PyObject *_PyType_GetDict(PyTypeObject *type) { return (PyObject *)type; }

/* No type has attributes, and every dictionary the one that is looked for. */
PyObject *_PyType_LookupRefAndVersion(PyTypeObject *type, PyObject *name, unsigned int *version)
{
    (void)type, (void)name;
    *version = 3;
    return NULL;
}

PyObject *_PyType_Lookup(PyTypeObject *type, PyObject *name)
{
    (void)type, (void)name;
    return NULL;
}

Py_ssize_t _PyDictKeys_StringLookup(PyDictKeysObject *keys, PyObject *name)
{
    (void)keys, (void)name;
    return 1;
}

Py_ssize_t _PyDict_LookupIndex(PyDictObject *dict, PyObject *name)
{
    (void)dict;
    return name == &_Py_ID(__getattr__) ? -1 : 2;
}

uint32_t _PyDict_GetKeysVersionForCurrentState(PyInterpreterState *attached_to, PyDictObject *dict)
{
    (void)attached_to, (void)dict;
    REQUIRE(sections > 0);
    return 5;
}

uint32_t _PyFunction_GetVersionForCurrentState(PyFunctionObject *function)
{
    return function->func_version;
}

PyObject *_PyFunction_Vectorcall(PyObject *function, PyObject *const *arguments, size_t count, PyObject *names)
{
    (void)function, (void)arguments, (void)count, (void)names;
    abort();
}

/* --- callbacks of tools ------------------------------------------------------------------------------------------ */

typedef struct {
    PyObject object;
    vectorcallfunc entry;
} callback;

static PyTypeObject callback_type = {
    .tp_name = "callback",
    .tp_flags = Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(callback, entry),
};

PyObject *callbacks[CALLBACKS];
_Thread_local uint64_t calls;
uint64_t all_calls, all_disabled;

/* Runs Python code, so that others may do anything meanwhile. */
static PyObject *told(PyObject *object, PyObject *const *arguments, size_t count, PyObject *names)
{
    REQUIRE(current && current->tracing && sections == 0 && !stopper && names == NULL);
    REQUIRE(current->current_exception == NULL);
    REQUIRE(Py_TYPE(object) == &callback_type && PyVectorcall_NARGS(count) >= 2);
    REQUIRE(Py_TYPE(arguments[0]) == &PyCode_Type);
    if (++calls % 8 == 0) {
        pause_thread();
    }
    return Py_None;
}

static PyObject *told_for_the_last_time(PyObject *object, PyObject *const *arguments, size_t count, PyObject *names)
{
    told(object, arguments, count, names);
    if (calls % 4) {
        return Py_None;
    }
    _Py_atomic_add_uint64(&all_disabled, 1);
    return &_PyInstrumentation_DISABLE;
}

static PyObject *new_callback(vectorcallfunc entry)
{
    callback *made = new_object(&callback_type, sizeof(*made));
    made->entry = entry;
    return &made->object;
}

/* The last one is nobody. */
void make_callbacks(void)
{
    callbacks[0] = new_callback(told);
    callbacks[1] = new_callback(told_for_the_last_time);
}

/* --- operands ---------------------------------------------------------------------------------------------------- */

PyObject *operands[18];
size_t operand_count;
PyDictObject *namespaces[2];
static PyDictKeysObject *keys;

/* What modules look attributes up with, and nobody else. */
static PyObject *no_attribute(PyObject *object, PyObject *name)
{
    (void)object, (void)name;
    abort();
}

static PyMethodDef function_of_c = { .ml_name = "function", .ml_flags = METH_O };

static PyObject *new_c_function(void)
{
    PyCFunctionObject *function = new_object(&PyCFunction_Type, sizeof(*function));
    function->m_ml = &function_of_c;
    return (PyObject *)function;
}

/* Binds a method descriptor, as profile functions are told of it. */
static PyObject *bind(PyObject *descriptor, PyObject *object, PyObject *type)
{
    REQUIRE(Py_TYPE(descriptor) == &PyMethodDescr_Type && type == (PyObject *)Py_TYPE(object));
    return new_c_function();
}

static PyDictObject *new_dict(void)
{
    PyDictObject *dict = new_object(&PyDict_Type, sizeof(*dict));
    dict->ma_keys = keys;
    return dict;
}

void make_operands(void)
{
    PyTuple_Type.tp_dealloc = end_tuple;
    exception_type.tp_dealloc = end_exception;
    PyMethodDescr_Type.tp_descr_get = bind;
    PyType_Type.tp_flags = Py_TPFLAGS_TYPE_SUBCLASS;
    PyModule_Type.tp_getattro = no_attribute;
    make_small_ints();
    keys = calloc(1, sizeof(*keys));
    REQUIRE(keys);
    keys->dk_kind = DICT_KEYS_UNICODE;
    for (int i = 0; i < 2; i++) {
        namespaces[i] = new_dict();
    }
    PyFunctionObject *function = new_object(&PyFunction_Type, sizeof(*function));
    function->func_code = (PyObject *)programs[0].code;
    function->func_version = 7;
    function->vectorcall = _PyFunction_Vectorcall;
    PyModuleObject *module = new_object(&PyModule_Type, sizeof(*module));
    module->md_dict = (PyObject *)new_dict();
    PyTupleObject *pair = (PyTupleObject *)tuple_of_two(Py_None, Py_None);
    PyListObject *list = new_object(&PyList_Type, sizeof(*list));
    list->ob_base.ob_size = 2;
    PyMethodDescrObject *method = new_object(&PyMethodDescr_Type, sizeof(*method));
    method->d_method = &function_of_c;
    PyObject *made[] = {
        Py_None, Py_True, _PyLong_GetZero(), _PyLong_GetOne(),
        new_object(&PyFloat_Type, sizeof(PyFloatObject)), new_object(&PyUnicode_Type, sizeof(PyUnicodeObject)),
        (PyObject *)pair, (PyObject *)list, (PyObject *)new_dict(), new_object(&PySet_Type, sizeof(PySetObject)),
        (PyObject *)function, (PyObject *)module, new_object(&PyRangeIter_Type, sizeof(PyObject)),
        new_object(&PyTupleIter_Type, sizeof(PyObject)), new_object(&PyGen_Type, sizeof(PyObject)),
        (PyObject *)&PySuper_Type, new_c_function(), (PyObject *)method,
    };
    PySuper_Type.ob_base.ob_base.ob_type = &PyType_Type;
    operand_count = sizeof(made) / sizeof(*made);
    static_assert(sizeof(made) == sizeof(operands), "all of them");
    memcpy(operands, made, sizeof(made));
}
