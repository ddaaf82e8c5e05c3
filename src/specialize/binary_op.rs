//! BINARY_OP: arithmetic, subscription, and operations with a description ([`extension`]).

use core::ffi::c_int;
use core::ptr::null;

use super::operand_types::CommonType;
use super::python_function::{default_evaluator, takes};
use super::{Cache, Decision, Form, Refusal, conclude, descriptor, extension};
use crate::bytecode::opcode::*;
use crate::host::function::Function;
use crate::host::object::{is_exact, long_is_non_negative_compact, type_flags, type_of};
use crate::host::{CodeUnit, PyObject, PyTypeObject, StackRef, ffi};

/// The form for arithmetic on two operands of exactly the same type.
fn arithmetic(operator: u32, operands: CommonType) -> Option<u8> {
    use CommonType::*;
    Some(match (operator, operands) {
        (ffi::NB_ADD | ffi::NB_INPLACE_ADD, Int) => BINARY_OP_ADD_INT,
        (ffi::NB_ADD | ffi::NB_INPLACE_ADD, Float) => BINARY_OP_ADD_FLOAT,
        (ffi::NB_ADD | ffi::NB_INPLACE_ADD, Str) => BINARY_OP_ADD_UNICODE,
        (ffi::NB_SUBTRACT | ffi::NB_INPLACE_SUBTRACT, Int) => BINARY_OP_SUBTRACT_INT,
        (ffi::NB_SUBTRACT | ffi::NB_INPLACE_SUBTRACT, Float) => BINARY_OP_SUBTRACT_FLOAT,
        (ffi::NB_MULTIPLY | ffi::NB_INPLACE_MULTIPLY, Int) => BINARY_OP_MULTIPLY_INT,
        (ffi::NB_MULTIPLY | ffi::NB_INPLACE_MULTIPLY, Float) => BINARY_OP_MULTIPLY_FLOAT,
        _ => return None,
    })
}

/// Whether the next instruction stores the result in the local that holds the left operand. Then a string can
/// grow in place.
///
/// # Safety
/// As the module says; `instr` is a BINARY_OP, and `locals` are those of the frame that executes it.
unsafe fn replaces_left(instr: CodeUnit, left: *mut PyObject, locals: *mut ffi::_PyStackRef) -> bool {
    const LENGTH: isize = 1 + (size_of::<ffi::_PyBinaryOpCache>() / size_of::<ffi::_Py_CODEUNIT>()) as isize;
    // SAFETY: a BINARY_OP is not the last instruction of its code, and the frame has the local that the next
    // instruction stores to (caller).
    unsafe {
        let (next, local) = instr.add(LENGTH).decode();
        next == STORE_FAST && StackRef::from_raw(*locals.add(local)).object() == left
    }
}

/// The container of a subscription, as far as forms depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    List,
    Tuple,
    Str,
    Dict,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subscript {
    /// A compact `int` that is not negative.
    Index,
    Slice,
    Other,
}

/// The form for a subscription of a built-in container.
fn subscription(container: Container, subscript: Subscript) -> Option<u8> {
    Some(match (container, subscript) {
        (Container::List, Subscript::Index) => BINARY_OP_SUBSCR_LIST_INT,
        (Container::List, Subscript::Slice) => BINARY_OP_SUBSCR_LIST_SLICE,
        (Container::Tuple, Subscript::Index) => BINARY_OP_SUBSCR_TUPLE_INT,
        (Container::Str, Subscript::Index) => BINARY_OP_SUBSCR_STR_INT,
        (Container::Dict, _) => BINARY_OP_SUBSCR_DICT,
        (Container::List | Container::Tuple | Container::Str | Container::Other, _) => return None,
    })
}

fn container(type_: *mut PyTypeObject) -> Container {
    if type_ == &raw mut ffi::PyList_Type {
        Container::List
    } else if type_ == &raw mut ffi::PyTuple_Type {
        Container::Tuple
    } else if type_ == &raw mut ffi::PyUnicode_Type {
        Container::Str
    } else if type_ == &raw mut ffi::PyDict_Type {
        Container::Dict
    } else {
        Container::Other
    }
}

/// # Safety
/// As the module says.
unsafe fn subscript(object: *mut PyObject) -> Subscript {
    // SAFETY: the object is live (caller).
    unsafe {
        if is_exact(object, &raw mut ffi::PyLong_Type) && long_is_non_negative_compact(object) {
            Subscript::Index
        } else if is_exact(object, &raw mut ffi::PySlice_Type) {
            Subscript::Slice
        } else {
            Subscript::Other
        }
    }
}

