//! Memory that Cranelift's form of a function has grown to, for the next one: a function needs much of it, for a moment.

use std::sync::{Mutex, PoisonError};

use cranelift_codegen::ir::{Function, UserFuncName};
use cranelift_frontend::FunctionBuilderContext;

use super::lower::signature_of_code;

/// What has been given back, and is empty.
struct Spare<T>(Mutex<Option<T>>);

impl<T> Spare<T> {
    /// Nothing panics while the lock is held, and no thread that forks holds it.
    fn replace(&self, value: Option<T>) -> Option<T> {
        core::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), value)
    }
}

static FUNCTION: Spare<Function> = Spare(Mutex::new(None));
static CONTEXT: Spare<FunctionBuilderContext> = Spare(Mutex::new(None));

/// An empty function for machine code.
pub(super) fn function() -> Function {
    let signature = signature_of_code();
    match FUNCTION.replace(None) {
        Some(mut function) => {
            function.signature = signature;
            function
        }
        None => Function::with_name_signature(UserFuncName::default(), signature),
    }
}

/// A function that is not needed any more.
pub(super) fn give_function(mut function: Function) {
    function.clear();
    FUNCTION.replace(Some(function));
}

/// What a function is built with.
pub(super) fn context() -> FunctionBuilderContext {
    CONTEXT.replace(None).unwrap_or_default()
}

/// The same after a function has been finished with it.
pub(super) fn give_context(context: FunctionBuilderContext) {
    CONTEXT.replace(Some(context));
}
