//! The symbols of `specialize.o`: one function per family of adaptive instructions, which replaces the
//! instruction by a specialized form or backs off. They cannot fail. The implementation is [`crate::specialize`].

use core::ffi::c_int;

use crate::host::{CodeUnit, PyObject, StackRef, ffi};
use crate::specialize::init_cleanup::{self, Constant};
use crate::specialize::{
    binary_op, call, call_kw, compare_op, contains_op, for_iter, load_attr, load_global, load_super_attr,
    quicken, send, store_attr, store_subscr, to_bool, unpack_sequence,
};

#[cfg(feature = "attach")]
hidden! {
    _Py_Specialize_BinaryOp, _Py_Specialize_Call, _Py_Specialize_CallKw, _Py_Specialize_CompareOp,
    _Py_Specialize_ContainsOp, _Py_Specialize_ForIter, _Py_Specialize_LoadAttr, _Py_Specialize_LoadGlobal,
    _Py_Specialize_LoadSuperAttr, _Py_Specialize_Send, _Py_Specialize_StoreAttr, _Py_Specialize_StoreSubscr,
    _Py_Specialize_ToBool, _Py_Specialize_UnpackSequence
}
#[cfg(feature = "attach")]
hidden! { static _Py_InitCleanup, static _PyCode_Quicken }

/// Specializes a BINARY_OP with the operator `oparg` for these operands. `locals` are the locals of the frame.
/// Borrows the operands.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes; the
/// operands and locals are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_BinaryOp(
    lhs: ffi::_PyStackRef,
    rhs: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    oparg: c_int,
    locals: *mut ffi::_PyStackRef,
) {
    // SAFETY: the callee has the same contract.
    unsafe {
        binary_op::specialize(
            StackRef::from_raw(lhs),
            StackRef::from_raw(rhs),
            CodeUnit::from_ptr(instr),
            oparg,
            locals,
        );
    }
}

/// Specializes a CALL of `callable` with `nargs` arguments, including a receiver. Borrows `callable`.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes;
/// `callable` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_Call(
    callable: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    nargs: c_int,
) {
    // SAFETY: the callee has the same contract.
    unsafe { call::specialize(StackRef::from_raw(callable), CodeUnit::from_ptr(instr), nargs) }
}

/// Specializes a CALL_KW of `callable`. Borrows it.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes;
/// `callable` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_CallKw(
    callable: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    _nargs: c_int,
) {
    // SAFETY: the callee has the same contract.
    unsafe { call_kw::specialize(StackRef::from_raw(callable), CodeUnit::from_ptr(instr)) }
}

/// Specializes a COMPARE_OP for these operands. The operator is in `oparg`, above the lower five bits. Borrows
/// the operands.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes; the
/// operands are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_CompareOp(
    lhs: ffi::_PyStackRef,
    rhs: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    oparg: c_int,
) {
    // SAFETY: the callee has the same contract.
    unsafe {
        compare_op::specialize(
            StackRef::from_raw(lhs),
            StackRef::from_raw(rhs),
            CodeUnit::from_ptr(instr),
            oparg,
        )
    }
}

/// Specializes a CONTAINS_OP for the container `value`. Borrows it.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes; the
/// container is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_ContainsOp(value: ffi::_PyStackRef, instr: *mut ffi::_Py_CODEUNIT) {
    // SAFETY: the callee has the same contract.
    unsafe { contains_op::specialize(StackRef::from_raw(value), CodeUnit::from_ptr(instr)) }
}

/// Specializes a FOR_ITER for the iterator `iter`. The loop is `oparg` code units long. Borrows the
/// iterator.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes; the
/// iterator is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_ForIter(
    iter: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    oparg: c_int,
) {
    // SAFETY: the callee has the same contract.
    unsafe { for_iter::specialize(StackRef::from_raw(iter), CodeUnit::from_ptr(instr), oparg) }
}

/// Specializes a LOAD_ATTR of `name` from `owner`. Borrows both.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes; the
/// objects are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_LoadAttr(
    owner: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    name: *mut PyObject,
) {
    // SAFETY: the callee has the same contract.
    unsafe { load_attr::specialize(StackRef::from_raw(owner), CodeUnit::from_ptr(instr), name) }
}

