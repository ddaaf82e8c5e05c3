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

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: PlaceId = PlaceId::new(1);
    const TWO: PlaceId = PlaceId::new(2);

    #[test]
    fn addresses_in_machine_code_have_places() {
        let mut regions = Regions::new(10..20);
        regions.add(300, 50, Box::new([(10, Some(ONE)), (20, None), (40, Some(TWO))]));
        regions.add(100, 50, Box::new([(50, Some(TWO))]));
        for (address, place) in [
            (99, None),
            (100, Some(Some(TWO))),
            (149, Some(Some(TWO))),
            (150, None),
            (300, Some(Some(ONE))),
            (309, Some(Some(ONE))),
            (310, Some(None)),
            (320, Some(Some(TWO))),
            // Behind the last part, there is code without a place.
            (340, Some(None)),
            (349, Some(None)),
            (350, None),
        ] {
            assert_eq!(regions.place_at(address), place, "{address}");
        }
        assert!(regions.is_in_entry(10) && !regions.is_in_entry(20));
        regions.remove(100);
        assert_eq!(regions.place_at(100), None);
        assert!(!regions.is_empty());
        regions.remove(300);
        assert!(regions.is_empty());
    }
}
