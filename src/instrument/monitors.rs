//! Monitors: tables of the tools that watch each event, and what a change of them means for a code object.
//! Source: `_Py_LocalMonitors` and `_Py_GlobalMonitors` in `pycore_instruments.h`, PEP 669.
//!
//! Used by this room only. Except for [`of_interpreter`], these are plain values and pure functions.

use super::events::{EVENTS, Event, EventSet, LOCAL_EVENTS, Tool, ToolSet, UNGROUPED_EVENTS};
use crate::host::ffi;

/// The tools that watch each of the first `N` events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Monitors<const N: usize>([ToolSet; N]);

/// The monitors of a code object: only events that bytecode is instrumented for.
pub(crate) type LocalMonitors = Monitors<LOCAL_EVENTS>;
/// The monitors of an interpreter.
pub(crate) type GlobalMonitors = Monitors<UNGROUPED_EVENTS>;

static_assertions::assert_eq_size!(LocalMonitors, ffi::_Py_LocalMonitors);
static_assertions::assert_eq_size!(GlobalMonitors, ffi::_Py_GlobalMonitors);
static_assertions::const_assert!(LOCAL_EVENTS < UNGROUPED_EVENTS && UNGROUPED_EVENTS < EVENTS);

/// The monitors of the interpreter.
///
/// # Safety
/// `interp` is live. While the result is used, no thread changes the monitors: the thread is attached (they
/// change only while the world is stopped), and does not change them itself.
#[inline(always)]
pub(crate) unsafe fn of_interpreter<'a>(interp: *mut ffi::PyInterpreterState) -> &'a GlobalMonitors {
    // SAFETY: `interp` is live, and its monitors do not change meanwhile (caller); both types have the same
    // layout.
    unsafe { &*(&raw const (*interp).monitors).cast() }
}

impl<const N: usize> Default for Monitors<N> {
    fn default() -> Self {
        Monitors([ToolSet::NONE; N])
    }
}

impl<const N: usize> Monitors<N> {
    /// The table with the tools `tools(number)` for the event of each number.
    pub(crate) fn from_fn(tools: impl FnMut(usize) -> ToolSet) -> Self {
        Monitors(core::array::from_fn(tools))
    }

    /// The tools that watch each event, in the order of the events' numbers.
    pub(crate) fn entries(&self) -> &[ToolSet; N] {
        &self.0
    }

    /// The tools that watch `event`, which must be in the table.
    #[inline(always)]
    pub(crate) fn tools(&self, event: Event) -> ToolSet {
        self.0[event.number()]
    }

    /// The events that `tool` watches.
    pub(crate) fn events(&self, tool: Tool) -> EventSet {
        Event::all()
            .zip(&self.0)
            .filter(|(_, tools)| tools.contains(tool))
            .fold(EventSet::NONE, |events, (event, _)| events.with(event))
    }

    /// Sets the events that `tool` watches.
    pub(crate) fn set_events(&mut self, tool: Tool, events: EventSet) {
        let tool = (tool, ToolSet::of(tool));
        for (event, tools) in Event::all().zip(&mut self.0) {
            let others = tools.difference(tool.1);
            *tools = if events.contains(event) { others.union(tool.1) } else { others };
        }
    }

    /// Removes `tools` from all events.
    pub(crate) fn forget(&mut self, tools: ToolSet) {
        for watching in &mut self.0 {
            *watching = watching.difference(tools);
        }
    }

    /// Whether no tool watches any event.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|tools| tools.is_empty())
    }

    /// Whether some event is watched by two tools or more.
    pub(crate) fn has_multiple_tools(&self) -> bool {
        self.0.iter().any(|tools| tools.is_multiple())
    }

    /// The entries of this table without the tools that `other` has in the same entry.
    #[must_use]
    pub(crate) fn difference(&self, other: &Self) -> Self {
        Monitors(core::array::from_fn(|event| self.0[event].difference(other.0[event])))
    }
}

/// The tools to notify of the events of a code object: those that watch the event everywhere, or in this code
/// object.
pub(crate) fn watching(global: &GlobalMonitors, local: &LocalMonitors) -> LocalMonitors {
    Monitors(core::array::from_fn(|event| global.0[event].union(local.0[event])))
}

/// What instrumenting a code object must change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    /// The tools to notify afterwards.
    pub(crate) active: LocalMonitors,
    /// The tools to remove from locations, as the first step.
    pub(crate) removed: LocalMonitors,
    /// The tools to add to locations, as the second step.
    pub(crate) added: LocalMonitors,
}

