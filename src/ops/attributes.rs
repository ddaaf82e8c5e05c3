//! Attributes, `super()` and special methods.

use super::adaptive::specialize;
use super::frames::{enter_frame, save_return_offset};
use super::guards::guard;
use super::special_methods::{has_other_kind, special_method};
use crate::engine::{BytecodeEngine, BytecodeOp, Count, Engine, Exit, Kept, Op, Settled, SettledMany};
use crate::host::dict::{Dict, DictKeys, InlineValues, Slot, UnicodeEntry, lazy_dict_slot};
use crate::host::lock::{try_lock, unlock};
use crate::host::object::{has_feature, managed_dict, type_of, type_version};
use crate::host::{
    CodeUnit, FREE_THREADED, Frame, PyObject, PyTypeObject, StackRef, ThreadState, ffi, refcount,
};
use crate::seams;

// --- guards on the owner, the topmost value ----------------------------------------------------

/// The owner's type is unchanged since the cache was filled.
#[inline(always)]
pub(crate) unsafe fn guard_type_version<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the instruction has an owner.
    unsafe { guard(type_version(owner.type_()) == version) }
}

/// Like `guard_type_version`, and locks the owner for the rest of the instruction.
#[inline(always)]
pub(crate) unsafe fn guard_type_version_and_lock<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the instruction has an owner.
    unsafe {
        let owner = owner.object();
        guard(try_lock(owner))?;
        guard_locked(type_version(type_of(owner)) == version, owner)
    }
}

/// Goes on only if `holds`; otherwise unlocks `object`, and the generic instruction runs.
#[inline(always)]
unsafe fn guard_locked(holds: bool, object: *mut PyObject) -> Op {
    if !holds {
        // SAFETY: the instruction has locked it.
        unsafe { unlock(object) };
    }
    guard(holds)
}

/// The owner is a class, unchanged since the cache was filled.
#[inline(always)]
pub(crate) unsafe fn check_attr_class<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the instruction has an owner.
    unsafe {
        let owner = owner.object();
        guard(has_feature(owner, ffi::Py_TPFLAGS_TYPE_SUBCLASS))?;
        guard(type_version(owner.cast()) == version)
    }
}

/// The owner's attributes are inside the object.
#[inline(always)]
pub(crate) unsafe fn check_managed_object_has_values<E: Engine>(
    _e: &mut E,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the type, which has been checked, has inline values.
    unsafe { guard(InlineValues::of(owner.object()).are_valid()) }
}

/// The owner's attributes are inside the object: those it has are in its type's shared keys.
#[inline(always)]
pub(crate) unsafe fn guard_dorv_values_inst_attr_from_dict<E: Engine>(
    e: &mut E,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the type, which has been checked, has inline values.
    unsafe { check_managed_object_has_values(e, Kept([owner])) }
}

/// No instance of the owner's type has gained a new attribute name since the cache was filled.
#[inline(always)]
pub(crate) unsafe fn guard_keys_version<E: Engine>(
    _e: &mut E,
    version: u32,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: the type, which has been checked, has shared keys.
    unsafe { guard(DictKeys::shared_by(owner.type_()).version() == version) }
}

/// The owner, which is locked, has its attributes inside the object and nobody else sees them as a
/// dictionary.
#[inline(always)]
pub(crate) unsafe fn guard_dorv_no_dict<E: Engine>(_e: &mut E, Kept([owner]): Kept<[StackRef; 1]>) -> Op {
    // SAFETY: the type, which has been checked, has inline values and a managed dictionary.
    unsafe {
        let owner = owner.object();
        guard_locked(managed_dict(owner).is_null() && InlineValues::of(owner).are_valid(), owner)
    }
}

/// The owner has no dictionary yet that could hide the method.
#[inline(always)]
pub(crate) unsafe fn check_attr_method_lazy_dict<E: Engine>(
    _e: &mut E,
    offset: u16,
    Kept([owner]): Kept<[StackRef; 1]>,
) -> Op {
    // SAFETY: instances of the type, which has been checked, have the slot.
    unsafe { guard(lazy_dict_slot(owner.object(), offset).is_empty()) }
}

