//! Executors: Python objects that hold a finished trace, and its machine code if the host has a JIT. Source:
//! `_PyExecutorObject` in `pycore_optimizer.h`.
//!
//! An executor is one block of memory: a head, its side exits, its trace. Trace and exits contain addresses of
//! the block itself, so it cannot be copied.

use core::mem::offset_of;
use core::ptr::NonNull;

use super::{Dependencies, Place, Uop};
use crate::bytecode::{BackoffCounter, micro_op, thresholds};
use crate::host::{Code, CodeUnit, Owned, PyObject, PyResult, ffi};
use crate::seams;

/// An executor, borrowed.
///
/// "Live" means for an executor that it has not been freed. One without references is live as long as it is in
/// the list of [`super::deletion`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct Executor(NonNull<ffi::_PyExecutorObject>);

/// A reference to an executor.
#[derive(Debug)]
pub(crate) struct OwnedExecutor(Owned);

/// A side exit: where it goes to in the bytecode, and the executor for what follows there, if there is one yet.
#[derive(Clone, Copy)]
pub(crate) struct SideExit(*mut ffi::_PyExitData);

impl OwnedExecutor {
    /// Creates an executor for a finished trace. It is in no list yet, and the garbage collector does not know
    /// it. It has no machine code. Fails with MemoryError.
    ///
    /// # Safety
    /// The thread is attached. The trace is finished.
    pub(crate) unsafe fn new(trace: &[Uop], dependencies: &Dependencies) -> PyResult<OwnedExecutor> {
        let exits = trace.iter().filter(|uop| uop.number() == micro_op::exit_trace).count();
        let size = exits * size_of::<ffi::_PyExitData>() + size_of_val(trace);
        // SAFETY: the type has items of one byte, so there is room for exits and trace behind the head. All
        // fields are set before the object is used.
        unsafe {
            let object = ffi::_PyObject_GC_NewVar(seams::optimizer::executor_type(), size as ffi::Py_ssize_t);
            let new = OwnedExecutor(Owned::from_host(object.cast())?);
            let executor = new.executor();
            let head = executor.as_ptr();
            (&raw mut (*head).vm_data).write(unlinked(dependencies));
            (*head).exit_count = exits as u32;
            (*head).code_size = trace.len() as u32;
            (*head).jit_size = 0;
            (*head).jit_code = core::ptr::null_mut();
            (*head).jit_side_entry = core::ptr::null_mut();
            let uops = executor.exits_start().add(exits).cast::<Uop>();
            (*head).trace = uops.cast();
            uops.copy_from_nonoverlapping(trace.as_ptr(), trace.len());
            executor.connect(core::slice::from_raw_parts_mut(uops, trace.len()));
            Ok(new)
        }
    }

    /// The object, which must be an executor.
    pub(crate) fn from_object(object: Owned) -> OwnedExecutor {
        OwnedExecutor(object)
    }

    pub(crate) fn executor(&self) -> Executor {
        // SAFETY: a reference is not null.
        Executor(unsafe { NonNull::new_unchecked(self.0.as_ptr().cast()) })
    }

    /// The executor with the reference, which the caller owns from now on.
    pub(crate) fn into_ptr(self) -> *mut ffi::_PyExecutorObject {
        self.0.into_ptr().cast()
    }
}

impl SideExit {
    /// The side exit that an `_EXIT_TRACE` in the trace of an executor leads to.
    pub(crate) fn of(uop: Uop) -> SideExit {
        debug_assert_eq!(uop.number(), micro_op::exit_trace);
        SideExit(core::ptr::with_exposed_provenance_mut(uop.operand0 as usize))
    }

    /// Where it goes to: an offset in the bytecode.
    ///
    /// # Safety
    /// The exit belongs to a live executor.
    pub(crate) unsafe fn target(self) -> u32 {
        // SAFETY: the exit is live (caller).
        unsafe { (*self.0).target }
    }

