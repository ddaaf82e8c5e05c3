//! Names in modules, classes and builtins; imports. Lookups that other rooms share are at the end.

use super::adaptive::specializing;
use super::guards::guard;
use super::{imports, unbound};
use crate::engine::{BytecodeEngine, BytecodeOp, Count, Engine, Exit, Kept, Op, Settled, SettledMany};
use crate::host::dict::{Dict, DictKeys};
use crate::host::dict_lookup::Lookup;
use crate::host::object::{optional_item, tuple_item};
use crate::host::owned::into_host;
use crate::host::owned::{check, exception_is_set};
use crate::host::{Frame, Owned, PyObject, PyResult, Raised, ShortKeysVersion, StackRef, ThreadState, ffi};
use crate::raise;
use crate::seams;
use core::ffi::CStr;
use core::ptr::null_mut;

/// Pushes the result of an out-of-line helper, for an instruction without inputs.
///
/// # Safety
/// The caller owns `object`, or it is null and an exception is set.
#[inline(always)]
unsafe fn pushed(object: *mut PyObject) -> Op<[StackRef; 1]> {
    if object.is_null() {
        return Err(Exit::Error);
    }
    // SAFETY: the reference is owned (caller) and not null.
    unsafe { Ok([StackRef::steal(object)]) }
}

/// Ends an instruction without inputs and results after an out-of-line helper.
#[inline(always)]
fn done(result: PyResult<()>) -> Op {
    match result {
        Ok(()) => Ok([]),
        Err(Raised) => Err(Exit::Error),
    }
}

// --- namespaces of modules and classes ---------------------------------------------------------

/// Pushes the value of the name in locals, globals or builtins.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_name<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the argument is an index of the code's names.
    unsafe {
        e.publish();
        let name = e.name(e.oparg());
        pushed(into_host(find_name(e.tstate(), e.frame(), name)))
    }
}

/// Binds the name in locals to the topmost value.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn store_name<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<0>> {
    // SAFETY: the argument is an index of the code's names. The input is live and owned by this micro-op.
    unsafe {
        e.publish();
        let result = store_local(e.frame(), e.name(e.oparg()), value.object());
        if result.is_err() {
            e.consume([value]);
            return Err(Exit::Error);
        }
        e.settle([value], [])
    }
}

/// `locals[name] = value`.
///
/// # Safety
/// The thread is attached, `frame` is live and published, and `name` and `value` are live.
#[inline(never)]
unsafe fn store_local(frame: Frame, name: *mut PyObject, value: *mut PyObject) -> PyResult<()> {
    // SAFETY: the frame keeps its locals alive, and the other objects are live (caller).
    unsafe {
        let locals = frame.locals_mapping();
        if locals.is_null() {
            return Err(raise!(PyExc_SystemError, c"no locals found when storing %R", name));
        }
        let status = if Dict::cast(locals).is_some() {
            ffi::PyDict_SetItem(locals, name, value)
        } else {
            ffi::PyObject_SetItem(locals, name, value)
        };
        if status == 0 { Ok(()) } else { Err(Raised) }
    }
}

/// Unbinds the name in locals.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn delete_name<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the argument is an index of the code's names.
    unsafe {
        e.publish();
        done(delete_local(e.tstate(), e.frame(), e.name(e.oparg())))
    }
}

/// `del locals[name]`.
///
/// # Safety
/// The thread is attached, `tstate` is its state, `frame` is live and published, and `name` is live.
#[inline(never)]
unsafe fn delete_local(tstate: ThreadState, frame: Frame, name: *mut PyObject) -> PyResult<()> {
    // SAFETY: the frame keeps its locals alive, and the name is live (caller).
    unsafe {
        let locals = frame.locals_mapping();
        if locals.is_null() {
            return Err(raise!(PyExc_SystemError, c"no locals when deleting %R", name));
        }
        // NameError replaces any exception of the mapping.
        if ffi::PyObject_DelItem(locals, name) != 0 {
            return Err(undefined_name(tstate, name));
        }
        Ok(())
    }
}

