//! Unpacking and pattern matching.

use super::adaptive::specialize;
use super::exact::topmost;
use super::guards::guard;
use super::matching;
use crate::engine::{BytecodeEngine, BytecodeOp, Count, Engine, Exit, Kept, Op, Oparg, Settled, SettledMany};
use crate::host::object::{has_feature, list_items, size, tuple_item, tuple_items, tuple_size};
use crate::host::object::{is_exact, set_size, type_of};
use crate::host::owned::exception_is_set;
use crate::host::{Owned, PyResult, Raised, ThreadState};
use crate::host::{PyObject, StackRef, ffi, lock, refcount};
use crate::raise;
use crate::seams;
use core::ffi::c_int;

// --- unpacking ---------------------------------------------------------------------------------

/// Looks for a specialized form of unpacking a sequence when the counter says so.
#[inline(always)]
pub(crate) unsafe fn specialize_unpack_sequence<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has an input.
    unsafe {
        specialize(e, counter, |e| {
            seams::specialize::unpack_sequence(e.peek(1), e.this_instr(), e.oparg());
        })
    }
}

/// Puts the `oparg` items of an iterable in its place, the first one topmost.
#[inline(always)]
pub(crate) unsafe fn unpack_sequence<E: Engine>(
    e: &mut E,
    [iterable]: [StackRef; 1],
) -> Op<SettledMany<Oparg>> {
    let count = e.oparg();
    // SAFETY: the input is ours, and the stack has room for that many values.
    unsafe { unpack(e, iterable, count, -1) }
}

/// Puts the items of an iterable in its place, the first one topmost: as many as the low byte of the
/// argument says, a list, and as many as the other bytes say.
#[inline(always)]
pub(crate) unsafe fn unpack_ex<E: Engine>(
    e: &mut E,
    [iterable]: [StackRef; 1],
) -> Op<SettledMany<ItemsAndRest>> {
    let (before, after) = (e.oparg() & 0xFF, e.oparg() >> 8);
    // SAFETY: the input is ours, and the stack has room for that many values.
    unsafe { unpack(e, iterable, before, after as _) }
}

/// What UNPACK_EX leaves.
pub(crate) struct ItemsAndRest;

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
        let unpacked = unpack_iterable(e.tstate(), iterable, before as _, after, top);
        refcount::decref(iterable);
        if unpacked.is_err() {
            return Err(Exit::Error);
        }
        Ok(SettledMany::up_to(top))
    }
}

