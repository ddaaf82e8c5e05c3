//! Tuples whose items or length are known.

use super::super::analysis::{Analysis, Stop};
use super::super::class::Class;
use super::super::symbols::{Constant, Fact};
use crate::bytecode::micro_op;
use crate::host::{is_small_int, object};

pub(super) fn build(a: &mut Analysis) -> Result<(), Stop> {
    let items = a.pop_many(a.oparg());
    let tuple = a.symbols.tuple(&items)?;
    a.push(tuple)
}

/// `tuple[index]`. Guards have checked the types.
pub(super) fn subscript(a: &mut Analysis) -> Result<(), Stop> {
    let (index, tuple) = (a.pop(), a.pop());
    let index = a.symbols.constant(index).filter(|index| index.class() == Class::int()).map(Constant::object);
    // SAFETY: a live int.
    let index = index.and_then(|index| unsafe {
        let small = object::long_is_non_negative_compact(index);
        small.then(|| object::long_compact_value(index) as usize)
    });
    let item = match index {
        Some(index) => a.symbols.item(tuple, index)?,
        None => a.symbols.with(Fact::NonNull)?,
    };
    a.push(item)
}

/// Pushes the items of a tuple with `count` items, the first one last.
pub(super) fn unpack(a: &mut Analysis, count: usize) -> Result<(), Stop> {
    let tuple = a.pop();
    for index in (0..count).rev() {
        let item = a.symbols.item(tuple, index)?;
        a.push(item)?;
    }
    Ok(())
}

/// `len(value)`, with the value left on the stack.
pub(super) fn length(a: &mut Analysis) -> Result<(), Stop> {
    let value = a.peek(0);
    match a.symbols.tuple_length(value) {
        Some(length) if is_small_int(length as isize) => {
            let length = Constant::small_int(length);
            let load = micro_op::load_const_inline_borrow;
            a.replace_by_constant(load, load, length);
            a.push_new(Fact::Value(length))
        }
        _ => a.push_new(Fact::Class(Class::int())),
    }
}
