//! A folder's files: read, and into revisions, several at a time.

use std::io::{self, Read as _};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread::{self, available_parallelism};
use std::{fmt, fs};

use sha2::{Digest as _, Sha256};

use super::file::{Parsed, parse};
use super::{Fault, Problem, hex};

/// The name that is the model, not a revision (a file or a folder).
const MODEL: &str = "schema";

/// What the files of a folder hold, as it was read: not yet understood.
#[derive(Debug)]
pub struct Files {
    /// By name.
    files: Vec<File>,
    /// What is wrong with the folder itself.
    faults: Vec<Fault>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    /// Its bytes and their checksum.
    content: io::Result<(Vec<u8>, [u8; 32])>,
}

impl Files {
    /// Reads the files of a folder.
    pub fn read(folder: &Path) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let paths = files(folder, &mut faults)?;
        if paths.is_empty() && faults.is_empty() {
            return Err(vec![Fault::of(folder, Problem::NoRevisions)]);
        }
        Ok(Self { files: in_parts(paths, read_some), faults })
    }

    /// What all of them come to, names and bytes; nothing if some could not be read.
    pub fn digest(&self) -> Option<Digest> {
        if !self.faults.is_empty() {
            return None;
        }
        let mut hash = Sha256::new();
        for file in &self.files {
            let (_, content) = file.content.as_ref().ok()?;
            hash.update(file.path.file_name()?.as_encoded_bytes());
            // No name holds this sign, and every checksum is of one length.
            hash.update([0]);
            hash.update(content);
        }
        Some(Digest(hex(&hash.finalize())))
    }

    /// The revisions that they are; or every fault found in them.
    pub(super) fn parse(self) -> Result<Vec<Parsed>, Vec<Fault>> {
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
pub struct Digest(String);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The `.sql` files of a folder but the model, by name. Hidden files (a ConfigMap's `..data`) and other kinds are not ours.
fn files(folder: &Path, faults: &mut Vec<Fault>) -> Result<Vec<PathBuf>, Vec<Fault>> {
    let unreadable = |error: std::io::Error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        vec![Fault::of(folder, if missing { Problem::NoFolder } else { Problem::Unreadable(error.to_string()) })]
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let (stem, extension) = match name.as_encoded_bytes().iter().rposition(|byte| *byte == b'.') {
            Some(dot) if dot > 0 => name.as_encoded_bytes().split_at(dot),
            _ => continue,
        };
        if stem.starts_with(b".") || stem == MODEL.as_bytes() {
            continue;
        }
        match extension {
            b".sql" => names.push(name),
            other if other.eq_ignore_ascii_case(b".sql") => {
                let problem = Problem::Extension(String::from_utf8_lossy(other).into_owned());
                faults.push(Fault::of(&folder.join(&name), problem));
            }
            _ => {}
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// More files than this are read by several threads: to open one takes microseconds, and a thread some tens of them.
const ALONE: usize = 100;
/// No more threads than this: what they wait for is the kernel.
const MOST_THREADS: usize = 4;

/// Does some work on a list, part by part in several threads, and keeps its order.
fn in_parts<T: Send, U: Send>(mut list: Vec<T>, work: fn(Vec<T>) -> Vec<U>) -> Vec<U> {
    let threads = list.len().div_ceil(ALONE).min(MOST_THREADS);
    let threads = if threads > 1 { threads.min(available_parallelism().map_or(1, NonZero::get)) } else { 1 };
    let part = list.len().div_ceil(threads.max(1));
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

fn read_some(paths: Vec<PathBuf>) -> Vec<File> {
    let mut buffer = vec![0; 64 * 1024];
    let mut read = |path: &PathBuf| read_file(path, &mut buffer).map(|bytes| (Sha256::digest(&bytes).into(), bytes));
    let file = |path: PathBuf| File { content: read(&path).map(|(digest, bytes)| (bytes, digest)), path };
    paths.into_iter().map(file).collect()
}

fn parse_some(files: Vec<File>) -> Vec<Result<Parsed, Vec<Fault>>> {
    let parse = |File { path, content }: File| match content {
        Ok((bytes, _)) => parse(&path, bytes),
        Err(error) => Err(vec![Fault::of(&path, Problem::Unreadable(error.to_string()))]),
    };
    files.into_iter().map(parse).collect()
}

/// The content of a file, by way of a buffer: a file's size is not asked for, since most are smaller.
fn read_file(path: &Path, buffer: &mut [u8]) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => return Ok(buffer[..filled].to_vec()),
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let mut bytes = buffer.to_vec();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
