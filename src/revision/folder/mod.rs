//! A folder's files: read, and into revisions, several at a time.

use std::ffi::{CStr, OsStr};
use std::io::Read as _;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, available_parallelism};
use std::{fmt, fs, io};

use rustix::fs::{CWD, Mode, OFlags, RawDir, openat};
use rustix::io::{Errno, read};
use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

use crate::revision::checksum::hex;
use crate::revision::format::{ParsedRevision, parse};
use crate::revision::{Fault, FileProblem};

/// The name that is the model, not a revision (a file or a folder).
const MODEL: &str = "schema";

/// What the files of a folder hold, as it was read: not yet understood.
#[derive(Debug)]
pub struct RevisionFiles {
    /// By name.
    files: Vec<RevisionFile>,
    /// What is wrong with the folder itself.
    faults: Vec<Fault>,
}

/// The SHA-256 of a file's name, a NUL and its bytes.
type Sum = [u32; 8];

#[derive(Debug)]
struct RevisionFile {
    path: PathBuf,
    /// Its bytes, and its checksum.
    content: io::Result<(Vec<u8>, Sum)>,
}

impl RevisionFiles {
    /// Reads the files of a folder.
    pub fn read(folder: &Path) -> Result<Self, Vec<Fault>> {
        let Listing { folder: opened, names, faults } = Listing::of(folder)?;
        let mut names = each(&names);
        if names.is_empty() && faults.is_empty() {
            return Err(vec![Fault::of(folder, FileProblem::NoRevisions)]);
        }
        names.sort();
        let read_some = |names: Vec<&CStr>| {
            let mut buffer = vec![0; BUFFER];
            let read = |name: &CStr| RevisionFile { path: folder.join(text(name)), content: read_file(&opened, name, &mut buffer) };
            names.into_iter().map(read).collect()
        };
        Ok(Self { files: in_parts(names, read_some), faults })
    }

    /// What all of them come to, names and bytes; nothing if some could not be read.
    pub fn digest(&self) -> Option<FolderDigest> {
        let sums: Option<Vec<Sum>> = self.files.iter().map(|file| file.content.as_ref().ok().map(|(_, sum)| *sum)).collect();
        sums.filter(|_| self.faults.is_empty()).map(FolderDigest::together)
    }

    /// The revisions that they are; or every fault found in them.
    pub(super) fn parse(self) -> Result<Vec<ParsedRevision>, Vec<Fault>> {
        let Self { files, mut faults } = self;
        let mut revisions = Vec::with_capacity(files.len());
        for outcome in in_parts(files, parse_some) {
            match outcome {
                Ok(revision) => revisions.push(revision),
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(revisions) } else { Err(faults) }
    }
}

/// The checksum of all files of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderDigest(String);

impl FolderDigest {
    /// What the files of a folder come to, without keeping what they hold; nothing if they can't be read, or the folder has
    /// a fault of its own: [`Files::read`] says which.
    ///
    /// This is most of what a run with nothing to do does, so a file costs three calls to the kernel: open, read, close. A
    /// read that leaves room in the buffer is taken for the end. Where that is wrong, on some odd file system, this is not
    /// the checksum of the folder, and who compares it reads the files again, to their ends.
    pub fn of(folder: &Path) -> Option<Self> {
        let Listing { folder, names, faults } = Listing::of(folder).ok()?;
        let names = each(&names);
        if !faults.is_empty() || names.is_empty() {
            return None;
        }
        let mut sums = vec![Sum::default(); names.len()];
        let parts = Mutex::new(names.chunks(PART).zip(sums.chunks_mut(PART)));
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            let mut buffer = vec![0; BUFFER];
            while let Some((names, sums)) = next() {
                for (name, sum) in names.iter().zip(sums) {
                    *sum = sum_file(&folder, name, &mut buffer)?;
                }
            }
            Ok::<_, Errno>(())
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..threads(names.len(), WORTH_A_LOGIN)).map(|_| scope.spawn(work)).collect();
            let mine = work();
            others.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).and(mine)
        })
        .ok()?;
        Some(Self::together(sums))
    }

    /// Whatever order they are in: to sort sums is quicker than to sort the files' names, and quicker yet by their first 64
    /// bits. Were those of two ever the same, this might be another checksum the next time, and nothing worse.
    fn together(mut sums: Vec<Sum>) -> Self {
        sums.sort_by_key(|sum| u64::from(sum[0]) << 32 | u64::from(sum[1]));
        let words: Vec<[u8; 4]> = sums.as_flattened().iter().map(|word| word.to_be_bytes()).collect();
        Self(hex(&Sha256::digest(words.as_flattened())))
    }
}

