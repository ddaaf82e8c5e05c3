//! The instructions that have an instrumented form, and the events that they fire. Source:
//! `pycore_opcode_metadata.h` for the names, PEP 669 for the events.
//!
//! Callers: this room, and `tlbc` for [`BaseInstruction`].

use super::events::{Event, EventSet};
use crate::bytecode::opcode::*;
use crate::host::ffi;

/// An instruction as the compiler emitted it: generic, not instrumented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BaseInstruction {
    pub(crate) opcode: u8,
    pub(crate) argument: u8,
    /// Number of code units, caches included.
    pub(crate) length: usize,
}

/// The event of a pair of a plain and an instrumented opcode.
#[derive(Clone, Copy)]
enum Fires {
    One(Event),
    /// RESUME: PY_START if its argument is zero, otherwise PY_RESUME.
    ByArgument,
}

macro_rules! pairs {
    ($($plain:ident $instrumented:ident $fires:expr;)*) => {
        const INSTRUMENTED_FORM: [u8; 256] = {
            let mut table = [0; 256];
            $(table[$plain as usize] = $instrumented;)*
            table
        };
        const PLAIN_FORM: [u8; 256] = {
            let mut table = [0; 256];
            $(table[$instrumented as usize] = $plain;)*
            table
        };
        const FIRES: [Option<Fires>; 256] = {
            let mut table = [None; 256];
            $(table[$plain as usize] = Some($fires);)*
            table
        };
        const EVENTS_OF: [EventSet; 256] = {
            let mut table = [EventSet::NONE; 256];
            $(table[$plain as usize] = match $fires {
                Fires::One(event) => EventSet::NONE.with(event),
                Fires::ByArgument => EventSet::NONE.with(Event::PY_START).with(Event::PY_RESUME),
            };)*
            table
        };
        #[cfg(test)]
        const PAIRS: &[(u8, u8, &str, &str)] =
            &[$(($plain, $instrumented, stringify!($plain), stringify!($instrumented))),*];
    };
}

pairs! {
    RESUME INSTRUMENTED_RESUME Fires::ByArgument;
    RETURN_VALUE INSTRUMENTED_RETURN_VALUE Fires::One(Event::PY_RETURN);
    YIELD_VALUE INSTRUMENTED_YIELD_VALUE Fires::One(Event::PY_YIELD);
    CALL INSTRUMENTED_CALL Fires::One(Event::CALL);
    CALL_KW INSTRUMENTED_CALL_KW Fires::One(Event::CALL);
    CALL_FUNCTION_EX INSTRUMENTED_CALL_FUNCTION_EX Fires::One(Event::CALL);
    LOAD_SUPER_ATTR INSTRUMENTED_LOAD_SUPER_ATTR Fires::One(Event::CALL);
    JUMP_FORWARD INSTRUMENTED_JUMP_FORWARD Fires::One(Event::JUMP);
    JUMP_BACKWARD INSTRUMENTED_JUMP_BACKWARD Fires::One(Event::JUMP);
    POP_JUMP_IF_FALSE INSTRUMENTED_POP_JUMP_IF_FALSE Fires::One(Event::BRANCH_RIGHT);
    POP_JUMP_IF_TRUE INSTRUMENTED_POP_JUMP_IF_TRUE Fires::One(Event::BRANCH_RIGHT);
    POP_JUMP_IF_NONE INSTRUMENTED_POP_JUMP_IF_NONE Fires::One(Event::BRANCH_RIGHT);
    POP_JUMP_IF_NOT_NONE INSTRUMENTED_POP_JUMP_IF_NOT_NONE Fires::One(Event::BRANCH_RIGHT);
    NOT_TAKEN INSTRUMENTED_NOT_TAKEN Fires::One(Event::BRANCH_LEFT);
    FOR_ITER INSTRUMENTED_FOR_ITER Fires::One(Event::BRANCH_LEFT);
    POP_ITER INSTRUMENTED_POP_ITER Fires::One(Event::BRANCH_RIGHT);
    END_ASYNC_FOR INSTRUMENTED_END_ASYNC_FOR Fires::One(Event::BRANCH_RIGHT);
    END_FOR INSTRUMENTED_END_FOR Fires::One(Event::STOP_ITERATION);
    END_SEND INSTRUMENTED_END_SEND Fires::One(Event::STOP_ITERATION);
}

/// The events that instructions with this opcode may fire; each fires one of them, see [`event`].
#[inline(always)]
pub(crate) fn events(opcode: u8) -> EventSet {
    EVENTS_OF[opcode as usize]
}

