//! Calls of Python functions whose parameters do not take the arguments as they are: keywords and defaults, in machine code.

use core::mem::offset_of;

use cranelift_codegen::ir::Value;
use cranelift_codegen::ir::types::I64;

use crate::host::function::Function;
use crate::host::object::{is_exact, tuple_slice};
use crate::host::{Code, PyObject, empty_tuple, ffi};
use crate::jit::lower::{Lowered, Lowering, NULL, immortal};
use crate::jit::quiet_work;
use crate::jit::state::{NewFrame, Slot};
use crate::jit::values::{Class, Id, Known, MAX_ITEMS};
use crate::tier2::compiled::Next;

const FAILED: usize = Next::FAILED_GUARD;

/// What a parameter gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    /// The argument with this number, counted from the first one, `self` if there is one.
    Argument(usize),
    /// The default with this number.
    Default(usize),
    /// A tuple of the arguments with these numbers.
    Rest(usize, usize),
    /// A new dict.
    Keywords,
}

impl Lowering<'_> {
    /// What is called is a bound method of a function of this version, and there is no other `self`, or the code leaves. `above` is
    /// the number of values above the slot of `self`.
    pub(in crate::jit) fn check_method_version(&mut self, above: usize, version: u64) -> Lowered {
        self.check_bound_method(above)?;
        let callable = self.peek(above + 2);
        let method = self.object(callable);
        let function = self.load(I64, method, offset_of!(ffi::PyMethodObject, im_func));
        let type_ = self.load(I64, function, offset_of!(ffi::PyObject, ob_type));
        self.guard_equal(type_, (&raw mut ffi::PyFunction_Type).addr() as u64, FAILED)?;
        self.guard_field(function, offset_of!(ffi::PyFunctionObject, func_version), version, FAILED)
    }

    /// Prepares the frame of a call with `count` arguments, some of them by the names in a tuple above them if `has_names`. Returns
    /// false if the parameters cannot be bound now.
    ///
    /// # Safety
    /// The thread is attached. What the operands of the trace refer to is live, and so are its constants.
    pub(in crate::jit) unsafe fn bind_arguments(&mut self, count: usize, has_names: bool) -> Lowered<bool> {
        let above = count + usize::from(has_names);
        self.want(above + 2);
        // SAFETY: the callee and its code are live. The executor keeps its constants alive (caller).
        let bound = unsafe {
            let Some((code, Some(function))) = self.callee() else { return Ok(false) };
            let Some(has_self) = self.has_self(above) else { return Ok(false) };
            let names: &[*mut PyObject] = if has_names {
                let id = self.peek(1);
                let Some(bits) = self.state.values[id].constant else { return Ok(false) };
                let names = (bits & !1) as *mut PyObject;
                if !is_exact(names, &raw mut ffi::PyTuple_Type) {
                    return Ok(false);
                }
                tuple_slice(names)
            } else {
                &[]
            };
            let given = count + usize::from(has_self);
            sources(code, given, names, number_of_defaults(function))
                .map(|sources| (code, function, has_self, sources))
        };
        let Some((code, function, has_self, sources)) = bound else { return Ok(false) };
        // SAFETY: the code is live (caller).
        let words = unsafe { (*code.as_ptr()).co_framesize as usize };
        self.check_stack_space(words, 0)?;
        self.check_recursion_remaining(0)?;
        let callable = self.peek(above + 2);
        let defaults = if sources.iter().any(|source| matches!(source, Source::Default(_))) {
            // SAFETY: the function is live (caller).
            let expected = unsafe { number_of_defaults(function) };
            Some(self.defaults_of(callable, expected)?)
        } else {
            None
        };
        let keywords = if sources.contains(&Source::Keywords) {
            self.may_leave(self.word_of(0))?;
            let dict = self.result_of(quiet_work::new_dict as *const () as usize, &[], I64, &[]);
            // Without memory, the interpreter raises the exception.
            self.guard_done(dict, 0)?;
            let dict = Known { holders: 1, ..Known::owned(dict, true, Class::Dict) };
            Some(self.state.add(dict))
        } else {
            None
        };

        if has_names {
            self.drop_top();
        }
        let mut arguments: Vec<Slot> = (0..count).map(|_| self.pop_argument()).collect();
        let receiver = self.pop_argument();
        if has_self {
            arguments.push(receiver);
        } else {
            self.state.let_go(receiver.id);
        }
        arguments.reverse();
        let function = self.pop();
        let parameters = sources.into_iter().map(|source| match (source, defaults, keywords) {
            (Source::Default(index), Some(defaults), _) => Slot::new(self.default_at(defaults, index)),
            (Source::Keywords, _, Some(keywords)) => Slot::new(keywords),
            (Source::Argument(index), ..) => arguments[index],
            (Source::Rest(first, end), ..) => Slot::new(self.rest_of(&arguments[first..end])),
            (Source::Default(_) | Source::Keywords, ..) => self.state.instead(Slot::new(Id::FIRST)),
        });
        let arguments = parameters.collect();
        self.new_frame = Some(NewFrame { function, code, arguments });
        Ok(true)
    }

    /// A tuple of arguments, which takes the place of their slots as their holder.
    fn rest_of(&mut self, arguments: &[Slot]) -> Id {
        let known = if arguments.is_empty() {
            Known::constant(immortal(empty_tuple()), Class::Tuple)
        } else {
            for slot in arguments {
                self.end_borrowing(slot.id);
            }
            Known::tuple(arguments.iter().map(|slot| slot.id).collect())
        };
        self.state.add(Known { holders: 1, ..known })
    }

    /// Whether the call has a `self`. `None` if that is not known. `above` is the number of values above its slot.
    fn has_self(&mut self, above: usize) -> Option<bool> {
        let id = self.peek(above + 1);
        let known = &self.state.values[id];
        if known.constant == Some(NULL) {
            return Some(false);
        }
        let is_object = known.address.is_some()
            || known.version.is_some()
            || known.number.is_some()
            || known.class != Class::Unknown;
        is_object.then_some(true)
    }

    /// The tuple of the defaults of a function, which has so many items, or the code leaves to the interpreter.
    fn defaults_of(&mut self, function: Id, expected: usize) -> Lowered<Value> {
        let function = self.object(function);
        let defaults = self.load(I64, function, offset_of!(ffi::PyFunctionObject, func_defaults));
        self.guard(defaults, 0)?;
        let size = self.load(I64, defaults, offset_of!(ffi::PyVarObject, ob_size));
        self.guard_equal(size, expected as u64, 0)?;
        Ok(defaults)
    }

    /// A default, which one more slot holds. The function of the new frame keeps it alive for now.
    fn default_at(&mut self, defaults: Value, index: usize) -> Id {
        let at = offset_of!(ffi::PyTupleObject, ob_item) + index * size_of::<usize>();
        let item = self.load(I64, defaults, at);
        let id = self.state.add(Known::borrowed(item, Class::Unknown));
        self.state.values[id].holders = 1;
        id
    }
}

