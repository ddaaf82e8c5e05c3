//! Callable objects: functions, bound methods, built-in functions and method descriptors. Source:
//! `funcobject.h`, `classobject.h`, `methodobject.h`, `descrobject.h`.

use core::ffi::CStr;
use core::mem::transmute;
use core::num::NonZeroUsize;
use core::sync::atomic::{AtomicPtr, Ordering};

use super::code::Code;
use super::ffi::{self, PyObject};
use super::hidden::Hidden;
use super::object::{is_exact, type_flags, type_of};
use super::refcount;
use super::thread::ThreadState;
use super::versions::FunctionVersion;

/// Defines a handle for objects of one C struct, whose type is checked exactly.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident($struct:ident), $type_:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(transparent)]
        pub(crate) struct $name(*mut ffi::$struct);

        // Not every type needs all of these.
        #[allow(dead_code)]
        impl $name {
            /// The object as this handle, if its type is exactly the one of the handle.
            ///
            /// # Safety
            /// `object` is live.
            #[inline(always)]
            pub(crate) unsafe fn cast(object: *mut PyObject) -> Option<$name> {
                // SAFETY: the object is live (caller).
                unsafe { is_exact(object, &raw mut ffi::$type_).then_some($name(object.cast())) }
            }

            /// The object as this handle. The object must be of that type.
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
    /// A function written in Python, borrowed.
    Function(PyFunctionObject), PyFunction_Type
}

impl Function {
    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut ffi::PyFunctionObject {
        self.0
    }

    /// The code of the function, borrowed.
    ///
    /// # Safety
    /// The function is live.
    #[inline(always)]
    pub(crate) unsafe fn code(self) -> Code {
        // SAFETY: the function is live (caller).
        Code::from_ptr(unsafe { (*self.0).func_code.cast() })
    }

    /// Whether the function has this version (`func_version`).
    ///
    /// # Safety
    /// The function is live.
    #[inline(always)]
    pub(crate) unsafe fn has_version(self, version: FunctionVersion) -> bool {
        // SAFETY: the function is live (caller).
        unsafe { self.version_field() == version.get() }
    }

    /// The field of the version, which need not hold one.
    ///
    /// # Safety
    /// The function is live.
    #[inline(always)]
    pub(super) unsafe fn version_field(self) -> u32 {
        // SAFETY: the function is live (caller); other threads change the version atomically.
        unsafe {
            #[cfg(not(py_gil_disabled))]
            return (*self.0).func_version;
            #[cfg(py_gil_disabled)]
            {
                use core::sync::atomic::AtomicU32;
                AtomicU32::from_ptr(&raw mut (*self.0).func_version).load(Ordering::Relaxed)
            }
        }
    }

    /// The version of the function, if it has one.
    ///
    /// # Safety
    /// The function is live.
    #[cfg(py_tier2)]
    pub(crate) unsafe fn version(self) -> Option<FunctionVersion> {
        // SAFETY: the function is live (caller).
        FunctionVersion::new(unsafe { self.version_field() })
    }

    /// The version of the function, assigned now if it has none. `None` if versions have run out or the function
    /// has changed (`_PyFunction_GetVersionForCurrentState`).
    ///
    /// # Safety
    /// The function is live and the thread attached.
    pub(crate) unsafe fn current_version(self) -> Option<FunctionVersion> {
        // SAFETY: the function is live and the thread attached (caller).
        FunctionVersion::new(unsafe { ffi::_PyFunction_GetVersionForCurrentState(self.0) })
    }

    /// The global namespace of the function, borrowed. It never changes.
    ///
    /// # Safety
    /// The function is live.
    #[cfg(py_tier2)]
    pub(crate) unsafe fn globals(self) -> *mut PyObject {
        // SAFETY: the function is live (caller).
        unsafe { (*self.0).func_globals }
    }

