//! Finds what the evaluator only compares with: functions in the slots of small classes, and objects of
//! `sys.monitoring`.

use core::ffi::{CStr, c_int};

use crate::host::head::is_exact;
use crate::host::hidden::Hidden;
use crate::host::{Owned, PyObject, PyResult, PyTypeObject, ffi, refcount};
use crate::raise;

/// Defines a function and classes whose slots have the functions that are looked for.
const PROGRAM: &CStr = c"
def function(): pass

# A class that loses its own method gets the slot of one without it.
class WithoutNext:
    def __next__(self): pass
del WithoutNext.__next__

class WithGetattr:
    def __getattr__(self, name): return None

# Its slot is that of WithGetattr until a lookup has found no __getattr__.
class WithGetattribute:
    def __getattribute__(self, name): return None
WithGetattribute().name
";

/// The function in a slot; null if it is empty.
macro_rules! slot {
    ($slot:expr) => {
        $slot.map_or(core::ptr::null(), |function| function as *const ())
    };
}
/// Finds all of them. Fails with RuntimeError if the host does not look as expected, or with another exception.
///
/// # Safety
/// The thread is attached, and the layouts of the host are those of the library.
pub(super) unsafe fn find() -> PyResult<()> {
    // SAFETY: the objects in the namespace are live, and of the types that the program gives them.
    unsafe {
        let namespace = Owned::from_host(ffi::PyDict_New())?;
        let namespace = namespace.as_ptr();
        Owned::from_host(ffi::PyRun_StringFlags(
            PROGRAM.as_ptr(),
            ffi::Py_file_input as c_int,
            namespace,
            namespace,
            core::ptr::null_mut(),
        ))?;
        let class = |name| defined(namespace, name).map(|class| class.cast::<PyTypeObject>());
        let function = defined(namespace, c"function")?.cast::<ffi::PyFunctionObject>();
        let getattro = |class: *mut PyTypeObject| slot!((*class).tp_getattro);
        let found = [
            (Hidden::FunctionVectorcall, slot!((*function).vectorcall)),
            (Hidden::NextNotImplemented, slot!((*class(c"WithoutNext")?).tp_iternext)),
            (Hidden::SlotGetattrHook, getattro(class(c"WithGetattr")?)),
            (Hidden::SlotGetattro, getattro(class(c"WithGetattribute")?)),
            (Hidden::TypeGetattro, getattro(&raw mut ffi::PyType_Type)),
            (Hidden::MonitoringDisable, constant_of_monitoring(c"DISABLE")?),
            (Hidden::MonitoringMissing, constant_of_monitoring(c"MISSING")?),
        ];
        let mut known = vec![core::ptr::null(), ffi::PyObject_GenericGetAttr as *const ()];
        for (what, address) in found {
            if known.contains(&address) {
                let name = format!("{what:?}\0");
                return Err(raise!(PyExc_RuntimeError, c"the host's %s cannot be found", name.as_ptr()));
            }
            known.push(address);
        }
        for (what, address) in found {
            what.set_address(address);
        }
    }
    Ok(())
}

/// What the program has defined under a name, borrowed.
///
/// # Safety
/// The thread is attached; `namespace` is a live dictionary.
unsafe fn defined(namespace: *mut PyObject, name: &CStr) -> PyResult<*mut PyObject> {
    // SAFETY: the dictionary is live (caller), and keeps its values alive.
    unsafe {
        let value = ffi::PyDict_GetItemString(namespace, name.as_ptr());
        if value.is_null() {
            Err(raise!(PyExc_RuntimeError, c"%s is not defined", name.as_ptr()))
        } else {
            Ok(value)
        }
    }
}

/// A constant of `sys.monitoring`, which is an immortal `object()`; null if it is something else.
///
/// # Safety
/// The thread is attached.
unsafe fn constant_of_monitoring(name: &CStr) -> PyResult<*const ()> {
    // SAFETY: the module is live while `sys` has it, and the constant if it is immortal.
    unsafe {
        let monitoring = ffi::PySys_GetObject(c"monitoring".as_ptr());
        if monitoring.is_null() {
            return Err(raise!(PyExc_RuntimeError, c"there is no sys.monitoring"));
        }
        let constant = Owned::from_host(ffi::PyObject_GetAttrString(monitoring, name.as_ptr()))?;
        let constant = constant.as_ptr();
        let expected = is_exact(constant, &raw mut ffi::PyBaseObject_Type) && refcount::is_immortal(constant);
        Ok(if expected { constant.cast_const().cast() } else { core::ptr::null() })
    }
}
