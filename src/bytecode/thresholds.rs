//! Initial values of the counters of tier 2. Four environment variables change them. They are read once, when
//! the first code object is made, unless the host is configured to ignore its environment.

use core::num::NonZeroUsize;
use std::ffi::OsString;
use std::io::Write;
use std::ops::RangeInclusive;

use once_cell::race::OnceNonZeroUsize;

use super::counter::{BackoffCounter, MAX_BACKOFF, MAX_VALUE};
use crate::host::ffi;

/// The initial counters of tier 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thresholds {
    /// Jumps of a `JUMP_BACKWARD` until the loop is traced. Also the value from which it restarts after that.
    pub(crate) jump_backward: BackoffCounter,
    /// Exits through a side exit (its temperature) until the code behind it is traced.
    pub(crate) side_exit: BackoffCounter,
}

/// The thresholds of this process.
///
/// # Safety
/// The thread is attached to an interpreter that has read its configuration.
pub(crate) unsafe fn get() -> Thresholds {
    static THRESHOLDS: OnceNonZeroUsize = OnceNonZeroUsize::new();
    let word = THRESHOLDS.get_or_init(|| {
        // SAFETY: the thread is attached to an interpreter with a configuration (caller), which lives as long as its
        // interpreter.
        let use_environment = unsafe { (*ffi::_Py_GetConfig()).use_environment != 0 };
        let thresholds = Thresholds::read(
            |variable| if use_environment { std::env::var_os(variable) } else { None },
            // It is too early for the host's `warnings`. If stderr is closed, the message is lost.
            |complaint| drop(writeln!(std::io::stderr(), "{complaint}")),
        );
        thresholds.to_word()
    });
    Thresholds::from_word(word)
}

impl Thresholds {
    /// Calls of a function until it is traced: four times the jumps of a loop. 0, never, if that is more than a counter
    /// holds.
    #[cfg(py_tier2)]
    pub(crate) fn calls(self) -> u16 {
        let calls = 4 * self.jump_backward.value();
        if calls <= MAX_VALUE { calls } else { 0 }
    }

    /// How often a trace is entered, or goes round, until it becomes machine code: 32 times the exits through a side exit
    /// until the code behind it is traced.
    #[cfg(feature = "jit")]
    pub(crate) fn heat(self) -> usize {
        32 * usize::from(self.side_exit.value())
    }

    /// Whether the program waits until its machine code is there: if all is hot at once, which is for tests.
    #[cfg(feature = "jit")]
    pub(crate) fn waits_for_code(self) -> bool {
        self.side_exit.value() == 1
    }

    /// The thresholds as one word, for the cell that holds them.
    fn to_word(self) -> NonZeroUsize {
        /// A bit above those of the counters: a cell that holds zero is empty.
        const FULL: NonZeroUsize = NonZeroUsize::new(1 << u32::BITS).unwrap();
        let counters = [self.jump_backward, self.side_exit].map(|counter| usize::from(counter.bits()));
        FULL | counters[0] | counters[1] << u16::BITS
    }

    fn from_word(word: NonZeroUsize) -> Thresholds {
        let counter = |bits: usize| BackoffCounter::from_bits(bits as u16);
        Thresholds { jump_backward: counter(word.get()), side_exit: counter(word.get() >> u16::BITS) }
    }

