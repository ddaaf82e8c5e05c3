//! Calls and function objects.

use crate::engine::{Engine, Exit, Op, Settled};
use crate::host::{PyObject, StackRef, ffi};

pub unsafe fn make_callargs_a_tuple<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn do_call_function_ex<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn exit_init_check<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn make_function<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn specialize_call<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn maybe_expand_method<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn do_call<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_and_allocate_object<E: Engine>(_e: &mut E, _operand: u32, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn create_init_frame<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_call_bound_method_exact_args<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn init_call_bound_method_exact_args<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_function_version<E: Engine>(_e: &mut E, _operand: u32, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_function_exact_args<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_stack_space<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_recursion_remaining<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn init_call_py_exact_args<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_method_version<E: Engine>(_e: &mut E, _operand: u32, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn expand_method<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn py_frame_general<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_builtin_class<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_builtin_fast<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_builtin_fast_with_keywords<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_builtin_o<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_isinstance<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn guard_callable_len<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_len<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_list_append<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_method_descriptor_fast<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_method_descriptor_fast_with_keywords<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_method_descriptor_noargs<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_method_descriptor_o<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_is_not_py_callable<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_non_py_general<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn guard_callable_str_1<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_str_1<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn guard_callable_tuple_1<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_tuple_1<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn guard_callable_type_1<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_type_1<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_intrinsic_1<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_intrinsic_2<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn specialize_call_kw<E: Engine>(_e: &mut E, _operand: u16, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn maybe_expand_method_kw<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn do_call_kw<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_method_version_kw<E: Engine>(_e: &mut E, _operand: u32, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn expand_method_kw<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn py_frame_kw<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_is_not_py_callable_kw<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn call_kw_non_py<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn check_function_version_kw<E: Engine>(_e: &mut E, _operand: u32, []: [StackRef; 0]) -> Op {
    unimplemented!()
}

pub unsafe fn set_function_attribute<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    unimplemented!()
}
