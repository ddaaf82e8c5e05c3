//! Machine code of the library's own compiler: when an executor gets it, and how it runs.
//!
//! The compiler is a room above this one. An executor that has become hot leaves to bytecode, and says here that it wants
//! machine code. The engine of tier 1 asks the compiler for it, and the program comes back. The code is made in another thread.
//! The program goes on without it, and looks whether it is there when it runs the executor again.

use core::any::Any;
use core::cell::Cell;
use core::mem::{MaybeUninit, offset_of, transmute};
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::Uop;
use super::code_memory::Block;
use super::executor::{Executor, OwnedExecutor};
use super::heat::Heat;
use super::promise::{Made, Promise};
use crate::bytecode::thresholds;
use crate::explain;
use crate::host::{Frame, StackRef, ThreadState, refcount};

/// In the place of the [`Heat`]: it is not counted any more.
const GIVEN_UP: usize = usize::MAX;

/// Machine code that an executor owns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(transparent)]
pub(crate) struct MachineCode(NonNull<u8>);

/// Code that the compiler makes, and what it refers to.
pub(crate) struct Product {
    pub(crate) code: Promise,
    pub(crate) data: Box<dyn Any>,
    /// The executors behind side exits whose traces are branches of the code.
    pub(crate) branches: Vec<OwnedExecutor>,
}

/// Code that is not there yet, and what it refers to.
pub(crate) struct Pending {
    code: Promise,
    data: Box<dyn Any>,
}

/// How it is with code that was asked for.
pub(crate) enum Progress {
    Pending(Pending),
    There,
    /// There will be none.
    Never,
    /// It is not worth having, since the executor runs too seldom.
    Seldom,
    /// It can be asked for again.
    Again,
}

/// A way from machine code into that of another executor, as long as that one is valid. Machine code reads it.
#[repr(C)]
#[derive(Default)]
pub(crate) struct Link {
    code: Cell<Option<MachineCode>>,
    /// The executor that owns the code, or will do so when there is code. It knows the link.
    executor: Cell<Option<Executor>>,
}

impl Link {
    pub(crate) const CODE: usize = offset_of!(Link, code);
    pub(crate) const EXECUTOR: usize = offset_of!(Link, executor);

    /// From now on, leads into this code of the executor.
    ///
    /// # Safety
    /// The executor is live and valid, and owns the code. The link stays at its address.
    pub(crate) unsafe fn lead_to(&self, executor: Executor, code: MachineCode) {
        // SAFETY: the contract is the same.
        unsafe { self.prepare(executor) };
        self.code.set(Some(code));
    }

    /// From now on, leads to the executor as soon as there is code.
    ///
    /// # Safety
    /// The executor is live and valid. The link stays at its address.
    unsafe fn prepare(&self, executor: Executor) {
        self.cut();
        // SAFETY: the executor is live (caller).
        unsafe { make_products(executor) }.links.push(NonNull::from(self));
        self.executor.set(Some(executor));
    }

