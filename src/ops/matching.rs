//! Pattern matching (PEP 634): matching mappings and classes. Source: `ceval.c`.

use core::ptr::null_mut;

use crate::host::object::{has_feature, is_exact, tuple_items, tuple_slice, type_flags, type_of};
use crate::host::owned::check;
use crate::host::{Owned, PyObject, PyResult, PyTypeObject, ffi, none};
use crate::raise;

/// Looks up the `keys` of a mapping pattern, a tuple, in `map`. Both are borrowed. Returns a tuple of the
/// values, or None if a key is missing. Fails with ValueError if a key occurs twice.
///
/// # Safety
/// The thread is attached, its frames are published, `keys` is a live tuple, and `map` is live.
pub(crate) unsafe fn match_keys(map: *mut PyObject, keys: *mut PyObject) -> PyResult {
    // SAFETY: the objects are live, and the tuple keeps the keys alive (caller). The new tuple has a slot for
    // each value and takes it over.
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

/// The method `get` of a mapping. With a default it looks up a key and its value in one step, and does not
/// call `__missing__`.
struct Get {
    method: Owned,
    /// Whether the method takes the mapping as its first argument.
    unbound: bool,
}

impl Get {
    /// Loads the method.
    ///
    /// # Safety
    /// The thread is attached, its frames are published, and `map` is live.
    unsafe fn of(map: *mut PyObject) -> PyResult<Get> {
        // SAFETY: the object is live (caller), and the method is a new reference.
        unsafe {
            let mut method = null_mut();
            let unbound = ffi::_PyObject_GetMethod(map, id!(_py_get), &mut method) != 0;
            Ok(Get { method: Owned::from_host(method)?, unbound })
        }
    }

    /// `map.get(key, default)`.
    ///
    /// # Safety
    /// The thread is attached, its frames are published, `map` is the mapping of this method, and `map` and
    /// `key` are live.
    unsafe fn call(&self, map: *mut PyObject, key: *mut PyObject, default: &Owned) -> PyResult {
        let arguments = [map, key, default.as_ptr()];
        let arguments = if self.unbound { &arguments[..] } else { &arguments[1..] };
        // SAFETY: the arguments are live (caller), and the slice has their number.
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

/// Adds `item` to the set `seen`. Returns false if it was already there.
///
/// # Safety
/// The thread is attached, its frames are published, and `item` is live.
unsafe fn is_first(seen: &Owned, item: *mut PyObject) -> PyResult<bool> {
    // SAFETY: the item is live (caller), and `seen` is an owned set.
    unsafe {
        if check(ffi::PySet_Contains(seen.as_ptr(), item))? != 0 {
            return Ok(false);
        }
        check(ffi::PySet_Add(seen.as_ptr(), item))?;
        Ok(true)
    }
}

/// Matches `subject` with a class pattern: `nargs` positional patterns, and `names`, a tuple of the names of
/// the keyword patterns. All arguments are borrowed. Returns a tuple of the attributes, or `None` if the
/// subject does not match. Fails with TypeError if the class does not allow the pattern.
///
/// # Safety
/// The thread is attached, its frames are published, `names` is a live tuple, and `subject` and `class` are
/// live.
pub(crate) unsafe fn match_class(
    subject: *mut PyObject,
    class: *mut PyObject,
    nargs: isize,
    names: *mut PyObject,
) -> PyResult<Option<Owned>> {
    // SAFETY: the objects are live, and the tuple keeps the names alive (caller).
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

/// The attributes that a class pattern has read from its subject so far.
struct Attributes {
    subject: *mut PyObject,
    class: *mut PyTypeObject,
    /// The set of the names.
    seen: Owned,
    /// The list of the values.
    found: Owned,
}

impl Attributes {
    /// Adds the attributes of `nargs` positional patterns. Returns false if the subject lacks one.
    ///
    /// # Safety
    /// The thread is attached, its frames are published, and the subject and the class are live.
    unsafe fn add_positional(&mut self, nargs: isize) -> PyResult<bool> {
        if nargs == 0 {
            return Ok(true);
        }
        // SAFETY: class and subject are live (caller). The names are in the tuple that `match_args` owns, and
        // there are at least `nargs` of them (checked).
        unsafe {
            let mut match_args = null_mut();
            check(ffi::PyObject_GetOptionalAttr(
                self.class.cast(),
                id!(_py___match_args__),
                &mut match_args,
            ))?;
            let Some(match_args) = Owned::optional(match_args) else {
                // A few built-in classes match the subject itself. A subclass changes that with its own
                // `__match_args__`.
                let match_self = type_flags(self.class) & ffi::_Py_TPFLAGS_MATCH_SELF != 0;
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

    /// Fails with TypeError if there are more positional patterns than the class allows.
    ///
    /// # Safety
    /// The thread is attached, and the class is live.
    unsafe fn check_count(&self, nargs: isize, allowed: isize) -> PyResult<()> {
        if nargs <= allowed {
            return Ok(());
        }
        let plural = if allowed == 1 { c"" } else { c"s" };
        // SAFETY: the class is live, and so is its name (caller).
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

    /// Adds the attributes with these names. Returns false if the subject lacks one.
    ///
    /// # Safety
    /// As for [`Attributes::add`], for each name.
    unsafe fn add_all(&mut self, names: &[*mut PyObject]) -> PyResult<bool> {
        for &name in names {
            // SAFETY: the names are live, and so are the subject and the class (caller).
            if !unsafe { self.add(name)? } {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds one attribute. Returns false if the subject lacks it. Fails with TypeError if it has been added
    /// before.
    ///
    /// # Safety
    /// The thread is attached, its frames are published, and `name`, the subject and the class are live.
    unsafe fn add(&mut self, name: *mut PyObject) -> PyResult<bool> {
        // SAFETY: name, subject and class are live (caller); the set and the list are owned.
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
