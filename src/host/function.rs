//! Callable objects: functions, bound methods, built-in functions and method descriptors. Source:
//! `funcobject.h`, `classobject.h`, `methodobject.h`, `descrobject.h`.

use core::mem::transmute;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use super::code::Code;
use super::ffi::{self, PyObject};
use super::object::{is_exact, type_flags, type_of};
use super::refcount;
use super::thread::ThreadState;

/// A handle to an object of one type: what it is made from, and the check that it may be.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident($struct:ident), $type_:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(transparent)]
        pub(crate) struct $name(*mut ffi::$struct);

        // Not every type needs all of these.
        #[allow(dead_code)]
        impl $name {
            /// The object as one of these, if its type is exactly that.
            ///
            /// # Safety
            /// `object` is live.
            #[inline(always)]
            pub(crate) unsafe fn cast(object: *mut PyObject) -> Option<$name> {
                // SAFETY: the caller's promise.
                unsafe { is_exact(object, &raw mut ffi::$type_).then_some($name(object.cast())) }
            }

            /// The object as one of these, which it is known to be.
            #[inline(always)]
            pub(crate) fn from_object(object: *mut PyObject) -> $name {
                $name(object.cast())
            }

            #[inline(always)]
            pub(crate) fn object(self) -> *mut PyObject {
                self.0.cast()
            }
        }
    };
}

handle! {
    /// A function that was written in Python, borrowed.
    Function(PyFunctionObject), PyFunction_Type
}

impl Function {
    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut ffi::PyFunctionObject {
        self.0
    }

    /// Its code, borrowed.
    ///
    /// # Safety
    /// The function is live.
    #[inline(always)]
    pub(crate) unsafe fn code(self) -> Code {
        // SAFETY: the function is live.
        Code::from_ptr(unsafe { (*self.0).func_code.cast() })
    }

    /// The version that inline caches compare: another one for other code or other defaults.
    ///
    /// # Safety
    /// The function is live.
    #[inline(always)]
    pub(crate) unsafe fn version(self) -> u32 {
        // SAFETY: the function is live; other threads change the version atomically.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.0).func_version).load(Ordering::Relaxed) }
    }

    /// The version for inline caches, assigned now if it has none; `None` if versions have run out or
    /// the function has changed (`_PyFunction_GetVersionForCurrentState`).
    ///
    /// # Safety
    /// The function is live and the thread attached.
    pub(crate) unsafe fn current_version(self) -> Option<u32> {
        // SAFETY: the caller's promise.
        let version = unsafe { ffi::_PyFunction_GetVersionForCurrentState(self.0) };
        (version >= ffi::FUNC_VERSION_FIRST_VALID).then_some(version)
    }

    /// Whether a call runs its code and nothing else: nobody has put another C function in the place
    /// of the host's `_PyFunction_Vectorcall`.
    ///
    /// # Safety
    /// The function is live.
    #[inline(always)]
    pub(crate) unsafe fn runs_its_code(self) -> bool {
        // SAFETY: the function is live; the field is a nullable function pointer, which other threads
        // change atomically.
        unsafe {
            let vectorcall = AtomicPtr::<u8>::from_ptr((&raw mut (*self.0).vectorcall).cast());
            vectorcall.load(Ordering::Relaxed) == ffi::_PyFunction_Vectorcall as *mut u8
        }
    }

    /// The namespace that a call's frame begins with, as a new reference: null for ordinary functions,
    /// whose locals are in the frame, and the globals for code like that of a module.
    ///
    /// # Safety
    /// The function is live and the thread attached.
    #[inline(always)]
    pub(crate) unsafe fn new_locals(self) -> *mut PyObject {
        // SAFETY: the function is live, and so are its code and globals.
        unsafe {
            if (*self.code().as_ptr()).co_flags & ffi::CO_OPTIMIZED as i32 != 0 {
                core::ptr::null_mut()
            } else {
                refcount::new_ref((*self.0).func_globals)
            }
        }
    }
}

handle! {
    /// A callable with its first argument, borrowed.
    Method(PyMethodObject), PyMethod_Type
}

impl Method {
    /// The callable, borrowed.
    ///
    /// # Safety
    /// The method is live.
    #[inline(always)]
    pub(crate) unsafe fn function(self) -> *mut PyObject {
        // SAFETY: the method is live.
        unsafe { (*self.0).im_func }
    }

    /// The first argument, borrowed.
    ///
    /// # Safety
    /// The method is live.
    #[inline(always)]
    pub(crate) unsafe fn receiver(self) -> *mut PyObject {
        // SAFETY: the method is live.
        unsafe { (*self.0).im_self }
    }
}

handle! {
    /// A function written in C, borrowed.
    CFunction(PyCFunctionObject), PyCFunction_Type
}

impl CFunction {
    /// What it is defined by.
    ///
    /// # Safety
    /// The function is live.
    #[inline(always)]
    pub(crate) unsafe fn definition(self) -> Definition {
        // SAFETY: the function is live.
        Definition(unsafe { (*self.0).m_ml })
    }

    /// What the C function gets as its `self`, borrowed: an instance, a module, or null. Only for
    /// functions that are not static methods.
    ///
    /// # Safety
    /// The function is live.
    #[inline(always)]
    pub(crate) unsafe fn receiver(self) -> *mut PyObject {
        // SAFETY: the function is live.
        unsafe { (*self.0).m_self }
    }
}

handle! {
    /// A method of a type, written in C and not bound to an instance, borrowed.
    MethodDescriptor(PyMethodDescrObject), PyMethodDescr_Type
}

impl MethodDescriptor {
    /// What it is defined by.
    ///
    /// # Safety
    /// The descriptor is live.
    #[inline(always)]
    pub(crate) unsafe fn definition(self) -> Definition {
        // SAFETY: the descriptor is live.
        Definition(unsafe { (*self.0).d_method })
    }

