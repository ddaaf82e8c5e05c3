//! Branches and jumps: which way a trace goes on.

use super::forms::guard_of;
use super::{Arrival, End, Running, Translator, previous_instr};
use crate::host::Frame;

/// Outcomes in the history of a branch.
const HISTORY_LENGTH: u32 = u16::BITS;

/// How likely the path is, from the histories of its branches.
#[derive(Clone, Copy)]
pub(super) struct Confidence(u32);

impl Confidence {
    pub(super) const FULL: Confidence = Confidence(1000);
    const LEAST: u32 = 333;

    /// The confidence behind a branch that went this way in `times` of [`HISTORY_LENGTH`] cases.
    fn behind_branch(self, times: u32) -> Option<Confidence> {
        let confidence = self.0 * times / HISTORY_LENGTH;
        (confidence >= Confidence::LEAST).then_some(Confidence(confidence))
    }
}

impl Translator {
    /// Whether some branch has gone the other way before.
    pub(in crate::tier2) fn may_go_another_way(&self) -> bool {
        self.confidence.0 < Confidence::FULL.0
    }

    /// The program has gone the less likely way whenever it was recorded: a branch may do so.
    pub(in crate::tier2) fn follow_unlikely(&mut self) {
        self.follows_unlikely = true;
    }

    /// Follows a branch the way that it went, behind a guard, if that is the way that most of its history took.
    ///
    /// # Safety
    /// `this` is a branch in live bytecode, which led to `then`.
    pub(super) unsafe fn branch(&mut self, this: &Running, then: Arrival) -> Result<(), End> {
        // SAFETY: the cache of a branch is its history; target and next instruction are in the same bytecode.
        unsafe {
            let next = this.next();
            let target = next.add(this.oparg as isize);
            let jumped = then.instr == target;
            let jumps = u32::from(this.cache[0]).count_ones();
            let times = if jumped { jumps } else { HISTORY_LENGTH - jumps };
            if times < HISTORY_LENGTH / 2 && !self.follows_unlikely {
                return Err(End::UnlikelyBranch);
            }
            self.confidence = self.confidence.behind_branch(times).ok_or(End::Doubtful)?;
            let other = if jumped { next } else { target };
            let offset = i64::from(this.target) + other.offset_from(this.start) as i64;
            let guard = guard_of(this.row.opcode, jumped);
            self.push(guard, 0, previous_instr(this.instr, other), offset as u32);
            Ok(())
        }
    }

    /// Follows a jump to the start of a loop.
    ///
    /// # Safety
    /// The frame of `then`, the one that has jumped, is current.
    pub(super) unsafe fn jump_back(&mut self, then: Arrival) -> Result<(), End> {
        // SAFETY: the frame executes code (caller).
        unsafe {
            if !self.may_jump_back(then.frame) {
                return Err(End::InnerLoop);
            }
            self.loops.try_push(then.code()).map_err(|_| End::TooLong)
        }
    }

    /// Whether the trace may jump back in `frame`. In a function that the trace has called, or for the second time in the
    /// same code, that is an inner loop; a generator goes round with what drives it.
    ///
    /// # Safety
    /// The frame is current and executes code.
    pub(in crate::tier2) unsafe fn may_jump_back(&self, frame: Frame) -> bool {
        // SAFETY: the frame executes code (caller).
        unsafe {
            let is_on_the_way = self.calls == 0 || self.loops.is_empty() || frame.is_generator();
            is_on_the_way && !self.loops.contains(&frame.code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_falls_with_each_doubtful_branch() {
        let sure = Confidence::FULL.behind_branch(16).expect("sure");
        assert_eq!(sure.0, 1000);
        let doubtful = sure.behind_branch(8).expect("once");
        assert_eq!(doubtful.0, 500);
        assert!(doubtful.behind_branch(8).is_none());
    }
}
