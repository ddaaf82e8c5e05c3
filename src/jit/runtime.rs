//! Functions that machine code calls, beside micro-ops.

use crate::calls::frames;
use crate::host::dict::InlineValues;
use crate::host::object::{list_append, size, type_flags, type_of};
use crate::host::slot::Slot;
use crate::host::{Frame, PyObject, StackRef, ThreadState, ffi, numbers, refcount};
use crate::ops::trampolines;

/// Makes a float. The process ends if there is no memory.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
pub(super) unsafe extern "C" fn new_float(tstate: ThreadState, value: f64) -> StackRef {
    // SAFETY: the thread is attached (caller).
    unsafe { owned(numbers::new_float(tstate, value)) }
}

/// Makes an int. The process ends if there is no memory.
///
/// # Safety
/// As for [`new_float`].
pub(super) unsafe extern "C" fn new_int(tstate: ThreadState, value: i64) -> StackRef {
    // SAFETY: the thread is attached (caller).
    unsafe { owned(numbers::int(tstate, value as isize)) }
}

/// A reference that the caller owns, to a new object.
///
/// # Safety
/// `object` is null, or a new reference.
pub(super) unsafe fn owned(object: *mut PyObject) -> StackRef {
    // SAFETY: the reference is new (caller). The arguments are C strings, and the function does not return.
    unsafe {
        if object.is_null() {
            ffi::_Py_FatalErrorFunc(c"machine code".as_ptr(), c"no memory for a number".as_ptr());
        }
        StackRef::steal(object)
    }
}

/// Destroys an object whose count is 0, and whose end runs no Python code.
///
/// # Safety
/// The thread is attached, and `_tstate` is its state. Nothing refers to the object.
pub(super) unsafe extern "C" fn release(_tstate: ThreadState, object: *mut PyObject) {
    // SAFETY: the contract is the same.
    unsafe { refcount::release(object) }
}

/// Destroys a float whose count is 0.
///
/// # Safety
/// As for [`release`].
pub(super) unsafe extern "C" fn free_float(tstate: ThreadState, float: *mut PyObject) {
    // SAFETY: nothing refers to the float (caller).
    unsafe {
        if !numbers::free_float(tstate, float) {
            refcount::release(float);
        }
    }
}

/// Releases the reference of a variable to a number, which is in a register from now on.
///
/// # Safety
/// The thread is attached, and `_tstate` is its state. The variable is not used any more.
pub(super) unsafe extern "C" fn drop_number(_tstate: ThreadState, number: StackRef) {
    // SAFETY: the variable has owned the reference (caller).
    unsafe { number.close() }
}

/// Leaves `frame`, whose result is taken. Returns the frame below, which is current now.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is its current frame, published, and another one that executes
/// code is below it.
pub(super) unsafe extern "C" fn leave_frame(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: there is a frame below (caller). The frame is not linked any more when its contents are released.
    unsafe {
        let caller = frame.caller();
        tstate.leave_python_call();
        tstate.set_current_frame(Some(caller));
        frames::clear_and_pop(tstate, frame);
        tstate.current_frame().unwrap_unchecked()
    }
}

/// Leaves the trampoline of an operator, whose result is taken. Returns the frame below, which is current now.
///
/// # Safety
/// As for [`leave_frame`].
pub(super) unsafe extern "C" fn leave_trampoline(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: the trampoline is current, and has the operands of a BINARY_OP (caller).
    unsafe { leave_trampoline_with::<{ trampolines::OPERATOR }>(tstate, frame) }
}

/// The same for the trampoline of a STORE_SUBSCR.
///
/// # Safety
/// As for [`leave_frame`].
pub(super) unsafe extern "C" fn leave_store_trampoline(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: the trampoline is current, and has the operands of a STORE_SUBSCR (caller).
    unsafe { leave_trampoline_with::<{ trampolines::STORE }>(tstate, frame) }
}

/// # Safety
/// As for [`leave_frame`]; the frame is a trampoline with N operands.
unsafe fn leave_trampoline_with<const N: usize>(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: the trampoline is not linked any more when the operands are released.
    unsafe {
        let (mut operands, caller) = trampolines::take_off::<N>(tstate, frame);
        if N == trampolines::STORE {
            operands.reverse();
        }
        for operand in operands {
            operand.close();
        }
        caller
    }
}

/// Records that an attribute of `object` was stored for the first time.
///
/// # Safety
/// `object` is live, and `slot` is one of its inline values.
pub(super) unsafe extern "C" fn append_to_order(object: *mut PyObject, slot: *mut *mut PyObject) {
    // SAFETY: the slot is one of the values (caller).
    unsafe { InlineValues::of(object).append_to_order(Slot::at(slot)) }
}

