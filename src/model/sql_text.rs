//! What the server prints, as a person would write it: types, expressions, names.

use crate::sql::quote_identifier;

/// A type: `character varying(10)` is `varchar(10)`.
pub(super) fn type_name(text: &str) -> String {
    for (long, short) in [("character varying", "varchar"), ("character(", "char("), ("bit varying", "varbit")] {
        if let Some(rest) = text.strip_prefix(long) {
            return format!("{short}{rest}");
        }
    }
    for (kind, zoned) in [("timestamp", "timestamptz"), ("time", "timetz")] {
        let Some(rest) = text.strip_prefix(kind) else { continue };
        if let Some((precision, array)) = rest.split_once(" without time zone") {
            return format!("{kind}{precision}{array}");
        }
        if let Some((precision, array)) = rest.split_once(" with time zone") {
            return format!("{zoned}{precision}{array}");
        }
    }
    text.to_owned()
}

/// A type without its modifier: `numeric(10,2)` is `numeric`, `timestamp(3) without time zone` is the same without `(3)`.
pub(super) fn bare_type(text: &str) -> String {
    match (text.find('('), text.find(')')) {
        (Some(open), Some(close)) if open < close && !text.contains('"') => format!("{}{}", &text[..open], &text[close + 1..]),
        _ => text.to_owned(),
    }
}

/// A default without the cast of a constant to the column's own type.
pub(super) fn expression(text: &str, column_type: &str) -> String {
    let own = bare_type(column_type);
    let Some(constant) = text.strip_suffix(&own).and_then(|rest| rest.strip_suffix("::")) else { return text.to_owned() };
    let inner = constant.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    let Some(inner) = inner.filter(|inner| !inner.replace("''", "").contains('\'')) else { return text.to_owned() };
    let number = matches!(own.as_str(), "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision");
    let plain = !inner.is_empty() && inner.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    // A bare number is an integer.
    if number && plain && own == "integer" { inner.to_owned() } else { constant.to_owned() }
}

/// An expression in parentheses, of which it may have one pair already.
pub(super) fn parenthesised(text: &str) -> String {
    if closes_at(text) == Some(text.len()) { text.to_owned() } else { format!("({text})") }
}

/// `x = ANY (ARRAY['a'::text, 'b'::text])` is `x IN ('a', 'b')`. The server prints a list for a `varchar` in a form that it parses to a
/// different expression, while IN gives the original one.
pub(super) fn lists(text: &str) -> String {
    const FORMS: [(&str, &str, &str, bool); 4] = [
        (" = ANY ((ARRAY[", ")::text[])", " IN (", true),
        (" <> ALL ((ARRAY[", ")::text[])", " NOT IN (", true),
        (" = ANY (ARRAY[", ")", " IN (", false),
        (" <> ALL (ARRAY[", ")", " NOT IN (", false),
    ];
    let mut written = String::with_capacity(text.len());
    let (mut rest, mut quote) = (text, None);
    while let Some(character) = rest.chars().next() {
        let form = FORMS.iter().filter(|_| quote.is_none()).find_map(|(open, close, word, through_text)| {
            let (items, kind, after) = items(rest.strip_prefix(open)?)?;
            let after = after.strip_prefix(close)?;
            let left = if *through_text { bare_operand(&written).filter(|_| kind == "character varying")? } else { written.clone() };
            let item =
                |item: &str| if *through_text || kind == "text" || kind.is_empty() { item.to_owned() } else { format!("{item}::{kind}") };
            Some((format!("{left}{word}{})", items.into_iter().map(item).collect::<Vec<_>>().join(", ")), after))
        });
        if let Some((done, after)) = form {
            (written, rest) = (done, after);
            continue;
        }
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            _ => {}
        }
        written.push(character);
        rest = &rest[character.len_utf8()..];
    }
    written
}

/// Constants up to a `]`, all of one type; that type, or nothing for plain numbers; and what follows.
fn items(text: &str) -> Option<(Vec<&str>, &str, &str)> {
    let (mut rest, mut found, mut common) = (text, Vec::new(), None);
    loop {
        let end = if rest.starts_with('\'') {
            let mut from = 1;
            loop {
                from += rest[from..].find('\'')? + 1;
                if !rest[from..].starts_with('\'') {
                    break from;
                }
                from += 1;
            }
        } else {
            rest.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?
        };
        let after = &rest[end..];
        let stop = after.find([',', ']'])?;
        let kind = if stop == 0 { "" } else { after[..stop].strip_prefix("::")? };
        if *common.get_or_insert(kind) != kind || (kind.is_empty() && rest.starts_with('\'')) {
            return None;
        }
        found.push(&rest[..end]);
        match after[stop..].strip_prefix(", ") {
            Some(next) => rest = next,
            None => return Some((found, kind, after[stop..].strip_prefix(']')?)),
        }
    }
}

/// `…(x)::text` without the cast, which the server adds by itself.
fn bare_operand(written: &str) -> Option<String> {
    let operand = written.strip_suffix(")::text")?;
    let open = operand.rfind('(')?;
    let name = &operand[open + 1..];
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '"'));
    plain.then(|| format!("{}{name}", &operand[..open]))
}

