//! Frames of a trace, with what is known about their locals and stacks.

use super::symbols::{Full, Symbol, Symbols};
use crate::host::dict::Dict;
use crate::host::function::Function;
use crate::host::{Code, Frame, PyObject, ffi};

/// A frame that the trace runs in.
pub(super) struct AbstractFrame {
    pub(super) code: Code,
    pub(super) locals: Vec<Symbol>,
    pub(super) stack: Vec<Symbol>,
    /// Where its globals are. `None` if they have to be looked up at run time.
    pub(super) namespace: Option<Namespace>,
    /// The check of stack space that is large enough for this frame, too.
    pub(super) space: Option<Space>,
}

/// The dictionary of a frame's globals. The frame's builtins are those of the interpreter.
pub(super) struct Namespace {
    pub(super) globals: Dict,
    /// The trace has made sure that the frame has these globals.
    pub(super) is_checked: bool,
}

/// A micro-op that checks the stack space for several frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Space {
    /// The index of the check in the trace.
    pub(super) check: usize,
    /// The words that the frames need that have been made since the check and still exist.
    pub(super) used: u32,
}

/// What is known about a frame that the trace has made, but not entered yet.
#[derive(Default)]
pub(super) struct NewFrame {
    /// The first local variables.
    pub(super) arguments: Vec<Symbol>,
    /// The function that is called, if only this one can be. Others can have the same version and code.
    pub(super) function: Option<Function>,
}

impl Namespace {
    /// `None` if `builtins` are not the interpreter's.
    ///
    /// # Safety
    /// `interp` is live. `globals` is a live dictionary.
    pub(super) unsafe fn new(
        globals: *mut PyObject,
        builtins: *mut PyObject,
        is_checked: bool,
        interp: *mut ffi::PyInterpreterState,
    ) -> Option<Namespace> {
        // SAFETY: the interpreter is live, and the globals are a dictionary (caller).
        unsafe {
            let globals = Dict::from_object(globals);
            (builtins == (*interp).builtins).then_some(Namespace { globals, is_checked })
        }
    }
}

impl AbstractFrame {
    /// The frame in which a trace begins: nothing is known about its variables, nor about the `stack_entries`
    /// values on its stack.
    ///
    /// # Safety
    /// `frame` is live and executes code; the thread is attached to `interp`.
    pub(super) unsafe fn first(
        frame: Frame,
        stack_entries: usize,
        interp: *mut ffi::PyInterpreterState,
        symbols: &mut Symbols,
    ) -> Result<AbstractFrame, Full> {
        // SAFETY: the frame is live and executes code, and the interpreter is live (caller).
        unsafe {
            let mut first = AbstractFrame::of(frame.code(), &[], symbols)?;
            for _ in 0..stack_entries {
                first.stack.push(symbols.unknown()?);
            }
            first.namespace = Namespace::new(frame.globals(), frame.builtins(), false, interp);
            Ok(first)
        }
    }

    /// The frame of a call, of which only the first locals are known.
    ///
    /// # Safety
    /// The code object is live.
    pub(super) unsafe fn of(
        code: Code,
        arguments: &[Symbol],
        symbols: &mut Symbols,
    ) -> Result<AbstractFrame, Full> {
        // SAFETY: the code object is live (caller).
        let count = unsafe { code.nlocalsplus() };
        let mut locals = arguments.to_vec();
        while locals.len() < count {
            locals.push(symbols.unknown()?);
        }
        Ok(AbstractFrame { code, locals, stack: Vec::new(), namespace: None, space: None })
    }
}