    /// Leads nowhere from now on.
    fn cut(&self) {
        self.code.set(None);
        // SAFETY: the executor is live: otherwise it would have cut the link.
        if let Some(products) = self.executor.take().and_then(|executor| unsafe { products(executor) }) {
            products.links.retain(|&link| link != NonNull::from(self));
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cut();
    }
}

/// All that the compiler has made for an executor. The executor owns it.
#[derive(Default)]
struct Products {
    /// The code that begins with a frame in memory.
    entry: Option<MachineCode>,
    /// The same while it is made.
    pending: Option<Pending>,
    /// How often code has been asked for that continues from an exit.
    bridges: usize,
    /// How often the program was not as the loop of the entry expects it.
    refusals: usize,
    /// The entry is to expect nothing: see [`refused`].
    is_plain: bool,
    /// The ways into the code. Each is live: it takes itself off when it ends.
    links: Vec<NonNull<Link>>,
    /// Each block with the data that its code refers to. One of them may be that of the entry; the others continue from
    /// exits.
    blocks: Vec<(Block, Box<dyn Any>)>,
    /// The executors whose traces are branches of the code. They are invalidated with this one.
    branches: Vec<OwnedExecutor>,
}

/// What the thread wants to be compiled.
pub(crate) struct Wanted {
    pub(crate) executor: OwnedExecutor,
    /// It has become hot fast enough for any code.
    pub(crate) is_fast: bool,
    /// The exit that leads to it, if the code is to continue from there, and the executor that owns the exit.
    pub(crate) from: Option<(OwnedExecutor, NonNull<()>)>,
}

/// What an executor has.
pub(super) enum Compiled {
    Code(MachineCode),
    /// No machine code, now or ever.
    Interpreted,
    /// No machine code yet: it has just become hot.
    Hot,
}

/// The most registers that machine code stores when it leaves.
pub(crate) const MAX_SPILLED: usize = 192;
/// The most operands of a micro-op that machine code calls without a frame.
pub(crate) const MAX_OPERANDS: usize = 32;

/// What machine code, the micro-ops that it calls, and what follows it share: where the program is.
#[repr(C)]
pub(crate) struct Machine {
    pub(crate) frame: Frame,
    pub(crate) sp: *mut StackRef,
    /// The next code begins at its loop, with these registers in `spilled`: 1, or 0.
    pub(crate) enters_loop: u8,
    /// Registers where the code leaves.
    pub(crate) spilled: [MaybeUninit<u64>; MAX_SPILLED],
    /// The stack of micro-ops that need no frame.
    pub(crate) operands: [MaybeUninit<StackRef>; MAX_OPERANDS],
}

impl Machine {
    pub(super) fn new(frame: Frame, sp: *mut StackRef) -> Machine {
        Machine {
            frame,
            sp,
            enters_loop: 0,
            spilled: [const { MaybeUninit::uninit() }; MAX_SPILLED],
            operands: [const { MaybeUninit::uninit() }; MAX_OPERANDS],
        }
    }

    /// Whether a stack pointer is that of a micro-op without a frame.
    #[inline(always)]
    pub(super) fn is_operand(&self, sp: *mut StackRef) -> bool {
        let operands = self.operands.as_ptr_range();
        (operands.start..=operands.end).contains(&sp.cast_const().cast())
    }

    /// How many operands a micro-op without a frame has left.
    ///
    /// # Safety
    /// Such a micro-op was the last one that has changed `sp`.
    pub(crate) unsafe fn operands_left(&self) -> usize {
        // SAFETY: the stack pointer points to an operand or behind them (caller).
        unsafe { self.sp.offset_from(self.operands.as_ptr().cast()) as usize }
    }
}

/// Where the program continues when machine code returns.
pub(crate) enum Next {
    /// In bytecode, at the target of this micro-op.
    Bytecode(*const Uop),
    /// At this micro-op, in the interpreter of micro-ops.
    At(*const Uop),
    /// Where this micro-op leads to if it is a guard that has failed.
    FailedGuard(*const Uop),
    /// Where this micro-op leads to with an exception, which is set.
    Error(*const Uop),
}

impl Next {
    /// Bits of the word that machine code returns, beside the address of the micro-op.
    pub(crate) const FAILED_GUARD: usize = 1;
    pub(crate) const ERROR: usize = 2;
    pub(crate) const BYTECODE: usize = 3;

    /// Reads what machine code has returned.
    fn from_word(word: usize) -> Next {
        let uop = (word & !3) as *const Uop;
        match word & 3 {
            Next::FAILED_GUARD => Next::FailedGuard(uop),
            Next::ERROR => Next::Error(uop),
            Next::BYTECODE => Next::Bytecode(uop),
            _ => Next::At(uop),
        }
    }
}

thread_local! {
    /// What the thread wants to be compiled. The engine takes it before anything else runs, so it never waits for the end of
    /// the thread.
    static WANTED: Cell<Option<Wanted>> = const { Cell::new(None) };
}

impl MachineCode {
    pub(crate) fn address(self) -> usize {
        self.0.addr().get()
    }

