//! Evaluating code objects and functions from C. Source: `ceval.c`.

use core::ffi::c_int;

use crate::calls::arguments::BorrowedArguments;
use crate::calls::frames;
use crate::host::object::tuple_items;
use crate::host::{Frame, Owned, PyObject, PyResult, Raised, StackRef, ThreadState, ffi, refcount};
use crate::seams;

/// Runs a frame in the installed evaluator (`_PyEval_EvalFrame`).
///
/// # Safety
/// The thread is attached and `tstate` its state; the frame is complete, published and not linked yet.
#[inline(always)]
pub(crate) unsafe fn eval_frame(tstate: ThreadState, frame: Frame, throw: c_int) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe {
        match (*tstate.interp()).eval_frame {
            None => seams::ceval::eval_frame_default(tstate, frame, throw),
            Some(evaluator) => evaluator(tstate.as_ptr(), frame.as_ptr(), throw),
        }
    }
}

/// Calls `func` with `argcount` positional arguments from `args`, then one for each name in the tuple `kwnames`
/// (null: none); `locals` (may be null) is the namespace of code that wants one. All are borrowed.
///
/// # Safety
/// The thread is attached and `tstate` is its state; everything is live.
pub(crate) unsafe fn call(
    tstate: ThreadState,
    func: *mut ffi::PyFunctionObject,
    locals: *mut PyObject,
    args: *const *mut PyObject,
    argcount: usize,
    kwnames: *mut PyObject,
) -> PyResult {
    // SAFETY: the caller's promise.
    unsafe {
        refcount::xincref(locals);
        let function = StackRef::new(func.cast());
        let args = BorrowedArguments::new(args, argcount);
        let frame = frames::push(tstate, function, locals, args, kwnames, Frame::NULL)?;
        Owned::from_host(eval_frame(tstate, frame, 0))
    }
}

/// Runs the code object `code` in these namespaces; `locals` may be null. All are borrowed.
///
/// # Safety
/// The thread is attached; everything is live, and `globals` is a dictionary.
pub(crate) unsafe fn run_code(
    code: *mut PyObject,
    globals: *mut PyObject,
    locals: *mut PyObject,
) -> PyResult {
    let none = core::ptr::null_mut();
    // SAFETY: the caller's promise.
    unsafe {
        let function = make_function(code, globals, none, none, none)?;
        let locals = if locals.is_null() { globals } else { locals };
        let function_object = function.as_ptr().cast();
        call(ThreadState::current(), function_object, locals, core::ptr::null(), 0, none)
    }
}

/// Calls `function` with positional arguments, and with keywords in pairs of name and value: pointers to
/// borrowed objects, and how many arguments or pairs there are.
///
/// # Safety
/// The thread is attached, and everything is live.
pub(crate) unsafe fn call_with_pairs(
    function: &Owned,
    locals: *mut PyObject,
    (args, argcount): (*const *mut PyObject, usize),
    (pairs, count): (*const *mut PyObject, usize),
) -> PyResult {
    // SAFETY: the contract of this function.
    unsafe {
        let keywords = Keywords::new(args, argcount, pairs, count)?;
        let names = keywords.names.as_ref().map_or(core::ptr::null_mut(), Owned::as_ptr);
        let function = function.as_ptr().cast();
        call(ThreadState::current(), function, locals, keywords.values, argcount, names)
    }
}

/// A function of the code object `code`, named after it. The arguments, which may be null except
/// for code and globals, are borrowed.
///
/// # Safety
/// The thread is attached; each argument is null, where that is allowed, or live.
#[inline(never)]
pub(crate) unsafe fn make_function(
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

/// The arguments of a call as [`call`] wants them, borrowed from pairs of name and value.
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
