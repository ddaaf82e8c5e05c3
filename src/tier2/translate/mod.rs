//! From bytecode to micro-ops: the part of a trace that stands for one instruction, which has just run. What it met
//! and where it led become guards.

mod branches;
mod forms;
mod frames;
mod methods;
mod running;

use arrayvec::ArrayVec;

use branches::Confidence;
use forms::*;
pub(super) use running::{Arrival, Running};

#[cfg(feature = "jit")]
use super::code_watch;
use super::uop::{Entered, MAX_LENGTH};
use super::{Dependencies, Trace, Uop, interpreter};
use crate::breaker::word::EvalBreaker;
use crate::bytecode::metadata::{Argument, Instruction, Step};
use crate::bytecode::{micro_op, opcode};
use crate::host::ffi;
use crate::host::function::Function;
use crate::host::{Code, CodeUnit, Frame, FunctionVersion, Owned, PyObject, ThreadState};
use crate::instrument::opcodes::is_instrumented;
use crate::instrument::version;
use crate::ops::consumers;
use crate::ops::trampolines::{self, Ending};
use crate::seams;

/// The most calls that a trace follows into each other.
const MAX_CALLS: usize = 7;
/// The most code objects that a trace runs through, and functions that it calls by their address.
const MAX_KEPT: usize = 48;
/// The most times that a trace enters a frame or returns to one.
const MAX_FRAME_CHANGES: usize = 128;
/// In the place of a version, for code that has none: no code has it.
const NO_VERSION: u64 = u64::MAX;

/// Why a trace goes no further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum End {
    /// An executor begins there.
    Executor,
    /// A tool watches the instruction.
    Instrumented,
    /// Traces have no form of the instruction, or not for what it met.
    Untranslatable,
    /// Another loop begins anew.
    InnerLoop,
    /// The histories of its branches have made the path unlikely.
    Doubtful,
    /// A branch went the way that is less likely.
    UnlikelyBranch,
    /// The loop that the trace is to be has ended.
    LoopEnded,
    /// The instruction raised an exception.
    Exception,
    /// The function that the trace is to be returns or yields.
    Return,
    /// The frame belongs to a caller or callee in C.
    ToC,
    /// A function has called itself.
    Recursion,
    /// Too many calls are inside of each other.
    TooDeep,
    /// The trace has no room left.
    TooLong,
}

impl End {
    pub(crate) const ALL: [End; 13] = [
        End::Executor,
        End::Instrumented,
        End::Untranslatable,
        End::InnerLoop,
        End::Doubtful,
        End::UnlikelyBranch,
        End::LoopEnded,
        End::Exception,
        End::Return,
        End::ToC,
        End::Recursion,
        End::TooDeep,
        End::TooLong,
    ];
}

/// What a trace is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// A loop. It begins with the jump that closes it.
    Loop,
    /// What follows a side exit.
    Exit,
    /// A function. What follows its return belongs to the caller, unless that is a call of the same function.
    Function,
}

/// A trace under construction.
pub(super) struct Translator {
    pub(super) trace: Trace,
    pub(super) dependencies: Dependencies,
    /// The number of stubs that the finished trace may need behind its end.
    stubs: usize,
    purpose: Purpose,
    /// The instruction at which the frame is, behind what has been translated: the last one that stores its address.
    last: CodeUnit,
    /// The calls that the trace has followed and not returned from.
    calls: usize,
    confidence: Confidence,
    /// A branch may go the less likely way, unless that is very unlikely.
    follows_unlikely: bool,
    /// The code objects that the trace runs through, and functions in its operands. They stay alive until it is complete.
    kept: ArrayVec<Owned, MAX_KEPT>,
    /// The functions that run behind micro-ops which enter frames: index and version.
    functions: ArrayVec<(u16, FunctionVersion), MAX_FRAME_CHANGES>,
    /// The code objects in which the trace has jumped back.
    loops: ArrayVec<Code, MAX_KEPT>,
    /// The last instruction was one behind which the trace ends.
    is_at_end: bool,
}

