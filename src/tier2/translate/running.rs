//! An instruction that is being recorded: what it was before it ran, and where the program is after it.

use super::forms::is_certain_of_code;
use crate::bytecode::metadata::Instruction;
use crate::bytecode::opcode;
use crate::host::array::{self, Items};
#[cfg(feature = "jit")]
use crate::host::changes;
#[cfg(feature = "jit")]
use crate::host::dict::Dict;
#[cfg(feature = "jit")]
use crate::host::dict_lookup::Lookup;
use crate::host::function::Function;
use crate::host::generator::Generator;
#[cfg(feature = "jit")]
use crate::host::iterators::KnownIterator;
#[cfg(feature = "jit")]
use crate::host::object::is_exact;
use crate::host::object::length_without_code;
#[cfg(feature = "jit")]
use crate::host::plain_text::has_plain_text;
#[cfg(feature = "jit")]
use crate::host::without_code;
use crate::host::{Code, CodeUnit, Frame, FunctionVersion, StackRef, ThreadState, TypeVersion, ffi};
use crate::instrument::opcodes::is_instrumented;
use crate::ops::consumers::{self, Step};
use crate::ops::delegation;
#[cfg(feature = "jit")]
use crate::ops::subscripts::borrowed_item;
use crate::tier2::executor::OwnedExecutor;
use crate::tier2::install;
#[cfg(feature = "jit")]
use crate::tier2::known_attribute::KnownAttribute;
#[cfg(feature = "jit")]
use crate::tier2::known_call::KnownCall;
use crate::tier2::uop::OperandKinds;

/// The most code units of an inline cache.
const MAX_CACHE: usize = 9;

/// An instruction that runs, as it was before.
pub(crate) struct Running {
    /// The instruction whose body has run last.
    pub(super) row: &'static Instruction,
    /// Its first code unit: that of its EXTENDED_ARG if it has one.
    pub(super) start: CodeUnit,
    /// Where its opcode is.
    pub(super) instr: CodeUnit,
    pub(super) oparg: usize,
    /// The offset of `start` in the bytecode.
    pub(super) target: u32,
    /// The frame that runs it. It may be gone when the instruction is done.
    pub(super) frame: Frame,
    /// The code of that frame.
    pub(super) code: Code,
    /// The executor that has taken the place of the unit at `start`.
    executor: Option<OwnedExecutor>,
    /// Its inline cache.
    pub(super) cache: [u16; MAX_CACHE],
    /// The version of the type of what a CALL calls.
    pub(super) callable: Option<TypeVersion>,
    /// What the operands of a BINARY_OP or COMPARE_OP are.
    pub(super) operands: OperandKinds,
    /// What machine code knows of what a CALL calls: the operands of its micro-op.
    #[cfg(feature = "jit")]
    pub(super) known_call: (u64, u64),
    /// The answer of an operator was found without Python code.
    #[cfg(feature = "jit")]
    pub(super) needs_no_code: bool,
    /// The name and the kind of the attribute of a LOAD_ATTR, if it is found without Python code: an operand of its micro-op.
    #[cfg(feature = "jit")]
    pub(super) attribute: u64,
    /// What the iterator of a FOR_ITER is, if it is a known one of the host, as the operand of its guard.
    pub(super) iterator: u64,
    /// The last argument of a CALL has a length that Python code computes.
    pub(super) has_own_length: bool,
    /// What a BINARY_OP or STORE_SUBSCR looks into, if that is an array: the description of its items, and what they are.
    pub(super) array: Option<(usize, Items)>,
    /// Where the program goes through generators that only pass something on.
    far: Option<Frame>,
}

