//! The code of trampolines: frames below a special method that is called without leaving the evaluator. `_Py_InitCleanup` is
//! that below an `__init__`. It checks that `__init__` has returned `None`, and returns the instance. `exports` defines the
//! symbol with [`code`].

use core::ffi::c_char;

use crate::bytecode::opcode;
use crate::host::object::static_head;
use crate::host::{PyObject, empty_tuple, ffi, frame};

/// A constant that the host reads and does not write.
#[repr(transparent)]
pub(crate) struct Constant<T>(pub(crate) T);

// SAFETY: no thread writes it, and the objects that it refers to are immortal.
unsafe impl<T> Sync for Constant<T> {}

/// The code of the trampoline below `__init__`. Its last instruction is a RESUME that never runs. On free-threaded hosts,
/// `copies` is its array of copies of the bytecode.
pub(crate) const fn code(
    #[cfg(py_gil_disabled)] copies: &'static Constant<ffi::_PyCodeArray>,
) -> ffi::_PyCode8 {
    let bytecode = [
        opcode::EXIT_INIT_CHECK,
        0,
        opcode::RETURN_VALUE,
        0,
        opcode::RESUME,
        ffi::RESUME_AT_FUNC_START as u8,
        0,
        0,
    ];
    trampoline(
        bytecode,
        2,
        name(),
        (&raw const NO_LOCATION).cast_mut().cast(),
        #[cfg(py_gil_disabled)]
        copies,
    )
}

/// The code of a trampoline: code without a function and without globals, and with a stack of this size.
///
/// `_co_firsttraceable` is past it: no tool traces this code, and Python code does not see its frames. No instruction has a
/// specialized form.
pub(crate) const fn trampoline(
    bytecode: [u8; 8],
    stack_size: i32,
    name: *mut PyObject,
    line_table: *mut PyObject,
    #[cfg(py_gil_disabled)] copies: &'static Constant<ffi::_PyCodeArray>,
) -> ffi::_PyCode8 {
    let mut units = [0; 8];
    let mut index = 0;
    while index < units.len() {
        units[index] = bytecode[index] as c_char;
        index += 1;
    }
    ffi::_PyCode8 {
        ob_base: variable_size(&raw mut ffi::PyCode_Type, 3),
        co_consts: empty_tuple(),
        co_names: empty_tuple(),
        co_exceptiontable: empty_bytes(),
        co_flags: (ffi::CO_OPTIMIZED | ffi::CO_NO_MONITORING_EVENTS) as i32,
        co_stacksize: stack_size,
        co_framesize: stack_size + frame::SPECIALS_SIZE as i32,
        co_localsplusnames: empty_tuple(),
        co_localspluskinds: empty_bytes(),
        co_filename: name,
        co_name: name,
        co_qualname: name,
        co_linetable: line_table,
        _co_firsttraceable: 4,
        #[cfg(py_gil_disabled)]
        co_tlbc: (&raw const *copies).cast_mut().cast(),
        co_code_adaptive: units,
        // SAFETY: integers and pointers, for which zero is a value.
        ..unsafe { core::mem::zeroed() }
    }
}

// These are functions, not constants: rustc 1.95 loses the offset into a foreign static if a constant with it
// becomes a part of another constant. c-tests/layouts.c checks for that.
const fn empty_bytes() -> *mut PyObject {
    // SAFETY: only the address of a part of a static of the host is taken.
    unsafe { (&raw mut ffi::_PyRuntime.static_objects.singletons.bytes_empty).cast() }
}

const fn name() -> *mut PyObject {
    // SAFETY: as above.
    unsafe { id!(_py___init__) }
}

/// The line table: one entry without a location, for the greatest number of units that an entry can have.
static NO_LOCATION: Constant<ffi::PyBytesObject> = Constant(ffi::PyBytesObject {
    ob_base: variable_size(&raw mut ffi::PyBytes_Type, 1),
    ob_sval: [(0x80 | (ffi::PY_CODE_LOCATION_INFO_NONE << 3) | 3) as c_char],
    // SAFETY: the hash, zero. The host never hashes this object; it must not, because this is a constant.
    ..unsafe { core::mem::zeroed() }
});

/// A `bytes` object of two bytes.
#[repr(C)]
pub(crate) struct TwoBytes {
    head: ffi::PyVarObject,
    hash: ffi::Py_hash_t,
    bytes: [c_char; 3],
}

static_assertions::const_assert_eq!(
    core::mem::offset_of!(TwoBytes, bytes),
    core::mem::offset_of!(ffi::PyBytesObject, ob_sval)
);

/// The line table of code whose every instruction is on line 0. The host's dump of a stack (`faulthandler`) ends at a frame
/// without a line.
pub(crate) static LINE_0: Constant<TwoBytes> = Constant(TwoBytes {
    head: variable_size(&raw mut ffi::PyBytes_Type, 2),
    hash: 0,
    bytes: [(0x80 | (ffi::PY_CODE_LOCATION_INFO_NO_COLUMNS << 3) | 3) as c_char, 0, 0],
});

/// The array of copies of the bytecode: only the main copy.
#[cfg(py_gil_disabled)]
pub(crate) const fn only_copy(bytecode: *const c_char) -> ffi::_PyCodeArray {
    ffi::_PyCodeArray { size: 1, entries: [bytecode.cast_mut()] }
}

/// The head of an immortal static object (`_PyVarObject_HEAD_INIT`).
const fn variable_size(type_: *mut ffi::PyTypeObject, size: isize) -> ffi::PyVarObject {
    ffi::PyVarObject { ob_base: static_head(type_), ob_size: size }
}
