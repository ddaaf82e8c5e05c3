//! Generators, coroutines and asynchronous iteration.

use super::adaptive::specialize;
use super::awaiting;
use super::control::leaving;
use super::frames::enter_frame;
use super::guards::guard;
use super::iteration::set_return_offset;
use crate::engine::{BytecodeEngine, BytecodeExit, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::function::VECTORCALL_ARGUMENTS_OFFSET;
use crate::host::generator::Generator;
use crate::host::object::{is_exact, type_of};
use crate::host::owned::into_host;
use crate::host::{Code, CodeUnit, Frame, Owned, PyObject, StackRef, ThreadState, ffi, refcount};
use crate::instrument::exceptions;
use crate::raise;
use crate::seams;

// --- making, resuming and suspending -----------------------------------------------------------

/// Moves the frame into a new generator or coroutine, leaves it, and pushes the generator in the
/// calling frame.
#[inline(always)]
pub(crate) unsafe fn return_generator<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the frame is a function's and has nothing on its stack; the generator goes on after this
    // instruction.
    unsafe {
        let (tstate, frame) = (e.tstate(), e.frame());
        e.publish();
        let generator = ffi::_Py_MakeCoro(frame.function());
        if generator.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        frame.set_instr(e.this_instr().add(1));
        Generator::from_ptr(generator).adopt(frame);
        tstate.leave_python_call();
        let caller = frame.previous();
        ffi::_PyThreadState_PopFrame(tstate.as_ptr(), frame.as_ptr());
        tstate.set_current_frame(caller);
        let offset = (*caller.as_ptr()).return_offset;
        e.switch_frame(caller, caller.instr().add(offset as isize));
        Ok([StackRef::steal_mortal(generator)])
    }
}

/// Units of FOR_ITER and of SEND: a generator that yields goes back to what follows the one that has
/// resumed it. (So does what was called from C, whose instructions are laid out accordingly.)
const RESUMER_UNITS: isize = 2;

/// Suspends the generator, and pushes the topmost value in the frame that has resumed it. The argument
/// is 1 for the `yield` inside `yield from` and `await`.
#[inline(always)]
pub(crate) unsafe fn yield_value<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: a generator owns the frame, and goes on after this instruction. The value leaves it, and is the
    // result in the other frame.
    unsafe {
        let (tstate, frame) = (e.tstate(), e.frame());
        frame.set_instr(e.this_instr().add(1));
        e.publish_at(e.sp().sub(1));
        tstate.leave_python_call();
        let caller = Generator::of_frame(frame).suspend(tstate, e.oparg() != 0);
        e.switch_frame(caller, caller.instr().add(RESUMER_UNITS));
        e.push(leaving(value));
        Ok(Settled::new())
    }
}

/// Looks for a specialized form of sending to the receiver when the counter says so.
#[inline(always)]
pub(crate) unsafe fn specialize_send<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has two inputs.
    unsafe { specialize(e, counter, |e| seams::specialize::send(e.peek(2), e.this_instr())) }
}

