//! A cache of attributes beside the bytecode, for generic LOAD_ATTR and STORE_ATTR, and for methods of `super()`.
//!
//! An inline cache is for one type. Where an instruction meets objects of many types, its generic form runs, and looks
//! here for the type at hand. What is found was decided by the specializer, and is good for as long as the guards of the
//! specialized forms would hold. LOAD_SUPER_ATTR_METHOD, whose inline cache holds nothing, looks here, too. Each interpreter
//! has a table of its own, since versions of types are the interpreter's. Free-threaded hosts have none: threads would have
//! to share it.
//!
//! An entry owns a reference to the name, so that no other string takes its address. The table is freed when its
//! interpreter ends.

use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicI64, AtomicPtr, Ordering};

use super::method_table::Methods;
use super::place::{Place, method_behind};
use super::{Decision, descriptor, load_attr, store_attr};
use crate::host::object::{has_feature, type_of, type_version};
use crate::host::{PyObject, PyTypeObject, StackRef, ThreadState, TypeVersion, ffi, refcount};

// --- what instructions ask ---------------------------------------------------------------------

/// What a LOAD_ATTR finds: new references.
pub(crate) enum Found {
    Nothing,
    Attribute(StackRef),
    /// For a call: the function of a method of the owner.
    Method(StackRef),
}

impl Found {
    /// What a LOAD_ATTR finds at this place. `None` if nothing is there.
    ///
    /// # Safety
    /// The thread is attached. The objects are live, and the place was found for the version of the owner's type.
    #[inline(always)]
    unsafe fn at(place: Place, owner: *mut PyObject, name: *mut PyObject, for_call: bool) -> Option<Found> {
        // SAFETY: the contract is the same.
        let attr = unsafe { place.load(owner, name)? };
        let is_method = for_call && place.is_in_type();
        Some(if is_method { Found::Method(attr) } else { Found::Attribute(attr) })
    }
}

/// Looks up `owner.name` for a LOAD_ATTR. If it is not known where the attribute is, finds that out for the next time.
///
/// # Safety
/// The thread is attached with no exception set, `tstate` is its state, and its frame is published. `owner` is live, and
/// `name` is one of the code object's names.
#[inline(never)]
pub(crate) unsafe fn load(
    tstate: ThreadState,
    owner: *mut PyObject,
    name: *mut PyObject,
    for_call: bool,
) -> Found {
    // SAFETY: the objects are live, and the frame is published (caller). A place in the table was found for the version
    // in its key.
    unsafe {
        let key = Key::of(owner, name, if for_call { Access::LoadForCall } else { Access::Load });
        if let Some(entry) = Table::of(tstate).and_then(|table| (*table).find(key)) {
            if let Some(found) = Found::at(entry.place, owner, name, for_call) {
                return found;
            }
            if entry.waits() {
                return Found::Nothing;
            }
        }
        learn(tstate, key, |version| of_decision(load_attr::decide(owner, name, for_call), version));
        Found::Nothing
    }
}

/// What [`load`] finds if it is known where the attribute is. Runs no code.
///
/// # Safety
/// The thread is attached, and `tstate` is its state. `owner` is live, and `name` is a name of a live code object.
#[cfg(feature = "jit")]
pub(crate) unsafe fn known(
    tstate: ThreadState,
    owner: *mut PyObject,
    name: *mut PyObject,
    for_call: bool,
) -> Found {
    // SAFETY: the objects are live (caller). A place in the table was found for the version in its key.
    unsafe {
        let key = Key::of(owner, name, if for_call { Access::LoadForCall } else { Access::Load });
        let entry = Table::of(tstate).and_then(|table| (*table).find(key));
        entry.and_then(|entry| Found::at(entry.place, owner, name, for_call)).unwrap_or(Found::Nothing)
    }
}

/// Does `owner.name = value` for a STORE_ATTR. Returns the old value, which the caller owns then; null if there was none.
/// If it is not known where the attribute is, finds that out for the next time, and changes nothing.
///
/// # Safety
/// As for [`load`]. If this succeeds, it has taken over `value`.
#[inline(never)]
pub(crate) unsafe fn store(
    tstate: ThreadState,
    owner: *mut PyObject,
    name: *mut PyObject,
    value: StackRef,
) -> Option<*mut PyObject> {
    // SAFETY: as in `load`. Watchers of a dictionary may run code, so the entry is not used after `Place::store`
    // unless that has done nothing.
    unsafe {
        let key = Key::of(owner, name, Access::Store);
        if let Some(entry) = Table::of(tstate).and_then(|table| (*table).find(key)) {
            let place = entry.place;
            if let Some(old) = place.store(owner, name, value) {
                return Some(old);
            }
            if entry.waits() {
                return None;
            }
        }
        learn(tstate, key, |version| of_decision(store_attr::decide(owner, name), version));
        None
    }
}

