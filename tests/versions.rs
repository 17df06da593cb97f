//! pgmarch 0.1 and the program under test alternate on one database: each reads, continues and undoes what the other wrote.

use std::thread;

use crate::support::Release::{self, Current, Earlier};
use crate::support::{Database, Program, Project, pgmarch, pgmarch_at};

const BOTH: [Release; 2] = [Earlier, Current];

/// Which release acts first.
const ORDERS: [(Release, Release); 2] = [(Earlier, Current), (Current, Earlier)];

/// A release with a database, a project and a verb.
fn by(release: Release, database: &Database, project: &Project, words: &[&str]) -> Program {
    pgmarch(database, project).release(release).args(words.iter().copied())
}

/// Revisions 001 to `last`. None of them can run twice, because its table would already exist.
fn chain(last: u32) -> Project {
    (1..=last).fold(Project::new(), |project, number| {
        project.revision(&format!("{number:03}"), &format!("CREATE TABLE t{number} (id int);"), &format!("DROP TABLE t{number};"))
    })
}

/// The version rows.
fn versions(database: &Database) -> Vec<String> {
    database.query("SELECT version_num FROM alembic_version ORDER BY 1").concat()
}

/// The direction and revision of each journal row with outcome `done`, in the journal's order.
fn done(database: &Database) -> Vec<String> {
    let rows = "SELECT direction || ' ' || revision FROM pgmarch.journal WHERE outcome = 'done' AND statement IS NULL ORDER BY id";
    database.query(rows).concat()
}

/// Keys and writing transactions (`xmin`) of the rows that both releases use. Either may have further tables and columns.
fn rows(database: &Database) -> Vec<Vec<String>> {
    database.query(
        "SELECT 'version', version_num, xmin::text FROM alembic_version
         UNION ALL SELECT 'revision', version_table || ' ' || revision, xmin::text FROM pgmarch.revision
         UNION ALL SELECT 'journal', id::text, xmin::text FROM pgmarch.journal
         ORDER BY 1, 2",
    )
}

/// Both releases report that the database is at its target, and write nothing.
#[track_caller]
fn assert_at(target: &str, database: &Database, project: &Project) {
    let before = rows(database);
    for release in BOTH {
        let run = |words: &[&str]| by(release, database, project, words).env("PGMARCH_TARGET", target).run().exits(0);
        run(&["status", "--check"]);
        run(&["wait"]);
        run(&["upgrade"]).stdout_contains("nothing to do");
    }
    assert_eq!(rows(database), before);
}

#[track_caller]
fn assert_at_head(database: &Database, project: &Project) {
    assert_at("head", database, project);
}

/// Both releases report these revisions as pending.
#[track_caller]
fn pending(database: &Database, project: &Project, revisions: &[&str]) {
    for release in BOTH {
        let status = by(release, database, project, &["status", "--check", "--json"]).run().exits(1).json();
        assert_eq!(status["pending"], serde_json::json!(revisions), "{release:?}");
    }
}

#[test]
fn each_release_in_turn_applies_the_next_revision_of_a_growing_folder() {
    for (one, other) in ORDERS {
        let database = Database::new();
        for (number, release) in (1..=6).zip([one, other].into_iter().cycle()) {
            let project = chain(number);
            by(release, &database, &project, &["upgrade"]).run().exits(0).stdout_contains(&format!("at 00{number}, 1 applied"));
            assert_at_head(&database, &project);
            assert_eq!(versions(&database), [format!("00{number}")]);
        }
        assert_eq!(done(&database), ["upgrade 001", "upgrade 002", "upgrade 003", "upgrade 004", "upgrade 005", "upgrade 006"]);
    }
}

