//! Recording: what a program really does from some instruction on becomes a trace.
//!
//! A counter in the bytecode or at a side exit asks for an executor ([`wish`]). Tier 1 then runs on in a loop that shows
//! a [`Recording`] each instruction before it runs. When the next one is there, it is known what the instruction met
//! and where it led, and it is translated ([`super::translate`]). An instruction that tier 1 has specialized for
//! something else is specialized anew at once, so that the trace gets the form of what it meets now.
//!
//! A recording ends where the trace is a loop, or where it cannot go on. Meanwhile anything may happen that Python
//! code can do. What the micro-ops assume is checked by guards, whenever the trace runs; what is not is covered by a
//! [`Watch`]. The program never notices a recording.

mod attempts;
#[cfg(py_debug)]
mod debug;
mod displaced;
#[cfg(feature = "jit")]
mod noted;
mod wish;

use std::alloc::{Layout, alloc};

// Without the drop-in's header, nothing reads the numbers.
#[cfg_attr(feature = "attach", allow(unused_imports))]
pub(crate) use attempts::{ATTEMPTS, Outcome};
pub(crate) use wish::{ask, is_wanted};

use super::executor::OwnedExecutor;
use super::interpreter::MAY_LEAVE_AT_ONCE;
use super::translate::{Arrival, End, Purpose, Running, Translator, is_trampoline};
use super::watch::Watch;
use super::{create, install, optimize};
use crate::bytecode::metadata::{Instruction, Operand, Step};
use crate::bytecode::{BackoffCounter, opcode};
#[cfg(feature = "jit")]
use crate::explain::{self, Attempt, PlaceId};
use crate::host::function::Function;
use crate::host::{Code, CodeUnit, Frame, FunctionVersion, StackRef, ThreadState, ffi, tier2};
use crate::instrument::opcodes::is_instrumented;
use crate::ops::delegation;
use displaced::Displaced;
use wish::Wish;

/// How often a recording is tried again because the program did something unusual meanwhile: that of a function more often, since
/// many of its calls may be short.
const RETRIES: u16 = 3;
const RETRIES_OF_FUNCTION: u16 = 8;
/// The steps of the counter until then, and how many more there are each time, lest they go with those of the program.
const STEPS_UNTIL_RETRY: u16 = 5;
const MORE_STEPS: u16 = 2;
/// The fewest instructions that are worth a trace which is no loop.
const FEWEST_INSTRUCTIONS: usize = 2;
/// The fewest that are worth a trace which is entered from bytecode, and returns to its caller, or to C, each time.
const FEWEST_INSTRUCTIONS_UP_TO_RETURN: usize = 28;
/// The fewest if it is entered from another trace.
const FEWEST_INSTRUCTIONS_FROM_EXIT_TO_C: usize = 10;

/// A recording in progress. It belongs to one thread, and to the frames above the entry frame where it began.
pub(crate) struct Recording {
    wish: Wish,
    /// The executor in the bytecode that begins there already, and leads to the new one where it leaves at once.
    _displaced: Option<Displaced>,
    translator: Translator,
    /// The number of instructions that are translated.
    instructions: usize,
    /// The instruction that runs, which is not translated yet.
    running: Option<Running>,
    /// The instruction before it that has begun to lead through generators which only pass something on. What runs on the way
    /// is a part of it.
    on_its_way: Option<Running>,
    /// That instruction has been specialized for this recording.
    is_specialized: bool,
    /// It was specialized for something else than what it meets.
    misses: bool,
    /// An earlier instruction was.
    has_missed: bool,
    /// An executor of the trace may take the place of the first instruction.
    fits_bytecode: bool,
    begin: Begin,
    ending: Option<Ending>,
    /// The executor in front of which the trace ends.
    following: Option<OwnedExecutor>,
    /// Sees what makes the trace outdated.
    watch: Watch,
    /// The instruction in front of which the trace ends.
    #[cfg(py_debug)]
    end: Option<CodeUnit>,
    #[cfg(feature = "jit")]
    explained: Explained,
}

