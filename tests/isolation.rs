//! Nothing reaches the next revision, nor the next try of the same one: a folder gives the same database one revision at a time,
//! all at once, in one transaction, statement by statement, and with retries.

use std::fmt::Write;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::session::Rows;
use crate::support::{Database, Program, Project, Role, Session, pgmarch};

/// How a folder is applied.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    /// `upgrade +1` again and again: each revision has sessions of its own, which is how it should always be.
    OneAtATime,
    /// All revisions under way at once.
    AllAtOnce,
    /// `PGMARCH_TRANSACTION=run`.
    Run,
    /// `transaction:false`.
    Stepwise,
    /// Each revision meets another session's lock at its end, and is tried again.
    Retried,
}

const MODES: [Mode; 5] = [Mode::OneAtATime, Mode::AllAtOnce, Mode::Run, Mode::Stepwise, Mode::Retried];

/// A session-level advisory lock of a revision's text.
const LOCK: &str = "4711";

/// What a database has before the first revision.
const START: &str = "CREATE SCHEMA other;\n\
    CREATE TABLE facts (number int, revision text, fact text, value text);\n\
    CREATE TABLE orders (id int);\n\
    CREATE TABLE gate_1 (); CREATE TABLE gate_2 (); CREATE TABLE gate_3 (); CREATE TABLE gate_4 (); CREATE TABLE gate_5 ();\n\
    CREATE SEQUENCE counter;\n\
    CREATE FUNCTION leak() RETURNS void LANGUAGE plpgsql AS $$ BEGIN\n\
    CREATE TEMP TABLE IF NOT EXISTS orders (id int);\n\
    EXECUTE 'PREPARE hidden AS SELECT 1';\n\
    PERFORM pg_advisory_lock(4711);\n\
    LISTEN hidden;\n\
    PERFORM nextval('public.counter');\n\
    PERFORM set_config('my.custom', 'hidden', false);\n\
    PERFORM set_config('work_mem', '7MB', false);\n\
    END $$;";

/// Records what a revision finds. Names are qualified where a search path that leaked would hide that it did.
const FACTS: [(&str, &str); 15] = [
    ("namespace of orders", "(SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = 'orders'::regclass)"),
    ("temporary relations", "(SELECT count(*)::text FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND pg_my_temp_schema() <> 0)"),
    ("temporary functions", "(SELECT count(*)::text FROM pg_proc WHERE pronamespace = pg_my_temp_schema() AND pg_my_temp_schema() <> 0)"),
    ("prepared statements", "(SELECT string_agg(name, ', ' ORDER BY name) FROM pg_prepared_statements WHERE name IN ('mine', 'hidden'))"),
    ("locks", "(SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND pid = pg_backend_pid())"),
    ("channels", "(SELECT string_agg(channel, ', ' ORDER BY channel) FROM pg_listening_channels() channel)"),
    ("cursors", "(SELECT count(*)::text FROM pg_cursors WHERE name = 'held')"),
    ("current_user", "current_user::text"),
    ("session_user", "session_user::text"),
    ("work_mem", "current_setting('work_mem')"),
    ("TimeZone", "current_setting('TimeZone')"),
    ("search_path", "current_setting('search_path')"),
    ("my.custom", "coalesce(current_setting('my.custom', true), '')"),
    ("default_transaction_isolation", "current_setting('default_transaction_isolation')"),
    ("session_replication_role", "current_setting('session_replication_role')"),
];

/// Statements that record what revision `id` finds at its beginning. First what may only be asked for where it is there, and what
/// our own bookkeeping between two statements must not be taken for.
fn observe(id: &str) -> String {
    const RECORD: &str = "INSERT INTO public.facts (number, revision, fact, value) VALUES";
    let mut text = String::new();
    for (number, fact, value) in [(101, "lastval", "lastval()"), (102, "currval", "currval('public.counter')")] {
        writeln!(
            text,
            "DO $$ DECLARE found text; BEGIN\nfound := {value};\n{RECORD} ({number}, '{id}', '{fact}', found);\n\
             EXCEPTION WHEN object_not_in_prerequisite_state THEN\n{RECORD} ({number}, '{id}', '{fact}', 'not yet defined');\nEND $$;"
        )
        .expect("a string");
    }
    for (number, (fact, value)) in FACTS.iter().enumerate() {
        writeln!(text, "{RECORD} ({number}, '{id}', '{fact}', {value});").expect("a string");
    }
    text
}