/// Checks that the class has a `__getitem__` in Python which BINARY_OP_SUBSCR_GETITEM can call, and stores it
/// in the class for this form.
///
/// # Safety
/// As the module says.
unsafe fn python_getitem(class: *mut PyTypeObject) -> Result<(), Refusal> {
    // SAFETY: the class is live and the thread attached (caller).
    unsafe {
        let (found, version) = descriptor::lookup(class, id!(_py___getitem__));
        let found = found.ok_or(Refusal::NoFormForOperands)?;
        let function = Function::cast(found.as_ptr()).ok_or(Refusal::NoFormForOperands)?;
        if type_flags(class) & ffi::Py_TPFLAGS_HEAPTYPE == 0 {
            return Err(Refusal::NoFormForOperands);
        }
        takes(function, 2)?;
        default_evaluator()?;
        let version = version.ok_or(Refusal::OutOfVersions)?.get();
        if ffi::_PyType_CacheGetItemForSpecialization(class.cast(), function.object(), version) == 0 {
            return Err(Refusal::OutOfVersions);
        }
        Ok(())
    }
}

/// The instruction, its operator, and the frame's locals.
struct Operation {
    instr: CodeUnit,
    operator: c_int,
    locals: *mut ffi::_PyStackRef,
}

impl Operation {
    /// # Safety
    /// As the module says; `self` is the instruction that the thread executes.
    unsafe fn decide(self, left: *mut PyObject, right: *mut PyObject) -> Decision {
        // SAFETY: the operands are live, the thread is attached, and `self` is the executed instruction
        // (caller).
        unsafe {
            let refusal = match self.operator as u32 {
                ffi::NB_SUBSCR => {
                    let class = type_of(left);
                    if let Some(opcode) = subscription(container(class), subscript(right)) {
                        return Ok(Form::plain(opcode));
                    }
                    match python_getitem(class) {
                        Ok(()) => return Ok(Form::plain(BINARY_OP_SUBSCR_GETITEM)),
                        Err(refusal) => refusal,
                    }
                }
                operator => match arithmetic(operator, CommonType::of(left, right)) {
                    Some(BINARY_OP_ADD_UNICODE) if replaces_left(self.instr, left, self.locals) => {
                        return Ok(Form::plain(BINARY_OP_INPLACE_ADD_UNICODE));
                    }
                    Some(opcode) => return Ok(Form::plain(opcode)),
                    None => Refusal::NoFormForOperands,
                },
            };
            let description = extension::find(left, right, self.operator).ok_or(refusal)?;
            Ok(Form { opcode: BINARY_OP_EXTEND, cache: Cache::Extension(description) })
        }
    }
}

/// Specializes a BINARY_OP.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(
    left: StackRef,
    right: StackRef,
    instr: CodeUnit,
    operator: c_int,
    locals: *mut ffi::_PyStackRef,
) {
    // SAFETY: the operands and locals are live, and `instr` is a BINARY_OP (caller).
    unsafe {
        if instr.opcode() == BINARY_OP_EXTEND {
            // The cache must not keep a description without the form that uses it.
            Cache::Extension(null()).write(instr);
        }
        conclude(instr, Operation { instr, operator, locals }.decide(left.object(), right.object()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_operators_have_arithmetic_forms() {
        let with_forms = |operands| {
            (0..=ffi::NB_OPARG_LAST).filter(|operator| arithmetic(*operator, operands).is_some()).count()
        };
        // The operator and its in-place variant.
        assert_eq!(with_forms(CommonType::Int), 6);
        assert_eq!(with_forms(CommonType::Float), 6);
        assert_eq!(with_forms(CommonType::Str), 2);
        assert_eq!(with_forms(CommonType::Other), 0);
    }

    #[test]
    fn of_built_in_containers_only_dicts_take_any_subscript() {
        use {Container as C, Subscript as S};
        assert_eq!(subscription(C::Dict, S::Other), Some(BINARY_OP_SUBSCR_DICT));
        assert_eq!(subscription(C::List, S::Slice), Some(BINARY_OP_SUBSCR_LIST_SLICE));
        for container in [C::List, C::Tuple, C::Str, C::Other] {
            assert_eq!(subscription(container, S::Other), None);
        }
        assert_eq!(subscription(C::Tuple, S::Slice), None);
        assert_eq!(subscription(C::Other, S::Index), None);
    }
}
