//! Environment variables: `NAME` holds a value, or `NAME_FILE` the path of a file that does.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use crate::conninfo::keyword::KEYWORDS;
use crate::file::{self, FileError, LARGEST_SETTING};

/// The program that connects, and the variables that it reads besides those of libpq.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name, for messages.
    pub name: &'static str,
    /// The prefix of its own variables.
    pub prefix: &'static str,
    /// Variables that hold a connection string; the first one that is set counts.
    pub connection_strings: &'static [&'static str],
}

impl Default for Program {
    fn default() -> Self {
        Self { name: "this program", prefix: "", connection_strings: &["DATABASE_URL"] }
    }
}

/// A password, or text that may contain one. Its `Debug` output is `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A variable, or the file that it names, that can't be read. The value is never part of it.
#[derive(Clone, Debug, Error)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum EnvironmentError {
    #[error("{name} is not UTF-8; write it as UTF-8")]
    NotUtf8 { name: String },
    #[error("{name} and {name}_FILE are both set; keep one")]
    Twice { name: String },
    #[error("{name}_FILE: {path} can't be read ({reason}); mount it, or make it readable to the user that runs {program}")]
    File { name: String, path: PathBuf, reason: String, program: &'static str },
    #[error(
        "{name}_FILE: {path} has mode {mode:04o}: others could write what {program} then trusts; chmod go-w it (in Kubernetes, a defaultMode such as 0440)"
    )]
    FileMode { name: String, path: PathBuf, mode: u32, program: &'static str },
    #[error("{name}_FILE: {path}: {error}; name a file, or a pipe that a command writes the value to")]
    FileKind { name: String, path: PathBuf, error: FileError },
    #[error("{name}_FILE: {path} is larger than 1 MiB; it should hold the value alone")]
    FileSize { name: String, path: PathBuf },
}

/// The values that files held, by the variable that they are for.
type ReadValues = BTreeMap<String, Result<Secret, EnvironmentError>>;

/// The variables of the process, read once. Files that hold values are read each time a value is asked for, or once for each
/// [`for_one_try`](Self::for_one_try).
#[derive(Clone, Default)]
pub struct Environment {
    program: Program,
    variables: BTreeMap<String, Secret>,
    /// What was read in this try; None: it is not one.
    read: Option<Arc<Mutex<ReadValues>>>,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

/// Variables that have no `_FILE` form.
const PLAIN: [&str; 4] = ["HOME", "USER", "PGSYSCONFDIR", "PGREQUIRESSL"];

impl Environment {
    /// Takes from `variables` those that `program` or libpq reads.
    pub fn new(program: Program, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self, Vec<EnvironmentError>> {
        let mut faults = Vec::new();
        let mut supported = BTreeMap::new();
        for (name, value) in variables {
            let shown = name.to_string_lossy();
            if !program.reads(&shown) {
                continue;
            }
            match (name.to_str(), value.into_string()) {
                // An empty variable counts as unset, as for libpq: `FOO=` in a compose file means "nothing".
                (Some(_), Ok(value)) if value.is_empty() => {}
                (Some(name), Ok(value)) => drop(supported.insert(name.to_owned(), Secret::new(value))),
                (None, _) | (_, Err(_)) => faults.push(EnvironmentError::NotUtf8 { name: shown.into_owned() }),
            }
        }
        if faults.is_empty() { Ok(Self { program, variables: supported, read: None }) } else { Err(faults) }
    }

    /// The environment of this process.
    pub fn of_process(program: Program) -> Result<Self, Vec<EnvironmentError>> {
        Self::new(program, env::vars_os())
    }

    /// The program that reads it.
    pub fn program(&self) -> Program {
        self.program
    }

    /// The value of `name`, or of the file that `name_FILE` names, without the newline at its end.
    pub fn value(&self, name: &str) -> Result<Option<Secret>, EnvironmentError> {
        let (mut value, mut file) = (None, None);
        for (found, secret) in &self.variables {
            match found.strip_prefix(name) {
                Some("") => value = Some(secret),
                Some("_FILE") => file = Some(secret),
                _ => {}
            }
        }
        match (value, file) {
            (Some(_), Some(_)) => Err(EnvironmentError::Twice { name: name.to_owned() }),
            (value, None) => Ok(value.cloned()),
            (None, Some(path)) => self.read(name, Path::new(path.reveal())).map(Some),
        }
    }

    fn read(&self, name: &str, path: &Path) -> Result<Secret, EnvironmentError> {
        let read_now = || read_value(name, path, self.program.name);
        let Some(read) = &self.read else { return read_now() };
        read.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_insert_with(read_now).clone()
    }

    /// A copy for one try: each file that holds a value is read once, however often the value is asked for, so that all of the try has
    /// the same. Its own copies are for the same try.
    pub fn for_one_try(&self) -> Self {
        Self { read: Some(Arc::default()), ..self.clone() }
    }

    /// The variable that sets `name`: itself, or `name_FILE`.
    pub fn source(&self, name: &str) -> String {
        let file = format!("{name}_FILE");
        if self.variables.contains_key(&file) { file } else { name.to_owned() }
    }

    /// Whether `name` or `name_FILE` is set. No file is read.
    pub fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(&self.source(name))
    }

