//! The state of the micro-op interpreter.

use core::convert::Infallible;

use crate::engine::Engine;
use crate::host::versions::ShortKeysVersion;
use crate::host::{
    CodeUnit, Frame, FunctionVersion, KeysVersion, PyObject, StackRef, ThreadState, TypeVersion,
};
use crate::tier2::Uop;
#[cfg(feature = "jit")]
use crate::tier2::compiled::Machine;

/// The state of the interpreter while it runs one micro-op. It stays in machine registers.
pub(super) struct Tier2 {
    pub(super) frame: Frame,
    pub(super) sp: *mut StackRef,
    pub(super) tstate: ThreadState,
    pub(super) uop: *const Uop,
    /// The frame that this micro-op has created. It is passed on in the free stack slot at `sp`.
    new_frame: Option<Frame>,
}

impl Tier2 {
    /// Begins a micro-op.
    ///
    /// # Safety
    /// As for a [`Handler`](super::Handler).
    #[inline(always)]
    pub(super) unsafe fn begin(
        frame: Frame,
        sp: *mut StackRef,
        tstate: ThreadState,
        uop: *const Uop,
    ) -> Tier2 {
        #[cfg(py_debug)]
        // SAFETY: the frame is live (caller). Its stored stack pointer is out of date from now on.
        unsafe {
            frame.set_stack_pointer(core::ptr::null_mut());
        }
        Tier2 { frame, sp, tstate, uop, new_frame: None }
    }

    /// Ends a micro-op that continues with the next one. Returns that.
    ///
    /// # Safety
    /// The micro-op has just succeeded.
    #[inline(always)]
    pub(super) unsafe fn end(&self) -> *const Uop {
        // SAFETY: another micro-op follows, since a trace ends with one that never continues.
        unsafe {
            self.check_stack();
            self.pass_frame();
            self.uop.add(1)
        }
    }

    /// Ends a micro-op that machine code has called.
    ///
    /// # Safety
    /// The micro-op has just succeeded.
    #[cfg(feature = "jit")]
    #[inline(always)]
    pub(super) unsafe fn end_call(&self, machine: &Machine) {
        // SAFETY: the frame is live.
        unsafe {
            if !machine.is_operand(self.sp) {
                self.check_stack();
            }
            self.pass_frame();
        }
    }

    /// Passes the frame on that this micro-op has created, if it has.
    ///
    /// # Safety
    /// The micro-op has just succeeded.
    #[inline(always)]
    unsafe fn pass_frame(&self) {
        if let Some(frame) = self.new_frame {
            // SAFETY: a micro-op that creates a frame has taken the operands of a call from the stack, or the instruction
            // will push its result, so that the slot at `sp` is free.
            unsafe { *self.sp.cast::<Frame>() = frame };
        }
    }

    /// On debug hosts, checks that the stack is within its bounds.
    ///
    /// # Safety
    /// The engine's frame is live.
    #[inline(always)]
    unsafe fn check_stack(&self) {
        #[cfg(py_debug)]
        // SAFETY: the frame and its code are live (caller).
        unsafe {
            let depth = self.sp.offset_from(self.frame.stack_base());
            let limit = (*self.code().as_ptr()).co_stacksize as isize;
            let number = (*self.uop).number();
            assert!((0..=limit).contains(&depth), "micro-op {number}: stack depth {depth} of {limit}");
        }
    }
}

// SAFETY: `super::Handler` requires what the trait states, and micro-ops preserve it.
unsafe impl Engine for Tier2 {
    type NextStore = Infallible;

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
        // SAFETY: the micro-op is in a live trace.
        unsafe { (*self.uop).oparg.into() }
    }
    #[inline(always)]
    fn return_offset(&self) -> usize {
        self.oparg()
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
    unsafe fn switch_frame(&mut self, frame: Frame, _next: CodeUnit) {
        self.frame = frame;
        // SAFETY: the frame is live and published (caller).
        self.sp = unsafe { frame.stack_pointer() };
    }
    #[inline(always)]
    fn give_frame(&mut self, frame: Frame) {
        self.new_frame = Some(frame);
    }
    #[inline(always)]
    fn take_frame(&mut self) -> Option<Frame> {
        // SAFETY: an earlier micro-op of the instruction has created a frame (contract of `take_frame`), and `end` has
        // stored it there.
        unsafe { Some(*self.sp.cast::<Frame>()) }
    }
    #[inline(always)]
    unsafe fn following_store(&self) -> usize {
        // SAFETY: the micro-op is in a live trace.
        unsafe { (*self.uop).operand0 as usize }
    }
    #[inline(always)]
    unsafe fn skip_next(&mut self) {}
    #[inline(always)]
    unsafe fn stay_at_previous_instr(&mut self) {}
}

/// The operands of a micro-op, from the fields of a [`Uop`].
pub(super) trait UopOperands {
    /// # Safety
    /// The fields of the micro-op hold operands of these types.
    unsafe fn of(uop: &Uop) -> Self;
}

impl<A: Operand> UopOperands for A {
    #[inline(always)]
    unsafe fn of(uop: &Uop) -> A {
        // SAFETY: the first field holds such an operand (caller).
        unsafe { A::from_bits(uop.operand0) }
    }
}

impl<A: Operand, B: Operand> UopOperands for (A, B) {
    #[inline(always)]
    unsafe fn of(uop: &Uop) -> (A, B) {
        // SAFETY: both fields hold such operands (caller).
        unsafe { (A::from_bits(uop.operand0), B::from_bits(uop.operand1)) }
    }
}

/// One operand, from 64 bits.
pub(super) trait Operand {
    /// # Safety
    /// The bits are those of such an operand.
    unsafe fn from_bits(bits: u64) -> Self;
}

macro_rules! operands {
    ($($type_:ty = |$bits:ident| $value:expr;)*) => {
        $(impl Operand for $type_ {
            #[inline(always)]
            unsafe fn from_bits($bits: u64) -> $type_ {
                // SAFETY: a version that an inline cache holds is one (caller).
                #[allow(unused_unsafe)]
                unsafe { $value }
            }
        })*
    };
}

operands! {
    u16 = |bits| bits as u16;
    u32 = |bits| bits as u32;
    CodeUnit = |bits| CodeUnit::from_ptr(bits as *mut _);
    *mut PyObject = |bits| bits as *mut PyObject;
    TypeVersion = |bits| TypeVersion::new(bits as u32).unwrap_unchecked();
    FunctionVersion = |bits| FunctionVersion::new(bits as u32).unwrap_unchecked();
    KeysVersion = |bits| KeysVersion::new(bits as u32).unwrap_unchecked();
    ShortKeysVersion = |bits| KeysVersion::new(bits as u32).and_then(KeysVersion::short).unwrap_unchecked();
}
