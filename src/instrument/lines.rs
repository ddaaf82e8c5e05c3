//! The table of lines: the line of each code unit, and for each instruction that begins a line the opcode
//! below the line event. Source: `_PyCoLineInstrumentationData` in `pycore_instruments.h`. Used by `writer`,
//! `calls` and `legacy` in this room, by `branches` for [`Listing`], and by `exports` through
//! [`super::data::line_table`].
//!
//! An entry is an opcode (zero: no line begins here) and a little-endian number of one to four bytes: the
//! distance from the code object's first line plus two, or zero if there is no line. The distance may be -1:
//! the code of a module begins at line 0, but its first line is 1.

use core::sync::atomic::{AtomicU8, Ordering};

use super::opcodes::BaseInstruction;
use crate::bytecode::opcode::*;

/// Added to a distance, so that zero means "no line".
const BIAS: i32 = 2;

/// Bytes per entry of a table with distances up to `distance`.
pub(crate) fn entry_size(distance: i32) -> usize {
    match i64::from(distance) + i64::from(BIAS) {
        ..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x100_0000 => 4,
        _ => 5,
    }
}

/// The line of a code unit, or none, as the table encodes it. Lines of the same table can be compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Line(u32);

impl Line {
    /// The distance from the code object's first line; none if there is no line.
    #[inline(always)]
    pub(crate) fn distance(self) -> Option<i32> {
        (self.0 != 0).then_some(self.0 as i32 - BIAS)
    }
}

/// A view of the table. Its opcodes may change while other threads read them.
#[derive(Clone, Copy)]
pub(crate) struct LineTable<'a> {
    entry_size: usize,
    bytes: &'a [AtomicU8],
}

impl<'a> LineTable<'a> {
    /// `bytes` are the entries, of `entry_size` bytes each.
    pub(crate) fn new(entry_size: usize, bytes: &'a [AtomicU8]) -> LineTable<'a> {
        debug_assert!((2..=5).contains(&entry_size) && bytes.len().is_multiple_of(entry_size));
        LineTable { entry_size, bytes }
    }

    #[inline(always)]
    fn byte(self, index: usize, place: usize) -> &'a AtomicU8 {
        &self.bytes[index * self.entry_size + place]
    }

    /// The line of the code unit. Usually one byte, so that is read first.
    #[inline(always)]
    pub(crate) fn line(self, index: usize) -> Line {
        let byte = |place| u32::from(self.byte(index, place).load(Ordering::Relaxed));
        let mut number = byte(1);
        for place in 2..self.entry_size {
            number |= byte(place) << (8 * (place - 1));
        }
        Line(number)
    }

    /// The opcode below the line event, or the opcode that would be below it; zero if the instruction begins
    /// no line.
    #[inline(always)]
    pub(crate) fn opcode(self, index: usize) -> u8 {
        self.byte(index, 0).load(Ordering::Relaxed)
    }

    pub(crate) fn set_opcode(self, index: usize, opcode: u8) {
        self.byte(index, 0).store(opcode, Ordering::Relaxed);
    }

    /// The distance of the code unit's line from the first line; none if there is no line.
    #[inline(always)]
    pub(crate) fn distance(self, index: usize) -> Option<i32> {
        self.line(index).distance()
    }

    pub(crate) fn set_distance(self, index: usize, distance: Option<i32>) {
        let number = distance.map_or(0, |distance| (distance + BIAS) as u32);
        debug_assert!(distance.is_none_or(|distance| distance + BIAS > 0));
        for (place, value) in (1..self.entry_size).zip(number.to_le_bytes()) {
            self.byte(index, place).store(value, Ordering::Relaxed);
        }
        debug_assert_eq!(self.distance(index), distance);
    }
}

/// The instructions of a code object as the compiler emitted them.
pub(crate) trait Listing {
    /// Number of code units.
    fn units(&self) -> usize;
    /// The code unit from which on instructions are instrumented.
    fn first_traceable(&self) -> usize;
    /// The instruction that begins at code unit `index`.
    fn at(&self, index: usize) -> BaseInstruction;
}

/// The instructions from code unit `start` on, each with its index.
pub(crate) fn instructions(
    listing: &impl Listing,
    start: usize,
) -> impl Iterator<Item = (usize, BaseInstruction)> {
    let mut next = start;
    core::iter::from_fn(move || {
        (next < listing.units()).then(|| {
            let (index, instruction) = (next, listing.at(next));
            next += instruction.length;
            (index, instruction)
        })
    })
}

/// Fills a table. `distance_of` returns the distance of a code unit's line from the first line, and is called
/// with increasing indices. `handlers` are the code units where exception handlers begin.
///
/// An instruction begins a line if the instruction before it is on a different line, if it is the target of a
/// jump, or if an exception handler begins there.
pub(crate) fn fill(
    table: LineTable,
    listing: &impl Listing,
    distance_of: impl FnMut(usize) -> Option<i32>,
    handlers: impl Iterator<Item = usize>,
) {
    fill_in_order(table, listing, distance_of);
    for target in jump_targets(listing) {
        let opcode = listing.at(target).opcode;
        // FOR_ITER fires the line event of the loop.
        if table.distance(target).is_some() && opcode != POP_ITER {
            table.set_opcode(target, opcode);
        }
    }
    for handler in handlers {
        let opcode = listing.at(handler).opcode;
        // The end of an asynchronous loop begins no line.
        if table.distance(handler).is_some() && opcode != END_ASYNC_FOR {
            table.set_opcode(handler, opcode);
        }
    }
}

