//! Pending calls: calls of C functions that any thread may schedule, to be made soon by some thread of an
//! interpreter or by the main thread. Source: `pycore_interp_structs.h`, `pycore_ceval.h`.

use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicI32, Ordering};

#[cfg(not(py_gil_disabled))]
use super::host_gil::HostGil;
use super::requests::{self, is_main_interpreter, is_main_thread};
use super::signals;
use super::word::{EvalBreaker, Request};
use crate::host::{FREE_THREADED, Owned, Raised, ThreadState, ffi, lock};

/// The main thread must make the call.
pub(crate) const MAIN_THREAD_ONLY: c_int = ffi::_Py_PENDING_MAINTHREADONLY as c_int;
/// The argument is memory to be freed after the call.
const RAW_FREE: c_int = ffi::_Py_PENDING_RAWFREE as c_int;

/// A queue of calls (`struct _pending_calls`), borrowed.
#[derive(Clone, Copy)]
struct Calls(*mut ffi::_pending_calls);

/// The queue is full.
pub(crate) struct Full;

/// The index after `place` in the ring.
const fn following(place: c_int) -> c_int {
    (place + 1) % ffi::PENDINGCALLSARRAYSIZE as c_int
}

impl Calls {
    /// The calls that any thread of the interpreter may make.
    #[inline(always)]
    fn of(interp: *mut ffi::PyInterpreterState) -> Calls {
        // SAFETY: only an address is computed.
        Calls(unsafe { &raw mut (*interp).ceval.pending })
    }

    /// The calls that only the main thread may make.
    #[inline(always)]
    fn of_main_thread() -> Calls {
        // SAFETY: the runtime is a static of the host.
        Calls(unsafe { &raw mut ffi::_PyRuntime.ceval.pending_mainthread })
    }

