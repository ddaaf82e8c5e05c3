//! Jumps, RESUME, returning, executors, and the periodic check of the eval breaker.

#[cfg(py_tier2)]
use core::ptr::NonNull;

use super::frames::after_return;
use super::guards::guard;
use crate::breaker::word::EvalBreaker;
use crate::bytecode::{BackoffCounter, opcode};
use crate::calls::frames;
use crate::engine::{BytecodeEngine, BytecodeExit, BytecodeOp, Engine, Exit, Op, Settled};
use crate::host::{CodeUnit, FREE_THREADED, StackRef, ffi};
#[cfg(py_tier2)]
use crate::host::{Frame, Raised, tier2};
use crate::instrument::version;
use crate::seams;
use crate::specialize::{jump_backward, resume};
#[cfg(py_gil_disabled)]
use crate::tlbc;

/// An inline cache entry in the place of an instruction: the bytecode is corrupt.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn cache<E: Engine>(_e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: both arguments are C strings, and the function does not return.
    unsafe { ffi::_Py_FatalErrorFunc(c"_PyEval_EvalFrameDefault".as_ptr(), c"Executing a cache.".as_ptr()) }
}

/// Runs the next instruction. Its argument gets this instruction's argument as its higher bits.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn extended_arg<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: an instruction follows an EXTENDED_ARG.
    let (opcode, oparg) = unsafe { e.next().decode() };
    e.set_oparg(e.oparg() << 8 | oparg);
    Err(BytecodeExit::As(opcode))
}

// --- the eval breaker --------------------------------------------------------------------------

/// Handles pending requests from other threads, signals and the collector.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_periodic<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    #[cfg(not(py_gil_disabled))]
    if E::ENTERS_METHODS && e.take_frame().is_some() {
        // The instruction has called a function, which makes this check when it begins.
        return Ok([]);
    }
    // SAFETY: the thread is attached. The frame is published before a request is handled.
    unsafe {
        e.tstate().quiescent();
        if EvalBreaker::of(e.tstate()).load().has_requests() {
            e.publish();
            if seams::ceval_gil::handle_pending(e.tstate()).is_err() {
                return Err(Exit::ErrorNoPop);
            }
        }
    }
    Ok([])
}

/// The periodic check, except when resuming a chain of `yield from` and `await`: there the innermost frame
/// makes it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_periodic_if_not_yield_from<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    let location = e.oparg() & ffi::RESUME_OPARG_LOCATION_MASK as usize;
    if location < ffi::RESUME_AFTER_YIELD_FROM as usize {
        // SAFETY: the contract is that of every micro-op.
        unsafe { check_periodic(e, []) }
    } else {
        Ok([])
    }
}

// --- RESUME ------------------------------------------------------------------------------------

/// On free-threaded hosts, continues in the thread's own copy of the bytecode.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_bytecode<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    #[cfg(not(py_gil_disabled))]
    let _ = e;
    #[cfg(py_gil_disabled)]
    // SAFETY: the frame is current, and published before the copy is made. The frame's instruction is in that
    // copy then.
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

/// Instruments the code for the current tools, and restarts the instruction if that changed the code. If calls are
/// counted and this is the last one, a trace is recorded from here on. Does
/// nothing while a tool's callback runs, except on free-threaded hosts, where a copy of the bytecode may be
/// new.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn maybe_instrument<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the frame is published before the code is changed. The instruction stays at the same place.
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
            #[cfg(py_tier2)]
            if version::count_call(e.code()) {
                e.publish();
                e.set_next(e.this_instr());
                let asked = executors::ask_for_calls(e.frame(), e.this_instr());
                return executors::go_on(e, asked);
            }
        }
    }
    Ok([])
}

/// Specializes RESUME to RESUME_CHECK, unless a tool's callback runs.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn quicken_resume<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the instruction is in the bytecode of the current frame. If it is another one that falls back
    // to RESUME, nothing happens.
    unsafe {
        let is_new = resume::specialize(e.this_instr(), e.tstate());
        #[cfg(not(py_tier2))]
        let _ = is_new;
        #[cfg(py_tier2)]
        if is_new && e.oparg() == ffi::RESUME_AT_FUNC_START as usize && tier2::is_on(e.tstate().interp()) {
            version::count_calls(e.code(), crate::bytecode::thresholds::get().calls(), 0);
        }
    }
    Ok([])
}

/// There are no pending requests, and the instrumentation of the code is up to date. On free-threaded hosts,
/// also: the frame runs the thread's own copy of the bytecode.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn resume_check<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the engine's frame keeps its code alive.
    unsafe {
        guard(version::is_quiet(e.code(), EvalBreaker::of(e.tstate()).load()))?;
        #[cfg(py_gil_disabled)]
        guard(e.frame().copy_index() == e.tstate().tlbc_index())?;
    }
    Ok([])
}

