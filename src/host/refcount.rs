//! Reference counts of the host's objects. Source: `refcount.h`, `pycore_object.h`.
//!
//! With a release host the operations are inlined here, since the evaluator performs few others as often.
//! `biased` implements those of free-threaded hosts. Debug hosts keep totals of all references, so there the
//! host's own functions do the work. Machine code divides a release into [`decrement`] and [`release`] on all hosts.

#[cfg(py_gil_disabled)]
use super::biased;
use super::ffi::{self, PyObject};

/// Whether the object is never freed, so that its count has no meaning (`_Py_IsImmortal`).
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn is_immortal(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe {
        #[cfg(not(py_gil_disabled))]
        return ((*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt as i32) < 0;
        #[cfg(py_gil_disabled)]
        return biased::is_immortal(object);
    }
}

/// Whether the evaluation stack may hold uncounted references to the object, which the garbage collector finds
/// (`_PyObject_HasDeferredRefcount`). Never with a GIL.
///
/// # Safety
/// `object` is live, or it was freed and its memory is still kept for concurrent readers.
#[inline(always)]
pub(crate) unsafe fn is_deferred(object: *mut PyObject) -> bool {
    #[cfg(not(py_gil_disabled))]
    {
        let _ = object;
        false
    }
    #[cfg(py_gil_disabled)]
    // SAFETY: the memory is readable (caller).
    unsafe {
        super::head::gc_bits(object) & ffi::_PyGC_BITS_DEFERRED as u8 != 0
    }
}

/// `Py_INCREF`.
///
/// # Safety
/// `object` is live and the thread is attached.
#[inline(always)]
pub(crate) unsafe fn incref(object: *mut PyObject) {
    // SAFETY: `object` is live (caller), and the attached thread may change its count.
    unsafe {
        #[cfg(not(any(py_debug, py_gil_disabled)))]
        {
            let count = &raw mut (*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt;
            if *count < ffi::_Py_IMMORTAL_INITIAL_REFCNT {
                *count += 1;
            }
        }
        #[cfg(all(py_gil_disabled, not(py_debug)))]
        biased::increment(object);
        #[cfg(py_debug)]
        ffi::_Py_IncRef(object);
    }
}

/// `_Py_INCREF_MORTAL`: for objects known to be mortal. In free-threaded hosts, where a counted reference to an
/// immortal object is possible, the object may be immortal.
///
/// # Safety
/// `object` is live and, with a GIL, mortal; the thread is attached.
#[inline(always)]
pub(crate) unsafe fn incref_mortal(object: *mut PyObject) {
    // SAFETY: `object` is live and the thread attached; with a GIL the object is mortal, so its count is a
    // plain number (caller).
    unsafe {
        #[cfg(not(any(py_debug, py_gil_disabled)))]
        {
            (*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt += 1;
        }
        #[cfg(any(py_debug, py_gil_disabled))]
        incref(object);
    }
}

/// `Py_XINCREF`.
///
/// # Safety
/// `object` is null, or as for [`incref`].
#[inline(always)]
pub(crate) unsafe fn xincref(object: *mut PyObject) {
    if !object.is_null() {
        // SAFETY: `object` is not null, so it is live (caller).
        unsafe { incref(object) };
    }
}

/// `Py_NewRef`: a new reference to the same object.
///
/// # Safety
/// As for [`incref`].
#[inline(always)]
pub(crate) unsafe fn new_ref(object: *mut PyObject) -> *mut PyObject {
    // SAFETY: `object` is live and the thread attached (caller).
    unsafe { incref(object) };
    object
}

/// `Py_DECREF`: releases the caller's reference. May run a destructor, and so any Python code.
///
/// # Safety
/// The caller owns a reference to `object` and does not use it again. The thread is attached and its frames are
/// published.
#[inline(always)]
pub(crate) unsafe fn decref(object: *mut PyObject) {
    // SAFETY: the caller owns the reference, and its frames are published (caller). With a GIL, immortal
    // objects are excluded before `decref_mortal`.
    unsafe {
        #[cfg(not(py_debug))]
        if cfg!(py_gil_disabled) || !is_immortal(object) {
            decref_mortal(object);
        }
        #[cfg(py_debug)]
        ffi::_Py_DecRef(object);
    }
}

/// `Py_DECREF_MORTAL`: for objects known to be mortal. In free-threaded hosts the object may be immortal.
///
/// # Safety
/// As for [`decref`], and with a GIL the object is mortal.
#[inline(always)]
pub(crate) unsafe fn decref_mortal(object: *mut PyObject) {
    // SAFETY: the caller owns the reference and its frames are published, so `release` may run a destructor
    // (caller). `release` directly follows the `decrement` that requests it.
    unsafe {
        #[cfg(not(py_debug))]
        if decrement(object) {
            release(object);
        }
        #[cfg(py_debug)]
        ffi::_Py_DecRef(object);
    }
}

/// Decrements the count of an object. Returns true if the caller must call [`release`]: with a GIL, this was
/// the last reference; in free-threaded hosts, it may have been.
///
/// # Safety
/// The caller owns a reference to `object` and does not use it again. With a GIL the object is mortal. If the
/// result is true, the caller calls [`release`], under its contract, or frees the object itself after
/// [`is_over`].
#[cfg(any(not(py_debug), feature = "jit"))]
#[inline(always)]
pub(crate) unsafe fn decrement(object: *mut PyObject) -> bool {
    // SAFETY: the caller owns a reference, so `object` is live; with a GIL it is mortal, so its count is a
    // plain number (caller).
    unsafe {
        #[cfg(all(py_debug, not(py_gil_disabled)))]
        ffi::_Py_DECREF_DecRefTotal();
        #[cfg(not(py_gil_disabled))]
        {
            let count = &raw mut (*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt;
            *count -= 1;
            *count == 0
        }
        #[cfg(py_gil_disabled)]
        biased::decrement(object)
    }
}

/// Whether the last reference to the object is gone, so that it must be freed.
///
/// # Safety
/// [`decrement`] has just returned true for `object`, and nothing has released it since.
#[cfg(not(py_debug))]
#[inline(always)]
pub(crate) unsafe fn is_over(object: *mut PyObject) -> bool {
    #[cfg(not(py_gil_disabled))]
    {
        let _ = object;
        true
    }
    // SAFETY: `decrement` has just returned true (caller).
    #[cfg(py_gil_disabled)]
    unsafe {
        biased::is_over(object)
    }
}

/// Finishes what [`decrement`] began. Frees a dead object as `_Py_Dealloc` does, but calls the destructor
/// directly if the type does not take part in garbage collection: the host's trash can, which limits the
/// nesting of destructors, handles only types that do.
///
/// # Safety
/// [`decrement`] has just returned true for `object`, and nothing has released it since. The thread is attached
/// and its frames are published, since a destructor may run.
#[cfg(any(not(py_debug), feature = "jit"))]
#[inline(never)]
pub(crate) unsafe extern "C" fn release(object: *mut PyObject) {
    // SAFETY: `decrement` has just returned true, and frames are published (caller). After the check in
    // free-threaded hosts no reference is left, and every type has a destructor.
    unsafe {
        #[cfg(py_gil_disabled)]
        if !biased::is_over(object) {
            return biased::finish(object);
        }
        let type_ = super::head::type_of(object);
        // Debug hosts check what a destructor does.
        let is_observed = cfg!(py_debug) || is_traced();
        if super::head::type_flags(type_) & ffi::Py_TPFLAGS_HAVE_GC != 0 || is_observed {
            return ffi::_Py_Dealloc(object);
        }
        (*type_).tp_dealloc.unwrap_unchecked()(object)
    }
}

#[cfg(not(py_debug))]
preserving_registers! {
    /// [`release`] for rare cases: a call leaves the caller's values in registers.
    ///
    /// # Safety
    /// As for [`release`].
    pub(crate) unsafe fn release_seldom(object: *mut PyObject) {
        // SAFETY: the contract of `release` (caller).
        unsafe { release(object) }
    }
}

/// Sets the count of a new object to one: the reference of the caller.
///
/// # Safety
/// No other thread may use the object, which is readable and writable memory. In free-threaded hosts, threads
/// that read its address before it was freed may still read its counts.
#[cfg(not(py_debug))]
#[inline(always)]
pub(crate) unsafe fn set_first(object: *mut PyObject) {
    // SAFETY: the memory is writable and not shared (caller). With a GIL the word holds flags, too; a new
    // object has none set.
    unsafe {
        #[cfg(not(py_gil_disabled))]
        object.cast::<i64>().write(1);
        #[cfg(py_gil_disabled)]
        biased::set_first(object);
    }
}

/// Gives an object whose destructor runs one reference, so that it goes on to exist. The totals of debug hosts
/// do not count that reference.
///
/// # Safety
/// The thread is attached; the object has no references, and its destructor leaves it alone from now on.
#[cfg(py_tier2)]
pub(crate) unsafe fn revive(object: *mut PyObject) {
    // SAFETY: the object is live, and the attached thread may change its count. Hosts with tier 2 have a GIL.
    unsafe { (*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt = 1 }
}

/// Whether a reference tracer is set (`PyRefTracer_SetTracer`). It must be notified of every object that is
/// created or destroyed, so `_Py_Dealloc` must not be bypassed then.
///
/// # Safety
/// The thread is attached.
#[cfg(any(not(py_debug), feature = "jit"))]
#[inline(always)]
pub(crate) unsafe fn is_traced() -> bool {
    // SAFETY: the runtime is a static; the host changes the tracer only while all threads are stopped or
    // detached, and this one is attached (caller).
    unsafe { (&raw const ffi::_PyRuntime.ref_tracer.tracer_func).read().is_some() }
}

/// `Py_XDECREF`.
///
/// # Safety
/// `object` is null, or as for [`decref`].
#[inline(always)]
pub(crate) unsafe fn xdecref(object: *mut PyObject) {
    if !object.is_null() {
        // SAFETY: `object` is not null, so the caller owns a reference to it (caller).
        unsafe { decref(object) };
    }
}

/// Whether the caller's reference is the only one, so that the object can be changed without anything observing
/// it (`_PyObject_IsUniquelyReferenced`).
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn is_unique(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe {
        #[cfg(not(py_gil_disabled))]
        return (*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt == 1;
        #[cfg(py_gil_disabled)]
        return biased::is_unique(object);
    }
}
