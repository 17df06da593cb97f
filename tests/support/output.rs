//! What comes out of a running program.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

/// What came out of a pipe so far, in chunks rather than lines: a question has no line end.
#[derive(Default)]
pub(super) struct Output {
    so_far: Mutex<SoFar>,
    changed: Condvar,
}

#[derive(Default)]
struct SoFar {
    bytes: Vec<u8>,
    closed: bool,
}

impl Output {
    /// Reads a pipe from now on.
    pub(super) fn of(mut pipe: impl Read + Send + 'static) -> Arc<Output> {
        let output = Arc::new(Output::default());
        let writer = output.clone();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            loop {
                let length = pipe.read(&mut chunk).unwrap_or(0);
                let mut so_far = writer.so_far.lock().expect("the output");
                so_far.bytes.extend(&chunk[..length]);
                so_far.closed = length == 0;
                writer.changed.notify_all();
                if so_far.closed {
                    return;
                }
            }
        });
        output
    }

    /// What came so far.
    pub(super) fn text(&self) -> String {
        self.so_far.lock().expect("the output").text()
    }

    /// Returns when the text has what is sought, the pipe is closed or the deadline is over: whether it has it.
    pub(super) fn wait_for(&self, sought: &str, deadline: Instant) -> bool {
        self.wait_while(deadline, |so_far| !so_far.closed && !so_far.text().contains(sought)).text().contains(sought)
    }

    /// Returns when the pipe is closed or the deadline is over: whether it is closed.
    pub(super) fn wait_for_end(&self, deadline: Instant) -> bool {
        self.wait_while(deadline, |so_far| !so_far.closed).closed
    }

    fn wait_while(&self, deadline: Instant, go_on: impl Fn(&SoFar) -> bool) -> MutexGuard<'_, SoFar> {
        let left = deadline.saturating_duration_since(Instant::now());
        let so_far = self.so_far.lock().expect("the output");
        self.changed.wait_timeout_while(so_far, left, |so_far| go_on(so_far)).expect("the output").0
    }
}

impl SoFar {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}
