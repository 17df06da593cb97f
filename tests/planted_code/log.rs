//! The server's log: statements of pgmarch's sessions, and what they called.

use std::collections::BTreeMap;

/// One entry of pgmarch's sessions: its level, such as `LOG` or `STATEMENT`, and its text.
struct Entry {
    level: String,
    text: String,
}

/// The entries of sessions whose application name begins with `pgmarch`. Lines of a text after its first begin with a tab.
fn entries(log: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut ours = false;
    for line in log.lines() {
        if let Some(more) = line.strip_prefix('\t') {
            if let Some(entry) = entries.last_mut().filter(|_| ours) {
                entry.text += "\n";
                entry.text += more;
            }
            continue;
        }
        let message = line.split_once("] ").map(|(_, message)| message).filter(|message| message.starts_with("pgmarch"));
        let parts = message.and_then(|message| message.split_once(":  "));
        ours = parts.is_some();
        if let Some((head, text)) = parts {
            let level = head.rsplit(' ').next().unwrap_or_default().to_string();
            entries.push(Entry { level, text: text.to_string() });
        }
    }
    entries
}

/// The texts of all statements.
pub(super) fn statements(log: &str) -> String {
    let texts = entries(log).into_iter().filter(|entry| entry.level == "LOG");
    let statements = texts.filter_map(|entry| {
        let (what, statement) = entry.text.split_once(": ")?;
        (what == "statement" || what.starts_with("execute ")).then(|| statement.to_string())
    });
    statements.collect::<Vec<String>>().join("\n")
}

/// The planted objects that were called, and the statements that did, with how often.
pub(super) fn planted_calls(log: &str) -> BTreeMap<(String, String), usize> {
    let entries = entries(log);
    let mut calls = BTreeMap::new();
    for (number, entry) in entries.iter().enumerate() {
        let Some(called) = called(&entry.text) else { continue };
        let behind = entries[number + 1..].iter().take_while(|entry| !matches!(entry.level.as_str(), "LOG" | "ERROR"));
        let statement = behind.filter(|entry| entry.level == "STATEMENT").map(|entry| shortened(&entry.text)).next();
        *calls.entry((called, statement.unwrap_or_default())).or_default() += 1;
    }
    calls
}

/// The beginning of a statement, in one line without comments.
fn shortened(statement: &str) -> String {
    let words = statement.lines().filter_map(|line| line.split("-- ").next()).flat_map(str::split_whitespace);
    words.collect::<Vec<&str>>().join(" ").chars().take(400).collect()
}

/// The planted object that a message of the server is about.
fn called(message: &str) -> Option<String> {
    // What may not be executed is refused as soon as a statement that would call it starts; where several planted objects
    // match equally well, the statement is refused too.
    let signature = message.strip_prefix("PLANTED: ").or_else(|| message.strip_prefix("permission denied for function "));
    signature.or_else(|| message.lines().next().filter(|line| line.ends_with(" is not unique"))).map(str::to_string)
}
