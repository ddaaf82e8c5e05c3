//! Making copies of a code object's bytecode.

use core::ptr::null_mut;

use super::contents::{self, Shown};
use super::{NoMemory, pool};
use crate::host::copies::Copies;
use crate::host::lock::with_lock;
use crate::host::object::size;
use crate::host::{Code, CodeUnit, PyResult, Raised, ThreadState, ffi};
use crate::instrument::writer;
use crate::specialize::quicken::Counters;

/// Where the memory of copies comes from.
pub(crate) trait Memory {
    /// A block of so many bytes, or null.
    fn allocate(&self, bytes: usize) -> *mut u8;
    /// Frees a block that nobody has seen.
    ///
    /// # Safety
    /// It is from [`Memory::allocate`].
    unsafe fn free(&self, block: *mut u8);
}

/// The host's, which frees copies and arrays with the code object.
struct Host;

impl Memory for Host {
    fn allocate(&self, bytes: usize) -> *mut u8 {
        // SAFETY: the thread is attached whenever copies are made.
        unsafe { ffi::PyMem_Malloc(bytes).cast() }
    }

    unsafe fn free(&self, block: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { ffi::PyMem_Free(block.cast()) }
    }
}

/// A copy that is there now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) copy: CodeUnit,
    pub(crate) is_new: bool,
    /// The array that was too short. Other threads may still be reading it.
    pub(crate) outgrown: Option<Copies>,
}

/// The copy at `index`; if there is none, one that `fill` writes.
///
/// # Safety
/// The code object is live and locked.
pub(crate) unsafe fn find_or_make(
    code: Code,
    index: usize,
    memory: &impl Memory,
    fill: impl FnOnce(&mut [u16]),
) -> Result<Found, NoMemory> {
    // SAFETY: the caller's promise; blocks are as long as what is put into them, and nobody else knows them.
    unsafe {
        let copies = Copies::of(code);
        if let Some(copy) = copies.get(index) {
            return Ok(Found { copy, is_new: false, outgrown: None });
        }
        let units = size(code.object()) as usize;
        let block = memory.allocate(units * size_of::<u16>()).cast::<u16>();
        if block.is_null() {
            return Err(NoMemory);
        }
        block.write_bytes(0, units);
        fill(core::slice::from_raw_parts_mut(block, units));
        let copy = CodeUnit::from_ptr(block.cast());
        if copies.add(index, copy) {
            return Ok(Found { copy, is_new: true, outgrown: None });
        }
        let len = (index + 1).next_power_of_two();
        let array = Copies::bytes(len).map_or(null_mut(), |bytes| memory.allocate(bytes));
        if array.is_null() {
            memory.free(block.cast());
            return Err(NoMemory);
        }
        let longer = Copies::from_shorter(array, len, copies);
        longer.add(index, copy);
        longer.publish(code);
        Ok(Found { copy, is_new: true, outgrown: Some(copies) })
    }
}

/// The instructions of the main copy.
unsafe fn shown(code: Code) -> impl Iterator<Item = Shown> {
    let mut next = 0;
    core::iter::from_fn(move || {
        // SAFETY: the callers' promise: the code object is live and locked; instructions follow each other.
        unsafe {
            (next < size(code.object()) as usize).then(|| {
                let (base, opcode) = writer::shown(code, next);
                let index = next;
                next += base.length;
                Shown { index, base, opcode }
            })
        }
    })
}

/// The calling thread's copy of the bytecode of `code`, which is made if there is none yet. Fails with
/// MemoryError.
///
/// # Safety
/// The thread is attached, and `code` is live.
pub(crate) unsafe fn get_or_make(code: Code) -> PyResult<CodeUnit> {
    // SAFETY: the caller's promise. No thread is waited for while the code object is locked, so the world does
    // not stop in between. Freeing may run Python code, and so comes when all is done.
    unsafe {
        let tstate = ThreadState::current();
        let found = with_lock(code.object(), || {
            // A thread with an index of its own has copies, so they are to be specialized.
            let fill = |units: &mut [u16]| contents::write(units, shown(code), Counters::enabled());
            find_or_make(code, tstate.tlbc_index() as usize, &Host, fill)
        });
        let Ok(found) = found else {
            ffi::PyErr_NoMemory();
            return Err(Raised);
        };
        if found.is_new {
            pool::count_change(&raw mut (*tstate.interp()).tlbc_indices);
        }
        if let Some(array) = found.outgrown {
            ffi::_PyMem_FreeDelayed(array.as_ptr().cast(), Copies::bytes(array.places()).unwrap_or(0));
        }
        Ok(CodeUnit::from_ptr(found.copy.as_ptr()))
    }
}

/// Over the host's structures, in memory of our own.
#[cfg(test)]
mod tests {
    use std::alloc::{Layout, alloc, dealloc};
    use std::cell::{Cell, RefCell};

    use super::*;

    /// Memory that counts, and that can run out.
    struct Counted {
        left: Cell<usize>,
        blocks: RefCell<Vec<(*mut u8, Layout)>>,
    }

    impl Counted {
        fn new(left: usize) -> Counted {
            Counted { left: Cell::new(left), blocks: RefCell::default() }
        }

        fn blocks(&self) -> usize {
            self.blocks.borrow().len()
        }
    }

