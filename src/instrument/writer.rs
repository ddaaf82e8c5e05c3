//! Writes bytecode and side tables so that they fire the events that tools watch; reads the base instructions
//! below the instrumentation.
//!
//! Callers: `tools` and `calls` in this room, `exports` for `_Py_Instrument`, `_Py_GetBaseCodeUnit` and
//! `_PyInstruction_GetLength`, and `tlbc` for new copies of bytecode. *Exclusive access* is defined in
//! [`super`].

use core::ffi::c_int;
use core::sync::atomic::Ordering;

use super::data::{Monitoring, Table, TableKind};
use super::events::{Event, Tool, ToolSet};
use super::layout::{self, Layers, Site, look};
use super::lines::{self, Listing, entry_size, instructions};
use super::monitors::{self, Change, outdated, watching};
use super::opcodes::{self, BaseInstruction};
use super::version;
use crate::bytecode::BackoffCounter;
use crate::bytecode::opcode::ENTER_EXECUTOR;
#[cfg(py_gil_disabled)]
use crate::host::copies::Copies;
use crate::host::exception_table::ExceptionTable;
use crate::host::lock::with_lock;
use crate::host::object::size;
use crate::host::{Code, CodeUnit, PyResult, ThreadState, ffi};
use crate::specialize::quicken::fresh_counter;

type Interpreter = *mut ffi::PyInterpreterState;

// --- reading -----------------------------------------------------------------------------------

/// The instruction at a location, and the layers of instrumentation on it.
#[derive(Clone, Copy)]
pub(crate) struct Location {
    pub(crate) base: BaseInstruction,
    layers: Layers,
}

/// Reads the base instruction at code unit `index` and its layers: below instrumentation, specialization and
/// executors.
///
/// # Safety
/// `code` is live, an instruction (not a cache) begins at `index`, and no other thread instruments `code`
/// meanwhile.
#[inline(always)]
pub(crate) unsafe fn location(code: Code, index: usize) -> Location {
    // SAFETY: `code` is live, and an instruction begins at `index` (caller).
    unsafe {
        let unit = code.bytecode().add(index as isize);
        let (top, mut argument) = unit.decode();
        let (opcode, layers) = if cfg!(py_tier2) && top == ENTER_EXECUTOR {
            let compiled;
            (compiled, argument) = under_executor(code, argument);
            (compiled, Layers::NONE)
        } else if opcodes::is_instrumented(top) {
            let data = Monitoring::of(code);
            let lines = || data.and_then(|data| data.lines()).map_or(0, |lines| lines.opcode(index));
            let below = || {
                let table = data.and_then(|data| data.table(TableKind::InstructionOpcodes));
                table.map_or(0, |table| table[index].load(Ordering::Relaxed))
            };
            layout::strip(top, lines, below)
        } else {
            (top, Layers::NONE)
        };
        let opcode = opcodes::generic(opcode);
        let length = 1 + opcodes::cache_units(opcode);
        Location { base: BaseInstruction { opcode, argument: argument as u8, length }, layers }
    }
}

/// The opcode and the argument of the instruction that an ENTER_EXECUTOR replaced.
///
/// # Safety
/// `code` is live and has an executor of this number.
unsafe fn under_executor(code: Code, number: usize) -> (u8, usize) {
    // SAFETY: `code` has an executor table with an entry of this number (caller).
    unsafe {
        let executors = (*code.as_ptr()).co_executors;
        let table = (&raw const (*executors).executors).cast::<*mut ffi::_PyExecutorObject>();
        let data = &(**table.add(number)).vm_data;
        (data.opcode, data.oparg as usize)
    }
}

/// The base instructions of a code object, as a [`Listing`].
#[derive(Clone, Copy)]
pub(crate) struct Bytecode {
    code: Code,
    units: usize,
}

impl Bytecode {
    /// # Safety
    /// While the result is used, `code` is live, and no other thread instruments it.
    pub(crate) unsafe fn of(code: Code) -> Bytecode {
        // SAFETY: `code` is live (caller).
        Bytecode { code, units: unsafe { size(code.object()) } as usize }
    }
}

