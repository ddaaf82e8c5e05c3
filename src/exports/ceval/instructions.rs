//! The tables and functions of `ceval.o` behind instructions. The host's tier 2 and JIT call them as well. The
//! implementations are in [`crate::ops`] and [`crate::instrument`].

use core::ffi::{CStr, c_char, c_int};

use crate::host::ffi::{FVC_ASCII, conversion_func};
use crate::host::owned::{into_host, into_status};

use crate::host::{
    Code, CodeUnit, Frame, PyObject, PyResult, PyTypeObject, Raised, StackRef, ThreadState, ffi, none,
};
use crate::instrument::events::Event;
use crate::instrument::exceptions as events;
use crate::ops::calls::{functions, spread};
use crate::ops::special_methods::{self, SpecialMethods};
use crate::ops::tables::{self, BinaryFunction, OPERATORS};
use crate::ops::{
    arrays, attributes, awaiting, exceptions, imports, matching, names, subscripts, unbound, unpacking,
};

// --- tables ---------------------------------------------------------------------------------

/// The functions behind BINARY_OP, indexed by its argument (`NB_*` in `opcode.h`).
#[unsafe(no_mangle)]
pub static _PyEval_BinaryOps: [BinaryFunction; OPERATORS] = tables::BINARY_OPERATORS;

/// The functions behind CONVERT_VALUE, indexed by its argument (`FVC_*` in `opcode_utils.h`; the entry of
/// `FVC_NONE` is NULL). Each borrows its argument and returns a new `str`, or NULL with an exception set.
#[unsafe(no_mangle)]
pub static _PyEval_ConversionFuncs: [conversion_func; FVC_ASCII as usize + 1] = tables::CONVERSIONS;

/// The offset in a function object that SET_FUNCTION_ATTRIBUTE stores to, indexed by its argument
/// (`MAKE_FUNCTION_*`). Zero at indices that are no such argument.
#[unsafe(no_mangle)]
pub static _Py_FunctionAttributeOffsets: [usize; ffi::MAKE_FUNCTION_ANNOTATE as usize + 1] =
    functions::FUNCTION_ATTRIBUTES;

/// The special methods behind LOAD_SPECIAL, indexed by its argument (`SPECIAL_*` in `pycore_ceval.h`): the
/// name, the format of the TypeError for an object without the method, and the format for an object that
/// supports the other kind of `with` statement.
#[unsafe(no_mangle)]
pub static _Py_SpecialMethods: SpecialMethods = special_methods::SPECIAL_METHODS;

// --- calls ----------------------------------------------------------------------------------

/// Checks that `args` can be spread by `func(*args)`. Returns 0, or -1 with TypeError set, which replaces an
/// exception that is set already. Borrows all arguments.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; the objects are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Check_ArgsIterable(
    _tstate: *mut ffi::PyThreadState,
    func: *mut PyObject,
    args: *mut PyObject,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { spread::check_iterable(func, args) })
}

/// Replaces the exception that was raised when `kwargs` was merged into the keywords of a call of `func` by one
/// about the call: TypeError if `kwargs` is not a mapping (AttributeError was raised) or has a keyword that the
/// call has already (KeyError with the keyword was raised). Other exceptions stay. Borrows all arguments.
///
/// # Safety
/// The calling thread is attached with an exception set, and `tstate` is its state; the objects are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FormatKwargsError(
    _tstate: *mut ffi::PyThreadState,
    func: *mut PyObject,
    kwargs: *mut PyObject,
) {
    // SAFETY: the callee has the same contract.
    unsafe { spread::explain_keywords_error(func, kwargs) }
}

/// Returns an array of the `nargs` objects that `input` refers to, borrowed, for a vectorcall. The slot before
/// the first object may be written. The array is `scratch` if up to ten objects are wanted, else newly
/// allocated; returns NULL with MemoryError set on failure. The caller passes the address of the slot before
/// the array to `_PyObjectArray_Free`.
///
/// # Safety
/// The calling thread is attached; `input` has `nargs` live references; `scratch` has room for ten objects, and
/// one more before it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObjectArray_FromStackRefArray(
    input: *mut ffi::_PyStackRef,
    nargs: ffi::Py_ssize_t,
    scratch: *mut *mut PyObject,
) -> *mut *mut PyObject {
    // SAFETY: the callee has the same contract.
    unsafe { arrays::borrow_array(input.cast(), nargs as usize, scratch).unwrap_or(core::ptr::null_mut()) }
}

