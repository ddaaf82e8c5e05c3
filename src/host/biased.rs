//! Reference counts of free-threaded hosts. Source: `refcount.h`, `pycore_object.h`, PEP 703.
//!
//! An object has two counts. The thread that owns it (most often the one that made it) has one of its own,
//! without atomics; all others share the second, whose low bits are flags. An object is over when both
//! are zero, which only the owner can find out; without an owner there is only the shared count left.

use core::sync::atomic::{AtomicIsize, AtomicU32, AtomicUsize, Ordering};

use super::ffi::{self, PyObject};

/// A reference in the shared count.
const SHARED_ONE: isize = 1 << ffi::_Py_REF_SHARED_SHIFT;
/// The shared count of an object that is over, or about to be.
const MERGED_ZERO: isize = ffi::_Py_REF_MERGED as isize;

/// The thread that owns the object (`ob_tid`).
#[inline(always)]
unsafe fn owner<'a>(object: *mut PyObject) -> &'a AtomicUsize {
    // SAFETY: the callers' promise: the object is live, or its memory is kept for readers.
    unsafe { AtomicUsize::from_ptr(&raw mut (*object).ob_tid) }
}

/// The owner's count.
#[inline(always)]
unsafe fn local<'a>(object: *mut PyObject) -> &'a AtomicU32 {
    // SAFETY: as for `owner`.
    unsafe { AtomicU32::from_ptr(&raw mut (*object).ob_ref_local) }
}

/// Everybody else's count.
#[inline(always)]
unsafe fn shared<'a>(object: *mut PyObject) -> &'a AtomicIsize {
    // SAFETY: as for `owner`.
    unsafe { AtomicIsize::from_ptr(&raw mut (*object).ob_ref_shared) }
}

/// Whether threads can be told apart here, or the host must do it.
const KNOWS_THREADS: bool =
    cfg!(all(any(target_arch = "x86_64", target_arch = "aarch64"), target_os = "linux"));

/// What the host identifies the calling thread by (`_Py_ThreadId`); means nothing unless [`KNOWS_THREADS`].
#[inline(always)]
fn thread_id() -> usize {
    let id: usize;
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    // SAFETY: the first word of a thread's control block is its own address, and never changes.
    unsafe {
        core::arch::asm!("mov {}, fs:[0]", out(reg) id, options(pure, nomem, nostack, preserves_flags));
    }
    #[cfg(all(target_arch = "aarch64", target_os = "linux"))]
    // SAFETY: reads a register.
    unsafe {
        core::arch::asm!("mrs {}, tpidr_el0", out(reg) id, options(pure, nomem, nostack, preserves_flags));
    }
    #[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), target_os = "linux")))]
    {
        id = 0;
    }
    id
}

/// Whether the calling thread owns the object (`_Py_IsOwnedByCurrentThread`). Never on machines where
/// threads cannot be told apart, so callers take no for "perhaps not".
///
/// # Safety
/// `object` is live, or its memory is kept for readers.
#[inline(always)]
pub(crate) unsafe fn is_own(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    KNOWS_THREADS && thread_id() == unsafe { owner(object) }.load(Ordering::Relaxed)
}

/// Whether the object is never freed (`_Py_IsImmortal`).
///
/// # Safety
/// As for [`is_own`].
#[inline(always)]
pub(crate) unsafe fn is_immortal(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { local(object).load(Ordering::Relaxed) == ffi::_Py_IMMORTAL_REFCNT_LOCAL }
}

/// Whether the caller has the only reference there is, and nobody can make another one meanwhile
/// (`_PyObject_IsUniquelyReferenced`). A shared count of zero, flags included, keeps those off who have
/// read the object's address where it was before: they may only take a reference where there are some.
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn is_unique(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        if !KNOWS_THREADS {
            return ffi::PyUnstable_Object_IsUniquelyReferenced(object) != 0;
        }
        is_own(object)
            && local(object).load(Ordering::Relaxed) == 1
            && shared(object).load(Ordering::Relaxed) == 0
    }
}

/// Whether the last reference is gone, and nobody has been told.
///
/// # Safety
/// [`decrement`] has just said that there is more to do.
#[inline(always)]
pub(crate) unsafe fn is_over(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise: if this thread owns the object, its own count is zero now.
    unsafe { is_own(object) && shared(object).load(Ordering::Acquire) == 0 }
}

/// Makes one reference, the caller's, the only one of a new object that has kept its type and its place in
/// memory (`_Py_NewReference`).
///
/// # Safety
/// Nobody else knows the object.
#[inline(always)]
pub(crate) unsafe fn set_first(object: *mut PyObject) {
    // SAFETY: the caller's promise. Who has read the address before the object was freed may still look at
    // the counts.
    unsafe {
        if !KNOWS_THREADS {
            return ffi::_Py_NewReference(object);
        }
        (*object).ob_flags = 0;
        (*object).ob_mutex._bits = 0;
        (*object).ob_gc_bits = 0;
        owner(object).store(thread_id(), Ordering::Relaxed);
        local(object).store(1, Ordering::Relaxed);
        shared(object).store(0, Ordering::Relaxed);
    }
}

/// One reference more, without atomics. No, if that cannot be done: the object is another thread's
/// (`_Py_TryIncrefFast`).
#[inline(always)]
unsafe fn increment_own(object: *mut PyObject) -> bool {
    // SAFETY: as for `is_own`.
    unsafe {
        let count = local(object).load(Ordering::Relaxed);
        if count == ffi::_Py_IMMORTAL_REFCNT_LOCAL {
            return true;
        }
        let own = is_own(object);
        if own {
            local(object).store(count + 1, Ordering::Relaxed);
        }
        own
    }
}