    fn read(
        environment: impl Fn(&'static str) -> Option<OsString>,
        complain: impl Fn(OutOfRange),
    ) -> Thresholds {
        let value = |variable: &Variable| {
            // An empty variable counts as unset, as for all variables of the host.
            let Some(text) = environment(variable.name).filter(|text| !text.is_empty()) else {
                return variable.default;
            };
            variable.parse(text.to_str().unwrap_or_default()).unwrap_or_else(|refusal| {
                complain(refusal);
                variable.default
            })
        };
        Thresholds {
            jump_backward: BackoffCounter::new(
                value(&JUMP_BACKWARD_INITIAL_VALUE),
                value(&JUMP_BACKWARD_INITIAL_BACKOFF),
            ),
            side_exit: BackoffCounter::new(
                value(&SIDE_EXIT_INITIAL_VALUE),
                value(&SIDE_EXIT_INITIAL_BACKOFF),
            ),
        }
    }
}

/// An environment variable that holds a number.
struct Variable {
    name: &'static str,
    range: RangeInclusive<u16>,
    default: u16,
}

const VALUES: RangeInclusive<u16> = 1..=MAX_VALUE;
const BACKOFFS: RangeInclusive<u16> = 0..=MAX_BACKOFF;

const JUMP_BACKWARD_INITIAL_VALUE: Variable =
    Variable { name: "PYTHON_JIT_JUMP_BACKWARD_INITIAL_VALUE", range: VALUES, default: 16 };
const JUMP_BACKWARD_INITIAL_BACKOFF: Variable =
    Variable { name: "PYTHON_JIT_JUMP_BACKWARD_INITIAL_BACKOFF", range: BACKOFFS, default: 4 };
const SIDE_EXIT_INITIAL_VALUE: Variable =
    Variable { name: "PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE", range: VALUES, default: 64 };
const SIDE_EXIT_INITIAL_BACKOFF: Variable =
    Variable { name: "PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF", range: BACKOFFS, default: 6 };

// A side exit must not become hot before the instructions behind it have had time to specialize again.
static_assertions::const_assert!(SIDE_EXIT_INITIAL_VALUE.default as u32 > ffi::ADAPTIVE_COOLDOWN_VALUE);

impl Variable {
    fn parse(&self, text: &str) -> Result<u16, OutOfRange> {
        let number = text.trim().parse().ok().filter(|number| self.range.contains(number));
        number.ok_or_else(|| OutOfRange { name: self.name, range: self.range.clone(), default: self.default })
    }
}

/// The value of a variable is not a number in its range.
#[derive(Debug, PartialEq, Eq)]
struct OutOfRange {
    name: &'static str,
    range: RangeInclusive<u16>,
    default: u16,
}

impl core::fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let OutOfRange { name, range, default } = self;
        let (first, last) = (range.start(), range.end());
        write!(
            f,
            "RuntimeWarning: {name} must be an integer from {first} to {last}; using the default, {default}"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// The thresholds for these variables, and the messages about wrong values.
    fn read(variables: &[(&str, &str)]) -> (Thresholds, Vec<String>) {
        let complaints = RefCell::new(Vec::new());
        let thresholds = Thresholds::read(
            |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()),
            |complaint| complaints.borrow_mut().push(complaint.to_string()),
        );
        (thresholds, complaints.into_inner())
    }

    fn thresholds(jump_backward: (u16, u16), side_exit: (u16, u16)) -> Thresholds {
        Thresholds {
            jump_backward: BackoffCounter::new(jump_backward.0, jump_backward.1),
            side_exit: BackoffCounter::new(side_exit.0, side_exit.1),
        }
    }

    #[test]
    fn loops_count_from_16_and_side_exits_from_64() {
        assert_eq!(read(&[]), (thresholds((16, 4), (64, 6)), vec![]));
        assert_eq!(read(&[("PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE", "")]).1, Vec::<String>::new());
    }

    #[cfg(py_tier2)]
    #[test]
    fn functions_count_four_times_as_far_as_loops() {
        for (jumps, calls) in [(16, 64), (1, 4), (1023, 4092), (1024, 0), (MAX_VALUE, 0)] {
            assert_eq!(thresholds((jumps, 4), (64, 6)).calls(), calls);
        }
    }

    #[test]
    fn a_word_holds_all_of_them() {
        for values in [thresholds((1, 0), (MAX_VALUE, MAX_BACKOFF)), thresholds((16, 4), (64, 6))] {
            assert_eq!(Thresholds::from_word(values.to_word()), values);
        }
    }

    #[test]
    fn each_variable_sets_its_own_part() {
        let variables = [
            ("PYTHON_JIT_JUMP_BACKWARD_INITIAL_VALUE", "4095"),
            ("PYTHON_JIT_JUMP_BACKWARD_INITIAL_BACKOFF", " 12 "),
            ("PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE", "1"),
            ("PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF", "0"),
        ];
        assert_eq!(read(&variables), (thresholds((4095, 12), (1, 0)), vec![]));
    }

    #[test]
    fn what_is_out_of_range_is_complained_about_and_ignored() {
        for text in ["0", "4096", "-1", "70000", "many", "1.5"] {
            let (read, complaints) = read(&[("PYTHON_JIT_JUMP_BACKWARD_INITIAL_VALUE", text)]);
            assert_eq!(read, thresholds((16, 4), (64, 6)), "{text}");
            let expected = "RuntimeWarning: PYTHON_JIT_JUMP_BACKWARD_INITIAL_VALUE must be an integer from \
                            1 to 4095; using the default, 16";
            assert_eq!(complaints, [expected], "{text}");
        }
        let (_, complaints) = read(&[("PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF", "13")]);
        assert!(complaints[0].contains("PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF"), "{complaints:?}");
        assert!(complaints[0].contains("from 0 to 12"), "{complaints:?}");
    }
}
