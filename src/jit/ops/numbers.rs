//! Ints, floats and truth values in machine code.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F64, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::truth_constant;
use crate::host::{ffi, object};
use crate::jit::lower::{Lowered, Lowering, TooLarge, immortal};
use crate::jit::values::{Class, INT_WIDTH, Id, Number};
use crate::tier2::compiled::Next;

/// The values of compact ints have this many bits.
pub(super) const COMPACT: u8 = ffi::PyLong_SHIFT as u8;

/// What is computed of two ints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::jit) enum IntOperation {
    Add,
    Subtract,
    Multiply,
}

impl Lowering<'_> {
    // --- types ---------------------------------------------------------------------------------

    /// The value at `depth` is of this type, or the code leaves.
    pub(in crate::jit) fn guard_class(&mut self, depth: usize, class: Class) -> Lowered {
        let id = self.peek(depth);
        if self.state.values[id].class == class {
            return Ok(());
        }
        let type_ = class.type_().ok_or(TooLarge)?;
        let object = self.object(id);
        let found = self.load(I64, object, offset_of!(ffi::PyObject, ob_type));
        self.guard_equal(found, type_.addr() as u64, Next::FAILED_GUARD)?;
        self.state.values[id].class = class;
        Ok(())
    }

    // --- floats --------------------------------------------------------------------------------

    /// The value of a float, which a guard has checked to be one.
    pub(in crate::jit) fn float(&mut self, id: Id) -> Value {
        if let Some(Number::Float(value)) = self.state.number(id) {
            return value;
        }
        let value = match self.state.values[id].address.filter(|_| self.state.values[id].constant.is_some()) {
            // SAFETY: the executor keeps its constants alive, and a guard has found this one to be a float.
            Some(address) => unsafe {
                let value = (*(address as *mut ffi::PyFloatObject)).ob_fval;
                self.b.ins().f64const(value)
            },
            None => {
                let object = self.object(id);
                self.load(F64, object, offset_of!(ffi::PyFloatObject, ob_fval))
            }
        };
        self.state.values[id].number = Some(Number::Float(value));
        value
    }

    pub(in crate::jit) fn float_operation(
        &mut self,
        operation: impl FnOnce(&mut Self, Value, Value) -> Value,
    ) -> Lowered {
        let (left, right) = (self.peek(2), self.peek(1));
        let (a, b) = (self.float(left), self.float(right));
        let result = operation(self, a, b);
        self.drop_top();
        self.drop_top();
        self.push_number(Number::Float(result));
        Ok(())
    }

    pub(in crate::jit) fn compare_floats(&mut self, condition: FloatCC) {
        let (left, right) = (self.peek(2), self.peek(1));
        let (a, b) = (self.float(left), self.float(right));
        let result = self.b.ins().fcmp(condition, a, b);
        self.drop_top();
        self.drop_top();
        self.push_number(Number::Bool(result));
    }

    // --- ints ----------------------------------------------------------------------------------

    /// The value of a compact int at this address, whose tag word this is.
    pub(in crate::jit) fn compact_value(&mut self, object: Value, tag: Value) -> Value {
        let at = offset_of!(ffi::_longobject, long_value) + offset_of!(ffi::_PyLongValue, ob_digit);
        let digit = self.b.ins().uload32(crate::jit::lower::plain(), object, at as i32);
        // The low bits say 0 for positive numbers, 1 for zero, 2 for negative ones.
        let sign = self.b.ins().band_imm_s(tag, i64::from(ffi::SIGN_MASK));
        let one = self.constant(1);
        let sign = self.b.ins().isub(one, sign);
        self.b.ins().imul(digit, sign)
    }

    /// The value of an int, which a guard has checked to be one, and its width. Leaves if it does not fit.
    pub(in crate::jit) fn int(&mut self, id: Id) -> Lowered<(Value, u8)> {
        if let Some(Number::Int { value, width }) = self.state.number(id) {
            return Ok((value, width));
        }
        let constant = self.state.values[id].address.filter(|_| self.state.values[id].constant.is_some());
        let (value, width) = match constant.and_then(compact_constant) {
            Some(value) => (self.constant(value as u64), width_of(value)),
            None => {
                let object = self.object(id);
                let at = offset_of!(ffi::_longobject, long_value) + offset_of!(ffi::_PyLongValue, lv_tag);
                let tag = self.load(I64, object, at);
                let holds = self.b.ins().icmp_imm_s(IntCC::UnsignedLessThan, tag, 2 << ffi::NON_SIZE_BITS);
                self.guard(holds, 0)?;
                (self.compact_value(object, tag), COMPACT)
            }
        };
        self.state.values[id].number = Some(Number::Int { value, width });
        Ok((value, width))
    }

    /// Leaves unless the absolute value is less than 2 to the power of `width`.
    pub(in crate::jit) fn guard_width(&mut self, value: Value, width: u8) -> Lowered {
        let shifted = self.b.ins().iadd_imm_s(value, (1_i64 << width) - 1);
        let range = (1_u64 << (width + 1)) - 1;
        let holds = self.b.ins().icmp_imm_s(IntCC::UnsignedLessThan, shifted, range as i64);
        self.guard(holds, 0)
    }

    /// The two topmost values, which are ints. Their width is at most `widest`, or the code leaves.
    fn two_ints(&mut self, widest: u8) -> Lowered<[(Value, u8); 2]> {
        let (left, right) = (self.peek(2), self.peek(1));
        let mut operands = [self.int(left)?, self.int(right)?];
        for (value, width) in &mut operands {
            if *width > widest {
                self.guard_width(*value, widest)?;
                *width = widest;
            }
        }
        Ok(operands)
    }

    pub(in crate::jit) fn int_operation(&mut self, operation: IntOperation) -> Lowered {
        let [(a, a_width), (b, b_width)] = self.two_ints(INT_WIDTH)?;
        let (value, width) = match operation {
            IntOperation::Add => (self.b.ins().iadd(a, b), a_width.max(b_width) + 1),
            IntOperation::Subtract => (self.b.ins().isub(a, b), a_width.max(b_width) + 1),
            IntOperation::Multiply if a_width + b_width <= INT_WIDTH => {
                (self.b.ins().imul(a, b), a_width + b_width)
            }
            IntOperation::Multiply => {
                let (value, overflow) = self.b.ins().smul_overflow(a, b);
                self.guard_not(overflow, 0)?;
                (value, 63)
            }
        };
        let (value, width) = if width > INT_WIDTH {
            // One more bit would not fit.
            self.guard_width(value, INT_WIDTH)?;
            (value, INT_WIDTH)
        } else {
            (value, width)
        };
        self.drop_top();
        self.drop_top();
        self.push_number(Number::Int { value, width });
        Ok(())
    }

    pub(in crate::jit) fn compare_ints(&mut self, condition: IntCC) -> Lowered {
        let [(a, _), (b, _)] = self.two_ints(INT_WIDTH)?;
        let result = self.b.ins().icmp(condition, a, b);
        self.drop_top();
        self.drop_top();
        self.push_number(Number::Bool(result));
        Ok(())
    }

    // --- truth ---------------------------------------------------------------------------------

    /// A truth value: 1 or 0, of 8 bits. A guard has checked that it is a bool.
    pub(in crate::jit) fn truth(&mut self, id: Id) -> Value {
        if let Some(Number::Bool(value)) = self.state.number(id) {
            return value;
        }
        let object = self.object(id);
        self.b.ins().icmp_imm_s(IntCC::Equal, object, (immortal(crate::host::true_()) & !1) as i64)
    }

    /// Replaces the topmost value by a truth value that has been computed of it.
    pub(in crate::jit) fn answer(&mut self, holds: Value) {
        self.drop_top();
        self.push_number(Number::Bool(holds));
    }

    /// Leaves unless the topmost value, which is taken, is True, or False.
    pub(in crate::jit) fn guard_truth(&mut self, wanted: bool) -> Lowered {
        let id = self.peek(1);
        if let Some(bits) = self.state.values[id].constant {
            self.drop_top();
            return if bits == truth_constant(wanted) { Ok(()) } else { self.fail(Next::FAILED_GUARD) };
        }
        let truth = self.truth(id);
        self.drop_top();
        if wanted { self.guard(truth, Next::FAILED_GUARD) } else { self.guard_not(truth, Next::FAILED_GUARD) }
    }

    /// Whether an int is not zero.
    pub(in crate::jit) fn int_is_true(&mut self) {
        let id = self.peek(1);
        let holds = if let Some(Number::Int { value, .. }) = self.state.number(id) {
            self.b.ins().icmp_imm_s(IntCC::NotEqual, value, 0)
        } else {
            let object = self.object(id);
            let at = offset_of!(ffi::_longobject, long_value) + offset_of!(ffi::_PyLongValue, lv_tag);
            let tag = self.load(I64, object, at);
            let sign = self.b.ins().band_imm_s(tag, i64::from(ffi::SIGN_MASK));
            self.b.ins().icmp_imm_s(IntCC::NotEqual, sign, i64::from(ffi::SIGN_ZERO))
        };
        self.answer(holds);
    }
}

