//! The current frame's globals, locals and builtins, and builtins for those that have none. Source:
//! `ceval.c`.

use core::ffi::{c_char, c_int};

use crate::host::object::{has_feature, is_exact, type_of};
use crate::host::owned::{check, into_host};
use crate::host::{Frame, Owned, PyObject, PyResult, Raised, ThreadState, ffi, refcount};
use crate::raise;

// --- The current frame -------------------------------------------------------------------------

/// The thread's innermost frame that Python code may see; null if none (`_PyThreadState_GetFrame`).
///
/// # Safety
/// The thread is attached.
unsafe fn visible_frame(tstate: ThreadState) -> Frame {
    // SAFETY: the caller's promise.
    unsafe { tstate.current_frame().first_complete() }
}

/// As [`visible_frame`], of this thread; SystemError if there is none.
unsafe fn required_frame() -> PyResult<Frame> {
    // SAFETY: the thread is attached.
    unsafe {
        let frame = visible_frame(ThreadState::current());
        if frame.is_null() { Err(raise!(PyExc_SystemError, c"frame does not exist")) } else { Ok(frame) }
    }
}

/// The innermost frame that Python code may see: borrowed, null if none. Stands for the host's symbol
/// of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetFrame() -> *mut ffi::_PyInterpreterFrame {
    // SAFETY: the caller's promise.
    unsafe { visible_frame(ThreadState::current()).as_ptr() }
}

/// The frame object of the innermost frame: borrowed; null, without an exception, if there is no frame
/// or no memory. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrame() -> *mut ffi::PyFrameObject {
    // SAFETY: the caller's promise.
    unsafe {
        let frame = visible_frame(ThreadState::current());
        if frame.is_null() {
            return core::ptr::null_mut();
        }
        let object = frame.frame_object();
        if object.is_null() {
            ffi::PyErr_Clear();
        }
        object
    }
}

// --- Globals and builtins ----------------------------------------------------------------------

/// The globals of the innermost frame: borrowed, null without an exception if there is no frame. Stands
/// for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetGlobals() -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe {
        let frame = visible_frame(ThreadState::current());
        if frame.is_null() { core::ptr::null_mut() } else { frame.globals() }
    }
}

/// As [`PyEval_GetGlobals`], as a new reference. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameGlobals() -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe {
        let globals = PyEval_GetGlobals();
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
    let tstate = ThreadState::from_ptr(tstate);
    // SAFETY: the caller's promise.
    unsafe {
        let frame = visible_frame(tstate);
        if frame.is_null() { (*tstate.interp()).builtins } else { frame.builtins() }
    }
}

/// As [`_PyEval_GetBuiltins`], of this thread: borrowed. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetBuiltins() -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { _PyEval_GetBuiltins(ThreadState::current().as_ptr()) }
}

/// As [`PyEval_GetBuiltins`], as a new reference. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameBuiltins() -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe {
        let builtins = PyEval_GetBuiltins();
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
    let mut builtin = core::ptr::null_mut();
    // SAFETY: the caller's promise.
    unsafe {
        if ffi::PyMapping_GetOptionalItem(PyEval_GetBuiltins(), name, &raw mut builtin) == 0 {
            ffi::PyErr_SetObject(ffi::PyExc_AttributeError, name);
        }
    }
    builtin
}

/// As [`_PyEval_GetBuiltin`], for a name in a C program's static memory. Stands for the host's symbol of
/// this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `name` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetBuiltinId(name: *mut ffi::_Py_Identifier) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { _PyEval_GetBuiltin(ffi::_PyUnicode_FromId(name)) }
}

// --- Locals ------------------------------------------------------------------------------------

/// Whether these are the locals of an optimized function: a view that writes through to the frame.
unsafe fn is_proxy(locals: &Owned) -> bool {
    // SAFETY: the object is live.
    unsafe { is_exact(locals.as_ptr(), &raw mut ffi::PyFrameLocalsProxy_Type) }
}

/// The locals of the innermost frame, as a borrowed reference that the frame keeps alive: a namespace,
/// or for optimized functions a snapshot that the next call updates. Null with an exception set on
/// failure, SystemError if there is no frame. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetLocals() -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { borrowed_locals().unwrap_or(core::ptr::null_mut()) }
}

unsafe fn borrowed_locals() -> PyResult<*mut PyObject> {
    // SAFETY: the thread is attached; the frame is complete, and its object live while it is.
    unsafe {
        let frame = required_frame()?;
        let locals = Owned::from_host(ffi::_PyFrame_GetLocals(frame.as_ptr()))?;
        if !is_proxy(&locals) {
            // The frame has a reference of its own.
            return Ok(locals.as_ptr());
        }
        let object = frame.frame_object();
        if object.is_null() {
            return Err(Raised);
        }
        if (*object).f_locals_cache.is_null() {
            (*object).f_locals_cache = Owned::from_host(ffi::PyDict_New())?.into_ptr();
        }
        let snapshot = (*object).f_locals_cache;
        check(ffi::PyDict_Update(snapshot, locals.as_ptr()))?;
        Ok(snapshot)
    }
}

/// The locals of the innermost frame: a new reference to a namespace, or for optimized functions a new
/// snapshot. Null with an exception set on failure, SystemError if there is no frame. Stands for the
/// host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetFrameLocals() -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { into_host(new_locals()) }
}

