//! Regions: machine code, and the places that its parts stand for.

use core::ops::Range;

use super::places::PlaceId;

/// The places of machine code: where each part ends, and its place if it has one. Sorted, and without gaps.
pub(crate) type Lines = Box<[(u32, Option<PlaceId>)]>;

struct Region {
    start: usize,
    length: usize,
    lines: Lines,
}

/// All machine code of the run.
pub(super) struct Regions {
    /// Sorted by address.
    regions: Vec<Region>,
    /// The function that enters machine code.
    entry: Range<usize>,
}

impl Regions {
    pub(super) fn new(entry: Range<usize>) -> Regions {
        Regions { regions: Vec::new(), entry }
    }

    pub(super) fn set_entry(&mut self, entry: Range<usize>) {
        self.entry = entry;
    }

    /// Whether the function that enters machine code has this address.
    pub(super) fn is_in_entry(&self, address: usize) -> bool {
        self.entry.contains(&address)
    }

    pub(super) fn add(&mut self, start: usize, length: usize, lines: Lines) {
        let at = self.regions.partition_point(|region| region.start < start);
        self.regions.insert(at, Region { start, length, lines });
    }

    pub(super) fn remove(&mut self, start: usize) {
        if let Ok(at) = self.regions.binary_search_by_key(&start, |region| region.start) {
            self.regions.remove(at);
        }
    }

    /// The place of the machine code at this address. `None` if there is no machine code; `Some(None)` if it has no place.
    pub(super) fn place_at(&self, address: usize) -> Option<Option<PlaceId>> {
        let after = self.regions.partition_point(|region| region.start <= address);
        let region = &self.regions[after.checked_sub(1)?];
        let offset = address - region.start;
        if offset >= region.length {
            return None;
        }
        let at = region.lines.partition_point(|&(end, _)| end as usize <= offset);
        Some(region.lines.get(at).and_then(|&(_, place)| place))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }
}
