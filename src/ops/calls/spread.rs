//! Calls with `*args` and `**kwargs`: the operands are the callable, an empty slot, an iterable of
//! arguments, and a dictionary of keywords or an empty slot.

use super::events::CallSite;
use super::inlinable;
use crate::api;
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Kept, Op, Settled};
use crate::host::function::{Function, Method};
use crate::host::object::{is_exact, tuple_item, tuple_size};
use crate::host::{Frame, StackRef, ffi};
use crate::ops::frames::{enter_frame, save_return_offset};

/// Replaces the arguments by a tuple of them.
#[inline(always)]
pub unsafe fn make_callargs_a_tuple<E: Engine>(
    e: &mut E,
    Kept([_, _, arguments, _]): Kept<[StackRef; 4]>,
) -> Op {
    // SAFETY: the operands are on the stack.
    unsafe {
        if is_exact(arguments.object(), &raw mut ffi::PyTuple_Type) {
            return Ok([]);
        }
        e.publish();
        let (callable, tstate) = (e.peek(4).object(), e.tstate().as_ptr());
        if api::calls::_Py_Check_ArgsIterable(tstate, callable, arguments.object()) < 0 {
            return Err(Exit::ErrorNoPop);
        }
        let tuple = ffi::PySequence_Tuple(arguments.object());
        if tuple.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        e.poke(2, StackRef::steal(tuple));
        e.close_at(arguments, e.sp());
    }
    Ok([])
}

/// Calls with a tuple of arguments; the frame of a Python function is entered, without a call in C.
#[inline(always)]
pub unsafe fn do_call_function_ex<E: BytecodeEngine>(
    e: &mut E,
    [callable, null, arguments, keywords]: [StackRef; 4],
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the inputs are ours. The references to callable, arguments and keywords move to the
    // frame, or are given up without one.
    unsafe {
        if let Some(function) = inlinable(e, callable) {
            let base = e.sp().sub(4);
            let count = tuple_size(arguments.object()) as isize;
            let arguments = arguments.into_object();
            let keywords = if keywords.is_null() { core::ptr::null_mut() } else { keywords.into_object() };
            e.publish_at(base.add(2));
            let frame = api::frames::push_frame_for_ex(
                e.tstate(),
                callable,
                function.new_locals(),
                count,
                arguments,
                keywords,
                e.frame(),
            );
            if frame.is_null() {
                return Err(Exit::Error.into());
            }
            e.set_sp(base);
            save_return_offset(e, [])?;
            return enter_frame(e, Frame::from_ptr(frame));
        }
        e.publish();
        let result = ffi::PyObject_Call(callable.object(), arguments.object(), keywords.object());
        Ok(e.settle_object([keywords, arguments, null, callable], result)?)
    }
}

/// Like [`do_call_function_ex`], but always by a call in C, and the tools are told of it.
#[inline(always)]
pub unsafe fn instrumented_do_call_function_ex<E: Engine>(
    e: &mut E,
    [callable, null, arguments, keywords]: [StackRef; 4],
) -> Op<Settled<1>> {
    // SAFETY: the inputs are ours.
    unsafe {
        let argument = if tuple_size(arguments.object()) > 0 {
            tuple_item(arguments.object(), 0)
        } else {
            core::ptr::null_mut()
        };
        let site = CallSite::new(e, callable.object(), argument);
        site.begins()?;
        let mut result = ffi::PyObject_Call(callable.object(), arguments.object(), keywords.object());
        let is_python =
            Function::cast(callable.object()).is_some() || Method::cast(callable.object()).is_some();
        if !is_python {
            result = site.ends(result);
        }
        e.settle_object([keywords, arguments, null, callable], result)
    }
}
