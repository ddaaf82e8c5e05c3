//! Finishing a trace: the form in which an executor holds it.
//!
//! The body comes first, without NOPs, and ends with `_JUMP_TO_TOP` or `_EXIT_TRACE`. Behind it are *stubs*, one
//! micro-op each, where a micro-op of the body goes if it does not continue: `_EXIT_TRACE` to a side exit,
//! `_DEOPT` back to the bytecode for good, `_ERROR_POP_N` with an exception. A stub says where in the bytecode. In front
//! of an `_EXIT_TRACE` to an instrumented instruction, `_SET_IP` stores which instruction has run before it.

use super::{Place, Trace, Uop};
use crate::bytecode::metadata::{self, Instruction};
use crate::bytecode::micro_op;
use crate::host::ffi;
use crate::ops::metadata::MicroOp;

/// Where `_JUMP_TO_TOP` goes: behind `_START_EXECUTOR`.
const TOP: u16 = 1;

/// Finishes a trace. Returns false if there is no room for its stubs.
pub(crate) fn finish(trace: &mut Trace) -> bool {
    trace.retain(|uop| uop.number() != micro_op::nop);
    for uop in trace.iter_mut() {
        use_copy(uop);
    }
    set_ip_before_end(trace).and_then(|()| add_stubs(trace)).is_some()
}

/// Makes the `_SET_IP` in front of the end of the body, if it leads to an instrumented instruction. Returns `None` if
/// there is no room.
fn set_ip_before_end(trace: &mut Trace) -> Option<()> {
    if let Some(end) = trace.last_mut()
        && end.number() == micro_op::exit_trace
        && end.operand0 != 0
    {
        let set_ip = Uop::new(micro_op::set_ip, 0, end.operand0, 0);
        end.operand0 = 0;
        let index = trace.len() - 1;
        trace.try_insert(index, set_ip).ok()?;
    }
    Some(())
}

/// Whether a trace ends with this micro-op.
pub(super) fn is_end(uop: Uop) -> bool {
    matches!(uop.number(), micro_op::jump_to_top | micro_op::exit_trace)
}

/// The `_EXIT_TRACE` that a micro-op of a finished trace leads to, or is itself.
pub(super) fn exit_stub(trace: &[Uop], uop: Uop) -> Option<Uop> {
    let mut stub = match uop.place() {
        Place::Stubs { exit, .. } => *trace.get(usize::from(exit))?,
        Place::Target(_) => uop,
    };
    if let Place::Stubs { exit, .. } = uop.place()
        && stub.number() == micro_op::set_ip
    {
        stub = *trace.get(usize::from(exit) + 1)?;
    }
    (stub.number() == micro_op::exit_trace).then_some(stub)
}

/// The micro-op in the stub of a guard: a side exit, which may get a trace for what the guard meets, whether the host has one
/// there or not; or a way to bytecode, if it looks at something else than values. `None` for what is no guard.
fn way_out(row: &MicroOp) -> Option<u16> {
    let looks_at_values = !matches!(
        row.number,
        micro_op::check_validity
            | micro_op::check_pep_523
            | micro_op::tier2_resume_check
            | micro_op::check_stack_space
            | micro_op::check_stack_space_operand
    );
    if row.has(ffi::HAS_EXIT_FLAG) || row.has(ffi::HAS_DEOPT_FLAG) && looks_at_values {
        Some(micro_op::exit_trace)
    } else if row.has(ffi::HAS_DEOPT_FLAG) {
        Some(micro_op::deopt)
    } else {
        None
    }
}

/// Replaces a micro-op by its copy for its argument, if there is one.
fn use_copy(uop: &mut Uop) {
    if let Some(row) = MicroOp::by_number(uop.number())
        && row.number == uop.number()
        && uop.oparg < u16::from(row.copies)
    {
        uop.set_number(row.number + 1 + uop.oparg);
    }
}

