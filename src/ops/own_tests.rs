//! Own micro-ops on objects of the tests: what tier 1 does not run, so that no program compares it with the host.

#![cfg(py_tier2)]

use core::ffi::c_int;
use core::mem::zeroed;
use core::ptr::null_mut;

use crate::bytecode::opcode;
use crate::engine::{Engine, Exit, Exits, Inputs, Op, Outputs, TraceExit, run, run_with};
use crate::host::object::static_head;
use crate::host::versions::FunctionVersion;
use crate::host::{CodeUnit, Frame, PyObject, PyTypeObject, StackRef, ThreadState, TypeVersion, ffi};
use crate::interp::Tier1;
use crate::ops;
use crate::ops::trampolines::{self, Ending, OperatorFrames};

// --- a host ------------------------------------------------------------------------------------

/// No exception is set in these tests.
#[unsafe(no_mangle)]
extern "C" fn _PyErr_ExceptionMatches(_tstate: *mut ffi::PyThreadState, _class: *mut PyObject) -> c_int {
    0
}

#[unsafe(no_mangle)]
extern "C" fn _PyErr_GetRaisedException(_tstate: *mut ffi::PyThreadState) -> *mut PyObject {
    null_mut()
}

/// Functions that an exception or an event would call.
macro_rules! not_called {
    ($($name:ident)*) => {
        $(#[unsafe(no_mangle)]
        extern "C" fn $name() {
            unreachable!("no exception is set, and no tool is there");
        })*
    };
}

not_called! {
    PyErr_Format PyErr_GetRaisedException PyErr_GivenExceptionMatches PyErr_SetRaisedException PyLong_FromSsize_t
    PyObject_VectorcallMethod _PyErr_Clear _PyErr_SetRaisedException _PyEval_StartTheWorld _PyEval_StopTheWorld
    _PyObject_MakeTpCall _PyObject_NextNotImplemented _PyThreadState_PopFrame _Py_CheckFunctionResult
}

/// Objects of which only the address matters here.
macro_rules! objects {
    ($($name:ident: $type_:ty;)*) => {
        $(#[unsafe(no_mangle)]
        // SAFETY: integers and nullable pointers.
        static mut $name: $type_ = unsafe { zeroed() };)*
    };
}

objects! {
    PyBaseObject_Type: PyTypeObject;
    PyCoro_Type: PyTypeObject;
    PyGen_Type: PyTypeObject;
    PyExc_StopIteration: *mut PyObject;
    PyExc_SystemError: *mut PyObject;
    PyExc_TypeError: *mut PyObject;
    PyExc_ValueError: *mut PyObject;
    _Py_NotImplementedStruct: PyObject;
    _PyOpcode_Caches: [u8; 256];
    _PyOpcode_Deopt: [u8; 256];
}

/// A frame of the bytecode at `units`, and the frame below it, whose code has the version 7.
struct Host {
    tstate: Box<ffi::PyThreadState>,
    code: Box<ffi::PyCodeObject>,
    caller: Box<ffi::_PyInterpreterFrame>,
    frame: Box<ffi::_PyInterpreterFrame>,
    units: Box<[ffi::_Py_CODEUNIT; 16]>,
}

const VERSION: u32 = 7;

impl Host {
    /// The frame below is at the fourth unit.
    fn new() -> Host {
        // SAFETY: integers and pointers, for which zero is a value.
        let mut host = unsafe {
            Host {
                tstate: Box::new(zeroed()),
                code: Box::new(zeroed()),
                caller: Box::new(zeroed()),
                frame: Box::new(zeroed()),
                units: Box::new(zeroed()),
            }
        };
        host.code.co_version = VERSION;
        host.caller.f_executable = host.code_reference();
        host.caller.instr_ptr = host.instr(4).as_ptr();
        host.frame.previous = &raw mut *host.caller;
        host
    }

    fn code_reference(&mut self) -> ffi::_PyStackRef {
        // SAFETY: the host keeps its code.
        unsafe { StackRef::borrow_object((&raw mut *self.code).cast()).raw() }
    }

