//! From a trace to machine code.
//!
//! The code of a trace is a straight line, with branches that leave it, and one jump back if the trace is a loop. While it is
//! made, the topmost values of the evaluation stack are known as [`Entry`]s, in registers; those below are in memory,
//! from `sp` down. Before a micro-op runs as a call, all are stored ([`Lowering::flush`]).

use core::mem::offset_of;
use std::env::consts::ARCH;

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F64, I8, I16, I32, I64};
use cranelift_codegen::ir::{
    AbiParam, Block, BlockArg, Function, InstBuilder, MemFlagsData, Signature, Type, UserFuncName, Value,
};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable, Flags};
use cranelift_codegen::{Context, isa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use once_cell::race::OnceBox;

use super::entries::{Class, Entry};
use super::runtime;
use crate::breaker::word::REQUESTS;
use crate::bytecode::micro_op;
use crate::host::dict::MANAGED_DICT_OFFSET;
use crate::host::{StackRef, ffi, small_int};
use crate::tier2::Uop;
use crate::tier2::compiled::{Machine, Next};
use crate::tier2::executor::Executor;
use crate::tier2::interpreter::HELPERS;

/// The size of a stack slot in bytes.
const SLOT: i32 = size_of::<StackRef>() as i32;
/// The bit of a stack reference that owns nothing.
pub(super) const UNCOUNTED: i64 = 1;
/// The null reference.
pub(super) const NULL: u64 = 1;

/// The machine code for the trace of an executor. `None` if it cannot be compiled.
///
/// # Safety
/// The thread is attached, and the executor live. The code is used only as long as the executor lives.
pub(super) unsafe fn compile(executor: Executor) -> Option<Vec<u8>> {
    let target = target()?;
    let mut function = Function::with_name_signature(UserFuncName::default(), signature());
    let mut context = FunctionBuilderContext::new();
    // SAFETY: the contract is the same.
    unsafe { Lowering::new(&mut function, &mut context, executor).lower() }?;
    let mut context = Context::for_function(function);
    let compiled = context.compile(&**target, &mut ControlPlane::default()).ok()?;
    Some(compiled.code_buffer().to_vec())
}

/// The machine that the code is for: this one.
fn target() -> Option<&'static OwnedTargetIsa> {
    static TARGET: OnceBox<OwnedTargetIsa> = OnceBox::new();
    TARGET
        .get_or_try_init(|| {
            let mut flags = settings::builder();
            for (name, value) in [
                ("opt_level", "none"),
                ("is_pic", "false"),
                ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
                ("preserve_frame_pointers", "true"),
            ] {
                flags.set(name, value).map_err(|_| ())?;
            }
            let builder = isa::lookup_by_name(&format!("{ARCH}-unknown-linux-gnu")).map_err(|_| ())?;
            builder.finish(Flags::new(flags)).map(Box::new).map_err(|_| ())
        })
        .ok()
}

/// The signature of the code: what `MachineCode::run` in [`crate::tier2::compiled`] calls.
fn signature() -> Signature {
    signature_of(&[I64, I64], Some(I64))
}

fn signature_of(parameters: &[Type], result: Option<Type>) -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.extend(parameters.iter().map(|&type_| AbiParam::new(type_)));
    signature.returns.extend(result.map(AbiParam::new));
    signature
}

/// Memory that is there, and aligned.
pub(super) fn plain() -> MemFlagsData {
    MemFlagsData::trusted()
}

pub(super) struct Lowering<'a> {
    pub(super) b: FunctionBuilder<'a>,
    pub(super) trace: &'a [Uop],
    executor: Executor,
    /// The index of the micro-op.
    pub(super) at: usize,
    pub(super) machine: Value,
    pub(super) tstate: Value,
    pub(super) frame: Value,
    /// A place in the stack of the frame.
    pub(super) sp: Value,
    /// What is in memory ends this many slots above `sp`.
    pub(super) offset: i32,
    /// What is above that, in registers.
    top: Vec<Entry>,
    /// The frame that a call has made and not entered yet, and the end of its stack.
    pub(super) new_frame: Option<(Value, Value)>,
    /// The beginning of a loop. Parameters: frame, stack pointer.
    start: Block,
}

