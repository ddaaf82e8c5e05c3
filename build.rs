//! Reads the host's headers: bindings for Rust, `cfg`s for the host's build options.
//!
//! Which host: the environment variables `REVAL_HOST_*`, else the file `build/host.env` that
//! `make host` writes (the same keys, one `KEY=value` per line).

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};

/// The bit of `_Py_TIER2` that means a JIT.
const TIER2_JIT: u32 = 1;

const HOST_ENV: &str = "build/host.env";

/// Settings of the host, from the environment or from `build/host.env`.
struct Host {
    file: HashMap<String, String>,
}

impl Host {
    fn load() -> Host {
        // A file that is not there would count as changed each time. Without it the environment says all.
        if Path::new(HOST_ENV).exists() {
            println!("cargo:rerun-if-changed={HOST_ENV}");
        }
        let text = std::fs::read_to_string(HOST_ENV).unwrap_or_default();
        let file = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Host { file }
    }

    fn get(&self, key: &str) -> Option<String> {
        println!("cargo:rerun-if-env-changed={key}");
        env::var(key).ok().or_else(|| self.file.get(key).cloned()).filter(|value| !value.is_empty())
    }

    fn flag(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value == "1")
    }
}

fn main() {
    let host = Host::load();
    let Some(include) = host.get("REVAL_HOST_INCLUDE") else {
        eprintln!(
            "reval: no host headers: run `make host`, or set REVAL_HOST_INCLUDE to the folder \
             that holds Python.h and internal/"
        );
        std::process::exit(1);
    };
    // The tests compare the instruction table with the host's.
    println!("cargo:rustc-env=REVAL_HOST_INCLUDE={include}");
    let gil_disabled = host.flag("REVAL_HOST_GIL_DISABLED");
    let debug = host.flag("REVAL_HOST_DEBUG");
    for (name, on) in [("py_gil_disabled", gil_disabled), ("py_debug", debug)] {
        println!("cargo:rustc-check-cfg=cfg({name})");
        if on {
            println!("cargo:rustc-cfg={name}");
        }
    }
    if let Some(path) = host.get("LIBCLANG_PATH") {
        // SAFETY: the build script is single-threaded here.
        unsafe { env::set_var("LIBCLANG_PATH", path) };
    }

    let mut clang_args = vec!["-DPy_BUILD_CORE=1".to_owned()];
    let include = PathBuf::from(include);
    for folder in [include.clone(), include.join("internal"), include.join("internal/mimalloc")] {
        clang_args.push(format!("-I{}", folder.display()));
    }
    if let Some(folder) = host.get("REVAL_HOST_PLATINCLUDE") {
        clang_args.push(format!("-I{folder}"));
    }
    if gil_disabled {
        clang_args.push("-DPy_GIL_DISABLED=1".to_owned());
    }
    if debug {
        clang_args.push("-DPy_DEBUG=1".to_owned());
    }
    let tier2 =
        host.get("REVAL_HOST_TIER2").map_or(0, |value| value.parse().expect("REVAL_HOST_TIER2: a number"));
    println!("cargo:rustc-check-cfg=cfg(py_tier2)");
    println!("cargo:rustc-check-cfg=cfg(py_jit)");
    if tier2 & TIER2_JIT != 0 {
        println!("cargo:rustc-cfg=py_jit");
    }
    if tier2 != 0 {
        println!("cargo:rustc-cfg=py_tier2");
        clang_args.push(format!("-D_Py_TIER2={tier2}"));
        if tier2 & TIER2_JIT != 0 {
            clang_args.push("-D_Py_JIT=1".to_owned());
        }
    }
    // And the layouts, for which they ask a C compiler with the same arguments.
    println!("cargo:rustc-env=REVAL_HOST_CFLAGS={}", clang_args.join(" "));
    // Not for the C compiler: these are the headers of a libclang that `make host` fetched.
    if let Some(headers) = host.get("REVAL_LIBCLANG_HEADERS") {
        clang_args.push(format!("-resource-dir={headers}"));
    }
    bindings(&include, &clang_args);
    micro_op_numbers(&include);
    header(tier2);

    // Symbols of the host stay undefined in the library and in the tests of its pure parts; a host
    // (or the interpreter the tests run in) supplies them.
    println!("cargo:rustc-link-arg=-Wl,--unresolved-symbols=ignore-all");
}

