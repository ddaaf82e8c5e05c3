//! A loom model of the protocol in [`super`]: threads that run a code object, and threads that change what
//! tools watch, in every interleaving with a limited number of preemptions. Tests only.
//!
//! The code object has one instruction and one side table. Data that the protocol says is never accessed by
//! two threads at once is a plain cell here, so that loom reports such an access. Being attached is a shared
//! lock; stopping the world is the exclusive lock.

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Arc, Mutex, RwLock};
use loom::thread;

/// The opcode of the instruction as the compiler emitted it, and the one that also fires an event.
const PLAIN: usize = 1;
const INSTRUMENTED: usize = 2;

/// When instrumenting stores the new version of the code object.
#[derive(Clone, Copy, PartialEq)]
enum VersionIsStored {
    Last,
    First,
}

struct Model {
    stored: VersionIsStored,
    /// Shared by attached threads; exclusive while the world is stopped.
    world: RwLock<()>,
    // The interpreter's state, which changes only while the world is stopped.
    version: AtomicUsize,
    wanted: UnsafeCell<bool>,
    frames: AtomicUsize,
    // The code object's state.
    lock: Mutex<()>,
    code_version: AtomicUsize,
    opcode: AtomicUsize,
    /// 1 once the side table is published.
    table: AtomicUsize,
    original: UnsafeCell<usize>,
    disabled: UnsafeCell<bool>,
}

// SAFETY: loom checks every access to the cells.
unsafe impl Sync for Model {}
// SAFETY: as above.
unsafe impl Send for Model {}

fn get<T: Copy>(cell: &UnsafeCell<T>) -> T {
    // SAFETY: the pointer is valid; loom reports accesses that race.
    cell.with(|value| unsafe { *value })
}

fn set<T>(cell: &UnsafeCell<T>, new: T) {
    // SAFETY: as above.
    cell.with_mut(|value| unsafe { *value = new })
}

impl Model {
    fn new(stored: VersionIsStored, wanted: bool) -> Model {
        Model {
            stored,
            world: RwLock::new(()),
            version: AtomicUsize::new(1),
            wanted: UnsafeCell::new(wanted),
            frames: AtomicUsize::new(0),
            lock: Mutex::new(()),
            code_version: AtomicUsize::new(0),
            opcode: AtomicUsize::new(PLAIN),
            table: AtomicUsize::new(0),
            original: UnsafeCell::new(0),
            disabled: UnsafeCell::new(false),
        }
    }

    fn is_outdated(&self) -> bool {
        self.code_version.load(Ordering::Acquire) != self.version.load(Ordering::Relaxed)
    }

    fn store_version(&self) {
        self.code_version.store(self.version.load(Ordering::Relaxed), Ordering::Release);
    }

    /// Updates the code object. The thread holds the code object's lock, or has stopped the world.
    fn instrument(&self) {
        if self.stored == VersionIsStored::First {
            self.store_version();
        }
        let wanted = get(&self.wanted);
        if wanted && self.table.load(Ordering::Relaxed) == 0 {
            set(&self.original, PLAIN);
            self.table.store(1, Ordering::Release);
        }
        self.opcode.store(if wanted { INSTRUMENTED } else { PLAIN }, Ordering::Release);
        set(&self.disabled, false);
        if self.stored == VersionIsStored::Last {
            self.store_version();
        }
    }

    /// A tool starts to watch the event, or stops.
    fn toggle(&self) {
        let _stopped = self.world.write().unwrap();
        set(&self.wanted, !get(&self.wanted));
        self.version.store(self.version.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if self.frames.load(Ordering::Relaxed) > 0 {
            self.instrument();
        }
    }

    /// A frame that runs the instruction twice. The world may stop between the two.
    fn run(&self, disable: bool) {
        let mut attached = self.world.read().unwrap();
        self.frames.fetch_add(1, Ordering::Relaxed);
        if self.is_outdated() {
            let _locked = self.lock.lock().unwrap();
            if self.is_outdated() {
                self.instrument();
            }
        }
        for _ in 0..2 {
            let opcode = self.opcode.load(Ordering::Relaxed);
            // The thread sees everything of its version.
            assert_eq!(opcode == INSTRUMENTED, get(&self.wanted) && !get(&self.disabled));
            if opcode == INSTRUMENTED {
                // The callback runs, and with it any other code.
                drop(attached);
                if disable {
                    let _stopped = self.world.write().unwrap();
                    set(&self.disabled, true);
                    self.opcode.store(PLAIN, Ordering::Release);
                }
                attached = self.world.read().unwrap();
                assert_eq!(self.table.load(Ordering::Acquire), 1);
                assert_eq!(get(&self.original), PLAIN, "what is under an event stays there");
            }
        }
        self.frames.fetch_sub(1, Ordering::Relaxed);
        drop(attached);
    }
}

fn check(stored: VersionIsStored, wanted: bool, run: fn(Arc<Model>) -> Vec<thread::JoinHandle<()>>) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let model = Arc::new(Model::new(stored, wanted));
        for thread in run(model) {
            thread.join().unwrap();
        }
    });
}

fn spawn(model: &Arc<Model>, action: impl FnOnce(&Model) + 'static) -> thread::JoinHandle<()> {
    let model = Arc::clone(model);
    thread::spawn(move || action(&model))
}

fn two_runners(model: Arc<Model>) -> Vec<thread::JoinHandle<()>> {
    let other = spawn(&model, |model| model.run(false));
    model.run(false);
    vec![other]
}

fn runners_and_a_change(model: Arc<Model>) -> Vec<thread::JoinHandle<()>> {
    let threads = vec![spawn(&model, |model| model.run(false)), spawn(&model, Model::toggle)];
    model.run(false);
    threads
}

fn disabling_and_a_change(model: Arc<Model>) -> Vec<thread::JoinHandle<()>> {
    let threads = vec![spawn(&model, |model| model.run(true)), spawn(&model, Model::toggle)];
    model.run(false);
    threads
}

#[test]
fn who_comes_first_instruments() {
    check(VersionIsStored::Last, true, two_runners);
}

#[test]
fn a_change_is_seen_as_a_whole() {
    check(VersionIsStored::Last, true, runners_and_a_change);
    check(VersionIsStored::Last, false, runners_and_a_change);
}

#[test]
fn disabling_takes_nothing_away_that_is_still_needed() {
    check(VersionIsStored::Last, true, disabling_and_a_change);
}

#[test]
#[should_panic]
fn a_version_that_is_stored_first_promises_too_much() {
    check(VersionIsStored::First, true, two_runners);
}
