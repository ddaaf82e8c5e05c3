//! The symbols of `specialize.o`.

use core::ffi::c_int;

use crate::host::{CodeUnit, PyObject, StackRef, ffi};
use crate::specialize::init_cleanup::{self, Constant};
use crate::specialize::{
    binary_op, call, call_kw, compare_op, contains_op, for_iter, load_attr, load_global, load_super_attr,
    quicken, send, store_attr, store_subscr, to_bool, unpack_sequence,
};

/// Specializes a BINARY_OP with the operator `oparg` for these operands, in a frame with these locals.
/// Takes no references and cannot fail. Stands for the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the
/// operands are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_BinaryOp(
    lhs: ffi::_PyStackRef,
    rhs: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    oparg: c_int,
    locals: *mut ffi::_PyStackRef,
) {
    // SAFETY: the contract of this function.
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

/// Specializes a CALL of this callable with `nargs` arguments, a receiver included. Takes no references
/// and cannot fail. Stands for the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the
/// callable is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_Call(
    callable: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    nargs: c_int,
) {
    // SAFETY: the contract of this function.
    unsafe { call::specialize(StackRef::from_raw(callable), CodeUnit::from_ptr(instr), nargs) }
}

/// Specializes a CALL_KW of this callable. Takes no references and cannot fail. Stands for the host's
/// symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the
/// callable is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_CallKw(
    callable: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    _nargs: c_int,
) {
    // SAFETY: the contract of this function.
    unsafe { call_kw::specialize(StackRef::from_raw(callable), CodeUnit::from_ptr(instr)) }
}

/// Specializes a COMPARE_OP for these operands; the operator is above the lower five bits of `oparg`.
/// Takes no references and cannot fail. Stands for the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the
/// operands are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_CompareOp(
    lhs: ffi::_PyStackRef,
    rhs: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    oparg: c_int,
) {
    // SAFETY: the contract of this function.
    unsafe {
        compare_op::specialize(
            StackRef::from_raw(lhs),
            StackRef::from_raw(rhs),
            CodeUnit::from_ptr(instr),
            oparg,
        )
    }
}

/// Specializes a CONTAINS_OP for this container. Takes no references and cannot fail. Stands for the
/// host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the
/// container is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_ContainsOp(value: ffi::_PyStackRef, instr: *mut ffi::_Py_CODEUNIT) {
    // SAFETY: the contract of this function.
    unsafe { contains_op::specialize(StackRef::from_raw(value), CodeUnit::from_ptr(instr)) }
}

/// Specializes a FOR_ITER, whose loop is `oparg` units long, for this iterator. Takes no references and
/// cannot fail. Stands for the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the
/// iterator is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_ForIter(
    iter: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    oparg: c_int,
) {
    // SAFETY: the contract of this function.
    unsafe { for_iter::specialize(StackRef::from_raw(iter), CodeUnit::from_ptr(instr), oparg) }
}

/// Specializes a LOAD_ATTR of `name` from this owner. Takes no references and cannot fail. Stands for
/// the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the objects
/// are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_LoadAttr(
    owner: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    name: *mut PyObject,
) {
    // SAFETY: the contract of this function.
    unsafe { load_attr::specialize(StackRef::from_raw(owner), CodeUnit::from_ptr(instr), name) }
}

/// Specializes a LOAD_GLOBAL of `name` from these namespaces. Takes no references and cannot fail.
/// Stands for the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the objects
/// are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_LoadGlobal(
    globals: *mut PyObject,
    builtins: *mut PyObject,
    instr: *mut ffi::_Py_CODEUNIT,
    name: *mut PyObject,
) {
    // SAFETY: the contract of this function.
    unsafe { load_global::specialize(globals, builtins, CodeUnit::from_ptr(instr), name) }
}

