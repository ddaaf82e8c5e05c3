//! Arrays of the module `array`. The host's headers do not declare their layout: it is found out from arrays of the program.

use core::ffi::{CStr, c_int};
use core::mem::zeroed;

use once_cell::race::OnceBox;

use super::ffi::{self, PyObject};
use super::object::{type_flags, type_of};
use super::owned::Owned;

/// What an array has of its layout, and the functions of arrays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Layout {
    /// Where the address of the items is in an array.
    pub(crate) items: usize,
    /// Where the address of the description of its items is.
    pub(crate) description: usize,
    /// The slots for `array[key]` and `array[key] = value`. Subclasses with methods of their own have others.
    pub(crate) subscript: usize,
    pub(crate) assign: usize,
}

/// The layout that all arrays of the process have.
static LAYOUT: OnceBox<Layout> = OnceBox::new();

/// The items of an array. Others are left to the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Items {
    Double,
    Float,
    Signed8,
    Unsigned8,
    Signed16,
    Unsigned16,
    Signed32,
    Unsigned32,
    Signed64,
}

impl Items {
    #[cfg(any(feature = "jit", test))]
    const ALL: [Items; 9] = [
        Items::Double,
        Items::Float,
        Items::Signed8,
        Items::Unsigned8,
        Items::Signed16,
        Items::Unsigned16,
        Items::Signed32,
        Items::Unsigned32,
        Items::Signed64,
    ];

    /// The items with this code in the format of a buffer, and this size.
    fn of(format: &[u8], size: isize) -> Option<Items> {
        let &[code] = format else { return None };
        Some(match (code, size) {
            (b'd', 8) => Items::Double,
            (b'f', 4) => Items::Float,
            (b'b', 1) => Items::Signed8,
            (b'B', 1) => Items::Unsigned8,
            (b'h', 2) => Items::Signed16,
            (b'H', 2) => Items::Unsigned16,
            (b'i' | b'l', 4) => Items::Signed32,
            (b'I' | b'L', 4) => Items::Unsigned32,
            (b'i' | b'l' | b'q', 8) => Items::Signed64,
            _ => return None,
        })
    }

