//! The TypeErrors for calls whose arguments do not match the parameters. Every function that returns
//! `Result<(), Raised>` fails when its fault is present: with TypeError, or with an exception raised while the
//! message is made.
//!
//! `# Safety` of all: the thread is attached and its frames are published, since making a message may run Python
//! code. `frame` is the live frame of the call, not linked yet, and belongs to a function; each of its locals holds
//! a reference or null. Keywords are live.

use core::ffi::CStr;
use core::ops::Range;

use super::parameters;
use crate::host::object::{size, tuple_item, tuple_size};
use crate::host::owned::check;
use crate::host::{Frame, Owned, PyObject, PyResult, Raised, ffi};
use crate::raise;

/// The name of the function for messages, borrowed.
///
/// # Safety
/// As the module says.
unsafe fn name_of_function(frame: Frame) -> *mut PyObject {
    // SAFETY: the frame belongs to a function (caller).
    unsafe { (*frame.function()).func_qualname }
}

/// The ending of the plural.
fn plural(count: usize) -> *const core::ffi::c_char {
    if count == 1 { c"".as_ptr() } else { c"s".as_ptr() }
}

/// A new string (`PyUnicode_FromFormat`).
macro_rules! text {
    ($format:literal $(, $argument:expr)* $(,)?) => {
        Owned::from_host(ffi::PyUnicode_FromFormat($format.as_ptr() $(, $argument)*))
    };
}

/// Joins the strings in a list with commas.
///
/// # Safety
/// The thread is attached, and `list` is a list of strings.
unsafe fn join(list: &Owned) -> PyResult {
    // SAFETY: the thread is attached and `list` is a list of strings (caller). `text!` and `join` return new
    // references or null with an exception.
    unsafe {
        let comma = text!(c", ")?;
        Owned::from_host(ffi::PyUnicode_Join(comma.as_ptr(), list.as_ptr()))
    }
}

/// A keyword is not a string, as in `f(**{1: 2})`. Always fails.
///
/// # Safety
/// As the module says.
#[cold]
#[inline(never)]
pub(super) unsafe fn keyword_is_not_a_string(frame: Frame) -> Result<(), Raised> {
    // SAFETY: the frame belongs to a function (caller); the arguments match the format.
    Err(unsafe { raise!(PyExc_TypeError, c"%U() keywords must be strings", name_of_function(frame)) })
}

/// A keyword names a parameter that already has a value. Always fails.
///
/// # Safety
/// As the module says.
#[cold]
#[inline(never)]
pub(super) unsafe fn multiple_values(frame: Frame, keyword: *mut PyObject) -> Result<(), Raised> {
    // SAFETY: the frame belongs to a function (caller); the arguments match the format.
    Err(unsafe {
        raise!(
            PyExc_TypeError,
            c"%U() got multiple values for argument '%S'",
            name_of_function(frame),
            keyword
        )
    })
}

/// A keyword names no parameter that may be passed by keyword, and there is no `**kwargs`. If any keyword of
/// the call names a positional-only parameter, the message says that instead. Always fails.
///
/// # Safety
/// As the module says.
#[cold]
#[inline(never)]
pub(super) unsafe fn unexpected_keyword(
    frame: Frame,
    keywords: &[*mut PyObject],
    keyword: *mut PyObject,
) -> Result<(), Raised> {
    // SAFETY: the frame belongs to a function and the keywords are live (caller); the arguments match the
    // formats.
    unsafe {
        positional_only_as_keyword(frame, keywords)?;
        let function = name_of_function(frame);
        Err(match similar_parameter(frame, keyword) {
            Some(parameter) => raise!(
                PyExc_TypeError,
                c"%U() got an unexpected keyword argument '%S'. Did you mean '%S'?",
                function,
                keyword,
                parameter.as_ptr()
            ),
            None => {
                raise!(PyExc_TypeError, c"%U() got an unexpected keyword argument '%S'", function, keyword)
            }
        })
    }
}

/// Fails if any of the keywords names a positional-only parameter.
///
/// # Safety
/// As the module says.
unsafe fn positional_only_as_keyword(frame: Frame, keywords: &[*mut PyObject]) -> Result<(), Raised> {
    // SAFETY: the frame belongs to a function and the keywords are live (caller); the arguments match the
    // format.
    unsafe {
        let code = frame.code();
        let count = (*code.as_ptr()).co_posonlyargcount as usize;
        if count == 0 {
            return Ok(());
        }
        let conflicts = Owned::from_host(ffi::PyList_New(0))?;
        for &parameter in parameters(code).iter().take(count) {
            for &keyword in keywords {
                let is_same = keyword == parameter
                    || check(ffi::PyObject_RichCompareBool(parameter, keyword, ffi::Py_EQ as i32))? != 0;
                if is_same {
                    check(ffi::PyList_Append(conflicts.as_ptr(), keyword))?;
                }
            }
        }
        if size(conflicts.as_ptr()) == 0 {
            return Ok(());
        }
        let names = join(&conflicts)?;
        Err(raise!(
            PyExc_TypeError,
            c"%U() got some positional-only arguments passed as keyword arguments: '%U'",
            name_of_function(frame),
            names.as_ptr()
        ))
    }
}