/// Specializes a LOAD_GLOBAL of `name` from these namespaces. Borrows all objects.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes; the
/// objects are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_LoadGlobal(
    globals: *mut PyObject,
    builtins: *mut PyObject,
    instr: *mut ffi::_Py_CODEUNIT,
    name: *mut PyObject,
) {
    // SAFETY: the callee has the same contract.
    unsafe { load_global::specialize(globals, builtins, CodeUnit::from_ptr(instr), name) }
}

/// Specializes a LOAD_SUPER_ATTR; if `load_method` is nonzero, one whose result is called. Borrows the
/// operands.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes; both
/// operands are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_LoadSuperAttr(
    global_super: ffi::_PyStackRef,
    cls: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    load_method: c_int,
) {
    // SAFETY: the callee has the same contract.
    unsafe {
        load_super_attr::specialize(
            StackRef::from_raw(global_super),
            StackRef::from_raw(cls),
            CodeUnit::from_ptr(instr),
            load_method != 0,
        )
    }
}

/// Specializes a SEND to `receiver`. Borrows it.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes; the
/// receiver is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_Send(receiver: ffi::_PyStackRef, instr: *mut ffi::_Py_CODEUNIT) {
    // SAFETY: the callee has the same contract.
    unsafe { send::specialize(StackRef::from_raw(receiver), CodeUnit::from_ptr(instr)) }
}

/// Specializes a STORE_ATTR of `name` to `owner`. Borrows both.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes; the
/// objects are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_StoreAttr(
    owner: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    name: *mut PyObject,
) {
    // SAFETY: the callee has the same contract.
    unsafe { store_attr::specialize(StackRef::from_raw(owner), CodeUnit::from_ptr(instr), name) }
}

/// Specializes a STORE_SUBSCR for this container and index. Borrows both.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes;
/// container and index are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_StoreSubscr(
    container: ffi::_PyStackRef,
    sub: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
) {
    // SAFETY: the callee has the same contract.
    unsafe {
        store_subscr::specialize(
            StackRef::from_raw(container),
            StackRef::from_raw(sub),
            CodeUnit::from_ptr(instr),
        )
    }
}

/// Specializes a TO_BOOL for `value`. Borrows it.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes; the
/// value is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_ToBool(value: ffi::_PyStackRef, instr: *mut ffi::_Py_CODEUNIT) {
    // SAFETY: the callee has the same contract.
    unsafe { to_bool::specialize(StackRef::from_raw(value), CodeUnit::from_ptr(instr)) }
}

/// Specializes an UNPACK_SEQUENCE of `seq` into `oparg` values. Borrows the sequence.
///
/// # Safety
/// The calling thread is attached and no exception is set; `instr` is the instruction that it executes; the
/// sequence is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_UnpackSequence(
    seq: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    oparg: c_int,
) {
    // SAFETY: the callee has the same contract.
    unsafe { unpack_sequence::specialize(StackRef::from_raw(seq), CodeUnit::from_ptr(instr), oparg) }
}

/// Initializes the counters and branch histories of new bytecode: `size` code units of generic instructions
/// that no thread executes yet. If `enable_counters` is zero, the bytecode is never specialized. Cannot fail.
///
/// # Safety
/// A thread is attached. `instructions` points to `size` code units of valid bytecode that no other thread
/// uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCode_Quicken(
    instructions: *mut ffi::_Py_CODEUNIT,
    size: ffi::Py_ssize_t,
    enable_counters: c_int,
) {
    // SAFETY: the units are there and used by no other thread (caller). The interpreter's configuration has
    // been read before any code is compiled.
    unsafe {
        let units = core::slice::from_raw_parts_mut(instructions.cast::<u16>(), size as usize);
        quicken::prepare(units, enable_counters != 0);
    }
}

/// The code of the frame below an `__init__` that is called without leaving the evaluator: checks that it
/// returned None, and returns the instance. It is executed as it is, not as the code of a function, and uses no
/// globals.
///
/// Its last instruction is a RESUME that is never executed, so that no tool traces it. None of its instructions
/// can be specialized.
#[unsafe(no_mangle)]
pub static _Py_InitCleanup: Constant<ffi::_PyCode8> = Constant(init_cleanup::code(
    #[cfg(py_gil_disabled)]
    &INIT_CLEANUP_COPIES,
));

/// Its array of copies: the main copy only.
#[cfg(py_gil_disabled)]
static INIT_CLEANUP_COPIES: Constant<ffi::_PyCodeArray> =
    Constant(init_cleanup::only_copy((&raw const _Py_InitCleanup.0.co_code_adaptive).cast()));