    impl Memory for Counted {
        fn allocate(&self, bytes: usize) -> *mut u8 {
            let Some(left) = self.left.get().checked_sub(1) else { return null_mut() };
            self.left.set(left);
            let layout = Layout::from_size_align(bytes, 16).unwrap();
            // SAFETY: nothing here is empty.
            let block = unsafe { alloc(layout) };
            self.blocks.borrow_mut().push((block, layout));
            block
        }

        unsafe fn free(&self, block: *mut u8) {
            let mut blocks = self.blocks.borrow_mut();
            let at = blocks.iter().position(|&(known, _)| known == block).expect("one of ours");
            let (block, layout) = blocks.swap_remove(at);
            // SAFETY: it came from there.
            unsafe { dealloc(block, layout) };
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            for &(block, layout) in &*self.blocks.borrow() {
                // SAFETY: it came from there, and nobody uses it any more.
                unsafe { dealloc(block, layout) };
            }
        }
    }

    const UNITS: usize = 4;

    /// A code object of four units, with an array for two copies.
    struct Object {
        code: ffi::_PyCode8,
        array: [usize; 3],
    }

    impl Object {
        fn new() -> Box<Object> {
            // SAFETY: numbers and pointers, for which zero is a value.
            let mut object: Box<Object> = Box::new(unsafe { core::mem::zeroed() });
            object.code.ob_base.ob_size = UNITS as isize;
            object.array = [2, (&raw mut object.code.co_code_adaptive) as usize, 0];
            object.code.co_tlbc = (&raw mut object.array).cast();
            object
        }

        fn code(&mut self) -> Code {
            Code::from_ptr((&raw mut self.code).cast())
        }
    }

    fn fill(units: &mut [u16]) {
        assert_eq!(units, [0; UNITS]);
        units.copy_from_slice(&[1, 2, 3, 4]);
    }

    fn words(copy: CodeUnit) -> [u16; UNITS] {
        // SAFETY: copies have that many units.
        unsafe { copy.as_ptr().cast::<[u16; UNITS]>().read() }
    }

    #[test]
    fn who_has_the_main_copy_allocates_nothing() {
        let mut object = Object::new();
        let (code, memory) = (object.code(), Counted::new(0));
        // SAFETY: the code object is as the host makes them, and ours alone.
        unsafe {
            let found = find_or_make(code, 0, &memory, fill);
            assert_eq!(found, Ok(Found { copy: code.bytecode(), is_new: false, outgrown: None }));
        }
        assert_eq!(memory.blocks(), 0);
    }

    #[test]
    fn one_block_for_a_copy_and_none_to_find_it_again() {
        let mut object = Object::new();
        let (code, memory) = (object.code(), Counted::new(9));
        // SAFETY: as above.
        unsafe {
            let made = find_or_make(code, 1, &memory, fill).unwrap();
            assert_eq!((made.is_new, made.outgrown, words(made.copy)), (true, None, [1, 2, 3, 4]));
            assert_eq!(memory.blocks(), 1);
            let found = find_or_make(code, 1, &memory, |_| unreachable!()).unwrap();
            assert_eq!((found.is_new, found.copy), (false, made.copy));
            assert_eq!(memory.blocks(), 1);
        }
    }

    #[test]
    fn a_longer_array_has_everything_and_the_short_one_stays_readable() {
        let mut object = Object::new();
        let (code, memory) = (object.code(), Counted::new(9));
        // SAFETY: as above.
        unsafe {
            let short = Copies::of(code);
            let first = find_or_make(code, 1, &memory, fill).unwrap().copy;
            let made = find_or_make(code, 5, &memory, fill).unwrap();
            assert_eq!(made.outgrown, Some(short));
            assert_eq!(memory.blocks(), 3);
            let longer = Copies::of(code);
            assert_eq!((short.places(), longer.places()), (2, 8));
            let all = [(0, code.bytecode()), (1, first), (5, made.copy)];
            assert_eq!(longer.iter().collect::<Vec<_>>(), all);
            assert_eq!(short.iter().collect::<Vec<_>>(), all[..2]);
            assert_eq!((longer.get(4), longer.get(8), short.get(5)), (None, None, None));
        }
    }

    #[test]
    fn without_memory_nothing_has_changed() {
        for left in [0, 1] {
            let mut object = Object::new();
            let (code, memory) = (object.code(), Counted::new(left));
            // SAFETY: as above.
            unsafe {
                let before = Copies::of(code);
                assert_eq!(find_or_make(code, 2, &memory, fill), Err(NoMemory));
                assert_eq!((Copies::of(code), before.iter().count()), (before, 1));
            }
            assert_eq!(memory.blocks(), 0);
        }
    }

    #[test]
    fn what_is_removed_can_be_made_anew() {
        let mut object = Object::new();
        let (code, memory) = (object.code(), Counted::new(9));
        // SAFETY: as above.
        unsafe {
            let copies = Copies::of(code);
            assert_eq!(copies.remove(1), None);
            let made = find_or_make(code, 1, &memory, fill).unwrap().copy;
            assert_eq!((copies.remove(1), copies.get(1)), (Some(made), None));
            assert!(find_or_make(code, 1, &memory, fill).unwrap().is_new);
        }
    }
}
