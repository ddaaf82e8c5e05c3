//! Line tables of code objects, and the tables of opcodes. Source: `codeobject.c`, `pycore_opcode_metadata.h`.

use core::ffi::c_int;

#[cfg(py_tier2)]
use crate::host::Code;
use crate::host::{PyObject, ffi, object};
#[cfg(py_tier2)]
use crate::tier2::install;

hidden! { _PyCode_InitAddressRange }
#[cfg(py_tier2)]
hidden! { _PyCode_Clear_Executors }
hidden! { static _PyOpcode_Caches, static _PyOpcode_Deopt }

/// Sets `bounds` to the place before the first entry of the line table of `co`. Returns the line there: none.
///
/// # Safety
/// `co` is live and outlives the use of `bounds`, which is writable.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyCode_InitAddressRange(
    co: *mut ffi::PyCodeObject,
    bounds: *mut ffi::PyCodeAddressRange,
) -> c_int {
    const NO_LINE: c_int = -1;
    // SAFETY: the code object is live, and its table is a bytes object (caller).
    unsafe {
        let table: *mut PyObject = (*co).co_linetable;
        let start = (&raw const (*table.cast::<ffi::PyBytesObject>()).ob_sval).cast::<u8>();
        bounds.write(ffi::PyCodeAddressRange {
            ar_start: -1,
            ar_end: 0,
            ar_line: NO_LINE,
            opaque: ffi::_opaque {
                computed_line: (*co).co_firstlineno,
                lo_next: start,
                limit: start.add(object::size(table) as usize),
            },
        });
    }
    NO_LINE
}

/// Takes the executors of `code` out of its bytecode, and frees the array that holds them.
///
/// # Safety
/// The thread is attached; `code` is live, and has such an array.
#[cfg(py_tier2)]
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyCode_Clear_Executors(code: *mut ffi::PyCodeObject) {
    // SAFETY: the contract is the same.
    unsafe { install::clear(Code::from_ptr(code)) }
}

/// For each generic opcode the number of code units of its inline cache.
#[unsafe(no_mangle)]
static _PyOpcode_Caches: [u8; 256] = table(CACHES);

/// For each opcode the generic instruction of its family.
#[unsafe(no_mangle)]
static _PyOpcode_Deopt: [u8; 256] = table(DEOPT);

// The entries of both tables, as the host's headers list them.
include!(concat!(env!("OUT_DIR"), "/opcode_tables.rs"));

/// A table with these entries, each a number and its value.
const fn table(entries: &[(u32, u32)]) -> [u8; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < entries.len() {
        table[entries[index].0 as usize] = entries[index].1 as u8;
        index += 1;
    }
    table
}
