//! Private.
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::ops::metadata::MicroOp;
static CELLS: [AtomicU64; 8000] = [const { AtomicU64::new(0) }; 8000];
static ONCE: AtomicBool = AtomicBool::new(false);
extern "C" fn dump() {
    let mut all: Vec<(u64, usize)> = CELLS.iter().enumerate().map(|(i, c)| (c.load(Ordering::Relaxed), i)).filter(|c| c.0 > 0).collect();
    all.sort();
    for (count, index) in all.iter().rev().take(60) {
        let name = MicroOp::by_number((index % 2000) as u16).map_or("?", |row| row.name);
        let kind = ["helper", "frame", "exit", "error"][index / 2000];
        eprintln!("TALLY {kind} {name} {count}");
    }
}
pub(crate) fn cell(number: usize) -> usize {
    if !ONCE.swap(true, Ordering::Relaxed) { unsafe { libc::atexit(dump); } }
    (&raw const CELLS[number]).addr()
}
pub(crate) fn count(number: usize) {
    cell(number);
    CELLS[number].fetch_add(1, Ordering::Relaxed);
}

use std::collections::HashMap;
use std::sync::Mutex;
use crate::tier2::compiled::Next;
use crate::tier2::executor::SideExit;
use crate::host::{Frame, ThreadState};
static EXITS: Mutex<Option<HashMap<(usize, usize), (u64, String)>>> = Mutex::new(None);
pub(crate) fn exit(tstate: ThreadState, next: &Next, frame: Frame) {
    use crate::bytecode::micro_op;
    unsafe {
        let (uop, how) = match *next { Next::Bytecode(u) => (u, 3), Next::At(u) => (u, 0), Next::FailedGuard(u) => (u, 1), Next::Error(u) => (u, 2) };
        let mut exits = EXITS.lock().unwrap();
        if exits.is_none() { cell(0); extern "C" fn d() { dump_exits() } libc::atexit(d); }
        let map = exits.get_or_insert_default();
        let executor = (*tstate.as_ptr()).current_executor as usize;
        let entry = map.entry((uop as usize, how)).or_insert((0, String::new()));
        entry.0 += 1;
        if entry.0 == 1000 || entry.0 == 100000 {
            let name = MicroOp::by_number((*uop).number()).map_or("?", |row| row.name);
            let mut text = format!("{how} {name} arg {} op {:#x} exec {:x}", (*uop).oparg, (*uop).operand0, executor);
            let code = frame.code();
            let cname = std::ffi::CStr::from_ptr(crate::host::ffi::PyUnicode_AsUTF8((*code.as_ptr()).co_qualname)).to_string_lossy().into_owned();
            text += &format!(" in {cname}");
            if (*uop).number() == micro_op::exit_trace {
                let exit = SideExit::of(*uop);
                text += &format!(" target {} temp {:?}", exit.target(), exit.temperature());
                let target = frame.bytecode().add(exit.target() as isize);
                text += &format!(" opcode {}", crate::bytecode::metadata::Instruction::of(target.opcode()).map_or("?", |i| i.name));
                match exit.executor() { Some(e) => { text += &format!(" behind {:p} valid {} code {} pending {} gaveup {} runs {} len {}", e.as_ptr(), e.is_valid(), crate::tier2::compiled::code_of(e).is_some(), crate::tier2::compiled::is_pending(e), crate::tier2::compiled::is_given_up(e), crate::tier2::compiled::runs(e), e.trace().len()); } None => text += " behind none" }
            }
            entry.1 = text;
        }
    }
}
fn dump_exits() {
    let mut exits = EXITS.lock().unwrap();
    let mut all: Vec<_> = exits.take().unwrap().into_iter().collect();
    all.sort_by_key(|e| e.1.0);
    let total: u64 = all.iter().map(|e| e.1.0).sum();
    eprintln!("EXITS {total}");
    for (_, (count, text)) in all.iter().rev().take(30) { eprintln!("EXIT {count} {text}"); }
}

static SITES: Mutex<Vec<(String, &'static AtomicU64)>> = Mutex::new(Vec::new());
pub(crate) fn site(text: String) -> usize {
    let mut sites = SITES.lock().unwrap();
    if sites.is_empty() { extern "C" fn d() { dump_sites() } unsafe { libc::atexit(d); } }
    let cell: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
    sites.push((text, cell));
    (&raw const *cell).addr()
}
fn dump_sites() {
    let mut all: HashMap<String, u64> = HashMap::new();
    for (text, cell) in SITES.lock().unwrap().iter() { *all.entry(text.clone()).or_default() += cell.load(Ordering::Relaxed); }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|e| e.1);
    for (text, count) in all.iter().rev().take(40) { eprintln!("SITE {count} {text}"); }
}
