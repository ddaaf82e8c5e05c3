//! Micro-ops as elements of a trace. Source: `pycore_optimizer.h`.

use arrayvec::ArrayVec;

use crate::host::function::Function;
use crate::host::object::{long_is_compact, type_of};
use crate::host::{Code, PyObject, ffi};

/// The most micro-ops that a trace can have, including the stubs behind its end.
pub(crate) const MAX_LENGTH: usize = ffi::UOP_MAX_TRACE_LENGTH as usize;

/// A trace under construction.
pub(crate) type Trace = ArrayVec<Uop, MAX_LENGTH>;

/// One micro-op of a trace, with the layout of the host's `_PyUOpInstruction`, which its JIT reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub(crate) struct Uop {
    /// The number in the low 15 bits; the highest bit says that `place` is a [`Place::Stubs`].
    number_and_format: u16,
    /// The argument of the instruction, or what replaces it.
    pub(crate) oparg: u16,
    place: u32,
    /// The first operand, from the inline cache or made by the optimizer.
    pub(crate) operand0: u64,
    /// The second operand.
    pub(crate) operand1: u64,
}

static_assertions::assert_eq_size!(Uop, ffi::_PyUOpInstruction);
static_assertions::assert_eq_align!(Uop, ffi::_PyUOpInstruction);
const _: () =
    assert!(core::mem::offset_of!(Uop, oparg) == core::mem::offset_of!(ffi::_PyUOpInstruction, oparg));
const _: () =
    assert!(core::mem::offset_of!(Uop, operand0) == core::mem::offset_of!(ffi::_PyUOpInstruction, operand0));
const _: () =
    assert!(core::mem::offset_of!(Uop, operand1) == core::mem::offset_of!(ffi::_PyUOpInstruction, operand1));

/// Where a micro-op that does not continue with the next one goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In a trace under construction, and for micro-ops that always continue: the offset, in code units, of the
    /// instruction in its bytecode that the micro-op belongs to.
    Target(u32),
    /// In a finished trace: the indices of stubs behind its end.
    Stubs {
        /// For a guard that fails. Also where [`jump_to_top`](crate::bytecode::micro_op::jump_to_top) goes.
        exit: u16,
        /// For an exception.
        error: u16,
    },
}

const FORMAT_STUBS: u16 = (ffi::UOP_FORMAT_JUMP as u16) << 15;

impl Uop {
    pub(crate) const fn new(number: u16, oparg: u16, operand0: u64, target: u32) -> Uop {
        Uop { number_and_format: number, oparg, place: target, operand0, operand1: 0 }
    }

    /// The number of the micro-op: see [`crate::bytecode::micro_op`].
    #[inline(always)]
    pub(crate) const fn number(self) -> u16 {
        self.number_and_format & !FORMAT_STUBS
    }

    pub(crate) fn set_number(&mut self, number: u16) {
        debug_assert!(number & FORMAT_STUBS == 0);
        self.number_and_format = self.number_and_format & FORMAT_STUBS | number;
    }

    /// Makes another micro-op of this one, which belongs to the same instruction.
    pub(crate) fn replace(&mut self, number: u16, oparg: u16, operand0: u64) {
        self.set_number(number);
        self.oparg = oparg;
        self.operand0 = operand0;
        self.operand1 = 0;
    }

    #[inline(always)]
    pub(crate) const fn place(self) -> Place {
        if self.number_and_format & FORMAT_STUBS == 0 {
            Place::Target(self.place)
        } else {
            Place::Stubs { exit: self.place as u16, error: (self.place >> 16) as u16 }
        }
    }

    pub(crate) fn set_place(&mut self, place: Place) {
        match place {
            Place::Target(target) => {
                self.number_and_format &= !FORMAT_STUBS;
                self.place = target;
            }
            Place::Stubs { exit, error } => {
                self.number_and_format |= FORMAT_STUBS;
                self.place = u32::from(exit) | u32::from(error) << 16;
            }
        }
    }

    /// The 32 bits of [`Uop::place`], as Python code sees them.
    pub(crate) const fn raw_place(self) -> u32 {
        self.place
    }
}

/// What runs after a micro-op that enters a frame or returns to one. Borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Entered {
    Function(Function),
    /// The function is not known.
    Code(Code),
}

impl Entered {
    /// The bit of an operand that says that it is the address of a code object.
    const CODE: u64 = 1;

    /// The first operand of such a micro-op.
    pub(crate) fn to_operand(self) -> u64 {
        match self {
            Entered::Function(function) => function.object().addr() as u64,
            Entered::Code(code) => code.as_ptr().addr() as u64 | Entered::CODE,
        }
    }

    /// Reads the operand. None if it is zero: nothing is known.
    pub(crate) fn from_operand(operand: u64) -> Option<Entered> {
        let address = (operand & !Entered::CODE) as usize;
        if address == 0 {
            None
        } else if operand & Entered::CODE != 0 {
            Some(Entered::Code(Code::from_ptr(address as *mut _)))
        } else {
            Some(Entered::Function(Function::from_object(address as *mut _)))
        }
    }

