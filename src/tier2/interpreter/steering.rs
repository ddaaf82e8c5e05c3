//! The micro-ops that steer the engine.

use super::dispatch::*;
#[cfg(feature = "jit")]
use super::handlers::error;
use super::handlers::failed_guard;
#[cfg(all(tier2_jit, feature = "tail-call"))]
use super::machine_code;
use super::{MAY_LEAVE_AT_ONCE, current_executor, enter, side_exit, to_instr};
#[cfg(not(feature = "attach"))]
use crate::breaker::word::{EvalBreaker, Request};
#[cfg(feature = "jit")]
use crate::bytecode::micro_op;
use crate::engine::Continuation;
#[cfg(feature = "jit")]
use crate::explain;
use crate::host::{CodeUnit, Frame, Raised, StackRef, ThreadState, ffi};
use crate::tier2::Uop;
#[cfg(feature = "jit")]
use crate::tier2::compiled::{self, Compiled, Machine, MachineCode, Next, Wanted};
use crate::tier2::executor::{Executor, SideExit};
#[cfg(feature = "jit")]
use crate::tier2::explained;
#[cfg(feature = "attach")]
use crate::tier2::invalidate;
use crate::tier2::uop::Place;

/// Ends a handler by an executor: by its machine code, or by its micro-ops.
macro_rules! continue_in {
    ($frame:expr, $sp:expr, $tstate:expr, $executor:expr) => {{
        let executor: Executor = $executor;
        let first = enter($tstate, executor);
        #[cfg(all(tier2_jit, feature = "tail-call"))]
        {
            // What debug hosts expect of machine code that runs.
            #[cfg(py_debug)]
            $frame.set_stack_pointer(core::ptr::null_mut());
            become_handler!(machine_code::entry(executor), $frame, $sp, $tstate, first)
        }
        #[cfg(not(all(tier2_jit, feature = "tail-call")))]
        continue_at!($frame, $sp, $tstate, first)
    }};
}

handler! {
    /// The first micro-op of a trace.
    ///
    /// # Safety
    /// As for a [`Handler`].
    pub(super) start_executor(frame, sp, tstate, uop) {
        // SAFETY: another micro-op follows.
        unsafe {
            let executor = current_executor(tstate);
            debug_assert!(executor.is_valid());
            #[cfg(feature = "jit")]
            match compiled::of(executor) {
                Compiled::Code(code) => {
                    let (frame, sp, next) = run_compiled(frame, sp, tstate, code);
                    match next {
                        Next::At(uop) => continue_at!(frame, sp, tstate, uop),
                        Next::FailedGuard(uop) => become_handler!(failed_guard, frame, sp, tstate, uop),
                        Next::Error(uop) => become_handler!(error, frame, sp, tstate, uop),
                        Next::Bytecode(uop) => become_handler!(deopt, frame, sp, tstate, uop),
                    }
                }
                Compiled::Interpreted => {}
                Compiled::Hot => {
                    let is_fast = compiled::is_hot_fast(executor);
                    compiled::want(Wanted { executor: executor.new_ref(), is_fast, from: None });
                    let Place::Target(target) = (*uop).place() else { unreachable!("it begins at an instruction") };
                    // It is entered again, perhaps with its code.
                    let again = Continuation::At(at(frame, target));
                    stop(frame, sp, tstate);
                    return end_trace(to_instr(again));
                }
            }
            continue_at!(frame, sp, tstate, uop.add(1))
        }
    }
}

/// Runs machine code, and what it continues with as long as that is machine code. Returns frame, stack pointer, and where the
/// program continues.
///
/// # Safety
/// As for a [`Handler`], with the code of the current executor.
#[cfg(feature = "jit")]
unsafe fn run_compiled(
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    mut code: MachineCode,
) -> (Frame, *mut StackRef, Next) {
    let mut machine = Machine::new(frame, sp);
    // SAFETY: the code is the executor's (caller). An exit keeps the executor behind it alive.
    unsafe {
        frame.set_some_stack_pointer();
        loop {
            match code.run(&mut machine, tstate) {
                Next::At(uop) if (*uop).number() == micro_op::exit_trace => {
                    let behind = SideExit::of(*uop).executor().filter(|executor| executor.is_valid());
                    let Some((executor, found)) =
                        behind.and_then(|executor| Some((executor, compiled::code_of(executor)?)))
                    else {
                        return (machine.frame, machine.sp, Next::At(uop));
                    };
                    enter(tstate, executor);
                    code = found;
                }
                next => {
                    if let Next::At(uop) = next {
                        if (*uop).number() == micro_op::make_warm {
                            compiled::refused(current_executor(tstate));
                        }
                        if explain::is_on()
                            && !matches!(
                                (*uop).number(),
                                micro_op::deopt | micro_op::error_pop_n | micro_op::set_ip
                            )
                        {
                            explained::note_interpreted(tstate, uop);
                        }
                    }
                    return (machine.frame, machine.sp, next);
                }
            }
        }
    }
}

