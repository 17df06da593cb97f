//! One revision, or one statement of it, as one simple-query message: settings, fence, text, ledger. What a failure's
//! place in it means.

use std::ops::Range;
use std::time::Duration;

use tokio_postgres::error::{DbError, ErrorPosition};

use crate::config::Config;
use crate::connect::{Answer, Failure, application_name};
use crate::ledger::{Ledger, Server, StatementCache, decimal, set_role};
use crate::plan::{Step, VersionRows};
use crate::revision::applied_digest::AppliedDigest;
use crate::revision::statement::kind::resets;
use crate::revision::statement::split;
use crate::revision::{Direction, Id};
use crate::sql;
use crate::sql::{BEGIN, EscapeString, Flush, Literal, Message, Sql, commit, discard, safe};

/// A message, and what each part of it is.
#[derive(Debug, Default)]
pub(super) struct Script {
    text: String,
    /// Its length in characters: the server counts those.
    length: usize,
    pieces: Vec<Piece>,
    /// How many statements follow the one whose answer is kept.
    behind: usize,
}

/// A part of a message.
#[derive(Debug)]
struct Piece {
    what: What,
    /// Where it stands, in characters.
    characters: Range<usize>,
    /// How many statements it has.
    statements: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    /// Ours, ahead of the text.
    Before,
    /// The revision's: where its piece begins in the section, in characters and in statements.
    Own { character: usize, statement: usize },
    /// `SET CONSTRAINTS ALL IMMEDIATE`: what the revision has put off runs here, as a part of it.
    Deferred,
    /// The check that version rows and ledger are as they should be behind the text.
    Check,
    /// Ours, amid or behind the text.
    After,
    /// COMMIT.
    Commit,
}

/// Where in a script something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Our settings and fence.
    Before,
    /// At this character of the revision's text, from 0.
    Character(usize),
    /// In this statement of the revision's text, from 0; the server gave no place.
    Statement(usize),
    /// The check of the version rows and the ledger.
    Check,
    /// Our bookkeeping.
    After,
    /// Behind the text, in a deferred constraint or trigger; or at COMMIT.
    Commit,
}

/// How a step is run, beside what is to be run.
#[derive(Debug)]
pub(super) struct How<'h> {
    /// Up or down.
    pub(super) direction: Direction,
    /// Its own COMMIT; `None` in the middle of a longer transaction.
    pub(super) commit: Option<Flush>,
    /// Who runs it on the server, and what that session was like before us.
    pub(super) server: &'h Server,
    /// What the journal says of the whole run, in its last line.
    pub(super) seal: Option<&'h AppliedDigest>,
    /// What the session has prepared.
    pub(super) statement_cache: &'h StatementCache,
}

/// Deferred constraints and triggers run now, under the settings of the revision that has deferred them, and not at COMMIT,
/// where they could act behind the check.
const DEFERRED: &str = "SET CONSTRAINTS ALL IMMEDIATE";

impl Script {
    /// A step: as a transaction of its own, or a part of a longer one.
    pub(super) fn of(step: &Step<'_>, how: &How<'_>, ledger: &Ledger, config: &Config, marks: &Marks<'_>) -> Self {
        let mut script = if how.commit.is_some() { Self::begin() } else { Self::default() };
        let settings = settings(config, marks, Extent::Transaction);
        script.before(safe());
        script.before([settings.clone()]);
        script.before(set_role(config));
        script.before(ledger.install());
        script.before(ledger.fence_transaction(&step.before, &step.after, how.direction, how.statement_cache));
        script.before(ledger.remember_tables(how.statement_cache));
        script.before(as_the_session_began(config, how.server));
        script.section(step.sql(), &settings);
        let deferred =
            if how.commit.is_some() { Sql::of(DEFERRED) } else { sql!("DO {block}", block = Literal(include_str!("deferred.sql"))) };
        script.push(What::Deferred, deferred.as_str(), 1);
        script.check(&step.after, ledger, config, how.statement_cache);
        script.after(ledger.record_step(step, how.direction, &how.server.backend, how.seal, how.statement_cache));
        // Behind the record, whose own sequence is one of what is discarded.
        let left = discard(how.server.backend.discard());
        script.behind = left.len();
        script.after(left);
        if let Some(flush) = how.commit {
            script.end(flush);
        }
        script
    }

    /// The opening of a transaction.
    pub(super) fn begin() -> Self {
        let mut script = Self::default();
        script.push(What::Before, BEGIN, 1);
        script
    }

