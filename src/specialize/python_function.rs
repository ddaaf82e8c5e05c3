//! Properties of Python functions that decide about forms.

use super::refusal::Refusal;
use crate::host::function::Function;
use crate::host::{Code, FunctionVersion, ThreadState, ffi};

/// Checks that calls of code with these flags, and this number of keyword-only parameters, find all arguments
/// on the stack in the order of the locals.
pub(super) fn parameters_are_simple(flags: u32, keyword_only: i32) -> Result<(), Refusal> {
    if flags & (ffi::CO_VARARGS | ffi::CO_VARKEYWORDS) != 0 || keyword_only != 0 {
        Err(Refusal::ComplexParameters)
    } else if flags & ffi::CO_OPTIMIZED == 0 {
        Err(Refusal::NotOptimized)
    } else {
        Ok(())
    }
}

/// The number of parameters. Fails unless all parameters are [simple](parameters_are_simple).
///
/// # Safety
/// `code` is live.
pub(super) unsafe fn simple_parameters(code: Code) -> Result<i32, Refusal> {
    // SAFETY: the code is live (caller).
    let code = unsafe { &*code.as_ptr() };
    parameters_are_simple(code.co_flags as u32, code.co_kwonlyargcount)?;
    Ok(code.co_argcount)
}

/// Checks that the function has `count` parameters, and that they are simple.
///
/// # Safety
/// `function` is live.
pub(super) unsafe fn takes(function: Function, count: i32) -> Result<(), Refusal> {
    // SAFETY: the function is live (caller), and keeps its code alive.
    let parameters = unsafe { simple_parameters(function.code())? };
    if parameters == count { Ok(()) } else { Err(Refusal::WrongNumberOfArguments) }
}

/// Checks that no tool has installed an evaluator of its own (PEP 523).
///
/// # Safety
/// As the module says.
pub(super) unsafe fn default_evaluator() -> Result<(), Refusal> {
    // SAFETY: the thread is attached (caller).
    if unsafe { ThreadState::current().has_custom_eval_frame() } {
        Err(Refusal::CustomEvaluator)
    } else {
        Ok(())
    }
}

/// The version of the function. Fails if it cannot have one.
///
/// # Safety
/// `function` is live and the thread is attached.
pub(super) unsafe fn version(function: Function) -> Result<FunctionVersion, Refusal> {
    // SAFETY: the function is live and the thread attached (caller).
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
        // The forms of a call treat these two differently, so the order of the checks matters.
        assert_eq!(parameters_are_simple(0, 1), Err(Refusal::ComplexParameters));
    }
}
