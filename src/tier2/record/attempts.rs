//! What became of attempts to make a trace, counted since the process began.

use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicU64, Ordering};

use super::super::create::Refusal;
use super::super::translate::End;

/// What became of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// An executor whose trace is a loop.
    Loop,
    /// An executor whose trace ends in an exit.
    Exit(End),
    /// The trace would be too short to be worth an executor.
    TooShort(End),
    /// It is tried again soon: a branch went the less likely way, or the loop ended.
    Retry,
    /// It is tried again later, since what the bytecode is specialized for changes.
    Unstable,
    /// Something that the trace relies on changed meanwhile, or the interpreter ends.
    Invalidated,
    /// The trace would always leave early.
    Contradiction,
    /// The trace, or the code object, has no room.
    NoRoom,
    NoMemory,
    /// The recording stopped without an end.
    Abandoned,
}

const ENDS: usize = End::ALL.len();
/// The number of outcomes.
const COUNT: usize = 8 + 2 * ENDS;

/// How many attempts had one outcome.
#[repr(C)]
pub(crate) struct Attempts {
    pub(super) outcome: *const c_char,
    count: AtomicU64,
}

// SAFETY: the pointer is to a constant, and the count is atomic.
unsafe impl Sync for Attempts {}

const fn attempts(outcome: &'static CStr) -> Attempts {
    Attempts { outcome: outcome.as_ptr(), count: AtomicU64::new(0) }
}

/// All outcomes, in the order of [`Outcome::index`].
pub(crate) static ATTEMPTS: [Attempts; COUNT] = [
    attempts(c"a loop"),
    attempts(c"tried again soon: a branch went the less likely way, or the loop ended"),
    attempts(c"tried again later: types change"),
    attempts(c"none: something changed meanwhile"),
    attempts(c"none: the trace contradicts itself"),
    attempts(c"none: no room"),
    attempts(c"none: no memory"),
    attempts(c"none: abandoned"),
    attempts(c"up to another executor"),
    attempts(c"up to an instrumented instruction"),
    attempts(c"up to an instruction that has no form in traces"),
    attempts(c"up to an inner loop"),
    attempts(c"up to a branch that goes both ways"),
    attempts(c"up to a branch that went the less likely way"),
    attempts(c"up to the end of the loop"),
    attempts(c"up to an exception"),
    attempts(c"up to a return into C"),
    attempts(c"up to a function that calls itself"),
    attempts(c"up to a call too deep"),
    attempts(c"up to the longest length"),
    attempts(c"none: only another executor"),
    attempts(c"none: only an instrumented instruction"),
    attempts(c"none: only an instruction that has no form in traces"),
    attempts(c"none: only an inner loop"),
    attempts(c"none: only a branch that goes both ways"),
    attempts(c"none: only a branch that went the less likely way"),
    attempts(c"none: only the end of the loop"),
    attempts(c"none: only an exception"),
    attempts(c"none: only a return into C"),
    attempts(c"none: only a function that calls itself"),
    attempts(c"none: only a call too deep"),
    attempts(c"none: no room for one instruction"),
];

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Outcome {
        match refusal {
            Refusal::Contradiction => Outcome::Contradiction,
            Refusal::NoRoom => Outcome::NoRoom,
            Refusal::NoMemory => Outcome::NoMemory,
        }
    }
}

impl Outcome {
    pub(super) fn index(self) -> usize {
        match self {
            Outcome::Loop => 0,
            Outcome::Retry => 1,
            Outcome::Unstable => 2,
            Outcome::Invalidated => 3,
            Outcome::Contradiction => 4,
            Outcome::NoRoom => 5,
            Outcome::NoMemory => 6,
            Outcome::Abandoned => 7,
            Outcome::Exit(end) => 8 + end as usize,
            Outcome::TooShort(end) => 8 + ENDS + end as usize,
        }
    }
}

pub(super) fn count(outcome: Outcome) {
    ATTEMPTS[outcome.index()].count.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_own_count() {
        let rest = [
            Outcome::Loop,
            Outcome::Retry,
            Outcome::Unstable,
            Outcome::Invalidated,
            Outcome::Contradiction,
            Outcome::NoRoom,
            Outcome::NoMemory,
            Outcome::Abandoned,
        ];
        let ends = End::ALL.into_iter();
        let all = rest.into_iter().chain(ends.clone().map(Outcome::Exit)).chain(ends.map(Outcome::TooShort));
        let indices: Vec<usize> = all.map(Outcome::index).collect();
        assert_eq!(indices, (0..COUNT).collect::<Vec<_>>());
    }
}
