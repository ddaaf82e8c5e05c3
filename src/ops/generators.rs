//! Generators, coroutines and asynchronous iteration.

use super::adaptive::specializing;
use super::awaiting;
use super::control::leaving;
use super::frames::{
    RESUMER_UNITS, after_return, after_yield, enter_frame, guard_continues_at, set_return_offset,
};
use super::guards::guard;
use super::iteration::iterator_of;
use crate::engine::{
    BytecodeEngine, BytecodeExit, BytecodeOp, Engine, Exit, Kept, Op, Settled, TraceExit, TraceOp,
};
use crate::host::function::VECTORCALL_ARGUMENTS_OFFSET;
use crate::host::generator::Generator;
use crate::host::hidden::Hidden;
use crate::host::object::{is_exact, type_flags, type_of};
use crate::host::owned::into_host;
use crate::host::{Code, CodeUnit, Frame, Owned, PyObject, StackRef, ThreadState, ffi, none, refcount};
use crate::instrument::events::Event;
use crate::instrument::exceptions;
use crate::raise;
use crate::seams;

// --- making, resuming and suspending -----------------------------------------------------------

/// Moves the frame into a new generator or coroutine, leaves it, and pushes the generator in the calling frame.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn return_generator<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the frame is that of a function and has an empty stack. The generator will continue after this
    // instruction. It owns the contents of the frame, so the frame itself is popped without being cleared.
    unsafe {
        let (tstate, frame) = (e.tstate(), e.frame());
        e.publish();
        let generator = ffi::_Py_MakeCoro(frame.function());
        if generator.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        frame.set_instr(frame.instr().add(1));
        Generator::from_ptr(generator).adopt(frame);
        tstate.leave_python_call();
        let caller = frame.caller();
        ffi::_PyThreadState_PopFrame(tstate.as_ptr(), frame.as_ptr());
        tstate.set_current_frame(Some(caller));
        e.switch_frame(caller, after_return(caller));
        Ok([StackRef::steal_mortal(generator)])
    }
}

/// Suspends the generator, and pushes the topmost value in the frame that resumed it. The argument is 1 for
/// the `yield` inside `yield from` and `await`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn yield_value<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: a generator owns the frame, and will continue after this instruction. The value leaves the
    // frame and becomes the result in the other frame.
    unsafe {
        let (tstate, frame) = (e.tstate(), e.frame());
        frame.set_instr(frame.instr().add(1));
        e.publish_at(e.sp().sub(1));
        tstate.leave_python_call();
        let caller = Generator::of_frame(frame).suspend(tstate, e.oparg() != 0);
        e.switch_frame(caller, after_yield(caller));
        e.push(leaving(value));
        Ok(Settled::new())
    }
}

specializing! {
    specialize_send: SEND = |e| seams::specialize::send(e.peek(2), e.this_instr())
}

/// Sends the topmost value to the receiver below it, which stays. Replaces the value by what the receiver
/// yields. If the receiver returns instead, replaces it by the return value and jumps.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn send<E: BytecodeEngine>(
    e: &mut E,
    (Kept([receiver]), [value]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the receiver is live. The engine may resume a suspended generator itself if no custom frame
    // evaluator is installed. No other thread resumes it in between: with a GIL none can run; on free-threaded
    // hosts this relies on the program, as in the host.
    unsafe {
        let receiver = receiver.object();
        if !e.tstate().has_custom_eval_frame()
            && let Ok(generator) = resumable(receiver)
        {
            e.set_sp(e.sp().sub(1));
            generator.resume(e.tstate(), leaving(value), e.frame());
            set_return_offset(e.frame(), RESUMER_UNITS + e.oparg());
            return enter_frame(e, generator.frame());
        }
        let (result, yields) = send_by_call(e, receiver, value)?;
        if !yields {
            e.jump_by(e.oparg() as isize);
        }
        Ok(e.settle([value], [result])?)
    }
}

