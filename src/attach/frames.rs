//! Memory of frames, their frame objects, and releasing what they hold. Source: `pystate.c`, `frame.c`,
//! `frameobject.c`.

use core::mem::{offset_of, replace};
use core::ptr;

use crate::host::{Code, Frame, Owned, PyObject, StackRef, ffi, refcount};

hidden! { _PyThreadState_PushFrame, _PyFrame_MakeAndSetFrameObject, _PyFrame_ClearExceptCode }

// --- the data stack ----------------------------------------------------------------------------

/// The smallest chunk of a data stack, in bytes.
const CHUNK: usize = 16 * 1024;
/// How many words a new chunk has beyond the frame that it is made for, at least.
const SPARE: usize = 1000;
const WORD: usize = size_of::<*mut PyObject>();

/// Allocates `size` words on the data stack of the thread, on a new chunk if necessary. Returns null, without an
/// exception, if memory is short.
///
/// # Safety
/// The thread is attached and `tstate` is its state.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyThreadState_PushFrame(
    tstate: *mut ffi::PyThreadState,
    size: usize,
) -> *mut ffi::_PyInterpreterFrame {
    // SAFETY: the fields are the calling thread's (caller).
    unsafe {
        let top = (*tstate).datastack_top;
        let fits = !top.is_null() && top.add(size) < (*tstate).datastack_limit;
        let memory = if fits { top } else { add_chunk(tstate, size) };
        if !memory.is_null() {
            (*tstate).datastack_top = memory.add(size);
        }
        memory.cast()
    }
}

/// Adds a chunk with room for `size` words to the data stack, and returns where they begin; null if memory is short.
/// The host frees the chunk, or keeps it for the next time, when its first frame is popped.
///
/// # Safety
/// As for [`_PyThreadState_PushFrame`].
unsafe fn add_chunk(tstate: *mut ffi::PyThreadState, size: usize) -> *mut *mut PyObject {
    // SAFETY: old and new chunk are live, and begin with their header (caller).
    unsafe {
        let mut bytes = CHUNK;
        while bytes < (size + SPARE) * WORD {
            bytes *= 2;
        }
        let chunk = kept_chunk(tstate, bytes).unwrap_or_else(|| new_chunk(bytes));
        if chunk.is_null() {
            return ptr::null_mut();
        }
        let previous = (*tstate).datastack_chunk;
        (*chunk).previous = previous;
        (*chunk).top = 0;
        if let Some(previous) = previous.as_mut() {
            previous.top = (*tstate).datastack_top.offset_from((&raw mut previous.data).cast()) as usize;
        }
        (*tstate).datastack_chunk = chunk;
        (*tstate).datastack_limit = chunk.byte_add(bytes).cast();
        let start = (&raw mut (*chunk).data).cast::<*mut PyObject>();
        // A frame at the start of a chunk takes the chunk with it. The first chunk stays as long as the thread.
        start.add(usize::from(previous.is_null()))
    }
}

/// Takes the chunk that the host has kept when its last frame was popped, if there is one of `bytes` at least.
///
/// # Safety
/// As for [`_PyThreadState_PushFrame`].
unsafe fn kept_chunk(tstate: *mut ffi::PyThreadState, bytes: usize) -> Option<*mut ffi::_PyStackChunk> {
    #[cfg(not(host_keeps_a_chunk))]
    {
        let _ = (tstate, bytes);
        None
    }
    #[cfg(host_keeps_a_chunk)]
    // SAFETY: the field is the calling thread's, and null or a chunk that nothing else uses (caller).
    unsafe {
        let kept = &mut (*tstate).datastack_cached_chunk;
        (!kept.is_null() && (**kept).size >= bytes).then(|| replace(kept, ptr::null_mut()))
    }
}

/// Allocates a chunk of `bytes`, with the allocator that the host frees it with. Null if memory is short.
///
/// # Safety
/// The thread is attached.
unsafe fn new_chunk(bytes: usize) -> *mut ffi::_PyStackChunk {
    // SAFETY: the allocator is the host's and complete. Memory of this size has room for a header.
    unsafe {
        let mut allocator = ffi::PyObjectArenaAllocator { ctx: ptr::null_mut(), alloc: None, free: None };
        ffi::PyObject_GetArenaAllocator(&raw mut allocator);
        let Some(allocate) = allocator.alloc else { return ptr::null_mut() };
        let chunk = allocate(allocator.ctx, bytes).cast::<ffi::_PyStackChunk>();
        if !chunk.is_null() {
            (*chunk).size = bytes;
        }
        chunk
    }
}

// --- frame objects -----------------------------------------------------------------------------

/// Creates the frame object of `frame`, and returns it, borrowed. Returns null with MemoryError set. An exception that
/// is set stays.
///
/// # Safety
/// The thread is attached; `frame` is live and published, and has no frame object.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyFrame_MakeAndSetFrameObject(
    frame: *mut ffi::_PyInterpreterFrame,
) -> *mut ffi::PyFrameObject {
    // SAFETY: the frame is live (caller). The new object is of the type's size with room for such a frame, and the
    // collector does not see it before it owns one.
    unsafe {
        let raised = Owned::optional(ffi::PyErr_GetRaisedException());
        let code = Frame::from_ptr(frame).code();
        let object = new_frame_object(code);
        if object.is_null() {
            return ptr::null_mut();
        }
        if let Some(raised) = raised {
            ffi::PyErr_SetRaisedException(raised.into_ptr());
        }
        (*object).f_frame = frame;
        (*frame).frame_obj = object;
        object
    }
}

