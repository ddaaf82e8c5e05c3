//! The events of `sys.setprofile`, and what profile functions get for them. Used by [`super`] only.

use super::callback::{Notification, Reaction, Subscription, current_frame, notify};
use crate::host::object::{is_exact, type_of};
use crate::host::{Owned, PyObject, PyResult, ThreadState, ffi, none};
use crate::instrument::calls::Reply;
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

/// Calls the thread's profile function, if it has one. Fails with its exception.
///
/// # Safety
/// As for [`Reaction::react`]; `argument` is live or null.
unsafe fn notify_profiler(event: &Notification, argument: *mut PyObject) -> PyResult<Reply> {
    // SAFETY: the thread is attached, its frames are published, and `argument` is live or null (caller).
    unsafe {
        let tstate = ThreadState::current().as_ptr();
        if (*tstate).c_profilefunc.is_none() {
            return Ok(Reply::Done);
        }
        let frame = current_frame(c"Missing frame when calling profile function.")?;
        let _kept = Owned::new_ref(frame.cast());
        notify(((*tstate).c_profilefunc, (*tstate).c_profileobj), frame, event.what, argument)
    }
}

/// A frame starts or resumes.
struct Entered;
impl Reaction for Entered {
    unsafe fn react(event: Notification) -> PyResult<Reply> {
        // SAFETY: the thread is attached, and its frames are published (the trait's contract).
        unsafe { notify_profiler(&event, none()) }
    }
}

/// A frame returns or yields a value.
struct Left;
impl Reaction for Left {
    unsafe fn react(event: Notification) -> PyResult<Reply> {
        // SAFETY: the thread is attached, its frames are published, and these events have a value (the trait's
        // contract).
        unsafe { notify_profiler(&event, event.value()) }
    }
}

/// An exception leaves a frame.
struct Unwound;
impl Reaction for Unwound {
    unsafe fn react(event: Notification) -> PyResult<Reply> {
        // SAFETY: the thread is attached, and its frames are published (the trait's contract).
        unsafe { notify_profiler(&event, core::ptr::null_mut()) }
    }
}

/// Something is called, or a call has ended. Profile functions are notified if the callable is a C function.
/// For a method descriptor they get the bound method, unless it is called without an object.
struct CallOfC;
impl Reaction for CallOfC {
    unsafe fn react(event: Notification) -> PyResult<Reply> {
        // SAFETY: the thread is attached, and its frames are published (the trait's contract); these events
        // have the callable and its first argument.
        unsafe {
            let (callable, first) = (event.argument(2), event.argument(3));
            if is_c_function(callable) {
                return notify_profiler(&event, callable);
            }
            let is_method = is_exact(callable, &raw mut ffi::PyMethodDescr_Type);
            if !is_method || first == seams::instrumentation::missing() {
                return Ok(Reply::Done);
            }
            let Some(bind) = (*type_of(callable)).tp_descr_get else { return Ok(Reply::Done) };
            let method = Owned::from_host(bind(callable, first, type_of(first).cast()))?;
            notify_profiler(&event, method.as_ptr())
        }
    }
}

/// `PyCFunction_Check`.
///
/// # Safety
/// `object` is live.
unsafe fn is_c_function(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe {
        is_exact(object, &raw mut ffi::PyCFunction_Type)
            || ffi::PyType_IsSubtype(type_of(object), &raw mut ffi::PyCFunction_Type) != 0
    }
}
