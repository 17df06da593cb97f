//! The digest of a folder: one checksum of the names and contents of all its revision files.

use std::fmt;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use pg_connect::file::{Readings, watched};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::file_hash::{BUFFER, FileHash, hash_file};
use super::listing::FolderListing;
use super::subfolders::subfolders_with_revisions;
use super::workers::{CHUNK, DIGEST_FILES_PER_THREAD, thread_count};
use crate::revision::checksum::hex;

/// The SHA-256 of the sorted hashes of all revision files of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderDigest(String);

impl FolderDigest {
    /// Computes the digest of a folder, without keeping the files' contents. `None` if a file can't be read or the folder has a fault,
    /// which [`super::RevisionFiles::read`] returns.
    ///
    /// This is most of the work of a run that has nothing to do, so it makes three system calls for a file: open, read, close. A read
    /// that does not fill the buffer is taken for the end of the file. On a file system where that is wrong the digest differs, and the
    /// caller then reads the files completely.
    pub fn of(folder: &Path) -> Option<Self> {
        let path = folder.to_owned();
        watched(folder, move |readings| Self::compute(&path, readings)).ok().flatten()
    }

    fn compute(folder: &Path, readings: &Readings) -> Option<Self> {
        let listing = FolderListing::read(folder).ok()?;
        let names = listing.names();
        if !listing.faults.is_empty() || names.is_empty() {
            return None;
        }
        // Its files may be meant as revisions: then the caller says that they are not read.
        if listing.has_subfolder && !subfolders_with_revisions(folder).is_empty() {
            return None;
        }
        let mut hashes = vec![FileHash::default(); names.len()];
        let parts = Mutex::new(names.chunks(CHUNK).zip(hashes.chunks_mut(CHUNK)));
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            let mut buffer = vec![0; BUFFER];
            let slot = readings.slot();
            while let Some((names, hashes)) = next() {
                for (name, hash) in names.iter().zip(hashes) {
                    slot.begin(name.to_bytes());
                    *hash = hash_file(&listing.folder, name, &mut buffer)?;
                }
            }
            Ok::<_, Errno>(())
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..thread_count(names.len(), DIGEST_FILES_PER_THREAD)).map(|_| scope.spawn(work)).collect();
            let mine = work();
            others.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).and(mine)
        })
        .ok()?;
        Some(Self::combine(hashes))
    }

    /// Combines hashes in any order: it sorts them by their first 64 bits, which is faster than sorting the files by name. If these bits
    /// were the same for two files, the digest could differ from run to run, with no other consequence than reading the files again.
    pub(super) fn combine(mut hashes: Vec<FileHash>) -> Self {
        hashes.sort_by_key(|hash| u64::from(hash[0]) << 32 | u64::from(hash[1]));
        let words: Vec<[u8; 4]> = hashes.as_flattened().iter().map(|word| word.to_be_bytes()).collect();
        Self(hex(&Sha256::digest(words.as_flattened())))
    }
}

impl fmt::Display for FolderDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
