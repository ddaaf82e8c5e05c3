//! Calls of Python functions whose version the specializer has recorded.

use core::sync::atomic::{AtomicPtr, Ordering};

use super::{Operands, expand, make_frame};
use crate::bytecode::metadata;
use crate::calls::frames;
use crate::engine::{Engine, Exit, Kept, Op};
use crate::host::function::{Function, Method};
use crate::host::object::{has_feature, type_version};
use crate::host::{Code, Frame, PyObject, PyTypeObject, StackRef, ffi};
use crate::ops::frames::set_return_offset;
use crate::ops::guards::guard;
use crate::raise;
use crate::seams;

/// Succeeds if the callable is a Python function of this version.
///
/// # Safety
/// The operands are on the stack.
#[inline(always)]
unsafe fn guard_function_version<const KW: bool>(operands: Operands<KW>, version: u32) -> Op {
    // SAFETY: the operands are on the stack.
    unsafe {
        let function = Function::cast(operands.callable().object());
        guard(function.is_some_and(|function| function.version() == version))
    }
}

/// The callable is a Python function of this version.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_function_version<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are those of a CALL, and on top of the stack.
    unsafe { guard_function_version(operands, version) }
}

/// [`check_function_version`] for calls with keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_function_version_kw<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept(operands): Kept<Operands<true>>,
) -> Op {
    // SAFETY: the operands are those of a CALL_KW, and on top of the stack.
    unsafe { guard_function_version(operands, version) }
}

/// Succeeds if the callable is a bound method of a Python function of this version, and there is no other
/// `self`.
///
/// # Safety
/// The operands are on the stack.
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
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_method_version<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are those of a CALL, and on top of the stack.
    unsafe { guard_method_version(operands, version) }
}

/// [`check_method_version`] for calls with keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_method_version_kw<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept(operands): Kept<Operands<true>>,
) -> Op {
    // SAFETY: the operands are those of a CALL_KW, and on top of the stack.
    unsafe { guard_method_version(operands, version) }
}

/// Expands the callable, a bound method.
///
/// # Safety
/// The thread is attached. The operands are on the engine's stack without a `self`, and the callable is a
/// bound method.
#[inline(always)]
unsafe fn expand_callable<E: Engine, const KW: bool>(e: &mut E, operands: Operands<KW>) -> Op {
    // SAFETY: the callable is a bound method, and the slot of `self` is empty (caller).
    unsafe {
        expand(e, operands, Method::from_object(operands.callable().object()));
    }
    Ok([])
}

/// Replaces the callable, a bound method, by its function, and makes its `self` the first argument.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_method_version` has run before.
#[inline(always)]
pub(crate) unsafe fn expand_method<E: Engine>(e: &mut E, Kept(operands): Kept<Operands<false>>) -> Op {
    // SAFETY: the operands are those of a CALL, and a guard has checked the method.
    unsafe { expand_callable(e, operands) }
}

/// [`expand_method`] for calls with keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_method_version_kw` has run before.
#[inline(always)]
pub(crate) unsafe fn expand_method_kw<E: Engine>(e: &mut E, Kept(operands): Kept<Operands<true>>) -> Op {
    // SAFETY: the operands are those of a CALL_KW, and a guard has checked the method.
    unsafe { expand_callable(e, operands) }
}

/// The callable is a bound method, and there is no other `self`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_call_bound_method_exact_args<E: Engine>(
    _e: &mut E,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are on the stack.
    unsafe { guard(!operands.has_self() && Method::cast(operands.callable().object()).is_some()) }
}

/// [`expand_method`] for a method whose function has not been checked yet.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_call_bound_method_exact_args` has run before.
#[inline(always)]
pub(crate) unsafe fn init_call_bound_method_exact_args<E: Engine>(
    e: &mut E,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are those of a CALL, and a guard has checked the method.
    unsafe { expand_callable(e, operands) }
}

/// The callable of a CALL as a function.
///
/// # Safety
/// The operands are on the stack, and the callable is a Python function.
#[inline(always)]
unsafe fn function(operands: Operands<false>) -> Function {
    // SAFETY: the operands are on the stack, and the callable is a function (caller).
    unsafe { Function::from_object(operands.callable().object()) }
}

/// The number of arguments is the number of positional parameters.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_function_version` has run before.
#[inline(always)]
pub(crate) unsafe fn check_function_exact_args<E: Engine>(
    _e: &mut E,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are on the stack. A guard has checked the callable, which is live with its code.
    unsafe {
        let parameters = (*function(operands).code().as_ptr()).co_argcount;
        guard(parameters as usize == operands.total())
    }
}

/// The current chunk of the data stack has room for a frame of the function.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_function_version` has run before.
#[inline(always)]
pub(crate) unsafe fn check_stack_space<E: Engine>(e: &mut E, Kept(operands): Kept<Operands<false>>) -> Op {
    // SAFETY: the operands are on the stack. A guard has checked the callable, which is live with its code.
    unsafe { guard(e.tstate().has_stack_space((*function(operands).code().as_ptr()).co_framesize as usize)) }
}

