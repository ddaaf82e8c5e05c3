//! Functions that machine code calls, beside micro-ops.

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use super::values::INT_WIDTH;
use super::{quiet, reserve};
use crate::calls::frames;
use crate::host::dict::{Dict, InlineValues};
use crate::host::dict_lookup::Lookup;
use crate::host::items::Items;
use crate::host::object::{is_exact, length_without_code, list_append, type_of};
use crate::host::pairs::{Item, Pairs, Plain};
use crate::host::slot::Slot;
use crate::host::{Frame, PyObject, StackRef, ThreadState, ffi, numbers, refcount, small_int, without_code};
use crate::ops::calls::known_instance_of;
use crate::ops::consumers;
use crate::ops::subscripts;
use crate::ops::trampolines;
use crate::tier2::uop::OperandKind;

/// Makes a float.
///
/// # Safety
/// The thread is attached to the main interpreter, no exception is set, and `tstate` is its state.
pub(super) unsafe extern "C" fn new_float(tstate: ThreadState, value: f64) -> StackRef {
    // SAFETY: the thread is attached (caller).
    unsafe {
        let float = numbers::new_float(tstate, value);
        StackRef::steal(if float.is_null() { reserve::float(tstate, value) } else { float })
    }
}

/// Makes an int.
///
/// # Safety
/// As for [`new_float`].
pub(super) unsafe extern "C" fn new_int(tstate: ThreadState, value: i64) -> StackRef {
    // SAFETY: the thread is attached (caller).
    unsafe {
        if let Some(int) = small_int(value as isize) {
            return StackRef::immortal(int);
        }
        let int = numbers::int(tstate, value as isize);
        // Reading the flags of an object that has just been made waits for the store of its count.
        StackRef::steal_mortal(if int.is_null() { reserve::int(tstate, value) } else { int })
    }
}

/// Makes a tuple of so many items, at most [`MAX_ITEMS`][super::values::MAX_ITEMS]. The caller stores them at once: they are null.
///
/// # Safety
/// As for [`new_float`].
pub(super) unsafe extern "C" fn new_tuple(tstate: ThreadState, size: usize) -> StackRef {
    // SAFETY: the thread is attached (caller). Nothing looks at the tuple before the caller has stored the items.
    unsafe {
        let tuple = ffi::PyTuple_New(size as isize);
        StackRef::steal(if tuple.is_null() { reserve::tuple(tstate, size) } else { tuple })
    }
}

/// Takes a new reference to an object: debug hosts count more than the object's own.
///
/// # Safety
/// The thread is attached, and the object live.
pub(super) unsafe extern "C" fn new_reference(object: *mut PyObject) {
    // SAFETY: the contract is the same.
    unsafe { refcount::incref(object) }
}

/// Takes away a reference, likewise. Returns 0 if it was the last one. The object has to be destroyed then.
///
/// # Safety
/// The thread is attached. The object is live and mortal, and the caller owns the reference.
pub(super) unsafe extern "C" fn decrement(object: *mut PyObject) -> u32 {
    // SAFETY: the contract is the same. The machine code destroys the object.
    unsafe { (!refcount::decrement(object)).into() }
}

/// Destroys an object whose count is 0, and whose end runs no Python code.
///
/// # Safety
/// The thread is attached, and `_tstate` is its state. Nothing refers to the object.
pub(super) unsafe extern "C" fn release(_tstate: ThreadState, object: *mut PyObject) {
    // SAFETY: the contract is the same.
    unsafe { refcount::release(object) }
}

/// Destroys a float whose count is 0.
///
/// # Safety
/// As for [`release`].
pub(super) unsafe extern "C" fn free_float(tstate: ThreadState, float: *mut PyObject) {
    // SAFETY: nothing refers to the float (caller).
    unsafe {
        if !numbers::free_float(tstate, float) {
            refcount::release(float);
        }
    }
}

/// Destroys an int whose count is 0.
///
/// # Safety
/// As for [`release`].
pub(super) unsafe extern "C" fn free_int(tstate: ThreadState, int: *mut PyObject) {
    // SAFETY: nothing refers to the int (caller).
    unsafe {
        if !numbers::free_int(tstate, int) {
            refcount::release(int);
        }
    }
}

