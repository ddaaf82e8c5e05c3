//! Objects whose end runs no Python code, so that machine code need not write its frames to memory first.

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::host::dict::{InlineValues, MANAGED_DICT_OFFSET};
use crate::host::object::{is_exact, list_items, size, tuple_slice, type_flags, type_of};
use crate::host::{Owned, PyObject, ffi};

/// The destructor of classes that Python code defines, or 0.
static CLASS_DEALLOC: AtomicUsize = AtomicUsize::new(0);

/// The most parts of an object that are looked at.
const MAX_PARTS: usize = 16;

/// Finds out how instances of classes are destroyed.
///
/// # Safety
/// The thread is attached to `interp`, and its frames are published.
pub(super) unsafe fn prepare(interp: *mut ffi::PyInterpreterState) {
    if CLASS_DEALLOC.load(Ordering::Relaxed) != 0 {
        return;
    }
    // SAFETY: importlib's module exists while code runs. Its class for specifications is one of Python code.
    unsafe {
        let importlib = (*interp).imports.importlib;
        if importlib.is_null() {
            return;
        }
        let Some(class) = Owned::optional(ffi::PyObject_GetAttrString(importlib, c"ModuleSpec".as_ptr()))
        else {
            return ffi::PyErr_Clear();
        };
        if is_exact(class.as_ptr(), &raw mut ffi::PyType_Type) {
            let dealloc = (*class.as_ptr().cast::<ffi::PyTypeObject>()).tp_dealloc;
            CLASS_DEALLOC.store(dealloc.map_or(0, |dealloc| dealloc as usize), Ordering::Relaxed);
        }
    }
}

/// Whether the end of the object, which has no references any more, runs no Python code.
///
/// # Safety
/// The thread is attached. The object is not freed yet.
pub(super) unsafe fn ends_quietly(object: *mut PyObject) -> bool {
    // SAFETY: the object is not freed yet, and of the type that each function expects.
    unsafe {
        if is_plain(object) {
            return true;
        }
        if is_exact(object, &raw mut ffi::PyTuple_Type) {
            return parts_end_quietly(tuple_slice(object));
        }
        if is_exact(object, &raw mut ffi::PyList_Type) {
            let (items, count) = (list_items(object), size(object) as usize);
            return count == 0 || parts_end_quietly(core::slice::from_raw_parts(items, count));
        }
        if is_exact(object, &raw mut ffi::PyListIter_Type) {
            return parts_end_quietly(&[(*object.cast::<ffi::_PyListIterObject>()).it_seq.cast()]);
        }
        if is_exact(object, &raw mut ffi::PyMethod_Type) {
            let method = object.cast::<ffi::PyMethodObject>();
            return (*method).im_weakreflist.is_null()
                && parts_end_quietly(&[(*method).im_func, (*method).im_self]);
        }
        is_instance_that_ends_quietly(object)
    }
}

/// Whether the object refers to no others, and nothing is notified of its end.
///
/// # Safety
/// As for [`ends_quietly`].
unsafe fn is_plain(object: *mut PyObject) -> bool {
    // SAFETY: the object is not freed yet (caller).
    let type_ = unsafe { type_of(object) };
    type_ == &raw mut ffi::PyFloat_Type
        || type_ == &raw mut ffi::PyLong_Type
        || type_ == &raw mut ffi::PyUnicode_Type
        || type_ == &raw mut ffi::PyBytes_Type
        || type_ == &raw mut ffi::PyRangeIter_Type
}

/// Whether these parts of an object outlive it, or are plain.
///
/// # Safety
/// The thread is attached. The parts are live, or null.
unsafe fn parts_end_quietly(parts: &[*mut PyObject]) -> bool {
    parts.len() <= MAX_PARTS
        && parts.iter().all(|&part| {
            let references = parts.iter().filter(|&&other| other == part).count();
            // SAFETY: the part is live (caller). The count of an immortal object is negative.
            part.is_null() || unsafe { is_plain(part) || !(0..=references as i64).contains(&count(part)) }
        })
}

/// The number of references to the object; negative if it is immortal.
///
/// # Safety
/// The object is live.
unsafe fn count(object: *mut PyObject) -> i64 {
    // SAFETY: the object is live (caller).
    unsafe { i64::from((*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt as i32) }
}

/// Whether the object is an instance of a class of Python code, without a finalizer, weak references, slots or a dictionary,
/// and its attributes end quietly.
///
/// # Safety
/// As for [`ends_quietly`].
unsafe fn is_instance_that_ends_quietly(object: *mut PyObject) -> bool {
    // SAFETY: the object is not freed yet (caller). What its type says about its layout is true.
    unsafe {
        let type_ = type_of(object);
        let has_inline_values = type_flags(type_) & ffi::Py_TPFLAGS_INLINE_VALUES != 0;
        if !has_inline_values || !is_simple_class(type_) {
            return false;
        }
        let weak_references = (*type_).tp_weaklistoffset;
        let dict = object.byte_offset(MANAGED_DICT_OFFSET).cast::<*mut PyObject>();
        let is_referred_to = weak_references != 0
            && !object.byte_offset(weak_references).cast::<*mut PyObject>().read().is_null();
        if is_referred_to || !(*dict).is_null() || !InlineValues::of(object).are_valid() {
            return false;
        }
        parts_end_quietly(InlineValues::of(object).slots())
    }
}

/// Whether all classes that this one inherits from are classes of Python code without finalizers and slots.
///
/// # Safety
/// The type is live.
unsafe fn is_simple_class(mut type_: *mut ffi::PyTypeObject) -> bool {
    let dealloc = CLASS_DEALLOC.load(Ordering::Relaxed);
    // SAFETY: a type keeps its bases alive (caller). Those with this destructor are heap types.
    unsafe {
        while type_ != &raw mut ffi::PyBaseObject_Type {
            let is_of_python =
                (*type_).tp_dealloc.map_or(0, |dealloc| dealloc as usize) == dealloc && dealloc != 0;
            if !is_of_python || (*type_).tp_finalize.is_some() || (*type_).tp_del.is_some() {
                return false;
            }
            if !(*type_.cast::<ffi::PyHeapTypeObject>()).ht_slots.is_null() {
                return false;
            }
            type_ = (*type_).tp_base;
        }
    }
    true
}
