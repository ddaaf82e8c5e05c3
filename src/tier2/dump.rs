//! The valid executors as a graph in the language of graphviz: `sys._dump_tracelets`.

use core::fmt::{self, Write};

use super::executor::{Executor, SideExit};
use super::{finish, list};
use crate::host::{Code, Owned, ffi};
use crate::ops::metadata::MicroOp;

/// A C file to write to. As for the host's own function, nothing reports what cannot be written.
struct File(*mut ffi::FILE);

impl Write for File {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: the creator of a `File` guarantees that it is open.
        unsafe { libc::fwrite(text.as_ptr().cast(), 1, text.len(), self.0.cast()) };
        Ok(())
    }
}

/// Writes the valid executors of the thread's interpreter.
///
/// # Safety
/// The thread is attached to `interp`, and `file` is open.
pub(crate) unsafe fn dump(interp: *mut ffi::PyInterpreterState, file: *mut ffi::FILE) {
    let file = &mut File(file);
    // SAFETY: the thread is attached, so the list does not change; executors in it are live. Writing to a `File`
    // never fails.
    unsafe {
        let _ = writeln!(file, "digraph ideal {{\n\n    rankdir = \"LR\"\n");
        let first = list::first(interp);
        for executor in core::iter::successors(first, |&executor| list::next(executor)) {
            let _ = write_node(file, executor);
            let _ = write_edges(file, executor);
        }
        let _ = writeln!(file, "}}\n");
    }
}

/// Writes an executor as a table of its micro-ops, up to the end of its body. Each row is a port, from which edges
/// can begin.
///
/// # Safety
/// The thread is attached, and the executor is live.
unsafe fn write_node(file: &mut File, executor: Executor) -> fmt::Result {
    writeln!(file, "executor_{:p} [", executor.as_ptr())?;
    writeln!(file, "    shape = none")?;
    writeln!(file, "    label = <<table border=\"0\" cellspacing=\"0\">")?;
    writeln!(file, "        <tr><td port=\"start\" border=\"1\" ><b>Executor</b></td></tr>")?;
    // SAFETY: the executor is live, and so is the code that it is in (caller).
    unsafe {
        match executor.code() {
            None => writeln!(file, "        <tr><td border=\"1\" >No code object</td></tr>")?,
            Some(code) => {
                write!(file, "        <tr><td  border=\"1\" >")?;
                write_name(file, code)?;
                let offset = executor.index() * size_of::<ffi::_Py_CODEUNIT>();
                writeln!(file, ": {}</td></tr>", ffi::PyCode_Addr2Line(code.as_ptr(), offset as i32))?;
            }
        }
        for (index, uop) in body(executor) {
            let name = MicroOp::host_name(uop.number()).unwrap_or_default();
            writeln!(file, "        <tr><td port=\"i{index}\" border=\"1\" >{name}</td></tr>")?;
        }
    }
    writeln!(file, "    </table>>")?;
    writeln!(file, "]\n")
}

/// Writes the qualified name of a code object, unless memory is short or the name cannot be encoded.
///
/// # Safety
/// The thread is attached, and `code` is live.
unsafe fn write_name(file: &mut File, code: Code) -> fmt::Result {
    // SAFETY: the name is a live string; the bytes are live and have that size.
    unsafe {
        let name = (*code.as_ptr()).co_qualname;
        let Ok(bytes) = Owned::from_host(ffi::PyUnicode_AsUTF8String(name)) else {
            ffi::PyErr_Clear();
            return Ok(());
        };
        let start = ffi::PyBytes_AsString(bytes.as_ptr()).cast::<u8>();
        let text = core::slice::from_raw_parts(start, ffi::PyBytes_Size(bytes.as_ptr()) as usize);
        file.write_str(core::str::from_utf8(text).unwrap_or_default())
    }
}

/// Writes an edge from each micro-op with a side exit to the executor behind that exit.
///
/// # Safety
/// The thread is attached, and the executor is live.
unsafe fn write_edges(file: &mut File, executor: Executor) -> fmt::Result {
    // SAFETY: the executor is live (caller). A finished trace has a stub for each side exit.
    unsafe {
        for (index, uop) in body(executor) {
            let next =
                finish::exit_stub(executor.trace(), uop).and_then(|stub| SideExit::of(stub).executor());
            if let Some(next) = next {
                let (from, to) = (executor.as_ptr(), next.as_ptr());
                writeln!(file, "executor_{from:p}:i{index} -> executor_{to:p}:start")?;
            }
        }
    }
    Ok(())
}

/// The micro-ops of an executor without stubs, with their indices.
///
/// # Safety
/// The executor is live, also while the result is used.
unsafe fn body(executor: Executor) -> impl Iterator<Item = (usize, super::Uop)> {
    // SAFETY: the executor is live (caller).
    let trace = unsafe { executor.trace() };
    let end = trace.iter().position(|uop| finish::is_end(*uop)).map_or(trace.len(), |end| end + 1);
    trace[..end].iter().copied().enumerate()
}
