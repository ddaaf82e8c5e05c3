//! The instructions as code: for each row of the table, its micro-ops one after the other.

#![allow(non_snake_case, unused_assignments, unused_mut, unused_variables, unreachable_code)]
// The contract of every instruction is the one of its micro-ops, in `crate::engine`.
#![allow(clippy::missing_safety_doc)]

use crate::engine::{BytecodeEngine, BytecodeOp, Exits, run, run_with};
use crate::host::PyObject;
use crate::ops;

macro_rules! instructions {
    ($({ $name:ident $family:tt [$($step:tt)+] })*) => {
        $(
            #[inline(always)]
            pub(crate) unsafe fn $name<E: BytecodeEngine>(e: &mut E) -> BytecodeOp<()> {
                // SAFETY: the engine was made for this instruction, so its cache has what the row says.
                unsafe {
                    let mut at = 1;
                    $(for_step!(step (e at) $step);)+
                }
                Ok(())
            }
        )*
    };
}

/// Runs a step. `$e` is the engine, `$at` the offset in code units from the instruction.
macro_rules! step {
    (($e:ident $at:ident) skip $($n:tt)+) => {
        $at += $($n)+
    };
    (($e:ident $at:ident) run $op:ident Whole []) => {
        run($e, ops::$op)?
    };
    (($e:ident $at:ident) run $op:ident High []) => {
        with_oparg($e, $e.oparg() >> 4, |e| run(e, ops::$op))?
    };
    (($e:ident $at:ident) run $op:ident Low []) => {
        with_oparg($e, $e.oparg() & 15, |e| run(e, ops::$op))?
    };
    (($e:ident $at:ident) run $op:ident Whole [$n:tt]) => {
        run_with($e, operand!($e $at $n), ops::$op)?
    };
    (($e:ident $at:ident) run $op:ident Whole [$($n:tt)+]) => {
        run_with($e, operands!($e $at () $($n)+), ops::$op)?
    };
}

/// Reads a cached operand of a number of code units.
macro_rules! operand {
    ($e:ident $at:ident $n:tt) => {{
        let operand: operand_type!($n) = $e.this_instr().add($at).read();
        $at += $n;
        operand
    }};
}

/// Several cached operands as a tuple.
macro_rules! operands {
    ($e:ident $at:ident ($($done:expr,)*)) => {
        ($($done,)*)
    };
    ($e:ident $at:ident ($($done:expr,)*) unused $($rest:tt)*) => {{
        $at += 1;
        operands!($e $at ($($done,)*) $($rest)*)
    }};
    ($e:ident $at:ident ($($done:expr,)*) $n:tt $($rest:tt)*) => {{
        let operand = operand!($e $at $n);
        operands!($e $at ($($done,)* operand,) $($rest)*)
    }};
}

macro_rules! operand_type {
    (1) => { u16 };
    (2) => { u32 };
    (4) => { *mut PyObject };
}

/// Runs a micro-op with another argument than the instruction's.
#[inline(always)]
fn with_oparg<E: BytecodeEngine, X: Exits>(
    e: &mut E,
    oparg: usize,
    micro_op: impl FnOnce(&mut E) -> Result<(), X>,
) -> Result<(), X> {
    let whole = e.oparg();
    e.set_oparg(oparg);
    micro_op(e)?;
    e.set_oparg(whole);
    Ok(())
}

for_each_instruction!(instructions);
