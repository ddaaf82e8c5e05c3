//! Calls that tell the tools of `sys.monitoring`.

use super::Operands;
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::{CodeUnit, Frame, PyObject, PyResult, Raised, ThreadState, ffi, refcount};
use crate::seams;

/// What the tools are told about a call. All borrowed; the frame is published.
#[derive(Clone, Copy)]
pub(super) struct CallSite {
    tstate: ThreadState,
    frame: Frame,
    instr: CodeUnit,
    callable: *mut PyObject,
    /// The first argument, or the marker for none.
    argument: *mut PyObject,
}

impl CallSite {
    /// Publishes the frame, which is about to make the call. `argument` is null if there is none.
    #[inline(always)]
    pub(crate) fn new<E: Engine>(e: &E, callable: *mut PyObject, argument: *mut PyObject) -> CallSite {
        e.publish();
        let argument = if argument.is_null() { seams::instrumentation::missing() } else { argument };
        CallSite { tstate: e.tstate(), frame: e.frame(), instr: e.this_instr(), callable, argument }
    }

    /// The call that these operands are for.
    ///
    /// # Safety
    /// They are on the engine's stack.
    #[inline(always)]
    unsafe fn of<E: Engine, const KW: bool>(e: &E, operands: Operands<KW>) -> CallSite {
        // SAFETY: the caller's promise.
        unsafe {
            let has_arguments = operands.total() > 0;
            let argument = if has_arguments { (*operands.first()).object() } else { core::ptr::null_mut() };
            CallSite::new(e, operands.callable().object(), argument)
        }
    }

    /// CALL: it is about to begin.
    ///
    /// # Safety
    /// The frame is published, and what the site names is live.
    #[inline(always)]
    pub(crate) unsafe fn begins(self) -> Op {
        // SAFETY: the caller's promise.
        match unsafe { self.fire(ffi::PY_MONITORING_EVENT_CALL) } {
            Ok(()) => Ok([]),
            Err(Raised) => Err(Exit::ErrorNoPop),
        }
    }

    /// C_RETURN or C_RAISE: a call into C has given `result`. The result of it all is that, or null if a
    /// tool raises.
    ///
    /// # Safety
    /// As for [`CallSite::begins`]; the caller owns `result`, or it is null with an exception set.
    #[inline(always)]
    pub(crate) unsafe fn ends(self, result: *mut PyObject) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe {
            if result.is_null() {
                seams::instrumentation::event_with_exception(
                    self.tstate,
                    ffi::PY_MONITORING_EVENT_C_RAISE,
                    self.frame,
                    self.instr,
                    [self.callable, self.argument],
                );
            } else if self.fire(ffi::PY_MONITORING_EVENT_C_RETURN).is_err() {
                refcount::decref(result);
                return core::ptr::null_mut();
            }
        }
        result
    }

    #[inline(always)]
    unsafe fn fire(self, event: u32) -> PyResult<()> {
        let arguments = [self.callable, self.argument];
        // SAFETY: the frame is published, and what the site names is live.
        unsafe {
            seams::instrumentation::event_with_two(self.tstate, event, self.frame, self.instr, arguments)
        }
    }
}

/// Tells the tools that a call is about to begin.
#[inline(always)]
pub(crate) unsafe fn monitor_call<E: Engine>(e: &mut E, Kept(operands): Kept<Operands<false>>) -> Op {
    // SAFETY: the instruction is a CALL.
    unsafe { CallSite::of(e, operands).begins() }
}

/// Tells the tools that a call with keywords is about to begin.
#[inline(always)]
pub(crate) unsafe fn monitor_call_kw<E: Engine>(e: &mut E, Kept(operands): Kept<Operands<true>>) -> Op {
    // SAFETY: the instruction is a CALL_KW.
    unsafe { CallSite::of(e, operands).begins() }
}

/// Calls what is not entered as a frame, and gives up the operands.
#[inline(always)]
unsafe fn monitored_vectorcall<E: Engine, const KW: bool>(e: &E, operands: Operands<KW>) -> *mut PyObject {
    // SAFETY: the operands are on the published stack.
    unsafe {
        let site = CallSite::of(e, operands);
        let result = operands.vectorcall_and_keep(e.tstate());
        let result = site.ends(result);
        operands.close();
        result
    }
}

/// Like `do_call`; the tools are told how a call into C ended.
#[inline(always)]
pub(crate) unsafe fn instrumented_do_call<E: BytecodeEngine>(
    e: &mut E,
    operands: Operands<false>,
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the instruction is a CALL.
    unsafe { super::call(e, operands, |e, operands| monitored_vectorcall(e, operands)) }
}

/// Like `do_call_kw`; the tools are told how a call into C ended.
#[inline(always)]
pub(crate) unsafe fn instrumented_do_call_kw<E: BytecodeEngine>(
    e: &mut E,
    operands: Operands<true>,
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the instruction is a CALL_KW.
    unsafe { super::call(e, operands, |e, operands| monitored_vectorcall(e, operands)) }
}
