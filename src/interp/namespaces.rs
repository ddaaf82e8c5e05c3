//! The globals, locals and builtins of the current frame, and namespaces for code that C runs. Source:
//! `ceval.c`. Called by `exports`.

use core::ffi::c_char;

use crate::host::object::{has_feature, is_exact, type_of};
use crate::host::owned::check;
use crate::host::{Frame, Owned, PyObject, PyResult, Raised, ThreadState, ffi};
use crate::raise;

// --- The current frame -------------------------------------------------------------------------

/// The thread's innermost frame that Python code may see, if there is one (`_PyThreadState_GetFrame`).
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published.
pub(crate) unsafe fn visible_frame(tstate: ThreadState) -> Option<Frame> {
    // SAFETY: the current frame of an attached thread is live (caller).
    unsafe { tstate.current_frame()?.first_complete() }
}

/// The [`visible_frame`] of this thread. Fails with SystemError if there is none.
///
/// # Safety
/// The thread is attached, and its frames are published.
unsafe fn required_frame() -> PyResult<Frame> {
    // SAFETY: the thread is attached (caller); the message has no directives.
    unsafe {
        visible_frame(ThreadState::current())
            .ok_or_else(|| raise!(PyExc_SystemError, c"frame does not exist"))
    }
}

/// The frame object of the innermost visible frame, borrowed. Null, without an exception, if there is no frame
/// or no memory.
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published.
pub(crate) unsafe fn frame_object(tstate: ThreadState) -> *mut ffi::PyFrameObject {
    // SAFETY: the frame is live and complete, and the thread attached (caller).
    unsafe {
        let Some(frame) = visible_frame(tstate) else { return core::ptr::null_mut() };
        let object = frame.frame_object();
        if object.is_null() {
            ffi::PyErr_Clear();
        }
        object
    }
}

// --- Globals and builtins ----------------------------------------------------------------------

/// The globals of the innermost visible frame, borrowed. Null, without an exception, if there is no frame.
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published.
pub(crate) unsafe fn globals(tstate: ThreadState) -> *mut PyObject {
    // SAFETY: the frame is live (caller).
    unsafe { visible_frame(tstate).map_or(core::ptr::null_mut(), |frame| frame.globals()) }
}

/// The builtins of the innermost visible frame, or of the interpreter if there is no frame; borrowed.
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published.
pub(crate) unsafe fn builtins(tstate: ThreadState) -> *mut PyObject {
    // SAFETY: the frame is live, and so is the interpreter (caller).
    unsafe {
        match visible_frame(tstate) {
            Some(frame) => frame.builtins(),
            None => (*tstate.interp()).builtins,
        }
    }
}

/// The builtin called `name`, as a new reference. Fails with AttributeError, or with the exception that the
/// mapping raises.
///
/// # Safety
/// The thread is attached, and its frames are published. `name` is a live string.
pub(crate) unsafe fn builtin(name: *mut PyObject) -> PyResult {
    let mut found = core::ptr::null_mut();
    // SAFETY: the builtins and `name` are live (caller). The host stores a new reference or null in `found`,
    // and an exception is set if it is null.
    unsafe {
        let builtins = builtins(ThreadState::current());
        if check(ffi::PyMapping_GetOptionalItem(builtins, name, &raw mut found))? == 0 {
            ffi::PyErr_SetObject(ffi::PyExc_AttributeError, name);
        }
        Owned::from_host(found)
    }
}

// --- Locals ------------------------------------------------------------------------------------

/// Whether these are the locals of an optimized function, which are a view that writes through to the frame.
///
/// # Safety
/// The thread is attached.
unsafe fn is_proxy(locals: &Owned) -> bool {
    // SAFETY: `locals` keeps the object alive.
    unsafe { is_exact(locals.as_ptr(), &raw mut ffi::PyFrameLocalsProxy_Type) }
}

/// The locals of the innermost visible frame, borrowed from the frame: a namespace, or for optimized functions
/// a snapshot that the next call updates. Fails with SystemError if there is no frame.
///
/// # Safety
/// The thread is attached, and its frames are published.
pub(crate) unsafe fn borrowed_locals() -> PyResult<*mut PyObject> {
    // SAFETY: the frame is live and complete; its frame object lives as long as the frame.
    unsafe {
        let frame = required_frame()?;
        let locals = Owned::from_host(ffi::_PyFrame_GetLocals(frame.as_ptr()))?;
        if !is_proxy(&locals) {
            // The frame has its own reference, so the pointer stays valid after `locals` is dropped.
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

/// The locals of the innermost visible frame, as a new reference: a namespace, or for optimized functions a new
/// snapshot. Fails with SystemError if there is no frame.
///
/// # Safety
/// The thread is attached, and its frames are published.
pub(crate) unsafe fn new_locals() -> PyResult {
    // SAFETY: the frame is live and complete.
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

// --- Namespaces to run code in -----------------------------------------------------------------

/// The globals of `__main__`, borrowed from the module. Null, without an exception, if this interpreter is not
/// running the code of `__main__`. Fails if there is no such module.
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published.
pub(crate) unsafe fn globals_of_main(tstate: ThreadState) -> PyResult<*mut PyObject> {
    // SAFETY: `tstate` is the attached thread's (caller). `sys.modules` keeps the module alive after `main` is
    // dropped.
    unsafe {
        if ffi::_PyInterpreterState_IsRunningMain(tstate.interp()) == 0 {
            return Ok(core::ptr::null_mut());
        }
        let main = Owned::optional(ffi::_Py_GetMainModule(tstate.as_ptr()));
        let module = main.as_ref().map_or(core::ptr::null_mut(), Owned::as_ptr);
        // Raises if the module is null, too.
        check(ffi::_Py_CheckMainModule(module))?;
        Ok(ffi::PyModule_GetDict(module))
    }
}

/// The `__builtins__` of `globals`, as a new reference. If there are none, calls `make` and stores its result
/// there.
///
/// # Safety
/// The thread is attached and its frames are published. `globals` is a live mapping.
pub(crate) unsafe fn ensure_builtins(globals: *mut PyObject, make: impl FnOnce() -> PyResult) -> PyResult {
    // SAFETY: `globals` is live, and checked to be a dictionary before it is used as one. The host stores a new
    // reference or null in `found`.
    unsafe {
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
    }
}

// --- Describing callables ----------------------------------------------------------------------

/// Whether the object is a function written in C (`PyCFunction_Check`).
///
/// # Safety
/// The object is live.
unsafe fn is_c_function(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller), and so is its type.
    unsafe {
        let c_function = &raw mut ffi::PyCFunction_Type;
        is_exact(object, c_function) || ffi::PyType_IsSubtype(type_of(object), c_function) != 0
    }
}

/// The name of a function or method, or else of the object's type: a C string, borrowed from `function`. Null
/// with an exception set if the name cannot be encoded.
///
/// # Safety
/// The thread is attached, and `function` is live.
pub(crate) unsafe fn function_name(function: *mut PyObject) -> *const c_char {
    let mut func = function;
    // SAFETY: `function` is live (caller), and methods keep their function alive. Each type is checked before
    // the cast.
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

/// Whether the object is a function or a method.
///
/// # Safety
/// The object is live.
pub(crate) unsafe fn is_function(func: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe {
        is_exact(func, &raw mut ffi::PyMethod_Type)
            || is_exact(func, &raw mut ffi::PyFunction_Type)
            || is_c_function(func)
    }
}
