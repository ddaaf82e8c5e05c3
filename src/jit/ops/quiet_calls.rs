//! Calls of the host's functions that run no Python code and look at no frame: machine code calls them as C does.

use core::mem::offset_of;

use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::none;
use crate::host::function::{CFunction, Definition, MethodDescriptor};
use crate::host::object::is_exact;
use crate::host::quiet_functions::{ArgumentKind, ResultKind};
use crate::host::{PyObject, PyTypeObject, ffi};
use crate::jit::lower::{Lowered, Lowering};
use crate::jit::values::{Class, Id, Known};
use crate::tier2::Uop;
use crate::tier2::compiled::{Machine, Next};
use crate::tier2::quiet_call::QuietCall;

const FAILED: usize = Next::FAILED_GUARD;

impl Lowering<'_> {
    /// A call of a quiet function. Leaves if it is not the one that was recorded, or if the arguments have other types. Returns
    /// false if it is another call.
    pub(in crate::jit) fn quiet_call(&mut self, uop: Uop) -> Lowered<bool> {
        let Some(call) = QuietCall::from_operands((uop.operand0, uop.operand1)) else { return Ok(false) };
        let count = usize::from(uop.oparg);
        let (callable, receiver) = (self.peek(count + 2), self.peek(count + 1));
        // SAFETY: definitions are statics.
        let Some((function, flags)) =
            (unsafe { call.definition.function().map(|function| (function, call.definition.convention())) })
        else {
            return Ok(false);
        };
        if !self.guard_definition(callable, &call)? {
            return Ok(false);
        }
        match call.type_of_receiver() {
            Some(type_) => self.guard_exact_type(receiver, type_)?,
            None if !self.guard_null(count + 1)? => return Ok(false),
            None => {}
        }
        let own = if call.type_of_receiver().is_some() {
            self.object(receiver)
        } else {
            self.receiver_of(callable, &call)?
        };
        for number in 0..count {
            self.guard_argument(count - number, call.kind(number))?;
        }
        if call.function.result == ResultKind::Taken {
            // What the receiver has held is the caller's from now on.
            self.own_all();
        }

        let arguments: Vec<Value> = (0..count)
            .map(|number| {
                let id = self.peek(count - number);
                self.object(id)
            })
            .collect();
        let Some(result) = self.call_c_function(function, flags, own, &arguments) else { return Ok(false) };
        for _ in 0..count + 2 {
            self.drop_top();
        }
        self.leave_with_error_unless(result, false)?;
        let bits = self.stolen(result);
        self.state.push_new(Known::owned(bits, true, class_of_result(call.function.result)));
        Ok(true)
    }

    /// Calls a function by one of the conventions of C. Returns its result, or `None` if the number of arguments does not fit, or
    /// if it has another convention.
    fn call_c_function(
        &mut self,
        function: usize,
        flags: u32,
        own: Value,
        arguments: &[Value],
    ) -> Option<Value> {
        const KEYWORDS: u32 = ffi::METH_FASTCALL | ffi::METH_KEYWORDS;
        let null = self.constant(0);
        let array = |lowering: &mut Self| {
            let base = offset_of!(Machine, operands);
            for (index, &argument) in arguments.iter().enumerate() {
                lowering.store(argument, lowering.machine, base + index * size_of::<u64>());
            }
            lowering.b.ins().iadd_imm_s(lowering.machine, base as i64)
        };
        let count = arguments.len();
        Some(match (flags, count) {
            (ffi::METH_NOARGS, 0) => self.result_of(function, &[I64; 2], I64, &[own, null]),
            (ffi::METH_O, 1) => self.result_of(function, &[I64; 2], I64, &[own, arguments[0]]),
            (ffi::METH_FASTCALL, _) => {
                let (array, count) = (array(self), self.constant(count as u64));
                self.result_of(function, &[I64; 3], I64, &[own, array, count])
            }
            (KEYWORDS, _) => {
                let (array, count) = (array(self), self.constant(count as u64));
                self.result_of(function, &[I64; 4], I64, &[own, array, count, null])
            }
            _ => return None,
        })
    }

    /// The stack reference for a new reference.
    pub(super) fn stolen(&mut self, object: Value) -> Value {
        // The count of an immortal object is negative.
        let count = self.load(I32, object, 0);
        let tag = self.b.ins().ushr_imm_u(count, 31);
        let tag = self.b.ins().uextend(I64, tag);
        self.b.ins().bor(object, tag)
    }

    /// What a function passes to C as `self`: its module, or the receiver of a method, which is of its type, or the code leaves.
    fn receiver_of(&mut self, callable: Id, call: &QuietCall) -> Lowered<Value> {
        let callable = self.object(callable);
        let own = self.load(I64, callable, offset_of!(ffi::PyCFunctionObject, m_self));
        if let Some(type_) = call.function.owner.type_() {
            let found = self.load(I64, own, offset_of!(ffi::PyObject, ob_type));
            self.guard_equal(found, type_.addr() as u64, FAILED)?;
        }
        Ok(own)
    }

    /// The callable has this definition, or the code leaves. Returns false if it is known to have another one.
    fn guard_definition(&mut self, callable: Id, call: &QuietCall) -> Lowered<bool> {
        let (type_, offset) = match call.type_of_receiver() {
            Some(_) => (&raw mut ffi::PyMethodDescr_Type, offset_of!(ffi::PyMethodDescrObject, d_method)),
            None => (&raw mut ffi::PyCFunction_Type, offset_of!(ffi::PyCFunctionObject, m_ml)),
        };
        if let Some(address) = self.state.values[callable].address {
            let callable = address as *mut PyObject;
            // SAFETY: something keeps an object at a known address alive while the thread compiles.
            return Ok(unsafe {
                is_exact(callable, type_) && definition_of(callable) == Some(call.definition)
            });
        }
        let (object, found) = (self.object(callable), self.type_of(callable));
        self.guard_equal(found, type_.addr() as u64, FAILED)?;
        let definition = self.load(I64, object, offset);
        self.guard_equal(definition, call.definition.address().get() as u64, FAILED)?;
        Ok(true)
    }

    /// The value is an object of exactly this type, or the code leaves.
    fn guard_exact_type(&mut self, id: Id, type_: *mut PyTypeObject) -> Lowered {
        if self.known_type(id) != Some(type_) {
            let object = self.object(id);
            self.guard(object, FAILED)?;
            let found = self.type_of(id);
            self.guard_equal(found, type_.addr() as u64, FAILED)?;
        }
        let class = Class::of_type(type_);
        if class != Class::Unknown {
            self.state.values[id].class = class;
        }
        Ok(())
    }

    /// The value `depth` places below the top is what the argument was when it was recorded, or the code leaves to the interpreter.
    fn guard_argument(&mut self, depth: usize, kind: ArgumentKind) -> Lowered {
        let id = self.peek(depth);
        match kind {
            ArgumentKind::Other => {}
            ArgumentKind::None => {
                let object = self.object(id);
                self.guard_equal(object, none() as u64, 0)?;
            }
            _ => {
                if let Some(type_) = kind.type_() {
                    self.guard_exact_type(id, type_)?;
                }
                if kind == ArgumentKind::Int {
                    self.int(id)?;
                }
            }
        }
        Ok(())
    }
}

/// The definition of a function or method of the host.
///
/// # Safety
/// The object is live.
unsafe fn definition_of(object: *mut PyObject) -> Option<Definition> {
    // SAFETY: the object is live (caller).
    unsafe {
        match MethodDescriptor::cast(object) {
            Some(method) => Some(method.definition()),
            None => CFunction::cast(object).map(|function| function.definition()),
        }
    }
}

fn class_of_result(result: ResultKind) -> Class {
    match result {
        ResultKind::Bool => Class::Bool,
        ResultKind::Int => Class::Int,
        ResultKind::Float => Class::Float,
        ResultKind::Str => Class::Str,
        ResultKind::List => Class::List,
        ResultKind::Tuple => Class::Tuple,
        ResultKind::Other | ResultKind::Taken => Class::Unknown,
    }
}
