//! The command line and the settings, as far as no database is needed.

use crate::support::{Project, pgmarch_without_database};

#[test]
fn help_names_every_verb_setting_and_exit_code() {
    let help = pgmarch_without_database(&Project::new()).args(["--help"]).run().exits(0);
    for word in ["upgrade", "status", "PGMARCH_DATABASE_URL", "PGMARCH_TERMINATION_LOG", "NAME_FILE", "  143  SIGTERM", "[default: 60s]"] {
        assert!(help.stdout.contains(word), "{word}\n{help}");
    }
    pgmarch_without_database(&Project::new()).args(["upgrade", "--help"]).run().exits(0).stdout_contains("The revision to be at");
}

#[test]
fn the_version_is_that_of_the_package() {
    pgmarch_without_database(&Project::new())
        .args(["--version"])
        .run()
        .exits(0)
        .stdout_is(&format!("pgmarch {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn words_that_mean_nothing_are_a_mistake_of_usage() {
    let project = Project::new().revision("1", "SELECT 1", "SELECT 1");
    pgmarch_without_database(&project)
        .args(["upgrad"])
        .run()
        .exits(2)
        .stderr_contains("unrecognized subcommand 'upgrad'")
        .stderr_contains("upgrade");
    pgmarch_without_database(&project).args(["status", "--josn"]).run().exits(2).stderr_contains("--json");
    pgmarch_without_database(&project).env("PGMARCH_COMMAND", "statsu").run().exits(2).stderr_contains("PGMARCH_COMMAND");
    pgmarch_without_database(&project).args(["upgrade", "9"]).run().exits(2).stderr_contains("no revision has the id `9`");
    pgmarch_without_database(&project)
        .args(["upgrade", "-1"])
        .env("PGMARCH_DATABASE_URL", "postgres://u@127.0.0.1:1/d")
        .env("PGMARCH_WAIT_TIMEOUT", "0")
        .run()
        .exits(4);
}

#[test]
fn junk_in_every_setting_is_refused_by_name_and_all_at_once() {
    let project = Project::new().revision("1", "SELECT 1", "SELECT 1");
    let junk = [
        "PGMARCH_WAIT_TIMEOUT",
        "PGMARCH_RUN_LOCK_TIMEOUT",
        "PGMARCH_LOCK_TIMEOUT",
        "PGMARCH_STATEMENT_TIMEOUT",
        "PGMARCH_RETRY_FOR",
        "PGMARCH_TRANSACTION",
        "PGMARCH_WAIT_FOR",
        "PGMARCH_LOG_FORMAT",
    ];
    let program = junk.iter().fold(pgmarch_without_database(&project), |program, name| program.env(name, "jünk?!"));
    let program = program
        .env("PGMARCH_LOG", "a=b=c")
        .env("PGMARCH_VERSION_TABLE", "a.b.c")
        .env("PGMARCH_LEDGER_SCHEMA", &"x".repeat(64))
        .env("PGMARCH_TARGTE", "head");
    let run = program
        .env("PGMARCH_LOG_FORMAT_FILE", "/nowhere")
        .without("PGMARCH_LOG_FORMAT")
        .env("PGMARCH_ROLE", &"r".repeat(64))
        .env("PGMARCH_SEARCH_PATH", "a,,b")
        .run()
        .exits(2);
    let stderr = run.stderr.clone();
    for name in junk.iter().filter(|name| **name != "PGMARCH_LOG_FORMAT").chain(&[
        "PGMARCH_LOG",
        "PGMARCH_VERSION_TABLE",
        "PGMARCH_LEDGER_SCHEMA",
        "PGMARCH_TARGTE",
        "PGMARCH_LOG_FORMAT_FILE",
        "PGMARCH_ROLE",
        "PGMARCH_SEARCH_PATH",
    ]) {
        assert!(
            stderr.contains(&format!("error: {name}"))
                || stderr.contains(&format!("\"message\":\"{name}"))
                || stderr.contains(&format!("\\n{name}")),
            "{name}\n{run}"
        );
    }
    assert!(stderr.contains("did you mean PGMARCH_TARGET?"), "{run}");
    pgmarch_without_database(&project).env("PGMARCH_TARGET", "a b").run().exits(2).stderr_contains("`a b` is not a revision's name");
    pgmarch_without_database(&project).env("PGMARCH_MIGRATIONS", " ").run().exits(2).stderr_contains("the folder does not exist");
    let newline = pgmarch_without_database(&project).env("PGMARCH_MIGRATIONS", "\n").run().exits(2);
    newline.stderr_contains("PGMARCH_MIGRATIONS has a newline at its end");
    pgmarch_without_database(&project)
        .env("PGMARCH_DATABASE_URL", "junk")
        .run()
        .exits(2)
        .stderr_contains("PGMARCH_DATABASE_URL: neither a URL");
    pgmarch_without_database(&project)
        .env("PGPORT", "junk")
        .env("PGHOST", "h")
        .env("PGUSER", "u")
        .run()
        .exits(2)
        .stderr_contains("`port` is no number from 1 to 65535");
}
