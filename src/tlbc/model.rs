//! Tests the protocol of [`super`] with loom: every interleaving of threads that take indices, make copies,
//! read them, and instrument them.
//!
//! The pool is the real one, behind a lock. Code objects are modelled. Data that the protocol says is never
//! accessed by two threads at once, or never after it was freed, is a plain cell here, so that loom reports a
//! violation.

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex, RwLock};
use loom::thread;

use super::indices::Indices;
use crate::host::opcode_byte;

/// A value without synchronization of its own.
struct Plain<T>(UnsafeCell<T>);

// SAFETY: loom checks every access.
unsafe impl<T> Sync for Plain<T> {}
// SAFETY: as for `Sync`.
unsafe impl<T> Send for Plain<T> {}

impl<T: Copy> Plain<T> {
    fn new(value: T) -> Plain<T> {
        Plain(UnsafeCell::new(value))
    }

    fn get(&self) -> T {
        // SAFETY: the pointer is valid; loom reports unordered accesses.
        self.0.with(|value| unsafe { *value })
    }

    fn set(&self, new: T) {
        // SAFETY: as for `get`.
        self.0.with_mut(|value| unsafe { *value = new })
    }
}

fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

// --- indices ------------------------------------------------------------------------------------

struct Pool {
    returned: Vec<u32>,
    count: isize,
    next: i32,
}

impl Pool {
    fn new() -> Mutex<Pool> {
        Mutex::new(Pool { returned: vec![0], count: 0, next: 0 })
    }

    fn indices(&mut self) -> Indices<'_> {
        Indices { returned: &mut self.returned, count: &mut self.count, next: &mut self.next }
    }
}

struct Threads {
    pool: Mutex<Pool>,
    /// The copies: what the threads with these indices specialize.
    copies: [Plain<usize>; 3],
}

impl Threads {
    fn new() -> Arc<Threads> {
        Arc::new(Threads { pool: Pool::new(), copies: [0; 3].map(Plain::new) })
    }

    /// A thread from creation to destruction. Returns its index.
    fn live(&self) -> usize {
        let index = self.pool.lock().unwrap().indices().take().unwrap() as usize;
        // No other thread uses the copy now, and all writes of earlier ones are visible.
        self.copies[index].set(self.copies[index].get() + 1);
        self.pool.lock().unwrap().indices().give_back(index as i32);
        index
    }
}

#[test]
fn a_thread_is_alone_with_its_copy_and_sees_all_of_what_another_left() {
    check(|| {
        let threads = Threads::new();
        let others = [(); 2].map(|()| {
            let threads = threads.clone();
            thread::spawn(move || threads.live())
        });
        let mut used = vec![threads.live()];
        used.extend(others.map(|other| other.join().unwrap()));
        // No more indices than threads exist at a time, and the work of all threads is there.
        for (index, copy) in threads.copies.iter().enumerate() {
            assert_eq!(copy.get(), used.iter().filter(|&&other| other == index).count());
        }
        let mut pool = threads.pool.lock().unwrap();
        assert_eq!(pool.count, pool.next as isize);
        assert_eq!(pool.indices().take(), Some(0));
    });
}

// --- copies -------------------------------------------------------------------------------------

const GENERIC: u8 = 1;
const SPECIALIZED: u8 = 2;
const INSTRUMENTED: u8 = 3;

/// The lengths of the first array and of the one that replaces it.
const LENGTHS: [usize; 2] = [2, 3];

/// When a copy or an array is published.
#[derive(Clone, Copy, PartialEq)]
enum Published {
    WhenComplete,
    TooEarly,
}

/// An array of copies. An entry is the number of a block plus one; zero is no copy.
struct Array {
    entries: [AtomicUsize; 3],
    is_freed: Plain<bool>,
}

/// A code object with one instruction and its cache.
struct Code {
    published: Published,
    /// Locked for reading by attached threads, for writing while the world is stopped.
    world: RwLock<()>,
    lock: Mutex<Owned>,
    /// The index of the code object's current array.
    array: AtomicUsize,
    arrays: [Array; 2],
    /// Blocks of memory: opcodes, which are atomic, and the rest, which belongs to the copy of one thread.
    opcodes: [AtomicU8; 4],
    rest: [Plain<u8>; 4],
    version: AtomicUsize,
}

/// The data that the lock protects, besides what is atomic.
struct Owned {
    blocks: usize,
    outgrown: bool,
}