/// One reference more (`Py_INCREF`).
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn increment(object: *mut PyObject) {
    // SAFETY: the caller's promise.
    unsafe {
        if !KNOWS_THREADS {
            ffi::_Py_IncRef(object);
        } else if !increment_own(object) {
            shared(object).fetch_add(SHARED_ONE, Ordering::Relaxed);
        }
    }
}

/// One reference more to an object that may be over already; no if it is, or if it cannot be told
/// (`_Py_TryIncref`). The caller then has to make sure that it got what it wanted.
///
/// # Safety
/// The object's memory is kept for readers, of whom the caller is one.
#[inline(always)]
pub(crate) unsafe fn try_increment(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        if !KNOWS_THREADS {
            return ffi::PyUnstable_TryIncRef(object) != 0;
        }
        increment_own(object) || try_increment_shared(object)
    }
}

/// The part of [`try_increment`] for objects of other threads (`_Py_TryIncRefShared`).
#[inline(always)]
unsafe fn try_increment_shared(object: *mut PyObject) -> bool {
    // SAFETY: as for `try_increment`.
    let shared = unsafe { shared(object) };
    let more = |count| (count != 0 && count != MERGED_ZERO).then_some(count + SHARED_ONE);
    shared.fetch_update(Ordering::SeqCst, Ordering::Relaxed, more).is_ok()
}

/// One reference less. True if there is more to do, by [`finish`]: the owner has given up its last
/// reference, or the object is another thread's, and nothing has been done yet.
///
/// # Safety
/// The caller owns a reference and gives it up.
#[inline(always)]
pub(crate) unsafe fn decrement(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let count = local(object).load(Ordering::Relaxed);
        if count == ffi::_Py_IMMORTAL_REFCNT_LOCAL {
            return false;
        }
        if !is_own(object) {
            return true;
        }
        local(object).store(count - 1, Ordering::Relaxed);
        count == 1
    }
}

/// Does what [`decrement`] has left to do, except for an object that [is over](is_over).
///
/// # Safety
/// [`decrement`] has just said so; the thread is attached and its frames published.
pub(crate) unsafe fn finish(object: *mut PyObject) {
    // SAFETY: the caller's promise.
    unsafe {
        if !KNOWS_THREADS {
            ffi::_Py_DecRef(object);
        } else if is_own(object) {
            ffi::_Py_MergeZeroLocalRefcount(object);
        } else {
            ffi::_Py_DecRefShared(object);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object that only exists to be counted.
    fn object() -> PyObject {
        // SAFETY: integers and a pointer, for which zero is a value.
        let mut object: PyObject = unsafe { core::mem::zeroed() };
        // SAFETY: it is ours.
        unsafe { set_first(&raw mut object) };
        object
    }

    #[test]
    fn the_owner_counts_for_itself() {
        let mut object = object();
        let object = &raw mut object;
        // SAFETY: the object outlives the test.
        unsafe {
            assert!(is_own(object) && is_unique(object));
            increment(object);
            assert!(!is_unique(object));
            assert_eq!(((*object).ob_ref_local, (*object).ob_ref_shared), (2, 0));
            assert!(!decrement(object) && is_unique(object));
            assert!(decrement(object) && is_over(object));
        }
    }

    #[test]
    fn other_threads_share_a_count() {
        let mut object = object();
        let address = &raw mut object as usize;
        let is_refused = std::thread::spawn(move || {
            let object = address as *mut PyObject;
            // SAFETY: the object outlives the thread.
            unsafe {
                assert!(!is_own(object) && !is_unique(object));
                // Nobody has shared it, so it might be over.
                assert!(!try_increment(object));
                increment(object);
                assert!(try_increment(object));
                // To be given back to the owner, or to the shared count.
                decrement(object) && !is_over(object)
            }
        });
        assert!(is_refused.join().expect("the thread's assertions hold"));
        assert_eq!((object.ob_ref_local, object.ob_ref_shared), (1, 2 * SHARED_ONE));
        let object = &raw mut object;
        // SAFETY: the object outlives the test.
        unsafe {
            assert!(!is_unique(object));
            assert!(decrement(object) && !is_over(object));
        }
    }

    #[test]
    fn nobody_takes_a_reference_to_what_is_over() {
        let mut object = object();
        (object.ob_tid, object.ob_ref_local) = (0, 0);
        for (shared, taken) in [(0, false), (MERGED_ZERO, false), (1, true), (MERGED_ZERO + SHARED_ONE, true)]
        {
            object.ob_ref_shared = shared;
            // SAFETY: the object is ours.
            assert_eq!(unsafe { try_increment(&raw mut object) }, taken, "{shared}");
            assert_eq!(object.ob_ref_shared, if taken { shared + SHARED_ONE } else { shared });
        }
    }

    #[test]
    fn immortals_are_not_counted() {
        let mut object = object();
        object.ob_ref_local = ffi::_Py_IMMORTAL_REFCNT_LOCAL;
        let object = &raw mut object;
        // SAFETY: the object outlives the test.
        unsafe {
            increment(object);
            assert!(try_increment(object) && !decrement(object) && is_immortal(object) && !is_unique(object));
            assert_eq!((*object).ob_ref_shared, 0);
        }
    }
}
