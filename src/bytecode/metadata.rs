//! The instruction table as data: what the rows of `instructions.rs` say, for tests, documentation and
//! later engines.

use super::opcode;

/// A row of the instruction table.
#[derive(Debug)]
pub struct Instruction {
    pub name: &'static str,
    pub opcode: u8,
    /// The generic instruction that runs when a guard fails; none for generic ones.
    pub family: Option<u8>,
    pub steps: &'static [Step],
}

/// One step of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Code units of cache that are not read (negative: read once more by the next step).
    Skip(i8),
    /// A micro-op, with the sizes of its cached operands in code units.
    Op { name: &'static str, argument: Argument, operands: &'static [Operand] },
}

/// Which part of the instruction's argument a micro-op gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    Whole,
    High,
    Low,
}

/// A part of the inline cache that a micro-op looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// A value of that many code units.
    Units(u8),
    /// A unit between two values.
    Unused,
}

impl Step {
    /// How many code units of cache it reads or skips.
    pub const fn units(&self) -> isize {
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

impl Operand {
    /// Its length in code units.
    pub const fn units(self) -> usize {
        match self {
            Operand::Units(units) => units as usize,
            Operand::Unused => 1,
        }
    }
}

impl Instruction {
    /// The number of code units of cache after the instruction.
    pub const fn cache_units(&self) -> usize {
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
        Step::Op { name: stringify!($op), argument: Argument::$part, operands: &[$(operand!($operand)),*] }
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
        /// Every instruction of the host's bytecode.
        pub static INSTRUCTIONS: &[Instruction] = &[$($name),*];

        $(
            pub const $name: Instruction = Instruction {
                name: stringify!($name),
                opcode: opcode::$name,
                family: family!($($family)?),
                steps: &[$(for_step!(step () $step)),+],
            };
        )*
    };
}
for_each_instruction!(instructions);

#[cfg(test)]
mod tests {
    //! The rows against the host's own tables, entry by entry.

    use std::collections::BTreeMap;

    use super::*;
    use crate::bytecode::host_tables::c_table;

    fn by_name() -> BTreeMap<String, &'static Instruction> {
        INSTRUCTIONS.iter().map(|row| (row.name.to_owned(), row)).collect()
    }

    #[test]
    fn every_opcode_of_the_host_has_one_row() {
        let path = format!("{}/opcode_ids.h", env!("REVAL_HOST_INCLUDE"));
        let text = std::fs::read_to_string(&path).expect("the host's opcode numbers");
        let numbers: BTreeMap<String, u32> = text
            .lines()
            .filter_map(|line| {
                let mut words = line.strip_prefix("#define ")?.split_whitespace();
                let (name, number) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
                let is_limit = name.starts_with("MIN_") || name == "HAVE_ARGUMENT";
                (number < 256 && !is_limit).then_some((name, number))
            })
            .collect();
        assert!(numbers.len() > 200, "too few opcodes in {path}");
        let rows: BTreeMap<String, u32> =
            INSTRUCTIONS.iter().map(|row| (row.name.to_owned(), u32::from(row.opcode))).collect();
        assert_eq!(rows.len(), INSTRUCTIONS.len(), "an instruction has two rows");
        assert_eq!(rows, numbers);
    }

    #[test]
    fn caches_are_the_hosts() {
        let host = c_table("internal/pycore_opcode_metadata.h", "_PyOpcode_Caches");
        let generic = c_table("internal/pycore_opcode_metadata.h", "_PyOpcode_Deopt");
        let mut with_cache = 0;
        for row in INSTRUCTIONS {
            // The host's table is indexed by generic opcodes that are not instrumented; 0 if it has no entry.
            let generic = &generic[row.name];
            let plain = generic.strip_prefix("INSTRUMENTED_").unwrap_or(generic);
            let expected = host.get(plain).map_or(0, |n| n.parse().expect("a number"));
            assert_eq!(row.cache_units(), expected, "{}", row.name);
            with_cache += usize::from(expected > 0 && row.name.starts_with("INSTRUMENTED_"));
        }
        assert!(with_cache > 5, "too few instrumented instructions with a cache");
    }

    fn name_of(opcode: u8) -> &'static str {
        INSTRUCTIONS.iter().find(|row| row.opcode == opcode).expect("a row").name
    }

    #[test]
    fn families_are_the_hosts() {
        let host = c_table("internal/pycore_opcode_metadata.h", "_PyOpcode_Deopt");
        for row in INSTRUCTIONS {
            let expected = &host[row.name];
            match row.family {
                Some(family) => assert_eq!(name_of(family), expected, "{}", row.name),
                // Forms without guards fall back to nothing, whatever their generic form is.
                None => assert!(
                    expected == row.name || SPECIALIZED_WITHOUT_GUARDS.contains(&row.name),
                    "{} falls back to {expected} in the host",
                    row.name
                ),
            }
        }
    }

    /// Specialized forms that cannot fail.
    const SPECIALIZED_WITHOUT_GUARDS: [&str; 4] =
        ["JUMP_BACKWARD_JIT", "JUMP_BACKWARD_NO_JIT", "LOAD_CONST_IMMORTAL", "LOAD_CONST_MORTAL"];

    /// A micro-op in the host's notation: name, what its operand is, where in the cache.
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
                Step::Op { name, argument, operands } => {
                    let host_name = format!("_{}", name.to_uppercase());
                    let in_tier_1_only = name.starts_with("specialize_");
                    let at = offset as usize;
                    let mut push = |kind: String, at| expanded.push((host_name.clone(), kind, at));
                    if in_tier_1_only {
                        // Not part of the expansion.
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
        let host = c_table("internal/pycore_opcode_metadata.h", "_PyOpcode_macro_expansion");
        assert!(host.len() > 150, "too few expansions");
        let rows = by_name();
        for (name, text) in host {
            // Operands that tier 2 replaces, and positions of steps without operand, are not the
            // rows' business.
            let normal = |(name, kind, at): Expanded| {
                let plain = kind.starts_with("OPARG_") && !kind.ends_with("TOP") && !kind.ends_with("BOTTOM");
                if plain { (name, "OPARG".to_owned(), 0) } else { (name, kind, at) }
            };
            let expected: Vec<Expanded> = host_expansion(&text).into_iter().map(normal).collect();
            let found: Vec<Expanded> = row_expansion(rows[&name]).into_iter().map(normal).collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}
