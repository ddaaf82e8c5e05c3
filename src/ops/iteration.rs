//! Iterators and `for` loops.
//!
//! A loop keeps its iterator on the stack. FOR_ITER pushes the next item on top of it. At the end of the
//! iterator it jumps past the END_FOR that follows the loop's body, to POP_ITER. A generator that runs in
//! this evaluator returns to END_FOR instead, with its return value on the stack.

use super::adaptive::specializing;
use super::frames::{RESUMER_UNITS, guard_continues_at, set_return_offset};
use super::guards::guard;
use crate::bytecode::BackoffCounter;
use crate::engine::{
    BytecodeEngine, BytecodeExit, BytecodeOp, Engine, Exit, Kept, NextStore, Op, PushedOrStored, Settled,
    TraceExit, TraceOp,
};
use crate::host::dict::is_readable;
use crate::host::generator::Generator;
#[cfg(not(py_gil_disabled))]
use crate::host::object::list_items;
use crate::host::object::{is_exact, size, tuple_item, type_of};
use crate::host::{
    CodeUnit, FREE_THREADED, Frame, PyObject, Raised, StackRef, ThreadState, ffi, numbers, refcount,
    small_int,
};
use crate::instrument::exceptions;
use crate::raise;
use crate::seams;
#[cfg(not(py_gil_disabled))]
use crate::{bytecode::opcode, host::object::type_flags, specialize::special_methods};

/// Replaces the topmost value by its iterator.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn get_iter<E: Engine>(e: &mut E, [iterable]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is live and owned by this micro-op.
    unsafe {
        e.publish();
        let iterator = iterator_of(e.tstate(), iterable.object());
        e.settle_object([iterable], iterator)
    }
}

/// A new iterator of the object, or null with an exception. If `__iter__` is a generator function, it is not called: a generator
/// is all that the call would make.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and its frame is published. The object is live.
#[inline(never)]
pub(super) unsafe fn iterator_of(tstate: ThreadState, iterable: *mut PyObject) -> *mut PyObject {
    // SAFETY: the object is live (caller), and its class keeps the function alive.
    unsafe {
        #[cfg(not(py_gil_disabled))]
        if type_flags(type_of(iterable)) & ffi::Py_TPFLAGS_HEAPTYPE != 0
            && let Some(function) = special_methods::of_iteration(tstate, iterable)
            && function.code().bytecode().opcode() == opcode::RETURN_GENERATOR
            && (*tstate.as_ptr()).py_recursion_remaining > 1
            && !tstate.has_custom_eval_frame()
        {
            let generator = ffi::_Py_MakeCoro(function.object().cast());
            if !generator.is_null() {
                Generator::from_ptr(generator).begin(tstate, function.object(), iterable);
            }
            return generator;
        }
        let _ = tstate;
        ffi::PyObject_GetIter(iterable)
    }
}

/// Pushes the length of the topmost value, which stays.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn get_len<E: Engine>(e: &mut E, Kept([value]): Kept<[StackRef; 1]>) -> Op<[StackRef; 1]> {
    // SAFETY: the input is the topmost value, and live.
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

/// Drops the return value of a generator at the end of a loop. Sets the frame's instruction pointer back to
/// the previous instruction, the FOR_ITER of the loop, since POP_ITER uses it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn end_for<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<0>> {
    // SAFETY: the input is live and owned by this micro-op.
    unsafe {
        e.stay_at_previous_instr();
        e.settle([value], [])
    }
}

specializing! {
    specialize_for_iter: FOR_ITER = |e| seams::specialize::for_iter(e.peek(1), e.this_instr(), e.oparg())
}

/// Pushes the next item of the iterator, or leaves the loop.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn for_iter<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp<[StackRef; 1]> {
    // SAFETY: the iterator is the topmost value, and live.
    unsafe {
        match next_item(e, iterator)? {
            Some(item) => Ok([item]),
            None => leave_loop(e),
        }
    }
}

