//! Makes bytecode and side tables what tools want them to be.

use core::ffi::c_int;
use core::sync::atomic::Ordering;

use super::data::{Monitoring, Table, TableKind};
use super::events::{Event, Tool, ToolSet};
use super::layout::{self, Layers, Site, look};
use super::lines::{self, Listing, entry_size, instructions};
use super::monitors::{self, Change, outdated, watching};
use super::opcodes::{self, Instruction};
use super::version;
use crate::bytecode::BackoffCounter;
use crate::bytecode::opcode::ENTER_EXECUTOR;
#[cfg(py_gil_disabled)]
use crate::host::copies::Copies;
use crate::host::lock::with_lock;
use crate::host::object::size;
use crate::host::{Code, CodeUnit, PyResult, ThreadState, ffi};
use crate::specialize::quicken::fresh_counter;

type Interpreter = *mut ffi::PyInterpreterState;

// --- reading -----------------------------------------------------------------------------------

/// What is at a location.
#[derive(Clone, Copy)]
pub(crate) struct Location {
    pub(crate) base: Instruction,
    layers: Layers,
}

/// Looks through everything on top of the instruction at `index`.
///
/// # Safety
/// The code object is live and has an instruction there; no thread instruments it meanwhile.
#[inline(always)]
pub(crate) unsafe fn location(code: Code, index: usize) -> Location {
    // SAFETY: the callers' promise: the code object is live, and there is an instruction.
    unsafe {
        let unit = code.bytecode().add(index as isize);
        let (top, mut argument) = unit.decode();
        let (opcode, layers) = if top == ENTER_EXECUTOR {
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
        Location { base: Instruction { opcode, argument: argument as u8, length }, layers }
    }
}

/// Opcode and argument of the instruction that an executor stands in for.
unsafe fn under_executor(code: Code, number: usize) -> (u8, usize) {
    // SAFETY: the code object has an executor of that number.
    unsafe {
        let executors = (*code.as_ptr()).co_executors;
        let table = (&raw const (*executors).executors).cast::<*mut ffi::_PyExecutorObject>();
        let data = &(**table.add(number)).vm_data;
        (data.opcode, data.oparg as usize)
    }
}

/// A code object's own bytecode, with nothing on top.
#[derive(Clone, Copy)]
pub(crate) struct Bytecode {
    code: Code,
    units: usize,
}

impl Bytecode {
    /// # Safety
    /// The code object is live, and stays so while the result is used; nobody else instruments it.
    pub(crate) unsafe fn of(code: Code) -> Bytecode {
        // SAFETY: the caller's promise.
        Bytecode { code, units: unsafe { size(code.object()) } as usize }
    }
}

impl Listing for Bytecode {
    fn units(&self) -> usize {
        self.units
    }

    fn first_traceable(&self) -> usize {
        // SAFETY: the code object is live.
        unsafe { (*self.code.as_ptr())._co_firsttraceable as usize }
    }

    fn at(&self, index: usize) -> Instruction {
        debug_assert!(index < self.units);
        // SAFETY: the code object is live, and callers go from instruction to instruction.
        unsafe { location(self.code, index).base }
    }
}

// --- writing -----------------------------------------------------------------------------------

/// Every copy of the bytecode.
unsafe fn copies(code: Code) -> impl Iterator<Item = CodeUnit> {
    #[cfg(not(py_gil_disabled))]
    // SAFETY: the callers' promise: the code object is live.
    return core::iter::once(unsafe { code.bytecode() });
    #[cfg(py_gil_disabled)]
    // SAFETY: as above; the array does not change while the code object is locked or the world stopped.
    unsafe {
        Copies::of(code).iter().map(|(_, copy)| copy)
    }
}

/// The instruction at `index`, and the opcode that a new copy of the bytecode has there: what instrumentation
/// has put on top of it, or itself.
///
/// # Safety
/// The code object is live and locked, or the world is stopped; there is an instruction.
#[cfg(py_gil_disabled)]
pub(crate) unsafe fn shown(code: Code, index: usize) -> (Instruction, u8) {
    // SAFETY: the caller's promise.
    let Location { base, layers } = unsafe { location(code, index) };
    (base, look(base.opcode, layers).top)
}

/// Changes the layers of a location, by way of those that are left once some are taken away. What is under
/// a layer that comes or goes is stored first: a thread that meets the old opcode once more goes on with
/// what is there now. `counter` is for an instruction that shall start specializing anew.
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
    // SAFETY: the callers' promise: the code object is live, and nobody else instruments it.
    unsafe {
        for copy in copies(code) {
            let unit = copy.add(index as isize);
            // One that runs specialized where nothing is on top may stay so.
            if opcodes::is_instrumented(unit.opcode()) || opcodes::is_instrumented(look.top) {
                unit.set_opcode(look.top);
            }
            if resets_counter {
                counter.store_at(unit);
            }
        }
    }
}

