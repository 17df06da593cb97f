//! Log lines, on stderr: text for people or JSON lines.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use std::time::SystemTime;

use humantime::{format_rfc3339_micros, format_rfc3339_millis};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;

use super::failure_report::FailureReport;
use crate::config::{LogFormat, Reporting};
use crate::escape;
use crate::progress::Terminal;

/// Starts logging for the rest of the process.
pub(crate) fn start(reporting: &Reporting, terminal: Terminal) {
    // A reader that closed the pipe is no reason to stop a migration.
    let write = Box::new(move |line: &str| drop((&terminal).write_all(line.as_bytes())));
    let log = Log { filter: reporting.filter.clone(), format: reporting.format, write };
    // In tests of the library it is called more than once; the first call counts.
    drop(tracing::subscriber::set_global_default(log));
}

/// Each event is a line. There are no spans here: tracing-subscriber's layers, made for those, would be 25 kB.
struct Log {
    filter: Targets,
    format: LogFormat,
    write: Box<dyn Fn(&str) + Send + Sync>,
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.would_enable(metadata.target(), metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.filter.iter().map(|(_, level)| level).chain(self.filter.default_level()).max()
    }

    fn event(&self, event: &Event<'_>) {
        let line = match self.format {
            LogFormat::Text => Text::of(event),
            LogFormat::Json => Json::of(event),
        };
        (self.write)(&line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// `2026-11-22T10:15:00.123Z INFO message`, always on one line. The fields are for machines, and repeat values of the message.
struct Text(String);

impl Text {
    fn of(event: &Event<'_>) -> String {
        let now = format_rfc3339_millis(SystemTime::now());
        let mut line = Self(format!("{now} {:<5} ", event.metadata().level()));
        event.record(&mut line);
        line.0 + "\n"
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{}", escape::line(format_args!("{value:?}")));
        }
    }
}

/// `{"timestamp":"2026-11-22T10:15:00.123456Z","level":"INFO","message":"…",…,"target":"pgmarch::apply"}`.
struct Json(String);

impl Json {
    fn of(event: &Event<'_>) -> String {
        let mut line = Self::start(event.metadata().level().as_str());
        event.record(&mut line);
        line.entry("target", event.metadata().target().into());
        line.0 + "}\n"
    }

    fn start(level: &str) -> Self {
        let now = format_rfc3339_micros(SystemTime::now());
        Self(format!("{{\"timestamp\":\"{now}\",\"level\":\"{level}\""))
    }

    fn entry(&mut self, name: &str, value: Value) {
        let value = escape::json(&serde_json::to_string(&value).unwrap_or_default());
        let _ = write!(self.0, ",\"{name}\":{value}");
    }
}

impl Visit for Json {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.entry(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.entry(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.entry(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.entry(field.name(), value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.entry(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.entry(field.name(), format!("{value:?}").into());
    }
}

/// The log line of a command's failure, with all its facts. It is printed whatever the filter.
pub(super) fn failure_line(message: &str, report: &FailureReport) -> String {
    let mut line = Json::start("ERROR");
    line.entry("message", message.into());
    line.0 = line.0 + "," + &report.log_fields();
    line.entry("target", "pgmarch".into());
    line.0 + "}\n"
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static KEPT: RefCell<String> = const { RefCell::new(String::new()) };
    }

    fn keep(line: &str) {
        KEPT.with_borrow_mut(|kept| *kept += line);
    }

    #[test]
    fn each_field_is_what_json_has_for_it() {
        let filter = Targets::new().with_default(LevelFilter::INFO);
        tracing::subscriber::with_default(Log { filter, format: LogFormat::Json, write: Box::new(keep) }, || {
            let nothing: Option<&str> = None;
            tracing::debug!("too little to be told");
            tracing::warn!(revision = "001", count = 3, share = 0.5, done = true, path = ?"a\"b", nothing, "say \"{}\"\n", "ü");
        });
        let line = KEPT.take();
        let (time, rest) = line.split_once(",\"level\"").expect("a level");
        assert!(time.starts_with("{\"timestamp\":\"2") && time.ends_with("Z\""), "{time}");
        let fields = r#":"WARN","message":"say \"ü\"\n","revision":"001","count":3,"share":0.5,"done":true,"path":"\"a\\\"b\"""#;
        assert_eq!(rest, format!("{fields},\"target\":\"{}\"}}\n", module_path!()));
        assert!(serde_json::from_str::<Value>(&line).is_ok(), "{line}");
    }
}
