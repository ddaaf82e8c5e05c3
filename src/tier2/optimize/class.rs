//! Types of the host, as the optimizer knows them.

use crate::host::{PyObject, PyTypeObject, TypeVersion, ffi, head, object};

/// A type that is live while a trace is optimized: a static one of the host, that of a live object, or one that
/// was found by its version. No Python code runs meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(super) struct Class(*mut PyTypeObject);

macro_rules! static_classes {
    ($($name:ident = $symbol:ident;)*) => {
        $(
            pub(super) fn $name() -> Class {
                Class(&raw mut ffi::$symbol)
            }
        )*
    };
}

impl Class {
    static_classes! {
        bool = PyBool_Type;
        dict = PyDict_Type;
        float = PyFloat_Type;
        frozenset = PyFrozenSet_Type;
        function = PyFunction_Type;
        int = PyLong_Type;
        list = PyList_Type;
        method = PyMethod_Type;
        module = PyModule_Type;
        set = PySet_Type;
        slice = PySlice_Type;
        str = PyUnicode_Type;
        tuple = PyTuple_Type;
        type_ = PyType_Type;
    }

    /// The type of `object`.
    ///
    /// # Safety
    /// `object` is live while the trace is optimized.
    pub(super) unsafe fn of(object: *mut PyObject) -> Class {
        // SAFETY: the object is live (caller), so its type is, too.
        Class(unsafe { object::type_of(object) })
    }

    /// A type that is an object of the trace.
    ///
    /// # Safety
    /// `object` is live while the trace is optimized.
    pub(super) unsafe fn from_object(object: *mut PyObject) -> Option<Class> {
        // SAFETY: the object is live (caller).
        unsafe { object::has_feature(object, ffi::Py_TPFLAGS_TYPE_SUBCLASS).then_some(Class(object.cast())) }
    }

    /// The type that has this version now, if the host still knows it.
    ///
    /// # Safety
    /// The thread is attached.
    pub(super) unsafe fn by_version(version: u32) -> Option<Class> {
        // SAFETY: the thread is attached (caller); the result is null or a live type, borrowed.
        let found = unsafe { ffi::_PyType_LookupByVersion(version) };
        (!found.is_null()).then_some(Class(found))
    }

    pub(super) fn as_ptr(self) -> *mut PyTypeObject {
        self.0
    }

    pub(super) fn object(self) -> *mut PyObject {
        self.0.cast()
    }

    /// The version of the type now; zero if it has none.
    pub(super) fn version(self) -> u32 {
        // SAFETY: the type is live (invariant of `Class`).
        unsafe { head::type_version(self.0).map_or(0, TypeVersion::get) }
    }

    /// Whether nothing about the type can change, nor the type of an instance.
    pub(super) fn is_immutable(self) -> bool {
        // SAFETY: as above.
        unsafe { object::type_flags(self.0) & ffi::Py_TPFLAGS_IMMUTABLETYPE != 0 }
    }
}
