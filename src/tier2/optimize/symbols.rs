//! What is known about the values of a trace: a lattice.
//!
//! A [`Symbol`] stands for a value that the trace computes. What is known of it only grows: it goes down in this
//! order, from [`Known::Unknown`] to [`Known::Contradiction`].
//!
//! ```text
//!          Unknown
//!         /       \
//!      Null      NonNull
//!        |       /     \
//!        | TypeVersion  |      the version of the type is known from here on
//!        |       |      |
//!        |     Class    |      the type is known
//!        |    /     \   |
//!        | Tuple     Truth     whether it is true is known
//!        |    \     /
//!        |     Value
//!         \     /
//!       Contradiction
//! ```
//!
//! A contradiction means that the rest of the trace cannot be reached.

use arrayvec::ArrayVec;

use super::class::Class;
use crate::host::{Owned, PyObject, false_, ffi, none, object, refcount, small_int, true_};

/// A value of the trace, as an index into [`Symbols`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Symbol(u16);

/// The most symbols of one trace.
pub(super) const MAX_SYMBOLS: usize = ffi::TY_ARENA_SIZE as usize;
const _: () = assert!(MAX_SYMBOLS <= u16::MAX as usize);

/// The most items of a tuple whose items are known one by one.
pub(super) const MAX_ITEMS: usize = ffi::MAX_SYMBOLIC_TUPLE_SIZE as usize;

/// What is known about one value.
#[derive(Debug)]
enum Known {
    Unknown,
    /// There is no value.
    Null,
    /// There is a value.
    NonNull,
    /// Its type has this version.
    TypeVersion(u32),
    /// Its type; with the version, if a guard has checked it (else zero).
    Class(Class, u32),
    /// A tuple of these items.
    Tuple(ArrayVec<Symbol, MAX_ITEMS>),
    /// `bool(of)`, or `not of`.
    Truth {
        of: Symbol,
        negated: bool,
    },
    /// Exactly this object; with the version of its type, if a guard has checked it (else zero).
    Value(Owned, u32),
    /// Facts that exclude each other.
    Contradiction,
}

/// A fact that a micro-op establishes about a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fact {
    Null,
    NonNull,
    Class(Class),
    TypeVersion(u32),
    Value(Constant),
}

/// An object that is live while the trace is optimized.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(super) struct Constant(*mut PyObject);

/// A fact excludes what was known before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Contradiction;

/// There is no room for another symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Full;

impl Constant {
    /// # Safety
    /// `object` is live while the trace is optimized, or until a symbol holds a reference to it.
    pub(super) unsafe fn new(object: *mut PyObject) -> Constant {
        Constant(object)
    }

    pub(super) fn bool(value: bool) -> Constant {
        Constant(if value { true_() } else { false_() })
    }

    fn empty_str() -> Constant {
        // SAFETY: takes only the address of a part of a static of the host.
        Constant(unsafe { str_constant!(_py_empty) })
    }

    pub(super) fn none() -> Constant {
        Constant(none())
    }

    pub(super) fn small_int(value: usize) -> Constant {
        Constant(small_int(value as isize).expect("a small int"))
    }

    pub(super) fn class_object(class: Class) -> Constant {
        Constant(class.object())
    }

    pub(super) fn object(self) -> *mut PyObject {
        self.0
    }

    pub(super) fn class(self) -> Class {
        // SAFETY: the object is live (invariant of `Constant`).
        unsafe { Class::of(self.0) }
    }

    /// The object, if it is a type.
    pub(super) fn as_class(self) -> Option<Class> {
        // SAFETY: as above.
        unsafe { Class::from_object(self.0) }
    }

    pub(super) fn is_immortal(self) -> bool {
        // SAFETY: as above.
        unsafe { refcount::is_immortal(self.0) }
    }

    fn own(self) -> Owned {
        // SAFETY: as above; the thread is attached and its frames are published while there are `Symbols`.
        unsafe { Owned::new_ref(self.0) }
    }

    /// The items, if it is a tuple.
    fn items<'a>(self) -> Option<&'a [*mut PyObject]> {
        // SAFETY: the object is live while it is used here (invariant of `Constant`), and a tuple.
        (self.class() == Class::tuple()).then(|| unsafe { object::tuple_slice(self.0) })
    }

    /// Whether it is true, for types whose answer never changes.
    fn truth(self) -> Option<bool> {
        let class = self.class();
        if self == Constant::none() {
            Some(false)
        } else if class == Class::bool() {
            Some(self == Constant::bool(true))
        } else if class == Class::int() {
            // SAFETY: the object is a live int. Only zero is compact with this value.
            Some(unsafe { !(object::long_is_compact(self.0) && object::long_compact_value(self.0) == 0) })
        } else if class == Class::str() {
            Some(self != Constant::empty_str())
        } else {
            None
        }
    }
}

/// The symbols of one trace. Holds a reference to each constant.
pub(super) struct Symbols {
    known: Vec<Known>,
}

