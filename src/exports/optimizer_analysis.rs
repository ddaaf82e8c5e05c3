//! Temporary: lets the host's `optimizer.o` call the optimizer.

use core::ffi::c_int;

use crate::host::{Frame, ffi};
use crate::tier2::{Dependencies, Trace, Uop, optimize};

/// # Safety
/// As for `optimize`; `trace` has room for `UOP_MAX_TRACE_LENGTH` micro-ops, `length` of which are set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_uop_analyze_and_optimize(
    frame: *mut ffi::_PyInterpreterFrame,
    trace: *mut ffi::_PyUOpInstruction,
    length: c_int,
    stack_entries: c_int,
    dependencies: *mut ffi::_PyBloomFilter,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        let uops = core::slice::from_raw_parts(trace.cast::<Uop>(), length as usize);
        let mut optimized: Trace = uops.iter().copied().collect();
        if std::env::var_os("REVAL_DUMP").is_some() {
            eprintln!("--- before {length}");
            for u in &optimized {
                eprintln!(
                    "{:?} {} {:?} {:#x} {:#x}",
                    crate::ops::metadata::MicroOp::host_name(u.number()),
                    u.oparg,
                    u.place(),
                    u.operand0,
                    u.operand1
                );
            }
        }
        let mut wanted = Dependencies::NONE;
        if !optimize::optimize(Frame::from_ptr(frame), &mut optimized, stack_entries as usize, &mut wanted) {
            return 0;
        }
        let bits = wanted.into_host().bits;
        for (word, more) in (*dependencies).bits.iter_mut().zip(bits) {
            *word |= more;
        }
        core::ptr::copy_nonoverlapping(optimized.as_ptr(), trace.cast::<Uop>(), optimized.len());
        optimized.len() as c_int
    }
}
