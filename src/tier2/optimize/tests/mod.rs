//! Tests of the lattice, of rules and of the clean-up, on a minimal host.

// Debug hosts count references by functions of their own.
#![cfg(not(py_debug))]

mod frames;
mod host;

use proptest::prelude::*;

use super::analysis::{Analysis, Stop};
use super::class::Class;
use super::cleanup::clean_up;
use super::symbols::{Constant, Fact, MAX_SYMBOLS, Symbol, Symbols};
use super::{Start, run, self_test};
use crate::bytecode::micro_op as op;
use crate::host::{Code, PyObject, PyTypeObject, false_, ffi, none, object, small_int, true_};
use crate::tier2::{Dependencies, Trace, Uop};

fn symbols() -> Symbols {
    host::start();
    // SAFETY: the objects of these tests are immortal, so nothing is ever released.
    unsafe { Symbols::new() }
}

fn constant(object: *mut PyObject) -> Constant {
    // SAFETY: the objects of these tests are immortal.
    unsafe { Constant::new(object) }
}

// --- the lattice ---------------------------------------------------------------------------------

#[test]
fn symbols_pass_their_own_checks() {
    host::start();
    // SAFETY: as for `symbols`.
    assert_eq!(unsafe { self_test::check() }, Ok(()));
}

#[test]
fn there_is_room_for_a_limited_number_of_symbols() {
    let mut symbols = symbols();
    for _ in 0..MAX_SYMBOLS {
        symbols.unknown().unwrap();
    }
    assert!(symbols.unknown().is_err());
}

/// All that can be asked about a symbol.
#[derive(Debug, Clone, PartialEq)]
struct Answers {
    is_null: bool,
    is_non_null: bool,
    class: Option<Class>,
    constant: Option<Constant>,
    truth: Option<bool>,
    length: Option<usize>,
}

impl Answers {
    fn about(symbols: &Symbols, symbol: Symbol) -> Answers {
        Answers {
            is_null: symbols.is_null(symbol),
            is_non_null: symbols.is_non_null(symbol),
            class: symbols.class(symbol),
            constant: symbols.constant(symbol),
            truth: symbols.truth(symbol),
            length: symbols.tuple_length(symbol),
        }
    }

    /// Whether `later` says the same, and perhaps more.
    fn are_kept_by(&self, later: &Answers) -> bool {
        fn kept<T: PartialEq>(earlier: &Option<T>, later: &Option<T>) -> bool {
            earlier.is_none() || earlier == later
        }
        self.is_null <= later.is_null
            && self.is_non_null <= later.is_non_null
            && kept(&self.class, &later.class)
            && kept(&self.constant, &later.constant)
            && kept(&self.truth, &later.truth)
            && kept(&self.length, &later.length)
    }
}

const CLASSES: [fn() -> Class; 5] = [Class::bool, Class::int, Class::str, Class::tuple, Class::float];
const CONSTANTS: [fn() -> Constant; 5] = [
    Constant::none,
    || Constant::bool(false),
    || Constant::bool(true),
    || Constant::small_int(0),
    || Constant::small_int(7),
];

fn fact() -> impl Strategy<Value = Fact> {
    let class = (0..CLASSES.len()).prop_map(|index| CLASSES[index]());
    let value = (0..CONSTANTS.len()).prop_map(|index| CONSTANTS[index]());
    prop_oneof![
        1 => Just(Fact::Null),
        1 => Just(Fact::NonNull),
        4 => class.clone().prop_map(Fact::Class),
        4 => class.prop_map(|class| Fact::TypeVersion(class.version())),
        4 => value.prop_map(Fact::Value),
    ]
}

/// Values to start with: nothing known, a tuple, and truth values of others.
fn some_symbols(symbols: &mut Symbols) -> Vec<Symbol> {
    let first = symbols.unknown().unwrap();
    let second = symbols.unknown().unwrap();
    let tuple = symbols.tuple(&[first, second]).unwrap();
    let truth = symbols.truth_of(first, false).unwrap();
    let not = symbols.truth_of(truth, true).unwrap();
    vec![first, second, tuple, truth, not]
}

const SOME_SYMBOLS: usize = 5;

