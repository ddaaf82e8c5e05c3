//! Calls that notify the tools of `sys.monitoring`: CALL, C_RETURN and C_RAISE events.

use super::Operands;
use crate::engine::{BytecodeEngine, BytecodeOp, Exit, Kept, Op, Settled};
use crate::host::{CodeUnit, Frame, PyObject, PyResult, Raised, ThreadState, ffi, refcount};
use crate::seams;

/// The arguments of the events of a call. All references are borrowed. The frame is published.
#[derive(Clone, Copy)]
pub(super) struct CallSite {
    tstate: ThreadState,
    frame: Frame,
    instr: CodeUnit,
    callable: *mut PyObject,
    /// The first argument of the call, or the marker `sys.monitoring.MISSING`.
    argument: *mut PyObject,
}

impl CallSite {
    /// Publishes the frame, which is about to make the call. `argument` is null for a call without arguments.
    #[inline(always)]
    pub(crate) fn new<E: BytecodeEngine>(
        e: &E,
        callable: *mut PyObject,
        argument: *mut PyObject,
    ) -> CallSite {
        e.publish();
        let argument = if argument.is_null() { seams::instrumentation::missing() } else { argument };
        CallSite { tstate: e.tstate(), frame: e.frame(), instr: e.this_instr(), callable, argument }
    }

    /// The site of the call with these operands.
    ///
    /// # Safety
    /// The operands are on the engine's stack.
    #[inline(always)]
    unsafe fn of<E: BytecodeEngine, const KW: bool>(e: &E, operands: Operands<KW>) -> CallSite {
        // SAFETY: the operands are on the stack (caller), so the first slot holds an argument if there is one.
        unsafe {
            let has_arguments = operands.total() > 0;
            let argument = if has_arguments { (*operands.first()).object() } else { core::ptr::null_mut() };
            CallSite::new(e, operands.callable().object(), argument)
        }
    }

    /// Fires the CALL event.
    ///
    /// # Safety
    /// The thread is attached, the frame is published, and the callable and the argument are live.
    #[inline(always)]
    pub(crate) unsafe fn begins(self) -> Op {
        // SAFETY: the frame is published, and the objects are live (caller).
        match unsafe { self.fire(ffi::PY_MONITORING_EVENT_CALL) } {
            Ok(()) => Ok([]),
            Err(Raised) => Err(Exit::ErrorNoPop),
        }
    }

    /// Fires the event for the end of a call in C: C_RAISE if `result` is null, else C_RETURN. Returns
    /// `result`, or null if a tool raises.
    ///
    /// # Safety
    /// As for [`CallSite::begins`]. The caller owns `result`, or it is null and an exception is set.
    #[inline(always)]
    pub(crate) unsafe fn ends(self, result: *mut PyObject) -> *mut PyObject {
        // SAFETY: the frame is published, and the objects are live (caller). If a tool raises, the owned
        // result is released.
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

    /// Fires `event` with the callable and the argument.
    ///
    /// # Safety
    /// As for [`CallSite::begins`]; no exception is set.
    #[inline(always)]
    unsafe fn fire(self, event: u32) -> PyResult<()> {
        let arguments = [self.callable, self.argument];
        // SAFETY: the frame is published, and the objects are live (caller).
        unsafe {
            seams::instrumentation::event_with_two(self.tstate, event, self.frame, self.instr, arguments)
        }
    }
}

/// Fires the CALL event before a call.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn monitor_call<E: BytecodeEngine>(e: &mut E, Kept(operands): Kept<Operands<false>>) -> Op {
    // SAFETY: the operands are those of a CALL, and on top of the stack.
    unsafe { CallSite::of(e, operands).begins() }
}

/// Fires the CALL event before a call with keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn monitor_call_kw<E: BytecodeEngine>(
    e: &mut E,
    Kept(operands): Kept<Operands<true>>,
) -> Op {
    // SAFETY: the operands are those of a CALL_KW, and on top of the stack.
    unsafe { CallSite::of(e, operands).begins() }
}

/// Calls the callable in C, fires C_RETURN or C_RAISE, and releases the operands.
///
/// # Safety
/// The thread is attached, and the operands are the topmost values of the engine's stack. They are dead
/// afterwards.
#[inline(always)]
unsafe fn monitored_vectorcall<E: BytecodeEngine, const KW: bool>(
    e: &E,
    operands: Operands<KW>,
) -> *mut PyObject {
    // SAFETY: the operands are on the stack, which `of` publishes (caller). They are kept alive until the
    // event has fired, and released once.
    unsafe {
        let site = CallSite::of(e, operands);
        let result = operands.vectorcall_and_keep(e.tstate());
        let result = site.ends(result);
        operands.close();
        result
    }
}

/// Like `do_call`, and fires C_RETURN or C_RAISE after a call in C.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_do_call<E: BytecodeEngine>(
    e: &mut E,
    operands: Operands<false>,
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the operands are those of a CALL. `monitored_vectorcall` releases them.
    unsafe { super::call(e, operands, |e, operands| monitored_vectorcall(e, operands)) }
}

/// Like `do_call_kw`, and fires C_RETURN or C_RAISE after a call in C.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn instrumented_do_call_kw<E: BytecodeEngine>(
    e: &mut E,
    operands: Operands<true>,
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the operands are those of a CALL_KW. `monitored_vectorcall` releases them.
    unsafe { super::call(e, operands, |e, operands| monitored_vectorcall(e, operands)) }
}
