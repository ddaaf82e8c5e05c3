//! What a code object keeps about its instrumentation: monitors and side tables. Source:
//! `_PyCoMonitoringData` in `pycore_instruments.h`; the host frees it with the code object.
//!
//! Tables have an entry per code unit, come when they are first needed, and stay.
//!
//! Whoever instruments is alone with that (the world is stopped, or the code object is locked), but others may
//! look at single entries of everything here meanwhile: so all of it is read and written atomically.

use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use super::events::{Event, LOCAL_EVENTS, Tool, ToolSet};
use super::lines::LineTable;
use super::monitors::LocalMonitors;
use crate::host::object::size;
use crate::host::{Code, PyResult, Raised, ffi};

/// The data of a code object, borrowed from it.
#[derive(Clone, Copy)]
pub(crate) struct Monitoring {
    data: *mut ffi::_PyCoMonitoringData,
    /// Code units of the code object.
    units: usize,
}

/// A table of tools or opcodes, borrowed from a code object.
pub(crate) type Table = &'static [AtomicU8];

/// Which of the tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TableKind {
    /// Whom an instruction's own event tells; there if events have several tools.
    Tools,
    /// Whom a line event tells; likewise.
    LineTools,
    /// Whom the event of an instruction tells; likewise.
    InstructionTools,
    /// The opcodes under the events of instructions.
    InstructionOpcodes,
}

impl Monitoring {
    /// The data of `code`, if there is any.
    ///
    /// # Safety
    /// The code object is live, and stays so while the result is used.
    #[inline(always)]
    pub(crate) unsafe fn of(code: Code) -> Option<Monitoring> {
        // SAFETY: the caller's promise; the data is published when it is complete.
        unsafe {
            let data = slot(&raw mut (*code.as_ptr())._co_monitoring).load(Ordering::Acquire);
            (!data.is_null()).then(|| Monitoring { data, units: size(code.object()) as usize })
        }
    }

    /// The data of `code`, empty if it is new. Fails with MemoryError.
    ///
    /// # Safety
    /// As for [`Monitoring::of`]; the thread is attached, and nobody else instruments the code object.
    pub(crate) unsafe fn get_or_create(code: Code) -> PyResult<Monitoring> {
        // SAFETY: the caller's promise.
        unsafe {
            if let Some(data) = Monitoring::of(code) {
                return Ok(data);
            }
            let data = allocate(size_of::<ffi::_PyCoMonitoringData>())?.cast::<ffi::_PyCoMonitoringData>();
            // No tables, no tools, version zero of each.
            data.write_bytes(0, 1);
            slot(&raw mut (*code.as_ptr())._co_monitoring).store(data, Ordering::Release);
            Ok(Monitoring { data, units: size(code.object()) as usize })
        }
    }

    /// Who watches this code object beside those who watch the interpreter.
    #[inline(always)]
    pub(crate) fn local(&self) -> SharedMonitors {
        // SAFETY: the code object is live.
        SharedMonitors(unsafe { &raw mut (*self.data).local_monitors })
    }

    /// Whom the bytecode is instrumented for.
    #[inline(always)]
    pub(crate) fn active(&self) -> SharedMonitors {
        // SAFETY: the code object is live.
        SharedMonitors(unsafe { &raw mut (*self.data).active_monitors })
    }

    /// The versions of the tools that set the local events.
    ///
    /// # Safety
    /// Nobody else instruments meanwhile.
    pub(crate) unsafe fn tool_versions(&self) -> &[usize] {
        // SAFETY: the code object is live, and only who instruments changes them.
        unsafe { &(*self.data).tool_versions }
    }

    /// # Safety
    /// Nobody else instruments meanwhile.
    pub(crate) unsafe fn set_tool_version(&self, tool: Tool, version: usize) {
        // SAFETY: the caller's promise.
        unsafe { (*self.data).tool_versions[tool.number()] = version }
    }

    // --- tables --------------------------------------------------------------------------------

    #[inline(always)]
    fn table_slot(&self, kind: TableKind) -> *mut *mut u8 {
        // SAFETY: the code object is live.
        unsafe {
            match kind {
                TableKind::Tools => &raw mut (*self.data).tools,
                TableKind::LineTools => &raw mut (*self.data).line_tools,
                TableKind::InstructionTools => &raw mut (*self.data).per_instruction_tools,
                TableKind::InstructionOpcodes => &raw mut (*self.data).per_instruction_opcodes,
            }
        }
    }

