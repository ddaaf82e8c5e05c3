//! The optimizer of traces: removes guards that always hold and makes constants of what does not change.
//!
//! It runs the trace once on *symbols* instead of values ([`symbols`]): each micro-op has a row in [`rules`] that
//! says what is known after it. What turns out to be known makes later micro-ops superfluous. Where the trace
//! relies on a dictionary or a type, that becomes one of its dependencies ([`watchers`]). Then [`cleanup`] removes
//! what the trace does not need any more.
//!
//! Stands for the host's `optimizer_analysis.o` and `optimizer_symbols.o`.

mod analysis;
mod class;
mod cleanup;
mod frames;
mod rules;
pub(crate) mod self_test;
mod symbols;
pub(crate) mod watchers;

#[cfg(test)]
mod tests;

use crate::host::function::Function;
use crate::host::{Code, ThreadState};
use crate::tier2::{Dependencies, Trace};
use analysis::{Analysis, Stop};

/// What a trace begins in.
///
/// A trace may reach its start again in another frame of the same code. So all this only says what the guards of the
/// trace will probably meet.
pub(crate) struct Start {
    pub(crate) code: Code,
    /// A function that ran the code when the trace was made. Others have the same code, perhaps with other globals.
    pub(crate) function: Option<Function>,
    /// The number of values on the stack of the frame.
    pub(crate) stack_entries: usize,
}

/// Optimizes a trace. What it relies on is added to `dependencies`. Returns false if the trace is not worth having: it
/// would always leave early. Sets no exception.
///
/// Python code may have run since the first micro-ops of the trace were recorded. So the analysis only relies on what
/// it finds now: it compares objects from inline caches with what is there, and does not read them.
///
/// # Safety
/// The thread is attached, no exception is set, and the thread's frames are published. Code and function of `start` are
/// live, and so are those that the trace enters and returns to (operands that are an
/// [`Entered`](super::uop::Entered)). Each of these functions has the code that the trace goes through.
pub(crate) unsafe fn optimize(start: &Start, trace: &mut Trace, dependencies: &mut Dependencies) -> bool {
    // SAFETY: the thread, the start and the trace are as the caller promises; the analysis runs no Python code.
    let analysis = unsafe {
        let interp = ThreadState::current().interp();
        watchers::set_up(interp);
        Analysis::new(start, interp, trace, dependencies)
    };
    // Without room for the symbols of the first frame, nothing is known.
    if analysis.map_or(Stop::End, run) == Stop::Refuse {
        return false;
    }
    cleanup::clean_up(trace);
    true
}

/// Runs the trace as far as something can be said about it.
fn run(mut analysis: Analysis) -> Stop {
    while analysis.at < analysis.trace.len() {
        if let Err(stop) = analysis.expect_inputs().and_then(|()| rules::apply(&mut analysis)) {
            return stop;
        }
        analysis.at += 1;
    }
    Stop::End
}
