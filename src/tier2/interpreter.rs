//! The micro-op interpreter: runs the trace of an executor, with the bodies that tier 1 runs.
//!
//! Each micro-op has a handler, which runs the body from `crate::ops` and goes on to the next micro-op of the
//! trace. A micro-op that fails goes on at one of the stubs behind the trace instead. The handlers of the micro-ops
//! that steer the engine are at the end.
//!
//! As in tier 1, handlers end by tail calls, or are called by a loop on stable Rust.

use core::convert::Infallible;
use core::ptr::NonNull;

use super::side_exit;
use super::uop::{Place, Uop};
use crate::breaker::word::{EvalBreaker, Event};
use crate::bytecode::micro_op;
use crate::engine::{Engine, Exit, TraceExit, run as run_micro_op, run_with as run_micro_op_with};
use crate::host::{CodeUnit, Frame, PyObject, Raised, StackRef, ThreadState, ffi};
use crate::ops;

/// Runs `executor` in `frame`, and the executors that its exits lead to. Returns the instruction to continue
/// with, or `None` with an exception set. In both cases the frame in which it stopped is current and published.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is its current frame, `sp` its stack pointer; it is at
/// the instruction that the executor begins with. The executor is valid, and the caller owns a reference to it.
pub(crate) unsafe fn run(
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    executor: NonNull<ffi::_PyExecutorObject>,
) -> Option<CodeUnit> {
    // SAFETY: the executor is valid and fits the frame (caller).
    let instr = unsafe { run_handlers(frame, sp, tstate, enter(tstate, executor)) };
    (!instr.is_null()).then(|| CodeUnit::from_ptr(instr))
}

/// Makes `executor` the thread's current one. Returns its first micro-op.
///
/// # Safety
/// The thread is attached and `tstate` is its state. The executor is live.
unsafe fn enter(tstate: ThreadState, executor: NonNull<ffi::_PyExecutorObject>) -> *const Uop {
    // SAFETY: both are live (caller).
    unsafe {
        (*tstate.as_ptr()).current_executor = executor.as_ptr().cast();
        (*executor.as_ptr()).trace.cast()
    }
}

/// The executor whose trace the thread runs.
///
/// # Safety
/// The thread is attached and `tstate` is its state. It runs a trace.
#[inline(always)]
unsafe fn current_executor(tstate: ThreadState) -> *mut ffi::_PyExecutorObject {
    // SAFETY: the state is live (caller).
    unsafe { (*tstate.as_ptr()).current_executor.cast() }
}

// --- the engine --------------------------------------------------------------------------------

/// The state of the interpreter while it runs one micro-op. It stays in machine registers.
struct Tier2 {
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    uop: *const Uop,
    /// The frame that this micro-op has created. It is passed on in the free stack slot at `sp`.
    new_frame: Frame,
}

impl Tier2 {
    /// Begins a micro-op.
    ///
    /// # Safety
    /// As for a [`Handler`].
    #[inline(always)]
    unsafe fn begin(frame: Frame, sp: *mut StackRef, tstate: ThreadState, uop: *const Uop) -> Tier2 {
        #[cfg(py_debug)]
        // SAFETY: the frame is live (caller). Its stored stack pointer is out of date from now on.
        unsafe {
            frame.set_stack_pointer(core::ptr::null_mut());
        }
        Tier2 { frame, sp, tstate, uop, new_frame: Frame::NULL }
    }

    /// Ends a micro-op that continues with the next one. Returns that.
    ///
    /// # Safety
    /// The micro-op has just succeeded.
    #[inline(always)]
    unsafe fn end(&self) -> *const Uop {
        // SAFETY: another micro-op follows, since a trace ends with one that never continues. A micro-op that creates
        // a frame has taken the operands of a call from the stack, or the instruction will push its result, so that
        // the slot at `sp` is free.
        unsafe {
            if !self.new_frame.is_null() {
                *self.sp.cast::<Frame>() = self.new_frame;
            }
            self.check_stack();
            self.uop.add(1)
        }
    }

    /// On debug hosts, checks that the stack is within its bounds.
    ///
    /// # Safety
    /// The engine's frame is live.
    #[inline(always)]
    unsafe fn check_stack(&self) {
        #[cfg(py_debug)]
        // SAFETY: the frame and its code are live (caller).
        unsafe {
            let depth = self.sp.offset_from(self.frame.stack_base());
            let limit = (*self.code().as_ptr()).co_stacksize as isize;
            let number = (*self.uop).number();
            assert!((0..=limit).contains(&depth), "micro-op {number}: stack depth {depth} of {limit}");
        }
    }
}

