//! The model beside the revisions: `create` writes what leads to it, `check` and `diff` compare, `lint` warns.

use std::time::Duration;

use crate::support::{Database, Project, Server, pgmarch, pgmarch_at};

fn left(database: &Database) -> String {
    database.one("SELECT coalesce(string_agg(datname, ', '), 'none') FROM pg_database WHERE datname LIKE 'pgmarch\\_scratch\\_%'")
}

/// Runs what is pending.
fn upgrade(database: &Database, project: &Project) {
    pgmarch(database, project).run().exits(0);
}

/// One table in a revision, and a model.
fn project(model: &str) -> Project {
    Project::new()
        .child("001", "base", "CREATE TABLE a (id integer PRIMARY KEY, x integer, name text);", "DROP TABLE a;")
        .file("schema.sql", model)
}

const SAME: &str = "CREATE TABLE a (id integer PRIMARY KEY, x integer, name text);\n";

#[test]
fn marchproxys_revisions_lead_to_its_model() {
    let database = Database::new();
    pgmarch(&database, &Project::marchproxy())
        .args(["check"])
        .run()
        .exits(0)
        .stdout_contains("1 revision, head 001: nothing found (files, ledger, model)");
}

#[test]
fn marchproxys_model_changes_and_the_revision_reads_as_a_person_would_write_it() {
    let database = Database::new();
    let project = Project::marchproxy().copied();
    let model = project.read("schema.sql");
    let changed = model
        .replace("    syslog_endpoint  varchar(255),\n", "")
        .replace("COMMENT ON COLUMN clusters.syslog_endpoint IS 'Where proxies send their logs, as host:port';\n", "")
        .replace("max_proxies      integer       DEFAULT 3", "max_proxies      integer       DEFAULT 5");
    assert_ne!(model, changed);
    let table = "CREATE TABLE tokens (\n    id serial PRIMARY KEY,\n    user_id integer NOT NULL REFERENCES auth_user ON DELETE CASCADE,\n    name varchar(64) NOT NULL DEFAULT 'token',\n    created_at timestamp DEFAULT (now() AT TIME ZONE 'utc'),\n    UNIQUE (user_id, name)\n);\nCREATE INDEX ix_tokens_user_id ON tokens (user_id);\n";
    project.write("schema.sql", &format!("{changed}{table}"));
    pgmarch(&database, &project).run().exits(0);
    let before = database.dump_without_ledger();
    pgmarch(&database, &project).args(["create", "tokens"]).run().exits(0).stdout_contains("proven in scratch databases");
    let text = project.read("002_tokens.sql");
    let (head, body) = text.split_once("\n\n").expect("a header");
    assert!(head.starts_with("-- revision: 002\n-- revises: 001\n-- created: "), "{head}");
    let utc = if database.major() == 13 { "timezone('utc'::text, now())" } else { "(now() AT TIME ZONE 'utc'::text)" };
    let expected = format!(
        "-- migrate:up
-- data loss: the column's values are gone; the way down makes it empty
ALTER TABLE clusters DROP COLUMN syslog_endpoint;

ALTER TABLE clusters ALTER COLUMN max_proxies SET DEFAULT 5;

CREATE TABLE tokens (
    id serial PRIMARY KEY,
    user_id integer NOT NULL,
    name varchar(64) NOT NULL DEFAULT 'token',
    created_at timestamp DEFAULT {utc},
    CONSTRAINT tokens_user_id_name_key UNIQUE (user_id, name),
    CONSTRAINT tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth_user(id) ON DELETE CASCADE
);

CREATE INDEX ix_tokens_user_id ON tokens (user_id);

-- migrate:down
-- data loss: the table's rows are gone; the way down makes it empty
DROP TABLE tokens;

ALTER TABLE clusters ADD COLUMN syslog_endpoint varchar(255);
COMMENT ON COLUMN clusters.syslog_endpoint IS 'Where proxies send their logs, as host:port';
ALTER TABLE clusters ALTER COLUMN max_proxies SET DEFAULT 3;
"
    );
    assert_eq!(body, expected);
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 002");
    project.write("schema.sql", &model);
    pgmarch(&database, &project).args(["create", "no tokens"]).run().exits(0);
    pgmarch(&database, &project).run().exits(0).stdout_contains("at 003");
    let lines = |dump: &str| {
        let mut lines: Vec<String> =
            dump.lines().map(|line| line.trim_end_matches(',').to_string()).filter(|line| !line.contains("alembic_version")).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&before), lines(&database.dump_without_ledger()));
}

