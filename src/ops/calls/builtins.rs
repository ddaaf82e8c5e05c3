//! Calls of built-in functions, methods and types.

use super::known::{call_dict_get, is_dict_get, is_instance, length_of};
use super::{Operands, finish};
use crate::engine::{Engine, Exit, Kept, Op, Settled};
use crate::host::function::{CFunction, Definition, MethodDescriptor};
use crate::host::object::{has_feature, list_append, list_is_full, type_of};
use crate::host::{FREE_THREADED, PyObject, PyTypeObject, StackRef, ThreadState, ffi, lock, small_int};
#[cfg(not(py_gil_disabled))]
use crate::ops::consumers;
use crate::ops::guards::guard;

/// Whether the C stack is too full for a call of a function that does not check it
/// (`_Py_ReachedRecursionLimit`).
///
/// # Safety
/// `tstate` is live.
#[inline(always)]
unsafe fn reached_recursion_limit(tstate: ThreadState) -> bool {
    let marker = 0u8;
    // SAFETY: the thread state is live (caller).
    &raw const marker as usize <= unsafe { (*tstate.implementation()).c_stack_soft_limit }
}

/// Returns the callable and its definition, if it is a built-in function whose flags are exactly `flags`.
///
/// # Safety
/// The operands are on the stack.
#[inline(always)]
unsafe fn guard_builtin(operands: Operands<false>, flags: u32) -> Op<(CFunction, Definition)> {
    // SAFETY: the operands are on the stack (caller), so the callable and its definition are live.
    unsafe {
        let Some(function) = CFunction::cast(operands.callable().object()) else {
            return Err(Exit::Deopt);
        };
        guard(function.definition().has_flags(flags))?;
        Ok((function, function.definition()))
    }
}

/// Returns the definition of the callable, if it is a method descriptor whose flags are exactly `flags`, and
/// `receiver`, the first argument, is exactly of its class.
///
/// # Safety
/// The operands are on the stack, and `receiver` is live.
#[inline(always)]
unsafe fn guard_method(operands: Operands<false>, receiver: StackRef, flags: u32) -> Op<Definition> {
    // SAFETY: the operands are on the stack, and the receiver is live (caller).
    unsafe {
        let Some(method) = MethodDescriptor::cast(operands.callable().object()) else {
            return Err(Exit::Deopt);
        };
        guard(method.definition().has_flags(flags) && method.is_of(receiver.object()))?;
        Ok(method.definition())
    }
}

/// Calls a type that has a `tp_vectorcall`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_builtin_class<E: Engine>(e: &mut E, operands: Operands<false>) -> Op<Settled<1>> {
    // SAFETY: the operands are on the stack.
    unsafe {
        let type_ = operands.callable().object();
        guard(has_feature(type_, ffi::Py_TPFLAGS_TYPE_SUBCLASS))?;
        let type_ = type_.cast::<PyTypeObject>();
        guard((*type_).tp_vectorcall.is_some())?;
        #[cfg(not(py_gil_disabled))]
        if let Some(entered) = consumers::enter(e) {
            return entered;
        }
        e.publish();
        let result = operands.call_type(type_);
        finish(operands, result)
    }
}

/// Calls a built-in function of one argument.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_builtin_o<E: Engine>(e: &mut E, operands: Operands<false>) -> Op<Settled<1>> {
    // SAFETY: the operands are on the stack.
    unsafe {
        guard(operands.total() == 1)?;
        let (function, definition) = guard_builtin(operands, ffi::METH_O)?;
        guard(!reached_recursion_limit(e.tstate()))?;
        e.publish();
        let result = definition.call(function.receiver(), e.peek(1).object());
        close_and_finish::<E, 1>(e, operands, result)
    }
}

/// Ends a call with `N` arguments, including `self`: releases the operands, topmost first. They are read
/// again from the stack, so that they need no registers during the call.
///
/// # Safety
/// The thread is attached, and the frame was published. The operands are the topmost values of the stack,
/// with N arguments in total, and are not used again. The caller owns `result`, or it is null with an
/// exception set.
#[inline(always)]
unsafe fn close_and_finish<E: Engine, const N: usize>(
    e: &mut E,
    operands: Operands<false>,
    result: *mut PyObject,
) -> Op<Settled<1>> {
    // SAFETY: the arguments are the N topmost values, and nothing uses the operands again (caller).
    unsafe {
        let base = operands.base();
        for depth in 1..=N {
            e.close_at(e.peek(depth), base);
        }
        e.close_at(operands.callable(), base);
        finish(operands, result)
    }
}