handler! {
    /// Notes that the executor is in use. Removes cold executors now and then, or requests that.
    ///
    /// # Safety
    /// As for a [`Handler`].
    pub(super) make_warm(frame, sp, tstate, uop) {
        // SAFETY: executor, thread and interpreter are live. Another micro-op follows.
        unsafe {
            current_executor(tstate).make_warm();
            let counter = &raw mut (*tstate.interp()).trace_run_counter;
            *counter = (*counter).wrapping_sub(1);
            if *counter == 0 {
                remove_cold(tstate);
            }
            continue_at!(frame, sp, tstate, uop.add(1))
        }
    }
}

/// Requests the removal of cold executors.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[cfg(not(feature = "attach"))]
unsafe fn remove_cold(tstate: ThreadState) {
    // SAFETY: the state is live (caller).
    unsafe { EvalBreaker::of(tstate) }.set(Request::JIT_INVALIDATE_COLD);
}

/// Removes cold executors. The host, which handles requests, would remove those with machine code, too.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[cfg(feature = "attach")]
#[cold]
unsafe fn remove_cold(tstate: ThreadState) {
    // SAFETY: the thread is attached (caller). That runs no Python code.
    unsafe {
        let interp = tstate.interp();
        invalidate::cold(interp);
        (*interp).trace_run_counter = ffi::JIT_CLEANUP_THRESHOLD as usize;
    }
}

handler! {
    /// Stores the instruction that the following micro-ops belong to.
    ///
    /// # Safety
    /// As for a [`Handler`]. The operand is an instruction in the bytecode of the frame.
    pub(super) set_ip(frame, sp, tstate, uop) {
        // SAFETY: the operand is an instruction (caller). Another micro-op follows.
        unsafe {
            frame.set_instr(CodeUnit::from_ptr((*uop).operand0 as _));
            continue_at!(frame, sp, tstate, uop.add(1))
        }
    }
}

handler! {
    /// Nothing that the executor relies on has changed.
    ///
    /// # Safety
    /// As for a [`Handler`].
    pub(super) check_validity(frame, sp, tstate, uop) {
        // SAFETY: the executor is live. Another micro-op follows.
        unsafe {
            if current_executor(tstate).is_valid() {
                continue_at!(frame, sp, tstate, uop.add(1))
            }
            become_handler!(failed_guard, frame, sp, tstate, uop)
        }
    }
}

handler! {
    /// Continues at the beginning of the loop.
    ///
    /// # Safety
    /// As for a [`Handler`].
    pub(super) jump_to_top(frame, sp, tstate, uop) {
        // SAFETY: the exit of this micro-op is the first one after `start_executor`. That one looks for machine code.
        unsafe {
            if cfg!(feature = "jit") {
                continue_at!(frame, sp, tstate, current_executor(tstate).trace().as_ptr())
            }
            become_handler!(failed_guard, frame, sp, tstate, uop)
        }
    }
}

handler! {
    /// Leaves by a side exit: to the executor behind it, or to bytecode.
    ///
    /// # Safety
    /// As for a [`Handler`]. The operand is an exit of the current executor.
    pub(super) exit_trace(frame, sp, tstate, uop) {
        // SAFETY: the operand is an exit (caller), and its target an instruction of the frame. The frame is published
        // before an executor is made. The exit keeps its executor alive.
        unsafe {
            let exit = SideExit::of(*uop);
            let target = exit.target();
            frame.set_stack_pointer(sp);
            match side_exit::executor(frame, exit, current_executor(tstate)) {
                Ok(Some(executor)) => continue_in!(frame, sp, tstate, executor),
                Ok(None) => leave(frame, sp, tstate, uop, target),
                Err(Raised) => raise_at(frame, sp, tstate, target),
            }
        }
    }
}