#[test]
fn what_all_databases_of_a_server_share_is_left_alone() {
    let database = Database::new();
    let reader = database.role("reader", &[]).name;
    let role = format!("{reader}_made");
    let project = project(SAME).child(
        "002",
        "001",
        &format!("CREATE ROLE {role} CONNECTION LIMIT 3;\nGRANT {role} TO {reader};\nGRANT SELECT ON a TO {role};"),
        &format!("REVOKE SELECT ON a FROM {role};\nDROP ROLE {role};"),
    );
    project.write("schema.sql", &format!("{SAME}GRANT SELECT ON a TO {role};\n"));
    upgrade(&database, &project);
    database.execute(&format!("ALTER ROLE {role} CONNECTION LIMIT 7"));
    let check = pgmarch(&database, &project).args(["check"]).run().exits(0);
    assert!(check.stderr.contains("002_test.sql:6: reaches beyond the database"), "{check}");
    assert_eq!(database.one(&format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{role}'")), "7");
    pgmarch(&database, &project).args(["lint", "--prove", "002"]).run();
    assert_eq!(database.one(&format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{role}'")), "7");
    pgmarch(&database, &project).args(["downgrade", "001", "--yes"]).run().exits(0);
}

#[test]
fn nothing_to_do_writes_no_file() {
    let database = Database::new();
    let project = project(SAME);
    pgmarch(&database, &project).args(["create", "nothing"]).run().exits(0).stdout_contains("nothing to do: the revisions lead to");
    assert_eq!(project.names(), ["001_test.sql", "schema.sql"]);
    let answer = pgmarch(&database, &project).args(["create", "nothing", "--json"]).run().exits(0).json();
    assert_eq!(answer["created"], serde_json::json!([]));
}

#[test]
fn the_first_revision_comes_from_the_model_too() {
    let database = Database::new();
    let project = Project::new().file("schema/1_a.sql", SAME).file("schema/2_b.sql", "CREATE VIEW v AS SELECT x FROM a;");
    pgmarch(&database, &project).args(["create", "everything"]).run().exits(0);
    upgrade(&database, &project);
    pgmarch(&database, &project).args(["check"]).run().exits(0).stdout_contains("(files, ledger, database, model)");
}

#[test]
fn hazards_name_the_labels_and_attributes_that_are_removed() {
    let database = Database::new();
    let types = |labels: &str, attributes: &str| {
        format!(
            "CREATE TYPE mood AS ENUM ({labels});\nCREATE TYPE pair AS ({attributes});\n\
             CREATE TABLE t (id integer PRIMARY KEY, m mood, ms mood[], p pair);\n"
        )
    };
    let project = Project::new().child("001", "base", &types("'sad', 'it''s ok', 'glad'", "x integer, y integer"), "SELECT 1;");
    let project = project.file("schema.sql", &types("'glad', 'sad'", "x bigint"));
    upgrade(&database, &project);
    database.execute("INSERT INTO t VALUES (1, 'sad', '{sad}', ROW(1, 2)), (2, 'it''s ok', NULL, NULL)");
    let run = pgmarch(&database, &project).args(["create", "less"]).run().exits(0);
    let run = run.stdout_contains("-- may fail: it fails if a row has 'it''s ok', which mood no longer has\nALTER TABLE t ALTER COLUMN m ");
    run.stdout_contains("-- data loss: the values of the attribute y of pair are lost\n");
    pgmarch(&database, &project).args(["upgrade"]).run().exits(6).stderr_contains("invalid input value for enum mood: \"it's ok\"");
    database.execute("UPDATE t SET m = 'glad' WHERE m = 'it''s ok'");
    upgrade(&database, &project);
    assert_eq!(database.one("SELECT m || ms::text || p::text FROM t WHERE id = 1"), "sad{sad}(1)");
}

#[test]
fn a_rename_is_pointed_out_and_done_only_when_told() {
    let database = Database::new();
    let renamed = project("CREATE TABLE a (id integer PRIMARY KEY, x integer, title text);\n");
    let run = pgmarch(&database, &renamed).args(["create", "guess"]).run().exits(0);
    assert!(run.stdout.contains("--rename a.name=title"), "{run}");
    assert!(renamed.read("002_guess.sql").contains("DROP COLUMN name"));
    renamed.remove("002_guess.sql");
    pgmarch(&database, &renamed).args(["create", "told", "--rename", "a.name=title"]).run().exits(0);
    let text = renamed.read("002_told.sql");
    let (_, body) = text.split_once("-- migrate:up").expect("up");
    assert_eq!(body, "\nALTER TABLE a RENAME COLUMN name TO title;\n\n-- migrate:down\nALTER TABLE a RENAME COLUMN title TO name;\n");
    pgmarch(&database, &renamed).args(["create", "wrong", "--rename", "a.nam=title"]).run().exits(2).stderr_contains("a.nam");
}

#[test]
fn names_that_are_words_of_sql_are_quoted() {
    let database = Database::new();
    let project = Project::new()
        .child("001", "base", "CREATE TABLE \"user\" (id integer PRIMARY KEY, x integer, \"Old\" text);", "DROP TABLE \"user\";")
        .file("schema.sql", "CREATE TABLE \"user\" (id integer PRIMARY KEY, \"order\" integer, \"New\" text);");
    upgrade(&database, &project);
    database.execute("INSERT INTO \"user\" VALUES (1, 2, 'a')");
    let run = pgmarch(&database, &project).args(["create", "guess"]).run().exits(0);
    for hint in ["--rename '\"user\".x=\"order\"'\n", "--rename '\"user\".\"Old\"=\"New\"'\n"] {
        assert!(run.stdout.contains(hint), "{hint}\n{run}");
    }
    project.remove("002_guess.sql");
    // As a shell passes them without single quotes, and as they are.
    for renames in [["user.x=order", "user.Old=\"New\""], ["\"user\".x=\"order\"", "\"user\".\"Old\"=\"New\""]] {
        pgmarch(&database, &project).args(["create", "told", "--rename", renames[0], "--rename", renames[1]]).run().exits(0);
        let text = project.read("002_told.sql");
        let (_, body) = text.split_once("-- migrate:up").expect("up");
        assert_eq!(
            body,
            "\nALTER TABLE \"user\" RENAME COLUMN x TO \"order\";\nALTER TABLE \"user\" RENAME COLUMN \"Old\" TO \"New\";\n\n-- migrate:down\n\
             ALTER TABLE \"user\" RENAME COLUMN \"New\" TO \"Old\";\nALTER TABLE \"user\" RENAME COLUMN \"order\" TO x;\n"
        );
        project.remove("002_told.sql");
    }
    for wrong in ["user.x=a b", "user.x=user.y", "user.x=\"\"", "user.x="] {
        pgmarch(&database, &project).args(["create", "wrong", "--rename", wrong]).run().exits(2).stderr_contains("is no name");
    }
    let project = Project::new()
        .child("001", "base", "CREATE TABLE \"user\" (id integer);", "DROP TABLE \"user\";")
        .file("schema.sql", "CREATE TABLE \"order\" (id integer);");
    pgmarch(&Database::new(), &project).args(["create", "told", "--rename", "user=order"]).run().exits(0);
    assert!(project.read("002_told.sql").contains("ALTER TABLE \"user\" RENAME TO \"order\";"));
}

#[test]
fn the_names_of_a_renamed_tables_parts_follow_it() {
    let database = Database::new();
    let table = |name: &str, column: &str| {
        format!(
            "CREATE TABLE {name} (id serial PRIMARY KEY, {column} integer CHECK ({column} > 0) UNIQUE);
             CREATE INDEX {name}_both ON {name} ({column}, id);
             CREATE TABLE items (o integer REFERENCES {name});\n"
        )
    };
    let project =
        Project::new().child("001", "base", &table("orders", "total"), "SELECT 1;").file("schema.sql", &table("purchases", "total"));
    let run = pgmarch(&database, &project).args(["create", "guess"]).run().exits(0);
    run.stdout_contains("--rename orders=purchases");
    project.remove("002_guess.sql");
    project.write("schema.sql", &table("purchases", "sum"));
    pgmarch(&database, &project).args(["create", "told", "--rename", "orders=purchases", "--rename", "purchases.total=sum"]).run().exits(0);
    let text = project.read("002_told.sql");
    let (_, body) = text.split_once("-- migrate:up\n").expect("up");
    // NOT NULL has a name from PostgreSQL 18 on.
    let not_null = |from: &str, to: &str| match database.major() {
        ..18 => String::new(),
        _ => format!("ALTER TABLE purchases RENAME CONSTRAINT {from}_id_not_null TO {to}_id_not_null;\n"),
    };
    let expected = format!(
        "ALTER TABLE orders RENAME TO purchases;
ALTER TABLE purchases RENAME COLUMN total TO sum;
ALTER SEQUENCE orders_id_seq RENAME TO purchases_id_seq;
ALTER TABLE purchases RENAME CONSTRAINT orders_pkey TO purchases_pkey;
ALTER TABLE purchases RENAME CONSTRAINT orders_total_check TO purchases_sum_check;
ALTER TABLE purchases RENAME CONSTRAINT orders_total_key TO purchases_sum_key;
ALTER INDEX orders_both RENAME TO purchases_both;
{}
-- migrate:down
{}ALTER INDEX purchases_both RENAME TO orders_both;
ALTER TABLE purchases RENAME CONSTRAINT purchases_sum_key TO orders_total_key;
ALTER TABLE purchases RENAME CONSTRAINT purchases_sum_check TO orders_total_check;
ALTER TABLE purchases RENAME CONSTRAINT purchases_pkey TO orders_pkey;
ALTER SEQUENCE purchases_id_seq RENAME TO orders_id_seq;
ALTER TABLE purchases RENAME COLUMN sum TO total;
ALTER TABLE purchases RENAME TO orders;
",
        not_null("orders", "purchases"),
        not_null("purchases", "orders")
    );
    assert_eq!(body, expected);
}

#[test]
fn the_online_form_blocks_no_other_session() {
    let database = Database::new();
    let model = "CREATE TABLE a (id integer PRIMARY KEY, x integer NOT NULL, name text UNIQUE, CONSTRAINT c CHECK (x > 0));
        CREATE TABLE b (id integer PRIMARY KEY);
        CREATE INDEX a_x ON a (x);
        ALTER TABLE a ADD CONSTRAINT a_x_fkey FOREIGN KEY (x) REFERENCES b;";
    let project = project(model);
    pgmarch(&database, &project).args(["create", "careful", "--online"]).run().exits(0);
    let (first, rest) = (project.read("002_careful.sql"), project.read("003_careful_build_indexes.sql"));
    assert!(first.contains("ADD CONSTRAINT a_x_fkey FOREIGN KEY (x) REFERENCES b(id) NOT VALID"), "{first}");
    assert!(!first.contains("transaction:false") && rest.contains("-- migrate:up transaction:false"), "{first}{rest}");
    for statement in [
        "VALIDATE CONSTRAINT a_x_fkey",
        "VALIDATE CONSTRAINT c;",
        "VALIDATE CONSTRAINT a_x_not_null_check;\n",
        "ALTER COLUMN x SET NOT NULL;\n",
        "DROP CONSTRAINT a_x_not_null_check;",
        "CREATE INDEX CONCURRENTLY a_x ON a (x);",
        "CREATE UNIQUE INDEX CONCURRENTLY a_name_key ON a (name);",
        "ADD CONSTRAINT a_name_key UNIQUE USING INDEX a_name_key;",
    ] {
        assert!(rest.contains(statement), "{statement}\n{rest}");
    }
}

#[test]
fn partitions_move_without_blocking_other_sessions() {
    let database = Database::new();
    let table = "CREATE TABLE p (x integer) PARTITION BY LIST (x);";
    let old = format!(
        "{table} CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p_2 (x integer); CREATE TABLE p_3 PARTITION OF p FOR VALUES IN (3);"
    );
    let new = format!("{table} CREATE TABLE p_1 (x integer); CREATE TABLE p_2 PARTITION OF p FOR VALUES IN (2);");
    let project = Project::new().child("001", "base", &old, "SELECT 1;").file("schema.sql", &new);
    pgmarch(&database, &project).args(["create", "move", "--online"]).run().exits(0);
    let text: String = project.names().iter().filter(|name| name.contains("move")).map(|name| project.read(name)).collect();
    let concurrently = if database.major() >= 14 { " CONCURRENTLY" } else { "" };
    for statement in [
        &format!("DETACH PARTITION p_1{concurrently};"),
        "ADD CONSTRAINT p_2_partition_check CHECK (x IS NOT NULL AND x = 2) NOT VALID;",
        "VALIDATE CONSTRAINT p_2_partition_check;",
        "ALTER TABLE p ATTACH PARTITION p_2 FOR VALUES IN (2);\nALTER TABLE p_2 DROP CONSTRAINT p_2_partition_check;",
        "DROP TABLE p_3;",
    ] {
        assert!(text.contains(statement), "{statement}\n{text}");
    }
    assert_eq!(text.contains("DETACH PARTITION p_3 CONCURRENTLY;"), database.major() >= 14, "{text}");
}

#[test]
fn a_wider_type_is_reached_in_steps() {
    let database = Database::new();
    let table = |id: &str| {
        format!(
            "CREATE TABLE a (id {id} PRIMARY KEY, x text);
             CREATE TABLE b (a {id} REFERENCES a);
             CREATE POLICY p ON b USING (a > 0);"
        )
    };
    let project = Project::new().child("001", "base", &table("integer"), "DROP TABLE b, a;").file("schema.sql", &table("bigint"));
    upgrade(&database, &project);
    database.execute("INSERT INTO a SELECT i, 'a' FROM generate_series(1, 5000) i; INSERT INTO b SELECT id FROM a");
    pgmarch(&database, &project).args(["create", "wide", "--online"]).run().exits(0);
    let text: Vec<String> = project.names().iter().filter(|name| name.contains("wide")).map(|name| project.read(name)).collect();
    let up = |number: usize| text[number].split_once("-- migrate:down").map_or("", |(up, _)| up);
    assert_eq!(text.len(), 4, "{text:?}");
    for (number, statement) in [
        (0, "ALTER TABLE a ADD COLUMN id_bigint bigint;"),
        (0, "BEFORE INSERT OR UPDATE ON a FOR EACH ROW"),
        (1, "COMMIT;"),
        (1, "CREATE UNIQUE INDEX CONCURRENTLY a_pkey_new ON a (id_bigint);"),
        (2, "name the columns in INSERT and COPY\nLOCK TABLE a, b IN ACCESS EXCLUSIVE MODE;"),
        (2, "ALTER TABLE a ADD CONSTRAINT a_pkey PRIMARY KEY USING INDEX a_pkey;"),
        (2, "ALTER TABLE b ADD CONSTRAINT b_a_fkey FOREIGN KEY (a) REFERENCES a(id) NOT VALID;"),
        (3, "ALTER TABLE b VALIDATE CONSTRAINT b_a_fkey;"),
    ] {
        assert!(up(number).contains(statement), "{statement}\n{}", up(number));
    }
    for hazard in ["-- rewrite", "-- data loss", "-- scan", "-- authorization change", "-- protection gap"] {
        assert!((0..4).all(|number| !up(number).contains(hazard)), "{hazard}\n{text:?}");
    }
    upgrade(&database, &project);
    assert_eq!(database.one("SELECT count(*) FROM a JOIN b ON a.id = b.a WHERE pg_typeof(b.a) = 'bigint'::regtype"), "5000");
    // A value that the old type can't hold stops the down migration, and nothing is lost.
    database.execute("INSERT INTO a (id) VALUES (3000000000)");
    pgmarch(&database, &project).args(["downgrade", "-2", "--yes"]).run().stderr_contains("integer out of range");
    assert_eq!(database.one("SELECT max(id) FROM a"), "3000000000");
}

#[test]
fn what_needs_an_index_that_is_built_afterwards_comes_afterwards_too() {
    let database = Database::new();
    let project = Project::new()
        .child(
            "001",
            "base",
            "CREATE TABLE a (x integer NOT NULL, y integer);
             CREATE TABLE b (x integer);
             CREATE INDEX gone ON a (y);
             CREATE TABLE p (x integer) PARTITION BY LIST (x);",
            "DROP TABLE p, b, a;",
        )
        .file(
            "schema.sql",
            "CREATE TABLE a (x integer PRIMARY KEY, y integer);
             CREATE UNIQUE INDEX marks ON a (x);
             COMMENT ON INDEX marks IS 'which row';
             ALTER TABLE a REPLICA IDENTITY USING INDEX marks;
             CREATE TABLE b (x integer REFERENCES a);
             CREATE TABLE c (x integer PRIMARY KEY REFERENCES a);
             CREATE TABLE p (x integer REFERENCES c) PARTITION BY LIST (x);",
        );
    pgmarch(&database, &project).args(["create", "careful", "--online"]).run().exits(0);
    let (steps, rest) = (project.read("002_careful.sql"), project.read("003_careful_changes.sql"));
    let order = [
        "DROP INDEX CONCURRENTLY gone;",
        "CREATE UNIQUE INDEX CONCURRENTLY a_pkey ON a (x);",
        "ADD CONSTRAINT a_pkey PRIMARY KEY USING INDEX a_pkey;",
        "ALTER TABLE b ADD CONSTRAINT b_x_fkey FOREIGN KEY (x) REFERENCES a(x) NOT VALID;",
        "ALTER TABLE b VALIDATE CONSTRAINT b_x_fkey;",
    ];
    let places = order.map(|statement| steps.find(statement).unwrap_or_else(|| panic!("{statement}\n{steps}")));
    assert!(places.is_sorted(), "{places:?}\n{steps}");
    assert!(steps.contains("-- migrate:up transaction:false") && !rest.contains("transaction:false"), "{steps}{rest}");
    // A new table is never without its foreign key.
    assert!(rest.contains("x integer PRIMARY KEY,\n    CONSTRAINT c_x_fkey FOREIGN KEY (x) REFERENCES a(x)\n"), "{rest}");
    pgmarch(&database, &project).run().exits(0);
    pgmarch(&database, &project).args(["check"]).run().exits(0);
    pgmarch(&database, &project).args(["downgrade", "-2", "--yes"]).run().exits(0);
}

#[test]
fn a_change_by_hand_is_found_and_named() {
    let database = Database::new();
    let project = project(SAME);
    upgrade(&database, &project);
    pgmarch(&database, &project).args(["check"]).run().exits(0).stdout_contains("nothing found (files, ledger, database, model)");
    database.execute("ALTER TABLE a ADD COLUMN hot integer DEFAULT 3; CREATE INDEX hot_fix ON a (x); ALTER TABLE a DROP COLUMN name");
    let run = pgmarch(&database, &project).args(["check"]).run().exits(1);
    for line in [
        "3 objects differ from what the applied revisions (at 001) create",
        "+ column public.a.hot",
        "+ index public.hot_fix",
        "- column public.a.name",
        "ALTER TABLE a ADD COLUMN hot integer DEFAULT 3;",
    ] {
        assert!(run.stdout.contains(line), "{line}\n{run}");
    }
    let answer = pgmarch(&database, &project).args(["check", "--json"]).run().exits(1).json();
    assert_eq!(answer["database"]["changes"].as_array().map(Vec::len), Some(3), "{answer}");
}

#[test]
fn check_reports_differences_between_revisions_and_model() {
    let database = Database::new();
    let project = project("CREATE TABLE a (id integer PRIMARY KEY, x bigint, name text);\n");
    let run = pgmarch(&database, &project).args(["check"]).run().exits(1);
    run.stdout_contains("~ column public.a.x").stdout_contains("ALTER TABLE a ALTER COLUMN x TYPE bigint;");
    pgmarch(&database, &project).args(["check", "--offline"]).run().exits(0);
}

#[test]
fn diff_leads_from_the_database_to_the_model() {
    let database = Database::new();
    let project = project(SAME);
    pgmarch(&database, &project).run().exits(0);
    pgmarch(&database, &project).args(["diff"]).run().exits(0).stdout_contains("is as");
    database.execute(
        "ALTER TABLE a DROP COLUMN x; CREATE TABLE extra (y integer); CREATE SCHEMA other; CREATE TABLE other.z (q integer REFERENCES a)",
    );
    let run = pgmarch(&database, &project).args(["diff"]).run().exits(1).stderr_lacks("not proven");
    for statement in ["DROP TABLE extra;", "DROP TABLE other.z;", "DROP SCHEMA other;", "ALTER TABLE a ADD COLUMN x integer;"] {
        assert!(run.stdout.contains(statement), "{statement}\n{run}");
    }
    let answer = pgmarch(&database, &project).args(["diff", "--json"]).run().exits(1).json();
    assert_eq!(answer["proven"], true, "{answer}");
    database.psql(&run.stdout);
    pgmarch(&database, &project).args(["diff"]).run().exits(0);
}

#[test]
fn what_is_not_compared_is_named() {
    let database = Database::new();
    let model = format!(
        "{SAME}CREATE COLLATION german FROM \"C\"; CREATE PUBLICATION pub;
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TABLE p (x integer CONSTRAINT c CHECK (x > 0)) PARTITION BY LIST (x); CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
        CREATE TRIGGER t AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE p_1 DISABLE TRIGGER t;
        COMMENT ON CONSTRAINT c ON p_1 IS 'inherited';"
    );
    let run = pgmarch(&database, &project(&model)).args(["create", "much"]).run().exits(0);
    for what in [
        "collation public.german",
        "publication pub",
        "state and comment of the partition's trigger public.p_1.t",
        "comment on the inherited constraint public.p_1.c",
    ] {
        assert!(run.stdout.contains(&format!("-- not compared: {what}\n")), "{what}\n{run}");
    }
}

#[test]
fn lint_points_at_what_may_hurt() {
    let database = Database::new();
    let project = project(SAME).child("002", "001", "CREATE INDEX a_x ON a (x);", "DROP INDEX a_x;");
    pgmarch(&database, &project).args(["upgrade", "001"]).run().exits(0);
    let run = pgmarch(&database, &project).args(["lint"]).run().exits(1);
    run.stdout_contains("require-concurrent-index-creation").stdout_contains("002_test.sql:6:1").stdout_contains("^^^");
    let answer = pgmarch(&database, &project).args(["lint", "--json"]).run().exits(1).json();
    assert_eq!((&answer["findings"][0]["line"], &answer["revisions"]), (&serde_json::json!(6), &serde_json::json!(["002"])), "{answer}");
    project.write("002_test.sql", "-- revises: 001\n\n-- migrate:up\n-- squawk-ignore require-concurrent-index-creation\nCREATE INDEX a_x ON a (x);\n\n-- migrate:down\nDROP INDEX a_x;\n");
    pgmarch(&database, &project).args(["lint"]).run().exits(0).stdout_contains("1 revision: nothing found");
    pgmarch(&database, &project).args(["lint", "001", "--prove"]).run().exits(0);
}

#[test]
fn a_down_migration_that_does_not_restore_is_rejected() {
    let database = Database::new();
    let project = Project::new().child("001", "base", "CREATE TABLE a (); CREATE TABLE b ();", "DROP TABLE a;");
    let run = pgmarch(&database, &project).args(["lint", "--prove"]).run();
    assert_eq!(run.code(), Some(1), "{run}");
    assert!(run.stdout.contains("down-does-not-restore") && run.stdout.contains("+ table public.b"), "{run}");
}

#[test]
fn every_error_of_a_model_is_shown_with_its_place() {
    let database = Database::new();
    let project = project("CREATE TABLE a (id integer PRIMARY KEY);\nCREATE TABLE b (x nonsense);\nCREATE INDEX i ON a (gone);\n");
    let run = pgmarch(&database, &project).args(["create", "broken"]).run().exits(3);
    assert!(
        run.stderr.contains("schema.sql:2:19")
            && run.stderr.contains("schema.sql:3:1")
            && run.stderr.contains("nonsense")
            && run.stderr.contains("gone"),
        "{run}"
    );
    assert_eq!(project.names().len(), 2);
}

#[test]
fn a_role_without_createdb_gets_the_next_step() {
    let database = Database::new();
    let role = database.role("modest", &[]);
    let run = pgmarch_at(&role.url, &project(SAME)).args(["create", "x"]).run().exits(8);
    assert!(run.stderr.contains("PGMARCH_SCRATCH_URL") && run.stderr.contains("CREATEDB"), "{run}");
    pgmarch_at(&role.url, &project(SAME))
        .env("PGMARCH_SCRATCH_URL", &database.url())
        .args(["create", "x"])
        .run()
        .exits(0)
        .stdout_contains("nothing to do");
}

#[test]
fn a_scratch_server_of_another_major_version_is_warned_about() {
    let Some(scratch) = Server::of_another_major() else {
        eprintln!("not run: only one major version of PostgreSQL is here");
        return;
    };
    let database = Database::new();
    pgmarch(&database, &project(SAME))
        .env("PGMARCH_SCRATCH_URL", &scratch.url("postgres"))
        .args(["create", "x"])
        .run()
        .exits(0)
        .stdout_contains("nothing to do")
        .stderr_contains("what is proven there may still fail here");
    pgmarch(&database, &project(SAME))
        .env("PGMARCH_SCRATCH_URL", &scratch.url("postgres"))
        .args(["diff"])
        .run()
        .exits(2)
        .stderr_contains("a server of the same major version");
}

#[test]
fn without_a_model_the_error_says_where_to_put_it() {
    let database = Database::new();
    let project = Project::new().child("001", "base", "CREATE TABLE a ();", "DROP TABLE a;");
    pgmarch(&database, &project).args(["create", "x"]).run().exits(2).stderr_contains("schema.sql").stderr_contains("PGMARCH_MODEL_URL");
    pgmarch(&database, &project).args(["diff"]).run().exits(2);
}

#[test]
fn a_database_that_an_orm_made_can_be_the_model() {
    let (database, model) = (Database::new(), Database::new());
    model.execute("CREATE TABLE a (id integer PRIMARY KEY, x integer, name text); CREATE TABLE orm (id serial)");
    let project = Project::new().child("001", "base", SAME, "DROP TABLE a;");
    pgmarch(&database, &project)
        .env("PGMARCH_MODEL_URL", &model.url())
        .args(["create", "from the orm"])
        .run()
        .exits(0)
        .stdout_contains("CREATE TABLE orm (\n    id serial\n);");
}

#[test]
fn scratch_databases_vanish_after_errors_signals_and_kills() {
    let server = Server::start_own(&[]);
    let database = Database::on(&server);
    pgmarch(&database, &project("CREATE TABLE b (x nonsense);")).args(["create", "x"]).run().exits(3);
    assert_eq!(left(&database), "none");
    let slow = project(&format!("{SAME}SELECT pg_sleep(60);"));
    let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'pgmarch\\_scratch\\_%' AND state = 'active'";
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let running = pgmarch(&database, &slow).args(["create", "x"]).spawn();
        database.eventually(sleeping, "1");
        running.signal(signal);
        running.wait().exits(code);
        assert_eq!(left(&database), "none");
    }
    let mut running = pgmarch(&database, &slow).args(["create", "x"]).spawn();
    database.eventually(sleeping, "1");
    running.kill();
    drop(running);
    assert!(left(&database).contains("_model"));
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgmarch%'");
    database.eventually("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgmarch%'", "0");
    pgmarch(&database, &project(SAME)).args(["create", "x"]).run().exits(0).stderr_contains("left by a run that was killed");
    assert_eq!(left(&database), "none");
}

#[test]
fn a_model_of_a_thousand_tables_differs_in_one_column_by_one_statement() {
    let database = Database::new();
    let table = |number: usize, kind: &str| {
        let other = number.saturating_sub(1);
        format!(
            "CREATE TABLE t{number} (id serial PRIMARY KEY, a text NOT NULL, b {kind} DEFAULT 3, c timestamptz, d integer REFERENCES t{other});\nCREATE INDEX ix_{number} ON t{number} (a);\n"
        )
    };
    let all: String = (0..1000).map(|number| table(number, "integer")).collect();
    let changed: String = (0..1000).map(|number| table(number, if number == 500 { "bigint" } else { "integer" })).collect();
    let project = Project::new().child("001", "base", &all, "SELECT 1;").file("schema.sql", &all);
    pgmarch(&database, &project).args(["check"]).deadline(Duration::from_secs(300)).run().exits(0).stdout_contains("nothing found");
    project.write("schema.sql", &changed);
    let answer = pgmarch(&database, &project).args(["check", "--json"]).deadline(Duration::from_secs(300)).run().exits(1).json();
    assert_eq!(answer["model"]["statements"].as_array().map(Vec::len), Some(1), "{answer}");
    assert_eq!(answer["model"]["statements"][0]["sql"], "ALTER TABLE t500 ALTER COLUMN b TYPE bigint");
}

#[test]
fn the_words_of_a_statement_inside_a_text_are_no_statement() {
    let database = Database::new();
    let old = "CREATE TYPE mood AS ENUM ('sad');\nCREATE TABLE a (m mood, t text);\nCREATE INDEX gone ON a ((t || ' ON ONLY '));\n";
    let new = "CREATE TYPE mood AS ENUM ('sad', 'happy');
        CREATE TABLE a (m mood, t text, d text DEFAULT 'nextval(random())');
        CREATE TYPE other AS ENUM ('happy');
        COMMENT ON TABLE a IS 'happy'' or ''happy';
        COMMENT ON COLUMN a.t IS 'happy';\n";
    let project = Project::new().revision("001", old, "SELECT 1;").file("schema.sql", new);
    pgmarch(&database, &project).run().exits(0);
    let created = pgmarch(&database, &project).args(["create", "x", "--online", "--json"]).run().exits(0).json();
    let hazards: Vec<&str> = created["statements"]
        .as_array()
        .expect("statements")
        .iter()
        .flat_map(|statement| statement["hazards"].as_array().expect("hazards"))
        .filter_map(|hazard| hazard["kind"].as_str())
        .collect();
    assert_eq!(hazards, [] as [&str; 0], "a default that is one text is no value for each row: {created}");
    let files = created["created"].as_array().expect("files");
    let text = |number: usize| files[number]["text"].as_str().expect("a text");
    assert_eq!(files.len(), 2, "a comment uses no value of an enum: {created}");
    assert!(text(0).contains("ADD VALUE 'happy'") && text(0).contains("COMMENT ON"), "{created}");
    assert!(text(1).contains("DROP INDEX CONCURRENTLY gone"), "{created}");
}
