//! The run that is disturbed, and what must be true after it was run again.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::support::session::Rows;
use crate::support::{Database, Outcome, Program, Project, Proxy, Running, Session, pgmarch, pgmarch_at};

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

/// What a run leaves in a database.
#[derive(Debug, PartialEq)]
pub(crate) struct Trace {
    versions: Rows,
    /// How often each revision was done, each way.
    journal: Rows,
    /// The schema, as `pg_dump -s` writes it.
    schema: String,
}

impl Trace {
    #[track_caller]
    pub(crate) fn of(database: &Database, session: &Session) -> Trace {
        let (versions, journal) = Trace::bookkeeping(session);
        Trace { versions, journal, schema: database.dump() }
    }

    /// Version rows and journal.
    #[track_caller]
    fn bookkeeping(session: &Session) -> (Rows, Rows) {
        let journal = "SELECT revision, direction, count(*) FROM pgmarch.journal WHERE outcome = 'done' AND statement IS NULL GROUP BY 1, 2 ORDER BY 1, 2";
        (session.query("SELECT version_num FROM alembic_version ORDER BY 1"), session.query(journal))
    }
}

/// Another run finds nothing to do, and what is there is what an undisturbed run makes of a database like `fresh`.
#[track_caller]
pub(crate) fn assert_complete(database: &Database, project: &Project, fresh: &Database) {
    pgmarch(database, project).run().exits(0);
    pgmarch(fresh, project).run().exits(0);
    let session = database.session();
    clean(&session);
    assert_eq!(Trace::of(database, &session), Trace::of(fresh, &fresh.session()));
}

/// How many messages go either way in an undisturbed run.
pub(crate) fn messages() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let database = Database::new();
        let proxy = Proxy::to(&database).delay(DELAY);
        disturbed(&proxy.url_for(&database), &project()).run().exits(0);
        proxy.all_messages()
    })
}

/// Messages take this long where a moment of a run is to be met: some follow each other only by the answers between them.
pub(crate) const DELAY: Duration = Duration::from_millis(2);

/// A signalled run ends within a second; on a machine that is busy with the other cases, somewhat later.
pub(crate) const A_SECOND: Duration = Duration::from_millis(2500);

/// Waits for the n-th message, or for the run's end: a moment that is met on a machine however busy.
pub(crate) fn wait_for_message(n: usize, proxy: &Proxy, running: &Running) {
    while proxy.all_messages() < n && running.is_running() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// The version of the server that all cases share.
pub(crate) fn server_version() -> String {
    format!("PostgreSQL {}", Database::new().one("SHOW server_version"))
}

/// The program with timeouts that suit a disturbance.
pub(crate) fn disturbed(url: &str, project: &Project) -> Program {
    pgmarch_at(url, project)
        .env("PGMARCH_WAIT_TIMEOUT", "60s")
        .env("PGMARCH_RETRY_FOR", "60s")
        .env("PGMARCH_RUN_LOCK_TIMEOUT", "60s")
        .deadline(Duration::from_secs(200))
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
        static TOP: OnceLock<Database> = OnceLock::new();
        match self {
            Way::Up => Database::new(),
            Way::Down => Database::like(TOP.get_or_init(|| {
                let database = Database::new();
                pgmarch(&database, project).run().exits(0);
                clean(&database.session());
                database
            })),
        }
    }

    /// The disturbed run ended with one of these exit codes, or by a signal (`None`); one that said 0 was at its target
    /// before anybody helped. Then runs it again, undisturbed, and looks at everything.
    #[track_caller]
    pub(crate) fn survived(self, outcome: Outcome, codes: &[Option<i32>], database: &Database, project: &Project) {
        let said_done = outcome.code() == Some(0);
        ended(outcome, codes);
        let session = database.session();
        if said_done {
            self.reached(database, &session);
            let before = Trace::bookkeeping(&session);
            self.words(pgmarch(database, project)).run().exits(0);
            assert_eq!(Trace::bookkeeping(&session), before, "nothing was left to do");
        } else {
            self.words(pgmarch(database, project)).run().exits(0);
            self.reached(database, &session);
        }
    }

    /// All is as if nothing had happened.
    #[track_caller]
    fn reached(self, database: &Database, session: &Session) {
        if self == Way::Up {
            ran_once(session);
        }
        clean(session);
        assert_eq!(&Trace::of(database, session), self.undisturbed());
    }

    /// What an undisturbed run leaves.
    fn undisturbed(self) -> &'static Trace {
        static TRACES: [OnceLock<Trace>; 2] = [const { OnceLock::new() }; 2];
        TRACES[usize::from(self == Way::Down)].get_or_init(|| {
            let project = project();
            let database = self.start(&project);
            self.words(pgmarch(&database, &project)).run().exits(0);
            Trace::of(&database, &database.session())
        })
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
    Way::Up.reached(database, &database.session());
}

/// Each revision's statements ran once.
#[track_caller]
pub(crate) fn ran_once(session: &Session) {
    let mut once = REVISIONS.map(|id| vec![id.to_string(), "1".to_string()]);
    once.sort_unstable();
    let witness = "SELECT revision, count(*) FROM witness GROUP BY 1 ORDER BY revision COLLATE \"C\"";
    assert_eq!(session.query(witness), once, "each revision ran once");
    assert_eq!(session.one("SELECT sum(a - b) FROM t"), "500", "the UPDATE ran once");
}

/// The schema of the story at its end.
pub(crate) fn schema() -> &'static str {
    &Way::Up.undisturbed().schema
}

/// No leftover lock, backend or INVALID index.
#[track_caller]
pub(crate) fn clean(session: &Session) {
    // Under any `application_name`: the tests' own sessions have theirs.
    let backends = "SELECT coalesce(string_agg(application_name || ': ' || query, '; '), '') FROM pg_stat_activity \
        WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> 'test' AND pid <> pg_backend_pid()";
    session.eventually(backends, "");
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(session.one(locks), "0", "no lock is left");
    assert_eq!(session.one("SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "0", "no index is INVALID");
}
