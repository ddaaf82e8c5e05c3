//! Generators and coroutines. Source: `pycore_genobject.h`, `pycore_interpframe_structs.h`.

use core::mem::offset_of;

#[cfg(not(py_gil_disabled))]
use super::code::Code;
use super::ffi::{self, PyObject};
use super::frame::Frame;
use super::object::is_exact;
use super::stackref::StackRef;
use super::thread::ThreadState;

/// A generator, coroutine or asynchronous generator (their layouts are the same), borrowed. Its frame is part
/// of the object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Generator(*mut ffi::PyGenObject);

impl Generator {
    #[inline(always)]
    pub(crate) fn from_ptr(generator: *mut PyObject) -> Generator {
        Generator(generator.cast())
    }

    /// `object` if its type is exactly that of generators.
    ///
    /// # Safety
    /// The object is live.
    #[inline(always)]
    pub(crate) unsafe fn exact(object: *mut PyObject) -> Option<Generator> {
        // SAFETY: the object is live (caller).
        unsafe { is_exact(object, &raw mut ffi::PyGen_Type).then_some(Generator(object.cast())) }
    }

    /// `object` if its type is exactly that of generators or of coroutines.
    ///
    /// # Safety
    /// The object is live.
    #[inline(always)]
    pub(crate) unsafe fn exact_or_coroutine(object: *mut PyObject) -> Option<Generator> {
        // SAFETY: the object is live (caller).
        unsafe {
            let is_either =
                is_exact(object, &raw mut ffi::PyGen_Type) || is_exact(object, &raw mut ffi::PyCoro_Type);
            is_either.then_some(Generator(object.cast()))
        }
    }

    /// The generator that contains this frame (`_PyGen_GetGeneratorFromFrame`).
    ///
    /// # Safety
    /// The frame is live and owned by a generator.
    #[inline(always)]
    pub(crate) unsafe fn of_frame(frame: Frame) -> Generator {
        // SAFETY: the frame is a field of its generator (caller).
        unsafe { Generator(frame.as_ptr().byte_sub(offset_of!(ffi::PyGenObject, gi_iframe)).cast()) }
    }

    #[inline(always)]
    pub(crate) fn object(self) -> *mut PyObject {
        self.0.cast()
    }

    /// The frame inside the generator. It has been cleared if the generator has ended.
    ///
    /// # Safety
    /// The generator is live.
    #[inline(always)]
    pub(crate) unsafe fn frame(self) -> Frame {
        // SAFETY: the generator is live (caller), so the address of its field is not null.
        unsafe { Frame::from_ptr(&raw mut (*self.0).gi_iframe) }
    }

    /// Whether the generator is created or suspended: it neither runs nor has it ended.
    ///
    /// # Safety
    /// The generator is live.
    #[inline(always)]
    pub(crate) unsafe fn is_suspended(self) -> bool {
        // SAFETY: the generator is live (caller). The states before FRAME_EXECUTING are the created and
        // suspended ones.
        unsafe { i32::from((*self.0).gi_frame_state) < ffi::FRAME_EXECUTING }
    }

    /// Whether the generator is suspended at a `yield from` or `await`.
    ///
    /// # Safety
    /// The generator is live.
    #[inline(always)]
    pub(crate) unsafe fn delegates(self) -> bool {
        // SAFETY: the generator is live (caller).
        unsafe { i32::from((*self.0).gi_frame_state) == ffi::FRAME_SUSPENDED_YIELD_FROM }
    }

    /// Whether the generator has ended: it has returned or raised, or was closed.
    ///
    /// # Safety
    /// The generator is live.
    #[cfg(py_gil_disabled)]
    pub(crate) unsafe fn has_ended(self) -> bool {
        // SAFETY: the generator is live (caller). The states from FRAME_COMPLETED on are the ended ones.
        unsafe { i32::from((*self.0).gi_frame_state) >= ffi::FRAME_COMPLETED }
    }

    /// Prepares the generator to run as a callee of `caller`, with `sent` as the value of its `yield`
    /// expression. Takes over `sent`. The caller of this function must then make the generator's frame the
    /// current one.
    ///
    /// # Safety
    /// The generator is live and created or suspended, and no other thread runs it. `tstate` is the attached
    /// thread's, `caller` is its current frame, and the caller owns `sent`.
    #[inline(always)]
    pub(crate) unsafe fn resume(self, tstate: ThreadState, sent: StackRef, caller: Frame) {
        // SAFETY: the generator is created or suspended (caller), so its stack has room for one value.
        unsafe {
            let frame = self.frame();
            let sp = frame.stack_pointer();
            *sp = sent;
            frame.set_stack_pointer(sp.add(1));
            self.start(tstate, caller);
        }
    }

