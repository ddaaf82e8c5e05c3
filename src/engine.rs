//! What an instruction body may ask of the engine that runs it.
//!
//! A *micro-op* is a function `unsafe fn(&mut impl Engine, [StackRef; N]) -> Op<[StackRef; M]>`: it
//! gets the topmost N values of the evaluation stack (the last one is the topmost) and returns the M
//! values that take their place. Values that it only looks at are [`Kept`]. If a number depends on the
//! instruction's argument, there are [`Many`] inputs or [`SettledMany`] results. The engine moves the stack
//! pointer. Micro-ops with a cached operand take it as second parameter.
//!
//! There are two kinds of engines and so two kinds of micro-ops:
//! - Every [`Engine`] can run a micro-op that asks for no more and returns an [`Op`]: these can be part of
//!   a trace.
//! - An engine that reads bytecode, instruction by instruction, is a [`BytecodeEngine`]. It can also run
//!   micro-ops that look at the next instruction, jump, or leave by a [`BytecodeExit`].
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

use core::convert::Infallible;
use core::marker::PhantomData;

use crate::bytecode::opcode;
#[cfg(not(py_debug))]
use crate::host::refcount;
use crate::host::{Code, CodeUnit, Frame, PyObject, StackRef, ThreadState};

// --- how a micro-op ends -----------------------------------------------------------------------

/// How a micro-op ends when it does not just go on to the next one: what every engine understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A guard failed: run the family's generic instruction instead. Nothing has happened yet.
    Deopt,
    /// An exception is set and the inputs are gone.
    Error,
    /// An exception is set and the inputs are still on the stack.
    ErrorNoPop,
}

/// How a micro-op ends that only an engine for bytecode can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BytecodeExit {
    /// As any other micro-op.
    Exit(Exit),
    /// An exception is set, and its traceback and events have been taken care of already.
    Unwind,
    /// An exception is set, and the current frame, which has not begun to run, is to be dropped.
    DropFrame,
    /// The instruction is over: continue at [`BytecodeEngine::next`], skipping its remaining micro-ops.
    Dispatch,
    /// Read this instruction again (it has just been changed) and run it with the same argument.
    Again,
    /// Run this instruction as the given opcode, with the same argument.
    As(u8),
    /// Leave the evaluator with this result.
    Return(*mut PyObject),
}

impl From<Exit> for BytecodeExit {
    #[inline(always)]
    fn from(exit: Exit) -> BytecodeExit {
        BytecodeExit::Exit(exit)
    }
}

/// What a micro-op returns that can be part of a trace.
pub(crate) type Op<T = [StackRef; 0]> = Result<T, Exit>;

/// What a micro-op returns that cannot.
pub(crate) type BytecodeOp<T = [StackRef; 0]> = Result<T, BytecodeExit>;

/// The ways in which a micro-op may end.
pub(crate) trait Exits: Copy {
    /// Whether the micro-op has given up its inputs.
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

// --- what a micro-op finds ---------------------------------------------------------------------

/// Values on top of the stack.
pub(crate) trait Values: Sized {
    /// How many there are, for an instruction with this argument.
    fn count(oparg: usize) -> usize;
    /// The slot of the lowest one, if the topmost is below `top`.
    ///
    /// # Safety
    /// The stack has that many there.
    #[inline(always)]
    unsafe fn base(top: *mut StackRef, oparg: usize) -> *mut StackRef {
        // SAFETY: the caller's promise.
        unsafe { top.sub(Self::count(oparg)) }
    }
    /// The values below `top`.
    ///
    /// # Safety
    /// The stack has that many there.
    unsafe fn below(top: *mut StackRef, oparg: usize) -> Self;
}

impl<const N: usize> Values for [StackRef; N] {
    #[inline(always)]
    fn count(_oparg: usize) -> usize {
        N
    }
    #[inline(always)]
    unsafe fn below(top: *mut StackRef, _oparg: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { top.sub(N).cast::<[StackRef; N]>().read() }
    }
}

/// A number that depends on the instruction's argument.
pub(crate) trait Count {
    fn of(oparg: usize) -> usize;
}

/// The argument itself.
pub(crate) struct Oparg;

impl Count for Oparg {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        oparg
    }
}

/// As many values as `C` says, where they are on the stack.
pub(crate) struct Many<C> {
    base: *mut StackRef,
    count: usize,
    kind: PhantomData<C>,
}

