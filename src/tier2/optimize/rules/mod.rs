//! One row a micro-op: what is known after it, and what becomes of it.
//!
//! A micro-op without a row takes its inputs and leaves values about which nothing is known, as its row in
//! `crate::bytecode::micro_ops` says. So a row is needed for correctness only where a micro-op changes a local
//! variable, a value that it keeps on the stack, or the frame, and where it may leave null.

mod attributes;
mod calls;
mod frames;
mod globals;
mod numbers;
mod truth;
mod tuples;

use super::analysis::{Analysis, Stop};
use super::class::Class;
use super::symbols::{Constant, Fact};
use crate::bytecode::micro_op as op;
use crate::host::ffi;

/// Applies the row of the current micro-op.
pub(super) fn apply(a: &mut Analysis) -> Result<(), Stop> {
    match a.uop().number() {
        // Local variables.
        op::load_fast | op::load_fast_borrow => load_local(a),
        op::load_fast_check => load_bound_local(a),
        op::load_fast_and_clear => take_local(a),
        op::store_fast => store_local(a),
        op::delete_fast => forget_local(a, Fact::Null),
        op::make_cell => forget_local(a, Fact::NonNull),
        op::copy_free_vars => free_variables(a),

        // The stack.
        op::push_null => a.push_new(Fact::Null),
        op::push_null_conditional => push_null_if_wanted(a),
        op::copy => copy_value(a),
        op::swap => swap_values(a),
        op::insert_null => null_below(a),
        op::end_send => drop_below(a),
        op::load_special => special_method(a),

        // Constants.
        op::load_const_mortal | op::load_const_immortal => load_constant(a),
        op::load_small_int => load_small(a),
        op::load_const_inline | op::load_const_inline_borrow => inline_constant(a, 0),
        op::pop_top_load_const_inline | op::pop_top_load_const_inline_borrow => inline_constant(a, 1),
        op::pop_two_load_const_inline_borrow => inline_constant(a, 2),

        // Guards of types.
        op::guard_tos_int => a.guard_class(0, Class::int()),
        op::guard_nos_int => a.guard_class(1, Class::int()),
        op::guard_tos_float => a.guard_class(0, Class::float()),
        op::guard_nos_float => a.guard_class(1, Class::float()),
        op::guard_tos_unicode => a.guard_class(0, Class::str()),
        op::guard_nos_unicode => a.guard_class(1, Class::str()),
        op::guard_tos_list => a.guard_class(0, Class::list()),
        op::guard_nos_list => a.guard_class(1, Class::list()),
        op::guard_tos_tuple => a.guard_class(0, Class::tuple()),
        op::guard_nos_tuple => a.guard_class(1, Class::tuple()),
        op::guard_tos_dict => a.guard_class(0, Class::dict()),
        op::guard_nos_dict => a.guard_class(1, Class::dict()),
        op::guard_tos_slice => a.guard_class(0, Class::slice()),
        op::guard_tos_any_set => guard_any_set(a),
        op::guard_type_version | op::guard_type_version_and_lock => attributes::guard_type_version(a, 0),
        op::guard_nos_type_version => attributes::guard_type_version(a, 1),
        op::check_attr_class => attributes::check_class(a),

        // Guards of values.
        op::guard_nos_null => a.guard(1, Fact::Null),
        op::guard_callable_type_1 => a.guard(2, Fact::Value(Constant::class_object(Class::type_()))),
        op::guard_callable_str_1 => a.guard(2, Fact::Value(Constant::class_object(Class::str()))),
        op::guard_callable_tuple_1 => a.guard(2, Fact::Value(Constant::class_object(Class::tuple()))),
        op::guard_callable_len => calls::guard_len(a),
        op::guard_is_true_pop => truth::guard_value(a, Constant::bool(true)),
        op::guard_is_false_pop => truth::guard_value(a, Constant::bool(false)),
        op::guard_is_none_pop => truth::guard_value(a, Constant::none()),
        op::guard_is_not_none_pop => truth::guard_not_none(a),

        // Truth.
        op::to_bool => truth::to_bool(a, None),
        op::to_bool_bool => truth::to_bool(a, Some(Fact::Class(Class::bool()))),
        op::to_bool_int => truth::to_bool(a, Some(Fact::Class(Class::int()))),
        op::to_bool_none => truth::to_bool(a, Some(Fact::Value(Constant::none()))),
        op::to_bool_list => truth::to_bool(a, None),
        op::to_bool_str => truth::to_bool(a, Some(Fact::Class(Class::str()))),
        op::replace_with_true => truth::always_true(a),
        op::unary_not => truth::not(a),
        op::is_op | op::contains_op | op::contains_op_set | op::contains_op_dict => a.result(Class::bool()),

        // Numbers and strings.
        op::binary_op => numbers::binary_op(a),
        op::binary_op_add_int => numbers::fold_ints(a, ffi::_PyLong_Add),
        op::binary_op_subtract_int => numbers::fold_ints(a, ffi::_PyLong_Subtract),
        op::binary_op_multiply_int => numbers::fold_ints(a, ffi::_PyLong_Multiply),
        op::binary_op_add_float => numbers::fold_floats(a, |left, right| left + right),
        op::binary_op_subtract_float => numbers::fold_floats(a, |left, right| left - right),
        op::binary_op_multiply_float => numbers::fold_floats(a, |left, right| left * right),
        op::binary_op_add_unicode => numbers::concatenate(a),
        op::binary_op_inplace_add_unicode => numbers::concatenate_into_local(a),
        op::compare_op => numbers::compare(a),
        op::compare_op_int => numbers::compare_ints(a),
        op::compare_op_float | op::compare_op_str => a.result(Class::bool()),
        op::iter_next_range | op::call_len => a.result(Class::int()),

        // Containers.
        op::build_tuple => tuples::build(a),
        op::build_list => a.result(Class::list()),
        op::build_slice => a.result(Class::slice()),
        op::build_map => a.result(Class::dict()),
        op::build_string | op::binary_op_subscr_str_int => a.result(Class::str()),
        op::build_set => a.result(Class::set()),
        op::binary_op_subscr_tuple_int => tuples::subscript(a),
        op::unpack_sequence_two_tuple => tuples::unpack(a, 2),
        op::unpack_sequence_tuple => tuples::unpack(a, a.oparg()),
        op::get_len => tuples::length(a),

        // Names.
        op::guard_globals_version => globals::guard(a),
        op::load_global_module => globals::load(a),
        op::load_global_builtins => globals::load_builtin(a),
        op::load_attr_module => globals::load_of_module(a),
        op::load_attr | op::load_super_attr_method => attributes::attribute_and_receiver(a),
        op::load_attr_method_with_values | op::load_attr_method_no_dict | op::load_attr_method_lazy_dict => {
            attributes::method(a)
        }
        op::load_attr_nondescriptor_with_values | op::load_attr_nondescriptor_no_dict => {
            attributes::attribute_of_type(a)
        }
        op::load_attr_class => attributes::attribute_of_class(a),

        // Calls.
        op::call_type_1 => calls::type_of(a),
        op::call_str_1 => calls::convert(a, Class::str()),
        op::call_tuple_1 => calls::convert(a, Class::tuple()),
        op::call_isinstance => calls::is_instance(a),
        op::check_function_version => calls::check_function_version(a),
        op::check_function_version_ex => calls::check_function(a, 3),
        op::check_function_exact_args => calls::check_exact_arguments(a),
        op::check_call_bound_method_exact_args => calls::check_bound_method(a),
        op::init_call_bound_method_exact_args | op::expand_method => calls::expand_method(a, 0),
        op::expand_method_kw => calls::expand_method(a, 1),
        op::expand_instance => calls::expand_instance(a),
        op::maybe_expand_method => calls::maybe_expand_method(a, 0),
        op::maybe_expand_method_kw => calls::maybe_expand_method(a, 1),
        op::check_and_allocate_object => calls::allocate_object(a),
        op::make_callargs_a_tuple => calls::make_arguments_a_tuple(a),
        op::check_pep_523 => calls::check_default_evaluator(a),
        op::check_stack_space | op::check_stack_space_operand => frames::check_stack_space(a),

        // Frames.
        op::init_call_py_exact_args | op::py_frame_general | op::py_frame_kw => frames::of_call(a),
        op::py_frame_ex => frames::of_spread_call(a),
        op::create_init_frame => frames::of_init(a),
        op::create_operator_frames => frames::of_operator(a),
        op::create_store_subscr_frames => frames::of_store_subscr(a),
        op::load_attr_property_frame => frames::of_inputs(a, 1),
        op::binary_op_subscr_init_call => frames::of_inputs(a, 2),
        op::push_frame => frames::push_frame(a),
        op::return_value | op::return_operator | op::return_consumer | op::return_consumer_only => {
            frames::return_value(a)
        }
        op::enter_consumer => frames::enter_consumer(a),
        op::add_to_sum => frames::add_to_sum(a),
        op::return_store_subscr => frames::return_store_subscr(a),
        op::return_generator => frames::return_generator(a),
        op::yield_value => frames::return_value(a),
        op::for_iter_gen_frame => frames::of_iteration(a),
        op::send_gen_frame => frames::of_send(a),
        op::for_iter_innermost | op::send_innermost => frames::enter_innermost(a),
        op::yield_to_receiver => frames::pass_on(a),

        // The end.
        op::jump_to_top | op::exit_trace => Err(Stop::End),

        _ => a.results(Fact::NonNull),
    }
}

