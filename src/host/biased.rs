//! Reference counts of free-threaded hosts (biased reference counting). Source: `refcount.h`,
//! `pycore_object.h`, PEP 703.
//!
//! An object has two counts. The thread that owns it, usually the one that created it, updates its own count
//! without atomic read-modify-write operations. All other threads update the shared count, whose low bits are
//! flags. An object is dead when both counts are zero, which only the owner can detect. Once an object has no
//! owner, only the shared count is left.
//!
//! "Memory kept for readers" means that the host does not reuse a freed block while a thread may still read it.

use core::sync::atomic::{AtomicIsize, AtomicU32, AtomicUsize, Ordering};

use super::ffi::{self, PyObject};

/// One reference in the shared count.
const SHARED_ONE: isize = 1 << ffi::_Py_REF_SHARED_SHIFT;
/// The shared count of a merged object without references: it is dead or is being freed.
const MERGED_ZERO: isize = ffi::_Py_REF_MERGED as isize;

/// The identifier of the thread that owns the object (`ob_tid`).
///
/// # Safety
/// `object` is live, or its memory is kept for readers, while the result is used.
#[inline(always)]
unsafe fn owner<'a>(object: *mut PyObject) -> &'a AtomicUsize {
    // SAFETY: the memory is readable (caller), and every thread accesses the field atomically.
    unsafe { AtomicUsize::from_ptr(&raw mut (*object).ob_tid) }
}

/// The count of the owning thread.
///
/// # Safety
/// As for [`owner`].
#[inline(always)]
unsafe fn local<'a>(object: *mut PyObject) -> &'a AtomicU32 {
    // SAFETY: as for `owner`.
    unsafe { AtomicU32::from_ptr(&raw mut (*object).ob_ref_local) }
}

/// The count of all other threads, with flags.
///
/// # Safety
/// As for [`owner`].
#[inline(always)]
unsafe fn shared<'a>(object: *mut PyObject) -> &'a AtomicIsize {
    // SAFETY: as for `owner`.
    unsafe { AtomicIsize::from_ptr(&raw mut (*object).ob_ref_shared) }
}

/// Whether this library can identify the calling thread. Otherwise the host's functions do the work.
const KNOWS_THREADS: bool =
    cfg!(all(any(target_arch = "x86_64", target_arch = "aarch64"), any(target_os = "linux", windows)));

/// The host's identifier of the calling thread (`_Py_ThreadId`). Only meaningful if [`KNOWS_THREADS`].
#[inline(always)]
fn thread_id() -> usize {
    let id: usize;
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    // SAFETY: the first word of a thread's control block is the block's own address, and never changes.
    unsafe {
        core::arch::asm!("mov {}, fs:[0]", out(reg) id, options(pure, nomem, nostack, preserves_flags));
    }
    #[cfg(all(target_arch = "aarch64", target_os = "linux"))]
    // SAFETY: reads a register only.
    unsafe {
        core::arch::asm!("mrs {}, tpidr_el0", out(reg) id, options(pure, nomem, nostack, preserves_flags));
    }
    #[cfg(all(target_arch = "x86_64", windows))]
    // SAFETY: this word of a thread's block (`NT_TIB.Self`) is the block's own address, and never changes.
    unsafe {
        core::arch::asm!("mov {}, gs:[0x30]", out(reg) id, options(pure, nomem, nostack, preserves_flags));
    }
    #[cfg(all(target_arch = "aarch64", windows))]
    // SAFETY: copies the register that Windows reserves for the address of a thread's block.
    unsafe {
        core::arch::asm!("mov {}, x18", out(reg) id, options(pure, nomem, nostack, preserves_flags));
    }
    #[cfg(not(all(
        any(target_arch = "x86_64", target_arch = "aarch64"),
        any(target_os = "linux", windows)
    )))]
    {
        id = 0;
    }
    id
}

/// Whether the calling thread owns the object (`_Py_IsOwnedByCurrentThread`). Always false on platforms where
/// [`KNOWS_THREADS`] is false, so callers must treat false as "perhaps not".
///
/// # Safety
/// `object` is live, or its memory is kept for readers.
#[inline(always)]
pub(crate) unsafe fn is_own(object: *mut PyObject) -> bool {
    // SAFETY: the memory is readable (caller).
    KNOWS_THREADS && thread_id() == unsafe { owner(object) }.load(Ordering::Relaxed)
}

/// Whether the object is never freed (`_Py_IsImmortal`).
///
/// # Safety
/// As for [`is_own`].
#[inline(always)]
pub(crate) unsafe fn is_immortal(object: *mut PyObject) -> bool {
    // SAFETY: the memory is readable (caller).
    unsafe { local(object).load(Ordering::Relaxed) == ffi::_Py_IMMORTAL_REFCNT_LOCAL }
}

