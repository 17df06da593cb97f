//! Messages that the troubles quote are messages that a scenario met: each stands in one line of a snapshot of `tests/messages/`.

use std::fs;

use super::{document, files};

/// Messages of situations that take `make faults`, `make e2e` or a large schema to provoke; they are looked for in the source.
const NOT_PROVOKED: [&str; 8] = [
    "… locks more objects in one transaction than the lock table of the scratch server has room for",
    "no answer within …: look at the mount that it is on",
    "the connection was lost … without traffic (an idle timeout of a proxy or pooler, …)",
    "revision … is marked transaction:false, whose statements need a session of their own",
    "the run lock and the next connection are on different servers",
    "revision … can't continue: … still works on it",
    "revision … built the index …, but it is INVALID",
    "the way … does not lead …; what remains:",
];

/// Messages that `docs/troubleshooting.md` quotes: headings that are one, and the first cells of tables that say so.
fn quoted(text: &str) -> Vec<(usize, &str)> {
    let mut messages = Vec::new();
    let mut in_table = false;
    for (number, line) in text.lines().enumerate() {
        let cell = line.strip_prefix("| ").and_then(|line| line.split(" |").next());
        in_table = cell.is_some_and(|cell| in_table || cell == "message");
        let source = if in_table { cell } else { line.strip_prefix("### ") };
        let quotes = source.unwrap_or_default().split('`').skip(1).step_by(2);
        messages.extend(quotes.map(|message| (number + 1, message)));
    }
    messages
}

/// `…` stands for what differs from case to case; all the rest must stand in the text, in this order.
fn has(text: &str, message: &str) -> bool {
    let mut rest = text;
    message.split('…').map(str::trim).filter(|part| !part.is_empty()).all(|part| {
        let found = rest.find(part);
        rest = found.map_or("", |at| &rest[at + part.len()..]);
        found.is_some()
    })
}

#[test]
fn messages_that_the_troubles_quote_are_those_of_the_program() {
    let lines = |path: &std::path::PathBuf| fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let snapshots: Vec<String> = files("tests/messages/snapshots", "txt").iter().flat_map(lines).collect();
    let sources: Vec<String> = [files("src", "rs"), files("crates", "rs")].concat().iter().flat_map(lines).collect();
    let text = document("docs/troubleshooting.md");
    let messages = quoted(&text);
    assert!(messages.len() > 30, "{} messages", messages.len());
    let missing: Vec<String> = messages
        .iter()
        .filter(|(_, message)| {
            let lines = if NOT_PROVOKED.contains(message) { &sources } else { &snapshots };
            // A message in the source may be split over several places.
            let is_it = |line: &String| {
                if NOT_PROVOKED.contains(message) {
                    message.split('…').any(|part| part.trim().len() > 10 && line.contains(part.trim()))
                } else {
                    has(line, message)
                }
            };
            message.replace('…', "").trim().len() < 10 || !lines.iter().any(is_it)
        })
        .map(|(line, message)| format!("docs/troubleshooting.md:{line}: `{message}`"))
        .collect();
    assert!(
        missing.is_empty(),
        "no snapshot in tests/messages has these (or they are too short to be looked for):\n{}",
        missing.join("\n")
    );
}
