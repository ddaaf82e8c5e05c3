//! Numbers of micro-ops (`pycore_uop_ids.h`), under the host's names in lower case without the underscore. A
//! micro-op that is a whole instruction has the number of its opcode; all others have numbers above 255. The
//! numbers of this library's own micro-ops follow the host's.

#![allow(non_upper_case_globals, missing_docs, dead_code)]

use crate::host::ffi;

// Names of the host, which win over the names of the same spelling in `without_number`.
include!(concat!(env!("OUT_DIR"), "/micro_op.rs"));
pub use own::*;
pub use without_number::*;

/// The number of micro-ops that have none in the host: steps of instructions that are never part of a trace.
pub const NONE: u16 = 0;

/// The highest number of the host's micro-ops.
pub const HOST_LAST: u16 = ffi::MAX_UOP_ID as u16;

/// The highest number of all micro-ops.
pub const LAST: u16 = own::COUNT + HOST_LAST;

/// Whether the host does not have the micro-op with this number, so that its JIT cannot compile it.
pub const fn is_own(number: u16) -> bool {
    number > HOST_LAST
}

mod without_number {
    macro_rules! numbers {
        (everywhere $everywhere:tt
         bytecode { $({ $name:ident $operands:tt $needs:tt })* }
         $($only_in_traces:tt)*) => {
            $(pub const $name: u16 = super::NONE;)*
        };
    }
    for_each_micro_op!(numbers);
}

mod own {
    macro_rules! numbers {
        (everywhere $everywhere:tt
         bytecode $bytecode:tt
         traces $traces:tt
         engine $engine:tt
         own { $({ $name:ident $operands:tt $needs:tt $flags:tt })* }) => {
            /// The own micro-ops in the order of their numbers, from zero on.
            #[allow(non_camel_case_types)]
            enum Index {
                $($name,)*
                Count,
            }

            pub const COUNT: u16 = Index::Count as u16;
            $(pub const $name: u16 = super::HOST_LAST + 1 + Index::$name as u16;)*
        };
    }
    for_each_micro_op!(numbers);
}
