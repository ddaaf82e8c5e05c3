//! Guards on the types of the topmost values. TOS is the topmost value, NOS the one below it. A guard keeps
//! the stack as it is.

use crate::engine::{Engine, Exit, Kept, Op};
#[cfg(feature = "jit")]
use crate::host::iterators::KnownIterator;
use crate::host::object::is_exact;
use crate::host::{PyObject, PyTypeObject, StackRef, ffi};

/// Succeeds if `holds`. Otherwise the generic instruction runs.
#[inline(always)]
pub(super) fn guard(holds: bool) -> Op {
    if holds { Ok([]) } else { Err(Exit::Deopt) }
}

/// Succeeds if one of two conditions holds.
///
/// The empty assembly keeps the two tests apart. Without it, LLVM merges them into one jump and always
/// computes both (measured: six more instructions for a condition that is True).
#[inline(always)]
pub(super) fn guard_either(first: bool, second: impl FnOnce() -> bool) -> Op {
    if first {
        return Ok([]);
    }
    // SAFETY: the assembly is empty.
    unsafe { core::arch::asm!("", options(nomem, nostack, preserves_flags)) };
    guard(second())
}

/// Succeeds if the exact type of the value is `type_`.
///
/// # Safety
/// `value` is live and not null.
#[inline(always)]
unsafe fn guard_type(value: StackRef, type_: *mut PyTypeObject) -> Op {
    // SAFETY: the value is live (caller).
    unsafe { guard(is_exact(value.object(), type_)) }
}

macro_rules! type_guards {
    ($($(#[$doc:meta])* $name:ident = $depth:literal, $type_:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            /// As [`crate::engine`] says for every micro-op.
            #[inline(always)]
            pub(crate) unsafe fn $name<E: Engine>(_e: &mut E, Kept(values): Kept<[StackRef; $depth]>) -> Op {
                // SAFETY: the inputs are live; the lowest of them is the guarded one.
                unsafe { guard_type(values[0], &raw mut ffi::$type_) }
            }
        )*
    };
}

type_guards! {
    /// The topmost value is exactly an int.
    guard_tos_int = 1, PyLong_Type;
    /// The value below the top is exactly an int.
    guard_nos_int = 2, PyLong_Type;
    /// The topmost value is exactly a float.
    guard_tos_float = 1, PyFloat_Type;
    /// The value below the top is exactly a float.
    guard_nos_float = 2, PyFloat_Type;
    /// The topmost value is exactly a str.
    guard_tos_unicode = 1, PyUnicode_Type;
    /// The value below the top is exactly a str.
    guard_nos_unicode = 2, PyUnicode_Type;
    /// The topmost value is exactly a list.
    guard_tos_list = 1, PyList_Type;
    /// The value below the top is exactly a list.
    guard_nos_list = 2, PyList_Type;
    /// The topmost value is exactly a tuple.
    guard_tos_tuple = 1, PyTuple_Type;
    /// The value below the top is exactly a tuple.
    guard_nos_tuple = 2, PyTuple_Type;
    /// The topmost value is exactly a dict.
    guard_tos_dict = 1, PyDict_Type;
    /// The value below the top is exactly a dict.
    guard_nos_dict = 2, PyDict_Type;
    /// The topmost value is exactly a slice.
    guard_tos_slice = 1, PySlice_Type;
}

/// The topmost value is exactly a set or a frozenset.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_tos_any_set<E: Engine>(_e: &mut E, Kept([value]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the input is live.
    unsafe {
        let object = value.object();
        guard_either(is_exact(object, &raw mut ffi::PySet_Type), || {
            is_exact(object, &raw mut ffi::PyFrozenSet_Type)
        })
    }
}

/// The slot below the top is empty: the call has no `self`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_nos_null<E: Engine>(_e: &mut E, Kept([nos, _]): Kept<[StackRef; 2]>) -> Op {
    guard(nos.is_null())
}

/// The topmost value is an iterator of the host, of the kind that a number stands for.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_tos_iterator<E: Engine>(
    _e: &mut E,
    known: *mut PyObject,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op {
    #[cfg(feature = "jit")]
    // SAFETY: the iterator is live, and a recording has met one like the expected one before.
    unsafe {
        let expected = KnownIterator::from_operand(known.addr() as u64);
        guard(expected.is_some_and(|expected| expected.is(iterator.object())))
    }
    #[cfg(not(feature = "jit"))]
    {
        let _ = (known, iterator);
        Err(Exit::Deopt)
    }
}
