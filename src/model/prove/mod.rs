//! The proof, in a scratch database and before a file is written, that the up migration leads to the model and the down migration back.

pub mod copy;
mod dump_failure;
pub mod extent;
mod lock_table;
pub mod model_command;
pub mod rename;
pub mod row_error;
mod rows;
pub mod scratch;
pub mod scratch_refusal;
pub mod scratch_server;
pub mod source;
mod transaction;

use std::borrow::Cow;

use thiserror::Error;

use crate::exit::{Exit, Explain};
use crate::model::compare::scope::ComparisonScope;
use crate::model::compare::scoped_model::{ScopeError, ScopedModel};
use crate::model::compare::{Change, compare};
use crate::model::emit::{EmitOptions, StatementGroup, emit, emit_at_once};
use crate::model::hazard::Danger;
use crate::model::ignore::Ignore;
use crate::model::retype::groups::NextGroups;
use crate::model::statement::EmittedStatement;
use crate::model::{Catalog, ObjectKind};
use crate::revision::SectionMode;
use extent::ProofExtent;
use rename::{Rename, RenameError};
use row_error::RowError;
use rows::ScratchRows;
use scratch::{Scratch, ScratchError};
use scratch_refusal::ScratchRefusal;

/// One revision, whose up and down migration were executed.
#[derive(Debug)]
pub struct ProvenMigration {
    /// The mode of the up section.
    pub mode: SectionMode,
    /// The statements of the up section.
    pub up: Vec<EmittedStatement>,
    /// The mode of the down section.
    pub down_mode: SectionMode,
    /// The statements of the down section.
    pub down: Vec<EmittedStatement>,
}

/// The revisions, and how much of them was checked.
#[derive(Debug)]
pub struct Proof {
    /// In order.
    pub migrations: Vec<ProvenMigration>,
    /// How much was checked.
    pub extent: ProofExtent,
}

/// Why no file is written.
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
        /// The server's message.
        message: String,
    },
    /// The result is a different schema.
    #[error("the way {way} does not lead {}; what remains:\n{}", if *.way == "up" { "to the model" } else { "back" }, .remainder.iter().map(|change| format!("  {change}")).collect::<Vec<_>>().join("\n"))]
    Remains {
        /// `up` or `down`.
        way: &'static str,
        /// What still differs.
        remainder: Vec<Change>,
    },
    /// Rows have other values.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// `--rename` of an object that does not exist.
    #[error(transparent)]
    Rename(#[from] RenameError),
    /// What is not compared stands in the way.
    #[error(transparent)]
    Scope(#[from] ScopeError),
}

impl Explain for ProofError {
    fn exit(&self) -> Exit {
        match self {
            Self::Scratch(error) => error.exit(),
            Self::Rename(_) => Exit::Usage,
            Self::Scope(error) => error.exit(),
            Self::Fails { .. } | Self::Remains { .. } | Self::Rows(_) => Exit::No,
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::Scratch(error) => error.next_step(),
            Self::Rename(_) => "nothing was written".into(),
            Self::Scope(error) => error.next_step(),
            Self::Fails { .. } | Self::Remains { .. } | Self::Rows(_) => {
                "nothing was written; write this revision with `pgmarch create --manual MESSAGE`, or change the model in smaller steps"
                    .into()
            }
        }
    }
}

fn first_line(sql: &str) -> &str {
    sql.lines().next().unwrap_or(sql)
}

/// Emits and executes the migrations from the scratch database, whose catalog is `start`, to the model and back.
pub async fn prove(
    scratch: &Scratch,
    start: Catalog,
    mut model: ScopedModel,
    renames: &[String],
    options: EmitOptions,
    scope: &ComparisonScope,
) -> Result<Proof, ProofError> {
    let mut renamed: Vec<Rename> = Vec::new();
    // A catalog may have thousands of tables: only those before and after the renames are kept.
    let (mut from, mut before_renames) = (start, None);
    for typed in renames {
        let rename = Rename::find(typed, &from)?;
        execute(scratch, "up", SectionMode::Transaction, &[EmittedStatement::rename(&rename.up)], None).await?;
        let before = std::mem::replace(&mut from, scratch.read().await?);
        before_renames.get_or_insert(before);
        renamed.push(rename);
    }
    if !renamed.is_empty() {
        model = scope.complete(model.into_model(), &from, options.server);
    }
    let followers = rename::followers(&renamed, &from, &model.catalog);
    if !followers.is_empty() {
        let up: Vec<EmittedStatement> = followers.iter().map(|rename| EmittedStatement::rename(&rename.up)).collect();
        execute(scratch, "up", SectionMode::Transaction, &up, None).await?;
        let before = std::mem::replace(&mut from, scratch.read().await?);
        before_renames.get_or_insert(before);
        renamed.extend(followers);
        model = scope.complete(model.into_model(), &from, options.server);
    }
    model.check()?;
    // The catalog before each group, and after the last.
    let mut next = NextGroups::of(&from, &model.catalog, options);
    let base = from.clone();
    let mut rows = ScratchRows::generate(scratch, &base, &model.catalog, &emit(&base, &model.catalog, options)).await?;
    let (mut groups, mut states) = (Vec::new(), vec![from]);
    loop {
        match up(scratch, &model, options, &mut next, (&mut groups, &mut states), &mut rows).await {
            Err(error @ (ProofError::Fails { .. } | ProofError::Remains { .. } | ProofError::Rows(_))) if next.give_up_steps() => {
                groups.clear();
                states.truncate(1);
                undo(scratch, &states[0], options.server).await.map_err(|_| error)?;
            }
            outcome => break outcome?,
        }
    }
    if groups.is_empty() && !renamed.is_empty() {
        groups.push(StatementGroup { mode: SectionMode::Transaction, statements: Vec::new() });
        states.extend(states.last().cloned());
    }
    let mut proven = Vec::new();
    // What is there, which may differ from the state before in what is not compared: of two unique keys with the same columns, the one
    // that a foreign key depends on.
    let mut current = states.pop().unwrap_or_default();
    for (number, group) in groups.into_iter().enumerate().rev() {
        let downs = next.down(number, &current, &states[number]);
        let down_mode = if downs.len() > 1 { SectionMode::Stepwise } else { SectionMode::Transaction };
        let mut down: Vec<EmittedStatement> = downs.into_iter().flat_map(|group| group.statements).collect();
        execute(scratch, "down", down_mode, &down, Some(&mut rows)).await?;
        let mut up = group.statements;
        let mut back = &states[number];
        if number == 0 {
            rows.check_down(scratch).await??;
            let undone: Vec<EmittedStatement> = renamed.iter().rev().map(|rename| EmittedStatement::rename(&rename.down)).collect();
            execute(scratch, "down", SectionMode::Transaction, &undone, None).await?;
            down.extend(undone);
            let done: Vec<EmittedStatement> = renamed.iter().map(|rename| EmittedStatement::rename(&rename.up)).collect();
            up.splice(0..0, done);
            back = before_renames.as_ref().unwrap_or(back);
        }
        current = scratch.read().await?;
        let remainder = compare(&current, back);
        if !remainder.is_empty() {
            return Err(ProofError::Remains { way: "down", remainder });
        }
        proven.push(ProvenMigration { mode: group.mode, up, down_mode, down });
    }
    proven.reverse();
    Ok(Proof { migrations: proven, extent: rows.extent() })
}

/// A catalog with what is not compared as in another one.
fn with_ignored<'c>(catalog: Cow<'c, Catalog>, other: &Catalog, options: EmitOptions) -> Cow<'c, Catalog> {
    match options.ignore == Ignore::default() {
        true => catalog,
        false => Cow::Owned(catalog.into_owned().with_ignored_of(other, options.ignore)),
    }
}

