//! What tier 2 notes while a run is explained ([`crate::explain`]): to which instruction each micro-op of a trace belongs, and
//! where traces are left.

use core::ops::Range;

use super::executor::Executor;
use super::finish::is_end;
use super::uop::Entered;
use super::{Place, Uop};
use crate::bytecode::micro_op;
use crate::explain::{self, Attempt, Exit, PlaceId, Reasons};
use crate::host::{Code, CodeUnit, Frame, ThreadState, ffi};
use crate::ops::metadata::MicroOp;

/// Where a micro-op belongs to: a code object, and the offset of an instruction. `None` if that is not known.
type Origin = Option<(Code, u32)>;

/// Where each micro-op of a trace belongs to, up to its end. Nothing if no run is explained.
///
/// # Safety
/// The thread is attached, and the executor valid: so the code objects through which its trace runs are live.
pub(crate) unsafe fn origins(executor: Executor) -> Vec<Origin> {
    if !explain::is_on() {
        return Vec::new();
    }
    // SAFETY: the executor is live (caller), and so is its trace.
    unsafe {
        let trace = executor.trace();
        let mut walk = Walk::new(trace);
        let end = trace.iter().position(|&uop| is_end(uop)).map_or(0, |end| end + 1);
        trace[..end].iter().map(|&uop| walk.passes(trace, uop)).collect()
    }
}

/// The place of the instruction to which micro-op `index` of the trace belongs.
///
/// # Safety
/// As for [`origins`], which has returned this list.
pub(crate) unsafe fn place_of(origins: &[Origin], index: usize) -> Option<PlaceId> {
    let (code, offset) = (*origins.get(index)?)?;
    // SAFETY: the code is live (caller).
    unsafe { explain::place(code, offset) }
}

/// The executor gets no machine code because it runs too seldom.
///
/// # Safety
/// As for [`origins`].
pub(super) unsafe fn note_seldom(executor: Executor) {
    // SAFETY: the contract is the same. The list is that of the executor.
    unsafe {
        if let Some(start) = place_of(&origins(executor), 0) {
            let outcome = c"none: it runs too seldom for machine code";
            explain::note_attempt(Attempt { start, end: Some(start), outcome, detail: None });
        }
    }
}

/// A way through a trace.
struct Walk {
    /// The code objects of the frames, the innermost last, and where each is.
    frames: Vec<Origin>,
    /// Where a frame continues that the trace will return to.
    continuation: Origin,
    /// The next frame has another one below it.
    has_trampoline: bool,
}

impl Walk {
    /// # Safety
    /// The thread is attached.
    unsafe fn new(trace: &[Uop]) -> Walk {
        // SAFETY: the second operand of the first micro-op is the instruction where the trace begins.
        let start = unsafe { trace.first().and_then(|first| code_at(first.operand1)) };
        Walk { frames: vec![start], continuation: None, has_trampoline: false }
    }

    /// Passes a micro-op. Returns where it belongs to.
    ///
    /// # Safety
    /// As for [`origins`].
    unsafe fn passes(&mut self, trace: &[Uop], uop: Uop) -> Origin {
        let number = uop.number();
        // SAFETY: the operands are those of such micro-ops.
        unsafe {
            let known = (number == micro_op::set_ip).then(|| code_at(uop.operand0)).flatten();
            let top = self.frames.last_mut().expect("there is always one");
            *top = known.or_else(|| {
                let (code, offset) = (*top)?;
                Some((code, target_of(trace, uop).unwrap_or(offset)))
            });
            let origin = *top;
            match number {
                micro_op::guard_returns_to | micro_op::guard_yields_to => {
                    self.continuation = code_at(uop.operand0);
                }
                micro_op::create_init_frame | micro_op::create_operator_frames => self.has_trampoline = true,
                micro_op::enter_consumer => self.frames.push(entered(uop)),
                micro_op::push_frame => {
                    if core::mem::take(&mut self.has_trampoline) {
                        self.frames.push(None);
                    }
                    self.frames.push(entered(uop));
                }
                micro_op::return_value
                | micro_op::return_generator
                | micro_op::yield_value
                | micro_op::return_operator
                | micro_op::return_store_subscr
                | micro_op::return_consumer
                | micro_op::return_consumer_only => {
                    self.frames.pop();
                    if self.frames.is_empty() {
                        self.frames.push(self.continuation.take());
                    }
                }
                _ => {}
            }
            origin
        }
    }
}

