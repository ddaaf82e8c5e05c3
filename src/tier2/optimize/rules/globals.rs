//! Globals, builtins and attributes of modules become constants: the trace depends on the dictionary instead of
//! looking names up in it.
//!
//! Functions of the same code can have different globals, with keys of the same version. So the trace checks once in each
//! frame that the frame has this dictionary, and the interpreter's builtins, unless it knows the function itself. Where
//! traces consist of the host's micro-ops only, it compares the version of the keys and that of the function, as 3.14 does:
//! that does not tell a copy of a dictionary from the original.

use super::super::analysis::{Analysis, Stop};
use super::super::class::Class;
use super::super::frames::Namespace;
use super::super::symbols::{Constant, Fact};
use super::super::watchers;
use crate::bytecode::micro_op;
use crate::host::dict::Dict;
use crate::host::{KeysVersion, PyObject, ffi};
use crate::tier2::interpreter::RUNS_OWN_MICRO_OPS;

/// Whether a dictionary has the keys of this version.
fn has_keys(dict: Dict, version: u64) -> bool {
    // SAFETY: dictionaries of namespaces are live during the analysis.
    KeysVersion::new(version as u32)
        .is_some_and(|version| unsafe { dict.is_exact() && dict.keys().has_version(version) })
}

/// The value at `index` of a dictionary. None if there is none.
fn value_at(dict: Dict, index: u64) -> Option<Constant> {
    let index = usize::try_from(index).ok()?;
    // SAFETY: the dictionary is live, and keys with a version are strings. A value that is there is live until
    // the dictionary changes, which ends the trace.
    unsafe {
        let keys = dict.keys();
        let has_entry = keys.kind() == ffi::DICT_KEYS_UNICODE && index < keys.entry_count();
        let value = has_entry.then(|| keys.unicode_entry(index).value().borrow())?;
        (!value.is_null()).then(|| Constant::new(value))
    }
}

/// The globals of the frame, if the trace may rely on them. Refuses if they do not have these keys: the trace would leave
/// here.
fn watched_globals<'b>(a: &'b mut Analysis, version: u64) -> Result<Option<&'b mut Namespace>, Stop> {
    let Some(namespace) = &a.frame().namespace else { return Ok(None) };
    let globals = namespace.globals;
    if !has_keys(globals, version) {
        return Err(Stop::Refuse);
    }
    // SAFETY: the thread is attached and the callbacks are set during the analysis; the dictionary is live.
    let watched = unsafe { watchers::watch_globals(globals, a.dependencies) };
    Ok(a.frame().namespace.as_mut().filter(|_| watched))
}

/// The keys of the globals have this version. The first such guard of a frame becomes the check of the globals.
pub(super) fn guard(a: &mut Analysis) -> Result<(), Stop> {
    let version = a.uop().operand0;
    let at = a.at;
    if let Some(namespace) = watched_globals(a, version)? {
        if namespace.is_checked {
            a.remove();
        } else {
            check_globals(a, at, version);
        }
    }
    Ok(())
}

/// A global variable: the first operand is the version of the keys, the second one the index.
pub(super) fn load(a: &mut Analysis) -> Result<(), Stop> {
    let uop = a.uop();
    let room_for_guard = a.at.checked_sub(1).filter(|&before| a.trace[before].number() == micro_op::nop);
    let mut constant = None;
    if let Some(namespace) = watched_globals(a, uop.operand0)? {
        let value = value_at(namespace.globals, uop.operand1);
        let is_checked = namespace.is_checked
            || value.is_some() && room_for_guard.is_some_and(|before| check_globals(a, before, uop.operand0));
        constant = value.filter(|_| is_checked);
    }
    push_loaded(a, constant)
}

/// Makes the micro-op at `at` the check that the frame has its globals, with keys of the version `keys`, and the
/// interpreter's builtins. Returns false if there is no room for it: the host's micro-ops need the place of the `set_ip`
/// before, too, which an instruction that only loads a global variable does not need.
fn check_globals(a: &mut Analysis, at: usize, keys: u64) -> bool {
    let before = at.checked_sub(1).filter(|&before| a.trace[before].number() == micro_op::set_ip);
    let Some(namespace) = &mut a.frame().namespace else { return false };
    if RUNS_OWN_MICRO_OPS {
        namespace.is_checked = true;
        let globals = namespace.globals.object().addr() as u64;
        let uop = &mut a.trace[at];
        uop.replace(micro_op::check_globals, 0, globals);
        // SAFETY: the interpreter is live during the analysis.
        uop.operand1 = unsafe { (*a.interp).builtins.addr() as u64 };
    } else {
        let (Some(before), Some(version)) = (before, namespace.version) else { return false };
        namespace.is_checked = true;
        a.trace[before].replace(micro_op::guard_globals_version, 0, keys);
        a.trace[at].replace(micro_op::check_function, 0, version.get().into());
    }
    true
}

/// A builtin. A guard has checked that there is no global variable of that name.
pub(super) fn load_builtin(a: &mut Analysis) -> Result<(), Stop> {
    let uop = a.uop();
    let mut constant = None;
    if let Some(namespace) = &a.frame().namespace {
        let is_checked = namespace.is_checked;
        // SAFETY: the interpreter is live, and so is the dictionary of its builtins.
        let builtins = unsafe { Dict::from_object((*a.interp).builtins) };
        if !has_keys(builtins, uop.operand0) {
            return Err(Stop::Refuse);
        }
        // SAFETY: the thread is attached to this interpreter during the analysis.
        if is_checked && unsafe { watchers::watch_builtins(builtins, a.interp) } {
            constant = value_at(builtins, uop.operand1);
        }
    }
    push_loaded(a, constant)
}

fn push_loaded(a: &mut Analysis, constant: Option<Constant>) -> Result<(), Stop> {
    let Some(constant) = constant else { return a.push_new(Fact::NonNull) };
    a.replace_by_constant(micro_op::load_const_inline, micro_op::load_const_inline_borrow, constant);
    a.push_new(Fact::Value(constant))
}

/// An attribute of a module; the operands are as for [`load`].
pub(super) fn load_of_module(a: &mut Analysis) -> Result<(), Stop> {
    let uop = a.uop();
    let module = a.pop();
    let module = a.symbols.constant(module).filter(|module| module.class() == Class::module());
    let constant = module.and_then(|module| {
        let dict = namespace_of(module.object())?;
        let value = value_at(dict, uop.operand1).filter(|_| has_keys(dict, uop.operand0))?;
        // SAFETY: the thread is attached and the callbacks are set during the analysis; the dictionary is live.
        unsafe { watchers::watch_globals(dict, a.dependencies) }.then_some(value)
    });
    let Some(constant) = constant else { return a.push_new(Fact::NonNull) };
    a.replace_by_constant(
        micro_op::pop_top_load_const_inline,
        micro_op::pop_top_load_const_inline_borrow,
        constant,
    );
    a.push_new(Fact::Value(constant))
}

/// The dictionary of a module, which it has as long as it lives; the garbage collector clears those that it frees.
fn namespace_of(module: *mut PyObject) -> Option<Dict> {
    // SAFETY: the object is a live module.
    Dict::new(unsafe { (*module.cast::<ffi::PyModuleObject>()).md_dict.cast() })
}
