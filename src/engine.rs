//! The interface between instruction bodies and the engine that runs them.
//!
//! A *micro-op* is a function `unsafe fn(&mut impl Engine, [StackRef; N]) -> Op<[StackRef; M]>`. It takes the
//! topmost N values of the evaluation stack (the last one is the topmost) and returns the M values that
//! replace them. Values that it only inspects are [`Kept`]. Where a count depends on the instruction's
//! argument, the inputs are [`Many`] and the results [`SettledMany`]. The engine moves the stack pointer. A
//! micro-op with an operand from the inline cache takes it as its second parameter.
//!
//! There are two kinds of engines, and so three kinds of micro-ops:
//! - Any [`Engine`] runs the micro-ops that require only an `Engine` and return an [`Op`]. They can be part
//!   of a trace.
//! - A [`BytecodeEngine`] executes bytecode instruction by instruction. It also runs micro-ops that look at
//!   the current or the next instruction, jump, or leave by a [`BytecodeExit`].
//! - Other engines run traces. They also run micro-ops that only traces contain: these may return a
//!   [`TraceOp`].
//!
//! `ops` writes the bodies against these traits. `interp` and `tier2` implement them. The module stands for no
//! object of the host.
//!
//! Stack rules that every body keeps (an empty slot, a null reference, counts as live in this module):
//! - A body owns its inputs. It returns [`Exit::Error`] after it has released all of them, and
//!   [`Exit::ErrorNoPop`] or [`Exit::Deopt`] with all of them unchanged on the stack.
//! - Before it does anything that can run Python code, raise, or collect garbage, it *publishes* the frame:
//!   [`Engine::publish`] stores the stack pointer, with the inputs still below it. The frame's instruction
//!   pointer is current already: bytecode engines store it before each instruction, traces before each
//!   instruction with a micro-op that does any of this.
//! - It releases inputs with [`Engine::settle`] (when the results are known) or [`Engine::consume`] (before
//!   it fails). Both take the inputs off the published stack before any destructor runs.
//! - Out-of-line helpers take values, never the engine: a `&mut` engine that escapes would have to live in
//!   memory.
//!
//! # Safety of micro-ops
//! Every micro-op has this contract; its own `# Safety` section adds what is special. The caller guarantees:
//! - The thread is attached, and the engine's frame is its current frame.
//! - The inputs are the topmost values of that frame's stack, and the stack has room for the results.
//! - The instruction's argument and the operands are those of the instruction being run, as the compiler or
//!   the specializer wrote them for this micro-op.
//! - The micro-ops that its row in `crate::bytecode::micro_ops` needs have run before, on the same values.

mod ends;
mod inputs;

use core::convert::Infallible;
use core::ffi::c_int;
use core::marker::PhantomData;
#[cfg(py_tier2)]
use core::ptr::NonNull;

pub(crate) use ends::*;
pub(crate) use inputs::*;

use crate::bytecode::opcode;
#[cfg(py_tier2)]
use crate::host::ffi;
#[cfg(not(py_debug))]
use crate::host::refcount;
use crate::host::{Code, CodeUnit, Frame, PyObject, StackRef, ThreadState};

// --- what a micro-op leaves --------------------------------------------------------------------

/// The results of a micro-op, bottom first.
pub(crate) trait Outputs<E> {
    /// Whether this micro-op must be the last one of its instruction.
    const ENDS_INSTRUCTION: bool = false;
    /// The number of results, for an instruction with this argument.
    fn count(oparg: usize) -> usize;
    /// Writes the results to their slots and sets the stack pointer above them.
    ///
    /// # Safety
    /// `base` is the slot of the lowest result, and the frame's stack has room for all results from there on.
    /// The inputs of the micro-op have been released, moved, or become results.
    unsafe fn leave(self, e: &mut E, base: *mut StackRef);
}

impl<E: Engine, const M: usize> Outputs<E> for [StackRef; M] {
    #[inline(always)]
    fn count(_oparg: usize) -> usize {
        M
    }
    #[inline(always)]
    unsafe fn leave(self, e: &mut E, base: *mut StackRef) {
        // SAFETY: the stack has room for M values at `base` (caller), and they are live after the write.
        unsafe {
            base.cast::<[StackRef; M]>().write(self);
            e.set_sp(base.add(M));
        }
    }
}

/// Results that the micro-op has already written to their slots.
pub(crate) struct Settled<const M: usize>(());

