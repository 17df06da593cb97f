//! Which file of a crate imports which, by what it names in `use` and in paths.
//!
//! A file imports the file that defines a name: `pub use` passes a name on and is no import itself, and neither is `mod`. A parent
//! and its child can form a circle: when the child names something that the parent's file defines, and the parent's own code names
//! something of the child's. Unit tests are left out: they may import anything.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::tokens;

type ModulePath = Vec<String>;

/// A module: its file, and what it names.
#[derive(Debug, Default)]
struct Module {
    file: String,
    /// Names that `use` brings in, or passes on: name → path.
    aliases: BTreeMap<String, ModulePath>,
    /// Names that `pub use` passes on.
    passed_on: BTreeSet<String>,
    /// Everything that is named, as it is written.
    named: Vec<ModulePath>,
}

/// The files of one crate, from its root's folder (`src`), and which imports which.
pub(crate) fn imports(files: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let mut modules: BTreeMap<ModulePath, Module> = BTreeMap::new();
    for (file, text) in files {
        modules.insert(module_path(file), read_module(file, &tokens(text)));
    }
    let edges = |(path, module): (&ModulePath, &Module)| {
        let imported = module.named.iter().filter_map(|named| resolve(&modules, path, named, 0));
        (module.file.clone(), imported.filter(|file| *file != module.file).collect())
    };
    modules.iter().map(edges).collect()
}

