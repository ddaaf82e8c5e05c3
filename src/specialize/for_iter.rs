//! FOR_ITER.

use core::ffi::c_int;

use super::python_function::default_evaluator;
use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::type_of;
use crate::host::{CodeUnit, PyObject, StackRef, dict, ffi};

/// How far a jump may be for a form that keeps the distance in a frame (`return_offset`).
const FURTHEST: c_int = i16::MAX as c_int;

unsafe fn decide(iterator: *mut PyObject, oparg: c_int) -> Decision {
    // SAFETY: the iterator is live.
    unsafe {
        only_ours(iterator)?;
        let type_ = type_of(iterator);
        if type_ == &raw mut ffi::PyListIter_Type {
            // An exhausted iterator has no list any more.
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

/// That no other thread advances the iterator: the only reference to it is the one on our stack. With a
/// GIL, threads take turns.
unsafe fn only_ours(iterator: *mut PyObject) -> Result<(), Refusal> {
    // SAFETY: the iterator is live.
    if cfg!(py_gil_disabled) && unsafe { ffi::PyUnstable_Object_IsUniquelyReferenced(iterator) == 0 } {
        return Err(Refusal::SharedBetweenThreads);
    }
    Ok(())
}

/// Looks for a form of a FOR_ITER, and gives it to the instruction.
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the iterator is
/// live.
pub(crate) unsafe fn specialize(iterator: StackRef, instr: CodeUnit, oparg: c_int) {
    // SAFETY: the caller's promise.
    unsafe { conclude(instr, decide(iterator.object(), oparg)) }
}
