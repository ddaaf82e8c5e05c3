//! Calls of functions and types of the host whose work machine code does itself: numbers, `isinstance`, `type`.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F64, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::attributes::type_of_version;
use super::{none, truth_constant};
use crate::host::known_functions::{KnownFunction, known_function};
use crate::host::{PyObject, PyTypeObject, ffi};
use crate::jit::lower::{Lowered, Lowering};
use crate::jit::runtime;
use crate::jit::state::Slot;
use crate::jit::values::{Class, INT_WIDTH, Id, Known, Number};
use crate::ops::calls::known_instance_of;
use crate::tier2::Uop;
use crate::tier2::compiled::Next;
use crate::tier2::known_call::KnownCall;
use crate::tier2::uop::{OperandKind, OperandKinds};

const FAILED: usize = Next::FAILED_GUARD;
/// No object is at a higher address.
const ADDRESS_WIDTH: u8 = 57;
/// A character is a number of so many bits.
const CHARACTER_WIDTH: u8 = 21;

impl Lowering<'_> {
    /// A call of a function or type of the host. Leaves if it is not the one that was recorded. Returns false if machine code does
    /// not know it, or has another way for these arguments.
    pub(in crate::jit) fn known_call(&mut self, uop: Uop) -> Lowered<bool> {
        let Some(call) = KnownCall::from_operands((uop.operand0, uop.operand1)) else { return Ok(false) };
        let count = usize::from(uop.oparg);
        match (call.function, count) {
            (KnownFunction::Float, 1) => self.call_float(call),
            (KnownFunction::Int, 1) => self.call_int(call),
            (KnownFunction::DictGet, 1 | 2) => self.call_dict_get(call, count),
            (KnownFunction::Abs, 1) => self.call_abs(call),
            (KnownFunction::Chr, 1) => self.call_chr(call),
            (KnownFunction::Id, 1) => self.call_id(call),
            (KnownFunction::Ord, 1) => self.call_ord(call),
            (KnownFunction::Max, 2) => {
                self.call_extreme(call, FloatCC::GreaterThan, IntCC::SignedGreaterThan)
            }
            (KnownFunction::Min, 2) => self.call_extreme(call, FloatCC::LessThan, IntCC::SignedLessThan),
            (KnownFunction::Ceil | KnownFunction::Floor, 1) => self.call_rounding(call),
            (
                KnownFunction::Atan
                | KnownFunction::Cos
                | KnownFunction::Exp
                | KnownFunction::Fabs
                | KnownFunction::Sin
                | KnownFunction::Sqrt
                | KnownFunction::Tan,
                1,
            ) => self.call_math(call),
            _ => Ok(false),
        }
    }

    // --- what is called ------------------------------------------------------------------------

    /// The callable is the one that was recorded, without `self`, or the code leaves. Returns false if it is known to be another
    /// one.
    fn guard_callee(&mut self, call: KnownCall, count: usize) -> Lowered<bool> {
        let callable = self.peek(count + 2);
        if let Some(address) = self.state.values[callable].address {
            // SAFETY: something keeps an object at a known address alive while the thread compiles.
            let known = unsafe { known_function(address as *mut PyObject) };
            if known != Some((call.function, call.address as usize)) {
                return Ok(false);
            }
        } else if call.function.is_type() {
            let object = self.object(callable);
            self.guard_equal(object, call.address, FAILED)?;
        } else {
            let (object, type_) = (self.object(callable), self.type_of(callable));
            self.guard_equal(type_, (&raw mut ffi::PyCFunction_Type).addr() as u64, FAILED)?;
            let definition = self.load(I64, object, offset_of!(ffi::PyCFunctionObject, m_ml));
            self.guard_equal(definition, call.address, FAILED)?;
        }
        self.guard_null(count + 1)
    }

    /// The same of a method of a dict, which is its first argument.
    fn guard_method_of_dict(&mut self, call: KnownCall, count: usize) -> Lowered {
        let (callable, dict) = (self.peek(count + 2), self.peek(count + 1));
        let (object, type_) = (self.object(callable), self.type_of(callable));
        self.guard_equal(type_, (&raw mut ffi::PyMethodDescr_Type).addr() as u64, FAILED)?;
        let definition = self.load(I64, object, offset_of!(ffi::PyMethodDescrObject, d_method));
        self.guard_equal(definition, call.address, FAILED)?;
        if self.state.values[dict].class != Class::Dict {
            let object = self.object(dict);
            self.guard(object, FAILED)?;
            let type_ = self.type_of(dict);
            self.guard_equal(type_, (&raw mut ffi::PyDict_Type).addr() as u64, FAILED)?;
            self.state.values[dict].class = Class::Dict;
        }
        Ok(())
    }

    /// Drops the operands of a call with `count` arguments.
    fn drop_call(&mut self, count: usize) {
        for _ in 0..count + 2 {
            self.drop_top();
        }
    }

    /// Replaces a call by its result.
    fn return_number(&mut self, count: usize, number: Number) -> Lowered<bool> {
        self.drop_call(count);
        self.push_number(number);
        Ok(true)
    }

    /// Replaces a call with one argument by that argument.
    fn return_argument(&mut self) -> Lowered<bool> {
        let argument = self.pop();
        self.drop_top();
        self.drop_top();
        self.state.top().stack.push(Slot::new(argument));
        Ok(true)
    }

    /// Makes sure of the types that both arguments had when they were recorded, or the code leaves to the interpreter. Returns
    /// their types.
    fn guard_arguments<const N: usize>(&mut self, kinds: OperandKinds) -> Lowered<[Class; N]> {
        let kinds = [kinds.right, kinds.left];
        let mut classes = [Class::Unknown; N];
        for (index, class) in classes.iter_mut().enumerate() {
            let id = self.peek(index + 1);
            if self.state.values[id].class == Class::Unknown {
                match kinds[index] {
                    OperandKind::CompactInt => self.guard_class_of(id, Class::Int)?,
                    OperandKind::Float => self.guard_class_of(id, Class::Float)?,
                    OperandKind::Str => self.guard_class_of(id, Class::Str)?,
                    OperandKind::LargeInt | OperandKind::Other => {}
                }
            }
            *class = self.state.values[id].class;
        }
        Ok(classes)
    }

    // --- numbers -------------------------------------------------------------------------------

    /// `float(number)`
    fn call_float(&mut self, call: KnownCall) -> Lowered<bool> {
        if !self.guard_callee(call, 1)? {
            return Ok(false);
        }
        match self.guard_arguments(call.arguments)? {
            [Class::Float] => self.return_argument(),
            [Class::Int] => {
                let id = self.peek(1);
                let value = self.as_float(id)?;
                self.return_number(1, Number::Float(value))
            }
            _ => Ok(false),
        }
    }

    /// `int(number)`
    fn call_int(&mut self, call: KnownCall) -> Lowered<bool> {
        if !self.guard_callee(call, 1)? {
            return Ok(false);
        }
        match self.guard_arguments(call.arguments)? {
            [Class::Int] => self.return_argument(),
            [Class::Float] => {
                let id = self.peek(1);
                let value = self.float(id);
                let value = self.truncated(value)?;
                self.return_number(1, Number::Int { value, width: INT_WIDTH })
            }
            _ => Ok(false),
        }
    }

    /// A float without its fraction as an int. Leaves if that is too large, or no number.
    fn truncated(&mut self, value: Value) -> Lowered<Value> {
        let limit = self.b.ins().f64const((1_i64 << INT_WIDTH) as f64);
        let magnitude = self.b.ins().fabs(value);
        let fits = self.b.ins().fcmp(FloatCC::LessThan, magnitude, limit);
        self.guard(fits, 0)?;
        Ok(self.b.ins().fcvt_to_sint(I64, value))
    }

    /// `math.floor(number)`, `math.ceil(number)`
    fn call_rounding(&mut self, call: KnownCall) -> Lowered<bool> {
        if call.arguments.right != OperandKind::Float || !self.guard_callee(call, 1)? {
            return Ok(false);
        }
        let [Class::Float] = self.guard_arguments(call.arguments)? else { return Ok(false) };
        let id = self.peek(1);
        let value = self.float(id);
        let whole = self.truncated(value)?;
        let back = self.b.ins().fcvt_from_sint(F64, whole);
        let (condition, step) = if call.function == KnownFunction::Floor {
            (FloatCC::LessThan, -1)
        } else {
            (FloatCC::GreaterThan, 1)
        };
        // It has been rounded towards zero: on the wrong side of the number, one step is left.
        let is_beyond = self.b.ins().fcmp(condition, value, back);
        let next = self.b.ins().iadd_imm_s(whole, step);
        let number = Number::Int { value: self.b.ins().select(is_beyond, next, whole), width: INT_WIDTH };
        self.return_number(1, number)
    }

    /// `abs(number)`. An int that is not negative would be its own result, so that one with an object is left to the function.
    fn call_abs(&mut self, call: KnownCall) -> Lowered<bool> {
        let id = self.peek(1);
        let is_new = call.arguments.right == OperandKind::Float || self.state.values[id].is_only_a_number();
        if !is_new || !self.guard_callee(call, 1)? {
            return Ok(false);
        }
        match self.guard_arguments(call.arguments)? {
            [Class::Float] => {
                let value = self.float(id);
                let value = self.b.ins().fabs(value);
                self.return_number(1, Number::Float(value))
            }
            [Class::Int] if self.state.values[id].is_only_a_number() => {
                let (value, width) = self.int(id)?;
                let value = self.b.ins().iabs(value);
                self.return_number(1, Number::Int { value, width })
            }
            _ => Ok(false),
        }
    }

    /// A function of the module `math` for one number. Leaves to the interpreter if the argument or the result is not an ordinary
    /// number.
    fn call_math(&mut self, call: KnownCall) -> Lowered<bool> {
        let id = self.peek(1);
        let is_number = |class| matches!(class, Class::Float | Class::Int);
        let was_number = matches!(call.arguments.right, OperandKind::Float | OperandKind::CompactInt);
        if !(is_number(self.state.values[id].class)
            || self.state.values[id].class == Class::Unknown && was_number)
            || !self.guard_callee(call, 1)?
        {
            return Ok(false);
        }
        let value = self.as_float(id)?;
        let result = match call.function {
            KnownFunction::Fabs => self.b.ins().fabs(value),
            KnownFunction::Sqrt => {
                let zero = self.b.ins().f64const(0.0);
                let holds = self.b.ins().fcmp(FloatCC::GreaterThanOrEqual, value, zero);
                self.guard(holds, 0)?;
                self.b.ins().sqrt(value)
            }
            function => {
                self.guard_finite(value)?;
                // The host uses these functions of C, too: others may round differently.
                let function = match function {
                    KnownFunction::Atan => ffi::atan,
                    KnownFunction::Cos => ffi::cos,
                    KnownFunction::Exp => ffi::exp,
                    KnownFunction::Sin => ffi::sin,
                    _ => ffi::tan,
                } as *const () as usize;
                let result = self.result_of(function, &[F64], F64, &[value]);
                self.guard_finite(result)?;
                result
            }
        };
        self.return_number(1, Number::Float(result))
    }

    /// A float is neither infinite nor no number, or the code leaves to the interpreter.
    fn guard_finite(&mut self, value: Value) -> Lowered {
        let magnitude = self.b.ins().fabs(value);
        let largest = self.b.ins().f64const(f64::MAX);
        let holds = self.b.ins().fcmp(FloatCC::LessThanOrEqual, magnitude, largest);
        self.guard(holds, 0)
    }

    /// `max(left, right)` or `min(left, right)` of two numbers of one type: the second one if it is `greater`, or less.
    fn call_extreme(&mut self, call: KnownCall, of_floats: FloatCC, of_ints: IntCC) -> Lowered<bool> {
        if !self.guard_callee(call, 2)? {
            return Ok(false);
        }
        let (left, right) = (self.peek(2), self.peek(1));
        let classes: [Class; 2] = self.guard_arguments(call.arguments)?;
        let (second, number) = match classes {
            [Class::Float, Class::Float] => {
                let (a, b) = (self.float(left), self.float(right));
                let second = self.b.ins().fcmp(of_floats, b, a);
                (second, Number::Float(self.b.ins().select(second, b, a)))
            }
            [Class::Int, Class::Int] => {
                let ((a, a_width), (b, b_width)) = (self.int(left)?, self.int(right)?);
                let second = self.b.ins().icmp(of_ints, b, a);
                let value = self.b.ins().select(second, b, a);
                (second, Number::Int { value, width: a_width.max(b_width) })
            }
            _ => return Ok(false),
        };
        if self.state.values[left].is_only_a_number() && self.state.values[right].is_only_a_number() {
            return self.return_number(2, number);
        }
        // The result is one of the two objects, and lives as long as that: the end of a number takes nothing else along, so that it
        // is not waited for.
        let objects = (self.object(left), self.object(right));
        let object = self.b.ins().select(second, objects.1, objects.0);
        self.drop_call(2);
        let id = self.state.push_new(Known { number: Some(number), ..Known::borrowed(object, classes[0]) });
        self.own(id);
        Ok(true)
    }

    /// Makes sure that the code owns the value, if one of those that it may be a part of has lost its last holder.
    pub(super) fn own_if_ended(&mut self, id: Id, owners: &[Id]) {
        let ends = |owner: &Id| {
            self.state.values[*owner].holders == 0 && !self.state.values[*owner].references.is_empty()
        };
        if owners.iter().any(ends) {
            self.own(id);
        }
    }

    // --- objects -------------------------------------------------------------------------------

    /// `id(object)`. Leaves to the interpreter if there are audit hooks.
    fn call_id(&mut self, call: KnownCall) -> Lowered<bool> {
        if !self.guard_callee(call, 1)? {
            return Ok(false);
        }
        // SAFETY: the runtime is a static of the host.
        let head = unsafe { &raw const ffi::_PyRuntime.audit_hooks.head }.addr();
        let head = self.constant(head as u64);
        let of_runtime = self.load(I64, head, 0);
        let interp = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, interp));
        let of_interp = self.load(I64, interp, offset_of!(ffi::PyInterpreterState, audit_hooks));
        let hooks = self.b.ins().bor(of_runtime, of_interp);
        self.guard_equal(hooks, 0, 0)?;
        let id = self.peek(1);
        let value = self.object(id);
        self.return_number(1, Number::Int { value, width: ADDRESS_WIDTH })
    }

    /// `ord(character)`
    fn call_ord(&mut self, call: KnownCall) -> Lowered<bool> {
        if call.arguments.right != OperandKind::Str || !self.guard_callee(call, 1)? {
            return Ok(false);
        }
        let [Class::Str] = self.guard_arguments(call.arguments)? else { return Ok(false) };
        let id = self.peek(1);
        let object = self.object(id);
        let function = runtime::character as *const () as usize;
        let value = self.result_of(function, &[I64], I64, &[object]);
        let is_one = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, value, 0);
        self.guard(is_one, 0)?;
        self.return_number(1, Number::Int { value, width: CHARACTER_WIDTH })
    }

    /// `chr(number)`
    fn call_chr(&mut self, call: KnownCall) -> Lowered<bool> {
        if call.arguments.right != OperandKind::CompactInt || !self.guard_callee(call, 1)? {
            return Ok(false);
        }
        let [Class::Int] = self.guard_arguments(call.arguments)? else { return Ok(false) };
        let id = self.peek(1);
        let (value, _) = self.int(id)?;
        self.may_leave(self.word_of(0))?;
        let function = runtime::string_of_character as *const () as usize;
        let string = self.result_of(function, &[I64], I64, &[value]);
        self.guard_done(string, 0)?;
        self.drop_call(1);
        self.state.push_new(Known::owned(string, true, Class::Str));
        Ok(true)
    }

    /// `dict.get(key)`, `dict.get(key, default)`
    fn call_dict_get(&mut self, call: KnownCall, count: usize) -> Lowered<bool> {
        self.guard_method_of_dict(call, count)?;
        let (dict, key) = (self.peek(count + 1), self.peek(count));
        let own_default = (count == 2).then(|| self.peek(1));
        let default = match own_default {
            Some(id) => self.object(id),
            None => self.constant(none() as u64),
        };
        let arguments = [self.object(dict), self.object(key), default];
        let function = runtime::dict_get as *const () as usize;
        let value = self.result_of(function, &[I64; 3], I64, &arguments);
        self.guard(value, 0)?;
        self.drop_call(count);
        let id = self.state.push_new(Known::borrowed(value, Class::Unknown));
        if count == 2 {
            // It may be the default.
            self.own(id);
        } else {
            self.own_if_ended(id, &[dict]);
        }
        Ok(true)
    }

    /// `type(object)`
    pub(in crate::jit) fn call_type(&mut self) {
        let id = self.peek(1);
        let address = self.known_type(id).map(|type_| type_.addr() as u64);
        let pointer = match address {
            Some(address) => self.constant(address),
            None => self.type_of(id),
        };
        self.drop_call(1);
        let type_ = self.state.push_new(Known { address, ..Known::borrowed(pointer, Class::Unknown) });
        self.own_if_ended(type_, &[id]);
    }

    /// The type of the value, if the trace has checked it.
    pub(super) fn known_type(&self, id: Id) -> Option<*mut PyTypeObject> {
        let known = &self.state.values[id];
        known.class.type_().or_else(|| known.version.and_then(type_of_version))
    }

    /// `isinstance(object, class)`. Leaves to the interpreter if only the host can tell. Returns false if that is to be expected.
    pub(in crate::jit) fn call_isinstance(&mut self, uop: Uop) -> Lowered<bool> {
        if (uop.operand0, uop.operand1) != KnownCall::INSTANCE_IS_KNOWN || uop.oparg != 2 {
            return Ok(false);
        }
        let callable = self.peek(4);
        let interp = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, interp));
        let expected = self.load(I64, interp, offset_of!(ffi::PyInterpreterState, callable_cache.isinstance));
        let found = self.object(callable);
        let holds = self.b.ins().icmp(IntCC::Equal, found, expected);
        self.guard(holds, FAILED)?;
        self.guard_null(3)?;
        let (object, class) = (self.peek(2), self.peek(1));
        let known = self.known_type(object).zip(self.state.values[class].address);
        // SAFETY: something keeps an object at a known address alive while the thread compiles, and a type that is found is live.
        let answer =
            known.and_then(|(type_, class)| unsafe { known_instance_of(type_, class as *mut PyObject) });
        if let Some(answer) = answer {
            self.drop_call(2);
            self.push_constant(truth_constant(answer), Class::Bool);
            return Ok(true);
        }
        let (type_, class) = (self.type_of(object), self.object(class));
        let function = runtime::is_instance as *const () as usize;
        let answer = self.result_of(function, &[I64; 2], I64, &[type_, class]);
        let is_known = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, answer, 0);
        self.guard(is_known, 0)?;
        let holds = self.b.ins().icmp_imm_s(IntCC::NotEqual, answer, 0);
        self.return_number(2, Number::Bool(holds))
    }
}
