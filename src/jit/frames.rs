//! Calls of Python functions and returns from them in machine code.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{BlockArg, InstBuilder, Value};

use super::entries::{Class, Entry};
use super::lower::{Lowering, UNCOUNTED, plain};
use super::runtime;
use crate::bytecode::micro_op;
use crate::host::{Code, ffi};
use crate::tier2::compiled::{Machine, Next};
use crate::tier2::uop::Entered;

type Fields = ffi::_PyInterpreterFrame;

impl Lowering<'_> {
    /// The topmost operands of a call: `depth` places below the top is the callable. It is a function of this version, or the
    /// code leaves.
    pub(super) fn check_function_version(&mut self, depth: usize, version: u64) {
        let entry = self.peek_object(depth);
        let callable = self.object(entry);
        let type_ = self.b.ins().load(I64, plain(), callable, offset_of!(ffi::PyObject, ob_type) as i32);
        self.guard_equal(type_, (&raw mut ffi::PyFunction_Type).addr() as u64, Next::FAILED_GUARD);
        self.check_version_of(callable, version);
    }

    /// The function has this version, or the code leaves.
    pub(super) fn check_version_of(&mut self, function: Value, version: u64) {
        let at = offset_of!(ffi::PyFunctionObject, func_version) as i32;
        let found = self.b.ins().load(I32, plain(), function, at);
        let holds = self.b.ins().icmp_imm_s(IntCC::Equal, found, i64::from(version as u32 as i32));
        self.guard(holds, Next::FAILED_GUARD);
    }

    /// The data stack has room for `size` bytes, or the code leaves.
    pub(super) fn check_stack_space(&mut self, size: Value) {
        let top = self.b.ins().load(
            I64,
            plain(),
            self.tstate,
            offset_of!(ffi::PyThreadState, datastack_top) as i32,
        );
        self.guard(top, Next::FAILED_GUARD);
        let at = offset_of!(ffi::PyThreadState, datastack_limit) as i32;
        let limit = self.b.ins().load(I64, plain(), self.tstate, at);
        let end = self.b.ins().iadd(top, size);
        let holds = self.b.ins().icmp(IntCC::UnsignedLessThan, end, limit);
        self.guard(holds, Next::FAILED_GUARD);
    }

    /// One more call fits under the recursion limit, or the code leaves.
    pub(super) fn check_recursion_remaining(&mut self) {
        let at = offset_of!(ffi::PyThreadState, py_recursion_remaining) as i32;
        let remaining = self.b.ins().load(I32, plain(), self.tstate, at);
        let holds = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, remaining, 1);
        self.guard(holds, Next::FAILED_GUARD);
    }

    /// The code of the frame that the call of this micro-op enters, if it is known.
    ///
    /// # Safety
    /// What the operands of the trace refer to is live.
    unsafe fn code_of_call(&self) -> Option<Code> {
        let push = self.trace[self.at..].iter().take(4).find(|uop| uop.number() == micro_op::push_frame)?;
        // SAFETY: the trace depends on the code, so that it is live while the executor is valid (caller).
        Entered::from_operand(push.operand0).map(|entered| unsafe { entered.code() })
    }

    /// Makes the frame of a call with `count` arguments that the parameters take as they are. Returns false if the
    /// code is not known.
    ///
    /// # Safety
    /// As for [`Lowering::code_of_call`].
    pub(super) unsafe fn init_call(&mut self, count: usize) -> bool {
        // SAFETY: the code is live (caller).
        let Some((code, bytecode, parameters, size, locals)) = (unsafe {
            self.code_of_call().map(|code| {
                let head = code.as_ptr();
                (
                    code,
                    code.bytecode(),
                    (*head).co_argcount as usize,
                    (*head).co_framesize as usize,
                    code.nlocalsplus(),
                )
            })
        }) else {
            return false;
        };
        if parameters != count && parameters != count + 1 {
            return false;
        }
        let mut arguments: Vec<Value> = Vec::new();
        for _ in 0..count {
            let entry = self.pop();
            let bits = self.bits(entry);
            arguments.insert(0, bits);
        }
        let receiver = self.pop();
        if parameters > count {
            let bits = self.bits(receiver);
            arguments.insert(0, bits);
        }
        let callable = self.pop();
        let function = self.bits(callable);
        self.flush();

        let top = offset_of!(ffi::PyThreadState, datastack_top) as i32;
        let frame = self.b.ins().load(I64, plain(), self.tstate, top);
        let end = self.b.ins().iadd_imm_s(frame, (size * size_of::<usize>()) as i64);
        self.b.ins().store(plain(), end, self.tstate, top);

        let callee = self.b.ins().band_imm_s(function, !UNCOUNTED);
        let builtins =
            self.b.ins().load(I64, plain(), callee, offset_of!(ffi::PyFunctionObject, func_builtins) as i32);
        let globals =
            self.b.ins().load(I64, plain(), callee, offset_of!(ffi::PyFunctionObject, func_globals) as i32);
        let object = self.b.ins().iconst(I64, code.as_ptr().addr() as i64);
        let executable = self.new_ref(object);
        let bytecode = self.b.ins().iconst(I64, bytecode.as_ptr().addr() as i64);
        let zero = self.b.ins().iconst(I64, 0);
        let stack = self.b.ins().iadd_imm_s(frame, i64::from(Self::local_offset(locals)));
        for (value, offset) in [
            (executable, offset_of!(Fields, f_executable)),
            (self.frame, offset_of!(Fields, previous)),
            (function, offset_of!(Fields, f_funcobj)),
            (globals, offset_of!(Fields, f_globals)),
            (builtins, offset_of!(Fields, f_builtins)),
            (zero, offset_of!(Fields, f_locals)),
            (zero, offset_of!(Fields, frame_obj)),
            (bytecode, offset_of!(Fields, instr_ptr)),
            (stack, offset_of!(Fields, stackpointer)),
        ] {
            self.b.ins().store(plain(), value, frame, offset as i32);
        }
        let no_offset = self.b.ins().iconst(I16, 0);
        self.b.ins().store(plain(), no_offset, frame, offset_of!(Fields, return_offset) as i32);
        let owner = self.b.ins().iconst(I8, ffi::FRAME_OWNED_BY_THREAD as i64);
        self.b.ins().store(plain(), owner, frame, offset_of!(Fields, owner) as i32);
        let not_visited = self.b.ins().iconst(I8, 0);
        self.b.ins().store(plain(), not_visited, frame, offset_of!(Fields, visited) as i32);
        let null = self.b.ins().iconst(I64, super::lower::NULL as i64);
        for index in 0..locals {
            let value = arguments.get(index).copied().unwrap_or(null);
            self.b.ins().store(plain(), value, frame, Self::local_offset(index));
        }
        self.new_frame = Some((frame, stack));
        true
    }

    /// Continues in the frame that [`Lowering::init_call`] has made.
    pub(super) fn push_frame(&mut self, frame: Value, stack: Value) {
        let sp = self.stack_pointer();
        self.b.ins().store(plain(), sp, self.frame, offset_of!(Fields, stackpointer) as i32);
        self.b.ins().store(plain(), frame, self.tstate, offset_of!(ffi::PyThreadState, current_frame) as i32);
        let at = offset_of!(ffi::PyThreadState, py_recursion_remaining) as i32;
        let remaining = self.b.ins().load(I32, plain(), self.tstate, at);
        let remaining = self.b.ins().iadd_imm_s(remaining, -1);
        self.b.ins().store(plain(), remaining, self.tstate, at);
        self.enter(frame, stack);
    }

    /// The program is in another frame, whose stack in memory ends at `stack`.
    fn enter(&mut self, frame: Value, stack: Value) {
        self.b.ins().store(plain(), frame, self.machine, offset_of!(Machine, frame) as i32);
        (self.frame, self.sp, self.offset) = (frame, stack, 0);
    }

    /// Leaves the frame with the topmost value.
    pub(super) fn return_value(&mut self) {
        let value = self.pop();
        let value = self.without_frame(value);
        self.flush();
        let sp = self.stack_pointer();
        self.b.ins().store(plain(), sp, self.frame, offset_of!(Fields, stackpointer) as i32);
        let arguments = [self.tstate, self.frame];
        let function = runtime::leave_frame as *const () as usize;
        let caller = self.call(function, &[I64, I64], Some(I64), &arguments).expect("a result");
        let sp = self.b.ins().load(I64, plain(), caller, offset_of!(Fields, stackpointer) as i32);
        self.enter(caller, sp);
        self.push(value);
    }

    /// The value as one that does not depend on a local variable: a borrowed reference becomes a counted one.
    pub(super) fn without_frame(&mut self, entry: Entry) -> Entry {
        let Entry::Ref { bits, counted, class } = entry else {
            return if let Entry::Constant { .. } = entry {
                let object = self.object(entry);
                let bits = self.new_ref(object);
                Entry::Ref { bits, counted: true, class: entry.class() }
            } else {
                entry
            };
        };
        if !counted {
            let object = self.object(entry);
            let bits = self.new_ref(object);
            return Entry::Ref { bits, counted: true, class };
        }
        let (borrowed, go_on) = (self.b.create_block(), self.b.create_block());
        let result = self.b.append_block_param(go_on, I64);
        let tag = self.b.ins().band_imm_s(bits, UNCOUNTED);
        self.b.ins().brif(tag, borrowed, &[], go_on, &[BlockArg::Value(bits)]);
        self.b.switch_to_block(borrowed);
        let object = self.b.ins().band_imm_s(bits, !UNCOUNTED);
        let new = self.new_ref(object);
        self.b.ins().jump(go_on, &[BlockArg::Value(new)]);
        self.b.switch_to_block(go_on);
        Entry::Ref { bits: result, counted: true, class }
    }

    /// Stores the value below the topmost object in that object, at `offset`, where its attribute is.
    pub(super) fn store_attr_instance_value(&mut self, offset: i32) {
        let owner = self.pop();
        let value = self.pop();
        let value = self.without_frame(value);
        let value = self.object(value);
        let object = self.object(owner);
        let old = self.b.ins().load(I64, plain(), object, offset);
        self.b.ins().store(plain(), value, object, offset);
        let (had_value, first, go_on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.ins().brif(old, had_value, &[], first, &[]);
        self.b.switch_to_block(first);
        let slot = self.b.ins().iadd_imm_s(object, i64::from(offset));
        self.call(runtime::append_to_order as *const () as usize, &[I64, I64], None, &[object, slot]);
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(had_value);
        let count = self.b.ins().load(I32, plain(), old, 0);
        let is_immortal = self.b.ins().ushr_imm_u(count, 31);
        let tag = self.b.ins().uextend(I64, is_immortal);
        let bits = self.b.ins().bor(old, tag);
        self.close(Entry::Ref { bits, counted: true, class: Class::Unknown });
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(go_on);
        self.close(owner);
    }
}
