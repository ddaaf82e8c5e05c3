//! Dispatch by guaranteed tail calls: every instruction is a function that ends in a jump to the
//! next one, and the evaluator's registers are its parameters.

use super::unwind::{self, Resume};
use super::{Tier1, instructions};
use crate::bytecode::{metadata, opcode};
use crate::engine::{BytecodeExit, Exit};
use crate::host::{CodeUnit, Frame, PyObject, StackRef, ThreadState};

/// One instruction. The calling convention keeps the first four parameters in registers that calls
/// into the host preserve.
pub(crate) type Handler = unsafe extern "rust-preserve-none" fn(
    Frame,
    *mut StackRef,
    ThreadState,
    CodeUnit,
    usize,
) -> *mut PyObject;

/// The handler of an opcode.
///
/// The empty assembly keeps the load apart from the jump that follows. LLVM takes a jump through memory
/// for a possible use of the stack, and would then make the frame for calls on rare paths at the start
/// of the handler and not on those paths (measured: a push and a pop in every handler that may free
/// an object).
#[allow(clippy::pointers_in_nomem_asm_block)] // it looks at no memory
#[inline(always)]
fn handler_of(opcode: u8) -> Handler {
    let mut handler = TABLE[opcode as usize] as *const ();
    // SAFETY: the assembly does nothing, so this is still the handler.
    unsafe {
        core::arch::asm!("/* {} */", inout(reg) handler, options(pure, nomem, nostack, preserves_flags));
        core::mem::transmute::<*const (), Handler>(handler)
    }
}

/// Runs `frame` from `next` until the entry frame below it returns.
///
/// # Safety
/// The thread is attached; `frame` is its current one, published, with an entry frame below it, and
/// `next` is in its bytecode.
pub(crate) unsafe fn interpret(tstate: ThreadState, frame: Frame, next: CodeUnit) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe { run_handlers(frame, frame.stack_pointer(), tstate, next) }
}

/// Calls the handler at `next`, which jumps to the next one, and so on.
///
/// Handlers make no stack frame on their common paths. This function makes one for them, which holds the
/// return address into `_PyEval_EvalFrameDefault`: without it a walk along the frame pointers would go from a
/// handler straight to the caller of that.
///
/// # Safety
/// As for `interpret`; `sp` is the stack pointer of `frame`.
#[inline(never)]
unsafe extern "rust-preserve-none" fn run_handlers(
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    next: CodeUnit,
) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe {
        let (opcode, oparg) = next.decode();
        let result = TABLE[opcode as usize](frame, sp, tstate, next, oparg);
        // With something to do after the call it is a call. As a jump it would leave no frame.
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

        #[allow(non_snake_case, clippy::missing_safety_doc)]
        mod handler {
            use super::*;

            $(
                pub(crate) unsafe extern "rust-preserve-none" fn $name(
                    frame: Frame,
                    sp: *mut StackRef,
                    tstate: ThreadState,
                    this: CodeUnit,
                    oparg: usize,
                ) -> *mut PyObject {
                    // SAFETY: handlers are entered with the registers of the instruction at `this`.
                    unsafe {
                        let units = const { 1 + metadata::$name.cache_units() };
                        let mut e = Tier1::begin(frame, sp, tstate, this, oparg, units);
                        finish!($name, instructions::$name(&mut e), e, $family)
                    }
                }
            )*

            pub(crate) unsafe extern "rust-preserve-none" fn unknown(
                frame: Frame,
                sp: *mut StackRef,
                tstate: ThreadState,
                this: CodeUnit,
                oparg: usize,
            ) -> *mut PyObject {
                // SAFETY: as for every handler.
                unsafe {
                    frame.set_instr(this);
                    unwind::unknown_opcode(frame, sp, this);
                    become error(frame, sp, tstate, this.add(1), oparg)
                }
            }
        }
    };
}

/// Leaves an instruction by the way its body chose.
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
            // SAFETY: handlers leave here with their registers and an exception set.
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
    /// An exception was raised by the instruction before `next`.
    error = unwind::error
}
cold_handler! {
    /// An exception goes on, its traceback and events taken care of.
    exception_unwind = unwind::exception_unwind
}
cold_handler! {
    /// An exception is set, and `frame`, which has not begun, is dropped.
    drop_frame = unwind::drop_frame
}
