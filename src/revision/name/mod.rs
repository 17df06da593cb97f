//! Names that a person types for revisions: `head`, an id or a unique prefix of one, `+2`, `ID-1`, `branch@head`.
//! Their meaning is Alembic's ("Relative Migration Identifiers", "Working with Branches" in its documentation).

use std::fmt;

use thiserror::Error;

use crate::revision::graph::{Graph, Node, NodeSet};
use crate::revision::join_ids;

/// A name as typed, split into its parts; what it means depends on a graph and on where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionName {
    typed: String,
    branch: Option<String>,
    symbol: Symbol,
    offset: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Symbol {
    /// Nothing but an offset: from where the database is.
    Current,
    Head,
    Heads,
    Base,
    Id(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Up,
    Down,
}

/// Why a name means nothing here. Each names the candidates.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each variant's message is its documentation")]
pub enum NameError {
    #[error("`{0}` is not a revision's name; write head, heads, base, an id or the start of one, +N, -N, ID+N, ID-N or BRANCH@head")]
    Malformed(String),
    #[error("`{typed}` means several heads: {heads}; name one, write `{all}` for all, or join them with `pgmarch merge`")]
    SeveralHeads { typed: String, heads: String, all: String },
    #[error("no revision has the id `{id}`{}; `pgmarch history` lists them", .nearest.as_ref().map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default())]
    Unknown { id: String, nearest: Option<String> },
    #[error("`{prefix}` is the start of several ids: {ids}; write one of them out")]
    Ambiguous { prefix: String, ids: String },
    #[error("no branch or revision is called `{0}`; labels are set with `-- branch:` in a revision")]
    UnknownBranch(String),
    #[error("`{typed}`: there are only {walked} of {wanted} revisions that way")]
    TooFar { typed: String, walked: u64, wanted: u64 },
    #[error("`{typed}`: the way divides at {at} into {candidates}; name the revision, or the branch as BRANCH@{typed}")]
    Fork { typed: String, at: String, candidates: String },
    #[error("`{typed}` starts from where the database is, which is at several revisions: {rows}; write BRANCH@{typed}")]
    SeveralRows { typed: String, rows: String },
    #[error("`{0}` goes down; upgrade takes a name that goes up, downgrade one that goes down")]
    WrongWay(String),
    #[error("{0} is not applied, so there is nothing above it to undo")]
    NotApplied(String),
    #[error("`{0}` goes up; downgrade takes -N, base, an id or the start of one, ID-N, BRANCH@-N or BRANCH@base")]
    WrongWayDown(String),
    #[error("`{typed}`: {id} is not on that branch; write `{id}` alone, or name another branch")]
    OffBranch { typed: String, id: String },
    #[error("`{typed}`: nothing of that branch stands right above {above}; name the branch that should go down to it")]
    NoWayDown { typed: String, above: String },
    #[error("`{0}` is not a range; write FROM:TO, two names of revisions")]
    NoRange(String),
    #[error("`{0}` starts from where the database is, which nobody is asked here; write an id, base or head")]
    Nowhere(String),
}

/// `FROM:TO`, or one name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRange {
    /// Where it begins, at one revision or at several, comma separated; `None` if only one name was typed.
    pub from: Option<Vec<RevisionName>>,
    /// Where it ends.
    pub to: RevisionName,
}

impl NameRange {
    /// Splits at the colon. Where `FROM:` or `:TO` leave an end out, it is the whole graph's.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let name = |text: &str, absent: &str| RevisionName::parse(if text.is_empty() { absent } else { text });
        match typed.split_once(':') {
            None => Ok(Self { from: None, to: RevisionName::parse(typed)? }),
            Some((_, to)) if to.contains(':') => Err(NameError::NoRange(typed.to_owned())),
            Some((from, to)) => {
                let from = from.split(',').map(|from| name(from.trim(), "base")).collect::<Result<_, _>>()?;
                Ok(Self { from: Some(from), to: name(to, "heads")? })
            }
        }
    }
}

