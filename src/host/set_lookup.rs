//! Looking up keys in sets. Source: `setobject.h`, `setobject.c`.

use super::dict_lookup::Key;
use super::{PyObject, ffi};

/// How many places behind a place are tried before the next one is computed.
const LINEAR_PROBES: usize = 9;
/// How far the hash is shifted for that.
const PERTURB_SHIFT: u32 = 5;

/// Whether a set has a key, if that is found out without Python code: a key that is exactly a string with a known hash, an
/// int of few digits, or of a type that hashes by address.
///
/// # Safety
/// The thread is attached. The set or frozenset and the key are live.
pub(crate) unsafe fn contains(set: *mut ffi::PySetObject, key: *mut PyObject) -> Option<bool> {
    // SAFETY: both are live (caller). The table has `mask + 1` places, one of which is free. No code runs that might change it.
    unsafe {
        let key = Key::new(key).or_else(|| Key::like_int(key))?;
        let (table, mask) = ((*set).table, (*set).mask as usize);
        let (mut start, mut perturb) = (key.hash() as usize & mask, key.hash() as usize);
        loop {
            let tried = if start + LINEAR_PROBES <= mask { LINEAR_PROBES + 1 } else { 1 };
            for index in start..start + tried {
                let entry = &*table.add(index);
                if entry.key.is_null() && entry.hash == 0 {
                    return Some(false);
                }
                if entry.hash == key.hash() && (key.is(entry.key) || key.equals(entry.key)?) {
                    return Some(true);
                }
            }
            perturb >>= PERTURB_SHIFT;
            start = start.wrapping_mul(5).wrapping_add(1).wrapping_add(perturb) & mask;
        }
    }
}
