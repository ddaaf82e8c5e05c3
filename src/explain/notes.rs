//! Notes: how attempts to make a trace ended, and where traces were left.

use core::ffi::CStr;
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

    /// Each with its name for the report.
    pub(super) const NAMES: [(Reasons, &'static CStr); 10] = [
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
    ];

    pub(crate) fn add(&mut self, other: Reasons) {
        self.0 |= other.0;
    }

    pub(super) fn has(self, other: Reasons) -> bool {
        self.0 & other.0 != 0
    }
}

struct Exit {
    place: PlaceId,
    reasons: Reasons,
    count: u64,
}

#[derive(Default)]
pub(super) struct Notes {
    pub(super) attempts: HashMap<Attempt, u64>,
    /// Exits of traces that are live, by the addresses of their micro-ops.
    live: HashMap<usize, Exit>,
    /// The others.
    gone: HashMap<(PlaceId, Reasons), u64>,
}

impl Notes {
    pub(super) fn add_attempt(&mut self, attempt: Attempt) {
        *self.attempts.entry(attempt).or_default() += 1;
    }

    /// Counts an exit. Returns whether it is known.
    pub(super) fn count_exit(&mut self, uop: usize) -> bool {
        let exit = self.live.get_mut(&uop);
        exit.map(|exit| exit.count += 1).is_some()
    }

    pub(super) fn add_exit(&mut self, uop: usize, place: PlaceId, reasons: Reasons) {
        self.live.insert(uop, Exit { place, reasons, count: 1 });
    }

    pub(super) fn forget_exits(&mut self, uops: Range<usize>) {
        for (_, exit) in self.live.extract_if(|uop, _| uops.contains(uop)) {
            *self.gone.entry((exit.place, exit.reasons)).or_default() += exit.count;
        }
    }

    /// All exits: place, reasons, how often.
    pub(super) fn exits(&self) -> impl Iterator<Item = (PlaceId, Reasons, u64)> {
        let gone = self.gone.iter().map(|(&(place, reasons), &count)| (place, reasons, count));
        gone.chain(self.live.values().map(|exit| (exit.place, exit.reasons, exit.count)))
    }
}
