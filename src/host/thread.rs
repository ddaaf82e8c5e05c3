//! Thread states. Source: `cpython/pystate.h`, `pycore_tstate.h`.

#[cfg(py_gil_disabled)]
use core::sync::atomic::{AtomicU64, Ordering};

#[cfg(py_gil_disabled)]
use super::code::CodeUnit;
#[cfg(py_gil_disabled)]
use super::copies::Copies;
use super::ffi::{self, PyObject};
use super::frame::Frame;

/// A thread state (`PyThreadState`), borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct ThreadState(*mut ffi::PyThreadState);

static_assertions::assert_eq_size!(usize, *mut u8);
static_assertions::const_assert!(core::mem::offset_of!(ffi::_PyThreadStateImpl, base) == 0);
static_assertions::const_assert!(
    core::mem::offset_of!(ffi::PyThreadState, eval_breaker) % size_of::<usize>() == 0
);

impl ThreadState {
    #[inline(always)]
    pub(crate) fn from_ptr(tstate: *mut ffi::PyThreadState) -> ThreadState {
        ThreadState(tstate)
    }

    /// The attached thread's state (`_PyThreadState_GET`).
    #[inline]
    pub(crate) fn current() -> ThreadState {
        // SAFETY: has no preconditions; null if no thread is attached.
        ThreadState(unsafe { ffi::PyThreadState_GetUnchecked() })
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut ffi::PyThreadState {
        self.0
    }

    /// The larger structure that every thread state is the head of.
    #[inline(always)]
    pub(crate) fn implementation(self) -> *mut ffi::_PyThreadStateImpl {
        self.0.cast()
    }

    /// # Safety
    /// The thread state is live.
    #[inline(always)]
    pub(crate) unsafe fn interp(self) -> *mut ffi::PyInterpreterState {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).interp }
    }

    /// On debug hosts, ends the process if the thread state's memory was freed
    /// (`_PyThreadState_CheckConsistency`).
    ///
    /// # Safety
    /// The thread state is not null.
    #[inline(always)]
    pub(crate) unsafe fn check(self) {
        #[cfg(py_debug)]
        // SAFETY: the caller's promise; the function makes its assertions itself.
        unsafe {
            ffi::_PyThreadState_CheckConsistency(self.0);
        }
    }

    /// # Safety
    /// The thread state is live.
    #[inline(always)]
    pub(crate) unsafe fn current_frame(self) -> Frame {
        // SAFETY: the caller's promise.
        Frame::from_ptr(unsafe { (*self.0).current_frame })
    }

    /// # Safety
    /// The thread state is live, and `frame` is live and published, or null.
    #[inline(always)]
    pub(crate) unsafe fn set_current_frame(self, frame: Frame) {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).current_frame = frame.as_ptr() }
    }

    /// The exception being raised, borrowed; null if none (`_PyErr_Occurred` gives its type).
    ///
    /// # Safety
    /// The thread state is live and attached.
    #[inline(always)]
    pub(crate) unsafe fn raised(self) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).current_exception }
    }

    /// Whether the installed evaluator is another than the default one (PEP 523), so that Python
    /// calls must go through it.
    ///
    /// # Safety
    /// The thread state is live.
    #[inline(always)]
    pub(crate) unsafe fn has_custom_eval_frame(self) -> bool {
        // SAFETY: the caller's promise.
        unsafe { (*self.interp()).eval_frame.is_some() }
    }

    /// Whether a frame of `size` words fits on the data stack (`_PyThreadState_HasStackSpace`).
    ///
    /// # Safety
    /// The thread state is live and attached.
    #[inline(always)]
    pub(crate) unsafe fn has_stack_space(self, size: usize) -> bool {
        // SAFETY: top and limit are null or in one chunk.
        unsafe {
            let (top, limit) = ((*self.0).datastack_top, (*self.0).datastack_limit);
            !top.is_null() && top as usize + size * size_of::<usize>() < limit as usize
        }
    }

    /// Takes `size` words off the data stack as the memory of a new frame.
    ///
    /// # Safety
    /// [`ThreadState::has_stack_space`] has said yes.
    #[inline(always)]
    pub(crate) unsafe fn take_stack_space(self, size: usize) -> Frame {
        // SAFETY: the caller's promise.
        unsafe {
            let top = (*self.0).datastack_top;
            (*self.0).datastack_top = top.add(size);
            Frame::from_ptr(top.cast())
        }
    }

    /// The memory of a new frame of `size` words, on a new chunk of the data stack if need be; null,
    /// without an exception, if there is none (`_PyThreadState_PushFrame`).
    ///
    /// # Safety
    /// The thread state is live and attached.
    #[inline(always)]
    pub(crate) unsafe fn push_frame(self, size: usize) -> Frame {
        // SAFETY: the caller's promise.
        unsafe {
            if self.has_stack_space(size) {
                self.take_stack_space(size)
            } else {
                Frame::from_ptr(ffi::_PyThreadState_PushFrame(self.0, size))
            }
        }
    }

    /// Gives the memory of the last frame on the data stack back (`_PyThreadState_PopFrame`).
    ///
    /// # Safety
    /// The thread state is live and attached; the frame is cleared.
    #[inline(always)]
    pub(crate) unsafe fn pop_frame(self, frame: Frame) {
        // SAFETY: the caller's promise; a frame on the stack is in some chunk.
        unsafe {
            let chunk = (*self.0).datastack_chunk;
            let base = frame.as_ptr().cast::<*mut PyObject>();
            if base == (&raw mut (*chunk).data).cast() {
                // The chunk is empty and goes, too.
                ffi::_PyThreadState_PopFrame(self.0, frame.as_ptr());
            } else {
                (*self.0).datastack_top = base;
            }
        }
    }

    /// One Python call deeper; true if that is too deep and an exception must be set.
    ///
    /// # Safety
    /// The thread state is live and attached.
    #[inline(always)]
    pub(crate) unsafe fn enter_python_call(self) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            let remaining = (*self.0).py_recursion_remaining;
            (*self.0).py_recursion_remaining = remaining - 1;
            remaining <= 0
        }
    }

    /// One Python call less deep (`_Py_LeaveRecursiveCallPy`).
    ///
    /// # Safety
    /// The thread state is live and attached.
    #[inline(always)]
    pub(crate) unsafe fn leave_python_call(self) {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).py_recursion_remaining += 1 }
    }

    /// Calls `visit` with the state of every thread of the interpreter (`_Py_FOR_EACH_TSTATE_BEGIN`).
    ///
    /// # Safety
    /// The interpreter is live; `visit` neither detaches the thread nor makes or ends others.
    pub(crate) unsafe fn for_each(interp: *mut ffi::PyInterpreterState, visit: impl FnMut(ThreadState)) {
        // SAFETY: the caller's promise.
        unsafe { ThreadState::with_all(interp, |threads| threads.for_each(visit)) }
    }

    /// Calls `action` with the states of all threads of the interpreter, whose list stays as it is
    /// meanwhile: it may be gone through more than once.
    ///
    /// # Safety
    /// As for [`ThreadState::for_each`]; the iterator does not outlive the call.
    pub(crate) unsafe fn with_all<T>(
        interp: *mut ffi::PyInterpreterState,
        action: impl FnOnce(Threads) -> T,
    ) -> T {
        // SAFETY: the caller's promise; the list stays as it is while the runtime's lock is held.
        unsafe {
            let mutex = &raw mut (*(*interp).runtime).interpreters.mutex;
            ffi::_PyMutex_LockTimed(mutex, -1, ffi::_Py_LOCK_DONT_DETACH);
            let result = action(Threads((*interp).threads.head));
            ffi::PyMutex_Unlock(mutex);
            result
        }
    }

    /// This thread's index into every code object's array of copies.
    ///
    /// # Safety
    /// The thread state is live.
    #[cfg(py_gil_disabled)]
    #[inline(always)]
    pub(crate) unsafe fn tlbc_index(self) -> i32 {
        // SAFETY: the caller's promise.
        unsafe { (*self.implementation()).tlbc_index }
    }

    /// This thread's copy of the bytecode, if it exists already (`_PyCode_GetTLBCFast`).
    ///
    /// # Safety
    /// Thread state and code are live.
    #[cfg(py_gil_disabled)]
    #[inline(always)]
    pub(crate) unsafe fn bytecode_copy(self, code: super::Code) -> Option<CodeUnit> {
        // SAFETY: the caller's promise; indices are not negative.
        unsafe { Copies::of(code).get(self.tlbc_index() as usize) }
    }

    /// Tells the memory reclaimer that this thread holds no unprotected pointer; nothing with a GIL
    /// (`_Py_qsbr_quiescent_state`).
    ///
    /// # Safety
    /// The thread state is live and attached.
    #[inline(always)]
    pub(crate) unsafe fn quiescent(self) {
        #[cfg(py_gil_disabled)]
        // SAFETY: the thread's own QSBR state; only this thread writes its sequence number.
        unsafe {
            let qsbr = (*self.implementation()).qsbr;
            let shared = AtomicU64::from_ptr(&raw mut (*(*qsbr).shared).wr_seq).load(Ordering::Acquire);
            AtomicU64::from_ptr(&raw mut (*qsbr).seq).store(shared, Ordering::Release);
        }
    }
}

/// The threads of an interpreter, from [`ThreadState::with_all`]; copies start where the original is.
#[derive(Clone)]
pub(crate) struct Threads(*mut ffi::PyThreadState);

impl Iterator for Threads {
    type Item = ThreadState;

    fn next(&mut self) -> Option<ThreadState> {
        let thread = self.0;
        if thread.is_null() {
            return None;
        }
        // SAFETY: the list does not change while `with_all` runs.
        self.0 = unsafe { (*thread).next };
        Some(ThreadState(thread))
    }
}
