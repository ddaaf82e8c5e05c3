//! What an instruction body may ask of the engine that runs it.
//!
//! A *micro-op* is a function `unsafe fn(&mut impl Engine, [StackRef; N]) -> Op<[StackRef; M]>`: it
//! gets the topmost N values of the evaluation stack (the last one is the topmost) and returns the M
//! values that take their place. The engine moves the stack pointer; the body never does, unless
//! the number of values depends on the argument (see [`Engine::sp`]). Micro-ops with a cached
//! operand take it as second parameter.
//!
//! Rules of the stack, which every body keeps:
//! - A body owns its inputs. It leaves with [`Exit::Error`] after it has given up all of them, or
//!   with [`Exit::ErrorNoPop`] or [`Exit::Deopt`] with all of them still whole on the stack.
//! - Before anything that can run Python code, raise, or collect garbage, the frame is *published*:
//!   [`Engine::publish`] stores the stack pointer, with the inputs still below it. The frame's
//!   instruction pointer is right at all times: every engine stores it first.
//! - To give up inputs, [`Engine::settle`] (with the results already known) or [`Engine::consume`]
//!   (before failing): they take the inputs off the published stack before any destructor runs.
//! - An out-of-line helper takes values, never the engine: a `&mut` engine that escapes would have
//!   to live in memory.
//!
//! `# Safety` of every micro-op, unless it says more: the thread is attached, the frame is the
//! thread's current one, the inputs are the topmost values of its stack, and operands are those of
//! the instruction being run.

#[cfg(not(py_debug))]
use crate::host::refcount;
use crate::host::{Code, CodeUnit, Frame, PyObject, StackRef, ThreadState};

/// How a micro-op ends when it does not just go on to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The specialization does not hold here: run the family's generic instruction instead.
    /// Nothing has happened yet.
    Deopt,
    /// An exception is set and the inputs are gone.
    Error,
    /// An exception is set and the inputs are still on the stack.
    ErrorNoPop,
    /// An exception is set, and its traceback and events have been taken care of already.
    Unwind,
    /// An exception is set, and the current frame, which has not begun to run, is to be dropped.
    DropFrame,
    /// The instruction is over: continue at [`Engine::next`], skipping its remaining micro-ops.
    Dispatch,
    /// Read this instruction again (it has just been changed) and run it with the same argument.
    Again,
    /// Run this instruction as the given opcode, with the same argument.
    As(u8),
    /// Leave the evaluator with this result.
    Return(*mut PyObject),
}

/// What a micro-op gives.
pub type Op<T = [StackRef; 0]> = Result<T, Exit>;

/// The results of a micro-op, bottom first.
pub trait Outputs {
    const COUNT: usize;
    /// Puts the results where they belong.
    ///
    /// # Safety
    /// `base` is the slot of the lowest one.
    unsafe fn store(self, base: *mut StackRef);
}

impl<const M: usize> Outputs for [StackRef; M] {
    const COUNT: usize = M;
    #[inline(always)]
    unsafe fn store(self, base: *mut StackRef) {
        // SAFETY: the caller's promise.
        unsafe { base.cast::<[StackRef; M]>().write(self) }
    }
}

/// Results that [`Engine::settle`] has put in place already.
pub struct Settled<const M: usize>(());

impl<const M: usize> Settled<M> {
    /// For a micro-op that has put its results in place itself.
    #[allow(clippy::new_without_default)] // no value to speak of: a claim that must be made on purpose
    #[inline(always)]
    pub fn new() -> Settled<M> {
        Settled(())
    }
}

impl<const M: usize> Outputs for Settled<M> {
    const COUNT: usize = M;
    #[inline(always)]
    unsafe fn store(self, _base: *mut StackRef) {}
}

/// A way to run micro-ops: the tier-1 interpreter and, later, the micro-op interpreter and the
/// stencils of the JIT. Methods are inlined into every instruction, so that the engine itself
/// dissolves into registers.
pub trait Engine: Sized {
    fn frame(&self) -> Frame;
    fn tstate(&self) -> ThreadState;
    /// The argument of the instruction.
    fn oparg(&self) -> usize;
    fn set_oparg(&mut self, oparg: usize);
    /// The instruction being run.
    fn this_instr(&self) -> CodeUnit;
    /// What the frame had as its instruction before this one: line events want to know.
    fn previous_instr(&self) -> CodeUnit;
    /// The instruction to be run after this one.
    fn next(&self) -> CodeUnit;
    fn set_next(&mut self, instr: CodeUnit);
    /// One past the topmost value. While a micro-op with N inputs runs, they are below it still.
    fn sp(&self) -> *mut StackRef;
    /// For micro-ops that take and leave a number of values that depends on the argument, and so
    /// have no declared inputs or outputs.
    fn set_sp(&mut self, sp: *mut StackRef);
    /// Continue in another frame: its stack pointer is read from it, the next instruction is given.
    ///
    /// # Safety
    /// `frame` is live and published, and `next` is in its bytecode. The old frame was published
    /// (or is gone).
    unsafe fn switch_frame(&mut self, frame: Frame, next: CodeUnit);

