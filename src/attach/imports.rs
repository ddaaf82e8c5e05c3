//! What the messages of failed imports need to know. Source: `import.c`, `moduleobject.c`.

use core::ffi::{CStr, c_int};
use core::ptr;
use std::os::unix::ffi::OsStringExt;

use crate::host::head::has_feature;
use crate::host::{Owned, PyObject, PyResult, Raised, ffi, owned};

hidden! {
    _PyImport_IsDefaultImportFunc, _PyModuleSpec_GetFileOrigin, _PyModuleSpec_IsInitializing,
    _PyModule_IsPossiblyShadowing
}

/// Whether `func` is the `builtins.__import__` that `interp` has started with.
///
/// # Safety
/// The thread is attached to `interp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyImport_IsDefaultImportFunc(
    interp: *mut ffi::PyInterpreterState,
    func: *mut PyObject,
) -> c_int {
    // SAFETY: the interpreter is live (caller).
    c_int::from(func == unsafe { (*interp).imports.import_func })
}

/// Stores a new reference to the file that a module with this spec comes from, and returns 1. Returns 0 if there is no
/// such file, -1 with an exception set.
///
/// # Safety
/// The thread is attached; `spec` is live, `p_origin` writable.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyModuleSpec_GetFileOrigin(spec: *mut PyObject, p_origin: *mut *mut PyObject) -> c_int {
    // SAFETY: `spec` is live and `p_origin` writable (caller).
    unsafe {
        match file_origin(spec) {
            Ok(Some(origin)) => {
                p_origin.write(origin.into_ptr());
                1
            }
            Ok(None) => 0,
            Err(Raised) => -1,
        }
    }
}

/// The file that a module with this spec comes from.
///
/// # Safety
/// The thread is attached; `spec` is live.
unsafe fn file_origin(spec: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: `spec` is live (caller).
    unsafe {
        if !is_true(spec, id!(_py_has_location))? {
            return Ok(None);
        }
        let origin = attribute(spec, id!(_py_origin))?;
        Ok(origin.filter(|origin| has_feature(origin.as_ptr(), ffi::Py_TPFLAGS_UNICODE_SUBCLASS)))
    }
}

/// Whether a module with this spec is being imported; -1 with an exception set.
///
/// # Safety
/// The thread is attached; `spec` is live or null.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyModuleSpec_IsInitializing(spec: *mut PyObject) -> c_int {
    if spec.is_null() {
        return 0;
    }
    // SAFETY: `spec` is live (caller).
    unsafe { is_true(spec, id!(_py__initializing)) }.map_or(-1, c_int::from)
}

/// The attribute of an object, if it has it.
///
/// # Safety
/// The thread is attached; the object is live, `name` a live string.
unsafe fn attribute(object: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    let mut value = ptr::null_mut();
    // SAFETY: the objects are live (caller).
    unsafe {
        owned::check(ffi::PyObject_GetOptionalAttr(object, name, &raw mut value))?;
        Ok(Owned::optional(value))
    }
}

/// Whether an object has the attribute, and it is true.
///
/// # Safety
/// As for [`attribute`].
unsafe fn is_true(object: *mut PyObject, name: *mut PyObject) -> PyResult<bool> {
    // SAFETY: the objects are live (caller).
    unsafe {
        match attribute(object, name)? {
            Some(value) => Ok(owned::check(ffi::PyObject_IsTrue(value.as_ptr()))? != 0),
            None => Ok(false),
        }
    }
}

/// Whether the module from the file `origin` may hide one of the same name that comes later on the search path:
/// whether it lies in the program's own folder, and that is searched first. -1 with an exception set.
///
/// # Safety
/// The thread is attached; `origin` is a live string, or null for none.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyModule_IsPossiblyShadowing(origin: *mut PyObject) -> c_int {
    if origin.is_null() {
        return 0;
    }
    // SAFETY: `origin` is a live string (caller).
    unsafe { is_in_first_folder(origin) }.map_or(-1, c_int::from)
}

/// Whether the file is in the first folder of the search path, as a module or as a package.
///
/// # Safety
/// The thread is attached; `origin` is a live string.
unsafe fn is_in_first_folder(origin: *mut PyObject) -> PyResult<bool> {
    // SAFETY: the thread is attached (caller), so the configuration is live. It has a C string or null there.
    unsafe {
        let config = ffi::_Py_GetConfig();
        let first = (*config).sys_path_0;
        if (*config).safe_path != 0 || first.is_null() {
            return Ok(false);
        }
        let file = path(Owned::new_ref(origin))?;
        let mut first = path(Owned::from_host(ffi::PyUnicode_FromWideChar(first, -1))?)?;
        if first.is_empty() {
            // The current folder. If it is gone, nothing is said.
            let Ok(folder) = std::env::current_dir() else { return Ok(false) };
            first = folder.into_os_string().into_vec();
        }
        Ok(searched_folder(&file) == Some(&first))
    }
}

/// The folder in which a module is looked for that lies in `file`.
fn searched_folder(file: &[u8]) -> Option<&[u8]> {
    let (folder, name) = split(file)?;
    if name == b"__init__.py" { split(folder).map(|(parent, _)| parent) } else { Some(folder) }
}

/// What comes before the last slash, and what comes after it.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = path.iter().rposition(|&byte| byte == b'/')?;
    Some((&path[..slash], &path[slash + 1..]))
}

/// The bytes of a path.
///
/// # Safety
/// The thread is attached; the object is a string.
unsafe fn path(string: Owned) -> PyResult<Vec<u8>> {
    // SAFETY: the object is a string (caller). The result is a bytes object, whose contents end with a zero.
    unsafe {
        let bytes = Owned::from_host(ffi::PyUnicode_EncodeFSDefault(string.as_ptr()))?;
        Ok(CStr::from_ptr(ffi::PyBytes_AsString(bytes.as_ptr())).to_bytes().to_vec())
    }
}
