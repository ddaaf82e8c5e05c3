//! The table of micro-ops as data: the rows of `crate::bytecode::micro_ops` with the stack effects that the
//! types of the bodies imply. For tier 2 and for tests.

use core::convert::Infallible;
use core::fmt::Write;

use arrayvec::ArrayString;

use crate::bytecode::micro_op;
use crate::engine::{BytecodeEngine, Engine, Exit, Exits, Inputs, Outputs, Values};
use crate::host::code::CacheValue;
use crate::host::{CodeUnit, Frame, StackRef, ThreadState, ffi};

/// A row of the table of micro-ops.
#[derive(Debug)]
pub(crate) struct MicroOp {
    /// The host's name in lower case, without the underscore. Own micro-ops are named alike.
    pub(crate) name: &'static str,
    /// The number: see [`micro_op`].
    pub(crate) number: u16,
    pub(crate) group: Group,
    /// Traces have copies of the micro-op for the arguments below this number.
    pub(crate) copies: u8,
    /// The number of code units of its operands from the inline cache.
    pub(crate) operand_units: usize,
    /// The micro-ops that must have run before: one of each group.
    pub(crate) needs: &'static [&'static [&'static str]],
    /// The host's `HAS_…_FLAG` bits.
    pub(crate) flags: u16,
    pub(crate) effect: Effect,
}

/// The engines that can run a micro-op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Everywhere,
    /// It needs a `BytecodeEngine`.
    Bytecode,
    /// It exists only in traces.
    Traces,
    /// It exists only in traces, and has no body: the engine does its work itself.
    Engine,
    /// It exists only in traces, and the host does not have it.
    Own,
}

/// The stack effect of a micro-op, as functions of the instruction's argument.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effect {
    /// The number of values that it inspects and keeps, below those that it takes.
    pub(crate) kept: fn(usize) -> usize,
    /// The number of values that it takes.
    pub(crate) taken: fn(usize) -> usize,
    /// The number of values that it leaves.
    pub(crate) left: fn(usize) -> usize,
    /// Whether it must be the last one of its instruction.
    pub(crate) ends_instruction: bool,
}

/// The stack effect of a body that every engine can run.
const fn everywhere<I: Inputs, O: Outputs<AnyEngine>>(
    _body: unsafe fn(&mut AnyEngine, I) -> Result<O, Exit>,
) -> (Effect, usize) {
    (Effect::of::<AnyEngine, I, O>(), 0)
}

/// [`everywhere`], for a body with operands from the inline cache.
const fn everywhere_with<A: CacheOperands, I: Inputs, O: Outputs<AnyEngine>>(
    _body: unsafe fn(&mut AnyEngine, A, I) -> Result<O, Exit>,
) -> (Effect, usize) {
    (Effect::of::<AnyEngine, I, O>(), A::UNITS)
}

/// The stack effect of a body that needs a `BytecodeEngine`.
const fn bytecode<I: Inputs, O: Outputs<AnyBytecodeEngine>, X: Exits>(
    _body: unsafe fn(&mut AnyBytecodeEngine, I) -> Result<O, X>,
) -> (Effect, usize) {
    (Effect::of::<AnyBytecodeEngine, I, O>(), 0)
}

/// [`bytecode`], for a body with operands from the inline cache.
const fn bytecode_with<A: CacheOperands, I: Inputs, O: Outputs<AnyBytecodeEngine>, X: Exits>(
    _body: unsafe fn(&mut AnyBytecodeEngine, A, I) -> Result<O, X>,
) -> (Effect, usize) {
    (Effect::of::<AnyBytecodeEngine, I, O>(), A::UNITS)
}

/// The stack effect of a body that only traces contain.
const fn traces<I: Inputs, O: Outputs<AnyEngine>, X: Exits>(
    _body: unsafe fn(&mut AnyEngine, I) -> Result<O, X>,
) -> (Effect, usize) {
    (Effect::of::<AnyEngine, I, O>(), 0)
}

/// [`traces`], for a body with operands.
const fn traces_with<A: CacheOperands, I: Inputs, O: Outputs<AnyEngine>, X: Exits>(
    _body: unsafe fn(&mut AnyEngine, A, I) -> Result<O, X>,
) -> (Effect, usize) {
    (Effect::of::<AnyEngine, I, O>(), A::UNITS)
}