/// One layer at one location, as it is.
fn site(table: Option<Table>, index: usize, present: bool) -> Site {
    Site { present, told: table.map(|table| ToolSet::from_bits(table[index].load(Ordering::Relaxed))) }
}

/// Stores whom the layer tells from now on; gives whether the bytecode must have it.
fn keep(table: Option<Table>, index: usize, site: Site) -> bool {
    if let (Some(table), Some(told)) = (table, site.told) {
        table[index].store(told.bits(), Ordering::Relaxed);
    }
    site.present
}

/// A change that is being made in a code object.
struct Writer<'a> {
    code: Code,
    data: &'a Monitoring,
    change: &'a Change,
    /// For instructions that shall start specializing anew.
    counter: BackoffCounter,
}

impl Writer<'_> {
    /// Makes the change everywhere in the bytecode.
    ///
    /// # Safety
    /// The code object is live, and nobody else instruments it.
    unsafe fn write_all(&self) {
        // SAFETY: the caller's promise.
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
                // Most instructions are not concerned.
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

    /// Changes one layer at one location. Gives whether the bytecode has it once some tools are taken away,
    /// and whether it has it in the end.
    #[inline(always)]
    fn change_layer(&self, kind: TableKind, index: usize, present: bool, event: Event) -> (bool, bool) {
        let table = self.data.table(kind);
        let (removed, active) = (self.change.removed.tools(event), self.change.active.tools(event));
        let between = site(table, index, present).without(removed, active);
        (between.present, keep(table, index, between.with(self.change.added.tools(event))))
    }
}