handler! {
    /// Leaves to bytecode.
    ///
    /// # Safety
    /// As for a [`Handler`].
    pub(super) deopt(frame, sp, tstate, uop) {
        // SAFETY: the target is an instruction of the frame's bytecode.
        unsafe {
            let Place::Target(target) = (*uop).place() else { unreachable!("a stub has no stubs") };
            leave(frame, sp, tstate, uop, target)
        }
    }
}

handler! {
    /// Leaves with an exception, which the instruction at the operand has raised. What it has left on the stack is
    /// dropped by the unwinding.
    ///
    /// # Safety
    /// As for a [`Handler`]. An exception is set.
    pub(super) error_pop_n(frame, sp, tstate, uop) {
        // SAFETY: the operand is the offset of an instruction.
        unsafe {
            let target = (*uop).operand0 as u32;
            #[cfg(feature = "jit")]
            if explain::is_on() {
                explained::note_exit(tstate, frame, uop, target);
            }
            raise_at(frame, sp, tstate, target)
        }
    }
}

handler! {
    /// Never part of a trace.
    ///
    /// # Safety
    /// As for a [`Handler`].
    pub(super) fatal_error(_, _, _, _) {
        // SAFETY: both arguments are C strings, and the function does not return.
        unsafe { ffi::_Py_FatalErrorFunc(c"tier 2".as_ptr(), c"Fatal error uop executed.".as_ptr()) }
    }
}

handler! {
    /// A number that is no micro-op, or one that only bytecode contains.
    ///
    /// # Safety
    /// As for a [`Handler`].
    pub(super) unknown(_, _, _, _) {
        // SAFETY: both arguments are C strings, and the function does not return.
        unsafe { ffi::_Py_FatalErrorFunc(c"tier 2".as_ptr(), c"Unknown uop".as_ptr()) }
    }
}

// --- leaving -----------------------------------------------------------------------------------

/// Ends the trace at this micro-op. Tier 1 continues at offset `target` of the bytecode.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is its current frame and `sp` its stack pointer. The
/// frame's bytecode has an instruction at the target.
unsafe fn leave(
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    uop: *const Uop,
    target: u32,
) -> Outcome {
    #[cfg(not(feature = "jit"))]
    let _ = uop;
    // SAFETY: the frame and the state are live, and the target is an instruction (caller).
    unsafe {
        #[cfg(feature = "jit")]
        if explain::is_on() {
            explained::note_exit(tstate, frame, uop, target);
        }
        let instr = at(frame, target);
        let is_at_once = MAY_LEAVE_AT_ONCE && current_executor(tstate).begins_there(instr);
        stop(frame, sp, tstate);
        let continuation = if is_at_once { Continuation::AtOriginal(instr) } else { Continuation::At(instr) };
        end_trace(to_instr(continuation))
    }
}

/// Ends the trace with the exception that is set. The instruction at offset `target` of the bytecode has raised it.
///
/// # Safety
/// As for [`leave`].
pub(super) unsafe fn raise_at(frame: Frame, sp: *mut StackRef, tstate: ThreadState, target: u32) -> Outcome {
    // SAFETY: as for `leave`.
    unsafe {
        stop(frame, sp, tstate);
        frame.set_instr(at(frame, target));
    }
    end_trace(core::ptr::null_mut())
}

/// Publishes the frame. The thread has no current executor from now on.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is its current frame and `sp` its stack pointer.
unsafe fn stop(frame: Frame, sp: *mut StackRef, tstate: ThreadState) {
    // SAFETY: the frame and the state are live (caller).
    unsafe {
        frame.set_stack_pointer(sp);
        (*tstate.as_ptr()).current_executor = core::ptr::null_mut();
    }
}

/// The instruction at offset `target` of the frame's bytecode.
///
/// # Safety
/// The frame is live, and its bytecode is that long.
unsafe fn at(frame: Frame, target: u32) -> CodeUnit {
    // SAFETY: the bytecode is that long (caller).
    unsafe { frame.bytecode().add(target as isize) }
}
