//! What a CALL has called when it was recorded, as far as machine code does its work itself.

use super::quiet_call::QuietCall;
use super::uop::OperandKinds;
use crate::host::dict::Dict;
use crate::host::dict_lookup::Lookup;
use crate::host::known_functions::{KnownFunction, known_function};
use crate::host::object::type_of;
use crate::host::{PyObject, StackRef, ThreadState, without_code};
use crate::ops::calls::known_instance_of;

/// A call of a known function or type, with one or two arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KnownCall {
    pub(crate) function: KnownFunction,
    /// The address that stands for it.
    pub(crate) address: u64,
    /// What the arguments were.
    pub(crate) arguments: OperandKinds,
}

impl KnownCall {
    /// The operands of a micro-op of `isinstance`: the answer was found without Python code.
    pub(crate) const INSTANCE_IS_KNOWN: (u64, u64) = (1, 0);

    /// The operands of the micro-op of a CALL. Bodies do not read them.
    ///
    /// # Safety
    /// The thread is attached. `sp` is the stack pointer at a CALL with `count` arguments.
    pub(crate) unsafe fn note(sp: *mut StackRef, count: usize) -> (u64, u64) {
        // SAFETY: the callable, a slot for `self`, and the arguments are on the stack (caller).
        unsafe {
            let object = |depth: usize| (*sp.sub(depth)).object();
            let callable = object(count + 2);
            if count == 2 && callable == (*ThreadState::current().interp()).callable_cache.isinstance {
                let is_known = known_instance_of(type_of(object(2)), object(1)).is_some();
                return if is_known { KnownCall::INSTANCE_IS_KNOWN } else { (0, 0) };
            }
            let arguments = match count {
                1 => OperandKinds::of(object(1), object(1)),
                2 => OperandKinds::of(object(2), object(1)),
                _ => return QuietCall::note(sp, count),
            };
            let call = KnownCall::of(callable, arguments).filter(|call| {
                call.function != KnownFunction::DictGet
                    || finds_without_code(object(count + 1), object(count))
            });
            call.map_or_else(|| QuietCall::note(sp, count), KnownCall::to_operands)
        }
    }

    /// # Safety
    /// The thread is attached, and the callable live.
    unsafe fn of(callable: *mut PyObject, arguments: OperandKinds) -> Option<KnownCall> {
        // SAFETY: the contract is the same.
        let (function, address) = unsafe { known_function(callable)? };
        Some(KnownCall { function, address: address as u64, arguments })
    }

    fn to_operands(self) -> (u64, u64) {
        (self.address, self.function as u64 | self.arguments.to_operand() << 8)
    }

    /// Reads the operands of a micro-op other than that of `isinstance`.
    pub(crate) fn from_operands((address, rest): (u64, u64)) -> Option<KnownCall> {
        let function = KnownFunction::from_number(rest as u8)?;
        Some(KnownCall { function, address, arguments: OperandKinds::from_operand(rest >> 8) })
    }
}

/// Whether the object is a dict, and needs no Python code to look up the key.
///
/// # Safety
/// The thread is attached, and both are live, or the dict is null.
unsafe fn finds_without_code(dict: *mut PyObject, key: *mut PyObject) -> bool {
    // SAFETY: both are live (caller).
    unsafe {
        !dict.is_null()
            && Dict::cast(dict).is_some_and(|dict| without_code::find(dict, key) != Lookup::Unknown)
    }
}
