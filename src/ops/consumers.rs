//! `set`, `list`, `sum` and others of a generator that run without leaving the evaluator.
//!
//! The host's functions resume the generator from C for each item. Instead, the loop is bytecode here. Its frame lies between that of
//! the call and that of the generator. The recursion limit does not count it, and Python code does not see it. It begins with the
//! operands of the call on its stack. RESERVED, which the compiler never emits, does what other instructions cannot. The code is
//! shared by all calls, so it contains nothing that tier 1 specializes. On free-threaded hosts the host's functions are called.
//!
//! What makes a list of the items first gets that list: `sorted`, `tuple`, the method `join` of strings.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_long};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::exact::topmost;
use super::frames::{after_return, link, set_return_offset};
use super::guards::guard;
use super::trampolines;
use crate::bytecode::{metadata, opcode};
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::function::{CFunction, Definition, MethodDescriptor};
use crate::host::object::{is_exact, long_compact_value, long_is_compact, type_of};
use crate::host::owned::exception_is_set;
use crate::host::{Code, CodeUnit, Frame, PyObject, StackRef, ThreadState, ffi, numbers, refcount};
#[cfg(py_gil_disabled)]
use crate::specialize::init_cleanup::{Constant, only_copy};
use crate::specialize::init_cleanup::{LINE_0, trampoline};

/// What takes the items.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Consumer {
    Set,
    List,
    Sum,
    Sorted,
    Tuple,
    /// The method of a string.
    Join,
}

/// What a RESERVED of this code does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Step {
    /// Ends the call with the topmost value. Below it are the callable and an empty slot.
    Return,
    /// Ends the call with the only value.
    ReturnOnly,
    /// Adds the topmost value to the sum below the generator.
    Add,
}

impl Step {
    pub(crate) fn of(argument: usize) -> Step {
        const ADD: usize = Step::Add as usize;
        const RETURN_ONLY: usize = Step::ReturnOnly as usize;
        match argument {
            ADD => Step::Add,
            RETURN_ONLY => Step::ReturnOnly,
            _ => Step::Return,
        }
    }
}

// --- the code ----------------------------------------------------------------------------------

/// The most values on the stack: three operands, what the items go to, an item.
const STACK_SIZE: i32 = 5;
/// The code units of each loop.
const UNITS: usize = 13;
const LOOPS: usize = 4;
const BYTES: usize = 2 * UNITS * LOOPS;
/// The counter of an instruction that is never specialized.
const NEVER: u8 = ffi::UNREACHABLE_BACKOFF as u8;

/// A loop: what makes the value that items go to, what an item does with it, and what happens at the end. It begins with the operands of
/// the call on the stack, the generator on top.
const fn looping(begin: [u8; 2], step: [u8; 2], end: [u8; 10]) -> [u8; 2 * UNITS] {
    let mut bytes = [0; 2 * UNITS];
    let parts: [&[u8]; 4] = [
        &begin,
        &[opcode::SWAP, 2, opcode::FOR_ITER_GEN, 2, NEVER, 0],
        &step,
        &[opcode::JUMP_BACKWARD_NO_INTERRUPT, 4, opcode::END_FOR, 0, opcode::POP_ITER, 0],
    ];
    let (mut part, mut length) = (0, 0);
    while part < parts.len() {
        let mut index = 0;
        while index < parts[part].len() {
            bytes[length] = parts[part][index];
            (index, length) = (index + 1, length + 1);
        }
        part += 1;
    }
    let mut index = 0;
    while index < end.len() {
        bytes[length + index] = end[index];
        index += 1;
    }
    bytes
}

const RETURN: [u8; 10] = [opcode::RESERVED, Step::Return as u8, 0, 0, 0, 0, 0, 0, 0, 0];
const CALL: [u8; 10] = [opcode::CALL, 1, NEVER, 0, 0, 0, 0, 0, opcode::RESERVED, Step::ReturnOnly as u8];

const BYTECODE: [[u8; 2 * UNITS]; LOOPS] = [
    looping([opcode::BUILD_SET, 0], [opcode::SET_ADD, 2], RETURN),
    looping([opcode::BUILD_LIST, 0], [opcode::LIST_APPEND, 2], RETURN),
    looping([opcode::LOAD_SMALL_INT, 0], [opcode::RESERVED, Step::Add as u8], RETURN),
    looping([opcode::BUILD_LIST, 0], [opcode::LIST_APPEND, 2], CALL),
];

