//! Code objects and the units of their bytecode. Source: `cpython/code.h`, `pycore_code.h`.

#[cfg(py_tier2)]
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU16, Ordering};

use super::ffi::{self, PyObject};
use super::opcode_byte;
use super::versions::{FunctionVersion, KeysVersion, ShortKeysVersion, TypeVersion};

/// One 16-bit unit of bytecode: an instruction or an inline cache entry (`_Py_CODEUNIT`).
///
/// A handle that holds the address of the unit. Opcodes, arguments and 16-bit words are accessed atomically, since
/// in free-threaded hosts other threads read the same bytecode; the accesses compile to plain moves.
///
/// Bytecode is "live" while its code object is, and, for a copy of free-threaded hosts, while the copy is not
/// removed.
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

    /// The unit `n` units after this one.
    ///
    /// # Safety
    /// The result is in the same bytecode, or one past its end.
    #[inline(always)]
    pub(crate) unsafe fn add(self, n: isize) -> CodeUnit {
        // SAFETY: the result is in the same bytecode or at its end (caller).
        CodeUnit(unsafe { self.0.offset(n) })
    }

    /// The distance from `start` in units.
    ///
    /// # Safety
    /// Both are in the same bytecode, or at its end.
    #[inline(always)]
    pub(crate) unsafe fn offset_from(self, start: CodeUnit) -> isize {
        // SAFETY: both are in the same bytecode (caller).
        unsafe { self.0.offset_from(start.0) }
    }

    /// The whole unit: opcode in the low byte, argument in the high one.
    ///
    /// # Safety
    /// The unit is in live bytecode.
    #[inline(always)]
    pub(crate) unsafe fn word(self) -> u16 {
        // SAFETY: the unit is in live bytecode (caller); a relaxed atomic load of a u16 compiles to a plain
        // one.
        unsafe { AtomicU16::from_ptr(self.0.cast()).load(Ordering::Relaxed) }
    }

    /// The opcode and the argument of this instruction.
    ///
    /// # Safety
    /// The unit is in live bytecode.
    #[inline(always)]
    pub(crate) unsafe fn decode(self) -> (u8, usize) {
        // SAFETY: the unit is in live bytecode (caller).
        unsafe {
            // Two loads take less work than one load and splitting the word. Another thread may replace the
            // opcode meanwhile, but not the argument.
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

    /// The opcode of this instruction.
    ///
    /// # Safety
    /// The unit is in live bytecode.
    #[inline(always)]
    pub(crate) unsafe fn opcode(self) -> u8 {
        // SAFETY: the unit is in live bytecode (caller).
        unsafe { self.decode().0 }
    }

    /// Replaces the opcode `expected` by `new`, unless another thread (or instrumentation) has changed it
    /// meanwhile. Returns whether it did. The specializer must change opcodes only through this function.
    ///
    /// # Safety
    /// The unit is an instruction in live bytecode, and both opcodes have the same caches.
    #[inline(always)]
    pub(crate) unsafe fn replace_opcode(self, expected: u8, new: u8) -> bool {
        // SAFETY: the unit is in live bytecode (caller), and all threads access the opcode atomically.
        let opcode = unsafe { AtomicU8::from_ptr(self.0.cast()) };
        opcode_byte::replace(opcode, expected, new)
    }

    /// Replaces the opcode, whatever it was. A thread that reads the new opcode with acquire order sees what
    /// was written before.
    ///
    /// # Safety
    /// The unit is an instruction in live bytecode; both opcodes have the same caches.
    #[inline(always)]
    pub(crate) unsafe fn set_opcode(self, opcode: u8) {
        // SAFETY: the unit is in live bytecode (caller); the opcode is its first byte.
        unsafe { AtomicU8::from_ptr(self.0.cast()).store(opcode, Ordering::Release) }
    }

    /// Replaces the opcode and the argument of an instruction.
    ///
    /// # Safety
    /// The unit is an instruction in live bytecode. The new one has the same caches, or what runs it leaves the
    /// caches alone.
    #[cfg(py_tier2)]
    pub(crate) unsafe fn set_instruction(self, opcode: u8, oparg: u8) {
        // SAFETY: the unit is in live bytecode (caller); the opcode is its first byte.
        unsafe {
            AtomicU16::from_ptr(self.0.cast()).store(u16::from_ne_bytes([opcode, oparg]), Ordering::Relaxed)
        }
    }

    /// Replaces a 16-bit cache entry.
    ///
    /// # Safety
    /// The unit is a cache entry in live bytecode.
    #[inline(always)]
    pub(crate) unsafe fn set_word(self, word: u16) {
        // SAFETY: the unit is in live bytecode (caller).
        unsafe { AtomicU16::from_ptr(self.0.cast()).store(word, Ordering::Relaxed) }
    }

    /// Replaces the cached value of type `T` that starts here.
    ///
    /// # Safety
    /// The units from here on are cache entries of live bytecode, as many as `T` needs. No other thread runs
    /// this copy of the bytecode.
    #[inline(always)]
    pub(crate) unsafe fn write<T: CacheValue>(self, value: T) {
        // SAFETY: the units are cache entries that no other thread accesses (caller).
        unsafe { self.0.cast::<T>().write_unaligned(value) }
    }

    /// The cached value of type `T` that starts here. Caches are aligned to 2 bytes only.
    ///
    /// # Safety
    /// The units from here on are cache entries of live bytecode, as many as `T` needs, and hold such a value.
    #[inline(always)]
    pub(crate) unsafe fn read<T: CacheValue>(self) -> T {
        // SAFETY: the units hold such a value (caller).
        unsafe { T::read(self) }
    }
}

/// A type of value that an inline cache may hold: plain data of one, two or four code units.
pub(crate) trait CacheValue: Copy {
    /// The number of code units.
    const UNITS: usize = size_of::<Self>() / size_of::<ffi::_Py_CODEUNIT>();

    /// Implements [`CodeUnit::read`].
    ///
    /// # Safety
    /// As for [`CodeUnit::read`].
    #[inline(always)]
    unsafe fn read(unit: CodeUnit) -> Self {
        // SAFETY: the units hold such a value (caller).
        unsafe { unit.0.cast::<Self>().read_unaligned() }
    }
}
impl CacheValue for u16 {
    // Counters are shared by all threads if threads have no copies of their own (`-X tlbc=0`), so they are read
    // atomically.
    #[cfg(py_gil_disabled)]
    #[inline(always)]
    unsafe fn read(unit: CodeUnit) -> u16 {
        // SAFETY: the unit is in live bytecode (caller).
        unsafe { unit.word() }
    }
}
impl CacheValue for TypeVersion {}
impl CacheValue for FunctionVersion {}
impl CacheValue for KeysVersion {}
impl CacheValue for ShortKeysVersion {}
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
        // SAFETY: the code object is live (caller).
        CodeUnit(unsafe { (&raw mut (*self.0).co_code_adaptive).cast() })
    }

    /// `co_consts[index]`, borrowed.
    ///
    /// # Safety
    /// The code object is live and has more than `index` constants.
    #[inline(always)]
    pub(crate) unsafe fn constant(self, index: usize) -> *mut PyObject {
        // SAFETY: the tuple of constants has that item (caller).
        unsafe { super::object::tuple_item((*self.0).co_consts, index) }
    }

    /// `co_names[index]`, borrowed.
    ///
    /// # Safety
    /// The code object is live and has more than `index` names.
    #[inline(always)]
    pub(crate) unsafe fn name(self, index: usize) -> *mut PyObject {
        // SAFETY: the tuple of names has that item (caller).
        unsafe { super::object::tuple_item((*self.0).co_names, index) }
    }

    /// The executor that is the argument of an ENTER_EXECUTOR, borrowed.
    ///
    /// # Safety
    /// The code object is live and has an executor at this index.
    #[cfg(py_tier2)]
    #[inline(always)]
    pub(crate) unsafe fn executor(self, index: usize) -> NonNull<ffi::_PyExecutorObject> {
        // SAFETY: there is an executor at the index (caller).
        unsafe { NonNull::new_unchecked(*self.executor_slot(index)) }
    }

    /// A slot in `co_executors`.
    ///
    /// # Safety
    /// The code object is live, and its array of executors has room for this index.
    #[cfg(py_tier2)]
    #[inline(always)]
    pub(crate) unsafe fn executor_slot(self, index: usize) -> *mut *mut ffi::_PyExecutorObject {
        // SAFETY: the array has such a slot (caller).
        unsafe {
            (&raw mut (*(*self.0).co_executors).executors).cast::<*mut ffi::_PyExecutorObject>().add(index)
        }
    }

    /// Number of local variables, cells and free variables.
    ///
    /// # Safety
    /// The code object is live.
    #[inline(always)]
    pub(crate) unsafe fn nlocalsplus(self) -> usize {
        // SAFETY: the code object is live (caller).
        unsafe { (*self.0).co_nlocalsplus as usize }
    }

    /// Whether the parameters take so many positional arguments as they are: one each, and nothing else.
    ///
    /// # Safety
    /// The code is live.
    #[cfg(py_tier2)]
    pub(crate) unsafe fn takes(self, arguments: usize) -> bool {
        // SAFETY: the code is live (caller).
        let code = unsafe { &*self.0 };
        code.co_argcount as usize == arguments
            && code.co_kwonlyargcount == 0
            && code.co_flags as u32 & (ffi::CO_VARARGS | ffi::CO_VARKEYWORDS) == 0
    }
}