/// The receiver as a generator or coroutine, if the evaluator can resume it itself.
///
/// # Safety
/// The receiver is live.
#[inline(always)]
unsafe fn resumable(receiver: *mut PyObject) -> Op<Generator> {
    // SAFETY: the receiver is live (caller).
    unsafe {
        let generator = Generator::exact_or_coroutine(receiver).ok_or(Exit::Deopt)?;
        guard(generator.is_suspended())?;
        Ok(generator)
    }
}

/// What a receiver does with a value: the result, which the caller owns.
enum Answer {
    Yielded(StackRef),
    Returned(StackRef),
    /// An exception is set.
    Failed,
}

/// Sends `value` to a receiver that the evaluator does not run itself. Returns the result, and whether the receiver has
/// yielded it. Releases the value if it fails.
///
/// # Safety
/// The thread is attached. The value is the topmost one of the engine's stack, and the receiver is live.
#[inline(always)]
unsafe fn send_by_call<E: Engine>(
    e: &mut E,
    receiver: *mut PyObject,
    value: StackRef,
) -> Op<(StackRef, bool)> {
    // SAFETY: both are live (caller). The frame is published.
    unsafe {
        e.publish();
        match answer(e.tstate(), e.frame(), receiver, value) {
            Answer::Yielded(result) => Ok((result, true)),
            Answer::Returned(result) => Ok((result, false)),
            Answer::Failed => {
                e.consume([value]);
                Err(Exit::Error)
            }
        }
    }
}

/// Sends `value` to a receiver that the evaluator does not run itself.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is current and published, and the receiver and the value are
/// live.
#[inline(never)]
unsafe fn answer(tstate: ThreadState, frame: Frame, receiver: *mut PyObject, value: StackRef) -> Answer {
    // SAFETY: both objects are live, and the frame is published (caller).
    unsafe {
        if let Some(am_send) = sender(tstate, receiver, value) {
            let mut result = core::ptr::null_mut();
            return match am_send(receiver, value.object(), &mut result) {
                ffi::PYGEN_NEXT => Answer::Yielded(StackRef::steal(result)),
                ffi::PYGEN_RETURN => Answer::Returned(StackRef::steal(result)),
                _ => Answer::Failed,
            };
        }
        let yielded = resume_by_call(receiver, value);
        if !yielded.is_null() {
            return Answer::Yielded(StackRef::steal(yielded));
        }
        match returned_value(tstate, frame) {
            returned if returned.is_null() => Answer::Failed,
            returned => Answer::Returned(StackRef::steal(returned)),
        }
    }
}

/// The slot of the receiver's type that resumes it and returns a value without StopIteration. `None` if there is none, or
/// if something might see the difference: a tool that is notified of exceptions, or begins to be while a generator runs;
/// or a method of a subclass, as `__next__` or `send`.
///
/// # Safety
/// The thread is attached and `tstate` is its state; the receiver is live.
#[inline(always)]
unsafe fn sender(tstate: ThreadState, receiver: *mut PyObject, value: StackRef) -> ffi::sendfunc {
    // SAFETY: the receiver is live, so its type is (caller).
    unsafe {
        let type_ = type_of(receiver);
        let am_send = (*type_).tp_as_async.as_ref()?.am_send?;
        let can_have_subclasses = type_flags(type_) & ffi::Py_TPFLAGS_BASETYPE != 0;
        let seen = !value.is_none()
            || can_have_subclasses
            || Generator::exact_or_coroutine(receiver).is_some()
            || exceptions::is_watched(tstate, Event::RAISE);
        (!seen).then_some(am_send)
    }
}

/// Resumes a receiver that the evaluator does not run itself: with `__next__` if the value is None, otherwise
/// with `send`. Returns null if the receiver returned or raised.
///
/// # Safety
/// The thread is attached, its frame is published, and the receiver and the value are live.
#[inline(never)]
unsafe fn resume_by_call(receiver: *mut PyObject, value: StackRef) -> *mut PyObject {
    // SAFETY: both objects are live, and the frame is published (caller). The method call may use the slot of
    // the receiver.
    unsafe {
        if value.is_none()
            && let Some(next) = (*type_of(receiver)).tp_iternext
            && next as *const () != Hidden::NextNotImplemented.address()
        {
            return next(receiver);
        }
        let mut arguments = [receiver, value.object()];
        let count = arguments.len() | VECTORCALL_ARGUMENTS_OFFSET;
        ffi::PyObject_VectorcallMethod(id!(_py_send), arguments.as_mut_ptr(), count, core::ptr::null_mut())
    }
}

