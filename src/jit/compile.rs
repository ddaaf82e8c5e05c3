//! Compiling an executor.

use cranelift_codegen::ir::Function;

use super::emit::{Job, compile_entry, target};
use super::exits::{Exit, Exits};
use super::loops::Shape;
use super::lower::{Lowered, Lowering, TooLarge};
use super::ops::types_are_live;
use super::{forced, spare, worker};
use crate::bytecode::micro_op;
use crate::explain::PlaceId;
use crate::tier2::Uop;
use crate::tier2::compiled::{self, Link, Product, Progress};
use crate::tier2::declined::Term;
use crate::tier2::executor::{Executor, OwnedExecutor, SideExit};
use crate::tier2::promise;

/// How often the shape of a loop may turn out to be another one.
const MAX_SHAPES: usize = 6;

/// The most instructions of Cranelift's. Traces of the greatest length have half of that. More machine code, some 60 KB, is slower
/// than bytecode, because the processor has to fetch it again each time.
const MAX_INSTRUCTIONS: usize = 9_000;

/// The most micro-ops in all code that continues from exits with the same executor, if there is more than one such code.
const MAX_COPIES: usize = 1_200;

/// The micro-ops beside which a call that needs frames does not matter.
const UOPS_PER_CALL: usize = 32;

/// If exits are forced, each guard has more instructions, and there may be so many times as many.
const FORCED: usize = 4;

/// How the lowering of a trace ends.
enum End {
    Done,
    /// It is a loop, at whose end something else is in registers than at its beginning.
    Shape(Shape),
}

