//! Versions of types and functions, and what types keep for specialized instructions. Source: `typeobject.c`,
//! `funcobject.c`.

use core::ffi::{c_int, c_uint};

use crate::host::{Owned, PyObject, PyTypeObject, ThreadState, ffi};

hidden! {
    _PyType_LookupRefAndVersion, _PyType_Validate, _PyType_CacheInitForSpecialization,
    _PyType_CacheGetItemForSpecialization, _PyFunction_GetVersionForCurrentState
}
#[cfg(py_tier2)]
hidden! { _PyType_LookupByVersion, _PyFunction_LookupByVersion }

/// Returns a new reference to the attribute `name` of the type, looked up in its bases, too; null without an exception
/// if there is none. Stores the version of the type that this is true for to `*version`, 0 if there is none.
///
/// # Safety
/// The thread is attached with no exception set; `type_` is live and ready, `name` a live string, and `version`
/// writable or null.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyType_LookupRefAndVersion(
    type_: *mut PyTypeObject,
    name: *mut PyObject,
    version: *mut c_uint,
) -> *mut PyObject {
    // SAFETY: type and name are live, `version` is writable if it is not null (caller).
    unsafe {
        // A lookup that succeeds leaves what it has found in the interpreter's cache. One that has given the type its
        // version leaves it at another place there, where the second lookup does not find it.
        let mut found = Owned::optional(ffi::_PyType_LookupRef(type_, name));
        let mut cached = cached_version(type_, name);
        if cached.is_none() {
            found = Owned::optional(ffi::_PyType_LookupRef(type_, name));
            cached = cached_version(type_, name);
        }
        if !version.is_null() {
            version.write(cached.unwrap_or(0));
        }
        found.map_or(core::ptr::null_mut(), Owned::into_ptr)
    }
}

/// The version of the type, if the interpreter's cache has an entry for this name and version.
///
/// # Safety
/// The thread is attached; `type_` is live.
unsafe fn cached_version(type_: *mut PyTypeObject, name: *mut PyObject) -> Option<c_uint> {
    // SAFETY: the interpreter is live, since the thread is attached (caller). The GIL protects its cache.
    unsafe {
        let version = (*type_).tp_version_tag;
        let cache = &raw const (*ThreadState::current().interp()).types.type_cache.hashtable;
        let entries = (*cache).len();
        let index = (version as usize ^ (name as usize >> 3)) & (entries - 1);
        let entry = (&raw const (*cache)[index]).read();
        (version != 0 && entry.version == version && entry.name == name).then_some(version)
    }
}

/// Calls `validate` with the type. If that returns 0, stores the version of the type to `*tp_version`, assigned now if
/// there is none. Returns what `validate` returns, or -1 if the type cannot have a version.
///
/// # Safety
/// The thread is attached; `type_` is live, `validate` may be called with it, and `tp_version` is writable.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyType_Validate(
    type_: *mut PyTypeObject,
    validate: ffi::_py_validate_type,
    tp_version: *mut c_uint,
) -> c_int {
    // SAFETY: the type is live, and the callback may be called with it (caller).
    unsafe {
        let Some(validate) = validate else { return -1 };
        match validate(type_) {
            0 if ffi::PyUnstable_Type_AssignVersionTag(type_) != 0 => {
                tp_version.write((*type_).tp_version_tag);
                0
            }
            0 => -1,
            refusal => refusal,
        }
    }
}

/// Caches the `__init__` of a class, if the class still has this version. Returns whether it does. Borrows `init`.
///
/// # Safety
/// The thread is attached; `class` is a live heap type, and `init` its `__init__` at that version, or null.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyType_CacheInitForSpecialization(
    class: *mut ffi::PyHeapTypeObject,
    init: *mut PyObject,
    tp_version: c_uint,
) -> c_int {
    // SAFETY: the class is live (caller). A change of the class clears the cache.
    unsafe {
        let current = !init.is_null() && has_version(class, tp_version);
        if current {
            (*class)._spec_cache.init = init;
        }
        current.into()
    }
}

/// Caches the `__getitem__` of a class and its version, if the class still has the version `tp_version` and the
/// function has one. Returns whether that is so. Borrows `descriptor`.
///
/// # Safety
/// The thread is attached; `class` is a live heap type, and `descriptor` its `__getitem__` at that version, a Python
/// function, or null.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyType_CacheGetItemForSpecialization(
    class: *mut ffi::PyHeapTypeObject,
    descriptor: *mut PyObject,
    tp_version: u32,
) -> c_int {
    // SAFETY: the class is live and the function, too (caller). A change of the class clears the cache.
    unsafe {
        if descriptor.is_null() || !has_version(class, tp_version) {
            return 0;
        }
        let version = _PyFunction_GetVersionForCurrentState(descriptor.cast());
        if version < ffi::FUNC_VERSION_FIRST_VALID {
            return 0;
        }
        (*class)._spec_cache.getitem = descriptor;
        (*class)._spec_cache.getitem_version = version;
        1
    }
}

/// Whether the class has this version, which is one.
///
/// # Safety
/// The class is live.
unsafe fn has_version(class: *mut ffi::PyHeapTypeObject, version: u32) -> bool {
    // SAFETY: the class is live (caller).
    version != 0 && unsafe { (*class).ht_type.tp_version_tag == version }
}

/// The version of a function; 0 or a number that is no version if it has none.
///
/// # Safety
/// The thread is attached; `func` is live.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyFunction_GetVersionForCurrentState(func: *mut ffi::PyFunctionObject) -> u32 {
    // SAFETY: the function is live (caller).
    unsafe { (*func).func_version }
}

// --- by version --------------------------------------------------------------------------------

/// The type that has this version now, borrowed; null if the interpreter does not know it any more.
///
/// # Safety
/// The thread is attached.
#[cfg(py_tier2)]
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyType_LookupByVersion(version: c_uint) -> *mut PyTypeObject {
    // SAFETY: the interpreter is live, since the thread is attached (caller). Types that end leave its cache.
    unsafe {
        let cache = &raw const (*ThreadState::current().interp()).types.type_version_cache;
        let found = (*cache)[version as usize % (*cache).len()];
        if !found.is_null() && (*found).tp_version_tag == version { found } else { core::ptr::null_mut() }
    }
}

/// The function that has this version, and the code object of that version, which is stored to `*p_code`. Both are borrowed,
/// and null if the interpreter does not know them any more.
///
/// # Safety
/// The thread is attached, and `p_code` writable.
#[cfg(py_tier2)]
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyFunction_LookupByVersion(
    version: u32,
    p_code: *mut *mut PyObject,
) -> *mut ffi::PyFunctionObject {
    // SAFETY: the interpreter is live, since the thread is attached (caller). What ends leaves its cache.
    unsafe {
        let cache = &raw const (*ThreadState::current().interp()).func_state.func_version_cache;
        let ffi::_func_version_cache_item { func, code } = (*cache)[version as usize % (*cache).len()];
        let is_code = !code.is_null() && (*code.cast::<ffi::PyCodeObject>()).co_version == version;
        p_code.write(if is_code { code } else { core::ptr::null_mut() });
        if !func.is_null() && (*func).func_version == version { func } else { core::ptr::null_mut() }
    }
}
