//! Every fault of a folder of revisions, in a folder named after it, with the exact message beside it.

use std::path::Path;

use crate::support::{Project, pgmarch_without_database, snapshot};

#[test]
fn every_fault_has_its_message() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut faults = 0;
    for entry in std::fs::read_dir(fixtures).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.path().is_dir() || name == "marchproxy" {
            continue;
        }
        faults += 1;
        let project = Project::fixture(&name);
        let run = pgmarch_without_database(&project).env("PGMARCH_MIGRATIONS", ".").args(["check", "--offline"]).run();
        let code = run.code().expect("an exit code");
        assert!([1, 3].contains(&code), "{name} should have a fault\n{run}");
        snapshot(&format!("tests/fixtures/{name}/expected.txt"), &format!("exit {code}\n{}", run.stdout));
        // What stops an upgrade stops it before any database is looked for.
        if code == 3 {
            let upgrade = pgmarch_without_database(&project).env("PGMARCH_MIGRATIONS", ".").run().exits(3);
            for line in run.stdout.lines() {
                let message = line.trim_end_matches(" [unsound]").trim_end_matches(" [target]").trim_start_matches(".: ");
                assert!(
                    line.ends_with(']') && upgrade.stderr.contains(message) || line.contains("[irreversible]"),
                    "{name}: {message}\n{upgrade}"
                );
            }
        }
    }
    assert!(faults >= 34, "{faults}");
}

#[test]
fn a_sound_folder_has_nothing_to_be_told() {
    let project = Project::marchproxy();
    pgmarch_without_database(&project)
        .args(["check", "--offline"])
        .run()
        .exits(0)
        .stdout_is("1 revision, head 001: nothing found (files)\n");
}

#[test]
fn several_heads_are_sound_where_all_are_the_target() {
    let project = Project::fixture("two_heads");
    pgmarch_without_database(&project).env("PGMARCH_TARGET", "heads").args(["check", "--offline"]).run().exits(0);
    let found = pgmarch_without_database(&project).args(["check", "--offline", "--json"]).run().exits(3).json();
    assert_eq!(found["heads"], serde_json::json!(["002", "003"]));
    assert_eq!(found["findings"][0]["kind"], "target");
    assert_eq!(found["findings"][0]["stops_upgrade"], true);
}

#[test]
fn irregular_files_are_reported_without_waiting() {
    let project = Project::new().revision("001", "SELECT 1", "SELECT 1");
    let place = |name: &str| project.path().join(name);
    assert!(std::process::Command::new("mkfifo").arg(place("002_pipe.sql")).status().unwrap().success());
    std::fs::create_dir(place("003_folder.sql")).unwrap();
    std::os::unix::fs::symlink("nowhere", place("004_link.sql")).unwrap();
    for words in [["check", "--offline"].as_slice(), &["upgrade"], &["upgrade", "001"]] {
        let run = pgmarch_without_database(&project).args(words.iter().copied()).run().exits(3);
        let output = format!("{}{}", run.stdout, run.stderr);
        for fault in
            ["002_pipe.sql: can't be read: it is a pipe, not a file", "003_folder.sql: can't be read: ", "004_link.sql: can't be read: "]
        {
            assert!(output.contains(fault), "{fault}\n{run}");
        }
    }
}
