//! Branches: traces behind side exits that become a part of the code in front of the exit.
//!
//! When a trace is compiled, some of its side exits have been taken so often that there are traces behind them, which have
//! run often, too. They are lowered where the guard fails: what is in registers stays there. If such a trace leads back to
//! the loop that it has come from, the code jumps there.
//!
//! The code owns the executors of its branches. It relies on all that they rely on, so that all of them are valid while the
//! code is. While it runs, the current executor is the one that owns it; where it leaves, the one of the micro-op at which the
//! program continues.

use cranelift_codegen::ir::Block;

use super::lower::{Branch, Lowered, Lowering, is_side_exit};
use crate::bytecode::{micro_op, thresholds};
use crate::tier2::Uop;
use crate::tier2::compiled;
use crate::tier2::executor::{Executor, SideExit};

/// The most branches of one code, and the most micro-ops in them.
const MAX_BRANCHES: usize = 8;
const MAX_UOPS: usize = 600;
/// A trace becomes a branch if it has run at least once for so many times that the code in front of it had to run.
const SHARE: usize = 8;

impl Lowering<'_> {
    /// The executor behind the side exit that a word leads to, if it is to become a branch.
    pub(super) fn executor_of_branch(&self, word: usize) -> Option<Executor> {
        if !self.has_branches || !is_side_exit(word) || self.branches.len() >= MAX_BRANCHES {
            return None;
        }
        // SAFETY: the word is the address of a micro-op of the trace, which is live during the lowering, and so are the exit, and
        // the executor behind it. The interpreter runs code.
        unsafe {
            let executor = SideExit::of(*(word as *const Uop)).executor()?;
            let size: usize = self.branches.iter().map(|branch| branch.trace().len()).sum();
            let fits = executor.is_valid()
                && executor.chain_depth() > 0
                && compiled::runs(executor) >= thresholds::get().heat() / SHARE
                && !self.branches.contains(&executor)
                && executor != self.executor
                && size + executor.trace().len() <= MAX_UOPS
                && !executor.trace().iter().any(|uop| uop.number() == micro_op::jump_to_top);
            fits.then_some(executor)
        }
    }

    /// The block of a branch, which begins with the state as it is now.
    pub(super) fn branch_to(&mut self, executor: Executor) -> Block {
        let block = self.b.create_block();
        self.branches.push(executor);
        // SAFETY: both executors are live during the lowering.
        unsafe { self.executor.depend_like(executor) };
        self.next_branches.push(Branch {
            block,
            executor,
            state: self.state.clone(),
            room: self.room,
            is_valid: self.is_valid,
        });
        block
    }

    /// Begins the next branch. Returns false if there is none.
    pub(super) fn next_branch(&mut self) -> Lowered<bool> {
        let Some(branch) = self.next_branches.pop() else { return Ok(false) };
        self.b.switch_to_block(branch.block);
        // SAFETY: the executor is live during the lowering: the exit in front of it keeps it alive.
        let trace = unsafe { branch.executor.trace() };
        (self.part, self.trace, self.at) = (branch.executor, trace, 0);
        (self.state, self.room) = (branch.state, branch.room);
        self.is_valid = branch.is_valid;
        self.forget_outs();
        self.begin_part()?;
        Ok(true)
    }
}
