//! Functions and types of the host whose work machine code does itself.

use core::ffi::CStr;

use super::function::{CFunction, MethodDescriptor};
use super::{PyObject, ffi};

/// A function or type of the host that machine code knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum KnownFunction {
    /// The type `float`.
    Float = 1,
    /// The type `int`.
    Int,
    /// The method `dict.get`.
    DictGet,
    Abs,
    Chr,
    Id,
    Max,
    Min,
    Ord,
    Atan,
    Ceil,
    Cos,
    Exp,
    Fabs,
    Floor,
    Sin,
    Sqrt,
    Tan,
}

/// The functions of a module, by their names.
type Functions = &'static [(&'static CStr, KnownFunction)];

const BUILTINS: Functions = &[
    (c"abs", KnownFunction::Abs),
    (c"chr", KnownFunction::Chr),
    (c"id", KnownFunction::Id),
    (c"max", KnownFunction::Max),
    (c"min", KnownFunction::Min),
    (c"ord", KnownFunction::Ord),
];

const MATH: Functions = &[
    (c"atan", KnownFunction::Atan),
    (c"ceil", KnownFunction::Ceil),
    (c"cos", KnownFunction::Cos),
    (c"exp", KnownFunction::Exp),
    (c"fabs", KnownFunction::Fabs),
    (c"floor", KnownFunction::Floor),
    (c"sin", KnownFunction::Sin),
    (c"sqrt", KnownFunction::Sqrt),
    (c"tan", KnownFunction::Tan),
];

const MODULES: &[(&CStr, Functions)] = &[(c"builtins", BUILTINS), (c"math", MATH)];

impl KnownFunction {
    /// The function with this number.
    pub(crate) fn from_number(number: u8) -> Option<KnownFunction> {
        [KnownFunction::Float, KnownFunction::Int, KnownFunction::DictGet]
            .into_iter()
            .chain(MODULES.iter().flat_map(|(_, functions)| *functions).map(|&(_, function)| function))
            .find(|&function| function as u8 == number)
    }

    /// Whether it is a type, not a function.
    pub(crate) fn is_type(self) -> bool {
        matches!(self, KnownFunction::Float | KnownFunction::Int)
    }
}

/// Which function `callable` is, and the address that stands for it: that of the type, or of the function's definition. Both are
/// statics of the host, or of one of its modules. `None` if it is another one.
///
/// # Safety
/// The thread is attached, and the object live.
pub(crate) unsafe fn known_function(callable: *mut PyObject) -> Option<(KnownFunction, usize)> {
    if callable == (&raw mut ffi::PyFloat_Type).cast() {
        return Some((KnownFunction::Float, callable.addr()));
    }
    if callable == (&raw mut ffi::PyLong_Type).cast() {
        return Some((KnownFunction::Int, callable.addr()));
    }
    // SAFETY: the object is live (caller). A function of a module has the module as its receiver. Names are C strings.
    unsafe {
        if let Some(method) = MethodDescriptor::cast(callable) {
            let address = method.definition().address().get();
            return method.is_dict_get().then_some((KnownFunction::DictGet, address));
        }
        let function = CFunction::cast(callable)?;
        let module_name = function.module_name()?;
        let (_, functions) = MODULES.iter().find(|(name, _)| *name == module_name)?;
        let name = function.definition().name();
        let &(_, known) = functions.iter().find(|&&(other, _)| other == name)?;
        Some((known, function.definition().address().get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_numbers() {
        for (_, functions) in MODULES {
            for &(_, function) in *functions {
                assert_eq!(KnownFunction::from_number(function as u8), Some(function));
                assert!(!function.is_type());
            }
        }
        for other in [KnownFunction::Float, KnownFunction::Int, KnownFunction::DictGet] {
            assert_eq!(KnownFunction::from_number(other as u8), Some(other));
        }
        assert_eq!(KnownFunction::from_number(0), None);
    }
}