/// Returns the value that a receiver has returned: that of StopIteration, or None if no exception is set.
/// Returns null if another exception is set.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is current and published.
#[cold]
#[inline(never)]
unsafe fn returned_value(tstate: ThreadState, frame: Frame) -> *mut PyObject {
    // SAFETY: the frame is published (caller), and StopIteration is set when its event fires.
    unsafe {
        if ffi::_PyErr_ExceptionMatches(tstate.as_ptr(), ffi::PyExc_StopIteration) != 0 {
            exceptions::raise(tstate, frame, frame.instr());
        }
        // A callback may have replaced the exception.
        let Some(exception) = Owned::optional(ffi::_PyErr_GetRaisedException(tstate.as_ptr())) else {
            return refcount::new_ref(none());
        };
        if ffi::PyErr_GivenExceptionMatches(exception.as_ptr(), ffi::PyExc_StopIteration) == 0 {
            ffi::_PyErr_SetRaisedException(tstate.as_ptr(), exception.into_ptr());
            return core::ptr::null_mut();
        }
        refcount::new_ref(stop_value(exception.as_ptr()))
    }
}

/// The value of a StopIteration, borrowed: None if its class has an `__init__` that has not set one. (CPython
/// crashes then.)
///
/// # Safety
/// `exception` is a live instance of StopIteration.
unsafe fn stop_value(exception: *mut PyObject) -> *mut PyObject {
    // SAFETY: the exception is a live StopIteration (caller).
    let value = unsafe { (*exception.cast::<ffi::PyStopIterationObject>()).value };
    if value.is_null() { none() } else { value }
}

/// Resumes the receiver, a generator or coroutine, in this evaluator: moves the topmost value to its frame.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_pep_523` has run before.
#[inline(always)]
pub(crate) unsafe fn send_gen_frame<E: Engine>(
    e: &mut E,
    (Kept([receiver]), [value]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> Op {
    // SAFETY: the receiver is live, and suspended (checked). No other thread resumes it in between: with a GIL
    // none can run; on free-threaded hosts this relies on the program, as in the host.
    unsafe {
        let generator = resumable(receiver.object())?;
        generator.resume(e.tstate(), leaving(value), e.frame());
        set_return_offset(e.frame(), RESUMER_UNITS + e.oparg());
        e.give_frame(generator.frame());
        Ok([])
    }
}

/// The receiver below the top is a generator or coroutine that can be resumed, and continues with the instruction at
/// an address, in code of a version.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_nos_generator_at<E: Engine>(
    _e: &mut E,
    expected: (CodeUnit, u32),
    Kept([receiver, _]): Kept<[StackRef; 2]>,
) -> Op {
    // SAFETY: the receiver is live. The frame of a suspended generator is at an instruction of its code.
    unsafe {
        let frame = resumable(receiver.object())?.frame();
        guard_continues_at(frame, frame.instr(), expected)
    }
}

/// The evaluator does not run the receiver below the top itself.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_nos_not_generator<E: Engine>(
    _e: &mut E,
    Kept([receiver, _]): Kept<[StackRef; 2]>,
) -> Op {
    // SAFETY: the receiver is live.
    unsafe { guard(resumable(receiver.object()).is_err()) }
}

