//! Running the script that another process has requested (`sys.remote_exec`, PEP 768). Source:
//! `pycore_ceval.h`, `pycore_debug_offsets.h`.
//!
//! That process may write into the memory of a thread state at any time. So the path is copied before it is
//! checked, and the copy is terminated here.

use core::ffi::{CStr, c_char, c_int};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicI32, Ordering};

use crate::host::{Owned, PyObject, PyResult, Raised, ThreadState, ffi};

/// The size of the buffer for the path of a script.
const PATH_SIZE: usize = size_of::<Path>();

type Path = [c_char; ffi::_Py_MAX_SCRIPT_PATH_SIZE as usize];

/// Runs the script that is pending for this thread, if there is one and the configuration allows it. Failures
/// are reported as unraisable.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[inline]
pub(crate) unsafe fn run_pending_script(tstate: ThreadState) {
    // SAFETY: the thread state is live, since the thread is attached (caller). Another process may change the
    // fields at any time, so the flag is read atomically, and the path is only passed on as an address.
    unsafe {
        let support = &raw mut (*tstate.as_ptr()).remote_debugger_support;
        let pending = AtomicI32::from_ptr(&raw mut (*support).debugger_pending_call);
        let config = ffi::_PyInterpreterState_GetConfig(tstate.interp());
        if (*config).remote_debug == 1 && pending.load(Ordering::Relaxed) == 1 {
            pending.store(0, Ordering::Relaxed);
            run_named(&raw const (*support).debugger_script_path);
        }
    }
}

/// Runs the script whose path is at `named`, in memory that may change at any time.
///
/// # Safety
/// The thread is attached; `named` is readable.
#[cold]
#[inline(never)]
unsafe fn run_named(named: *const Path) {
    // SAFETY: `named` is readable (caller). Whatever it holds, the copy ends with a zero.
    unsafe {
        let copy = ffi::PyMem_Malloc(PATH_SIZE).cast::<c_char>();
        if copy.is_null() {
            return;
        }
        core::ptr::copy_nonoverlapping(named.cast(), copy, PATH_SIZE);
        *copy.add(PATH_SIZE - 1) = 0;
        if *copy != 0 {
            match Owned::from_host(ffi::PyUnicode_DecodeFSDefault(copy)) {
                Ok(path) => run_file(&path),
                Err(Raised) => ffi::PyErr_FormatUnraisable(c"Can't decode debugger script".as_ptr()),
            }
        }
        ffi::PyMem_Free(copy.cast());
    }
}

/// Runs the script at `path`. Opens it as code (PEP 578).
///
/// # Safety
/// The thread is attached with no exception set.
unsafe fn run_file(path: &Owned) {
    let report = |message: &CStr| {
        // SAFETY: the thread is attached, an exception is set, and the message has one directive, for an
        // object.
        unsafe { ffi::PyErr_FormatUnraisable(message.as_ptr(), path.as_ptr()) }
    };
    // SAFETY: the thread is attached (caller); the format has one directive, for an object.
    unsafe {
        if ffi::PySys_Audit(c"cpython.remote_debugger_script".as_ptr(), c"O".as_ptr(), path.as_ptr()) != 0 {
            return report(c"Audit hook failed for remote debugger script %U");
        }
        let Ok(file) = Owned::from_host(ffi::PyFile_OpenCodeObject(path.as_ptr())) else {
            return report(c"Can't open debugger script %U");
        };
        let source = call_method(&file, id!(_py_read));
        if source.is_err() {
            report(c"Error reading debugger script %U");
        }
        if call_method(&file, id!(_py_close)).is_err() {
            report(c"Error closing debugger script %U");
        }
        drop(file);
        if let Ok(source) = source
            && run_source(&source).is_err()
        {
            report(c"Error executing debugger script %U");
        }
    }
}

/// Calls a method without arguments.
///
/// # Safety
/// The thread is attached; `name` is a live string.
unsafe fn call_method(object: &Owned, name: *mut PyObject) -> PyResult {
    let arguments = [object.as_ptr()];
    // SAFETY: the array has one argument, the object itself; the name is live (caller).
    unsafe {
        let result = ffi::PyObject_VectorcallMethod(name, arguments.as_ptr(), arguments.len(), null_mut());
        Owned::from_host(result)
    }
}

/// Runs the text of a script, a bytes object, in a new namespace.
///
/// # Safety
/// The thread is attached.
unsafe fn run_source(source: &Owned) -> Result<(), Raised> {
    // SAFETY: the thread is attached (caller). The text ends with a zero and lives as long as the object.
    unsafe {
        let text = ffi::PyBytes_AsString(source.as_ptr());
        if text.is_null() {
            return Err(Raised);
        }
        let namespace = Owned::from_host(ffi::PyDict_New())?;
        let (globals, no_flags) = (namespace.as_ptr(), null_mut());
        let result = ffi::PyRun_StringFlags(text, ffi::Py_file_input as c_int, globals, globals, no_flags);
        Owned::from_host(result).map(drop)
    }
}