/// Looks up the method that `super(class, this).name` finds: a function that takes `this` as its first argument. Returns a
/// new reference, or null. If it is not known, finds that out for the next time.
///
/// # Safety
/// As for [`load`]; `class` and `this` are live.
#[inline(never)]
pub(crate) unsafe fn super_method(
    tstate: ThreadState,
    class: *mut PyTypeObject,
    this: *mut PyObject,
    name: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: as in `load`. The type keeps the method alive while both types have these versions.
    unsafe {
        let Some(behind) = type_version(class).or_else(|| descriptor::lookup(class, name).1) else {
            return null_mut();
        };
        let key = Key { behind: Some(behind), ..Key::of(this, name, Access::Super) };
        if key.of_class {
            // The order may be its own, or that of its metaclass.
            return null_mut();
        }
        if let Some(entry) = Table::of(tstate).and_then(|table| (*table).find(key)) {
            if let Place::BehindClass { method, .. } = entry.place
                && !method.is_null()
            {
                return refcount::new_ref(method);
            }
            if entry.waits() {
                return null_mut();
            }
        }
        let find = || method_behind(class, type_of(this), name);
        learn(tstate, key, |_| Place::BehindClass { class: behind, method: find() });
        null_mut()
    }
}

/// The place that the specializer has decided on for objects whose type has this version.
fn of_decision(decision: Decision, version: TypeVersion) -> Place {
    decision.map_or(Place::Unknown, |form| Place::of_form(form, version))
}

/// Makes an entry for `key` or, if there is one, stores what `find` finds for the version of the key.
///
/// # Safety
/// As for [`load`]; `key` is of this owner.
#[cold]
#[inline(never)]
unsafe fn learn(tstate: ThreadState, key: Key, find: impl FnOnce(TypeVersion) -> Place) {
    let Some(version) = TypeVersion::new(key.version) else { return };
    // SAFETY: the objects are live, and the frame is published (caller). The table lives as long as the interpreter. No
    // reference to an entry is used across `find`, which may run Python code.
    unsafe {
        let Some(table) = Table::of(tstate).or_else(|| Table::new(tstate)) else { return };
        if (*table).find(key).is_some() {
            (*table).set(key, find(version));
        } else {
            (*table).add(key);
        }
    }
}

// --- the table ---------------------------------------------------------------------------------

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Access {
    Load,
    LoadForCall,
    Store,
    Super,
}

/// What an entry is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    name: *mut PyObject,
    /// The version of the owner's type or, if the owner is a class, its own. Zero if it has none.
    version: u32,
    of_class: bool,
    access: Access,
    /// For `super`, the version of the class behind which it looks.
    behind: Option<TypeVersion>,
}

impl Key {
    /// # Safety
    /// The owner is live.
    #[inline(always)]
    unsafe fn of(owner: *mut PyObject, name: *mut PyObject, access: Access) -> Key {
        // SAFETY: the owner is live, so its type is; a class is a type (caller).
        unsafe {
            let of_class = has_feature(owner, ffi::Py_TPFLAGS_TYPE_SUBCLASS);
            let type_ = if of_class { owner.cast() } else { type_of(owner) };
            Key { name, version: (*type_).tp_version_tag, of_class, access, behind: None }
        }
    }

    /// The index of its entry.
    #[inline(always)]
    fn index(self) -> usize {
        // Names are about 64 bytes apart, and versions count up.
        let name = self.name.addr() >> 4;
        let behind = self.behind.map_or(0, |version| version.get() as usize);
        (name ^ (name >> 8) ^ (self.version as usize + behind).wrapping_mul(5) ^ self.access as usize)
            % ENTRIES
    }
}

#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Entry {
    /// Owned; null in an unused entry.
    name: *mut PyObject,
    version: u32,
    of_class: bool,
    access: Access,
    /// How often to look for the key in vain before the specializer is asked again.
    patience: u8,
    place: Place,
}

static_assertions::assert_eq_size!(Entry, [u64; 4]);

impl Entry {
    #[inline(always)]
    fn is_for(&self, key: Key) -> bool {
        let Entry { name, version, of_class, access, place, .. } = *self;
        key == Key { name, version, of_class, access, behind: place.behind() }
    }

    /// Counts that the attribute was not in this place. Returns false if that was too often.
    #[inline(always)]
    fn waits(&mut self) -> bool {
        match self.patience.checked_sub(1) {
            Some(patience) => {
                self.patience = patience;
                true
            }
            None => false,
        }
    }
}

const ENTRIES: usize = 1024;
/// A key is not worth a decision if it comes only once.
const PATIENCE_WITH_NEW: u8 = 1;
/// If the attribute was not in the place that was found for the key, or there was none, it is likely to stay so.
const PATIENCE_WITH_KNOWN: u8 = 100;