/// Appends an item to a list that is full. Takes over the reference to the item. Returns 0, or 1 with an exception.
///
/// # Safety
/// The thread is attached. The list is live, and the caller owns the item.
pub(super) unsafe extern "C" fn append_slowly(list: *mut PyObject, item: *mut PyObject) -> usize {
    // SAFETY: the contract is the same.
    unsafe { list_append(list, item) }.is_err().into()
}

/// A new instance of a class, or null without memory. No exception is set.
///
/// # Safety
/// The thread is attached. The class is live, and its instances are made without code of its own.
pub(super) unsafe extern "C" fn new_instance(class: *mut ffi::PyTypeObject) -> *mut PyObject {
    // SAFETY: the class is live (caller). With a GIL, no Python code runs: the collector is only requested.
    unsafe {
        let instance = ffi::PyType_GenericAlloc(class, 0);
        if instance.is_null() {
            ffi::PyErr_Clear();
        }
        instance
    }
}

/// A new iterator over the numbers from `start` up to `end`, or null without memory. No exception is set.
///
/// # Safety
/// The thread is attached. Both are less than 2 to the power of 62.
pub(super) unsafe extern "C" fn new_range_iterator(start: i64, end: i64) -> *mut PyObject {
    // SAFETY: the thread is attached (caller). All fields are set before the object is used.
    unsafe {
        let iterator = ffi::_PyObject_New(&raw mut ffi::PyRangeIter_Type).cast::<ffi::_PyRangeIterObject>();
        if iterator.is_null() {
            ffi::PyErr_Clear();
            return core::ptr::null_mut();
        }
        (*iterator).start = start;
        (*iterator).step = 1;
        (*iterator).len = (end - start).max(0);
        iterator.cast()
    }
}

/// The length of an object whose type is one of the host's that code asks for it most, or -1. No exception is set.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is live.
pub(super) unsafe extern "C" fn length(object: *mut PyObject) -> isize {
    // SAFETY: the object is live (caller), and of the type that each branch expects.
    unsafe {
        let type_ = type_of(object);
        if type_ == &raw mut ffi::PyList_Type
            || type_ == &raw mut ffi::PyTuple_Type
            || type_ == &raw mut ffi::PyBytes_Type
        {
            size(object)
        } else if type_ == &raw mut ffi::PyDict_Type {
            (*object.cast::<ffi::PyDictObject>()).ma_used
        } else if type_ == &raw mut ffi::PySet_Type || type_ == &raw mut ffi::PyFrozenSet_Type {
            (*object.cast::<ffi::PySetObject>()).used
        } else if type_ == &raw mut ffi::PyUnicode_Type {
            (*object.cast::<ffi::PyASCIIObject>()).length
        } else if type_ == &raw mut ffi::PyRange_Type {
            length_of_range(object)
        } else {
            length_of_subclass(object)
        }
    }
}

/// The same for an object of a class that inherits its length from a dict, list or tuple.
///
/// # Safety
/// As for [`length`].
#[cold]
unsafe fn length_of_subclass(object: *mut PyObject) -> isize {
    // SAFETY: the object is live (caller), and of the type whose function its own type has.
    unsafe {
        let of_sequence = |type_: *mut ffi::PyTypeObject| {
            (*type_).tp_as_sequence.as_ref().and_then(|slots| slots.sq_length).map(|length| length as usize)
        };
        let of_mapping = |type_: *mut ffi::PyTypeObject| {
            (*type_).tp_as_mapping.as_ref().and_then(|slots| slots.mp_length).map(|length| length as usize)
        };
        let (type_, dict) = (type_of(object), &raw mut ffi::PyDict_Type);
        let (list, tuple) = (&raw mut ffi::PyList_Type, &raw mut ffi::PyTuple_Type);
        let flags = type_flags(type_);
        if flags & ffi::Py_TPFLAGS_DICT_SUBCLASS != 0 && of_mapping(type_) == of_mapping(dict) {
            // The slot of sequences comes first.
            if of_sequence(type_) == of_sequence(dict) {
                return (*object.cast::<ffi::PyDictObject>()).ma_used;
            }
        } else if flags & ffi::Py_TPFLAGS_LIST_SUBCLASS != 0 && of_sequence(type_) == of_sequence(list)
            || flags & ffi::Py_TPFLAGS_TUPLE_SUBCLASS != 0 && of_sequence(type_) == of_sequence(tuple)
        {
            return size(object);
        }
        -1
    }
}

/// The length of a range, or -1 if it is too long for a Py_ssize_t.
///
/// # Safety
/// The thread is attached, and the object is a range.
#[cold]
unsafe fn length_of_range(range: *mut PyObject) -> isize {
    // SAFETY: the function expects a range (caller), and runs no Python code.
    unsafe {
        let Some(length) = (*ffi::PyRange_Type.tp_as_sequence).sq_length else { return -1 };
        let result = length(range);
        if result < 0 {
            ffi::PyErr_Clear();
        }
        result
    }
}