    /// From the number that `as` makes of it.
    #[cfg(any(feature = "jit", test))]
    pub(crate) fn from_number(number: u64) -> Option<Items> {
        Items::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

impl Layout {
    /// The layout, if an array has been seen.
    pub(crate) fn get() -> Option<Layout> {
        LAYOUT.get().copied()
    }

    /// Whether the object is an array with the host's functions for items.
    ///
    /// # Safety
    /// The object is live.
    #[inline(always)]
    pub(crate) unsafe fn fits(self, object: *mut PyObject) -> bool {
        // SAFETY: the object is live (caller), and so is its type.
        unsafe { subscript_and_assign(object) == Some((self.subscript, self.assign)) }
    }

    /// The address of the description of an array's items.
    ///
    /// # Safety
    /// The object is an array.
    #[inline(always)]
    pub(crate) unsafe fn description_of(self, array: *mut PyObject) -> usize {
        // SAFETY: the word is a field of arrays (caller).
        unsafe { word(array, self.description) }
    }
}

/// The slots of the object's type that do the work of `object[key]` and `object[key] = value`, if it has both.
///
/// # Safety
/// The object is live.
#[inline(always)]
unsafe fn subscript_and_assign(object: *mut PyObject) -> Option<(usize, usize)> {
    // SAFETY: the object is live (caller), and so are its type and the tables of that.
    unsafe {
        let slots = (*type_of(object)).tp_as_mapping.as_ref()?;
        Some((slots.mp_subscript? as usize, slots.mp_ass_subscript? as usize))
    }
}

/// The description of the items of an array, as an address, and what they are. `None` for other objects, and for items that are
/// left to the host.
///
/// # Safety
/// The thread is attached with no exception set, and the object is live.
pub(crate) unsafe fn items_of(object: *mut PyObject) -> Option<(usize, Items)> {
    // SAFETY: the object is live (caller). A buffer of an array is a block of its items.
    unsafe {
        if !is_array(object) {
            return None;
        }
        let mut view: ffi::Py_buffer = zeroed();
        if ffi::PyObject_GetBuffer(object, &raw mut view, ffi::PyBUF_FORMAT as c_int) != 0 {
            ffi::PyErr_Clear();
            return None;
        }
        let format = if view.format.is_null() { c"" } else { CStr::from_ptr(view.format) };
        let (address, items) = (view.buf.addr(), Items::of(format.to_bytes(), view.itemsize));
        let is_empty = view.len == 0;
        ffi::PyBuffer_Release(&raw mut view);
        let layout = match Layout::get() {
            Some(layout) => layout,
            None if is_empty => return None,
            None => {
                let layout = find_layout(object, address)?;
                *LAYOUT.get_or_init(|| Box::new(layout))
            }
        };
        // Empty arrays may have items anywhere.
        let is_as_expected = is_empty || word(object, layout.items) == address;
        (layout.fits(object) && is_as_expected).then_some((layout.description_of(object), items?))
    }
}

/// Whether the object is an `array.array`, or an instance of a subclass.
///
/// # Safety
/// The object is live.
unsafe fn is_array(object: *mut PyObject) -> bool {
    // SAFETY: a type keeps its bases alive (caller). Its name is a C string.
    unsafe {
        let mut type_ = type_of(object);
        while !type_.is_null() && type_flags(type_) & ffi::Py_TPFLAGS_IMMUTABLETYPE == 0 {
            type_ = (*type_).tp_base;
        }
        !type_.is_null() && CStr::from_ptr((*type_).tp_name) == c"array.array"
    }
}

/// Finds the layout of arrays by one whose items are at `address`, and an empty one with the same description. `None` if it is not
/// certain.
///
/// # Safety
/// The thread is attached with no exception set, and the array is live and not empty.
unsafe fn find_layout(array: *mut PyObject, address: usize) -> Option<Layout> {
    // SAFETY: the array is live (caller), and so is the slice of it. Both have at least the fields of their common base.
    unsafe {
        let Some(empty) = Owned::optional(ffi::PySequence_GetSlice(array, 0, 0)) else {
            ffi::PyErr_Clear();
            return None;
        };
        if !is_array(empty.as_ptr()) {
            return None;
        }
        let size = (*type_of(empty.as_ptr())).tp_basicsize as usize;
        let words = || (size_of::<ffi::PyVarObject>()..size).step_by(size_of::<usize>());
        let only = |mut found: Vec<usize>| if found.len() == 1 { found.pop() } else { None };
        let items = only(words().filter(|&at| word(array, at) == address).collect())?;
        let is_shared = |at: usize| word(array, at) != 0 && word(array, at) == word(empty.as_ptr(), at);
        let description = only(words().filter(|&at| is_shared(at)).collect())?;
        let (subscript, assign) = subscript_and_assign(empty.as_ptr())?;
        Some(Layout { items, description, subscript, assign })
    }
}

/// The word at an offset.
///
/// # Safety
/// The object is live, and has a word there.
#[inline(always)]
unsafe fn word(object: *mut PyObject, offset: usize) -> usize {
    // SAFETY: the object has a word there (caller).
    unsafe { object.byte_add(offset).cast::<usize>().read() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_known_by_code_and_size() {
        assert_eq!(Items::of(b"d", 8), Some(Items::Double));
        assert_eq!(Items::of(b"l", 8), Some(Items::Signed64));
        assert_eq!(Items::of(b"l", 4), Some(Items::Signed32));
        assert_eq!(Items::of(b"Q", 8), None);
        assert_eq!(Items::of(b"w", 4), None);
        assert_eq!(Items::of(b"", 1), None);
    }

    #[test]
    fn items_have_numbers() {
        for items in Items::ALL {
            assert_eq!(Items::from_number(items as u64), Some(items));
        }
        assert_eq!(Items::from_number(Items::ALL.len() as u64), None);
    }
}
