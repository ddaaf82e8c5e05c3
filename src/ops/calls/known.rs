//! What some functions of the host return, found out without calling them where their arguments are of common built-in
//! types. All else is left to the functions.

use core::ffi::c_int;

use once_cell::race::OnceNonZeroUsize;

use super::Operands;
use crate::host::dict::Dict;
use crate::host::dict_lookup::Lookup;
use crate::host::function::Definition;
use crate::host::object::{is_exact, known_length, tuple_slice, type_of};
use crate::host::{FREE_THREADED, PyObject, PyTypeObject, ffi, none, refcount};

// --- len ---------------------------------------------------------------------------------------

/// `len(object)`, or a negative number with an exception set.
///
/// # Safety
/// The thread is attached, its frame is published, and `object` is live.
#[inline(always)]
pub(super) unsafe fn length_of(object: *mut PyObject) -> isize {
    // SAFETY: the object is live, and the frame is published (caller).
    unsafe { known_length(object).unwrap_or_else(|| ffi::PyObject_Size(object)) }
}

// --- isinstance --------------------------------------------------------------------------------

/// `isinstance(instance, class)` as a number: negative with an exception set on failure.
///
/// # Safety
/// The thread is attached, its frame is published, and both objects are live.
#[inline(never)]
pub(super) unsafe fn is_instance(instance: *mut PyObject, class: *mut PyObject) -> c_int {
    // SAFETY: both are live, and the frame is published (caller).
    unsafe {
        let known = known_instance_of(type_of(instance), class);
        known.map_or_else(|| ffi::PyObject_IsInstance(instance, class), c_int::from)
    }
}

/// `isinstance` of the objects of a type. `None` if only the host can tell, perhaps by Python code.
///
/// # Safety
/// The thread is attached, and both are live.
#[inline(always)]
pub(crate) unsafe fn known_instance_of(type_: *mut PyTypeObject, class: *mut PyObject) -> Option<bool> {
    // SAFETY: both are live (caller). The items of a tuple do not change.
    unsafe {
        if is_exact(class, &raw mut ffi::PyTuple_Type) {
            known_instance_of_any(type_, tuple_slice(class))
        } else {
            known_instance(type_, class)
        }
    }
}

/// Whether objects of a type are instances of one of `classes`. `None` if only the host can tell.
///
/// # Safety
/// The thread is attached, and all objects are live.
unsafe fn known_instance_of_any(type_: *mut PyTypeObject, classes: &[*mut PyObject]) -> Option<bool> {
    for &class in classes {
        // SAFETY: both are live (caller).
        if unsafe { known_instance(type_, class)? } {
            return Some(true);
        }
    }
    Some(false)
}

/// Whether objects of a type are instances of `class`. `None` if only the host can tell.
///
/// # Safety
/// The thread is attached, and both are live.
#[inline(always)]
unsafe fn known_instance(type_: *mut PyTypeObject, class: *mut PyObject) -> Option<bool> {
    // SAFETY: both are live (caller). A class of exactly this metaclass is a type, and asks no `__instancecheck__`.
    unsafe {
        if type_.cast() == class {
            return Some(true);
        }
        if FREE_THREADED || !is_exact(class, &raw mut ffi::PyType_Type) || (*type_).tp_mro.is_null() {
            return None;
        }
        if tuple_slice((*type_).tp_mro).contains(&class) {
            return Some(true);
        }
        has_true_class(type_).then_some(false)
    }
}

/// Whether `__class__` of the objects of a type is their type. Types may define it as something else.
///
/// # Safety
/// The thread is attached, and the type live.
unsafe fn has_true_class(type_: *mut PyTypeObject) -> bool {
    let is_common = [
        &raw mut ffi::PyUnicode_Type,
        &raw mut ffi::PyLong_Type,
        &raw mut ffi::_PyNone_Type,
        &raw mut ffi::PyTuple_Type,
        &raw mut ffi::PyList_Type,
        &raw mut ffi::PyDict_Type,
        &raw mut ffi::PyBool_Type,
        &raw mut ffi::PyFloat_Type,
        &raw mut ffi::PyBytes_Type,
    ]
    .contains(&type_);
    // SAFETY: both types are live (caller). Lookups of a name run no code.
    is_common
        || unsafe {
            let generic = ffi::PyObject_GenericGetAttr as *const () as usize;
            let class_of = |type_| ffi::_PyType_Lookup(type_, id!(_py___class__));
            (*type_).tp_getattro.is_some_and(|function| function as usize == generic)
                && class_of(type_) == class_of(&raw mut ffi::PyBaseObject_Type)
        }
}

// --- dict.get ----------------------------------------------------------------------------------

/// Whether a method is `dict.get`.
#[inline(always)]
pub(super) fn is_dict_get(method: Definition) -> bool {
    static DICT_GET: OnceNonZeroUsize = OnceNonZeroUsize::new();
    // SAFETY: `dict` is a static type of the host.
    let find = || unsafe { Definition::of_method(&raw mut ffi::PyDict_Type, c"get") }.address();
    DICT_GET.get_or_init(find) == method.address()
}

/// Calls `dict.get`, and releases the operands. Returns a new reference, or null with an exception set.
///
/// # Safety
/// As for [`Operands::call_method_fast`]. `method` is `dict.get`, and the first argument is exactly a dict.
#[inline(never)]
pub(super) unsafe fn call_dict_get(operands: Operands<false>, method: Definition) -> *mut PyObject {
    // SAFETY: the operands are on the published stack (caller). The result gets a reference before they are released.
    unsafe {
        let argument = |index| (*operands.first().add(index)).object();
        let default = match operands.total() {
            2 => none(),
            3 => argument(2),
            _ => return operands.call_method_fast(method),
        };
        let value = match Dict::from_object(argument(0)).find(argument(1)) {
            Lookup::Found(value) => value.borrow(),
            Lookup::Absent => default,
            Lookup::Unknown => return operands.call_method_fast(method),
        };
        refcount::incref(value);
        operands.close();
        value
    }
}
