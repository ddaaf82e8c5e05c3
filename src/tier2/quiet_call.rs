//! What a CALL has called when it was recorded, if that runs no Python code.

use crate::host::function::Definition;
use crate::host::quiet_functions::{ArgumentKind, Quiet, QuietFunction};
use crate::host::{PyTypeObject, StackRef};

/// The most arguments of such a call.
const MAX_ARGUMENTS: usize = 4;
/// In the place of the number of a known function.
const MARK: u64 = 0xFF;
const INDEX_SHIFT: u32 = 8;
const KINDS_SHIFT: u32 = 24;
const KIND_WIDTH: u32 = 8;
const BOUND_SHIFT: u32 = KINDS_SHIFT + KIND_WIDTH * MAX_ARGUMENTS as u32;

/// A call of a quiet function with arguments for which it is quiet.
#[derive(Clone, Copy)]
pub(crate) struct QuietCall {
    pub(crate) function: &'static QuietFunction,
    /// Its definition, which is a static of the host, or of one of its modules.
    pub(crate) definition: Definition,
    /// It is a method whose receiver the callable has.
    pub(crate) is_bound: bool,
    kinds: [ArgumentKind; MAX_ARGUMENTS],
}

impl QuietCall {
    /// The operands of the micro-op of a CALL: 0 if it is another call. Bodies do not read them.
    ///
    /// # Safety
    /// The thread is attached. `sp` is the stack pointer at a CALL with `count` arguments.
    pub(super) unsafe fn note(sp: *mut StackRef, count: usize) -> (u64, u64) {
        if count > MAX_ARGUMENTS {
            return (0, 0);
        }
        // SAFETY: the callable, a slot for `self`, and the arguments are on the stack (caller).
        unsafe {
            let object = |depth: usize| (*sp.sub(depth)).object();
            let found = QuietFunction::find(object(count + 2), object(count + 1));
            let Some(Quiet { index, definition, is_bound }) = found else { return (0, 0) };
            let mut kinds = [ArgumentKind::Other; MAX_ARGUMENTS];
            for (number, kind) in kinds[..count].iter_mut().enumerate() {
                *kind = ArgumentKind::of(object(count - number));
            }
            if !QuietFunction::by_index(index).is_some_and(|row| row.is_quiet_for(&kinds[..count])) {
                return (0, 0);
            }
            let mut bits = MARK | (index as u64) << INDEX_SHIFT;
            for (number, &kind) in kinds.iter().enumerate() {
                bits |= (kind as u64) << (KINDS_SHIFT + KIND_WIDTH * number as u32);
            }
            bits |= u64::from(is_bound) << BOUND_SHIFT;
            (definition.address().get() as u64, bits)
        }
    }

    /// Reads the operands of a micro-op.
    pub(crate) fn from_operands((address, bits): (u64, u64)) -> Option<QuietCall> {
        if bits & MARK != MARK {
            return None;
        }
        let function = QuietFunction::by_index(usize::from((bits >> INDEX_SHIFT) as u16))?;
        let mut kinds = [ArgumentKind::Other; MAX_ARGUMENTS];
        for (number, kind) in kinds.iter_mut().enumerate() {
            let found = (bits >> (KINDS_SHIFT + KIND_WIDTH * number as u32)) as u8;
            *kind = ArgumentKind::ALL.into_iter().find(|&kind| kind as u8 == found)?;
        }
        Some(QuietCall {
            function,
            definition: Definition::from_address(address as usize),
            is_bound: bits >> BOUND_SHIFT != 0,
            kinds,
        })
    }

    /// The type that the first operand must be of, as the receiver of a method.
    pub(crate) fn type_of_receiver(&self) -> Option<*mut PyTypeObject> {
        self.function.owner.type_().filter(|_| !self.is_bound)
    }

    /// What the argument with this number was.
    pub(crate) fn kind(&self, number: usize) -> ArgumentKind {
        self.kinds[number]
    }
}
