//! Import statements: `import name` and `from module import name`. Source: `ceval.c`.

use crate::host::object::{has_feature, is_exact, optional_item, type_of};
use crate::host::owned::{check, exception_is_set};
use crate::host::{Frame, Owned, PyObject, PyResult, PyTypeObject, Raised, ThreadState, ffi, none};
use crate::raise;

// --- import name -------------------------------------------------------------------------------

/// Calls the `__import__` of the builtins of `frame` for the module `name`. All arguments are borrowed.
/// Returns its result.
///
/// # Safety
/// The thread is attached and `tstate` is its state. `frame` is its current frame and published. `name`,
/// `fromlist` and `level` are live.
pub(crate) unsafe fn import_name(
    tstate: ThreadState,
    frame: Frame,
    name: *mut PyObject,
    fromlist: *mut PyObject,
    level: *mut PyObject,
) -> PyResult {
    // SAFETY: the arguments are live, and the frame keeps its namespaces alive (caller).
    unsafe {
        let import = optional_item(frame.builtins(), id!(_py___import__))?
            .ok_or_else(|| raise!(PyExc_ImportError, c"__import__ not found"))?;
        let globals = frame.globals();
        let locals = if frame.locals_mapping().is_null() { none() } else { frame.locals_mapping() };
        if ffi::_PyImport_IsDefaultImportFunc(tstate.interp(), import.as_ptr()) == 0 {
            let arguments = [name, globals, locals, fromlist, level];
            return Owned::from_host(ffi::PyObject_Vectorcall(
                import.as_ptr(),
                arguments.as_ptr(),
                arguments.len(),
                core::ptr::null_mut(),
            ));
        }
        drop(import);
        let level = ffi::PyLong_AsInt(level);
        if level == -1 && exception_is_set() {
            return Err(Raised);
        }
        Owned::from_host(ffi::PyImport_ImportModuleLevelObject(name, globals, locals, fromlist, level))
    }
}

// --- from module import name -------------------------------------------------------------------

/// Returns the attribute `name` of `module`, or else the submodule of that name. Fails with ImportError if
/// there is neither.
///
/// # Safety
/// The thread is attached, its frames are published, `module` is live, and `name` is a live str.
pub(crate) unsafe fn import_from(module: *mut PyObject, name: *mut PyObject) -> PyResult {
    // SAFETY: the objects are live (caller). The names in the formats are str objects.
    unsafe {
        if let Some(value) = optional_attribute(module, name)? {
            return Ok(value);
        }
        let module_name = optional_attribute(module, id!(_py___name__))?
            .filter(|name| has_feature(name.as_ptr(), ffi::Py_TPFLAGS_UNICODE_SUBCLASS));
        if let Some(module_name) = &module_name {
            let full_name = text(ffi::PyUnicode_FromFormat(c"%U.%U".as_ptr(), module_name.as_ptr(), name))?;
            let submodule = ffi::PyImport_GetModule(full_name.as_ptr());
            if !submodule.is_null() || exception_is_set() {
                return Owned::from_host(submodule);
            }
        }
        Err(match explain_failure(module, name, module_name.as_ref()) {
            Ok((message, origin)) => {
                let [module_name, origin] = [&module_name, &origin].map(as_nullable);
                ffi::_PyErr_SetImportErrorWithNameFrom(message.as_ptr(), module_name, origin, name);
                Raised
            }
            Err(Raised) => Raised,
        })
    }
}

/// Returns the message for a name that could not be imported, and the file that the module was loaded from.
///
/// # Safety
/// The thread is attached, its frames are published, `module` is live, and `name` is a live str. No exception
/// is set.
unsafe fn explain_failure(
    module: *mut PyObject,
    name: *mut PyObject,
    module_name: Option<&Owned>,
) -> PyResult<(Owned, Option<Owned>)> {
    // SAFETY: the objects are live (caller), and each format fits its arguments: %R and %S take objects.
    unsafe {
        let unknown;
        let module_name = match module_name {
            Some(module_name) => module_name.as_ptr(),
            None => {
                unknown = text(ffi::PyUnicode_FromString(c"<unknown module name>".as_ptr()))?;
                unknown.as_ptr()
            }
        };
        let Some(spec) = optional_attribute(module, id!(_py___spec__))? else {
            return Ok((unknown_location(name, module_name)?, None));
        };
        let mut origin = core::ptr::null_mut();
        check(ffi::_PyModuleSpec_GetFileOrigin(spec.as_ptr(), &raw mut origin))?;
        let mut origin = Owned::optional(origin);

        let shadows = check(ffi::_PyModule_IsPossiblyShadowing(as_nullable(&origin)))? != 0;
        let shadows_stdlib = shadows && is_stdlib_name(module_name)?;
        if origin.is_none() {
            origin = file_of_module(module)?;
        }
        let file = as_nullable(&origin);

        let message = if shadows_stdlib {
            ffi::PyUnicode_FromFormat(
                c"cannot import name %R from %R (consider renaming %R since it has the same name as the \
                  standard library module named %R and prevents importing that standard library module)"
                    .as_ptr(),
                name,
                module_name,
                file,
                module_name,
            )
        } else if check(ffi::_PyModuleSpec_IsInitializing(spec.as_ptr()))? != 0 {
            // A module outside the standard library is suspected of shadowing another one only while it is
            // being imported.
            if shadows {
                ffi::PyUnicode_FromFormat(
                    c"cannot import name %R from %R (consider renaming %R if it has the same name as a \
                      library you intended to import)"
                        .as_ptr(),
                    name,
                    module_name,
                    file,
                )
            } else if origin.is_some() {
                ffi::PyUnicode_FromFormat(
                    c"cannot import name %R from partially initialized module %R (most likely due to a \
                      circular import) (%S)"
                        .as_ptr(),
                    name,
                    module_name,
                    file,
                )
            } else {
                ffi::PyUnicode_FromFormat(
                    c"cannot import name %R from partially initialized module %R (most likely due to a \
                      circular import)"
                        .as_ptr(),
                    name,
                    module_name,
                )
            }
        } else if origin.is_some() {
            ffi::PyUnicode_FromFormat(c"cannot import name %R from %R (%S)".as_ptr(), name, module_name, file)
        } else {
            return Ok((unknown_location(name, module_name)?, None));
        };
        Ok((text(message)?, origin))
    }
}