    /// Runs the code, and other code that it continues with. Returns where the program continues then.
    ///
    /// # Safety
    /// The code is that of the current executor of `tstate`, the attached thread's state. The frame of the machine is the
    /// current frame. The program is as the code expects it.
    pub(super) unsafe fn run(self, machine: &mut Machine, tstate: ThreadState) -> Next {
        type Entry = unsafe extern "C" fn(&mut Machine, ThreadState, MachineCode) -> usize;
        let entry = ENTRY.load(Ordering::Acquire);
        // SAFETY: there is an entry before there is machine code. The program is as the code expects it (caller).
        let word = unsafe { transmute::<*mut u8, Entry>(entry)(machine, tstate, self) };
        Next::from_word(word)
    }
}

/// The function that enters machine code, which has a calling convention of its own. Null until there is machine code.
static ENTRY: AtomicPtr<u8> = AtomicPtr::new(core::ptr::null_mut());

/// How long it is.
static ENTRY_LENGTH: AtomicUsize = AtomicUsize::new(0);

/// Whether machine code can run here: makes sure that it can be entered, by a function with this code.
///
/// # Safety
/// The thread is attached to the main interpreter: no other one runs machine code.
pub(crate) unsafe fn can_run(entry: impl FnOnce() -> Option<Vec<u8>>) -> bool {
    if ENTRY.load(Ordering::Acquire).is_null() {
        // SAFETY: the contract is the same.
        let Some(block) = entry().and_then(|code| unsafe { Block::publish(&code) }) else { return false };
        ENTRY.store(block.start().as_ptr(), Ordering::Release);
        ENTRY_LENGTH.store(block.length(), Ordering::Release);
        // SAFETY: the thread is attached (caller).
        unsafe { explain::set_entry(entry_code()) };
    }
    true
}

/// Where the function is that enters machine code. Empty until there is machine code.
pub(crate) fn entry_code() -> Range<usize> {
    let start = ENTRY.load(Ordering::Acquire).addr();
    start..start + ENTRY_LENGTH.load(Ordering::Acquire)
}

/// The machine code of an executor.
///
/// # Safety
/// The executor is live.
#[inline(always)]
pub(super) unsafe fn code_of(executor: Executor) -> Option<MachineCode> {
    // SAFETY: the executor is live (caller).
    unsafe { products(executor) }?.entry
}

/// What the compiler has made for the executor.
///
/// # Safety
/// The executor is live, also while the result is used, and nothing else is made for it meanwhile.
unsafe fn products<'a>(executor: Executor) -> Option<&'a mut Products> {
    // SAFETY: the executor is live (caller). With the compiler, nothing else uses this field.
    unsafe { (*executor.as_ptr()).jit_side_entry.cast::<Products>().as_mut() }
}

/// Nothing enters the machine code of the executor any more.
///
/// # Safety
/// The executor is live.
pub(super) unsafe fn unlink(executor: Executor) {
    // SAFETY: the executor is live (caller).
    if let Some(products) = unsafe { products(executor) } {
        for link in products.links.drain(..) {
            // SAFETY: the links in this list are live.
            let link = unsafe { link.as_ref() };
            link.code.set(None);
            link.executor.set(None);
        }
    }
}

/// The code of the executor that begins with a frame in memory, and its data.
///
/// # Safety
/// The executor is live, also while the result is used, and nothing is compiled for it meanwhile.
pub(crate) unsafe fn entry<'a>(executor: Executor) -> Option<(MachineCode, &'a dyn Any)> {
    // SAFETY: the executor is live (caller).
    let products = unsafe { products(executor)? };
    let code = products.entry?;
    let (_, data) = products.blocks.iter().find(|(block, _)| block.start() == code.0)?;
    Some((code, &**data))
}

/// What the executor has, which is about to run: counts that.
///
/// # Safety
/// The thread is attached, and the executor live.
#[inline(always)]
pub(super) unsafe fn of(executor: Executor) -> Compiled {
    // SAFETY: the executor is live (caller).
    unsafe {
        let head = executor.as_ptr();
        if let Some(code) = code_of(executor) {
            // `tracemalloc` asks for the line of each new object, which only the interpreter keeps up to date.
            return if refcount::is_traced() { Compiled::Interpreted } else { Compiled::Code(code) };
        }
        // The compiler has no other use for this field.
        match (*head).jit_size {
            GIVEN_UP => Compiled::Interpreted,
            word => {
                let heat = Heat::from_word(word);
                if heat.runs() < runs_until_hot(executor) {
                    (*head).jit_size = heat.after_run().to_word();
                } else if is_pending(executor) {
                    look_for_entry(executor);
                } else {
                    return Compiled::Hot;
                }
                Compiled::Interpreted
            }
        }
    }
}

/// How often the executor runs until it gets code that begins with a frame in memory. One behind a side exit is better
/// continued from there.
///
/// # Safety
/// The executor is live.
unsafe fn runs_until_hot(executor: Executor) -> usize {
    const WITHOUT_EXIT: usize = 2;
    // SAFETY: the executor is live (caller), so that the interpreter runs code.
    unsafe {
        let heat = thresholds::get().heat();
        if executor.chain_depth() == 0 { heat } else { heat * WITHOUT_EXIT }
    }
}

