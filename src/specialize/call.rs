//! CALL: forms for C functions, Python functions, methods and classes.

use core::ffi::c_int;
use core::ptr::fn_addr_eq;

use super::descriptor;
use super::python_function::{default_evaluator, simple_parameters, version};
use super::{Cache, Decision, Form, Refusal, conclude};
use crate::bytecode::opcode::*;
use crate::host::function::{CFunction, Function, Method, MethodDescriptor};
use crate::host::object::{has_feature, is_exact, type_flags};
use crate::host::{
    CodeUnit, FunctionVersion, Owned, PyObject, PyTypeObject, StackRef, ThreadState, TypeVersion, ffi,
};

const NO_ARGUMENTS: u32 = ffi::METH_NOARGS;
const ONE_ARGUMENT: u32 = ffi::METH_O;
const FAST: u32 = ffi::METH_FASTCALL;
const FAST_WITH_KEYWORDS: u32 = ffi::METH_FASTCALL | ffi::METH_KEYWORDS;

/// A callable, as far as forms depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Callable {
    Builtin(CFunction),
    Python(Function),
    Class(*mut PyTypeObject),
    BuiltinMethod(MethodDescriptor),
    BoundPython(Function),
    BoundOther,
    Other,
}

impl Callable {
    /// # Safety
    /// `callable` is live.
    pub(super) unsafe fn of(callable: *mut PyObject) -> Callable {
        // SAFETY: the object is live (caller).
        unsafe {
            if let Some(function) = CFunction::cast(callable) {
                Callable::Builtin(function)
            } else if let Some(function) = Function::cast(callable) {
                Callable::Python(function)
            } else if has_feature(callable, ffi::Py_TPFLAGS_TYPE_SUBCLASS) {
                Callable::Class(callable.cast())
            } else if let Some(descriptor) = MethodDescriptor::cast(callable) {
                Callable::BuiltinMethod(descriptor)
            } else if let Some(method) = Method::cast(callable) {
                Function::cast(method.function()).map_or(Callable::BoundOther, Callable::BoundPython)
            } else {
                Callable::Other
            }
        }
    }
}

/// The instruction and its arguments.
#[derive(Debug, Clone, Copy)]
struct Call {
    instr: CodeUnit,
    /// The instruction's argument without EXTENDED_ARG: the number of values after the callable and its
    /// receiver.
    values: usize,
    /// Number of arguments, the receiver included.
    arguments: c_int,
}

impl Call {
    /// # Safety
    /// As the module says; `self` is the instruction that the thread executes.
    unsafe fn decide(self, callable: *mut PyObject) -> Decision {
        // SAFETY: the callable is live, and `self` is the executed instruction (caller).
        unsafe {
            match Callable::of(callable) {
                Callable::Builtin(function) => self.builtin(function),
                Callable::Python(function) => {
                    self.python(function, self.arguments, CALL_PY_EXACT_ARGS, CALL_PY_GENERAL)
                }
                Callable::BoundPython(function) => self.python(
                    function,
                    self.arguments + 1,
                    CALL_BOUND_METHOD_EXACT_ARGS,
                    CALL_BOUND_METHOD_GENERAL,
                ),
                Callable::BoundOther => Err(Refusal::BoundMethodOfOther),
                Callable::Class(class) => self.class(class),
                Callable::BuiltinMethod(method) => self.builtin_method(method),
                Callable::Other => Ok(Form::plain(CALL_NON_PY_GENERAL)),
            }
        }
    }

    /// The form for a Python function: `exact` if each of the `arguments` is a parameter, in this order,
    /// otherwise `general`.
    ///
    /// # Safety
    /// As the module says.
    unsafe fn python(self, function: Function, arguments: c_int, exact: u8, general: u8) -> Decision {
        // SAFETY: the function is live and the thread attached (caller).
        unsafe {
            let version = version_of_python_function(function)?;
            let parameters = simple_parameters(function.code());
            let opcode = if parameters == Ok(arguments) { exact } else { general };
            Ok(Form { opcode, cache: Cache::Function(version) })
        }
    }