impl Running {
    /// The instruction at `start`, in the bytecode of `frame`. `None` if it has no row.
    ///
    /// # Safety
    /// The frame is live and executes code, and an instruction begins at `start` in its bytecode, with its EXTENDED_ARG.
    pub(crate) unsafe fn at(frame: Frame, start: CodeUnit) -> Option<Running> {
        // SAFETY: the frame keeps its code alive, and `start` is in the bytecode.
        unsafe {
            let (opcode, oparg) = start.decode();
            let target = start.offset_from(frame.bytecode()) as u32;
            let row = Instruction::of(opcode)?;
            let executor = if opcode == opcode::ENTER_EXECUTOR {
                Some(install::at(frame.code(), target as usize)?.new_ref())
            } else {
                None
            };
            let mut running = Running {
                row,
                start,
                instr: start,
                oparg,
                target,
                frame,
                code: frame.code(),
                executor,
                cache: [0; MAX_CACHE],
                callable: None,
                operands: OperandKinds::default(),
                #[cfg(feature = "jit")]
                known_call: (0, 0),
                #[cfg(feature = "jit")]
                needs_no_code: false,
                #[cfg(feature = "jit")]
                attribute: 0,
                iterator: 0,
                has_own_length: false,
                array: None,
                far: None,
            };
            running.becomes(row, start, oparg);
            Some(running)
        }
    }

    /// The body of `row` runs for the instruction, whose opcode is at `instr`.
    ///
    /// # Safety
    /// `instr` is this instruction, or behind its EXTENDED_ARG, in live bytecode.
    pub(crate) unsafe fn becomes(&mut self, row: &'static Instruction, instr: CodeUnit, oparg: usize) {
        (self.row, self.instr, self.oparg) = (row, instr, oparg);
        for (index, unit) in self.cache.iter_mut().enumerate().take(row.cache_units()) {
            // SAFETY: the instruction is followed by a cache of that length (caller).
            *unit = unsafe { instr.add(1 + index as isize).word() };
        }
    }

    /// Notes what a CALL is about to call, and what operators are about to work on.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set. The instruction is about to run, and `sp` is the stack pointer of its frame.
    pub(crate) unsafe fn note_inputs(&mut self, sp: *mut StackRef) {
        // SAFETY: the inputs are on the stack (caller): two operands; a callable below a slot for `self` and the arguments.
        unsafe {
            match self.row.family.unwrap_or(self.row.opcode) {
                opcode::CALL => {
                    let callable = *sp.sub(self.oparg + 2);
                    self.callable = TypeVersion::new((*callable.type_()).tp_version_tag);
                    #[cfg(feature = "jit")]
                    {
                        self.known_call = KnownCall::note(sp, self.oparg);
                    }
                    let argument = *sp.sub(1);
                    self.has_own_length =
                        !argument.is_null() && length_without_code(argument.object()).is_none();
                }
                #[cfg(feature = "jit")]
                opcode::LOAD_ATTR => {
                    let name = self.code.name(self.oparg >> 1);
                    self.attribute = KnownAttribute::note((*sp.sub(1)).object(), name, self.oparg & 1 != 0);
                }
                #[cfg(feature = "jit")]
                opcode::FOR_ITER => self.note_iterator(sp),
                opcode::STORE_SUBSCR => self.note_array(sp),
                opcode::RESERVED if self.code == consumers::code() && Step::of(self.oparg) == Step::Add => {
                    self.operands = OperandKinds::of((*sp.sub(3)).object(), (*sp.sub(1)).object());
                }
                opcode::UNARY_NEGATIVE | opcode::UNARY_INVERT => {
                    let operand = (*sp.sub(1)).object();
                    self.operands = OperandKinds::of(operand, operand);
                }
                opcode::BINARY_OP | opcode::COMPARE_OP => {
                    if self.row.family.unwrap_or(self.row.opcode) == opcode::BINARY_OP
                        && self.oparg == ffi::NB_SUBSCR as usize
                    {
                        self.note_array(sp);
                    }
                    self.operands = OperandKinds::of((*sp.sub(2)).object(), (*sp.sub(1)).object());
                }
                _ => {}
            }
            #[cfg(feature = "jit")]
            {
                self.needs_no_code = self.is_without_code(sp);
            }
        }
    }

