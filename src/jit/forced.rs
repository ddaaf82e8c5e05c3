//! Forced exits, for tests: machine code leaves now and then where it may leave, although nothing asks for it.
//!
//! `PYTHON_JIT_FAIL_GUARDS=n` in the environment forces every n-th exit. What a program does stays the same: where an exit is
//! forced, the program goes on with the same instruction, which then looks at everything anew. So a program that prints
//! something else shows a fault in the description of an exit ([`super::exits`]). Without the variable, machine code is the
//! same as ever.
//!
//! Two kinds of exits are never forced: the way out of a branch or of a loop, which leads to where the program would go
//! otherwise; and one in front of the first instruction of an executor that bytecode enters there, which would enter it again.

use core::mem::offset_of;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicU64, Ordering};

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::types::I64;
use once_cell::race::OnceNonZeroUsize;

use super::lower::{Lowered, Lowering};
use crate::bytecode::micro_op;
use crate::host::ffi;
use crate::tier2::compiled::Next;
use crate::tier2::{Place, Uop, leaves_elsewhere};

/// The variable.
const VARIABLE: &str = "PYTHON_JIT_FAIL_GUARDS";

/// Only the main interpreter runs machine code, with its GIL.
#[repr(C)]
struct Counter {
    /// Places that can still be passed until an exit is forced, and that one.
    left: AtomicU64,
    /// The exits that were forced.
    forced: AtomicU64,
}

static COUNTER: Counter = Counter { left: AtomicU64::new(1), forced: AtomicU64::new(0) };

/// How many exits were forced since the process began.
pub(crate) fn count() -> u64 {
    COUNTER.forced.load(Ordering::Relaxed)
}

/// Which exits are forced: every n-th one. `None`: none are.
///
/// # Safety
/// The thread is attached to an interpreter that has read its configuration.
pub(super) unsafe fn period() -> Option<u64> {
    const NEVER: NonZeroUsize = NonZeroUsize::MAX;
    static PERIOD: OnceNonZeroUsize = OnceNonZeroUsize::new();
    let period = PERIOD.get_or_init(|| {
        // SAFETY: the interpreter has a configuration (caller).
        let use_environment = unsafe { (*ffi::_Py_GetConfig()).use_environment != 0 };
        let text = use_environment.then(|| std::env::var(VARIABLE).ok()).flatten();
        text.and_then(|text| text.parse().ok()).unwrap_or(NEVER)
    });
    (period != NEVER).then_some(period.get() as u64)
}

/// Passes a place where the code may leave. Returns whether the exit is forced.
///
/// # Safety
/// As for [`period`].
pub(super) unsafe fn is_forced() -> bool {
    // SAFETY: the contract is the same.
    let Some(period) = (unsafe { period() }) else { return false };
    let left = COUNTER.left.load(Ordering::Relaxed) - 1;
    let is_forced = left == 0;
    COUNTER.left.store(if is_forced { period } else { left }, Ordering::Relaxed);
    COUNTER.forced.fetch_add(is_forced.into(), Ordering::Relaxed);
    is_forced
}

impl Lowering<'_> {
    /// A place where the code may leave by this word: it does so if the exit is forced.
    pub(super) fn may_leave(&mut self, word: usize) -> Lowered {
        // SAFETY: the thread is attached while it compiles.
        let Some(period) = (unsafe { period() }) else { return Ok(()) };
        let leads_elsewhere =
            leaves_elsewhere(self.trace[self.at]) && word == self.word_of(Next::FAILED_GUARD);
        if leads_elsewhere || self.leads_to_beginning(word) {
            return Ok(());
        }
        let out = self.out(word)?;
        let [forced, go_on] = [(); 2].map(|()| self.b.create_block());
        self.b.set_cold_block(forced);
        let counter = self.constant((&raw const COUNTER).addr() as u64);
        let left = self.load(I64, counter, offset_of!(Counter, left));
        let left = self.b.ins().iadd_imm_s(left, -1);
        self.store(left, counter, offset_of!(Counter, left));
        self.b.ins().brif(left, go_on, &[], forced, &[]);
        self.b.switch_to_block(forced);
        let period = self.constant(period);
        self.store(period, counter, offset_of!(Counter, left));
        let count = self.load(I64, counter, offset_of!(Counter, forced));
        let count = self.b.ins().iadd_imm_s(count, 1);
        self.store(count, counter, offset_of!(Counter, forced));
        self.b.ins().jump(out, &[]);
        self.b.switch_to_block(go_on);
        Ok(())
    }

    /// Whether a word leads to the instruction that the executor is in the place of: it would run again, and make no progress.
    fn leads_to_beginning(&self, word: usize) -> bool {
        let stub = word as *const Uop;
        // SAFETY: without these bits, it is the address of a micro-op of the trace. The trace, its executor, and what this one
        // belongs to are live during the lowering.
        unsafe {
            let is_stub = word & 3 == 0 && matches!((*stub).number(), micro_op::exit_trace | micro_op::deopt);
            is_stub
                && self.part.code().is_some()
                && (*stub).place() == Place::Target(self.part.index() as u32)
        }
    }
}
