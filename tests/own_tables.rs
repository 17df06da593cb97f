//! A revision that changes the version table or the ledger: it fails and is named, and no revision is repeated because of it.

use crate::support::{Database, Outcome, Project, Session, pgmarch};

/// How the revision runs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Transactional,
    Run,
    Stepwise,
}

const MODES: [Mode; 3] = [Mode::Transactional, Mode::Run, Mode::Stepwise];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Up,
    Down,
}

const WAYS: [Way; 2] = [Way::Up, Way::Down];

/// 001 creates what is to stay, 002 runs `text` in one direction, 003 follows. Each leaves a row in a schema of its own for each
/// time that its up migration ran.
fn project(mode: Mode, way: Way, text: &str) -> Project {
    let marker = if mode == Mode::Stepwise { " transaction:false" } else { "" };
    let ran = |id: &str| format!("INSERT INTO witness.ran VALUES ('{id}');");
    let (up, down) = match way {
        Way::Up => (format!("{text}\n{}", ran("002")), "SELECT 1;".to_owned()),
        Way::Down => (ran("002"), text.to_owned()),
    };
    Project::new()
        .revision("001", &format!("CREATE TABLE kept (id int);\nINSERT INTO kept VALUES (1);\n{}", ran("001")), "DROP TABLE kept;")
        .file("002_test.sql", &format!("-- migrate:up{marker}\n{up}\n\n-- migrate:down{marker}\n{down}\n"))
        .revision("003", &format!("CREATE TABLE later (id int);\n{}", ran("003")), "DROP TABLE later;")
}

/// The database before 002, and its version row there.
fn database(project: &Project, way: Way) -> Database {
    let database = Database::new();
    database.execute("CREATE SCHEMA witness; CREATE TABLE witness.ran (revision text)");
    let target = if way == Way::Up { "001" } else { "head" };
    pgmarch(&database, project).args(["upgrade", target]).run().exits(0);
    database
}

fn run(database: &Database, project: &Project, mode: Mode, way: Way) -> Outcome {
    let program = pgmarch(database, project).env("PGMARCH_RETRY_FOR", "5s");
    let program = if mode == Mode::Run { program.env("PGMARCH_TRANSACTION", "run") } else { program };
    match way {
        Way::Up => program.run(),
        Way::Down => program.args(["downgrade", "001", "--yes"]).run(),
    }
}

/// The version rows, where the version table still is.
fn rows(session: &Session) -> String {
    match session.one("SELECT to_regclass('public.alembic_version') IS NULL").as_str() {
        "t" => "no version table".to_owned(),
        _ => session.one("SELECT coalesce(string_agg(version_num, ', ' ORDER BY version_num), 'base') FROM public.alembic_version"),
    }
}

/// What must be as it was where the revision was rolled back.
fn state(database: &Database) -> (String, String) {
    let session = database.session();
    let ledger = "SELECT to_regclass('pgmarch.journal') IS NOT NULL AND to_regclass('pgmarch.revision') IS NOT NULL";
    let applied = match session.one(ledger).as_str() {
        "t" => session.one(
            "SELECT coalesce(string_agg(revision, ', ' ORDER BY revision), '') || ' in ' || (SELECT count(*) > 0 FROM pgmarch.journal) FROM pgmarch.revision",
        ),
        _ => "no ledger".to_owned(),
    };
    (format!("{} / {applied}", rows(&session)), database.dump())
}