/// One more call fits under the recursion limit.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_recursion_remaining<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the state of the attached thread is live.
    unsafe { guard((*e.tstate().as_ptr()).py_recursion_remaining > 1) }
}

/// Replaces the operands by a new frame for the function. The arguments become its first locals.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_pep_523`, `check_function_version`,
/// `check_function_exact_args`, `check_stack_space` and `check_recursion_remaining` have run before.
#[inline(always)]
pub(crate) unsafe fn init_call_py_exact_args<E: Engine>(e: &mut E, operands: Operands<false>) -> Op {
    // SAFETY: guards have checked that the callable is a function with that many parameters, and that the
    // frame fits on the data stack. The references to all operands move to the frame.
    unsafe {
        let (arguments, count) = (operands.first(), operands.total());
        let frame = Frame::push_unchecked(e.tstate(), operands.callable(), count, e.frame());
        for index in 0..count {
            // Volatile reads keep LLVM from transforming this loop, which runs about twice.
            frame.set_local(index, arguments.add(index).read_volatile());
        }
        e.give_frame(frame);
        Ok([])
    }
}

/// Replaces the operands by a new frame for the callable and binds the arguments to its parameters.
///
/// # Safety
/// The thread is attached. The operands are the topmost values of the engine's stack, and the callable is a
/// Python function. The operands are dead afterwards.
#[inline(always)]
unsafe fn bind<E: Engine, const KW: bool>(e: &mut E, operands: Operands<KW>) -> Op {
    // SAFETY: the operands are on top of the stack, and the callable is a Python function (caller).
    unsafe {
        let frame = make_frame(e, operands, Function::from_object(operands.callable().object()))?;
        e.give_frame(frame);
        Ok([])
    }
}

/// Replaces the operands by a new frame for the function and binds the arguments to its parameters.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. Have run before: `check_pep_523`; `check_function_version`
/// or `expand_method`; `check_recursion_remaining`.
#[inline(always)]
pub(crate) unsafe fn py_frame_general<E: Engine>(e: &mut E, operands: Operands<false>) -> Op {
    // SAFETY: the operands are those of a CALL, and a guard has checked that the callable is a function.
    unsafe { bind(e, operands) }
}

/// [`py_frame_general`] for a call with keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. Have run before: `check_pep_523`;
/// `check_function_version_kw` or `expand_method_kw`.
#[inline(always)]
pub(crate) unsafe fn py_frame_kw<E: Engine>(e: &mut E, operands: Operands<true>) -> Op {
    // SAFETY: the operands are those of a CALL_KW, and a guard has checked that the callable is a function.
    unsafe { bind(e, operands) }
}

// --- instances ---------------------------------------------------------------------------------

/// The code of the trampoline frame below `__init__`, which checks the result of `__init__`.
#[inline(always)]
fn init_cleanup() -> Code {
    seams::specialize::init_cleanup()
}

/// The callable is a class of this version: calling it runs a Python `__init__` and nothing else. Allocates
/// the instance. `__init__` and the instance become the callable and the first argument.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_pep_523` has run before.
#[inline(always)]
pub(crate) unsafe fn check_and_allocate_object<E: Engine>(
    e: &mut E,
    version: u32,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are on the stack. A class of that version is a heap type, and its cache holds a
    // function as long as the version does not change. The class is released after its slot is overwritten.
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

/// Replaces the operands by a new frame for `__init__`. A trampoline frame below it keeps the instance and
/// returns it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_and_allocate_object` has run before.
#[inline(always)]
pub(crate) unsafe fn create_init_frame<E: Engine>(e: &mut E, operands: Operands<false>) -> Op {
    // SAFETY: `check_and_allocate_object` has put `__init__` and `self` on the stack and has checked that
    // both frames fit on the data stack.
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
        set_return_offset(e.frame(), const { 1 + metadata::CALL.cache_units() });
        e.tstate().enter_python_call();
        e.give_frame(frame);
        Ok([])
    }
}

/// Checks that the result of `__init__` is `None`, and drops it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn exit_init_check<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op {
    if value.is_none() {
        return Ok([]);
    }
    e.publish();
    // SAFETY: the input is live, so its type is. The frame is published.
    unsafe { raise_for_init(value.type_()) }
    Err(Exit::ErrorNoPop)
}

/// Sets TypeError for a result of `__init__` that is of this type.
///
/// # Safety
/// The thread is attached, and `type_` is live.
#[cold]
#[inline(never)]
unsafe fn raise_for_init(type_: *mut PyTypeObject) {
    // SAFETY: the type is live (caller), and so is its name.
    unsafe {
        raise!(PyExc_TypeError, c"__init__() should return None, not '%.200s'", (*type_).tp_name);
    }
}