#[test]
fn what_one_release_applied_the_other_undoes() {
    for (one, other) in ORDERS {
        let (database, project) = (Database::new(), chain(4));
        by(one, &database, &project, &["upgrade"]).run().exits(0);
        by(other, &database, &project, &["downgrade", "-1", "--yes"]).run().exits(0);
        assert_eq!(versions(&database), ["003"]);
        pending(&database, &project, &["004"]);
        by(one, &database, &project, &["downgrade", "-1", "--yes"]).run().exits(0);
        by(one, &database, &project, &["upgrade", "003"]).run().exits(0).stdout_contains("1 applied");
        by(other, &database, &project, &["downgrade", "base", "--yes"]).run().exits(0);
        assert!(versions(&database).is_empty());
        assert_eq!(database.one("SELECT count(*) FROM pg_tables WHERE tablename LIKE 't_'"), "0");
        pending(&database, &project, &["001", "002", "003", "004"]);
        by(one, &database, &project, &["upgrade"]).run().exits(0).stdout_contains("4 applied");
        assert_at_head(&database, &project);
        let up = ["upgrade 001", "upgrade 002", "upgrade 003", "upgrade 004"];
        let between = ["downgrade 004", "downgrade 003", "upgrade 003", "downgrade 003", "downgrade 002", "downgrade 001"];
        assert_eq!(done(&database), [&up[..], &between, &up].concat());
    }
}

#[test]
fn an_older_folder_undoes_by_the_text_that_the_other_release_recorded() {
    for (one, other) in ORDERS {
        let database = Database::new();
        by(one, &database, &chain(3), &["upgrade"]).run().exits(0);
        let older = chain(2);
        assert_at_head(&database, &older);
        for release in BOTH {
            by(release, &database, &older, &["upgrade"]).run().exits(0).stderr_contains("ahead");
            let status = by(release, &database, &older, &["status", "--json"]).run().exits(0).json();
            assert_eq!(status["ahead"], serde_json::json!(["003"]), "{release:?}");
        }
        by(other, &database, &older, &["downgrade", "002", "--yes"]).run().exits(0);
        assert_eq!(database.one("SELECT to_regclass('t3') IS NULL"), "t");
        assert_at_head(&database, &older);
        by(one, &database, &chain(3), &["upgrade"]).run().exits(0).stdout_contains("1 applied");
        assert_at_head(&database, &chain(3));
    }
}

#[test]
fn a_breaking_revision_of_one_release_stops_the_other_on_an_older_folder() {
    for (one, other) in ORDERS {
        let database = Database::new();
        let breaking = "-- breaking: true\n\n-- migrate:up\nDROP TABLE t2;\n\n-- migrate:down\nCREATE TABLE t2 (id int);\n";
        let newer = chain(2).file("003_test.sql", breaking);
        by(one, &database, &newer, &["upgrade"]).run().exits(0);
        assert_at_head(&database, &newer);
        for release in BOTH {
            by(release, &database, &chain(2), &["upgrade"]).run().exits(7).stderr_contains("003");
        }
        by(other, &database, &chain(2), &["downgrade", "002", "--yes"]).run().exits(0);
        assert_at_head(&database, &chain(2));
    }
}

/// A `transaction:false` revision that fails at the third statement of its up section and at the second of its down section as
/// long as `gate.n` is 0.
fn stepwise() -> Project {
    Project::new()
        .revision(
            "001",
            "CREATE TABLE t (id int); CREATE TABLE witness (step text); CREATE TABLE gate AS SELECT 0 AS n;",
            "DROP TABLE t, witness, gate;",
        )
        .file(
            "002_test.sql",
            "-- migrate:up transaction:false
INSERT INTO witness VALUES ('first');
CREATE INDEX CONCURRENTLY t_id ON t (id);
SELECT 1 / n FROM gate;
INSERT INTO witness VALUES ('last');

-- migrate:down transaction:false
INSERT INTO witness VALUES ('undone');
SELECT 1 / n FROM gate;
DROP INDEX CONCURRENTLY t_id;
",
        )
}

/// The rows that the statements of `stepwise()` have inserted, in order.
fn witness(database: &Database) -> Vec<String> {
    database.query("SELECT step FROM witness ORDER BY ctid").concat()
}

