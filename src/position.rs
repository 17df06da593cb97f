//! The position of the version rows in the graph of this image's files: behind its heads, at them, or ahead, at revisions that
//! only the ledger has.

use std::borrow::Cow;
use std::collections::HashMap;

use thiserror::Error;

use crate::config::Ahead;
use crate::exit::{Exit, Explain};
use crate::ledger::AppliedRevision;
use crate::revision::graph::{Graph, Node};
use crate::revision::name::{NameError, RevisionName};
use crate::revision::{Id, join_ids};

/// The version rows as nodes of a graph that has all of them.
#[derive(Clone, Debug)]
pub(crate) struct Position<'g> {
    /// The files and, if the database is ahead, the revisions without a file, from the ledger.
    pub(crate) graph: Cow<'g, Graph>,
    /// The version rows.
    pub(crate) rows: Vec<Node>,
    /// Applied revisions that have no file here, in an applicable order.
    pub(crate) without_file: Vec<Node>,
    files: &'g Graph,
}

/// Why the files of this image can't be used with the database.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum PositionError {
    /// A version row is neither in the files nor in the ledger.
    #[error("the database is at {rows}, which neither the files nor the ledger know{}", .missing.as_ref().map(|missing| format!(" (the ledger knows it, but not {missing}, on which it depends)")).unwrap_or_default())]
    Unknown {
        /// The rows.
        rows: String,
        /// The missing parent or dependency, if the ledger has the revision itself.
        missing: Option<String>,
        /// The heads of the files.
        heads: String,
    },
    /// The ledger has the revision, but it does not depend on the target.
    #[error("the database is at {rows}, which has no file here and does not depend on {target}: the histories diverge after {after}")]
    Diverged {
        /// The rows.
        rows: String,
        /// The target.
        target: String,
        /// The last revisions on which both depend.
        after: String,
    },
    /// A revision without a file is marked breaking.
    #[error("the database is ahead of these files by {beyond}, and {breaking} is marked breaking: this image can't run on it")]
    Breaking {
        /// What is applied and has no file.
        beyond: String,
        /// Which of them are breaking.
        breaking: String,
        /// The target.
        target: String,
    },
    /// `PGMARCH_AHEAD=refuse`.
    #[error("the database is ahead of these files by {beyond}, and PGMARCH_AHEAD=refuse")]
    Refused {
        /// What is applied and has no file.
        beyond: String,
    },
    /// The revisions from the ledger and the files can't be joined into a graph.
    #[error("the revisions in the ledger and the files are no graph together: {0}")]
    Inconsistent(String),
}

impl Explain for PositionError {
    fn exit(&self) -> Exit {
        match self {
            Self::Breaking { .. } | Self::Refused { .. } => Exit::Ahead,
            Self::Unknown { .. } | Self::Diverged { .. } | Self::Inconsistent(_) => Exit::Unsound,
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        match self {
            Self::Unknown { rows, heads, .. } => format!(
                "run the image that has {rows}; or, if the schema is that of one of these files, record that: `pgmarch stamp --purge {heads}`, or the id of another file"
            )
            .into(),
            Self::Diverged { rows, after, .. } => format!(
                "run the image that has {rows} (was its tag pushed again with other revisions?); or undo with `pgmarch downgrade {}` what this image lacks, then run again",
                first_id(after)
            )
            .into(),
            Self::Inconsistent(_) => "run the image that has these revisions".into(),
            Self::Breaking { beyond, target, .. } => format!(
                "run an image that has {beyond}; or undo what this image lacks with `pgmarch downgrade {}` (the texts are in the ledger)",
                first_id(target)
            )
            .into(),
            Self::Refused { beyond } => format!("run an image that has {beyond}, or set PGMARCH_AHEAD=allow").into(),
        }
    }
}

/// The first of several ids; `base` if there is none.
fn first_id(ids: &str) -> &str {
    ids.split(", ").next().filter(|id| !id.is_empty()).unwrap_or("base")
}

impl<'g> Position<'g> {
    /// Finds `rows` among the files and, for those without one, among the revisions of the ledger.
    pub(crate) fn resolve(files: &'g Graph, rows: &[String], recorded: &[AppliedRevision]) -> Result<Self, PositionError> {
        let known: HashMap<&str, &AppliedRevision> = recorded.iter().map(|recorded| (recorded.id.as_str(), recorded)).collect();
        let mut open: Vec<&str> = rows.iter().map(String::as_str).filter(|row| files.node(row).is_none()).collect();
        let unknown = open.clone();
        let mut more: HashMap<&str, &AppliedRevision> = HashMap::new();
        while let Some(id) = open.pop() {
            let Some(recorded) = known.get(id) else {
                let missing = (!unknown.contains(&id)).then(|| id.to_owned());
                let heads = files.heads();
                let heads = heads.into_iter().map(|head| files.id(head).to_string()).collect::<Vec<_>>().join(" ");
                return Err(PositionError::Unknown { rows: unknown.join(", "), missing, heads });
            };
            if more.insert(id, recorded).is_none() {
                let below = recorded.parents.iter().chain(&recorded.depends_on).map(Id::as_str);
                open.extend(below.filter(|id| files.node(id).is_none()));
            }
        }
        let graph = if more.is_empty() {
            Cow::Borrowed(files)
        } else {
            let revisions = more.values().map(|recorded| recorded.to_revision()).collect();
            let inconsistent = |faults: Vec<crate::revision::Fault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            Cow::Owned(files.extended(revisions).map_err(|faults| PositionError::Inconsistent(inconsistent(faults)))?)
        };
        let rows = rows.iter().filter_map(|row| graph.node(row)).collect();
        let without_file = graph.nodes().filter(|node| more.contains_key(graph.id(*node).as_str())).collect();
        Ok(Self { graph, rows, without_file, files })
    }

