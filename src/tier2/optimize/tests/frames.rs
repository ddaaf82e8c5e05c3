//! Tests of traces that call, return, yield and resume.

use proptest::prelude::*;

use super::*;
use crate::ops::trampolines::{self, Ending, OperatorFrames};
use crate::seams;
use crate::tier2::uop::Entered;

/// The operand of a micro-op that enters or returns to a frame of this code.
fn running(code: Code) -> u64 {
    Entered::Code(code).to_operand()
}

/// A call with one argument, whose callable and receiver are on the stack.
fn call(callee: Code) -> [Uop; 3] {
    [
        with(op::check_stack_space, 1),
        with(op::init_call_py_exact_args, 1),
        operand(op::push_frame, running(callee)),
    ]
}

fn callable_null_and_int() -> [Uop; 3] {
    [with(op::load_fast, 0), with(op::push_null, 0), with(op::load_small_int, 1)]
}

/// Pushes something and returns it to a frame of `caller`.
fn return_to(caller: Code) -> [Uop; 2] {
    [with(op::load_fast, 0), operand(op::return_value, running(caller))]
}

#[test]
fn arguments_are_known_in_the_callee_and_results_in_the_caller() {
    let (caller, callee) = (host::code(0, 1, 20), host::code(1, 1, 30));
    let mut trace = Trace::new();
    trace.extend(callable_null_and_int());
    trace.extend(call(callee));
    trace.extend([with(op::load_fast_borrow, 0), with(op::guard_tos_int, 0), with(op::pop_top, 0)]);
    trace.extend(return_to(caller));
    trace.extend([with(op::guard_tos_int, 0), with(op::jump_to_top, 0)]);
    let after = numbers(&analyzed_in(caller, host::dict(&[]), &trace).unwrap());
    assert_eq!(after[7], op::nop, "in the callee");
    assert_eq!(after[11], op::nop, "in the caller");
}

#[test]
fn a_receiver_that_may_be_null_shifts_the_arguments_by_an_unknown_number() {
    let (caller, callee) = (host::code(0, 1, 20), host::code(1, 1, 30));
    let mut trace = Trace::new();
    trace.extend([with(op::load_fast, 0), with(op::load_fast, 0), with(op::load_small_int, 1)]);
    trace.extend(call(callee));
    trace.extend([with(op::load_fast_borrow, 0), with(op::guard_tos_int, 0), with(op::jump_to_top, 0)]);
    let after = numbers(&analyzed_in(caller, host::dict(&[]), &trace).unwrap());
    assert_eq!(after[7], op::guard_tos_int);
}

#[test]
fn a_return_to_an_unexpected_frame_ends_the_analysis() {
    let (caller, callee) = (host::code(0, 1, 20), host::code(1, 1, 30));
    let mut trace = Trace::new();
    trace.extend(callable_null_and_int());
    trace.extend(call(callee));
    trace.extend(return_to(callee));
    trace.extend([with(op::guard_tos_int, 0), with(op::jump_to_top, 0)]);
    let after = numbers(&analyzed_in(caller, host::dict(&[]), &trace).unwrap());
    assert_eq!(after[8], op::guard_tos_int);
}

#[test]
fn one_check_of_stack_space_is_enough_for_all_calls() {
    let (caller, outer, inner) = (host::code(0, 1, 20), host::code(1, 1, 30), host::code(1, 1, 40));
    let mut trace = Trace::new();
    // outer(inner(…)), then inner(…).
    trace.extend(callable_null_and_int());
    trace.extend(call(outer));
    trace.extend(callable_null_and_int());
    trace.extend(call(inner));
    trace.extend(return_to(outer));
    trace.push(operand(op::return_value, running(caller)));
    trace.extend(callable_null_and_int());
    trace.extend(call(inner));
    trace.push(with(op::exit_trace, 0));
    let after = analyzed_in(caller, host::dict(&[]), &trace).unwrap();
    let is_check = |uop: &&Uop| uop.number() == op::check_stack_space;
    assert_eq!(after.iter().filter(is_check).count(), 0);
    let combined: Vec<u64> = after
        .iter()
        .filter(|uop| uop.number() == op::check_stack_space_operand)
        .map(|uop| uop.operand0)
        .collect();
    assert_eq!(combined, [30 + 40]);
}

