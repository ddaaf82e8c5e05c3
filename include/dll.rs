//! What a DLL of Windows with the library in it shows to other programs.
//!
//! There, objects ask the linker for that, as those of C do by `PyAPI_FUNC` and `PyAPI_DATA`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Assembly with the linker's directives that show the symbols which the library defines and other programs may use:
/// those of the public API, those that the host's headers in `include` declare as shown, and the library's own.
/// `compiled` says whether a file of `exports` is part of the library.
pub fn directives(include: &Path, exports: &Path, compiled: impl Fn(&Path) -> bool, msvc: bool) -> String {
    let mut shown = BTreeSet::new();
    for header in files(include, "h") {
        let text = std::fs::read(&header).unwrap_or_else(|error| {
            crate::fail(&format!("{}: {error}", header.display()));
        });
        shown.extend(declared(&String::from_utf8_lossy(&text)));
    }
    let (option, data) = if msvc { ("/EXPORT:", ",DATA") } else { ("-export:", ",data") };
    let mut text = String::from(".section .drectve,\"yni\"\n");
    for file in files(exports, "rs").into_iter().filter(|file| compiled(file)) {
        for (name, is_data) in defined(&std::fs::read_to_string(&file).expect("part of the sources")) {
            if !name.starts_with('_') || shown.contains(&name) {
                text += &format!(".ascii \" {option}{name}{}\"\n", if is_data { data } else { "" });
            }
        }
    }
    text + ".text\n"
}

/// The files in a folder and its folders with this extension, by name.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap_or_else(|error| crate::fail(&format!("{}: {error}", folder.display())));
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let of_path = |path: PathBuf| {
        if path.is_dir() {
            files(&path, extension)
        } else {
            Vec::from_iter((path.extension() == Some(extension.as_ref())).then_some(path))
        }
    };
    paths.into_iter().flat_map(of_path).collect()
}

/// The names that a header declares with `PyAPI_FUNC` or `PyAPI_DATA`.
fn declared(header: &str) -> impl Iterator<Item = String> {
    header.split("PyAPI_").skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix("FUNC").or_else(|| rest.strip_prefix("DATA"))?;
        let rest = rest.trim_start().strip_prefix('(')?;
        // The type ends with the bracket that closes the macro's.
        let mut depth = 1;
        let end = rest.find(|character| {
            depth += match character {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        })?;
        let rest = rest[end + 1..]
            .trim_start_matches(|character: char| character.is_whitespace() || character == '*');
        Some(identifier(rest)).filter(|name| !name.is_empty())
    })
}

/// The C symbols that a file of `src/exports` defines, and whether they are data.
fn defined(source: &str) -> impl Iterator<Item = (String, bool)> {
    source.lines().filter_map(|line| {
        for (begin, is_data) in
            [("pub static mut ", true), ("pub static ", true), ("extern \"C\" fn ", false)]
        {
            if let Some((before, rest)) = line.split_once(begin)
                && !before.contains("//")
            {
                return Some((identifier(rest), is_data));
            }
        }
        // A row of a macro that makes functions.
        let name = identifier(line.strip_prefix("    ")?);
        let is_row = (name.starts_with("Py") || name.starts_with("_Py"))
            && line.contains(" = ")
            && line.ends_with(';');
        is_row.then_some((name, false))
    })
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|character| character.is_ascii_alphanumeric() || *character == '_').collect()
}
