//! Branches: callbacks that turn BRANCH_LEFT and BRANCH_RIGHT back into the older event BRANCH, and the
//! iterator of `co_branches()`. Source: PEP 669, `pycore_code.h`.
//!
//! Callers: `tools` in this room, and `exports` for `_PyInstrumentation_BranchesIterator`.

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

/// A static type without attributes, whose instances only this file creates.
const fn type_(name: &'static core::ffi::CStr, size: usize) -> ffi::PyTypeObject {
    // SAFETY: integers, pointers and optional functions, for which zero is a value.
    let mut type_: ffi::PyTypeObject = unsafe { MaybeUninit::zeroed().assume_init() };
    type_.ob_base.ob_base = static_head(&raw mut ffi::PyType_Type);
    type_.tp_name = name.as_ptr();
    type_.tp_basicsize = size as isize;
    type_
}

// --- the event BRANCH --------------------------------------------------------------------------

/// The callback that is registered for BRANCH_LEFT or BRANCH_RIGHT on behalf of a callback for BRANCH.
#[repr(C)]
struct BranchCallback {
    object: PyObject,
    vectorcall: ffi::vectorcallfunc,
    callback: *mut PyObject,
}

static mut CALLBACK_TYPE: ffi::PyTypeObject = {
    let mut type_ = type_(c"sys.monitoring.branch_event_handler", size_of::<BranchCallback>());
    type_.tp_dealloc = Some(free_callback);
    type_.tp_vectorcall_offset = offset_of!(BranchCallback, vectorcall) as isize;
    type_.tp_call = Some(ffi::PyVectorcall_Call);
    type_.tp_flags = (ffi::Py_TPFLAGS_DEFAULT
        | ffi::Py_TPFLAGS_BASETYPE
        | ffi::Py_TPFLAGS_HAVE_VECTORCALL
        | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as _;
    type_
};

/// `tp_dealloc` of branch callbacks.
///
/// # Safety
/// `object` is a [`BranchCallback`] without references, and the thread is attached.
unsafe extern "C" fn free_callback(object: *mut PyObject) {
    // SAFETY: `object` is a branch callback, which owns the callback behind it; its memory is from
    // `_PyObject_New` (caller).
    unsafe {
        refcount::decref((*object.cast::<BranchCallback>()).callback);
        ffi::PyObject_Free(object.cast());
    }
}

/// A new branch callback that calls `callback` (borrowed). Fails with MemoryError.
///
/// # Safety
/// The thread is attached, and `callback` is live.
unsafe fn branch_callback(callback: *mut PyObject) -> PyResult {
    // SAFETY: the thread is attached, and `callback` is live (caller); the new object has room for a
    // `BranchCallback`, whose fields are written before use.
    unsafe {
        let object = Owned::from_host(ffi::_PyObject_New(&raw mut CALLBACK_TYPE))?;
        let made = object.as_ptr().cast::<BranchCallback>();
        (&raw mut (*made).vectorcall).write(Some(call_callback));
        (&raw mut (*made).callback).write(refcount::new_ref(callback));
        Ok(object)
    }
}

/// Callbacks for the left and the right way of a branch: owned references; null if `callback` is null. Fails
/// with MemoryError.
///
/// # Safety
/// The thread is attached; `callback` is live or null.
pub(crate) unsafe fn branch_callbacks(callback: *mut PyObject) -> PyResult<(*mut PyObject, *mut PyObject)> {
    if callback.is_null() {
        return Ok((null_mut(), null_mut()));
    }
    // SAFETY: the thread is attached, and `callback` is live (caller; null is handled above).
    unsafe {
        let (right, left) = (branch_callback(callback)?, branch_callback(callback)?);
        Ok((left.into_ptr(), right.into_ptr()))
    }
}

/// The callback that was registered: for a branch callback the one behind it, otherwise `registered` itself.
pub(crate) fn unwrap_callback(registered: Owned) -> Owned {
    // SAFETY: `registered` is owned, so it is live; a branch callback keeps that one alive.
    unsafe {
        if !is_exact(registered.as_ptr(), &raw mut CALLBACK_TYPE) {
            return registered;
        }
        Owned::new_ref((*registered.as_ptr().cast::<BranchCallback>()).callback)
    }
}

/// Vectorcall of branch callbacks: calls the callback behind one, unless the event was disabled at the branch
/// instruction already. Then it is disabled for the other way, too.
///
/// C code fires branch events for objects of its own (`PyMonitoring_FireBranch*`), at any offset. These have no
/// bytecode in which an event could be disabled. (CPython takes each of them for a code object.)
///
/// # Safety
/// The thread is attached, and `object` is a [`BranchCallback`], called as the callback of a branch event:
/// `arguments` are a code object or another one, the offset of an instruction in it, and the offset of the
/// target.
unsafe extern "C" fn call_callback(
    object: *mut PyObject,
    arguments: *const *mut PyObject,
    flagged_count: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    debug_assert!(flagged_count << 1 >> 1 >= 3);
    // SAFETY: `object` is a branch callback, and the arguments are those of a branch event (caller).
    unsafe {
        let offset = ffi::PyLong_AsLong(*arguments.add(1));
        if exception_is_set() {
            return null_mut();
        }
        let index = offset as isize / size_of::<ffi::_Py_CODEUNIT>() as isize;
        let codelike = *arguments;
        if is_exact(codelike, &raw mut ffi::PyCode_Type) && (0..size(codelike)).contains(&index) {
            let source = Code::from_ptr(codelike.cast()).bytecode().add(index);
            if !opcodes::is_instrumented(source.opcode()) {
                return seams::instrumentation::disable();
            }
        }
        ffi::PyObject_Vectorcall((*object.cast::<BranchCallback>()).callback, arguments, flagged_count, names)
    }
}

// --- co_branches -------------------------------------------------------------------------------

/// A branch: the code units of the instruction, and of the targets of its two ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Branch {
    source: usize,
    left: usize,
    right: usize,
}

