//! Releasing ints, floats and strings. Their deallocation runs no Python code, so the frame must be published
//! only where the host may be notified of it.

use crate::engine::{Engine, Exit, Op, Settled};
use crate::host::{PyObject, StackRef};
#[cfg(not(py_debug))]
use crate::host::{numbers, refcount};

/// The exact type that a value is known to have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exact {
    Int,
    Float,
    Str,
}

/// The N topmost values, the topmost first: the order in which most micro-ops release their inputs. After a
/// call it is cheaper to read them from the stack again than to keep them in registers, which each handler
/// would have to save first.
///
/// # Safety
/// The engine's stack has at least N values.
#[inline(always)]
pub(super) unsafe fn topmost<E: Engine, const N: usize>(e: &E) -> [StackRef; N] {
    // SAFETY: N values are below the stack pointer (caller).
    let mut values = unsafe { e.sp().sub(N).cast::<[StackRef; N]>().read() };
    values.reverse();
    values
}

/// Releases an int, float or string. Publishes the frame, at the engine's stack pointer, before a
/// deallocation that the host may observe.
///
/// # Safety
/// The thread is attached. `value` is live, owned by the caller and not used again, and `kind` is its exact
/// type.
#[inline(always)]
pub(super) unsafe fn close_exact<E: Engine>(e: &E, value: StackRef, kind: Exact) {
    #[cfg(not(py_debug))]
    // SAFETY: a counted reference points to a live object and owns a count, which goes here. The float path
    // comes first since floats are short-lived; most ints are small or in a variable, and most strings are
    // shared.
    unsafe {
        if value.is_counted() && refcount::decrement(value.object()) {
            if kind == Exact::Float && numbers::free_float(e.tstate(), value.object()) {
                return;
            }
            core::hint::cold_path();
            e.publish();
            refcount::release_seldom(value.object());
        }
    }
    #[cfg(py_debug)]
    // SAFETY: the reference is live and owned (caller). Debug hosts check reference counts themselves and
    // require a published frame.
    unsafe {
        let _ = kind;
        e.publish();
        value.close();
    }
}

/// Ends a micro-op on values of one of these types: replaces the N topmost values by `result` and releases
/// them.
///
/// # Safety
/// The thread is attached. The engine's stack has N values (at least one), all exactly of type `kind`, and
/// the caller uses none of them again. The caller owns `result`.
#[inline(always)]
pub(super) unsafe fn settle_exact<E: Engine, const N: usize>(
    e: &E,
    kind: Exact,
    result: StackRef,
) -> Settled<1> {
    // SAFETY: the N values are live (caller), and each is released once. The lowest slot holds the result then.
    unsafe {
        let inputs = topmost::<E, N>(e);
        *e.sp().sub(N) = result;
        for input in inputs {
            close_exact(e, input, kind);
        }
        Settled::new()
    }
}

/// Like [`settle_exact`], for two inputs and for a `result` that is a new reference, or null with an
/// exception set.
///
/// # Safety
/// As for [`settle_exact`] with N = 2. The caller owns `result`, or it is null with an exception set.
#[inline(always)]
pub(super) unsafe fn settle_exact_object<E: Engine>(
    e: &E,
    kind: Exact,
    result: *mut PyObject,
) -> Op<Settled<1>> {
    // SAFETY: there are two inputs of type `kind`, and `result` is owned and not null (caller, checked).
    unsafe {
        if result.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        Ok(settle_exact::<E, 2>(e, kind, StackRef::steal(result)))
    }
}
