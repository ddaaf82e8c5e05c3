//! COMPARE_OP: forms for two floats, two compact ints, and two strings.

use core::ffi::c_int;

use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::{long_is_compact, type_of};
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

/// Operands of the same type, as far as forms depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operands {
    Floats,
    Ints { compact: bool },
    Strings,
}

fn form(operands: Operands, operator: c_int) -> Option<u8> {
    let operator = operator as u32;
    match operands {
        Operands::Floats => Some(COMPARE_OP_FLOAT),
        Operands::Ints { compact: true } => Some(COMPARE_OP_INT),
        Operands::Strings if operator == ffi::Py_EQ || operator == ffi::Py_NE => Some(COMPARE_OP_STR),
        Operands::Ints { compact: false } | Operands::Strings => None,
    }
}

/// # Safety
/// As the module says.
unsafe fn operands(left: *mut PyObject, right: *mut PyObject) -> Option<Operands> {
    // SAFETY: the operands are live (caller).
    unsafe {
        let type_ = type_of(left);
        if type_ != type_of(right) {
            None
        } else if type_ == &raw mut ffi::PyFloat_Type {
            Some(Operands::Floats)
        } else if type_ == &raw mut ffi::PyLong_Type {
            Some(Operands::Ints { compact: long_is_compact(left) && long_is_compact(right) })
        } else if type_ == &raw mut ffi::PyUnicode_Type {
            Some(Operands::Strings)
        } else {
            None
        }
    }
}

/// # Safety
/// As the module says.
unsafe fn decide(left: *mut PyObject, right: *mut PyObject, operator: c_int) -> Decision {
    // SAFETY: the operands are live (caller).
    let operands = unsafe { operands(left, right) };
    let form = operands.and_then(|operands| form(operands, operator));
    form.map(Form::plain).ok_or(Refusal::NoFormForOperands)
}

/// Specializes a COMPARE_OP.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(left: StackRef, right: StackRef, instr: CodeUnit, oparg: c_int) {
    // SAFETY: the operands are live, and `instr` is a COMPARE_OP (caller). The operator is in the upper bits
    // of its argument.
    unsafe { conclude(instr, decide(left.object(), right.object(), oparg >> 5)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_compared_for_equality_only() {
        for operator in 0..=ffi::Py_GE {
            let equality = operator == ffi::Py_EQ || operator == ffi::Py_NE;
            let expected = equality.then_some(COMPARE_OP_STR);
            assert_eq!(form(Operands::Strings, operator as c_int), expected, "operator {operator}");
            let of = |operands| form(operands, operator as c_int);
            assert_eq!(of(Operands::Floats), Some(COMPARE_OP_FLOAT), "operator {operator}");
            assert_eq!(of(Operands::Ints { compact: true }), Some(COMPARE_OP_INT), "operator {operator}");
            assert_eq!(of(Operands::Ints { compact: false }), None, "operator {operator}");
        }
    }
}
