//! What the specializer asks of functions that are written in Python.

use super::refusal::Refusal;
use crate::host::function::Function;
use crate::host::{Code, ThreadState, ffi};

/// Whether calls of code with these flags, and that many parameters that are keywords only, find all of
/// their arguments on the stack, in the order of the locals.
pub(super) fn parameters_are_simple(flags: u32, keyword_only: i32) -> Result<(), Refusal> {
    if flags & (ffi::CO_VARARGS | ffi::CO_VARKEYWORDS) != 0 || keyword_only != 0 {
        Err(Refusal::ComplexParameters)
    } else if flags & ffi::CO_OPTIMIZED == 0 {
        Err(Refusal::NotOptimized)
    } else {
        Ok(())
    }
}

/// The number of parameters of a function that has [simple](parameters_are_simple) ones.
///
/// # Safety
/// The code is live.
pub(super) unsafe fn simple_parameters(code: Code) -> Result<i32, Refusal> {
    // SAFETY: the code is live.
    let code = unsafe { &*code.as_ptr() };
    parameters_are_simple(code.co_flags as u32, code.co_kwonlyargcount)?;
    Ok(code.co_argcount)
}

/// That the function has `count` parameters, simple ones.
///
/// # Safety
/// The function is live.
pub(super) unsafe fn takes(function: Function, count: i32) -> Result<(), Refusal> {
    // SAFETY: the function is live, and so is its code.
    let parameters = unsafe { simple_parameters(function.code())? };
    if parameters == count { Ok(()) } else { Err(Refusal::WrongNumberOfArguments) }
}

/// That calls need not go through an evaluator that a tool has installed (PEP 523).
pub(super) fn default_evaluator() -> Result<(), Refusal> {
    // SAFETY: the thread is attached: it runs the instruction that is looked at.
    if unsafe { ThreadState::current().has_custom_eval_frame() } {
        Err(Refusal::CustomEvaluator)
    } else {
        Ok(())
    }
}

/// The version of the function.
///
/// # Safety
/// The function is live and the thread attached.
pub(super) unsafe fn version(function: Function) -> Result<u32, Refusal> {
    // SAFETY: the caller's promise.
    unsafe { function.current_version() }.ok_or(Refusal::OutOfVersions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_positional_parameters_of_optimized_code_are_simple() {
        let optimized = ffi::CO_OPTIMIZED | ffi::CO_NEWLOCALS | ffi::CO_GENERATOR;
        assert_eq!(parameters_are_simple(optimized, 0), Ok(()));
        assert_eq!(parameters_are_simple(optimized, 1), Err(Refusal::ComplexParameters));
        for flag in [ffi::CO_VARARGS, ffi::CO_VARKEYWORDS] {
            assert_eq!(parameters_are_simple(optimized | flag, 0), Err(Refusal::ComplexParameters));
        }
        assert_eq!(parameters_are_simple(ffi::CO_NEWLOCALS, 0), Err(Refusal::NotOptimized));
        // A call's forms treat these two differently, so which one comes first matters.
        assert_eq!(parameters_are_simple(0, 1), Err(Refusal::ComplexParameters));
    }
}