/// A code object whose bytecode is longer than the first field has room for.
#[repr(C)]
struct LongCode {
    head: ffi::_PyCode8,
    rest: [c_char; BYTES - 8],
}

const _: () = assert!(
    core::mem::offset_of!(LongCode, rest) == core::mem::offset_of!(ffi::_PyCode8, co_code_adaptive) + 8
);

/// Tier 1 counts down in an inline cache whenever a generic instruction runs.
#[repr(transparent)]
struct Shared(UnsafeCell<LongCode>);

// SAFETY: only counters are written, which do not matter. The objects that it refers to are immortal.
unsafe impl Sync for Shared {}

static CODE: Shared = Shared(UnsafeCell::new(code_of_all()));

/// Its array of copies: the main copy only.
#[cfg(py_gil_disabled)]
static COPIES: Constant<ffi::_PyCodeArray> = Constant(only_copy(
    (&raw const CODE)
        .cast::<u8>()
        .wrapping_add(core::mem::offset_of!(ffi::_PyCode8, co_code_adaptive))
        .cast(),
));

const fn code_of_all() -> LongCode {
    let mut first = [0; 8];
    let mut rest = [0; BYTES - 8];
    let mut index = 0;
    while index < BYTES {
        let byte = BYTECODE[index / (2 * UNITS)][index % (2 * UNITS)];
        if index < first.len() {
            first[index] = byte;
        } else {
            rest[index - 8] = byte as c_char;
        }
        index += 1;
    }
    let mut head = trampoline(
        first,
        STACK_SIZE,
        // SAFETY: only the address of a string of the host is taken.
        unsafe { str_constant!(_py_anon_unknown) },
        (&raw const LINE_0).cast_mut().cast(),
        #[cfg(py_gil_disabled)]
        &COPIES,
    );
    head.ob_base.ob_size = (UNITS * LOOPS) as isize;
    head._co_firsttraceable = (UNITS * LOOPS) as i32;
    LongCode { head, rest }
}

/// The code of all consumers.
#[inline(always)]
pub(crate) fn code() -> Code {
    Code::from_ptr((&raw const CODE).cast_mut().cast())
}

/// Whether the frame is one of this module.
///
/// # Safety
/// The frame is live.
#[inline(always)]
pub(crate) unsafe fn is_consumer(frame: Frame) -> bool {
    // SAFETY: the frame is live (caller).
    unsafe { frame.executes(code()) }
}

impl Consumer {
    const ALL: [Consumer; 6] =
        [Consumer::Set, Consumer::List, Consumer::Sum, Consumer::Sorted, Consumer::Tuple, Consumer::Join];

    /// The consumer with this number.
    pub(crate) fn from_number(number: usize) -> Option<Consumer> {
        Consumer::ALL.get(number).copied()
    }

    /// Where its loop begins.
    pub(crate) fn start(self) -> CodeUnit {
        let index = match self {
            Consumer::Set => 0,
            Consumer::List => 1,
            Consumer::Sum => 2,
            Consumer::Sorted | Consumer::Tuple | Consumer::Join => 3,
        };
        // SAFETY: the code is a static, with so many units for each loop.
        unsafe { code().bytecode().add((index * UNITS) as isize) }
    }

    /// What kind of object the callable is, and what stands for it: its address, or that of its definition. Both are statics of the
    /// host.
    #[cfg(feature = "jit")]
    pub(crate) fn callee(self) -> (Callee, u64) {
        let (callee, address) = match self {
            Consumer::Set => (Callee::Type, (&raw mut ffi::PySet_Type).addr()),
            Consumer::List => (Callee::Type, (&raw mut ffi::PyList_Type).addr()),
            Consumer::Tuple => (Callee::Type, (&raw mut ffi::PyTuple_Type).addr()),
            Consumer::Sum => (Callee::Function, SUM.load(Ordering::Relaxed)),
            Consumer::Sorted => (Callee::Function, SORTED.load(Ordering::Relaxed)),
            Consumer::Join => (Callee::Method, JOIN.load(Ordering::Relaxed)),
        };
        (callee, address as u64)
    }

