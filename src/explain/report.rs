//! What is known of a run, as a Python dictionary.

use core::ffi::CStr;

use super::State;
use super::kinds::Kind;
use super::notes::Reasons;
use crate::host::owned::check;
use crate::host::{Owned, PyObject, PyResult, ffi, none};

/// Returns a new dictionary:
/// - `kinds`: the names of what a line can be in
/// - `total`, `elsewhere`: the number of samples, and of those in threads without Python code
/// - `without_place`: the samples of each kind whose place is not known
/// - `codes`: for each code object itself or None, the file, the qualified name, the first line
/// - `places`: for each the index of its code object, the offset in units or -1, the line or 0, the samples of each kind
/// - `attempts`: of each attempt to make a trace the index of the place where it began, and where it ended or -1, the outcome,
///   a detail or None, how often
/// - `exits`: the index of the place where the program went on, names of reasons, a detail or None, how often
///
/// # Safety
/// The thread is attached. Live code objects in the state are live.
pub(super) unsafe fn make(state: &State) -> PyResult {
    // SAFETY: the thread is attached (caller); formats agree with the arguments.
    unsafe {
        let dict = Owned::from_host(ffi::PyDict_New())?;
        let set = |name: &CStr, value: PyResult| {
            check(ffi::PyDict_SetItemString(dict.as_ptr(), name.as_ptr(), value?.as_ptr()))
        };
        set(c"kinds", list(Kind::ALL.iter().map(|(_, name)| text(name))))?;
        set(c"total", number(state.samples.total))?;
        set(c"elsewhere", number(state.samples.elsewhere))?;
        set(c"without_place", counts(&state.samples.without_place))?;
        let codes = state.places.codes.iter().map(|facts| {
            let code = facts.code.map_or(none(), |code| code.object());
            let code = Ok(Owned::new_ref(code));
            list([code, string(&facts.file), string(&facts.name), number(facts.first_line as u64)])
        });
        set(c"codes", list(codes))?;
        let places = state.places.places.iter().map(|place| {
            let offset = Owned::from_host(ffi::PyLong_FromLong(place.offset.into()));
            list([number(place.code.into()), offset, number(place.line as u64), counts(&place.counts)])
        });
        set(c"places", list(places))?;
        let attempts = state.notes.attempts.iter().map(|(attempt, &count)| {
            let end = attempt.end.map_or(-1, |place| place.index() as i64);
            list([
                number(attempt.start.index() as u64),
                Owned::from_host(ffi::PyLong_FromLongLong(end)),
                text(attempt.outcome),
                optional(&attempt.detail),
                number(count),
            ])
        });
        set(c"attempts", list(attempts))?;
        let exits = state.notes.exits().map(|(exit, count)| {
            let names = Reasons::NAMES.iter().filter(|(reason, _)| exit.reasons.has(*reason));
            let names = list(names.map(|(_, name)| text(name)));
            list([number(exit.place.index() as u64), names, optional(&exit.detail), number(count)])
        });
        set(c"exits", list(exits))?;
        Ok(dict)
    }
}

/// Returns a new list of these objects.
///
/// # Safety
/// The thread is attached.
unsafe fn list(objects: impl IntoIterator<Item = PyResult>) -> PyResult {
    // SAFETY: the thread is attached (caller), and the objects are live.
    unsafe {
        let list = Owned::from_host(ffi::PyList_New(0))?;
        for object in objects {
            check(ffi::PyList_Append(list.as_ptr(), object?.as_ptr()))?;
        }
        Ok(list)
    }
}

/// # Safety
/// As for [`list`].
unsafe fn counts(counts: &[u32]) -> PyResult {
    // SAFETY: the contract is the same.
    unsafe { list(counts.iter().map(|&count| number(count.into()))) }
}

/// # Safety
/// As for [`list`].
unsafe fn number(number: u64) -> PyResult {
    // SAFETY: the thread is attached (caller).
    unsafe { Owned::from_host(ffi::PyLong_FromUnsignedLongLong(number)) }
}

/// # Safety
/// As for [`list`].
unsafe fn text(text: &CStr) -> PyResult {
    // SAFETY: the thread is attached (caller), and the text ASCII.
    unsafe { Owned::from_host(ffi::PyUnicode_FromString(text.as_ptr())) }
}

/// # Safety
/// As for [`list`].
unsafe fn string(text: &str) -> PyResult {
    // SAFETY: the thread is attached (caller), and the text is UTF-8.
    unsafe {
        let object: *mut PyObject =
            ffi::PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as isize);
        Owned::from_host(object)
    }
}

/// A string, or None.
///
/// # Safety
/// As for [`list`].
unsafe fn optional(text: &Option<String>) -> PyResult {
    // SAFETY: the contract is the same. None is immortal.
    unsafe { text.as_deref().map_or_else(|| Ok(Owned::new_ref(none())), |text| string(text)) }
}
