//! Tier 2: traces of micro-ops, the executors that run them, and the optimizer between the two.
//!
//! A loop that is hot becomes a *trace*: a list of micro-ops without jumps, in which every assumption is a guard. One
//! pass of it is recorded ([`record`]), and each instruction translated ([`translate`]). The [`optimize`] pass removes guards that always hold. An *executor* is the Python object that
//! holds the finished trace; ENTER_EXECUTOR in the bytecode runs it, by the micro-op interpreter
//! ([`interpreter`]) or by machine code. It leaves at an *exit*, which may lead to another executor.
//!
//! Stands for the host's `optimizer.o`, `optimizer_analysis.o` and `optimizer_symbols.o`, and for the micro-op
//! interpreter of its `ceval.o`.

#[cfg(feature = "jit")]
mod code_memory;
#[cfg(feature = "jit")]
mod code_watch;
#[cfg(feature = "jit")]
pub(crate) mod compiled;
mod create;
#[cfg(feature = "jit")]
pub(crate) mod declined;
pub(crate) mod deletion;
pub(crate) mod dependencies;
pub(crate) mod dump;
pub(crate) mod executor;
#[cfg(feature = "jit")]
pub(crate) mod explained;
mod finish;
#[cfg(feature = "jit")]
pub(crate) mod heat;
#[cfg(feature = "attach")]
mod host_loop;
pub(crate) mod install;
pub(crate) mod interpreter;
pub(crate) mod invalidate;
#[cfg(feature = "jit")]
pub(crate) mod known_attribute;
#[cfg(feature = "jit")]
pub(crate) mod known_call;
mod list;
mod machine_code;
pub(crate) mod optimize;
#[cfg(feature = "jit")]
pub(crate) mod promise;
pub(crate) mod python_type;
#[cfg(feature = "jit")]
pub(crate) mod quiet_call;
pub(crate) mod record;
mod translate;
pub(crate) mod uop;
mod watch;

pub(crate) use dependencies::Dependencies;
#[cfg(feature = "jit")]
pub(crate) use finish::leaves_elsewhere;
pub(crate) use uop::{Place, Trace, Uop};
