//! Raising and matching exceptions, leaving handlers, and `with`. What `except*` and `raise` do is at the
//! end, also for other rooms.

use crate::engine::{BytecodeEngine, BytecodeExit, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::function::VECTORCALL_ARGUMENTS_OFFSET;
use crate::host::object::type_of;
use crate::host::object::{has_feature, is_exact, tuple_item, tuple_size, tuple_slice, type_flags};
use crate::host::{Frame, PyResult, Raised, ThreadState};
use crate::host::{Owned, PyObject, StackRef, ffi, refcount};
use crate::instrument::exceptions as events;
use crate::raise;

/// Raises an exception. The argument is the number of values: the exception (1), and a cause above it (2).
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn raise_varargs<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the stack has as many values as the argument says. `raise_statement` takes them over.
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

/// Raises the topmost value again, at the end of a handler. If the argument is not zero, the value that many
/// places below is the offset of the instruction that raised it first.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn reraise<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the topmost value is an exception, and the value that the argument refers to is a tagged
    // integer: the offset of an instruction in this bytecode.
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

/// Makes the topmost value the exception being handled, and pushes the previous one (or None) below it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn push_exc_info<E: Engine>(e: &mut E, [exception]: [StackRef; 1]) -> Op<[StackRef; 2]> {
    // SAFETY: the `exc_info` of the attached thread owns its exception, and that reference moves to the stack.
    unsafe {
        let handled = &raw mut (*(*e.tstate().as_ptr()).exc_info).exc_value;
        let before = if (*handled).is_null() { StackRef::none() } else { StackRef::steal(*handled) };
        *handled = exception.new_object();
        Ok([before, exception])
    }
}

/// Ends a handler: restores the topmost value as the exception being handled (or none if it is None).
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn pop_except<E: Engine>(e: &mut E, [before]: [StackRef; 1]) -> Op<Settled<0>> {
    // SAFETY: the input moves to the `exc_info` of the attached thread. The exception that it replaces is
    // released after that.
    unsafe {
        let handled = &raw mut (*(*e.tstate().as_ptr()).exc_info).exc_value;
        let ended = *handled;
        *handled = if before.is_none() { core::ptr::null_mut() } else { before.into_object() };
        e.publish_at(e.sp().sub(1));
        refcount::xdecref(ended);
        Ok(Settled::new())
    }
}

