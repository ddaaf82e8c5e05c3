//! From bytecode to a trace: follows the path that branch histories and inline caches make likely, through calls
//! of Python functions and back, until it is at its start again or cannot go on.

use arrayvec::ArrayVec;

use super::uop::{Entered, MAX_LENGTH};
use super::{Dependencies, Trace, Uop};
use crate::bytecode::metadata::{Argument, Instruction, Operand, Step};
use crate::bytecode::{BackoffCounter, micro_op, opcode};
use crate::host::function::Function;
use crate::host::{Code, CodeUnit, Frame, FunctionVersion, ffi};
use crate::instrument::opcodes::is_instrumented;
use crate::ops::metadata::{Group, MicroOp};

/// The most calls that a trace follows into each other.
const MAX_CALLS: usize = ffi::TRACE_STACK_SIZE as usize;

/// Outcomes in the history of a branch.
const HISTORY_LENGTH: u32 = u16::BITS;

/// Writes a trace of the code that `frame` runs, from the instruction at `start` on, and adds the code objects
/// that it goes through to `dependencies`. Returns false if there is no trace worth running.
///
/// The first instruction of the trace must not be able to exit if `progress_needed`: otherwise an executor that
/// replaces this instruction could be entered and left without end.
///
/// # Safety
/// The thread is attached and no exception is set. `frame` is its current frame, and `start` an instruction in
/// the frame's bytecode, at the first of its EXTENDED_ARGs. `trace` is empty.
pub(crate) unsafe fn project(
    frame: Frame,
    start: CodeUnit,
    progress_needed: bool,
    trace: &mut Trace,
    dependencies: &mut Dependencies,
) -> bool {
    // SAFETY: the frame is current, so its code and its function are live (caller).
    unsafe {
        let function = Function::from_object(frame.function().cast());
        let at = Position { function: Some(function), code: frame.code(), instr: start };
        dependencies.add(at.code.as_ptr());
        let mut translator = Translator {
            trace,
            dependencies,
            stubs: 0,
            at,
            last: start,
            callers: ArrayVec::new(),
            confidence: Confidence::FULL,
            has_jumped_back: false,
        };
        translator.push(micro_op::start_executor, 0, start.as_ptr().addr() as u64, at.offset());
        translator.push(micro_op::make_warm, 0, 0, 0);
        let mut is_first = true;
        loop {
            let target = translator.at.offset();
            if !is_first && translator.at.instr == start {
                translator.push(micro_op::jump_to_top, 0, 0, 0);
                return true;
            }
            match translator.instruction(is_first && progress_needed) {
                Ok(()) => is_first = false,
                Err(End::Refuse) => return false,
                Err(End::Exit) if is_first => return false,
                Err(End::Exit) => {
                    let previous = previous_instr(translator.last, translator.at.instr);
                    translator.push(micro_op::exit_trace, 0, previous, target);
                    return true;
                }
                Err(End::ExitInCallee) => {
                    translator.push(micro_op::exit_trace, 0, 0, 0);
                    return true;
                }
            }
        }
    }
}

/// A place in bytecode. Code and function are borrowed.
#[derive(Clone, Copy)]
struct Position {
    /// The function that runs there, if it is known.
    function: Option<Function>,
    code: Code,
    instr: CodeUnit,
}

impl Position {
    /// The offset of the instruction from the start of the bytecode, in code units.
    ///
    /// # Safety
    /// The code is live.
    unsafe fn offset(self) -> u32 {
        // SAFETY: the code is live (caller), and `instr` is in its bytecode.
        unsafe { self.instr.offset_from(self.code.bytecode()) as u32 }
    }

    /// What the optimizer gets to know about the place.
    fn operand(self) -> u64 {
        self.function.map_or(Entered::Code(self.code), Entered::Function).to_operand()
    }
}

/// Why a trace goes no further.
enum End {
    /// It ends in front of the instruction.
    Exit,
    /// It ends at the start of a function that it has just called.
    ExitInCallee,
    /// It would not be worth running.
    Refuse,
}

/// How likely the path is, from the histories of its branches.
#[derive(Clone, Copy)]
struct Confidence(u32);

impl Confidence {
    const FULL: Confidence = Confidence(1000);
    const LEAST: u32 = 333;