/// What is noted of a recording while a run is explained.
#[cfg(feature = "jit")]
#[derive(Default)]
struct Explained {
    /// What the instruction that runs has met.
    met: Option<String>,
    /// In front of which instruction the trace ends, and what that has met.
    end: Option<Met>,
    /// The first instruction that was specialized for something else.
    missed: Option<Met>,
}

/// An instruction, and what it has met.
#[cfg(feature = "jit")]
struct Met {
    place: Option<PlaceId>,
    detail: String,
}

#[cfg(feature = "jit")]
impl Explained {
    /// # Safety
    /// The thread is attached, and the instruction in live bytecode.
    unsafe fn describe(&self, instruction: &Running) -> Met {
        // SAFETY: the bytecode is live (caller), and so is its code object.
        let place = unsafe { explain::place(instruction.code(), instruction.target()) };
        let name = instruction.row().name;
        let detail = self.met.as_ref().map_or_else(|| name.to_owned(), |met| format!("{name} ({met})"));
        Met { place, detail }
    }
}

/// Where a recording begins.
struct Begin {
    /// The code, which the translator keeps alive.
    code: Code,
    function: Option<FunctionVersion>,
    stack_entries: usize,
    /// C code resumes the frame, that of a generator: what yields goes back there.
    is_resumed_by_c: bool,
}

/// How the trace of a recording ends.
#[derive(Clone, Copy)]
enum Ending {
    Loop,
    Exit(End),
}

impl Recording {
    /// Begins the recording that is wanted. `None` if there is no memory for it, or if nothing is wanted any more.
    ///
    /// # Safety
    /// The thread is attached and `tstate` is its state. `frame` is its current frame, published, and `next` the
    /// instruction that runs next.
    pub(crate) unsafe fn begin(tstate: ThreadState, frame: Frame, next: CodeUnit) -> Option<Box<Recording>> {
        let wish = wish::take()?;
        // SAFETY: the frame is current and published (caller).
        unsafe {
            if !tier2::is_on(tstate.interp()) {
                return None;
            }
            let first = Arrival { frame, sp: frame.stack_pointer(), instr: next };
            let begin = Begin {
                code: frame.code(),
                function: first.version_of_namespace(),
                stack_entries: first.stack_entries(),
                is_resumed_by_c: frame.is_generator()
                    && frame.previous().is_none_or(|frame| frame.is_entry()),
            };
            let start = wish.start();
            let displaced = Displaced::take_out(frame.code(), start);
            // An executor would hide a step from those that go on to the innermost generator. Nothing changes trampolines.
            let fits_bytecode = wish.is_for_bytecode()
                && displaced.is_none()
                && !delegation::is_step(start)
                && !is_trampoline(frame.code());
            let mut recording = on_heap(Recording {
                fits_bytecode,
                _displaced: displaced,
                translator: Translator::new(frame, start, wish.purpose()),
                wish,
                instructions: 0,
                running: None,
                on_its_way: None,
                is_specialized: false,
                misses: false,
                has_missed: false,
                begin,
                ending: None,
                following: None,
                watch: Watch::begin(tstate.interp())?,
                #[cfg(py_debug)]
                end: None,
                #[cfg(feature = "jit")]
                explained: Explained::default(),
            })?;
            if !recording.may_retry() {
                recording.translator.follow_unlikely();
            }
            if recording.wish.purpose() == Purpose::Loop {
                // The jump that closes a loop has just run.
                let mut jump = Running::at(frame, start)?;
                let (opcode, low) = start.decode();
                if opcode == opcode::EXTENDED_ARG {
                    let (opcode, oparg) = start.add(1).decode();
                    jump.becomes(Instruction::of(opcode)?, start.add(1), low << 8 | oparg);
                }
                recording.translator.instruction(&jump, first, false).ok()?;
                recording.instructions = 1;
            }
            Some(recording)
        }
    }

