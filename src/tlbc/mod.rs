//! Thread-local bytecode: in a free-threaded host each thread specializes a copy of its own of the bytecode that
//! it runs.
//!
//! Replaces `index_pool.o`, and of a free-threaded host's `codeobject.o` the four functions that are named in
//! `host/replaced-functions.txt`; the rest of that object, which makes the array of copies with the code object
//! and frees all of them with it, stays. Called by the host (thread states, `sys._clear_internal_caches`) and,
//! through [`crate::seams`], by RESUME. Nothing of it is in a library for a host with a GIL.
//!
//! # Who runs what
//!
//! A thread has an [index](indices) from its creation to its destruction: the place of its copies in the
//! [arrays](crate::host::copies) of all code objects. Entry 0 is the main copy. The first thread of an
//! interpreter has index 0 and specializes the main copy, so a program without threads copies nothing. With
//! `-X tlbc=0` all threads have index 0, share the main copy, and nothing is specialized.
//!
//! A frame knows the index of the copy that it runs. It starts in the thread's copy, or in the main one if that
//! does not exist yet; nothing before RESUME is ever specialized or instrumented. RESUME, which also follows
//! every `yield` and `await`, [moves](frames) a frame whose index is not the thread's to the thread's copy, at
//! the same offset, and has it [made](copy) if need be.
//!
//! # Why no copy is ever read that is not what it should be
//!
//! - A copy is made under the code object's lock, which whoever instruments the code object holds as well
//!   (unless the world is stopped): it is instrumented as the main copy, and generic beneath that. Thereafter
//!   [`crate::instrument::writer`] treats all copies alike.
//! - It is complete before it is stored into the array with release order. A longer array has all of the old
//!   one's entries before it is stored; the old one is freed when every thread has been seen not to read it
//!   (QSBR).
//! - A thread that gets an index which another one had before finds that one's copies: nothing in them is of a
//!   thread, and what was written to them happened before, by way of the lock of the pool.
//! - Copies under an index that no thread has are [freed](unused) only with the world stopped, and frames that
//!   have outlived their thread (suspended generators, tracebacks) are moved to the main copy first. So whoever
//!   gets the index next makes copies anew, and no frame points into the old ones.
//!
//! `model` has loom go through the interleavings of this.

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