// SAFETY: `Handler` requires what the trait states, and micro-ops preserve it.
unsafe impl Engine for Tier2 {
    type NextStore = Infallible;

    #[inline(always)]
    fn frame(&self) -> Frame {
        self.frame
    }
    #[inline(always)]
    fn tstate(&self) -> ThreadState {
        self.tstate
    }
    #[inline(always)]
    fn oparg(&self) -> usize {
        // SAFETY: the micro-op is in a live trace.
        unsafe { (*self.uop).oparg.into() }
    }
    #[inline(always)]
    fn return_offset(&self) -> usize {
        self.oparg()
    }
    #[inline(always)]
    fn sp(&self) -> *mut StackRef {
        self.sp
    }
    #[inline(always)]
    unsafe fn set_sp(&mut self, sp: *mut StackRef) {
        self.sp = sp;
    }
    #[inline(always)]
    unsafe fn switch_frame(&mut self, frame: Frame, _next: CodeUnit) {
        self.frame = frame;
        // SAFETY: the frame is live and published (caller).
        self.sp = unsafe { frame.stack_pointer() };
    }
    #[inline(always)]
    fn give_frame(&mut self, frame: Frame) {
        self.new_frame = frame;
    }
    #[inline(always)]
    fn take_frame(&mut self) -> Frame {
        // SAFETY: an earlier micro-op of the instruction has created a frame (contract of `take_frame`), and `end` has
        // stored it there.
        unsafe { *self.sp.cast::<Frame>() }
    }
    #[inline(always)]
    unsafe fn following_store(&self) -> usize {
        // SAFETY: the micro-op is in a live trace.
        unsafe { (*self.uop).operand0 as usize }
    }
    #[inline(always)]
    unsafe fn skip_next(&mut self) {}
    #[inline(always)]
    unsafe fn stay_at_previous_instr(&mut self) {}
}

/// The operands of a micro-op, from the fields of a [`Uop`].
trait Operands {
    fn of(uop: &Uop) -> Self;
}

macro_rules! operands {
    ($($first:ty $(, $second:ty)?;)*) => {
        $(
            operands! { @one $first $(, $second)? }
        )*
    };
    (@one $type_:ty) => {
        impl Operands for $type_ {
            #[inline(always)]
            fn of(uop: &Uop) -> Self {
                uop.operand0 as $type_
            }
        }
    };
    (@one $first:ty, $second:ty) => {
        impl Operands for ($first, $second) {
            #[inline(always)]
            fn of(uop: &Uop) -> Self {
                (uop.operand0 as $first, uop.operand1 as $second)
            }
        }
    };
}

operands! {
    u16;
    u32;
    *mut PyObject;
    u16, u16;
    u32, u16;
    u32, *mut PyObject;
}

// --- dispatch ----------------------------------------------------------------------------------

/// What [`run`] returns, as a pointer.
type Instr = *mut ffi::_Py_CODEUNIT;

#[cfg(feature = "tail-call")]
#[macro_use]
mod dispatch {
    use super::*;

    /// The handler of a micro-op. The calling convention keeps the parameters in registers that calls into the host
    /// preserve.
    ///
    /// # Safety
    /// Parameters: frame, stack pointer, thread state, micro-op. The thread is attached, and `frame` is its current
    /// frame. The micro-op is in the trace of the thread's current executor, and the stack is as it expects it.
    pub(super) type Handler =
        unsafe extern "rust-preserve-none" fn(Frame, *mut StackRef, ThreadState, *const Uop) -> Outcome;

    /// The result of a handler, which is the end of the trace.
    pub(super) type Outcome = Instr;

