//! Tables that the host's compiler, tier 2 and JIT index. Source: `ceval.c`, `opcode.h`.

use core::ffi::c_uint;

use crate::host::ffi::*;

/// A binary operator. It takes two borrowed references and returns a new one, or null with an exception set.
pub(crate) type BinaryFunction = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;

pub(crate) const OPERATORS: usize = NB_OPARG_LAST as usize + 1;

/// The functions that BINARY_OP calls, indexed by its argument (`NB_*` in `opcode.h`).
pub(crate) static BINARY_OPERATORS: [BinaryFunction; OPERATORS] = by_index(&[
    (NB_ADD, PyNumber_Add),
    (NB_AND, PyNumber_And),
    (NB_FLOOR_DIVIDE, PyNumber_FloorDivide),
    (NB_LSHIFT, PyNumber_Lshift),
    (NB_MATRIX_MULTIPLY, PyNumber_MatrixMultiply),
    (NB_MULTIPLY, PyNumber_Multiply),
    (NB_REMAINDER, PyNumber_Remainder),
    (NB_OR, PyNumber_Or),
    (NB_POWER, _PyNumber_PowerNoMod),
    (NB_RSHIFT, PyNumber_Rshift),
    (NB_SUBTRACT, PyNumber_Subtract),
    (NB_TRUE_DIVIDE, PyNumber_TrueDivide),
    (NB_XOR, PyNumber_Xor),
    (NB_INPLACE_ADD, PyNumber_InPlaceAdd),
    (NB_INPLACE_AND, PyNumber_InPlaceAnd),
    (NB_INPLACE_FLOOR_DIVIDE, PyNumber_InPlaceFloorDivide),
    (NB_INPLACE_LSHIFT, PyNumber_InPlaceLshift),
    (NB_INPLACE_MATRIX_MULTIPLY, PyNumber_InPlaceMatrixMultiply),
    (NB_INPLACE_MULTIPLY, PyNumber_InPlaceMultiply),
    (NB_INPLACE_REMAINDER, PyNumber_InPlaceRemainder),
    (NB_INPLACE_OR, PyNumber_InPlaceOr),
    (NB_INPLACE_POWER, _PyNumber_InPlacePowerNoMod),
    (NB_INPLACE_RSHIFT, PyNumber_InPlaceRshift),
    (NB_INPLACE_SUBTRACT, PyNumber_InPlaceSubtract),
    (NB_INPLACE_TRUE_DIVIDE, PyNumber_InPlaceTrueDivide),
    (NB_INPLACE_XOR, PyNumber_InPlaceXor),
    (NB_SUBSCR, PyObject_GetItem),
]);

/// Puts each operator at its index. Compilation fails if the host has an operator that is not listed.
const fn by_index(operators: &[(c_uint, BinaryFunction); OPERATORS]) -> [BinaryFunction; OPERATORS] {
    let mut table = [operators[0].1; OPERATORS];
    let mut filled = [false; OPERATORS];
    let mut n = 0;
    while n < OPERATORS {
        let index = operators[n].0 as usize;
        assert!(!filled[index], "an operator is listed twice");
        filled[index] = true;
        table[index] = operators[n].1;
        n += 1;
    }
    table
}

/// The functions that CONVERT_VALUE calls, indexed by its argument (`FVC_*` in `opcode_utils.h`; `FVC_NONE`
/// has no function). Each takes a borrowed reference and returns a new `str`, or null with an exception set.
pub(crate) static CONVERSIONS: [conversion_func; FVC_ASCII as usize + 1] = {
    let mut table: [conversion_func; FVC_ASCII as usize + 1] = [None; FVC_ASCII as usize + 1];
    table[FVC_STR as usize] = Some(PyObject_Str);
    table[FVC_REPR as usize] = Some(PyObject_Repr);
    table[FVC_ASCII as usize] = Some(PyObject_ASCII);
    table
};
