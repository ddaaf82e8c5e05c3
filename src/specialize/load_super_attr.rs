//! LOAD_SUPER_ATTR: forms for the built-in `super`, with and without a call of the attribute.

use super::{Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::object::has_feature;
use crate::host::{CodeUnit, PyObject, StackRef, ffi};

/// # Safety
/// As the module says.
unsafe fn decide(super_: *mut PyObject, class: *mut PyObject, for_call: bool) -> Decision {
    if super_ != (&raw mut ffi::PySuper_Type).cast() {
        return Err(Refusal::SuperShadowed);
    }
    // SAFETY: the class is live (caller).
    if !unsafe { has_feature(class, ffi::Py_TPFLAGS_TYPE_SUBCLASS) } {
        return Err(Refusal::AboutToFail);
    }
    Ok(Form::plain(if for_call { LOAD_SUPER_ATTR_METHOD } else { LOAD_SUPER_ATTR_ATTR }))
}

/// Specializes a LOAD_SUPER_ATTR.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(global_super: StackRef, class: StackRef, instr: CodeUnit, load_method: bool) {
    // SAFETY: the operands are live, and `instr` is a LOAD_SUPER_ATTR (caller).
    unsafe { conclude(instr, decide(global_super.object(), class.object(), load_method)) }
}
