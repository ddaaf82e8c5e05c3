//! The instrumentation data of a code object: monitors and side tables. Source: `_PyCoMonitoringData` in
//! `pycore_instruments.h`. The host frees the data with the code object.
//!
//! Tables have an entry per code unit. They are allocated when first needed, and stay for the life of the
//! code object.
//!
//! Only a thread with [exclusive access](super) writes. Other threads may read single entries meanwhile, so
//! all accesses are atomic.
//!
//! Callers: this room, and `exports` for [`line_table`].

use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use super::events::{Event, LOCAL_EVENTS, Tool, ToolSet};
use super::lines::LineTable;
use super::monitors::LocalMonitors;
use crate::host::object::size;
use crate::host::{Code, PyResult, Raised, ffi};

/// The data of a code object. Borrowed: the code object must outlive it.
#[derive(Clone, Copy)]
pub(crate) struct Monitoring {
    data: *mut ffi::_PyCoMonitoringData,
    /// Number of code units of the code object.
    units: usize,
}

/// A table of tools or opcodes. Borrowed: it lives as long as its code object.
pub(crate) type Table = &'static [AtomicU8];

/// The side tables with one byte per code unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TableKind {
    /// Tools notified by the instruction's event; allocated once some event has two.
    Tools,
    /// Tools notified by a line event; likewise.
    LineTools,
    /// Tools notified by an instruction event; likewise.
    InstructionTools,
    /// Opcodes below instruction events.
    InstructionOpcodes,
}

impl Monitoring {
    /// The data of `code`, if it has been allocated.
    ///
    /// # Safety
    /// `code` is live while the result is used.
    #[inline(always)]
    pub(crate) unsafe fn of(code: Code) -> Option<Monitoring> {
        // SAFETY: `code` is live (caller); the pointer is published with release order after the data is
        // complete.
        unsafe {
            let data = slot(&raw mut (*code.as_ptr())._co_monitoring).load(Ordering::Acquire);
            (!data.is_null()).then(|| Monitoring { data, units: size(code.object()) as usize })
        }
    }

    /// The data of `code`; allocates it, without monitors and tables, if there is none. Fails with
    /// MemoryError.
    ///
    /// # Safety
    /// `code` is live while the result is used, the thread is attached, and the caller has exclusive access.
    pub(crate) unsafe fn get_or_create(code: Code) -> PyResult<Monitoring> {
        // SAFETY: `code` is live, with exclusive access, and the thread is attached (caller). The new data is
        // initialized before it is published.
        unsafe {
            if let Some(data) = Monitoring::of(code) {
                return Ok(data);
            }
            let data = allocate(size_of::<ffi::_PyCoMonitoringData>())?.cast::<ffi::_PyCoMonitoringData>();
            // Zero means: no tables, no tools, version zero of each tool.
            data.write_bytes(0, 1);
            slot(&raw mut (*code.as_ptr())._co_monitoring).store(data, Ordering::Release);
            Ok(Monitoring { data, units: size(code.object()) as usize })
        }
    }

    /// The tools that watch events in this code object, besides those that watch them everywhere.
    #[inline(always)]
    pub(crate) fn local(&self) -> SharedMonitors {
        // SAFETY: the code object is live, as `Monitoring::of` requires.
        SharedMonitors(unsafe { &raw mut (*self.data).local_monitors })
    }

    /// The tools that the bytecode is instrumented for.
    #[inline(always)]
    pub(crate) fn active(&self) -> SharedMonitors {
        // SAFETY: the code object is live, as `Monitoring::of` requires.
        SharedMonitors(unsafe { &raw mut (*self.data).active_monitors })
    }

    /// The version of each tool when it set its events in this code object.
    ///
    /// # Safety
    /// The caller has exclusive access to the code object while the result is used, and does not call
    /// `set_tool_version`.
    pub(crate) unsafe fn tool_versions(&self) -> &[usize] {
        // SAFETY: the code object is live, as `Monitoring::of` requires; with exclusive access, no other
        // thread writes.
        unsafe { &(*self.data).tool_versions }
    }

