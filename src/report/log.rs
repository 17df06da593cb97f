//! Log lines, on stderr: text for people or JSON lines.

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::progress::{Bar, BesideBar};
use crate::config::{LogFormat, Reporting};

/// Starts logging for the rest of the process.
pub fn start(reporting: &Reporting) {
    if reporting.format == LogFormat::Text {
        Bar::allow();
    }
    let registry = tracing_subscriber::registry().with(reporting.filter.clone());
    let started = match reporting.format {
        LogFormat::Text => registry
            .with(tracing_subscriber::fmt::layer().with_writer(Stderr).with_target(false).with_ansi(false).event_format(Plain))
            .try_init(),
        LogFormat::Json => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_span_list(false)
                    .with_writer(Stderr),
            )
            .try_init(),
    };
    // A second start, in a test of the library, keeps the first.
    drop(started);
}

/// Standard error; a reader that went away is no reason to stop a migration.
struct Stderr;

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = BesideBar;

    fn make_writer(&'a self) -> Self::Writer {
        BesideBar
    }
}

/// `2026-11-22T10:15:00.123Z INFO  message`.
struct Plain;

impl<S, N> tracing_subscriber::fmt::FormatEvent<S, N> for Plain
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    N: for<'a> tracing_subscriber::fmt::FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &tracing_subscriber::fmt::FmtContext<'_, S, N>,
        mut writer: tracing_subscriber::fmt::format::Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        let now = humantime::format_rfc3339_millis(std::time::SystemTime::now());
        write!(writer, "{now} {:<5} ", event.metadata().level())?;
        let mut message = Message(String::new());
        event.record(&mut message);
        writeln!(writer, "{}", message.0)
    }
}

/// The message alone: its fields repeat, for machines, what it says.
struct Message(String);

impl tracing::field::Visit for Message {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
