//! From a complete trace to an executor.

use super::executor::OwnedExecutor;
#[cfg(feature = "jit")]
use super::uop::Entered;
use super::{Dependencies, Trace, finish, list, machine_code, optimize};
#[cfg(feature = "jit")]
use crate::bytecode::micro_op;
use crate::host::ffi;

/// Why a trace does not become an executor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// It would always leave early.
    Contradiction,
    /// Its stubs do not fit behind it.
    NoRoom,
    NoMemory,
}

/// Optimizes and finishes a trace that begins in `start`. Adds what it relies on to `dependencies`. Fails if it is not
/// worth having.
///
/// # Safety
/// The thread is attached, and no exception is set. What the operands of the trace refer to is live.
pub(super) unsafe fn finish_trace(
    trace: &mut Trace,
    start: &optimize::Start,
    dependencies: &mut Dependencies,
) -> Result<(), Refusal> {
    // SAFETY: the contract is the same.
    unsafe {
        if wants_optimizer() && !optimize::optimize(start, trace, dependencies) {
            return Err(Refusal::Contradiction);
        }
    }
    // SAFETY: what the operands refer to is still live (caller).
    #[cfg(feature = "jit")]
    unsafe {
        forget_functions(trace);
    }
    if !finish::finish(trace) {
        return Err(Refusal::NoRoom);
    }
    #[cfg(py_debug)]
    if let Some(fault) = finish::fault(trace) {
        // SAFETY: both arguments are C strings, and the function does not return.
        unsafe { ffi::_Py_FatalErrorFunc(c"_PyOptimizer_Optimize".as_ptr(), fault.as_ptr()) }
    }
    Ok(())
}

/// Lets micro-ops that enter frames refer to code objects instead of functions. The trace is invalid when one of its code
/// objects is gone, but not when a function is.
///
/// # Safety
/// The operands refer to live objects.
#[cfg(feature = "jit")]
unsafe fn forget_functions(trace: &mut Trace) {
    let enters = [micro_op::push_frame, micro_op::for_iter_innermost, micro_op::send_innermost];
    for uop in trace.iter_mut().filter(|uop| enters.contains(&uop.number())) {
        if let Some(entered) = Entered::from_operand(uop.operand0) {
            // SAFETY: the object is live (caller).
            uop.operand0 = Entered::Code(unsafe { entered.code() }).to_operand();
        }
    }
}

/// Creates a valid executor that is in no bytecode. Fails if memory is short, for the object or for its machine
/// code: the program goes on without.
///
/// # Safety
/// The thread is attached to `interp`, and no exception is set. The trace is finished.
pub(super) unsafe fn compile(
    interp: *mut ffi::PyInterpreterState,
    trace: &Trace,
    dependencies: &Dependencies,
) -> Result<OwnedExecutor, Refusal> {
    // SAFETY: the thread is attached, and the trace finished (caller). The new executor is in no list, and not known
    // to the collector.
    unsafe {
        #[cfg(feature = "attach")]
        super::deletion::free_unused(interp);
        let created = OwnedExecutor::new(trace, dependencies)
            .and_then(|created| machine_code::compile(created.executor()).map(|()| created));
        let Ok(created) = created else {
            ffi::PyErr_Clear();
            return Err(Refusal::NoMemory);
        };
        list::link(interp, created.executor());
        ffi::PyObject_GC_Track(created.executor().as_ptr().cast());
        Ok(created)
    }
}

/// Whether traces are to be optimized: `PYTHON_UOPS_OPTIMIZE`, which is read each time.
///
/// # Safety
/// The thread is attached.
unsafe fn wants_optimizer() -> bool {
    // SAFETY: the name is a C string, and so is the value.
    unsafe {
        let value = ffi::Py_GETENV(c"PYTHON_UOPS_OPTIMIZE".as_ptr());
        value.is_null() || *value.cast::<u8>() != b'0'
    }
}