    /// The namespace of builtins of the function, borrowed. It never changes.
    ///
    /// # Safety
    /// The function is live.
    #[cfg(py_tier2)]
    pub(crate) unsafe fn builtins(self) -> *mut PyObject {
        // SAFETY: the function is live (caller).
        unsafe { (*self.0).func_builtins }
    }

    /// The function that has a version, and the code of that version, if they are still known
    /// (`_PyFunction_LookupByVersion`). Both are borrowed.
    ///
    /// # Safety
    /// The thread is attached.
    #[cfg(py_tier2)]
    pub(crate) unsafe fn of_version(version: FunctionVersion) -> (Option<Function>, Option<Code>) {
        let mut code = core::ptr::null_mut();
        // SAFETY: the thread is attached (caller). The host returns live objects or null.
        let function = unsafe { ffi::_PyFunction_LookupByVersion(version.get(), &raw mut code) };
        let code = (!code.is_null()).then(|| Code::from_ptr(code.cast()));
        ((!function.is_null()).then_some(Function(function)), code)
    }

    /// Whether a call only runs the function's code: its `vectorcall` is still the host's
    /// `_PyFunction_Vectorcall`.
    ///
    /// # Safety
    /// The function is live.
    #[inline(always)]
    pub(crate) unsafe fn runs_its_code(self) -> bool {
        // SAFETY: the function is live (caller). The field is a nullable function pointer, which other threads
        // change atomically.
        unsafe {
            let vectorcall = AtomicPtr::<()>::from_ptr((&raw mut (*self.0).vectorcall).cast());
            vectorcall.load(Ordering::Relaxed).cast_const() == Hidden::FunctionVectorcall.address()
        }
    }

    /// The namespace for the frame of a call, as a new reference. Null for ordinary functions, whose locals are
    /// in the frame; the globals for code like that of a module.
    ///
    /// # Safety
    /// The function is live and the thread attached.
    #[inline(always)]
    pub(crate) unsafe fn new_locals(self) -> *mut PyObject {
        // SAFETY: the function is live and the thread attached (caller), so its code and globals are live, too.
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
        // SAFETY: the method is live (caller).
        unsafe { (*self.0).im_func }
    }

    /// The first argument, borrowed.
    ///
    /// # Safety
    /// The method is live.
    #[inline(always)]
    pub(crate) unsafe fn receiver(self) -> *mut PyObject {
        // SAFETY: the method is live (caller).
        unsafe { (*self.0).im_self }
    }
}

handle! {
    /// A function written in C, borrowed.
    CFunction(PyCFunctionObject), PyCFunction_Type
}

impl CFunction {
    /// The method definition of the function.
    ///
    /// # Safety
    /// The function is live.
    #[inline(always)]
    pub(crate) unsafe fn definition(self) -> Definition {
        // SAFETY: the function is live (caller).
        Definition(unsafe { (*self.0).m_ml })
    }

    /// The object that the C function receives as `self`, borrowed: an instance, a module, or null. Meaningless
    /// for static methods, which receive null.
    ///
    /// # Safety
    /// The function is live.
    #[inline(always)]
    pub(crate) unsafe fn receiver(self) -> *mut PyObject {
        // SAFETY: the function is live (caller).
        unsafe { (*self.0).m_self }
    }
}

impl CFunction {
    /// The name of the module that it is a function of, as the module's definition has it.
    ///
    /// # Safety
    /// The thread is attached. The function is live, also while the name is used.
    pub(crate) unsafe fn module_name<'a>(self) -> Option<&'a CStr> {
        // SAFETY: the function is live (caller), and keeps its module alive, whose definition is a static. Names are C strings.
        unsafe {
            let module = self.receiver();
            if module.is_null() || type_of(module) != &raw mut ffi::PyModule_Type {
                return None;
            }
            let definition = ffi::PyModule_GetDef(module);
            if definition.is_null() || (*definition).m_name.is_null() {
                return None;
            }
            Some(CStr::from_ptr((*definition).m_name))
        }
    }
}

handle! {
    /// A method of a type, written in C and not bound to an instance, borrowed.
    MethodDescriptor(PyMethodDescrObject), PyMethodDescr_Type
}

