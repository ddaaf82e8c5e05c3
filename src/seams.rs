//! Calls from one replaced object into another.
//!
//! Each object in `host/replaced.txt` can come from C again (`make python C_OBJECTS=ceval.o`). So Rust code
//! that stands for one of them calls what stands for another through the linker, by the C name; whichever
//! definition was linked runs. All such calls are here, with Rust types. Within one object, calls are plain
//! Rust calls. The rest of the crate never names a symbol that [`crate::exports`] defines; `tests/architecture`
//! checks that.
//!
//! There is one submodule per called object. Each function has the contract of the C function that it calls.

use crate::host::ffi;

/// `specialize.o`: specializing an instruction.
///
/// `# Safety` of all functions: the thread is attached and no exception is set; `instr` is the instruction that
/// it executes, of the family in the function's name; its operands are live.
pub(crate) mod specialize {
    use core::ffi::c_int;

    use super::ffi;
    use crate::host::{Code, CodeUnit, PyObject, StackRef};

    macro_rules! families {
        ($($name:ident = $symbol:ident($($operand:ident: $type_:ty => $raw:expr),*);)*) => {$(
            /// Specializes an instruction of this family.
            ///
            /// # Safety
            /// As the module says.
            #[inline(always)]
            pub(crate) unsafe fn $name($($operand: $type_),*) {
                // SAFETY: the C function has the same contract.
                unsafe { ffi::$symbol($($raw),*) }
            }
        )*};
    }

    families! {
        contains_op = _Py_Specialize_ContainsOp(
            container: StackRef => container.raw(), instr: CodeUnit => instr.as_ptr());
        send = _Py_Specialize_Send(receiver: StackRef => receiver.raw(), instr: CodeUnit => instr.as_ptr());
        to_bool = _Py_Specialize_ToBool(value: StackRef => value.raw(), instr: CodeUnit => instr.as_ptr());
        call = _Py_Specialize_Call(
            callable: StackRef => callable.raw(),
            instr: CodeUnit => instr.as_ptr(),
            arguments: usize => arguments as c_int);
        call_kw = _Py_Specialize_CallKw(
            callable: StackRef => callable.raw(),
            instr: CodeUnit => instr.as_ptr(),
            arguments: usize => arguments as c_int);
        for_iter = _Py_Specialize_ForIter(
            iterator: StackRef => iterator.raw(),
            instr: CodeUnit => instr.as_ptr(),
            oparg: usize => oparg as c_int);
        unpack_sequence = _Py_Specialize_UnpackSequence(
            sequence: StackRef => sequence.raw(),
            instr: CodeUnit => instr.as_ptr(),
            oparg: usize => oparg as c_int);
        load_attr = _Py_Specialize_LoadAttr(
            owner: StackRef => owner.raw(),
            instr: CodeUnit => instr.as_ptr(),
            name: *mut PyObject => name);
        store_attr = _Py_Specialize_StoreAttr(
            owner: StackRef => owner.raw(),
            instr: CodeUnit => instr.as_ptr(),
            name: *mut PyObject => name);
        store_subscr = _Py_Specialize_StoreSubscr(
            container: StackRef => container.raw(),
            index: StackRef => index.raw(),
            instr: CodeUnit => instr.as_ptr());
        compare_op = _Py_Specialize_CompareOp(
            left: StackRef => left.raw(),
            right: StackRef => right.raw(),
            instr: CodeUnit => instr.as_ptr(),
            oparg: usize => oparg as c_int);
        load_global = _Py_Specialize_LoadGlobal(
            globals: *mut PyObject => globals,
            builtins: *mut PyObject => builtins,
            instr: CodeUnit => instr.as_ptr(),
            name: *mut PyObject => name);
        load_super_attr = _Py_Specialize_LoadSuperAttr(
            global_super: StackRef => global_super.raw(),
            class: StackRef => class.raw(),
            instr: CodeUnit => instr.as_ptr(),
            load_method: bool => load_method.into());
        binary_op = _Py_Specialize_BinaryOp(
            left: StackRef => left.raw(),
            right: StackRef => right.raw(),
            instr: CodeUnit => instr.as_ptr(),
            oparg: usize => oparg as c_int,
            locals: *mut StackRef => locals.cast());
    }

