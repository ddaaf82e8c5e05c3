//! Invalidating executors: they leave the bytecode, other executors' exits and the list, and threads that run
//! them go back to tier 1.

#[cfg(feature = "jit")]
use super::declined::{self, Term};
#[cfg(feature = "jit")]
use super::executor::SideExit;
use super::executor::{Executor, OwnedExecutor};
#[cfg(feature = "jit")]
use super::explained;
use super::{Dependencies, install, list};
#[cfg(feature = "jit")]
use crate::bytecode::counter::MAX_VALUE;
use crate::bytecode::{BackoffCounter, opcode, thresholds};
use crate::host::ffi;
use crate::instrument::version;

/// Invalidates the executors that may rely on the object at `address`.
///
/// # Safety
/// The thread is attached to the interpreter.
pub(crate) unsafe fn dependents<T>(interp: *mut ffi::PyInterpreterState, address: *const T) {
    let changed = Dependencies::only(address);
    // SAFETY: the thread is attached (caller). Executors in the list are live.
    unsafe { invalidate_where(interp, |executor| executor.dependencies().may_contain(&changed)) }
}

/// Invalidates the executors that have not run since the last call.
///
/// # Safety
/// The thread is attached to the interpreter.
pub(crate) unsafe fn cold(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the thread is attached (caller). Executors in the list are live.
    unsafe { invalidate_where(interp, |executor| !executor.take_warmth()) }
}

/// Invalidates all executors, and frees the arrays of the code objects that have them.
///
/// # Safety
/// The thread is attached to the interpreter.
pub(crate) unsafe fn all(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the thread is attached (caller). A reference keeps the executor alive meanwhile, which leaves the
    // list, so the loop ends.
    unsafe {
        while let Some(executor) = list::first(interp) {
            let reference = executor.new_ref();
            if let Some(code) = executor.code() {
                ffi::_PyCode_Clear_Executors(code.as_ptr());
            }
            clear(interp, reference.executor());
        }
    }
}

/// Invalidates the executors for which `is_affected` returns true. Calls it once for each, unless memory is short.
///
/// Invalidating one executor may destroy others, and may invalidate those whose traces are branches of its machine code. So the list
/// is not used meanwhile.
///
/// # Safety
/// The thread is attached to the interpreter.
unsafe fn invalidate_where(
    interp: *mut ffi::PyInterpreterState,
    mut is_affected: impl FnMut(Executor) -> bool,
) {
    // SAFETY: the thread is attached (caller). Executors in the list are live, and those with a reference stay so.
    unsafe {
        loop {
            let mut affected: Vec<OwnedExecutor> = Vec::new();
            let mut last = None;
            for executor in core::iter::successors(list::first(interp), |&executor| list::next(executor)) {
                if !is_affected(executor) {
                    continue;
                }
                if affected.try_reserve(1).is_err() {
                    last = Some(executor.new_ref());
                    break;
                }
                affected.push(executor.new_ref());
            }
            for executor in affected {
                clear(interp, executor.executor());
            }
            // Without memory for more, the rest comes next.
            let Some(executor) = last else { return };
            clear(interp, executor.executor());
        }
    }
}

/// Invalidates an executor that gets no machine code: it would be slower than bytecode. No other one takes its place for a while,
/// or at all, neither in the bytecode nor behind side exits.
///
/// # Safety
/// As for [`clear`].
#[cfg(feature = "jit")]
pub(crate) unsafe fn decline(interp: *mut ffi::PyInterpreterState, executor: Executor, term: Term) {
    // SAFETY: an executor is in live bytecode, or in none; then the instruction that it has replaced is there again. Those in the
    // list are live.
    unsafe {
        let reference = executor.new_ref();
        if let Some((start, version)) = executor.start() {
            declined::add(start, version, term);
        }
        if term == Term::ForNow {
            explained::note_seldom(executor);
        }
        let place = executor.code().map(|code| code.bytecode().add(executor.index() as isize));
        clear(interp, executor);
        if let Some(unit) = place {
            let instr = if unit.opcode() == opcode::EXTENDED_ARG { unit.add(1) } else { unit };
            if instr.opcode() == opcode::JUMP_BACKWARD_JIT {
                next_attempt(term, thresholds::get().jump_backward).store_at(instr);
            }
        }
        for other in core::iter::successors(list::first(interp), |&other| list::next(other)) {
            for exit in other.exits().filter(|exit| exit.executor() == Some(executor)) {
                exit.set_temperature(next_attempt(term, thresholds::get().side_exit));
                drop(exit.take());
            }
        }
        drop(reference);
    }
}

/// The executor behind a side exit is not worth machine code there. The exit leads to bytecode, for a while.
///
/// # Safety
/// The thread is attached, and the exit is that of a live executor.
#[cfg(feature = "jit")]
pub(crate) unsafe fn decline_behind(exit: SideExit) {
    // SAFETY: the exit keeps the executor behind it alive (caller).
    unsafe {
        if let Some(executor) = exit.executor().filter(|executor| executor.is_valid())
            && let Some((start, version)) = executor.start()
        {
            declined::add(start, version, Term::ForNow);
            explained::note_seldom(executor);
        }
        exit.set_temperature(next_attempt(Term::ForNow, thresholds::get().side_exit));
        drop(exit.take());
    }
}

/// A counter that asks for another executor when the term may be over, or never. `first` is what it was at first.
#[cfg(feature = "jit")]
fn next_attempt(term: Term, first: BackoffCounter) -> BackoffCounter {
    match term {
        Term::ForGood => BackoffCounter::UNREACHABLE,
        Term::ForNow => first.in_steps(MAX_VALUE),
    }
}

/// Invalidates an executor, if it is valid.
///
/// # Safety
/// The thread is attached to the interpreter, and the executor is live.
pub(crate) unsafe fn clear(interp: *mut ffi::PyInterpreterState, executor: Executor) {
    // SAFETY: the executor is live (caller). It may lead to itself, so that only the new reference keeps it
    // alive.
    unsafe {
        if !executor.is_valid() {
            return;
        }
        let reference = executor.new_ref();
        list::unlink(interp, executor);
        for exit in executor.exits() {
            exit.set_temperature(BackoffCounter::UNREACHABLE);
            drop(exit.take());
        }
        #[cfg(feature = "jit")]
        for branch in super::compiled::branches(executor) {
            clear(interp, branch.executor());
        }
        count_calls_again(executor);
        install::detach(executor);
        drop(reference);
    }
}

/// If the executor is that of a function, there is another one for it when it has been called as often again.
///
/// # Safety
/// The thread is attached, and the executor live.
unsafe fn count_calls_again(executor: Executor) {
    // The machine code of debug hosts asserts that a version has nothing above it.
    if cfg!(all(py_debug, tier2_jit)) {
        return;
    }
    // SAFETY: the executor is live (caller). The code has an executor, so that it is live or being destroyed, and the thread is
    // attached to the only interpreter that runs it.
    unsafe {
        let replaced = executor.replaced().0;
        if let Some(code) = executor.code()
            && matches!(replaced, opcode::RESUME | opcode::RESUME_CHECK)
        {
            version::count_calls(code, thresholds::get().calls(), 0);
        }
    }
}
