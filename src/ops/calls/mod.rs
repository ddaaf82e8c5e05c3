//! Calls and function objects.
//!
//! How many operands a call has depends on the instruction's argument, so most micro-ops here take
//! [`Operands`]. CALL and CALL_KW, which has the names of keyword
//! arguments on top, share one body each: the parameter `KW` says which of the two it is.

mod builtins;
mod events;
pub(crate) mod functions;
mod operands;
mod python;
pub(crate) mod spread;

pub(crate) use builtins::*;
pub(crate) use events::*;
pub(crate) use functions::*;
pub(crate) use python::*;
pub(crate) use spread::*;

use super::adaptive::specialize;
use super::frames::{enter_frame, save_return_offset};
use super::guards::guard;
use crate::calls::frames;
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, Op, Settled, Values};
use crate::host::function::{Function, Method};
use crate::host::{Frame, PyObject, StackRef};
use crate::seams;
pub(crate) use operands::Operands;

/// The body of CALL's specializing step.
#[inline(always)]
unsafe fn specialize_operands<E: BytecodeEngine, const KW: bool>(e: &mut E, counter: u16) -> BytecodeOp {
    // SAFETY: the operands are on the stack, and the specializer is that of the instruction's family.
    unsafe {
        specialize(e, counter, |e| {
            let operands = Operands::<KW>::below(e.sp(), e.oparg());
            let specializer = if KW { seams::specialize::call_kw } else { seams::specialize::call };
            specializer(operands.callable(), e.this_instr(), operands.total());
        })
    }
}

/// Looks for a specialized form of a call when the counter says so.
#[inline(always)]
pub(crate) unsafe fn specialize_call<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction is a CALL.
    unsafe { specialize_operands::<E, false>(e, counter) }
}

/// Looks for a specialized form of a call with keywords when the counter says so.
#[inline(always)]
pub(crate) unsafe fn specialize_call_kw<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction is a CALL_KW.
    unsafe { specialize_operands::<E, true>(e, counter) }
}

/// Puts the parts of the bound method that is called in the places of callable and `self`.
#[inline(always)]
unsafe fn expand<E: Engine, const KW: bool>(e: &mut E, operands: Operands<KW>, method: Method) {
    // SAFETY: the operands are on the stack, without another `self`. The method is given up once its
    // parts are held.
    unsafe {
        let bound = operands.callable();
        operands.set_self(StackRef::new(method.receiver()));
        operands.set_callable(StackRef::new(method.function()));
        e.close_at(bound, e.sp());
    }
}

#[inline(always)]
unsafe fn expand_if_method<E: Engine, const KW: bool>(e: &mut E, operands: Operands<KW>) -> Op {
    // SAFETY: the operands are on the stack.
    unsafe {
        if let Some(method) = Method::cast(operands.callable().object())
            && !operands.has_self()
        {
            expand(e, operands, method);
        }
    }
    Ok([])
}

/// If a bound method is called: its function and its `self` become the callable and the first argument.
#[inline(always)]
pub(crate) unsafe fn maybe_expand_method<E: Engine>(e: &mut E, Kept(operands): Kept<Operands<false>>) -> Op {
    // SAFETY: the instruction is a CALL.
    unsafe { expand_if_method(e, operands) }
}

/// [`maybe_expand_method`] for calls with keywords.
#[inline(always)]
pub(crate) unsafe fn maybe_expand_method_kw<E: Engine>(
    e: &mut E,
    Kept(operands): Kept<Operands<true>>,
) -> Op {
    // SAFETY: the instruction is a CALL_KW.
    unsafe { expand_if_method(e, operands) }
}

/// The callable, if it is a Python function whose frame this evaluator may run itself.
#[inline(always)]
unsafe fn inlinable<E: Engine>(e: &E, callable: StackRef) -> Option<Function> {
    // SAFETY: the callable is live.
    unsafe {
        let function = Function::cast(callable.object())?;
        if e.tstate().has_custom_eval_frame() || !function.runs_its_code() {
            return None;
        }
        Some(function)
    }
}