    /// Takes the executor out of the exit.
    ///
    /// # Safety
    /// The exit belongs to a live executor. The thread is attached.
    pub(crate) unsafe fn take(self) -> Option<OwnedExecutor> {
        // SAFETY: the exit is live, and owns a reference to its executor.
        unsafe {
            let executor = core::ptr::replace(&raw mut (*self.0).executor, core::ptr::null_mut());
            Owned::optional(executor.cast()).map(OwnedExecutor)
        }
    }

    /// The executor behind the exit, borrowed.
    ///
    /// # Safety
    /// The exit belongs to a live executor.
    pub(crate) unsafe fn executor(self) -> Option<Executor> {
        // SAFETY: the exit is live (caller).
        Executor::from_ptr(unsafe { (*self.0).executor })
    }

    /// Puts an executor behind the exit, which has none. Returns it. Machine code of the host will jump to it without
    /// asking whether it has machine code; any executor can be there, since each has an entry for that.
    ///
    /// # Safety
    /// The exit belongs to a live executor.
    pub(crate) unsafe fn set_executor(self, executor: OwnedExecutor) -> Executor {
        let borrowed = executor.executor();
        // SAFETY: the exit is live (caller), and owns the reference from now on.
        unsafe { (*self.0).executor = executor.into_ptr() };
        borrowed
    }

    /// The temperature: how often the exit is yet to be taken until the code behind it is traced.
    ///
    /// # Safety
    /// The exit belongs to a live executor.
    pub(crate) unsafe fn temperature(self) -> BackoffCounter {
        // SAFETY: the exit is live (caller).
        BackoffCounter::from_bits(unsafe { (*self.0).temperature.value_and_backoff })
    }

    /// Sets the temperature.
    ///
    /// # Safety
    /// The exit belongs to a live executor.
    pub(crate) unsafe fn set_temperature(self, temperature: BackoffCounter) {
        // SAFETY: the exit is live (caller).
        unsafe { (*self.0).temperature.value_and_backoff = temperature.bits() }
    }
}

impl Executor {
    pub(crate) fn new(executor: NonNull<ffi::_PyExecutorObject>) -> Executor {
        Executor(executor)
    }

    /// Null becomes `None`.
    pub(crate) fn from_ptr(executor: *mut ffi::_PyExecutorObject) -> Option<Executor> {
        NonNull::new(executor).map(Executor)
    }

    pub(crate) fn as_ptr(self) -> *mut ffi::_PyExecutorObject {
        self.0.as_ptr()
    }

    pub(crate) fn object(self) -> *mut PyObject {
        self.0.as_ptr().cast()
    }

    /// A new reference.
    ///
    /// # Safety
    /// The executor is live, and the thread stays attached while the reference lives.
    pub(crate) unsafe fn new_ref(self) -> OwnedExecutor {
        // SAFETY: the executor is live and the thread attached (caller). Releasing an executor runs no Python
        // code, so frames need not be published.
        OwnedExecutor(unsafe { Owned::new_ref(self.object()) })
    }

    /// Initializes the side exits, and sets the operands of the micro-ops that refer to the executor.
    ///
    /// # Safety
    /// `uops` is the finished trace of this new executor, which has as many side exits as the trace.
    unsafe fn connect(self, uops: &mut [Uop]) {
        // SAFETY: a trace comes from an interpreter that runs code, which has read its configuration.
        let temperature = unsafe { thresholds::get() }.side_exit;
        let mut index = 0;
        for uop in uops {
            match uop.number() {
                micro_op::start_executor => uop.operand0 = self.as_ptr().addr() as u64,
                micro_op::exit_trace => {
                    let Place::Target(target) = uop.place() else { continue };
                    // SAFETY: there is a side exit for each of these micro-ops (caller).
                    unsafe {
                        let exit = self.exits_start().add(index);
                        exit.write(ffi::_PyExitData {
                            target,
                            temperature: ffi::_Py_BackoffCounter { value_and_backoff: temperature.bits() },
                            executor: core::ptr::null_mut(),
                        });
                        uop.operand0 = exit.addr() as u64;
                    }
                    index += 1;
                }
                _ => {}
            }
        }
    }

