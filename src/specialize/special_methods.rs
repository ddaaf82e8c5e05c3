//! Special methods in Python that instructions call through slots of types: operators of BINARY_OP, `__call__`,
//! `__setitem__` and `__iter__`.
//!
//! The slot would call the method in C, and that would run another evaluator. Tier 1 enters the method's frame itself if this
//! module says which function that is. It does if the host's slots would do nothing else before, and if it is known what they
//! would do when the method returns NotImplemented.
//!
//! What is found is kept in a table, by the operator and the versions of both types ([`super::side_cache`] has it). The function
//! is borrowed: its class has it as long as it keeps its version.

use super::method_table::{Key, SpecialMethod};
use super::operator::Operator;
use super::python_function::{default_evaluator, takes, version};
use super::refusal::Refusal;
use super::{descriptor, side_cache};
use crate::bytecode::opcode;
use crate::host::function::Function;
use crate::host::object::{tuple_slice, type_flags, type_of};
use crate::host::{PyObject, PyTypeObject, ThreadState, ffi};

/// The method that `left op right` calls, where `oparg` is the argument of BINARY_OP. `None` if it is not known, or if the
/// host has more to do than to call it.
///
/// # Safety
/// The thread is attached with no exception set, `tstate` is its state, and its frame is published. Both objects are live.
#[inline(always)]
pub(crate) unsafe fn of_operator(
    tstate: ThreadState,
    oparg: usize,
    left: *mut PyObject,
    right: *mut PyObject,
) -> Option<SpecialMethod> {
    // SAFETY: the objects are live (caller), and so are their types.
    unsafe {
        let (left, right) = (type_of(left), type_of(right));
        let key =
            Key { left: (*left).tp_version_tag, right: (*right).tp_version_tag, instruction: oparg as u8 };
        find(tstate, key, [left, right])
    }
}

/// The `__call__` of the object's class. It takes the object first. `None` if it is not known, or not in Python.
///
/// # Safety
/// As for [`of_operator`].
#[inline(always)]
pub(crate) unsafe fn of_call(tstate: ThreadState, callable: *mut PyObject) -> Option<Function> {
    // SAFETY: the contract is the same.
    unsafe { of_only_operand(tstate, callable, CALL) }
}

/// The `__setitem__` of the object's class, which takes the object, a key and a value. `None` if it is not known, or not in Python.
///
/// # Safety
/// As for [`of_operator`].
#[inline(always)]
pub(crate) unsafe fn of_store_subscr(tstate: ThreadState, container: *mut PyObject) -> Option<Function> {
    // SAFETY: the contract is the same.
    unsafe { of_only_operand(tstate, container, STORE_SUBSCR) }
}

/// The `__iter__` of the object's class, if it is a generator function that takes the object. `None` if that is not known.
///
/// # Safety
/// As for [`of_operator`].
#[inline(always)]
pub(crate) unsafe fn of_iteration(tstate: ThreadState, iterable: *mut PyObject) -> Option<Function> {
    // SAFETY: the contract is the same.
    unsafe { of_only_operand(tstate, iterable, ITERATION) }
}

/// The function that does the work of an instruction for which the class of one operand matters.
///
/// # Safety
/// As for [`of_operator`].
#[inline(always)]
unsafe fn of_only_operand(tstate: ThreadState, operand: *mut PyObject, instruction: u8) -> Option<Function> {
    // SAFETY: the object is live (caller), and so is its type.
    unsafe {
        let type_ = type_of(operand);
        let version = (*type_).tp_version_tag;
        let key = Key { left: version, right: version, instruction };
        Some(find(tstate, key, [type_, type_])?.function)
    }
}

// --- decisions ---------------------------------------------------------------------------------