#[test]
fn a_check_in_a_frame_that_made_its_own_space_is_not_enough_for_its_caller() {
    let (caller, outer, inner) = (host::code(0, 1, 20), host::code(1, 1, 30), host::code(1, 1, 40));
    let mut trace = Trace::new();
    // The frame of `outer` may be in a new chunk of the data stack, so its check says nothing about the old one.
    trace.extend(callable_null_and_int());
    trace.extend([with(op::py_frame_general, 1), operand(op::push_frame, running(outer))]);
    trace.extend(callable_null_and_int());
    trace.extend(call(inner));
    trace.extend(return_to(outer));
    trace.push(operand(op::return_value, running(caller)));
    trace.extend(callable_null_and_int());
    trace.extend(call(inner));
    trace.push(with(op::exit_trace, 0));
    let after = analyzed_in(caller, host::dict(&[]), &trace).unwrap();
    let combined: Vec<u64> = after
        .iter()
        .filter(|uop| uop.number() == op::check_stack_space_operand)
        .map(|uop| uop.operand0)
        .collect();
    assert_eq!(combined, [40, 40]);
}

// --- frames that the trace has not made ----------------------------------------------------------

/// A micro-op that enters a frame or returns to one, which has `entries` values on its stack.
fn to_frame(number: u16, next: Entered, entries: u64) -> Uop {
    let mut uop = operand(number, next.to_operand());
    uop.operand1 = entries + 1;
    uop
}

fn is_int(local: u16) -> [Uop; 3] {
    [with(op::load_fast_borrow, local), with(op::guard_tos_int, 0), with(op::pop_top, 0)]
}

/// Which guards for an int are left of those in a trace that begins in a frame of `code` with an empty stack.
fn int_guards_left(code: Code, uops: &[Uop]) -> Vec<bool> {
    let after = analyzed_in(code, host::dict(&[]), uops).unwrap();
    let is_guard = |uop: &Uop| matches!(uop.number(), op::guard_tos_int | op::guard_nos_int);
    let guards = uops.iter().zip(&after).filter(|(before, _)| is_guard(before));
    guards.map(|(_, after)| is_guard(after)).collect()
}

#[test]
fn behind_a_return_below_the_start_only_the_result_is_known() {
    let (inner, outer) = (host::code(0, 1, 20), host::code(0, 1, 30));
    for number in [op::return_value, op::yield_value] {
        let mut trace = Trace::new();
        trace.extend(is_int(0));
        trace.extend([with(op::load_small_int, 1), to_frame(number, Entered::Code(outer), 1)]);
        trace.extend([with(op::guard_tos_int, 0), with(op::guard_nos_int, 0)]);
        trace.extend([with(op::store_fast, 0), with(op::pop_top, 0)]);
        trace.extend(is_int(0));
        trace.push(with(op::jump_to_top, 0));
        assert_eq!(int_guards_left(inner, &trace), [true, false, true, false]);
    }
}

#[test]
fn a_recursive_function_knows_nothing_of_the_variables_of_its_caller() {
    let code = host::code(0, 1, 20);
    let mut trace = Trace::new();
    trace.extend(is_int(0));
    trace.extend([with(op::load_small_int, 1), to_frame(op::return_value, Entered::Code(code), 0)]);
    trace.push(with(op::pop_top, 0));
    trace.extend(is_int(0));
    trace.push(with(op::jump_to_top, 0));
    assert_eq!(int_guards_left(code, &trace), [true, true]);
}

#[test]
fn a_new_generator_is_returned_to_a_frame_below_the_start() {
    let (inner, outer) = (host::code(0, 1, 20), host::code(0, 1, 30));
    let mut trace = Trace::new();
    trace.push(to_frame(op::return_generator, Entered::Code(outer), 0));
    trace.push(with(op::store_fast, 0));
    trace.push(with(op::load_small_int, 1));
    trace.push(with(op::guard_tos_int, 0));
    trace.push(with(op::jump_to_top, 0));
    assert_eq!(int_guards_left(inner, &trace), [false]);
}