proptest! {
    #[test]
    fn what_is_known_stays_known(facts in prop::collection::vec((0..SOME_SYMBOLS, fact()), 0..12)) {
        let mut symbols = symbols();
        let some = some_symbols(&mut symbols);
        for (index, fact) in facts {
            let before: Vec<_> = some.iter().map(|&symbol| Answers::about(&symbols, symbol)).collect();
            if symbols.narrow(some[index], fact).is_err() {
                prop_assert!(symbols.is_contradiction(some[index]));
                break;
            }
            prop_assert!(!some.iter().any(|&symbol| symbols.is_contradiction(symbol)));
            for (symbol, before) in some.iter().zip(before) {
                let after = Answers::about(&symbols, *symbol);
                prop_assert!(before.are_kept_by(&after), "{before:?} became {after:?}");
            }
            // The fact itself is known now, and adds nothing the second time.
            let after = Answers::about(&symbols, some[index]);
            prop_assert!(symbols.narrow(some[index], fact).is_ok());
            prop_assert_eq!(after, Answers::about(&symbols, some[index]));
        }
    }

    #[test]
    fn the_order_of_facts_does_not_matter(first in fact(), second in fact(), third in fact()) {
        let mut symbols = symbols();
        let mut learn = |facts: [Fact; 3]| {
            let symbol = symbols.unknown().unwrap();
            let agree = facts.into_iter().all(|fact| symbols.narrow(symbol, fact).is_ok());
            agree.then(|| Answers::about(&symbols, symbol))
        };
        let expected = learn([first, second, third]);
        for facts in [[first, third, second], [second, first, third], [third, second, first]] {
            prop_assert_eq!(&learn(facts), &expected);
        }
    }

    #[test]
    fn a_new_symbol_is_an_unknown_one_with_the_fact(fact in fact()) {
        let mut symbols = symbols();
        let new = symbols.with(fact).unwrap();
        let narrowed = symbols.unknown().unwrap();
        prop_assert!(symbols.narrow(narrowed, fact).is_ok());
        prop_assert_eq!(Answers::about(&symbols, new), Answers::about(&symbols, narrowed));
    }
}

#[test]
fn the_type_of_an_object_that_can_get_another_one_is_known_only_after_a_guard() {
    const VERSION: u32 = 1000;
    let mut symbols = symbols();
    // SAFETY: the fields are numbers and nullable pointers.
    let mut class: Box<PyTypeObject> = Box::new(unsafe { core::mem::zeroed() });
    class.tp_version_tag = VERSION;
    let mut instance = object::static_head(&raw mut *class);
    let symbol = symbols.with(Fact::Value(constant(&raw mut instance))).unwrap();
    assert_eq!(symbols.class(symbol), None);
    assert!(!symbols.has_type_version(symbol, VERSION));
    symbols.narrow(symbol, Fact::TypeVersion(VERSION)).unwrap();
    assert!(symbols.has_type_version(symbol, VERSION));
    assert!(symbols.narrow(symbol, Fact::TypeVersion(VERSION + 1)).is_err());
}

// --- rules ---------------------------------------------------------------------------------------

/// A micro-op with an argument.
fn with(number: u16, oparg: u16) -> Uop {
    Uop::new(number, oparg, 0, 0)
}

/// A micro-op with an operand.
fn operand(number: u16, operand: u64) -> Uop {
    Uop::new(number, 0, operand, 0)
}

fn numbers(trace: &Trace) -> Vec<u16> {
    trace.iter().map(|uop| uop.number()).collect()
}

/// The trace after the analysis, which begins in a frame of `code` with an empty stack.
fn analyzed_in(code: Code, globals: *mut PyObject, uops: &[Uop]) -> Result<Trace, Stop> {
    let mut interp = host::interp();
    let start = Start { code, function: Some(host::function(code, globals)), stack_entries: 0 };
    let mut trace: Trace = uops.iter().copied().collect();
    let mut dependencies = Dependencies::NONE;
    // SAFETY: the objects are complete as far as the analysis reads them, and stay so.
    let analysis = unsafe { Analysis::new(&start, &raw mut *interp, &mut trace, &mut dependencies) };
    match run(analysis.unwrap()) {
        Stop::End => Ok(trace),
        stop => Err(stop),
    }
}

fn analyzed(uops: &[Uop]) -> Result<Trace, Stop> {
    analyzed_in(host::code(0, 8, 20), host::dict(&[]), uops)
}

#[test]
fn a_guard_is_needed_once() {
    let trace = [
        with(op::load_fast_borrow, 0),
        with(op::guard_tos_int, 0),
        with(op::store_fast, 1),
        with(op::load_fast_borrow, 1),
        with(op::load_fast_borrow, 0),
        with(op::guard_nos_int, 0),
        with(op::guard_tos_int, 0),
        with(op::jump_to_top, 0),
    ];
    let after = numbers(&analyzed(&trace).unwrap());
    assert_eq!(after[1], op::guard_tos_int);
    assert_eq!(after[5..7], [op::nop, op::nop]);
}

#[test]
fn a_trace_that_contradicts_itself_is_refused() {
    let trace = [
        with(op::load_fast_borrow, 0),
        with(op::guard_tos_int, 0),
        with(op::load_fast_borrow, 0),
        with(op::guard_tos_float, 0),
        with(op::jump_to_top, 0),
    ];
    assert_eq!(analyzed(&trace), Err(Stop::Refuse));
}

