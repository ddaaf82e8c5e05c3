//! Binding the arguments of a call to the parameters of a function. Source: `ceval.c`.
//!
//! The locals of a new frame begin with the parameters: positional ones (the positional-only first),
//! keyword-only ones, then `*args` and `**kwargs` if the function has them.

mod errors;

use core::ops::Range;

use crate::host::object::{has_feature, tuple_item, tuple_items, tuple_size, tuple_slice};
use crate::host::owned::check;
use crate::host::{Code, Frame, Owned, PyObject, PyResult, Raised, StackRef, empty_tuple, ffi};

/// The values of a call: the positional ones, then one for each keyword.
///
/// Whoever binds them takes each value, or gives it up, exactly once. `# Safety` of the methods: the
/// values at the indices are there, live, and neither taken nor given up yet.
#[allow(clippy::missing_safety_doc)] // said once, above
pub(crate) trait Arguments: Copy {
    /// How many positional ones there are.
    fn positional(self) -> usize;
    /// One value as a reference for the frame.
    unsafe fn take(self, index: usize) -> StackRef;
    /// One value, borrowed.
    unsafe fn object(self, index: usize) -> *mut PyObject;
    /// Gives up one value.
    unsafe fn give_up(self, index: usize);
    /// Values as a new tuple; on failure they are given up.
    unsafe fn take_as_tuple(self, range: Range<usize>) -> PyResult;

    /// Gives up the values of a call that fails.
    #[cold]
    #[inline(never)]
    unsafe fn give_up_all(self, range: Range<usize>) {
        for index in range {
            // SAFETY: the caller's promise.
            unsafe { self.give_up(index) }
        }
    }
}

/// Arguments whose references pass to the frame.
#[derive(Clone, Copy)]
pub(crate) struct OwnedArguments {
    values: *const StackRef,
    positional: usize,
}

impl OwnedArguments {
    /// # Safety
    /// The array holds that many live references, and one more for each keyword of the call; it stays
    /// while the call is bound, but none of its references is used again.
    #[inline(always)]
    pub(crate) unsafe fn new(values: *const StackRef, positional: usize) -> OwnedArguments {
        OwnedArguments { values, positional }
    }
}

impl Arguments for OwnedArguments {
    #[inline(always)]
    fn positional(self) -> usize {
        self.positional
    }

    #[inline(always)]
    unsafe fn take(self, index: usize) -> StackRef {
        // SAFETY: the caller's promise.
        unsafe { *self.values.add(index) }
    }

    #[inline(always)]
    unsafe fn object(self, index: usize) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe { (*self.values.add(index)).object() }
    }

    #[inline(always)]
    unsafe fn give_up(self, index: usize) {
        // SAFETY: the caller's promise.
        unsafe { (*self.values.add(index)).close() }
    }

    unsafe fn take_as_tuple(self, range: Range<usize>) -> PyResult {
        // SAFETY: the caller's promise.
        unsafe {
            let first = self.values.add(range.start).cast();
            let tuple = ffi::_PyTuple_FromStackRefStealOnSuccess(first, range.len() as isize);
            if tuple.is_null() {
                self.give_up_all(range);
            }
            Owned::from_host(tuple)
        }
    }
}

/// Arguments that the caller keeps alive and goes on to own.
#[derive(Clone, Copy)]
pub(crate) struct BorrowedArguments {
    objects: *const *mut PyObject,
    positional: usize,
}

impl BorrowedArguments {
    /// # Safety
    /// The array holds that many live objects, and one more for each keyword of the call; array and
    /// objects stay while the call is bound.
    #[inline(always)]
    pub(crate) unsafe fn new(objects: *const *mut PyObject, positional: usize) -> BorrowedArguments {
        BorrowedArguments { objects, positional }
    }
}

impl Arguments for BorrowedArguments {
    #[inline(always)]
    fn positional(self) -> usize {
        self.positional
    }

    #[inline(always)]
    unsafe fn take(self, index: usize) -> StackRef {
        // SAFETY: the caller's promise.
        unsafe { StackRef::new(*self.objects.add(index)) }
    }

    #[inline(always)]
    unsafe fn object(self, index: usize) -> *mut PyObject {
        // SAFETY: the caller's promise.
        unsafe { *self.objects.add(index) }
    }

    #[inline(always)]
    unsafe fn give_up(self, _index: usize) {}

