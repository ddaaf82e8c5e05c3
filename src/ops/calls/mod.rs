//! Calls and function objects.
//!
//! The number of operands of a call depends on the instruction's argument, so most micro-ops here take
//! [`Operands`]. CALL and CALL_KW share their bodies: the parameter `KW` says which of the two it is. CALL_KW
//! has the names of the keyword arguments on top of the other operands.

mod builtins;
mod events;
pub(crate) mod functions;
mod known;
mod operands;
mod python;
pub(crate) mod spread;

pub(crate) use builtins::*;
pub(crate) use events::*;
pub(crate) use functions::*;
pub(crate) use python::*;
pub(crate) use spread::*;

use super::adaptive::specializing;
use super::frames::{enter_frame, save_return_offset};
use super::guards::guard;
use crate::calls::frames;
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, Op, Settled, Values};
use crate::host::function::{Function, Method};
use crate::host::{Frame, PyObject, StackRef};
use crate::seams;
pub(crate) use operands::Operands;

/// Specializes a CALL_KW if `KW`, otherwise a CALL.
///
/// # Safety
/// The thread is attached, the current instruction is such a one, and its operands are on the published stack.
#[inline(always)]
unsafe fn specialize_operands<E: BytecodeEngine, const KW: bool>(e: &E) {
    // SAFETY: the operands are the topmost values of the stack, and the specializer is that of the instruction's
    // family (caller).
    unsafe {
        let operands = Operands::<KW>::below(e.sp(), e.oparg());
        let specializer = if KW { seams::specialize::call_kw } else { seams::specialize::call };
        specializer(operands.callable(), e.this_instr(), operands.total());
    }
}

specializing! {
    specialize_call: CALL = |e| specialize_operands::<_, false>(e)
}

specializing! {
    specialize_call_kw: CALL_KW = |e| specialize_operands::<_, true>(e)
}

/// Replaces the callable, a bound method, by its function, and the empty slot by its `self`.
///
/// # Safety
/// The thread is attached. The operands are on the engine's stack without a `self`, and `method` is their
/// callable.
#[inline(always)]
unsafe fn expand<E: Engine, const KW: bool>(e: &mut E, operands: Operands<KW>, method: Method) {
    // SAFETY: the operands are on the stack, and the slot of `self` is empty (caller). The method is released
    // after its parts are referenced from the stack.
    unsafe {
        let bound = operands.callable();
        operands.set_self(StackRef::new(method.receiver()));
        operands.set_callable(StackRef::new(method.function()));
        e.close_at(bound, e.sp());
    }
}

/// Expands the callable if it is a bound method and no `self` is there.
///
/// # Safety
/// The thread is attached, and the operands are on the engine's stack.
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

/// If the callable is a bound method, replaces it by its function, and makes its `self` the first argument.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn maybe_expand_method<E: Engine>(e: &mut E, Kept(operands): Kept<Operands<false>>) -> Op {
    // SAFETY: the operands are those of a CALL, and on top of the stack.
    unsafe { expand_if_method(e, operands) }
}

/// [`maybe_expand_method`] for calls with keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn maybe_expand_method_kw<E: Engine>(
    e: &mut E,
    Kept(operands): Kept<Operands<true>>,
) -> Op {
    // SAFETY: the operands are those of a CALL_KW, and on top of the stack.
    unsafe { expand_if_method(e, operands) }
}

/// Returns the callable if it is a Python function whose frame this evaluator may run itself.
///
/// # Safety
/// The thread is attached, and `callable` is live.
#[inline(always)]
unsafe fn inlinable<E: Engine>(e: &E, callable: StackRef) -> Option<Function> {
    // SAFETY: the callable is live (caller).
    unsafe {
        let function = Function::cast(callable.object())?;
        if e.tstate().has_custom_eval_frame() || !function.runs_its_code() {
            return None;
        }
        Some(function)
    }
}

/// Pushes a frame for a call of a Python function and binds the arguments to its parameters. Releases or
/// moves the operands in any case. They are still below the engine's stack pointer afterwards, but dead.
///
/// # Safety
/// The thread is attached. The operands are the topmost values of the engine's stack, and `function` is their
/// callable. The caller drops the operands from the stack.
#[inline(always)]
unsafe fn make_frame<E: Engine, const KW: bool>(
    e: &mut E,
    operands: Operands<KW>,
    function: Function,
) -> Op<Frame> {
    // SAFETY: the operands are on the stack, and `function` is the callable (caller). Its reference and those
    // of the arguments move to the frame, or are released on failure. The names are released here.
    unsafe {
        e.publish();
        let frame = frames::push_owned(
            e.tstate(),
            operands.callable(),
            function.new_locals(),
            operands.first(),
            operands.positional(),
            operands.names().object(),
            Some(e.frame()),
        );
        e.close_at(operands.names(), operands.base());
        frame.map_err(|_| Exit::Error)
    }
}