impl Listing for Bytecode {
    fn units(&self) -> usize {
        self.units
    }

    fn first_traceable(&self) -> usize {
        // SAFETY: `code` is live, as `Bytecode::of` requires.
        unsafe { (*self.code.as_ptr())._co_firsttraceable as usize }
    }

    fn at(&self, index: usize) -> BaseInstruction {
        debug_assert!(index < self.units);
        // SAFETY: `code` is live and not instrumented by other threads, as `Bytecode::of` requires; listings
        // are walked from instruction to instruction, so one begins at `index`.
        unsafe { location(self.code, index).base }
    }
}

// --- writing -----------------------------------------------------------------------------------

/// All copies of the bytecode.
///
/// # Safety
/// `code` is live, and the caller has exclusive access to it.
unsafe fn copies(code: Code) -> impl Iterator<Item = CodeUnit> {
    #[cfg(not(py_gil_disabled))]
    // SAFETY: `code` is live (caller).
    return core::iter::once(unsafe { code.bytecode() });
    #[cfg(py_gil_disabled)]
    // SAFETY: `code` is live, and the array of copies does not change under exclusive access (caller).
    unsafe {
        Copies::of(code).iter().map(|(_, copy)| copy)
    }
}

/// Returns the base instruction at `index`, and the opcode for this location in a new copy of the bytecode:
/// the topmost instrumented opcode, or the base opcode if there is none.
///
/// # Safety
/// `code` is live, the caller has exclusive access to it, and an instruction begins at `index`.
#[cfg(py_gil_disabled)]
pub(crate) unsafe fn shown(code: Code, index: usize) -> (BaseInstruction, u8) {
    // SAFETY: the requirements of `location` are among those of this function.
    let Location { base, layers } = unsafe { location(code, index) };
    (base, look(base.opcode, layers).top)
}

/// Changes the layers of a location from `before` to `after`. `between` are the layers that remain after the
/// removals and before the additions; they decide whether the instruction starts to specialize again, with
/// `counter`.
///
/// The opcodes below a layer that is added or removed are stored before the bytecode is: a thread that
/// dispatches to the old opcode once more continues with what is stored below it.
///
/// # Safety
/// `code` is live, the caller has exclusive access to it, `data` is its data, and `before` is the location at
/// `index` as it is now.
#[inline(always)]
unsafe fn write(
    code: Code,
    data: &Monitoring,
    index: usize,
    before: Location,
    between: Layers,
    after: Layers,
    counter: BackoffCounter,
) {
    if before.layers == between && between == after {
        return;
    }
    let look = look(before.base.opcode, after);
    if (before.layers.instruction || after.instruction)
        && let Some(table) = data.table(TableKind::InstructionOpcodes)
    {
        table[index].store(look.below_instruction, Ordering::Relaxed);
    }
    if (before.layers.line || after.line)
        && let Some(lines) = data.lines()
    {
        lines.set_opcode(index, look.below_line);
    }
    let resets_counter =
        (before.layers.resets_counter(between) || between.resets_counter(after)) && before.base.length > 1;
    // SAFETY: `code` is live, the caller has exclusive access, and an instruction begins at `index` (caller).
    // The caches are those of the base instruction in all forms.
    unsafe {
        for copy in copies(code) {
            let unit = copy.add(index as isize);
            // A specialized form stays if there was and is no layer on it.
            if opcodes::is_instrumented(unit.opcode()) || opcodes::is_instrumented(look.top) {
                unit.set_opcode(look.top);
            }
            if resets_counter {
                counter.store_at(unit);
            }
        }
    }
}

/// The present state of one layer at one location.
fn site(table: Option<Table>, index: usize, present: bool) -> Site {
    Site { present, told: table.map(|table| ToolSet::from_bits(table[index].load(Ordering::Relaxed))) }
}

