//! The words of sequences, and how they count.

use crate::model::{Numbers, Sequence};

/// What a sequence of a type counts like when nothing is said (PostgreSQL manual, CREATE SEQUENCE).
pub(super) fn numbers(type_name: &str) -> Numbers {
    let max = match type_name {
        "smallint" => i64::from(i16::MAX),
        "integer" => i64::from(i32::MAX),
        _ => i64::MAX,
    };
    Numbers { type_name: type_name.to_owned(), start: 1, increment: 1, min: 1, max, cache: 1, cycle: false }
}

/// What must be said to get from one way of counting to another.
pub(super) fn number_words(old: &Numbers, new: &Numbers) -> Vec<String> {
    let retyped = old.type_name != new.type_name;
    let mut words = Vec::new();
    if retyped {
        words.push(format!("AS {}", new.type_name));
    }
    for (word, before, after) in [
        ("INCREMENT BY", old.increment, new.increment),
        ("MINVALUE", old.min, new.min),
        ("MAXVALUE", old.max, new.max),
        ("START WITH", old.start, new.start),
        ("CACHE", old.cache, new.cache),
    ] {
        if before != after || (retyped && word.ends_with("VALUE")) {
            words.push(format!("{word} {after}"));
        }
    }
    if old.cycle != new.cycle {
        words.push(if new.cycle { "CYCLE" } else { "NO CYCLE" }.to_owned());
    }
    words
}

pub(super) fn create_sequence(shown: &str, sequence: &Sequence) -> String {
    let mut words = vec![format!("CREATE {}SEQUENCE {shown}", if sequence.unlogged { "UNLOGGED " } else { "" })];
    let mut usual = numbers(&sequence.numbers.type_name);
    if sequence.numbers.increment < 0 {
        (usual.min, usual.max) = (-usual.max - 1, -1);
        usual.start = -1;
    }
    if sequence.numbers.type_name != "bigint" {
        words.push(format!("AS {}", sequence.numbers.type_name));
    }
    // The start is the minimum, or downwards the maximum, unless it is said.
    usual.start = if sequence.numbers.increment < 0 { sequence.numbers.max } else { sequence.numbers.min };
    words.extend(number_words(&usual, &sequence.numbers));
    words.join(" ")
}
