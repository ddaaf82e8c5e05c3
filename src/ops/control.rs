//! Jumps, RESUME, returning, executors, and the periodic check.

#[cfg(py_tier2)]
use core::ptr::NonNull;

use super::guards::guard;
use crate::breaker::word::EvalBreaker;
use crate::bytecode::{BackoffCounter, opcode};
use crate::calls::frames;
use crate::engine::{BytecodeEngine, BytecodeExit, BytecodeOp, Engine, Exit, Op, Settled};
#[cfg(py_tier2)]
use crate::host::{CodeUnit, Frame, Raised, ThreadState};
use crate::host::{FREE_THREADED, StackRef, ffi};
use crate::instrument::version;
use crate::seams;
use crate::specialize::{jump_backward, resume};
#[cfg(py_gil_disabled)]
use crate::tlbc;

/// An inline cache entry where an instruction should be: the bytecode is broken.
#[inline(always)]
pub(crate) unsafe fn cache<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: C strings; does not return.
    unsafe { ffi::_Py_FatalErrorFunc(c"_PyEval_EvalFrameDefault".as_ptr(), c"Executing a cache.".as_ptr()) }
}

/// An opcode that nothing emits.
#[inline(always)]
pub(crate) unsafe fn reserved<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: C strings; does not return.
    unsafe {
        ffi::_Py_FatalErrorFunc(
            c"_PyEval_EvalFrameDefault".as_ptr(),
            c"Executing RESERVED instruction.".as_ptr(),
        )
    }
}

/// Extends the argument of the instruction that follows by eight bits from below, and runs it.
#[inline(always)]
pub(crate) unsafe fn extended_arg<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: an instruction follows.
    let (opcode, oparg) = unsafe { e.next().decode() };
    e.set_oparg(e.oparg() << 8 | oparg);
    Err(BytecodeExit::As(opcode))
}

// --- the eval breaker --------------------------------------------------------------------------

/// Handles what other threads and signals ask of this one.
#[inline(always)]
pub(crate) unsafe fn check_periodic<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the thread is attached; the frame is published before anything runs.
    unsafe {
        e.tstate().quiescent();
        if EvalBreaker::of(e.tstate()).load().has_events() {
            e.publish();
            if seams::ceval_gil::handle_pending(e.tstate()).is_err() {
                return Err(Exit::ErrorNoPop);
            }
        }
    }
    Ok([])
}

/// The periodic check, except on the way down a chain of `yield from` and `await`, whose innermost
/// frame makes it.
#[inline(always)]
pub(crate) unsafe fn check_periodic_if_not_yield_from<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    let location = e.oparg() & ffi::RESUME_OPARG_LOCATION_MASK as usize;
    if location < ffi::RESUME_AFTER_YIELD_FROM as usize {
        // SAFETY: the engine's promise.
        unsafe { check_periodic(e, []) }
    } else {
        Ok([])
    }
}

// --- RESUME ------------------------------------------------------------------------------------

/// Goes on in this thread's own copy of the bytecode, in free-threaded hosts.
#[inline(always)]
pub(crate) unsafe fn load_bytecode<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    #[cfg(not(py_gil_disabled))]
    let _ = e;
    #[cfg(py_gil_disabled)]
    // SAFETY: the frame is current, and published before the copy is made.
    unsafe {
        if e.frame().copy_index() != e.tstate().tlbc_index() {
            e.publish();
            if tlbc::frames::use_own_copy(e.tstate(), e.frame()).is_err() {
                return Err(Exit::ErrorNoPop.into());
            }
            e.set_next(e.frame().instr());
            return Err(BytecodeExit::Dispatch);
        }
    }
    Ok([])
}

/// Instruments the code for the tools of now, and begins anew if that changed it. Code that a tool runs
/// is left alone; but free-threaded hosts, where a copy may be new, check always.
#[inline(always)]
pub(crate) unsafe fn maybe_instrument<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the frame is published before the code is changed.
    unsafe {
        if FREE_THREADED || (*e.tstate().as_ptr()).tracing == 0 {
            let wanted = EvalBreaker::of(e.tstate()).load().version();
            if version::of_code(e.code()) != wanted {
                e.publish();
                if seams::instrumentation::instrument(e.code(), e.tstate().interp()).is_err() {
                    return Err(Exit::ErrorNoPop.into());
                }
                e.set_next(e.this_instr());
                return Err(BytecodeExit::Dispatch);
            }
        }
    }
    Ok([])
}

