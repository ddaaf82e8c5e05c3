//! Frames of the evaluator. Source: `pycore_interpframe.h`, `pycore_interpframe_structs.h`.
//!
//! A frame "executes code" unless it is an entry frame, which only marks a C call into the evaluator.

use core::ptr::NonNull;

use super::code::{Code, CodeUnit};
#[cfg(py_gil_disabled)]
use super::copies::Copies;
use super::ffi::{self, PyObject};
use super::stackref::StackRef;
use super::thread::ThreadState;

/// A frame (`_PyInterpreterFrame`), borrowed. Where there may be none, it is an `Option<Frame>`, which is one word,
/// too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Frame(NonNull<ffi::_PyInterpreterFrame>);

static_assertions::assert_eq_size!(Option<Frame>, *mut ffi::_PyInterpreterFrame);

/// Number of words of a frame before its locals (`FRAME_SPECIALS_SIZE`).
pub(crate) const SPECIALS_SIZE: usize = (size_of::<ffi::_PyInterpreterFrame>() - 1) / size_of::<StackRef>();

impl Frame {
    /// Where the collector notes that it has visited the frame. Debug hosts have another flag in this byte.
    #[cfg(all(feature = "jit", not(py_debug)))]
    pub(crate) const VISITED: usize = core::mem::offset_of!(ffi::_PyInterpreterFrame, visited);
    #[cfg(all(feature = "jit", py_debug))]
    pub(crate) const VISITED: usize = core::mem::offset_of!(ffi::_PyInterpreterFrame, _bitfield_1);

    /// The frame at an address; `None` for null.
    #[inline(always)]
    pub(crate) fn new(frame: *mut ffi::_PyInterpreterFrame) -> Option<Frame> {
        NonNull::new(frame).map(Frame)
    }

    /// The frame at an address.
    ///
    /// # Safety
    /// The address is not null.
    #[inline(always)]
    pub(crate) unsafe fn from_ptr(frame: *mut ffi::_PyInterpreterFrame) -> Frame {
        // SAFETY: the address is not null (caller).
        Frame(unsafe { NonNull::new_unchecked(frame) })
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut ffi::_PyInterpreterFrame {
        self.0.as_ptr()
    }

    /// The address of the frame; null for `None`.
    #[inline(always)]
    pub(crate) fn address_of(frame: Option<Frame>) -> *mut ffi::_PyInterpreterFrame {
        frame.map_or(core::ptr::null_mut(), Frame::as_ptr)
    }

    /// The code object that the frame executes, borrowed (`_PyFrame_GetCode`).
    ///
    /// # Safety
    /// The frame is live and executes code.
    #[inline(always)]
    pub(crate) unsafe fn code(self) -> Code {
        // SAFETY: the frame is live and its executable is a code object (caller).
        unsafe { Code::from_ptr(StackRef::from_raw((*self.as_ptr()).f_executable).object().cast()) }
    }

    /// Whether the frame executes this code. An entry frame has another object in the place of the code.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn executes(self, code: Code) -> bool {
        // SAFETY: the frame is live (caller).
        unsafe { StackRef::from_raw((*self.as_ptr()).f_executable).object() == code.object() }
    }

    /// The function that was called, borrowed.
    ///
    /// # Safety
    /// The frame is live and belongs to a function call.
    #[inline(always)]
    pub(crate) unsafe fn function(self) -> *mut ffi::PyFunctionObject {
        // SAFETY: the frame is live and belongs to a function call (caller).
        unsafe { StackRef::from_raw((*self.as_ptr()).f_funcobj).object().cast() }
    }

    /// The first unit of the bytecode that the frame runs; in free-threaded hosts, of the copy at
    /// `copy_index` (`_PyFrame_GetBytecode`).
    ///
    /// # Safety
    /// The frame is live and executes code. In free-threaded hosts the thread is attached.
    #[inline(always)]
    pub(crate) unsafe fn bytecode(self) -> CodeUnit {
        // SAFETY: the frame is live and executes code (caller). A frame's index always names an existing copy:
        // copies with frames are not removed.
        unsafe {
            #[cfg(not(py_gil_disabled))]
            return self.code().bytecode();
            #[cfg(py_gil_disabled)]
            return Copies::of(self.code()).get_unchecked(self.copy_index() as usize);
        }
    }