/// The message for a module without a known location.
///
/// # Safety
/// The thread is attached, and both objects are live.
unsafe fn unknown_location(name: *mut PyObject, module_name: *mut PyObject) -> PyResult {
    // SAFETY: the objects are live (caller), and the format takes two objects.
    unsafe {
        text(ffi::PyUnicode_FromFormat(
            c"cannot import name %R from %R (unknown location)".as_ptr(),
            name,
            module_name,
        ))
    }
}

/// Whether `sys.stdlib_module_names` is a set that contains `name`.
///
/// # Safety
/// The thread is attached, and `name` is live.
unsafe fn is_stdlib_name(name: *mut PyObject) -> PyResult<bool> {
    let mut names = core::ptr::null_mut();
    // SAFETY: the name is live (caller), and `names` is a new reference.
    unsafe {
        check(ffi::_PySys_GetOptionalAttrString(c"stdlib_module_names".as_ptr(), &raw mut names))?;
        let Some(names) = Owned::optional(names) else { return Ok(false) };
        let is_set = is_instance(names.as_ptr(), &raw mut ffi::PySet_Type)
            || is_instance(names.as_ptr(), &raw mut ffi::PyFrozenSet_Type);
        Ok(is_set && check(ffi::PySet_Contains(names.as_ptr(), name))? != 0)
    }
}

/// Returns the `__file__` of a module, for a spec without an origin that is a location. Returns `None` if it
/// has no file or is not a module.
///
/// # Safety
/// The thread is attached, and `module` is live.
unsafe fn file_of_module(module: *mut PyObject) -> PyResult<Option<Owned>> {
    // SAFETY: the object is live (caller), and a module if the type check succeeds.
    unsafe {
        if !is_instance(module, &raw mut ffi::PyModule_Type) {
            return Ok(None);
        }
        let file = Owned::optional(ffi::PyModule_GetFilenameObject(module));
        if file.is_none() {
            if ffi::PyErr_ExceptionMatches(ffi::PyExc_SystemError) == 0 {
                return Err(Raised);
            }
            // The message is "module filename missing".
            ffi::PyErr_Clear();
        }
        Ok(file)
    }
}

/// Returns the attribute, or `None` if there is none (`PyObject_GetOptionalAttr`).
///
/// # Safety
/// The thread is attached, its frames are published, and both objects are live.
unsafe fn optional_attribute(object: *mut PyObject, name: *mut PyObject) -> PyResult<Option<Owned>> {
    let mut value = core::ptr::null_mut();
    // SAFETY: the objects are live (caller), and the value is a new reference.
    unsafe {
        check(ffi::PyObject_GetOptionalAttr(object, name, &raw mut value))?;
        Ok(Owned::optional(value))
    }
}

/// Whether the object is an instance of `type_` or of a subclass (`PyObject_TypeCheck`).
///
/// # Safety
/// The thread is attached, and `object` and `type_` are live.
unsafe fn is_instance(object: *mut PyObject, type_: *mut PyTypeObject) -> bool {
    // SAFETY: the object is live (caller), and so is its type.
    unsafe { is_exact(object, type_) || ffi::PyType_IsSubtype(type_of(object), type_) != 0 }
}

/// Takes over a str that the host has made. Fails if it is null.
///
/// # Safety
/// The caller owns `object`, or it is null and an exception is set.
unsafe fn text(object: *mut PyObject) -> PyResult {
    // SAFETY: the reference is owned, or null with an exception set (caller).
    unsafe { Owned::from_host(object) }
}

/// The object, borrowed, or null for `None`.
fn as_nullable(object: &Option<Owned>) -> *mut PyObject {
    object.as_ref().map_or(core::ptr::null_mut(), Owned::as_ptr)
}
