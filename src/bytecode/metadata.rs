//! The instruction table as data: the rows of `instructions.rs`, for tier 2, the specializer and tests.

use super::{micro_op, opcode};

/// A row of the instruction table.
#[derive(Debug)]
pub(crate) struct Instruction {
    pub(crate) name: &'static str,
    pub(crate) opcode: u8,
    /// The generic instruction that runs when a guard fails. `None` for generic instructions.
    pub(crate) family: Option<u8>,
    pub(crate) steps: &'static [Step],
}

/// One step of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Code units of cache that are not read. If negative, the next step reads that many units again.
    Skip(i8),
    /// A micro-op by its name and number, with the sizes of its cached operands in code units.
    Op { name: &'static str, number: u16, argument: Argument, operands: &'static [Operand] },
}

/// The part of the instruction's argument that a micro-op gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Argument {
    Whole,
    High,
    Low,
}

/// A part of the inline cache that a micro-op reads or skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operand {
    /// An operand of that many code units.
    Units(u8),
    /// One unused unit between two operands.
    Unused,
}

impl Step {
    /// The number of code units of cache that the step reads or skips.
    pub(crate) const fn units(&self) -> isize {
        match *self {
            Step::Skip(units) => units as isize,
            Step::Op { operands, .. } => {
                let (mut units, mut index) = (0, 0);
                while index < operands.len() {
                    units += operands[index].units() as isize;
                    index += 1;
                }
                units
            }
        }
    }
}

impl Step {
    /// Whether the step only specializes its instruction, so that traces leave it out.
    pub(crate) fn is_adaptive(&self) -> bool {
        matches!(self, Step::Op { name, .. } if name.starts_with("specialize_"))
    }
}

impl Operand {
    /// The size in code units.
    pub(crate) const fn units(self) -> usize {
        match self {
            Operand::Units(units) => units as usize,
            Operand::Unused => 1,
        }
    }
}

impl Instruction {
    /// The row of an opcode.
    #[cfg(py_tier2)]
    pub(crate) fn of(opcode: u8) -> Option<&'static Instruction> {
        BY_OPCODE[usize::from(opcode)]
    }

    /// The number of code units of cache after the instruction.
    pub(crate) const fn cache_units(&self) -> usize {
        let (mut units, mut index) = (0, 0);
        while index < self.steps.len() {
            units += self.steps[index].units();
            index += 1;
        }
        units as usize
    }
}

macro_rules! step {
    (() skip $($n:tt)+) => {
        Step::Skip($($n)+)
    };
    (() run $op:ident $part:ident [$($operand:tt)*]) => {
        Step::Op {
            name: stringify!($op),
            number: micro_op::$op,
            argument: Argument::$part,
            operands: &[$(operand!($operand)),*],
        }
    };
}

macro_rules! operand {
    (unused) => {
        Operand::Unused
    };
    ($n:tt) => {
        Operand::Units($n)
    };
}

macro_rules! family {
    () => {
        None
    };
    ($family:ident) => {
        Some(opcode::$family)
    };
}

macro_rules! instructions {
    ($({ $name:ident ($($family:ident)?) [$($step:tt)+] })*) => {
        /// All instructions of the host's bytecode.
        pub(crate) static INSTRUCTIONS: &[Instruction] = &[$($name),*];

        $(
            pub(crate) const $name: Instruction = Instruction {
                name: stringify!($name),
                opcode: opcode::$name,
                family: family!($($family)?),
                steps: &[$(for_step!(step () $step)),+],
            };
        )*
    };
}
for_each_instruction!(instructions);

#[cfg(py_tier2)]
static BY_OPCODE: [Option<&Instruction>; 256] = {
    let mut rows = [None; 256];
    let mut index = 0;
    while index < INSTRUCTIONS.len() {
        rows[INSTRUCTIONS[index].opcode as usize] = Some(&INSTRUCTIONS[index]);
        index += 1;
    }
    rows
};

/// The name of an opcode, for the messages of tests.
#[cfg(test)]
pub(crate) fn name_of(opcode: u8) -> &'static str {
    INSTRUCTIONS.iter().find(|row| row.opcode == opcode).map_or("an opcode without a row", |row| row.name)
}

#[cfg(test)]
mod tests {
    //! Compares the rows with the host's own tables, entry by entry.

    use super::*;
    use crate::bytecode::host_tables::{Table, assert_same, c_table};

    /// Collects `entry` of each row; rows for which it is `None` are left out.
    fn of_rows<T>(entry: impl Fn(&Instruction) -> Option<T>) -> Table<T> {
        INSTRUCTIONS.iter().filter_map(|row| Some((row.name.to_owned(), entry(row)?))).collect()
    }

