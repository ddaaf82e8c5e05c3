//! The module `_reval`: switches the evaluator of the calling thread's interpreter. Each interpreter has a module.

use core::ffi::{c_char, c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use super::{addresses, evaluator, refusal, tier2};
use crate::host::owned::{check, into_host, into_status};
use crate::host::{Owned, PyObject, PyResult, Raised, ThreadState, ffi, none};

/// What the loader looks for.
#[unsafe(no_mangle)]
pub extern "C" fn PyInit__reval() -> *mut PyObject {
    // SAFETY: only the interpreter that imports the module calls this, and it initializes the definition once.
    unsafe { ffi::PyModuleDef_Init(&raw mut DEFINITION) }
}

static mut DEFINITION: ffi::PyModuleDef = ffi::PyModuleDef {
    m_base: ffi::PyModuleDef_Base {
        ob_base: crate::host::object::static_head(ptr::null_mut()),
        m_init: None,
        m_index: 0,
        m_copy: ptr::null_mut(),
    },
    m_name: c"_reval".as_ptr(),
    m_doc: c"Switches reval, an evaluator written in Rust, on and off in an interpreter.".as_ptr(),
    m_size: 0,
    m_methods: (&raw mut METHODS).cast(),
    m_slots: (&raw mut SLOTS).cast(),
    m_traverse: None,
    m_clear: None,
    m_free: Some(end),
};

static mut SLOTS: [ffi::PyModuleDef_Slot; 4] = [
    slot(ffi::Py_mod_exec, start as *mut c_void),
    // Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
    slot(ffi::Py_mod_multiple_interpreters, ptr::without_provenance_mut(2)),
    // Py_MOD_GIL_NOT_USED
    slot(ffi::Py_mod_gil, ptr::without_provenance_mut(1)),
    slot(0, ptr::null_mut()),
];

const fn slot(slot: u32, value: *mut c_void) -> ffi::PyModuleDef_Slot {
    ffi::PyModuleDef_Slot { slot: slot as c_int, value }
}

static mut METHODS: [ffi::PyMethodDef; 7] = [
    method(
        c"enable".as_ptr(),
        ffi::METH_NOARGS,
        enable,
        c"enable()\n--\n\nRuns Python code that starts from now on, in this interpreter, on reval.\n\n\
          Raises RuntimeError with the reason if that cannot be."
            .as_ptr(),
    ),
    method(
        c"set_jit".as_ptr(),
        ffi::METH_O,
        set_jit,
        c"set_jit(on)\n--\n\nSwitches the JIT of this interpreter on or off.\n\n\
          Raises RuntimeError with the reason if it cannot be switched on."
            .as_ptr(),
    ),
    method(
        c"disable".as_ptr(),
        ffi::METH_NOARGS,
        disable,
        c"disable()\n--\n\nGives this interpreter its own evaluator back, unless another one than reval is installed."
            .as_ptr(),
    ),
    method(c"status".as_ptr(), ffi::METH_NOARGS, status, c"status()\n--\n\nReturns what is on, as a dictionary.".as_ptr()),
    method(
        c"explain_start".as_ptr(),
        ffi::METH_NOARGS,
        explain_start,
        c"explain_start()\n--\n\nBegins to explain what this interpreter runs: takes samples.\n\n\
          Raises RuntimeError with the reason if that cannot be."
            .as_ptr(),
    ),
    method(
        c"explain_stop".as_ptr(),
        ffi::METH_NOARGS,
        explain_stop,
        c"explain_stop()\n--\n\nEnds that. Returns what is known of the run, as a dictionary.".as_ptr(),
    ),
    ffi::PyMethodDef { ml_name: ptr::null(), ml_meth: None, ml_flags: 0, ml_doc: ptr::null() },
];

type Method = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;

const fn method(name: *const c_char, flags: u32, function: Method, doc: *const c_char) -> ffi::PyMethodDef {
    ffi::PyMethodDef { ml_name: name, ml_meth: Some(function), ml_flags: flags as c_int, ml_doc: doc }
}

/// Whether the host is the one that the library was built for, as far as is known.
static HOST_FITS: AtomicBool = AtomicBool::new(false);

/// Prepares the module in an interpreter. Fails with ImportError if the host is another one than that of the library.
///
/// # Safety
/// The thread is attached; `module` is the new module.
unsafe extern "C" fn start(_module: *mut PyObject) -> c_int {
    // SAFETY: the thread is attached (caller). The addresses are looked for only if the layouts agree.
    into_status(unsafe {
        match refusal::of_host() {
            Some(reason) => Err(raise_text(ffi::PyExc_ImportError, &reason)),
            None => {
                HOST_FITS.store(true, Ordering::Relaxed);
                addresses::find()
            }
        }
    })
}

/// Cleans up when the module is freed, also after [`start`] has failed.
///
/// # Safety
/// The thread is attached.
unsafe extern "C" fn end(_module: *mut c_void) {
    if HOST_FITS.load(Ordering::Relaxed) {
        // SAFETY: the thread is attached (caller), and the layouts agree. What frees objects holds no such lock.
        unsafe { tier2::end(ThreadState::current().interp()) }
    }
}

/// Sets an exception with this message.
///
/// # Safety
/// The thread is attached; `exception` is a class of exceptions.
unsafe fn raise_text(exception: *mut PyObject, message: &str) -> Raised {
    // SAFETY: the class is live (caller).
    unsafe {
        if let Ok(message) = text(message) {
            ffi::PyErr_SetObject(exception, message.as_ptr());
        }
    }
    Raised
}

/// Returns a new string.
///
/// # Safety
/// The thread is attached.
unsafe fn text(text: &str) -> PyResult {
    // SAFETY: the bytes are there, and UTF-8.
    unsafe { Owned::from_host(ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as isize)) }
}

