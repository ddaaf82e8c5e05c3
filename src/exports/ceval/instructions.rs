//! What instructions need: the host's tier 2 and JIT call it, too.

use core::ffi::{CStr, c_char, c_int};

use crate::host::ffi::{FVC_ASCII, conversion_func};
use crate::host::owned::{into_host, status};

use crate::host::{
    Code, CodeUnit, Frame, PyObject, PyResult, PyTypeObject, Raised, StackRef, ThreadState, ffi, none,
};
use crate::instrument::exceptions as events;
use crate::ops::calls::{functions, spread};
use crate::ops::special_methods::{self, SpecialMethods};
use crate::ops::tables::{self, BinaryFunction, OPERATORS};
use crate::ops::{
    attributes, awaiting, building, exceptions, imports, matching, names, subscripts, unbound, unpacking,
};

// --- tables ---------------------------------------------------------------------------------

/// The functions behind BINARY_OP, by its argument (`NB_*` in `opcode.h`).
#[unsafe(no_mangle)]
pub static _PyEval_BinaryOps: [BinaryFunction; OPERATORS] = tables::BINARY_OPERATORS;

/// The functions behind CONVERT_VALUE, by its argument (`FVC_*` in `opcode_utils.h`; `FVC_NONE` has
/// none). Each takes a borrowed reference and returns a new `str`, or null with an exception set.
#[unsafe(no_mangle)]
pub static _PyEval_ConversionFuncs: [conversion_func; FVC_ASCII as usize + 1] = tables::CONVERSIONS;

/// Where a function object keeps what SET_FUNCTION_ATTRIBUTE gives it, by the instruction's argument
/// (`MAKE_FUNCTION_*`); zero for what is no such argument. Stands for the host's table of this name.
#[unsafe(no_mangle)]
pub static _Py_FunctionAttributeOffsets: [usize; ffi::MAKE_FUNCTION_ANNOTATE as usize + 1] =
    functions::FUNCTION_ATTRIBUTES;

/// The special methods behind LOAD_SPECIAL, by its argument (`SPECIAL_*` in `pycore_ceval.h`): the name,
/// and the formats of TypeError for an object without it, the second one for an object that would do
/// in the other kind of `with` statement. Stands for the host's symbol of this name (`ceval.c`).
#[unsafe(no_mangle)]
pub static _Py_SpecialMethods: SpecialMethods = special_methods::SPECIAL_METHODS;

// --- calls ----------------------------------------------------------------------------------

/// Zero if `args` can be spread by `func(*args)`; otherwise -1 with TypeError set. Stands for the
/// host's symbol of this name (`ceval.c`). An exception that is set already is replaced. All arguments
/// are borrowed.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and the objects are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Check_ArgsIterable(
    _tstate: *mut ffi::PyThreadState,
    func: *mut PyObject,
    args: *mut PyObject,
) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { spread::check_iterable(func, args) })
}

/// Makes the exception that merging `kwargs` into the keywords of a call of `func` has raised one about
/// the call: TypeError for what is no mapping (AttributeError of a missing `keys`), or for a keyword
/// that is there already (KeyError with the keyword). Others stay. Stands for the host's symbol of this
/// name (`ceval.c`). All arguments are borrowed.
///
/// # Safety
/// The thread is attached with an exception set, `tstate` is its state, and the objects are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FormatKwargsError(
    _tstate: *mut ffi::PyThreadState,
    func: *mut PyObject,
    kwargs: *mut PyObject,
) {
    // SAFETY: the contract of this function.
    unsafe { spread::explain_keywords_error(func, kwargs) }
}

/// The objects that `nargs` stack references name, borrowed, as an array for a vectorcall: `scratch` if
/// they fit, else new memory. A writable slot is before the first one. Gives null with MemoryError
/// set. Whoever called hands the slot before the array to [`_PyObjectArray_Free`]. Stands for the
/// host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `input` holds that many references, and `scratch` has room for ten objects
/// and one more before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObjectArray_FromStackRefArray(
    input: *mut ffi::_PyStackRef,
    nargs: ffi::Py_ssize_t,
    scratch: *mut *mut PyObject,
) -> *mut *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe { building::borrow_array(input.cast(), nargs as usize, scratch).unwrap_or(core::ptr::null_mut()) }
}

/// Frees `array`, the memory that [`_PyObjectArray_FromStackRefArray`] gave a part of, unless it is
/// `scratch`. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; both are the start of the memory, one slot before the first object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObjectArray_Free(array: *mut *mut PyObject, scratch: *mut *mut PyObject) {
    // SAFETY: the contract of this function.
    unsafe { building::free_array(array, scratch) }
}