    #[test]
    fn every_opcode_of_the_host_has_one_row() {
        let path = format!("{}/opcode_ids.h", env!("REVAL_HOST_INCLUDE"));
        let text = std::fs::read_to_string(&path).expect("the host's opcode numbers");
        let numbers: Table<u32> = text
            .lines()
            .filter_map(|line| {
                let mut words = line.strip_prefix("#define ")?.split_whitespace();
                let (name, number) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
                let is_limit = name.starts_with("MIN_") || name == "HAVE_ARGUMENT";
                (number < 256 && !is_limit).then_some((name, number))
            })
            .collect();
        assert!(numbers.len() > 200, "too few opcodes in {path}");
        let rows = of_rows(|row| Some(u32::from(row.opcode)));
        let mut names: Vec<&str> = INSTRUCTIONS.iter().map(|row| row.name).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            panic!("{} has two rows", pair[0]);
        }
        assert_same(&rows, &numbers);
    }

    #[test]
    fn caches_are_the_hosts() {
        let caches = c_table("internal/pycore_opcode_metadata.h", "_PyOpcode_Caches");
        let generic = c_table("internal/pycore_opcode_metadata.h", "_PyOpcode_Deopt");
        let rows = of_rows(|row| Some(row.cache_units().to_string()));
        // The host's table has entries for generic, uninstrumented opcodes only. No entry means 0.
        let host = of_rows(|row| {
            let generic = &generic[row.name];
            let plain = generic.strip_prefix("INSTRUMENTED_").unwrap_or(generic);
            Some(caches.get(plain).map_or("0", String::as_str).to_owned())
        });
        assert_same(&rows, &host);
        let instrumented =
            host.iter().filter(|(name, units)| name.starts_with("INSTRUMENTED_") && *units != "0");
        assert!(instrumented.count() > 5, "too few instrumented instructions with a cache");
    }

    #[test]
    fn families_are_the_hosts() {
        let mut host = c_table("internal/pycore_opcode_metadata.h", "_PyOpcode_Deopt");
        // The table also contains the numbers that no instruction uses.
        host.retain(|name, _| name.parse::<u8>().is_err());
        let rows = of_rows(|row| {
            let family = match row.family {
                Some(family) => name_of(family),
                // Specialized without a guard: no row says what their generic form is, so there is nothing to
                // compare.
                None if SPECIALIZED_WITHOUT_GUARDS.contains(&row.name) => host.get(row.name)?,
                None => row.name,
            };
            Some(family.to_owned())
        });
        assert_same(&rows, &host);
    }

    /// Specialized instructions without a guard that can fail.
    const SPECIALIZED_WITHOUT_GUARDS: [&str; 4] =
        ["JUMP_BACKWARD_JIT", "JUMP_BACKWARD_NO_JIT", "LOAD_CONST_IMMORTAL", "LOAD_CONST_MORTAL"];

    /// A micro-op in the host's notation: its name, the kind of its operand, and the offset in the cache.
    type Expanded = (String, String, usize);

    fn host_expansion(text: &str) -> Vec<Expanded> {
        let entries = text.split_once(".uops = {").expect("uops").1;
        entries
            .split('{')
            .skip(1)
            .map(|entry| {
                let mut fields = entry.split('}').next().expect("an entry").split(',').map(str::trim);
                let mut field = || fields.next().expect("a field").to_owned();
                (field(), field(), field().parse().expect("an offset"))
            })
            .collect()
    }

    fn row_expansion(row: &Instruction) -> Vec<Expanded> {
        let mut offset = 0;
        let mut expanded = Vec::new();
        for step in row.steps {
            match *step {
                Step::Skip(_) => {}
                Step::Op { name, argument, operands, .. } => {
                    let host_name = format!("_{}", name.to_uppercase());
                    let at = offset as usize;
                    let mut push = |kind: String, at| expanded.push((host_name.clone(), kind, at));
                    if step.is_adaptive() {
                        // The host's expansion does not contain specializing steps.
                    } else if let [first, rest @ ..] = operands {
                        push(first.units().to_string(), at);
                        let mut at = at + first.units();
                        for operand in rest {
                            if let Operand::Units(units) = operand {
                                push(format!("OPERAND1_{units}"), at);
                            }
                            at += operand.units();
                        }
                    } else {
                        let kind = match argument {
                            Argument::Whole => "OPARG_SIMPLE",
                            Argument::High => "OPARG_TOP",
                            Argument::Low => "OPARG_BOTTOM",
                        };
                        push(kind.to_owned(), at);
                    }
                }
            }
            offset += step.units();
        }
        expanded
    }

    #[test]
    fn expansions_into_micro_ops_are_the_hosts() {
        let expansions = c_table("internal/pycore_opcode_metadata.h", "_PyOpcode_macro_expansion");
        assert!(expansions.len() > 150, "too few expansions");
        // Two things are not in the rows: kinds of arguments that tier 2 replaces, and the offsets of steps
        // without an operand.
        let normal = |(name, kind, at): Expanded| {
            let plain = kind.starts_with("OPARG_") && !kind.ends_with("TOP") && !kind.ends_with("BOTTOM");
            if plain { (name, "OPARG".to_owned(), 0) } else { (name, kind, at) }
        };
        let host: Table<Vec<Expanded>> = expansions
            .iter()
            .map(|(name, text)| (name.clone(), host_expansion(text).into_iter().map(normal).collect()))
            .collect();
        // Instructions that tier 2 never sees have no expansion.
        let rows = of_rows(|row| {
            host.contains_key(row.name).then(|| row_expansion(row).into_iter().map(normal).collect())
        });
        assert_same(&rows, &host);
    }
}
