//! The layout of the source: one meaning per type name, files of a readable length, no circles of imports, a complete map.

mod imports;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use imports::{circles, imports};
use tokens::tokens;

/// The longest file without a reason in its head.
const LONGEST_FILE: usize = 400;
/// How the reason of a longer file begins.
const REASON: &str = "Longer than 400 lines because";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders that hold the source of each crate of the workspace.
fn crates() -> Vec<String> {
    let mut folders = vec!["src".to_owned()];
    for entry in std::fs::read_dir(root().join("crates")).into_iter().flatten().flatten() {
        folders.push(format!("crates/{}/src", entry.file_name().to_string_lossy()));
    }
    folders
}

/// The Rust files below a folder: path from the folder → text.
fn files(folder: &str) -> BTreeMap<String, String> {
    fn collect(at: &Path, base: &Path, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(at).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                collect(&entry, base, found);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let path = entry.strip_prefix(base).expect("below").to_string_lossy().into_owned();
                found.insert(path, std::fs::read_to_string(&entry).expect("readable"));
            }
        }
    }
    let (base, mut found) = (root().join(folder), BTreeMap::new());
    collect(&base, &base, &mut found);
    assert!(!found.is_empty(), "{folder} has no files");
    found
}

/// The files of all crates, by their paths in the repository.
fn all_files() -> BTreeMap<String, String> {
    let in_crate = |folder: String| files(&folder).into_iter().map(move |(file, text)| (format!("{folder}/{file}"), text));
    crates().into_iter().flat_map(in_crate).collect()
}

/// The SQL files below a folder that have a comment.
fn sql_with_comments(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(sql_with_comments(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "sql") {
            let text = std::fs::read_to_string(&entry).expect("readable");
            if ["--", "/*"].iter().any(|mark| text.contains(mark)) {
                found.push(entry.display().to_string());
            }
        }
    }
    found
}

#[test]
fn no_statement_of_the_program_has_a_comment_which_would_fill_the_log_of_the_server() {
    assert_eq!(sql_with_comments(&root().join("src")), Vec::<String>::new(), "comments belong to the Rust code that sends it");
}

/// Type names that are defined in more than one place, with the places.
fn defined_twice(files: &BTreeMap<String, String>) -> Vec<(String, Vec<String>)> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in files {
        for name in type_names(text) {
            places.entry(name).or_default().push(file.clone());
        }
    }
    places.into_iter().filter(|(_, places)| places.len() > 1).collect()
}

/// The types that a text defines, also within functions and tests; no associated types, which begin in an indented line.
fn type_names(text: &str) -> Vec<String> {
    // Unit tests count here.
    let text = text.replace("#[cfg(test)]", "");
    let aliases: BTreeSet<&str> = text.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("type ")).collect();
    let is_alias = |name: &str| aliases.iter().any(|line| line.starts_with(name));
    let tokens = tokens(&text);
    let starts_item = |before: Option<&String>| before.is_none_or(|token| matches!(token.as_str(), "pub" | ")" | "]" | "}" | ";" | "{"));
    let mut names = Vec::new();
    for (i, pair) in tokens.windows(2).enumerate() {
        let [keyword, name] = pair else { continue };
        let is_definition = match keyword.as_str() {
            "struct" | "enum" | "union" | "trait" => true,
            "type" => is_alias(name),
            _ => false,
        };
        if is_definition && starts_item(i.checked_sub(1).and_then(|before| tokens.get(before))) && name.starts_with(char::is_alphabetic) {
            names.push(name.clone());
        }
    }
    names
}

/// Files that are too long and give no reason.
fn too_long(files: &BTreeMap<String, String>) -> Vec<(String, usize)> {
    let is_excused = |text: &str| text.lines().take_while(|line| line.starts_with("//!")).any(|line| line.contains(REASON));
    let long = files.iter().map(|(file, text)| (file, text, text.lines().count()));
    long.filter(|(_, text, lines)| *lines > LONGEST_FILE && !is_excused(text)).map(|(file, _, lines)| (file.clone(), lines)).collect()
}

/// What the map in `lib.rs` lacks, and what it has too much. It may name the other crates of the workspace.
fn map_faults(lib: &str, other_crates: &[String]) -> Vec<String> {
    let listed: BTreeSet<&str> =
        lib.lines().filter_map(|line| line.strip_prefix("//! - ")).filter_map(|line| line.split('`').nth(1)).collect();
    let declared: BTreeSet<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ").or(line.strip_prefix("mod ")).or(line.strip_prefix("pub(crate) mod ")))
        .filter_map(|line| line.strip_suffix(';'))
        .collect();
    let missing = declared.difference(&listed).map(|name| format!("{name} is not in the map"));
    let unknown = listed.difference(&declared).filter(|name| !other_crates.iter().any(|other| other == *name));
    missing.chain(unknown.map(|name| format!("the map has {name}, which is no module"))).collect()
}

