//! Alembic's revisions into pgmarch's: from the output of `alembic upgrade --sql` and `downgrade --sql`, and from the files under
//! `versions/`. Pure.

mod error;
mod output;
mod version_file;
mod version_table;

use std::collections::{BTreeMap, BTreeSet};

pub use error::ImportError;
use output::{RevisionOutput, split_revisions, strip_log};
pub(crate) use version_file::{VersionFile, parse_version_file};

use crate::revision::format::draft::Draft;
use crate::revision::{Direction, Id};

/// The revisions in the output of `alembic upgrade --sql`, in its order. Their `down` sections come from the output of
/// `alembic downgrade --sql`, if there is one.
pub(crate) fn import(up: &str, down: Option<&str>, versions: &[VersionFile], version_table: &str) -> Result<Vec<Draft>, ImportError> {
    let mut messages = BTreeMap::new();
    let up = strip_log(up, &mut messages);
    let mut downgrades = match down {
        Some(down) => split_revisions(&strip_log(down, &mut messages), Direction::Down, version_table)?,
        None => Vec::new(),
    };
    let upgrades = split_revisions(&up, Direction::Up, version_table)?;
    if upgrades.is_empty() {
        return Err(ImportError::NoRevision);
    }
    let known: BTreeSet<&Id> = upgrades.iter().map(|upgrade| &upgrade.id).collect();
    let is_missing = |version: &&VersionFile| !known.iter().any(|id| id.as_str() == version.id);
    let missing: Vec<String> = versions.iter().filter(is_missing).map(|version| version.id.clone()).collect();
    if !missing.is_empty() {
        return Err(ImportError::MissingRevisions { found: versions.len() - missing.len(), all: versions.len(), missing });
    }
    let labels: BTreeMap<&str, &str> =
        versions.iter().flat_map(|version| version.labels.iter().map(|label| (label.as_str(), version.id.as_str()))).collect();
    let mut drafts = Vec::new();
    for RevisionOutput { id, down_revisions, section } in &upgrades {
        if let Some(parent) = down_revisions.iter().find(|parent| !known.contains(parent)) {
            return Err(ImportError::NotFromBase { id: id.clone(), parent: parent.clone() });
        }
        let version = versions.iter().find(|version| version.id == id.as_str()).cloned().unwrap_or_default();
        let depends_on = version.depends_on.iter().map(|name| labels.get(name.as_str()).copied().unwrap_or(name));
        let downgrade = downgrades.iter().position(|other| other.id == *id).map(|place| downgrades.remove(place));
        drafts.push(Draft {
            id: id.clone(),
            revises: down_revisions.clone(),
            depends_on: depends_on.filter_map(|id| Id::parse(id).ok()).collect(),
            branch: version.labels.first().cloned(),
            created: version.created.as_deref().and_then(to_rfc3339),
            message: version.message.or_else(|| messages.get(id.as_str()).cloned()).unwrap_or_else(|| format!("Revision {id}")),
            part: None,
            up: section.clone(),
            down: downgrade.map(|downgrade| downgrade.section),
        });
    }
    match downgrades.first() {
        Some(downgrade) => Err(ImportError::OnlyDown(downgrade.id.clone())),
        None => Ok(drafts),
    }
}