/// Sends the topmost value to the receiver below it, which stays. Replaces the value by what the receiver yields. If
/// the receiver returns instead, leaves with the return value in its place.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_nos_not_generator` has run before.
#[inline(always)]
pub(crate) unsafe fn send_yields<E: Engine>(
    e: &mut E,
    (Kept([receiver]), [value]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> TraceOp<Settled<1>> {
    // SAFETY: both inputs are live, and the value is the topmost one. The answer takes its place.
    unsafe {
        let (result, yields) = send_by_call(e, receiver.object(), value)?;
        let settled = e.settle([value], [result])?;
        if yields { Ok(settled) } else { Err(TraceExit::Settled) }
    }
}

/// Like [`send_yields`], the other way round: replaces the value by what the receiver returns, and leaves if it
/// yields.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_nos_not_generator` has run before.
#[inline(always)]
pub(crate) unsafe fn send_returns<E: Engine>(
    e: &mut E,
    (Kept([receiver]), [value]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> TraceOp<Settled<1>> {
    // SAFETY: as for `send_yields`.
    unsafe {
        let (result, yields) = send_by_call(e, receiver.object(), value)?;
        let settled = e.settle([value], [result])?;
        if yields { Err(TraceExit::Settled) } else { Ok(settled) }
    }
}

/// Drops the receiver below its return value.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn end_send<E: Engine>(e: &mut E, [receiver, value]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: both inputs are live and owned by this micro-op. The value moves to the lower slot before the
    // receiver is released.
    unsafe {
        e.poke(2, value);
        e.close_at(receiver, e.sp().sub(1));
        Ok(Settled::new())
    }
}

/// Handles an exception that was raised by throwing into a `yield from` or `await`. If it is the
/// StopIteration of the receiver, pushes what END_SEND expects: None and the value. Otherwise raises it
/// again.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn cleanup_throw<E: BytecodeEngine>(
    e: &mut E,
    [receiver, sent, exception]: [StackRef; 3],
) -> BytecodeOp<Settled<2>> {
    // SAFETY: the topmost value is an exception, and `stop_value` gets a StopIteration.
    unsafe {
        e.publish();
        let raised = exception.object();
        if ffi::PyErr_GivenExceptionMatches(raised, ffi::PyExc_StopIteration) == 0 {
            return reraise_live(e, raised);
        }
        let value = StackRef::new(stop_value(raised));
        Ok(e.settle([receiver, exception, sent], [StackRef::none(), value])?)
    }
}

/// Raises an exception again that is on the stack. It stays there; unwinding removes it.
///
/// # Safety
/// The thread is attached, the engine's frame is published, and `exception` is live.
#[inline(always)]
unsafe fn reraise_live<E: BytecodeEngine, T>(e: &mut E, exception: *mut PyObject) -> BytecodeOp<T> {
    // SAFETY: the exception is live, and the frame is published (caller).
    unsafe {
        ffi::_PyErr_SetRaisedException(e.tstate().as_ptr(), refcount::new_ref(exception));
        exceptions::reraise(e.tstate(), e.frame(), e.this_instr());
    }
    Err(BytecodeExit::Unwind)
}

// --- what can be iterated and awaited ----------------------------------------------------------

/// Replaces the topmost value by what `yield from` resumes. Keeps a generator and, inside a coroutine, a
/// coroutine. Replaces anything else by its iterator.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn get_yield_from_iter<E: Engine>(e: &mut E, [iterable]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is live and owned by this micro-op. If it is kept, it is already in its slot.
    unsafe {
        let object = iterable.object();
        if Generator::exact(object).is_some() {
            return Ok(Settled::new());
        }
        e.publish();
        if is_exact(object, &raw mut ffi::PyCoro_Type) {
            return if may_await(e.code()) { Ok(Settled::new()) } else { Err(Exit::ErrorNoPop) };
        }
        let iterator = iterator_of(e.tstate(), object);
        if iterator.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        e.settle([iterable], [StackRef::steal(iterator)])
    }
}

/// Whether `code` may resume a coroutine. If not, sets TypeError.
///
/// # Safety
/// The thread is attached, and `code` is live.
#[inline(never)]
unsafe fn may_await(code: Code) -> bool {
    const AWAITING: u32 = ffi::CO_COROUTINE | ffi::CO_ITERABLE_COROUTINE;
    // SAFETY: the code is live (caller).
    unsafe {
        if (*code.as_ptr()).co_flags as u32 & AWAITING != 0 {
            return true;
        }
        raise!(PyExc_TypeError, c"cannot 'yield from' a coroutine object in a non-coroutine generator");
        false
    }
}

/// Replaces the topmost value by the iterator that `await` runs for it. The argument is 1 for the result of
/// `__aenter__` and 2 for that of `__aexit__`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn get_awaitable<E: Engine>(e: &mut E, [iterable]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is live and owned by this micro-op.
    unsafe {
        e.publish();
        let iterator = awaiting::awaitable_iterator(iterable.object(), e.oparg() as _);
        e.settle_object([iterable], into_host(iterator))
    }
}