    /// The confidence behind a branch that went this way in `times` of [`HISTORY_LENGTH`] cases.
    fn behind_branch(self, times: u32) -> Option<Confidence> {
        let confidence = self.0 * times / HISTORY_LENGTH;
        (confidence >= Confidence::LEAST).then_some(Confidence(confidence))
    }
}

/// The state of a translation.
struct Translator<'a> {
    trace: &'a mut Trace,
    dependencies: &'a mut Dependencies,
    /// The number of stubs that the finished trace may need behind its end.
    stubs: usize,
    at: Position,
    /// The instruction that was translated last.
    last: CodeUnit,
    /// Where the calls that the trace has followed return to.
    callers: ArrayVec<Position, MAX_CALLS>,
    confidence: Confidence,
    has_jumped_back: bool,
}

/// An instruction with its full argument.
struct Decoded {
    row: &'static Instruction,
    instr: CodeUnit,
    oparg: usize,
    /// The offset of the instruction, of its EXTENDED_ARG if it has one.
    target: u32,
}

impl Decoded {
    /// The instruction behind this one.
    ///
    /// # Safety
    /// The bytecode is live.
    unsafe fn next(&self) -> CodeUnit {
        // SAFETY: every instruction is followed by another one, behind its cache.
        unsafe { self.instr.add(1 + self.row.cache_units() as isize) }
    }
}

