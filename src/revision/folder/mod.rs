//! A folder of revision files: listed, read and hashed, in several threads. Does not know the format of the files.

mod digest;
mod file_hash;
mod listing;
mod subfolders;
mod workers;

use std::io;
use std::path::{Path, PathBuf};

pub(crate) use digest::FolderDigest;
use file_hash::{BUFFER, FileHash, FolderReader};
use listing::{FolderListing, ListedFile};
use subfolders::subfolders_with_revisions;
use workers::{FILES_PER_THREAD, map_in_parts};

use pg_connect::file::{FileError, Readings, watched};

use super::{Fault, FileProblem};

/// The files of a folder: read, but not parsed.
#[derive(Debug)]
pub struct RevisionFiles {
    /// Sorted by name.
    files: Vec<RevisionFile>,
    /// The faults of the folder itself.
    faults: Vec<Fault>,
    /// Subfolders with `.sql` files, which are not read.
    pub(super) unread_folders: Vec<PathBuf>,
}

#[derive(Debug)]
struct RevisionFile {
    path: PathBuf,
    /// Its content and its hash.
    content: io::Result<(Vec<u8>, FileHash)>,
}

impl RevisionFiles {
    /// Reads the files of a folder.
    pub fn read(folder: &Path) -> Result<Self, Vec<Fault>> {
        let path = folder.to_owned();
        let reading = watched(folder, move |readings| Self::read_watched(&path, readings));
        reading.unwrap_or_else(|path| Err(vec![Fault::of(&path, FileProblem::Stalled(FileError::Stalled.to_string()))]))
    }

    fn read_watched(folder: &Path, readings: &Readings) -> Result<Self, Vec<Fault>> {
        let FolderListing { mut files, faults, subfolders } = FolderListing::read(folder)?;
        let unread_folders = subfolders_with_revisions(subfolders);
        if files.is_empty() && faults.is_empty() {
            let problem = match unread_folders.first() {
                Some(subfolder) => FileProblem::RevisionsInSubfolder(subfolder.display().to_string()),
                None => FileProblem::NoRevisions,
            };
            return Err(vec![Fault::of(folder, problem)]);
        }
        let reader = FolderReader::open(folder).map_err(|error| vec![Fault::of(folder, FileProblem::Unreadable(error.to_string()))])?;
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let read_some = |files: Vec<ListedFile>| {
            let mut buffer = vec![0; BUFFER];
            let slot = readings.slot();
            let read = |file: ListedFile| {
                slot.begin(file.name.as_encoded_bytes());
                let mut bytes = Vec::new();
                let hash = reader.read(&file, &mut buffer, |part| bytes.extend_from_slice(part));
                RevisionFile { path: folder.join(file.name), content: hash.map(|hash| (bytes, hash)) }
            };
            files.into_iter().map(read).collect()
        };
        Ok(Self { files: map_in_parts(files, FILES_PER_THREAD, read_some), faults, unread_folders })
    }

    /// The digest of all files; `None` if one could not be read.
    pub fn digest(&self) -> Option<FolderDigest> {
        let hashes: Option<Vec<FileHash>> = self.files.iter().map(|file| file.content.as_ref().ok().map(|(_, hash)| *hash)).collect();
        hashes.filter(|_| self.faults.is_empty()).map(FolderDigest::combine)
    }

