//! Makes `reval.h` of `reval.h.in`, and `signatures.h` for the C tests.
//!
//! A line `@ceval/evaluation@` of the template becomes the declarations of `src/exports/ceval/evaluation.rs`, which
//! cbindgen makes, with their documentation as a C programmer reads it. What cbindgen cannot make (tables, functions
//! that come from macros) is in the template; the C tests check that nothing is missing.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::Tier2;

const EXPORTS: &str = "src/exports";
const TEMPLATE: &str = "include/reval.h.in";
const REPLACED: &str = "host/replaced.txt";
const REPLACED_FUNCTIONS: &str = "host/replaced-functions.txt";

/// Longest line of the header.
const WIDTH: usize = 120;

/// What the header says about the host.
pub struct Host {
    pub version: String,
    pub version_hex: u32,
    pub gil_disabled: bool,
    pub debug: bool,
}

/// A declaration as cbindgen writes it.
struct Declaration {
    /// The paragraphs of its documentation, each in one line.
    paragraphs: Vec<String>,
    /// In one line, unless it is a struct.
    text: String,
    /// What the preprocessor must define.
    condition: Option<String>,
}

/// The declarations of all files in `src/exports`, by their names in the template.
pub struct Exports {
    files: Vec<(String, Vec<Declaration>)>,
}

impl Exports {
    pub fn read() -> Exports {
        for path in ["cbindgen.toml", TEMPLATE, EXPORTS, REPLACED, REPLACED_FUNCTIONS] {
            println!("cargo:rerun-if-changed={path}");
        }
        let mut files = Vec::new();
        for path in rust_files(Path::new(EXPORTS)) {
            let name = path.strip_prefix(EXPORTS).expect("found there").with_extension("");
            let names: Vec<_> = name.iter().map(|name| name.to_str().expect("a UTF-8 path")).collect();
            files.push((names.join("/"), declarations(&path)));
        }
        Exports { files }
    }

    fn file(&self, name: &str) -> Option<&[Declaration]> {
        self.files.iter().find(|(file, _)| file == name).map(|(_, declarations)| declarations.as_slice())
    }

    /// `reval.h` for a library with this tier 2.
    pub fn header(&self, host: &Host, tier2: Tier2) -> String {
        let template = std::fs::read_to_string(TEMPLATE).expect("part of the sources");
        for (file, declarations) in &self.files {
            let used = template.lines().any(|line| line == format!("@{file}@"));
            if !used && !declarations.is_empty() {
                crate::fail(&format!("{TEMPLATE} has no line @{file}@ for {EXPORTS}/{file}.rs"));
            }
        }
        let version = env!("CARGO_PKG_VERSION");
        let mut text = String::new();
        for line in template.lines() {
            let whole = line.strip_prefix('@').and_then(|line| line.strip_suffix('@'));
            match whole {
                Some("TIER2") => text += &tier2_check(tier2),
                Some("HOST_CHECK") => text += &host_check(host),
                Some("REPLACED") => text += &replaced(host),
                Some(file) => {
                    let declarations = self.file(file);
                    let declarations = declarations.unwrap_or_else(|| {
                        crate::fail(&format!("{TEMPLATE}: there is no {EXPORTS}/{file}.rs"))
                    });
                    text += section(declarations).trim_end();
                }
                None => {
                    text += &line
                        .replace("@VERSION@", version)
                        .replace("@VERSION_HEX@", &format!("{:#010x}", version_hex(version)))
                        .replace("@HOST_VERSION@", &host.version)
                        .replace("@HOST_VERSION_HEX@", &format!("{:#010x}", host.version_hex));
                }
            }
            text.push('\n');
        }
        text
    }
}

/// The host's functions without documentation. A translation unit that includes this after the host's headers does
/// not compile if a signature differs from the host's.
pub fn signatures() -> String {
    let mut text =
        String::from("/* Generated. What the library defines of the host, for c-tests/signatures.c. */\n\n");
    // From there cbindgen finds all modules, and what they depend on.
    for function in declarations(&Path::new(EXPORTS).join("mod.rs")) {
        match (function.name(), &function.condition) {
            (Some(name), _) if name.starts_with("reval_") => {}
            (Some(_), Some(condition)) => text += &format!("{condition}\n{}\n#endif\n", function.text),
            (Some(_), None) => text += &format!("{}\n", function.text),
            (None, _) => {}
        }
    }
    text
}