/// The number of a function's positional defaults.
///
/// # Safety
/// The function is live.
unsafe fn number_of_defaults(function: Function) -> usize {
    // SAFETY: the function is live (caller). Its defaults are a tuple, or null.
    unsafe {
        let defaults = (*function.as_ptr()).func_defaults;
        if defaults.is_null() { 0 } else { tuple_slice(defaults).len() }
    }
}

/// What each parameter gets in a call with `given` arguments, the last of which have these names. `None` if the call may fail, if a
/// name is for no parameter, or if too many arguments are for none.
///
/// # Safety
/// The code and the names are live.
unsafe fn sources(code: Code, given: usize, names: &[*mut PyObject], defaults: usize) -> Option<Vec<Source>> {
    // SAFETY: the code is live (caller), and names its variables.
    unsafe {
        let fields = &*code.as_ptr();
        let takes = |flag: u32| fields.co_flags as u32 & flag != 0;
        let positional = fields.co_argcount as usize;
        let parameters = positional + fields.co_kwonlyargcount as usize;
        let first_name = given.checked_sub(names.len())?;
        let rest = first_name.saturating_sub(positional);
        if rest > MAX_ITEMS || rest > 0 && !takes(ffi::CO_VARARGS) {
            return None;
        }
        let mut sources = vec![None; parameters];
        for (index, source) in sources.iter_mut().take(first_name.min(positional)).enumerate() {
            *source = Some(Source::Argument(index));
        }
        let variables = &tuple_slice(fields.co_localsplusnames)[..parameters];
        for (index, name) in names.iter().enumerate() {
            // Names of variables and of arguments are interned.
            let parameter = variables.iter().position(|variable| variable == name)?;
            let is_free = parameter >= fields.co_posonlyargcount as usize && sources[parameter].is_none();
            sources[parameter] = is_free.then_some(Source::Argument(first_name + index));
            sources[parameter]?;
        }
        let default = |parameter: usize| {
            let index = (parameter + defaults).checked_sub(positional)?;
            (parameter < positional).then_some(Source::Default(index))
        };
        for (parameter, source) in sources.iter_mut().enumerate() {
            *source = Some(source.or_else(|| default(parameter))?);
        }
        // Behind the parameters with names.
        if takes(ffi::CO_VARARGS) {
            sources.push(Some(Source::Rest(first_name - rest, first_name)));
        }
        if takes(ffi::CO_VARKEYWORDS) {
            sources.push(Some(Source::Keywords));
        }
        sources.into_iter().collect()
    }
}
