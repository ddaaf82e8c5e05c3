//! Special methods in Python that run without leaving the evaluator.
//!
//! Below the frame of the method is that of a trampoline. It keeps the operands on its stack, and does with the result what the
//! host's slot would do. The recursion limit does not count it, and Python code does not see it. Its bytecode is RESERVED,
//! which the compiler never emits: one for each [`Ending`], by its argument. On free-threaded hosts the host's slots are called:
//! they have no table of methods.

use core::ptr::null_mut;

#[cfg(not(py_gil_disabled))]
use super::frames::link;
use super::frames::{after_return, set_return_offset};
use super::guards::guard;
use crate::bytecode::{metadata, opcode};
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Op, Settled};
#[cfg(not(py_gil_disabled))]
use crate::host::function::Function;
use crate::host::object::type_of;
use crate::host::owned::exception_is_set;
use crate::host::{Code, CodeUnit, Frame, PyObject, StackRef, ThreadState, ffi, refcount};
use crate::raise;
#[cfg(py_gil_disabled)]
use crate::specialize::init_cleanup::only_copy;
use crate::specialize::init_cleanup::{Constant, LINE_0, trampoline};
use crate::specialize::operator::Operator;
#[cfg(not(py_gil_disabled))]
use crate::specialize::special_methods;

/// What happens to the result of the method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Ending {
    /// It becomes the result of BINARY_OP, unless it is NotImplemented.
    Operator,
    /// The same, and if it is NotImplemented, the method of the right operand is called.
    OperatorThenRight,
    /// It is dropped: STORE_SUBSCR has none.
    Dropped,
}

/// The numbers of operands, which are on the stack of the trampoline while the method runs.
pub(crate) const OPERATOR: usize = 2;
pub(crate) const STORE: usize = 3;

impl Ending {
    /// The ending that a RESERVED with this argument has.
    pub(crate) fn of(argument: usize) -> Ending {
        const OPERATOR: usize = Ending::Operator as usize;
        const OPERATOR_THEN_RIGHT: usize = Ending::OperatorThenRight as usize;
        match argument {
            OPERATOR => Ending::Operator,
            OPERATOR_THEN_RIGHT => Ending::OperatorThenRight,
            _ => Ending::Dropped,
        }
    }
}

static CODE: Constant<ffi::_PyCode8> = Constant(trampoline(
    [
        opcode::RESERVED,
        Ending::Operator as u8,
        opcode::RESERVED,
        Ending::OperatorThenRight as u8,
        opcode::RESERVED,
        Ending::Dropped as u8,
        opcode::RESERVED,
        Ending::Dropped as u8,
    ],
    STORE as i32 + 1,
    // SAFETY: only the address of a string of the host is taken.
    unsafe { str_constant!(_py_anon_unknown) },
    (&raw const LINE_0).cast_mut().cast(),
    #[cfg(py_gil_disabled)]
    &COPIES,
));

/// Its array of copies: the main copy only.
#[cfg(py_gil_disabled)]
static COPIES: Constant<ffi::_PyCodeArray> = Constant(only_copy((&raw const CODE.0.co_code_adaptive).cast()));

/// The code of the trampolines of this module.
#[inline(always)]
pub(crate) fn code() -> Code {
    Code::from_ptr((&raw const CODE).cast_mut().cast())
}

/// Whether the frame is a trampoline of this module.
///
/// # Safety
/// The frame is live.
#[inline(always)]
pub(crate) unsafe fn is_trampoline(frame: Frame) -> bool {
    // SAFETY: the frame is live (caller).
    unsafe { frame.executes(code()) }
}

// --- entering ----------------------------------------------------------------------------------

/// Goes over to the frame of the method that does the work of a BINARY_OP, if it is one in Python and nothing is against it. The
/// results of the micro-op that returns what this returns are those of the method.
///
/// # Safety
/// The thread is attached, and the engine runs a BINARY_OP with its operands on the published stack.
#[cfg(not(py_gil_disabled))]
#[inline(always)]
pub(super) unsafe fn enter_operator<E: Engine>(e: &mut E) -> Option<Op<Settled<1>>> {
    // SAFETY: the operands are on top of the stack (caller). The micro-op has one result.
    unsafe {
        let frame = operator_frames(e.tstate(), e.frame(), e.oparg())?;
        enter::<E, OPERATOR>(e, frame, 1);
        Some(Ok(Settled::new()))
    }
}