impl<C: Count> Many<C> {
    /// The slot of the lowest one.
    #[inline(always)]
    pub(crate) fn base(&self) -> *mut StackRef {
        self.base
    }
    #[inline(always)]
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

impl<C: Count> Values for Many<C> {
    #[inline(always)]
    fn count(oparg: usize) -> usize {
        C::of(oparg)
    }
    #[inline(always)]
    unsafe fn below(top: *mut StackRef, oparg: usize) -> Self {
        let count = C::of(oparg);
        // SAFETY: the caller's promise.
        Many { base: unsafe { top.sub(count) }, count, kind: PhantomData }
    }
}

/// Values that a micro-op looks at, and may change, but that stay on the stack.
pub(crate) struct Kept<V>(pub(crate) V);

/// What a micro-op finds on the stack: values that it takes, and perhaps others below, which stay.
pub(crate) trait Inputs: Sized {
    /// What it takes.
    type Taken: Values;
    /// What it looks at below.
    type Kept: Values;
    /// Reads them.
    ///
    /// # Safety
    /// They are below `sp`.
    unsafe fn read(sp: *mut StackRef, oparg: usize) -> Self;
}

impl<V: Values> Inputs for V {
    type Taken = V;
    type Kept = [StackRef; 0];
    #[inline(always)]
    unsafe fn read(sp: *mut StackRef, oparg: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { V::below(sp, oparg) }
    }
}

impl<K: Values> Inputs for Kept<K> {
    type Taken = [StackRef; 0];
    type Kept = K;
    #[inline(always)]
    unsafe fn read(sp: *mut StackRef, oparg: usize) -> Self {
        // SAFETY: the caller's promise.
        Kept(unsafe { K::below(sp, oparg) })
    }
}

impl<K: Values, V: Values> Inputs for (Kept<K>, V) {
    type Taken = V;
    type Kept = K;
    #[inline(always)]
    unsafe fn read(sp: *mut StackRef, oparg: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe { (Kept(K::below(V::base(sp, oparg), oparg)), V::below(sp, oparg)) }
    }
}

// --- what a micro-op leaves --------------------------------------------------------------------

/// The results of a micro-op, bottom first.
pub(crate) trait Outputs<E> {
    /// Whether nothing of the instruction may come after it.
    const ENDS_INSTRUCTION: bool = false;
    /// How many there are, for an instruction with this argument.
    fn count(oparg: usize) -> usize;
    /// Puts the results where they belong, and the stack pointer above them.
    ///
    /// # Safety
    /// `base` is the slot of the lowest one.
    unsafe fn leave(self, e: &mut E, base: *mut StackRef);
}

impl<E: Engine, const M: usize> Outputs<E> for [StackRef; M] {
    #[inline(always)]
    fn count(_oparg: usize) -> usize {
        M
    }
    #[inline(always)]
    unsafe fn leave(self, e: &mut E, base: *mut StackRef) {
        // SAFETY: the instruction's stack effect covers the results.
        unsafe {
            base.cast::<[StackRef; M]>().write(self);
            e.set_sp(base.add(M));
        }
    }
}

/// Results that are in place already.
pub(crate) struct Settled<const M: usize>(());

impl<const M: usize> Settled<M> {
    /// For a micro-op that has put its results in place itself.
    ///
    /// # Safety
    /// The slots of the inputs, and those above that the results need, hold M live references.
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
        // SAFETY: the results are there.
        unsafe { e.set_sp(base.add(M)) }
    }
}

/// As many results as `C` says, in place already.
pub(crate) struct SettledMany<C> {
    top: *mut StackRef,
    kind: PhantomData<C>,
}

impl<C: Count> SettledMany<C> {
    /// For a micro-op that has put its results in place itself, the topmost one below `top`.
    ///
    /// # Safety
    /// As for [`Settled::new`]; there are as many results as `C` says.
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
        // SAFETY: the results are there.
        unsafe {
            debug_assert_eq!(self.top, base.add(C::of(e.oparg())));
            e.set_sp(self.top);
        }
    }
}

/// The result of a micro-op that ends its instruction, and may do the work of the STORE_FAST after it too.
pub(crate) enum PushedOrStored<T, S> {
    Pushed(T),
    /// The result is in the variable, and nothing is left on the stack.
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
        // SAFETY: the caller's promise; a STORE_FAST follows, since there is a value that says so.
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

/// The STORE_FAST after the instruction being run, for an engine that looks ahead.
pub(crate) trait NextStore: Copy {
    /// The local variable that it stores to.
    fn local(self) -> usize;
}

/// Read from bytecode.
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

/// A way to run micro-ops: the tier-1 interpreter and, later, the micro-op interpreter and the
/// stencils of the JIT. Methods are inlined into every instruction, so that the engine itself
/// dissolves into registers.
///
/// # Safety
/// While a micro-op runs, the thread that [`Engine::tstate`] names is attached, [`Engine::frame`] is its
/// current frame, [`Engine::this_instr`] is in the frame's bytecode and what the frame has as its
/// instruction, and every slot of the frame's stack below [`Engine::sp`] holds a live reference.
pub(crate) unsafe trait Engine: Sized {
    /// What [`Engine::next_store`] returns; [`Infallible`] for an engine that does not look ahead.
    type NextStore: NextStore;