    /// The same with one more revision of the ledger; `None` if its parents or dependencies are missing.
    pub(crate) fn with_revision(&self, recorded: &AppliedRevision) -> Option<Self> {
        let graph = self.graph.extended(vec![recorded.to_revision()]).ok()?;
        let moved = |nodes: &[Node]| nodes.iter().filter_map(|node| graph.node(self.graph.id(*node).as_str())).collect();
        let (rows, without_file) = (moved(&self.rows), moved(&self.without_file));
        Some(Self { graph: Cow::Owned(graph), rows, without_file, files: self.files })
    }

    /// The targets that `name` means: a name relative to the version rows is resolved in the whole graph, any other among the
    /// files, so that `head` is this image's.
    pub(crate) fn targets(&self, name: &RevisionName) -> Result<Vec<Node>, NameError> {
        if name.is_relative() || self.without_file.is_empty() {
            return name.targets(&self.graph, &self.rows);
        }
        let targets = name.targets(self.files, &[])?;
        Ok(targets.into_iter().filter_map(|node| self.graph.node(self.files.id(node).as_str())).collect())
    }

    /// Checks whether this image may run on a database that is ahead; returns the applied revisions without a file.
    pub(crate) fn check_ahead(&self, targets: &[Node], policy: Ahead) -> Result<String, PositionError> {
        let beyond = self.join_ids(self.without_file.iter().copied());
        if self.without_file.is_empty() || targets.is_empty() {
            return Ok(beyond);
        }
        let above = self.graph.reach(targets, Graph::dependents);
        let diverged = self.rows.iter().copied().filter(|row| self.without_file.contains(row) && !above.contains(*row));
        let diverged: Vec<Node> = diverged.collect();
        if !diverged.is_empty() {
            let common = self.graph.reach(&diverged, Graph::prerequisites);
            let wanted = self.graph.reach(targets, Graph::prerequisites);
            let both = |node: &Node| common.contains(*node) && wanted.contains(*node);
            let last = common.nodes().filter(|node| both(node) && !self.graph.dependents(*node).iter().any(both));
            return Err(PositionError::Diverged {
                after: self.join_ids(last),
                rows: self.join_ids(diverged.iter().copied()),
                target: self.join_ids(targets.iter().copied()),
            });
        }
        let breaking: Vec<Node> = self.without_file.iter().copied().filter(|node| self.graph.revision(*node).breaking).collect();
        match policy {
            _ if !breaking.is_empty() => {
                Err(PositionError::Breaking { beyond, breaking: self.join_ids(breaking), target: self.join_ids(targets.iter().copied()) })
            }
            Ahead::Refuse => Err(PositionError::Refused { beyond }),
            Ahead::Allow => Ok(beyond),
        }
    }

    fn join_ids(&self, nodes: impl IntoIterator<Item = Node>) -> String {
        join_ids(nodes.into_iter().map(|node| self.graph.id(node)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::graph::tests::graph;

    fn recorded(name: &str, parents: &[&str], breaking: bool) -> AppliedRevision {
        let id = |id: &str| Id::parse(id).expect("an id");
        let headers = if breaking { "-- breaking: true\n" } else { "" };
        AppliedRevision {
            id: id(name),
            file: format!("{name}_later.sql"),
            parents: parents.iter().map(|parent| id(parent)).collect(),
            depends_on: Vec::new(),
            branch: None,
            message: "later".into(),
            created: None,
            breaking,
            exact: String::new(),
            semantic: String::new(),
            text: Some(format!("{headers}-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n").into()),
        }
    }

    fn ahead(files: &[&str], rows: &[&str], later: &[AppliedRevision], target: &str, policy: Ahead) -> String {
        let files = graph(files);
        let rows: Vec<String> = rows.iter().map(ToString::to_string).collect();
        let position = match Position::resolve(&files, &rows, later) {
            Ok(position) => position,
            Err(error) => return error.to_string(),
        };
        let targets = position.targets(&RevisionName::parse(target).expect("a name")).expect("targets");
        position.check_ahead(&targets, policy).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn a_database_ahead_is_left_alone_unless_it_is_breaking() {
        let later = [recorded("3", &["2"], false), recorded("4", &["3"], false), recorded("x", &["9"], false)];
        let allow = |target| ahead(&["1", "2"], &["4"], &later, target, Ahead::Allow);
        assert_eq!(allow("head"), "3, 4");
        assert_eq!(allow("1"), "3, 4");
        assert!(ahead(&["1", "2"], &["4"], &later, "head", Ahead::Refuse).ends_with("PGMARCH_AHEAD=refuse"));
        let breaking = [recorded("3", &["2"], true), recorded("4", &["3"], false)];
        assert!(ahead(&["1", "2"], &["4"], &breaking, "head", Ahead::Allow).contains("by 3, 4, and 3 is marked breaking"));
        assert_eq!(ahead(&["1", "2"], &["2"], &later, "head", Ahead::Refuse), "base", "not ahead at all");
    }

    #[test]
    fn unknown_rows_and_diverged_rows_are_different_errors() {
        let later = [recorded("3", &["2"], false), recorded("x", &["9"], false)];
        let result = |files: &[&str], rows: &[&str]| ahead(files, rows, &later, "heads", Ahead::Allow);
        assert_eq!(result(&["1", "2"], &["7"]), "the database is at 7, which neither the files nor the ledger know");
        assert!(result(&["1", "2"], &["x"]).contains("but not 9, on which it depends"));
        assert!(result(&["1", "2", "3b"], &["3"]).contains("does not depend on 3b: the histories diverge after 2"));
        assert_eq!(result(&["1 <", "2 < 1", "2b < 1"], &["3", "1"]), "3");
    }
}
