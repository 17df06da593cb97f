//! The names of the revision files in a folder.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, RawDir, openat};
use rustix::io::Errno;

use crate::revision::{Fault, FileProblem};

/// The stem of the model's file or folder, which is no revision.
const MODEL: &str = "schema";

/// The size of the buffer for directory entries.
const BUFFER: usize = 64 * 1024;

/// The `.sql` files of a folder, without the model. Hidden files (`..data` of a ConfigMap) and other extensions are ignored.
pub(super) struct FolderListing {
    /// The folder, opened.
    pub(super) folder: OwnedFd,
    /// The names one after the other, each terminated by a NUL.
    names: Vec<u8>,
    /// Names whose extension is `.sql` in the wrong case.
    pub(super) faults: Vec<Fault>,
    /// Whether there is a subfolder that is not hidden, as far as the file system tells without another question.
    pub(super) has_subfolder: bool,
}

impl FolderListing {
    /// Lists the folder at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Vec<Fault>> {
        let unreadable = |error: Errno| {
            let missing = error == Errno::NOENT;
            vec![Fault::of(path, if missing { FileProblem::NoFolder } else { FileProblem::Unreadable(io::Error::from(error).to_string()) })]
        };
        let folder = openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(unreadable)?;
        let (mut names, mut faults, mut has_subfolder) = (Vec::new(), Vec::new(), false);
        let mut buffer = Vec::with_capacity(BUFFER);
        let mut entries = RawDir::new(&folder, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            has_subfolder |= entry.file_type() == FileType::Directory && !name.to_bytes().starts_with(b".");
            let (stem, extension) = match name.to_bytes().iter().rposition(|byte| *byte == b'.') {
                Some(dot) if dot > 0 => name.to_bytes().split_at(dot),
                _ => continue,
            };
            if stem.starts_with(b".") || stem == MODEL.as_bytes() {
                continue;
            }
            match extension {
                b".sql" => names.extend_from_slice(name.to_bytes_with_nul()),
                other if other.eq_ignore_ascii_case(b".sql") => {
                    let problem = FileProblem::Extension(String::from_utf8_lossy(other).into_owned());
                    faults.push(Fault::of(&path.join(as_os_str(name)), problem));
                }
                _ => {}
            }
        }
        Ok(Self { folder, names, faults, has_subfolder })
    }

    /// The names, in no order.
    pub(super) fn names(&self) -> Vec<&CStr> {
        self.names.split_inclusive(|byte| *byte == 0).filter_map(|name| CStr::from_bytes_with_nul(name).ok()).collect()
    }
}

/// A file name as the standard library has it.
pub(super) fn as_os_str(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}
