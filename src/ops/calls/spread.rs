//! Calls with `*args` and `**kwargs`. The operands are the callable, an empty slot, an iterable of arguments,
//! and a dictionary of keywords or an empty slot.

use super::events::CallSite;
use super::{guard_is_function_of, inlinable};
use crate::calls::frames;
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::function::{Function, Method};
use crate::host::object::{has_feature, tuple_slice, type_of};
use crate::host::object::{is_exact, tuple_item, tuple_size};
use crate::host::{Frame, FunctionVersion, Owned, PyObject, PyResult, Raised};
use crate::host::{StackRef, ffi};
use crate::ops::frames::{enter_frame, save_return_offset};
use crate::ops::guards::guard;
use crate::raise;

/// Replaces the iterable of arguments by a tuple.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn make_callargs_a_tuple<E: Engine>(
    e: &mut E,
    Kept([_, _, arguments, _]): Kept<[StackRef; 4]>,
) -> Op {
    // SAFETY: the four operands are live and on the stack. The new reference takes the slot of the iterable
    // before that is released.
    unsafe {
        if is_exact(arguments.object(), &raw mut ffi::PyTuple_Type) {
            return Ok([]);
        }
        e.publish();
        if check_iterable(e.peek(4).object(), arguments.object()).is_err() {
            return Err(Exit::ErrorNoPop);
        }
        let tuple = ffi::PySequence_Tuple(arguments.object());
        if tuple.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        e.poke(2, StackRef::steal(tuple));
        e.close_at(arguments, e.sp());
    }
    Ok([])
}

/// Calls with a tuple of arguments. Enters the frame of a Python function without a call in C.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `make_callargs_a_tuple` has run before.
#[inline(always)]
pub(crate) unsafe fn do_call_function_ex<E: BytecodeEngine>(
    e: &mut E,
    [callable, null, arguments, keywords]: [StackRef; 4],
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op. They are dead after `spread`, which is why the stack
    // pointer moves below them.
    unsafe {
        if let Some(function) = inlinable(e, callable) {
            let base = e.sp().sub(4);
            let frame = spread(e, function, [callable, null, arguments, keywords])?;
            e.set_sp(base);
            save_return_offset(e, [])?;
            return enter_frame(e, frame);
        }
        Ok(call_out(e, [callable, null, arguments, keywords])?)
    }
}

/// Makes a frame for a call of a Python function and binds the arguments to its parameters. Releases or moves the
/// operands in any case. They are still below the engine's stack pointer afterwards, but dead.
///
/// # Safety
/// The thread is attached. The operands are the topmost values of the engine's stack, with a tuple of arguments, and
/// `function` is their callable. The caller drops the operands from the stack.
#[inline(always)]
unsafe fn spread<E: Engine>(
    e: &mut E,
    function: Function,
    [callable, _, arguments, keywords]: [StackRef; 4],
) -> Op<Frame> {
    // SAFETY: the operands are on the stack, and `function` is the callable (caller). The references to it, to the
    // arguments and to the keywords move to the frame, or are released on failure.
    unsafe {
        let base = e.sp().sub(4);
        let count = tuple_size(arguments.object()) as isize;
        let arguments = arguments.into_object();
        let keywords = if keywords.is_null() { core::ptr::null_mut() } else { keywords.into_object() };
        e.publish_at(base.add(2));
        let frame = frames::push_frame_for_ex(
            e.tstate(),
            callable,
            function.new_locals(),
            count,
            arguments,
            keywords,
            Some(e.frame()),
        );
        frame.map_err(|_| Exit::Error)
    }
}

/// Calls the callable in C, without entering a frame.
///
/// # Safety
/// The thread is attached. The operands are the topmost values of the engine's stack, with a tuple of arguments.
#[inline(always)]
unsafe fn call_out<E: Engine>(
    e: &mut E,
    [callable, null, arguments, keywords]: [StackRef; 4],
) -> Op<Settled<1>> {
    // SAFETY: the operands are live and owned by the micro-op (caller).
    unsafe {
        e.publish();
        let result = ffi::PyObject_Call(callable.object(), arguments.object(), keywords.object());
        e.settle_object([keywords, arguments, null, callable], result)
    }
}

/// The callable is a Python function of this version.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `make_callargs_a_tuple`, which may run arbitrary code, has run
/// before.
#[inline(always)]
pub(crate) unsafe fn check_function_version_ex<E: Engine>(
    _e: &mut E,
    version: FunctionVersion,
    Kept([callable, ..]): Kept<[StackRef; 4]>,
) -> Op {
    // SAFETY: the callable is live.
    unsafe { guard_is_function_of(callable, version) }
}

/// Replaces the operands by a new frame for the function and binds the arguments to its parameters.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_pep_523`, `make_callargs_a_tuple`, `check_function_version_ex`
/// and `check_recursion_remaining` have run before.
#[inline(always)]
pub(crate) unsafe fn py_frame_ex<E: Engine>(e: &mut E, operands: [StackRef; 4]) -> Op {
    // SAFETY: the operands are those of a CALL_FUNCTION_EX, and a guard has checked that the callable is a function.
    unsafe {
        let frame = spread(e, Function::from_object(operands[0].object()), operands)?;
        e.give_frame(frame);
        Ok([])
    }
}

