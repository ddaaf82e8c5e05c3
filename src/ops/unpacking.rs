//! Unpacking, and the instructions of pattern matching.

use super::adaptive::specializing;
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

specializing! {
    specialize_unpack_sequence: UNPACK_SEQUENCE = |e| seams::specialize::unpack_sequence(e.peek(1), e.this_instr(), e.oparg())
}

/// Replaces an iterable by its `oparg` items, the first one topmost.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn unpack_sequence<E: Engine>(
    e: &mut E,
    [iterable]: [StackRef; 1],
) -> Op<SettledMany<Oparg>> {
    let count = e.oparg();
    // SAFETY: the input is the topmost value and owned by this micro-op. The stack has room for `oparg` values.
    unsafe { unpack(e, iterable, count, -1) }
}

/// Replaces an iterable by its items, the first one topmost: as many as the low byte of the argument, a list,
/// and as many as the other bytes.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn unpack_ex<E: Engine>(
    e: &mut E,
    [iterable]: [StackRef; 1],
) -> Op<SettledMany<ItemsAndRest>> {
    let (before, after) = (e.oparg() & 0xFF, e.oparg() >> 8);
    // SAFETY: the input is the topmost value and owned by this micro-op. The stack has room for all items and
    // the list.
    unsafe { unpack(e, iterable, before, after as _) }
}

/// The results of UNPACK_EX.
pub(crate) struct ItemsAndRest;

impl Count for ItemsAndRest {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        (oparg & 0xFF) + 1 + (oparg >> 8)
    }
}

/// Replaces the topmost value, an iterable, by its items. `before` and `after` are those of
/// [`unpack_iterable`].
///
/// # Safety
/// The thread is attached. `iterable` is the topmost value of the engine's stack and not used again. `C` is
/// the number of items for `before` and `after`, and the stack has room for them.
#[inline(always)]
unsafe fn unpack<E: Engine, C: Count>(
    e: &mut E,
    iterable: StackRef,
    before: usize,
    after: core::ffi::c_int,
) -> Op<SettledMany<C>> {
    // SAFETY: the iterable is owned here after it has left the stack, and there is room for the items below
    // `top` (caller).
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

/// Unpacks a tuple of two items.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_tuple` has run before.
#[inline(always)]
pub(crate) unsafe fn unpack_sequence_two_tuple<E: Engine>(
    e: &mut E,
    [sequence]: [StackRef; 1],
) -> Op<Settled<2>> {
    // SAFETY: a guard has checked that the input is a tuple, which keeps its items alive until they are
    // referenced from the stack.
    unsafe {
        let tuple = sequence.object();
        guard(tuple_size(tuple) == 2)?;
        let first = StackRef::new(tuple_item(tuple, 0));
        let second = StackRef::new(tuple_item(tuple, 1));
        e.settle([sequence], [second, first])
    }
}

/// Unpacks a tuple of `oparg` items.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_tuple` has run before.
#[inline(always)]
pub(crate) unsafe fn unpack_sequence_tuple<E: Engine>(
    e: &mut E,
    [sequence]: [StackRef; 1],
) -> Op<SettledMany<Oparg>> {
    // SAFETY: a guard has checked that the input is a tuple, which keeps its items alive until they are
    // referenced from the stack.
    unsafe {
        let tuple = sequence.object();
        guard(tuple_size(tuple) == e.oparg())?;
        let top = place_items(tuple_items(tuple), e.oparg(), e.sp().sub(1));
        e.close_at(sequence, top);
        Ok(SettledMany::up_to(top))
    }
}

/// Unpacks a list of `oparg` items.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_tos_list` has run before.
#[inline(always)]
pub(crate) unsafe fn unpack_sequence_list<E: Engine>(
    e: &mut E,
    [sequence]: [StackRef; 1],
) -> Op<SettledMany<Oparg>> {
    // SAFETY: a guard has checked that the input is a list. It keeps its items alive while it is locked.
    unsafe {
        let list = sequence.object();
        guard(lock::try_lock(list))?;
        if size(list) as usize != e.oparg() {
            lock::unlock(list);
            return Err(Exit::Deopt);
        }
        let top = place_items(list_items(list), e.oparg(), e.sp().sub(1));
        lock::unlock(list);
        e.close_at(sequence, top);
        Ok(SettledMany::up_to(top))
    }
}

/// Stores `count` items from `slot` on, the first one topmost. Returns the end of them on the stack.
///
/// # Safety
/// `items` points to `count` live objects, and there is room for as many values from `slot` on.
#[inline(always)]
unsafe fn place_items(items: *mut *mut PyObject, count: usize, slot: *mut StackRef) -> *mut StackRef {
    // SAFETY: there are `count` live objects, and there is room for them (caller).
    unsafe {
        let mut top = slot;
        for index in (0..count).rev() {
            *top = StackRef::new(*items.add(index));
            top = top.add(1);
        }
        top
    }
}

// --- patterns ----------------------------------------------------------------------------------

/// Pushes a bool: whether pattern matching treats the topmost value as a mapping.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn match_mapping<E: Engine>(
    _e: &mut E,
    Kept([subject]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the subject is live.
    unsafe { Ok([StackRef::bool(has_feature(subject.object(), ffi::Py_TPFLAGS_MAPPING))]) }
}

/// Pushes a bool: whether pattern matching treats the topmost value as a sequence.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn match_sequence<E: Engine>(
    _e: &mut E,
    Kept([subject]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the subject is live.
    unsafe { Ok([StackRef::bool(has_feature(subject.object(), ffi::Py_TPFLAGS_SEQUENCE))]) }
}

/// Pushes a tuple of the values of a mapping for a tuple of keys, or None if a key is missing.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn match_keys<E: Engine>(
    e: &mut E,
    Kept([subject, keys]): Kept<[StackRef; 2]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the two topmost values are the subject and a tuple of keys. They stay on the published stack.
    unsafe {
        e.publish();
        let values = matching::match_keys(subject.object(), keys.object());
        values.map_or(Err(Exit::ErrorNoPop), |values| Ok([StackRef::steal(values.into_ptr())]))
    }
}