/// Pushes the mapping of locals.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_locals<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the frame keeps the mapping alive.
    unsafe {
        let locals = e.frame().locals_mapping();
        if locals.is_null() {
            e.publish();
            missing_locals();
            return Err(Exit::Error);
        }
        Ok([StackRef::new(locals)])
    }
}

/// Sets SystemError for a frame without locals.
///
/// # Safety
/// The thread is attached, and its frame is published.
#[cold]
#[inline(never)]
unsafe fn missing_locals() -> Raised {
    // SAFETY: the thread is attached (caller), and the format has no arguments.
    unsafe { raise!(PyExc_SystemError, c"no locals found") }
}

/// Adds `__annotations__` to locals if it is not there.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn setup_annotations<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the frame is published, and keeps its locals alive.
    unsafe {
        e.publish();
        done(ensure_annotations(e.frame().locals_mapping()))
    }
}

/// Adds `__annotations__` to `locals`. Fails with SystemError if that is null.
///
/// # Safety
/// The thread is attached, its frame is published, and `locals` is null or live.
#[inline(never)]
unsafe fn ensure_annotations(locals: *mut PyObject) -> PyResult<()> {
    // SAFETY: the mapping is live if it is not null (caller).
    unsafe {
        if locals.is_null() {
            return Err(raise!(PyExc_SystemError, c"no locals found when setting up annotations"));
        }
        if optional_item(locals, id!(_py___annotations__))?.is_none() {
            let annotations = Owned::from_host(ffi::PyDict_New())?;
            if ffi::PyObject_SetItem(locals, id!(_py___annotations__), annotations.as_ptr()) != 0 {
                return Err(Raised);
            }
        }
        Ok(())
    }
}

/// Pushes `__build_class__`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_build_class<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<[StackRef; 1]> {
    // SAFETY: the frame is published.
    unsafe {
        e.publish();
        pushed(into_host(build_class(e.frame())))
    }
}

/// Looks up `__build_class__` in the builtins of `frame`.
///
/// # Safety
/// The thread is attached, and `frame` is live and published.
#[inline(never)]
unsafe fn build_class(frame: Frame) -> PyResult {
    // SAFETY: the frame keeps its builtins alive (caller).
    unsafe {
        optional_item(frame.builtins(), id!(_py___build_class__))?
            .ok_or_else(|| raise!(PyExc_NameError, c"__build_class__ not found"))
    }
}

// --- globals -----------------------------------------------------------------------------------

specializing! {
    specialize_load_global: LOAD_GLOBAL = |e| {
        let (frame, name) = (e.frame(), e.name(e.oparg() >> 1));
        seams::specialize::load_global(frame.globals(), frame.builtins(), e.this_instr(), name);
    }
}

/// Pushes a global or builtin. If the low bit of the argument is set, a call follows, and another micro-op
/// pushes an empty slot.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_global<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op<Settled<1>> {
    // SAFETY: the argument contains an index of the code's names. The instruction's stack effect covers the
    // slot.
    unsafe {
        e.publish();
        let slot = e.sp();
        load_global_into(e, slot, e.name(e.oparg() >> 1))
    }
}

/// Puts a global or builtin into `slot`.
///
/// # Safety
/// The thread is attached, the engine's frame is published, and `name` is a live str. `slot` is the first one
/// above the published stack, and becomes the only result of the micro-op.
#[inline(always)]
unsafe fn load_global_into<E: Engine>(e: &mut E, slot: *mut StackRef, name: *mut PyObject) -> Op<Settled<1>> {
    // SAFETY: the frame keeps its namespaces alive, and the slot is writable (caller).
    unsafe {
        let frame = e.frame();
        find_global(frame.globals(), frame.builtins(), name, slot);
        if (*slot).is_null() {
            return Err(Exit::Error);
        }
        Ok(Settled::new())
    }
}