// --- names and attributes -------------------------------------------------------------------

/// Looks `name` up in the locals, globals and builtins of `frame`, as LOAD_NAME does. Stands for the
/// host's symbol of this name (`ceval.c`).
///
/// All arguments are borrowed. Returns a new reference, or null with an exception set: NameError, or
/// SystemError if the frame has no mapping of locals, or whatever the mappings raise.
///
/// # Safety
/// The thread is attached and `tstate` is its state; `frame` is live and published; `name` is a live
/// string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_LoadName(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { names::find_name(ThreadState::from_ptr(tstate), Frame::from_ptr(frame), name) })
}

/// Looks `name` up in `globals` and `builtins`, as LOAD_GLOBAL does, and puts a new reference (or the
/// empty reference, with an exception set) to `writeto`. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// All arguments are borrowed. Raises NameError, or whatever namespaces that are not exact
/// dictionaries raise.
///
/// # Safety
/// The thread is attached and its frame published; `name` is a live string; `writeto` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_LoadGlobalStackRef(
    globals: *mut PyObject,
    builtins: *mut PyObject,
    name: *mut PyObject,
    writeto: *mut ffi::_PyStackRef,
) {
    // SAFETY: the contract of this function.
    unsafe { names::find_global(globals, builtins, name, writeto.cast()) }
}

/// Loads `owner.name` for a call, as LOAD_ATTR does. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// Consumes `owner`. Returns a new reference: a method's function, with the owner's reference put to
/// `self_or_null`; or any other attribute, with the empty reference put there; or, with an exception
/// set, the empty reference, and again that.
///
/// # Safety
/// The thread is attached and `tstate` is its state; its frame is published, and what `owner` refers
/// to stays alive although not counted; `name` is a live string; `self_or_null` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_LoadAttr_StackRefSteal(
    tstate: *mut ffi::PyThreadState,
    owner: ffi::_PyStackRef,
    name: *mut PyObject,
    self_or_null: *mut ffi::_PyStackRef,
) -> ffi::_PyStackRef {
    // SAFETY: the contract of this function.
    unsafe {
        attributes::find_method(
            ThreadState::from_ptr(tstate),
            StackRef::from_raw(owner),
            name,
            self_or_null.cast(),
        )
    }
    .raw()
}

/// Whether an object without the special method `oparg` (one of the host's `SPECIAL_*`) has those of
/// the other kind of `with` statement: 1 or 0. Stands for the host's symbol of this name (`ceval.c`).
///
/// The object is borrowed. Sets no exception.
///
/// # Safety
/// The thread is attached with no exception set, and `object` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SpecialMethodCanSuggest(object: *mut PyObject, oparg: c_int) -> c_int {
    // SAFETY: the contract of this function.
    unsafe { special_methods::has_other_kind(object, oparg as u32) }.into()
}

// --- errors ---------------------------------------------------------------------------------

/// Sets `exc` with a message about `obj`, a str. Stands for the host's symbol of this name (`ceval.c`).
///
/// `format_str` has one `%s`, for the text of `obj`. A NameError also gets `obj` as its `name`, from
/// which suggestions are made later. All arguments are borrowed. Sets another exception if `obj` has
/// no text, and none at all if it is null.
///
/// # Safety
/// The thread is attached and `tstate` its state, no exception is set, `exc` is an exception class,
/// `format_str` a format as described, and `obj` null or live.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FormatExcCheckArg(
    tstate: *mut ffi::PyThreadState,
    exc: *mut PyObject,
    format_str: *const c_char,
    obj: *mut PyObject,
) {
    // SAFETY: the contract of this function.
    unsafe { unbound::raise_about(ThreadState::from_ptr(tstate), exc, CStr::from_ptr(format_str), obj) }
}

/// Sets the exception for an unbound variable: UnboundLocalError for a local (also one in a cell),
/// NameError for a free variable. Stands for the host's symbol of this name (`ceval.c`).
///
/// An exception that is set already stays. `co` is borrowed.
///
/// # Safety
/// The thread is attached and `tstate` its state; `co` is live and has a local `oparg`.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FormatExcUnbound(
    tstate: *mut ffi::PyThreadState,
    co: *mut ffi::PyCodeObject,
    oparg: c_int,
) {
    // SAFETY: the contract of this function.
    unsafe { unbound::unbound(ThreadState::from_ptr(tstate), Code::from_ptr(co), oparg as usize) }
}

// --- exceptions -----------------------------------------------------------------------------

