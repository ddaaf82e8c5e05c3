//! Functions and methods of the host that run no Python code, look at no frame, and handle no signals: machine code calls them
//! without bringing the program's frames up to date. They may raise an exception.

use core::ffi::CStr;

use super::function::{CFunction, Definition, MethodDescriptor};
use super::object::{is_exact, long_is_compact, type_of};
use super::{PyObject, PyTypeObject, ffi, none};

/// A function that is quiet for some arguments.
#[derive(Debug)]
pub(crate) struct QuietFunction {
    pub(crate) owner: Owner,
    name: &'static CStr,
    accepts: Accepts,
    pub(crate) result: ResultKind,
}

/// What a function belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    Bytes,
    Dict,
    Float,
    Int,
    List,
    Str,
    Builtins,
    Math,
    Posix,
}

impl Owner {
    /// The type whose method it is, and of which its receiver must exactly be.
    pub(crate) fn type_(self) -> Option<*mut PyTypeObject> {
        Some(match self {
            Owner::Bytes => &raw mut ffi::PyBytes_Type,
            Owner::Dict => &raw mut ffi::PyDict_Type,
            Owner::Float => &raw mut ffi::PyFloat_Type,
            Owner::Int => &raw mut ffi::PyLong_Type,
            Owner::List => &raw mut ffi::PyList_Type,
            Owner::Str => &raw mut ffi::PyUnicode_Type,
            Owner::Builtins | Owner::Math | Owner::Posix => return None,
        })
    }

    /// The name of the module that it belongs to.
    fn module(self) -> Option<&'static CStr> {
        match self {
            Owner::Builtins => Some(c"builtins"),
            Owner::Math => Some(c"math"),
            Owner::Posix => Some(c"posix"),
            _ => None,
        }
    }
}

/// The arguments for which a function is quiet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Accepts {
    Nothing,
    /// Strings, bytes, ints of one digit, floats, truth values, None, and tuples.
    Plain,
    /// Bytes, ints of one digit, and None.
    Bytes,
    /// Ints of one digit, and floats.
    Numbers,
    Strings,
    /// Classes without a metaclass.
    Classes,
    /// A list or tuple.
    Sequence,
    /// An index, and any object.
    IndexAndAnything,
    Anything,
}

/// What a function returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ResultKind {
    Bool,
    Int,
    Float,
    Str,
    List,
    Tuple,
    Other,
    /// An object that the receiver has held until now.
    Taken,
}

/// What an argument was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum ArgumentKind {
    Other,
    /// One of one digit.
    Int,
    Float,
    Bool,
    Str,
    Bytes,
    None,
    List,
    Tuple,
    /// A class whose type is `type`.
    Class,
}

impl ArgumentKind {
    pub(crate) const ALL: [ArgumentKind; 10] = [
        ArgumentKind::Other,
        ArgumentKind::Int,
        ArgumentKind::Float,
        ArgumentKind::Bool,
        ArgumentKind::Str,
        ArgumentKind::Bytes,
        ArgumentKind::None,
        ArgumentKind::List,
        ArgumentKind::Tuple,
        ArgumentKind::Class,
    ];

    /// # Safety
    /// The object is live.
    pub(crate) unsafe fn of(object: *mut PyObject) -> ArgumentKind {
        if object == none() {
            return ArgumentKind::None;
        }
        // SAFETY: the object is live (caller).
        unsafe {
            let is = |kind: &ArgumentKind| kind.type_().is_some_and(|type_| is_exact(object, type_));
            match ArgumentKind::ALL.into_iter().find(is) {
                Some(ArgumentKind::Int) if !long_is_compact(object) => ArgumentKind::Other,
                kind => kind.unwrap_or(ArgumentKind::Other),
            }
        }
    }

    /// The type of such an object, if it has only one.
    pub(crate) fn type_(self) -> Option<*mut PyTypeObject> {
        Some(match self {
            ArgumentKind::Other | ArgumentKind::None => return None,
            ArgumentKind::Int => &raw mut ffi::PyLong_Type,
            ArgumentKind::Float => &raw mut ffi::PyFloat_Type,
            ArgumentKind::Bool => &raw mut ffi::PyBool_Type,
            ArgumentKind::Str => &raw mut ffi::PyUnicode_Type,
            ArgumentKind::Bytes => &raw mut ffi::PyBytes_Type,
            ArgumentKind::List => &raw mut ffi::PyList_Type,
            ArgumentKind::Tuple => &raw mut ffi::PyTuple_Type,
            ArgumentKind::Class => &raw mut ffi::PyType_Type,
        })
    }

    fn is_number(self) -> bool {
        matches!(self, ArgumentKind::Int | ArgumentKind::Float)
    }

