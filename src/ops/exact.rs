//! Giving up ints, floats and strings. No code runs when one of them goes, so the frame need be
//! published only where the host may be told of it.

use crate::engine::{Engine, Exit, Op, Settled};
use crate::host::{PyObject, StackRef};
#[cfg(not(py_debug))]
use crate::host::{numbers, refcount};

/// What a value is known to be an exact instance of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exact {
    Int,
    Float,
    Str,
}

/// The N topmost values, the topmost first: the order in which most micro-ops give up their inputs. After
/// a call, reading them from the stack once more is cheaper than having kept them in registers, which
/// each handler would have to save first.
#[inline(always)]
pub(super) unsafe fn topmost<E: Engine, const N: usize>(e: &E) -> [StackRef; N] {
    // SAFETY: the caller's stack has that many values.
    let mut values = unsafe { e.sp().sub(N).cast::<[StackRef; N]>().read() };
    values.reverse();
    values
}

/// Gives up an int, float or string.
#[inline(always)]
pub(super) unsafe fn close_exact<E: Engine>(e: &E, value: StackRef, kind: Exact) {
    #[cfg(not(py_debug))]
    // SAFETY: a counted reference is a live object and this one owned a count. Floats come and go; most
    // ints are small or in a variable, and most strings shared.
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
    // SAFETY: as above; debug hosts count themselves, and want to see a published frame.
    unsafe {
        let _ = kind;
        e.publish();
        value.close();
    }
}

/// Ends a micro-op on values of one such type: puts `result` in the place of the N topmost values.
#[inline(always)]
pub(super) unsafe fn settle_exact<E: Engine, const N: usize>(
    e: &E,
    kind: Exact,
    result: StackRef,
) -> Settled<1> {
    // SAFETY: the inputs are where they were; each is given up once.
    unsafe {
        let inputs = topmost::<E, N>(e);
        *e.sp().sub(N) = result;
        for input in inputs {
            close_exact(e, input, kind);
        }
        Settled::new()
    }
}

/// Like [`settle_exact`] for a new reference, or null with an exception set.
#[inline(always)]
pub(super) unsafe fn settle_exact_object<E: Engine>(
    e: &E,
    kind: Exact,
    result: *mut PyObject,
) -> Op<Settled<1>> {
    // SAFETY: as above, for two inputs; the result is ours.
    unsafe {
        if result.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        Ok(settle_exact::<E, 2>(e, kind, StackRef::steal(result)))
    }
}
