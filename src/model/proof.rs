//! Up leads to the model, down leads back: shown in a scratch database before anything is written.

use thiserror::Error;

use super::compare::{Change, Ignore, compare};
use super::emit::{Part, Statement, Target, emit, emit_at_once};
use super::scratch::{Scratch, ScratchError};
use super::{Catalog, Definition};
use crate::revision::Mode;

/// One revision, proven: up and the way back.
#[derive(Debug)]
pub struct Proven {
    /// How up is run.
    pub mode: Mode,
    /// The statements up.
    pub up: Vec<Statement>,
    /// How down is run.
    pub down_mode: Mode,
    /// The statements down.
    pub down: Vec<Statement>,
}

/// Why nothing is written.
#[derive(Debug, Error)]
pub enum ProofError {
    /// The scratch database itself.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// A statement that pgmarch wrote fails.
    #[error("the way {way} fails in a scratch database at `{}`: {message}", first_line(.sql))]
    Fails {
        /// `up` or `down`.
        way: &'static str,
        /// The statement.
        sql: String,
        /// What the server said.
        message: String,
    },
    /// It leads elsewhere.
    #[error("the way {way} does not lead {}; what remains:\n{}", if *.way == "up" { "to the model" } else { "back" }, .remainder.iter().map(|change| format!("  {change}")).collect::<Vec<_>>().join("\n"))]
    Remains {
        /// `up` or `down`.
        way: &'static str,
        /// What still differs.
        remainder: Vec<Change>,
    },
    /// A rename of something that is not there.
    #[error("--rename {rename}: {problem}")]
    Rename {
        /// As it was typed.
        rename: String,
        /// What is wrong.
        problem: String,
    },
}

fn first_line(sql: &str) -> &str {
    sql.lines().next().unwrap_or(sql)
}

/// `table.old=new`, or `old=new` for a table.
#[derive(Clone, Debug)]
pub struct Rename {
    /// The way up.
    pub up: String,
    /// The way down.
    pub down: String,
    /// As it was typed.
    pub typed: String,
}

impl Rename {
    /// Looks a rename up in the catalog.
    pub fn find(typed: &str, old: &Catalog) -> Result<Self, ProofError> {
        let problem = |problem: String| ProofError::Rename { rename: typed.to_owned(), problem };
        let (from, to) =
            typed.split_once('=').ok_or_else(|| problem("write table.old=new for a column, or old=new for a table".to_owned()))?;
        let made = |up: String, down: String| Self { up, down, typed: typed.to_owned() };
        for object in old.objects.values() {
            match &object.definition {
                Definition::Column(_) => {
                    let Some(table) = object.parent.as_ref().and_then(|table| old.objects.get(table)) else { continue };
                    if from == format!("{}.{}", table.shown, object.shown) {
                        let rename = |from: &str, to: &str| format!("ALTER TABLE {} RENAME COLUMN {from} TO {to}", table.shown);
                        return Ok(made(rename(&object.shown, to), rename(to, &object.shown)));
                    }
                }
                Definition::Table(_) | Definition::View(_) | Definition::Sequence(_) | Definition::Enum { .. } if from == object.shown => {
                    let word = match &object.definition {
                        Definition::Table(_) => "TABLE",
                        Definition::Sequence(_) => "SEQUENCE",
                        Definition::View(view) if view.materialized => "MATERIALIZED VIEW",
                        Definition::View(_) => "VIEW",
                        _ => "TYPE",
                    };
                    let (schema, bare) = object.shown.rsplit_once('.').map_or(("", object.shown.as_str()), |(schema, bare)| (schema, bare));
                    let now = if schema.is_empty() { to.to_owned() } else { format!("{schema}.{to}") };
                    return Ok(made(format!("ALTER {word} {from} RENAME TO {to}"), format!("ALTER {word} {now} RENAME TO {bare}")));
                }
                _ => {}
            }
        }
        Err(problem(format!(
            "the revisions make nothing that is called {from}; names are written as in SQL, with their schema where they need it"
        )))
    }
}

/// Finds the ways up and down between the scratch database as it is and the model, and walks both.
pub async fn prove(
    scratch: &Scratch,
    model: &Catalog,
    renames: &[String],
    target: Target,
    ignore: Ignore,
) -> Result<Vec<Proven>, ProofError> {
    let start = scratch.read().await?.ignoring(ignore);
    let mut renamed = Vec::new();
    let mut from = start.clone();
    for typed in renames {
        let rename = Rename::find(typed, &from)?;
        walk(scratch, "up", Mode::Transaction, &[Statement::plain(&rename.up)]).await?;
        from = scratch.read().await?.ignoring(ignore);
        renamed.push(rename);
    }
    let mut parts = emit(&from, model, target);
    if parts.is_empty() && !renamed.is_empty() {
        parts.push(Part { mode: Mode::Transaction, statements: Vec::new() });
    }
    // What each part starts from.
    let mut stations = vec![from];
    for part in &parts {
        walk(scratch, "up", part.mode, &part.statements).await?;
        stations.push(scratch.read().await?.ignoring(ignore));
    }
    let remainder = compare(stations.last().unwrap_or(model), model);
    if !remainder.is_empty() {
        return Err(ProofError::Remains { way: "up", remainder });
    }
    let mut proven = Vec::new();
    for (number, part) in parts.into_iter().enumerate().rev() {
        let ways = emit_at_once(&stations[number + 1], &stations[number], target.server);
        let down_mode = if ways.len() > 1 { Mode::Stepwise } else { Mode::Transaction };
        let mut down: Vec<Statement> = ways.into_iter().flat_map(|part| part.statements).collect();
        walk(scratch, "down", down_mode, &down).await?;
        let mut up = part.statements;
        let mut back = &stations[number];
        if number == 0 {
            let undone: Vec<Statement> = renamed.iter().rev().map(|rename| Statement::plain(&rename.down)).collect();
            walk(scratch, "down", Mode::Transaction, &undone).await?;
            down.extend(undone);
            let done: Vec<Statement> = renamed.iter().map(|rename| Statement::plain(&rename.up)).collect();
            up.splice(0..0, done);
            back = &start;
        }
        let remainder = compare(&scratch.read().await?.ignoring(ignore), back);
        if !remainder.is_empty() {
            return Err(ProofError::Remains { way: "down", remainder });
        }
        proven.push(Proven { mode: part.mode, up, down_mode, down });
    }
    proven.reverse();
    Ok(proven)
}

async fn walk(scratch: &Scratch, way: &'static str, mode: Mode, statements: &[Statement]) -> Result<(), ProofError> {
    if statements.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = statements.iter().map(|statement| statement.sql.clone()).collect();
    match scratch.run(mode, &texts).await? {
        Ok(()) => Ok(()),
        Err(refusal) => {
            let sql = texts.get(refusal.number).cloned().unwrap_or_else(|| "COMMIT".to_owned());
            Err(ProofError::Fails { way, sql, message: refusal.message })
        }
    }
}