/// In every mode and both ways: exit 6 with the revision and these words, the transaction rolled back, and 001 not run again.
#[track_caller]
fn refused(text: &str, words: &str) {
    let mut faults = Vec::new();
    for (mode, way) in MODES.into_iter().flat_map(|mode| WAYS.map(|way| (mode, way))) {
        let project = project(mode, way, text);
        let database = database(&project, way);
        // Where 003 is undone first, and committed, that is where 002 begins.
        if (way, mode == Mode::Run) == (Way::Down, false) {
            pgmarch(&database, &project).args(["downgrade", "002", "--yes"]).run().exits(0);
        }
        let before = state(&database);
        let outcome = run(&database, &project, mode, way);
        let mut expect = |met: bool, what: &str| {
            if !met {
                faults.push(format!("{mode:?}, {way:?}: {what}\n{outcome}"));
            }
        };
        expect(outcome.code() == Some(6), "should exit 6");
        expect(outcome.stderr.contains("002"), "should name the revision");
        expect(outcome.stderr.contains(words), &format!("should say {words:?}"));
        let after = state(&database);
        let is_rolled_back = after == before;
        match mode {
            Mode::Transactional | Mode::Run => expect(is_rolled_back, &format!("should be rolled back\n{before:?}\n{after:?}")),
            Mode::Stepwise => expect(is_rolled_back || outcome.stderr.contains("undone"), "should say that it was not undone"),
        }
        // In any case another run repeats nothing. A schema that is empty now may start from base.
        if mode != Mode::Stepwise {
            project.write("002_test.sql", &project.read("002_test.sql").replace(text, "SELECT 1;"));
        }
        if database.one("SELECT to_regclass('public.kept') IS NULL") == "t" {
            let is_said = mode == Mode::Stepwise && outcome.code() == Some(6);
            faults.extend((!is_said).then(|| format!("{mode:?}, {way:?}: the table of 001 is gone")));
            continue;
        }
        let again = run(&database, &project, Mode::Transactional, Way::Up);
        if mode != Mode::Stepwise && again.code() != Some(0) {
            faults.push(format!("{mode:?}, {way:?}: the fixed revision should be applied\n{again}"));
        }
        let count = database.one("SELECT count(*) FROM witness.ran WHERE revision = '001'");
        if count != "1" {
            faults.push(format!("{mode:?}, {way:?}: 001 ran {count} times\n{again}"));
        }
    }
    assert!(faults.is_empty(), "{} faults\n{}", faults.len(), faults.join("\n"));
}

const VERSION_TABLE: &str = "version table";
const LEDGER: &str = "ledger";

#[test]
fn dropping_and_creating_the_schema_public() {
    refused("DROP SCHEMA public CASCADE;\nCREATE SCHEMA public;", VERSION_TABLE);
}

#[test]
fn truncating_the_version_table() {
    refused("TRUNCATE alembic_version;", VERSION_TABLE);
}

#[test]
fn a_stray_row_in_the_version_table() {
    refused("INSERT INTO alembic_version VALUES ('stray');", VERSION_TABLE);
}

#[test]
fn another_value_in_the_version_row() {
    refused("UPDATE alembic_version SET version_num = 'stray';", VERSION_TABLE);
}

#[test]
fn a_value_that_is_a_revision_of_the_folder() {
    // What a text copied from `alembic upgrade --sql` holds.
    refused("UPDATE alembic_version SET version_num = '003';", VERSION_TABLE);
}

#[test]
fn deleting_the_version_row() {
    refused("DELETE FROM alembic_version;", VERSION_TABLE);
}

#[test]
fn dropping_the_version_table() {
    refused("DROP TABLE alembic_version;", VERSION_TABLE);
}

#[test]
fn another_version_table_of_the_same_shape_with_the_same_row() {
    refused(
        "DO $$ BEGIN\n\
         CREATE TABLE copy AS TABLE alembic_version;\n\
         DROP TABLE alembic_version;\n\
         CREATE TABLE alembic_version (version_num varchar(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY);\n\
         INSERT INTO alembic_version TABLE copy;\n\
         DROP TABLE copy;\nEND $$;",
        VERSION_TABLE,
    );
}

#[test]
fn renaming_the_version_table() {
    refused("ALTER TABLE alembic_version RENAME TO old_version;", VERSION_TABLE);
}

#[test]
fn the_version_table_in_another_schema() {
    refused("ALTER TABLE alembic_version SET SCHEMA witness;", VERSION_TABLE);
}

#[test]
fn a_loop_that_truncates_all_tables() {
    refused(
        "DO $$ DECLARE name text; BEGIN\n\
         FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP\n\
         EXECUTE format('TRUNCATE public.%I CASCADE', name);\nEND LOOP;\nEND $$;",
        VERSION_TABLE,
    );
}

#[test]
fn a_loop_that_deletes_from_all_tables() {
    refused(
        "DO $$ DECLARE name text; BEGIN\n\
         FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP\n\
         EXECUTE format('DELETE FROM public.%I', name);\nEND LOOP;\nEND $$;",
        VERSION_TABLE,
    );
}