fn load_local(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.local(a.oparg());
    a.push(value)
}

fn load_bound_local(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.local(a.oparg());
    if a.symbols.is_null(value) {
        // It raises.
        return Err(Stop::End);
    }
    a.learn(value, Fact::NonNull)?;
    a.push(value)
}

fn take_local(a: &mut Analysis) -> Result<(), Stop> {
    load_local(a)?;
    forget_local(a, Fact::Null)
}

fn store_local(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.pop();
    a.set_local(a.oparg(), value);
    Ok(())
}

/// The variable has another value, about which only `fact` is known.
fn forget_local(a: &mut Analysis, fact: Fact) -> Result<(), Stop> {
    let value = a.symbols.with(fact)?;
    a.set_local(a.oparg(), value);
    Ok(())
}

/// The last local variables are cells from here on.
fn free_variables(a: &mut Analysis) -> Result<(), Stop> {
    let count = a.frame().locals.len();
    for index in count - a.oparg()..count {
        let cell = a.symbols.with(Fact::NonNull)?;
        a.set_local(index, cell);
    }
    Ok(())
}

fn push_null_if_wanted(a: &mut Analysis) -> Result<(), Stop> {
    if a.oparg() & 1 == 0 {
        a.remove();
        return Ok(());
    }
    a.replace(op::push_null);
    a.push_new(Fact::Null)
}