impl Translator<'_> {
    /// Appends a micro-op. There is room: [`Translator::reserve`] has made sure.
    fn push(&mut self, number: u16, oparg: usize, operand0: u64, target: u32) {
        self.trace.push(Uop::new(number, oparg as u16, operand0, target));
    }

    /// Makes sure that micro-ops and stubs fit into the trace, and one more that ends it.
    fn reserve(&mut self, uops: usize, stubs: usize) -> Result<(), End> {
        if self.trace.len() + uops + 1 + self.stubs + stubs > MAX_LENGTH {
            return Err(End::Exit);
        }
        self.stubs += stubs;
        Ok(())
    }

    /// Translates the instruction at the current position and moves on to the one that follows it.
    ///
    /// # Safety
    /// The position is in live bytecode, and the thread is attached.
    unsafe fn instruction(&mut self, must_not_exit: bool) -> Result<(), End> {
        // SAFETY: the position is in live bytecode (caller), so the parts of the instruction are.
        unsafe {
            let mut this = self.decode()?;
            if must_not_exit
                && uses(this.row, ffi::HAS_EXIT_FLAG | ffi::HAS_DEOPT_FLAG)
                && let Some(generic) = this.row.family
            {
                this.row = Instruction::of(generic).ok_or(End::Exit)?;
            }
            if !is_translatable(this.row) || will_be_specialized(&this) {
                return Err(End::Exit);
            }
            let exits = usize::from(uses(this.row, ffi::HAS_EXIT_FLAG));
            let errors = usize::from(uses(this.row, ffi::HAS_ERROR_FLAG));
            // Two for the validity and the instruction pointer; every instruction may need a stub for a deopt.
            self.reserve(this.row.steps.len() + 2, exits + errors + 1)?;
            let start = self.trace.len();
            self.push(micro_op::check_validity, 0, 0, this.target);
            // END_FOR runs behind an iteration that has ended, and belongs to it.
            if this.row.opcode != opcode::END_FOR {
                self.push(micro_op::set_ip, 0, this.instr.as_ptr().addr() as u64, this.target);
            }
            let result = match this.row.opcode {
                opcode::POP_JUMP_IF_FALSE
                | opcode::POP_JUMP_IF_TRUE
                | opcode::POP_JUMP_IF_NONE
                | opcode::POP_JUMP_IF_NOT_NONE => self.branch(&this),
                opcode::JUMP_BACKWARD | opcode::JUMP_BACKWARD_JIT => {
                    self.push(micro_op::check_periodic, 0, 0, this.target);
                    self.jump_back(&this)
                }
                opcode::JUMP_BACKWARD_NO_INTERRUPT => self.jump_back(&this),
                opcode::JUMP_FORWARD => {
                    self.at.instr = this.next().add(this.oparg as isize);
                    Ok(())
                }
                opcode::RESUME => {
                    self.push(micro_op::tier2_resume_check, 0, 0, this.target);
                    self.at.instr = this.next();
                    Ok(())
                }
                _ => self.expand(&this),
            };
            match result {
                Err(End::Exit) => self.trace.truncate(start),
                _ => self.last = this.instr,
            }
            result
        }
    }

    /// Reads the instruction at the current position.
    ///
    /// # Safety
    /// As for [`Translator::instruction`].
    unsafe fn decode(&self) -> Result<Decoded, End> {
        // SAFETY: an EXTENDED_ARG is followed by another instruction of the same bytecode.
        unsafe {
            let target = self.at.offset();
            let (mut opcode, mut oparg) = self.at.instr.decode();
            let mut instr = self.at.instr;
            if opcode == opcode::EXTENDED_ARG {
                instr = instr.add(1);
                let low;
                (opcode, low) = instr.decode();
                oparg = oparg << 8 | low;
            }
            let row = Instruction::of(opcode).ok_or(End::Exit)?;
            Ok(Decoded { row, instr, oparg, target })
        }
    }

    /// Follows a branch the way that most of its history took, behind a guard.
    ///
    /// # Safety
    /// `this` is a branch in live bytecode.
    unsafe fn branch(&mut self, this: &Decoded) -> Result<(), End> {
        // SAFETY: the cache of a branch is its history; target and next instruction are in the same bytecode.
        unsafe {
            let jumps = this.instr.add(1).word().count_ones();
            let jumps_likely = jumps > HISTORY_LENGTH / 2;
            let times = if jumps_likely { jumps } else { HISTORY_LENGTH - jumps };
            self.confidence = self.confidence.behind_branch(times).ok_or(End::Exit)?;
            let next = this.next();
            let target = next.add(this.oparg as isize);
            let (likely, unlikely) = if jumps_likely { (target, next) } else { (next, target) };
            let exit = Position { instr: unlikely, ..self.at };
            let previous = previous_instr(this.instr, unlikely);
            self.push(guard_of(this.row.opcode, jumps_likely), 0, previous, exit.offset());
            self.at.instr = likely;
            Ok(())
        }
    }

    /// Follows a jump to the start of a loop. A second one that is not the end of the trace belongs to another
    /// loop.
    ///
    /// # Safety
    /// `this` is a backward jump in live bytecode.
    unsafe fn jump_back(&mut self, this: &Decoded) -> Result<(), End> {
        if self.has_jumped_back {
            return Err(End::Exit);
        }
        self.has_jumped_back = true;
        // SAFETY: the target is in the same bytecode.
        self.at.instr = unsafe { this.next().add(-(this.oparg as isize)) };
        Ok(())
    }

    /// Appends the micro-ops of an instruction and moves on, into a function that it calls or back to a caller.
    ///
    /// # Safety
    /// `this` is a translatable instruction in live bytecode.
    unsafe fn expand(&mut self, this: &Decoded) -> Result<(), End> {
        // SAFETY: the cache has the form that the row of the instruction states.
        unsafe {
            let mut at = 1;
            self.at.instr = this.next();
            for step in this.row.steps {
                let cache = this.instr.add(at);
                at += step.units();
                let Step::Op { number, argument, operands, .. } = *step else { continue };
                if step.is_adaptive() {
                    continue;
                }
                let oparg = match argument {
                    Argument::Whole => this.oparg,
                    Argument::High => this.oparg >> 4,
                    Argument::Low => this.oparg & 15,
                };
                let (operand0, operand1) = read_operands(operands, cache);
                match number {
                    micro_op::return_value | micro_op::return_generator | micro_op::yield_value => {
                        self.at = self.callers.pop().ok_or(End::Refuse)?;
                        self.push(number, oparg, self.at.operand(), this.target);
                    }
                    micro_op::push_frame => self.enter_callee(this)?,
                    micro_op::save_return_offset => {
                        self.push(number, 1 + this.row.cache_units(), 0, this.target);
                    }
                    micro_op::binary_op_inplace_add_unicode => {
                        // It does the work of the STORE_FAST that follows.
                        let (_, local) = self.at.instr.decode();
                        self.push(number, oparg, local as u64, this.target);
                        self.at.instr = self.at.instr.add(1);
                    }
                    micro_op::call_list_append => {
                        // It pushes no result, and a POP_TOP follows.
                        self.push(number, oparg, 0, this.target);
                        self.at.instr = self.at.instr.add(1);
                    }
                    micro_op::iter_jump_range
                    | micro_op::iter_jump_list
                    | micro_op::iter_jump_tuple
                    | micro_op::for_iter => {
                        let previous = previous_instr(this.instr, end_of_loop(this));
                        self.push(in_trace(number), oparg, previous, this.target);
                    }
                    _ => {
                        self.push(in_trace(number), oparg, operand0, this.target);
                        if let Some(uop) = self.trace.last_mut() {
                            uop.operand1 = operand1;
                        }
                    }
                }
            }
            Ok(())
        }
    }

    /// Goes on in the function that a call has entered.
    ///
    /// # Safety
    /// `this` is a call in live bytecode; the position is already behind it.
    unsafe fn enter_callee(&mut self, this: &Decoded) -> Result<(), End> {
        // SAFETY: the cache of a specialized call of a Python function has the function's version behind the
        // counter. Function and code are live as long as the thread runs no Python code.
        unsafe {
            if !calls_by_function_version(this.row.opcode) {
                return Err(End::Refuse);
            }
            let version: FunctionVersion = this.instr.add(2).read();
            let (function, code) = Function::of_version(version);
            let Some(code) = code else { return Err(End::Refuse) };
            let has_new_code = (*code.as_ptr()).co_version != version.get();
            if code == self.at.code || has_new_code {
                self.push(micro_op::push_frame, this.oparg, 0, this.target);
                return Err(End::ExitInCallee);
            }
            let caller = self.at;
            self.callers.try_push(caller).map_err(|_| End::Refuse)?;
            self.dependencies.add(code.as_ptr());
            self.at = Position { function, code, instr: code.bytecode() };
            self.push(micro_op::push_frame, this.oparg, self.at.operand(), this.target);
            Ok(())
        }
    }
}

