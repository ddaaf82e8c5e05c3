//! Freeing the copies that belong to no thread any more (`sys._clear_internal_caches`).
//!
//! The host's own function frees all copies without a thread, and frames that have outlived their thread then
//! point into freed memory. Here these frames are moved to the main copy first.

use core::ffi::{c_int, c_void};

use super::NoMemory;
use super::frames::use_main_copy;
use super::pool;
use crate::host::copies::Copies;
use crate::host::generator::Generator;
use crate::host::lock::with_world_stopped;
use crate::host::object::{is_exact, type_of};
use crate::host::{Code, Frame, PyObject, ThreadState, ffi};

/// The indices that threads have. All others may be assigned to new threads.
struct InUse(Vec<bool>);

impl InUse {
    /// The indices of the interpreter's threads.
    ///
    /// # Safety
    /// The interpreter is live, and the world is stopped.
    unsafe fn by_threads(interp: *mut ffi::PyInterpreterState) -> Result<InUse, NoMemory> {
        // SAFETY: the interpreter is live (caller), and so are the threads in the list; indices are not
        // negative.
        unsafe {
            ThreadState::with_all(interp, |threads| {
                InUse::collect(threads.map(|thread| thread.tlbc_index() as usize))
            })
        }
    }

    /// A set of these indices and index 0, which is always in use.
    fn collect(indices: impl Iterator<Item = usize>) -> Result<InUse, NoMemory> {
        let mut flags = Vec::new();
        // The main copy is never freed.
        for index in indices.chain([0]) {
            if index >= flags.len() {
                flags.try_reserve(index + 1 - flags.len()).map_err(|_| NoMemory)?;
                flags.resize(index + 1, false);
            }
            flags[index] = true;
        }
        Ok(InUse(flags))
    }

    fn contains(&self, index: usize) -> bool {
        self.0.get(index).is_some_and(|&flag| flag)
    }
}

/// The state of a walk over all objects. During the walk, no memory of the host's collector may be allocated or
/// freed; so the walk only records the code objects that have unused copies.
struct Walk {
    in_use: InUse,
    code_objects: Vec<Code>,
    failed: bool,
}

impl Walk {
    /// Records the object if it is a code object with unused copies. Moves its frame to the main copy if it has
    /// one in an unused copy.
    ///
    /// # Safety
    /// The object is live and the world is stopped.
    unsafe fn visit(&mut self, object: *mut PyObject) -> Result<(), NoMemory> {
        // SAFETY: the object is live (caller), and has the structure of its type. A frame in an unused copy is
        // that of no thread, or of one that is in `use_own_copy`, since RESUME moves frames to their thread's
        // copy first.
        unsafe {
            if is_exact(object, &raw mut ffi::PyCode_Type) {
                let code = Code::from_ptr(object.cast());
                if Copies::of(code).iter().any(|(index, _)| !self.in_use.contains(index)) {
                    self.code_objects.try_reserve(1).map_err(|_| NoMemory)?;
                    self.code_objects.push(code);
                }
            } else if let Some(frame) = kept_frame(object)
                && !self.in_use.contains(frame.copy_index() as usize)
            {
                use_main_copy(frame);
            }
        }
        Ok(())
    }

    /// The C form of [`Walk::visit`]: returns 0 to stop the walk.
    ///
    /// # Safety
    /// `object` is live, `walk` points to a [`Walk`] that nothing else uses meanwhile, and the world is
    /// stopped.
    unsafe extern "C" fn callback(object: *mut PyObject, walk: *mut c_void) -> c_int {
        // SAFETY: the collector passes on the `walk` that it got from [`free_unused`], and object and world are
        // as required (caller).
        unsafe {
            let walk = &mut *walk.cast::<Walk>();
            walk.failed = walk.visit(object).is_err();
            c_int::from(!walk.failed)
        }
    }
}

/// The frame that an object keeps after the call that it was made for: that of a generator, or of a frame
/// object whose call has ended. All other frames belong to running threads, and are in these threads' copies.
///
/// # Safety
/// The object is live and the world is stopped.
unsafe fn kept_frame(object: *mut PyObject) -> Option<Frame> {
    // SAFETY: the object is live (caller), and has the structure of its type.
    unsafe {
        let type_ = type_of(object);
        if type_ == &raw mut ffi::PyFrame_Type {
            return Frame::new((*object.cast::<ffi::PyFrameObject>()).f_frame)
                .filter(|frame| frame.owner() == ffi::FRAME_OWNED_BY_FRAME_OBJECT);
        }
        let generators = [&raw mut ffi::PyGen_Type, &raw mut ffi::PyCoro_Type, &raw mut ffi::PyAsyncGen_Type];
        if !generators.contains(&type_) {
            return None;
        }
        let generator = Generator::from_ptr(object);
        (!generator.has_ended()).then(|| generator.frame())
    }
}

/// Frees the copies under indices that no thread has.
///
/// # Safety
/// The interpreter is live, the thread is attached to it, and the world is stopped.
unsafe fn free_unused(interp: *mut ffi::PyInterpreterState) -> Result<(), NoMemory> {
    // SAFETY: interpreter and thread are as required (caller). After the walk, no frame is in an unused copy,
    // so these may be freed.
    unsafe {
        let in_use = InUse::by_threads(interp)?;
        let mut walk = Walk { in_use, code_objects: Vec::new(), failed: false };
        ffi::_PyGC_VisitObjectsWorldStopped(interp, Some(Walk::callback), (&raw mut walk).cast());
        if walk.failed {
            return Err(NoMemory);
        }
        for code in walk.code_objects {
            let copies = Copies::of(code);
            for index in (1..copies.places()).filter(|&index| !walk.in_use.contains(index)) {
                if let Some(copy) = copies.remove(index) {
                    ffi::PyMem_Free(copy.as_ptr().cast());
                }
            }
        }
        pool::count_change(&raw mut (*interp).tlbc_indices);
        Ok(())
    }
}

/// Frees the copies that belong to no thread of the interpreter. If memory is short, frees none.
///
/// # Safety
/// The thread is attached to the interpreter and has not stopped the world.
pub(crate) unsafe fn free(interp: *mut ffi::PyInterpreterState) -> Result<(), NoMemory> {
    // SAFETY: the thread is attached and has not stopped the world (caller); the closure runs no Python code.
    unsafe { with_world_stopped(interp, || free_unused(interp)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unused(indices: &[usize]) -> Vec<usize> {
        let in_use = InUse::collect(indices.iter().copied()).expect("there is memory");
        (0..7).filter(|&index| !in_use.contains(index)).collect()
    }

    #[test]
    fn what_no_thread_has_is_unused_but_never_the_main_copy() {
        assert_eq!(unused(&[]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(unused(&[0, 3]), [1, 2, 4, 5, 6]);
        assert_eq!(unused(&[5, 1, 0, 1]), [2, 3, 4, 6]);
    }
}
