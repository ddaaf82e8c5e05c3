//! Attributes. Lookups that other rooms share are at the end.

use super::adaptive::specializing;
use super::frames::{enter_frame, save_return_offset};
use super::guards::guard;
use crate::engine::{BytecodeEngine, BytecodeOp, Count, Engine, Exit, Kept, Op, Settled, SettledMany};
use crate::host::dict::{Dict, DictKeys, InlineValues, Slot, UnicodeEntry, lazy_dict_slot};
use crate::host::function::Function;
use crate::host::lock::{try_lock, unlock};
use crate::host::object::{has_feature, type_has_version, type_of};
use crate::host::{
    FREE_THREADED, Frame, FunctionVersion, KeysVersion, PyObject, StackRef, ThreadState, TypeVersion,
};
use crate::host::{ffi, refcount};
use crate::seams;
#[cfg(not(py_gil_disabled))]
use crate::specialize::side_cache::{self, Found};

// --- guards on the owner, the topmost value ----------------------------------------------------

/// The owner's type has not changed since the specializer filled the cache.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_type_version<E: Engine>(
    _e: &mut E,
    version: TypeVersion,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the owner is live.
    unsafe { guard(type_has_version(owner.type_(), version)) }
}

/// The type of the value below the topmost one has this version.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_nos_type_version<E: Engine>(
    _e: &mut E,
    version: TypeVersion,
    Kept([value, _]): Kept<[StackRef; 2]>,
) -> Op {
    // SAFETY: the value is live, and so is its type.
    unsafe { guard(type_has_version(type_of(value.object()), version)) }
}

/// Like [`guard_type_version`], and locks the owner for the rest of the instruction.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn guard_type_version_and_lock<E: Engine>(
    _e: &mut E,
    version: TypeVersion,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the owner is live. It is locked when its type is checked, and unlocked if the check fails.
    unsafe {
        let owner = owner.object();
        guard(try_lock(owner))?;
        guard_locked(type_has_version(type_of(owner), version), owner)
    }
}

/// Succeeds if `holds`. Otherwise unlocks `object`, and the generic instruction runs.
///
/// # Safety
/// `object` is live, and this instruction has locked it.
#[inline(always)]
unsafe fn guard_locked(holds: bool, object: *mut PyObject) -> Op {
    if !holds {
        // SAFETY: this instruction has locked the object (caller).
        unsafe { unlock(object) };
    }
    guard(holds)
}

/// The owner is a class that has not changed since the specializer filled the cache.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn check_attr_class<E: Engine>(
    _e: &mut E,
    version: TypeVersion,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the owner is live, and a type if its type's flags say so.
    unsafe {
        let owner = owner.object();
        guard(has_feature(owner, ffi::Py_TPFLAGS_TYPE_SUBCLASS))?;
        guard(type_has_version(owner.cast(), version))
    }
}

/// The owner has its attributes in inline values.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` has run before.
#[inline(always)]
pub(crate) unsafe fn check_managed_object_has_values<E: Engine>(
    _e: &mut E,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: a guard has checked the type, whose instances have inline values.
    unsafe { guard(InlineValues::of(owner.object()).are_valid()) }
}

/// The owner has its attributes in inline values, so their names are in the shared keys of its type.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` has run before.
#[inline(always)]
pub(crate) unsafe fn guard_dorv_values_inst_attr_from_dict<E: Engine>(
    e: &mut E,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: a guard has checked the type, whose instances have inline values.
    unsafe { check_managed_object_has_values(e, Kept([owner])) }
}

/// No attribute name has been added to the shared keys of the owner's type since the specializer filled the
/// cache.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` has run before.
#[inline(always)]
pub(crate) unsafe fn guard_keys_version<E: Engine>(
    _e: &mut E,
    version: KeysVersion,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: a guard has checked the type, which has shared keys.
    unsafe { guard(DictKeys::shared_by(owner.type_()).has_version(version)) }
}

