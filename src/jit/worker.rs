//! The thread that makes machine code. What needs the program's objects has been done before ([`super::compile`]), so it never
//! waits for the GIL.
//!
//! There is such a thread only while there is work, and for a moment after that. A program that forks must not see it: the
//! child would lack it, and CPython warns of a fork with other threads. So a fork ends it first. What it has not done by then
//! is asked for again later, by both processes.
//!
//! A panic of Cranelift ends the thread, and not the process: the job that it was at comes to nothing.

use core::cell::Cell;
use core::ffi::c_long;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicI32, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::os::unix::thread::JoinHandleExt;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, JoinHandle};
use std::{mem, panic};

use cranelift_codegen::Context;
use cranelift_codegen::ir::Function;

use super::emit::{Job, code_of};
use super::spare;
use crate::tier2::heat;
use crate::tier2::promise::Maker;

/// How long the thread waits for more work.
const PATIENCE: Duration = Duration::from_millis(50);

/// What the thread has to do. The lock is held for moments only, and never by the thread during a fork.
struct Queue {
    jobs: VecDeque<Job>,
    /// The newest thread, which may have ended.
    thread: Option<JoinHandle<()>>,
    /// It takes the next job. Set to false, it ends.
    is_working: bool,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { jobs: VecDeque::new(), thread: None, is_working: false });
/// There is a job, or the thread is to end.
static CHANGED: Condvar = Condvar::new();
/// What the system calls the thread; 0 before it runs.
static THREAD_ID: AtomicI32 = AtomicI32::new(0);

fn queue() -> MutexGuard<'static, Queue> {
    // Nothing panics while it holds the lock.
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the job done: by the thread, or here and now if there can be none.
pub(super) fn submit(job: Job) {
    static FORKS: Once = Once::new();
    // SAFETY: the functions may be called at any time, and the library stays loaded.
    FORKS.call_once(|| unsafe {
        libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork));
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if let Some(maker) = CURRENT.take() {
                end_by_panic(maker);
            }
            usual(panic);
        }));
    });
    let mut queue = queue();
    if !queue.is_working {
        if let Some(ended) = queue.thread.take() {
            wait_for(ended);
        }
        let Some(thread) = start() else {
            drop(queue);
            return run(job, &mut Context::new());
        };
        queue.thread = Some(thread);
        queue.is_working = true;
    }
    queue.jobs.push_back(job);
    // The thread needs the lock at once.
    drop(queue);
    CHANGED.notify_one();
}

/// Starts the thread. It gets no signals: they are the program's.
fn start() -> Option<JoinHandle<()>> {
    THREAD_ID.store(0, Ordering::Relaxed);
    let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    // SAFETY: the sets are initialized by the functions that get them first.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let thread = thread::Builder::new().name("reval-jit".into()).spawn(work);
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), core::ptr::null_mut());
        thread.ok()
    }
}

/// The thread.
fn work() {
    // SAFETY: the call has no requirements.
    THREAD_ID.store(unsafe { libc::gettid() }, Ordering::Relaxed);
    let mut context = Context::new();
    while let Some(job) = next_job() {
        heat::beside_the_program(|| run(job, &mut context));
    }
}

thread_local! {
    /// The promise of the job that the thread is at.
    static CURRENT: Cell<Option<Maker>> = const { Cell::new(None) };
}

/// Does a job, unless nothing needs it any more.
fn run(job: Job, context: &mut Context) {
    let Job { function, maker, places } = job;
    if !maker.is_wanted() {
        return;
    }
    CURRENT.set(Some(maker));
    let code = code_of(function, &places, context);
    if let Some(maker) = CURRENT.take() {
        maker.keep(code);
    }
    spare::give_function(mem::replace(&mut context.func, Function::new()));
}

/// Ends the thread while it panics: there can be no code for its job. The functions that it is in never go on, and keep what they
/// have: a panic must not unwind them. If the program itself does the job, the process ends.
fn end_by_panic(maker: Maker) {
    let mut queue = queue();
    // SAFETY: the call has no requirements.
    let is_worker = THREAD_ID.load(Ordering::Relaxed) == unsafe { libc::gettid() };
    if !is_worker {
        return;
    }
    queue.is_working = false;
    let rest = mem::take(&mut queue.jobs);
    drop(queue);
    // They are asked for again.
    drop(rest);
    maker.keep(None);
    // SAFETY: the system ends this thread, and `wait_for` notices that.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

/// Waits for a job. `None`: the thread ends.
fn next_job() -> Option<Job> {
    let is_idle = |queue: &mut Queue| queue.is_working && queue.jobs.is_empty();
    let (mut queue, _) =
        CHANGED.wait_timeout_while(queue(), PATIENCE, is_idle).unwrap_or_else(PoisonError::into_inner);
    let job = if queue.is_working { queue.jobs.pop_front() } else { None };
    queue.is_working = job.is_some();
    job
}

thread_local! {
    /// While the thread forks: no other one changes the queue.
    static FORKING: Cell<Option<MutexGuard<'static, Queue>>> = const { Cell::new(None) };
}

/// Ends the thread, after the job that it is at. The other jobs are dropped.
extern "C" fn before_fork() {
    loop {
        let mut queue = queue();
        queue.is_working = false;
        CHANGED.notify_one();
        let Some(thread) = queue.thread.take() else {
            queue.jobs.clear();
            FORKING.set(Some(queue));
            return;
        };
        drop(queue);
        wait_for(thread);
    }
}

/// In both processes.
extern "C" fn after_fork() {
    drop(FORKING.take());
}

/// Waits for the end of the newest thread, until the system does not count it any more.
fn wait_for(thread: JoinHandle<()>) {
    // A thread that has panicked has no result, so the library's own function does not do.
    // SAFETY: the thread has not been waited for.
    unsafe { libc::pthread_join(thread.into_pthread_t(), core::ptr::null_mut()) };
    let id = THREAD_ID.load(Ordering::Relaxed);
    const MAX_TRIES: usize = 1000;
    for _ in 0..MAX_TRIES {
        // SAFETY: signal 0 is not sent.
        let result =
            unsafe { libc::syscall(libc::SYS_tgkill, c_long::from(libc::getpid()), c_long::from(id), 0) };
        if result != 0 {
            break;
        }
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use cranelift_codegen::ir::types::I64;
    use cranelift_codegen::ir::{Function, InstBuilder, UserFuncName};
    use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

    use super::*;
    use crate::jit::emit::target;
    use crate::jit::lower::signature_of;
    use crate::tier2::promise::{Made, Promise, promise};

    /// Submits a function that returns a number. Cranelift panics at another one.
    fn submit_function(is_good: bool) -> Promise {
        let mut function =
            Function::with_name_signature(UserFuncName::default(), signature_of(&[], Some(I64)));
        if is_good {
            let mut context = FunctionBuilderContext::new();
            let mut b = FunctionBuilder::new(&mut function, &mut context);
            let block = b.create_block();
            b.switch_to_block(block);
            let result = b.ins().iconst(I64, 7);
            b.ins().return_(&[result]);
            b.seal_all_blocks();
            b.finalize(target().expect("this machine").frontend_config());
        }
        let (maker, promise) = promise();
        submit(Job { function, maker, places: Vec::new() });
        promise
    }

    #[test]
    fn a_panic_ends_the_job_only() {
        for is_good in [true, false, true, false, false, true] {
            let promise = submit_function(is_good);
            promise.wait();
            let made = promise.ask();
            assert!(
                matches!(made, Ok(Made::Code(..))) == is_good
                    && (is_good || matches!(made, Ok(Made::Nothing)))
            );
        }
    }
}
