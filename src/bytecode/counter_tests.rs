//! Compares `BackoffCounter`, in every state, with a model that does not use bit operations.

use super::*;

/// The meaning of a counter: `pycore_backoff.h` in words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Model {
    /// Steps until it triggers.
    value: u32,
    /// The exponent of the next restart value. It grows with each failure.
    backoff: u32,
}

const VALUES: u32 = 4096;
const BACKOFFS: u32 = 16;
const LARGEST_BACKOFF: u32 = 12;
/// The backoff of a counter that never triggers. Its value is zero.
const NEVER: u32 = 15;

impl Model {
    fn of(counter: BackoffCounter) -> Model {
        let bits = u32::from(counter.bits());
        Model { value: bits / BACKOFFS, backoff: bits % BACKOFFS }
    }

    fn advance(self) -> Model {
        Model { value: (self.value + VALUES - 1) % VALUES, ..self }
    }

    fn pause(self) -> Model {
        Model { value: if self.value.is_multiple_of(2) { self.value + 1 } else { self.value }, ..self }
    }

    fn triggers(self) -> bool {
        self.value == 0 && self.backoff != NEVER
    }

    fn restart(self) -> Model {
        let backoff = if self.backoff < LARGEST_BACKOFF { self.backoff + 1 } else { LARGEST_BACKOFF };
        Model { value: 2_u32.pow(backoff) - 1, backoff }
    }
}

fn all() -> impl Iterator<Item = BackoffCounter> {
    (0..=u16::MAX).map(BackoffCounter::from_bits)
}

/// The counters that `new` and the methods can produce: any value, and no backoff above the largest.
fn valid() -> impl Iterator<Item = BackoffCounter> {
    all().filter(|counter| Model::of(*counter).backoff <= LARGEST_BACKOFF)
}

#[test]
fn bits_are_kept() {
    assert!((0..=u16::MAX).all(|bits| BackoffCounter::from_bits(bits).bits() == bits));
}

#[test]
fn a_new_counter_has_its_value_and_backoff() {
    for value in 0..VALUES {
        for backoff in 0..=LARGEST_BACKOFF {
            let counter = BackoffCounter::new(value as u16, backoff as u16);
            assert_eq!(Model::of(counter), Model { value, backoff });
        }
    }
}

#[test]
fn advance_is_one_step_in_every_state() {
    for counter in all() {
        assert_eq!(Model::of(counter.advance()), Model::of(counter).advance(), "{counter:?}");
    }
}

#[test]
fn pause_keeps_the_next_look_from_triggering_in_every_state() {
    for counter in all() {
        assert_eq!(Model::of(counter.pause()), Model::of(counter).pause(), "{counter:?}");
        assert!(!counter.pause().triggers(), "{counter:?}");
    }
}

#[test]
fn triggers_at_zero_and_nowhere_else() {
    for counter in all() {
        assert_eq!(counter.triggers(), Model::of(counter).triggers(), "{counter:?}");
    }
}

#[test]
fn restart_doubles_up_to_the_limit() {
    for counter in valid() {
        assert_eq!(Model::of(counter.restart()), Model::of(counter).restart(), "{counter:?}");
        assert!(counter.restart().bits() >= 1 << BACKOFF_BITS, "{counter:?} would trigger at once");
    }
}

/// The number of steps until the counter triggers.
fn steps(mut counter: BackoffCounter) -> Option<u32> {
    let steps = (0..=u32::from(u16::MAX)).find(|_| {
        let triggers = counter.triggers();
        counter = counter.advance();
        triggers
    });
    steps.filter(|steps| *steps < VALUES)
}

#[test]
fn a_counter_triggers_after_as_many_steps_as_its_value() {
    for counter in valid().filter(|counter| counter.bits().is_multiple_of(7)) {
        assert_eq!(steps(counter), Some(Model::of(counter).value), "{counter:?}");
    }
}

#[test]
fn failures_back_off_exponentially() {
    let mut counter = BackoffCounter::new(1, 1);
    let mut waited = vec![];
    for _ in 0..15 {
        waited.push(steps(counter).unwrap());
        counter = counter.restart();
    }
    assert_eq!(waited, [1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047, 4095, 4095, 4095, 4095]);
}

#[test]
fn the_unreachable_one_never_triggers() {
    assert_eq!(Model::of(BackoffCounter::UNREACHABLE), Model { value: 0, backoff: NEVER });
    let mut counter = BackoffCounter::UNREACHABLE;
    for _ in 0..2 * VALUES {
        assert!(!counter.triggers() && !counter.pause().triggers());
        counter = counter.advance();
    }
    assert_eq!(counter, BackoffCounter::UNREACHABLE);
    // No counting operation produces it from a valid counter.
    for counter in valid() {
        for next in [counter.advance(), counter.pause(), counter.restart()] {
            assert_ne!(next, BackoffCounter::UNREACHABLE, "{counter:?}");
        }
    }
}

/// The operations on the counter in a cache change that counter and no other unit.
#[test]
fn counters_in_caches_change_like_counters() {
    for counter in all() {
        let run = |change: unsafe fn(CodeUnit)| {
            let mut units = [0x1234, counter.bits(), 0x5678];
            // SAFETY: `units` is an instruction with a cache of two units, which lives as long as the call.
            unsafe { change(CodeUnit::from_ptr(units.as_mut_ptr().cast())) };
            assert_eq!([units[0], units[2]], [0x1234, 0x5678]);
            BackoffCounter::from_bits(units[1])
        };
        assert_eq!(run(BackoffCounter::advance_at), counter.advance());
        assert_eq!(run(BackoffCounter::pause_at), counter.pause());
    }
}
