//! A folder of revisions.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder of revisions: one to write into, or one of the repository's to read.
pub(crate) struct Project {
    path: PathBuf,
    own: Option<TempDir>,
}

impl Project {
    /// An empty folder.
    pub(crate) fn new() -> Project {
        let folder = tempfile::Builder::new().prefix("pgmarch-project-").tempdir().expect("make a folder for a project");
        Project { path: folder.path().to_path_buf(), own: Some(folder) }
    }

    /// MarchProxy's revisions, `migrations/` of this repository.
    pub(crate) fn marchproxy() -> Project {
        Project::of_repository("migrations")
    }

    /// The revisions at `tests/fixtures/<name>`.
    pub(crate) fn fixture(name: &str) -> Project {
        Project::of_repository(&format!("tests/fixtures/{name}"))
    }

    /// The project of an ORM at `examples/orms/<name>`.
    pub(crate) fn example(name: &str) -> Project {
        Project::of_repository(&format!("examples/orms/{name}"))
    }

    /// The same files in a folder that may be written into.
    pub(crate) fn copied(&self) -> Project {
        let copy = Project::new();
        copy_folder(&self.path, &copy.path);
        copy
    }

    /// Adds or replaces a file.
    pub(crate) fn file(self, name: &str, text: &str) -> Project {
        self.write(name, text);
        self
    }

    /// Adds a revision of two sections, without headers: a chain in the order of the ids.
    pub(crate) fn revision(self, id: &str, up: &str, down: &str) -> Project {
        self.file(&format!("{id}_test.sql"), &format!("-- migrate:up\n{up}\n\n-- migrate:down\n{down}\n"))
    }

    /// Adds a revision that names its parents, comma separated, or `base`.
    pub(crate) fn child(self, id: &str, parents: &str, up: &str, down: &str) -> Project {
        let headers = format!("-- revision: {id}\n-- revises: {parents}\n-- message: test\n\n");
        self.file(&format!("{id}_test.sql"), &format!("{headers}-- migrate:up\n{up}\n\n-- migrate:down\n{down}\n"))
    }

    /// Adds or replaces a file while the project is in use.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.writable(name);
        let folder = path.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("make the file's folder");
        fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Removes a file.
    pub(crate) fn remove(&self, name: &str) {
        let path = self.writable(name);
        fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The text of a file.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The names of its files and folders, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.path).expect("list the project").flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Where it is, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn of_repository(folder: &str) -> Project {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        assert!(path.is_dir(), "there is no folder {}", path.display());
        Project { path, own: None }
    }

    fn writable(&self, name: &str) -> PathBuf {
        assert!(self.own.is_some(), "{} belongs to the repository: write into .copied()", self.path.display());
        self.path.join(name)
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("make a folder for a copy");
    for entry in fs::read_dir(from).expect("list a folder to copy") {
        let entry = entry.expect("list a folder to copy");
        let copy = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &copy);
        } else {
            fs::copy(entry.path(), copy).expect("copy a file");
        }
    }
}
