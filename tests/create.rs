//! `create --manual` and `merge`: the next file, in the folder's own style, never over another.

use crate::support::{Project, pgmarch_without_database};

fn create(project: &Project, words: &[&str]) -> crate::support::Outcome {
    pgmarch_without_database(project).args(["create", "--manual"]).args(words.iter().copied()).run()
}

const DOWN: &str = "SELECT 1;";

#[test]
fn the_next_revision_has_its_header_and_says_what_to_do_next() {
    let project = Project::new().child("001", "base", "SELECT 1;", DOWN);
    let run = create(&project, &["Add rate limits", "to services"]).exits(0);
    assert_eq!(project.names(), ["001_test.sql", "002_add_rate_limits_to_services.sql"]);
    let text = project.read("002_add_rate_limits_to_services.sql");
    assert!(text.starts_with("-- revision: 002\n-- revises: 001\n-- created: 20"), "{text}");
    assert!(text.contains("Z\n-- message: Add rate limits to services\n\n-- migrate:up\n\n\n-- migrate:down\n"), "{text}");
    assert!(
        run.stdout.contains("002_add_rate_limits_to_services.sql\n\n-- revision: 002\n") && run.stdout.contains("pgmarch upgrade --sql"),
        "{run}"
    );
    pgmarch_without_database(&project).args(["check", "--offline"]).run().exits(0);
}

#[test]
fn a_folder_keeps_its_own_style() {
    for (ids, expected) in [(&["0007", "0008"][..], "0009_x.sql"), (&["v1", "v2"], "v3_x.sql")] {
        let project = ids.iter().fold(Project::new(), |project, id| project.revision(id, "SELECT 1;", DOWN));
        create(&project, &["x"]).exits(0);
        let text = project.read(expected);
        assert!(text.contains(&format!("-- revises: {}\n", ids[1])), "{text}");
    }
    let project = Project::new().revision("20240102030405", "SELECT 1;", DOWN);
    let path = create(&project, &["x", "--json"]).exits(0).json()["path"].as_str().expect("a path").to_owned();
    let name = path.rsplit('/').next().expect("a name");
    assert!(name.len() == "20240102030405_x.sql".len() && name.starts_with("20") && name > "2026", "{name}");
    create(&Project::new(), &["first of all"])
        .exits(0)
        .stdout_contains("_first_of_all.sql\n\n-- revision: 20")
        .stdout_contains("-- revises: base");
}

#[test]
fn two_heads_are_refused_unless_one_is_named_and_merge_joins_them() {
    let project = Project::new().child("001", "base", "SELECT 1;", DOWN).child("002", "001", "SELECT 1;", DOWN).child(
        "003",
        "001",
        "SELECT 1;",
        DOWN,
    );
    create(&project, &["x"]).exits(3).stderr_contains("several heads: 002, 003");
    assert_eq!(project.names().len(), 3);
    let merge = |words: &[&str]| pgmarch_without_database(&project).args(["merge"]).args(words.iter().copied()).run();
    merge(&["002"]).exits(2).stderr_contains("002 alone is nothing to merge");
    merge(&["001", "002"]).exits(2).stderr_contains("002 already stands on 001");
    merge(&["heads"]).exits(0).stdout_contains("004_merge_002_and_003.sql").stdout_contains("-- revises: 002, 003");
    pgmarch_without_database(&project).args(["check", "--offline"]).run().exits(0).stdout_contains("head 004");
    create(&project, &["--head", "002", "--depends-on", "003", "--branch", "side", "aside"]).exits(0);
    let text = project.read("005_aside.sql");
    assert!(text.contains("-- revises: 002\n-- depends-on: 003\n-- branch: side\n"), "{text}");
}

#[test]
fn nothing_is_written_over() {
    let project = Project::new().child("001", "base", "SELECT 1;", DOWN).file("002_x.sql.d/keep", "");
    project.write("notes.txt", "002");
    create(&project, &["x"]).exits(0);
    project.write("002_x.sql", "-- revision: 003\n-- revises: 001\n-- migrate:up\nSELECT 1;\n");
    let project = project.file("004_y.sql", "-- revision: 001b\n-- revises: 003\n-- migrate:up\nSELECT 1;\n");
    create(&project, &["y"]).exits(2).stderr_contains("004_y.sql can't be written").stderr_contains("no file was written over");
    assert!(project.read("004_y.sql").contains("001b"));
    create(&project, &["--branch", "a b", "z"]).exits(2).stderr_contains("branch label `a b`");
}
