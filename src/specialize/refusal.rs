//! The reasons why an instruction stays generic, or becomes generic again.

/// A reason not to specialize. All but the last one result in the generic form and a longer wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    // --- limits of caches ---
    /// An index, an offset or a version does not fit into the cache.
    OutOfRange,
    /// A type, a function or a table of keys has no version, and cannot get one.
    OutOfVersions,
    /// The cache would hold a borrowed reference, and on this free-threaded host the object's reference count
    /// is not deferred.
    NotDeferred,

    // --- operands ---
    /// No form exists for such operands.
    NoFormForOperands,
    /// The instruction is about to raise an exception.
    AboutToFail,
    /// On a free-threaded host: another thread may be using the same object.
    SharedBetweenThreads,
    /// A tool has installed another evaluator (PEP 523), which must get every call.
    CustomEvaluator,

    // --- types and attributes ---
    /// The type has no namespace yet.
    TypeNotReady,
    /// The type, or its metaclass, does not look up attributes as `object` does.
    Overridden,
    /// The type has the attribute, and no form exists for its kind.
    KindOfAttribute,
    /// `super` is not the built-in one.
    SuperShadowed,
    /// The namespace of the instance or module is missing, or is not a `dict` where a form expects it.
    NoPlainNamespace,
    /// A key of the table is not a string, or instances share the table (a split dictionary).
    KindOfKeys,
    /// The key is not in the table.
    NotInTable,

    // --- functions ---
    /// The function has parameters other than positional ones.
    ComplexParameters,
    /// The function's locals are in a namespace (no `CO_OPTIMIZED`).
    NotOptimized,
    /// The function has a vectorcall of its own, so calls must not run its code directly.
    OwnVectorcall,
    /// The call has a number of arguments that the callable does not take.
    WrongNumberOfArguments,
    /// A bound method of a callable that is no Python function.
    BoundMethodOfOther,

    /// There is no evidence: the instruction keeps its form until the next look.
    NothingToGoBy,
}
