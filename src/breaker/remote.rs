//! Running the script that another process has named (`sys.remote_exec`, PEP 768). Source:
//! `pycore_ceval.h`, `pycore_debug_offsets.h`.
//!
//! That process writes into the memory of a thread state, whenever it likes. So the path is copied
//! before anything is decided about it, and its end is not taken on trust.

use core::ffi::{CStr, c_char, c_int};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicI32, Ordering};

use crate::host::{Owned, PyObject, PyResult, Raised, ThreadState, ffi};

/// Room for the path of a script.
const PATH_SIZE: usize = size_of::<Path>();

type Path = [c_char; ffi::_Py_MAX_SCRIPT_PATH_SIZE as usize];

/// Runs the script that waits for this thread, if there is one and the configuration lets it. What goes
/// wrong is reported as unraisable.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[inline]
pub(crate) unsafe fn run_pending_script(tstate: ThreadState) {
    // SAFETY: the caller's promise; another process may change the field at any time.
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

/// Runs the script with the path at `named`, in memory that may change.
#[cold]
#[inline(never)]
unsafe fn run_named(named: *const Path) {
    // SAFETY: the memory is there; whatever it holds, the copy ends with a zero.
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

/// Runs the script at `path`, opened as code is (PEP 578).
unsafe fn run_file(path: &Owned) {
    let report = |message: &CStr| {
        // SAFETY: an exception is set, and the message has one directive, for an object.
        unsafe { ffi::PyErr_FormatUnraisable(message.as_ptr(), path.as_ptr()) }
    };
    // SAFETY: the thread is attached; the format has one directive, for an object.
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
unsafe fn call_method(object: &Owned, name: *mut PyObject) -> PyResult {
    let arguments = [object.as_ptr()];
    // SAFETY: one argument, the object itself; the name is immortal.
    unsafe {
        let result = ffi::PyObject_VectorcallMethod(name, arguments.as_ptr(), arguments.len(), null_mut());
        Owned::from_host(result)
    }
}

/// Runs the text of a script, bytes, in a namespace of its own.
unsafe fn run_source(source: &Owned) -> Result<(), Raised> {
    // SAFETY: the thread is attached; the string ends with a zero and lives as long as the object.
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