#[test]
fn a_revision_that_failed_half_way_under_one_release_is_continued_by_the_other() {
    for (one, other) in ORDERS {
        let (database, project) = (Database::new(), stepwise());
        by(one, &database, &project, &["upgrade"]).run().exits(6).stderr_contains("division by zero");
        pending(&database, &project, &["002"]);
        by(other, &database, &project, &["upgrade"]).run().exits(6).stderr_contains("division by zero");
        database.execute("UPDATE gate SET n = 1");
        by(one, &database, &project, &["upgrade"]).run().exits(0).stdout_contains("at 002");
        assert_at_head(&database, &project);
        assert_eq!(witness(&database), ["first", "last"]);
        database.execute("UPDATE gate SET n = 0");
        by(one, &database, &project, &["downgrade", "-1", "--yes"]).run().exits(6).stderr_contains("division by zero");
        database.execute("UPDATE gate SET n = 1");
        by(other, &database, &project, &["downgrade", "-1", "--yes"]).run().exits(0);
        assert_eq!(versions(&database), ["001"]);
        assert_eq!(witness(&database), ["first", "last", "undone"]);
        assert_eq!(done(&database), ["upgrade 001", "upgrade 002", "downgrade 002"]);
    }
}

#[test]
fn an_index_build_that_was_killed_under_one_release_is_completed_by_the_other() {
    for (one, other) in ORDERS {
        let (database, project) = (Database::new(), stepwise());
        by(one, &database, &project, &["upgrade", "001"]).run().exits(0);
        database.execute("UPDATE gate SET n = 1");
        // CREATE INDEX CONCURRENTLY waits for every transaction that has written to the table.
        let writer = database.session();
        writer.execute("BEGIN; INSERT INTO t VALUES (1)");
        let mut running = by(one, &database, &project, &["upgrade"]).env("PGMARCH_LOCK_TIMEOUT", "0").spawn();
        let building = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        database.eventually(building, "1");
        running.kill();
        drop(running);
        writer.execute("ROLLBACK");
        by(other, &database, &project, &["upgrade"]).run().exits(0).stdout_contains("at 002");
        assert_at_head(&database, &project);
        assert_eq!(witness(&database), ["first", "last"]);
        assert_eq!(database.one("SELECT indisvalid FROM pg_index WHERE indexrelid = 't_id'::regclass"), "t");
        assert_eq!(done(&database), ["upgrade 001", "upgrade 002"]);
    }
}

#[test]
fn a_half_applied_revision_that_one_release_repairs_begins_again_under_the_other() {
    for (one, other) in ORDERS {
        let database = Database::new();
        let project = Project::new().revision("001", "CREATE TABLE witness (step text);", "DROP TABLE witness;").file(
            "002_test.sql",
            "-- migrate:up transaction:false\nINSERT INTO witness VALUES ('first');\nSELECT 1 / 0;\n\n-- migrate:down\nSELECT 1;\n",
        );
        by(one, &database, &project, &["upgrade"]).run().exits(6);
        project.write("002_test.sql", &project.read("002_test.sql").replace("'first'", "'changed'").replace("1 / 0", "1"));
        // Its first statement has already run, and its text has changed since.
        for release in BOTH {
            by(release, &database, &project, &["upgrade"]).run().exits(3);
        }
        by(other, &database, &project, &["repair", "002"]).run().exits(0);
        by(one, &database, &project, &["upgrade"]).run().exits(0);
        assert_at_head(&database, &project);
        assert_eq!(witness(&database), ["first", "changed"]);
    }
}

#[test]
fn what_one_release_stamps_the_other_upgrades_from() {
    for (one, other) in ORDERS {
        let (database, project) = (Database::new(), chain(4));
        by(one, &database, &project, &["stamp", "002"]).run().exits(0);
        pending(&database, &project, &["003", "004"]);
        by(other, &database, &project, &["upgrade", "003"]).run().exits(0).stdout_contains("1 applied");
        by(other, &database, &project, &["stamp", "004"]).run().exits(0);
        assert_at_head(&database, &project);
        by(one, &database, &project, &["stamp", "003"]).run().exits(0);
        by(other, &database, &project, &["upgrade"]).run().exits(0).stdout_contains("1 applied");
        assert_at_head(&database, &project);
        assert_eq!(done(&database), ["upgrade 003", "upgrade 004"]);
        assert_eq!(
            database.query("SELECT revision FROM pgmarch.journal WHERE direction = 'stamp' ORDER BY id").concat(),
            ["002", "004", "003"]
        );
    }
}