    /// The code of the frame below an `__init__` that is called without leaving the evaluator.
    #[inline(always)]
    pub(crate) fn init_cleanup() -> Code {
        Code::from_ptr((&raw const ffi::_Py_InitCleanup).cast_mut().cast())
    }
}

/// `instrumentation.o`: calling the tools, instrumenting code, and the settings of tools. Tools and events are
/// numbers here, sets of events are bits.
pub(crate) mod instrumentation {
    use core::ffi::c_int;

    use super::ffi;
    #[cfg(feature = "attach")]
    use crate::host::hidden::Hidden;
    use crate::host::owned::check;
    use crate::host::{Code, CodeUnit, Frame, Owned, PyObject, PyResult, Raised, ThreadState};

    /// `sys.monitoring.DISABLE`, borrowed and immortal.
    #[inline(always)]
    pub(crate) fn disable() -> *mut PyObject {
        #[cfg(not(feature = "attach"))]
        return &raw mut ffi::_PyInstrumentation_DISABLE;
        #[cfg(feature = "attach")]
        Hidden::MonitoringDisable.address().cast_mut().cast()
    }

    /// `sys.monitoring.MISSING`, borrowed and immortal.
    #[inline(always)]
    pub(crate) fn missing() -> *mut PyObject {
        #[cfg(not(feature = "attach"))]
        return &raw mut ffi::_PyInstrumentation_MISSING;
        #[cfg(feature = "attach")]
        Hidden::MonitoringMissing.address().cast_mut().cast()
    }

    /// Notifies the tools of `event` (`PY_MONITORING_EVENT_*`) of `instr`. Fails with a tool's exception.
    ///
    /// # Safety
    /// The thread is attached and `tstate` is its state; no exception is set; `frame` is current and published;
    /// `instr` is in its bytecode and was instrumented for events of this kind.
    #[inline(always)]
    pub(crate) unsafe fn event(
        tstate: ThreadState,
        event: u32,
        frame: Frame,
        instr: CodeUnit,
    ) -> PyResult<()> {
        let (tstate, frame, instr) = (tstate.as_ptr(), frame.as_ptr(), instr.as_ptr());
        // SAFETY: the C function has the same contract.
        succeeded(unsafe { ffi::_Py_call_instrumentation(tstate, event as c_int, frame, instr) })
    }

    /// Like [`event`], with one argument, borrowed.
    ///
    /// # Safety
    /// As for [`event`]; `argument` is live.
    #[inline(always)]
    pub(crate) unsafe fn event_with(
        tstate: ThreadState,
        event: u32,
        frame: Frame,
        instr: CodeUnit,
        argument: *mut PyObject,
    ) -> PyResult<()> {
        let (tstate, frame, instr) = (tstate.as_ptr(), frame.as_ptr(), instr.as_ptr());
        // SAFETY: the C function has the same contract.
        succeeded(unsafe {
            ffi::_Py_call_instrumentation_arg(tstate, event as c_int, frame, instr, argument)
        })
    }

    /// Like [`event`], with two arguments, borrowed.
    ///
    /// # Safety
    /// As for [`event`]; the arguments are live.
    #[inline(always)]
    pub(crate) unsafe fn event_with_two(
        tstate: ThreadState,
        event: u32,
        frame: Frame,
        instr: CodeUnit,
        [first, second]: [*mut PyObject; 2],
    ) -> PyResult<()> {
        let (tstate, frame, instr) = (tstate.as_ptr(), frame.as_ptr(), instr.as_ptr());
        // SAFETY: the C function has the same contract.
        succeeded(unsafe {
            ffi::_Py_call_instrumentation_2args(tstate, event as c_int, frame, instr, first, second)
        })
    }

