//! Arguments of calls, and what is called. Source: `call.c`, `object.c`.

use core::ffi::c_int;
use core::ptr::{self, fn_addr_eq};

use crate::host::head::{has_feature, is_exact, type_of};
use crate::host::object::tuple_items;
use crate::host::{Owned, PyObject, StackRef, ffi, refcount};
use crate::raise;

hidden! { _PyStack_UnpackDict, _PyStack_UnpackDict_FreeNoDecRef, _PyObject_GetMethodStackRef }

/// Returns an array of new references: to the `nargs` objects in `args`, then to the values of the dictionary
/// `kwargs`. Stores a new tuple of the dictionary's keys to `*p_kwnames`. The slot before the array may be written.
/// Returns null with an exception set: TypeError if a key is not a string, or MemoryError.
///
/// # Safety
/// The thread is attached. `args` has `nargs` live objects, `kwargs` is a live dictionary, `p_kwnames` is writable.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyStack_UnpackDict(
    _tstate: *mut ffi::PyThreadState,
    args: *const *mut PyObject,
    nargs: isize,
    kwargs: *mut PyObject,
    p_kwnames: *mut *mut PyObject,
) -> *const *mut PyObject {
    // SAFETY: the objects are live (caller). No code runs that could change the dictionary, so it has as many items
    // as it says, and each place of tuple and array is filled once.
    unsafe {
        let keywords = ffi::PyDict_Size(kwargs);
        let Ok(names) = Owned::from_host(ffi::PyTuple_New(keywords)) else { return ptr::null() };
        let (nargs, keywords) = (nargs as usize, keywords as usize);
        let memory = ffi::PyMem_Malloc((1 + nargs + keywords) * size_of::<*mut PyObject>());
        if memory.is_null() {
            ffi::PyErr_NoMemory();
            return ptr::null();
        }
        let array = memory.cast::<*mut PyObject>().add(1);
        for index in 0..nargs {
            array.add(index).write(refcount::new_ref(*args.add(index)));
        }
        let mut all_strings = true;
        let (mut position, mut key, mut value) = (0, ptr::null_mut(), ptr::null_mut());
        for index in 0..keywords {
            if ffi::PyDict_Next(kwargs, &raw mut position, &raw mut key, &raw mut value) == 0 {
                break;
            }
            all_strings &= has_feature(key, ffi::Py_TPFLAGS_UNICODE_SUBCLASS);
            tuple_items(names.as_ptr()).add(index).write(refcount::new_ref(key));
            array.add(nargs + index).write(refcount::new_ref(value));
        }
        if !all_strings {
            raise!(PyExc_TypeError, c"keywords must be strings");
            for index in 0..nargs + keywords {
                refcount::decref(*array.add(index));
            }
            ffi::PyMem_Free(memory);
            return ptr::null();
        }
        p_kwnames.write(names.into_ptr());
        array
    }
}

/// Frees what [`_PyStack_UnpackDict`] has returned, except the references in the array.
///
/// # Safety
/// The thread is attached. Array and tuple come from one call of that function, and are not used any more.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyStack_UnpackDict_FreeNoDecRef(stack: *const *mut PyObject, kwnames: *mut PyObject) {
    // SAFETY: the allocation begins one slot before the array, and the caller owns the tuple.
    unsafe {
        ffi::PyMem_Free(stack.cast_mut().sub(1).cast());
        refcount::decref(kwnames);
    }
}

/// Loads the attribute `name` of `*self_` for a call, and stores a new reference to `*method`. For a method this is
/// its function; then the result is 1, and `*self_` has the receiver. For any other attribute the result is 0, and
/// `*self_` is released. So it is on failure, with `*method` empty and an exception set.
///
/// # Safety
/// The thread is attached and its frame is published. `*self_` is a live reference that the caller owns, `*method` is
/// empty, and `name` is a live string.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyObject_GetMethodStackRef(
    _tstate: *mut ffi::PyThreadState,
    self_: *mut ffi::_PyStackRef,
    name: *mut PyObject,
    method: *mut ffi::_PyStackRef,
) -> c_int {
    // SAFETY: the object is live (caller), and stays so while it is looked at.
    unsafe {
        let mut attribute = ptr::null_mut();
        let object = StackRef::from_raw(*self_).object();
        if ffi::_PyObject_GetMethod(object, name, &raw mut attribute) == 0 {
            return c_int::from(receive_attribute(self_, name, method, attribute));
        }
        // Places in programs where the types differ do this often.
        *method = StackRef::steal(attribute).raw();
        1
    }
}

/// The rest of [`_PyObject_GetMethodStackRef`] for an attribute that is no method, or null. Takes it over. Returns
/// whether `*self_` has a receiver.
///
/// # Safety
/// As for that function; `attribute` is what it has found.
#[inline(never)]
unsafe fn receive_attribute(
    self_: *mut ffi::_PyStackRef,
    name: *mut PyObject,
    method: *mut ffi::_PyStackRef,
    attribute: *mut PyObject,
) -> bool {
    // SAFETY: the references are live or null (caller). The object is released last.
    unsafe {
        let this = StackRef::from_raw(*self_);
        let (found, receiver) = match unpacked_class_method(this.object(), name, attribute) {
            Some((function, class)) => {
                refcount::decref(attribute);
                (function, StackRef::steal(class))
            }
            None => (attribute, StackRef::NULL),
        };
        if !found.is_null() {
            *method = StackRef::steal(found).raw();
        }
        *self_ = receiver.raw();
        this.close();
        !receiver.is_null()
    }
}

/// Function and class, as new references, if the bound method `attribute` was made by a `classmethod`. Then the host
/// calls the function with the class as its receiver.
///
/// # Safety
/// The thread is attached; `object` is live, `name` a live string, `attribute` null or what `object.name` has returned.
unsafe fn unpacked_class_method(
    object: *mut PyObject,
    name: *mut PyObject,
    attribute: *mut PyObject,
) -> Option<(*mut PyObject, *mut PyObject)> {
    // SAFETY: the objects are live (caller). A bound method keeps its function and its receiver alive.
    unsafe {
        let class = type_of(object);
        // One that is stored somewhere, and so was not made by this access, has another reference.
        let is_new_method = cfg!(host_unpacks_class_methods)
            && !attribute.is_null()
            && is_exact(attribute, &raw mut ffi::PyMethod_Type)
            && refcount::is_unique(attribute);
        if !is_new_method || !fn_addr_eq((*class).tp_getattro?, ffi::PyObject_GenericGetAttr as Getattro) {
            return None;
        }
        let descriptor = ffi::_PyType_Lookup(class, name);
        if descriptor.is_null() || !is_exact(descriptor, &raw mut ffi::PyClassMethod_Type) {
            return None;
        }
        let method = attribute.cast::<ffi::PyMethodObject>();
        Some((refcount::new_ref((*method).im_func), refcount::new_ref((*method).im_self)))
    }
}

type Getattro = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
