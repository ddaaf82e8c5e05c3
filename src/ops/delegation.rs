//! Generators and coroutines that wait for each other in a `yield from` or `await`.
//!
//! What resumes the outermost one resumes them all: each one runs RESUME, the jump back and SEND, which leads to the next. What
//! the innermost yields goes back through a YIELD_VALUE in each. How many there are changes each time where a recursive
//! generator walks through a tree. So traces do it in one step, for any number. The effect is that of the instructions.

use super::control::leaving;
use super::frames::{RESUMER_UNITS, after_yield, guard_continues_at, set_return_offset};
use super::guards::guard;
use crate::breaker::word::{EvalBreaker, Word};
use crate::bytecode::opcode;
use crate::engine::{Engine, Exit, Kept, Op, Settled};
use crate::host::generator::Generator;
use crate::host::{CodeUnit, Frame, StackRef, ThreadState, ffi};
use crate::instrument::version;

/// The argument of the YIELD_VALUE behind a SEND.
const DELEGATES: usize = 1;

/// The code units from a SEND to the RESUME behind its YIELD_VALUE.
const RESUME: usize = RESUMER_UNITS + 1;
/// And to the END_SEND behind the jump back.
const END: usize = RESUME + 2;

/// A generator that waits for another one, which it resumes when it is resumed.
struct Delegating {
    /// Its SEND.
    send: CodeUnit,
    inner: Generator,
}

impl Delegating {
    /// What `generator`, which is suspended, does when it is resumed with this eval breaker. `None` if that is anything else
    /// than to resume another generator at once.
    ///
    /// # Safety
    /// The thread is attached, and the generator live and suspended.
    #[inline(always)]
    unsafe fn of(generator: Generator, word: Word) -> Option<Delegating> {
        // SAFETY: the frame of a suspended generator is at an instruction of its code, which it keeps alive. A jump leads to another
        // one. Where a SEND comes next, the receiver is below the value that is sent.
        unsafe {
            if !generator.delegates() {
                return None;
            }
            let frame = generator.frame();
            let resume = frame.instr();
            let send = resume.add(-(RESUME as isize));
            if resume.opcode() != opcode::RESUME_CHECK
                || resume.add(1).decode() != (opcode::JUMP_BACKWARD_NO_INTERRUPT, END)
                || send.decode() != (opcode::SEND_GEN, END - RESUMER_UNITS)
                || word.has_requests()
                || version::of_code(frame.code()) != word.version()
            {
                return None;
            }
            let receiver = *frame.stack_pointer().sub(1);
            let inner = Generator::exact_or_coroutine(receiver.object())?;
            inner.is_suspended().then_some(Delegating { send, inner })
        }
    }
}

/// The innermost of the generators that run when this one is resumed: itself, unless it waits for another one.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and the generator live and suspended.
#[inline(always)]
pub(crate) unsafe fn innermost(tstate: ThreadState, generator: Generator) -> Generator {
    // SAFETY: the contract is the same. A generator that waits keeps the one alive that it waits for. There are no circles: a
    // generator that is resumed by one that it waits for fails, and does not wait for it any more.
    unsafe {
        let word = EvalBreaker::of(tstate).load();
        let mut innermost = generator;
        while let Some(Delegating { inner, .. }) = Delegating::of(innermost, word) {
            innermost = inner;
        }
        innermost
    }
}

/// Resumes `generator`, and the generators that it waits for, but not the innermost. Returns that, and the frame that resumes it.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and the generator live and suspended. `caller` is the current frame.
#[inline(always)]
unsafe fn approach(tstate: ThreadState, generator: Generator, caller: Frame) -> (Generator, Frame) {
    // SAFETY: as in `innermost`. Where a generator waits, its stack pointer is above the receiver, as SEND leaves it.
    unsafe {
        let word = EvalBreaker::of(tstate).load();
        let (mut generator, mut caller) = (generator, caller);
        while let Some(Delegating { send, inner }) = Delegating::of(generator, word) {
            generator.start(tstate, caller);
            tstate.enter_python_call();
            caller = generator.frame();
            caller.set_instr(send);
            set_return_offset(caller, END);
            generator = inner;
        }
        (generator, caller)
    }
}

