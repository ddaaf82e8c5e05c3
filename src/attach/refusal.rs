//! Reasons why the evaluator must not run: the host is another one than that of the library, or something else has
//! taken the place of its evaluator. Each is one sentence for a user.

use core::ffi::CStr;

use super::evaluator;
use crate::host::{ThreadState, check, ffi};

/// Why the library does not fit this host, if it does not. Looks at nothing whose layout depends on the host before it
/// knows that the layouts agree.
///
/// # Safety
/// The thread is attached.
pub(super) unsafe fn of_host() -> Option<String> {
    // SAFETY: the thread is attached (caller).
    if unsafe { is_debug_build() } != cfg!(py_debug) {
        let [built, running] =
            [cfg!(py_debug), !cfg!(py_debug)].map(|debug| if debug { "with" } else { "without" });
        return Some(format!(
            "the core was built for a host {built} --with-pydebug, but the host was built {running} it"
        ));
    }
    // SAFETY: the host's runtime is a static, and begins with these offsets in each version that has them.
    let offsets = unsafe { ffi::_PyRuntime.debug_offsets };
    if let Some(message) = check::mismatch(&offsets) {
        return Some(format!("the core was {message}"));
    }
    // SAFETY: the thread is attached (caller).
    unsafe {
        // Bytecode has another magic number when instructions or their numbers change.
        let magic = ffi::PyImport_GetMagicNumber() as u32 & 0xFFFF;
        if magic != ffi::PYC_MAGIC_NUMBER {
            let built = ffi::PYC_MAGIC_NUMBER;
            return Some(format!("the core was built for bytecode {built}, but the host's is {magic}"));
        }
    }
    None
}

/// Whether the host is a `--with-pydebug` build: then it has `d` among its flags.
///
/// # Safety
/// The thread is attached.
unsafe fn is_debug_build() -> bool {
    // SAFETY: the string is live while `sys` has it, and its bytes as long as the string (caller).
    unsafe {
        let flags = ffi::PySys_GetObject(c"abiflags".as_ptr());
        let flags = if flags.is_null() { core::ptr::null() } else { ffi::PyUnicode_AsUTF8(flags) };
        if flags.is_null() {
            ffi::PyErr_Clear();
            return false;
        }
        CStr::from_ptr(flags).to_bytes().contains(&b'd')
    }
}

/// Why the evaluator cannot be installed in the calling thread's interpreter, if it cannot.
///
/// # Safety
/// The thread is attached, and [`of_host`] has found no reason.
pub(super) unsafe fn of_interpreter(tstate: ThreadState) -> Option<&'static str> {
    // SAFETY: the interpreter is live, since the thread is attached to it (caller).
    unsafe {
        if (*tstate.interp()).jit {
            Some("the host's JIT is on: start Python with PYTHON_JIT=0")
        } else if evaluator::is_another_installed(tstate) {
            Some("another evaluator is installed (PEP 523), by a profiler, a debugger or a JIT")
        } else {
            None
        }
    }
}
