//! The number of the last error of a system call: `errno`, on Windows what `GetLastError` returns.
//!
//! Windows has both. There, nothing in this library changes `errno`, which belongs to C's library.

/// The error number of the calling thread at some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SystemError(platform::Number);

impl SystemError {
    /// What it is now.
    pub(super) fn last() -> SystemError {
        SystemError(platform::get())
    }

    /// Sets it to what it was.
    pub(super) fn restore(self) {
        platform::set(self.0);
    }
}

#[cfg(test)]
impl From<u8> for SystemError {
    fn from(number: u8) -> SystemError {
        SystemError(number.into())
    }
}

#[cfg(not(windows))]
mod platform {
    pub(super) type Number = core::ffi::c_int;

    pub(super) fn get() -> Number {
        // SAFETY: the address is that of the calling thread's own number.
        unsafe { *libc::__errno_location() }
    }

    pub(super) fn set(number: Number) {
        // SAFETY: as in `get`.
        unsafe { *libc::__errno_location() = number };
    }
}

#[cfg(windows)]
mod platform {
    pub(super) type Number = u32;

    pub(super) fn get() -> Number {
        // SAFETY: the function has no preconditions.
        unsafe { crate::host::ffi::GetLastError() }
    }

    pub(super) fn set(number: Number) {
        // SAFETY: the function has no preconditions.
        unsafe { crate::host::ffi::SetLastError(number) }
    }
}
