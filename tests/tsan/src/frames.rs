//! Frames, from their first RESUME to their end.

use core::ffi::c_int;

use crate::bytecode::opcode::*;
use crate::engine::{BytecodeExit, BytecodeOp, Engine};
use crate::host::{Code, CodeUnit, Frame, Owned, PyObject, StackRef, ThreadState, ffi};
use crate::instrument::data::{Monitoring, TableKind};
use crate::instrument::events::{Event, Tool, ToolSet};
use crate::instrument::layout::{Layers, strip};
use crate::instrument::{exceptions, opcodes, tools};
use crate::ops;

use super::engine::Registers;
use super::random::Random;

/// The tool that never disables an event.
pub const FAITHFUL: i32 = 0;

/// A code object and its bytecode as the compiler made it.
#[repr(C)]
pub struct Program {
    pub code: *mut ffi::PyCodeObject,
    original: *const u16,
    units: usize,
}

/// A thread: what it works with, and counts of what it has done.
#[repr(C)]
pub struct Thread {
    tstate: *mut ffi::PyThreadState,
    random: Random,
    operands: *const *mut PyObject,
    operand_count: usize,
    globals: *mut PyObject,
    builtins: *mut PyObject,
    frames: u64,
    instrumented: u64,
    specialized: u64,
    /// Exceptions of which tools were notified.
    raised: u64,
}

/// The number of values on the stack of a frame: more than any instruction here reads.
const STACK: usize = 8;

/// The memory of a frame.
#[repr(C)]
struct Memory {
    frame: ffi::_PyInterpreterFrame,
    stack: [StackRef; STACK],
}

/// Executes all of a code object in a frame of its own.
///
/// # Safety
/// The calling thread is attached, and `thread` has its state, live operands that are never freed, and live
/// namespaces. The program's code object is live, and `original` has its `units` code units.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stress_run(thread: &mut Thread, program: &Program) {
    let tstate = ThreadState::from_ptr(thread.tstate);
    let code = Code::from_ptr(program.code);
    // SAFETY: thread and program are as required (caller). The fields are numbers and pointers, for which zero
    // is valid. The frame is unlinked from the thread before its memory is freed.
    unsafe {
        let mut memory: Memory = core::mem::zeroed();
        let stack: *mut StackRef = (&raw mut memory.stack).cast();
        let new = &raw mut memory.frame;
        let frame = Frame::from_ptr(new);
        (*new).f_executable = StackRef::borrow_object(code.object()).raw();
        (*new).owner = ffi::FRAME_OWNED_BY_THREAD as _;
        frame.set_previous(tstate.current_frame());
        (*new).stackpointer = stack.cast();
        (*new).f_globals = thread.globals;
        (*new).f_builtins = thread.builtins;
        // Like `_PyFrame_Initialize`.
        let (index, copy) = match tstate.bytecode_copy(code) {
            Some(copy) => (tstate.tlbc_index(), copy),
            None => (0, code.bytecode()),
        };
        (*new).tlbc_index = index;
        frame.set_instr(copy);
        tstate.set_current_frame(Some(frame));
        Walk { thread, program, frame, code, stack }.run();
        tstate.set_current_frame(frame.previous());
        // The tools that got the frame object have released it.
        drop(Owned::optional((*new).frame_obj.cast()));
    }
    thread.frames += 1;
}

/// The result of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    As(u8),
    Again,
}

/// The execution of a frame, from front to back.
struct Walk<'a> {
    thread: &'a mut Thread,
    program: &'a Program,
    frame: Frame,
    code: Code,
    stack: *mut StackRef,
}

