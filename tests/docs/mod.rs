//! The documents match the program: tables equal those of the code, examples run, links and names exist.

#![allow(clippy::unwrap_used, reason = "a document that can't be read fails its test")]

mod blocks;
mod mentions;
mod messages;
mod schema;
mod session;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Every document for people: path from the repository's root, and text.
fn documents() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)).to_vec();
    paths.extend(files("docs", "md"));
    paths.iter().map(|path| (path.strip_prefix(root()).unwrap().display().to_string(), fs::read_to_string(path).unwrap())).collect()
}

/// The files below a folder of the repository whose names end so.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The part between `<!-- name -->` and `<!-- /name -->` must be `expected`; `make docs` writes it.
fn part_is(path: &str, name: &str, expected: &str) {
    // Tests that write parts of one document take turns.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let text = document(path);
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = text.find(&open).unwrap_or_else(|| panic!("{path} has no {open}")) + open.len();
    let end = start + text[start..].find(&close).unwrap();
    if std::env::var_os("PGMARCH_WRITE_DOCS").is_some() {
        fs::write(root().join(path), format!("{}{expected}{}", &text[..start], &text[end..])).unwrap();
    } else {
        assert_eq!(&text[start..end], expected, "{path}, {name}: `make docs` writes it");
    }
}

/// The same for a part of the reference.
fn generated_is(name: &str, expected: &str) {
    part_is("docs/reference.md", name, expected);
}
