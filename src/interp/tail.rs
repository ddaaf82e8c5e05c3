//! Dispatch by guaranteed tail calls: every instruction is a function that ends with a jump to the next one,
//! and the evaluator's registers are its parameters. Stands for the loop of the host's `ceval.o`.

#[cfg(py_tier2)]
use super::match_loop::Stop;
use super::unwind::{self, Resume};
use super::{Tier1, instructions};
use crate::bytecode::{metadata, opcode};
use crate::engine::{BytecodeExit, Exit, separate_load};
use crate::host::{CodeUnit, Frame, PyObject, StackRef, ThreadState};

/// The handler of one instruction. The calling convention keeps the first four parameters in registers that
/// calls into the host preserve.
///
/// # Safety
/// Parameters: frame, stack pointer, thread state, the instruction, its argument; an unwinding handler receives
/// the next instruction instead. The contract is that of [`Tier1::begin`]. An entry frame is below the frame.
pub(crate) type Handler = unsafe extern "rust-preserve-none" fn(
    Frame,
    *mut StackRef,
    ThreadState,
    CodeUnit,
    usize,
) -> *mut PyObject;

/// The handler of an opcode.
#[inline(always)]
fn handler_of(opcode: u8) -> Handler {
    let handler = separate_load(TABLE[opcode as usize] as *const ());
    // SAFETY: this is still the handler.
    unsafe { core::mem::transmute::<*const (), Handler>(handler) }
}

/// Runs `frame` from the instruction `next` until the entry frame below it returns. Returns the result of the
/// entry frame, or null with an exception set.
///
/// # Safety
/// `tstate` is the attached thread's. `frame` is its current frame, published, with an entry frame below it.
/// `next` is an instruction in its bytecode.
pub(crate) unsafe fn interpret(tstate: ThreadState, frame: Frame, next: CodeUnit) -> *mut PyObject {
    // SAFETY: the frame is published (caller), so its stack pointer is stored in it.
    unsafe { run_handlers(frame, frame.stack_pointer(), tstate, next) }
}

/// Calls the handler of `next`, which jumps to the handler of the next instruction, and so on.
///
/// Handlers set up no stack frame on their common paths. This function sets one up for them, which holds the
/// return address into `_PyEval_EvalFrameDefault`. Without it, a walk along the frame pointers would skip from
/// a handler to the caller of `_PyEval_EvalFrameDefault`.
///
/// # Safety
/// As for [`interpret`]; `sp` is the stack pointer of `frame`.
#[inline(never)]
unsafe extern "rust-preserve-none" fn run_handlers(
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    next: CodeUnit,
) -> *mut PyObject {
    // SAFETY: `next` is an instruction of the frame's bytecode (caller), and the parameters are those of its
    // handler.
    unsafe {
        let (opcode, oparg) = next.decode();
        let result = TABLE[opcode as usize](frame, sp, tstate, next, oparg);
        // Code after the call keeps it a call. A jump would leave no stack frame.
        core::arch::asm!("", options(nomem, nostack, preserves_flags));
        result
    }
}

macro_rules! handlers {
    ($({ $name:ident $family:tt $steps:tt })*) => {
        /// The handler of every opcode.
        static TABLE: [Handler; 256] = {
            let mut table: [Handler; 256] = [handler::unknown; 256];
            $(table[opcode::$name as usize] = handler::$name;)*
            table
        };

        #[allow(non_snake_case)]
        mod handler {
            use super::*;

            $(
                /// # Safety
                /// As for a [`Handler`].
                pub(crate) unsafe extern "rust-preserve-none" fn $name(
                    frame: Frame,
                    sp: *mut StackRef,
                    tstate: ThreadState,
                    this: CodeUnit,
                    oparg: usize,
                ) -> *mut PyObject {
                    // SAFETY: a handler receives the registers for the instruction at `this` (contract of
                    // `Handler`).
                    unsafe {
                        let units = const { 1 + metadata::$name.cache_units() };
                        let mut e = Tier1::begin(frame, sp, tstate, this, oparg, units);
                        finish!($name, instructions::$name(&mut e), e, $family)
                    }
                }
            )*

            /// The handler of opcodes that do not exist.
            ///
            /// # Safety
            /// As for a [`Handler`].
            pub(crate) unsafe extern "rust-preserve-none" fn unknown(
                frame: Frame,
                sp: *mut StackRef,
                tstate: ThreadState,
                this: CodeUnit,
                oparg: usize,
            ) -> *mut PyObject {
                // SAFETY: as for every handler. `error` expects the stack pointer and the instruction after
                // `this`.
                unsafe {
                    frame.set_instr(this);
                    unwind::unknown_opcode(frame, sp, this);
                    become error(frame, sp, tstate, this.add(1), oparg)
                }
            }
        }
    };
}

