//! `import`: writes revision files from the output of `alembic upgrade --sql`.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::context::Context;
use super::error::CommandError;
use super::output::{answer, json};
use crate::alembic::{VersionFile, import, parse_version_file};
use crate::cli;
use crate::error::Error;
use crate::escape;
use crate::revision::format::draft::Draft;
use crate::revision::graph::Graph;
use crate::revision::{Fault, FileProblem};

/// The JSON of `import --json`.
#[derive(Debug, Serialize)]
struct ImportReport {
    /// The revisions in the output's order.
    revisions: Vec<WrittenRevision>,
}

#[derive(Debug, Serialize)]
struct WrittenRevision {
    revision: String,
    parents: Vec<String>,
    message: String,
    path: String,
    reversible: bool,
}

/// Reads the whole output, then writes all files or none.
pub fn run(args: &cli::ImportArgs, context: &Context) -> Result<(), Error> {
    let folder = &context.config.migrations;
    let up = read_output(args.file.as_deref())?;
    let down = args.down.as_deref().map(|path| read_output(Some(path))).transpose()?;
    let versions = args.versions.as_deref().map(read_version_files).transpose()?.unwrap_or_default();
    let drafts = import(&up, down.as_deref(), &versions, context.config.version_table.name.as_str()).map_err(Error::Import)?;
    std::fs::create_dir_all(folder).map_err(|source| Error::Command(CommandError::Write { path: folder.clone(), source }))?;
    refuse_existing(&drafts, folder)?;
    let taken = drafts.iter().map(|draft| folder.join(draft.file_name())).find(|path| path.exists());
    if let Some(path) = taken {
        return Err(Error::Command(CommandError::Write { path, source: std::io::Error::from(std::io::ErrorKind::AlreadyExists) }));
    }
    let mut written: Vec<PathBuf> = Vec::new();
    for draft in &drafts {
        match draft.write(folder) {
            Ok(path) => written.push(path),
            Err(source) => {
                // All or none: remove those that were written.
                for path in &written {
                    drop(std::fs::remove_file(path));
                }
                return Err(Error::Command(CommandError::Write { path: folder.join(draft.file_name()), source }));
            }
        }
    }
    print(args, &drafts, &written)
}

/// Fails if a revision has a file already: with a different message it would get a second one.
fn refuse_existing(drafts: &[Draft], folder: &Path) -> Result<(), Error> {
    let graph = match Graph::load(folder) {
        Ok(graph) => graph,
        Err(faults) if matches!(faults.as_slice(), [Fault { problem: FileProblem::NoRevisions, .. }]) => return Ok(()),
        Err(faults) => return Err(faults.into()),
    };
    match drafts.iter().find_map(|draft| graph.node(draft.id.as_str())) {
        None => Ok(()),
        Some(node) => Err(Error::Command(CommandError::Usage {
            problem: format!("revision {} is there already: {}", graph.id(node), graph.revision(node).path.display()),
            advice: "import into a folder without these revisions; no file was written",
        })),
    }
}

fn print(args: &cli::ImportArgs, drafts: &[Draft], written: &[PathBuf]) -> Result<(), Error> {
    let parents = |draft: &Draft| draft.revises.iter().flatten().map(ToString::to_string).collect();
    let revisions = drafts.iter().zip(written).map(|(draft, path)| WrittenRevision {
        revision: draft.id.to_string(),
        parents: parents(draft),
        message: draft.message.clone(),
        path: path.display().to_string(),
        reversible: draft.down.is_some(),
    });
    let imported = ImportReport { revisions: revisions.collect() };
    if args.json {
        return answer(&json(&imported)?);
    }
    let mut text: String = imported.revisions.iter().map(|written| format!("{}\n", escape::line(&written.path))).collect();
    text += &format!("\n{} written", crate::words::count(drafts.len(), "revision"));
    if args.down.is_none() {
        text += ", without a way down (give --down the output of `alembic downgrade --sql heads:base`)";
    }
    if args.versions.is_none() {
        text += "\ndependencies and branch labels are not in that output: --versions FOLDER reads them from Alembic's own files";
    }
    answer(&(text + "\nnext: pgmarch check --offline, then pgmarch status: a database that Alembic manages is taken over as it is\n"))
}

/// Reads a file, or standard input.
fn read_output(path: Option<&Path>) -> Result<String, Error> {
    let named = path.map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
    let text = match path {
        Some(path) if path != Path::new("-") => std::fs::read_to_string(path),
        Some(_) | None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
    };
    text.map_err(|error| {
        Error::Command(CommandError::Usage {
            problem: format!("{named} can't be read: {error}"),
            advice: "give a file that can be read, in UTF-8",
        })
    })
}

/// Reads the Python files of a folder.
fn read_version_files(folder: &Path) -> Result<Vec<VersionFile>, Error> {
    let unreadable = |error: std::io::Error| {
        Error::Command(CommandError::Usage {
            problem: format!("{} can't be read: {error}", folder.display()),
            advice: "give --versions the folder with Alembic's revisions",
        })
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "py") {
            let text = std::fs::read_to_string(&path).map_err(unreadable)?;
            found.extend(parse_version_file(&text));
        }
    }
    Ok(found)
}
