//! Notices when something changes that a trace relies on: a dictionary of globals or a type.
//!
//! The host calls a watcher's callback before the change. The callback invalidates the executors that depend on
//! the object. The host reserves the watchers that are used here.

use core::ffi::c_int;

use super::class::Class;
use crate::host::dict::Dict;
use crate::host::{PyObject, PyTypeObject, ThreadState, ffi, owned};
#[cfg(feature = "jit")]
use crate::tier2::executor::Executor;
use crate::tier2::{Dependencies, invalidate};

/// Watches the dictionary of builtins. Its callback is the host's: it invalidates all executors.
const BUILTINS_WATCHER: c_int = 0;
/// Watches dictionaries of globals.
const GLOBALS_WATCHER: c_int = 1;
/// Watches types.
const TYPE_WATCHER: c_int = 0;

/// A dictionary that has changed this often is not relied on any more.
const MAX_CHANGES_OF_GLOBALS: u32 = ffi::_Py_MAX_ALLOWED_GLOBALS_MODIFICATIONS;
const MAX_CHANGES_OF_BUILTINS: u32 = ffi::_Py_MAX_ALLOWED_BUILTINS_MODIFICATIONS;

/// Sets the callbacks of the interpreter, if they are not set yet.
///
/// # Safety
/// The thread is attached to `interp`.
pub(super) unsafe fn set_up(interp: *mut ffi::PyInterpreterState) {
    // SAFETY: the interpreter is live (caller), and the GIL protects its watchers.
    unsafe {
        (*interp).dict_state.watchers[GLOBALS_WATCHER as usize] = Some(globals_change);
        (*interp).type_watchers[TYPE_WATCHER as usize] = Some(type_changes);
    }
}

/// Makes a trace depend on the contents of `globals`. Returns whether it may rely on them.
///
/// # Safety
/// The thread is attached, and the callbacks are [set up](set_up). `globals` is live.
pub(super) unsafe fn watch_globals(globals: Dict, dependencies: &mut Dependencies) -> bool {
    // SAFETY: the dictionary is live (caller).
    unsafe {
        if globals.counted_changes() >= MAX_CHANGES_OF_GLOBALS {
            return false;
        }
        watched(ffi::PyDict_Watch(GLOBALS_WATCHER, globals.object()));
    }
    dependencies.add(globals.object());
    true
}

/// Makes all traces depend on the contents of `builtins`. Returns whether they may rely on them.
///
/// # Safety
/// The thread is attached to `interp`; `builtins` is live.
pub(super) unsafe fn watch_builtins(builtins: Dict, interp: *mut ffi::PyInterpreterState) -> bool {
    // SAFETY: interpreter and dictionary are live (caller).
    unsafe {
        if u32::from((*interp).rare_events.builtin_dict) >= MAX_CHANGES_OF_BUILTINS {
            return false;
        }
        // The host sets the callback when it has imported `site`. In the attached form, there may be traces before that.
        if (*interp).dict_state.watchers[BUILTINS_WATCHER as usize].is_none() {
            return false;
        }
        watched(ffi::PyDict_Watch(BUILTINS_WATCHER, builtins.object()));
    }
    true
}

/// Makes a trace depend on `class` as it is.
///
/// # Safety
/// The thread is attached, and the callbacks are [set up](set_up).
pub(super) unsafe fn watch_type(class: Class, dependencies: &mut Dependencies) {
    // SAFETY: the thread is attached (caller), the type is live.
    unsafe { watched(ffi::PyType_Watch(TYPE_WATCHER, class.object())) };
    dependencies.add(class.as_ptr());
}

/// Whether the executor is invalidated before the type changes.
///
/// # Safety
/// The executor and the type are live.
#[cfg(feature = "jit")]
pub(crate) unsafe fn relies_on_type(executor: Executor, type_: *mut PyTypeObject) -> bool {
    // SAFETY: both are live (caller).
    unsafe {
        (*type_).tp_watched & 1 << TYPE_WATCHER != 0
            && executor.dependencies().may_contain(&Dependencies::only(type_))
    }
}

/// Watching fails only for wrong numbers and objects.
fn watched(status: c_int) {
    debug_assert!(owned::check(status).is_ok());
}

/// # Safety
/// The thread is attached; `globals` is a watched dictionary that is about to change.
unsafe extern "C" fn globals_change(
    _event: ffi::PyDict_WatchEvent,
    globals: *mut PyObject,
    _key: *mut PyObject,
    _value: *mut PyObject,
) -> c_int {
    // SAFETY: thread and dictionary are as the caller promises. Invalidating executors runs no Python code that
    // could use the dictionary.
    unsafe {
        invalidate::dependents(ThreadState::current().interp(), globals);
        Dict::from_object(globals).count_change();
        ffi::PyDict_Unwatch(GLOBALS_WATCHER, globals)
    }
}

/// # Safety
/// The thread is attached; `changed` is a watched type that is about to change.
unsafe extern "C" fn type_changes(changed: *mut PyTypeObject) -> c_int {
    // SAFETY: thread and type are as the caller promises.
    unsafe {
        invalidate::dependents(ThreadState::current().interp(), changed);
        ffi::PyType_Unwatch(TYPE_WATCHER, changed.cast())
    }
}
