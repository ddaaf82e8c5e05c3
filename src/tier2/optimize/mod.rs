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
mod watchers;

#[cfg(test)]
mod tests;

use crate::host::{Frame, ThreadState};
use crate::tier2::{Dependencies, Trace};
use analysis::{Analysis, Stop};

/// Optimizes a trace that begins in `frame`, with `stack_entries` values on its stack. What the trace relies on is
/// added to `dependencies`. Returns false if the trace is not worth having: it would always leave early. Sets no
/// exception.
///
/// # Safety
/// The thread is attached, no exception is set, and `frame` is its current frame, published. The trace was
/// projected from it, and no Python code has run since then.
pub(crate) unsafe fn optimize(
    frame: Frame,
    trace: &mut Trace,
    stack_entries: usize,
    dependencies: &mut Dependencies,
) -> bool {
    // SAFETY: thread and frame are as the caller promises; the analysis runs no Python code.
    let analysis = unsafe {
        let interp = ThreadState::current().interp();
        watchers::set_up(interp);
        Analysis::new(frame, stack_entries, interp, trace, dependencies)
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
