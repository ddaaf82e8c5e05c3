//! What a micro-op finds on the stack.

use core::marker::PhantomData;

use crate::host::StackRef;

/// Values on top of the stack.
pub(crate) trait Values: Sized {
    /// The number of values, for an instruction with this argument.
    fn count(oparg: usize) -> usize;
    /// The slot of the lowest value, where the topmost one is just below `top`.
    ///
    /// # Safety
    /// The same stack has at least `count(oparg)` slots below `top`.
    #[inline(always)]
    unsafe fn base(top: *mut StackRef, oparg: usize) -> *mut StackRef {
        // SAFETY: there are that many slots below `top` (caller).
        unsafe { top.sub(Self::count(oparg)) }
    }
    /// Reads the values below `top`.
    ///
    /// # Safety
    /// The same stack has at least `count(oparg)` initialized slots below `top`.
    unsafe fn below(top: *mut StackRef, oparg: usize) -> Self;
}

impl<const N: usize> Values for [StackRef; N] {
    #[inline(always)]
    fn count(_oparg: usize) -> usize {
        N
    }
    #[inline(always)]
    unsafe fn below(top: *mut StackRef, _oparg: usize) -> Self {
        // SAFETY: N initialized slots are below `top` (caller).
        unsafe { top.sub(N).cast::<[StackRef; N]>().read() }
    }
}

/// A number that depends on the instruction's argument.
pub(crate) trait Count {
    fn of(oparg: usize) -> usize;
}

/// The argument itself.
pub(crate) struct Oparg;

impl Count for Oparg {
    #[inline(always)]
    fn of(oparg: usize) -> usize {
        oparg
    }
}

/// A number of values, given by `C`, that stay in their stack slots.
pub(crate) struct Many<C> {
    base: *mut StackRef,
    count: usize,
    kind: PhantomData<C>,
}

impl<C: Count> Many<C> {
    /// The slot of the lowest value.
    #[inline(always)]
    pub(crate) fn base(&self) -> *mut StackRef {
        self.base
    }
    #[inline(always)]
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

impl<C: Count> Values for Many<C> {
    #[inline(always)]
    fn count(oparg: usize) -> usize {
        C::of(oparg)
    }
    #[inline(always)]
    unsafe fn below(top: *mut StackRef, oparg: usize) -> Self {
        let count = C::of(oparg);
        // SAFETY: `count` slots are below `top` (caller).
        Many { base: unsafe { top.sub(count) }, count, kind: PhantomData }
    }
}

/// Values that a micro-op inspects and may replace, but leaves on the stack.
pub(crate) struct Kept<V>(pub(crate) V);

/// The inputs of a micro-op: values that it takes and, below them, values that it keeps on the stack.
pub(crate) trait Inputs: Sized {
    /// The values that it takes.
    type Taken: Values;
    /// The values below them that stay.
    type Kept: Values;
    /// Reads all of them.
    ///
    /// # Safety
    /// The stack that ends at `sp` holds all of them: `Taken` at the top, `Kept` below.
    unsafe fn read(sp: *mut StackRef, oparg: usize) -> Self;
}

impl<V: Values> Inputs for V {
    type Taken = V;
    type Kept = [StackRef; 0];
    #[inline(always)]
    unsafe fn read(sp: *mut StackRef, oparg: usize) -> Self {
        // SAFETY: the values are the topmost ones below `sp` (caller).
        unsafe { V::below(sp, oparg) }
    }
}

impl<K: Values> Inputs for Kept<K> {
    type Taken = [StackRef; 0];
    type Kept = K;
    #[inline(always)]
    unsafe fn read(sp: *mut StackRef, oparg: usize) -> Self {
        // SAFETY: the values are the topmost ones below `sp` (caller).
        Kept(unsafe { K::below(sp, oparg) })
    }
}

impl<K: Values, V: Values> Inputs for (Kept<K>, V) {
    type Taken = V;
    type Kept = K;
    #[inline(always)]
    unsafe fn read(sp: *mut StackRef, oparg: usize) -> Self {
        // SAFETY: `V` is below `sp`, and `K` below the lowest value of `V` (caller).
        unsafe { (Kept(K::below(V::base(sp, oparg), oparg)), V::below(sp, oparg)) }
    }
}
