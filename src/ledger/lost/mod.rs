//! A version table without rows, or none at all, where the ledger knows better: then every revision would run again, on live
//! data. Asked only where the version table says base.

use std::fmt;

use tokio_postgres::error::SqlState;

use super::trust::{UNTRUSTED, is_trust_failure};
use super::{Answer, Ledger, ProvenRevisions, ReadError, State, first, kept};
use crate::config::Config;
use crate::connect::{Failure, Session};
use crate::revision::graph::Graph;
use crate::sql;
use crate::sql::{Literal, Message, QualifiedName, Sql};

/// What the ledger says about a version table that says base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BaseCheck {
    /// Nothing is applied.
    Agreed,
    /// Revisions were applied, but their schema holds nothing any more: it was dropped and created again.
    Reset(SchemaReset),
}

/// A schema that was dropped and created again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaReset {
    /// The version table, `SCHEMA.NAME`.
    version_table: String,
    /// What the ledger had as applied.
    rows: Vec<String>,
}

impl fmt::Display for SchemaReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the ledger has {} as applied for {}, whose schema holds no relations: it was reset, starting from base",
            rows_text(&self.rows),
            self.version_table
        )
    }
}

/// Why a version table that says base is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LostVersionTable {
    /// The ledger knows applied revisions, and the schema is in use.
    Rows {
        /// The version table.
        version_table: QualifiedName,
        /// Whether there is one.
        exists: bool,
        /// The version rows that the ledger's journal leads to; none where it does not tell which.
        rows: Vec<String>,
        /// A relation that shows that the schema is in use.
        relation: String,
    },
    /// Another schema has the table, with rows.
    Elsewhere {
        /// Where this run looked.
        here: QualifiedName,
        /// Whether there is one, without rows.
        exists: bool,
        /// The table that has rows.
        there: QualifiedName,
        /// Its rows.
        rows: Vec<String>,
    },
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

impl LostVersionTable {
    /// What to do about it, in one line.
    pub fn next(&self) -> String {
        match self {
            Self::Rows { exists, rows, .. } => {
                let stamp = if rows.is_empty() { "REV".to_owned() } else { rows.join(" ") };
                let restore = if *exists { "its rows" } else { "it" };
                format!(
                    "nothing was changed; restore {restore} from a backup, or record what is applied: `pgmarch stamp {stamp}` if these revisions still are, `pgmarch stamp base` if none is"
                )
            }
            Self::Elsewhere { here, there, .. } => format!(
                "nothing was changed; to continue that history, set PGMARCH_VERSION_TABLE={} (or PGMARCH_SEARCH_PATH={}); to start a separate one in schema {}, set PGMARCH_VERSION_TABLE={}",
                word(&there.plain()),
                word(&path_of(there)),
                here.schema.as_str(),
                word(&here.plain())
            ),
        }
    }
}

/// A value as a shell takes it.
fn word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if text.bytes().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// A table's schema as `PGMARCH_SEARCH_PATH` takes it.
fn path_of(table: &QualifiedName) -> String {
    let name = table.schema.as_str();
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { name.to_owned() } else { table.schema.to_string() }
}

fn rows_text(rows: &[String]) -> String {
    if rows.is_empty() { "revisions".to_owned() } else { rows.join(", ") }
}

/// Whether base can be believed, of a state that was read completely ([`State::complete`]).
pub async fn check(
    session: &Session,
    config: &Config,
    state: &State,
    graph: &Graph,
) -> Result<Result<BaseCheck, LostVersionTable>, ReadError> {
    let ledger = &state.ledger;
    if !state.rows.is_empty() || !ledger.has_ledger {
        return Ok(Ok(BaseCheck::Agreed));
    }
    if state.proven.rows(&state.recorded, graph).is_some()
        && let Some(known) = known(session, state, graph).await?
    {
        return Ok(known);
    }
    let is_new = !ledger.has_version_table || state.proven.is_silent();
    if config.version_table.schema.is_none()
        && is_new
        && let Some((there, rows)) = ledger.elsewhere(session, graph).await?
    {
        return Ok(Err(LostVersionTable::Elsewhere { here: ledger.version_table.clone(), exists: ledger.has_version_table, there, rows }));
    }
    Ok(Ok(BaseCheck::Agreed))
}

