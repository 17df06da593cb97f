//! Every command, in the situations in which it sends different statements.

use std::thread;
use std::time::{Duration, Instant};

use crate::sidecar::Sidecar;
use crate::support::{Database, Outcome, Program, Project, Session, installation, pgmarch_at};

/// Within which everything is read from a database with planted objects.
const READING: Duration = Duration::from_secs(8);

/// A situation's name, and what is done in it on an empty database.
pub(super) type Situation = (&'static str, fn(&Stage));

/// All of them.
pub(super) const SITUATIONS: [Situation; 19] = [
    ("upgrade and downgrade", upgrade_and_downgrade),
    ("a whole run in one transaction", whole_run),
    ("several heads", several_heads),
    ("statements outside of transactions", outside_of_transactions),
    ("a concurrent build that is interrupted", interrupted_build),
    ("a concurrent build that fails", failed_build),
    ("scripts", scripts),
    ("revisions that fail", failures),
    ("answers", answers),
    ("wait", waits),
    ("stamp", stamps),
    ("changed files", changed_files),
    ("a database that is ahead", ahead),
    ("a statement that is blocked, and the run lock held", blocked),
    ("a lock timeout", lock_timeout),
    ("a signal", signalled),
    ("settings", settings),
    ("the model", model),
    ("sidecar", sidecar),
];

/// A database, the role that migrates it and where that finds names.
pub(super) struct Stage {
    database: Database,
    url: String,
    role: String,
    /// What the migrating role may become.
    group: String,
}

impl Stage {
    /// With a new role: a superuser, or one that owns the database.
    pub(super) fn new(database: Database, search_path: &str, superuser: bool) -> Stage {
        let role = database.role("migrator", &[]);
        let group = database.role("group", &[]).name;
        let (name, owned) = (&role.name, database.name());
        let rights = if superuser { "SUPERUSER" } else { "CREATEDB" };
        database.execute(&format!(
            "ALTER ROLE {name} {rights}; ALTER ROLE {name} SET search_path = {search_path}; GRANT {group}, pg_read_all_stats TO {name}; \
             ALTER DATABASE {owned} OWNER TO {name}; GRANT CREATE ON DATABASE {owned} TO {group}"
        ));
        Stage { url: role.url.clone(), role: role.name, group, database }
    }

    /// Removes what an earlier situation has left.
    pub(super) fn clear(&self) {
        let others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let session = self.database.session();
        session.execute(&format!("SELECT pg_terminate_backend(pid) {others}"));
        session.eventually(&format!("SELECT count(*) {others} AND backend_type = 'client backend'"), "0");
        session.execute(&format!(
            "DROP SCHEMA IF EXISTS app, pgmarch, things, other, other_ledger CASCADE; CREATE SCHEMA app AUTHORIZATION {}; \
             CREATE SCHEMA other AUTHORIZATION {}",
            self.role, self.group
        ));
    }

    fn pgmarch(&self, project: &Project, words: &[&str]) -> Program {
        pgmarch_at(&self.url, project).args(words.iter().copied()).env("PGMARCH_VERSION_TABLE", "app.alembic_version")
    }

    fn runs(&self, project: &Project, words: &[&str]) -> Outcome {
        // With all that a run can do.
        self.pgmarch(project, words).env("PGMARCH_SNAPSHOT", "on").run().exits(0)
    }

    /// Runs a script as `psql -f` does, in a session that counts as ours.
    fn psql(&self, script: &str) {
        let folder = Project::new().file("script.sql", script);
        let program = Program::at(installation::binary("psql")).in_folder(folder.path()).env("PGAPPNAME", "pgmarch/script");
        program.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=script.sql", &self.url]).run().exits(0);
    }

    /// Waits until no session of ours is left.
    fn quiet(&self) {
        let ours = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pgmarch%'";
        self.database.eventually(ours, "0");
    }

    /// A session with a snapshot, for which every concurrent build waits.
    fn snapshot(&self) -> Session {
        let session = self.database.session();
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
        session
    }
}

/// A revision that creates a table, in a schema that the first one creates. Revisions call nothing, so that whatever is
/// called is called by us.
fn chain(last: u32) -> Project {
    (1..=last).fold(Project::new(), |project, number| {
        let (before, after) = if number == 1 { ("CREATE SCHEMA things;\n", "\nDROP SCHEMA things;") } else { ("", "") };
        let (up, down) =
            (format!("{before}CREATE TABLE things.t{number} (id integer, b integer);"), format!("DROP TABLE things.t{number};{after}"));
        project.revision(&format!("00{number}"), &up, &down)
    })
}

fn stepwise(project: Project, id: &str, up: &str, down: &str) -> Project {
    project
        .file(&format!("{id}_test.sql"), &format!("-- migrate:up transaction:false\n{up}\n\n-- migrate:down transaction:false\n{down}\n"))
}

fn upgrade_and_downgrade(stage: &Stage) {
    let project = chain(8);
    stage.runs(&project, &["upgrade", "001"]);
    stage.runs(&project, &["upgrade", "+1"]);
    stage.runs(&project, &[]);
    stage.runs(&project, &[]);
    stage.runs(&project, &["downgrade", "-1", "--yes"]);
    stage.pgmarch(&project, &["downgrade", "001"]).run().exits(2);
    stage.runs(&project, &["downgrade", "base", "--yes"]);
    stage.runs(&project, &["upgrade", "--json"]);
    stage.quiet();
}

fn whole_run(stage: &Stage) {
    let run = |project: &Project, words: &[&str]| stage.pgmarch(project, words).env("PGMARCH_TRANSACTION", "run").run();
    run(&chain(3).revision("004", "SELECT missing;", "SELECT 1;"), &[]).exits(6);
    run(&chain(6), &[]).exits(0);
    run(&chain(6), &["downgrade", "001", "--yes"]).exits(0);
    let script = run(&chain(6), &["upgrade", "--sql"]).exits(0).stdout;
    stage.psql(&script);
}

fn several_heads(stage: &Stage) {
    let child = |project: Project, id: &str, parents: &str| {
        project.child(id, parents, &format!("CREATE TABLE app.t{id} (id integer);"), &format!("DROP TABLE app.t{id};"))
    };
    let project = child(child(child(Project::new(), "001", "base"), "02a", "001"), "02b", "001");
    stage.pgmarch(&project, &[]).run().exits(3);
    stage.runs(&project, &["upgrade", "heads"]);
    stage.runs(&project, &["history"]);
    stage.runs(&project, &["merge", "heads"]);
    let merged = project.names().into_iter().find(|name| !name.ends_with("_test.sql")).expect("the merge");
    project.write(&merged, &project.read(&merged).replace("-- migrate:up\n", "-- migrate:up\nSELECT 1;\n"));
    stage.runs(&project, &["upgrade", "heads"]);
    stage.runs(&project, &["downgrade", "001", "--yes"]);
}

/// A table with an index and partitions, then what can't be done in a transaction.
fn indexes(stage: &Stage) -> Project {
    // Only from 14 on is a partition detached concurrently.
    let detach = if stage.database.major() >= 14 { "ALTER TABLE things.p DETACH PARTITION things.p1 CONCURRENTLY;\n" } else { "" };
    let up = format!(
        "CREATE INDEX CONCURRENTLY i ON things.t1 (id);\nREINDEX INDEX CONCURRENTLY things.i;\nREINDEX TABLE CONCURRENTLY things.t1;\n\
         SET lock_timeout = '3s';\nCREATE INDEX CONCURRENTLY IF NOT EXISTS j ON things.t1 (b);\nCREATE TABLE things.s (id integer);\n\
         {detach}VACUUM things.t1;"
    );
    let parted = "CREATE TABLE things.p (id integer) PARTITION BY RANGE (id);\nCREATE TABLE things.p1 PARTITION OF things.p FOR VALUES FROM (1) TO (9);";
    let project = chain(1).revision("002", parted, "DROP TABLE things.p;\nDROP TABLE IF EXISTS things.p1;");
    stepwise(project, "003", &up, "DROP INDEX CONCURRENTLY things.i;\nDROP INDEX CONCURRENTLY things.j;\nDROP TABLE things.s;")
}

fn outside_of_transactions(stage: &Stage) {
    let project = indexes(stage);
    stage.runs(&project, &[]);
    stage.runs(&project, &["downgrade", "-1", "--yes"]);
    stage.runs(&project, &["downgrade", "base", "--yes"]);
    stage.pgmarch(&project, &["upgrade", "002"]).env("PGMARCH_TRANSACTION", "run").run().exits(0);
    let failing = stepwise(chain(1), "002", "INSERT INTO things.t1 VALUES (1);\nSELECT missing;", "SELECT 1;");
    stage.runs(&project, &["downgrade", "001", "--yes"]);
    stage.pgmarch(&failing, &[]).run().exits(6);
    failing.write("002_test.sql", &failing.read("002_test.sql").replace("missing", "1"));
    stage.runs(&failing, &["status"]);
    stage.runs(&failing, &[]).stderr_contains("continuing with statement 2");
}

const BUILDING: &str = "SELECT count(*) > 0 FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND NOT l.granted AND l.locktype = 'virtualxid' \
    WHERE a.datname = current_database() AND a.application_name LIKE 'pgmarch%'";

fn interrupted_build(stage: &Stage) {
    let project = indexes(stage);
    stage.runs(&project, &["upgrade", "002"]);
    let snapshot = stage.snapshot();
    let mut running = stage.pgmarch(&project, &[]).spawn();
    stage.database.eventually(BUILDING, "t");
    running.wait_for_log("CREATE INDEX CONCURRENTLY: waiting for");
    running.kill();
    let again = stage.pgmarch(&project, &[]).spawn();
    // Without its client the earlier backend ends on 14 and newer; before, the next run waits for it.
    if stage.database.major() >= 14 {
        again.wait_for_log("dropping the INVALID index");
    } else {
        again.wait_for_log("waiting for the backend of an earlier run");
    }
    snapshot.execute("COMMIT");
    again.wait().exits(0);
}

fn failed_build(stage: &Stage) {
    let project = chain(1).revision("002", "INSERT INTO things.t1 VALUES (1, 1), (2, 1);", "SELECT 1;");
    let project = stepwise(project, "003", "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON things.t1 (b);", "SELECT 1;");
    stage.pgmarch(&project, &[]).run().exits(6).stderr_contains("23505");
    let session = stage.database.session();
    assert_eq!(session.refusal("CREATE UNIQUE INDEX CONCURRENTLY i ON things.t1 (b)"), "23505");
    session.execute("DELETE FROM things.t1");
    drop(session);
    stage.runs(&project, &[]).stderr_contains("dropping the INVALID index");
}

fn scripts(stage: &Stage) {
    let project = indexes(stage);
    let prints = |words: &[&str]| stage.runs(&project, words).stdout;
    stage.psql(&prints(&["upgrade", "--sql", "base:001"]));
    stage.psql(&prints(&["upgrade", "--sql"]));
    stage.psql(&prints(&["downgrade", "--sql", "head:001"]));
    stage.psql(&prints(&["downgrade", "--sql", "001:base"]));
}

fn failures(stage: &Stage) {
    let project = chain(1).revision("002", "CREATE TABLE things.x (id integer);\nSELECT missing;", "SELECT 1;");
    stage.pgmarch(&project, &[]).run().exits(6);
    stage.runs(&project, &["status"]);
    stage.runs(&project, &["show", "002"]);
    project.write("002_test.sql", "-- migrate:up\nSELECT 1;\n\n-- migrate:down\nSELECT missing;\n");
    stage.runs(&project, &[]);
    stage.pgmarch(&project, &["downgrade", "001", "--yes"]).run().exits(6);
    stage.database.execute("UPDATE app.alembic_version SET version_num = 'zzz'");
    stage.pgmarch(&project, &[]).run().exits(3);
    stage.pgmarch(&project, &["status"]).run().exits(3);
    stage.runs(&project, &["stamp", "--purge", "001"]);
}

fn answers(stage: &Stage) {
    let project = chain(3);
    stage.runs(&project, &["status"]);
    stage.runs(&project, &["upgrade", "002"]);
    stage.pgmarch(&project, &["status", "--check"]).run().exits(1);
    for words in [
        &["status", "--json"][..],
        &["history"],
        &["history", "current:head"],
        &["history", "--json"],
        &["show", "001"],
        &["show", "current", "--json"],
        &["lint"],
        &["lint", "--prove"],
        &["wait", "002"],
    ] {
        stage.runs(&project, words);
    }
}

fn waits(stage: &Stage) {
    let project = chain(2);
    let waiting = stage.pgmarch(&project, &["wait"]).spawn();
    waiting.wait_for_log("2 revisions pending");
    stage.runs(&project, &["upgrade", "001"]);
    waiting.wait_for_log("1 revision pending");
    stage.pgmarch(&project, &["wait"]).env("PGMARCH_WAIT_TIMEOUT", "200ms").run().exits(1);
    stage.runs(&project, &[]);
    waiting.wait().exits(0);
    stage.runs(&project, &["wait", "--json"]);
}

fn stamps(stage: &Stage) {
    let project = chain(3);
    stage.runs(&project, &["stamp", "002"]);
    stage.runs(&project, &["stamp", "--purge", "003"]);
    stage.runs(&project, &["stamp", "base"]);
    stage.runs(&project, &["stamp", "head", "--json"]);
}

fn changed_files(stage: &Stage) {
    let project = chain(2);
    stage.runs(&project, &[]);
    let project = project.revision("002", "CREATE TABLE things.t2 (id bigint);", "DROP TABLE IF EXISTS things.t2;");
    for words in [&["upgrade"][..], &["status", "--check"], &["downgrade", "base", "--yes"]] {
        stage.pgmarch(&project, words).run().exits(3);
    }
    stage.runs(&project, &["status"]);
    stage.runs(&project, &["repair", "002"]);
    stage.runs(&project, &["repair", "002"]);
    // Another down migration is kept by the next run.
    let project = project.revision("002", "CREATE TABLE things.t2 (id bigint);", "DROP TABLE things.t2;");
    stage.runs(&project, &[]);
}

fn ahead(stage: &Stage) {
    stage.runs(&chain(4), &[]);
    let older = chain(2);
    stage.runs(&older, &[]);
    stage.runs(&older, &["wait"]);
    stage.pgmarch(&older, &[]).env("PGMARCH_AHEAD", "refuse").run().exits(7);
    stage.runs(&older, &["status", "--check", "--json"]);
    stage.runs(&older, &["show", "003"]);
    stage.runs(&older, &["history"]);
    stage.runs(&older, &["downgrade", "001", "--yes"]);
}

fn blocked(stage: &Stage) {
    stage.runs(&chain(1), &[]);
    let project = chain(1).revision("002", "ALTER TABLE things.t1 ADD COLUMN c integer;", "SELECT 1;");
    let other = stage.database.session();
    other.execute("BEGIN; LOCK TABLE things.t1 IN ACCESS SHARE MODE");
    let first = stage.pgmarch(&project, &[]).env("PGMARCH_LOCK_TIMEOUT", "20s").spawn();
    first.wait_for_log("waits for pid");
    let reader = stage.database.session().start("SELECT FROM things.t1");
    let second = stage.pgmarch(&project, &[]).spawn();
    second.wait_for_log("waiting for another run to end: pid");
    stage.pgmarch(&project, &[]).env("PGMARCH_RUN_LOCK_TIMEOUT", "200ms").run().exits(5).stderr_contains("another run holds the lock: pid");
    first.wait_for_log("in the way of pid ");
    other.execute("COMMIT");
    first.wait().exits(0);
    second.wait().exits(0);
    reader.finish();
}

fn lock_timeout(stage: &Stage) {
    stage.runs(&chain(1), &[]);
    let project = chain(1).revision("002", "ALTER TABLE things.t1 ADD COLUMN c integer;", "SELECT 1;");
    let other = stage.database.session();
    other.execute("BEGIN; LOCK TABLE things.t1 IN ACCESS SHARE MODE");
    let running = stage.pgmarch(&project, &[]).env("PGMARCH_LOCK_TIMEOUT", "200ms").env("PGMARCH_RETRY_FOR", "20s").spawn();
    running.wait_for_log("in the way: pid");
    other.execute("COMMIT");
    running.wait().exits(0);
}

fn signalled(stage: &Stage) {
    stage.runs(&chain(1), &[]);
    let project = chain(1).file("002_test.sql", "-- migrate:up\nLOCK TABLE things.t1;\n");
    let other = stage.database.session();
    other.execute("BEGIN; LOCK TABLE things.t1");
    let running = stage.pgmarch(&project, &[]).env("PGMARCH_LOCK_TIMEOUT", "20s").spawn();
    stage.database.eventually("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'things.t1'::regclass", "1");
    running.signal("TERM");
    running.wait().exits(143);
}

fn settings(stage: &Stage) {
    let project = chain(6);
    let run = |words: &[&str]| {
        let program =
            stage.pgmarch(&project, words).env("PGMARCH_ROLE", &stage.group).env("PGMARCH_SEARCH_PATH", "app, evil, public, pg_catalog");
        program.env("PGMARCH_VERSION_TABLE", "other.version").env("PGMARCH_LEDGER_SCHEMA", "other_ledger").run()
    };
    run(&[]).exits(0);
    run(&[]).exits(0);
    run(&["downgrade", "-1", "--yes"]).exits(0);
    run(&["stamp", "head"]).exits(0);
    run(&["status"]).exits(0);
    stage.database.execute("DROP SCHEMA things CASCADE");
    // The version table is found by the search path where it is not named with its schema.
    let project = Project::new().revision("001", "CREATE TABLE app.t1 (id integer);", "DROP TABLE app.t1;");
    for attributes in ["read-write", "primary"] {
        let url = format!("{}?target_session_attrs={attributes}", stage.url);
        let run = |words: &[&str]| stage.pgmarch(&project, words).url(&url).env("PGMARCH_VERSION_TABLE", "found_version");
        run(&[]).run().exits(0);
        run(&[]).run().exits(0);
        run(&["downgrade", "base", "--yes"]).run().exits(0);
    }
    stage.database.execute("DROP TABLE IF EXISTS app.found_version, public.found_version");
}

fn model(stage: &Stage) {
    let table = |number: u32| format!("CREATE TABLE things.t{number} (id integer, b integer);\n");
    let model = format!("CREATE SCHEMA things;\n{}{}", table(1), table(2));
    let project = chain(2).file("schema.sql", &model);
    stage.runs(&project, &[]);
    stage.quiet();
    // There is something to find by both, with and without planted objects.
    stage.database.execute("CREATE TABLE app.by_hand (id integer)");
    compares(stage, &project, "check");
    compares(stage, &project, "diff");
    project.write("schema.sql", &format!("{model}{}CREATE INDEX i ON things.t1 (id);\n", table(3)));
    stage.runs(&project, &["create", "more"]);
    project.write("schema.sql", &model);
    stage.runs(&project, &["create", "--online", "less"]);
    stage.runs(&project, &["lint", "--prove", "head"]);
}

/// Compares the database with the model. Where thousands of planted objects are found as differences, it takes minutes to put
/// them in order, in a debug build: after everything has been read, so that it can be stopped before it ends.
fn compares(stage: &Stage, project: &Project, verb: &str) {
    let mut running = stage.pgmarch(project, &[verb]).spawn();
    let deadline = Instant::now() + READING;
    while running.is_running() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    if running.is_running() {
        running.kill();
    } else {
        running.wait().exits(1);
    }
}

fn sidecar(stage: &Stage) {
    let project = chain(1);
    let sidecar = Sidecar::start(stage.pgmarch(&project, &[]).env("PGMARCH_APPLY_CHANGES", "true"));
    sidecar.run.wait_for_log("ready: at 001");
    let project = project.revision("002", "CREATE TABLE things.t2 (id integer);", "DROP TABLE things.t2;");
    sidecar.run.wait_for_log("ready: at 002");
    assert_eq!(sidecar.get("/readyz").0, 200);
    sidecar.run.signal("TERM");
    sidecar.run.wait().exits(143);
    drop(project);
}
