//! Evaluating code objects and functions from C: `PyEval_EvalCode` and its kin. Source: `ceval.c`. Called by
//! `exports`.

use core::ffi::c_int;

use crate::calls::arguments::BorrowedArguments;
use crate::calls::frames;
use crate::host::object::tuple_items;
use crate::host::{Frame, Owned, PyObject, PyResult, Raised, StackRef, ThreadState, ffi, refcount};
use crate::seams;

/// Runs a frame in the installed evaluator (`_PyEval_EvalFrame`). Returns a new reference, or null with an
/// exception set.
///
/// # Safety
/// As for [`evaluate`](super::entry::evaluate).
#[inline(always)]
pub(crate) unsafe fn eval_frame(tstate: ThreadState, frame: Frame, throw: c_int) -> *mut PyObject {
    // SAFETY: the frame is live, complete, published and not linked (caller), which is the contract of
    // evaluators.
    unsafe {
        match (*tstate.interp()).eval_frame {
            None => seams::ceval::eval_frame_default(tstate, frame, throw),
            Some(evaluator) => evaluator(tstate.as_ptr(), frame.as_ptr(), throw),
        }
    }
}

/// Calls `func` with `argcount` positional arguments from `args`, then one for each name in the tuple `kwnames`
/// (null: none). `locals` (may be null) is the namespace of code that needs one. Borrows all of them.
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published. All objects are live, and `args` points to
/// as many of them as the call has arguments.
pub(crate) unsafe fn call(
    tstate: ThreadState,
    func: *mut ffi::PyFunctionObject,
    locals: *mut PyObject,
    args: *const *mut PyObject,
    argcount: usize,
    kwnames: *mut PyObject,
) -> PyResult {
    // SAFETY: all objects stay live during the call (caller). The frame takes new references to function and
    // locals.
    unsafe {
        refcount::xincref(locals);
        let function = StackRef::new(func.cast());
        let args = BorrowedArguments::new(args, argcount);
        let frame = frames::push(tstate, function, locals, args, kwnames, None)?;
        Owned::from_host(eval_frame(tstate, frame, 0))
    }
}

/// Runs the code object `code` in these namespaces; with null as `locals` in the globals. Borrows all of them.
///
/// # Safety
/// The thread is attached and its frames are published. All objects are live; `code` is a code object and
/// `globals` a dictionary.
pub(crate) unsafe fn run_code(
    code: *mut PyObject,
    globals: *mut PyObject,
    locals: *mut PyObject,
) -> PyResult {
    let none = core::ptr::null_mut();
    // SAFETY: the objects are live and of these types (caller); the call has no arguments.
    unsafe {
        let function = make_function(code, globals, none, none, none)?;
        let locals = if locals.is_null() { globals } else { locals };
        let function_object = function.as_ptr().cast();
        call(ThreadState::current(), function_object, locals, core::ptr::null(), 0, none)
    }
}

/// Calls `function` with positional arguments, and with keyword arguments in pairs of name and value. Each is a
/// pointer to borrowed objects with the number of arguments or pairs.
///
/// # Safety
/// The thread is attached and its frames are published. `function` is a Python function. The arrays have as
/// many live objects as stated (two for each pair), and `locals` is live or null.
pub(crate) unsafe fn call_with_pairs(
    function: &Owned,
    locals: *mut PyObject,
    (args, argcount): (*const *mut PyObject, usize),
    (pairs, count): (*const *mut PyObject, usize),
) -> PyResult {
    // SAFETY: the arrays have these objects (caller). `keywords` outlives the call.
    unsafe {
        let keywords = Keywords::new(args, argcount, pairs, count)?;
        let names = keywords.names.as_ref().map_or(core::ptr::null_mut(), Owned::as_ptr);
        let function = function.as_ptr().cast();
        call(ThreadState::current(), function, locals, keywords.values, argcount, names)
    }
}

/// Creates a function of the code object `code`, named after it. Borrows all arguments; all but `code` and
/// `globals` may be null.
///
/// # Safety
/// The thread is attached and its frames are published. `code` is a live code object and `globals` a live
/// dictionary. Each other argument is null or live and of the type that a function needs.
#[inline(never)]
pub(crate) unsafe fn make_function(
    code: *mut PyObject,
    globals: *mut PyObject,
    defaults: *mut PyObject,
    kwdefaults: *mut PyObject,
    closure: *mut PyObject,
) -> PyResult {
    // SAFETY: the objects are live and of the right types (caller); the description is read during the call
    // only.
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

/// Releases a reference to builtins. Free-threaded hosts count these references per thread if the object is
/// exactly a dictionary (`_Py_DECREF_BUILTINS`).
///
/// # Safety
/// The thread is attached, and the caller owns the reference, which `_PyDict_LoadBuiltinsFromGlobals` returned.
unsafe fn give_up_builtins(builtins: *mut PyObject) {
    // SAFETY: the caller owns the reference. The table of counts belongs to the attached thread, and the index
    // is checked.
    unsafe {
        #[cfg(py_gil_disabled)]
        if crate::host::object::is_exact(builtins, &raw mut ffi::PyDict_Type) {
            use core::sync::atomic::{AtomicU64, Ordering};
            let tag = &raw mut (*builtins.cast::<ffi::PyDictObject>())._ma_watcher_tag;
            let id = AtomicU64::from_ptr(tag).load(Ordering::Relaxed) >> ffi::DICT_UNIQUE_ID_SHIFT;
            let counts = &raw mut (*ThreadState::current().implementation()).refcounts;
            // Identifiers start at 1. 0 means that references to the object are counted as usual.
            if id != 0 && id <= (*counts).size as u64 {
                *(*counts).values.add(id as usize - 1) -= 1;
                return;
            }
        }
        refcount::decref(builtins);
    }
}

/// The arguments of a call in the form that [`call`] needs, borrowed from pairs of name and value.
struct Keywords {
    names: Option<Owned>,
    values: *const *mut PyObject,
    /// The allocated block of `values`; null if `values` is the caller's array.
    memory: *mut *mut PyObject,
}

impl Keywords {
    /// # Safety
    /// The thread is attached. `args` points to `argcount` live objects and `pairs` to twice `count`; they stay
    /// live while the result is used.
    unsafe fn new(
        args: *const *mut PyObject,
        argcount: usize,
        pairs: *const *mut PyObject,
        count: usize,
    ) -> PyResult<Keywords> {
        // SAFETY: the arrays have these objects (caller), and the block has room for all values.
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
        // SAFETY: the block is null or from `PyMem_Malloc`, and freed only here; the thread is attached, as in
        // `new`.
        unsafe { ffi::PyMem_Free(self.memory.cast()) }
    }
}