    /// A table, if there is one. Borrowed: it lives as long as the code object.
    #[inline(always)]
    pub(crate) fn table(&self, kind: TableKind) -> Option<Table> {
        // SAFETY: the tables have an entry per code unit, and are published when they are filled.
        unsafe {
            let table = slot(self.table_slot(kind)).load(Ordering::Acquire);
            (!table.is_null()).then(|| core::slice::from_raw_parts(table.cast(), self.units))
        }
    }

    /// Makes a table, whose entries `fill` sets, unless there is one. Fails with MemoryError.
    ///
    /// # Safety
    /// The thread is attached; nobody else instruments.
    pub(crate) unsafe fn ensure_table(&self, kind: TableKind, fill: impl FnOnce(Table)) -> PyResult<()> {
        if self.table(kind).is_some() {
            return Ok(());
        }
        // SAFETY: the caller's promise; the block has a byte per code unit.
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

    /// The table of lines, if there is one.
    #[inline(always)]
    pub(crate) fn lines(&self) -> Option<LineTable<'static>> {
        // SAFETY: the table is published when it is filled.
        unsafe {
            let lines = slot(&raw mut (*self.data).lines).load(Ordering::Acquire);
            (!lines.is_null()).then(|| line_table(lines, self.units))
        }
    }

    /// Makes the table of lines with entries of `entry_size` bytes, which `fill` sets, unless there is one.
    /// Fails with MemoryError.
    ///
    /// # Safety
    /// As for [`Monitoring::ensure_table`].
    pub(crate) unsafe fn create_lines(
        &self,
        entry_size: usize,
        fill: impl FnOnce(LineTable),
    ) -> PyResult<()> {
        // SAFETY: the caller's promise; the entries follow the byte with their size.
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

/// A table of who watches what, where the host keeps it.
#[derive(Clone, Copy)]
pub(crate) struct SharedMonitors(*mut ffi::_Py_LocalMonitors);

impl SharedMonitors {
    #[inline(always)]
    fn entries(&self) -> &[AtomicU8; LOCAL_EVENTS] {
        // SAFETY: in the data of a live code object: a byte for each event, changed through here only.
        unsafe { &*self.0.cast() }
    }

    /// The tools that watch `event`, a local one.
    #[inline(always)]
    pub(crate) fn tools(&self, event: Event) -> ToolSet {
        ToolSet::from_bits(self.entries()[event.number()].load(Ordering::Relaxed))
    }

    /// All of it. Only who instruments gets what belongs together.
    pub(crate) fn load(&self) -> LocalMonitors {
        LocalMonitors::from_fn(|event| ToolSet::from_bits(self.entries()[event].load(Ordering::Relaxed)))
    }

    /// Replaces it, for who instruments.
    pub(crate) fn store(&self, monitors: LocalMonitors) {
        for (entry, tools) in self.entries().iter().zip(monitors.entries()) {
            entry.store(tools.bits(), Ordering::Relaxed);
        }
    }
}

/// A view of a table of lines.
///
/// # Safety
/// The table is of a live code object with as many code units, and outlives the view.
#[inline(always)]
pub(crate) unsafe fn line_table<'a>(
    lines: *mut ffi::_PyCoLineInstrumentationData,
    units: usize,
) -> LineTable<'a> {
    // SAFETY: the caller's promise.
    unsafe {
        let entry_size = (*lines).bytes_per_entry as usize;
        let entries = (&raw const (*lines).data).cast::<AtomicU8>();
        LineTable::new(entry_size, core::slice::from_raw_parts(entries, entry_size * units))
    }
}

/// A block of memory that the host will free. Fails with MemoryError.
unsafe fn allocate(size: usize) -> PyResult<*mut u8> {
    // SAFETY: the thread is attached.
    unsafe {
        let memory = ffi::PyMem_Malloc(size);
        if memory.is_null() {
            ffi::PyErr_NoMemory();
            return Err(Raised);
        }
        Ok(memory.cast())
    }
}

#[inline(always)]
unsafe fn slot<'a, T>(location: *mut *mut T) -> &'a AtomicPtr<T> {
    // SAFETY: the callers' promise: a live pointer that is only changed through here.
    unsafe { AtomicPtr::from_ptr(location) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monitors_come_out_as_they_went_in() {
        // SAFETY: bytes.
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