/// Frees `array`, memory from `_PyObjectArray_FromStackRefArray`, unless it is `scratch`.
///
/// # Safety
/// The calling thread is attached. Both pointers are to the slot before the first object, and `array` is not
/// used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyObjectArray_Free(array: *mut *mut PyObject, scratch: *mut *mut PyObject) {
    // SAFETY: the callee has the same contract.
    unsafe { arrays::free_array(array, scratch) }
}

// --- names and attributes -------------------------------------------------------------------

/// Looks `name` up in the locals, globals and builtins of `frame`, as LOAD_NAME does.
///
/// Borrows all arguments. Returns a new reference, or NULL with an exception set: NameError, SystemError if the
/// frame has no mapping of locals, or the exception of a mapping.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; `frame` is live and published; `name` is a live
/// string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_LoadName(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { names::find_name(ThreadState::from_ptr(tstate), Frame::from_ptr(frame), name) })
}

/// Looks `name` up in `globals` and `builtins`, as LOAD_GLOBAL does, and stores a new reference to `*writeto`;
/// on failure the null reference, with an exception set.
///
/// Borrows all arguments. Raises NameError, or the exception of a namespace that is not an exact dictionary.
///
/// # Safety
/// The calling thread is attached and its frame is published; the namespaces are live; `name` is a live string;
/// `writeto` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_LoadGlobalStackRef(
    globals: *mut PyObject,
    builtins: *mut PyObject,
    name: *mut PyObject,
    writeto: *mut ffi::_PyStackRef,
) {
    // SAFETY: the callee has the same contract.
    unsafe { names::find_global(globals, builtins, name, writeto.cast()) }
}

/// Loads `owner.name` for a call, as LOAD_ATTR does.
///
/// Takes over `owner`. For a method, returns a new reference to its function and moves `owner` to
/// `*self_or_null`. For any other attribute, returns a new reference to it and stores the null reference to
/// `*self_or_null`. On failure, both are the null reference, with an exception set.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; its frame is published; the object of an uncounted
/// `owner` stays alive; `name` is a live string; `self_or_null` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_LoadAttr_StackRefSteal(
    tstate: *mut ffi::PyThreadState,
    owner: ffi::_PyStackRef,
    name: *mut PyObject,
    self_or_null: *mut ffi::_PyStackRef,
) -> ffi::_PyStackRef {
    // SAFETY: the callee has the same contract.
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

/// Returns 1 if `object`, which lacks the special method `oparg` (`SPECIAL_*`), has the methods for the other
/// kind of `with` statement, else 0. Borrows `object`; sets no exception.
///
/// # Safety
/// The calling thread is attached with no exception set; `object` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SpecialMethodCanSuggest(object: *mut PyObject, oparg: c_int) -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe { special_methods::has_other_kind(object, oparg as u32) }.into()
}

// --- errors ---------------------------------------------------------------------------------

/// Sets the exception `exc` with a message about `obj`, a `str`.
///
/// `format_str` has one `%s`, for the text of `obj`. A NameError also gets `obj` as its `name`, from which
/// suggestions are made later. Borrows all arguments. Sets another exception if `obj` cannot be encoded, and
/// none if it is NULL.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; no exception is set; `exc` is an exception class;
/// `format_str` is as described; `obj` is NULL or a live `str`.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FormatExcCheckArg(
    tstate: *mut ffi::PyThreadState,
    exc: *mut PyObject,
    format_str: *const c_char,
    obj: *mut PyObject,
) {
    // SAFETY: the callee has the same contract.
    unsafe { unbound::raise_about(ThreadState::from_ptr(tstate), exc, CStr::from_ptr(format_str), obj) }
}

/// Sets the exception for the unbound variable `oparg` of `co`: UnboundLocalError for a local variable (also
/// one in a cell), NameError for a free variable.
///
/// An exception that is set already stays. Borrows `co`.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; `co` is live and has a local or free variable
/// `oparg`.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FormatExcUnbound(
    tstate: *mut ffi::PyThreadState,
    co: *mut ffi::PyCodeObject,
    oparg: c_int,
) {
    // SAFETY: the callee has the same contract.
    unsafe { unbound::unbound(ThreadState::from_ptr(tstate), Code::from_ptr(co), oparg as usize) }
}

// --- exceptions -----------------------------------------------------------------------------