/// Returns the keys of a namespace if it is an exact dictionary with keys of that version.
///
/// # Safety
/// `namespace` is live.
#[inline(always)]
unsafe fn guard_namespace(namespace: *mut PyObject, version: ShortKeysVersion) -> Op<DictKeys> {
    // SAFETY: the namespace is live (caller).
    unsafe {
        let keys = Dict::cast(namespace).ok_or(Exit::Deopt)?.keys();
        guard(keys.has_version(version.into()))?;
        Ok(keys)
    }
}

/// The globals have the same keys as when the specializer filled the cache.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_globals_version<E: Engine>(
    e: &mut E,
    version: ShortKeysVersion,
    []: [StackRef; 0],
) -> Op {
    // SAFETY: the frame keeps its globals alive.
    unsafe {
        guard_namespace(e.frame().globals(), version)?;
    }
    Ok([])
}

/// The frame has these globals and builtins.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_globals<E: Engine>(
    e: &mut E,
    (globals, builtins): (*mut PyObject, *mut PyObject),
    []: [StackRef; 0],
) -> Op {
    // SAFETY: the engine's frame is live.
    unsafe { guard(e.frame().globals() == globals && e.frame().builtins() == builtins) }
}

/// Pushes the value at `index` in a namespace with keys of this version.
///
/// # Safety
/// The thread is attached. `namespace` is live, and the specializer has found an entry at `index` in keys of
/// that version.
#[inline(always)]
unsafe fn load_entry<E: Engine>(
    e: &E,
    namespace: *mut PyObject,
    version: ShortKeysVersion,
    index: u16,
) -> Op<[StackRef; 1]> {
    // SAFETY: keys of that version have an entry at the index (caller).
    unsafe {
        let keys = guard_namespace(namespace, version)?;
        match keys.unicode_entry(index.into()).value().load(|| e.publish()) {
            Some(value) => Ok([value]),
            None => Err(Exit::Deopt),
        }
    }
}

/// Pushes a builtin. The operands are the version of the keys of builtins and the index there.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_globals_version` has run before.
#[inline(always)]
pub(crate) unsafe fn load_global_builtins<E: Engine>(
    e: &mut E,
    (version, index): (ShortKeysVersion, u16),
    []: [StackRef; 0],
) -> Op<[StackRef; 1]> {
    // SAFETY: the frame keeps its builtins alive. The operands are from the cache.
    unsafe { load_entry(e, e.frame().builtins(), version, index) }
}

/// Pushes a global. The operands are the version of the keys of globals and the index there.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_global_module<E: Engine>(
    e: &mut E,
    (version, index): (ShortKeysVersion, u16),
    []: [StackRef; 0],
) -> Op<[StackRef; 1]> {
    // SAFETY: the frame keeps its globals alive. The operands are from the cache.
    unsafe { load_entry(e, e.frame().globals(), version, index) }
}

/// Pushes an empty slot if the low bit of the argument is set.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn push_null_conditional<E: Engine>(
    e: &mut E,
    []: [StackRef; 0],
) -> Op<SettledMany<NoneOrOne>> {
    // SAFETY: if the bit is set, the instruction's stack effect covers the slot.
    unsafe {
        let count = NoneOrOne::of(e.oparg());
        if count != 0 {
            *e.sp() = StackRef::NULL;
        }
        // No jump around this: the common case would have to take it.
        Ok(SettledMany::up_to(e.sp().add(count)))
    }
}

/// One value if the low bit of the argument is set, otherwise none.
pub(crate) struct NoneOrOne;

impl Count for NoneOrOne {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        oparg & 1
    }
}

/// Binds a global name to the topmost value.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn store_global<E: Engine>(e: &mut E, [value]: [StackRef; 1]) -> Op<Settled<0>> {
    // SAFETY: the argument is an index of the code's names. The input is live and owned by this micro-op.
    unsafe {
        e.publish();
        let status = ffi::PyDict_SetItem(e.frame().globals(), e.name(e.oparg()), value.object());
        if status != 0 {
            e.consume([value]);
            return Err(Exit::Error);
        }
        e.settle([value], [])
    }
}

