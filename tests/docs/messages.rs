//! Messages that the troubles quote are messages of the program, or of a server as scenarios meet it.

use std::fs;

use super::{document, files};

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

/// All that is not a remark in the program and in what its scenarios expect of it and of servers.
fn sources() -> Vec<String> {
    let documents = super::root().join("tests/docs");
    let paths = [files("src", "rs"), files("src", "sql"), files("crates", "rs"), files("tests", "rs")].concat();
    let code = |text: String| text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<&str>>().join("\n");
    // Messages about connecting are told the program's name.
    let code = |text: String| code(text).replace("{program}", "pgmarch");
    paths.iter().filter(|path| !path.starts_with(&documents)).map(|path| code(fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn messages_that_the_troubles_quote_are_those_of_the_program() {
    let sources = sources();
    let text = document("docs/troubleshooting.md");
    let messages = quoted(&text);
    assert!(messages.len() > 30, "{} messages", messages.len());
    for (line, message) in messages {
        // `…` stands for what differs from case to case; all the rest must stand in one source, in this order.
        let parts: Vec<&str> = message.split('…').map(str::trim).filter(|part| !part.is_empty()).collect();
        assert!(
            parts.iter().map(|part| part.len()).sum::<usize>() >= 10,
            "docs/troubleshooting.md:{line}: `{message}` says too little to be looked for"
        );
        let stands = |source: &String| {
            let quotes_escaped = |part: &str| part.replace('"', "\\\"");
            source.match_indices(&quotes_escaped(parts[0])).any(|(at, _)| {
                let mut rest = &source[at..source[at..].char_indices().nth(600).map_or(source.len(), |(end, _)| at + end)];
                parts.iter().all(|part| {
                    let part = quotes_escaped(part);
                    let found = rest.find(&part);
                    rest = found.map_or("", |at| &rest[at + part.len()..]);
                    found.is_some()
                })
            })
        };
        assert!(sources.iter().any(stands), "docs/troubleshooting.md:{line}: nothing says `{message}`");
    }
}