impl Effect {
    /// The effect of a micro-op that leaves the stack as it is.
    const NONE: Effect = Effect { kept: |_| 0, taken: |_| 0, left: |_| 0, ends_instruction: false };

    const fn of<E: Engine, I: Inputs, O: Outputs<E>>() -> Effect {
        Effect {
            kept: <I::Kept as Values>::count,
            taken: <I::Taken as Values>::count,
            left: O::count,
            ends_instruction: O::ENDS_INSTRUCTION,
        }
    }
}

/// The operands that a body gets, from the inline cache or, in traces, from the optimizer.
trait CacheOperands {
    /// The number of their code units.
    const UNITS: usize;
}

impl<A: CacheValue> CacheOperands for A {
    const UNITS: usize = A::UNITS;
}
/// An operand that the optimizer has made.
impl CacheOperands for u32 {
    const UNITS: usize = 2;
}

/// The address of an instruction, which the recorder has met.
impl CacheOperands for CodeUnit {
    const UNITS: usize = 4;
}

impl<A: CacheOperands, B: CacheOperands> CacheOperands for (A, B) {
    const UNITS: usize = A::UNITS + B::UNITS;
}
impl<A: CacheOperands, B: CacheOperands, C: CacheOperands> CacheOperands for (A, B, C) {
    const UNITS: usize = A::UNITS + B::UNITS + C::UNITS;
}

macro_rules! body {
    ($group:ident $with:ident $engine:ident $name:ident []) => {
        $group(super::$name::<$engine>)
    };
    ($group:ident $with:ident $engine:ident $name:ident [$operands:tt]) => {
        $with(super::$name::<$engine>)
    };
}

macro_rules! copies {
    () => {
        0
    };
    ($copies:literal) => {
        $copies
    };
}

macro_rules! flag {
    (arg) => {
        ffi::HAS_ARG_FLAG
    };
    (const) => {
        ffi::HAS_CONST_FLAG
    };
    (name) => {
        ffi::HAS_NAME_FLAG
    };
    (free) => {
        ffi::HAS_FREE_FLAG
    };
    (local) => {
        ffi::HAS_LOCAL_FLAG
    };
    (eval_break) => {
        ffi::HAS_EVAL_BREAK_FLAG
    };
    (deopt) => {
        ffi::HAS_DEOPT_FLAG
    };
    (error) => {
        ffi::HAS_ERROR_FLAG
    };
    (escapes) => {
        ffi::HAS_ESCAPES_FLAG
    };
    (exit) => {
        ffi::HAS_EXIT_FLAG
    };
    (pure) => {
        ffi::HAS_PURE_FLAG
    };
    (error_no_pop) => {
        ffi::HAS_ERROR_NO_POP_FLAG
    };
    (no_save_ip) => {
        ffi::HAS_NO_SAVE_IP_FLAG
    };
}