    /// The instruction at `instr` is about to run in `frame`. Translates the one before it. Returns whether the
    /// recording goes on.
    ///
    /// # Safety
    /// The thread is attached. `frame` is its current frame, `sp` its stack pointer, and `instr` an instruction in its
    /// bytecode, at the first of its EXTENDED_ARGs. The instruction before has run in the way that
    /// [`Recording::runs`] was told.
    pub(crate) unsafe fn arrives(&mut self, frame: Frame, sp: *mut StackRef, instr: CodeUnit) -> bool {
        let then = Arrival { frame, sp, instr };
        // SAFETY: the thread is attached and the frame current (caller). The translator keeps the code of the
        // instruction before alive.
        unsafe {
            let running = self.running.take();
            if let Some(mut done) = self.on_its_way.take().or(running)
                && !done.runs_again(then)
            {
                if done.is_on_its_way(then) {
                    self.on_its_way = Some(done);
                    self.running = Running::at(frame, instr);
                    (self.is_specialized, self.misses) = (false, false);
                    return self.running.is_some();
                }
                self.has_missed |= self.misses && !done.specialize_call(then);
                #[cfg(feature = "jit")]
                if explain::is_on() && self.has_missed && self.explained.missed.is_none() {
                    self.explained.missed = Some(self.explained.describe(&done));
                }
                let store = done.fused_store(then);
                let between = store.as_ref().map_or(then, |store| Arrival { instr: store.instr(), ..then });
                if !self.take_over(&done, between) || store.is_some_and(|store| !self.take_over(&store, then))
                {
                    return false;
                }
            }
            if instr == self.wish.start() && self.instructions > 0 {
                self.ending = Some(Ending::Loop);
                self.translator.close();
                return false;
            }
            let Some(mut next) = Running::at(frame, instr) else { return false };
            // Comparing objects may end others.
            frame.set_stack_pointer(sp);
            next.note_inputs(sp);
            next.note_way(sp, !self.translator.has_entered_frame());
            #[cfg(feature = "jit")]
            if explain::is_on() {
                self.explained.met = noted::meets(&next, sp);
            }
            let end = if self.translator.is_at_end() {
                Some(End::Recursion)
            } else {
                self.end_at(&next, frame, instr)
            };
            if let Some(end) = end {
                self.end_before(&next, end);
                self.following = next.into_executor();
                return false;
            }
            self.running = Some(next);
            (self.is_specialized, self.misses) = (false, false);
            true
        }
    }

    /// The body of `opcode` is about to run for the instruction at which the recording has arrived. Returns the opcode
    /// whose body runs instead, and its argument: the same for the program.
    ///
    /// # Safety
    /// As for [`Recording::arrives`]; `oparg` is the instruction's argument, and `instr` the unit with its opcode.
    pub(crate) unsafe fn runs(&mut self, opcode: u8, instr: CodeUnit, oparg: usize) -> (u8, usize) {
        let Some(running) = &mut self.running else { return (opcode, oparg) };
        // SAFETY: the instruction is in the bytecode of the current frame (caller).
        unsafe {
            let (opcode, oparg) = match running.replaced() {
                Some((original, low)) if opcode == opcode::ENTER_EXECUTOR => (original, low.into()),
                _ => (opcode, oparg),
            };
            let Some(row) = Instruction::of(opcode) else { return (opcode, oparg) };
            let was = running.row();
            running.becomes(row, instr, oparg);
            if opcode == opcode::JUMP_BACKWARD_JIT {
                // Its counter must not ask for another recording meanwhile.
                return (opcode::JUMP_BACKWARD_NO_JIT, oparg);
            }
            if !self.is_specialized && begins_with_counter(row) && !running.is_watched_loop() {
                // The generic form runs: the instruction has not been specialized yet, or for something else.
                self.is_specialized = true;
                self.misses = was.family == Some(opcode);
                let counter = BackoffCounter::load_at(instr);
                if !counter.is_unreachable() {
                    counter.expired().store_at(instr);
                }
            }
            (opcode, oparg)
        }
    }

