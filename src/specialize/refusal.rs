//! Why an instruction stays generic, or becomes so again.

/// A reason not to specialize. All but the last lead to the generic form and a longer wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    // --- what a cache can hold ---
    /// An index, an offset or a version does not fit the cache.
    OutOfRange,
    /// No version is to be had for a type, a function or a table of keys.
    OutOfVersions,
    /// The cache holds borrowed references, and in free-threaded hosts only of objects whose count is
    /// deferred.
    NotDeferred,

    // --- what the instruction works on ---
    /// No form is made for operands like these.
    NoFormForOperands,
    /// The instruction is about to raise an exception.
    AboutToFail,
    /// In a free-threaded host, another thread may be at work on the same object.
    SharedBetweenThreads,
    /// A tool has installed another evaluator (PEP 523), which wants to see every call.
    CustomEvaluator,

    // --- types and attributes ---
    /// The type has no namespace yet.
    TypeNotReady,
    /// The type, or its metaclass, looks attributes up in a way of its own.
    Overridden,
    /// The attribute is found on the type, and is of a kind that no form is made for.
    KindOfAttribute,
    /// `super` is not the built-in one.
    SuperShadowed,
    /// The namespace of the instance or module is missing, or is not where a form expects it.
    NoPlainNamespace,
    /// A key of the table is not a string, or the table is one of instances of a class.
    KindOfKeys,
    /// The key is not in the table.
    NotInTable,

    // --- functions ---
    /// The function takes other arguments than positional ones.
    ComplexParameters,
    /// The function's locals are in a namespace.
    NotOptimized,
    /// Nothing but running the function's own code would do, but it has another vectorcall.
    OwnVectorcall,
    /// Called with a number of arguments that it cannot take.
    WrongNumberOfArguments,
    /// A bound method of something else than a Python function.
    BoundMethodOfOther,

    /// Neither for nor against: the form stays as it is until the next look.
    NothingToGoBy,
}
