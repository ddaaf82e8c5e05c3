//! Executors as Python code sees them: `_PyUOpExecutor_Type`. They are a sequence of `(name, oparg, target,
//! operand0)`, one item a micro-op, stubs included.

use core::ffi::{c_int, c_uint, c_ulonglong, c_void};

use super::executor::Executor;
use super::{deletion, invalidate, list};
use crate::host::object::static_head;
use crate::host::owned::into_host;
use crate::host::{Owned, PyObject, ThreadState, ffi};
use crate::ops::metadata::MicroOp;

/// The type of executors.
pub(crate) const TYPE: ffi::PyTypeObject = {
    // SAFETY: integers, pointers and optional functions, for which zero is a value.
    let mut type_: ffi::PyTypeObject = unsafe { core::mem::zeroed() };
    type_.ob_base.ob_base = static_head(&raw mut ffi::PyType_Type);
    type_.tp_name = c"uop_executor".as_ptr();
    type_.tp_basicsize = core::mem::offset_of!(ffi::_PyExecutorObject, exits) as ffi::Py_ssize_t;
    type_.tp_itemsize = 1;
    type_.tp_flags =
        (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION | ffi::Py_TPFLAGS_HAVE_GC) as _;
    type_.tp_dealloc = Some(dealloc);
    type_.tp_traverse = Some(traverse);
    type_.tp_clear = Some(clear);
    type_.tp_as_sequence = &raw mut SEQUENCE;
    type_.tp_methods = &raw mut METHODS as *mut ffi::PyMethodDef;
    type_
};

// The host's types refer to both as to something that may change. Nothing changes them.
static mut SEQUENCE: ffi::PySequenceMethods = ffi::PySequenceMethods {
    sq_length: Some(length),
    sq_item: Some(item),
    // SAFETY: optional functions and pointers, for which zero is a value.
    ..unsafe { core::mem::zeroed() }
};

static mut METHODS: [ffi::PyMethodDef; 5] = [
    method(c"is_valid", is_valid),
    method(c"get_jit_code", get_jit_code),
    method(c"get_opcode", get_opcode),
    method(c"get_oparg", get_oparg),
    // SAFETY: optional functions and pointers, for which zero is a value.
    unsafe { core::mem::zeroed() },
];

/// The row of a method without arguments.
const fn method(
    name: &'static core::ffi::CStr,
    function: unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> *mut PyObject,
) -> ffi::PyMethodDef {
    ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: Some(function),
        ml_flags: ffi::METH_NOARGS as c_int,
        ml_doc: core::ptr::null(),
    }
}

/// The executor that a slot or method of the type is called with.
///
/// # Safety
/// `object` is a live executor.
unsafe fn executor(object: *mut PyObject) -> Executor {
    // SAFETY: the object is an executor, so not null (caller).
    unsafe { Executor::from_ptr(object.cast()).unwrap_unchecked() }
}

// --- life --------------------------------------------------------------------------------------

/// `tp_dealloc`. A thread may still run the executor, so it is freed later.
///
/// # Safety
/// As for the slot of a type: the thread is attached, and `object` is an executor without references.
unsafe extern "C" fn dealloc(object: *mut PyObject) {
    // SAFETY: nothing refers to the executor (caller). It is in no bytecode, since code has a reference to each
    // of its executors.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        let executor = executor(object);
        debug_assert!(executor.code().is_none());
        let interp = ThreadState::current().interp();
        list::unlink(interp, executor);
        deletion::add(interp, executor);
    }
}

/// `tp_traverse`: visits the executors behind the side exits, and those that are branches of the machine code.
///
/// # Safety
/// As for the slot of a type: `object` is a live executor, and `arg` is for `visit`.
unsafe extern "C" fn traverse(object: *mut PyObject, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
    let Some(visit) = visit else { return 0 };
    // SAFETY: the executor is live, and so are those that its exits refer to (caller).
    unsafe {
        let executor = executor(object);
        let next = executor.exits().filter_map(|exit| exit.executor());
        #[cfg(feature = "jit")]
        let next = next.chain(super::compiled::branches(executor).iter().map(|branch| branch.executor()));
        for next in next {
            let status = visit(next.object(), arg);
            if status != 0 {
                return status;
            }
        }
    }
    0
}

/// `tp_clear`.
///
/// # Safety
/// As for the slot of a type: the thread is attached, and `object` is a live executor.
unsafe extern "C" fn clear(object: *mut PyObject) -> c_int {
    // SAFETY: the executor is live, and the thread attached (caller).
    unsafe { invalidate::clear(ThreadState::current().interp(), executor(object)) };
    0
}

// --- sequence ----------------------------------------------------------------------------------

/// # Safety
/// As for the slot of a type: `object` is a live executor.
unsafe extern "C" fn length(object: *mut PyObject) -> ffi::Py_ssize_t {
    // SAFETY: the executor is live (caller).
    unsafe { executor(object).trace().len() as ffi::Py_ssize_t }
}

/// # Safety
/// As for the slot of a type: the thread is attached, and `object` is a live executor.
unsafe extern "C" fn item(object: *mut PyObject, index: ffi::Py_ssize_t) -> *mut PyObject {
    // SAFETY: the executor is live, and the thread attached (caller). The format matches the arguments.
    unsafe {
        let uop = usize::try_from(index).ok().and_then(|index| executor(object).trace().get(index));
        let Some(uop) = uop else {
            ffi::PyErr_SetNone(ffi::PyExc_IndexError);
            return core::ptr::null_mut();
        };
        let name = MicroOp::host_name(uop.number());
        let name = name.as_deref().unwrap_or("<nil>");
        ffi::Py_BuildValue(
            c"(s#IIK)".as_ptr(),
            name.as_ptr(),
            name.len() as ffi::Py_ssize_t,
            c_uint::from(uop.oparg),
            uop.raw_place() as c_uint,
            uop.operand0 as c_ulonglong,
        )
    }
}

// --- methods -----------------------------------------------------------------------------------
//
// `# Safety` of the functions: as for a method: the thread is attached, and `object` is a live executor.

unsafe extern "C" fn is_valid(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the executor is live, and the thread attached (caller).
    unsafe { ffi::PyBool_FromLong(executor(object).is_valid().into()) }
}

/// The machine code as bytes, or None if there is none.
unsafe extern "C" fn get_jit_code(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the executor is live, and the thread attached (caller). Machine code has that size.
    into_host(unsafe {
        if cfg!(tier2_jit) {
            let head = executor(object).as_ptr();
            if (*head).jit_code.is_null() || (*head).jit_size == 0 {
                Ok(Owned::new_ref(crate::host::none()))
            } else {
                let size = (*head).jit_size as ffi::Py_ssize_t;
                Owned::from_host(ffi::PyBytes_FromStringAndSize((*head).jit_code.cast(), size))
            }
        } else {
            Err(crate::raise!(PyExc_RuntimeError, c"JIT support not enabled."))
        }
    })
}

/// The opcode that the executor has replaced in the bytecode.
unsafe extern "C" fn get_opcode(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the executor is live, and the thread attached (caller).
    unsafe { ffi::PyLong_FromUnsignedLong(executor(object).replaced().0.into()) }
}

/// The argument that the replaced instruction had.
unsafe extern "C" fn get_oparg(object: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: the executor is live, and the thread attached (caller).
    unsafe { ffi::PyLong_FromUnsignedLong(executor(object).replaced().1.into()) }
}
