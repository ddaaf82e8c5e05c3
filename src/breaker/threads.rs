//! The GIL as the host knows it: which lock an interpreter has, taking and dropping it for a thread
//! state, and the C functions that attach and detach threads. Source: `pycore_gil.h`, `ceval.h`.

use core::ffi::CStr;
use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use super::gil::{Gil, HOLDER_ALIGNMENT, Holder, NotLocked, Queue, World};
use super::queues::{Deadline, Queues};
use super::word::{EvalBreaker, Event};
use crate::host::{ThreadState, ffi};
#[cfg(not(py_gil_disabled))]
use crate::instrument::version;

static_assertions::const_assert!(align_of::<ffi::PyThreadState>() >= HOLDER_ALIGNMENT);
static_assertions::assert_eq_size!(core::ffi::c_ulong, usize);

/// An interpreter's lock (`struct _gil_runtime_state`), borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HostGil(*mut ffi::_gil_runtime_state);

/// The host's threads, and the queues of one lock.
#[derive(Clone, Copy)]
pub struct Host {
    queues: Queues,
    interval: *mut core::ffi::c_ulong,
}

impl Holder {
    /// # Safety
    /// The thread state is not null.
    #[inline(always)]
    unsafe fn of(tstate: ThreadState) -> Holder {
        // SAFETY: the caller's promise.
        unsafe { Holder::new(tstate.as_ptr() as usize).unwrap_unchecked() }
    }

    #[inline(always)]
    pub(super) fn tstate(self) -> ThreadState {
        ThreadState::from_ptr(self.id() as *mut ffi::PyThreadState)
    }
}

impl World for Host {
    type Deadline = Deadline;

    fn one_interval_from_now(&self) -> Deadline {
        // SAFETY: the lock outlives those that wait for it.
        let interval = unsafe { AtomicUsize::from_ptr(self.interval.cast()) }.load(Ordering::Relaxed);
        Deadline::after(Duration::from_micros(interval.max(1) as u64))
    }

    fn sleep(
        &self,
        queue: Queue,
        deadline: Option<Deadline>,
        wanted: impl FnOnce() -> bool,
        timed_out: impl FnOnce(),
    ) {
        self.queues.sleep(queue, deadline, wanted, timed_out);
    }

    fn wake_one(&self, queue: Queue, action: impl FnOnce(bool)) {
        self.queues.wake_one(queue, action);
    }

    fn wake_all(&self, queue: Queue) {
        self.queues.wake_all(queue);
    }

    fn with_queues<T>(&self, action: impl FnOnce() -> T) -> T {
        self.queues.locked(action)
    }

    fn request_drop(&self, thread: Holder, wanted: bool) {
        // SAFETY: the lock promises that the thread is alive.
        let breaker = unsafe { EvalBreaker::of(thread.tstate()) };
        if wanted { breaker.set(Event::GIL_DROP_REQUEST) } else { breaker.clear(Event::GIL_DROP_REQUEST) }
    }

    fn is_drop_requested(&self, thread: Holder) -> bool {
        // SAFETY: the lock promises that the thread is alive.
        unsafe { EvalBreaker::of(thread.tstate()) }.load().has(Event::GIL_DROP_REQUEST)
    }

    fn must_exit(&self, thread: Holder) -> bool {
        // SAFETY: the lock promises that the thread is alive.
        unsafe { must_exit(thread.tstate()) }
    }
}

impl HostGil {
    pub fn from_ptr(gil: *mut ffi::_gil_runtime_state) -> HostGil {
        HostGil(gil)
    }

    /// The lock that the interpreter uses, its own or a shared one; null before it has one.
    ///
    /// # Safety
    /// The interpreter is live.
    #[inline(always)]
    pub unsafe fn of(interp: *mut ffi::PyInterpreterState) -> HostGil {
        // SAFETY: the caller's promise.
        HostGil(unsafe { (*interp).ceval.gil })
    }

    #[inline(always)]
    pub fn as_ptr(self) -> *mut ffi::_gil_runtime_state {
        self.0
    }

    /// # Safety
    /// The lock's memory outlives the result's use.
    #[inline(always)]
    pub unsafe fn lock(self) -> Gil<'static, Host> {
        // SAFETY: the caller's promise; the fields are changed atomically, and have these sizes.
        unsafe {
            let queues = Queues::of(self.0);
            Gil {
                word: queues.word(),
                last_holder: AtomicUsize::from_ptr((&raw mut (*self.0).last_holder).cast()),
                switches: AtomicUsize::from_ptr((&raw mut (*self.0).switch_number).cast()),
                locked: AtomicI32::from_ptr(&raw mut (*self.0).locked),
                world: Host { queues, interval: &raw mut (*self.0).interval },
            }
        }
    }

    /// Whether the lock exists, rather than only its memory.
    ///
    /// # Safety
    /// The lock's memory is live, or this is null.
    pub unsafe fn is_created(self) -> bool {
        // SAFETY: the caller's promise.
        !self.0.is_null()
            && unsafe { AtomicI32::from_ptr(&raw mut (*self.0).locked).load(Ordering::Acquire) >= 0 }
    }

    /// Whether threads need the lock at all.
    ///
    /// # Safety
    /// The lock is live.
    #[cfg(py_gil_disabled)]
    pub unsafe fn is_enabled(self) -> bool {
        // SAFETY: the caller's promise.
        unsafe { self.enabled().load(Ordering::Relaxed) != 0 }
    }

    /// How many ask for the lock to be needed; `INT_MAX` for ever.
    ///
    /// # Safety
    /// The lock is live.
    #[cfg(py_gil_disabled)]
    pub unsafe fn enabled(self) -> &'static AtomicI32 {
        // SAFETY: the caller's promise.
        unsafe { AtomicI32::from_ptr(&raw mut (*self.0).enabled) }
    }
}

