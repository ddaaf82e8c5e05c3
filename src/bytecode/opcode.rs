//! Opcode numbers (`opcode_ids.h`) as bytes, under the names that the host uses.

#![allow(missing_docs)]

use crate::host::ffi;

macro_rules! numbers {
    ($({ $name:ident $family:tt $steps:tt })*) => {
        $(pub const $name: u8 = ffi::$name as u8;)*
    };
}
for_each_instruction!(numbers);