/// [`for_iter`] for traces, which leave by a side exit at the end of the iterator.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn for_iter_tier_two<E: Engine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the iterator is the topmost value, and live.
    unsafe { next_item(e, iterator)?.map(|item| [item]).ok_or(Exit::Deopt) }
}

/// [`for_iter_tier_two`] the other way round: for traces that go on at the end of the iterator. At an item, leaves with
/// the item on the stack, for the loop's body.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn for_iter_exhausted<E: Engine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> TraceOp {
    // SAFETY: the iterator is the topmost value, and live. FOR_ITER has room for the item.
    unsafe {
        match next_item(e, iterator)? {
            None => Ok([]),
            Some(item) => {
                e.push(item);
                Err(TraceExit::Settled)
            }
        }
    }
}

/// The next item of the topmost value, or `None` at its end.
///
/// # Safety
/// The thread is attached. `iterator` is the topmost value of the engine's stack, and live.
#[inline(always)]
unsafe fn next_item<E: Engine>(e: &mut E, iterator: StackRef) -> Op<Option<StackRef>> {
    // SAFETY: the iterator is live and on the published stack. It is an instance of the type whose function
    // is called.
    unsafe {
        let iterator = iterator.object();
        e.publish();
        let Some(next) = (*type_of(iterator)).tp_iternext else {
            not_an_iterator(iterator);
            return Err(Exit::ErrorNoPop);
        };
        let item = next(iterator);
        if !item.is_null() {
            return Ok(Some(StackRef::steal(item)));
        }
        if !e.tstate().raised().is_null() && forget_stop_iteration(e.tstate(), e.frame()).is_err() {
            return Err(Exit::ErrorNoPop);
        }
        Ok(None)
    }
}

/// Sets TypeError for a loop over an object without `__next__`.
///
/// # Safety
/// The thread is attached, and `object` is live.
#[cold]
#[inline(never)]
unsafe fn not_an_iterator(object: *mut PyObject) {
    // SAFETY: the object is live, and so is the name of its type (caller).
    unsafe {
        raise!(PyExc_TypeError, c"'%.100s' object is not an iterator", (*type_of(object)).tp_name);
    }
}

/// Clears a StopIteration, which ends a loop. Fails if another exception is set.
///
/// # Safety
/// The thread is attached and `tstate` is its state. An exception is set, `frame` is current and published.
#[cold]
#[inline(never)]
unsafe fn forget_stop_iteration(tstate: ThreadState, frame: Frame) -> Result<(), Raised> {
    // SAFETY: an exception is set, and the frame is published (caller).
    unsafe {
        if ffi::_PyErr_ExceptionMatches(tstate.as_ptr(), ffi::PyExc_StopIteration) == 0 {
            return Err(Raised);
        }
        exceptions::raise(tstate, frame, frame.instr());
        ffi::_PyErr_Clear(tstate.as_ptr());
        Ok(())
    }
}

/// Jumps past the END_FOR of the loop.
///
/// # Safety
/// The current instruction is a FOR_ITER, or a specialized or instrumented form of it.
#[inline(always)]
unsafe fn leave_loop<E: BytecodeEngine, T>(e: &mut E) -> BytecodeOp<T> {
    // SAFETY: the argument of a FOR_ITER is the distance to its END_FOR, and POP_ITER follows that (caller).
    unsafe { e.jump_by(e.oparg() as isize + 1) }
    Err(BytecodeExit::Dispatch)
}

/// Succeeds if the exact type of the iterator is `type_` and no other thread can use it.
///
/// # Safety
/// `iterator` is live.
#[inline(always)]
unsafe fn guard_iterator(iterator: StackRef, type_: *mut ffi::PyTypeObject) -> Op {
    // SAFETY: the value is live (caller).
    unsafe {
        let iterator = iterator.object();
        guard(is_exact(iterator, type_))?;
        guard(!FREE_THREADED || refcount::is_unique(iterator))
    }
}