    /// Like [`event_with_two`], while an exception is set. It stays set unless a tool's replaces it.
    ///
    /// # Safety
    /// As for [`event_with_two`], but an exception is set.
    #[inline(always)]
    pub(crate) unsafe fn event_with_exception(
        tstate: ThreadState,
        event: u32,
        frame: Frame,
        instr: CodeUnit,
        [first, second]: [*mut PyObject; 2],
    ) {
        let (tstate, frame, instr) = (tstate.as_ptr(), frame.as_ptr(), instr.as_ptr());
        // SAFETY: the C function has the same contract.
        unsafe { ffi::_Py_call_instrumentation_exc2(tstate, event as c_int, frame, instr, first, second) }
    }

    /// Notifies the tools that `instr` jumps from `source` to `target`. Returns the instruction to continue at:
    /// `target`, or the one that a tool has moved the frame to. Fails with a tool's exception.
    ///
    /// # Safety
    /// As for [`event`]; `source` and `target` are in the frame's bytecode.
    #[inline(always)]
    pub(crate) unsafe fn jump(
        tstate: ThreadState,
        event: u32,
        frame: Frame,
        instr: CodeUnit,
        source: CodeUnit,
        target: CodeUnit,
    ) -> PyResult<CodeUnit> {
        let (tstate, frame, instr) = (tstate.as_ptr(), frame.as_ptr(), instr.as_ptr());
        let (source, target) = (source.as_ptr(), target.as_ptr());
        // SAFETY: the C function has the same contract.
        let next = unsafe {
            ffi::_Py_call_instrumentation_jump(instr, tstate, event as c_int, frame, source, target)
        };
        if next.is_null() { Err(Raised) } else { Ok(CodeUnit::from_ptr(next)) }
    }

    /// Notifies the tools of the line that begins at `instr`, unless `previous`, the instruction executed
    /// before, is on the same line. Returns the opcode that the line event covers. Fails with a tool's
    /// exception.
    ///
    /// # Safety
    /// As for [`event`], with a line event at `instr`; the thread is not tracing; `previous` is in the frame's
    /// bytecode; the code object has a line table.
    #[inline(always)]
    pub(crate) unsafe fn line(
        tstate: ThreadState,
        frame: Frame,
        instr: CodeUnit,
        previous: CodeUnit,
    ) -> PyResult<u8> {
        let (tstate, frame, instr) = (tstate.as_ptr(), frame.as_ptr(), instr.as_ptr());
        // SAFETY: the C function has the same contract.
        opcode(unsafe { ffi::_Py_call_instrumentation_line(tstate, frame, instr, previous.as_ptr()) })
    }

    /// Notifies the tools of the instruction event of `instr`. Returns the opcode that the event covers. Fails
    /// with a tool's exception.
    ///
    /// # Safety
    /// As for [`event`], with an instruction event at `instr`; the code object has a table of opcodes.
    #[inline(always)]
    pub(crate) unsafe fn instruction(tstate: ThreadState, frame: Frame, instr: CodeUnit) -> PyResult<u8> {
        let (tstate, frame, instr) = (tstate.as_ptr(), frame.as_ptr(), instr.as_ptr());
        // SAFETY: the C function has the same contract.
        opcode(unsafe { ffi::_Py_call_instrumentation_instruction(tstate, frame, instr) })
    }

    #[inline(always)]
    fn succeeded(status: c_int) -> PyResult<()> {
        if status == 0 { Ok(()) } else { Err(Raised) }
    }

    #[inline(always)]
    fn opcode(opcode: c_int) -> PyResult<u8> {
        if opcode < 0 { Err(Raised) } else { Ok(opcode as u8) }
    }

    /// Brings the instrumentation of `code` up to date with the events that tools watch. Fails with
    /// MemoryError.
    ///
    /// # Safety
    /// The thread is attached to `interp` and has not stopped the world; `code` is live.
    #[inline(always)]
    pub(crate) unsafe fn instrument(code: Code, interp: *mut ffi::PyInterpreterState) -> PyResult<()> {
        // SAFETY: the C function has the same contract.
        succeeded(unsafe { ffi::_Py_Instrument(code.as_ptr(), interp) })
    }

