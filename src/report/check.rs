//! The output of `check`, as text and as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::difference::Difference;
use crate::escape;
use crate::model::compare::left_alone::LeftAlone;
use crate::revision::{Fault, LineColumn};

/// One finding of a check.
#[derive(Debug, Serialize)]
pub(crate) struct CheckFinding {
    /// Its kind, a fixed word.
    pub kind: &'static str,
    /// The file or folder.
    pub path: String,
    /// Line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What it is and what to do.
    pub message: String,
    /// Whether `upgrade` would refuse because of it.
    pub stops_upgrade: bool,
}

impl CheckFinding {
    /// A fault that stops every run.
    pub(crate) fn of(fault: &Fault) -> Self {
        Self {
            kind: "unsound",
            path: fault.path.display().to_string(),
            line: fault.place.map(|place| place.line),
            column: fault.place.map(|place| place.column),
            message: fault.problem.to_string(),
            stops_upgrade: true,
        }
    }

    /// A statement that is certain to fail in its transaction.
    pub(crate) fn in_transaction(fault: &Fault, stops_upgrade: bool) -> Self {
        Self { kind: "in-transaction", stops_upgrade, ..Self::of(fault) }
    }

    /// A finding that is not about a file.
    pub(crate) fn in_general(kind: &'static str, path: String, message: String) -> Self {
        Self { kind, path, line: None, column: None, message, stops_upgrade: false }
    }

    /// A finding about a file that does not stop a run.
    pub(crate) fn about(kind: &'static str, path: &std::path::Path, place: Option<LineColumn>, message: String) -> Self {
        Self {
            kind,
            path: path.display().to_string(),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            message,
            stops_upgrade: false,
        }
    }
}

/// What was checked and what was found. The JSON of `check --json` is this object.
#[derive(Debug, Default, Serialize)]
pub(crate) struct CheckReport {
    /// How many revisions there are.
    pub revisions: usize,
    /// The revisions that nothing revises.
    pub heads: Vec<String>,
    /// What was compared: `files`, and without `--offline` `model`, `ledger` and `database`.
    pub checked: Vec<&'static str>,
    /// What was found; nothing is exit 0.
    pub findings: Vec<CheckFinding>,
    /// What is ignored of the files; no findings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<CheckFinding>,
    /// The revisions without a down migration, where that is no finding.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub irreversible: Vec<String>,
    /// How the model differs from the schema that the revisions create, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Difference>,
    /// How the database differs from what the applied revisions create, if it does; where a snapshot can be used, from the
    /// snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<Difference>,
    /// Where a snapshot can be used: how the database differed from what the revisions create already when it was saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<Difference>,
    /// Objects that are not compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
    /// What the model lacks and stays as it is.
    #[serde(skip_serializing_if = "LeftAlone::is_empty")]
    pub left_alone: LeftAlone,
}

impl CheckReport {
    /// As text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (finding, label) in self.findings.iter().map(|found| (found, "")).chain(self.warnings.iter().map(|found| (found, "warning: ")))
        {
            let place = match (finding.line, finding.column) {
                (Some(line), Some(column)) => format!(":{line}:{column}"),
                _ => String::new(),
            };
            let (path, message) = (escape::line(&finding.path), escape::lines(&finding.message, 2));
            let _ = writeln!(text, "{path}{place}: {label}{message} [{}]", finding.kind);
        }
        for (what, difference) in [
            ("from the revisions to the model", &self.model),
            ("how the database differed when the snapshot was saved", &self.replay),
            ("how the database differs", &self.database),
        ] {
            if let Some(difference) = difference {
                let _ = write!(text, "{what}:\n{}{}", difference.text(), difference.renames_text());
            }
        }
        if self.findings.is_empty() {
            let heads = if self.heads.len() == 1 { "head" } else { "heads" };
            let _ = writeln!(
                text,
                "{}, {heads} {}: nothing found ({})",
                crate::words::count(self.revisions, "revision"),
                self.heads.join(", "),
                self.checked.join(", ")
            );
        }
        if !self.irreversible.is_empty() {
            let (number, ids) = (crate::words::count(self.irreversible.len(), "revision"), self.irreversible.join(", "));
            let _ = writeln!(text, "{number} without a down migration: {ids} (PGMARCH_REQUIRE_DOWN=true makes that a finding)");
        }
        text += &super::difference::unknown(&self.not_compared);
        text += &self.left_alone.text();
        text
    }
}
