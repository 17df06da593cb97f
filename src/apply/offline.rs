//! A plan as a script for `psql -v ON_ERROR_STOP=1 -f`, with the same effect as a live run: the same fences, the same version
//! table, the same ledger. What a live run reads from the server, the script checks when it runs.

#![allow(clippy::wildcard_enum_match_arm, reason = "the lexer's token kinds are some forty, of which a few matter here")]

use std::fmt::Write;

use squawk_lexer::{TokenKind, tokenize};

use crate::config::{Config, Transaction};
use crate::escape;
use crate::ledger::{Ledger, Stage, StatementNote, set_role};
use crate::plan::{Plan, Step};
use crate::revision::checksum::semantic_checksum;
use crate::revision::statement::kind::StatementKind;
use crate::revision::{Direction, SectionMode, join_ids};
use crate::session::application_name;
use crate::sql;
use crate::sql::{BEGIN, Sql, safe_settings};

use super::error::ApplyError;
use super::stepwise::StepStatements;

/// The psql variable that holds the check of pgmarch's tables, which would otherwise be most of a long script.
const CHECK: &str = "pgmarch_check";

/// The script, for a version table placed as `ledger` specifies.
pub fn script(plan: &Plan<'_>, ledger: &Ledger, config: &Config) -> Result<String, ApplyError> {
    let stepwise = plan.steps.iter().find(|step| step.mode() == SectionMode::Stepwise);
    if let (Transaction::Run, Some(step)) = (config.transaction, stepwise) {
        return Err(ApplyError::StepwiseInRun(step.revision.id.clone()));
    }
    let mut writer = ScriptWriter { ledger, config, direction: plan.direction, installed: false, text: String::new() };
    writer.header(plan);
    if config.transaction == Transaction::Run && !plan.is_empty() {
        writer.push(Sql::of(BEGIN));
        for step in &plan.steps {
            writer.title(step);
            writer.step(step);
        }
        writer.push(Sql::of("COMMIT"));
    } else {
        for step in &plan.steps {
            writer.title(step);
            match step.mode() {
                SectionMode::Transaction => {
                    writer.push(Sql::of(BEGIN));
                    writer.step(step);
                    writer.push(Sql::of("COMMIT"));
                }
                SectionMode::Stepwise => writer.stepwise(step),
            }
        }
    }
    Ok(writer.text)
}

struct ScriptWriter<'o> {
    ledger: &'o Ledger,
    config: &'o Config,
    direction: Direction,
    installed: bool,
    text: String,
}