    /// Hands over the frame that a micro-op has made, to the one of the same instruction that goes on in it.
    fn give_frame(&mut self, frame: Frame);
    /// The frame that was handed over last.
    fn take_frame(&mut self) -> Frame;

    /// The value `depth` places below the top (1 is the topmost).
    ///
    /// # Safety
    /// The stack has that many values.
    #[inline(always)]
    unsafe fn peek(&self, depth: usize) -> StackRef {
        // SAFETY: the caller's promise.
        unsafe { *self.sp().sub(depth) }
    }

    /// Replaces the value `depth` places below the top.
    ///
    /// # Safety
    /// The stack has that many values, and the caller has taken over the old one.
    #[inline(always)]
    unsafe fn poke(&self, depth: usize, value: StackRef) {
        // SAFETY: the caller's promise.
        unsafe { *self.sp().sub(depth) = value }
    }

    /// Pushes a value, for micro-ops that handle the stack themselves.
    ///
    /// # Safety
    /// The instruction's stack effect covers it.
    #[inline(always)]
    unsafe fn push(&mut self, value: StackRef) {
        // SAFETY: the caller's promise.
        unsafe {
            let sp = self.sp();
            *sp = value;
            self.set_sp(sp.add(1));
        }
    }

    /// Pops a value, for micro-ops that handle the stack themselves; the caller owns it.
    ///
    /// # Safety
    /// The stack is not empty.
    #[inline(always)]
    unsafe fn pop(&mut self) -> StackRef {
        // SAFETY: the caller's promise.
        unsafe {
            let sp = self.sp().sub(1);
            self.set_sp(sp);
            *sp
        }
    }

    /// Code object of the frame, borrowed.
    #[inline(always)]
    fn code(&self) -> Code {
        // SAFETY: the engine's frame is live and runs code.
        unsafe { self.frame().code() }
    }

