//! The host's own declarations, generated from its headers when the library is built.
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals, dead_code, unused_imports)]
#![allow(unsafe_op_in_unsafe_fn, unnecessary_transmutes, improper_ctypes)]
#![allow(clippy::all, clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]
include!(concat!(env!("OUT_DIR"), "/host.rs"));