/// Adds the stubs, and sets the places of the micro-ops that lead to them. Returns `None` if there is no room.
fn add_stubs(trace: &mut Trace) -> Option<()> {
    // Exits and errors alternate, so there is a latest stub of each kind.
    let (mut latest_exit, mut latest_error) = (None, None);
    for index in 0..trace.len() {
        let uop = trace[index];
        let Place::Target(target) = uop.place() else { continue };
        let row = MicroOp::by_number(uop.number())?;
        let exit = if let Some(kind) = way_out(row) {
            let stub = Uop::new(kind, 0, 0, exit_target(uop, target));
            Some(match instr_to_set(uop) {
                None => share_or_push(trace, &mut latest_exit, stub)?,
                Some(instr) => {
                    let set_ip = Uop::new(micro_op::set_ip, 0, instr, 0);
                    let index = share_or_push(trace, &mut None, set_ip)?;
                    share_or_push(trace, &mut None, stub)?;
                    index
                }
            })
        } else {
            (uop.number() == micro_op::jump_to_top).then_some(TOP)
        };
        let error = if row.has(ffi::HAS_ERROR_FLAG) {
            let stub = Uop::new(micro_op::error_pop_n, 0, target.into(), 0);
            Some(share_or_push(trace, &mut latest_error, stub)?)
        } else {
            None
        };
        if exit.is_some() || error.is_some() {
            let place = Place::Stubs { exit: exit.unwrap_or(0), error: error.unwrap_or(0) };
            trace[index].set_place(place);
        }
        if changes_frame(uop) {
            // The same offset in other code is another instruction, and needs a side exit of its own.
            latest_exit = None;
        }
    }
    Some(())
}

/// Whether what follows the micro-op in a trace runs in another frame.
fn changes_frame(uop: Uop) -> bool {
    matches!(
        uop.number(),
        micro_op::push_frame
            | micro_op::return_value
            | micro_op::return_generator
            | micro_op::return_operator
            | micro_op::return_store_subscr
            | micro_op::enter_consumer
            | micro_op::return_consumer
            | micro_op::return_consumer_only
            | micro_op::yield_value
            | micro_op::yield_to_receiver
            | micro_op::for_iter_innermost
            | micro_op::send_innermost
    )
}

/// The index of `stub`: that of the latest one if it is the same, else of a new one. `None` if there is no room.
fn share_or_push(trace: &mut Trace, latest: &mut Option<u16>, stub: Uop) -> Option<u16> {
    if let Some(index) = *latest
        && trace[usize::from(index)] == stub
    {
        return Some(index);
    }
    let index = trace.len() as u16;
    trace.try_push(stub).ok()?;
    *latest = Some(index);
    Some(index)
}

/// The instruction that the stub of a guard stores: see `translate::previous_instr`. Guards that leave in front of
/// their instruction have other operands, or none.
fn instr_to_set(uop: Uop) -> Option<u64> {
    (leaves_elsewhere(uop) && uop.operand0 != 0).then_some(uop.operand0)
}

/// Whether it is a guard that leads to another instruction than its own if it fails: the other way of a branch, or of a loop.
pub(crate) fn leaves_elsewhere(uop: Uop) -> bool {
    matches!(
        uop.number(),
        micro_op::guard_not_exhausted_range
            | micro_op::guard_not_exhausted_list
            | micro_op::guard_not_exhausted_tuple
            | micro_op::for_iter_tier_two
            | micro_op::for_iter_exhausted
            | micro_op::send_yields
            | micro_op::send_returns
            | micro_op::guard_is_true_pop
            | micro_op::guard_is_false_pop
            | micro_op::guard_is_none_pop
            | micro_op::guard_is_not_none_pop
    )
}

/// Where in the bytecode a guard leads that fails.
fn exit_target(uop: Uop, target: u32) -> u32 {
    let oparg = u32::from(uop.oparg);
    let behind = |row: &Instruction| target + u32::from(oparg > 0xFF) + 1 + row.cache_units() as u32;
    match uop.number() {
        micro_op::guard_not_exhausted_range
        | micro_op::guard_not_exhausted_list
        | micro_op::guard_not_exhausted_tuple
        | micro_op::for_iter_tier_two => {
            // Behind the END_FOR at the end of the loop, where only the iterator is left on the stack.
            behind(&metadata::FOR_ITER) + oparg + 1
        }
        // The body of the loop, where the item is on the stack.
        micro_op::for_iter_exhausted => behind(&metadata::FOR_ITER),
        // The END_SEND that the instruction jumps to.
        micro_op::send_yields => behind(&metadata::SEND) + oparg,
        micro_op::send_returns => behind(&metadata::SEND),
        _ => target,
    }
}

