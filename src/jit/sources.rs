//! While a run is explained: which lines machine code stands for.
//!
//! Cranelift keeps a number, the *source location*, with each of its instructions, and says which machine code has which number.
//! The compiler numbers the micro-ops in the order in which it lowers them.

use cranelift_codegen::ir::SourceLoc;

use super::lower::Lowering;
use crate::explain::{self, Lines, PlaceId};
use crate::tier2::explained;

impl Lowering<'_> {
    /// What follows stands for the current micro-op.
    pub(super) fn note_source(&mut self) {
        if explain::is_on() {
            self.b.set_srcloc(SourceLoc::new(self.sources.len() as u32));
            self.sources.push((self.part, self.at));
        }
    }

    /// What follows stands for no micro-op.
    pub(super) fn note_no_source(&mut self) {
        self.b.set_srcloc(SourceLoc::default());
    }

    /// The places of all source locations.
    ///
    /// # Safety
    /// The thread is attached. The executors of the sources are live and valid.
    pub(super) unsafe fn places(&self) -> Vec<Option<PlaceId>> {
        let mut places = Vec::with_capacity(self.sources.len());
        for part in self.sources.chunk_by(|(one, _), (other, _)| one == other) {
            // SAFETY: the executor is live and valid (caller).
            unsafe {
                let origins = explained::origins(part[0].0);
                places.extend(part.iter().map(|&(_, at)| explained::place_of(&origins, at)));
            }
        }
        places
    }
}

/// The places of machine code, from those of its source locations. `ranges` are the parts with one location each: begin, end,
/// location.
pub(super) fn lines_of(
    ranges: impl Iterator<Item = (u32, u32, SourceLoc)>,
    places: &[Option<PlaceId>],
) -> Lines {
    let mut lines: Vec<(u32, Option<PlaceId>)> = Vec::new();
    let mut add = |end: u32, place: Option<PlaceId>| match lines.last_mut() {
        Some((last, same)) if *same == place => *last = end,
        _ => lines.push((end, place)),
    };
    let mut at = 0;
    for (start, end, location) in ranges {
        if start > at {
            add(start, None);
        }
        let place = if location.is_default() { None } else { places.get(location.bits() as usize) };
        add(end, place.copied().flatten());
        at = end;
    }
    lines.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_with_the_same_place_are_one() {
        let [one, two] = [PlaceId::new(1), PlaceId::new(2)];
        let places = [Some(one), Some(one), None, Some(two)];
        let at = SourceLoc::new;
        // The part from 30 to 40 has no location; that of the last one stands for nothing.
        let ranges = [
            (0, 10, at(0)),
            (10, 20, at(1)),
            (20, 30, at(2)),
            (40, 50, at(3)),
            (50, 60, SourceLoc::default()),
        ];
        let lines = lines_of(ranges.into_iter(), &places);
        assert_eq!(*lines, [(20, Some(one)), (40, None), (50, Some(two)), (60, None)]);
        assert!(lines_of([].into_iter(), &[]).is_empty());
    }
}
