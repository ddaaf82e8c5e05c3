//! Building strings, lists, tuples, sets, dicts, templates; formatting.

use crate::engine::{Engine, Exit, Op, Settled};
use crate::host::{PyObject, StackRef, ffi};

pub unsafe fn build_template<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn format_simple<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn format_with_spec<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn build_interpolation<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn build_list<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn build_map<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn build_set<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn build_slice<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn build_string<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn build_tuple<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn convert_value<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn dict_merge<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn dict_update<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn list_append<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn list_extend<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn map_add<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn set_add<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn set_update<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}