impl<'a> Lowering<'a> {
    /// # Safety
    /// The executor is live during the lowering.
    unsafe fn new(
        function: &'a mut Function,
        context: &'a mut FunctionBuilderContext,
        executor: Executor,
    ) -> Lowering<'a> {
        let mut b = FunctionBuilder::new(function, context);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let &[machine, tstate] = b.block_params(entry) else {
            unreachable!("the signature has two parameters")
        };
        let frame = b.ins().load(I64, plain(), machine, offset_of!(Machine, frame) as i32);
        let sp = b.ins().load(I64, plain(), machine, offset_of!(Machine, sp) as i32);
        let start = b.create_block();
        let parameters = [frame, sp].map(BlockArg::Value);
        b.ins().jump(start, &parameters);
        let frame = b.append_block_param(start, I64);
        let sp = b.append_block_param(start, I64);
        b.switch_to_block(start);
        // SAFETY: the executor is live (caller).
        let trace = unsafe { executor.trace() };
        Lowering {
            b,
            trace,
            executor,
            at: 0,
            machine,
            tstate,
            frame,
            sp,
            offset: 0,
            top: Vec::new(),
            new_frame: None,
            start,
        }
    }

    /// Lowers the whole trace.
    ///
    /// # Safety
    /// The executor is live, and the thread attached.
    unsafe fn lower(mut self) -> Option<()> {
        // The first micro-op only begins the trace.
        for at in 1..self.trace.len() {
            self.at = at;
            let uop = self.trace[at];
            match uop.number() {
                micro_op::jump_to_top => {
                    self.flush();
                    let sp = self.stack_pointer();
                    let arguments = [self.frame, sp].map(BlockArg::Value);
                    self.b.ins().jump(self.start, &arguments);
                    break;
                }
                micro_op::exit_trace | micro_op::deopt | micro_op::error_pop_n => {
                    self.leave(0);
                    break;
                }
                // SAFETY: the contract is the same.
                _ => unsafe { self.micro_op(uop)? },
            }
        }
        self.b.seal_all_blocks();
        self.b.finalize(target()?.frontend_config());
        Some(())
    }

    // --- the stack -----------------------------------------------------------------------------

    /// Takes values from memory until `depth` are known.
    fn want(&mut self, depth: usize) {
        while self.top.len() < depth {
            self.offset -= 1;
            let bits = self.b.ins().load(I64, plain(), self.sp, self.offset * SLOT);
            self.top.insert(0, Entry::Ref { bits, counted: true, class: Class::Unknown });
        }
    }

    /// The value `depth` places below the top (1 is the topmost).
    pub(super) fn peek(&mut self, depth: usize) -> Entry {
        self.want(depth);
        self.top[self.top.len() - depth]
    }

    /// The value at that place, which is an object from now on: what looks into it must not make one of its own.
    pub(super) fn peek_object(&mut self, depth: usize) -> Entry {
        let entry = self.peek(depth);
        let entry = self.object_entry(entry);
        self.poke(depth, entry);
        entry
    }

    pub(super) fn poke(&mut self, depth: usize, entry: Entry) {
        self.want(depth);
        let index = self.top.len() - depth;
        self.top[index] = entry;
    }

    pub(super) fn pop(&mut self) -> Entry {
        self.want(1);
        self.top.pop().expect("there is one")
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.top.push(entry);
    }

    /// Stores all values in memory.
    pub(super) fn flush(&mut self) {
        for entry in core::mem::take(&mut self.top) {
            let bits = self.bits(entry);
            self.b.ins().store(plain(), bits, self.sp, self.offset * SLOT);
            self.offset += 1;
        }
    }

    /// One past the values in memory.
    pub(super) fn stack_pointer(&mut self) -> Value {
        self.b.ins().iadd_imm_s(self.sp, i64::from(self.offset * SLOT))
    }

    /// The value as a stack reference, which is an object from now on.
    pub(super) fn bits(&mut self, entry: Entry) -> Value {
        match entry {
            Entry::Ref { bits, .. } => bits,
            Entry::Constant { bits, .. } => self.b.ins().iconst(I64, bits as i64),
            Entry::Float(value) => {
                let tstate = self.tstate;
                self.call(runtime::new_float as *const () as usize, &[I64, F64], Some(I64), &[tstate, value])
                    .expect("a result")
            }
            Entry::Int { value, .. } => self
                .call(runtime::new_int as *const () as usize, &[I64], Some(I64), &[value])
                .expect("a result"),
            Entry::Bool(value) => {
                let yes = self.b.ins().iconst(I64, immortal(crate::host::true_()) as i64);
                let no = self.b.ins().iconst(I64, immortal(crate::host::false_()) as i64);
                self.b.ins().select(value, yes, no)
            }
        }
    }

    /// The address of the object.
    pub(super) fn object(&mut self, entry: Entry) -> Value {
        match entry {
            Entry::Constant { bits, .. } => self.b.ins().iconst(I64, (bits & !1) as i64),
            _ => {
                let bits = self.bits(entry);
                self.b.ins().band_imm_s(bits, !UNCOUNTED)
            }
        }
    }

    // --- leaving -------------------------------------------------------------------------------

    /// Ends the code in this block: the interpreter continues at this micro-op, or behind its failure.
    fn leave(&mut self, how: usize) {
        self.flush();
        let sp = self.stack_pointer();
        self.b.ins().store(plain(), sp, self.machine, offset_of!(Machine, sp) as i32);
        let word = self.uop_address() | how;
        let word = self.b.ins().iconst(I64, word as i64);
        self.b.ins().return_(&[word]);
    }

    fn uop_address(&self) -> usize {
        (&raw const self.trace[self.at]).addr()
    }

    /// Leaves unless `holds`. What is known about the stack stays known.
    pub(super) fn guard(&mut self, holds: Value, how: usize) {
        let (go_on, out) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(out);
        self.b.ins().brif(holds, go_on, &[], out, &[]);
        self.b.switch_to_block(out);
        let (top, offset) = (self.top.clone(), self.offset);
        self.leave(how);
        (self.top, self.offset) = (top, offset);
        self.b.switch_to_block(go_on);
    }

    pub(super) fn guard_equal(&mut self, left: Value, right: u64, how: usize) {
        let holds = self.b.ins().icmp_imm_s(IntCC::Equal, left, right as i64);
        self.guard(holds, how);
    }

    // --- calls ---------------------------------------------------------------------------------

    pub(super) fn call(
        &mut self,
        function: usize,
        parameters: &[Type],
        result: Option<Type>,
        arguments: &[Value],
    ) -> Option<Value> {
        let signature = self.b.import_signature(signature_of(parameters, result));
        let function = self.b.ins().iconst(I64, function as i64);
        let call = self.b.ins().call_indirect(signature, function, arguments);
        self.b.inst_results(call).first().copied()
    }

    /// Runs the micro-op as a call.
    fn call_helper(&mut self, uop: Uop) -> Option<()> {
        self.flush();
        let sp = self.stack_pointer();
        self.run_helper(uop, sp)?;
        self.sp = self.b.ins().load(I64, plain(), self.machine, offset_of!(Machine, sp) as i32);
        self.offset = 0;
        if changes_frame(uop.number()) {
            self.frame = self.b.ins().load(I64, plain(), self.machine, offset_of!(Machine, frame) as i32);
        }
        Some(())
    }

    /// Calls the micro-op, and leaves if it fails. All values are in memory, up to `sp`.
    fn run_helper(&mut self, uop: Uop, sp: Value) -> Option<()> {
        let helper = HELPERS[usize::from(uop.number())]?;
        self.b.ins().store(plain(), sp, self.machine, offset_of!(Machine, sp) as i32);
        let address = self.uop_address();
        let address = self.b.ins().iconst(I64, address as i64);
        let arguments = [self.machine, self.tstate, address];
        let word = self.call(helper as *const () as usize, &[I64; 3], Some(I64), &arguments)?;
        let (go_on, out) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(out);
        self.b.ins().brif(word, out, &[], go_on, &[]);
        self.b.switch_to_block(out);
        self.b.ins().return_(&[word]);
        self.b.switch_to_block(go_on);
        Some(())
    }

    /// Runs the micro-op as a call if `is_needed`. It leaves stack and frame as they are.
    fn call_helper_if(&mut self, uop: Uop, is_needed: Value) -> Option<()> {
        self.flush();
        let (go_on, called) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(called);
        self.b.ins().brif(is_needed, called, &[], go_on, &[]);
        self.b.switch_to_block(called);
        let sp = self.stack_pointer();
        self.run_helper(uop, sp)?;
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(go_on);
        Some(())
    }

    // --- micro-ops -----------------------------------------------------------------------------

    /// Lowers a micro-op that does not end the trace.
    ///
    /// # Safety
    /// As for [`Lowering::lower`].
    unsafe fn micro_op(&mut self, uop: Uop) -> Option<()> {
        use micro_op as op;
        let oparg = usize::from(uop.oparg);
        let number = original(uop.number());
        const FAILED: usize = Next::FAILED_GUARD;
        match number {
            op::nop => {}
            op::make_warm => self.make_warm(),
            op::check_validity => {
                let head = self.executor.as_ptr().addr();
                let at = head
                    + offset_of!(ffi::_PyExecutorObject, vm_data)
                    + offset_of!(ffi::_PyVMData, _bitfield_1);
                let at = self.b.ins().iconst(I64, at as i64);
                let flags = self.b.ins().load(I8, plain(), at, 0);
                let valid = self.b.ins().band_imm_s(flags, i64::from(valid_bit()));
                self.guard(valid, FAILED);
            }
            op::set_ip => {
                let instr = self.b.ins().iconst(I64, uop.operand0 as i64);
                let at = offset_of!(ffi::_PyInterpreterFrame, instr_ptr) as i32;
                self.b.ins().store(plain(), instr, self.frame, at);
            }
            op::save_return_offset => {
                let offset = self.b.ins().iconst(I16, oparg as i64);
                let at = offset_of!(ffi::_PyInterpreterFrame, return_offset) as i32;
                self.b.ins().store(plain(), offset, self.frame, at);
            }
            op::check_periodic => {
                let requests = self.requests();
                self.call_helper_if(uop, requests)?;
            }
            op::tier2_resume_check => {
                let requests = self.requests();
                let holds = self.b.ins().icmp_imm_s(IntCC::Equal, requests, 0);
                self.guard(holds, FAILED);
            }

            op::load_fast => {
                let bits = self.b.ins().load(I64, plain(), self.frame, Self::local_offset(oparg));
                self.count(bits);
                self.push(Entry::Ref { bits, counted: true, class: Class::Unknown });
            }
            op::load_fast_borrow => {
                let bits = self.b.ins().load(I64, plain(), self.frame, Self::local_offset(oparg));
                let bits = self.b.ins().bor_imm_s(bits, UNCOUNTED);
                self.push(Entry::Ref { bits, counted: false, class: Class::Unknown });
            }
            op::store_fast => {
                let value = self.pop();
                let bits = self.bits(value);
                let at = Self::local_offset(oparg);
                let old = self.b.ins().load(I64, plain(), self.frame, at);
                self.b.ins().store(plain(), bits, self.frame, at);
                self.close(Entry::Ref { bits: old, counted: true, class: Class::Unknown });
            }
            op::load_small_int => {
                let bits = immortal(small_int(oparg as isize)?);
                self.push(Entry::Constant { bits, class: Class::Int });
            }
            op::load_const_inline_borrow => {
                self.push(Entry::Constant { bits: uop.operand0 | 1, class: class_of(uop.operand0) });
            }
            op::load_const_inline => {
                let object = self.b.ins().iconst(I64, uop.operand0 as i64);
                let bits = self.new_ref(object);
                self.push(Entry::Ref { bits, counted: true, class: class_of(uop.operand0) });
            }
            op::push_null => self.push(Entry::Constant { bits: NULL, class: Class::Unknown }),
            op::pop_top => {
                let value = self.pop();
                self.close(value);
            }
            op::copy => {
                let value = self.peek(oparg);
                if let Entry::Ref { bits, counted: true, .. } = value {
                    self.count(bits);
                }
                let copy = self.shared(oparg, value);
                self.push(copy);
            }
            op::swap => {
                let (a, b) = (self.peek(1), self.peek(oparg));
                self.poke(1, b);
                self.poke(oparg, a);
            }

            op::guard_tos_float => self.guard_class(1, Class::Float, &raw mut ffi::PyFloat_Type, FAILED),
            op::guard_nos_float => self.guard_class(2, Class::Float, &raw mut ffi::PyFloat_Type, FAILED),
            op::guard_tos_int => self.guard_class(1, Class::Int, &raw mut ffi::PyLong_Type, FAILED),
            op::guard_nos_int => self.guard_class(2, Class::Int, &raw mut ffi::PyLong_Type, FAILED),
            op::guard_tos_list => self.guard_class(1, Class::List, &raw mut ffi::PyList_Type, FAILED),
            op::guard_nos_list => self.guard_class(2, Class::List, &raw mut ffi::PyList_Type, FAILED),
            op::guard_tos_tuple => self.guard_class(1, Class::Tuple, &raw mut ffi::PyTuple_Type, FAILED),
            op::guard_nos_tuple => self.guard_class(2, Class::Tuple, &raw mut ffi::PyTuple_Type, FAILED),
            op::guard_nos_null => {
                if !matches!(self.peek(2), Entry::Constant { bits: NULL, .. }) {
                    let entry = self.peek_object(2);
                    let bits = self.bits(entry);
                    self.guard_equal(bits, NULL, FAILED);
                }
            }

            op::binary_op_add_float => self.float_operation(|l, a, b| l.b.ins().fadd(a, b)),
            op::binary_op_subtract_float => self.float_operation(|l, a, b| l.b.ins().fsub(a, b)),
            op::binary_op_multiply_float => self.float_operation(|l, a, b| l.b.ins().fmul(a, b)),
            op::binary_op_add_int => {
                self.int_operation(|a, b| a.max(b) + 1, |l, a, b| l.b.ins().iadd(a, b));
            }
            op::binary_op_subtract_int => {
                self.int_operation(|a, b| a.max(b) + 1, |l, a, b| l.b.ins().isub(a, b));
            }
            op::binary_op_multiply_int => {
                self.int_operation(|a, b| a + b, |l, a, b| l.b.ins().imul(a, b));
            }
            op::compare_op_float if float_condition(uop.oparg).is_some() => {
                let condition = float_condition(uop.oparg)?;
                let (right, left) = (self.pop(), self.pop());
                let (a, b) = (self.float(left), self.float(right));
                let result = self.b.ins().fcmp(condition, a, b);
                self.close(left);
                self.close(right);
                self.push(Entry::Bool(result));
            }
            op::compare_op_int if int_condition(uop.oparg).is_some() => {
                let condition = int_condition(uop.oparg)?;
                let (a, _) = self.int(2, 64);
                let (b, _) = self.int(1, 64);
                let (right, left) = (self.pop(), self.pop());
                let result = self.b.ins().icmp(condition, a, b);
                self.close(left);
                self.close(right);
                self.push(Entry::Bool(result));
            }
            op::is_op => {
                let (right, left) = (self.pop(), self.pop());
                let left = self.object_entry(left);
                let right = self.object_entry(right);
                let (a, b) = (self.object(left), self.object(right));
                let condition = if oparg == 0 { IntCC::Equal } else { IntCC::NotEqual };
                let result = self.b.ins().icmp(condition, a, b);
                self.close(left);
                self.close(right);
                self.push(Entry::Bool(result));
            }
            op::to_bool_bool if self.peek(1).class() == Class::Bool => {}
            op::guard_is_true_pop | op::guard_is_false_pop => {
                let wanted = number == op::guard_is_true_pop;
                match self.pop() {
                    Entry::Bool(value) => {
                        let holds = if wanted { value } else { self.b.ins().bxor_imm_s(value, 1) };
                        self.guard(holds, FAILED);
                    }
                    entry => {
                        let bits = self.bits(entry);
                        let object = if wanted { crate::host::true_() } else { crate::host::false_() };
                        self.guard_equal(bits, immortal(object), FAILED);
                    }
                }
            }
            op::guard_is_none_pop => {
                let entry = self.peek_object(1);
                let bits = self.bits(entry);
                self.guard_equal(bits, immortal(crate::host::none()), 0);
                self.pop();
            }
            op::guard_is_not_none_pop => {
                let entry = self.peek_object(1);
                let bits = self.bits(entry);
                let holds =
                    self.b.ins().icmp_imm_s(IntCC::NotEqual, bits, immortal(crate::host::none()) as i64);
                self.guard(holds, 0);
                let value = self.pop();
                self.close(value);
            }

            op::iter_check_range => {
                self.guard_class(1, Class::RangeIterator, &raw mut ffi::PyRangeIter_Type, FAILED);
            }
            op::iter_check_list => {
                self.guard_class(1, Class::ListIterator, &raw mut ffi::PyListIter_Type, FAILED);
            }
            op::iter_check_tuple => {
                self.guard_class(1, Class::TupleIterator, &raw mut ffi::PyTupleIter_Type, FAILED);
            }
            op::guard_not_exhausted_range => {
                let entry = self.peek(1);
                let iterator = self.object(entry);
                let at = offset_of!(ffi::_PyRangeIterObject, len) as i32;
                let length = self.b.ins().load(I64, plain(), iterator, at);
                let holds = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, length, 0);
                self.guard(holds, FAILED);
            }
            op::iter_next_range => self.next_of_range(),
            op::guard_not_exhausted_list => {
                self.position_in_list();
            }
            op::iter_next_list_tier_two => self.next_of_list(),

            op::guard_type_version => self.guard_type_version(uop.operand0),
            op::check_managed_object_has_values | op::guard_dorv_values_inst_attr_from_dict => {
                self.guard_values()
            }
            op::guard_keys_version => {
                let (_, _, type_) = self.type_of_top();
                let at = offset_of!(ffi::PyHeapTypeObject, ht_cached_keys) as i32;
                let keys = self.b.ins().load(I64, plain(), type_, at);
                let at = offset_of!(ffi::PyDictKeysObject, dk_version) as i32;
                let version = self.b.ins().load(I32, plain(), keys, at);
                let holds =
                    self.b.ins().icmp_imm_s(IntCC::Equal, version, i64::from(uop.operand0 as u32 as i32));
                self.guard(holds, FAILED);
            }
            op::load_attr_instance_value | op::load_attr_slot => self.load_slot(uop.operand0 as i32),
            op::load_attr_method_with_values
            | op::load_attr_method_no_dict
            | op::load_attr_method_lazy_dict => {
                let owner = self.pop();
                let method = self.b.ins().iconst(I64, uop.operand0 as i64);
                let bits = self.new_ref(method);
                self.push(Entry::Ref { bits, counted: true, class: Class::Unknown });
                self.push(owner);
            }
            op::guard_type_version_and_lock => self.guard_type_version(uop.operand0),
            op::guard_dorv_no_dict => {
                let entry = self.peek_object(1);
                let object = self.object(entry);
                let dict = self.b.ins().load(I64, plain(), object, MANAGED_DICT_OFFSET as i32);
                self.guard_equal(dict, 0, FAILED);
                self.guard_values();
            }
            op::store_attr_instance_value => self.store_attr_instance_value(uop.operand0 as i32),

            op::check_pep_523 => {
                let interp = self.b.ins().load(
                    I64,
                    plain(),
                    self.tstate,
                    offset_of!(ffi::PyThreadState, interp) as i32,
                );
                let at = offset_of!(ffi::PyInterpreterState, eval_frame) as i32;
                let installed = self.b.ins().load(I64, plain(), interp, at);
                self.guard_equal(installed, 0, FAILED);
            }
            op::check_function_version => self.check_function_version(oparg + 2, uop.operand0),
            op::check_function_version_inline => {
                let function = self.b.ins().iconst(I64, uop.operand1 as i64);
                self.check_version_of(function, uop.operand0);
            }
            op::check_stack_space_operand => {
                let size = self.b.ins().iconst(I64, uop.operand0 as i64 * i64::from(SLOT));
                self.check_stack_space(size);
                self.check_recursion_remaining();
            }
            op::check_recursion_remaining => self.check_recursion_remaining(),
            // SAFETY: the trace depends on the code that it calls (caller).
            op::init_call_py_exact_args if unsafe { self.init_call(oparg) } => {}
            op::push_frame if self.new_frame.is_some() => {
                let (frame, stack) = self.new_frame.take()?;
                self.push_frame(frame, stack);
            }
            op::return_value => self.return_value(),
            _ => self.call_helper(uop)?,
        }
        Some(())
    }

    /// The value as one that is an object already, so that it can be on the stack twice.
    fn object_entry(&mut self, entry: Entry) -> Entry {
        match entry {
            Entry::Ref { .. } | Entry::Constant { .. } => entry,
            Entry::Float(_) | Entry::Int { .. } => {
                let bits = self.bits(entry);
                Entry::Ref { bits, counted: true, class: entry.class() }
            }
            Entry::Bool(_) => {
                let bits = self.bits(entry);
                Entry::Ref { bits, counted: false, class: Class::Bool }
            }
        }
    }

    /// The value at `depth`, of which there are two now.
    fn shared(&mut self, depth: usize, value: Entry) -> Entry {
        if matches!(value, Entry::Ref { .. } | Entry::Constant { .. } | Entry::Bool(_)) {
            return value;
        }
        let value = self.object_entry(value);
        self.poke(depth, value);
        if let Entry::Ref { bits, .. } = value {
            self.count(bits);
        }
        value
    }

    /// The requests of the thread.
    fn requests(&mut self) -> Value {
        let at = offset_of!(ffi::PyThreadState, eval_breaker) as i32;
        let word = self.b.ins().load(I64, plain(), self.tstate, at);
        self.b.ins().band_imm_s(word, REQUESTS as i64)
    }

    fn make_warm(&mut self) {
        let head = self.executor.as_ptr().addr();
        let at = head + offset_of!(ffi::_PyExecutorObject, vm_data) + offset_of!(ffi::_PyVMData, warm);
        let at = self.b.ins().iconst(I64, at as i64);
        let one = self.b.ins().iconst(I8, 1);
        self.b.ins().store(plain(), one, at, 0);
        let interp =
            self.b.ins().load(I64, plain(), self.tstate, offset_of!(ffi::PyThreadState, interp) as i32);
        let at = offset_of!(ffi::PyInterpreterState, trace_run_counter) as i32;
        let counter = self.b.ins().load(I32, plain(), interp, at);
        let counter = self.b.ins().iadd_imm_s(counter, -1);
        self.b.ins().store(plain(), counter, interp, at);
        let (go_on, zero) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(zero);
        self.b.ins().brif(counter, go_on, &[], zero, &[]);
        self.b.switch_to_block(zero);
        let tstate = self.tstate;
        self.call(runtime::request_removal as *const () as usize, &[I64], None, &[tstate]);
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(go_on);
    }
}

