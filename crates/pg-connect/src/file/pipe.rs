//! Pipes: read once, without waiting forever for a writer.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read};

use super::error::{FileError, READ_TIMEOUT};

/// What was read from a pipe.
#[derive(Default)]
struct ReadPipe {
    bytes: Vec<u8>,
    /// Whether its end was reached. If not, a later read goes on.
    is_complete: bool,
}

/// The pipes that were read, by device and inode. Locked during a read, so that two reads do not share a pipe's content.
static PIPES: Mutex<BTreeMap<(u64, u64), ReadPipe>> = Mutex::new(BTreeMap::new());

/// Reads a pipe to its end, or returns what was read from it before.
pub(super) fn read_pipe(path: &Path, identity: (u64, u64), largest: u64) -> Result<Vec<u8>, FileError> {
    // Another read of a pipe may be under way: its time counts for this one too.
    let deadline = Instant::now() + READ_TIMEOUT;
    let mut pipes = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
    let pipe = pipes.entry(identity).or_default();
    let is_too_large = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX) > largest;
    if !pipe.is_complete {
        let file = open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).map_err(std::io::Error::from)?;
        let mut buffer = [0; 4096];
        while !pipe.is_complete && !is_too_large(&pipe.bytes) {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or_default();
            // Before a first writer comes, the end of the file would be reported at once; `poll` waits for one.
            match poll(&mut [PollFd::new(&file, PollFlags::IN)], Some(&left)) {
                Ok(0) => return Err(FileError::OpenPipe),
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(std::io::Error::from(error).into()),
            }
            match read(&file, &mut buffer) {
                Ok(0) => pipe.is_complete = true,
                Ok(length) => pipe.bytes.extend_from_slice(&buffer[..length]),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(std::io::Error::from(error).into()),
            }
        }
    }
    if is_too_large(&pipe.bytes) { Err(FileError::TooLarge(largest)) } else { Ok(pipe.bytes.clone()) }
}
