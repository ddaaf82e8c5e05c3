//! The operands of a call, and calls from them into C.
//!
//! Stack references carry tags, so C functions, which want an array of objects, get a copy. The functions
//! that make one are not inlined: their arrays would be in the stack frame of the instructions.

use core::mem::MaybeUninit;

use crate::engine::Values;
use crate::host::function::{Definition, vectorcall};
use crate::host::object::tuple_size;
use crate::host::{PyObject, PyTypeObject, StackRef, ThreadState, ffi};

/// The number of arguments that are copied to the C stack; more go to the heap.
const SCRATCH: usize = 10;

/// The topmost values of the stack of a frame that is about to call. From below: the callable; `self`,
/// or an empty slot; the arguments; with `KW`, a tuple of names for as many of the last arguments.
#[derive(Clone, Copy)]
pub(crate) struct Operands<const KW: bool> {
    /// The slot of the first argument that is not `self`.
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
        // SAFETY: the caller's promise. LLVM sees that this is the base of what `below` returns.
        unsafe { Self::below(top, oparg).base() }
    }
    #[inline(always)]
    unsafe fn below(top: *mut StackRef, oparg: usize) -> Self {
        // SAFETY: the caller's promise.
        Operands { arguments: unsafe { top.sub(oparg + KW as usize) }, count: oparg }
    }
}

/// `# Safety` of all methods: the operands are still on the stack.
#[allow(clippy::missing_safety_doc)] // said once, above
impl<const KW: bool> Operands<KW> {
    /// The slot of the lowest operand.
    #[inline(always)]
    pub(crate) unsafe fn base(self) -> *mut StackRef {
        // SAFETY: the operands are on the stack.
        unsafe { self.arguments.sub(2) }
    }

    #[inline(always)]
    pub(crate) unsafe fn callable(self) -> StackRef {
        // SAFETY: the operands are on the stack.
        unsafe { *self.base() }
    }

    /// Replaces the callable, which the caller takes over.
    #[inline(always)]
    pub(crate) unsafe fn set_callable(self, callable: StackRef) {
        // SAFETY: the operands are on the stack.
        unsafe { *self.base() = callable }
    }

    #[inline(always)]
    pub(crate) unsafe fn self_or_null(self) -> StackRef {
        // SAFETY: the operands are on the stack.
        unsafe { *self.arguments.sub(1) }
    }

    #[inline(always)]
    pub(crate) unsafe fn has_self(self) -> bool {
        // SAFETY: the operands are on the stack.
        unsafe { !self.self_or_null().is_null() }
    }

    /// Fills the empty slot.
    #[inline(always)]
    pub(crate) unsafe fn set_self(self, receiver: StackRef) {
        // SAFETY: the operands are on the stack.
        unsafe { *self.arguments.sub(1) = receiver }
    }

    /// The slot of the first argument, `self` included.
    #[inline(always)]
    pub(crate) unsafe fn first(self) -> *mut StackRef {
        // SAFETY: the operands are on the stack. Counted from above, since who asks knows the total.
        unsafe { self.arguments.add(self.count).sub(self.total()) }
    }

    /// The number of arguments, `self` included.
    #[inline(always)]
    pub(crate) unsafe fn total(self) -> usize {
        // SAFETY: the operands are on the stack.
        self.count + unsafe { self.has_self() } as usize
    }

    /// The names of the keyword arguments; null for none.
    #[inline(always)]
    pub(crate) unsafe fn names(self) -> StackRef {
        // SAFETY: the operands are on the stack.
        if KW { unsafe { *self.arguments.add(self.count) } } else { StackRef::NULL }
    }

    /// The number of arguments that are not keywords, `self` included.
    #[inline(always)]
    pub(crate) unsafe fn positional(self) -> usize {
        // SAFETY: the operands are on the stack; names are a tuple.
        unsafe { self.total() - if KW { tuple_size(self.names().object()) } else { 0 } }
    }