/// The callable is none that the evaluator enters a frame for.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `make_callargs_a_tuple`, which may run arbitrary code, has run
/// before.
#[inline(always)]
pub(crate) unsafe fn check_is_not_py_callable_ex<E: Engine>(
    e: &mut E,
    Kept([callable, ..]): Kept<[StackRef; 4]>,
) -> Op {
    // SAFETY: the callable is live.
    unsafe { guard(inlinable(e, callable).is_none()) }
}

/// Calls a callable that is no Python function in C.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `make_callargs_a_tuple` and `check_is_not_py_callable_ex` have run
/// before.
#[inline(always)]
pub(crate) unsafe fn call_function_ex_non_py<E: Engine>(
    e: &mut E,
    operands: [StackRef; 4],
) -> Op<Settled<1>> {
    // SAFETY: the operands are those of a CALL_FUNCTION_EX, and on top of the stack.
    unsafe { call_out(e, operands) }
}

/// Like [`do_call_function_ex`], but always calls in C, and fires the events of the call.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `make_callargs_a_tuple` has run before.
#[inline(always)]
pub(crate) unsafe fn instrumented_do_call_function_ex<E: BytecodeEngine>(
    e: &mut E,
    [callable, null, arguments, keywords]: [StackRef; 4],
) -> Op<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op; arguments are a tuple, since
    // `make_callargs_a_tuple` has run.
    unsafe {
        let argument = if tuple_size(arguments.object()) > 0 {
            tuple_item(arguments.object(), 0)
        } else {
            core::ptr::null_mut()
        };
        let site = CallSite::new(e, callable.object(), argument);
        site.begins()?;
        let mut result = ffi::PyObject_Call(callable.object(), arguments.object(), keywords.object());
        let is_python =
            Function::cast(callable.object()).is_some() || Method::cast(callable.object()).is_some();
        if !is_python {
            result = site.ends(result);
        }
        e.settle_object([keywords, arguments, null, callable], result)
    }
}

// --- errors ------------------------------------------------------------------------------------

/// Fails with TypeError unless `args` can be spread as in `func(*args)`. Replaces an exception that is
/// already set. Both objects are borrowed.
///
/// # Safety
/// The thread is attached, and both objects are live.
pub(crate) unsafe fn check_iterable(func: *mut PyObject, args: *mut PyObject) -> PyResult<()> {
    // SAFETY: both objects are live, and so is the type of `args` (caller).
    unsafe {
        if (*type_of(args)).tp_iter.is_some() || ffi::PySequence_Check(args) != 0 {
            return Ok(());
        }
        ffi::PyErr_Clear();
        describe(func, |name| {
            raise!(
                PyExc_TypeError,
                c"%U argument after * must be an iterable, not %.200s",
                name,
                (*type_of(args)).tp_name
            )
        });
        Err(Raised)
    }
}

/// Replaces the exception that merging `kwargs` into the keywords of a call of `func` has raised: by a
/// TypeError if `kwargs` is not a mapping (AttributeError for a missing `keys`), or if a keyword occurs twice
/// (KeyError with the keyword). Keeps all other exceptions. Both objects are borrowed.
///
/// # Safety
/// The thread is attached with an exception set, and both objects are live.
pub(crate) unsafe fn explain_keywords_error(func: *mut PyObject, kwargs: *mut PyObject) {
    // SAFETY: both objects are live, and so is the type of `kwargs` (caller). The keyword is borrowed from
    // the arguments, which are owned here.
    unsafe {
        if ffi::PyErr_ExceptionMatches(ffi::PyExc_AttributeError) != 0 {
            ffi::PyErr_Clear();
            describe(func, |name| {
                raise!(
                    PyExc_TypeError,
                    c"%U argument after ** must be a mapping, not %.200s",
                    name,
                    (*type_of(kwargs)).tp_name
                )
            });
        } else if ffi::PyErr_ExceptionMatches(ffi::PyExc_KeyError) != 0 {
            let Some(exception) = Owned::optional(ffi::PyErr_GetRaisedException()) else { return };
            let Ok(arguments) = Owned::from_host(ffi::PyException_GetArgs(exception.as_ptr())) else {
                return;
            };
            let is_tuple = has_feature(arguments.as_ptr(), ffi::Py_TPFLAGS_TUPLE_SUBCLASS);
            let arguments = if is_tuple { tuple_slice(arguments.as_ptr()) } else { &[] };
            let &[keyword] = arguments else {
                return ffi::PyErr_SetRaisedException(exception.into_ptr());
            };
            describe(func, |name| {
                raise!(PyExc_TypeError, c"%U got multiple values for keyword argument '%S'", name, keyword)
            });
        }
    }
}

/// Calls `raise` with a description of `func` for its user. If there is no description, the exception about
/// that stays set.
///
/// # Safety
/// The thread is attached, and `func` is live.
unsafe fn describe(func: *mut PyObject, raise: impl FnOnce(*mut PyObject) -> Raised) {
    // SAFETY: the thread is attached, and the function is live (caller).
    if let Ok(name) = unsafe { Owned::from_host(ffi::_PyObject_FunctionStr(func)) } {
        raise(name.as_ptr());
    }
}