    /// The form for a C function.
    ///
    /// # Safety
    /// As the module says.
    unsafe fn builtin(self, function: CFunction) -> Decision {
        // SAFETY: the function is live and the thread attached (caller).
        unsafe {
            let known = &(*ThreadState::current().interp()).callable_cache;
            if !function.definition().has_function() {
                return Err(Refusal::NoFormForOperands);
            }
            Ok(Form::plain(match function.definition().convention() {
                ONE_ARGUMENT if self.arguments != 1 => return Err(Refusal::WrongNumberOfArguments),
                ONE_ARGUMENT if function.object() == known.len && self.values == 1 => CALL_LEN,
                ONE_ARGUMENT => CALL_BUILTIN_O,
                FAST if function.object() == known.isinstance && self.arguments == 2 => CALL_ISINSTANCE,
                FAST => CALL_BUILTIN_FAST,
                FAST_WITH_KEYWORDS => CALL_BUILTIN_FAST_WITH_KEYWORDS,
                _ => CALL_NON_PY_GENERAL,
            }))
        }
    }

    /// The form for a method descriptor of a C type. The receiver is among the arguments.
    ///
    /// # Safety
    /// As the module says; `self` is the instruction that the thread executes.
    unsafe fn builtin_method(self, method: MethodDescriptor) -> Decision {
        // SAFETY: the method is live, the thread attached, and `self` the executed instruction (caller).
        unsafe {
            let known = &(*ThreadState::current().interp()).callable_cache;
            let is_append = method.object() == known.list_append;
            Ok(Form::plain(match method.definition().convention() {
                NO_ARGUMENTS if self.arguments != 1 => return Err(Refusal::WrongNumberOfArguments),
                NO_ARGUMENTS => CALL_METHOD_DESCRIPTOR_NOARGS,
                ONE_ARGUMENT if self.arguments != 2 => return Err(Refusal::WrongNumberOfArguments),
                ONE_ARGUMENT if is_append && self.values == 1 && self.result_is_dropped() => CALL_LIST_APPEND,
                ONE_ARGUMENT => CALL_METHOD_DESCRIPTOR_O,
                FAST => CALL_METHOD_DESCRIPTOR_FAST,
                FAST_WITH_KEYWORDS => CALL_METHOD_DESCRIPTOR_FAST_WITH_KEYWORDS,
                _ => CALL_NON_PY_GENERAL,
            }))
        }
    }

    /// Whether a POP_TOP follows.
    ///
    /// # Safety
    /// `self.instr` is a CALL in live bytecode.
    unsafe fn result_is_dropped(self) -> bool {
        const LENGTH: isize = 1 + (size_of::<ffi::_PyCallCache>() / size_of::<ffi::_Py_CODEUNIT>()) as isize;
        // SAFETY: a CALL is not the last instruction of its code (caller).
        unsafe { self.instr.add(LENGTH).opcode() == POP_TOP }
    }

    /// The form for a class.
    ///
    /// # Safety
    /// As the module says.
    unsafe fn class(self, class: *mut PyTypeObject) -> Decision {
        // SAFETY: the class is live and the thread attached (caller).
        unsafe {
            if type_flags(class) & ffi::Py_TPFLAGS_IMMUTABLETYPE != 0 {
                return Ok(Form::plain(self.builtin_class(class)));
            }
            let plain = is_exact(class.cast(), &raw mut ffi::PyType_Type) && has_plain_new(class);
            match if plain { initializer(class)? } else { None } {
                Some((init, version)) if cache_initializer(class, &init, version) => {
                    Ok(Form { opcode: CALL_ALLOC_AND_ENTER_INIT, cache: Cache::Type(version) })
                }
                _ => Ok(Form::plain(CALL_NON_PY_GENERAL)),
            }
        }
    }

