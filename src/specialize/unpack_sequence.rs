//! UNPACK_SEQUENCE: forms for tuples and lists.

use core::ffi::c_int;

use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::{size, type_of};
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

/// # Safety
/// As the module says.
unsafe fn decide(sequence: *mut PyObject, count: c_int) -> Decision {
    // SAFETY: the sequence is live (caller); it is a tuple or a list where its size is read.
    unsafe {
        let type_ = type_of(sequence);
        let is_tuple = type_ == &raw mut ffi::PyTuple_Type;
        if !is_tuple && type_ != &raw mut ffi::PyList_Type {
            Err(Refusal::NoFormForOperands)
        } else if size(sequence) != count as isize {
            Err(Refusal::AboutToFail)
        } else {
            Ok(Form::plain(match (is_tuple, count) {
                (true, 2) => UNPACK_SEQUENCE_TWO_TUPLE,
                (true, _) => UNPACK_SEQUENCE_TUPLE,
                (false, _) => UNPACK_SEQUENCE_LIST,
            }))
        }
    }
}

/// Specializes an UNPACK_SEQUENCE.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(sequence: StackRef, instr: CodeUnit, oparg: c_int) {
    // SAFETY: the sequence is live, and `instr` is an UNPACK_SEQUENCE (caller).
    unsafe { conclude(instr, decide(sequence.object(), oparg)) }
}
