//! How a micro-op ends.

use crate::host::{PyObject, StackRef};

/// How a micro-op ends if it does not continue with the next one. Every engine handles these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A guard failed: run the family's generic instruction instead, with the operands on the stack. The
    /// micro-op that returns this has changed nothing.
    Deopt,
    /// An exception is set and the inputs have been released.
    Error,
    /// An exception is set and the inputs are still on the stack.
    ErrorNoPop,
}

/// How a micro-op ends that only a [`BytecodeEngine`] can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BytecodeExit {
    /// An exit that every engine handles.
    Exit(Exit),
    /// An exception is set, its traceback is complete, and its events have fired. Only unwinding is left.
    Unwind,
    /// An exception is set. Drop the current frame, which has not started to run.
    DropFrame,
    /// The instruction is done: continue at [`BytecodeEngine::next`] and skip the remaining micro-ops.
    Dispatch,
    /// Read this instruction again, since it has just been changed, and run it with the same argument.
    Again,
    /// Run this instruction as the given opcode, with the same argument.
    As(u8),
    /// Leave the evaluator with this result.
    Return(*mut PyObject),
    /// The instruction is done, and a trace is to be recorded from [`BytecodeEngine::next`] on.
    #[cfg(py_tier2)]
    Record,
}

impl From<Exit> for BytecodeExit {
    #[inline(always)]
    fn from(exit: Exit) -> BytecodeExit {
        BytecodeExit::Exit(exit)
    }
}

/// How a micro-op ends that only traces contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceExit {
    /// An exit that every engine handles.
    Exit(Exit),
    /// The micro-op has released its inputs, and the program goes another way than the trace: leave where a
    /// failed guard would.
    Side,
    /// The same, for a micro-op that leaves its results on the stack. The stack pointer is above them.
    Settled,
}

impl From<Exit> for TraceExit {
    #[inline(always)]
    fn from(exit: Exit) -> TraceExit {
        TraceExit::Exit(exit)
    }
}

/// The result of a micro-op that can be part of a trace.
pub(crate) type Op<T = [StackRef; 0]> = Result<T, Exit>;

/// The result of a micro-op that only traces contain.
pub(crate) type TraceOp<T = [StackRef; 0]> = Result<T, TraceExit>;

/// The result of a micro-op that only runs on bytecode.
pub(crate) type BytecodeOp<T = [StackRef; 0]> = Result<T, BytecodeExit>;

/// The possible exits of a micro-op.
pub(crate) trait Exits: Copy {
    /// Whether the micro-op has released its inputs.
    fn has_consumed_inputs(self) -> bool;
}

impl Exits for Exit {
    #[inline(always)]
    fn has_consumed_inputs(self) -> bool {
        self == Exit::Error
    }
}

impl Exits for BytecodeExit {
    #[inline(always)]
    fn has_consumed_inputs(self) -> bool {
        self == BytecodeExit::Exit(Exit::Error)
    }
}

impl Exits for TraceExit {
    #[inline(always)]
    fn has_consumed_inputs(self) -> bool {
        matches!(self, TraceExit::Exit(Exit::Error) | TraceExit::Side)
    }
}