#[test]
fn the_analysis_ends_where_the_trace_says_nothing_about_the_frame() {
    let (inner, outer) = (host::code(0, 1, 20), host::code(0, 1, 30));
    let without_code = operand(op::return_value, 0);
    let without_entries = operand(op::return_value, running(outer));
    let resumed_without_entries = operand(op::push_frame, running(outer));
    let resumed_without_the_sent_value = to_frame(op::push_frame, Entered::Code(outer), 0);
    for to_frame in [without_code, without_entries, resumed_without_entries, resumed_without_the_sent_value] {
        let trace = [
            with(op::load_small_int, 1),
            with(if to_frame.number() == op::push_frame { op::for_iter_gen_frame } else { op::nop }, 0),
            to_frame,
            with(op::load_small_int, 1),
            with(op::guard_tos_int, 0),
            with(op::jump_to_top, 0),
        ];
        assert_eq!(int_guards_left(inner, &trace), [true]);
    }
}

#[test]
fn a_return_to_a_frame_with_another_stack_ends_the_analysis() {
    let (caller, callee) = (host::code(0, 1, 20), host::code(1, 1, 30));
    for (entries, is_analyzed) in [(0, true), (1, false)] {
        let mut trace = Trace::new();
        trace.extend(callable_null_and_int());
        trace.extend(call(callee));
        trace.push(with(op::load_small_int, 1));
        trace.push(to_frame(op::return_value, Entered::Code(caller), entries));
        trace.extend([with(op::guard_tos_int, 0), with(op::jump_to_top, 0)]);
        assert_eq!(int_guards_left(caller, &trace), [!is_analyzed]);
    }
}

#[test]
fn each_frame_checks_its_globals() {
    let globals = host::dict(&[none(), none()]);
    let (inner, outer) = (host::code(0, 0, 20), host::code(0, 0, 20));
    let function = host::function(outer, globals);
    let mut trace = Trace::new();
    let load = |index| [with(op::set_ip, 0), with(op::nop, 0), load_global(index)];
    trace.extend(load(0));
    // Twice the same function: it is recursive.
    trace.push(to_frame(op::return_value, Entered::Function(function), 0));
    trace.extend([load(1), load(1)].concat());
    trace.extend([with(op::pop_top, 0), with(op::pop_top, 0)]);
    trace.push(to_frame(op::return_value, Entered::Function(function), 0));
    trace.extend(load(0));
    trace.push(with(op::jump_to_top, 0));
    let after = numbers(&analyzed_in(inner, globals, &trace).unwrap());
    let checked = [op::set_ip, op::check_globals, op::load_const_inline_borrow];
    assert_eq!(after[..3], checked);
    assert_eq!(after[4..10], [checked, [op::set_ip, op::nop, checked[2]]].concat());
    assert_eq!(after[13..16], checked);
}

#[test]
fn a_frame_without_a_function_looks_its_globals_up() {
    let code = host::code(0, 0, 20);
    let trace = [
        with(op::load_small_int, 1),
        to_frame(op::return_value, Entered::Code(code), 0),
        with(op::nop, 0),
        load_global(0),
        with(op::jump_to_top, 0),
    ];
    let after = analyzed_in(code, host::dict(&[none()]), &trace).unwrap();
    assert_eq!(numbers(&after), trace.map(Uop::number));
}

// --- generators, properties, `__init__` ----------------------------------------------------------

#[test]
fn a_generator_gets_the_value_that_is_sent_and_forgets_its_variables() {
    let (caller, generator) = (host::code(0, 1, 20), host::code(0, 1, 30));
    let mut trace = Trace::new();
    trace.extend(is_int(0));
    trace.push(with(op::load_fast, 0));
    for _ in 0..2 {
        // The receiver stays on the stack.
        trace.extend([with(op::load_small_int, 1), with(op::send_gen_frame, 0)]);
        trace.push(to_frame(op::push_frame, Entered::Code(generator), 2));
        trace.push(with(op::guard_tos_int, 0));
        trace.extend([with(op::pop_top, 0), with(op::guard_tos_int, 0), with(op::store_fast, 0)]);
        trace.extend(is_int(0));
        trace.push(with(op::load_small_int, 2));
        trace.push(to_frame(op::yield_value, Entered::Code(caller), 1));
        trace.extend([with(op::guard_tos_int, 0), with(op::guard_nos_int, 0), with(op::pop_top, 0)]);
        trace.extend(is_int(0));
    }
    trace.push(with(op::jump_to_top, 0));
    // The value sent, what was on the stack of the generator, its variable; the value yielded, the receiver, the
    // variable of the caller.
    let each = [false, true, false, false, false, false];
    assert_eq!(int_guards_left(caller, &trace), [&[true][..], &each, &each].concat());
}