/// The table of an interpreter. Its GIL protects it. All of its bytes may be zero.
#[repr(C)]
struct Table {
    /// The number of the interpreter.
    interp: i64,
    entries: [Entry; ENTRIES],
    methods: Methods,
}

/// The special methods that the thread's interpreter has found, if it has a table.
///
/// # Safety
/// The thread is attached, and `tstate` is its state.
#[inline(always)]
pub(super) unsafe fn methods(tstate: ThreadState) -> Option<*mut Methods> {
    // SAFETY: the thread is attached (caller). The table lives as long as the interpreter.
    unsafe { Table::of(tstate).map(|table| &raw mut (*table).methods) }
}

/// [`methods`], in a new table if there is none.
///
/// # Safety
/// As for [`methods`]; no exception is set.
pub(super) unsafe fn methods_or_new(tstate: ThreadState) -> Option<*mut Methods> {
    // SAFETY: the thread is attached (caller). The table lives as long as the interpreter.
    unsafe { Table::of(tstate).or_else(|| Table::new(tstate)).map(|table| &raw mut (*table).methods) }
}

impl Table {
    /// The entry of the key.
    #[inline(always)]
    fn find(&mut self, key: Key) -> Option<&mut Entry> {
        let entry = &mut self.entries[key.index()];
        entry.is_for(key).then_some(entry)
    }

    /// Makes an entry for the key, instead of the one that is there.
    ///
    /// # Safety
    /// The thread is attached, and its frame is published. The name is live.
    unsafe fn add(&mut self, key: Key) {
        let entry = &mut self.entries[key.index()];
        let old = entry.name;
        let Key { name, version, of_class, access, behind } = key;
        let place = behind.map_or(Place::Unknown, |class| Place::BehindClass { class, method: null_mut() });
        *entry = Entry { name, version, of_class, access, patience: PATIENCE_WITH_NEW, place };
        // SAFETY: the name is live (caller), and the entry has owned the old one. The destructor of a string runs no
        // other code.
        unsafe {
            refcount::incref(name);
            if !old.is_null() {
                refcount::decref(old);
            }
        }
    }

    /// Sets the place of the key, if there still is an entry for it.
    fn set(&mut self, key: Key, place: Place) {
        if let Some(entry) = self.find(key) {
            entry.place = place;
            entry.patience = PATIENCE_WITH_KNOWN;
        }
    }

    /// Releases all names.
    ///
    /// # Safety
    /// The thread is attached, and its frames are published. The table is not used again.
    unsafe fn clear(&mut self) {
        for entry in self.entries.iter().filter(|entry| !entry.name.is_null()) {
            // SAFETY: the entry has owned the name, and is not used again (caller).
            unsafe { refcount::decref(entry.name) };
        }
    }
}

// --- where interpreters have their tables ------------------------------------------------------

/// A place for the table of one interpreter: that of which the number modulo [`HOMES`] is its index. If another one has
/// it, the interpreter has no table. Only threads that hold the interpreter's GIL read and write the rest of a place with
/// its number.
struct Home {
    interp: AtomicI64,
    table: AtomicPtr<Table>,
}

/// In the place of an interpreter's number.
const FREE: i64 = -1;

static HOMES: [Home; 64] =
    [const { Home { interp: AtomicI64::new(FREE), table: AtomicPtr::new(null_mut()) } }; 64];

impl Home {
    #[inline(always)]
    fn of(interp: i64) -> &'static Home {
        &HOMES[interp as usize % HOMES.len()]
    }
}

impl Table {
    /// The table of the thread's interpreter, if it has one.
    ///
    /// # Safety
    /// The thread is attached, and `tstate` is its state.
    #[inline(always)]
    unsafe fn of(tstate: ThreadState) -> Option<*mut Table> {
        // SAFETY: the interpreter is live (caller).
        let interp = unsafe { (*tstate.interp()).id };
        let home = Home::of(interp);
        (home.interp.load(Ordering::Relaxed) == interp).then(|| home.table.load(Ordering::Relaxed))
    }

    /// Makes a table for the thread's interpreter, unless it is about to end, its place is not free, or there is no
    /// memory.
    ///
    /// # Safety
    /// As for [`Table::of`], and there is none; no exception is set.
    unsafe fn new(tstate: ThreadState) -> Option<*mut Table> {
        // SAFETY: the interpreter is live (caller). Memory of zeros is a table without entries.
        unsafe {
            let interp = tstate.interp();
            if !(*interp)._finalizing.is_null() {
                return None;
            }
            let id = (*interp).id;
            let home = Home::of(id);
            home.interp.compare_exchange(FREE, id, Ordering::Acquire, Ordering::Relaxed).ok()?;
            let table = ffi::PyMem_RawCalloc(1, size_of::<Table>()).cast::<Table>();
            if table.is_null() || ffi::PyUnstable_AtExit(interp, Some(interpreter_ends), table.cast()) != 0 {
                ffi::PyErr_Clear();
                ffi::PyMem_RawFree(table.cast());
                home.interp.store(FREE, Ordering::Release);
                return None;
            }
            (*table).interp = id;
            home.table.store(table, Ordering::Relaxed);
            Some(table)
        }
    }
}