    /// The consumer that this callable is, with this in the slot for `self`.
    ///
    /// # Safety
    /// The thread is attached. The callable is live, and the other one live or null.
    pub(crate) unsafe fn of(callable: *mut PyObject, receiver: StackRef) -> Option<Consumer> {
        // SAFETY: both are live (caller).
        unsafe {
            if !receiver.is_null() {
                let is_string = is_exact(receiver.object(), &raw mut ffi::PyUnicode_Type);
                let method = MethodDescriptor::cast(callable).filter(|_| is_string)?;
                return (method.definition().address().get() == join()).then_some(Consumer::Join);
            }
            if callable == (&raw mut ffi::PySet_Type).cast() {
                Some(Consumer::Set)
            } else if callable == (&raw mut ffi::PyList_Type).cast() {
                Some(Consumer::List)
            } else if callable == (&raw mut ffi::PyTuple_Type).cast() {
                Some(Consumer::Tuple)
            } else {
                let function = CFunction::cast(callable)?;
                if is_builtin(function, c"sum", &SUM) {
                    Some(Consumer::Sum)
                } else {
                    is_builtin(function, c"sorted", &SORTED).then_some(Consumer::Sorted)
                }
            }
        }
    }
}

/// What kind of object a callable is.
#[cfg(feature = "jit")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Callee {
    Type,
    Function,
    Method,
}

/// The addresses of definitions of the host, when they are known.
static SUM: AtomicUsize = AtomicUsize::new(0);
static SORTED: AtomicUsize = AtomicUsize::new(0);
static JOIN: AtomicUsize = AtomicUsize::new(0);

/// Whether this is the built-in function with this name, whose address is noted then.
///
/// # Safety
/// The thread is attached, and the function live.
unsafe fn is_builtin(function: CFunction, name: &CStr, address: &AtomicUsize) -> bool {
    // SAFETY: the function is live (caller), and names are C strings.
    unsafe {
        let definition = function.definition();
        match address.load(Ordering::Relaxed) {
            0 => {
                let found = definition.name() == name
                    && function.module_name().is_some_and(|name| name == c"builtins");
                if found {
                    address.store(definition.address().get(), Ordering::Relaxed);
                }
                found
            }
            known => known == definition.address().get(),
        }
    }
}

/// The address of the definition of `str.join`.
///
/// # Safety
/// The thread is attached.
unsafe fn join() -> usize {
    match JOIN.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: the type has the method.
            let found = unsafe { Definition::of_method(&raw mut ffi::PyUnicode_Type, c"join") };
            JOIN.store(found.address().get(), Ordering::Relaxed);
            found.address().get()
        }
        known => known,
    }
}

// --- entering ----------------------------------------------------------------------------------

/// The number of values that a CALL with one argument takes: the callable, an empty slot, the argument.
const OPERANDS: usize = 3;

/// Goes over to the loop that does the work of a CALL with one argument, if the engine does so, and that is a generator. The
/// results of the micro-op that returns what this returns are those of the loop.
///
/// # Safety
/// The engine runs a CALL with its operands on the stack.
#[cfg(not(py_gil_disabled))]
#[inline(always)]
pub(super) unsafe fn enter<E: Engine>(e: &mut E) -> Option<Op<Settled<1>>> {
    // SAFETY: the operands are on top of the stack (caller).
    unsafe {
        if !E::ENTERS_METHODS || e.oparg() != 1 || !is_exact(e.peek(1).object(), &raw mut ffi::PyGen_Type) {
            return None;
        }
        core::hint::cold_path();
        let [_, receiver, callable] = topmost::<E, OPERANDS>(e);
        let consumer = consumer_for(e.tstate(), callable.object(), receiver)?;
        let frame = go_over(e, consumer);
        // The check of requests behind a call is not for this frame.
        e.give_frame(frame);
        e.set_sp(e.sp().add(OPERANDS - 1));
        Some(Ok(Settled::new()))
    }
}

/// Whether loops of the interpreter become traces. In tier 1 alone, the host's functions are as fast, and for short loops faster.
///
/// # Safety
/// The thread is attached, and `tstate` is its state.
#[cfg(not(py_gil_disabled))]
unsafe fn has_traces(tstate: ThreadState) -> bool {
    #[cfg(py_tier2)]
    // SAFETY: the thread is attached to the interpreter (caller).
    return unsafe { crate::host::tier2::is_on(tstate.interp()) };
    #[cfg(not(py_tier2))]
    {
        let _ = tstate;
        false
    }
}

