//! What rows a partition can have, as the condition of a check.
//!
//! It is written from the bound. `pg_get_partition_constraintdef` prints it as well, but keeps a lock on each partition that it is called for.

/// What the rows of a partition must fit, by the partition key of its table and its bound as the server prints them. `None` for hashes,
/// default partitions, and keys with a collation or an operator class: an expression that says the same is not known to say so.
pub(super) fn condition(partition_key: &str, bound: &str) -> Option<String> {
    let (strategy, keys) = partition_key.split_once(" (")?;
    let keys = items(keys.strip_suffix(')')?);
    let is_plain = |key: &&str| *key == without_blanks(key) || key.starts_with('(') || key.ends_with(')');
    if !keys.iter().all(is_plain) || partition_key.contains("COLLATE") || bound.contains("COLLATE") {
        return None;
    }
    let bound = bound.strip_prefix("FOR VALUES ")?;
    let conditions = match strategy {
        "LIST" => vec![in_list(keys.first()?, &items(bound.strip_prefix("IN (")?.strip_suffix(')')?))],
        "RANGE" => {
            let (from, to) = bound.strip_prefix("FROM (")?.strip_suffix(')')?.split_once(") TO (")?;
            in_range(&keys, &items(from), &items(to))?
        }
        _ => return None,
    };
    Some(conditions.join(" AND "))
}

fn in_list(key: &str, values: &[&str]) -> String {
    let others: Vec<&str> = values.iter().copied().filter(|value| *value != "NULL").collect();
    let among = match others.as_slice() {
        [] => return format!("{key} IS NULL"),
        [value] => format!("{key} = {value}"),
        _ => format!("{key} IN ({})", others.join(", ")),
    };
    if others.len() == values.len() { format!("{key} IS NOT NULL AND {among}") } else { format!("({key} IS NULL OR {among})") }
}

/// In the form of the server's own condition, so that it sees that this one implies it.
fn in_range(keys: &[&str], from: &[&str], to: &[&str]) -> Option<Vec<String>> {
    if from.len() != keys.len() || to.len() != keys.len() {
        return None;
    }
    let mut conditions: Vec<String> = keys.iter().map(|key| format!("{key} IS NOT NULL")).collect();
    let equal = keys.iter().zip(from.iter().zip(to)).take_while(|(_, (from, to))| from == to && !is_infinite(from)).count();
    let equal = equal.min(keys.len() - 1);
    conditions.extend(keys.iter().zip(from).take(equal).map(|(key, value)| format!("{key} = {value}")));
    conditions.extend(limit(&keys[equal..], &from[equal..], (">", ">="), "MINVALUE"));
    conditions.extend(limit(&keys[equal..], &to[equal..], ("<", "<="), "MAXVALUE"));
    Some(conditions)
}

/// One end of a range: by the first key, or if that is equal by the next one.
fn limit(keys: &[&str], values: &[&str], (beyond, from): (&str, &str), open: &str) -> Option<String> {
    let is_lower = open == "MINVALUE";
    let mut arms = Vec::new();
    for (number, (key, value)) in keys.iter().zip(values).enumerate().take_while(|(_, (_, value))| !is_infinite(value)) {
        let next = values.get(number + 1).copied();
        // A range begins with its first value, and ends before its last one.
        let is_inclusive = next == Some(open) || next.is_none() && is_lower;
        let before = keys.iter().zip(values).take(number).map(|(key, value)| format!("{key} = {value}"));
        let own = format!("{key} {} {value}", if is_inclusive { from } else { beyond });
        arms.push(before.chain([own]).collect::<Vec<_>>());
    }
    match arms.as_slice() {
        [] => None,
        [arm] => Some(arm.join(" AND ")),
        _ => {
            let text = |arm: &Vec<String>| if arm.len() == 1 { arm.join("") } else { format!("({})", arm.join(" AND ")) };
            Some(format!("({})", arms.iter().map(text).collect::<Vec<_>>().join(" OR ")))
        }
    }
}

fn is_infinite(value: &str) -> bool {
    matches!(value, "MINVALUE" | "MAXVALUE")
}

/// The items of a list, with commas between them that are in no quotes or parentheses.
fn items(list: &str) -> Vec<&str> {
    let (mut items, mut start, mut depth, mut quote) = (Vec::new(), 0, 0usize, None);
    for (place, character) in list.char_indices() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                items.push(list[start..place].trim());
                start = place + 1;
            }
            (None, _) => {}
        }
    }
    items.push(list[start..].trim());
    items
}

/// A name up to the first blank that is not in its quotes.
fn without_blanks(key: &str) -> &str {
    let mut quoted = false;
    let end = key.find(|character: char| {
        quoted ^= character == '"';
        !quoted && character == ' '
    });
    &key[..end.unwrap_or(key.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_a_condition() {
        let of = |bound: &str| condition("LIST (x)", bound);
        assert_eq!(of("FOR VALUES IN (1)").as_deref(), Some("x IS NOT NULL AND x = 1"));
        assert_eq!(of("FOR VALUES IN ('a, (b', 'c''d')").as_deref(), Some("x IS NOT NULL AND x IN ('a, (b', 'c''d')"));
        assert_eq!(of("FOR VALUES IN (NULL)").as_deref(), Some("x IS NULL"));
        assert_eq!(of("FOR VALUES IN (1, NULL)").as_deref(), Some("(x IS NULL OR x = 1)"));
        assert_eq!(of("DEFAULT"), None);
    }

    #[test]
    fn a_range_is_a_condition() {
        let of = |key: &str, bound: &str| condition(key, bound);
        let days = "FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')";
        let expected = "\"a b\" IS NOT NULL AND \"a b\" >= '2026-01-01' AND \"a b\" < '2027-01-01'";
        assert_eq!(of("RANGE (\"a b\")", days).as_deref(), Some(expected));
        assert_eq!(of("RANGE (x)", "FOR VALUES FROM (MINVALUE) TO (MAXVALUE)").as_deref(), Some("x IS NOT NULL"));
        let two = of("RANGE (x, y)", "FOR VALUES FROM (1, 5) TO (3, MAXVALUE)");
        assert_eq!(two.as_deref(), Some("x IS NOT NULL AND y IS NOT NULL AND (x > 1 OR (x = 1 AND y >= 5)) AND x <= 3"));
        let equal = of("RANGE (x, y)", "FOR VALUES FROM (1, 5) TO (1, 7)");
        assert_eq!(equal.as_deref(), Some("x IS NOT NULL AND y IS NOT NULL AND x = 1 AND y >= 5 AND y < 7"));
    }

    #[test]
    fn what_the_server_may_not_recognize_is_no_condition() {
        assert_eq!(condition("HASH (x)", "FOR VALUES WITH (modulus 2, remainder 0)"), None);
        assert_eq!(condition("RANGE (x COLLATE \"C\")", "FOR VALUES FROM ('a') TO ('b')"), None);
        assert_eq!(condition("RANGE (x text_pattern_ops)", "FOR VALUES FROM ('a') TO ('b')"), None);
    }
}
