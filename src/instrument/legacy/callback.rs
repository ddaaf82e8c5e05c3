//! Callback objects that are no Python functions: each has an entry point and the `PyTrace_*` that it passes
//! to the trace or profile function. Used by [`super`]; `exports` defines their type from [`TYPE`].

use core::ffi::{CStr, c_int};
use core::mem::offset_of;

use crate::host::object::static_head;
use crate::host::{Owned, PyObject, PyResult, Raised, ffi, none};
use crate::instrument::calls::Reply;
use crate::instrument::events::{Event, Tool};
use crate::seams;

/// A callback object (`_PyLegacyEventHandler`).
#[repr(C)]
struct Callback {
    head: PyObject,
    vectorcall: ffi::vectorcallfunc,
    what: c_int,
}

/// An event, as the reaction to it gets it: the `PyTrace_*` for the function, and the arguments of the callback,
/// which begin with code object and offset (or line). All references are borrowed.
pub(crate) struct Notification {
    /// The kind of event for the function, a `PyTrace_*`.
    pub(crate) what: c_int,
    arguments: *const *mut PyObject,
}

impl Notification {
    /// An argument of the callback.
    ///
    /// # Safety
    /// The event has more than `index` arguments.
    #[inline(always)]
    pub(crate) unsafe fn argument(&self, index: usize) -> *mut PyObject {
        // SAFETY: there is an argument at `index` (caller).
        unsafe { *self.arguments.add(index) }
    }

    /// The value that is returned, yielded or raised.
    ///
    /// # Safety
    /// The event has such a value.
    #[inline(always)]
    pub(crate) unsafe fn value(&self) -> *mut PyObject {
        // SAFETY: the value of such events is the third argument (caller).
        unsafe { self.argument(2) }
    }
}

/// The reaction to an event.
pub(crate) trait Reaction {
    /// Calls the thread's function. Fails with its exception.
    ///
    /// # Safety
    /// The thread is attached, its frames are published, and `event` is one that the reaction is
    /// subscribed to.
    unsafe fn react(event: Notification) -> PyResult<Reply>;
}

/// The vectorcall of a callback object with the reaction `R`.
///
/// # Safety
/// `callback` is a [`Callback`] with this entry point. It is called as the callback of a tool for one of
/// its events, with the arguments of this event, while the thread is attached and its frames are published.
unsafe extern "C" fn enter<R: Reaction>(
    callback: *mut PyObject,
    arguments: *const *mut PyObject,
    _nargsf: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    debug_assert!(kwnames.is_null());
    // SAFETY: the callback is such an object, and the arguments are those of one of its events (caller).
    // Programs never get these objects: only the code that calls tools does.
    let reply = unsafe {
        let what = (*callback.cast::<Callback>()).what;
        R::react(Notification { what, arguments })
    };
    match reply {
        Ok(Reply::Done) => none(),
        Ok(Reply::Disable) => seams::instrumentation::disable(),
        Err(Raised) => core::ptr::null_mut(),
    }
}

/// A callback of one of the two tools, before its object is created.
pub(crate) struct Subscription {
    enter: ffi::vectorcallfunc,
    what: u32,
    pub(crate) events: &'static [Event],
}

impl Subscription {
    /// Calls `R` at each of `events`, with `what` for the function.
    pub(crate) const fn new<R: Reaction>(what: u32, events: &'static [Event]) -> Subscription {
        Subscription { enter: Some(enter::<R>), what, events }
    }
}

/// The type of the callback objects.
pub(crate) const TYPE: ffi::PyTypeObject = {
    // SAFETY: integers, pointers and optional functions, for which zero is a value.
    let mut type_: ffi::PyTypeObject = unsafe { core::mem::zeroed() };
    type_.ob_base.ob_base = static_head(&raw mut ffi::PyType_Type);
    type_.tp_name = c"sys.legacy_event_handler".as_ptr();
    type_.tp_basicsize = size_of::<Callback>() as ffi::Py_ssize_t;
    type_.tp_vectorcall_offset = offset_of!(Callback, vectorcall) as ffi::Py_ssize_t;
    type_.tp_flags = (ffi::Py_TPFLAGS_DEFAULT
        | ffi::Py_TPFLAGS_BASETYPE
        | ffi::Py_TPFLAGS_HAVE_VECTORCALL
        | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as _;
    type_.tp_call = Some(ffi::PyVectorcall_Call);
    type_
};

/// Creates the callback objects, and registers them for `tool`. Fails with MemoryError.
///
/// # Safety
/// The thread is attached, and has not stopped the world.
pub(super) unsafe fn register_all(tool: Tool, subscriptions: &[Subscription]) -> PyResult<()> {
    for subscription in subscriptions {
        // SAFETY: the thread is attached (caller). A new object has room for all fields, which are written
        // before it is shared.
        unsafe {
            let callback = Owned::from_host(ffi::_PyObject_New(seams::legacy_tracing::event_handler_type()))?;
            let object = callback.as_ptr().cast::<Callback>();
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

/// The frame object of the frame in which the event fired. Fails with SystemError and the text `missing` if
/// there is none.
///
/// # Safety
/// The thread is attached, and its frames are published.
pub(super) unsafe fn current_frame(missing: &'static CStr) -> PyResult<*mut ffi::PyFrameObject> {
    // SAFETY: the thread is attached, and its frames are published (caller).
    unsafe {
        let frame = seams::ceval::current_frame_object();
        if frame.is_null() {
            ffi::PyErr_SetString(ffi::PyExc_SystemError, missing.as_ptr());
            return Err(Raised);
        }
        Ok(frame)
    }
}

/// Calls `function`, if there is one. Fails with its exception.
///
/// # Safety
/// The thread is attached, its frames are published, and `frame` is live for the call; `object` is the object
/// that was set with `function`, and `argument` is live or null.
pub(super) unsafe fn notify(
    (function, object): (ffi::Py_tracefunc, *mut PyObject),
    frame: *mut ffi::PyFrameObject,
    what: c_int,
    argument: *mut PyObject,
) -> PyResult<Reply> {
    let Some(function) = function else { return Ok(Reply::Done) };
    // SAFETY: the frame, the object and the argument are as such a function requires (caller).
    let status = unsafe { function(object, frame, what, argument) };
    if status == 0 { Ok(Reply::Done) } else { Err(Raised) }
}
