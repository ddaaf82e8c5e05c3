//! What an instruction meets, in words: for a run that is explained.

use super::super::explained::type_name;
use super::super::translate::Running;
use crate::bytecode::opcode;
use crate::host::{PyObject, StackRef};

/// What the instruction is about to meet. `None` if it says nothing.
///
/// # Safety
/// The thread is attached. The instruction is about to run, and `sp` is the stack pointer of its frame.
pub(super) unsafe fn meets(instruction: &Running, sp: *mut StackRef) -> Option<String> {
    let row = instruction.row();
    // SAFETY: the stack has the operands of the instruction (caller).
    unsafe {
        let operand = |depth: usize| {
            let value = *sp.sub(depth);
            (!value.is_null()).then(|| value.object())
        };
        let oparg = instruction.oparg();
        match row.family.unwrap_or(row.opcode) {
            opcode::FOR_ITER | opcode::GET_ITER | opcode::UNPACK_SEQUENCE | opcode::TO_BOOL => {
                Some(type_name(operand(1)?))
            }
            opcode::SEND => Some(type_name(operand(2)?)),
            opcode::BINARY_OP | opcode::COMPARE_OP | opcode::CONTAINS_OP => {
                Some(format!("{}, {}", type_name(operand(2)?), type_name(operand(1)?)))
            }
            opcode::STORE_SUBSCR => Some(type_name(operand(2)?)),
            opcode::LOAD_ATTR | opcode::STORE_ATTR => Some(type_name(operand(1)?)),
            opcode::CALL => Some(callable(operand(oparg + 2)?)),
            opcode::CALL_KW => Some(callable(operand(oparg + 3)?)),
            opcode::CALL_FUNCTION_EX => Some(callable(operand(4)?)),
            _ => None,
        }
    }
}

/// What is called.
///
/// # Safety
/// The object is live, and the thread attached.
unsafe fn callable(object: *mut PyObject) -> String {
    // SAFETY: the contract is the same.
    unsafe { type_name(object) }
}