// --- returning ---------------------------------------------------------------------------------

/// Leaves the frame, and pushes the topmost value in the calling frame.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn return_value<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the value is the last one on the stack, and owned, so that nothing of the frame keeps it alive.
    // The frame is no longer the current one when its contents are released: its caller is. The value becomes the
    // result in the calling frame.
    unsafe {
        let value = leaving(value);
        e.publish_at(e.sp().sub(1));
        let (tstate, dying) = (e.tstate(), e.frame());
        let caller = dying.caller();
        // The value is in the slot above the published stack of the caller. On free-threaded hosts it is
        // published with it, since the value may be deferred and the collector must find it.
        let slot = caller.stack_pointer();
        *slot = value;
        if FREE_THREADED {
            caller.set_stack_pointer(slot.add(1));
        }
        tstate.leave_python_call();
        tstate.set_current_frame(Some(caller));
        frames::clear_and_pop(tstate, dying);
        let caller = tstate.current_frame().unwrap_unchecked();
        e.switch_frame(caller, after_return(caller));
        if !FREE_THREADED {
            e.set_sp(e.sp().add(1));
        }
        Ok(Settled::new())
    }
}

/// Returns a reference that stays valid without the frame that it leaves: a borrowed one becomes counted
/// ([`StackRef::heap_safe`], for references that are known to be objects).
///
/// # Safety
/// The reference is a live object.
#[inline(always)]
pub(super) unsafe fn leaving(value: StackRef) -> StackRef {
    // SAFETY: the object is live (caller).
    unsafe { if value.is_counted() { value } else { StackRef::new(value.object()) } }
}

/// Leaves the evaluator with the topmost value as its result.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn interpreter_exit<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> BytecodeOp {
    // SAFETY: only entry frames run this instruction, after the callee has pushed its result.
    unsafe {
        let entry = e.frame();
        let result = value.into_object();
        e.tstate().set_current_frame(entry.previous());
        frames::restore_executor(e.tstate(), entry);
        Err(BytecodeExit::Return(result))
    }
}

// --- jumps -------------------------------------------------------------------------------------

/// Shifts an outcome into the history of a branch, the 16 bits in its cache. The lowest bit is the latest
/// outcome.
///
/// # Safety
/// The current instruction is a branch, which has one unit of cache.
#[inline(always)]
pub(super) unsafe fn record_branch<E: BytecodeEngine>(e: &mut E, taken: bool) {
    // SAFETY: the unit after a branch is its history (caller).
    unsafe {
        let history = e.this_instr().add(1);
        history.set_word(history.word() << 1 | u16::from(taken));
    }
}

/// Jumps by the argument if `taken`. Otherwise skips the NOT_TAKEN that marks the other path.
///
/// # Safety
/// The current instruction is a branch.
#[inline(always)]
unsafe fn branch<E: BytecodeEngine>(e: &mut E, taken: bool) {
    // SAFETY: another instruction follows a branch, and its argument is the distance to its target (caller).
    unsafe {
        record_branch(e, taken);
        let offset = if taken { e.oparg() } else { usize::from(e.next().opcode() == opcode::NOT_TAKEN) };
        e.jump_by(offset as isize);
    }
}

/// Jumps if the topmost value, a bool, is True.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn pop_jump_if_true<E: BytecodeEngine>(
    e: &mut E,
    [condition]: [StackRef; 1],
) -> BytecodeOp {
    // SAFETY: the instruction is a branch. The input is a bool, which is immortal.
    unsafe { branch(e, condition.is_true()) }
    Ok([])
}

/// Jumps if the topmost value, a bool, is False.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn pop_jump_if_false<E: BytecodeEngine>(
    e: &mut E,
    [condition]: [StackRef; 1],
) -> BytecodeOp {
    // SAFETY: the instruction is a branch. The input is a bool, which is immortal.
    unsafe { branch(e, condition.is_false()) }
    Ok([])
}

/// Replaces the topmost value by a bool: whether it is None.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn is_none<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<[StackRef; 1]> {
    let is_none = value.is_none();
    if !is_none {
        // SAFETY: the input is live and owned by this micro-op. It leaves the published stack before it is
        // released.
        unsafe { e.close_at(value, e.sp().sub(1)) };
    }
    Ok([StackRef::bool(is_none)])
}

/// Jumps forward.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn jump_forward<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the argument is the distance to an instruction of the same bytecode.
    unsafe { e.jump_by(e.oparg() as isize) }
    Ok([])
}

/// Jumps backward, without the periodic check.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn jump_backward_no_interrupt<E: BytecodeEngine>(
    e: &mut E,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the argument is the distance to an instruction of the same bytecode.
    unsafe { e.jump_by(-(e.oparg() as isize)) }
    Ok([])
}