    /// Another recording is wanted: a function has been called often. It becomes part of this one instead. If it is still called
    /// after that, it asks again.
    pub(crate) fn declines_another(&mut self) {
        if let Some(wish) = wish::take() {
            // SAFETY: a recording belongs to a thread that is attached. It has asked for the other one just now, in the code that
            // it runs.
            unsafe { wish.put_off(STEPS_UNTIL_RETRY) }
        }
    }

    /// The instruction that ran has raised an exception. The recording is over.
    pub(crate) fn raises(&mut self) {
        if let Some(running) = self.on_its_way.take().or(self.running.take()) {
            // SAFETY: the translator keeps the code of the instruction alive.
            unsafe { self.end_before(&running, End::Exception) };
        }
    }

    /// Why the trace ends in front of `next`, the instruction at `instr`, whatever it would do. `None` if it does not.
    ///
    /// Two kinds of executors do not end the trace, which goes through the original instruction instead: the executor of
    /// a function, and that of a loop which goes round together with this one (the loop of a generator, or the loop that
    /// drives the generator).
    ///
    /// # Safety
    /// As for [`Recording::arrives`].
    unsafe fn end_at(&self, next: &Running, frame: Frame, instr: CodeUnit) -> Option<End> {
        // SAFETY: an EXTENDED_ARG is followed by another unit of the same bytecode.
        unsafe {
            let mut opcode = instr.opcode();
            if opcode == opcode::EXTENDED_ARG {
                opcode = instr.add(1).opcode();
            }
            match opcode {
                opcode::ENTER_EXECUTOR => {
                    let goes_round = next.is_replaced_jump_back() && self.translator.may_jump_back(frame);
                    (!goes_round && !next.is_replaced_resume()).then_some(End::Executor)
                }
                opcode::EXTENDED_ARG => Some(End::Untranslatable),
                opcode if is_instrumented(opcode) => Some(End::Instrumented),
                _ => None,
            }
        }
    }

    /// Adds an instruction that has run to the trace. If that fails, the trace ends in front of it.
    ///
    /// # Safety
    /// As for [`Recording::arrives`].
    unsafe fn take_over(&mut self, done: &Running, then: Arrival) -> bool {
        // SAFETY: the contract is the same.
        unsafe {
            match self.translate(done, then) {
                Ok(()) => {
                    self.instructions += 1;
                    true
                }
                Err(end) => {
                    self.end_before(done, end);
                    false
                }
            }
        }
    }

    /// Translates an instruction that has run.
    ///
    /// # Safety
    /// As for [`Recording::arrives`].
    unsafe fn translate(&mut self, done: &Running, then: Arrival) -> Result<(), End> {
        // SAFETY: the contract is the same.
        unsafe {
            if self.instructions == 0 {
                self.fits_bytecode &= self.translator.has_form_for_all(done, then);
                let must_not_exit = self.fits_bytecode && !MAY_LEAVE_AT_ONCE || self.wish.is_last();
                if must_not_exit && self.translator.has_form_for_all(done, then) {
                    return self.translator.instruction(done, then, true);
                }
            }
            self.translator.instruction(done, then, false)
        }
    }

    /// Ends the trace in front of this instruction.
    ///
    /// # Safety
    /// The bytecode is live.
    unsafe fn end_before(&mut self, instruction: &Running, end: End) {
        self.ending = Some(Ending::Exit(end));
        #[cfg(py_debug)]
        {
            self.end = Some(instruction.instr());
        }
        #[cfg(feature = "jit")]
        if explain::is_on() {
            // SAFETY: the bytecode is live (caller).
            self.explained.end = Some(unsafe { self.explained.describe(instruction) });
        }
        // SAFETY: the bytecode is live (caller).
        unsafe { self.translator.leave(instruction.start(), instruction.target()) };
    }

