//! FOR_ITER: forms for iterators of lists, tuples and ranges, and for generators.

use core::ffi::c_int;

use super::python_function::default_evaluator;
use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::type_of;
use crate::host::{CodeUnit, PyObject, StackRef, dict, ffi};

/// The greatest jump for a form that keeps the distance in a frame (`return_offset`).
const FURTHEST: c_int = i16::MAX as c_int;

/// # Safety
/// As the module says.
unsafe fn decide(iterator: *mut PyObject, oparg: c_int) -> Decision {
    // SAFETY: the iterator is live and the thread attached (caller).
    unsafe {
        only_ours(iterator)?;
        let type_ = type_of(iterator);
        if type_ == &raw mut ffi::PyListIter_Type {
            // An exhausted iterator has no list.
            let list = (*iterator.cast::<ffi::_PyListIterObject>()).it_seq.cast::<PyObject>();
            if cfg!(py_gil_disabled) && (list.is_null() || !dict::is_readable(list)) {
                return Err(Refusal::SharedBetweenThreads);
            }
            Ok(Form::plain(FOR_ITER_LIST))
        } else if type_ == &raw mut ffi::PyTupleIter_Type {
            Ok(Form::plain(FOR_ITER_TUPLE))
        } else if type_ == &raw mut ffi::PyRangeIter_Type {
            Ok(Form::plain(FOR_ITER_RANGE))
        } else if type_ == &raw mut ffi::PyGen_Type && oparg <= FURTHEST {
            default_evaluator()?;
            Ok(Form::plain(FOR_ITER_GEN))
        } else {
            Err(Refusal::NoFormForOperands)
        }
    }
}

/// Checks that no other thread advances the iterator: the only reference to it is on this thread's stack.
/// With a GIL, only one thread runs.
///
/// # Safety
/// As the module says.
unsafe fn only_ours(iterator: *mut PyObject) -> Result<(), Refusal> {
    // SAFETY: the iterator is live (caller).
    if cfg!(py_gil_disabled) && unsafe { ffi::PyUnstable_Object_IsUniquelyReferenced(iterator) == 0 } {
        return Err(Refusal::SharedBetweenThreads);
    }
    Ok(())
}

/// Specializes a FOR_ITER.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(iterator: StackRef, instr: CodeUnit, oparg: c_int) {
    // SAFETY: the iterator is live, and `instr` is a FOR_ITER (caller).
    unsafe { conclude(instr, decide(iterator.object(), oparg)) }
}