/// Replaces the type of an `except` clause at the top by a bool: whether the exception below it matches.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_exc_match<E: Engine>(
    e: &mut E,
    (Kept([exception]), [match_type]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> Op<Settled<1>> {
    // SAFETY: both inputs are live and on the published stack. The exception stays.
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

/// Replaces an exception and, above it, the type of an `except*` clause by the rest for the next clauses and
/// the group that this clause handles. Each is None if it is empty.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_eg_match<E: Engine>(
    e: &mut E,
    [exception, match_type]: [StackRef; 2],
) -> Op<Settled<2>> {
    // SAFETY: the inputs are live and owned by this micro-op, and on the published stack. The group stays
    // alive on the stack when it becomes the exception being handled.
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

/// Calls `__exit__` with the exception at the top, and pushes its result. On the stack are the method, its
/// `self` or an empty slot, the offset of the raising instruction, the exception handled before, and the
/// exception. All of them stay.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn with_except_start<E: Engine>(
    e: &mut E,
    Kept([method, receiver, lasti, _, exception]): Kept<[StackRef; 5]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the five inputs are live (or empty) and on the published stack.
    unsafe {
        e.publish();
        debug_assert!(lasti.is_tagged_int());
        let result = call_exit(method.object(), receiver, exception.object());
        if result.is_null() { Err(Exit::ErrorNoPop) } else { Ok([StackRef::steal(result)]) }
    }
}

/// `method(type, exception, traceback)`, with `receiver` as the first argument unless it is null. Returns a
/// new reference, or null with an exception set.
///
/// # Safety
/// The thread is attached, and its frame is published. `method` is live, `exception` is a live exception, and
/// `receiver` is live or null.
#[inline(never)]
unsafe fn call_exit(method: *mut PyObject, receiver: StackRef, exception: *mut PyObject) -> *mut PyObject {
    // SAFETY: all arguments are live, and the frame is published (caller). The callee may use the slot before
    // the first argument, which is in the array.
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

/// Executes a `raise` statement. In the end an exception is set in any case. Returns true if that is the
/// exception being handled, raised again by `raise` alone; then its traceback is already complete.
///
/// `exc` is a class, an instance, or null for `raise` alone. `cause` is the operand of `from`, or null. Takes
/// over the references to both (in C: `do_raise`).
///
/// # Safety
/// The thread is attached, `tstate` is its state, its current frame is published, and no exception is set.
/// The caller owns `exc` and `cause`, unless they are null.
#[inline(never)]
pub(crate) unsafe fn raise_statement(tstate: ThreadState, exc: *mut PyObject, cause: *mut PyObject) -> bool {
    // SAFETY: both references are owned or null (caller).
    unsafe {
        let Some(exc) = Owned::optional(exc) else { return raise_again(tstate) };
        if let Ok((class, instance)) = exception_from(exc, Owned::optional(cause)) {
            ffi::_PyErr_SetObject(tstate.as_ptr(), class.as_ptr(), instance.as_ptr());
        }
        false
    }
}

/// Sets the exception being handled and returns true. If there is none, sets RuntimeError and returns false.
///
/// # Safety
/// The thread is attached, and `tstate` is its state.
unsafe fn raise_again(tstate: ThreadState) -> bool {
    // SAFETY: the thread is attached (caller). The exception that it handles is null, None or live.
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

/// Returns the class and the instance of the exception that `raise exc from cause` raises.
///
/// # Safety
/// The thread is attached, and its frame is published.
unsafe fn exception_from(exc: Owned, cause: Option<Owned>) -> PyResult<(Owned, Owned)> {
    // SAFETY: both objects are owned. `SetCause` takes over the cause.
    unsafe {
        let (class, instance) = if is_exception_class(exc.as_ptr()) {
            let instance = instantiate(&exc)?;
            (exc, instance)
        } else if is_exception(exc.as_ptr()) {
            (Owned::new_ref(type_of(exc.as_ptr()).cast()), exc)
        } else {
            // The object is released before the exception is set: its destructor must not see the exception.
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

/// Returns the exception for the operand of `from`, or `None` if that is None.
///
/// # Safety
/// The thread is attached, and its frame is published.
unsafe fn cause_from(cause: Owned) -> PyResult<Option<Owned>> {
    // SAFETY: the object is owned.
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

/// Calls an exception class without arguments. Fails if the result is not an exception.
///
/// # Safety
/// The thread is attached, its frame is published, and `class` is a class of exceptions.
unsafe fn instantiate(class: &Owned) -> PyResult {
    // SAFETY: the class is owned by the caller. The format takes two objects.
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
///
/// # Safety
/// `object` is live.
unsafe fn is_exception(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe { has_feature(object, ffi::Py_TPFLAGS_BASE_EXC_SUBCLASS) }
}

/// Whether the object is a class of exceptions (`PyExceptionClass_Check`).
///
/// # Safety
/// `object` is live.
unsafe fn is_exception_class(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller), and a type when its flags are read.
    unsafe {
        has_feature(object, ffi::Py_TPFLAGS_TYPE_SUBCLASS)
            && type_flags(object.cast()) & ffi::Py_TPFLAGS_BASE_EXC_SUBCLASS != 0
    }
}

/// Whether the exception is an exception group (`_PyBaseExceptionGroup_Check`).
///
/// # Safety
/// The thread is attached, and `exception` is live.
unsafe fn is_exception_group(exception: *mut PyObject) -> bool {
    // SAFETY: the exception is live (caller). The host's exception classes are types.
    unsafe {
        let group = ffi::PyExc_BaseExceptionGroup.cast();
        is_exact(exception, group) || ffi::PyType_IsSubtype(type_of(exception), group) != 0
    }
}

/// Returns the classes of an `except` clause: the items of a tuple, or the object itself.
///
/// # Safety
/// `*right` is live as long as the result is used.
unsafe fn handler_types(right: &*mut PyObject) -> &[*mut PyObject] {
    // SAFETY: the object stays alive while the slice is used (caller). A tuple keeps its items alive.
    unsafe {
        if has_feature(*right, ffi::Py_TPFLAGS_TUPLE_SUBCLASS) {
            tuple_slice(*right)
        } else {
            core::slice::from_ref(right)
        }
    }
}

/// Fails with TypeError unless `right` is valid after `except`: a class of exceptions, or a tuple of such
/// classes.
///
/// # Safety
/// The thread is attached, and `right` is live.
pub(crate) unsafe fn check_types(right: *mut PyObject) -> Result<(), Raised> {
    // SAFETY: `right` is live (caller), and keeps its classes alive.
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

/// Like [`check_types`] for `except*`, where classes of exception groups are not allowed. Fails with
/// TypeError, or with an exception that a metaclass raises.
///
/// # Safety
/// As for [`check_types`]. The current frame is published.
pub(crate) unsafe fn check_star_types(right: *mut PyObject) -> Result<(), Raised> {
    // SAFETY: `right` is live (caller), and keeps its classes alive.
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

/// The two parts into which `except*` splits an exception.
pub(crate) struct Split {
    /// The part that the clause handles, an exception group. None if nothing matches.
    pub(crate) matched: Owned,
    /// The rest for the next clause. None if everything matches.
    pub(crate) rest: Owned,
}

/// Splits an exception by the type of an `except*` clause in `frame`. The exception is None if nothing is left.
///
/// # Safety
/// The thread is attached, `frame` is current and published, and both objects are live.
pub(crate) unsafe fn split_by_type(
    frame: Frame,
    exception: *mut PyObject,
    match_type: *mut PyObject,
) -> PyResult<Split> {
    // SAFETY: both objects are live, and the frame is published (caller).
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

/// Returns an exception group that contains only `exception`. Its traceback starts in `frame`.
///
/// # Safety
/// The thread is attached, `frame` is current and published, and `exception` is live.
unsafe fn wrap(frame: Frame, exception: *mut PyObject) -> PyResult {
    // SAFETY: the frame is published, and the exception is live (caller).
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

/// Calls the `split` method of the group and returns the two parts.
///
/// # Safety
/// The thread is attached, its frame is published, and both objects are live.
unsafe fn split_group(group: *mut PyObject, match_type: *mut PyObject) -> PyResult<Split> {
    // SAFETY: both objects are live (caller). The format announces one object.
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
        // Longer tuples have always been accepted.
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