    /// # Safety
    /// The caller has exclusive access to the code object.
    pub(crate) unsafe fn set_tool_version(&self, tool: Tool, version: usize) {
        // SAFETY: the code object is live, as `Monitoring::of` requires; with exclusive access, no other
        // thread reads or writes.
        unsafe { (*self.data).tool_versions[tool.number()] = version }
    }

    // --- tables --------------------------------------------------------------------------------

    #[inline(always)]
    fn table_slot(&self, kind: TableKind) -> *mut *mut u8 {
        // SAFETY: the code object is live, as `Monitoring::of` requires; only addresses of fields are taken.
        unsafe {
            match kind {
                TableKind::Tools => &raw mut (*self.data).tools,
                TableKind::LineTools => &raw mut (*self.data).line_tools,
                TableKind::InstructionTools => &raw mut (*self.data).per_instruction_tools,
                TableKind::InstructionOpcodes => &raw mut (*self.data).per_instruction_opcodes,
            }
        }
    }

    /// A table, if it has been allocated.
    #[inline(always)]
    pub(crate) fn table(&self, kind: TableKind) -> Option<Table> {
        // SAFETY: the code object is live, as `Monitoring::of` requires. A table has an entry per code unit,
        // and is published after it is filled.
        unsafe {
            let table = slot(self.table_slot(kind)).load(Ordering::Acquire);
            (!table.is_null()).then(|| core::slice::from_raw_parts(table.cast(), self.units))
        }
    }

    /// Allocates a table and fills it with `fill`, unless there is one. Fails with MemoryError.
    ///
    /// # Safety
    /// The thread is attached, and the caller has exclusive access to the code object.
    pub(crate) unsafe fn ensure_table(&self, kind: TableKind, fill: impl FnOnce(Table)) -> PyResult<()> {
        if self.table(kind).is_some() {
            return Ok(());
        }
        // SAFETY: the code object is live, with exclusive access (caller). The block has a byte per code
        // unit, all initialized before `fill` gets it.
        unsafe {
            let table = allocate(self.units)?;
            table.write_bytes(0, self.units);
            fill(core::slice::from_raw_parts(table.cast(), self.units));
            slot(self.table_slot(kind)).store(table, Ordering::Release);
        }
        Ok(())
    }

    /// The tools of one kind at a location, if they have a table.
    #[inline(always)]
    pub(crate) fn told(&self, kind: TableKind, index: usize) -> Option<ToolSet> {
        self.table(kind).map(|table| ToolSet::from_bits(table[index].load(Ordering::Relaxed)))
    }

    /// The table of lines, if it has been allocated.
    #[inline(always)]
    pub(crate) fn lines(&self) -> Option<LineTable<'static>> {
        // SAFETY: the code object is live, as `Monitoring::of` requires; the table is published after it is
        // filled.
        unsafe {
            let lines = slot(&raw mut (*self.data).lines).load(Ordering::Acquire);
            (!lines.is_null()).then(|| line_table(lines, self.units))
        }
    }

    /// Allocates the table of lines with entries of `entry_size` bytes, and fills it with `fill`. Fails with
    /// MemoryError.
    ///
    /// # Safety
    /// As for [`Monitoring::ensure_table`]; the code object has no table of lines yet. (One that it has would
    /// leak, and be replaced while other threads may read it.)
    pub(crate) unsafe fn create_lines(
        &self,
        entry_size: usize,
        fill: impl FnOnce(LineTable),
    ) -> PyResult<()> {
        // SAFETY: as in `ensure_table`; the block has one byte for the size of the entries, followed by the
        // entries.
        unsafe {
            let bytes = entry_size * self.units;
            let lines = allocate(1 + bytes)?.cast::<ffi::_PyCoLineInstrumentationData>();
            (*lines).bytes_per_entry = entry_size as u8;
            (&raw mut (*lines).data).cast::<u8>().write_bytes(0, bytes);
            fill(line_table(lines, self.units));
            slot(&raw mut (*self.data).lines).store(lines, Ordering::Release);
        }
        Ok(())
    }
}