    fn is_sequence(self) -> bool {
        matches!(self, ArgumentKind::List | ArgumentKind::Tuple)
    }
}

impl Accepts {
    fn all(self, kinds: &[ArgumentKind]) -> bool {
        match self {
            Accepts::Nothing => kinds.is_empty(),
            Accepts::Plain => {
                let other = [ArgumentKind::Other, ArgumentKind::List, ArgumentKind::Class];
                kinds.iter().all(|kind| !other.contains(kind))
            }
            Accepts::Bytes => kinds
                .iter()
                .all(|kind| matches!(kind, ArgumentKind::Bytes | ArgumentKind::Int | ArgumentKind::None)),
            Accepts::Numbers => kinds.iter().all(|kind| kind.is_number()),
            Accepts::Strings => kinds.iter().all(|kind| *kind == ArgumentKind::Str),
            Accepts::Classes => kinds.iter().all(|kind| *kind == ArgumentKind::Class),
            Accepts::Sequence => kinds.iter().all(|kind| kind.is_sequence()),
            Accepts::IndexAndAnything => kinds.first() == Some(&ArgumentKind::Int),
            Accepts::Anything => true,
        }
    }
}

/// A quiet function that was found.
pub(crate) struct Quiet {
    /// Its number.
    pub(crate) index: usize,
    pub(crate) definition: Definition,
    /// It is a method whose receiver the callable has.
    pub(crate) is_bound: bool,
}

const fn row(owner: Owner, name: &'static CStr, accepts: Accepts, result: ResultKind) -> QuietFunction {
    QuietFunction { owner, name, accepts, result }
}

/// All of them.
static FUNCTIONS: &[QuietFunction] = &[
    row(Owner::Bytes, c"decode", Accepts::Nothing, ResultKind::Str),
    row(Owner::Bytes, c"endswith", Accepts::Bytes, ResultKind::Bool),
    row(Owner::Bytes, c"find", Accepts::Bytes, ResultKind::Int),
    row(Owner::Bytes, c"hex", Accepts::Nothing, ResultKind::Str),
    row(Owner::Bytes, c"startswith", Accepts::Bytes, ResultKind::Bool),
    row(Owner::Dict, c"copy", Accepts::Nothing, ResultKind::Other),
    row(Owner::Dict, c"items", Accepts::Nothing, ResultKind::Other),
    row(Owner::Dict, c"keys", Accepts::Nothing, ResultKind::Other),
    row(Owner::Dict, c"values", Accepts::Nothing, ResultKind::Other),
    row(Owner::Float, c"is_integer", Accepts::Nothing, ResultKind::Bool),
    row(Owner::Int, c"bit_count", Accepts::Nothing, ResultKind::Int),
    row(Owner::Int, c"bit_length", Accepts::Nothing, ResultKind::Int),
    row(Owner::List, c"append", Accepts::Anything, ResultKind::Other),
    row(Owner::List, c"copy", Accepts::Nothing, ResultKind::List),
    row(Owner::List, c"extend", Accepts::Sequence, ResultKind::Other),
    row(Owner::List, c"insert", Accepts::IndexAndAnything, ResultKind::Other),
    row(Owner::List, c"pop", Accepts::Numbers, ResultKind::Taken),
    row(Owner::List, c"reverse", Accepts::Nothing, ResultKind::Other),
    row(Owner::Str, c"capitalize", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"casefold", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"center", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"count", Accepts::Plain, ResultKind::Int),
    row(Owner::Str, c"encode", Accepts::Nothing, ResultKind::Other),
    row(Owner::Str, c"endswith", Accepts::Plain, ResultKind::Bool),
    row(Owner::Str, c"find", Accepts::Plain, ResultKind::Int),
    row(Owner::Str, c"index", Accepts::Plain, ResultKind::Int),
    row(Owner::Str, c"isalnum", Accepts::Plain, ResultKind::Bool),
    row(Owner::Str, c"isalpha", Accepts::Plain, ResultKind::Bool),
    row(Owner::Str, c"isascii", Accepts::Plain, ResultKind::Bool),
    row(Owner::Str, c"isdecimal", Accepts::Plain, ResultKind::Bool),
    row(Owner::Str, c"isdigit", Accepts::Plain, ResultKind::Bool),
    row(Owner::Str, c"isidentifier", Accepts::Plain, ResultKind::Bool),
    row(Owner::Str, c"islower", Accepts::Plain, ResultKind::Bool),
    row(Owner::Str, c"isspace", Accepts::Plain, ResultKind::Bool),
    row(Owner::Str, c"isupper", Accepts::Plain, ResultKind::Bool),
    row(Owner::Str, c"join", Accepts::Sequence, ResultKind::Str),
    row(Owner::Str, c"ljust", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"lower", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"lstrip", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"partition", Accepts::Plain, ResultKind::Tuple),
    row(Owner::Str, c"removeprefix", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"removesuffix", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"replace", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"rfind", Accepts::Plain, ResultKind::Int),
    row(Owner::Str, c"rindex", Accepts::Plain, ResultKind::Int),
    row(Owner::Str, c"rjust", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"rpartition", Accepts::Plain, ResultKind::Tuple),
    row(Owner::Str, c"rsplit", Accepts::Plain, ResultKind::List),
    row(Owner::Str, c"rstrip", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"split", Accepts::Plain, ResultKind::List),
    row(Owner::Str, c"splitlines", Accepts::Plain, ResultKind::List),
    row(Owner::Str, c"startswith", Accepts::Plain, ResultKind::Bool),
    row(Owner::Str, c"strip", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"swapcase", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"title", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"upper", Accepts::Plain, ResultKind::Str),
    row(Owner::Str, c"zfill", Accepts::Plain, ResultKind::Str),
    row(Owner::Builtins, c"bin", Accepts::Numbers, ResultKind::Str),
    row(Owner::Builtins, c"callable", Accepts::Anything, ResultKind::Bool),
    row(Owner::Builtins, c"divmod", Accepts::Numbers, ResultKind::Tuple),
    row(Owner::Builtins, c"hex", Accepts::Numbers, ResultKind::Str),
    row(Owner::Builtins, c"issubclass", Accepts::Classes, ResultKind::Bool),
    row(Owner::Builtins, c"round", Accepts::Numbers, ResultKind::Other),
    row(Owner::Math, c"atan2", Accepts::Numbers, ResultKind::Float),
    row(Owner::Math, c"copysign", Accepts::Numbers, ResultKind::Float),
    row(Owner::Math, c"degrees", Accepts::Numbers, ResultKind::Float),
    row(Owner::Math, c"fmod", Accepts::Numbers, ResultKind::Float),
    row(Owner::Math, c"gcd", Accepts::Numbers, ResultKind::Int),
    row(Owner::Math, c"hypot", Accepts::Numbers, ResultKind::Float),
    row(Owner::Math, c"isfinite", Accepts::Numbers, ResultKind::Bool),
    row(Owner::Math, c"isinf", Accepts::Numbers, ResultKind::Bool),
    row(Owner::Math, c"isnan", Accepts::Numbers, ResultKind::Bool),
    row(Owner::Math, c"isqrt", Accepts::Numbers, ResultKind::Int),
    row(Owner::Math, c"log", Accepts::Numbers, ResultKind::Float),
    row(Owner::Math, c"log10", Accepts::Numbers, ResultKind::Float),
    row(Owner::Math, c"log2", Accepts::Numbers, ResultKind::Float),
    row(Owner::Math, c"pow", Accepts::Numbers, ResultKind::Float),
    row(Owner::Math, c"radians", Accepts::Numbers, ResultKind::Float),
    row(Owner::Posix, c"fspath", Accepts::Strings, ResultKind::Str),
];