#[test]
fn variables_that_change_are_known_no_more() {
    for (number, oparg) in [(op::delete_fast, 0), (op::make_cell, 0), (op::copy_free_vars, 8)] {
        let trace = [
            with(op::load_fast_borrow, 0),
            with(op::guard_tos_int, 0),
            with(number, oparg),
            with(op::load_fast, 0),
            with(op::to_bool_int, 0),
            with(op::jump_to_top, 0),
        ];
        // Null is no int.
        let expected = if number == op::delete_fast { Err(Stop::Refuse) } else { Ok(op::to_bool_int) };
        assert_eq!(analyzed(&trace).map(|trace| trace[4].number()), expected);
    }
}

#[test]
fn conditions_on_constants_are_decided() {
    let trace = [
        with(op::load_small_int, 3),
        with(op::load_small_int, 5),
        with(op::guard_nos_int, 0),
        with(op::guard_tos_int, 0),
        with(op::compare_op_int, (ffi::Py_LT << 5) as u16),
        with(op::guard_is_true_pop, 0),
        with(op::jump_to_top, 0),
    ];
    let after = analyzed(&trace).unwrap();
    let folded = [op::nop, op::nop, op::pop_two_load_const_inline_borrow, op::pop_top];
    assert_eq!(numbers(&after)[2..6], folded);
    assert_eq!(after[4].operand0, true_().addr() as u64);
}

#[test]
fn arithmetic_of_constants_is_known() {
    let trace = [
        with(op::load_small_int, 3),
        with(op::load_small_int, 5),
        with(op::binary_op_multiply_int, 0),
        with(op::load_small_int, 15),
        with(op::compare_op_int, (ffi::Py_LT << 5) as u16),
        with(op::guard_is_false_pop, 0),
        with(op::jump_to_top, 0),
    ];
    let after = analyzed(&trace).unwrap();
    assert_eq!(after[4].operand0, false_().addr() as u64);
    assert_eq!(after[5].number(), op::pop_top);
}

#[test]
fn a_condition_tells_about_the_value_that_was_tested() {
    let trace = [
        with(op::load_fast_borrow, 0),
        with(op::to_bool_int, 0),
        with(op::guard_is_false_pop, 0),
        // The variable is zero from here on.
        with(op::load_fast_borrow, 0),
        with(op::to_bool_int, 0),
        with(op::guard_is_false_pop, 0),
        with(op::jump_to_top, 0),
    ];
    let after = analyzed(&trace).unwrap();
    let known = [op::pop_top_load_const_inline_borrow, op::pop_top, op::jump_to_top];
    assert_eq!(numbers(&after)[4..], known);
}

#[test]
fn a_value_that_must_not_be_none_and_is_ends_the_trace() {
    let trace = [
        operand(op::load_const_inline_borrow, none().addr() as u64),
        Uop::new(op::guard_is_not_none_pop, 0, 0, 42),
        with(op::nop, 0),
        with(op::jump_to_top, 0),
    ];
    let after = analyzed(&trace).unwrap();
    assert_eq!(numbers(&after)[1..], [op::pop_top, op::exit_trace]);
    assert_eq!(after[2].place(), trace[1].place());
}

#[test]
fn items_of_a_tuple_are_known() {
    let trace = [
        with(op::load_small_int, 1),
        with(op::load_fast, 0),
        with(op::build_tuple, 2),
        with(op::guard_tos_tuple, 0),
        with(op::get_len, 0),
        with(op::pop_top, 0),
        with(op::unpack_sequence_two_tuple, 2),
        with(op::guard_tos_int, 0),
        with(op::jump_to_top, 0),
    ];
    let after = analyzed(&trace).unwrap();
    assert_eq!(numbers(&after)[3..5], [op::nop, op::load_const_inline_borrow]);
    assert_eq!(after[4].operand0, small_int(2).unwrap().addr() as u64);
    assert_eq!(after[7].number(), op::nop);
}

#[test]
fn attributes_of_known_types_are_known() {
    host::start();
    let attribute = none();
    for (cached, known) in [(attribute, true), (true_(), false)] {
        let trace = [
            with(op::load_fast_borrow, 0),
            operand(op::guard_type_version, Class::int().version().into()),
            operand(op::load_attr_nondescriptor_no_dict, cached.addr() as u64),
            with(op::guard_is_none_pop, 0),
            with(op::jump_to_top, 0),
        ];
        let after = analyzed_in(host::code_with_name(attribute), host::dict(&[]), &trace).unwrap();
        assert_eq!(after[3].number() == op::pop_top, known);
    }
}

// --- globals -------------------------------------------------------------------------------------

fn load_global(index: u64) -> Uop {
    let mut uop = operand(op::load_global_module, host::KEYS_VERSION);
    uop.operand1 = index;
    uop
}

