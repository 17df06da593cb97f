//! One revision, or one statement of it, as one simple-query message: settings, fence, text, ledger. What a failure's
//! place in it means.

use std::ops::Range;
use std::time::Duration;

use tokio_postgres::error::{DbError, ErrorPosition};

use crate::config::Config;
use crate::connect::{Answer, Failure, application_name};
use crate::ledger::{Ledger, Phrases, Server, decimal, set_role};
use crate::plan::{Direction, Step};
use crate::revision::Id;
use crate::revision::kind::resets;
use crate::revision::seal::Seal;
use crate::revision::statement::split;
use crate::sql;
use crate::sql::{Literal, Message, Quoted, Sql, safe};

/// A message, and what each part of it is.
#[derive(Debug, Default)]
pub(super) struct Script {
    text: String,
    /// Its length in characters: the server counts those.
    length: usize,
    pieces: Vec<Piece>,
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
    /// Our bookkeeping.
    After,
    /// At COMMIT: a deferred constraint or trigger.
    Commit,
}

/// How what a step did becomes part of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commit {
    /// By the COMMIT of a longer transaction.
    Later,
    /// By a COMMIT that returns before it is safe on the server's disk: a later one of the same run makes it so.
    Asynchronous,
    /// By a COMMIT that makes it safe, and all that was committed before it.
    Durable,
}

/// How a step is run, beside what is to be run.
#[derive(Debug)]
pub(super) struct How<'h> {
    /// Up or down.
    pub(super) direction: Direction,
    /// When it is safe.
    pub(super) commit: Commit,
    /// Who runs it on the server, and what that session was like before us.
    pub(super) server: &'h Server,
    /// What the journal says of the whole run, in its last line.
    pub(super) seal: Option<&'h Seal>,
    /// What the session has prepared.
    pub(super) phrases: &'h Phrases,
}

/// Even where the server's own default is to lose the last commits in a crash.
const DURABLE: &str = "SELECT set_config('synchronous_commit', 'local', true) WHERE current_setting('synchronous_commit') = 'off'";

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

impl Script {
    /// A step without BEGIN and COMMIT.
    pub(super) fn of(step: &Step<'_>, how: &How<'_>, ledger: &Ledger, config: &Config, marks: &Marks<'_>) -> Self {
        let mut script = Self::default();
        script.step(step, how, ledger, config, marks);
        script
    }

    /// The same as a transaction of its own.
    pub(super) fn alone(step: &Step<'_>, how: &How<'_>, ledger: &Ledger, config: &Config, marks: &Marks<'_>) -> Self {
        let mut script = Self::begin();
        script.step(step, how, ledger, config, marks);
        script.push(What::Commit, "COMMIT", 1);
        script
    }

    fn step(&mut self, step: &Step<'_>, how: &How<'_>, ledger: &Ledger, config: &Config, marks: &Marks<'_>) {
        let settings = settings(config, marks, Extent::Transaction);
        self.before(safe());
        self.before([settings.clone()]);
        self.before(set_role(config));
        self.before(ledger.install());
        self.before(ledger.quick_fence(&step.before, &step.after, how.direction, how.phrases));
        self.before(as_the_session_began(config, how.server));
        self.section(step.sql(), &settings);
        self.after(["RESET SESSION AUTHORIZATION", "RESET ROLE", "RESET ALL"].map(Sql::of));
        self.after(set_role(config));
        self.after(safe());
        self.after(match how.commit {
            Commit::Later => None,
            Commit::Asynchronous => Some(Sql::of("SET LOCAL synchronous_commit TO off")),
            Commit::Durable => Some(Sql::of(DURABLE)),
        });
        self.after(ledger.record(step, how.direction, &how.server.backend, how.seal, how.phrases));
    }

    /// The opening of a transaction.
    pub(super) fn begin() -> Self {
        let mut script = Self::default();
        script.push(What::Before, BEGIN, 1);
        script
    }

    /// The end of a transaction of several steps.
    pub(super) fn commit() -> Self {
        let mut script = Self::default();
        script.after(safe());
        script.after([Sql::of(DURABLE)]);
        script.push(What::Commit, "COMMIT", 1);
        script
    }

    /// One statement in a transaction with `bookkeeping`, which runs as who we are whatever the revision has become.
    pub(super) fn shared(before: Vec<Sql>, own: Own<'_>, config: &Config, bookkeeping: Vec<Sql>) -> Self {
        let mut script = Self::begin();
        script.before(before);
        script.push(own.what(), own.sql, 1);
        script.after(ourselves(config));
        script.after(bookkeeping);
        script.push(What::Commit, "COMMIT", 1);
        script
    }

    /// Bookkeeping in a transaction of its own.
    pub(super) fn bookkeeping(config: &Config, statements: Vec<Sql>) -> Self {
        let mut script = Self::begin();
        script.before(ourselves(config));
        script.before(statements);
        script.push(What::Commit, "COMMIT", 1);
        script
    }

    /// One statement by itself.
    pub(super) fn bare(own: Own<'_>) -> Self {
        let length = own.sql.chars().count();
        Self { text: own.sql.to_owned(), length, pieces: vec![Piece { what: own.what(), characters: 0..length, statements: 1 }] }
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
        Message::as_it_is(Sql::from_file(std::mem::take(&mut self.text)))
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
                Some((What::After, _)) => Part::After,
                Some((What::Commit, _)) => Part::Commit,
                Some((What::Before, _)) | None => Part::Before,
            };
        }
        let mut left = completed;
        for piece in &self.pieces {
            if left < piece.statements {
                return match piece.what {
                    What::Before => Part::Before,
                    What::Own { statement, .. } => Part::Statement(statement + left),
                    What::After => Part::After,
                    What::Commit => Part::Commit,
                };
            }
            left -= piece.statements;
        }
        Part::After
    }

    /// Whether it was our bookkeeping that the server refused; of a connection that is lost nobody knows.
    pub(super) fn is_ours(&self, failure: &Failure) -> bool {
        !failure.is_lost() && matches!(self.part_of(failure), Part::Before | Part::After)
    }

    /// What of it a failure is about.
    pub(super) fn part_of(&self, failure: &Failure) -> Part {
        self.part(failure.completed, failure.source.as_db_error().and_then(position))
    }

    /// How long the step took, as the journal has it: the last answer before COMMIT.
    pub(super) fn duration(&self, answers: &[Answer]) -> Duration {
        let commits = usize::from(self.pieces.last().is_some_and(|piece| piece.what == What::Commit));
        let place = answers.len().checked_sub(1 + commits);
        let seconds =
            place.and_then(|place| answers[place].first()).and_then(|row| row.first()).and_then(|value| decimal(value.as_deref()?));
        Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default()
    }
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

/// Bookkeeping amid a revision's session: as who we are, until the transaction ends, whatever the session has become.
fn ourselves(config: &Config) -> Vec<Sql> {
    let role = set_role(config).unwrap_or_else(|| Sql::of("SET LOCAL ROLE NONE"));
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
        sql!("SET LOCAL row_security TO {value}", value = Quoted(&server.row_security))
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
        sql!("pg_catalog.pg_try_advisory_xact_lock_shared('{token}'::pg_catalog.int8)", token = self.token)
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
        return sql!("SET LOCAL application_name TO {name}", name = Quoted(&name));
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