macro_rules! micro_ops {
    (everywhere {
         $({ $name:ident ($($copies:literal)?) [$($operands:tt)?] [$(($($need:ident)+))*] [$($flag:tt)*] })*
     }
     bytecode { $({ $tier1:ident [$($tier1_operands:tt)?] [$(($($tier1_need:ident)+))*] })* }
     traces { $({ $trace:ident [$($trace_operands:tt)?] [$(($($trace_need:ident)+))*] [$($trace_flag:tt)*] })* }
     engine { $({ $engine:ident [$($engine_flag:tt)*] })* }
     own { $({ $own:ident [$($own_operands:tt)?] [$(($($own_need:ident)+))*] [$($own_flag:tt)*] })* }) => {
        /// All micro-ops of the host, all steps of instructions, and the own micro-ops.
        pub(crate) static MICRO_OPS: &[MicroOp] = &[
            $({
                const BODY: (Effect, usize) = body!(everywhere everywhere_with AnyEngine $name [$($operands)?]);
                MicroOp {
                    name: stringify!($name),
                    number: micro_op::$name,
                    group: Group::Everywhere,
                    copies: copies!($($copies)?),
                    operand_units: BODY.1,
                    needs: &[$(&[$(stringify!($need)),+]),*],
                    flags: (0 $(| flag!($flag))*) as u16,
                    effect: BODY.0,
                }
            },)*
            $({
                const BODY: (Effect, usize) =
                    body!(bytecode bytecode_with AnyBytecodeEngine $tier1 [$($tier1_operands)?]);
                MicroOp {
                    name: stringify!($tier1),
                    number: micro_op::$tier1,
                    group: Group::Bytecode,
                    copies: 0,
                    operand_units: BODY.1,
                    needs: &[$(&[$(stringify!($tier1_need)),+]),*],
                    flags: 0,
                    effect: BODY.0,
                }
            },)*
            $({
                const BODY: (Effect, usize) = body!(traces traces_with AnyEngine $trace [$($trace_operands)?]);
                MicroOp {
                    name: stringify!($trace),
                    number: micro_op::$trace,
                    group: Group::Traces,
                    copies: 0,
                    operand_units: BODY.1,
                    needs: &[$(&[$(stringify!($trace_need)),+]),*],
                    flags: (0 $(| flag!($trace_flag))*) as u16,
                    effect: BODY.0,
                }
            },)*
            $(MicroOp {
                name: stringify!($engine),
                number: micro_op::$engine,
                group: Group::Engine,
                copies: 0,
                operand_units: 0,
                needs: &[],
                flags: (0 $(| flag!($engine_flag))*) as u16,
                effect: Effect::NONE,
            },)*
            $({
                const BODY: (Effect, usize) = body!(traces traces_with AnyEngine $own [$($own_operands)?]);
                MicroOp {
                    name: stringify!($own),
                    number: micro_op::$own,
                    group: Group::Own,
                    copies: 0,
                    operand_units: BODY.1,
                    needs: &[$(&[$(stringify!($own_need)),+]),*],
                    flags: (0 $(| flag!($own_flag))*) as u16,
                    effect: BODY.0,
                }
            },)*
        ];
    };
}

for_each_micro_op!(micro_ops);

/// A name of a micro-op. It is not on the heap: making one cannot fail.
pub(crate) type HostName = ArrayString<64>;

/// The row of each number. The copies of a micro-op have its row.
static BY_NUMBER: [Option<&MicroOp>; micro_op::LAST as usize + 1] = {
    let mut rows = [None; micro_op::LAST as usize + 1];
    let mut index = 0;
    while index < MICRO_OPS.len() {
        let row = &MICRO_OPS[index];
        // The numbers of the copies follow that of the original.
        let mut number = row.number as usize;
        let last = number + row.copies as usize;
        while number <= last && row.number != micro_op::NONE {
            rows[number] = Some(row);
            number += 1;
        }
        index += 1;
    }
    rows
};

impl MicroOp {
    /// The row of the micro-op with this number, or of the one that it is a copy of.
    pub(crate) fn by_number(number: u16) -> Option<&'static MicroOp> {
        BY_NUMBER.get(usize::from(number)).copied().flatten()
    }

    /// Whether the host lists one of these properties (`HAS_…_FLAG`) for it.
    pub(crate) const fn has(&self, flags: u32) -> bool {
        self.flags as u32 & flags != 0
    }

    /// Whether the host has the micro-op: whether its tables list it.
    #[cfg(test)]
    fn is_in_host(&self) -> bool {
        !matches!(self.group, Group::Bytecode | Group::Own)
    }

    /// The name of the micro-op with this number, as the host spells it: `_LOAD_FAST`, or `_LOAD_FAST_3` for a copy.
    pub(crate) fn host_name(number: u16) -> Option<HostName> {
        let row = MicroOp::by_number(number)?;
        let mut name = HostName::new();
        // The unit tests make all names, so each has room.
        write!(name, "_{}", row.name).ok()?;
        let copy = number - row.number;
        if copy > 0 {
            write!(name, "_{}", copy - 1).ok()?;
        }
        name.make_ascii_uppercase();
        Some(name)
    }
}

/// An engine without values, to instantiate the types of bodies that can be part of a trace.
enum AnyEngine {}

/// The same for bodies that need a `BytecodeEngine`.
enum AnyBytecodeEngine {}

