//! The connection service file (PostgreSQL manual, 34.17): named groups of keywords and values.

use std::path::{Path, PathBuf};

use super::parse::{Pair, Pairs};
use crate::conninfo::error::{ConninfoError, for_program};
use crate::file::{self, FileContent, LARGEST_SETTING};

/// Looks a service up in the first of the files that has it. `named` must exist, the others may.
pub(super) fn look_up(service: &str, named: Option<&Path>, others: &[PathBuf], program: &str) -> Result<Pairs, ConninfoError> {
    let named = named.map(|path| (path, true));
    for (path, required) in named.into_iter().chain(others.iter().map(|path| (path.as_path(), false))) {
        let text = match file::read(path, LARGEST_SETTING).and_then(FileContent::text) {
            Ok(text) => text,
            Err(error) if !required && error.is_missing() => continue,
            Err(error) => return Err(ConninfoError::File { keyword: "servicefile", path: path.to_owned(), reason: error.to_string() }),
        };
        if let Some(pairs) = group(&text, service, path, program)? {
            return Ok(pairs);
        }
    }
    Err(ConninfoError::Service(service.to_owned()))
}

/// The pairs of one group, up to the next.
fn group(text: &str, service: &str, path: &Path, program: &str) -> Result<Option<Pairs>, ConninfoError> {
    let mut found: Option<Pairs> = None;
    for (number, line) in text.lines().enumerate() {
        let fault = |what| ConninfoError::ServiceLine { path: path.to_owned(), line: number + 1, what: for_program(what, program) };
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(head) = line.strip_prefix('[') {
            if found.is_some() {
                break;
            }
            if head.strip_prefix(service).is_some_and(|rest| rest.starts_with(']')) {
                found = Some(Vec::new());
            }
            continue;
        }
        let Some(pairs) = &mut found else { continue };
        if line.starts_with("ldap") {
            return Err(fault("a look-up by LDAP, which {program} does not do; write the settings themselves"));
        }
        let (keyword, value) = line.split_once('=').ok_or_else(|| fault("no `=`; write keyword=value without spaces"))?;
        match keyword {
            "service" | "servicefile" => return Err(fault("a service can't name another one")),
            "schema" => return Err(fault("`schema` is read from a connection string alone; write options=-c search_path=SCHEMA")),
            _ if pairs.iter().any(|pair| pair.keyword == keyword) => {}
            _ => pairs.push(Pair::new(keyword, value.to_owned())),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Pairs>, ConninfoError> {
        group(text, "mine", Path::new("services"), "this program")
    }

    #[test]
    fn a_group_ends_where_the_next_begins_and_its_first_word_wins() {
        let text = "host=nobody\n[other]\nhost=o\n [mine]\n# c\n host=h \r\nhost=second\npassword=a b=c\n\n[next]\nport=1\n";
        let pairs = [("host", "h"), ("password", "a b=c")].map(|(keyword, value)| Pair::new(keyword, value.to_owned()));
        assert_eq!(read(text).expect("sound"), Some(pairs.into()));
        assert_eq!(read("[minefield]\nhost=h").expect("sound"), None);
    }

    #[test]
    fn faults_name_file_and_line_but_no_value() {
        for text in ["[mine]\npassword hunter2", "[mine]\nservice=hunter2", "[mine]\nldap://hunter2"] {
            let shown = read(text).expect_err(text).to_string();
            assert!(shown.contains("services:2") && !shown.contains("hunter2"), "{shown}");
        }
    }
}
