//! What machine code knows about the values of a trace.
//!
//! A value has one [`Id`], however many variables and stack slots hold it: what a guard learns through one of them is
//! known through all. A reference count is an obligation that is fulfilled late. A value that was loaded from an object, or
//! from a variable, is used without counting it. It is counted when something that could drop the last other reference
//! comes next, or when it is stored in memory ([`super::state`]). A computed number has no object until one is needed. Nor has
//! a new tuple: it is a *virtual* one, which holds its items as a slot would.

use std::rc::Rc;

use cranelift_codegen::ir::Value;

use crate::host::ffi;

/// The width of ints that stay in registers.
pub(super) const INT_WIDTH: u8 = 62;

/// The most items of a tuple that has no object.
pub(super) const MAX_ITEMS: usize = 8;

/// The null reference.
pub(super) const NULL: u64 = 1;

/// A value of the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Id(u16);

impl Id {
    /// The first value of a trace.
    pub(super) const FIRST: Id = Id(0);
}

/// The type of an object, if it is one of those that matter here. All but the iterators, which nothing can reach, and
/// `Function` are immutable, or keep their type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Class {
    Unknown,
    Float,
    Int,
    Bool,
    Str,
    RangeIterator,
    ListIterator,
    TupleIterator,
    List,
    Tuple,
    Dict,
    Generator,
}

impl Class {
    /// The type object of the class. `None` for [`Class::Unknown`].
    pub(super) fn type_(self) -> Option<*mut ffi::PyTypeObject> {
        Some(match self {
            Class::Unknown => return None,
            Class::Float => &raw mut ffi::PyFloat_Type,
            Class::Int => &raw mut ffi::PyLong_Type,
            Class::Bool => &raw mut ffi::PyBool_Type,
            Class::Str => &raw mut ffi::PyUnicode_Type,
            Class::RangeIterator => &raw mut ffi::PyRangeIter_Type,
            Class::ListIterator => &raw mut ffi::PyListIter_Type,
            Class::TupleIterator => &raw mut ffi::PyTupleIter_Type,
            Class::List => &raw mut ffi::PyList_Type,
            Class::Tuple => &raw mut ffi::PyTuple_Type,
            Class::Dict => &raw mut ffi::PyDict_Type,
            Class::Generator => &raw mut ffi::PyGen_Type,
        })
    }

    /// The class of the instances of a type, but not of its subclasses.
    pub(super) fn of_type(type_: *mut ffi::PyTypeObject) -> Class {
        [Class::Float, Class::Int, Class::Bool, Class::Str, Class::List, Class::Tuple, Class::Dict]
            .into_iter()
            .find(|class| class.type_() == Some(type_))
            .unwrap_or(Class::Unknown)
    }

    /// Whether the end of such an object runs no Python code, and ends nothing else.
    pub(super) fn ends_quietly(self) -> bool {
        matches!(self, Class::Float | Class::Int | Class::Bool | Class::Str | Class::RangeIterator)
    }
}

/// A stack reference that the code owns: a word with a count of its own, or with the tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reference {
    pub(super) bits: Value,
    /// The tag means that the object is immortal. Otherwise it may also be borrowed from the variable of a caller.
    pub(super) is_heap_safe: bool,
}

/// A number or truth value in a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Number {
    Float(Value),
    /// The absolute value is less than 2 to the power of `width`, which is [`INT_WIDTH`] at most.
    Int {
        value: Value,
        width: u8,
    },
    /// 1 or 0, of 8 bits.
    Bool(Value),
}

/// What is known about a value. One of `word`, `number`, `items` and `constant` says what it is.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The address of the object, with or without the tag of a stack reference.
    pub(super) word: Option<Value>,
    /// The same without the tag.
    pub(super) pointer: Option<Value>,
    /// The references to it that the code owns, in registers and in slots in memory.
    pub(super) references: Vec<Reference>,
    pub(super) number: Option<Number>,
    /// The items of a virtual tuple. They are its only as long as it has no object.
    pub(super) items: Option<Rc<[Id]>>,
    /// The stack reference, if it is always the same, and owns nothing.
    pub(super) constant: Option<u64>,
    /// The address of the object, if it is always the same.
    pub(super) address: Option<u64>,
    pub(super) class: Class,
    /// The version of its type.
    pub(super) version: Option<u32>,
    /// Its attributes are in inline values.
    pub(super) has_inline_values: bool,
    /// The slots and virtual tuples that hold it.
    pub(super) holders: usize,
}

impl Known {
    fn nothing() -> Known {
        Known {
            word: None,
            pointer: None,
            references: Vec::new(),
            number: None,
            items: None,
            constant: None,
            address: None,
            class: Class::Unknown,
            version: None,
            has_inline_values: false,
            holders: 0,
        }
    }

    /// An object that something else keeps alive for now.
    pub(super) fn borrowed(pointer: Value, class: Class) -> Known {
        Known { word: Some(pointer), pointer: Some(pointer), class, ..Known::nothing() }
    }

    /// What a stack reference refers to.
    pub(super) fn owned(bits: Value, is_heap_safe: bool, class: Class) -> Known {
        let references = vec![Reference { bits, is_heap_safe }];
        Known { word: Some(bits), references, class, ..Known::nothing() }
    }

    pub(super) fn number(number: Number) -> Known {
        let class = match number {
            Number::Float(_) => Class::Float,
            Number::Int { .. } => Class::Int,
            Number::Bool(_) => Class::Bool,
        };
        Known { number: Some(number), class, ..Known::nothing() }
    }

    /// A virtual tuple. It holds its items when something holds it.
    pub(super) fn tuple(items: Rc<[Id]>) -> Known {
        Known { items: Some(items), class: Class::Tuple, ..Known::nothing() }
    }

    /// A stack reference that owns nothing, to an object that is immortal, or lives as long as the frame.
    pub(super) fn constant(bits: u64, class: Class) -> Known {
        Known { constant: Some(bits), address: Some(bits & !1), class, ..Known::nothing() }
    }

    /// Whether no object holds the number yet.
    pub(super) fn is_only_a_number(&self) -> bool {
        self.number.is_some() && !self.has_object()
    }

    /// Whether there is an object: a number or a tuple may not have one yet.
    pub(super) fn has_object(&self) -> bool {
        self.word.is_some() || self.constant.is_some()
    }

    /// Whether only something else keeps the object alive.
    pub(super) fn is_borrowed(&self) -> bool {
        self.word.is_some() && self.references.is_empty() && self.constant.is_none()
    }
}

/// The values of a trace.
#[derive(Clone, Default)]
pub(super) struct Values(Vec<Known>);

impl Values {
    pub(super) fn add(&mut self, known: Known) -> Id {
        self.0.push(known);
        u16::try_from(self.0.len() - 1).map_or(Id::FIRST, Id)
    }

    /// Whether there are more values than identities.
    pub(super) fn are_too_many(&self) -> bool {
        self.0.len() > usize::from(u16::MAX)
    }

    /// Every value.
    pub(super) fn all(&mut self) -> impl Iterator<Item = &mut Known> {
        self.0.iter_mut()
    }
}

impl core::ops::Index<Id> for Values {
    type Output = Known;

    fn index(&self, id: Id) -> &Known {
        &self.0[usize::from(id.0)]
    }
}

impl core::ops::IndexMut<Id> for Values {
    fn index_mut(&mut self, id: Id) -> &mut Known {
        &mut self.0[usize::from(id.0)]
    }
}
