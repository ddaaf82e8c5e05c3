//! `_PyStackRef`: one word of the evaluation stack. Source: `pycore_stackref.h`.
//!
//! A stack reference is a pointer whose low bit says who pays for it: clear, and this slot owns a
//! reference count; set, and it does not (immortal, borrowed from a local, or, in free-threaded
//! hosts, deferred). Null is the tag alone. With both low bits set the word is a tagged integer.

use super::ffi::{self, PyObject};
use super::refcount;

/// The tag: this reference has no reference count of its own.
const TAG_UNCOUNTED: usize = 1;
/// The tag of a small integer kept in the word itself.
const TAG_INT: usize = 3;

/// A reference on the evaluation stack or in a local; layout of `_PyStackRef`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct StackRef(usize);

static_assertions::assert_eq_size!(StackRef, ffi::_PyStackRef, usize);

impl StackRef {
    /// The empty slot (`PyStackRef_NULL`).
    pub(crate) const NULL: StackRef = StackRef(TAG_UNCOUNTED);

    /// The host's type for this word.
    #[inline(always)]
    pub(crate) fn raw(self) -> ffi::_PyStackRef {
        ffi::_PyStackRef { bits: self.0 }
    }

    /// The reference in a word of the host's; ownership moves with it.
    #[inline(always)]
    pub(crate) fn from_raw(raw: ffi::_PyStackRef) -> StackRef {
        // SAFETY: the union has one word-sized member in every build.
        StackRef(unsafe { raw.bits })
    }

    /// A small integer in the word itself (`PyStackRef_TagInt`).
    #[inline(always)]
    pub(crate) fn tag_int(value: isize) -> StackRef {
        StackRef(((value as usize) << 2) | TAG_INT)
    }

    /// The integer that [`StackRef::tag_int`] stored.
    #[inline(always)]
    pub(crate) fn untag_int(self) -> isize {
        debug_assert!(self.is_tagged_int());
        (self.0 as isize) >> 2
    }

    #[inline(always)]
    pub(crate) fn is_tagged_int(self) -> bool {
        self.0 & TAG_INT == TAG_INT
    }

    #[inline(always)]
    pub(crate) fn is_null(self) -> bool {
        self == StackRef::NULL
    }

    /// Whether this slot owns a reference count (`PyStackRef_RefcountOnObject`).
    #[inline(always)]
    pub(crate) fn is_counted(self) -> bool {
        self.0 & TAG_UNCOUNTED == 0
    }

    /// The object, borrowed (`PyStackRef_AsPyObjectBorrow`). Null for [`StackRef::NULL`].
    #[inline(always)]
    pub(crate) fn object(self) -> *mut PyObject {
        (self.0 & !TAG_UNCOUNTED) as *mut PyObject
    }

    /// Whether both are the same object, whoever counts it (`PyStackRef_Is`).
    #[inline(always)]
    pub(crate) fn is(self, other: StackRef) -> bool {
        self.0 & !TAG_UNCOUNTED == other.0 & !TAG_UNCOUNTED
    }

    /// Whether this is `object`, which is immortal. With a GIL every reference to such an object has the
    /// tag, so the words can be compared as they are.
    #[inline(always)]
    fn is_immortal(self, object: *mut PyObject) -> bool {
        if cfg!(py_gil_disabled) {
            self.object() == object
        } else {
            self.0 == object as usize | TAG_UNCOUNTED
        }
    }

    #[inline(always)]
    pub(crate) fn is_none(self) -> bool {
        self.is_immortal(super::none())
    }

    #[inline(always)]
    pub(crate) fn is_true(self) -> bool {
        self.is_immortal(super::true_())
    }

    #[inline(always)]
    pub(crate) fn is_false(self) -> bool {
        self.is_immortal(super::false_())
    }

    #[inline(always)]
    pub(crate) fn none() -> StackRef {
        StackRef(super::none() as usize | TAG_UNCOUNTED)
    }

    /// `True` or `False`.
    #[inline(always)]
    pub(crate) fn bool(value: bool) -> StackRef {
        // What a comparison gives is hard to foretell, and the jump that often follows does so anyway.
        let object = core::hint::select_unpredictable(value, super::true_(), super::false_());
        StackRef(object as usize | TAG_UNCOUNTED)
    }

    /// Takes over the caller's reference (`PyStackRef_FromPyObjectSteal`).
    ///
    /// # Safety
    /// `object` is a live object and the caller owns a reference to it.
    #[inline(always)]
    pub(crate) unsafe fn steal(object: *mut PyObject) -> StackRef {
        debug_assert!(!object.is_null());
        #[cfg(not(py_gil_disabled))]
        {
            // Immortal objects carry the tag in their flags, so no branch is needed.
            // SAFETY: the object is live.
            let flags = unsafe { (*object).__bindgen_anon_1.__bindgen_anon_1.ob_flags };
            StackRef(object as usize | (flags as usize & TAG_UNCOUNTED))
        }
        #[cfg(py_gil_disabled)]
        {
            StackRef(object as usize)
        }
    }

    /// Like [`StackRef::steal`], for an object that is known not to be immortal.
    ///
    /// # Safety
    /// As for [`StackRef::steal`], and `object` is mortal.
    #[inline(always)]
    pub(crate) unsafe fn steal_mortal(object: *mut PyObject) -> StackRef {
        StackRef(object as usize)
    }

