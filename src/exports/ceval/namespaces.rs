//! The symbols of `ceval.o` for the namespaces of the current frame and of code that is about to run. The
//! implementation is [`crate::interp::namespaces`].

use core::ffi::{c_char, c_int};

use crate::host::owned::into_host;
use crate::host::{Frame, Owned, PyObject, PyResult, ThreadState, ffi, refcount};
use crate::interp::namespaces;

/// Returns the innermost frame that is visible to Python code, borrowed; NULL if there is none.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetFrame() -> *mut ffi::_PyInterpreterFrame {
    // SAFETY: the callee has the same contract.
    unsafe { Frame::address_of(namespaces::visible_frame(ThreadState::current())) }
}

/// Returns the frame object of the innermost frame, borrowed; NULL without an exception if there is no frame or
/// memory is short.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrame() -> *mut ffi::PyFrameObject {
    // SAFETY: the callee has the same contract.
    unsafe { namespaces::frame_object(ThreadState::current()) }
}

/// Returns the globals of the innermost frame, borrowed; NULL without an exception if there is no frame.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetGlobals() -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    unsafe { namespaces::globals(ThreadState::current()) }
}

/// Like `PyEval_GetGlobals`, but returns a new reference.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameGlobals() -> *mut PyObject {
    // SAFETY: the thread is attached (caller); the globals are null or live, since their frame refers to them.
    unsafe {
        let globals = namespaces::globals(ThreadState::current());
        refcount::xincref(globals);
        globals
    }
}

/// Returns the builtins of the thread's innermost frame, or the interpreter's if there is no frame; borrowed.
///
/// # Safety
/// `tstate` is live and its thread attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetBuiltins(tstate: *mut ffi::PyThreadState) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    unsafe { namespaces::builtins(ThreadState::from_ptr(tstate)) }
}

/// Like `_PyEval_GetBuiltins`, for the calling thread; borrowed.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetBuiltins() -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    unsafe { namespaces::builtins(ThreadState::current()) }
}

/// Like `PyEval_GetBuiltins`, but returns a new reference.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameBuiltins() -> *mut PyObject {
    // SAFETY: the thread is attached (caller); the builtins are live, since frame or interpreter refers to
    // them.
    unsafe {
        let builtins = namespaces::builtins(ThreadState::current());
        refcount::xincref(builtins);
        builtins
    }
}

/// Returns the builtin called `name`, a new reference; NULL with AttributeError, or the exception of the
/// lookup, set. Borrows `name`.
///
/// # Safety
/// The calling thread is attached; `name` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetBuiltin(name: *mut PyObject) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { namespaces::builtin(name) })
}

/// Like `_PyEval_GetBuiltin`, for a static identifier.
///
/// # Safety
/// The calling thread is attached; `name` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetBuiltinId(name: *mut ffi::_Py_Identifier) -> *mut PyObject {
    // SAFETY: the thread is attached and the identifier live (caller).
    into_host(unsafe { namespaces::builtin(ffi::_PyUnicode_FromId(name)) })
}

/// Returns the locals of the innermost frame, borrowed from the frame: a namespace, or for optimized functions
/// a snapshot that the next call updates. Returns NULL with an exception set on failure: SystemError if there
/// is no frame.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetLocals() -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    unsafe { namespaces::borrowed_locals().unwrap_or(core::ptr::null_mut()) }
}

/// Returns the locals of the innermost frame, a new reference: a namespace, or for optimized functions a new
/// snapshot. Returns NULL with an exception set on failure: SystemError if there is no frame.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetFrameLocals() -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { namespaces::new_locals() })
}

/// The public name of `_PyEval_GetFrameLocals`.
///
/// # Safety
/// The calling thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameLocals() -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { namespaces::new_locals() })
}

/// Returns the globals of `__main__`, borrowed, if this interpreter is running its code. Otherwise returns
/// NULL: without an exception if it is not running, with one if there is no such module.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetGlobalsFromRunningMain(tstate: *mut ffi::PyThreadState) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    unsafe { namespaces::globals_of_main(ThreadState::from_ptr(tstate)).unwrap_or(core::ptr::null_mut()) }
}

/// Sets `__builtins__` in `globals` to the builtins of the current frame, unless it is there already. Returns 0
/// and, if `p_builtins` is not NULL, stores a new reference to the builtins there; or returns -1 with an
/// exception set. Borrows `globals`.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; `globals` is live; `p_builtins` is NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_EnsureBuiltins(
    tstate: *mut ffi::PyThreadState,
    globals: *mut PyObject,
    p_builtins: *mut *mut PyObject,
) -> c_int {
    let _ = tstate;
    // SAFETY: the thread is attached and `globals` live (caller); the builtins of the current frame are live;
    // `p_builtins` is null or writable (caller).
    unsafe {
        let current = || {
            let builtins = namespaces::builtins(ThreadState::current());
            refcount::xincref(builtins);
            Owned::from_host(builtins)
        };
        ensured(namespaces::ensure_builtins(globals, current), p_builtins)
    }
}

/// Like `_PyEval_EnsureBuiltins`, but sets `__builtins__` to the module `builtins`.
///
/// # Safety
/// As for `_PyEval_EnsureBuiltins`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_EnsureBuiltinsWithModule(
    tstate: *mut ffi::PyThreadState,
    globals: *mut PyObject,
    p_builtins: *mut *mut PyObject,
) -> c_int {
    let _ = tstate;
    // SAFETY: the thread is attached and `globals` live (caller); importing borrows its arguments; `p_builtins`
    // is null or writable (caller).
    unsafe {
        let module = || {
            let none = core::ptr::null_mut();
            Owned::from_host(ffi::PyImport_ImportModuleLevel(c"builtins".as_ptr(), none, none, none, 0))
        };
        ensured(namespaces::ensure_builtins(globals, module), p_builtins)
    }
}

/// Returns the name of a function, or the name of the type of another object: a C string that `func` keeps
/// alive. Returns NULL with an exception set on failure.
///
/// # Safety
/// The calling thread is attached; `func` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFuncName(func: *mut PyObject) -> *const c_char {
    // SAFETY: the callee has the same contract.
    unsafe { namespaces::function_name(func) }
}

/// Returns the text that follows `PyEval_GetFuncName` in a message: `()` for a function, ` object` for anything
/// else. A static C string.
///
/// # Safety
/// The calling thread is attached; `func` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFuncDesc(func: *mut PyObject) -> *const c_char {
    // SAFETY: the callee has the same contract.
    let is_function = unsafe { namespaces::is_function(func) };
    if is_function { c"()".as_ptr() } else { c" object".as_ptr() }
}

/// Converts the result of both functions to their C convention: 0 with the builtins stored to `place`, unless
/// that is null, or -1.
///
/// # Safety
/// `place` is null or writable.
unsafe fn ensured(builtins: PyResult, place: *mut *mut PyObject) -> c_int {
    let Ok(builtins) = builtins else { return -1 };
    if !place.is_null() {
        // SAFETY: not null, so writable (caller).
        unsafe { *place = builtins.into_ptr() };
    }
    0
}
