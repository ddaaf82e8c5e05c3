//! Attributes that are found by their names: in dictionaries of instances, and behind `super()`.

use cranelift_codegen::ir::types::I64;

use crate::host::ffi;
use crate::jit::lower::{Lowered, Lowering, NULL};
use crate::jit::quiet_work;
use crate::jit::state::Slot;
use crate::jit::values::{Class, Known};
use crate::tier2::Uop;
use crate::tier2::compiled::Next;
use crate::tier2::known_attribute::KnownAttribute;

const FAILED: usize = Next::FAILED_GUARD;

impl Lowering<'_> {
    /// Replaces the topmost object by an attribute that is at a certain place in its dictionary, or the code leaves. Returns false if
    /// the name is not known.
    pub(in crate::jit) fn load_attr_with_hint(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 {
            return Ok(false);
        }
        let owner = self.peek(1);
        let object = self.object(owner);
        let arguments = [object, self.constant(uop.operand0), self.constant(uop.operand1)];
        let function = quiet_work::hinted_attribute as *const () as usize;
        let value = self.result_of(function, &[I64; 3], I64, &arguments);
        self.guard(value, FAILED)?;
        self.replace_by_part(value, Class::Unknown);
        Ok(true)
    }

    /// Stores the value below the topmost object in the dictionary of that object, likewise.
    pub(in crate::jit) fn store_attr_with_hint(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 {
            return Ok(false);
        }
        let (value, owner) = (self.peek(2), self.peek(1));
        let (object, value) = (self.object(owner), self.object(value));
        let arguments = [object, self.constant(uop.operand0), self.constant(uop.operand1), value];
        self.may_leave(self.word_of(FAILED))?;
        let function = quiet_work::store_hinted_attribute as *const () as usize;
        let old = self.result_of(function, &[I64; 4], I64, &arguments);
        self.guard_done(old, FAILED)?;
        self.drop_top();
        self.drop_top();
        // It ends behind the owner.
        self.state.push_new(Known::owned(old, true, Class::Unknown));
        self.drop_top();
        Ok(true)
    }

    /// Replaces the topmost object by an attribute, or by a method and itself. Leaves to the interpreter if it is not known where that
    /// is, or if it is of the other kind. Returns false if it was not known when it was recorded.
    pub(in crate::jit) fn load_known_attribute(&mut self, uop: Uop) -> Lowered<bool> {
        let Some(KnownAttribute { name, is_method }) = KnownAttribute::from_operand(uop.operand1) else {
            return Ok(false);
        };
        let owner = self.peek(1);
        let arguments = [self.tstate, self.object(owner), self.constant(name)];
        let function = match (uop.oparg & 1 != 0, is_method) {
            (false, _) => quiet_work::known_attribute as *const (),
            (true, false) => quiet_work::attribute_for_call as *const (),
            (true, true) => quiet_work::method_for_call as *const (),
        };
        self.may_leave(self.word_of(0))?;
        let found = self.result_of(function as usize, &[I64; 3], I64, &arguments);
        self.guard_done(found, 0)?;
        let found = Known::owned(found, true, Class::Unknown);
        if is_method {
            let owner = self.pop();
            self.state.push_new(found);
            self.state.top().stack.push(Slot::new(owner));
            return Ok(true);
        }
        self.drop_top();
        self.state.push_new(found);
        if uop.oparg & 1 != 0 {
            self.push_constant(NULL, Class::Unknown);
        }
        Ok(true)
    }

    /// Replaces the topmost value, a code object, by a function with the globals of the frame.
    pub(in crate::jit) fn make_function(&mut self) -> Lowered {
        let id = self.peek(1);
        let (globals, _) = self.namespaces();
        let arguments = [self.object(id), globals];
        self.may_leave(self.word_of(0))?;
        let function = quiet_work::new_function as *const () as usize;
        let function = self.result_of(function, &[I64; 2], I64, &arguments);
        self.guard_done(function, 0)?;
        self.drop_top();
        self.state.push_new(Known::owned(function, true, Class::Unknown));
        Ok(())
    }

    /// Replaces `super`, the class, and `self` by a method behind the class, and `self`. Leaves to the interpreter if it is something
    /// else. Returns false if the name is not known.
    pub(in crate::jit) fn load_super_method(&mut self, uop: Uop) -> Lowered<bool> {
        if uop.operand1 == 0 {
            return Ok(false);
        }
        let [callable, class, this] = [3, 2, 1].map(|depth| self.peek(depth));
        let expected = (&raw mut ffi::PySuper_Type).addr() as u64;
        if self.state.values[callable].address != Some(expected) {
            let object = self.object(callable);
            self.guard_equal(object, expected, 0)?;
        }
        let arguments = [self.tstate, self.object(class), self.object(this), self.constant(uop.operand1)];
        self.may_leave(self.word_of(0))?;
        let function = quiet_work::super_method as *const () as usize;
        let method = self.result_of(function, &[I64; 4], I64, &arguments);
        self.guard_done(method, 0)?;
        let this = self.pop();
        self.drop_top();
        self.drop_top();
        self.state.push_new(Known::owned(method, true, Class::Unknown));
        self.state.top().stack.push(Slot::new(this));
        Ok(true)
    }
}