/// Goes over to the frame of the `__setitem__` that does the work of a STORE_SUBSCR, as [`enter_operator`] does.
///
/// # Safety
/// The thread is attached, and the engine runs a STORE_SUBSCR with its operands on the published stack.
#[cfg(not(py_gil_disabled))]
#[inline(always)]
pub(super) unsafe fn enter_store_subscr<E: Engine>(e: &mut E) -> Option<Op<Settled<0>>> {
    // SAFETY: the operands are on top of the stack (caller). The micro-op has no result.
    unsafe {
        let frame = store_subscr_frames(e.tstate(), e.frame())?;
        enter::<E, STORE>(e, frame, 0);
        Some(Ok(Settled::new()))
    }
}

/// Enters `frame`, the method's, with the trampoline below it. For the engine it is as if a micro-op with N inputs and these
/// results had run: it takes the stack pointer of the new frame for the one above its inputs.
///
/// # Safety
/// The thread is attached. The N operands on top of the stack have moved to the trampoline, which has the engine's frame below.
/// One more call fits under the recursion limit.
#[cfg(not(py_gil_disabled))]
#[inline(always)]
unsafe fn enter<E: Engine, const N: usize>(e: &mut E, frame: Frame, results: usize) {
    // SAFETY: the new frame is complete, and the operands leave the stack of this one (caller).
    unsafe {
        e.set_sp(e.sp().sub(N));
        link(e, frame);
        e.tstate().enter_python_call();
        e.set_sp(e.sp().add(N - results));
    }
}

/// Makes both frames for the BINARY_OP that `caller` runs. The operands move to the trampoline.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and `caller` is its current frame, with both operands on its published stack.
#[cfg(not(py_gil_disabled))]
#[inline(never)]
unsafe fn operator_frames(tstate: ThreadState, caller: Frame, oparg: usize) -> Option<Frame> {
    // SAFETY: the operands are live (caller), and the function is as long as their types do not change.
    unsafe {
        let operands = *caller.stack_pointer().sub(OPERATOR).cast::<[StackRef; OPERATOR]>();
        let [left, right] = operands.map(StackRef::object);
        let method = special_methods::of_operator(tstate, oparg, left, right)?;
        let ending = if method.asks_right { Ending::OperatorThenRight } else { Ending::Operator };
        may_enter(tstate, method.function).then(|| {
            let function = method.function.object();
            push_operator_frames(tstate, caller, operands, function, method.is_reflected, ending)
        })
    }
}

/// Makes both frames for the STORE_SUBSCR that `caller` runs. The operands move to the trampoline.
///
/// # Safety
/// As for [`operator_frames`], with the operands of a STORE_SUBSCR.
#[cfg(not(py_gil_disabled))]
#[inline(never)]
unsafe fn store_subscr_frames(tstate: ThreadState, caller: Frame) -> Option<Frame> {
    // SAFETY: as in `operator_frames`.
    unsafe {
        let operands @ [_, container, _] = *caller.stack_pointer().sub(STORE).cast::<[StackRef; STORE]>();
        let function = special_methods::of_store_subscr(tstate, container.object())?;
        may_enter(tstate, function)
            .then(|| push_store_subscr_frames(tstate, caller, operands, function.object()))
    }
}

/// Whether the frame of the function and a trampoline fit, one more call does, and no other evaluator is installed.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. The function is live.
#[cfg(not(py_gil_disabled))]
#[inline(always)]
unsafe fn may_enter(tstate: ThreadState, function: Function) -> bool {
    // SAFETY: the function keeps its code alive (caller).
    unsafe {
        let words = (*function.code().as_ptr()).co_framesize + (*code().as_ptr()).co_framesize;
        tstate.has_stack_space(words as usize)
            && (*tstate.as_ptr()).py_recursion_remaining > 1
            && !tstate.has_custom_eval_frame()
    }
}

/// The frames for a BINARY_OP: [`push_frames`]. If `is_reflected`, the method is the right operand's.
///
/// # Safety
/// As for [`push_frames`].
#[inline(always)]
unsafe fn push_operator_frames(
    tstate: ThreadState,
    caller: Frame,
    operands: [StackRef; OPERATOR],
    function: *mut PyObject,
    is_reflected: bool,
    ending: Ending,
) -> Frame {
    let [left, right] = operands;
    let arguments = if is_reflected { [right, left] } else { [left, right] };
    // SAFETY: the contract is the same.
    unsafe {
        set_return_offset(caller, const { 1 + metadata::BINARY_OP.cache_units() });
        push_frames(tstate, caller, operands, arguments, function, ending)
    }
}