impl fmt::Display for FolderDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The `.sql` files of a folder but the model. Hidden files (a ConfigMap's `..data`) and other kinds are not ours.
struct Listing {
    folder: OwnedFd,
    /// One after the other, each with a NUL at its end.
    names: Vec<u8>,
    /// Names that are almost ours.
    faults: Vec<Fault>,
}

impl Listing {
    fn of(path: &Path) -> Result<Self, Vec<Fault>> {
        let unreadable = |error: Errno| {
            let missing = error == Errno::NOENT;
            vec![Fault::of(path, if missing { FileProblem::NoFolder } else { FileProblem::Unreadable(io::Error::from(error).to_string()) })]
        };
        let folder = openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(unreadable)?;
        let (mut names, mut faults) = (Vec::new(), Vec::new());
        let mut buffer = Vec::with_capacity(BUFFER);
        let mut entries = RawDir::new(&folder, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
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
                    faults.push(Fault::of(&path.join(text(name)), problem));
                }
                _ => {}
            }
        }
        Ok(Self { folder, names, faults })
    }
}

/// The names of a listing.
fn each(names: &[u8]) -> Vec<&CStr> {
    names.split_inclusive(|byte| *byte == 0).filter_map(|name| CStr::from_bytes_with_nul(name).ok()).collect()
}

fn text(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}

/// What is read at once: more than most files hold.
const BUFFER: usize = 64 * 1024;
/// More files than this are parsed by several threads: to read and parse one takes ten microseconds, and a thread some tens.
const WORTH_A_THREAD: usize = 100;
/// More files than this are only read by several threads: one thread has so many while the server, which may be on
/// this machine and need the other processor, lets us in.
const WORTH_A_LOGIN: usize = 2000;
/// How many files a thread takes before it asks for more.
const PART: usize = 64;
/// No more threads than this: what they wait for is the kernel.
const MOST_THREADS: usize = 4;

/// How many threads so many files are worth.
fn threads(files: usize, each: usize) -> usize {
    match files.div_ceil(each).min(MOST_THREADS) {
        0 | 1 => 1,
        // To count the processors takes some twenty calls to the kernel.
        threads => threads.min(available_parallelism().map_or(1, NonZero::get)),
    }
}

