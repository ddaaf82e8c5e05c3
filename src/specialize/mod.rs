//! The adaptive specializer: looks at what an instruction is about to work on and gives it the form
//! made for that, or the generic form back. Replaces `specialize.o`. The micro-ops `specialize_*` call
//! a family's `specialize`, through [`crate::seams`], when an instruction's counter triggers; the host calls
//! [`quicken`] when it makes bytecode.
//!
//! A file per family. In each, `decide` says which [`Form`] the instruction takes or why it cannot
//! take one, and changes nothing but versions and caches of the host's types, functions and
//! dictionaries; `specialize` hands that to [`conclude`], the only writer of opcodes and
//! counters here. (RESUME, LOAD_CONST and JUMP_BACKWARD are simpler: they take a form the first time that
//! they run.)
//!
//! Whether there is specialization at all is decided in one place: [`quicken`]. Where it is off (a
//! free-threaded host with `-X tlbc=0`) counters never trigger, so nothing here is ever called.
//!
//! With a GIL the instruction cannot change meanwhile. In a free-threaded host each thread specializes a
//! copy of its own; only tools (`sys.monitoring`) write opcodes of other threads' copies, and they win.

pub(crate) mod binary_op;
pub(crate) mod call;
pub(crate) mod call_kw;
pub(crate) mod compare_op;
pub(crate) mod contains_op;
mod descriptor;
pub(crate) mod extension;
pub(crate) mod for_iter;
mod form;
pub(crate) mod init_cleanup;
mod instance;
pub(crate) mod jump_backward;
pub(crate) mod load_attr;
pub(crate) mod load_const;
pub(crate) mod load_global;
pub(crate) mod load_super_attr;
mod python_function;
pub(crate) mod quicken;
mod refusal;
pub(crate) mod resume;
pub(crate) mod send;
pub(crate) mod store_attr;
pub(crate) mod store_subscr;
pub(crate) mod to_bool;
pub(crate) mod unpack_sequence;

use form::{Cache, Form};
use refusal::Refusal;

use crate::bytecode::BackoffCounter;
use crate::bytecode::metadata::{INSTRUCTIONS, Instruction};
use crate::host::{CodeUnit, ffi};

/// What a family decides about an instruction.
type Decision = Result<Form, Refusal>;

/// Does what was decided about the instruction.
///
/// # Safety
/// `instr` is an instruction with a counter in the thread's own bytecode, of the family that the form is
/// from.
#[inline]
unsafe fn conclude(instr: CodeUnit, decision: Decision) {
    // SAFETY: the caller's promise.
    unsafe {
        match decision {
            Ok(form) => {
                // Caches first: whoever sees the opcode may rely on them.
                form.cache.write(instr);
                take_form(instr, form.opcode, |_| BackoffCounter::COOLDOWN);
            }
            Err(Refusal::NothingToGoBy) => BackoffCounter::COOLDOWN.store_at(instr),
            Err(_) => {
                take_form(instr, GENERIC[instr.opcode() as usize], BackoffCounter::restart);
            }
        }
    }
}

/// The generic form of every instruction.
static GENERIC: [u8; 256] = {
    let mut generic = [0; 256];
    let mut row = 0;
    while row < INSTRUCTIONS.len() {
        let Instruction { opcode, family, .. } = INSTRUCTIONS[row];
        generic[opcode as usize] = if let Some(family) = family { family } else { opcode };
        row += 1;
    }
    generic
};

/// Changes the opcode of an instruction, and then its counter, unless it is (or becomes meanwhile)
/// instrumented: then it stays as it is.
///
/// # Safety
/// As for [`conclude`]; `opcode` is of the instruction's family.
#[inline]
unsafe fn take_form(instr: CodeUnit, opcode: u8, counter: impl FnOnce(BackoffCounter) -> BackoffCounter) {
    // SAFETY: the caller's promise.
    unsafe {
        let current = instr.opcode();
        if u32::from(current) < ffi::MIN_INSTRUMENTED_OPCODE && instr.replace_opcode(current, opcode) {
            counter(BackoffCounter::load_at(instr)).store_at(instr);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::opcode::*;

    /// An instruction with a counter and two units of cache.
    fn bytecode(opcode: u8, counter: BackoffCounter) -> [u16; 4] {
        [u16::from_ne_bytes([opcode, 7]), counter.bits(), 0, 0]
    }

    fn concluded(opcode: u8, counter: BackoffCounter, decision: Decision) -> [u16; 4] {
        let mut units = bytecode(opcode, counter);
        // SAFETY: the units are an instruction with its cache.
        unsafe { conclude(CodeUnit::from_ptr(units.as_mut_ptr().cast()), decision) };
        units
    }

    const TRIGGERING: BackoffCounter = BackoffCounter::new(0, 3);

    #[test]
    fn a_form_comes_with_its_cache_and_the_cooldown() {
        let form = Form { opcode: CALL_PY_EXACT_ARGS, cache: Cache::Version(0x0003_0002) };
        let mut expected = bytecode(CALL_PY_EXACT_ARGS, BackoffCounter::COOLDOWN);
        expected[2..].copy_from_slice(&[2, 3]);
        assert_eq!(concluded(CALL, TRIGGERING, Ok(form)), expected);
    }

    #[test]
    fn a_refusal_gives_the_generic_form_back_and_makes_the_next_look_later() {
        for form in [CALL_PY_EXACT_ARGS, CALL_LEN, CALL] {
            let units = concluded(form, TRIGGERING, Err(Refusal::NoFormForOperands));
            assert_eq!(units, bytecode(CALL, BackoffCounter::new(15, 4)));
        }
    }

    #[test]
    fn an_instrumented_instruction_keeps_opcode_and_counter() {
        for decision in [Ok(Form::plain(CALL_LEN)), Err(Refusal::OutOfRange)] {
            let units = concluded(INSTRUMENTED_CALL, TRIGGERING, decision);
            assert_eq!(units, bytecode(INSTRUMENTED_CALL, TRIGGERING));
        }
    }

    #[test]
    fn without_anything_to_go_by_only_the_counter_changes() {
        let units = concluded(LOAD_ATTR_SLOT, TRIGGERING, Err(Refusal::NothingToGoBy));
        assert_eq!(units, bytecode(LOAD_ATTR_SLOT, BackoffCounter::COOLDOWN));
    }
}
