//! `_PyStackRef`: one word of the evaluation stack. Source: `pycore_stackref.h`.
//!
//! A stack reference is a pointer with a tag in its low bit. Bit clear: the reference owns a reference count.
//! Bit set: it does not, because the object is immortal, or borrowed from a local variable, or, in
//! free-threaded hosts, its count is deferred. Null is the tag alone. A word with both low bits set is a tagged
//! integer.

use super::ffi::{self, PyObject};
use super::refcount;

/// The tag of a reference without a reference count of its own.
const TAG_UNCOUNTED: usize = 1;
/// The tag of a small integer that is stored in the word itself.
const TAG_INT: usize = 3;

/// A reference on the evaluation stack or in a local variable; has the layout of `_PyStackRef`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct StackRef(usize);

static_assertions::assert_eq_size!(StackRef, ffi::_PyStackRef, usize);

impl StackRef {
    /// An empty slot (`PyStackRef_NULL`).
    pub(crate) const NULL: StackRef = StackRef(TAG_UNCOUNTED);

    /// This word as the host's type.
    #[inline(always)]
    pub(crate) fn raw(self) -> ffi::_PyStackRef {
        ffi::_PyStackRef { bits: self.0 }
    }

    /// Converts from the host's type; ownership moves with the word.
    #[inline(always)]
    pub(crate) fn from_raw(raw: ffi::_PyStackRef) -> StackRef {
        // SAFETY: the union has one member, which is a word, in every build.
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

    /// Whether this reference owns a reference count (`PyStackRef_RefcountOnObject`).
    #[inline(always)]
    pub(crate) fn is_counted(self) -> bool {
        self.0 & TAG_UNCOUNTED == 0
    }

    /// The object, borrowed (`PyStackRef_AsPyObjectBorrow`). Null for [`StackRef::NULL`].
    #[inline(always)]
    pub(crate) fn object(self) -> *mut PyObject {
        (self.0 & !TAG_UNCOUNTED) as *mut PyObject
    }

    /// Whether both refer to the same object, whether counted or not (`PyStackRef_Is`).
    #[inline(always)]
    pub(crate) fn is(self, other: StackRef) -> bool {
        self.0 & !TAG_UNCOUNTED == other.0 & !TAG_UNCOUNTED
    }

    /// Whether this refers to `object`, which is immortal. With a GIL every reference to an immortal object has
    /// the tag, so the words are compared directly.
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
        // The CPU predicts the result of a comparison badly, and the jump that often follows predicts it
        // anyway: avoid a branch here.
        let object = core::hint::select_unpredictable(value, super::true_(), super::false_());
        StackRef(object as usize | TAG_UNCOUNTED)
    }

    /// Takes over the caller's reference (`PyStackRef_FromPyObjectSteal`).
    ///
    /// # Safety
    /// `object` is live, and the caller owns a reference to it.
    #[inline(always)]
    pub(crate) unsafe fn steal(object: *mut PyObject) -> StackRef {
        debug_assert!(!object.is_null());
        #[cfg(not(py_gil_disabled))]
        {
            // The flags of an immortal object contain the tag, so no branch is needed.
            // SAFETY: the object is live (caller).
            let flags = unsafe { (*object).__bindgen_anon_1.__bindgen_anon_1.ob_flags };
            StackRef(object as usize | (flags as usize & TAG_UNCOUNTED))
        }
        #[cfg(py_gil_disabled)]
        {
            StackRef(object as usize)
        }
    }

    /// Like [`StackRef::steal`], for an object known to be mortal.
    ///
    /// # Safety
    /// As for [`StackRef::steal`], and `object` is mortal.
    #[inline(always)]
    pub(crate) unsafe fn steal_mortal(object: *mut PyObject) -> StackRef {
        StackRef(object as usize)
    }

