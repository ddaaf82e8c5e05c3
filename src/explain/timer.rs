//! The timer: a signal at short intervals of the process's time on its processors.
//!
//! Its signal is one that programs seldom use, so a program may have timers and handlers of its own. A child of a fork has no
//! timer, and neither has a program that takes the place of this one.

use core::cell::UnsafeCell;
use core::ffi::{c_int, c_void};
use core::mem::zeroed;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::host::{PyResult, Raised, ffi};

/// The time between two signals. Most systems look at such timers only at their own ticks, which are 1 to 10 ms apart.
const INTERVAL_NANOSECONDS: i64 = 1_000_000;

/// How far below the last signal of the system the timer's is.
const BELOW_LAST: c_int = 3;

pub(super) type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The timer, and the handler that its signal had before.
pub(super) struct Timer {
    timer: libc::timer_t,
    before: libc::sigaction,
}

/// The timer that runs. Only attached threads that start or stop to explain a run use it.
struct Running(UnsafeCell<Option<Timer>>);

// SAFETY: one attached thread at a time uses it.
unsafe impl Sync for Running {}

static RUNNING: Running = Running(UnsafeCell::new(None));

impl Timer {
    /// Starts the timer. Fails with OSError.
    ///
    /// # Safety
    /// The thread is attached, and no timer runs.
    pub(super) unsafe fn start(handler: Handler) -> PyResult<()> {
        // SAFETY: zero is a value of these structs. The handler has the type that SA_SIGINFO says.
        unsafe {
            let signal = signal();
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
            libc::sigfillset(&raw mut action.sa_mask);
            let mut before: libc::sigaction = zeroed();
            let mut event: libc::sigevent = zeroed();
            event.sigev_notify = libc::SIGEV_SIGNAL;
            event.sigev_signo = signal;
            let mut timer: libc::timer_t = zeroed();
            if libc::timer_create(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut event, &raw mut timer) != 0 {
                return Err(os_error());
            }
            let interval = libc::timespec { tv_sec: 0, tv_nsec: INTERVAL_NANOSECONDS };
            let setting = libc::itimerspec { it_interval: interval, it_value: interval };
            if libc::sigaction(signal, &raw const action, &raw mut before) != 0
                || libc::timer_settime(timer, 0, &raw const setting, core::ptr::null_mut()) != 0
            {
                let error = os_error();
                libc::timer_delete(timer);
                return Err(error);
            }
            *RUNNING.0.get() = Some(Timer { timer, before });
            Ok(())
        }
    }

    /// Stops the timer, if one runs.
    ///
    /// # Safety
    /// The thread is attached.
    pub(super) unsafe fn stop() {
        // SAFETY: the timer and the handler are those that were set at the start.
        unsafe {
            let Some(Timer { timer, before }) = (*RUNNING.0.get()).take() else { return };
            libc::timer_delete(timer);
            // A signal that waits must not meet the handler from before, which may end the process.
            let mut ignored: libc::sigaction = zeroed();
            ignored.sa_sigaction = libc::SIG_IGN;
            libc::sigaction(signal(), &raw const ignored, core::ptr::null_mut());
            libc::sigaction(signal(), &raw const before, core::ptr::null_mut());
        }
    }
}

/// From now on, children of forks call this function.
pub(super) fn forget_in_children(forget: extern "C" fn()) {
    static IS_SET: AtomicBool = AtomicBool::new(false);
    if !IS_SET.swap(true, Ordering::Relaxed) {
        // SAFETY: the function only stores a word.
        unsafe { libc::pthread_atfork(None, None, Some(forget)) };
    }
}

fn signal() -> c_int {
    libc::SIGRTMAX() - BELOW_LAST
}

/// Sets OSError for the last error of the system.
///
/// # Safety
/// The thread is attached.
unsafe fn os_error() -> Raised {
    // SAFETY: the exception is live (caller).
    unsafe { ffi::PyErr_SetFromErrno(ffi::PyExc_OSError) };
    Raised
}