/// Checks that `right` may stand after `except`: a class of exceptions, or a tuple of such classes.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// Both arguments are borrowed. Returns 0, or -1 with TypeError set.
///
/// # Safety
/// The thread is attached and `tstate` its state; `right` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_CheckExceptTypeValid(
    _tstate: *mut ffi::PyThreadState,
    right: *mut PyObject,
) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { exceptions::check_types(right) })
}

/// Checks that `right` may stand after `except*`: as for `except`, but not a class of exception groups.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// Both arguments are borrowed. Returns 0, or -1 with an exception set (TypeError, or what a metaclass
/// raised).
///
/// # Safety
/// The thread is attached and `tstate` its state, the current frame is published, and `right` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_CheckExceptStarTypeValid(
    _tstate: *mut ffi::PyThreadState,
    right: *mut PyObject,
) -> c_int {
    // SAFETY: the contract of this function.
    status(unsafe { exceptions::check_star_types(right) })
}

/// Splits an exception by the type of an `except*` handler, see [`split_by_type`]. Stands for the host's
/// symbol of this name (`ceval.c`).
///
/// Arguments are borrowed. Returns 0 with new references in `*match_` and `*rest`, or -1 with an
/// exception set and both unchanged.
///
/// # Safety
/// As for [`split_by_type`]; `match_` and `rest` may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ExceptionGroupMatch(
    frame: *mut ffi::_PyInterpreterFrame,
    exc_value: *mut PyObject,
    match_type: *mut PyObject,
    match_: *mut *mut PyObject,
    rest: *mut *mut PyObject,
) -> c_int {
    // SAFETY: the contract of this function.
    unsafe {
        let Ok(split) = exceptions::split_by_type(Frame::from_ptr(frame), exc_value, match_type) else {
            return -1;
        };
        *match_ = split.matched.into_ptr();
        *rest = split.rest.into_ptr();
        0
    }
}

/// Fires RAISE, for the JIT. Stands for the host's symbol of this name (`ceval.c`).
///
/// Takes and returns no references. If a tool raises, its exception replaces the one that is set.
///
/// # Safety
/// The thread is attached and `tstate` its state, an exception is set, `frame` is current and published,
/// and `instr` is in its bytecode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_MonitorRaise(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
) {
    // SAFETY: the contract of this function.
    unsafe { events::raise(ThreadState::from_ptr(tstate), Frame::from_ptr(frame), CodeUnit::from_ptr(instr)) }
}

/// Whether no tool of the interpreter wants PY_UNWIND events. Stands for the host's symbol of this name
/// (`ceval.c`); cannot fail.
///
/// # Safety
/// `tstate` is the attached thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_NoToolsForUnwind(tstate: *mut ffi::PyThreadState) -> bool {
    // SAFETY: the contract of this function.
    unsafe { !events::is_watched(ThreadState::from_ptr(tstate), ffi::PY_MONITORING_EVENT_PY_UNWIND) }
}

// --- imports --------------------------------------------------------------------------------

/// `import name`, with `fromlist` and `level`, by the `__import__` of the frame's builtins. Stands for
/// the host's symbol of this name (`ceval.c`).
///
/// All arguments are borrowed. Returns a new reference, or null with an exception set: ImportError if
/// there is no `__import__`, or whatever the import raises.
///
/// # Safety
/// The thread is attached and `tstate` is its state; `frame` is live and published; the objects are
/// live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ImportName(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    name: *mut PyObject,
    fromlist: *mut PyObject,
    level: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe {
        imports::import_name(ThreadState::from_ptr(tstate), Frame::from_ptr(frame), name, fromlist, level)
    })
}

/// `from module import name`: the attribute of the module, or else the submodule of that name, which a
/// circular import may have left in `sys.modules` only. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// All arguments are borrowed. Returns a new reference, or null with an exception set, ImportError in
/// the usual case.
///
/// # Safety
/// The thread is attached and `tstate` is its state, its frame published; the objects are live and
/// `name` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ImportFrom(
    _tstate: *mut ffi::PyThreadState,
    module: *mut PyObject,
    name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { imports::import_from(module, name) })
}

// --- iteration and unpacking ----------------------------------------------------------------

/// The iterator that `await` runs for `iterable`. Stands for the host's symbol of this name (`ceval.c`).
///
/// `oparg` says what is awaited: 1 and 2 are the results of `__aenter__` and `__aexit__`. `iterable` is
/// borrowed. Returns a new reference, or null with an exception set: TypeError for what cannot be
/// awaited, RuntimeError for a coroutine that something awaits already.
///
/// # Safety
/// The thread is attached, its current frame published, and `iterable` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetAwaitable(iterable: *mut PyObject, oparg: c_int) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { awaiting::awaitable_iterator(iterable, oparg) })
}