/// Frees the table of an interpreter that ends. The host calls this.
///
/// # Safety
/// The thread is attached to that interpreter, and `table` is its table.
unsafe extern "C" fn interpreter_ends(table: *mut c_void) {
    let table = table.cast::<Table>();
    // SAFETY: the table is live (caller). It is at home nowhere before it is freed.
    unsafe {
        let home = Home::of((*table).interp);
        home.table.store(null_mut(), Ordering::Relaxed);
        home.interp.store(FREE, Ordering::Release);
        (*table).clear();
        ffi::PyMem_RawFree(table.cast());
    }
}

// Debug hosts count references in functions of their own, which tests do not have.
#[cfg(all(test, not(py_debug)))]
mod tests {
    use core::mem::zeroed;

    use super::*;

    fn name() -> Box<PyObject> {
        // SAFETY: numbers and a pointer, for which zero is a value.
        let mut name: Box<PyObject> = Box::new(unsafe { zeroed() });
        name.__bindgen_anon_1.__bindgen_anon_1.ob_refcnt = 1;
        name
    }

    fn references(name: &PyObject) -> u32 {
        // SAFETY: the field is a number.
        unsafe { name.__bindgen_anon_1.__bindgen_anon_1.ob_refcnt }
    }

    fn key(name: &mut PyObject, version: u32) -> Key {
        Key { name, version, of_class: false, access: Access::Load, behind: None }
    }

    fn table() -> Box<Table> {
        // SAFETY: memory of zeros is a table.
        unsafe { Box::new(zeroed()) }
    }

    const PLACE: Place = Place::Slot { offset: 16 };

    #[test]
    fn a_key_that_comes_again_gets_a_place() {
        let (mut table, mut name) = (table(), name());
        let key = key(&mut name, 7);
        assert!(table.find(key).is_none());
        // SAFETY: the name is live, with a reference of the test's.
        unsafe { table.add(key) };
        let entry = table.find(key).unwrap();
        assert_eq!(entry.place, Place::Unknown);
        assert!(entry.waits() && !entry.waits());
        table.set(key, PLACE);
        assert_eq!(table.find(key).unwrap().place, PLACE);
        assert!((0..PATIENCE_WITH_KNOWN).all(|_| table.find(key).unwrap().waits()));
        assert!(!table.find(key).unwrap().waits());
    }

    #[test]
    fn whatever_differs_is_another_key() {
        let (mut table, mut one, mut other) = (table(), name(), name());
        let known = key(&mut one, 7);
        // SAFETY: the name is live, with a reference of the test's.
        unsafe { table.add(known) };
        table.set(known, PLACE);
        let others = [
            key(&mut other, 7),
            key(&mut one, 8),
            Key { of_class: true, ..known },
            Key { access: Access::LoadForCall, ..known },
            Key { access: Access::Store, ..known },
            Key { access: Access::Super, behind: TypeVersion::new(9), ..known },
        ];
        assert!(others.into_iter().all(|key| table.find(key).is_none()));
    }

    #[test]
    fn classes_behind_which_super_looks_have_entries_of_their_own() {
        let (mut table, mut name) = (table(), name());
        let of = |name: &mut PyObject, behind| Key {
            access: Access::Super,
            behind: TypeVersion::new(behind),
            ..key(name, 7)
        };
        let (one, other) = (of(&mut name, 8), of(&mut name, 9));
        // SAFETY: the name is live, with references of the test's.
        unsafe {
            table.add(one);
            table.add(other);
        }
        assert!(table.find(one).is_some() && table.find(other).is_some());
        // Another class in the same place.
        let same = (10..).map(|behind| of(&mut name, behind)).find(|key| key.index() == one.index()).unwrap();
        assert!(table.find(same).is_none());
    }

    #[test]
    fn an_entry_owns_its_name() {
        let (mut table, mut one) = (table(), name());
        let known = key(&mut one, 1);
        // SAFETY: the names are live, with references of the test's.
        unsafe {
            table.add(known);
            assert_eq!(references(&one), 2);
            // The same place in the table.
            let version = (2..).find(|&version| key(&mut one, version).index() == known.index()).unwrap();
            table.add(key(&mut one, version));
            assert_eq!(references(&one), 2);
            assert!(table.find(known).is_none());
            // A decision that comes too late.
            table.set(known, PLACE);
            assert!(table.find(known).is_none());
            table.clear();
        }
        assert_eq!(references(&one), 1);
    }
}