#[test]
fn nothing_is_known_of_frames_below_the_innermost_generator() {
    let (caller, generator) = (host::code(0, 1, 20), host::code(0, 1, 30));
    let mut trace = Trace::new();
    trace.extend(is_int(0));
    trace.extend([with(op::load_fast, 0), with(op::load_small_int, 1)]);
    // The value sent, and the variable of the generator.
    trace.push(to_frame(op::send_innermost, Entered::Code(generator), 1));
    trace.extend([with(op::guard_tos_int, 0), with(op::pop_top, 0)]);
    trace.extend(is_int(0));
    trace.push(with(op::load_small_int, 2));
    // The value yielded, and the variable of the frame that gets it.
    trace.push(to_frame(op::yield_to_receiver, Entered::Code(caller), 1));
    trace.extend([with(op::guard_tos_int, 0), with(op::pop_top, 0)]);
    trace.extend(is_int(0));
    trace.push(with(op::jump_to_top, 0));
    assert_eq!(int_guards_left(caller, &trace), [true, false, true, false, true]);
}

#[test]
fn a_loop_sends_none_and_the_end_of_the_generator_goes_back_to_the_loop() {
    let (caller, generator) = (host::code(0, 1, 20), host::code(0, 1, 30));
    let trace = [
        with(op::load_fast, 0),
        with(op::for_iter_gen_frame, 0),
        to_frame(op::push_frame, Entered::Code(generator), 1),
        with(op::to_bool_none, 0),
        with(op::load_small_int, 1),
        to_frame(op::return_value, Entered::Code(caller), 1),
        with(op::guard_tos_int, 0),
        with(op::end_for, 0),
        with(op::pop_top, 0),
        with(op::jump_to_top, 0),
    ];
    let after = numbers(&analyzed_in(caller, host::dict(&[]), &trace).unwrap());
    assert_eq!([after[3], after[6]], [op::pop_top_load_const_inline_borrow, op::nop]);
}

#[test]
fn what_a_coroutine_returns_is_known_to_what_awaits_it() {
    let (caller, coroutine) = (host::code(0, 1, 20), host::code(0, 1, 30));
    let trace = [
        with(op::load_fast, 0),
        operand(op::load_const_inline_borrow, none().addr() as u64),
        with(op::send_gen_frame, 0),
        to_frame(op::push_frame, Entered::Code(coroutine), 1),
        with(op::pop_top, 0),
        with(op::load_small_int, 1),
        to_frame(op::return_value, Entered::Code(caller), 1),
        with(op::end_send, 0),
        with(op::guard_tos_int, 0),
        to_frame(op::return_value, Entered::Code(caller), 0),
        with(op::guard_tos_int, 0),
        with(op::jump_to_top, 0),
    ];
    assert_eq!(int_guards_left(caller, &trace), [false, false]);
}

#[test]
fn the_variables_of_a_property_and_of_getitem_are_their_arguments() {
    let (caller, callee) = (host::code(0, 2, 20), host::code(2, 2, 30));
    for (prepare, arguments) in [(op::load_attr_property_frame, 1), (op::binary_op_subscr_init_call, 2)] {
        let mut trace = Trace::new();
        for local in 0..arguments {
            trace.extend(is_int(local));
            trace.push(with(op::load_fast, local));
        }
        trace.push(with(prepare, 0));
        trace.push(to_frame(op::push_frame, Entered::Code(callee), 0));
        trace.push(operand(op::check_function, 7));
        trace.extend(is_int(0));
        trace.extend(is_int(1));
        trace.extend([with(op::load_small_int, 1), to_frame(op::return_value, Entered::Code(caller), 0)]);
        trace.extend([with(op::guard_tos_int, 0), with(op::jump_to_top, 0)]);
        let expected: &[bool] =
            if arguments == 1 { &[true, false, true, false] } else { &[true, true, false, false, false] };
        assert_eq!(int_guards_left(caller, &trace), expected);
    }
}

