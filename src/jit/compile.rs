//! Compiling an executor.

use core::any::Any;
use std::env::consts::ARCH;

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{Function, UserFuncName};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable, Flags};
use cranelift_codegen::{Context, isa};
use cranelift_frontend::FunctionBuilderContext;
use once_cell::race::OnceBox;

use super::exits::Exits;
use super::loops::Shape;
use super::lower::{Lowered, Lowering, TooLarge, signature_of};
use crate::bytecode::micro_op;
use crate::tier2::executor::Executor;

/// How often the shape of a loop may turn out to be another one.
const MAX_SHAPES: usize = 6;

/// How the lowering of a trace ends.
enum End {
    Done,
    /// It is a loop, at whose end something else is in registers than at its beginning.
    Shape(Shape),
}

/// The machine code for the trace of an executor, with the data that it refers to. `None` if it cannot be compiled.
///
/// # Safety
/// The thread is attached, and the executor live. The code is used only as long as the executor lives.
pub(super) unsafe fn compile(executor: Executor) -> Option<(Vec<u8>, Box<dyn Any>)> {
    let target = target()?;
    // What an executor refers to is live as long as it is valid.
    // SAFETY: the executor is live (caller).
    if unsafe { !executor.is_valid() } {
        return None;
    }
    // SAFETY: the contract is the same.
    let (function, exits) = unsafe { lower(executor) }.ok()?;
    let mut context = Context::for_function(function);
    let compiled = context.compile(&**target, &mut ControlPlane::default()).ok()?;
    Some((compiled.code_buffer().to_vec(), Box::new(exits)))
}

/// The trace in Cranelift's form, and its exits.
///
/// # Safety
/// As for [`compile`].
unsafe fn lower(executor: Executor) -> Lowered<(Function, Exits)> {
    let mut shape = Shape::default();
    for _ in 0..MAX_SHAPES {
        // SAFETY: the contract is the same.
        match unsafe { lower_with(executor, &shape, true)? } {
            (End::Done, function, exits) => return Ok((function, exits)),
            (End::Shape(found), ..) => shape = if shape.is_empty() { found } else { shape.meet(&found) },
        }
        if shape.is_empty() {
            break;
        }
    }
    // SAFETY: as above.
    let (_, function, exits) = unsafe { lower_with(executor, &Shape::default(), false)? };
    Ok((function, exits))
}

/// Lowers the trace with these values in registers. If `looks` is true, it stops at the end of a loop that has others.
///
/// # Safety
/// As for [`compile`].
unsafe fn lower_with(executor: Executor, shape: &Shape, looks: bool) -> Lowered<(End, Function, Exits)> {
    let mut function =
        Function::with_name_signature(UserFuncName::default(), signature_of(&[I64, I64], Some(I64)));
    let mut context = FunctionBuilderContext::new();
    // SAFETY: the executor is live during the lowering (caller).
    let trace = unsafe { executor.trace() };
    let mut lowering = Lowering::new(&mut function, &mut context, executor, trace);
    lowering.enter_loop(shape);
    // SAFETY: as above.
    let end = unsafe { lower_trace(&mut lowering, shape, looks)? };
    let exits = core::mem::take(&mut lowering.exits);
    if let End::Shape(_) = end {
        return Ok((end, Function::new(), exits));
    }
    lowering.finish();
    let target = target().ok_or(TooLarge)?;
    lowering.b.finalize(target.frontend_config());
    Ok((end, function, exits))
}

/// Lowers all micro-ops.
///
/// # Safety
/// As for [`compile`].
unsafe fn lower_trace(lowering: &mut Lowering, shape: &Shape, looks: bool) -> Lowered<End> {
    // The first micro-op only begins the trace.
    for at in 1..lowering.trace.len() {
        lowering.at = at;
        let uop = lowering.trace[at];
        match uop.number() {
            micro_op::jump_to_top => {
                let found = lowering.shape_at_end();
                let is_new = if shape.is_empty() { !found.is_empty() } else { shape.meet(&found) != *shape };
                if looks && is_new {
                    return Ok(End::Shape(found));
                }
                lowering.jump_to_start(shape)?;
                return Ok(End::Done);
            }
            micro_op::exit_trace | micro_op::deopt | micro_op::error_pop_n => {
                let word = lowering.word_of(0);
                lowering.leave(word);
                return Ok(End::Done);
            }
            // SAFETY: the contract is the same.
            _ => unsafe { lowering.micro_op(uop)? },
        }
        if lowering.new_frame.is_none() && lowering.resumed.is_none() {
            lowering.settle()?;
        }
    }
    Err(TooLarge)
}

/// The machine that the code is for: this one.
fn target() -> Option<&'static OwnedTargetIsa> {
    static TARGET: OnceBox<OwnedTargetIsa> = OnceBox::new();
    TARGET
        .get_or_try_init(|| {
            let mut flags = settings::builder();
            for (name, value) in [
                ("opt_level", "none"),
                ("is_pic", "false"),
                ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
                ("preserve_frame_pointers", "true"),
            ] {
                flags.set(name, value).map_err(|_| ())?;
            }
            let builder = isa::lookup_by_name(&format!("{ARCH}-unknown-linux-gnu")).map_err(|_| ())?;
            builder.finish(Flags::new(flags)).map(Box::new).map_err(|_| ())
        })
        .ok()
}
