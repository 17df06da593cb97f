//! Risky statements in a revision: squawk's rules for the server's version, without those that do not apply to pgmarch, and rules about
//! who may do what. Knows no database.

mod authorization;
mod finding;

use std::str::FromStr;

use squawk_linter::{Linter, Rule, Version};
use squawk_syntax::SourceFile;
use squawk_syntax::ast::AstNode as _;

use crate::revision::line::{line_at, lines};
use crate::revision::{Revision, SectionMode};

pub(crate) use finding::Finding;

/// The rules of squawk that are off, and why.
pub(crate) const OFF: &[(Rule, &str)] = &[
    (Rule::RequireLockTimeout, "the runner sets PGMARCH_LOCK_TIMEOUT and tries again"),
    (Rule::RequireStatementTimeout, "the runner sets PGMARCH_STATEMENT_TIMEOUT"),
    (Rule::RequireTimeoutSettings, "the runner sets both"),
    (Rule::BanUncommittedTransaction, "the runner begins and commits; a text that does is refused when it is read"),
    (Rule::TransactionNesting, "the runner begins and commits; a text that does is refused when it is read"),
    (Rule::PreferRobustStmts, "a revision runs once, all or nothing: IF EXISTS would only hide that a database is not what it should be"),
    (Rule::PreferBigintOverInt, "a matter of the model, not of the way to it"),
    (Rule::PreferBigintOverSmallint, "a matter of the model, not of the way to it"),
    (Rule::PreferIdentity, "a matter of the model, not of the way to it"),
    (Rule::PreferTextField, "a matter of the model, not of the way to it"),
    (Rule::PreferTimestampTz, "a matter of the model, not of the way to it"),
    (Rule::BanCharField, "a matter of the model, not of the way to it"),
];

/// The comment that suppresses rules in a whole file: `-- pgmarch-ignore RULE, RULE`.
const IGNORE: &str = "-- pgmarch-ignore ";

/// The rule for a revision without a `down` section.
pub(crate) const MISSING_DOWN: &str = "missing-down";
/// The rule for a `down` section that does not restore the schema.
pub(crate) const DOWN_DOES_NOT_RESTORE: &str = "down-does-not-restore";
/// The rule for a folder with several heads.
pub(crate) const SEVERAL_HEADS: &str = "several-heads";

/// All findings in one revision that need no database.
pub(crate) fn lint(revision: &Revision, server: u32) -> Vec<Finding> {
    let sql = revision.sql(&revision.up);
    let off: Vec<Rule> = OFF.iter().map(|(rule, _)| *rule).collect();
    let mut linter = Linter::with_rules(&[], &off);
    linter.settings.pg_version = Version::from_str(&format!("{}.0", server / 10_000)).unwrap_or_default();
    linter.settings.assume_in_transaction = revision.up.mode == SectionMode::Transaction;
    let start = revision.up.range.start;
    let parsed = SourceFile::parse(sql);
    let mut findings: Vec<Finding> = linter
        .lint(&parsed, sql)
        .into_iter()
        .map(|violation| Finding {
            rule: violation.code.to_string(),
            message: violation.message,
            help: violation.help,
            range: start + usize::from(violation.text_range.start())..start + usize::from(violation.text_range.end()),
        })
        .collect();
    let own = authorization::findings(parsed.tree().syntax()).into_iter();
    findings.extend(own.map(|finding| Finding { range: start + finding.range.start..start + finding.range.end, ..finding }));
    if revision.down.is_none() && !revision.irreversible {
        findings.push(Finding {
            rule: MISSING_DOWN.to_owned(),
            message: "there is no way down, so this revision can't be undone".to_owned(),
            help: Some("Write a `-- migrate:down` section.".to_owned()),
            range: line_at(&revision.text, 0).range,
        });
    }
    findings.retain(|finding| !is_ignored(&revision.text, &finding.rule));
    findings.sort_by_key(|finding| finding.range.start);
    findings
}

/// Whether a file suppresses a rule.
pub(crate) fn is_ignored(text: &str, rule: &str) -> bool {
    let lists = lines(text).filter_map(|line| line.text.trim_start().strip_prefix(IGNORE));
    lists.flat_map(|list| list.split(',')).any(|word| word.trim() == rule)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn rules(text: &str) -> Vec<String> {
        let parsed = crate::revision::format::parse(Path::new("m/1_a.sql"), text.as_bytes().to_vec()).expect("sound");
        lint(&parsed.revision, 150_000).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn statements_with_long_locks_are_found_with_their_position() {
        let text = "-- migrate:up\nSELECT 1;\nCREATE INDEX i ON t (x);\n-- migrate:down\nDROP INDEX i;\n";
        let parsed = crate::revision::format::parse(Path::new("m/1_a.sql"), text.as_bytes().to_vec()).expect("sound");
        let findings = lint(&parsed.revision, 150_000);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].rule, "require-concurrent-index-creation");
        assert!(text[findings[0].range.clone()].starts_with("CREATE INDEX"));
    }

    #[test]
    fn a_comment_suppresses_a_rule() {
        assert_eq!(rules("-- migrate:up\nDROP TABLE t;\n"), [MISSING_DOWN, "ban-drop-table"]);
        assert_eq!(rules("-- pgmarch-ignore missing-down, ban-drop-table\n-- migrate:up\nDROP TABLE t;\n"), Vec::<String>::new());
        assert_eq!(
            rules("-- pgmarch-ignore missing-down\n-- migrate:up\n-- squawk-ignore ban-drop-table\nDROP TABLE t;\n"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_the_runner_guards_is_no_finding() {
        let text = "-- migrate:up\nALTER TABLE t ADD COLUMN x integer;\nCREATE TABLE u (a varchar(5), b timestamp, c serial);\n-- migrate:down\nSELECT 1;\n";
        assert_eq!(rules(text), Vec::<String>::new());
    }
}