/// What a revision finds where nothing reached it.
fn nothing_found(session: &Session) -> Rows {
    let values: Vec<String> = FACTS.iter().map(|(_, value)| (*value).to_string()).collect();
    let found = session.query(&format!("SELECT {}", values.join(", "))).remove(0);
    let named = FACTS.iter().zip(found).map(|((fact, _), value)| vec![(*fact).to_string(), value]);
    named.chain(["lastval", "currval"].map(|fact| vec![fact.to_string(), "not yet defined".to_string()])).collect()
}

/// A database with what the revisions of this file begin with, and a role that may do everything.
struct Scene {
    database: Database,
    helper: Role,
}

impl Scene {
    fn new() -> Scene {
        let database = Database::new();
        let helper = database.role("helper", &[]);
        database.execute(&format!("ALTER ROLE {} SUPERUSER", helper.name));
        database.execute(START);
        Scene { database, helper }
    }

    /// A revision per text, with the name of this database's role in place of `HELPER`.
    fn project(&self, mode: Mode, ups: &[String], downs: &[String]) -> Project {
        let marker = if mode == Mode::Stepwise { " transaction:false" } else { "" };
        let text = |sql: &str| sql.replace("HELPER", &self.helper.name);
        ups.iter().enumerate().fold(Project::new(), |project, (number, up)| {
            let down = downs.get(number).map_or("SELECT 1;", String::as_str);
            let file = format!("-- migrate:up{marker}\n{}\n\n-- migrate:down{marker}\n{}\n", text(up), text(down));
            project.file(&format!("{:03}_test.sql", number + 1), &file)
        })
    }

    /// Applies all of it.
    fn upgrade(&self, mode: Mode, project: &Project, count: usize) {
        let database = &self.database;
        let program = || pgmarch(database, project).env("PGMARCH_RETRY_FOR", "20s");
        match mode {
            Mode::OneAtATime => (0..count).for_each(|_| drop(program().args(["upgrade", "+1"]).run().exits(0))),
            Mode::AllAtOnce | Mode::Stepwise => drop(program().run().exits(0)),
            Mode::Run => drop(program().env("PGMARCH_TRANSACTION", "run").run().exits(0)),
            Mode::Retried => self.retried(program(), count),
        }
    }

    /// Lets each revision meet a lock once, at the gate of its own that its text comes to last.
    fn retried(&self, program: Program, count: usize) {
        let gates: Vec<Session> = (1..=count)
            .map(|number| {
                let gate = self.database.session();
                gate.execute(&format!("BEGIN; LOCK TABLE public.gate_{number} IN ACCESS SHARE MODE"));
                gate
            })
            .collect();
        let running = program.env("PGMARCH_LOCK_TIMEOUT", "150ms").spawn();
        for (number, gate) in (1..).zip(&gates) {
            running.wait_for_log(&format!("{number:03} met another session's lock"));
            gate.execute("COMMIT");
        }
        running.wait().exits(0);
    }

    /// What there is in the end, a line each: facts, rows, versions, schema.
    fn result(&self) -> Vec<String> {
        let session = self.database.session();
        let queries = [
            "SELECT revision, fact, value FROM public.facts ORDER BY revision, number",
            "SELECT 'orders', to_jsonb(orders) FROM public.orders ORDER BY 2",
            "SELECT 'version', version_num FROM public.alembic_version ORDER BY 2",
        ];
        let rows = queries.iter().flat_map(|sql| session.query(sql)).map(|row| row.join(": "));
        let schema = self.database.dump_without_ledger();
        rows.chain(schema.lines().map(str::to_owned)).map(|line| line.replace(&self.helper.name, "HELPER")).collect()
    }

