//! What differs between two schemas, as text and as JSON.

use serde::Serialize;

use crate::escape;
use crate::model::compare::{Change, DifferenceKind};
use crate::model::hazard::Hazard;
use crate::model::statement::EmittedStatement;
use crate::words::shell_word;

/// The difference between two schemas, and the statements that lead from one to the other.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    /// Each object that differs.
    pub changes: Vec<ChangedObject>,
    /// In order.
    pub statements: Vec<DifferenceStatement>,
    /// Columns that may have been renamed: what to type after `--rename` if they were.
    pub likely_renames: Vec<String>,
}

/// One object that differs.
#[derive(Debug, Serialize)]
pub(crate) struct ChangedObject {
    /// Its kind.
    pub kind: &'static str,
    /// Its full name.
    pub name: String,
    /// Added, removed or changed.
    pub change: DifferenceKind,
}

/// One statement.
#[derive(Debug, Serialize)]
pub(crate) struct DifferenceStatement {
    /// Its SQL.
    pub sql: String,
    /// Its hazards.
    pub hazards: Vec<Hazard>,
}

impl Difference {
    /// From the result of a comparison and the statements emitted for it.
    pub(crate) fn new(changes: &[Change], statements: &[&EmittedStatement], likely_renames: Vec<String>) -> Self {
        let changed =
            |change: &Change| ChangedObject { kind: change.key.kind.name(), name: change.key.name.to_string(), change: change.how };
        let listed = |statement: &&EmittedStatement| DifferenceStatement { sql: statement.sql.clone(), hazards: statement.hazards.clone() };
        Self { changes: changes.iter().map(changed).collect(), statements: statements.iter().map(listed).collect(), likely_renames }
    }

    /// Each object with a sign, then the statements.
    pub(crate) fn text(&self) -> String {
        let sign = |how: DifferenceKind| match how {
            DifferenceKind::Added => '+',
            DifferenceKind::Removed => '-',
            DifferenceKind::Changed => '~',
        };
        let mut text: String = self
            .changes
            .iter()
            .map(|change| format!("  {} {} {}\n", sign(change.change), change.kind, escape::line(&change.name)))
            .collect();
        for statement in &self.statements {
            text += &format!("    {};\n", escape::lines(&statement.sql, 4));
        }
        text
    }

    /// What to type if a column was renamed.
    pub(crate) fn renames_text(&self) -> String {
        let hint =
            |rename: &String| format!("-- if this is a rename, its values can be kept: --rename {}\n", escape::line(shell_word(rename)));
        self.likely_renames.iter().map(hint).collect()
    }
}

/// Objects that are not compared, as SQL comments.
pub(crate) fn unknown(names: &[String]) -> String {
    names.iter().map(|name| format!("-- not compared: {}\n", escape::line(name))).collect()
}
