//! A version table or a ledger that somebody else has made, or put code on: who may write less than the run gains nothing
//! from it. And set-ups that look alike and are ordinary.

use std::thread;

use crate::sidecar::Sidecar;
use crate::support::{Database, Outcome, Project, Session, pgmarch, pgmarch_at};

fn project() -> Project {
    Project::new()
        .revision("001", "CREATE TABLE things (id int);", "DROP TABLE things;")
        .revision("002", "SELECT 2;", "SELECT 2;")
        .file("schema.sql", "CREATE TABLE things (id int);")
}

/// The commands that only read.
const READING: [&str; 10] = [
    "status",
    "status --check --json",
    "wait",
    "history",
    "show 001",
    "check",
    "diff",
    "lint",
    "upgrade --sql",
    "downgrade --sql head:base",
];
/// The commands that write.
const WRITING: [&str; 5] = ["upgrade", "upgrade 001", "downgrade base --yes", "stamp base", "repair 001"];

fn run(url: &str, project: &Project, words: &str) -> Outcome {
    pgmarch_at(url, project)
        .args(words.split(' '))
        .env("PGMARCH_RETRY_FOR", "0")
        .env("PGMARCH_WAIT_TIMEOUT", "2s")
        .env("PGMARCH_LISTEN", "127.0.0.1:0")
        .run()
}

/// Returns when one session waits for such a lock in this database.
fn wait_for_blocked_session(database: &Database, lock: &str) {
    let here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    database.eventually(&format!("SELECT count(*) FROM pg_locks WHERE {lock} AND NOT granted AND {here}"), "1");
}

/// A role that may create objects in `public`, and would like to be a superuser: `grab()` makes it one, if somebody calls it
/// who can.
struct Mallory {
    name: String,
    url: String,
}