/// Whether tier 1 will soon replace the instruction by a form that the trace would miss. That is a FOR_ITER which has
/// not been specialized: for a generator, the form fires an event at the end of the loop and this one does not.
///
/// # Safety
/// `this` is in live bytecode.
unsafe fn will_be_specialized(this: &Decoded) -> bool {
    // SAFETY: the cache of a FOR_ITER is a counter.
    this.row.opcode == opcode::FOR_ITER && unsafe { BackoffCounter::load_at(this.instr).is_warming_up() }
}

/// The instruction behind the loop of the FOR_ITER `this`, where an exhausted iterator is dropped.
///
/// # Safety
/// `this` is a FOR_ITER in live bytecode.
unsafe fn end_of_loop(this: &Decoded) -> CodeUnit {
    // SAFETY: the loop ends with END_FOR and POP_ITER, in the same bytecode. The former is for generators.
    unsafe { this.next().add(this.oparg as isize + 1) }
}

/// The operand of a micro-op that may leave the trace for the instruction `exit` when `this` has run. An
/// instrumented instruction reports where it was reached from, so the frame's instruction pointer must be exact
/// there: `this`, which the exit then sets. 0 if that does not matter.
///
/// # Safety
/// Both are in live bytecode.
unsafe fn previous_instr(this: CodeUnit, exit: CodeUnit) -> u64 {
    // SAFETY: the instruction is in live bytecode (caller).
    let is_watched = unsafe { is_instrumented(exit.opcode()) };
    if is_watched { this.as_ptr().addr() as u64 } else { 0 }
}

/// Whether an instruction calls a function whose version is in its cache. The version in the cache of
/// CALL_ALLOC_AND_ENTER_INIT is that of a type, and the other instructions that enter a frame have none.
fn calls_by_function_version(opcode: u8) -> bool {
    matches!(
        opcode,
        opcode::CALL_PY_EXACT_ARGS
            | opcode::CALL_PY_GENERAL
            | opcode::CALL_BOUND_METHOD_EXACT_ARGS
            | opcode::CALL_BOUND_METHOD_GENERAL
            | opcode::CALL_KW_PY
            | opcode::CALL_KW_BOUND_METHOD
    )
}

/// Whether a micro-op of the instruction has one of these properties (`HAS_…_FLAG`).
fn uses(row: &Instruction, flags: u32) -> bool {
    row.steps.iter().any(|step| match *step {
        Step::Op { number, .. } => MicroOp::by_number(in_trace(number)).is_some_and(|row| row.has(flags)),
        Step::Skip(_) => false,
    })
}

