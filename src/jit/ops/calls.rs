//! Calls of Python functions and returns from them in machine code.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use crate::bytecode::micro_op;
use crate::host::function::Function;
use crate::host::thread::usual_evaluator;
use crate::host::{Code, FunctionVersion, ffi};
use crate::jit::lower::{Lowered, Lowering, NULL, SLOT, TooLarge};
use crate::jit::runtime;
use crate::jit::state::{FrameState, NewFrame, Place, Slot};
use crate::jit::values::{Class, Id, Known, Reference};
use crate::ops::frames::RESUMER_UNITS;
use crate::tier2::Uop;
use crate::tier2::compiled::{Machine, Next};
use crate::tier2::uop::Entered;

const FAILED: usize = Next::FAILED_GUARD;

type Fields = ffi::_PyInterpreterFrame;

impl Lowering<'_> {
    // --- checks --------------------------------------------------------------------------------

    /// No evaluator of PEP 523 is installed, or the code leaves.
    pub(in crate::jit) fn check_pep_523(&mut self) -> Lowered {
        let interp = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, interp));
        let installed = self.load(I64, interp, offset_of!(ffi::PyInterpreterState, eval_frame));
        self.guard_equal(installed, usual_evaluator() as u64, FAILED)
    }

    /// `depth` places below the top is a function of this version, or the code leaves.
    pub(in crate::jit) fn check_function_version(&mut self, depth: usize, version: u64) -> Lowered {
        let id = self.peek(depth);
        let function = self.object(id);
        // SAFETY: something keeps an object at a known address alive while the thread compiles.
        let is_function = self.state.values[id].address.is_some_and(|address| unsafe {
            (*(address as *mut ffi::PyObject)).ob_type == &raw mut ffi::PyFunction_Type
        });
        if !is_function {
            let type_ = self.type_of(id);
            self.guard_equal(type_, (&raw mut ffi::PyFunction_Type).addr() as u64, FAILED)?;
        }
        self.guard_field(function, offset_of!(ffi::PyFunctionObject, func_version), version, FAILED)
    }

    /// The function at a known address has this version, or the code leaves.
    pub(in crate::jit) fn check_version_at(&mut self, function: u64, version: u64) -> Lowered {
        let function = self.constant(function);
        self.guard_field(function, offset_of!(ffi::PyFunctionObject, func_version), version, FAILED)
    }

    /// What is called with `count` arguments is a bound method, and there is no other `self`, or the code leaves.
    pub(in crate::jit) fn check_bound_method(&mut self, count: usize) -> Lowered {
        let (callable, receiver) = (self.peek(count + 2), self.peek(count + 1));
        if self.state.values[receiver].constant != Some(NULL) {
            let object = self.object(receiver);
            self.guard_equal(object, 0, FAILED)?;
        }
        let type_ = self.type_of(callable);
        self.guard_equal(type_, (&raw mut ffi::PyMethod_Type).addr() as u64, FAILED)
    }

    /// A call of a bound method becomes one of its function, with its object as the first argument.
    pub(in crate::jit) fn expand_bound_method(&mut self, count: usize) {
        let callable = self.peek(count + 2);
        let method = self.object(callable);
        let parts = [offset_of!(ffi::PyMethodObject, im_func), offset_of!(ffi::PyMethodObject, im_self)]
            .map(|offset| self.load(I64, method, offset))
            .map(|part| self.state.add(Known::borrowed(part, Class::Unknown)));
        // The method may be the only one that keeps them alive.
        for part in parts {
            self.own(part);
        }
        let arguments: Vec<Slot> = (0..count).map(|_| self.pop_argument()).collect();
        self.drop_top();
        self.drop_top();
        for part in parts {
            self.state.push(part);
        }
        self.state.top().stack.extend(arguments.into_iter().rev());
    }

    /// The words of the data stack that the frames need which have not been made yet.
    fn virtual_words(&self) -> usize {
        self.state
            .frames
            .iter()
            .filter(|frame| !frame.is_in_memory())
            .filter_map(|frame| frame.code)
            // SAFETY: the trace depends on the code, so that it is live.
            .map(|code| unsafe { (*code.as_ptr()).co_framesize as usize })
            .sum()
    }

    /// The data stack has room for `words` more, or the code leaves.
    pub(in crate::jit) fn check_stack_space(&mut self, words: usize, how: usize) -> Lowered {
        let words = words + self.virtual_words();
        if words <= self.room.0 {
            return Ok(());
        }
        let top = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, datastack_top));
        self.guard(top, how)?;
        let limit = self.load(I64, self.tstate, offset_of!(ffi::PyThreadState, datastack_limit));
        let end = self.b.ins().iadd_imm_s(top, (words * size_of::<usize>()) as i64);
        let holds = self.b.ins().icmp(IntCC::UnsignedLessThan, end, limit);
        self.guard(holds, how)?;
        self.room.0 = words;
        Ok(())
    }

    /// The data stack has room for the frame of the call, or the code leaves. False: which code it is, is not known.
    ///
    /// # Safety
    /// What the operands of the trace refer to is live.
    pub(in crate::jit) unsafe fn check_stack_space_of_call(&mut self) -> Lowered<bool> {
        // SAFETY: the code is live (caller).
        let Some(words) = (unsafe { self.code_of_call().map(|code| (*code.as_ptr()).co_framesize as usize) })
        else {
            return Ok(false);
        };
        self.check_stack_space(words, FAILED)?;
        Ok(true)
    }

    /// One more call fits under the recursion limit, or the code leaves.
    pub(in crate::jit) fn check_recursion_remaining(&mut self, how: usize) -> Lowered {
        let depth = 1 + self.state.frames.iter().filter(|frame| !frame.is_in_memory()).count();
        if depth <= self.room.1 {
            return Ok(());
        }
        let remaining = self.load(I32, self.tstate, offset_of!(ffi::PyThreadState, py_recursion_remaining));
        let holds = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, remaining, depth as i64);
        self.guard(holds, how)?;
        self.room.1 = depth;
        Ok(())
    }

    /// The parameters of the code take `count` arguments and `self`, if there is one, as they are, or the code leaves. False:
    /// which code it is, is not known.
    ///
    /// # Safety
    /// As for [`Lowering::check_stack_space_of_call`].
    pub(in crate::jit) unsafe fn check_exact_args(&mut self, count: usize) -> Lowered<bool> {
        // SAFETY: the code is live (caller).
        let Some(parameters) =
            (unsafe { self.code_of_call().map(|code| (*code.as_ptr()).co_argcount as usize) })
        else {
            return Ok(false);
        };
        let receiver = self.peek(count + 1);
        let is_null = self.state.values[receiver].constant == Some(NULL);
        let is_known = is_null
            || self.state.values[receiver].address.is_some()
            || self.state.values[receiver].version.is_some();
        if is_known {
            return Ok(parameters == if is_null { count } else { count + 1 });
        }
        let object = self.object(receiver);
        match parameters.checked_sub(count) {
            Some(0) => self.guard_equal(object, 0, FAILED)?,
            Some(1) => self.guard(object, FAILED)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    // --- calls ---------------------------------------------------------------------------------

    /// The code of the frame that the call of this micro-op enters, if it is known.
    ///
    /// # Safety
    /// What the operands of the trace refer to is live.
    unsafe fn code_of_call(&self) -> Option<Code> {
        // SAFETY: the contract is the same.
        unsafe { self.callee().map(|(code, _)| code) }
    }

    /// The code of the frame that the call of this micro-op enters, and a function that has this code, if they are known. The trace
    /// has checked that the callable has the version of that function, but it may be another one.
    ///
    /// # Safety
    /// What the operands of the trace refer to is live.
    pub(super) unsafe fn callee(&self) -> Option<(Code, Option<Function>)> {
        let push = self.trace[self.at..].iter().take(8).find(|uop| uop.number() == micro_op::push_frame)?;
        // SAFETY: the trace depends on the code that it enters, and on the function. A function that is found is live.
        unsafe {
            let entered = Entered::from_operand(push.operand0);
            if let Some(Entered::Function(function)) = entered {
                return Some((function.code(), Some(function)));
            }
            let (function, code) = self.checked_function();
            match entered {
                Some(entered) => {
                    let code = entered.code();
                    Some((code, function.filter(|function| function.code() == code)))
                }
                None => code.map(|code| (code, function)),
            }
        }
    }

    /// A function of the version that the callable has been checked for, and its code, as far as they are known.
    ///
    /// # Safety
    /// What the operands of the trace refer to is live.
    unsafe fn checked_function(&self) -> (Option<Function>, Option<Code>) {
        let is_check = |uop: &&Uop| {
            matches!(
                uop.number(),
                micro_op::check_function_version
                    | micro_op::check_function_version_inline
                    | micro_op::check_function_version_kw
                    | micro_op::check_method_version
                    | micro_op::check_method_version_kw
            )
        };
        let check = self.trace[..self.at].iter().rev().take(8).find(is_check);
        let Some((check, version)) =
            check.and_then(|check| Some((check, FunctionVersion::new(check.operand0 as u32)?)))
        else {
            return (None, None);
        };
        // SAFETY: the thread is attached. A function in an operand is live (caller).
        unsafe {
            if check.number() == micro_op::check_function_version_inline {
                let function = Function::from_object(check.operand1 as *mut _);
                // The host's table of versions has room for some of them.
                if function.has_version(version) {
                    return (Some(function), Some(function.code()));
                }
            }
            Function::of_version(version)
        }
    }

    /// Prepares the frame of a call with `count` arguments that the parameters take as they are. Returns false if the
    /// code is not known.
    ///
    /// # Safety
    /// As for [`Lowering::code_of_call`].
    pub(in crate::jit) unsafe fn init_call(&mut self, count: usize) -> bool {
        // SAFETY: the code is live (caller).
        let Some((code, parameters)) =
            (unsafe { self.code_of_call().map(|code| (code, (*code.as_ptr()).co_argcount as usize)) })
        else {
            return false;
        };
        if parameters != count && parameters != count + 1 {
            return false;
        }
        self.want(count + 2);
        let mut arguments = Vec::new();
        for _ in 0..count {
            arguments.insert(0, self.pop_argument());
        }
        let receiver = self.pop_argument();
        if parameters > count {
            arguments.insert(0, receiver);
        } else {
            self.state.let_go(receiver.id);
        }
        let function = self.pop();
        self.new_frame = Some(NewFrame { function, code, arguments });
        true
    }

    /// Continues in the frame that [`Lowering::init_call`] has prepared.
    pub(in crate::jit) fn push_virtual_frame(&mut self, new: NewFrame) {
        let NewFrame { function, code, arguments } = new;
        // SAFETY: the trace depends on the code, so that it is live.
        let (locals, bytecode) = unsafe { (code.nlocalsplus(), code.bytecode()) };
        let mut slots: Vec<Option<Slot>> = arguments.into_iter().map(Some).collect();
        while slots.len() < locals {
            let null = self.state.add(Known::constant(NULL, Class::Unknown));
            self.state.values[null].holders = 1;
            slots.push(Some(Slot::new(null)));
        }
        self.state.version += 1;
        self.state
            .frames
            .push(FrameState { locals: slots, ..FrameState::not_made(function, code, bytecode) });
    }

    /// Continues in a frame in memory that an earlier micro-op has made.
    pub(in crate::jit) fn push_frame_in_memory(&mut self) -> Lowered {
        self.flush();
        let caller = self.frame_in_memory().ok_or(TooLarge)?;
        let sp = self.stack_pointer();
        self.store(sp, caller, offset_of!(Fields, stackpointer));
        let frame = self.load(I64, sp, 0);
        // Special methods have another frame below theirs.
        let has_trampoline = self.trace[..self.at]
            .iter()
            .rev()
            .find(|uop| {
                !matches!(uop.number(), micro_op::nop | micro_op::set_ip | micro_op::save_return_offset)
            })
            .is_some_and(|uop| {
                matches!(
                    uop.number(),
                    micro_op::create_init_frame
                        | micro_op::create_operator_frames
                        | micro_op::create_store_subscr_frames
                )
            });
        if has_trampoline {
            let below = self.load(I64, frame, offset_of!(Fields, previous));
            let sp = self.load(I64, below, offset_of!(Fields, stackpointer));
            self.state.frames.push(FrameState::in_memory(below, sp));
        }
        let sp = self.load(I64, frame, offset_of!(Fields, stackpointer));
        self.set_current_frame(frame);
        self.count_calls(-1);
        self.room = (0, 0);
        self.state.version += 1;
        self.state.frames.push(FrameState::in_memory(frame, sp));
        Ok(())
    }

    // --- returns -------------------------------------------------------------------------------

    /// Leaves the frame with the topmost value.
    pub(in crate::jit) fn return_value(&mut self) -> Lowered {
        let value = self.pop();
        let Place::Virtual { function } = self.state.frame().place else {
            return self.return_from_memory(value, runtime::leave_frame as *const () as usize);
        };
        // The argument of a call may be borrowed from a variable of the caller.
        self.end_borrowing(value);
        let frame = self.state.pop_frame();
        self.inherited = self.inherited.min(self.state.frames.len());
        // Destructors run in this order: values from the top of the stack, then locals from the last one.
        let slots: Vec<Slot> = frame.slots().copied().collect();
        for slot in slots.into_iter().rev() {
            self.state.let_go(slot.id);
        }
        self.state.let_go(function);
        self.state.top().stack.push(Slot::new(value));
        Ok(())
    }

    /// The same for a frame in memory. What it holds is released by this function, as in tier 1.
    pub(in crate::jit) fn return_from_memory(&mut self, value: Id, leave: usize) -> Lowered {
        self.flush();
        self.own_returned(value);
        let frame = self.frame_in_memory().ok_or(TooLarge)?;
        let sp = self.stack_pointer();
        self.store(sp, frame, offset_of!(Fields, stackpointer));
        let arguments = [self.tstate, frame];
        let caller = self.result_of(leave, &[I64, I64], I64, &arguments);
        self.state.forget_locals();
        self.state.forget_facts();
        self.is_valid = false;
        self.forget_frame();
        self.come_back(caller);
        self.state.version += 1;
        self.state.top().stack.push(Slot::new(value));
        Ok(())
    }

    /// Makes the result of a frame independent of its variables, which are in memory: a number or tuple that one of them holds, too,
    /// has got its object there.
    pub(in crate::jit) fn own_returned(&mut self, value: Id) {
        for item in self.state.items(value) {
            self.own_returned(item);
        }
        if !self.state.values[value].has_object() || self.state.values[value].class == Class::Bool {
            return;
        }
        if let Some(bits) = self.state.values[value].constant {
            // The constant may live only as long as the code.
            // SAFETY: the executor keeps its constants alive.
            let is_immortal =
                unsafe { crate::host::refcount::is_immortal((bits & !1) as *mut ffi::PyObject) };
            if !is_immortal {
                let object = self.object(value);
                let bits = self.new_ref(object);
                let known = &mut self.state.values[value];
                (known.constant, known.word) = (None, Some(bits));
                known.references.push(Reference { bits, is_heap_safe: true });
            }
            return;
        }
        // A variable that also holds it keeps its own reference.
        let holders = self.state.slots().filter(|slot| slot.id == value).count();
        if self.state.values[value].references.len() > holders
            && let Some(reference) = self.state.free_references(value).last().copied()
        {
            if !reference.is_heap_safe {
                let safe = self.heap_safe(reference.bits);
                self.state.forget_reference(value, Some(reference.bits));
                self.state.values[value].references.push(Reference { bits: safe, is_heap_safe: true });
            }
            return;
        }
        let object = self.object(value);
        let bits = self.new_ref(object);
        self.state.values[value].references.push(Reference { bits, is_heap_safe: true });
    }

    /// The program is back in the frame `caller`, which is current already.
    pub(in crate::jit) fn come_back(&mut self, caller: Value) {
        self.room = (0, 0);
        self.store(caller, self.machine, offset_of!(Machine, frame));
        if self.state.frames.is_empty() {
            let sp = self.load(I64, caller, offset_of!(Fields, stackpointer));
            self.state.frames.push(FrameState::in_memory(caller, sp));
        }
    }

    /// The frame below continues at this instruction, in code of this version, when the frame returns, or when it yields.
    pub(in crate::jit) fn guard_continues_at(&mut self, instr: u64, version: u64, returns: bool) -> Lowered {
        let units = if returns { None } else { Some(RESUMER_UNITS as u64) };
        let caller = match &self.state.frames[..] {
            [_] => {
                let frame = self.frame_in_memory().ok_or(TooLarge)?;
                self.load(I64, frame, offset_of!(Fields, previous))
            }
            // The trace has come from there.
            frames if frames.len() > self.inherited => return Ok(()),
            [.., caller, _] => match (caller.continues_at(units), caller.place) {
                (Some(at), _) if at == instr => return Ok(()),
                (None, Place::Memory(frame)) => frame,
                // This exit has been taken with another caller.
                _ => return self.fail(FAILED),
            },
            [] => return Err(TooLarge),
        };
        let at = self.load(I64, caller, offset_of!(Fields, instr_ptr));
        let units = if returns {
            let offset = self.load(I16, caller, offset_of!(Fields, return_offset));
            let offset = self.b.ins().uextend(I64, offset);
            self.b.ins().ishl_imm_u(offset, 1)
        } else {
            self.constant(2 * RESUMER_UNITS as u64)
        };
        let at = self.b.ins().iadd(at, units);
        self.guard_equal(at, instr, FAILED)?;
        let code = self.load(I64, caller, offset_of!(Fields, f_executable));
        let code = self.b.ins().band_imm_s(code, !1);
        self.guard_field(code, offset_of!(ffi::PyCodeObject, co_version), version, FAILED)
    }

    // --- generators ----------------------------------------------------------------------------

    /// Runs a micro-op that leaves the frame, which is a generator's, or becomes one, and has one result.
    pub(in crate::jit) fn suspend(&mut self, uop: Uop) -> Lowered {
        self.run_helper(uop)?;
        self.state.forget_locals();
        self.forget_frame();
        self.state.version += 1;
        self.room = (0, 0);
        if self.state.frames.is_empty() {
            let frame = self.load(I64, self.machine, offset_of!(Machine, frame));
            let sp = self.load(I64, self.machine, offset_of!(Machine, sp));
            let sp = self.b.ins().iadd_imm_s(sp, -i64::from(SLOT));
            self.state.frames.push(FrameState::in_memory(frame, sp));
        }
        self.push_from_memory();
        Ok(())
    }
}
