//! The namespaces of the current frame, and of code that is to run.

use core::ffi::{c_char, c_int};

use crate::host::owned::into_host;
use crate::host::{Owned, PyObject, PyResult, ThreadState, ffi, refcount};
use crate::interp::namespaces;

/// The innermost frame that Python code may see: borrowed, null if none. Stands for the host's symbol
/// of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetFrame() -> *mut ffi::_PyInterpreterFrame {
    // SAFETY: the contract of this function.
    unsafe { namespaces::visible_frame(ThreadState::current()).as_ptr() }
}

/// The frame object of the innermost frame: borrowed; null, without an exception, if there is no frame
/// or no memory. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrame() -> *mut ffi::PyFrameObject {
    // SAFETY: the contract of this function.
    unsafe { namespaces::frame_object(ThreadState::current()) }
}

/// The globals of the innermost frame: borrowed, null without an exception if there is no frame. Stands
/// for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetGlobals() -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe { namespaces::globals(ThreadState::current()) }
}

/// As [`PyEval_GetGlobals`], as a new reference. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameGlobals() -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe {
        let globals = namespaces::globals(ThreadState::current());
        refcount::xincref(globals);
        globals
    }
}

/// The builtins of the thread's innermost frame, or else those of the interpreter: borrowed. Stands for
/// the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// `tstate` is live and its thread attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetBuiltins(tstate: *mut ffi::PyThreadState) -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe { namespaces::builtins(ThreadState::from_ptr(tstate)) }
}

/// As [`_PyEval_GetBuiltins`], of this thread: borrowed. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetBuiltins() -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe { namespaces::builtins(ThreadState::current()) }
}

/// As [`PyEval_GetBuiltins`], as a new reference. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameBuiltins() -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe {
        let builtins = namespaces::builtins(ThreadState::current());
        refcount::xincref(builtins);
        builtins
    }
}

/// A builtin by its name: a new reference, or null with AttributeError (or what the lookup raised) set.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `name` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetBuiltin(name: *mut PyObject) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { namespaces::builtin(name) })
}

/// As [`_PyEval_GetBuiltin`], for a name in a C program's static memory. Stands for the host's symbol of
/// this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `name` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetBuiltinId(name: *mut ffi::_Py_Identifier) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { namespaces::builtin(ffi::_PyUnicode_FromId(name)) })
}

/// The locals of the innermost frame, as a borrowed reference that the frame keeps alive: a namespace,
/// or for optimized functions a snapshot that the next call updates. Null with an exception set on
/// failure, SystemError if there is no frame. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetLocals() -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe { namespaces::borrowed_locals().unwrap_or(core::ptr::null_mut()) }
}

/// The locals of the innermost frame: a new reference to a namespace, or for optimized functions a new
/// snapshot. Null with an exception set on failure, SystemError if there is no frame. Stands for the
/// host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetFrameLocals() -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { namespaces::new_locals() })
}

/// The public name of [`_PyEval_GetFrameLocals`]. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameLocals() -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { namespaces::new_locals() })
}

/// The globals of `__main__`, if its code is running in this interpreter: borrowed; null if not, without
/// an exception, or with one if there is no such module. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// # Safety
/// `tstate` is live and its thread attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetGlobalsFromRunningMain(tstate: *mut ffi::PyThreadState) -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe { namespaces::globals_of_main(ThreadState::from_ptr(tstate)).unwrap_or(core::ptr::null_mut()) }
}

/// Sees to it that `globals` have `__builtins__`, which otherwise are those of the current frame. Gives 0
/// and, if `p_builtins` is not null, a new reference to them there; or -1 with an exception set. Stands
/// for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached and `tstate` is its state; `globals` is live, `p_builtins` writable or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_EnsureBuiltins(
    tstate: *mut ffi::PyThreadState,
    globals: *mut PyObject,
    p_builtins: *mut *mut PyObject,
) -> c_int {
    let _ = tstate;
    // SAFETY: the contract of this function.
    unsafe {
        let current = || {
            let builtins = namespaces::builtins(ThreadState::current());
            refcount::xincref(builtins);
            Owned::from_host(builtins)
        };
        ensured(namespaces::ensure_builtins(globals, current), p_builtins)
    }
}

/// As [`_PyEval_EnsureBuiltins`], but the builtins that `globals` get are the module. Stands for the
/// host's symbol of this name (`ceval.c`).
///
/// # Safety
/// As for [`_PyEval_EnsureBuiltins`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_EnsureBuiltinsWithModule(
    tstate: *mut ffi::PyThreadState,
    globals: *mut PyObject,
    p_builtins: *mut *mut PyObject,
) -> c_int {
    let _ = tstate;
    // SAFETY: the contract of this function.
    unsafe {
        let module = || {
            let none = core::ptr::null_mut();
            Owned::from_host(ffi::PyImport_ImportModuleLevel(c"builtins".as_ptr(), none, none, none, 0))
        };
        ensured(namespaces::ensure_builtins(globals, module), p_builtins)
    }
}

/// The name of a function, or of the type of any other object: a C string that lives as long as `func`
/// does, or null with an exception set. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `func` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFuncName(func: *mut PyObject) -> *const c_char {
    // SAFETY: the contract of this function.
    unsafe { namespaces::function_name(func) }
}

/// What to say after [`PyEval_GetFuncName`]: that it is a function, or an object of that type. A static
/// C string. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `func` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFuncDesc(func: *mut PyObject) -> *const c_char {
    // SAFETY: the contract of this function.
    let is_function = unsafe { namespaces::is_function(func) };
    if is_function { c"()".as_ptr() } else { c" object".as_ptr() }
}

/// The C convention of both functions: 0 with the builtins in `*place` unless that is null, or -1.
unsafe fn ensured(builtins: PyResult, place: *mut *mut PyObject) -> c_int {
    let Ok(builtins) = builtins else { return -1 };
    if !place.is_null() {
        // SAFETY: the contract of the callers: the place can be written.
        unsafe { *place = builtins.into_ptr() };
    }
    0
}