/// What a downgrade means: what it leads to, and the revisions right above that, which go with all that stands on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DowngradeTarget {
    /// The revision to be at; `None` is base.
    pub target: Option<Node>,
    /// The revisions to undo first of all, dependents not counted.
    pub roots: Vec<Node>,
}

impl RevisionName {
    /// Splits a name; says nothing yet about whether it exists. An id that itself ends in `-N` is settled later.
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let malformed = || NameError::Malformed(typed.to_owned());
        let (branch, rest) = match typed.rsplit_once('@') {
            Some((branch, rest)) => (Some(branch.to_owned()), rest),
            None => (None, typed),
        };
        let sign = rest.rfind(['+', '-']).filter(|sign| {
            let digits = &rest[sign + 1..];
            !digits.is_empty() && digits.len() < 10 && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        let (symbol, offset) = match sign {
            Some(sign) => (&rest[..sign], rest[sign..].parse().map_err(|_| malformed())?),
            None => (rest, 0),
        };
        let symbol = match symbol {
            "" if sign.is_some() => Symbol::Current,
            "head" => Symbol::Head,
            "heads" => Symbol::Heads,
            "base" => Symbol::Base,
            id if !id.is_empty() && !id.contains(char::is_whitespace) && !id.contains(':') => Symbol::Id(id.to_owned()),
            _ => return Err(malformed()),
        };
        if branch.as_deref() == Some("") {
            return Err(malformed());
        }
        Ok(Self { typed: typed.to_owned(), branch, symbol, offset })
    }

    /// The error that nothing has this name, for where there is nothing at all.
    pub fn unknown(&self) -> NameError {
        NameError::Unknown { id: self.typed.clone(), nearest: None }
    }

    /// Whether it says "from where the database is".
    pub fn is_relative(&self) -> bool {
        self.symbol == Symbol::Current
    }

    /// Whether it means `base`, of the whole graph or of a branch.
    pub fn is_base(&self) -> bool {
        self.symbol == Symbol::Base && self.offset == 0
    }

    /// The revisions to be at, at least, going up from `rows`; none means base.
    pub fn targets(&self, graph: &Graph, rows: &[Node]) -> Result<Vec<Node>, NameError> {
        if let Some(node) = self.whole(graph) {
            return Ok(vec![node]);
        }
        if self.symbol == Symbol::Current && self.offset < 0 {
            return Err(NameError::WrongWay(self.typed.clone()));
        }
        let starts = if self.is_relative() { self.single_row(graph, rows, Way::Up)?.into_iter().collect() } else { self.absolute(graph)? };
        match (self.offset, starts.as_slice()) {
            (0, _) => Ok(starts),
            (_, []) => Ok(self.walk(graph, None)?.into_iter().collect()),
            (_, [start]) => Ok(self.walk(graph, Some(*start))?.into_iter().collect()),
            (_, several) => Err(self.several_heads(graph, several)),
        }
    }

    /// The revisions that this name means without asking a database.
    pub fn absolute_targets(&self, graph: &Graph) -> Result<Vec<Node>, NameError> {
        if self.is_relative() && self.whole(graph).is_none() {
            return Err(NameError::Nowhere(self.typed.clone()));
        }
        self.targets(graph, &[])
    }

    /// What a downgrade from `rows` to this name undoes. A branch before `@` (for a bare `-N`, the branch of the only
    /// row) keeps what stands beside it.
    pub fn downgrade_target(&self, graph: &Graph, rows: &[Node]) -> Result<DowngradeTarget, NameError> {
        let mut branch = self.branch(graph)?;
        let target = match (&self.symbol, self.offset, self.whole(graph)) {
            (_, _, Some(node)) => Some(node),
            (Symbol::Current, 0.., None) => return Err(NameError::WrongWayDown(self.typed.clone())),
            (Symbol::Current, _, None) => {
                let row = self.single_row(graph, rows, Way::Down)?;
                branch = branch.or(row);
                self.walk(graph, row)?
            }
            (Symbol::Head | Symbol::Heads | Symbol::Base | Symbol::Id(_), offset, None) => {
                let starts = self.unchecked(graph)?;
                match starts.as_slice() {
                    [_, _, ..] => return Err(self.several_heads(graph, &starts)),
                    one if offset == 0 => one.first().copied(),
                    one => self.walk(graph, one.first().copied())?,
                }
            }
        };
        let mut roots = target.map_or_else(|| graph.roots(), |node| graph.children(node).to_vec());
        if let Some(branch) = branch.filter(|_| roots.len() > 1) {
            let lineage = Lineage::of(graph, branch);
            roots.retain(|node| lineage.contains(*node));
            if roots.is_empty() {
                let above = join_ids(target.map(|node| graph.id(node)));
                return Err(NameError::NoWayDown { typed: self.typed.clone(), above });
            }
        }
        Ok(DowngradeTarget { target, roots })
    }

    /// The revision that one id, label, prefix or relative name means; `None` is base.
    pub fn one(&self, graph: &Graph, rows: &[Node]) -> Result<Option<Node>, NameError> {
        let found = match self.symbol {
            Symbol::Current if self.offset < 0 && self.whole(graph).is_none() => {
                return self.walk(graph, self.single_row(graph, rows, Way::Down)?);
            }
            Symbol::Current | Symbol::Head | Symbol::Heads | Symbol::Base | Symbol::Id(_) => self.targets(graph, rows)?,
        };
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            several => Err(self.several_heads(graph, several)),
        }
    }

