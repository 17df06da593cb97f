//! Work on many files, in several threads.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{self, available_parallelism};

/// More files than this are read and parsed by several threads: a file takes about ten microseconds, starting a thread some tens.
pub(super) const FILES_PER_THREAD: usize = 100;

/// More files than this are hashed by several threads. One thread hashes so many during the login to the server, which may need the
/// other processor of this machine.
pub(super) const DIGEST_FILES_PER_THREAD: usize = 2000;

/// The maximum number of threads: they mostly wait for the kernel.
const MAX_THREADS: usize = 4;

/// How many threads to use for so many files, with `each` files for one thread.
fn thread_count(files: usize, each: usize) -> usize {
    match files.div_ceil(each).min(MAX_THREADS) {
        0 | 1 => 1,
        threads => threads.min(available_parallelism().map_or(1, NonZero::get)),
    }
}

/// Maps a list part by part, in its order, in several threads if it has more than `each` items.
pub(super) fn map_in_parts<T: Send, U: Send>(mut list: Vec<T>, each: usize, work: impl Fn(Vec<T>) -> Vec<U> + Sync) -> Vec<U> {
    let part = list.len().div_ceil(thread_count(list.len(), each));
    let work = &work;
    thread::scope(|scope| {
        let mut others = Vec::new();
        while list.len() > part {
            let last = list.split_off((list.len() - 1) / part * part);
            others.push(scope.spawn(move || work(last)));
        }
        let mut outcomes = work(list);
        for thread in others.into_iter().rev() {
            // Errors are in the outcomes. A panic is a bug, and is passed on.
            outcomes.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        outcomes
    })
}
