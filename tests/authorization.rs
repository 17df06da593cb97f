//! Who may do what: rights that are exactly those of the model, hazards above what changes them, and what `--ignore` leaves alone.

use crate::support::{Database, Project, pgmarch};

/// A database on a server that has the roles of the texts.
fn database() -> Database {
    let database = Database::new();
    for role in ["pair_reader", "pair_writer"] {
        database.execute(&format!("DO $$BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object OR unique_violation THEN END$$"));
    }
    database
}

fn project(old: &str, model: &str) -> Project {
    Project::new().revision("001", old, "SELECT 1;").file("schema.sql", model)
}

/// The statements of the up section that `create` writes, with their hazards.
#[track_caller]
fn up(old: &str, model: &str) -> Vec<String> {
    let project = project(old, model);
    pgmarch(&database(), &project).args(["create", "it"]).run().exits(0);
    let text = project.read("002_it.sql");
    let up = text.split("-- migrate:up\n").nth(1).and_then(|rest| rest.split("\n-- migrate:down").next()).expect("an up section");
    up.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn an_authorization_change_is_above_its_statement() {
    let old = "CREATE TABLE a (x integer);
        ALTER TABLE a ENABLE ROW LEVEL SECURITY;
        CREATE POLICY gone ON a FOR SELECT TO pair_reader USING (x > 0);
        CREATE POLICY changed ON a USING (x > 0);
        GRANT SELECT ON a TO pair_reader;
        CREATE VIEW v WITH (security_barrier = true) AS SELECT x FROM a;
        CREATE SCHEMA app;
        CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';";
    let model = "CREATE TABLE a (x integer);
        CREATE POLICY changed ON a USING (x > 1);
        CREATE POLICY restrictive ON a AS RESTRICTIVE FOR UPDATE TO pair_writer USING (x > 2);
        GRANT INSERT ON a TO pair_writer WITH GRANT OPTION;
        CREATE VIEW v AS SELECT x FROM a;
        CREATE SCHEMA app;
        ALTER SCHEMA app OWNER TO pair_writer;
        ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC;
        CREATE FUNCTION f() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';";
    let written = up(old, model);
    for (hazard, statement) in [
        ("pair_reader may no longer read rows of a that only this policy allows", "DROP POLICY gone ON a;"),
        ("which rows of a every role may read and change, is decided differently", "ALTER POLICY changed ON a USING (x > 1);"),
        (
            "pair_writer may update only those rows of a that the policy allows",
            "CREATE POLICY restrictive ON a AS RESTRICTIVE FOR UPDATE TO pair_writer USING (x > 2);",
        ),
        ("policies no longer apply: roles with rights on the table see and change all rows", "ALTER TABLE a DISABLE ROW LEVEL SECURITY;"),
        ("pair_reader loses SELECT", "REVOKE SELECT ON a FROM pair_reader;"),
        ("pair_writer gets INSERT, and may grant it to others", "GRANT INSERT ON a TO pair_writer WITH GRANT OPTION;"),
        ("functions in a query can see rows that the view hides", "CREATE OR REPLACE VIEW v AS"),
        ("pair_writer gets all rights of the owner, the present owner loses them", "ALTER SCHEMA app OWNER TO pair_writer;"),
        (
            "on tables that the role that runs this will create, every role gets SELECT",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC;",
        ),
        ("it runs with the rights of its owner, whoever calls it", "CREATE OR REPLACE FUNCTION f()"),
    ] {
        let above = format!("-- authorization change: {hazard}");
        let number = written.iter().position(|line| *line == above).unwrap_or_else(|| panic!("{above}\n{}", written.join("\n")));
        assert_eq!(written[number + 1], statement, "{}", written.join("\n"));
    }
}

#[test]
fn what_is_new_or_has_its_rights_again_changes_no_authorization() {
    let old = "CREATE TABLE a (x integer);
        CREATE VIEW v WITH (security_barrier = true) AS SELECT x FROM a;
        GRANT SELECT ON v TO pair_reader;
        ALTER VIEW v OWNER TO pair_writer;
        CREATE POLICY p ON a USING (x > 0);";
    let new = "CREATE TABLE b (x integer);
        ALTER TABLE b ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON b USING (x > 0);
        GRANT SELECT (x) ON b TO pair_reader;
        ALTER TABLE b OWNER TO pair_writer;
        CREATE SCHEMA app;
        ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO PUBLIC;";
    let written = up(old, &format!("{}{new}", old.replace("x integer", "x bigint")));
    assert!(written.iter().any(|line| line == "GRANT SELECT ON v TO pair_reader;"), "{}", written.join("\n"));
    assert!(!written.iter().any(|line| line.contains("authorization change")), "{}", written.join("\n"));
}

#[test]
fn what_a_recreated_object_gets_no_more_is_above_its_drop() {
    let old = "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT INSERT ON TABLES TO pair_writer;
        CREATE TABLE a (x integer, y integer);
        CREATE VIEW v AS SELECT x, y FROM a;
        GRANT SELECT ON v TO pair_reader;
        GRANT UPDATE (y) ON v TO pair_reader;
        REVOKE INSERT ON v FROM pair_writer;
        CREATE VIEW w AS SELECT x FROM a;
        ALTER VIEW w OWNER TO pair_writer;
        CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
        GRANT EXECUTE ON FUNCTION f TO pair_reader;";
    let model = "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT INSERT ON TABLES TO pair_writer;
        CREATE TABLE a (x bigint, y integer);
        CREATE VIEW v AS SELECT x, y FROM a;
        CREATE VIEW w AS SELECT x FROM a;
        CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT 1';";
    let written = up(old, model);
    for (hazards, statement) in [
        (
            &[
                "pair_reader loses SELECT when v is recreated",
                "pair_writer gets INSERT when v is recreated",
                "pair_reader loses UPDATE (y) when v is recreated",
            ][..],
            "DROP VIEW v;",
        ),
        (
            &[
                "the role that runs this gets all rights of the owner, the present owner loses them when VIEW w is recreated",
                "pair_writer gets INSERT when w is recreated",
            ],
            "DROP VIEW w;",
        ),
        (&["pair_reader loses EXECUTE when ROUTINE f() is recreated"], "DROP FUNCTION f();"),
    ] {
        let number = written.iter().position(|line| line == statement).unwrap_or_else(|| panic!("{statement}\n{}", written.join("\n")));
        let above: Vec<String> = hazards.iter().map(|hazard| format!("-- authorization change: {hazard}")).collect();
        assert_eq!(written[number - above.len()..number], above, "{}", written.join("\n"));
    }
    let changes = written.iter().filter(|line| line.contains("authorization change")).count();
    assert_eq!(changes, 6, "{}", written.join("\n"));
}

#[test]
fn a_view_that_diff_recreates_is_not_opened() {
    let database = database();
    let old = "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO pair_reader;
        CREATE TABLE a (id int, s text);
        CREATE VIEW secret AS SELECT id, s FROM a;
        REVOKE ALL ON secret FROM pair_reader;";
    let project = project(old, &old.replace("id int", "id bigint"));
    pgmarch(&database, &project).run().exits(0);
    let run = pgmarch(&database, &project).args(["diff"]).run().exits(1).stderr_lacks("not proven");
    assert!(run.stdout.contains("REVOKE SELECT ON secret FROM pair_reader;"), "{run}");
    database.psql(&run.stdout);
    let may = |table: &str| database.one(&format!("SELECT has_table_privilege('pair_reader', '{table}', 'SELECT')"));
    assert_eq!((may("secret"), may("a")), ("f".to_owned(), "t".to_owned()));
    pgmarch(&database, &project).args(["diff"]).run().exits(0);
}

#[test]
fn what_is_ignored_is_as_before_when_its_object_is_recreated() {
    let database = database();
    let tables = "CREATE SCHEMA gone;
        CREATE TABLE a (id integer, s text);
        CREATE VIEW v AS SELECT id, s FROM a;
        CREATE TABLE i (x integer);";
    let properties = "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT INSERT ON TABLES TO pair_reader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA gone GRANT INSERT ON TABLES TO pair_reader;
        GRANT DELETE ON v TO PUBLIC;
        GRANT SELECT (s) ON v TO pair_reader;
        COMMENT ON VIEW v IS 'a view';
        COMMENT ON COLUMN v.s IS 'a column';
        COMMENT ON TABLE a IS 'a table';
        ALTER VIEW v OWNER TO pair_writer;";
    let model = "CREATE TABLE a (id bigint, s text);
        CREATE VIEW v AS SELECT id, s FROM a;
        CREATE TABLE i (x integer, id integer GENERATED ALWAYS AS IDENTITY);
        CREATE TABLE n (x integer);
        COMMENT ON TABLE n IS 'new';
        ALTER TABLE n OWNER TO pair_writer;";
    let ignore = ["--ignore", "owners,grants,comments"];
    let project = project(&format!("{tables}{properties}"), model);
    pgmarch(&database, &project).run().exits(0);
    let before = database.dump_without_ledger();
    let diff = pgmarch(&database, &project)
        .args(["diff"])
        .args(ignore)
        .env("PGMARCH_TRUST_OWNER", "pair_writer")
        .run()
        .exits(1)
        .stderr_lacks("not proven");
    let created = pgmarch(&database, &project).args(["create", "it"]).args(ignore).run().exits(0);
    for text in [&created.stdout, &diff.stdout] {
        for statement in ["GRANT DELETE ON v TO PUBLIC;", "GRANT SELECT (s) ON v TO pair_reader;", "ALTER VIEW v OWNER TO pair_writer;"] {
            assert!(text.contains(statement), "{statement}\n{text}");
        }
        assert!(!text.contains("ON n ") && !text.contains("TABLE n OWNER"), "{text}");
    }
    pgmarch(&database, &project).run().exits(0);
    let rights = "SELECT relacl FROM pg_class WHERE oid = 'n'::regclass";
    assert!(database.one(rights).contains("pair_reader=a"), "CREATE gives a new table its rights");
    pgmarch(&database, &project).args(["create", "again"]).args(ignore).run().exits(0).stdout_contains("nothing to do");
    pgmarch(&database, &project).args(["check"]).args(ignore).run().exits(0);
    pgmarch(&database, &project).args(["diff"]).args(ignore).run().exits(0);
    pgmarch(&database, &project).args(["downgrade", "-1", "--yes"]).run().exits(0);
    assert_eq!(database.dump_without_ledger(), before);
}

#[test]
fn lint_finds_what_opens_or_closes_rows() {
    let database = database();
    let sql = "ALTER TABLE a DISABLE ROW LEVEL SECURITY;\nGRANT SELECT ON a TO PUBLIC;";
    let project = Project::new().revision("001", "CREATE TABLE a (x integer);", "DROP TABLE a;").revision(
        "002",
        sql,
        "REVOKE SELECT ON a FROM PUBLIC; ALTER TABLE a ENABLE ROW LEVEL SECURITY;",
    );
    let run = pgmarch(&database, &project).args(["lint", "002"]).run().exits(1);
    run.stdout_contains("disable-row-security").stdout_contains("grant-to-public").stdout_contains("GRANT SELECT ON a TO PUBLIC");
    let ignoring = format!("-- pgmarch-ignore disable-row-security, grant-to-public\n{sql}");
    let project = Project::new().revision("001", &ignoring, "SELECT 1;");
    pgmarch(&database, &project).args(["lint", "001"]).run().exits(0);
}
