//! Reads the host's headers: bindings for Rust, `cfg`s for the host's build options.
//!
//! Which host: the environment variables `REVAL_HOST_*`, else the file `build/host.env` that
//! `make host` writes (the same keys, one `KEY=value` per line).

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};

#[path = "include/dll.rs"]
mod dll;
#[path = "include/generate.rs"]
mod generate;

const HOST_ENV: &str = "build/host.env";

/// Tier 2 as a word of CPython's `configure --enable-experimental-jit`, and as the bits of `_Py_TIER2`.
#[derive(Clone, Copy)]
struct Tier2 {
    word: &'static str,
    bits: u32,
}

impl Tier2 {
    const WORDS: [(&str, u32); 5] =
        [("no", 0), ("yes", 1), ("yes-off", 3), ("interpreter", 4), ("interpreter-off", 6)];
    /// The bits of `_Py_TIER2`, and the `cfg`s that stand for them.
    const CFGS: [(u32, &str); 3] = [(1, "tier2_jit"), (2, "tier2_off_by_default"), (4, "tier2_interpreter")];

    fn all() -> impl Iterator<Item = Tier2> {
        Tier2::WORDS.into_iter().map(|(word, bits)| Tier2 { word, bits })
    }

    fn jit(self) -> bool {
        self.bits & 1 != 0
    }

    /// The flags for a C compiler.
    fn flags(self) -> Vec<String> {
        let mut flags = Vec::new();
        if self.bits != 0 {
            flags.push(format!("-D_Py_TIER2={}", self.bits));
        }
        if self.jit() {
            flags.push("-D_Py_JIT=1".to_owned());
        }
        flags
    }

    /// What `EXPERIMENTAL_JIT=` says, else what the host was built with. An extension module has one if it has a compiler,
    /// whatever `EXPERIMENTAL_JIT=` says.
    fn wanted(host: &Host, attach: bool, jit: bool) -> Result<Tier2, String> {
        if attach {
            let (word, bits) = if jit { ("interpreter", 4) } else { ("no", 0) };
            return Ok(Tier2 { word, bits });
        }
        let word = host.get("REVAL_EXPERIMENTAL_JIT");
        if let Some(word) = word {
            let words = Tier2::WORDS.map(|(word, _)| word).join(", ");
            return Tier2::all()
                .find(|tier2| tier2.word == word)
                .ok_or_else(|| format!("unknown EXPERIMENTAL_JIT={word}: {words}"));
        }
        let bits = host.get("REVAL_HOST_TIER2").unwrap_or_else(|| "0".to_owned());
        Tier2::all()
            .find(|tier2| tier2.bits.to_string() == bits)
            .ok_or_else(|| format!("the host has an unknown _Py_TIER2: {bits}"))
    }
}

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

/// Declares a `cfg`, and sets it if it is on.
fn cfg(name: &str, on: bool) {
    println!("cargo:rustc-check-cfg=cfg({name})");
    if on {
        println!("cargo:rustc-cfg={name}");
    }
}

/// Ends the build with a message.
fn fail(message: &str) -> ! {
    eprintln!("reval: {message}");
    std::process::exit(1);
}