/// The owner, which is locked, has its attributes in inline values and no dictionary.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version_and_lock` has run before.
#[inline(always)]
pub(crate) unsafe fn guard_dorv_no_dict<E: Engine>(_e: &mut E, Kept([owner]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: a guard has checked the type, whose instances have inline values and a managed dictionary, and
    // has locked the owner.
    unsafe {
        let owner = owner.object();
        guard_locked(Dict::managed(owner).is_none() && InlineValues::of(owner).are_valid(), owner)
    }
}

/// The owner has no dictionary yet that could contain an attribute with the name of the method.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` has run before.
#[inline(always)]
pub(crate) unsafe fn check_attr_method_lazy_dict<E: Engine>(
    _e: &mut E,
    offset: u16,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: a guard has checked the type, whose instances have a slot for a dictionary at this offset.
    unsafe { guard(lazy_dict_slot(owner.object(), offset).is_empty()) }
}

// --- LOAD_ATTR ---------------------------------------------------------------------------------

specializing! {
    specialize_load_attr: LOAD_ATTR = |e| seams::specialize::load_attr(e.peek(1), e.this_instr(), e.name(e.oparg() >> 1))
}

/// Replaces the owner by `owner.name`. If the low bit of the argument is set, a call follows: pushes a
/// method's function and the owner as its `self`, or any other attribute and an empty slot.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_attr<E: Engine>(e: &mut E, [_]: [StackRef; 1]) -> Op<SettledMany<OneOrTwo>> {
    // SAFETY: the argument is an index of the code's names. The owner is live and owned by this micro-op; it
    // is released or, for a method, moves to the slot above.
    unsafe {
        let name = e.name(e.oparg() >> 1);
        let for_call = e.oparg() & 1 != 0;
        e.publish();
        #[cfg(not(py_gil_disabled))]
        if e.is_warm() {
            match side_cache::load(e.tstate(), e.peek(1).object(), name, for_call) {
                Found::Attribute(attr) => {
                    e.close_at(e.peek(1), e.sp().sub(1));
                    e.poke(1, attr);
                    if for_call {
                        e.sp().write(StackRef::NULL);
                    }
                    return Ok(SettledMany::up_to(e.sp().add(for_call.into())));
                }
                Found::Method(method) => {
                    e.sp().write(e.peek(1));
                    e.poke(1, method);
                    return Ok(SettledMany::up_to(e.sp().add(1)));
                }
                Found::Nothing => {}
            }
        }
        if for_call {
            let attr = find_method(e.tstate(), e.peek(1), name, e.sp());
            if attr.is_null() {
                return Err(Exit::Error);
            }
            e.poke(1, attr);
            Ok(SettledMany::up_to(e.sp().add(1)))
        } else {
            let attr = ffi::PyObject_GetAttr(e.peek(1).object(), name);
            e.close_at(e.peek(1), e.sp().sub(1));
            if attr.is_null() {
                return Err(Exit::Error);
            }
            e.poke(1, StackRef::steal(attr));
            Ok(SettledMany::up_to(e.sp()))
        }
    }
}

/// Two values if the low bit of the argument is set, otherwise one.
pub(crate) struct OneOrTwo;

impl Count for OneOrTwo {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        1 + (oparg & 1)
    }
}

/// Replaces the owner by the value in `slot`. Fails as a guard if there is none.
///
/// # Safety
/// The thread is attached. `owner` is the topmost value of the engine's stack, and `slot` is in the owner or
/// in its live dictionary.
#[inline(always)]
unsafe fn load_slot<E: Engine>(e: &mut E, owner: StackRef, slot: Slot) -> Op<Settled<1>> {
    // SAFETY: the slot is valid as long as the owner is (caller), and the value is a new reference.
    unsafe {
        let Some(attr) = slot.load(|| e.publish()) else { return Err(Exit::Deopt) };
        e.settle([owner], [attr])
    }
}

/// Loads an attribute from the owner's inline values, at `offset` in the object.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` and `check_managed_object_has_values`
/// have run before.
#[inline(always)]
pub(crate) unsafe fn load_attr_instance_value<E: Engine>(
    e: &mut E,
    offset: u16,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: guards have checked that the owner has inline values. The specializer took the offset from the
    // type.
    unsafe { load_slot(e, owner, Slot::of_object(owner.object(), offset)) }
}

/// Loads an attribute that has a slot (`__slots__`) at `offset` in the object.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` has run before.
#[inline(always)]
pub(crate) unsafe fn load_attr_slot<E: Engine>(
    e: &mut E,
    offset: u16,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: a guard has checked the type, whose instances have the slot.
    unsafe { load_slot(e, owner, Slot::of_object(owner.object(), offset)) }
}

