//! The eval breaker, the GIL, pending calls and signals. Stands for `ceval_gil.o`.
//!
//! - [`word`]: the word of each thread that holds requests and the version of the instrumentation. The only
//!   module that knows its layout.
//! - [`gil`]: the lock, built on atomics and two queues of sleeping threads. It does not depend on the host, so
//!   that `model` can try every interleaving.
//! - [`queues`]: these queues, in the host's struct. [`system_error`]: the error number that waiting preserves.
//! - [`host_gil`]: the lock in the host's structures, with the host's threads.
//! - [`threads`]: taking and dropping the lock for a thread state.
//! - [`lifecycle`]: creating and destroying an interpreter's lock, `fork`, the switch interval.
//! - [`version`]: the version of the instrumentation in interpreters and threads.
//! - [`pending`]: calls that other threads have scheduled; [`signals`]: signals for the main thread.
//! - [`requests`]: sending requests to threads; [`handling`]: handling them.
//! - [`remote`]: scripts that another process asks this one to run (PEP 768).
//!
//! Called by [`crate::exports`], by [`crate::ops`] ([`word`]; [`handling::handle`] through [`crate::seams`]),
//! and by [`crate::instrument`] ([`version`], [`word`]).

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
mod system_error;
pub(crate) mod threads;
pub(crate) mod version;
pub(crate) mod word;

/// The atomics of [`gil`]. The model replaces them by loom's.
mod sync {
    pub(crate) use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

    /// A number of switches of the lock to another thread, which wraps around.
    #[cfg(not(windows))]
    pub(crate) type Switches = usize;
    #[cfg(not(windows))]
    pub(crate) use AtomicUsize as AtomicSwitches;

    /// There is not room for more in the host's struct, see [`super::queues`].
    #[cfg(windows)]
    pub(crate) type Switches = u16;
    #[cfg(windows)]
    pub(crate) use core::sync::atomic::AtomicU16 as AtomicSwitches;
}