/// Stores the tools of the layer. Returns whether the bytecode must have the layer.
fn keep(table: Option<Table>, index: usize, site: Site) -> bool {
    if let (Some(table), Some(told)) = (table, site.told) {
        table[index].store(told.bits(), Ordering::Relaxed);
    }
    site.present
}

/// A change to the instrumentation of a code object.
struct Writer<'a> {
    code: Code,
    data: &'a Monitoring,
    change: &'a Change,
    /// The counter of instructions that start to specialize again.
    counter: BackoffCounter,
}

impl Writer<'_> {
    /// Applies the change to all instructions.
    ///
    /// # Safety
    /// The code object is live, the caller has exclusive access to it, and `data` is its data.
    unsafe fn write_all(&self) {
        // SAFETY: the code object is live, with exclusive access (caller); the loop goes from instruction to
        // instruction.
        unsafe {
            let bytecode = Bytecode::of(self.code);
            let touched = self.change.touched();
            let lines = self.data.lines().filter(|_| touched.contains(Event::LINE));
            let instructions = touched.contains(Event::INSTRUCTION);
            let mut index = bytecode.first_traceable();
            while index < bytecode.units() {
                let here = location(self.code, index);
                let base = here.base;
                let fires = touched.intersects(opcodes::events(base.opcode));
                let begins_line = lines.is_some_and(|lines| lines.opcode(index) != 0);
                // Most instructions have no such event.
                if fires || begins_line || instructions {
                    let (mut between, mut after) = (here.layers, here.layers);
                    if fires && let Some(event) = opcodes::event(base.opcode, base.argument) {
                        (between.event, after.event) =
                            self.change_layer(TableKind::Tools, index, after.event, event);
                    }
                    if begins_line {
                        (between.line, after.line) =
                            self.change_layer(TableKind::LineTools, index, after.line, Event::LINE);
                    }
                    if instructions && opcodes::has_instruction_event(base.opcode) {
                        let (kind, event) = (TableKind::InstructionTools, Event::INSTRUCTION);
                        (between.instruction, after.instruction) =
                            self.change_layer(kind, index, after.instruction, event);
                    }
                    write(self.code, self.data, index, here, between, after, self.counter);
                }
                index += base.length;
            }
        }
    }

    /// Changes the tools of one layer at one location. Returns whether the bytecode has the layer after the
    /// removals, and whether it has it after the additions.
    #[inline(always)]
    fn change_layer(&self, kind: TableKind, index: usize, present: bool, event: Event) -> (bool, bool) {
        let table = self.data.table(kind);
        let (removed, active) = (self.change.removed.tools(event), self.change.active.tools(event));
        let between = site(table, index, present).without(removed, active);
        (between.present, keep(table, index, between.with(self.change.added.tools(event))))
    }
}

/// Stops `event` at one location for `tool`, which has returned DISABLE.
///
/// # Safety
/// The caller has stopped the world, `interp` is its interpreter, `code` is live, and an instruction begins
/// at `index` of which `event` is an event. (The event may have been removed meanwhile.)
pub(crate) unsafe fn disable(interp: Interpreter, code: Code, index: usize, event: Event, tool: Tool) {
    debug_assert!(event.is_local());
    // SAFETY: `code` is live, the world is stopped, and an instruction begins at `index` (caller).
    unsafe {
        let Some(data) = Monitoring::of(code) else { return };
        let here = location(code, index);
        let mut after = here.layers;
        let (kind, layer) = match event {
            Event::LINE => (TableKind::LineTools, &mut after.line),
            Event::INSTRUCTION => (TableKind::InstructionTools, &mut after.instruction),
            _ => (TableKind::Tools, &mut after.event),
        };
        let table = data.table(kind);
        let site = site(table, index, *layer).without(ToolSet::of(tool), data.active().tools(event));
        *layer = keep(table, index, site);
        write(code, &data, index, here, after, after, fresh_counter(interp));
    }
}

// --- code objects ------------------------------------------------------------------------------

