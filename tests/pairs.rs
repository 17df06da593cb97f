//! Over every kind of object: the difference between an old and a new schema, applied, makes what the new one would
//! have made; nothing differs then; the down migration restores the old one; rows keep their values, and inserts succeed between
//! every two revisions. Observed by `pg_dump` and `to_jsonb`, not by our own reader.

mod values;

use std::fs;
use std::path::Path;

use crate::support::{Database, Project, pgmarch};
use values::{Values, tables};

/// One pair of schemas, from `tests/pairs/`.
#[derive(Clone, Default)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) old: String,
    pub(crate) new: String,
    /// Run once in the old schema: what it inserts must be there after up and after down.
    pub(crate) rows: String,
    /// Must succeed in the old schema, in the new one and between every two revisions.
    pub(crate) insert: String,
    /// Must succeed in the new schema.
    pub(crate) after: String,
    /// Further arguments of `create`.
    pub(crate) arguments: String,
    /// The first major version of PostgreSQL that knows what it is about.
    pub(crate) since: u32,
    /// Whether it is about things that a database has only once.
    pub(crate) alone: bool,
}

/// `--- name [18] [alone]`, the old schema, `-->`, the new one; after either, sections that begin with a line of their name:
/// `--rows`, `--insert`, `--after`, and `--arguments` with one line of words.
pub(crate) fn pairs(file: &str) -> Vec<Pair> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let blocks = format!("\n{text}");
    blocks.split("\n--- ").skip(1).map(pair).collect()
}

fn pair(block: &str) -> Pair {
    let (head, body) = block.split_once('\n').unwrap_or((block, ""));
    let mut tags = head.split('[');
    let name = tags.next().unwrap_or("").trim().to_string();
    let tags: Vec<&str> = tags.map(|tag| tag.trim_end_matches([']', ' '])).collect();
    let since = tags.iter().find_map(|tag| tag.parse().ok()).unwrap_or(13);
    let mut pair = Pair { name, since, alone: tags.contains(&"alone"), ..Pair::default() };
    let mut section = "old";
    let mut is_pair = false;
    for line in body.lines() {
        match line {
            "-->" => (section, is_pair) = ("new", true),
            "--rows" | "--insert" | "--after" | "--arguments" => section = line,
            _ => {
                let text = match section {
                    "old" => &mut pair.old,
                    "new" => &mut pair.new,
                    "--rows" => &mut pair.rows,
                    "--insert" => &mut pair.insert,
                    "--after" => &mut pair.after,
                    _ => &mut pair.arguments,
                };
                *text += &format!("{line}\n");
            }
        }
    }
    assert!(is_pair, "{head}: no line -->");
    assert!(pair.arguments.is_empty() || pair.alone, "{head}: a pair with arguments is alone");
    pair
}

/// Several pairs as one, each in a schema of its own.
pub(crate) fn together(pairs: &[Pair]) -> Pair {
    let in_schemas = |text: fn(&Pair) -> &str| -> String {
        let there = pairs.iter().enumerate().filter(|(_, pair)| !text(pair).trim().is_empty());
        there.map(|(number, pair)| format!("SET search_path TO s{number};\n{}\n", text(pair))).collect()
    };
    let side = |text: fn(&Pair) -> &str| -> String {
        let in_schema =
            |(number, pair): (usize, &Pair)| format!("CREATE SCHEMA s{number};\nSET search_path TO s{number};\n{}\n", text(pair));
        pairs.iter().enumerate().map(in_schema).collect()
    };
    Pair {
        name: pairs.iter().map(|pair| pair.name.as_str()).collect::<Vec<_>>().join(", "),
        old: side(|pair| &pair.old),
        new: side(|pair| &pair.new),
        rows: in_schemas(|pair| &pair.rows),
        insert: in_schemas(|pair| &pair.insert),
        after: in_schemas(|pair| &pair.after),
        since: 13,
        alone: true,
        ..Pair::default()
    }
}

/// The schema as `pg_dump` writes it, but for what no statement can bring about: the order of columns, and with it that
/// of their comments, and the order in which rights were given.
fn dump(database: &Database) -> String {
    let dump = database.dump_with(&["--exclude-schema=pgmarch", "--exclude-table=public.alembic_version"]);
    let block = |text: &str| {
        let mut lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches(',')).filter(|line| !line.is_empty()).collect();
        // What has an order, a view or a function's body, is told by its words; a table's lines are a set.
        if lines.iter().any(|line| line.starts_with("CREATE ") && line.contains("TABLE ") && line.ends_with('('))
            || lines.iter().any(|line| line.starts_with("GRANT "))
        {
            lines.sort_unstable();
        }
        lines.join("\n")
    };
    let mut blocks: Vec<String> = dump.split("\n--\n-- ").map(block).collect();
    blocks.sort();
    blocks.join("\n\n")
}