#[test]
fn an_applied_file_may_change_in_its_comments_and_a_statement_must_be_repaired() {
    for (one, other) in ORDERS {
        let (database, project) = (Database::new(), chain(2));
        by(one, &database, &project, &["upgrade"]).run().exits(0);
        project.write(
            "001_test.sql",
            "-- a remark\n\n-- migrate:up\ncreate table t1\n  (id int); -- the first\n\n-- migrate:down\n/* back */ DROP TABLE t1;\n",
        );
        assert_at_head(&database, &project);
        project.write("001_test.sql", "-- migrate:up\nCREATE TABLE t1 (id bigint);\n\n-- migrate:down\nDROP TABLE t1;\n");
        for release in BOTH {
            for words in [&["upgrade"][..], &["status", "--check"], &["downgrade", "base", "--yes"]] {
                by(release, &database, &project, words).run().exits(3).stderr_contains("001_test.sql");
            }
        }
        by(other, &database, &project, &["repair", "001"]).run().exits(0);
        assert_at_head(&database, &project);
        by(one, &database, &project, &["downgrade", "base", "--yes"]).run().exits(0);
        assert_eq!(done(&database), ["upgrade 001", "upgrade 002", "downgrade 002", "downgrade 001"]);
    }
}

#[test]
fn a_role_that_may_only_read_two_tables_of_the_ledger_waits_with_either_release() {
    let rights = ["SELECT ON alembic_version", "USAGE ON SCHEMA pgmarch", "SELECT ON pgmarch.revision, pgmarch.journal"];
    for writers in [&[Earlier][..], &[Current], &[Earlier, Current], &[Current, Earlier]] {
        let database = Database::new();
        for (number, writer) in (1..).zip(writers) {
            by(*writer, &database, &chain(number), &["upgrade"]).run().exits(0).stdout_contains("1 applied");
        }
        let project = chain(writers.len() as u32);
        let reader = database.role("reader", &rights);
        for release in BOTH {
            for words in [&["wait"][..], &["status", "--check"], &["history"]] {
                pgmarch_at(&reader.url, &project).release(release).args(words.iter().copied()).run().exits(0);
            }
        }
    }
}

#[test]
fn runs_in_one_transaction_alternate_with_runs_in_several() {
    for (one, other) in ORDERS {
        let database = Database::new();
        let run = |release, project: &Project, transaction| {
            by(release, &database, project, &["upgrade"]).env("PGMARCH_TRANSACTION", transaction).run()
        };
        run(one, &chain(2), "run").exits(0).stdout_contains("2 applied");
        assert_at_head(&database, &chain(2));
        run(other, &chain(4), "run").exits(0).stdout_contains("2 applied");
        assert_at_head(&database, &chain(4));
        run(one, &chain(6), "revision").exits(0).stdout_contains("2 applied");
        let failing = chain(7).revision("008", "SELECT 1 / 0;", "SELECT 1;");
        for release in BOTH {
            run(release, &failing, "run").exits(6);
        }
        assert_eq!(versions(&database), ["006"]);
        run(other, &chain(8), "run").exits(0).stdout_contains("2 applied");
        assert_at_head(&database, &chain(8));
        by(one, &database, &chain(8), &["downgrade", "006", "--yes"]).env("PGMARCH_TRANSACTION", "run").run().exits(0);
        let up = (1..=8).map(|number| format!("upgrade 00{number}"));
        let expected: Vec<String> = up.chain(["downgrade 008".to_owned(), "downgrade 007".to_owned()]).collect();
        assert_eq!(done(&database), expected);
    }
}

