//! Places: instructions of code objects, and the lines that they belong to.

use core::ffi::{CStr, c_char};
use std::collections::{BTreeMap, HashMap};

use super::kinds::{COUNTED, Kind};
use crate::host::{Code, CodeUnit, PyObject, ffi};

/// A place, as an index.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct PlaceId(u32);

impl PlaceId {
    #[cfg(test)]
    pub(crate) const fn new(index: u32) -> PlaceId {
        PlaceId(index)
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of a code object, also when it has ended.
pub(super) struct CodeFacts {
    /// The object, as long as it is live.
    pub(super) code: Option<Code>,
    pub(super) file: String,
    pub(super) name: String,
    pub(super) first_line: i32,
}

/// An instruction, and how many samples were there.
pub(super) struct Place {
    /// The index of its code object.
    pub(super) code: u32,
    /// In units; -1 if that is not known.
    pub(super) offset: i32,
    /// 0 if it has none.
    pub(super) line: i32,
    pub(super) counts: [u32; COUNTED],
}

#[derive(Default)]
pub(super) struct Places {
    pub(super) codes: Vec<CodeFacts>,
    pub(super) places: Vec<Place>,
    /// The indices of code objects that are live, by their addresses.
    live: HashMap<usize, u32>,
    /// By code object and offset.
    found: HashMap<(u32, i32), PlaceId>,
    /// The code objects through which traces run: where their bytecode begins, and where it ends.
    known: BTreeMap<usize, (usize, Code)>,
}

impl Places {
    /// The place of the instruction at this offset.
    ///
    /// # Safety
    /// The thread is attached, and the code live.
    pub(super) unsafe fn of(&mut self, code: Code, offset: i32) -> PlaceId {
        // SAFETY: the code is live (caller).
        unsafe {
            let offset = if (0..length(code) as i32).contains(&offset) { offset } else { -1 };
            let index = self.code(code);
            if let Some(&found) = self.found.get(&(index, offset)) {
                return found;
            }
            let bytes = offset * size_of::<ffi::_Py_CODEUNIT>() as i32;
            let line = match offset {
                -1 => (*code.as_ptr()).co_firstlineno,
                _ => ffi::PyCode_Addr2Line(code.as_ptr(), bytes).max(0),
            };
            let place = PlaceId(self.places.len() as u32);
            self.places.push(Place { code: index, offset, line, counts: [0; COUNTED] });
            self.found.insert((index, offset), place);
            place
        }
    }

    /// # Safety
    /// As for [`Places::of`].
    unsafe fn code(&mut self, code: Code) -> u32 {
        if let Some(&index) = self.live.get(&code.as_ptr().addr()) {
            return index;
        }
        let index = self.codes.len() as u32;
        // SAFETY: the code is live (caller), and so are its strings.
        let facts = unsafe {
            let fields = code.as_ptr();
            CodeFacts {
                code: Some(code),
                file: text((*fields).co_filename),
                name: text((*fields).co_qualname),
                first_line: (*fields).co_firstlineno,
            }
        };
        self.codes.push(facts);
        self.live.insert(code.as_ptr().addr(), index);
        index
    }

    pub(super) fn count(&mut self, place: PlaceId, kind: Kind, samples: u32) {
        self.places[place.index()].counts[kind as usize] += samples;
    }

    /// A trace runs through the code object.
    ///
    /// # Safety
    /// The code is live.
    pub(super) unsafe fn know(&mut self, code: Code) {
        // SAFETY: the code is live (caller).
        unsafe {
            // So that it is forgotten when it ends.
            self.code(code);
            let start = code.bytecode().as_ptr().addr();
            let end = start + length(code) * size_of::<ffi::_Py_CODEUNIT>();
            self.known.insert(start, (end, code));
        }
    }

    /// The code object through which traces run that has this instruction, and the offset of the instruction.
    pub(super) fn code_at(&self, instr: CodeUnit) -> Option<(Code, u32)> {
        let address = instr.as_ptr().addr();
        let (start, &(end, code)) = self.known.range(..=address).next_back()?;
        (address < end).then(|| (code, ((address - start) / size_of::<ffi::_Py_CODEUNIT>()) as u32))
    }

    pub(super) fn is_known(&self, code: Code) -> bool {
        self.known.values().any(|&(_, known)| known == code)
    }

    /// The code object at this address ends.
    pub(super) fn forget(&mut self, code: usize) {
        if let Some(index) = self.live.remove(&code) {
            self.codes[index as usize].code = None;
            self.known.retain(|_, (_, known)| known.as_ptr().addr() != code);
        }
    }
}

/// How many units of bytecode a code object has.
///
/// # Safety
/// The code is live.
unsafe fn length(code: Code) -> usize {
    // SAFETY: the code is live (caller).
    unsafe { (*code.as_ptr()).ob_base.ob_size as usize }
}

/// The text of a string, which may have what UTF-8 has not.
///
/// # Safety
/// The thread is attached; the object is live.
unsafe fn text(object: *mut PyObject) -> String {
    // SAFETY: the object is live, and has the text as long as it is (caller). An exception that is set stays so.
    unsafe {
        let raised = ffi::PyErr_GetRaisedException();
        let text: *const c_char = ffi::PyUnicode_AsUTF8(object);
        ffi::PyErr_SetRaisedException(raised);
        if text.is_null() { "?".to_owned() } else { CStr::from_ptr(text).to_string_lossy().into_owned() }
    }
}
