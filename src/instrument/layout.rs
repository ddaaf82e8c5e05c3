//! The layers of instrumentation at a location, and the tools to notify. Pure functions and plain values,
//! used by `writer` in this room only.

use super::events::ToolSet;
use super::opcodes::{instrumented_form, plain_form};
use crate::bytecode::opcode::{INSTRUMENTED_INSTRUCTION, INSTRUMENTED_LINE};

/// The layers of instrumentation on an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Layers {
    /// The event that belongs to the opcode, such as CALL or PY_RETURN.
    pub(crate) event: bool,
    /// INSTRUCTION: before the instruction.
    pub(crate) instruction: bool,
    /// LINE: before the first instruction of a line.
    pub(crate) line: bool,
}

impl Layers {
    pub(crate) const NONE: Layers = Layers { event: false, instruction: false, line: false };

    /// Whether the counter starts again when the layers change to `after`: a layer is removed, or the
    /// opcode's own event is added. Then a different instruction runs than before.
    pub(crate) fn resets_counter(self, after: Layers) -> bool {
        self.event != after.event || self.instruction && !after.instruction || self.line && !after.line
    }
}

/// The opcodes that are stacked at a location.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Look {
    /// In the bytecode.
    pub(crate) top: u8,
    /// Below a line event.
    pub(crate) below_line: u8,
    /// Below an instruction event.
    pub(crate) below_instruction: u8,
}

/// The opcodes for an instruction with the generic opcode `base` under `layers`. An opcode without an
/// instrumented form stays as it is under an event of its own.
pub(crate) fn look(base: u8, layers: Layers) -> Look {
    let below_instruction = if layers.event { instrumented_form(base).unwrap_or(base) } else { base };
    let below_line = if layers.instruction { INSTRUMENTED_INSTRUCTION } else { below_instruction };
    let top = if layers.line { INSTRUMENTED_LINE } else { below_line };
    Look { top, below_line, below_instruction }
}

/// The opcode of the instruction itself, which may be specialized, and the layers on it. `below_line` and
/// `below_instruction` are called only if there is such a layer.
#[inline]
pub(crate) fn strip(
    top: u8,
    below_line: impl FnOnce() -> u8,
    below_instruction: impl FnOnce() -> u8,
) -> (u8, Layers) {
    let line = top == INSTRUMENTED_LINE;
    let opcode = if line { below_line() } else { top };
    let instruction = opcode == INSTRUMENTED_INSTRUCTION;
    let opcode = if instruction { below_instruction() } else { opcode };
    let plain = plain_form(opcode);
    (plain.unwrap_or(opcode), Layers { event: plain.is_some(), instruction, line })
}

/// One layer at one location.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Site {
    /// Whether the bytecode has the layer.
    pub(crate) present: bool,
    /// The tools to notify, if the code object has a table for this layer; without a table, all active tools.
    pub(crate) told: Option<ToolSet>,
}

impl Site {
    /// The site after `tools` are removed. `active` are the tools that watch the event in this code object
    /// now.
    #[must_use]
    pub(crate) fn without(self, tools: ToolSet, active: ToolSet) -> Site {
        if tools.is_empty() {
            return self;
        }
        let told = self.told.map(|told| told.difference(tools));
        let left = told.unwrap_or(active.difference(tools));
        Site { present: self.present && !left.is_empty(), told }
    }

    /// The site after `tools` are added.
    #[must_use]
    pub(crate) fn with(self, tools: ToolSet) -> Site {
        if tools.is_empty() {
            return self;
        }
        Site { present: true, told: self.told.map(|told| told.union(tools)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bytecode::metadata::{INSTRUCTIONS, name_of};
    use crate::instrument::opcodes::is_instrumented;

    fn all_layers() -> impl Iterator<Item = Layers> {
        (0..8).map(|bits| Layers { event: bits & 1 != 0, instruction: bits & 2 != 0, line: bits & 4 != 0 })
    }

    /// Opcodes that are neither specialized nor instrumented.
    fn generic() -> impl Iterator<Item = u8> {
        INSTRUCTIONS
            .iter()
            .filter(|row| row.family.is_none() && !is_instrumented(row.opcode))
            .map(|row| row.opcode)
    }

    #[test]
    fn what_is_put_on_top_comes_off_again() {
        for base in generic() {
            for layers in all_layers() {
                let layers = Layers { event: layers.event && instrumented_form(base).is_some(), ..layers };
                let look = look(base, layers);
                let found = strip(look.top, || look.below_line, || look.below_instruction);
                assert_eq!(found, (base, layers), "{}", name_of(base));
                assert_eq!(is_instrumented(look.top), layers != Layers::NONE, "{} {layers:?}", name_of(base));
            }
        }
    }

    #[test]
    fn tables_are_read_only_for_layers_that_are_there() {
        for base in generic() {
            let found = strip(base, || unreachable!(), || unreachable!());
            assert_eq!(found, (base, Layers::NONE), "{}", name_of(base));
            let line = look(base, Layers { line: true, ..Layers::NONE });
            assert_eq!(strip(line.top, || line.below_line, || unreachable!()).0, base, "{}", name_of(base));
        }
    }

    #[test]
    fn only_more_lines_and_instructions_leave_the_counter_alone() {
        for before in all_layers() {
            for after in all_layers() {
                let only_more = before.event == after.event
                    && (after.line || !before.line)
                    && (after.instruction || !before.instruction);
                assert_eq!(before.resets_counter(after), !only_more);
            }
        }
    }

    proptest! {
        #[test]
        fn with_a_table_every_tool_is_on_its_own(told: u8, removed: u8, added: u8, active: u8) {
            let site = Site { present: told != 0, told: Some(ToolSet::from_bits(told)) };
            let after = site.without(ToolSet::from_bits(removed), ToolSet::from_bits(active)).with(ToolSet::from_bits(added));
            prop_assert_eq!(after.told.unwrap().bits(), told & !removed | added);
            prop_assert_eq!(after.present, told & !removed | added != 0);
        }

        #[test]
        fn a_single_tool_comes_and_goes(tool in 0..8u32, other in 0..8u32, present: bool) {
            let (tool, other) = (ToolSet::from_bits(1 << tool), ToolSet::from_bits(1 << other));
            let site = Site { present, told: None };
            prop_assert!(!site.without(tool, tool).present);
            prop_assert!(!site.without(tool, ToolSet::NONE).present);
            prop_assert!(site.with(tool).present);
            // Removing one tool does not remove the event of a tool that was just added.
            prop_assert_eq!(site.without(tool, other).present, present && tool != other);
            prop_assert_eq!(site.without(ToolSet::NONE, tool), site);
            prop_assert_eq!(site.with(ToolSet::NONE), site);
        }
    }
}