/// `CHECK ((x > 0))` is `CHECK (x > 0)`.
pub(super) fn constraint(definition: &str) -> String {
    let definition = lists(definition);
    let definition = definition.as_str();
    let Some(rest) = definition.strip_prefix("CHECK (") else { return definition.to_owned() };
    match closes_at(rest) {
        Some(end) if rest[end..].starts_with(')') => format!("CHECK {}{}", &rest[..end], &rest[end + 1..]),
        _ => definition.to_owned(),
    }
}

/// The offset after the parenthesis that closes the one at the beginning of a text.
fn closes_at(text: &str) -> Option<usize> {
    if !text.starts_with('(') {
        return None;
    }
    let (mut depth, mut quote) = (0usize, None);
    for (place, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, '(') => depth += 1,
            (None, ')') if depth == 1 => return Some(place + 1),
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

/// An expression without its constants and quoted names.
pub(super) fn without_quoted(text: &str) -> String {
    let mut quote = None;
    let is_outside = |character: &char| match quote {
        Some(open) => {
            if *character == open {
                quote = None;
            }
            false
        }
        None if matches!(character, '\'' | '"') => {
            quote = Some(*character);
            false
        }
        None => true,
    };
    text.chars().filter(is_outside).collect()
}

/// A constant text in SQL.
pub(super) fn quote(text: &str) -> String {
    let quoted = format!("'{}'", text.replace('\'', "''"));
    if text.contains('\\') { format!("E{}", quoted.replace('\\', "\\\\")) } else { quoted }
}

/// The two ways to write a constant text: the server prints a backslash without escaping it.
pub(super) fn literals(text: &str) -> [String; 2] {
    [quote(text), format!("'{}'", text.replace('\'', "''"))]
}

/// A comment or its absence.
pub(super) fn comment(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), quote)
}

/// The name that a type or a sequence has until nothing uses it: with its schema if it needs it, and bare.
pub(super) fn renamed_away(shown: &str, suffix: &str) -> (String, String) {
    let name = bare_name(shown);
    let bare = ident(&format!("{}{suffix}", clipped(&unquoted(name), LONGEST_NAME - suffix.len())));
    (format!("{}{bare}", &shown[..shown.len() - name.len()]), bare)
}

/// How many bytes a name has at most.
pub(super) const LONGEST_NAME: usize = 63;

/// A name without its schema.
pub(super) fn bare_name(shown: &str) -> &str {
    let mut is_quoted = false;
    let is_dot = |(_, character): &(usize, char)| {
        is_quoted ^= *character == '"';
        *character == '.' && !is_quoted
    };
    let dot = shown.char_indices().filter(is_dot).last();
    dot.map_or(shown, |(place, _)| &shown[place + 1..])
}

/// The parts of a full name: dots in quotes separate nothing.
pub(super) fn parts(name: &str) -> Vec<&str> {
    let mut is_quoted = false;
    let separates = |character: char| {
        is_quoted ^= character == '"';
        !is_quoted && character == '.'
    };
    name.split(separates).collect()
}

/// A name without its quotation marks.
pub(super) fn unquoted(name: &str) -> String {
    name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).map_or_else(|| name.to_owned(), |inner| inner.replace("\"\"", "\""))
}