impl<const M: usize> Settled<M> {
    /// For a micro-op that has written its results to the stack itself.
    ///
    /// # Safety
    /// The M slots from the lowest input on hold live references, which are the results. After
    /// [`Engine::switch_frame`] these are slots of the new frame.
    #[inline(always)]
    pub(crate) unsafe fn new() -> Settled<M> {
        Settled(())
    }
}

impl<E: Engine, const M: usize> Outputs<E> for Settled<M> {
    #[inline(always)]
    fn count(_oparg: usize) -> usize {
        M
    }
    #[inline(always)]
    unsafe fn leave(self, e: &mut E, base: *mut StackRef) {
        // SAFETY: M live results start at `base`, as the creator of this `Settled` has guaranteed.
        unsafe { e.set_sp(base.add(M)) }
    }
}

/// Results whose number `C` gives and that the micro-op has already written to their slots.
pub(crate) struct SettledMany<C> {
    top: *mut StackRef,
    kind: PhantomData<C>,
}

impl<C: Count> SettledMany<C> {
    /// For a micro-op that has written its results to the stack itself, the topmost one just below `top`.
    ///
    /// # Safety
    /// The slots from the lowest input up to `top` hold live references, and there are `C::of(oparg)` of them.
    #[inline(always)]
    pub(crate) unsafe fn up_to(top: *mut StackRef) -> SettledMany<C> {
        SettledMany { top, kind: PhantomData }
    }
}

impl<E: Engine, C: Count> Outputs<E> for SettledMany<C> {
    #[inline(always)]
    fn count(oparg: usize) -> usize {
        C::of(oparg)
    }
    #[inline(always)]
    unsafe fn leave(self, e: &mut E, base: *mut StackRef) {
        // SAFETY: live results fill the slots from `base` to `top`, as the creator of this value has
        // guaranteed.
        unsafe {
            debug_assert_eq!(self.top, base.add(C::of(e.oparg())));
            e.set_sp(self.top);
        }
    }
}

/// The result of a micro-op that ends its instruction and may also do the work of a STORE_FAST that follows.
pub(crate) enum PushedOrStored<T, S> {
    Pushed(T),
    /// The result is stored in the variable. The micro-op pushes nothing.
    Stored(S),
}

impl<E: Engine, T: Outputs<E>> Outputs<E> for PushedOrStored<T, E::NextStore> {
    const ENDS_INSTRUCTION: bool = true;
    #[inline(always)]
    fn count(oparg: usize) -> usize {
        T::count(oparg)
    }
    #[inline(always)]
    unsafe fn leave(self, e: &mut E, base: *mut StackRef) {
        // SAFETY: the contract of `leave` holds (caller). `Stored` contains an `E::NextStore`, which only an
        // engine that saw a STORE_FAST next creates.
        unsafe {
            match self {
                PushedOrStored::Pushed(results) => results.leave(e, base),
                PushedOrStored::Stored(_) => {
                    e.set_sp(base);
                    e.skip_next();
                }
            }
        }
    }
}

/// The STORE_FAST after the current instruction, for an engine that looks ahead.
pub(crate) trait NextStore: Copy {
    /// The index of the local variable that it stores to.
    fn local(self) -> usize;
}

/// A STORE_FAST read from bytecode.
#[derive(Clone, Copy)]
pub(crate) struct StoreFast {
    local: usize,
}

impl NextStore for StoreFast {
    #[inline(always)]
    fn local(self) -> usize {
        self.local
    }
}

/// For engines that do not look ahead.
impl NextStore for Infallible {
    fn local(self) -> usize {
        match self {}
    }
}

// --- engines -----------------------------------------------------------------------------------

/// A way to run micro-ops: the tier-1 interpreter and the micro-op interpreter. The methods are inlined into every
/// instruction, so that the engine's state lives in registers.
///
/// # Safety
/// While a micro-op runs, the implementation guarantees: the thread of [`Engine::tstate`] is attached and
/// [`Engine::frame`] is its current frame; if the micro-op may raise or run arbitrary code, the frame's
/// instruction pointer is the instruction that the micro-op belongs to; every slot of the frame's stack below
/// [`Engine::sp`] holds a live reference. [`Engine::next_store`] returns a value only if the next instruction
/// is a STORE_FAST.
pub(crate) unsafe trait Engine: Sized {
    /// What [`Engine::next_store`] returns; [`Infallible`] for an engine that does not look ahead.
    type NextStore: NextStore;