/// Pushes a tuple of the attributes for a class pattern, or None if the subject does not match.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn match_class<E: Engine>(
    e: &mut E,
    [subject, class, names]: [StackRef; 3],
) -> Op<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op, and on the published stack during the match.
    // `names` is a tuple.
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

/// Unpacks `iterable` into the slots below `top`, the first item topmost: exactly `before` items if `after`
/// is -1, otherwise `before` items, a list, and `after` items. On failure an exception is set and the slots
/// hold no references.
///
/// # Safety
/// The thread is attached, `tstate` is its state, its frame is published, and `iterable` is live. There is
/// room for the items below `top`, above the published stack.
pub(crate) unsafe fn unpack_iterable(
    tstate: ThreadState,
    iterable: *mut PyObject,
    before: c_int,
    after: c_int,
    top: *mut StackRef,
) -> PyResult<()> {
    // SAFETY: the iterable is live, and there is room for the items (caller).
    unsafe {
        if after == -1 && take_stored(iterable, before as usize, top) {
            return Ok(());
        }
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

/// If `iterable` is a tuple or a list of `count` items, stores them below `top`, the first one topmost. Returns whether
/// it is. Places that meet tuples and lists in turn come here for one of them each time.
///
/// # Safety
/// The thread is attached, and `iterable` is live. There is room for `count` values below `top`.
unsafe fn take_stored(iterable: *mut PyObject, count: usize, top: *mut StackRef) -> bool {
    // SAFETY: a tuple keeps its items alive, a list while it is locked. There is room for them (caller).
    unsafe {
        let slot = top.sub(count);
        if is_exact(iterable, &raw mut ffi::PyTuple_Type) {
            let fits = tuple_size(iterable) == count;
            if fits {
                place_items(tuple_items(iterable), count, slot);
            }
            fits
        } else if is_exact(iterable, &raw mut ffi::PyList_Type) && lock::try_lock(iterable) {
            let fits = size(iterable) as usize == count;
            if fits {
                place_items(list_items(iterable), count, slot);
            }
            lock::unlock(iterable);
            fits
        } else {
            false
        }
    }
}

/// Values that are stored on a stack from the top down. Dropping this releases them, the last one first.
struct Values {
    /// The slot of the value that was stored last.
    top: *mut StackRef,
    count: usize,
}

impl Values {
    /// Stores one more value.
    ///
    /// # Safety
    /// There is room for it below `top`.
    unsafe fn push(&mut self, value: Owned) {
        // SAFETY: there is room for the value (caller), and the slot takes over the reference.
        unsafe {
            self.top = self.top.sub(1);
            *self.top = StackRef::steal(value.into_ptr());
        }
        self.count += 1;
    }

    /// Leaves the values on the stack.
    fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        for _ in 0..self.count {
            // SAFETY: `count` live values start at `top`, and each is released once. A thread that unpacks is
            // attached.
            unsafe {
                (*self.top).close();
                self.top = self.top.add(1);
            }
        }
    }
}

/// `iter(iterable)`, with an error message about unpacking.
///
/// # Safety
/// The thread is attached, `tstate` is its state, its frame is published, and `iterable` is live.
unsafe fn iterator(tstate: ThreadState, iterable: *mut PyObject) -> PyResult {
    // SAFETY: the object is live, and so are its type and the name of the type (caller).
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

/// `next(iterator)`. Returns `None` at the end.
///
/// # Safety
/// The thread is attached, and its frame is published.
unsafe fn next(iterator: &Owned) -> PyResult<Option<Owned>> {
    // SAFETY: the iterator is owned, and the thread is attached (caller).
    unsafe {
        match Owned::optional(ffi::PyIter_Next(iterator.as_ptr())) {
            None if exception_is_set() => Err(Raised),
            item => Ok(item),
        }
    }
}

/// Takes the items for a target list without a star: exactly `expected`.
///
/// # Safety
/// The thread is attached, its frame is published, `iterable` is live, and `values` has room for `expected`
/// items.
unsafe fn take_all(
    iterable: *mut PyObject,
    iterator: &Owned,
    expected: c_int,
    values: &mut Values,
) -> PyResult<()> {
    // SAFETY: the iterable is live, and there is room for the items (caller).
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

/// Takes the items for a target list with a star: `before`, a list, `after`.
///
/// # Safety
/// The thread is attached, its frame is published, and `values` has room for all items and the list.
unsafe fn take_some(iterator: &Owned, before: c_int, after: c_int, values: &mut Values) -> PyResult<()> {
    // SAFETY: there is room for the items (caller). No other code has access to the new list. Its last
    // `after` items move to the stack, and the list is shortened by them.
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

/// Sets ValueError for an iterable with more items than expected. The message contains their number if that
/// is available without iterating.
///
/// # Safety
/// The thread is attached, and `iterable` is live.
#[cold]
unsafe fn too_many(iterable: *mut PyObject, expected: c_int) -> Raised {
    // SAFETY: the object is live (caller), and has the type that was checked.
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
        // The container may have shrunk in the meantime.
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