/// The bits of a reference to an immortal object.
fn immortal(object: *mut ffi::PyObject) -> u64 {
    object.addr() as u64 | 1
}

/// The class of a constant.
fn class_of(object: u64) -> Class {
    // SAFETY: the executor keeps its constants alive.
    let type_ = unsafe { (*(object as *mut ffi::PyObject)).ob_type };
    if type_ == &raw mut ffi::PyFloat_Type {
        Class::Float
    } else if type_ == &raw mut ffi::PyLong_Type {
        Class::Int
    } else if type_ == &raw mut ffi::PyBool_Type {
        Class::Bool
    } else {
        Class::Unknown
    }
}

/// The bit of the executor's flags that says that it is valid.
fn valid_bit() -> u8 {
    // SAFETY: integers and pointers, for which zero is a value.
    let mut data: ffi::_PyVMData = unsafe { core::mem::zeroed() };
    data.set_valid(1);
    // SAFETY: the flags are one byte.
    unsafe { (&raw const data._bitfield_1).cast::<u8>().read() }
}

/// The number of the micro-op that this one is a copy of, or its own.
fn original(number: u16) -> u16 {
    crate::ops::metadata::MicroOp::by_number(number).map_or(number, |row| row.number)
}

/// Whether the program is in another frame after the micro-op.
fn changes_frame(number: u16) -> bool {
    matches!(
        number,
        micro_op::push_frame | micro_op::return_value | micro_op::return_generator | micro_op::yield_value
    )
}