    unsafe fn take_as_tuple(self, range: Range<usize>) -> PyResult {
        // SAFETY: the caller's promise.
        unsafe {
            let first = self.objects.add(range.start);
            Owned::from_host(ffi::_PyTuple_FromArray(first, range.len() as isize))
        }
    }
}

/// Fills all locals of a new frame: the parameters from the arguments of the call and from defaults,
/// the others with null. On failure the exception is set, every argument has been taken or given up,
/// and the locals hold references or null (`initialize_locals`).
///
/// # Safety
/// The thread is attached; `frame` is initialized for `function` and its `code`, except for the
/// locals. `kwnames` is null or the tuple of the call's keywords.
#[inline(always)]
pub(crate) unsafe fn bind<A: Arguments>(
    frame: Frame,
    function: *mut ffi::PyFunctionObject,
    code: Code,
    args: A,
    kwnames: *mut PyObject,
) -> Result<(), Raised> {
    // SAFETY: the caller's promise.
    unsafe {
        if kwnames.is_null()
            && let Some(result) = bind_positional(frame, function, code, args)
        {
            return result;
        }
        let keywords = if kwnames.is_null() { &[] } else { tuple_slice(kwnames) };
        Binding { frame, args, keywords }.bind()
    }
}

/// The usual case: a call without keywords of a function that has no keyword-only parameters, with as many
/// arguments as there are positional parameters, or with a few less that have defaults, or with more for
/// `*args`. None if this is another one; nothing has happened then.
#[inline(always)]
unsafe fn bind_positional<A: Arguments>(
    frame: Frame,
    function: *mut ffi::PyFunctionObject,
    code: Code,
    args: A,
) -> Option<Result<(), Raised>> {
    const VARIADIC: u32 = ffi::CO_VARARGS | ffi::CO_VARKEYWORDS;
    // SAFETY: the caller's promise.
    unsafe {
        let code = code.as_ptr();
        let parameters = (*code).co_argcount as usize;
        let given = args.positional();
        let flags = (*code).co_flags as u32;
        if (*code).co_kwonlyargcount != 0 || (given > parameters && flags & ffi::CO_VARARGS == 0) {
            return None;
        }
        if given < parameters {
            let defaults = (*function).func_defaults;
            if defaults.is_null() || tuple_size(defaults) < parameters - given {
                return None;
            }
            let last = tuple_items(defaults).add(tuple_size(defaults));
            for index in given..parameters {
                frame.set_local(index, StackRef::new(*last.sub(parameters - index)));
            }
        }
        let mut filled = parameters;
        if flags & VARIADIC != 0 {
            match bind_rest(frame, parameters, flags, args) {
                Ok(last) => filled = last,
                Err(Raised) => return Some(Err(Raised)),
            }
        }
        for index in 0..given.min(parameters) {
            frame.set_local(index, args.take(index));
        }
        for index in filled..(*code).co_nlocalsplus as usize {
            frame.set_local(index, StackRef::NULL);
        }
        Some(Ok(()))
    }
}

/// Fills `*args`, with the positional arguments from `parameters` on, and `**kwargs`, with nothing, if the
/// function has them; gives how many locals are filled then. On failure every argument is given up, and
/// the locals but those from defaults are empty.
#[inline(never)]
unsafe fn bind_rest<A: Arguments>(
    frame: Frame,
    parameters: usize,
    flags: u32,
    args: A,
) -> Result<usize, Raised> {
    // SAFETY: as for `bind_positional`; the empty tuple is immortal.
    unsafe {
        let given = args.positional();
        let mut filled = parameters;
        let mut result = Ok(());
        if flags & ffi::CO_VARARGS != 0 {
            let rest = if given > parameters {
                match args.take_as_tuple(parameters..given) {
                    Ok(rest) => StackRef::steal_mortal(rest.into_ptr()),
                    Err(Raised) => {
                        result = Err(Raised);
                        StackRef::NULL
                    }
                }
            } else {
                StackRef::immortal(empty_tuple())
            };
            frame.set_local(filled, rest);
            filled += 1;
        }
        if result.is_ok() && flags & ffi::CO_VARKEYWORDS != 0 {
            match Owned::from_host(ffi::PyDict_New()) {
                Ok(dict) => frame.set_local(filled, StackRef::steal_mortal(dict.into_ptr())),
                Err(Raised) => result = Err(Raised),
            }
            filled += usize::from(result.is_ok());
        }
        if result.is_err() {
            let bound = given.min(parameters);
            args.give_up_all(0..bound);
            for index in (0..bound).chain(filled..frame.code().nlocalsplus()) {
                frame.set_local(index, StackRef::NULL);
            }
        }
        result.map(|()| filled)
    }
}

