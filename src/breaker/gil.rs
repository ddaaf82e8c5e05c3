//! The logic of the lock: which thread holds it, and how it is taken, requested and dropped. Independent of the
//! host; `model` runs the same code under loom.
//!
//! One word has the whole state: the holder's id, or zero if the lock is free, plus two flags. [`PARKED`]:
//! there may be threads in the queue of takers. [`SWITCHING`]: a thread that was asked to drop the lock has
//! done so and sleeps until another thread has taken it. Without contention, taking and dropping are one
//! compare-and-swap each.
//!
//! The rule that keeps holders alive: the queues are locked while they change and while the callbacks of
//! [`World`] run, and a holder that sees [`PARKED`] drops the lock only under the lock of the queues. So a
//! thread that has locked the queues and finds a holder and [`PARKED`] in the word may access the holder's
//! state.
//!
//! The rule that keeps the lock alive: a thread that drops it for the last time always locks the queues, after
//! all threads that have dropped it before. So when the last thread has done so, the lock's memory may be
//! freed.

use core::num::NonZeroUsize;

use super::sync::{AtomicI32, AtomicSwitches, AtomicUsize, Ordering, Switches};

const FREE: usize = 0;
const PARKED: usize = 1;
const SWITCHING: usize = 2;
const FLAGS: usize = PARKED | SWITCHING;

/// The alignment of ids, which leaves the low bits to the flags.
pub(crate) const HOLDER_ALIGNMENT: usize = FLAGS + 1;

/// A thread that holds or wants the lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Holder(NonZeroUsize);

impl Holder {
    /// The thread with this id, a multiple of [`HOLDER_ALIGNMENT`]; None if it is zero.
    #[inline(always)]
    pub(crate) fn new(id: usize) -> Option<Holder> {
        debug_assert!(id & FLAGS == 0);
        NonZeroUsize::new(id).map(Holder)
    }

    #[inline(always)]
    pub(crate) fn id(self) -> usize {
        self.0.get()
    }

    /// The holder in a value of the lock's word.
    #[inline(always)]
    fn in_word(word: usize) -> Option<Holder> {
        NonZeroUsize::new(word & !FLAGS).map(Holder)
    }
}

/// The two queues of a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Queue {
    /// Threads that want to take the lock.
    Takers,
    /// Threads that have dropped the lock on request and wait until another thread has taken it.
    Droppers,
}

/// What the lock needs from its environment.
///
/// The methods that take closures run them while the queues are locked. Closures are short and never call back
/// into the queues.
pub(crate) trait World {
    /// A point in time.
    type Deadline: Copy;

    /// The end of a switch interval that starts now.
    fn one_interval_from_now(&self) -> Self::Deadline;
    /// Sleeps in `queue` if `wanted` returns true, until woken; may also wake spuriously. If `deadline` passes
    /// first, runs `timed_out`.
    fn sleep(
        &self,
        queue: Queue,
        deadline: Option<Self::Deadline>,
        wanted: impl FnOnce() -> bool,
        timed_out: impl FnOnce(),
    );
    /// Wakes one taker. First runs `action`, with whether more takers may be in their queue.
    fn wake_taker(&self, action: impl FnOnce(bool));
    /// Wakes all droppers.
    fn wake_droppers(&self);
    /// Runs `action` while the queues are locked.
    #[cfg_attr(py_gil_disabled, allow(dead_code))]
    fn with_queues<T>(&self, action: impl FnOnce() -> T) -> T;

    /// Sets the request to drop the lock in `thread`, which is alive; clears it unless `wanted`.
    fn request_drop(&self, thread: Holder, wanted: bool);
    /// Whether `thread`, which is alive, has the request to drop the lock.
    fn is_drop_requested(&self, thread: Holder) -> bool;
    /// Whether the interpreter is being finalized and `thread`, which is alive, must not continue.
    fn must_exit(&self, thread: Holder) -> bool;
}

/// The interpreter is being finalized; the thread cannot take the lock any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MustExit;

/// The lock is not held, so it cannot be dropped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotLocked;

/// How long a taker waits before it requests the lock.
#[derive(Clone, Copy)]
struct Patience<D> {
    /// The number of switches when the thread began to wait.
    switches: Switches,
    ends: D,
}

/// A lock. Its parts are in memory that the host allocates and that debuggers may read.
#[derive(Clone, Copy)]
pub(crate) struct Gil<'a, W> {
    pub(crate) word: &'a AtomicUsize,
    /// The thread that holds the lock, or held it last.
    pub(crate) last_holder: &'a AtomicUsize,
    /// Number of times the lock passed to another thread. Changed by the holder only.
    pub(crate) switches: &'a AtomicSwitches,
    /// Whether the lock is held. For debuggers.
    pub(crate) locked: &'a AtomicI32,
    pub(crate) world: W,
}