/// Becomes RESUME_CHECK, unless a tool runs.
#[inline(always)]
pub(crate) unsafe fn quicken_resume<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the instruction may be another one that falls back to RESUME: then nothing happens.
    unsafe { resume::specialize(e.this_instr(), e.tstate()) }
    Ok([])
}

/// Nothing is asked of the thread, and the code is instrumented as it should be.
#[inline(always)]
pub(crate) unsafe fn resume_check<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the code is live.
    unsafe {
        guard(EvalBreaker::of(e.tstate()).load().is_quiet_at(version::of_code(e.code())))?;
        #[cfg(py_gil_disabled)]
        guard(e.frame().copy_index() == e.tstate().tlbc_index())?;
    }
    Ok([])
}

// --- returning ---------------------------------------------------------------------------------

/// Leaves the frame, and pushes the topmost value in the calling one.
#[inline(always)]
pub(crate) unsafe fn return_value<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the value is the last one on the stack, and nothing of the frame backs it any more. The
    // frame is not the thread's current one when its destructors run. The value is the result in the other
    // frame.
    unsafe {
        let value = leaving(value);
        e.publish_at(e.sp().sub(1));
        let (tstate, dying) = (e.tstate(), e.frame());
        let caller = dying.previous();
        // The value waits on top of what the caller has published; where the collector has to see it, since
        // it may be deferred, as part of that.
        let slot = caller.stack_pointer();
        *slot = value;
        if FREE_THREADED {
            caller.set_stack_pointer(slot.add(1));
        }
        tstate.leave_python_call();
        tstate.set_current_frame(caller);
        frames::clear_and_pop(tstate, dying);
        let caller = tstate.current_frame();
        let offset = (*caller.as_ptr()).return_offset;
        e.switch_frame(caller, caller.instr().add(offset as isize));
        if !FREE_THREADED {
            e.set_sp(e.sp().add(1));
        }
        Ok(Settled::new())
    }
}

/// A value that leaves its frame, and with it whatever a borrowed reference relied on
/// ([`StackRef::heap_safe`] for what is known to be an object).
///
/// # Safety
/// The reference is a live object.
#[inline(always)]
pub(super) unsafe fn leaving(value: StackRef) -> StackRef {
    // SAFETY: the caller's promise.
    unsafe { if value.is_counted() { value } else { StackRef::new(value.object()) } }
}

/// Leaves the evaluator with the topmost value.
#[inline(always)]
pub(crate) unsafe fn interpreter_exit<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> BytecodeOp {
    // SAFETY: only entry frames have this instruction, and what was called has left its value.
    unsafe {
        let entry = e.frame();
        let result = value.into_object();
        e.tstate().set_current_frame(entry.previous());
        frames::restore_executor(e.tstate(), entry);
        Err(BytecodeExit::Return(result))
    }
}

// --- jumps -------------------------------------------------------------------------------------

/// Adds to the history of a branch, the 16 bits in its cache: the last one is in the lowest bit.
#[inline(always)]
pub(super) unsafe fn record_branch<E: Engine>(e: &mut E, taken: bool) {
    // SAFETY: branches have one cache entry.
    unsafe {
        let history = e.this_instr().add(1);
        history.set_word(history.word() << 1 | u16::from(taken));
    }
}

/// Jumps by the argument if `taken`, and else over the NOT_TAKEN that marks the other way.
#[inline(always)]
unsafe fn branch<E: BytecodeEngine>(e: &mut E, taken: bool) {
    // SAFETY: an instruction follows, and the argument leads to another one.
    unsafe {
        record_branch(e, taken);
        let offset = if taken { e.oparg() } else { usize::from(e.next().opcode() == opcode::NOT_TAKEN) };
        e.jump_by(offset as isize);
    }
}

/// Jumps if the topmost value, a bool, is True.
#[inline(always)]
pub(crate) unsafe fn pop_jump_if_true<E: BytecodeEngine>(
    e: &mut E,
    [condition]: [StackRef; 1],
) -> BytecodeOp {
    // SAFETY: the engine's promise; bools need no closing.
    unsafe { branch(e, condition.is_true()) }
    Ok([])
}

