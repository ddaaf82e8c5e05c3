//! Callbacks that are no Python functions: objects with an entry point, and what the trace or profile
//! function is to be told (`PyTrace_*`).

use core::ffi::{CStr, c_int};
use core::mem::offset_of;

use crate::host::object::static_head;
use crate::host::{Owned, PyObject, PyResult, Raised, ffi, none};
use crate::instrument::events::{Event, Tool};
use crate::seams;

/// A callback object.
#[repr(C)]
struct EventHandler {
    head: PyObject,
    vectorcall: ffi::vectorcallfunc,
    what: c_int,
}

/// What a handler wants of the event's location.
pub(crate) enum Answer {
    /// To be told again.
    Continue,
    /// Not to be told again (`sys.monitoring.DISABLE`).
    Disable,
}

/// An event, as its handler sees it: what to tell the function, and the arguments of the callback, which
/// begin with code object and offset. All are borrowed.
pub(crate) struct Call {
    /// What has happened, a `PyTrace_*`.
    pub(crate) what: c_int,
    arguments: *const *mut PyObject,
}

impl Call {
    /// An argument of the callback.
    ///
    /// # Safety
    /// The event has it.
    #[inline(always)]
    pub(crate) unsafe fn argument(&self, index: usize) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe { *self.arguments.add(index) }
    }

    /// The value of events that have one: what is returned, yielded or raised.
    ///
    /// # Safety
    /// The event has one.
    #[inline(always)]
    pub(crate) unsafe fn value(&self) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe { self.argument(2) }
    }
}

/// Code that is run for events.
pub(crate) trait Handler {
    /// Tells the thread's function.
    ///
    /// # Safety
    /// The thread is attached, its frames are published, and the event is one that the handler
    /// subscribes to.
    unsafe fn handle(call: Call) -> PyResult<Answer>;
}

/// The entry point of a callback object with the handler `H`.
unsafe extern "C" fn enter<H: Handler>(
    callback: *mut PyObject,
    arguments: *const *mut PyObject,
    _nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    debug_assert!(kwnames.is_null());
    // SAFETY: only `register_all` makes such objects, and only the machinery of the tools, which passes
    // the arguments of the event, ever gets to call them.
    let answer = unsafe {
        let what = (*callback.cast::<EventHandler>()).what;
        H::handle(Call { what, arguments })
    };
    match answer {
        Ok(Answer::Continue) => none(),
        Ok(Answer::Disable) => seams::instrumentation::disable(),
        Err(Raised) => core::ptr::null_mut(),
    }
}

/// A callback of one of the two tools, not yet an object.
pub(crate) struct Subscription {
    enter: ffi::vectorcallfunc,
    what: u32,
    pub(crate) events: &'static [Event],
}

impl Subscription {
    /// `H` is to be called at each of `events`, and to tell the function that `what` has happened.
    pub(crate) const fn new<H: Handler>(what: u32, events: &'static [Event]) -> Subscription {
        Subscription { enter: Some(enter::<H>), what, events }
    }
}

/// The type of the callback objects.
pub(crate) const TYPE: ffi::PyTypeObject = {
    // SAFETY: counts, pointers and optional functions, for which zero is a value.
    let mut type_: ffi::PyTypeObject = unsafe { core::mem::zeroed() };
    type_.ob_base.ob_base = static_head(&raw mut ffi::PyType_Type);
    type_.tp_name = c"sys.legacy_event_handler".as_ptr();
    type_.tp_basicsize = size_of::<EventHandler>() as ffi::Py_ssize_t;
    type_.tp_vectorcall_offset = offset_of!(EventHandler, vectorcall) as ffi::Py_ssize_t;
    type_.tp_flags = (ffi::Py_TPFLAGS_DEFAULT
        | ffi::Py_TPFLAGS_BASETYPE
        | ffi::Py_TPFLAGS_HAVE_VECTORCALL
        | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as _;
    type_.tp_call = Some(ffi::PyVectorcall_Call);
    type_
};

/// Makes the objects, and registers them as callbacks of `tool`.
///
/// # Safety
/// The thread is attached.
pub(super) unsafe fn register_all(tool: Tool, subscriptions: &[Subscription]) -> PyResult<()> {
    for subscription in subscriptions {
        // SAFETY: the thread is attached; a new object has room for all of the type's fields, and
        // nobody else has seen it.
        unsafe {
            let callback = Owned::from_host(ffi::_PyObject_New(seams::legacy_tracing::event_handler_type()))?;
            let object = callback.as_ptr().cast::<EventHandler>();
            (&raw mut (*object).vectorcall).write(subscription.enter);
            (&raw mut (*object).what).write(subscription.what as c_int);
            for event in subscription.events {
                drop(seams::instrumentation::register_callback(
                    tool.number(),
                    event.number(),
                    callback.as_ptr(),
                ));
            }
        }
    }
    Ok(())
}

/// The frame that the event has happened in.
///
/// # Safety
/// The thread is attached, and its frames are published.
pub(super) unsafe fn current_frame(missing: &'static CStr) -> PyResult<*mut ffi::PyFrameObject> {
    // SAFETY: the caller's promise.
    unsafe {
        let frame = seams::ceval::current_frame_object();
        if frame.is_null() {
            ffi::PyErr_SetString(ffi::PyExc_SystemError, missing.as_ptr());
            return Err(Raised);
        }
        Ok(frame)
    }
}

/// Calls `function`, if there is one.
///
/// # Safety
/// The thread is attached and its frames published; the caller keeps `frame` alive; `object` and
/// `argument` are what such a function takes, live or null.
pub(super) unsafe fn tell(
    (function, object): (ffi::Py_tracefunc, *mut PyObject),
    frame: *mut ffi::PyFrameObject,
    what: c_int,
    argument: *mut PyObject,
) -> PyResult<Answer> {
    let Some(function) = function else { return Ok(Answer::Continue) };
    // SAFETY: the caller's promise.
    let status = unsafe { function(object, frame, what, argument) };
    if status == 0 { Ok(Answer::Continue) } else { Err(Raised) }
}