impl Translator {
    /// An empty trace of what `frame` runs from `start` on.
    ///
    /// # Safety
    /// The thread is attached; the frame is current and executes code.
    pub(super) unsafe fn new(frame: Frame, start: CodeUnit, purpose: Purpose) -> Translator {
        let mut translator = Translator {
            trace: Trace::new(),
            dependencies: Dependencies::NONE,
            stubs: 0,
            purpose,
            last: start,
            calls: 0,
            confidence: Confidence::FULL,
            follows_unlikely: false,
            kept: ArrayVec::new(),
            functions: ArrayVec::new(),
            loops: ArrayVec::new(),
            is_at_end: false,
        };
        // SAFETY: the frame is current, so its code is live, and `start` is in its bytecode (caller).
        unsafe {
            let code = frame.code();
            let _ = translator.pass_through(code);
            let offset = start.offset_from(code.bytecode()) as u32;
            let start = start.as_ptr().addr() as u64;
            translator.push_with(micro_op::start_executor, 0, (start, start), offset);
            let version = code_version(code).map_or(NO_VERSION, u64::from);
            translator.push_with(micro_op::make_warm, 0, (0, version), 0);
        }
        translator
    }

    /// Whether the trace is to end here, because the last instruction has called its own function.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_at_end
    }

    /// Ends the trace at its start: it is a loop.
    pub(super) fn close(&mut self) {
        self.push(micro_op::jump_to_top, 0, 0, 0);
    }

    /// Ends the trace in front of the instruction `next`, at this offset in the bytecode of the frame that is current
    /// there.
    ///
    /// # Safety
    /// The bytecode is live.
    pub(super) unsafe fn leave(&mut self, next: CodeUnit, target: u32) {
        // SAFETY: the instruction is in live bytecode (caller).
        let previous = unsafe { previous_instr(self.last, next) };
        self.push(micro_op::exit_trace, 0, previous, target);
    }

    /// Tells the micro-ops that enter frames which functions run there, as far as that is still known.
    ///
    /// # Safety
    /// The thread is attached. No Python code runs while the trace is used after this.
    pub(super) unsafe fn resolve_functions(&mut self) {
        for &(index, version) in &self.functions {
            // SAFETY: the thread is attached (caller), and a code object in an operand is alive.
            unsafe {
                let uop = &mut self.trace[usize::from(index)];
                let code = Entered::from_operand(uop.operand0).map(|entered| entered.code());
                if let (Some(function), _) = Function::of_version(version)
                    && Some(function.code()) == code
                {
                    uop.operand0 = Entered::Function(function).to_operand();
                }
            }
        }
    }

    /// The trace runs through `code`, which stays alive until the trace is complete.
    ///
    /// # Safety
    /// The code is live, and the thread attached, also when the translator is dropped.
    unsafe fn pass_through(&mut self, code: Code) -> Result<(), End> {
        // SAFETY: the contract is the same.
        if unsafe { self.keep(code.object())? } {
            self.dependencies.add(code.as_ptr());
            #[cfg(feature = "jit")]
            // SAFETY: the contract is the same; a recording has no exception set between instructions.
            unsafe {
                if !code_watch::watch(code) {
                    return Err(End::Untranslatable);
                }
                crate::explain::know_code(code)
            };
        }
        Ok(())
    }

    /// Keeps an object alive until the trace is complete. Returns false if it does already.
    ///
    /// # Safety
    /// The object is live, and the thread attached, also when the translator is dropped.
    unsafe fn keep(&mut self, object: *mut PyObject) -> Result<bool, End> {
        if self.kept.iter().any(|known| known.as_ptr() == object) {
            return Ok(false);
        }
        // SAFETY: the object is live (caller).
        let reference = unsafe { Owned::new_ref(object) };
        self.kept.try_push(reference).map_err(|_| End::TooLong)?;
        Ok(true)
    }

    /// Appends a micro-op. There is room: [`Translator::reserve`] has made sure.
    fn push(&mut self, number: u16, oparg: usize, operand0: u64, target: u32) {
        self.trace.push(Uop::new(number, oparg as u16, operand0, target));
    }

    /// [`Translator::push`], with a second operand.
    fn push_with(&mut self, number: u16, oparg: usize, operands: (u64, u64), target: u32) {
        let mut uop = Uop::new(number, oparg as u16, operands.0, target);
        uop.operand1 = operands.1;
        self.trace.push(uop);
    }

    /// Makes sure that micro-ops and stubs fit into the trace, and one more that ends it.
    fn reserve(&mut self, uops: usize, stubs: usize) -> Result<(), End> {
        if self.trace.len() + uops + 1 + self.stubs + stubs > MAX_LENGTH {
            return Err(End::TooLong);
        }
        self.stubs += stubs;
        Ok(())
    }

    /// Whether a form of the instruction, which has run and led to `then`, works for all operands, and cannot exit.
    pub(super) fn has_form_for_all(&self, this: &Running, then: Arrival) -> bool {
        // Entering and leaving frames needs guards, and so does what depends on the case.
        form_for_all(this).is_some_and(|row| {
            then.frame == this.frame && !row.steps.iter().any(depends_on_case) && is_translatable(row)
        })
    }

    /// Translates an instruction that has run and led to `then`: in the form for all operands if `must_not_exit`, which there is
    /// then. If this fails, the trace ends in front of the instruction.
    ///
    /// # Safety
    /// The thread is attached. The instruction is in the bytecode of code that the trace runs through. The frame of
    /// `then` is current.
    pub(super) unsafe fn instruction(
        &mut self,
        this: &Running,
        then: Arrival,
        must_not_exit: bool,
    ) -> Result<(), End> {
        let (start, calls, functions) = (self.trace.len(), self.calls, self.functions.len());
        // SAFETY: the contract is the same.
        let mut result = unsafe { self.translate(this, then, must_not_exit) };
        let has_own = self.trace[start..].iter().any(|uop| micro_op::is_own(uop.number()));
        if has_own && !interpreter::RUNS_OWN_MICRO_OPS {
            result = Err(End::Untranslatable);
        }
        match result {
            Ok(()) if then.frame == this.frame && this.row.opcode != opcode::END_FOR => {
                self.last = this.instr
            }
            // SAFETY: the frame is current (caller). Nothing has changed its instruction pointer since.
            Ok(()) => self.last = unsafe { then.frame.instr() },
            Err(_) => {
                self.trace.truncate(start);
                self.functions.truncate(functions);
                self.calls = calls;
            }
        }
        result
    }

    /// [`Translator::instruction`], which may leave the trace half done.
    ///
    /// # Safety
    /// As for [`Translator::instruction`].
    unsafe fn translate(&mut self, this: &Running, then: Arrival, must_not_exit: bool) -> Result<(), End> {
        // SAFETY: the instruction is in live bytecode, and the frame of `then` is current (caller).
        unsafe {
            let row = if must_not_exit { form_for_all(this).ok_or(End::Untranslatable)? } else { this.row };
            // The host's machine code keeps the cached `__getitem__` on the stack, which may have no room for it.
            let lacks_room = cfg!(tier2_jit) && row.opcode == opcode::BINARY_OP_SUBSCR_GETITEM;
            if !is_translatable(row) || lacks_room {
                return Err(End::Untranslatable);
            }
            if then.frame.is_entry() {
                return Err(End::ToC);
            }
            if this.is_far() && then.frame != this.frame && !this.has_come_to(then) {
                // Something else has run on the way.
                return Err(End::Untranslatable);
            }
            if this.is_watched_loop() {
                return Err(End::Instrumented);
            }
            let exits = usize::from(uses(row, ffi::HAS_EXIT_FLAG | ffi::HAS_DEOPT_FLAG));
            let errors = usize::from(uses(row, ffi::HAS_ERROR_FLAG));
            // Two micro-ops for the validity and the instruction pointer; every instruction may need a stub for a deopt.
            // What is not in the row is the guard of a frame, or what the case needs, with their stubs.
            let extra = self.needs_more_than_row(row, this, then);
            let (more_uops, more_stubs) = if extra { (9, 8) } else { (0, 0) };
            self.reserve(row.steps.len() + 2 + more_uops, exits + errors + 1 + more_stubs)?;
            self.push(micro_op::check_validity, 0, 0, this.target);
            // END_FOR runs behind an iteration that has ended, and belongs to it.
            if row.opcode != opcode::END_FOR {
                self.push(micro_op::set_ip, 0, this.instr.as_ptr().addr() as u64, this.target);
            }
            match row.opcode {
                opcode::POP_JUMP_IF_FALSE
                | opcode::POP_JUMP_IF_TRUE
                | opcode::POP_JUMP_IF_NONE
                | opcode::POP_JUMP_IF_NOT_NONE => self.branch(this, then)?,
                opcode::JUMP_BACKWARD | opcode::JUMP_BACKWARD_JIT => {
                    self.push(micro_op::check_periodic, 0, 0, this.target);
                    self.jump_back(then)?;
                }
                // In the same code for the second time, it belongs to a recursion of generators: one trace for each level
                // fits any path through a tree.
                opcode::JUMP_BACKWARD_NO_INTERRUPT => self.jump_back(then)?,
                opcode::JUMP_FORWARD => {}
                opcode::RESUME => self.resume(this)?,
                _ => self.expand(row, this, then, must_not_exit)?,
            }
            self.pass_through(then.code())
        }
    }

    /// Whether the instruction may become more micro-ops than its row has.
    fn needs_more_than_row(&self, row: &Instruction, this: &Running, then: Arrival) -> bool {
        let guards_frame = then.frame != this.frame
            && (self.calls == 0 || is_generator_form(row.opcode) || !is_certain_of_code(row.opcode));
        guards_frame || this.array.is_some() || this.iterator != 0 || row.steps.iter().any(depends_on_case)
    }

    /// Begins or resumes the code of a frame. Ends the trace if the bytecode is older than the events that tools want: a
    /// callback of a tool runs such code as it is, but all other callers must instrument it first, and no guard of the
    /// trace checks that.
    ///
    /// # Safety
    /// The thread is attached, and the code of the instruction is live.
    unsafe fn resume(&mut self, this: &Running) -> Result<(), End> {
        // SAFETY: the thread is attached and the code live (caller).
        let is_current = unsafe {
            version::of_code(this.code) == EvalBreaker::of(ThreadState::current()).load().version()
        };
        if !is_current {
            return Err(End::Instrumented);
        }
        // The machine code of debug hosts asserts that there is nothing but the version.
        #[cfg(all(py_debug, tier2_jit))]
        // SAFETY: the code is live (caller), and the thread is attached to the only interpreter that runs it.
        unsafe {
            version::take_attempts(this.code)
        };
        self.push(micro_op::tier2_resume_check, 0, 0, this.target);
        Ok(())
    }

    /// Appends the micro-ops of an instruction.
    ///
    /// # Safety
    /// `this` is in live bytecode, `row` its form that is to be translated, and the frame of `then` is current.
    unsafe fn expand(
        &mut self,
        row: &'static Instruction,
        this: &Running,
        then: Arrival,
        must_not_exit: bool,
    ) -> Result<(), End> {
        // SAFETY: the cache has the form that the row of the instruction states, and the frame is current.
        unsafe {
            if is_generator_form(row.opcode) {
                let guard = match (row.opcode, this.is_far()) {
                    (opcode::SEND_GEN, false) => micro_op::guard_nos_generator_at,
                    (opcode::SEND_GEN, true) => micro_op::guard_nos_innermost_at,
                    (_, false) => micro_op::guard_tos_generator_at,
                    (_, true) => micro_op::guard_tos_innermost_at,
                };
                self.guard_continuation(guard, this, then)?;
            }
            let mut unit = 0;
            for step in row.steps {
                let cache = &this.cache[unit as usize..];
                unit += step.units();
                let Step::Op { name, number, argument, operands } = *step else { continue };
                if step.is_adaptive() {
                    continue;
                }
                let oparg = match argument {
                    Argument::Whole => this.oparg,
                    Argument::High => this.oparg >> 4,
                    Argument::Low => this.oparg & 15,
                };
                let target = this.target;
                match number {
                    micro_op::return_value | micro_op::return_generator | micro_op::yield_value => {
                        self.return_to(number, oparg, this, then)?;
                    }
                    micro_op::for_iter_gen_frame if this.is_far() => {
                        self.enter_innermost(micro_op::for_iter_innermost, this, then)?;
                        return Ok(());
                    }
                    micro_op::send_gen_frame if this.is_far() => {
                        self.enter_innermost(micro_op::send_innermost, this, then)?;
                        return Ok(());
                    }
                    micro_op::push_frame => self.enter(row, this, then)?,
                    micro_op::call_builtin_class
                    | micro_op::call_builtin_fast_with_keywords
                    | micro_op::call_method_descriptor_o
                    | micro_op::call_tuple_1
                        if then.frame != this.frame =>
                    {
                        return self.enter_consumer(this, then);
                    }
                    // An object is called, no bound method.
                    micro_op::maybe_expand_method | micro_op::check_is_not_py_callable
                        if then.frame != this.frame => {}
                    micro_op::call_non_py_general if then.frame != this.frame => {
                        return self.call_instance(this, then);
                    }
                    micro_op::binary_op | micro_op::store_subscr if then.frame != this.frame => {
                        self.enter_method(number, row, this, then)?;
                    }
                    #[cfg(feature = "jit")]
                    micro_op::call_isinstance
                    | micro_op::call_builtin_o
                    | micro_op::call_builtin_fast
                    | micro_op::call_builtin_fast_with_keywords
                    | micro_op::call_builtin_class
                    | micro_op::call_method_descriptor_fast
                    | micro_op::call_method_descriptor_fast_with_keywords
                    | micro_op::call_method_descriptor_noargs
                    | micro_op::call_method_descriptor_o => {
                        self.push_with(number, oparg, this.known_call, target);
                    }
                    #[cfg(feature = "jit")]
                    micro_op::load_attr => self.push_with(number, oparg, (0, this.attribute), target),
                    // The names are for machine code.
                    #[cfg(feature = "jit")]
                    micro_op::load_attr_with_hint
                    | micro_op::store_attr_with_hint
                    | micro_op::load_super_attr_method => {
                        let shift = match number {
                            micro_op::load_attr_with_hint => 1,
                            micro_op::load_super_attr_method => 2,
                            _ => 0,
                        };
                        let name = this.code.name(this.oparg >> shift).addr() as u64;
                        let (hint, _) = read_operands(operands, cache);
                        self.push_with(number, oparg, (hint, name), target);
                    }
                    micro_op::call_len => self.push(number, oparg, this.has_own_length.into(), target),
                    micro_op::binary_op | micro_op::store_subscr
                        if this.array.is_some() && !must_not_exit =>
                    {
                        if let Some((description, items)) = this.array {
                            let operands = (description as u64, items as u64);
                            self.push_with(micro_op::guard_nos_array, 0, operands, target);
                        }
                        self.push(number, oparg, 0, target);
                    }
                    #[cfg(feature = "jit")]
                    micro_op::compare_op
                    | micro_op::contains_op
                    | micro_op::contains_op_dict
                    | micro_op::contains_op_set
                    | micro_op::to_bool
                    | micro_op::binary_slice
                    | micro_op::format_simple
                    | micro_op::convert_value
                    | micro_op::call_str_1
                    | micro_op::store_subscr
                    | micro_op::store_subscr_dict
                    | micro_op::delete_subscr
                    | micro_op::build_map
                    | micro_op::build_set
                    | micro_op::list_extend
                    | micro_op::unary_negative
                    | micro_op::unary_invert
                    | micro_op::dict_merge
                    | micro_op::dict_update
                    | micro_op::binary_op_subscr_list_slice
                    | micro_op::binary_op_subscr_dict
                    | micro_op::binary_op_add_int
                    | micro_op::binary_op_subtract_int
                    | micro_op::binary_op_multiply_int => {
                        let operands = (this.operands.to_operand(), this.needs_no_code.into());
                        self.push_with(number, oparg, operands, target);
                    }
                    #[cfg(not(feature = "jit"))]
                    micro_op::compare_op => self.push(number, oparg, this.operands.to_operand(), target),
                    micro_op::binary_op => {
                        #[cfg(feature = "jit")]
                        let operands = (this.operands.to_operand(), this.needs_no_code.into());
                        #[cfg(not(feature = "jit"))]
                        let operands = (this.operands.to_operand(), 0);
                        self.push_with(number, oparg, operands, target);
                    }
                    micro_op::save_return_offset => self.push(number, 1 + row.cache_units(), 0, target),
                    micro_op::binary_op_inplace_add_unicode => {
                        // It does the work of the STORE_FAST that follows.
                        let (_, local) = this.next().decode();
                        self.push(number, oparg, local as u64, target);
                    }
                    // The host's code reads no operand of it.
                    micro_op::call_list_append => self.push(number, oparg, 0, target),
                    micro_op::iter_jump_range
                    | micro_op::iter_jump_list
                    | micro_op::iter_jump_tuple
                    | micro_op::for_iter => {
                        if then.instr == this.next() {
                            if this.iterator != 0 && !must_not_exit {
                                self.push(micro_op::guard_tos_iterator, 0, this.iterator, target);
                            }
                            let previous = previous_instr(this.instr, end_of_loop(this));
                            self.push(in_trace(number), oparg, previous, target);
                        } else {
                            if self.purpose == Purpose::Loop && self.calls == 0 {
                                return Err(End::LoopEnded);
                            }
                            self.push(at_end(number), oparg, previous_instr(this.instr, this.next()), target);
                            return Ok(());
                        }
                    }
                    _ if is_in_traces(number) => {
                        let operands = read_operands(operands, cache);
                        self.push_with(in_trace(number), oparg, operands, target);
                    }
                    _ => {
                        self.expand_step(name, this, then)?;
                        if then.frame != this.frame {
                            // What follows in the row is for calls in C.
                            return Ok(());
                        }
                    }
                }
            }
            Ok(())
        }
    }

    /// Appends the micro-ops for a step that only bytecode has: for what it did this time.
    ///
    /// # Safety
    /// As for [`Translator::expand`].
    unsafe fn expand_step(&mut self, step: &str, this: &Running, then: Arrival) -> Result<(), End> {
        let (oparg, target) = (this.oparg, this.target);
        let has_entered = then.frame != this.frame;
        // SAFETY: the frame of `then` is current, and the bytecode is live (caller).
        unsafe {
            match step {
                "reserved" if this.code == consumers::code() => {
                    return self.step_of_consumer(this, then);
                }
                "reserved" => {
                    let is_dropped = Ending::of(this.oparg) == Ending::Dropped;
                    let number =
                        if is_dropped { micro_op::return_store_subscr } else { micro_op::return_operator };
                    return self.return_to(number, oparg, this, then);
                }
                "do_call" if has_entered => return self.call_instance(this, then),
                "do_call_function_ex" if has_entered => {
                    let version = then.function_version().ok_or(End::Untranslatable)?;
                    self.push(micro_op::check_validity, 0, 0, target);
                    self.push(micro_op::check_pep_523, 0, 0, target);
                    self.push(micro_op::check_recursion_remaining, 0, 0, target);
                    self.push(micro_op::check_function_version_ex, oparg, version.get().into(), target);
                    self.push(micro_op::py_frame_ex, oparg, 0, target);
                    self.push(micro_op::save_return_offset, 1, 0, target);
                    return self.enter_frame(1, this, then);
                }
                _ if has_entered => return Err(End::Untranslatable),
                "do_call_function_ex" => {
                    self.push(micro_op::check_is_not_py_callable_ex, oparg, 0, target);
                    self.push(micro_op::call_function_ex_non_py, oparg, 0, target);
                }
                "do_call" => {
                    self.push(micro_op::check_is_not_py_callable, oparg, 0, target);
                    self.push(micro_op::call_non_py_general, oparg, 0, target);
                }
                "do_call_kw" => {
                    self.push(micro_op::check_is_not_py_callable_kw, oparg, 0, target);
                    self.push(micro_op::call_kw_non_py, oparg, 0, target);
                }
                "send" => {
                    self.push(micro_op::guard_nos_not_generator, oparg, 0, target);
                    let (next, end) = (this.next(), this.next().add(oparg as isize));
                    let (number, other) = if then.instr == next {
                        (micro_op::send_yields, end)
                    } else {
                        (micro_op::send_returns, next)
                    };
                    self.push(number, oparg, previous_instr(this.instr, other), target);
                }
                _ => return Err(End::Untranslatable),
            }
        }
        Ok(())
    }
}