/// Specializes JUMP_BACKWARD for interpreters with or without a JIT.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn specialize_jump_backward<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the instruction is in the bytecode of the current frame. If it is another one that falls back
    // to JUMP_BACKWARD, nothing happens.
    let changed = unsafe { jump_backward::specialize(e.this_instr(), e.tstate().interp()) };
    if changed { Err(BytecodeExit::Again) } else { Ok([]) }
}

// --- executors ---------------------------------------------------------------------------------

/// Asks for an executor for the loop that this jump closes, if the counter is about to trigger: so the executor is
/// there when it does. Otherwise counts down the counter.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn jit<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    #[cfg(py_tier2)]
    // SAFETY: a backward jump has a counter in its cache.
    unsafe {
        let instr = e.this_instr();
        let counter = BackoffCounter::from_bits(instr.add(1).word());
        if counter.is_due() && instr.opcode() == opcode::JUMP_BACKWARD_JIT {
            e.publish();
            let asked = executors::ask_for_loop(e.frame(), instr, e.oparg());
            return executors::go_on(e, asked);
        }
    }
    // SAFETY: a backward jump has a counter in its cache.
    unsafe { BackoffCounter::advance_at(e.this_instr()) };
    Ok([])
}

/// Runs the executor that has replaced this instruction. If there are pending requests, runs the original
/// instruction, whose periodic check handles them; also if the code is older than the events that tools want, since a
/// RESUME brings it up to date.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn enter_executor<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    #[cfg(not(py_tier2))]
    // SAFETY: both arguments are C strings, and the function does not return.
    unsafe {
        let _ = e;
        ffi::_Py_FatalErrorFunc(
            c"_PyEval_EvalFrameDefault".as_ptr(),
            c"ENTER_EXECUTOR is not supported in this build".as_ptr(),
        )
    }
    #[cfg(py_tier2)]
    // SAFETY: the low eight bits of the argument are the index of the executor, which the code keeps alive.
    unsafe {
        let executor = e.code().executor(e.oparg() & 0xFF);
        let word = EvalBreaker::of(e.tstate()).load();
        if !word.has_requests() && version::of_code(e.code()) == word.version() {
            return executors::run(e, executor);
        }
        let original = &raw const (*executor.as_ptr()).vm_data;
        e.set_oparg(e.oparg() & !0xFF | (*original).oparg as usize);
        run_original(e, (*original).opcode)
    }
}

/// Runs `original`, the opcode that this instruction had before something replaced it.
///
/// # Safety
/// `original` is the original opcode of the current instruction, so that it has the same length and cache.
#[inline(always)]
pub(super) unsafe fn run_original<E: BytecodeEngine, T>(e: &mut E, original: u8) -> BytecodeOp<T> {
    // SAFETY: the current instruction is in the frame's bytecode, and `original` its original opcode (caller).
    unsafe { run_replaced(e, e.this_instr(), original) }
}

/// Runs `original`, the opcode that the instruction at `instr` had before something replaced it. The engine has its argument.
///
/// # Safety
/// As for [`run_original`]; `instr` is in the bytecode of the engine's frame.
#[inline(always)]
unsafe fn run_replaced<E: BytecodeEngine, T>(e: &mut E, instr: CodeUnit, original: u8) -> BytecodeOp<T> {
    // SAFETY: the tables have an entry for every opcode. The first unit of a cache is a counter, or the
    // history of a branch; the latter loses one correct bit when it is paused.
    unsafe {
        let family = ffi::_PyOpcode_Deopt[original as usize];
        if ffi::_PyOpcode_Caches[family as usize] != 0 {
            BackoffCounter::pause_at(instr);
        }
        e.set_next(instr);
    }
    Err(BytecodeExit::As(original))
}

/// Asking for executors and running them.
#[cfg(py_tier2)]
mod executors {
    use super::*;
    use crate::engine::Continuation;

    /// The executor that was asked for, if it is there at once.
    type Asked = Result<Option<NonNull<ffi::_PyExecutorObject>>, Raised>;

