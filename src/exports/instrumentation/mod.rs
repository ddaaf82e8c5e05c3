//! The symbols of `instrumentation.o`, one file per subject. The implementation is [`crate::instrument`].
//!
//! A number of a tool or an event, or a set of events, that the host does not define is an error of the C
//! caller: SystemError, and nothing changes. See [`c_numbers`](crate::instrument::c_numbers).

#[cfg(not(feature = "attach"))]
mod c_code;
mod code;
mod events;
#[cfg(not(feature = "attach"))]
mod tools;

use core::ffi::c_int;

use crate::host::PyResult;
use crate::host::owned::into_status;

/// Runs the body of a function that returns 0, or -1 with an exception set.
#[inline(always)]
fn attempt(body: impl FnOnce() -> PyResult<()>) -> c_int {
    into_status(body())
}
