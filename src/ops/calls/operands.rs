//! The operands of a call on the stack, and calls in C with these operands.
//!
//! Stack references are tagged, and C functions take an array of plain objects, so the arguments are copied.
//! The functions that make the copy are not inlined: their arrays would become part of the stack frame of
//! every instruction.

use core::mem::MaybeUninit;

use crate::engine::Values;
use crate::host::function::{Definition, vectorcall};
use crate::host::object::tuple_size;
use crate::host::{PyObject, PyTypeObject, StackRef, ThreadState, ffi};
use crate::ops::arrays::SCRATCH;

/// The topmost values of the stack of a frame that is about to make a call. From below: the callable; `self`
/// or an empty slot; the arguments; if `KW`, a tuple of names for the last arguments.
#[derive(Clone, Copy)]
pub(crate) struct Operands<const KW: bool> {
    /// The slot of the first argument, not counting `self`.
    arguments: *mut StackRef,
    count: usize,
}

impl<const KW: bool> Values for Operands<KW> {
    #[inline(always)]
    fn count(oparg: usize) -> usize {
        2 + oparg + KW as usize
    }
    #[inline(always)]
    unsafe fn base(top: *mut StackRef, oparg: usize) -> *mut StackRef {
        // SAFETY: the operands are below `top` (caller). LLVM sees that this is the base of what `below`
        // returns.
        unsafe { Self::below(top, oparg).base() }
    }
    #[inline(always)]
    unsafe fn below(top: *mut StackRef, oparg: usize) -> Self {
        // SAFETY: the operands are below `top` (caller).
        Operands { arguments: unsafe { top.sub(oparg + KW as usize) }, count: oparg }
    }
}

/// `# Safety` of all methods: the operands are on the stack, and those that the method reads are live.
impl<const KW: bool> Operands<KW> {
    /// The slot of the lowest operand.
    ///
    /// # Safety
    /// As for all methods.
    #[inline(always)]
    pub(crate) unsafe fn base(self) -> *mut StackRef {
        // SAFETY: the operands are on the stack.
        unsafe { self.arguments.sub(2) }
    }

    /// The callable, borrowed.
    ///
    /// # Safety
    /// As for all methods.
    #[inline(always)]
    pub(crate) unsafe fn callable(self) -> StackRef {
        // SAFETY: the operands are on the stack.
        unsafe { *self.base() }
    }

    /// Replaces the callable. The caller takes over the old one.
    ///
    /// # Safety
    /// As for all methods.
    #[inline(always)]
    pub(crate) unsafe fn set_callable(self, callable: StackRef) {
        // SAFETY: the operands are on the stack.
        unsafe { *self.base() = callable }
    }

    /// The slot of `self`, borrowed: a reference or null.
    ///
    /// # Safety
    /// As for all methods.
    #[inline(always)]
    pub(crate) unsafe fn self_or_null(self) -> StackRef {
        // SAFETY: the operands are on the stack.
        unsafe { *self.arguments.sub(1) }
    }

    /// Whether the slot of `self` is in use.
    ///
    /// # Safety
    /// As for all methods.
    #[inline(always)]
    pub(crate) unsafe fn has_self(self) -> bool {
        // SAFETY: the operands are on the stack.
        unsafe { !self.self_or_null().is_null() }
    }

    /// Fills the empty slot of `self`.
    ///
    /// # Safety
    /// As for all methods.
    #[inline(always)]
    pub(crate) unsafe fn set_self(self, receiver: StackRef) {
        // SAFETY: the operands are on the stack.
        unsafe { *self.arguments.sub(1) = receiver }
    }

    /// The slot of the first argument, `self` included.
    ///
    /// # Safety
    /// As for all methods.
    #[inline(always)]
    pub(crate) unsafe fn first(self) -> *mut StackRef {
        // SAFETY: the operands are on the stack. The address is computed from the end, since callers have
        // computed the total already.
        unsafe { self.arguments.add(self.count).sub(self.total()) }
    }

    /// The number of arguments, including `self`.
    ///
    /// # Safety
    /// As for all methods.
    #[inline(always)]
    pub(crate) unsafe fn total(self) -> usize {
        // SAFETY: the operands are on the stack.
        self.count + unsafe { self.has_self() } as usize
    }

    /// The names of the keyword arguments, or null if there are none.
    ///
    /// # Safety
    /// As for all methods.
    #[inline(always)]
    pub(crate) unsafe fn names(self) -> StackRef {
        // SAFETY: the operands are on the stack.
        if KW { unsafe { *self.arguments.add(self.count) } } else { StackRef::NULL }
    }