/// `0.1.0` as CPython writes versions in a number: two digits each, and `f0` for a final release.
pub fn version_hex(version: &str) -> u32 {
    let numbers = version.split('.').map(|number| number.parse::<u32>().expect("a version of three numbers"));
    numbers.fold(0, |hex, number| hex << 8 | number) << 8 | 0xf0
}

/// What the library replaces, as lines of the header's first comment.
fn replaced(host: &Host) -> String {
    let words = |path: &str| -> Vec<String> {
        let text = std::fs::read_to_string(path).expect("part of the sources");
        text.split_whitespace().map(str::to_owned).collect()
    };
    let mut text = words(REPLACED).join(", ");
    if host.gil_disabled {
        // Each line has an object, always the same, and one of its functions.
        let words = words(REPLACED_FUNCTIONS);
        let functions: Vec<&str> = words.iter().skip(1).step_by(2).map(String::as_str).collect();
        text += &format!("; and of {}: {}", words[0], functions.join(", "));
    }
    let lines = wrap(&text, WIDTH - 8).into_iter().map(|line| format!(" *     {line}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Defines `_Py_TIER2` and `_Py_JIT` for a translation unit that has neither, and stops one that was compiled with
/// others than the library.
fn tier2_check(tier2: Tier2) -> String {
    let bits = tier2.bits;
    let built = format!("reval was built with EXPERIMENTAL_JIT={}", tier2.word);
    if bits == 0 {
        return format!(
            "/* The library has no tier 2. */\n\
             #if defined(_Py_TIER2) || defined(_Py_JIT)\n\
             #  error \"{built}; compile without -D_Py_TIER2 and -D_Py_JIT\"\n\
             #endif"
        );
    }
    let mut text =
        String::from("/* Tier 2 of the library, as bits: 1 JIT, 2 off by default, 4 interpreter. */\n");
    let flags = tier2.flags().join(" ");
    let wrong_jit = if tier2.jit() { "!defined(_Py_JIT)" } else { "defined(_Py_JIT)" };
    let _ = writeln!(
        text,
        "#if !defined(_Py_TIER2) && !defined(_Py_JIT)\n\
         #  ifdef Py_INTERNAL_OPTIMIZER_H\n\
         #    error \"include reval.h before pycore_*.h, or compile with {flags}: reval is built with that\"\n\
         #  endif\n\
         #  define _Py_TIER2 {bits}"
    );
    if tier2.jit() {
        text += "#  define _Py_JIT 1\n";
    }
    let _ = write!(
        text,
        "#elif !defined(_Py_TIER2) || _Py_TIER2 != {bits} || {wrong_jit}\n\
         #  error \"{built}; compile with {flags}\"\n\
         #endif"
    );
    text
}

/// Stops a translation unit with the headers of another kind of host.
fn host_check(host: &Host) -> String {
    let check = |name: &str, on: bool, built: &str| {
        let wrong = if on { "ifndef" } else { "ifdef" };
        format!(
            "#{wrong} {name}\n#  error \"reval was built for a host {built}; Python.h is of another one\"\n#endif"
        )
    };
    let gil = if host.gil_disabled { "that is free-threaded" } else { "with a GIL" };
    let debug = if host.debug { "built with --with-pydebug" } else { "built without --with-pydebug" };
    check("Py_GIL_DISABLED", host.gil_disabled, gil) + "\n" + &check("Py_DEBUG", host.debug, debug)
}

/// The declarations of a file: those of internal functions with their documentation, and the names of public ones.
fn section(declarations: &[Declaration]) -> String {
    let (public, shown): (Vec<_>, Vec<_>) = declarations.iter().partition(|it| it.is_public());
    let common = common_requirement(&shown);
    let mut text = String::new();
    if let Some(common) = &common {
        text += &comment(&[format!(
            "Unless a comment says otherwise, these functions require: {}",
            uncapitalized(common)
        )]);
        text += "\n\n";
    }
    let mut condition = None;
    for declaration in shown {
        if condition != declaration.condition {
            if condition.is_some() {
                text += "#endif\n\n";
            }
            if let Some(line) = &declaration.condition {
                text += &format!("{line}\n\n");
            }
            condition.clone_from(&declaration.condition);
        }
        text += &format!("{}\n\n", declaration.render(common.as_deref()));
    }
    if condition.is_some() {
        text += "#endif\n\n";
    }
    if !public.is_empty() {
        let names = public.iter().filter_map(|it| it.name()).collect::<Vec<_>>().join(", ");
        text += &comment(&[format!("And of the public API: {names}.")]);
    }
    text
}

/// What at least four functions require in the same words, if all functions require something.
fn common_requirement(declarations: &[&Declaration]) -> Option<String> {
    let all: Option<Vec<String>> = declarations.iter().map(|it| it.requirement()).collect();
    let all = all?;
    let count = |one: &String| all.iter().filter(|other| *other == one).count();
    let most = all.iter().max_by_key(|one| count(one))?;
    (count(most) >= 4).then(|| most.clone())
}

impl Declaration {
    /// The name of a function; `None` for a type.
    fn name(&self) -> Option<&str> {
        let (head, _) = self.text.split_once('(')?;
        if head.starts_with("typedef") { None } else { head.rsplit([' ', '*']).next() }
    }

    /// Whether CPython's documentation describes it.
    fn is_public(&self) -> bool {
        self.name().is_some_and(|name| name.starts_with("Py"))
    }

    /// The contents of the section `# Safety`, without what is true of all functions.
    fn requirement(&self) -> Option<String> {
        let heading = self.paragraphs.iter().position(|paragraph| paragraph.starts_with("# Safety"))?;
        let paragraph = self.paragraphs[heading].trim_start_matches("# Safety").trim();
        let sentences = paragraph.split_inclusive(". ").filter_map(|sentence| {
            let sentence = sentence.trim_end().trim_end_matches('.');
            let clauses: Vec<String> = sentence.split("; ").filter_map(unusual).collect();
            (!clauses.is_empty()).then(|| clauses.join("; "))
        });
        let sentences: Vec<String> = sentences.map(|sentence| capitalized(&sentence) + ".").collect();
        (!sentences.is_empty()).then(|| sentences.join(" "))
    }

    fn render(&self, common: Option<&str>) -> String {
        let documentation = self.paragraphs.iter().take_while(|paragraph| !paragraph.starts_with("# Safety"));
        let mut paragraphs: Vec<String> =
            documentation.filter_map(|paragraph| without_boilerplate(paragraph)).collect();
        if let Some(requirement) = self.requirement().filter(|it| Some(it.as_str()) != common) {
            paragraphs.push(format!("Requires: {}", uncapitalized(&requirement)));
        }
        let declaration = match self.name() {
            Some(_) => lines(self.text.split_inclusive(", ").map(str::trim_end), WIDTH - 4).join("\n    "),
            None => self.text.clone(),
        };
        if paragraphs.is_empty() { declaration } else { comment(&paragraphs) + "\n" + &declaration }
    }
}

/// A clause of a requirement, unless the header's first comment says the same of all functions.
fn unusual(clause: &str) -> Option<String> {
    let rest = match clause.strip_prefix("The calling thread is attached") {
        Some("" | " and `tstate` is its state") => return None,
        Some(rest) => rest.strip_prefix(" and ").unwrap_or(clause),
        None => clause,
    };
    // Words that refer to the thread of a clause before.
    for (words, full) in [
        ("its ", "the calling thread's "),
        ("it has ", "the calling thread has "),
        ("has ", "the calling thread has "),
    ] {
        if let Some(rest) = rest.strip_prefix(words) {
            return Some(format!("{full}{rest}"));
        }
    }
    (!is_liveness(rest))
        .then(|| rest.replace(" is its current frame", " is the calling thread's current frame"))
}

/// Whether a clause only says that objects are live.
fn is_liveness(clause: &str) -> bool {
    const SUBJECTS: &str = "the all both and objects operands locals namespaces container index iterator receiver \
                            sequence value interpreter";
    let subject = clause.strip_suffix(" is live").or(clause.strip_suffix(" are live"));
    subject.is_some_and(|subject| {
        subject.split(' ').all(|word| {
            let named = word.starts_with('`') && word.ends_with('`');
            named || SUBJECTS.split(' ').any(|known| known == word.to_lowercase())
        })
    })
}

/// A paragraph without sentences that the header's first comment makes unnecessary.
fn without_boilerplate(paragraph: &str) -> Option<String> {
    let mut sentences = Vec::new();
    for sentence in paragraph.split_inclusive(". ").map(str::trim_end) {
        let usual = sentence.starts_with("Borrows ") && !sentence.contains([',', ';'])
            || sentence.starts_with("Declared in ");
        if sentence.ends_with("; cannot fail.") && sentence.starts_with("Declared in ") {
            sentences.push("Cannot fail.");
        } else if !usual {
            sentences.push(sentence);
        }
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn capitalized(text: &str) -> String {
    text[..1].to_uppercase() + &text[1..]
}

/// With the first word as it is inside a sentence.
fn uncapitalized(text: &str) -> String {
    text[..1].to_lowercase() + &text[1..]
}

/// A C comment of these paragraphs.
fn comment(paragraphs: &[String]) -> String {
    let paragraphs = paragraphs.iter().map(|paragraph| wrap(paragraph, WIDTH - 6).join("\n   "));
    format!("/* {} */", paragraphs.collect::<Vec<_>>().join("\n\n   "))
}

/// `text` in lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    lines(text.split(' '), width)
}

/// Parts of a text, joined by spaces, in lines of at most `width` characters.
fn lines<'text>(parts: impl Iterator<Item = &'text str>, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for part in parts {
        let line = lines.last_mut().expect("there is a line");
        if line.is_empty() {
            *line = part.to_owned();
        } else if line.chars().count() + 1 + part.chars().count() <= width {
            *line += &format!(" {part}");
        } else {
            lines.push(part.to_owned());
        }
    }
    lines
}

/// The Rust files in a folder and its folders, by name. A `mod.rs` has no declarations of its own, and cbindgen would
/// show those of its modules.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("part of the sources");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("part of the sources").path()).collect();
    paths.sort();
    let files = paths.into_iter().flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] });
    files
        .filter(|path| {
            path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("mod.rs")
        })
        .collect()
}