/// Executes the up migrations: the groups, and the catalog before each and after the last, are added.
async fn up(
    scratch: &Scratch,
    model: &ScopedModel,
    options: EmitOptions,
    next: &mut NextGroups<'_>,
    (groups, states): (&mut Vec<StatementGroup>, &mut Vec<Catalog>),
    rows: &mut ScratchRows<'_>,
) -> Result<(), ProofError> {
    while let Some(emitted) = states.last().and_then(|state| next.next(groups.len(), state)) {
        for group in emitted {
            execute(scratch, "up", group.mode, &group.statements, Some(rows)).await?;
            states.push(scratch.read().await?);
            groups.push(group);
        }
    }
    let remainder = match (states.first(), states.last()) {
        (Some(first), Some(last)) => compare(last, &with_ignored(with_ignored(model.settled(last), last, options), first, options)),
        _ => Vec::new(),
    };
    if !remainder.is_empty() {
        return Err(ProofError::Remains { way: "up", remainder });
    }
    rows.check_after(scratch, "up migration").await??;
    Ok(())
}

/// Undoes the up migrations that did not lead to the model.
async fn undo(scratch: &Scratch, start: &Catalog, server: u32) -> Result<(), ProofError> {
    for group in emit_at_once(&scratch.read().await?, start, server) {
        execute(scratch, "down", group.mode, &group.statements, None).await?;
    }
    let remainder = compare(&scratch.read().await?, start);
    if remainder.is_empty() { Ok(()) } else { Err(ProofError::Remains { way: "down", remainder }) }
}

/// Runs statements. Generated rows that are in the way of one that may fail are removed.
async fn execute(
    scratch: &Scratch,
    way: &'static str,
    mode: SectionMode,
    statements: &[EmittedStatement],
    mut rows: Option<&mut ScratchRows<'_>>,
) -> Result<(), ProofError> {
    if statements.is_empty() {
        return Ok(());
    }
    if let Some(rows) = &mut rows {
        rows.note_losses(statements);
    }
    let texts: Vec<String> = statements.iter().map(|statement| statement.sql.clone()).collect();
    let mut done = 0;
    loop {
        let Err(refusal) = scratch.run(&format!("the {way} migration"), mode, &texts[done..]).await? else { return Ok(()) };
        let failed = done + refusal.number;
        if let (Some(rows), Some(statement)) = (&mut rows, statements.get(failed))
            && may_fail(statement, mode, &refusal)
            && !(refusal.is_about_values() && statement.object.as_ref().is_some_and(|object| rows.casts_every_value(object)))
            && rows.remove(scratch, statement, &format!("`{}`: {}", first_line(&statement.sql), refusal.message)).await?
        {
            if mode == SectionMode::Stepwise {
                rows::drop_invalid_indexes(scratch).await?;
                done = failed;
            }
            continue;
        }
        let sql = texts.get(failed).cloned().unwrap_or_else(|| "COMMIT".to_owned());
        return Err(ProofError::Fails { way, sql, message: refusal.message });
    }
}

/// Whether a statement says that it fails if rows do not fit: by a hazard, or as a step of its own; or it computes a view's rows.
fn may_fail(statement: &EmittedStatement, mode: SectionMode, refusal: &ScratchRefusal) -> bool {
    let is_said = statement.hazards.iter().any(|hazard| hazard.kind != Danger::DataLoss);
    let is_view = statement.object.as_ref().is_some_and(|object| object.kind == ObjectKind::View);
    refusal.is_about_rows() && (is_said || is_view || mode == SectionMode::Stepwise)
}
