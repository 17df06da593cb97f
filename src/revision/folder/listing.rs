//! The names of the revision files in a folder.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::revision::{Fault, FileProblem};

/// The stem of the model's file or folder, which is no revision.
const MODEL: &str = "schema";

/// A revision file in a folder.
pub(super) struct ListedFile {
    pub(super) name: OsString,
    /// Whether the folder has it as a plain file: not as a link, a folder, a FIFO or a device.
    pub(super) is_plain: bool,
}

/// The `.sql` files of a folder, without the model. Hidden files (`..data` of a ConfigMap) and other extensions are ignored.
#[derive(Default)]
pub(super) struct FolderListing {
    /// The files, in no order.
    pub(super) files: Vec<ListedFile>,
    /// Names whose extension is `.sql` in the wrong case.
    pub(super) faults: Vec<Fault>,
    /// The subfolders that are not hidden.
    pub(super) subfolders: Vec<PathBuf>,
}

impl FolderListing {
    /// Lists the folder at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Vec<Fault>> {
        let unreadable = |error: io::Error| {
            let missing = error.kind() == io::ErrorKind::NotFound;
            vec![Fault::of(path, if missing { FileProblem::NoFolder } else { FileProblem::Unreadable(error.to_string()) })]
        };
        let mut listing = Self::default();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let bytes = name.as_encoded_bytes();
            if bytes.starts_with(b".") {
                continue;
            }
            // The folder itself has the kind of an entry on most file systems: no call to the kernel for each.
            let kind = entry.file_type().ok();
            if kind.is_some_and(|kind| kind.is_dir()) {
                listing.subfolders.push(entry.path());
            }
            let Some(dot) = bytes.iter().rposition(|byte| *byte == b'.') else { continue };
            match bytes.split_at(dot) {
                (stem, _) if stem == MODEL.as_bytes() => {}
                (_, b".sql") => listing.files.push(ListedFile { name, is_plain: kind.is_some_and(|kind| kind.is_file()) }),
                (_, other) if other.eq_ignore_ascii_case(b".sql") => {
                    let problem = FileProblem::Extension(String::from_utf8_lossy(other).into_owned());
                    listing.faults.push(Fault::of(&entry.path(), problem));
                }
                _ => {}
            }
        }
        Ok(listing)
    }
}
