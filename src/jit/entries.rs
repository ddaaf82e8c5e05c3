//! What machine code knows about the values on the evaluation stack that are not in memory.

use cranelift_codegen::ir::Value;

/// The type of an object, if it is one of those that matter here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Unknown,
    Float,
    Int,
    Bool,
    RangeIterator,
    ListIterator,
    TupleIterator,
    List,
    Tuple,
}

/// A value on top of the stack, in registers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entry {
    /// A stack reference.
    Ref {
        bits: Value,
        /// It may own a reference count.
        counted: bool,
        class: Class,
    },
    /// A stack reference that is known, and owns nothing.
    Constant { bits: u64, class: Class },
    /// A float that no object holds yet.
    Float(Value),
    /// An int that no object holds yet. Its absolute value is less than 2 to the power of `width`.
    Int { value: Value, width: u8 },
    /// True or False: 1 or 0, of 8 bits.
    Bool(Value),
}

impl Entry {
    pub(super) fn class(self) -> Class {
        match self {
            Entry::Ref { class, .. } | Entry::Constant { class, .. } => class,
            Entry::Float(_) => Class::Float,
            Entry::Int { .. } => Class::Int,
            Entry::Bool(_) => Class::Bool,
        }
    }

    /// The same value, whose type is known now.
    pub(super) fn with_class(self, new: Class) -> Entry {
        match self {
            Entry::Ref { bits, counted, .. } => Entry::Ref { bits, counted, class: new },
            Entry::Constant { bits, .. } => Entry::Constant { bits, class: new },
            other => other,
        }
    }
}