    /// Whether what the instruction is about to find out needs no Python code.
    ///
    /// # Safety
    /// As for [`Running::note_inputs`].
    #[cfg(feature = "jit")]
    unsafe fn is_without_code(&self, sp: *mut StackRef) -> bool {
        // SAFETY: the operands are on the stack (caller).
        unsafe {
            let object = |depth: usize| (*sp.sub(depth)).object();
            match self.row.family.unwrap_or(self.row.opcode) {
                opcode::CONTAINS_OP => without_code::contains(object(1), object(2)).is_some(),
                opcode::TO_BOOL => without_code::truth(object(1)).is_some(),
                opcode::COMPARE_OP => without_code::are_equal(object(2), object(1)).is_some(),
                opcode::BINARY_SLICE => without_code::can_slice(object(3), object(2), object(1)),
                opcode::FORMAT_SIMPLE | opcode::CONVERT_VALUE => has_plain_text(object(1)),
                opcode::CALL if self.row.opcode == opcode::CALL_STR_1 => has_plain_text(object(1)),
                opcode::STORE_SUBSCR => changes::can_store(object(2), object(1)),
                opcode::DELETE_SUBSCR => changes::can_delete(object(2), object(1)),
                opcode::BUILD_MAP => (0..self.oparg).all(|pair| changes::is_plain_key(object(2 * pair + 2))),
                opcode::BUILD_SET => (1..=self.oparg).all(|depth| changes::is_plain_key(object(depth))),
                opcode::LIST_EXTEND => changes::has_plain_items(object(1)),
                opcode::DICT_MERGE | opcode::DICT_UPDATE => {
                    changes::can_fill(object(1 + self.oparg), object(1))
                }
                opcode::BINARY_OP if self.oparg == ffi::NB_ADD as usize => {
                    without_code::can_concatenate(object(2), object(1))
                }
                opcode::BINARY_OP
                    if self.oparg == ffi::NB_SUBSCR as usize
                        && is_exact(object(1), &raw mut ffi::PySlice_Type) =>
                {
                    without_code::has_plain_limits(object(1))
                }
                opcode::BINARY_OP if self.oparg == ffi::NB_SUBSCR as usize => match Dict::cast(object(2)) {
                    Some(dict) => matches!(without_code::find(dict, object(1)), Lookup::Found(_)),
                    None => borrowed_item(object(2), object(1)).is_some(),
                },
                _ => false,
            }
        }
    }

    /// Notes what the topmost value is, if it is a known iterator of the host.
    ///
    /// # Safety
    /// As for [`Running::note_inputs`].
    #[cfg(feature = "jit")]
    unsafe fn note_iterator(&mut self, sp: *mut StackRef) {
        // SAFETY: the iterator is on the stack (caller). The frame is published while iterators are made to compare with, and as it
        // was after that.
        unsafe {
            let published = (*self.frame.as_ptr()).stackpointer;
            self.frame.set_stack_pointer(sp);
            let known = KnownIterator::of((*sp.sub(1)).object());
            self.iterator = known.map_or(0, KnownIterator::to_operand);
            (*self.frame.as_ptr()).stackpointer = published;
        }
    }

    /// Notes whether the container below the topmost value is an array.
    ///
    /// # Safety
    /// As for [`Running::note_inputs`].
    unsafe fn note_array(&mut self, sp: *mut StackRef) {
        // SAFETY: the container is on the stack (caller). The frame is published while an array is made to compare with, and as it
        // was after that.
        unsafe {
            let published = (*self.frame.as_ptr()).stackpointer;
            self.frame.set_stack_pointer(sp);
            self.array = array::items_of((*sp.sub(2)).object());
            (*self.frame.as_ptr()).stackpointer = published;
        }
    }

    /// Notes where the instruction is about to lead to, if that is through generators that only pass something on: inwards, to
    /// those that they wait for, or, if `may_go_out`, outwards.
    ///
    /// # Safety
    /// As for [`Running::note_inputs`]. The thread is attached.
    pub(crate) unsafe fn note_way(&mut self, sp: *mut StackRef, may_go_out: bool) {
        // SAFETY: the operands are on the stack (caller). A frame with a YIELD_VALUE is that of a generator that runs.
        unsafe {
            let from = match self.row.family.unwrap_or(self.row.opcode) {
                opcode::FOR_ITER => *sp.sub(1),
                opcode::SEND => *sp.sub(2),
                opcode::YIELD_VALUE if may_go_out => {
                    let receiver = delegation::receiver(self.frame);
                    self.far = (receiver != self.frame.caller()).then_some(receiver);
                    return;
                }
                _ => return,
            };
            let generator = Generator::exact_or_coroutine(from.object());
            if let Some(generator) = generator.filter(|generator| generator.is_suspended()) {
                let innermost = delegation::innermost(ThreadState::current(), generator);
                self.far = (innermost != generator).then_some(innermost.frame());
            }
        }
    }

