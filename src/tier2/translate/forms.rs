//! The forms that instructions have in traces: facts about the rows of the instruction table.

use crate::bytecode::metadata::{Instruction, Operand, Step};
use crate::bytecode::{micro_op, opcode};
use crate::ops::metadata::{Group, MicroOp};

/// Whether the instruction resumes a generator.
pub(super) fn is_generator_form(opcode: u8) -> bool {
    matches!(opcode, opcode::FOR_ITER_GEN | opcode::SEND_GEN)
}

/// Whether a micro-op of an instruction that enters a frame makes sure which code runs there: it has compared the
/// version of the function, or the instruction at which a generator continues. The version in the cache of
/// CALL_ALLOC_AND_ENTER_INIT is that of a type, and the other instructions have none or let it depend on the type of
/// an operand.
pub(super) fn is_certain_of_code(opcode: u8) -> bool {
    matches!(
        opcode,
        opcode::CALL_PY_EXACT_ARGS
            | opcode::CALL_PY_GENERAL
            | opcode::CALL_BOUND_METHOD_EXACT_ARGS
            | opcode::CALL_BOUND_METHOD_GENERAL
            | opcode::CALL_KW_PY
            | opcode::CALL_KW_BOUND_METHOD
            | opcode::FOR_ITER_GEN
            | opcode::SEND_GEN
    )
}

/// Whether a micro-op of the instruction has one of these properties (`HAS_…_FLAG`).
pub(super) fn uses(row: &Instruction, flags: u32) -> bool {
    row.steps.iter().any(|step| match *step {
        Step::Op { number, .. } => MicroOp::by_number(in_trace(number)).is_some_and(|row| row.has(flags)),
        Step::Skip(_) => false,
    })
}

/// Whether traces have a form of the instruction.
pub(super) fn is_translatable(row: &Instruction) -> bool {
    is_jump_or_resume(row.opcode)
        || row.steps.iter().all(|step| match *step {
            Step::Op { number, .. } => step.is_adaptive() || is_in_traces(number) || depends_on_case(step),
            Step::Skip(_) => true,
        })
}

/// Whether only bytecode has the step, and it becomes other micro-ops in a trace, depending on what it did.
pub(super) fn depends_on_case(step: &Step) -> bool {
    matches!(
        step,
        Step::Op { name: "do_call" | "do_call_kw" | "do_call_function_ex" | "send" | "reserved", .. }
    )
}

/// Whether a step of an instruction is a micro-op of traces, too, or has one in its place.
pub(super) fn is_in_traces(number: u16) -> bool {
    MicroOp::by_number(in_trace(number)).is_some_and(|row| row.group != Group::Bytecode)
}

/// Whether [`Translator::instruction`] translates the instruction itself, not by its micro-ops.
pub(super) fn is_jump_or_resume(opcode: u8) -> bool {
    matches!(
        opcode,
        opcode::POP_JUMP_IF_FALSE
            | opcode::POP_JUMP_IF_TRUE
            | opcode::POP_JUMP_IF_NONE
            | opcode::POP_JUMP_IF_NOT_NONE
            | opcode::JUMP_BACKWARD
            | opcode::JUMP_BACKWARD_JIT
            | opcode::JUMP_BACKWARD_NO_INTERRUPT
            | opcode::JUMP_FORWARD
            | opcode::RESUME
    )
}

/// The micro-op that does in a trace what this one does in bytecode, where it may jump.
pub(super) fn in_trace(number: u16) -> u16 {
    match number {
        micro_op::iter_jump_range => micro_op::guard_not_exhausted_range,
        micro_op::iter_jump_list => micro_op::guard_not_exhausted_list,
        micro_op::iter_jump_tuple => micro_op::guard_not_exhausted_tuple,
        micro_op::iter_next_list => micro_op::iter_next_list_tier_two,
        micro_op::for_iter => micro_op::for_iter_tier_two,
        other => other,
    }
}

/// The guard that holds while a branch goes the given way.
pub(super) fn guard_of(branch: u8, jumps: bool) -> u16 {
    match (branch, jumps) {
        (opcode::POP_JUMP_IF_TRUE, true) | (opcode::POP_JUMP_IF_FALSE, false) => micro_op::guard_is_true_pop,
        (opcode::POP_JUMP_IF_TRUE, false) | (opcode::POP_JUMP_IF_FALSE, true) => micro_op::guard_is_false_pop,
        (opcode::POP_JUMP_IF_NONE, true) | (opcode::POP_JUMP_IF_NOT_NONE, false) => {
            micro_op::guard_is_none_pop
        }
        _ => micro_op::guard_is_not_none_pop,
    }
}

/// The micro-op that does in a trace what this one does in bytecode when the iterator ends.
pub(super) fn at_end(number: u16) -> u16 {
    match number {
        micro_op::iter_jump_range => micro_op::guard_exhausted_range,
        micro_op::iter_jump_list => micro_op::guard_exhausted_list,
        micro_op::iter_jump_tuple => micro_op::guard_exhausted_tuple,
        _ => micro_op::for_iter_exhausted,
    }
}

/// Reads up to two operands of a micro-op from an inline cache.
pub(super) fn read_operands(operands: &[Operand], cache: &[u16]) -> (u64, u64) {
    let mut values = [0; 2];
    let (mut count, mut rest) = (0, cache);
    for operand in operands {
        let (units, behind) = rest.split_at(operand.units());
        if let Operand::Units(_) = *operand {
            values[count] = units.iter().rev().fold(0, |value, unit| value << 16 | u64::from(*unit));
            count += 1;
        }
        rest = behind;
    }
    (values[0], values[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::host_tables::{Table, assert_same, c_table};
    use crate::bytecode::metadata::INSTRUCTIONS;

    #[test]
    fn translatable_instructions_are_those_that_the_host_expands() {
        let host = c_table("internal/pycore_opcode_metadata.h", "_PyOpcode_macro_expansion");
        let rows = INSTRUCTIONS.iter().filter(|row| !is_jump_or_resume(row.opcode));
        let translatable: Table<bool> =
            rows.clone().map(|row| (row.name.to_owned(), is_translatable(row))).collect();
        // The host has no form of these; reval has one for each case.
        let by_case = ["CALL", "CALL_KW", "CALL_FUNCTION_EX", "SEND", "RESERVED"];
        let expanded = rows
            .map(|row| (row.name.to_owned(), host.contains_key(row.name) != by_case.contains(&row.name)))
            .collect();
        assert_same(&translatable, &expanded);
    }
}
