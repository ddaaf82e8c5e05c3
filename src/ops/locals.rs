//! Local variables, cells, constants, and moving values on the stack.

use super::unbound;
use crate::engine::{Engine, Exit, Kept, Many, Op, Oparg, Settled};
use crate::host::object::{cell_swap, cell_value, tuple_item};
use crate::host::{StackRef, ffi, refcount, small_int};
use crate::specialize;

/// Nothing.
#[inline(always)]
pub(crate) unsafe fn nop<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    Ok([])
}

/// Drops the topmost value.
#[inline(always)]
pub(crate) unsafe fn pop_top<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<0>> {
    // SAFETY: the input is ours.
    unsafe { e.settle([value], []) }
}

/// Pushes an empty slot.
#[inline(always)]
pub(crate) unsafe fn push_null<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    Ok([StackRef::NULL])
}

/// Pushes the value `oparg` places below the top once more.
#[inline(always)]
pub(crate) unsafe fn copy<E: Engine>(_e: &mut E, Kept(values): Kept<Many<Oparg>>) -> Op<[StackRef; 1]> {
    // SAFETY: there is at least one value.
    unsafe { Ok([(*values.base()).dup()]) }
}

/// Swaps the topmost value with the one `oparg` places below the top.
#[inline(always)]
pub(crate) unsafe fn swap<E: Engine>(e: &mut E, Kept(values): Kept<Many<Oparg>>) -> Op {
    // SAFETY: there are at least two values.
    unsafe {
        let (top, other) = (e.peek(1), *values.base());
        e.poke(1, other);
        *values.base() = top;
    }
    Ok([])
}

/// Pushes a local variable that is known to be bound.
#[inline(always)]
pub(crate) unsafe fn load_fast<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the compiler has shown that the local is bound.
    unsafe { Ok([e.frame().local(e.oparg()).dup()]) }
}

/// Pushes a local variable that outlives its use on the stack.
#[inline(always)]
pub(crate) unsafe fn load_fast_borrow<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the compiler has shown that the local is bound, and stays while the value is used.
    unsafe { Ok([e.frame().local(e.oparg()).borrow()]) }
}

/// Pushes a local variable, or raises UnboundLocalError.
#[inline(always)]
pub(crate) unsafe fn load_fast_check<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the code has that local.
    unsafe {
        let value = e.frame().local(e.oparg());
        if value.is_null() {
            e.publish();
            unbound::unbound_local(e.code(), e.oparg());
            return Err(Exit::Error);
        }
        Ok([value.dup()])
    }
}

/// Moves a local variable (or its emptiness) to the stack.
#[inline(always)]
pub(crate) unsafe fn load_fast_and_clear<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the code has that local; its reference moves.
    unsafe {
        let value = e.frame().local(e.oparg());
        e.frame().set_local(e.oparg(), StackRef::NULL);
        Ok([value])
    }
}

/// Pops the topmost value into a local variable.
#[inline(always)]
pub(crate) unsafe fn store_fast<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op {
    // SAFETY: the code has that local; the old value is closed once nobody can find it any more.
    unsafe {
        let old = e.frame().local(e.oparg());
        e.frame().set_local(e.oparg(), value);
        e.close_at(old, e.sp().sub(1));
    }
    Ok([])
}

/// Unbinds a local variable, or raises UnboundLocalError.
#[inline(always)]
pub(crate) unsafe fn delete_fast<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the code has that local.
    unsafe {
        let old = e.frame().local(e.oparg());
        if old.is_null() {
            e.publish();
            unbound::unbound_local(e.code(), e.oparg());
            return Err(Exit::Error);
        }
        e.frame().set_local(e.oparg(), StackRef::NULL);
        e.close_at(old, e.sp());
    }
    Ok([])
}

/// Pushes a constant, and becomes the form for immortal or mortal ones.
#[inline(always)]
pub(crate) unsafe fn load_const<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the code has that constant.
    unsafe {
        let object = e.code().constant(e.oparg());
        specialize::load_const::specialize(e.this_instr(), object);
        Ok([StackRef::new(object)])
    }
}

/// Pushes a constant that is immortal.
#[inline(always)]
pub(crate) unsafe fn load_const_immortal<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the code has that constant, and it was immortal when this form was chosen.
    unsafe { Ok([StackRef::immortal(e.code().constant(e.oparg()))]) }
}

/// Pushes a constant that is counted.
#[inline(always)]
pub(crate) unsafe fn load_const_mortal<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the code has that constant; one that became immortal since just counts on.
    unsafe { Ok([StackRef::new_mortal(e.code().constant(e.oparg()))]) }
}

/// Pushes a small int.
#[inline(always)]
pub(crate) unsafe fn load_small_int<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: small ints are immortal.
    unsafe { Ok([StackRef::immortal(small_int(e.oparg() as isize))]) }
}

/// Pushes one of the interpreter's common constants (`AssertionError`, `all`, …).
#[inline(always)]
pub(crate) unsafe fn load_common_constant<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the compiler uses indices of that table only.
    unsafe {
        let constants = &raw const (*e.tstate().interp()).common_consts;
        Ok([StackRef::new(*constants.cast::<*mut ffi::PyObject>().add(e.oparg()))])
    }
}

/// Puts a local's value into a new cell, which takes its place.
#[inline(always)]
pub(crate) unsafe fn make_cell<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the code has that local, whose reference the cell copies.
    unsafe {
        let initial = e.frame().local(e.oparg());
        e.publish();
        let cell = ffi::PyCell_New(initial.object());
        if cell.is_null() {
            return Err(Exit::Error);
        }
        e.frame().set_local(e.oparg(), StackRef::steal(cell));
        e.close_at(initial, e.sp());
    }
    Ok([])
}

/// Copies the function's closure into the frame's free variables.
#[inline(always)]
pub(crate) unsafe fn copy_free_vars<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the function of the frame has a closure of `oparg` cells, for which the frame ends in
    // as many slots.
    unsafe {
        let closure = (*e.frame().function()).func_closure;
        let first = e.code().nlocalsplus() - e.oparg();
        for index in 0..e.oparg() {
            let cell = tuple_item(closure, index);
            e.frame().set_local(first + index, StackRef::new(cell));
        }
    }
    Ok([])
}

/// Pushes what a cell holds, or raises for an unbound variable.
#[inline(always)]
pub(crate) unsafe fn load_deref<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the local is a cell.
    unsafe {
        let Some(value) = cell_value(e.frame().local(e.oparg()).object(), || e.publish()) else {
            e.publish();
            unbound::unbound(e.tstate(), e.code(), e.oparg());
            return Err(Exit::Error);
        };
        Ok([value])
    }
}

/// Pops the topmost value into a cell.
#[inline(always)]
pub(crate) unsafe fn store_deref<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op {
    // SAFETY: the local is a cell; it takes over the reference.
    unsafe {
        let cell = e.frame().local(e.oparg()).object();
        let old = cell_swap(cell, value.into_object(), || e.publish_at(e.sp().sub(1)));
        if !old.is_null() {
            e.publish_at(e.sp().sub(1));
            refcount::decref(old);
        }
    }
    Ok([])
}

/// Empties a cell, or raises for an unbound variable.
#[inline(always)]
pub(crate) unsafe fn delete_deref<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the local is a cell; its reference becomes ours.
    unsafe {
        let old = cell_swap(e.frame().local(e.oparg()).object(), core::ptr::null_mut(), || e.publish());
        e.publish();
        if old.is_null() {
            unbound::unbound(e.tstate(), e.code(), e.oparg());
            return Err(Exit::Error);
        }
        refcount::decref(old);
    }
    Ok([])
}
