//! The lock: who holds it, how it is taken, asked for and dropped.
//!
//! One word says everything: the holder's id, or zero; [`PARKED`], there may be threads in the queue of
//! takers; [`SWITCHING`], a thread that was asked to drop the lock has done so and sleeps until another
//! one has it. Without contention, taking and dropping are one compare-and-swap each.
//!
//! The rule that keeps holders alive: the queues are locked while they are changed and while the callbacks
//! of [`World`] run, and a holder that sees [`PARKED`] leaves only through the queues. So whoever finds a
//! holder and [`PARKED`] in the word, with the queues locked, may touch the holder's state.
//!
//! The rule that keeps the lock alive: who drops it for the last time always goes through the queues, after
//! all that have dropped it before. So when the last thread has done so, its memory may go.

use core::num::NonZeroUsize;

use super::sync::{AtomicI32, AtomicUsize, Ordering};

const FREE: usize = 0;
const PARKED: usize = 1;
const SWITCHING: usize = 2;
const FLAGS: usize = PARKED | SWITCHING;

/// How ids must be aligned, to leave room for the flags.
pub(crate) const HOLDER_ALIGNMENT: usize = FLAGS + 1;

/// A thread that holds or wants the lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Holder(NonZeroUsize);

impl Holder {
    /// None if `id` is zero. It is a multiple of [`HOLDER_ALIGNMENT`].
    #[inline(always)]
    pub(crate) fn new(id: usize) -> Option<Holder> {
        debug_assert!(id & FLAGS == 0);
        NonZeroUsize::new(id).map(Holder)
    }

    #[inline(always)]
    pub(crate) fn id(self) -> usize {
        self.0.get()
    }

    #[inline(always)]
    fn in_word(word: usize) -> Option<Holder> {
        NonZeroUsize::new(word & !FLAGS).map(Holder)
    }
}

/// The two queues of a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Queue {
    /// Threads that want the lock.
    Takers,
    /// Threads that have dropped it on request and wait until another one has it.
    Droppers,
}

/// What the lock needs of the world around it.
///
/// The methods that take closures run them while the queues are locked: they are short, and call nothing
/// that could come back here.
pub(crate) trait World {
    /// A moment to come.
    type Deadline: Copy;

    /// The end of a switch interval that begins now.
    fn one_interval_from_now(&self) -> Self::Deadline;
    /// Sleeps in `queue` if `wanted` says so, until woken. May wake for no reason. If the deadline, if
    /// there is one, comes first, runs `timed_out`.
    fn sleep(
        &self,
        queue: Queue,
        deadline: Option<Self::Deadline>,
        wanted: impl FnOnce() -> bool,
        timed_out: impl FnOnce(),
    );
    /// Wakes a thread in `queue`, after running `action` with whether there may be more of them.
    fn wake_one(&self, queue: Queue, action: impl FnOnce(bool));
    /// Wakes every thread in `queue`.
    fn wake_all(&self, queue: Queue);
    /// Runs `action` while the queues are locked.
    #[cfg_attr(py_gil_disabled, allow(dead_code))]
    fn with_queues<T>(&self, action: impl FnOnce() -> T) -> T;

    /// Asks `thread`, which is alive, to drop the lock; no more if not `wanted`.
    fn request_drop(&self, thread: Holder, wanted: bool);
    /// Whether `thread`, which is alive, is asked to drop the lock.
    fn is_drop_requested(&self, thread: Holder) -> bool;
    /// Whether the program is ending and `thread`, which is alive, must not go on.
    fn must_exit(&self, thread: Holder) -> bool;
}

/// The program is ending, and the thread cannot have the lock any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MustExit;

/// The lock is not held, so nobody can drop it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotLocked;

/// For how long a taker waits before it asks.
#[derive(Clone, Copy)]
struct Patience<D> {
    /// How often the lock had been switched when it began to wait.
    switches: usize,
    ends: D,
}

