//! Attributes, `super()` and special methods.

use crate::engine::{Engine, Exit, Op, Settled};
use crate::host::{PyObject, StackRef, ffi};

pub unsafe fn guard_type_version<E: Engine>(_e: &mut E, _operand: u32, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn delete_attr<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn specialize_load_attr<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_attr_class<E: Engine>(_e: &mut E, _operand: u32, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_class<E: Engine>(_e: &mut E, _operand: *mut PyObject, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_getattribute_overridden<E: Engine>(
    _e: &mut E,
    _operand: (u32, u32, *mut PyObject),
    []: [StackRef; 0],
) -> Op {
    unimplemented!()
}

pub unsafe fn check_managed_object_has_values<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_instance_value<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_attr_method_lazy_dict<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_method_lazy_dict<E: Engine>(
    _e: &mut E,
    _operand: *mut PyObject,
    []: [StackRef; 0],
) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_method_no_dict<E: Engine>(
    _e: &mut E,
    _operand: *mut PyObject,
    []: [StackRef; 0],
) -> Op {
    unimplemented!()
}

pub unsafe fn guard_dorv_values_inst_attr_from_dict<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn guard_keys_version<E: Engine>(_e: &mut E, _operand: u32, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_method_with_values<E: Engine>(
    _e: &mut E,
    _operand: *mut PyObject,
    []: [StackRef; 0],
) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_module<E: Engine>(_e: &mut E, _operand: (u32, u16), []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_nondescriptor_no_dict<E: Engine>(
    _e: &mut E,
    _operand: *mut PyObject,
    []: [StackRef; 0],
) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_nondescriptor_with_values<E: Engine>(
    _e: &mut E,
    _operand: *mut PyObject,
    []: [StackRef; 0],
) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_property_frame<E: Engine>(
    _e: &mut E,
    _operand: *mut PyObject,
    []: [StackRef; 0],
) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_slot<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_attr_with_hint<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn insert_null<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_special<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn specialize_load_super_attr<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_super_attr<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_super_attr_attr<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_super_attr_method<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn specialize_store_attr<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn store_attr<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn guard_type_version_and_lock<E: Engine>(_e: &mut E, _operand: u32, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn guard_dorv_no_dict<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn store_attr_instance_value<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn store_attr_slot<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn store_attr_with_hint<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}