#[test]
fn the_items_of_a_tuple_of_arguments_are_known_in_the_callee() {
    let (caller, callee) = (host::code(0, 2, 20), host::code(2, 3, 30));
    let mut trace = Trace::new();
    trace.extend([with(op::load_fast, 0), with(op::push_null, 0)]);
    trace.extend([with(op::load_small_int, 1), with(op::load_fast, 1), with(op::load_small_int, 2)]);
    trace.extend([with(op::build_tuple, 3), with(op::push_null, 0)]);
    trace.extend([with(op::make_callargs_a_tuple, 0), operand(op::check_function_version_ex, 7)]);
    trace.push(with(op::py_frame_ex, 0));
    trace.push(to_frame(op::push_frame, Entered::Code(callee), 0));
    // The last argument has no parameter.
    trace.extend([is_int(0), is_int(1), is_int(2)].concat());
    trace.extend([with(op::load_small_int, 1), to_frame(op::return_value, Entered::Code(caller), 0)]);
    trace.extend([with(op::guard_tos_int, 0), with(op::jump_to_top, 0)]);
    assert_eq!(int_guards_left(caller, &trace), [false, true, true, false]);
    let after = analyzed_in(caller, host::dict(&[]), &trace).unwrap();
    assert_eq!(after[7].number(), op::nop, "it is a tuple already");
}

#[test]
fn an_init_returns_to_a_frame_that_returns_the_instance() {
    let (caller, init) = (host::code(0, 1, 20), host::code(2, 2, 30));
    let cleanup = Entered::Code(seams::specialize::init_cleanup());
    let trace = [
        with(op::load_fast, 0),
        with(op::load_small_int, 5),
        with(op::load_small_int, 1),
        with(op::create_init_frame, 1),
        to_frame(op::push_frame, Entered::Code(init), 0),
        with(op::load_fast_borrow, 1),
        with(op::guard_tos_int, 0),
        with(op::pop_top, 0),
        operand(op::load_const_inline_borrow, none().addr() as u64),
        to_frame(op::return_value, cleanup, 1),
        with(op::exit_init_check, 0),
        to_frame(op::return_value, Entered::Code(caller), 0),
        // Here, the instance is an int.
        with(op::guard_tos_int, 0),
        with(op::jump_to_top, 0),
    ];
    assert_eq!(int_guards_left(caller, &trace), [false, false]);
}

#[test]
fn a_trace_that_begins_in_an_init_goes_on_in_its_caller() {
    let (init, caller) = (host::code(1, 1, 30), host::code(0, 1, 20));
    let cleanup = Entered::Code(seams::specialize::init_cleanup());
    let trace = [
        operand(op::load_const_inline_borrow, none().addr() as u64),
        to_frame(op::return_value, cleanup, 1),
        with(op::exit_init_check, 0),
        to_frame(op::return_value, Entered::Code(caller), 0),
        with(op::load_small_int, 1),
        with(op::guard_tos_int, 0),
        with(op::jump_to_top, 0),
    ];
    assert_eq!(int_guards_left(init, &trace), [false]);
}

#[test]
fn an_operator_returns_to_a_frame_that_keeps_the_operands() {
    for is_reflected in [false, true] {
        let (caller, method) = (host::code(0, 1, 20), host::code(2, 2, 30));
        let mut create = operand(op::create_operator_frames, none().addr() as u64);
        create.operand1 = OperatorFrames { is_reflected, ending: Ending::Operator }.to_operand();
        let mut trace = Trace::new();
        trace.extend([with(op::load_fast, 0), with(op::load_small_int, 5), create]);
        trace.push(to_frame(op::push_frame, Entered::Code(method), 0));
        trace.extend([is_int(0), is_int(1)].concat());
        trace.push(with(op::load_small_int, 1));
        trace.push(to_frame(op::return_value, Entered::Code(trampolines::code()), 2));
        trace.push(to_frame(op::return_operator, Entered::Code(caller), 0));
        trace.extend([with(op::guard_tos_int, 0), with(op::jump_to_top, 0)]);
        assert_eq!(int_guards_left(caller, &trace), [!is_reflected, is_reflected, false]);
    }
}

