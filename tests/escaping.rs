//! Text from files, the server and names, with control characters in it: it forges no line and colors no terminal.

use crate::support::{Address, Database, Outcome, Program, Project, binary, pgmarch, pgmarch_without_database};

/// The key of `public.alembic_version`, as the documentation computes it.
const KEY: &str = "('x' || left(encode(sha256('pgmarch:public.alembic_version'), 'hex'), 16))::bit(64)::bigint";

/// What a forged line begins with: a time of a log, a part of a failure report.
const FORGED: [&str; 3] = ["2026-01-01T00:00:00.000Z", "error: forged", "next: forged"];

/// Forged lines and terminal controls: C0, DEL, C1, line separator, bidirectional override.
const HOSTILE: &str =
    "x\n2026-01-01T00:00:00.000Z INFO  applied 999\nerror: forged\nnext: forged\u{1b}[31m\r\u{7f}\u{9b}31m\u{2028}\u{202e}y";

/// The same with escapes, as in an `E''` string or in the output.
const ESCAPED: &str =
    r"x\n2026-01-01T00:00:00.000Z INFO  applied 999\nerror: forged\nnext: forged\u{1b}[31m\r\u{7f}\u{9b}31m\u{2028}\u{202e}y";

/// The same over several lines that are indented.
const INDENTED: &str =
    "x\n  2026-01-01T00:00:00.000Z INFO  applied 999\n  error: forged\n  next: forged\\u{1b}[31m\\r\\u{7f}\\u{9b}31m\\u{2028}\\u{202e}y";

/// The same as a literal of PostgreSQL.
fn literal() -> String {
    let each = |c: char| if c.is_ascii_graphic() || c == ' ' { c.to_string() } else { format!("\\u{:04x}", u32::from(c)) };
    format!("E'{}'", HOSTILE.chars().map(each).collect::<String>())
}

fn has_controls(text: &str) -> bool {
    text.contains(|c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}'))
}

fn is_plain(text: &str) -> bool {
    !has_controls(text) && !text.lines().any(|line| FORGED.iter().any(|forged| line.starts_with(forged)))
}

/// Expects no control characters and no forged lines in what it printed.
#[track_caller]
fn plain(run: Outcome) -> Outcome {
    assert!(is_plain(&run.stdout) && is_plain(&run.stderr), "{:?}\n{:?}\n{run}", run.stdout, run.stderr);
    run
}

/// A revision whose file name, message and text are hostile.
fn hostile_revision() -> Project {
    let text = "-- revision: 001\n-- message: red \u{1b}[31m\u{202e}\u{7f}\n\n-- migrate:up\nCREATE TABLE a (/*\u{1b}\u{202e}*/ id int); -- \u{1b}[31m\n\n-- migrate:down\nDROP TABLE a; -- \u{1b}[31m\n";
    Project::new().file("001_a\u{1b}[31m\nnext: forged.sql", text)
}

const PATH: &str = r"001_a\u{1b}[31m\nnext: forged.sql";
const MESSAGE: &str = r"red \u{1b}[31m\u{202e}\u{7f}";

#[test]
fn a_notice_is_one_line_of_the_log() {
    let database = Database::new();
    let raise = |level: &str| format!("RAISE {level} USING MESSAGE = {0}, DETAIL = {0};", literal());
    let up = format!("DO $$BEGIN {} {} END$$", raise("NOTICE"), raise("WARNING"));
    let project = Project::new().revision("001", &up, "SELECT 1");
    let run = plain(pgmarch(&database, &project).run().exits(0));
    run.stderr_contains(&format!("INFO  NOTICE: {ESCAPED} ({ESCAPED})\n"))
        .stderr_contains(&format!("WARN  WARNING: {ESCAPED} ({ESCAPED})\n"));
    let json = pgmarch(&Database::new(), &project).env("PGMARCH_LOG_FORMAT", "json").run().exits(0);
    let lines = json.stderr.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|_| panic!("{json}")));
    let notice = |line: &serde_json::Value| line["message"] == format!("NOTICE: {HOSTILE} ({HOSTILE})");
    assert_eq!(lines.filter(notice).count(), 1, "{json}");
}

