//! Operators in machine code that tier 1 has no instruction for: division, remainders, bits, and floats with ints.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F64, I64};
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value};

use super::numbers::{COMPACT, float_condition, int_condition};
use crate::host::ffi;
use crate::jit::lower::{Lowered, Lowering, TooLarge};
use crate::jit::memory::Failure;
use crate::jit::runtime;
use crate::jit::values::{Class, INT_WIDTH, Id, Number};
use crate::ops::operators::binary;
use crate::specialize::extension::Operands;
use crate::tier2::Uop;
use crate::tier2::uop::{OperandKind, OperandKinds};

/// Every int of this width is a float exactly.
const EXACT: u8 = 53;

impl Lowering<'_> {
    /// A generic operator. Leaves if the operands are not what they were when it was recorded. Returns false if it may run Python
    /// code.
    pub(in crate::jit) fn generic_operator(&mut self, uop: Uop) -> Lowered<bool> {
        let operator = binary(uop.oparg.into());
        let kinds = OperandKinds::from_operand(uop.operand0);
        // The key of another kind may be a slice.
        if uop.operand1 != 0 && operator == ffi::NB_SUBSCR && kinds.right.is_simple() {
            return self.known_item();
        }
        if uop.operand1 != 0 && operator == ffi::NB_ADD {
            return self.concatenate(uop);
        }
        if is_specialized(operator) && self.classes() == (Class::Unknown, Class::Unknown) {
            // Tier 1 has forms for it, but uses none: the operands have several types, or are large ints.
            if kinds.are_numbers_with_float() && is_for_floats(operator) {
                self.guard_a_float()?;
                let (left, right) = (self.peek(2), self.peek(1));
                return self.float_operator(operator, left, right, false);
            }
            if !(kinds.left.is_simple() && kinds.right.is_simple()) {
                return Ok(false);
            }
            self.guard_simple_operands()?;
            self.call_on_operands(uop, Failure::Error)?;
            return Ok(true);
        }
        let has_large_int = self.guard_kinds(kinds)?;
        if !has_large_int && self.binary_op(uop.oparg.into(), false)? {
            return Ok(true);
        }
        let (left, right) = self.classes();
        if !(is_simple(left) && is_simple(right)) {
            return Ok(false);
        }
        let results = self.call_on_operands(uop, Failure::Error)?;
        let class = class_of_result(operator, left, right);
        if let Some(&result) = results.last() {
            self.state.values[result].class = class;
        }
        Ok(true)
    }

    /// A generic comparison, likewise.
    pub(in crate::jit) fn generic_comparison(&mut self, uop: Uop) -> Lowered<bool> {
        let kinds = OperandKinds::from_operand(uop.operand0);
        if self.classes() == (Class::Unknown, Class::Unknown) {
            if uop.operand1 != 0 && self.known_equality(uop.oparg)? {
                return Ok(true);
            }
            if !(kinds.left.is_simple() && kinds.right.is_simple()) {
                return Ok(false);
            }
            self.guard_simple_operands()?;
            let results = self.call_on_operands(uop, Failure::Error)?;
            if let Some(&result) = results.last() {
                self.state.values[result].class = Class::Bool;
            }
            return Ok(true);
        }
        let has_large_int = self.guard_kinds(kinds)?;
        match self.classes() {
            (Class::Int, Class::Int) if !has_large_int => {
                if let Some(condition) = int_condition(uop.oparg) {
                    self.compare_ints(condition)?;
                    return Ok(true);
                }
            }
            (Class::Float | Class::Int, Class::Float | Class::Int) if !has_large_int => {
                if let Some(condition) = float_condition(uop.oparg) {
                    let (left, right) = (self.peek(2), self.peek(1));
                    let (a, b) = (self.as_float(left)?, self.as_float(right)?);
                    let result = self.b.ins().fcmp(condition, a, b);
                    self.replace_operands(Number::Bool(result));
                    return Ok(true);
                }
            }
            _ => {}
        }
        let (left, right) = self.classes();
        if !(is_simple(left) && is_simple(right)) {
            return Ok(false);
        }
        let results = self.call_on_operands(uop, Failure::Error)?;
        if let Some(&result) = results.last() {
            self.state.values[result].class = Class::Bool;
        }
        Ok(true)
    }

    /// The types of the two operands, if they are known.
    fn classes(&mut self) -> (Class, Class) {
        let (left, right) = (self.peek(2), self.peek(1));
        (self.state.values[left].class, self.state.values[right].class)
    }

    /// Both operands have the types that they had when the operator was recorded, or the code leaves to the interpreter; unless
    /// one of them may have run Python code. Returns whether one was an int that is not compact.
    fn guard_kinds(&mut self, kinds: OperandKinds) -> Lowered<bool> {
        let OperandKinds { left, right } = kinds;
        let classes = [left, right].map(class_of_kind);
        if let [Some(left), Some(right)] = classes {
            for (depth, class) in [(2, left), (1, right)] {
                let id = self.peek(depth);
                if self.state.values[id].class == Class::Unknown {
                    self.guard_class_of(id, class)?;
                }
            }
        }
        Ok(kinds.has_large_int())
    }

    /// One of the two operands is a float, or the code leaves to the interpreter.
    fn guard_a_float(&mut self) -> Lowered {
        let [left, right] = [2, 1].map(|depth| {
            let id = self.peek(depth);
            let type_ = self.type_of(id);
            self.b.ins().icmp_imm_s(IntCC::Equal, type_, (&raw mut ffi::PyFloat_Type).addr() as i64)
        });
        let holds = self.b.ins().bor(left, right);
        self.guard(holds, 0)
    }

    /// Both operands are of types whose operators run no Python code, or the code leaves to the interpreter.
    fn guard_simple_operands(&mut self) -> Lowered {
        let (left, right) = (self.peek(2), self.peek(1));
        let operands = [self.object(left), self.object(right)];
        let function = runtime::are_simple_operands as *const () as usize;
        let holds = self.result_of(function, &[I64; 2], I64, &operands);
        self.guard(holds, 0)
    }

    /// An operator of two numbers of which one is known to be a float, or an int. Leaves if the other one is of another type.
    /// Returns false for all others. `is_checked`: the operator cannot fail, as [`Lowering::guard_operands`] has found out.
    pub(in crate::jit) fn binary_op(&mut self, operator: u32, is_checked: bool) -> Lowered<bool> {
        let (left, right) = (self.peek(2), self.peek(1));
        let operator = binary(operator);
        match (self.state.values[left].class, self.state.values[right].class) {
            (Class::Float, _) | (_, Class::Float) => self.float_operator(operator, left, right, is_checked),
            (Class::Int, Class::Int) => self.int_operator(operator, left, right),
            // The constant says what the program expects the other operand to be.
            (Class::Unknown, Class::Int) if self.state.values[right].constant.is_some() => {
                if !is_for_ints(operator) {
                    return Ok(false);
                }
                self.guard_class_of(left, Class::Int)?;
                self.int_operator(operator, left, right)
            }
            _ => Ok(false),
        }
    }

    /// The two topmost values are numbers that a description is for, or the code leaves. After that, its operator does not leave:
    /// the interpreter would count on this check.
    pub(in crate::jit) fn guard_operands(&mut self, operator: u32, operands: Operands) -> Lowered {
        let (left, right) = match operands {
            Operands::Ints => (Class::Int, Class::Int),
            Operands::FloatAndInt => (Class::Float, Class::Int),
            Operands::IntAndFloat => (Class::Int, Class::Float),
        };
        for (depth, class) in [(2, left), (1, right)] {
            self.guard_class(depth, class)?;
            if class == Class::Int {
                let id = self.peek(depth);
                let (value, width) = self.int(id)?;
                if width > COMPACT {
                    self.guard_width(value, COMPACT)?;
                    self.state.values[id].number = Some(Number::Int { value, width: COMPACT });
                }
            }
        }
        if operator == ffi::NB_TRUE_DIVIDE {
            let id = self.peek(1);
            match right {
                Class::Int => {
                    let (value, _) = self.int(id)?;
                    self.guard(value, 0)?;
                }
                _ => {
                    let value = self.float(id);
                    self.guard_not_zero(value)?;
                }
            }
        }
        Ok(())
    }

    /// A float is not zero, or the code leaves.
    fn guard_not_zero(&mut self, value: Value) -> Lowered {
        let zero = self.b.ins().f64const(0.0);
        let is_zero = self.b.ins().fcmp(FloatCC::Equal, value, zero);
        self.guard_not(is_zero, 0)
    }

    /// The value is of this type, or the code leaves to the interpreter, which does the work.
    pub(super) fn guard_class_of(&mut self, id: Id, class: Class) -> Lowered {
        let type_ = self.type_of(id);
        let expected = class.type_().ok_or(TooLarge)?;
        self.guard_equal(type_, expected.addr() as u64, 0)?;
        self.state.values[id].class = class;
        Ok(())
    }

    fn float_operator(&mut self, operator: u32, left: Id, right: Id, is_checked: bool) -> Lowered<bool> {
        if operator == ffi::NB_POWER && self.classes() == (Class::Float, Class::Float) {
            self.float_power(left, right)?;
            return Ok(true);
        }
        if !is_for_floats(operator) {
            return Ok(false);
        }
        let is_number = |class| matches!(class, Class::Float | Class::Int | Class::Unknown);
        let (left_class, right_class) = self.classes();
        if !(is_number(left_class) && is_number(right_class)) {
            return Ok(false);
        }
        let (a, b) = (self.as_float(left)?, self.as_float(right)?);
        let result = match operator {
            ffi::NB_ADD => self.b.ins().fadd(a, b),
            ffi::NB_SUBTRACT => self.b.ins().fsub(a, b),
            ffi::NB_MULTIPLY => self.b.ins().fmul(a, b),
            _ => {
                if !is_checked {
                    self.guard_not_zero(b)?;
                }
                self.b.ins().fdiv(a, b)
            }
        };
        self.replace_operands(Number::Float(result));
        Ok(true)
    }

    /// A power of floats. Leaves to the interpreter where more is to be done than to call C's function: for bases that are not
    /// positive, and results that are not ordinary numbers.
    fn float_power(&mut self, left: Id, right: Id) -> Lowered {
        let (base, exponent) = (self.float(left), self.float(right));
        let zero = self.b.ins().f64const(0.0);
        let is_positive = self.b.ins().fcmp(FloatCC::GreaterThan, base, zero);
        self.guard(is_positive, 0)?;
        // The host uses C's function, too: others may round differently.
        let function = ffi::pow as *const () as usize;
        let result = self.result_of(function, &[F64; 2], F64, &[base, exponent]);
        let (smallest, largest) = (self.b.ins().f64const(f64::MIN_POSITIVE), self.b.ins().f64const(f64::MAX));
        for (condition, limit) in
            [(FloatCC::GreaterThanOrEqual, smallest), (FloatCC::LessThanOrEqual, largest)]
        {
            let holds = self.b.ins().fcmp(condition, result, limit);
            self.guard(holds, 0)?;
        }
        self.replace_operands(Number::Float(result));
        Ok(())
    }

    /// The number as a float. Leaves if it is an int that no float is equal to.
    pub(super) fn as_float(&mut self, id: Id) -> Lowered<Value> {
        match self.state.values[id].class {
            Class::Float => return Ok(self.float(id)),
            Class::Unknown => return self.any_as_float(id),
            _ => {}
        }
        let (value, width) = self.int(id)?;
        if width > EXACT {
            self.guard_width(value, EXACT)?;
        }
        Ok(self.b.ins().fcvt_from_sint(F64, value))
    }

    /// The same of an object that may be a float or a compact int. Leaves if it is something else.
    fn any_as_float(&mut self, id: Id) -> Lowered<Value> {
        let (object, type_) = (self.object(id), self.type_of(id));
        let of_float = (&raw mut ffi::PyFloat_Type).addr() as i64;
        let of_int = (&raw mut ffi::PyLong_Type).addr() as i64;
        let [is_float, is_other, go_on] = [(); 3].map(|()| self.b.create_block());
        let result = self.b.append_block_param(go_on, F64);
        let matches = self.b.ins().icmp_imm_s(IntCC::Equal, type_, of_float);
        self.b.ins().brif(matches, is_float, &[], is_other, &[]);

        self.b.switch_to_block(is_other);
        let matches = self.b.ins().icmp_imm_s(IntCC::Equal, type_, of_int);
        self.guard(matches, 0)?;
        let at = offset_of!(ffi::_longobject, long_value) + offset_of!(ffi::_PyLongValue, lv_tag);
        let tag = self.load(I64, object, at);
        let is_compact = self.b.ins().icmp_imm_s(IntCC::UnsignedLessThan, tag, 2 << ffi::NON_SIZE_BITS);
        self.guard(is_compact, 0)?;
        let value = self.compact_value(object, tag);
        let value = self.b.ins().fcvt_from_sint(F64, value);
        self.b.ins().jump(go_on, &[BlockArg::Value(value)]);

        self.b.switch_to_block(is_float);
        let value = self.load(F64, object, offset_of!(ffi::PyFloatObject, ob_fval));
        self.b.ins().jump(go_on, &[BlockArg::Value(value)]);
        self.b.switch_to_block(go_on);
        Ok(result)
    }

    fn int_operator(&mut self, operator: u32, left: Id, right: Id) -> Lowered<bool> {
        if !is_for_ints(operator) {
            return Ok(false);
        }
        let ((a, a_width), (b, b_width)) = (self.int(left)?, self.int(right)?);
        // The smallest result has one bit more: -1 ^ 3 is -4.
        let width = a_width.max(b_width);
        let number = match operator {
            ffi::NB_AND => Number::Int { value: self.b.ins().band(a, b), width: width + 1 },
            ffi::NB_OR => Number::Int { value: self.b.ins().bor(a, b), width: width + 1 },
            ffi::NB_XOR => Number::Int { value: self.b.ins().bxor(a, b), width: width + 1 },
            ffi::NB_TRUE_DIVIDE => {
                self.guard(b, 0)?;
                let (a, b) = (self.as_float(left)?, self.as_float(right)?);
                Number::Float(self.b.ins().fdiv(a, b))
            }
            ffi::NB_LSHIFT => {
                // So many bits are left above the operand. A count that is negative is a very large one.
                let room = INT_WIDTH.saturating_sub(a_width);
                let holds = self.b.ins().icmp_imm_s(IntCC::UnsignedLessThanOrEqual, b, i64::from(room));
                self.guard(holds, 0)?;
                Number::Int { value: self.b.ins().ishl(a, b), width: INT_WIDTH }
            }
            ffi::NB_RSHIFT => {
                // A larger count is left to the interpreter, and so is one that is negative.
                let holds = self.b.ins().icmp_imm_s(IntCC::UnsignedLessThan, b, 64);
                self.guard(holds, 0)?;
                Number::Int { value: self.b.ins().sshr(a, b), width: a_width }
            }
            _ => {
                self.guard(b, 0)?;
                let (quotient, remainder) = self.floor_divide(a, b);
                if operator == ffi::NB_REMAINDER {
                    Number::Int { value: remainder, width: b_width }
                } else {
                    // It is larger than the left operand only by rounding down.
                    Number::Int { value: quotient, width: a_width + 1 }
                }
            }
        };
        if let Number::Int { value, width } = number
            && width > INT_WIDTH
        {
            self.guard_width(value, INT_WIDTH)?;
            self.replace_operands(Number::Int { value, width: INT_WIDTH });
            return Ok(true);
        }
        self.replace_operands(number);
        Ok(true)
    }

    /// Quotient and remainder as in Python: the remainder has the sign of the divisor, which is not zero.
    fn floor_divide(&mut self, a: Value, b: Value) -> (Value, Value) {
        let quotient = self.b.ins().sdiv(a, b);
        let product = self.b.ins().imul(quotient, b);
        let remainder = self.b.ins().isub(a, product);
        // They have different signs, and the division has a rest: the machine has rounded up.
        let signs = self.b.ins().bxor(remainder, b);
        let differ = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, signs, 0);
        let has_rest = self.b.ins().icmp_imm_s(IntCC::NotEqual, remainder, 0);
        let is_rounded_up = self.b.ins().band(differ, has_rest);
        let one = self.b.ins().uextend(I64, is_rounded_up);
        let quotient = self.b.ins().isub(quotient, one);
        let zero = self.constant(0);
        let correction = self.b.ins().select(is_rounded_up, b, zero);
        (quotient, self.b.ins().iadd(remainder, correction))
    }

    fn replace_operands(&mut self, result: Number) {
        self.drop_top();
        self.drop_top();
        self.push_number(result);
    }

    /// The operand of a unary operator has the type that it had when it was recorded, if that is a number in a register, or the code
    /// leaves to the interpreter.
    fn guard_operand(&mut self, uop: Uop) -> Lowered<Id> {
        let id = self.peek(1);
        if self.state.values[id].class == Class::Unknown {
            match OperandKinds::from_operand(uop.operand0).right {
                OperandKind::CompactInt => self.guard_class_of(id, Class::Int)?,
                OperandKind::Float => self.guard_class_of(id, Class::Float)?,
                _ => {}
            }
        }
        Ok(id)
    }

    /// `-value` of a number. Returns false for all others.
    pub(in crate::jit) fn negative(&mut self, uop: Uop) -> Lowered<bool> {
        let id = self.guard_operand(uop)?;
        let result = match self.state.values[id].class {
            Class::Float => {
                let value = self.float(id);
                Number::Float(self.b.ins().fneg(value))
            }
            Class::Int => {
                let (value, width) = self.int(id)?;
                Number::Int { value: self.b.ins().ineg(value), width }
            }
            _ => return Ok(false),
        };
        self.drop_top();
        self.push_number(result);
        Ok(true)
    }
}

