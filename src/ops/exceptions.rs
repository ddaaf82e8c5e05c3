//! Raising, matching and leaving exceptions; `with`.

use crate::api;
use crate::engine::{BytecodeExit, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::function::VECTORCALL_ARGUMENTS_OFFSET;
use crate::host::object::type_of;
use crate::host::{Owned, PyObject, StackRef, ffi, refcount};

/// Raises: the argument says whether there is an exception on the stack (1), and a cause above it (2).
#[inline(always)]
pub unsafe fn raise_varargs<E: Engine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the stack has as many values as the argument says, which become the callee's.
    unsafe {
        let cause = if e.oparg() == 2 { e.pop().into_object() } else { core::ptr::null_mut() };
        let exception = if e.oparg() > 0 { e.pop().into_object() } else { core::ptr::null_mut() };
        e.publish();
        if api::exceptions::raise_statement(e.tstate(), exception, cause) {
            api::monitor::reraise(e.tstate(), e.frame(), e.this_instr());
            return Err(BytecodeExit::Unwind);
        }
    }
    Err(Exit::Error.into())
}

/// Raises the topmost value once more, at the end of a handler. If there is an argument, the offset of
/// the instruction that raised it first is as many places below.
#[inline(always)]
pub unsafe fn reraise<E: Engine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the topmost value is an exception, and the one that the argument leads to a tagged integer.
    unsafe {
        let exception = e.pop().into_object();
        if e.oparg() > 0 {
            let offset = e.peek(e.oparg()).untag_int();
            e.frame().set_instr(e.frame().bytecode().add(offset));
        }
        e.publish();
        ffi::_PyErr_SetRaisedException(e.tstate().as_ptr(), exception);
        api::monitor::reraise(e.tstate(), e.frame(), e.this_instr());
    }
    Err(BytecodeExit::Unwind)
}

/// Makes the topmost value the exception being handled, and puts the one before below it (or None).
#[inline(always)]
pub unsafe fn push_exc_info<E: Engine>(e: &mut E, [exception]: [StackRef; 1]) -> Op<[StackRef; 2]> {
    // SAFETY: the thread's stack of handled exceptions owns its items.
    unsafe {
        let handled = &raw mut (*(*e.tstate().as_ptr()).exc_info).exc_value;
        let before = if (*handled).is_null() { StackRef::none() } else { StackRef::steal(*handled) };
        *handled = exception.new_object();
        Ok([before, exception])
    }
}

/// Ends a handler: the topmost value is the exception that was being handled before (or None).
#[inline(always)]
pub unsafe fn pop_except<E: Engine>(e: &mut E, [before]: [StackRef; 1]) -> Op<Settled<0>> {
    // SAFETY: the input becomes the thread's, and what it replaces is given up.
    unsafe {
        let handled = &raw mut (*(*e.tstate().as_ptr()).exc_info).exc_value;
        let ended = *handled;
        *handled = if before.is_none() { core::ptr::null_mut() } else { before.into_object() };
        e.publish_at(e.sp().sub(1));
        refcount::xdecref(ended);
        Ok(Settled::new())
    }
}

/// Replaces the type at the top, after `except`, by whether the exception below it is of that type.
#[inline(always)]
pub unsafe fn check_exc_match<E: Engine>(
    e: &mut E,
    (Kept([exception]), [match_type]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> Op<Settled<1>> {
    // SAFETY: the instruction has two inputs, and the exception stays.
    unsafe {
        e.publish();
        let exception = exception.object();
        if api::exceptions::_PyEval_CheckExceptTypeValid(e.tstate().as_ptr(), match_type.object()) < 0 {
            return Err(Exit::ErrorNoPop);
        }
        let matches = ffi::PyErr_GivenExceptionMatches(exception, match_type.object()) != 0;
        e.settle([match_type], [StackRef::bool(matches)])
    }
}

/// Replaces an exception and the type above it, after `except*`, by the rest for other handlers and
/// the group that this one handles (each None if there is nothing).
#[inline(always)]
pub unsafe fn check_eg_match<E: Engine>(e: &mut E, [exception, match_type]: [StackRef; 2]) -> Op<Settled<2>> {
    // SAFETY: the inputs are ours. The group stays alive on the stack when it becomes the exception
    // being handled.
    unsafe {
        e.publish();
        let tstate = e.tstate().as_ptr();
        if api::exceptions::_PyEval_CheckExceptStarTypeValid(tstate, match_type.object()) < 0 {
            e.consume([match_type, exception]);
            return Err(Exit::Error);
        }
        let (exception_object, type_object) = (exception.object(), match_type.object());
        let Ok(split) = api::exceptions::split_by_type(e.frame(), exception_object, type_object) else {
            e.consume([match_type, exception]);
            return Err(Exit::Error);
        };
        let (rest, matched) = (split.rest.into_ptr(), split.matched.into_ptr());
        let settled = e.settle([match_type, exception], [StackRef::steal(rest), StackRef::steal(matched)]);
        if matched != crate::host::none() {
            e.publish();
            ffi::PyErr_SetHandledException(matched);
        }
        settled
    }
}

/// Calls `__exit__` with the exception at the top, and pushes what it returns. On the stack are the
/// method and its `self` (or nothing), the offset of the raising instruction, the exception handled
/// before, and the exception, which all stay.
#[inline(always)]
pub unsafe fn with_except_start<E: Engine>(
    e: &mut E,
    Kept([method, receiver, lasti, _, exception]): Kept<[StackRef; 5]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the instruction has five inputs.
    unsafe {
        e.publish();
        debug_assert!(lasti.is_tagged_int());
        let result = call_exit(method.object(), receiver, exception.object());
        if result.is_null() { Err(Exit::ErrorNoPop) } else { Ok([StackRef::steal(result)]) }
    }
}

/// `method(type, exception, traceback)`, with `receiver` before them unless it is null.
#[inline(never)]
unsafe fn call_exit(method: *mut PyObject, receiver: StackRef, exception: *mut PyObject) -> *mut PyObject {
    // SAFETY: all are live, and the frame is published. The callee may use the slot before the first
    // argument.
    unsafe {
        let traceback = Owned::optional(ffi::PyException_GetTraceback(exception));
        let class = type_of(exception).cast();
        let traceback = traceback.as_ref().map_or(crate::host::none(), Owned::as_ptr);
        let mut arguments = [core::ptr::null_mut(), receiver.object(), class, exception, traceback];
        let first = if receiver.is_null() { 2 } else { 1 };
        ffi::PyObject_Vectorcall(
            method,
            arguments.as_mut_ptr().add(first),
            (arguments.len() - first) | VECTORCALL_ARGUMENTS_OFFSET,
            core::ptr::null_mut(),
        )
    }
}
