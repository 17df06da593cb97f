//! Whatever reads something from outside takes any bytes without a panic: the same targets as `make fuzz` feeds, and all of its
//! corpus.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use proptest::prelude::*;

#[path = "../crates/pg-connect/fuzz/targets.rs"]
pub(crate) mod library_targets;
#[path = "../fuzz/targets.rs"]
pub(crate) mod targets;

type Target = fn(&[u8]);

/// Each target with the folder of its corpus.
const TARGETS: [(&str, Target); 7] = [
    ("fuzz/corpus/settings", targets::settings),
    ("fuzz/corpus/revision", targets::revision),
    ("fuzz/corpus/statements", targets::statements),
    ("crates/pg-connect/fuzz/corpus/environment", library_targets::environment),
    ("crates/pg-connect/fuzz/corpus/url", library_targets::url),
    ("crates/pg-connect/fuzz/corpus/certificate", library_targets::certificate),
    ("crates/pg-connect/fuzz/corpus/server", library_targets::server),
];

/// Bits of all the languages that are read, so that garbage gets further than the first byte.
const BITS: [&str; 44] = [
    "postgres://",
    "host",
    "=",
    "'",
    "\\",
    "%",
    "%4",
    "%41",
    "@",
    ":",
    "/",
    "?",
    "&",
    "[",
    "]",
    ",",
    "password",
    " ",
    "\n",
    "PGHOST=",
    "PGMARCH_WAIT_FOR=",
    "PGMARCH_LOG=",
    "-- migrate:up",
    "-- migrate:down",
    "-- revises: ",
    "-- ",
    "transaction:false",
    ";",
    "$$",
    "$a$",
    "E'",
    "U&\"",
    "/*",
    "*/",
    "BEGIN",
    "ATOMIC",
    "END",
    "CASE",
    "COMMIT",
    "CREATE FUNCTION",
    "ü",
    "\u{0}",
    "COPY x FROM STDIN",
    "SELECT 1",
];

fn bytes() -> BoxedStrategy<Vec<u8>> {
    let bits = proptest::collection::vec(proptest::sample::select(BITS.to_vec()), 0..16).prop_map(|bits| bits.concat().into_bytes());
    prop_oneof![bits, proptest::collection::vec(any::<u8>(), 0..200)].boxed()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_garbage_panics(bytes in bytes()) {
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }
}

#[test]
fn nothing_of_the_corpus_panics() {
    for (corpus, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(corpus);
        let files: Vec<_> = fs::read_dir(&folder).expect("a corpus for each target").flatten().collect();
        assert!(!files.is_empty(), "{}", folder.display());
        for file in files {
            target(&fs::read(file.path()).expect("read the corpus"));
        }
    }
}

/// What reading may take in memory for its data, in KiB.
const MEMORY: u32 = 64 << 10;

#[test]
fn no_garbage_takes_much_memory() {
    // The tests above once more, in a process that can't have more.
    let itself = env::current_exe().expect("this program");
    let limited = format!("ulimit -d {MEMORY}; exec \"$0\" --test-threads 1 --exact \"$@\"");
    let tests = ["garbage::no_garbage_panics", "garbage::nothing_of_the_corpus_panics"];
    let outcome = Command::new("/bin/sh").args(["-c", &limited]).arg(itself).args(tests).output().expect("run sh");
    let stdout = String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.status.success() && stdout.contains("2 passed"), "{stdout}\n{}", String::from_utf8_lossy(&outcome.stderr));
}
