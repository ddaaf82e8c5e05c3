//! LOAD_SUPER_ATTR.

use core::ffi::c_int;

use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::has_feature;
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

unsafe fn decide(super_: *mut PyObject, class: *mut PyObject, for_call: bool) -> Decision {
    if super_ != (&raw mut ffi::PySuper_Type).cast() {
        return Err(Refusal::SuperShadowed);
    }
    // SAFETY: the class is live.
    if !unsafe { has_feature(class, ffi::Py_TPFLAGS_TYPE_SUBCLASS) } {
        return Err(Refusal::AboutToFail);
    }
    Ok(Form::plain(if for_call { LOAD_SUPER_ATTR_METHOD } else { LOAD_SUPER_ATTR_ATTR }))
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
    let [super_, class] = [global_super, cls].map(|operand| StackRef::from_raw(operand).object());
    // SAFETY: the caller's promise.
    unsafe { conclude(CodeUnit::from_ptr(instr), decide(super_, class, load_method != 0)) }
}