impl<W: World> Gil<'_, W> {
    /// Takes the lock for the calling thread; waits until it is available.
    #[inline]
    pub(crate) fn take(&self, me: Holder) -> Result<(), MustExit> {
        let uncontended = self.replace(FREE, me.id(), Ordering::Acquire);
        let switching = if uncontended { false } else { self.take_contended(me)? };
        self.locked.store(1, Ordering::Relaxed);
        if self.last_holder.load(Ordering::Relaxed) != me.id() {
            self.last_holder.store(me.id(), Ordering::Relaxed);
            self.switches.store(self.switches.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
        if switching {
            self.world.wake_droppers();
        }
        Ok(())
    }

    /// Takes the lock. Returns whether a thread sleeps until the switch.
    #[cold]
    #[inline(never)]
    fn take_contended(&self, me: Holder) -> Result<bool, MustExit> {
        let mut requested = false;
        // A spurious wake-up does not extend the interval, however often it happens.
        let mut waiting: Option<Patience<W::Deadline>> = None;
        loop {
            let word = self.word.load(Ordering::Relaxed);
            if Holder::in_word(word).is_none() {
                if self.replace(word, me.id() | word & PARKED, Ordering::Acquire) {
                    return Ok(word & SWITCHING != 0);
                }
                continue;
            }
            if word & PARKED == 0 && !self.replace(word, word | PARKED, Ordering::Relaxed) {
                continue;
            }
            let switches = self.switches.load(Ordering::Relaxed);
            let patience = match waiting {
                Some(patience) if patience.switches == switches => patience,
                _ => Patience { switches, ends: self.world.one_interval_from_now() },
            };
            waiting = Some(patience);
            let mut exit = false;
            self.world.sleep(
                Queue::Takers,
                Some(patience.ends),
                || self.holder_within_reach().is_ok_and(|holder| holder.is_some()),
                || {
                    waiting = None;
                    // The lock was not switched for a whole interval: request it.
                    let Ok(Some(holder)) = self.holder_within_reach() else { return };
                    if self.switches.load(Ordering::Relaxed) != switches {
                        return;
                    }
                    exit = self.world.must_exit(me);
                    if !exit {
                        self.world.request_drop(holder, true);
                    } else if requested {
                        // Otherwise the holder would wait for a switch that this thread will not make.
                        self.world.request_drop(holder, false);
                    }
                    requested = true;
                },
            );
            if exit {
                return Err(MustExit);
            }
        }
    }

    /// Drops the lock. If another thread has requested it, waits until a thread has taken it. Without that
    /// wait, this thread, on a core of its own, could drop and retake the lock for ever while the waiting
    /// threads wake up.
    ///
    /// The holder is `me` even if the lock was taken in the name of another thread state.
    #[inline]
    pub(crate) fn drop_by(&self, me: Holder) -> Result<(), NotLocked> {
        self.check_held()?;
        self.last_holder.store(me.id(), Ordering::Relaxed);
        if self.release(me) {
            self.await_switch(me);
        }
        Ok(())
    }

    /// Drops the lock without naming the calling thread, whose state may be freed already and which will not
    /// take the lock again.
    pub(crate) fn drop_finally(&self) -> Result<(), NotLocked> {
        self.check_held()?;
        self.locked.store(0, Ordering::Relaxed);
        self.release_contended(None);
        Ok(())
    }

    /// Runs `action` with the holder of the lock, if there is one; it stays the holder meanwhile. If there is
    /// none, the next thread that takes the lock sees what the calling thread has written before.
    #[cfg_attr(py_gil_disabled, allow(dead_code))]
    pub(crate) fn with_holder(&self, action: impl Fn(Holder)) {
        loop {
            // Not a load: a read-modify-write is ordered either before or after the next taker's change of the
            // word.
            let word = self.word.fetch_or(0, Ordering::AcqRel);
            if Holder::in_word(word).is_none() {
                return;
            }
            if word & PARKED == 0 && !self.replace(word, word | PARKED, Ordering::Relaxed) {
                continue;
            }
            let done = self.world.with_queues(|| {
                let holder = self.holder_within_reach()?;
                holder.into_iter().for_each(&action);
                Ok::<(), OutOfReach>(())
            });
            if done.is_ok() {
                return;
            }
        }
    }

    #[inline]
    fn check_held(&self) -> Result<(), NotLocked> {
        Holder::in_word(self.word.load(Ordering::Relaxed)).map(|_| ()).ok_or(NotLocked)
    }

    /// Frees the lock and wakes a taker. Returns whether `me` was requested to drop it.
    #[inline]
    fn release(&self, me: Holder) -> bool {
        self.locked.store(0, Ordering::Relaxed);
        let word = self.word.load(Ordering::Relaxed);
        // Requests come from threads in the queue, and then PARKED is set.
        if word & PARKED == 0 && self.replace(word, FREE, Ordering::Release) {
            return false;
        }
        self.release_contended(Some(me))
    }

    /// Frees the lock under the lock of the queues and wakes a taker. Returns whether `me` was requested to
    /// drop it.
    #[cold]
    #[inline(never)]
    fn release_contended(&self, me: Option<Holder>) -> bool {
        let mut requested = false;
        self.world.wake_taker(|more| {
            requested = me.is_some_and(|me| self.world.is_drop_requested(me));
            let parked = if more { PARKED } else { 0 };
            let switching = if requested { SWITCHING } else { 0 };
            // A swap: like every later change of the word it is a read-modify-write, so each change follows the
            // one before it.
            self.word.swap(FREE | parked | switching, Ordering::AcqRel);
        });
        requested
    }

    /// Clears the request and sleeps until another thread has taken the lock.
    #[cold]
    #[inline(never)]
    fn await_switch(&self, me: Holder) {
        self.world.request_drop(me, false);
        let waiting = || self.last_holder.load(Ordering::Relaxed) == me.id();
        while waiting() {
            self.world.sleep(Queue::Droppers, None, waiting, || ());
        }
    }

    /// The holder, if there is one. The caller has locked the queues.
    fn holder_within_reach(&self) -> Result<Option<Holder>, OutOfReach> {
        let word = self.word.load(Ordering::Relaxed);
        match Holder::in_word(word) {
            Some(_) if word & PARKED == 0 => Err(OutOfReach),
            holder => Ok(holder),
        }
    }

    /// Changes the word from `old` to `new`; false if it had another value.
    #[inline(always)]
    fn replace(&self, old: usize, new: usize, success: Ordering) -> bool {
        self.word.compare_exchange(old, new, success, Ordering::Relaxed).is_ok()
    }
}

/// There is a holder that may drop the lock without locking the queues, so its state must not be accessed.
struct OutOfReach;