/// Monitors in the data of a code object, shared with other threads.
#[derive(Clone, Copy)]
pub(crate) struct SharedMonitors(*mut ffi::_Py_LocalMonitors);

impl SharedMonitors {
    #[inline(always)]
    fn entries(&self) -> &[AtomicU8; LOCAL_EVENTS] {
        // SAFETY: a field in the data of a live code object: a byte per event, and all accesses are atomic.
        unsafe { &*self.0.cast() }
    }

    /// The tools that watch `event`, a local one.
    #[inline(always)]
    pub(crate) fn tools(&self, event: Event) -> ToolSet {
        ToolSet::from_bits(self.entries()[event.number()].load(Ordering::Relaxed))
    }

    /// All entries. Without exclusive access, they may be from different tables.
    pub(crate) fn load(&self) -> LocalMonitors {
        LocalMonitors::from_fn(|event| ToolSet::from_bits(self.entries()[event].load(Ordering::Relaxed)))
    }

    /// Replaces all entries. The caller must have exclusive access.
    pub(crate) fn store(&self, monitors: LocalMonitors) {
        for (entry, tools) in self.entries().iter().zip(monitors.entries()) {
            entry.store(tools.bits(), Ordering::Relaxed);
        }
    }
}

/// A view of a table of lines.
///
/// # Safety
/// `lines` is the table of a code object with `units` code units, which outlives the view.
#[inline(always)]
pub(crate) unsafe fn line_table<'a>(
    lines: *mut ffi::_PyCoLineInstrumentationData,
    units: usize,
) -> LineTable<'a> {
    // SAFETY: the table has `units` entries and is live (caller).
    unsafe {
        let entry_size = (*lines).bytes_per_entry as usize;
        let entries = (&raw const (*lines).data).cast::<AtomicU8>();
        LineTable::new(entry_size, core::slice::from_raw_parts(entries, entry_size * units))
    }
}

/// Allocates a block of memory that the host frees. Fails with MemoryError.
///
/// # Safety
/// The thread is attached.
unsafe fn allocate(size: usize) -> PyResult<*mut u8> {
    // SAFETY: the thread is attached (caller).
    unsafe {
        let memory = ffi::PyMem_Malloc(size);
        if memory.is_null() {
            ffi::PyErr_NoMemory();
            return Err(Raised);
        }
        Ok(memory.cast())
    }
}

/// Atomic access to a pointer in a code object or its data.
///
/// # Safety
/// `location` is valid for as long as the result is used, and all accesses to it are atomic.
#[inline(always)]
unsafe fn slot<'a, T>(location: *mut *mut T) -> &'a AtomicPtr<T> {
    // SAFETY: `location` is valid, and all accesses are atomic (caller).
    unsafe { AtomicPtr::from_ptr(location) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monitors_come_out_as_they_went_in() {
        // SAFETY: an array of bytes, for which zero is a value.
        let mut memory: ffi::_Py_LocalMonitors = unsafe { core::mem::zeroed() };
        let shared = SharedMonitors(&raw mut memory);
        assert!(shared.load().is_empty());
        let monitors = LocalMonitors::from_fn(|event| ToolSet::from_bits(3 * event as u8 + 1));
        shared.store(monitors);
        assert_eq!(shared.load(), monitors);
        for event in Event::all().take(LOCAL_EVENTS) {
            assert_eq!(shared.tools(event), monitors.tools(event));
            assert_eq!(memory.tools[event.number()], monitors.tools(event).bits());
        }
    }
}