/// Unbinds a global name.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn delete_global<E: Engine>(e: &mut E, []: [StackRef; 0]) -> Op {
    // SAFETY: the argument is an index of the code's names.
    unsafe {
        e.publish();
        let name = e.name(e.oparg());
        let found = ffi::PyDict_Pop(e.frame().globals(), name, null_mut());
        if found <= 0 {
            if found == 0 {
                undefined_name(e.tstate(), name);
            }
            return Err(Exit::Error);
        }
    }
    Ok([])
}

// --- names in class bodies and annotation scopes -----------------------------------------------

/// Replaces a mapping by its value for the name or, if it has none, by the global or builtin of that name.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_from_dict_or_globals<E: Engine>(
    e: &mut E,
    [mapping]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: the argument is an index of the code's names. The input is live and owned by this micro-op; the
    // result takes its slot.
    unsafe {
        e.publish();
        let name = e.name(e.oparg());
        let found = optional_item(mapping.object(), name);
        let slot = e.sp().sub(1);
        e.close_at(mapping, slot);
        match found {
            Ok(Some(value)) => {
                *slot = StackRef::steal(value.into_ptr());
                Ok(Settled::new())
            }
            Ok(None) => {
                e.publish_at(slot);
                load_global_into(e, slot, name)
            }
            Err(Raised) => Err(Exit::Error),
        }
    }
}

/// Replaces the namespace of a class by its value for the name of a variable or, if it has none, by the
/// content of the variable's cell.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_from_dict_or_deref<E: Engine>(
    e: &mut E,
    [namespace]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: the compiler emits this only for variables that are cells. The input is live and owned by this
    // micro-op.
    unsafe {
        e.publish();
        match load_from_class_or_cell(e.tstate(), e.frame(), e.oparg(), namespace.object()) {
            Ok(value) => e.settle([namespace], [StackRef::steal(value.into_ptr())]),
            Err(Raised) => Err(Exit::ErrorNoPop),
        }
    }
}

/// Looks up the name of variable `index` in `namespace`, then reads its cell.
///
/// # Safety
/// The thread is attached, `tstate` is its state, `frame` is live and published, its local `index` is a cell,
/// and `namespace` is live.
#[inline(never)]
unsafe fn load_from_class_or_cell(
    tstate: ThreadState,
    frame: Frame,
    index: usize,
    namespace: *mut PyObject,
) -> PyResult {
    // SAFETY: the frame is live, and its local is a cell, so the code has a name for it (caller).
    unsafe {
        let code = frame.code().as_ptr();
        let name = tuple_item((*code).co_localsplusnames, index);
        if let Some(value) = optional_item(namespace, name)? {
            return Ok(value);
        }
        Owned::optional(ffi::PyCell_Get(frame.local(index).object())).ok_or_else(|| {
            unbound::unbound(tstate, frame.code(), index);
            Raised
        })
    }
}

// --- imports -----------------------------------------------------------------------------------

/// Replaces the level and the list of names by the imported module.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn import_name<E: Engine>(e: &mut E, [level, fromlist]: [StackRef; 2]) -> Op<Settled<1>> {
    // SAFETY: the argument is an index of the code's names. The inputs are live and owned by this micro-op.
    unsafe {
        e.publish();
        let module =
            imports::import_name(e.tstate(), e.frame(), e.name(e.oparg()), fromlist.object(), level.object());
        e.settle_object([fromlist, level], into_host(module))
    }
}

/// Pushes an attribute of the module, which stays below it.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn import_from<E: Engine>(
    e: &mut E,
    Kept([module]): Kept<[StackRef; 1]>,
) -> Op<[StackRef; 1]> {
    // SAFETY: the argument is an index of the code's names. The module is on the published stack.
    unsafe {
        e.publish();
        pushed(into_host(imports::import_from(module.object(), e.name(e.oparg()))))
    }
}

// --- finding names -----------------------------------------------------------------------------

