//! Branches: the event BRANCH, which is two by now, and `co_branches()`. Source: PEP 669,
//! `pycore_code.h`.

use core::ffi::c_int;
use core::mem::{MaybeUninit, offset_of};
use core::ptr::null_mut;

use super::lines::Listing;
use super::opcodes;
use super::writer::Bytecode;
use crate::bytecode::opcode::*;
use crate::host::lock::with_lock;
use crate::host::object::{is_exact, size, static_head};
use crate::host::owned::{exception_is_set, into_host};
use crate::host::{Code, Owned, PyObject, PyResult, ffi, refcount};
use crate::seams;

/// A type of this library, without attributes, that nobody makes instances of but us.
const fn type_(name: &'static core::ffi::CStr, size: usize) -> ffi::PyTypeObject {
    // SAFETY: pointers, options of functions, and integers: zero is a value of all.
    let mut type_: ffi::PyTypeObject = unsafe { MaybeUninit::zeroed().assume_init() };
    type_.ob_base.ob_base = static_head(&raw mut ffi::PyType_Type);
    type_.tp_name = name.as_ptr();
    type_.tp_basicsize = size as isize;
    type_
}

// --- the event BRANCH --------------------------------------------------------------------------

/// What is called for one way of a branch on behalf of a callback for BRANCH.
#[repr(C)]
struct Handler {
    object: PyObject,
    vectorcall: ffi::vectorcallfunc,
    callback: *mut PyObject,
}

static mut HANDLER_TYPE: ffi::PyTypeObject = {
    let mut type_ = type_(c"sys.monitoring.branch_event_handler", size_of::<Handler>());
    type_.tp_dealloc = Some(free_handler);
    type_.tp_vectorcall_offset = offset_of!(Handler, vectorcall) as isize;
    type_.tp_call = Some(ffi::PyVectorcall_Call);
    type_.tp_flags = (ffi::Py_TPFLAGS_DEFAULT
        | ffi::Py_TPFLAGS_BASETYPE
        | ffi::Py_TPFLAGS_HAVE_VECTORCALL
        | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as _;
    type_
};

unsafe extern "C" fn free_handler(object: *mut PyObject) {
    // SAFETY: the host gives up the last reference of one of ours.
    unsafe {
        refcount::decref((*object.cast::<Handler>()).callback);
        ffi::PyObject_Free(object.cast());
    }
}

/// A new handler that calls `callback`.
unsafe fn handler(callback: *mut PyObject) -> PyResult {
    // SAFETY: the thread is attached, and the callback live.
    unsafe {
        let object = Owned::from_host(ffi::_PyObject_New(&raw mut HANDLER_TYPE))?;
        let handler = object.as_ptr().cast::<Handler>();
        (&raw mut (*handler).vectorcall).write(Some(call_handler));
        (&raw mut (*handler).callback).write(refcount::new_ref(callback));
        Ok(object)
    }
}

/// Handlers for the left and the right way of a branch, owned by the caller; null if `callback` is.
///
/// # Safety
/// The thread is attached; `callback` is live or null.
pub(crate) unsafe fn handlers(callback: *mut PyObject) -> PyResult<(*mut PyObject, *mut PyObject)> {
    if callback.is_null() {
        return Ok((null_mut(), null_mut()));
    }
    // SAFETY: the caller's promise.
    unsafe {
        let (right, left) = (handler(callback)?, handler(callback)?);
        Ok((left.into_ptr(), right.into_ptr()))
    }
}

/// The callback that a program has registered: what is behind a handler, anything else itself.
pub(crate) fn unwrap_handler(registered: Owned) -> Owned {
    // SAFETY: owned, so live; a handler keeps its callback.
    unsafe {
        if !is_exact(registered.as_ptr(), &raw mut HANDLER_TYPE) {
            return registered;
        }
        Owned::new_ref((*registered.as_ptr().cast::<Handler>()).callback)
    }
}

/// Calls the callback, unless its event was disabled at the branch instruction already: then the other way
/// is of no interest either.
unsafe extern "C" fn call_handler(
    object: *mut PyObject,
    arguments: *const *mut PyObject,
    flagged_count: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    debug_assert!(flagged_count << 1 >> 1 >= 3);
    // SAFETY: called as a callback of a branch event: with a code object, an offset in it, and another.
    unsafe {
        let code = Code::from_ptr((*arguments).cast());
        let offset = ffi::PyLong_AsLong(*arguments.add(1));
        if exception_is_set() {
            return null_mut();
        }
        let source = code.bytecode().add(offset as isize / size_of::<ffi::_Py_CODEUNIT>() as isize);
        if !opcodes::is_instrumented(source.opcode()) {
            return seams::instrumentation::disable();
        }
        ffi::PyObject_Vectorcall((*object.cast::<Handler>()).callback, arguments, flagged_count, names)
    }
}

// --- co_branches -------------------------------------------------------------------------------

/// A branch: code units of the instruction, and of where its two ways lead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Branch {
    source: usize,
    left: usize,
    right: usize,
}