    /// Makes an executor of the trace, if it is worth one. The recording is over.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, and its current frame is published.
    pub(crate) unsafe fn finish(mut self: Box<Recording>) {
        // SAFETY: the contract is the same.
        #[cfg(not(feature = "jit"))]
        let outcome = unsafe { self.complete() };
        // SAFETY: the contract is the same.
        #[cfg(feature = "jit")]
        let outcome = unsafe { self.complete_explained() };
        attempts::count(outcome);
        #[cfg(py_debug)]
        // SAFETY: the thread is attached (caller). The translator keeps the code alive.
        unsafe {
            debug::show(self.begin.code, self.wish.start(), self.instructions, outcome, self.end);
        }
    }

    /// [`Recording::complete`]. Notes the outcome if a run is explained.
    ///
    /// # Safety
    /// As for [`Recording::finish`].
    #[cfg(feature = "jit")]
    unsafe fn complete_explained(&mut self) -> Outcome {
        // SAFETY: the contract is the same. The translator keeps the code alive, and the start is in its bytecode.
        unsafe {
            if !explain::is_on() {
                return self.complete();
            }
            let outcome = explain::while_making(|| self.complete());
            let Explained { end, missed, .. } = core::mem::take(&mut self.explained);
            let end = if outcome == Outcome::Unstable { missed } else { end };
            let (end, detail) = end.map_or((None, None), |met| (met.place, Some(met.detail)));
            let start = self.wish.start().offset_from(self.begin.code.bytecode()) as u32;
            if let Some(start) = explain::place(self.begin.code, start) {
                let outcome = core::ffi::CStr::from_ptr(ATTEMPTS[outcome.index()].outcome);
                explain::note_attempt(Attempt { start, end, outcome, detail });
            }
            outcome
        }
    }

    /// Makes an executor of the trace, if it is worth one. Returns the outcome of the recording.
    ///
    /// # Safety
    /// As for [`Recording::finish`].
    unsafe fn complete(&mut self) -> Outcome {
        let Some(ending) = self.ending else { return Outcome::Abandoned };
        // SAFETY: the thread is attached (caller); the translator keeps the code alive.
        unsafe {
            let interp = ThreadState::current().interp();
            if let Some(outcome) = self.postpone(ending) {
                return outcome;
            }
            if let Ending::Exit(end) = ending
                && self.instructions < self.fewest_instructions(end)
            {
                return Outcome::TooShort(end);
            }
            if !tier2::is_on(interp) || !self.watch.saw_nothing() {
                return Outcome::Invalidated;
            }
            match self.make_executor(interp, ending) {
                Ok(()) => {
                    self.wish.reset_counter();
                    match ending {
                        Ending::Loop => Outcome::Loop,
                        Ending::Exit(end) => Outcome::Exit(end),
                    }
                }
                Err(outcome) => outcome,
            }
        }
    }

    /// How many instructions make a trace with this end worth an executor.
    fn fewest_instructions(&self, end: End) -> usize {
        match (end, self.wish.purpose()) {
            (End::ToC, Purpose::Exit) => FEWEST_INSTRUCTIONS_FROM_EXIT_TO_C,
            (End::Return | End::ToC, Purpose::Function | Purpose::Loop) => FEWEST_INSTRUCTIONS_UP_TO_RETURN,
            (_, Purpose::Loop) if self.begin.is_resumed_by_c => FEWEST_INSTRUCTIONS_UP_TO_RETURN,
            _ => FEWEST_INSTRUCTIONS,
        }
    }

    /// Whether to try again instead of making an executor, because the program did something unusual this time.
    ///
    /// # Safety
    /// As for [`Recording::finish`].
    unsafe fn postpone(&self, ending: Ending) -> Option<Outcome> {
        // SAFETY: the thread is attached (caller), and the translator keeps the code alive.
        unsafe {
            let may_wait = self.may_retry();
            match ending {
                Ending::Exit(End::LoopEnded) if may_wait => {
                    // The next time that the loop goes round.
                    self.wish.ask_again(1);
                    Some(Outcome::Retry)
                }
                Ending::Exit(End::UnlikelyBranch) if may_wait => Some(self.retry()),
                // Another call may go the other way, and be longer.
                Ending::Exit(end @ (End::Return | End::ToC))
                    if self.wish.purpose() == Purpose::Function
                        && self.instructions < self.fewest_instructions(end)
                        && self.translator.may_go_another_way()
                        && may_wait =>
                {
                    Some(self.retry())
                }
                _ if self.has_missed && self.wish.purpose() == Purpose::Loop && may_wait => {
                    Some(Outcome::Unstable)
                }
                _ => None,
            }
        }
    }

