//! Numbers of tools and events, and sets of events, that C code passes to the functions of `instrumentation.o`.
//!
//! The C code has assertions for these: a number that it does not know makes it read or write beside its
//! tables. Here such an argument raises SystemError, like every bad argument of an internal function
//! (`PyErr_BadInternalCall`), and changes nothing. What Python programs pass raises ValueError, see
//! [`super::module`].
//!
//! Callers: `exports`, and `c_code` in this room. `# Safety` of all functions: the thread is attached.

use core::ffi::c_int;

use super::events::{Event, EventSet, Tool};
use crate::host::PyResult;
use crate::raise;

/// The tool of this number.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn tool(number: c_int) -> PyResult<Tool> {
    // SAFETY: the thread is attached (caller).
    Tool::from_number(number).ok_or_else(|| unsafe { raise!(PyExc_SystemError, c"invalid tool %d", number) })
}

/// The event of this number.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn event(number: c_int) -> PyResult<Event> {
    // SAFETY: the thread is attached (caller).
    Event::from_number(number)
        .ok_or_else(|| unsafe { raise!(PyExc_SystemError, c"invalid event %d", number) })
}

/// The event of this number, which an instruction fires. LINE and INSTRUCTION have functions of their own, and
/// BRANCH stands for two other events: they are refused.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn fired_event(number: c_int) -> PyResult<Event> {
    // SAFETY: the thread is attached (caller).
    unsafe {
        match event(number)? {
            Event::LINE | Event::INSTRUCTION | Event::BRANCH => {
                Err(raise!(PyExc_SystemError, c"invalid event %d", number))
            }
            event => Ok(event),
        }
    }
}

/// The set with these bits, which has only events whose numbers are less than `end`.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn events(bits: u32, end: usize) -> PyResult<EventSet> {
    // SAFETY: the thread is attached (caller).
    EventSet::of_first(end, bits)
        .ok_or_else(|| unsafe { raise!(PyExc_SystemError, c"invalid event set 0x%x", bits) })
}