/// # Safety
/// The thread is attached.
unsafe fn code_at(address: u64) -> Origin {
    // SAFETY: the contract is the same.
    unsafe { explain::code_at(CodeUnit::from_ptr(core::ptr::with_exposed_provenance_mut(address as usize))) }
}

/// The beginning of what runs behind a micro-op that enters a frame.
///
/// # Safety
/// The thread is attached.
unsafe fn entered(uop: Uop) -> Origin {
    match Entered::from_operand(uop.operand0) {
        // SAFETY: the contract is the same.
        Some(Entered::Code(code)) if unsafe { explain::is_known(code) } => Some((code, 0)),
        _ => None,
    }
}

/// The offset of the instruction to which a micro-op belongs, as far as the micro-op still says it.
fn target_of(trace: &[Uop], uop: Uop) -> Option<u32> {
    let target = |index: u16| match trace.get(usize::from(index))?.place() {
        Place::Target(target) => Some(target),
        Place::Stubs { .. } => None,
    };
    match uop.place() {
        // These have no target of their own.
        _ if matches!(uop.number(), micro_op::make_warm | micro_op::set_ip | micro_op::jump_to_top) => None,
        Place::Target(target) => Some(target),
        Place::Stubs { error, .. } if error != 0 => Some(trace.get(usize::from(error))?.operand0 as u32),
        // These lead to where the program goes instead.
        Place::Stubs { .. } if reasons_of(uop.number()).leads_elsewhere() => None,
        Place::Stubs { exit, .. } => target(exit),
    }
}

impl Reasons {
    fn leads_elsewhere(self) -> bool {
        self == Reasons::BRANCH || self == Reasons::LOOP
    }
}

/// Why a guard fails.
fn reasons_of(number: u16) -> Reasons {
    const RULES: &[(Reasons, &[&str])] = &[
        (Reasons::BRANCH, &["guard_is_"]),
        (Reasons::LOOP, &["exhausted", "for_iter_tier_two", "iter_next", "send_yields", "send_returns"]),
        (Reasons::CALLER, &["returns_to", "yields_to", "generator_at"]),
        (
            Reasons::CHANGED,
            &["validity", "jump_to_top", "resume_check", "pep_523", "stack_space", "recursion"],
        ),
        (Reasons::CHANGED, &["globals", "load_global"]),
        (Reasons::CALLEE, &["function", "method_version", "callable", "call_", "allocate", "instance_frame"]),
        (Reasons::CALLEE, &["guard_nos_null", "expand_instance", "gen_frame", "check_func"]),
        (Reasons::ATTRIBUTE, &["attr", "managed_object", "dorv", "keys_version"]),
        (Reasons::TYPE, &["guard_", "to_bool", "iter_check"]),
    ];
    let Some(row) = MicroOp::by_number(number) else { return Reasons::default() };
    let fits = |parts: &[&str]| parts.iter().any(|part| row.name.contains(part));
    let rule = RULES.iter().find(|(_, parts)| fits(parts));
    rule.map_or(Reasons::VALUE, |&(reasons, _)| reasons)
}

/// A trace of `executor` is left for bytecode, by this micro-op: `frame` goes on at `target`.
///
/// # Safety
/// The thread is attached. The executor and the frame are live, and the micro-op is in the trace of the executor.
#[cold]
pub(super) unsafe fn note_exit(tstate: ThreadState, frame: Frame, uop: *const Uop, target: u32) {
    // SAFETY: the executor and the frame are live (caller).
    unsafe {
        let Some(executor) = Executor::from_ptr((*tstate.as_ptr()).current_executor.cast()) else { return };
        explain::note_exit(tstate, (uop.addr(), false), || {
            let trace = executor.trace();
            let index = trace.iter().position(|other| core::ptr::eq(other, uop))?;
            let (place, reasons) = (explain::place(frame.code(), target)?, reasons_for(trace, index));
            Some(Exit { place, reasons, detail: None })
        });
    }
}