/// The consumer that the callable is, if traces may go through it, its frame fits, the generator may be resumed under the recursion
/// limit, and no other evaluator is installed.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. The callable is live, and the receiver live or null.
#[cfg(not(py_gil_disabled))]
#[inline(never)]
unsafe fn consumer_for(tstate: ThreadState, callable: *mut PyObject, receiver: StackRef) -> Option<Consumer> {
    // SAFETY: both are live (caller).
    unsafe {
        let consumer = Consumer::of(callable, receiver)?;
        let fits = has_traces(tstate)
            && tstate.has_stack_space((*code().as_ptr()).co_framesize as usize)
            && (*tstate.as_ptr()).py_recursion_remaining > 1;
        (fits && !tstate.has_custom_eval_frame()).then_some(consumer)
    }
}

/// Goes over to a new frame for the consumer. It takes over the operands of the CALL that the engine runs. The engine gets its stack
/// pointer. Returns the frame.
///
/// # Safety
/// The thread is attached. The operands are on top of the stack, and the frame fits on the data stack.
#[inline(always)]
unsafe fn go_over<E: Engine>(e: &mut E, consumer: Consumer) -> Frame {
    // SAFETY: the frame fits (caller), and has room for the operands, which leave the stack of the frame below.
    unsafe {
        let caller = e.frame();
        e.set_sp(e.sp().sub(OPERANDS));
        set_return_offset(caller, const { 1 + metadata::CALL.cache_units() });
        let frame = trampolines::push(e.tstate(), code(), OPERANDS, caller);
        frame.set_instr(consumer.start());
        frame.local_slot(0).copy_from_nonoverlapping(e.sp(), OPERANDS);
        link(e, frame);
        frame
    }
}

/// The callable of a CALL with one argument is the consumer whose number is the argument of this micro-op, and the argument is a
/// generator.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_consumer<E: Engine>(
    e: &mut E,
    Kept([callable, receiver, generator]): Kept<[StackRef; OPERANDS]>,
) -> Op {
    // SAFETY: the callable and the argument are live.
    unsafe {
        guard(is_exact(generator.object(), &raw mut ffi::PyGen_Type))?;
        guard(
            Consumer::of(callable.object(), receiver).is_some_and(|consumer| consumer as usize == e.oparg()),
        )
    }
}

/// Goes over to the loop of the consumer whose number is the argument of this micro-op. The operands go with it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. The frame fits on the data stack, and `guard_consumer` has run.
#[inline(always)]
pub(crate) unsafe fn enter_consumer<E: Engine>(
    e: &mut E,
    [_, _, _]: [StackRef; OPERANDS],
) -> Op<Settled<OPERANDS>> {
    // SAFETY: the frame fits (caller). For the engine it is as if its values were on the stack of the frame below.
    unsafe {
        go_over(e, Consumer::from_number(e.oparg()).unwrap_unchecked());
        Ok(Settled::new())
    }
}

// --- running -----------------------------------------------------------------------------------

/// Runs a RESERVED: of this code, or of [`trampolines`].
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn reserved<E: BytecodeEngine>(e: &mut E, []: [StackRef; 0]) -> BytecodeOp {
    // SAFETY: the step finds on the stack what the code has left there.
    unsafe {
        if !is_consumer(e.frame()) {
            return trampolines::reserved(e);
        }
        match Step::of(e.oparg()) {
            Step::Return => finish::<E, RETURNED>(e),
            Step::ReturnOnly => finish::<E, 1>(e),
            Step::Add => {
                let [item, generator, total] = topmost::<E, 3>(e);
                if let Ok(sum) = sum_of(e.tstate(), total.object(), item.object()) {
                    give_sum(e, sum?, [total, item]);
                    e.set_sp(e.sp().sub(1));
                    return Ok([]);
                }
                core::hint::cold_path();
                e.publish();
                let result =
                    sum_of_rest(e.peek(5).object(), generator.object(), total.object(), item.object());
                if result.is_null() {
                    return Err(Exit::ErrorNoPop.into());
                }
                // The result takes the place of the item.
                e.poke(1, StackRef::steal(result));
                e.poke(3, StackRef::NULL);
                item.close();
                total.close();
                finish::<E, 5>(e);
            }
        }
        Ok([])
    }
}