/// Whether the caller's reference is the only one, and no other thread can create another meanwhile
/// (`_PyObject_IsUniquelyReferenced`). A thread that read the object's address earlier can take a reference
/// only if the shared count is not zero, flags included.
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn is_unique(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe {
        if !KNOWS_THREADS {
            return ffi::PyUnstable_Object_IsUniquelyReferenced(object) != 0;
        }
        is_own(object)
            && local(object).load(Ordering::Relaxed) == 1
            && shared(object).load(Ordering::Relaxed) == 0
    }
}

/// Whether the last reference is gone and nothing has been done about it yet.
///
/// # Safety
/// [`decrement`] has just returned true for `object`.
#[inline(always)]
pub(crate) unsafe fn is_over(object: *mut PyObject) -> bool {
    // SAFETY: `object` is not freed before `decrement`'s result has been handled (caller). If this thread owns
    // the object, the owner's count is zero now, so the shared count decides.
    unsafe { is_own(object) && shared(object).load(Ordering::Acquire) == 0 }
}

/// Initializes the counts of a new object: the caller's reference is the only one. The object has kept its type
/// and its block of memory (`_Py_NewReference`).
///
/// # Safety
/// No thread but this one may use the object. Threads that read its address before it was freed may still read
/// its counts.
#[inline(always)]
pub(crate) unsafe fn set_first(object: *mut PyObject) {
    // SAFETY: the object is writable and not shared (caller). The counts are stored atomically, since other
    // threads may still read them.
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

/// Adds a reference without atomic read-modify-write operations. Returns false, without effect, if another
/// thread owns the object (`_Py_TryIncrefFast`).
///
/// # Safety
/// As for [`is_own`].
#[inline(always)]
unsafe fn increment_own(object: *mut PyObject) -> bool {
    // SAFETY: the memory is readable (caller). Only the owner changes the owner's count.
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

/// Adds a reference (`Py_INCREF`).
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn increment(object: *mut PyObject) {
    // SAFETY: the object is live (caller).
    unsafe {
        if !KNOWS_THREADS {
            ffi::_Py_IncRef(object);
        } else if !increment_own(object) {
            shared(object).fetch_add(SHARED_ONE, Ordering::Relaxed);
        }
    }
}

/// Adds a reference to an object that may be dead already. Returns false if it is dead, or if that cannot be
/// decided (`_Py_TryIncref`). After success the caller must check that the object is still the one it looked
/// for.
///
/// # Safety
/// The memory of `object` is kept for readers, and this thread is one of them.
#[inline(always)]
pub(crate) unsafe fn try_increment(object: *mut PyObject) -> bool {
    // SAFETY: the memory is readable (caller).
    unsafe {
        if !KNOWS_THREADS {
            return ffi::PyUnstable_TryIncRef(object) != 0;
        }
        increment_own(object) || try_increment_shared(object)
    }
}

/// The part of [`try_increment`] for objects that other threads own (`_Py_TryIncRefShared`).
///
/// # Safety
/// As for [`try_increment`].
#[inline(always)]
unsafe fn try_increment_shared(object: *mut PyObject) -> bool {
    // SAFETY: the memory is readable (caller).
    let shared = unsafe { shared(object) };
    let more = |count| (count != 0 && count != MERGED_ZERO).then_some(count + SHARED_ONE);
    shared.fetch_update(Ordering::SeqCst, Ordering::Relaxed, more).is_ok()
}

/// Removes a reference. Returns true if the caller must call [`finish`], or free the object if it [is
/// dead](is_over): the owner has removed the last reference of its count, or another thread owns the object and
/// nothing has been removed yet.
///
/// # Safety
/// The caller owns a reference to `object` and does not use it again. If the result is true, it does what is
/// said above.
#[inline(always)]
pub(crate) unsafe fn decrement(object: *mut PyObject) -> bool {
    // SAFETY: the caller owns a reference, so the object is live. Only the owner changes the owner's count.
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

/// Completes [`decrement`] for an object that is not [dead](is_over).
///
/// # Safety
/// [`decrement`] has just returned true for `object`, and [`is_over`] false. The thread is attached and its
/// frames are published, since a destructor may run.
pub(crate) unsafe fn finish(object: *mut PyObject) {
    // SAFETY: the caller's reference is still counted, or the owner's count has become zero (`decrement`
    // returned true).
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

    /// An object for counting only.
    fn object() -> PyObject {
        // SAFETY: the fields are integers and a pointer; zero is a valid value of each.
        let mut object: PyObject = unsafe { core::mem::zeroed() };
        // SAFETY: the object is local, so not shared.
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
                // The shared count was never used, so the object might be dead.
                assert!(!try_increment(object));
                increment(object);
                assert!(try_increment(object));
                // The reference must be returned to the owner, or to the shared count.
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
            // SAFETY: the object is local to the test.
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
