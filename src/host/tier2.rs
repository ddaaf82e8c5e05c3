//! Tier 2 as the host knows it: whether it is on in an interpreter and, in the attached form, what such a host must have.

use super::ffi;

/// Whether executors may be made for code that runs in the interpreter.
///
/// # Safety
/// The thread is attached to `interp`.
#[cfg(not(feature = "attach"))]
pub(crate) unsafe fn is_on(interp: *mut ffi::PyInterpreterState) -> bool {
    // SAFETY: the interpreter is live (caller).
    unsafe { (*interp).jit }
}

#[cfg(feature = "attach")]
pub(crate) use attached::*;

/// A host has a tier 2 of its own, which is off. It looks for executors wherever it must: code that ends or that tools
/// watch, local variables that a debugger sets, another evaluator that is installed. Executors of its layout, in its lists,
/// are found there.
#[cfg(feature = "attach")]
mod attached {
    use core::ffi::c_void;
    use core::sync::atomic::{AtomicBool, Ordering};

    use once_cell::race::OnceNonZeroUsize;

    use super::super::thread::has_custom_evaluator;
    use super::ffi;

    /// Whether the main interpreter is to have tier 2. As in hosts, others have none.
    static IS_WANTED: AtomicBool = AtomicBool::new(false);

    /// Whether executors may be made for code that runs in the interpreter: only as long as this library's evaluator is
    /// installed. At the end, the host invalidates all executors once; none must be made after that.
    ///
    /// # Safety
    /// The thread is attached to `interp`.
    pub(crate) unsafe fn is_on(interp: *mut ffi::PyInterpreterState) -> bool {
        // SAFETY: the interpreter is live (caller). The functions have no preconditions.
        unsafe {
            IS_WANTED.load(Ordering::Relaxed)
                && is_main(interp)
                && !has_custom_evaluator(interp)
                && ffi::Py_IsFinalizing() == 0
        }
    }

    /// Whether this is the interpreter that can have tier 2.
    pub(crate) fn is_main(interp: *mut ffi::PyInterpreterState) -> bool {
        // SAFETY: the function has no preconditions.
        interp == unsafe { ffi::PyInterpreterState_Main() }
    }

    /// Switches tier 2 of the main interpreter on or off.
    pub(crate) fn set_wanted(wanted: bool) {
        IS_WANTED.store(wanted, Ordering::Relaxed);
    }

    /// `_Py_Executor_DependsOn`.
    type DependsOn = unsafe extern "C" fn(*mut ffi::_PyExecutorObject, *mut c_void);

    /// The host's function, which only hosts with a tier 2 have. `None` if this one has none.
    fn depends_on() -> Option<DependsOn> {
        static ADDRESS: OnceNonZeroUsize = OnceNonZeroUsize::new();
        let find = || {
            // SAFETY: the name is a C string.
            let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"_Py_Executor_DependsOn".as_ptr()) };
            core::num::NonZeroUsize::new(found.expose_provenance()).ok_or(())
        };
        let address = ADDRESS.get_or_try_init(find).ok()?;
        // SAFETY: the host's function of this name has this type in all its versions with this layout of executors.
        Some(unsafe { core::mem::transmute::<usize, DependsOn>(address.get()) })
    }

    /// Whether the host has a tier 2.
    pub(crate) fn is_in_host() -> bool {
        depends_on().is_some()
    }

    /// Adds an object to the set of those on which an executor depends, as the host does: it looks for the object there.
    pub(crate) fn add_dependency(set: &mut ffi::_PyBloomFilter, object: *const c_void) {
        if let Some(depends_on) = depends_on() {
            // SAFETY: integers and pointers, for which zero is a value.
            let mut executor: ffi::_PyExecutorObject = unsafe { core::mem::zeroed() };
            executor.vm_data.bloom = *set;
            // SAFETY: the function only changes the set.
            unsafe { depends_on(&raw mut executor, object.cast_mut()) };
            *set = executor.vm_data.bloom;
        }
    }
}