fn difference(what: &str, expected: &str, found: &str) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    let diff = similar::TextDiff::from_lines(expected, found).unified_diff().context_radius(3).to_string();
    Err(format!("{what}:\n{diff}"))
}

/// Goes from old to new and back.
pub(crate) fn round_trip(pair: &Pair) -> Result<(), String> {
    go_and_return(pair, &[])
}

/// The same by way of what `--online` writes.
pub(crate) fn online_round_trip(pair: &Pair) -> Result<(), String> {
    go_and_return(pair, &["--online"])
}

fn go_and_return(pair: &Pair, options: &[&str]) -> Result<(), String> {
    let direct = Database::new();
    let migrated = Database::new();
    roles(&direct);
    direct.psql(&pair.new);
    let old = if pair.old.trim().is_empty() { "SELECT 1;" } else { pair.old.as_str() };
    let project = Project::new().revision("001", old, "SELECT 1;").file("schema.sql", &pair.new);
    let run = |arguments: &[&str]| {
        let outcome = pgmarch(&migrated, &project).args(arguments.iter().copied()).run();
        if outcome.code() == Some(0) { Ok(outcome) } else { Err(format!("{outcome}")) }
    };
    run(&["upgrade"])?;
    let before = dump(&migrated);
    try_psql(&migrated, "the rows", &pair.rows)?;
    let rows = Values::of(&migrated);
    let create: Vec<&str> = ["create", "the difference"].iter().chain(options).copied().chain(pair.arguments.split_whitespace()).collect();
    let created = run(&create)?;
    let written = project.names().iter().filter(|name| name.ends_with(".sql")).count() - 2;
    let text = created.stdout.clone();
    let with_text = |error: String| format!("{error}\n{text}");
    if written == 0 {
        return Err(format!("nothing was written\n{text}"));
    }
    let stepwise = project.names().iter().any(|name| name.ends_with(".sql") && project.read(name).contains("transaction:false"));
    if stepwise && !options.contains(&"--online") {
        return Err(format!("a plain difference should need no step outside of a transaction\n{text}"));
    }
    let insert = |stage: &str| try_psql(&migrated, &format!("the insert {stage}"), &pair.insert).map_err(with_text);
    insert("into the old schema")?;
    for step in 1..=written {
        run(&["upgrade", "+1"]).map_err(with_text)?;
        insert(&format!("after revision {step} of {written}"))?;
    }
    difference("up leads elsewhere than the new schema", &dump(&direct), &dump(&migrated)).map_err(with_text)?;
    let in_new = Values::of(&migrated);
    let kept = tables(&migrated);
    rows.are_kept(&in_new, |table| kept.iter().any(|other| other == table)).map_err(|lost| with_text(format!("up: {lost}")))?;
    try_psql(&migrated, "the insert into the new schema", &pair.after).map_err(with_text)?;
    let again = run(&["create", "nothing"])?;
    if !again.stdout.starts_with("nothing to do") {
        return Err(format!("there is still a difference\n{again}\n{text}"));
    }
    for step in (0..written).rev() {
        run(&["downgrade", "-1", "--yes"]).map_err(with_text)?;
        insert(&format!("after the undoing of revision {} of {written}", step + 1))?;
    }
    difference("down does not restore the old schema", &before, &dump(&migrated)).map_err(with_text)?;
    let kept = tables(&migrated);
    let in_old = Values::of(&migrated);
    in_new.are_kept(&in_old, |table| kept.iter().any(|other| other == table)).map_err(|lost| with_text(format!("down: {lost}")))
}

/// Runs SQL, if there is any.
fn try_psql(database: &Database, what: &str, sql: &str) -> Result<(), String> {
    if sql.trim().is_empty() { Ok(()) } else { database.try_psql(sql).map(drop).map_err(|error| format!("{what} fails: {error}")) }
}

/// The roles that rights are about; they belong to the server.
pub(crate) fn roles(database: &Database) {
    let make = |role: &str| format!("DO $$BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object OR unique_violation THEN END$$");
    database.execute(&make("pair_reader"));
    database.execute(&make("pair_writer"));
}

/// All pairs of a file at once; if that fails, each alone, to name those that do.
#[track_caller]
fn all_of(file: &str) {
    try_all_of(file, round_trip);
}

