//! Thread states. Source: `cpython/pystate.h`, `pycore_tstate.h`.

#[cfg(any(feature = "attach", feature = "jit"))]
use core::ffi::c_int;
#[cfg(py_gil_disabled)]
use core::sync::atomic::{AtomicU64, Ordering};

#[cfg(py_gil_disabled)]
use super::code::CodeUnit;
#[cfg(py_gil_disabled)]
use super::copies::Copies;
use super::ffi::{self, PyObject};
use super::frame::Frame;

/// A thread state (`PyThreadState`), borrowed. May be null where a function says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct ThreadState(*mut ffi::PyThreadState);

static_assertions::assert_eq_size!(usize, *mut u8);
static_assertions::const_assert!(core::mem::offset_of!(ffi::_PyThreadStateImpl, base) == 0);
static_assertions::const_assert!(
    core::mem::offset_of!(ffi::PyThreadState, eval_breaker) % size_of::<usize>() == 0
);

/// The type of an evaluator, as PEP 523 defines it.
#[cfg(any(feature = "attach", feature = "jit"))]
pub(crate) type Evaluator =
    unsafe extern "C" fn(*mut ffi::PyThreadState, *mut ffi::_PyInterpreterFrame, c_int) -> *mut PyObject;

/// This library's evaluator. In the attached form, the host's has the same name, but is another one.
#[cfg(any(feature = "attach", feature = "jit"))]
pub(crate) const EVALUATOR: Evaluator = ffi::_PyEval_EvalFrameDefault;

/// What is installed as the evaluator of an interpreter as long as no other one than this library's is: its address, or 0
/// if it is the one that the host has by itself.
#[inline(always)]
pub(crate) fn usual_evaluator() -> usize {
    #[cfg(not(feature = "attach"))]
    return 0;
    #[cfg(feature = "attach")]
    (EVALUATOR as usize)
}

/// Whether another evaluator than this library's is installed in the interpreter (PEP 523).
///
/// # Safety
/// The interpreter is live.
#[inline(always)]
pub(crate) unsafe fn has_custom_evaluator(interp: *mut ffi::PyInterpreterState) -> bool {
    // SAFETY: the interpreter is live (caller).
    let installed = unsafe { (*interp).eval_frame };
    installed.map_or(0, |installed| installed as usize) != usual_evaluator()
}

impl ThreadState {
    #[inline(always)]
    pub(crate) fn from_ptr(tstate: *mut ffi::PyThreadState) -> ThreadState {
        ThreadState(tstate)
    }

