//! From Cranelift's form of a function to machine code. This needs nothing of the program, so any thread can do it.

use std::env::consts::ARCH;

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{Function, InstBuilder, UserFuncName};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable, Flags};
use cranelift_codegen::{Context, isa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use once_cell::race::OnceBox;

use super::lower::{signature_of, signature_of_code};
use super::sources::lines_of;
use crate::explain::{Lines, PlaceId};
use crate::tier2::promise::Maker;

/// A function that is to become machine code.
pub(super) struct Job {
    pub(super) function: Function,
    pub(super) maker: Maker,
    /// The places that its source locations stand for, if a run is explained.
    pub(super) places: Vec<Option<PlaceId>>,
}

/// The machine code of a function, in the context's memory, and the places that its parts stand for.
pub(super) fn code_of<'a>(
    function: Function,
    places: &[Option<PlaceId>],
    context: &'a mut Context,
) -> Option<(&'a [u8], Lines)> {
    context.clear();
    context.func = function;
    let compiled = context.compile(&**target()?, &mut ControlPlane::default()).ok()?;
    // Code that calls functions of the compiler's choice would need their addresses.
    if !compiled.buffer.relocs().is_empty() {
        return None;
    }
    let ranges = compiled.buffer.get_srclocs_sorted().iter();
    let lines = lines_of(ranges.map(|range| (range.start, range.end, range.loc)), places);
    Some((compiled.code_buffer(), lines))
}

/// A function of three parameters for the library: it calls the machine code at the third one with the other two, and
/// returns what that returns.
pub(super) fn compile_entry() -> Option<Vec<u8>> {
    let mut function =
        Function::with_name_signature(UserFuncName::default(), signature_of(&[I64; 3], Some(I64)));
    let mut context = FunctionBuilderContext::new();
    let mut b = FunctionBuilder::new(&mut function, &mut context);
    let block = b.create_block();
    b.append_block_params_for_function_params(block);
    b.switch_to_block(block);
    let parameters = b.block_params(block).to_vec();
    let signature = b.import_signature(signature_of_code());
    let call = b.ins().call_indirect(signature, parameters[2], &parameters[..2]);
    let results = b.inst_results(call).to_vec();
    b.ins().return_(&results);
    b.seal_all_blocks();
    b.finalize(target()?.frontend_config());
    let mut context = Context::new();
    let (code, _) = code_of(function, &[], &mut context)?;
    Some(code.to_vec())
}

/// The machine that the code is for: this one.
pub(super) fn target() -> Option<&'static OwnedTargetIsa> {
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