#[test]
fn a_failure_report_indents_the_further_lines_of_what_the_server_wrote() {
    let database = Database::new();
    let body = format!("RAISE EXCEPTION USING MESSAGE = {0}, DETAIL = {0}, HINT = {0};", literal());
    let name = "\"f\n\tx\nnext: forged\u{1b}\"";
    database.execute(&format!("CREATE FUNCTION {name}() RETURNS void LANGUAGE plpgsql AS $$BEGIN {body} END$$"));
    let project = Project::new().revision("001", &format!("SELECT {name}()"), "SELECT 1");
    let run = plain(pgmarch(&database, &project).run().exits(6))
        .stderr_contains(&format!("error: revision 001 failed: {INDENTED} (SQLSTATE P0001)\n"))
        .stderr_contains(&format!(
            "\ndetail: {INDENTED}\nhint: {INDENTED}\ncontext: PL/pgSQL function \"f\n  \tx\n  next: forged\\u{{1b}}\"() line 1 at RAISE\n"
        ));
    let starts = |start: &str| run.stderr.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((starts("error: "), starts("next: ")), (1, 1), "{run}");
    assert!(run.last_line().starts_with("next: fix "), "{run}");
}

#[test]
fn a_hostile_message_and_file_name_are_escaped_wherever_they_are_printed() {
    let (database, project) = (Database::new(), hostile_revision());
    for verb in [&["status"][..], &["history"], &["check", "--offline"], &["lint"]] {
        let run = pgmarch(&database, &project).args(verb.iter().copied()).run();
        assert!([Some(0), Some(1)].contains(&run.code()), "{run}");
        plain(run);
    }
    pgmarch(&database, &project).args(["status"]).run().exits(0).stdout_contains(&format!("001  {MESSAGE} (head)"));
    plain(pgmarch(&database, &project).run().exits(0));
    pgmarch(&database, &project).args(["history"]).run().exits(0).stdout_contains(&format!("(current, head)  {MESSAGE}  ["));
    let down = plain(pgmarch(&database, &project).args(["downgrade", "base", "--yes"]).run().exits(0));
    down.stderr_contains(&format!("  001  {MESSAGE}  (")).stderr_contains(&format!("{PATH})\n      loses data: DROP TABLE a"));
    project.write("002_b\u{1b}\nerror: forged.sql", "-- branch: \u{1b}[31m\n-- migrate:up\nCOMMIT;\n");
    let run = plain(pgmarch_without_database(&project).args(["check"]).run().exits(3));
    run.stdout_contains(r"002_b\u{1b}\nerror: forged.sql:1:1: the branch label `\u{1b}[31m` must be");
    let run = plain(pgmarch(&database, &project).run().exits(3)).stderr_contains("the branch label `\\u{1b}[31m` must be");
    assert!(run.stderr.lines().filter(|line| line.starts_with("error: ")).count() == 2, "{run}");
}

#[test]
fn show_escapes_all_but_the_text_and_on_a_terminal_the_text_too() {
    let (database, project) = (Database::new(), hostile_revision());
    pgmarch(&database, &project).run().exits(0);
    let text = project.read("001_a\u{1b}[31m\nnext: forged.sql");
    let run = pgmarch(&database, &project).args(["show", "001"]).run().exits(0);
    let head = run.stdout.strip_suffix(&text).unwrap_or_else(|| panic!("{run}"));
    assert!(is_plain(head) && head.contains(&format!("message     {MESSAGE}\n")) && head.contains(&format!("{PATH}\n")), "{run}");
    let run = pgmarch(&database, &project).args(["show", "001"]).on_terminal().run().exits(0);
    // The terminal's own line ends.
    let shown = run.stdout.replace("\r\n", "\n");
    assert!(is_plain(&shown) && shown.contains("CREATE TABLE a (/*\\u{1b}\\u{202e}*/ id int); -- \\u{1b}[31m\n"), "{run}");
}

#[test]
fn a_line_of_a_file_is_shown_with_its_controls_escaped_and_the_caret_in_its_place() {
    let project = Project::new().revision("001", "SELECT\t'\u{1b}[31m\u{202e}表', missing;", "SELECT 1");
    let run = plain(pgmarch(&Database::new(), &project).run().exits(6));
    run.stderr_contains("2 | SELECT    '\\u{1b}[31m\\u{202e}表', missing;\n  |                                   ^^^^^^^\n");
}