impl ScriptWriter<'_> {
    fn push(&mut self, statement: Sql) {
        let _ = writeln!(self.text, "{};", statement.text().trim_end());
    }

    fn push_all(&mut self, statements: impl IntoIterator<Item = Sql>) {
        statements.into_iter().for_each(|statement| self.push(statement));
    }

    /// The head: what the script is, how to run it, and a check that it runs on the database it was written for.
    fn header(&mut self, plan: &Plan<'_>) {
        let end = |step: Option<&Step<'_>>, pick: fn(&Step<'_>) -> String| step.map(pick).unwrap_or_else(|| "here".to_owned());
        let from = end(plan.steps.first(), |step| join_ids(&step.before));
        let to = end(plan.steps.last(), |step| join_ids(&step.after));
        let _ = write!(
            self.text,
            "-- pgmarch {}: {} from {from} to {to}, {}.\n\
             -- Run it with: psql -v ON_ERROR_STOP=1 -f FILE\n\
             -- Each fence stops it, with nothing done, where the version table is not what this script was written for.\n\
             \\set ON_ERROR_STOP on\n\\set AUTOCOMMIT on\n\\encoding UTF8\n",
            env!("CARGO_PKG_VERSION"),
            plan.direction.verb(),
            crate::words::count(plan.steps.len(), "revision"),
        );
    }

    /// The first step creates missing tables, as a live run does. Each step locks what it writes, and checks that no other
    /// session has changed it.
    fn install(&mut self) {
        if std::mem::replace(&mut self.installed, true) {
            self.push_all(self.ledger.locks_of_a_step());
            let _ = writeln!(self.text, ":{CHECK};");
            return;
        }
        self.push_all(self.ledger.check_place(self.config));
        self.push(self.ledger.install_if_missing());
        let check = self.ledger.check_trust().to_string().replace('\\', "\\\\").replace('\'', "''");
        let _ = writeln!(self.text, "\\set {CHECK} '{check}'");
    }

    fn title(&mut self, step: &Step<'_>) {
        let revision = step.revision;
        let message = escape::line(one_line(&revision.message));
        let _ = writeln!(self.text, "\n-- {} {}: {message}", self.direction.verb(), revision.id);
    }

    /// Settings for pgmarch's own statements until the transaction ends or a revision's text begins: role and timeouts from the
    /// settings, and a search path that no other role can write to.
    fn bookkeeping_settings(&mut self) {
        self.push_all(set_role(self.config));
        if !self.installed && self.config.version_table.schema.is_none() {
            self.push_all(self.config.search_path.as_ref().map(|path| sql!("SET LOCAL search_path TO {path}", path = *path)));
            self.push(self.ledger.remember_place());
        }
        self.push_all(safe_settings());
        self.push(sql!("SET LOCAL lock_timeout = {timeout}", timeout = self.config.lock_timeout));
        self.push(sql!("SET LOCAL statement_timeout = {timeout}", timeout = self.config.statement_timeout));
        self.push(Sql::of("SET LOCAL idle_in_transaction_session_timeout = 0"));
        // PostgreSQL 17 added it; the version of the server that will run the script is unknown.
        self.push(Sql::of("DO $$BEGIN PERFORM set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'; END$$"));
    }

    /// The settings that the text of a revision runs under.
    fn session_settings_for_text(&mut self) {
        self.push(Sql::of("SET LOCAL jit TO DEFAULT"));
        self.push(Sql::of("SET LOCAL row_security TO DEFAULT"));
        let path = self.config.search_path.as_ref().map(|path| sql!("SET LOCAL search_path TO {path}", path = *path));
        self.push(path.unwrap_or_else(|| Sql::of("SET LOCAL search_path TO DEFAULT")));
    }

    /// A step within a transaction: fence, text, ledger.
    fn step(&mut self, step: &Step<'_>) {
        // In a transaction of several steps, the search path is still that of the previous step's bookkeeping.
        self.push(Sql::of("RESET search_path"));
        self.bookkeeping_settings();
        self.install();
        self.push(self.ledger.fence_script(&step.before, &step.after));
        self.session_settings_for_text();
        let _ = writeln!(self.text, "{}\n;", escape_for_psql(step.sql()));
        self.push_all(["RESET SESSION AUTHORIZATION", "RESET ROLE", "RESET ALL"].map(Sql::of));
        self.push_all(set_role(self.config));
        self.push_all(safe_settings());
        self.push_all(self.ledger.record_step_offline(step, self.direction));
    }

    /// A step outside of transactions: the fence is checked before, and moves the version rows after all statements are done.
    fn stepwise(&mut self, step: &Step<'_>) {
        self.push(Sql::of(BEGIN));
        self.bookkeeping_settings();
        self.install();
        self.push(self.ledger.fence_script(&step.before, &step.before));
        self.push(Sql::of("COMMIT"));
        let role = self.config.role.as_ref().map(|role| sql!("SET ROLE {role}", role = *role));
        let path = self.config.search_path.as_ref().map(|path| sql!("SET search_path TO {path}", path = *path));
        self.push_all(role.into_iter().chain(path));
        // No lock timeout: it would leave an INVALID index behind. Each statement is recorded as in a live run, so that a later
        // run can continue where a script was stopped.
        let mut statements = StepStatements::of(step.sql());
        for number in 0..statements.len() {
            let own = statements.text(number);
            let note = StatementNote {
                before: statements.checksum_before(number),
                own: semantic_checksum(own),
                application: application_name(Some(step.revision.id.as_str())),
                indexes: Vec::new(),
            };
            if matches!(statements.kind(number), StatementKind::NonTransactional(_)) {
                self.note(step, Stage::Started, number + 1, &note);
            }
            let _ = writeln!(self.text, "{}\n;", escape_for_psql(own));
            self.note(step, Stage::Finished, number + 1, &note);
        }
        self.push_all(["RESET SESSION AUTHORIZATION", "RESET ROLE", "RESET ALL"].map(Sql::of));
        self.push(Sql::of(BEGIN));
        self.bookkeeping_settings();
        self.install();
        self.push(self.ledger.fence_script(&step.before, &step.after));
        self.push_all(self.ledger.record_statements_done(step, self.direction, None));
        self.push(Sql::of("COMMIT"));
    }

    /// A transaction with a journal row about one statement.
    fn note(&mut self, step: &Step<'_>, stage: Stage, statement: usize, note: &StatementNote) {
        self.push(Sql::of(BEGIN));
        self.push_all(safe_settings());
        self.install();
        self.push(self.ledger.record_statement(&step.revision.id, self.direction, stage, statement, note, None));
        self.push(Sql::of("COMMIT"));
    }
}

/// psql substitutes its variables where it reads `:name`, `:'name'`, `:"name"` or `:{?name}`: a backslash before the colon
/// prevents that. Within quotes of any kind psql substitutes nothing.
fn escape_for_psql(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut offset = 0;
    for token in tokenize(sql) {
        let segment = &sql[offset..offset + token.len as usize];
        offset += token.len as usize;
        let starts_a_name =
            sql[offset..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '\'' | '"' | '{') || !c.is_ascii());
        let quoted = matches!(
            token.kind,
            TokenKind::Literal { .. } | TokenKind::QuotedIdent { .. } | TokenKind::LineComment | TokenKind::BlockComment { .. }
        );
        if !quoted && segment == ":" && starts_a_name && !text.ends_with(':') {
            text.push('\\');
        }
        text += segment;
    }
    text
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psql_finds_no_variable_of_its_own() {
        assert_eq!(
            escape_for_psql("SELECT a[1:HOST], b::text, ':x', $$:x$$, \":x\" -- :x"),
            "SELECT a[1\\:HOST], b::text, ':x', $$:x$$, \":x\" -- :x"
        );
        assert_eq!(escape_for_psql("SELECT a[ : 2]"), "SELECT a[ : 2]");
        assert_eq!(escape_for_psql("x := 1"), "x := 1");
    }
}