    fn instr(&mut self, index: usize) -> CodeUnit {
        CodeUnit::from_ptr(&raw mut self.units[index])
    }

    /// Runs a micro-op in the frame with this stack. Returns its end and the stack then.
    fn run<I: Inputs, O: Outputs<Tier1>, X: Exits>(
        &mut self,
        values: &[StackRef],
        micro_op: unsafe fn(&mut Tier1, I) -> Result<O, X>,
    ) -> (Result<(), X>, Vec<StackRef>) {
        // SAFETY: the tests give each micro-op the values that it needs.
        self.with_engine(values, |e| unsafe { run(e, micro_op) })
    }

    /// [`Host::run`] for a micro-op with operands.
    fn run_with<A, I: Inputs, O: Outputs<Tier1>, X: Exits>(
        &mut self,
        values: &[StackRef],
        operands: A,
        micro_op: unsafe fn(&mut Tier1, A, I) -> Result<O, X>,
    ) -> Result<(), X> {
        // SAFETY: as for `run`.
        let (end, stack) = self.with_engine(values, |e| unsafe { run_with(e, operands, micro_op) });
        assert_eq!(stack, values, "a guard keeps the stack");
        end
    }

    fn with_engine<X>(
        &mut self,
        values: &[StackRef],
        micro_op: impl FnOnce(&mut Tier1) -> Result<(), X>,
    ) -> (Result<(), X>, Vec<StackRef>) {
        let mut stack = [StackRef::NULL; 4];
        stack[..values.len()].copy_from_slice(values);
        // SAFETY: frame, thread state and bytecode are those of this host; the stack has room for one more value.
        unsafe {
            let frame = Frame::from_ptr(&raw mut *self.frame);
            let tstate = ThreadState::from_ptr(&raw mut *self.tstate);
            let base = stack.as_mut_ptr();
            let mut e = Tier1::begin(frame, base.add(values.len()), tstate, self.instr(0), 1, 1);
            let end = micro_op(&mut e);
            let depth = e.sp().offset_from_unsigned(base);
            (end, stack[..depth].to_vec())
        }
    }
}