    /// The opcode of the instruction at code unit `index`, without instrumentation, specialization and executors.
    ///
    /// # Safety
    /// `code` is live and has an instruction there; no other thread instruments it meanwhile.
    #[cfg(py_tier2)]
    pub(crate) unsafe fn base_opcode(code: Code, index: usize) -> u8 {
        // SAFETY: the C function has the same contract. All members of the union are integers.
        unsafe { ffi::_Py_GetBaseCodeUnit(code.as_ptr(), index as c_int).op.code }
    }

    /// The length of the instruction at code unit `index` in code units, including its cache.
    ///
    /// # Safety
    /// As for [`base_opcode`].
    #[cfg(py_tier2)]
    pub(crate) unsafe fn instruction_length(code: Code, index: usize) -> usize {
        // SAFETY: the C function has the same contract.
        unsafe { ffi::_PyInstruction_GetLength(code.as_ptr(), index as c_int) as usize }
    }

    /// Sets the events that `tool` watches in all code.
    ///
    /// # Safety
    /// The thread is attached and the world is stopped; `tool` and `events` are valid.
    pub(crate) unsafe fn set_events(tool: usize, events: ffi::_PyMonitoringEventSet) -> PyResult<()> {
        // SAFETY: the C function has the same contract.
        check(unsafe { ffi::_PyMonitoring_SetEvents(tool as c_int, events) }).map(|_| ())
    }

    /// The events that `tool` watches in `code`.
    ///
    /// # Safety
    /// The thread is attached; `code` is live; `tool` is valid.
    pub(crate) unsafe fn local_events(code: Code, tool: usize) -> PyResult<ffi::_PyMonitoringEventSet> {
        let mut events = 0;
        // SAFETY: thread and code object are as the C function requires (caller), and `events` is writable.
        check(unsafe { ffi::_PyMonitoring_GetLocalEvents(code.as_ptr(), tool as c_int, &raw mut events) })?;
        Ok(events)
    }

    /// Sets the events that `tool` watches in `code`.
    ///
    /// # Safety
    /// The thread is attached and the world is stopped; `code` is live; `tool` is valid, and `events` has only
    /// local events.
    pub(crate) unsafe fn set_local_events(
        code: Code,
        tool: usize,
        events: ffi::_PyMonitoringEventSet,
    ) -> PyResult<()> {
        // SAFETY: the C function has the same contract.
        let status = unsafe { ffi::_PyMonitoring_SetLocalEvents(code.as_ptr(), tool as c_int, events) };
        check(status).map(|_| ())
    }

    /// Sets the callback of a tool for an event to `callback`, borrowed (null removes it), and returns the
    /// previous one. Also returns None if an exception is set.
    ///
    /// # Safety
    /// The thread is attached and has not stopped the world; `callback` is live or null; `tool` and `event` are
    /// valid.
    pub(crate) unsafe fn register_callback(
        tool: usize,
        event: usize,
        callback: *mut PyObject,
    ) -> Option<Owned> {
        // SAFETY: the C function has the same contract, and returns a new reference or null.
        unsafe {
            let before = ffi::_PyMonitoring_RegisterCallback(tool as c_int, event as c_int, callback);
            Owned::optional(before)
        }
    }
}

/// `legacy_tracing.o`: trace and profile functions.
///
/// The functions that set one take a new reference to `object`, and fail with an audit hook's exception or
/// MemoryError. Their `# Safety`: the calling thread is attached and has not stopped the world; `tstate` is
/// live and of the thread's interpreter, or `interp` is that interpreter; `object` is live or null.
pub(crate) mod legacy_tracing {
    use super::ffi;
    use crate::host::owned::check;
    use crate::host::{PyObject, PyResult, PyTypeObject, ThreadState};

    unsafe extern "C" {
        // No header of the host declares it.
        static mut _PyLegacyEventHandler_Type: PyTypeObject;
    }