    /// Asks for an executor for the loop that the jump at `instr` closes. Restarts the counter.
    ///
    /// # Safety
    /// The thread is attached. `frame` is current and published, `instr` is a backward jump with a counter in its
    /// bytecode, and `oparg` is its full argument.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn ask_for_loop(frame: Frame, instr: CodeUnit, oparg: usize) -> Asked {
        // SAFETY: the frame is published, and the instruction has a counter (caller). The code object keeps the
        // executor alive, which is in its bytecode. An interpreter that runs code has read its configuration.
        unsafe {
            let result = seams::optimizer::optimize(frame, first_unit(instr, oparg), 0);
            let counter = match result {
                Ok(Some(_)) => crate::bytecode::thresholds::get().jump_backward,
                Ok(None) | Err(Raised) => BackoffCounter::load_at(instr).restart(),
            };
            counter.store_at(instr);
            Ok(result?.and_then(|executor| NonNull::new(executor.as_ptr().cast())))
        }
    }

    /// Asks for an executor for the function that begins with the RESUME at `instr`.
    ///
    /// # Safety
    /// The thread is attached. `frame` is current and published, and `instr` is in its bytecode.
    #[cold]
    #[inline(never)]
    pub(crate) unsafe fn ask_for_calls(frame: Frame, instr: CodeUnit) -> Asked {
        // SAFETY: the frame is published (caller). The code object keeps the executor alive, which is in its bytecode.
        unsafe {
            let executor = seams::optimizer::optimize(frame, instr, 0)?;
            Ok(executor.and_then(|executor| NonNull::new(executor.as_ptr().cast())))
        }
    }

    /// Goes on with the executor that was asked for, with a recording if there is none yet, or at the engine's next
    /// instruction.
    ///
    /// # Safety
    /// As [`crate::engine`] says for every micro-op. An executor belongs to the code of the engine's frame.
    #[inline(always)]
    pub(crate) unsafe fn go_on<E: BytecodeEngine>(e: &mut E, asked: Asked) -> BytecodeOp {
        match asked {
            // SAFETY: the contract is the same.
            Ok(Some(executor)) => unsafe { run(e, executor) },
            Ok(None) if e.wants_recording() => Err(BytecodeExit::Record),
            Ok(None) => Err(BytecodeExit::Dispatch),
            Err(Raised) => Err(Exit::ErrorNoPop.into()),
        }
    }

    /// The first unit of an instruction whose opcode is at `instr`: the first of its EXTENDED_ARGs.
    ///
    /// # Safety
    /// `instr` is in live bytecode, and `oparg` is its full argument.
    unsafe fn first_unit(instr: CodeUnit, oparg: usize) -> CodeUnit {
        let (mut start, mut rest) = (instr, oparg >> 8);
        while rest > 0 {
            // SAFETY: each unit contains eight bits of the argument, so there is another unit before this one
            // (caller).
            start = unsafe { start.add(-1) };
            rest >>= 8;
        }
        start
    }

    /// Runs an executor, and continues at the instruction that it returns.
    ///
    /// # Safety
    /// As [`crate::engine`] says for every micro-op. `executor` is valid and belongs to the code of the
    /// engine's frame.
    #[inline(always)]
    pub(crate) unsafe fn run<E: BytecodeEngine>(
        e: &mut E,
        executor: NonNull<ffi::_PyExecutorObject>,
    ) -> BytecodeOp {
        // SAFETY: the executor is valid (caller). It leaves the current frame published.
        unsafe {
            let continuation = e.run_executor(executor);
            let frame = e.tstate().current_frame().unwrap_unchecked();
            let instr = match continuation {
                None => {
                    e.switch_frame(frame, after_raising(frame));
                    return Err(Exit::ErrorNoPop.into());
                }
                Some(Continuation::At(instr) | Continuation::AtOriginal(instr)) => instr,
            };
            e.switch_frame(frame, instr);
            if e.wants_recording() {
                return Err(BytecodeExit::Record);
            }
            let (opcode, index) = instr.decode();
            if matches!(continuation, Some(Continuation::AtOriginal(_))) && opcode == opcode::ENTER_EXECUTOR {
                let original = &raw const (*frame.code().executor(index).as_ptr()).vm_data;
                e.set_oparg((*original).oparg.into());
                return run_replaced(e, instr, (*original).opcode);
            }
            Err(BytecodeExit::Dispatch)
        }
    }

    /// Returns the instruction behind the one that has raised in a trace. A trace may name an instruction by its
    /// EXTENDED_ARG, so this stores the frame's instruction pointer as tier 1 would have.
    ///
    /// # Safety
    /// The frame is live, and its instruction pointer is that of an instruction in a trace.
    #[cold]
    unsafe fn after_raising(frame: Frame) -> CodeUnit {
        // SAFETY: the frame keeps its code alive; an EXTENDED_ARG is followed by another instruction.
        unsafe {
            let code = frame.code();
            let mut instr = frame.instr();
            let index = |instr: CodeUnit| instr.offset_from(code.bytecode()) as usize;
            while seams::instrumentation::base_opcode(code, index(instr)) == opcode::EXTENDED_ARG {
                instr = instr.add(1);
            }
            frame.set_instr(instr);
            instr.add(seams::instrumentation::instruction_length(code, index(instr)) as isize)
        }
    }
}
