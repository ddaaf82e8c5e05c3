//! Functions of the host that the evaluator compares with, without calling them, although the host hides them from
//! extension modules.

/// A function of the host that the linker knows and the loader does not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hidden {
    /// `_PyFunction_Vectorcall`: the `vectorcall` of Python functions.
    FunctionVectorcall,
    /// `_PyObject_NextNotImplemented`: the `tp_iternext` of classes without `__next__`.
    NextNotImplemented,
    /// `_Py_slot_tp_getattro`: the `tp_getattro` of classes with `__getattribute__`.
    SlotGetattro,
    /// `_Py_slot_tp_getattr_hook`: the `tp_getattro` of classes with `__getattr__`.
    SlotGetattrHook,
    /// `_Py_type_getattro`: the `tp_getattro` of classes whose metaclass defines none.
    TypeGetattro,
    /// `_PyInstrumentation_DISABLE`: `sys.monitoring.DISABLE`.
    #[cfg(feature = "attach")]
    MonitoringDisable,
    /// `_PyInstrumentation_MISSING`: `sys.monitoring.MISSING`.
    #[cfg(feature = "attach")]
    MonitoringMissing,
}

#[cfg(not(feature = "attach"))]
impl Hidden {
    /// Its address.
    #[inline(always)]
    pub(crate) fn address(self) -> *const () {
        use super::ffi;
        match self {
            Hidden::FunctionVectorcall => ffi::_PyFunction_Vectorcall as *const (),
            Hidden::NextNotImplemented => ffi::_PyObject_NextNotImplemented as *const (),
            Hidden::SlotGetattro => ffi::_Py_slot_tp_getattro as *const (),
            Hidden::SlotGetattrHook => ffi::_Py_slot_tp_getattr_hook as *const (),
            Hidden::TypeGetattro => ffi::_Py_type_getattro as *const (),
        }
    }
}

#[cfg(feature = "attach")]
mod found {
    use core::sync::atomic::{AtomicPtr, Ordering};

    use super::Hidden;

    const COUNT: usize = Hidden::MonitoringMissing as usize + 1;

    /// Null until [`Hidden::set_address`]. The addresses are the same in all interpreters of the process.
    static ADDRESSES: [AtomicPtr<()>; COUNT] = [const { AtomicPtr::new(core::ptr::null_mut()) }; COUNT];

    impl Hidden {
        /// Its address.
        #[inline(always)]
        pub(crate) fn address(self) -> *const () {
            ADDRESSES[self as usize].load(Ordering::Relaxed)
        }

        /// Makes the address known. To be done before the evaluator runs.
        pub(crate) fn set_address(self, address: *const ()) {
            ADDRESSES[self as usize].store(address.cast_mut(), Ordering::Relaxed);
        }
    }
}