    /// Whether a micro-op that is in traces, too, may go over to the frame of a special method which does its work. In a trace
    /// other micro-ops do that.
    #[cfg(not(py_gil_disabled))]
    const ENTERS_METHODS: bool = false;

    fn frame(&self) -> Frame;
    fn tstate(&self) -> ThreadState;
    /// The argument of the micro-op: that of its instruction, or a part of it.
    fn oparg(&self) -> usize;
    /// Where a call that the current instruction makes returns to: the number of code units of the
    /// instruction, including its cache. Only for the micro-op [`save_return_offset`], which has it as its
    /// argument in traces.
    ///
    /// [`save_return_offset`]: crate::ops::save_return_offset
    fn return_offset(&self) -> usize;
    /// One past the topmost value. The inputs stay below it while the micro-op runs.
    fn sp(&self) -> *mut StackRef;
    /// Sets the stack pointer. For the engine itself, and for micro-ops that continue in another frame.
    ///
    /// # Safety
    /// Every slot of the frame's stack below `sp` holds a live reference, or will before the micro-op ends.
    unsafe fn set_sp(&mut self, sp: *mut StackRef);
    /// Continues in another frame at `next`. The engine reads the stack pointer from the frame.
    ///
    /// # Safety
    /// `frame` is live and published, and `next` is in its bytecode. The old frame was published or no longer
    /// exists.
    unsafe fn switch_frame(&mut self, frame: Frame, next: CodeUnit);

    /// Passes a new frame from the micro-op that made it to the one of the same instruction that enters it. No
    /// micro-op between the two changes the stack.
    fn give_frame(&mut self, frame: Frame);
    /// The frame that [`Engine::give_frame`] has passed.
    fn take_frame(&mut self) -> Option<Frame>;

    /// The next instruction, if it is a STORE_FAST and the engine looks ahead. A micro-op may do the work of
    /// that instruction and then returns [`PushedOrStored::Stored`].
    #[inline(always)]
    fn next_store(&self) -> Option<Self::NextStore> {
        None
    }
    /// Whether the current instruction has run often enough to be specialized, or not to be. An engine for code that runs
    /// often need not look.
    ///
    /// # Safety
    /// The instruction has a counter in its cache.
    #[cfg(not(py_gil_disabled))]
    #[inline(always)]
    unsafe fn is_warm(&self) -> bool {
        true
    }
    /// The local variable of the STORE_FAST that follows. For specialized instructions that exist only in
    /// front of a STORE_FAST.
    ///
    /// # Safety
    /// The current instruction is one of these, so that a STORE_FAST follows it.
    unsafe fn following_store(&self) -> usize;
    /// Skips the next instruction, whose work is already done. An engine whose trace does not contain that
    /// instruction does nothing.
    ///
    /// # Safety
    /// An instruction without an inline cache follows.
    unsafe fn skip_next(&mut self);
    /// Sets the frame's instruction pointer back to the instruction that ran before this one. An engine that
    /// has not set it to this one (property `no_save_ip`) does nothing.
    ///
    /// # Safety
    /// That instruction ran in the same frame.
    unsafe fn stay_at_previous_instr(&mut self);

    /// The value `depth` places below the top (1 is the topmost).
    ///
    /// # Safety
    /// The frame's stack has at least `depth` values, and `depth` is at least 1.
    #[inline(always)]
    unsafe fn peek(&self, depth: usize) -> StackRef {
        // SAFETY: `depth` initialized slots are below the stack pointer (caller).
        unsafe { *self.sp().sub(depth) }
    }

    /// Overwrites the value `depth` places below the top (1 is the topmost).
    ///
    /// # Safety
    /// The frame's stack has at least `depth` values, and `depth` is at least 1. The caller has taken
    /// ownership of the old value and passes that of the new one.
    #[inline(always)]
    unsafe fn poke(&self, depth: usize, value: StackRef) {
        // SAFETY: `depth` slots are below the stack pointer (caller).
        unsafe { *self.sp().sub(depth) = value }
    }

    /// Pushes a value, for micro-ops that move the stack pointer themselves.
    ///
    /// # Safety
    /// `value` is a live reference that the caller owns, and the frame's stack has a free slot: the stack
    /// effect of the instruction covers it.
    #[inline(always)]
    unsafe fn push(&mut self, value: StackRef) {
        // SAFETY: the slot at the stack pointer is free and gets a live reference (caller).
        unsafe {
            let sp = self.sp();
            *sp = value;
            self.set_sp(sp.add(1));
        }
    }

