//! The digest of a folder: one checksum of the names and contents of all its revision files.

use std::fmt;
use std::io;
use std::path::Path;

use pg_connect::file::{Readings, watched};
use sha2::{Digest as _, Sha256};

use super::file_hash::{BUFFER, FileHash, FolderReader};
use super::listing::{FolderListing, ListedFile};
use super::subfolders::subfolders_with_revisions;
use super::workers::{DIGEST_FILES_PER_THREAD, map_in_parts};
use crate::revision::checksum::hex;

/// The SHA-256 of the sorted hashes of all revision files of a folder. The journal keeps a hash of it
/// ([`crate::revision::applied_digest`]): with another definition, each database would have its files compared once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderDigest(String);

impl FolderDigest {
    /// Computes the digest of a folder, without keeping the files' contents. `None` if a file can't be read or the folder has a fault,
    /// which [`super::RevisionFiles::read`] returns. This is most of the work of a run that has nothing to do.
    pub fn of(folder: &Path) -> Option<Self> {
        let path = folder.to_owned();
        watched(folder, move |readings| Self::compute(&path, readings)).ok().flatten()
    }

    fn compute(folder: &Path, readings: &Readings) -> Option<Self> {
        let FolderListing { files, faults, subfolders } = FolderListing::read(folder).ok()?;
        // The files of a subfolder may be meant as revisions: then the caller says that they are not read.
        if !faults.is_empty() || files.is_empty() || !subfolders_with_revisions(subfolders).is_empty() {
            return None;
        }
        let reader = FolderReader::open(folder).ok()?;
        let hash_some = |files: Vec<ListedFile>| {
            let mut buffer = vec![0; BUFFER];
            let slot = readings.slot();
            let hash = |file: ListedFile| {
                slot.begin(file.name.as_encoded_bytes());
                reader.read(&file, &mut buffer, |_| ())
            };
            files.into_iter().map(hash).collect()
        };
        let hashes: io::Result<Vec<FileHash>> = map_in_parts(files, DIGEST_FILES_PER_THREAD, hash_some).into_iter().collect();
        hashes.ok().map(Self::combine)
    }

    /// Combines the hashes of files, which may be in any order.
    pub(super) fn combine(mut hashes: Vec<FileHash>) -> Self {
        hashes.sort_unstable();
        Self(hex(&Sha256::digest(hashes.as_flattened())))
    }
}

impl fmt::Display for FolderDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
