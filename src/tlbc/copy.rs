//! Making copies of a code object's bytecode. Called by [`crate::exports`].

use core::ptr::null_mut;

use super::contents::{self, Shown};
use super::{NoMemory, pool};
use crate::host::copies::Copies;
use crate::host::lock::with_lock;
use crate::host::object::size;
use crate::host::{Code, CodeUnit, PyResult, Raised, ThreadState, ffi};
use crate::instrument::writer;
use crate::specialize::quicken::Counters;

/// The allocator of copies and arrays.
pub(crate) trait Memory {
    /// Allocates a block of `bytes` bytes, aligned for pointers; null if memory is short.
    fn allocate(&self, bytes: usize) -> *mut u8;
    /// Frees a block that no other thread has seen.
    ///
    /// # Safety
    /// The block is from [`Memory::allocate`] and was not freed.
    unsafe fn free(&self, block: *mut u8);
}

/// The host's allocator. The host frees copies and arrays with the code object.
struct Host;

impl Memory for Host {
    fn allocate(&self, bytes: usize) -> *mut u8 {
        // SAFETY: only attached threads make copies.
        unsafe { ffi::PyMem_Malloc(bytes).cast() }
    }

    unsafe fn free(&self, block: *mut u8) {
        // SAFETY: the block is from `PyMem_Malloc` and was not freed (caller).
        unsafe { ffi::PyMem_Free(block.cast()) }
    }
}

/// The result of [`find_or_make`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) copy: CodeUnit,
    pub(crate) is_new: bool,
    /// The old array, if it was too short and was replaced. Other threads may still read it.
    pub(crate) outgrown: Option<Copies>,
}

/// Returns the copy at `index`; if there is none, makes one with the contents that `fill` writes into zeroed
/// units.
///
/// # Safety
/// The code object is live and locked. `memory` allocates blocks that the code object may own.
pub(crate) unsafe fn find_or_make(
    code: Code,
    index: usize,
    memory: &impl Memory,
    fill: impl FnOnce(&mut [u16]),
) -> Result<Found, NoMemory> {
    // SAFETY: the code object is live and locked (caller), so its array does not change. Blocks are as large as
    // what is written to them, and no other thread knows them before they are complete.
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
///
/// # Safety
/// The code object is live and locked while the iterator is used.
unsafe fn shown(code: Code) -> impl Iterator<Item = Shown> {
    let mut next = 0;
    core::iter::from_fn(move || {
        // SAFETY: the code object is live and locked (caller). `next` is the start of an instruction: the first
        // one, or the one that follows another.
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

/// The calling thread's copy of the bytecode of `code`; makes the copy if there is none yet. Fails with
/// MemoryError.
///
/// # Safety
/// The thread is attached; `code` is live.
pub(crate) unsafe fn get_or_make(code: Code) -> PyResult<CodeUnit> {
    // SAFETY: the thread is attached and the code object live (caller) and locked while its copies are read or
    // made. The thread does not detach while it holds the lock, so the world does not stop meanwhile. Freeing
    // the old array may run Python code, so it comes last.
    unsafe {
        let tstate = ThreadState::current();
        let found = with_lock(code.object(), || {
            // A thread with an index of its own has copies of its own, so they are specialized. Code runs, so the
            // interpreter has its configuration.
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

/// These tests use the host's structures, in memory of their own.
#[cfg(test)]
mod tests {
    use std::alloc::{Layout, alloc, dealloc};
    use std::cell::{Cell, RefCell};

    use super::*;

    /// An allocator that counts blocks and can run out of memory.
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
            // SAFETY: no layout in these tests is empty.
            let block = unsafe { alloc(layout) };
            self.blocks.borrow_mut().push((block, layout));
            block
        }

        unsafe fn free(&self, block: *mut u8) {
            let mut blocks = self.blocks.borrow_mut();
            let at = blocks.iter().position(|&(known, _)| known == block).expect("one of ours");
            let (block, layout) = blocks.swap_remove(at);
            // SAFETY: the block came from `alloc` with this layout.
            unsafe { dealloc(block, layout) };
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            for &(block, layout) in &*self.blocks.borrow() {
                // SAFETY: the block came from `alloc` with this layout, and is not used any more.
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
            // SAFETY: the fields are numbers and pointers, for which zero is valid.
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
        // SAFETY: the code object is like one of the host's, and no other thread uses it.
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