    /// The number of calls in the queue. Threads read it without the queue's lock.
    ///
    /// # Safety
    /// The queue is live.
    #[inline(always)]
    unsafe fn count(self) -> &'static AtomicI32 {
        // SAFETY: the queue is live (caller), and all code changes the number atomically.
        unsafe { AtomicI32::from_ptr(&raw mut (*self.0).npending) }
    }

    /// Runs `action` while holding the queue's lock. Waiting for the lock may detach the thread.
    ///
    /// # Safety
    /// The queue is live, and the thread does not hold its lock.
    unsafe fn locked<T>(self, action: impl FnOnce() -> T) -> T {
        // SAFETY: the mutex is part of the queue, which is live, and the thread does not hold it (caller).
        unsafe { lock::with_mutex(&raw mut (*self.0).mutex, action) }
    }

    /// Appends a call.
    ///
    /// # Safety
    /// As for [`Calls::locked`].
    unsafe fn push(self, call: ffi::_pending_call) -> Result<(), Full> {
        // SAFETY: the queue is live (caller) and locked while it changes; its indices are always within the
        // ring.
        unsafe {
            self.locked(|| {
                let calls = self.0;
                if self.count().load(Ordering::Relaxed) == (*calls).max {
                    return Err(Full);
                }
                (*calls).calls[(*calls).next as usize] = call;
                (*calls).next = following((*calls).next);
                self.count().fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
        }
    }

    /// Removes the oldest call, if there is one. Also returns how many are left.
    ///
    /// # Safety
    /// As for [`Calls::locked`].
    unsafe fn pop(self) -> (Option<ffi::_pending_call>, i32) {
        // SAFETY: the queue is live (caller) and locked while it changes; its indices are always within the
        // ring.
        unsafe {
            self.locked(|| {
                let calls = self.0;
                if self.count().load(Ordering::Relaxed) == 0 {
                    return (None, 0);
                }
                let first = (*calls).first;
                let none = ffi::_pending_call { func: None, arg: core::ptr::null_mut(), flags: 0 };
                let call = core::mem::replace(&mut (*calls).calls[first as usize], none);
                (*calls).first = following(first);
                (Some(call), self.count().fetch_sub(1, Ordering::SeqCst) - 1)
            })
        }
    }

    /// Makes the calls, but no more in a row than the queue's limit. Returns whether some are left. Fails with
    /// the exception of a call.
    ///
    /// # Safety
    /// As for [`Calls::locked`]; the thread is attached and may make the calls of this queue.
    unsafe fn run(self) -> Result<bool, Raised> {
        // SAFETY: the queue is live (caller). Each function may be called with its argument: [`add`] requires
        // that.
        unsafe {
            let bound = match (*self.0).maxloop {
                0 => (*self.0).max,
                bound => bound,
            };
            let mut left = 0;
            for _ in 0..bound {
                let (call, rest) = self.pop();
                left = rest;
                let Some(ffi::_pending_call { func: Some(function), arg, flags }) = call else { break };
                let status = function(arg);
                if flags & RAW_FREE != 0 && !arg.is_null() {
                    ffi::PyMem_RawFree(arg);
                }
                if status != 0 {
                    return Err(Raised);
                }
            }
            Ok(left > 0)
        }
    }
}

/// Marks the one thread that currently makes an interpreter's calls.
struct Handling(Calls);

impl Handling {
    /// Registers the calling thread. Returns None if a thread, perhaps this one, is registered already; then
    /// sets the request in that thread's eval breaker, since there are more calls, and clears it in this
    /// thread's.
    ///
    /// # Safety
    /// As for [`Calls::locked`]; `tstate` is the state of the calling thread, which is attached.
    unsafe fn begin(calls: Calls, tstate: ThreadState) -> Option<Handling> {
        // SAFETY: the field is null or the state of a thread inside [`make`], which stays live until it resets
        // the field.
        unsafe {
            calls.locked(|| {
                let handling = (*calls.0).handling_thread;
                if !handling.is_null() {
                    EvalBreaker::of(ThreadState::from_ptr(handling)).set(Request::CALLS_TO_DO);
                    EvalBreaker::of(tstate).clear(Request::CALLS_TO_DO);
                    return None;
                }
                (*calls.0).handling_thread = tstate.as_ptr();
                Some(Handling(calls))
            })
        }
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        // SAFETY: only the registered thread resets the field: under the lock, or with a GIL as its holder.
        unsafe {
            let end = || (*self.0.0).handling_thread = core::ptr::null_mut();
            if cfg!(py_gil_disabled) { self.0.locked(end) } else { end() }
        }
    }
}

/// In the child after a fork: makes the lock of the interpreter's queue anew. If another thread of the parent
/// was making the calls, it is gone, so the calling thread may make what is left. (CPython keeps that
/// thread's state, which is freed, and makes no pending calls any more.)
///
/// # Safety
/// `tstate` is the state of the process's only thread, which is attached.
pub(super) unsafe fn after_fork(tstate: ThreadState) {
    // SAFETY: state and interpreter are live, and no other thread uses the queue (caller). Zero is an unlocked
    // mutex.
    unsafe {
        let calls = Calls::of(tstate.interp()).0;
        (*calls).mutex = core::mem::zeroed();
        let handling = (*calls).handling_thread;
        if !handling.is_null() && handling != tstate.as_ptr() {
            (*calls).handling_thread = core::ptr::null_mut();
            EvalBreaker::of(tstate).set(Request::CALLS_TO_DO);
        }
    }
}

/// Whether the queues have calls that the calling thread, one of `interp`, may make.
///
/// # Safety
/// The interpreter is live.
#[cfg(not(py_gil_disabled))]
#[inline]
pub(super) unsafe fn are_calls_for(interp: *mut ffi::PyInterpreterState) -> bool {
    // SAFETY: the interpreter is live (caller), and the main thread's queue is a static of the host. Calls that
    // were added before the GIL was taken are seen, see `Gil::with_holder`.
    unsafe {
        Calls::of(interp).count().load(Ordering::Relaxed) != 0
            || (Calls::of_main_thread().count().load(Ordering::Relaxed) != 0 && is_main_thread())
    }
}

/// Makes the pending calls of the interpreter and, in the main thread, those of the main thread. Stops at each
/// queue's limit; if calls are left, sets the request again. Fails with the exception of a call; then calls may
/// be left, too.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(crate) unsafe fn make(tstate: ThreadState) -> Result<(), Raised> {
    // SAFETY: state and interpreter are live, since the thread is attached (caller); it takes the queues' locks
    // only inside `locked`. The main thread's state lives as long as the runtime.
    unsafe {
        let interp = tstate.interp();
        let Some(handling) = Handling::begin(Calls::of(interp), tstate) else { return Ok(()) };
        // Cleared before the first call, so that calls which are added meanwhile set it again.
        requests::clear_here(tstate, Request::CALLS_TO_DO);
        let mut queues = [Some(Calls::of(interp)), None];
        if is_main_interpreter(interp) {
            if is_main_thread() {
                queues[1] = Some(Calls::of_main_thread());
            } else if FREE_THREADED && Calls::of_main_thread().count().load(Ordering::Relaxed) != 0 {
                // `clear_here` has cleared the main thread's eval breaker as well.
                requests::main_thread().set(Request::CALLS_TO_DO);
            }
        }
        for queue in queues.into_iter().flatten() {
            match queue.run() {
                Ok(false) => {}
                Ok(true) => requests::set_here(tstate, Request::CALLS_TO_DO),
                Err(Raised) => {
                    drop(handling);
                    requests::set_here(tstate, Request::CALLS_TO_DO);
                    return Err(Raised);
                }
            }
        }
        Ok(())
    }
}

