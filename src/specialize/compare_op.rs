//! COMPARE_OP: forms for two floats, two compact ints, and two strings.

use core::ffi::c_int;

use super::operand_types::CommonType;
use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::long_is_compact;
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

/// The form for operands of that type. `compact`: if they are ints, both are compact.
fn form(operands: CommonType, compact: bool, operator: c_int) -> Option<u8> {
    let is_equality = matches!(operator as u32, ffi::Py_EQ | ffi::Py_NE);
    match operands {
        CommonType::Float => Some(COMPARE_OP_FLOAT),
        CommonType::Int if compact => Some(COMPARE_OP_INT),
        CommonType::Str if is_equality => Some(COMPARE_OP_STR),
        CommonType::Int | CommonType::Str | CommonType::Other => None,
    }
}

/// # Safety
/// As the module says.
unsafe fn decide(left: *mut PyObject, right: *mut PyObject, operator: c_int) -> Decision {
    // SAFETY: the operands are live (caller), and of that type.
    let form = unsafe {
        let operands = CommonType::of(left, right);
        let compact = operands == CommonType::Int && long_is_compact(left) && long_is_compact(right);
        form(operands, compact, operator)
    };
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
            let of = |operands, compact| form(operands, compact, operator as c_int);
            assert_eq!(of(CommonType::Str, false), equality.then_some(COMPARE_OP_STR), "operator {operator}");
            assert_eq!(of(CommonType::Float, false), Some(COMPARE_OP_FLOAT), "operator {operator}");
            assert_eq!(of(CommonType::Int, true), Some(COMPARE_OP_INT), "operator {operator}");
            assert_eq!(of(CommonType::Int, false), None, "operator {operator}");
            assert_eq!(of(CommonType::Other, false), None, "operator {operator}");
        }
    }
}