/// Resumes `generator`, and the generators that it waits for. Returns the frame of the innermost, which the caller makes the
/// current one. It lacks the value that is sent to it.
///
/// # Safety
/// As for [`approach`].
#[inline(always)]
unsafe fn resume(tstate: ThreadState, generator: Generator, caller: Frame) -> Frame {
    // SAFETY: the contract is the same.
    unsafe {
        let (innermost, caller) = approach(tstate, generator, caller);
        innermost.start(tstate, caller);
        tstate.enter_python_call();
        innermost.frame()
    }
}

/// The same, if the innermost continues with the instruction at an address, in code of a version. Otherwise, none is resumed.
///
/// # Safety
/// As for [`approach`].
#[cfg(feature = "jit")]
#[inline(always)]
pub(crate) unsafe fn resume_at(
    tstate: ThreadState,
    generator: Generator,
    caller: Frame,
    expected: (CodeUnit, u32),
) -> Op<Frame> {
    // SAFETY: the contract is the same. The frames between are those of generators at a SEND.
    unsafe {
        let (innermost, mut between) = approach(tstate, generator, caller);
        let frame = innermost.frame();
        if let Err(exit) = guard_continues_at(frame, frame.instr(), expected) {
            while between != caller {
                between = suspend_at_send(tstate, between);
            }
            return Err(exit);
        }
        innermost.start(tstate, between);
        tstate.enter_python_call();
        Ok(frame)
    }
}

/// Whether `frame`, which has resumed a generator, yields at once what that yields.
///
/// # Safety
/// The frame is live, and has resumed a generator.
#[inline(always)]
unsafe fn passes_on(frame: Frame) -> bool {
    // SAFETY: another instruction follows the one that has resumed the generator. The bytecode of entry frames has the same
    // layout.
    unsafe { after_yield(frame).decode() == (opcode::YIELD_VALUE, DELEGATES) }
}

/// The frame that gets what the generator in this frame yields: the first one below it that does not pass it on.
///
/// # Safety
/// The frame is that of a generator that runs.
#[inline(always)]
pub(crate) unsafe fn receiver(frame: Frame) -> Frame {
    // SAFETY: a generator that runs has a frame below it, which has resumed it.
    unsafe {
        let mut receiver = frame.caller();
        while passes_on(receiver) {
            receiver = receiver.caller();
        }
        receiver
    }
}

/// Suspends the generator in this frame, which has just yielded, and those that pass on what it yields. Returns the frame that
/// gets it, which is current then.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. The frame is its current one, that of a generator, published, and at the
/// instruction behind its YIELD_VALUE.
#[inline(always)]
pub(crate) unsafe fn suspend(tstate: ThreadState, frame: Frame, is_delegating: bool) -> Frame {
    // SAFETY: a generator that runs has a frame below it, which has resumed it. One that passes on a value is at its SEND, and its
    // stack pointer above the receiver, where YIELD_VALUE leaves it.
    unsafe {
        tstate.leave_python_call();
        let mut caller = Generator::of_frame(frame).suspend(tstate, is_delegating);
        while passes_on(caller) {
            caller = suspend_at_send(tstate, caller);
        }
        caller
    }
}

/// Suspends the generator in this frame behind the YIELD_VALUE that belongs to its SEND. Returns the frame that has resumed it,
/// which is current then.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. The frame is that of a generator that runs, and at the SEND.
#[inline(always)]
unsafe fn suspend_at_send(tstate: ThreadState, frame: Frame) -> Frame {
    // SAFETY: YIELD_VALUE and RESUME follow the SEND. The stack pointer of the frame is where YIELD_VALUE leaves it.
    unsafe {
        frame.set_instr(after_yield(frame).add(1));
        tstate.leave_python_call();
        Generator::of_frame(frame).suspend(tstate, true)
    }
}

/// Whether the instruction can be one of those that a generator runs where it only passes something on.
///
/// # Safety
/// The unit is in live bytecode.
pub(crate) unsafe fn is_step(instr: CodeUnit) -> bool {
    // SAFETY: the unit is in live bytecode (caller).
    let (opcode, oparg) = unsafe { instr.decode() };
    match opcode {
        opcode::SEND | opcode::SEND_GEN | opcode::JUMP_BACKWARD_NO_INTERRUPT => true,
        opcode::YIELD_VALUE => oparg == DELEGATES,
        opcode::RESUME | opcode::RESUME_CHECK => {
            oparg & ffi::RESUME_OPARG_LOCATION_MASK as usize >= ffi::RESUME_AFTER_YIELD_FROM as usize
        }
        _ => false,
    }
}