/// Whether traces have a form of the instruction.
fn is_translatable(row: &Instruction) -> bool {
    is_jump_or_resume(row.opcode)
        || row.steps.iter().all(|step| match *step {
            Step::Op { number, .. } if !step.is_adaptive() => {
                MicroOp::by_number(in_trace(number)).is_some_and(|row| row.group != Group::Bytecode)
            }
            _ => true,
        })
}

/// Whether [`Translator::instruction`] translates the instruction itself, not by its micro-ops.
fn is_jump_or_resume(opcode: u8) -> bool {
    matches!(
        opcode,
        opcode::POP_JUMP_IF_FALSE
            | opcode::POP_JUMP_IF_TRUE
            | opcode::POP_JUMP_IF_NONE
            | opcode::POP_JUMP_IF_NOT_NONE
            | opcode::JUMP_BACKWARD
            | opcode::JUMP_BACKWARD_JIT
            | opcode::JUMP_BACKWARD_NO_INTERRUPT
            | opcode::JUMP_FORWARD
            | opcode::RESUME
    )
}

/// The micro-op that does in a trace what this one does in bytecode, where it may jump.
fn in_trace(number: u16) -> u16 {
    match number {
        micro_op::iter_jump_range => micro_op::guard_not_exhausted_range,
        micro_op::iter_jump_list => micro_op::guard_not_exhausted_list,
        micro_op::iter_jump_tuple => micro_op::guard_not_exhausted_tuple,
        micro_op::iter_next_list => micro_op::iter_next_list_tier_two,
        micro_op::for_iter => micro_op::for_iter_tier_two,
        other => other,
    }
}

/// The guard that holds while a branch goes the given way.
fn guard_of(branch: u8, jumps: bool) -> u16 {
    match (branch, jumps) {
        (opcode::POP_JUMP_IF_TRUE, true) | (opcode::POP_JUMP_IF_FALSE, false) => micro_op::guard_is_true_pop,
        (opcode::POP_JUMP_IF_TRUE, false) | (opcode::POP_JUMP_IF_FALSE, true) => micro_op::guard_is_false_pop,
        (opcode::POP_JUMP_IF_NONE, true) | (opcode::POP_JUMP_IF_NOT_NONE, false) => {
            micro_op::guard_is_none_pop
        }
        _ => micro_op::guard_is_not_none_pop,
    }
}

/// Reads up to two operands of a micro-op that begin at `cache`.
///
/// # Safety
/// `cache` is in a live inline cache that has these operands there.
unsafe fn read_operands(operands: &[Operand], cache: CodeUnit) -> (u64, u64) {
    let mut values = [0; 2];
    let mut count = 0;
    let mut at = 0;
    for operand in operands {
        if let Operand::Units(units) = *operand {
            // SAFETY: the operand is in the cache (caller).
            values[count] = (0..units).rev().fold(0, |value, unit| unsafe {
                value << 16 | u64::from(cache.add(at + isize::from(unit as i8)).word())
            });
            count += 1;
        }
        at += operand.units() as isize;
    }
    (values[0], values[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::host_tables::{Table, assert_same, c_table};
    use crate::bytecode::metadata::INSTRUCTIONS;

    #[test]
    fn translatable_instructions_are_those_that_the_host_expands() {
        let host = c_table("internal/pycore_opcode_metadata.h", "_PyOpcode_macro_expansion");
        let rows = INSTRUCTIONS.iter().filter(|row| !is_jump_or_resume(row.opcode));
        let translatable: Table<bool> =
            rows.clone().map(|row| (row.name.to_owned(), is_translatable(row))).collect();
        let expanded = rows.map(|row| (row.name.to_owned(), host.contains_key(row.name))).collect();
        assert_same(&translatable, &expanded);
    }

    #[test]
    fn confidence_falls_with_each_doubtful_branch() {
        let sure = Confidence::FULL.behind_branch(16).expect("sure");
        assert_eq!(sure.0, 1000);
        let doubtful = sure.behind_branch(8).expect("once");
        assert_eq!(doubtful.0, 500);
        assert!(doubtful.behind_branch(8).is_none());
    }
}
