//! The two queues of a lock for loom: the same behaviour as `src/breaker/queues.rs`.

use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex, MutexGuard};

use super::gil::Queue;

#[derive(Default)]
pub(crate) struct Queues {
    /// The number of threads in each queue that sleep, or have been woken and do not run yet.
    asleep: Mutex<[usize; 2]>,
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
        *locked.asleep(queue) += 1;
        let asleep = locked.asleep.take().unwrap();
        locked.asleep = Some(if ends == Ends::Woken {
            self.bells[queue as usize].wait(asleep).unwrap()
        } else {
            drop(asleep);
            self.asleep.lock().unwrap()
        });
        *locked.asleep(queue) -= 1;
        if ends == Ends::InTime {
            timed_out();
        }
    }

    pub(crate) fn wake_one(&self, queue: Queue, action: impl FnOnce(bool)) {
        let mut locked = self.lock();
        let asleep = *locked.asleep(queue);
        action(asleep > 1);
        if asleep > 0 {
            self.bells[queue as usize].notify_one();
        }
    }

    pub(crate) fn wake_all(&self, queue: Queue) {
        let _locked = self.lock();
        self.bells[queue as usize].notify_all();
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
        Locked { asleep: Some(self.asleep.lock().unwrap()), queues: self }
    }
}

struct Locked<'a> {
    /// Some, except while the thread sleeps.
    asleep: Option<MutexGuard<'a, [usize; 2]>>,
    queues: &'a Queues,
}

impl Locked<'_> {
    fn asleep(&mut self, queue: Queue) -> &mut usize {
        &mut self.asleep.as_mut().unwrap()[queue as usize]
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.queues.memory.with(|_| ());
    }
}
