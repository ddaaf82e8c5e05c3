//! Memory for machine code: written first, executable afterwards, never both.

use core::ptr::NonNull;

/// Machine code in memory of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Block {
    start: NonNull<u8>,
    /// The length of the code in bytes. The memory is a multiple of pages.
    length: usize,
}

impl Block {
    /// Copies `code` to executable memory. `None` if the system refuses that.
    pub(crate) fn publish(code: &[u8]) -> Option<Block> {
        // SAFETY: the mapping is new, so it overlaps nothing, and is as long as the code.
        unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let start = libc::mmap(core::ptr::null_mut(), code.len(), protection, flags, -1, 0);
            if start == libc::MAP_FAILED {
                return None;
            }
            let block = Block { start: NonNull::new(start.cast())?, length: code.len() };
            start.cast::<u8>().copy_from_nonoverlapping(code.as_ptr(), code.len());
            if libc::mprotect(start, code.len(), libc::PROT_READ | libc::PROT_EXEC) != 0 {
                block.free();
                return None;
            }
            Some(block)
        }
    }

    /// The address of the code.
    pub(crate) fn start(self) -> NonNull<u8> {
        self.start
    }

    /// The length of the code in bytes.
    pub(crate) fn length(self) -> usize {
        self.length
    }

    /// Returns the memory to the system.
    ///
    /// # Safety
    /// The block is freed once, and its code neither runs nor will run.
    pub(crate) unsafe fn free(self) {
        // SAFETY: the block is a mapping of its own, which nothing uses any more (caller).
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn published_code_runs() {
        #[cfg(target_arch = "x86_64")] // mov eax, 42; ret
        let code = [0xb8, 42, 0, 0, 0, 0xc3];
        #[cfg(target_arch = "aarch64")] // mov w0, #42; ret
        let code = [0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];
        let block = Block::publish(&code).expect("memory");
        // SAFETY: the code is a function without parameters that returns an integer.
        unsafe {
            let function: extern "C" fn() -> i32 = core::mem::transmute(block.start());
            assert_eq!(function(), 42);
            block.free();
        }
    }
}
