//! Iterators of the host that give their next item without Python code.
//!
//! Such an iterator runs no such code itself, and releases nothing that does so at its end: at the end of an iterator, its container
//! is released; `enumerate`, `zip` and iterators over items of dicts keep a tuple for their results, and release its old items.
//! The layout of most of them is not declared. What they refer to is found out as the collector does it.

use core::ffi::{c_int, c_void};

use super::object::{is_exact, tuple_slice, type_of};
use super::{PyObject, PyTypeObject, ffi, refcount};

/// What the next item of an iterator is.
pub(crate) enum Next {
    /// A new reference.
    Item(*mut PyObject),
    End,
    /// Only the host can tell, perhaps by Python code.
    Unknown,
    /// An exception is set.
    Raised,
}

/// The next item, if it is found without Python code.
///
/// # Safety
/// The thread is attached, no exception is set, and the iterator is live.
pub(crate) unsafe fn next(iterator: *mut PyObject) -> Next {
    // SAFETY: the iterator is live (caller), and its type has the function.
    unsafe {
        if !needs_no_code(iterator) {
            return Next::Unknown;
        }
        let Some(next) = (*type_of(iterator)).tp_iternext else { return Next::Unknown };
        let item = next(iterator);
        if !item.is_null() {
            Next::Item(item)
        } else if ffi::PyErr_Occurred().is_null() {
            Next::End
        } else {
            Next::Raised
        }
    }
}

/// Whether the next item is found without Python code.
///
/// # Safety
/// The thread is attached, and the object live.
pub(crate) unsafe fn needs_no_code(iterator: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller), and so is what it refers to.
    unsafe {
        let type_ = type_of(iterator);
        if over_container().contains(&type_) {
            return refers_only_to(iterator, is_kept);
        }
        if type_ == &raw mut ffi::PyEnum_Type || type_ == &raw mut ffi::PyZip_Type {
            return refers_only_to(iterator, is_part);
        }
        false
    }
}

/// The types of iterators over one container. Such a container is not changed by them.
fn over_container() -> [*mut PyTypeObject; 12] {
    [
        &raw mut ffi::PyListIter_Type,
        &raw mut ffi::PyTupleIter_Type,
        &raw mut ffi::PyRangeIter_Type,
        &raw mut ffi::PyUnicodeIter_Type,
        &raw mut ffi::PyBytesIter_Type,
        &raw mut ffi::PyByteArrayIter_Type,
        &raw mut ffi::PyDictIterKey_Type,
        &raw mut ffi::PyDictIterValue_Type,
        &raw mut ffi::PyDictIterItem_Type,
        &raw mut ffi::PySetIter_Type,
        &raw mut ffi::PyListRevIter_Type,
        &raw mut ffi::PyDictRevIterKey_Type,
    ]
}

/// Whether the release of a container of an iterator, or of the items of a tuple that it keeps for its results, does not end them,
/// or ends only a value.
///
/// # Safety
/// The object is live.
unsafe fn is_kept(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller), and so are the items of a tuple.
    unsafe {
        is_held_elsewhere(object)
            || is_exact(object, &raw mut ffi::PyTuple_Type)
                && tuple_slice(object).iter().all(|&item| item.is_null() || is_held_elsewhere(item))
    }
}

/// The same for what an `enumerate` or a `zip` refers to: iterators, tuples of iterators, tuples for results, and numbers.
///
/// # Safety
/// The thread is attached, and the object live.
unsafe fn is_part(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller), and so are the items of a tuple.
    unsafe {
        if is_exact(object, &raw mut ffi::PyTuple_Type) {
            return tuple_slice(object).iter().all(|&item| {
                let is_iterator = !item.is_null() && (*type_of(item)).tp_iternext.is_some();
                item.is_null() || if is_iterator { needs_no_code(item) } else { is_held_elsewhere(item) }
            });
        }
        is_exact(object, &raw mut ffi::PyLong_Type) || needs_no_code(object)
    }
}

/// Whether the object stays if one reference to it is released, or ends without any other effect.
///
/// # Safety
/// The object is live.
unsafe fn is_held_elsewhere(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe {
        refcount::is_immortal(object)
            || ffi::Py_REFCNT(object) > 1
            || [
                &raw mut ffi::PyLong_Type,
                &raw mut ffi::PyFloat_Type,
                &raw mut ffi::PyUnicode_Type,
                &raw mut ffi::PyBytes_Type,
            ]
            .contains(&type_of(object))
    }
}

/// What an object refers to is asked about.
type Question = unsafe fn(*mut PyObject) -> bool;

/// Whether the answer is yes for all that the collector finds in the object.
///
/// # Safety
/// The thread is attached, and the object live.
unsafe fn refers_only_to(object: *mut PyObject, question: Question) -> bool {
    /// Fails if the answer is no.
    ///
    /// # Safety
    /// The object is live, and the pointer is to a [`Question`].
    unsafe extern "C" fn visit(part: *mut PyObject, question: *mut c_void) -> c_int {
        // SAFETY: the contract is the same.
        unsafe { (!(*question.cast::<Question>())(part)).into() }
    }
    let mut question = question;
    // SAFETY: the object is live (caller). Types without the function refer to nothing that matters.
    unsafe {
        match (*type_of(object)).tp_traverse {
            Some(traverse) => traverse(object, Some(visit), (&raw mut question).cast()) == 0,
            None => true,
        }
    }
}
