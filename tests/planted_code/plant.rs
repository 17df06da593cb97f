//! The names that our statements use, and objects of those names, made by an ordinary role.

use std::collections::BTreeSet;

use crate::support::Database;

/// The names of pg_catalog that our statements use: kind and name.
pub(super) type Found = Vec<[String; 2]>;

/// Operators that keywords stand for.
const IMPLIED: [(&str, &[&str]); 7] = [
    ("like", &["~~", "!~~"]),
    ("ilike", &["~~*", "!~~*"]),
    ("similar", &["~", "!~"]),
    ("between", &["<", "<=", ">", ">="]),
    ("in", &["=", "<>"]),
    ("distinct", &["=", "<>"]),
    ("nullif", &["="]),
];

/// What our statements use without fail: were it not found, nothing would be tested.
const CERTAIN: [(&str, &str); 11] = [
    ("function", "set_config"),
    ("function", "format"),
    ("function", "to_regclass"),
    ("function", "count"),
    ("operator", "="),
    ("operator", "||"),
    ("operator", "~~"),
    ("relation", "pg_class"),
    ("relation", "pg_stat_activity"),
    ("type", "regclass"),
    ("type", "text"),
];

/// Finds the names of functions, operators, types and relations in statements: too many rather than too few, as words in
/// comments, aliases and quoted strings count too.
pub(super) fn found(database: &Database, statements: &str) -> Found {
    let lower = statements.to_ascii_lowercase();
    let words: BTreeSet<&str> =
        lower.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$')).filter(|word| !word.is_empty()).collect();
    let mut operators: BTreeSet<&str> = BTreeSet::new();
    for run in lower.split(|c: char| !"+-*/<>=~!@#%^&|`?".contains(c)) {
        let ends = (0..run.len()).flat_map(|from| (from + 1..=run.len().min(from + 5)).map(move |to| (from, to)));
        operators.extend(ends.map(|(from, to)| &run[from..to]));
    }
    operators.extend(IMPLIED.iter().filter(|(word, _)| words.contains(word)).flat_map(|(_, implied)| implied.iter().copied()));
    let list = |names: &BTreeSet<&str>| names.iter().map(|name| format!("'{name}'")).collect::<Vec<String>>().join(",");
    let rows = database.query(&format!(
        "WITH word (word) AS (SELECT unnest(ARRAY[{}])), run (run) AS (SELECT unnest(ARRAY[{}])) \
         SELECT DISTINCT 'function', proname FROM pg_proc JOIN word ON word = proname WHERE pronamespace = 'pg_catalog'::regnamespace \
         UNION SELECT 'operator', oprname FROM pg_operator JOIN run ON run = oprname WHERE oprnamespace = 'pg_catalog'::regnamespace \
         UNION SELECT 'type', typname FROM pg_type JOIN word ON word = typname WHERE typnamespace = 'pg_catalog'::regnamespace AND typrelid = 0 \
         UNION SELECT 'relation', relname FROM pg_class JOIN word ON word = relname WHERE relnamespace = 'pg_catalog'::regnamespace",
        list(&words),
        list(&operators)
    ));
    let found: Found = rows.into_iter().map(|row| <[String; 2]>::try_from(row).expect("kind and name")).collect();
    for (kind, name) in CERTAIN {
        assert!(found.iter().any(|[its, own]| (its.as_str(), own.as_str()) == (kind, name)), "no {kind} {name} among {found:?}");
    }
    found
}

/// Makes objects of these names in a schema, as the role `mallory`, who may log in and create there: with the signatures of
/// pg_catalog alone, or also with those that match better.
pub(super) fn plant(database: &Database, schema: &str, overloads: bool, found: &Found) {
    let session = database.session();
    session.execute(
        "CREATE SCHEMA evil AUTHORIZATION mallory; GRANT USAGE ON SCHEMA evil TO PUBLIC; GRANT CREATE ON SCHEMA public TO mallory",
    );
    session.execute("SET SESSION AUTHORIZATION mallory; SET check_function_bodies = off; CREATE TEMP TABLE found (kind text, name text)");
    let rows: Vec<String> = found.iter().map(|[kind, name]| format!("('{kind}', '{name}')")).collect();
    session.execute(&format!("INSERT INTO found VALUES {}", rows.join(",")));
    let made = session.query(&include_str!("plant.sql").replace("{schema}", schema).replace("{overloads}", &overloads.to_string()));
    let made: Vec<_> = made.into_iter().filter(|row| row.len() == 2).collect();
    eprintln!("planted in {schema}: {made:?}");
    for (kind, least) in [("function", 500), ("aggregate", 50), ("operator", 300), ("type", 10), ("relation", 30)] {
        let number = made.iter().find(|row| row[0] == kind).map_or(0, |row| row[1].parse().expect("a number"));
        assert!(number >= least, "only {number} of kind {kind} were planted");
    }
}