impl Code {
    fn new(published: Published) -> Arc<Code> {
        let array = || Array { entries: [0; 3].map(AtomicUsize::new), is_freed: Plain::new(false) };
        let code = Code {
            published,
            world: RwLock::new(()),
            lock: Mutex::new(Owned { blocks: 1, outgrown: false }),
            array: AtomicUsize::new(0),
            arrays: [array(), array()],
            opcodes: [GENERIC, 0, 0, 0].map(AtomicU8::new),
            rest: [GENERIC, 0, 0, 0].map(Plain::new),
            version: AtomicUsize::new(0),
        };
        code.arrays[0].entries[0].store(1, Ordering::Relaxed);
        Arc::new(code)
    }

    /// Finds the block of a thread's copy, without a lock.
    fn find(&self, index: usize) -> Option<usize> {
        let at = self.array.load(Ordering::Acquire);
        let array = &self.arrays[at];
        assert!(!array.is_freed.get());
        if index >= LENGTHS[at] {
            return None;
        }
        array.entries[index].load(Ordering::Acquire).checked_sub(1)
    }

    /// Finds the block of a thread's copy or makes one, under the lock.
    fn find_or_make(&self, index: usize) -> usize {
        let mut owned = self.lock.lock().unwrap();
        if let Some(block) = self.find(index) {
            return block;
        }
        let block = owned.blocks;
        owned.blocks += 1;
        let fill = || {
            self.rest[block].set(GENERIC);
            let top = self.opcodes[0].load(Ordering::Relaxed);
            self.opcodes[block].store(if top == INSTRUMENTED { top } else { GENERIC }, Ordering::Relaxed);
        };
        let publish = || {
            let at = self.array.load(Ordering::Relaxed);
            if index < LENGTHS[at] {
                self.arrays[at].entries[index].store(block + 1, Ordering::Release);
            }
        };
        match self.published {
            Published::WhenComplete => {
                fill();
                publish();
            }
            Published::TooEarly => {
                publish();
                fill();
            }
        }
        if self.array.load(Ordering::Relaxed) == 0 && index >= LENGTHS[0] {
            for (old, new) in self.arrays[0].entries.iter().zip(&self.arrays[1].entries) {
                new.store(old.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            self.arrays[1].entries[index].store(block + 1, Ordering::Relaxed);
            self.array.store(1, Ordering::Release);
            owned.outgrown = true;
        }
        block
    }

    /// Executes a frame from RESUME on. Returns the block that it executes.
    fn run(&self, index: usize) -> usize {
        let _attached = self.world.read().unwrap();
        let block = self.find(index).unwrap_or_else(|| self.find_or_make(index));
        let version = self.version.load(Ordering::Acquire);
        assert_ne!(self.rest[block].get(), 0, "all of it or none");
        let seen = self.opcodes[block].load(Ordering::Relaxed);
        assert!(version == 0 || seen == INSTRUMENTED, "copies are instrumented like the main one");
        if seen == GENERIC {
            self.rest[block].set(SPECIALIZED);
            opcode_byte::replace(&self.opcodes[block], seen, SPECIALIZED);
        }
        block
    }

    /// Uses a swap, because loom does not order plain stores among exchanges.
    fn instrument(&self) {
        let _attached = self.world.read().unwrap();
        let _locked = self.lock.lock().unwrap();
        for index in 0..LENGTHS[self.array.load(Ordering::Relaxed)] {
            if let Some(block) = self.find(index) {
                self.opcodes[block].swap(INSTRUMENTED, Ordering::Release);
            }
        }
        self.version.store(1, Ordering::Release);
    }

    /// Frees the old array. The host does so when every thread has been seen not to read it (QSBR); here, while
    /// no thread is attached.
    fn free_outgrown(&self) {
        let _stopped = self.world.write().unwrap();
        if self.lock.lock().unwrap().outgrown {
            self.arrays[0].is_freed.set(true);
        }
    }
}

fn spawn<T: 'static>(code: &Arc<Code>, action: impl FnOnce(&Code) -> T + 'static) -> thread::JoinHandle<T> {
    let code = Arc::clone(code);
    thread::spawn(move || action(&code))
}

/// Reads `co_tlbc` like a thread that looks at the frames of other threads, not like the copy's own thread.
fn look(code: &Code, index: usize) {
    let _attached = code.world.read().unwrap();
    if let Some(block) = code.find(index) {
        assert_ne!(code.opcodes[block].load(Ordering::Relaxed), 0, "all of it or none");
    }
}

#[test]
fn who_finds_a_copy_finds_all_of_it() {
    check(|| {
        let code = Code::new(Published::WhenComplete);
        let maker = spawn(&code, |code| code.run(1));
        look(&code, 1);
        assert_eq!(maker.join().unwrap(), 1);
    });
}

#[test]
#[should_panic(expected = "all of it or none")]
fn a_copy_that_is_published_too_early_would_be_found_out() {
    check(|| {
        let code = Code::new(Published::TooEarly);
        let maker = spawn(&code, |code| code.run(1));
        look(&code, 1);
        maker.join().unwrap();
    });
}

#[test]
fn two_makers_lose_nothing_of_each_other() {
    check(|| {
        let code = Code::new(Published::WhenComplete);
        // One of them needs a longer array.
        let maker = spawn(&code, |code| {
            let block = code.run(2);
            code.free_outgrown();
            block
        });
        let own = code.run(1);
        let other = maker.join().unwrap();
        assert_ne!(own, other);
        assert_eq!((code.find(0), code.find(1), code.find(2)), (Some(0), Some(own), Some(other)));
        assert_eq!(code.lock.lock().unwrap().blocks, 3, "one block for each");
    });
}

#[test]
fn an_array_is_outgrown_while_others_read_it() {
    check(|| {
        let code = Code::new(Published::WhenComplete);
        let maker = spawn(&code, |code| {
            code.run(2);
            code.free_outgrown();
        });
        look(&code, 2);
        look(&code, 0);
        maker.join().unwrap();
        assert!(code.arrays[0].is_freed.get());
    });
}

/// A copy is made before, while or after the code object is instrumented. Both threads specialize their copies.
#[test]
fn no_copy_escapes_instrumentation() {
    check(|| {
        let code = Code::new(Published::WhenComplete);
        let maker = spawn(&code, |code| code.run(1));
        let tool = spawn(&code, Code::instrument);
        code.run(0);
        let block = maker.join().unwrap();
        tool.join().unwrap();
        for block in [0, block] {
            assert_eq!(code.opcodes[block].load(Ordering::Relaxed), INSTRUMENTED);
        }
        // A later frame sees the instrumentation, too.
        assert_eq!(code.run(1), block);
    });
}

// --- frames that outlive their thread -----------------------------------------------------------

/// A suspended generator of a thread that has ended.
struct Generator {
    code: Arc<Code>,
    pool: Mutex<Pool>,
    /// The block that its frame executes, and the index of that copy.
    block: Plain<usize>,
    index: Plain<usize>,
    is_freed: [Plain<bool>; 4],
}

/// Whether frames are moved before their copies are freed.
#[derive(Clone, Copy, PartialEq)]
enum Frames {
    Moved,
    Left,
}

impl Generator {
    fn new() -> Arc<Generator> {
        let code = Code::new(Published::WhenComplete);
        let block = code.find_or_make(1);
        let pool = Pool::new();
        // The main thread is alive; the one with index 1 has ended.
        for expected in 0..2 {
            assert_eq!(pool.lock().unwrap().indices().take(), Some(expected));
        }
        pool.lock().unwrap().indices().give_back(1);
        Arc::new(Generator {
            code,
            pool,
            block: Plain::new(block),
            index: Plain::new(1),
            is_freed: [false; 4].map(Plain::new),
        })
    }

