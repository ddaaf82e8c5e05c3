//! What each micro-op becomes in machine code.
//!
//! One that is not named here runs as a call ([`Lowering::call_helper`]), which is always right.

mod arrays;
mod attributes;
mod binding;
mod calls;
mod consumers;
mod containers;
mod filling;
mod generators;
mod instances;
mod items;
mod known_calls;
mod lookups;
mod names;
mod numbers;
mod operators;
mod pairs;
mod quiet_calls;
mod stack;
mod texts;
mod trampolines;
mod tuples;

use core::mem::offset_of;

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;

pub(super) use self::attributes::types_are_live;
use self::containers::Sequence;
use self::numbers::{IntOperation, float_condition, int_condition};
use super::lower::{Lowered, Lowering, immortal};
use super::memory::{Failure, has_room, original};
use super::runtime;
use super::values::Class;
use crate::bytecode::micro_op as op;
use crate::host::ffi;
use crate::specialize::extension::of_description;
use crate::tier2::Uop;
use crate::tier2::compiled::Next;
use crate::tier2::uop::OperandKinds;

const FAILED: usize = Next::FAILED_GUARD;

impl Lowering<'_> {
    /// Lowers a micro-op that does not end the trace.
    ///
    /// # Safety
    /// The thread is attached. What the operands of the trace refer to is live.
    pub(super) unsafe fn micro_op(&mut self, uop: Uop) -> Lowered {
        let number = original(uop.number());
        let oparg = usize::from(uop.oparg);
        if self.move_values(number, uop)? || self.compute(number, uop)? || self.look_inside(number, uop)? {
            return Ok(());
        }
        match number {
            op::nop | op::make_warm => {}
            op::check_validity => self.check_validity()?,
            op::set_ip => self.state.top().instr = Some(uop.operand0),
            op::save_return_offset => self.state.top().return_offset = Some(uop.oparg),
            op::check_periodic | op::tier2_resume_check => {
                let requests = self.requests();
                let how = if number == op::check_periodic { 0 } else { FAILED };
                self.guard_not(requests, how)?;
            }
            op::check_pep_523 => self.check_pep_523()?,
            op::check_function_version => self.check_function_version(oparg + 2, uop.operand0)?,
            op::check_function_version_inline => self.check_version_at(uop.operand1, uop.operand0)?,
            op::check_stack_space_operand => {
                self.check_stack_space(uop.operand0 as usize, FAILED)?;
                self.check_recursion_remaining(FAILED)?;
            }
            // SAFETY: what the operands refer to is live (caller).
            op::check_stack_space if unsafe { self.check_stack_space_of_call()? } => {}
            op::check_recursion_remaining => self.check_recursion_remaining(FAILED)?,
            // SAFETY: as above.
            op::check_function_exact_args if unsafe { self.check_exact_args(oparg)? } => {}
            op::check_function_version_kw => self.check_function_version(oparg + 3, uop.operand0)?,
            op::check_method_version => self.check_method_version(oparg, uop.operand0)?,
            op::check_method_version_kw => self.check_method_version(oparg + 1, uop.operand0)?,
            op::expand_method => self.expand_bound_method(oparg),
            op::expand_method_kw => self.expand_bound_method(oparg + 1),
            // SAFETY: as above.
            op::py_frame_general if unsafe { self.bind_arguments(oparg, false)? } => {}
            // SAFETY: as above.
            op::py_frame_kw if unsafe { self.bind_arguments(oparg, true)? } => {}
            // SAFETY: as above.
            op::init_call_py_exact_args if unsafe { self.init_call(oparg) } => {}
            // SAFETY: as above.
            op::check_and_allocate_object if unsafe { self.allocate_instance(uop)? } => {}
            // SAFETY: as above.
            op::create_init_frame if unsafe { self.create_init_frame(oparg) } => {}
            op::create_operator_frames | op::create_store_subscr_frames
                // SAFETY: as above.
                if unsafe { self.create_method_frames(uop) } => {}
            // SAFETY: as above.
            op::binary_op_subscr_check_func if unsafe { self.check_getitem()? } => {}
            // SAFETY: as above.
            op::binary_op_subscr_init_call if unsafe { self.call_getitem() } => {}
            // SAFETY: as above.
            op::load_attr_property_frame if unsafe { self.call_getter(uop)? } => {}
            op::return_operator => self.return_operator()?,
            op::return_store_subscr => self.return_store_subscr()?,
            op::guard_consumer => self.guard_consumer(uop)?,
            op::enter_consumer => self.enter_consumer(uop)?,
            op::add_to_sum => self.add_to_sum(uop)?,
            op::return_consumer => self.return_consumer(runtime::leave_consumer as *const () as usize)?,
            op::return_consumer_only => {
                self.return_consumer(runtime::leave_empty_consumer as *const () as usize)?;
            }
            op::expand_instance if self.types_are_live => self.expand_instance(uop)?,
            op::check_call_bound_method_exact_args => self.check_bound_method(oparg)?,
            op::init_call_bound_method_exact_args => self.expand_bound_method(oparg),
            op::check_function => self.check_function(uop.operand0)?,
            op::exit_init_check => self.check_result_of_init()?,
            op::push_frame => {
                if let Some(new) = self.new_frame.take() {
                    self.push_virtual_frame(new);
                } else if let Some(resumed) = self.resumed.take() {
                    self.push_generator_frame(resumed)?;
                } else {
                    self.push_frame_in_memory()?;
                }
            }
            op::resume_check => self.resume_check()?,
            op::guard_nos_generator_at => self.guard_generator_at(2, uop.operand0, uop.operand1, true)?,
            op::guard_tos_generator_at => self.guard_generator_at(1, uop.operand0, uop.operand1, false)?,
            op::for_iter_gen_frame => self.for_iter_generator(oparg)?,
            op::send_gen_frame => self.send_to_generator(oparg)?,
            // What comes next does that, too.
            op::guard_tos_innermost_at | op::guard_nos_innermost_at | op::guard_passes_to => {}
            op::for_iter_innermost => self.go_inwards(1, uop)?,
            op::send_innermost => self.go_inwards(2, uop)?,
            op::yield_to_receiver => self.yield_to_receiver(uop.oparg != 0)?,
            op::yield_value => self.yield_value(uop.oparg != 0)?,
            op::return_value => self.return_value()?,
            op::guard_returns_to => self.guard_continues_at(uop.operand0, uop.operand1, true)?,
            op::guard_yields_to => self.guard_continues_at(uop.operand0, uop.operand1, false)?,
            op::return_generator => self.suspend(uop)?,
            op::check_globals => self.check_globals(uop.operand0, uop.operand1)?,
            op::guard_globals_version => self.guard_globals_version(uop.operand0)?,
            op::load_global_module => self.load_global(uop.operand0, uop.operand1, false)?,
            op::load_global_builtins => self.load_global(uop.operand0, uop.operand1, true)?,
            _ => match without_frame(number) {
                Some((failure, class)) if has_room(uop)? => {
                    let results = self.call_on_operands(uop, failure)?;
                    if let Some(&result) = results.last() {
                        self.state.values[result].class = class;
                    }
                }
                _ => self.call_helper(uop)?,
            },
        }
        Ok(())
    }

    /// Numbers, comparisons, truth. Returns false if the micro-op is something else.
    fn compute(&mut self, number: u16, uop: Uop) -> Lowered<bool> {
        match number {
            op::guard_tos_float => self.guard_class(1, Class::Float)?,
            op::guard_nos_float => self.guard_class(2, Class::Float)?,
            op::guard_tos_int => self.guard_class(1, Class::Int)?,
            op::guard_nos_int => self.guard_class(2, Class::Int)?,
            op::guard_tos_list => self.guard_class(1, Class::List)?,
            op::guard_nos_list => self.guard_class(2, Class::List)?,
            op::guard_tos_tuple => self.guard_class(1, Class::Tuple)?,
            op::guard_nos_tuple => self.guard_class(2, Class::Tuple)?,
            op::guard_tos_dict => self.guard_class(1, Class::Dict)?,
            op::guard_nos_dict => self.guard_class(2, Class::Dict)?,
            op::guard_tos_unicode => self.guard_class(1, Class::Str)?,
            op::guard_nos_unicode => self.guard_class(2, Class::Str)?,
            op::iter_check_range => self.guard_class(1, Class::RangeIterator)?,
            op::iter_check_list => self.guard_class(1, Class::ListIterator)?,
            op::iter_check_tuple => self.guard_class(1, Class::TupleIterator)?,

            op::binary_op_add_float => self.float_operation(|l, a, b| l.b.ins().fadd(a, b))?,
            op::binary_op_subtract_float => self.float_operation(|l, a, b| l.b.ins().fsub(a, b))?,
            op::binary_op_multiply_float => self.float_operation(|l, a, b| l.b.ins().fmul(a, b))?,
            op::binary_op_add_int | op::binary_op_subtract_int | op::binary_op_multiply_int
                if OperandKinds::from_operand(uop.operand0).has_large_int() =>
            {
                for result in self.call_on_operands(uop, Failure::Error)? {
                    self.state.values[result].class = Class::Int;
                }
            }
            op::binary_op_add_int => self.int_operation(IntOperation::Add)?,
            op::binary_op_subtract_int => self.int_operation(IntOperation::Subtract)?,
            op::binary_op_multiply_int => self.int_operation(IntOperation::Multiply)?,
            op::compare_op_float => match float_condition(uop.oparg) {
                Some(condition) => self.compare_floats(condition),
                None => return Ok(false),
            },
            op::compare_op_int => match int_condition(uop.oparg) {
                Some(condition) => self.compare_ints(condition)?,
                None => return Ok(false),
            },
            op::binary_op if u32::from(uop.oparg) == ffi::NB_SUBSCR && self.array_item()? => {}
            op::binary_op => return self.generic_operator(uop),
            op::compare_op => return self.generic_comparison(uop),
            op::guard_binary_op_extend => match of_description(uop.operand0) {
                Some((operator, operands)) => self.guard_operands(operator, operands)?,
                None => return Ok(false),
            },
            op::binary_op_extend => match of_description(uop.operand0) {
                Some((operator, _)) => return self.binary_op(operator, true),
                None => return Ok(false),
            },
            op::unary_negative => return self.negative(uop),
            op::unary_invert => return self.invert(uop),
            op::is_op => {
                let (left, right) = (self.peek(2), self.peek(1));
                let (a, b) = (self.object(left), self.object(right));
                let condition = if uop.oparg == 0 { IntCC::Equal } else { IntCC::NotEqual };
                let holds = self.b.ins().icmp(condition, a, b);
                self.drop_top();
                self.answer(holds);
            }
            op::is_none if self.is_not_none(1) => {
                self.drop_top();
                self.push_constant(truth_constant(false), Class::Bool);
            }
            op::is_none => {
                let id = self.peek(1);
                let object = self.object(id);
                let holds = self.b.ins().icmp_imm_s(IntCC::Equal, object, none());
                self.answer(holds);
            }
            op::unary_not => {
                let id = self.peek(1);
                let truth = self.truth(id);
                let holds = self.b.ins().icmp_imm_s(IntCC::Equal, truth, 0);
                self.answer(holds);
            }
            op::to_bool_bool => self.guard_class(1, Class::Bool)?,
            op::to_bool_int => {
                self.guard_class(1, Class::Int)?;
                self.int_is_true();
            }
            op::to_bool_list => {
                let id = self.peek(1);
                let object = self.object(id);
                let size = self.load(I64, object, offset_of!(ffi::PyVarObject, ob_size));
                let holds = self.b.ins().icmp_imm_s(IntCC::NotEqual, size, 0);
                self.answer(holds);
            }
            op::to_bool_none => {
                let id = self.peek(1);
                let object = self.object(id);
                self.guard_equal(object, none() as u64, FAILED)?;
                self.drop_top();
                self.push_constant(immortal(crate::host::false_()), Class::Bool);
            }
            op::guard_is_true_pop => self.guard_truth(true)?,
            op::guard_is_false_pop => self.guard_truth(false)?,
            op::guard_is_none_pop if self.is_not_none(1) => {
                self.drop_top();
                self.fail(FAILED)?;
            }
            op::guard_is_not_none_pop if self.is_not_none(1) => {
                self.drop_top();
            }
            op::guard_is_none_pop => {
                let id = self.drop_top();
                let object = self.object(id);
                self.guard_equal(object, none() as u64, FAILED)?;
            }
            op::guard_is_not_none_pop => {
                let id = self.drop_top();
                let object = self.object(id);
                let is_none = self.b.ins().icmp_imm_s(IntCC::Equal, object, none());
                self.guard_not(is_none, FAILED)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Attributes and items. Returns false if the micro-op is something else.
    fn look_inside(&mut self, number: u16, uop: Uop) -> Lowered<bool> {
        match number {
            op::guard_type_version | op::guard_type_version_and_lock => {
                self.guard_type_version(1, uop.operand0)?
            }
            op::guard_nos_type_version => self.guard_type_version(2, uop.operand0)?,
            op::check_managed_object_has_values | op::guard_dorv_values_inst_attr_from_dict => {
                self.guard_inline_values()?;
            }
            op::guard_keys_version => self.guard_keys_version(uop.operand0)?,
            op::guard_dorv_no_dict => self.guard_no_dict()?,
            op::check_attr_class => self.check_attr_class(uop.operand0)?,
            op::check_attr_method_lazy_dict => self.check_lazy_dict(uop.operand0)?,
            op::load_attr_instance_value | op::load_attr_slot => self.load_slot(uop.operand0 as usize)?,
            op::load_attr_module => self.load_attr_module(uop.operand0, uop.operand1)?,
            op::load_attr_class
            | op::load_attr_nondescriptor_no_dict
            | op::load_attr_nondescriptor_with_values => self.load_cached(uop.operand0),
            op::load_attr_method_with_values
            | op::load_attr_method_no_dict
            | op::load_attr_method_lazy_dict => self.load_method(uop.operand0),
            op::store_attr_instance_value => self.store_slot(uop.operand0 as usize, true)?,
            op::store_attr_slot => self.store_slot(uop.operand0 as usize, false)?,

            op::make_function => self.make_function()?,
            op::load_attr => return self.load_known_attribute(uop),
            op::load_attr_with_hint => return self.load_attr_with_hint(uop),
            op::store_attr_with_hint => return self.store_attr_with_hint(uop),
            op::load_super_attr_method => return self.load_super_method(uop),
            op::binary_op_subscr_list_int => self.subscript(Sequence::List)?,
            op::binary_op_subscr_tuple_int => self.subscript(Sequence::Tuple)?,
            op::store_subscr_list_int => self.store_item()?,
            op::store_subscr => return Ok(self.store_array_item()? || self.store_in_dict(uop)?),
            op::guard_nos_array => self.guard_array(uop.operand0)?,
            op::list_append => self.append_to_list(uop.oparg.into())?,
            op::call_list_append => self.call_list_append()?,
            op::build_tuple => return Ok(self.build_tuple(uop.oparg.into())),
            op::unpack_sequence_two_tuple => self.unpack(2, Sequence::Tuple)?,
            op::unpack_sequence_tuple => self.unpack(uop.oparg.into(), Sequence::Tuple)?,
            op::unpack_sequence_list => self.unpack(uop.oparg.into(), Sequence::List)?,
            op::call_intrinsic_1 if u32::from(uop.oparg) == ffi::INTRINSIC_LIST_TO_TUPLE => {
                for result in self.call_on_operands(uop, Failure::Error)? {
                    self.state.values[result].class = Class::Tuple;
                }
            }
            op::call_builtin_class if self.range_is_iterated(uop.oparg.into()) => {
                self.iterate_range(uop.oparg.into())?;
            }
            op::call_builtin_o
            | op::call_builtin_fast
            | op::call_builtin_fast_with_keywords
            | op::call_builtin_class
            | op::call_method_descriptor_fast
            | op::call_method_descriptor_fast_with_keywords
            | op::call_method_descriptor_noargs
            | op::call_method_descriptor_o => return Ok(self.known_call(uop)? || self.quiet_call(uop)?),
            op::contains_op | op::contains_op_dict | op::contains_op_set => return self.contains(uop),
            op::binary_op_subscr_dict => return self.dict_item(uop),
            op::to_bool if self.truth_of_tuple() => {}
            op::to_bool => return self.known_truth(uop),
            op::format_simple => return self.format_simple(uop),
            op::convert_value => return self.convert_value(uop),
            op::call_str_1 => return self.call_str(uop),
            op::store_subscr_dict => return self.store_in_dict(uop),
            op::delete_subscr => return self.delete_from_dict(uop),
            op::build_map | op::build_set => return self.build_of_plain_keys(uop),
            op::list_extend => return self.extend_list(uop),
            op::dict_merge | op::dict_update => return self.fill_dict(uop),
            op::binary_slice => return self.slice(uop),
            op::binary_op_subscr_list_slice => return self.slice_of_list(uop),
            op::call_isinstance => return self.call_isinstance(uop),
            op::call_type_1 => self.call_type(),
            op::get_iter => return self.get_iterator(),
            // What comes next does that, too. If a pair is not unpacked, any iterator will do.
            op::guard_tos_iterator => {}
            op::for_iter_tier_two if self.next_pair(uop)? || self.next_item(uop)? => {}
            op::for_iter_tier_two => self.iterate(uop, true)?,
            op::for_iter_exhausted => self.iterate(uop, false)?,
            op::guard_callable_len => self.guard_callable_len()?,
            op::guard_callable_str_1 => self.guard_callable(&raw mut ffi::PyUnicode_Type)?,
            op::guard_callable_tuple_1 => self.guard_callable(&raw mut ffi::PyTuple_Type)?,
            op::guard_callable_type_1 => self.guard_callable(&raw mut ffi::PyType_Type)?,
            op::call_len if self.len_of_tuple() => {}
            op::call_len if self.len_is_simple() => self.len_of_sized(),
            op::call_len if uop.operand0 == 0 => self.len_of_builtin()?,

            op::guard_not_exhausted_range => self.guard_range_goes_on(true)?,
            op::guard_exhausted_range => self.guard_range_goes_on(false)?,
            op::iter_next_range => self.next_of_range()?,
            op::guard_not_exhausted_list => self.guard_sequence_goes_on(Sequence::List)?,
            op::guard_exhausted_list => self.guard_sequence_ends(Sequence::List)?,
            op::iter_next_list_tier_two => self.next_of_sequence(Sequence::List),
            op::guard_not_exhausted_tuple => self.guard_sequence_goes_on(Sequence::Tuple)?,
            op::guard_exhausted_tuple => self.guard_sequence_ends(Sequence::Tuple)?,
            op::iter_next_tuple => self.next_of_sequence(Sequence::Tuple),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the value at `depth` is known not to be None, which has none of the types that are looked for.
    fn is_not_none(&mut self, depth: usize) -> bool {
        let id = self.peek(depth);
        self.state.values[id].class != Class::Unknown
    }

    /// Whether the topmost value is known to have its length in the usual place.
    fn len_is_simple(&mut self) -> bool {
        let id = self.peek(1);
        matches!(self.state.values[id].class, Class::List | Class::Tuple)
    }
}

/// Micro-ops that run no Python code and use nothing of the frame, how they can fail, and the type of their result.
fn without_frame(number: u16) -> Option<(Failure, Class)> {
    Some(match number {
        op::binary_op_add_unicode => (Failure::Error, Class::Str),
        op::set_function_attribute => (Failure::Error, Class::Unknown),
        op::build_tuple => (Failure::Error, Class::Tuple),
        op::build_list => (Failure::Error, Class::List),
        op::build_string => (Failure::Error, Class::Str),
        op::build_slice => (Failure::Error, Class::Unknown),
        op::compare_op_str => (Failure::Never, Class::Bool),
        op::to_bool_str => (Failure::Never, Class::Bool),
        op::binary_op_subscr_str_int => (Failure::Guard, Class::Str),
        op::guard_binary_op_extend => (Failure::Guard, Class::Unknown),
        op::binary_op_extend => (Failure::Error, Class::Unknown),
        op::check_is_not_py_callable => (Failure::Guard, Class::Unknown),
        op::guard_tos_any_set | op::guard_tos_slice => (Failure::Guard, Class::Unknown),
        _ => return None,
    })
}

/// The stack reference to None.
fn immortal_none() -> u64 {
    immortal(crate::host::none())
}

/// The stack reference to True or False.
fn truth_constant(value: bool) -> u64 {
    immortal(if value { crate::host::true_() } else { crate::host::false_() })
}

/// The address of None.
fn none() -> i64 {
    crate::host::none().addr() as i64
}

/// The class of an object that is kept alive.
pub(super) fn class_of(object: u64) -> Class {
    // SAFETY: the executor keeps its constants alive.
    Class::of_type(unsafe { (*(object as *mut ffi::PyObject)).ob_type })
}
