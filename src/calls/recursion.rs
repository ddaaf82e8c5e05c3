//! Recursion limits of Python calls and of the C stack. Source: `ceval.c`, `pycore_ceval.h`,
//! `pycore_pythonrun.h`.
//!
//! The C stack of a thread grows downwards. It has a hard limit one margin above its lower end, and a soft
//! limit two margins above it. Past the soft limit calls raise RecursionError; past the hard limit the process
//! is aborted.

use core::ffi::{c_char, c_int};

use crate::host::{Raised, ThreadState, ffi};
use crate::raise;

/// The distance between the limits (`_PyOS_STACK_MARGIN_BYTES`).
const STACK_MARGIN_BYTES: usize = ffi::_PyOS_STACK_MARGIN as usize * size_of::<usize>();

/// The smallest stack that can be protected (`_PyOS_MIN_STACK_SIZE`).
const MIN_STACK_SIZE: usize = STACK_MARGIN_BYTES * 3;

/// Number of Python calls allowed beyond the limit while RecursionError is being raised.
const HEADROOM: c_int = 50;

// --- Python calls ------------------------------------------------------------------------------

/// Sets RecursionError if no Python calls remain (`_Py_CheckRecursiveCallPy`). Called after
/// [`ThreadState::enter_python_call`] has returned true. Aborts the process if the limit is exceeded by far
/// while RecursionError is being raised.
///
/// # Safety
/// `tstate` is the attached thread's, and its frames are published.
#[cold]
#[inline(never)]
pub(crate) unsafe fn check_python_recursion(tstate: ThreadState) -> Result<(), Raised> {
    // SAFETY: `tstate` is the attached thread's (caller); the message has no directives.
    unsafe {
        let remaining = (*tstate.as_ptr()).py_recursion_remaining;
        if (*tstate.as_ptr()).recursion_headroom != 0 {
            if remaining < -HEADROOM {
                ffi::_Py_FatalErrorFunc(
                    c"_Py_CheckRecursiveCallPy".as_ptr(),
                    c"Cannot recover from Python stack overflow.".as_ptr(),
                );
            }
            Ok(())
        } else if remaining <= 0 {
            with_headroom(tstate, || Err(raise!(PyExc_RecursionError, c"maximum recursion depth exceeded")))
        } else {
            Ok(())
        }
    }
}

/// Runs `raise` while the limits are not enforced, since creating the exception may call Python code.
///
/// # Safety
/// `tstate` is the attached thread's.
unsafe fn with_headroom<T>(tstate: ThreadState, raise: impl FnOnce() -> T) -> T {
    // SAFETY: `tstate` is this thread's (caller), so no other thread changes the field.
    unsafe {
        (*tstate.as_ptr()).recursion_headroom += 1;
        let result = raise();
        (*tstate.as_ptr()).recursion_headroom -= 1;
        result
    }
}

/// Sets the interpreter's limit of nested Python calls, for every thread. Calls that a thread is in already
/// count against the new limit.
///
/// # Safety
/// The thread is attached to the interpreter, and the world is not stopped.
pub(crate) unsafe fn set_limit(interp: *mut ffi::PyInterpreterState, new_limit: c_int) {
    // SAFETY: the interpreter is live (caller). The other threads are parked while their states change.
    unsafe {
        ffi::_PyEval_StopTheWorld(interp);
        (*interp).ceval.recursion_limit = new_limit;
        ThreadState::for_each(interp, |thread| {
            let thread = thread.as_ptr();
            let depth = (*thread).py_recursion_limit - (*thread).py_recursion_remaining;
            (*thread).py_recursion_limit = new_limit;
            (*thread).py_recursion_remaining = new_limit - depth;
        });
        ffi::_PyEval_StartTheWorld(interp);
    }
}

// --- The C stack -------------------------------------------------------------------------------

/// The machine's stack pointer (`_Py_get_machine_stack_pointer`).
#[inline(always)]
fn stack_pointer() -> usize {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let here: usize;
        // SAFETY: copies a register only.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            core::arch::asm!("mov {}, rsp", out(reg) here, options(nomem, nostack, preserves_flags));
            #[cfg(target_arch = "aarch64")]
            core::arch::asm!("mov {}, sp", out(reg) here, options(nomem, nostack, preserves_flags));
        }
        here
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let marker = 0u8;
        core::hint::black_box(&raw const marker) as usize
    }
}

/// Returns true, with RecursionError set, if the C stack is used up (`_Py_EnterRecursiveCallTstate`).
///
/// # Safety
/// `tstate` is the attached thread's, its frames are published, and `place` is a C string.
#[inline(always)]
pub(crate) unsafe fn enter_recursive_call(tstate: ThreadState, place: *const c_char) -> bool {
    // SAFETY: `tstate` is the attached thread's and `place` a C string (caller).
    unsafe { is_past_soft_limit(tstate, stack_pointer()) && overflow(tstate, place).is_err() }
}

