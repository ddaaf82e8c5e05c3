//! Pattern matching (PEP 634). Source: `ceval.c`.

use core::ptr::null_mut;

use crate::host::object::{has_feature, is_exact, tuple_items, tuple_slice, type_flags, type_of};
use crate::host::owned::check;
use crate::host::{Owned, PyObject, PyResult, PyTypeObject, ffi, none};
use crate::raise;

/// The values of a mapping pattern's `keys` (a tuple) in `map`, both borrowed: a tuple of them, or None if a key is
/// missing.
///
/// # Safety
/// Both are live; the thread is attached and its frames published.
pub(crate) unsafe fn match_keys(map: *mut PyObject, keys: *mut PyObject) -> PyResult {
    // SAFETY: the caller of the API has promised live objects; the new tuple has a place for each value,
    // and takes it over.
    unsafe {
        let keys = tuple_slice(keys);
        let values = Owned::from_host(ffi::PyTuple_New(keys.len() as isize))?;
        if keys.is_empty() {
            return Ok(values);
        }
        let get = Get::of(map)?;
        let seen = Owned::from_host(ffi::PySet_New(null_mut()))?;
        let missing = Owned::from_host(ffi::PyObject_CallNoArgs((&raw mut ffi::PyBaseObject_Type).cast()))?;
        for (index, &key) in keys.iter().enumerate() {
            if !is_first(&seen, key)? {
                return Err(raise!(PyExc_ValueError, c"mapping pattern checks duplicate key (%R)", key));
            }
            let value = get.call(map, key, &missing)?;
            if value.as_ptr() == missing.as_ptr() {
                return Ok(Owned::new_ref(none()));
            }
            tuple_items(values.as_ptr()).add(index).write(value.into_ptr());
        }
        Ok(values)
    }
}

/// A mapping's method `get`. With a default it looks for a key and takes its value in one step, and a
/// `__missing__` stays out of it.
struct Get {
    method: Owned,
    /// Whether it takes the mapping as its first argument.
    unbound: bool,
}

impl Get {
    unsafe fn of(map: *mut PyObject) -> PyResult<Get> {
        // SAFETY: the object is live.
        unsafe {
            let mut method = null_mut();
            let unbound = ffi::_PyObject_GetMethod(map, id!(_py_get), &mut method) != 0;
            Ok(Get { method: Owned::from_host(method)?, unbound })
        }
    }

    unsafe fn call(&self, map: *mut PyObject, key: *mut PyObject, default: &Owned) -> PyResult {
        let arguments = [map, key, default.as_ptr()];
        let arguments = if self.unbound { &arguments[..] } else { &arguments[1..] };
        // SAFETY: the arguments are live.
        unsafe {
            Owned::from_host(ffi::PyObject_Vectorcall(
                self.method.as_ptr(),
                arguments.as_ptr(),
                arguments.len(),
                null_mut(),
            ))
        }
    }
}

/// Puts `item` into the set `seen`; false if it has been there already.
unsafe fn is_first(seen: &Owned, item: *mut PyObject) -> PyResult<bool> {
    // SAFETY: both are live.
    unsafe {
        if check(ffi::PySet_Contains(seen.as_ptr(), item))? != 0 {
            return Ok(false);
        }
        check(ffi::PySet_Add(seen.as_ptr(), item))?;
        Ok(true)
    }
}

pub(crate) unsafe fn match_class(
    subject: *mut PyObject,
    class: *mut PyObject,
    nargs: isize,
    names: *mut PyObject,
) -> PyResult<Option<Owned>> {
    // SAFETY: the caller of the API has promised live objects.
    unsafe {
        if !has_feature(class, ffi::Py_TPFLAGS_TYPE_SUBCLASS) {
            return Err(raise!(PyExc_TypeError, c"called match pattern must be a class"));
        }
        if check(ffi::PyObject_IsInstance(subject, class))? == 0 {
            return Ok(None);
        }
        let mut attributes = Attributes {
            subject,
            class: class.cast(),
            seen: Owned::from_host(ffi::PySet_New(null_mut()))?,
            found: Owned::from_host(ffi::PyList_New(0))?,
        };
        let complete = attributes.add_positional(nargs)? && attributes.add_all(tuple_slice(names))?;
        if !complete {
            return Ok(None);
        }
        Owned::from_host(ffi::PyList_AsTuple(attributes.found.as_ptr())).map(Some)
    }
}