/// Replaces the topmost value by its asynchronous iterator.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn get_aiter<E: Engine>(e: &mut E, [iterable]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is live and owned by this micro-op. It is released before the iterator is checked,
    // and not used after that.
    unsafe {
        e.publish();
        let Some(aiter) = aiter_method(iterable.object()) else {
            e.consume([iterable]);
            return Err(Exit::Error);
        };
        let iterator = aiter(iterable.object());
        e.consume([iterable]);
        e.publish_at(e.sp().sub(1));
        let iterator = check_asynchronous_iterator(iterator);
        if iterator.is_null() {
            return Err(Exit::Error);
        }
        e.poke(1, StackRef::steal(iterator));
        Ok(Settled::new())
    }
}

type Unary = unsafe extern "C" fn(*mut PyObject) -> *mut PyObject;

/// Returns the `__aiter__` of the object's type. If there is none, sets TypeError.
///
/// # Safety
/// The thread is attached, and `object` is live.
#[inline(never)]
unsafe fn aiter_method(object: *mut PyObject) -> Option<Unary> {
    // SAFETY: the object is live, and so are its type and the name of the type (caller).
    unsafe {
        let type_ = type_of(object);
        let method = (*type_).tp_as_async.as_ref().and_then(|methods| methods.am_aiter);
        if method.is_none() {
            raise!(
                PyExc_TypeError,
                c"'async for' requires an object with __aiter__ method, got %.100s",
                (*type_).tp_name,
            );
        }
        method
    }
}

/// Returns the result of `__aiter__` if it has `__anext__`, otherwise null with an exception set. Takes over
/// the reference.
///
/// # Safety
/// The thread is attached. The caller owns `iterator`, or it is null and an exception is set.
#[inline(never)]
unsafe fn check_asynchronous_iterator(iterator: *mut PyObject) -> *mut PyObject {
    // SAFETY: the reference is owned, or null with an exception set (caller).
    unsafe {
        let Ok(iterator) = Owned::from_host(iterator) else { return core::ptr::null_mut() };
        let type_ = type_of(iterator.as_ptr());
        if (*type_).tp_as_async.as_ref().and_then(|methods| methods.am_anext).is_none() {
            raise!(
                PyExc_TypeError,
                c"'async for' received an object from __aiter__ that does not implement __anext__: %.100s",
                (*type_).tp_name,
            );
            return core::ptr::null_mut();
        }
        iterator.into_ptr()
    }
}

/// Pushes the awaitable for the next item of the asynchronous iterator at the top, which stays.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn get_anext<E: Engine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the input is the topmost value, and live.
    unsafe {
        e.publish();
        let awaitable = awaiting::next_awaitable(iterator.object());
        awaitable.map_or(Err(Exit::ErrorNoPop), |awaitable| Ok([StackRef::steal(awaitable.into_ptr())]))
    }
}

/// Handles an exception in `async for`. StopAsyncIteration ends the loop: drops the exception and the
/// iterator. Any other exception is raised again.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn end_async_for<E: BytecodeEngine>(
    e: &mut E,
    [iterator, exception]: [StackRef; 2],
) -> BytecodeOp<Settled<0>> {
    // SAFETY: the topmost value is an exception. The inputs are live and owned by this micro-op.
    unsafe {
        e.publish();
        let raised = exception.object();
        if ffi::PyErr_GivenExceptionMatches(raised, ffi::PyExc_StopAsyncIteration) == 0 {
            return reraise_live(e, raised);
        }
        Ok(e.settle([exception, iterator], [])?)
    }
}