fn main() {
    let host = Host::load();
    let Some(include) = host.get("REVAL_HOST_INCLUDE") else {
        fail(
            "no host headers: run `make host`, or set REVAL_HOST_INCLUDE to the folder \
             that holds Python.h and internal/",
        );
    };
    // The tests compare the instruction table with the host's.
    println!("cargo:rustc-env=REVAL_HOST_INCLUDE={include}");
    let gil_disabled = host.flag("REVAL_HOST_GIL_DISABLED");
    let debug = host.flag("REVAL_HOST_DEBUG");
    let attach = env::var_os("CARGO_FEATURE_ATTACH").is_some();
    let jit = env::var_os("CARGO_FEATURE_JIT").is_some();
    if attach && gil_disabled {
        fail("the feature `attach` is for hosts with a GIL");
    }
    let tier2 = Tier2::wanted(&host, attach, jit).unwrap_or_else(|message| fail(&message));
    if gil_disabled && tier2.bits != 0 {
        fail(&format!("a free-threaded host has no tier 2: EXPERIMENTAL_JIT=no, not {}", tier2.word));
    }
    cfg("py_gil_disabled", gil_disabled);
    cfg("py_debug", debug);
    cfg("py_tier2", tier2.bits != 0);
    for (bit, name) in Tier2::CFGS {
        cfg(name, tier2.bits & bit != 0);
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
    clang_args.extend(tier2.flags());
    // And the layouts, for which they ask a C compiler with the same arguments.
    println!("cargo:rustc-env=REVAL_HOST_CFLAGS={}", clang_args.join(" "));
    // Not for the C compiler: these are the headers of a libclang that `make host` fetched.
    if let Some(headers) = host.get("REVAL_LIBCLANG_HEADERS") {
        clang_args.push(format!("-resource-dir={headers}"));
    }
    let bindings = bindings(&include, &clang_args);
    micro_op_numbers(&include);
    // What patch releases have changed that only shows in functions which the host hides.
    cfg("host_keeps_a_chunk", bindings.contains("pub datastack_cached_chunk:"));
    cfg("host_unpacks_class_methods", bindings.contains("pub fn _PyClassMethod_GetFunc("));
    let windows = env::var_os("CARGO_CFG_WINDOWS").is_some();
    let msvc = env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "msvc");
    if attach {
        opcode_tables(&include);
    } else {
        headers(&bindings, gil_disabled, debug, tier2);
        if windows {
            dll_exports(&include, gil_disabled, tier2, msvc);
        }
    }

    // Symbols of the host stay undefined in the library and in the tests of its pure parts; a host
    // (or the interpreter the tests run in) supplies them. An extension module is a shared library only, in which they
    // may be anyway, and not every linker knows the option. On Windows, only the tests need that: a DLL cannot leave
    // symbols undefined, so the library is a static one; and the linker of MSVC has no such option.
    if !attach && !windows {
        println!("cargo:rustc-link-arg=-Wl,--unresolved-symbols=ignore-all");
    } else if windows && !msvc {
        println!("cargo:rustc-link-arg=-Wl,--noinhibit-exec");
    }
}

/// Writes `host.rs`, every type, constant and function of the headers in `src/host/wrapper.h`, and returns its text.
///
/// That takes seconds, and the script runs after each change of a source file (for the header), so
/// it is done only if what it depends on has changed.
fn bindings(include: &Path, clang_args: &[String]) -> String {
    let wrapper = Path::new("src/host/wrapper.h");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let (made, stamp) = (out.join("host.rs"), out.join("host.stamp"));
    let patchlevel = std::fs::metadata(include.join("patchlevel.h")).and_then(|file| file.modified());
    let wanted = format!(
        "{clang_args:?} {patchlevel:?} {:?}",
        std::fs::read_to_string(wrapper).expect("part of the sources")
    );
    if std::fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == wanted)
        && let Ok(text) = std::fs::read_to_string(&made)
    {
        return text;
    }
    let bindings = bindgen::Builder::default()
        .header(wrapper.to_str().expect("a UTF-8 path"))
        .clang_args(clang_args)
        // `long long` on Windows.
        .blocklist_type("Py_ssize_t")
        .raw_line("pub type Py_ssize_t = isize;")
        // Defined twice by the system's headers.
        .blocklist_item("FP_.*")
        .blocklist_item("IPPORT.*")
        .default_enum_style(bindgen::EnumVariation::Consts)
        .prepend_enum_name(false)
        .generate_comments(false)
        .layout_tests(false)
        .use_core()
        .generate();
    let bindings =
        bindings.unwrap_or_else(|error| fail(&format!("the host's headers could not be read: {error}")));
    let text = with_unsigned_enums(&bindings.to_string());
    std::fs::write(&made, &text).expect("OUT_DIR is writable");
    std::fs::write(stamp, wanted).expect("OUT_DIR is writable");
    text
}

