//! One revision as one simple-query message: settings, fence, text, ledger. What a failure's place in it means.

use std::time::Duration;

use crate::config::Config;
use crate::connect::Answer;
use crate::ledger::{Ledger, session_settings};
use crate::plan::{Direction, Step};
use crate::revision::statement::split;

/// A message, and where in it the revision's text stands.
#[derive(Debug)]
pub(super) struct Script {
    /// What is sent.
    pub(super) text: String,
    /// Statements before the revision's text.
    before: usize,
    /// Statements of the revision's text.
    own: usize,
    /// Statements after it.
    after: usize,
    /// The characters of the revision's text in the message: first and end.
    characters: (usize, usize),
    /// Whether COMMIT is the last statement.
    commits: bool,
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

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

impl Script {
    /// A step without BEGIN and COMMIT.
    pub(super) fn of(step: &Step<'_>, direction: Direction, ledger: &Ledger, config: &Config, server: u32) -> Self {
        // In a transaction of several steps the one before has left the path of its bookkeeping.
        let mut before = vec!["RESET search_path".to_owned()];
        before.extend(settings(config, server));
        before.extend(session_settings(config));
        before.extend(ledger.install());
        before.push(ledger.fence(&step.before, &step.after));
        let mut after = vec!["RESET SESSION AUTHORIZATION".to_owned(), "RESET ROLE".to_owned(), "RESET ALL".to_owned()];
        after.extend(config.role.as_ref().map(|role| format!("SET LOCAL ROLE {role}")));
        after.push("SET LOCAL search_path TO pg_catalog, pg_temp".to_owned());
        after.extend(ledger.record(step, direction));
        let sql = step.sql();
        let head = format!("{};\n", before.join(";\n"));
        let start = head.chars().count();
        // The text may end in a comment, so the newline; and without a semicolon, so the semicolon.
        let text = format!("{head}{sql}\n;\n{}", after.join(";\n"));
        let characters = (start, start + sql.chars().count());
        Self { text, before: before.len(), own: split(sql).statements.len(), after: after.len(), characters, commits: false }
    }

    /// The same as a transaction of its own.
    pub(super) fn alone(self) -> Self {
        let opening = format!("{BEGIN};\n");
        let shift = opening.len();
        Self {
            text: format!("{opening}{};\nCOMMIT", self.text),
            before: self.before + 1,
            characters: (self.characters.0 + shift, self.characters.1 + shift),
            commits: true,
            ..self
        }
    }

    /// The opening of a transaction for several steps.
    pub(super) fn begin() -> Self {
        Self { text: BEGIN.to_owned(), before: 1, own: 0, after: 0, characters: (0, 0), commits: false }
    }

    /// The end of a transaction of several steps.
    pub(super) fn commit() -> Self {
        Self { text: "COMMIT".to_owned(), before: 0, own: 0, after: 0, characters: (0, 0), commits: true }
    }

    /// What failed, from the server's position in the message if it gave one, else from how many statements had completed.
    pub(super) fn part(&self, completed: usize, position: Option<usize>) -> Part {
        if let Some(position) = position {
            let (start, end) = self.characters;
            return match position {
                _ if position < start => Part::Before,
                _ if position <= end => Part::Character(position - start),
                _ => Part::After,
            };
        }
        match completed.checked_sub(self.before) {
            None => Part::Before,
            Some(number) if number < self.own => Part::Statement(number),
            Some(number) if self.commits && number >= self.own + self.after => Part::Commit,
            Some(_) => Part::After,
        }
    }

    /// How long the step took, as the journal has it: the last answer before COMMIT.
    pub(super) fn duration(&self, answers: &[Answer]) -> Duration {
        let place = answers.len().checked_sub(if self.commits { 2 } else { 1 });
        let seconds =
            place.and_then(|place| answers[place].first()).and_then(|row| row.first()).and_then(|value| value.as_deref()?.parse().ok());
        Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default()
    }
}

/// Timeouts for a revision's statements, until its transaction ends; the revision's own SET LOCAL comes later and wins.
fn settings(config: &Config, server: u32) -> Vec<String> {
    let mut settings = vec![
        format!("SET LOCAL lock_timeout = {}", config.lock_timeout.as_millis()),
        format!("SET LOCAL statement_timeout = {}", config.statement_timeout.as_millis()),
        "SET LOCAL idle_in_transaction_session_timeout = 0".to_owned(),
    ];
    if server >= 140_000 {
        // A client that dies takes its statement with it (manual, 20.3.1).
        settings.push("SET LOCAL client_connection_check_interval = 500".to_owned());
    }
    if server >= 170_000 {
        settings.push("SET LOCAL transaction_timeout = 0".to_owned());
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_placed_by_position_or_by_count() {
        let script = Script { text: String::new(), before: 3, own: 2, after: 4, characters: (10, 20), commits: true };
        assert_eq!(script.part(0, Some(9)), Part::Before);
        assert_eq!(script.part(0, Some(10)), Part::Character(0));
        assert_eq!(script.part(0, Some(21)), Part::After);
        assert_eq!(script.part(2, None), Part::Before);
        assert_eq!(script.part(4, None), Part::Statement(1));
        assert_eq!(script.part(5, None), Part::After);
        assert_eq!(script.part(9, None), Part::Commit);
    }
}
