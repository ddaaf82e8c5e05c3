//! Notes: how attempts to make a trace ended, and where traces were left.

use core::ffi::CStr;
use core::hash::{BuildHasherDefault, Hasher};
use core::ops::Range;
use std::collections::HashMap;

use super::places::PlaceId;

/// An attempt to make a trace.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    pub(crate) start: PlaceId,
    /// Where the trace, or the attempt, ended.
    pub(crate) end: Option<PlaceId>,
    /// What became of it, in words.
    pub(crate) outcome: &'static CStr,
    /// What the instruction at the end met, if that is known.
    pub(crate) detail: Option<String>,
}

/// Why a trace may have been left: a set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct Reasons(u16);

impl Reasons {
    pub(crate) const BRANCH: Reasons = Reasons(1);
    pub(crate) const LOOP: Reasons = Reasons(2);
    pub(crate) const TYPE: Reasons = Reasons(4);
    pub(crate) const CALLEE: Reasons = Reasons(8);
    pub(crate) const CALLER: Reasons = Reasons(16);
    pub(crate) const VALUE: Reasons = Reasons(32);
    pub(crate) const CHANGED: Reasons = Reasons(64);
    pub(crate) const END: Reasons = Reasons(128);
    pub(crate) const ATTRIBUTE: Reasons = Reasons(256);
    pub(crate) const EXCEPTION: Reasons = Reasons(512);
    /// Machine code was left, and the micro-op interpreter goes on with the same trace.
    pub(crate) const INTERPRETED: Reasons = Reasons(1024);
    /// Machine code was left because an object ended.
    pub(crate) const ENDED: Reasons = Reasons(2048);

    /// Each with its name for the report.
    pub(super) const NAMES: [(Reasons, &'static CStr); 12] = [
        (Reasons::BRANCH, c"branch"),
        (Reasons::LOOP, c"loop"),
        (Reasons::TYPE, c"type"),
        (Reasons::CALLEE, c"callee"),
        (Reasons::CALLER, c"caller"),
        (Reasons::VALUE, c"value"),
        (Reasons::CHANGED, c"changed"),
        (Reasons::END, c"end"),
        (Reasons::ATTRIBUTE, c"attribute"),
        (Reasons::EXCEPTION, c"exception"),
        (Reasons::INTERPRETED, c"interpreted"),
        (Reasons::ENDED, c"ended"),
    ];

    pub(crate) fn add(&mut self, other: Reasons) {
        self.0 |= other.0;
    }

    pub(super) fn has(self, other: Reasons) -> bool {
        self.0 & other.0 != 0
    }
}

/// Where a trace is left, and why.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Exit {
    /// Where the program goes on.
    pub(crate) place: PlaceId,
    pub(crate) reasons: Reasons,
    /// What it met, if that is known.
    pub(crate) detail: Option<String>,
}

/// Hashes addresses: faster than the standard library's, since a program may leave traces many million times in a second.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_usize(byte.into());
        }
    }

    fn write_usize(&mut self, word: usize) {
        self.0 = (self.0 ^ word as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Default)]
pub(super) struct Notes {
    pub(super) attempts: HashMap<Attempt, u64>,
    /// Exits of traces that are live, by the addresses of their micro-ops and whether an object ended there.
    live: HashMap<ExitKey, (Exit, u64), BuildHasherDefault<AddressHasher>>,
    /// The others.
    gone: HashMap<Exit, u64>,
}

/// What an exit is known by: the address of its micro-op, and whether machine code was left because an object ended.
pub(crate) type ExitKey = (usize, bool);

impl Notes {
    pub(super) fn add_attempt(&mut self, attempt: Attempt) {
        *self.attempts.entry(attempt).or_default() += 1;
    }

    /// Counts an exit. Returns whether it is known.
    pub(super) fn count_exit(&mut self, key: ExitKey) -> bool {
        self.live.get_mut(&key).map(|(_, count)| *count += 1).is_some()
    }

    pub(super) fn add_exit(&mut self, key: ExitKey, exit: Exit) {
        self.live.insert(key, (exit, 1));
    }

    pub(super) fn forget_exits(&mut self, uops: Range<usize>) {
        for (_, (exit, count)) in self.live.extract_if(|(uop, _), _| uops.contains(uop)) {
            *self.gone.entry(exit).or_default() += count;
        }
    }

    /// All exits, and how often they were taken.
    pub(super) fn exits(&self) -> impl Iterator<Item = (&Exit, u64)> {
        let gone = self.gone.iter().map(|(exit, &count)| (exit, count));
        gone.chain(self.live.values().map(|(exit, count)| (exit, *count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_stay_counted_when_their_traces_are_gone() {
        let mut notes = Notes::default();
        let exit = |index, reasons| Exit { place: PlaceId::new(index), reasons, detail: None };
        for (uop, index, reasons) in [(100, 1, Reasons::TYPE), (200, 2, Reasons::LOOP)] {
            assert!(!notes.count_exit((uop, false)));
            notes.add_exit((uop, false), exit(index, reasons));
            assert!(notes.count_exit((uop, false)));
        }
        assert!(!notes.count_exit((100, true)));
        notes.forget_exits(50..150);
        // Another trace at the same address.
        assert!(!notes.count_exit((100, false)));
        notes.add_exit((100, false), exit(1, Reasons::TYPE));
        notes.forget_exits(50..150);
        let mut found: Vec<_> = notes.exits().map(|(exit, count)| (exit.place, count)).collect();
        found.sort_unstable();
        assert_eq!(found, [(PlaceId::new(1), 3), (PlaceId::new(2), 2)]);
    }
}