/// Replaces the exception for something that cannot be awaited by one that says where it came from,
/// if that was `__aenter__` (`oparg` 1) or `__aexit__` (2). Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// `type_` is the type of what cannot be awaited, borrowed.
///
/// # Safety
/// The thread is attached and `tstate` its state, an exception is set, and `type_` is live.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FormatAwaitableError(
    _tstate: *mut ffi::PyThreadState,
    type_: *mut PyTypeObject,
    oparg: c_int,
) {
    // SAFETY: the contract of this function.
    unsafe { awaiting::explain_not_awaitable(type_, oparg) }
}

/// What `async for` awaits to get the next item of `aiter`. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// `aiter` is borrowed. Returns a new reference, or null with an exception set.
///
/// # Safety
/// The thread is attached, its current frame published, and `aiter` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetANext(aiter: *mut PyObject) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { awaiting::next_awaitable(aiter) })
}

/// `_PyEval_MatchKeys` of `ceval.o`: the values of a mapping pattern's `keys` (a tuple) in `map`, both
/// borrowed. Returns a new reference to a tuple of them, or to None if a key is missing; null with an
/// exception set.
///
/// # Safety
/// Both are live; the thread is attached and its frames published.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_MatchKeys(
    _tstate: *mut ffi::PyThreadState,
    map: *mut PyObject,
    keys: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { matching::match_keys(map, keys) })
}

/// `_PyEval_MatchClass` of `ceval.o`: the attributes that a class pattern asks for: of the first `nargs`
/// names of the class's `__match_args__`, and of `names` (a tuple). All objects are borrowed. Returns a
/// new tuple; null, with or without an exception set, if `subject` does not match.
///
/// # Safety
/// The objects are live; the thread is attached and its frames published.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_MatchClass(
    _tstate: *mut ffi::PyThreadState,
    subject: *mut PyObject,
    class: *mut PyObject,
    nargs: ffi::Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the contract of this function.
    match unsafe { matching::match_class(subject, class, nargs, names) } {
        Ok(Some(attributes)) => attributes.into_ptr(),
        Ok(None) | Err(Raised) => core::ptr::null_mut(),
    }
}

/// `_PyEval_SliceIndex` of `ceval.o`: converts a slice index (borrowed), and leaves `*place` as it is for
/// None. Returns 1, or 0 with an exception set.
///
/// # Safety
/// `object` is live, `place` may be written, the thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SliceIndex(object: *mut PyObject, place: *mut ffi::Py_ssize_t) -> c_int {
    if object == none() {
        return 1;
    }
    // SAFETY: the contract of this function.
    unsafe { store(subscripts::slice_index(object), place) }
}

/// `_PyEval_SliceIndexNotNone` of `ceval.o`: converts a slice index (borrowed) where None is not allowed.
/// Returns 1, or 0 with an exception set.
///
/// # Safety
/// `object` is live, `place` may be written, the thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SliceIndexNotNone(
    object: *mut PyObject,
    place: *mut ffi::Py_ssize_t,
) -> c_int {
    // SAFETY: the contract of this function.
    unsafe { store(subscripts::slice_index_not_none(object), place) }
}

/// Stores what a conversion gave; the host's convention: 1, or 0 with an exception set.
unsafe fn store(value: PyResult<isize>, place: *mut isize) -> c_int {
    match value {
        Ok(value) => {
            // SAFETY: the callers' promise.
            unsafe { *place = value };
            1
        }
        Err(Raised) => 0,
    }
}

/// `_PyEval_UnpackIterableStackRef` of `ceval.o`: stores the items of `iterable` (borrowed) below `top`,
/// the first one topmost. There must be `before` of them; or, unless `after` is -1, at least `before` and
/// `after`, those between becoming a list. Returns 1, or 0 with an exception set and nothing stored.
///
/// # Safety
/// The thread is attached and its frames published; there is room below `top`; `iterable` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_UnpackIterableStackRef(
    tstate: *mut ffi::PyThreadState,
    iterable: *mut PyObject,
    before: c_int,
    after: c_int,
    top: *mut ffi::_PyStackRef,
) -> c_int {
    // SAFETY: the contract of this function.
    unsafe {
        let unpacked =
            unpacking::unpack_iterable(ThreadState::from_ptr(tstate), iterable, before, after, top.cast());
        c_int::from(unpacked.is_ok())
    }
}