/// Sets NameError for `name`.
///
/// # Safety
/// The thread is attached, `tstate` is its state, its frame is published, and `name` is a live str. No
/// exception is set, or one that is to be replaced.
#[cold]
pub(crate) unsafe fn undefined_name(tstate: ThreadState, name: *mut PyObject) -> Raised {
    const MESSAGE: &CStr = c"name '%.200s' is not defined";
    // SAFETY: the name is live (caller), and the format takes its text.
    unsafe {
        unbound::raise_about(tstate, ffi::PyExc_NameError, MESSAGE, name);
    }
    Raised
}

/// Looks up `name` in the locals, globals and builtins of `frame`. Fails with NameError, with SystemError if
/// the frame has no locals, or with any exception that a mapping raises.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is live and published, and `name` is a live str.
pub(crate) unsafe fn find_name(tstate: ThreadState, frame: Frame, name: *mut PyObject) -> PyResult {
    // SAFETY: the frame keeps its namespaces alive, and the name is live (caller). Globals are a dictionary
    // or of a subclass.
    unsafe {
        if frame.locals_mapping().is_null() {
            return Err(raise!(PyExc_SystemError, c"no locals found"));
        }
        if let Some(value) = optional_item(frame.locals_mapping(), name)? {
            return Ok(value);
        }
        let mut value = core::ptr::null_mut();
        check(ffi::PyDict_GetItemRef(frame.globals(), name, &raw mut value))?;
        if let Some(value) = Owned::optional(value) {
            return Ok(value);
        }
        optional_item(frame.builtins(), name)?.ok_or_else(|| undefined_name(tstate, name))
    }
}

/// Looks up `name` in `globals` and `builtins`. Writes a new reference to `place`, or the empty reference
/// with an exception set: NameError, or any exception that a namespace that is not an exact dictionary
/// raises. All arguments are borrowed.
///
/// # Safety
/// The thread is attached and its frame published. `globals` and `builtins` are live, `name` is a live str,
/// and `place` is writable.
pub(crate) unsafe fn find_global(
    globals: *mut PyObject,
    builtins: *mut PyObject,
    name: *mut PyObject,
    place: *mut StackRef,
) {
    // SAFETY: the objects are live, and `place` is writable (caller).
    unsafe {
        if let (Some(globals), Some(builtins)) = (Dict::cast(globals), Dict::cast(builtins)) {
            if let Some(value) = known_global(globals, builtins, name) {
                *place = value;
                return;
            }
            let (globals, builtins) = (globals.object(), builtins.object());
            ffi::_PyDict_LoadGlobalStackRef(globals.cast(), builtins.cast(), name, place.cast());
            // `_PyDict_LoadGlobalStackRef` sets no exception if the name is missing.
            if (*place).is_null() && !exception_is_set() {
                undefined_name(ThreadState::current(), name);
            }
        } else {
            *place = match load_global_from_mappings(globals, builtins, name) {
                Ok(value) => StackRef::steal(value.into_ptr()),
                Err(Raised) => StackRef::NULL,
            };
        }
    }
}

/// The value of `name` in `globals` or `builtins`, if it is found without the host.
///
/// # Safety
/// The thread is attached; both dictionaries and `name` are live.
#[inline(always)]
unsafe fn known_global(globals: Dict, builtins: Dict, name: *mut PyObject) -> Option<StackRef> {
    // SAFETY: the objects are live (caller). An entry that is found has a value.
    unsafe {
        let found = match globals.find(name) {
            Lookup::Absent => builtins.find(name),
            found => found,
        };
        match found {
            Lookup::Found(value) => value.load(|| {}),
            Lookup::Absent | Lookup::Unknown => None,
        }
    }
}

/// [`find_global`] for namespaces that are not exact dictionaries.
///
/// # Safety
/// The thread is attached and its frame published. `globals`, `builtins` and `name` are live.
#[cold]
unsafe fn load_global_from_mappings(
    globals: *mut PyObject,
    builtins: *mut PyObject,
    name: *mut PyObject,
) -> PyResult {
    // SAFETY: the objects are live (caller).
    unsafe {
        for namespace in [globals, builtins] {
            if let Some(value) = optional_item(namespace, name)? {
                return Ok(value);
            }
        }
        Err(undefined_name(ThreadState::current(), name))
    }
}