    /// The form for an immutable class.
    ///
    /// # Safety
    /// As the module says.
    unsafe fn builtin_class(self, class: *mut PyTypeObject) -> u8 {
        if self.arguments == 1 && self.values == 1 {
            if class == &raw mut ffi::PyUnicode_Type {
                return CALL_STR_1;
            } else if class == &raw mut ffi::PyType_Type {
                return CALL_TYPE_1;
            } else if class == &raw mut ffi::PyTuple_Type {
                return CALL_TUPLE_1;
            }
        }
        // SAFETY: the class is live (caller).
        if unsafe { (*class).tp_vectorcall.is_some() } { CALL_BUILTIN_CLASS } else { CALL_NON_PY_GENERAL }
    }
}

/// The version of a function that can be called without leaving the evaluator.
///
/// # Safety
/// As the module says.
pub(super) unsafe fn version_of_python_function(function: Function) -> Result<FunctionVersion, Refusal> {
    // SAFETY: the function is live and the thread attached (caller).
    unsafe {
        default_evaluator()?;
        if !function.runs_its_code() {
            return Err(Refusal::OwnVectorcall);
        }
        if simple_parameters(function.code()) == Err(Refusal::NotOptimized) {
            return Err(Refusal::NotOptimized);
        }
        version(function)
    }
}

/// Whether the class has the `__new__` of `object`.
///
/// # Safety
/// As the module says.
unsafe fn has_plain_new(class: *mut PyTypeObject) -> bool {
    // SAFETY: the class is live (caller), and `object` is a static of the host.
    unsafe {
        (*class).tp_new.map(|new| new as usize) == ffi::PyBaseObject_Type.tp_new.map(|new| new as usize)
    }
}

/// The `__init__` of a class with the `__new__` of `object`, and the version of the class; none if it is not
/// a Python function with simple parameters.
///
/// # Safety
/// As the module says.
unsafe fn initializer(class: *mut PyTypeObject) -> Result<Option<(Owned, TypeVersion)>, Refusal> {
    // SAFETY: the class is live and the thread attached (caller).
    unsafe {
        let plain_alloc = (*class).tp_alloc.is_some_and(|alloc| {
            fn_addr_eq(alloc, ffi::PyType_GenericAlloc as unsafe extern "C" fn(_, _) -> _)
        });
        if !plain_alloc || type_flags(class) & ffi::Py_TPFLAGS_HEAPTYPE == 0 {
            return Err(Refusal::Overridden);
        }
        let (init, version) = descriptor::lookup(class, id!(_py___init__));
        let version = version.ok_or(Refusal::OutOfVersions)?;
        let is_simple = |init: &Owned| {
            Function::cast(init.as_ptr()).is_some_and(|function| simple_parameters(function.code()).is_ok())
        };
        Ok(init.filter(is_simple).map(|init| (init, version)))
    }
}

/// Stores the `__init__` in the class, for the form to find. Returns false if the class has changed
/// meanwhile.
///
/// # Safety
/// As the module says; `class` is a heap type.
unsafe fn cache_initializer(class: *mut PyTypeObject, init: &Owned, version: TypeVersion) -> bool {
    // SAFETY: the class is a live heap type, and `init` is owned (caller).
    unsafe { ffi::_PyType_CacheInitForSpecialization(class.cast(), init.as_ptr(), version.get()) != 0 }
}

/// Specializes a CALL with `arguments` arguments, the receiver included.
///
/// # Safety
/// As the module says.
pub(crate) unsafe fn specialize(callable: StackRef, instr: CodeUnit, arguments: c_int) {
    // SAFETY: the callable is live, and `instr` is a CALL (caller).
    unsafe {
        let call = Call { instr, values: instr.decode().1, arguments };
        conclude(instr, call.decide(callable.object()));
    }
}