    /// Parses all files with `parse`, in several threads, or returns all their faults.
    pub(super) fn parse<T: Send>(self, parse: impl Fn(&Path, Vec<u8>) -> Result<T, Vec<Fault>> + Sync) -> Result<Vec<T>, Vec<Fault>> {
        let Self { files, mut faults, .. } = self;
        let parse_file = |RevisionFile { path, content }: RevisionFile| match content {
            Ok((bytes, _)) => parse(&path, bytes),
            Err(error) if is_folder(&error) => Err(vec![Fault::of(&path, FileProblem::IsFolder)]),
            Err(error) => {
                let is_kind = error.get_ref().is_some_and(|error| error.is::<FileError>());
                let text = error.to_string();
                Err(vec![Fault::of(&path, if is_kind { FileProblem::NotReadable(text) } else { FileProblem::Unreadable(text) })])
            }
        };
        let mut parsed = Vec::with_capacity(files.len());
        for outcome in map_in_parts(files, FILES_PER_THREAD, |files| files.into_iter().map(&parse_file).collect()) {
            match outcome {
                Ok(file) => parsed.push(file),
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(parsed) } else { Err(faults) }
    }
}

/// Whether a file was not read because it is a folder.
fn is_folder(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|error| error.downcast_ref::<FileError>());
    error.kind() == io::ErrorKind::IsADirectory || matches!(inner, Some(FileError::NotAFile("a folder")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::workers::DIGEST_FILES_PER_THREAD;
    use super::*;

    /// The digest of a folder, which must be that of its files when their contents are kept.
    fn digest(folder: &Path) -> Option<FolderDigest> {
        let digest = FolderDigest::of(folder);
        assert_eq!(digest, RevisionFiles::read(folder).ok().and_then(|files| files.digest()));
        digest
    }

    #[test]
    fn the_digest_is_the_one_that_earlier_versions_recorded() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("2_b.sql"), "b").expect("written");
        fs::write(folder.path().join("1_a.sql"), "a").expect("written");
        let recorded = "12cf1b3177b4d64e9e746e5ced328a63574f0e7f6b9bc0d43247769d6327a275";
        assert_eq!(digest(folder.path()).expect("readable").to_string(), recorded);
    }

    #[test]
    fn each_name_and_content_has_a_digest_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let mut digests = vec![digest(folder)];
        assert_eq!(digests, [None], "no files");
        for length in [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, 5 * BUFFER] {
            fs::write(folder.join("1_a.sql"), vec![b'-'; length]).expect("written");
            digests.push(digest(folder));
        }
        let others: [(&OsStr, &[u8]); 3] =
            [(OsStr::new("2_b.sql"), b"-"), (OsStr::new("3_c.sql"), b"\xff\0"), (OsStr::from_bytes(b"4_\xff.sql"), b"")];
        for (name, bytes) in others {
            fs::write(folder.join(name), bytes).expect("written");
            digests.push(digest(folder));
        }
        // A name and a text that together are those of another.
        fs::rename(folder.join("2_b.sql"), folder.join("2_b.sql-.sql")).expect("renamed");
        digests.push(digest(folder));
        let distinct: BTreeSet<String> = digests.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(distinct.len(), digests.len() - 1);
    }

    #[test]
    fn what_is_not_ours_does_not_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        fs::write(folder.join("1_a.sql"), "a").expect("written");
        let before = digest(folder);
        for name in ["schema.sql", ".hidden.sql", "..2026.sql", "README", "2_b.txt", ".sql"] {
            fs::write(folder.join(name), "b").expect("written");
        }
        fs::create_dir(folder.join("more")).expect("made");
        assert_eq!(digest(folder), before);
        // As Kubernetes mounts a ConfigMap.
        fs::create_dir(folder.join("..data")).expect("made");
        fs::rename(folder.join("1_a.sql"), folder.join("..data/1_a.sql")).expect("moved");
        symlink("..data/1_a.sql", folder.join("1_a.sql")).expect("linked");
        assert_eq!(digest(folder), before);
        fs::write(folder.join("2_b.SQL"), "b").expect("written");
        assert_eq!(digest(folder), None, "a fault of the folder");
    }

    #[test]
    fn what_cannot_be_read_has_no_digest() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        fs::write(folder.join("1_a.sql"), "a").expect("written");
        symlink("nowhere", folder.join("2_b.sql")).expect("linked");
        assert_eq!(digest(folder), None, "as if it had vanished since it was listed");
        fs::remove_file(folder.join("2_b.sql")).expect("removed");
        fs::create_dir(folder.join("2_b.sql")).expect("made");
        assert_eq!(digest(folder), None, "a folder");
        assert_eq!(FolderDigest::of(&folder.join("1_a.sql")), None, "not a folder");
        assert_eq!(FolderDigest::of(&folder.join("nowhere")), None);
    }

    #[test]
    fn many_files_are_read_by_several_threads_and_come_to_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        for number in 0..DIGEST_FILES_PER_THREAD * 2 + 1 {
            fs::write(folder.join(format!("{number:05}_a.sql")), number.to_string()).expect("written");
        }
        let before = digest(folder);
        assert!(before.is_some());
        fs::write(folder.join("00100_a.sql"), "changed").expect("written");
        assert_ne!(digest(folder), before);
        symlink("nowhere", folder.join("04000_b.sql")).expect("linked");
        assert_eq!(digest(folder), None);
    }
}