    /// The first of the side exits.
    fn exits_start(self) -> *mut ffi::_PyExitData {
        // SAFETY: the exits begin in the block, behind the head.
        unsafe {
            self.as_ptr().byte_add(offset_of!(ffi::_PyExecutorObject, exits)).cast::<ffi::_PyExitData>()
        }
    }

    /// The side exits.
    ///
    /// # Safety
    /// The executor is live, also while the result is used.
    pub(crate) unsafe fn exits(self) -> impl Iterator<Item = SideExit> {
        // SAFETY: the executor is live (caller), and has that many exits.
        unsafe {
            let count = (*self.as_ptr()).exit_count as usize;
            (0..count).map(move |index| SideExit(self.exits_start().add(index)))
        }
    }

    /// The trace.
    ///
    /// # Safety
    /// The executor is live, also while the result is used.
    pub(crate) unsafe fn trace<'a>(self) -> &'a [Uop] {
        // SAFETY: the executor is live (caller). Its trace does not change.
        unsafe {
            let head = self.as_ptr();
            core::slice::from_raw_parts((*head).trace.cast(), (*head).code_size as usize)
        }
    }

    /// Whether the trace begins at the instruction `start`, in code of this version. The second operands of the first two
    /// micro-ops say so.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn begins_at(self, start: CodeUnit, code_version: u32) -> bool {
        // SAFETY: the executor is live (caller).
        unsafe {
            let [_, make_warm, ..] = self.trace() else { return false };
            self.begins_there(start) && make_warm.operand1 == u64::from(code_version)
        }
    }

    /// The address of the instruction that the trace begins at, and the version of its code.
    ///
    /// # Safety
    /// The executor is live.
    #[cfg(feature = "jit")]
    pub(crate) unsafe fn start(self) -> Option<(usize, u32)> {
        // SAFETY: the executor is live (caller).
        let [start_executor, make_warm, ..] = (unsafe { self.trace() }) else { return None };
        Some((start_executor.operand1 as usize, u32::try_from(make_warm.operand1).ok()?))
    }

    /// The same for any code: if the executor is valid, its own code is there.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn begins_there(self, start: CodeUnit) -> bool {
        // SAFETY: the executor is live (caller).
        unsafe {
            let first = self.trace().first();
            first.is_some_and(|start_executor| start_executor.operand1 == start.as_ptr().addr() as u64)
        }
    }

    /// What the evaluator keeps about the executor.
    fn data(self) -> *mut ffi::_PyVMData {
        // SAFETY: only an address inside the block is computed.
        unsafe { &raw mut (*self.as_ptr()).vm_data }
    }

    /// Whether nothing has invalidated the executor yet.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn is_valid(self) -> bool {
        // SAFETY: the executor is live (caller).
        unsafe { ffi::_PyVMData::valid_raw(self.data()) != 0 }
    }

    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn set_valid(self, valid: bool) {
        // SAFETY: the executor is live (caller).
        unsafe { ffi::_PyVMData::set_valid_raw(self.data(), valid.into()) }
    }

    /// Whether the executor is in the list of [`super::list`].
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn is_linked(self) -> bool {
        // SAFETY: the executor is live (caller).
        unsafe { ffi::_PyVMData::linked_raw(self.data()) != 0 }
    }

    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn set_linked(self, linked: bool) {
        // SAFETY: the executor is live (caller).
        unsafe { ffi::_PyVMData::set_linked_raw(self.data(), linked.into()) }
    }

    /// The neighbours of the executor in the list that it is in.
    pub(crate) fn links(self) -> *mut ffi::_PyExecutorLinkListNode {
        // SAFETY: only an address inside the block is computed.
        unsafe { &raw mut (*self.data()).links }
    }

    /// Notes that the executor has run.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn make_warm(self) {
        // SAFETY: the executor is live (caller).
        unsafe { (*self.data()).warm = true }
    }

    /// Returns whether the executor has run since the last call. Machine code is too dear to be made twice: with it, an
    /// executor stays warm.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn take_warmth(self) -> bool {
        // SAFETY: the executor is live (caller).
        unsafe {
            let is_compiled = cfg!(feature = "jit") && !(*self.as_ptr()).jit_side_entry.is_null();
            core::mem::replace(&mut (*self.data()).warm, false) || is_compiled
        }
    }

    /// How many side exits lead from an executor in bytecode to this one.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn chain_depth(self) -> u8 {
        // SAFETY: the executor is live (caller).
        unsafe { ffi::_PyVMData::chain_depth_raw(self.data()) }
    }

    /// Sets how many side exits lead from an executor in bytecode to this one.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn set_chain_depth(self, depth: u8) {
        // SAFETY: the executor is live (caller).
        unsafe { ffi::_PyVMData::set_chain_depth_raw(self.data(), depth) }
    }

    /// What the executor relies on.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn dependencies(self) -> Dependencies {
        // SAFETY: the executor is live (caller).
        Dependencies::from_host(unsafe { (*self.data()).bloom })
    }

    /// From now on, the executor relies on the object at `address` as well.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn depend_on<T>(self, address: *const T) {
        // SAFETY: the executor is live (caller).
        unsafe {
            let mut dependencies = self.dependencies();
            dependencies.add(address);
            (*self.data()).bloom = dependencies.into_host();
        }
    }

    /// From now on, the executor relies on all that `other` relies on.
    ///
    /// # Safety
    /// Both executors are live.
    #[cfg(feature = "jit")]
    pub(crate) unsafe fn depend_like(self, other: Executor) {
        // SAFETY: both are live (caller).
        unsafe {
            let mut dependencies = self.dependencies();
            dependencies.add_all(&other.dependencies());
            (*self.data()).bloom = dependencies.into_host();
        }
    }

    /// The code object in whose bytecode the executor is, borrowed.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn code(self) -> Option<Code> {
        // SAFETY: the executor is live (caller).
        let code = unsafe { (*self.data()).code };
        (!code.is_null()).then(|| Code::from_ptr(code))
    }

    /// The index of the code unit in `code()` that the executor has replaced.
    ///
    /// # Safety
    /// The executor is live and in the bytecode of a code object.
    pub(crate) unsafe fn index(self) -> usize {
        // SAFETY: the executor is live (caller).
        unsafe { (*self.data()).index as usize }
    }

    /// Opcode and argument that the replaced code unit had.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn replaced(self) -> (u8, u8) {
        // SAFETY: the executor is live (caller).
        unsafe { ((*self.data()).opcode, (*self.data()).oparg) }
    }

    /// Notes where the executor has been put: it has replaced the code unit `index` of `code`, which had this
    /// opcode and argument.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn set_position(self, code: Code, index: usize, (opcode, oparg): (u8, u8)) {
        // SAFETY: the executor is live (caller).
        unsafe {
            let data = self.data();
            (*data).opcode = opcode;
            (*data).oparg = oparg;
            (*data).index = index as i32;
            (*data).code = code.as_ptr();
        }
    }

    /// Notes that the executor is in no bytecode any more.
    ///
    /// # Safety
    /// The executor is live.
    pub(crate) unsafe fn forget_position(self) {
        // SAFETY: the executor is live (caller).
        unsafe { (*self.data()).code = core::ptr::null_mut() }
    }
}

/// The data of an executor that is in no list and no bytecode. It counts as warm, so that it is not invalidated
/// before it has had time to run.
fn unlinked(dependencies: &Dependencies) -> ffi::_PyVMData {
    // SAFETY: integers and pointers, for which zero is a value.
    let mut data: ffi::_PyVMData = unsafe { core::mem::zeroed() };
    data.warm = true;
    data.bloom = dependencies.into_host();
    data
}