    pub(crate) fn function(self) -> Option<Function> {
        match self {
            Entered::Function(function) => Some(function),
            Entered::Code(_) => None,
        }
    }

    /// The code, borrowed.
    ///
    /// # Safety
    /// The function or code object is live.
    pub(crate) unsafe fn code(self) -> Code {
        match self {
            // SAFETY: the function is live (caller).
            Entered::Function(function) => unsafe { function.code() },
            Entered::Code(code) => code,
        }
    }
}

/// What an operand was when its instruction was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum OperandKind {
    #[default]
    Other,
    CompactInt,
    LargeInt,
    Float,
    Str,
}

impl OperandKind {
    /// Whether operators of two such operands run no Python code.
    #[cfg(feature = "jit")]
    pub(crate) fn is_simple(self) -> bool {
        self != OperandKind::Other
    }

    #[cfg(feature = "jit")]
    const ALL: [OperandKind; 5] = [
        OperandKind::Other,
        OperandKind::CompactInt,
        OperandKind::LargeInt,
        OperandKind::Float,
        OperandKind::Str,
    ];

    /// # Safety
    /// The object is live.
    pub(crate) unsafe fn of(object: *mut PyObject) -> OperandKind {
        // SAFETY: the object is live (caller), and an int if it says so.
        unsafe {
            let type_ = type_of(object);
            if type_ == &raw mut ffi::PyLong_Type {
                if long_is_compact(object) { OperandKind::CompactInt } else { OperandKind::LargeInt }
            } else if type_ == &raw mut ffi::PyFloat_Type {
                OperandKind::Float
            } else if type_ == &raw mut ffi::PyUnicode_Type {
                OperandKind::Str
            } else {
                OperandKind::Other
            }
        }
    }
}

/// What the operands of a generic operator were when it was recorded: the first operand of its micro-op. Bodies do not read it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct OperandKinds {
    pub(crate) left: OperandKind,
    pub(crate) right: OperandKind,
}

impl OperandKinds {
    /// # Safety
    /// Both objects are live.
    pub(crate) unsafe fn of(left: *mut PyObject, right: *mut PyObject) -> OperandKinds {
        // SAFETY: they are live (caller).
        unsafe { OperandKinds { left: OperandKind::of(left), right: OperandKind::of(right) } }
    }

    /// Whether one is an int that is not compact.
    #[cfg(feature = "jit")]
    pub(crate) fn has_large_int(self) -> bool {
        [self.left, self.right].contains(&OperandKind::LargeInt)
    }

    /// Whether one is a float, and the other one a float or a small int.
    #[cfg(feature = "jit")]
    pub(crate) fn are_numbers_with_float(self) -> bool {
        let kinds = [self.left, self.right];
        kinds.contains(&OperandKind::Float)
            && kinds.iter().all(|kind| matches!(kind, OperandKind::Float | OperandKind::CompactInt))
    }

    pub(crate) fn to_operand(self) -> u64 {
        self.left as u64 | (self.right as u64) << 8
    }

    #[cfg(feature = "jit")]
    pub(crate) fn from_operand(operand: u64) -> OperandKinds {
        let kind = |bits: u64| OperandKind::ALL.into_iter().find(|&kind| kind as u64 == bits & 0xFF);
        OperandKinds {
            left: kind(operand).unwrap_or_default(),
            right: kind(operand >> 8).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "jit")]
    #[test]
    fn an_operand_holds_two_kinds() {
        for left in OperandKind::ALL {
            for right in OperandKind::ALL {
                let kinds = OperandKinds { left, right };
                assert_eq!(OperandKinds::from_operand(kinds.to_operand()), kinds);
            }
        }
    }

    #[test]
    fn the_layout_is_the_hosts() {
        let mut uop = Uop::new(0x1234, 0x5678, 0x9ABC_DEF0_1234_5678, 0x0BAD_CAFE);
        uop.operand1 = 42;
        // SAFETY: both types have the same size, and any bits are a value of the host's.
        let host: ffi::_PyUOpInstruction = unsafe { core::mem::transmute(uop) };
        assert_eq!((host.opcode(), host.format()), (0x1234, ffi::UOP_FORMAT_TARGET as u16));
        assert_eq!((host.oparg, host.operand0, host.operand1), (0x5678, 0x9ABC_DEF0_1234_5678, 42));
        // SAFETY: all members of the union are integers.
        assert_eq!(unsafe { host.__bindgen_anon_1.target }, 0x0BAD_CAFE);

        uop.set_place(Place::Stubs { exit: 7, error: 9 });
        // SAFETY: as above.
        let host: ffi::_PyUOpInstruction = unsafe { core::mem::transmute(uop) };
        assert_eq!((host.opcode(), host.format()), (0x1234, ffi::UOP_FORMAT_JUMP as u16));
        // SAFETY: as above.
        let stubs = unsafe { host.__bindgen_anon_1.__bindgen_anon_1 };
        assert_eq!((stubs.jump_target, stubs.error_target), (7, 9));
        assert_eq!(uop.place(), Place::Stubs { exit: 7, error: 9 });
    }
}