// The contract of the unsafe methods below (see [`stress_run`]): the frame is live and the thread's current
// one, the thread is attached, and every index is that of an instruction in the frame's bytecode. Micro-ops get
// the instruction that they are for, and live operands.
impl Walk<'_> {
    /// Executes all instructions.
    ///
    /// # Safety
    /// As the comment above says.
    unsafe fn run(&mut self) {
        // SAFETY: the contract above; `index` goes from instruction to instruction.
        unsafe {
            let mut index = (*self.program.code)._co_firsttraceable as usize;
            let mut previous = index;
            while index < self.program.units {
                let original = *self.program.original.add(index);
                self.instruction(index, previous, original);
                previous = index;
                index += 1 + opcodes::cache_units(original as u8);
                if self.thread.random.once_in(16) {
                    let mut e = self.registers(previous, previous, 0);
                    assert!(ops::check_periodic(&mut e, []).is_ok());
                }
            }
        }
    }

    /// The state of the evaluator at an instruction, with a stack full of operands.
    ///
    /// # Safety
    /// As the comment above says; `previous` is the index of an instruction, too.
    unsafe fn registers(&mut self, index: usize, previous: usize, oparg: usize) -> Registers {
        // SAFETY: the contract above; there are `operand_count` operands, and the stack has `STACK` slots.
        unsafe {
            let operands = core::slice::from_raw_parts(self.thread.operands, self.thread.operand_count);
            for slot in 0..STACK {
                // The host never frees the operands.
                *self.stack.add(slot) = StackRef::borrow_object(self.thread.random.pick(operands));
            }
            let bytecode = self.frame.bytecode();
            let this = bytecode.add(index as isize);
            self.frame.set_instr(this);
            Registers {
                frame: self.frame,
                tstate: ThreadState::from_ptr(self.thread.tstate),
                oparg,
                this,
                previous: bytecode.add(previous as isize),
                next: this.add(1),
                sp: self.stack.add(STACK),
            }
        }
    }

    /// Executes one instruction.
    ///
    /// # Safety
    /// As the comment above says; `original` is the instruction as the compiler made it.
    unsafe fn instruction(&mut self, index: usize, previous: usize, original: u16) {
        // SAFETY: the contract above.
        unsafe {
            if original as u8 == RESUME {
                return self.resume(index, previous, (original >> 8) as usize);
            }
            let mut opcode = self.look(index, original);
            loop {
                // The code has two constants, names and so on.
                let oparg = self.thread.random.below(2);
                let mut e = self.registers(index, previous, oparg);
                if self.thread.random.once_in(16) {
                    self.raise(&e);
                }
                if self.thread.random.once_in(2) && ends_iteration(original) {
                    self.end_iteration(&e);
                }
                match self.step(&mut e, opcode) {
                    Outcome::Done => return,
                    Outcome::As(other) => opcode = other,
                    Outcome::Again => {
                        opcode = self.look(index, original);
                        if !opcodes::is_instrumented(opcode) {
                            return;
                        }
                    }
                }
            }
        }
    }

    /// Reads an instruction and checks it: it must be what the compiler made, perhaps specialized, with exactly
    /// the events on top that tools watch.
    ///
    /// # Safety
    /// As the comment above says; `original` is the instruction as the compiler made it.
    unsafe fn look(&mut self, index: usize, original: u16) -> u8 {
        // SAFETY: the contract above.
        unsafe {
            let (top, argument) = self.frame.bytecode().add(index as isize).decode();
            let data = Monitoring::of(self.code);
            let lines = data.and_then(|data| data.lines());
            let (opcode, layers) = strip(
                top,
                || lines.expect("a table of lines").opcode(index),
                || {
                    let table = data.and_then(|data| data.table(TableKind::InstructionOpcodes));
                    table.expect("a table of opcodes")[index].load(core::sync::atomic::Ordering::Relaxed)
                },
            );
            assert_eq!((opcodes::generic(opcode), argument), (original as u8, (original >> 8) as usize));
            self.thread.instrumented += u64::from(layers != Layers::NONE);
            // LOAD_CONST gets its form even without specialization.
            self.thread.specialized += u64::from(opcode != original as u8 && original as u8 != LOAD_CONST);

            let event = opcodes::event(original as u8, argument as u8);
            if let Some(event) = event.filter(|_| opcodes::instrumented_form(original as u8).is_some()) {
                self.compare(layers.event, event);
            }
            if lines.is_some_and(|lines| lines.opcode(index) != 0) {
                self.compare(layers.line, Event::LINE);
            } else {
                assert!(!layers.line);
            }
            if opcodes::has_instruction_event(original as u8) {
                self.compare(layers.instruction, Event::INSTRUCTION);
            }
            top
        }
    }

    /// Checks an event of an instruction against what tools watch: it is present only if a tool watches it, and
    /// it is present if the faithful tool or a trace or profile function does.
    ///
    /// # Safety
    /// As the comment above says.
    unsafe fn compare(&self, present: bool, event: Event) {
        // SAFETY: the contract above. What tools watch changes only while the world is stopped.
        unsafe {
            let interp = ThreadState::from_ptr(self.thread.tstate).interp();
            let local = Monitoring::of(self.code).map_or(ToolSet::NONE, |data| data.local().tools(event));
            let wanted = tools::tools_for(interp, event).union(local);
            assert!(!present || !wanted.is_empty(), "{event:?} is told to nobody");
            let faithful = Tool::from_number(FAITHFUL).is_some_and(|tool| wanted.contains(tool));
            // Trace functions disable jumps to other lines.
            let legacy = wanted.contains(Tool::SYS_PROFILE)
                || event != Event::JUMP && wanted.contains(Tool::SYS_TRACE);
            assert!(present || !(faithful || legacy), "{event:?} is not told");
        }
    }

    /// Executes RESUME in all its forms: `load_bytecode`, `maybe_instrument` and so on, in the order of their
    /// rows.
    ///
    /// # Safety
    /// As the comment above says; the instruction is a RESUME.
    unsafe fn resume(&mut self, index: usize, previous: usize, oparg: usize) {
        // SAFETY: the contract above.
        unsafe {
            loop {
                let mut e = self.registers(index, previous, oparg);
                let opcode = e.this.opcode();
                if opcode == RESUME_CHECK && ops::resume_check(&mut e, []).is_ok() {
                    return;
                }
                let outcome = ops::load_bytecode(&mut e, []).and_then(|_| ops::maybe_instrument(&mut e, []));
                if goes_on_elsewhere(outcome) {
                    continue;
                }
                if opcode != INSTRUMENTED_RESUME {
                    assert!(ops::quicken_resume(&mut e, []).is_ok());
                }
                assert!(ops::check_periodic_if_not_yield_from(&mut e, []).is_ok());
                let outcome = match opcode {
                    INSTRUMENTED_RESUME => ops::monitor_resume(&mut e, []),
                    RESUME | RESUME_CHECK => Ok([]),
                    other => panic!("{other} in the place of RESUME"),
                };
                assert!(!goes_on_elsewhere(outcome));
                return;
            }
        }
    }

    /// Executes the part of the instruction that reads or changes bytecode.
    ///
    /// # Safety
    /// As the comment above says; `e` has the registers for the instruction, and `opcode` is what the bytecode
    /// has there or what is beneath it.
    unsafe fn step(&mut self, e: &mut Registers, opcode: u8) -> Outcome {
        // SAFETY: the contract above; the micro-ops are those of this opcode.
        unsafe {
            match opcode {
                INSTRUMENTED_LINE => return outcome(ops::instrumented_line(e, [])),
                INSTRUMENTED_INSTRUCTION => return outcome(ops::instrumented_instruction(e, [])),
                LOAD_CONST => {
                    let [value] = ops::load_const(e, []).expect("no guards, no exceptions");
                    value.close();
                    return Outcome::Done;
                }
                POP_JUMP_IF_TRUE | POP_JUMP_IF_FALSE => {
                    return outcome(ops::pop_jump_if_true(e, [StackRef::bool(true)]));
                }
                _ => {}
            }
            if let Some(plain) = opcodes::plain_form(opcode) {
                if let Some(event) = opcodes::event(plain, 1) {
                    self.tell(e, event);
                }
                return Outcome::Done;
            }
            let family = opcodes::generic(opcode);
            let Some(first_step) = first_step(family) else { return Outcome::Done };
            // Most specialized instructions find the types that they were specialized for.
            if opcode != family && !self.thread.random.once_in(4) {
                return Outcome::Done;
            }
            outcome(first_step(e, e.this.add(1).read(), []))
        }
    }

    /// Raises an exception at an instruction, in one of the ways that fire an event, and catches it.
    ///
    /// # Safety
    /// As the comment above says; `e` has the registers for the instruction.
    unsafe fn raise(&mut self, e: &Registers) {
        // SAFETY: the contract above; the frame is published first. An exception is set for the first event,
        // and none for EXCEPTION_HANDLED.
        unsafe {
            e.publish();
            let (tstate, frame, this) = (e.tstate, e.frame, e.this);
            ffi::PyErr_SetObject(ffi::PyExc_StopIteration, e.peek(1).object());
            let ways = [exceptions::raise, exceptions::reraise, exceptions::throw, exceptions::unwind];
            self.thread.random.pick(&ways)(tstate, frame, this);
            // This one, or that of a tool that has disabled the event.
            let exception = Owned::from_host(ffi::PyErr_GetRaisedException()).expect("it stays set");
            if exceptions::is_watched(tstate, Event::RAISE) {
                self.thread.raised += 1;
            }
            if exceptions::handled(tstate, frame, this, exception.as_ptr()).is_err() {
                ffi::_PyErr_Clear(tstate.as_ptr());
            }
        }
    }

    /// Ends an iteration at an instruction.
    ///
    /// # Safety
    /// As the comment above says; `e` has the registers for the instruction, and [`ends_iteration`].
    unsafe fn end_iteration(&mut self, e: &Registers) {
        // SAFETY: the contract above; the frame is published first.
        unsafe {
            e.publish();
            let value = e.peek(1).object();
            assert!(exceptions::stop_iteration(e.tstate, e.frame, e.this, value).is_ok());
        }
    }

    /// Notifies tools of the event of an instruction, with the arguments of that event.
    ///
    /// # Safety
    /// As the comment above says; `e` has the registers for the instruction, which has this event.
    unsafe fn tell(&mut self, e: &mut Registers, event: Event) {
        // SAFETY: the contract above; the frame is published first.
        unsafe {
            e.publish();
            let (tstate, frame, this) = (e.tstate.as_ptr(), e.frame.as_ptr(), e.this.as_ptr());
            let (value, other) = (e.peek(1).object(), e.peek(2).object());
            let number = event.number() as c_int;
            let status = match event {
                Event::CALL => {
                    let missing = self.thread.random.once_in(4);
                    let first = if missing { &raw mut ffi::_PyInstrumentation_MISSING } else { other };
                    let called =
                        ffi::_Py_call_instrumentation_2args(tstate, number, frame, this, value, first);
                    let end = Event::C_RETURN.number() as c_int;
                    called | ffi::_Py_call_instrumentation_2args(tstate, end, frame, this, value, first)
                }
                Event::JUMP | Event::BRANCH_LEFT | Event::BRANCH_RIGHT => {
                    // Back to the previous instruction, or to any code unit: which instruction follows does not
                    // matter here.
                    let first = (*self.program.code)._co_firsttraceable as usize;
                    let any = first + self.thread.random.below(self.program.units - first);
                    let near = self.thread.random.once_in(2);
                    let target = if near { e.previous } else { e.frame.bytecode().add(any as isize) };
                    let target = target.as_ptr();
                    let next = ffi::_Py_call_instrumentation_jump(this, tstate, number, frame, this, target);
                    c_int::from(next == target) - 1
                }
                Event::STOP_ITERATION => return self.end_iteration(e),
                _ => ffi::_Py_call_instrumentation_arg(tstate, number, frame, this, value),
            };
            assert_eq!(status, 0);
        }
    }
}