/// What cbindgen makes of a file.
fn declarations(file: &Path) -> Vec<Declaration> {
    let config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml is valid");
    let mut text = Vec::new();
    match cbindgen::Builder::new().with_config(config).with_src(file).generate() {
        Ok(bindings) => bindings.write(&mut text),
        Err(error) => crate::fail(&format!("the header could not be made: {error}")),
    }
    parse(&String::from_utf8(text).expect("made of UTF-8"))
}

/// Cuts cbindgen's text into declarations. They begin at the start of a line and end with one that ends with `;` and
/// is not indented. A comment is before its declaration; those inside a struct stay there.
fn parse(text: &str) -> Vec<Declaration> {
    let mut declarations = Vec::new();
    let mut paragraphs: Vec<String> = Vec::new();
    let mut declaration = String::new();
    let mut condition = None;
    let mut in_comment = false;
    for line in text.lines() {
        match line {
            "/*" => (in_comment, paragraphs) = (true, vec![String::new()]),
            " */" => in_comment = false,
            "" if in_comment => paragraphs.push(String::new()),
            _ if in_comment => {
                let paragraph = paragraphs.last_mut().expect("a comment begins with one");
                *paragraph = format!("{paragraph} {}", c_words(line.trim())).trim().to_owned();
            }
            _ if line.starts_with("#if") => condition = Some(line.to_owned()),
            "#endif" => condition = None,
            "" => {}
            _ => {
                declaration += &format!("{line}\n");
                if line.ends_with(';') && !line.starts_with(' ') {
                    let text = std::mem::take(&mut declaration);
                    let text = if text.starts_with("typedef") {
                        c_struct(&text)
                    } else {
                        c_parameters(text.trim_end())
                    };
                    let paragraphs = std::mem::take(&mut paragraphs);
                    declarations.push(Declaration { paragraphs, text, condition: condition.clone() });
                }
            }
        }
    }
    declarations
}

/// A struct with the comments of its fields in one line each.
fn c_struct(text: &str) -> String {
    text.trim_end()
        .replace("  /*\n   ", "    /* ")
        .replace("\n   */", " */")
        .replace("\n  ", "\n    ")
        .replace("\n      ", "\n    ")
}

/// A function's declaration without the underscores that names of parameters have for Rust's sake.
fn c_parameters(declaration: &str) -> String {
    let Some((head, parameters)) = declaration.split_once('(') else { return declaration.to_owned() };
    let parameters = parameters.trim_end_matches(");").split(", ").map(|parameter| {
        let name = parameter.rfind([' ', '*']).map_or(0, |space| space + 1);
        format!("{}{}", &parameter[..name], parameter[name..].trim_matches('_'))
    });
    format!("{head}({});", parameters.collect::<Vec<_>>().join(", "))
}

/// A line of documentation with the same names.
fn c_words(line: &str) -> String {
    line.replace("_`", "`").replace("`_co`", "`co`")
}