/// What a class pattern has taken from its subject so far.
struct Attributes {
    subject: *mut PyObject,
    class: *mut PyTypeObject,
    /// The set of their names.
    seen: Owned,
    /// The list of their values.
    found: Owned,
}

impl Attributes {
    /// Adds what `nargs` positional patterns stand for; false if the subject lacks one.
    unsafe fn add_positional(&mut self, nargs: isize) -> PyResult<bool> {
        if nargs == 0 {
            return Ok(true);
        }
        // SAFETY: class and subject are live; the names are a tuple's, which `match_args` keeps alive.
        unsafe {
            let mut match_args = null_mut();
            check(ffi::PyObject_GetOptionalAttr(
                self.class.cast(),
                id!(_py___match_args__),
                &mut match_args,
            ))?;
            let Some(match_args) = Owned::optional(match_args) else {
                // A few built-in classes match the subject itself, as long as a subclass does not say
                // otherwise by its own __match_args__.
                let match_self = type_flags(self.class) & u64::from(ffi::_Py_TPFLAGS_MATCH_SELF) != 0;
                self.check_count(nargs, match_self.into())?;
                check(ffi::PyList_Append(self.found.as_ptr(), self.subject))?;
                return Ok(true);
            };
            if !is_exact(match_args.as_ptr(), &raw mut ffi::PyTuple_Type) {
                return Err(raise!(
                    PyExc_TypeError,
                    c"%s.__match_args__ must be a tuple (got %s)",
                    (*self.class).tp_name,
                    (*type_of(match_args.as_ptr())).tp_name
                ));
            }
            let names = tuple_slice(match_args.as_ptr());
            self.check_count(nargs, names.len() as isize)?;
            for &name in &names[..nargs as usize] {
                if !is_exact(name, &raw mut ffi::PyUnicode_Type) {
                    return Err(raise!(
                        PyExc_TypeError,
                        c"__match_args__ elements must be strings (got %s)",
                        (*type_of(name)).tp_name
                    ));
                }
                if !self.add(name)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }

    /// Raises if there are more positional patterns than the class allows.
    unsafe fn check_count(&self, nargs: isize, allowed: isize) -> PyResult<()> {
        if nargs <= allowed {
            return Ok(());
        }
        let plural = if allowed == 1 { c"" } else { c"s" };
        // SAFETY: the class is live.
        unsafe {
            Err(raise!(
                PyExc_TypeError,
                c"%s() accepts %zd positional sub-pattern%s (%zd given)",
                (*self.class).tp_name,
                allowed,
                plural.as_ptr(),
                nargs
            ))
        }
    }

    /// Adds the attributes with these names; false if the subject lacks one.
    unsafe fn add_all(&mut self, names: &[*mut PyObject]) -> PyResult<bool> {
        for &name in names {
            // SAFETY: the names are live.
            if !unsafe { self.add(name)? } {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds one attribute; false if the subject lacks it.
    unsafe fn add(&mut self, name: *mut PyObject) -> PyResult<bool> {
        // SAFETY: all objects are live.
        unsafe {
            if !is_first(&self.seen, name)? {
                return Err(raise!(
                    PyExc_TypeError,
                    c"%s() got multiple sub-patterns for attribute %R",
                    (*self.class).tp_name,
                    name
                ));
            }
            let mut attribute = null_mut();
            check(ffi::PyObject_GetOptionalAttr(self.subject, name, &mut attribute))?;
            let Some(attribute) = Owned::optional(attribute) else { return Ok(false) };
            check(ffi::PyList_Append(self.found.as_ptr(), attribute.as_ptr()))?;
            Ok(true)
        }
    }
}