/// `enable()`.
///
/// # Safety
/// The thread is attached; the module has been started.
unsafe extern "C" fn enable(_module: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached (caller), and the host is the one that the library was built for.
    unsafe {
        let tstate = ThreadState::current();
        if let Some(reason) = refusal::of_interpreter(tstate) {
            raise_text(ffi::PyExc_RuntimeError, reason);
            return ptr::null_mut();
        }
        evaluator::install(tstate);
    }
    none()
}

/// `set_jit(on)`.
///
/// # Safety
/// As for [`enable`]; `on` is live.
unsafe extern "C" fn set_jit(_module: *mut PyObject, on: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached (caller).
    unsafe {
        let tstate = ThreadState::current();
        match ffi::PyObject_IsTrue(on) {
            0 => tier2::switch_off(tstate.interp()),
            1.. => match tier2::refusal(tstate) {
                Some(reason) => {
                    raise_text(ffi::PyExc_RuntimeError, &format!("running without the JIT: {reason}"));
                    return ptr::null_mut();
                }
                None if tier2::switch_on().is_err() => return ptr::null_mut(),
                None => {}
            },
            _ => return ptr::null_mut(),
        }
    }
    none()
}

/// `disable()`.
///
/// # Safety
/// As for [`enable`].
unsafe extern "C" fn disable(_module: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached (caller).
    unsafe { evaluator::remove(ThreadState::current()) };
    none()
}

/// `status()`.
///
/// # Safety
/// As for [`enable`].
unsafe extern "C" fn status(_module: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached (caller).
    into_host(unsafe { describe(ThreadState::current()) })
}

/// Returns the dictionary of [`status`].
///
/// # Safety
/// The thread is attached and `tstate` is its state.
unsafe fn describe(tstate: ThreadState) -> PyResult {
    // SAFETY: the thread is attached (caller), and the objects are live.
    unsafe {
        let dict = Owned::from_host(ffi::PyDict_New())?;
        let set = |name: &core::ffi::CStr, value: Owned| {
            check(ffi::PyDict_SetItemString(dict.as_ptr(), name.as_ptr(), value.as_ptr()))
        };
        let enabled = evaluator::is_installed(tstate);
        set(c"enabled", Owned::from_host(ffi::PyBool_FromLong(enabled.into()))?)?;
        let reason = match refusal::of_interpreter(tstate) {
            Some(reason) => text(reason)?,
            None => Owned::new_ref(none()),
        };
        set(c"refusal", reason)?;
        set(c"version", text(env!("CARGO_PKG_VERSION"))?)?;
        set(c"host", text(&crate::host::check::built_for())?)?;
        let tier2 = if enabled && tier2::is_on(tstate.interp()) {
            "on".to_owned()
        } else {
            tier2::refusal(tstate).map_or_else(|| "off".to_owned(), |reason| format!("off: {reason}"))
        };
        set(c"tier2", text(&tier2)?)?;
        Ok(dict)
    }
}

/// `explain_start()`.
///
/// # Safety
/// As for [`enable`].
unsafe extern "C" fn explain_start(_module: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached (caller).
    match unsafe { tier2::explain_start() } {
        Ok(()) => none(),
        Err(Raised) => ptr::null_mut(),
    }
}

/// `explain_stop()`.
///
/// # Safety
/// As for [`enable`].
unsafe extern "C" fn explain_stop(_module: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the thread is attached (caller).
    into_host(unsafe { tier2::explain_stop() })
}
