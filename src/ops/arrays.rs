//! Arrays of borrowed objects, which C functions take instead of stack references. Also for other rooms.

use core::mem::MaybeUninit;

use crate::host::{PyObject, PyResult, Raised, StackRef, ffi};

/// The number of objects that an array on the C stack holds. With more, the array is on the heap
/// (`MAX_STACKREF_SCRATCH`).
pub(super) const SCRATCH: usize = 10;

/// Calls `action` with `count` values as an array of borrowed objects. The slot before the array is writable.
/// Returns the result of `action`, or null with MemoryError.
///
/// # Safety
/// The thread is attached. `values` are `count` live references, which stay alive during the call.
#[inline(always)]
pub(super) unsafe fn with_objects(
    values: *mut StackRef,
    count: usize,
    action: impl FnOnce(*mut *mut PyObject) -> *mut PyObject,
) -> *mut PyObject {
    let mut scratch = [const { MaybeUninit::<*mut PyObject>::uninit() }; SCRATCH + 1];
    let scratch = scratch.as_mut_ptr().cast::<*mut PyObject>();
    // SAFETY: the scratch array has room for `SCRATCH` objects and one slot before, as `borrow_array`
    // requires. `free_array` gets the array from the slot before its first object.
    unsafe {
        let Ok(objects) = borrow_array(values, count, scratch.add(1)) else {
            return core::ptr::null_mut();
        };
        let result = action(objects);
        free_array(objects.sub(1), scratch);
        result
    }
}

/// Returns the objects of `count` stack references, borrowed, as an array for a vectorcall. The array is
/// `scratch` if they fit, otherwise new memory; the slot before its first object is writable. Fails with
/// MemoryError. The caller passes the address of that slot to [`free_array`].
///
/// # Safety
/// The thread is attached. `input` points to `count` live or null references. `scratch` has room for
/// [`SCRATCH`] objects, and for one more slot before them.
pub(crate) unsafe fn borrow_array(
    input: *const StackRef,
    count: usize,
    scratch: *mut *mut PyObject,
) -> PyResult<*mut *mut PyObject> {
    // SAFETY: there are `count` references to read, and the array, given or new, has room for them (caller,
    // checked).
    unsafe {
        let mut array = scratch;
        if count > SCRATCH {
            let memory = ffi::PyMem_Malloc((count + 1) * size_of::<*mut PyObject>());
            if memory.is_null() {
                ffi::PyErr_NoMemory();
                return Err(Raised);
            }
            array = memory.cast::<*mut PyObject>().add(1);
        }
        for index in 0..count {
            *array.add(index) = (*input.add(index)).object();
        }
        Ok(array)
    }
}

/// Frees the memory that [`borrow_array`] has allocated. Does nothing if `array` is `scratch`.
///
/// # Safety
/// The thread is attached. Both are addresses of the slot before the first object; `array` is from a call of
/// `borrow_array` with that `scratch` and has not been freed.
pub(crate) unsafe fn free_array(array: *mut *mut PyObject, scratch: *mut *mut PyObject) {
    if array != scratch {
        // SAFETY: the array is not the caller's memory, so `borrow_array` has allocated it (caller).
        unsafe { ffi::PyMem_Free(array.cast()) }
    }
}
