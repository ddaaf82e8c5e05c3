//! Events, tools, and sets of them: plain values. Source: `cpython/monitoring.h`, `pycore_instruments.h`.
//! Used by this room, and by `exports` for conversions.

use core::ffi::CStr;

use crate::host::ffi;

/// Number of local events: those that bytecode is instrumented for.
pub(crate) const LOCAL_EVENTS: usize = ffi::_PY_MONITORING_LOCAL_EVENTS as usize;
/// Number of events that tools can watch on their own; the local events come first.
pub(crate) const UNGROUPED_EVENTS: usize = ffi::_PY_MONITORING_UNGROUPED_EVENTS as usize;
/// Number of all events, including C_RETURN, C_RAISE and BRANCH, which are watched as other events.
pub(crate) const EVENTS: usize = ffi::_PY_MONITORING_EVENTS as usize;
/// Number of tools.
pub(crate) const TOOLS: usize = ffi::PY_MONITORING_TOOL_IDS as usize;

/// An event (`PY_MONITORING_EVENT_*`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub(crate) struct Event(u8);

macro_rules! events {
    ($($name:ident = $number:ident $text:literal;)*) => {
        impl Event {
            $(pub(crate) const $name: Event = Event(ffi::$number as u8);)*

            /// The name of the event in `sys.monitoring.events`.
            pub(crate) fn name(self) -> &'static CStr {
                match self {
                    $(Event::$name => $text,)*
                    Event(number) => unreachable!("event {number}"),
                }
            }
        }
    };
}

events! {
    PY_START = PY_MONITORING_EVENT_PY_START c"PY_START";
    PY_RESUME = PY_MONITORING_EVENT_PY_RESUME c"PY_RESUME";
    PY_RETURN = PY_MONITORING_EVENT_PY_RETURN c"PY_RETURN";
    PY_YIELD = PY_MONITORING_EVENT_PY_YIELD c"PY_YIELD";
    CALL = PY_MONITORING_EVENT_CALL c"CALL";
    LINE = PY_MONITORING_EVENT_LINE c"LINE";
    INSTRUCTION = PY_MONITORING_EVENT_INSTRUCTION c"INSTRUCTION";
    JUMP = PY_MONITORING_EVENT_JUMP c"JUMP";
    BRANCH_LEFT = PY_MONITORING_EVENT_BRANCH_LEFT c"BRANCH_LEFT";
    BRANCH_RIGHT = PY_MONITORING_EVENT_BRANCH_RIGHT c"BRANCH_RIGHT";
    STOP_ITERATION = PY_MONITORING_EVENT_STOP_ITERATION c"STOP_ITERATION";
    RAISE = PY_MONITORING_EVENT_RAISE c"RAISE";
    EXCEPTION_HANDLED = PY_MONITORING_EVENT_EXCEPTION_HANDLED c"EXCEPTION_HANDLED";
    PY_UNWIND = PY_MONITORING_EVENT_PY_UNWIND c"PY_UNWIND";
    PY_THROW = PY_MONITORING_EVENT_PY_THROW c"PY_THROW";
    RERAISE = PY_MONITORING_EVENT_RERAISE c"RERAISE";
    C_RETURN = PY_MONITORING_EVENT_C_RETURN c"C_RETURN";
    C_RAISE = PY_MONITORING_EVENT_C_RAISE c"C_RAISE";
    BRANCH = PY_MONITORING_EVENT_BRANCH c"BRANCH";
}

impl Event {
    /// The event of this number, if there is one.
    #[inline]
    pub(crate) const fn from_number(number: i32) -> Option<Event> {
        if 0 <= number && number < EVENTS as i32 { Some(Event(number as u8)) } else { None }
    }

    /// All events, in the order of their numbers.
    pub(crate) fn all() -> impl Iterator<Item = Event> {
        (0..EVENTS as u8).map(Event)
    }

    /// The events that tools can watch on their own.
    pub(crate) fn ungrouped() -> impl Iterator<Item = Event> {
        (0..UNGROUPED_EVENTS as u8).map(Event)
    }

    #[inline(always)]
    pub(crate) const fn number(self) -> usize {
        self.0 as usize
    }

    /// Whether bytecode is instrumented for the event, so that it can be watched in single code objects and
    /// disabled at single locations.
    #[inline(always)]
    pub(crate) const fn is_local(self) -> bool {
        self.number() < LOCAL_EVENTS
    }

    /// The event whose tools are notified of this one: tools that watch CALL are notified of C_RETURN and
    /// C_RAISE.
    #[inline(always)]
    pub(crate) const fn watched_as(self) -> Event {
        match self {
            Event::C_RETURN | Event::C_RAISE => Event::CALL,
            _ => self,
        }
    }
}

/// A set of events (`_PyMonitoringEventSet`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub(crate) struct EventSet(u32);

impl EventSet {
    pub(crate) const NONE: EventSet = EventSet(0);

    #[inline]
    pub(crate) const fn from_bits(bits: u32) -> EventSet {
        EventSet(bits)
    }

    /// The set with these bits, if all its events have numbers less than `end`.
    pub(crate) const fn of_first(end: usize, bits: u32) -> Option<EventSet> {
        if bits >> end == 0 { Some(EventSet(bits)) } else { None }
    }