    /// The number of positional arguments, including `self`.
    ///
    /// # Safety
    /// As for all methods.
    #[inline(always)]
    pub(crate) unsafe fn positional(self) -> usize {
        // SAFETY: the operands are on the stack; the names are a tuple.
        unsafe { self.total() - if KW { tuple_size(self.names().object()) } else { 0 } }
    }

    /// Releases all operands, topmost first. Each slot is emptied before its reference is released, since the
    /// slots are still part of the published stack.
    ///
    /// # Safety
    /// As for all methods. The thread is attached, the frame published, and the operands are not used again.
    #[inline(always)]
    pub(crate) unsafe fn close(self) {
        // SAFETY: the operands are live, on the published stack, and not used again (caller).
        unsafe {
            let mut slot = self.arguments.add(self.count + KW as usize);
            while slot > self.base() {
                slot = slot.sub(1);
                let operand = *slot;
                *slot = StackRef::NULL;
                operand.close();
            }
        }
    }

    /// Runs `call` with an array of the arguments as borrowed objects, including `self`, and their number.
    /// The slot before the array is writable. Returns the result of `call`, or null with MemoryError.
    ///
    /// The captures of `call` should fit in two registers; otherwise they are spilled to memory for the sake
    /// of the rare case. Therefore `call` gets the operands as an argument.
    ///
    /// # Safety
    /// As for all methods. The thread is attached. `call` keeps the operands on the stack while it uses the
    /// array.
    #[inline(always)]
    unsafe fn with_objects<F>(self, call: F) -> *mut PyObject
    where
        F: FnOnce(Self, *mut *mut PyObject, usize) -> *mut PyObject,
    {
        // SAFETY: the operands are on the stack (caller), and the array has a slot for each argument and one
        // before.
        unsafe {
            let total = self.total();
            if total > SCRATCH {
                return self.with_objects_on_heap(call);
            }
            let mut scratch = [const { MaybeUninit::<*mut PyObject>::uninit() }; SCRATCH + 1];
            let objects = scratch.as_mut_ptr().cast::<*mut PyObject>().add(1);
            self.borrow_objects(objects, total);
            call(self, objects, total)
        }
    }

    /// [`Operands::with_objects`] for calls with very many arguments.
    ///
    /// # Safety
    /// As for [`Operands::with_objects`].
    #[cold]
    #[inline(never)]
    unsafe fn with_objects_on_heap<F>(self, call: F) -> *mut PyObject
    where
        F: FnOnce(Self, *mut *mut PyObject, usize) -> *mut PyObject,
    {
        // SAFETY: the operands are on the stack (caller), and the array has a slot for each argument and one
        // before.
        unsafe {
            let total = self.total();
            let array = ffi::PyMem_Malloc((total + 1) * size_of::<*mut PyObject>()).cast::<*mut PyObject>();
            if array.is_null() {
                return ffi::PyErr_NoMemory();
            }
            let objects = array.add(1);
            self.borrow_objects(objects, total);
            let result = call(self, objects, total);
            ffi::PyMem_Free(array.cast());
            result
        }
    }

    /// Copies the arguments, including `self`, to `objects` as borrowed objects.
    ///
    /// # Safety
    /// As for all methods. `total` is the number of arguments, and `objects` has room for them.
    #[inline(always)]
    unsafe fn borrow_objects(self, objects: *mut *mut PyObject, total: usize) {
        // SAFETY: the operands are on the stack, and the array has room for them (caller).
        unsafe {
            let first = self.first();
            for index in 0..total {
                // Volatile reads keep LLVM from transforming this loop, which runs about twice.
                *objects.add(index) = first.add(index).read_volatile().object();
            }
        }
    }

    /// Calls a callable of any kind (`PyObject_Vectorcall`) and keeps the operands. Returns a new reference,
    /// or null with an exception set.
    ///
    /// # Safety
    /// As for all methods. The thread is attached, `tstate` is its state, and the frame is published.
    #[inline(always)]
    pub(crate) unsafe fn vectorcall_and_keep(self, tstate: ThreadState) -> *mut PyObject {
        // SAFETY: the operands are on the published stack of the attached thread (caller); the objects stay
        // alive for the call.
        unsafe {
            self.with_objects(move |operands, objects, total| {
                let names = operands.names().object();
                let positional = if KW { total - tuple_size(names) } else { total };
                vectorcall(tstate, operands.callable().object(), objects, positional, names)
            })
        }
    }

    // The functions below make the call, release the operands, and return a new reference, or null with an
    // exception set.