/// Writes `host.rs`: every type, constant and function of the headers in `src/host/wrapper.h`.
///
/// That takes seconds, and the script runs after each change of a source file (for the header), so
/// it is done only if what it depends on has changed.
fn bindings(include: &Path, clang_args: &[String]) {
    let wrapper = Path::new("src/host/wrapper.h");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let stamp = out.join("host.stamp");
    let patchlevel = std::fs::metadata(include.join("patchlevel.h")).and_then(|file| file.modified());
    let wanted = format!(
        "{clang_args:?} {patchlevel:?} {:?}",
        std::fs::read_to_string(wrapper).expect("part of the sources")
    );
    if std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return;
    }
    let bindings = bindgen::Builder::default()
        .header(wrapper.to_str().expect("a UTF-8 path"))
        .clang_args(clang_args)
        // Defined twice by the system's headers.
        .blocklist_item("FP_.*")
        .blocklist_item("IPPORT.*")
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .generate_comments(false)
        .layout_tests(false)
        .use_core()
        .generate();
    match bindings {
        Ok(bindings) => bindings.write_to_file(out.join("host.rs")).expect("OUT_DIR is writable"),
        Err(error) => {
            eprintln!("reval: the host's headers could not be read: {error}");
            std::process::exit(1);
        }
    }
    std::fs::write(stamp, wanted).expect("OUT_DIR is writable");
}

/// Writes `micro_op.rs`: the numbers of the host's micro-ops, under their names in lower case without the
/// underscore. (A macro cannot change the case of a name.)
fn micro_op_numbers(include: &Path) {
    let header = include.join("internal/pycore_uop_ids.h");
    let text = std::fs::read_to_string(&header).unwrap_or_else(|error| {
        eprintln!("reval: {}: {error}", header.display());
        std::process::exit(1);
    });
    let numbers: String = text
        .lines()
        .filter_map(|line| line.strip_prefix("#define _")?.split_once(' '))
        .map(|(name, number)| {
            // A number, or the name of an opcode that is the same.
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            let number = if is_number { number.to_owned() } else { format!("ffi::{number} as u16") };
            format!("pub const {}: u16 = {number};\n", name.to_lowercase())
        })
        .collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    std::fs::write(out.join("micro_op.rs"), numbers).expect("OUT_DIR is writable");
}

/// Writes `reval.h`: the entry points, and tier 2 as this library has it.
fn header(tier2: u32) {
    println!("cargo:rerun-if-changed=cbindgen.toml");
    println!("cargo:rerun-if-changed=src");
    let mut config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml is valid");
    config.after_includes = Some(after_includes(tier2));
    // The modules below it are found from there.
    let builder = cbindgen::Builder::new().with_config(config).with_src("src/exports/mod.rs");
    // OUT_DIR is <target>/<profile>/build/<package>/out; the header goes beside the library.
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let out = out.ancestors().nth(3).expect("a folder of the profile").join("reval.h");
    match builder.generate() {
        Ok(bindings) => {
            bindings.write_to_file(out);
        }
        Err(error) => {
            eprintln!("reval: the header could not be made: {error}");
            std::process::exit(1);
        }
    }
}

/// The part of the header that depends on the host: its own headers, and what `_Py_TIER2` and
/// `_Py_JIT` must be.
fn after_includes(tier2: u32) -> String {
    let jit = tier2 & TIER2_JIT != 0;
    let mut text = String::from("\n#include \"Python.h\"\n");
    for header in ["ceval", "code", "frame", "index_pool", "instruments", "interpframe", "stackref"] {
        text += &format!("#include \"pycore_{header}.h\"\n");
    }
    text += "\n/* Tier 2 of this library: 1 JIT, 2 off by default, 4 interpreter. */\n";
    if tier2 == 0 {
        text += "#ifdef _Py_TIER2\n#  error \"reval was built without tier 2; this translation unit has _Py_TIER2\"\n#endif\n";
    } else {
        text += &format!(
            "#ifndef _Py_TIER2\n#  define _Py_TIER2 {tier2}\n#elif _Py_TIER2 != {tier2}\n\
             #  error \"reval was built with _Py_TIER2 {tier2}; this translation unit has another value\"\n#endif\n"
        );
    }
    if jit {
        text += "#ifndef _Py_JIT\n#  define _Py_JIT 1\n#endif\n";
    } else {
        text += "#ifdef _Py_JIT\n#  error \"reval was built without a JIT; this translation unit has _Py_JIT\"\n#endif\n";
    }
    text
}
