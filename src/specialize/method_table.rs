//! The table of [`super::special_methods`]: which function does the work of an instruction, by the versions of types.

use core::ptr::null_mut;

use crate::bytecode::opcode;
use crate::host::function::Function;
use crate::host::{FunctionVersion, PyObject};

/// A Python function that does the work of an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SpecialMethod {
    /// Takes the operands as they are. Borrowed.
    pub(crate) function: Function,
    /// It is the right operand's, which it takes first.
    pub(crate) is_reflected: bool,
    /// If it returns NotImplemented, the method of the right operand is called.
    pub(crate) asks_right: bool,
}

impl SpecialMethod {
    pub(super) fn of_only_operand(function: Function) -> SpecialMethod {
        SpecialMethod { function, is_reflected: false, asks_right: false }
    }
}

/// What an entry is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Key {
    /// The version of the type of the left operand; zero if it has none.
    pub(super) left: u32,
    /// The same for the right operand. If there is one operand only, both are its.
    pub(super) right: u32,
    pub(super) instruction: u8,
}

impl Key {
    /// In the place of an instruction, for all that make iterators.
    pub(super) const ITERATION: u8 = opcode::FOR_ITER;

    /// Whether both types have a version. Unused entries have none.
    #[inline(always)]
    fn is_complete(self) -> bool {
        self.left != 0 && self.right != 0
    }
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Entry {
    key: Key,
    is_reflected: bool,
    asks_right: bool,
    /// How often another key has to come before it gets the entry.
    patience: u8,
    /// The version of the function. Its code changes with it.
    version: u32,
    /// Null if there is none.
    function: *mut PyObject,
}

const ENTRIES: usize = 512;
const PATIENCE: u8 = 3;

/// The entries for iterations. All classes whose instances are iterated over have one, most of them without a method. So they have
/// places of their own.
const ITERATIONS: usize = 128;

/// The table of an interpreter. All of its bytes may be zero.
#[repr(C)]
pub(super) struct Methods([Entry; ENTRIES], [Entry; ITERATIONS]);

impl Methods {
    #[inline(always)]
    fn entry(&mut self, key: Key) -> &mut Entry {
        if key.instruction == Key::ITERATION {
            return &mut self.1[key.left as usize % ITERATIONS];
        }
        let hash = (key.left as usize).wrapping_mul(31)
            ^ (key.right as usize).wrapping_mul(7)
            ^ usize::from(key.instruction) << 4;
        &mut self.0[hash % ENTRIES]
    }

    /// What is known for the key: a method, or that there is none.
    ///
    /// # Safety
    /// The thread is attached, and its interpreter's types have the versions of the key. The decisions in the table were made for
    /// types with the versions of their keys, which keep the functions alive.
    #[inline(always)]
    pub(super) unsafe fn find(&mut self, key: Key) -> Option<Option<SpecialMethod>> {
        let &mut Entry { key: known, is_reflected, asks_right, version, function, .. } = self.entry(key);
        if known != key || !key.is_complete() {
            return None;
        }
        if function.is_null() {
            return Some(None);
        }
        let function = Function::from_object(function);
        // SAFETY: the function is live, since the types have these versions (caller).
        let is_unchanged = unsafe { (*function.as_ptr()).func_version == version };
        is_unchanged.then_some(Some(SpecialMethod { function, is_reflected, asks_right }))
    }

    /// Whether the key may get its entry. Another key that has it loses it if this is asked more often.
    pub(super) fn has_room_for(&mut self, key: Key) -> bool {
        let entry = self.entry(key);
        let is_taken = entry.key != key && entry.patience > 0;
        if is_taken {
            entry.patience -= 1;
        }
        !is_taken
    }

    /// Sets what is known for the key.
    pub(super) fn set(&mut self, key: Key, method: Option<(SpecialMethod, FunctionVersion)>) {
        if !key.is_complete() {
            return;
        }
        let none = Entry {
            key,
            is_reflected: false,
            asks_right: false,
            patience: PATIENCE,
            version: 0,
            function: null_mut(),
        };
        *self.entry(key) = match method {
            Some((SpecialMethod { function, is_reflected, asks_right }, version)) => {
                let (function, version) = (function.object(), version.get());
                Entry { is_reflected, asks_right, version, function, ..none }
            }
            None => none,
        };
    }
}

#[cfg(test)]
mod tests {
    use core::mem::zeroed;

    use super::*;
    use crate::host::ffi;

    const KEY: Key = Key { left: 5, right: 6, instruction: 1 };

    fn table() -> Box<Methods> {
        // SAFETY: memory of zeros is a table.
        unsafe { Box::new(zeroed()) }
    }

    /// A function of this version.
    fn function(version: u32) -> (Function, FunctionVersion) {
        // SAFETY: integers and pointers.
        let function: &mut ffi::PyFunctionObject = Box::leak(Box::new(unsafe { zeroed() }));
        function.func_version = version;
        let object: *mut ffi::PyFunctionObject = function;
        (Function::from_object(object.cast()), FunctionVersion::new(version).expect("a version"))
    }

    #[test]
    fn a_method_is_found_until_the_function_changes() {
        let mut table = table();
        // SAFETY: the functions are live.
        let find = |key, table: &mut Methods| unsafe { table.find(key) };
        assert_eq!(find(KEY, &mut table), None);
        let (function, version) = function(9);
        let method = SpecialMethod { function, is_reflected: true, asks_right: false };
        table.set(KEY, Some((method, version)));
        assert_eq!(find(KEY, &mut table), Some(Some(method)));
        for other in [Key { left: 6, ..KEY }, Key { right: 5, ..KEY }, Key { instruction: 2, ..KEY }] {
            assert_eq!(find(other, &mut table), None);
        }
        // SAFETY: the function is live.
        unsafe { (*function.as_ptr()).func_version = 10 };
        assert_eq!(find(KEY, &mut table), None);
        table.set(KEY, None);
        assert_eq!(find(KEY, &mut table), Some(None));
    }

    #[test]
    fn types_without_versions_have_no_entries() {
        let mut table = table();
        for key in [Key { left: 0, ..KEY }, Key { right: 0, ..KEY }] {
            table.set(key, None);
            // SAFETY: there is no function.
            assert_eq!(unsafe { table.find(key) }, None);
        }
    }

    #[test]
    fn a_key_loses_its_entry_to_one_that_comes_more_often() {
        let mut table = table();
        let place: *const Entry = table.entry(KEY);
        let mut others = (7..).map(|left| Key { left, ..KEY });
        let other = others.find(|&key| core::ptr::eq(table.entry(key), place)).expect("one");
        assert!(table.has_room_for(KEY));
        table.set(KEY, None);
        assert!(table.has_room_for(KEY));
        for _ in 0..PATIENCE {
            assert!(!table.has_room_for(other));
        }
        assert!(table.has_room_for(other));
    }
}
