//! The eval breaker, the GIL, pending calls and signals. Replaces `ceval_gil.o`.
//!
//! - [`word`]: the per-thread word of requests and instrumentation version, and nobody else knows how
//!   it is laid out. Evaluators, instrumentation and this folder use it.
//! - [`gil`]: the lock itself, over atomics and two queues of sleeping threads; no host in it, so that
//!   `model` can try every interleaving.
//! - [`queues`]: those queues, in the host's struct.
//! - [`host_gil`]: the lock in the host's structures, with the host's threads.
//! - [`threads`]: taking and dropping it for a thread state.
//! - [`lifecycle`]: making and ending an interpreter's lock, `fork`, the switch interval.
//! - [`version`]: the version of the instrumentation in interpreter and threads.
//! - [`pending`]: calls that other threads want made; [`signals`]: signals for the main thread.
//! - [`requests`]: asking threads for something; [`handling`]: what a thread does then.
//! - [`remote`]: scripts that another process asks this one to run (PEP 768).
//!
//! Called by C through [`crate::exports`], and by instruction bodies, for which [`crate::seams`] names
//! [`handling::handle`].

pub(crate) mod gil;
pub(crate) mod handling;
pub(crate) mod host_gil;
pub(crate) mod lifecycle;
#[cfg(test)]
mod model;
pub(crate) mod pending;
mod queues;
pub(crate) mod remote;
pub(crate) mod requests;
pub(crate) mod signals;
pub(crate) mod threads;
pub(crate) mod version;
pub(crate) mod word;

/// The atomics of [`gil`], for which its model has others.
mod sync {
    pub(crate) use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
}
