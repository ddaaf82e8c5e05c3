//! Subscription and slicing.

use crate::engine::{Engine, Exit, Op, Settled};
use crate::host::{PyObject, StackRef, ffi};

pub unsafe fn binary_slice<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn delete_subscr<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn store_slice<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn specialize_store_subscr<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn store_subscr<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn store_subscr_dict<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn store_subscr_list_int<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn binary_op_subscr_dict<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn binary_op_subscr_check_func<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn binary_op_subscr_init_call<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn binary_op_subscr_list_int<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn binary_op_subscr_list_slice<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn binary_op_subscr_str_int<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn binary_op_subscr_tuple_int<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}
