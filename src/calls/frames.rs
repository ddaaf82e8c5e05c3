//! Creates the frames of calls, and clears frames. Source: `ceval.c`, `frame.c`, `pycore_interpframe.h`.

use super::arguments::{self, Arguments, BorrowedArguments, OwnedArguments};
use crate::host::generator::Generator;
use crate::host::object::{tuple_items, tuple_size};
use crate::host::{Code, Frame, PyObject, PyResult, Raised, StackRef, ThreadState, ffi, refcount};

// --- Creating frames ---------------------------------------------------------------------------

/// Creates a frame on the thread's data stack for a call of `function`, with the arguments bound. Takes over
/// `function`, `locals` (the namespace, or null) and the references in owned arguments, on failure too. Borrows
/// `kwnames` (a tuple of the keywords, or null). The frame's `previous` is set, but the frame is not linked
/// into the thread yet.
///
/// # Safety
/// The thread is attached and its frames are published. `function` is a live function, and the caller owns
/// `function`, `locals` and owned arguments. `args` has one value for each keyword after the positional ones.
/// `previous` is live.
#[inline(always)]
pub(crate) unsafe fn push<A: Arguments>(
    tstate: ThreadState,
    function: StackRef,
    locals: *mut PyObject,
    args: A,
    kwnames: *mut PyObject,
    previous: Option<Frame>,
) -> PyResult<Frame> {
    // SAFETY: `function` is a live function (caller). The new frame has the size of its code, and `bind` fills
    // its locals.
    unsafe {
        let callee = function.object().cast::<ffi::PyFunctionObject>();
        let code = Code::from_ptr((*callee).func_code.cast());
        let Some(frame) = tstate.push_frame((*code.as_ptr()).co_framesize as usize) else {
            return Err(no_memory(function, locals, args, kwnames));
        };
        // `bind` fills all locals, so none is set to null here.
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

/// Releases what [`push`] has taken over, and sets MemoryError.
///
/// # Safety
/// As for [`push`].
#[cold]
#[inline(never)]
unsafe fn no_memory<A: Arguments>(
    function: StackRef,
    locals: *mut PyObject,
    args: A,
    kwnames: *mut PyObject,
) -> Raised {
    // SAFETY: the caller of `push` has handed over all these references, and none was used yet.
    unsafe {
        function.close();
        refcount::xdecref(locals);
        let keywords = if kwnames.is_null() { 0 } else { tuple_size(kwnames) };
        args.give_up_all(0..args.positional() + keywords);
        ffi::PyErr_NoMemory();
    }
    Raised
}

/// [`push`] out of line. Takes over the values in `args`: `argcount` positional ones, then one for each name in
/// `kwnames`.
///
/// # Safety
/// As for [`push`]. `args` points to these values, and none of them is used again.
#[inline(never)]
pub(crate) unsafe fn push_owned(
    tstate: ThreadState,
    function: StackRef,
    locals: *mut PyObject,
    args: *const StackRef,
    argcount: usize,
    kwnames: *mut PyObject,
    previous: Option<Frame>,
) -> PyResult<Frame> {
    // SAFETY: `args` points to the values, which the caller hands over (caller); the rest is the contract of
    // `push`.
    unsafe { push(tstate, function, locals, OwnedArguments::new(args, argcount), kwnames, previous) }
}

// One word, so handlers get it in a register.
static_assertions::assert_eq_size!(PyResult<Frame>, usize);

/// Like [`push_owned`], for arguments in the tuple `callargs` of length `nargs` and the dictionary `kwargs`
/// (null: none). Takes over both (`_PyEvalFramePushAndInit_Ex`).
///
/// # Safety
/// As for [`push`]. `callargs` is a live tuple of that length; `kwargs` is null or a live dictionary. The
/// caller owns both.
#[inline(never)] // It is large and has one caller: the handler of CALL_FUNCTION_EX is 700 bytes smaller without it.
pub(crate) unsafe fn push_frame_for_ex(
    tstate: ThreadState,
    func: StackRef,
    locals: *mut PyObject,
    nargs: isize,
    callargs: *mut PyObject,
    kwargs: *mut PyObject,
    previous: Option<Frame>,
) -> PyResult<Frame> {
    // SAFETY: the tuple has `nargs` items and is released only after the call of `push`, which borrows them
    // (caller).
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

/// Creates the frame of a call with keywords in a dictionary that is not empty. Borrows tuple and dictionary.
///
/// # Safety
/// As for [`push_frame_for_ex`]; `kwargs` is not null.
#[inline(never)]
unsafe fn push_unpacked(
    tstate: ThreadState,
    func: StackRef,
    locals: *mut PyObject,
    nargs: isize,
    callargs: *mut PyObject,
    kwargs: *mut PyObject,
    previous: Option<Frame>,
) -> PyResult<Frame> {
    // SAFETY: tuple and dictionary are live (caller). The array that the host returns owns its references,
    // which move to `push`; then the array is freed without releasing them.
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

/// Releases everything that a finished frame holds, and frees its memory: pops it off the data stack, or leaves
/// it to its generator. If a frame object outlives the frame, it takes over the contents.
///
/// Inlined for returns. [`clear_and_pop_seldom`] does the same out of line.
///
/// # Safety
/// The thread is attached. `frame` is live and published, but not linked into the thread any more, so that
/// destructors do not see it. If a thread owns it, it is the last frame on this thread's data stack; otherwise
/// a generator owns it, which this thread runs.
#[inline(always)]
pub(crate) unsafe fn clear_and_pop(tstate: ThreadState, frame: Frame) {
    // SAFETY: the frame is live, published and not linked (caller). Each reference is released once.
    unsafe {
        let fields = frame.as_ptr();
        if frame.owner() != ffi::FRAME_OWNED_BY_THREAD {
            return clear_generator_frame(tstate, frame);
        }
        if !(*fields).frame_obj.is_null() {
            return clear_observed_frame(tstate, frame);
        }
        // Destructors run in this order: values from the top of the stack, then locals from the last one.
        let bottom = frame.local_slot(0);
        let mut slot = frame.stack_pointer();
        while slot > bottom {
            slot = slot.sub(1);
            (*slot).close();
        }
        // The frame of an ordinary function has no such namespace.
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
///
/// # Safety
/// As for [`clear_and_pop`]; the thread owns the frame, and it has a frame object.
#[inline(never)]
unsafe fn clear_observed_frame(tstate: ThreadState, frame: Frame) {
    // SAFETY: the frame is the last one on the data stack (caller). The host's function releases everything but
    // the executable.
    unsafe {
        ffi::_PyFrame_ClearExceptCode(frame.as_ptr());
        StackRef::from_raw((*frame.as_ptr()).f_executable).close();
        tstate.pop_frame(frame);
    }
}

/// Clears the frame of a finished generator, and its exception state.
///
/// # Safety
/// As for [`clear_and_pop`]; a generator owns the frame.
#[inline(never)]
unsafe fn clear_generator_frame(tstate: ThreadState, frame: Frame) {
    // SAFETY: the frame is part of its generator, whose exception state is the thread's topmost one while it
    // runs (caller).
    unsafe {
        let generator = Generator::of_frame(frame).object().cast::<ffi::PyGenObject>();
        let exceptions = &raw mut (*generator).gi_exc_state;
        debug_assert!((*tstate.as_ptr()).exc_info == exceptions);
        (*generator).gi_frame_state = ffi::FRAME_CLEARED as _;
        (*tstate.as_ptr()).exc_info = (*exceptions).previous_item;
        (*exceptions).previous_item = core::ptr::null_mut();
        frame.set_previous(None);
        ffi::_PyFrame_ClearExceptCode(frame.as_ptr());
        let handled = core::mem::replace(&mut (*exceptions).exc_value, core::ptr::null_mut());
        refcount::xdecref(handled);
    }
}

/// [`clear_and_pop`] out of line.
///
/// # Safety
/// As for [`clear_and_pop`].
#[inline(never)]
pub(crate) unsafe fn clear_and_pop_seldom(tstate: ThreadState, frame: Frame) {
    // SAFETY: the contract of `clear_and_pop` (caller).
    unsafe { clear_and_pop(tstate, frame) }
}

// --- Entry frames ------------------------------------------------------------------------------

/// Restores the thread's executor, if an executor called into the evaluator. The entry frame kept it alive in
/// its only local.
///
/// # Safety
/// The thread is attached. `entry` is a live entry frame of this thread that is not linked any more.
#[inline(always)]
pub(crate) unsafe fn restore_executor(tstate: ThreadState, entry: Frame) {
    // SAFETY: an entry frame has one local (caller). If its reference is the last one, the executor is not freed
    // yet, since the thread's state says that it is in use.
    unsafe {
        let executor = entry.local(0);
        if cfg!(py_tier2) && !executor.is_null() {
            (*tstate.as_ptr()).current_executor = executor.object();
            executor.close();
        }
    }
}