/// Releases the reference that an exhausted iterator had to its sequence, if it had one. For traces, which have no
/// generic instruction to fall back to.
///
/// # Safety
/// The thread is attached. `sequence` is null, or the caller owns a reference to it.
#[inline(always)]
unsafe fn release_sequence<E: Engine>(e: &mut E, sequence: *mut PyObject) {
    if !sequence.is_null() {
        // SAFETY: the reference is owned (caller), and not on the stack.
        unsafe { e.close_at(StackRef::steal(sequence), e.sp()) }
    }
}

/// Releases the reference that an exhausted iterator has to its sequence, if it is not the last one.
/// Otherwise the generic instruction runs, so that there is no call here and the handler of the loop needs no
/// stack frame.
///
/// # Safety
/// The thread is attached, and the current instruction has a counter. The iterator owns a reference to
/// `sequence`, which the caller removes from it after success.
#[inline(always)]
unsafe fn guard_release<E: BytecodeEngine>(e: &mut E, sequence: *mut PyObject) -> Op {
    // SAFETY: the reference is owned and not the last one, so nothing is freed. The instruction has a counter
    // (caller).
    unsafe {
        if refcount::is_unique(sequence) {
            // The specialization is not wrong, so the generic instruction must not count this.
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

/// The topmost value is an iterator over a list. On free-threaded hosts, the list is readable without a lock.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn iter_check_list<E: Engine>(_e: &mut E, Kept([iterator]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the topmost value is live. On free-threaded hosts, an iterator owns its list even when it is
    // exhausted.
    unsafe {
        guard_iterator(iterator, &raw mut ffi::PyListIter_Type)?;
        guard(!FREE_THREADED || is_readable((*list_iterator(iterator)).it_seq.cast()))
    }
}

/// The iterator as a list iterator.
#[inline(always)]
fn list_iterator(iterator: StackRef) -> *mut ffi::_PyListIterObject {
    iterator.object().cast()
}

/// Whether an iterator over a list has no more items.
///
/// # Safety
/// The iterator is live, and with a GIL, so that no other thread changes it.
#[cfg(not(py_gil_disabled))]
#[inline(always)]
unsafe fn is_list_exhausted(iterator: *mut ffi::_PyListIterObject) -> bool {
    // SAFETY: the iterator is live (caller). Its list is null after it is exhausted.
    unsafe {
        let list = (*iterator).it_seq.cast::<PyObject>();
        list.is_null() || (*iterator).it_index as usize >= size(list) as usize
    }
}

/// Leaves the loop if the list has no more items. On free-threaded hosts, `iter_next_list` does that.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `iter_check_list` has run before.
#[inline(always)]
pub(crate) unsafe fn iter_jump_list<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp {
    #[cfg(py_gil_disabled)]
    let _ = (e, iterator);
    #[cfg(not(py_gil_disabled))]
    // SAFETY: a guard has checked the type of the iterator. Its list is null after it is exhausted.
    unsafe {
        let iterator = list_iterator(iterator);
        if is_list_exhausted(iterator) {
            let list = (*iterator).it_seq.cast::<PyObject>();
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

/// Succeeds if the list has more items. Otherwise the iterator is exhausted from now on, and releases the list, as in tier 1.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `iter_check_list` has run before.
#[inline(always)]
pub(crate) unsafe fn guard_not_exhausted_list<E: Engine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op {
    #[cfg(py_gil_disabled)]
    let _ = (e, iterator);
    #[cfg(not(py_gil_disabled))]
    // SAFETY: a guard has checked the type of the iterator. It owns its list until it is exhausted.
    unsafe {
        let iterator = list_iterator(iterator);
        if is_list_exhausted(iterator) {
            give_up_list(e, iterator);
            return Err(Exit::Deopt);
        }
    }
    Ok([])
}

/// An exhausted iterator releases its list.
///
/// # Safety
/// The thread is attached. The iterator is live, and owns its list, if it has one.
#[cfg(not(py_gil_disabled))]
#[inline(always)]
unsafe fn give_up_list<E: Engine>(e: &mut E, iterator: *mut ffi::_PyListIterObject) {
    // SAFETY: the iterator owns its list (caller).
    unsafe {
        (*iterator).it_index = -1;
        let list = core::mem::replace(&mut (*iterator).it_seq, core::ptr::null_mut());
        release_sequence(e, list.cast());
    }
}

/// Succeeds if the list has no more items. The iterator is exhausted then, and releases the list. On free-threaded
/// hosts, only taking the next item tells.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `iter_check_list` has run before.
#[inline(always)]
pub(crate) unsafe fn guard_exhausted_list<E: Engine>(e: &mut E, Kept([iterator]): Kept<[StackRef; 1]>) -> Op {
    #[cfg(py_gil_disabled)]
    {
        let _ = (e, iterator);
        Err(Exit::Deopt)
    }
    #[cfg(not(py_gil_disabled))]
    // SAFETY: a guard has checked the type of the iterator. It owns its list until it is exhausted.
    unsafe {
        let iterator = list_iterator(iterator);
        guard(is_list_exhausted(iterator))?;
        give_up_list(e, iterator);
        Ok([])
    }
}

/// Pushes the next item of the list.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `iter_check_list` and `iter_jump_list` have run before.
#[inline(always)]
pub(crate) unsafe fn iter_next_list<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp<[StackRef; 1]> {
    // SAFETY: guards have checked the iterator.
    unsafe {
        match next_list_item(e, iterator)? {
            Some(item) => Ok([item]),
            None => leave_loop(e),
        }
    }
}

/// [`iter_next_list`] for traces.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `iter_check_list` and `guard_not_exhausted_list` have run
/// before.
#[inline(always)]
pub(crate) unsafe fn iter_next_list_tier_two<E: Engine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: guards have checked the iterator.
    unsafe { next_list_item(e, iterator)?.map(|item| [item]).ok_or(Exit::Deopt) }
}

/// The next item of an iterator over a list. `None` at its end, which only free-threaded hosts find out here.
///
/// # Safety
/// The thread is attached. `iterator` is the topmost value of the engine's stack, and `iter_check_list` has
/// checked it. With a GIL, the list has an item at the iterator's index.
#[inline(always)]
unsafe fn next_list_item<E: Engine>(e: &mut E, iterator: StackRef) -> Op<Option<StackRef>> {
    let iterator = list_iterator(iterator);
    #[cfg(not(py_gil_disabled))]
    // SAFETY: the list has an item at the index (caller).
    unsafe {
        let _ = e;
        let index = (*iterator).it_index;
        (*iterator).it_index = index + 1;
        let items = list_items((*iterator).it_seq.cast());
        Ok(Some(StackRef::new(*items.add(index as usize))))
    }
    #[cfg(py_gil_disabled)]
    // SAFETY: the iterator owns its list. The item is written to a variable of its own.
    unsafe {
        let mut item = StackRef::NULL.raw();
        e.publish();
        match ffi::_PyList_GetItemRefNoLock((*iterator).it_seq, (*iterator).it_index, &raw mut item) {
            0 => {
                (*iterator).it_index = -1;
                Ok(None)
            }
            1.. => {
                (*iterator).it_index += 1;
                Ok(Some(StackRef::from_raw(item)))
            }
            // Another thread has changed the list.
            _ => Err(Exit::Deopt),
        }
    }
}

// --- tuple -------------------------------------------------------------------------------------

/// The topmost value is an iterator over a tuple.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn iter_check_tuple<E: Engine>(_e: &mut E, Kept([iterator]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the topmost value is live.
    unsafe { guard_iterator(iterator, &raw mut ffi::PyTupleIter_Type) }
}

/// The iterator as a tuple iterator.
#[inline(always)]
fn tuple_iterator(iterator: StackRef) -> *mut ffi::_PyTupleIterObject {
    iterator.object().cast()
}

/// Whether an iterator over a tuple has no more items.
///
/// # Safety
/// The iterator is live, and no other thread can use it.
#[inline(always)]
unsafe fn is_tuple_exhausted(iterator: *mut ffi::_PyTupleIterObject) -> bool {
    // SAFETY: the iterator is live (caller). Its tuple is null after it is exhausted.
    unsafe {
        let tuple = (*iterator).it_seq.cast::<PyObject>();
        tuple.is_null() || (*iterator).it_index as usize >= size(tuple) as usize
    }
}

/// Succeeds if the tuple has more items. Otherwise the iterator releases it, as in tier 1.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `iter_check_tuple` has run before.
#[inline(always)]
pub(crate) unsafe fn guard_not_exhausted_tuple<E: Engine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: a guard has checked the type of the iterator. It owns its tuple until it is exhausted.
    unsafe {
        let iterator = tuple_iterator(iterator);
        if is_tuple_exhausted(iterator) {
            give_up_tuple(e, iterator);
            return Err(Exit::Deopt);
        }
    }
    Ok([])
}

/// Succeeds if the tuple has no more items. The iterator releases it then, except on free-threaded hosts.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `iter_check_tuple` has run before.
#[inline(always)]
pub(crate) unsafe fn guard_exhausted_tuple<E: Engine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: a guard has checked the type of the iterator. It owns its tuple until it is exhausted.
    unsafe {
        let iterator = tuple_iterator(iterator);
        guard(is_tuple_exhausted(iterator))?;
        give_up_tuple(e, iterator);
        Ok([])
    }
}

/// An exhausted iterator releases its tuple, except on free-threaded hosts.
///
/// # Safety
/// The thread is attached. The iterator is live, and owns its tuple, if it has one.
#[inline(always)]
unsafe fn give_up_tuple<E: Engine>(e: &mut E, iterator: *mut ffi::_PyTupleIterObject) {
    if !FREE_THREADED {
        // SAFETY: the iterator owns its tuple (caller).
        unsafe {
            let tuple = core::mem::replace(&mut (*iterator).it_seq, core::ptr::null_mut());
            release_sequence(e, tuple.cast());
        }
    }
}

/// Leaves the loop if the tuple has no more items.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `iter_check_tuple` has run before.
#[inline(always)]
pub(crate) unsafe fn iter_jump_tuple<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp {
    // SAFETY: a guard has checked the type of the iterator. Its tuple is null after it is exhausted. On
    // free-threaded hosts it keeps the tuple, since other threads may still read it.
    unsafe {
        let iterator = tuple_iterator(iterator);
        if is_tuple_exhausted(iterator) {
            let tuple = (*iterator).it_seq.cast::<PyObject>();
            if !FREE_THREADED && !tuple.is_null() {
                guard_release(e, tuple)?;
                (*iterator).it_seq = core::ptr::null_mut();
            }
            return leave_loop(e);
        }
    }
    Ok([])
}

/// Pushes the next item of the tuple.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. Have run before: `iter_check_tuple`; `iter_jump_tuple` or
/// `guard_not_exhausted_tuple`.
#[inline(always)]
pub(crate) unsafe fn iter_next_tuple<E: Engine>(
    _e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: a guard has checked the type of the iterator, and another one that the tuple has an item at its
    // index.
    unsafe {
        let iterator = tuple_iterator(iterator);
        let index = (*iterator).it_index;
        (*iterator).it_index = index + 1;
        Ok([StackRef::new(tuple_item((*iterator).it_seq.cast(), index as usize))])
    }
}

// --- range -------------------------------------------------------------------------------------

/// The topmost value is an iterator over a range of machine integers.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn iter_check_range<E: Engine>(_e: &mut E, Kept([iterator]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the topmost value is live.
    unsafe { guard_iterator(iterator, &raw mut ffi::PyRangeIter_Type) }
}

