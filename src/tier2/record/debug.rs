//! What debug hosts print about each attempt to make a trace if PYTHON_OPT_DEBUG is 1 or more.

use core::ffi::CStr;
use std::sync::OnceLock;

use super::attempts::{ATTEMPTS, Outcome};
use crate::bytecode::metadata::Instruction;
use crate::host::{Code, CodeUnit, ffi};

/// Prints what became of a recording that began at `start` in `code` and ended in front of `end`.
///
/// # Safety
/// The thread is attached; the code is live and both instructions, if there is an end, are in live bytecode.
pub(super) unsafe fn show(
    code: Code,
    start: CodeUnit,
    instructions: usize,
    outcome: Outcome,
    end: Option<CodeUnit>,
) {
    static IS_ON: OnceLock<bool> = OnceLock::new();
    let level = || std::env::var("PYTHON_OPT_DEBUG").ok()?.bytes().next();
    if !*IS_ON.get_or_init(|| level().is_some_and(|level| level.is_ascii_digit() && level > b'0')) {
        return;
    }
    // SAFETY: the code is live, and so are its strings (caller).
    unsafe {
        let fields = code.as_ptr();
        let text = |object| match ffi::PyUnicode_AsUTF8(object) {
            text if text.is_null() => {
                ffi::PyErr_Clear();
                String::new()
            }
            text => CStr::from_ptr(text).to_string_lossy().into_owned(),
        };
        let (name, file) = (text((*fields).co_qualname), text((*fields).co_filename));
        let offset = 2 * start.offset_from(code.bytecode());
        let line = ffi::PyCode_Addr2Line(fields, offset as _);
        let end = end.map_or("", |end| Instruction::of(end.opcode()).map_or("?", |row| row.name));
        let outcome = CStr::from_ptr(ATTEMPTS[outcome.index()].outcome).to_string_lossy();
        println!(
            "trace from {name} ({file}:{line}), offset {offset}: {instructions} instructions, {outcome} {end}"
        );
    }
}