macro_rules! engines_that_do_not_exist {
    ($($name:ident),*) => {
        $(
            // SAFETY: the type has no values, so no method is ever called.
            unsafe impl Engine for $name {
                type NextStore = Infallible;

                fn frame(&self) -> Frame {
                    match *self {}
                }
                fn tstate(&self) -> ThreadState {
                    match *self {}
                }
                fn oparg(&self) -> usize {
                    match *self {}
                }
                fn return_offset(&self) -> usize {
                    match *self {}
                }
                fn sp(&self) -> *mut StackRef {
                    match *self {}
                }
                unsafe fn set_sp(&mut self, _sp: *mut StackRef) {
                    match *self {}
                }
                unsafe fn switch_frame(&mut self, _frame: Frame, _next: CodeUnit) {
                    match *self {}
                }
                fn give_frame(&mut self, _frame: Frame) {
                    match *self {}
                }
                fn take_frame(&mut self) -> Option<Frame> {
                    match *self {}
                }
                unsafe fn following_store(&self) -> usize {
                    match *self {}
                }
                unsafe fn skip_next(&mut self) {
                    match *self {}
                }
                unsafe fn stay_at_previous_instr(&mut self) {
                    match *self {}
                }
            }
        )*
    };
}

engines_that_do_not_exist!(AnyEngine, AnyBytecodeEngine);

