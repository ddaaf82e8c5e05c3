//! Which tools watch which events: the tables, and what a change of them means for a code object.
//! Source: `pycore_instruments.h` (`_Py_LocalMonitors`, `_Py_GlobalMonitors`), PEP 669.

use super::events::{EVENTS, Event, EventSet, LOCAL_EVENTS, Tool, ToolSet, UNGROUPED_EVENTS};
use crate::host::ffi;

/// For each of the first `N` events the tools that watch it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Monitors<const N: usize>([ToolSet; N]);

/// The events that bytecode is instrumented for.
pub(crate) type LocalMonitors = Monitors<LOCAL_EVENTS>;
/// The events of an interpreter.
pub(crate) type GlobalMonitors = Monitors<UNGROUPED_EVENTS>;

static_assertions::assert_eq_size!(LocalMonitors, ffi::_Py_LocalMonitors);
static_assertions::assert_eq_size!(GlobalMonitors, ffi::_Py_GlobalMonitors);
static_assertions::const_assert!(LOCAL_EVENTS < UNGROUPED_EVENTS && UNGROUPED_EVENTS < EVENTS);

/// Who watches which events of the interpreter.
///
/// # Safety
/// The interpreter is live; with the result, nobody changes its monitors.
#[inline(always)]
pub(crate) unsafe fn of_interpreter<'a>(interp: *mut ffi::PyInterpreterState) -> &'a GlobalMonitors {
    // SAFETY: the caller's promise; the types have one layout.
    unsafe { &*(&raw const (*interp).monitors).cast() }
}

impl<const N: usize> Default for Monitors<N> {
    fn default() -> Self {
        Monitors([ToolSet::NONE; N])
    }
}

impl<const N: usize> Monitors<N> {
    /// The table in which `tools` says for the number of each event who watches it.
    pub(crate) fn from_fn(tools: impl FnMut(usize) -> ToolSet) -> Self {
        Monitors(core::array::from_fn(tools))
    }

    /// Who watches each event, in the order of their numbers.
    pub(crate) fn entries(&self) -> &[ToolSet; N] {
        &self.0
    }

    /// The tools that watch `event`, one of those in the table.
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

    /// Makes `events` the ones that `tool` watches.
    pub(crate) fn set_events(&mut self, tool: Tool, events: EventSet) {
        let tool = (tool, ToolSet::of(tool));
        for (event, tools) in Event::all().zip(&mut self.0) {
            let others = tools.difference(tool.1);
            *tools = if events.contains(event) { others.union(tool.1) } else { others };
        }
    }

    /// Takes every event away from `tools`.
    pub(crate) fn forget(&mut self, tools: ToolSet) {
        for watching in &mut self.0 {
            *watching = watching.difference(tools);
        }
    }

    /// Whether nobody watches anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|tools| tools.is_empty())
    }

    /// Whether some event has two tools or more.
    pub(crate) fn has_multiple_tools(&self) -> bool {
        self.0.iter().any(|tools| tools.is_multiple())
    }

    /// What is in this table and not in `other`.
    #[must_use]
    pub(crate) fn difference(&self, other: &Self) -> Self {
        Monitors(core::array::from_fn(|event| self.0[event].difference(other.0[event])))
    }
}

/// Who is to be told of the events of a code object: those who watch the interpreter, or it.
pub(crate) fn watching(global: &GlobalMonitors, local: &LocalMonitors) -> LocalMonitors {
    Monitors(core::array::from_fn(|event| global.0[event].union(local.0[event])))
}

/// What instrumenting a code object must change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    /// Who is told afterwards.
    pub(crate) active: LocalMonitors,
    /// What is taken away, first.
    pub(crate) removed: LocalMonitors,
    /// What is put in, then.
    pub(crate) added: LocalMonitors,
}

impl Change {
    /// From `was`, what the code object is instrumented for, to `active`. If `restarted`, events that
    /// tools have disabled at single locations come back.
    pub(crate) fn new(was: &LocalMonitors, active: LocalMonitors, restarted: bool) -> Change {
        if restarted {
            Change { active, removed: *was, added: active }
        } else {
            Change { active, removed: was.difference(&active), added: active.difference(was) }
        }
    }

    /// The events about which anything changes.
    pub(crate) fn touched(&self) -> EventSet {
        let changes = |&event: &Event| !self.removed.tools(event).union(self.added.tools(event)).is_empty();
        Event::all().take(LOCAL_EVENTS).filter(changes).fold(EventSet::NONE, EventSet::with)
    }

    /// Whether the bytecode stays as it is.
    pub(crate) fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }
}

/// Which of a code object's own monitors are of an earlier life of the tool: whose tool was cleared
/// since, which the versions tell.
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
