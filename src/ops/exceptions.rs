//! Raising, matching and leaving exceptions; `with`.

use crate::engine::{BytecodeExit, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::function::VECTORCALL_ARGUMENTS_OFFSET;
use crate::host::object::type_of;
use crate::host::object::{has_feature, is_exact, tuple_item, tuple_size, tuple_slice, type_flags};
use crate::host::{Frame, PyResult, Raised, ThreadState};
use crate::host::{Owned, PyObject, StackRef, ffi, refcount};
use crate::instrument::exceptions as events;
use crate::raise;

/// Raises: the argument says whether there is an exception on the stack (1), and a cause above it (2).
#[inline(always)]
pub(crate) unsafe fn raise_varargs<E: Engine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the stack has as many values as the argument says, which become the callee's.
    unsafe {
        let cause = if e.oparg() == 2 { e.pop().into_object() } else { core::ptr::null_mut() };
        let exception = if e.oparg() > 0 { e.pop().into_object() } else { core::ptr::null_mut() };
        e.publish();
        if raise_statement(e.tstate(), exception, cause) {
            events::reraise(e.tstate(), e.frame(), e.this_instr());
            return Err(BytecodeExit::Unwind);
        }
    }
    Err(Exit::Error.into())
}

/// Raises the topmost value once more, at the end of a handler. If there is an argument, the offset of
/// the instruction that raised it first is as many places below.
#[inline(always)]
pub(crate) unsafe fn reraise<E: Engine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the topmost value is an exception, and the one that the argument leads to a tagged integer.
    unsafe {
        let exception = e.pop().into_object();
        if e.oparg() > 0 {
            let offset = e.peek(e.oparg()).untag_int();
            e.frame().set_instr(e.frame().bytecode().add(offset));
        }
        e.publish();
        ffi::_PyErr_SetRaisedException(e.tstate().as_ptr(), exception);
        events::reraise(e.tstate(), e.frame(), e.this_instr());
    }
    Err(BytecodeExit::Unwind)
}

/// Makes the topmost value the exception being handled, and puts the one before below it (or None).
#[inline(always)]
pub(crate) unsafe fn push_exc_info<E: Engine>(e: &mut E, [exception]: [StackRef; 1]) -> Op<[StackRef; 2]> {
    // SAFETY: the thread's stack of handled exceptions owns its items.
    unsafe {
        let handled = &raw mut (*(*e.tstate().as_ptr()).exc_info).exc_value;
        let before = if (*handled).is_null() { StackRef::none() } else { StackRef::steal(*handled) };
        *handled = exception.new_object();
        Ok([before, exception])
    }
}

/// Ends a handler: the topmost value is the exception that was being handled before (or None).
#[inline(always)]
pub(crate) unsafe fn pop_except<E: Engine>(e: &mut E, [before]: [StackRef; 1]) -> Op<Settled<0>> {
    // SAFETY: the input becomes the thread's, and what it replaces is given up.
    unsafe {
        let handled = &raw mut (*(*e.tstate().as_ptr()).exc_info).exc_value;
        let ended = *handled;
        *handled = if before.is_none() { core::ptr::null_mut() } else { before.into_object() };
        e.publish_at(e.sp().sub(1));
        refcount::xdecref(ended);
        Ok(Settled::new())
    }
}