/// Does some work on a list, part by part in several threads, and keeps its order.
fn in_parts<T: Send, U: Send>(mut list: Vec<T>, work: impl Fn(Vec<T>) -> Vec<U> + Sync) -> Vec<U> {
    let part = list.len().div_ceil(threads(list.len(), WORTH_A_THREAD));
    let work = &work;
    thread::scope(|scope| {
        let mut others = Vec::new();
        while list.len() > part {
            let last = list.split_off((list.len() - 1) / part * part);
            others.push(scope.spawn(move || work(last)));
        }
        let mut outcomes = work(list);
        for thread in others.into_iter().rev() {
            // What a part meets is in its outcomes: it panics only by a bug, and then all ends.
            outcomes.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        outcomes
    })
}

fn parse_some(files: Vec<RevisionFile>) -> Vec<Result<ParsedRevision, Vec<Fault>>> {
    let parse = |RevisionFile { path, content }: RevisionFile| match content {
        Ok((bytes, _)) => parse(&path, bytes),
        Err(error) => Err(vec![Fault::of(&path, FileProblem::Unreadable(error.to_string()))]),
    };
    files.into_iter().map(parse).collect()
}

/// Opens a file of a folder; a FIFO does not keep us until somebody writes to it.
fn open(folder: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(folder, name, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
}

/// The bytes of a file, and its checksum.
fn read_file(folder: &OwnedFd, name: &CStr, buffer: &mut [u8]) -> io::Result<(Vec<u8>, Sum)> {
    let mut file = fs::File::from(open(folder, name)?);
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    if filled == 0 && !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    // By way of the buffer, so that nobody asks for a size: most files are smaller.
    let mut bytes = buffer[..filled].to_vec();
    if filled == buffer.len() {
        file.read_to_end(&mut bytes)?;
    }
    let sum = words(Sha256::new_with_prefix(name.to_bytes_with_nul()).chain_update(&bytes));
    Ok((bytes, sum))
}

/// The checksum of a file alone.
fn sum_file(folder: &OwnedFd, name: &CStr, buffer: &mut [u8]) -> Result<Sum, Errno> {
    let file = open(folder, name)?;
    let name = name.to_bytes_with_nul();
    buffer.get_mut(..name.len()).ok_or(Errno::NAMETOOLONG)?.copy_from_slice(name);
    let mut end = name.len() + read(&file, &mut buffer[name.len()..])?;
    if let Some(sum) = sum_in_place(buffer, end) {
        return Ok(sum);
    }
    let mut hash = Sha256::new();
    loop {
        hash.update(&buffer[..end]);
        if end < buffer.len() {
            return Ok(words(hash));
        }
        end = read(&file, &mut *buffer)?;
    }
}

fn words(hash: Sha256) -> Sum {
    let bytes: [u8; 32] = hash.finalize().into();
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|number| u32::from_be_bytes(words[number]))
}

/// What SHA-256 begins with (FIPS 180-4, 5.3.3).
const INITIAL: [u32; 8] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The SHA-256 of what a buffer begins with, if there is room behind it for what SHA-256 puts there: a bit, zeros, and the
/// length in bits (FIPS 180-4, 5.1.1). [`Sha256`] copies a text piece by piece, which for a small one takes longer than
/// the rest.
fn sum_in_place(buffer: &mut [u8], length: usize) -> Option<Sum> {
    let end = (length + 9).next_multiple_of(64);
    let (text, padding) = buffer.get_mut(..end)?.split_at_mut(length);
    let bits = u64::try_from(text.len()).ok()? * 8;
    let (zeros, last) = padding.split_last_chunk_mut()?;
    zeros.fill(0);
    zeros[0] = 0x80;
    *last = bits.to_be_bytes();
    let mut sum = INITIAL;
    compress256(&mut sum, buffer[..end].as_chunks().0);
    Some(sum)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::symlink;

    use super::*;

    /// The digest made in haste, which must be the one made with care.
    fn digest(folder: &Path) -> Option<FolderDigest> {
        let digest = FolderDigest::of(folder);
        assert_eq!(digest, RevisionFiles::read(folder).ok().and_then(|files| files.digest()));
        digest
    }

    #[test]
    fn a_digest_made_in_haste_is_the_one_made_with_care() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let mut digests = vec![digest(folder)];
        assert_eq!(digests, [None], "no files");
        let name = "1_a.sql\0".len();
        // Around the ends of a block of SHA-256 and of the buffer, with the name in front of it or without.
        let ends = [64, 128, BUFFER, 2 * BUFFER].into_iter().flat_map(|end| end - name - 10..end + 10);
        for length in [0, 1, 5 * BUFFER].into_iter().chain(ends) {
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
        for number in 0..WORTH_A_LOGIN * 2 + PART + 1 {
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