/// Updates `code` to what tools watch now, whatever its version is. Fails with MemoryError.
///
/// # Safety
/// The thread is attached to `interp`, `code` is live, and the caller has exclusive access to it.
pub(crate) unsafe fn instrument(code: Code, interp: Interpreter) -> PyResult<()> {
    // SAFETY: `code` is live, with exclusive access, and the thread is attached to `interp` (caller).
    unsafe {
        invalidate_executors(code, interp);
        // Some of these are statics of the host: they must not own data.
        if (*code.as_ptr()).co_flags as u32 & ffi::CO_NO_MONITORING_EVENTS != 0 {
            return Ok(());
        }
        let data = Monitoring::get_or_create(code)?;
        let mut local = data.local().load();
        let outdated = outdated(data.tool_versions(), &(*interp).monitoring_tool_versions);
        if !outdated.is_empty() {
            local.forget(outdated);
            data.local().store(local);
        }
        let active = watching(monitors::of_interpreter(interp), &local);
        prepare_tables(code, &data, &active)?;
        let restarted = (*interp).last_restart_version > version::of_code(code).field();
        let change = Change::new(&data.active().load(), active, restarted);
        data.active().store(active);
        if !change.is_empty() {
            Writer { code, data: &data, change: &change, counter: fresh_counter(interp) }.write_all();
        }
        version::set_of_code(code, version::global(interp));
        Ok(())
    }
}

/// Invalidates the executors that run through `code`: they fire no events.
///
/// # Safety
/// As for [`instrument`].
unsafe fn invalidate_executors(code: Code, interp: Interpreter) {
    #[cfg(not(py_tier2))]
    let _ = (code, interp);
    #[cfg(py_tier2)]
    // SAFETY: `code` is live, with exclusive access (caller).
    unsafe {
        if !(*code.as_ptr()).co_executors.is_null() {
            ffi::_PyCode_Clear_Executors(code.as_ptr());
        }
        crate::seams::optimizer::invalidate_dependents(interp, code);
    }
}

/// Allocates the side tables that `active` needs. Fails with MemoryError.
///
/// # Safety
/// As for [`instrument`]; `data` is the data of `code`.
unsafe fn prepare_tables(
    code: Code,
    data: &Monitoring,
    active: &super::monitors::LocalMonitors,
) -> PyResult<()> {
    let multiple = active.has_multiple_tools();
    // SAFETY: `code` is live, with exclusive access, and the thread is attached (caller).
    unsafe {
        let bytecode = Bytecode::of(code);
        if multiple {
            data.ensure_table(TableKind::Tools, |table| {
                // The present events are for the tools that were active until now.
                for (index, base) in instructions(&bytecode, 0) {
                    let fires = opcodes::event(base.opcode, base.argument);
                    if let Some(fires) = fires.filter(|_| location(code, index).layers.event) {
                        table[index].store(data.active().tools(fires).bits(), Ordering::Relaxed);
                    }
                }
            })?;
        }
        let lines = active.tools(Event::LINE);
        if !lines.is_empty() {
            if data.lines().is_none() {
                create_lines(code, data, bytecode)?;
            }
            if multiple {
                // All tools, even one that has disabled the event here: it is notified once more.
                data.ensure_table(TableKind::LineTools, |table| {
                    table.iter().for_each(|entry| entry.store(lines.bits(), Ordering::Relaxed));
                })?;
            }
        }
        if !active.tools(Event::INSTRUCTION).is_empty() {
            data.ensure_table(TableKind::InstructionOpcodes, |table| {
                for (index, base) in instructions(&bytecode, 0) {
                    table[index].store(base.opcode, Ordering::Relaxed);
                }
            })?;
            if multiple {
                // Empty, as in CPython: the tools that were notified until now are not kept.
                data.ensure_table(TableKind::InstructionTools, |_| ())?;
            }
        }
    }
    Ok(())
}

