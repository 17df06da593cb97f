//! Who may do what: rights that are exactly those of the model, hazards above what changes them, and what `--ignore` leaves as it is.

use crate::support::{Database, Project, pgmarch};

fn project(old: &str, model: &str) -> Project {
    Project::new().revision("001", old, "SELECT 1;").file("schema.sql", model)
}

/// The revision that `create` writes for a difference.
#[track_caller]
fn created(old: &str, model: &str, words: &[&str]) -> String {
    let database = Database::new();
    for role in ["reader", "writer"] {
        let name = &database.role(role, &[]).name;
        // As in the texts.
        let _ = name;
    }
    let project = project(old, model);
    pgmarch(&database, &project).args(["create", "it"]).args(words.iter().copied()).run().exits(0).stdout.clone()
}

#[track_caller]
fn up(text: &str) -> &str {
    text.split("-- migrate:up").nth(1).and_then(|rest| rest.split("-- migrate:down").next()).expect("an up section")
}