fn copy_value(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.peek(a.oparg() - 1);
    a.push(value)
}

fn swap_values(a: &mut Analysis) -> Result<(), Stop> {
    let depth = a.oparg() - 1;
    let (top, other) = (a.peek(0), a.peek(depth));
    a.poke(0, other);
    a.poke(depth, top);
    Ok(())
}

fn null_below(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.pop();
    a.push_new(Fact::Null)?;
    a.push(value)
}

/// The value below the topmost one goes.
fn drop_below(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.pop();
    a.pop();
    a.push(value)
}

/// A method, and its receiver or null.
fn special_method(a: &mut Analysis) -> Result<(), Stop> {
    let (method, receiver) = (a.symbols.with(Fact::NonNull)?, a.symbols.unknown()?);
    a.poke(1, method);
    a.poke(0, receiver);
    Ok(())
}

fn load_constant(a: &mut Analysis) -> Result<(), Stop> {
    // SAFETY: the code of a frame is live, and has the constant that its instruction loads.
    let value = unsafe { Constant::new(a.code().constant(a.oparg())) };
    a.replace_by_constant(op::load_const_inline, op::load_const_inline_borrow, value);
    a.push_new(Fact::Value(value))
}

fn load_small(a: &mut Analysis) -> Result<(), Stop> {
    let value = Constant::small_int(a.oparg());
    a.push_new(Fact::Value(value))
}

fn inline_constant(a: &mut Analysis, popped: usize) -> Result<(), Stop> {
    // SAFETY: the trace keeps the object alive, or what it depends on does.
    let value = unsafe { Constant::new(a.uop().operand0 as *mut _) };
    a.pop_many(popped);
    a.push_new(Fact::Value(value))
}

fn guard_any_set(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.peek(0);
    if a.symbols.is_a(value, Class::set()) || a.symbols.is_a(value, Class::frozenset()) {
        a.remove();
    }
    Ok(())
}