/// The frames for a STORE_SUBSCR: [`push_frames`].
///
/// # Safety
/// As for [`push_frames`].
#[inline(always)]
unsafe fn push_store_subscr_frames(
    tstate: ThreadState,
    caller: Frame,
    operands: [StackRef; STORE],
    function: *mut PyObject,
) -> Frame {
    let [value, container, key] = operands;
    // SAFETY: the contract is the same.
    unsafe {
        set_return_offset(caller, const { 1 + metadata::STORE_SUBSCR.cache_units() });
        push_frames(tstate, caller, operands, [container, key, value], function, Ending::Dropped)
    }
}

/// Makes the frame of a method with N parameters, and the trampoline below it, which takes over the operands.
///
/// # Safety
/// The thread is attached, `tstate` is its state. `caller` runs an instruction with these operands. The function is live, has N
/// parameters, and both frames fit on the data stack. The trampoline with this ending has N operands.
#[inline(always)]
unsafe fn push_frames<const N: usize>(
    tstate: ThreadState,
    caller: Frame,
    operands: [StackRef; N],
    arguments: [StackRef; N],
    function: *mut PyObject,
    ending: Ending,
) -> Frame {
    // SAFETY: both frames fit (caller). The trampoline owns the operands, and the new frame references of its own.
    unsafe {
        let below = push(tstate, code(), N, caller);
        below.set_instr(code().bytecode().add(ending as isize));
        below.local_slot(0).cast::<[StackRef; N]>().write(operands);
        let frame = Frame::push_unchecked(tstate, StackRef::new(function), N, below);
        for (index, argument) in arguments.into_iter().enumerate() {
            frame.set_local(index, StackRef::new(argument.object()));
        }
        frame
    }
}

/// Makes the frame of a trampoline, whose stack pointer is above `depth` values. It has the namespaces of the frame below: the
/// host's dump of a stack (`faulthandler`) ends at a frame without any.
///
/// # Safety
/// As for [`Frame::push_trampoline_unchecked`].
#[inline(always)]
pub(crate) unsafe fn push(tstate: ThreadState, code: Code, depth: usize, caller: Frame) -> Frame {
    // SAFETY: the contract is the same. Both frames are live.
    unsafe {
        let frame = Frame::push_trampoline_unchecked(tstate, code, depth, caller);
        (*frame.as_ptr()).f_globals = caller.globals();
        (*frame.as_ptr()).f_builtins = caller.builtins();
        frame
    }
}

// --- entering in traces ------------------------------------------------------------------------

/// What a `create_operator_frames` makes: its second operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OperatorFrames {
    pub(crate) is_reflected: bool,
    pub(crate) ending: Ending,
}

impl OperatorFrames {
    /// What has made the trampoline `below` and the frame above it, which has not begun to run.
    ///
    /// # Safety
    /// The trampoline is live, and its method the thread's current frame.
    #[cfg(py_tier2)]
    pub(crate) unsafe fn of(below: Frame, above: Frame) -> OperatorFrames {
        // SAFETY: both frames are live (caller). The trampoline is at the instruction for its ending.
        unsafe {
            let ending = Ending::of(below.instr().decode().1);
            OperatorFrames { is_reflected: above.local(0).object() != below.local(0).object(), ending }
        }
    }

    #[cfg(py_tier2)]
    pub(crate) fn to_operand(self) -> u64 {
        u64::from(self.is_reflected) << 8 | self.ending as u64
    }

    pub(crate) fn from_operand(operand: u64) -> OperatorFrames {
        OperatorFrames { is_reflected: operand >> 8 != 0, ending: Ending::of(operand as usize & 0xFF) }
    }
}

/// Makes the frame of the function in the first operand, for a BINARY_OP on these types, and the trampoline below it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. Guards have checked that a type has the function, which has two parameters.
#[inline(always)]
pub(crate) unsafe fn create_operator_frames<E: Engine>(
    e: &mut E,
    (function, frames): (*mut PyObject, *mut PyObject),
    operands: [StackRef; OPERATOR],
) -> Op {
    // SAFETY: guards have checked that both frames fit on the data stack, and the type of an operand (caller).
    unsafe {
        let OperatorFrames { is_reflected, ending } = OperatorFrames::from_operand(frames.addr() as u64);
        let frame = push_operator_frames(e.tstate(), e.frame(), operands, function, is_reflected, ending);
        e.give_frame(frame);
        Ok([])
    }
}