// --- micro-ops -----------------------------------------------------------------------------------

/// The iterator is a generator that can be resumed. The innermost of the generators that would run then continues with the
/// instruction at an address, in code of a version.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_tos_innermost_at<E: Engine>(
    e: &mut E,
    expected: (CodeUnit, u32),
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the topmost value is live.
    unsafe {
        let generator = Generator::exact(iterator.object()).ok_or(Exit::Deopt)?;
        guard_innermost_at(e.tstate(), generator, expected)
    }
}

/// The same for the receiver below the top, which may also be a coroutine.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_nos_innermost_at<E: Engine>(
    e: &mut E,
    expected: (CodeUnit, u32),
    Kept([receiver, _]): Kept<[StackRef; 2]>,
) -> Op {
    // SAFETY: the receiver is live.
    unsafe {
        let generator = Generator::exact_or_coroutine(receiver.object()).ok_or(Exit::Deopt)?;
        guard_innermost_at(e.tstate(), generator, expected)
    }
}

/// # Safety
/// The thread is attached, `tstate` is its state, and the generator live.
#[inline(always)]
unsafe fn guard_innermost_at(tstate: ThreadState, generator: Generator, expected: (CodeUnit, u32)) -> Op {
    // SAFETY: the generator is live (caller). The frame of a suspended one is at an instruction of its code.
    unsafe {
        guard(generator.is_suspended())?;
        let frame = innermost(tstate, generator).frame();
        guard_continues_at(frame, frame.instr(), expected)
    }
}

/// Resumes the iterator and the generators that it waits for: the trace goes on in the innermost.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn for_iter_innermost<E: Engine>(
    e: &mut E,
    Kept([iterator]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: a guard has checked that the iterator is a generator which is suspended.
    unsafe {
        go_inwards(e, Generator::from_ptr(iterator.object()));
        Ok([StackRef::none()])
    }
}

/// Resumes the receiver and the generators that it waits for: the trace goes on in the innermost, which gets the topmost value.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn send_innermost<E: Engine>(
    e: &mut E,
    (Kept([receiver]), [value]): (Kept<[StackRef; 1]>, [StackRef; 1]),
) -> Op<Settled<1>> {
    // SAFETY: a guard has checked that the receiver is a generator or coroutine which is suspended. The value leaves its frame.
    unsafe {
        let value = leaving(value);
        e.set_sp(e.sp().sub(1));
        go_inwards(e, Generator::from_ptr(receiver.object()));
        e.push(value);
        Ok(Settled::new())
    }
}

/// # Safety
/// The thread is attached. The engine's frame has all its values below its stack pointer, and runs an instruction that resumes the
/// generator, which is suspended.
#[inline(always)]
unsafe fn go_inwards<E: Engine>(e: &mut E, generator: Generator) {
    // SAFETY: the contract is the same.
    unsafe {
        e.publish();
        set_return_offset(e.frame(), RESUMER_UNITS + e.oparg());
        let frame = resume(e.tstate(), generator, e.frame());
        e.tstate().set_current_frame(Some(frame));
        e.switch_frame(frame, frame.instr());
    }
}

/// What this generator yields is passed on to a frame that continues with the instruction at an address, in code of a version.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. YIELD_VALUE comes next.
#[inline(always)]
pub(crate) unsafe fn guard_passes_to<E: Engine>(
    e: &mut E,
    expected: (CodeUnit, u32),
    []: [StackRef; 0],
) -> Op {
    // SAFETY: a generator that runs has resumed it.
    unsafe {
        let receiver = receiver(e.frame());
        guard_continues_at(receiver, after_yield(receiver), expected)
    }
}

/// Suspends the generator and those that pass on what it yields, and pushes the topmost value in the frame that gets it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn yield_to_receiver<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: a generator owns the frame, and will continue after this instruction. The value leaves the frame and becomes the
    // result in the other one.
    unsafe {
        let frame = e.frame();
        frame.set_instr(frame.instr().add(1));
        e.publish_at(e.sp().sub(1));
        let receiver = suspend(e.tstate(), frame, e.oparg() != 0);
        e.switch_frame(receiver, after_yield(receiver));
        e.push(leaving(value));
        Ok(Settled::new())
    }
}