/// Pushes a frame for a call of a Python function and binds the arguments to its parameters. The
/// operands have been given up afterwards, whether it succeeds or not.
#[inline(always)]
unsafe fn make_frame<E: Engine, const KW: bool>(
    e: &mut E,
    operands: Operands<KW>,
    function: Function,
) -> Op<Frame> {
    // SAFETY: the operands are on the stack, and the function is the callable. The references to the
    // callable and the arguments move to the frame, or are given up without one.
    unsafe {
        e.publish();
        let frame = frames::push_owned(
            e.tstate(),
            operands.callable(),
            function.new_locals(),
            operands.first(),
            operands.positional(),
            operands.names().object(),
            e.frame(),
        );
        e.close_at(operands.names(), operands.base());
        frame.map_err(|_| Exit::Error)
    }
}

/// Ends a call whose operands have been given up: `result`, a new reference or null with an exception
/// set, takes their place.
#[inline(always)]
unsafe fn finish<const KW: bool>(operands: Operands<KW>, result: *mut PyObject) -> Op<Settled<1>> {
    // SAFETY: the operands are the topmost values of the stack, and need to be forgotten only.
    unsafe {
        if result.is_null() {
            return Err(Exit::Error);
        }
        *operands.base() = StackRef::steal(result);
        Ok(Settled::new())
    }
}

/// Calls a callable of any kind. `vectorcall` does it for what is not entered as a frame.
#[inline(always)]
unsafe fn call<E: BytecodeEngine, const KW: bool>(
    e: &mut E,
    operands: Operands<KW>,
    vectorcall: impl FnOnce(&E, Operands<KW>) -> *mut PyObject,
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the operands are on the stack.
    unsafe {
        if let Some(function) = inlinable(e, operands.callable()) {
            let frame = make_frame(e, operands, function)?;
            e.set_sp(operands.base());
            save_return_offset(e, [])?;
            return enter_frame(e, frame);
        }
        e.publish();
        let result = vectorcall(e, operands);
        Ok(finish(operands, result)?)
    }
}

/// Calls a callable of any kind; the frame of a Python function is entered, without a call in C.
#[inline(always)]
pub(crate) unsafe fn do_call<E: BytecodeEngine>(
    e: &mut E,
    operands: Operands<false>,
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the instruction is a CALL, and the frame is published when the function is called.
    unsafe { call(e, operands, |e, operands| operands.vectorcall(e.tstate())) }
}

/// [`do_call`] with keywords.
#[inline(always)]
pub(crate) unsafe fn do_call_kw<E: BytecodeEngine>(
    e: &mut E,
    operands: Operands<true>,
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the instruction is a CALL_KW, and the frame is published when the function is called.
    unsafe { call(e, operands, |e, operands| operands.vectorcall(e.tstate())) }
}

#[inline(always)]
unsafe fn guard_not_python<const KW: bool>(operands: Operands<KW>) -> Op {
    // SAFETY: the operands are on the stack.
    unsafe {
        let callable = operands.callable().object();
        guard(Function::cast(callable).is_none() && Method::cast(callable).is_none())
    }
}

/// The callable is neither a Python function nor a bound method.
#[inline(always)]
pub(crate) unsafe fn check_is_not_py_callable<E: Engine>(
    _e: &mut E,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the instruction is a CALL.
    unsafe { guard_not_python(operands) }
}

/// [`check_is_not_py_callable`] for calls with keywords.
#[inline(always)]
pub(crate) unsafe fn check_is_not_py_callable_kw<E: Engine>(
    _e: &mut E,
    Kept(operands): Kept<Operands<true>>,
) -> Op {
    // SAFETY: the instruction is a CALL_KW.
    unsafe { guard_not_python(operands) }
}

#[inline(always)]
unsafe fn call_out<E: Engine, const KW: bool>(e: &mut E, operands: Operands<KW>) -> Op<Settled<1>> {
    // SAFETY: the operands are on the stack.
    unsafe {
        e.publish();
        let result = operands.vectorcall(e.tstate());
        finish(operands, result)
    }
}

/// Calls what is not Python code.
#[inline(always)]
pub(crate) unsafe fn call_non_py_general<E: Engine>(e: &mut E, operands: Operands<false>) -> Op<Settled<1>> {
    // SAFETY: the instruction is a CALL.
    unsafe { call_out(e, operands) }
}

/// Calls what is not Python code, with keywords.
#[inline(always)]
pub(crate) unsafe fn call_kw_non_py<E: Engine>(e: &mut E, operands: Operands<true>) -> Op<Settled<1>> {
    // SAFETY: the instruction is a CALL_KW.
    unsafe { call_out(e, operands) }
}
