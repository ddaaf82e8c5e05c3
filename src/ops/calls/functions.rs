//! Making functions, and functions that are instructions.

use crate::engine::{Engine, Exit, Op, Settled};
use crate::host::function::Function;
use crate::host::{Code, Owned, PyResult, StackRef, ffi};
use core::mem::offset_of;

/// Makes a function of a code object.
#[inline(always)]
pub(crate) unsafe fn make_function<E: Engine>(e: &mut E, [code]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the input is a code object and ours.
    unsafe {
        e.publish();
        let function = ffi::PyFunction_New(code.object(), e.frame().globals());
        if !function.is_null() {
            let version = (*Code::from_ptr(code.object().cast()).as_ptr()).co_version;
            ffi::_PyFunction_SetVersion(function.cast(), version);
        }
        e.settle_object([code], function)
    }
}

/// Gives a new function its defaults, closure or annotations: which of them, says the argument.
#[inline(always)]
pub(crate) unsafe fn set_function_attribute<E: Engine>(
    e: &mut E,
    [attribute, function]: [StackRef; 2],
) -> Op<Settled<1>> {
    // SAFETY: the topmost value is a function that nobody else has seen, without that attribute; the
    // value below moves into it. The compiler uses arguments of the table only.
    unsafe {
        let attribute = attribute.into_object();
        e.poke(2, function);
        let offset = *FUNCTION_ATTRIBUTES.get_unchecked(e.oparg());
        *function.object().byte_add(offset).cast() = attribute;
        if e.oparg() == ffi::MAKE_FUNCTION_ANNOTATE as usize
            && let Some(annotate) = Function::cast(attribute)
        {
            e.publish_at(e.sp().sub(1));
            if name_annotate(Function::from_object(function.object()), annotate).is_err() {
                e.close_at(function, e.sp().sub(2));
                return Err(Exit::Error);
            }
        }
        Ok(Settled::new())
    }
}

/// Names the function that makes the annotations after the one that they are for.
#[inline(never)]
unsafe fn name_annotate(function: Function, annotate: Function) -> PyResult<()> {
    // SAFETY: both are live, and the frame is published.
    unsafe {
        let format = c"%U.__annotate__".as_ptr();
        let name = Owned::from_host(ffi::PyUnicode_FromFormat(format, (*function.as_ptr()).func_qualname))?;
        let slot = &raw mut (*annotate.as_ptr()).func_qualname;
        drop(Owned::optional(slot.replace(name.into_ptr())));
    }
    Ok(())
}

/// Calls one of the host's unary functions that are no built-ins.
#[inline(always)]
pub(crate) unsafe fn call_intrinsic_1<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<1>> {
    // SAFETY: the compiler uses indices of the table only; the input is ours.
    unsafe {
        e.publish();
        let table = (&raw const ffi::_PyIntrinsics_UnaryFunctions).cast::<ffi::intrinsic_func1_info>();
        let function = (*table.add(e.oparg())).func.unwrap_unchecked();
        let result = function(e.tstate().as_ptr(), value.object());
        e.settle_object([value], result)
    }
}

/// Calls one of the host's binary functions that are no built-ins.
#[inline(always)]
pub(crate) unsafe fn call_intrinsic_2<E: Engine>(e: &mut E, [left, right]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the compiler uses indices of the table only; the inputs are ours.
    unsafe {
        e.publish();
        let table = (&raw const ffi::_PyIntrinsics_BinaryFunctions).cast::<ffi::intrinsic_func2_info>();
        let function = (*table.add(e.oparg())).func.unwrap_unchecked();
        let result = function(e.tstate().as_ptr(), left.object(), right.object());
        e.settle_object([right, left], result)
    }
}

// --- attributes --------------------------------------------------------------------------------

/// Where a function object keeps what SET_FUNCTION_ATTRIBUTE gives it, by the instruction's argument
/// (`MAKE_FUNCTION_*`); zero for what is no such argument.
pub(crate) static FUNCTION_ATTRIBUTES: [usize; ffi::MAKE_FUNCTION_ANNOTATE as usize + 1] = {
    let mut offsets = [0; ffi::MAKE_FUNCTION_ANNOTATE as usize + 1];
    offsets[ffi::MAKE_FUNCTION_DEFAULTS as usize] = offset_of!(ffi::PyFunctionObject, func_defaults);
    offsets[ffi::MAKE_FUNCTION_KWDEFAULTS as usize] = offset_of!(ffi::PyFunctionObject, func_kwdefaults);
    offsets[ffi::MAKE_FUNCTION_ANNOTATIONS as usize] = offset_of!(ffi::PyFunctionObject, func_annotations);
    offsets[ffi::MAKE_FUNCTION_CLOSURE as usize] = offset_of!(ffi::PyFunctionObject, func_closure);
    offsets[ffi::MAKE_FUNCTION_ANNOTATE as usize] = offset_of!(ffi::PyFunctionObject, func_annotate);
    offsets
};