/// Replaces the type at the top, after `except`, by whether the exception below it is of that type.
#[inline(always)]
pub(crate) unsafe fn check_exc_match<E: Engine>(
    e: &mut E,
    (Kept([exception]), [match_type]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> Op<Settled<1>> {
    // SAFETY: the instruction has two inputs, and the exception stays.
    unsafe {
        e.publish();
        let exception = exception.object();
        if check_types(match_type.object()).is_err() {
            return Err(Exit::ErrorNoPop);
        }
        let matches = ffi::PyErr_GivenExceptionMatches(exception, match_type.object()) != 0;
        e.settle([match_type], [StackRef::bool(matches)])
    }
}

/// Replaces an exception and the type above it, after `except*`, by the rest for other handlers and
/// the group that this one handles (each None if there is nothing).
#[inline(always)]
pub(crate) unsafe fn check_eg_match<E: Engine>(
    e: &mut E,
    [exception, match_type]: [StackRef; 2],
) -> Op<Settled<2>> {
    // SAFETY: the inputs are ours. The group stays alive on the stack when it becomes the exception
    // being handled.
    unsafe {
        e.publish();
        if check_star_types(match_type.object()).is_err() {
            e.consume([match_type, exception]);
            return Err(Exit::Error);
        }
        let (exception_object, type_object) = (exception.object(), match_type.object());
        let Ok(split) = split_by_type(e.frame(), exception_object, type_object) else {
            e.consume([match_type, exception]);
            return Err(Exit::Error);
        };
        let (rest, matched) = (split.rest.into_ptr(), split.matched.into_ptr());
        let settled = e.settle([match_type, exception], [StackRef::steal(rest), StackRef::steal(matched)]);
        if matched != crate::host::none() {
            e.publish();
            ffi::PyErr_SetHandledException(matched);
        }
        settled
    }
}

/// Calls `__exit__` with the exception at the top, and pushes what it returns. On the stack are the
/// method and its `self` (or nothing), the offset of the raising instruction, the exception handled
/// before, and the exception, which all stay.
#[inline(always)]
pub(crate) unsafe fn with_except_start<E: Engine>(
    e: &mut E,
    Kept([method, receiver, lasti, _, exception]): Kept<[StackRef; 5]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the instruction has five inputs.
    unsafe {
        e.publish();
        debug_assert!(lasti.is_tagged_int());
        let result = call_exit(method.object(), receiver, exception.object());
        if result.is_null() { Err(Exit::ErrorNoPop) } else { Ok([StackRef::steal(result)]) }
    }
}

/// `method(type, exception, traceback)`, with `receiver` before them unless it is null.
#[inline(never)]
unsafe fn call_exit(method: *mut PyObject, receiver: StackRef, exception: *mut PyObject) -> *mut PyObject {
    // SAFETY: all are live, and the frame is published. The callee may use the slot before the first
    // argument.
    unsafe {
        let traceback = Owned::optional(ffi::PyException_GetTraceback(exception));
        let class = type_of(exception).cast();
        let traceback = traceback.as_ref().map_or(crate::host::none(), Owned::as_ptr);
        let mut arguments = [core::ptr::null_mut(), receiver.object(), class, exception, traceback];
        let first = if receiver.is_null() { 2 } else { 1 };
        ffi::PyObject_Vectorcall(
            method,
            arguments.as_mut_ptr().add(first),
            (arguments.len() - first) | VECTORCALL_ARGUMENTS_OFFSET,
            core::ptr::null_mut(),
        )
    }
}

// --- raising and matching ----------------------------------------------------------------------

/// Does what a `raise` statement does: an exception is set in the end, whatever happens. Gives true if
/// that is the one being handled, raised once more (`raise` alone); its traceback is complete already.
///
/// `exc` is a class, an instance, or null for `raise` alone; `cause`, what comes after `from`, may be
/// null too. Takes over the references to both (C: `do_raise`).
///
/// # Safety
/// The thread is attached, its current frame published, no exception set, and the caller owns `exc`
/// and `cause`.
#[inline(never)]
pub(crate) unsafe fn raise_statement(tstate: ThreadState, exc: *mut PyObject, cause: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(exc) = Owned::optional(exc) else { return raise_again(tstate) };
        if let Ok((class, instance)) = exception_from(exc, Owned::optional(cause)) {
            ffi::_PyErr_SetObject(tstate.as_ptr(), class.as_ptr(), instance.as_ptr());
        }
        false
    }
}

/// Sets the exception being handled; false if there is none, which raises RuntimeError.
unsafe fn raise_again(tstate: ThreadState) -> bool {
    // SAFETY: the thread is attached; the exception it handles is null, None or live.
    unsafe {
        let exception = (*ffi::_PyErr_GetTopmostException(tstate.as_ptr())).exc_value;
        if exception.is_null() || exception == crate::host::none() {
            raise!(PyExc_RuntimeError, c"No active exception to reraise");
            return false;
        }
        ffi::_PyErr_SetRaisedException(tstate.as_ptr(), Owned::new_ref(exception).into_ptr());
        true
    }
}

/// The class and the instance that `raise exc from cause` raises.
unsafe fn exception_from(exc: Owned, cause: Option<Owned>) -> PyResult<(Owned, Owned)> {
    // SAFETY: the objects are live and owned.
    unsafe {
        let (class, instance) = if is_exception_class(exc.as_ptr()) {
            let instance = instantiate(&exc)?;
            (exc, instance)
        } else if is_exception(exc.as_ptr()) {
            (Owned::new_ref(type_of(exc.as_ptr()).cast()), exc)
        } else {
            // Destructors run before the exception is set, or they would see it.
            drop(exc);
            return Err(raise!(PyExc_TypeError, c"exceptions must derive from BaseException"));
        };
        if let Some(cause) = cause {
            let cause = cause_from(cause)?.map_or(core::ptr::null_mut(), Owned::into_ptr);
            ffi::PyException_SetCause(instance.as_ptr(), cause);
        }
        Ok((class, instance))
    }
}

/// The exception that `cause` stands for after `from`; none for None.
unsafe fn cause_from(cause: Owned) -> PyResult<Option<Owned>> {
    // SAFETY: the object is live and owned.
    unsafe {
        if is_exception_class(cause.as_ptr()) {
            instantiate(&cause).map(Some)
        } else if is_exception(cause.as_ptr()) {
            Ok(Some(cause))
        } else if cause.as_ptr() == crate::host::none() {
            Ok(None)
        } else {
            Err(raise!(PyExc_TypeError, c"exception causes must derive from BaseException"))
        }
    }
}

/// An instance of an exception class, called without arguments.
unsafe fn instantiate(class: &Owned) -> PyResult {
    // SAFETY: the class is live.
    unsafe {
        let instance = Owned::from_host(ffi::PyObject_CallNoArgs(class.as_ptr()))?;
        if is_exception(instance.as_ptr()) {
            return Ok(instance);
        }
        Err(raise!(
            PyExc_TypeError,
            c"calling %R should have returned an instance of BaseException, not %R",
            class.as_ptr(),
            type_of(instance.as_ptr()),
        ))
    }
}

/// Whether the object is an exception (`PyExceptionInstance_Check`).
unsafe fn is_exception(object: *mut PyObject) -> bool {
    // SAFETY: the object is live.
    unsafe { has_feature(object, ffi::Py_TPFLAGS_BASE_EXC_SUBCLASS) }
}

/// Whether the object is a class of exceptions (`PyExceptionClass_Check`).
unsafe fn is_exception_class(object: *mut PyObject) -> bool {
    // SAFETY: the object is live; a type's flags say what its instances are.
    unsafe {
        has_feature(object, ffi::Py_TPFLAGS_TYPE_SUBCLASS)
            && type_flags(object.cast()) & u64::from(ffi::Py_TPFLAGS_BASE_EXC_SUBCLASS) != 0
    }
}

/// Whether the exception is an exception group (`_PyBaseExceptionGroup_Check`).
unsafe fn is_exception_group(exception: *mut PyObject) -> bool {
    // SAFETY: the exception is live; the host's exception classes are types.
    unsafe {
        let group = ffi::PyExc_BaseExceptionGroup.cast();
        is_exact(exception, group) || ffi::PyType_IsSubtype(type_of(exception), group) != 0
    }
}

/// The classes that a handler's type names: the items of a tuple, or the one object itself.
unsafe fn handler_types(right: &*mut PyObject) -> &[*mut PyObject] {
    // SAFETY: the object is live, and the caller keeps it so while the slice is used.
    unsafe {
        if has_feature(*right, ffi::Py_TPFLAGS_TUPLE_SUBCLASS) {
            tuple_slice(*right)
        } else {
            core::slice::from_ref(right)
        }
    }
}

/// Fails with TypeError unless `right` may stand after `except`: a class of exceptions, or a tuple of them.
///
/// # Safety
/// The thread is attached; `right` is live.
pub(crate) unsafe fn check_types(right: *mut PyObject) -> Result<(), Raised> {
    // SAFETY: the callers' promise.
    unsafe {
        if handler_types(&right).iter().all(|&class| is_exception_class(class)) {
            return Ok(());
        }
        Err(raise!(
            PyExc_TypeError,
            c"catching classes that do not inherit from BaseException is not allowed"
        ))
    }
}

/// As [`check_types`] for `except*`, where classes of exception groups are not allowed. Fails with TypeError, or
/// with what a metaclass has raised.
///
/// # Safety
/// As for [`check_types`]; the current frame is published.
pub(crate) unsafe fn check_star_types(right: *mut PyObject) -> Result<(), Raised> {
    // SAFETY: the callers' promise.
    unsafe {
        check_types(right)?;
        for &class in handler_types(&right) {
            match ffi::PyObject_IsSubclass(class, ffi::PyExc_BaseExceptionGroup) {
                0 => {}
                1.. => {
                    return Err(raise!(
                        PyExc_TypeError,
                        c"catching ExceptionGroup with except* is not allowed. Use except instead."
                    ));
                }
                _ => return Err(Raised),
            }
        }
        Ok(())
    }
}

/// What `except*` makes of an exception.
pub(crate) struct Split {
    /// The part that the handler is for, as an exception group; None if there is none.
    pub(crate) matched: Owned,
    /// What goes on to the next handler; None if that is nothing.
    pub(crate) rest: Owned,
}

/// Splits an exception (or None: nothing is left) by the type of an `except*` handler of `frame`.
///
/// # Safety
/// The thread is attached, `frame` is current and published, and both objects are live.
pub(crate) unsafe fn split_by_type(
    frame: Frame,
    exception: *mut PyObject,
    match_type: *mut PyObject,
) -> PyResult<Split> {
    // SAFETY: the caller's promise.
    unsafe {
        let none = || Owned::new_ref(crate::host::none());
        if exception == crate::host::none() {
            return Ok(Split { matched: none(), rest: none() });
        }
        if ffi::PyErr_GivenExceptionMatches(exception, match_type) != 0 {
            let matched = if is_exception_group(exception) {
                Owned::new_ref(exception)
            } else {
                wrap(frame, exception)?
            };
            return Ok(Split { matched, rest: none() });
        }
        if is_exception_group(exception) {
            return split_group(exception, match_type);
        }
        Ok(Split { matched: none(), rest: Owned::new_ref(exception) })
    }
}

/// A group of one exception, with a traceback of its own that starts in `frame`.
unsafe fn wrap(frame: Frame, exception: *mut PyObject) -> PyResult {
    // SAFETY: the frame is published, the exception live.
    unsafe {
        let members = Owned::from_host(ffi::PyTuple_Pack(1, exception))?;
        let group = Owned::from_host(ffi::_PyExc_CreateExceptionGroup(c"".as_ptr(), members.as_ptr()))?;
        let frame_object = frame.frame_object();
        if !frame_object.is_null() {
            let traceback =
                Owned::from_host(ffi::_PyTraceBack_FromFrame(core::ptr::null_mut(), frame_object))?;
            ffi::PyException_SetTraceback(group.as_ptr(), traceback.as_ptr());
        }
        Ok(group)
    }
}

/// The two parts that the group's `split` method gives.
unsafe fn split_group(group: *mut PyObject, match_type: *mut PyObject) -> PyResult<Split> {
    // SAFETY: both are live; the format says that one object follows.
    unsafe {
        let pair = ffi::PyObject_CallMethod(group, c"split".as_ptr(), c"(O)".as_ptr(), match_type);
        let pair = Owned::from_host(pair)?;
        let name = (*type_of(group)).tp_name;
        if !is_exact(pair.as_ptr(), &raw mut ffi::PyTuple_Type) {
            return Err(raise!(
                PyExc_TypeError,
                c"%.200s.split must return a tuple, not %.200s",
                name,
                (*type_of(pair.as_ptr())).tp_name,
            ));
        }
        // Longer ones have always been allowed.
        let size = tuple_size(pair.as_ptr());
        if size < 2 {
            return Err(raise!(
                PyExc_TypeError,
                c"%.200s.split must return a 2-tuple, got tuple of size %zd",
                name,
                size,
            ));
        }
        let part = |index| Owned::new_ref(tuple_item(pair.as_ptr(), index));
        Ok(Split { matched: part(0), rest: part(1) })
    }
}