/// The bits of a comparison's argument that say for which outcomes it is true.
const OUTCOMES: u16 = 15;

/// What a comparison of floats asks for, if it is one of the usual operators.
fn float_condition(oparg: u16) -> Option<FloatCC> {
    let (less, greater, equal, unordered) = outcomes();
    let asked = u32::from(oparg & OUTCOMES);
    Some(match asked {
        _ if asked == less => FloatCC::LessThan,
        _ if asked == less | equal => FloatCC::LessThanOrEqual,
        _ if asked == greater => FloatCC::GreaterThan,
        _ if asked == greater | equal => FloatCC::GreaterThanOrEqual,
        _ if asked == equal => FloatCC::Equal,
        _ if asked == less | greater | unordered => FloatCC::NotEqual,
        _ => return None,
    })
}

/// What a comparison of ints asks for, if it is one of the usual operators.
fn int_condition(oparg: u16) -> Option<IntCC> {
    let (less, greater, equal, unordered) = outcomes();
    let asked = u32::from(oparg & OUTCOMES) & !unordered;
    Some(match asked {
        _ if asked == less => IntCC::SignedLessThan,
        _ if asked == less | equal => IntCC::SignedLessThanOrEqual,
        _ if asked == greater => IntCC::SignedGreaterThan,
        _ if asked == greater | equal => IntCC::SignedGreaterThanOrEqual,
        _ if asked == equal => IntCC::Equal,
        _ if asked == less | greater => IntCC::NotEqual,
        _ => return None,
    })
}

/// The bits of a comparison's argument: less, greater, equal, unordered.
fn outcomes() -> (u32, u32, u32, u32) {
    (
        ffi::COMPARISON_LESS_THAN,
        ffi::COMPARISON_GREATER_THAN,
        ffi::COMPARISON_EQUALS,
        ffi::COMPARISON_UNORDERED,
    )
}
