//! The content of a file, and its SHA-256.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use pg_connect::file::{FileError, kind_of_no_file};
use rustix::fs::{Mode, OFlags, openat};
use sha2::{Digest as _, Sha256};

use super::listing::ListedFile;

/// The SHA-256 of a file's name, a NUL and its content.
pub(super) type FileHash = [u8; 32];

/// How much is read at once: more than most files contain.
pub(super) const BUFFER: usize = 64 * 1024;

/// What is read by mistake, such as a file that grows, must not fill the memory: PostgreSQL takes no message of 1 GiB or more
/// (`MaxAllocSize`).
const LARGEST_REVISION: u64 = 1 << 30;

/// A folder whose files are read.
pub(super) struct FolderReader<'f> {
    path: &'f Path,
    /// The folder, opened: a file is opened relative to it. By its whole path, 10,000 files take some 6 ms longer.
    folder: File,
}

impl<'f> FolderReader<'f> {
    pub(super) fn open(path: &'f Path) -> io::Result<Self> {
        Ok(Self { path, folder: File::open(path)? })
    }

    /// Reads a file through `buffer`, passes its content to `keep` part by part, and returns its hash.
    pub(super) fn read(&self, file: &ListedFile, buffer: &mut [u8], mut keep: impl FnMut(&[u8])) -> io::Result<FileHash> {
        // Before it is opened, because opening a FIFO waits for a writer.
        if !file.is_plain
            && let Some(other) = kind_of_no_file(fs::metadata(self.path.join(&file.name))?.file_type())
        {
            return Err(io::Error::other(FileError::NotAFile(other)));
        }
        let opened = File::from(openat(&self.folder, file.name.as_os_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?);
        let mut content = opened.take(LARGEST_REVISION);
        let mut hash = Sha256::new_with_prefix(file.name.as_encoded_bytes()).chain_update([0]);
        loop {
            match content.read(buffer) {
                Ok(0) if content.limit() == 0 => return Err(io::Error::other(FileError::TooLarge(LARGEST_REVISION))),
                Ok(0) => return Ok(hash.finalize().into()),
                Ok(length) => {
                    hash.update(&buffer[..length]);
                    keep(&buffer[..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