/// Ends what `tool` is told of `event` at one location: it has returned DISABLE.
///
/// # Safety
/// The thread is attached, the world is stopped, the code object is live and was instrumented, and there
/// is an instruction with that event at `index`.
pub(crate) unsafe fn disable(interp: Interpreter, code: Code, index: usize, event: Event, tool: Tool) {
    debug_assert!(event.is_local());
    // SAFETY: the caller's promise.
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

/// Brings a code object up to date with what tools want, whatever its version. Fails with MemoryError.
///
/// # Safety
/// The thread is attached and the code object live; it is locked or the world is stopped.
pub(crate) unsafe fn instrument(code: Code, interp: Interpreter) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        invalidate_executors(code, interp);
        // Some are statics of the host, which nothing may be attached to.
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

/// Ends the use of traces through the code object, which have no events.
unsafe fn invalidate_executors(code: Code, interp: Interpreter) {
    #[cfg(not(py_tier2))]
    let _ = (code, interp);
    #[cfg(py_tier2)]
    // SAFETY: the callers' promise: the code object is live, and nobody else instruments it.
    unsafe {
        if !(*code.as_ptr()).co_executors.is_null() {
            ffi::_PyCode_Clear_Executors(code.as_ptr());
        }
        ffi::_Py_Executors_InvalidateDependency(interp, code.as_ptr().cast(), 1);
    }
}

/// Makes the side tables that `active` needs.
unsafe fn prepare_tables(
    code: Code,
    data: &Monitoring,
    active: &super::monitors::LocalMonitors,
) -> PyResult<()> {
    let multiple = active.has_multiple_tools();
    // SAFETY: the callers' promise: the code object is live, and nobody else instruments it.
    unsafe {
        let bytecode = Bytecode::of(code);
        if multiple {
            data.ensure_table(TableKind::Tools, |table| {
                // What is there was put there for those who were active.
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
                // Even where a tool has disabled the event: it is told there once more.
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
                // The host forgets here who has been told so far.
                data.ensure_table(TableKind::InstructionTools, |_| ())?;
            }
        }
    }
    Ok(())
}

/// Makes the table of lines.
unsafe fn create_lines(code: Code, data: &Monitoring, bytecode: Bytecode) -> PyResult<()> {
    // SAFETY: the callers' promise: the code object is live, and nobody else instruments it.
    unsafe {
        let mut line_of = LineReader::new(code);
        let traceable = instructions(&bytecode, bytecode.first_traceable());
        let distances = traceable.filter_map(|(index, _)| line_of.distance(index));
        // One line at least, in all hosts.
        let largest = distances.fold(1, i32::max);
        let exceptions = (*code.as_ptr()).co_exceptiontable;
        let start = (&raw const (*exceptions.cast::<ffi::PyBytesObject>()).ob_sval).cast::<u8>();
        let exceptions = core::slice::from_raw_parts(start, size(exceptions) as usize);
        data.create_lines(entry_size(largest), |table| {
            let mut line_of = LineReader::new(code);
            lines::fill(table, &bytecode, |index| line_of.distance(index), lines::handlers(exceptions));
        })
    }
}

/// Reads the compiler's line table from front to back.
struct LineReader {
    code: Code,
    range: ffi::PyCodeAddressRange,
}

impl LineReader {
    /// The code object is live while the reader is used.
    unsafe fn new(code: Code) -> LineReader {
        // SAFETY: the callers' promise; plain old data that the host fills.
        unsafe {
            let mut range: ffi::PyCodeAddressRange = core::mem::zeroed();
            ffi::_PyCode_InitAddressRange(code.as_ptr(), &raw mut range);
            LineReader { code, range }
        }
    }

    /// How far the line of a code unit is from the first one.
    fn distance(&mut self, index: usize) -> Option<i32> {
        let offset = (index * size_of::<ffi::_Py_CODEUNIT>()) as c_int;
        // SAFETY: the code object is live.
        unsafe {
            let line = ffi::_PyCode_CheckLineNumber(offset, &raw mut self.range);
            (line >= 0).then(|| line - (*self.code.as_ptr()).co_firstlineno)
        }
    }
}

/// Brings a code object up to date unless its version is the interpreter's.
///
/// # Safety
/// As for [`instrument`].
pub(crate) unsafe fn instrument_if_outdated(code: Code, interp: Interpreter) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        if version::of_code(code) == version::global(interp) {
            return Ok(());
        }
        instrument(code, interp)
    }
}

/// Brings all code up to date that has a frame in some thread. Fails with MemoryError.
///
/// # Safety
/// The thread is attached and the world is stopped.
pub(crate) unsafe fn instrument_all_running(interp: Interpreter) -> PyResult<()> {
    // SAFETY: the caller's promise; frames link to live frames.
    unsafe {
        ThreadState::with_all(interp, |mut threads| {
            threads.try_for_each(|thread| {
                let mut frame = thread.current_frame();
                while !frame.is_null() {
                    if frame.owner() < ffi::FRAME_OWNED_BY_INTERPRETER {
                        instrument_if_outdated(frame.code(), interp)?;
                    }
                    frame = frame.previous();
                }
                Ok(())
            })
        })
    }
}

/// Brings `code` up to date with what the interpreter's tools want. Fails with MemoryError. Afterwards the
/// thread sees the interpreter's version, whatever it saw before: the next comparison of versions finds no
/// difference between the two.
///
/// # Safety
/// The thread is attached, `code` is live, `interp` is the thread's, and the world is not stopped.
pub(crate) unsafe fn bring_up_to_date(code: Code, interp: Interpreter) -> PyResult<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let result = with_lock(code.object(), || instrument_if_outdated(code, interp));
        // They differ only when an interpreter is cleared, whose finalizers must not look for the
        // difference for ever.
        version::catch_up(ThreadState::current(), interp);
        result
    }
}