/// Destroys an object whose count is 0, if it refers to no others, and nothing is notified of its end. Returns 0 otherwise.
///
/// # Safety
/// As for [`release`].
pub(super) unsafe extern "C" fn end_plain(tstate: ThreadState, object: *mut PyObject) -> usize {
    // SAFETY: nothing refers to the object (caller), and it is of the type that each branch expects.
    unsafe {
        if is_exact(object, &raw mut ffi::PyLong_Type) {
            free_int(tstate, object);
        } else if is_exact(object, &raw mut ffi::PyFloat_Type) {
            free_float(tstate, object);
        } else if quiet::is_plain(object) {
            refcount::release(object);
        } else {
            return 0;
        }
    }
    1
}

/// Releases the reference of a variable to a number, which is in a register from now on.
///
/// # Safety
/// The thread is attached, and `_tstate` is its state. The variable is not used any more.
pub(super) unsafe extern "C" fn drop_number(_tstate: ThreadState, number: StackRef) {
    // SAFETY: the variable has owned the reference (caller).
    unsafe { number.close() }
}

/// Leaves `frame`, whose result is taken. Returns the frame below, which is current now.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is its current frame, published, and another one that executes
/// code is below it.
pub(super) unsafe extern "C" fn leave_frame(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: there is a frame below (caller). The frame is not linked any more when its contents are released.
    unsafe {
        let caller = frame.caller();
        tstate.leave_python_call();
        tstate.set_current_frame(Some(caller));
        frames::clear_and_pop(tstate, frame);
        tstate.current_frame().unwrap_unchecked()
    }
}

/// Leaves the trampoline of an operator, whose result is taken. Returns the frame below, which is current now.
///
/// # Safety
/// As for [`leave_frame`].
pub(super) unsafe extern "C" fn leave_trampoline(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: the trampoline is current, and has the operands of a BINARY_OP (caller).
    unsafe { leave_trampoline_with::<{ trampolines::OPERATOR }>(tstate, frame) }
}

/// The same for the trampoline of a STORE_SUBSCR.
///
/// # Safety
/// As for [`leave_frame`].
pub(super) unsafe extern "C" fn leave_store_trampoline(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: the trampoline is current, and has the operands of a STORE_SUBSCR (caller).
    unsafe { leave_trampoline_with::<{ trampolines::STORE }>(tstate, frame) }
}

/// The same for the loop of a consumer.
///
/// # Safety
/// As for [`leave_frame`].
pub(super) unsafe extern "C" fn leave_consumer(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: the frame is current, with everything but the result on its stack (caller).
    unsafe { leave_trampoline_with::<{ consumers::RETURNED - 1 }>(tstate, frame) }
}

/// The same where nothing is left on its stack.
///
/// # Safety
/// As for [`leave_frame`].
pub(super) unsafe extern "C" fn leave_empty_consumer(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: the frame is current (caller).
    unsafe { leave_trampoline_with::<0>(tstate, frame) }
}

/// # Safety
/// As for [`leave_frame`]; the frame is a trampoline with N operands.
unsafe fn leave_trampoline_with<const N: usize>(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: the trampoline is not linked any more when the operands are released.
    unsafe {
        let (mut operands, caller) = trampolines::take_off::<N>(tstate, frame);
        if N == trampolines::STORE {
            operands.reverse();
        }
        for operand in operands {
            operand.close();
        }
        caller
    }
}

/// Records that an attribute of `object` was stored for the first time.
///
/// # Safety
/// `object` is live, and `slot` is one of its inline values.
pub(super) unsafe extern "C" fn append_to_order(object: *mut PyObject, slot: *mut *mut PyObject) {
    // SAFETY: the slot is one of the values (caller).
    unsafe { InlineValues::of(object).append_to_order(Slot::at(slot)) }
}

/// Appends an item to a list that is full. Takes over the reference to the item. Returns 0, or 1 with an exception.
///
/// # Safety
/// The thread is attached. The list is live, and the caller owns the item.
pub(super) unsafe extern "C" fn append_slowly(list: *mut PyObject, item: *mut PyObject) -> usize {
    // SAFETY: the contract is the same.
    unsafe { list_append(list, item) }.is_err().into()
}

/// A new instance of a class, or null without memory. No exception is set.
///
/// # Safety
/// The thread is attached. The class is live, and its instances are made without code of its own.
pub(super) unsafe extern "C" fn new_instance(class: *mut ffi::PyTypeObject) -> *mut PyObject {
    // SAFETY: the class is live (caller). With a GIL, no Python code runs: the collector is only requested.
    unsafe {
        let instance = ffi::PyType_GenericAlloc(class, 0);
        if instance.is_null() {
            ffi::PyErr_Clear();
        }
        instance
    }
}

