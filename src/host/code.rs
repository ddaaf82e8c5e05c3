//! Code objects and the units of their bytecode. Source: `cpython/code.h`, `pycore_code.h`.

use core::sync::atomic::{AtomicU8, AtomicU16, Ordering};

use super::ffi::{self, PyObject};
use super::opcode_byte;

/// One 16-bit unit of bytecode: an instruction or an inline cache entry (`_Py_CODEUNIT`).
///
/// A handle: the address of the unit. Reads and writes are relaxed atomics, since in free-threaded
/// hosts other threads read the same bytecode; with a GIL they compile to plain moves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub(crate) struct CodeUnit(*mut ffi::_Py_CODEUNIT);

impl CodeUnit {
    #[inline(always)]
    pub(crate) fn from_ptr(unit: *mut ffi::_Py_CODEUNIT) -> CodeUnit {
        CodeUnit(unit)
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut ffi::_Py_CODEUNIT {
        self.0
    }

    /// The unit `n` units further on.
    ///
    /// # Safety
    /// The result is in the same bytecode, or one past its end.
    #[inline(always)]
    pub(crate) unsafe fn add(self, n: isize) -> CodeUnit {
        // SAFETY: the caller's promise.
        CodeUnit(unsafe { self.0.offset(n) })
    }

    /// The distance from `start` in units.
    ///
    /// # Safety
    /// Both are in the same bytecode.
    #[inline(always)]
    pub(crate) unsafe fn offset_from(self, start: CodeUnit) -> isize {
        // SAFETY: the caller's promise.
        unsafe { self.0.offset_from(start.0) }
    }

    /// The whole unit: opcode in the low byte, argument in the high one.
    ///
    /// # Safety
    /// The unit is in live bytecode.
    #[inline(always)]
    pub(crate) unsafe fn word(self) -> u16 {
        // SAFETY: the caller's promise; relaxed atomics of a u16 are plain loads.
        unsafe { AtomicU16::from_ptr(self.0.cast()).load(Ordering::Relaxed) }
    }

    /// Opcode and argument of the instruction here.
    ///
    /// # Safety
    /// The unit is in live bytecode.
    #[inline(always)]
    pub(crate) unsafe fn decode(self) -> (u8, usize) {
        // SAFETY: the caller's promise.
        unsafe {
            // Two loads are less work than one and taking it apart. Other threads may replace the opcode
            // meanwhile, but not the argument.
            #[cfg(not(py_gil_disabled))]
            return ((*self.0).op.code, (*self.0).op.arg as usize);
            #[cfg(py_gil_disabled)]
            {
                let bytes = self.0.cast::<u8>();
                let [opcode, oparg] =
                    [bytes, bytes.add(1)].map(|b| AtomicU8::from_ptr(b).load(Ordering::Relaxed));
                (opcode, oparg.into())
            }
        }
    }

    /// The opcode of the instruction here.
    ///
    /// # Safety
    /// The unit is in live bytecode.
    #[inline(always)]
    pub(crate) unsafe fn opcode(self) -> u8 {
        // SAFETY: the caller's promise.
        unsafe { self.decode().0 }
    }

    /// Replaces the opcode `expected` by `new`, unless another thread (or instrumentation) has
    /// changed it meanwhile; says whether it did. The only way a specializing write may happen.
    ///
    /// # Safety
    /// The unit is an instruction in live bytecode, and both opcodes have the same caches.
    #[inline(always)]
    pub(crate) unsafe fn replace_opcode(self, expected: u8, new: u8) -> bool {
        // SAFETY: the caller's promise.
        let opcode = unsafe { AtomicU8::from_ptr(self.0.cast()) };
        opcode_byte::replace(opcode, expected, new)
    }

    /// Replaces the opcode, whatever it was. Whoever sees the new one sees what was written before.
    ///
    /// # Safety
    /// The unit is an instruction in live bytecode; both opcodes have the same caches.
    #[inline(always)]
    pub(crate) unsafe fn set_opcode(self, opcode: u8) {
        // SAFETY: the caller's promise; the opcode is the unit's first byte.
        unsafe { AtomicU8::from_ptr(self.0.cast()).store(opcode, Ordering::Release) }
    }

    /// Replaces a 16-bit cache entry.
    ///
    /// # Safety
    /// The unit is a cache entry in live bytecode.
    #[inline(always)]
    pub(crate) unsafe fn set_word(self, word: u16) {
        // SAFETY: the caller's promise.
        unsafe { AtomicU16::from_ptr(self.0.cast()).store(word, Ordering::Relaxed) }
    }

    /// Replaces a cached value of `T`'s size that starts here.
    ///
    /// # Safety
    /// The units from here are for such a value, and no other thread runs this copy of the bytecode.
    #[inline(always)]
    pub(crate) unsafe fn write<T: CacheValue>(self, value: T) {
        // SAFETY: the caller's promise.
        unsafe { self.0.cast::<T>().write_unaligned(value) }
    }

    /// A cached value of `T`'s size that starts here; caches are 2-aligned only.
    ///
    /// # Safety
    /// The units from here hold such a value.
    #[inline(always)]
    pub(crate) unsafe fn read<T: CacheValue>(self) -> T {
        // SAFETY: the caller's promise.
        unsafe { T::read(self) }
    }
}

/// What an inline cache may hold: plain old data of one, two or four code units.
pub(crate) trait CacheValue: Copy {
    /// [`CodeUnit::read`].
    ///
    /// # Safety
    /// The units from there hold such a value.
    #[inline(always)]
    unsafe fn read(unit: CodeUnit) -> Self {
        // SAFETY: the caller's promise; these are plain old data.
        unsafe { unit.0.cast::<Self>().read_unaligned() }
    }
}
impl CacheValue for u16 {
    // Counters are shared by all threads where they have no copies of their own (`-X tlbc=0`).
    #[cfg(py_gil_disabled)]
    #[inline(always)]
    unsafe fn read(unit: CodeUnit) -> u16 {
        // SAFETY: the caller's promise.
        unsafe { unit.word() }
    }
}
impl CacheValue for u32 {}
impl CacheValue for u64 {}
impl CacheValue for *mut PyObject {}

/// A code object, borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Code(*mut ffi::PyCodeObject);

impl Code {
    #[inline(always)]
    pub(crate) fn from_ptr(code: *mut ffi::PyCodeObject) -> Code {
        Code(code)
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut ffi::PyCodeObject {
        self.0
    }

    #[inline(always)]
    pub(crate) fn object(self) -> *mut PyObject {
        self.0.cast()
    }

    /// The first unit of the main copy of the bytecode (`_PyCode_CODE`).
    ///
    /// # Safety
    /// The code object is live.
    #[inline(always)]
    pub(crate) unsafe fn bytecode(self) -> CodeUnit {
        // SAFETY: the code object is live.
        CodeUnit(unsafe { (&raw mut (*self.0).co_code_adaptive).cast() })
    }

    /// `co_consts[index]`, borrowed.
    ///
    /// # Safety
    /// The code object is live and has that constant.
    #[inline(always)]
    pub(crate) unsafe fn constant(self, index: usize) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe { super::object::tuple_item((*self.0).co_consts, index) }
    }

    /// `co_names[index]`, borrowed.
    ///
    /// # Safety
    /// The code object is live and has that name.
    #[inline(always)]
    pub(crate) unsafe fn name(self, index: usize) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe { super::object::tuple_item((*self.0).co_names, index) }
    }

    /// Number of locals, cells and free variables.
    ///
    /// # Safety
    /// The code object is live.
    #[inline(always)]
    pub(crate) unsafe fn nlocalsplus(self) -> usize {
        // SAFETY: the code object is live.
        unsafe { (*self.0).co_nlocalsplus as usize }
    }
}