    /// Gives up all operands, topmost first. The published stack still has them, so the slots are
    /// emptied one by one.
    #[inline(always)]
    pub(crate) unsafe fn close(self) {
        // SAFETY: the operands are on the published stack, and not used again.
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

    /// Runs `call` with the arguments as an array of borrowed objects, `self` included, and their
    /// number. The place before the array is writable. Gives what `call` does, or null with MemoryError.
    ///
    /// What `call` captures should fit into two registers, or it goes to memory for the sake of the rare
    /// case; so it is given the operands again.
    #[inline(always)]
    unsafe fn with_objects<F>(self, call: F) -> *mut PyObject
    where
        F: FnOnce(Self, *mut *mut PyObject, usize) -> *mut PyObject,
    {
        // SAFETY: the operands are on the stack; the array is as long as is needed.
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

    /// [`Operands::with_objects`] for more arguments than anybody should write.
    #[cold]
    #[inline(never)]
    unsafe fn with_objects_on_heap<F>(self, call: F) -> *mut PyObject
    where
        F: FnOnce(Self, *mut *mut PyObject, usize) -> *mut PyObject,
    {
        // SAFETY: the operands are on the stack; the array is as long as is needed.
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

    /// Copies the arguments, `self` included, as borrowed objects.
    #[inline(always)]
    unsafe fn borrow_objects(self, objects: *mut *mut PyObject, total: usize) {
        // SAFETY: the operands are on the stack, and the array has room for them.
        unsafe {
            let first = self.first();
            for index in 0..total {
                // Volatile reads keep the loop as it is written: it runs twice or so.
                *objects.add(index) = first.add(index).read_volatile().object();
            }
        }
    }

    /// Calls the callable, whatever it is (`PyObject_Vectorcall`), and leaves the operands.
    #[inline(always)]
    pub(crate) unsafe fn vectorcall_and_keep(self, tstate: ThreadState) -> *mut PyObject {
        // SAFETY: the operands are on the published stack of the attached thread.
        unsafe {
            self.with_objects(move |operands, objects, total| {
                let names = operands.names().object();
                let positional = if KW { total - tuple_size(names) } else { total };
                vectorcall(tstate, operands.callable().object(), objects, positional, names)
            })
        }
    }

    // The functions below call, give up the operands, and return a new reference, or null with an
    // exception set. The frame is published.

    /// Calls the callable, whatever it is.
    #[inline(never)]
    pub(crate) unsafe fn vectorcall(self, tstate: ThreadState) -> *mut PyObject {
        // SAFETY: the operands are on the published stack.
        unsafe {
            let result = self.vectorcall_and_keep(tstate);
            self.close();
            result
        }
    }
}

#[allow(clippy::missing_safety_doc)] // as for the methods above
impl Operands<false> {
    /// Calls a type that has a function for that.
    #[inline(never)]
    pub(crate) unsafe fn call_type(self, type_: *mut PyTypeObject) -> *mut PyObject {
        // SAFETY: the operands are on the published stack, and the type has the function.
        unsafe {
            let result = self.with_objects(move |_, objects, total| {
                (*type_).tp_vectorcall.unwrap_unchecked()(type_.cast(), objects, total, core::ptr::null_mut())
            });
            self.close();
            result
        }
    }

    /// Calls a built-in function by `METH_FASTCALL`.
    #[inline(never)]
    pub(crate) unsafe fn call_fast(self, function: Definition, receiver: *mut PyObject) -> *mut PyObject {
        // SAFETY: the operands are on the published stack.
        unsafe {
            let result =
                self.with_objects(move |_, objects, total| function.call_fast(receiver, objects, total));
            self.close();
            result
        }
    }

    /// Calls a built-in function by `METH_FASTCALL | METH_KEYWORDS`.
    #[inline(never)]
    pub(crate) unsafe fn call_fast_with_keywords(
        self,
        function: Definition,
        receiver: *mut PyObject,
    ) -> *mut PyObject {
        // SAFETY: the operands are on the published stack.
        unsafe {
            let result = self.with_objects(move |_, objects, total| {
                function.call_fast_with_keywords(receiver, objects, total)
            });
            self.close();
            result
        }
    }

    /// Calls a method by `METH_FASTCALL`; its receiver is the first argument.
    #[inline(never)]
    pub(crate) unsafe fn call_method_fast(self, method: Definition) -> *mut PyObject {
        // SAFETY: the operands are on the published stack, and at least one is an argument.
        unsafe {
            let result = self
                .with_objects(move |_, objects, total| method.call_fast(*objects, objects.add(1), total - 1));
            self.close();
            result
        }
    }

    /// Calls a method by `METH_FASTCALL | METH_KEYWORDS`; its receiver is the first argument.
    #[inline(never)]
    pub(crate) unsafe fn call_method_fast_with_keywords(self, method: Definition) -> *mut PyObject {
        // SAFETY: the operands are on the published stack, and at least one is an argument.
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
            // SAFETY: the operands are in the array.
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
