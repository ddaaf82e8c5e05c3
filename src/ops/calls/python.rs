//! Calls of Python functions whose version the specializer has recorded.

use super::{Operands, expand, make_frame};
use crate::bytecode::metadata;
use crate::calls::frames;
use crate::engine::{Engine, Exit, Kept, Op};
use crate::host::function::{Function, Method};
use crate::host::object::{has_feature, type_has_version};
use crate::host::specialization_cache::SpecializationCache;
use crate::host::{Code, Frame, FunctionVersion, PyTypeObject, StackRef, TypeVersion, ffi};
use crate::ops::frames::set_return_offset;
use crate::ops::guards::guard;
use crate::raise;
use crate::seams;

/// Succeeds if the callable is a Python function of this version.
///
/// # Safety
/// The callable is live.
#[inline(always)]
pub(super) unsafe fn guard_is_function_of(callable: StackRef, version: FunctionVersion) -> Op {
    // SAFETY: the callable is live (caller).
    unsafe {
        let function = Function::cast(callable.object());
        guard(function.is_some_and(|function| function.has_version(version)))
    }
}

/// The callable is a Python function of this version.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_function_version<E: Engine>(
    _e: &mut E,
    version: FunctionVersion,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are those of a CALL, and on top of the stack.
    unsafe { guard_is_function_of(operands.callable(), version) }
}

/// [`check_function_version`] for calls with keywords.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_function_version_kw<E: Engine>(
    _e: &mut E,
    version: FunctionVersion,
    Kept(operands): Kept<Operands<true>>,
) -> Op {
    // SAFETY: the operands are those of a CALL_KW, and on top of the stack.
    unsafe { guard_is_function_of(operands.callable(), version) }
}

/// Succeeds if the callable is a bound method of a Python function of this version, and there is no other
/// `self`.
///
/// # Safety
/// The operands are on the stack.
#[inline(always)]
unsafe fn guard_method_version<const KW: bool>(operands: Operands<KW>, version: FunctionVersion) -> Op {
    // SAFETY: the operands are on the stack.
    unsafe {
        let function =
            Method::cast(operands.callable().object()).and_then(|method| Function::cast(method.function()));
        guard(function.is_some_and(|function| function.has_version(version)) && !operands.has_self())
    }
}

/// The callable is a bound method of a Python function of this version.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_method_version<E: Engine>(
    _e: &mut E,
    version: FunctionVersion,
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
    version: FunctionVersion,
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
pub(crate) fn init_cleanup() -> Code {
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
    version: TypeVersion,
    Kept(operands): Kept<Operands<false>>,
) -> Op {
    // SAFETY: the operands are on the stack. A class of that version is a heap type, and its cache holds a
    // function as long as the version does not change. The function and the class are released after their slots
    // are overwritten.
    unsafe {
        let class = operands.callable();
        guard(!operands.has_self() && has_feature(class.object(), ffi::Py_TPFLAGS_TYPE_SUBCLASS))?;
        let type_ = class.object().cast::<PyTypeObject>();
        guard(type_has_version(type_, version))?;
        let init = SpecializationCache::of(type_).init();
        let frame_sizes = [init.code(), init_cleanup()].map(|code| (*code.as_ptr()).co_framesize as usize);
        guard(e.tstate().has_stack_space(frame_sizes[0] + frame_sizes[1]))?;
        allocate_instance(e, operands, type_, init)
    }
}