/// A call of any form.
struct Binding<'a, A> {
    frame: Frame,
    args: A,
    keywords: &'a [*mut PyObject],
}

impl<A: Arguments> Binding<'_, A> {
    #[inline(never)]
    unsafe fn bind(self) -> Result<(), Raised> {
        let given = self.args.positional();
        let all = given + self.keywords.len();
        // SAFETY: as for the function `bind`; the locals are empty until filled here, and each value
        // is taken or given up once.
        unsafe {
            let code = self.frame.code();
            for index in 0..code.nlocalsplus() {
                self.frame.set_local(index, StackRef::NULL);
            }
            let (positional, parameters) = (self.positional(), self.parameters().len());
            let has_varargs = self.has_flag(ffi::CO_VARARGS);

            let mut keyword_dict = core::ptr::null_mut();
            if self.has_flag(ffi::CO_VARKEYWORDS) {
                keyword_dict = ffi::PyDict_New();
                if keyword_dict.is_null() {
                    self.args.give_up_all(0..all);
                    return Err(Raised);
                }
                let index = parameters + usize::from(has_varargs);
                self.frame.set_local(index, StackRef::steal(keyword_dict));
            }

            let bound = given.min(positional);
            for index in 0..bound {
                self.frame.set_local(index, self.args.take(index));
            }
            if has_varargs {
                match self.args.take_as_tuple(bound..given) {
                    Ok(rest) => self.frame.set_local(parameters, StackRef::steal(rest.into_ptr())),
                    Err(Raised) => {
                        self.args.give_up_all(given..all);
                        return Err(Raised);
                    }
                }
            } else if bound < given {
                // The error is reported once the keywords are bound.
                self.args.give_up_all(bound..given);
            }

            let (first, names) = self.keyword_parameters();
            for (index, &keyword) in self.keywords.iter().enumerate() {
                let value = given + index;
                // Names are interned, so that nearly always the same name is the same object.
                let result = match names.iter().position(|&name| name == keyword) {
                    Some(parameter) => self.bind_keyword(first + parameter, keyword, value),
                    None => self.bind_unknown_keyword(keyword, value, keyword_dict),
                };
                if let Err(Raised) = result {
                    self.args.give_up_all(value..all);
                    return Err(Raised);
                }
            }

            if bound < given && !has_varargs {
                return errors::too_many_positional(self.frame, given);
            }
            if bound < positional {
                self.fill_from_defaults(bound..positional)?;
            }
            if positional < parameters {
                self.fill_from_keyword_defaults(positional..parameters)?;
            }
        }
        Ok(())
    }

    /// Gives a parameter, which `keyword` names, the value at `index`. On failure that is still there.
    #[inline(always)]
    unsafe fn bind_keyword(
        &self,
        parameter: usize,
        keyword: *mut PyObject,
        index: usize,
    ) -> Result<(), Raised> {
        // SAFETY: as for `bind`.
        unsafe {
            if !self.frame.local(parameter).is_null() {
                return errors::multiple_values(self.frame, keyword);
            }
            self.frame.set_local(parameter, self.args.take(index));
        }
        Ok(())
    }

    /// Binds a keyword that is not the very name of a parameter, but may equal one; or else puts the
    /// value at `index` into the dictionary of `**kwargs` (null: the function has none). On failure the
    /// value is still there.
    #[inline(never)]
    unsafe fn bind_unknown_keyword(
        &self,
        keyword: *mut PyObject,
        index: usize,
        keyword_dict: *mut PyObject,
    ) -> Result<(), Raised> {
        // SAFETY: as for `bind`.
        unsafe {
            if keyword.is_null() || !has_feature(keyword, ffi::Py_TPFLAGS_UNICODE_SUBCLASS) {
                return errors::keyword_is_not_a_string(self.frame);
            }
            let (first, names) = self.keyword_parameters();
            for (parameter, &name) in names.iter().enumerate() {
                if check(ffi::PyObject_RichCompareBool(keyword, name, ffi::Py_EQ as i32))? != 0 {
                    return self.bind_keyword(first + parameter, keyword, index);
                }
            }
            if keyword_dict.is_null() {
                return errors::unexpected_keyword(self.frame, self.keywords, keyword);
            }
            check(ffi::PyDict_SetItem(keyword_dict, keyword, self.args.object(index)))?;
            self.args.give_up(index);
        }
        Ok(())
    }

    /// The parameters that may be given by keyword: the index of the first one, and the names.
    #[inline(always)]
    unsafe fn keyword_parameters(&self) -> (usize, &[*mut PyObject]) {
        // SAFETY: as for `bind`; the positional-only parameters come first.
        unsafe {
            let first = (*self.frame.code().as_ptr()).co_posonlyargcount as usize;
            (first, self.parameters().get_unchecked(first..))
        }
    }

    /// Fills the empty ones of the positional parameters in the range, which ends at the last of them.
    #[inline(always)]
    unsafe fn fill_from_defaults(&self, range: Range<usize>) -> Result<(), Raised> {
        let end = range.end;
        let mut is_missing = false;
        // SAFETY: as for `bind`.
        unsafe {
            for index in range {
                if self.frame.local(index).is_null() {
                    match self.default_value(end - index) {
                        Some(value) => self.frame.set_local(index, StackRef::new(value)),
                        None => is_missing = true,
                    }
                }
            }
            if is_missing { errors::missing(self.frame, 0..end, c"positional") } else { Ok(()) }
        }
    }

    /// The default of a positional parameter, borrowed; counted from the last one, which is 1.
    unsafe fn default_value(&self, from_last: usize) -> Option<*mut PyObject> {
        // SAFETY: as for `bind`.
        unsafe {
            let defaults = (*self.frame.function()).func_defaults;
            if defaults.is_null() {
                return None;
            }
            tuple_size(defaults).checked_sub(from_last).map(|index| tuple_item(defaults, index))
        }
    }

    /// Fills the empty ones of the keyword-only parameters, which are those in the range.
    #[inline(always)]
    unsafe fn fill_from_keyword_defaults(&self, range: Range<usize>) -> Result<(), Raised> {
        let mut is_missing = false;
        // SAFETY: as for `bind`.
        unsafe {
            for index in range.clone() {
                if self.frame.local(index).is_null() {
                    match self.keyword_default(index)? {
                        Some(value) => self.frame.set_local(index, StackRef::steal(value.into_ptr())),
                        None => is_missing = true,
                    }
                }
            }
            if is_missing { errors::missing(self.frame, range, c"keyword-only") } else { Ok(()) }
        }
    }

    /// The default of a keyword-only parameter.
    unsafe fn keyword_default(&self, parameter: usize) -> PyResult<Option<Owned>> {
        let mut value = core::ptr::null_mut();
        // SAFETY: as for `bind`.
        unsafe {
            let defaults = (*self.frame.function()).func_kwdefaults;
            if !defaults.is_null() {
                let name = tuple_item((*self.frame.code().as_ptr()).co_localsplusnames, parameter);
                check(ffi::PyDict_GetItemRef(defaults, name, &raw mut value))?;
            }
            Ok(Owned::optional(value))
        }
    }

    /// The number of parameters that take positional arguments.
    unsafe fn positional(&self) -> usize {
        // SAFETY: as for `bind`.
        unsafe { (*self.frame.code().as_ptr()).co_argcount as usize }
    }

    /// The names of the parameters, without `*args` and `**kwargs`.
    unsafe fn parameters(&self) -> &[*mut PyObject] {
        // SAFETY: as for `bind`.
        unsafe { parameters(self.frame.code()) }
    }

    unsafe fn has_flag(&self, flag: u32) -> bool {
        // SAFETY: as for `bind`.
        unsafe { (*self.frame.code().as_ptr()).co_flags as u32 & flag != 0 }
    }
}

/// The names of a function's parameters, without `*args` and `**kwargs`: the positional ones, then
/// the keyword-only ones.
unsafe fn parameters<'a>(code: Code) -> &'a [*mut PyObject] {
    // SAFETY: the code is live, and its names begin with those of the parameters.
    unsafe {
        let code = code.as_ptr();
        let count = (*code).co_argcount + (*code).co_kwonlyargcount;
        core::slice::from_raw_parts(tuple_items((*code).co_localsplusnames), count as usize)
    }
}