#[test]
fn two_heads_of_two_releases_are_merged_by_either() {
    for (one, other) in ORDERS {
        let database = Database::new();
        let table = |project: Project, id: &str, parents: &str| {
            project.child(id, parents, &format!("CREATE TABLE t{id} ();"), &format!("DROP TABLE t{id};"))
        };
        let project = table(table(table(Project::new(), "1", "base"), "2a", "1"), "2b", "1");
        by(one, &database, &project, &["upgrade", "2a"]).run().exits(0).stdout_contains("2 applied");
        by(other, &database, &project, &["upgrade", "2b"]).run().exits(0).stdout_contains("1 applied");
        assert_eq!(versions(&database), ["2a", "2b"]);
        assert_at("heads", &database, &project);
        let project = table(project, "3", "2a, 2b");
        by(one, &database, &project, &["upgrade"]).run().exits(0).stdout_contains("1 applied");
        assert_eq!(versions(&database), ["3"]);
        assert_at_head(&database, &project);
        by(other, &database, &project, &["downgrade", "2a", "--yes"]).run().exits(0);
        assert_eq!(versions(&database), ["2a", "2b"]);
        pending(&database, &project, &["3"]);
        by(one, &database, &project, &["downgrade", "1", "--yes"]).run().exits(0);
        assert_eq!(versions(&database), ["1"]);
        by(other, &database, &project, &["upgrade"]).run().exits(0).stdout_contains("3 applied");
        assert_at_head(&database, &project);
    }
}

#[test]
fn a_run_with_nothing_to_do_needs_no_lock_on_what_the_other_release_wrote() {
    for (one, other) in ORDERS {
        let (database, project) = (Database::new(), chain(2));
        by(one, &database, &project, &["upgrade"]).run().exits(0);
        let before = rows(&database);
        let holder = database.session();
        holder.execute("BEGIN; LOCK TABLE alembic_version, pgmarch.revision, pgmarch.journal IN EXCLUSIVE MODE");
        for _ in 0..2 {
            by(other, &database, &project, &["upgrade"]).run().exits(0).stdout_contains("nothing to do");
        }
        holder.execute("ROLLBACK");
        assert_eq!(rows(&database), before);
        assert_at_head(&database, &project);
    }
}

#[test]
fn a_script_of_one_release_is_understood_by_the_other() {
    for (one, other) in ORDERS {
        let (database, project) = (Database::new(), chain(3));
        by(one, &database, &project, &["upgrade", "001"]).run().exits(0);
        database.psql(&by(other, &database, &project, &["upgrade", "--sql", "001:002"]).run().exits(0).stdout);
        database.psql(&by(one, &database, &project, &["upgrade", "--sql", "002:003"]).run().exits(0).stdout);
        assert_at_head(&database, &project);
        database.psql(&by(other, &database, &project, &["downgrade", "--sql", "003:002"]).run().exits(0).stdout);
        by(one, &database, &project, &["upgrade"]).run().exits(0).stdout_contains("1 applied");
        assert_at_head(&database, &project);
        assert_eq!(done(&database), ["upgrade 001", "upgrade 002", "upgrade 003", "downgrade 003", "upgrade 003"]);
    }
}

#[test]
fn two_projects_of_two_releases_share_a_ledger() {
    for (one, other) in ORDERS {
        let database = Database::new();
        let theirs = Project::new().revision("001", "CREATE TABLE theirs ();", "DROP TABLE theirs;");
        let own_table =
            |release, words: &[&str]| by(release, &database, &theirs, words).env("PGMARCH_VERSION_TABLE", "other_version").run();
        by(one, &database, &chain(2), &["upgrade"]).run().exits(0).stdout_contains("2 applied");
        own_table(other, &["upgrade"]).exits(0).stdout_contains("1 applied");
        assert_at_head(&database, &chain(2));
        for release in BOTH {
            own_table(release, &["status", "--check"]).exits(0);
            own_table(release, &["upgrade"]).exits(0).stdout_contains("nothing to do");
        }
        own_table(one, &["downgrade", "base", "--yes"]).exits(0);
        assert_at_head(&database, &chain(2));
    }
}

#[test]
fn runs_of_both_releases_at_once_apply_each_revision_once() {
    let (database, project) = (Database::new(), chain(9));
    thread::scope(|scope| {
        for release in [BOTH; 4].concat() {
            let (database, project) = (&database, &project);
            scope.spawn(move || by(release, database, project, &["upgrade"]).run().exits(0).stdout_contains("at 009"));
        }
    });
    assert_at_head(&database, &project);
    assert_eq!(done(&database), (1..=9).map(|number| format!("upgrade 00{number}")).collect::<Vec<String>>());
}
