//! Checks that the running host is the one that this library was built for: the drop-in once, before `main`; an
//! extension module when it is imported.
//!
//! The library relies on the layouts of one host. A host publishes its own in `_PyRuntime.debug_offsets`
//! (`pycore_debug_offsets.h`), so a wrong pairing ends with a clear message instead of corrupted memory.

use core::mem::offset_of;

use super::ffi::{
    self, _Py_DebugOffsets, _PyInterpreterFrame, _PyRuntimeState, PyCodeObject, PyInterpreterState, PyObject,
    PyThreadState,
};

/// One fact about the host: its name, the value that the library was built with, the value of the running host.
type Fact = (&'static str, u64, u64);

/// Offsets of the copies of bytecode in a code object, of their index in a frame, and of their generation in an
/// interpreter. Zero with a GIL.
#[cfg(not(py_gil_disabled))]
const COPIES: [u64; 3] = [0; 3];
#[cfg(py_gil_disabled)]
const COPIES: [u64; 3] = [
    offset_of!(PyCodeObject, co_tlbc) as u64,
    offset_of!(_PyInterpreterFrame, tlbc_index) as u64,
    offset_of!(PyInterpreterState, tlbc_indices.tlbc_generation) as u64,
];

/// The facts that the library relies on, besides version and GIL.
fn facts(running: &_Py_DebugOffsets) -> [Fact; 18] {
    let thread = &running.thread_state;
    let frame = &running.interpreter_frame;
    let code = &running.code_object;
    [
        ("_PyRuntimeState size", size_of::<_PyRuntimeState>() as u64, running.runtime_state.size),
        ("PyInterpreterState size", size_of::<PyInterpreterState>() as u64, running.interpreter_state.size),
        ("PyThreadState size", size_of::<PyThreadState>() as u64, thread.size),
        ("PyThreadState.interp", offset_of!(PyThreadState, interp) as u64, thread.interp),
        (
            "PyThreadState.current_frame",
            offset_of!(PyThreadState, current_frame) as u64,
            thread.current_frame,
        ),
        ("_PyInterpreterFrame size", size_of::<_PyInterpreterFrame>() as u64, frame.size),
        ("_PyInterpreterFrame.previous", offset_of!(_PyInterpreterFrame, previous) as u64, frame.previous),
        ("_PyInterpreterFrame.instr_ptr", offset_of!(_PyInterpreterFrame, instr_ptr) as u64, frame.instr_ptr),
        (
            "_PyInterpreterFrame.localsplus",
            offset_of!(_PyInterpreterFrame, localsplus) as u64,
            frame.localsplus,
        ),
        ("_PyInterpreterFrame.owner", offset_of!(_PyInterpreterFrame, owner) as u64, frame.owner),
        (
            "_PyInterpreterFrame.stackpointer",
            offset_of!(_PyInterpreterFrame, stackpointer) as u64,
            frame.stackpointer,
        ),
        ("PyCodeObject size", size_of::<PyCodeObject>() as u64, code.size),
        (
            "PyCodeObject.co_code_adaptive",
            offset_of!(PyCodeObject, co_code_adaptive) as u64,
            code.co_code_adaptive,
        ),
        ("PyCodeObject.co_tlbc", COPIES[0], code.co_tlbc),
        ("_PyInterpreterFrame.tlbc_index", COPIES[1], frame.tlbc_index),
        ("PyInterpreterState.tlbc_generation", COPIES[2], running.interpreter_state.tlbc_generation),
        ("PyObject size", size_of::<PyObject>() as u64, running.pyobject.size),
        ("PyObject.ob_type", offset_of!(PyObject, ob_type) as u64, running.pyobject.ob_type),
    ]
}

/// `PY_VERSION_HEX` of the headers.
pub(crate) const BUILT_VERSION: u64 = ((ffi::PY_MAJOR_VERSION << 24)
    | (ffi::PY_MINOR_VERSION << 16)
    | (ffi::PY_MICRO_VERSION << 8)
    | (ffi::PY_RELEASE_LEVEL << 4)
    | ffi::PY_RELEASE_SERIAL) as u64;

/// A version in the usual notation, from `PY_VERSION_HEX`.
fn version_text(hex: u64) -> String {
    let [_, major, minor, micro, rest] = [32, 24, 16, 8, 0].map(|shift| (hex >> shift) as u8);
    let release = match rest >> 4 {
        0xA => format!("a{}", rest & 15),
        0xB => format!("b{}", rest & 15),
        0xC => format!("rc{}", rest & 15),
        _ => String::new(),
    };
    format!("{major}.{minor}.{micro}{release}")
}

/// A description of a host for messages.
fn kind_text(version: u64, free_threaded: bool) -> String {
    let gil = if free_threaded { "free-threaded" } else { "with a GIL" };
    format!("CPython {} ({gil})", version_text(version))
}

/// What the library was built for, for messages.
#[cfg(feature = "attach")]
pub(crate) fn built_for() -> String {
    kind_text(BUILT_VERSION, cfg!(py_gil_disabled))
}

/// What the library was built for and what it has found, if the running host is another one: the end of a sentence.
pub(crate) fn mismatch(running: &_Py_DebugOffsets) -> Option<String> {
    let built_free_threaded = cfg!(py_gil_disabled);
    let running_free_threaded = running.free_threaded != 0;
    if running.version != BUILT_VERSION || running_free_threaded != built_free_threaded {
        return Some(format!(
            "built for {}, but the host is {}",
            kind_text(BUILT_VERSION, built_free_threaded),
            kind_text(running.version, running_free_threaded),
        ));
    }
    let (what, built, found) = facts(running).into_iter().find(|(_, built, found)| built != found)?;
    Some(format!(
        "built for {} with {what} {built}, but the host has {found}: rebuild it with the host's headers",
        kind_text(BUILT_VERSION, built_free_threaded),
    ))
}

/// Ends the process with a message if the running host is not the one that the library was built for.
#[cfg(not(any(test, feature = "attach")))]
extern "C" fn check_host() {
    // SAFETY: the host's runtime is a static, and these offsets are initialized at link time.
    let running = unsafe { ffi::_PyRuntime.debug_offsets };
    if let Some(message) = mismatch(&running) {
        eprintln!("reval: {message}");
        std::process::exit(1);
    }
}

/// Runs [`check_host`] before `main`, or when the shared library is loaded.
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(windows, unsafe(link_section = ".CRT$XCU"))]
#[cfg(not(any(test, feature = "attach")))]
static CHECK_HOST: extern "C" fn() = check_host;

