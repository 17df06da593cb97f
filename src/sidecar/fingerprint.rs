//! A fingerprint of the folder of revisions, to detect changes.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pg_connect::file::watched;

/// Names, inodes, sizes and times of a folder's files. Links are followed: a ConfigMap changes by one link to another folder
/// (Kubernetes documentation, "Mounted ConfigMaps are updated automatically"), behind which every file is a new one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FolderFingerprint {
    /// The folder answered.
    Files(Vec<(OsString, Option<WatchedFile>)>),
    /// It did not answer.
    Stalled,
}

/// Includes the inode: two writes may have the same time where the file system's clock is coarse.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WatchedFile {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<fs::Metadata> for WatchedFile {
    fn from(file: fs::Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

impl FolderFingerprint {
    /// The fingerprint of the folder now. A folder that can't be listed counts as empty, a file that can't be read as one without
    /// metadata.
    pub(crate) fn of(folder: &Path) -> Self {
        let path = folder.to_owned();
        watched(folder, move |_| Self::compute(&path)).unwrap_or(Self::Stalled)
    }

    fn compute(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries.map(|entry| (entry.file_name(), fs::metadata(entry.path()).ok().map(WatchedFile::from))).collect();
        files.sort();
        Self::Files(files)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_config_map_that_is_swapped_looks_different() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for (version, text) in [("..2026_1", "SELECT 1"), ("..2026_2", "SELECT 2")] {
            fs::create_dir(path(version)).expect("made");
            fs::write(path(version).join("001_a.sql"), text).expect("written");
        }
        symlink("..2026_1", path("..data")).expect("linked");
        symlink("..data/001_a.sql", path("001_a.sql")).expect("linked");
        let before = FolderFingerprint::of(folder.path());
        assert_eq!(FolderFingerprint::of(folder.path()), before);
        // Kubernetes renames a new link over the old one.
        symlink("..2026_2", path("..data_tmp")).expect("linked");
        fs::rename(path("..data_tmp"), path("..data")).expect("swapped");
        assert_ne!(FolderFingerprint::of(folder.path()), before);
    }

    #[test]
    fn a_file_that_comes_or_goes_or_grows_shows() {
        let folder = tempfile::tempdir().expect("a folder");
        let empty = FolderFingerprint::of(folder.path());
        fs::write(folder.path().join("1.sql"), "a").expect("written");
        let one = FolderFingerprint::of(folder.path());
        assert_ne!(one, empty);
        fs::write(folder.path().join("1.sql"), "ab").expect("written");
        assert_ne!(FolderFingerprint::of(folder.path()), one);
        fs::remove_file(folder.path().join("1.sql")).expect("removed");
        assert_eq!(FolderFingerprint::of(folder.path()), empty);
    }
}