/// A lock, whose parts lie in memory that the host allocates and lets debuggers read.
#[derive(Clone, Copy)]
pub(crate) struct Gil<'a, W> {
    pub(crate) word: &'a AtomicUsize,
    /// The thread that had the lock last, or has it.
    pub(crate) last_holder: &'a AtomicUsize,
    /// How often another thread got the lock than had it last. Changed by the holder.
    pub(crate) switches: &'a AtomicUsize,
    /// Whether it is held, for debuggers.
    pub(crate) locked: &'a AtomicI32,
    pub(crate) world: W,
}

impl<W: World> Gil<'_, W> {
    /// Takes the lock for the calling thread, waiting until it can be had.
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
            self.world.wake_all(Queue::Droppers);
        }
        Ok(())
    }

    /// Takes the lock and says whether a thread waits to see that.
    #[cold]
    #[inline(never)]
    fn take_contended(&self, me: Holder) -> Result<bool, MustExit> {
        let mut requested = false;
        // Waking for no reason does not make the interval longer, however often it happens.
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
                    // Nobody gave the lock to anybody for a whole interval: time to ask.
                    let Ok(Some(holder)) = self.holder_within_reach() else { return };
                    if self.switches.load(Ordering::Relaxed) != switches {
                        return;
                    }
                    exit = self.world.must_exit(me);
                    if !exit {
                        self.world.request_drop(holder, true);
                    } else if requested {
                        // The holder would wait for a switch that this thread does not make.
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

    /// Drops the lock. If the calling thread was asked to, waits until another thread has it, so that
    /// a thread on another core cannot drop and take it forever while those that wait wake up.
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

    /// Drops the lock in the name of no thread: the calling one, which may be gone as far as the host
    /// is concerned, will not take it again.
    pub(crate) fn drop_finally(&self) -> Result<(), NotLocked> {
        self.check_held()?;
        self.locked.store(0, Ordering::Relaxed);
        self.release_contended(None);
        Ok(())
    }

    /// Runs `action` with the holder of the lock, if there is one; it stays the holder meanwhile. If there
    /// is none, whoever takes the lock next sees what the calling thread has written before.
    #[cfg_attr(py_gil_disabled, allow(dead_code))]
    pub(crate) fn with_holder(&self, action: impl Fn(Holder)) {
        loop {
            // Not a load: this comes before the next taker's change of the word, or after it.
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

    /// Makes the lock free, wakes a taker, and says whether `me` was asked to drop it.
    #[inline]
    fn release(&self, me: Holder) -> bool {
        self.locked.store(0, Ordering::Relaxed);
        let word = self.word.load(Ordering::Relaxed);
        // Requests are made by threads in the queue, and then PARKED is set.
        if word & PARKED == 0 && self.replace(word, FREE, Ordering::Release) {
            return false;
        }
        self.release_contended(Some(me))
    }

    #[cold]
    #[inline(never)]
    fn release_contended(&self, me: Option<Holder>) -> bool {
        let mut requested = false;
        self.world.wake_one(Queue::Takers, |more| {
            requested = me.is_some_and(|me| self.world.is_drop_requested(me));
            let parked = if more { PARKED } else { 0 };
            let switching = if requested { SWITCHING } else { 0 };
            // A swap, as every change of the word after the first: so each follows the one before it.
            self.word.swap(FREE | parked | switching, Ordering::AcqRel);
        });
        requested
    }

    #[cold]
    #[inline(never)]
    fn await_switch(&self, me: Holder) {
        self.world.request_drop(me, false);
        let waiting = || self.last_holder.load(Ordering::Relaxed) == me.id();
        while waiting() {
            self.world.sleep(Queue::Droppers, None, waiting, || ());
        }
    }

    /// The holder, if there is one. Called with the queues locked.
    fn holder_within_reach(&self) -> Result<Option<Holder>, OutOfReach> {
        let word = self.word.load(Ordering::Relaxed);
        match Holder::in_word(word) {
            Some(_) if word & PARKED == 0 => Err(OutOfReach),
            holder => Ok(holder),
        }
    }

    #[inline(always)]
    fn replace(&self, old: usize, new: usize, success: Ordering) -> bool {
        self.word.compare_exchange(old, new, success, Ordering::Relaxed).is_ok()
    }
}

/// There is a holder that may leave without looking at the queues, so it must not be touched.
struct OutOfReach;