    /// [`Generator::resume`] without the value: the caller of this function puts it on the stack of the frame.
    ///
    /// # Safety
    /// As for [`Generator::resume`].
    #[inline(always)]
    pub(crate) unsafe fn start(self, tstate: ThreadState, caller: Frame) {
        // SAFETY: the generator is created or suspended (caller). Its exception state is part of it and stays linked until
        // it is suspended again or ends.
        unsafe {
            let frame = self.frame();
            (*self.0).gi_frame_state = ffi::FRAME_EXECUTING as i8;
            (*self.0).gi_exc_state.previous_item = (*tstate.as_ptr()).exc_info;
            (*tstate.as_ptr()).exc_info = &raw mut (*self.0).gi_exc_state;
            frame.set_previous(Some(caller));
        }
    }

    /// Suspends the generator, at a `yield from` or `await` if `delegating`. Makes the frame that resumed it
    /// the current one, and returns that frame.
    ///
    /// # Safety
    /// The generator was resumed. Its frame is the current frame of the attached thread, and published.
    #[inline(always)]
    pub(crate) unsafe fn suspend(self, tstate: ThreadState, delegating: bool) -> Frame {
        // SAFETY: the generator was resumed (caller), so its links are set.
        unsafe {
            let frame = self.frame();
            (*self.0).gi_frame_state = ffi::FRAME_SUSPENDED as i8 + i8::from(delegating);
            (*tstate.as_ptr()).exc_info = (*self.0).gi_exc_state.previous_item;
            (*self.0).gi_exc_state.previous_item = core::ptr::null_mut();
            let caller = frame.caller();
            tstate.set_current_frame(Some(caller));
            frame.set_previous(None);
            caller
        }
    }

    /// Begins the frame of a new generator, as if a call of `function` with `argument` had come behind the instruction
    /// RETURN_GENERATOR, the first of its code.
    ///
    /// # Safety
    /// The generator was made for the function, which is live and has one parameter. The argument is live, and the thread
    /// attached.
    #[cfg(not(py_gil_disabled))]
    #[inline(always)]
    pub(crate) unsafe fn begin(self, tstate: ThreadState, function: *mut PyObject, argument: *mut PyObject) {
        // SAFETY: the generator has room for the frame (caller). The argument is its first variable.
        unsafe {
            let frame = self.frame();
            let code = Code::from_ptr((*function.cast::<ffi::PyFunctionObject>()).func_code.cast());
            frame.set_local(0, StackRef::new(argument));
            frame.initialize(tstate, StackRef::new(function), core::ptr::null_mut(), code, 1, None);
            frame.set_instr(frame.instr().add(1));
            (*frame.as_ptr()).owner = ffi::FRAME_OWNED_BY_GENERATOR as _;
            (*self.0).gi_frame_state = ffi::FRAME_CREATED as i8;
        }
    }

    /// Moves `frame`, which has just begun, into the generator that was created for it (`_PyFrame_Copy`).
    ///
    /// # Safety
    /// The generator is new and has room for the frame. `frame` is published. Its references are not used
    /// afterwards, since the generator owns them. The thread is attached.
    #[inline(always)]
    pub(crate) unsafe fn adopt(self, frame: Frame) {
        // SAFETY: the generator has room for the frame, whose references move (caller). Borrowed references
        // become owned.
        unsafe {
            let (from, to) = (frame.as_ptr(), self.frame().as_ptr());
            (*to).f_executable = StackRef::from_raw((*from).f_executable).heap_safe().raw();
            (*to).previous = core::ptr::null_mut();
            (*to).f_funcobj = StackRef::from_raw((*from).f_funcobj).heap_safe().raw();
            (*to).f_globals = (*from).f_globals;
            (*to).f_builtins = (*from).f_builtins;
            (*to).f_locals = (*from).f_locals;
            (*to).frame_obj = (*from).frame_obj;
            (*to).instr_ptr = (*from).instr_ptr;
            #[cfg(py_gil_disabled)]
            {
                (*to).tlbc_index = (*from).tlbc_index;
            }
            #[cfg(not(py_debug))]
            {
                (*to).visited = 0;
            }
            #[cfg(py_debug)]
            {
                (*to).set_visited(0);
                (*to).set_lltrace((*from).lltrace());
            }
            let count = frame.stack_pointer().offset_from_unsigned(frame.local_slot(0));
            for index in 0..count {
                self.frame().set_local(index, frame.local(index).heap_safe());
            }
            self.frame().set_stack_pointer(self.frame().local_slot(count));
            (*to).owner = ffi::FRAME_OWNED_BY_GENERATOR as _;
            (*self.0).gi_frame_state = ffi::FRAME_CREATED as i8;
        }
    }
}

/// Whether the object is a generator, or an instance of a subclass (`PyGen_Check`).
///
/// # Safety
/// The object is live.
#[inline]
pub(crate) unsafe fn is_generator(object: *mut PyObject) -> bool {
    // SAFETY: the object is live (caller).
    unsafe {
        Generator::exact(object).is_some()
            || ffi::PyType_IsSubtype((*object).ob_type, &raw mut ffi::PyGen_Type) != 0
    }
}
