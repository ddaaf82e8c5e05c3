//! The instructions as code: each row of the table becomes a function that runs its micro-ops in order.

#![allow(non_snake_case, unused_assignments, unused_mut, unused_variables, unreachable_code)]

use crate::engine::{BytecodeEngine, BytecodeOp, Exits, run, run_with};
use crate::host::CodeUnit;
use crate::host::code::CacheValue;
use crate::ops;

macro_rules! instructions {
    ($({ $name:ident $family:tt [$($step:tt)+] })*) => {
        $(
            /// # Safety
            /// The engine runs this instruction; otherwise as for micro-ops, in `crate::engine`.
            #[inline(always)]
            pub(crate) unsafe fn $name<E: BytecodeEngine>(e: &mut E) -> BytecodeOp<()> {
                // SAFETY: the engine runs this instruction (caller), so the cache has the form that the row
                // states.
                unsafe {
                    let mut at = 1;
                    $(for_step!(step (e at) $step);)+
                }
                Ok(())
            }
        )*
    };
}

/// Runs one step. `$e` is the engine, `$at` the offset in code units from the start of the instruction.
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

/// Reads a cached operand of `$n` code units and advances `$at`.
macro_rules! operand {
    ($e:ident $at:ident $n:tt) => {{
        let operand = read_operand::<_, $n>($e.this_instr().add($at));
        $at += $n;
        operand
    }};
}

/// Reads several cached operands as a tuple.
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

/// The operand that begins at `unit`. Its type is the micro-op's, its size what the row says.
///
/// # Safety
/// The unit is in the cache of the instruction that runs, and the specializer has written such an operand there.
#[inline(always)]
unsafe fn read_operand<T: CacheValue, const UNITS: isize>(unit: CodeUnit) -> T {
    const { assert!(T::UNITS == UNITS as usize, "a row and its micro-op differ in the size of an operand") };
    // SAFETY: the cache holds such an operand (caller).
    unsafe { unit.read() }
}

/// Runs a micro-op with another argument than the instruction's. Restores the argument if the micro-op
/// succeeds.
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
