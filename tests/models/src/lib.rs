//! Models of reval's parts that threads share.

#[path = "../../../src/breaker/gil.rs"]
pub mod gil;

#[cfg(test)]
mod lock;
#[cfg(test)]
mod queues;

/// What stands for the machine's atomics in the parts.
mod sync {
    pub use loom::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
}