    /// Pops a value, for micro-ops that move the stack pointer themselves. The caller owns the value.
    ///
    /// # Safety
    /// The frame's stack is not empty.
    #[inline(always)]
    unsafe fn pop(&mut self) -> StackRef {
        // SAFETY: a live value is below the stack pointer (caller).
        unsafe {
            let sp = self.sp().sub(1);
            self.set_sp(sp);
            *sp
        }
    }

    /// The code object of the frame, borrowed.
    #[inline(always)]
    fn code(&self) -> Code {
        // SAFETY: the engine's frame is live and runs code.
        unsafe { self.frame().code() }
    }

    /// `co_names[index]`, borrowed.
    ///
    /// # Safety
    /// `index` is less than the length of the code's `co_names`.
    #[inline(always)]
    unsafe fn name(&self, index: usize) -> *mut PyObject {
        // SAFETY: the engine's frame keeps its code alive, and the index is in range (caller).
        unsafe { self.code().name(index) }
    }

    /// Publishes the frame: stores the stack pointer in it (its instruction pointer is there already).
    /// Required before anything that can run Python code, raise, or collect garbage.
    #[inline(always)]
    fn publish(&self) {
        // SAFETY: every slot below the engine's stack pointer holds a live reference (contract of `Engine`).
        unsafe { self.publish_at(self.sp()) }
    }

    /// Reloads the stack pointer from the frame. For use after an event: its tools may have moved the frame
    /// to another line, which pops values.
    #[inline(always)]
    fn reload_sp(&mut self) {
        // SAFETY: the frame is live. It was published before the event, and moving it to another line keeps
        // its stack pointer up to date.
        unsafe { self.set_sp(self.frame().stack_pointer()) }
    }

    /// Publishes the frame with a stack pointer other than the current one.
    ///
    /// # Safety
    /// `sp` is in the frame's stack, and every slot below it holds a live reference.
    #[inline(always)]
    unsafe fn publish_at(&self, sp: *mut StackRef) {
        // SAFETY: the engine's frame is live, and the slots below `sp` are (caller).
        unsafe { self.frame().set_stack_pointer(sp) }
    }

    /// Releases a reference that is not in the stack below `sp`. Publishes the frame with that stack pointer
    /// if a destructor may run.
    ///
    /// # Safety
    /// `reference` is live and owned by the caller, and not used again. `sp` is in the frame's stack, and
    /// every slot below it holds a live reference. The thread is attached.
    #[inline(always)]
    unsafe fn close_at(&self, reference: StackRef, sp: *mut StackRef) {
        #[cfg(not(py_debug))]
        // SAFETY: a counted reference points to a live object and owns a count, which goes here. The slots
        // below `sp` are live (caller). Publishing only when a destructor runs keeps a store off the common
        // path.
        unsafe {
            if reference.is_counted() && refcount::decrement(reference.object()) {
                core::hint::cold_path();
                self.publish_at(sp);
                refcount::release(reference.object());
            }
        }
        #[cfg(py_debug)]
        // SAFETY: the reference is live and owned, and so are the slots below `sp` (caller).
        unsafe {
            self.publish_at(sp);
            reference.close();
        }
    }

    /// Like [`Engine::close_at`], for a reference that is rarely the last one. The code for that case is
    /// entirely off the hot path.
    ///
    /// # Safety
    /// As for [`Engine::close_at`].
    #[inline(always)]
    unsafe fn close_seldom_at(&self, reference: StackRef, sp: *mut StackRef) {
        #[cfg(not(py_debug))]
        // SAFETY: as in `close_at`: the reference owns the count that goes here, and the slots below `sp` are
        // live.
        unsafe {
            if reference.is_counted() && refcount::decrement(reference.object()) {
                core::hint::cold_path();
                self.publish_at(sp);
                refcount::release_seldom(reference.object());
            }
        }
        #[cfg(py_debug)]
        // SAFETY: the contract is that of `close_at`.
        unsafe {
            self.close_at(reference, sp);
        }
    }

    /// Ends a micro-op: replaces `inputs` by `outputs`, then releases the inputs, in the order of the array.
    /// The micro-op returns the result.
    ///
    /// # Safety
    /// The thread is attached. `inputs` are the topmost N values of the stack in any order (null for those
    /// that need no release), and are not used again. The caller owns `outputs`, and the frame's stack has
    /// room for them.
    #[inline(always)]
    unsafe fn settle<const N: usize, const M: usize>(
        &self,
        inputs: [StackRef; N],
        outputs: [StackRef; M],
    ) -> Op<Settled<M>> {
        // SAFETY: N live inputs are on top of the stack (caller). The outputs go to their slots and, if there
        // are more outputs than inputs, to free slots above, which the instruction's stack effect covers. The
        // inputs are no longer below the published stack pointer when they are released.
        unsafe {
            let base = self.sp().sub(N);
            base.cast::<[StackRef; M]>().write(outputs);
            self.close_inputs_at(inputs, base.add(M));
            Ok(Settled::new())
        }
    }

