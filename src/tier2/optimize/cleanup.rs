//! Removes what a trace does not need after the analysis, and what is behind its end.

use crate::bytecode::micro_op;
use crate::host::ffi;
use crate::ops::metadata::MicroOp;
use crate::tier2::Trace;

/// Removes micro-ops without effect:
/// - `set_ip`, unless what follows may run arbitrary code or enters a frame, so that the instruction pointer is
///   seen;
/// - `check_validity`, unless arbitrary code may have run since the last one;
/// - pushes whose value is popped again.
pub(super) fn clean_up(trace: &mut Trace) {
    let mut last_set_ip = None;
    let mut may_have_escaped = true;
    for at in 0..trace.len() {
        match trace[at].number() {
            micro_op::start_executor => may_have_escaped = false,
            micro_op::set_ip => {
                trace[at].set_number(micro_op::nop);
                last_set_ip = Some(at);
            }
            micro_op::check_validity => {
                if !core::mem::replace(&mut may_have_escaped, false) {
                    trace[at].set_number(micro_op::nop);
                }
            }
            micro_op::jump_to_top | micro_op::exit_trace => {
                trace.truncate(at + 1);
                return;
            }
            _ => {
                cancel_pushes(trace, at);
                let number = trace[at].number();
                let escapes = MicroOp::by_number(number).is_some_and(|row| row.has(ffi::HAS_ESCAPES_FLAG));
                may_have_escaped |= escapes;
                if (escapes || matches!(number, micro_op::push_frame | micro_op::enter_consumer))
                    && let Some(set_ip) = last_set_ip.take()
                {
                    trace[set_ip].set_number(micro_op::set_ip);
                }
            }
        }
    }
}

/// Removes what the micro-op at `at` pops together with the pushes before it. Nothing that can leave the trace
/// is between the two.
fn cancel_pushes(trace: &mut Trace, at: usize) {
    while let Some(popping) = without_pop(trace[at].number()) {
        let before = trace[..at].iter().rposition(|uop| uop.number() != micro_op::nop);
        let Some(before) = before else { return };
        let Some(pushing) = without_push(trace[before].number()) else { return };
        trace[at].set_number(popping);
        trace[before].set_number(pushing);
        cancel_pushes(trace, before);
    }
}

/// What is left of a micro-op that pushes last, and does nothing else that matters, if it does not push.
fn without_push(number: u16) -> Option<u16> {
    match number {
        micro_op::copy
        | micro_op::load_const_inline
        | micro_op::load_const_inline_borrow
        | micro_op::load_fast
        | micro_op::load_fast_borrow
        | micro_op::load_small_int => Some(micro_op::nop),
        micro_op::pop_top_load_const_inline | micro_op::pop_top_load_const_inline_borrow => {
            Some(micro_op::pop_top)
        }
        _ => None,
    }
}

/// What is left of a micro-op that pops first, if it pops one value less.
fn without_pop(number: u16) -> Option<u16> {
    match number {
        micro_op::pop_top => Some(micro_op::nop),
        micro_op::pop_top_load_const_inline => Some(micro_op::load_const_inline),
        micro_op::pop_top_load_const_inline_borrow => Some(micro_op::load_const_inline_borrow),
        micro_op::pop_two_load_const_inline_borrow => Some(micro_op::pop_top_load_const_inline_borrow),
        _ => None,
    }
}