/// Adds the topmost value to the sum below the generator, if both are ints, or the value is a bool, and the sum is that of C's.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn add_to_sum<E: Engine>(
    e: &mut E,
    [total, generator, item]: [StackRef; 3],
) -> Op<Settled<2>> {
    let _ = generator;
    // SAFETY: the values are live.
    unsafe {
        let sum = sum_of(e.tstate(), total.object(), item.object())??;
        give_sum(e, sum, [total, item]);
        Ok(Settled::new())
    }
}

/// Replaces the sum in the third place by a new one, and releases the old one and the item.
///
/// # Safety
/// The thread is attached. The sum is in the third place of the stack, the item on top. The caller owns the new one.
#[inline(always)]
unsafe fn give_sum<E: Engine>(e: &mut E, sum: StackRef, [total, item]: [StackRef; 2]) {
    // SAFETY: both are ints, which are released once (caller).
    unsafe {
        e.poke(3, sum);
        let sp = e.sp().sub(1);
        e.close_at(total, sp);
        e.close_at(item, sp);
    }
}

/// The sum as the host's function computes it, as long as there are only ints and bools, and all sums fit in a `long`: otherwise the
/// guard fails. Inside, an exception is set.
///
/// # Safety
/// The thread is attached, and both are live. The first one is an int.
#[inline(always)]
unsafe fn sum_of(tstate: ThreadState, total: *mut PyObject, item: *mut PyObject) -> Op<Op<StackRef>> {
    // SAFETY: both are live (caller), and ints where they are read.
    unsafe {
        let type_ = type_of(item);
        guard(type_ == &raw mut ffi::PyLong_Type || type_ == &raw mut ffi::PyBool_Type)?;
        let sum = value(total).zip(value(item)).and_then(|(total, item)| total.checked_add(item));
        let sum = numbers::int(tstate, sum.ok_or(Exit::Deopt)? as isize);
        Ok(if sum.is_null() { Err(Exit::ErrorNoPop) } else { Ok(StackRef::steal(sum)) })
    }
}

/// The value of an int, if it fits.
///
/// # Safety
/// The thread is attached, and this is a live int.
#[inline(always)]
unsafe fn value(int: *mut PyObject) -> Option<c_long> {
    // SAFETY: it is an int (caller).
    unsafe {
        if long_is_compact(int) {
            return Some(long_compact_value(int) as c_long);
        }
        let mut overflow = 0;
        let value = ffi::PyLong_AsLongAndOverflow(int, &raw mut overflow);
        (overflow == 0).then_some(value)
    }
}

/// The sum of all that is left, as the host's function goes on when its sum is no int any more, or too large: floats and complex
/// numbers have loops of their own there, which that function begins with a start of such a type. Returns a new reference, or
/// null with an exception set.
///
/// # Safety
/// The thread is attached, and its frame is published. All are live; the callable is `sum`.
#[cold]
#[inline(never)]
unsafe fn sum_of_rest(
    sum: *mut PyObject,
    generator: *mut PyObject,
    total: *mut PyObject,
    item: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: all objects are live (caller).
    unsafe {
        let mut total = ffi::PyNumber_Add(total, item);
        if total.is_null() {
            return null_mut();
        }
        if is_exact(total, &raw mut ffi::PyFloat_Type) || is_exact(total, &raw mut ffi::PyComplex_Type) {
            let arguments = [generator, total];
            let result = ffi::PyObject_Vectorcall(sum, arguments.as_ptr(), arguments.len(), null_mut());
            refcount::decref(total);
            return result;
        }
        loop {
            let item = ffi::PyIter_Next(generator);
            if item.is_null() {
                if exception_is_set() {
                    refcount::decref(total);
                    return null_mut();
                }
                return total;
            }
            let next = ffi::PyNumber_Add(total, item);
            refcount::decref(total);
            refcount::decref(item);
            if next.is_null() {
                return null_mut();
            }
            total = next;
        }
    }
}

// --- returning ---------------------------------------------------------------------------------

/// The number of values on the stack when a loop ends by [`Step::Return`]: the callable, an empty slot, the result.
pub(crate) const RETURNED: usize = 3;