#[test]
fn globals_become_constants_behind_one_check() {
    let values = [none(), true_()];
    let rest = [
        load_global(1),
        with(op::set_ip, 0),
        with(op::nop, 0),
        load_global(0),
        operand(op::guard_globals_version, host::KEYS_VERSION),
        with(op::jump_to_top, 0),
    ];
    let load = op::load_const_inline_borrow;
    for first in [with(op::nop, 0), operand(op::guard_globals_version, host::KEYS_VERSION)] {
        let trace = [&[with(op::set_ip, 0), first], &rest[..]].concat();
        let globals = host::dict(&values);
        let after = analyzed_in(host::code(0, 0, 20), globals, &trace).unwrap();
        assert_eq!(
            numbers(&after),
            [[op::set_ip, op::check_globals, load, op::set_ip], [op::nop, load, op::nop, op::jump_to_top]]
                .concat()
        );
        assert_eq!(after[1].operand0, globals.addr() as u64);
        assert_eq!(
            [after[2], after[5]].map(|uop| uop.operand0),
            [values[1], values[0]].map(|value| value.addr() as u64)
        );
    }
}

#[test]
fn globals_are_looked_up_where_there_is_no_room_for_the_check() {
    let trace = [with(op::set_ip, 0), load_global(0), with(op::jump_to_top, 0)];
    let after = analyzed_in(host::code(0, 0, 20), host::dict(&[none()]), &trace).unwrap();
    assert_eq!(numbers(&after), numbers(&trace.into_iter().collect()));
}

#[test]
fn globals_with_other_keys_refuse_the_trace() {
    let trace = [operand(op::guard_globals_version, host::KEYS_VERSION + 1), with(op::jump_to_top, 0)];
    assert_eq!(analyzed(&trace), Err(Stop::Refuse));
}

#[test]
fn a_global_that_is_gone_stays_a_lookup() {
    let trace = [with(op::set_ip, 0), with(op::nop, 0), load_global(0), with(op::jump_to_top, 0)];
    let globals = host::dict(&[core::ptr::null_mut()]);
    let after = analyzed_in(host::code(0, 0, 20), globals, &trace).unwrap();
    assert_eq!(numbers(&after), numbers(&trace.into_iter().collect()));
}

// --- the clean-up --------------------------------------------------------------------------------

fn cleaned(uops: &[Uop]) -> Vec<u16> {
    let mut trace: Trace = uops.iter().copied().collect();
    clean_up(&mut trace);
    numbers(&trace)
}

#[test]
fn the_instruction_pointer_is_set_where_it_can_be_seen() {
    let trace = [
        with(op::start_executor, 0),
        operand(op::set_ip, 1),
        with(op::load_fast, 0),
        operand(op::set_ip, 2),
        with(op::get_iter, 0),
        operand(op::set_ip, 3),
        with(op::push_frame, 0),
        operand(op::set_ip, 4),
        with(op::jump_to_top, 0),
        with(op::exit_trace, 0),
    ];
    let (nop, set_ip) = (op::nop, op::set_ip);
    let expected = [
        op::start_executor,
        nop,
        op::load_fast,
        set_ip,
        op::get_iter,
        set_ip,
        op::push_frame,
        nop,
        op::jump_to_top,
    ];
    assert_eq!(cleaned(&trace), expected);
}

#[test]
fn validity_is_checked_after_arbitrary_code_has_run() {
    let check = with(op::check_validity, 0);
    let trace =
        [with(op::start_executor, 0), check, with(op::get_iter, 0), check, check, with(op::exit_trace, 0)];
    let expected = [op::start_executor, op::nop, op::get_iter, op::check_validity, op::nop, op::exit_trace];
    assert_eq!(cleaned(&trace), expected);
}

#[test]
fn values_that_are_popped_are_not_pushed() {
    let trace = [
        with(op::start_executor, 0),
        with(op::load_fast, 0),
        with(op::load_fast, 1),
        with(op::nop, 0),
        with(op::pop_two_load_const_inline_borrow, 0),
        with(op::pop_top, 0),
        with(op::exit_trace, 0),
    ];
    let mut expected = vec![op::nop; trace.len()];
    expected[0] = op::start_executor;
    expected[6] = op::exit_trace;
    assert_eq!(cleaned(&trace), expected);
}

#[test]
fn a_value_stays_where_the_trace_may_leave_before_it_is_popped() {
    let trace = [
        with(op::start_executor, 0),
        with(op::load_fast, 0),
        with(op::pop_top_load_const_inline, 0),
        with(op::get_iter, 0),
        with(op::load_fast, 0),
        with(op::check_validity, 0),
        with(op::pop_top, 0),
        with(op::exit_trace, 0),
    ];
    let kept = [op::load_fast, op::check_validity, op::pop_top, op::exit_trace];
    assert_eq!(cleaned(&trace)[4..], kept);
}