/// Creates the table of lines. Fails with MemoryError.
///
/// # Safety
/// As for [`instrument`]; `data` is the data of `code`, which has no table of lines yet.
unsafe fn create_lines(code: Code, data: &Monitoring, bytecode: Bytecode) -> PyResult<()> {
    // SAFETY: `code` is live, with exclusive access, and the thread is attached (caller).
    unsafe {
        let mut line_of = LineReader::new(code);
        let traceable = instructions(&bytecode, bytecode.first_traceable());
        let distances = traceable.filter_map(|(index, _)| line_of.distance(index));
        // As on the host, entries have room for a distance of 1 at least.
        let largest = distances.fold(1, i32::max);
        let handlers = ExceptionTable::of(code).map(|entry| entry.target);
        data.create_lines(entry_size(largest), |table| {
            let mut line_of = LineReader::new(code);
            lines::fill(table, &bytecode, |index| line_of.distance(index), handlers);
        })
    }
}

/// Reads the compiler's line table, from the first code unit to the last.
struct LineReader {
    code: Code,
    range: ffi::PyCodeAddressRange,
}

impl LineReader {
    /// # Safety
    /// `code` is live while the reader is used.
    unsafe fn new(code: Code) -> LineReader {
        // SAFETY: `code` is live (caller); the range is plain old data, which the host initializes.
        unsafe {
            let mut range: ffi::PyCodeAddressRange = core::mem::zeroed();
            ffi::_PyCode_InitAddressRange(code.as_ptr(), &raw mut range);
            LineReader { code, range }
        }
    }

    /// The distance of the code unit's line from the code object's first line. Calls go from smaller indices
    /// to larger ones.
    fn distance(&mut self, index: usize) -> Option<i32> {
        let offset = (index * size_of::<ffi::_Py_CODEUNIT>()) as c_int;
        // SAFETY: the code object is live, as `LineReader::new` requires.
        unsafe {
            let line = ffi::_PyCode_CheckLineNumber(offset, &raw mut self.range);
            (line >= 0).then(|| line - (*self.code.as_ptr()).co_firstlineno)
        }
    }
}

/// Updates `code` unless its version is the interpreter's. Fails with MemoryError.
///
/// # Safety
/// As for [`instrument`].
pub(crate) unsafe fn instrument_if_outdated(code: Code, interp: Interpreter) -> PyResult<()> {
    // SAFETY: `instrument` requires what this function requires.
    unsafe {
        if version::of_code(code) == version::global(interp) {
            return Ok(());
        }
        instrument(code, interp)
    }
}

/// Updates the code of all frames of all threads of `interp`. Fails with MemoryError.
///
/// # Safety
/// The thread is attached to `interp`, and the world is stopped.
pub(crate) unsafe fn instrument_all_running(interp: Interpreter) -> PyResult<()> {
    let mut running: Vec<Code> = Vec::new();
    // SAFETY: the world is stopped, so all frames stay as they are, and keep their code alive; `previous` leads to
    // live frames only.
    unsafe {
        // Instrumenting may free executors, which takes the lock that is held here.
        ThreadState::for_each(interp, |thread| {
            let mut frame = thread.current_frame();
            while let Some(at) = frame {
                if at.owner() < ffi::FRAME_OWNED_BY_INTERPRETER && running.last() != Some(&at.code()) {
                    running.push(at.code());
                }
                frame = at.previous();
            }
        });
        running.into_iter().try_for_each(|code| instrument_if_outdated(code, interp))
    }
}

/// Updates `code` to what the interpreter's tools watch, and sets the thread's copy of the version to the
/// interpreter's, whatever it was. So the next comparison of the two finds no difference. Fails with
/// MemoryError.
///
/// # Safety
/// The thread is attached to `interp`, `code` is live, and the thread has not stopped the world.
pub(crate) unsafe fn bring_up_to_date(code: Code, interp: Interpreter) -> PyResult<()> {
    // SAFETY: `code` is live, and the thread is attached to `interp` (caller); the lock gives exclusive
    // access.
    unsafe {
        let result = with_lock(code.object(), || instrument_if_outdated(code, interp));
        // The two differ only while an interpreter is cleared. Its finalizers must not find the difference
        // again and again.
        version::catch_up(ThreadState::current(), interp);
        result
    }
}
