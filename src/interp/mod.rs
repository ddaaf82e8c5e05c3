//! The tier-1 interpreter: one handler for each opcode, entry from C, unwinding after exceptions, namespaces of
//! frames, settings of threads.
//!
//! Together with `crate::ops` (the instruction bodies) and `crate::calls` (frames, arguments, recursion) it
//! stands for the host's `ceval.o`. Called by `exports`.

pub(crate) mod entry;
pub(crate) mod eval;
mod instructions;
pub(crate) mod namespaces;
pub(crate) mod settings;
pub(crate) mod unwind;

#[cfg(any(py_tier2, not(feature = "tail-call")))]
mod match_loop;
#[cfg(not(feature = "tail-call"))]
mod plain;
#[cfg(py_tier2)]
mod recording;
#[cfg(feature = "tail-call")]
mod tail;

#[cfg(not(feature = "tail-call"))]
pub(crate) use plain::interpret;
#[cfg(feature = "tail-call")]
pub(crate) use tail::interpret;

#[cfg(py_tier2)]
use core::ptr::NonNull;

#[cfg(not(py_gil_disabled))]
use crate::bytecode::BackoffCounter;
#[cfg(py_tier2)]
use crate::engine::Continuation;
use crate::engine::{BytecodeEngine, Engine, StoreFast};
use crate::host::{CodeUnit, Frame, StackRef, ThreadState};
#[cfg(py_tier2)]
use crate::host::{ffi, refcount};
#[cfg(py_tier2)]
use crate::tier2::{interpreter, record};

/// The state of tier 1 while it executes one instruction. It stays in machine registers, because every function
/// that borrows it is inlined.
pub(crate) struct Tier1 {
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    this: CodeUnit,
    /// The frame's instruction pointer before this instruction; line events need it.
    previous: CodeUnit,
    next: CodeUnit,
    oparg: usize,
    /// The length of the instruction in code units.
    units: usize,
    /// The frame that a micro-op has created, for the later micro-op that enters it.
    new_frame: Option<Frame>,
    #[cfg(py_debug)]
    start: Start,
}

/// The state at the start of an instruction, for the checks of debug hosts.
#[cfg(py_debug)]
#[derive(Clone, Copy)]
struct Start {
    frame: Frame,
    sp: *mut StackRef,
    next: CodeUnit,
}

impl Tier1 {
    /// Begins the instruction at `this`, which is `units` code units long. Stores the instruction pointer in
    /// the frame, whose stored stack pointer is out of date from now on.
    ///
    /// # Safety
    /// `tstate` is the attached thread's, and `frame` is its current frame. `this` is in the frame's bytecode,
    /// `oparg` is its argument. `sp` is the frame's stack pointer, and the stack is as the instruction expects
    /// it.
    #[inline(always)]
    pub(crate) unsafe fn begin(
        frame: Frame,
        sp: *mut StackRef,
        tstate: ThreadState,
        this: CodeUnit,
        oparg: usize,
        units: usize,
    ) -> Tier1 {
        // SAFETY: `frame` is live, and `this` is in its bytecode, which has `units` units from there on
        // (caller).
        unsafe {
            let previous = frame.instr();
            frame.set_instr(this);
            #[cfg(py_debug)]
            frame.set_stack_pointer(core::ptr::null_mut());
            let next = this.add(units as isize);
            Tier1 {
                frame,
                sp,
                tstate,
                this,
                previous,
                next,
                oparg,
                units,
                new_frame: None,
                #[cfg(py_debug)]
                start: Start { frame, sp, next },
            }
        }
    }

    /// On debug hosts, checks that an instruction which continues with the next one has moved the stack pointer
    /// as the host's compiler expects, and that the stack is within its bounds.
    ///
    /// # Safety
    /// This engine has just executed `opcode`.
    #[inline(always)]
    unsafe fn check_stack(&self, opcode: u8) {
        #[cfg(not(py_debug))]
        let _ = opcode;
        #[cfg(py_debug)]
        // SAFETY: the frame is the thread's current one, so frame and code are live.
        unsafe {
            // An executor may leave behind its first instruction, with the stack of that one. The compiler does not know what the
            // RESERVED of the library's own code does.
            let differs = [crate::bytecode::opcode::ENTER_EXECUTOR, crate::bytecode::opcode::RESERVED];
            let may_differ = self.frame.is_entry() || differs.contains(&opcode);
            if may_differ || self.frame != self.start.frame || self.next != self.start.next {
                return;
            }
            let generic = crate::host::ffi::_PyOpcode_Deopt[opcode as usize];
            let effect =
                crate::host::ffi::PyCompile_OpcodeStackEffectWithJump(generic.into(), self.oparg as _, 0);
            let moved = self.sp.offset_from(self.start.sp);
            let depth = self.sp.offset_from(self.frame.stack_base());
            let limit = (*self.code().as_ptr()).co_stacksize as isize;
            let unknown = effect == core::ffi::c_int::MAX;
            assert!(
                unknown || moved == effect as isize,
                "opcode {opcode}: moved the stack by {moved}, not {effect}"
            );
            assert!((0..=limit).contains(&depth), "opcode {opcode}: stack depth {depth} of {limit}");
        }
    }
}

// SAFETY: `Tier1::begin` requires what the trait states, and instructions preserve it.
unsafe impl Engine for Tier1 {
    type NextStore = StoreFast;
    #[cfg(not(py_gil_disabled))]
    const ENTERS_METHODS: bool = true;