/// The event that the instruction fires, if it has one.
pub(crate) fn event(opcode: u8, argument: u8) -> Option<Event> {
    Some(match FIRES[opcode as usize]? {
        Fires::One(event) => event,
        Fires::ByArgument if argument == 0 => Event::PY_START,
        Fires::ByArgument => Event::PY_RESUME,
    })
}

/// The form of a generic opcode that fires its event; none if it has no event.
#[inline]
pub(crate) fn instrumented_form(opcode: u8) -> Option<u8> {
    Some(INSTRUMENTED_FORM[opcode as usize]).filter(|&form| form != 0)
}

/// The generic opcode of an instrumented form; none if `opcode` is no such form.
#[inline]
pub(crate) fn plain_form(opcode: u8) -> Option<u8> {
    Some(PLAIN_FORM[opcode as usize]).filter(|&form| form != 0)
}

/// Whether `opcode` is written by instrumentation only.
#[inline(always)]
pub(crate) fn is_instrumented(opcode: u8) -> bool {
    opcode >= ffi::MIN_INSTRUMENTED_OPCODE as u8 && opcode != ENTER_EXECUTOR
}

/// Whether INSTRUCTION can fire for the instruction. Not for RESUME, which updates the instrumentation, and
/// not for END_FOR, which is mostly skipped.
#[inline]
pub(crate) fn has_instruction_event(opcode: u8) -> bool {
    opcode != RESUME && opcode != END_FOR
}

/// The generic opcode of a specialized one. Other opcodes are returned unchanged.
///
/// Reads a table of the host, so unit tests cannot call it.
#[inline]
pub(crate) fn generic(opcode: u8) -> u8 {
    // SAFETY: the table is constant and has an entry for each opcode.
    unsafe { ffi::_PyOpcode_Deopt[opcode as usize] }
}

/// Number of cache units after a generic or instrumented opcode.
///
/// Reads a table of the host, so unit tests cannot call it.
#[inline]
pub(crate) fn cache_units(opcode: u8) -> usize {
    // SAFETY: the table is constant and has an entry for each opcode.
    unsafe { ffi::_PyOpcode_Caches[opcode as usize] as usize }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::metadata::{INSTRUCTIONS, name_of};

    #[test]
    fn every_instrumented_opcode_of_the_host_has_its_plain_one() {
        let instrumented = INSTRUCTIONS.iter().filter(|row| is_instrumented(row.opcode));
        for row in instrumented
            .filter(|row| row.opcode != INSTRUMENTED_LINE && row.opcode != INSTRUMENTED_INSTRUCTION)
        {
            let name = row.name.strip_prefix("INSTRUMENTED_").expect(row.name);
            let plain = plain_form(row.opcode).unwrap_or_else(|| panic!("no plain form of {}", row.name));
            let pair = PAIRS.iter().find(|pair| pair.1 == row.opcode).map(|pair| pair.2);
            assert_eq!(pair, Some(name), "{}", row.name);
            assert_eq!(instrumented_form(plain), Some(row.opcode), "{}", row.name);
        }
        for &(plain, instrumented, plain_name, instrumented_name) in PAIRS {
            assert_eq!(format!("INSTRUMENTED_{plain_name}"), instrumented_name);
            assert!(is_instrumented(instrumented) && !is_instrumented(plain), "{plain_name}");
        }
    }

    #[test]
    fn both_forms_have_the_same_caches() {
        let units = |opcode| {
            let row = INSTRUCTIONS.iter().find(|row| row.opcode == opcode);
            row.unwrap_or_else(|| panic!("opcode {opcode} has no row")).cache_units()
        };
        for &(plain, instrumented, name, _) in PAIRS {
            assert_eq!(units(plain), units(instrumented), "{name}");
        }
    }

    #[test]
    fn what_has_an_instrumented_form_fires_a_local_event() {
        for opcode in 0..=u8::MAX {
            for argument in [0, 1, 255] {
                let event = event(opcode, argument);
                let name = name_of(opcode);
                assert_eq!(event.is_some(), instrumented_form(opcode).is_some(), "{name} {argument}");
                assert!(event.is_none_or(Event::is_local), "{name} {argument}");
                assert_eq!(event.is_some(), events(opcode) != EventSet::NONE, "{name} {argument}");
                assert!(event.is_none_or(|event| events(opcode).contains(event)), "{name} {argument}");
            }
        }
        assert_eq!(event(RESUME, 0), Some(Event::PY_START));
        assert_eq!(event(RESUME, 2), Some(Event::PY_RESUME));
    }
}