/// Jumps if the topmost value, a bool, is False.
#[inline(always)]
pub(crate) unsafe fn pop_jump_if_false<E: BytecodeEngine>(
    e: &mut E,
    [condition]: [StackRef; 1],
) -> BytecodeOp {
    // SAFETY: the engine's promise; bools need no closing.
    unsafe { branch(e, condition.is_false()) }
    Ok([])
}

/// Replaces the topmost value by whether it is None.
#[inline(always)]
pub(crate) unsafe fn is_none<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<[StackRef; 1]> {
    let is_none = value.is_none();
    if !is_none {
        // SAFETY: the input is ours.
        unsafe { e.close_at(value, e.sp().sub(1)) };
    }
    Ok([StackRef::bool(is_none)])
}

/// Jumps ahead.
#[inline(always)]
pub(crate) unsafe fn jump_forward<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the argument leads to another instruction.
    unsafe { e.jump_by(e.oparg() as isize) }
    Ok([])
}

/// Jumps back, without the periodic check.
#[inline(always)]
pub(crate) unsafe fn jump_backward_no_interrupt<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the argument leads to another instruction.
    unsafe { e.jump_by(-(e.oparg() as isize)) }
    Ok([])
}

/// Becomes the form of JUMP_BACKWARD for interpreters with or without a JIT.
#[inline(always)]
pub(crate) unsafe fn specialize_jump_backward<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the instruction may be another one that falls back to this one: then nothing happens.
    let changed = unsafe { jump_backward::specialize(e.this_instr(), e.tstate().interp()) };
    if changed { Err(BytecodeExit::Again) } else { Ok([]) }
}

// --- executors ---------------------------------------------------------------------------------

/// Makes and runs an executor for the loop that begins here, when the counter says so.
#[inline(always)]
pub(crate) unsafe fn jit<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    #[cfg(py_tier2)]
    // SAFETY: the instruction has a counter.
    unsafe {
        let instr = e.this_instr();
        let counter = BackoffCounter::from_bits(instr.add(1).word());
        if counter.triggers() && instr.opcode() == opcode::JUMP_BACKWARD_JIT {
            e.publish();
            return match executors::make(e.frame(), instr, e.oparg()) {
                Ok(Some(executor)) => executors::run(e, executor),
                Ok(None) => Ok([]),
                Err(Raised) => Err(Exit::ErrorNoPop.into()),
            };
        }
    }
    // SAFETY: the instruction has a counter.
    unsafe { BackoffCounter::advance_at(e.this_instr()) };
    Ok([])
}

/// Runs the executor that was put in the place of this instruction. If something is asked of the
/// thread, runs the instruction itself, so that its periodic check sees to it.
#[inline(always)]
pub(crate) unsafe fn enter_executor<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    #[cfg(not(py_tier2))]
    // SAFETY: C strings; does not return.
    unsafe {
        let _ = e;
        ffi::_Py_FatalErrorFunc(
            c"_PyEval_EvalFrameDefault".as_ptr(),
            c"ENTER_EXECUTOR is not supported in this build".as_ptr(),
        )
    }
    #[cfg(py_tier2)]
    // SAFETY: the lower eight bits of the argument are the executor's index; the code keeps it alive.
    unsafe {
        let executors = &raw const (*(*e.code().as_ptr()).co_executors).executors;
        let executor = *executors.cast::<NonNull<ffi::_PyExecutorObject>>().add(e.oparg() & 0xFF);
        if !EvalBreaker::of(e.tstate()).load().has_events() {
            return executors::run(e, executor);
        }
        let original = &raw const (*executor.as_ptr()).vm_data;
        e.set_oparg(e.oparg() & !0xFF | (*original).oparg as usize);
        run_original(e, (*original).opcode)
    }
}