/// A new iterator over the numbers from `start` up to `end`, or null without memory. No exception is set.
///
/// # Safety
/// The thread is attached. Both are less than 2 to the power of 62.
pub(super) unsafe extern "C" fn new_range_iterator(start: i64, end: i64) -> *mut PyObject {
    // SAFETY: the thread is attached (caller). All fields are set before the object is used.
    unsafe {
        let iterator = ffi::_PyObject_New(&raw mut ffi::PyRangeIter_Type).cast::<ffi::_PyRangeIterObject>();
        if iterator.is_null() {
            ffi::PyErr_Clear();
            return core::ptr::null_mut();
        }
        (*iterator).start = start;
        (*iterator).step = 1;
        (*iterator).len = (end - start).max(0);
        iterator.cast()
    }
}

/// The length of an object, or -1 if it is not known without Python code. No exception is set.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is live.
pub(super) unsafe extern "C" fn length(object: *mut PyObject) -> isize {
    // SAFETY: the contract is the same.
    unsafe { length_without_code(object) }.unwrap_or(-1)
}

/// The character that a string consists of, as a number, or -1 if it has not one character.
///
/// # Safety
/// The thread is attached, and the object is live, and exactly a string.
pub(super) unsafe extern "C" fn character(string: *mut PyObject) -> i64 {
    // SAFETY: the object is a string (caller), with a character at index 0 if there is one.
    unsafe {
        if ffi::PyUnicode_GetLength(string) == 1 { i64::from(ffi::PyUnicode_ReadChar(string, 0)) } else { -1 }
    }
}

/// The string of one character, a new stack reference, or 0: there is no such character, or no memory. No exception is set.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub(super) unsafe extern "C" fn string_of_character(character: i64) -> usize {
    let Some(character) =
        i32::try_from(character).ok().filter(|number| (0..=LAST_CHARACTER).contains(number))
    else {
        return 0;
    };
    // SAFETY: the thread is attached (caller). The strings of some characters are immortal.
    unsafe {
        let string = ffi::PyUnicode_FromOrdinal(character);
        if string.is_null() {
            ffi::PyErr_Clear();
            return 0;
        }
        StackRef::steal(string).raw().bits
    }
}

/// The largest number of a character.
const LAST_CHARACTER: i32 = char::MAX as i32;

/// `key in container`: 1, 0, or -1 if only the host can tell.
///
/// # Safety
/// The thread is attached, no exception is set, and both are live.
pub(super) unsafe extern "C" fn contains(container: *mut PyObject, key: *mut PyObject) -> isize {
    // SAFETY: the contract is the same.
    unsafe { without_code::contains(container, key) }.map_or(-1, isize::from)
}

/// `left == right`, likewise.
///
/// # Safety
/// As for [`contains`].
pub(super) unsafe extern "C" fn are_equal(left: *mut PyObject, right: *mut PyObject) -> isize {
    // SAFETY: the contract is the same.
    unsafe { without_code::are_equal(left, right) }.map_or(-1, isize::from)
}

/// `bool(value)`, likewise.
///
/// # Safety
/// As for [`contains`].
pub(super) unsafe extern "C" fn truth(value: *mut PyObject) -> isize {
    // SAFETY: the contract is the same.
    unsafe { without_code::truth(value) }.map_or(-1, isize::from)
}

/// `dict[key]`, borrowed, or null if there is no such key, or only the host can tell.
///
/// # Safety
/// As for [`contains`], with a dict.
pub(super) unsafe extern "C" fn dict_item(dict: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: the contract is the same.
    match unsafe { without_code::find(Dict::from_object(dict), key) } {
        // SAFETY: the slot is in the dict, which does not change meanwhile.
        Lookup::Found(value) => unsafe { value.borrow() },
        Lookup::Absent | Lookup::Unknown => core::ptr::null_mut(),
    }
}

/// `container[key]`, borrowed, or null if only the host can tell.
///
/// # Safety
/// As for [`contains`].
pub(super) unsafe extern "C" fn item(container: *mut PyObject, key: *mut PyObject) -> *mut PyObject {
    // SAFETY: the contract is the same.
    unsafe {
        match Dict::cast(container) {
            Some(dict) => dict_item(dict.object(), key),
            None => subscripts::borrowed_item(container, key).unwrap_or(core::ptr::null_mut()),
        }
    }
}

/// The same of a sequence with an index, which may be negative.
///
/// # Safety
/// As for [`contains`].
pub(super) unsafe extern "C" fn item_at(container: *mut PyObject, index: i64) -> *mut PyObject {
    // SAFETY: the contract is the same.
    unsafe { subscripts::item_at(container, index as isize) }.unwrap_or(core::ptr::null_mut())
}