unsafe fn new_locals() -> PyResult {
    // SAFETY: the thread is attached; the frame is complete.
    unsafe {
        let locals = Owned::from_host(ffi::_PyFrame_GetLocals(required_frame()?.as_ptr()))?;
        if !is_proxy(&locals) {
            return Ok(locals);
        }
        let snapshot = Owned::from_host(ffi::PyDict_New())?;
        check(ffi::PyDict_Update(snapshot.as_ptr(), locals.as_ptr()))?;
        Ok(snapshot)
    }
}

/// The public name of [`_PyEval_GetFrameLocals`]. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFrameLocals() -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { _PyEval_GetFrameLocals() }
}

// --- Namespaces to run code in -----------------------------------------------------------------

/// The globals of `__main__`, if its code is running in this interpreter: borrowed; null if not, without
/// an exception, or with one if there is no such module. Stands for the host's symbol of this name
/// (`ceval.c`).
///
/// # Safety
/// `tstate` is live and its thread attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_GetGlobalsFromRunningMain(tstate: *mut ffi::PyThreadState) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe {
        if ffi::_PyInterpreterState_IsRunningMain((*tstate).interp) == 0 {
            return core::ptr::null_mut();
        }
        let main = ffi::_Py_GetMainModule(tstate);
        // Says so, too, if the module is not there.
        let result = if ffi::_Py_CheckMainModule(main) < 0 {
            core::ptr::null_mut()
        } else {
            ffi::PyModule_GetDict(main)
        };
        refcount::xdecref(main);
        result
    }
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
    let current = || {
        // SAFETY: the thread is attached.
        unsafe {
            let builtins = PyEval_GetFrameBuiltins();
            Owned::from_host(builtins)
        }
    };
    // SAFETY: the caller's promise.
    unsafe { ensure_builtins(globals, p_builtins, current) }
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
    let module = || {
        let none = core::ptr::null_mut();
        // SAFETY: the thread is attached.
        unsafe {
            Owned::from_host(ffi::PyImport_ImportModuleLevel(c"builtins".as_ptr(), none, none, none, 0))
        }
    };
    // SAFETY: the caller's promise.
    unsafe { ensure_builtins(globals, p_builtins, module) }
}

/// Sets `__builtins__` in `globals` to what `make` gives, unless there are some, in the C convention of
/// both functions above.
unsafe fn ensure_builtins(
    globals: *mut PyObject,
    p_builtins: *mut *mut PyObject,
    make: impl FnOnce() -> PyResult,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        let ensure = || -> PyResult {
            let key = id!(_py___builtins__);
            let is_dict = has_feature(globals, ffi::Py_TPFLAGS_DICT_SUBCLASS);
            let mut found = core::ptr::null_mut();
            check(if is_dict {
                ffi::PyDict_GetItemRef(globals, key, &raw mut found)
            } else {
                ffi::PyMapping_GetOptionalItem(globals, key, &raw mut found)
            })?;
            if let Some(found) = Owned::optional(found) {
                return Ok(found);
            }
            let builtins = make()?;
            check(if is_dict {
                ffi::PyDict_SetItem(globals, key, builtins.as_ptr())
            } else {
                ffi::PyObject_SetItem(globals, key, builtins.as_ptr())
            })?;
            Ok(builtins)
        };
        match ensure() {
            Ok(builtins) => {
                if !p_builtins.is_null() {
                    *p_builtins = builtins.into_ptr();
                }
                0
            }
            Err(Raised) => -1,
        }
    }
}

// --- Describing callables ----------------------------------------------------------------------

/// Whether the object is a function written in C (`PyCFunction_Check`).
unsafe fn is_c_function(object: *mut PyObject) -> bool {
    // SAFETY: the object is live.
    unsafe {
        let c_function = &raw mut ffi::PyCFunction_Type;
        is_exact(object, c_function) || ffi::PyType_IsSubtype(type_of(object), c_function) != 0
    }
}

/// The name of a function, or of the type of any other object: a C string that lives as long as `func`
/// does, or null with an exception set. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `func` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFuncName(func: *mut PyObject) -> *const c_char {
    let mut func = func;
    // SAFETY: the caller's promise; methods hold their function.
    unsafe {
        while is_exact(func, &raw mut ffi::PyMethod_Type) {
            func = (*func.cast::<ffi::PyMethodObject>()).im_func;
        }
        if is_exact(func, &raw mut ffi::PyFunction_Type) {
            ffi::PyUnicode_AsUTF8((*func.cast::<ffi::PyFunctionObject>()).func_name)
        } else if is_c_function(func) {
            (*(*func.cast::<ffi::PyCFunctionObject>()).m_ml).ml_name
        } else {
            (*type_of(func)).tp_name
        }
    }
}

/// What to say after [`PyEval_GetFuncName`]: that it is a function, or an object of that type. A static
/// C string. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `func` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_GetFuncDesc(func: *mut PyObject) -> *const c_char {
    // SAFETY: the caller's promise.
    let is_function = unsafe {
        is_exact(func, &raw mut ffi::PyMethod_Type)
            || is_exact(func, &raw mut ffi::PyFunction_Type)
            || is_c_function(func)
    };
    if is_function { c"()".as_ptr() } else { c" object".as_ptr() }
}