    /// Defines a handler.
    macro_rules! handler {
        ($(#[$doc:meta])* $vis:vis $name:ident($frame:pat, $sp:pat, $tstate:pat, $uop:pat) $body:block) => {
            $(#[$doc])*
            #[allow(clippy::missing_safety_doc)]
            $vis unsafe extern "rust-preserve-none" fn $name(
                $frame: Frame,
                $sp: *mut StackRef,
                $tstate: ThreadState,
                $uop: *const Uop,
            ) -> Outcome {
                $body
            }
        };
    }

    /// Leaves a handler by another one.
    macro_rules! become_handler {
        ($handler:expr, $frame:expr, $sp:expr, $tstate:expr, $uop:expr) => {
            become $handler($frame, $sp, $tstate, $uop)
        };
    }

    /// Leaves a handler for a micro-op.
    macro_rules! continue_at {
        ($frame:expr, $sp:expr, $tstate:expr, $uop:expr) => {{
            let uop: *const Uop = $uop;
            become HANDLERS[usize::from((*uop).number())]($frame, $sp, $tstate, uop)
        }};
    }

    /// Leaves the interpreter.
    macro_rules! leave_with {
        ($instr:expr) => {
            $instr
        };
    }

    /// Runs micro-ops from `uop` on until one of them leaves.
    ///
    /// # Safety
    /// As for a [`Handler`].
    #[inline(never)]
    pub(super) unsafe fn run_handlers(
        frame: Frame,
        sp: *mut StackRef,
        tstate: ThreadState,
        uop: *const Uop,
    ) -> Instr {
        // SAFETY: the contract is the same.
        unsafe { HANDLERS[usize::from((*uop).number())](frame, sp, tstate, uop) }
    }
}

#[cfg(not(feature = "tail-call"))]
#[macro_use]
mod dispatch {
    use super::*;

    /// The handler of a micro-op.
    ///
    /// # Safety
    /// Parameters: frame, stack pointer, thread state, micro-op. The thread is attached, and `frame` is its current
    /// frame. The micro-op is in the trace of the thread's current executor, and the stack is as it expects it.
    pub(super) type Handler = unsafe fn(Frame, *mut StackRef, ThreadState, *const Uop) -> Outcome;

    /// The result of a handler.
    pub(super) enum Outcome {
        Continue(Frame, *mut StackRef, *const Uop),
        Leave(Instr),
    }

    macro_rules! handler {
        ($(#[$doc:meta])* $vis:vis $name:ident($frame:pat, $sp:pat, $tstate:pat, $uop:pat) $body:block) => {
            $(#[$doc])*
            #[allow(clippy::missing_safety_doc)]
            $vis unsafe fn $name(
                $frame: Frame,
                $sp: *mut StackRef,
                $tstate: ThreadState,
                $uop: *const Uop,
            ) -> Outcome {
                $body
            }
        };
    }

    macro_rules! become_handler {
        ($handler:expr, $frame:expr, $sp:expr, $tstate:expr, $uop:expr) => {
            return $handler($frame, $sp, $tstate, $uop)
        };
    }

    macro_rules! continue_at {
        ($frame:expr, $sp:expr, $tstate:expr, $uop:expr) => {
            return Outcome::Continue($frame, $sp, $uop)
        };
    }

    macro_rules! leave_with {
        ($instr:expr) => {
            Outcome::Leave($instr)
        };
    }

    /// Runs micro-ops from `uop` on until one of them leaves.
    ///
    /// # Safety
    /// As for a [`Handler`].
    pub(super) unsafe fn run_handlers(
        mut frame: Frame,
        mut sp: *mut StackRef,
        tstate: ThreadState,
        mut uop: *const Uop,
    ) -> Instr {
        loop {
            // SAFETY: the contract of a handler holds at first (caller), and each handler passes it on.
            match unsafe { HANDLERS[usize::from((*uop).number())](frame, sp, tstate, uop) } {
                Outcome::Continue(at, stack, next) => (frame, sp, uop) = (at, stack, next),
                Outcome::Leave(instr) => return instr,
            }
        }
    }
}

use dispatch::{Handler, Outcome, run_handlers};

// --- the handlers ------------------------------------------------------------------------------

macro_rules! copies {
    () => {
        0
    };
    ($copies:literal) => {
        $copies
    };
}

/// Runs the body of a micro-op.
macro_rules! body {
    ($e:ident $name:ident []) => {
        run_micro_op(&mut $e, ops::$name)
    };
    ($e:ident $name:ident [$operands:tt]) => {{
        let operands = Operands::of(&*$e.uop);
        run_micro_op_with(&mut $e, operands, ops::$name)
    }};
}

macro_rules! handlers {
    (everywhere { $({ $name:ident ($($copies:literal)?) [$($operands:tt)?] $needs:tt $flags:tt })* }
     bytecode $bytecode:tt
     traces { $({ $trace:ident [$($trace_operands:tt)?] $trace_needs:tt $trace_flags:tt })* }
     engine { $({ $engine:ident $engine_flags:tt })* }) => {
        /// The handler of each micro-op, by its number. Copies have the handler of the original.
        static HANDLERS: [Handler; micro_op::LAST as usize + 1] = {
            let mut table: [Handler; micro_op::LAST as usize + 1] = [unknown; micro_op::LAST as usize + 1];
            $(
                let mut number = micro_op::$name as usize;
                let last = number + copies!($($copies)?);
                while number <= last {
                    table[number] = handler::$name;
                    number += 1;
                }
            )*
            $(table[micro_op::$trace as usize] = handler::$trace;)*
            $(table[micro_op::$engine as usize] = $engine;)*
            table
        };

        mod handler {
            use super::*;

            $(handler_of_body! { $name [$($operands)?] })*
            $(handler_of_body! { $trace [$($trace_operands)?] })*
        }
    };
}

macro_rules! handler_of_body {
    ($name:ident $operands:tt) => {
        handler! {
            pub(super) $name(frame, sp, tstate, uop) {
                // SAFETY: the parameters are those of a handler. A body follows those that it needs, as the optimizer
                // has made the trace from whole instructions.
                unsafe {
                    let mut e = Tier2::begin(frame, sp, tstate, uop);
                    match body!(e $name $operands).map_err(TraceExit::from) {
                        Ok(()) => {
                            let next = e.end();
                            continue_at!(e.frame, e.sp, e.tstate, next)
                        }
                        Err(TraceExit::Exit(Exit::Deopt) | TraceExit::Side) => {
                            become_handler!(failed_guard, e.frame, e.sp, e.tstate, e.uop)
                        }
                        Err(TraceExit::Exit(Exit::Error | Exit::ErrorNoPop)) => {
                            become_handler!(error, e.frame, e.sp, e.tstate, e.uop)
                        }
                    }
                }
            }
        }
    };
}

for_each_micro_op!(handlers);

handler! {
    /// Continues at the stub for a guard that failed. A micro-op without one leaves the interpreter: it runs again in
    /// bytecode.
    ///
    /// # Safety
    /// As for a [`Handler`], with the micro-op that failed.
    failed_guard(frame, sp, tstate, uop) {
        // SAFETY: stubs are in the same trace. The stack is as before the micro-op's instruction.
        unsafe {
            match (*uop).place() {
                Place::Stubs { exit, .. } => continue_at!(frame, sp, tstate, in_trace(tstate, exit)),
                Place::Target(_) => become_handler!(deopt, frame, sp, tstate, uop),
            }
        }
    }
}

handler! {
    /// Continues at the stub for an exception.
    ///
    /// # Safety
    /// As for a [`Handler`], with the micro-op that failed. An exception is set.
    #[cold]
    error(frame, sp, tstate, uop) {
        // SAFETY: stubs are in the same trace. A micro-op without a stub belongs to the instruction at its target.
        unsafe {
            match (*uop).place() {
                Place::Stubs { error, .. } => continue_at!(frame, sp, tstate, in_trace(tstate, error)),
                Place::Target(target) => leave_with!(raise_at(frame, sp, tstate, target)),
            }
        }
    }
}

/// The micro-op with this index in the trace of the current executor.
///
/// # Safety
/// The thread is attached and `tstate` is its state. It runs a trace, which has that many micro-ops.
#[inline(always)]
unsafe fn in_trace(tstate: ThreadState, index: u16) -> *const Uop {
    // SAFETY: the current executor has such a micro-op (caller).
    unsafe { (*current_executor(tstate)).trace.cast::<Uop>().add(index.into()) }
}

/// Ends the trace: publishes the frame, and returns the instruction where tier 1 continues.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is its current frame and `sp` its stack pointer.
unsafe fn leave(frame: Frame, sp: *mut StackRef, tstate: ThreadState, instr: CodeUnit) -> Instr {
    // SAFETY: the frame and the state are live (caller).
    unsafe {
        frame.set_stack_pointer(sp);
        (*tstate.as_ptr()).current_executor = core::ptr::null_mut();
        instr.as_ptr()
    }
}

/// Ends the trace with the exception that is set. It was raised at offset `target` of the bytecode.
///
/// # Safety
/// As for [`leave`].
unsafe fn raise_at(frame: Frame, sp: *mut StackRef, tstate: ThreadState, target: u32) -> Instr {
    // SAFETY: the target is in the bytecode of the frame (caller).
    unsafe {
        let instr = at(frame, target);
        frame.set_instr(instr);
        leave(frame, sp, tstate, instr);
    }
    core::ptr::null_mut()
}

/// The instruction at offset `target` of the frame's bytecode.
///
/// # Safety
/// The frame is live, and its bytecode is that long.
unsafe fn at(frame: Frame, target: u32) -> CodeUnit {
    // SAFETY: the bytecode is that long (caller).
    unsafe { frame.bytecode().add(target as isize) }
}

// --- micro-ops of the engine -------------------------------------------------------------------

handler! {
    /// The first micro-op of a trace.
    ///
    /// # Safety
    /// As for a [`Handler`].
    start_executor(frame, sp, tstate, uop) {
        // SAFETY: another micro-op follows.
        unsafe {
            debug_assert!((*current_executor(tstate)).vm_data.valid() != 0);
            continue_at!(frame, sp, tstate, uop.add(1))
        }
    }
}

handler! {
    /// Notes that the executor is in use. Requests the removal of cold executors now and then.
    ///
    /// # Safety
    /// As for a [`Handler`].
    make_warm(frame, sp, tstate, uop) {
        // SAFETY: executor, thread and interpreter are live. Another micro-op follows.
        unsafe {
            (*current_executor(tstate)).vm_data.warm = true;
            let counter = &raw mut (*tstate.interp()).trace_run_counter;
            *counter = (*counter).wrapping_sub(1);
            if *counter == 0 {
                EvalBreaker::of(tstate).set(Event::JIT_INVALIDATE_COLD);
            }
            continue_at!(frame, sp, tstate, uop.add(1))
        }
    }
}

handler! {
    /// Stores the instruction that the following micro-ops belong to.
    ///
    /// # Safety
    /// As for a [`Handler`]. The operand is an instruction in the bytecode of the frame.
    set_ip(frame, sp, tstate, uop) {
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
    check_validity(frame, sp, tstate, uop) {
        // SAFETY: the executor is live. Another micro-op follows.
        unsafe {
            if (*current_executor(tstate)).vm_data.valid() != 0 {
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
    jump_to_top(frame, sp, tstate, uop) {
        // SAFETY: the exit of this micro-op is the first one after `start_executor`.
        unsafe { become_handler!(failed_guard, frame, sp, tstate, uop) }
    }
}

handler! {
    /// Leaves by a side exit: to the executor behind it, or to bytecode.
    ///
    /// # Safety
    /// As for a [`Handler`]. The operand is an exit of the current executor.
    exit_trace(frame, sp, tstate, uop) {
        // SAFETY: the operand is an exit (caller), and its target an instruction of the frame. The frame is published
        // before an executor is made. The exit keeps its executor alive.
        unsafe {
            let exit = (*uop).operand0 as *mut ffi::_PyExitData;
            let target = (*exit).target;
            frame.set_stack_pointer(sp);
            match side_exit::executor(frame, exit, current_executor(tstate)) {
                Ok(Some(executor)) => continue_at!(frame, sp, tstate, enter(tstate, executor)),
                Ok(None) => leave_with!(leave(frame, sp, tstate, at(frame, target))),
                Err(Raised) => leave_with!(raise_at(frame, sp, tstate, target)),
            }
        }
    }
}

handler! {
    /// Leaves to bytecode.
    ///
    /// # Safety
    /// As for a [`Handler`].
    deopt(frame, sp, tstate, uop) {
        // SAFETY: the target is an instruction of the frame's bytecode.
        unsafe {
            let Place::Target(target) = (*uop).place() else { unreachable!("a stub has no stubs") };
            leave_with!(leave(frame, sp, tstate, at(frame, target)))
        }
    }
}

handler! {
    /// Leaves with an exception, which the instruction at the operand has raised. What it has left on the stack is
    /// dropped by the unwinding.
    ///
    /// # Safety
    /// As for a [`Handler`]. An exception is set.
    error_pop_n(frame, sp, tstate, uop) {
        // SAFETY: the operand is the offset of an instruction.
        unsafe { leave_with!(raise_at(frame, sp, tstate, (*uop).operand0 as u32)) }
    }
}

handler! {
    /// Never part of a trace.
    ///
    /// # Safety
    /// As for a [`Handler`].
    fatal_error(_, _, _, _) {
        // SAFETY: both arguments are C strings, and the function does not return.
        unsafe { ffi::_Py_FatalErrorFunc(c"tier 2".as_ptr(), c"Fatal error uop executed.".as_ptr()) }
    }
}

handler! {
    /// A number that is no micro-op, or one that only bytecode contains.
    ///
    /// # Safety
    /// As for a [`Handler`].
    unknown(_, _, _, _) {
        // SAFETY: both arguments are C strings, and the function does not return.
        unsafe { ffi::_Py_FatalErrorFunc(c"tier 2".as_ptr(), c"Unknown uop".as_ptr()) }
    }
}
