//! The opcode byte of an instruction. Two writers share it: the specializer, in the thread that runs the
//! bytecode, and instrumentation, in any thread.

use core::sync::atomic::{AtomicU8, Ordering};

/// An atomic opcode. A trait, so that the tests can substitute the atomics of the model checker.
pub(crate) trait OpcodeByte {
    /// `AtomicU8::compare_exchange`.
    fn compare_exchange(&self, expected: u8, new: u8, success: Ordering, failure: Ordering)
    -> Result<u8, u8>;
}

impl OpcodeByte for AtomicU8 {
    #[inline(always)]
    fn compare_exchange(
        &self,
        expected: u8,
        new: u8,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u8, u8> {
        self.compare_exchange(expected, new, success, failure)
    }
}

/// Replaces the opcode `expected` by `new`, unless another thread (or instrumentation) has changed it
/// meanwhile. Returns whether it did. A thread that reads the new opcode with acquire order sees the caches
/// that were written before.
#[inline(always)]
pub(crate) fn replace(opcode: &impl OpcodeByte, expected: u8, new: u8) -> bool {
    opcode.compare_exchange(expected, new, Ordering::Release, Ordering::Relaxed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicU8 as ModelU8, AtomicU16 as ModelU16};
    use loom::thread;

    impl OpcodeByte for ModelU8 {
        fn compare_exchange(
            &self,
            expected: u8,
            new: u8,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u8, u8> {
            self.compare_exchange(expected, new, success, failure)
        }
    }

    // As in the host, instrumented opcodes are above all others.
    const GENERIC: u8 = 10;
    const SPECIALIZED: u8 = 11;
    const OTHER: u8 = 12;
    const INSTRUMENTED: u8 = 240;

    fn load(opcode: &ModelU8) -> u8 {
        opcode.load(Ordering::Relaxed)
    }

    /// What the specializer does: reads the opcode, decides, and replaces what it has read unless that is
    /// instrumented.
    fn specialize(opcode: &ModelU8, new: u8) -> bool {
        let seen = load(opcode);
        seen < INSTRUMENTED && replace(opcode, seen, new)
    }

    /// What instrumentation does: sets the opcode, whatever it was. A swap, because the model checker does not
    /// order plain stores among exchanges as the language does.
    fn instrument(opcode: &ModelU8) {
        opcode.swap(INSTRUMENTED, Ordering::Relaxed);
    }

    #[test]
    fn an_instrumented_instruction_is_never_overwritten() {
        loom::model(|| {
            let opcode = Arc::new(ModelU8::new(GENERIC));
            let writer = {
                let opcode = opcode.clone();
                thread::spawn(move || {
                    instrument(&opcode);
                    // It stays, whatever the specializer does meanwhile.
                    assert_eq!(load(&opcode), INSTRUMENTED);
                    thread::yield_now();
                    assert_eq!(load(&opcode), INSTRUMENTED);
                })
            };
            specialize(&opcode, SPECIALIZED);
            specialize(&opcode, OTHER);
            specialize(&opcode, GENERIC);
            writer.join().unwrap();
            assert_eq!(load(&opcode), INSTRUMENTED);
        });
    }

    /// The instruction is instrumented and restored between the specializer's read and its write. The
    /// specialized form is right then, since it replaces the generic instruction that the specializer read.
    #[test]
    fn relief_lets_the_specializer_in_again() {
        loom::model(|| {
            let opcode = Arc::new(ModelU8::new(GENERIC));
            let writer = {
                let opcode = opcode.clone();
                thread::spawn(move || {
                    instrument(&opcode);
                    opcode.swap(GENERIC, Ordering::Relaxed);
                })
            };
            let succeeded = specialize(&opcode, SPECIALIZED);
            writer.join().unwrap();
            // The instruction may have been restored after that, to the generic form.
            let left = load(&opcode);
            assert!(left == GENERIC || succeeded && left == SPECIALIZED, "{left}");
        });
    }

    /// Two threads specialize the same copy of bytecode (the main copy has more than one user). One form wins,
    /// and the thread that did not write knows it.
    #[test]
    fn two_specializers_agree_on_who_has_won() {
        loom::model(|| {
            let opcode = Arc::new(ModelU8::new(GENERIC));
            let other = {
                let opcode = opcode.clone();
                thread::spawn(move || replace(&*opcode, GENERIC, OTHER))
            };
            let own = replace(&*opcode, GENERIC, SPECIALIZED);
            let other = other.join().unwrap();
            assert!(own != other);
            assert_eq!(load(&opcode), if own { SPECIALIZED } else { OTHER });
        });
    }

    /// The caches are written before the opcode, so a thread that sees the specialized form sees its caches.
    #[test]
    fn a_form_comes_with_its_caches() {
        loom::model(|| {
            let instr = Arc::new((ModelU8::new(GENERIC), ModelU16::new(0)));
            let reader = {
                let instr = instr.clone();
                thread::spawn(move || {
                    if instr.0.load(Ordering::Acquire) == SPECIALIZED {
                        assert_eq!(instr.1.load(Ordering::Relaxed), 7);
                    }
                })
            };
            instr.1.store(7, Ordering::Relaxed);
            replace(&instr.0, GENERIC, SPECIALIZED);
            reader.join().unwrap();
        });
    }

    /// The model detects the fault that it is for: a plain store instead of the exchange.
    #[test]
    #[should_panic(expected = "assertion")]
    fn a_plain_store_would_be_found_out() {
        loom::model(|| {
            let opcode = Arc::new(ModelU8::new(GENERIC));
            let writer = {
                let opcode = opcode.clone();
                thread::spawn(move || instrument(&opcode))
            };
            if load(&opcode) < INSTRUMENTED {
                opcode.store(SPECIALIZED, Ordering::Relaxed);
            }
            writer.join().unwrap();
            assert_eq!(load(&opcode), INSTRUMENTED);
        });
    }
}
