//! Attributes and globals in machine code.

use core::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I32, I64};
use cranelift_codegen::ir::{Block, InstBuilder, Value};

use crate::bytecode::micro_op;
use crate::host::dict::MANAGED_DICT_OFFSET;
use crate::host::{TypeVersion, ffi};
use crate::jit::lower::{Lowered, Lowering, plain};
use crate::jit::state::{Place, Slot};
use crate::jit::values::{Class, Id, Known};
use crate::tier2::Uop;
use crate::tier2::compiled::Next;
use crate::tier2::optimize::watchers;

const FAILED: usize = Next::FAILED_GUARD;

impl Lowering<'_> {
    /// The type of the object.
    pub(in crate::jit) fn type_of(&mut self, id: Id) -> Value {
        let object = self.object(id);
        self.load(I64, object, offset_of!(ffi::PyObject, ob_type))
    }

    /// A 32-bit field has this value, or the code leaves.
    pub(in crate::jit) fn guard_field(
        &mut self,
        object: Value,
        offset: usize,
        expected: u64,
        how: usize,
    ) -> Lowered {
        let found = self.load(I32, object, offset);
        let holds = self.b.ins().icmp_imm_s(IntCC::Equal, found, i64::from(expected as u32 as i32));
        self.guard(holds, how)
    }

    /// The type of the value `depth` places below the top has this version, or the code leaves.
    pub(in crate::jit) fn guard_type_version(&mut self, depth: usize, version: u64) -> Lowered {
        let id = self.peek(depth);
        self.guard_version_of(id, version as u32, self.word_of(FAILED))
    }

    /// The type of the value has this version, or the code leaves by that word.
    pub(in crate::jit) fn guard_version_of(&mut self, id: Id, version: u32, word: usize) -> Lowered {
        if self.state.values[id].version == Some(version) {
            return Ok(());
        }
        let type_ = self.type_of(id);
        let holds = match self.type_relied_on(version) {
            Some(expected) => self.b.ins().icmp_imm_s(IntCC::Equal, type_, expected as i64),
            None => {
                let found = self.load(I32, type_, offset_of!(ffi::PyTypeObject, tp_version_tag));
                self.b.ins().icmp_imm_s(IntCC::Equal, found, i64::from(version as i32))
            }
        };
        self.guard_by(holds, word)?;
        self.state.values[id].version = Some(version);
        Ok(())
    }

    /// The address of the type with this version. The executor is invalidated before the type changes, so that an object of the
    /// type need not be asked for the version. `None` if the executor does not rely on the type.
    fn type_relied_on(&self, version: u32) -> Option<u64> {
        let type_ = type_of_version(version)?;
        // SAFETY: the executor is live during the lowering, and a type that is found is, too.
        unsafe { watchers::relies_on_type(self.executor, type_) }.then(|| type_.addr() as u64)
    }

    /// Whether the attributes of an object are in inline values. Its type is the one that it has now.
    pub(in crate::jit) fn inline_values_valid(&mut self, object: Value) -> Value {
        let type_ = self.load(I64, object, offset_of!(ffi::PyObject, ob_type));
        let size = self.load(I64, type_, offset_of!(ffi::PyTypeObject, tp_basicsize));
        let values = self.b.ins().iadd(object, size);
        self.load(I8, values, offset_of!(ffi::PyDictValues, valid))
    }

    pub(in crate::jit) fn guard_inline_values(&mut self) -> Lowered {
        let id = self.peek(1);
        self.guard_inline_values_of(id, self.word_of(FAILED))
    }

    /// The attributes of the value are in inline values, or the code leaves by that word.
    pub(in crate::jit) fn guard_inline_values_of(&mut self, id: Id, word: usize) -> Lowered {
        if self.state.values[id].has_inline_values {
            return Ok(());
        }
        let object = self.object(id);
        let size = self.state.values[id].version.and_then(basic_size);
        let valid = match size {
            Some(size) => self.load(I8, object, size + offset_of!(ffi::PyDictValues, valid)),
            None => self.inline_values_valid(object),
        };
        self.guard_by(valid, word)?;
        self.state.values[id].has_inline_values = true;
        Ok(())
    }

    /// The topmost object has no dictionary, and its attributes are in inline values.
    pub(in crate::jit) fn guard_no_dict(&mut self) -> Lowered {
        let id = self.peek(1);
        let object = self.object(id);
        let dict = self.b.ins().load(I64, plain(), object, MANAGED_DICT_OFFSET as i32);
        self.guard_equal(dict, 0, FAILED)?;
        self.guard_inline_values()
    }

    pub(in crate::jit) fn guard_keys_version(&mut self, version: u64) -> Lowered {
        let id = self.peek(1);
        let type_ = self.type_of(id);
        let keys = self.load(I64, type_, offset_of!(ffi::PyHeapTypeObject, ht_cached_keys));
        self.guard_field(keys, offset_of!(ffi::PyDictKeysObject, dk_version), version, FAILED)
    }

    pub(in crate::jit) fn check_attr_class(&mut self, version: u64) -> Lowered {
        let id = self.peek(1);
        let type_ = self.type_of(id);
        let flags = self.load(I64, type_, offset_of!(ffi::PyTypeObject, tp_flags));
        let is_type = self.b.ins().band_imm_s(flags, i64::from(ffi::Py_TPFLAGS_TYPE_SUBCLASS));
        self.guard(is_type, FAILED)?;
        let object = self.object(id);
        self.guard_field(object, offset_of!(ffi::PyTypeObject, tp_version_tag), version, FAILED)
    }

    pub(in crate::jit) fn check_lazy_dict(&mut self, offset: u64) -> Lowered {
        let id = self.peek(1);
        let object = self.object(id);
        let dict = self.b.ins().load(I64, plain(), object, MANAGED_DICT_OFFSET as i32 + offset as i32);
        self.guard_equal(dict, 0, FAILED)
    }

    // --- reading -------------------------------------------------------------------------------

    /// Replaces the topmost object by what is in it at `offset`.
    pub(in crate::jit) fn load_slot(&mut self, offset: usize) -> Lowered {
        let owner = self.peek(1);
        let object = self.object(owner);
        let value = self.load(I64, object, offset);
        self.guard(value, FAILED)?;
        self.replace_by_part(value, Class::Unknown);
        Ok(())
    }

    /// Replaces the topmost object by something that it refers to.
    pub(in crate::jit) fn replace_by_part(&mut self, part: Value, class: Class) {
        let owner = self.drop_top();
        let id = self.state.push_new(Known::borrowed(part, class));
        // If the owner ends now, the part must not end with it.
        if self.state.values[owner].holders == 0 && !self.state.values[owner].references.is_empty() {
            self.own(id);
        }
    }

    /// Replaces the topmost object by an object that its type keeps alive.
    pub(in crate::jit) fn load_cached(&mut self, attribute: u64) {
        self.drop_top();
        self.push_attribute_of_type(attribute);
    }

    /// Pushes an object at a known address, which something keeps alive for now.
    pub(in crate::jit) fn push_object_at(&mut self, address: u64) {
        let pointer = self.constant(address);
        let known = Known::borrowed(pointer, super::class_of(address));
        self.state.push_new(Known { address: Some(address), ..known });
    }

    /// Puts a method below the topmost object, which becomes its `self`.
    pub(in crate::jit) fn load_method(&mut self, method: u64) {
        let owner = self.pop();
        self.push_attribute_of_type(method);
        self.state.top().stack.push(Slot::new(owner));
    }

    /// Pushes the object at this address, an attribute of a type whose version the trace has checked.
    fn push_attribute_of_type(&mut self, address: u64) {
        if self.types_are_live {
            self.push_object_at(address);
        } else {
            let pointer = self.constant(address);
            self.state.push_new(Known::borrowed(pointer, Class::Unknown));
        }
    }

    /// The value of a module's attribute.
    pub(in crate::jit) fn load_attr_module(&mut self, version: u64, index: u64) -> Lowered {
        let owner = self.peek(1);
        let type_ = self.type_of(owner);
        let getattro = self.load(I64, type_, offset_of!(ffi::PyTypeObject, tp_getattro));
        // SAFETY: the type is a static of the host.
        let expected = unsafe { ffi::PyModule_Type.tp_getattro }.map_or(0, |function| function as usize);
        self.guard_equal(getattro, expected as u64, FAILED)?;
        let module = self.object(owner);
        let dict = self.load(I64, module, offset_of!(ffi::PyModuleObject, md_dict));
        let value = self.entry_of_dict(dict, version, index)?;
        self.replace_by_part(value, Class::Unknown);
        Ok(())
    }

    /// The value at an index of the keys of a dictionary, which have this version.
    fn entry_of_dict(&mut self, dict: Value, version: u64, index: u64) -> Lowered<Value> {
        let keys = self.load(I64, dict, offset_of!(ffi::PyDictObject, ma_keys));
        self.guard_field(keys, offset_of!(ffi::PyDictKeysObject, dk_version), version, FAILED)?;
        let log2_size = self.load(I8, keys, offset_of!(ffi::PyDictKeysObject, dk_log2_index_bytes));
        let one = self.constant(1);
        let indices = self.b.ins().ishl(one, log2_size);
        let entries = self.b.ins().iadd(keys, indices);
        let at = offset_of!(ffi::PyDictKeysObject, dk_indices)
            + index as usize * size_of::<ffi::PyDictUnicodeEntry>()
            + offset_of!(ffi::PyDictUnicodeEntry, me_value);
        let value = self.load(I64, entries, at);
        self.guard(value, FAILED)?;
        Ok(value)
    }

    // --- globals -------------------------------------------------------------------------------

    /// The globals and the builtins of the innermost frame.
    pub(super) fn namespaces(&mut self) -> (Value, Value) {
        match self.state.frame().place {
            Place::Memory(frame) => (
                self.load(I64, frame, offset_of!(ffi::_PyInterpreterFrame, f_globals)),
                self.load(I64, frame, offset_of!(ffi::_PyInterpreterFrame, f_builtins)),
            ),
            Place::Virtual { function } => {
                let function = self.object(function);
                (
                    self.load(I64, function, offset_of!(ffi::PyFunctionObject, func_globals)),
                    self.load(I64, function, offset_of!(ffi::PyFunctionObject, func_builtins)),
                )
            }
        }
    }

    pub(in crate::jit) fn check_globals(&mut self, globals: u64, builtins: u64) -> Lowered {
        if self.state.frame().globals == Some((globals, builtins)) {
            return Ok(());
        }
        let (found_globals, found_builtins) = self.namespaces();
        self.guard_equal(found_globals, globals, FAILED)?;
        self.guard_equal(found_builtins, builtins, FAILED)?;
        self.state.top().globals = Some((globals, builtins));
        Ok(())
    }

    /// The namespace is a dict whose keys have this version, or the code leaves.
    fn guard_namespace(&mut self, namespace: Value) -> Lowered {
        let type_ = self.load(I64, namespace, offset_of!(ffi::PyObject, ob_type));
        self.guard_equal(type_, (&raw mut ffi::PyDict_Type).addr() as u64, FAILED)
    }

    pub(in crate::jit) fn guard_globals_version(&mut self, version: u64) -> Lowered {
        let (globals, _) = self.namespaces();
        self.guard_namespace(globals)?;
        let keys = self.load(I64, globals, offset_of!(ffi::PyDictObject, ma_keys));
        self.guard_field(keys, offset_of!(ffi::PyDictKeysObject, dk_version), version, FAILED)
    }

    pub(in crate::jit) fn load_global(&mut self, version: u64, index: u64, is_builtin: bool) -> Lowered {
        let (globals, builtins) = self.namespaces();
        let namespace = if is_builtin { builtins } else { globals };
        self.guard_namespace(namespace)?;
        let value = self.entry_of_dict(namespace, version, index)?;
        self.state.push_new(Known::borrowed(value, Class::Unknown));
        Ok(())
    }

    // --- writing -------------------------------------------------------------------------------

    /// Stores the value below the topmost object in that object, at `offset`.
    pub(in crate::jit) fn store_slot(&mut self, offset: usize, has_order: bool) -> Lowered {
        let (value, owner) = (self.peek(2), self.peek(1));
        let object = self.object(owner);
        self.drop_top();
        self.drop_top();
        // The old value may be what something here is borrowed from.
        self.own_all();
        let old = self.load(I64, object, offset);
        let (had_value, first, go_on) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let given = self.object_to_store(value, old, go_on);
        self.store(given, object, offset);
        self.b.ins().brif(old, had_value, &[], first, &[]);
        self.b.switch_to_block(first);
        if has_order {
            self.append_to_order(owner, object, offset);
        }
        self.b.ins().jump(go_on, &[]);
        self.b.switch_to_block(had_value);
        self.release_object(old, go_on)?;
        self.b.switch_to_block(go_on);
        Ok(())
    }

    /// A reference to a value which nothing here holds any more, to be stored in the place of `old`, an object or null. Goes on
    /// there at once if `old` can take the value over.
    pub(in crate::jit) fn object_to_store(&mut self, value: Id, old: Value, go_on: Block) -> Value {
        match self.float_without_holder(value) {
            Some(number) => {
                self.overwrite_float(old, number, go_on);
                self.new_float(number)
            }
            None => self.give_object(value),
        }
    }

    /// Releases a reference to the object at this address, and goes on there. The state is as after the micro-op.
    pub(in crate::jit) fn release_object(&mut self, object: Value, go_on: Block) -> Lowered {
        let (mortal, dead) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(dead);
        let count = self.load(I32, object, 0);
        let is_immortal = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, count, 0);
        self.b.ins().brif(is_immortal, go_on, &[], mortal, &[]);
        self.b.switch_to_block(mortal);
        let count = self.decrement(object);
        self.b.ins().brif(count, go_on, &[], dead, &[]);
        self.b.switch_to_block(dead);
        self.end_object(object, Class::Unknown, &[], go_on)
    }
}

/// Whether all types whose versions the trace checks are there, and so the attributes that the trace takes from them. Where the
/// optimizer has left a check out, the trace depends on the type.
///
/// # Safety
/// The thread is attached.
pub(in crate::jit) unsafe fn types_are_live(trace: &[Uop]) -> bool {
    trace.iter().all(|uop| match uop.number() {
        micro_op::guard_type_version
        | micro_op::guard_type_version_and_lock
        | micro_op::guard_nos_type_version
        | micro_op::check_attr_class
        | micro_op::expand_instance => type_of_version(uop.operand0 as u32).is_some(),
        _ => true,
    })
}

/// The type with this version, if there is one.
pub(super) fn type_of_version(version: u32) -> Option<*mut ffi::PyTypeObject> {
    let version = TypeVersion::new(version)?;
    // SAFETY: the thread is attached while it compiles.
    let type_ = unsafe { ffi::_PyType_LookupByVersion(version.get()) };
    (!type_.is_null()).then_some(type_)
}

/// The size of the instances of the type with this version, without inline values.
pub(super) fn basic_size(version: u32) -> Option<usize> {
    // SAFETY: a type that is found is live.
    type_of_version(version).map(|type_| unsafe { (*type_).tp_basicsize as usize })
}