impl Symbols {
    /// # Safety
    /// While the result lives, the thread is attached, and its frames are published.
    pub(super) unsafe fn new() -> Symbols {
        Symbols { known: Vec::new() }
    }

    fn add(&mut self, known: Known) -> Result<Symbol, Full> {
        if self.known.len() == MAX_SYMBOLS {
            return Err(Full);
        }
        self.known.push(known);
        Ok(Symbol((self.known.len() - 1) as u16))
    }

    fn known(&self, symbol: Symbol) -> &Known {
        &self.known[usize::from(symbol.0)]
    }

    fn set(&mut self, symbol: Symbol, known: Known) {
        self.known[usize::from(symbol.0)] = known;
    }

    // --- new symbols ---------------------------------------------------------------------------

    pub(super) fn unknown(&mut self) -> Result<Symbol, Full> {
        self.add(Known::Unknown)
    }

    /// A new symbol with one fact.
    pub(super) fn with(&mut self, fact: Fact) -> Result<Symbol, Full> {
        let symbol = self.unknown()?;
        let agrees = self.narrow(symbol, fact);
        debug_assert!(agrees.is_ok(), "nothing was known that could contradict");
        Ok(symbol)
    }

    /// A new tuple.
    pub(super) fn tuple(&mut self, items: &[Symbol]) -> Result<Symbol, Full> {
        match items.try_into() {
            Ok(items) => self.add(Known::Tuple(items)),
            Err(_) => self.with(Fact::Class(Class::tuple())),
        }
    }

    /// `bool(value)`, or `not value`.
    pub(super) fn truth_of(&mut self, value: Symbol, negated: bool) -> Result<Symbol, Full> {
        if let Some(truth) = self.truth(value) {
            return self.with(Fact::Value(Constant::bool(truth != negated)));
        }
        match *self.known(value) {
            Known::Truth { of, negated: inner } => self.add(Known::Truth { of, negated: inner != negated }),
            _ => self.add(Known::Truth { of: value, negated }),
        }
    }

    /// The item of a tuple. A new symbol if nothing is known about it.
    pub(super) fn item(&mut self, tuple: Symbol, index: usize) -> Result<Symbol, Full> {
        match self.known(tuple) {
            Known::Tuple(items) if index < items.len() => Ok(items[index]),
            Known::Value(value, _) => {
                let item = Constant(value.as_ptr()).items().and_then(|items| items.get(index)).copied();
                self.with(item.map_or(Fact::NonNull, |item| Fact::Value(Constant(item))))
            }
            _ => self.with(Fact::NonNull),
        }
    }

    // --- what is known -------------------------------------------------------------------------

    pub(super) fn is_null(&self, symbol: Symbol) -> bool {
        matches!(self.known(symbol), Known::Null)
    }

    pub(super) fn is_non_null(&self, symbol: Symbol) -> bool {
        !matches!(self.known(symbol), Known::Unknown | Known::Null | Known::Contradiction)
    }

    pub(super) fn is_contradiction(&self, symbol: Symbol) -> bool {
        matches!(self.known(symbol), Known::Contradiction)
    }

    /// The object that the value must be.
    pub(super) fn constant(&self, symbol: Symbol) -> Option<Constant> {
        match *self.known(symbol) {
            Known::Value(ref value, _) => Some(Constant(value.as_ptr())),
            Known::Truth { .. } => self.truth(symbol).map(Constant::bool),
            _ => None,
        }
    }

    /// The type of the value. None for an object whose type can change, until a guard has checked it.
    pub(super) fn class(&self, symbol: Symbol) -> Option<Class> {
        match *self.known(symbol) {
            Known::Value(ref value, version) => {
                let class = Constant(value.as_ptr()).class();
                (class.is_immutable() || version != 0).then_some(class)
            }
            _ => self.class_for_now(symbol),
        }
    }

    /// The type of the value, or the one that it has during the analysis.
    fn class_for_now(&self, symbol: Symbol) -> Option<Class> {
        match *self.known(symbol) {
            Known::Unknown | Known::Null | Known::NonNull | Known::Contradiction => None,
            // SAFETY: the thread is attached while there are `Symbols`.
            Known::TypeVersion(version) => unsafe { Class::by_version(version) },
            Known::Class(class, _) => Some(class),
            Known::Tuple(_) => Some(Class::tuple()),
            Known::Truth { .. } => Some(Class::bool()),
            Known::Value(ref value, _) => Some(Constant(value.as_ptr()).class()),
        }
    }

    pub(super) fn is_a(&self, symbol: Symbol, class: Class) -> bool {
        self.class(symbol) == Some(class)
    }

    /// Whether the type of the value has been checked for this version.
    pub(super) fn has_type_version(&self, symbol: Symbol, version: u32) -> bool {
        let known = match *self.known(symbol) {
            Known::TypeVersion(version) | Known::Class(_, version) => version,
            // Only immutable types, and what a guard has checked.
            _ => self.class(symbol).map_or(0, Class::version),
        };
        known != 0 && known == version
    }