/// Specializes a LOAD_SUPER_ATTR, for a call of what it loads if `load_method` is not zero. Takes no
/// references and cannot fail. Stands for the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and both
/// operands are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_LoadSuperAttr(
    global_super: ffi::_PyStackRef,
    cls: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    load_method: c_int,
) {
    // SAFETY: the contract of this function.
    unsafe {
        load_super_attr::specialize(
            StackRef::from_raw(global_super),
            StackRef::from_raw(cls),
            CodeUnit::from_ptr(instr),
            load_method != 0,
        )
    }
}

/// Specializes a SEND to this receiver. Takes no references and cannot fail. Stands for the host's
/// symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the
/// receiver is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_Send(receiver: ffi::_PyStackRef, instr: *mut ffi::_Py_CODEUNIT) {
    // SAFETY: the contract of this function.
    unsafe { send::specialize(StackRef::from_raw(receiver), CodeUnit::from_ptr(instr)) }
}

/// Specializes a STORE_ATTR of `name` to this owner. Takes no references and cannot fail. Stands for
/// the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the objects
/// are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_StoreAttr(
    owner: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
    name: *mut PyObject,
) {
    // SAFETY: the contract of this function.
    unsafe { store_attr::specialize(StackRef::from_raw(owner), CodeUnit::from_ptr(instr), name) }
}

/// Specializes a STORE_SUBSCR for this container and index. Takes no references and cannot fail. Stands
/// for the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and container
/// and index are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_StoreSubscr(
    container: ffi::_PyStackRef,
    sub: ffi::_PyStackRef,
    instr: *mut ffi::_Py_CODEUNIT,
) {
    // SAFETY: the contract of this function.
    unsafe {
        store_subscr::specialize(
            StackRef::from_raw(container),
            StackRef::from_raw(sub),
            CodeUnit::from_ptr(instr),
        )
    }
}

/// Specializes a TO_BOOL for this value. Takes no references and cannot fail. Stands for the host's
/// symbol of this name (`specialize.c`).
///
/// # Safety
/// The thread is attached and no exception set; `instr` is the instruction that it runs, and the value is
/// live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Specialize_ToBool(value: ffi::_PyStackRef, instr: *mut ffi::_Py_CODEUNIT) {
    // SAFETY: the contract of this function.
    unsafe { to_bool::specialize(StackRef::from_raw(value), CodeUnit::from_ptr(instr)) }
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
    // SAFETY: the contract of this function.
    unsafe { unpack_sequence::specialize(StackRef::from_raw(seq), CodeUnit::from_ptr(instr), oparg) }
}

/// Makes the counters and branch histories of new bytecode: `size` units of generic instructions, which
/// nobody runs yet. Without `enable_counters`, it will never be specialized. Cannot fail. Stands for
/// the host's symbol of this name (`specialize.c`).
///
/// # Safety
/// The bytecode is valid and the caller's alone; a thread is attached.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyCode_Quicken(
    instructions: *mut ffi::_Py_CODEUNIT,
    size: ffi::Py_ssize_t,
    enable_counters: c_int,
) {
    // SAFETY: the contract of this function.
    unsafe {
        let units = core::slice::from_raw_parts_mut(instructions.cast::<u16>(), size as usize);
        quicken::prepare(units, enable_counters != 0);
    }
}

/// Code that is run as it is, not as that of a function, and that knows no globals.
///
/// Its last instruction is a RESUME that is never run, so that no tool traces it; none of its
/// instructions can be specialized. Stands for the host's symbol of this name (`specialize.c`).
#[unsafe(no_mangle)]
pub static _Py_InitCleanup: Constant<ffi::_PyCode8> = Constant(init_cleanup::code(
    #[cfg(py_gil_disabled)]
    &INIT_CLEANUP_COPIES,
));

/// The copies of its bytecode: the main one only.
#[cfg(py_gil_disabled)]
static INIT_CLEANUP_COPIES: Constant<ffi::_PyCodeArray> =
    Constant(init_cleanup::only_copy((&raw const _Py_InitCleanup.0.co_code_adaptive).cast()));
