//! Calls of Python functions whose version has been seen before.

use core::sync::atomic::{AtomicPtr, Ordering};

use super::{Operands, expand, make_frame};
use crate::calls::frames;
use crate::engine::{Engine, Exit, Kept, Op};
use crate::host::function::{Function, Method};
use crate::host::object::{has_feature, type_version};
use crate::host::{Code, Frame, PyObject, PyTypeObject, StackRef, ffi};
use crate::ops::frames::save_return_offset;
use crate::ops::guards::guard;
use crate::raise;
use crate::seams;

#[inline(always)]
unsafe fn guard_function_version<const KW: bool>(operands: Operands<KW>, version: u32) -> Op {
    // SAFETY: the operands are on the stack.
    unsafe {
        let function = Function::cast(operands.callable().object());
        guard(function.is_some_and(|function| function.version() == version))
    }
}

/// The callable is a Python function of this version.
#[inline(always)]
pub(crate) unsafe fn check_function_version<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the instruction is a CALL.
    unsafe { guard_function_version(operands, version) }
}

/// [`check_function_version`] for calls with keywords.
#[inline(always)]
pub(crate) unsafe fn check_function_version_kw<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept(operands): Kept<Operands<true>>,
) -> Op {
    // SAFETY: the instruction is a CALL_KW.
    unsafe { guard_function_version(operands, version) }
}

#[inline(always)]
unsafe fn guard_method_version<const KW: bool>(operands: Operands<KW>, version: u32) -> Op {
    // SAFETY: the operands are on the stack.
    unsafe {
        let function =
            Method::cast(operands.callable().object()).and_then(|method| Function::cast(method.function()));
        guard(function.is_some_and(|function| function.version() == version) && !operands.has_self())
    }
}

/// The callable is a bound method of a Python function of this version.
#[inline(always)]
pub(crate) unsafe fn check_method_version<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the instruction is a CALL.
    unsafe { guard_method_version(operands, version) }
}

/// [`check_method_version`] for calls with keywords.
#[inline(always)]
pub(crate) unsafe fn check_method_version_kw<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept(operands): Kept<Operands<true>>,
) -> Op {
    // SAFETY: the instruction is a CALL_KW.
    unsafe { guard_method_version(operands, version) }
}

#[inline(always)]
unsafe fn expand_callable<E: Engine, const KW: bool>(e: &mut E, operands: Operands<KW>) -> Op {
    // SAFETY: a guard has shown that the callable is a bound method, and that there is no `self` yet.
    unsafe {
        expand(e, operands, Method::from_object(operands.callable().object()));
    }
    Ok([])
}

/// The function and the `self` of the bound method become the callable and the first argument.
#[inline(always)]
pub(crate) unsafe fn expand_method<E: Engine>(e: &mut E, Kept(operands): Kept<Operands<false>>) -> Op {
    // SAFETY: the instruction is a CALL, and a guard has seen the method.
    unsafe { expand_callable(e, operands) }
}

/// [`expand_method`] for calls with keywords.
#[inline(always)]
pub(crate) unsafe fn expand_method_kw<E: Engine>(e: &mut E, Kept(operands): Kept<Operands<true>>) -> Op {
    // SAFETY: the instruction is a CALL_KW, and a guard has seen the method.
    unsafe { expand_callable(e, operands) }
}

/// The callable is a bound method.
#[inline(always)]
pub(crate) unsafe fn check_call_bound_method_exact_args<E: Engine>(
    _e: &mut E,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are on the stack.
    unsafe { guard(!operands.has_self() && Method::cast(operands.callable().object()).is_some()) }
}

/// [`expand_method`], for a method whose function has not been looked at yet.
#[inline(always)]
pub(crate) unsafe fn init_call_bound_method_exact_args<E: Engine>(
    e: &mut E,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the instruction is a CALL, and a guard has seen the method.
    unsafe { expand_callable(e, operands) }
}

/// The callable of a CALL, which a guard has shown to be a Python function.
#[inline(always)]
unsafe fn function(operands: Operands<false>) -> Function {
    // SAFETY: the operands are on the stack.
    unsafe { Function::from_object(operands.callable().object()) }
}

/// There are as many arguments as positional parameters.
#[inline(always)]
pub(crate) unsafe fn check_function_exact_args<E: Engine>(
    _e: &mut E,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are on the stack, and the function is live.
    unsafe {
        let parameters = (*function(operands).code().as_ptr()).co_argcount;
        guard(parameters as usize == operands.total())
    }
}

/// A frame for the function fits on the data stack as it is.
#[inline(always)]
pub(crate) unsafe fn check_stack_space<E: Engine>(e: &mut E, Kept(operands): Kept<Operands<false>>) -> Op {
    // SAFETY: the operands are on the stack, and the function is live.
    unsafe { guard(e.tstate().has_stack_space((*function(operands).code().as_ptr()).co_framesize as usize)) }
}

/// A call more is not too deep.
#[inline(always)]
pub(crate) unsafe fn check_recursion_remaining<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the thread state is live.
    unsafe { guard((*e.tstate().as_ptr()).py_recursion_remaining > 1) }
}