impl Lowering<'_> {
    /// `~value` of an int. Returns false for all others.
    pub(in crate::jit) fn invert(&mut self, uop: Uop) -> Lowered<bool> {
        let id = self.guard_operand(uop)?;
        if self.state.values[id].class != Class::Int {
            return Ok(false);
        }
        let (value, width) = self.int(id)?;
        let value = self.b.ins().bnot(value);
        if width == INT_WIDTH {
            self.guard_width(value, INT_WIDTH)?;
        }
        self.drop_top();
        self.push_number(Number::Int { value, width: INT_WIDTH.min(width + 1) });
        Ok(true)
    }
}

/// The type that an operand of this kind has. `None`: its operators may run Python code.
fn class_of_kind(kind: OperandKind) -> Option<Class> {
    match kind {
        OperandKind::Other => None,
        OperandKind::CompactInt | OperandKind::LargeInt => Some(Class::Int),
        OperandKind::Float => Some(Class::Float),
        OperandKind::Str => Some(Class::Str),
    }
}

/// Whether tier 1 has specialized forms for the operator, for ints, floats or strings.
fn is_specialized(operator: u32) -> bool {
    matches!(
        operator,
        ffi::NB_ADD
            | ffi::NB_SUBTRACT
            | ffi::NB_MULTIPLY
            | ffi::NB_TRUE_DIVIDE
            | ffi::NB_AND
            | ffi::NB_OR
            | ffi::NB_XOR
    )
}

