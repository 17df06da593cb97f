//! `init`: creates the folder of revisions and a first migration. It never overwrites a file.

use std::fs;
use std::path::Path;

use pg_connect::file;

use super::context::Context;
use super::create::{describe, existing_graph, next};
use super::error::CommandError;
use super::files::in_background;
use super::output::{answer, json};
use crate::cli;
use crate::error::Error;
use crate::escape;
use crate::revision::format::draft::{Draft, DraftSection, now};
use crate::session::settings::read_conninfo;
use crate::words::count;

/// The text of the sections, for the author to replace.
const UP: &str = "-- Write the SQL of the migration here. pgmarch runs it in a transaction, so leave out BEGIN and COMMIT. Example:\n-- CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);";
const DOWN: &str = "-- Write the SQL that undoes it here. Example:\n-- DROP TABLE users;";

/// Creates the folder and the file, and prints the next commands.
pub async fn run(args: &cli::InitArgs, context: &Context) -> Result<(), Error> {
    let folder = &context.config.migrations;
    let named = folder.clone();
    let is_new = !in_background(move || file::exists(&named)).await?;
    if !is_new && let Some(graph) = existing_graph(folder).await? {
        return Err(Error::Command(CommandError::Usage {
            problem: format!("{} has {} already", folder.display(), count(graph.len(), "revision")),
            advice: "no file was written; the next migration: `pgmarch create --manual MESSAGE`, or `pgmarch create MESSAGE` from schema.sql",
        }));
    }
    fs::create_dir_all(folder).map_err(|source| Error::Command(CommandError::Write { path: folder.clone(), source }))?;
    let section = |sql: &str| DraftSection { stepwise: false, sql: sql.to_owned() };
    let draft = Draft {
        id: next(None, args.id.as_deref())?,
        revises: Vec::new(),
        depends_on: Vec::new(),
        branch: None,
        created: Some(now()),
        message: if args.message.is_empty() { "Initial schema".to_owned() } else { args.message.join(" ") },
        part: None,
        up: section(UP),
        down: Some(section(DOWN)),
    };
    let path =
        draft.write(folder).map_err(|source| Error::Command(CommandError::Write { path: folder.join(draft.file_name()), source }))?;
    let created = describe(&draft, &path);
    if args.json {
        return answer(&json(&created)?);
    }
    answer(&format!("{}{}\n\n{}\n{}", new_folder(folder, is_new), escape::line(&created.path), created.text, next_steps(context).await))
}

fn new_folder(folder: &Path, is_new: bool) -> String {
    if is_new { format!("{}/ (new folder)\n", escape::line(folder.display())) } else { String::new() }
}

async fn next_steps(context: &Context) -> String {
    let set = "PGMARCH_DATABASE_URL=postgres://USER@HOST/DATABASE";
    let url = if read_conninfo(&context.environment).await.is_ok() { String::new() } else { format!("  export {set}\n") };
    format!(
        "next: write the SQL of both sections, then\n  \
         pgmarch check --offline        the files alone\n{url}  \
         pgmarch upgrade --dry-run      what would run\n  \
         pgmarch upgrade                run it\n  \
         pgmarch create --manual MESSAGE   the next migration\n"
    )
}
