//! Freeing the copies that belong to no thread any more.
//!
//! The host's own function frees what has no thread, and frames that have outlived their thread then point into
//! freed memory. Here they are moved to the main copy first.

use core::ffi::{c_int, c_void};

use super::NoMemory;
use super::frames::use_main_copy;
use super::pool;
use crate::host::copies::Copies;
use crate::host::generator::Generator;
use crate::host::lock::with_world_stopped;
use crate::host::object::{is_exact, type_of};
use crate::host::{Code, Frame, PyObject, ThreadState, ffi};

/// The indices that threads have; all others may be given to new threads.
struct InUse(Vec<bool>);

impl InUse {
    /// # Safety
    /// The interpreter is live, and the world is stopped.
    unsafe fn by_threads(interp: *mut ffi::PyInterpreterState) -> Result<InUse, NoMemory> {
        // SAFETY: the caller's promise; indices are not negative.
        unsafe {
            ThreadState::with_all(interp, |threads| {
                InUse::collect(threads.map(|thread| thread.tlbc_index() as usize))
            })
        }
    }

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

/// What a walk over all objects finds. Memory of the host's collector must be neither allocated nor freed
/// meanwhile, so what is to be freed is only noted.
struct Walk {
    in_use: InUse,
    code_objects: Vec<Code>,
    failed: bool,
}

impl Walk {
    /// # Safety
    /// The object is live and the world is stopped.
    unsafe fn visit(&mut self, object: *mut PyObject) -> Result<(), NoMemory> {
        // SAFETY: the caller's promise; each type has its structure.
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

    unsafe extern "C" fn callback(object: *mut PyObject, walk: *mut c_void) -> c_int {
        // SAFETY: the collector passes on what it was given, and nobody else uses it meanwhile.
        unsafe {
            let walk = &mut *walk.cast::<Walk>();
            walk.failed = walk.visit(object).is_err();
            c_int::from(!walk.failed)
        }
    }
}

/// The frame that an object keeps after the call that it was made for: in a generator, or in a frame object whose
/// call is over. All other frames are those of running threads, and in their copies.
///
/// # Safety
/// The object is live and the world is stopped.
unsafe fn kept_frame(object: *mut PyObject) -> Option<Frame> {
    // SAFETY: the caller's promise; each type has its structure.
    unsafe {
        let type_ = type_of(object);
        if type_ == &raw mut ffi::PyFrame_Type {
            let frame = Frame::from_ptr((*object.cast::<ffi::PyFrameObject>()).f_frame);
            return (!frame.is_null() && frame.owner() == ffi::FRAME_OWNED_BY_FRAME_OBJECT).then_some(frame);
        }
        let generators = [&raw mut ffi::PyGen_Type, &raw mut ffi::PyCoro_Type, &raw mut ffi::PyAsyncGen_Type];
        if !generators.contains(&type_) {
            return None;
        }
        let generator = Generator::from_ptr(object);
        (!generator.has_ended()).then(|| generator.frame())
    }
}

/// Frees the copies that no thread has.
///
/// # Safety
/// The interpreter is live, the thread attached to it, and the world is stopped.
unsafe fn free_unused(interp: *mut ffi::PyInterpreterState) -> Result<(), NoMemory> {
    // SAFETY: the caller's promise. No frame is in a copy any more that no thread has.
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

/// Frees the copies that belong to no thread of the interpreter; without memory, none.
///
/// # Safety
/// The thread is attached to the interpreter, and has not stopped the world.
pub(crate) unsafe fn free(interp: *mut ffi::PyInterpreterState) -> Result<(), NoMemory> {
    // SAFETY: the caller's promise.
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
