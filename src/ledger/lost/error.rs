//! A version table without rows, or none, where the ledger has applied revisions.

use std::borrow::Cow;
use std::fmt;

use super::reset::rows_text;
use crate::exit::{Exit, Explain};
use crate::sql::QualifiedName;
use crate::words::shell_word;

/// Why an upgrade does not start at base although the version table says base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LostVersionTable {
    /// The ledger has applied revisions, and the schema is in use.
    Rows {
        /// The version table.
        version_table: QualifiedName,
        /// Whether the table exists.
        exists: bool,
        /// The version rows that the journal leads to; empty if they are unknown.
        rows: Vec<String>,
        /// A relation that shows that the schema is in use.
        relation: String,
    },
    /// Another schema has the table, with rows.
    Elsewhere {
        /// The version table of this run.
        here: QualifiedName,
        /// Whether that table exists, without rows.
        exists: bool,
        /// The table that has rows.
        there: QualifiedName,
        /// Its rows.
        rows: Vec<String>,
    },
}

impl std::error::Error for LostVersionTable {}

impl Explain for LostVersionTable {
    fn exit(&self) -> Exit {
        Exit::Unsound
    }

    fn next_step(&self) -> Cow<'static, str> {
        let text = match self {
            Self::Rows { exists, rows, .. } => {
                let stamp = if rows.is_empty() { "heads".to_owned() } else { rows.join(" ") };
                let restore = if *exists { "its rows" } else { "it" };
                format!(
                    "restore {restore} from a backup, or record what is applied: `pgmarch stamp {stamp}` if these revisions still are, `pgmarch stamp base` if none is"
                )
            }
            Self::Elsewhere { here, there, .. } => format!(
                "to continue that history, set PGMARCH_VERSION_TABLE={} (or PGMARCH_SEARCH_PATH={}); to start a separate one in schema {}, set PGMARCH_VERSION_TABLE={}",
                shell_word(&there.plain()),
                shell_word(&search_path_of(there)),
                here.schema.as_str(),
                shell_word(&here.plain())
            ),
        };
        text.into()
    }
}

impl fmt::Display for LostVersionTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows { version_table, exists, rows, relation } => write!(
                f,
                "the version table {} {}, but the ledger has {} as applied, and the schema is in use ({relation}): an upgrade from base would run every revision again",
                version_table.plain(),
                if *exists { "has no rows" } else { "does not exist" },
                rows_text(rows)
            ),
            Self::Elsewhere { here, exists, there, rows } => write!(
                f,
                "{}, but {} is at {}: an upgrade from base would run every revision again",
                if *exists {
                    format!("the version table found on the search path is {}, which has no rows", here.plain())
                } else {
                    format!("there is no table {} on the search path, and it would be created as {}", here.name.as_str(), here.plain())
                },
                there.plain(),
                rows_text(rows)
            ),
        }
    }
}

/// A table's schema as `PGMARCH_SEARCH_PATH` takes it.
fn search_path_of(table: &QualifiedName) -> String {
    let name = table.schema.as_str();
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { name.to_owned() } else { table.schema.to_string() }
}
