//! Micro-ops that only traces contain. Those of loops are in `iteration`, beside those of bytecode.
//!
//! The operand that many of them have is a result of the optimizer: a constant, a version, a size.

use super::calls::check_recursion_remaining;
use super::guards::guard;
use super::locals::store_local;
use crate::breaker::word::EvalBreaker;
use crate::engine::{Engine, Op, Settled, TraceExit, TraceOp};
use crate::host::function::Function;
use crate::host::{PyObject, StackRef};

// --- constants ---------------------------------------------------------------------------------

/// Pushes a constant.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_const_inline<E: Engine>(
    _e: &mut E,
    constant: *mut PyObject,
    []: [StackRef; 0],
) -> Op<[StackRef; 1]> {
    // SAFETY: the executor keeps the constant alive.
    unsafe { Ok([StackRef::new(constant)]) }
}

/// Pushes a constant without counting the reference.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_const_inline_borrow<E: Engine>(
    _e: &mut E,
    constant: *mut PyObject,
    []: [StackRef; 0],
) -> Op<[StackRef; 1]> {
    // SAFETY: the optimizer has checked that something keeps the constant alive while it is on the stack.
    unsafe { Ok([StackRef::borrow_object(constant)]) }
}

/// Replaces the topmost value by a constant.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn pop_top_load_const_inline<E: Engine>(
    e: &mut E,
    constant: *mut PyObject,
    [value]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: the executor keeps the constant alive. The input is live and owned by this micro-op.
    unsafe { e.settle([value], [StackRef::new(constant)]) }
}

/// Replaces the topmost value by a constant without counting the reference.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn pop_top_load_const_inline_borrow<E: Engine>(
    e: &mut E,
    constant: *mut PyObject,
    [value]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: as for `load_const_inline_borrow`. The input is live and owned by this micro-op.
    unsafe { e.settle([value], [StackRef::borrow_object(constant)]) }
}

/// Replaces the two topmost values by a constant without counting the reference.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn pop_two_load_const_inline_borrow<E: Engine>(
    e: &mut E,
    constant: *mut PyObject,
    [below, top]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: as for `load_const_inline_borrow`. The inputs are live and owned by this micro-op.
    unsafe { e.settle([top, below], [StackRef::borrow_object(constant)]) }
}

// --- two local variables at once ---------------------------------------------------------------

/// The two indices in the argument of an instruction for two local variables.
#[inline(always)]
fn two_indices(oparg: usize) -> (usize, usize) {
    (oparg >> 4, oparg & 15)
}

/// Pushes two local variables that are certainly bound.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_fast_load_fast<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 2]> {
    let (first, second) = two_indices(e.oparg());
    // SAFETY: the compiler has verified that the variables are bound here.
    unsafe { Ok([e.frame().local(first).dup(), e.frame().local(second).dup()]) }
}

/// Pushes borrowed references to two local variables.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_fast_borrow_load_fast_borrow<E: Engine>(
    e: &mut E,
    []: [StackRef; 0],
) -> Op<[StackRef; 2]> {
    let (first, second) = two_indices(e.oparg());
    // SAFETY: the compiler has verified that the variables are bound here, and keeps their values while the
    // references are used.
    unsafe { Ok([e.frame().local(first).borrow(), e.frame().local(second).borrow()]) }
}

/// Pops the topmost value into a local variable, and pushes another local variable.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn store_fast_load_fast<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<[StackRef; 1]> {
    let (stored, loaded) = two_indices(e.oparg());
    // SAFETY: the indices are those of local variables, of which the second one is bound. The value is the
    // topmost one.
    unsafe {
        store_local(e, stored, value, e.sp().sub(1));
        Ok([e.frame().local(loaded).dup()])
    }
}

/// Pops two values into local variables, the topmost one first.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn store_fast_store_fast<E: Engine>(e: &mut E, [below, top]: [StackRef; 2]) -> Op {
    let (first, second) = two_indices(e.oparg());
    // SAFETY: the indices are those of local variables. The values are the topmost ones.
    unsafe {
        store_local(e, first, top, e.sp().sub(1));
        store_local(e, second, below, e.sp().sub(2));
    }
    Ok([])
}

// --- branches ----------------------------------------------------------------------------------

/// Leaves the trace unless `holds`. The input, a bool or None, needs no release.
#[inline(always)]
fn stay_if(holds: bool) -> TraceOp {
    if holds { Ok([]) } else { Err(TraceExit::Side) }
}

/// The topmost value, a bool, is True.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_is_true_pop<E: Engine>(_e: &mut E, [condition]: [StackRef; 1]) -> TraceOp {
    stay_if(condition.is_true())
}

/// The topmost value, a bool, is False.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_is_false_pop<E: Engine>(_e: &mut E, [condition]: [StackRef; 1]) -> TraceOp {
    stay_if(condition.is_false())
}

/// The topmost value is None.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_is_none_pop<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> TraceOp {
    if value.is_none() {
        return Ok([]);
    }
    // SAFETY: the input is live and owned by this micro-op. It leaves the published stack before it is
    // released.
    unsafe { e.close_at(value, e.sp().sub(1)) };
    Err(TraceExit::Side)
}

/// The topmost value is not None.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_is_not_none_pop<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> TraceOp {
    if value.is_none() {
        return Err(TraceExit::Side);
    }
    // SAFETY: the input is live and owned by this micro-op. It leaves the published stack before it is
    // released.
    unsafe { e.close_at(value, e.sp().sub(1)) };
    Ok([])
}

// --- calls -------------------------------------------------------------------------------------

/// The function of the frame has this version.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_function<E: Engine>(e: &mut E, version: u32, []: [StackRef; 0]) -> Op {
    // SAFETY: the engine's frame is that of a Python function, which it keeps alive.
    unsafe { guard((*e.frame().function()).func_version == version) }
}

/// A function that the optimizer knows still has this version.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_function_version_inline<E: Engine>(
    _e: &mut E,
    (version, callable): (u32, *mut PyObject),
    []: [StackRef; 0],
) -> Op {
    // SAFETY: the callable is a Python function that something in the trace keeps alive.
    unsafe { guard(Function::from_object(callable).version() == version) }
}

/// The current chunk of the data stack has room for the frames of all calls that follow in the trace, and one
/// more call fits under the recursion limit.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_stack_space_operand<E: Engine>(e: &mut E, size: u32, []: [StackRef; 0]) -> Op {
    // SAFETY: the thread is attached. The second micro-op has no inputs.
    unsafe {
        guard(e.tstate().has_stack_space(size as usize))?;
        check_recursion_remaining(e, [])
    }
}

/// There are no pending requests. Code that is instrumented otherwise invalidates its executors, so the version
/// of the instrumentation needs no check.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn tier2_resume_check<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the thread is attached, so its state is live.
    unsafe { guard(!EvalBreaker::of(e.tstate()).load().has_events()) }
}