/// `2024-03-01 10:00:00.123456` → `2024-03-01T10:00:00Z`.
fn to_rfc3339(created: &str) -> Option<String> {
    let text: String = created.trim().chars().take(19).collect();
    let text = text.replacen(' ', "T", 1) + "Z";
    humantime::parse_rfc3339(&text).is_ok().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Explain;
    use crate::revision::LineColumn;
    use crate::revision::format::draft::DraftSection;

    const UP: &str = "INFO  [alembic.runtime.migration] Running upgrade  -> a1, First thing
BEGIN;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> a1

CREATE TABLE t (a text DEFAULT '-- Running upgrade  -> zz
');

COMMIT;

CREATE INDEX CONCURRENTLY i ON tINFO  [alembic.runtime.migration] Running upgrade a1 -> b2
 (a);

BEGIN;

INSERT INTO alembic_version (version_num) VALUES ('a1') RETURNING alembic_version.version_num;

-- Running upgrade a1 -> b2

UPDATE t SET a = 'x' WHERE true;;

UPDATE alembic_version SET version_num='b2' WHERE alembic_version.version_num = 'a1';

-- Running upgrade a1 -> c2

INSERT INTO public.alembic_version (version_num) VALUES ('c2');

-- Running upgrade b2, c2 -> d3

DELETE FROM alembic_version WHERE alembic_version.version_num = 'b2';

UPDATE alembic_version SET version_num='d3' WHERE alembic_version.version_num = 'c2';

COMMIT;
";

    #[test]
    fn an_output_is_cut_into_its_revisions() {
        let down = "BEGIN;\n-- Running downgrade a1 -> \nDROP TABLE t;\nDELETE FROM alembic_version WHERE alembic_version.version_num = 'a1';\nCOMMIT;\n";
        let versions = [
            VersionFile { id: "b2".into(), depends_on: vec!["blue".into()], ..VersionFile::default() },
            VersionFile {
                id: "c2".into(),
                labels: vec!["blue".into()],
                created: Some("2024-03-01 10:00:00.123456".into()),
                ..VersionFile::default()
            },
        ];
        let drafts = import(UP, Some(down), &versions, "alembic_version").expect("drafts");
        let described: Vec<String> = drafts
            .iter()
            .map(|draft| format!("{} < {} : {}", draft.id, crate::revision::join_ids(&draft.revises), draft.message))
            .collect();
        assert_eq!(described, ["a1 < base : First thing", "b2 < a1 : Revision b2", "c2 < a1 : Revision c2", "d3 < b2, c2 : Revision d3"]);
        assert!(drafts[0].up.stepwise && drafts[0].up.sql.contains("CREATE INDEX CONCURRENTLY i ON t (a);"), "{}", drafts[0].up.sql);
        assert!(!drafts[0].up.sql.contains("alembic_version") && drafts[0].up.sql.contains("-> zz\n'"));
        assert_eq!(drafts[0].down, Some(DraftSection { stepwise: false, sql: "DROP TABLE t;".into() }));
        assert_eq!((drafts[1].up.sql.as_str(), drafts[1].up.stepwise), ("UPDATE t SET a = 'x' WHERE true;", false));
        assert_eq!(crate::revision::join_ids(&drafts[1].depends_on), "c2");
        assert_eq!((drafts[2].branch.as_deref(), drafts[2].created.as_deref()), (Some("blue"), Some("2024-03-01T10:00:00Z")));
        assert_eq!((drafts[3].up.clone(), drafts[3].down.clone()), (DraftSection::no_op(), None));
    }

    /// A revision's part as Alembic ends it.
    fn portion(title: &str, id: &str) -> String {
        format!("-- Running {title}\nCREATE TABLE \"{id}\" ();\nUPDATE alembic_version SET version_num='{id}' WHERE true;\n")
    }

    #[test]
    fn an_output_that_was_cut_off_is_refused() {
        let two = format!("{}{}", portion("upgrade  -> a", "a"), portion("upgrade a -> b", "b"));
        let fault = |up: &str| import(up, None, &[], "alembic_version").expect_err("a fault");
        let id = |id| Id::parse(id).expect("an id");
        assert!(import(&two, None, &[], "alembic_version").is_ok(), "not transactional");
        assert!(import(&format!("BEGIN;\n{two}COMMIT;\n"), None, &[], "alembic_version").is_ok());
        // Wherever it is cut, but between two parts that are not transactional.
        let transactional = format!("BEGIN;\n{two}COMMIT;\n");
        for end in (0..transactional.len()).filter(|end| transactional.is_char_boundary(*end)) {
            let cut = &transactional[..end];
            if !cut.ends_with("COMMIT;") && !cut.ends_with("COMMIT") {
                assert!(import(cut, None, &[], "alembic_version").is_err(), "{cut}");
            }
        }
        assert_eq!(fault(&format!("BEGIN;\n{two}")), ImportError::NoCommit { id: id("b") });
        let after_one = format!("{}-- Running upgrade a -> b\nSELECT 1;\n", portion("upgrade  -> a", "a"));
        let place = LineColumn { line: 4, column: 1 };
        assert_eq!(fault(&after_one), ImportError::Incomplete { place, id: id("b"), version_table: "alembic_version".into() });
        assert!(
            fault(&after_one).next_step().contains("Python in b") && fault(&after_one).next_step().contains("context.is_offline_mode()")
        );
        let raised =
            "Traceback (most recent call last):\n  File \"x.py\", line 3, in upgrade\n    it's\nAttributeError: 'NoneType' has no 'all'\n";
        for text in
            [format!("{after_one}{raised}"), format!("{after_one}WARN  it's late\n{raised}"), format!("BEGIN;\n{after_one}{raised}{two}")]
        {
            let found = fault(&text);
            assert!(found.to_string().ends_with(": Alembic stopped in revision b: AttributeError: 'NoneType' has no 'all'"), "{found}");
        }
        assert!(fault(raised).to_string().contains("Alembic stopped: AttributeError"));
        let failed = fault(&format!("{two}FAILED: Can't proceed with --sql"));
        assert!(failed.to_string().ends_with("Alembic stopped in revision b: FAILED: Can't proceed with --sql"), "{failed}");
        let quoted = two.replace("()", "(a text DEFAULT '\nTraceback (most recent call last):\n FAILED: x')");
        assert!(import(&quoted, None, &[], "alembic_version").is_ok());
        let other = import(&two, None, &[], "versions").expect_err("a fault");
        assert!(other.to_string().ends_with("Alembic records revision a in alembic_version, not in versions"), "{other}");
        let versions = ["a", "b", "c"].map(|id| VersionFile { id: id.into(), ..VersionFile::default() });
        let fewer = import(&two, None, &versions, "alembic_version").expect_err("a fault");
        assert_eq!(fewer, ImportError::MissingRevisions { found: 2, all: 3, missing: vec!["c".into()] });
    }

    #[test]
    fn what_is_no_whole_output_says_so() {
        let message = |up: &str, down| import(up, down, &[], "alembic_version").expect_err("a fault").to_string();
        assert!(message("SELECT 1;", None).starts_with("there is no line"));
        assert!(message(&portion("upgrade a1 -> b2", "b2"), None).contains("revises a1, which is not in the output"));
        assert!(message("-- Running upgrade  -> a b\n", None).starts_with("line 1, column 1: `a b` can't be an id"));
        assert!(message(&portion("upgrade  -> a", "a").repeat(2), None).contains("a second time"));
        assert!(message("-- Running upgrade  -> a\nSELECT 'x", None).contains("line 2, column 8: revision a: this string is never closed"));
        assert!(message(&portion("upgrade  -> a", "a"), Some(&portion("downgrade b -> a", "b"))).contains("the way down has b"));
    }
}
