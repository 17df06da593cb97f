//! Which release of pgmarch runs: 0.1, or the program under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::program::binary;

/// A release of pgmarch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Release {
    /// pgmarch 0.1, built from its commit.
    Earlier,
    /// The program under test.
    Current,
}

impl Release {
    /// Its binary.
    pub(super) fn binary(self) -> PathBuf {
        match self {
            Release::Earlier => earlier_release().to_path_buf(),
            Release::Current => binary(),
        }
    }
}

/// The binary of pgmarch 0.1, built by the first test process that needs it, if `make test` has not done so.
fn earlier_release() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let mut build = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/dev/earlier-release.sh"));
        for (name, _) in std::env::vars().filter(|(name, _)| describes_these_tests(name)) {
            build.env_remove(name);
        }
        let output = build.output().unwrap_or_else(|error| panic!("{build:?}: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim_end());
        PathBuf::from(String::from_utf8(output.stdout).expect("a path in UTF-8").trim_end())
    })
}

/// Whether cargo has set a variable for this test process: the package that is tested is not the one that is built.
fn describes_these_tests(variable: &str) -> bool {
    let beginnings = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_", "CARGO_TARGET_TMPDIR"];
    variable == "CARGO" || beginnings.iter().any(|beginning| variable.starts_with(beginning))
}
