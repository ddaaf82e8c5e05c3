//! The two queues of a lock for loom: the same behaviour as `src/breaker/queues.rs`.

use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex, MutexGuard};

use super::gil::Queue;

#[derive(Default)]
pub(crate) struct Queues {
    /// The number of takers that sleep, or have been woken and do not run yet.
    takers: Mutex<usize>,
    bells: [Condvar; 2],
    /// Stands for the lock's memory: read by each unlock of the queues, written when it is freed. loom reports
    /// an unlock that is not ordered before the free.
    memory: UnsafeCell<()>,
}

/// How a sleep ends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Ends {
    /// Another thread wakes it.
    Woken,
    /// A spurious wake-up.
    WithoutReason,
    /// The deadline passes.
    InTime,
}

impl Queues {
    pub(crate) fn sleep(
        &self,
        queue: Queue,
        ends: Ends,
        wanted: impl FnOnce() -> bool,
        timed_out: impl FnOnce(),
    ) {
        let mut locked = self.lock();
        if !wanted() {
            return;
        }
        let counted = usize::from(queue == Queue::Takers);
        *locked.takers() += counted;
        let takers = locked.takers.take().unwrap();
        locked.takers = Some(if ends == Ends::Woken {
            self.bells[queue as usize].wait(takers).unwrap()
        } else {
            drop(takers);
            self.takers.lock().unwrap()
        });
        *locked.takers() -= counted;
        if ends == Ends::InTime {
            timed_out();
        }
    }

    pub(crate) fn wake_taker(&self, action: impl FnOnce(bool)) {
        let mut locked = self.lock();
        let asleep = *locked.takers();
        action(asleep > 1);
        if asleep > 0 {
            self.bells[Queue::Takers as usize].notify_one();
        }
    }

    pub(crate) fn wake_droppers(&self) {
        let _locked = self.lock();
        self.bells[Queue::Droppers as usize].notify_all();
    }

    pub(crate) fn locked<T>(&self, action: impl FnOnce() -> T) -> T {
        let _locked = self.lock();
        action()
    }

    /// The owner of the memory frees it, when no thread uses the queues any more.
    pub(crate) fn free(&self) {
        self.memory.with_mut(|_| ());
    }

    fn lock(&self) -> Locked<'_> {
        Locked { takers: Some(self.takers.lock().unwrap()), queues: self }
    }
}

struct Locked<'a> {
    /// Some, except while the thread sleeps.
    takers: Option<MutexGuard<'a, usize>>,
    queues: &'a Queues,
}

impl Locked<'_> {
    fn takers(&mut self) -> &mut usize {
        self.takers.as_mut().unwrap()
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.queues.memory.with(|_| ());
    }
}
