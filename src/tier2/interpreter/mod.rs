//! The micro-op interpreter: runs the trace of an executor, with the bodies that tier 1 runs.
//!
//! Each micro-op has a handler ([`handlers`]): it runs the body from `crate::ops`, and ends with the handler of the
//! next micro-op of the trace or, if it fails, with that of a stub behind the trace. The micro-ops that steer the
//! engine have no body ([`steering`]). As in tier 1, handlers end by tail calls, or are called by a loop on stable
//! Rust.

// With tail calls, what a handler returns is an instruction already.
#![cfg_attr(feature = "tail-call", allow(clippy::useless_conversion))]

#[cfg(feature = "tail-call")]
#[macro_use]
#[path = "tail.rs"]
mod dispatch;
#[cfg(not(feature = "tail-call"))]
#[macro_use]
#[path = "call_loop.rs"]
mod dispatch;
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
        run(&mut $e, ops::$name)
    };
    ($e:ident $name:ident [$operands:tt]) => {{
        let operands = UopOperands::of(&*$e.uop);
        run_with(&mut $e, operands, ops::$name)
    }};
}

mod engine;
mod handlers;
#[cfg(feature = "jit")]
mod helpers;
#[cfg(all(tier2_jit, feature = "tail-call"))]
mod machine_code;
mod side_exit;
mod steering;

use core::ptr::NonNull;

use dispatch::{Handler, run_handlers};
use handlers::HANDLERS;
#[cfg(feature = "jit")]
pub(crate) use helpers::HELPERS;

use super::Uop;
use super::executor::Executor;
use crate::engine::Continuation;
#[cfg(feature = "jit")]
use crate::host::thread::EVALUATOR;
use crate::host::{CodeUnit, Frame, StackRef, ThreadState, ffi};

/// Whether traces may contain own micro-ops. The host's JIT does not know them. Its machine code can continue in this
/// interpreter only if handlers have the same calling convention, as they have with tail calls.
pub(crate) const RUNS_OWN_MICRO_OPS: bool = cfg!(any(not(tier2_jit), feature = "tail-call"));

/// The `jit_side_entry` of an executor that has no machine code: see [`machine_code`]. Null unless
/// [`RUNS_OWN_MICRO_OPS`].
#[cfg(tier2_jit)]
pub(crate) fn side_entry() -> *mut core::ffi::c_void {
    #[cfg(feature = "tail-call")]
    return machine_code::interpret as *mut _;
    #[cfg(not(feature = "tail-call"))]
    core::ptr::null_mut()
}

/// Whether executors in the bytecode may leave in front of their first instruction. Machine code of the host's JIT leaves to
/// what is in the bytecode there, so that nothing would make progress.
pub(crate) const MAY_LEAVE_AT_ONCE: bool = cfg!(not(tier2_jit));

/// Runs `executor` in `frame`, and the executors that its exits lead to. Returns where to continue, or `None` with an
/// exception set. In both cases the frame in which it stopped is current and published.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is its current frame, `sp` its stack pointer; it is at
/// the instruction that the executor begins with. The executor is valid, and the caller owns a reference to it.
pub(crate) unsafe fn run(
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    executor: NonNull<ffi::_PyExecutorObject>,
) -> Option<Continuation> {
    // SAFETY: the executor is valid and fits the frame (caller).
    let instr = unsafe { run_handlers(frame, sp, tstate, enter(tstate, Executor::new(executor))) };
    from_instr(instr)
}

/// Makes `executor` the thread's current one. Returns its first micro-op.
///
/// # Safety
/// The thread is attached and `tstate` is its state. The executor is live.
unsafe fn enter(tstate: ThreadState, executor: Executor) -> *const Uop {
    // SAFETY: both are live (caller).
    unsafe {
        (*tstate.as_ptr()).current_executor = executor.object();
        executor.trace().as_ptr()
    }
}

/// The executor whose trace the thread runs.
///
/// # Safety
/// The thread is attached and `tstate` is its state. It runs a trace.
#[inline(always)]
unsafe fn current_executor(tstate: ThreadState) -> Executor {
    // SAFETY: the state is live, and has a current executor (caller).
    unsafe { Executor::from_ptr((*tstate.as_ptr()).current_executor.cast()).unwrap_unchecked() }
}

/// Where the library's code is that runs Python code: that of the handlers, and what lies between them.
#[cfg(feature = "jit")]
pub(crate) fn library_code() -> core::ops::Range<usize> {
    /// More than the longest of them has.
    const LENGTH: usize = 1 << 12;
    let handlers = HANDLERS.iter().map(|&handler| (handler as *const ()).addr());
    let helpers = HELPERS.iter().flatten().map(|&helper| (helper as *const ()).addr());
    let all = handlers.chain(helpers).chain([(EVALUATOR as *const ()).addr()]);
    let (first, last) = all.fold((usize::MAX, 0), |(first, last), at| (first.min(at), last.max(at)));
    first..last + LENGTH
}

/// What [`run`] returns, as a pointer.
type Instr = *mut ffi::_Py_CODEUNIT;

/// The bit of the pointer that means [`Continuation::AtOriginal`].
const ORIGINAL: usize = 1;

fn to_instr(continuation: Continuation) -> Instr {
    match continuation {
        Continuation::At(instr) => instr.as_ptr(),
        Continuation::AtOriginal(instr) => instr.as_ptr().map_addr(|address| address | ORIGINAL),
    }
}

fn from_instr(instr: Instr) -> Option<Continuation> {
    if instr.is_null() {
        return None;
    }
    let unit = CodeUnit::from_ptr(instr.map_addr(|address| address & !ORIGINAL));
    let is_original = instr.addr() & ORIGINAL != 0;
    Some(if is_original { Continuation::AtOriginal(unit) } else { Continuation::At(unit) })
}

/// The handler of a micro-op.
///
/// # Safety
/// The micro-op is in the trace of the current executor of `tstate`, the attached thread's state.
#[inline(always)]
unsafe fn handler_of(tstate: ThreadState, uop: *const Uop) -> Handler {
    // SAFETY: the trace is live (caller).
    unsafe {
        #[cfg(not(py_debug))]
        let _ = tstate;
        #[cfg(py_debug)]
        lltrace::show(uop.offset_from(current_executor(tstate).trace().as_ptr()), &*uop);
        HANDLERS[usize::from((*uop).number()) % HANDLERS.len()]
    }
}

/// What debug hosts print for each micro-op if PYTHON_LLTRACE is 3 or more.
#[cfg(py_debug)]
mod lltrace {
    use std::sync::OnceLock;

    use super::Uop;
    use crate::ops::metadata::MicroOp;

    /// Prints the micro-op at this index of its trace.
    pub(super) fn show(index: isize, uop: &Uop) {
        static IS_ON: OnceLock<bool> = OnceLock::new();
        let level = || std::env::var("PYTHON_LLTRACE").ok()?.bytes().next();
        if *IS_ON.get_or_init(|| level().is_some_and(|level| (b'3'..=b'9').contains(&level))) {
            let name = MicroOp::host_name(uop.number()).unwrap_or_default();
            println!("{index:4} uop: {name} ({}, operand0 {:#x})", uop.oparg, uop.operand0);
        }
    }
}