/// Ends a call whose operands have been released: puts `result`, a new reference or null with an exception
/// set, in their place.
///
/// # Safety
/// The operands are the topmost values of the stack, but dead. The caller owns `result`, or it is null with
/// an exception set.
#[inline(always)]
unsafe fn finish<const KW: bool>(operands: Operands<KW>, result: *mut PyObject) -> Op<Settled<1>> {
    // SAFETY: the slots of the operands are free, and `result` is owned and not null (caller, checked).
    unsafe {
        if result.is_null() {
            return Err(Exit::Error);
        }
        *operands.base() = StackRef::steal(result);
        Ok(Settled::new())
    }
}

/// Calls a callable of any kind: enters the frame of a Python function, and runs `vectorcall` for everything
/// else.
///
/// # Safety
/// The thread is attached, and the operands are the topmost values of the engine's stack. `vectorcall` may
/// rely on the published frame; it releases the operands and returns a new reference, or null with an
/// exception set.
#[inline(always)]
unsafe fn call<E: BytecodeEngine, const KW: bool>(
    e: &mut E,
    operands: Operands<KW>,
    vectorcall: impl FnOnce(&E, Operands<KW>) -> *mut PyObject,
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the operands are on top of the stack (caller). They are dead after `make_frame`, which is why
    // the stack pointer moves below them, and after `vectorcall`.
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

/// Calls a callable of any kind. Enters the frame of a Python function without a call in C.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn do_call<E: BytecodeEngine>(
    e: &mut E,
    operands: Operands<false>,
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the operands are those of a CALL. `vectorcall` runs with the frame published and releases the
    // operands.
    unsafe { call(e, operands, |e, operands| operands.vectorcall(e.tstate())) }
}

/// [`do_call`] for a call with keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn do_call_kw<E: BytecodeEngine>(
    e: &mut E,
    operands: Operands<true>,
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the operands are those of a CALL_KW. `vectorcall` runs with the frame published and releases
    // the operands.
    unsafe { call(e, operands, |e, operands| operands.vectorcall(e.tstate())) }
}

/// Succeeds if the callable is neither a Python function nor a bound method.
///
/// # Safety
/// The operands are on the stack.
#[inline(always)]
unsafe fn guard_not_python<const KW: bool>(operands: Operands<KW>) -> Op {
    // SAFETY: the operands are on the stack.
    unsafe {
        let callable = operands.callable().object();
        guard(Function::cast(callable).is_none() && Method::cast(callable).is_none())
    }
}

/// The callable is neither a Python function nor a bound method.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_is_not_py_callable<E: Engine>(
    _e: &mut E,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are those of a CALL, and on top of the stack.
    unsafe { guard_not_python(operands) }
}

/// [`check_is_not_py_callable`] for calls with keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_is_not_py_callable_kw<E: Engine>(
    _e: &mut E,
    Kept(operands): Kept<Operands<true>>,
) -> Op {
    // SAFETY: the operands are those of a CALL_KW, and on top of the stack.
    unsafe { guard_not_python(operands) }
}

/// Calls the callable in C, without entering a frame.
///
/// # Safety
/// The thread is attached, and the operands are the topmost values of the engine's stack.
#[inline(always)]
unsafe fn call_out<E: Engine, const KW: bool>(e: &mut E, operands: Operands<KW>) -> Op<Settled<1>> {
    // SAFETY: the operands are on top of the stack (caller), which is published; the call releases them.
    unsafe {
        e.publish();
        let result = operands.vectorcall(e.tstate());
        finish(operands, result)
    }
}

/// Calls a callable that is not Python code.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_is_not_py_callable` has run before.
#[inline(always)]
pub(crate) unsafe fn call_non_py_general<E: Engine>(e: &mut E, operands: Operands<false>) -> Op<Settled<1>> {
    // SAFETY: the operands are those of a CALL, and on top of the stack.
    unsafe { call_out(e, operands) }
}

/// [`call_non_py_general`] for a call with keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_is_not_py_callable_kw` has run before.
#[inline(always)]
pub(crate) unsafe fn call_kw_non_py<E: Engine>(e: &mut E, operands: Operands<true>) -> Op<Settled<1>> {
    // SAFETY: the operands are those of a CALL_KW, and on top of the stack.
    unsafe { call_out(e, operands) }
}
