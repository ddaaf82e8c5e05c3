//! The symbols of `optimizer_symbols.o`. The implementation is [`crate::tier2::optimize`].

use crate::host::owned::{into_host, raise};
use crate::host::{Owned, PyObject, none};
use crate::tier2::optimize;

/// Checks what the optimizer knows about values. Returns a new reference to None, or null with AssertionError
/// set. Declared in `pycore_optimizer.h`. Called by the module `_testinternalcapi`.
///
/// # Safety
/// The thread is attached, and no exception is set. The arguments are not used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_uop_symbols_test(
    _self: *mut PyObject,
    _ignored: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the thread is attached (caller), and its frames are published while a C function runs. None is
    // live.
    into_host(unsafe {
        match optimize::self_test::check() {
            Ok(()) => Ok(Owned::new_ref(none())),
            Err(failure) => Err(raise!(PyExc_AssertionError, c"%s", failure.as_ptr())),
        }
    })
}