/// Whether STOP_ITERATION may fire at an instruction of the compiler: it has this event or none. Those that have none
/// are many, so that threads look for the tools of a code object while another one instruments it.
fn ends_iteration(original: u16) -> bool {
    let event = opcodes::event(original as u8, (original >> 8) as u8);
    event.is_none_or(|event| event == Event::STOP_ITERATION)
}

type FirstStep = unsafe fn(&mut Registers, u16, [StackRef; 0]) -> BytecodeOp;

/// The micro-op of an adaptive instruction that counts down and specializes.
fn first_step(family: u8) -> Option<FirstStep> {
    Some(match family {
        BINARY_OP => ops::specialize_binary_op,
        CALL => ops::specialize_call,
        CALL_KW => ops::specialize_call_kw,
        COMPARE_OP => ops::specialize_compare_op,
        CONTAINS_OP => ops::specialize_contains_op,
        FOR_ITER => ops::specialize_for_iter,
        LOAD_ATTR => ops::specialize_load_attr,
        LOAD_GLOBAL => ops::specialize_load_global,
        LOAD_SUPER_ATTR => ops::specialize_load_super_attr,
        SEND => ops::specialize_send,
        STORE_ATTR => ops::specialize_store_attr,
        STORE_SUBSCR => ops::specialize_store_subscr,
        TO_BOOL => ops::specialize_to_bool,
        UNPACK_SEQUENCE => ops::specialize_unpack_sequence,
        _ => return None,
    })
}

/// Converts the result of a micro-op.
fn outcome<T>(result: BytecodeOp<T>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(BytecodeExit::Again) => Outcome::Again,
        Err(BytecodeExit::As(opcode)) => Outcome::As(opcode),
        Err(_) => panic!("an exception, or a jump"),
    }
}

/// Whether RESUME starts again, in another copy or in changed bytecode.
fn goes_on_elsewhere(result: BytecodeOp) -> bool {
    match result {
        Ok([]) => false,
        Err(BytecodeExit::Dispatch) => true,
        Err(_) => panic!("an exception"),
    }
}

/// The race that the sanitizer must find: threads that write one unit without synchronization. The program is
/// run like this only to check that it is reported.
///
/// # Safety
/// `unit` is writable. Two threads that call this at once violate Rust's memory model, on purpose.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stress_race(unit: *mut ffi::_Py_CODEUNIT) {
    // SAFETY: the unit is writable (caller); the race is intended.
    unsafe { CodeUnit::from_ptr(unit).write(1_u16) }
}