/// Returns a frame object without a frame, with room for one of `code`. Returns null with MemoryError set.
///
/// # Safety
/// The thread is attached; `code` is live.
unsafe fn new_frame_object(code: Code) -> *mut ffi::PyFrameObject {
    // SAFETY: the code is live (caller). All fields but `f_frame` are set.
    unsafe {
        let code = code.as_ptr();
        let slots = (*code).co_nlocalsplus + (*code).co_stacksize;
        let object =
            ffi::_PyObject_GC_NewVar(&raw mut ffi::PyFrame_Type, slots as isize).cast::<ffi::PyFrameObject>();
        if let Some(object) = object.as_mut() {
            object.f_back = ptr::null_mut();
            object.f_trace = ptr::null_mut();
            object.f_lineno = 0;
            object.f_trace_lines = 1;
            object.f_trace_opcodes = 0;
            object.f_extra_locals = ptr::null_mut();
            object.f_locals_cache = ptr::null_mut();
            object.f_overwritten_fast_locals = ptr::null_mut();
        }
        object
    }
}

// --- the end of a frame ------------------------------------------------------------------------

/// Releases what `frame` holds, except its code. If its frame object has other references, that takes over the
/// contents.
///
/// # Safety
/// The thread is attached; `frame` is live and published, and no thread runs it or is linked to it any more. It is not
/// that of a frame object.
#[unsafe(no_mangle)]
unsafe extern "C" fn _PyFrame_ClearExceptCode(frame: *mut ffi::_PyInterpreterFrame) {
    // SAFETY: the frame is live and not linked (caller). Each reference is released or handed over once.
    unsafe {
        let observer = Owned::optional(replace(&mut (*frame).frame_obj, ptr::null_mut()).cast());
        if let Some(observer) = observer
            && !refcount::is_unique(observer.as_ptr())
        {
            take_over(observer.as_ptr().cast(), Frame::from_ptr(frame));
            return;
        }
        clear(frame);
    }
}

/// Releases the stack, from the top, the locals, from the last one, the namespace, and the function.
///
/// # Safety
/// As for [`_PyFrame_ClearExceptCode`].
unsafe fn clear(frame: *mut ffi::_PyInterpreterFrame) {
    // SAFETY: the frame is live and published, and its references are released once (caller): destructors that look
    // at it find it empty.
    unsafe {
        let this = Frame::from_ptr(frame);
        let bottom = this.local_slot(0);
        let mut slot = this.stack_pointer();
        this.set_stack_pointer(bottom);
        while slot > bottom {
            slot = slot.sub(1);
            (*slot).close();
        }
        refcount::xdecref(replace(&mut (*frame).f_locals, ptr::null_mut()));
        StackRef::from_raw(replace(&mut (*frame).f_funcobj, StackRef::NULL.raw())).close();
    }
}

/// Moves the contents of `frame`, except its reference to the code, to the memory of its frame object.
///
/// # Safety
/// As for [`_PyFrame_ClearExceptCode`]; `object` was the frame object.
unsafe fn take_over(object: *mut ffi::PyFrameObject, frame: Frame) {
    // SAFETY: the object has room for the frame's contents (caller). References that count nothing become counted ones:
    // what keeps their objects alive may end with the thread's frames.
    unsafe {
        let copy = (&raw mut (*object)._f_frame_data).cast::<ffi::_PyInterpreterFrame>();
        let source = frame.as_ptr();
        let values = frame.stack_pointer().offset_from(frame.local_slot(0)) as usize;
        ptr::copy_nonoverlapping(
            source.cast::<u8>(),
            copy.cast(),
            offset_of!(ffi::_PyInterpreterFrame, localsplus),
        );
        let owned = Frame::from_ptr(copy);
        let executable = StackRef::from_raw((*source).f_executable).heap_safe();
        (*copy).f_executable = executable.raw();
        // The caller releases the frame's own reference.
        (*source).f_executable = executable.dup().raw();
        (*copy).f_funcobj = StackRef::from_raw((*source).f_funcobj).heap_safe().raw();
        (*copy).previous = ptr::null_mut();
        (*copy).owner = ffi::FRAME_OWNED_BY_FRAME_OBJECT as _;
        #[cfg(not(py_debug))]
        {
            (*copy).visited = 0;
        }
        #[cfg(py_debug)]
        (*copy).set_visited(0);
        for index in 0..values {
            owned.set_local(index, frame.local(index).heap_safe());
        }
        owned.set_stack_pointer(owned.local_slot(values));
        (*object).f_frame = copy;
        if owned.is_incomplete() {
            // A generator that was never started: let it seem that it was.
            let first = (*owned.code().as_ptr())._co_firsttraceable as isize;
            owned.set_instr(owned.bytecode().add(first + 1));
        }
        link_caller(object, frame);
        if ffi::PyObject_GC_IsTracked(object.cast()) == 0 {
            ffi::PyObject_GC_Track(object.cast());
        }
    }
}

/// Sets `f_back` of a frame object to the frame object of the caller, if there is a caller. If memory is short, there
/// is none. An exception that is set stays.
///
/// # Safety
/// The thread is attached; `object` is live, and `frame` is its old frame.
unsafe fn link_caller(object: *mut ffi::PyFrameObject, frame: Frame) {
    // SAFETY: the frames below are live, and complete ones can have frame objects (caller).
    unsafe {
        let Some(caller) = frame.previous().and_then(|previous| previous.first_complete()) else { return };
        let raised = Owned::optional(ffi::PyErr_GetRaisedException());
        let caller = caller.frame_object();
        if caller.is_null() {
            ffi::PyErr_Clear();
        } else {
            refcount::incref(caller.cast());
            (*object).f_back = caller;
        }
        if let Some(raised) = raised {
            ffi::PyErr_SetRaisedException(raised.into_ptr());
        }
    }
}