    /// Calls a callable of any kind and releases the operands.
    ///
    /// # Safety
    /// As for [`Operands::vectorcall_and_keep`]. The operands are not used again.
    #[inline(never)]
    pub(crate) unsafe fn vectorcall(self, tstate: ThreadState) -> *mut PyObject {
        // SAFETY: the operands are on the published stack and not used again (caller).
        unsafe {
            let result = self.vectorcall_and_keep(tstate);
            self.close();
            result
        }
    }
}

impl Operands<false> {
    /// Calls a type through its `tp_vectorcall`.
    ///
    /// # Safety
    /// As for [`Operands::vectorcall`]. `type_` is the callable and has a `tp_vectorcall`.
    #[inline(never)]
    pub(crate) unsafe fn call_type(self, type_: *mut PyTypeObject) -> *mut PyObject {
        // SAFETY: the operands are on the published stack, and the type has the function (caller).
        unsafe {
            let result = self.with_objects(move |_, objects, total| {
                (*type_).tp_vectorcall.unwrap_unchecked()(type_.cast(), objects, total, core::ptr::null_mut())
            });
            self.close();
            result
        }
    }

    /// Calls a built-in function through `METH_FASTCALL`.
    ///
    /// # Safety
    /// As for [`Operands::vectorcall`]. `function` and `receiver` belong to the callable, and the function
    /// has exactly this calling convention.
    #[inline(never)]
    pub(crate) unsafe fn call_fast(self, function: Definition, receiver: *mut PyObject) -> *mut PyObject {
        // SAFETY: the operands are on the published stack, and the function has this convention (caller).
        unsafe {
            let result =
                self.with_objects(move |_, objects, total| function.call_fast(receiver, objects, total));
            self.close();
            result
        }
    }

    /// Calls a built-in function through `METH_FASTCALL | METH_KEYWORDS`.
    ///
    /// # Safety
    /// As for [`Operands::call_fast`].
    #[inline(never)]
    pub(crate) unsafe fn call_fast_with_keywords(
        self,
        function: Definition,
        receiver: *mut PyObject,
    ) -> *mut PyObject {
        // SAFETY: the operands are on the published stack, and the function has this convention (caller).
        unsafe {
            let result = self.with_objects(move |_, objects, total| {
                function.call_fast_with_keywords(receiver, objects, total)
            });
            self.close();
            result
        }
    }

    /// Calls a method through `METH_FASTCALL`. Its receiver is the first argument.
    ///
    /// # Safety
    /// As for [`Operands::vectorcall`]. There is at least one argument, and `method` belongs to the callable,
    /// accepts that receiver, and has exactly this calling convention.
    #[inline(never)]
    pub(crate) unsafe fn call_method_fast(self, method: Definition) -> *mut PyObject {
        // SAFETY: the operands are on the published stack, and at least one is an argument (caller).
        unsafe {
            let result = self
                .with_objects(move |_, objects, total| method.call_fast(*objects, objects.add(1), total - 1));
            self.close();
            result
        }
    }

    /// Calls a method through `METH_FASTCALL | METH_KEYWORDS`. Its receiver is the first argument.
    ///
    /// # Safety
    /// As for [`Operands::call_method_fast`].
    #[inline(never)]
    pub(crate) unsafe fn call_method_fast_with_keywords(self, method: Definition) -> *mut PyObject {
        // SAFETY: the operands are on the published stack, and at least one is an argument (caller).
        unsafe {
            let result = self.with_objects(move |_, objects, total| {
                method.call_fast_with_keywords(*objects, objects.add(1), total - 1)
            });
            self.close();
            result
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn self_is_the_first_argument_if_there_is_one() {
        let mut objects = [0u64; 6];
        let references: Vec<StackRef> = objects
            .iter_mut()
            .map(|object| StackRef::from_raw(ffi::_PyStackRef { bits: &raw mut *object as usize }))
            .collect();
        for (receiver, total) in [(StackRef::NULL, 2), (references[1], 3)] {
            let mut stack = [references[0], receiver, references[2], references[3]];
            let operands = Operands::<false> { arguments: &raw mut stack[2], count: 2 };
            // SAFETY: the operands are in the array, which lives as long as they are used.
            unsafe {
                assert_eq!(operands.callable(), references[0]);
                assert_eq!(operands.total(), total);
                assert_eq!(operands.positional(), total);
                assert_eq!(*operands.first().add(total - 1), references[3]);
                assert_eq!(*operands.first(), if total == 3 { receiver } else { references[2] });
                assert!(operands.names().is_null());

                let mut borrowed = [core::ptr::null_mut(); 3];
                operands.borrow_objects(borrowed.as_mut_ptr(), total);
                assert_eq!(borrowed[total - 1], references[3].object());
            }
        }
    }
}
