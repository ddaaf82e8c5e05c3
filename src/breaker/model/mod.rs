//! Tests the GIL with loom: every interleaving of two threads, and of three with few preemptions.
//!
//! loom finds deadlocks (a lost wake-up, a switch that never happens) and unordered accesses to the data that
//! the lock protects. The model's [`World`] finds accesses to threads that have ended.

use std::sync::Mutex;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use loom::thread;

/// The lock, with loom's atomics.
#[path = "../gil.rs"]
#[allow(clippy::duplicate_mod, reason = "the other one is over the machine's")]
mod gil;
mod queues;

mod sync {
    pub(crate) use loom::sync::atomic::AtomicUsize as AtomicSwitches;
    pub(crate) use loom::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

    pub(crate) type Switches = usize;
}

use gil::{Gil, HOLDER_ALIGNMENT, Holder, MustExit, Queue, World};
use queues::{Ends, Queues};

/// The lock's view of a thread.
struct Member {
    alive: AtomicBool,
    must_exit: AtomicBool,
    drop_requested: AtomicBool,
    /// How the thread's sleeps end, the next one last. When the list is empty, they end by being woken.
    sleeps: Mutex<Vec<Ends>>,
}

struct Model {
    word: AtomicUsize,
    last_holder: AtomicUsize,
    switches: AtomicUsize,
    locked: AtomicI32,
    queues: Queues,
    members: Vec<Member>,
    protected: UnsafeCell<usize>,
}

// SAFETY: the lock under test orders the accesses to `protected`; otherwise loom reports it.
unsafe impl Sync for Model {}
// SAFETY: as for `Sync`.
unsafe impl Send for Model {}

/// The [`World`] of the thread with this index.
#[derive(Clone, Copy)]
struct Place<'a> {
    model: &'a Model,
    me: usize,
}

impl Member {
    fn next_sleep(&self) -> Ends {
        self.sleeps.lock().expect("nobody panics").pop().unwrap_or(Ends::Woken)
    }
}

/// The thread with this index, as a holder.
fn holder(index: usize) -> Holder {
    Holder::new((index + 1) * HOLDER_ALIGNMENT).expect("not zero")
}

impl Model {
    /// A lock for as many threads as there are lists, and how the sleeps of each end.
    fn new(sleeps: &[&[Ends]]) -> Arc<Model> {
        let member = |sleeps: &&[Ends]| Member {
            alive: AtomicBool::new(true),
            must_exit: AtomicBool::new(false),
            drop_requested: AtomicBool::new(false),
            sleeps: Mutex::new(sleeps.to_vec()),
        };
        Arc::new(Model {
            word: AtomicUsize::new(0),
            last_holder: AtomicUsize::new(0),
            switches: AtomicUsize::new(0),
            locked: AtomicI32::new(0),
            queues: Queues::default(),
            members: sleeps.iter().map(member).collect(),
            protected: UnsafeCell::new(0),
        })
    }

    fn lock(&self, me: usize) -> Gil<'_, Place<'_>> {
        Gil {
            word: &self.word,
            last_holder: &self.last_holder,
            switches: &self.switches,
            locked: &self.locked,
            world: Place { model: self, me },
        }
    }

    /// The state of a thread, which must not have ended.
    fn member(&self, thread: Holder) -> &Member {
        let member = &self.members[thread.id() / HOLDER_ALIGNMENT - 1];
        assert!(member.alive.load(Ordering::Relaxed), "a thread that is gone was touched");
        member
    }

    /// What a thread does with the lock: changes the protected data.
    fn work(&self, me: usize) {
        assert_eq!(self.locked.load(Ordering::Relaxed), 1);
        assert_eq!(self.last_holder.load(Ordering::Relaxed), holder(me).id());
        // SAFETY: the thread holds the lock.
        self.protected.with_mut(|value| unsafe { *value += 1 });
    }

    /// Marks the thread's state as freed: the thread has dropped the lock for the last time.
    fn gone(&self, me: usize) {
        self.members[me].alive.store(false, Ordering::Relaxed);
    }
}

impl World for Place<'_> {
    type Deadline = ();

    fn one_interval_from_now(&self) {}

    fn sleep(
        &self,
        queue: Queue,
        deadline: Option<()>,
        wanted: impl FnOnce() -> bool,
        timed_out: impl FnOnce(),
    ) {
        let ends = match deadline {
            Some(()) => self.model.members[self.me].next_sleep(),
            None => Ends::Woken,
        };
        self.model.queues.sleep(queue, ends, wanted, timed_out);
    }

    fn wake_taker(&self, action: impl FnOnce(bool)) {
        self.model.queues.wake_taker(action);
    }

    fn wake_droppers(&self) {
        self.model.queues.wake_droppers();
    }

    fn with_queues<T>(&self, action: impl FnOnce() -> T) -> T {
        self.model.queues.locked(action)
    }

    fn request_drop(&self, thread: Holder, wanted: bool) {
        self.model.member(thread).drop_requested.store(wanted, Ordering::Relaxed);
    }

    fn is_drop_requested(&self, thread: Holder) -> bool {
        self.model.member(thread).drop_requested.load(Ordering::Relaxed)
    }

    fn must_exit(&self, thread: Holder) -> bool {
        self.model.member(thread).must_exit.load(Ordering::Relaxed)
    }
}

