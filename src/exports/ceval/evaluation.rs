//! The symbols of `ceval.o` that run code: the evaluator, the functions through which C enters it, and frames.
//! The implementations are in [`crate::interp`] and [`crate::calls`].

use core::ffi::c_int;

use crate::calls::frames;
use crate::host::owned::into_host;
use crate::host::{Frame, Owned, PyObject, StackRef, ThreadState, ffi};
use crate::interp::{entry, eval};

#[cfg(feature = "attach")]
hidden! {
    _PyEval_EvalFrameDefault, _PyEval_Vector, PyEval_EvalFrame, PyEval_EvalFrameEx, PyEval_EvalCode,
    PyEval_EvalCodeEx, _PyEvalFramePushAndInit, _PyEval_FrameClearAndPop
}

/// Runs `frame` until it returns or yields, and returns the value: the default evaluator of PEP 523.
///
/// If `throwflag` is nonzero, raises the thread's exception at the point where the frame (a generator's) is
/// suspended. Returns a new reference, or NULL with an exception set. Clears and pops the frame when it ends.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state. `frame` is complete, published, and not yet linked
/// into the thread's frames. If `throwflag` is nonzero, an exception is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_EvalFrameDefault(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    throwflag: core::ffi::c_int,
) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    unsafe { entry::evaluate(ThreadState::from_ptr(tstate), Frame::from_ptr(frame), throwflag != 0) }
}

/// Calls `func` with `argcount` positional arguments from `args`, then one for each name in the tuple `kwnames`
/// (may be NULL). `locals` (may be NULL) is the namespace for code that wants one. Borrows all arguments.
/// Returns a new reference, or NULL with an exception set.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state. All objects are live; `args` has one entry per
/// positional argument and keyword.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_Vector(
    tstate: *mut ffi::PyThreadState,
    func: *mut ffi::PyFunctionObject,
    locals: *mut PyObject,
    args: *const *mut PyObject,
    argcount: usize,
    kwnames: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { eval::call(ThreadState::from_ptr(tstate), func, locals, args, argcount, kwnames) })
}

/// Runs the frame of `f`; kept for old programs. Borrows `f`. Returns a new reference, or NULL with an
/// exception set.
///
/// # Safety
/// The calling thread is attached; `f` is a live frame object whose frame is complete and not running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalFrame(f: *mut ffi::PyFrameObject) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    unsafe { PyEval_EvalFrameEx(f, 0) }
}

/// Like `PyEval_EvalFrame`; if `throwflag` is nonzero, raises the thread's exception in the frame.
///
/// # Safety
/// As for `PyEval_EvalFrame`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalFrameEx(f: *mut ffi::PyFrameObject, throwflag: c_int) -> *mut PyObject {
    // SAFETY: `f` is live and its frame complete and not running (caller), so the evaluator may run it.
    unsafe { eval::eval_frame(ThreadState::current(), Frame::from_ptr((*f).f_frame), throwflag) }
}

/// Runs the code object `co` in these namespaces, as `exec` does; `locals` may be NULL for `globals`. Borrows
/// all arguments. Returns a new reference, or NULL with an exception set.
///
/// # Safety
/// The calling thread is attached. All objects are live; `co` is a code object and `globals` a dictionary.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalCode(
    co: *mut PyObject,
    globals: *mut PyObject,
    locals: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the callee has the same contract.
    into_host(unsafe { eval::run_code(co, globals, locals) })
}

/// Runs the code object `_co` in these namespaces with these arguments: `argcount` positional ones, `kwcount`
/// pairs of name and value in `kws`, `defcount` defaults, a dictionary of keyword-only defaults (may be NULL)
/// and a tuple of cells (may be NULL). Borrows all arguments. Returns a new reference, or NULL with an
/// exception set.
///
/// # Safety
/// The calling thread is attached. All objects are live; `_co` is a code object and `globals` a dictionary; the
/// arrays have the stated lengths, `kws` twice `kwcount`.
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
    // SAFETY: the objects are live and the arrays as long as stated (caller); the callees need nothing else.
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

/// Makes the frame for a call of `func`: `argcount` positional values from `args`, then one for each name in
/// the tuple `kwnames` (may be NULL). Takes over `func`, `locals` (may be NULL) and the values, on failure too;
/// borrows `kwnames`. Returns the frame, which is not linked yet, or NULL with an exception set.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state. `func` refers to a Python function, and all
/// objects are live; `args` has one entry per positional argument and keyword.
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
    // SAFETY: the callee has the same contract.
    unsafe {
        let (tstate, func, previous) =
            (ThreadState::from_ptr(tstate), StackRef::from_raw(func), Frame::new(previous));
        frames::push_owned(tstate, func, locals, args.cast(), argcount, kwnames, previous)
            .map_or(core::ptr::null_mut(), Frame::as_ptr)
    }
}

/// Releases everything in a frame that has ended and frees its memory: pops it off the data stack, or leaves it
/// to its generator. A frame object that is still referenced takes over the contents.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state. `frame` is published, no longer linked into the
/// thread's frames, and, if it is on the data stack, the last one there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _PyEval_FrameClearAndPop(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
) {
    // SAFETY: the callee has the same contract.
    unsafe { frames::clear_and_pop_seldom(ThreadState::from_ptr(tstate), Frame::from_ptr(frame)) }
}