/// Calls a built-in function that takes an array of arguments.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_builtin_fast<E: Engine>(e: &mut E, operands: Operands<false>) -> Op<Settled<1>> {
    // SAFETY: the operands are on the stack.
    unsafe {
        let (function, definition) = guard_builtin(operands, ffi::METH_FASTCALL)?;
        e.publish();
        let result = operands.call_fast(definition, function.receiver());
        finish(operands, result)
    }
}

/// Calls a built-in function that takes an array of arguments and keywords, without keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_builtin_fast_with_keywords<E: Engine>(
    e: &mut E,
    operands: Operands<false>,
) -> Op<Settled<1>> {
    // SAFETY: the operands are on the stack.
    unsafe {
        let (function, definition) = guard_builtin(operands, ffi::METH_FASTCALL | ffi::METH_KEYWORDS)?;
        #[cfg(not(py_gil_disabled))]
        if let Some(entered) = consumers::enter(e) {
            return entered;
        }
        e.publish();
        let result = operands.call_fast_with_keywords(definition, function.receiver());
        finish(operands, result)
    }
}

/// Calls a method without arguments.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_method_descriptor_noargs<E: Engine>(
    e: &mut E,
    operands: Operands<false>,
) -> Op<Settled<1>> {
    // SAFETY: the operands are on the stack.
    unsafe {
        guard(operands.total() == 1)?;
        let method = guard_method(operands, e.peek(1), ffi::METH_NOARGS)?;
        guard(!reached_recursion_limit(e.tstate()))?;
        e.publish();
        let result = method.call(e.peek(1).object(), core::ptr::null_mut());
        close_and_finish::<E, 1>(e, operands, result)
    }
}

/// Calls a method with one argument.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_method_descriptor_o<E: Engine>(
    e: &mut E,
    operands: Operands<false>,
) -> Op<Settled<1>> {
    // SAFETY: the operands are on the stack.
    unsafe {
        guard(operands.total() == 2)?;
        let method = guard_method(operands, e.peek(2), ffi::METH_O)?;
        guard(!reached_recursion_limit(e.tstate()))?;
        #[cfg(not(py_gil_disabled))]
        if let Some(entered) = consumers::enter(e) {
            return entered;
        }
        e.publish();
        let result = method.call(e.peek(2).object(), e.peek(1).object());
        close_and_finish::<E, 2>(e, operands, result)
    }
}

/// Calls a method that takes an array of arguments.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_method_descriptor_fast<E: Engine>(
    e: &mut E,
    operands: Operands<false>,
) -> Op<Settled<1>> {
    // SAFETY: the operands are on the stack.
    unsafe {
        guard(operands.total() > 0)?;
        let method = guard_method(operands, *operands.first(), ffi::METH_FASTCALL)?;
        e.publish();
        let result = if is_dict_get(method) {
            call_dict_get(operands, method)
        } else {
            operands.call_method_fast(method)
        };
        finish(operands, result)
    }
}

/// Calls a method that takes an array of arguments and keywords, without keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_method_descriptor_fast_with_keywords<E: Engine>(
    e: &mut E,
    operands: Operands<false>,
) -> Op<Settled<1>> {
    // SAFETY: the operands are on the stack.
    unsafe {
        guard(operands.total() > 0)?;
        let method = guard_method(operands, *operands.first(), ffi::METH_FASTCALL | ffi::METH_KEYWORDS)?;
        e.publish();
        let result = operands.call_method_fast_with_keywords(method);
        finish(operands, result)
    }
}

// --- particular functions ----------------------------------------------------------------------

/// The callable is `len`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_callable_len<E: Engine>(
    e: &mut E,
    Kept([callable, _, _]): Kept<[StackRef; 3]>,
) -> Op {
    // SAFETY: the state of the attached thread and its interpreter are live.
    unsafe { guard(callable.object() == (*e.tstate().interp()).callable_cache.len) }
}

/// `len(argument)`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_nos_null` and `guard_callable_len` have run before.
#[inline(always)]
pub(crate) unsafe fn call_len<E: Engine>(
    e: &mut E,
    [callable, null, argument]: [StackRef; 3],
) -> Op<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op. Small ints are immortal.
    unsafe {
        e.publish();
        let length = length_of(argument.object());
        if length < 0 {
            return Err(Exit::ErrorNoPop);
        }
        let result = if let Some(int) = small_int(length) {
            StackRef::immortal(int)
        } else {
            let int = ffi::PyLong_FromSsize_t(length);
            if int.is_null() {
                return Err(Exit::ErrorNoPop);
            }
            StackRef::steal(int)
        };
        e.settle([argument, null, callable], [result])
    }
}