    /// Whether the instruction has led through several generators.
    pub(super) fn is_far(&self) -> bool {
        self.far.is_some()
    }

    /// Whether the program is on the way through generators that only pass something on.
    ///
    /// # Safety
    /// The frame of `then` is current.
    pub(crate) unsafe fn is_on_its_way(&self, then: Arrival) -> bool {
        let Some(far) = self.far else { return false };
        let steps: &[u8] = if self.row.opcode == opcode::YIELD_VALUE {
            &[opcode::YIELD_VALUE]
        } else {
            &[opcode::RESUME_CHECK, opcode::JUMP_BACKWARD_NO_INTERRUPT, opcode::SEND_GEN]
        };
        // SAFETY: the instruction is in the bytecode of the current frame (caller).
        then.frame != self.frame && then.frame != far && steps.contains(&unsafe { then.instr.opcode() })
    }

    /// Whether the program is where it was expected to be behind generators that only pass something on.
    pub(super) fn has_come_to(&self, then: Arrival) -> bool {
        self.far == Some(then.frame)
    }

    /// Whether this form of the instruction does the work of the next one, too.
    pub(crate) fn skips_next(&self) -> bool {
        matches!(self.row.opcode, opcode::BINARY_OP_INPLACE_ADD_UNICODE | opcode::CALL_LIST_APPEND)
    }

    /// The STORE_FAST behind this instruction, if the two have run as one in tier 1. Numbers that are changed in place do
    /// that.
    ///
    /// # Safety
    /// The instruction is in live bytecode.
    pub(crate) unsafe fn fused_store(&self, then: Arrival) -> Option<Running> {
        let may_fuse =
            matches!(self.row.family, Some(opcode::FOR_ITER | opcode::BINARY_OP)) && !self.skips_next();
        // SAFETY: another instruction follows in the same bytecode (caller), and the frame is still there if it has not
        // changed.
        unsafe {
            let next = self.next();
            let is_fused = may_fuse
                && then.frame == self.frame
                && next.opcode() == opcode::STORE_FAST
                && then.instr == next.add(1);
            if is_fused { Running::at(self.frame, next) } else { None }
        }
    }

    /// Whether this is the FOR_ITER of a loop whose STOP_ITERATION a tool watches. Only the specialized form reports it,
    /// so tier 1's own counter decides when to specialize.
    ///
    /// # Safety
    /// The instruction is in live bytecode.
    pub(crate) unsafe fn is_watched_loop(&self) -> bool {
        // SAFETY: END_FOR is in the same bytecode (caller).
        let is_watched = || unsafe { is_instrumented(self.next().add(self.oparg as isize).opcode()) };
        let is_loop = self.row.opcode == opcode::FOR_ITER || self.row.family == Some(opcode::FOR_ITER);
        is_loop && is_watched()
    }

    /// Opcode and argument of the first unit, if an executor has taken its place.
    pub(crate) fn replaced(&self) -> Option<(u8, u8)> {
        // SAFETY: the reference keeps the executor alive.
        self.executor.as_ref().map(|executor| unsafe { executor.executor().replaced() })
    }

    /// The executor that has taken the place of the first unit.
    pub(crate) fn into_executor(self) -> Option<OwnedExecutor> {
        self.executor
    }

    /// Whether an executor has taken the place of the jump that closes a loop.
    ///
    /// # Safety
    /// The instruction is in live bytecode.
    pub(crate) unsafe fn is_replaced_jump_back(&self) -> bool {
        // SAFETY: an EXTENDED_ARG is followed by another unit.
        self.replaced().is_some_and(|(opcode, _)| unsafe {
            let opcode = if opcode == opcode::EXTENDED_ARG { self.start.add(1).opcode() } else { opcode };
            opcode == opcode::JUMP_BACKWARD_JIT
        })
    }

