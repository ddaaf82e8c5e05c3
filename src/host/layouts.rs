//! A test that compares Rust's layouts of the host's structures with those of a C compiler.

use std::fmt::Write as _;
use std::mem::offset_of;

use super::ffi;

/// C assertions that sizes and offsets are the same as in Rust.
fn assertions() -> String {
    let mut text = String::new();
    macro_rules! same {
        ($($c_type:literal $type:ident { $($field:ident),* })*) => {$(
            let (c_type, size) = ($c_type, size_of::<ffi::$type>());
            writeln!(text, "_Static_assert(sizeof({c_type}) == {size}, \"{c_type} has {size} bytes\");").unwrap();
            $(
                let (field, offset) = (stringify!($field), offset_of!(ffi::$type, $field));
                writeln!(
                    text,
                    "_Static_assert(offsetof({c_type}, {field}) == {offset}, \"{c_type}.{field} is at {offset}\");"
                )
                .unwrap();
            )*
        )*};
    }
    same! {
        "_PyInterpreterFrame" _PyInterpreterFrame {
            f_executable, previous, f_funcobj, f_globals, f_builtins, f_locals, frame_obj, instr_ptr, stackpointer,
            return_offset, owner, localsplus
        }
        "PyThreadState" PyThreadState {
            interp, eval_breaker, holds_gil, async_exc, remote_debugger_support, py_recursion_remaining, py_recursion_limit, recursion_headroom, tracing,
            current_frame, current_exception, exc_info, datastack_chunk, datastack_top, datastack_limit,
            current_executor
        }
        "_PyThreadStateImpl" _PyThreadStateImpl { c_stack_top, c_stack_soft_limit, c_stack_hard_limit, qsbr }
        "PyInterpreterState" PyInterpreterState {
            eval_frame, common_consts, jit, executor_list_head, executor_deletion_list_head,
            executor_deletion_list_remaining_capacity, ceval, _gil, monitoring_tool_versions, last_restart_version,
            threads
        }
        "struct _ceval_state" _ceval_state { instrumentation_version, gil, own_gil, pending }
        "struct _gil_runtime_state" _gil_runtime_state {
            interval, last_holder, locked, switch_number, cond
        }
        "struct _pending_calls" _pending_calls {
            handling_thread, mutex, npending, max, maxloop, calls, first, next
        }
        "struct _pending_call" _pending_call { func, arg, flags }
        "_PyRemoteDebuggerSupport" _PyRemoteDebuggerSupport { debugger_pending_call, debugger_script_path }
        "_PyRuntimeState" _PyRuntimeState { debug_offsets, ref_tracer, static_objects, ceval, main_tstate }
        "PyCodeObject" PyCodeObject {
            co_consts, co_names, co_exceptiontable, co_flags, co_argcount, co_posonlyargcount, co_kwonlyargcount,
            co_stacksize, co_nlocalsplus, co_framesize, co_localsplusnames, co_executors, _co_monitoring,
            _co_instrumentation_version, _co_firsttraceable, co_code_adaptive
        }
        "PyFunctionObject" PyFunctionObject {
            func_globals, func_builtins, func_code, func_defaults, func_kwdefaults, func_closure, vectorcall,
            func_version
        }
        "PyGenObject" PyGenObject { gi_exc_state, gi_frame_state, gi_iframe }
        "PyTypeObject" PyTypeObject { tp_name, tp_basicsize, tp_flags, tp_version_tag, tp_getattro }
        "PyHeapTypeObject" PyHeapTypeObject { ht_cached_keys, _spec_cache }
        "PyDictObject" PyDictObject { ma_used, ma_keys, ma_values }
        "PyDictKeysObject" PyDictKeysObject { dk_log2_size, dk_log2_index_bytes, dk_kind, dk_version, dk_nentries }
        "PyDictValues" PyDictValues { valid, values }
        "PyLongObject" PyLongObject { long_value }
        "PyFloatObject" PyFloatObject { ob_fval }
        "PyListObject" PyListObject { ob_item }
        "PyTupleObject" PyTupleObject { ob_item }
        "PyCellObject" PyCellObject { ob_ref }
        "_PyExecutorObject" _PyExecutorObject {
            trace, vm_data, exit_count, code_size, jit_size, jit_code, jit_side_entry, exits
        }
        "_PyVMData" _PyVMData { opcode, oparg, warm, index, bloom, links, code }
        "_PyExitData" _PyExitData { target, temperature, executor }
        "_PyExecutorArray" _PyExecutorArray { size, capacity, executors }
        "PyCFunctionObject" PyCFunctionObject { m_ml, m_self, m_module, vectorcall }
    }
    #[cfg(py_gil_disabled)]
    same! {
        "PyObject" _object { ob_tid, ob_flags, ob_mutex, ob_gc_bits, ob_ref_local, ob_ref_shared, ob_type }
        "PyCodeObject" PyCodeObject { co_tlbc }
        "_PyCodeArray" _PyCodeArray { size, entries }
        "_PyInterpreterFrame" _PyInterpreterFrame { tlbc_index }
        "_PyThreadStateImpl" _PyThreadStateImpl { tlbc_index, refcounts }
        "PyInterpreterState" PyInterpreterState { stoptheworld, tlbc_indices }
        "_PyIndexPool" _PyIndexPool { mutex, free_indices, next_index, tlbc_generation }
        "_PyIndexHeap" _PyIndexHeap { values, size, capacity }
        "PyCriticalSection" PyCriticalSection { _cs_prev, _cs_mutex }
        "PyCriticalSection2" PyCriticalSection2 { _cs_base, _cs_mutex2 }
    }
    text
}

/// A program in C that compiles if its layouts are the same.
fn program() -> String {
    let wrapper = concat!(env!("CARGO_MANIFEST_DIR"), "/src/host/wrapper.h");
    format!("#include \"{wrapper}\"\n#include <stddef.h>\n{}", assertions())
}

/// Under wine no compiler can be started: tests/windows compiles what this prints, with the arguments in the first line.
#[cfg(windows)]
#[test]
fn a_c_compiler_is_shown_every_layout() {
    println!("/* {} */\n{}/* end */", env!("REVAL_HOST_CFLAGS"), program());
}

#[cfg(not(windows))]
#[test]
fn a_c_compiler_agrees_with_every_layout() {
    use std::io::Write;
    use std::process::{Command, Stdio};

    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let mut compilation = Command::new(&compiler)
        .args(["-std=c11", "-D_GNU_SOURCE", "-fsyntax-only", "-x", "c", "-"])
        .args(env!("REVAL_HOST_CFLAGS").split_whitespace())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    compilation.stdin.take().expect("piped").write_all(program().as_bytes()).expect("the compiler reads it");
    let output = compilation.wait_with_output().expect("the compiler ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
