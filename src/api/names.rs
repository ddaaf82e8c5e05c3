//! Looking names and attributes up. Source: `ceval.c`.

use core::ffi::CStr;

use crate::host::dict::Dict;
use crate::host::object::type_of;
use crate::host::owned::{check, exception_is_set};
use crate::host::{Frame, Owned, PyObject, PyResult, PyTypeObject, Raised, StackRef, ThreadState, ffi};
use crate::raise;

// --- variables ---------------------------------------------------------------------------------

/// `mapping[key]`, or nothing if the mapping has no such key (`PyMapping_GetOptionalItem`).
///
/// # Safety
/// The thread is attached, its frame published, and both objects are live.
pub(crate) unsafe fn optional_item(mapping: *mut PyObject, key: *mut PyObject) -> PyResult<Option<Owned>> {
    let mut item = core::ptr::null_mut();
    // SAFETY: the caller's promise; the item is a new reference.
    unsafe {
        check(ffi::PyMapping_GetOptionalItem(mapping, key, &raw mut item))?;
        Ok(Owned::optional(item))
    }
}

/// Raises NameError for `name`.
///
/// # Safety
/// The thread is attached, its frame published, and `name` is a live string.
#[cold]
pub(crate) unsafe fn undefined_name(tstate: ThreadState, name: *mut PyObject) -> Raised {
    const MESSAGE: &CStr = c"name '%.200s' is not defined";
    // SAFETY: the caller's promise; the format takes the name.
    unsafe {
        super::errors::raise_about(tstate, ffi::PyExc_NameError, MESSAGE, name);
    }
    Raised
}