/// `dict.get(key, default)`, borrowed, or null if only the host can tell.
///
/// # Safety
/// As for [`dict_item`].
pub(super) unsafe extern "C" fn dict_get(
    dict: *mut PyObject,
    key: *mut PyObject,
    default: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the contract is the same.
    match unsafe { without_code::find(Dict::from_object(dict), key) } {
        // SAFETY: the slot is in the dict, which does not change meanwhile.
        Lookup::Found(value) => unsafe { value.borrow() },
        Lookup::Absent => default,
        Lookup::Unknown => core::ptr::null_mut(),
    }
}

/// The address of a function for the next pair of an iterator, and of a place for results: [`next_pair`].
pub(super) fn next_pair_of(pairs: Pairs) -> usize {
    /// The function for these pairs.
    macro_rules! of {
        ($($pairs:pat => $constant:expr),* $(,)?) => {
            match pairs {
                $($pairs => next_pair::<{ $constant.to_operand() }> as *const () as usize,)*
            }
        };
    }
    use Pairs::{DictItems, Enumerate, Zip};
    use Plain::{List, Range, Tuple};
    of! {
        DictItems => DictItems,
        Enumerate(List) => Enumerate(List),
        Enumerate(Tuple) => Enumerate(Tuple),
        Enumerate(Range) => Enumerate(Range),
        Zip(List, List) => Zip(List, List),
        Zip(List, Tuple) => Zip(List, Tuple),
        Zip(List, Range) => Zip(List, Range),
        Zip(Tuple, List) => Zip(Tuple, List),
        Zip(Tuple, Tuple) => Zip(Tuple, Tuple),
        Zip(Tuple, Range) => Zip(Tuple, Range),
        Zip(Range, List) => Zip(Range, List),
        Zip(Range, Tuple) => Zip(Range, Tuple),
        Zip(Range, Range) => Zip(Range, Range),
    }
}

/// What [`next_pair`] and [`next_item`] return if they are for others.
pub(super) const OTHER_ITERATOR: i64 = 2;
const _: () = assert!(OTHER_ITERATOR < align_of::<PyObject>() as i64);

/// The next pair of an iterator: stores its two items, ints as they are, and two references to be released, or 0. Returns 1; or, if
/// nothing has changed, [`OTHER_ITERATOR`], or 0 if only the host can tell.
///
/// # Safety
/// The thread is attached, no exception is set, and the iterator is live. [`Pairs::of`] has found these pairs for some iterator.
unsafe extern "C" fn next_pair<const PAIRS: u64>(
    iterator: *mut PyObject,
    results: &mut [MaybeUninit<u64>; 4],
) -> i64 {
    let Some(pairs) = (const { Pairs::from_operand(PAIRS) }) else { return OTHER_ITERATOR };
    // SAFETY: the contract is the same.
    let next = unsafe { pairs.next(iterator) };
    let Some(next) = next else {
        // SAFETY: the iterator is live (caller).
        let is_other = unsafe { Pairs::of(iterator) } != Some(pairs);
        return if is_other { OTHER_ITERATOR } else { 0 };
    };
    let word = |item| match item {
        Item::Object(object) => object.addr().get() as u64,
        Item::Int(int) => int as u64,
    };
    let reference = |object: Option<NonNull<PyObject>>| object.map_or(0, |object| object.addr().get() as u64);
    results[0].write(word(next.items[0]));
    results[1].write(word(next.items[1]));
    results[2].write(reference(next.replaced[0]));
    results[3].write(reference(next.replaced[1]));
    1
}

/// The address of a function for the next item of an iterator: [`next_item`].
pub(super) fn next_item_of(items: Items) -> usize {
    const SET: u8 = Items::Set as u8;
    const DICT_KEYS: u8 = Items::DictKeys as u8;
    const DICT_VALUES: u8 = Items::DictValues as u8;
    let function = match items {
        Items::Set => next_item::<SET>,
        Items::DictKeys => next_item::<DICT_KEYS>,
        Items::DictValues => next_item::<DICT_VALUES>,
    };
    function as *const () as usize
}

/// The next item of an iterator, borrowed. If nothing has changed, [`OTHER_ITERATOR`], or 0 if only the host can tell.
///
/// # Safety
/// The thread is attached, no exception is set, and the iterator is live. A recording has met one over these items.
unsafe extern "C" fn next_item<const ITEMS: u8>(iterator: *mut PyObject) -> usize {
    let other = OTHER_ITERATOR as usize;
    let Some(items) = (const { Items::from_number(ITEMS) }) else { return other };
    // SAFETY: the contract is the same, and the iterator of the type that is asked for its next item.
    unsafe {
        if !items.is(iterator) {
            return other;
        }
        items.next(iterator).map_or(0, |item| item.addr().get())
    }
}