    /// Stands for `_Py_ClearUnusedTLBC`.
    fn free_unused(&self, frames: Frames) {
        let _stopped = self.code.world.write().unwrap();
        let is_used = self.pool.lock().unwrap().returned[0] & 2 == 0;
        if is_used {
            return;
        }
        if frames == Frames::Moved && self.index.get() == 1 {
            self.index.set(0);
            self.block.set(0);
        }
        if let Some(block) = self.code.find(1) {
            let array = &self.code.arrays[self.code.array.load(Ordering::Relaxed)];
            array.entries[1].store(0, Ordering::Relaxed);
            self.is_freed[block].set(true);
        }
    }

    /// A new thread resumes the generator.
    fn resume(&self) {
        let own = self.pool.lock().unwrap().indices().take().unwrap() as usize;
        let _attached = self.code.world.read().unwrap();
        // The instruction after a `yield` is a RESUME, in whatever copy the frame is.
        assert!(!self.is_freed[self.block.get()].get(), "in a copy that is gone");
        if self.index.get() != own {
            let block = self.code.find(own).unwrap_or_else(|| self.code.find_or_make(own));
            self.block.set(block);
            self.index.set(own);
        }
        assert!(!self.is_freed[self.block.get()].get(), "in a copy that is gone");
        assert_eq!(self.code.find(own), Some(self.block.get()), "and in the thread's own");
    }
}

fn resume_while_freeing(frames: Frames) {
    check(move || {
        let generator = Generator::new();
        let collector = {
            let generator = generator.clone();
            thread::spawn(move || generator.free_unused(frames))
        };
        generator.resume();
        collector.join().unwrap();
    });
}

#[test]
fn generators_go_on_where_their_copy_was_freed() {
    resume_while_freeing(Frames::Moved);
}

#[test]
#[should_panic(expected = "in a copy that is gone")]
fn frames_that_are_left_behind_would_be_found_out() {
    resume_while_freeing(Frames::Left);
}
