//! Side exits of traces. An exit that is taken often leads to an executor. Source: `pycore_optimizer.h`.

use super::MAY_LEAVE_AT_ONCE;
use crate::bytecode::{opcode, thresholds};
use crate::host::{CodeUnit, Frame, PyResult};
use crate::seams;
use crate::tier2::executor::{Executor, OwnedExecutor, SideExit};

/// Returns the executor behind an exit of `current`, which keeps it alive. Counts down the exit's temperature and, when
/// it triggers, asks for one. `None`: continue in bytecode, where a recording may begin. Fails with an exception set.
///
/// # Safety
/// The thread is attached. `frame` is its current frame, published, and at the target of the exit, which belongs to
/// `current`, a live executor.
pub(super) unsafe fn executor(frame: Frame, exit: SideExit, current: Executor) -> PyResult<Option<Executor>> {
    // SAFETY: the exit and its executor are live (caller).
    unsafe {
        if let Some(executor) = exit.executor() {
            if executor.is_valid() {
                return Ok(Some(executor));
            }
            exit.set_temperature(thresholds::get().side_exit);
            drop(exit.take());
        }
        let temperature = exit.temperature();
        if !temperature.triggers() {
            exit.set_temperature(temperature.advance());
            return Ok(None);
        }
        let target = frame.bytecode().add(exit.target() as isize);
        match find(frame, target, current) {
            Ok(Some(executor)) => {
                exit.set_temperature(thresholds::get().side_exit);
                Ok(Some(exit.set_executor(executor)))
            }
            declined => {
                exit.set_temperature(temperature.restart());
                declined.map(|_| None)
            }
        }
    }
}

/// Returns the executor for an exit of `current` to `target`: the one in the bytecode there, or another one that begins there.
/// `None` if there is none yet.
///
/// # Safety
/// The thread is attached. `frame` is its current frame, published, and `target` is an instruction in its bytecode. The
/// executor is live.
#[cold]
unsafe fn find(frame: Frame, target: CodeUnit, current: Executor) -> PyResult<Option<OwnedExecutor>> {
    // SAFETY: the argument of ENTER_EXECUTOR is an index of the code's executors, which the code keeps alive. The
    // optimizer returns an executor.
    unsafe {
        let (opcode, index) = target.decode();
        // Where the current one has left at once, that one would lead to it again.
        let has_left_at_once = MAY_LEAVE_AT_ONCE && current.begins_there(target);
        if opcode == opcode::ENTER_EXECUTOR && !has_left_at_once {
            let executor = Executor::new(frame.code().executor(index));
            return Ok(Some(executor.new_ref()));
        }
        let executor = seams::optimizer::optimize(frame, target, current.chain_depth() + 1)?;
        Ok(executor.map(OwnedExecutor::from_object))
    }
}
