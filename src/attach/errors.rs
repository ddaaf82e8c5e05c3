//! Exceptions: setting them, the one that is being handled, exception groups, tracebacks. Source: `errors.c`,
//! `exceptions.c`, `traceback.c`.

use core::ffi::{c_char, c_int};
use core::ptr;

use crate::host::head::type_of;
use crate::host::{Frame, Owned, PyObject, PyResult, ffi, none, owned, refcount};

hidden! {
    _PyErr_SetObject, _PyErr_SetImportErrorWithNameFrom, _PyErr_GetTopmostException, _PyExc_CreateExceptionGroup,
    _PyTraceBack_FromFrame
}

/// Sets an exception of the class `exception`, made from `value` unless that is one already. Borrows both.
///
/// # Safety
/// The thread is attached and `tstate` is its state; the objects are live, `value` may be null.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyErr_SetObject(
    _tstate: *mut ffi::PyThreadState,
    exception: *mut PyObject,
    value: *mut PyObject,
) {
    // SAFETY: the objects are live (caller). The public function does the same for the calling thread.
    unsafe { ffi::PyErr_SetObject(exception, value) }
}

/// Sets an ImportError with this message and these attributes, which may be null for None. Borrows all. Returns null.
///
/// # Safety
/// The thread is attached with no exception set; the objects are live or null, `msg` is not null.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyErr_SetImportErrorWithNameFrom(
    msg: *mut PyObject,
    name: *mut PyObject,
    path: *mut PyObject,
    from_name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the objects are live or null (caller).
    unsafe {
        // If it cannot be made, another exception is set.
        if let Ok(error) = import_error(msg, [name, path, from_name]) {
            ffi::PyErr_SetObject(type_of(error.as_ptr()).cast(), error.as_ptr());
        }
    }
    ptr::null_mut()
}

/// Returns an ImportError with this message and these attributes: `name`, `path` and `name_from`.
///
/// # Safety
/// The thread is attached; the objects are live or null, `message` is not null.
unsafe fn import_error(message: *mut PyObject, attributes: [*mut PyObject; 3]) -> PyResult {
    // SAFETY: the objects are live (caller), and the arrays are as long as the calls say.
    unsafe {
        let names = [c"name", c"path", c"name_from"];
        let keywords = Owned::from_host(ffi::PyDict_New())?;
        for (name, value) in names.into_iter().zip(attributes) {
            let value = if value.is_null() { none() } else { value };
            owned::check(ffi::PyDict_SetItemString(keywords.as_ptr(), name.as_ptr(), value))?;
        }
        Owned::from_host(ffi::PyObject_VectorcallDict(
            ffi::PyExc_ImportError,
            [message].as_ptr(),
            1,
            keywords.as_ptr(),
        ))
    }
}

/// The thread's innermost record of a handled exception that has one; the outermost record if none has.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyErr_GetTopmostException(
    tstate: *mut ffi::PyThreadState,
) -> *mut ffi::_PyErr_StackItem {
    // SAFETY: the thread has at least one record, and records are live while they are linked (caller).
    unsafe {
        let mut record = (*tstate).exc_info;
        while (*record).exc_value.is_null() && !(*record).previous_item.is_null() {
            record = (*record).previous_item;
        }
        record
    }
}

/// Returns a new `BaseExceptionGroup(msg_str, excs)`, or null with an exception set.
///
/// # Safety
/// The thread is attached; `msg_str` is a C string, `excs` a live sequence of exceptions.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyExc_CreateExceptionGroup(
    msg_str: *const c_char,
    excs: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the arguments fit the format, and the objects are live (caller).
    unsafe { ffi::PyObject_CallFunction(ffi::PyExc_BaseExceptionGroup, c"sO".as_ptr(), msg_str, excs) }
}

/// Returns a new entry of a traceback for the current instruction of `frame`, before `tb_next`, which may be null.
/// Returns null with MemoryError set.
///
/// # Safety
/// The thread is attached; `tb_next` is a live traceback or null, `frame` is a live frame object whose frame is
/// complete.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyTraceBack_FromFrame(
    tb_next: *mut PyObject,
    frame: *mut ffi::PyFrameObject,
) -> *mut PyObject {
    /// The line is computed from the instruction when something asks for it.
    const LINE_NOT_KNOWN: c_int = -1;
    // SAFETY: the frame is complete (caller), so its instruction pointer is in its bytecode. The new object gets all
    // of its fields before the collector sees it.
    unsafe {
        let entry = ffi::_PyObject_GC_New(&raw mut ffi::PyTraceBack_Type).cast::<ffi::PyTracebackObject>();
        if entry.is_null() {
            return ptr::null_mut();
        }
        let running = Frame::from_ptr((*frame).f_frame);
        let units = running.instr().offset_from(running.bytecode());
        refcount::xincref(tb_next);
        refcount::incref(frame.cast());
        (*entry).tb_next = tb_next.cast();
        (*entry).tb_frame = frame;
        (*entry).tb_lasti = units as c_int * size_of::<ffi::_Py_CODEUNIT>() as c_int;
        (*entry).tb_lineno = LINE_NOT_KNOWN;
        ffi::PyObject_GC_Track(entry.cast());
        entry.cast()
    }
}