/// Whether the executor, which has become hot, has done so fast enough.
///
/// # Safety
/// The executor is live, and has no machine code.
pub(crate) unsafe fn is_hot_fast(executor: Executor) -> bool {
    // SAFETY: the executor is live (caller), so that the interpreter runs code.
    unsafe { Heat::from_word((*executor.as_ptr()).jit_size).is_fast_enough() }
}

/// The thread wants something to be compiled.
#[cold]
pub(crate) fn want(wanted: Wanted) {
    drop(WANTED.replace(Some(wanted)));
}

/// What the thread wants to be compiled.
pub(crate) fn take_wanted() -> Option<Wanted> {
    WANTED.take()
}

/// The entry of the executor has not run: the program was not as its loop expects it. If that is often so, an entry that expects
/// nothing takes its place.
///
/// # Safety
/// The executor is live.
#[cold]
pub(super) unsafe fn refused(executor: Executor) {
    const MAX_REFUSALS: usize = 200;
    // SAFETY: the executor is live (caller).
    unsafe {
        let Some(products) = products(executor) else { return };
        products.refusals += 1;
        if products.refusals > MAX_REFUSALS && !products.is_plain {
            products.is_plain = true;
            products.entry = None;
            unlink(executor);
        }
    }
}

/// Whether the entry of the executor is to expect nothing.
///
/// # Safety
/// The executor is live.
pub(crate) unsafe fn is_plain(executor: Executor) -> bool {
    // SAFETY: the executor is live (caller).
    unsafe { products(executor) }.is_some_and(|products| products.is_plain)
}

/// Whether code that begins with a frame in memory is being made for the executor.
///
/// # Safety
/// The executor is live.
pub(crate) unsafe fn is_pending(executor: Executor) -> bool {
    // SAFETY: the executor is live (caller).
    unsafe { products(executor) }.is_some_and(|products| products.pending.is_some())
}

/// Whether there will be no code that begins with a frame in memory.
///
/// # Safety
/// The executor is live.
pub(crate) unsafe fn is_given_up(executor: Executor) -> bool {
    // SAFETY: the executor is live (caller).
    unsafe { (*executor.as_ptr()).jit_size == GIVEN_UP }
}

/// Whether code that begins with a frame in memory may be asked for.
///
/// # Safety
/// The executor is live.
pub(crate) unsafe fn can_get_entry(executor: Executor) -> bool {
    // SAFETY: the executor is live (caller).
    unsafe {
        code_of(executor).is_none() && !is_pending(executor) && (*executor.as_ptr()).jit_size != GIVEN_UP
    }
}

/// How often code has been asked for that continues from an exit with this executor.
///
/// # Safety
/// The executor is live.
pub(crate) unsafe fn bridges(executor: Executor) -> usize {
    // SAFETY: the executor is live (caller).
    unsafe { products(executor) }.map_or(0, |products| products.bridges)
}

/// The executor expects this code, and owns its branches.
///
/// # Safety
/// The thread is attached, and the executor live.
unsafe fn expect(executor: Executor, product: Product) -> (&'static mut Products, Pending) {
    // SAFETY: the executor is live (caller), and so are the branches.
    unsafe {
        for branch in &product.branches {
            // It has a part in machine code from now on, so it stays although it does not run by itself.
            make_products(branch.executor());
        }
        let products = make_products(executor);
        products.branches.extend(product.branches);
        let pending = Pending { code: product.code, data: product.data };
        if thresholds::get().waits_for_code() {
            pending.code.wait();
        }
        (products, pending)
    }
}

impl Products {
    /// Takes the code if it is there.
    ///
    /// # Safety
    /// The thread is attached to the main interpreter: no other one runs machine code.
    unsafe fn take(&mut self, pending: Pending) -> Result<MachineCode, Progress> {
        let Pending { code, data } = pending;
        match code.ask() {
            Err(code) => Err(Progress::Pending(Pending { code, data })),
            Ok(Made::Code(code, lines)) => {
                // SAFETY: the contract is the same.
                let block = unsafe { Block::publish(&code) }.ok_or(Progress::Never)?;
                // SAFETY: the thread is attached (caller).
                unsafe { explain::add_machine_code(block.start().addr().get(), code.len(), lines) };
                self.blocks.push((block, data));
                Ok(MachineCode(block.start()))
            }
            Ok(Made::Nothing) => Err(Progress::Never),
            Ok(Made::NotTried) => Err(Progress::Again),
        }
    }
}