impl Mallory {
    fn new(database: &Database) -> Mallory {
        let create = format!("CREATE ON DATABASE {}", database.name());
        let role = database.role("mallory", &["CREATE, USAGE ON SCHEMA public", &create]);
        let mallory = Mallory { name: role.name, url: role.url };
        mallory.execute(&format!(
            "CREATE SCHEMA {0};
             CREATE FUNCTION {0}.grab() RETURNS text LANGUAGE plpgsql AS $$BEGIN
                 IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN EXECUTE 'ALTER ROLE {0} SUPERUSER'; END IF; RETURN 'x';
             END$$;
             CREATE FUNCTION {0}.grab(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN {0}.grab() IS NOT NULL; END$$;
             CREATE FUNCTION {0}.grab_row() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM {0}.grab(); RETURN NEW; END$$;
             GRANT USAGE ON SCHEMA {0} TO PUBLIC",
            mallory.name
        ));
        mallory
    }

    fn execute(&self, sql: &str) {
        Session::open(&self.url).execute(sql);
    }

    #[track_caller]
    fn has_gained_nothing(&self, database: &Database, what: &str) {
        let is_super = database.one(&format!("SELECT rolsuper FROM pg_roles WHERE rolname = '{}'", self.name));
        assert_eq!(is_super, "f", "{what} made it a superuser");
    }
}

/// Every command ends with exit 3, and names the relation.
#[track_caller]
fn all_refuse(database: &Database, mallory: &Mallory, relation: &str, what: &str) {
    let project = project();
    for words in READING.iter().filter(|words| !words.starts_with("downgrade --sql")).chain(&WRITING) {
        let outcome = run(&database.url(), &project, words);
        assert_eq!(outcome.code(), Some(3), "{what}: {words}\n{outcome}");
        assert!(outcome.stderr.contains(relation) && outcome.stderr.contains("is not trusted"), "{what}: {words}\n{outcome}");
        assert!(outcome.last_line().contains("next: find out who made"), "{what}: {words}\n{outcome}");
        mallory.has_gained_nothing(database, &format!("{words} on {what}"));
    }
    let sidecar = run(&database.url(), &project, "sidecar");
    assert_eq!(sidecar.code(), Some(3), "{what}: sidecar\n{sidecar}");
}

#[test]
fn what_is_no_table_is_not_taken_for_the_version_table() {
    for (what, sql) in [
        ("a view", "CREATE VIEW public.alembic_version AS SELECT {m}.grab() AS version_num"),
        ("a materialized view", "CREATE MATERIALIZED VIEW public.alembic_version AS SELECT 'x'::text AS version_num"),
        ("a sequence", "CREATE SEQUENCE public.alembic_version"),
        ("a partitioned table", "CREATE TABLE public.alembic_version (version_num text) PARTITION BY LIST (version_num)"),
        ("a composite type", "CREATE TYPE public.alembic_version AS (version_num text)"),
        ("an index", "CREATE TABLE public.innocent (version_num text); CREATE INDEX alembic_version ON public.innocent (version_num)"),
        ("without a version", "CREATE TABLE public.alembic_version (version text)"),
        (
            "of a type of its own",
            "CREATE DOMAIN {m}.version AS text CHECK ({m}.grab(VALUE)); CREATE TABLE public.alembic_version (version_num {m}.version)",
        ),
    ] {
        let database = Database::new();
        let mallory = Mallory::new(&database);
        mallory.execute(&sql.replace("{m}", &mallory.name));
        all_refuse(&database, &mallory, "public.alembic_version", what);
    }
}

#[test]
fn what_is_no_table_is_not_taken_for_the_ledger() {
    for (relation, sql) in [
        ("pgmarch.journal", "CREATE VIEW pgmarch.journal AS SELECT {m}.grab() AS sealed"),
        ("pgmarch.revision", "CREATE SEQUENCE pgmarch.revision"),
        ("pgmarch.format", "CREATE MATERIALIZED VIEW pgmarch.format AS SELECT 1 AS oldest"),
        ("pgmarch.catalog", "CREATE TABLE pgmarch.catalog (version_table text) PARTITION BY LIST (version_table)"),
    ] {
        let database = Database::new();
        let mallory = Mallory::new(&database);
        database.execute(&format!("CREATE SCHEMA pgmarch; GRANT CREATE, USAGE ON SCHEMA pgmarch TO {}", mallory.name));
        mallory.execute(&sql.replace("{m}", &mallory.name));
        all_refuse(&database, &mallory, relation, relation);
    }
}

#[test]
fn a_type_in_the_place_of_a_table_is_named_at_once() {
    for (name, sql) in [
        ("public.alembic_version", "CREATE TYPE public.alembic_version AS ENUM ('a')"),
        ("pgmarch.journal", "CREATE DOMAIN pgmarch.journal AS text"),
    ] {
        let database = Database::new();
        let mallory = Mallory::new(&database);
        database.execute(&format!("CREATE SCHEMA pgmarch; GRANT CREATE, USAGE ON SCHEMA pgmarch TO {}", mallory.name));
        mallory.execute(sql);
        let outcome = run(&database.url(), &project(), "upgrade").exits(3);
        let outcome = outcome.stderr_contains(&format!("type {name} already exists"));
        assert!(outcome.last_line().contains(&format!("drop or rename the type {name}")), "{outcome}");
    }
}

/// A migrated database, and what is done there with rights that look harmless.
#[test]
fn code_of_others_on_our_tables_is_not_run() {
    for (relation, grant, planted) in [
        (
            "public.alembic_version",
            "TRIGGER",
            "CREATE TRIGGER t BEFORE UPDATE ON alembic_version FOR EACH ROW EXECUTE FUNCTION {m}.grab_row()",
        ),
        ("pgmarch.journal", "TRIGGER", "CREATE TRIGGER t AFTER INSERT ON pgmarch.journal FOR EACH ROW EXECUTE FUNCTION {m}.grab_row()"),
        (
            "pgmarch.revision",
            "TRIGGER",
            "CREATE TRIGGER t BEFORE INSERT ON pgmarch.revision FOR EACH STATEMENT EXECUTE FUNCTION {m}.grab_row()",
        ),
        (
            "public.alembic_version",
            "REFERENCES",
            "CREATE TABLE {m}.follows (v varchar REFERENCES public.alembic_version ON UPDATE CASCADE ON DELETE CASCADE);
             CREATE TRIGGER t AFTER UPDATE ON {m}.follows FOR EACH ROW EXECUTE FUNCTION {m}.grab_row()",
        ),
        // Functions of the server that run a query given as text.
        (
            "public.alembic_version",
            "TRIGGER",
            "CREATE TRIGGER t BEFORE UPDATE ON alembic_version FOR EACH ROW WHEN (ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, {m}.grab()::tsquery') IS NOT NULL)
             EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        ),
        ("pgmarch.catalog", "TRIGGER", "CREATE TRIGGER t BEFORE INSERT ON pgmarch.catalog FOR EACH ROW EXECUTE FUNCTION {m}.grab_row()"),
    ] {
        let database = Database::new();
        pgmarch(&database, &project()).args(["upgrade", "001"]).run().exits(0);
        let mallory = Mallory::new(&database);
        let schema = relation.split('.').next().expect("a schema");
        database.execute(&format!("GRANT USAGE ON SCHEMA {schema} TO {0}; GRANT {grant} ON {relation} TO {0}", mallory.name));
        mallory.execute(&planted.replace("{m}", &mallory.name));
        all_refuse(&database, &mallory, relation, planted);
    }
}

/// What an administrator did in good faith: the function belongs to somebody who can replace it.
#[test]
fn code_that_others_can_replace_is_not_run() {
    for (relation, planted) in [
        ("public.alembic_version", "ALTER TABLE alembic_version ADD CHECK ({m}.grab(version_num))"),
        ("public.alembic_version", "ALTER TABLE alembic_version ADD COLUMN x text DEFAULT {m}.grab()"),
        ("public.alembic_version", "ALTER TABLE alembic_version ADD COLUMN x boolean GENERATED ALWAYS AS ({m}.grab(version_num)) STORED"),
        ("public.alembic_version", "CREATE INDEX ON alembic_version ({m}.grab(version_num))"),
        ("public.alembic_version", "CREATE INDEX ON alembic_version (version_num) WHERE {m}.grab(version_num)"),
        ("public.alembic_version", "CREATE RULE r AS ON UPDATE TO alembic_version DO ALSO SELECT {m}.grab()"),
        (
            "public.alembic_version",
            "CREATE TABLE {m}.target (x text); ALTER TABLE {m}.target OWNER TO {m}; CREATE RULE r AS ON UPDATE TO alembic_version DO ALSO INSERT INTO {m}.target VALUES ('x')",
        ),
        ("public.alembic_version", "CREATE DOMAIN d AS text CHECK ({m}.grab(VALUE)); ALTER TABLE alembic_version ADD COLUMN x d"),
        (
            "public.alembic_version",
            "ALTER TABLE alembic_version ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON alembic_version USING ({m}.grab(version_num))",
        ),
        ("public.alembic_version", "CREATE TABLE child () INHERITS (alembic_version); ALTER TABLE child OWNER TO {m}"),
        ("public.alembic_version", "CREATE TRIGGER t BEFORE INSERT ON alembic_version FOR EACH ROW EXECUTE FUNCTION {m}.grab_row()"),
        ("pgmarch.journal", "ALTER TABLE pgmarch.journal ALTER COLUMN role SET DEFAULT {m}.grab()"),
        ("pgmarch.revision", "ALTER TABLE pgmarch.revision ADD CONSTRAINT one EXCLUDE (({m}.grab(revision)::text) WITH =)"),
        ("pgmarch.catalog", "ALTER TABLE pgmarch.catalog ADD CHECK ({m}.grab(at))"),
        ("pgmarch.format", "ALTER TABLE pgmarch.format OWNER TO {m}; ALTER TABLE pgmarch.format ADD CHECK ({m}.grab(pgmarch))"),
    ] {
        let database = Database::new();
        pgmarch(&database, &project()).args(["upgrade", "001"]).run().exits(0);
        let mallory = Mallory::new(&database);
        database.execute(&planted.replace("{m}", &mallory.name));
        // What planting itself has run counts for nothing.
        database.execute(&format!("ALTER ROLE {} NOSUPERUSER", mallory.name));
        all_refuse(&database, &mallory, relation, planted);
    }
}

#[test]
fn a_table_whose_owner_alone_is_a_stranger_is_read_and_not_written() {
    let database = Database::new();
    let mallory = Mallory::new(&database);
    mallory.execute("CREATE TABLE public.alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY)");
    let project = project();
    for words in ["status", "history", "show 001", "upgrade --sql"] {
        run(&database.url(), &project, words).exits(0).stderr_contains(&format!("public.alembic_version is owned by {}", mallory.name));
    }
    let status = run(&database.url(), &project, "status --json").exits(0);
    assert_eq!(status.json()["untrusted_owner"], mallory.name.as_str());
    run(&database.url(), &project, "status").stdout_contains("owner ").stdout_contains(&mallory.name);
    for words in WRITING {
        let outcome = run(&database.url(), &project, words).exits(3);
        let outcome = outcome.stderr_contains("public.alembic_version is not trusted: its owner is another role");
        assert!(outcome.last_line().contains(&format!("PGMARCH_TRUST_OWNER={}", mallory.name)), "{outcome}");
    }
    pgmarch(&database, &project).env("PGMARCH_TRUST_OWNER", &mallory.name).run().exits(0).stdout_contains("2 applied");
}

#[test]
fn a_role_that_grants_itself_to_the_runner_is_not_trusted() {
    let database = Database::new();
    let mallory = Mallory::new(&database);
    let runner = database.role("runner", &["CREATE, USAGE ON SCHEMA public", &format!("CREATE ON DATABASE {}", database.name())]);
    if database.major() < 15 {
        mallory.execute(&format!("GRANT {} TO {}", mallory.name, runner.name));
    } else {
        // There it takes somebody who may grant it.
        let maker = database.role("maker", &[]);
        database.execute(&format!("GRANT {} TO {} WITH ADMIN OPTION", mallory.name, maker.name));
        Session::open(&maker.url).execute(&format!("GRANT {} TO {}", mallory.name, runner.name));
    }
    mallory.execute("CREATE TABLE public.alembic_version (version_num varchar(32) NOT NULL PRIMARY KEY)");
    run(&runner.url, &project(), "upgrade").exits(3).stderr_contains("its owner is another role");
    // What the administrator grants is another matter.
    database.execute(&format!("REVOKE {0} FROM {1} CASCADE; GRANT {0} TO {1}", mallory.name, runner.name));
    run(&runner.url, &project(), "upgrade").exits(0).stdout_contains("2 applied");
}

/// The owner of a schema may replace what is in it.
#[test]
fn the_schemas_of_our_tables_are_ours_as_well() {
    let database = Database::new();
    let mallory = Mallory::new(&database);
    mallory.execute("CREATE SCHEMA pgmarch; GRANT ALL ON SCHEMA pgmarch TO PUBLIC");
    for words in WRITING.iter().filter(|words| !words.starts_with("repair")) {
        let outcome = run(&database.url(), &project(), words).exits(3);
        outcome.stderr_contains("pgmarch is not trusted: the owner of this schema is another role");
    }
    pgmarch(&database, &project()).env("PGMARCH_TRUST_OWNER", &mallory.name).run().exits(0);
    run(&database.url(), &project(), "upgrade").exits(3).stderr_contains("is not trusted: the owner of its schema is another role");
    run(&database.url(), &project(), "wait").exits(0).stderr_contains("whom a run that writes");
}

#[test]
fn a_foreign_key_leads_to_the_triggers_of_its_table() {
    let database = Database::new();
    pgmarch(&database, &project()).args(["upgrade", "001"]).run().exits(0);
    let mallory = Mallory::new(&database);
    database.execute(&format!(
        "CREATE TABLE follows (v varchar REFERENCES alembic_version ON UPDATE CASCADE); GRANT TRIGGER ON follows TO {}",
        mallory.name
    ));
    run(&database.url(), &project(), "upgrade 001").exits(0);
    mallory.execute(&format!("CREATE TRIGGER t AFTER UPDATE ON public.follows FOR EACH ROW EXECUTE FUNCTION {}.grab_row()", mallory.name));
    all_refuse(&database, &mallory, "public.alembic_version", "a trigger on a table that refers to ours");
}

#[test]
fn a_down_migration_is_not_executed_from_where_others_may_write() {
    let database = Database::new();
    let project = project();
    pgmarch(&database, &project).run().exits(0);
    project.remove("002_test.sql");
    let writer = database.role("writer", &["USAGE ON SCHEMA pgmarch", "INSERT ON pgmarch.revision"]);
    let outcome = run(&database.url(), &project, "downgrade 001 --yes").exits(3);
    outcome.stderr_contains("pgmarch.revision is not trusted: another role may write to it").stderr_contains(&writer.name);
    database.execute(&format!("REVOKE INSERT ON pgmarch.revision FROM {}", writer.name));
    run(&database.url(), &project, "downgrade 001 --yes").exits(0);
}

/// Once the table is looked at, another one can't take its place: what is read of a stranger's table is locked first.
#[test]
fn a_table_that_is_replaced_while_it_is_read_is_not_read() {
    let database = Database::new();
    let mallory = Mallory::new(&database);
    mallory.execute("CREATE TABLE public.alembic_version (version_num varchar(32) PRIMARY KEY)");
    let swapping = Session::open(&mallory.url);
    swapping.execute(&format!(
        "BEGIN; ALTER TABLE public.alembic_version RENAME TO before;
         CREATE VIEW public.alembic_version AS SELECT {}.grab()::varchar AS version_num",
        mallory.name
    ));
    let project = project();
    let running = pgmarch(&database, &project).args(["status"]).spawn();
    wait_for_blocked_session(&database, "mode = 'AccessShareLock'");
    swapping.execute("COMMIT");
    let outcome = running.wait();
    assert!(matches!(outcome.code(), Some(3)), "{outcome}");
    mallory.has_gained_nothing(&database, "a view in the place of a table");
}

#[test]
fn a_schema_of_strangers_is_not_built_again_as_us() {
    let database = Database::new();
    let mallory = Mallory::new(&database);
    mallory.execute(&format!("CREATE MATERIALIZED VIEW public.mv AS SELECT {}.grab() AS x", mallory.name));
    let outcome = run(&database.url(), &project(), "diff").exits(1);
    outcome.stderr_contains("not proven:").stderr_contains(&format!("belongs to {}", mallory.name));
    mallory.has_gained_nothing(&database, "diff");
}

#[test]
fn tables_of_a_group_that_the_login_is_a_member_of_are_ordinary() {
    let database = Database::new();
    let group = database.role("group", &[&format!("CREATE ON DATABASE {}", database.name()), "CREATE, USAGE ON SCHEMA public"]);
    let team = database.role("team", &[&group.name]);
    let login = database.role("login", &[&team.name]);
    pgmarch_at(&login.url, &project()).args(["upgrade", "001"]).env("PGMARCH_ROLE", &group.name).run().exits(0);
    run(&login.url, &project(), "upgrade").exits(0).stdout_contains("1 applied").stderr_lacks("is not trusted").stderr_lacks("owned by");
    for words in ["upgrade", "status --check", "wait", "downgrade 001 --yes", "stamp 002"] {
        run(&login.url, &project(), words).exits(0).stderr_lacks("is not trusted").stderr_lacks("owned by");
    }
}

/// A managed service gives its customer a role that is no superuser, owns the database and creates the other roles.
#[test]
fn an_administrator_who_owns_the_database_is_trusted_by_its_other_logins() {
    let database = Database::new();
    let admin = database.role("admin", &[]);
    database.execute(&format!("ALTER ROLE {0} CREATEROLE CREATEDB; ALTER DATABASE {1} OWNER TO {0}", admin.name, database.name()));
    database.execute(&format!("GRANT CREATE, USAGE ON SCHEMA public TO {}", admin.name));
    run(&admin.url, &project(), "upgrade 001").exits(0);
    let login = database.role("login", &["USAGE ON SCHEMA public"]);
    Session::open(&admin.url).execute(&format!(
        "GRANT USAGE ON SCHEMA pgmarch TO {0}; GRANT SELECT, INSERT, UPDATE, DELETE ON alembic_version, pgmarch.revision, pgmarch.journal TO {0}",
        login.name
    ));
    run(&login.url, &project(), "upgrade").exits(0).stdout_contains("1 applied").stderr_lacks("is not trusted").stderr_lacks("owned by");
    run(&login.url, &project(), "status --check").exits(0).stderr_lacks("is not trusted").stderr_lacks("owned by");
}

#[test]
fn a_login_that_may_only_read_waits_and_says_whose_the_tables_are() {
    let database = Database::new();
    let owner = database.role("owner", &[&format!("CREATE ON DATABASE {}", database.name()), "CREATE, USAGE ON SCHEMA public"]);
    run(&owner.url, &project(), "upgrade").exits(0);
    let reader = database.role("reader", &["USAGE ON SCHEMA public", "SELECT ON alembic_version"]);
    let owned = format!("public.alembic_version is owned by {}", owner.name);
    run(&reader.url, &project(), "wait").exits(0).stdout_contains("at 002").stderr_contains(&owned);
    pgmarch_at(&reader.url, &project()).args(["wait"]).env("PGMARCH_TRUST_OWNER", &owner.name).run().exits(0).stderr_lacks("owned by");
    database
        .execute(&format!("GRANT USAGE ON SCHEMA pgmarch TO {0}; GRANT SELECT ON pgmarch.revision, pgmarch.journal TO {0}", reader.name));
    for words in ["wait", "status --check", "history", "show 002"] {
        run(&reader.url, &project(), words).exits(0).stderr_contains(&owned);
    }
}

#[test]
fn code_of_trusted_owners_on_our_tables_is_ordinary() {
    let database = Database::new();
    pgmarch(&database, &project()).args(["upgrade", "001"]).run().exits(0);
    database.execute(
        "CREATE TABLE moves (v text);
         CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.moves VALUES (NEW.version_num); RETURN NEW; END$$;
         CREATE TRIGGER note_move AFTER UPDATE ON alembic_version FOR EACH ROW EXECUTE FUNCTION note_move();
         CREATE FUNCTION is_id(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 IS NOT NULL';
         ALTER TABLE alembic_version ADD CHECK (is_id(version_num)), ADD COLUMN moved timestamptz DEFAULT now();
         CREATE INDEX ON pgmarch.journal (lower(revision));
         ALTER TABLE pgmarch.journal ENABLE ROW LEVEL SECURITY",
    );
    run(&database.url(), &project(), "upgrade").exits(0).stdout_contains("1 applied");
    assert_eq!(database.one("SELECT string_agg(v, ',') FROM moves"), "002");
    let more = (3..=8).fold(project(), |project, number| project.revision(&format!("00{number}"), "SELECT 1;", "SELECT 1;"));
    for words in ["upgrade", "status --check", "wait", "history", "downgrade 002 --yes", "stamp 001", "upgrade 002"] {
        run(&database.url(), &more, words).exits(0);
    }
}

/// Between two revisions of a run that takes its time.
#[test]
fn a_trigger_that_is_created_during_a_run_stops_it() {
    let database = Database::new();
    pgmarch(&database, &project()).args(["upgrade", "001"]).run().exits(0);
    let mallory = Mallory::new(&database);
    database.execute(&format!("GRANT TRIGGER ON alembic_version TO {}", mallory.name));
    let holder = database.session();
    holder.execute("SELECT pg_advisory_lock(4711)");
    let slow = Project::new()
        .revision("001", "CREATE TABLE things (id int);", "DROP TABLE things;")
        .revision("002", "SELECT pg_advisory_xact_lock(4711);", "SELECT 2;")
        .revision("003", "SELECT 3;", "SELECT 3;");
    let running = pgmarch(&database, &slow).env("PGMARCH_LOCK_TIMEOUT", "0").spawn();
    wait_for_blocked_session(&database, "locktype = 'advisory'");
    let (name, url) = (mallory.name.clone(), mallory.url.clone());
    let planting = thread::spawn(move || {
        Session::open(&url)
            .execute(&format!("CREATE TRIGGER t BEFORE UPDATE ON alembic_version FOR EACH ROW EXECUTE FUNCTION {name}.grab_row()"));
    });
    wait_for_blocked_session(&database, "mode = 'ShareRowExclusiveLock'");
    holder.execute("SELECT pg_advisory_unlock(4711)");
    planting.join().expect("planted");
    running.wait().exits(3).stderr_contains("applied 002").stderr_contains("public.alembic_version is not trusted: it runs code");
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "002");
    mallory.has_gained_nothing(&database, "a trigger created during the run");
}

/// Whoever holds the lock of the ledger may choose the moment: tables are created without being taken for ours.
#[test]
fn a_table_that_is_planted_while_the_ledger_is_created_is_not_written() {
    let database = Database::new();
    let mallory = Mallory::new(&database);
    let holder = Session::open(&mallory.url);
    holder.execute("SELECT pg_advisory_lock(('x' || left(encode(sha256('pgmarch-ledger:public'), 'hex'), 16))::bit(64)::bigint)");
    let project = project();
    let running = pgmarch(&database, &project).env("PGMARCH_LEDGER_SCHEMA", "public").env("PGMARCH_LOCK_TIMEOUT", "0").spawn();
    wait_for_blocked_session(&database, "locktype = 'advisory'");
    mallory.execute(&format!(
        "CREATE TABLE public.format (format integer PRIMARY KEY, oldest integer, pgmarch text, recorded timestamptz);
         CREATE TRIGGER t BEFORE INSERT ON public.format FOR EACH ROW EXECUTE FUNCTION {}.grab_row();
         GRANT ALL ON public.format TO PUBLIC",
        mallory.name
    ));
    holder.execute("SELECT pg_advisory_unlock_all()");
    running.wait().exits(3).stderr_contains("public.format is not trusted");
    mallory.has_gained_nothing(&database, "a table planted while the ledger was created");
}

#[test]
fn row_security_that_hides_rows_is_an_error_and_not_an_empty_table() {
    let database = Database::new();
    let owner = database.role("owner", &[&format!("CREATE ON DATABASE {}", database.name()), "CREATE, USAGE ON SCHEMA public"]);
    run(&owner.url, &project(), "upgrade").exits(0);
    let rights = ["USAGE ON SCHEMA public, pgmarch", "SELECT ON alembic_version, pgmarch.revision, pgmarch.journal"];
    let reader = database.role("reader", &rights);
    database.execute("ALTER TABLE alembic_version ENABLE ROW LEVEL SECURITY");
    for words in ["wait", "status", "history"] {
        let outcome = run(&reader.url, &project(), words).exits(8);
        let outcome = outcome.stderr_contains(
            &format!("row-level security is enabled on alembic_version and applies to {}", reader.name)
                .replace("on alembic", "on public.alembic"),
        );
        assert!(outcome.last_line().contains("DISABLE ROW LEVEL SECURITY"), "{outcome}");
    }
    run(&owner.url, &project(), "status --check").exits(0);
    database.execute("ALTER TABLE alembic_version FORCE ROW LEVEL SECURITY");
    run(&owner.url, &project(), "upgrade").exits(8);
    run(&database.url(), &project(), "status --check").exits(0);
}

#[test]
fn a_sidecar_notices_what_is_planted_after_its_upgrade() {
    let database = Database::new();
    let mallory = Mallory::new(&database);
    let project = project();
    let sidecar = Sidecar::start(pgmarch(&database, &project));
    sidecar.run.wait_for_log("ready: at 002");
    database.execute(&format!("GRANT TRIGGER ON alembic_version TO {}", mallory.name));
    mallory
        .execute(&format!("CREATE TRIGGER t BEFORE UPDATE ON alembic_version FOR EACH ROW EXECUTE FUNCTION {}.grab_row()", mallory.name));
    sidecar.run.wait_for_log("not ready: public.alembic_version is not trusted");
    sidecar.run.signal("TERM");
    sidecar.run.wait().exits(143);
}