/// The value of an int, if it is compact.
pub(super) fn compact_constant(address: u64) -> Option<i64> {
    let int = address as *mut ffi::PyObject;
    // SAFETY: the executor keeps its constants alive, and a guard has found this one to be an int.
    unsafe { object::long_is_compact(int).then(|| object::long_compact_value(int) as i64) }
}

/// The number of bits of the absolute value.
fn width_of(value: i64) -> u8 {
    (64 - value.unsigned_abs().leading_zeros()) as u8
}

/// What a comparison of floats asks for, if it is one of the usual operators.
pub(in crate::jit) fn float_condition(oparg: u16) -> Option<FloatCC> {
    let (less, greater, equal, unordered) = outcomes();
    let asked = u32::from(oparg & OUTCOMES);
    Some(match asked {
        _ if asked == less => FloatCC::LessThan,
        _ if asked == less | equal => FloatCC::LessThanOrEqual,
        _ if asked == greater => FloatCC::GreaterThan,
        _ if asked == greater | equal => FloatCC::GreaterThanOrEqual,
        _ if asked == equal => FloatCC::Equal,
        _ if asked == less | greater | unordered => FloatCC::NotEqual,
        _ => return None,
    })
}

/// What a comparison of ints asks for, if it is one of the usual operators.
pub(in crate::jit) fn int_condition(oparg: u16) -> Option<IntCC> {
    let (less, greater, equal, unordered) = outcomes();
    let asked = u32::from(oparg & OUTCOMES) & !unordered;
    Some(match asked {
        _ if asked == less => IntCC::SignedLessThan,
        _ if asked == less | equal => IntCC::SignedLessThanOrEqual,
        _ if asked == greater => IntCC::SignedGreaterThan,
        _ if asked == greater | equal => IntCC::SignedGreaterThanOrEqual,
        _ if asked == equal => IntCC::Equal,
        _ if asked == less | greater => IntCC::NotEqual,
        _ => return None,
    })
}

/// The bits of a comparison's argument that say for which outcomes it is true.
const OUTCOMES: u16 = 15;

/// These bits: less, greater, equal, unordered.
fn outcomes() -> (u32, u32, u32, u32) {
    (
        ffi::COMPARISON_LESS_THAN,
        ffi::COMPARISON_GREATER_THAN,
        ffi::COMPARISON_EQUALS,
        ffi::COMPARISON_UNORDERED,
    )
}
