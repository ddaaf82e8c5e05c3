//! UNPACK_SEQUENCE.

use core::ffi::c_int;

use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::{size, type_of};
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

unsafe fn decide(sequence: *mut PyObject, count: c_int) -> Decision {
    // SAFETY: the sequence is live; tuples and lists have a size.
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

/// Specializes an UNPACK_SEQUENCE into `oparg` values for this sequence. Takes no references and cannot
/// fail. Stands for the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the
/// sequence is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_UnpackSequence(
    seq: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    oparg: c_int,
) {
    // SAFETY: the caller's promise.
    unsafe { conclude(CodeUnit::from_ptr(instr), decide(StackRef::from_raw(seq).object(), oparg)) }
}