/// `a/b.rs` and `a/b/mod.rs` are `a::b`; `lib.rs` and `main.rs` are the root.
fn module_path(file: &str) -> ModulePath {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

fn read_module(file: &str, tokens: &[String]) -> Module {
    let mut module = Module { file: file.to_owned(), ..Module::default() };
    let is_name = |token: &str| token.chars().next().is_some_and(|letter| letter.is_alphabetic() || letter == '_');
    let mut i = 0;
    while i < tokens.len() {
        if tokens[i] == "use" && (i == 0 || tokens[i - 1] != "r#") {
            let is_passed_on = i > 0 && (tokens[i - 1] == "pub" || tokens[i - 1] == ")");
            let end = i + tokens[i..].iter().position(|token| token == ";").unwrap_or(tokens.len() - i);
            let mut leaves = Vec::new();
            read_tree(&tokens[i + 1..end], &mut 0, &[], &mut leaves);
            for (name, path) in leaves {
                if is_passed_on {
                    module.passed_on.insert(name.clone());
                } else {
                    module.named.push(path.clone());
                }
                module.aliases.insert(name, path);
            }
            i = end;
        } else if is_name(&tokens[i]) && tokens.get(i + 1).is_some_and(|next| next == "::") && (i == 0 || tokens[i - 1] != "::") {
            let mut path = vec![tokens[i].clone()];
            while tokens.get(i + 1).is_some_and(|next| next == "::") && tokens.get(i + 2).is_some_and(|next| is_name(next)) {
                path.push(tokens[i + 2].clone());
                i += 2;
            }
            module.named.push(path);
        }
        i += 1;
    }
    module
}

/// The leaves of a `use` tree: the name that each brings in, and its path. `*` is a name like any other.
fn read_tree(tokens: &[String], i: &mut usize, prefix: &[String], leaves: &mut Vec<(String, ModulePath)>) {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(*i) {
        *i += 1;
        match token.as_str() {
            "::" => {}
            "{" => {
                while tokens.get(*i).is_some_and(|token| token != "}") {
                    read_tree(tokens, i, &path, leaves);
                    if tokens.get(*i).is_some_and(|token| token == ",") {
                        *i += 1;
                    }
                }
                *i += 1;
                return;
            }
            "," | "}" => {
                *i -= 1;
                break;
            }
            "as" => {
                let name = tokens.get(*i).cloned().unwrap_or_default();
                *i += 1;
                leaves.push((name, path));
                return;
            }
            // `use a::b::{self, c}`
            "self" if !path.is_empty() => {}
            name => path.push(name.to_owned()),
        }
    }
    if path.len() > prefix.len() || (!path.is_empty() && path == prefix) {
        leaves.push((path.last().cloned().unwrap_or_default(), path));
    }
}

/// The file that defines what `named` means in the module `from`; nothing for a module alone, and for other crates' names.
fn resolve(modules: &BTreeMap<ModulePath, Module>, from: &[String], named: &[String], depth: usize) -> Option<String> {
    let (first, rest) = named.split_first()?;
    if depth > 16 {
        return None;
    }
    let mut rest = rest;
    let mut current: ModulePath = match first.as_str() {
        "crate" => Vec::new(),
        "self" => from.to_vec(),
        "super" => {
            let mut up = from.split_last()?.1;
            while let Some((next, further)) = rest.split_first().filter(|(next, _)| *next == "super") {
                debug_assert_eq!(next, "super");
                (up, rest) = (up.split_last()?.1, further);
            }
            up.to_vec()
        }
        name => {
            let child = [from, &[name.to_owned()]].concat();
            if modules.contains_key(&child) {
                child
            } else {
                let alias = modules.get(from)?.aliases.get(name).filter(|alias| alias.as_slice() != named)?;
                return resolve(modules, from, &[alias.as_slice(), rest].concat(), depth + 1);
            }
        }
    };
    while let Some((next, further)) = rest.split_first() {
        let child = [current.as_slice(), std::slice::from_ref(next)].concat();
        if modules.contains_key(&child) {
            (current, rest) = (child, further);
            continue;
        }
        let module = modules.get(&current)?;
        if module.passed_on.contains(next)
            && let Some(path) = module.aliases.get(next)
            && let Some(file) = resolve(modules, &current, &[path.as_slice(), further].concat(), depth + 1)
        {
            return Some(file);
        }
        return Some(module.file.clone());
    }
    None
}

/// Groups of files that import each other, in circles.
pub(crate) fn circles(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reach = |start: &String| {
        let mut reached: BTreeSet<&String> = BTreeSet::new();
        let mut open: Vec<&String> = imports.get(start).into_iter().flatten().collect();
        while let Some(next) = open.pop() {
            if reached.insert(next) {
                open.extend(imports.get(next).into_iter().flatten());
            }
        }
        reached
    };
    let reached: BTreeMap<&String, BTreeSet<&String>> = imports.keys().map(|file| (file, reach(file))).collect();
    let mut groups: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, from_file) in &reached {
        if from_file.contains(file) {
            let group = reached.iter().filter(|(other, from_other)| from_file.contains(*other) && from_other.contains(file));
            groups.insert(group.map(|(other, _)| (*other).clone()).collect());
        }
    }
    groups.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        circles(&imports(&files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()))
    }

    #[test]
    fn a_circle_is_found_however_it_is_written() {
        let circle = [vec!["a.rs".to_owned(), "b.rs".to_owned()]];
        for (a, b) in [
            ("use crate::b::B;", "use crate::a::A;"),
            ("use crate::{b::{B}, c::C};", "fn f() -> crate::a::A { A }"),
            ("use super::b; fn f() { b::g() }", "use crate::a as other; fn g() { other::f() }"),
            ("fn f(x: super::b::B) {}", "use crate::c::A;"),
            ("use crate::b::*;", "use crate::a::{self, A}; fn g() { a::f() }"),
        ] {
            let c = "pub use crate::a::A; pub struct C;";
            assert_eq!(found(&[("lib.rs", "mod a; mod b; mod c;"), ("a.rs", a), ("b.rs", b), ("c.rs", c)]), circle, "{a} {b}");
        }
    }

    #[test]
    fn a_circle_of_three_and_one_of_parent_and_child_are_found() {
        let three = [("a.rs", "use crate::b::B;"), ("b.rs", "use crate::c::C;"), ("c.rs", "use crate::a::A;")];
        assert_eq!(found(&three), [["a.rs", "b.rs", "c.rs"]]);
        let family = [("a/mod.rs", "mod b; pub struct A; fn f() { b::g() }"), ("a/b.rs", "use super::A; pub fn g() {}")];
        assert_eq!(found(&family), [["a/b.rs", "a/mod.rs"]]);
    }

    #[test]
    fn what_is_no_import_makes_no_circle() {
        // The parent declares the child and passes its names on.
        assert_eq!(
            found(&[("a/mod.rs", "pub mod b; pub use b::B; pub struct A;"), ("a/b.rs", "use super::A; pub struct B;")]),
            [[""; 0]; 0]
        );
        // Comments, strings and unit tests.
        let a = "/// [`crate::b::B`]\nconst A: &str = \"crate::b::B\";\n#[cfg(test)]\nmod tests {\n use crate::b::B;\n}\n";
        assert_eq!(found(&[("a.rs", a), ("b.rs", "use crate::a::A; use std::a::A; use super::a::A;")]), [[""; 0]; 0]);
    }
}