    /// The type of the callbacks that call trace and profile functions.
    pub(crate) fn event_handler_type() -> *mut PyTypeObject {
        &raw mut _PyLegacyEventHandler_Type
    }

    macro_rules! setters {
        ($($(#[$doc:meta])* $name:ident = $symbol:ident($of:ident: $type_:ty => $raw:expr);)*) => {$(
            $(#[$doc])*
            ///
            /// # Safety
            /// As the module says.
            pub(crate) unsafe fn $name(
                $of: $type_,
                function: ffi::Py_tracefunc,
                object: *mut PyObject,
            ) -> PyResult<()> {
                // SAFETY: the C function has the same contract.
                check(unsafe { ffi::$symbol($raw, function, object) }).map(|_| ())
            }
        )*};
    }

    setters! {
        /// Sets the profile function of a thread to `function` (null removes it), called with `object`.
        set_profile = _PyEval_SetProfile(tstate: ThreadState => tstate.as_ptr());
        /// Like [`set_profile`], for all threads of an interpreter.
        set_profile_of_all = _PyEval_SetProfileAllThreads(interp: *mut ffi::PyInterpreterState => interp);
        /// Sets the trace function of a thread to `function` (null removes it), called with `object`.
        set_trace = _PyEval_SetTrace(tstate: ThreadState => tstate.as_ptr());
        /// Like [`set_trace`], for all threads of an interpreter.
        set_trace_of_all = _PyEval_SetTraceAllThreads(interp: *mut ffi::PyInterpreterState => interp);
    }
}

/// `ceval.o`: the evaluator.
pub(crate) mod ceval {
    use core::ffi::c_int;

    use super::ffi;
    use crate::host::{Frame, PyObject, ThreadState};

    /// Runs `frame` in the default evaluator. The call uses the C name even though caller and callee stand for
    /// the same object: debuggers look for that name on the stack.
    ///
    /// # Safety
    /// The thread is attached and `tstate` is its state; `frame` is complete, published, and not linked yet; if
    /// `throw` is nonzero, an exception is set.
    #[inline(always)]
    pub(crate) unsafe fn eval_frame_default(
        tstate: ThreadState,
        frame: Frame,
        throw: c_int,
    ) -> *mut PyObject {
        // SAFETY: the C function has the same contract.
        unsafe { ffi::_PyEval_EvalFrameDefault(tstate.as_ptr(), frame.as_ptr(), throw) }
    }

    /// The object of the innermost frame that is visible to Python code, borrowed; null without an exception if
    /// there is no frame or memory is short.
    ///
    /// # Safety
    /// The thread is attached.
    pub(crate) unsafe fn current_frame_object() -> *mut ffi::PyFrameObject {
        // SAFETY: the C function has the same contract.
        unsafe { ffi::PyEval_GetFrame() }
    }
}

/// `ceval_gil.o`: requests to threads.
pub(crate) mod ceval_gil {
    use super::ffi;
    use crate::host::{PyResult, Raised, ThreadState};

    /// Handles the requests in the thread's eval breaker. Fails with the exception of a signal handler, a
    /// pending call, or another thread.
    ///
    /// # Safety
    /// The thread is attached, `tstate` is its state, and its current frame is published.
    #[inline(always)]
    pub(crate) unsafe fn handle_pending(tstate: ThreadState) -> PyResult<()> {
        // SAFETY: the C function has the same contract.
        if unsafe { ffi::_Py_HandlePending(tstate.as_ptr()) } == 0 { Ok(()) } else { Err(Raised) }
    }
}

/// `index_pool.o`: the indices of threads' copies of bytecode.
#[cfg(py_gil_disabled)]
pub(crate) mod index_pool {
    use super::ffi;

    /// Takes the smallest free index out of the pool. Returns -1 if memory is short, with MemoryError set if
    /// the thread is attached.
    ///
    /// # Safety
    /// The pool belongs to a live interpreter, and the thread does not hold the pool's mutex.
    pub(crate) unsafe fn take(pool: *mut ffi::_PyIndexPool) -> i32 {
        // SAFETY: the C function has the same contract.
        unsafe { ffi::_PyIndexPool_AllocIndex(pool) }
    }

    /// Returns an index to the pool.
    ///
    /// # Safety
    /// As for [`take`], which returned the index for this pool; the thread that had it runs no more Python
    /// code.
    pub(crate) unsafe fn give_back(pool: *mut ffi::_PyIndexPool, index: i32) {
        // SAFETY: the C function has the same contract.
        unsafe { ffi::_PyIndexPool_FreeIndex(pool, index) }
    }
}

/// `codeobject.o`: copies of the bytecode.
#[cfg(py_gil_disabled)]
pub(crate) mod codeobject {
    use super::ffi;
    use crate::host::{Code, CodeUnit, PyResult, Raised};

    /// The calling thread's copy of the bytecode of `code`; makes the copy if there is none yet. Fails with
    /// MemoryError.
    ///
    /// # Safety
    /// The thread is attached; `code` is live.
    pub(crate) unsafe fn bytecode_copy(code: Code) -> PyResult<CodeUnit> {
        // SAFETY: the C function has the same contract.
        let copy = unsafe { ffi::_PyCode_GetTLBC(code.as_ptr()) };
        if copy.is_null() { Err(Raised) } else { Ok(CodeUnit::from_ptr(copy)) }
    }
}

/// `optimizer.o`: executors.
#[cfg(py_tier2)]
pub(crate) mod optimizer {
    use super::ffi;
    use crate::host::{Code, CodeUnit, Frame, Owned, PyResult, PyTypeObject, Raised};

    /// The type of executors.
    pub(crate) fn executor_type() -> *mut PyTypeObject {
        &raw mut ffi::_PyUOpExecutor_Type
    }

    /// Asks for an executor for what `frame` runs from `start` on, and returns a new reference to it. `None` if there is
    /// none yet (this library records a trace when the evaluator goes on), or if it is not worth it. `chain_depth` is the number of executors that side exits lead through from one in the
    /// bytecode to this one. If it is divisible by four, the executor is put into the bytecode, so that the code
    /// object has a reference, too. Fails with an exception set.
    ///
    /// # Safety
    /// The thread is attached and no exception is set; `frame` is its current frame and published; an instruction
    /// begins at `start` in its bytecode, with its EXTENDED_ARGs.
    pub(crate) unsafe fn optimize(frame: Frame, start: CodeUnit, chain_depth: u8) -> PyResult<Option<Owned>> {
        let mut executor = core::ptr::null_mut();
        let (frame, start) = (frame.as_ptr(), start.as_ptr());
        // SAFETY: the C function has the same contract, and returns a new reference if it returns 1.
        unsafe {
            match ffi::_PyOptimizer_Optimize(frame, start, &raw mut executor, chain_depth.into()) {
                0 => Ok(None),
                1.. => Owned::from_host(executor.cast()).map(Some),
                _ => Err(Raised),
            }
        }
    }

    /// Invalidates the executors that may run through `code`.
    ///
    /// # Safety
    /// The thread is attached to `interp`.
    pub(crate) unsafe fn invalidate_dependents(interp: *mut ffi::PyInterpreterState, code: Code) {
        // SAFETY: the C function has the same contract.
        unsafe { ffi::_Py_Executors_InvalidateDependency(interp, code.as_ptr().cast(), 1) }
    }

    /// Invalidates all executors.
    ///
    /// # Safety
    /// The thread is attached to `interp`.
    pub(crate) unsafe fn invalidate_all(interp: *mut ffi::PyInterpreterState) {
        // SAFETY: the C function has the same contract.
        unsafe { ffi::_Py_Executors_InvalidateAll(interp, 1) }
    }

    /// Invalidates the executors that have not run since the last call.
    ///
    /// # Safety
    /// The thread is attached to `interp`.
    pub(crate) unsafe fn invalidate_cold(interp: *mut ffi::PyInterpreterState) {
        // SAFETY: the C function has the same contract.
        unsafe { ffi::_Py_Executors_InvalidateCold(interp) }
    }
}
