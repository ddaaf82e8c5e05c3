//! The evaluator, how C enters it, and frames.

use core::ffi::c_int;

use crate::calls::frames;
use crate::host::owned::into_host;
use crate::host::{Frame, Owned, PyObject, StackRef, ThreadState, ffi};
use crate::interp::{entry, eval};

/// Runs `frame` to its end, or to its next `yield`, and gives its value: the default evaluator of
/// PEP 523. Stands for the host's symbol of this name (`ceval.c`).
///
/// `throwflag` is nonzero to raise the thread's exception at the point where the frame (a
/// generator's) is suspended. Returns a new reference, or null with an exception set. The frame is
/// cleared and popped when it ends.
///
/// # Safety
/// The thread is attached and `tstate` is its state; `frame` is a complete, published frame that is
/// not linked into the thread's frames yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_EvalFrameDefault(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    throwflag: core::ffi::c_int,
) -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe { entry::evaluate(ThreadState::from_ptr(tstate), Frame::from_ptr(frame), throwflag != 0) }
}

/// Calls `func` with `argcount` positional arguments from `args`, then one for each name in the tuple
/// `kwnames` (null: none); `locals` (may be null) is the namespace of code that wants one. All are
/// borrowed. Gives a new reference, or null with an exception set. Stands for the host's symbol of this
/// name (`ceval.c`).
///
/// # Safety
/// The thread is attached and `tstate` is its state; everything is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_Vector(
    tstate: *mut ffi::PyThreadState,
    func: *mut ffi::PyFunctionObject,
    locals: *mut PyObject,
    args: *const *mut PyObject,
    argcount: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { eval::call(ThreadState::from_ptr(tstate), func, locals, args, argcount, kwnames) })
}

/// Runs the frame of `f`; kept for old programs. Gives a new reference, or null with an exception set.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `f` is a live frame object whose frame is complete and not running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalFrame(f: *mut ffi::PyFrameObject) -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe { PyEval_EvalFrameEx(f, 0) }
}

/// Like [`PyEval_EvalFrame`]; a nonzero `throwflag` raises the thread's exception in the frame. Stands
/// for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// As for [`PyEval_EvalFrame`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalFrameEx(f: *mut ffi::PyFrameObject, throwflag: c_int) -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe { eval::eval_frame(ThreadState::current(), Frame::from_ptr((*f).f_frame), throwflag) }
}

/// Runs the code object `co` with these namespaces, as `exec` does; null `locals` are the globals. All
/// are borrowed. Gives a new reference, or null with an exception set. Stands for the host's symbol of
/// this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; everything is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalCode(
    co: *mut PyObject,
    globals: *mut PyObject,
    locals: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the contract of this function.
    into_host(unsafe { eval::run_code(co, globals, locals) })
}

/// Runs the code object `_co` with these namespaces and arguments: `argcount` positional ones, `kwcount`
/// pairs of name and value, `defcount` defaults, and, or null, a dictionary of keyword-only defaults
/// and a tuple of cells. All are borrowed. Gives a new reference, or null with an exception set. Stands
/// for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; everything is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalCodeEx(
    _co: *mut PyObject,
    globals: *mut PyObject,
    locals: *mut PyObject,
    args: *const *mut PyObject,
    argcount: c_int,
    kws: *const *mut PyObject,
    kwcount: c_int,
    defs: *const *mut PyObject,
    defcount: c_int,
    kwdefs: *mut PyObject,
    closure: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the contract of this function.
    unsafe {
        let call = || {
            let defaults = Owned::from_host(ffi::_PyTuple_FromArray(defs, defcount as isize))?;
            let function = eval::make_function(_co, globals, defaults.as_ptr(), kwdefs, closure)?;
            let locals = if locals.is_null() { globals } else { locals };
            eval::call_with_pairs(&function, locals, (args, argcount as usize), (kws, kwcount as usize))
        };
        into_host(call())
    }
}

// --- frames ---------------------------------------------------------------------------------

/// Makes the frame of a call of `func`: `argcount` positional values in `args`, then one for each
/// name in the tuple `kwnames` (null: none). Takes over `func`, `locals` (may be null) and the values,
/// on failure too; borrows `kwnames`. Gives the frame, not linked yet, or null with an exception set.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached and `tstate` is its state; `func` is a function, and everything is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEvalFramePushAndInit(
    tstate: *mut ffi::PyThreadState,
    func: ffi::_PyStackRef,
    locals: *mut PyObject,
    args: *const ffi::_PyStackRef,
    argcount: usize,
    kwnames: *mut PyObject,
    previous: *mut ffi::_PyInterpreterFrame,
) -> *mut ffi::_PyInterpreterFrame {
    // SAFETY: the contract of this function.
    unsafe {
        let (tstate, func, previous) =
            (ThreadState::from_ptr(tstate), StackRef::from_raw(func), Frame::from_ptr(previous));
        frames::push_owned(tstate, func, locals, args.cast(), argcount, kwnames, previous)
            .map_or(core::ptr::null_mut(), Frame::as_ptr)
    }
}

/// Out of line [`clear_and_pop`]. Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// As for [`clear_and_pop`]; `tstate` is the attached thread's state.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FrameClearAndPop(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
) {
    // SAFETY: the contract of this function.
    unsafe { frames::clear_and_pop_seldom(ThreadState::from_ptr(tstate), Frame::from_ptr(frame)) }
}