/// Allocates an instance of the class that is called. `init` and the instance become the callable and the first
/// argument.
///
/// # Safety
/// The thread is attached. The operands are on top of the engine's stack, without a `self`. The callable is the
/// class `type_`, and `init` is live until the thread may stop.
#[inline(always)]
unsafe fn allocate_instance<E: Engine>(
    e: &mut E,
    operands: Operands<false>,
    type_: *mut PyTypeObject,
    init: Function,
) -> Op {
    // SAFETY: the operands are on the stack, and the class is live (caller). The function and the class are released
    // after their slots are overwritten.
    unsafe {
        let class = operands.callable();
        e.publish();
        // The allocation may stop the thread. Meanwhile another thread may replace `__init__`, and the collector may
        // run: the empty slot on the published stack keeps the function alive.
        operands.set_self(StackRef::new(init.object()));
        let instance = ffi::PyType_GenericAlloc(type_, 0);
        let init = operands.self_or_null();
        if instance.is_null() {
            operands.set_self(StackRef::NULL);
            init.close_seldom();
            return Err(Exit::ErrorNoPop);
        }
        operands.set_callable(init);
        operands.set_self(StackRef::steal(instance));
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
            Some(cleanup),
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

#[cfg(test)]
mod tests {
    use core::cell::Cell;
    use core::ptr::null_mut;

    use super::*;
    use crate::engine::Values;
    #[cfg(not(py_gil_disabled))]
    use crate::host::refcount;
    use crate::host::{CodeUnit, PyObject, ThreadState};
    use crate::interp::Tier1;

    /// What the allocator must find in the slot of `self`, what it returns, and how often it was called.
    #[derive(Clone, Copy)]
    struct Allocation {
        frame: Frame,
        init: *mut PyObject,
        instance: *mut PyObject,
        calls: usize,
    }

    thread_local! {
        static ALLOCATION: Cell<Option<Allocation>> = const { Cell::new(None) };
    }

    /// Stands for the host's allocator. The collector may run here, so `__init__` has to be on the published stack.
    #[unsafe(no_mangle)]
    extern "C" fn PyType_GenericAlloc(_class: *mut PyTypeObject, _items: isize) -> *mut PyObject {
        let mut allocation = ALLOCATION.get().expect("only the test below allocates");
        // SAFETY: the frame is live, with an argument on top of the slot of `self`.
        let receiver = unsafe { *allocation.frame.stack_pointer().sub(2) };
        assert_eq!(receiver.object(), allocation.init);
        allocation.calls += 1;
        ALLOCATION.set(Some(allocation));
        allocation.instance
    }

    #[test]
    fn init_is_on_the_published_stack_while_the_instance_is_allocated() {
        // SAFETY: integers and pointers, for which zero is a value. Nothing but counts of these objects is used, and
        // none drops to zero.
        unsafe {
            let mut objects: [PyObject; 4] = core::mem::zeroed();
            let [init, class, argument, instance] = [0, 1, 2, 3].map(|index| &raw mut objects[index]);
            for object in [init, class, argument, instance] {
                #[cfg(not(py_gil_disabled))]
                for _ in 0..8 {
                    refcount::incref(object);
                }
                #[cfg(py_gil_disabled)]
                {
                    (*object).ob_gc_bits = ffi::_PyGC_BITS_DEFERRED as u8;
                }
            }
            let mut fields: ffi::_PyInterpreterFrame = core::mem::zeroed();
            let frame = Frame::from_ptr(&raw mut fields);
            let mut unit = 0u16;
            let instr = CodeUnit::from_ptr((&raw mut unit).cast());
            let tstate = ThreadState::from_ptr(null_mut());

            for result in [null_mut(), instance] {
                let mut stack = [StackRef::new(class), StackRef::NULL, StackRef::new(argument)];
                let sp = stack.as_mut_ptr_range().end;
                ALLOCATION.set(Some(Allocation { frame, init, instance: result, calls: 0 }));
                let mut e = Tier1::begin(frame, sp, tstate, instr, 1, 1);
                let operands = Operands::<false>::below(sp, 1);
                let end = allocate_instance(&mut e, operands, class.cast(), Function::from_object(init));
                assert_eq!(ALLOCATION.get().map(|allocation| allocation.calls), Some(1));
                let (callable, receiver) = (operands.callable().object(), operands.self_or_null());
                if result.is_null() {
                    assert_eq!(end, Err(Exit::ErrorNoPop));
                    assert_eq!((callable, receiver), (class, StackRef::NULL));
                } else {
                    assert_eq!(end, Ok([]));
                    assert_eq!((callable, receiver.object()), (init, instance));
                }
            }
        }
    }
}
