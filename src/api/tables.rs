//! Tables that the host's compiler, tier 2 and JIT index.

use core::ffi::c_uint;

use crate::host::{PyObject, ffi};

type BinaryFunction = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;

/// `pow(base, exponent)`, for `**`.
unsafe extern "C" fn power(base: *mut PyObject, exponent: *mut PyObject) -> *mut PyObject {
    // SAFETY: the table's functions are called with live objects on an attached thread.
    unsafe { ffi::PyNumber_Power(base, exponent, crate::host::none()) }
}

/// `base **= exponent`.
unsafe extern "C" fn inplace_power(base: *mut PyObject, exponent: *mut PyObject) -> *mut PyObject {
    // SAFETY: as above.
    unsafe { ffi::PyNumber_InPlacePower(base, exponent, crate::host::none()) }
}

/// The functions behind BINARY_OP, by its argument (`NB_*` in `opcode.h`). Each takes two borrowed
/// references and returns a new one, or null with an exception set.
#[unsafe(no_mangle)]
pub static _PyEval_BinaryOps: [BinaryFunction; ffi::NB_OPARG_LAST as usize + 1] = {
    const fn set(
        mut table: [BinaryFunction; ffi::NB_OPARG_LAST as usize + 1],
        index: c_uint,
        function: BinaryFunction,
    ) -> [BinaryFunction; ffi::NB_OPARG_LAST as usize + 1] {
        table[index as usize] = function;
        table
    }
    set([power; ffi::NB_OPARG_LAST as usize + 1], ffi::NB_ADD, ffi::PyNumber_Add)
};
const _: BinaryFunction = inplace_power;