/// What is known of a version table of which the ledger knows applied revisions, all seen at one moment: another run may have
/// applied the first ones since the version table was read. `None` if so, or if nothing is applied after all.
async fn known(session: &Session, state: &State, graph: &Graph) -> Result<Option<Result<BaseCheck, LostVersionTable>>, ReadError> {
    let ledger = &state.ledger;
    let table = &ledger.version_table;
    let has_rows = if ledger.has_version_table {
        sql!("SELECT EXISTS (SELECT FROM {table})", table = *table)
    } else {
        sql!("SELECT to_regclass({table}) IS NOT NULL", table = Literal(&table.to_string()))
    };
    let relations = sql!(
        include_str!("relations.sql"),
        version_schema = Literal(table.schema.as_str()),
        first = Literal(state.server.schema.as_deref().unwrap_or(table.schema.as_str())),
        version = Literal(&table.to_string()),
        ledger = Literal(ledger.schema.as_str())
    );
    let tables = ["revision", "journal"];
    let lock = ledger.has_version_table.then(|| lock(table));
    let ahead = sql::set_role(ledger.role.as_ref()).into_iter().chain(lock).chain(ledger.lock_ledger(&tables, "ACCESS SHARE"));
    let statements = [has_rows, ledger.kept_revisions(), ledger.proven(), relations];
    let message = Message::reading(ahead, [ledger.checked(ledger.trust.access, &tables)], statements);
    let mut answers = asked(session, &message).await?.into_iter();
    if value(answers.next()).as_deref() != Some("f") {
        return Ok(None);
    }
    let kept = answers.next().unwrap_or_default().into_iter().filter_map(kept).collect();
    let Some(rows) = ProvenRevisions::of(answers.next().unwrap_or_default(), &kept).rows(&kept, graph) else { return Ok(None) };
    Ok(Some(match value(answers.next()) {
        Some(relation) => Err(LostVersionTable::Rows { version_table: table.clone(), exists: ledger.has_version_table, rows, relation }),
        None => Ok(BaseCheck::Reset(SchemaReset { version_table: table.plain(), rows })),
    }))
}

impl Ledger {
    /// A version table of the same name in another schema, with the rows it has. Only what the ledger knows counts, and only a
    /// table that can be trusted: whoever may create a schema and a table there must not be able to stop a run.
    async fn elsewhere(&self, session: &Session, graph: &Graph) -> Result<Option<(QualifiedName, Vec<String>)>, ReadError> {
        let name = &self.version_table.name;
        let tables = sql!(
            include_str!("elsewhere.sql"),
            ledger = self.schema,
            name = Literal(name.as_str()),
            here = Literal(self.version_table.schema.as_str())
        );
        let found = asked(session, &self.reading(&["journal"], [tables])).await?;
        for row in found.into_iter().next().unwrap_or_default() {
            let Ok([Some(schema), may_read]) = <[Option<String>; 2]>::try_from(row) else { continue };
            let Some(schema) = crate::sql::Ident::parse(&schema) else { continue };
            let table = QualifiedName { schema, name: name.clone() };
            let rows = self.rows_of(&table, may_read.as_deref() == Some("t"), session, graph).await?;
            if let Some(rows) = rows {
                return Ok(Some((table, rows)));
            }
        }
        Ok(None)
    }

    /// The rows of another version table, or those that the ledger's journal leads to if the role may not read it; `None` if it is
    /// at base, can't be trusted, or was dropped meanwhile.
    async fn rows_of(
        &self,
        table: &QualifiedName,
        may_read: bool,
        session: &Session,
        graph: &Graph,
    ) -> Result<Option<Vec<String>>, ReadError> {
        let other = Self { version_table: table.clone(), ..self.clone() };
        let trusted = sql!(include_str!("trusted.sql"), problems = other.tables().close_look(), untrusted = Literal(UNTRUSTED));
        let role = sql::set_role(self.role.as_ref()).into_iter();
        let outcome = if may_read {
            let rows = sql!("SELECT version_num::text FROM {table} ORDER BY version_num COLLATE \"C\"", table = *table);
            asked(session, &Message::reading(role.chain([lock(table)]), [trusted], [rows])).await
        } else {
            let ahead = role.chain(self.lock_ledger(&["revision", "journal"], "ACCESS SHARE"));
            asked(session, &Message::reading(ahead, [trusted], [other.kept_revisions(), other.proven()])).await
        };
        let mut answers = match outcome {
            Ok(answers) => answers.into_iter(),
            Err(failure) if is_trust_failure(&failure) => return Ok(None),
            Err(failure) if failure.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        let answer = answers.next().unwrap_or_default();
        if may_read {
            let rows: Vec<String> = answer.into_iter().filter_map(first).collect();
            return Ok((!rows.is_empty()).then_some(rows));
        }
        let kept = answer.into_iter().filter_map(kept).collect();
        Ok(ProvenRevisions::of(answers.next().unwrap_or_default(), &kept).rows(&kept, graph))
    }
}

/// Keeps a table from being replaced until the transaction ends.
fn lock(table: &QualifiedName) -> Sql {
    sql!("LOCK TABLE {table} IN ACCESS SHARE MODE", table = *table)
}

/// Asks, and leaves no failed transaction behind.
async fn asked(session: &Session, message: &Message) -> Result<Vec<Answer>, Failure> {
    let outcome = session.ask(message).await;
    if outcome.as_ref().is_err_and(|failure| !failure.is_lost()) {
        session.ask(&Message::rollback()).await?;
    }
    outcome
}

fn value(answer: Option<Answer>) -> Option<String> {
    answer.unwrap_or_default().into_iter().next().and_then(first)
}
