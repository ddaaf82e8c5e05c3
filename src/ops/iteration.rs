//! Iterators and `for` loops.
//!
//! A loop keeps its iterator on the stack. FOR_ITER pushes the next item on top of it; at the end it
//! jumps behind the END_FOR that follows the loop's body, to POP_ITER. A generator that runs in the
//! evaluator itself comes back with its return value instead, to END_FOR.

use super::adaptive::specialize;
use super::guards::guard;
use crate::bytecode::BackoffCounter;
use crate::engine::{
    BytecodeEngine, BytecodeExit, BytecodeOp, Engine, Exit, Kept, NextStore, Op, PushedOrStored, Settled,
};
use crate::host::dict::is_readable;
use crate::host::generator::Generator;
#[cfg(not(py_gil_disabled))]
use crate::host::object::list_items;
use crate::host::object::{is_exact, size, tuple_item, type_of};
use crate::host::{
    CodeUnit, FREE_THREADED, Frame, PyObject, Raised, StackRef, ThreadState, ffi, is_small_int, numbers,
    refcount, small_int,
};
use crate::instrument::exceptions;
use crate::raise;
use crate::seams;

/// Replaces the topmost value by its iterator.
#[inline(always)]
pub(crate) unsafe fn get_iter<E: Engine>(e: &mut E, [iterable]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is ours.
    unsafe {
        e.publish();
        let iterator = ffi::PyObject_GetIter(iterable.object());
        e.settle_object([iterable], iterator)
    }
}

/// Pushes the length of the topmost value, which stays.
#[inline(always)]
pub(crate) unsafe fn get_len<E: Engine>(e: &mut E, Kept([value]): Kept<[StackRef; 1]>) -> Op<[StackRef; 1]> {
    // SAFETY: the instruction has an input.
    unsafe {
        e.publish();
        let length = ffi::PyObject_Length(value.object());
        if length < 0 {
            return Err(Exit::ErrorNoPop);
        }
        let length = ffi::PyLong_FromSsize_t(length);
        if length.is_null() { Err(Exit::ErrorNoPop) } else { Ok([StackRef::steal(length)]) }
    }
}

/// Drops what a generator has returned at the end of a loop. The frame stays at the instruction before this
/// one, the loop's FOR_ITER, for POP_ITER to see.
#[inline(always)]
pub(crate) unsafe fn end_for<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<0>> {
    // SAFETY: the input is ours.
    unsafe {
        e.stay_at_previous_instr();
        e.settle([value], [])
    }
}

/// Looks for a specialized form of the loop when the counter says so.
#[inline(always)]
pub(crate) unsafe fn specialize_for_iter<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has an input.
    unsafe {
        specialize(e, counter, |e| {
            seams::specialize::for_iter(e.peek(1), e.this_instr(), e.oparg());
        })
    }
}

/// Pushes the iterator's next item, or leaves the loop.
#[inline(always)]
pub(crate) unsafe fn for_iter<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp<[StackRef; 1]> {
    // SAFETY: the topmost value is live; a type's function may be called with its instances.
    unsafe {
        let iterator = iterator.object();
        e.publish();
        let Some(next) = (*type_of(iterator)).tp_iternext else {
            not_an_iterator(iterator);
            return Err(Exit::ErrorNoPop.into());
        };
        let item = next(iterator);
        if !item.is_null() {
            return Ok([StackRef::steal(item)]);
        }
        if !e.tstate().raised().is_null()
            && forget_stop_iteration(e.tstate(), e.frame(), e.this_instr()).is_err()
        {
            return Err(Exit::ErrorNoPop.into());
        }
        leave_loop(e)
    }
}

/// Sets the exception for a loop over something without `__next__`.
#[cold]
#[inline(never)]
unsafe fn not_an_iterator(object: *mut PyObject) {
    // SAFETY: the object is live.
    unsafe {
        raise!(PyExc_TypeError, c"'%.100s' object is not an iterator", (*type_of(object)).tp_name);
    }
}

/// Clears a StopIteration, which ends the loop at `instr`; fails with any other exception.
#[cold]
#[inline(never)]
unsafe fn forget_stop_iteration(tstate: ThreadState, frame: Frame, instr: CodeUnit) -> Result<(), Raised> {
    // SAFETY: an exception is set, and the frame is published.
    unsafe {
        if ffi::_PyErr_ExceptionMatches(tstate.as_ptr(), ffi::PyExc_StopIteration) == 0 {
            return Err(Raised);
        }
        exceptions::raise(tstate, frame, instr);
        ffi::_PyErr_Clear(tstate.as_ptr());
        Ok(())
    }
}

/// Jumps behind the loop's END_FOR.
#[inline(always)]
unsafe fn leave_loop<E: BytecodeEngine, T>(e: &mut E) -> BytecodeOp<T> {
    // SAFETY: the argument leads to END_FOR, and POP_ITER comes after it.
    unsafe { e.jump_by(e.oparg() as isize + 1) }
    Err(BytecodeExit::Dispatch)
}