#[test]
fn a_line_of_a_file_is_in_color_on_a_terminal_that_has_colors() {
    let database = Database::new();
    let project = Project::new().revision("001", "SELECT '\u{1b}[31m', missing;", "SELECT 1");
    let upgrade = |term: &str| pgmarch(&database, &project).env("TERM", term);
    let run = upgrade("xterm").on_terminal().run().exits(6);
    let colors = |text: &str| text.contains("\u{1b}[1m\u{1b}[91m^^^^^^^\u{1b}[0m");
    assert!(colors(&run.stdout) && run.stdout.contains("SELECT '\\u{1b}[31m', missing;"), "{run}");
    for program in [upgrade("xterm").env("NO_COLOR", "1"), upgrade("dumb"), upgrade("xterm").env("PGMARCH_LOG_FORMAT", "json")] {
        let run = program.on_terminal().run().exits(6);
        assert!(is_plain(&run.stdout.replace("\r\n", "\n")) && run.stdout.contains("^^^^^^^"), "{run}");
    }
    plain(upgrade("xterm").run().exits(6)).stderr_contains("^^^^^^^\n");
    let project = Project::new().revision("001", "DROP /* \u{1b}[31m */ TABLE a;", "SELECT 1");
    let lint = || pgmarch_without_database(&project).env("TERM", "xterm").args(["lint", "001"]);
    let run = lint().on_terminal().run().exits(1);
    assert!(run.stdout.contains("DROP /* \\u{1b}[31m */ TABLE a") && run.stdout.contains("\u{1b}[91m^^^^"), "{run}");
    assert!(!run.stdout.contains("\u{1b}[31m"), "{run}");
    plain(lint().run().exits(1)).stdout_contains("^^^^");
}

#[test]
fn a_long_line_of_a_file_is_cut_to_the_width_of_the_terminal() {
    let project = Project::new().revision("001", &format!("/* {0} */ DROP TABLE a; /* {0} */", "é".repeat(500)), "SELECT 1");
    let script = format!("stty rows 24 cols 60; '{}' lint 001", binary().display());
    let terminal = Program::at("/usr/bin/script").args(["-qec", &script, "/dev/null"]).env("TERM", "xterm").env("NO_COLOR", "1");
    let run = terminal.env("PGMARCH_MIGRATIONS", &project.path().to_string_lossy()).run().exits(1);
    let (line, carets) = run.stdout.split_once("2 | ").and_then(|(_, rest)| rest.split_once("\r\n  | ")).unwrap_or_else(|| panic!("{run}"));
    assert!(line.starts_with("...é") && line.ends_with("é...") && line.chars().count() <= 60, "{run}");
    let column = |text: &str, start: &str| text.split_once(start).map(|(before, _)| before.chars().count());
    assert_eq!(column(line, "DROP"), column(carets, "^"), "{run}");
}

#[test]
fn a_diff_of_an_applied_revision_is_escaped() {
    let (database, project) = (Database::new(), hostile_revision());
    pgmarch(&database, &project).run().exits(0);
    let name = "001_a\u{1b}[31m\nnext: forged.sql";
    project.write(name, &project.read(name).replace("id int", "id bigint"));
    let line = "+CREATE TABLE a (/*\\u{1b}\\u{202e}*/ id bigint); -- \\u{1b}[31m\n";
    plain(pgmarch(&database, &project).run().exits(3)).stderr_contains(line).stderr_contains(&format!("{PATH}\n@@ "));
    plain(pgmarch(&database, &project).args(["check"]).run().exits(3)).stdout_contains(line);
    let run = pgmarch(&database, &project).args(["show", "001"]).run().exits(0);
    assert!(run.stdout.contains(line), "{run}");
    plain(pgmarch(&database, &project).args(["repair", "001"]).run().exits(0)).stdout_contains(line);
}

#[test]
fn a_script_has_its_titles_on_one_line_each_and_does_what_a_run_does() {
    let (database, project) = (Database::new(), hostile_revision());
    let run =
        pgmarch(&database, &project).args(["upgrade", "--sql"]).run().exits(0).stdout_contains(&format!("\n-- upgrade 001: {MESSAGE}\n"));
    // The text of the revision is there to be run.
    assert!(run.stdout.contains("CREATE TABLE a (/*\u{1b}\u{202e}*/ id int)"), "{run}");
    let terminal = pgmarch(&database, &project).args(["upgrade", "--sql"]).on_terminal().run().exits(0);
    // The terminal's own line ends.
    assert!(!has_controls(&terminal.stdout.replace("\r\n", "\n")), "{terminal}");
    database.psql(&run.stdout);
    assert_eq!(database.one("SELECT message FROM pgmarch.revision"), "red \u{1b}[31m\u{202e}\u{7f}");
}