/// How the code of a trace begins.
#[derive(Clone, Copy)]
enum Start<'a> {
    /// With a frame in memory. The shape is that of the loop, if it is one.
    Memory(&'a Shape),
    /// Where other code has left.
    Exit(&'a Exit),
    /// The same, but it continues at once in the code that begins with a frame in memory.
    Link(&'a Exit),
}

/// What the code of a trace refers to.
pub(super) struct Data {
    /// For the code only: it contains their addresses.
    _exits: Exits,
    /// What is in registers at the loop, if the trace is one.
    pub(super) shape: Shape,
}

/// The exits of the code of a trace, and the executors that are branches of it.
#[derive(Default)]
struct Contents {
    exits: Exits,
    branches: Vec<OwnedExecutor>,
    /// Much of the code is calls that need frames.
    has_many_calls: bool,
    /// The places that the source locations stand for, if a run is explained.
    places: Vec<Option<PlaceId>>,
}

/// Begins to make the machine code for the trace of an executor that begins with a frame in memory. `is_fast`: it has become hot
/// fast enough for any code. Fails if it cannot be compiled, or is not worth it.
///
/// # Safety
/// The thread is attached, and the executor live. The code is used only as long as the executor lives.
pub(super) unsafe fn begin(executor: Executor, is_fast: bool) -> Result<Product, Term> {
    // What an executor refers to is live as long as it is valid.
    // SAFETY: the executor is live (caller).
    unsafe {
        if !executor.is_valid() || !compiled::can_run(compile_entry) {
            return Err(Term::ForGood);
        }
        let (function, contents, shape) = lower(executor).map_err(|TooLarge| Term::ForGood)?;
        if !is_fast && contents.has_many_calls {
            return Err(Term::ForNow);
        }
        Ok(emit(function, contents, shape))
    }
}

/// Begins to make machine code that continues from an exit with an executor. Fails if there can be none, or none yet.
///
/// Most executors behind a side exit belong to it, and their trace is compiled for it. For other exits, it is compiled again if it
/// is short, and if that saves making frames: much code is slower than what it saves. Otherwise they get code that enters the
/// one that begins with a frame in memory.
///
/// # Safety
/// As for [`begin`]. The exit is that of a live executor.
pub(super) unsafe fn begin_bridge(
    executor: Executor,
    exit: &Exit,
    is_fast: bool,
) -> Result<Product, Progress> {
    // SAFETY: the executor is live (caller).
    unsafe {
        if !executor.is_valid() {
            return Err(Progress::Never);
        }
        let is_loop = executor.trace().iter().any(|uop| uop.number() == micro_op::jump_to_top);
        let is_in_bytecode = executor.chain_depth() == 0;
        let bridges = compiled::bridges(executor);
        let may_copy = exit.has_virtual_frames() && (bridges + 1) * executor.trace().len() <= MAX_COPIES;
        let start = if is_loop || (is_in_bytecode || bridges > 0) && !may_copy {
            if compiled::can_get_entry(executor) {
                compiled::expect_entry(executor, begin(executor, true).ok());
            }
            if compiled::is_pending(executor) {
                return Err(Progress::Again);
            }
            Start::Link(exit)
        } else {
            Start::Exit(exit)
        };
        let (_, function, contents) =
            lower_with(executor, start, false).map_err(|TooLarge| Progress::Never)?;
        if !is_fast && contents.has_many_calls {
            return Err(Progress::Seldom);
        }
        Ok(emit(function, contents, Shape::default()))
    }
}

/// Has machine code made.
fn emit(function: Function, contents: Contents, shape: Shape) -> Product {
    let (maker, code) = promise::promise();
    worker::submit(Job { function, maker, places: contents.places });
    let data = Box::new(Data { _exits: contents.exits, shape });
    Product { code, data, branches: contents.branches }
}

/// The trace in Cranelift's form, its exits, and what is in registers at the loop.
///
/// # Safety
/// As for [`compile`].
unsafe fn lower(executor: Executor) -> Lowered<(Function, Contents, Shape)> {
    let mut shape = Shape::default();
    // SAFETY: the executor is live (caller).
    let tries = if unsafe { compiled::is_plain(executor) } { 0 } else { MAX_SHAPES };
    for _ in 0..tries {
        // SAFETY: the contract is the same.
        match unsafe { lower_with(executor, Start::Memory(&shape), true)? } {
            (End::Done, function, contents) => return Ok((function, contents, shape)),
            (End::Shape(found), ..) => shape = if shape.is_empty() { found } else { shape.meet(&found) },
        }
        if shape.is_empty() {
            break;
        }
    }
    // SAFETY: as above.
    let (_, function, contents) = unsafe { lower_with(executor, Start::Memory(&Shape::default()), false)? };
    Ok((function, contents, Shape::default()))
}

/// Lowers the trace. If `looks` is true, it stops at the end of a loop that has other values in registers.
///
/// # Safety
/// As for [`compile`].
unsafe fn lower_with(executor: Executor, start: Start, looks: bool) -> Lowered<(End, Function, Contents)> {
    // What is too large with branches may do without.
    // SAFETY: the contract is the same.
    unsafe { lower_once(executor, start, looks, true).or_else(|_| lower_once(executor, start, looks, false)) }
}

/// The same, with or without branches.
///
/// # Safety
/// As for [`compile`].
unsafe fn lower_once(
    executor: Executor,
    start: Start,
    looks: bool,
    has_branches: bool,
) -> Lowered<(End, Function, Contents)> {
    let (mut function, mut context) = (spare::function(), spare::context());
    // SAFETY: the executor is live during the lowering (caller).
    let trace = unsafe { executor.trace() };
    // SAFETY: the thread is attached (caller).
    let are_live = unsafe { types_are_live(trace) };
    let mut lowering = Lowering::new(&mut function, &mut context, executor, trace, are_live);
    lowering.has_branches = has_branches;
    match start {
        Start::Memory(shape) => lowering.enter_loop(shape),
        Start::Exit(exit) | Start::Link(exit) => lowering.enter_from(exit)?,
    }
    // SAFETY: as above.
    let end = unsafe { lower_trace(&mut lowering, start, looks)? };
    let has_many_calls = lowering.calls * UOPS_PER_CALL > lowering.at;
    if let End::Shape(_) = end {
        spare::give_function(function);
        return Ok((end, Function::new(), Contents::default()));
    }
    while lowering.next_branch()? {
        // SAFETY: as above; the executor of the branch is live, too.
        unsafe {
            lowering.types_are_live = types_are_live(lowering.trace);
            lower_trace(&mut lowering, start, false)?;
        }
    }
    // SAFETY: the thread is attached, and the executors are live and valid.
    let places = unsafe { lowering.places() };
    if lowering.state.has_fault() {
        return Err(TooLarge);
    }
    let mut exits = core::mem::take(&mut lowering.exits);
    exits.finish();
    // SAFETY: the executors are live.
    let branches = lowering.branches.iter().map(|branch| unsafe { branch.new_ref() }).collect();
    lowering.finish();
    // SAFETY: the thread is attached (caller).
    let most = if unsafe { forced::period() }.is_some() { FORCED } else { 1 } * MAX_INSTRUCTIONS;
    if lowering.b.func.dfg.num_insts() > most {
        return Err(TooLarge);
    }
    let target = target().ok_or(TooLarge)?;
    lowering.b.finalize(target.frontend_config());
    spare::give_context(context);
    Ok((end, function, Contents { exits, branches, has_many_calls, places }))
}

/// Lowers all micro-ops.
///
/// # Safety
/// As for [`compile`].
unsafe fn lower_trace(lowering: &mut Lowering, start: Start, looks: bool) -> Lowered<End> {
    if let Start::Link(_) = start {
        // SAFETY: the executor is live (caller).
        let (code, data) = unsafe { compiled::entry(lowering.executor) }.ok_or(TooLarge)?;
        let Data { shape, .. } = data.downcast_ref().ok_or(TooLarge)?;
        lowering.continue_in(code, shape)?;
        return Ok(End::Done);
    }
    // The first micro-op only begins the trace.
    for at in 1..lowering.trace.len() {
        lowering.at = at;
        lowering.note_source();
        let uop = lowering.trace[at];
        match uop.number() {
            micro_op::jump_to_top => {
                // A bridge that is a loop would be one with a beginning in memory.
                let Start::Memory(shape) = start else { return Err(TooLarge) };
                let found = lowering.shape_at_end();
                let is_new = if shape.is_empty() { !found.is_empty() } else { shape.meet(&found) != *shape };
                if looks && is_new {
                    return Ok(End::Shape(found));
                }
                lowering.jump_to_start(shape)?;
                return Ok(End::Done);
            }
            micro_op::exit_trace => {
                // SAFETY: the contract is the same.
                unsafe { leave_trace(lowering, uop, start)? };
                return Ok(End::Done);
            }
            micro_op::deopt | micro_op::error_pop_n => {
                let word = lowering.word_of(0);
                lowering.leave(word);
                return Ok(End::Done);
            }
            // SAFETY: the contract is the same.
            _ => unsafe { lowering.micro_op(uop)? },
        }
        if lowering.state.has_fault() {
            return Err(TooLarge);
        }
        if core::mem::take(&mut lowering.has_failed) {
            return Ok(End::Done);
        }
        if lowering.new_frame.is_none() && lowering.resumed.is_none() {
            lowering.settle()?;
        }
    }
    Err(TooLarge)
}

/// Ends the code by the side exit at the end of the trace: in the loop behind it, if that is in this code, or has code of its
/// own. If nothing is behind it, although the trace is hot, nothing will be: it leads to bytecode, by the shortest way.
///
/// # Safety
/// As for [`compile`].
unsafe fn leave_trace(lowering: &mut Lowering, uop: Uop, start: Start) -> Lowered {
    let word = lowering.word_of(0);
    // SAFETY: the exit belongs to the executor, which is live (caller), and keeps the one behind it alive.
    unsafe {
        let Some(behind) = SideExit::of(uop).executor().filter(|executor| executor.is_valid()) else {
            lowering.leave(word);
            return Ok(());
        };
        if let Start::Memory(shape) = start
            && behind == lowering.executor
            && lowering.return_to_loop(word, shape)?
        {
            return Ok(());
        }
        if let Some((code, data)) = compiled::entry(behind)
            && let Some(Data { shape, .. }) = data.downcast_ref()
            && !shape.is_empty()
        {
            let link = Box::<Link>::default();
            if lowering.leave_to_loop(word, &link, shape)? {
                link.lead_to(behind, code);
                lowering.exits.add_link(link);
                return Ok(());
            }
        }
    }
    lowering.leave_by(word, false)
}