/// Checks that `right` may follow `except`: it must be an exception class, or a tuple of such classes.
///
/// Borrows all arguments. Returns 0, or -1 with TypeError set.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; `right` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_CheckExceptTypeValid(
    _tstate: *mut ffi::PyThreadState,
    right: *mut PyObject,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { exceptions::check_types(right) })
}

/// Checks that `right` may follow `except*`: as for `except`, but no class may be an exception group.
///
/// Borrows all arguments. Returns 0, or -1 with an exception set: TypeError, or that of a metaclass.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; the current frame is published; `right` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_CheckExceptStarTypeValid(
    _tstate: *mut ffi::PyThreadState,
    right: *mut PyObject,
) -> c_int {
    // SAFETY: the callee has the same contract.
    into_status(unsafe { exceptions::check_star_types(right) })
}

/// Splits the exception `exc_value` (or None) by the type of an `except*` handler.
///
/// Borrows its arguments. Returns 0 and stores new references: to `*match_` the part that the handler handles,
/// as an exception group, and to `*rest` the part for the next handler; either may be None. Returns -1 with an
/// exception set and stores nothing on failure.
///
/// # Safety
/// The calling thread is attached; `frame` is its current frame, published; both objects are live; `match_` and
/// `rest` are writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ExceptionGroupMatch(
    frame: *mut ffi::_PyInterpreterFrame,
    exc_value: *mut PyObject,
    match_type: *mut PyObject,
    match_: *mut *mut PyObject,
    rest: *mut *mut PyObject,
) -> c_int {
    // SAFETY: frame and objects are as `split_by_type` requires, and the two places are writable (caller).
    unsafe {
        let Ok(split) = exceptions::split_by_type(Frame::from_ptr(frame), exc_value, match_type) else {
            return -1;
        };
        *match_ = split.matched.into_ptr();
        *rest = split.rest.into_ptr();
        0
    }
}

/// Fires the RAISE event, for the JIT.
///
/// If a tool raises, its exception replaces the one that is set.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; an exception is set; `frame` is current and
/// published; `instr` is in its bytecode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_MonitorRaise(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
) {
    // SAFETY: the callee has the same contract.
    unsafe { events::raise(ThreadState::from_ptr(tstate), Frame::from_ptr(frame), CodeUnit::from_ptr(instr)) }
}

/// Returns whether no tool of the interpreter watches PY_UNWIND events; cannot fail.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_NoToolsForUnwind(tstate: *mut ffi::PyThreadState) -> bool {
    // SAFETY: the callee has the same contract.
    unsafe { !events::is_watched(ThreadState::from_ptr(tstate), Event::PY_UNWIND) }
}

// --- imports --------------------------------------------------------------------------------

/// Imports the module `name` with `fromlist` and `level`, by the `__import__` of the frame's builtins.
///
/// Borrows all arguments. Returns a new reference, or NULL with an exception set: ImportError if there is no
/// `__import__`, or the exception of the import.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; `frame` is live and published; the objects are
/// live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ImportName(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    name: *mut PyObject,
    fromlist: *mut PyObject,
    level: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe {
        imports::import_name(ThreadState::from_ptr(tstate), Frame::from_ptr(frame), name, fromlist, level)
    })
}

/// Returns what `from module import name` binds: the module's attribute, or else the submodule of that name,
/// which a circular import may have left in `sys.modules` only.
///
/// Borrows all arguments. Returns a new reference, or NULL with an exception set, usually ImportError.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; its frame is published; the objects are live and
/// `name` is a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_ImportFrom(
    _tstate: *mut ffi::PyThreadState,
    module: *mut PyObject,
    name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { imports::import_from(module, name) })
}

// --- iteration and unpacking ----------------------------------------------------------------

/// Returns the iterator that `await` runs for `iterable`.
///
/// `oparg` is 1 if the result of `__aenter__` is awaited, 2 if that of `__aexit__`. Borrows `iterable`. Returns
/// a new reference, or NULL with an exception set: TypeError if the object cannot be awaited, RuntimeError if
/// it is a coroutine that is being awaited already.
///
/// # Safety
/// The calling thread is attached and its current frame is published; `iterable` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetAwaitable(iterable: *mut PyObject, oparg: c_int) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { awaiting::awaitable_iterator(iterable, oparg) })
}

