//! The run that is disturbed, and what must be true after it was run again.

use std::sync::OnceLock;
use std::time::Duration;

use crate::support::{Database, Outcome, Program, Project, pgmarch, pgmarch_at};

/// The revisions of the story, in the order in which they are applied.
pub(crate) const REVISIONS: [&str; 12] = ["001", "002", "003", "004", "005a", "006a", "005b", "006b", "007", "008", "009", "010"];

/// Twelve revisions: transactional ones, two of `transaction:false` with concurrent indexes, two branches and their merge.
/// Each leaves a witness: a row for each time that it ran.
pub(crate) fn project() -> Project {
    let plain = |project: Project, id: &str, parents: &str| {
        let up = format!("CREATE TABLE t{id} (id int PRIMARY KEY, a int);\nINSERT INTO witness VALUES ('{id}');");
        project.child(id, parents, &up, &format!("DROP TABLE t{id};\nDELETE FROM witness WHERE revision = '{id}';"))
    };
    let project = Project::new().child(
        "001",
        "base",
        "CREATE TABLE witness (revision text NOT NULL);\nCREATE TABLE t (id int PRIMARY KEY, a int, b int);\nINSERT INTO t SELECT g, g, g FROM generate_series(1, 500) g;\nINSERT INTO witness VALUES ('001');",
        "DROP TABLE witness;\nDROP TABLE t;",
    );
    let project = plain(plain(project, "002", "001"), "004", "003");
    let project = project.file(
        "003_test.sql",
        "-- revision: 003\n-- revises: 002\n\n-- migrate:up transaction:false\nINSERT INTO witness VALUES ('003');\n\
         CREATE INDEX CONCURRENTLY t_a ON t (a);\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS t_b ON t (b); -- two\nUPDATE t SET a = a + 1;\n\
         \n-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY t_b;\nDROP INDEX CONCURRENTLY t_a;\nDELETE FROM witness WHERE revision = '003';\nUPDATE t SET a = a - 1;\n",
    );
    let project = plain(plain(project, "005a", "004"), "006a", "005a");
    let project = plain(plain(project, "005b", "004"), "006b", "005b");
    let project = project.child("007", "006a, 006b", "INSERT INTO witness VALUES ('007');", "DELETE FROM witness WHERE revision = '007';");
    let project = plain(project, "008", "007").file(
        "009_test.sql",
        "-- revision: 009\n-- revises: 008\n\n-- migrate:up transaction:false\nSET maintenance_work_mem = '8MB';\n\
         CREATE INDEX CONCURRENTLY ON t (a, b);\nREINDEX TABLE CONCURRENTLY t;\nINSERT INTO witness VALUES ('009');\n\
         \n-- migrate:down transaction:false\nDROP INDEX CONCURRENTLY t_a_b_idx;\nDELETE FROM witness WHERE revision = '009';\n",
    );
    plain(project, "010", "009")
}

/// What an undisturbed run leaves, as `pg_dump -s` writes it.
pub(crate) fn undisturbed() -> &'static str {
    static DUMP: OnceLock<String> = OnceLock::new();
    DUMP.get_or_init(|| {
        let database = Database::new();
        pgmarch(&database, &project()).run().exits(0);
        database.dump()
    })
}

/// The version of the server that all cases share.
pub(crate) fn server_version() -> String {
    format!("PostgreSQL {}", Database::new().one("SHOW server_version"))
}

/// The program with patience that suits a disturbance.
pub(crate) fn disturbed(url: &str, project: &Project) -> Program {
    pgmarch_at(url, project)
        .env("PGMARCH_WAIT_TIMEOUT", "20s")
        .env("PGMARCH_RETRY_FOR", "15s")
        .env("PGMARCH_RUN_LOCK_TIMEOUT", "30s")
        .deadline(Duration::from_secs(120))
}

/// Which way the disturbed run goes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Way {
    /// `upgrade` from an empty database.
    Up,
    /// `downgrade base` from the head.
    Down,
}

impl Way {
    /// The program, going this way.
    pub(crate) fn words(self, program: Program) -> Program {
        match self {
            Way::Up => program,
            Way::Down => program.args(["downgrade", "base", "--yes"]),
        }
    }

    /// A database at the start of this way.
    pub(crate) fn start(self, project: &Project) -> Database {
        let database = Database::new();
        if self == Way::Down {
            pgmarch(&database, project).run().exits(0);
        }
        database
    }

    /// Runs it again, undisturbed, and looks at everything.
    #[track_caller]
    pub(crate) fn finish(self, database: &Database, project: &Project) {
        self.words(pgmarch(database, project)).run().exits(0);
        match self {
            Way::Up => arrived(database),
            Way::Down => departed(database),
        }
    }
}

/// Expects one of these exit codes of the disturbed run, or death by a signal (`None`).
#[track_caller]
pub(crate) fn ended(outcome: Outcome, codes: &[Option<i32>]) {
    assert!(codes.contains(&outcome.code()), "should have ended with one of {codes:?}\n{outcome}");
}

/// After an upgrade: as if nothing had happened.
#[track_caller]
pub(crate) fn arrived(database: &Database) {
    let once: Vec<Vec<String>> = {
        let mut ids = REVISIONS.to_vec();
        ids.sort_unstable();
        ids.into_iter().map(|id| vec![id.to_string(), "1".to_string()]).collect()
    };
    let journal = "SELECT revision, count(*) FROM pgmarch.journal WHERE direction = 'upgrade' AND outcome = 'done' AND statement IS NULL GROUP BY 1 ORDER BY revision COLLATE \"C\"";
    assert_eq!(database.query(journal), once, "each revision is in the journal once");
    assert_eq!(
        database.query("SELECT revision, count(*) FROM witness GROUP BY 1 ORDER BY revision COLLATE \"C\""),
        once,
        "each revision ran once"
    );
    assert_eq!(database.one("SELECT string_agg(version_num, ',') FROM alembic_version"), "010");
    assert_eq!(database.one("SELECT sum(a - b) FROM t"), "500", "the UPDATE ran once");
    clean(database);
    assert_eq!(database.dump(), undisturbed(), "the schema is that of an undisturbed run");
}

/// After a downgrade: nothing is left but the ledger.
#[track_caller]
pub(crate) fn departed(database: &Database) {
    assert_eq!(database.one("SELECT count(*) FROM alembic_version"), "0");
    let journal = "SELECT count(*), count(DISTINCT revision) FROM pgmarch.journal WHERE direction = 'downgrade' AND outcome = 'done' AND statement IS NULL";
    assert_eq!(database.query(journal), [["12", "12"]], "each revision was undone once");
    let left = "SELECT coalesce(string_agg(relname, ', '), '') FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'";
    assert_eq!(database.one(left), "", "no table is left");
    clean(database);
}

/// No leftover lock, backend or INVALID index.
#[track_caller]
pub(crate) fn clean(database: &Database) {
    let name = database.name();
    database
        .eventually(&format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND application_name LIKE 'pgmarch%'"), "0");
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(database.one(locks), "0", "no lock is left");
    assert_eq!(database.one("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0", "no index is INVALID");
}