    /// A new reference (`PyStackRef_FromPyObjectNew`).
    ///
    /// # Safety
    /// `object` is a live object.
    #[inline(always)]
    pub(crate) unsafe fn new(object: *mut PyObject) -> StackRef {
        // SAFETY: the object is live.
        unsafe {
            #[cfg(not(py_gil_disabled))]
            if refcount::is_immortal(object) {
                return StackRef(object as usize | TAG_UNCOUNTED);
            }
            #[cfg(py_gil_disabled)]
            if refcount::is_deferred(object) {
                return StackRef(object as usize | TAG_UNCOUNTED);
            }
            refcount::incref_mortal(object);
        }
        StackRef(object as usize)
    }

    /// A new reference to an object known not to be immortal (`PyStackRef_FromPyObjectNewMortal`).
    ///
    /// # Safety
    /// `object` is live and mortal.
    #[inline(always)]
    pub(crate) unsafe fn new_mortal(object: *mut PyObject) -> StackRef {
        #[cfg(py_gil_disabled)]
        // SAFETY: the caller's promise.
        return unsafe { StackRef::new(object) };
        #[cfg(not(py_gil_disabled))]
        {
            // SAFETY: the caller's promise.
            unsafe { refcount::incref_mortal(object) };
            StackRef(object as usize)
        }
    }

    /// A reference that owns nothing (`PyStackRef_FromPyObjectBorrow`).
    ///
    /// # Safety
    /// Something else keeps `object` alive for as long as the result is used.
    #[cfg(py_gil_disabled)]
    #[inline(always)]
    pub(crate) unsafe fn borrow_object(object: *mut PyObject) -> StackRef {
        StackRef(object as usize | TAG_UNCOUNTED)
    }

    /// A reference to an immortal object (`PyStackRef_FromPyObjectImmortal`).
    ///
    /// # Safety
    /// `object` is immortal.
    #[inline(always)]
    pub(crate) unsafe fn immortal(object: *mut PyObject) -> StackRef {
        StackRef(object as usize | TAG_UNCOUNTED)
    }

    /// The same object without owning it (`PyStackRef_Borrow`).
    ///
    /// # Safety
    /// The original stays where it is for as long as the result is used.
    #[inline(always)]
    pub(crate) unsafe fn borrow(self) -> StackRef {
        StackRef(self.0 | TAG_UNCOUNTED)
    }

    /// A second reference (`PyStackRef_DUP`).
    ///
    /// # Safety
    /// The reference is live and not null.
    #[inline(always)]
    pub(crate) unsafe fn dup(self) -> StackRef {
        if self.is_counted() {
            // SAFETY: a counted reference is a live object.
            unsafe { refcount::incref_mortal(self.object()) };
        }
        self
    }

    /// The object with a reference that the caller owns; consumes this one
    /// (`PyStackRef_AsPyObjectSteal`).
    ///
    /// # Safety
    /// The reference is live and not null.
    #[inline(always)]
    pub(crate) unsafe fn into_object(self) -> *mut PyObject {
        let object = self.object();
        if !self.is_counted() {
            // SAFETY: the reference is live.
            unsafe { refcount::incref(object) };
        }
        object
    }

    /// The object with a new reference; this one stays (`PyStackRef_AsPyObjectNew`).
    ///
    /// # Safety
    /// The reference is live and not null.
    #[inline(always)]
    pub(crate) unsafe fn new_object(self) -> *mut PyObject {
        let object = self.object();
        // SAFETY: the reference is live.
        unsafe { refcount::incref(object) };
        object
    }

    /// A counted or immortal (in free-threaded hosts: or deferred) reference for the heap, where
    /// nothing keeps a borrowed one alive (`PyStackRef_MakeHeapSafe`). Consumes this one.
    ///
    /// # Safety
    /// The reference is live; null and tagged integers are allowed.
    #[inline(always)]
    pub(crate) unsafe fn heap_safe(self) -> StackRef {
        if self.is_counted() || self.is_null() || self.is_tagged_int() {
            return self;
        }
        // SAFETY: neither null nor an integer, so a live object.
        unsafe {
            let object = self.object();
            if refcount::is_immortal(object) || refcount::is_deferred(object) {
                return self;
            }
            refcount::incref(object);
            StackRef(object as usize)
        }
    }

    /// Gives the reference up; may run a destructor, so the frame must be published
    /// (`PyStackRef_XCLOSE`; null and tagged integers are fine).
    ///
    /// # Safety
    /// The reference is live and not used again; the thread is attached and its frames published.
    #[inline(always)]
    pub(crate) unsafe fn close(self) {
        if self.is_counted() {
            // SAFETY: a counted reference is a live object and this slot owned one count.
            unsafe { refcount::decref_mortal(self.object()) };
        }
    }

    /// Like [`StackRef::close`], for a reference that is hardly ever the last one: what happens then is
    /// off the hot path altogether.
    ///
    /// # Safety
    /// As for [`StackRef::close`].
    #[inline(always)]
    pub(crate) unsafe fn close_seldom(self) {
        // SAFETY: the caller's promise.
        unsafe {
            #[cfg(not(py_debug))]
            if self.is_counted() && refcount::decrement(self.object()) {
                refcount::release_seldom(self.object());
            }
            #[cfg(py_debug)]
            self.close();
        }
    }

    /// The type of the object (`PyStackRef_TYPE`).
    ///
    /// # Safety
    /// The reference is a live object.
    #[inline(always)]
    pub(crate) unsafe fn type_(self) -> *mut ffi::PyTypeObject {
        // SAFETY: the caller's promise.
        unsafe { (*self.object()).ob_type }
    }
}
