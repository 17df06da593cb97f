//! A bar at the foot of a terminal, out of the way of the log lines.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::escape;
use crate::host::{Event, Observer};

/// Standard error, with the bar that is on it now, so that log lines can step around it. Clones share the bar.
#[derive(Clone, Debug, Default)]
pub struct Terminal {
    bar: Arc<Mutex<Option<ProgressBar>>>,
}

impl Terminal {
    /// An observer that shows the progress of statements as a bar, if standard error is a terminal.
    pub fn progress_bar(&self) -> Option<ProgressObserver> {
        io::stderr().is_terminal().then(|| ProgressObserver { terminal: self.clone() })
    }

    fn take_bar(&self) -> Option<ProgressBar> {
        self.bar().take()
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bar = self.bar().clone();
        match bar {
            Some(bar) => bar.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Shows the progress of statements as a bar.
#[derive(Debug)]
pub struct ProgressObserver {
    terminal: Terminal,
}

impl Observer for ProgressObserver {
    fn observe(&self, event: &Event<'_>) {
        if let Event::StatementProgress(progress) = event {
            self.show(&progress.to_string(), progress.percent);
        } else if let Event::StatementProgressEnded = event
            && let Some(bar) = self.terminal.take_bar()
        {
            bar.finish_and_clear();
        }
    }
}

impl ProgressObserver {
    fn show(&self, text: &str, percent: Option<f64>) {
        let bar = self.terminal.bar().get_or_insert_with(new_bar).clone();
        if let Some(percent) = percent {
            bar.set_style(style("{spinner} [{bar:20}] {wide_msg}"));
            bar.set_position(percent.clamp(0.0, 100.0) as u64);
        }
        bar.set_message(escape::line(text).to_string());
    }
}

/// A bar that turns by itself until it knows how far it is.
fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr());
    bar.set_style(style("{spinner} {wide_msg}"));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