    /// The one revision that this name means, also one that goes down; `heads` alone may mean several.
    pub fn one_or_heads(&self, graph: &Graph, rows: &[Node]) -> Result<Vec<Node>, NameError> {
        match self.symbol {
            Symbol::Heads if self.offset == 0 => self.targets(graph, rows),
            Symbol::Current | Symbol::Head | Symbol::Heads | Symbol::Base | Symbol::Id(_) => {
                Ok(self.one(graph, rows)?.into_iter().collect())
            }
        }
    }

    /// The branch that limits this name, as the node that stands for it.
    pub fn branch(&self, graph: &Graph) -> Result<Option<Node>, NameError> {
        self.branch.as_deref().map(|branch| labelled(graph, branch)).transpose()
    }

    /// The row that a relative name starts from: the one of the branch named, or the only one. Where no row is on the
    /// branch (another one implies it), its last applied revision, which Alembic finds in two ways: going up, what
    /// nothing on the branch stands on; going down, what no applied revision revises.
    fn single_row(&self, graph: &Graph, rows: &[Node], way: Way) -> Result<Option<Node>, NameError> {
        let mut starts = rows.to_vec();
        if let Some(branch) = self.branch(graph)? {
            let lineage = Lineage::of(graph, branch);
            starts.retain(|node| lineage.contains(*node));
            if starts.is_empty() {
                let applied = graph.reach(rows, Graph::prerequisites);
                let on_branch = |node: &Node| lineage.contains(*node);
                starts = match way {
                    Way::Up => {
                        let standing =
                            |node: &Node| graph.dependents(*node).iter().any(|above| applied.contains(*above) && on_branch(above));
                        applied.nodes().filter(|node| on_branch(node) && !standing(node)).collect()
                    }
                    Way::Down => {
                        let revised = |node: &Node| graph.children(*node).iter().any(|child| applied.contains(*child));
                        applied.nodes().filter(|node| on_branch(node) && !revised(node)).collect()
                    }
                };
            }
        }
        match starts.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            several => {
                let rows = join_ids(several.iter().map(|node| graph.id(*node)));
                Err(NameError::SeveralRows { typed: self.typed.clone(), rows })
            }
        }
    }

    /// An id spelled just like the whole name (`2024-11`) wins over any other reading of it.
    fn whole(&self, graph: &Graph) -> Option<Node> {
        graph.node(&self.typed)
    }

    /// Going up, an id that is named with a branch must be on it, as for Alembic; going down the branch only says what stays.
    fn absolute(&self, graph: &Graph) -> Result<Vec<Node>, NameError> {
        let found = self.unchecked(graph)?;
        if let (Some(branch), [one], Symbol::Id(_)) = (self.branch(graph)?, found.as_slice(), &self.symbol)
            && !Lineage::of(graph, branch).contains(*one)
        {
            return Err(NameError::OffBranch { typed: self.typed.clone(), id: graph.id(*one).to_string() });
        }
        Ok(found)
    }

    fn unchecked(&self, graph: &Graph) -> Result<Vec<Node>, NameError> {
        let branch = self.branch(graph)?;
        let lineage = branch.map(|branch| Lineage::of(graph, branch));
        let in_branch = |node: &Node| lineage.as_ref().is_none_or(|lineage| lineage.contains(*node));
        match &self.symbol {
            Symbol::Current | Symbol::Base => Ok(Vec::new()),
            // What a head depends on is implied by it.
            Symbol::Heads if branch.is_none() => Ok(graph.nodes().filter(|node| graph.dependents(*node).is_empty()).collect()),
            Symbol::Heads => Ok(graph.heads().into_iter().filter(in_branch).collect()),
            Symbol::Head => {
                let heads: Vec<Node> = graph.heads().into_iter().filter(in_branch).collect();
                if heads.len() > 1 { Err(self.several_heads(graph, &heads)) } else { Ok(heads) }
            }
            Symbol::Id(id) => {
                if let Some(node) = graph.node(id).or_else(|| label(graph, id)) {
                    return Ok(vec![node]);
                }
                let label = |node: Node| graph.revision(node).branch.as_deref().is_some_and(|label| label.starts_with(id.as_str()));
                let starts = |node: &Node| graph.id(*node).as_str().starts_with(id.as_str()) || label(*node);
                let starts: Vec<Node> = graph.nodes().filter(starts).filter(in_branch).collect();
                match starts.as_slice() {
                    [one] => Ok(vec![*one]),
                    [] => {
                        let known = graph.nodes().map(|node| graph.id(node).as_str());
                        Err(NameError::Unknown { id: id.clone(), nearest: crate::words::nearest(id, known) })
                    }
                    several => {
                        Err(NameError::Ambiguous { prefix: id.clone(), ids: join_ids(several.iter().take(10).map(|node| graph.id(*node))) })
                    }
                }
            }
        }
    }

    /// As many steps as the offset says, along parents or children; `None` is base.
    fn walk(&self, graph: &Graph, start: Option<Node>) -> Result<Option<Node>, NameError> {
        let wanted = self.offset.unsigned_abs();
        let lineage = self.branch(graph)?.map(|branch| Lineage::of(graph, branch));
        let mut at = start;
        for walked in 0..wanted {
            let next: Vec<Node> = match (self.offset > 0, at) {
                (true, None) => graph.roots(),
                (true, Some(node)) => graph.children(node).to_vec(),
                (false, None) => return Err(NameError::TooFar { typed: self.typed.clone(), walked, wanted }),
                (false, Some(node)) => graph.parents(node).to_vec(),
            };
            // Downwards a branch only settles which way to go at a merge.
            let limited = self.offset > 0 || next.len() > 1;
            let on_branch = |node: &Node| !limited || lineage.as_ref().is_none_or(|lineage| lineage.contains(*node));
            let next: Vec<Node> = next.into_iter().filter(on_branch).collect();
            at = match next.as_slice() {
                [] if self.offset < 0 => None,
                [] => return Err(NameError::TooFar { typed: self.typed.clone(), walked, wanted }),
                [one] => Some(*one),
                several => {
                    let candidates = join_ids(several.iter().map(|node| graph.id(*node)));
                    return Err(NameError::Fork { typed: self.typed.clone(), at: join_ids(at.map(|node| graph.id(node))), candidates });
                }
            };
        }
        Ok(at)
    }

    fn several_heads(&self, graph: &Graph, heads: &[Node]) -> NameError {
        let all = self.branch.as_ref().map_or_else(|| "heads".to_owned(), |branch| format!("{branch}@heads"));
        NameError::SeveralHeads { typed: self.typed.clone(), heads: join_ids(heads.iter().map(|node| graph.id(*node))), all }
    }
}

