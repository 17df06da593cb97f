//! `import`: writes revision files from the output of `alembic upgrade --sql`.

use std::io::Read;
use std::path::{Path, PathBuf};

use pg_connect::file::{self, FileContent, FileError, watched};
use serde::Serialize;

use super::context::Context;
use super::error::CommandError;
use super::files::{in_background, try_load_graph};
use super::output::{answer, json};
use crate::alembic::{VersionFile, import, parse_version_file};
use crate::cli;
use crate::error::Error;
use crate::escape;
use crate::revision::format::draft::Draft;
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
pub async fn run(args: &cli::ImportArgs, context: &Context) -> Result<(), Error> {
    let folder = &context.config.migrations;
    let (file, down, versions) = (args.file.clone(), args.down.clone(), args.versions.clone());
    let read = move || {
        let up = read_output(file.as_deref())?;
        let down = down.as_deref().map(|path| read_output(Some(path))).transpose()?;
        let versions = versions.as_deref().map(read_version_files).transpose()?.unwrap_or_default();
        Ok::<_, Error>((up, down, versions))
    };
    let (up, down, versions) = in_background(read).await??;
    let drafts = import(&up, down.as_deref(), &versions, context.config.version_table.name.as_str()).map_err(Error::Import)?;
    std::fs::create_dir_all(folder).map_err(|source| Error::Command(CommandError::Write { path: folder.clone(), source }))?;
    refuse_existing(&drafts, folder).await?;
    let taken = drafts.iter().map(|draft| folder.join(draft.file_name())).find(|path| path.exists());
    if let Some(path) = taken {
        return Err(Error::Command(CommandError::Write { path, source: std::io::Error::from(std::io::ErrorKind::AlreadyExists) }));
    }
    // On the reactor's thread: a signal that comes meanwhile leaves no half of them.
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
async fn refuse_existing(drafts: &[Draft], folder: &Path) -> Result<(), Error> {
    let graph = match try_load_graph(folder).await? {
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
    let parents = |draft: &Draft| draft.revises.iter().map(ToString::to_string).collect();
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

/// The largest output of Alembic, in bytes.
const LARGEST_OUTPUT: u64 = 1 << 30;

/// Reads a file, or standard input.
fn read_output(path: Option<&Path>) -> Result<String, Error> {
    let named = path.map_or_else(|| "standard input".to_owned(), |path| path.display().to_string());
    let text = match path {
        Some(path) if path != Path::new("-") => {
            file::read(path, LARGEST_OUTPUT).and_then(FileContent::text).map_err(|error| error.to_string())
        }
        Some(_) | None => {
            let mut text = String::new();
            std::io::stdin().take(LARGEST_OUTPUT).read_to_string(&mut text).map(|_| text).map_err(|error| error.to_string())
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
    let unreadable = |error: String| {
        Error::Command(CommandError::Usage {
            problem: format!("{} can't be read: {error}", folder.display()),
            advice: "give --versions the folder with Alembic's revisions",
        })
    };
    let listed = folder.to_owned();
    let list = move || std::fs::read_dir(listed)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<PathBuf>, _>>();
    let paths = watched(folder, move |_| list()).map_err(|_| unreadable(FileError::Stalled.to_string()))?;
    let mut found = Vec::new();
    for path in paths.map_err(|error: std::io::Error| unreadable(error.to_string()))? {
        if path.extension().is_some_and(|extension| extension == "py") {
            let text = file::read(&path, LARGEST_OUTPUT)
                .and_then(FileContent::text)
                .map_err(|error| unreadable(format!("{}: {error}", path.display())))?;
            found.extend(parse_version_file(&text));
        }
    }
    Ok(found)
}
