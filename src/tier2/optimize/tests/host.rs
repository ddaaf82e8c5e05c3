//! A host for tests: the objects and functions of the host that the optimizer uses, as far as the tests need them.

use core::ffi::{c_int, c_uint};
use core::mem::zeroed;
use std::sync::Once;

use crate::host::function::Function;
use crate::host::object::{self, static_head};
use crate::host::{Code, PyObject, PyTypeObject, false_, ffi, small_int, true_};

macro_rules! types {
    ($($name:ident = $version:literal;)*) => {
        $(#[unsafe(no_mangle)]
        pub(super) static mut $name: PyTypeObject = immutable_type($version);)*

        /// All types of the host.
        static TYPES: [fn() -> *mut PyTypeObject; [$($version),*].len()] = [$(|| &raw mut $name),*];
    };
}

types! {
    PyBool_Type = 1;
    PyBytes_Type = 17;
    PyCode_Type = 2;
    PyDict_Type = 3;
    PyFloat_Type = 4;
    PyFrozenSet_Type = 5;
    PyFunction_Type = 6;
    PyList_Type = 7;
    PyLong_Type = 8;
    PyMethod_Type = 9;
    PyModule_Type = 10;
    PySet_Type = 11;
    PySlice_Type = 12;
    PyTuple_Type = 13;
    PyType_Type = 14;
    PyUnicode_Type = 15;
    _PyNone_Type = 16;
}

const fn immutable_type(version: u32) -> PyTypeObject {
    // SAFETY: the fields are numbers and nullable pointers.
    let mut type_: PyTypeObject = unsafe { zeroed() };
    type_.tp_version_tag = version;
    type_.tp_flags = ffi::Py_TPFLAGS_IMMUTABLETYPE as _;
    type_
}

#[unsafe(no_mangle)]
static mut _Py_NoneStruct: PyObject = static_head(&raw mut _PyNone_Type);
#[unsafe(no_mangle)]
static mut _Py_TrueStruct: ffi::PyLongObject = int(&raw mut PyBool_Type, 1);
#[unsafe(no_mangle)]
static mut _Py_FalseStruct: ffi::PyLongObject = int(&raw mut PyBool_Type, 0);