impl MethodDescriptor {
    /// The method definition of the descriptor.
    ///
    /// # Safety
    /// The descriptor is live.
    #[inline(always)]
    pub(crate) unsafe fn definition(self) -> Definition {
        // SAFETY: the descriptor is live (caller).
        Definition(unsafe { (*self.0).d_method })
    }

    /// Whether it is `dict.get`.
    ///
    /// # Safety
    /// The descriptor is live.
    #[cfg(feature = "jit")]
    pub(crate) unsafe fn is_dict_get(self) -> bool {
        // SAFETY: the descriptor is live (caller).
        unsafe {
            (*self.0).d_common.d_type == &raw mut ffi::PyDict_Type && self.definition().name() == c"get"
        }
    }

    /// Whether the type of `object` is exactly the one that the method is defined for.
    ///
    /// # Safety
    /// Both are live.
    #[inline(always)]
    pub(crate) unsafe fn is_of(self, object: *mut PyObject) -> bool {
        // SAFETY: the descriptor and the object are live (caller).
        unsafe { is_exact(object, (*self.0).d_common.d_type) }
    }
}

/// The definition of a C function or method (`PyMethodDef`), borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Definition(*mut ffi::PyMethodDef);

impl Definition {
    /// The definition of a method that a static type has in `tp_methods`. All interpreters have the same one.
    ///
    /// # Safety
    /// `type_` is a static type of the host, which has such a method.
    pub(crate) unsafe fn of_method(type_: *mut ffi::PyTypeObject, name: &CStr) -> Definition {
        // SAFETY: the array of a type's methods has this one (caller). Names are C strings.
        unsafe {
            let mut definition = (*type_).tp_methods;
            while CStr::from_ptr((*definition).ml_name) != name {
                definition = definition.add(1);
            }
            Definition(definition)
        }
    }

    /// The address of the definition, which stands for the function.
    #[inline(always)]
    pub(crate) fn address(self) -> NonZeroUsize {
        // SAFETY: a definition has an address, which is not null.
        unsafe { NonZeroUsize::new_unchecked(self.0.addr()) }
    }

    /// The name of the function.
    ///
    /// # Safety
    /// The definition belongs to a live object, also while the name is used.
    pub(crate) unsafe fn name<'a>(self) -> &'a CStr {
        // SAFETY: the definition is live (caller), and has a name.
        unsafe { CStr::from_ptr((*self.0).ml_name) }
    }

    /// The function, if there is one.
    ///
    /// # Safety
    /// The definition belongs to a live object.
    #[cfg(feature = "jit")]
    pub(crate) unsafe fn function(self) -> Option<usize> {
        // SAFETY: the definition is live (caller).
        unsafe { (*self.0).ml_meth.map(|function| function as usize) }
    }

    /// The definition at this address.
    #[cfg(feature = "jit")]
    pub(crate) fn from_address(address: usize) -> Definition {
        Definition(address as *mut _)
    }