    /// Releases all inputs before the micro-op returns [`Exit::Error`].
    ///
    /// # Safety
    /// The thread is attached. `inputs` are the topmost N values of the stack in any order (null for those
    /// that need no release), and are not used again.
    #[inline(always)]
    unsafe fn consume<const N: usize>(&self, inputs: [StackRef; N]) {
        // SAFETY: the inputs are live and above the new stack pointer, and everything below it is live
        // (caller).
        unsafe {
            self.close_inputs_at(inputs, self.sp().sub(N));
        }
    }

    /// Releases inputs that are not in the stack below `sp`. If there are several, the call for one of them
    /// must not cost the registers that hold the others, so the out-of-line path preserves them.
    ///
    /// # Safety
    /// As for [`Engine::close_at`], for each input.
    #[inline(always)]
    unsafe fn close_inputs_at<const N: usize>(&self, inputs: [StackRef; N], sp: *mut StackRef) {
        for input in inputs {
            // SAFETY: each input is live and owned, and the slots below `sp` are live (caller).
            unsafe { if N > 1 { self.close_seldom_at(input, sp) } else { self.close_at(input, sp) } }
        }
    }

    /// The usual end of a micro-op that called a host function for its effect: releases the inputs, and fails if
    /// `status`, the result, is negative.
    ///
    /// # Safety
    /// `inputs` are as for [`Engine::settle`]. If `status` is negative, an exception is set.
    #[inline(always)]
    unsafe fn settle_status<const N: usize>(&self, inputs: [StackRef; N], status: c_int) -> Op<Settled<0>> {
        // SAFETY: the inputs are the topmost values (caller).
        unsafe {
            self.consume(inputs);
            if status < 0 { Err(Exit::Error) } else { Ok(Settled::new()) }
        }
    }

    /// The usual end of a micro-op that called a host function: `object` is its result, a new reference or
    /// null with an exception set. Releases the inputs in both cases.
    ///
    /// # Safety
    /// `inputs` are as for [`Engine::settle`]. The caller owns `object`, or it is null and an exception is set.
    #[inline(always)]
    unsafe fn settle_object<const N: usize>(
        &self,
        inputs: [StackRef; N],
        object: *mut PyObject,
    ) -> Op<Settled<1>> {
        // SAFETY: the inputs are the topmost values (caller). `object` is owned, and null is handled before
        // the steal.
        unsafe {
            if object.is_null() {
                self.consume(inputs);
                return Err(Exit::Error);
            }
            self.settle(inputs, [StackRef::steal(object)])
        }
    }
}

/// Where tier 1 continues behind a trace.
#[cfg(py_tier2)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Continuation {
    /// At this instruction, or with the executor in its place.
    At(CodeUnit),
    /// At this instruction, even if an executor has taken its place: the trace began there, and has done nothing.
    AtOriginal(CodeUnit),
}

/// An engine that executes bytecode: it knows the current and the next instruction, and can jump.
///
/// # Safety
/// [`BytecodeEngine::this_instr`] and [`BytecodeEngine::next`] are in the bytecode of the engine's frame. The
/// former is stored as the frame's instruction pointer.
pub(crate) unsafe trait BytecodeEngine: Engine {
    /// The current instruction.
    fn this_instr(&self) -> CodeUnit;
    fn set_oparg(&mut self, oparg: usize);
    /// The frame's instruction pointer before the current instruction. Line events need it.
    fn previous_instr(&self) -> CodeUnit;
    /// The instruction that runs next.
    fn next(&self) -> CodeUnit;
    /// Continues at another instruction.
    ///
    /// # Safety
    /// `instr` is an instruction in the bytecode of the engine's frame.
    unsafe fn set_next(&mut self, instr: CodeUnit);
    /// Runs an executor. Returns where to continue, or `None` with an exception set. In both cases the frame in which it
    /// stopped is current and published, and is no longer the engine's.
    ///
    /// # Safety
    /// The executor is valid, and begins at an instruction of the engine's frame.
    #[cfg(py_tier2)]
    unsafe fn run_executor(&self, executor: NonNull<ffi::_PyExecutorObject>) -> Option<Continuation>;
    /// Whether a trace is to be recorded from the next instruction on ([`BytecodeExit::Record`]).
    #[cfg(py_tier2)]
    fn wants_recording(&self) -> bool;