    /// The end of a transaction of several steps, which leave the version rows at `rows`.
    pub(super) fn last(rows: &VersionRows, server: &Server, ledger: &Ledger, config: &Config) -> Self {
        let mut script = Self::default();
        let statement_cache = StatementCache::default();
        script.before(ledger.remember_tables(&statement_cache));
        script.before(as_the_session_began(config, server));
        script.push(What::Deferred, DEFERRED, 1);
        script.check(rows, ledger, config, &statement_cache);
        script.end(Flush::Now);
        script
    }

    /// One statement in a transaction with `check` and `bookkeeping`, which run as who we are whatever the revision has become.
    pub(super) fn shared(before: Vec<Sql>, own: Own<'_>, config: &Config, check: Vec<Sql>, bookkeeping: Vec<Sql>) -> Self {
        let mut script = Self::begin();
        script.before(before);
        script.push(own.what(), own.sql, 1);
        script.push(What::Deferred, DEFERRED, 1);
        script.after(ourselves(config));
        check.iter().for_each(|statement| script.push(What::Check, statement.as_str(), 1));
        script.after(bookkeeping);
        script.end(Flush::Now);
        script
    }

    /// Bookkeeping in a transaction of its own.
    pub(super) fn bookkeeping(config: &Config, statements: Vec<Sql>) -> Self {
        let mut script = Self::begin();
        script.before(ourselves(config));
        script.before(statements);
        script.end(Flush::Now);
        script
    }

    /// One statement by itself.
    pub(super) fn bare(own: Own<'_>) -> Self {
        let length = own.sql.chars().count();
        let piece = Piece { what: own.what(), characters: 0..length, statements: 1 };
        Self { text: own.sql.to_owned(), length, pieces: vec![piece], behind: 0 }
    }

    /// We are who we were ahead of the text; the version rows are at `rows`, and the ledger is what it was; and then all settings
    /// are what they were. The last comes behind the check, which needs what was noted in one.
    fn check(&mut self, rows: &VersionRows, ledger: &Ledger, config: &Config, statement_cache: &StatementCache) {
        self.after(["RESET SESSION AUTHORIZATION", "RESET ROLE"].map(Sql::of));
        self.after(set_role(config));
        self.after(safe());
        ledger.verify_unchanged(rows, statement_cache).iter().for_each(|statement| self.push(What::Check, statement.as_str(), 1));
        self.after([Sql::of("RESET ALL")]);
        self.after(safe());
    }

    fn end(&mut self, flush: Flush) {
        let [setting, end] = commit(flush);
        self.after([setting]);
        self.push(What::Commit, end.as_str(), 1);
        self.behind += 2;
    }

    /// The revision's text. Behind a statement that puts settings back to what the session began with, ours are set again.
    fn section(&mut self, sql: &str, settings: &Sql) {
        let statements = split(sql).statements;
        let (mut start, mut first) = (0, 0);
        for (number, pair) in statements.windows(2).enumerate() {
            if resets(&sql[pair[0].range.clone()]) {
                self.own(sql, start..pair[0].range.end, first..number + 1);
                self.push(What::After, settings.as_str(), 1);
                (start, first) = (pair[1].range.start, number + 1);
            }
        }
        self.own(sql, start..sql.len(), first..statements.len());
    }

    fn own(&mut self, sql: &str, bytes: Range<usize>, statements: Range<usize>) {
        let what = What::Own { character: sql[..bytes.start].chars().count(), statement: statements.start };
        self.push(what, &sql[bytes], statements.len());
    }

    fn before(&mut self, statements: impl IntoIterator<Item = Sql>) {
        statements.into_iter().for_each(|statement| self.push(What::Before, statement.as_str(), 1));
    }

    fn after(&mut self, statements: impl IntoIterator<Item = Sql>) {
        statements.into_iter().for_each(|statement| self.push(What::After, statement.as_str(), 1));
    }

    /// The message. What was sent is not needed to understand the answer, and may be large: the text goes with it.
    pub(super) fn message(&mut self) -> Message {
        Message::discarding(Sql::from_file(std::mem::take(&mut self.text)), self.behind)
    }

    fn push(&mut self, what: What, sql: &str, statements: usize) {
        let start = self.length;
        self.length += sql.chars().count();
        self.pieces.push(Piece { what, characters: start..self.length, statements });
        self.text += sql;
        if what != What::Commit {
            // The text may end in a comment, so the newline; and without a semicolon, so the semicolon.
            self.text += "\n;\n";
            self.length += 3;
        }
    }

