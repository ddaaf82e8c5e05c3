//! Checks of the lattice in a running host, for the host's own test of its optimizer.

use core::ffi::CStr;

use super::class::Class;
use super::symbols::{Constant, Contradiction, Fact, Full, Symbol, Symbols};

/// What is wrong.
pub(crate) type Failure = &'static CStr;

impl From<Full> for Failure {
    fn from(_: Full) -> Failure {
        c"there is no room for a symbol"
    }
}

impl From<Contradiction> for Failure {
    fn from(_: Contradiction) -> Failure {
        c"a fact that agrees is a contradiction"
    }
}

fn expect(holds: bool, otherwise: Failure) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Checks what is known of some symbols, and what they can become.
///
/// # Safety
/// The thread is attached, and its frames are published.
pub(crate) unsafe fn check() -> Result<(), Failure> {
    // SAFETY: as the caller promises.
    let mut symbols = unsafe { Symbols::new() };
    without_facts(&mut symbols)?;
    types(&mut symbols)?;
    constants(&mut symbols)?;
    tuples(&mut symbols)?;
    truth(&mut symbols)
}

fn without_facts(symbols: &mut Symbols) -> Result<(), Failure> {
    let unknown = symbols.unknown()?;
    let bottom = symbols.with(Fact::Null)?;
    expect(symbols.narrow(bottom, Fact::NonNull).is_err(), c"null can be non-null")?;
    expect(symbols.is_contradiction(bottom), c"null and non-null is no contradiction")?;
    expect(!symbols.is_contradiction(unknown), c"unknown is a contradiction")?;
    for symbol in [unknown, bottom] {
        expect(!symbols.is_null(symbol), c"a symbol without facts is null")?;
        expect(!symbols.is_non_null(symbol), c"a symbol without facts is non-null")?;
        expect(symbols.class(symbol).is_none(), c"a symbol without facts has a type")?;
        expect(symbols.constant(symbol).is_none(), c"a symbol without facts is a constant")?;
    }
    Ok(())
}

fn types(symbols: &mut Symbols) -> Result<(), Failure> {
    let int = symbols.with(Fact::Class(Class::int()))?;
    expect(symbols.is_non_null(int) && !symbols.is_null(int), c"int is null")?;
    expect(symbols.is_a(int, Class::int()), c"int is not int")?;
    expect(!symbols.is_a(int, Class::float()), c"int is float")?;
    expect(symbols.constant(int).is_none(), c"int is a constant")?;
    symbols.narrow(int, Fact::Class(Class::int()))?;
    expect(symbols.narrow(int, Fact::Class(Class::float())).is_err(), c"int can be float")?;
    expect(symbols.is_contradiction(int), c"int and float is no contradiction")
}

fn constants(symbols: &mut Symbols) -> Result<(), Failure> {
    let (zero, one) = (Constant::small_int(0), Constant::small_int(1));
    let int = symbols.with(Fact::Class(Class::int()))?;
    symbols.narrow(int, Fact::Value(one))?;
    expect(symbols.constant(int) == Some(one), c"1 is not itself")?;
    expect(symbols.is_non_null(int) && symbols.is_a(int, Class::int()), c"1 is no int")?;
    expect(symbols.truth(int) == Some(true), c"1 is false")?;
    symbols.narrow(int, Fact::Class(Class::int()))?;
    expect(symbols.narrow(int, Fact::Value(zero)).is_err(), c"1 can be 0")?;
    expect(symbols.is_contradiction(int), c"1 and 0 is no contradiction")?;

    let int = symbols.with(Fact::Value(one))?;
    expect(symbols.narrow(int, Fact::Class(Class::float())).is_err(), c"1 can be a float")?;
    for constant in [zero, Constant::none(), Constant::bool(false)] {
        let symbol = symbols.with(Fact::Value(constant))?;
        expect(symbols.truth(symbol) == Some(false), c"0, None or False is true")?;
    }
    Ok(())
}

fn tuples(symbols: &mut Symbols) -> Result<(), Failure> {
    let items: [Symbol; 2] =
        [symbols.with(Fact::Class(Class::float()))?, symbols.with(Fact::Value(Constant::small_int(1)))?];
    let tuple = symbols.tuple(&items)?;
    expect(symbols.is_a(tuple, Class::tuple()), c"a tuple is none")?;
    expect(symbols.tuple_length(tuple) == Some(2), c"a tuple of two items has another length")?;
    expect(symbols.truth(tuple) == Some(true), c"a tuple with items is false")?;
    for (index, item) in items.into_iter().enumerate() {
        expect(symbols.item(tuple, index)? == item, c"the item of a tuple is another one")?;
    }
    let tuple = symbols.with(Fact::Class(Class::tuple()))?;
    let item = symbols.item(tuple, 42)?;
    expect(symbols.is_non_null(item), c"an item is null")
}

fn truth(symbols: &mut Symbols) -> Result<(), Failure> {
    let value = symbols.with(Fact::Class(Class::bool()))?;
    let not = symbols.truth_of(value, true)?;
    expect(symbols.is_a(not, Class::bool()), c"`not` is no bool")?;
    expect(symbols.truth(not).is_none() && symbols.constant(not).is_none(), c"`not` is known")?;
    expect(symbols.constant(value).is_none(), c"the value is known")?;
    symbols.narrow(not, Fact::Value(Constant::bool(false)))?;
    expect(symbols.truth(not) == Some(false), c"False is true")?;
    let value = symbols.constant(value);
    expect(value == Some(Constant::bool(true)), c"if `not value` is False, value is not True")
}