    /// Jumps `offset` code units, counted from the instruction that would have run next.
    ///
    /// # Safety
    /// The target is an instruction in the bytecode of the engine's frame.
    #[inline(always)]
    unsafe fn jump_by(&mut self, offset: isize) {
        // SAFETY: the target is in the same bytecode (caller).
        unsafe { self.set_next(self.next().add(offset)) }
    }

    /// [`Engine::next_store`] for engines that execute bytecode.
    #[inline(always)]
    fn read_next_store(&self) -> Option<StoreFast> {
        // SAFETY: `next` is in the frame's bytecode (contract of `BytecodeEngine`).
        let (opcode, local) = unsafe { self.next().decode() };
        (opcode == opcode::STORE_FAST).then_some(StoreFast { local })
    }
}

/// Runs a micro-op and moves the stack pointer over its inputs and outputs.
///
/// # Safety
/// The contract of `micro_op` holds.
#[inline(always)]
pub(crate) unsafe fn run<E: Engine, I: Inputs, O: Outputs<E>, X: Exits>(
    e: &mut E,
    micro_op: unsafe fn(&mut E, I) -> Result<O, X>,
) -> Result<(), X> {
    // SAFETY: the inputs are the topmost values of the stack, and the rest of the micro-op's contract holds
    // (caller). `finish` follows the micro-op that produced `result`.
    unsafe {
        let inputs = I::read(e.sp(), e.oparg());
        let result = micro_op(e, inputs);
        finish::<E, I, O, X>(e, result)
    }
}

/// Like [`run`], for a micro-op with an operand from the inline cache.
///
/// # Safety
/// The contract of `micro_op` holds, and `operand` is its operand in the cache of the current instruction.
#[inline(always)]
pub(crate) unsafe fn run_with<E: Engine, A, I: Inputs, O: Outputs<E>, X: Exits>(
    e: &mut E,
    operand: A,
    micro_op: unsafe fn(&mut E, A, I) -> Result<O, X>,
) -> Result<(), X> {
    // SAFETY: the inputs are the topmost values of the stack, and the rest of the micro-op's contract holds
    // (caller). `finish` follows the micro-op that produced `result`.
    unsafe {
        let inputs = I::read(e.sp(), e.oparg());
        let result = micro_op(e, operand, inputs);
        finish::<E, I, O, X>(e, result)
    }
}

/// Moves the stack pointer over the inputs and outputs of a micro-op that has just run.
///
/// # Safety
/// A micro-op with inputs `I` and outputs `O` has just returned `result`. It has left the stack pointer above
/// its inputs, or, if it switched frames, above as many slots of the new frame.
#[inline(always)]
unsafe fn finish<E: Engine, I: Inputs, O: Outputs<E>, X: Exits>(
    e: &mut E,
    result: Result<O, X>,
) -> Result<(), X> {
    // SAFETY: the slots of the inputs are below the stack pointer (caller), so `base` is in the stack. The
    // instruction's stack effect covers the outputs. After `Exit::Error` the slots above `base` are dead and
    // dropped.
    unsafe {
        match result {
            Ok(outputs) => {
                let base = I::Taken::base(e.sp(), e.oparg());
                outputs.leave(e, base);
                Ok(())
            }
            Err(exit) => {
                if exit.has_consumed_inputs() {
                    e.set_sp(I::Taken::base(e.sp(), e.oparg()));
                }
                Err(exit)
            }
        }
    }
}

/// Returns the address of a handler that was just loaded, for a jump to it.
///
/// The empty assembly separates the load from the jump. LLVM treats a jump through memory as a possible use of the
/// stack. It would then set up the stack frame for calls on rare paths at the start of the handler, and not on
/// those paths (measured: a push and a pop in every handler that may free an object).
#[cfg(feature = "tail-call")]
#[allow(clippy::pointers_in_nomem_asm_block)] // the assembly reads no memory
#[inline(always)]
pub(crate) fn separate_load(mut handler: *const ()) -> *const () {
    // SAFETY: the assembly is empty.
    unsafe {
        core::arch::asm!("/* {} */", inout(reg) handler, options(pure, nomem, nostack, preserves_flags));
    }
    handler
}