    /// `co_names[index]`, borrowed.
    ///
    /// # Safety
    /// The code has that name.
    #[inline(always)]
    unsafe fn name(&self, index: usize) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe { self.code().name(index) }
    }

    /// Makes the frame presentable to the rest of the world: stores the stack pointer (the frame
    /// has its instruction already). Required before anything that can run Python code, raise, or
    /// collect garbage.
    #[inline(always)]
    fn publish(&self) {
        // SAFETY: the engine's stack reaches to its stack pointer.
        unsafe { self.publish_at(self.sp()) }
    }

    /// Takes the stack pointer from the frame again: after an event, whose tools may have moved the frame
    /// to another line, and popped values on the way.
    #[inline(always)]
    fn reload_sp(&mut self) {
        // SAFETY: the frame is live, and was published before the event.
        unsafe { self.set_sp(self.frame().stack_pointer()) }
    }

    /// Publishes a stack pointer other than the current one.
    ///
    /// # Safety
    /// Every slot of the frame's stack below `sp` holds a live reference.
    #[inline(always)]
    unsafe fn publish_at(&self, sp: *mut StackRef) {
        // SAFETY: the engine's frame is live.
        unsafe { self.frame().set_stack_pointer(sp) }
    }

    /// Gives up a reference that is not on the published stack (any more), which ends at `sp`.
    ///
    /// # Safety
    /// The reference is live and not used again; every slot below `sp` holds a live reference.
    #[inline(always)]
    unsafe fn close_at(&self, reference: StackRef, sp: *mut StackRef) {
        #[cfg(not(py_debug))]
        // SAFETY: a counted reference is a live object and this one owned a count. Publishing only
        // when a destructor runs keeps a store off the common path.
        unsafe {
            if reference.is_counted() && refcount::decrement(reference.object()) {
                core::hint::cold_path();
                self.publish_at(sp);
                refcount::release(reference.object());
            }
        }
        #[cfg(py_debug)]
        // SAFETY: as above.
        unsafe {
            self.publish_at(sp);
            reference.close();
        }
    }

    /// Like [`Engine::close_at`], for a reference that is hardly ever the last one: what happens then is off
    /// the hot path altogether.
    ///
    /// # Safety
    /// As for [`Engine::close_at`].
    #[inline(always)]
    unsafe fn close_seldom_at(&self, reference: StackRef, sp: *mut StackRef) {
        #[cfg(not(py_debug))]
        // SAFETY: as for `close_at`.
        unsafe {
            if reference.is_counted() && refcount::decrement(reference.object()) {
                core::hint::cold_path();
                self.publish_at(sp);
                refcount::release_seldom(reference.object());
            }
        }
        #[cfg(py_debug)]
        // SAFETY: the caller's promise.
        unsafe {
            self.close_at(reference, sp);
        }
    }

    /// Ends a micro-op: puts `outputs` in the place of `inputs`, then gives the inputs up, topmost
    /// last. `Ok(...)` of the result is what the micro-op returns.
    ///
    /// # Safety
    /// `inputs` are the topmost values of the stack, live and not used again.
    #[inline(always)]
    unsafe fn settle<const N: usize, const M: usize>(
        &self,
        inputs: [StackRef; N],
        outputs: [StackRef; M],
    ) -> Op<Settled<M>> {
        // SAFETY: the caller's promise; the outputs take the inputs' slots (or the free ones above,
        // which the instruction's stack effect covers).
        unsafe {
            let base = self.sp().sub(N);
            outputs.store(base);
            self.close_inputs_at(inputs, base.add(M));
        }
        Ok(Settled::new())
    }

    /// Gives up all inputs before failing with [`Exit::Error`].
    ///
    /// # Safety
    /// `inputs` are the topmost values of the stack, live and not used again.
    #[inline(always)]
    unsafe fn consume<const N: usize>(&self, inputs: [StackRef; N]) {
        // SAFETY: the caller's promise.
        unsafe {
            self.close_inputs_at(inputs, self.sp().sub(N));
        }
    }

    /// Gives up inputs that are not on the published stack any more, which ends at `sp`. Where there are
    /// several, a call for the first one must not cost the registers of the others.
    ///
    /// # Safety
    /// As for [`Engine::close_at`].
    #[inline(always)]
    unsafe fn close_inputs_at<const N: usize>(&self, inputs: [StackRef; N], sp: *mut StackRef) {
        for input in inputs {
            // SAFETY: the caller's promise.
            unsafe { if N > 1 { self.close_seldom_at(input, sp) } else { self.close_at(input, sp) } }
        }
    }

    /// The usual end of a micro-op that called a host function: `object` is its result (a new
    /// reference, or null with an exception set); the inputs are given up either way.
    ///
    /// # Safety
    /// As for [`Engine::settle`]; the caller owns `object`.
    #[inline(always)]
    unsafe fn settle_object<const N: usize>(
        &self,
        inputs: [StackRef; N],
        object: *mut PyObject,
    ) -> Op<Settled<1>> {
        // SAFETY: the caller's promise.
        unsafe {
            if object.is_null() {
                self.consume(inputs);
                return Err(Exit::Error);
            }
            self.settle(inputs, [StackRef::steal(object)])
        }
    }

    /// Jumps: the next instruction is `offset` units after the one that would have been next.
    ///
    /// # Safety
    /// The target is an instruction of the same bytecode.
    #[inline(always)]
    unsafe fn jump_by(&mut self, offset: isize) {
        // SAFETY: the caller's promise.
        unsafe { self.set_next(self.next().add(offset)) }
    }
}

/// Runs a micro-op and moves the stack pointer over its inputs and outputs.
///
/// # Safety
/// As for the micro-op.
#[inline(always)]
pub unsafe fn run<E: Engine, O: Outputs, const N: usize>(
    e: &mut E,
    micro_op: unsafe fn(&mut E, [StackRef; N]) -> Op<O>,
) -> Op<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let inputs = e.sp().sub(N).cast::<[StackRef; N]>().read();
        let result = micro_op(e, inputs);
        finish::<E, O, N>(e, result)
    }
}

/// Like [`run`], for a micro-op with an operand from the instruction's cache.
///
/// # Safety
/// As for the micro-op.
#[inline(always)]
pub unsafe fn run_with<E: Engine, A, O: Outputs, const N: usize>(
    e: &mut E,
    operand: A,
    micro_op: unsafe fn(&mut E, A, [StackRef; N]) -> Op<O>,
) -> Op<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let inputs = e.sp().sub(N).cast::<[StackRef; N]>().read();
        let result = micro_op(e, operand, inputs);
        finish::<E, O, N>(e, result)
    }
}

#[inline(always)]
unsafe fn finish<E: Engine, O: Outputs, const N: usize>(e: &mut E, result: Op<O>) -> Op<()> {
    // SAFETY: the stack held N inputs, and has room for the outputs by the instruction's effect.
    unsafe {
        match result {
            Ok(outputs) => {
                if N + O::COUNT > 0 {
                    let base = e.sp().sub(N);
                    outputs.store(base);
                    e.set_sp(base.add(O::COUNT));
                }
                Ok(())
            }
            Err(Exit::Error) => {
                if N > 0 {
                    e.set_sp(e.sp().sub(N));
                }
                Err(Exit::Error)
            }
            Err(exit) => Err(exit),
        }
    }
}
