//! Where no more traces begin, because there was no machine code for one that did.

use std::sync::{Mutex, PoisonError};

use crate::host::CodeUnit;

/// The most places that are noted. The oldest ones are forgotten.
const MOST: usize = 1024;

/// An instruction, and the version of its code object: another one may be at the same address when that is dead.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place(usize, u32);

#[derive(Default)]
struct Places {
    all: Vec<Place>,
    next: usize,
}

static PLACES: Mutex<Places> = Mutex::new(Places { all: Vec::new(), next: 0 });

impl Places {
    fn add(&mut self, place: Place) {
        if self.all.contains(&place) {
            return;
        }
        if self.all.len() < MOST && self.all.try_reserve(1).is_ok() {
            self.all.push(place);
        } else if let Some(oldest) = self.all.get_mut(self.next) {
            *oldest = place;
            self.next = (self.next + 1) % MOST;
        }
    }
}

/// Declines all traces that begin at an instruction of code with this version.
pub(super) fn add(start: usize, code_version: u32) {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner).add(Place(start, code_version));
}

/// Whether traces that begin there are declined.
pub(super) fn contains(start: CodeUnit, code_version: u32) -> bool {
    let place = Place(start.as_ptr().addr(), code_version);
    PLACES.lock().unwrap_or_else(PoisonError::into_inner).all.contains(&place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_places_are_forgotten() {
        let mut places = Places::default();
        for number in 0..MOST + 2 {
            places.add(Place(number, 1));
            places.add(Place(number, 1));
        }
        assert_eq!(places.all.len(), MOST);
        for (number, is_there) in [(0, false), (1, false), (2, true), (MOST + 1, true)] {
            assert_eq!(places.all.contains(&Place(number, 1)), is_there, "{number}");
        }
    }
}