fn check(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

/// Takes and drops the lock `drops` times, the last time finally, like a thread that ends.
fn run(model: &Model, me: usize, drops: usize) {
    for turn in 1..=drops {
        model.lock(me).take(holder(me)).expect("nobody must exit");
        model.members[me].drop_requested.store(false, Ordering::Relaxed);
        model.work(me);
        if turn < drops {
            model.lock(me).drop_by(holder(me)).expect("it is held");
        } else {
            model.lock(me).drop_finally().expect("it is held");
            model.gone(me);
        }
    }
}

/// Runs the first thread here and all others in the background, then checks the lock and the protected data.
fn run_all(model: &Arc<Model>, drops: &[usize]) {
    let others: Vec<_> = (1..drops.len())
        .map(|me| {
            let (model, drops) = (Arc::clone(model), drops[me]);
            thread::spawn(move || run(&model, me, drops))
        })
        .collect();
    run(model, 0, drops[0]);
    others.into_iter().for_each(|other| other.join().unwrap());
    assert_eq!(model.word.load(Ordering::Relaxed) & !1, 0, "the lock is free");
    // SAFETY: the other threads have ended.
    assert_eq!(model.protected.with(|value| unsafe { *value }), drops.iter().sum::<usize>());
}

#[test]
fn two_threads_exclude_each_other() {
    check(4, || run_all(&Model::new(&[&[], &[]]), &[2, 2]));
}

#[test]
fn three_threads_exclude_each_other() {
    check(2, || run_all(&Model::new(&[&[], &[], &[]]), &[1, 1, 1]));
}

#[test]
fn a_thread_that_is_asked_waits_for_the_switch_and_no_longer() {
    check(3, || run_all(&Model::new(&[&[], &[Ends::InTime]]), &[2, 2]));
}

#[test]
fn threads_ask_each_other() {
    check(3, || run_all(&Model::new(&[&[Ends::InTime], &[Ends::InTime]]), &[2, 2]));
}

#[test]
fn one_of_three_asks() {
    check(2, || run_all(&Model::new(&[&[], &[Ends::InTime], &[]]), &[2, 1, 1]));
}

/// Spurious wake-ups, as a fork causes them.
#[test]
fn waking_for_no_reason_changes_nothing() {
    check(3, || {
        run_all(&Model::new(&[&[Ends::WithoutReason], &[Ends::InTime, Ends::WithoutReason]]), &[2, 1])
    });
}

/// The last thread that drops the lock may free its memory: no other thread is in its queues any more.
#[test]
fn the_last_to_drop_the_lock_is_the_last_in_its_queues() {
    check(3, || {
        let model = Model::new(&[&[], &[Ends::InTime]]);
        let left = Arc::new(AtomicUsize::new(2));
        let end = |model: &Model, left: &AtomicUsize, me: usize| {
            model.lock(me).take(holder(me)).expect("nobody must exit");
            let last = left.fetch_sub(1, Ordering::Relaxed) == 1;
            model.lock(me).drop_finally().expect("it is held");
            if last {
                model.queues.free();
            }
        };
        let other = {
            let (model, left) = (Arc::clone(&model), Arc::clone(&left));
            thread::spawn(move || end(&model, &left, 1))
        };
        end(&model, &left, 0);
        other.join().unwrap();
    });
}

/// The holder might end between the moment it is found and the callback.
#[test]
fn a_holder_stays_while_it_is_told() {
    check(3, || {
        let model = Model::new(&[&[], &[]]);
        let other = {
            let model = Arc::clone(&model);
            thread::spawn(move || run(&model, 1, 1))
        };
        let teller = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                model
                    .lock(0)
                    .with_holder(|holder| assert!(model.member(holder).alive.load(Ordering::Relaxed)))
            })
        };
        run(&model, 0, 1);
        other.join().unwrap();
        teller.join().unwrap();
    });
}

/// If a thread has requested the lock and then must exit, no thread waits for a switch to it.
#[test]
fn a_thread_that_must_exit_takes_its_request_back() {
    check(4, || {
        let model = Model::new(&[&[], &[Ends::InTime, Ends::InTime]]);
        model.lock(0).take(holder(0)).expect("nobody must exit");
        let late = {
            let model = Arc::clone(&model);
            thread::spawn(move || {
                if model.lock(1).take(holder(1)) != Err(MustExit) {
                    model.lock(1).drop_finally().expect("it is held");
                }
            })
        };
        model.members[1].must_exit.store(true, Ordering::Relaxed);
        model.lock(0).drop_by(holder(0)).expect("it is held");
        late.join().unwrap();
        run(&model, 0, 1);
    });
}

/// A pending call is either announced to the running thread, or found by the next one that attaches.
#[test]
fn what_is_left_for_the_next_holder_is_seen() {
    check(4, || {
        let model = Model::new(&[&[]]);
        let (calls, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let caller = {
            let (model, calls, told) = (Arc::clone(&model), Arc::clone(&calls), Arc::clone(&told));
            thread::spawn(move || {
                calls.fetch_add(1, Ordering::Relaxed);
                model.lock(0).with_holder(|_| told.store(true, Ordering::SeqCst));
            })
        };
        model.lock(0).take(holder(0)).expect("nobody must exit");
        let found = calls.load(Ordering::Relaxed) > 0;
        caller.join().unwrap();
        assert!(found || told.load(Ordering::SeqCst));
        model.lock(0).drop_finally().expect("it is held");
    });
}