    #[inline]
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    #[inline]
    pub(crate) const fn contains(self, event: Event) -> bool {
        self.0 & (1 << event.number()) != 0
    }

    /// Whether an event is in both sets.
    #[inline(always)]
    pub(crate) const fn intersects(self, other: EventSet) -> bool {
        self.0 & other.0 != 0
    }

    #[inline]
    #[must_use]
    pub(crate) const fn with(self, event: Event) -> EventSet {
        EventSet(self.0 | 1 << event.number())
    }

    #[inline]
    #[must_use]
    pub(crate) const fn without(self, event: Event) -> EventSet {
        EventSet(self.0 & !(1 << event.number()))
    }
}

/// A tool (`PY_MONITORING_*_ID`): six for programs, and two for `sys.setprofile` and `sys.settrace`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub(crate) struct Tool(u8);

impl Tool {
    /// The tool behind `sys.setprofile`.
    pub(crate) const SYS_PROFILE: Tool = Tool(ffi::PY_MONITORING_SYS_PROFILE_ID as u8);
    /// The tool behind `sys.settrace`.
    pub(crate) const SYS_TRACE: Tool = Tool(ffi::PY_MONITORING_SYS_TRACE_ID as u8);

    /// The tool of this number; none if the number is out of range.
    #[inline]
    pub(crate) const fn from_number(number: i32) -> Option<Tool> {
        if 0 <= number && number < TOOLS as i32 { Some(Tool(number as u8)) } else { None }
    }

    #[inline(always)]
    pub(crate) const fn number(self) -> usize {
        self.0 as usize
    }

    /// Whether programs may use the tool. They must reserve it first.
    #[inline]
    pub(crate) const fn is_for_programs(self) -> bool {
        self.0 < Tool::SYS_PROFILE.0
    }
}

/// A set of tools, one bit each: the entries of monitors and side tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub(crate) struct ToolSet(u8);

impl ToolSet {
    pub(crate) const NONE: ToolSet = ToolSet(0);

    #[inline(always)]
    pub(crate) const fn from_bits(bits: u8) -> ToolSet {
        ToolSet(bits)
    }

    #[inline(always)]
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    #[inline(always)]
    pub(crate) const fn of(tool: Tool) -> ToolSet {
        ToolSet(1 << tool.0)
    }

    #[inline(always)]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[inline(always)]
    pub(crate) const fn contains(self, tool: Tool) -> bool {
        self.0 & (1 << tool.0) != 0
    }

    /// Whether there are two tools or more. Then tables keep which tool watches which location.
    #[inline]
    pub(crate) const fn is_multiple(self) -> bool {
        self.0.count_ones() > 1
    }

    #[inline(always)]
    #[must_use]
    pub(crate) const fn union(self, other: ToolSet) -> ToolSet {
        ToolSet(self.0 | other.0)
    }

    #[inline(always)]
    #[must_use]
    pub(crate) const fn difference(self, other: ToolSet) -> ToolSet {
        ToolSet(self.0 & !other.0)
    }
}

/// Iterates from the highest number to the lowest: the order in which tools are notified.
impl IntoIterator for ToolSet {
    type Item = Tool;
    type IntoIter = Tools;

    #[inline(always)]
    fn into_iter(self) -> Tools {
        Tools(self.0)
    }
}

/// See [`ToolSet::into_iter`].
pub(crate) struct Tools(u8);

impl Iterator for Tools {
    type Item = Tool;

    #[inline(always)]
    fn next(&mut self) -> Option<Tool> {
        let tool = self.0.checked_ilog2()? as u8;
        self.0 ^= 1 << tool;
        Some(Tool(tool))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_told_from_the_highest_number_down() {
        for bits in 0..=u8::MAX {
            let tools: Vec<Tool> = ToolSet::from_bits(bits).into_iter().collect();
            assert!(tools.is_sorted_by(|a, b| a > b));
            let again = tools.iter().fold(ToolSet::NONE, |set, &tool| set.union(ToolSet::of(tool)));
            assert_eq!(again.bits(), bits);
            assert_eq!(ToolSet::from_bits(bits).is_multiple(), tools.len() > 1);
        }
    }

    #[test]
    fn every_event_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Event::all().map(Event::name).collect();
        assert_eq!(names.len(), EVENTS);
    }

    #[test]
    fn sets_have_the_first_events_only() {
        for end in [LOCAL_EVENTS, UNGROUPED_EVENTS, EVENTS] {
            let all = (1 << end) - 1;
            assert_eq!(EventSet::of_first(end, all).map(EventSet::bits), Some(all));
            assert_eq!(EventSet::of_first(end, 1 << end), None);
            assert_eq!(EventSet::of_first(end, u32::MAX), None);
        }
    }

    #[test]
    fn numbers_outside_are_refused() {
        assert_eq!(Event::from_number(-1), None);
        assert_eq!(Event::from_number(EVENTS as i32), None);
        assert_eq!(Tool::from_number(-1), None);
        assert_eq!(Tool::from_number(TOOLS as i32), None);
        assert_eq!(Event::from_number(18), Some(Event::BRANCH));
        assert_eq!(Tool::from_number(7), Some(Tool::SYS_TRACE));
    }
}
