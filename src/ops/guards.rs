//! Guards on the types of the topmost values. TOS is the topmost value, NOS the one below it.

use crate::engine::{Engine, Exit, Kept, Op};
use crate::host::object::is_exact;
use crate::host::{PyTypeObject, StackRef, ffi};

/// Goes on only if `holds`; otherwise the generic instruction runs.
#[inline(always)]
pub(super) fn guard(holds: bool) -> Op {
    if holds { Ok([]) } else { Err(Exit::Deopt) }
}

/// Goes on if one of two things holds.
///
/// The empty assembly keeps the two tests apart. LLVM would make one jump of them, for which it would always
/// compute both (measured: six instructions more for a condition that is True).
#[inline(always)]
pub(super) fn guard_either(first: bool, second: impl FnOnce() -> bool) -> Op {
    if first {
        return Ok([]);
    }
    // SAFETY: the assembly does nothing.
    unsafe { core::arch::asm!("", options(nomem, nostack, preserves_flags)) };
    guard(second())
}

/// Goes on only if the value is exactly of `type_`.
#[inline(always)]
unsafe fn guard_type(value: StackRef, type_: *mut PyTypeObject) -> Op {
    // SAFETY: the value is live.
    unsafe { guard(is_exact(value.object(), type_)) }
}

macro_rules! type_guards {
    ($($(#[$doc:meta])* $name:ident = $depth:literal, $type_:ident;)*) => {
        $(
            $(#[$doc])*
            #[inline(always)]
            pub(crate) unsafe fn $name<E: Engine>(_e: &mut E, Kept(values): Kept<[StackRef; $depth]>) -> Op {
                // SAFETY: the instruction has at least that many inputs.
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
#[inline(always)]
pub(crate) unsafe fn guard_tos_any_set<E: Engine>(_e: &mut E, Kept([value]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the instruction has an input.
    unsafe {
        let object = value.object();
        guard_either(is_exact(object, &raw mut ffi::PySet_Type), || {
            is_exact(object, &raw mut ffi::PyFrozenSet_Type)
        })
    }
}

/// The slot below the top is empty: the call has no `self`.
#[inline(always)]
pub(crate) unsafe fn guard_nos_null<E: Engine>(_e: &mut E, Kept([nos, _]): Kept<[StackRef; 2]>) -> Op {
    guard(nos.is_null())
}
