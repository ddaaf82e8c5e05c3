//! A thread that keeps changing what tools watch, and one that reads code objects that others execute.

use crate::host::lock::with_world_stopped;
use crate::host::{Code, PyObject, ThreadState, ffi};
use crate::instrument::data::Monitoring;
use crate::instrument::events::{Event, EventSet, LOCAL_EVENTS, Tool, UNGROUPED_EVENTS};
use crate::instrument::{exceptions, tools};

use super::frames::{FAITHFUL, Program};
use super::random::Random;

/// The tools. The first one is [`FAITHFUL`].
const TOOLS: [i32; 3] = [FAITHFUL, 1, 2];

/// Chooses among the first `kinds` events those that a tool is to watch. Only one watches instructions, the
/// faithful tool or trace functions: with two, the host (and reval with it) forgets which tools watched before.
fn events(random: &mut Random, tool: i32, trace_opcodes: bool, kinds: usize) -> EventSet {
    let instructions = tool == FAITHFUL && !trace_opcodes;
    let mut bits = 0;
    for event in 0..kinds {
        // A few at a time, so that there is something to change.
        if random.once_in(4) && (instructions || event != Event::INSTRUCTION.number()) {
            bits |= 1 << event;
        }
    }
    EventSet::from_bits(bits)
}

/// Makes one random change: the events of a tool, in all code or in one code object, or its callbacks; or frees
/// unused copies.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and it has not stopped the world. `programs` are
/// `program_count` programs of live code objects, at least one; `callbacks` are `callback_count` live
/// callables, at least one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stress_change(
    tstate: *mut ffi::PyThreadState,
    random: &mut Random,
    programs: *const Program,
    program_count: usize,
    callbacks: *const *mut PyObject,
    callback_count: usize,
    trace_opcodes: bool,
) {
    let tstate = ThreadState::from_ptr(tstate);
    let number = random.pick(&TOOLS);
    let Some(tool) = Tool::from_number(number) else { return };
    // SAFETY: the thread is attached and has not stopped the world; programs and callbacks are live, and the
    // indices are below their numbers (caller).
    unsafe {
        let interp = tstate.interp();
        let done = match random.below(16) {
            0..5 => {
                let events = events(random, number, trace_opcodes, UNGROUPED_EVENTS);
                with_world_stopped(interp, || tools::set_events(tstate, tool, events))
            }
            5..10 => {
                let events = events(random, number, trace_opcodes, LOCAL_EVENTS);
                let code = Code::from_ptr((*programs.add(random.below(program_count))).code);
                with_world_stopped(interp, || tools::set_local_events(interp, code, tool, events))
            }
            10..12 => tools::restart_events(tstate),
            12 => tools::clear(tstate, tool),
            13..15 => {
                // The first callback never disables anything.
                let callback = if number == FAITHFUL { 0 } else { random.below(callback_count) };
                let event = Event::from_number(random.below(UNGROUPED_EVENTS) as i32);
                event.map_or(Ok(()), |event| {
                    tools::register_callback(interp, tool, event, *callbacks.add(callback)).map(drop)
                })
            }
            _ => {
                assert_eq!(ffi::_Py_ClearUnusedTLBC(interp), 0);
                Ok(())
            }
        };
        assert!(done.is_ok());
    }
}

/// Looks up a line as tracebacks do, which events a tool watches, and whether one watches the end of an iteration,
/// without a lock and regardless of the code object's version. Returns the line; -1 if there is no line table yet.
///
/// # Safety
/// The thread is attached, and the program's code object is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stress_look(program: &Program, random: &mut Random) -> i32 {
    // SAFETY: the thread is attached and the code object live (caller); the index is below its number of units.
    unsafe {
        let code = Code::from_ptr(program.code);
        if let Some(tool) = Tool::from_number(random.pick(&TOOLS)) {
            core::hint::black_box(tools::local_events_of(code, tool));
        }
        let event = Event::STOP_ITERATION;
        core::hint::black_box(exceptions::is_watched_in(ThreadState::current(), code, event));
        let Some(lines) = Monitoring::of(code).and_then(|data| data.lines()) else { return -1 };
        let index = random.below(crate::host::object::size(code.object()) as usize);
        crate::instrument::calls::line_number(code, lines.line(index))
    }
}