/// The beginning of a text, of at most so many bytes.
pub(super) fn clipped(text: &str, length: usize) -> &str {
    let end = (0..=length.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

/// How the server names the sequence of a `serial` or identity column, if that name is free.
pub(super) fn usual_sequence_name(table: &str, column: &str) -> String {
    usual_name(table, column, "seq")
}

/// How the server names a part of a column, if that name is free (`makeObjectName`). The table has no schema.
pub(super) fn usual_name(table: &str, column: &str, label: &str) -> String {
    let (table, column) = (unquoted(table), unquoted(column));
    let (mut of_table, mut of_column) = (table.len(), column.len());
    while of_table + of_column > LONGEST_NAME - "__".len() - label.len() {
        if of_table > of_column { of_table -= 1 } else { of_column -= 1 }
    }
    ident(&format!("{}_{}_{label}", clipped(&table, of_table), clipped(&column, of_column)))
}

/// A name in SQL with something at its end, also if it is as long as names can be.
pub(super) fn with_suffix(name: &str, suffix: &str) -> String {
    ident(&format!("{}{suffix}", clipped(&unquoted(name), LONGEST_NAME - suffix.len())))
}

/// A name of the longest length, quoted if it must be.
pub(super) fn ident(name: &str) -> String {
    quote_identifier(clipped(name, LONGEST_NAME))
}

/// Storage options to SET and to RESET, each as a list.
pub(super) fn options(old: &[String], new: &[String]) -> (Option<String>, Option<String>) {
    let name = |option: &str| option.split('=').next().unwrap_or(option).to_owned();
    let set: Vec<&str> = new.iter().filter(|option| !old.contains(option)).map(String::as_str).collect();
    let reset: Vec<String> = old.iter().map(|option| name(option)).filter(|old| !new.iter().any(|option| name(option) == *old)).collect();
    let list = |words: String| if words.is_empty() { None } else { Some(words) };
    (list(set.join(", ")), list(reset.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_need_quotation_marks_and_be_as_long_as_can_be() {
        assert_eq!(renamed_away("mood", "_old"), ("mood_old".to_owned(), "mood_old".to_owned()));
        assert_eq!(renamed_away("s.mood", "_old"), ("s.mood_old".to_owned(), "mood_old".to_owned()));
        assert_eq!(
            renamed_away("\"S.x\".\"My \"\"mood\"", "_old"),
            ("\"S.x\".\"My \"\"mood_old\"".to_owned(), "\"My \"\"mood_old\"".to_owned())
        );
        assert_eq!(renamed_away(&"m".repeat(63), "_old2").1, format!("{}_old2", "m".repeat(58)));
        assert_eq!(usual_sequence_name("a", "id"), "a_id_seq");
        assert_eq!(usual_sequence_name("\"Order\"", "\"Id\""), "\"Order_Id_seq\"");
        assert_eq!(usual_sequence_name(&"t".repeat(60), "id"), format!("{}_id_seq", "t".repeat(56)));
        assert_eq!(usual_name("\"order\"", "\"user\"", "not_null"), "order_user_not_null");
        assert_eq!(with_suffix("\"order\"", "_pkey"), "order_pkey");
        assert_eq!(with_suffix("\"A \"\"b\"", "_new"), "\"A \"\"b_new\"");
        assert_eq!(ident("order"), "\"order\"");
        assert_eq!(bare_name("\"a.b\".c"), "c");
        assert_eq!(parts("\"a.b\".c"), ["\"a.b\"", "c"]);
    }

    #[test]
    fn types_are_written_short() {
        for (long, short) in [
            ("character varying(255)", "varchar(255)"),
            ("character varying(10)[]", "varchar(10)[]"),
            ("timestamp without time zone", "timestamp"),
            ("timestamp(3) with time zone[]", "timestamptz(3)[]"),
            ("time with time zone", "timetz"),
            ("\"character varying\"", "\"character varying\""),
            ("integer", "integer"),
            ("character(3)", "char(3)"),
        ] {
            assert_eq!(type_name(long), short);
        }
    }

    #[test]
    fn a_default_of_the_columns_own_type_needs_no_cast() {
        assert_eq!(expression("'tcp'::character varying", "character varying(10)"), "'tcp'");
        assert_eq!(expression("'it''s'::text", "text"), "'it''s'");
        assert_eq!(expression("'-1'::integer", "integer"), "-1");
        assert_eq!(expression("'-1'::bigint", "bigint"), "'-1'");
        assert_eq!(expression("'a'::text", "character varying(10)"), "'a'::text");
        assert_eq!(expression("('a'::text || 'b'::text)", "text"), "('a'::text || 'b'::text)");
        assert_eq!(expression("'a'::text || 'b'::text", "text"), "'a'::text || 'b'::text");
    }

    #[test]
    fn lists_are_written_with_in() {
        assert_eq!(
            lists("((x)::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[]))"),
            "(x IN ('a', 'it''s'))"
        );
        assert_eq!(lists("(a.x = ANY (ARRAY['a'::text, 'b'::text]))"), "(a.x IN ('a', 'b'))");
        assert_eq!(lists("(x <> ALL (ARRAY[1, 2]))"), "(x NOT IN (1, 2))");
        assert_eq!(lists("(m = ANY (ARRAY['a'::mood, 'b'::mood]))"), "(m IN ('a'::mood, 'b'::mood))");
        for as_is in
            ["(x = ANY (ARRAY[y, z]))", "(x = ' = ANY (ARRAY[1, 2])')", "(x = ANY ('{1,2}'::integer[]))", "(lower((x)::text) = 'a'::text)"]
        {
            assert_eq!(lists(as_is), as_is);
        }
        let function = "(lower((x)::text) = ANY ((ARRAY['a'::character varying])::text[]))";
        assert_eq!(lists(function), function);
    }

    #[test]
    fn a_check_needs_one_pair_of_parentheses() {
        assert_eq!(constraint("CHECK ((x > 0))"), "CHECK (x > 0)");
        assert_eq!(constraint("CHECK (((x > 0) AND (y = ')'::text))) NO INHERIT"), "CHECK ((x > 0) AND (y = ')'::text)) NO INHERIT");
        assert_eq!(constraint("CHECK (ok(x))"), "CHECK (ok(x))");
        assert_eq!(constraint("CHECK ((x > 0) AND (y > 0))"), "CHECK ((x > 0) AND (y > 0))");
        assert_eq!(constraint("UNIQUE (x)"), "UNIQUE (x)");
        assert_eq!(parenthesised("true"), "(true)");
        assert_eq!(parenthesised("(x > 0)"), "(x > 0)");
        assert_eq!(parenthesised("(x) OR (y)"), "((x) OR (y))");
    }

    #[test]
    fn constants_and_quoted_names_are_left_out() {
        assert_eq!(without_quoted("(f('it''s'::text) || \"nextval(\"::text)"), "(f(::text) || ::text)");
    }
}