/// The form of an instruction that works for all operands. `None` if it does not do the same.
fn form_for_all(this: &Running) -> Option<&'static Instruction> {
    let is_special = uses(this.row, ffi::HAS_EXIT_FLAG | ffi::HAS_DEOPT_FLAG);
    match this.row.family.filter(|_| is_special) {
        None => Some(this.row),
        // The generic form would not do the work of the next instruction.
        Some(_) if this.skips_next() => None,
        Some(generic) => Instruction::of(generic),
    }
}

/// What tells a code object from others that may be at the same address when it is dead. `None` if the host has run out
/// of versions.
///
/// # Safety
/// The code is live.
pub(super) unsafe fn code_version(code: Code) -> Option<u32> {
    // SAFETY: the code is live (caller).
    let version = unsafe { (*code.as_ptr()).co_version };
    (version != 0 || is_trampoline(code)).then_some(version)
}

/// Whether this is code below special methods, or that of a consumer: it has no version, and is never freed or changed.
pub(super) fn is_trampoline(code: Code) -> bool {
    [seams::specialize::init_cleanup(), trampolines::code(), consumers::code()].contains(&code)
}

/// The instruction behind the loop of the FOR_ITER `this`, where an exhausted iterator is dropped.
///
/// # Safety
/// `this` is a FOR_ITER in live bytecode.
unsafe fn end_of_loop(this: &Running) -> CodeUnit {
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
