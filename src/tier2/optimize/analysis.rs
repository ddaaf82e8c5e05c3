//! The abstract interpreter: runs a trace on symbols instead of values.

use super::Start;
use super::class::Class;
use super::frames::{AbstractFrame, NewFrame};
use super::symbols::{Constant, Contradiction, Fact, Full, Symbol, Symbols};
use crate::bytecode::micro_op;
use crate::host::{Code, ffi};
use crate::ops::metadata::{Effect, MicroOp};
use crate::tier2::{Dependencies, Trace, Uop};

/// Why the analysis of a trace stops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stop {
    /// The trace ends here, or nothing can be said about the rest of it.
    End,
    /// The trace is not worth having: it would always leave here, or it contradicts itself.
    Refuse,
}

impl From<Full> for Stop {
    fn from(_: Full) -> Stop {
        Stop::End
    }
}

impl From<Contradiction> for Stop {
    fn from(_: Contradiction) -> Stop {
        Stop::Refuse
    }
}

/// The state of the abstract interpreter.
pub(super) struct Analysis<'a> {
    pub(super) trace: &'a mut Trace,
    /// The index of the current micro-op.
    pub(super) at: usize,
    pub(super) symbols: Symbols,
    /// The frames that the trace runs in, the innermost last. There is at least one. The first one is the lowest that the
    /// trace has been in so far. The frames below it are not known.
    pub(super) frames: Vec<AbstractFrame>,
    /// The frame that the next [`push_frame`](micro_op::push_frame) enters.
    pub(super) new_frame: Option<NewFrame>,
    /// The check of stack space that belongs to the call under way.
    pub(super) space_check: Option<usize>,
    pub(super) interp: *mut ffi::PyInterpreterState,
    pub(super) dependencies: &'a mut Dependencies,
}