    /// If tier 1 has run the generic form of a call though the bytecode has a specialized one for this function: that
    /// form. There was no room for the frame in the current chunk of the stack. Returns whether it is so.
    ///
    /// # Safety
    /// The instruction is in live bytecode. The frame of `then` is current, and the thread attached.
    pub(crate) unsafe fn specialize_call(&mut self, then: Arrival) -> bool {
        if then.frame == self.frame || !matches!(self.row.opcode, opcode::CALL | opcode::CALL_KW) {
            return false;
        }
        // SAFETY: the bytecode is live, and the frame current (caller).
        unsafe {
            let generic = self.row;
            let Some(row) = Instruction::of(self.instr.opcode()) else { return false };
            if row.family != Some(generic.opcode) || !is_certain_of_code(row.opcode) {
                return false;
            }
            self.becomes(row, self.instr, self.oparg);
            let version = u32::from(self.cache[1]) | u32::from(self.cache[2]) << 16;
            let is_of_function = then.function_version().map(FunctionVersion::get) == Some(version);
            if !is_of_function {
                self.row = generic;
            }
            is_of_function
        }
    }

    /// The form of the instruction that has run.
    pub(crate) fn row(&self) -> &'static Instruction {
        self.row
    }

    /// Its argument.
    #[cfg(feature = "jit")]
    pub(crate) fn oparg(&self) -> usize {
        self.oparg
    }

    /// The code object that it is in.
    #[cfg(feature = "jit")]
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// Whether an executor has taken the place of the RESUME with which a function begins.
    pub(crate) fn is_replaced_resume(&self) -> bool {
        self.replaced().is_some_and(|(opcode, _)| matches!(opcode, opcode::RESUME | opcode::RESUME_CHECK))
    }

    /// Whether the instruction did nothing yet, and runs again. RESUME does, when it instruments its code.
    pub(crate) fn runs_again(&self, then: Arrival) -> bool {
        self.row.opcode == opcode::RESUME && then.frame == self.frame && then.instr == self.start
    }

    /// Where its opcode is.
    pub(crate) fn instr(&self) -> CodeUnit {
        self.instr
    }

    /// The first code unit of the instruction.
    pub(crate) fn start(&self) -> CodeUnit {
        self.start
    }

    /// The offset of the instruction in its bytecode.
    pub(crate) fn target(&self) -> u32 {
        self.target
    }

    /// The instruction behind this one.
    ///
    /// # Safety
    /// The bytecode is live.
    pub(super) unsafe fn next(&self) -> CodeUnit {
        // SAFETY: every instruction is followed by another one, behind its cache.
        unsafe { self.instr.add(1 + self.row.cache_units() as isize) }
    }
}

/// Where the program is after an instruction.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) frame: Frame,
    pub(crate) sp: *mut StackRef,
    pub(crate) instr: CodeUnit,
}

impl Arrival {
    /// # Safety
    /// The frame is live and executes code.
    pub(super) unsafe fn code(self) -> Code {
        // SAFETY: the frame executes code (caller).
        unsafe { self.frame.code() }
    }

    /// The number of values on the frame's stack.
    ///
    /// # Safety
    /// The frame is live and executes code.
    pub(crate) unsafe fn stack_entries(self) -> usize {
        // SAFETY: the stack pointer is in the frame's stack.
        unsafe { self.sp.offset_from(self.frame.stack_base()) as usize }
    }

    /// The version of the frame's function, if it has one.
    ///
    /// # Safety
    /// The frame is live and executes code. The thread is attached.
    pub(super) unsafe fn function_version(self) -> Option<FunctionVersion> {
        // SAFETY: the contract is the same, and the function is live.
        unsafe { self.function()?.current_version() }
    }

    /// The version of the frame's function, if that leads to one with the same globals. All functions that a `def` has made
    /// have the same version, and it leads to the latest one.
    ///
    /// # Safety
    /// As for [`Arrival::function_version`].
    pub(crate) unsafe fn version_of_namespace(self) -> Option<FunctionVersion> {
        // SAFETY: the contract is the same. Both functions are live.
        unsafe {
            let function = self.function()?;
            let version = function.current_version()?;
            let (latest, _) = Function::of_version(version);
            latest.is_some_and(|latest| latest.globals() == function.globals()).then_some(version)
        }
    }

    /// The function of the frame. Trampolines have an object that is none.
    ///
    /// # Safety
    /// The frame is live.
    pub(super) unsafe fn function(self) -> Option<Function> {
        // SAFETY: the function of a frame is a live object or null.
        unsafe {
            let function = self.frame.function();
            Function::cast((!function.is_null()).then_some(function.cast())?)
        }
    }
}
