//! A bar at the foot of a terminal, out of the way of the log lines.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::escape;

/// The bar that is on the terminal now, so that log lines can step around it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Whether log lines are for a person at a terminal.
static WANTED: OnceLock<bool> = OnceLock::new();

/// What is under way, until dropped.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// Allows bars, if standard error is a terminal.
    pub fn allow() {
        let _ = WANTED.set(io::stderr().is_terminal());
    }

    /// Whether there is a terminal to draw on, and its reader wants text.
    pub fn is_wanted() -> bool {
        WANTED.get().copied().unwrap_or(false)
    }

    /// A bar that turns by itself until it knows better.
    pub fn new() -> Self {
        let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr());
        bar.set_style(style("{spinner} {wide_msg}"));
        bar.enable_steady_tick(Duration::from_millis(200));
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self(bar)
    }

    /// Says what is under way, and how far it is.
    pub fn show(&self, text: &str, percent: Option<f64>) {
        if let Some(percent) = percent {
            self.0.set_style(style("{spinner} [{bar:20}] {wide_msg}"));
            self.0.set_position(percent.clamp(0.0, 100.0) as u64);
        }
        self.0.set_message(escape::line(text).to_string());
    }
}

impl Default for Bar {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Standard error beside the bar.
#[derive(Debug)]
pub struct BesideBar;

impl Write for BesideBar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match shown {
            Some(bar) => bar.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
