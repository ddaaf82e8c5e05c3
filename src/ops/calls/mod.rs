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
#[cfg(feature = "jit")]
pub(crate) use known::known_instance_of;
pub(crate) use python::*;
pub(crate) use spread::*;

use super::adaptive::specializing;
use super::frames::{enter_frame, save_return_offset};
#[cfg(not(py_gil_disabled))]
use super::frames::{link, set_return_offset};
use super::guards::guard;
#[cfg(not(py_gil_disabled))]
use crate::bytecode::metadata;
use crate::calls::frames;
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, Op, Settled, Values};
#[cfg(not(py_gil_disabled))]
use crate::host::ffi;
use crate::host::function::{Function, Method};
#[cfg(not(py_gil_disabled))]
use crate::host::object::has_feature;
use crate::host::object::{type_has_version, type_of};
use crate::host::{Frame, PyObject, StackRef, TypeVersion};
use crate::seams;
#[cfg(not(py_gil_disabled))]
use crate::specialize::special_methods;
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

/// If the callable is an object whose class has a `__call__` in Python, and no `self` is there: makes it the first argument of
/// that function. Returns whether it is so.
///
/// # Safety
/// The thread is attached, the operands are on the engine's stack, and the instruction has a counter.
#[cfg(not(py_gil_disabled))]
#[inline(always)]
unsafe fn expand_if_instance<E: Engine>(e: &E, operands: Operands<false>) -> bool {
    // SAFETY: the operands are on the stack (caller), which is published. The class of the object keeps the function alive.
    unsafe {
        let callable = operands.callable();
        let may_be =
            !operands.has_self() && has_feature(callable.object(), ffi::Py_TPFLAGS_HEAPTYPE) && e.is_warm();
        if !may_be {
            return false;
        }
        e.publish();
        let Some(function) = special_methods::of_call(e.tstate(), callable.object()) else { return false };
        operands.set_self(callable);
        operands.set_callable(StackRef::new(function.object()));
        true
    }
}

/// Goes over to the frame of the Python function that is called, if nothing is against it. The results of the micro-op that
/// returns what this returns are those of the function; [`check_periodic`] finds the frame.
///
/// # Safety
/// The thread is attached, and the operands are those of the CALL that the engine runs, on top of its stack.
///
/// [`check_periodic`]: super::check_periodic
#[cfg(not(py_gil_disabled))]
#[inline(always)]
unsafe fn enter_function<E: Engine>(e: &mut E, operands: Operands<false>) -> Option<Op<Settled<1>>> {
    // SAFETY: the operands are on top of the stack (caller), and dead after `make_frame`. For the engine it is as if they were on
    // the stack of the new frame, so that it leaves one value too much there.
    unsafe {
        let function = inlinable(e, operands.callable())?;
        if (*e.tstate().as_ptr()).py_recursion_remaining <= 1 {
            return None;
        }
        let frame = match make_frame(e, operands, function) {
            Ok(frame) => frame,
            Err(exit) => return Some(Err(exit)),
        };
        let inputs = e.sp().offset_from_unsigned(operands.base());
        e.set_sp(operands.base());
        set_return_offset(e.frame(), const { 1 + metadata::CALL.cache_units() });
        link(e, frame);
        e.tstate().enter_python_call();
        e.give_frame(frame);
        e.set_sp(e.sp().add(inputs - 1));
        Some(Ok(Settled::new()))
    }
}

/// The callable is an object whose type has this version and a `__call__` in Python, and there is no `self`: makes it the first
/// argument of that function.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. The type of that version has the function in the second operand.
#[inline(always)]
pub(crate) unsafe fn expand_instance<E: Engine>(
    _e: &mut E,
    (version, function): (TypeVersion, *mut PyObject),
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are on the stack. The type keeps the function alive (caller).
    unsafe {
        let callable = operands.callable();
        guard(!operands.has_self() && type_has_version(type_of(callable.object()), version))?;
        operands.set_self(callable);
        operands.set_callable(StackRef::new(function));
        Ok([])
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
    unsafe {
        #[cfg(not(py_gil_disabled))]
        expand_if_instance(e, operands);
        call(e, operands, |e, operands| operands.vectorcall(e.tstate()))
    }
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

/// Calls a callable that is not Python code. If it is an object with a `__call__` in Python, tier 1 enters the frame of that.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_is_not_py_callable` has run before.
#[inline(always)]
pub(crate) unsafe fn call_non_py_general<E: Engine>(e: &mut E, operands: Operands<false>) -> Op<Settled<1>> {
    // SAFETY: the operands are those of a CALL, and on top of the stack.
    unsafe {
        #[cfg(not(py_gil_disabled))]
        if E::ENTERS_METHODS
            && expand_if_instance(e, operands)
            && let Some(entered) = enter_function(e, operands)
        {
            return entered;
        }
        call_out(e, operands)
    }
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