/// Whether the program is ending and the thread must not attach (`_PyThreadState_MustExit`).
#[inline]
unsafe fn must_exit(tstate: ThreadState) -> bool {
    // SAFETY: the thread state is live.
    unsafe { ffi::_PyThreadState_MustExit(tstate.as_ptr()) != 0 }
}

/// Ends what the calling thread can do: it sleeps until the process ends, as nobody above it on its
/// stack could be told (`_PyThreadState_HangThread`).
#[cold]
unsafe fn hang(tstate: ThreadState) -> ! {
    // SAFETY: the first, which gives up the thread's share of its state, does not return either.
    unsafe {
        ffi::_PyThreadState_HangThread(tstate.as_ptr());
        ffi::PyThread_hang_thread()
    }
}

/// Takes the interpreter's lock for the calling thread, whose state `tstate` is. Keeps `errno`. If the
/// program is ending, does not return.
///
/// # Safety
/// The thread state is live; no thread is attached with it, and the calling thread has no other lock.
pub unsafe fn take(tstate: ThreadState) {
    // SAFETY: the caller's promise. What the host ends waits for this thread, or is never freed.
    unsafe {
        if must_exit(tstate) {
            hang(tstate);
        }
        tstate.check();
        let interp = tstate.interp();
        let gil = HostGil::of(interp);
        #[cfg(py_gil_disabled)]
        if !gil.is_enabled() {
            return;
        }
        let lock = gil.lock();
        if lock.take(Holder::of(tstate)).is_err() {
            hang(tstate);
        }
        #[cfg(py_gil_disabled)]
        if !gil.is_enabled() {
            // It was, until the last holder let everybody go.
            give_up(lock);
            return;
        }
        if must_exit(tstate) {
            give_up(lock);
            hang(tstate);
        }
        (*tstate.as_ptr()).holds_gil = 1;
        EvalBreaker::of(tstate).clear(Event::GIL_DROP_REQUEST);
        #[cfg(not(py_gil_disabled))]
        catch_up(interp, tstate);
    }
}

/// Tells a thread that attaches what it may have missed: pending calls, and the version of the
/// instrumentation. (In free-threaded hosts all threads are told at once.)
#[cfg(not(py_gil_disabled))]
#[inline]
unsafe fn catch_up(interp: *mut ffi::PyInterpreterState, tstate: ThreadState) {
    // SAFETY: the thread is about to be attached, and holds the lock.
    unsafe {
        if super::pending::are_calls_for(interp) {
            EvalBreaker::of(tstate).set(Event::CALLS_TO_DO);
        }
        version::catch_up(tstate, interp);
    }
}

unsafe fn give_up(lock: Gil<'static, Host>) {
    if lock.drop_finally() == Err(NotLocked) {
        // SAFETY: C strings.
        unsafe { not_locked() }
    }
}

/// Drops the lock of `interp`, which the calling thread holds; if it was asked to, after another thread
/// has got it. If `finally`, the thread state or the interpreter may be gone as soon as the lock is.
///
/// # Safety
/// The interpreter is live, and `tstate` is the state of the calling thread.
pub unsafe fn drop(interp: *mut ffi::PyInterpreterState, tstate: ThreadState, finally: bool) {
    // SAFETY: the caller's promise.
    unsafe {
        let gil = HostGil::of(interp);
        #[cfg(py_gil_disabled)]
        if (*tstate.as_ptr()).holds_gil == 0 {
            return;
        }
        (*tstate.as_ptr()).holds_gil = 0;
        let lock = gil.lock();
        let dropped = if finally { lock.drop_finally() } else { lock.drop_by(Holder::of(tstate)) };
        if dropped == Err(NotLocked) {
            not_locked();
        }
    }
}

#[cold]
unsafe fn not_locked() -> ! {
    // SAFETY: C strings; does not return.
    unsafe { ffi::_Py_FatalErrorFunc(c"drop_gil".as_ptr(), c"drop_gil: GIL is not locked".as_ptr()) }
}

/// Ends the process if `tstate` is null, in the name of the C function `caller`
/// (`_Py_EnsureTstateNotNULL`).
#[inline]
pub(crate) unsafe fn ensure_not_null(tstate: ThreadState, caller: &CStr) {
    if tstate.as_ptr().is_null() {
        // SAFETY: C strings; does not return.
        unsafe {
            ffi::_Py_FatalErrorFunc(
                caller.as_ptr(),
                c"the function must be called with the GIL held, after Python initialization and before \
                  Python finalization, but the GIL is released (the current Python thread state is NULL)"
                    .as_ptr(),
            )
        }
    }
}

// --- the host's functions ------------------------------------------------------------------------

/// Attaches the calling thread to `tstate`, or ends the process in the name of `caller` if that is null.
///
/// # Safety
/// `tstate` is null, or live and the calling thread's; the thread is not attached.
pub(crate) unsafe fn attach(tstate: ThreadState, caller: &CStr) {
    // SAFETY: the caller's promise.
    unsafe {
        ensure_not_null(tstate, caller);
        ffi::_PyThreadState_Attach(tstate.as_ptr());
    }
}