/// Replaces the exception for an object that cannot be awaited by one that says that `__aenter__` (`oparg` 1)
/// or `__aexit__` (`oparg` 2) returned it. Does nothing for other values of `oparg`.
///
/// `type_` is the type of the object, borrowed.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; an exception is set; `type_` is live.
#[cold]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FormatAwaitableError(
    _tstate: *mut ffi::PyThreadState,
    type_: *mut PyTypeObject,
    oparg: c_int,
) {
    // SAFETY: the callee has the same contract.
    unsafe { awaiting::explain_not_awaitable(type_, oparg) }
}

/// Returns what `async for` awaits to get the next item of `aiter`.
///
/// Borrows `aiter`. Returns a new reference, or NULL with an exception set.
///
/// # Safety
/// The calling thread is attached and its current frame is published; `aiter` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetANext(aiter: *mut PyObject) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { awaiting::next_awaitable(aiter) })
}

/// Looks up the keys of a mapping pattern: the tuple `keys`, in `map`. Borrows both. Returns a new tuple of the
/// values, or a new reference to None if a key is missing; NULL with an exception set on failure.
///
/// # Safety
/// The calling thread is attached and its frames are published; both objects are live, and `keys` is a tuple.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_MatchKeys(
    _tstate: *mut ffi::PyThreadState,
    map: *mut PyObject,
    keys: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { matching::match_keys(map, keys) })
}

/// Loads the attributes that a class pattern needs: those that the first `nargs` names in the `__match_args__`
/// of `cls` stand for, and those in the tuple `names`. Borrows all objects. Returns a new tuple. Returns NULL
/// without an exception if `subject` does not match, NULL with an exception set on failure.
///
/// # Safety
/// The calling thread is attached and its frames are published; the objects are live, and `names` is a tuple.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_MatchClass(
    _tstate: *mut ffi::PyThreadState,
    subject: *mut PyObject,
    cls: *mut PyObject,
    nargs: ffi::Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    match unsafe { matching::match_class(subject, cls, nargs, names) } {
        Ok(Some(attributes)) => attributes.into_ptr(),
        Ok(None) | Err(Raised) => core::ptr::null_mut(),
    }
}

/// Converts a slice index, borrowed, and stores it to `*place`. None leaves `*place` unchanged. Returns 1, or 0
/// with an exception set.
///
/// # Safety
/// The calling thread is attached; `object` is live; `place` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SliceIndex(object: *mut PyObject, place: *mut ffi::Py_ssize_t) -> c_int {
    if object == none() {
        return 1;
    }
    // SAFETY: thread, object and place are as both callees require (caller).
    unsafe { store(subscripts::slice_index(object), place) }
}

/// Converts a slice index, borrowed, and stores it to `*place`. None is not allowed. Returns 1, or 0 with an
/// exception set.
///
/// # Safety
/// The calling thread is attached; `object` is live; `place` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_SliceIndexNotNone(
    object: *mut PyObject,
    place: *mut ffi::Py_ssize_t,
) -> c_int {
    // SAFETY: thread, object and place are as both callees require (caller).
    unsafe { store(subscripts::slice_index_not_none(object), place) }
}

/// Stores the result of a conversion and returns 1; returns 0 if an exception is set.
///
/// # Safety
/// `place` is writable.
unsafe fn store(value: PyResult<isize>, place: *mut isize) -> c_int {
    match value {
        Ok(value) => {
            // SAFETY: `place` is writable (caller).
            unsafe { *place = value };
            1
        }
        Err(Raised) => 0,
    }
}

/// Unpacks `iterable`, borrowed, into the stack slots below `top`, the first item topmost. If `after` is -1,
/// there must be `before` items. Otherwise there must be at least `before + after` items, and those between
/// become a list. Returns 1, or 0 with an exception set; then the slots own no references.
///
/// # Safety
/// The calling thread is attached and its frames are published; `iterable` is live; there are `before` slots
/// below `top`, or `before + 1 + after` unless `after` is -1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_UnpackIterableStackRef(
    tstate: *mut ffi::PyThreadState,
    iterable: *mut PyObject,
    before: c_int,
    after: c_int,
    top: *mut ffi::_PyStackRef,
) -> c_int {
    // SAFETY: the callee has the same contract.
    unsafe {
        let unpacked =
            unpacking::unpack_iterable(ThreadState::from_ptr(tstate), iterable, before, after, top.cast());
        c_int::from(unpacked.is_ok())
    }
}