/// Makes the frame of the function in the operand, for a STORE_SUBSCR on a container of this type, and the trampoline below it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. A guard has checked that the type has the function, which has three parameters.
#[inline(always)]
pub(crate) unsafe fn create_store_subscr_frames<E: Engine>(
    e: &mut E,
    function: *mut PyObject,
    operands: [StackRef; STORE],
) -> Op {
    // SAFETY: guards have checked that both frames fit on the data stack, and the type of the container (caller).
    unsafe {
        let frame = push_store_subscr_frames(e.tstate(), e.frame(), operands, function);
        e.give_frame(frame);
        Ok([])
    }
}

// --- returning ---------------------------------------------------------------------------------

/// Ends a trampoline with the result of the method, which is on top of its stack.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(super) unsafe fn reserved<E: BytecodeEngine>(e: &mut E) -> BytecodeOp {
    // SAFETY: the frame is that of a trampoline (checked), so the operands and the result are on its stack. Its memory is the
    // last on the data stack.
    unsafe {
        if !is_trampoline(e.frame()) {
            never_emitted();
        }
        let (result, ending) = (e.pop(), Ending::of(e.oparg()));
        if ending == Ending::Dropped {
            let operands = leave(e);
            drop_result(e, operands, result);
            return Ok([]);
        }
        let operands @ [left, right] = leave(e);
        if result.object() != not_implemented() {
            give_result(e, operands, result);
            return Ok([]);
        }
        core::hint::cold_path();
        e.push(left);
        e.push(right);
        e.publish();
        let asks_right = ending == Ending::OperatorThenRight;
        let result = without_left(left.object(), right.object(), asks_right, operator_of(e.frame()));
        if result.is_null() {
            return Err(Exit::ErrorNoPop.into());
        }
        e.settle([left, right], [StackRef::steal(result)])?;
        e.set_sp(e.sp().sub(1));
        Ok([])
    }
}

/// Ends the trampoline of an operator in a trace, unless the result is NotImplemented.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. The frame is such a trampoline.
#[inline(always)]
pub(crate) unsafe fn return_operator<E: Engine>(
    e: &mut E,
    [_, _, result]: [StackRef; OPERATOR + 1],
) -> Op<Settled<1>> {
    // SAFETY: the inputs are all that the trampoline holds. For the engine it is as if they were on the stack of the frame
    // below, so that it leaves two values too much there.
    unsafe {
        guard(result.object() != not_implemented())?;
        let operands = leave(e);
        give_result(e, operands, result);
        e.set_sp(e.sp().add(OPERATOR));
        Ok(Settled::new())
    }
}

/// Ends the trampoline of a STORE_SUBSCR in a trace.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. The frame is such a trampoline.
#[inline(always)]
pub(crate) unsafe fn return_store_subscr<E: Engine>(
    e: &mut E,
    [_, _, _, result]: [StackRef; STORE + 1],
) -> Op<Settled<0>> {
    // SAFETY: as in `return_operator`, with four values too much.
    unsafe {
        let operands = leave(e);
        drop_result(e, operands, result);
        e.set_sp(e.sp().add(STORE + 1));
        Ok(Settled::new())
    }
}

/// Pushes the result, and releases the operands.
///
/// # Safety
/// The thread is attached. The engine's frame runs a BINARY_OP whose operands these were. The caller owns all three.
#[inline(always)]
unsafe fn give_result<E: Engine>(e: &mut E, [left, right]: [StackRef; OPERATOR], result: StackRef) {
    // SAFETY: there is room for the result in the place of the operands, which are released once (caller).
    unsafe {
        e.push(result);
        e.close_seldom_at(left, e.sp());
        e.close_seldom_at(right, e.sp());
    }
}

/// Releases the result and the operands.
///
/// # Safety
/// The thread is attached. The engine's frame runs a STORE_SUBSCR whose operands these were. The caller owns all four.
#[inline(always)]
unsafe fn drop_result<E: Engine>(e: &mut E, [value, container, key]: [StackRef; STORE], result: StackRef) {
    // SAFETY: none of them is on the stack, and each is released once (caller).
    unsafe {
        for reference in [result, key, container, value] {
            e.close_seldom_at(reference, e.sp());
        }
    }
}

/// Leaves the trampoline, whose stack has only the operands, for the frame below. Returns the operands, which the caller owns.
///
/// # Safety
/// The thread is attached. The engine's frame is a trampoline with N operands, and the last on the data stack.
#[inline(always)]
unsafe fn leave<E: Engine, const N: usize>(e: &mut E) -> [StackRef; N] {
    // SAFETY: the trampoline holds nothing but the operands (caller): its code is immortal, and it has no frame object.
    unsafe {
        let (operands, caller) = take_off(e.tstate(), e.frame());
        e.switch_frame(caller, after_return(caller));
        operands
    }
}