    fn facts_of(&self, id: &str) -> Rows {
        self.database.query(&format!("SELECT fact, value FROM public.facts WHERE revision = '{id}' ORDER BY number"))
    }

    /// No session of ours is left, and so nothing of a session.
    fn left_alone(&self) {
        let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        self.database.eventually(locks, "0");
    }
}

/// The gate of revision `number`, from 1, comes last in its text, where it may be closed.
fn gated(mode: Mode, number: usize, text: &str) -> String {
    if mode == Mode::Retried { format!("{text}\nLOCK TABLE public.gate_{number} IN ACCESS EXCLUSIVE MODE;") } else { text.to_string() }
}

/// The texts of the revisions from 001 on, each with its gate.
fn all_gated(mode: Mode, texts: &[&str]) -> Vec<String> {
    (1..).zip(texts).map(|(number, text)| gated(mode, number, text)).collect()
}

/// Changes session state in one revision, in every mode and in both directions: the next one finds none of it.
#[track_caller]
fn leaves_nothing(text: &str) {
    let mut faults = Vec::new();
    for mode in MODES {
        let scene = Scene::new();
        let ups = all_gated(mode, &[text, &observe("002")]);
        // In a downgrade 002 changes it, and 001 is next.
        let downs = [observe("down"), text.to_string()];
        let project = scene.project(mode, &ups, &downs);
        scene.upgrade(mode, &project, 2);
        let expected = nothing_found(&scene.database.session());
        let mut compare = |id: &str| {
            let found = scene.facts_of(id);
            let differs = found.iter().zip(&expected).filter(|(found, expected)| found != expected);
            faults.extend(differs.map(|(found, expected)| format!("{mode:?}, {id}: found {found:?}, not {expected:?}")));
            if found.len() != expected.len() {
                faults.push(format!("{mode:?}, {id}: {} facts", found.len()));
            }
        };
        compare("002");
        scene.left_alone();
        if mode == Mode::Retried {
            continue;
        }
        let down = pgmarch(&scene.database, &project).args(["downgrade", "base", "--yes"]).env("PGMARCH_RETRY_FOR", "5s");
        let down = if mode == Mode::Run { down.env("PGMARCH_TRANSACTION", "run") } else { down };
        down.run().exits(0);
        compare("down");
        scene.left_alone();
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn a_temporary_table() {
    leaves_nothing("CREATE TEMP TABLE orders (id int);\nINSERT INTO orders VALUES (1);");
}

#[test]
fn a_temporary_view_sequence_and_function() {
    leaves_nothing(
        "CREATE TEMP VIEW seen AS SELECT 1;\nCREATE TEMP SEQUENCE counter;\n\
         CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1';",
    );
}

#[test]
fn a_prepared_statement() {
    leaves_nothing("PREPARE mine AS SELECT 1;");
}

#[test]
fn a_session_level_advisory_lock() {
    leaves_nothing(&format!("SELECT pg_advisory_lock({LOCK});"));
    leaves_nothing(&format!("SELECT pg_advisory_lock_shared({LOCK});\nSELECT pg_try_advisory_lock({LOCK});"));
}

#[test]
fn a_channel_that_is_listened_to() {
    leaves_nothing("LISTEN news;");
}

#[test]
fn the_last_value_of_a_sequence() {
    leaves_nothing("SELECT nextval('counter');");
}

#[test]
fn a_cursor_with_hold() {
    leaves_nothing("DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 10);\nFETCH 1 FROM held;");
}

#[test]
fn a_role() {
    leaves_nothing("SET ROLE HELPER;");
}

#[test]
fn a_session_authorization() {
    leaves_nothing("SET SESSION AUTHORIZATION HELPER;");
}

#[test]
fn settings() {
    leaves_nothing(
        "SET work_mem = '5MB';\nSET TimeZone = 'Asia/Tokyo';\nSET search_path = other, public;\nSET my.custom = 'mine';\n\
         SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE;\nSET session_replication_role = replica;",
    );
}

#[test]
fn settings_by_a_function() {
    leaves_nothing(
        "SELECT set_config('work_mem', '5MB', false), set_config('my.custom', 'mine', false), set_config('search_path', 'other', false);",
    );
}

#[test]
fn settings_changed_inside_a_function() {
    leaves_nothing("SELECT leak();");
}

#[test]
fn a_temporary_table_does_not_stand_before_the_next_revisions_table() {
    for mode in MODES {
        let scene = Scene::new();
        let texts = ["CREATE TEMP TABLE orders (id int);", "ALTER TABLE orders ADD COLUMN note text;\nINSERT INTO orders VALUES (1, 'a');"];
        let ups = all_gated(mode, &texts);
        scene.upgrade(mode, &scene.project(mode, &ups, &[]), 2);
        let column = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.orders'::regclass AND attname = 'note'";
        assert_eq!(scene.database.one(column), "1", "{mode:?}: the column should be in the real table");
        assert_eq!(scene.database.one("SELECT note FROM public.orders"), "a", "{mode:?}");
    }
}

#[test]
fn the_same_names_can_be_prepared_declared_and_created_in_each_revision() {
    for mode in MODES {
        let scene = Scene::new();
        let text = "PREPARE mine AS SELECT 1;\nEXECUTE mine;\nDECLARE held CURSOR WITH HOLD FOR SELECT 1;\nCREATE TEMP TABLE scratch ();\nSELECT leak();";
        let ups = all_gated(mode, &[text; 3]);
        scene.upgrade(mode, &scene.project(mode, &ups, &[]), 3);
        scene.left_alone();
    }
}

#[test]
fn a_session_lock_of_a_revision_is_free_while_the_next_one_runs() {
    for mode in [Mode::AllAtOnce, Mode::Run, Mode::Stepwise] {
        let scene = Scene::new();
        let ups = [format!("SELECT pg_advisory_lock({LOCK});"), "SELECT pg_advisory_xact_lock(4712);".to_owned()];
        let project = scene.project(mode, &ups, &[]);
        let gate = scene.database.session();
        gate.execute("SELECT pg_advisory_lock(4712)");
        let program = pgmarch(&scene.database, &project).env("PGMARCH_LOCK_TIMEOUT", "20s");
        let running = if mode == Mode::Run { program.env("PGMARCH_TRANSACTION", "run") } else { program }.spawn();
        let here = "database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND locktype = 'advisory'";
        scene.database.eventually(&format!("SELECT count(*) FROM pg_locks WHERE {here} AND objid = 4712 AND NOT granted"), "1");
        assert_eq!(scene.database.one(&format!("SELECT count(*) FROM pg_locks WHERE {here} AND objid = {LOCK}")), "0", "{mode:?}");
        gate.execute("SELECT pg_advisory_unlock(4712)");
        running.wait().exits(0);
    }
}

/// What a failed try has prepared and locked survives its ROLLBACK.
#[test]
fn the_next_try_of_a_revision_finds_nothing_of_the_failed_one() {
    for (marker, transaction) in [("", "revision"), ("", "run"), (" transaction:false", "revision")] {
        let scene = Scene::new();
        scene.database.execute("CREATE TABLE busy (id int)");
        let text = format!(
            "{}PREPARE mine AS SELECT 1;\nSELECT pg_advisory_lock({LOCK});\nSELECT leak();\nALTER TABLE busy ADD COLUMN note text;",
            observe("001")
        );
        let project = Project::new().file("001_test.sql", &format!("-- migrate:up{marker}\n{text}\n"));
        let other = scene.database.session();
        other.execute("BEGIN; LOCK TABLE busy IN ACCESS SHARE MODE");
        let program = pgmarch(&scene.database, &project).env("PGMARCH_LOCK_TIMEOUT", "200ms").env("PGMARCH_RETRY_FOR", "20s");
        let running = program.env("PGMARCH_TRANSACTION", transaction).spawn();
        running.wait_for_log("trying again");
        if marker.is_empty() {
            // A session that needs that lock need not wait for the next attempt, nor for its end.
            let held = format!(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {LOCK} AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            );
            scene.database.eventually(&held, "0");
        }
        other.execute("COMMIT");
        running.wait().exits(0).stderr_lacks("already exists");
        assert_eq!(scene.facts_of("001"), nothing_found(&scene.database.session()), "{marker}, {transaction}");
        scene.left_alone();
    }
}

/// What a random revision is made of, each at most once in a revision. `{n}` is the revision's number. All of it runs whatever the
/// revisions before it were, if nothing of them but their tables is left; what follows in the same revision may meet it.
const PARTS: [&str; 24] = [
    "SET work_mem = '5MB';",
    "SET LOCAL work_mem = '6MB';",
    "SET TimeZone = 'Asia/Tokyo';",
    "SET ROLE HELPER;",
    "SET SESSION AUTHORIZATION HELPER;",
    "CREATE TEMP TABLE IF NOT EXISTS orders (id int);",
    "CREATE TEMP SEQUENCE counter;",
    "CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT {n}';",
    "PREPARE mine AS SELECT {n};",
    "SELECT pg_advisory_lock(4711);",
    "LISTEN news;",
    "DECLARE held CURSOR WITH HOLD FOR SELECT {n};",
    "SELECT nextval('counter');",
    "SELECT setval('public.counter', 100 + {n});",
    "SELECT set_config('my.custom', '{n}', false);",
    "SET search_path = other, public;",
    "SELECT public.leak();",
    "CREATE TABLE real_{n} (id int PRIMARY KEY, n int DEFAULT {n});",
    "ALTER TABLE orders ADD COLUMN IF NOT EXISTS c_{n} int DEFAULT {n};",
    "INSERT INTO orders (id) VALUES ({n});",
    "DROP TABLE IF EXISTS real_{before};",
    "CREATE VIEW seen_{n} AS SELECT count(*) FROM orders;",
    "CREATE INDEX ON orders (id);",
    "SET session_replication_role = replica;",
];

/// The parts of each revision, in order.
fn folder() -> impl Strategy<Value = Vec<Vec<usize>>> {
    let all: Vec<usize> = (0..PARTS.len()).collect();
    let revision = prop::sample::subsequence(all, 1..6).prop_shuffle();
    prop::collection::vec(revision, 2..6)
}

fn texts(folder: &[Vec<usize>], mode: Mode) -> Vec<String> {
    let text = |(before, parts): (usize, &Vec<usize>)| {
        let number = before + 1;
        let filled = |part: &usize| PARTS[*part].replace("{n}", &number.to_string()).replace("{before}", &before.to_string());
        let parts: Vec<String> = parts.iter().map(filled).collect();
        gated(mode, number, &format!("{}{}", observe(&format!("{number:03}")), parts.join("\n")))
    };
    folder.iter().enumerate().map(text).collect()
}

/// The number of folders, unless PGMARCH_TEST_FOLDERS is set.
const FOLDERS: usize = 4;

#[test]
fn any_folder_gives_the_same_database_however_it_is_applied() {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let seed = number("PGMARCH_TEST_SEED").unwrap_or(1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    for case in 0..number("PGMARCH_TEST_FOLDERS").unwrap_or(FOLDERS as u64) {
        let folder = folder().new_tree(&mut runner).expect("a folder").current();
        println!("PGMARCH_TEST_SEED={seed}, case {case}: {} revisions", folder.len());
        folder.iter().enumerate().for_each(|(number, parts)| {
            println!("{:03}: {}", number + 1, parts.iter().map(|part| PARTS[*part]).collect::<Vec<_>>().join(" "));
        });
        let mut expected: Option<Vec<String>> = None;
        for mode in MODES {
            println!("{mode:?}");
            let scene = Scene::new();
            let texts = texts(&folder, mode);
            scene.upgrade(mode, &scene.project(mode, &texts, &[]), texts.len());
            scene.left_alone();
            let result = scene.result();
            let expected = expected.get_or_insert_with(|| result.clone());
            let only =
                |lines: &[String], others: &[String]| lines.iter().filter(|line| !others.contains(line)).cloned().collect::<Vec<_>>();
            assert!(
                &result == expected,
                "{mode:?} differs from {:?}\nonly there: {:#?}\nonly here: {:#?}",
                MODES[0],
                only(expected, &result),
                only(&result, expected)
            );
        }
    }
}

/// What the statements of one `transaction:false` revision leave to each other stays as it is in one session. Of sequences that is
/// `currval()`: the journal's own lies between two statements, so `lastval()` is not for such a revision.
#[test]
fn the_statements_of_one_revision_still_see_each_other() {
    for marker in ["", " transaction:false"] {
        let database = Database::new();
        database.execute(START);
        database.execute(
            "CREATE TABLE parents (id int GENERATED ALWAYS AS IDENTITY (START 7000)); CREATE TABLE children (parent int, also int)",
        );
        let text = "PREPARE mine AS SELECT 42;\nCREATE TEMP TABLE scratch (id int);\nINSERT INTO parents DEFAULT VALUES;\n\
            INSERT INTO children VALUES (7000, currval('parents_id_seq'));\nINSERT INTO scratch SELECT parent FROM children;\nEXECUTE mine;";
        let project = Project::new().file("001_test.sql", &format!("-- migrate:up{marker}\n{text}\n"));
        pgmarch(&database, &project).run().exits(0);
        assert_eq!(database.query("SELECT parent, also FROM children"), [["7000", "7000"]], "{marker}");
    }
}

/// Each revision of a run in one transaction begins with each constraint as it was declared, and ends with what it deferred.
#[test]
fn what_a_revision_defers_is_done_before_the_next_one() {
    for transaction in ["revision", "run"] {
        let database = Database::new();
        let project = Project::new()
            .revision(
                "001",
                "CREATE TABLE p (a int PRIMARY KEY); CREATE TABLE c (a int REFERENCES p DEFERRABLE INITIALLY DEFERRED);",
                "SELECT 1;",
            )
            .revision("002", "INSERT INTO c VALUES (1); INSERT INTO p VALUES (1);", "SELECT 1;")
            .revision("003", "ALTER TABLE c ADD COLUMN b int; INSERT INTO c VALUES (2); INSERT INTO p VALUES (2);", "SELECT 1;")
            .revision(
                "004",
                "CREATE TEMP TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO t VALUES (1); UPDATE t SET a = 2;",
                "SELECT 1;",
            )
            .revision("005", "SET CONSTRAINTS ALL DEFERRED; CREATE TABLE d (a int REFERENCES p DEFERRABLE);", "SELECT 1;");
        pgmarch(&database, &project).env("PGMARCH_TRANSACTION", transaction).run().exits(0);
        assert_eq!(database.one("SELECT count(*) FROM c"), "2", "{transaction}");
        let late = project.revision("006", "INSERT INTO d VALUES (7);", "SELECT 1;");
        pgmarch(&database, &late).env("PGMARCH_TRANSACTION", transaction).run().exits(6).stderr_contains("23503");
    }
}

/// A database without PL/pgSQL, or a role that may not use it, has nothing to lose here but the preparation of our statements.
#[test]
fn revisions_run_without_plpgsql() {
    let database = Database::new();
    let six =
        |project: Project, number: u32| project.revision(&format!("00{number}"), &format!("PREPARE mine AS SELECT {number};"), "SELECT 1;");
    let project = (1..=6).fold(Project::new(), six);
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
    database.execute("DROP EXTENSION plpgsql");
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "006");
}
