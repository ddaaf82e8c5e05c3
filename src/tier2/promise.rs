//! Machine code that another thread makes, until it is there.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::explain::Lines;

/// What has become of the code.
pub(crate) enum Made {
    /// With its lines, if a run is explained.
    Code(Vec<u8>, Lines),
    /// There can be none.
    Nothing,
    /// It was not tried: a fork has come first.
    NotTried,
}

/// Where the code will be. The side that makes it has the [`Maker`].
///
/// No lock here is ever held by a thread that a fork loses: see `jit::worker`.
pub(crate) struct Promise(Arc<Shared>);

/// Keeps the promise. Without an answer, it has not tried.
pub(crate) struct Maker(Arc<Shared>);

struct Shared {
    /// `made` has a value. Costs less than the lock.
    is_kept: AtomicBool,
    made: Mutex<Option<Made>>,
    kept: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Option<Made>> {
        // Nothing panics while it holds the lock.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Code that is going to be made.
pub(crate) fn promise() -> (Maker, Promise) {
    let shared =
        Arc::new(Shared { is_kept: AtomicBool::new(false), made: Mutex::new(None), kept: Condvar::new() });
    (Maker(Arc::clone(&shared)), Promise(shared))
}

impl Promise {
    /// What has become of the code, or the promise again if that is open.
    pub(crate) fn ask(self) -> Result<Made, Promise> {
        if !self.0.is_kept.load(Ordering::Acquire) {
            return Err(self);
        }
        let made = self.0.lock().take();
        Ok(made.unwrap_or(Made::NotTried))
    }

    /// Waits until it is kept.
    pub(crate) fn wait(&self) {
        let guard = self.0.lock();
        let is_open = |made: &mut Option<Made>| made.is_none();
        drop(self.0.kept.wait_while(guard, is_open).unwrap_or_else(PoisonError::into_inner));
    }
}

impl Maker {
    /// Whether the code is still of use to the other side.
    pub(crate) fn is_wanted(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Keeps the promise: `None` means that there can be no code.
    pub(crate) fn keep(self, code: Option<(&[u8], Lines)>) {
        self.set(code.map_or(Made::Nothing, |(code, lines)| Made::Code(code.to_vec(), lines)));
    }

    fn set(&self, made: Made) {
        *self.0.lock() = Some(made);
        self.0.is_kept.store(true, Ordering::Release);
        self.0.kept.notify_all();
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        if !self.0.is_kept.load(Ordering::Relaxed) {
            self.set(Made::NotTried);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_thread_keeps_a_promise() {
        let (maker, promise) = promise();
        let Err(promise) = promise.ask() else { panic!("too early") };
        std::thread::scope(|scope| {
            scope.spawn(|| maker.keep(Some((&[0xc3], Lines::default()))));
            promise.wait();
        });
        let Ok(Made::Code(code, _)) = promise.ask() else { panic!("there is code") };
        assert_eq!(code, [0xc3]);
    }

    #[test]
    fn a_maker_that_gives_up_says_so() {
        let (maker, made) = promise();
        drop(maker);
        made.wait();
        assert!(matches!(made.ask(), Ok(Made::NotTried)));
        let (maker, made) = promise();
        maker.keep(None);
        assert!(matches!(made.ask(), Ok(Made::Nothing)));
    }

    #[test]
    fn a_maker_knows_that_it_works_for_nothing() {
        let (maker, promise) = promise();
        assert!(maker.is_wanted());
        drop(promise);
        assert!(!maker.is_wanted());
        maker.keep(Some((&[0xc3], Lines::default())));
    }
}
