//! Log lines, on stderr: text for people or JSON lines.

use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::SystemTime;

use humantime::format_rfc3339_millis;
use tracing::field::Field;
use tracing::{Event, Subscriber, error};
use tracing_subscriber::fmt::format::{self, Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, layer};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::registry;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::failure_report::FailureReport;
use crate::config::{LogFormat, Reporting};
use crate::escape;
use crate::progress::Terminal;

/// Starts logging for the rest of the process.
pub(crate) fn start(reporting: &Reporting, terminal: Terminal) {
    // If standard error is closed, a line is lost: the layer ignores errors.
    let lines = layer().with_writer(Arc::new(terminal));
    let lines = match reporting.format {
        LogFormat::Text => lines.event_format(TextLine).boxed(),
        LogFormat::Json => lines.event_format(JsonLine::new(None)).boxed(),
    };
    // In tests of the library it is called more than once; the first call counts.
    drop(registry().with(reporting.filter.clone()).with(lines).try_init());
}

/// Prints the log line of a command's failure, with all its facts, whatever the filter.
pub(super) fn print_failure(message: &str, report: &FailureReport) {
    let lines = layer().with_writer(Arc::new(Terminal::default())).event_format(JsonLine::new(Some(report)));
    log_failure(message, registry().with(lines));
}

fn log_failure(message: &str, subscriber: impl Subscriber + Send + Sync) {
    tracing::subscriber::with_default(subscriber, || error!(target: "pgmarch", "{message}"));
}

/// `2026-11-22T10:15:00.123Z INFO  message`. The library's own text has the fields too, which repeat values of the message, and
/// leaves line breaks and bidirectional controls of the message as they are.
struct TextLine;

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(writer, "{} {:<5} ", format_rfc3339_millis(SystemTime::now()), event.metadata().level())?;
        let mut outcome = Ok(());
        event.record(&mut |field: &Field, value: &dyn Debug| {
            if field.name() == "message" {
                outcome = write!(writer, "{}", escape::line(format_args!("{value:?}")));
            }
        });
        outcome?;
        writeln!(writer)
    }
}

/// `{"timestamp":"2026-11-22T10:15:00.123456Z","level":"INFO","message":"…",…,"target":"pgmarch::apply"}`: the library's, in
/// which control characters that JSON leaves as they are (DEL, C1, bidirectional) are escaped too.
struct JsonLine {
    format: Format<format::Json>,
    /// Further fields, `,"exit":6,…`: those of a failure are objects and lists, which an event can't have.
    more: String,
}

impl JsonLine {
    fn new(failure: Option<&FailureReport>) -> Self {
        let more = failure.map(|report| format!(",{}", report.log_fields())).unwrap_or_default();
        Self { format: Format::default().json().flatten_event(true).with_current_span(false).with_span_list(false), more }
    }
}

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        let fields = line.strip_suffix("}\n").ok_or(fmt::Error)?;
        writeln!(writer, "{}{}}}", escape::json(fields), self.more)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Seek as _};

    use serde_json::Value;
    use tracing::level_filters::LevelFilter;
    use tracing_subscriber::filter::Targets;

    use super::*;
    use crate::exit::Exit;
    use crate::facts::FailureFacts;

    fn file() -> Arc<File> {
        Arc::new(tempfile::tempfile().expect("a file"))
    }

    /// The only line of a log, split behind its time.
    fn line(mut log: &File) -> (String, String) {
        let mut text = String::new();
        log.rewind().and_then(|()| log.read_to_string(&mut text)).expect("read");
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
        let (time, rest) = text.split_once("Z").expect("a time");
        (time.to_owned(), rest.to_owned())
    }

    fn log_samples() {
        let nothing: Option<&str> = None;
        tracing::debug!("too little to be told");
        tracing::warn!(revision = "001\u{9b}", count = 3, share = 0.5, done = true, path = ?"a\"b", nothing, "say \"{}\"\n\u{1b}\u{202e}", "ü");
    }

    #[test]
    fn each_field_is_what_json_has_for_it() {
        let (file, filter) = (file(), Targets::new().with_default(LevelFilter::INFO));
        let lines = layer().with_writer(file.clone()).event_format(JsonLine::new(None));
        tracing::subscriber::with_default(registry().with(filter).with(lines), log_samples);
        let (time, rest) = line(&file);
        assert!(time.starts_with("{\"timestamp\":\"2") && time.len() == "{\"timestamp\":\"2026-11-22T10:15:00.123456".len(), "{time}");
        let message = r#"","level":"WARN","message":"say \"ü\"\n\u001b\u202e","revision":"001\u009b""#;
        let fields = r#","count":3,"share":0.5,"done":true,"path":"\"a\\\"b\"""#;
        assert_eq!(rest, format!("{message}{fields},\"target\":\"{}\"}}\n", module_path!()));
        assert!(serde_json::from_str::<Value>(&format!("{time}Z{rest}")).is_ok(), "{rest}");
    }

    #[test]
    fn text_is_the_message_on_one_line() {
        let (file, filter) = (file(), Targets::new().with_default(LevelFilter::INFO));
        let lines = layer().with_writer(file.clone()).event_format(TextLine);
        tracing::subscriber::with_default(registry().with(filter).with(lines), log_samples);
        let (time, rest) = line(&file);
        assert_eq!(time.len(), "2026-11-22T10:15:00.123".len(), "{time}");
        assert_eq!(rest, " WARN  say \"ü\"\\n\\u{1b}\\u{202e}\n");
    }

    #[test]
    fn a_failure_is_a_line_of_the_same_form_with_its_facts() {
        let (file, facts) = (file(), FailureFacts { applied: vec![("001".into(), std::time::Duration::ZERO)], ..FailureFacts::default() });
        let report = FailureReport::new(Exit::Unsound, "no\u{9b}".into(), facts, "fix it".into());
        let lines = layer().with_writer(file.clone()).event_format(JsonLine::new(Some(&report)));
        log_failure("no\u{9b}", registry().with(lines));
        let fields = r#""level":"ERROR","message":"no\u009b","target":"pgmarch","exit":3,"applied":["001"],"next":"fix it"}"#;
        assert_eq!(line(&file).1, format!("\",{fields}\n"));
    }
}