impl Change {
    /// The change from `was`, the active monitors of the code object, to `active`. With `restarted`, events
    /// that tools have disabled at single locations are added again.
    pub(crate) fn new(was: &LocalMonitors, active: LocalMonitors, restarted: bool) -> Change {
        if restarted {
            Change { active, removed: *was, added: active }
        } else {
            Change { active, removed: was.difference(&active), added: active.difference(was) }
        }
    }

    /// The events for which a tool is removed or added.
    pub(crate) fn touched(&self) -> EventSet {
        let changes = |&event: &Event| !self.removed.tools(event).union(self.added.tools(event)).is_empty();
        Event::all().take(LOCAL_EVENTS).filter(changes).fold(EventSet::NONE, EventSet::with)
    }

    /// Whether the bytecode stays as it is.
    pub(crate) fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }
}

/// The tools that were cleared after they set their events in a code object, so that these events do not
/// count any more. `seen` are the versions of the tools when they set the events, `current` their present
/// versions.
pub(crate) fn outdated(seen: &[usize], current: &[usize]) -> ToolSet {
    let pairs = seen.iter().zip(current).enumerate();
    ToolSet::from_bits(
        pairs.filter(|(_, (seen, current))| seen != current).fold(0, |set, (tool, _)| set | 1 << tool),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn local() -> impl Strategy<Value = LocalMonitors> {
        any::<[u8; LOCAL_EVENTS]>().prop_map(|bits| Monitors(bits.map(ToolSet::from_bits)))
    }

    fn global() -> impl Strategy<Value = GlobalMonitors> {
        any::<[u8; UNGROUPED_EVENTS]>().prop_map(|bits| Monitors(bits.map(ToolSet::from_bits)))
    }

    /// The table after the change, for locations where nothing was disabled.
    fn applied(was: &LocalMonitors, change: &Change) -> LocalMonitors {
        let left = was.difference(&change.removed);
        Monitors(core::array::from_fn(|event| left.0[event].union(change.added.0[event])))
    }

    proptest! {
        #[test]
        fn a_change_leads_to_what_is_active(was in local(), active in local(), restarted: bool) {
            let change = Change::new(&was, active, restarted);
            prop_assert_eq!(applied(&was, &change), active);
            prop_assert_eq!(change.active, active);
        }

        #[test]
        fn without_a_restart_nothing_is_taken_away_and_put_back(was in local(), active in local()) {
            let change = Change::new(&was, active, false);
            for event in 0..LOCAL_EVENTS {
                prop_assert_eq!(change.added.0[event].bits() & change.removed.0[event].bits(), 0);
            }
            prop_assert_eq!(change.is_empty(), was == active);
        }

        #[test]
        fn a_restart_touches_everything_watched(was in local(), active in local()) {
            let change = Change::new(&was, active, true);
            prop_assert_eq!(change.removed, was);
            prop_assert_eq!(change.added, active);
        }

        #[test]
        fn whoever_watches_is_told(global in global(), local in local()) {
            let told = watching(&global, &local);
            for event in Event::all().take(LOCAL_EVENTS) {
                for tool in ToolSet::from_bits(u8::MAX) {
                    let wants = global.tools(event).contains(tool) || local.tools(event).contains(tool);
                    prop_assert_eq!(told.tools(event).contains(tool), wants);
                }
            }
        }

        #[test]
        fn setting_the_events_of_a_tool_is_no_matter_of_others(
            before in global(),
            number in 0..8i32,
            events in 0..1u32 << UNGROUPED_EVENTS,
        ) {
            let tool = Tool::from_number(number).unwrap();
            let mut after = before;
            after.set_events(tool, EventSet::from_bits(events));
            prop_assert_eq!(after.events(tool).bits(), events);
            for other in ToolSet::from_bits(u8::MAX) {
                if other != tool {
                    prop_assert_eq!(after.events(other), before.events(other));
                }
            }
            after.forget(ToolSet::of(tool));
            prop_assert_eq!(after.events(tool), EventSet::NONE);
        }

        #[test]
        fn tools_of_another_version_are_outdated(seen: [bool; 8], current: [bool; 8]) {
            let set = outdated(&seen.map(usize::from), &current.map(usize::from));
            for tool in ToolSet::from_bits(u8::MAX) {
                prop_assert_eq!(set.contains(tool), seen[tool.number()] != current[tool.number()]);
            }
        }
    }
}