/// Whether an iterator over a range has no more items.
///
/// # Safety
/// The value is a live iterator of that type.
#[inline(always)]
unsafe fn is_range_exhausted(iterator: StackRef) -> bool {
    // SAFETY: the iterator is live (caller).
    unsafe { (*iterator.object().cast::<ffi::_PyRangeIterObject>()).len <= 0 }
}

/// Succeeds if the range is not exhausted.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `iter_check_range` has run before.
#[inline(always)]
pub(crate) unsafe fn guard_not_exhausted_range<E: Engine>(
    _e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: a guard has checked the type of the iterator.
    unsafe { guard(!is_range_exhausted(iterator)) }
}

/// Succeeds if the range is exhausted.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `iter_check_range` has run before.
#[inline(always)]
pub(crate) unsafe fn guard_exhausted_range<E: Engine>(
    _e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: a guard has checked the type of the iterator.
    unsafe { guard(is_range_exhausted(iterator)) }
}

/// Leaves the loop if the range is exhausted.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `iter_check_range` has run before.
#[inline(always)]
pub(crate) unsafe fn iter_jump_range<E: BytecodeEngine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> BytecodeOp {
    // SAFETY: a guard has checked the type of the iterator.
    unsafe { if is_range_exhausted(iterator) { leave_loop(e) } else { Ok([]) } }
}