/// What the compiler has made for the executor, which may be nothing yet.
///
/// # Safety
/// As for [`products`].
unsafe fn make_products<'a>(executor: Executor) -> &'a mut Products {
    // SAFETY: the executor is live (caller).
    unsafe {
        let field = &raw mut (*executor.as_ptr()).jit_side_entry;
        if (*field).is_null() {
            *field = Box::into_raw(Box::<Products>::default()).cast();
        }
        &mut *(*field).cast()
    }
}

/// The executors whose traces are branches of the machine code of this one.
///
/// # Safety
/// The executor is live, also while the result is used.
pub(super) unsafe fn branches<'a>(executor: Executor) -> &'a [OwnedExecutor] {
    // SAFETY: the executor is live (caller).
    unsafe { products(executor) }.map_or(&[], |products| &products.branches)
}

/// How often the executor has run without machine code; 0 if it cannot have any.
///
/// # Safety
/// The executor is live.
pub(crate) unsafe fn runs(executor: Executor) -> usize {
    // SAFETY: the executor is live (caller).
    let word = unsafe { (*executor.as_ptr()).jit_size };
    if word == GIVEN_UP { 0 } else { Heat::from_word(word).runs() }
}

/// The executor is going to have code that begins with a frame in memory. `None`: it stays interpreted.
///
/// # Safety
/// The thread is attached, and the executor live. It can get such code. The code will be a function as [`MachineCode::run`]
/// calls it.
pub(crate) unsafe fn expect_entry(executor: Executor, product: Option<Product>) {
    // SAFETY: the contract is the same.
    unsafe {
        let Some(product) = product else {
            (*executor.as_ptr()).jit_size = GIVEN_UP;
            return;
        };
        let (products, pending) = expect(executor, product);
        products.pending = Some(pending);
        look_for_entry(executor);
    }
}

/// Gives an executor the code that it expects, if that is there.
///
/// # Safety
/// The thread is attached, and the executor live.
unsafe fn look_for_entry(executor: Executor) {
    // SAFETY: the executor is live (caller).
    unsafe {
        let Some(products) = products(executor) else { return };
        let Some(pending) = products.pending.take() else { return };
        match products.take(pending) {
            Ok(code) => products.entry = Some(code),
            Err(Progress::Pending(pending)) => products.pending = Some(pending),
            Err(Progress::Again) => (*executor.as_ptr()).jit_size = 0,
            Err(_) => (*executor.as_ptr()).jit_size = GIVEN_UP,
        }
    }
}

/// The executor is going to have code that continues from an exit: `link` will lead there.
///
/// # Safety
/// As for [`expect_entry`]. The executor is valid, and the link stays at its address.
pub(crate) unsafe fn expect_bridge(executor: Executor, product: Product, link: &Link) -> Progress {
    // SAFETY: the contract is the same.
    unsafe {
        let (products, pending) = expect(executor, product);
        products.bridges += 1;
        link.prepare(executor);
        look_for_bridge(executor, pending, link)
    }
}

/// Lets `link` lead to the code that the executor expects, if that is there.
///
/// # Safety
/// The thread is attached. The executor is live and valid, and the code was expected for it and this link.
pub(crate) unsafe fn look_for_bridge(executor: Executor, pending: Pending, link: &Link) -> Progress {
    if link.executor.get() != Some(executor) {
        // The executor that has expected it has been invalidated.
        return Progress::Again;
    }
    // SAFETY: the executor is live (caller).
    match unsafe { make_products(executor).take(pending) } {
        Ok(code) => {
            link.code.set(Some(code));
            Progress::There
        }
        Err(progress) => progress,
    }
}

/// Frees the machine code of an executor, and its data, if it has any.
///
/// # Safety
/// The executor is live, and nothing runs it or will.
pub(super) unsafe fn free(executor: Executor) {
    // SAFETY: the executor is live, and its code does not run (caller).
    unsafe {
        unlink(executor);
        let head = executor.as_ptr();
        let products = core::mem::replace(&mut (*head).jit_side_entry, core::ptr::null_mut());
        if !products.is_null() {
            for (block, _) in Box::from_raw(products.cast::<Products>()).blocks {
                explain::remove_machine_code(block.start().addr().get());
                block.free();
            }
        }
    }
}
