//! The adaptive specializer: looks at the operands of an instruction, and changes the instruction to a
//! specialized form for such operands, or back to its generic form. Stands for `specialize.o`.
//!
//! Callers:
//!
//! - `exports`: the C symbols. The micro-ops `specialize_*` of `ops` call these through [`crate::seams`] when
//!   the counter of an instruction triggers, and the host calls `_PyCode_Quicken` when it creates bytecode
//!   ([`quicken`]).
//! - `ops`, directly: [`resume`], [`load_const`] and [`jump_backward`], which are parts of `ceval.o`; `side_cache` and
//!   `special_methods`, which the host does not have.
//! - `instrument` and `tlbc`, directly: the counters of [`quicken`].
//!
//! There is a file per family of instructions. In each, `decide` returns the [`Form`] for the operands, or
//! the reason why there is none. It changes nothing except versions and caches of the host's types, functions
//! and dictionaries. `specialize` passes the decision to [`conclude`], which is the only function here that
//! writes opcodes and counters. RESUME, LOAD_CONST and JUMP_BACKWARD are simpler: they take a form the first
//! time that they run, and write their opcode themselves.
//!
//! [`quicken`] decides whether instructions specialize at all. Where they do not (a free-threaded host with
//! `-X tlbc=0`), counters never trigger, so no `specialize` of a family is called.
//!
//! With a GIL, no other thread changes the instruction meanwhile. On a free-threaded host, each thread
//! specializes a copy of its own. Only instrumentation (`sys.monitoring`) writes the opcodes of other
//! threads' copies, and its opcodes stay.
//!
//! # Contracts
//!
//! `specialize` of a family requires:
//!
//! - The thread is attached, and no exception is set.
//! - `instr` is an instruction of the family, complete with its caches, in the thread's own bytecode, and the
//!   thread is executing it.
//! - The operands are live, and so are the locals, if there is such a parameter. A name is one of the code
//!   object's: an interned string.
//!
//! Functions that `specialize` calls require the same of the parameters that they have: the thread is
//! attached, no exception is set, objects are live. "As the module says" in a `# Safety` section of this room
//! means these requirements.

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
#[cfg(not(py_gil_disabled))]
mod method_table;
mod operand_types;
pub(crate) mod operator;
#[cfg(not(py_gil_disabled))]
mod place;
mod python_function;
pub(crate) mod quicken;
mod refusal;
pub(crate) mod resume;
pub(crate) mod send;
#[cfg(not(py_gil_disabled))]
pub(crate) mod side_cache;
#[cfg(not(py_gil_disabled))]
pub(crate) mod special_methods;
pub(crate) mod store_attr;
pub(crate) mod store_subscr;
pub(crate) mod to_bool;
pub(crate) mod unpack_sequence;

use form::{Cache, Form};
use refusal::Refusal;

use crate::bytecode::BackoffCounter;
use crate::bytecode::metadata::{INSTRUCTIONS, Instruction};
use crate::host::{CodeUnit, ffi};

/// The decision of a family about an instruction.
type Decision = Result<Form, Refusal>;

/// Applies a decision to the instruction.
///
/// # Safety
/// `instr` is an instruction with a counter in the thread's own bytecode, and the form is of its family.
#[inline]
unsafe fn conclude(instr: CodeUnit, decision: Decision) {
    // SAFETY: `instr` has a counter and the cache of its family's forms (caller).
    unsafe {
        match decision {
            Ok(form) => {
                // Write the cache first: an instruction with the new opcode relies on it.
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

/// The generic opcode of each opcode in the table of instructions; zero for numbers without an instruction.
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

/// Changes the opcode of an instruction, and then its counter. An instruction that is instrumented, also if
/// it becomes so meanwhile, stays as it is.
///
/// # Safety
/// `instr` is an instruction with a counter in the thread's own bytecode, and `opcode` is of its family.
#[inline]
unsafe fn take_form(instr: CodeUnit, opcode: u8, counter: impl FnOnce(BackoffCounter) -> BackoffCounter) {
    // SAFETY: `instr` has a counter, and both opcodes have the same caches because they are of one family
    // (caller).
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
    use crate::host::FunctionVersion;

    /// An instruction with a counter and two units of cache.
    fn bytecode(opcode: u8, counter: BackoffCounter) -> [u16; 4] {
        [u16::from_ne_bytes([opcode, 7]), counter.bits(), 0, 0]
    }

    fn concluded(opcode: u8, counter: BackoffCounter, decision: Decision) -> [u16; 4] {
        let mut units = bytecode(opcode, counter);
        // SAFETY: the units are an instruction with the cache of its family.
        unsafe { conclude(CodeUnit::from_ptr(units.as_mut_ptr().cast()), decision) };
        units
    }

    const TRIGGERING: BackoffCounter = BackoffCounter::new(0, 3);

    #[test]
    fn a_form_comes_with_its_cache_and_the_cooldown() {
        let version = FunctionVersion::new(0x0003_0002).unwrap();
        let form = Form { opcode: CALL_PY_EXACT_ARGS, cache: Cache::Function(version) };
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
