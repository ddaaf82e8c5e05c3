//! For tests: symbols of the host that the tests of several rooms need. Test programs are linked without a host, so
//! each symbol that a test reaches has one definition, in the tests.

use core::mem::zeroed;

use super::ffi::{self, PyObject};

#[unsafe(no_mangle)]
// SAFETY: the fields are numbers and nullable pointers.
static mut _PyRuntime: ffi::_PyRuntimeState = unsafe { zeroed() };

macro_rules! not_called {
    ($($name:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $name(_object: *mut PyObject) {
                unreachable!("objects of tests have other references, or are immortal");
            }
        )*
    };
}

// What releases an object.
not_called! { _Py_Dealloc }
#[cfg(py_gil_disabled)]
not_called! { _Py_DecRefShared _Py_MergeZeroLocalRefcount }