#[test]
fn a_hostile_role_in_the_way_is_named_in_one_line() {
    let database = Database::new();
    database.execute("CREATE TABLE a (id int); GRANT ALL ON a TO PUBLIC");
    // What PostgreSQL lets a name be: 63 bytes.
    let role = format!("{}\n{}\u{1b}", database.name().chars().take(30).collect::<String>(), FORGED[0]);
    let shown = role.replace('\n', "\\n").replace('\u{1b}', "\\u{1b}");
    database.execute(&format!("CREATE ROLE \"{role}\" LOGIN PASSWORD '{}'", crate::support::address::PASSWORD));
    let login = role.replace('\n', "%0A").replace('\u{1b}', "%1B").replace(':', "%3A");
    let address: &Address = database.as_ref();
    let holder = crate::support::Session::open(&address.for_role(&login).url(database.name()));
    holder.execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({KEY})"));
    let project = Project::new().revision("001", "ALTER TABLE a ADD x int", "SELECT 1");
    let run = plain(pgmarch(&database, &project).env("PGMARCH_RUN_LOCK_TIMEOUT", "1s").run().exits(5));
    run.stderr_contains(&format!("waiting for another run to end: pid {} (role {shown}, application test", holder.pid()))
        .stderr_contains(&format!("error: another run holds the lock: pid {} (role {}", holder.pid(), shown.replace("\\n", "\n  ")));
    holder.execute("ROLLBACK");
    holder.execute("BEGIN; SELECT * FROM a /* \u{1b}[31m */");
    let run = pgmarch(&database, &project).env("PGMARCH_LOCK_TIMEOUT", "500ms").spawn();
    run.wait_for_log(&format!("waits for pid {} (role {shown}, application test", holder.pid()));
    holder.execute("COMMIT");
    plain(run.wait().exits(0));
    drop(holder);
    database.execute(&format!("REVOKE ALL ON a FROM PUBLIC; DROP ROLE \"{role}\""));
}

#[test]
fn hostile_names_of_objects_stay_within_comments_and_lists() {
    let database = Database::new();
    let name = "a\u{1b}\nnext: forged";
    let column =
        |old: &str| format!("CREATE TABLE \"{name}\" (id int, \"{old}\nnext: forged\" int);\nCREATE COLLATION \"{name}\" (LOCALE = 'C');");
    database.execute(&column("x"));
    let project = Project::new().file("schema.sql", &column("y"));
    let run = pgmarch(&database, &project.revision("001", "SELECT 1", "SELECT 1")).args(["diff"]).run().exits(1);
    let comments: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("-- if") || line.starts_with("-- not compared")).collect();
    assert!(comments.len() >= 2 && comments.iter().all(|line| line.contains("\\nnext: forged")), "{comments:?}\n{run}");
    assert!(is_plain(&run.stderr), "{run}");
}

#[test]
fn what_the_version_table_and_the_ledger_hold_is_escaped() {
    let (database, project) = (Database::new(), Project::new().revision("001", "SELECT 1", "SELECT 1"));
    pgmarch(&database, &project).run().exits(0);
    database.execute(&format!("UPDATE pgmarch.journal SET client_host = {0}, detail = {0}", literal()));
    plain(pgmarch(&database, &project).args(["show", "001"]).run().exits(0)).stdout_contains(&format!(" on {ESCAPED}, pgmarch "));
    database.execute("UPDATE alembic_version SET version_num = E'9\\nnext: forged\\x1b'");
    plain(pgmarch(&database, &project).args(["status"]).run().exits(3))
        .stderr_contains("error: the database is at 9\n  next: forged\\u{1b}, ");
    plain(pgmarch(&database, &project).args(["stamp", "--purge", "001"]).run().exits(0))
        .stdout_is("at 001, stamped (was 9\\nnext: forged\\u{1b}); nothing was run\n");
}

#[test]
fn a_model_that_fails_is_reported_with_escapes_too() {
    let raise = format!("RAISE EXCEPTION USING MESSAGE = {0}, DETAIL = {0}, HINT = {0};", literal());
    let project = Project::new()
        .revision("001", "SELECT 1", "SELECT 1")
        .file("schema/x\u{1b}\nnext: forged.sql", &format!("DO /*\u{1b}*/ $$BEGIN {raise} END$$"));
    let run = plain(pgmarch(&Database::new(), &project).args(["check"]).run().exits(3));
    run.stderr_contains(&format!("error: the model does not run in a scratch database: {INDENTED} (SQLSTATE P0001)\n"))
        .stderr_contains(&format!("\ndetail: {INDENTED}\nhint: {INDENTED}\ncontext: "))
        .stderr_contains("/schema/x\\u{1b}\\nnext: forged.sql:1:1\n")
        .stderr_contains("1 | DO /*\\u{1b}*/ $$BEGIN");
}