impl QuietFunction {
    /// The function with this number.
    pub(crate) fn by_index(index: usize) -> Option<&'static QuietFunction> {
        FUNCTIONS.get(index)
    }

    /// What `callable` is. The receiver of a method must be exactly of its type.
    ///
    /// # Safety
    /// The thread is attached. The callable is live, and so is the receiver, unless it is null.
    pub(crate) unsafe fn find(callable: *mut PyObject, receiver: *mut PyObject) -> Option<Quiet> {
        // SAFETY: the objects are live (caller), and the callable keeps its definition and its own receiver alive.
        unsafe {
            let (definition, module, type_) = match MethodDescriptor::cast(callable) {
                Some(method) => {
                    let is_of = !receiver.is_null() && method.is_of(receiver);
                    (method.definition(), None, Some(is_of.then(|| type_of(receiver))?))
                }
                None => {
                    let function = CFunction::cast(callable).filter(|_| receiver.is_null())?;
                    let module = function.module_name();
                    let type_ = match module {
                        Some(_) => None,
                        None if function.receiver().is_null() => return None,
                        None => Some(type_of(function.receiver())),
                    };
                    (function.definition(), module, type_)
                }
            };
            let name = definition.name();
            let is_it = |row: &QuietFunction| {
                row.name == name && row.owner.type_() == type_ && row.owner.module() == module
            };
            let index = FUNCTIONS.iter().position(is_it)?;
            Some(Quiet { index, definition, is_bound: receiver.is_null() && type_.is_some() })
        }
    }

    /// Whether the function is quiet for such arguments.
    pub(crate) fn is_quiet_for(&self, kinds: &[ArgumentKind]) -> bool {
        self.accepts.all(kinds)
    }
}