/// Looks `name` up in the locals, globals and builtins of `frame`. Raises NameError, SystemError if the frame
/// has no mapping of locals, or whatever the mappings raise.
///
/// # Safety
/// The thread is attached and `tstate` is its state; `frame` is live and published; `name` is a live string.
pub(crate) unsafe fn find_name(tstate: ThreadState, frame: Frame, name: *mut PyObject) -> PyResult {
    // SAFETY: the caller's promise; globals are a dictionary or of a subclass.
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

/// Looks `name` up in `globals` and `builtins`, and puts a new reference (or the empty reference, with an
/// exception set) to `place`. All arguments are borrowed. Raises NameError, or whatever namespaces that are not
/// exact dictionaries raise.
///
/// # Safety
/// The thread is attached and its frame published; `name` is a live string; `place` can be written.
pub(crate) unsafe fn find_global(
    globals: *mut PyObject,
    builtins: *mut PyObject,
    name: *mut PyObject,
    place: *mut StackRef,
) {
    let dicts = [globals, builtins].map(|namespace| Dict::from_ptr(namespace.cast()));
    // SAFETY: the caller's promise.
    unsafe {
        if dicts[0].is_exact() && dicts[1].is_exact() {
            ffi::_PyDict_LoadGlobalStackRef(globals.cast(), builtins.cast(), name, place.cast());
            // Not found is no error to a dictionary.
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

#[cold]
unsafe fn load_global_from_mappings(
    globals: *mut PyObject,
    builtins: *mut PyObject,
    name: *mut PyObject,
) -> PyResult {
    // SAFETY: the caller's promise.
    unsafe {
        for namespace in [globals, builtins] {
            if let Some(value) = optional_item(namespace, name)? {
                return Ok(value);
            }
        }
        Err(undefined_name(ThreadState::current(), name))
    }
}

// --- attributes --------------------------------------------------------------------------------

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

// --- special methods ---------------------------------------------------------------------------

/// The number of special methods that LOAD_SPECIAL loads.
const METHODS: usize = ffi::SPECIAL_MAX as usize + 1;

/// The type of [`SPECIAL_METHODS`]; an array to C.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct SpecialMethods([ffi::_Py_SpecialMethod; METHODS]);

// SAFETY: its pointers are to constants, and to strings of the host that are immortal.
unsafe impl Sync for SpecialMethods {}

/// The special methods behind LOAD_SPECIAL, by its argument (`SPECIAL_*` in `pycore_ceval.h`): the name,
/// and the formats of TypeError for an object without it, the second one for an object that would do
/// in the other kind of `with` statement.
pub(crate) static SPECIAL_METHODS: SpecialMethods = {
    const fn method(
        name: *mut PyObject,
        error: &'static CStr,
        suggestion: &'static CStr,
    ) -> ffi::_Py_SpecialMethod {
        ffi::_Py_SpecialMethod { name, error: error.as_ptr(), error_suggestion: suggestion.as_ptr() }
    }
    let mut methods = [method(core::ptr::null_mut(), c"", c""); METHODS];
    // SAFETY: addresses of the host's strings; nothing is read.
    unsafe {
        methods[ffi::SPECIAL___ENTER__ as usize] = method(
            id!(_py___enter__),
            c"'%T' object does not support the context manager protocol (missed __enter__ method)",
            c"'%T' object does not support the context manager protocol (missed __enter__ method) but it \
              supports the asynchronous context manager protocol. Did you mean to use 'async with'?",
        );
        methods[ffi::SPECIAL___EXIT__ as usize] = method(
            id!(_py___exit__),
            c"'%T' object does not support the context manager protocol (missed __exit__ method)",
            c"'%T' object does not support the context manager protocol (missed __exit__ method) but it \
              supports the asynchronous context manager protocol. Did you mean to use 'async with'?",
        );
        methods[ffi::SPECIAL___AENTER__ as usize] = method(
            id!(_py___aenter__),
            c"'%T' object does not support the asynchronous context manager protocol (missed __aenter__ method)",
            c"'%T' object does not support the asynchronous context manager protocol (missed __aenter__ \
              method) but it supports the context manager protocol. Did you mean to use 'with'?",
        );
        methods[ffi::SPECIAL___AEXIT__ as usize] = method(
            id!(_py___aexit__),
            c"'%T' object does not support the asynchronous context manager protocol (missed __aexit__ method)",
            c"'%T' object does not support the asynchronous context manager protocol (missed __aexit__ \
              method) but it supports the context manager protocol. Did you mean to use 'with'?",
        );
    }
    SpecialMethods(methods)
};

/// The special method for an argument of LOAD_SPECIAL.
///
/// # Safety
/// `index` is one of the host's `SPECIAL_*`.
#[inline(always)]
pub(crate) unsafe fn special_method(index: usize) -> &'static ffi::_Py_SpecialMethod {
    // SAFETY: the caller's promise.
    unsafe { SPECIAL_METHODS.0.get_unchecked(index) }
}

/// Whether an object without the special method `index` (one of the host's `SPECIAL_*`) has those of the other
/// kind of `with` statement. The object is borrowed. Sets no exception.
///
/// # Safety
/// The thread is attached with no exception set, and `object` is live.
pub(crate) unsafe fn has_other_kind(object: *mut PyObject, index: u32) -> bool {
    // SAFETY: the caller's promise; an argument of another instruction ends the process.
    unsafe {
        let others = match index {
            ffi::SPECIAL___ENTER__ | ffi::SPECIAL___EXIT__ => [id!(_py___aenter__), id!(_py___aexit__)],
            ffi::SPECIAL___AENTER__ | ffi::SPECIAL___AEXIT__ => [id!(_py___enter__), id!(_py___exit__)],
            _ => ffi::_Py_FatalErrorFunc(
                c"_PyEval_SpecialMethodCanSuggest".as_ptr(),
                c"unsupported special method".as_ptr(),
            ),
        };
        others.iter().all(|&name| has_special_method(type_of(object), name))
    }
}

/// Whether a class has `name` as a descriptor.
unsafe fn has_special_method(class: *mut PyTypeObject, name: *mut PyObject) -> bool {
    // SAFETY: the class is live; what it has is borrowed from it.
    unsafe {
        let method = ffi::_PyType_Lookup(class, name);
        !method.is_null() && (*type_of(method)).tp_descr_get.is_some()
    }
}
