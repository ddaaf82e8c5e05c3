//! Creating executors.

use super::executor::OwnedExecutor;
use super::{Dependencies, Trace, finish, install, list, optimize, translate};
use crate::host::{CodeUnit, Frame, PyResult, Raised, ThreadState, ffi};

/// The number of executors that side exits may lead to one after the other, until one has to be in the bytecode.
const MAX_CHAIN_DEPTH: usize = ffi::MAX_CHAIN_DEPTH as usize;

/// Creates an executor for what `frame` runs from `start` on. Returns `None` if that is not worth it, if memory is
/// short, or if the interpreter has no JIT or not any more. Fails with an exception of the optimizer.
///
/// `chain_depth` is the number of executors from one in the bytecode to this one. Every fourth goes into the
/// bytecode again, and must make progress: one that could exit in its first instruction would be entered again
/// there, without end.
///
/// # Safety
/// The thread is attached, and no exception is set. `frame` is its current frame and published. An instruction
/// begins at `start` in the frame's bytecode, with its EXTENDED_ARGs.
pub(crate) unsafe fn create(
    frame: Frame,
    start: CodeUnit,
    chain_depth: usize,
) -> PyResult<Option<OwnedExecutor>> {
    let depth = chain_depth % MAX_CHAIN_DEPTH;
    let is_for_bytecode = depth == 0;
    // SAFETY: the frame is current, so its code is live, and `start` is in its bytecode (caller).
    unsafe {
        if !(*ThreadState::current().interp()).jit {
            return Ok(None);
        }
        if is_for_bytecode && !install::can_replace(frame.code(), start) {
            return Ok(None);
        }
        let Some(created) = trace_and_compile(frame, start, is_for_bytecode)? else { return Ok(None) };
        created.executor().set_chain_depth(depth as u8);
        if is_for_bytecode && !install::install(frame.code(), start, created.executor()) {
            return Ok(None);
        }
        Ok(Some(created))
    }
}

/// Creates an executor that is valid but in no bytecode.
///
/// # Safety
/// As for [`create`].
unsafe fn trace_and_compile(
    frame: Frame,
    start: CodeUnit,
    progress_needed: bool,
) -> PyResult<Option<OwnedExecutor>> {
    let (mut trace, mut dependencies) = (Trace::new(), Dependencies::NONE);
    // SAFETY: the frame is published (caller).
    let stack_entries = unsafe { frame.stack_pointer().offset_from(frame.stack_base()) as usize };
    // SAFETY: frame and start are as the functions require (caller). The new executor is in no list, and not
    // known to the collector.
    unsafe {
        if !translate::project(frame, start, progress_needed, &mut trace, &mut dependencies)
            || (wants_optimizer() && !optimize::optimize(frame, &mut trace, stack_entries, &mut dependencies))
            || !finish::finish(&mut trace)
        {
            return Ok(None);
        }
        #[cfg(py_debug)]
        if let Some(fault) = finish::fault(&trace) {
            ffi::_Py_FatalErrorFunc(c"_PyOptimizer_Optimize".as_ptr(), fault.as_ptr());
        }
        match OwnedExecutor::new(&trace, &dependencies) {
            Ok(created) => {
                list::link(created.executor());
                ffi::PyObject_GC_Track(created.executor().as_ptr().cast());
                Ok(Some(created))
            }
            // Memory is short, for the object or for its machine code. The program goes on without.
            Err(Raised) => {
                ffi::PyErr_Clear();
                Ok(None)
            }
        }
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
