//! Binds the arguments of a call to the parameters of a function. Source: `ceval.c`.
//!
//! The locals of a new frame begin with the parameters: the positional ones (positional-only first), the
//! keyword-only ones, then `*args` and `**kwargs` if the function has them.
//!
//! `# Safety` of the private functions: as for [`bind`], whose parts they are. Their own sections say what is
//! special.

mod errors;

use core::ops::Range;

use crate::host::object::{has_feature, tuple_item, tuple_items, tuple_size, tuple_slice};
use crate::host::owned::check;
use crate::host::{Code, Frame, Owned, PyObject, PyResult, Raised, StackRef, empty_tuple, ffi};

/// The values of a call: the positional ones, then one for each keyword.
///
/// `# Safety` of the methods: the call has a value at the index, it is live, and it has been neither taken nor
/// released yet. The thread is attached. A binding takes or releases each value exactly once.
pub(crate) trait Arguments: Copy {
    /// The number of positional values.
    fn positional(self) -> usize;
    /// Takes one value as a reference for the frame.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn take(self, index: usize) -> StackRef;
    /// Borrows one value.
    ///
    /// # Safety
    /// As the trait says.
    unsafe fn object(self, index: usize) -> *mut PyObject;
    /// Releases one value.
    ///
    /// # Safety
    /// As the trait says; the frames of the thread are published.
    unsafe fn give_up(self, index: usize);
    /// Takes values as a new tuple. On failure they are released.
    ///
    /// # Safety
    /// As the trait says, for all values of the range; the frames of the thread are published.
    unsafe fn take_as_tuple(self, range: Range<usize>) -> PyResult;

    /// Releases the values of a call that fails.
    ///
    /// # Safety
    /// As the trait says, for all values of the range; the frames of the thread are published.
    #[cold]
    #[inline(never)]
    unsafe fn give_up_all(self, range: Range<usize>) {
        for index in range {
            // SAFETY: the call has the values of the range, none taken or released yet (caller).
            unsafe { self.give_up(index) }
        }
    }
}

/// Arguments whose references move to the frame.
#[derive(Clone, Copy)]
pub(crate) struct OwnedArguments {
    values: *const StackRef,
    positional: usize,
}

impl OwnedArguments {
    /// `positional` values, then one for each keyword of the call, in an array.
    ///
    /// # Safety
    /// The array holds these values as live references that the caller owns. It stays valid until the call is
    /// bound, and the caller uses none of the references again.
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
        // SAFETY: the array has a value at the index (caller).
        unsafe { *self.values.add(index) }
    }

    #[inline(always)]
    unsafe fn object(self, index: usize) -> *mut PyObject {
        // SAFETY: the array has a value at the index (caller).
        unsafe { (*self.values.add(index)).object() }
    }

    #[inline(always)]
    unsafe fn give_up(self, index: usize) {
        // SAFETY: the array owns the value at the index, which is not used again (caller).
        unsafe { (*self.values.add(index)).close() }
    }

    unsafe fn take_as_tuple(self, range: Range<usize>) -> PyResult {
        // SAFETY: the array owns the values of the range (caller). The host takes them over only if it
        // succeeds.
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

/// Arguments that the caller owns and keeps alive.
#[derive(Clone, Copy)]
pub(crate) struct BorrowedArguments {
    objects: *const *mut PyObject,
    positional: usize,
}

impl BorrowedArguments {
    /// `positional` values, then one for each keyword of the call, in an array.
    ///
    /// # Safety
    /// The array holds these values as live objects. Array and objects stay valid until the call is bound.
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
        // SAFETY: the array has a live object at the index (caller).
        unsafe { StackRef::new(*self.objects.add(index)) }
    }

    #[inline(always)]
    unsafe fn object(self, index: usize) -> *mut PyObject {
        // SAFETY: the array has a live object at the index (caller).
        unsafe { *self.objects.add(index) }
    }

    #[inline(always)]
    unsafe fn give_up(self, _index: usize) {}

    unsafe fn take_as_tuple(self, range: Range<usize>) -> PyResult {
        // SAFETY: the array has the live objects of the range (caller).
        unsafe {
            let first = self.objects.add(range.start);
            Owned::from_host(ffi::_PyTuple_FromArray(first, range.len() as isize))
        }
    }
}