    /// The `METH_*` flags that select the calling convention. (Other flags say what the function is bound to.)
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
        // SAFETY: the definition is live (caller).
        unsafe { (*self.0).ml_flags as u32 & CONVENTION }
    }

    /// Whether the definition has a function to call.
    ///
    /// # Safety
    /// The definition belongs to a live object.
    #[inline]
    pub(crate) unsafe fn has_function(self) -> bool {
        // SAFETY: the definition is live (caller).
        unsafe { (*self.0).ml_meth.is_some() }
    }

    /// Whether the `METH_*` flags are exactly `flags`.
    ///
    /// # Safety
    /// The definition belongs to a live object.
    #[inline(always)]
    pub(crate) unsafe fn has_flags(self, flags: u32) -> bool {
        // SAFETY: the definition is live (caller).
        unsafe { (*self.0).ml_flags == flags as i32 }
    }

    /// Calls the function with the `METH_O` convention, or, with a null argument, `METH_NOARGS`. Returns a new
    /// reference, or null with an exception set.
    ///
    /// # Safety
    /// The definition belongs to a live object, has a function, and its flags select that convention.
    /// `receiver` is what the function expects as `self`; all objects are live. The thread is attached and its
    /// frames are published.
    #[inline(always)]
    pub(crate) unsafe fn call(self, receiver: *mut PyObject, argument: *mut PyObject) -> *mut PyObject {
        // SAFETY: the definition has a function of that convention (caller).
        unsafe { (*self.0).ml_meth.unwrap_unchecked()(receiver, argument) }
    }

    /// Calls the function with the `METH_FASTCALL` convention. Returns a new reference, or null with an
    /// exception set.
    ///
    /// # Safety
    /// As for [`Definition::call`]; `arguments` points to `count` live objects.
    #[inline(always)]
    pub(crate) unsafe fn call_fast(
        self,
        receiver: *mut PyObject,
        arguments: *const *mut PyObject,
        count: usize,
    ) -> *mut PyObject {
        // SAFETY: the flags select this convention (caller), so the function has that C type.
        unsafe {
            let function = transmute::<ffi::PyCFunction, ffi::PyCFunctionFast>((*self.0).ml_meth);
            function.unwrap_unchecked()(receiver, arguments, count as isize)
        }
    }

    /// Calls the function with the `METH_FASTCALL | METH_KEYWORDS` convention, without keywords. Returns a new
    /// reference, or null with an exception set.
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
        // SAFETY: the flags select this convention (caller), so the function has that C type.
        unsafe {
            let function = transmute::<ffi::PyCFunction, ffi::PyCFunctionFastWithKeywords>((*self.0).ml_meth);
            function.unwrap_unchecked()(receiver, arguments, count as isize, core::ptr::null_mut())
        }
    }
}

/// The function that calls `callable` with a C array of arguments; null if it has none
/// (`_PyVectorcall_FunctionInline`).
///
/// # Safety
/// `callable` is live.
#[inline(always)]
pub(crate) unsafe fn vectorcall_of(callable: *mut PyObject) -> ffi::vectorcallfunc {
    // SAFETY: the callable is live (caller), and so is its type. With the flag, its instances have the pointer
    // at that offset.
    unsafe {
        let type_ = type_of(callable);
        if type_flags(type_) & ffi::Py_TPFLAGS_HAVE_VECTORCALL == 0 {
            return None;
        }
        callable.cast::<u8>().offset((*type_).tp_vectorcall_offset).cast::<ffi::vectorcallfunc>().read()
    }
}

/// A flag of the argument count: the called function may change the slot before its first argument
/// (`PY_VECTORCALL_ARGUMENTS_OFFSET`).
pub(crate) const VECTORCALL_ARGUMENTS_OFFSET: usize = 1 << (usize::BITS - 1);

/// Calls `callable` with an array of borrowed objects: `positional` values, then one value for each name in
/// `names`, which is a tuple or null (`_PyObject_VectorcallTstate`). Returns a new reference, or null with an
/// exception set.
///
/// # Safety
/// The thread is attached and its frames are published. All objects are live, and the slot before the array is
/// writable.
#[inline(always)]
pub(crate) unsafe fn vectorcall(
    tstate: ThreadState,
    callable: *mut PyObject,
    objects: *mut *mut PyObject,
    positional: usize,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: all objects are live, the array has the arguments and a writable slot before them, and frames are
    // published (caller).
    unsafe {
        let Some(function) = vectorcall_of(callable) else {
            return ffi::_PyObject_MakeTpCall(tstate.as_ptr(), callable, objects, positional as isize, names);
        };
        let result = function(callable, objects, positional | VECTORCALL_ARGUMENTS_OFFSET, names);
        if result.is_null() == tstate.raised().is_null() {
            // Neither a result nor an exception, or both: the host raises SystemError.
            return ffi::_Py_CheckFunctionResult(tstate.as_ptr(), callable, result, core::ptr::null());
        }
        result
    }
}