    /// The state of the attached thread (`_PyThreadState_GET`); null if the calling thread is not attached.
    #[inline]
    pub(crate) fn current() -> ThreadState {
        // SAFETY: the function has no preconditions.
        ThreadState(unsafe { ffi::PyThreadState_GetUnchecked() })
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut ffi::PyThreadState {
        self.0
    }

    /// The larger structure that starts with the thread state (`_PyThreadStateImpl`).
    #[inline(always)]
    pub(crate) fn implementation(self) -> *mut ffi::_PyThreadStateImpl {
        self.0.cast()
    }

    /// The interpreter of the thread.
    ///
    /// # Safety
    /// The thread state is live.
    #[inline(always)]
    pub(crate) unsafe fn interp(self) -> *mut ffi::PyInterpreterState {
        // SAFETY: the thread state is live (caller).
        unsafe { (*self.0).interp }
    }

    /// On debug hosts, aborts the process if the memory of the thread state was freed
    /// (`_PyThreadState_CheckConsistency`).
    ///
    /// # Safety
    /// The thread state is not null, and its memory is readable.
    #[inline(always)]
    pub(crate) unsafe fn check(self) {
        #[cfg(py_debug)]
        // SAFETY: the memory is readable (caller); the host checks the rest.
        unsafe {
            ffi::_PyThreadState_CheckConsistency(self.0);
        }
    }

    /// The innermost frame of the thread; `None` if it runs no Python code.
    ///
    /// # Safety
    /// The thread state is live.
    #[inline(always)]
    pub(crate) unsafe fn current_frame(self) -> Option<Frame> {
        // SAFETY: the thread state is live (caller).
        Frame::new(unsafe { (*self.0).current_frame })
    }

    /// Sets the innermost frame of the thread.
    ///
    /// # Safety
    /// The thread state is live and the calling thread's. `frame` is live and published.
    #[inline(always)]
    pub(crate) unsafe fn set_current_frame(self, frame: Option<Frame>) {
        // SAFETY: the thread state is live, and no other thread writes the field (caller).
        unsafe { (*self.0).current_frame = Frame::address_of(frame) }
    }

    /// The exception that is set, borrowed; null if none (`_PyErr_Occurred` returns its type).
    ///
    /// # Safety
    /// The thread state is live and attached.
    #[inline(always)]
    pub(crate) unsafe fn raised(self) -> *mut PyObject {
        // SAFETY: the thread state is live (caller).
        unsafe { (*self.0).current_exception }
    }

    /// Whether another evaluator than this library's is installed (PEP 523), so that Python calls must go through
    /// it.
    ///
    /// # Safety
    /// The thread state is live.
    #[inline(always)]
    pub(crate) unsafe fn has_custom_eval_frame(self) -> bool {
        // SAFETY: the thread state is live (caller), and so is its interpreter.
        unsafe { has_custom_evaluator(self.interp()) }
    }

    /// Whether a frame of `size` words fits on the data stack (`_PyThreadState_HasStackSpace`).
    ///
    /// # Safety
    /// The thread state is live and attached.
    #[inline(always)]
    pub(crate) unsafe fn has_stack_space(self, size: usize) -> bool {
        // SAFETY: the thread state is live (caller). Top and limit are null or in the same chunk.
        unsafe {
            let (top, limit) = ((*self.0).datastack_top, (*self.0).datastack_limit);
            !top.is_null() && top as usize + size * size_of::<usize>() < limit as usize
        }
    }

    /// Allocates `size` words on the data stack as the memory of a new frame.
    ///
    /// # Safety
    /// [`ThreadState::has_stack_space`] has returned true for `size`, and the data stack has not changed since.
    #[inline(always)]
    pub(crate) unsafe fn take_stack_space(self, size: usize) -> Frame {
        // SAFETY: the current chunk has room for `size` words (caller).
        unsafe {
            let top = (*self.0).datastack_top;
            (*self.0).datastack_top = top.add(size);
            Frame::from_ptr(top.cast())
        }
    }

    /// Allocates `size` words on the data stack as the memory of a new frame, on a new chunk if necessary.
    /// `None`, without an exception, if there is no memory (`_PyThreadState_PushFrame`).
    ///
    /// # Safety
    /// The thread state is live and attached.
    #[inline(always)]
    pub(crate) unsafe fn push_frame(self, size: usize) -> Option<Frame> {
        // SAFETY: the thread state is live and attached (caller). `has_stack_space` is called just before
        // `take_stack_space`.
        unsafe {
            if self.has_stack_space(size) {
                Some(self.take_stack_space(size))
            } else {
                Frame::new(ffi::_PyThreadState_PushFrame(self.0, size))
            }
        }
    }

    /// Frees the memory of the last frame on the data stack (`_PyThreadState_PopFrame`).
    ///
    /// # Safety
    /// The thread state is live and attached. `frame` is the last one on its data stack, and cleared.
    #[inline(always)]
    pub(crate) unsafe fn pop_frame(self, frame: Frame) {
        // SAFETY: the frame is on the data stack (caller), so there is a chunk.
        unsafe {
            let chunk = (*self.0).datastack_chunk;
            let base = frame.as_ptr().cast::<*mut PyObject>();
            if base == (&raw mut (*chunk).data).cast() {
                // The frame is the first of its chunk, which is freed, too.
                ffi::_PyThreadState_PopFrame(self.0, frame.as_ptr());
            } else {
                (*self.0).datastack_top = base;
            }
        }
    }

    /// Counts one more nested Python call. Returns true if it exceeds the limit; the caller then calls
    /// `check_python_recursion`, which sets the exception.
    ///
    /// # Safety
    /// The thread state is live and attached.
    #[inline(always)]
    pub(crate) unsafe fn enter_python_call(self) -> bool {
        // SAFETY: the thread state is live and only this thread changes its counter while attached (caller).
        unsafe {
            let remaining = (*self.0).py_recursion_remaining;
            (*self.0).py_recursion_remaining = remaining - 1;
            remaining <= 0
        }
    }

    /// Counts one nested Python call less (`_Py_LeaveRecursiveCallPy`).
    ///
    /// # Safety
    /// The thread state is live and attached.
    #[inline(always)]
    pub(crate) unsafe fn leave_python_call(self) {
        // SAFETY: as in `enter_python_call`.
        unsafe { (*self.0).py_recursion_remaining += 1 }
    }

    /// Calls `visit` for the state of every thread of the interpreter (`_Py_FOR_EACH_TSTATE_BEGIN`).
    ///
    /// # Safety
    /// As for [`ThreadState::with_all`], of which `visit` is the action.
    pub(crate) unsafe fn for_each(interp: *mut ffi::PyInterpreterState, visit: impl FnMut(ThreadState)) {
        // SAFETY: the contract of `with_all` (caller).
        unsafe { ThreadState::with_all(interp, |threads| threads.for_each(visit)) }
    }

    /// Calls `action` with an iterator over the states of all threads of the interpreter. The list does not
    /// change meanwhile, so `action` may iterate more than once. Holds the lock of the runtime's interpreters
    /// (`HEAD_LOCK`) during the call.
    ///
    /// # Safety
    /// The interpreter is live, and this thread does not hold the lock. `action` neither detaches the thread
    /// nor creates or destroys thread states, and the iterator does not outlive the call.
    pub(crate) unsafe fn with_all<T>(
        interp: *mut ffi::PyInterpreterState,
        action: impl FnOnce(Threads) -> T,
    ) -> T {
        // SAFETY: the interpreter is live and the lock not held by this thread (caller). The list does not
        // change while the lock is held.
        unsafe {
            let mutex = &raw mut (*(*interp).runtime).interpreters.mutex;
            ffi::_PyMutex_LockTimed(mutex, -1, ffi::_Py_LOCK_DONT_DETACH);
            let result = action(Threads((*interp).threads.head));
            ffi::PyMutex_Unlock(mutex);
            result
        }
    }

    /// The index of this thread in the array of copies of every code object.
    ///
    /// # Safety
    /// The thread state is live.
    #[cfg(py_gil_disabled)]
    #[inline(always)]
    pub(crate) unsafe fn tlbc_index(self) -> i32 {
        // SAFETY: the thread state is live (caller).
        unsafe { (*self.implementation()).tlbc_index }
    }

    /// This thread's copy of the bytecode, if it exists already (`_PyCode_GetTLBCFast`).
    ///
    /// # Safety
    /// The thread state is the attached thread's, and the code object is live.
    #[cfg(py_gil_disabled)]
    #[inline(always)]
    pub(crate) unsafe fn bytecode_copy(self, code: super::Code) -> Option<CodeUnit> {
        // SAFETY: the code object is live and this thread attached (caller), so the array is valid; indices are
        // not negative.
        unsafe { Copies::of(code).get(self.tlbc_index() as usize) }
    }

    /// Reports a quiescent state: this thread holds no pointer to memory that may be reclaimed. Does nothing
    /// with a GIL (`_Py_qsbr_quiescent_state`).
    ///
    /// # Safety
    /// The thread state is the attached thread's. The thread uses no pointer that it loaded without a lock or a
    /// reference before the call.
    #[inline(always)]
    pub(crate) unsafe fn quiescent(self) {
        #[cfg(py_gil_disabled)]
        // SAFETY: the QSBR state is this thread's (caller), and only this thread writes its sequence number.
        unsafe {
            let qsbr = (*self.implementation()).qsbr;
            let shared = AtomicU64::from_ptr(&raw mut (*(*qsbr).shared).wr_seq).load(Ordering::Acquire);
            AtomicU64::from_ptr(&raw mut (*qsbr).seq).store(shared, Ordering::Release);
        }
    }
}

/// Iterates over the threads of an interpreter; from [`ThreadState::with_all`]. A clone starts at the
/// original's current position.
#[derive(Clone)]
pub(crate) struct Threads(*mut ffi::PyThreadState);

impl Iterator for Threads {
    type Item = ThreadState;

    fn next(&mut self) -> Option<ThreadState> {
        let thread = self.0;
        if thread.is_null() {
            return None;
        }
        // SAFETY: `thread` is in the list, which does not change while `with_all` runs.
        self.0 = unsafe { (*thread).next };
        Some(ThreadState(thread))
    }
}
