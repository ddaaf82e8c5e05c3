//! Frames of the evaluator. Source: `pycore_interpframe.h`, `pycore_interpframe_structs.h`.

use super::code::{Code, CodeUnit};
#[cfg(py_gil_disabled)]
use super::copies::Copies;
use super::ffi::{self, PyObject};
use super::stackref::StackRef;
use super::thread::ThreadState;

/// A frame (`_PyInterpreterFrame`), borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Frame(*mut ffi::_PyInterpreterFrame);

/// Words of a frame before its locals (`FRAME_SPECIALS_SIZE`).
pub(crate) const SPECIALS_SIZE: usize = (size_of::<ffi::_PyInterpreterFrame>() - 1) / size_of::<StackRef>();

impl Frame {
    /// No frame.
    pub(crate) const NULL: Frame = Frame(core::ptr::null_mut());

    #[inline(always)]
    pub(crate) fn from_ptr(frame: *mut ffi::_PyInterpreterFrame) -> Frame {
        Frame(frame)
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut ffi::_PyInterpreterFrame {
        self.0
    }

    #[inline(always)]
    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// The code object that runs here, borrowed (`_PyFrame_GetCode`).
    ///
    /// # Safety
    /// The frame is live and executes code.
    #[inline(always)]
    pub(crate) unsafe fn code(self) -> Code {
        // SAFETY: the caller's promise.
        unsafe { Code::from_ptr(StackRef::from_raw((*self.0).f_executable).object().cast()) }
    }

    /// The function called, borrowed.
    ///
    /// # Safety
    /// The frame is live and belongs to a function call.
    #[inline(always)]
    pub(crate) unsafe fn function(self) -> *mut ffi::PyFunctionObject {
        // SAFETY: the caller's promise.
        unsafe { StackRef::from_raw((*self.0).f_funcobj).object().cast() }
    }

    /// The bytecode this frame runs: in free-threaded hosts the copy of its thread
    /// (`_PyFrame_GetBytecode`).
    ///
    /// # Safety
    /// The frame is live and executes code.
    #[inline(always)]
    pub(crate) unsafe fn bytecode(self) -> CodeUnit {
        // SAFETY: the caller's promise; the index names an existing copy.
        unsafe {
            #[cfg(not(py_gil_disabled))]
            return self.code().bytecode();
            #[cfg(py_gil_disabled)]
            return Copies::of(self.code()).get_unchecked(self.copy_index() as usize);
        }
    }

    /// Which copy of the bytecode the frame runs: the index of a thread, or 0 for the main copy.
    ///
    /// # Safety
    /// The frame is live and executes code.
    #[cfg(py_gil_disabled)]
    #[inline(always)]
    pub(crate) unsafe fn copy_index(self) -> i32 {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).tlbc_index }
    }

    /// Goes on at the same place of another copy of the bytecode.
    ///
    /// # Safety
    /// The frame is live, executes code, and is not part way through an instruction; `copy` is the one at
    /// `index`.
    #[cfg(py_gil_disabled)]
    pub(crate) unsafe fn change_copy(self, index: i32, copy: CodeUnit) {
        // SAFETY: the caller's promise; all copies have one length.
        unsafe {
            let offset = self.instr().offset_from(self.bytecode());
            (*self.0).tlbc_index = index;
            self.set_instr(copy.add(offset));
        }
    }

    /// The slot of local variable `index`.
    ///
    /// # Safety
    /// The frame is live and has that local.
    #[inline(always)]
    pub(crate) unsafe fn local_slot(self, index: usize) -> *mut StackRef {
        // SAFETY: the caller's promise; localsplus is the head of a longer array.
        unsafe { (&raw mut (*self.0).localsplus).cast::<StackRef>().add(index) }
    }

    /// Local variable `index`; the frame keeps it.
    ///
    /// # Safety
    /// As for [`Frame::local_slot`].
    #[inline(always)]
    pub(crate) unsafe fn local(self, index: usize) -> StackRef {
        // SAFETY: the caller's promise.
        unsafe { *self.local_slot(index) }
    }

    /// Sets local variable `index` without looking at what was there.
    ///
    /// # Safety
    /// As for [`Frame::local_slot`]; the caller has taken over the old value.
    #[inline(always)]
    pub(crate) unsafe fn set_local(self, index: usize, value: StackRef) {
        // SAFETY: the caller's promise.
        unsafe { *self.local_slot(index) = value }
    }

    /// The first slot of the evaluation stack (`_PyFrame_Stackbase`).
    ///
    /// # Safety
    /// The frame is live and executes code.
    #[inline(always)]
    pub(crate) unsafe fn stack_base(self) -> *mut StackRef {
        // SAFETY: the caller's promise.
        unsafe { self.local_slot(self.code().nlocalsplus()) }
    }

    /// The published stack pointer: one past the topmost value.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn stack_pointer(self) -> *mut StackRef {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).stackpointer.cast() }
    }

    /// Publishes the stack pointer.
    ///
    /// # Safety
    /// The frame is live, and every slot below `sp` holds a reference.
    #[inline(always)]
    pub(crate) unsafe fn set_stack_pointer(self, sp: *mut StackRef) {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).stackpointer = sp.cast() }
    }

    /// The instruction that runs, or is about to begin.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn instr(self) -> CodeUnit {
        // SAFETY: the caller's promise.
        CodeUnit::from_ptr(unsafe { (*self.0).instr_ptr })
    }

    /// # Safety
    /// The frame is live, and `instr` is in its bytecode.
    #[inline(always)]
    pub(crate) unsafe fn set_instr(self, instr: CodeUnit) {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).instr_ptr = instr.as_ptr() }
    }

    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn previous(self) -> Frame {
        // SAFETY: the caller's promise.
        Frame(unsafe { (*self.0).previous })
    }

    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn globals(self) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).f_globals }
    }

    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn builtins(self) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).f_builtins }
    }

    /// The namespace of a class body or module; null in functions.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn locals_mapping(self) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).f_locals }
    }

    /// Who owns the frame's memory: one of the host's `FRAME_OWNED_BY_*`.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn owner(self) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { (*self.0).owner as u32 }
    }

    /// Whether this is the marker frame of a C call into the evaluator.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn is_entry(self) -> bool {
        // SAFETY: the caller's promise.
        unsafe { self.owner() == ffi::FRAME_OWNED_BY_INTERPRETER }
    }

    /// Whether Python code must not see the frame yet: part way through making cells or a generator
    /// (`_PyFrame_IsIncomplete`).
    ///
    /// # Safety
    /// The frame is live.
    pub(crate) unsafe fn is_incomplete(self) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            if self.owner() >= ffi::FRAME_OWNED_BY_INTERPRETER {
                return true;
            }
            self.owner() != ffi::FRAME_OWNED_BY_GENERATOR
                && self.instr().offset_from(self.bytecode())
                    < (*self.code().as_ptr())._co_firsttraceable as isize
        }
    }

    /// The innermost frame from here outwards that Python code may see; null if none
    /// (`_PyFrame_GetFirstComplete`).
    ///
    /// # Safety
    /// The frame is live or null.
    pub(crate) unsafe fn first_complete(self) -> Frame {
        let mut frame = self;
        // SAFETY: frames link to live frames.
        unsafe {
            while !frame.is_null() && frame.is_incomplete() {
                frame = frame.previous();
            }
        }
        frame
    }

    /// The frame object, made if there is none yet; borrowed. Null with an exception if memory is
    /// short (`_PyFrame_GetFrameObject`).
    ///
    /// # Safety
    /// The frame is live, complete and published.
    pub(crate) unsafe fn frame_object(self) -> *mut ffi::PyFrameObject {
        // SAFETY: the caller's promise.
        unsafe {
            let object = (*self.0).frame_obj;
            if object.is_null() { ffi::_PyFrame_MakeAndSetFrameObject(self.0) } else { object }
        }
    }

    /// Fills in a fresh frame for a call of `function`; consumes the references to it and to
    /// `locals`. Locals from `null_locals_from` on are emptied (`_PyFrame_Initialize`).
    ///
    /// # Safety
    /// The memory holds a frame of `code`'s size; `function` runs `code`.
    #[inline(always)]
    pub(crate) unsafe fn initialize(
        self,
        tstate: ThreadState,
        function: StackRef,
        locals: *mut PyObject,
        code: Code,
        null_locals_from: usize,
        previous: Frame,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let callee = function.object().cast::<ffi::PyFunctionObject>();
            // Read first: for all the compiler knows, the stores below could change it.
            let nlocalsplus = code.nlocalsplus();
            let frame = self.0;
            (*frame).previous = previous.0;
            (*frame).f_funcobj = function.raw();
            (*frame).f_builtins = (*callee).func_builtins;
            (*frame).f_globals = (*callee).func_globals;
            (*frame).f_locals = locals;
            self.initialize_common(tstate, code);
            self.set_stack_pointer(self.local_slot(nlocalsplus));
            for index in null_locals_from..nlocalsplus {
                self.set_local(index, StackRef::NULL);
            }
        }
    }

    /// The fields that every new frame starts with, whatever it is for.
    #[inline(always)]
    unsafe fn initialize_common(self, tstate: ThreadState, code: Code) {
        // SAFETY: the memory holds a frame of `code`'s size.
        unsafe {
            let frame = self.0;
            (*frame).f_executable = StackRef::new(code.object()).raw();
            (*frame).frame_obj = core::ptr::null_mut();
            #[cfg(not(py_gil_disabled))]
            {
                let _ = tstate;
                (*frame).instr_ptr = code.bytecode().as_ptr();
            }
            #[cfg(py_gil_disabled)]
            {
                // Without a copy for this thread, start in the main one: RESUME makes the copy.
                let copy = tstate.bytecode_copy(code);
                (*frame).tlbc_index = if copy.is_some() { tstate.tlbc_index() } else { 0 };
                (*frame).instr_ptr = copy.unwrap_or_else(|| code.bytecode()).as_ptr();
            }
            (*frame).return_offset = 0;
            (*frame).owner = ffi::FRAME_OWNED_BY_THREAD as _;
            #[cfg(not(py_debug))]
            {
                (*frame).visited = 0;
            }
            #[cfg(py_debug)]
            {
                (*frame).set_visited(0);
                (*frame).set_lltrace(0);
            }
        }
    }

    /// A frame on the thread's data stack for a call of `function`, whose reference it consumes
    /// (`_PyFrame_PushUnchecked`).
    ///
    /// # Safety
    /// [`ThreadState::has_stack_space`] has said yes for the function's code.
    #[inline(always)]
    pub(crate) unsafe fn push_unchecked(
        tstate: ThreadState,
        function: StackRef,
        null_locals_from: usize,
        previous: Frame,
    ) -> Frame {
        // SAFETY: the caller's promise.
        unsafe {
            let callee = function.object().cast::<ffi::PyFunctionObject>();
            let code = Code::from_ptr((*callee).func_code.cast());
            let frame = tstate.take_stack_space((*code.as_ptr()).co_framesize as usize);
            frame.initialize(tstate, function, core::ptr::null_mut(), code, null_locals_from, previous);
            frame
        }
    }

    /// A frame without a function, for a trampoline's `code`, with `depth` values to be put on its
    /// stack (`_PyFrame_PushTrampolineUnchecked`).
    ///
    /// # Safety
    /// As for [`Frame::push_unchecked`]; the caller fills the `depth` slots.
    #[inline(always)]
    pub(crate) unsafe fn push_trampoline_unchecked(
        tstate: ThreadState,
        code: Code,
        depth: usize,
        previous: Frame,
    ) -> Frame {
        // SAFETY: the caller's promise.
        unsafe {
            let frame = tstate.take_stack_space((*code.as_ptr()).co_framesize as usize);
            (*frame.0).previous = previous.0;
            (*frame.0).f_funcobj = StackRef::none().raw();
            (*frame.0).f_builtins = core::ptr::null_mut();
            (*frame.0).f_globals = core::ptr::null_mut();
            (*frame.0).f_locals = core::ptr::null_mut();
            frame.initialize_common(tstate, code);
            frame.set_stack_pointer(frame.local_slot(code.nlocalsplus() + depth));
            frame
        }
    }
}
