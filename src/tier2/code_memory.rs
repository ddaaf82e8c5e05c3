//! Memory for machine code: written or executable, never both. Code is packed, since the processor remembers few pages.

use core::ptr::NonNull;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What is mapped at once, unless code is longer.
const CHUNK: usize = 1 << 20;
/// Code begins at a multiple of this: a cache line.
const ALIGNMENT: usize = 64;

/// Machine code in executable memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Block {
    start: NonNull<u8>,
    /// The length of the code in bytes.
    length: usize,
}

/// Memory without code, by address: ranges that do not touch each other. It is executable.
#[derive(Default)]
struct Free(BTreeMap<usize, usize>);

static FREE: Mutex<Free> = Mutex::new(Free(BTreeMap::new()));

impl Free {
    /// Takes a range of this length.
    fn take(&mut self, length: usize) -> Option<usize> {
        let (&start, &found) = self.0.iter().find(|&(_, &found)| found >= length)?;
        self.0.remove(&start);
        if found > length {
            self.0.insert(start + length, found - length);
        }
        Some(start)
    }

    /// Adds a range.
    fn add(&mut self, mut start: usize, mut length: usize) {
        if let Some(behind) = self.0.remove(&(start + length)) {
            length += behind;
        }
        if let Some((&before, &found)) = self.0.range(..start).next_back()
            && before + found == start
        {
            (start, length) = (before, found + length);
        }
        self.0.insert(start, length);
    }
}

impl Block {
    /// Copies `code` to executable memory. `None` if the system refuses that.
    ///
    /// # Safety
    /// The thread holds the GIL of the main interpreter, without which nothing runs code from here: for a moment, neighbours are
    /// not executable.
    pub(crate) unsafe fn publish(code: &[u8]) -> Option<Block> {
        let length = code.len().next_multiple_of(ALIGNMENT);
        // Nothing panics while it holds the lock.
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match free.take(length) {
            Some(at) => at,
            None => {
                let size = length.next_multiple_of(CHUNK);
                free.add(map(size)?, size);
                free.take(length)?
            }
        };
        let start = NonNull::new(core::ptr::with_exposed_provenance_mut::<u8>(at))?;
        // SAFETY: the memory is mapped, this code's own, and nothing runs its neighbours (caller).
        unsafe {
            if !protect(at, length, libc::PROT_READ | libc::PROT_WRITE) {
                free.add(at, length);
                return None;
            }
            start.copy_from_nonoverlapping(NonNull::from(code).cast(), code.len());
            if !protect(at, length, libc::PROT_READ | libc::PROT_EXEC) {
                // What else is there could not run any more. The system does not refuse what it has allowed before.
                std::process::abort();
            }
        }
        Some(Block { start, length })
    }

    /// The address of the code.
    pub(crate) fn start(self) -> NonNull<u8> {
        self.start
    }

    /// The length of the code in bytes.
    pub(crate) fn length(self) -> usize {
        self.length
    }

    /// Makes room for other code.
    ///
    /// # Safety
    /// The block is freed once, and its code neither runs nor will run.
    pub(crate) unsafe fn free(self) {
        FREE.lock().unwrap_or_else(PoisonError::into_inner).add(self.start.addr().get(), self.length);
    }
}

/// Maps executable memory of this size, a multiple of pages. Returns its address.
fn map(size: usize) -> Option<usize> {
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: the mapping is new, so it overlaps nothing.
    let start = unsafe { libc::mmap(core::ptr::null_mut(), size, protection, flags, -1, 0) };
    (start != libc::MAP_FAILED).then(|| start.expose_provenance())
}

/// Sets what can be done with the pages of a range. Returns whether the system allows that.
///
/// # Safety
/// They are mapped by [`map`], and nothing needs what they lose.
unsafe fn protect(start: usize, length: usize, protection: i32) -> bool {
    // SAFETY: the call has no requirements.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let first = start - start % page;
    let size = (start + length).next_multiple_of(page) - first;
    // SAFETY: the pages are mapped, and nothing needs what they lose (caller).
    unsafe { libc::mprotect(core::ptr::with_exposed_provenance_mut(first), size, protection) == 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn published_code_runs() {
        #[cfg(target_arch = "x86_64")] // mov eax, 42; ret
        let code = [0xb8, 42, 0, 0, 0, 0xc3];
        #[cfg(target_arch = "aarch64")] // mov w0, #42; ret
        let code = [0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];
        // SAFETY: the code is a function without parameters that returns an integer. Nothing else runs such code.
        unsafe {
            let blocks = [(); 3].map(|()| Block::publish(&code).expect("memory"));
            for block in blocks {
                let function: extern "C" fn() -> i32 = core::mem::transmute(block.start());
                assert_eq!(function(), 42);
            }
            for block in blocks {
                block.free();
            }
        }
    }

    proptest! {
        #[test]
        fn ranges_do_not_overlap_and_nothing_is_lost(
            steps in prop::collection::vec((any::<bool>(), 1_usize..40), 1..100),
        ) {
            const SIZE: usize = 1000;
            let mut free = Free::default();
            free.add(SIZE, SIZE);
            let mut used: Vec<(usize, usize)> = Vec::new();
            for (takes, number) in steps {
                if takes {
                    if let Some(start) = free.take(number) {
                        prop_assert!(start >= SIZE && start + number <= 2 * SIZE);
                        for &(other, length) in &used {
                            prop_assert!(start + number <= other || other + length <= start);
                        }
                        used.push((start, number));
                    }
                } else if !used.is_empty() {
                    let (start, length) = used.swap_remove(number % used.len());
                    free.add(start, length);
                }
            }
            for (start, length) in used {
                free.add(start, length);
            }
            prop_assert_eq!(free.0.into_iter().collect::<Vec<_>>(), [(SIZE, SIZE)]);
        }
    }
}