/// Ends the loop with the topmost value.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. The frame is one of this module, with nothing else on its stack.
#[inline(always)]
pub(crate) unsafe fn return_consumer<E: Engine>(
    e: &mut E,
    [_, _, _]: [StackRef; RETURNED],
) -> Op<Settled<1>> {
    // SAFETY: the inputs are all that the frame holds. For the engine it is as if they were on the stack of the frame below, so that
    // it leaves two values too much there.
    unsafe {
        finish::<E, RETURNED>(e);
        e.set_sp(e.sp().add(RETURNED - 1));
        Ok(Settled::new())
    }
}

/// Ends the loop with the only value.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. The frame is one of this module, with nothing else on its stack.
#[inline(always)]
pub(crate) unsafe fn return_consumer_only<E: Engine>(e: &mut E, [_]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: as in `return_consumer`.
    unsafe {
        finish::<E, 1>(e);
        Ok(Settled::new())
    }
}

/// Leaves the frame, which has N values on its stack, for the one below, which gets the topmost one. Releases the others.
///
/// # Safety
/// The thread is attached. The engine's frame is one of this module, and the last on the data stack.
#[inline(always)]
unsafe fn finish<E: Engine, const N: usize>(e: &mut E) {
    // SAFETY: the frame holds nothing but these values (caller): its code is immortal, and it has no frame object. There is room for
    // the result in the place of the operands.
    unsafe {
        let (values, caller) = trampolines::take_off::<N>(e.tstate(), e.frame());
        e.switch_frame(caller, after_return(caller));
        e.push(values[N - 1]);
        for &value in values[..N - 1].iter().rev() {
            e.close_seldom_at(value, e.sp());
        }
    }
}

/// Leaves the frame of a consumer whose stack is empty, with an exception: as if the CALL had called it in C. Returns the frame
/// below, and what follows the CALL.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. The frame is one of this module, its current one, and the last on the data
/// stack.
pub(crate) unsafe fn unwind(tstate: ThreadState, frame: Frame) -> (Frame, CodeUnit) {
    // SAFETY: the frame holds nothing (caller).
    unsafe {
        let ([], caller) = trampolines::take_off::<0>(tstate, frame);
        let next = after_return(caller);
        set_return_offset(caller, 0);
        (caller, next)
    }
}

// On free-threaded hosts the code never runs.
#[cfg(all(test, not(py_gil_disabled)))]
mod tests {
    use super::*;

    #[test]
    fn loops_lead_to_their_own_instructions() {
        for (consumer, index) in
            [(Consumer::Set, 0), (Consumer::List, 1), (Consumer::Sum, 2), (Consumer::Join, 3)]
        {
            let start = index * UNITS;
            // SAFETY: the code is a static of so many units.
            let unit = |at: usize| unsafe { code().bytecode().add((start + at) as isize) };
            assert_eq!(consumer.start().as_ptr(), unit(0).as_ptr());
            // SAFETY: as above.
            let units: Vec<(u8, usize)> = (0..UNITS).map(|at| unsafe { unit(at).decode() }).collect();
            let at = |opcode| units.iter().position(|&(other, _)| other == opcode).expect("it is there");
            let (begins, ends) = (at(opcode::FOR_ITER_GEN), at(opcode::END_FOR));
            let behind = begins + 1 + metadata::FOR_ITER.cache_units();
            assert_eq!(behind + units[begins].1, ends);
            let jump = at(opcode::JUMP_BACKWARD_NO_INTERRUPT);
            assert_eq!(jump + 1 - units[jump].1, begins);
            assert_eq!(units[ends + 1].0, opcode::POP_ITER);
            let returns = if consumer == Consumer::Join {
                assert_eq!(units[ends + 2], (opcode::CALL, 1));
                (ends + 3 + metadata::CALL.cache_units(), Step::ReturnOnly)
            } else {
                (ends + 2, Step::Return)
            };
            assert_eq!(units[returns.0].0, opcode::RESERVED);
            assert_eq!(Step::of(units[returns.0].1), returns.1);
        }
    }

    #[test]
    fn consumers_have_numbers() {
        for consumer in Consumer::ALL {
            assert_eq!(Consumer::from_number(consumer as usize), Some(consumer));
        }
        assert_eq!(Consumer::from_number(Consumer::ALL.len()), None);
    }
}
