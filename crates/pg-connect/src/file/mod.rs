//! Reading a file in bounded size and time: the only way in which this library and its program read one.
//!
//! A mount that hangs, a pipe that nobody writes to, or a device must not hang the program. So each read is done in a thread of its
//! own, which is left behind if it does not end. That thread may block, and the caller waits for it: in an asynchronous runtime it is one
//! of the runtime's threads for blocking work.

mod error;
mod pipe;
mod watch;

use std::fmt;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

pub use error::{FileError, READ_TIMEOUT};
use pipe::read_pipe;
pub use watch::{ReadingSlot, Readings, watched, watched_within};

/// The largest file with a setting, a secret, or connection settings, in bytes.
pub const LARGEST_SETTING: u64 = 1 << 20;

/// `/dev/null` (Linux, `devices.txt`): what a program is given in the place of a file that it should not have.
const NULL_DEVICE: (u32, u32) = (1, 3);

/// The content of a file, and what decides whether it is trusted. Its `Debug` output has no content, which may be a secret.
#[derive(Clone)]
pub struct FileContent {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
    /// Its owner.
    pub owner: u32,
    /// Whether it is a plain file; else it is a pipe or `/dev/null`.
    pub is_plain: bool,
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileContent").field("mode", &self.mode).field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl FileContent {
    /// The content as text.
    pub fn text(self) -> Result<String, FileError> {
        String::from_utf8(self.bytes).map_err(|_| FileError::NotUtf8)
    }
}

/// Reads a file of at most `largest` bytes, following links.
///
/// What comes from a pipe (a FIFO, or a shell's `<(command)`) is read once in the life of the process and remembered, because a pipe
/// can't be read again.
pub fn read(path: &Path, largest: u64) -> Result<FileContent, FileError> {
    let read = path.to_owned();
    watched(path, move |_| read_now(&read, largest)).map_err(|_| FileError::Stalled)?
}

fn read_now(path: &Path, largest: u64) -> Result<FileContent, FileError> {
    // Before it is opened: that alone may wait, or rewind a tape.
    let named = fs::metadata(path)?;
    let kind = named.file_type();
    let content =
        |bytes, found: &fs::Metadata| FileContent { bytes, mode: found.mode() & 0o7777, owner: found.uid(), is_plain: found.is_file() };
    if kind.is_fifo() {
        return Ok(content(read_pipe(path, (named.dev(), named.ino()), largest)?, &named));
    }
    if kind.is_char_device() && (rustix::fs::major(named.rdev()), rustix::fs::minor(named.rdev())) == NULL_DEVICE {
        return Ok(content(Vec::new(), &named));
    }
    if let Some(other) = kind_of_no_file(kind) {
        return Err(FileError::NotAFile(other));
    }
    let file = fs::File::open(path)?;
    // The metadata of the open file: the path may name another one now.
    let opened = file.metadata()?;
    if let Some(other) = kind_of_no_file(opened.file_type()) {
        return Err(FileError::NotAFile(other));
    }
    if opened.len() > largest {
        return Err(FileError::TooLarge(largest));
    }
    let mut bytes = Vec::new();
    // The size of a file in /proc is not known in advance, and others may grow.
    let length = file.take(largest.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > largest {
        return Err(FileError::TooLarge(largest));
    }
    Ok(content(bytes, &opened))
}

/// Whether there is something at a path. What does not answer counts as there, and then fails when it is read.
pub fn exists(path: &Path) -> bool {
    let path = path.to_owned();
    let named = path.clone();
    watched(&path, move |_| named.exists()).unwrap_or(true)
}

/// Whether there is a folder at a path. What does not answer counts as one, and then fails when it is read.
pub fn is_folder(path: &Path) -> bool {
    let path = path.to_owned();
    let named = path.clone();
    watched(&path, move |_| named.is_dir()).unwrap_or(true)
}

/// What it is, if it is no plain file.
pub fn kind_of_no_file(kind: fs::FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a folder")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_what_is_none_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "12345").expect("written");
        assert_eq!(read(&path("a"), 5).expect("readable").bytes, b"12345");
        assert_eq!(read(&path("a"), 4).expect_err("too large"), FileError::TooLarge(4));
        assert!(read(&path("b"), 4).expect_err("missing").is_missing());
        for (device, expected) in [("/dev/zero", "a device"), ("/", "a folder")] {
            let link = path(expected);
            symlink(device, &link).expect("linked");
            assert_eq!(read(&link, 4).expect_err(device), FileError::NotAFile(expected));
        }
        assert!(read(Path::new("/dev/null"), 4).expect("empty").bytes.is_empty());
        assert!(!read(Path::new("/proc/self/status"), 1 << 20).expect("a file without a size").bytes.is_empty());
    }

    #[test]
    fn a_pipe_is_read_once_and_remembered() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
        let (write, to) = (path.clone(), path.clone());
        let writer = std::thread::spawn(move || fs::write(write, "secret\n"));
        let other = std::thread::spawn(move || read(&to, 100).expect("readable").bytes);
        assert_eq!(read(&path, 100).expect("readable").bytes, b"secret\n");
        assert_eq!(other.join().expect("no panic"), b"secret\n");
        writer.join().expect("no panic").expect("written");
        assert_eq!(read(&path, 100).expect("remembered").bytes, b"secret\n");
        assert_eq!(read(&path, 3).expect_err("too large"), FileError::TooLarge(3));
    }
}