/// A type whose slots are those of its methods: all of its bases but `object` are heap types, and it is no sequence of C. If one
/// of the two methods of an operator is a Python function, the slot is the host's for Python methods.
///
/// # Safety
/// As the module [`crate::specialize`] says.
unsafe fn is_plain(type_: *mut PyTypeObject) -> bool {
    // SAFETY: the type is live (caller), and so is its tuple of bases. Heap types have all tables of slots.
    unsafe {
        let bases = (*type_).tp_mro;
        if type_flags(type_) & ffi::Py_TPFLAGS_HEAPTYPE == 0 || bases.is_null() {
            return false;
        }
        let object = &raw mut ffi::PyBaseObject_Type;
        let are_heap_types = tuple_slice(bases)
            .iter()
            .all(|&base| base == object.cast() || type_flags(base.cast()) & ffi::Py_TPFLAGS_HEAPTYPE != 0);
        let sequence = &*(*type_).tp_as_sequence;
        let is_sequence = sequence.sq_concat.is_some()
            || sequence.sq_repeat.is_some()
            || sequence.sq_inplace_concat.is_some()
            || sequence.sq_inplace_repeat.is_some();
        are_heap_types && !is_sequence
    }
}

/// The type is exactly that of ints or floats, whose operators return NotImplemented for other objects, and run no Python code.
fn is_number(type_: *mut PyTypeObject) -> bool {
    type_ == &raw mut ffi::PyLong_Type || type_ == &raw mut ffi::PyFloat_Type
}

/// The Python function that the type has under this name.
///
/// # Safety
/// As the module [`crate::specialize`] says.
unsafe fn python_method(type_: *mut PyTypeObject, name: *mut PyObject) -> Option<Function> {
    // SAFETY: the type is live, and the thread attached (caller). The type keeps the function alive.
    unsafe {
        if !descriptor::is_ready(type_) {
            return None;
        }
        let (found, version) = descriptor::lookup(type_, name);
        version?;
        Function::cast(found?.as_ptr())
    }
}

/// Decides on [`of_operator`].
///
/// # Safety
/// As the module [`crate::specialize`] says.
unsafe fn decide_operator(
    oparg: usize,
    left: *mut PyTypeObject,
    right: *mut PyTypeObject,
) -> Result<SpecialMethod, Refusal> {
    // SAFETY: the types are live, and the thread attached (caller).
    unsafe {
        let operator = Operator::of(oparg).ok_or(Refusal::NoFormForOperands)?;
        let is_reflected = is_number(left);
        let (owner, name) = if is_reflected { (right, operator.reflected) } else { (left, operator.method) };
        if !is_plain(owner) {
            return Err(Refusal::NoFormForOperands);
        }
        if !is_reflected && operator.is_assignment && (operator.assigns)((*left).tp_as_number) {
            return Err(Refusal::Overridden);
        }
        let function = python_method(owner, name).ok_or(Refusal::NoFormForOperands)?;
        let mut asks_right = false;
        if !is_reflected && left != right && !is_number(right) {
            // The methods of a subclass come first.
            if !is_plain(right) || ffi::PyType_IsSubtype(right, left) != 0 {
                return Err(Refusal::NoFormForOperands);
            }
            // Otherwise, its slot may be one of C.
            python_method(right, operator.method)
                .or_else(|| python_method(right, operator.reflected))
                .ok_or(Refusal::NoFormForOperands)?;
            asks_right = true;
        }
        takes(function, 2)?;
        default_evaluator()?;
        Ok(SpecialMethod { function, is_reflected, asks_right })
    }
}

/// The `__call__` of the type, if it is in Python.
///
/// # Safety
/// As the module [`crate::specialize`] says.
unsafe fn python_call(type_: *mut PyTypeObject) -> Result<Function, Refusal> {
    // SAFETY: the type is live, and the thread attached (caller).
    unsafe {
        let flags = type_flags(type_);
        if flags & ffi::Py_TPFLAGS_HEAPTYPE == 0 || flags & ffi::Py_TPFLAGS_HAVE_VECTORCALL != 0 {
            return Err(Refusal::NoFormForOperands);
        }
        python_method(type_, id!(_py___call__)).ok_or(Refusal::NoFormForOperands)
    }
}