    fn frame(&self) -> Frame;
    fn tstate(&self) -> ThreadState;
    /// The argument of the instruction.
    fn oparg(&self) -> usize;
    /// The instruction being run.
    fn this_instr(&self) -> CodeUnit;
    /// The number of code units of the instruction being run, its cache included.
    fn units(&self) -> usize;
    /// One past the topmost value. While a micro-op with N inputs runs, they are below it still.
    fn sp(&self) -> *mut StackRef;
    /// For the engine's own use, and for micro-ops that go on in another frame.
    ///
    /// # Safety
    /// Every slot of the frame's stack below `sp` holds a live reference, or is given one before the
    /// micro-op ends.
    unsafe fn set_sp(&mut self, sp: *mut StackRef);
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

    /// The next instruction, if that is a STORE_FAST and the engine looks ahead. A micro-op may do its work,
    /// and says so with [`PushedOrStored`].
    #[inline(always)]
    fn next_store(&self) -> Option<Self::NextStore> {
        None
    }
    /// The local variable of the STORE_FAST that follows, for instructions that are specialized only in front
    /// of one.
    ///
    /// # Safety
    /// This is such an instruction.
    unsafe fn following_store(&self) -> usize;
    /// The work of the next instruction, one without a cache, is done. An engine whose trace does not have it
    /// need do nothing.
    ///
    /// # Safety
    /// There is such an instruction.
    unsafe fn skip_next(&mut self);
    /// Leaves the frame at the instruction that ran before this one.
    ///
    /// # Safety
    /// That was in the same frame.
    unsafe fn stay_at_previous_instr(&mut self);

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
            base.cast::<[StackRef; M]>().write(outputs);
            self.close_inputs_at(inputs, base.add(M));
            Ok(Settled::new())
        }
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
}

/// An engine that reads bytecode: it knows which instruction is next, and can go on elsewhere.
///
/// # Safety
/// [`BytecodeEngine::next`] is in the frame's bytecode.
pub(crate) unsafe trait BytecodeEngine: Engine {
    fn set_oparg(&mut self, oparg: usize);
    /// What the frame had as its instruction before this one: line events want to know.
    fn previous_instr(&self) -> CodeUnit;
    /// The instruction to be run after this one.
    fn next(&self) -> CodeUnit;
    /// Goes on at another instruction.
    ///
    /// # Safety
    /// It is one of the frame's bytecode.
    unsafe fn set_next(&mut self, instr: CodeUnit);

    /// Jumps: the next instruction is `offset` units after the one that would have been next.
    ///
    /// # Safety
    /// The target is an instruction of the same bytecode.
    #[inline(always)]
    unsafe fn jump_by(&mut self, offset: isize) {
        // SAFETY: the caller's promise.
        unsafe { self.set_next(self.next().add(offset)) }
    }

    /// [`Engine::next_store`], from bytecode.
    #[inline(always)]
    fn read_next_store(&self) -> Option<StoreFast> {
        // SAFETY: an instruction follows.
        let (opcode, local) = unsafe { self.next().decode() };
        (opcode == opcode::STORE_FAST).then_some(StoreFast { local })
    }
}

/// Runs a micro-op and moves the stack pointer over its inputs and outputs.
///
/// # Safety
/// As for the micro-op.
#[inline(always)]
pub(crate) unsafe fn run<E: Engine, I: Inputs, O: Outputs<E>, X: Exits>(
    e: &mut E,
    micro_op: unsafe fn(&mut E, I) -> Result<O, X>,
) -> Result<(), X> {
    // SAFETY: the caller's promise.
    unsafe {
        let inputs = I::read(e.sp(), e.oparg());
        let result = micro_op(e, inputs);
        finish::<E, I, O, X>(e, result)
    }
}

/// Like [`run`], for a micro-op with an operand from the instruction's cache.
///
/// # Safety
/// As for the micro-op.
#[inline(always)]
pub(crate) unsafe fn run_with<E: Engine, A, I: Inputs, O: Outputs<E>, X: Exits>(
    e: &mut E,
    operand: A,
    micro_op: unsafe fn(&mut E, A, I) -> Result<O, X>,
) -> Result<(), X> {
    // SAFETY: the caller's promise.
    unsafe {
        let inputs = I::read(e.sp(), e.oparg());
        let result = micro_op(e, operand, inputs);
        finish::<E, I, O, X>(e, result)
    }
}

#[inline(always)]
unsafe fn finish<E: Engine, I: Inputs, O: Outputs<E>, X: Exits>(
    e: &mut E,
    result: Result<O, X>,
) -> Result<(), X> {
    // SAFETY: the stack held the inputs, and has room for the outputs by the instruction's effect.
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
