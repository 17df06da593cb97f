//! Rust source as tokens: identifiers and punctuation, without comments, literals and lifetimes.

/// The tokens of a file. Its unit tests, from `#[cfg(test)]` before a `mod` to the end, are left out.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let begins_tests = |line: &str| ["mod ", "pub(crate) mod ", "pub mod "].iter().any(|start| line.starts_with(start));
    let mut tests = text.match_indices("\n#[cfg(test)]\n").map(|(start, found)| (start, &text[start + found.len()..]));
    let text = tests.find(|(_, rest)| begins_tests(rest)).map_or(text, |(start, _)| &text[..start]);
    let letters: Vec<char> = text.chars().collect();
    let at = |position: usize| letters.get(position).copied().unwrap_or('\0');
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut found = Vec::new();
    let mut i = 0;
    while i < letters.len() {
        match (at(i), at(i + 1)) {
            ('/', '/') => i += letters[i..].iter().take_while(|letter| **letter != '\n').count(),
            ('/', '*') => {
                i += 2;
                while i < letters.len() && (at(i), at(i + 1)) != ('*', '/') {
                    i += 1;
                }
                i += 2;
            }
            ('"', _) => i = after_text(&letters, i),
            ('r', '"' | '#') if raw_hashes(&letters, i + 1).is_some() => i = after_raw_text(&letters, i + 1),
            ('b' | 'c', '"') => i = after_text(&letters, i + 1),
            ('b', 'r') if raw_hashes(&letters, i + 2).is_some() => i = after_raw_text(&letters, i + 2),
            ('\'', '\\') => {
                i += 3;
                i += letters[i..].iter().take_while(|letter| **letter != '\'').count() + 1;
            }
            ('\'', _) if at(i + 2) == '\'' => i += 3,
            // A lifetime.
            ('\'', _) => i += 1 + letters[i + 1..].iter().take_while(|letter| is_word(**letter)).count(),
            (':', ':') => {
                found.push("::".to_owned());
                i += 2;
            }
            (letter, _) if is_word(letter) => {
                let word: String = letters[i..].iter().take_while(|letter| is_word(**letter)).collect();
                i += word.chars().count();
                found.push(word);
            }
            (letter, _) => {
                if !letter.is_whitespace() {
                    found.push(letter.to_string());
                }
                i += 1;
            }
        }
    }
    found
}

fn after_text(letters: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < letters.len() && letters[i] != '"' {
        i += if letters[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// How many `#` begin a raw string at `start`; `None` where none begins.
fn raw_hashes(letters: &[char], start: usize) -> Option<usize> {
    let hashes = letters.get(start..)?.iter().take_while(|letter| **letter == '#').count();
    (letters.get(start + hashes) == Some(&'"')).then_some(hashes)
}

fn after_raw_text(letters: &[char], start: usize) -> usize {
    let hashes = raw_hashes(letters, start).unwrap_or(0);
    let mut i = start + hashes + 1;
    while i < letters.len() && !(letters[i] == '"' && raw_end(letters, i + 1, hashes)) {
        i += 1;
    }
    i + 1 + hashes
}

fn raw_end(letters: &[char], start: usize, hashes: usize) -> bool {
    letters.get(start..start + hashes).is_some_and(|end| end.iter().all(|letter| *letter == '#'))
}

#[test]
fn comments_literals_and_lifetimes_are_no_tokens() {
    let text = "a // b\n/* c */ \"d \\\" e\" r#\"f\"g\"# 'h' '\\n' '\\u{1b}' &'i str b\"j\" br\"k\" l::m;\n#[cfg(test)]\nmod tests { n }";
    assert_eq!(tokens(text), ["a", "&", "str", "l", "::", "m", ";"]);
}
