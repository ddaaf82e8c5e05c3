//! Evaluating code objects and functions from C. Source: `ceval.c`.

use core::ffi::c_int;

use super::arguments::BorrowedArguments;
use super::frames;
use crate::host::object::tuple_items;
use crate::host::owned::into_host;
use crate::host::{Frame, Owned, PyObject, PyResult, Raised, StackRef, ThreadState, ffi, refcount};
use crate::interp::entry::_PyEval_EvalFrameDefault;

/// Runs a frame in the installed evaluator (`_PyEval_EvalFrame`).
#[inline(always)]
unsafe fn eval_frame(tstate: ThreadState, frame: Frame, throw: c_int) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe {
        match (*tstate.interp()).eval_frame {
            None => _PyEval_EvalFrameDefault(tstate.as_ptr(), frame.as_ptr(), throw),
            Some(evaluator) => evaluator(tstate.as_ptr(), frame.as_ptr(), throw),
        }
    }
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
    let tstate = ThreadState::from_ptr(tstate);
    // SAFETY: the caller's promise.
    unsafe {
        refcount::xincref(locals);
        let function = StackRef::new(func.cast());
        let args = BorrowedArguments::new(args, argcount);
        match frames::push(tstate, function, locals, args, kwnames, Frame::NULL) {
            Ok(frame) => eval_frame(tstate, frame, 0),
            Err(Raised) => core::ptr::null_mut(),
        }
    }
}

/// Runs the frame of `f`; kept for old programs. Gives a new reference, or null with an exception set.
/// Stands for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// The thread is attached; `f` is a live frame object whose frame is complete and not running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalFrame(f: *mut ffi::PyFrameObject) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { PyEval_EvalFrameEx(f, 0) }
}

/// Like [`PyEval_EvalFrame`]; a nonzero `throwflag` raises the thread's exception in the frame. Stands
/// for the host's symbol of this name (`ceval.c`).
///
/// # Safety
/// As for [`PyEval_EvalFrame`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn PyEval_EvalFrameEx(f: *mut ffi::PyFrameObject, throwflag: c_int) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { eval_frame(ThreadState::current(), Frame::from_ptr((*f).f_frame), throwflag) }
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
    let none = core::ptr::null_mut();
    // SAFETY: the caller's promise.
    unsafe {
        let Ok(function) = make_function(co, globals, none, none, none) else {
            return core::ptr::null_mut();
        };
        let locals = if locals.is_null() { globals } else { locals };
        let function_object = function.as_ptr().cast();
        _PyEval_Vector(ThreadState::current().as_ptr(), function_object, locals, core::ptr::null(), 0, none)
    }
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
    // SAFETY: the caller's promise.
    unsafe {
        let call = || -> PyResult {
            let defaults = Owned::from_host(ffi::_PyTuple_FromArray(defs, defcount as isize))?;
            let function = make_function(_co, globals, defaults.as_ptr(), kwdefs, closure)?;
            let keywords = Keywords::new(args, argcount as usize, kws, kwcount as usize)?;
            let locals = if locals.is_null() { globals } else { locals };
            Owned::from_host(_PyEval_Vector(
                ThreadState::current().as_ptr(),
                function.as_ptr().cast(),
                locals,
                keywords.values,
                argcount as usize,
                keywords.names.as_ref().map_or(core::ptr::null_mut(), Owned::as_ptr),
            ))
        };
        into_host(call())
    }
}

/// A function of the code object `code`, named after it. The arguments, which may be null except
/// for code and globals, are borrowed.
#[inline(never)]
unsafe fn make_function(
    code: *mut PyObject,
    globals: *mut PyObject,
    defaults: *mut PyObject,
    kwdefaults: *mut PyObject,
    closure: *mut PyObject,
) -> PyResult {
    // SAFETY: the caller's promise.
    unsafe {
        let builtins = ffi::_PyDict_LoadBuiltinsFromGlobals(globals);
        if builtins.is_null() {
            return Err(Raised);
        }
        let name = (*code.cast::<ffi::PyCodeObject>()).co_name;
        let mut description = ffi::PyFrameConstructor {
            fc_globals: globals,
            fc_builtins: builtins,
            fc_name: name,
            fc_qualname: name,
            fc_code: code,
            fc_defaults: defaults,
            fc_kwdefaults: kwdefaults,
            fc_closure: closure,
        };
        let function = ffi::_PyFunction_FromConstructor(&raw mut description);
        give_up_builtins(builtins);
        Owned::from_host(function.cast())
    }
}

/// Gives up a reference to builtins, which free-threaded hosts count per thread if they are a
/// dictionary (`_Py_DECREF_BUILTINS`).
unsafe fn give_up_builtins(builtins: *mut PyObject) {
    // SAFETY: the caller owns the reference; the table of counts is the attached thread's own.
    unsafe {
        #[cfg(py_gil_disabled)]
        if crate::host::object::is_exact(builtins, &raw mut ffi::PyDict_Type) {
            use core::sync::atomic::{AtomicU64, Ordering};
            let tag = &raw mut (*builtins.cast::<ffi::PyDictObject>())._ma_watcher_tag;
            let id = AtomicU64::from_ptr(tag).load(Ordering::Relaxed) >> ffi::DICT_UNIQUE_ID_SHIFT;
            let counts = &raw mut (*ThreadState::current().implementation()).refcounts;
            // Ids begin with 1; 0 is for those that are counted like any object.
            if id != 0 && id <= (*counts).size as u64 {
                *(*counts).values.add(id as usize - 1) -= 1;
                return;
            }
        }
        refcount::decref(builtins);
    }
}

/// The arguments of a call as [`_PyEval_Vector`] wants them, borrowed from pairs of name and value.
struct Keywords {
    names: Option<Owned>,
    values: *const *mut PyObject,
    /// The memory of `values`; null if that is the caller's array.
    memory: *mut *mut PyObject,
}

impl Keywords {
    /// # Safety
    /// The thread is attached; `args` holds `argcount` live objects and `pairs` twice `count`.
    unsafe fn new(
        args: *const *mut PyObject,
        argcount: usize,
        pairs: *const *mut PyObject,
        count: usize,
    ) -> PyResult<Keywords> {
        // SAFETY: the caller's promise.
        unsafe {
            if count == 0 {
                return Ok(Keywords { names: None, values: args, memory: core::ptr::null_mut() });
            }
            let names = Owned::from_host(ffi::PyTuple_New(count as isize))?;
            let memory =
                ffi::PyMem_Malloc((argcount + count) * size_of::<*mut PyObject>()).cast::<*mut PyObject>();
            if memory.is_null() {
                ffi::PyErr_NoMemory();
                return Err(Raised);
            }
            memory.copy_from_nonoverlapping(args, argcount);
            for index in 0..count {
                *tuple_items(names.as_ptr()).add(index) = refcount::new_ref(*pairs.add(2 * index));
                *memory.add(argcount + index) = *pairs.add(2 * index + 1);
            }
            Ok(Keywords { names: Some(names), values: memory, memory })
        }
    }
}

impl Drop for Keywords {
    fn drop(&mut self) {
        // SAFETY: the memory is the host's and freed once; the thread is attached.
        unsafe { ffi::PyMem_Free(self.memory.cast()) }
    }
}
