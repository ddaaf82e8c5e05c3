//! Thread-local bytecode: on a free-threaded host, each thread specializes its own copy of the bytecode that it
//! executes.
//!
//! Stands for `index_pool.o` and, of a free-threaded host's `codeobject.o`, for the four functions that
//! `host/replaced-functions.txt` lists. The rest of that object stays the host's: it creates the array of
//! copies with the code object, and frees array and copies with it. Called by the host through
//! [`crate::exports`] (thread states, `sys._clear_internal_caches`), and by [`crate::ops`] and
//! [`crate::interp`], which move frames when RESUME runs or an exception is thrown in. Nothing of it is in a
//! library for a host with a GIL.
//!
//! # Which copy a thread executes
//!
//! A thread has an [index](indices) from its creation to its destruction: the position of its copies in the
//! [arrays](crate::host::copies) of all code objects. Entry 0 is the main copy. The first thread of an
//! interpreter has index 0 and specializes the main copy, so a program without threads copies nothing. With `-X
//! tlbc=0` all threads have index 0, share the main copy, and nothing is specialized.
//!
//! A frame stores the index of the copy that it executes. It starts in the thread's copy, or in the main copy
//! if that does not exist yet; no instruction before RESUME is ever specialized or instrumented. RESUME, which
//! also follows every `yield` and `await`, [moves](frames) a frame whose index differs from the thread's to the
//! thread's copy, at the same offset. If there is no such copy, it is [made](copy).
//!
//! # Why a thread never reads an incomplete or outdated copy
//!
//! - A copy is made under the code object's lock. Code that instruments the code object holds that lock too,
//!   unless the world is stopped. The copy has the same instrumentation as the main copy, and generic
//!   instructions beneath it. From then on [`crate::instrument::writer`] treats all copies alike.
//! - A copy is complete before it is stored into the array with release order. A longer array has all entries
//!   of the old one before it is stored. The old array is freed after every thread has been seen not to read it
//!   (QSBR).
//! - A thread that gets an index which another thread had before finds that thread's copies. Nothing in them
//!   depends on the thread, and all writes to them happened before, because both threads used the lock of the
//!   pool.
//! - Copies under an index that no thread has are [freed](unused) only with the world stopped. Frames that have
//!   outlived their thread (suspended generators, tracebacks) are moved to the main copy first. So the next
//!   thread with that index makes new copies, and no frame points into the old ones.
//!
//! `model` checks this with loom.

pub(crate) mod contents;
#[cfg(py_gil_disabled)]
pub(crate) mod copy;
#[cfg(py_gil_disabled)]
pub(crate) mod frames;
pub(crate) mod indices;
#[cfg(test)]
mod model;
#[cfg(py_gil_disabled)]
pub(crate) mod pool;
#[cfg(py_gil_disabled)]
pub(crate) mod unused;

#[cfg(py_gil_disabled)]
/// There was not enough memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoMemory;