/// Replaces the operands by a new frame for the function, the arguments being its first locals.
#[inline(always)]
pub(crate) unsafe fn init_call_py_exact_args<E: Engine>(e: &mut E, operands: Operands<false>) -> Op {
    // SAFETY: guards have shown that the callable is a function with that many parameters, and that the
    // frame fits. The references to all operands move to the frame.
    unsafe {
        let (arguments, count) = (operands.first(), operands.total());
        let frame = Frame::push_unchecked(e.tstate(), operands.callable(), count, e.frame());
        for index in 0..count {
            // Volatile reads keep the loop as it is written: it runs twice or so.
            frame.set_local(index, arguments.add(index).read_volatile());
        }
        e.give_frame(frame);
        Ok([])
    }
}

#[inline(always)]
unsafe fn bind<E: Engine, const KW: bool>(e: &mut E, operands: Operands<KW>) -> Op {
    // SAFETY: a guard has shown that the callable is a Python function.
    unsafe {
        let frame = make_frame(e, operands, Function::from_object(operands.callable().object()))?;
        e.give_frame(frame);
        Ok([])
    }
}

/// Replaces the operands by a new frame for the function, with the arguments bound to its parameters.
#[inline(always)]
pub(crate) unsafe fn py_frame_general<E: Engine>(e: &mut E, operands: Operands<false>) -> Op {
    // SAFETY: the instruction is a CALL, and a guard has seen the function.
    unsafe { bind(e, operands) }
}

/// [`py_frame_general`] with keywords.
#[inline(always)]
pub(crate) unsafe fn py_frame_kw<E: Engine>(e: &mut E, operands: Operands<true>) -> Op {
    // SAFETY: the instruction is a CALL_KW, and a guard has seen the function.
    unsafe { bind(e, operands) }
}

// --- instances ---------------------------------------------------------------------------------

/// The code that checks what `__init__` has returned, in a frame below it.
#[inline(always)]
fn init_cleanup() -> Code {
    seams::specialize::init_cleanup()
}

/// The callable is a class of this version, which has a Python `__init__` and nothing else that a call
/// would run: makes the instance. `__init__` and the instance become the callable and the first argument.
#[inline(always)]
pub(crate) unsafe fn check_and_allocate_object<E: Engine>(
    e: &mut E,
    version: u32,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are on the stack. A class of that version is a heap type, whose cache has a
    // function for as long as the version stays.
    unsafe {
        let class = operands.callable();
        guard(!operands.has_self() && has_feature(class.object(), ffi::Py_TPFLAGS_TYPE_SUBCLASS))?;
        let type_ = class.object().cast::<PyTypeObject>();
        guard(type_version(type_) == version)?;
        let cache = &raw mut (*type_.cast::<ffi::PyHeapTypeObject>())._spec_cache;
        let init = AtomicPtr::<PyObject>::from_ptr(&raw mut (*cache).init).load(Ordering::Acquire);
        let frame_sizes = [Function::from_object(init).code(), init_cleanup()]
            .map(|code| (*code.as_ptr()).co_framesize as usize);
        guard(e.tstate().has_stack_space(frame_sizes[0] + frame_sizes[1]))?;
        e.publish();
        let instance = ffi::PyType_GenericAlloc(type_, 0);
        if instance.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        operands.set_self(StackRef::steal(instance));
        operands.set_callable(StackRef::new(init));
        e.close_at(class, e.sp());
    }
    Ok([])
}

/// Replaces the operands by a new frame for `__init__`, below which another frame keeps the instance,
/// to return it.
#[inline(always)]
pub(crate) unsafe fn create_init_frame<E: Engine>(e: &mut E, operands: Operands<false>) -> Op {
    // SAFETY: the step before has put `__init__` and `self` on the stack, and has shown that both frames
    // fit.
    unsafe {
        e.publish();
        let cleanup = Frame::push_trampoline_unchecked(e.tstate(), init_cleanup(), 1, e.frame());
        cleanup.set_local(0, operands.self_or_null().dup());
        let frame = frames::push_owned(
            e.tstate(),
            operands.callable(),
            core::ptr::null_mut(),
            operands.first(),
            operands.total(),
            core::ptr::null_mut(),
            cleanup,
        );
        let Ok(frame) = frame else {
            e.publish_at(operands.base());
            frames::clear_and_pop(e.tstate(), cleanup);
            return Err(Exit::Error);
        };
        save_return_offset(e, [])?;
        e.tstate().enter_python_call();
        e.give_frame(frame);
        Ok([])
    }
}

/// Drops what `__init__` has returned, which has to be `None`.
#[inline(always)]
pub(crate) unsafe fn exit_init_check<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op {
    if value.is_none() {
        return Ok([]);
    }
    e.publish();
    // SAFETY: the input is live.
    unsafe { raise_for_init(value.type_()) }
    Err(Exit::ErrorNoPop)
}

#[cold]
#[inline(never)]
unsafe fn raise_for_init(type_: *mut PyTypeObject) {
    // SAFETY: the type is live and the thread attached.
    unsafe {
        raise!(PyExc_TypeError, c"__init__() should return None, not '%.200s'", (*type_).tp_name);
    }
}