/// Machine code has left to this micro-op of the same trace, which the micro-op interpreter goes on with.
///
/// # Safety
/// The thread is attached. The current executor is live, and the micro-op is in its trace.
#[cold]
pub(super) unsafe fn note_interpreted(tstate: ThreadState, uop: *const Uop) {
    // SAFETY: the executor is live (caller), and valid if its code has just run and nothing has changed.
    unsafe {
        let Some(executor) = Executor::from_ptr((*tstate.as_ptr()).current_executor.cast()) else { return };
        explain::note_exit(tstate, (uop.addr(), false), || {
            let detail = MicroOp::by_number((*uop).number()).map(|row| row.name.to_owned());
            Some(Exit { place: place_in(executor, uop)?, reasons: Reasons::INTERPRETED, detail })
        });
    }
}

/// Machine code is left because this object ends, whose end may run Python code. The program goes on at a micro-op in the trace
/// of this executor.
///
/// # Safety
/// The thread is attached. The executor is live, and the object not freed yet.
#[cold]
pub(crate) unsafe fn note_end(
    tstate: ThreadState,
    executor: Executor,
    uop: *const Uop,
    object: *mut ffi::PyObject,
) {
    // SAFETY: the executor is live, and the object still has its type (caller).
    unsafe {
        explain::note_exit(tstate, (uop.addr(), true), || {
            let detail = Some(type_name(object));
            Some(Exit { place: place_in(executor, uop)?, reasons: Reasons::ENDED, detail })
        });
    }
}

/// The place of a micro-op in the trace of the executor. `None` if that has been invalidated.
///
/// # Safety
/// The thread is attached, and the executor live.
unsafe fn place_in(executor: Executor, uop: *const Uop) -> Option<PlaceId> {
    // SAFETY: a valid executor has live code (caller).
    unsafe {
        let index = executor.trace().iter().position(|other| core::ptr::eq(other, uop))?;
        if executor.is_valid() { place_of(&origins(executor), index) } else { None }
    }
}

/// Why the trace may be left by the micro-op at this index: what guards lead there.
fn reasons_for(trace: &[Uop], index: usize) -> Reasons {
    let mut reasons = Reasons::default();
    if trace[index].number() == micro_op::error_pop_n {
        reasons.add(Reasons::EXCEPTION);
        return reasons;
    }
    if trace.iter().position(|&uop| is_end(uop)) == Some(index) {
        reasons.add(Reasons::END);
    }
    for uop in trace {
        if let Place::Stubs { exit, .. } = uop.place() {
            // A stub may begin with a micro-op that sets the instruction.
            let sets_ip = trace.get(usize::from(exit)).is_some_and(|stub| stub.number() == micro_op::set_ip);
            if usize::from(exit) + usize::from(sets_ip) == index {
                reasons.add(reasons_of(uop.number()));
            }
        }
    }
    reasons
}

/// The executor will be freed.
///
/// # Safety
/// The thread is attached, and the executor live.
pub(super) unsafe fn forget(executor: Executor) {
    // SAFETY: the executor is live (caller).
    unsafe {
        let Range { start, end } = executor.trace().as_ptr_range();
        explain::forget_exits(start.addr()..end.addr());
    }
}

/// What the object is, in words: the name of its type.
///
/// # Safety
/// The object is live, and the thread attached.
pub(super) unsafe fn type_name(object: *mut ffi::PyObject) -> String {
    // SAFETY: the name of a type lives as long as the type (caller).
    unsafe {
        let name = (*ffi::Py_TYPE(object)).tp_name;
        core::ffi::CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}
