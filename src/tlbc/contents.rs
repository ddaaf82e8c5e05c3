//! The contents of a new copy, as a pure function of the contents of the main copy.

use crate::instrument::opcodes::BaseInstruction;
use crate::specialize::quicken::Counters;

/// An instruction of the main copy, as a new copy is to have it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shown {
    /// The index of its code unit.
    pub(crate) index: usize,
    /// The instruction without instrumentation and specialization.
    pub(crate) base: BaseInstruction,
    /// The opcode for the copy: the same, or the instrumentation on top of it.
    pub(crate) opcode: u8,
}

/// Writes a copy into zeroed units: generic instructions with fresh counters, and the main copy's
/// instrumentation on top of them.
pub(crate) fn write(units: &mut [u16], instructions: impl Iterator<Item = Shown>, counters: Counters) {
    for Shown { index, base, opcode } in instructions {
        match units.get_mut(index..) {
            Some([unit]) => *unit = u16::from_ne_bytes([opcode, base.argument]),
            Some([unit, cache, ..]) => {
                *unit = u16::from_ne_bytes([opcode, base.argument]);
                if base.length > 1 {
                    *cache = counters.first_unit(base.opcode);
                }
            }
            _ => debug_assert!(false, "an instruction behind the end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::BackoffCounter;
    use crate::bytecode::opcode::*;

    const COUNTERS: Counters =
        Counters { adaptive: BackoffCounter::WARMUP, jump_backward: BackoffCounter::new(16, 4) };

    fn shown(rows: &[(u8, u8, u8, usize)]) -> (usize, Vec<Shown>) {
        let mut index = 0;
        let mut shown = Vec::new();
        for &(opcode, base, argument, length) in rows {
            shown.push(Shown { index, base: BaseInstruction { opcode: base, argument, length }, opcode });
            index += length;
        }
        (index, shown)
    }

    #[test]
    fn a_copy_is_generic_and_instrumented() {
        let (length, instructions) = shown(&[
            (INSTRUMENTED_RESUME, RESUME, 0, 1),
            (INSTRUMENTED_LINE, LOAD_ATTR, 7, 10),
            (POP_JUMP_IF_TRUE, POP_JUMP_IF_TRUE, 3, 2),
            (INSTRUMENTED_POP_JUMP_IF_NONE, POP_JUMP_IF_NONE, 4, 2),
            (JUMP_BACKWARD, JUMP_BACKWARD, 5, 2),
            (INSTRUMENTED_INSTRUCTION, RETURN_VALUE, 0, 1),
        ]);
        let mut units = vec![0; length];
        write(&mut units, instructions.into_iter(), COUNTERS);
        let unit = |opcode, argument| u16::from_ne_bytes([opcode, argument]);
        let mut expected = vec![unit(INSTRUMENTED_RESUME, 0), unit(INSTRUMENTED_LINE, 7)];
        expected.push(COUNTERS.first_unit(LOAD_ATTR));
        expected.extend([0; 8]);
        expected.extend([unit(POP_JUMP_IF_TRUE, 3), 0x5555]);
        expected.extend([unit(INSTRUMENTED_POP_JUMP_IF_NONE, 4), 0x5555]);
        expected.extend([unit(JUMP_BACKWARD, 5), COUNTERS.first_unit(JUMP_BACKWARD)]);
        expected.push(unit(INSTRUMENTED_INSTRUCTION, 0));
        assert_eq!(units, expected);
    }

    #[test]
    fn bytecode_may_end_with_an_instruction_or_be_empty() {
        write(&mut [], std::iter::empty(), COUNTERS);
        let mut units = [0];
        write(&mut units, shown(&[(RETURN_VALUE, RETURN_VALUE, 0, 1)]).1.into_iter(), COUNTERS);
        assert_eq!(units, [u16::from_ne_bytes([RETURN_VALUE, 0])]);
    }
}