/// The first branch at or after code unit `start`, and where to look for the next one.
fn next_branch(listing: &impl Listing, start: usize) -> Option<(Branch, usize)> {
    let mut argument = 0;
    let mut index = start;
    while index < listing.units() {
        let instruction = listing.at(index);
        let next = index + instruction.length;
        argument = argument << 8 | usize::from(instruction.argument);
        match instruction.opcode {
            EXTENDED_ARG => {
                index = next;
                continue;
            }
            // Past END_FOR and POP_ITER.
            FOR_ITER => {
                return Some((Branch { source: index, left: next, right: next + argument + 2 }, next));
            }
            POP_JUMP_IF_FALSE | POP_JUMP_IF_TRUE | POP_JUMP_IF_NONE | POP_JUMP_IF_NOT_NONE => {
                // Past NOT_TAKEN.
                let left = next + 1;
                return Some((Branch { source: index, left, right: next + argument }, left));
            }
            END_ASYNC_FOR => {
                // The loop is left at its END_SEND, and goes on after that's NOT_TAKEN.
                let source = next - argument;
                return Some((Branch { source, left: source + 2, right: next }, next));
            }
            _ => {}
        }
        argument = 0;
        index = next;
    }
    None
}

/// An iterator over the branches of a code object.
#[repr(C)]
struct Branches {
    object: PyObject,
    code: *mut PyObject,
    next: usize,
}

static mut BRANCHES_TYPE: ffi::PyTypeObject = {
    let mut type_ = type_(c"line_iterator", size_of::<Branches>());
    type_.tp_dealloc = Some(free_branches);
    type_.tp_flags = (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE) as _;
    type_.tp_iter = Some(ffi::PyObject_SelfIter);
    type_.tp_iternext = Some(next_of_branches);
    type_.tp_free = Some(ffi::PyObject_Free);
    type_
};

unsafe extern "C" fn free_branches(object: *mut PyObject) {
    // SAFETY: the host gives up the last reference of one of ours.
    unsafe {
        refcount::decref((*object.cast::<Branches>()).code);
        ffi::PyObject_Free(object.cast());
    }
}

unsafe extern "C" fn next_of_branches(object: *mut PyObject) -> *mut PyObject {
    // SAFETY: one of ours, which keeps its code object. Locked, nobody instruments it.
    unsafe {
        let iterator = object.cast::<Branches>();
        let code = (*iterator).code;
        let found = with_lock(code, || {
            let bytecode = Bytecode::of(Code::from_ptr(code.cast()));
            debug_assert_eq!(bytecode.units() as isize, size(code));
            let (branch, next) = next_branch(&bytecode, (*iterator).next)?;
            (*iterator).next = next;
            Some(branch)
        });
        found.map_or(null_mut(), |branch| into_host(triple(branch)))
    }
}

/// A branch as Python code sees it: three offsets in bytes.
unsafe fn triple(branch: Branch) -> PyResult {
    // SAFETY: the thread is attached; the tuple takes the references over, even if it cannot be made.
    unsafe {
        let offset = |index: usize| {
            let bytes = index * size_of::<ffi::_Py_CODEUNIT>();
            Owned::from_host(ffi::PyLong_FromLong(bytes as c_int as _))
        };
        let items = [offset(branch.source)?, offset(branch.left)?, offset(branch.right)?];
        let items = items.map(Owned::into_ptr);
        Owned::from_host(ffi::_PyTuple_FromArraySteal(items.as_ptr(), items.len() as isize))
    }
}

/// An iterator over the branches of `code`: `co_branches()`. Fails with MemoryError.
///
/// # Safety
/// The thread is attached, `code` is live.
pub(crate) unsafe fn iterator(code: Code) -> PyResult {
    // SAFETY: the caller's promise; the memory is zeroed, so the iterator begins at code unit zero.
    unsafe {
        let iterator = Owned::from_host(ffi::PyType_GenericAlloc(&raw mut BRANCHES_TYPE, 0))?;
        (*iterator.as_ptr().cast::<Branches>()).code = refcount::new_ref(code.object());
        Ok(iterator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::opcodes::Instruction;

    struct Units(Vec<Instruction>);

    impl Listing for Units {
        fn units(&self) -> usize {
            self.0.len()
        }
        fn first_traceable(&self) -> usize {
            0
        }
        fn at(&self, index: usize) -> Instruction {
            self.0[index]
        }
    }

    fn branches(rows: &[(u8, u8)]) -> Vec<(usize, usize, usize)> {
        let listing = Units(
            rows.iter().map(|&(opcode, argument)| Instruction { opcode, argument, length: 1 }).collect(),
        );
        let mut start = 0;
        let mut found = Vec::new();
        while let Some((branch, next)) = next_branch(&listing, start) {
            found.push((branch.source, branch.left, branch.right));
            start = next;
        }
        found
    }

    #[test]
    fn both_ways_of_every_branch() {
        let rows = [(NOP, 7), (POP_JUMP_IF_NONE, 3), (NOT_TAKEN, 0), (FOR_ITER, 1), (NOP, 0)];
        assert_eq!(branches(&rows), [(1, 3, 5), (3, 4, 7)]);
        assert_eq!(branches(&[(NOP, 1), (JUMP_FORWARD, 1)]), []);
    }

    #[test]
    fn long_arguments() {
        let rows =
            [(EXTENDED_ARG, 1), (EXTENDED_ARG, 2), (POP_JUMP_IF_TRUE, 3), (NOT_TAKEN, 0), (FOR_ITER, 4)];
        assert_eq!(branches(&rows), [(2, 4, 3 + 0x1_0203), (4, 5, 5 + 4 + 2)]);
    }

    #[test]
    fn asynchronous_loops_are_left_where_they_wait() {
        let rows = [(END_SEND, 0), (NOT_TAKEN, 0), (NOP, 0), (END_ASYNC_FOR, 4), (NOP, 0)];
        assert_eq!(branches(&rows), [(0, 2, 4)]);
    }
}
