//! The queues of this platform with real threads.

use std::cell::UnsafeCell;
#[cfg(not(windows))]
use std::ffi::c_char;
use std::mem::zeroed;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::platform::Count;
use super::{Deadline, Queues, SystemError};
use crate::breaker::gil::Queue;
use crate::host::ffi;

/// What the queues call if a function of pthreads fails.
#[cfg(not(windows))]
#[unsafe(no_mangle)]
extern "C" fn _Py_FatalErrorFunc(_function: *const c_char, _message: *const c_char) -> ! {
    unreachable!("the mutexes of tests are not overwritten");
}

/// A lock of its own, with queues.
struct Lock {
    memory: UnsafeCell<ffi::_gil_runtime_state>,
    /// What threads that sleep wait for. Changed while the queues are locked.
    open: AtomicUsize,
    /// The number of threads that have slept.
    woken: AtomicUsize,
}

// SAFETY: the memory is used by way of the queues only, which may be used by several threads.
unsafe impl Sync for Lock {}

impl Lock {
    fn new() -> Lock {
        // SAFETY: the fields are numbers, nullable pointers and parts of pthreads without invariants.
        let memory = UnsafeCell::new(unsafe { zeroed() });
        let lock = Lock { memory, open: AtomicUsize::new(0), woken: AtomicUsize::new(0) };
        // SAFETY: no other thread knows the memory.
        unsafe { lock.queues().create() };
        lock
    }

    fn queues(&self) -> Queues {
        // SAFETY: the memory lives as long as the lock, which `new` has created the queues of.
        unsafe { Queues::of(self.memory.get()) }
    }

    /// Sleeps in `queue` until the lock is open.
    fn sleep_until_open(&self, queue: Queue) {
        while self.open.load(Ordering::Relaxed) == 0 {
            let far = Deadline::after(Duration::from_secs(60));
            let is_closed = || self.open.load(Ordering::Relaxed) == 0;
            self.queues().sleep(queue, Some(far), is_closed, || panic!("never woken"));
        }
        self.woken.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of takers that sleep.
    fn takers(&self) -> Count {
        super::Locked::new(self.queues()).takers()
    }
}

fn wait_until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing has happened");
        thread::yield_now();
    }
}

#[test]
fn a_deadline_passes() {
    let lock = Lock::new();
    for queue in [Queue::Takers, Queue::Droppers] {
        let (start, wanted) = (Instant::now(), Duration::from_millis(30));
        let mut timed_out = false;
        while !timed_out {
            let deadline = Deadline::after(wanted.saturating_sub(start.elapsed()));
            lock.queues().sleep(queue, Some(deadline), || true, || timed_out = true);
        }
        let slept = start.elapsed();
        assert!((wanted..Duration::from_secs(30)).contains(&slept), "{slept:?}");
        assert_eq!(lock.takers(), 0);
    }
}

#[test]
fn a_deadline_that_no_clock_reaches_does_not_pass() {
    let lock = Lock::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let never = Deadline::after(Duration::MAX);
            let is_closed = || lock.open.load(Ordering::Relaxed) == 0;
            lock.queues().sleep(Queue::Takers, Some(never), is_closed, || panic!("it has passed"));
        });
        wait_until(|| lock.takers() == 1);
        thread::sleep(Duration::from_millis(20));
        lock.queues().wake_taker(|_| lock.open.store(1, Ordering::Relaxed));
    });
}

#[test]
fn what_is_not_wanted_does_not_sleep() {
    let lock = Lock::new();
    lock.queues().sleep(Queue::Takers, None, || false, || panic!("it has slept"));
    assert_eq!(lock.takers(), 0);
}

#[test]
fn takers_are_woken_one_by_one() {
    const THREADS: Count = 5;
    let lock = Lock::new();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| lock.sleep_until_open(Queue::Takers));
        }
        wait_until(|| lock.takers() == THREADS);
        for left in (0..THREADS).rev() {
            lock.queues().wake_taker(|more| {
                // From here on, a thread may also wake without a reason and leave.
                let first = lock.open.swap(1, Ordering::Relaxed) == 0;
                assert!(more && left > 0 || !more && !first);
            });
            wait_until(|| lock.takers() <= left);
        }
    });
    assert_eq!(lock.woken.load(Ordering::Relaxed), 5);
    lock.queues().wake_taker(|more| assert!(!more));
}

#[test]
fn droppers_are_woken_together() {
    const THREADS: usize = 5;
    let lock = Lock::new();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| lock.sleep_until_open(Queue::Droppers));
        }
        thread::sleep(Duration::from_millis(50));
        lock.queues().locked(|| lock.open.store(1, Ordering::Relaxed));
        lock.queues().wake_droppers();
    });
    assert_eq!(lock.woken.load(Ordering::Relaxed), THREADS);
    assert_eq!(lock.takers(), 0);
}

#[test]
fn the_queues_are_locked_by_one_thread_at_a_time() {
    let (lock, inside) = (Lock::new(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    lock.queues().locked(|| {
                        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                        assert_eq!(inside.fetch_sub(1, Ordering::Relaxed), 1);
                    });
                }
            });
        }
    });
}

#[test]
fn the_systems_error_number_survives_a_sleep() {
    const NUMBER: u8 = 42;
    let lock = Lock::new();
    SystemError::from(NUMBER).restore();
    let soon = Deadline::after(Duration::from_millis(1));
    lock.queues().sleep(Queue::Takers, Some(soon), || true, || SystemError::from(7).restore());
    assert_eq!(SystemError::last(), SystemError::from(NUMBER));
}

#[test]
fn the_word_and_the_number_of_switches_are_apart_from_the_rest() {
    let lock = Lock::new();
    // SAFETY: the lock lives until the end of the test.
    let (word, switches) = unsafe { (lock.queues().word(), lock.queues().switches()) };
    word.store(usize::MAX, Ordering::Relaxed);
    switches.store(!0, Ordering::Relaxed);
    let soon = Deadline::after(Duration::from_millis(1));
    lock.queues().sleep(Queue::Takers, Some(soon), || true, || ());
    lock.queues().wake_taker(|more| assert!(!more));
    lock.queues().wake_droppers();
    assert_eq!((word.load(Ordering::Relaxed), switches.load(Ordering::Relaxed)), (usize::MAX, !0));
    // SAFETY: the memory is this thread's.
    let memory = unsafe { &*lock.memory.get() };
    assert_eq!((memory.interval, memory.locked, memory.last_holder.is_null()), (0, 0, true));
}