/// Makes a thread of the interpreter look for calls soon: the one that holds the GIL, or else the next one that
/// attaches. On free-threaded hosts, all threads.
///
/// # Safety
/// The interpreter is live and has its GIL; the calling thread does not hold the runtime's lock on
/// interpreters.
unsafe fn announce(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: interpreter and GIL are live (caller). `with_holder` keeps the holder alive while the closure
    // runs.
    unsafe {
        #[cfg(py_gil_disabled)]
        requests::for_all(interp, |breaker| breaker.set(Request::CALLS_TO_DO));
        #[cfg(not(py_gil_disabled))]
        HostGil::of(interp).lock().with_holder(|holder| {
            // Interpreters may share a GIL.
            if holder.tstate().interp() == interp {
                EvalBreaker::of(holder.tstate()).set(Request::CALLS_TO_DO);
            }
        });
    }
}

/// Adds a call to the queue of `interp` or, with [`MAIN_THREAD_ONLY`] in `flags`, to that of the main thread.
///
/// # Safety
/// The interpreter is live and has its GIL; with [`MAIN_THREAD_ONLY`], the main thread's state is live. `func`
/// may be called with `arg` at any later time, by an attached thread, and returns 0, or -1 with an exception
/// set. With `RAW_FREE`, `arg` is memory of `PyMem_RawMalloc`.
pub(crate) unsafe fn add(
    interp: *mut ffi::PyInterpreterState,
    func: ffi::_Py_pending_call_func,
    arg: *mut c_void,
    flags: c_int,
) -> Result<(), Full> {
    // SAFETY: the interpreter, or the main thread's state, is live (caller).
    unsafe {
        let main_only = flags & MAIN_THREAD_ONLY != 0;
        let calls = if main_only { Calls::of_main_thread() } else { Calls::of(interp) };
        let added = calls.push(ffi::_pending_call { func, arg, flags });
        // Even if the queue is full: the thread then makes room.
        if main_only {
            requests::main_thread().set(Request::CALLS_TO_DO);
        } else {
            announce(interp);
        }
        added
    }
}

/// Makes pending calls until there are none left, and prints their exceptions.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(crate) unsafe fn finish(tstate: ThreadState) {
    // SAFETY: state and interpreter are live, since the thread is attached (caller).
    unsafe {
        requests::check_attached(c"_Py_FinishPendingCalls");
        tstate.check();
        let interp = tstate.interp();
        let in_main = is_main_thread() && is_main_interpreter(interp);
        loop {
            if make(tstate).is_err() {
                print_exception(tstate);
            }
            let mut left = Calls::of(interp).count().load(Ordering::Relaxed);
            if in_main {
                left += Calls::of_main_thread().count().load(Ordering::Relaxed);
            }
            if left <= 0 {
                return;
            }
        }
    }
}

/// Prints the exception that a call has raised, as the context of a SystemError.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[cold]
unsafe fn print_exception(tstate: ThreadState) {
    // SAFETY: the thread is attached (caller). A call that failed has set an exception; without one, null is
    // handled.
    unsafe {
        let exception = Owned::optional(ffi::_PyErr_GetRaisedException(tstate.as_ptr()));
        ffi::_PyErr_BadInternalCall(concat!(file!(), "\0").as_ptr().cast(), line!() as c_int);
        ffi::_PyErr_ChainExceptions1(exception.map_or(core::ptr::null_mut(), Owned::into_ptr));
        ffi::_PyErr_Print(tstate.as_ptr());
    }
}

/// Handles signals, then makes pending calls.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(crate) unsafe fn make_with_signals(tstate: ThreadState) -> Result<(), Raised> {
    // SAFETY: both callees have the same contract.
    unsafe { signals::handle(tstate).and_then(|()| make(tstate)) }
}

/// Like [`make_with_signals`] in the main thread of the main interpreter; elsewhere does nothing.
///
/// # Safety
/// The thread is attached.
pub(crate) unsafe fn make_in_main_thread() -> Result<(), Raised> {
    // SAFETY: the thread is attached (caller), so the current state is its own.
    unsafe {
        requests::check_attached(c"Py_MakePendingCalls");
        let tstate = ThreadState::current();
        tstate.check();
        if is_main_thread() && is_main_interpreter(tstate.interp()) {
            make_with_signals(tstate)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_of_calls_has_no_end() {
        let mut place = 0;
        for step in 1..=2 * ffi::PENDINGCALLSARRAYSIZE as c_int {
            place = following(place);
            assert_eq!(place, step % ffi::PENDINGCALLSARRAYSIZE as c_int);
        }
    }
}