    /// The index of the copy of the bytecode that the frame runs: the index of a thread, or 0 for the main
    /// copy.
    ///
    /// # Safety
    /// The frame is live and executes code.
    #[cfg(py_gil_disabled)]
    #[inline(always)]
    pub(crate) unsafe fn copy_index(self) -> i32 {
        // SAFETY: the frame is live (caller).
        unsafe { (*self.as_ptr()).tlbc_index }
    }

    /// Makes the frame continue at the same place in another copy of the bytecode.
    ///
    /// # Safety
    /// The frame is live, executes code, and is between two instructions. `copy` is the copy at `index` of the
    /// frame's code object.
    #[cfg(py_gil_disabled)]
    pub(crate) unsafe fn change_copy(self, index: i32, copy: CodeUnit) {
        // SAFETY: the frame is live and executes code (caller); all copies have the same length.
        unsafe {
            let offset = self.instr().offset_from(self.bytecode());
            (*self.as_ptr()).tlbc_index = index;
            self.set_instr(copy.add(offset));
        }
    }

    /// The slot of local variable `index`.
    ///
    /// # Safety
    /// The frame is live and has that local.
    #[inline(always)]
    pub(crate) unsafe fn local_slot(self, index: usize) -> *mut StackRef {
        // SAFETY: the frame has that local (caller); `localsplus` is declared as the first element of a longer
        // array.
        unsafe { (&raw mut (*self.as_ptr()).localsplus).cast::<StackRef>().add(index) }
    }

    /// The value of local variable `index`. The frame keeps its ownership.
    ///
    /// # Safety
    /// As for [`Frame::local_slot`].
    #[inline(always)]
    pub(crate) unsafe fn local(self, index: usize) -> StackRef {
        // SAFETY: the frame has that local (caller).
        unsafe { *self.local_slot(index) }
    }

    /// Sets local variable `index` without releasing the old value.
    ///
    /// # Safety
    /// As for [`Frame::local_slot`]. The caller has taken over the old value, or there is none. The frame takes
    /// over `value`.
    #[inline(always)]
    pub(crate) unsafe fn set_local(self, index: usize, value: StackRef) {
        // SAFETY: the frame has that local (caller).
        unsafe { *self.local_slot(index) = value }
    }

    /// The first slot of the evaluation stack (`_PyFrame_Stackbase`).
    ///
    /// # Safety
    /// The frame is live and executes code.
    #[inline(always)]
    pub(crate) unsafe fn stack_base(self) -> *mut StackRef {
        // SAFETY: the frame is live and executes code (caller); the stack follows the locals.
        unsafe { self.local_slot(self.code().nlocalsplus()) }
    }

