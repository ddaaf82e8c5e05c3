//! Making the frames of calls, and clearing them. Source: `ceval.c`, `frame.c`,
//! `pycore_interpframe.h`.

use super::arguments::{self, Arguments, BorrowedArguments, OwnedArguments};
use crate::host::generator::Generator;
use crate::host::object::{tuple_items, tuple_size};
use crate::host::{Code, Frame, PyObject, PyResult, Raised, StackRef, ThreadState, ffi, refcount};

// --- Making frames -----------------------------------------------------------------------------

/// A frame on the thread's data stack for a call of `function`, with the arguments bound. Takes over
/// `function`, `locals` (the namespace, or null) and the references in owned arguments, on failure
/// too; borrows `kwnames` (a tuple of the keywords, or null). The frame is not linked yet.
///
/// # Safety
/// The thread is attached, and all of these are live.
#[inline(always)]
pub(crate) unsafe fn push<A: Arguments>(
    tstate: ThreadState,
    function: StackRef,
    locals: *mut PyObject,
    args: A,
    kwnames: *mut PyObject,
    previous: Frame,
) -> PyResult<Frame> {
    // SAFETY: the caller's promise.
    unsafe {
        let callee = function.object().cast::<ffi::PyFunctionObject>();
        let code = Code::from_ptr((*callee).func_code.cast());
        let frame = tstate.push_frame((*code.as_ptr()).co_framesize as usize);
        if frame.is_null() {
            return Err(no_memory(function, locals, args, kwnames));
        }
        // The locals are left to the binding, which fills them all.
        frame.initialize(tstate, function, locals, code, code.nlocalsplus(), previous);
        match arguments::bind(frame, callee, code, args, kwnames) {
            Ok(()) => Ok(frame),
            Err(Raised) => {
                clear_and_pop_seldom(tstate, frame);
                Err(Raised)
            }
        }
    }
}

/// Gives up what a call has taken over, for want of memory.
#[cold]
#[inline(never)]
unsafe fn no_memory<A: Arguments>(
    function: StackRef,
    locals: *mut PyObject,
    args: A,
    kwnames: *mut PyObject,
) -> Raised {
    // SAFETY: the caller's promise.
    unsafe {
        function.close();
        refcount::xdecref(locals);
        let keywords = if kwnames.is_null() { 0 } else { tuple_size(kwnames) };
        args.give_up_all(0..args.positional() + keywords);
        ffi::PyErr_NoMemory();
    }
    Raised
}

/// [`push`] out of line, for `argcount` positional values in `args` and one for each name in `kwnames` after them,
/// which it takes over.
///
/// # Safety
/// As for [`push`].
#[inline(always)]
pub(crate) unsafe fn push_owned(
    tstate: ThreadState,
    function: StackRef,
    locals: *mut PyObject,
    args: *const StackRef,
    argcount: usize,
    kwnames: *mut PyObject,
    previous: Frame,
) -> PyResult<Frame> {
    // SAFETY: the contract of this function.
    let frame = unsafe { push_out_of_line(tstate, function, locals, args, argcount, kwnames, previous) };
    if frame.is_null() { Err(Raised) } else { Ok(Frame::from_ptr(frame)) }
}

/// As [`push_owned`]. A pointer is returned in one register, which makes the handlers of calls smaller.
#[inline(never)]
unsafe fn push_out_of_line(
    tstate: ThreadState,
    function: StackRef,
    locals: *mut PyObject,
    args: *const StackRef,
    argcount: usize,
    kwnames: *mut PyObject,
    previous: Frame,
) -> *mut ffi::_PyInterpreterFrame {
    // SAFETY: the contract of `push_owned`.
    let frame =
        unsafe { push(tstate, function, locals, OwnedArguments::new(args, argcount), kwnames, previous) };
    frame.map_or(core::ptr::null_mut(), Frame::as_ptr)
}

/// Like [`push_owned`], for arguments in a tuple of length `nargs` and a dictionary (null:
/// none), which it takes over as well (`_PyEvalFramePushAndInit_Ex`).
///
/// # Safety
/// As for [`push_owned`].
#[inline(never)] // It is large and has one caller: the handler of CALL_FUNCTION_EX is 700 bytes smaller without it.
pub(crate) unsafe fn push_frame_for_ex(
    tstate: ThreadState,
    func: StackRef,
    locals: *mut PyObject,
    nargs: isize,
    callargs: *mut PyObject,
    kwargs: *mut PyObject,
    previous: Frame,
) -> PyResult<Frame> {
    // SAFETY: the caller's promise.
    unsafe {
        let frame = if kwargs.is_null() || ffi::PyDict_Size(kwargs) == 0 {
            let args = BorrowedArguments::new(tuple_items(callargs), nargs as usize);
            push(tstate, func, locals, args, core::ptr::null_mut(), previous)
        } else {
            push_unpacked(tstate, func, locals, nargs, callargs, kwargs, previous)
        };
        refcount::decref(callargs);
        refcount::xdecref(kwargs);
        frame
    }
}