// SAFETY: the type has no values, so no method is ever called.
unsafe impl BytecodeEngine for AnyBytecodeEngine {
    fn this_instr(&self) -> CodeUnit {
        match *self {}
    }
    fn set_oparg(&mut self, _oparg: usize) {
        match *self {}
    }
    fn previous_instr(&self) -> CodeUnit {
        match *self {}
    }
    fn next(&self) -> CodeUnit {
        match *self {}
    }
    unsafe fn set_next(&mut self, _instr: CodeUnit) {
        match *self {}
    }
    #[cfg(py_tier2)]
    unsafe fn run_executor(
        &self,
        _executor: core::ptr::NonNull<ffi::_PyExecutorObject>,
    ) -> Option<crate::engine::Continuation> {
        match *self {}
    }
    #[cfg(py_tier2)]
    fn wants_recording(&self) -> bool {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    //! Compares the rows with the host's own tables, entry by entry, and with the rows of instructions.

    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::bytecode::host_tables::{Table, assert_same, c_switch, c_table};
    use crate::bytecode::metadata::{INSTRUCTIONS, Instruction, Step};

    const UOP_METADATA: &str = "internal/pycore_uop_metadata.h";
    const OPCODE_METADATA: &str = "internal/pycore_opcode_metadata.h";

    fn by_name() -> BTreeMap<&'static str, &'static MicroOp> {
        let rows: BTreeMap<_, _> = MICRO_OPS.iter().map(|row| (row.name, row)).collect();
        assert_eq!(rows.len(), MICRO_OPS.len(), "a micro-op has two rows");
        rows
    }

    /// The host's name of a micro-op.
    fn host_name(name: &str) -> String {
        format!("_{}", name.to_uppercase())
    }

    /// The micro-ops of an instruction, with the number of code units of their operands.
    fn steps(row: &Instruction) -> impl Iterator<Item = (&'static str, usize)> {
        row.steps.iter().filter_map(|step| match *step {
            Step::Op { name, operands, .. } => {
                let units =
                    operands.iter().filter(|operand| **operand != crate::bytecode::metadata::Operand::Unused);
                Some((name, units.map(|operand| operand.units()).sum()))
            }
            Step::Skip(_) => None,
        })
    }

    #[test]
    fn micro_ops_and_their_properties_are_the_hosts() {
        let bits = |text: &str| match text {
            "0" => 0,
            names => names.split(" | ").fold(0, |bits, name| bits | flag_of(name)),
        };
        let host: Table<u16> = c_table(UOP_METADATA, "_PyUop_Flags")
            .into_iter()
            .map(|(name, text)| (name, bits(&text)))
            .collect();
        assert!(host.len() > 250, "too few micro-ops");
        let mut rows = BTreeMap::new();
        for row in MICRO_OPS.iter().filter(|row| row.is_in_host()) {
            rows.insert(host_name(row.name), row.flags);
            for argument in 0..row.copies {
                let name = format!("{}_{argument}", host_name(row.name));
                rows.insert(name, row.flags & !(ffi::HAS_ARG_FLAG as u16));
            }
        }
        assert_same(&rows, &host);
    }

    fn flag_of(name: &str) -> u16 {
        let flags = [
            ("ARG", ffi::HAS_ARG_FLAG),
            ("CONST", ffi::HAS_CONST_FLAG),
            ("NAME", ffi::HAS_NAME_FLAG),
            ("FREE", ffi::HAS_FREE_FLAG),
            ("LOCAL", ffi::HAS_LOCAL_FLAG),
            ("EVAL_BREAK", ffi::HAS_EVAL_BREAK_FLAG),
            ("DEOPT", ffi::HAS_DEOPT_FLAG),
            ("ERROR", ffi::HAS_ERROR_FLAG),
            ("ESCAPES", ffi::HAS_ESCAPES_FLAG),
            ("EXIT", ffi::HAS_EXIT_FLAG),
            ("PURE", ffi::HAS_PURE_FLAG),
            ("ERROR_NO_POP", ffi::HAS_ERROR_NO_POP_FLAG),
            ("NO_SAVE_IP", ffi::HAS_NO_SAVE_IP_FLAG),
        ];
        let short = name.strip_prefix("HAS_").and_then(|name| name.strip_suffix("_FLAG")).expect(name);
        flags.iter().find(|(flag, _)| *flag == short).unwrap_or_else(|| panic!("{name} is new")).1 as u16
    }

    #[test]
    fn names_by_number_are_the_hosts() {
        let names = c_table(UOP_METADATA, "_PyOpcode_uop_name");
        let rows: Table<String> = (0..=micro_op::HOST_LAST)
            .filter_map(|number| {
                let name = MicroOp::host_name(number)?;
                let is_in_host = MicroOp::by_number(number)?.is_in_host();
                is_in_host.then(|| (name.to_string(), format!("\"{name}\"")))
            })
            .collect();
        assert_same(&rows, &names);
    }

    #[test]
    fn own_micro_ops_have_the_numbers_and_names_that_the_host_leaves() {
        let names = c_table(UOP_METADATA, "_PyOpcode_uop_name");
        let own: Vec<&MicroOp> = MICRO_OPS.iter().filter(|row| row.group == Group::Own).collect();
        assert!(!own.is_empty());
        let numbers: Vec<u16> = own.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (micro_op::HOST_LAST + 1..=micro_op::LAST).collect::<Vec<u16>>());
        for row in MICRO_OPS {
            assert_eq!(micro_op::is_own(row.number), row.group == Group::Own, "{}", row.name);
        }
        for row in own {
            let name = MicroOp::host_name(row.number).expect("it has a row");
            assert_eq!(*name, host_name(row.name));
            assert!(!names.contains_key(&*name), "{name} is the host's, too");
        }
        assert_eq!(MicroOp::host_name(micro_op::LAST + 1), None);
    }

    #[test]
    fn copies_are_the_hosts() {
        let host: Table<u8> = c_table(UOP_METADATA, "_PyUop_Replication")
            .into_iter()
            .map(|(name, count)| (name, count.parse().expect("a number")))
            .collect();
        let copied = MICRO_OPS.iter().filter(|row| row.copies > 0);
        assert_same(&copied.map(|row| (host_name(row.name), row.copies)).collect(), &host);
    }

    /// Arguments to test: small ones with different bits, and one that is longer than a byte.
    const ARGUMENTS: [usize; 6] = [1, 2, 3, 4, 7, 0x203];

    /// Values that the host passes on the stack and this crate does not: the frame that a call has made, and
    /// the `__getitem__` that a guard has found. With their number.
    const PASSED_OTHERWISE: [(&str, usize); 2] = [("push_frame", 1), ("binary_op_subscr_init_call", 1)];