/// `isinstance(instance, class)`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_isinstance<E: Engine>(e: &mut E, operands: Operands<false>) -> Op<Settled<1>> {
    // SAFETY: the operands are on the stack; if there are two arguments, they are the topmost values.
    unsafe {
        guard(operands.total() == 2)?;
        let callable = operands.callable();
        guard(callable.object() == (*e.tstate().interp()).callable_cache.isinstance)?;
        let (instance, class) = (e.peek(2), e.peek(1));
        e.publish();
        let answer = is_instance(instance.object(), class.object());
        if answer < 0 {
            return Err(Exit::ErrorNoPop);
        }
        let base = operands.base();
        *base = StackRef::bool(answer != 0);
        for input in [callable, class, instance] {
            e.close_at(input, base.add(1));
        }
        Ok(Settled::new())
    }
}

/// `list.append(receiver, value)`, together with the POP_TOP that follows and would drop the result.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn call_list_append<E: Engine>(
    e: &mut E,
    [callable, receiver, value]: [StackRef; 3],
) -> Op<Settled<0>> {
    // SAFETY: the inputs are live and owned by this micro-op. The list takes over the value. The specializer
    // has checked that a POP_TOP follows.
    unsafe {
        guard(callable.object() == (*e.tstate().interp()).callable_cache.list_append)?;
        let list = receiver.object();
        guard(!receiver.is_null() && has_feature(list, ffi::Py_TPFLAGS_LIST_SUBCLASS))?;
        guard(lock::try_lock(list))?;
        if FREE_THREADED || list_is_full(list) {
            e.publish_at(e.sp().sub(1));
        }
        let appended = list_append(list, value.into_object());
        lock::unlock(list);
        let inputs = [receiver, StackRef::NULL, callable];
        if appended.is_err() {
            e.consume(inputs);
            return Err(Exit::Error);
        }
        e.skip_next();
        e.settle(inputs, [])
    }
}

// --- particular types --------------------------------------------------------------------------

#[inline(always)]
fn guard_callable(callable: StackRef, type_: *mut PyTypeObject) -> Op {
    guard(callable.object() == type_.cast())
}

/// The callable is `str`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_callable_str_1<E: Engine>(
    _e: &mut E,
    Kept([callable, _, _]): Kept<[StackRef; 3]>,
) -> Op {
    guard_callable(callable, &raw mut ffi::PyUnicode_Type)
}

/// The callable is `tuple`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_callable_tuple_1<E: Engine>(
    _e: &mut E,
    Kept([callable, _, _]): Kept<[StackRef; 3]>,
) -> Op {
    guard_callable(callable, &raw mut ffi::PyTuple_Type)
}

/// The callable is `type`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_callable_type_1<E: Engine>(
    _e: &mut E,
    Kept([callable, _, _]): Kept<[StackRef; 3]>,
) -> Op {
    guard_callable(callable, &raw mut ffi::PyType_Type)
}

/// `str(argument)`. `str` and the other types here are immortal, so they are not released.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_nos_null` and `guard_callable_str_1` have run before.
#[inline(always)]
pub(crate) unsafe fn call_str_1<E: Engine>(e: &mut E, [_, null, argument]: [StackRef; 3]) -> Op<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op.
    unsafe {
        e.publish();
        let result = ffi::PyObject_Str(argument.object());
        e.settle_object([argument, null, StackRef::NULL], result)
    }
}

/// `tuple(argument)`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_nos_null` and `guard_callable_tuple_1` have run
/// before.
#[inline(always)]
pub(crate) unsafe fn call_tuple_1<E: Engine>(
    e: &mut E,
    [_, null, argument]: [StackRef; 3],
) -> Op<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op.
    unsafe {
        #[cfg(not(py_gil_disabled))]
        if let Some(entered) = consumers::enter(e) {
            return entered;
        }
        e.publish();
        let result = ffi::PySequence_Tuple(argument.object());
        e.settle_object([argument, null, StackRef::NULL], result)
    }
}

/// `type(argument)`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_nos_null` and `guard_callable_type_1` have run
/// before.
#[inline(always)]
pub(crate) unsafe fn call_type_1<E: Engine>(e: &mut E, [_, null, argument]: [StackRef; 3]) -> Op<Settled<1>> {
    // SAFETY: the inputs are live and owned by this micro-op.
    unsafe {
        let type_ = StackRef::new(type_of(argument.object()).cast());
        e.settle([argument, null, StackRef::NULL], [type_])
    }
}