/// A call with keywords in a dictionary that is not empty; borrows tuple and dictionary.
#[inline(never)]
unsafe fn push_unpacked(
    tstate: ThreadState,
    func: StackRef,
    locals: *mut PyObject,
    nargs: isize,
    callargs: *mut PyObject,
    kwargs: *mut PyObject,
    previous: Frame,
) -> PyResult<Frame> {
    // SAFETY: the caller's promise. The array that the host makes owns its references.
    unsafe {
        let mut kwnames = core::ptr::null_mut();
        let array =
            ffi::_PyStack_UnpackDict(tstate.as_ptr(), tuple_items(callargs), nargs, kwargs, &raw mut kwnames);
        if array.is_null() {
            func.close();
            refcount::xdecref(locals);
            return Err(Raised);
        }
        let values = array.cast::<StackRef>().cast_mut();
        for index in 0..nargs as usize + tuple_size(kwnames) {
            *values.add(index) = StackRef::steal(*array.add(index));
        }
        let args = OwnedArguments::new(values, nargs as usize);
        let frame = push(tstate, func, locals, args, kwnames, previous);
        ffi::_PyStack_UnpackDict_FreeNoDecRef(array, kwnames);
        frame
    }
}

// --- Clearing frames ---------------------------------------------------------------------------

/// Gives up everything in a frame that is over and frees its memory: pops it off the data stack, or
/// leaves it to its generator. A frame object that lives on takes the contents over.
///
/// For returning; elsewhere [`clear_and_pop_seldom`] does the same out of line.
///
/// # Safety
/// The thread is attached. `frame` is not linked any more, so that no destructor sees it, but
/// published, and, if a thread owns it, the last one on the data stack.
#[inline(always)]
pub(crate) unsafe fn clear_and_pop(tstate: ThreadState, frame: Frame) {
    // SAFETY: the caller's promise.
    unsafe {
        let fields = frame.as_ptr();
        if frame.owner() != ffi::FRAME_OWNED_BY_THREAD {
            return clear_generator_frame(tstate, frame);
        }
        if !(*fields).frame_obj.is_null() {
            return clear_observed_frame(tstate, frame);
        }
        // Destructors run in this order: the stack from its top, the locals from the last one.
        let bottom = frame.local_slot(0);
        let mut slot = frame.stack_pointer();
        while slot > bottom {
            slot = slot.sub(1);
            (*slot).close();
        }
        // A function's frame has no such namespace.
        let locals = (*fields).f_locals;
        if !locals.is_null() {
            StackRef::steal(locals).close_seldom();
        }
        StackRef::from_raw((*fields).f_funcobj).close_seldom();
        StackRef::from_raw((*fields).f_executable).close_seldom();
        tstate.pop_frame(frame);
    }
}

/// Clears and pops a frame on the data stack that has a frame object.
#[inline(never)]
unsafe fn clear_observed_frame(tstate: ThreadState, frame: Frame) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::_PyFrame_ClearExceptCode(frame.as_ptr());
        StackRef::from_raw((*frame.as_ptr()).f_executable).close();
        tstate.pop_frame(frame);
    }
}

/// Clears the frame of a generator that is over, and its exception state.
#[inline(never)]
unsafe fn clear_generator_frame(tstate: ThreadState, frame: Frame) {
    // SAFETY: the caller's promise; such a frame is part of its generator, whose exception state is
    // the thread's topmost one while it runs.
    unsafe {
        let generator = Generator::of_frame(frame).object().cast::<ffi::PyGenObject>();
        let exceptions = &raw mut (*generator).gi_exc_state;
        debug_assert!((*tstate.as_ptr()).exc_info == exceptions);
        (*generator).gi_frame_state = ffi::FRAME_CLEARED as _;
        (*tstate.as_ptr()).exc_info = (*exceptions).previous_item;
        (*exceptions).previous_item = core::ptr::null_mut();
        (*frame.as_ptr()).previous = core::ptr::null_mut();
        ffi::_PyFrame_ClearExceptCode(frame.as_ptr());
        let handled = core::mem::replace(&mut (*exceptions).exc_value, core::ptr::null_mut());
        refcount::xdecref(handled);
    }
}

/// Out of line [`clear_and_pop`].
///
/// # Safety
/// As for [`clear_and_pop`].
#[inline(never)]
pub(crate) unsafe fn clear_and_pop_seldom(tstate: ThreadState, frame: Frame) {
    // SAFETY: the caller's promise.
    unsafe { clear_and_pop(tstate, frame) }
}

// --- Entry frames ------------------------------------------------------------------------------

/// Gives the thread back the executor that called into the evaluator, if one did; the entry frame
/// kept it alive in its only local.
///
/// # Safety
/// The thread is attached, and `entry` is a live entry frame that is not linked any more.
#[inline(always)]
pub(crate) unsafe fn restore_executor(tstate: ThreadState, entry: Frame) {
    // SAFETY: the caller's promise. Whatever called the evaluator from an executor holds another
    // reference to it, so closing this one frees nothing.
    unsafe {
        let executor = entry.local(0);
        if !executor.is_null() {
            (*tstate.as_ptr()).current_executor = executor.object();
            executor.close();
        }
    }
}