    #[test]
    fn what_micro_ops_take_is_what_the_host_says() {
        let host = c_switch(UOP_METADATA, "_PyUop_num_popped");
        for row in MICRO_OPS.iter().filter(|row| row.is_in_host()) {
            let other = PASSED_OTHERWISE.iter().find(|(name, _)| *name == row.name).map_or(0, |(_, n)| *n);
            for argument in ARGUMENTS {
                let taken = (row.effect.taken)(argument) + other;
                let popped = host[&host_name(row.name)](argument);
                assert_eq!(taken as isize, popped, "{} with argument {argument}", row.name);
            }
        }
    }

    /// Micro-ops whose types do not declare their stack effects. They are in no trace.
    const UNDECLARED: [&str; 9] = [
        "raise_varargs",
        "reraise",
        "instrumented_for_iter",
        "instrumented_pop_iter",
        "instrumented_pop_jump_if_true",
        "instrumented_pop_jump_if_false",
        "instrumented_pop_jump_if_none",
        "instrumented_pop_jump_if_not_none",
        "enter_executor",
    ];

    #[test]
    fn together_micro_ops_move_the_stack_as_the_instruction_does() {
        let rows = by_name();
        let popped = c_switch(OPCODE_METADATA, "_PyOpcode_num_popped");
        let pushed = c_switch(OPCODE_METADATA, "_PyOpcode_num_pushed");
        let mut compared = 0;
        for row in INSTRUCTIONS.iter().filter(|row| steps(row).all(|(name, _)| !UNDECLARED.contains(&name))) {
            for argument in ARGUMENTS {
                let mut moved = 0;
                for step in row.steps {
                    let Step::Op { name, .. } = *step else { continue };
                    let Effect { taken, left, .. } = rows[name].effect;
                    moved += left(argument) as isize - taken(argument) as isize;
                }
                let expected = pushed[row.name](argument) - popped[row.name](argument);
                assert_eq!(moved, expected, "{} with argument {argument}", row.name);
            }
            compared += 1;
        }
        assert!(compared > 200, "only {compared} instructions compared");
    }

    /// Whether instructions contain the micro-op.
    fn is_step(row: &MicroOp) -> bool {
        matches!(row.group, Group::Everywhere | Group::Bytecode)
    }

    #[test]
    fn every_step_has_a_row_and_every_body_is_a_step() {
        let rows = by_name();
        let mut used = BTreeSet::new();
        for row in INSTRUCTIONS {
            for (name, operand_units) in steps(row) {
                let micro_op = rows.get(name).unwrap_or_else(|| panic!("{name} of {} has no row", row.name));
                assert!(is_step(micro_op), "{name} of {}", row.name);
                assert_eq!(micro_op.operand_units, operand_units, "{name} of {}", row.name);
                used.insert(name);
            }
        }
        let in_bytecode = MICRO_OPS.iter().filter(|row| is_step(row)).map(|row| row.name);
        assert_eq!(in_bytecode.collect::<BTreeSet<_>>(), used);
    }

    #[test]
    fn what_may_do_the_next_instructions_work_comes_last() {
        let rows = by_name();
        let ending = |name: &str| rows[name].effect.ends_instruction;
        assert!(ending("binary_op_add_int") && ending("iter_next_range"));
        for row in INSTRUCTIONS {
            let names: Vec<&str> = steps(row).map(|(name, _)| name).collect();
            let (_, before) = names.split_last().expect("a step");
            assert!(!before.iter().any(|name| ending(name)), "{}", row.name);
        }
    }

    #[test]
    fn instructions_give_micro_ops_what_they_need() {
        let rows = by_name();
        for row in INSTRUCTIONS {
            let names: Vec<&str> = steps(row).map(|(name, _)| name).collect();
            for (index, name) in names.iter().enumerate() {
                for &alternatives in rows[name].needs {
                    let before = &names[..index];
                    assert!(
                        alternatives.iter().any(|need| before.contains(need)),
                        "{}: {name} needs {} before it",
                        row.name,
                        alternatives.join(" or ")
                    );
                }
            }
        }
        // No instruction contains the micro-ops that only traces have. At least their needs must exist.
        for row in MICRO_OPS {
            for need in row.needs.iter().copied().flatten() {
                assert!(rows.contains_key(need), "{} needs {need}", row.name);
            }
        }
    }
}
