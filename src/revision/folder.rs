//! A folder's files into revisions, several at a time.

use std::fs;
use std::io::{self, Read as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread::{self, available_parallelism};

use super::file::{Parsed, parse};
use super::{Fault, Problem};

/// The name that is the model, not a revision (a file or a folder).
const MODEL: &str = "schema";

/// Reads all revisions of a folder, by name; or every fault found in it.
pub(super) fn read(folder: &Path) -> Result<Vec<Parsed>, Vec<Fault>> {
    let mut faults = Vec::new();
    let paths = files(folder, &mut faults)?;
    let mut revisions = Vec::with_capacity(paths.len());
    for outcome in read_all(&paths) {
        match outcome {
            Ok(revision) => revisions.push(revision),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(revisions) } else { Err(faults) }
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

/// Reads and parses files, in their order.
fn read_all(paths: &[PathBuf]) -> Vec<Result<Parsed, Vec<Fault>>> {
    let threads = paths.len().div_ceil(ALONE).min(MOST_THREADS);
    let threads = if threads > 1 { threads.min(available_parallelism().map_or(1, NonZero::get)) } else { 1 };
    let mut outcomes = Vec::with_capacity(paths.len());
    thread::scope(|scope| {
        let (mine, others) = paths.split_at(paths.len().div_ceil(threads.max(1)).min(paths.len()));
        let others: Vec<_> = others.chunks(mine.len().max(1)).map(|chunk| (chunk, scope.spawn(|| read_some(chunk)))).collect();
        outcomes.extend(read_some(mine));
        for (chunk, thread) in others {
            // A thread that could not do its work leaves it to this one.
            outcomes.extend(thread.join().unwrap_or_else(|_| read_some(chunk)));
        }
    });
    outcomes
}

fn read_some(paths: &[PathBuf]) -> Vec<Result<Parsed, Vec<Fault>>> {
    let mut buffer = vec![0; 64 * 1024];
    let read = |path: &PathBuf| match read_file(path, &mut buffer) {
        Ok(bytes) => parse(path, bytes),
        Err(error) => Err(vec![Fault::of(path, Problem::Unreadable(error.to_string()))]),
    };
    paths.iter().map(read).collect()
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