/// Goes on only if the value is an iterator of exactly that type which no other thread can use.
#[inline(always)]
unsafe fn guard_iterator(iterator: StackRef, type_: *mut ffi::PyTypeObject) -> Op {
    // SAFETY: the value is live.
    unsafe {
        let iterator = iterator.object();
        guard(is_exact(iterator, type_))?;
        guard(!FREE_THREADED || refcount::is_unique(iterator))
    }
}

/// Gives up an exhausted iterator's reference to its sequence, if that is not the last one. Otherwise
/// the generic instruction runs: so there is no call here, and the loop's other turns need no stack.
#[inline(always)]
unsafe fn guard_release<E: Engine>(e: &mut E, sequence: *mut PyObject) -> Op {
    // SAFETY: the caller owns the reference; nothing is freed. FOR_ITER has a counter.
    unsafe {
        if refcount::is_unique(sequence) {
            // Nothing was specialized wrongly: the generic instruction's step must not count.
            BackoffCounter::retreat_at(e.this_instr());
            return Err(Exit::Deopt);
        }
        #[cfg(py_debug)]
        refcount::decref(sequence);
        #[cfg(not(py_debug))]
        if !refcount::is_immortal(sequence) {
            refcount::decrement(sequence);
        }
    }
    Ok([])
}

// --- list --------------------------------------------------------------------------------------