/// Takes off the trampoline `below`. Returns the operands, which the caller owns, and the frame below, which is current now.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. `below` is a trampoline with N operands, its current frame, and the last on
/// the data stack.
#[inline(always)]
pub(crate) unsafe fn take_off<const N: usize>(tstate: ThreadState, below: Frame) -> ([StackRef; N], Frame) {
    // SAFETY: the trampoline holds nothing but the operands (caller).
    unsafe {
        let operands = *below.local_slot(0).cast::<[StackRef; N]>();
        let caller = below.caller();
        tstate.set_current_frame(Some(caller));
        tstate.pop_frame(below);
        (operands, caller)
    }
}

/// Takes a trampoline off below a method that has raised, as if the instruction had called it in C: the operands of a BINARY_OP go
/// back to the stack of the frame that runs it, those of a STORE_SUBSCR are released. Returns that frame, and what follows the
/// instruction.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. `below` is a trampoline, its current frame, and the last on the data stack.
pub(crate) unsafe fn unwind(tstate: ThreadState, below: Frame) -> (Frame, CodeUnit) {
    // SAFETY: the trampoline is at the instruction for its ending, and has as many operands (caller). Those that go back were on
    // the stack of the frame below before, so there is room. That frame is current, and published without them.
    unsafe {
        let caller = match Ending::of(below.instr().decode().1) {
            Ending::Operator | Ending::OperatorThenRight => {
                let (operands, caller) = take_off::<OPERATOR>(tstate, below);
                let sp = caller.stack_pointer();
                sp.cast::<[StackRef; OPERATOR]>().write(operands);
                caller.set_stack_pointer(sp.add(OPERATOR));
                caller
            }
            Ending::Dropped => {
                let (operands, caller) = take_off::<STORE>(tstate, below);
                operands.into_iter().rev().for_each(|operand| operand.close());
                caller
            }
        };
        let next = after_return(caller);
        set_return_offset(caller, 0);
        (caller, next)
    }
}

/// The argument of the BINARY_OP that the frame runs.
///
/// # Safety
/// The frame is live, and runs a BINARY_OP.
unsafe fn operator_of(frame: Frame) -> usize {
    // SAFETY: the frame is live (caller). The argument of a BINARY_OP fits one byte, and stays when it is instrumented. If an executor
    // has taken its place, the executor knows it.
    unsafe {
        let (opcode, oparg) = frame.instr().decode();
        #[cfg(py_tier2)]
        if opcode == opcode::ENTER_EXECUTOR {
            return (*frame.code().executor(oparg).as_ptr()).vm_data.oparg.into();
        }
        #[cfg(not(py_tier2))]
        let _ = opcode;
        oparg
    }
}

/// NotImplemented, borrowed. It is immortal.
pub(crate) fn not_implemented() -> *mut PyObject {
    &raw mut ffi::_Py_NotImplementedStruct
}

/// What the host does when the method of the left operand, or of the only one that has any, has returned NotImplemented. Returns
/// a new reference, or null with an exception set.
///
/// # Safety
/// The thread is attached, and its frame is published. Both objects are live. The operator is the argument of the BINARY_OP.
#[cold]
#[inline(never)]
unsafe fn without_left(
    left: *mut PyObject,
    right: *mut PyObject,
    asks_right: bool,
    operator: usize,
) -> *mut PyObject {
    // SAFETY: both objects are live (caller), and so are their types. The format matches its arguments.
    unsafe {
        let Some(operator) = Operator::of(operator) else { never_emitted() };
        if asks_right && type_of(left) != type_of(right) {
            let method = ffi::_PyObject_LookupSpecial(right, operator.reflected);
            if !method.is_null() {
                let result = ffi::PyObject_CallOneArg(method, left);
                refcount::decref(method);
                if result != not_implemented() {
                    return result;
                }
            } else if exception_is_set() {
                return null_mut();
            }
        }
        raise!(
            PyExc_TypeError,
            c"unsupported operand type(s) for %.100s: '%.100s' and '%.100s'",
            operator.symbol.as_ptr(),
            (*type_of(left)).tp_name,
            (*type_of(right)).tp_name,
        );
        null_mut()
    }
}

/// Ends the process: the compiler does not emit this.
#[cold]
#[inline(never)]
fn never_emitted() -> ! {
    // SAFETY: both arguments are C strings, and the function does not return.
    unsafe {
        ffi::_Py_FatalErrorFunc(
            c"_PyEval_EvalFrameDefault".as_ptr(),
            c"Executing RESERVED instruction.".as_ptr(),
        )
    }
}
