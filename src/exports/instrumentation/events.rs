//! The symbols of `instrumentation.o` that instructions call: notifying tools of their events.

use core::ffi::c_int;

use super::attempt;
use crate::host::object::size;
use crate::host::{Code, CodeUnit, PyObject, PyResult, ffi};
use crate::instrument::calls::Origin;
use crate::instrument::data::line_table;
use crate::instrument::{c_numbers, calls};

#[cfg(feature = "attach")]
hidden! {
    _Py_call_instrumentation, _Py_call_instrumentation_arg, _Py_call_instrumentation_2args,
    _Py_call_instrumentation_exc2, _Py_call_instrumentation_jump, _Py_Instrumentation_GetLine,
    _Py_call_instrumentation_line, _Py_call_instrumentation_instruction
}

/// Notifies tools of an event of `instr` that has no argument. Declared in `pycore_instruments.h`.
///
/// Returns 0, or -1 with an exception set: a tool's, or SystemError if instructions do not fire `event` this
/// way.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; no exception is set; `frame` is current and
/// published; `instr` is in its bytecode and was instrumented for events of this kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
) -> c_int {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    // SAFETY: the callee has the same contract.
    attempt(|| unsafe { calls::event(origin, c_numbers::fired_event(event)?, []) })
}

/// Notifies tools of an event of `instr` with one argument, borrowed. Declared in `pycore_instruments.h`.
///
/// Returns 0, or -1 with an exception set: a tool's, or SystemError if instructions do not fire `event` this
/// way.
///
/// # Safety
/// As for `_Py_call_instrumentation`; `arg` is live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_arg(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    arg: *mut PyObject,
) -> c_int {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    // SAFETY: the callee has the same contract.
    attempt(|| unsafe { calls::event(origin, c_numbers::fired_event(event)?, [arg]) })
}

/// Notifies tools of an event of `instr` with two arguments, borrowed. Declared in `pycore_instruments.h`.
///
/// Returns 0, or -1 with an exception set: a tool's, or SystemError if instructions do not fire `event` this
/// way.
///
/// # Safety
/// As for `_Py_call_instrumentation`; `arg0` and `arg1` are live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_2args(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    arg0: *mut PyObject,
    arg1: *mut PyObject,
) -> c_int {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    // SAFETY: the callee has the same contract.
    attempt(|| unsafe { calls::event(origin, c_numbers::fired_event(event)?, [arg0, arg1]) })
}

/// Notifies tools of an event with two arguments, borrowed, while an exception is set. The exception stays set
/// unless a tool's replaces it, or SystemError as for `_Py_call_instrumentation`. Declared in
/// `pycore_instruments.h`.
///
/// # Safety
/// As for `_Py_call_instrumentation_2args`, but an exception is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_exc2(
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    arg0: *mut PyObject,
    arg1: *mut PyObject,
) {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    // SAFETY: the callee has the same contract. SystemError replaces the exception, as a tool's would.
    unsafe {
        if let Ok(event) = c_numbers::fired_event(event) {
            calls::event_with_exception(origin, event, [arg0, arg1]);
        }
    }
}

/// Notifies tools that `instr` jumps from `src` to `dest`. Declared in `pycore_instruments.h`.
///
/// Returns the instruction to continue at: `dest`, or the one that a tool has moved the frame to. Returns NULL
/// with an exception set: a tool's, or SystemError as for `_Py_call_instrumentation`.
///
/// # Safety
/// As for `_Py_call_instrumentation`; `src` and `dest` are in the frame's bytecode.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_jump(
    instr: *mut ffi::_Py_CODEUNIT,
    tstate: *mut ffi::PyThreadState,
    event: c_int,
    frame: *mut ffi::_PyInterpreterFrame,
    src: *mut ffi::_Py_CODEUNIT,
    dest: *mut ffi::_Py_CODEUNIT,
) -> *mut ffi::_Py_CODEUNIT {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    let (source, target) = (CodeUnit::from_ptr(src), CodeUnit::from_ptr(dest));
    // SAFETY: the callee has the same contract.
    let next =
        unsafe { c_numbers::fired_event(event).and_then(|event| calls::jump(origin, event, source, target)) };
    next.map_or(core::ptr::null_mut(), CodeUnit::as_ptr)
}

/// Returns the line number of code unit `index` according to `line_data`; -1 if it has none. Declared in
/// `pycore_instruments.h`.
///
/// # Safety
/// `code` is live, `line_data` is its line table, and `index` is a code unit of it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_Instrumentation_GetLine(
    code: *mut ffi::PyCodeObject,
    line_data: *mut ffi::_PyCoLineInstrumentationData,
    index: c_int,
) -> c_int {
    // SAFETY: the table belongs to the code object and so has an entry for each of its units (caller).
    unsafe {
        let lines = line_table(line_data, size(code.cast()) as usize);
        calls::line_number(Code::from_ptr(code), lines.line(index as usize))
    }
}

/// Notifies tools that a line begins at `instr`, unless `prev`, the instruction executed before, is on the same
/// line. Declared in `pycore_instruments.h`.
///
/// Returns the opcode to execute, or -1 with a tool's exception set.
///
/// # Safety
/// The calling thread is attached, not tracing, and `tstate` is its state; no exception is set; `frame` is
/// current and published; `instr` and `prev` are in its bytecode, and `instr` has a line event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_line(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
    prev: *mut ffi::_Py_CODEUNIT,
) -> c_int {
    // SAFETY: the frame is live (caller).
    let origin = unsafe { Origin::from_host(tstate, frame, instr) };
    // SAFETY: the callee has the same contract.
    opcode_or_error(unsafe { calls::line(origin, CodeUnit::from_ptr(prev)) })
}

/// Notifies tools that the instruction `instr` begins. Declared in `pycore_instruments.h`.
///
/// Returns the opcode to execute, or -1 with a tool's exception set.
///
/// # Safety
/// The calling thread is attached and `tstate` is its state; no exception is set; `frame` is current and
/// published; `instr` is in its bytecode and has an instruction event.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Py_call_instrumentation_instruction(
    tstate: *mut ffi::PyThreadState,
    frame: *mut ffi::_PyInterpreterFrame,
    instr: *mut ffi::_Py_CODEUNIT,
) -> c_int {
    // SAFETY: the callee has the same contract.
    opcode_or_error(unsafe { calls::instruction(Origin::from_host(tstate, frame, instr)) })
}

/// Converts an opcode to the C convention: -1 if an exception is set.
fn opcode_or_error(opcode: PyResult<u8>) -> c_int {
    opcode.map_or(-1, c_int::from)
}