#[cfg(test)]
mod tests {
    use super::*;

    /// The offsets that a host with this library's layouts publishes.
    fn matching() -> _Py_DebugOffsets {
        // SAFETY: the fields are integers and arrays of integers; zero is a valid value of each.
        let mut offsets: _Py_DebugOffsets = unsafe { core::mem::zeroed() };
        offsets.version = BUILT_VERSION;
        offsets.free_threaded = u64::from(cfg!(py_gil_disabled));
        offsets.runtime_state.size = size_of::<_PyRuntimeState>() as u64;
        offsets.interpreter_state.size = size_of::<PyInterpreterState>() as u64;
        offsets.thread_state.size = size_of::<PyThreadState>() as u64;
        offsets.thread_state.interp = offset_of!(PyThreadState, interp) as u64;
        offsets.thread_state.current_frame = offset_of!(PyThreadState, current_frame) as u64;
        offsets.interpreter_frame.size = size_of::<_PyInterpreterFrame>() as u64;
        offsets.interpreter_frame.previous = offset_of!(_PyInterpreterFrame, previous) as u64;
        offsets.interpreter_frame.instr_ptr = offset_of!(_PyInterpreterFrame, instr_ptr) as u64;
        offsets.interpreter_frame.localsplus = offset_of!(_PyInterpreterFrame, localsplus) as u64;
        offsets.interpreter_frame.owner = offset_of!(_PyInterpreterFrame, owner) as u64;
        offsets.interpreter_frame.stackpointer = offset_of!(_PyInterpreterFrame, stackpointer) as u64;
        offsets.code_object.size = size_of::<PyCodeObject>() as u64;
        offsets.code_object.co_code_adaptive = offset_of!(PyCodeObject, co_code_adaptive) as u64;
        [
            offsets.code_object.co_tlbc,
            offsets.interpreter_frame.tlbc_index,
            offsets.interpreter_state.tlbc_generation,
        ] = COPIES;
        offsets.pyobject.size = size_of::<PyObject>() as u64;
        offsets.pyobject.ob_type = offset_of!(PyObject, ob_type) as u64;
        offsets
    }

    #[test]
    fn the_host_it_was_built_for_passes() {
        assert_eq!(mismatch(&matching()), None);
    }

    #[test]
    fn another_version_is_named() {
        let mut offsets = matching();
        offsets.version = 0x030D_02F0;
        let message = mismatch(&offsets).expect("3.13.2 is another version");
        assert!(message.contains("the host is CPython 3.13.2 "), "{message}");
        offsets.version = 0x030F_00A3;
        let message = mismatch(&offsets).expect("3.15.0a3 is another version");
        assert!(message.contains("the host is CPython 3.15.0a3 "), "{message}");
    }

    #[test]
    fn the_other_gil_mode_is_named() {
        let mut offsets = matching();
        offsets.free_threaded ^= 1;
        let message = mismatch(&offsets).expect("the GIL mode differs");
        assert!(message.contains("free-threaded") && message.contains("with a GIL"), "{message}");
    }

    #[test]
    fn a_moved_field_is_named() {
        let mut offsets = matching();
        offsets.interpreter_frame.owner += 8;
        let message = mismatch(&offsets).expect("the owner field has moved");
        assert!(message.contains("_PyInterpreterFrame.owner"), "{message}");
    }
}
