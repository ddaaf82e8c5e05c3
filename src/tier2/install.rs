//! Executors in the bytecode: `co_executors` of a code object holds references to them, and an ENTER_EXECUTOR in
//! the place of the instruction where one starts has its index as the argument.

use core::mem::offset_of;

use super::executor::Executor;
use crate::bytecode::opcode;
use crate::host::{Code, CodeUnit, Owned, ffi};
use crate::instrument::opcodes::is_instrumented;

/// The most executors of a code object: their indices are arguments of one byte.
const MAX_EXECUTORS: usize = 256;
const FIRST_CAPACITY: usize = 4;

/// Whether an executor can take the place of the instruction at `start`.
///
/// # Safety
/// `code` is live, and an instruction begins at `start` in its bytecode, with its EXTENDED_ARGs.
pub(crate) unsafe fn can_replace(code: Code, start: CodeUnit) -> bool {
    // SAFETY: `code` is live, and `start` is in its bytecode (caller).
    unsafe {
        let has_room = start.opcode() == opcode::ENTER_EXECUTOR || free_slot(code).is_some();
        has_room && !is_instrumented(start.opcode()) && !is_read_by_instruction_before(code, start)
    }
}

/// Whether the instruction at `start` is the STORE_FAST that a BINARY_OP_INPLACE_ADD_UNICODE before it performs:
/// that instruction reads the argument of this one.
///
/// # Safety
/// As for [`can_replace`].
unsafe fn is_read_by_instruction_before(code: Code, start: CodeUnit) -> bool {
    const LENGTH: isize = 1 + (size_of::<ffi::_PyBinaryOpCache>() / size_of::<ffi::_Py_CODEUNIT>()) as isize;
    // SAFETY: both units are in the bytecode. The one before may be a part of a cache that looks like the
    // instruction; then the answer only prevents an executor.
    unsafe {
        start.opcode() == opcode::STORE_FAST
            && start.offset_from(code.bytecode()) >= LENGTH
            && start.add(-LENGTH).opcode() == opcode::BINARY_OP_INPLACE_ADD_UNICODE
    }
}

/// Puts an executor into the place of the instruction at `start`. The code object takes a new reference to it. An
/// executor that is there already is removed. Returns false if memory is short.
///
/// # Safety
/// The thread is attached. As for [`can_replace`], which has returned true. The executor is live and in no bytecode.
pub(crate) unsafe fn install(code: Code, start: CodeUnit, executor: Executor) -> bool {
    // SAFETY: `start` is in the bytecode of live code (caller). The slot is in the array, and empty.
    unsafe {
        if start.opcode() == opcode::ENTER_EXECUTOR
            && let Some(other) = at(code, start.offset_from(code.bytecode()) as usize)
        {
            detach(other);
        }
        let Some(slot) = free_slot(code).filter(|&slot| has_slot(code, slot) || grow(code)) else {
            return false;
        };
        *code.executor_slot(slot) = executor.new_ref().into_ptr();
        let array = (*code.as_ptr()).co_executors;
        (*array).size = (*array).size.max(slot as i32 + 1);
        let (opcode, oparg) = start.decode();
        let index = start.offset_from(code.bytecode()) as usize;
        executor.set_position(code, index, (opcode, oparg as u8));
        start.set_instruction(opcode::ENTER_EXECUTOR, slot as u8);
        true
    }
}

/// Takes an executor out of the bytecode that it is in, if any, and restores the instruction. Releases the code
/// object's reference to it.
///
/// # Safety
/// The thread is attached; the executor is live, and so is the code.
pub(crate) unsafe fn detach(executor: Executor) {
    // SAFETY: code that has an executor is live, or being destroyed. Its bytecode has an ENTER_EXECUTOR there
    // whose argument is the index of the slot.
    unsafe {
        let Some(code) = executor.code() else { return };
        let unit = code.bytecode().add(executor.index() as isize);
        let (_, slot) = unit.decode();
        let (opcode, oparg) = executor.replaced();
        unit.set_instruction(opcode, oparg);
        executor.forget_position();
        let reference = core::ptr::replace(code.executor_slot(slot), core::ptr::null_mut());
        drop(Owned::optional(reference.cast()));
    }
}

/// Takes all executors out of the bytecode, and frees their array (`_PyCode_Clear_Executors`).
///
/// # Safety
/// The thread is attached; the code is live, and has an array of executors.
#[cfg(feature = "attach")]
pub(crate) unsafe fn clear(code: Code) {
    // SAFETY: the code keeps its executors alive (caller). The array is the host's, which frees it with this function, too.
    unsafe {
        slots(code).flatten().for_each(|executor| detach(executor));
        let array = &raw mut (*code.as_ptr()).co_executors;
        ffi::PyMem_Free(array.replace(core::ptr::null_mut()).cast());
    }
}

/// The executor in the place of the code unit `index`, borrowed.
///
/// # Safety
/// `code` is live, and no other thread changes its executors meanwhile.
pub(crate) unsafe fn at(code: Code, index: usize) -> Option<Executor> {
    // SAFETY: `code` is live (caller), and its executors with it.
    unsafe { slots(code).flatten().find(|executor| executor.index() == index) }
}

/// The executors of a code object in the order of their indices.
///
/// # Safety
/// As for [`at`], also while the result is used.
unsafe fn slots(code: Code) -> impl Iterator<Item = Option<Executor>> {
    // SAFETY: the array is null or has that many slots.
    unsafe {
        let array = (*code.as_ptr()).co_executors;
        let size = if array.is_null() { 0 } else { (*array).size as usize };
        (0..size).map(move |index| Executor::from_ptr(*code.executor_slot(index)))
    }
}

/// The index of the next executor of a code object.
///
/// # Safety
/// As for [`at`].
unsafe fn free_slot(code: Code) -> Option<usize> {
    // SAFETY: `code` is live (caller).
    unsafe {
        let mut used = 0;
        for slot in slots(code) {
            if slot.is_none() {
                break;
            }
            used += 1;
        }
        (used < MAX_EXECUTORS).then_some(used)
    }
}

/// Whether the array of a code object has room for this index.
///
/// # Safety
/// As for [`at`].
unsafe fn has_slot(code: Code, index: usize) -> bool {
    // SAFETY: the array is null or live.
    unsafe {
        let array = (*code.as_ptr()).co_executors;
        !array.is_null() && index < (*array).capacity as usize
    }
}

/// Makes the array of a code object larger. Returns false if memory is short.
///
/// # Safety
/// As for [`at`]; the thread is attached.
unsafe fn grow(code: Code) -> bool {
    // SAFETY: the host's functions free the array with PyMem_Free, so PyMem_Realloc may move it.
    unsafe {
        let field = &raw mut (*code.as_ptr()).co_executors;
        let (size, capacity) = match (*field).as_ref() {
            Some(array) => (array.size, 2 * array.capacity as usize),
            None => (0, FIRST_CAPACITY),
        };
        let bytes = offset_of!(ffi::_PyExecutorArray, executors) + capacity * size_of::<Option<Executor>>();
        let array = ffi::PyMem_Realloc((*field).cast(), bytes).cast::<ffi::_PyExecutorArray>();
        if array.is_null() {
            return false;
        }
        (*array).size = size;
        (*array).capacity = capacity as i32;
        *field = array;
        true
    }
}