/// Whether `container[start:stop]` needs no code: 1, or 0.
///
/// # Safety
/// All objects are live.
pub(super) unsafe extern "C" fn can_slice(
    container: *mut PyObject,
    start: *mut PyObject,
    stop: *mut PyObject,
) -> usize {
    // SAFETY: the contract is the same.
    unsafe { without_code::can_slice(container, start, stop) }.into()
}

/// Whether the limits of a slice are numbers, or missing: 1, or 0.
///
/// # Safety
/// The slice is live.
pub(super) unsafe extern "C" fn has_plain_limits(slice: *mut PyObject) -> usize {
    // SAFETY: the contract is the same.
    unsafe { without_code::has_plain_limits(slice) }.into()
}

/// Whether `left + right` makes a new sequence of the items of both: 1, or 0.
///
/// # Safety
/// Both are live.
pub(super) unsafe extern "C" fn can_concatenate(left: *mut PyObject, right: *mut PyObject) -> usize {
    // SAFETY: the contract is the same.
    unsafe { without_code::can_concatenate(left, right) }.into()
}

/// Whether objects of a type are instances of `class`: 1, 0, or -1 if only the host can tell.
///
/// # Safety
/// The thread is attached, and both are live.
pub(super) unsafe extern "C" fn is_instance(type_: *mut ffi::PyTypeObject, class: *mut PyObject) -> isize {
    // SAFETY: the contract is the same.
    unsafe { known_instance_of(type_, class) }.map_or(-1, isize::from)
}

/// Whether both are of types whose operators run no Python code: 1, or 0.
///
/// # Safety
/// Both objects are live.
pub(super) unsafe extern "C" fn are_simple_operands(left: *mut PyObject, right: *mut PyObject) -> usize {
    // SAFETY: both are live (caller).
    let is_simple = |object| unsafe { OperandKind::of(object) }.is_simple();
    (is_simple(left) && is_simple(right)).into()
}

/// A new iterator over an object whose type inherits that of `type_`, or null: it has another one, or there is no memory. No
/// exception is set.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is live. The iterators of the type are made without Python code.
pub(super) unsafe extern "C" fn new_iterator_like(
    object: *mut PyObject,
    type_: *mut ffi::PyTypeObject,
) -> *mut PyObject {
    // SAFETY: the object is live (caller), and of a type that the function is for.
    unsafe {
        let Some(function) = (*type_).tp_iter else { return core::ptr::null_mut() };
        let own = (*type_of(object)).tp_iter;
        if own.map(|own| own as usize) != Some(function as usize) {
            return core::ptr::null_mut();
        }
        let iterator = function(object);
        if iterator.is_null() {
            ffi::PyErr_Clear();
        }
        iterator
    }
}

/// A new iterator over a set, a dict or a view of one, or null: it is something else, or there is no memory. No exception is set.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is live.
pub(super) unsafe extern "C" fn new_iterator_over_items(object: *mut PyObject) -> *mut PyObject {
    let types = [
        &raw mut ffi::PySet_Type,
        &raw mut ffi::PyDict_Type,
        &raw mut ffi::PyDictKeys_Type,
        &raw mut ffi::PyDictValues_Type,
        &raw mut ffi::PyDictItems_Type,
    ];
    // SAFETY: the object is live (caller). Iterators of these types are made without Python code.
    let mut made = types.into_iter().map(|type_| unsafe { new_iterator_like(object, type_) });
    made.find(|iterator| !iterator.is_null()).unwrap_or(core::ptr::null_mut())
}

/// What [`int_value`] returns if the int is too large.
pub(super) const NO_INT: i64 = i64::MIN;

/// The value of an int whose absolute value is less than 2 to the power of [`INT_WIDTH`], or [`NO_INT`].
///
/// # Safety
/// The thread is attached, no exception is set, and the int is live.
pub(super) unsafe extern "C" fn int_value(int: *mut PyObject) -> i64 {
    let mut overflow = 0;
    // SAFETY: the object is an int (caller), so the function runs no code and sets no exception.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(int, &raw mut overflow) };
    if overflow == 0 && value.unsigned_abs() < 1 << INT_WIDTH { value } else { NO_INT }
}
