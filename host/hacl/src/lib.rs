//! The `_Py_LibHacl_*` functions that the `_md5`, `_sha1`, `_sha2`, `_sha3` and `_blake2` members of a
//! packaged `libpython3.14.a` call. Distributions leave HACL*, which defines them, out of the archive.
//!
//! States are opaque to the callers: they come from a `malloc` or `copy` function here and go back
//! through `free`. A `digest` leaves its state as it was, so that more data may follow.
//! Allocation failure aborts, so no function returns null.

mod blake2;
mod fixed;
mod sha3;

use std::slice;

/// `Hacl_Streaming_Types_error_code`.
type ErrorCode = u8;
const SUCCESS: ErrorCode = 0;
const INVALID_ALGORITHM: ErrorCode = 1;
const INVALID_LENGTH: ErrorCode = 2;

fn give<S>(state: S) -> *mut S {
    Box::into_raw(Box::new(state))
}

/// # Safety
/// `state` was returned by [`give`] and is not used again.
unsafe fn take_back<S>(state: *mut S) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(state) });
}

/// # Safety
/// `data` points to `len` readable bytes, or `len` is 0.
unsafe fn input<'a>(data: *const u8, len: u32) -> &'a [u8] {
    match len {
        // Callers pass null with no data.
        0 => &[],
        // SAFETY: the caller's promise.
        _ => unsafe { slice::from_raw_parts(data, len as usize) },
    }
}

/// # Safety
/// `buffer` points to `len` writable bytes.
unsafe fn output<'a>(buffer: *mut u8, len: usize) -> &'a mut [u8] {
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts_mut(buffer, len) }
}