/// The first branch at or after code unit `start`, and the code unit from which to search for the next one.
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
            // The right way skips END_FOR and POP_ITER.
            FOR_ITER => {
                return Some((Branch { source: index, left: next, right: next + argument + 2 }, next));
            }
            POP_JUMP_IF_FALSE | POP_JUMP_IF_TRUE | POP_JUMP_IF_NONE | POP_JUMP_IF_NOT_NONE => {
                // The left way skips NOT_TAKEN.
                let left = next + 1;
                return Some((Branch { source: index, left, right: next + argument }, left));
            }
            END_ASYNC_FOR => {
                // The branch is the END_SEND of the loop. The left way skips the NOT_TAKEN after it, the
                // right way leaves the loop.
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

/// An iterator over the branches of a code object (`co_branches()`).
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

/// `tp_dealloc` of the iterator.
///
/// # Safety
/// `object` is a [`Branches`] without references, and the thread is attached.
unsafe extern "C" fn free_branches(object: *mut PyObject) {
    // SAFETY: `object` is such an iterator, which owns its code object; its memory is from
    // `PyType_GenericAlloc` (caller).
    unsafe {
        refcount::decref((*object.cast::<Branches>()).code);
        ffi::PyObject_Free(object.cast());
    }
}

/// `tp_iternext` of the iterator.
///
/// # Safety
/// `object` is a live [`Branches`], and the thread is attached.
unsafe extern "C" fn next_of_branches(object: *mut PyObject) -> *mut PyObject {
    // SAFETY: `object` is such an iterator, which keeps its code object alive (caller). With the lock, no
    // other thread instruments the code object.
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

/// A branch as Python code gets it: a tuple of three offsets in bytes. Fails with MemoryError.
///
/// # Safety
/// The thread is attached.
unsafe fn triple(branch: Branch) -> PyResult {
    // SAFETY: the thread is attached (caller). `_PyTuple_FromArraySteal` takes over the references even if it
    // fails.
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

/// Returns an iterator over the branches of `code`, for `co_branches()`. Fails with MemoryError.
///
/// # Safety
/// The thread is attached, and `code` is live.
pub(crate) unsafe fn iterator(code: Code) -> PyResult {
    // SAFETY: the thread is attached, and `code` is live (caller). The memory is zeroed, so the iterator
    // begins at code unit zero.
    unsafe {
        let iterator = Owned::from_host(ffi::PyType_GenericAlloc(&raw mut BRANCHES_TYPE, 0))?;
        (*iterator.as_ptr().cast::<Branches>()).code = refcount::new_ref(code.object());
        Ok(iterator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::opcodes::BaseInstruction;

    struct Units(Vec<BaseInstruction>);

    impl Listing for Units {
        fn units(&self) -> usize {
            self.0.len()
        }
        fn first_traceable(&self) -> usize {
            0
        }
        fn at(&self, index: usize) -> BaseInstruction {
            self.0[index]
        }
    }

    fn branches(rows: &[(u8, u8)]) -> Vec<(usize, usize, usize)> {
        let listing = Units(
            rows.iter().map(|&(opcode, argument)| BaseInstruction { opcode, argument, length: 1 }).collect(),
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
