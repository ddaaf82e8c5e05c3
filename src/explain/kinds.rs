//! What a program is in at some moment.

use core::ffi::CStr;

/// What a line is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    /// Machine code, and what the library does for it.
    Compiled,
    /// C code that machine code calls.
    CompiledC,
    /// A trace on the micro-op interpreter.
    Trace,
    /// Bytecode: tier 1.
    Bytecode,
    /// C code that the two call.
    C,
    /// The garbage collector.
    Collector,
    /// Traces or machine code are made.
    Making,
}

/// The number of kinds.
pub(super) const COUNTED: usize = 7;

impl Kind {
    pub(super) const ALL: [(Kind, &'static CStr); COUNTED] = [
        (Kind::Compiled, c"compiled"),
        (Kind::CompiledC, c"compiled_c"),
        (Kind::Trace, c"trace"),
        (Kind::Bytecode, c"bytecode"),
        (Kind::C, c"c"),
        (Kind::Collector, c"collector"),
        (Kind::Making, c"making"),
    ];
}