// --- LOAD_ATTR ---------------------------------------------------------------------------------

/// Looks for a specialized form of `owner.name` when the counter says so.
#[inline(always)]
pub(crate) unsafe fn specialize_load_attr<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has an owner and names an attribute.
    unsafe {
        specialize(e, counter, |e| {
            let name = e.name(e.oparg() >> 1);
            seams::specialize::load_attr(e.peek(1), e.this_instr(), name);
        })
    }
}

/// Replaces the owner by `owner.name`. With the low bit of the argument set, a call follows: pushes
/// a method's function and the owner as its `self`, or any other attribute and an empty slot.
#[inline(always)]
pub(crate) unsafe fn load_attr<E: Engine>(e: &mut E, [_]: [StackRef; 1]) -> Op<SettledMany<OneOrTwo>> {
    // SAFETY: the instruction has an owner and names an attribute; its reference is given up or, for
    // a method, moves to the slot above.
    unsafe {
        let name = e.name(e.oparg() >> 1);
        e.publish();
        if e.oparg() & 1 != 0 {
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

/// One value, or two if the lowest bit of the argument is set.
pub(crate) struct OneOrTwo;

impl Count for OneOrTwo {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        1 + (oparg & 1)
    }
}

/// Replaces the owner by what is in `slot`, if there is something.
#[inline(always)]
unsafe fn load_slot<E: Engine>(e: &mut E, owner: StackRef, slot: Slot) -> Op<Settled<1>> {
    // SAFETY: the slot belongs to the owner, which is ours; the value is a new reference.
    unsafe {
        let Some(attr) = slot.load(|| e.publish()) else { return Err(Exit::Deopt) };
        e.settle([owner], [attr])
    }
}

/// Loads an attribute that is inside the object, `offset` bytes into it.
#[inline(always)]
pub(crate) unsafe fn load_attr_instance_value<E: Engine>(
    e: &mut E,
    offset: u16,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: guards have shown that the attribute's place is there.
    unsafe { load_slot(e, owner, Slot::of_object(owner.object(), offset)) }
}

/// Loads an attribute that the class has a slot for, `offset` bytes into the object.
#[inline(always)]
pub(crate) unsafe fn load_attr_slot<E: Engine>(
    e: &mut E,
    offset: u16,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: a guard has shown that the slot is there.
    unsafe { load_slot(e, owner, Slot::of_object(owner.object(), offset)) }
}

/// Loads an attribute from the instance's dictionary, where it was at index `hint` before.
#[inline(always)]
pub(crate) unsafe fn load_attr_with_hint<E: Engine>(
    e: &mut E,
    hint: u16,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: the type, which has been checked, has a managed dictionary.
    unsafe {
        let dict = Dict::from_ptr(managed_dict(owner.object()));
        guard(!dict.is_null())?;
        guard(dict.is_readable())?;
        let keys = dict.keys();
        guard((hint as usize) < keys.entry_count() && keys.kind() == ffi::DICT_KEYS_UNICODE)?;
        let entry = keys.unicode_entry(hint.into());
        guard(entry.key() == e.name(e.oparg() >> 1))?;
        load_slot(e, owner, entry.value())
    }
}

/// Loads a module's global; the operands are the version of its keys and the index there.
#[inline(always)]
pub(crate) unsafe fn load_attr_module<E: Engine>(
    e: &mut E,
    (version, index): (u32, u16),
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: only modules have this way of getting attributes; every module has a dictionary, and
    // these keys have such an entry.
    unsafe {
        guard(address((*owner.type_()).tp_getattro) == address(ffi::PyModule_Type.tp_getattro))?;
        let module = owner.object().cast::<ffi::PyModuleObject>();
        let keys = Dict::from_ptr((*module).md_dict.cast()).keys();
        guard(keys.version() == version)?;
        load_slot(e, owner, keys.unicode_entry(index.into()).value())
    }
}

/// A function as something to compare; null if there is none.
#[inline(always)]
fn address(function: ffi::getattrofunc) -> *const () {
    function.map_or(core::ptr::null(), |function| function as *const ())
}

/// Replaces the owner by the attribute in the cache.
#[inline(always)]
unsafe fn load_cached<E: Engine>(e: &mut E, attr: *mut PyObject, owner: StackRef) -> Op<Settled<1>> {
    // SAFETY: guards have shown that the type, which keeps the attribute alive, still has it.
    unsafe { e.settle([owner], [StackRef::new(attr)]) }
}

/// Loads an attribute of a class.
#[inline(always)]
pub(crate) unsafe fn load_attr_class<E: Engine>(
    e: &mut E,
    attr: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: a guard has checked the class.
    unsafe { load_cached(e, attr, owner) }
}

/// Loads a class attribute that is no descriptor through an instance that has no dictionary.
#[inline(always)]
pub(crate) unsafe fn load_attr_nondescriptor_no_dict<E: Engine>(
    e: &mut E,
    attr: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: a guard has checked the type.
    unsafe { load_cached(e, attr, owner) }
}

/// Loads a class attribute that is no descriptor through an instance that has its attributes inside.
#[inline(always)]
pub(crate) unsafe fn load_attr_nondescriptor_with_values<E: Engine>(
    e: &mut E,
    attr: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op<Settled<1>> {
    // SAFETY: guards have checked the type and its keys.
    unsafe { load_cached(e, attr, owner) }
}

/// Pushes the method in the cache below its `self`.
#[inline(always)]
unsafe fn load_method(method: *mut PyObject, owner: StackRef) -> Op<[StackRef; 2]> {
    // SAFETY: guards have shown that the type, which keeps the method alive, still has it.
    unsafe { Ok([StackRef::new(method), owner]) }
}

/// Loads a method for a call, from an instance that has no dictionary.
#[inline(always)]
pub(crate) unsafe fn load_attr_method_no_dict<E: Engine>(
    _e: &mut E,
    method: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op<[StackRef; 2]> {
    // SAFETY: a guard has checked the type.
    unsafe { load_method(method, owner) }
}

/// Loads a method for a call, from an instance that has its attributes inside.
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
#[inline(always)]
pub(crate) unsafe fn load_attr_method_lazy_dict<E: Engine>(
    _e: &mut E,
    method: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op<[StackRef; 2]> {
    // SAFETY: guards have checked the type and that there is no dictionary.
    unsafe { load_method(method, owner) }
}

/// Makes a frame for the getter of a property, with the owner as its argument.
#[inline(always)]
pub(crate) unsafe fn load_attr_property_frame<E: Engine>(
    e: &mut E,
    getter: *mut PyObject,
    [owner]: [StackRef; 1],
) -> Op {
    const FLAGS: u32 = ffi::CO_VARKEYWORDS | ffi::CO_VARARGS | ffi::CO_OPTIMIZED;
    // SAFETY: the specializer caches functions only, which the type keeps alive.
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

/// Calls the `__getattribute__` of the owner's class. The operands are the versions of the type and of
/// the function, and the function.
#[inline(always)]
pub(crate) unsafe fn load_attr_getattribute_overridden<E: BytecodeEngine>(
    e: &mut E,
    (version, function_version, function): (u32, u32, *mut PyObject),
    [owner]: [StackRef; 1],
) -> BytecodeOp<Settled<1>> {
    // SAFETY: the specializer caches functions of two arguments only, which the type keeps alive. The
    // owner moves to the new frame.
    unsafe {
        guard(!e.tstate().has_custom_eval_frame())?;
        guard_type_version(e, version, Kept([owner]))?;
        let callee = function.cast::<ffi::PyFunctionObject>();
        guard((*callee).func_version == function_version)?;
        let code = (*callee).func_code.cast::<ffi::PyCodeObject>();
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

/// Looks for a specialized form of `owner.name = value` when the counter says so.
#[inline(always)]
pub(crate) unsafe fn specialize_store_attr<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has an owner and names an attribute.
    unsafe {
        specialize(e, counter, |e| {
            let name = e.name(e.oparg());
            seams::specialize::store_attr(e.peek(1), e.this_instr(), name);
        })
    }
}

/// `owner.name = value`.
#[inline(always)]
pub(crate) unsafe fn store_attr<E: Engine>(e: &mut E, [value, owner]: [StackRef; 2]) -> Op<Settled<0>> {
    // SAFETY: the code has that name; the inputs are ours.
    unsafe {
        e.publish();
        let status = ffi::PyObject_SetAttr(owner.object(), e.name(e.oparg()), value.object());
        if status != 0 {
            e.consume([owner, value]);
            return Err(Exit::Error);
        }
        e.settle([owner, value], [])
    }
}

/// Gives up the owner and the value that a store has replaced (null if there was none): the end of
/// every store, when nothing is locked any more.
#[inline(always)]
unsafe fn finish_store<E: Engine>(e: &mut E, owner: StackRef, old: *mut PyObject) -> Op {
    // SAFETY: both are ours; the value has moved to where it was stored.
    unsafe {
        let sp = e.sp().sub(2);
        e.close_seldom_at(owner, sp);
        if !old.is_null() && !refcount::is_immortal(old) {
            e.close_at(StackRef::steal_mortal(old), sp);
        }
    }
    Ok([])
}

/// Stores an attribute inside the object, `offset` bytes into it.
#[inline(always)]
pub(crate) unsafe fn store_attr_instance_value<E: Engine>(
    e: &mut E,
    offset: u16,
    [value, owner]: [StackRef; 2],
) -> Op {
    // SAFETY: guards have locked the owner, and shown that the attribute's place is there.
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

/// Stores an attribute that the class has a slot for, `offset` bytes into the object.
#[inline(always)]
pub(crate) unsafe fn store_attr_slot<E: Engine>(e: &mut E, offset: u16, [value, owner]: [StackRef; 2]) -> Op {
    // SAFETY: a guard has shown that the slot is there.
    unsafe {
        let object = owner.object();
        guard(try_lock(object))?;
        let old = Slot::of_object(object, offset).replace(value.into_object());
        unlock(object);
        finish_store(e, owner, old)
    }
}

/// Stores an attribute in the instance's dictionary, where it was at index `hint` before.
#[inline(always)]
pub(crate) unsafe fn store_attr_with_hint<E: Engine>(
    e: &mut E,
    hint: u16,
    [value, owner]: [StackRef; 2],
) -> Op {
    // SAFETY: the type, which has been checked, has a managed dictionary.
    unsafe {
        let dict = Dict::from_ptr(managed_dict(owner.object()));
        guard(!dict.is_null())?;
        guard(try_lock(dict.object()))?;
        let name = e.name(e.oparg());
        let entry = find_hinted(owner.object(), dict, hint, name);
        guard_locked(entry.is_some(), dict.object())?;
        let Some(entry) = entry else { return Err(Exit::Deopt) };
        if dict.watchers() != 0 {
            e.publish();
            notify_modified(dict, name, value.object());
        }
        let old = entry.value().replace(value.into_object());
        unlock(dict.object());
        finish_store(e, owner, old)
    }
}

/// The entry of `name` in the dictionary of `owner`, if it still is at index `hint` and has a value.
#[inline(always)]
unsafe fn find_hinted(
    owner: *mut PyObject,
    dict: Dict,
    hint: u16,
    name: *mut PyObject,
) -> Option<UnicodeEntry> {
    // SAFETY: the dictionary is locked.
    unsafe {
        // It may have been replaced before it was locked.
        if FREE_THREADED && Dict::from_ptr(managed_dict(owner)) != dict {
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

/// Tells the watchers of a dictionary that a value is about to be replaced.
#[cold]
#[inline(never)]
unsafe fn notify_modified(dict: Dict, name: *mut PyObject, value: *mut PyObject) {
    // SAFETY: everything is live; the frame is published.
    unsafe {
        let dict_object = dict.object().cast();
        ffi::_PyDict_SendEvent(dict.watchers(), ffi::PyDict_EVENT_MODIFIED, dict_object, name, value);
    }
}

/// `del owner.name`.
#[inline(always)]
pub(crate) unsafe fn delete_attr<E: Engine>(e: &mut E, [owner]: [StackRef; 1]) -> Op<Settled<0>> {
    // SAFETY: the code has that name; the input is ours.
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

// --- LOAD_SPECIAL ------------------------------------------------------------------------------

/// Puts an empty slot below the topmost value.
#[inline(always)]
pub(crate) unsafe fn insert_null<E: Engine>(_e: &mut E, [this]: [StackRef; 1]) -> Op<[StackRef; 2]> {
    Ok([StackRef::NULL, this])
}

/// Looks a special method of the topmost value up, for a call: puts a function into the empty slot
/// below its `self`, or something bound already into that slot and nothing above.
#[inline(always)]
pub(crate) unsafe fn load_special<E: Engine>(e: &mut E, Kept([_, this]): Kept<[StackRef; 2]>) -> Op {
    // SAFETY: the two slots are on the stack; the argument is an index into the table.
    unsafe {
        e.publish();
        let slots = e.sp().sub(2).cast();
        let status = ffi::_PyObject_LookupSpecialMethod(special_method(e.oparg()).name, slots);
        if status <= 0 {
            if status == 0 {
                missing_special_method(this.object(), e.oparg());
            }
            return Err(Exit::ErrorNoPop);
        }
    }
    Ok([])
}

/// Raises TypeError for a `with` statement on an object without that special method.
#[cold]
#[inline(never)]
unsafe fn missing_special_method(owner: *mut PyObject, index: usize) {
    // SAFETY: the index is in the table, and both messages are formats for one object.
    unsafe {
        let method = special_method(index);
        let can_suggest = has_other_kind(owner, index as u32);
        let message = if can_suggest { method.error_suggestion } else { method.error };
        ffi::PyErr_Format(ffi::PyExc_TypeError, message, owner);
    }
}

// --- LOAD_SUPER_ATTR ---------------------------------------------------------------------------

/// Looks for a specialized form of `super().name` when the counter says so.
#[inline(always)]
pub(crate) unsafe fn specialize_load_super_attr<E: BytecodeEngine>(
    e: &mut E,
    counter: u16,
    []: [StackRef; 0],
) -> BytecodeOp {
    // SAFETY: the instruction has three inputs.
    unsafe {
        specialize(e, counter, |e| {
            seams::specialize::load_super_attr(e.peek(3), e.peek(2), e.this_instr(), e.oparg() & 1 != 0);
        })
    }
}

/// `super(class, self).name`, or `super().name` without bit 1 of the argument.
#[inline(always)]
pub(crate) unsafe fn load_super_attr<E: Engine>(e: &mut E, inputs: [StackRef; 3]) -> Op<[StackRef; 1]> {
    // SAFETY: the micro-op's contract.
    unsafe { load_super(e, inputs, false) }
}

/// The body of `load_super_attr` and of its instrumented form, which fires the events of the call.
/// The inputs are what the name `super` means here, the class, and `self`.
///
/// # Safety
/// As for every micro-op.
#[inline(always)]
pub(super) unsafe fn load_super<E: Engine>(
    e: &mut E,
    [callable, class, this]: [StackRef; 3],
    instrumented: bool,
) -> Op<[StackRef; 1]> {
    // SAFETY: the code has that name; the inputs are ours.
    unsafe {
        e.publish();
        let call = SuperCall {
            callable: callable.object(),
            class: class.object(),
            this: this.object(),
            explicit: e.oparg() & 2 != 0,
        };
        let object = if instrumented {
            call.run_with_events(e.tstate(), e.frame(), e.this_instr())
        } else {
            call.run()
        };
        e.consume([this, class, callable]);
        if object.is_null() {
            return Err(Exit::Error);
        }
        e.publish_at(e.sp().sub(3));
        let attr = ffi::PyObject_GetAttr(object, e.name(e.oparg() >> 2));
        refcount::decref(object);
        if attr.is_null() {
            return Err(Exit::Error);
        }
        Ok([StackRef::steal(attr)])
    }
}

/// A call of `super`, everything borrowed.
struct SuperCall {
    callable: *mut PyObject,
    class: *mut PyObject,
    this: *mut PyObject,
    /// Whether class and `self` are arguments in the source.
    explicit: bool,
}

impl SuperCall {
    /// Makes the call: a new reference, or null with an exception set.
    #[inline(never)]
    unsafe fn run(self) -> *mut PyObject {
        // SAFETY: the objects are live and the frame is published.
        unsafe { self.call() }
    }

    #[inline(always)]
    unsafe fn call(&self) -> *mut PyObject {
        let arguments = [self.class, self.this];
        let count = if self.explicit { arguments.len() } else { 0 };
        // SAFETY: the callers' promise.
        unsafe { ffi::PyObject_Vectorcall(self.callable, arguments.as_ptr(), count, core::ptr::null_mut()) }
    }

    /// Makes the call between its CALL and C_RETURN or C_RAISE events; a tool that raises makes it
    /// fail.
    #[cold]
    #[inline(never)]
    unsafe fn run_with_events(self, tstate: ThreadState, frame: Frame, instr: CodeUnit) -> *mut PyObject {
        let argument = if self.explicit { self.class } else { seams::instrumentation::missing() };
        let arguments = [self.callable, argument];
        // SAFETY: the objects are live and the frame is published.
        unsafe {
            let fire =
                |event: u32| seams::instrumentation::event_with_two(tstate, event, frame, instr, arguments);
            if fire(ffi::PY_MONITORING_EVENT_CALL).is_err() {
                return core::ptr::null_mut();
            }
            let object = self.call();
            if object.is_null() {
                let event = ffi::PY_MONITORING_EVENT_C_RAISE;
                seams::instrumentation::event_with_exception(tstate, event, frame, instr, arguments);
            } else if fire(ffi::PY_MONITORING_EVENT_C_RETURN).is_err() {
                refcount::decref(object);
                return core::ptr::null_mut();
            }
            object
        }
    }
}

/// `super` is the built-in one, and the class is one.
#[inline(always)]
unsafe fn guard_super(callable: StackRef, class: StackRef) -> Op {
    // SAFETY: the inputs are live objects.
    unsafe {
        guard(callable.object() == (&raw mut ffi::PySuper_Type).cast())?;
        guard(has_feature(class.object(), ffi::Py_TPFLAGS_TYPE_SUBCLASS))
    }
}

/// `super().name` without making a `super` object.
#[inline(always)]
pub(crate) unsafe fn load_super_attr_attr<E: Engine>(
    e: &mut E,
    [callable, class, this]: [StackRef; 3],
) -> Op<Settled<1>> {
    // SAFETY: the code has that name; the inputs are ours.
    unsafe {
        guard_super(callable, class)?;
        e.publish();
        let name = e.name(e.oparg() >> 2);
        let attr = ffi::_PySuper_Lookup(class.object().cast(), this.object(), name, core::ptr::null_mut());
        e.settle_object([this, class, callable], attr)
    }
}

/// `super().name` for a call: a function and its `self`, or something else and an empty slot.
#[inline(always)]
pub(crate) unsafe fn load_super_attr_method<E: Engine>(
    e: &mut E,
    [callable, class, this]: [StackRef; 3],
) -> Op<Settled<2>> {
    // SAFETY: the code has that name; the inputs are ours, and `self` moves if it is needed.
    unsafe {
        guard_super(callable, class)?;
        e.publish();
        let name = e.name(e.oparg() >> 2);
        let (attr, is_method) = find_super_method(class.object().cast(), this.object(), name);
        if attr.is_null() {
            return Err(Exit::ErrorNoPop);
        }
        e.poke(3, StackRef::steal(attr));
        e.poke(2, if is_method { this } else { StackRef::NULL });
        let sp = e.sp().sub(1);
        if !is_method {
            e.close_at(this, sp);
        }
        e.close_at(callable, sp);
        e.close_at(class, sp);
        Ok(Settled::new())
    }
}

/// The attribute `name` of `super(class, this)` as a new reference (null with an exception set), and
/// whether it is a function that wants `this` as its first argument.
#[inline(never)]
unsafe fn find_super_method(
    class: *mut PyTypeObject,
    this: *mut PyObject,
    name: *mut PyObject,
) -> (*mut PyObject, bool) {
    // SAFETY: the objects are live and the frame is published.
    unsafe {
        // Another way of getting attributes does not know about unbound methods.
        let is_generic = address((*type_of(this)).tp_getattro) == address(Some(ffi::PyObject_GenericGetAttr));
        let mut is_method = 0;
        let wanted = if is_generic { &raw mut is_method } else { core::ptr::null_mut() };
        let attr = ffi::_PySuper_Lookup(class, this, name, wanted);
        (attr, is_method != 0)
    }
}

// --- methods and attributes for calls ----------------------------------------------------------

/// Loads `owner.name` for a call. Consumes `owner`. Returns a new reference: a method's function, with the
/// owner's reference put to `self_or_null`; or any other attribute, with the empty reference put there; or, with
/// an exception set, the empty reference, and again that.
///
/// # Safety
/// The thread is attached and `tstate` is its state; its frame is published, and what `owner` refers to stays
/// alive although not counted; `name` is a live string; `self_or_null` can be written.
pub(crate) unsafe fn find_method(
    tstate: ThreadState,
    owner: StackRef,
    name: *mut PyObject,
    self_or_null: *mut StackRef,
) -> StackRef {
    // SAFETY: the caller's promise. The references are unlinked in reverse order before they go.
    unsafe {
        let mut method = VisibleRef::new(StackRef::NULL.raw());
        method.link(tstate);
        let mut this = VisibleRef::new(owner.raw());
        this.link(tstate);
        // The method stays empty on failure, so that the result tells nothing new.
        ffi::_PyObject_GetMethodStackRef(tstate.as_ptr(), this.slot(), name, method.slot());
        *self_or_null = StackRef::from_raw(this.unlink(tstate));
        StackRef::from_raw(method.unlink(tstate))
    }
}

/// A reference in a C frame that the garbage collector of a free-threaded host must find, since it may
/// be deferred (`_PyCStackRef`). Links are pointers into it: it must not move while it is linked.
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

    /// Shows the reference to the collector.
    #[inline(always)]
    unsafe fn link(&mut self, tstate: ThreadState) {
        #[cfg(not(py_gil_disabled))]
        let _ = tstate;
        #[cfg(py_gil_disabled)]
        // SAFETY: the list is the thread's own.
        unsafe {
            let head = &raw mut (*tstate.implementation()).c_stack_refs;
            self.0.next = *head;
            *head = &raw mut self.0;
        }
    }

    /// Ends what [`VisibleRef::link`] began; the reference is the caller's again.
    #[inline(always)]
    unsafe fn unlink(&mut self, tstate: ThreadState) -> ffi::_PyStackRef {
        #[cfg(not(py_gil_disabled))]
        let _ = tstate;
        #[cfg(py_gil_disabled)]
        // SAFETY: this is the reference linked last.
        unsafe {
            (*tstate.implementation()).c_stack_refs = self.0.next;
        }
        self.0.ref_
    }
}