#[test]
fn an_assignment_to_an_item_leaves_nothing() {
    let (caller, method) = (host::code(0, 1, 20), host::code(3, 3, 30));
    let mut trace = Trace::new();
    trace.extend([with(op::load_small_int, 4), with(op::load_small_int, 5)]);
    trace.extend([with(op::load_fast, 0), with(op::load_fast, 0)]);
    trace.push(operand(op::create_store_subscr_frames, none().addr() as u64));
    trace.push(to_frame(op::push_frame, Entered::Code(method), 0));
    // Container, key, value.
    trace.extend([is_int(0), is_int(1), is_int(2)].concat());
    trace.push(operand(op::load_const_inline_borrow, none().addr() as u64));
    trace.push(to_frame(op::return_value, Entered::Code(trampolines::code()), 3));
    trace.push(to_frame(op::return_store_subscr, Entered::Code(caller), 1));
    trace.extend([with(op::guard_tos_int, 0), with(op::jump_to_top, 0)]);
    assert_eq!(int_guards_left(caller, &trace), [true, false, false, false]);
}

// --- any order of calls, yields and returns ------------------------------------------------------

/// From one frame to another.
#[derive(Clone, Copy, Debug)]
enum Move {
    /// A call that checks the space before.
    Call {
        to: usize,
    },
    /// A call whose frame looks for space itself, perhaps in a new chunk of the data stack.
    GeneralCall {
        to: usize,
    },
    Init {
        to: usize,
    },
    /// With this many values on the generator's stack below the sent one.
    Resume {
        to: usize,
        entries: u64,
    },
    /// If the frame below is not known yet, it is one of this code.
    Return {
        to: usize,
        entries: u64,
    },
    Yield {
        to: usize,
        entries: u64,
    },
}

const CODES: usize = 3;

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let (to, entries) = (0..CODES, 0..3u64);
    let one = prop_oneof![
        3 => to.clone().prop_map(|to| Move::Call { to }),
        1 => to.clone().prop_map(|to| Move::GeneralCall { to }),
        1 => to.clone().prop_map(|to| Move::Init { to }),
        1 => (to.clone(), entries.clone()).prop_map(|(to, entries)| Move::Resume { to, entries }),
        3 => (to.clone(), entries.clone()).prop_map(|(to, entries)| Move::Return { to, entries }),
        1 => (to, entries).prop_map(|(to, entries)| Move::Yield { to, entries }),
    ];
    prop::collection::vec(one, 0..60)
}

fn codes() -> [Code; CODES] {
    [host::code(0, 1, 20), host::code(0, 2, 35), host::code(1, 3, 50)]
}

/// A trace of these moves, and the frames that it runs in: their code, and the number of values on their stack.
struct Recorder {
    trace: Trace,
    codes: [Code; CODES],
    frames: Vec<(Code, u64)>,
}

impl Recorder {
    fn new(codes: [Code; CODES]) -> Recorder {
        Recorder { trace: Trace::new(), codes, frames: vec![(codes[0], 0)] }
    }

    fn top(&mut self) -> &mut (Code, u64) {
        self.frames.last_mut().unwrap()
    }

    fn enter(&mut self, code: Code, entries: u64) {
        self.trace.push(to_frame(op::push_frame, Entered::Code(code), entries));
        self.frames.push((code, entries));
    }

    fn leave(&mut self, number: u16, to: usize, entries: u64) {
        self.frames.pop();
        if self.frames.is_empty() {
            self.frames.push((self.codes[to], entries));
        }
        let (code, entries) = *self.top();
        self.trace.push(with(op::load_small_int, 1));
        self.trace.push(to_frame(number, Entered::Code(code), entries));
        self.top().1 += 1;
    }

