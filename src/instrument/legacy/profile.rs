//! What profile functions are told.

use super::handler::{Answer, Call, Handler, Subscription, current_frame, tell};
use crate::host::object::{is_exact, type_of};
use crate::host::{Owned, PyObject, PyResult, ThreadState, ffi, none};
use crate::instrument::events::Event;
use crate::seams;

pub(super) const SUBSCRIPTIONS: &[Subscription] = &[
    Subscription::new::<Entered>(ffi::PyTrace_CALL, &[Event::PY_START, Event::PY_RESUME, Event::PY_THROW]),
    Subscription::new::<Left>(ffi::PyTrace_RETURN, &[Event::PY_RETURN, Event::PY_YIELD]),
    Subscription::new::<Unwound>(ffi::PyTrace_RETURN, &[Event::PY_UNWIND]),
    Subscription::new::<CallOfC>(ffi::PyTrace_C_CALL, &[Event::CALL]),
    Subscription::new::<CallOfC>(ffi::PyTrace_C_RETURN, &[Event::C_RETURN]),
    Subscription::new::<CallOfC>(ffi::PyTrace_C_EXCEPTION, &[Event::C_RAISE]),
];

/// Calls the thread's profile function, if it has one.
unsafe fn tell_profiler(call: &Call, argument: *mut PyObject) -> PyResult<Answer> {
    // SAFETY: as for `Handler::handle`.
    unsafe {
        let tstate = ThreadState::current().as_ptr();
        if (*tstate).c_profilefunc.is_none() {
            return Ok(Answer::Continue);
        }
        let frame = current_frame(c"Missing frame when calling profile function.")?;
        let _kept = Owned::new_ref(frame.cast());
        tell(((*tstate).c_profilefunc, (*tstate).c_profileobj), frame, call.what, argument)
    }
}

/// A frame begins, or goes on.
struct Entered;
impl Handler for Entered {
    unsafe fn handle(call: Call) -> PyResult<Answer> {
        // SAFETY: the caller's promise.
        unsafe { tell_profiler(&call, none()) }
    }
}

/// A frame gives a value.
struct Left;
impl Handler for Left {
    unsafe fn handle(call: Call) -> PyResult<Answer> {
        // SAFETY: the caller's promise.
        unsafe { tell_profiler(&call, call.value()) }
    }
}

/// A frame is left by an exception.
struct Unwound;
impl Handler for Unwound {
    unsafe fn handle(call: Call) -> PyResult<Answer> {
        // SAFETY: the caller's promise.
        unsafe { tell_profiler(&call, core::ptr::null_mut()) }
    }
}

/// Something is called, or a call has ended: told if it is a C function. A method descriptor is told as
/// the bound method that it would give; one that is called without an object is not told.
struct CallOfC;
impl Handler for CallOfC {
    unsafe fn handle(call: Call) -> PyResult<Answer> {
        // SAFETY: the caller's promise: these events have the callable and its first argument.
        unsafe {
            let (callable, first) = (call.argument(2), call.argument(3));
            if is_c_function(callable) {
                return tell_profiler(&call, callable);
            }
            let is_method = is_exact(callable, &raw mut ffi::PyMethodDescr_Type);
            if !is_method || first == seams::instrumentation::missing() {
                return Ok(Answer::Continue);
            }
            let Some(bind) = (*type_of(callable)).tp_descr_get else { return Ok(Answer::Continue) };
            let method = Owned::from_host(bind(callable, first, type_of(first).cast()))?;
            tell_profiler(&call, method.as_ptr())
        }
    }
}

/// `PyCFunction_Check`.
unsafe fn is_c_function(object: *mut PyObject) -> bool {
    // SAFETY: the object is live.
    unsafe {
        is_exact(object, &raw mut ffi::PyCFunction_Type)
            || ffi::PyType_IsSubtype(type_of(object), &raw mut ffi::PyCFunction_Type) != 0
    }
}