/// An object of a type, with several references.
fn object<T>(make: impl FnOnce() -> T, type_: *mut PyTypeObject) -> *mut PyObject {
    let object: *mut PyObject = Box::leak(Box::new(make())) as *mut T as *mut PyObject;
    // SAFETY: every object begins with such a head.
    unsafe {
        (*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt = 3;
        (*object).ob_type = type_;
    }
    object
}

fn references(object: *mut PyObject) -> u32 {
    // SAFETY: the object is live.
    unsafe { (*object).__bindgen_anon_1.__bindgen_anon_1.ob_refcnt }
}

fn reference(object: *mut PyObject) -> StackRef {
    // SAFETY: the object is live, and tests do not count references on the stack.
    unsafe { StackRef::borrow_object(object) }
}

/// A type of iterators with this `__next__`.
fn iterator(next: ffi::iternextfunc) -> StackRef {
    // SAFETY: integers and nullable pointers.
    let mut type_: PyTypeObject = unsafe { zeroed() };
    type_.tp_iternext = next;
    type_.ob_base.ob_base = static_head(null_mut());
    let type_ = Box::leak(Box::new(type_));
    // SAFETY: integers and a pointer.
    reference(object(|| unsafe { zeroed::<PyObject>() }, type_))
}

/// Returns the iterator itself.
unsafe extern "C" fn yields(iterator: *mut PyObject) -> *mut PyObject {
    // SAFETY: the iterator is live.
    unsafe { crate::host::refcount::new_ref(iterator) }
}

/// Ends without an exception.
unsafe extern "C" fn ends(_iterator: *mut PyObject) -> *mut PyObject {
    null_mut()
}

// --- frames ------------------------------------------------------------------------------------

#[test]
fn a_return_is_expected_at_an_instruction_of_a_code() {
    let mut host = Host::new();
    host.caller.return_offset = 5;
    let [behind_call, other] = [9, 6].map(|index| host.instr(index));
    let mut end = |expected| host.run_with(&[], expected, ops::guard_returns_to);
    assert_eq!(end((behind_call, VERSION)), Ok(()));
    assert_eq!(end((other, VERSION)), Err(Exit::Deopt));
    assert_eq!(end((behind_call, VERSION + 1)), Err(Exit::Deopt));
}

#[test]
fn a_yield_is_expected_behind_what_has_resumed_the_generator() {
    let mut host = Host::new();
    host.caller.return_offset = 5;
    let [behind_resumer, other] = [6, 9].map(|index| host.instr(index));
    let mut end = |expected| host.run_with(&[], expected, ops::guard_yields_to);
    assert_eq!(end((behind_resumer, VERSION)), Ok(()));
    assert_eq!(end((other, VERSION)), Err(Exit::Deopt));
    assert_eq!(end((behind_resumer, VERSION + 1)), Err(Exit::Deopt));
}

#[test]
fn a_generator_is_expected_suspended_at_an_instruction() {
    let mut host = Host::new();
    let [here, other] = [8, 9].map(|index| host.instr(index));
    let code = host.code_reference();
    let generator = |type_, state| {
        let make = || {
            // SAFETY: integers and pointers.
            let mut generator: ffi::PyGenObject = unsafe { zeroed() };
            generator.gi_frame_state = state as i8;
            generator.gi_iframe.instr_ptr = here.as_ptr();
            generator.gi_iframe.f_executable = code;
            generator
        };
        reference(object(make, type_))
    };
    let (generators, coroutines) = (&raw mut ffi::PyGen_Type, &raw mut ffi::PyCoro_Type);
    let suspended = generator(generators, ffi::FRAME_SUSPENDED);
    let created = generator(coroutines, ffi::FRAME_CREATED);
    let running = generator(generators, ffi::FRAME_EXECUTING);
    let ended = generator(generators, ffi::FRAME_CLEARED);
    let sent = reference(crate::host::none());
    let mut end = |value, at| {
        let for_iter = host.run_with(&[value], (at, VERSION), ops::guard_tos_generator_at);
        let send = host.run_with(&[value, sent], (at, VERSION), ops::guard_nos_generator_at);
        let not = host.run(&[value, sent], ops::guard_nos_not_generator).0;
        (for_iter.is_ok(), send.is_ok(), not.is_ok())
    };
    assert_eq!(end(suspended, here), (true, true, false));
    assert_eq!(end(suspended, other), (false, false, false));
    assert!(end(created, here).1);
    assert_eq!(end(running, here), (false, false, true));
    assert_eq!(end(ended, here), (false, false, true));
    assert_eq!(end(iterator(Some(yields)), here), (false, false, true));
    host.code.co_version = 0;
    assert_eq!(host.run_with(&[suspended], (here, VERSION), ops::guard_tos_generator_at), Err(Exit::Deopt));
}

#[test]
fn a_value_is_expected_behind_the_generators_that_pass_it_on() {
    let mut host = Host::new();
    // SAFETY: integers and pointers, for which zero is a value.
    let mut below: Box<ffi::_PyInterpreterFrame> = Box::new(unsafe { zeroed() });
    below.f_executable = host.code_reference();
    below.instr_ptr = host.instr(8).as_ptr();
    host.caller.previous = &raw mut *below;
    let [behind_first, behind_second] = [6, 10].map(|index| host.instr(index));
    let end = |host: &mut Host| {
        [behind_first, behind_second]
            .map(|instr| host.run_with(&[], (instr, VERSION), ops::guard_passes_to).is_ok())
    };
    assert_eq!(end(&mut host), [true, false]);
    // SAFETY: the unit is bytecode of this host.
    unsafe { behind_first.set_instruction(opcode::YIELD_VALUE, 1) };
    assert_eq!(end(&mut host), [false, true]);
    // Another `yield` is not passed on.
    // SAFETY: as above.
    unsafe { behind_first.set_instruction(opcode::YIELD_VALUE, 0) };
    assert_eq!(end(&mut host), [true, false]);
}

#[test]
fn the_innermost_generator_is_the_one_that_does_not_wait_for_another() {
    let mut host = Host::new();
    let [send, resume, here] = [0, 3, 12].map(|index| host.instr(index));
    // SAFETY: the units are bytecode of this host.
    unsafe {
        send.set_instruction(opcode::SEND_GEN, 3);
        resume.set_instruction(opcode::RESUME_CHECK, 2);
        resume.add(1).set_instruction(opcode::JUMP_BACKWARD_NO_INTERRUPT, 5);
    }
    let code = host.code_reference();
    let stack = Box::leak(Box::new([StackRef::NULL; 2]));
    let generator = |instr: CodeUnit, state, top: *mut StackRef| {
        let make = || {
            // SAFETY: integers and pointers.
            let mut generator: ffi::PyGenObject = unsafe { zeroed() };
            generator.gi_frame_state = state as i8;
            generator.gi_iframe.instr_ptr = instr.as_ptr();
            generator.gi_iframe.f_executable = code;
            generator.gi_iframe.stackpointer = top.cast();
            generator
        };
        reference(object(make, &raw mut ffi::PyGen_Type))
    };
    let inner = generator(here, ffi::FRAME_SUSPENDED, null_mut());
    stack[0] = inner;
    let outer = generator(resume, ffi::FRAME_SUSPENDED_YIELD_FROM, &raw mut stack[1]);
    let sent = reference(crate::host::none());
    let end = |host: &mut Host, value, at| {
        let for_iter = host.run_with(&[value], (at, VERSION), ops::guard_tos_innermost_at).is_ok();
        let send = host.run_with(&[value, sent], (at, VERSION), ops::guard_nos_innermost_at).is_ok();
        (for_iter, send)
    };
    assert_eq!(end(&mut host, outer, here), (true, true));
    assert_eq!(end(&mut host, inner, here), (true, true));
    assert_eq!(end(&mut host, outer, resume), (false, false));
    assert_eq!(end(&mut host, iterator(Some(yields)), here), (false, false));
    // A tool watches one of the instructions on the way, a request waits, or the bytecode is out of date.
    // SAFETY: as above.
    unsafe { resume.add(1).set_instruction(opcode::INSTRUMENTED_LINE, 5) };
    assert_eq!(end(&mut host, outer, resume), (true, true));
    // SAFETY: as above.
    unsafe { resume.add(1).set_instruction(opcode::JUMP_BACKWARD_NO_INTERRUPT, 5) };
    host.tstate.eval_breaker = 1;
    assert_eq!(end(&mut host, outer, resume), (true, true));
    host.tstate.eval_breaker = 0;
    host.code._co_instrumentation_version = 1 << ffi::_PY_EVAL_EVENTS_BITS;
    assert_eq!(end(&mut host, outer, resume), (true, true));
    host.code._co_instrumentation_version = 0;
    assert_eq!(end(&mut host, outer, here), (true, true));
}

// --- iterators ---------------------------------------------------------------------------------

#[test]
fn an_exhausted_list_iterator_releases_its_list() {
    // SAFETY: integers and pointers.
    let list = object(|| unsafe { zeroed::<ffi::PyListObject>() }, null_mut());
    let make = |index, list: *mut PyObject| {
        // SAFETY: integers and pointers.
        let mut iterator: ffi::_PyListIterObject = unsafe { zeroed() };
        (iterator.it_index, iterator.it_seq) = (index, list.cast());
        let iterator = object(|| iterator, null_mut());
        (reference(iterator), iterator.cast::<ffi::_PyListIterObject>())
    };
    // SAFETY: the list is live.
    unsafe { (*list.cast::<ffi::PyVarObject>()).ob_size = 2 };
    let mut host = Host::new();
    let (value, iterator) = make(1, list);
    assert_eq!(host.run(&[value], ops::guard_exhausted_list), (Err(Exit::Deopt), vec![value]));
    // SAFETY: the iterator is live.
    assert_eq!(unsafe { ((*iterator).it_index, (*iterator).it_seq) }, (1, list.cast()));
    let (value, iterator) = make(2, list);
    assert_eq!(host.run(&[value], ops::guard_exhausted_list), (Ok(()), vec![value]));
    // SAFETY: as above.
    assert_eq!(unsafe { ((*iterator).it_index, (*iterator).it_seq) }, (-1, null_mut()));
    assert_eq!(references(list), 2);
    // It stays exhausted.
    assert_eq!(host.run(&[value], ops::guard_exhausted_list), (Ok(()), vec![value]));
    assert_eq!(references(list), 2);
    // The opposite guard releases the list, too, when it fails.
    let (value, iterator) = make(1, list);
    assert_eq!(host.run(&[value], ops::guard_not_exhausted_list), (Ok(()), vec![value]));
    let before = references(list);
    // SAFETY: as above.
    unsafe { (*iterator).it_index = 2 };
    assert_eq!(host.run(&[value], ops::guard_not_exhausted_list), (Err(Exit::Deopt), vec![value]));
    // SAFETY: as above.
    assert_eq!(unsafe { ((*iterator).it_index, (*iterator).it_seq) }, (-1, null_mut()));
    assert_eq!(references(list), before - 1);
}

#[test]
fn an_exhausted_tuple_iterator_releases_its_tuple() {
    // SAFETY: integers and pointers.
    let tuple = object(|| unsafe { zeroed::<ffi::PyTupleObject>() }, null_mut());
    // SAFETY: the tuple is live.
    unsafe { (*tuple.cast::<ffi::PyVarObject>()).ob_size = 1 };
    // SAFETY: integers and pointers.
    let mut iterator: ffi::_PyTupleIterObject = unsafe { zeroed() };
    iterator.it_seq = tuple.cast();
    let iterator = object(|| iterator, null_mut());
    let (value, fields) = (reference(iterator), iterator.cast::<ffi::_PyTupleIterObject>());
    let mut host = Host::new();
    assert_eq!(host.run(&[value], ops::guard_exhausted_tuple), (Err(Exit::Deopt), vec![value]));
    assert_eq!(references(tuple), 3);
    // SAFETY: the iterator is live.
    unsafe { (*fields).it_index = 1 };
    assert_eq!(host.run(&[value], ops::guard_exhausted_tuple), (Ok(()), vec![value]));
    // SAFETY: as above.
    assert!(unsafe { (*fields).it_seq.is_null() });
    assert_eq!(references(tuple), 2);
}

#[test]
fn a_range_is_exhausted_if_no_items_are_left() {
    let mut host = Host::new();
    for (length, expected) in [(1, Err(Exit::Deopt)), (0, Ok(()))] {
        // SAFETY: integers and pointers.
        let mut iterator: ffi::_PyRangeIterObject = unsafe { zeroed() };
        iterator.len = length;
        let value = reference(object(|| iterator, null_mut()));
        assert_eq!(host.run(&[value], ops::guard_exhausted_range), (expected, vec![value]));
    }
}

#[test]
fn a_loop_that_goes_on_takes_its_item_along() {
    let mut host = Host::new();
    let value = iterator(Some(ends));
    assert_eq!(host.run(&[value], ops::for_iter_exhausted), (Ok(()), vec![value]));
    let value = iterator(Some(yields));
    let (end, stack) = host.run(&[value], ops::for_iter_exhausted);
    assert_eq!(end, Err(TraceExit::Settled));
    assert_eq!(stack.len(), 2);
    assert_eq!(stack[1].object(), value.object());
    assert_eq!(references(value.object()), 4);
}

#[test]
fn what_a_receiver_answers_takes_the_place_of_the_value() {
    let mut host = Host::new();
    let none = StackRef::none();
    let settled = Err(TraceExit::Settled);
    let receiver = iterator(Some(yields));
    let yielded = |stack: &[StackRef]| stack.len() == 2 && stack[1].object() == receiver.object();
    let (end, stack) = host.run(&[receiver, none], ops::send_yields);
    assert!(end == Ok(()) && yielded(&stack));
    let (end, stack) = host.run(&[receiver, none], ops::send_returns);
    assert!(end == settled && yielded(&stack));
    assert_eq!(references(receiver.object()), 5);
    let receiver = iterator(Some(ends));
    assert_eq!(host.run(&[receiver, none], ops::send_yields), (settled, vec![receiver, none]));
    assert_eq!(host.run(&[receiver, none], ops::send_returns), (Ok(()), vec![receiver, none]));
}

// --- calls -------------------------------------------------------------------------------------

#[test]
fn the_callable_of_a_call_with_a_tuple_is_checked() {
    let make = |version| {
        // SAFETY: integers and pointers.
        let mut function: ffi::PyFunctionObject = unsafe { zeroed() };
        function.func_version = version;
        reference(object(|| function, &raw mut ffi::PyFunction_Type))
    };
    let mut host = Host::new();
    let version = FunctionVersion::new(9).expect("a version");
    let mut end = |callable| {
        let operands = [callable, StackRef::NULL, StackRef::NULL, StackRef::NULL];
        host.run_with(&operands, version, ops::check_function_version_ex)
    };
    assert_eq!(end(make(9)), Ok(()));
    assert_eq!(end(make(10)), Err(Exit::Deopt));
    assert_eq!(end(iterator(None)), Err(Exit::Deopt));
}

// --- special methods ---------------------------------------------------------------------------

/// A type with this version.
fn versioned_type(version: u32) -> *mut PyTypeObject {
    // SAFETY: integers and nullable pointers.
    let mut type_: PyTypeObject = unsafe { zeroed() };
    type_.tp_version_tag = version;
    type_.ob_base.ob_base = static_head(null_mut());
    Box::leak(Box::new(type_))
}

fn instance(type_: *mut PyTypeObject) -> StackRef {
    // SAFETY: integers and a pointer.
    reference(object(|| unsafe { zeroed::<PyObject>() }, type_))
}

#[test]
fn the_type_of_the_left_operand_is_checked() {
    let mut host = Host::new();
    let [left, right] = [5, 6].map(|version| instance(versioned_type(version)));
    let mut end = |version| {
        let version = TypeVersion::new(version).expect("a version");
        host.run_with(&[left, right], version, ops::guard_nos_type_version)
    };
    assert_eq!(end(5), Ok(()));
    assert_eq!(end(6), Err(Exit::Deopt));
}

#[test]
fn an_object_that_is_called_becomes_the_first_argument() {
    let mut host = Host::new();
    let callable = instance(versioned_type(5));
    let argument = StackRef::none();
    let function = instance(versioned_type(6)).object();
    let mut end = |version, receiver| {
        let operands = (TypeVersion::new(version).expect("a version"), function);
        host.with_engine(&[callable, receiver, argument], |e| {
            // SAFETY: these are the operands of a CALL with one argument.
            unsafe { run_with(e, operands, ops::expand_instance) }
        })
    };
    let unchanged = (Err(Exit::Deopt), vec![callable, StackRef::NULL, argument]);
    assert_eq!(end(6, StackRef::NULL), unchanged);
    assert_eq!(end(5, argument), (Err(Exit::Deopt), vec![callable, argument, argument]));
    let (result, stack) = end(5, StackRef::NULL);
    assert_eq!(result, Ok(()));
    assert_eq!(
        stack.iter().map(|value| value.object()).collect::<Vec<_>>(),
        [function, callable.object(), argument.object()]
    );
    assert_eq!(references(function), 4);
}

/// A host that calls a method: the data stack, and the function with that many parameters.
struct Caller {
    host: Host,
    _data: Box<[usize; 256]>,
    _chunk: Box<ffi::_PyStackChunk>,
    stack: Box<[StackRef; 4]>,
    function: *mut PyObject,
}

impl Caller {
    fn new(parameters: i32) -> Caller {
        let mut host = Host::new();
        let mut data = Box::new([0; 256]);
        // SAFETY: integers and pointers.
        let mut chunk: Box<ffi::_PyStackChunk> = Box::new(unsafe { zeroed() });
        host.tstate.datastack_chunk = &raw mut *chunk;
        host.tstate.datastack_top = data.as_mut_ptr().cast();
        host.tstate.current_frame = &raw mut *host.frame;
        host.frame.f_executable = host.code_reference();
        // SAFETY: integers and pointers.
        let mut code: ffi::PyCodeObject = unsafe { zeroed() };
        (code.co_argcount, code.co_nlocalsplus) = (parameters, parameters);
        code.co_framesize = parameters + crate::host::frame::SPECIALS_SIZE as i32;
        let code = object(|| code, null_mut());
        // SAFETY: as above.
        let mut function: ffi::PyFunctionObject = unsafe { zeroed() };
        function.func_code = code;
        let function = object(|| function, &raw mut ffi::PyFunction_Type);
        Caller { host, _data: data, _chunk: chunk, stack: Box::new([StackRef::NULL; 4]), function }
    }

    fn frame(&mut self) -> Frame {
        // SAFETY: the host has a frame.
        unsafe { Frame::from_ptr(&raw mut *self.host.frame) }
    }

    /// Runs a micro-op that makes frames for these operands. Returns the method's frame.
    fn calls<A, I: Inputs, O: Outputs<Tier1>>(
        &mut self,
        values: &[StackRef],
        operands: A,
        micro_op: unsafe fn(&mut Tier1, A, I) -> Op<O>,
    ) -> Frame {
        self.stack[..values.len()].copy_from_slice(values);
        let frame = self.frame();
        // SAFETY: frame, thread state and bytecode are those of the host, and these are the operands of the micro-op.
        unsafe {
            let sp = self.stack.as_mut_ptr().add(values.len());
            let tstate = ThreadState::from_ptr(&raw mut *self.host.tstate);
            let mut e = Tier1::begin(frame, sp, tstate, self.host.instr(0), 0, 1);
            assert!(run_with(&mut e, operands, micro_op).is_ok());
            assert_eq!(e.sp(), self.stack.as_mut_ptr());
            frame.set_stack_pointer(e.sp());
            e.take_frame().expect("a frame")
        }
    }

    /// Runs what ends the trampoline `below`, with this result. Returns whether that succeeds, and what is on the stack of the
    /// frame that is current then.
    fn ends<X>(
        &mut self,
        below: Frame,
        result: StackRef,
        micro_op: impl FnOnce(&mut Tier1) -> Result<(), X>,
    ) -> (Result<(), X>, Vec<StackRef>) {
        // SAFETY: the trampoline has room for the result. It is at an instruction of its bytecode.
        unsafe {
            let tstate = ThreadState::from_ptr(&raw mut *self.host.tstate);
            tstate.set_current_frame(Some(below));
            let sp = below.stack_pointer();
            *sp = result;
            let (_, ending) = below.instr().decode();
            let mut e = Tier1::begin(below, sp.add(1), tstate, below.instr(), ending, 1);
            let end = micro_op(&mut e);
            let base = if e.frame() == below { below.local_slot(0) } else { self.stack.as_mut_ptr() };
            let depth = e.sp().offset_from_unsigned(base);
            below.set_stack_pointer(sp);
            (end, (0..depth).map(|index| *base.add(index)).collect())
        }
    }
}

impl Caller {
    /// Takes off the method's frame, and then the trampoline below it. The instruction has so many units.
    fn unwinds(&mut self, frame: Frame, units: usize, on_stack: &[StackRef]) {
        // SAFETY: the trampoline is the last frame on the data stack once the method's is gone.
        unsafe {
            let tstate = ThreadState::from_ptr(&raw mut *self.host.tstate);
            let below = frame.caller();
            tstate.pop_frame(frame);
            let (back, next) = trampolines::unwind(tstate, below);
            assert_eq!((back, next), (self.frame(), self.host.instr(units)));
            assert_eq!(back.stack_pointer(), self.stack.as_mut_ptr().add(on_stack.len()));
            assert_eq!(self.stack[..on_stack.len()], *on_stack);
            assert_eq!(self.host.frame.return_offset, 0);
        }
    }
}

#[test]
fn a_trampoline_keeps_the_operands_until_the_method_returns() {
    for (is_reflected, ending) in [(false, Ending::Operator), (true, Ending::OperatorThenRight)] {
        let mut caller = Caller::new(2);
        let [left, right] = [5, 6].map(|version| instance(versioned_type(version)));
        let frames = OperatorFrames { is_reflected, ending };
        let operands = (caller.function, frames.to_operand() as *mut PyObject);
        let frame = caller.calls(&[left, right], operands, ops::create_operator_frames);
        // SAFETY: the frames are live.
        let below = unsafe {
            let arguments = [0, 1].map(|index| frame.local(index).object());
            let expected = if is_reflected { [right, left] } else { [left, right] };
            assert_eq!(arguments, expected.map(StackRef::object));
            let below = frame.caller();
            assert!(trampolines::is_trampoline(below) && below.is_incomplete());
            assert_eq!(below.caller(), caller.frame());
            assert_eq!(OperatorFrames::of(below, frame), frames);
            assert_eq!([below.local(0), below.local(1)], [left, right]);
            below
        };
        assert_eq!(references(caller.function), 4);
        assert_eq!([left, right].map(|operand| references(operand.object())), [4, 4]);
        assert_eq!(caller.host.frame.return_offset, 6);

        let refused = reference(trampolines::not_implemented());
        // SAFETY: the engine is in the trampoline, with the result on its stack.
        let returns = |e: &mut Tier1| unsafe { run(e, ops::return_operator) };
        assert_eq!(caller.ends(below, refused, returns), (Err(Exit::Deopt), vec![left, right, refused]));
        let result = StackRef::none();
        assert_eq!(caller.ends(below, result, returns), (Ok(()), vec![result]));
        let frame = caller.frame().as_ptr();
        assert_eq!(caller.host.tstate.current_frame, frame);
        assert_eq!(caller.host.tstate.datastack_top, below.as_ptr().cast());
    }
}

#[test]
fn a_trampoline_drops_the_result_of_an_assignment() {
    let mut caller = Caller::new(3);
    let operands @ [value, container, key] = [5, 6, 7].map(|version| instance(versioned_type(version)));
    let function = caller.function;
    let frame = caller.calls(&operands, function, ops::create_store_subscr_frames);
    // SAFETY: the frames are live.
    let below = unsafe {
        assert_eq!(
            [0, 1, 2].map(|index| frame.local(index).object()),
            [container, key, value].map(StackRef::object)
        );
        frame.caller()
    };
    assert_eq!(caller.host.frame.return_offset, 2);
    // SAFETY: the engine is in the trampoline, with the result on its stack.
    let end = caller.ends(below, StackRef::none(), |e| unsafe { run(e, ops::return_store_subscr) });
    assert_eq!(end, (Ok(()), vec![]));
    let frame = caller.frame().as_ptr();
    assert_eq!(caller.host.tstate.current_frame, frame);
}

#[test]
fn operands_are_where_the_host_leaves_them_if_a_method_raises() {
    let mut caller = Caller::new(2);
    let operands = [5, 6].map(|version| instance(versioned_type(version)));
    let frames = OperatorFrames { is_reflected: false, ending: Ending::Operator };
    let function = caller.function;
    let operator = (function, frames.to_operand() as *mut PyObject);
    let frame = caller.calls(&operands, operator, ops::create_operator_frames);
    caller.unwinds(frame, 6, &operands);

    let mut caller = Caller::new(3);
    let operands = [5, 6, 7].map(|version| instance(versioned_type(version)));
    let function = caller.function;
    let frame = caller.calls(&operands, function, ops::create_store_subscr_frames);
    caller.unwinds(frame, 2, &[]);
}