    /// The value of a variable that has no `_FILE` form, such as `HOME`.
    pub fn plain(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(Secret::reveal)
    }

    /// A copy in which `name` has this value.
    pub fn with(&self, name: &str, value: Secret) -> Self {
        let mut changed = self.clone();
        changed.variables.remove(&format!("{name}_FILE"));
        changed.variables.insert(name.to_owned(), value);
        changed
    }

    /// A copy without the variables that name files, so that nothing is read.
    pub fn without_files(&self) -> Self {
        let mut plain = self.clone();
        plain.variables.retain(|name, _| !name.ends_with("_FILE"));
        plain
    }

    /// The names of all variables that are set.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }
}

impl Program {
    fn reads(&self, name: &str) -> bool {
        let setting = name.strip_suffix("_FILE").unwrap_or(name);
        (!self.prefix.is_empty() && name.starts_with(self.prefix))
            || PLAIN.contains(&name)
            || self.connection_strings.contains(&setting)
            || KEYWORDS.iter().any(|keyword| keyword.variable == setting && !setting.is_empty())
    }
}

/// Reads the file that `NAME_FILE` names, each time: a mounted secret may be replaced while the program waits. Symbolic links are
/// followed, as Kubernetes mounts secrets by them. Only the mode of the file itself is checked, not that of its folder, because
/// folders such as `emptyDir` are writable for all.
fn read_value(name: &str, path: &Path, program: &'static str) -> Result<Secret, EnvironmentError> {
    let (name, path) = (name.to_owned(), path.to_owned());
    let content = match file::read(&path, LARGEST_SETTING) {
        Ok(content) => content,
        Err(FileError::TooLarge(_)) => return Err(EnvironmentError::FileSize { name, path }),
        Err(error @ (FileError::Stalled | FileError::OpenPipe | FileError::NotAFile(_))) => {
            return Err(EnvironmentError::FileKind { name, path, error });
        }
        Err(error @ (FileError::System { .. } | FileError::NotUtf8)) => {
            return Err(EnvironmentError::File { name, path, reason: error.to_string(), program });
        }
    };
    if content.mode & 0o022 != 0 && content.is_plain {
        return Err(EnvironmentError::FileMode { name, path, mode: content.mode, program });
    }
    match content.text() {
        Ok(text) => {
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text).to_owned()))
        }
        Err(error) => Err(EnvironmentError::File { name, path, reason: error.to_string(), program }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_try_has_one_value_and_the_next_try_the_one_of_then() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("role");
        std::fs::write(&path, "one\n").expect("written");
        let variables = [("PGUSER_FILE".into(), path.clone().into_os_string())];
        let environment = Environment::new(Program::default(), variables).expect("UTF-8");
        let value = |environment: &Environment| environment.value("PGUSER").map(|value| value.map(|value| value.reveal().to_owned()));
        let first = environment.for_one_try();
        assert_eq!(value(&first).expect("readable").as_deref(), Some("one"));
        std::fs::write(&path, "two").expect("written");
        let same = first.with("PGHOST", Secret::new("h".into()));
        assert_eq!(value(&same).expect("known").as_deref(), Some("one"));
        assert_eq!(value(&environment).expect("readable").as_deref(), Some("two"));
        let second = environment.for_one_try();
        std::fs::remove_file(&path).expect("removed");
        let message = value(&second).expect_err("missing").to_string();
        std::fs::write(&path, "three").expect("written");
        assert_eq!(value(&second).expect_err("as before").to_string(), message);
        assert_eq!(value(&environment.for_one_try()).expect("readable").as_deref(), Some("three"));
    }

    #[test]
    fn what_is_not_utf8_is_named() {
        use std::os::unix::ffi::OsStringExt as _;
        let program = Program { name: "example", prefix: "EXAMPLE_", connection_strings: &[] };
        let bytes = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let variables =
            [("PGUSER", &b"\xff"[..]), ("OTHER", b"\xff"), ("EXAMPLE_A", b"a")].map(|(name, value)| (name.into(), bytes(value)));
        let variables = variables.into_iter().chain([(bytes(b"EXAMPLE_\xff"), "a".into())]);
        let faults = Environment::new(program, variables).expect_err("two faults");
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults, ["PGUSER is not UTF-8; write it as UTF-8", "EXAMPLE_\u{fffd} is not UTF-8; write it as UTF-8"]);
    }

    #[test]
    fn secrets_do_not_print() {
        let shown = format!("{:?}", Secret::new("hunter2".into()));
        assert_eq!(shown, "***");
    }
}