/// Whether operators of two such operands run no Python code.
fn is_simple(class: Class) -> bool {
    matches!(class, Class::Int | Class::Float | Class::Str | Class::Bool)
}

/// The type of the result of an operator on simple operands, if it always has that type.
fn class_of_result(operator: u32, left: Class, right: Class) -> Class {
    match (left, right) {
        (Class::Int, Class::Int) if !matches!(operator, ffi::NB_TRUE_DIVIDE | ffi::NB_POWER) => Class::Int,
        (Class::Float | Class::Int, Class::Float | Class::Int) if operator != ffi::NB_POWER => Class::Float,
        _ => Class::Unknown,
    }
}

/// Whether the operator of two floats, or of a float and an int, is computed here.
fn is_for_floats(operator: u32) -> bool {
    matches!(operator, ffi::NB_ADD | ffi::NB_SUBTRACT | ffi::NB_MULTIPLY | ffi::NB_TRUE_DIVIDE)
}

/// Whether the operator of two ints is computed here.
fn is_for_ints(operator: u32) -> bool {
    matches!(
        operator,
        ffi::NB_AND
            | ffi::NB_OR
            | ffi::NB_XOR
            | ffi::NB_TRUE_DIVIDE
            | ffi::NB_FLOOR_DIVIDE
            | ffi::NB_REMAINDER
            | ffi::NB_LSHIFT
            | ffi::NB_RSHIFT
    )
}
