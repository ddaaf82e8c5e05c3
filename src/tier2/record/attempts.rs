//! What became of attempts to make a trace, counted since the process began.

use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicU64, Ordering};

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
    /// It is tried again soon, since a branch went the less likely way.
    Retry,
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
/// The number of outcomes: the names below, in the order of [`Outcome::index`].
const COUNT: usize = 7 + 2 * ENDS;

static COUNTS: [AtomicU64; COUNT] = [const { AtomicU64::new(0) }; COUNT];

static NAMES: [&CStr; COUNT] = [
    c"a loop",
    c"tried again soon: a branch went the less likely way",
    c"none: something changed meanwhile",
    c"none: the trace contradicts itself",
    c"none: no room",
    c"none: no memory",
    c"none: abandoned",
    c"up to another executor",
    c"up to an instrumented instruction",
    c"up to an instruction that has no form in traces",
    c"up to an inner loop",
    c"up to a branch that goes both ways",
    c"up to a branch that went the less likely way",
    c"up to an exception",
    c"up to a return into C",
    c"up to a call too deep",
    c"up to the longest length",
    c"none: only another executor",
    c"none: only an instrumented instruction",
    c"none: only an instruction that has no form in traces",
    c"none: only an inner loop",
    c"none: only a branch that goes both ways",
    c"none: only a branch that went the less likely way",
    c"none: only an exception",
    c"none: only a return into C",
    c"none: only a call too deep",
    c"none: no room for one instruction",
];

impl Outcome {
    fn index(self) -> usize {
        match self {
            Outcome::Loop => 0,
            Outcome::Retry => 1,
            Outcome::Invalidated => 2,
            Outcome::Contradiction => 3,
            Outcome::NoRoom => 4,
            Outcome::NoMemory => 5,
            Outcome::Abandoned => 6,
            Outcome::Exit(end) => 7 + end as usize,
            Outcome::TooShort(end) => 7 + ENDS + end as usize,
        }
    }
}

pub(super) fn count(outcome: Outcome) {
    COUNTS[outcome.index()].fetch_add(1, Ordering::Relaxed);
}

/// How many attempts had one outcome.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Attempt {
    pub(crate) outcome: *const c_char,
    pub(crate) count: u64,
}

/// The counts now.
pub(crate) fn snapshot() -> [Attempt; COUNT] {
    core::array::from_fn(|index| Attempt {
        outcome: NAMES[index].as_ptr(),
        count: COUNTS[index].load(Ordering::Relaxed),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_own_count() {
        let rest = [
            Outcome::Loop,
            Outcome::Retry,
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