/// The name of a parameter that resembles `keyword`. Returns `None` on errors, too, and clears the exception:
/// the message does without a suggestion.
///
/// # Safety
/// As the module says.
unsafe fn similar_parameter(frame: Frame, keyword: *mut PyObject) -> Option<Owned> {
    // SAFETY: the frame belongs to a function and the keyword is live (caller); `first` and `end` are within
    // the tuple of names.
    unsafe {
        let code = frame.code();
        let (first, end) = ((*code.as_ptr()).co_posonlyargcount as usize, parameters(code).len());
        if first >= end {
            return None;
        }
        let names = (*code.as_ptr()).co_localsplusnames;
        let candidates = Owned::from_host(ffi::PyTuple_GetSlice(names, first as isize, end as isize))
            .and_then(|names| Owned::from_host(ffi::PySequence_List(names.as_ptr())));
        match candidates {
            Ok(candidates) => Owned::optional(ffi::_Py_CalculateSuggestions(candidates.as_ptr(), keyword)),
            Err(Raised) => {
                ffi::PyErr_Clear();
                None
            }
        }
    }
}

/// The call has more positional arguments than the function has parameters for them. Always fails.
///
/// # Safety
/// As the module says.
#[cold]
#[inline(never)]
pub(super) unsafe fn too_many_positional(frame: Frame, given: usize) -> Result<(), Raised> {
    // SAFETY: the frame belongs to a function and all its locals hold a reference or null (caller); the
    // arguments match the formats.
    unsafe {
        let code = frame.code();
        let positional = (*code.as_ptr()).co_argcount as usize;
        let keyword_only =
            (positional..parameters(code).len()).filter(|&index| !frame.local(index).is_null()).count();
        let defaults = (*frame.function()).func_defaults;
        let defaults = if defaults.is_null() { 0 } else { tuple_size(defaults) };
        let (takes, ending) = if defaults > 0 {
            let least = positional as isize - defaults as isize;
            (text!(c"from %zd to %zd", least, positional)?, c"s".as_ptr())
        } else {
            (text!(c"%zd", positional)?, plural(positional))
        };
        let besides = if keyword_only > 0 {
            text!(
                c" positional argument%s (and %zd keyword-only argument%s)",
                plural(given),
                keyword_only,
                plural(keyword_only)
            )?
        } else {
            text!(c"")?
        };
        let were = if given == 1 && keyword_only == 0 { c"was" } else { c"were" };
        Err(raise!(
            PyExc_TypeError,
            c"%U() takes %U positional argument%s but %zd%U %s given",
            name_of_function(frame),
            takes.as_ptr(),
            ending,
            given,
            besides.as_ptr(),
            were.as_ptr()
        ))
    }
}

/// The parameters in `range` whose locals are null have no value; `kind` says in the message what they are.
/// Always fails.
///
/// # Safety
/// As the module says. `range` is within the parameters, and at least one local in it is null.
#[cold]
#[inline(never)]
pub(super) unsafe fn missing(frame: Frame, range: Range<usize>, kind: &CStr) -> Result<(), Raised> {
    // SAFETY: the frame has the locals of the range (caller), and one of them is null, so `names` is not empty;
    // the arguments match the format.
    unsafe {
        let names = Owned::from_host(ffi::PyList_New(0))?;
        for index in range.filter(|&index| frame.local(index).is_null()) {
            let name = tuple_item((*frame.code().as_ptr()).co_localsplusnames, index);
            let name = Owned::from_host(ffi::PyObject_Repr(name))?;
            check(ffi::PyList_Append(names.as_ptr(), name.as_ptr()))?;
        }
        let count = size(names.as_ptr()) as usize;
        let names = enumeration(&names)?;
        Err(raise!(
            PyExc_TypeError,
            c"%U() missing %zd required %s argument%s: %U",
            name_of_function(frame),
            count,
            kind.as_ptr(),
            plural(count),
            names.as_ptr()
        ))
    }
}

/// Joins the strings in a list as in a sentence: `a`, `a and b`, `a, b, and c`.
///
/// # Safety
/// The thread is attached, and `list` is a list of strings that is not empty.
unsafe fn enumeration(list: &Owned) -> PyResult {
    // SAFETY: the thread is attached and the list not empty (caller), so the indices are valid.
    unsafe {
        let count = size(list.as_ptr());
        let item = |index| ffi::PyList_GetItem(list.as_ptr(), index);
        match count {
            1 => Ok(Owned::new_ref(item(0))),
            2 => text!(c"%U and %U", item(0), item(1)),
            _ => {
                let first = Owned::from_host(ffi::PyList_GetSlice(list.as_ptr(), 0, count - 2))?;
                let first = join(&first)?;
                text!(c"%U, %U, and %U", first.as_ptr(), item(count - 2), item(count - 1))
            }
        }
    }
}