/// It acts at COMMIT, unless constraints are made immediate before.
fn deferred(body: &str) -> String {
    format!(
        "CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$;\n\
         CREATE CONSTRAINT TRIGGER act AFTER INSERT ON kept DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION act();\n\
         INSERT INTO kept VALUES (2);"
    )
}

#[test]
fn a_deferred_trigger_that_deletes_the_version_row_at_commit() {
    refused(&deferred("DELETE FROM public.alembic_version;"), VERSION_TABLE);
}

#[test]
fn a_deferred_trigger_that_drops_the_version_table_at_commit() {
    refused(&deferred("DROP TABLE public.alembic_version;"), VERSION_TABLE);
}

#[test]
fn a_deferred_trigger_that_waits_behind_another_one() {
    // Firing the first one queues the second one.
    let text = format!(
        "CREATE TABLE second (id int);\n\
         CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.alembic_version; RETURN NULL; END $$;\n\
         CREATE CONSTRAINT TRIGGER forget AFTER INSERT ON second DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION forget();\n{}",
        deferred("INSERT INTO public.second VALUES (1);")
    );
    refused(&text, VERSION_TABLE);
}

#[test]
fn dropping_the_schema_of_the_ledger() {
    refused("DROP SCHEMA pgmarch CASCADE;", LEDGER);
}

#[test]
fn truncating_the_journal() {
    refused("TRUNCATE pgmarch.journal;", LEDGER);
}

#[test]
fn truncating_the_recorded_revisions() {
    refused("TRUNCATE pgmarch.revision;", LEDGER);
}

/// In every mode and both ways: exit 0, and the version row is where it should be.
#[track_caller]
fn ordinary(text: &str) {
    for (mode, way) in MODES.into_iter().flat_map(|mode| WAYS.map(|way| (mode, way))) {
        let project = project(mode, way, text);
        let database = database(&project, way);
        run(&database, &project, mode, way).exits(0);
        let expected = if way == Way::Up { "003" } else { "001" };
        assert_eq!(rows(&database.session()), expected, "{mode:?}, {way:?}");
        run(&database, &project, mode, Way::Up).exits(0);
        assert_eq!(rows(&database.session()), "003", "{mode:?}, {way:?}");
    }
}

#[test]
fn widening_the_version_column_is_ordinary() {
    ordinary("ALTER TABLE alembic_version ALTER version_num TYPE varchar(64);");
}

#[test]
fn rights_and_comments_of_the_version_table_are_ordinary() {
    ordinary("GRANT SELECT ON alembic_version TO PUBLIC;\nCOMMENT ON TABLE alembic_version IS 'by Alembic';");
}

#[test]
fn another_column_in_the_version_table_is_ordinary() {
    ordinary("ALTER TABLE alembic_version ADD COLUMN IF NOT EXISTS note text DEFAULT 'none';");
}

#[test]
fn rewriting_the_version_table_is_ordinary() {
    ordinary("CLUSTER alembic_version USING alembic_version_pkc;");
}

#[test]
fn reading_and_locking_the_version_table_is_ordinary() {
    ordinary("LOCK TABLE alembic_version IN SHARE MODE;\nSELECT * FROM alembic_version FOR UPDATE;");
}

#[test]
fn a_deferred_trigger_runs_with_the_revisions_own_search_path() {
    // As it does in psql and in Alembic: no name in it is qualified.
    ordinary(&format!("CREATE TABLE seen (id int);\n{}", deferred("INSERT INTO seen VALUES (1);")));
}

/// Two branches at their first revisions; `text` runs in the second one of branch a.
fn branches(mode: Mode, text: &str) -> (Project, Database) {
    let marker = if mode == Mode::Stepwise { " transaction:false" } else { "" };
    let child = |project: Project, id: &str, parents: &str| project.child(id, parents, &format!("CREATE TABLE t{id} ();"), "SELECT 1;");
    let project = child(child(child(Project::new(), "a1", "base"), "b1", "base"), "b2", "b1").file(
        "a2_test.sql",
        &format!("-- revision: a2\n-- revises: a1\n\n-- migrate:up{marker}\nINSERT INTO witness.ran VALUES ('a2');\n{text}\n"),
    );
    let database = Database::new();
    database.execute("CREATE SCHEMA witness; CREATE TABLE witness.ran (revision text)");
    pgmarch(&database, &project).args(["upgrade", "a1"]).run().exits(0);
    pgmarch(&database, &project).args(["upgrade", "b1"]).run().exits(0);
    (project, database)
}