/// A tuple of two items.
#[inline(always)]
pub(crate) unsafe fn unpack_sequence_two_tuple<E: Engine>(
    e: &mut E,
    [sequence]: [StackRef; 1],
) -> Op<Settled<2>> {
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
pub(crate) unsafe fn unpack_sequence_tuple<E: Engine>(
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
pub(crate) unsafe fn unpack_sequence_list<E: Engine>(
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
pub(crate) unsafe fn match_mapping<E: Engine>(
    _e: &mut E,
    Kept([subject]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the instruction has a subject.
    unsafe { Ok([StackRef::bool(has_feature(subject.object(), ffi::Py_TPFLAGS_MAPPING))]) }
}

/// Pushes whether the topmost value is a sequence to patterns.
#[inline(always)]
pub(crate) unsafe fn match_sequence<E: Engine>(
    _e: &mut E,
    Kept([subject]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the instruction has a subject.
    unsafe { Ok([StackRef::bool(has_feature(subject.object(), ffi::Py_TPFLAGS_SEQUENCE))]) }
}

/// Pushes a tuple of the values of a mapping's keys, or None if one is missing.
#[inline(always)]
pub(crate) unsafe fn match_keys<E: Engine>(
    e: &mut E,
    Kept([subject, keys]): Kept<[StackRef; 2]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the topmost values are the subject and a tuple of keys; they stay.
    unsafe {
        e.publish();
        let values = matching::match_keys(subject.object(), keys.object());
        values.map_or(Err(Exit::ErrorNoPop), |values| Ok([StackRef::steal(values.into_ptr())]))
    }
}

/// A tuple of the attributes that a class pattern asks for, or None if the subject does not match.
#[inline(always)]
pub(crate) unsafe fn match_class<E: Engine>(
    e: &mut E,
    [subject, class, names]: [StackRef; 3],
) -> Op<Settled<1>> {
    // SAFETY: the inputs are ours.
    unsafe {
        e.publish();
        let (subject, class, names) = (subject.object(), class.object(), names.object());
        let Ok(attributes) = matching::match_class(subject, class, e.oparg() as _, names) else {
            e.consume(topmost::<E, 3>(e));
            return Err(Exit::Error);
        };
        let result = attributes.map_or(StackRef::none(), |attributes| StackRef::steal(attributes.into_ptr()));
        e.settle(topmost::<E, 3>(e), [result])
    }
}

// --- items of an iterable ----------------------------------------------------------------------

/// Unpacks `iterable` into the slots below `top`, the first item topmost: `before` items or, unless `after` is -1,
/// `before` items, a list, and `after` items. On failure the slots stay empty.
///
/// # Safety
/// The thread is attached and its frame published; `iterable` is live, and below `top` is room for the items.
pub(crate) unsafe fn unpack_iterable(
    tstate: ThreadState,
    iterable: *mut PyObject,
    before: c_int,
    after: c_int,
    top: *mut StackRef,
) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let iterator = iterator(tstate, iterable)?;
        let mut values = Values { top, count: 0 };
        match after {
            -1 => take_all(iterable, &iterator, before, &mut values)?,
            after => take_some(&iterator, before, after, &mut values)?,
        }
        values.keep();
    }
    Ok(())
}

/// Values stored on a stack from the top down. Dropping them closes them, the last one first.
struct Values {
    /// The slot of the last value.
    top: *mut StackRef,
    count: usize,
}

impl Values {
    /// Stores one more.
    ///
    /// # Safety
    /// There is room for it.
    unsafe fn push(&mut self, value: Owned) {
        // SAFETY: the caller's promise; the stack takes the reference over.
        unsafe {
            self.top = self.top.sub(1);
            *self.top = StackRef::steal(value.into_ptr());
        }
        self.count += 1;
    }

    /// Leaves the values where they are.
    fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        for _ in 0..self.count {
            // SAFETY: that many values have been stored from here up.
            unsafe {
                (*self.top).close();
                self.top = self.top.add(1);
            }
        }
    }
}

/// `iter(iterable)`, with a message about unpacking.
unsafe fn iterator(tstate: ThreadState, iterable: *mut PyObject) -> PyResult {
    // SAFETY: the object is live and the thread attached, as the caller of the API promised.
    unsafe {
        let iterator = Owned::from_host(ffi::PyObject_GetIter(iterable));
        if iterator.is_err()
            && ffi::_PyErr_ExceptionMatches(tstate.as_ptr(), ffi::PyExc_TypeError) != 0
            && (*type_of(iterable)).tp_iter.is_none()
            && ffi::PySequence_Check(iterable) == 0
        {
            raise!(
                PyExc_TypeError,
                c"cannot unpack non-iterable %.200s object",
                (*type_of(iterable)).tp_name
            );
        }
        iterator
    }
}

/// `next(iterator)`; none at its end.
unsafe fn next(iterator: &Owned) -> PyResult<Option<Owned>> {
    // SAFETY: the reference is live and the thread attached.
    match unsafe { Owned::optional(ffi::PyIter_Next(iterator.as_ptr())) } {
        None if exception_is_set() => Err(Raised),
        item => Ok(item),
    }
}

/// The items of a form without a star: exactly `expected`.
unsafe fn take_all(
    iterable: *mut PyObject,
    iterator: &Owned,
    expected: c_int,
    values: &mut Values,
) -> PyResult<()> {
    // SAFETY: the caller of the API has promised room for them.
    unsafe {
        for got in 0..expected {
            let Some(item) = next(iterator)? else {
                return Err(raise!(
                    PyExc_ValueError,
                    c"not enough values to unpack (expected %d, got %d)",
                    expected,
                    got
                ));
            };
            values.push(item);
        }
        match next(iterator)? {
            None => Ok(()),
            Some(item) => {
                drop(item);
                Err(too_many(iterable, expected))
            }
        }
    }
}

/// The items of a form with a star: `before`, a list, `after`.
unsafe fn take_some(iterator: &Owned, before: c_int, after: c_int, values: &mut Values) -> PyResult<()> {
    // SAFETY: the caller of the API has promised room for them; the new list is nobody else's, and has
    // the items that move from its end to the stack.
    unsafe {
        for got in 0..before {
            let Some(item) = next(iterator)? else {
                return Err(raise!(
                    PyExc_ValueError,
                    c"not enough values to unpack (expected at least %d, got %d)",
                    before + after,
                    got
                ));
            };
            values.push(item);
        }
        let rest = Owned::from_host(ffi::PySequence_List(iterator.as_ptr()))?;
        let list = rest.as_ptr();
        values.push(rest);
        let length = size(list);
        let starred = length - after as isize;
        if starred < 0 {
            return Err(raise!(
                PyExc_ValueError,
                c"not enough values to unpack (expected at least %d, got %zd)",
                before + after,
                before as isize + length
            ));
        }
        for index in starred..length {
            values.push(Owned::from_host(*list_items(list).offset(index))?);
        }
        set_size(list, starred);
        Ok(())
    }
}

/// There was an item more than expected. How many there are is told where a look suffices.
#[cold]
unsafe fn too_many(iterable: *mut PyObject, expected: c_int) -> Raised {
    // SAFETY: the object is live and the thread attached, as the caller of the API promised.
    unsafe {
        let length = if is_exact(iterable, &raw mut ffi::PyDict_Type) {
            ffi::PyDict_Size(iterable)
        } else if is_exact(iterable, &raw mut ffi::PyList_Type)
            || is_exact(iterable, &raw mut ffi::PyTuple_Type)
        {
            size(iterable)
        } else {
            0
        };
        // It may have shrunk since.
        if length > expected as isize {
            return raise!(
                PyExc_ValueError,
                c"too many values to unpack (expected %d, got %zd)",
                expected,
                length
            );
        }
        raise!(PyExc_ValueError, c"too many values to unpack (expected %d)", expected)
    }
}
