//! `init`, the ids of new revisions, and folders that are not what they should be.

use crate::support::{Outcome, Project, pgmarch_without_database};

fn run(project: &Project, words: &[&str]) -> Outcome {
    pgmarch_without_database(project).env("PGMARCH_MIGRATIONS", "db/migrations").args(words.iter().copied()).run()
}

#[test]
fn init_creates_the_folder_and_a_first_migration_and_overwrites_nothing() {
    let project = Project::new();
    for words in [&["upgrade"][..], &["check", "--offline"], &["create", "--manual", "x"]] {
        let missing = run(&project, words);
        assert_ne!(missing.code(), Some(0), "{missing}");
        let text = format!("{}{}", missing.stdout, missing.stderr);
        assert!(text.contains("db/migrations: the folder does not exist") && text.contains("`pgmarch init`"), "{missing}");
    }
    let created = run(&project, &["init", "--id", "001", "Users", "and teams"]).exits(0);
    let created = created.stdout_contains("db/migrations/ (new folder)\ndb/migrations/001_users_and_teams.sql\n");
    created.stdout_contains("next: write the SQL of both sections").stdout_contains("pgmarch upgrade --dry-run");
    let text = project.read("db/migrations/001_users_and_teams.sql");
    assert!(text.starts_with("-- revision: 001\n-- revises: base\n") && text.contains("\n-- migrate:down\n"), "{text}");
    run(&project, &["check", "--offline"]).exits(0).stdout_contains("warning: the up section has no statement");
    run(&project, &["init"]).exits(2).stderr_contains("db/migrations has 1 revision already").stderr_contains("no file was written");
    assert_eq!(project.read("db/migrations/001_users_and_teams.sql"), text);
    let project = Project::new().file("db/migrations/README", "");
    run(&project, &["upgrade"]).exits(3).stderr_contains("db/migrations: the folder holds no .sql file; `pgmarch init`");
    let path = run(&project, &["init", "--json"]).exits(0).json()["path"].as_str().expect("a path").to_owned();
    assert!(path.starts_with("db/migrations/20") && path.len() == "db/migrations/20261129093000_initial_schema.sql".len(), "{path}");
}

#[test]
fn new_ids_differ_also_in_one_second_and_are_what_was_asked_for() {
    let project = Project::new();
    run(&project, &["init"]).exits(0);
    let ids: Vec<String> = (0..4)
        .map(|_| run(&project, &["create", "--manual", "x", "--json"]).exits(0).json()["revision"].as_str().expect("an id").to_owned())
        .collect();
    assert!(ids.iter().all(|id| id.len() == 14) && ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let created = run(&project, &["create", "--manual", "x", "--id", "20990101000000_b", "--json"]).exits(0).json();
    assert_eq!((&created["revision"], &created["parents"]), (&"20990101000000_b".into(), &serde_json::json!([ids[3]])));
    run(&project, &["create", "--manual", "x", "--id", &ids[0]]).exits(2).stderr_contains(&format!("has the id `{}` already", ids[0]));
    run(&project, &["create", "--manual", "x", "--id", "a b"]).exits(2).stderr_contains("`a b` can't be an id");
    run(&project, &["create", "--manual", "x", "--id", "head"]).exits(2).stderr_contains("no file was written");
    run(&project, &["check", "--offline"]).exits(0);
}

#[test]
fn a_new_revision_names_its_parent_also_in_a_folder_without_headers() {
    let project = Project::new()
        .file("db/migrations/1_a.sql", "-- migrate:up\nSELECT 1;\n")
        .file("db/migrations/2_b.sql", "-- migrate:up\nSELECT 1;\n");
    run(&project, &["create", "--manual", "x"]).exits(0).stdout_contains("-- revision: 3\n-- revises: 2\n");
    run(&project, &["create", "--manual", "y", "--id", "1b"]).exits(2).stderr_contains("comes before `2`, which has no `revises` header");
    run(&project, &["create", "--manual", "y", "--head", "1"]).exits(0).stdout_contains("-- revision: 4\n-- revises: 1\n");
    run(&project, &["merge", "heads"]).exits(0).stdout_contains("-- revises: 3, 4\n");
    run(&project, &["check", "--offline"]).exits(0).stdout_contains("5 revisions, head 5");
    project.write("db/migrations/6_c.sql", "-- migrate:up\nSELECT 1;\n");
    run(&project, &["check", "--offline"]).exits(3).stdout_contains(
        "6_c.sql: has no `revises` header, but db/migrations/3_x.sql before it has one; add the header, such as `-- revises: 5`",
    );
}

#[test]
fn subfolders_with_sql_files_are_named() {
    let project = Project::new().file("db/migrations/1_a.sql", "-- migrate:up\nSELECT 1;\n");
    for ignored in ["schema/x.sql", "repeatable/x.sql", ".git/x.sql", "notes/x.txt"] {
        project.write(&format!("db/migrations/{ignored}"), "SELECT 1;");
    }
    run(&project, &["check", "--offline"]).exits(0).stdout_lacks("warning");
    project.write("db/migrations/2026/q1/2_b.sql", "-- migrate:up\nSELECT 1;\n");
    run(&project, &["check", "--offline"]).exits(0).stdout_contains("db/migrations/2026: warning: it is not read");
    project.remove("db/migrations/1_a.sql");
    run(&project, &["upgrade"])
        .exits(3)
        .stderr_contains("the folder holds no .sql file, but its subfolder db/migrations/2026 does")
        .stderr_contains("next: set PGMARCH_MIGRATIONS=db/migrations/2026");
    let project = Project::new().file("db/migrations/1_a.sql/b.sql", "");
    run(&project, &["upgrade"]).exits(3).stderr_contains("1_a.sql: can't be read: it is a folder; only the .sql files directly in");
}

#[test]
fn two_files_with_the_same_id_are_told_apart_by_what_to_type() {
    let project = Project::new();
    let file = |name: &str, header: &str| project.write(&format!("db/migrations/{name}"), &format!("{header}-- migrate:up\nSELECT 1;\n"));
    file("003_c.sql", "-- revision: 003\n-- revises: base\n");
    file("004_ann.sql", "-- revision: 004\n-- revises: 003\n");
    file("004_bob's.sql", "-- revision: 004\n-- revises: 003\n");
    for words in [&["check", "--offline"][..], &["merge", "heads"]] {
        let found = run(&project, words).exits(3);
        let text = format!("{}{}", found.stdout, found.stderr);
        for part in [
            "004_bob's.sql: the id `004` is also that of db/migrations/004_ann.sql",
            "`mv 'db/migrations/004_bob'\\''s.sql' 'db/migrations/005_bob'\\''s.sql'`",
            "then write `-- revision: 005` and `-- revises: 004` in its header",
        ] {
            assert!(text.contains(part), "{part}\n{found}");
        }
    }
    let project = Project::new().file("db/migrations/1_a.sql", "-- migrate:up\n").file("db/migrations/1_b.sql", "-- migrate:up\n");
    run(&project, &["check", "--offline"])
        .exits(3)
        .stdout_contains("the next id: `mv db/migrations/1_b.sql db/migrations/2_b.sql` [unsound]");
}