/// Sends the topmost value to the receiver below it, which stays, and replaces it by what the receiver
/// yields. If the receiver returns instead, replaces it by the value returned, and jumps.
#[inline(always)]
pub(crate) unsafe fn send<E: BytecodeEngine>(
    e: &mut E,
    (Kept([receiver]), [value]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the receiver is live; a suspended generator can be resumed, by the engine itself if no
    // other evaluator is installed.
    unsafe {
        let receiver = receiver.object();
        if !e.tstate().has_custom_eval_frame()
            && let Some(generator) = Generator::exact_or_coroutine(receiver)
            && generator.is_suspended()
        {
            e.set_sp(e.sp().sub(1));
            generator.resume(e.tstate(), leaving(value), e.frame());
            set_return_offset(e);
            return enter_frame(e, generator.frame());
        }
        e.publish();
        let mut result = resume_by_call(receiver, value);
        if result.is_null() {
            result = returned_value(e.tstate(), e.frame(), e.this_instr());
            if result.is_null() {
                e.consume([value]);
                return Err(Exit::Error.into());
            }
            e.jump_by(e.oparg() as isize);
        }
        Ok(e.settle([value], [StackRef::steal(result)])?)
    }
}

/// Resumes what is not a generator that the evaluator runs itself: by `__next__` for None, else by
/// `send`. Null if it has returned or raised.
#[inline(never)]
unsafe fn resume_by_call(receiver: *mut PyObject, value: StackRef) -> *mut PyObject {
    // SAFETY: both are live, and the frame is published.
    unsafe {
        let not_implemented = ffi::_PyObject_NextNotImplemented as *const () as usize;
        if value.is_none()
            && let Some(next) = (*type_of(receiver)).tp_iternext
            && next as usize != not_implemented
        {
            return next(receiver);
        }
        let mut arguments = [receiver, value.object()];
        let count = arguments.len() | VECTORCALL_ARGUMENTS_OFFSET;
        ffi::PyObject_VectorcallMethod(id!(_py_send), arguments.as_mut_ptr(), count, core::ptr::null_mut())
    }
}

/// The value that a receiver has returned by raising StopIteration (or by raising nothing: None). Null
/// if it has raised another exception.
#[cold]
#[inline(never)]
unsafe fn returned_value(tstate: ThreadState, frame: Frame, instr: CodeUnit) -> *mut PyObject {
    // SAFETY: the frame is published.
    unsafe {
        if ffi::_PyErr_ExceptionMatches(tstate.as_ptr(), ffi::PyExc_StopIteration) != 0 {
            exceptions::raise(tstate, frame, instr);
        }
        let mut value = core::ptr::null_mut();
        if ffi::_PyGen_FetchStopIterationValue(&raw mut value) == 0 { value } else { core::ptr::null_mut() }
    }
}

/// Prepares the receiver, a generator or coroutine, to run in the evaluator itself: moves the topmost
/// value into its frame.
#[inline(always)]
pub(crate) unsafe fn send_gen_frame<E: Engine>(
    e: &mut E,
    (Kept([receiver]), [value]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> Op {
    // SAFETY: the receiver is live; nobody else resumes a generator that is suspended.
    unsafe {
        let Some(generator) = Generator::exact_or_coroutine(receiver.object()) else {
            return Err(Exit::Deopt);
        };
        guard(generator.is_suspended())?;
        generator.resume(e.tstate(), leaving(value), e.frame());
        set_return_offset(e);
        e.give_frame(generator.frame());
        Ok([])
    }
}

/// Drops the receiver below the value that it has returned.
#[inline(always)]
pub(crate) unsafe fn end_send<E: Engine>(e: &mut E, [receiver, value]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: both inputs are ours; the value is in its place before the receiver goes.
    unsafe {
        e.poke(2, value);
        e.close_at(receiver, e.sp().sub(1));
        Ok(Settled::new())
    }
}

/// After an exception was thrown into a `yield from` or `await`: if the receiver has returned by it,
/// leaves what END_SEND expects, None and the value; else raises it once more.
#[inline(always)]
pub(crate) unsafe fn cleanup_throw<E: Engine>(
    e: &mut E,
    [receiver, sent, exception]: [StackRef; 3],
) -> BytecodeOp<Settled<2>> {
    // SAFETY: the topmost value is an exception; a StopIteration has a value, at worst None.
    unsafe {
        e.publish();
        let raised = exception.object();
        if ffi::PyErr_GivenExceptionMatches(raised, ffi::PyExc_StopIteration) == 0 {
            return reraise_live(e, raised);
        }
        let value = StackRef::new((*raised.cast::<ffi::PyStopIterationObject>()).value);
        Ok(e.settle([receiver, exception, sent], [StackRef::none(), value])?)
    }
}

/// Raises once more an exception that is on the stack, and stays there for unwinding to take away.
#[inline(always)]
unsafe fn reraise_live<E: Engine, T>(e: &mut E, exception: *mut PyObject) -> BytecodeOp<T> {
    // SAFETY: the exception is live, and the frame published.
    unsafe {
        ffi::_PyErr_SetRaisedException(e.tstate().as_ptr(), refcount::new_ref(exception));
        exceptions::reraise(e.tstate(), e.frame(), e.this_instr());
    }
    Err(BytecodeExit::Unwind)
}

// --- what can be iterated and awaited ----------------------------------------------------------

/// Replaces the topmost value by what `yield from` resumes: generators and, in coroutines, coroutines
/// as they are, of anything else its iterator.
#[inline(always)]
pub(crate) unsafe fn get_yield_from_iter<E: Engine>(e: &mut E, [iterable]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is ours; when it stays it is in its place already.
    unsafe {
        let object = iterable.object();
        if Generator::exact(object).is_some() {
            return Ok(Settled::new());
        }
        e.publish();
        if is_exact(object, &raw mut ffi::PyCoro_Type) {
            return if may_await(e.code()) { Ok(Settled::new()) } else { Err(Exit::ErrorNoPop) };
        }
        let iterator = ffi::PyObject_GetIter(object);
        if iterator.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        e.settle([iterable], [StackRef::steal(iterator)])
    }
}

/// Whether `code` may resume a coroutine; if not, the exception is set.
#[inline(never)]
unsafe fn may_await(code: Code) -> bool {
    const AWAITING: u32 = ffi::CO_COROUTINE | ffi::CO_ITERABLE_COROUTINE;
    // SAFETY: the code is live.
    unsafe {
        if (*code.as_ptr()).co_flags as u32 & AWAITING != 0 {
            return true;
        }
        raise!(PyExc_TypeError, c"cannot 'yield from' a coroutine object in a non-coroutine generator");
        false
    }
}

/// Replaces the topmost value by the iterator that `await` runs for it. The argument is 1 and 2 for the
/// results of `__aenter__` and `__aexit__`.
#[inline(always)]
pub(crate) unsafe fn get_awaitable<E: Engine>(e: &mut E, [iterable]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is ours.
    unsafe {
        e.publish();
        let iterator = awaiting::awaitable_iterator(iterable.object(), e.oparg() as _);
        e.settle_object([iterable], into_host(iterator))
    }
}

/// Replaces the topmost value by its asynchronous iterator.
#[inline(always)]
pub(crate) unsafe fn get_aiter<E: Engine>(e: &mut E, [iterable]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is ours, and given up before its iterator is looked at.
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

/// `__aiter__` of the object's type. If there is none, the exception is set.
#[inline(never)]
unsafe fn aiter_method(object: *mut PyObject) -> Option<Unary> {
    // SAFETY: the object is live.
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

/// What `__aiter__` has returned, if it has `__anext__`; else null with an exception set. Takes over
/// the reference, which may be null with an exception set.
#[inline(never)]
unsafe fn check_asynchronous_iterator(iterator: *mut PyObject) -> *mut PyObject {
    // SAFETY: the caller's promise.
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

/// Pushes what is to be awaited for the next item of the asynchronous iterator at the top, which stays.
#[inline(always)]
pub(crate) unsafe fn get_anext<E: Engine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the instruction has an input.
    unsafe {
        e.publish();
        let awaitable = awaiting::next_awaitable(iterator.object());
        awaitable.map_or(Err(Exit::ErrorNoPop), |awaitable| Ok([StackRef::steal(awaitable.into_ptr())]))
    }
}

/// At an exception in `async for`: StopAsyncIteration ends the loop, and it and the iterator are
/// dropped; any other goes on.
#[inline(always)]
pub(crate) unsafe fn end_async_for<E: Engine>(
    e: &mut E,
    [iterator, exception]: [StackRef; 2],
) -> BytecodeOp<Settled<0>> {
    // SAFETY: the topmost value is an exception; the inputs are ours.
    unsafe {
        e.publish();
        let raised = exception.object();
        if ffi::PyErr_GivenExceptionMatches(raised, ffi::PyExc_StopAsyncIteration) == 0 {
            return reraise_live(e, raised);
        }
        Ok(e.settle([exception, iterator], [])?)
    }
}