/// Bindgen's text with `c_uint` as the type of an enum without negative values, as it is with most compilers. That of MSVC
/// has only `int`, of the same size.
fn with_unsigned_enums(text: &str) -> String {
    let int_alias =
        |line: &str| Some(line.strip_prefix("pub type ")?.strip_suffix(" = ::core::ffi::c_int;")?.to_owned());
    let mut enums: HashMap<String, bool> = HashMap::new();
    for line in text.lines() {
        let constant = line.strip_prefix("pub const ").and_then(|rest| rest.split_once(": "));
        if let Some((type_, value)) = constant.and_then(|(_, rest)| rest.split_once(" = ")) {
            *enums.entry(type_.to_owned()).or_default() |= value.starts_with('-');
        }
    }
    let lines = text.lines().map(|line| match int_alias(line) {
        Some(name) if enums.get(&name) == Some(&false) => {
            format!("pub type {name} = ::core::ffi::c_uint;\n")
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// Writes `micro_op.rs`: the numbers of the host's micro-ops, under their names in lower case without the
/// underscore. (A macro cannot change the case of a name.)
fn micro_op_numbers(include: &Path) {
    let header = include.join("internal/pycore_uop_ids.h");
    let text = std::fs::read_to_string(&header)
        .unwrap_or_else(|error| fail(&format!("{}: {error}", header.display())));
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

/// Writes `opcode_tables.rs`: the entries of the tables that the host's headers define only for itself.
fn opcode_tables(include: &Path) {
    let header = include.join("internal/pycore_opcode_metadata.h");
    let text = std::fs::read_to_string(&header)
        .unwrap_or_else(|error| fail(&format!("{}: {error}", header.display())));
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text.to_owned() } else { format!("ffi::{text}") }
    };
    let table = |constant: &str, table: &str| {
        let start = format!("const uint8_t {table}[256] = {{");
        let lines = text.lines().skip_while(|line| *line != start).skip(1).take_while(|line| *line != "};");
        let entries: String = lines
            .filter_map(|line| line.trim().strip_prefix('[')?.strip_suffix(',')?.split_once("] = "))
            .map(|(opcode, value)| format!("({}, {}), ", number(opcode), number(value)))
            .collect();
        format!("const {constant}: &[(u32, u32)] = &[{entries}];\n")
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let text = table("CACHES", "_PyOpcode_Caches") + &table("DEOPT", "_PyOpcode_Deopt");
    std::fs::write(out.join("opcode_tables.rs"), text).expect("OUT_DIR is writable");
}

/// Writes `exports.s`: what a DLL with the library in it shows to other programs.
fn dll_exports(include: &Path, gil_disabled: bool, tier2: Tier2, msvc: bool) {
    // As in src/exports/mod.rs.
    let is_compiled = |file: &Path| match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("codeobject" | "index_pool") => gil_disabled,
        Some("optimizer" | "optimizer_symbols") => tier2.bits != 0,
        _ => true,
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let text = dll::directives(include, Path::new("src/exports"), is_compiled, msvc);
    std::fs::write(out.join("exports.s"), text).expect("OUT_DIR is writable");
}

/// Writes `reval.h` beside the library, and what the C tests need: `signatures.h`, and `reval.h` as it is for each
/// word of `--enable-experimental-jit`.
fn headers(bindings: &str, gil_disabled: bool, debug: bool, tier2: Tier2) {
    let number = |name: &str| -> u32 {
        let value = constant(bindings, name).and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("the host's headers do not define {name}"))
    };
    let host = generate::Host {
        version: constant(bindings, "PY_VERSION")
            .expect("patchlevel.h defines it")
            .trim_matches(['b', '"'])
            .to_owned(),
        version_hex: number("PY_MAJOR_VERSION") << 24
            | number("PY_MINOR_VERSION") << 16
            | number("PY_MICRO_VERSION") << 8
            | number("PY_RELEASE_LEVEL") << 4
            | number("PY_RELEASE_SERIAL"),
        gil_disabled,
        debug,
    };
    let exports = generate::Exports::read();
    // OUT_DIR is <target>/<profile>/build/<package>/out; the header goes beside the library.
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    let profile = out.ancestors().nth(3).expect("a folder of the profile");
    let write = |path: &Path, text: String| {
        let folder = path.parent().expect("a file in a folder");
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(path, text))
            .expect("the target is writable");
    };
    write(&profile.join("reval.h"), exports.header(&host, tier2));
    write(&profile.join("signatures.h"), generate::signatures());
    for other in Tier2::all() {
        write(
            &profile.join("experimental-jit").join(other.word).join("reval.h"),
            exports.header(&host, other),
        );
    }
}

/// The value of a constant in bindgen's text.
fn constant<'text>(bindings: &'text str, name: &str) -> Option<&'text str> {
    let (_, rest) = bindings.split_once(&format!("pub const {name}: "))?;
    let (_, value) = rest.split_once(" = ")?;
    value.split_once(';').map(|(value, _)| value.trim_end_matches("\\0\"").trim_end_matches('\n'))
}