/// Pushes the next int of the range. If a STORE_FAST follows whose variable holds the only reference to an
/// int, changes that int in place instead.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. Have run before: `iter_check_range`; `iter_jump_range` or
/// `guard_not_exhausted_range`.
#[inline(always)]
pub(crate) unsafe fn iter_next_range<E: Engine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op<PushedOrStored<[StackRef; 1], E::NextStore>> {
    // SAFETY: a guard has checked the type of the iterator. The start after the last item is not used, so it
    // may overflow. An int is changed in place only if nothing else refers to it.
    unsafe {
        let iterator: *mut ffi::_PyRangeIterObject = iterator.object().cast();
        let value = (*iterator).start;
        (*iterator).start = value.wrapping_add((*iterator).step);
        (*iterator).len -= 1;
        let value = value as isize;
        if let Some(int) = small_int(value) {
            return Ok(PushedOrStored::Pushed([StackRef::immortal(int)]));
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

/// Whether a variable holds the only reference to an int. Then nothing else can observe a change of the int.
///
/// # Safety
/// `variable` is null or live.
#[inline(always)]
unsafe fn is_sole_int(variable: StackRef) -> bool {
    // SAFETY: a counted reference points to a live object.
    unsafe {
        variable.is_counted()
            && refcount::is_unique(variable.object())
            && is_exact(variable.object(), &raw mut ffi::PyLong_Type)
    }
}

// --- generator ---------------------------------------------------------------------------------

/// Resumes a generator in this evaluator. It returns to the instruction after this one when it yields, and to
/// the END_FOR of the loop when it returns.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_pep_523` has run before.
#[inline(always)]
pub(crate) unsafe fn for_iter_gen_frame<E: Engine>(e: &mut E, Kept([iterator]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the topmost value is live. No other thread can use the generator, so it stays suspended until it is
    // resumed here.
    unsafe {
        let generator = resumable(iterator)?;
        generator.resume(e.tstate(), StackRef::none(), e.frame());
        set_return_offset(e.frame(), RESUMER_UNITS + e.oparg());
        e.give_frame(generator.frame());
        Ok([])
    }
}

/// The iterator as a generator that can be resumed, if it is one and no other thread can use it.
///
/// # Safety
/// The iterator is live.
#[inline(always)]
unsafe fn resumable(iterator: StackRef) -> Op<Generator> {
    // SAFETY: the iterator is live (caller), and a generator behind the guard.
    unsafe {
        guard_iterator(iterator, &raw mut ffi::PyGen_Type)?;
        let generator = Generator::from_ptr(iterator.object());
        guard(generator.is_suspended())?;
        Ok(generator)
    }
}

/// The topmost value is a generator that can be resumed, and continues with the instruction at an address, in code of
/// a version.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_tos_generator_at<E: Engine>(
    _e: &mut E,
    expected: (CodeUnit, u32),
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the topmost value is live. The frame of a suspended generator is at an instruction of its code.
    unsafe {
        let frame = resumable(iterator)?.frame();
        guard_continues_at(frame, frame.instr(), expected)
    }
}
