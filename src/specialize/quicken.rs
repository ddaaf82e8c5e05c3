//! New bytecode: the first values of its counters, and whether they can trigger at all. Callers: `exports`
//! for `_PyCode_Quicken`, `instrument` for [`fresh_counter`], and `tlbc` for [`Counters`].

use crate::bytecode::{BackoffCounter, opcode, thresholds};
use crate::host::ffi;

/// The first value of a branch history: jumps and non-jumps alternate.
const ALTERNATING: u16 = 0x5555;

/// The first values of counters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counters {
    pub(crate) adaptive: BackoffCounter,
    pub(crate) jump_backward: BackoffCounter,
}

impl Counters {
    /// Counters that never trigger, so that no instruction specializes and no loop is compiled. This is all
    /// that `-X tlbc=0` means to the specializer.
    const DISABLED: Counters =
        Counters { adaptive: BackoffCounter::UNREACHABLE, jump_backward: BackoffCounter::UNREACHABLE };

    /// The counters of bytecode that is specialized.
    ///
    /// # Safety
    /// The thread is attached to an interpreter that has read its configuration.
    pub(crate) unsafe fn enabled() -> Counters {
        // SAFETY: the caller's contract.
        let thresholds = unsafe { thresholds::get() };
        Counters { adaptive: BackoffCounter::WARMUP, jump_backward: thresholds.jump_backward }
    }

    /// The first cache unit of a new instruction: a counter, or a branch history.
    #[inline]
    pub(crate) fn first_unit(self, opcode: u8) -> u16 {
        match opcode {
            opcode::JUMP_BACKWARD => self.jump_backward.bits(),
            opcode::POP_JUMP_IF_FALSE
            | opcode::POP_JUMP_IF_TRUE
            | opcode::POP_JUMP_IF_NONE
            | opcode::POP_JUMP_IF_NOT_NONE => ALTERNATING,
            _ => self.adaptive.bits(),
        }
    }
}

/// The counter of an instruction that starts to specialize again; one that never triggers if instructions do
/// not specialize.
///
/// # Safety
/// `interp` is live.
pub(crate) unsafe fn fresh_counter(interp: *mut ffi::PyInterpreterState) -> BackoffCounter {
    #[cfg(not(py_gil_disabled))]
    let _ = interp;
    #[cfg(py_gil_disabled)]
    // SAFETY: `interp` is live (caller).
    if !unsafe { crate::host::copies::enabled(interp) } {
        return Counters::DISABLED.adaptive;
    }
    BackoffCounter::WARMUP
}

/// Writes the first unit of each cache.
fn quicken(units: &mut [u16], caches: &[u8; 256], counters: Counters) {
    let mut at = 0;
    // The last unit has no cache: it is an instruction that leaves the code.
    while at + 1 < units.len() {
        let [opcode, _] = units[at].to_ne_bytes();
        let cache_units = caches[opcode as usize] as usize;
        if cache_units > 0 {
            units[at + 1] = counters.first_unit(opcode);
        }
        at += 1 + cache_units;
    }
}

/// Prepares new bytecode: instructions get their counters, which never trigger unless `enable_counters`.
///
/// # Safety
/// The thread is attached to an interpreter that has read its configuration.
pub(crate) unsafe fn prepare(units: &mut [u16], enable_counters: bool) {
    // SAFETY: the interpreter has its configuration (caller). The host's table is constant.
    unsafe {
        let counters = if enable_counters { Counters::enabled() } else { Counters::DISABLED };
        quicken(units, &ffi::_PyOpcode_Caches, counters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytecode::metadata::INSTRUCTIONS;

    fn caches() -> [u8; 256] {
        let mut caches = [0; 256];
        for row in INSTRUCTIONS.iter().filter(|row| row.family.is_none()) {
            caches[row.opcode as usize] = row.cache_units() as u8;
        }
        caches
    }

    /// The bytecode of these instructions, with all ones in their caches.
    fn bytecode(opcodes: &[u8]) -> Vec<u16> {
        let caches = caches();
        let units = |&opcode: &u8| {
            let cache = std::iter::repeat_n(0xFFFF, caches[opcode as usize] as usize);
            std::iter::once(u16::from_ne_bytes([opcode, 9])).chain(cache)
        };
        opcodes.iter().flat_map(units).collect()
    }

    const CODE: &[u8] = &[
        opcode::RESUME,
        opcode::LOAD_ATTR,
        opcode::POP_JUMP_IF_FALSE,
        opcode::POP_JUMP_IF_NOT_NONE,
        opcode::JUMP_BACKWARD,
        opcode::RETURN_VALUE,
    ];

    fn quickened(counters: Counters) -> Vec<u16> {
        let mut units = bytecode(CODE);
        quicken(&mut units, &caches(), counters);
        units
    }

    fn expected(adaptive: u16, jump_backward: u16) -> Vec<u16> {
        let mut units = bytecode(CODE);
        // RESUME is one unit, LOAD_ATTR ten, and the jumps two each.
        for (at, word) in [(2, adaptive), (12, 0x5555), (14, 0x5555), (16, jump_backward)] {
            units[at] = word;
        }
        units
    }

    #[test]
    fn counters_and_histories_start_where_they_should() {
        let jump_backward = BackoffCounter::new(16, 4);
        let counters = Counters { adaptive: BackoffCounter::WARMUP, jump_backward };
        assert_eq!(quickened(counters), expected((1 << 4) | 1, (16 << 4) | 4));
    }

    #[test]
    fn disabled_counters_never_trigger() {
        assert_eq!(quickened(Counters::DISABLED), expected(15, 15));
    }

    #[test]
    fn a_fresh_counter_triggers_only_where_there_is_specialization() {
        // SAFETY: integers and pointers, for which zero is a value.
        let mut interp = unsafe { Box::<ffi::PyInterpreterState>::new_zeroed().assume_init() };
        for enabled in [0, 1] {
            #[cfg(py_gil_disabled)]
            (interp.config.tlbc_enabled = enabled);
            // SAFETY: `interp` is a live local.
            let counter = unsafe { fresh_counter(&raw mut *interp) };
            let is_off = cfg!(py_gil_disabled) && enabled == 0;
            assert_eq!(counter.is_unreachable(), is_off);
            assert_eq!(counter == BackoffCounter::WARMUP, !is_off);
        }
    }

    #[test]
    fn bytecode_may_be_empty_or_end_where_a_cache_would_begin() {
        quicken(&mut [], &caches(), Counters::DISABLED);
        let mut units = [u16::from_ne_bytes([opcode::LOAD_ATTR, 0])];
        quicken(&mut units, &caches(), Counters::DISABLED);
        assert_eq!(units, [u16::from_ne_bytes([opcode::LOAD_ATTR, 0])]);
    }
}
