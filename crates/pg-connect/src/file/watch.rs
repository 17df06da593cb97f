//! A thread for work on files, which is left behind when a file does not answer.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::error::READ_TIMEOUT;

/// A pipe's own timeout ends before this one, which knows less.
const GRACE: Duration = Duration::from_millis(500);

/// What is being read, for the message about a file that does not answer, and how much was.
#[derive(Debug, Default)]
pub struct Readings {
    /// How many files were begun.
    begun: AtomicU64,
    /// The name that each worker is at; empty between files.
    slots: Mutex<Vec<Arc<Mutex<Vec<u8>>>>>,
}

/// The file that one worker is at.
#[derive(Debug)]
pub struct ReadingSlot<'r> {
    readings: &'r Readings,
    name: Arc<Mutex<Vec<u8>>>,
}

impl Readings {
    /// A slot for one more worker.
    pub fn slot(&self) -> ReadingSlot<'_> {
        let name = Arc::<Mutex<Vec<u8>>>::default();
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).push(name.clone());
        ReadingSlot { readings: self, name }
    }

    /// The name of a file that is being read.
    fn current(&self) -> Option<PathBuf> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names = slots.iter().map(|name| name.lock().unwrap_or_else(PoisonError::into_inner).clone());
        names.find(|name| !name.is_empty()).map(|name| PathBuf::from(OsStr::from_bytes(&name)))
    }
}

impl ReadingSlot<'_> {
    /// The worker begins to read the file of this name.
    pub fn begin(&self, name: &[u8]) {
        self.readings.begun.fetch_add(1, Ordering::Relaxed);
        let mut slot = self.name.lock().unwrap_or_else(PoisonError::into_inner);
        slot.clear();
        slot.extend_from_slice(name);
    }
}

impl Drop for ReadingSlot<'_> {
    fn drop(&mut self) {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Work that hangs.
struct StalledWork {
    /// Whether it ended in the meantime.
    has_ended: Arc<AtomicBool>,
    /// The file that did not answer, if it was about a folder.
    file: Option<PathBuf>,
}

/// Work that hangs, by the path that it is about.
static HANGING: Mutex<BTreeMap<PathBuf, StalledWork>> = Mutex::new(BTreeMap::new());

/// Does work on files in a thread, as long as it makes progress: no file may take longer than [`READ_TIMEOUT`]. An error is the path
/// that does not answer: that of a file within the folder `path`, or `path` itself. Until that work ends, other work on `path` fails
/// at once, so that no threads pile up.
pub fn watched<T: Send + 'static>(path: &Path, work: impl FnOnce(&Readings) -> T + Send + 'static) -> Result<T, PathBuf> {
    watched_within(READ_TIMEOUT + GRACE, path, work)
}

/// The same with a time limit of the caller's.
pub fn watched_within<T: Send + 'static>(
    timeout: Duration,
    path: &Path,
    work: impl FnOnce(&Readings) -> T + Send + 'static,
) -> Result<T, PathBuf> {
    let stalled = |file: &Option<PathBuf>| file.as_ref().map_or_else(|| path.to_owned(), |file| path.join(file));
    {
        let mut hanging = HANGING.lock().unwrap_or_else(PoisonError::into_inner);
        match hanging.get(path) {
            Some(work) if !work.has_ended.load(Ordering::Acquire) => return Err(stalled(&work.file)),
            Some(_) => drop(hanging.remove(path)),
            None => {}
        }
    }
    let (readings, has_ended) = (Arc::new(Readings::default()), Arc::new(AtomicBool::new(false)));
    let (sender, receiver) = channel();
    let (of_thread, ended) = (readings.clone(), has_ended.clone());
    let body = move || {
        let outcome = work(&of_thread);
        ended.store(true, Ordering::Release);
        drop(sender.send(outcome));
    };
    let Ok(worker) = thread::Builder::new().name("files".to_owned()).spawn(body) else { return Err(path.to_owned()) };
    let mut begun = 0;
    loop {
        match receiver.recv_timeout(timeout) {
            Ok(outcome) => return Ok(outcome),
            Err(RecvTimeoutError::Timeout) => {
                let now = readings.begun.load(Ordering::Relaxed);
                if now != begun {
                    begun = now;
                    continue;
                }
                let file = readings.current();
                let error = stalled(&file);
                HANGING.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), StalledWork { has_ended, file });
                return Err(error);
            }
            // The work panicked, which is a bug: the panic is passed on.
            Err(RecvTimeoutError::Disconnected) => match worker.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                Ok(()) => return Err(path.to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn work_that_hangs_is_left_behind_named_and_not_begun_again_until_it_ends() {
        let folder = Path::new("/a/folder/that/hangs");
        let (release, released) = mpsc::channel::<()>();
        let (ended, has_ended) = mpsc::channel::<()>();
        let hang = move |readings: &Readings| {
            let other = readings.slot();
            other.begin(b"001_read.sql");
            drop(other);
            let slot = readings.slot();
            slot.begin(b"002_hangs.sql");
            assert!(released.recv().is_err(), "released");
            drop(ended);
        };
        let stalled = watched_within(Duration::from_millis(20), folder, hang).expect_err("it hangs");
        assert_eq!(stalled, folder.join("002_hangs.sql"));
        let again = watched_within(Duration::from_secs(600), folder, |_| panic!("begun again")).expect_err("it still hangs");
        assert_eq!(again, stalled);
        assert_eq!(watched(Path::new("/another"), |_| 1), Ok(1));
        drop(release);
        assert!(has_ended.recv().is_err(), "it ended");
        while watched_within(Duration::from_secs(600), folder, |_| 2) != Ok(2) {
            thread::yield_now();
        }
    }
}