/// Fills in the lines, and the opcodes of instructions that begin a line because the instruction before is on
/// a different one.
fn fill_in_order(
    table: LineTable,
    listing: &impl Listing,
    mut distance_of: impl FnMut(usize) -> Option<i32>,
) {
    let mut previous = None;
    for (index, instruction) in instructions(listing, 0) {
        let distance = distance_of(index);
        table.set_distance(index, distance);
        let mut opcode = 0;
        if index >= listing.first_traceable() && may_begin_line(instruction.opcode) {
            if distance.is_some() && distance != previous {
                opcode = instruction.opcode;
            }
            previous = distance;
        }
        table.set_opcode(index, opcode);
        for cache in index + 1..index + instruction.length {
            table.set_distance(cache, None);
            table.set_opcode(cache, 0);
        }
    }
}

/// Whether the instruction begins a line when the instruction before is on a different one. FOR_ITER and SEND
/// skip END_FOR and END_SEND; RESUME and POP_ITER must stay visible in the bytecode.
fn may_begin_line(opcode: u8) -> bool {
    !matches!(opcode, END_ASYNC_FOR | END_FOR | END_SEND | RESUME | POP_ITER)
}

/// The targets of the traceable instructions that jump.
fn jump_targets(listing: &impl Listing) -> impl Iterator<Item = usize> {
    let mut argument = 0;
    instructions(listing, listing.first_traceable()).filter_map(move |(index, instruction)| {
        argument = argument << 8 | usize::from(instruction.argument);
        let next = index + instruction.length;
        let target = match instruction.opcode {
            EXTENDED_ARG => return None,
            POP_JUMP_IF_FALSE | POP_JUMP_IF_TRUE | POP_JUMP_IF_NONE | POP_JUMP_IF_NOT_NONE | JUMP_FORWARD => {
                Some(next + argument)
            }
            // The target is after END_FOR or END_SEND.
            FOR_ITER | SEND => Some(next + argument + 1),
            JUMP_BACKWARD | JUMP_BACKWARD_NO_INTERRUPT => Some(next - argument),
            _ => None,
        };
        argument = 0;
        target
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn bytes(len: usize) -> Vec<AtomicU8> {
        // Not zero, as memory from malloc may be.
        (0..len).map(|_| AtomicU8::new(0xA5)).collect()
    }

    proptest! {
        #[test]
        fn distances_come_out_as_they_went_in(
            largest in 0..i32::MAX - 2,
            entries in proptest::collection::vec(proptest::option::of(0.0..=1.0f64), 1..20),
        ) {
            let size = entry_size(largest);
            let bytes = bytes(size * entries.len());
            let table = LineTable::new(size, &bytes);
            let distances: Vec<_> =
                entries.iter().map(|e| e.map(|part| (part * (f64::from(largest) + 1.0)) as i32 - 1)).collect();
            for (index, &distance) in distances.iter().enumerate() {
                table.set_distance(index, distance);
                table.set_opcode(index, index as u8);
            }
            for (index, &distance) in distances.iter().enumerate() {
                prop_assert_eq!(table.distance(index), distance);
                prop_assert_eq!(table.line(0) == table.line(index), distances[0] == distance);
                prop_assert_eq!(table.opcode(index), index as u8);
            }
        }
    }

    #[test]
    fn entries_are_as_small_as_they_can_be() {
        for (largest, size) in [
            (0, 2),
            (253, 2),
            (254, 3),
            (0xFFFD, 3),
            (0xFFFE, 4),
            (0xFF_FFFD, 4),
            (0xFF_FFFE, 5),
            (i32::MAX, 5),
        ] {
            assert_eq!(entry_size(largest), size, "{largest}");
        }
    }

    /// A program for tests: instructions, and the line of each code unit.
    #[derive(Clone, Debug)]
    struct Program {
        units: Vec<BaseInstruction>,
        at: Vec<Option<usize>>,
        lines: Vec<Option<i32>>,
        first_traceable: usize,
    }

    impl Listing for Program {
        fn units(&self) -> usize {
            self.at.len()
        }
        fn first_traceable(&self) -> usize {
            self.first_traceable
        }
        fn at(&self, index: usize) -> BaseInstruction {
            self.units[self.at[index].expect("an instruction")]
        }
    }

    impl Program {
        fn new(rows: &[(u8, u8, usize, Option<i32>)], skipped: usize) -> Program {
            let mut program = Program { units: vec![], at: vec![], lines: vec![], first_traceable: 0 };
            for (number, &(opcode, argument, caches, line)) in rows.iter().enumerate() {
                if number == skipped {
                    program.first_traceable = program.at.len();
                }
                program.units.push(BaseInstruction { opcode, argument, length: 1 + caches });
                program.at.push(Some(number));
                program.at.extend(std::iter::repeat_n(None, caches));
                program.lines.extend(std::iter::repeat_n(line, 1 + caches));
            }
            if skipped >= rows.len() {
                program.first_traceable = program.at.len();
            }
            program
        }

        /// The code units of instructions that begin a line.
        fn begin(&self, handlers: &[usize]) -> BTreeSet<usize> {
            let bytes = bytes(2 * self.at.len());
            let table = LineTable::new(2, &bytes);
            fill(table, self, |index| self.lines[index], handlers.iter().copied());
            (0..self.at.len()).filter(|&index| table.opcode(index) != 0).collect()
        }
    }

    const PLAIN: [u8; 3] = [NOP, LOAD_FAST, POP_TOP];

    fn straight() -> impl Strategy<Value = Program> {
        let row = (0..3usize, any::<u8>(), 0..4usize, proptest::option::weighted(0.8, 0..5));
        (proptest::collection::vec(row, 1..30), 0..5usize).prop_map(|(rows, skipped)| {
            let rows: Vec<_> =
                rows.into_iter().map(|(kind, arg, caches, line)| (PLAIN[kind], arg, caches, line)).collect();
            Program::new(&rows, skipped)
        })
    }

    proptest! {
        #[test]
        fn straight_code_begins_a_line_where_it_changes(program in straight()) {
            let begin = program.begin(&[]);
            let mut previous = None;
            for (index, _) in instructions(&program, program.first_traceable) {
                let line = program.lines[index];
                prop_assert_eq!(begin.contains(&index), line.is_some() && line != previous);
                previous = line;
            }
        }

        #[test]
        fn caches_and_what_is_not_traceable_begin_no_line(program in straight()) {
            for index in program.begin(&[]) {
                prop_assert!(program.at[index].is_some());
                prop_assert!(index >= program.first_traceable);
            }
        }

        #[test]
        fn every_entry_says_the_line(program in straight()) {
            let bytes = bytes(2 * program.at.len());
            let table = LineTable::new(2, &bytes);
            fill(table, &program, |index| program.lines[index], std::iter::empty());
            for index in 0..program.at.len() {
                let expected = program.lines[index].filter(|_| program.at[index].is_some());
                prop_assert_eq!(table.distance(index), expected);
                let opcode = table.opcode(index);
                prop_assert!(opcode == 0 || opcode == program.at(index).opcode);
            }
        }

        #[test]
        fn handlers_begin_lines_if_they_have_one(program in straight(), pick: prop::sample::Index) {
            let all: Vec<_> = instructions(&program, 0).map(|(index, _)| index).collect();
            let handler = *pick.get(&all);
            let mut expected = program.begin(&[]);
            if program.lines[handler].is_some() {
                expected.insert(handler);
            }
            prop_assert_eq!(program.begin(&[handler]), expected);
        }
    }

    #[test]
    fn jumps_begin_lines_where_they_lead_to() {
        // A jump over three instructions of the same line.
        let line = Some(1);
        let rows = [
            (RESUME, 0, 0, Some(0)),
            (POP_JUMP_IF_FALSE, 3, 1, line),
            (NOP, 0, 0, line),
            (NOP, 0, 0, line),
            (NOP, 0, 0, line),
            (NOP, 0, 0, line),
        ];
        assert_eq!(Program::new(&rows, 0).begin(&[]), BTreeSet::from([1, 6]));
    }

    #[test]
    fn long_jumps_are_understood() {
        let mut rows =
            vec![(NOP, 0, 0, Some(0)), (EXTENDED_ARG, 1, 0, Some(0)), (JUMP_FORWARD, 2, 0, Some(0))];
        rows.resize(300, (NOP, 0, 0, Some(0)));
        assert_eq!(Program::new(&rows, 0).begin(&[]), BTreeSet::from([0, 3 + 256 + 2]));
        let last = rows.len() - 1;
        rows[last] = (JUMP_BACKWARD, 3, 1, Some(0));
        assert_eq!(Program::new(&rows, 0).begin(&[]), BTreeSet::from([0, 261, last + 2 - 3]));
    }

    #[test]
    fn the_ends_of_loops_begin_no_line() {
        let rows = [
            (FOR_ITER, 3, 1, Some(0)),
            (NOP, 0, 0, Some(1)),
            (JUMP_BACKWARD, 5, 1, Some(1)),
            (END_FOR, 0, 0, Some(0)),
            (POP_ITER, 0, 0, Some(0)),
            (NOP, 0, 0, Some(2)),
        ];
        // The jump back leads to the loop's own line, which has begun already: it adds no further line.
        assert_eq!(Program::new(&rows, 0).begin(&[]), BTreeSet::from([0, 2, 7]));
        let rows = [(NOP, 0, 0, Some(0)), (END_ASYNC_FOR, 0, 0, Some(1)), (NOP, 0, 0, Some(1))];
        assert_eq!(Program::new(&rows, 0).begin(&[1]), BTreeSet::from([0, 2]));
    }
}