/// Whether `here` is between the soft limit and the end of the stack. Below the end, the limits cannot be right
/// because the program has switched stacks; the result is false then (`_Py_MakeRecCheck`).
///
/// # Safety
/// The thread state is live.
#[inline(always)]
unsafe fn is_past_soft_limit(tstate: ThreadState, here: usize) -> bool {
    // SAFETY: the thread state is live (caller).
    let limit = unsafe { (*tstate.implementation()).c_stack_soft_limit };
    here < limit && here >= limit.wrapping_sub(2 * STACK_MARGIN_BYTES)
}

/// Sets RecursionError after the soft limit of the C stack was passed, and fails. `place` (a C string) ends the
/// message. Succeeds if limits are not enforced at the moment. Past the hard limit, aborts the process.
///
/// # Safety
/// `tstate` is the attached thread's, its frames are published, and `place` is a C string.
#[cold]
pub(crate) unsafe fn overflow(tstate: ThreadState, place: *const c_char) -> Result<(), Raised> {
    let here = stack_pointer();
    // SAFETY: `tstate` is the attached thread's and `place` a C string (caller); the arguments match the
    // format.
    unsafe {
        let limits = tstate.implementation();
        let kilobytes_used = (*limits).c_stack_top.wrapping_sub(here) as c_int / 1024;
        if here < (*limits).c_stack_hard_limit {
            unrecoverable(kilobytes_used, place);
        }
        if (*tstate.as_ptr()).recursion_headroom != 0 {
            return Ok(());
        }
        Err(with_headroom(tstate, || {
            raise!(PyExc_RecursionError, c"Stack overflow (used %d kB)%s", kilobytes_used, place)
        }))
    }
}

/// Aborts the process, since the C stack has overflowed beyond recovery.
///
/// # Safety
/// `place` is a C string.
#[inline(never)]
unsafe fn unrecoverable(kilobytes_used: c_int, place: *const c_char) -> ! {
    let mut message: [c_char; 80] = [0; 80];
    // SAFETY: the buffer has the length that is passed, `place` is a C string (caller), and the arguments match
    // the format.
    unsafe {
        ffi::PyOS_snprintf(
            message.as_mut_ptr(),
            message.len(),
            c"Unrecoverable stack overflow (used %d kB)%s".as_ptr(),
            kilobytes_used,
            place,
        );
        ffi::_Py_FatalErrorFunc(c"_Py_CheckRecursiveCall".as_ptr(), message.as_ptr())
    }
}

/// Aborts the process if the hard limit of the C stack is passed.
///
/// # Safety
/// `tstate` is the calling thread's state.
pub(crate) unsafe fn check_hard_limit(tstate: ThreadState) {
    // SAFETY: the thread state is live (caller).
    unsafe {
        if stack_pointer() < (*tstate.implementation()).c_stack_hard_limit {
            ffi::_Py_FatalErrorFunc(
                c"_Py_EnterRecursiveCallUnchecked".as_ptr(),
                c"Unchecked stack overflow.".as_ptr(),
            );
        }
    }
}

/// Whether the C stack is within `margin_count` margins (0 or 1) of its soft limit. Sets the limits first if
/// they are not set yet.
///
/// # Safety
/// `tstate` is the calling thread's state.
pub(crate) unsafe fn is_near_limit(tstate: ThreadState, margin_count: c_int) -> bool {
    let here = stack_pointer();
    let limits = tstate.implementation();
    let margin = (margin_count as isize as usize).wrapping_mul(STACK_MARGIN_BYTES);
    // SAFETY: the thread state is the calling thread's (caller).
    unsafe {
        if here > (*limits).c_stack_soft_limit.wrapping_add(margin) {
            return false;
        }
        if (*limits).c_stack_hard_limit == 0 {
            initialize(tstate);
        }
        let limit = (*limits).c_stack_soft_limit;
        here <= limit.wrapping_add(margin) && here >= limit.wrapping_sub(2 * STACK_MARGIN_BYTES)
    }
}

/// The ends of a thread's C stack, which grows downwards from `top`.
struct StackBounds {
    base: usize,
    top: usize,
}

impl StackBounds {
    /// The bounds for the calling thread, whose stack pointer is `here`.
    fn of_current_thread(here: usize) -> StackBounds {
        platform::stack_bounds().unwrap_or_else(|| {
            // Assume that the thread has begun just now, so that its stack starts a little above `here`.
            const PAGE: usize = 4096;
            let top = (here + 8 * size_of::<*mut u8>()).next_multiple_of(PAGE);
            StackBounds { base: top - ASSUMED_STACK_SIZE, top }
        })
    }