/// The `__setitem__` of the type, if it is in Python and takes its arguments as they are.
///
/// # Safety
/// As the module [`crate::specialize`] says.
unsafe fn python_store_subscr(type_: *mut PyTypeObject) -> Result<Function, Refusal> {
    // SAFETY: the type is live, and the thread attached (caller).
    unsafe {
        if type_flags(type_) & ffi::Py_TPFLAGS_HEAPTYPE == 0 {
            return Err(Refusal::NoFormForOperands);
        }
        let function = python_method(type_, id!(_py___setitem__)).ok_or(Refusal::NoFormForOperands)?;
        takes(function, 3)?;
        default_evaluator()?;
        Ok(function)
    }
}

/// The `__iter__` of the type, if it is a generator function in Python that takes its argument as it is.
///
/// # Safety
/// As the module [`crate::specialize`] says.
unsafe fn generator_function(type_: *mut PyTypeObject) -> Result<Function, Refusal> {
    const KINDS: u32 =
        ffi::CO_GENERATOR | ffi::CO_COROUTINE | ffi::CO_ASYNC_GENERATOR | ffi::CO_ITERABLE_COROUTINE;
    // SAFETY: the type is live, and the thread attached (caller). The function keeps its code alive.
    unsafe {
        if type_flags(type_) & ffi::Py_TPFLAGS_HEAPTYPE == 0 {
            return Err(Refusal::NoFormForOperands);
        }
        let function = python_method(type_, id!(_py___iter__)).ok_or(Refusal::NoFormForOperands)?;
        if (*function.code().as_ptr()).co_flags as u32 & KINDS != ffi::CO_GENERATOR {
            return Err(Refusal::NoFormForOperands);
        }
        takes(function, 1)?;
        Ok(function)
    }
}

// --- the table ---------------------------------------------------------------------------------

// In place of the argument of BINARY_OP, for other instructions.
const CALL: u8 = opcode::CALL;
const STORE_SUBSCR: u8 = opcode::STORE_SUBSCR;
const ITERATION: u8 = Key::ITERATION;
static_assertions::const_assert!(
    CALL as u32 > ffi::NB_OPARG_LAST
        && STORE_SUBSCR as u32 > ffi::NB_OPARG_LAST
        && ITERATION as u32 > ffi::NB_OPARG_LAST
);

/// What the table has for the key. If there is nothing, decides on it.
///
/// # Safety
/// As for [`of_operator`]; the types are those of the key.
#[inline(always)]
unsafe fn find(tstate: ThreadState, key: Key, types: [*mut PyTypeObject; 2]) -> Option<SpecialMethod> {
    // SAFETY: the table lives as long as the interpreter. A function in it is live while the types have these versions.
    unsafe {
        if let Some(methods) = side_cache::methods(tstate)
            && let Some(known) = (*methods).find(key)
        {
            return known;
        }
        learn(tstate, key, types)
    }
}

/// Makes an entry for the key, unless another one is in use in its place. Returns what is in the new one.
///
/// # Safety
/// As for [`find`].
#[cold]
#[inline(never)]
unsafe fn learn(
    tstate: ThreadState,
    key: Key,
    [left, right]: [*mut PyTypeObject; 2],
) -> Option<SpecialMethod> {
    // SAFETY: as in `find`. The table is not borrowed during the decision.
    unsafe {
        let methods = side_cache::methods_or_new(tstate)?;
        if !(*methods).has_room_for(key) {
            return None;
        }
        let method = match key.instruction {
            CALL => python_call(left).map(SpecialMethod::of_only_operand),
            STORE_SUBSCR => python_store_subscr(left).map(SpecialMethod::of_only_operand),
            ITERATION => generator_function(left).map(SpecialMethod::of_only_operand),
            oparg => decide_operator(oparg.into(), left, right),
        };
        let known = method.and_then(|method| Ok((method, version(method.function)?)));
        // If a type had no version, the decision has given it one.
        let key = Key { left: (*left).tp_version_tag, right: (*right).tp_version_tag, ..key };
        (*methods).set(key, known.ok());
        (*methods).find(key)?
    }
}