#[track_caller]
fn try_all_of(file: &str, round_trip: fn(&Pair) -> Result<(), String>) {
    let major = { Database::new().major() };
    let wanted = std::env::var("PGMARCH_TEST_PAIR").ok();
    let known: Vec<Pair> = pairs(file)
        .into_iter()
        .filter(|pair| pair.since <= major && wanted.as_ref().is_none_or(|wanted| pair.name.contains(wanted.as_str())))
        .collect();
    let (alone, rest): (Vec<Pair>, Vec<Pair>) = known.into_iter().partition(|pair| pair.alone || wanted.is_some());
    let mut failed = Vec::new();
    let try_each = |pairs: &[Pair], failed: &mut Vec<String>| {
        failed.extend(pairs.iter().filter_map(|pair| round_trip(pair).err().map(|error| format!("## {}\n{error}", pair.name))));
    };
    try_each(&alone, &mut failed);
    if !rest.is_empty()
        && let Err(error) = round_trip(&together(&rest))
    {
        let before = failed.len();
        try_each(&rest, &mut failed);
        if failed.len() == before {
            failed.push(format!("## only together\n{error}"));
        }
    }
    assert!(failed.is_empty(), "{} of {file} failed\n{}", failed.len(), failed.join("\n\n"));
}

#[test]
fn tables_go_there_and_back() {
    all_of("tables.sql");
}

#[test]
fn columns_go_there_and_back() {
    all_of("columns.sql");
}

#[test]
fn constraints_go_there_and_back() {
    all_of("constraints.sql");
}

#[test]
fn indexes_and_statistics_go_there_and_back() {
    all_of("indexes.sql");
}

#[test]
fn types_domains_and_sequences_go_there_and_back() {
    all_of("types.sql");
}

#[test]
fn views_and_rules_go_there_and_back() {
    all_of("views.sql");
}

#[test]
fn routines_and_triggers_go_there_and_back() {
    all_of("routines.sql");
}

#[test]
fn rights_owners_policies_and_comments_go_there_and_back() {
    all_of("rights.sql");
}

#[test]
fn what_a_database_has_once_goes_there_and_back() {
    all_of("global.sql");
}

#[test]
fn texts_with_the_words_of_statements_go_there_and_back() {
    all_of("texts.sql");
}

#[test]
fn rows_keep_their_values_and_inserts_succeed() {
    all_of("rows.sql");
}

#[test]
fn protection_that_changes_is_never_missing() {
    all_of("online.sql");
}

#[test]
fn the_online_form_goes_there_and_back_too() {
    for file in ["tables.sql", "columns.sql", "constraints.sql", "indexes.sql", "views.sql", "texts.sql", "rows.sql", "online.sql"] {
        try_all_of(file, online_round_trip);
    }
}

#[test]
fn types_change_in_steps_and_back() {
    try_all_of("online_types.sql", online_round_trip);
}

#[test]
fn there_are_pairs_for_every_kind_of_object() {
    let files = ["tables", "columns", "constraints", "indexes", "types", "views", "routines", "rights", "global"];
    let pairs: Vec<Pair> = files.iter().flat_map(|file| pairs(&format!("{file}.sql"))).collect();
    assert!(pairs.len() >= 150, "{}", pairs.len());
    // What is said in other lines by the one side than by the other.
    let lines = |sql: &str, word: &str| sql.lines().filter(|line| line.contains(word)).collect::<Vec<_>>().join("\n");
    for word in [
        "CREATE SCHEMA",
        "CREATE EXTENSION",
        "AS ENUM",
        "CREATE DOMAIN",
        "AS RANGE",
        "CREATE TYPE pair AS (",
        "CREATE SEQUENCE",
        "OWNED BY",
        "AS IDENTITY",
        "COLLATE",
        "DEFAULT",
        "NOT NULL",
        "STORED",
        "SET STORAGE",
        "COMPRESSION",
        "UNLOGGED",
        "PARTITION BY",
        "FOR VALUES",
        "INHERITS",
        "REPLICA IDENTITY",
        "WITH (",
        "PRIMARY KEY",
        "UNIQUE",
        "CHECK",
        "EXCLUDE",
        "DEFERRABLE",
        "NOT VALID",
        "MATCH FULL",
        "ON DELETE",
        "USING gin",
        "text_pattern_ops",
        "DESC",
        "INCLUDE",
        "NULLS NOT DISTINCT",
        "WHERE",
        "CREATE VIEW",
        "CREATE MATERIALIZED VIEW",
        "CREATE FUNCTION",
        "CREATE PROCEDURE",
        "CREATE AGGREGATE",
        "CREATE TRIGGER",
        "CREATE RULE",
        "ROW LEVEL SECURITY",
        "CREATE POLICY",
        "GRANT",
        "OWNER TO",
        "CREATE STATISTICS",
        "CREATE EVENT TRIGGER",
        "COMMENT ON",
    ] {
        assert!(pairs.iter().any(|pair| lines(&pair.old, word) != lines(&pair.new, word)), "no pair is about {word}");
    }
}
