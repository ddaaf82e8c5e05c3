//! Unpacking and pattern matching.

use super::adaptive::specialize;
use super::exact::topmost;
use super::guards::guard;
use crate::api::{matching, unpacking};
use crate::engine::{BytecodeEngine, BytecodeOp, Count, Engine, Exit, Kept, Op, Oparg, Settled, SettledMany};
use crate::host::object::{has_feature, list_items, size, tuple_item, tuple_items, tuple_size};
use crate::host::{PyObject, StackRef, ffi, lock, refcount};

// --- unpacking ---------------------------------------------------------------------------------

/// Looks for a specialized form of unpacking a sequence when the counter says so.
#[inline(always)]
pub unsafe fn specialize_unpack_sequence<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has an input.
    unsafe {
        specialize(e, counter, |e| {
            ffi::_Py_Specialize_UnpackSequence(e.peek(1).raw(), e.this_instr().as_ptr(), e.oparg() as _);
        })
    }
}

/// Puts the `oparg` items of an iterable in its place, the first one topmost.
#[inline(always)]
pub unsafe fn unpack_sequence<E: Engine>(e: &mut E, [iterable]: [StackRef; 1]) -> Op<SettledMany<Oparg>> {
    let count = e.oparg();
    // SAFETY: the input is ours, and the stack has room for that many values.
    unsafe { unpack(e, iterable, count, -1) }
}

/// Puts the items of an iterable in its place, the first one topmost: as many as the low byte of the
/// argument says, a list, and as many as the other bytes say.
#[inline(always)]
pub unsafe fn unpack_ex<E: Engine>(e: &mut E, [iterable]: [StackRef; 1]) -> Op<SettledMany<ItemsAndRest>> {
    let (before, after) = (e.oparg() & 0xFF, e.oparg() >> 8);
    // SAFETY: the input is ours, and the stack has room for that many values.
    unsafe { unpack(e, iterable, before, after as _) }
}

/// What UNPACK_EX leaves.
pub struct ItemsAndRest;

impl Count for ItemsAndRest {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        (oparg & 0xFF) + 1 + (oparg >> 8)
    }
}

/// Puts the items of an iterable, the topmost value, in its place.
#[inline(always)]
unsafe fn unpack<E: Engine, C: Count>(
    e: &mut E,
    iterable: StackRef,
    before: usize,
    after: core::ffi::c_int,
) -> Op<SettledMany<C>> {
    // SAFETY: the caller's promise.
    unsafe {
        let iterable = iterable.into_object();
        let base = e.sp().sub(1);
        e.publish_at(base);
        let top = base.add(C::of(e.oparg()));
        let done = unpacking::_PyEval_UnpackIterableStackRef(
            e.tstate().as_ptr(),
            iterable,
            before as _,
            after,
            top.cast(),
        );
        refcount::decref(iterable);
        if done == 0 {
            return Err(Exit::Error);
        }
        Ok(SettledMany::up_to(top))
    }
}

/// A tuple of two items.
#[inline(always)]
pub unsafe fn unpack_sequence_two_tuple<E: Engine>(e: &mut E, [sequence]: [StackRef; 1]) -> Op<Settled<2>> {
    // SAFETY: a guard has shown that the input, which is ours, is a tuple.
    unsafe {
        let tuple = sequence.object();
        guard(tuple_size(tuple) == 2)?;
        let first = StackRef::new(tuple_item(tuple, 0));
        let second = StackRef::new(tuple_item(tuple, 1));
        e.settle([sequence], [second, first])
    }
}

/// A tuple of `oparg` items.
#[inline(always)]
pub unsafe fn unpack_sequence_tuple<E: Engine>(
    e: &mut E,
    [sequence]: [StackRef; 1],
) -> Op<SettledMany<Oparg>> {
    // SAFETY: a guard has shown that the input, which is ours, is a tuple. It keeps its items alive.
    unsafe {
        let tuple = sequence.object();
        guard(tuple_size(tuple) == e.oparg())?;
        let top = place_items(e, tuple_items(tuple));
        e.close_at(sequence, top);
        Ok(SettledMany::up_to(top))
    }
}

/// A list of `oparg` items.
#[inline(always)]
pub unsafe fn unpack_sequence_list<E: Engine>(
    e: &mut E,
    [sequence]: [StackRef; 1],
) -> Op<SettledMany<Oparg>> {
    // SAFETY: a guard has shown that the input, which is ours, is a list. Its items stay while it is locked.
    unsafe {
        let list = sequence.object();
        guard(lock::try_lock(list))?;
        if size(list) as usize != e.oparg() {
            lock::unlock(list);
            return Err(Exit::Deopt);
        }
        let top = place_items(e, list_items(list));
        lock::unlock(list);
        e.close_at(sequence, top);
        Ok(SettledMany::up_to(top))
    }
}

/// Puts `oparg` items in the place of the topmost value, the first one topmost. Returns where they end.
#[inline(always)]
unsafe fn place_items<E: Engine>(e: &mut E, items: *mut *mut PyObject) -> *mut StackRef {
    // SAFETY: there are that many, and the stack has room for them.
    unsafe {
        let mut top = e.sp().sub(1);
        for index in (0..e.oparg()).rev() {
            *top = StackRef::new(*items.add(index));
            top = top.add(1);
        }
        top
    }
}

// --- patterns ----------------------------------------------------------------------------------

/// Pushes whether the topmost value is a mapping to patterns.
#[inline(always)]
pub unsafe fn match_mapping<E: Engine>(
    _e: &mut E,
    Kept([subject]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the instruction has a subject.
    unsafe { Ok([StackRef::bool(has_feature(subject.object(), ffi::Py_TPFLAGS_MAPPING))]) }
}

/// Pushes whether the topmost value is a sequence to patterns.
#[inline(always)]
pub unsafe fn match_sequence<E: Engine>(
    _e: &mut E,
    Kept([subject]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the instruction has a subject.
    unsafe { Ok([StackRef::bool(has_feature(subject.object(), ffi::Py_TPFLAGS_SEQUENCE))]) }
}

/// Pushes a tuple of the values of a mapping's keys, or None if one is missing.
#[inline(always)]
pub unsafe fn match_keys<E: Engine>(
    e: &mut E,
    Kept([subject, keys]): Kept<[StackRef; 2]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the topmost values are the subject and a tuple of keys; they stay.
    unsafe {
        e.publish();
        let (subject, keys) = (subject.object(), keys.object());
        let values = matching::_PyEval_MatchKeys(e.tstate().as_ptr(), subject, keys);
        if values.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        Ok([StackRef::steal(values)])
    }
}

/// A tuple of the attributes that a class pattern asks for, or None if the subject does not match.
#[inline(always)]
pub unsafe fn match_class<E: Engine>(e: &mut E, [subject, class, names]: [StackRef; 3]) -> Op<Settled<1>> {
    // SAFETY: the inputs are ours.
    unsafe {
        e.publish();
        let attributes = matching::_PyEval_MatchClass(
            e.tstate().as_ptr(),
            subject.object(),
            class.object(),
            e.oparg() as _,
            names.object(),
        );
        let result = if !attributes.is_null() {
            StackRef::steal(attributes)
        } else if e.tstate().raised().is_null() {
            StackRef::none()
        } else {
            e.consume(topmost::<E, 3>(e));
            return Err(Exit::Error);
        };
        e.settle(topmost::<E, 3>(e), [result])
    }
}
