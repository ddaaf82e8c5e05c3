//! The state of the micro-op interpreter.

use core::convert::Infallible;

use crate::engine::Engine;
use crate::host::{CodeUnit, Frame, PyObject, StackRef, ThreadState};
use crate::tier2::Uop;

/// The state of the interpreter while it runs one micro-op. It stays in machine registers.
pub(super) struct Tier2 {
    pub(super) frame: Frame,
    pub(super) sp: *mut StackRef,
    pub(super) tstate: ThreadState,
    pub(super) uop: *const Uop,
    /// The frame that this micro-op has created. It is passed on in the free stack slot at `sp`.
    new_frame: Frame,
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
        Tier2 { frame, sp, tstate, uop, new_frame: Frame::NULL }
    }

    /// Ends a micro-op that continues with the next one. Returns that.
    ///
    /// # Safety
    /// The micro-op has just succeeded.
    #[inline(always)]
    pub(super) unsafe fn end(&self) -> *const Uop {
        // SAFETY: another micro-op follows, since a trace ends with one that never continues. A micro-op that creates
        // a frame has taken the operands of a call from the stack, or the instruction will push its result, so that
        // the slot at `sp` is free.
        unsafe {
            if !self.new_frame.is_null() {
                *self.sp.cast::<Frame>() = self.new_frame;
            }
            self.check_stack();
            self.uop.add(1)
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
        self.new_frame = frame;
    }
    #[inline(always)]
    fn take_frame(&mut self) -> Frame {
        // SAFETY: an earlier micro-op of the instruction has created a frame (contract of `take_frame`), and `end` has
        // stored it there.
        unsafe { *self.sp.cast::<Frame>() }
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
pub(super) trait Operands {
    fn of(uop: &Uop) -> Self;
}

macro_rules! operands {
    ($($first:ty $(, $second:ty)?;)*) => {
        $(
            operands! { @one $first $(, $second)? }
        )*
    };
    (@one $type_:ty) => {
        impl Operands for $type_ {
            #[inline(always)]
            fn of(uop: &Uop) -> Self {
                uop.operand0 as $type_
            }
        }
    };
    (@one $first:ty, $second:ty) => {
        impl Operands for ($first, $second) {
            #[inline(always)]
            fn of(uop: &Uop) -> Self {
                (uop.operand0 as $first, uop.operand1 as $second)
            }
        }
    };
}

operands! {
    u16;
    u32;
    *mut PyObject;
    u16, u16;
    u32, u16;
    u32, *mut PyObject;
}
