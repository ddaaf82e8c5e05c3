//! Frames of a trace, with what is known about their locals and stacks.

use super::symbols::{Full, Symbol, Symbols};
use crate::host::dict::Dict;
use crate::host::function::Function;
use crate::host::{Code, FunctionVersion, ffi};

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
    /// The version of the function that has them.
    pub(super) version: Option<FunctionVersion>,
    /// The trace has made sure that the frame has these globals.
    pub(super) is_checked: bool,
}

/// A micro-op that checks the stack space for several frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Space {
    /// The index of the check in the trace.
    pub(super) check: usize,
    /// The frames that have been made since the check and still exist.
    pub(super) frames: usize,
    /// The words that these frames need.
    pub(super) used: u32,
}

impl Space {
    /// The most frames that one check is for. A chunk of the data stack need not have room for all frames of a deep
    /// recursion, and then the check would always fail.
    const MAX_FRAMES: usize = ffi::TRACE_STACK_SIZE as usize;

    /// What the check at this index is enough for so far.
    pub(super) fn behind(check: usize) -> Space {
        Space { check, frames: 0, used: 0 }
    }

    /// With one more frame, of `size` words. None if the check must not be for so much.
    pub(super) fn with_frame(self, size: u32) -> Option<Space> {
        let used = self.used.checked_add(size).filter(|&used| used <= i32::MAX as u32)?;
        (self.frames < Space::MAX_FRAMES).then_some(Space { frames: self.frames + 1, used, ..self })
    }
}

/// A frame that the trace has prepared, but not entered yet.
pub(super) enum NewFrame {
    /// The frame of a call.
    Call {
        /// The first local variables.
        arguments: Vec<Symbol>,
        /// The function that is called, if only this one can be. Others can have the same version and code.
        function: Option<Function>,
    },
    /// The frame of a generator that is resumed with the value `sent`. The generator owns the frame, which takes no space
    /// of the data stack.
    Generator { sent: Symbol },
}

impl Namespace {
    /// The namespace of a frame that probably is the function's. `None` if its builtins are not the
    /// interpreter's.
    ///
    /// # Safety
    /// Function and interpreter are live, and the thread is attached.
    pub(super) unsafe fn of(function: Function, interp: *mut ffi::PyInterpreterState) -> Option<Namespace> {
        // SAFETY: the interpreter and the function are live (caller), so its globals are, which are a dictionary.
        unsafe {
            let globals = Dict::from_object(function.globals());
            let has_own_builtins = function.builtins() != (*interp).builtins;
            let version = function.version();
            (!has_own_builtins).then_some(Namespace { globals, version, is_checked: false })
        }
    }
}

impl AbstractFrame {
    /// A frame that has run before the trace came to it: nothing is known about its variables, nor about the
    /// `stack_entries` values on its stack. It probably is one of `function`.
    ///
    /// # Safety
    /// Code, function and interpreter are live.
    pub(super) unsafe fn unknown(
        code: Code,
        function: Option<Function>,
        stack_entries: usize,
        interp: *mut ffi::PyInterpreterState,
        symbols: &mut Symbols,
    ) -> Result<AbstractFrame, Full> {
        // SAFETY: all three are live (caller).
        unsafe {
            let mut frame = AbstractFrame::of_call(code, &[], symbols)?;
            for _ in 0..stack_entries {
                frame.stack.push(symbols.unknown()?);
            }
            frame.namespace = function.and_then(|function| Namespace::of(function, interp));
            Ok(frame)
        }
    }

    /// The frame of a call, of which only the first locals are known.
    ///
    /// # Safety
    /// The code object is live.
    pub(super) unsafe fn of_call(
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