    /// Creates a new reference (`PyStackRef_FromPyObjectNew`).
    ///
    /// # Safety
    /// `object` is live and the thread is attached.
    #[inline(always)]
    pub(crate) unsafe fn new(object: *mut PyObject) -> StackRef {
        // SAFETY: the object is live (caller); with a GIL immortal objects have been handled before
        // `incref_mortal`.
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

    /// Creates a new reference to an object known to be mortal (`PyStackRef_FromPyObjectNewMortal`).
    ///
    /// # Safety
    /// `object` is live and mortal; the thread is attached.
    #[inline(always)]
    pub(crate) unsafe fn new_mortal(object: *mut PyObject) -> StackRef {
        #[cfg(py_gil_disabled)]
        // SAFETY: `object` is live (caller).
        return unsafe { StackRef::new(object) };
        #[cfg(not(py_gil_disabled))]
        {
            // SAFETY: `object` is live and mortal (caller).
            unsafe { refcount::incref_mortal(object) };
            StackRef(object as usize)
        }
    }

    /// A reference without ownership (`PyStackRef_FromPyObjectBorrow`).
    ///
    /// # Safety
    /// Something else keeps `object` alive for as long as the result is used.
    #[inline(always)]
    pub(crate) unsafe fn borrow_object(object: *mut PyObject) -> StackRef {
        StackRef(object as usize | TAG_UNCOUNTED)
    }

    /// A reference to an immortal object (`PyStackRef_FromPyObjectImmortal`).
    ///
    /// # Safety
    /// `object` is immortal, so it is live forever.
    #[inline(always)]
    pub(crate) unsafe fn immortal(object: *mut PyObject) -> StackRef {
        StackRef(object as usize | TAG_UNCOUNTED)
    }

    /// A reference to the same object that owns nothing (`PyStackRef_Borrow`).
    ///
    /// # Safety
    /// The original is not closed or moved while the result is used.
    #[inline(always)]
    pub(crate) unsafe fn borrow(self) -> StackRef {
        StackRef(self.0 | TAG_UNCOUNTED)
    }

    /// Creates a second reference (`PyStackRef_DUP`). A tagged integer is copied.
    ///
    /// # Safety
    /// The reference is live and not null.
    #[inline(always)]
    pub(crate) unsafe fn dup(self) -> StackRef {
        if self.is_counted() {
            // SAFETY: the object of a counted reference is live, and mortal with a GIL, where immortal objects
            // have the tag.
            unsafe { refcount::incref_mortal(self.object()) };
        }
        self
    }

    /// Converts to an object pointer; consumes this reference, and the caller owns the result
    /// (`PyStackRef_AsPyObjectSteal`).
    ///
    /// # Safety
    /// The reference is live, not null and not a tagged integer. It is not used again.
    #[inline(always)]
    pub(crate) unsafe fn into_object(self) -> *mut PyObject {
        let object = self.object();
        if !self.is_counted() {
            // SAFETY: the object is live (caller).
            unsafe { refcount::incref(object) };
        }
        object
    }

    /// The object with a new reference for the caller; this one stays valid (`PyStackRef_AsPyObjectNew`).
    ///
    /// # Safety
    /// The reference is live, not null and not a tagged integer.
    #[inline(always)]
    pub(crate) unsafe fn new_object(self) -> *mut PyObject {
        let object = self.object();
        // SAFETY: the object is live (caller).
        unsafe { refcount::incref(object) };
        object
    }

    /// Converts to a reference that may be stored in the heap, where nothing keeps the object of a borrowed
    /// reference alive: counted, immortal or, in free-threaded hosts, deferred (`PyStackRef_MakeHeapSafe`).
    /// Consumes this reference.
    ///
    /// # Safety
    /// The reference is live and not used again; it may be null or a tagged integer.
    #[inline(always)]
    pub(crate) unsafe fn heap_safe(self) -> StackRef {
        if self.is_counted() || self.is_null() || self.is_tagged_int() {
            return self;
        }
        // SAFETY: the reference is neither null nor a tagged integer, so its object is live (caller).
        unsafe {
            let object = self.object();
            if refcount::is_immortal(object) || refcount::is_deferred(object) {
                return self;
            }
            refcount::incref(object);
            StackRef(object as usize)
        }
    }

    /// Releases the reference (`PyStackRef_XCLOSE`). Does nothing for null and tagged integers. May run a
    /// destructor.
    ///
    /// # Safety
    /// The reference is live and not used again. The thread is attached and its frames are published.
    #[inline(always)]
    pub(crate) unsafe fn close(self) {
        if self.is_counted() {
            // SAFETY: a counted reference owns a count of a live object, mortal with a GIL; it is not used
            // again, and frames are published (caller).
            unsafe { refcount::decref_mortal(self.object()) };
        }
    }

    /// Like [`StackRef::close`], for a reference that is rarely the last one: freeing the object happens in a
    /// cold function that preserves the registers.
    ///
    /// # Safety
    /// As for [`StackRef::close`].
    #[inline(always)]
    pub(crate) unsafe fn close_seldom(self) {
        // SAFETY: as in `close`.
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
    /// The reference is live, not null and not a tagged integer.
    #[inline(always)]
    pub(crate) unsafe fn type_(self) -> *mut ffi::PyTypeObject {
        // SAFETY: the object is live (caller).
        unsafe { (*self.object()).ob_type }
    }
}
