//! Regions: machine code, and the places that its parts stand for.

use super::places::PlaceId;

/// The places of machine code: where each part ends, and its place if it has one. Sorted, and without gaps.
pub(crate) type Lines = Box<[(u32, Option<PlaceId>)]>;

struct Region {
    start: usize,
    length: usize,
    lines: Lines,
}

/// All machine code of the run, sorted by address.
#[derive(Default)]
pub(super) struct Regions(Vec<Region>);

impl Regions {
    pub(super) fn add(&mut self, start: usize, length: usize, lines: Lines) {
        let at = self.0.partition_point(|region| region.start < start);
        self.0.insert(at, Region { start, length, lines });
    }

    pub(super) fn remove(&mut self, start: usize) {
        if let Ok(at) = self.0.binary_search_by_key(&start, |region| region.start) {
            self.0.remove(at);
        }
    }

    /// The place of the machine code at this address. `None` if there is no machine code; `Some(None)` if it has no place.
    pub(super) fn place_at(&self, address: usize) -> Option<Option<PlaceId>> {
        let after = self.0.partition_point(|region| region.start <= address);
        let region = &self.0[after.checked_sub(1)?];
        let offset = address - region.start;
        if offset >= region.length {
            return None;
        }
        let at = region.lines.partition_point(|&(end, _)| end as usize <= offset);
        Some(region.lines.get(at).and_then(|&(_, place)| place))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