/// Leaves an instruction in the way that its body has chosen.
macro_rules! finish {
    ($name:ident, $result:expr, $e:ident, $family:tt) => {
        match $result {
            Ok(()) | Err(BytecodeExit::Dispatch) => {
                $e.check_stack(opcode::$name);
                let (opcode, oparg) = $e.next.decode();
                become handler_of(opcode)($e.frame, $e.sp, $e.tstate, $e.next, oparg)
            }
            Err(BytecodeExit::Exit(Exit::Deopt)) => deopt!($e, $family),
            Err(BytecodeExit::Exit(Exit::Error | Exit::ErrorNoPop)) => {
                become error($e.frame, $e.sp, $e.tstate, $e.next, $e.oparg)
            }
            Err(BytecodeExit::Unwind) => {
                become exception_unwind($e.frame, $e.sp, $e.tstate, $e.next, $e.oparg)
            }
            Err(BytecodeExit::DropFrame) => become drop_frame($e.frame, $e.sp, $e.tstate, $e.next, $e.oparg),
            Err(BytecodeExit::Again) => {
                let opcode = $e.this.opcode();
                become handler_of(opcode)($e.frame, $e.sp, $e.tstate, $e.this, $e.oparg)
            }
            Err(BytecodeExit::As(opcode)) => {
                become handler_of(opcode)($e.frame, $e.sp, $e.tstate, $e.next, $e.oparg)
            }
            Err(BytecodeExit::Return(result)) => result,
            #[cfg(py_tier2)]
            Err(BytecodeExit::Record) => become record($e.frame, $e.sp, $e.tstate, $e.next, $e.oparg),
        }
    };
}

macro_rules! deopt {
    ($e:ident, ($family:ident)) => {
        become $family($e.frame, $e.sp, $e.tstate, $e.this, $e.oparg)
    };
    ($e:ident, ()) => {
        unreachable!("an instruction outside a family has no guards")
    };
}

for_each_instruction!(handlers);

macro_rules! cold_handler {
    ($(#[$doc:meta])* $name:ident = $unwind:path) => {
        $(#[$doc])*
        #[cold]
        unsafe extern "rust-preserve-none" fn $name(
            frame: Frame,
            sp: *mut StackRef,
            tstate: ThreadState,
            next: CodeUnit,
            _oparg: usize,
        ) -> *mut PyObject {
            // SAFETY: a handler jumps here with its registers and an exception set, and its frame is current.
            unsafe {
                frame.set_stack_pointer(sp);
                match $unwind(tstate, frame, next) {
                    Resume::At(frame, next) => {
                        let (opcode, oparg) = next.decode();
                        become handler_of(opcode)(frame, frame.stack_pointer(), tstate, next, oparg)
                    }
                    Resume::Leave => core::ptr::null_mut(),
                }
            }
        }
    };
}

cold_handler! {
    /// Unwinds after the instruction before `next` has raised an exception.
    ///
    /// # Safety
    /// As for a [`Handler`], with the instruction after the one that raised; an exception is set.
    error = unwind::error
}
cold_handler! {
    /// Unwinds further with an exception whose traceback and events are complete.
    ///
    /// # Safety
    /// As for `error`.
    exception_unwind = unwind::exception_unwind
}
cold_handler! {
    /// Drops `frame`, which has not begun to run, with an exception set, and unwinds from its caller.
    ///
    /// # Safety
    /// As for `error`.
    drop_frame = unwind::drop_frame
}

/// Runs on with a recording of a trace, until that ends.
///
/// # Safety
/// As for a [`Handler`], with the instruction from which on a recording is wanted.
#[cfg(py_tier2)]
#[cold]
unsafe extern "rust-preserve-none" fn record(
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    next: CodeUnit,
    _oparg: usize,
) -> *mut PyObject {
    // SAFETY: a handler jumps here with its registers. Where a recording stops, the handler of the instruction gets its
    // registers, too.
    unsafe {
        match super::recording::record(tstate, frame, sp, next) {
            Stop::At(frame, sp, next) | Stop::Record(frame, sp, next) => {
                let (opcode, oparg) = next.decode();
                become handler_of(opcode)(frame, sp, tstate, next, oparg)
            }
            Stop::Returned(result) => result,
        }
    }
}