    #[inline(always)]
    fn frame(&self) -> Frame {
        self.frame
    }
    #[inline(always)]
    fn tstate(&self) -> ThreadState {
        self.tstate
    }
    #[inline(always)]
    fn oparg(&self) -> usize {
        self.oparg
    }
    #[inline(always)]
    fn return_offset(&self) -> usize {
        self.units
    }
    #[inline(always)]
    fn sp(&self) -> *mut StackRef {
        self.sp
    }
    #[inline(always)]
    unsafe fn set_sp(&mut self, sp: *mut StackRef) {
        self.sp = sp;
    }
    #[inline(always)]
    unsafe fn switch_frame(&mut self, frame: Frame, next: CodeUnit) {
        self.frame = frame;
        // SAFETY: the frame is live and published (caller).
        self.sp = unsafe { frame.stack_pointer() };
        self.next = next;
    }
    #[inline(always)]
    fn give_frame(&mut self, frame: Frame) {
        self.new_frame = Some(frame);
    }
    #[inline(always)]
    fn take_frame(&mut self) -> Option<Frame> {
        self.new_frame
    }
    #[inline(always)]
    fn next_store(&self) -> Option<StoreFast> {
        self.read_next_store()
    }
    #[cfg(not(py_gil_disabled))]
    #[inline(always)]
    unsafe fn is_warm(&self) -> bool {
        // SAFETY: the instruction has a counter (caller).
        unsafe { !BackoffCounter::load_at(self.this).is_new() }
    }
    #[inline(always)]
    unsafe fn following_store(&self) -> usize {
        // SAFETY: a STORE_FAST follows (caller).
        unsafe { self.next.decode().1 }
    }
    #[inline(always)]
    unsafe fn skip_next(&mut self) {
        // SAFETY: an instruction without a cache follows (caller), so `next` stays in the bytecode.
        self.next = unsafe { self.next.add(1) };
    }
    #[inline(always)]
    unsafe fn stay_at_previous_instr(&mut self) {
        // SAFETY: `previous` was this frame's instruction pointer before this instruction.
        unsafe { self.frame.set_instr(self.previous) }
    }
}

// SAFETY: as for `Engine`.
unsafe impl BytecodeEngine for Tier1 {
    #[inline(always)]
    fn this_instr(&self) -> CodeUnit {
        self.this
    }
    #[inline(always)]
    fn set_oparg(&mut self, oparg: usize) {
        self.oparg = oparg;
    }
    #[inline(always)]
    fn previous_instr(&self) -> CodeUnit {
        self.previous
    }
    #[inline(always)]
    fn next(&self) -> CodeUnit {
        self.next
    }
    #[inline(always)]
    unsafe fn set_next(&mut self, instr: CodeUnit) {
        self.next = instr;
    }
    #[cfg(py_tier2)]
    #[inline(always)]
    unsafe fn run_executor(&self, executor: NonNull<ffi::_PyExecutorObject>) -> Option<Continuation> {
        // SAFETY: the executor is valid and begins at an instruction of the frame (caller).
        unsafe { run_executor(self.frame, self.sp, self.tstate, executor) }
    }
    #[cfg(py_tier2)]
    #[inline(always)]
    fn wants_recording(&self) -> bool {
        record::is_wanted()
    }
}

/// The machine code of an executor (`jit_func`).
#[cfg(tier2_jit)]
type MachineCode =
    unsafe extern "C" fn(*mut ffi::_PyInterpreterFrame, *mut StackRef, ThreadState) -> *mut ffi::_Py_CODEUNIT;

/// Runs an executor: [`BytecodeEngine::run_executor`].
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is its current frame and `sp` its stack pointer.
/// Otherwise as for [`BytecodeEngine::run_executor`].
#[cfg(py_tier2)]
#[inline(never)]
unsafe fn run_executor(
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    executor: NonNull<ffi::_PyExecutorObject>,
) -> Option<Continuation> {
    // SAFETY: the executor is valid (caller), and stays alive because of the reference.
    unsafe {
        refcount::incref(executor.as_ptr().cast());
        #[cfg(tier2_jit)]
        let next = run_machine_code(frame, sp, tstate, executor);
        #[cfg(not(tier2_jit))]
        let next = interpreter::run(frame, sp, tstate, executor);
        refcount::decref(executor.as_ptr().cast());
        #[cfg(feature = "jit")]
        crate::jit::compile_wanted();
        next
    }
}

/// Runs the machine code of an executor, or its micro-ops if it has none.
///
/// # Safety
/// As for [`run_executor`]. The caller owns a reference to the executor.
#[cfg(tier2_jit)]
unsafe fn run_machine_code(
    frame: Frame,
    sp: *mut StackRef,
    tstate: ThreadState,
    executor: NonNull<ffi::_PyExecutorObject>,
) -> Option<Continuation> {
    // SAFETY: the executor is valid, so its field is null or holds code of that type (caller). The code expects
    // to be that of the thread's current executor, and, on debug hosts, that only it publishes the frame.
    unsafe {
        let code = (*executor.as_ptr()).jit_code;
        if code.is_null() {
            return interpreter::run(frame, sp, tstate, executor);
        }
        (*tstate.as_ptr()).current_executor = executor.as_ptr().cast();
        #[cfg(py_debug)]
        frame.set_stack_pointer(core::ptr::null_mut());
        let code: MachineCode = core::mem::transmute(code);
        let next = code(frame.as_ptr(), sp, tstate);
        (!next.is_null()).then(|| Continuation::At(CodeUnit::from_ptr(next)))
    }
}
