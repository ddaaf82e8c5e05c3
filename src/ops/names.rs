//! Names in modules, classes and builtins; imports.

use crate::engine::{Engine, Exit, Op, Settled};
use crate::host::{PyObject, StackRef, ffi};

pub unsafe fn load_build_class<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_locals<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn setup_annotations<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn delete_global<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn delete_name<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn import_from<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn import_name<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn push_null_conditional<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_from_dict_or_deref<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_from_dict_or_globals<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn specialize_load_global<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_global<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn guard_globals_version<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_global_builtins<E: Engine>(_e: &mut E, _operand: (u16, u16), []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_global_module<E: Engine>(_e: &mut E, _operand: (u16, u16), []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn load_name<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn store_global<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn store_name<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}