    /// Sets the thread's limits according to these bounds.
    ///
    /// # Safety
    /// The thread state is live, and its thread runs on this stack.
    unsafe fn protect(&self, tstate: ThreadState) {
        // SAFETY: the thread state is live (caller).
        unsafe {
            let limits = tstate.implementation();
            (*limits).c_stack_top = self.top;
            (*limits).c_stack_hard_limit = self.base + STACK_MARGIN_BYTES;
            (*limits).c_stack_soft_limit = self.base + 2 * STACK_MARGIN_BYTES;
        }
    }
}

/// The assumed size of a stack if the system does not report it (`Py_C_STACK_SIZE`).
const ASSUMED_STACK_SIZE: usize = if cfg!(target_arch = "s390x") {
    320_000
} else if cfg!(target_os = "android") {
    1_200_000
} else if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
    1_600_000
} else if cfg!(target_arch = "powerpc64") {
    2_000_000
} else {
    4_000_000
};

/// Sets the limits of the calling thread's C stack to what the system reports.
///
/// # Safety
/// `tstate` is the calling thread's state.
pub(crate) unsafe fn initialize(tstate: ThreadState) {
    let bounds = StackBounds::of_current_thread(stack_pointer());
    // SAFETY: the thread state is the calling thread's (caller).
    unsafe {
        bounds.protect(tstate);
        (*tstate.implementation()).c_stack_init_base = bounds.base;
        (*tstate.implementation()).c_stack_init_top = bounds.top;
    }
}

/// Sets the memory that the thread uses as its C stack from now on. Fails with ValueError if it is too small.
///
/// # Safety
/// The calling thread is attached. `tstate` is the state of a thread that runs on the given stack.
pub(crate) unsafe fn protect(tstate: ThreadState, base: usize, size: usize) -> Result<(), Raised> {
    // SAFETY: the thread state is live, and its thread runs on this stack (caller); the argument matches the
    // format.
    unsafe {
        if size < MIN_STACK_SIZE {
            return Err(raise!(PyExc_ValueError, c"stack_size must be at least %zu bytes", MIN_STACK_SIZE));
        }
        StackBounds { base, top: base.wrapping_add(size) }.protect(tstate);
    }
    Ok(())
}

/// Restores the limits of the stack that the thread had originally.
///
/// # Safety
/// `tstate` is the calling thread's state.
pub(crate) unsafe fn unprotect(tstate: ThreadState) {
    // SAFETY: the thread state is the calling thread's (caller).
    unsafe {
        let (base, top) =
            ((*tstate.implementation()).c_stack_init_base, (*tstate.implementation()).c_stack_init_top);
        if top == 0 {
            initialize(tstate);
        } else {
            StackBounds { base, top }.protect(tstate);
        }
    }
}

/// The bounds of the calling thread's stack as the system reports them. Among C libraries of Linux only glibc
/// is asked: musl reports a much smaller size than there is.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod platform {
    use super::StackBounds;

    pub(super) fn stack_bounds() -> Option<StackBounds> {
        let (mut guard, mut size) = (0, 0);
        let mut start = core::ptr::null_mut();
        let mut attributes = core::mem::MaybeUninit::uninit();
        // SAFETY: the first call initializes the attributes; they are read, then destroyed.
        let status = unsafe {
            if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
                return None;
            }
            libc::pthread_attr_getguardsize(attributes.as_ptr(), &raw mut guard)
                | libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut start, &raw mut size)
                | libc::pthread_attr_destroy(attributes.as_mut_ptr())
        };
        let start = start as usize;
        (status == 0).then_some(StackBounds { base: start + guard, top: start + size })
    }
}

#[cfg(target_vendor = "apple")]
mod platform {
    use super::StackBounds;

    pub(super) fn stack_bounds() -> Option<StackBounds> {
        // SAFETY: the functions only read facts about the calling thread.
        let (top, size) = unsafe {
            let thread = libc::pthread_self();
            (libc::pthread_get_stackaddr_np(thread) as usize, libc::pthread_get_stacksize_np(thread))
        };
        Some(StackBounds { base: top - size, top })
    }
}

#[cfg(windows)]
mod platform {
    use super::{StackBounds, ffi};

    pub(super) fn stack_bounds() -> Option<StackBounds> {
        let (mut low, mut high, mut guarantee) = (0, 0, 0);
        // SAFETY: both functions only store into the variables passed; a guarantee of size zero is a query.
        unsafe {
            ffi::GetCurrentThreadStackLimits(&raw mut low, &raw mut high);
            ffi::SetThreadStackGuarantee(&raw mut guarantee);
        }
        Some(StackBounds { base: low as usize + guarantee as usize, top: high as usize })
    }
}

#[cfg(not(any(all(target_os = "linux", target_env = "gnu"), target_vendor = "apple", windows)))]
mod platform {
    use super::StackBounds;

    pub(super) fn stack_bounds() -> Option<StackBounds> {
        None
    }
}
