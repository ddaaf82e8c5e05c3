//! LOAD_SUPER_ATTR: attributes and methods of `super()`, looked up without making a super object.

use super::adaptive::specializing;
use super::attributes::address;
use super::calls::CallSite;
use super::guards::guard;
use crate::engine::{BytecodeEngine, BytecodeOp, Engine, Exit, Op, Settled};
use crate::host::object::{has_feature, type_of};
use crate::host::{PyObject, PyTypeObject, StackRef, ThreadState, ffi, refcount};
use crate::seams;
#[cfg(not(py_gil_disabled))]
use crate::specialize::side_cache;

specializing! {
    specialize_load_super_attr: LOAD_SUPER_ATTR = |e| {
        let for_call = e.oparg() & 1 != 0;
        seams::specialize::load_super_attr(e.peek(3), e.peek(2), e.this_instr(), for_call);
    }
}

/// `super(class, self).name`, or `super().name` if bit 1 of the argument is not set.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_super_attr<E: BytecodeEngine>(
    e: &mut E,
    inputs: [StackRef; 3],
) -> Op<[StackRef; 1]> {
    // SAFETY: the contract is that of every micro-op (caller).
    unsafe { load_super(e, inputs, false) }
}

/// The body of `load_super_attr` and of its instrumented form, which fires the events of the call. The inputs
/// are the value of the name `super`, the class, and `self`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. The instruction is a LOAD_SUPER_ATTR or its instrumented form.
#[inline(always)]
pub(super) unsafe fn load_super<E: BytecodeEngine>(
    e: &mut E,
    [callable, class, this]: [StackRef; 3],
    instrumented: bool,
) -> Op<[StackRef; 1]> {
    // SAFETY: the argument contains an index of the code's names. The inputs are live and owned by this
    // micro-op. They are alive during the call, whose result is owned.
    unsafe {
        e.publish();
        let call = SuperCall {
            callable: callable.object(),
            class: class.object(),
            this: this.object(),
            explicit: e.oparg() & 2 != 0,
        };
        let object = if instrumented {
            let argument = if call.explicit { call.class } else { core::ptr::null_mut() };
            let site = CallSite::new(e, call.callable, argument);
            call.run_with_events(site)
        } else {
            call.run()
        };
        e.consume([this, class, callable]);
        if object.is_null() {
            return Err(Exit::Error);
        }
        e.publish_at(e.sp().sub(3));
        let attr = ffi::PyObject_GetAttr(object, e.name(e.oparg() >> 2));
        refcount::decref(object);
        if attr.is_null() {
            return Err(Exit::Error);
        }
        Ok([StackRef::steal(attr)])
    }
}

/// A call of `super`. All references are borrowed.
struct SuperCall {
    callable: *mut PyObject,
    class: *mut PyObject,
    this: *mut PyObject,
    /// Whether the class and `self` are arguments in the source.
    explicit: bool,
}

impl SuperCall {
    /// Makes the call. Returns a new reference, or null with an exception set.
    ///
    /// # Safety
    /// The thread is attached, its frame is published, and the objects are live.
    #[inline(never)]
    unsafe fn run(self) -> *mut PyObject {
        // SAFETY: the objects are live, and the frame is published (caller).
        unsafe { self.call() }
    }

    /// The call itself.
    ///
    /// # Safety
    /// As for [`SuperCall::run`].
    #[inline(always)]
    unsafe fn call(&self) -> *mut PyObject {
        let arguments = [self.class, self.this];
        let count = if self.explicit { arguments.len() } else { 0 };
        // SAFETY: the objects are live, and the frame is published (caller). The array has `count` objects.
        unsafe { ffi::PyObject_Vectorcall(self.callable, arguments.as_ptr(), count, core::ptr::null_mut()) }
    }

    /// Makes the call and fires CALL before it and C_RETURN or C_RAISE after it. The call fails if a tool
    /// raises.
    ///
    /// # Safety
    /// As for [`SuperCall::run`]; `site` is of this call, and its frame is published.
    #[cold]
    #[inline(never)]
    unsafe fn run_with_events(self, site: CallSite) -> *mut PyObject {
        // SAFETY: the objects are live, and the frame is published (caller). The result is owned.
        unsafe {
            match site.begins() {
                Ok([]) => site.ends(self.call()),
                Err(_) => core::ptr::null_mut(),
            }
        }
    }
}

/// `super` is the built-in one, and the class is a class.
///
/// # Safety
/// `callable` and `class` are live.
#[inline(always)]
unsafe fn guard_super(callable: StackRef, class: StackRef) -> Op {
    // SAFETY: both are live (caller).
    unsafe {
        guard(callable.object() == (&raw mut ffi::PySuper_Type).cast())?;
        guard(has_feature(class.object(), ffi::Py_TPFLAGS_TYPE_SUBCLASS))
    }
}

/// `super().name`, without creating a `super` object.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_super_attr_attr<E: Engine>(
    e: &mut E,
    [callable, class, this]: [StackRef; 3],
) -> Op<Settled<1>> {
    // SAFETY: the argument contains an index of the code's names. The inputs are live and owned by this
    // micro-op.
    unsafe {
        guard_super(callable, class)?;
        e.publish();
        let name = e.name(e.oparg() >> 2);
        let attr = ffi::_PySuper_Lookup(class.object().cast(), this.object(), name, core::ptr::null_mut());
        e.settle_object([this, class, callable], attr)
    }
}

/// `super().name` for a call: pushes a function and its `self`, or any other attribute and an empty slot.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_super_attr_method<E: Engine>(
    e: &mut E,
    [callable, class, this]: [StackRef; 3],
) -> Op<Settled<2>> {
    // SAFETY: the argument contains an index of the code's names. The inputs are live and owned by this
    // micro-op; `self` stays on the stack if the attribute is a function.
    unsafe {
        guard_super(callable, class)?;
        e.publish();
        let name = e.name(e.oparg() >> 2);
        let (attr, is_method) = find_super_method(e.tstate(), class.object().cast(), this.object(), name);
        if attr.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        e.poke(3, StackRef::steal(attr));
        e.poke(2, if is_method { this } else { StackRef::NULL });
        let sp = e.sp().sub(1);
        if !is_method {
            e.close_at(this, sp);
        }
        e.close_at(callable, sp);
        e.close_at(class, sp);
        Ok(Settled::new())
    }
}

/// Looks up the attribute `name` of `super(class, this)`. Returns a new reference (null with an exception
/// set), and whether it is a function that takes `this` as its first argument.
///
/// # Safety
/// The thread is attached with no exception set, `tstate` is its state, and its frame is published. `class` is a live type,
/// `this` is live, and `name` is one of the code object's names.
#[inline(never)]
unsafe fn find_super_method(
    tstate: ThreadState,
    class: *mut PyTypeObject,
    this: *mut PyObject,
    name: *mut PyObject,
) -> (*mut PyObject, bool) {
    // SAFETY: the objects are live, and the frame is published (caller).
    unsafe {
        #[cfg(not(py_gil_disabled))]
        {
            let method = side_cache::super_method(tstate, class, this, name);
            if !method.is_null() {
                return (method, true);
            }
        }
        #[cfg(py_gil_disabled)]
        let _ = tstate;
        // A custom `tp_getattro` does not support unbound methods.
        let is_generic = address((*type_of(this)).tp_getattro) == address(Some(ffi::PyObject_GenericGetAttr));
        let mut is_method = 0;
        let wanted = if is_generic { &raw mut is_method } else { core::ptr::null_mut() };
        let attr = ffi::_PySuper_Lookup(class, this, name, wanted);
        (attr, is_method != 0)
    }
}