    /// Whether the recording may be tried again.
    ///
    /// # Safety
    /// As for [`Recording::finish`].
    unsafe fn may_retry(&self) -> bool {
        let retries = if self.wish.purpose() == Purpose::Function { RETRIES_OF_FUNCTION } else { RETRIES };
        // SAFETY: the thread is attached (caller), and the translator keeps the code alive.
        unsafe { self.wish.earlier_attempts() < retries }
    }

    /// Asks for the recording again.
    ///
    /// # Safety
    /// As for [`Recording::finish`].
    unsafe fn retry(&self) -> Outcome {
        // SAFETY: as above.
        unsafe {
            let more = MORE_STEPS * self.wish.earlier_attempts();
            self.wish.ask_again(STEPS_UNTIL_RETRY + more);
        }
        Outcome::Retry
    }

    /// Makes an executor of the trace and puts it to where it was wanted.
    ///
    /// # Safety
    /// As for [`Recording::finish`]. Nothing that the trace relies on without a guard has changed since it began.
    unsafe fn make_executor(
        &mut self,
        interp: *mut ffi::PyInterpreterState,
        ending: Ending,
    ) -> Result<(), Outcome> {
        // SAFETY: the thread is attached and the frame published (caller); the translator keeps the code alive, and
        // the start is in its bytecode.
        unsafe {
            if self.fits_bytecode && !install::can_replace(self.begin.code, self.wish.start()) {
                return Err(Outcome::NoRoom);
            }
            self.translator.resolve_functions();
            let start = optimize::Start {
                code: self.begin.code,
                function: self.begin.function(),
                stack_entries: self.begin.stack_entries,
            };
            let Translator { trace, dependencies, .. } = &mut self.translator;
            create::finish_trace(trace, &start, dependencies)?;
            let created = create::compile(interp, trace, dependencies)?;
            let executor = created.executor();
            executor.set_chain_depth(self.wish.depth(self.fits_bytecode));
            if self.fits_bytecode && !install::install(self.begin.code, self.wish.start(), executor) {
                return Err(Outcome::NoMemory);
            }
            // The first exit is the one at the end: the others are in stubs behind it.
            if let (Ending::Exit(reason), Some(end)) = (ending, executor.exits().next()) {
                if let Some(following) = self.following.take() {
                    end.set_executor(following);
                }
                if reason == End::Return {
                    // The caller's loop would never count if traces of its callee went through it.
                    end.set_temperature(BackoffCounter::UNREACHABLE);
                }
            }
            self.wish.fulfil(created);
            Ok(())
        }
    }
}

impl Begin {
    /// The function in which the recording began, if it is still known.
    ///
    /// # Safety
    /// The thread is attached.
    unsafe fn function(&self) -> Option<Function> {
        // SAFETY: the thread is attached (caller), and a function that is found is live.
        unsafe {
            let (function, _) = Function::of_version(self.function?);
            function.filter(|function| function.code() == self.code)
        }
    }
}

/// Whether an instruction begins with a step that counts until it is specialized.
fn begins_with_counter(row: &Instruction) -> bool {
    row.steps.first().is_some_and(|step| {
        step.is_adaptive() && matches!(step, Step::Op { operands: [Operand::Units(1)], .. })
    })
}

/// Moves a value to the heap. `None` if memory is short.
fn on_heap<T>(value: T) -> Option<Box<T>> {
    // SAFETY: the type has a size. The memory is new, and has the layout with which a box frees it.
    unsafe {
        let memory = alloc(Layout::new::<T>()).cast::<T>();
        if memory.is_null() {
            return None;
        }
        memory.write(value);
        Some(Box::from_raw(memory))
    }
}