/// What is wrong with a finished trace, if anything.
#[cfg(any(py_debug, test))]
pub(crate) fn fault(trace: &[Uop]) -> Option<&'static core::ffi::CStr> {
    let number_at = |index: u16| trace.get(usize::from(index)).map(|uop| uop.number());
    let Some(end) = trace.iter().position(|uop| is_end(*uop)) else {
        return Some(c"a trace has no end");
    };
    if number_at(0) != Some(micro_op::start_executor) {
        return Some(c"a trace does not begin with _START_EXECUTOR");
    }
    let (body, stubs) = trace.split_at(end + 1);
    for uop in body {
        let Some(row) = MicroOp::by_number(uop.number()).filter(|row| row.number != micro_op::nop) else {
            return Some(c"a trace contains something that is no micro-op");
        };
        let (exit, error) = match uop.place() {
            Place::Target(_) => (None, None),
            Place::Stubs { exit, error } => (number_at(exit), number_at(error)),
        };
        let leaves_to = way_out(row);
        if leaves_to.is_some() && exit != leaves_to && exit != Some(micro_op::set_ip) {
            return Some(c"a guard in a trace does not lead to its stub");
        }
        if row.has(ffi::HAS_ERROR_FLAG) && error != Some(micro_op::error_pop_n) {
            return Some(c"an exception in a trace does not lead to its stub");
        }
    }
    let is_stub = |uop: &Uop| {
        matches!(
            uop.number(),
            micro_op::exit_trace | micro_op::deopt | micro_op::error_pop_n | micro_op::set_ip
        ) && matches!(uop.place(), Place::Target(_))
    };
    if !stubs.iter().all(is_stub) {
        return Some(c"there is something else than stubs behind the end of a trace");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier2::uop::MAX_LENGTH;

    /// A micro-op of the instruction at `target`.
    fn uop(number: u16, oparg: u16, target: u32) -> Uop {
        Uop::new(number, oparg, 0, target)
    }

    /// A finished trace of these micro-ops, which has no faults.
    fn finished(uops: &[Uop]) -> Trace {
        let mut trace = Trace::new();
        trace.push(uop(micro_op::start_executor, 0, 0));
        trace.extend(uops.iter().copied());
        assert!(finish(&mut trace));
        assert_eq!(fault(&trace), None);
        trace
    }

    fn numbers(trace: &Trace) -> Vec<u16> {
        trace.iter().map(|uop| uop.number()).collect()
    }

    const END: Uop = Uop::new(micro_op::jump_to_top, 0, 0, 0);

    #[test]
    fn nops_are_dropped() {
        let trace = finished(&[uop(micro_op::nop, 0, 1), uop(micro_op::push_null, 0, 1), END]);
        assert_eq!(numbers(&trace), [micro_op::start_executor, micro_op::push_null, micro_op::jump_to_top]);
    }

    #[test]
    fn small_arguments_have_micro_ops_of_their_own() {
        let trace = finished(&[uop(micro_op::load_fast, 7, 1), uop(micro_op::load_fast, 8, 2), END]);
        assert_eq!(trace[1].number(), micro_op::load_fast_7);
        assert_eq!(trace[1].oparg, 7);
        assert_eq!(trace[2].number(), micro_op::load_fast);
    }

    #[test]
    fn a_copy_stays_as_it_is() {
        let trace = finished(&[uop(micro_op::load_fast_0, 0, 1), END]);
        assert_eq!(trace[1].number(), micro_op::load_fast_0);
    }

    #[test]
    fn an_exit_to_an_instrumented_instruction_sets_the_instruction_pointer() {
        let guard = Uop::new(micro_op::guard_is_true_pop, 0, 0x1234, 9);
        let exit = Uop::new(micro_op::exit_trace, 0, 0x5678, 12);
        let trace = finished(&[guard, guard, exit]);
        let set_ip = micro_op::set_ip;
        assert_eq!(
            numbers(&trace)[1..],
            [
                [guard.number(), guard.number(), set_ip, micro_op::exit_trace],
                [set_ip, micro_op::exit_trace, set_ip, micro_op::exit_trace],
            ]
            .concat()
        );
        assert_eq!((trace[3].operand0, trace[4].operand0), (0x5678, 0));
        assert_eq!(trace[1].place(), Place::Stubs { exit: 5, error: 0 });
        assert_eq!(trace[5].operand0, 0x1234);
        assert_eq!(exit_stub(&trace, trace[1]), Some(trace[6]));
        assert_eq!(trace[6].place(), Place::Target(9));
    }

    #[test]
    fn the_end_of_a_loop_goes_behind_its_start() {
        let trace = finished(&[END]);
        assert_eq!(trace[1].place(), Place::Stubs { exit: 1, error: 0 });
    }

    #[test]
    fn what_stays_in_the_trace_keeps_its_target() {
        let trace = finished(&[uop(micro_op::push_null, 0, 9), uop(micro_op::exit_trace, 0, 12)]);
        assert_eq!(trace[1].place(), Place::Target(9));
        assert_eq!(trace[2].place(), Place::Target(12));
    }

    #[test]
    fn guards_lead_to_exits_or_deopts_and_errors_to_errors() {
        let trace = finished(&[
            uop(micro_op::guard_tos_int, 0, 5),
            uop(micro_op::check_validity, 0, 6),
            uop(micro_op::binary_op, 0, 7),
            END,
        ]);
        assert_eq!(
            trace[5..],
            [
                uop(micro_op::exit_trace, 0, 5),
                uop(micro_op::deopt, 0, 6),
                Uop::new(micro_op::error_pop_n, 0, 7, 0),
            ]
        );
        assert_eq!(trace[1].place(), Place::Stubs { exit: 5, error: 0 });
        assert_eq!(trace[2].place(), Place::Stubs { exit: 6, error: 0 });
        assert_eq!(trace[3].place(), Place::Stubs { exit: 0, error: 7 });
    }

    #[test]
    fn guards_of_values_lead_to_side_exits_though_the_host_has_none_there() {
        let trace = finished(&[
            uop(micro_op::guard_binary_op_extend, 0, 5),
            uop(micro_op::tier2_resume_check, 0, 6),
            END,
        ]);
        assert_eq!(trace[4..], [uop(micro_op::exit_trace, 0, 5), uop(micro_op::deopt, 0, 6)]);
    }

    #[test]
    fn neighbours_share_equal_stubs() {
        let trace = finished(&[
            uop(micro_op::guard_tos_int, 0, 5),
            uop(micro_op::binary_op, 0, 5),
            uop(micro_op::guard_nos_int, 0, 5),
            uop(micro_op::check_validity, 0, 5),
            uop(micro_op::guard_tos_int, 0, 5),
            END,
        ]);
        // The second exit follows a deopt, so it has a stub of its own.
        assert_eq!(
            numbers(&trace)[7..],
            [micro_op::exit_trace, micro_op::error_pop_n, micro_op::deopt, micro_op::exit_trace]
        );
        assert_eq!(trace[1].place(), trace[3].place());
        assert_eq!(trace[5].place(), Place::Stubs { exit: 10, error: 0 });
    }

    #[test]
    fn frames_share_no_exits() {
        for number in [micro_op::push_frame, micro_op::return_value, micro_op::yield_value] {
            let guard = uop(micro_op::guard_tos_int, 0, 5);
            let trace = finished(&[guard, uop(number, 0, 6), guard, guard, END]);
            assert_eq!(numbers(&trace)[6..], [micro_op::exit_trace; 2]);
            assert_ne!(trace[1].place(), trace[3].place());
            assert_eq!(trace[3].place(), trace[4].place());
        }
    }

    #[test]
    fn an_exhausted_iterator_exits_behind_its_loop() {
        // FOR_ITER at 10 is two units long and jumps 20 units, to an END_FOR.
        let trace = finished(&[uop(micro_op::guard_not_exhausted_range, 20, 10), END]);
        assert_eq!(trace[3], uop(micro_op::exit_trace, 0, 10 + 2 + 20 + 1));
        // With an EXTENDED_ARG before it.
        let trace = finished(&[uop(micro_op::for_iter_tier_two, 300, 10), END]);
        assert_eq!(trace[3].place(), Place::Target(10 + 1 + 2 + 300 + 1));
    }

    #[test]
    fn own_micro_ops_exit_where_the_program_goes_instead() {
        let target_of = |number, oparg| {
            let trace = finished(&[uop(number, oparg, 10), END]);
            let stub = exit_stub(&trace, trace[1]).expect("it leaves by a side exit");
            stub.place()
        };
        // FOR_ITER and SEND at 10 are two units long, and three with an EXTENDED_ARG.
        for (number, short, long) in [
            (micro_op::for_iter_exhausted, 12, 13),
            (micro_op::send_returns, 12, 13),
            (micro_op::send_yields, 12 + 20, 13 + 300),
            // What has had no effect leaves in front of its instruction.
            (micro_op::guard_exhausted_list, 10, 10),
            (micro_op::guard_exhausted_tuple, 10, 10),
            (micro_op::guard_exhausted_range, 10, 10),
            (micro_op::guard_returns_to, 10, 10),
            (micro_op::guard_tos_generator_at, 10, 10),
            (micro_op::guard_nos_not_generator, 10, 10),
        ] {
            assert_eq!(target_of(number, 20), Place::Target(short), "{number}");
            assert_eq!(target_of(number, 300), Place::Target(long), "{number}");
        }
    }

    #[test]
    fn only_what_has_an_effect_sets_the_instruction_pointer_of_its_exit() {
        for (number, sets) in [
            (micro_op::for_iter_exhausted, true),
            (micro_op::send_yields, true),
            (micro_op::send_returns, true),
            // The operand of these is the instruction that they compare with.
            (micro_op::guard_returns_to, false),
            (micro_op::guard_yields_to, false),
            (micro_op::guard_nos_generator_at, false),
        ] {
            let trace = finished(&[Uop::new(number, 0, 0x1234, 10), END]);
            let Place::Stubs { exit, .. } = trace[1].place() else { panic!("{number} has no stub") };
            let expected = if sets { micro_op::set_ip } else { micro_op::exit_trace };
            assert_eq!(trace[usize::from(exit)].number(), expected, "{number}");
        }
    }

    #[test]
    fn stubs_must_fit() {
        let full = |guards: usize| {
            let mut trace = Trace::new();
            trace.push(uop(micro_op::start_executor, 0, 0));
            for target in 0..guards {
                trace.push(uop(micro_op::guard_tos_int, 0, target as u32));
            }
            trace.push(END);
            finish(&mut trace)
        };
        assert!(full(MAX_LENGTH / 2 - 1));
        assert!(!full(MAX_LENGTH / 2));
    }

    #[test]
    fn faults_are_found() {
        let start = uop(micro_op::start_executor, 0, 0);
        let guard = uop(micro_op::guard_tos_int, 0, 5);
        let leading_to = |exit| {
            let mut guard = guard;
            guard.set_place(Place::Stubs { exit, error: 0 });
            guard
        };
        let exit = uop(micro_op::exit_trace, 0, 5);
        let deopt = uop(micro_op::deopt, 0, 5);
        assert!(fault(&[]).is_some());
        assert!(fault(&[start]).is_some());
        assert!(fault(&[END]).is_some());
        assert!(fault(&[start, guard, END]).is_some());
        assert!(fault(&[start, uop(u16::MAX >> 1, 0, 0), END]).is_some());
        assert!(fault(&[start, leading_to(3), END, deopt]).is_some());
        assert!(fault(&[start, leading_to(4), END, exit]).is_some());
        assert!(fault(&[start, END, guard]).is_some());
        assert_eq!(fault(&[start, leading_to(3), END, exit]), None);
    }
}