impl<'a> Analysis<'a> {
    /// # Safety
    /// The thread is attached to `interp`, and its frames are published. The trace begins at `start`, as
    /// [`optimize`](super::optimize) requires. All that stays so while the result lives.
    pub(super) unsafe fn new(
        start: &Start,
        interp: *mut ffi::PyInterpreterState,
        trace: &'a mut Trace,
        dependencies: &'a mut Dependencies,
    ) -> Result<Analysis<'a>, Full> {
        // SAFETY: the caller keeps thread and start as they are.
        let (symbols, first) = unsafe {
            let mut symbols = Symbols::new();
            let Start { code, function, stack_entries } = *start;
            let first = AbstractFrame::unknown(code, function, stack_entries, interp, &mut symbols)?;
            (symbols, first)
        };
        let frames = vec![first];
        Ok(Analysis {
            trace,
            at: 0,
            symbols,
            frames,
            new_frame: None,
            space_check: None,
            interp,
            dependencies,
        })
    }

    // --- the current micro-op ------------------------------------------------------------------

    pub(super) fn uop(&self) -> Uop {
        self.trace[self.at]
    }

    pub(super) fn oparg(&self) -> usize {
        self.uop().oparg.into()
    }

    /// Ends the analysis if the stack does not have the inputs of the current micro-op: rules rely on them.
    pub(super) fn expect_inputs(&mut self) -> Result<(), Stop> {
        let Effect { kept, taken, .. } = self.row()?.effect;
        let inputs = kept(self.oparg()) + taken(self.oparg());
        if self.frame().stack.len() < inputs { Err(Stop::End) } else { Ok(()) }
    }

    fn row(&self) -> Result<&'static MicroOp, Stop> {
        MicroOp::by_number(self.uop().number()).ok_or(Stop::End)
    }

    /// Puts another micro-op in the place of the current one.
    pub(super) fn replace(&mut self, number: u16) {
        self.trace[self.at].replace(number, 0, 0);
    }

    /// The current micro-op has nothing to do.
    pub(super) fn remove(&mut self) {
        self.replace(micro_op::nop);
    }

    /// Replaces the current micro-op by one of two that push a constant, the second for immortal ones.
    pub(super) fn replace_by_constant(&mut self, counted: u16, immortal: u16, value: Constant) {
        let number = if value.is_immortal() { immortal } else { counted };
        self.trace[self.at].replace(number, 0, value.object().addr() as u64);
    }

    // --- the current frame ---------------------------------------------------------------------

    pub(super) fn frame(&mut self) -> &mut AbstractFrame {
        self.frames.last_mut().expect("the trace has a frame")
    }

    pub(super) fn code(&self) -> Code {
        self.frames.last().expect("the trace has a frame").code
    }

    pub(super) fn local(&mut self, index: usize) -> Symbol {
        self.frame().locals[index]
    }

    pub(super) fn set_local(&mut self, index: usize, value: Symbol) {
        self.frame().locals[index] = value;
    }

    pub(super) fn push(&mut self, value: Symbol) -> Result<(), Stop> {
        self.frame().stack.push(value);
        Ok(())
    }

    pub(super) fn push_new(&mut self, fact: Fact) -> Result<(), Stop> {
        let symbol = self.symbols.with(fact)?;
        self.push(symbol)
    }

    pub(super) fn pop(&mut self) -> Symbol {
        self.frame().stack.pop().expect("the stack has the inputs of the micro-op")
    }

    /// The topmost `count` values, the lowest first.
    pub(super) fn pop_many(&mut self, count: usize) -> Vec<Symbol> {
        let stack = &mut self.frame().stack;
        stack.split_off(stack.len() - count)
    }

    /// The value that has `depth` values on top of it.
    pub(super) fn peek(&mut self, depth: usize) -> Symbol {
        let stack = &self.frame().stack;
        stack[stack.len() - 1 - depth]
    }

    /// Replaces the value that has `depth` values on top of it.
    pub(super) fn poke(&mut self, depth: usize, value: Symbol) {
        let stack = &mut self.frame().stack;
        let index = stack.len() - 1 - depth;
        stack[index] = value;
    }

    // --- what most micro-ops do ----------------------------------------------------------------

    /// The micro-op takes its inputs and leaves values about which only `fact` is known.
    pub(super) fn results(&mut self, fact: Fact) -> Result<(), Stop> {
        let Effect { taken, left, .. } = self.row()?.effect;
        self.pop_many(taken(self.oparg()));
        for _ in 0..left(self.oparg()) {
            self.push_new(fact)?;
        }
        Ok(())
    }

    /// The micro-op takes its inputs and leaves one value of type `class`.
    pub(super) fn result(&mut self, class: Class) -> Result<(), Stop> {
        self.results(Fact::Class(class))
    }

    /// The micro-op is a guard: `fact` holds afterwards for `value`. Returns whether it did before.
    pub(super) fn learn(&mut self, value: Symbol, fact: Fact) -> Result<bool, Stop> {
        let was_known = match fact {
            Fact::Null => self.symbols.is_null(value),
            Fact::NonNull => self.symbols.is_non_null(value),
            Fact::Class(class) => self.symbols.is_a(value, class),
            Fact::TypeVersion(version) => self.symbols.has_type_version(value, version),
            Fact::Value(constant) => self.symbols.constant(value) == Some(constant),
        };
        self.symbols.narrow(value, fact)?;
        Ok(was_known)
    }

    /// The micro-op is a guard: it has nothing to do if `fact` is known of the value that has `depth` values on
    /// top of it. Otherwise `fact` is known afterwards.
    pub(super) fn guard(&mut self, depth: usize, fact: Fact) -> Result<(), Stop> {
        let value = self.peek(depth);
        if self.learn(value, fact)? {
            self.remove();
        }
        Ok(())
    }

    /// [`Analysis::guard`] for a type.
    pub(super) fn guard_class(&mut self, depth: usize, class: Class) -> Result<(), Stop> {
        self.guard(depth, Fact::Class(class))
    }
}