    /// The published stack pointer: one past the topmost value.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn stack_pointer(self) -> *mut StackRef {
        // SAFETY: the frame is live (caller).
        unsafe { (*self.as_ptr()).stackpointer.cast() }
    }

    /// Publishes the stack pointer.
    ///
    /// # Safety
    /// The frame is live. `sp` is in its stack, and every slot below it holds a reference.
    #[inline(always)]
    pub(crate) unsafe fn set_stack_pointer(self, sp: *mut StackRef) {
        // SAFETY: the frame is live (caller).
        unsafe { (*self.as_ptr()).stackpointer = sp.cast() }
    }

    /// Sets the stack pointer to that of an empty stack. Debug hosts assert that a frame has one when an object is destroyed, but
    /// the micro-op interpreter clears it. Machine code stores the right one before anything reads the stack.
    ///
    /// # Safety
    /// The frame is live and executes code.
    #[cfg(feature = "jit")]
    #[inline(always)]
    pub(crate) unsafe fn set_some_stack_pointer(self) {
        #[cfg(py_debug)]
        // SAFETY: the frame is live and executes code (caller).
        unsafe {
            self.set_stack_pointer(self.stack_base());
        }
    }

    /// The instruction that is running, or that runs next.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn instr(self) -> CodeUnit {
        // SAFETY: the frame is live (caller).
        CodeUnit::from_ptr(unsafe { (*self.as_ptr()).instr_ptr })
    }

    /// Publishes the instruction pointer.
    ///
    /// # Safety
    /// The frame is live, and `instr` is in its bytecode.
    #[inline(always)]
    pub(crate) unsafe fn set_instr(self, instr: CodeUnit) {
        // SAFETY: the frame is live (caller).
        unsafe { (*self.as_ptr()).instr_ptr = instr.as_ptr() }
    }

    /// The calling frame; `None` if there is none or the frame is not linked.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn previous(self) -> Option<Frame> {
        // SAFETY: the frame is live (caller).
        Frame::new(unsafe { (*self.as_ptr()).previous })
    }

    /// The frame that called this one, or the entry frame that stands for the C caller.
    ///
    /// # Safety
    /// The frame is live and linked, and no entry frame.
    #[inline(always)]
    pub(crate) unsafe fn caller(self) -> Frame {
        // SAFETY: a linked frame has a previous one: at least the entry frame (caller).
        unsafe { Frame::from_ptr((*self.as_ptr()).previous) }
    }

    /// Sets the calling frame.
    ///
    /// # Safety
    /// The frame is live, and so is the other one while this one runs.
    #[inline(always)]
    pub(crate) unsafe fn set_previous(self, previous: Option<Frame>) {
        // SAFETY: the frame is live (caller).
        unsafe { (*self.as_ptr()).previous = Frame::address_of(previous) }
    }

    /// The global namespace, borrowed.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn globals(self) -> *mut PyObject {
        // SAFETY: the frame is live (caller).
        unsafe { (*self.as_ptr()).f_globals }
    }

    /// The namespace of builtins, borrowed.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn builtins(self) -> *mut PyObject {
        // SAFETY: the frame is live (caller).
        unsafe { (*self.as_ptr()).f_builtins }
    }

    /// The namespace of a class body or module, borrowed; null in functions.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn locals_mapping(self) -> *mut PyObject {
        // SAFETY: the frame is live (caller).
        unsafe { (*self.as_ptr()).f_locals }
    }

    /// The owner of the frame's memory: one of the host's `FRAME_OWNED_BY_*`.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn owner(self) -> u32 {
        // SAFETY: the frame is live (caller).
        unsafe { (*self.as_ptr()).owner as u32 }
    }

    /// Whether this is an entry frame, which marks a C call into the evaluator.
    ///
    /// # Safety
    /// The frame is live.
    #[inline(always)]
    pub(crate) unsafe fn is_entry(self) -> bool {
        // SAFETY: the frame is live (caller).
        unsafe { self.owner() == ffi::FRAME_OWNED_BY_INTERPRETER }
    }

    /// Whether the frame is that of a generator or coroutine.
    ///
    /// # Safety
    /// The frame is live.
    #[cfg(py_tier2)]
    pub(crate) unsafe fn is_generator(self) -> bool {
        // SAFETY: the frame is live (caller).
        unsafe { self.owner() == ffi::FRAME_OWNED_BY_GENERATOR }
    }

    /// Whether Python code must not see the frame: it is an entry frame, or it has not yet created its cells or
    /// its generator (`_PyFrame_IsIncomplete`).
    ///
    /// # Safety
    /// The frame is live. In free-threaded hosts the thread is attached.
    pub(crate) unsafe fn is_incomplete(self) -> bool {
        // SAFETY: the frame is live (caller); below that owner it executes code.
        unsafe {
            if self.owner() >= ffi::FRAME_OWNED_BY_INTERPRETER {
                return true;
            }
            self.owner() != ffi::FRAME_OWNED_BY_GENERATOR
                && self.instr().offset_from(self.bytecode())
                    < (*self.code().as_ptr())._co_firsttraceable as isize
        }
    }

    /// The innermost complete frame, starting with this one and going outwards (`_PyFrame_GetFirstComplete`).
    ///
    /// # Safety
    /// The frame is live. In free-threaded hosts the thread is attached.
    pub(crate) unsafe fn first_complete(self) -> Option<Frame> {
        let mut frame = self;
        // SAFETY: the frame is live (caller), and so is the previous one of each live frame.
        unsafe {
            while frame.is_incomplete() {
                frame = frame.previous()?;
            }
        }
        Some(frame)
    }

    /// The frame object, borrowed; created if there is none yet. Null with an exception if there is no memory
    /// (`_PyFrame_GetFrameObject`).
    ///
    /// # Safety
    /// The frame is live, complete and published, and the thread attached.
    pub(crate) unsafe fn frame_object(self) -> *mut ffi::PyFrameObject {
        // SAFETY: the frame is live, complete and published (caller).
        unsafe {
            let object = (*self.as_ptr()).frame_obj;
            if object.is_null() { ffi::_PyFrame_MakeAndSetFrameObject(self.as_ptr()) } else { object }
        }
    }

    /// Initializes a new frame for a call of `function`. Takes over the references to `function` and `locals`.
    /// Sets the locals from `null_locals_from` on to null; the caller fills those before
    /// (`_PyFrame_Initialize`).
    ///
    /// # Safety
    /// The memory has the size of a frame of `code`. `function` is a live function whose code is `code`.
    /// `locals` is null or an owned namespace. The thread is attached. The caller stores a value in each local
    /// below `null_locals_from` before the frame is visible to the collector.
    #[inline(always)]
    pub(crate) unsafe fn initialize(
        self,
        tstate: ThreadState,
        function: StackRef,
        locals: *mut PyObject,
        code: Code,
        null_locals_from: usize,
        previous: Option<Frame>,
    ) {
        // SAFETY: the memory has the size of a frame of `code`, and `function` is a live function (caller).
        unsafe {
            let callee = function.object().cast::<ffi::PyFunctionObject>();
            // Read before the stores: the compiler must assume that they could change it.
            let nlocalsplus = code.nlocalsplus();
            let frame = self.as_ptr();
            (*frame).previous = Frame::address_of(previous);
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

    /// Initializes the fields that do not depend on the purpose of the frame.
    ///
    /// # Safety
    /// The memory has the size of a frame of `code`, which is live. The thread is attached.
    #[inline(always)]
    unsafe fn initialize_common(self, tstate: ThreadState, code: Code) {
        // SAFETY: the memory has the size of a frame of `code` (caller).
        unsafe {
            let frame = self.as_ptr();
            (*frame).f_executable = StackRef::new(code.object()).raw();
            (*frame).frame_obj = core::ptr::null_mut();
            #[cfg(not(py_gil_disabled))]
            {
                let _ = tstate;
                (*frame).instr_ptr = code.bytecode().as_ptr();
            }
            #[cfg(py_gil_disabled)]
            {
                // Without a copy for this thread, start in the main copy: RESUME creates the thread's.
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

    /// Creates a frame on the thread's data stack for a call of `function`. Takes over the reference to
    /// `function` (`_PyFrame_PushUnchecked`).
    ///
    /// # Safety
    /// [`ThreadState::has_stack_space`] has returned true for the frame size of the function's code, and the
    /// data stack has not changed since. Otherwise as for [`Frame::initialize`], with null as `locals`.
    #[inline(always)]
    pub(crate) unsafe fn push_unchecked(
        tstate: ThreadState,
        function: StackRef,
        null_locals_from: usize,
        previous: Frame,
    ) -> Frame {
        // SAFETY: the data stack has room for the frame, and `function` is a live function (caller).
        unsafe {
            let callee = function.object().cast::<ffi::PyFunctionObject>();
            let code = Code::from_ptr((*callee).func_code.cast());
            let frame = tstate.take_stack_space((*code.as_ptr()).co_framesize as usize);
            frame.initialize(tstate, function, core::ptr::null_mut(), code, null_locals_from, Some(previous));
            frame
        }
    }

    /// Creates a frame without a function for the code of a trampoline. Its stack pointer is `depth` values
    /// above the stack's base (`_PyFrame_PushTrampolineUnchecked`).
    ///
    /// # Safety
    /// [`ThreadState::has_stack_space`] has returned true for the frame size of `code`, and the data stack has
    /// not changed since. `code` is live and has room for `depth` values; the caller stores them, and any
    /// locals, before the frame is visible to the collector. The thread is attached.
    #[inline(always)]
    pub(crate) unsafe fn push_trampoline_unchecked(
        tstate: ThreadState,
        code: Code,
        depth: usize,
        previous: Frame,
    ) -> Frame {
        // SAFETY: the data stack has room for the frame, and `code` is live (caller).
        unsafe {
            let frame = tstate.take_stack_space((*code.as_ptr()).co_framesize as usize);
            let fields = frame.as_ptr();
            (*fields).previous = previous.as_ptr();
            (*fields).f_funcobj = StackRef::none().raw();
            (*fields).f_builtins = core::ptr::null_mut();
            (*fields).f_globals = core::ptr::null_mut();
            (*fields).f_locals = core::ptr::null_mut();
            frame.initialize_common(tstate, code);
            frame.set_stack_pointer(frame.local_slot(code.nlocalsplus() + depth));
            frame
        }
    }
}