    /// What failed, from the server's position in the message if it gave one, else from how many statements had completed.
    fn part(&self, completed: usize, position: Option<usize>) -> Part {
        if let Some(position) = position {
            // At the very end of the input the server points behind it.
            let piece = self.pieces.iter().rev().find(|piece| piece.characters.start <= position);
            return match piece.map(|piece| (piece.what, position - piece.characters.start)) {
                Some((What::Own { character, .. }, within)) => Part::Character(character + within),
                Some((What::Check, _)) => Part::Check,
                Some((What::After, _)) => Part::After,
                Some((What::Deferred | What::Commit, _)) => Part::Commit,
                Some((What::Before, _)) | None => Part::Before,
            };
        }
        let mut left = completed;
        for piece in &self.pieces {
            if left < piece.statements {
                return match piece.what {
                    What::Before => Part::Before,
                    What::Own { statement, .. } => Part::Statement(statement + left),
                    What::Check => Part::Check,
                    What::After => Part::After,
                    What::Deferred | What::Commit => Part::Commit,
                };
            }
            left -= piece.statements;
        }
        Part::After
    }

    /// Whether it was our bookkeeping that the server refused; of a connection that is lost nobody knows.
    pub(super) fn is_ours(&self, failure: &Failure) -> bool {
        !failure.is_lost() && matches!(self.part_of(failure), Part::Before | Part::Check | Part::After)
    }

    /// What of it a failure is about.
    pub(super) fn part_of(&self, failure: &Failure) -> Part {
        // Where a prepared statement of ours fails, the position is one in its own text.
        if self.part(failure.completed, None) == Part::Check {
            return Part::Check;
        }
        self.part(failure.completed, failure.source.as_db_error().and_then(position))
    }
}

/// How long a step took, as the journal has it: the answer that is kept of its message.
pub(super) fn duration(answers: &[Answer]) -> Duration {
    let value = answers.last().and_then(|answer| answer.first()).and_then(|row| row.first());
    let seconds = value.and_then(|value| decimal(value.as_deref()?));
    Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default()
}

/// Where in its message the server saw the error, in characters from 0.
fn position(error: &DbError) -> Option<usize> {
    match error.position() {
        Some(ErrorPosition::Original(position)) => Some(*position as usize).filter(|position| *position > 0).map(|position| position - 1),
        Some(ErrorPosition::Internal { .. }) | None => None,
    }
}

/// One statement of a section.
#[derive(Clone, Copy)]
pub(super) struct Own<'a> {
    /// Its text.
    pub(super) sql: &'a str,
    /// Where it begins in the section, in characters.
    pub(super) character: usize,
    /// Which it is, from 0.
    pub(super) statement: usize,
}

impl Own<'_> {
    fn what(self) -> What {
        What::Own { character: self.character, statement: self.statement }
    }
}

/// Bookkeeping amid a revision's session: as who we are, until the transaction ends, whatever the session has become. Without
/// a role of the settings that is the one that the session began with, which `ALTER ROLE … SET role` or `options` may name.
fn ourselves(config: &Config) -> Vec<Sql> {
    let role = set_role(config).unwrap_or_else(|| Sql::of("SET LOCAL role TO DEFAULT"));
    let timeout = sql!("SET LOCAL lock_timeout = {milliseconds}", milliseconds = config.lock_timeout.as_millis());
    [Sql::of("SET LOCAL SESSION AUTHORIZATION DEFAULT"), role].into_iter().chain(safe()).chain([timeout]).collect()
}

/// Around the text of a revision: the search path of the settings, else the session's own, and the session's own row security.
/// A session of ours begins with both, and comes back to them with each `RESET ALL`; behind a pooler that may be what another
/// client has left, so there it is what we found when we looked.
fn as_the_session_began(config: &Config, server: &Server) -> [Sql; 3] {
    let path = match &config.search_path {
        Some(path) => sql!("SET LOCAL search_path TO {path}", path = *path),
        None if server.backend.is_direct => Sql::of("SET LOCAL search_path TO DEFAULT"),
        None => sql!("SELECT set_config('search_path', {path}, true)", path = Literal(&server.search_path)),
    };
    let row_security = if server.backend.is_direct {
        Sql::of("SET LOCAL row_security TO DEFAULT")
    } else {
        sql!("SET LOCAL row_security TO {value}", value = EscapeString(&server.row_security))
    };
    [Sql::of("SET LOCAL jit TO DEFAULT"), row_security, path]
}

/// How a transaction of ours is known to who looks at the server.
pub(super) struct Marks<'a> {
    /// The server's version.
    pub(super) server: u32,
    /// Whether the session began with [`defaults`].
    pub(super) has_defaults: bool,
    /// A number that only this run has: held as a lock, it tells which backend works for us, also behind a pooler.
    pub(super) token: i64,
    /// The revision.
    pub(super) revision: &'a Id,
}

impl Marks<'_> {
    /// An expression that takes the mark until the transaction ends.
    pub(super) fn sql(&self) -> Sql {
        super::monitor::mark(self.token)
    }
}

/// Until when a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// The end of the transaction.
    Transaction,
    /// The end of the session.
    Session,
}

