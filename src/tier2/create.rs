//! Creating executors.

use super::executor::OwnedExecutor;
use super::{Dependencies, Trace, finish, install, list, machine_code, optimize, translate};
use crate::host::function::Function;
use crate::host::{CodeUnit, Frame, ThreadState, ffi};

/// The number of executors that side exits may lead to one after the other, until one has to be in the bytecode.
const MAX_CHAIN_DEPTH: usize = ffi::MAX_CHAIN_DEPTH as usize;

/// Creates an executor for what `frame` runs from `start` on. Returns `None` if that is not worth it, if memory is
/// short, or if the interpreter has no JIT or not any more. Sets no exception.
///
/// `chain_depth` is the number of executors from one in the bytecode to this one. Every fourth goes into the
/// bytecode again, and must make progress: one that could exit in its first instruction would be entered again
/// there, without end.
///
/// # Safety
/// The thread is attached, and no exception is set. `frame` is its current frame and published. An instruction
/// begins at `start` in the frame's bytecode, with its EXTENDED_ARGs.
pub(crate) unsafe fn create(frame: Frame, start: CodeUnit, chain_depth: usize) -> Option<OwnedExecutor> {
    let depth = chain_depth % MAX_CHAIN_DEPTH;
    let is_for_bytecode = depth == 0;
    // SAFETY: the frame is current, so its code is live, and `start` is in its bytecode (caller).
    unsafe {
        let interp = ThreadState::current().interp();
        if !(*interp).jit || (is_for_bytecode && !install::can_replace(frame.code(), start)) {
            return None;
        }
        let mut trace = Trace::new();
        let dependencies = fill(&mut trace, frame, start, is_for_bytecode)?;
        let created = compile(interp, &trace, &dependencies)?;
        created.executor().set_chain_depth(depth as u8);
        let is_ready = !is_for_bytecode || install::install(frame.code(), start, created.executor());
        is_ready.then_some(created)
    }
}

/// Fills `trace` with a finished trace of the code from `start` on. Returns what it relies on, or `None` if there is
/// no trace worth running.
///
/// # Safety
/// As for [`create`]; `trace` is empty.
unsafe fn fill(
    trace: &mut Trace,
    frame: Frame,
    start: CodeUnit,
    progress_needed: bool,
) -> Option<Dependencies> {
    let mut dependencies = Dependencies::NONE;
    // SAFETY: frame and start are as both functions require (caller).
    unsafe {
        if !translate::project(frame, start, progress_needed, trace, &mut dependencies) {
            return None;
        }
        let stack_entries = frame.stack_pointer().offset_from(frame.stack_base()) as usize;
        let function = Some(Function::from_object(frame.function().cast()));
        let start = optimize::Start { code: frame.code(), function, stack_entries };
        if wants_optimizer() && !optimize::optimize(&start, trace, &mut dependencies) {
            return None;
        }
    }
    if !finish::finish(trace) {
        return None;
    }
    #[cfg(py_debug)]
    if let Some(fault) = finish::fault(trace) {
        // SAFETY: both arguments are C strings, and the function does not return.
        unsafe { ffi::_Py_FatalErrorFunc(c"_PyOptimizer_Optimize".as_ptr(), fault.as_ptr()) }
    }
    Some(dependencies)
}

/// Creates a valid executor that is in no bytecode. Returns `None` if memory is short, for the object or for its
/// machine code: the program goes on without.
///
/// # Safety
/// The thread is attached to `interp`, and no exception is set. The trace is finished.
unsafe fn compile(
    interp: *mut ffi::PyInterpreterState,
    trace: &Trace,
    dependencies: &Dependencies,
) -> Option<OwnedExecutor> {
    // SAFETY: the thread is attached, and the trace finished (caller). The new executor is in no list, and not known
    // to the collector.
    unsafe {
        let created = OwnedExecutor::new(trace, dependencies)
            .and_then(|created| machine_code::compile(created.executor()).map(|()| created));
        let Ok(created) = created else {
            ffi::PyErr_Clear();
            return None;
        };
        list::link(interp, created.executor());
        ffi::PyObject_GC_Track(created.executor().as_ptr().cast());
        Some(created)
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
