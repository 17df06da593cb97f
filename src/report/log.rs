//! Log lines, on stderr: text for people or JSON lines.

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::progress::{Bar, BesideBar};
use crate::config::{LogFormat, Reporting};

/// Starts logging for the rest of the process.
pub fn start(reporting: &Reporting) {
    if reporting.format == LogFormat::Text {
        Bar::allow();
    }
    let json = Format::default().json().flatten_event(true).with_current_span(false).with_span_list(false);
    let lines = tracing_subscriber::fmt::layer().with_writer(Stderr).event_format(Lines { format: reporting.format, json });
    let started = tracing_subscriber::registry().with(reporting.filter.clone()).with(lines).try_init();
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

/// One line for each event; as text, `2026-11-22T10:15:00.123Z INFO  message`.
struct Lines {
    format: LogFormat,
    json: Format<Json>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> std::fmt::Result {
        if self.format == LogFormat::Json {
            return self.json.format_event(context, writer, event);
        }
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