/// Timeouts for a revision's statements, and what makes the server notice a client that died or fell silent.
fn timeouts(config: &Config, server: u32) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("lock_timeout", config.lock_timeout.as_millis().to_string()),
        ("statement_timeout", config.statement_timeout.as_millis().to_string()),
        ("idle_in_transaction_session_timeout", "0".to_owned()),
    ];
    if server >= 170_000 {
        settings.push(("transaction_timeout", "0".to_owned()));
    }
    settings
}

/// A client that dies, or its network, takes its statement with it (manual, 20.3).
fn network(server: u32) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("tcp_keepalives_idle", "10".to_owned()),
        ("tcp_keepalives_interval", "5".to_owned()),
        ("tcp_keepalives_count", "3".to_owned()),
        ("tcp_user_timeout", "25000".to_owned()),
    ];
    if server >= 140_000 {
        settings.push(("client_connection_check_interval", "500".to_owned()));
    }
    settings
}

/// The same as a session may begin with them, so that they need not be set for each revision: `options` of its connection.
pub fn defaults(config: &Config, server: u32) -> String {
    let all: Vec<String> =
        timeouts(config, server).into_iter().chain(network(server)).map(|(name, value)| format!("-c {name}={value}")).collect();
    all.join(" ")
}

/// Timeouts and name for a revision's statements, as one statement; the revision's own settings come later and win. Of a
/// session that has [`defaults`], only the name is left. It may run under the revision's search path.
pub(super) fn settings(config: &Config, marks: &Marks<'_>, extent: Extent) -> Sql {
    let local = extent == Extent::Transaction;
    let name = application_name(Some(marks.revision.as_str()));
    if local && marks.has_defaults {
        return sql!("SET LOCAL application_name TO {name}", name = EscapeString(&name));
    }
    let set = |(name, value): &(&'static str, String)| {
        sql!("pg_catalog.set_config('{name}', {value}, {local})", name = Sql::of(name), value = Literal(value), local = local)
    };
    let mut parts: Vec<Sql> = timeouts(config, marks.server).iter().chain([&("application_name", name)]).map(set).collect();
    if local {
        parts.push(marks.sql());
    }
    // Where the server can do that.
    let network = Sql::join(network(marks.server).iter().map(set), ", ");
    parts.push(sql!(
        "CASE WHEN pg_catalog.textlike(pg_catalog.version(), '%linux%') THEN pg_catalog.concat({network}) END",
        network = network
    ));
    sql!("SELECT {parts}", parts = Sql::join(parts, ", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(sql: &str) -> Script {
        let mut script = Script::begin();
        script.before(["SELECT 'ä'", "SELECT 2"].map(Sql::of));
        script.section(sql, &Sql::of("SELECT set_config()"));
        script.after([Sql::of("SELECT 3")]);
        script.push(What::Commit, "COMMIT", 1);
        script
    }

    fn position(script: &Script, text: &str) -> Option<usize> {
        script.text.find(text).map(|byte| script.text[..byte].chars().count())
    }

    #[test]
    fn a_failure_is_placed_by_position_or_by_count() {
        let script = script("one; two");
        assert_eq!(script.part(0, position(&script, "'ä'")), Part::Before);
        assert_eq!(script.part(0, position(&script, "one")), Part::Character(0));
        assert_eq!(script.part(0, position(&script, "two")), Part::Character(5));
        assert_eq!(script.part(0, position(&script, "3")), Part::After);
        assert_eq!(script.part(2, None), Part::Before);
        assert_eq!(script.part(3, None), Part::Statement(0));
        assert_eq!(script.part(4, None), Part::Statement(1));
        assert_eq!(script.part(5, None), Part::After);
        assert_eq!(script.part(6, None), Part::Commit);
    }

    #[test]
    fn a_reset_is_followed_by_our_settings_and_places_stay_right() {
        let sql = "SET LOCAL lock_timeout = 1;\nRESET ALL -- ü; not here\n; ALTER x; RESET lock_timeout";
        let script = script(sql);
        assert!(script.text.contains("RESET ALL\n;\nSELECT set_config()\n;\n"), "{}", script.text);
        assert_eq!(script.text.matches("set_config").count(), 1, "nothing follows the last one");
        let alter = sql.chars().take_while(|c| *c != 'A').count();
        assert!(alter < sql.chars().count());
        let Part::Character(found) = script.part(0, position(&script, "ALTER x")) else { panic!("not in the text") };
        assert_eq!(sql.chars().skip(found).take(7).collect::<String>(), "ALTER x");
        // BEGIN, two of ours, two of the text, the settings: then ALTER.
        assert_eq!(script.part(6, None), Part::Statement(2));
        assert_eq!(script.part(5, None), Part::After);
        assert_eq!(script.part(7, None), Part::Statement(3));
    }
}
