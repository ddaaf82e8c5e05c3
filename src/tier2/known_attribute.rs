//! What a generic LOAD_ATTR has found when it was recorded, if that runs no Python code.

use crate::host::{PyObject, ThreadState};
use crate::ops::known_attributes;

/// The name of an attribute, and whether it is a method of the owner, for a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KnownAttribute {
    /// The address of a name of the code object.
    pub(crate) name: u64,
    pub(crate) is_method: bool,
}

/// The bit of an operand that says that it is a method. Objects are at even addresses.
const METHOD: u64 = 1;

impl KnownAttribute {
    /// The operand of the micro-op of a LOAD_ATTR: 0 if it is not known where the attribute is. Its body does not read it.
    ///
    /// # Safety
    /// The thread is attached. The owner is live, and the name is one of a live code object.
    pub(crate) unsafe fn note(owner: *mut PyObject, name: *mut PyObject, for_call: bool) -> u64 {
        // SAFETY: the contract is the same. The end of a bound method in C runs no code, and what else is found has another holder.
        unsafe {
            let known = known_attributes::known_attribute(ThreadState::current(), owner, name, for_call);
            let Some((found, is_method)) = known else { return 0 };
            found.close();
            name.addr() as u64 | if is_method { METHOD } else { 0 }
        }
    }

    /// Reads the operand of a micro-op.
    pub(crate) fn from_operand(operand: u64) -> Option<KnownAttribute> {
        (operand != 0).then_some(KnownAttribute { name: operand & !METHOD, is_method: operand & METHOD != 0 })
    }
}