/// The topmost value is an iterator over a list.
#[inline(always)]
pub(crate) unsafe fn iter_check_list<E: Engine>(_e: &mut E, Kept([iterator]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the topmost value is live; an iterator owns its list, also when it is exhausted, unless there
    // is a GIL.
    unsafe {
        guard_iterator(iterator, &raw mut ffi::PyListIter_Type)?;
        guard(!FREE_THREADED || is_readable((*list_iterator(iterator)).it_seq.cast()))
    }
}

/// A value as list iterator.
#[inline(always)]
fn list_iterator(iterator: StackRef) -> *mut ffi::_PyListIterObject {
    iterator.object().cast()
}

/// Leaves the loop if the list has no more items.
#[inline(always)]
pub(crate) unsafe fn iter_jump_list<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp {
    #[cfg(py_gil_disabled)]
    let _ = (e, iterator);
    #[cfg(not(py_gil_disabled))]
    // SAFETY: a guard has shown what the iterator is; its list is null once it is exhausted.
    unsafe {
        let iterator = list_iterator(iterator);
        let list = (*iterator).it_seq.cast::<PyObject>();
        if list.is_null() || (*iterator).it_index as usize >= size(list) as usize {
            if !list.is_null() {
                guard_release(e, list)?;
                (*iterator).it_seq = core::ptr::null_mut();
            }
            (*iterator).it_index = -1;
            return leave_loop(e);
        }
    }
    Ok([])
}

/// Pushes the list's next item.
#[inline(always)]
pub(crate) unsafe fn iter_next_list<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp<[StackRef; 1]> {
    #[cfg(not(py_gil_disabled))]
    let _ = e;
    // SAFETY: the iterator's list has an item at its index.
    #[cfg(not(py_gil_disabled))]
    unsafe {
        let iterator = list_iterator(iterator);
        let index = (*iterator).it_index;
        (*iterator).it_index = index + 1;
        let items = list_items((*iterator).it_seq.cast());
        Ok([StackRef::new(*items.add(index as usize))])
    }
    // SAFETY: the iterator owns its list; the item arrives in a slot of its own.
    #[cfg(py_gil_disabled)]
    unsafe {
        let iterator = list_iterator(iterator);
        let mut item = StackRef::NULL.raw();
        e.publish();
        match ffi::_PyList_GetItemRefNoLock((*iterator).it_seq, (*iterator).it_index, &raw mut item) {
            0 => {
                (*iterator).it_index = -1;
                leave_loop(e)
            }
            1.. => {
                (*iterator).it_index += 1;
                Ok([StackRef::from_raw(item)])
            }
            // Another thread has got in the way.
            _ => Err(Exit::Deopt.into()),
        }
    }
}

// --- tuple -------------------------------------------------------------------------------------

/// The topmost value is an iterator over a tuple.
#[inline(always)]
pub(crate) unsafe fn iter_check_tuple<E: Engine>(_e: &mut E, Kept([iterator]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the topmost value is live.
    unsafe { guard_iterator(iterator, &raw mut ffi::PyTupleIter_Type) }
}

/// Leaves the loop if the tuple has no more items.
#[inline(always)]
pub(crate) unsafe fn iter_jump_tuple<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp {
    // SAFETY: a guard has shown what the iterator is; its tuple is null once it is exhausted, except in
    // free-threaded hosts, where others may still look at it.
    unsafe {
        let iterator: *mut ffi::_PyTupleIterObject = iterator.object().cast();
        let tuple = (*iterator).it_seq.cast::<PyObject>();
        if tuple.is_null() || (*iterator).it_index as usize >= size(tuple) as usize {
            if !FREE_THREADED && !tuple.is_null() {
                guard_release(e, tuple)?;
                (*iterator).it_seq = core::ptr::null_mut();
            }
            return leave_loop(e);
        }
    }
    Ok([])
}

/// Pushes the tuple's next item.
#[inline(always)]
pub(crate) unsafe fn iter_next_tuple<E: Engine>(
    _e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the iterator's tuple has an item at its index.
    unsafe {
        let iterator: *mut ffi::_PyTupleIterObject = iterator.object().cast();
        let index = (*iterator).it_index;
        (*iterator).it_index = index + 1;
        Ok([StackRef::new(tuple_item((*iterator).it_seq.cast(), index as usize))])
    }
}

// --- range -------------------------------------------------------------------------------------

/// The topmost value is an iterator over a range of machine integers.
#[inline(always)]
pub(crate) unsafe fn iter_check_range<E: Engine>(_e: &mut E, Kept([iterator]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the topmost value is live.
    unsafe { guard_iterator(iterator, &raw mut ffi::PyRangeIter_Type) }
}

/// Leaves the loop if the range is at its end.
#[inline(always)]
pub(crate) unsafe fn iter_jump_range<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp {
    // SAFETY: a guard has shown what the iterator is.
    unsafe {
        let iterator: *mut ffi::_PyRangeIterObject = iterator.object().cast();
        if (*iterator).len <= 0 { leave_loop(e) } else { Ok([]) }
    }
}

/// Pushes the range's next int, or, if the next instruction would store it in place of an int that nobody
/// else knows, makes it the value of that one.
#[inline(always)]
pub(crate) unsafe fn iter_next_range<E: Engine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op<PushedOrStored<[StackRef; 1], E::NextStore>> {
    // SAFETY: a guard has shown what the iterator is. The value after the last one is not used, and may
    // be beyond what fits.
    unsafe {
        let iterator: *mut ffi::_PyRangeIterObject = iterator.object().cast();
        let value = (*iterator).start;
        (*iterator).start = value.wrapping_add((*iterator).step);
        (*iterator).len -= 1;
        let value = value as isize;
        if is_small_int(value) {
            return Ok(PushedOrStored::Pushed([StackRef::immortal(small_int(value))]));
        }
        if !numbers::is_compact(value) {
            e.publish();
            let item = ffi::PyLong_FromSsize_t(value);
            return if item.is_null() {
                Err(Exit::Error)
            } else {
                Ok(PushedOrStored::Pushed([StackRef::steal(item)]))
            };
        }
        if let Some(store) = e.next_store()
            && is_sole_int(e.frame().local(store.local()))
        {
            numbers::set_compact(e.frame().local(store.local()).object(), value);
            return Ok(PushedOrStored::Stored(store));
        }
        e.publish();
        let item = numbers::new_int(e.tstate(), value);
        if item.is_null() {
            Err(Exit::Error)
        } else {
            Ok(PushedOrStored::Pushed([StackRef::steal_mortal(item)]))
        }
    }
}

/// Whether a variable holds the only reference to an int, so that nobody else could see it change.
#[inline(always)]
unsafe fn is_sole_int(variable: StackRef) -> bool {
    // SAFETY: a counted reference is a live object.
    unsafe {
        variable.is_counted()
            && refcount::is_unique(variable.object())
            && is_exact(variable.object(), &raw mut ffi::PyLong_Type)
    }
}

// --- generator ---------------------------------------------------------------------------------

/// Prepares a generator to run in the evaluator itself. It comes back behind this
/// instruction, or to the loop's END_FOR when it returns.
#[inline(always)]
pub(crate) unsafe fn for_iter_gen_frame<E: Engine>(e: &mut E, Kept([iterator]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the topmost value is live; nobody else resumes a generator that is suspended.
    unsafe {
        guard_iterator(iterator, &raw mut ffi::PyGen_Type)?;
        let generator = Generator::from_ptr(iterator.object());
        guard(generator.is_suspended())?;
        generator.resume(e.tstate(), StackRef::none(), e.frame());
        set_return_offset(e);
        e.give_frame(generator.frame());
        Ok([])
    }
}

/// Remembers that a generator which returns comes back to where the argument of this FOR_ITER or SEND
/// leads; one that yields, to the next instruction.
#[inline(always)]
pub(super) unsafe fn set_return_offset<E: Engine>(e: &mut E) {
    // SAFETY: the compiler keeps both forms within their 16 bits.
    unsafe {
        (*e.frame().as_ptr()).return_offset = (e.units() + e.oparg()) as u16;
    }
}
