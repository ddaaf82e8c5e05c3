//! Arguments of calls, and what is called. Source: `call.c`, `object.c`.

use core::ffi::c_int;
use core::ptr;

use crate::host::head::has_feature;
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
/// its function; then the result is 1. For any other attribute the result is 0, and `*self_` is released. So it is on
/// failure, with `*method` empty and an exception set.
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
    // SAFETY: the object is live (caller), and stays so while it is looked at, because `*self_` is released last.
    unsafe {
        let this = StackRef::from_raw(*self_);
        let mut attribute = ptr::null_mut();
        let is_method = ffi::_PyObject_GetMethod(this.object(), name, &raw mut attribute);
        if !attribute.is_null() {
            *method = StackRef::steal(attribute).raw();
        }
        if is_method == 0 {
            *self_ = StackRef::NULL.raw();
            this.close();
        }
        is_method
    }
}