/// Loads an attribute from the owner's dictionary, where the specializer found it at index `hint`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` has run before.
#[inline(always)]
pub(crate) unsafe fn load_attr_with_hint<E: Engine>(
    e: &mut E,
    hint: u16,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: a guard has checked the type, whose instances have a managed dictionary. The index is in range
    // (checked).
    unsafe {
        let dict = Dict::managed(owner.object()).ok_or(Exit::Deopt)?;
        guard(dict.is_readable())?;
        let entry = dict.hinted_entry(hint).ok_or(Exit::Deopt)?;
        guard(entry.key() == e.name(e.oparg() >> 1))?;
        load_slot(e, owner, entry.value())
    }
}

/// Loads a global of a module. The operands are the version of the keys of its dictionary and the index there.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_attr_module<E: Engine>(
    e: &mut E,
    (version, index): (KeysVersion, u16),
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: only modules have this `tp_getattro`, and every module has a dictionary. Keys of that version
    // have an entry at the index.
    unsafe {
        guard(address((*owner.type_()).tp_getattro) == address(ffi::PyModule_Type.tp_getattro))?;
        let module = owner.object().cast::<ffi::PyModuleObject>();
        let keys = Dict::from_object((*module).md_dict).keys();
        guard(keys.has_version(version))?;
        load_slot(e, owner, keys.unicode_entry(index.into()).value())
    }
}

/// The address of a function, for comparison. Null if there is none.
#[inline(always)]
pub(super) fn address(function: ffi::getattrofunc) -> *const () {
    function.map_or(core::ptr::null(), |function| function as *const ())
}

/// Replaces the owner by the attribute in the cache.
///
/// # Safety
/// The thread is attached, and `owner` is the topmost value of the engine's stack. `attr` is from the cache,
/// and guards have checked that the type (or the class that is the owner) still has it.
#[inline(always)]
unsafe fn load_cached<E: Engine>(e: &mut E, attr: *mut PyObject, owner: StackRef) -> Op<Settled<1>> {
    // SAFETY: the type keeps the attribute alive, since guards have checked that it still has it (caller).
    unsafe { e.settle([owner], [StackRef::new(attr)]) }
}

/// Loads an attribute of a class.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_attr_class` has run before.
#[inline(always)]
pub(crate) unsafe fn load_attr_class<E: Engine>(
    e: &mut E,
    attr: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: a guard has checked the class, which keeps the attribute alive.
    unsafe { load_cached(e, attr, owner) }
}

/// Loads a class attribute that is not a descriptor, through an instance without a dictionary.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` has run before.
#[inline(always)]
pub(crate) unsafe fn load_attr_nondescriptor_no_dict<E: Engine>(
    e: &mut E,
    attr: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: a guard has checked the type, which keeps the attribute alive.
    unsafe { load_cached(e, attr, owner) }
}

/// Loads a class attribute that is not a descriptor, through an instance with inline values.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version`,
/// `guard_dorv_values_inst_attr_from_dict` and `guard_keys_version` have run before.
#[inline(always)]
pub(crate) unsafe fn load_attr_nondescriptor_with_values<E: Engine>(
    e: &mut E,
    attr: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: guards have checked the type and its keys. The type keeps the attribute alive.
    unsafe { load_cached(e, attr, owner) }
}

/// Pushes the method in the cache, with `owner` above it as `self`.
///
/// # Safety
/// `method` is from the cache, and guards have checked that the owner's type still has it.
#[inline(always)]
unsafe fn load_method(method: *mut PyObject, owner: StackRef) -> Op<[StackRef; 2]> {
    // SAFETY: the type keeps the method alive, since guards have checked that it still has it (caller).
    unsafe { Ok([StackRef::new(method), owner]) }
}

