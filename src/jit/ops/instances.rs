//! Calls of classes in machine code: a new instance, and the frames of its `__init__`.
//!
//! Below the frame of `__init__` is that of a trampoline, which returns the instance. Neither exists until something needs it.

use core::mem::offset_of;

use cranelift_codegen::ir::types::{I8, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

use super::attributes::{basic_size, type_of_version};
use super::{immortal_none, none};
use crate::bytecode::{metadata, micro_op};
use crate::host::function::Function;
use crate::host::specialization_cache::SpecializationCache;
use crate::host::{Code, FunctionVersion, ffi};
use crate::jit::lower::{Lowered, Lowering, NULL};
use crate::jit::runtime;
use crate::jit::state::{NewFrame, Place, Slot};
use crate::jit::values::{Class, Id, Known};
use crate::ops::calls::init_cleanup;
use crate::tier2::Uop;
use crate::tier2::compiled::Next;
use crate::tier2::uop::Entered;

const FAILED: usize = Next::FAILED_GUARD;

/// What a call of a class runs.
struct Constructor {
    class: *mut ffi::PyTypeObject,
    class_version: u64,
    init: Function,
    init_version: u64,
}

impl Lowering<'_> {
    /// A call of a class with `count` arguments: replaces the class by its `__init__`, and puts a new instance above that.
    /// Returns false if what it runs is not known well enough.
    ///
    /// # Safety
    /// The thread is attached. What the operands of the trace refer to is live.
    pub(in crate::jit) unsafe fn allocate_instance(&mut self, uop: Uop) -> Lowered<bool> {
        let count = usize::from(uop.oparg);
        // SAFETY: the contract is the same.
        let Some(constructor) = (unsafe { self.constructor(uop) }) else { return Ok(false) };
        let Constructor { class, class_version, init, init_version } = constructor;
        let (callable, receiver) = (self.peek(count + 2), self.peek(count + 1));
        let address = class.addr() as u64;
        if self.state.values[callable].address != Some(address) {
            let object = self.object(callable);
            self.guard_equal(object, address, FAILED)?;
        }
        if self.state.values[receiver].constant != Some(NULL) {
            let object = self.object(receiver);
            self.guard_equal(object, 0, FAILED)?;
        }
        let class = self.constant(address);
        self.guard_field(class, offset_of!(ffi::PyTypeObject, tp_version_tag), class_version, FAILED)?;
        self.check_version_at(init.object().addr() as u64, init_version)?;
        // SAFETY: a class keeps its `__init__` alive, and that its code.
        let words = unsafe { [init.code(), init_cleanup()].map(|code| (*code.as_ptr()).co_framesize) };
        self.check_stack_space(words.iter().sum::<core::ffi::c_int>() as usize, FAILED)?;
        self.may_leave(self.word_of(0))?;
        let function = runtime::new_instance as *const () as usize;
        let instance = self.result_of(function, &[I64], I64, &[class]);
        // Without memory, the interpreter raises the exception.
        self.guard_done(instance, 0)?;

        let arguments: Vec<Slot> = (0..count).map(|_| self.pop_argument()).collect();
        self.drop_top();
        self.drop_top();
        self.push_object_at(init.object().addr() as u64);
        let instance = Known {
            version: Some(class_version as u32),
            has_inline_values: has_inline_values(constructor.class),
            ..Known::owned(instance, true, Class::Unknown)
        };
        self.state.push_new(instance);
        self.state.top().stack.extend(arguments.into_iter().rev());
        Ok(true)
    }

    /// What this micro-op calls, if the trace goes on in an `__init__` that takes its arguments as they are.
    ///
    /// # Safety
    /// As for [`Lowering::allocate_instance`].
    unsafe fn constructor(&self, uop: Uop) -> Option<Constructor> {
        let class_version = uop.operand0;
        let class = type_of_version(class_version as u32)?;
        let following = || self.trace[self.at..].iter().take(8);
        let push = following().find(|uop| uop.number() == micro_op::push_frame)?;
        let init_version = following().find(|uop| uop.number() == micro_op::check_function)?.operand0;
        // SAFETY: a type that is found is live. If it has this version, it is a class with an `__init__` in its cache. The
        // trace depends on the code that it enters.
        unsafe {
            let init = SpecializationCache::of(class).init();
            if init.object().is_null() || !init.has_version(FunctionVersion::new(init_version as u32)?) {
                return None;
            }
            let code = Entered::from_operand(push.operand0)?.code();
            let is_known = code == init.code() && code.takes(usize::from(uop.oparg) + 1);
            is_known.then_some(Constructor { class, class_version, init, init_version })
        }
    }

    /// Prepares the frame of the `__init__` below `count` arguments and the instance, and enters the trampoline below it.
    /// Returns false if the function is not known.
    ///
    /// # Safety
    /// As for [`Lowering::allocate_instance`].
    pub(in crate::jit) unsafe fn create_init_frame(&mut self, count: usize) -> bool {
        let callable = self.peek(count + 2);
        // SAFETY: something keeps an object at a known address alive while the thread compiles.
        let Some(code) = (unsafe { self.code_of_function(callable) }) else { return false };
        // SAFETY: the code is live.
        if !unsafe { code.takes(count + 1) } {
            return false;
        }
        let mut arguments: Vec<Slot> = (0..=count).map(|_| self.pop_argument()).collect();
        arguments.reverse();
        let function = self.pop();
        let instance = arguments[0].id;
        self.state.hold(instance);
        self.state.top().return_offset = Some(1 + metadata::CALL.cache_units() as u16);
        // SAFETY: the code is a static of the host.
        let start = unsafe { init_cleanup().bytecode() };
        self.enter_trampoline(init_cleanup(), start, vec![instance]);
        self.new_frame = Some(NewFrame { function, code, arguments });
        true
    }

    /// The code of a function at a known address, which [`Lowering::allocate_instance`] has found.
    ///
    /// # Safety
    /// The thread is attached.
    unsafe fn code_of_function(&self, id: Id) -> Option<Code> {
        let address = self.state.values[id].address? as *mut ffi::PyObject;
        // SAFETY: something keeps an object at a known address alive while the thread compiles.
        unsafe { Function::cast(address).map(|function| function.code()) }
    }

    /// The function of the innermost frame has this version, or the code leaves.
    pub(in crate::jit) fn check_function(&mut self, version: u64) -> Lowered {
        let function = match (&self.state.frames[..], self.state.frame().place) {
            // The version was checked before the instance was made.
            ([.., below, _], Place::Virtual { .. }) if below.code == Some(init_cleanup()) => return Ok(()),
            (_, Place::Virtual { function }) => self.object(function),
            (_, Place::Memory(frame)) => {
                let bits = self.load(I64, frame, offset_of!(ffi::_PyInterpreterFrame, f_funcobj));
                self.b.ins().band_imm_s(bits, !1)
            }
        };
        self.guard_field(function, offset_of!(ffi::PyFunctionObject, func_version), version, FAILED)
    }

    /// The topmost value, the result of `__init__`, is None, or the code leaves.
    pub(in crate::jit) fn check_result_of_init(&mut self) -> Lowered {
        let id = self.peek(1);
        if self.state.values[id].constant != Some(immortal_none()) {
            let object = self.object(id);
            self.guard_equal(object, none() as u64, 0)?;
        }
        self.drop_top();
        Ok(())
    }

    /// Notes that the attribute at `offset` of an object is its newest one. It was missing.
    pub(in crate::jit) fn append_to_order(&mut self, owner: Id, object: Value, offset: usize) {
        let Some(base) = self.state.values[owner].version.and_then(basic_size) else {
            let slot = self.b.ins().iadd_imm_s(object, offset as i64);
            self.call(runtime::append_to_order as *const () as usize, &[I64, I64], &[object, slot]);
            return;
        };
        let first = base + offset_of!(ffi::PyDictValues, values);
        let capacity = self.load(I8, object, base + offset_of!(ffi::PyDictValues, capacity));
        let capacity = self.b.ins().uextend(I64, capacity);
        let order = self.b.ins().ishl_imm_u(capacity, i64::from(size_of::<usize>().trailing_zeros()));
        let size = self.load(I8, object, base + offset_of!(ffi::PyDictValues, size));
        let at = self.b.ins().uextend(I64, size);
        let at = self.b.ins().iadd(order, at);
        let at = self.b.ins().iadd(object, at);
        let index = self.b.ins().iconst(I8, ((offset - first) / size_of::<usize>()) as i64);
        self.store(index, at, first);
        let size = self.b.ins().iadd_imm_s(size, 1);
        self.store(size, object, base + offset_of!(ffi::PyDictValues, size));
    }
}

/// Whether new instances of the class have their attributes in inline values.
fn has_inline_values(class: *mut ffi::PyTypeObject) -> bool {
    // SAFETY: the caller has found the type to be live.
    unsafe { crate::host::object::type_flags(class) & ffi::Py_TPFLAGS_INLINE_VALUES != 0 }
}
