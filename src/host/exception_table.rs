//! Exception tables of code objects. Source: `InternalDocs/exception_handling.md`.
//!
//! A table is a sequence of entries, sorted by start. An entry consists of four numbers: start, length, target, and
//! depth with the flag `lasti`. A byte holds six bits of a number, the most significant ones first. Bit 6 is set if
//! more bytes follow; bit 7 marks the first byte of an entry.

use super::code::Code;
use super::ffi;
use super::object::{is_exact, size};

const ENTRY_START: u8 = 0x80;
/// Maximum number of bytes that are scanned from their start, without bisection.
const LONG: usize = 40;

/// The handler for a range of instructions. Offsets and lengths are in code units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    start: usize,
    length: usize,
    /// The first instruction of the handler.
    pub(crate) target: usize,
    /// Number of values to keep on the stack.
    pub(crate) depth: usize,
    /// Whether the handler expects the offset of the raising instruction on the stack, below the exception.
    pub(crate) push_lasti: bool,
}

/// The entries of a table, or of the rest of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExceptionTable<'a>(&'a [u8]);

impl<'a> ExceptionTable<'a> {
    /// The table of `code`.
    ///
    /// # Safety
    /// `code` is live while the table is used.
    #[inline]
    pub(crate) unsafe fn of(code: Code) -> ExceptionTable<'a> {
        // SAFETY: `code` is live (caller), and its table is a `bytes` object.
        unsafe {
            let table = (*code.as_ptr()).co_exceptiontable;
            debug_assert!(is_exact(table, &raw mut ffi::PyBytes_Type));
            let start = (&raw const (*table.cast::<ffi::PyBytesObject>()).ob_sval).cast::<u8>();
            ExceptionTable(core::slice::from_raw_parts(start, size(table) as usize))
        }
    }

    /// The entry of the innermost handler for the instruction at `offset`.
    #[inline]
    pub(crate) fn find(self, offset: usize) -> Option<Entry> {
        self.skip_entries_before(offset)
            .take_while(|entry| entry.start <= offset)
            .find(|entry| offset < entry.start + entry.length)
    }

    /// The part of the table that begins with the last entry at or before `offset`, or a little before that entry.
    /// Bisects the table while it is long.
    fn skip_entries_before(self, offset: usize) -> ExceptionTable<'a> {
        let (mut low, mut high) = (0, self.0.len());
        while high - low > LONG {
            let mut middle = low + (high - low) / 2;
            while middle > low && self.0[middle] & ENTRY_START == 0 {
                middle -= 1;
            }
            if middle == low {
                break;
            }
            if ExceptionTable(&self.0[middle..]).number() > offset { high = middle } else { low = middle }
        }
        ExceptionTable(&self.0[low..])
    }

    /// Reads a number off the front.
    fn number(&mut self) -> usize {
        let mut value = 0;
        while let [byte, rest @ ..] = self.0 {
            self.0 = rest;
            value = value << 6 | usize::from(byte & 0x3F);
            if byte & 0x40 == 0 {
                break;
            }
        }
        value
    }
}

impl Iterator for ExceptionTable<'_> {
    type Item = Entry;

    #[inline]
    fn next(&mut self) -> Option<Entry> {
        if self.0.is_empty() {
            return None;
        }
        let [start, length, target, depth] = core::array::from_fn(|_| self.number());
        Some(Entry { start, length, target, depth: depth >> 1, push_lasti: depth & 1 != 0 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(table: &mut Vec<u8>, mut value: usize, first: bool) {
        let mut bytes = vec![(value & 0x3F) as u8];
        value >>= 6;
        while value > 0 {
            bytes.push((value & 0x3F) as u8 | 0x40);
            value >>= 6;
        }
        let at = bytes.len() - 1;
        if first {
            bytes[at] |= ENTRY_START;
        }
        table.extend(bytes.iter().rev());
    }

    fn encoded(entries: &[Entry]) -> Vec<u8> {
        let mut table = Vec::new();
        for entry in entries {
            let depth = entry.depth << 1 | usize::from(entry.push_lasti);
            encode(&mut table, entry.start, true);
            for value in [entry.length, entry.target, depth] {
                encode(&mut table, value, false);
            }
        }
        table
    }

    proptest! {
        #[test]
        fn entries_come_out_as_they_went_in(entries: Vec<([u16; 4], bool)>) {
            let entries: Vec<Entry> = entries
                .into_iter()
                .map(|(numbers, push_lasti)| {
                    let [start, length, target, depth] = numbers.map(usize::from);
                    Entry { start, length, target, depth, push_lasti }
                })
                .collect();
            prop_assert_eq!(ExceptionTable(&encoded(&entries)).collect::<Vec<_>>(), entries);
        }
    }

    /// Entries with gaps between them.
    fn many() -> Vec<Entry> {
        let entry = |i| Entry { start: i * 37, length: 20 + i % 17, target: i, depth: 3, push_lasti: false };
        (0..200).map(entry).collect()
    }

    #[test]
    fn the_entry_that_covers_the_offset_is_found() {
        let entries = many();
        let table = encoded(&entries);
        for entry in entries {
            for offset in [entry.start, entry.start + entry.length - 1] {
                assert_eq!(ExceptionTable(&table).find(offset), Some(entry), "offset {offset}");
            }
            let behind = entry.start + entry.length;
            let next = entry.start + 37;
            assert!((behind..next).all(|offset| ExceptionTable(&table).find(offset).is_none()), "{entry:?}");
        }
        assert_eq!(ExceptionTable(&[]).find(0), None);
    }

    #[test]
    fn few_entries_are_read_before_the_one_that_is_wanted() {
        let entries = many();
        let table = encoded(&entries);
        for entry in entries {
            let rest = ExceptionTable(&table).skip_entries_before(entry.start).0;
            let mut reader = ExceptionTable(rest);
            let mut read = 0;
            while reader.next().expect("the entry is not skipped") != entry {
                read = rest.len() - reader.0.len();
            }
            assert!(read <= LONG, "{read} bytes read before the entry at {}", entry.start);
        }
    }
}
