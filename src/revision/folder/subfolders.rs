//! Subfolders of a folder of revisions: their files are not read, which a user who put `.sql` files there should know.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that have a meaning of their own.
const RESERVED: [&str; 2] = ["schema", "repeatable"];

/// How deep, and among how many entries, `.sql` files are looked for.
const DEPTH: usize = 4;
const ENTRIES: usize = 10_000;

/// Those of the subfolders that have `.sql` files, directly or deeper, sorted. Those with a meaning of their own are left out.
pub(super) fn subfolders_with_revisions(mut subfolders: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut entries_left = ENTRIES;
    subfolders.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A folder called `x.sql` is an error of its own.
        !name.ends_with(".sql") && !RESERVED.contains(&name.as_ref()) && has_revisions(path, DEPTH, &mut entries_left)
    });
    subfolders.sort();
    subfolders
}

fn has_revisions(folder: &Path, depth: usize, entries_left: &mut usize) -> bool {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if *entries_left == 0 {
            return false;
        }
        *entries_left -= 1;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        match entry.file_type() {
            _ if name.starts_with('.') => {}
            Ok(kind) if kind.is_dir() => folders.push(entry.path()),
            Ok(_) if name.ends_with(".sql") => return true,
            Ok(_) | Err(_) => {}
        }
    }
    depth > 1 && folders.iter().any(|folder| has_revisions(folder, depth - 1, entries_left))
}