const fn int(type_: *mut PyTypeObject, value: u32) -> ffi::PyLongObject {
    let lv_tag = if value == 0 { 1 } else { 1 << ffi::NON_SIZE_BITS };
    ffi::PyLongObject {
        ob_base: static_head(type_),
        long_value: ffi::_PyLongValue { lv_tag, ob_digit: [value] },
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn _PyType_LookupByVersion(version: c_uint) -> *mut PyTypeObject {
    // SAFETY: all are statics, and only their constant fields are read.
    let found = TYPES.iter().find(|type_| unsafe { (*type_()).tp_version_tag } == version);
    found.map_or(core::ptr::null_mut(), |type_| type_())
}

/// In these types, the value of each attribute is its name.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyType_Lookup(_type: *mut PyTypeObject, name: *mut PyObject) -> *mut PyObject {
    name
}

#[unsafe(no_mangle)]
unsafe extern "C" fn PyType_Watch(_watcher: c_int, _type: *mut PyObject) -> c_int {
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn PyDict_Watch(_watcher: c_int, _dict: *mut PyObject) -> c_int {
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn PyObject_RichCompare(
    left: *mut PyObject,
    right: *mut PyObject,
    comparison: c_int,
) -> *mut PyObject {
    assert_eq!(comparison, ffi::Py_LT as c_int, "the tests compare with < only");
    let [left, right] = [left, right].map(value);
    if left < right { true_() } else { false_() }
}

/// The tests have only ints with at most one digit.
fn value(int: *mut PyObject) -> isize {
    // SAFETY: a small int.
    unsafe { object::long_compact_value(int) }
}

macro_rules! arithmetic {
    ($($name:ident = $operator:tt;)*) => {
        $(#[unsafe(no_mangle)]
        unsafe extern "C" fn $name(left: *mut PyObject, right: *mut PyObject) -> *mut PyObject {
            small_int(value(left) $operator value(right)).unwrap()
        })*
    };
}

arithmetic! {
    _PyLong_Add = +;
    _PyLong_Subtract = -;
    _PyLong_Multiply = *;
}

macro_rules! not_called {
    ($($name:ident)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $name() {
            unimplemented!("the tests do without {}", stringify!($name));
        })*
    };
}

not_called! { PyErr_Clear PyFloat_FromDouble PyUnicode_Concat }

/// Makes the objects in the host's runtime. Must run before anything uses them.
pub(super) fn start() {
    static START: Once = Once::new();
    START.call_once(|| {
        for value in 0..ffi::_PY_NSMALLPOSINTS {
            // SAFETY: the runtime has room for each; nothing else runs yet that uses them.
            unsafe {
                let place = small_int(value as isize).unwrap().cast::<ffi::PyLongObject>();
                place.write(int(&raw mut PyLong_Type, value));
            }
        }
        // SAFETY: as above.
        unsafe {
            let empty: *mut PyObject = str_constant!(_py_empty);
            empty.write(static_head(&raw mut PyUnicode_Type));
        }
    });
}

/// A code object with these numbers of parameters and local variables and this frame size.
pub(super) fn code(parameters: i32, locals: i32, frame_size: i32) -> Code {
    // SAFETY: the fields are numbers and nullable pointers.
    let mut code: Box<ffi::PyCodeObject> = Box::new(unsafe { zeroed() });
    code.ob_base.ob_base = static_head(&raw mut PyCode_Type);
    code.co_argcount = parameters;
    code.co_nlocalsplus = locals;
    code.co_framesize = frame_size;
    Code::from_ptr(Box::leak(code))
}

/// A code object with one local variable and one name.
pub(super) fn code_with_name(name: *mut PyObject) -> Code {
    let code = code(0, 1, 20);
    let names = Box::leak(Box::new(ffi::PyTupleObject {
        ob_base: ffi::PyVarObject { ob_base: static_head(&raw mut PyTuple_Type), ob_size: 1 },
        ob_hash: -1,
        ob_item: [name],
    }));
    // SAFETY: the code object is ours.
    unsafe { (*code.as_ptr()).co_names = (&raw mut *names).cast() };
    code
}

thread_local! {
    /// The builtins of the interpreter and of all functions.
    static BUILTINS: *mut PyObject = dict(&[]);
}

/// An interpreter.
pub(super) fn interp() -> Box<ffi::PyInterpreterState> {
    start();
    // SAFETY: the fields are numbers and nullable pointers. The interpreter is too large for the stack.
    let mut interp: Box<ffi::PyInterpreterState> = unsafe { Box::<_>::new_zeroed().assume_init() };
    interp.builtins = BUILTINS.with(|&builtins| builtins);
    interp
}

/// The version of all functions.
pub(super) const FUNCTION_VERSION: u64 = 55;

/// A function with this code and these globals.
pub(super) fn function(code: Code, globals: *mut PyObject) -> Function {
    // SAFETY: the fields are numbers and nullable pointers.
    let mut function: Box<ffi::PyFunctionObject> = Box::new(unsafe { zeroed() });
    function.ob_base = static_head(&raw mut PyFunction_Type);
    function.func_code = code.object();
    function.func_globals = globals;
    function.func_builtins = BUILTINS.with(|&builtins| builtins);
    function.func_version = FUNCTION_VERSION as u32;
    Function::from_object((&raw mut *Box::leak(function)).cast())
}

/// The version of the keys of all dictionaries.
pub(super) const KEYS_VERSION: u64 = 77;

/// A dictionary with strings as keys and these values.
pub(super) fn dict(values: &[*mut PyObject]) -> *mut PyObject {
    const LOG2_INDEX_BYTES: u8 = 3;
    let entries = size_of_val(values) * 2;
    let bytes = size_of::<ffi::PyDictKeysObject>() + (1 << LOG2_INDEX_BYTES) + entries;
    let keys = vec![0usize; bytes.div_ceil(size_of::<usize>())].leak();
    let keys: *mut ffi::PyDictKeysObject = keys.as_mut_ptr().cast();
    // SAFETY: the memory has room for the table and its entries; zero is valid for all fields of both structs.
    unsafe {
        (*keys).dk_log2_index_bytes = LOG2_INDEX_BYTES;
        (*keys).dk_kind = ffi::DICT_KEYS_UNICODE as u8;
        (*keys).dk_version = KEYS_VERSION as u32;
        (*keys).dk_nentries = values.len() as isize;
        let first = (&raw mut (*keys).dk_indices).cast::<u8>().add(1 << LOG2_INDEX_BYTES);
        for (index, &value) in values.iter().enumerate() {
            (*first.cast::<ffi::PyDictUnicodeEntry>().add(index)).me_value = value;
        }
        let mut dict: Box<ffi::PyDictObject> = Box::new(zeroed());
        dict.ob_base = static_head(&raw mut PyDict_Type);
        dict.ma_keys = keys;
        (&raw mut *Box::leak(dict)).cast()
    }
}