    fn record(&mut self, this: Move) {
        let callable = [with(op::load_small_int, 1), with(op::push_null, 0)];
        match this {
            Move::Call { to } => {
                self.trace.extend(callable);
                self.trace.push(with(op::check_stack_space, 0));
                self.trace.push(with(op::init_call_py_exact_args, 0));
                self.enter(self.codes[to], 0);
            }
            Move::GeneralCall { to } => {
                self.trace.extend(callable);
                self.trace.push(with(op::py_frame_general, 0));
                self.enter(self.codes[to], 0);
            }
            Move::Init { to } => {
                self.trace.extend([with(op::load_small_int, 1); 2]);
                self.trace.push(with(op::create_init_frame, 0));
                self.frames.push((seams::specialize::init_cleanup(), 1));
                self.enter(self.codes[to], 0);
            }
            Move::Resume { to, entries } => {
                self.trace.push(with(op::load_small_int, 1));
                self.top().1 += 1;
                self.trace.push(with(op::for_iter_gen_frame, 0));
                self.enter(self.codes[to], entries + 1);
            }
            Move::Return { to, entries } => self.leave(op::return_value, to, entries),
            Move::Yield { to, entries } => self.leave(op::yield_value, to, entries),
        }
    }
}

/// A chunk of the data stack: the words in use since the trace came to it, and how many it certainly has.
#[derive(Clone, Copy, Default)]
struct Chunk {
    used: u64,
    room: u64,
}

/// Where the memory of a frame is.
enum Memory {
    Words(u64),
    NewChunk,
    /// Not on the data stack.
    Generator,
}

/// Runs the moves of an analyzed trace on the least favorable data stack, and asserts that each frame has room.
fn assert_frames_have_room(trace: &Trace) {
    // SAFETY: code objects are immortal in these tests.
    let size = |code: Code| u64::from(unsafe { (*code.as_ptr()).co_framesize }.unsigned_abs());
    let mut chunks = vec![Chunk::default()];
    let mut frames = Vec::new();
    let mut prepared = op::nop;
    for uop in trace {
        let top = chunks.last_mut().unwrap();
        match uop.number() {
            op::check_stack_space => panic!("the checks are shared"),
            op::check_stack_space_operand => top.room = top.room.max(top.used + uop.operand0),
            op::init_call_py_exact_args
            | op::py_frame_general
            | op::create_init_frame
            | op::for_iter_gen_frame => prepared = uop.number(),
            op::push_frame => {
                // SAFETY: code objects are immortal in these tests.
                let words = size(unsafe { Entered::from_operand(uop.operand0).unwrap().code() });
                let fits = top.used + words <= top.room;
                match prepared {
                    op::for_iter_gen_frame => frames.push(Memory::Generator),
                    op::py_frame_general if !fits => {
                        chunks.push(Chunk { used: words, room: words });
                        frames.push(Memory::NewChunk);
                    }
                    op::create_init_frame => {
                        // An earlier micro-op has checked the space of both frames.
                        let cleanup = size(seams::specialize::init_cleanup());
                        top.used += cleanup + words;
                        top.room = top.room.max(top.used);
                        frames.extend([Memory::Words(cleanup), Memory::Words(words)]);
                    }
                    _ => {
                        assert!(fits, "no room for a frame");
                        top.used += words;
                        frames.push(Memory::Words(words));
                    }
                }
            }
            op::return_value | op::yield_value => match frames.pop() {
                Some(Memory::Words(words)) => top.used -= words,
                Some(Memory::NewChunk) => drop(chunks.pop()),
                Some(Memory::Generator) => {}
                // The frame that is left may be the first one in its chunk.
                None => chunks = vec![Chunk::default()],
            },
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn any_moves_are_followed_to_the_end(moves in moves()) {
        let codes = codes();
        let mut recorder = Recorder::new(codes);
        moves.into_iter().for_each(|this| recorder.record(this));
        recorder.trace.extend([with(op::load_small_int, 1), with(op::guard_tos_int, 0), with(op::jump_to_top, 0)]);
        let after = analyzed_in(codes[0], host::dict(&[]), &recorder.trace).unwrap();
        prop_assert_eq!(after[after.len() - 2].number(), op::nop);
        assert_frames_have_room(&after);
    }
}

#[test]
fn a_deep_recursion_has_several_checks_of_stack_space() {
    let codes = codes();
    let mut recorder = Recorder::new(codes);
    for _ in 0..12 {
        recorder.record(Move::Call { to: 1 });
    }
    let after = analyzed_in(codes[0], host::dict(&[]), &recorder.trace).unwrap();
    let checks = after.iter().filter(|uop| uop.number() == op::check_stack_space_operand);
    assert_eq!(checks.map(|uop| uop.operand0).collect::<Vec<_>>(), [5 * 35, 5 * 35, 2 * 35]);
}
