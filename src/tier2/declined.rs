//! Where no traces begin for a while, or any more, because there was no machine code for one that did, or because it was not
//! worth any.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::host::CodeUnit;

/// The most places that are noted. The oldest ones are forgotten.
const MOST: usize = 1024;
/// How long no trace begins at a place where one was not worth machine code. Each time, it is four times as long as before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MORE_EACH_TIME: u32 = 4;

/// How long traces are declined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Term {
    /// There is no machine code for what begins there.
    ForGood,
    /// What begins there runs too seldom.
    ForNow,
}

/// An instruction, and the version of its code object: another one may be at the same address when that is dead.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place(usize, u32);

/// Until when, if that ends, and how long it is until then.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Pause {
    end: Instant,
    length: Duration,
}

#[derive(Default)]
struct Places {
    all: Vec<(Place, Option<Pause>)>,
    next: usize,
}

static PLACES: Mutex<Places> = Mutex::new(Places { all: Vec::new(), next: 0 });

impl Places {
    fn add(&mut self, place: Place, term: Term, now: Instant) {
        let first = Pause { end: now + FIRST_PAUSE, length: FIRST_PAUSE };
        let first = (term == Term::ForNow).then_some(first);
        if let Some((_, pause)) = self.all.iter_mut().find(|(noted, _)| *noted == place) {
            *pause = match (*pause, first) {
                (Some(Pause { length, .. }), Some(_)) => {
                    let length = length.saturating_mul(MORE_EACH_TIME);
                    now.checked_add(length).map(|end| Pause { end, length })
                }
                _ => None,
            };
        } else if self.all.len() < MOST && self.all.try_reserve(1).is_ok() {
            self.all.push((place, first));
        } else if let Some(oldest) = self.all.get_mut(self.next) {
            *oldest = (place, first);
            self.next = (self.next + 1) % MOST;
        }
    }

    fn term(&self, place: Place, now: Instant) -> Option<Term> {
        match self.all.iter().find(|(noted, _)| *noted == place)?.1 {
            None => Some(Term::ForGood),
            Some(pause) => (now < pause.end).then_some(Term::ForNow),
        }
    }
}

/// Declines all traces that begin at an instruction of code with this version.
pub(super) fn add(start: usize, code_version: u32, term: Term) {
    let place = Place(start, code_version);
    PLACES.lock().unwrap_or_else(PoisonError::into_inner).add(place, term, Instant::now());
}

/// Whether traces that begin there are declined, and how long.
pub(super) fn term(start: CodeUnit, code_version: u32) -> Option<Term> {
    let place = Place(start.as_ptr().addr(), code_version);
    PLACES.lock().unwrap_or_else(PoisonError::into_inner).term(place, Instant::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_places_are_forgotten() {
        let mut places = Places::default();
        let now = Instant::now();
        for number in 0..MOST + 2 {
            places.add(Place(number, 1), Term::ForGood, now);
            places.add(Place(number, 1), Term::ForGood, now);
        }
        assert_eq!(places.all.len(), MOST);
        for (number, term) in
            [(0, None), (1, None), (2, Some(Term::ForGood)), (MOST + 1, Some(Term::ForGood))]
        {
            assert_eq!(places.term(Place(number, 1), now), term, "{number}");
        }
    }

    #[test]
    fn what_runs_seldom_is_declined_for_longer_and_longer() {
        let mut places = Places::default();
        let place = Place(8, 1);
        let mut now = Instant::now();
        for length in [1, 4, 16] {
            places.add(place, Term::ForNow, now);
            let end = now + length * FIRST_PAUSE;
            assert_eq!(places.term(place, end - Duration::from_millis(1)), Some(Term::ForNow));
            assert_eq!(places.term(place, end), None);
            now = end;
        }
        places.add(place, Term::ForGood, now);
        places.add(place, Term::ForNow, now);
        assert_eq!(places.term(place, now + Duration::from_secs(1 << 20)), Some(Term::ForGood));
    }
}
