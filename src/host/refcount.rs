//! Reference counts of the host's objects. Source: `refcount.h`, `pycore_object.h`.
//!
//! Release hosts are inlined here, since the evaluator does little else as often; how free-threaded ones
//! count is in [`biased`]. Debug hosts keep totals: there the host's own functions do it.

#[cfg(py_gil_disabled)]
use super::biased;
use super::ffi::{self, PyObject};

/// Whether the object is never freed, so that its count means nothing (`_Py_IsImmortal`).
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn is_immortal(object: *mut PyObject) -> bool {
    // SAFETY: the object is live.
    unsafe {
        #[cfg(not(py_gil_disabled))]
        return ((*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt as i32) < 0;
        #[cfg(py_gil_disabled)]
        return biased::is_immortal(object);
    }
}

/// Whether references from the evaluation stack are deferred to the garbage collector
/// (`_PyObject_HasDeferredRefcount`); never with a GIL.
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn is_deferred(object: *mut PyObject) -> bool {
    #[cfg(not(py_gil_disabled))]
    {
        let _ = object;
        false
    }
    #[cfg(py_gil_disabled)]
    // SAFETY: the object is live; bits are set atomically.
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
    // SAFETY: the caller's promise.
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

/// `_Py_INCREF_MORTAL`: for objects known not to be immortal, except in free-threaded hosts, where
/// references to immortals may be counted ones.
///
/// # Safety
/// `object` is live and, with a GIL, mortal; the thread is attached.
#[inline(always)]
pub(crate) unsafe fn incref_mortal(object: *mut PyObject) {
    // SAFETY: the caller's promise.
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
/// As for [`incref`], or null.
#[inline(always)]
pub(crate) unsafe fn xincref(object: *mut PyObject) {
    if !object.is_null() {
        // SAFETY: not null, so live by the caller's promise.
        unsafe { incref(object) };
    }
}

/// `Py_NewRef`: a new reference to the same object.
///
/// # Safety
/// As for [`incref`].
#[inline(always)]
pub(crate) unsafe fn new_ref(object: *mut PyObject) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { incref(object) };
    object
}

/// `Py_DECREF`. May run a destructor, and so any Python code.
///
/// # Safety
/// The caller owns a reference and gives it up; the thread is attached and its frames published.
#[inline(always)]
pub(crate) unsafe fn decref(object: *mut PyObject) {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(not(py_debug))]
        if cfg!(py_gil_disabled) || !is_immortal(object) {
            decref_mortal(object);
        }
        #[cfg(py_debug)]
        ffi::_Py_DecRef(object);
    }
}

/// `Py_DECREF_MORTAL`: for objects known not to be immortal, except in free-threaded hosts.
///
/// # Safety
/// As for [`decref`], and with a GIL the object is mortal.
#[inline(always)]
pub(crate) unsafe fn decref_mortal(object: *mut PyObject) {
    // SAFETY: the caller's promise.
    unsafe {
        #[cfg(not(py_debug))]
        if decrement(object) {
            release(object);
        }
        #[cfg(py_debug)]
        ffi::_Py_DecRef(object);
    }
}

/// Takes one from the count of an object, which with a GIL is mortal; true if the caller must call
/// [`release`]: it was the last one, or, in free-threaded hosts, it takes more to tell.
///
/// # Safety
/// As for [`decref_mortal`].
#[cfg(not(py_debug))]
#[inline(always)]
pub(crate) unsafe fn decrement(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
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

/// Whether the object, of which [`decrement`] says that there is more to do, is over.
///
/// # Safety
/// As for [`release`].
#[cfg(not(py_debug))]
#[inline(always)]
pub(crate) unsafe fn is_over(object: *mut PyObject) -> bool {
    #[cfg(not(py_gil_disabled))]
    {
        let _ = object;
        true
    }
    // SAFETY: the caller's promise.
    #[cfg(py_gil_disabled)]
    unsafe {
        biased::is_over(object)
    }
}

/// What is to be done after [`decrement`]. If the object is over, `_Py_Dealloc`, with a shorter way to the
/// destructors of types that the collector does not know: the host's trash can, which keeps the nesting of
/// destructors within bounds, is for the others only.
///
/// # Safety
/// [`decrement`] has just said so; the thread is attached and its frames published.
#[cfg(not(py_debug))]
#[inline(never)]
pub(crate) unsafe extern "C" fn release(object: *mut PyObject) {
    // SAFETY: the caller's promise; every type has a destructor.
    unsafe {
        #[cfg(py_gil_disabled)]
        if !biased::is_over(object) {
            return biased::finish(object);
        }
        let type_ = super::head::type_of(object);
        if super::head::type_flags(type_) & u64::from(ffi::Py_TPFLAGS_HAVE_GC) != 0 || is_traced() {
            return ffi::_Py_Dealloc(object);
        }
        (*type_).tp_dealloc.unwrap_unchecked()(object)
    }
}

#[cfg(not(py_debug))]
preserving_registers! {
    /// [`release`] for where it happens seldom: the caller keeps its values in registers.
    ///
    /// # Safety
    /// As for [`release`].
    pub(crate) unsafe fn release_seldom(object: *mut PyObject) {
        // SAFETY: the caller's promise.
        unsafe { release(object) }
    }
}

/// Makes the count of a new object one.
///
/// # Safety
/// Nobody else knows the object.
#[cfg(not(py_debug))]
#[inline(always)]
pub(crate) unsafe fn set_first(object: *mut PyObject) {
    // SAFETY: the caller's promise. The word holds flags too, which a new object has none of.
    unsafe {
        #[cfg(not(py_gil_disabled))]
        object.cast::<i64>().write(1);
        #[cfg(py_gil_disabled)]
        biased::set_first(object);
    }
}

/// Whether somebody wants to know of every object that comes or goes (`PyRefTracer_SetTracer`), so that
/// `_Py_Dealloc` must not be bypassed.
///
/// # Safety
/// The thread is attached.
#[cfg(not(py_debug))]
#[inline(always)]
pub(crate) unsafe fn is_traced() -> bool {
    // SAFETY: the host's runtime is a static; the tracer changes with all threads stopped or detached.
    unsafe { (&raw const ffi::_PyRuntime.ref_tracer.tracer_func).read().is_some() }
}

/// `Py_XDECREF`.
///
/// # Safety
/// As for [`decref`], or null.
#[inline(always)]
pub(crate) unsafe fn xdecref(object: *mut PyObject) {
    if !object.is_null() {
        // SAFETY: not null, so owned by the caller's promise.
        unsafe { decref(object) };
    }
}

/// Whether the caller's is the only reference, so that nobody could see the object change
/// (`_PyObject_IsUniquelyReferenced`).
///
/// # Safety
/// `object` is live.
#[inline(always)]
pub(crate) unsafe fn is_unique(object: *mut PyObject) -> bool {
    // SAFETY: the object is live.
    unsafe {
        #[cfg(not(py_gil_disabled))]
        return (*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt == 1;
        #[cfg(py_gil_disabled)]
        return biased::is_unique(object);
    }
}