/// Runs this instruction once more as `original`, what it was before something was put in its place.
///
/// # Safety
/// `original` is the opcode of an instruction of this length.
#[inline(always)]
pub(super) unsafe fn run_original<E: BytecodeEngine, T>(e: &mut E, original: u8) -> BytecodeOp<T> {
    // SAFETY: the tables have an entry for every opcode. Where there is a cache it begins with the
    // counter, or with a branch history, which loses a bit of truth.
    unsafe {
        let family = ffi::_PyOpcode_Deopt[original as usize];
        if ffi::_PyOpcode_Caches[family as usize] != 0 {
            BackoffCounter::pause_at(e.this_instr());
        }
        e.set_next(e.this_instr());
    }
    Err(BytecodeExit::As(original))
}

/// Executors of the host's JIT.
#[cfg(py_tier2)]
mod executors {
    use super::*;
    use crate::host::refcount;

    /// The machine code of an executor (`jit_func`): runs from where the frame is, leaves the frame that
    /// it stops in as the current one, published, and gives the instruction to go on with, or null with
    /// an exception set.
    type Trace = unsafe extern "C" fn(
        *mut ffi::_PyInterpreterFrame,
        *mut StackRef,
        ThreadState,
    ) -> *mut ffi::_Py_CODEUNIT;

    /// Makes an executor for the loop that the jump at `instr` closes, if the optimizer can and wants
    /// to. The counter starts again either way.
    ///
    /// # Safety
    /// The thread is attached, `frame` is current and published, and `instr` is in its bytecode.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn make(
        frame: Frame,
        instr: CodeUnit,
        oparg: usize,
    ) -> Result<Option<NonNull<ffi::_PyExecutorObject>>, Raised> {
        // SAFETY: the caller's promise. The executor belongs to the code.
        unsafe {
            let mut executor = core::ptr::null_mut();
            let start = first_unit(instr, oparg).as_ptr();
            let status = ffi::_PyOptimizer_Optimize(frame.as_ptr(), start, &raw mut executor, 0);
            let unit = instr.add(1);
            if status > 0 {
                unit.set_word(crate::bytecode::thresholds::get().jump_backward.bits());
                return Ok(NonNull::new(executor));
            }
            unit.set_word(BackoffCounter::from_bits(unit.word()).restart().bits());
            if status < 0 { Err(Raised) } else { Ok(None) }
        }
    }

    /// Where an instruction begins that has its opcode at `instr`: at the first of its EXTENDED_ARGs.
    unsafe fn first_unit(instr: CodeUnit, oparg: usize) -> CodeUnit {
        let (mut start, mut rest) = (instr, oparg >> 8);
        while rest > 0 {
            // SAFETY: a unit has eight bits of the argument, so there is one more before.
            start = unsafe { start.add(-1) };
            rest >>= 8;
        }
        start
    }

    /// Runs an executor, and goes on where it stops.
    #[inline(always)]
    pub(crate) unsafe fn run<E: Engine>(e: &mut E, executor: NonNull<ffi::_PyExecutorObject>) -> BytecodeOp {
        // SAFETY: the executor is valid, and its code expects the engine's registers.
        unsafe {
            let next = call(e.frame(), e.sp(), e.tstate(), executor.as_ptr());
            let frame = e.tstate().current_frame();
            if next.is_null() {
                // The handler is looked for at the instruction before the next one.
                e.switch_frame(frame, frame.instr().add(1));
                return Err(Exit::ErrorNoPop.into());
            }
            e.switch_frame(frame, CodeUnit::from_ptr(next));
            Err(BytecodeExit::Dispatch)
        }
    }

    /// Calls the code of an executor, which it keeps alive meanwhile.
    #[inline(never)]
    unsafe fn call(
        frame: Frame,
        sp: *mut StackRef,
        tstate: ThreadState,
        executor: *mut ffi::_PyExecutorObject,
    ) -> *mut ffi::_Py_CODEUNIT {
        // SAFETY: the caller's promise; the field holds code of that type.
        unsafe {
            (*tstate.as_ptr()).current_executor = executor.cast();
            let trace: Trace = core::mem::transmute((*executor).jit_code);
            refcount::incref(executor.cast());
            // Debug hosts insist that only the C side publishes from here on.
            #[cfg(py_debug)]
            frame.set_stack_pointer(core::ptr::null_mut());
            let next = trace(frame.as_ptr(), sp, tstate);
            refcount::decref(executor.cast());
            next
        }
    }
}