/// Fills all locals of a new frame: the parameters from the arguments of the call and from defaults, the others
/// with null. On failure the exception is set, every argument has been taken or released, and each local holds
/// a reference or null (`initialize_locals`).
///
/// # Safety
/// The thread is attached and its frames are published. `frame` is not linked yet, and initialized for
/// `function` and its `code` except for the locals, which hold nothing. `kwnames` is null or the tuple of the
/// call's keywords, and `args` has a value for each of them.
#[inline(always)]
pub(crate) unsafe fn bind<A: Arguments>(
    frame: Frame,
    function: *mut ffi::PyFunctionObject,
    code: Code,
    args: A,
    kwnames: *mut PyObject,
) -> Result<(), Raised> {
    // SAFETY: `frame` is a frame of `function` with its `code`, and `args` matches `kwnames` (caller).
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

/// Binds the usual form of call: no keywords, no keyword-only parameters, and as many arguments as positional
/// parameters, or fewer where the others have defaults, or more where the function has `*args`. Returns `None`,
/// without effect, for any other form.
///
/// # Safety
/// The call has no keywords.
#[inline(always)]
unsafe fn bind_positional<A: Arguments>(
    frame: Frame,
    function: *mut ffi::PyFunctionObject,
    code: Code,
    args: A,
) -> Option<Result<(), Raised>> {
    const VARIADIC: u32 = ffi::CO_VARARGS | ffi::CO_VARKEYWORDS;
    // SAFETY: the frame has a local for each parameter, `given` is the number of values, and the tuple of
    // defaults is long enough for the indices (checked).
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

/// Fills `*args` with the positional arguments from `parameters` on, and `**kwargs` with an empty dictionary,
/// if the function has them. Returns the index of the first local after those filled. On failure every argument
/// is released, and all locals are null except those filled from defaults before.
///
/// # Safety
/// `parameters` is the number of positional parameters, `flags` are those of the code, and no argument has been
/// taken or released yet.
#[inline(never)]
unsafe fn bind_rest<A: Arguments>(
    frame: Frame,
    parameters: usize,
    flags: u32,
    args: A,
) -> Result<usize, Raised> {
    // SAFETY: the frame has locals for `*args` and `**kwargs` if `flags` say so; the arguments exist up to
    // `given`. The empty tuple is immortal, new tuples and dictionaries are not.
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

/// Binds a call of any form.
struct Binding<'a, A> {
    frame: Frame,
    args: A,
    keywords: &'a [*mut PyObject],
}

impl<A: Arguments> Binding<'_, A> {
    /// Implements the function [`bind`].
    ///
    /// # Safety
    /// As for the function [`bind`].
    #[inline(never)]
    unsafe fn bind(self) -> Result<(), Raised> {
        let given = self.args.positional();
        let all = given + self.keywords.len();
        // SAFETY: the frame has these locals and the call these values (caller). The locals are null until they
        // are filled here, and each value is taken or released once.
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
                // The error is reported after the keywords are bound.
                self.args.give_up_all(bound..given);
            }

            let (first, names) = self.keyword_parameters();
            for (index, &keyword) in self.keywords.iter().enumerate() {
                let value = given + index;
                // Names are interned, so that equal names are nearly always the same object.
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

    /// Binds the value at `index` to a parameter that `keyword` names. On failure the value is neither taken
    /// nor released.
    ///
    /// # Safety
    /// `parameter` is the index of a parameter's local, which holds a reference or null. The value has not been
    /// taken or released.
    #[inline(always)]
    unsafe fn bind_keyword(
        &self,
        parameter: usize,
        keyword: *mut PyObject,
        index: usize,
    ) -> Result<(), Raised> {
        // SAFETY: the frame has that local, and the call that value (caller).
        unsafe {
            if !self.frame.local(parameter).is_null() {
                return errors::multiple_values(self.frame, keyword);
            }
            self.frame.set_local(parameter, self.args.take(index));
        }
        Ok(())
    }

    /// Binds a keyword that is not the same object as the name of a parameter, but may be equal to one.
    /// Otherwise stores the value at `index` in the dictionary of `**kwargs` (null: the function has none). On
    /// failure the value is neither taken nor released.
    ///
    /// # Safety
    /// All locals hold a reference or null. The value has not been taken or released. `keyword_dict` is null or
    /// the live dictionary of `**kwargs`.
    #[inline(never)]
    unsafe fn bind_unknown_keyword(
        &self,
        keyword: *mut PyObject,
        index: usize,
        keyword_dict: *mut PyObject,
    ) -> Result<(), Raised> {
        // SAFETY: the call has that value, and the locals are readable (caller). The dictionary takes its own
        // reference, so the value is released afterwards.
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

    /// The parameters that may be passed by keyword: the index of the first one, and the names.
    ///
    /// # Safety
    /// The frame is live and has a code object.
    #[inline(always)]
    unsafe fn keyword_parameters(&self) -> (usize, &[*mut PyObject]) {
        // SAFETY: the frame has a code object (caller). Positional-only parameters come first, so `first` is
        // within the names.
        unsafe {
            let first = (*self.frame.code().as_ptr()).co_posonlyargcount as usize;
            (first, self.parameters().get_unchecked(first..))
        }
    }

    /// Fills positional parameters in the range that are still null. The range ends at the last positional
    /// parameter.
    ///
    /// # Safety
    /// The locals of the range hold a reference or null.
    #[inline(always)]
    unsafe fn fill_from_defaults(&self, range: Range<usize>) -> Result<(), Raised> {
        let end = range.end;
        let mut is_missing = false;
        // SAFETY: the frame has the locals of the range (caller); defaults are live objects.
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

    /// The default of a positional parameter, borrowed. `from_last` counts from the last parameter, which is 1.
    ///
    /// # Safety
    /// The frame is live and belongs to a function.
    unsafe fn default_value(&self, from_last: usize) -> Option<*mut PyObject> {
        // SAFETY: the frame belongs to a function (caller), whose defaults are null or a tuple; the index is
        // checked.
        unsafe {
            let defaults = (*self.frame.function()).func_defaults;
            if defaults.is_null() {
                return None;
            }
            tuple_size(defaults).checked_sub(from_last).map(|index| tuple_item(defaults, index))
        }
    }

    /// Fills keyword-only parameters that are still null. The range is that of all keyword-only parameters.
    ///
    /// # Safety
    /// The locals of the range hold a reference or null.
    #[inline(always)]
    unsafe fn fill_from_keyword_defaults(&self, range: Range<usize>) -> Result<(), Raised> {
        let mut is_missing = false;
        // SAFETY: the frame has the locals of the range (caller).
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

    /// The default of a keyword-only parameter, as a new reference; `None` if it has none.
    ///
    /// # Safety
    /// `parameter` is the index of a keyword-only parameter.
    unsafe fn keyword_default(&self, parameter: usize) -> PyResult<Option<Owned>> {
        let mut value = core::ptr::null_mut();
        // SAFETY: the names have that index (caller); the defaults are null or a dictionary, and the host
        // stores a new reference or null.
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
    ///
    /// # Safety
    /// The frame is live and has a code object.
    unsafe fn positional(&self) -> usize {
        // SAFETY: the frame has a code object (caller).
        unsafe { (*self.frame.code().as_ptr()).co_argcount as usize }
    }

    /// The names of the parameters, without `*args` and `**kwargs`.
    ///
    /// # Safety
    /// The frame is live and has a code object.
    unsafe fn parameters(&self) -> &[*mut PyObject] {
        // SAFETY: the frame has a code object (caller), which outlives this binding.
        unsafe { parameters(self.frame.code()) }
    }

    /// Whether the code has a `CO_*` flag.
    ///
    /// # Safety
    /// The frame is live and has a code object.
    unsafe fn has_flag(&self, flag: u32) -> bool {
        // SAFETY: the frame has a code object (caller).
        unsafe { (*self.frame.code().as_ptr()).co_flags as u32 & flag != 0 }
    }
}

/// The names of a function's parameters without `*args` and `**kwargs`: the positional ones, then the
/// keyword-only ones.
///
/// # Safety
/// The code object is live, and outlives the slice.
unsafe fn parameters<'a>(code: Code) -> &'a [*mut PyObject] {
    // SAFETY: the code object is live (caller), and its names begin with those of the parameters.
    unsafe {
        let code = code.as_ptr();
        let count = (*code).co_argcount + (*code).co_kwonlyargcount;
        core::slice::from_raw_parts(tuple_items((*code).co_localsplusnames), count as usize)
    }
}
