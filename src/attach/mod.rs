//! The evaluator as an extension module, for a host that nothing was replaced in (PEP 523).
//!
//! Compiled only with the feature `attach`, which leaves out the parts of [`exports`](crate::exports) that such a host
//! keeps doing itself: the GIL, requests to threads, `sys.monitoring`, trace and profile functions. Evaluator,
//! specializer, and instrumenting of code are the library's; so is tier 2, with the feature `jit`.
//!
//! The drop-in is linked with the objects of the host, so it can call functions that they hide from extension modules.
//! Here the loader knows only the host's dynamic symbols. What else the evaluator calls is defined in this folder under
//! the same C name, one file a subject, so that no other module knows which form it is in. These functions have the
//! contracts of the host's; `tests/attach` calls both with the same arguments.
//!
//! Called by the host.

/// Keeps symbols that this library defines inside of it: the host has symbols of the same names, and the loader must
/// not take one for the other. Also checks that each function has the signature that the host's headers declare.
macro_rules! hidden {
    ($(static $name:ident),* $(,)?) => {
        $(core::arch::global_asm!(concat!(".hidden ", stringify!($name)));)*
    };
    ($($name:ident),* $(,)?) => {
        hidden! { $(static $name),* }
        $(const _: () = { let _ = [$name, $crate::host::ffi::$name]; };)*
    };
}

mod addresses;
mod calls;
mod code;
mod dict_keys;
mod errors;
mod evaluator;
mod frames;
mod imports;
mod module;
mod operators;
mod refusal;
mod suggestions;
mod tier2;
mod types;
