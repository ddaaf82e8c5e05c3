//! Local variables, cells, constants, and moving values on the stack.

use super::unbound;
use crate::engine::{BytecodeEngine, Engine, Exit, Kept, Many, Op, Oparg, Settled};
use crate::host::object::{cell_swap, cell_value, tuple_item};
use crate::host::{StackRef, ffi, refcount, small_int};
use crate::specialize;

/// Does nothing.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn nop<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    Ok([])
}

/// Drops the topmost value.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn pop_top<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<0>> {
    // SAFETY: the input is live and owned by this micro-op.
    unsafe { e.settle([value], []) }
}

/// Pushes an empty slot.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn push_null<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    Ok([StackRef::NULL])
}

/// Pushes a copy of the value `oparg` places below the top (1 is the topmost).
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn copy<E: Engine>(_e: &mut E, Kept(values): Kept<Many<Oparg>>) -> Op<[StackRef; 1]> {
    // SAFETY: the argument is at least 1, so there is a value, and it is live.
    unsafe { Ok([(*values.base()).dup()]) }
}

/// Swaps the topmost value and the one `oparg` places below the top (1 is the topmost).
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn swap<E: Engine>(e: &mut E, Kept(values): Kept<Many<Oparg>>) -> Op {
    // SAFETY: the argument is at least 2, so there are two values.
    unsafe {
        let (top, other) = (e.peek(1), *values.base());
        e.poke(1, other);
        *values.base() = top;
    }
    Ok([])
}

/// Pushes a local variable that is certainly bound.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_fast<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the compiler has verified that the variable is bound here.
    unsafe { Ok([e.frame().local(e.oparg()).dup()]) }
}

/// Pushes a borrowed reference to a local variable. The variable outlives it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_fast_borrow<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the compiler has verified that the variable is bound here, and keeps its value while the
    // reference is used.
    unsafe { Ok([e.frame().local(e.oparg()).borrow()]) }
}

/// Pushes a local variable. Raises UnboundLocalError if it is not bound.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_fast_check<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the argument is the index of a local variable.
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

/// Moves a local variable to the stack and unbinds it. If it is not bound, pushes an empty slot.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_fast_and_clear<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the argument is the index of a local variable. Its reference moves.
    unsafe {
        let value = e.frame().local(e.oparg());
        e.frame().set_local(e.oparg(), StackRef::NULL);
        Ok([value])
    }
}

/// Pops the topmost value into a local variable.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn store_fast<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op {
    // SAFETY: the argument is the index of a local variable. The value is the topmost one.
    unsafe { store_local(e, e.oparg(), value, e.sp().sub(1)) }
    Ok([])
}

/// Stores a value in a local variable, and releases the old value when it is no longer accessible through the
/// frame. The stack ends at `sp` then.
///
/// # Safety
/// The thread is attached. `index` is that of a local variable. The caller owns `value`. `sp` is in the
/// frame's stack, and every slot below it holds a live reference.
#[inline(always)]
pub(super) unsafe fn store_local<E: Engine>(e: &E, index: usize, value: StackRef, sp: *mut StackRef) {
    // SAFETY: the index is that of a local variable, and the stack ends at `sp` (caller).
    unsafe {
        let old = e.frame().local(index);
        e.frame().set_local(index, value);
        e.close_at(old, sp);
    }
}

/// Unbinds a local variable. Raises UnboundLocalError if it is not bound.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn delete_fast<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the argument is the index of a local variable. The old value is released after it is no longer
    // accessible through the frame.
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

/// Pushes a constant. Specializes the instruction for an immortal or a mortal constant.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_const<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the argument is an index of the code's constants, and the code keeps the constant alive.
    unsafe {
        let object = e.code().constant(e.oparg());
        specialize::load_const::specialize(e.this_instr(), object);
        Ok([StackRef::new(object)])
    }
}

/// Pushes an immortal constant.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_const_immortal<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the argument is an index of the code's constants. This constant was immortal when the
    // instruction was specialized, and immortal objects stay immortal.
    unsafe { Ok([StackRef::immortal(e.code().constant(e.oparg()))]) }
}

/// Pushes a constant that is reference-counted.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_const_mortal<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the argument is an index of the code's constants. Counting remains harmless if the constant has
    // become immortal in the meantime.
    unsafe { Ok([StackRef::new_mortal(e.code().constant(e.oparg()))]) }
}

/// Pushes a small int.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_small_int<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: small ints are immortal.
    unsafe { Ok([StackRef::immortal(small_int(e.oparg() as isize))]) }
}

/// Pushes one of the interpreter's common constants (`AssertionError`, `all`, …).
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_common_constant<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the compiler emits only indices of that table.
    unsafe {
        let constants = &raw const (*e.tstate().interp()).common_consts;
        Ok([StackRef::new(*constants.cast::<*mut ffi::PyObject>().add(e.oparg()))])
    }
}

/// Moves the value of a local variable to a new cell, which replaces it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn make_cell<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the argument is the index of a local variable. The cell takes a reference of its own, so the
    // old one is released.
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

/// Copies the closure of the function to the free variables of the frame.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn copy_free_vars<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the function of the frame has a closure of `oparg` cells, and the last `oparg` local slots of
    // the frame are the free variables.
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

/// Pushes the content of a cell. Raises an exception if it is empty.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_deref<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the compiler emits this only for variables that are cells.
    unsafe {
        let Some(value) = cell_value(e.frame().local(e.oparg()).object(), || e.publish()) else {
            e.publish();
            unbound::unbound(e.tstate(), e.code(), e.oparg());
            return Err(Exit::Error);
        };
        Ok([value])
    }
}

/// Pops the topmost value and stores it in a cell.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn store_deref<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op {
    // SAFETY: the compiler emits this only for variables that are cells. The cell takes over the reference,
    // and the old value is owned here.
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

/// Empties a cell. Raises an exception if it is already empty.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn delete_deref<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the compiler emits this only for variables that are cells. The old value is owned here.
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