#[test]
fn a_type_name_has_one_meaning() {
    let twice = defined_twice(&all_files());
    assert!(twice.is_empty(), "defined twice: {twice:#?}");
}

#[test]
fn a_long_file_says_why() {
    let long = too_long(&all_files());
    assert!(long.is_empty(), "longer than {LONGEST_FILE} lines, without a reason in the head ({REASON} …): {long:#?}");
}

#[test]
fn no_files_import_each_other() {
    for folder in crates() {
        let imports = imports(&files(&folder));
        let found = circles(&imports);
        let within = |circle: &Vec<String>| {
            let pairs = circle.iter().flat_map(|file| imports[file].iter().map(move |imported| (file, imported)));
            pairs.filter(|(_, imported)| circle.contains(imported)).map(|(file, imported)| format!("{file} → {imported}")).collect()
        };
        let within: Vec<Vec<String>> = found.iter().map(within).collect();
        assert!(found.is_empty(), "circles of imports in {folder}: {within:#?}");
    }
}

/// Where files are read, listed or looked for without [`pg_connect::file::read`]: within [`pg_connect::file::watched`], or before a
/// file is written.
const FILES: [&str; 6] =
    ["file/", "revision/folder/", "sidecar/fingerprint.rs", "model/prove/source.rs", "commands/import.rs", "commands/init.rs"];

#[test]
fn files_are_read_in_bounded_size_and_time() {
    let is_listed = |file: &str| FILES.iter().any(|known| file.contains(&format!("/{known}")));
    let words = ["fs::read", "fs::metadata", "File::open", ".exists()", ".is_dir()", ".is_file()", ".canonicalize(", "env::current_dir"];
    let unbounded: Vec<String> = all_files()
        .iter()
        .filter(|(file, _)| !is_listed(file))
        .flat_map(|(file, text)| {
            let program = text.split("#[cfg(test)]").next().unwrap_or_default();
            words.iter().filter(move |word| program.contains(**word)).map(move |word| format!("{file}: {word}"))
        })
        .collect();
    assert!(unbounded.is_empty(), "not by pg_connect::file: {unbounded:#?}");
}

#[test]
fn the_map_names_every_module() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).expect("lib.rs");
    let other_crates: Vec<String> =
        crates().iter().filter_map(|folder| folder.split('/').nth(1)).map(|name| name.replace('-', "_")).collect();
    let faults = map_faults(&lib, &other_crates);
    assert!(faults.is_empty(), "{faults:#?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_name_that_is_defined_twice_is_found() {
        for second in [
            "struct Name;",
            "pub(crate) enum Name { A }",
            "#[derive(Debug)]\npub trait Name {}",
            "pub type Name = u8;",
            "fn f() {\n    struct Name(u8);\n}",
            "#[cfg(test)]\nmod tests {\n    struct Name;\n}",
        ] {
            let twice = defined_twice(&sources(&[("a.rs", "pub struct Name<'a> { a: &'a str }"), ("b.rs", second)]));
            assert_eq!(twice, [("Name".to_owned(), vec!["a.rs".to_owned(), "b.rs".to_owned()])], "{second}");
        }
        let once = "// struct Name;\nconst A: &str = \"struct Name\";\nimpl B for C {\n    type Name = u8;\n}\nfn f(x: Name) {}";
        assert_eq!(defined_twice(&sources(&[("a.rs", "struct Name;"), ("b.rs", once)])), []);
    }

    #[test]
    fn a_file_that_is_too_long_is_found() {
        let long = "fn f() {}\n".repeat(LONGEST_FILE + 1);
        assert_eq!(too_long(&sources(&[("a.rs", &long), ("b.rs", "")])), [("a.rs".to_owned(), LONGEST_FILE + 1)]);
        assert_eq!(too_long(&sources(&[("a.rs", &format!("//! A.\n//! {REASON} it is a table.\n{long}"))])), []);
        assert_eq!(too_long(&sources(&[("a.rs", &format!("{long}// {REASON} it is a table.\n"))])).len(), 1);
    }

    #[test]
    fn a_gap_in_the_map_is_found() {
        assert_eq!(map_faults("//! - [`a`]: x\n//! - [`b`](mod@b): y\n//! - `c`: z\npub mod a;\npub mod b;\nmod c;\n", &[]), [""; 0]);
        assert_eq!(map_faults("//! - [`a`]: x\npub mod a;\npub mod b;\n", &[]), ["b is not in the map"]);
        assert_eq!(map_faults("//! - [`a`]: x\n", &[]), ["the map has a, which is no module"]);
        assert_eq!(map_faults("//! - [`a`]: x\n", &["a".to_owned()]), [""; 0]);
    }
}