    /// Whether the value is true.
    pub(super) fn truth(&self, symbol: Symbol) -> Option<bool> {
        match *self.known(symbol) {
            Known::Value(ref value, _) => Constant(value.as_ptr()).truth(),
            Known::Tuple(ref items) => Some(!items.is_empty()),
            Known::Truth { of, negated } => self.truth(of).map(|truth| truth != negated),
            _ => None,
        }
    }

    /// The number of items, if the value is a tuple of known length.
    pub(super) fn tuple_length(&self, symbol: Symbol) -> Option<usize> {
        match self.known(symbol) {
            Known::Tuple(items) => Some(items.len()),
            Known::Value(value, _) => Constant(value.as_ptr()).items().map(<[_]>::len),
            _ => None,
        }
    }

    // --- learning ------------------------------------------------------------------------------

    /// Adds a fact to what is known about `symbol`.
    pub(super) fn narrow(&mut self, symbol: Symbol, fact: Fact) -> Result<(), Contradiction> {
        let agrees = match fact {
            Fact::Null => self.narrow_to_null(symbol),
            Fact::NonNull => self.narrow_to_non_null(symbol),
            Fact::Class(class) => self.narrow_to_class(symbol, class),
            Fact::TypeVersion(version) => self.narrow_to_version(symbol, version),
            Fact::Value(value) => self.narrow_to_value(symbol, value),
        };
        if agrees {
            Ok(())
        } else {
            self.set(symbol, Known::Contradiction);
            Err(Contradiction)
        }
    }

    fn narrow_to_null(&mut self, symbol: Symbol) -> bool {
        match self.known(symbol) {
            Known::Unknown => self.set(symbol, Known::Null),
            Known::Null => {}
            _ => return false,
        }
        true
    }

    fn narrow_to_non_null(&mut self, symbol: Symbol) -> bool {
        match self.known(symbol) {
            Known::Unknown => self.set(symbol, Known::NonNull),
            Known::Null | Known::Contradiction => return false,
            _ => {}
        }
        true
    }

    fn narrow_to_class(&mut self, symbol: Symbol, class: Class) -> bool {
        match *self.known(symbol) {
            Known::Unknown | Known::NonNull => self.set(symbol, Known::Class(class, 0)),
            Known::TypeVersion(version) if version == class.version() => {
                self.set(symbol, Known::Class(class, version));
            }
            _ => return self.class_for_now(symbol) == Some(class),
        }
        true
    }

    fn narrow_to_version(&mut self, symbol: Symbol, version: u32) -> bool {
        // SAFETY: the thread is attached while there are `Symbols`.
        let class = unsafe { Class::by_version(version) };
        if let Some(class) = class
            && !self.narrow_to_class(symbol, class)
        {
            return false;
        }
        if self.class_for_now(symbol).is_some_and(|class| class.version() != version) {
            return false;
        }
        match &mut self.known[usize::from(symbol.0)] {
            known @ (Known::Unknown | Known::NonNull) => *known = Known::TypeVersion(version),
            Known::TypeVersion(known) => return *known == version,
            Known::Class(_, checked) | Known::Value(_, checked) => *checked = version,
            Known::Tuple(_) | Known::Truth { .. } => {}
            Known::Null | Known::Contradiction => return false,
        }
        true
    }

    fn narrow_to_value(&mut self, symbol: Symbol, value: Constant) -> bool {
        let mut checked = 0;
        match *self.known(symbol) {
            Known::Null | Known::Contradiction => return false,
            Known::Unknown | Known::NonNull => {}
            Known::TypeVersion(version) => {
                if value.class().version() != version {
                    return false;
                }
                checked = version;
            }
            Known::Class(class, version) => {
                if value.class() != class {
                    return false;
                }
                checked = version;
            }
            Known::Value(ref known, _) => return known.as_ptr() == value.0,
            Known::Tuple(ref symbols) => {
                let symbols = symbols.clone();
                let items = value.items().filter(|items| items.len() == symbols.len());
                let Some(items) = items else { return false };
                for (&symbol, &item) in symbols.iter().zip(items) {
                    if self.narrow(symbol, Fact::Value(Constant(item))).is_err() {
                        return false;
                    }
                }
            }
            Known::Truth { of, negated } => {
                let Some(truth) = value.truth().filter(|_| value.class() == Class::bool()) else {
                    return false;
                };
                if !self.narrow_to_truth(of, truth != negated) {
                    return false;
                }
            }
        }
        self.set(symbol, Known::Value(value.own(), checked));
        true
    }

    /// Adds that `symbol` is true or not: of some types, only one value is.
    fn narrow_to_truth(&mut self, symbol: Symbol, truth: bool) -> bool {
        if let Some(known) = self.truth(symbol) {
            return known == truth;
        }
        let class = self.class(symbol);
        let only = if class == Some(Class::bool()) {
            Constant::bool(truth)
        } else if class == Some(Class::int()) && !truth {
            Constant::small_int(0)
        } else if class == Some(Class::str()) && !truth {
            Constant::empty_str()
        } else {
            return true;
        };
        self.narrow(symbol, Fact::Value(only)).is_ok()
    }
}