/// Loads a method for a call, from an instance without a dictionary.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` has run before.
#[inline(always)]
pub(crate) unsafe fn load_attr_method_no_dict<E: Engine>(
    _e: &mut E,
    method: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op<[StackRef; 2]> {
    // SAFETY: a guard has checked the type.
    unsafe { load_method(method, owner) }
}

/// Loads a method for a call, from an instance with inline values.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version`,
/// `guard_dorv_values_inst_attr_from_dict` and `guard_keys_version` have run before.
#[inline(always)]
pub(crate) unsafe fn load_attr_method_with_values<E: Engine>(
    _e: &mut E,
    method: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op<[StackRef; 2]> {
    // SAFETY: guards have checked the type and its keys.
    unsafe { load_method(method, owner) }
}

/// Loads a method for a call, from an instance that has no dictionary yet.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` and `check_attr_method_lazy_dict` have
/// run before.
#[inline(always)]
pub(crate) unsafe fn load_attr_method_lazy_dict<E: Engine>(
    _e: &mut E,
    method: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op<[StackRef; 2]> {
    // SAFETY: guards have checked the type, and that there is no dictionary.
    unsafe { load_method(method, owner) }
}

/// Makes a frame for the getter of a property. The owner becomes its argument.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `check_pep_523` and `guard_type_version` have run before.
#[inline(always)]
pub(crate) unsafe fn load_attr_property_frame<E: Engine>(
    e: &mut E,
    getter: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op {
    const FLAGS: u32 = ffi::CO_VARKEYWORDS | ffi::CO_VARARGS | ffi::CO_OPTIMIZED;
    // SAFETY: a guard has checked the type, which keeps the getter alive. The specializer caches only
    // functions. The frame fits on the data stack and has a local variable (checked).
    unsafe {
        let code = (*getter.cast::<ffi::PyFunctionObject>()).func_code.cast::<ffi::PyCodeObject>();
        guard((*code).co_flags as u32 & FLAGS == ffi::CO_OPTIMIZED)?;
        guard((*code).co_kwonlyargcount == 0)?;
        guard((*code).co_argcount == 1)?;
        guard(e.tstate().has_stack_space((*code).co_framesize as usize))?;
        let frame = Frame::push_unchecked(e.tstate(), StackRef::new(getter), 1, e.frame());
        frame.set_local(0, owner);
        e.give_frame(frame);
        Ok([])
    }
}

/// Enters the `__getattribute__` of the owner's class, a Python function. The operands are the versions of
/// the type and of the function, and the function.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn load_attr_getattribute_overridden<E: BytecodeEngine>(
    e: &mut E,
    (version, function_version, function): (TypeVersion, FunctionVersion, *mut PyObject),
    [owner]: [StackRef; 1],
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the specializer caches only functions of two arguments, which the type keeps alive. The frame
    // fits on the data stack (checked). The owner moves to the new frame.
    unsafe {
        guard(!e.tstate().has_custom_eval_frame())?;
        guard_type_version(e, version, Kept([owner]))?;
        let callee = Function::from_object(function);
        guard(callee.has_version(function_version))?;
        let code = callee.code().as_ptr();
        debug_assert!((*code).co_argcount == 2);
        guard(e.tstate().has_stack_space((*code).co_framesize as usize))?;
        let name = e.name(e.oparg() >> 1);
        let frame = Frame::push_unchecked(e.tstate(), StackRef::new(function), 2, e.frame());
        frame.set_local(0, owner);
        e.set_sp(e.sp().sub(1));
        frame.set_local(1, StackRef::new(name));
        save_return_offset(e, [])?;
        enter_frame(e, frame)
    }
}

// --- STORE_ATTR, DELETE_ATTR -------------------------------------------------------------------

specializing! {
    specialize_store_attr: STORE_ATTR = |e| seams::specialize::store_attr(e.peek(1), e.this_instr(), e.name(e.oparg()))
}

/// `owner.name = value`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn store_attr<E: Engine>(e: &mut E, [value, owner]: [StackRef; 2]) -> Op<Settled<0>> {
    // SAFETY: the argument is an index of the code's names. The inputs are live and owned by this micro-op.
    unsafe {
        let name = e.name(e.oparg());
        e.publish();
        #[cfg(not(py_gil_disabled))]
        if e.is_warm()
            && let Some(old) = side_cache::store(e.tstate(), owner.object(), name, value)
        {
            finish_store(e, owner, old)?;
            return Ok(Settled::new());
        }
        let status = ffi::PyObject_SetAttr(owner.object(), name, value.object());
        if status != 0 {
            e.consume([owner, value]);
            return Err(Exit::Error);
        }
        e.settle([owner, value], [])
    }
}

/// Ends a store: releases the owner and the old value, which is null if there was none. All locks have been
/// released.
///
/// # Safety
/// The thread is attached. `owner` is the topmost value of the engine's stack and not used again. The value
/// below it has been moved. The caller owns `old`, or it is null.
#[inline(always)]
unsafe fn finish_store<E: Engine>(e: &mut E, owner: StackRef, old: *mut PyObject) -> Op {
    // SAFETY: the owner and the old value are owned, and no longer below the published stack pointer (caller).
    unsafe {
        let sp = e.sp().sub(2);
        e.close_seldom_at(owner, sp);
        if !old.is_null() && !refcount::is_immortal(old) {
            e.close_at(StackRef::steal_mortal(old), sp);
        }
    }
    Ok([])
}

/// Stores an attribute in the owner's inline values, at `offset` in the object.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version_and_lock` and `guard_dorv_no_dict` have
/// run before.
#[inline(always)]
pub(crate) unsafe fn store_attr_instance_value<E: Engine>(
    e: &mut E,
    offset: u16,
    [value, owner]: [StackRef; 2],
) -> Op {
    // SAFETY: guards have locked the owner and checked that it has inline values. The specializer took the
    // offset from the type.
    unsafe {
        let object = owner.object();
        let slot = Slot::of_object(object, offset);
        let old = slot.replace(value.into_object());
        if old.is_null() {
            InlineValues::of(object).append_to_order(slot);
        }
        unlock(object);
        finish_store(e, owner, old)
    }
}

/// Stores an attribute that has a slot (`__slots__`) at `offset` in the object.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` has run before.
#[inline(always)]
pub(crate) unsafe fn store_attr_slot<E: Engine>(e: &mut E, offset: u16, [value, owner]: [StackRef; 2]) -> Op {
    // SAFETY: a guard has checked the type, whose instances have the slot. The owner is locked.
    unsafe {
        let object = owner.object();
        guard(try_lock(object))?;
        let old = Slot::of_object(object, offset).replace(value.into_object());
        unlock(object);
        finish_store(e, owner, old)
    }
}

/// Stores an attribute in the owner's dictionary, where the specializer found it at index `hint`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op. `guard_type_version` has run before.
#[inline(always)]
pub(crate) unsafe fn store_attr_with_hint<E: Engine>(
    e: &mut E,
    hint: u16,
    [value, owner]: [StackRef; 2],
) -> Op {
    // SAFETY: a guard has checked the type, whose instances have a managed dictionary. The dictionary is
    // locked when its entries are used.
    unsafe {
        let dict = Dict::managed(owner.object()).ok_or(Exit::Deopt)?;
        guard(try_lock(dict.object()))?;
        let name = e.name(e.oparg());
        let entry = find_hinted(owner.object(), dict, hint, name);
        guard_locked(entry.is_some(), dict.object())?;
        let Some(entry) = entry else { return Err(Exit::Deopt) };
        if dict.watchers() != 0 {
            e.publish();
            dict.notify_modified(name, value.object());
        }
        let old = entry.value().replace(value.into_object());
        unlock(dict.object());
        finish_store(e, owner, old)
    }
}

/// Returns the entry of `name` in the dictionary of `owner`, if it is still at index `hint` and has a value.
///
/// # Safety
/// `owner` is live and its type has a managed dictionary. `dict` was that dictionary, is live, and locked.
#[inline(always)]
unsafe fn find_hinted(
    owner: *mut PyObject,
    dict: Dict,
    hint: u16,
    name: *mut PyObject,
) -> Option<UnicodeEntry> {
    // SAFETY: the dictionary is locked (caller), so its keys do not change. The index is in range (checked).
    unsafe {
        // Another thread may have replaced the dictionary before it was locked.
        if FREE_THREADED && Dict::managed(owner) != Some(dict) {
            return None;
        }
        let keys = dict.keys();
        if hint as usize >= keys.entry_count() || keys.kind() == ffi::DICT_KEYS_GENERAL {
            return None;
        }
        let entry = keys.unicode_entry(hint.into());
        (entry.key() == name && !entry.value().is_empty()).then_some(entry)
    }
}

/// The dictionary of an object, and the slot of `name` in it, if it is at index `hint` there and has a value.
///
/// # Safety
/// The thread is attached, on a host with a GIL. The object is live, with a managed dictionary.
#[cfg(feature = "jit")]
pub(crate) unsafe fn hinted_entry(
    owner: *mut PyObject,
    hint: u16,
    name: *mut PyObject,
) -> Option<(Dict, Slot)> {
    // SAFETY: the dictionary is live (caller), and the GIL locks it.
    unsafe {
        let dict = Dict::managed(owner)?;
        find_hinted(owner, dict, hint, name).map(|entry| (dict, entry.value()))
    }
}

/// `del owner.name`.
///
/// # Safety
/// As [`crate::engine`] says for every micro-op.
#[inline(always)]
pub(crate) unsafe fn delete_attr<E: Engine>(e: &mut E, [owner]: [StackRef; 1]) -> Op<Settled<0>> {
    // SAFETY: the argument is an index of the code's names. The input is live and owned by this micro-op.
    unsafe {
        e.publish();
        let status = ffi::PyObject_DelAttr(owner.object(), e.name(e.oparg()));
        if status != 0 {
            e.consume([owner]);
            return Err(Exit::Error);
        }
        e.settle([owner], [])
    }
}

// --- methods and attributes for calls ----------------------------------------------------------

/// Loads `owner.name` for a call. Consumes `owner`. Returns a new reference. For a method this is its
/// function, and `self_or_null` receives the owner's reference. For any other attribute, and on failure,
/// `self_or_null` becomes empty. On failure an exception is set and the result is empty, too.
///
/// # Safety
/// The thread is attached, `tstate` is its state, and its frame is published. The caller passes `owner`,
/// which may be uncounted if something else keeps its object alive. `name` is a live str, and `self_or_null`
/// is writable.
pub(crate) unsafe fn find_method(
    tstate: ThreadState,
    owner: StackRef,
    name: *mut PyObject,
    self_or_null: *mut StackRef,
) -> StackRef {
    // SAFETY: the objects are live, and `self_or_null` is writable (caller). The references are unlinked in
    // reverse order before they leave this C frame.
    unsafe {
        let mut method = VisibleRef::new(StackRef::NULL.raw());
        method.link(tstate);
        let mut this = VisibleRef::new(owner.raw());
        this.link(tstate);
        // On failure the method is empty, so the status is redundant.
        ffi::_PyObject_GetMethodStackRef(tstate.as_ptr(), this.slot(), name, method.slot());
        *self_or_null = StackRef::from_raw(this.unlink(tstate));
        StackRef::from_raw(method.unlink(tstate))
    }
}

/// A reference in a C frame that the garbage collector of a free-threaded host must find, since it may be
/// deferred (`_PyCStackRef`). The list of the thread points to it, so it must not move while it is linked.
#[repr(transparent)]
struct VisibleRef(ffi::_PyCStackRef);

impl VisibleRef {
    #[inline(always)]
    fn new(reference: ffi::_PyStackRef) -> VisibleRef {
        VisibleRef(ffi::_PyCStackRef {
            ref_: reference,
            #[cfg(py_gil_disabled)]
            next: core::ptr::null_mut(),
        })
    }

    #[inline(always)]
    fn slot(&mut self) -> *mut ffi::_PyStackRef {
        &raw mut self.0.ref_
    }

    /// Adds the reference to the list that the collector reads.
    ///
    /// # Safety
    /// The thread is attached and `tstate` is its state. The value does not move until [`VisibleRef::unlink`]
    /// is called, and it is called before the value goes out of scope.
    #[inline(always)]
    unsafe fn link(&mut self, tstate: ThreadState) {
        #[cfg(not(py_gil_disabled))]
        let _ = tstate;
        #[cfg(py_gil_disabled)]
        // SAFETY: the list belongs to this thread (caller).
        unsafe {
            let head = &raw mut (*tstate.implementation()).c_stack_refs;
            self.0.next = *head;
            *head = &raw mut self.0;
        }
    }

    /// Removes the reference from the list and returns it to the caller.
    ///
    /// # Safety
    /// As for [`VisibleRef::link`], which was called on this value. It is the one that was linked last.
    #[inline(always)]
    unsafe fn unlink(&mut self, tstate: ThreadState) -> ffi::_PyStackRef {
        #[cfg(not(py_gil_disabled))]
        let _ = tstate;
        #[cfg(py_gil_disabled)]
        // SAFETY: this is the head of the list, since it was linked last (caller).
        unsafe {
            (*tstate.implementation()).c_stack_refs = self.0.next;
        }
        self.0.ref_
    }
}