const MOVE_B: &str = "UPDATE alembic_version SET version_num = 'b2' WHERE version_num = 'b1'";

#[test]
fn another_tool_that_moves_another_branch_ahead_of_the_fence_is_no_fault_of_the_revision() {
    for mode in MODES {
        let (project, database) = branches(mode, "CREATE TABLE ta2 ();");
        let other = database.session();
        other.execute(&format!("BEGIN; {MOVE_B}"));
        let program = pgmarch(&database, &project).args(["upgrade", "a2"]).env("PGMARCH_LOCK_TIMEOUT", "20s");
        let running = if mode == Mode::Run { program.env("PGMARCH_TRANSACTION", "run") } else { program }.spawn();
        let waits = "SELECT count(*) > 0 FROM pg_locks WHERE relation = 'alembic_version'::regclass AND NOT granted";
        database.eventually(waits, "t");
        other.execute("COMMIT");
        running.wait().exits(0);
        assert_eq!(rows(&database.session()), "a2, b2", "{mode:?}");
        assert_eq!(database.one("SELECT count(*) FROM witness.ran"), "1", "{mode:?}");
    }
}

#[test]
fn another_tool_that_moves_another_branch_while_the_revision_runs_is_no_fault_of_the_revision() {
    for mode in MODES {
        let (project, database) = branches(mode, "SELECT pg_advisory_xact_lock(4711);\nCREATE TABLE ta2 ();");
        let gate = database.session();
        gate.execute("SELECT pg_advisory_lock(4711)");
        let program = pgmarch(&database, &project).args(["upgrade", "a2"]).env("PGMARCH_LOCK_TIMEOUT", "20s");
        let running = if mode == Mode::Run { program.env("PGMARCH_TRANSACTION", "run") } else { program }.spawn();
        let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted";
        database.eventually(&format!("{waits} AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"), "1");
        // In a transaction the fence has locked the table already, so it waits for this one, and moves its row afterwards.
        let other = database.session().start(MOVE_B);
        if mode == Mode::Stepwise {
            other.finish();
            gate.execute("SELECT pg_advisory_unlock(4711)");
        } else {
            gate.execute("SELECT pg_advisory_unlock(4711)");
            other.finish();
        }
        running.wait().exits(0);
        assert_eq!(rows(&database.session()), "a2, b2", "{mode:?}");
        assert_eq!(database.one("SELECT count(*) FROM witness.ran"), "1", "{mode:?}");
    }
}

/// The check after the text can't see it: what a deferred trigger defers again runs at COMMIT.
#[test]
fn a_trigger_that_defers_itself_again_is_no_success() {
    let database = Database::new();
    let text = "CREATE TABLE q (n int);\n\
        CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN\n\
        IF new.n < 2 THEN SET CONSTRAINTS ALL DEFERRED; INSERT INTO public.q VALUES (new.n + 1);\n\
        ELSE DELETE FROM public.alembic_version; END IF; RETURN NULL; END$$;\n\
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON q DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION act();\n\
        INSERT INTO q VALUES (1);";
    let project = Project::new().revision("001", "CREATE TABLE a ();", "DROP TABLE a;").revision("002", text, "SELECT 1;");
    let outcome = pgmarch(&database, &project).run().exits(3);
    outcome.stderr_contains("behind the run's last COMMIT").stderr_contains("the ledger has 002 as applied");
    assert_eq!(database.one("SELECT count(*) FROM q"), "2", "nothing ran twice");
}

#[test]
fn a_vacuum_of_everything_is_ordinary() {
    let database = Database::new();
    let project = Project::new()
        .revision("001", "CREATE TABLE a ();", "DROP TABLE a;")
        .file("002_b.sql", "-- migrate:up transaction:false\nVACUUM FULL;\n");
    pgmarch(&database, &project).run().exits(0);
    assert_eq!(database.one("SELECT version_num FROM alembic_version"), "002");
}