    /// Whether `object` is exactly of the type that the method is defined for.
    ///
    /// # Safety
    /// Both are live.
    #[inline(always)]
    pub(crate) unsafe fn is_of(self, object: *mut PyObject) -> bool {
        // SAFETY: the caller's promise.
        unsafe { is_exact(object, (*self.0).d_common.d_type) }
    }
}

/// The entry of a method table that a C function was made from (`PyMethodDef`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Definition(*mut ffi::PyMethodDef);

impl Definition {
    /// The `METH_*` flags that say how the function is called; others say what it is bound to.
    ///
    /// # Safety
    /// The definition belongs to a live object.
    #[inline]
    pub(crate) unsafe fn convention(self) -> u32 {
        const CONVENTION: u32 = ffi::METH_VARARGS
            | ffi::METH_FASTCALL
            | ffi::METH_NOARGS
            | ffi::METH_O
            | ffi::METH_KEYWORDS
            | ffi::METH_METHOD;
        // SAFETY: the caller's promise.
        unsafe { (*self.0).ml_flags as u32 & CONVENTION }
    }

    /// Whether there is a function to call.
    ///
    /// # Safety
    /// The definition belongs to a live object.
    #[inline]
    pub(crate) unsafe fn has_function(self) -> bool {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).ml_meth.is_some() }
    }

    /// Whether the calling convention is exactly that of these `METH_*` flags.
    ///
    /// # Safety
    /// The definition belongs to a live object.
    #[inline(always)]
    pub(crate) unsafe fn has_flags(self, flags: u32) -> bool {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).ml_flags == flags as i32 }
    }

    /// Calls it by `METH_O`, or with a null argument by `METH_NOARGS`. A new reference, or null with an
    /// exception set.
    ///
    /// # Safety
    /// The function has that convention, the objects are live and the frames published.
    #[inline(always)]
    pub(crate) unsafe fn call(self, receiver: *mut PyObject, argument: *mut PyObject) -> *mut PyObject {
        // SAFETY: the caller's promise; a definition's function is not null.
        unsafe { (*self.0).ml_meth.unwrap_unchecked()(receiver, argument) }
    }

    /// Calls it by `METH_FASTCALL`. A new reference, or null with an exception set.
    ///
    /// # Safety
    /// As for [`Definition::call`], with `count` arguments.
    #[inline(always)]
    pub(crate) unsafe fn call_fast(
        self,
        receiver: *mut PyObject,
        arguments: *const *mut PyObject,
        count: usize,
    ) -> *mut PyObject {
        // SAFETY: the caller's promise: the flags say what the function's type is in truth.
        unsafe {
            let function = transmute::<ffi::PyCFunction, ffi::PyCFunctionFast>((*self.0).ml_meth);
            function.unwrap_unchecked()(receiver, arguments, count as isize)
        }
    }

    /// Calls it by `METH_FASTCALL | METH_KEYWORDS` without keywords. A new reference, or null with an
    /// exception set.
    ///
    /// # Safety
    /// As for [`Definition::call_fast`].
    #[inline(always)]
    pub(crate) unsafe fn call_fast_with_keywords(
        self,
        receiver: *mut PyObject,
        arguments: *const *mut PyObject,
        count: usize,
    ) -> *mut PyObject {
        // SAFETY: the caller's promise: the flags say what the function's type is in truth.
        unsafe {
            let function = transmute::<ffi::PyCFunction, ffi::PyCFunctionFastWithKeywords>((*self.0).ml_meth);
            function.unwrap_unchecked()(receiver, arguments, count as isize, core::ptr::null_mut())
        }
    }
}

/// The function that calls `callable` with a C array of arguments, if it has one
/// (`_PyVectorcall_FunctionInline`).
///
/// # Safety
/// `callable` is live.
#[inline(always)]
pub(crate) unsafe fn vectorcall_of(callable: *mut PyObject) -> ffi::vectorcallfunc {
    // SAFETY: the type is live; with the flag, its instances have the pointer at that offset.
    unsafe {
        let type_ = type_of(callable);
        if type_flags(type_) & u64::from(ffi::Py_TPFLAGS_HAVE_VECTORCALL) == 0 {
            return None;
        }
        callable.cast::<u8>().offset((*type_).tp_vectorcall_offset).cast::<ffi::vectorcallfunc>().read()
    }
}

/// Says that a called function may use the slot before its first argument
/// (`PY_VECTORCALL_ARGUMENTS_OFFSET`).
pub(crate) const VECTORCALL_ARGUMENTS_OFFSET: usize = 1 << (usize::BITS - 1);

/// Calls with an array of `positional` borrowed objects, and as many as `names` (a tuple or null) has
/// after them (`_PyObject_VectorcallTstate`). A new reference, or null with an exception.
///
/// # Safety
/// The thread is attached and its frames are published; all objects are live, and the slot before the
/// array can be written.
#[inline(always)]
pub(crate) unsafe fn vectorcall(
    tstate: ThreadState,
    callable: *mut PyObject,
    objects: *mut *mut PyObject,
    positional: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the caller's promise.
    unsafe {
        let Some(function) = vectorcall_of(callable) else {
            return ffi::_PyObject_MakeTpCall(tstate.as_ptr(), callable, objects, positional as isize, names);
        };
        let result = function(callable, objects, positional | VECTORCALL_ARGUMENTS_OFFSET, names);
        if result.is_null() == tstate.raised().is_null() {
            // Neither a result nor an exception, or both: this raises SystemError.
            return ffi::_Py_CheckFunctionResult(tstate.as_ptr(), callable, result, core::ptr::null());
        }
        result
    }
}
