//! ORMs and their tools, as PyPI and npm have them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder under `.cache/` with `alembic` (and SQLAlchemy), `django` or `drizzle` in it; installed once.
pub(crate) fn installed(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/dev/orm.sh");
    let output = Command::new(&script).arg(name).output().unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "these tests need python3 with venv, npm, PyPI and npm's registry: {} {name} failed\n{stderr}",
        script.display()
    );
    PathBuf::from(String::from_utf8(output.stdout).expect("a path in UTF-8").trim())
}