impl fmt::Display for RevisionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// A revision with all its ancestors and descendants, by parents alone.
struct Lineage(NodeSet, NodeSet);

impl Lineage {
    fn of(graph: &Graph, node: Node) -> Self {
        Self(graph.reach(&[node], Graph::parents), graph.reach(&[node], Graph::children))
    }

    fn contains(&self, node: Node) -> bool {
        self.0.contains(node) || self.1.contains(node)
    }
}

fn label(graph: &Graph, text: &str) -> Option<Node> {
    graph.nodes().find(|node| graph.revision(*node).branch.as_deref() == Some(text))
}

/// The revision a label or an id before `@` stands for.
fn labelled(graph: &Graph, text: &str) -> Result<Node, NameError> {
    label(graph, text).or_else(|| graph.node(text)).ok_or_else(|| NameError::UnknownBranch(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::graph::tests::graph;

    const FORKED: [&str; 6] = ["a1 <", "a2 < a1", "b1 < a1 @ blue", "b2 < b1", "c1 < @ red", "20-1 < c1"];

    fn targets(typed: &str, rows: &[&str]) -> Result<String, NameError> {
        let graph = graph(&FORKED);
        let rows: Vec<Node> = rows.iter().map(|id| graph.node(id).expect("a row")).collect();
        let found = RevisionName::parse(typed)?.targets(&graph, &rows)?;
        Ok(join_ids(found.iter().map(|node| graph.id(*node))))
    }

    #[test]
    fn names_that_go_up() {
        for (typed, rows, expected) in [
            ("heads", &[][..], "a2, b2, 20-1"),
            ("blue@head", &[], "b2"),
            ("red@head", &[], "20-1"),
            ("a2@head", &[], "a2"),
            ("a1", &[], "a1"),
            ("blue", &[], "b1"),
            ("20", &[], "20-1"),
            ("20-1", &[], "20-1"),
            ("20-1-1", &[], "c1"),
            ("b2-1", &[], "b1"),
            ("b1+1", &[], "b2"),
            ("blue@+2", &[], "b1"),
            ("blue@+1", &["a1"], "b1"),
            ("blue@+1", &["a2"], "b1"),
            ("red@+1", &["a2"], "c1"),
            ("base", &["a2"], "base"),
        ] {
            assert_eq!(targets(typed, rows).as_deref(), Ok(expected), "{typed} from {rows:?}");
        }
    }

    fn lower(typed: &str, rows: &[&str]) -> Result<String, NameError> {
        let graph = graph(&FORKED);
        let rows: Vec<Node> = rows.iter().map(|id| graph.node(id).expect("a row")).collect();
        let DowngradeTarget { target, roots } = RevisionName::parse(typed)?.downgrade_target(&graph, &rows)?;
        Ok(format!("{} < {}", join_ids(target.map(|node| graph.id(node))), join_ids(roots.iter().map(|node| graph.id(*node)))))
    }

    #[test]
    fn names_that_go_down() {
        for (typed, rows, expected) in [
            ("base", &["a2"][..], "base < a1, c1"),
            ("blue@base", &["a2", "c1"], "base < a1"),
            ("red@base", &["a2", "c1"], "base < c1"),
            ("a1", &["a2", "b2"], "a1 < a2, b1"),
            ("a2@a1", &["a2", "b2"], "a1 < a2"),
            ("blue@a1", &["a2", "b2"], "a1 < b1"),
            ("-1", &["b2"], "b1 < b2"),
            ("-1", &["b1"], "a1 < b1"),
            ("-2", &["b1"], "base < a1"),
            ("blue@-1", &["a2", "b2"], "b1 < b2"),
            ("blue@-2", &["a2", "b2"], "a1 < b1"),
            ("blue@-3", &["a2", "b2"], "base < a1"),
            ("b2-1", &["b2"], "b1 < b2"),
            ("base+1", &["b2"], "the way divides"),
            ("red@base+1", &["b2"], "c1 < 20-1"),
            ("20-1", &["20-1"], "20-1 < base"),
            ("20-1-1", &["20-1"], "c1 < 20-1"),
            ("-1", &["a2", "b2"], "several revisions: a2, b2"),
            ("-1", &[], "only 0 of 1"),
            ("-3", &["b1"], "only 2 of 3"),
            ("+1", &["b1"], "goes up"),
            ("heads", &["b1"], "several heads"),
        ] {
            let found = lower(typed, rows).unwrap_or_else(|error| error.to_string());
            assert!(found.contains(expected), "{typed} from {rows:?}: {found}");
        }
    }

    #[test]
    fn a_branch_settles_the_way_down_from_a_merge() {
        let graph = graph(&["a1 <", "a2 < a1", "b1 < a1 @ blue", "m < a2, b1"]);
        let merge = [graph.node("m").expect("m")];
        let lower = |typed: &str| RevisionName::parse(typed)?.downgrade_target(&graph, &merge);
        assert!(lower("-1").expect_err("a fork").to_string().contains("divides at m into a2, b1"));
        assert_eq!(lower("blue@-1").expect("one way").target, graph.node("b1"));
    }

    #[test]
    fn a_range_has_two_ends() {
        let join = |names: Vec<RevisionName>| names.iter().map(RevisionName::to_string).collect::<Vec<_>>().join(" and ");
        let range = |typed: &str| NameRange::parse(typed).map(|range| (range.from.map(join), range.to.to_string()));
        assert_eq!(range("1, 2:base"), Ok((Some("1 and 2".into()), "base".into())));
        assert_eq!(range("1:2"), Ok((Some("1".into()), "2".into())));
        assert_eq!(range(":2"), Ok((Some("base".into()), "2".into())));
        assert_eq!(range("1:"), Ok((Some("1".into()), "heads".into())));
        assert_eq!(range("head"), Ok((None, "head".into())));
        assert!(matches!(range("1:2:3"), Err(NameError::NoRange(_))));
    }

    #[test]
    fn names_that_mean_nothing_say_what_would() {
        let message = |typed: &str, rows: &[&str]| targets(typed, rows).expect_err(typed).to_string();
        assert!(message("head", &[]).contains("several heads: a2, b2, 20-1"));
        assert!(message("a1@head", &[]).contains("`a1@heads` for all"));
        assert!(message("b", &[]).contains("the start of several ids: b1, b2"));
        assert!(message("z9", &[]).contains("no revision has the id `z9`"));
        assert!(message("a22", &[]).contains("did you mean `a2`"));
        assert!(message("green@head", &[]).contains("no branch or revision is called `green`"));
        assert!(message("+1", &["a1"]).contains("divides at a1 into a2, b1"));
        assert!(message("+1", &["a2", "b2"]).contains("several revisions: a2, b2"));
        assert!(message("+3", &["b1"]).contains("only 1 of 3"));
        assert!(message("-1", &["b1"]).contains("goes down"));
        assert!(message("red@b2", &[]).contains("b2 is not on that branch"));
        assert!(message("a b", &[]).contains("is not a revision's name"));
        assert!(message("@head", &[]).contains("is not a revision's name"));
    }
}
