//! A folder of revisions as a graph: who stands on whom, in which order, and where it ends.

use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::path::Path;

use crate::revision::folder::{FolderDigest, RevisionFiles};
use crate::revision::format::{ParsedRevision, header_place};
use crate::revision::{Fault, FileProblem, Id, Revision};
use crate::words::nearest;

/// The place of a revision in its graph; every revision stands after those below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(usize);

impl Node {
    /// Its number in the graph's order, from 0.
    pub fn index(self) -> usize {
        self.0
    }
}

/// Revisions, checked to be a graph: unique ids, no missing parent, no circle.
#[derive(Clone, Debug)]
pub struct Graph {
    /// In an order in which they can be applied; where the graph leaves a choice, by id.
    revisions: Vec<Revision>,
    nodes: HashMap<Id, Node>,
    parents: Vec<Vec<Node>>,
    children: Vec<Vec<Node>>,
    /// Parents and dependencies.
    below: Vec<Vec<Node>>,
    /// Children and dependents.
    above: Vec<Vec<Node>>,
    /// Whether the files say what they revise; otherwise the order of their ids does.
    says_revises: bool,
    /// The checksum of the folder, where all of this comes from one.
    digest: Option<FolderDigest>,
}

impl Graph {
    /// Reads all revisions of a folder; or every fault found in it.
    pub fn load(folder: &Path) -> Result<Self, Vec<Fault>> {
        Self::of(RevisionFiles::read(folder)?)
    }

    /// What the files of a folder say; or every fault found in them.
    pub fn of(files: RevisionFiles) -> Result<Self, Vec<Fault>> {
        let digest = files.digest();
        let graph = Self::build(files.parse()?)?;
        Ok(Self { digest, ..graph })
    }

    /// Joins revisions to a graph; or every fault of it.
    pub fn build(mut parsed: Vec<ParsedRevision>) -> Result<Self, Vec<Fault>> {
        parsed.sort_by(|a, b| natural(a.revision.id.as_str(), b.revision.id.as_str()));
        let says_revises = parsed.iter().any(|parsed| parsed.has_revises);
        let mut faults = chain(&mut parsed);
        faults.extend(duplicates(&parsed));
        let revisions: Vec<Revision> = parsed.into_iter().map(|parsed| parsed.revision).collect();
        faults.extend(missing(&revisions));
        if !faults.is_empty() {
            faults.sort();
            return Err(faults);
        }
        Self::connect(order(revisions)?, says_revises)
    }

    /// This graph and revisions that have no file here.
    pub fn extended(&self, more: Vec<Revision>) -> Result<Self, Vec<Fault>> {
        let mut revisions = self.revisions.clone();
        revisions.extend(more);
        revisions.sort_by(|a, b| natural(a.id.as_str(), b.id.as_str()));
        let faults = missing(&revisions);
        if !faults.is_empty() {
            return Err(faults);
        }
        Self::connect(order(revisions)?, self.says_revises)
    }

    /// `revisions` in an applicable order, all ids known.
    fn connect(revisions: Vec<Revision>, says_revises: bool) -> Result<Self, Vec<Fault>> {
        let nodes: HashMap<Id, Node> = revisions.iter().enumerate().map(|(place, revision)| (revision.id.clone(), Node(place))).collect();
        let empty = vec![Vec::new(); revisions.len()];
        let mut graph = Self {
            parents: empty.clone(),
            children: empty.clone(),
            below: empty.clone(),
            above: empty,
            nodes,
            revisions,
            says_revises,
            digest: None,
        };
        for (place, revision) in graph.revisions.iter().enumerate() {
            for parent in revision.parents.iter().filter_map(|id| graph.nodes.get(id)) {
                graph.parents[place].push(*parent);
                graph.children[parent.0].push(Node(place));
            }
            for below in revision.prerequisites().filter_map(|id| graph.nodes.get(id)).collect::<BTreeSet<_>>() {
                graph.below[place].push(*below);
                graph.above[below.0].push(Node(place));
            }
        }
        Ok(graph)
    }

    /// The checksum of the folder, where all of this comes from one.
    pub fn digest(&self) -> Option<&FolderDigest> {
        self.digest.as_ref()
    }

    /// Whether the files say what they revise; otherwise the order of their ids is the chain.
    pub fn says_revises(&self) -> bool {
        self.says_revises
    }

    /// How many revisions there are.
    pub fn len(&self) -> usize {
        self.revisions.len()
    }

    /// Whether there is none; a loaded folder always has one.
    pub fn is_empty(&self) -> bool {
        self.revisions.is_empty()
    }

    /// All nodes, in an applicable order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node> + use<> {
        (0..self.revisions.len()).map(Node)
    }

    /// The revision at a node.
    pub fn revision(&self, node: Node) -> &Revision {
        &self.revisions[node.0]
    }

    /// The id at a node.
    pub fn id(&self, node: Node) -> &Id {
        &self.revisions[node.0].id
    }

    /// The node of an id.
    pub fn node(&self, id: &str) -> Option<Node> {
        self.nodes.get(id).copied()
    }

    /// The revisions that `node` revises.
    pub fn parents(&self, node: Node) -> &[Node] {
        &self.parents[node.0]
    }

    /// The revisions that revise `node`.
    pub fn children(&self, node: Node) -> &[Node] {
        &self.children[node.0]
    }

    /// Parents and dependencies.
    pub fn prerequisites(&self, node: Node) -> &[Node] {
        &self.below[node.0]
    }

    /// Children and dependents.
    pub fn dependents(&self, node: Node) -> &[Node] {
        &self.above[node.0]
    }

    /// The revisions that nothing revises.
    pub fn heads(&self) -> Vec<Node> {
        self.nodes().filter(|node| self.children(*node).is_empty()).collect()
    }

    /// The revisions without a parent.
    pub fn roots(&self) -> Vec<Node> {
        self.nodes().filter(|node| self.parents(*node).is_empty()).collect()
    }

    /// `from` and all that can be reached along `edges`.
    pub fn reach<'g>(&'g self, from: &[Node], edges: impl Fn(&'g Self, Node) -> &'g [Node]) -> NodeSet {
        let mut reached = NodeSet(vec![false; self.len()]);
        let mut open = from.to_vec();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut reached.0[node.0], true) {
                open.extend_from_slice(edges(self, node));
            }
        }
        reached
    }
}

/// A set of nodes of one graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSet(Vec<bool>);

impl NodeSet {
    /// Whether the node is in it.
    pub fn contains(&self, node: Node) -> bool {
        self.0[node.0]
    }

    /// Takes a node out of it.
    pub fn remove(&mut self, node: Node) {
        self.0[node.0] = false;
    }

    /// Its nodes, in an applicable order.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node> + '_ {
        self.0.iter().enumerate().filter(|(_, is_in)| **is_in).map(|(place, _)| Node(place))
    }
}

/// Without any `revises` header the order of the ids is the chain.
fn chain(parsed: &mut [ParsedRevision]) -> Vec<Fault> {
    if let Some(with) = parsed.iter().find(|parsed| parsed.has_revises) {
        let other = with.revision.path.display().to_string();
        let without = parsed.iter().filter(|parsed| !parsed.has_revises);
        return without.map(|parsed| Fault::of(&parsed.revision.path, FileProblem::MixedChain { other: other.clone() })).collect();
    }
    let ids: Vec<Id> = parsed.iter().map(|parsed| parsed.revision.id.clone()).collect();
    for (parent, child) in ids.into_iter().zip(parsed.iter_mut().skip(1)) {
        child.revision.parents = vec![parent];
    }
    Vec::new()
}

fn duplicates(parsed: &[ParsedRevision]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut branches: HashMap<&str, &Path> = HashMap::new();
    for pair in parsed.windows(2) {
        if let [first, second] = pair
            && first.revision.id == second.revision.id
        {
            let problem = FileProblem::DuplicateId { id: second.revision.id.to_string(), other: first.revision.path.display().to_string() };
            faults.push(Fault::of(&second.revision.path, problem));
        }
    }
    for ParsedRevision { revision, .. } in parsed {
        let Some(label) = revision.branch.as_deref() else { continue };
        if let Some(other) = branches.insert(label, &revision.path) {
            let problem = FileProblem::DuplicateBranch { label: label.to_owned(), other: other.display().to_string() };
            faults.push(Fault::of(&revision.path, problem));
        }
        if parsed.iter().any(|parsed| parsed.revision.id.as_str() == label) {
            faults.push(Fault::of(&revision.path, FileProblem::BadBranch(label.to_owned())));
        }
    }
    faults
}

fn missing(revisions: &[Revision]) -> Vec<Fault> {
    let ids: BTreeSet<&str> = revisions.iter().map(|revision| revision.id.as_str()).collect();
    let mut faults = Vec::new();
    for revision in revisions {
        let unknown = |id: &&Id| !ids.contains(id.as_str());
        for id in revision.parents.iter().filter(unknown) {
            let problem = FileProblem::MissingParent { parent: id.to_string(), nearest: nearest(id.as_str(), ids.iter().copied()) };
            faults.push(Fault { path: revision.path.clone(), place: header_place(revision, "revises"), problem });
        }
        for id in revision.depends_on.iter().filter(unknown) {
            let problem = FileProblem::MissingDependency { dependency: id.to_string(), nearest: nearest(id.as_str(), ids.iter().copied()) };
            faults.push(Fault { path: revision.path.clone(), place: header_place(revision, "depends-on"), problem });
        }
    }
    faults
}

/// Kahn's order, the smallest id first among those that are free; what remains is a circle.
fn order(revisions: Vec<Revision>) -> Result<Vec<Revision>, Vec<Fault>> {
    let places: HashMap<&Id, usize> = revisions.iter().enumerate().map(|(place, revision)| (&revision.id, place)).collect();
    let mut above = vec![Vec::new(); revisions.len()];
    let mut waiting = vec![0usize; revisions.len()];
    for (place, revision) in revisions.iter().enumerate() {
        for below in revision.prerequisites().collect::<BTreeSet<_>>() {
            above[places[below]].push(place);
            waiting[place] += 1;
        }
    }
    let mut free: BinaryHeap<std::cmp::Reverse<usize>> =
        (0..revisions.len()).filter(|place| waiting[*place] == 0).map(std::cmp::Reverse).collect();
    let mut sorted = Vec::with_capacity(revisions.len());
    while let Some(std::cmp::Reverse(place)) = free.pop() {
        sorted.push(place);
        for next in &above[place] {
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                free.push(std::cmp::Reverse(*next));
            }
        }
    }
    if sorted.len() < revisions.len() {
        return Err(vec![circle(&revisions, &places, &waiting)]);
    }
    let mut taken: Vec<Option<Revision>> = revisions.into_iter().map(Some).collect();
    Ok(sorted.into_iter().filter_map(|place| taken[place].take()).collect())
}

/// One circle among the revisions still waiting, named in full.
fn circle(revisions: &[Revision], places: &HashMap<&Id, usize>, waiting: &[usize]) -> Fault {
    let mut place = waiting.iter().position(|waiting| *waiting > 0).unwrap_or(0);
    let mut path = Vec::new();
    while !path.contains(&place) {
        path.push(place);
        let stuck = revisions[place].prerequisites().map(|id| places[id]).find(|below| waiting[*below] > 0);
        place = stuck.unwrap_or(place);
    }
    let start = path.iter().position(|seen| *seen == place).unwrap_or(0);
    let names: Vec<&str> = path[start..].iter().chain([&place]).map(|place| revisions[*place].id.as_str()).collect();
    Fault::of(&revisions[place].path, FileProblem::Cycle(names.join(" → ")))
}

/// Text order in which runs of digits compare as numbers: `2` before `10`.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (run_a, run_b) = (run(left), run(right));
        if run_a.is_empty() || run_b.is_empty() {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        }
        let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        let order = if digits(run_a) && digits(run_b) {
            let (x, y) = (run_a.trim_start_matches('0'), run_b.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            run_a.cmp(run_b)
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (&left[run_a.len()..], &right[run_b.len()..]);
    }
}

/// The longest start of `text` that is all digits, or all other characters.
fn run(text: &str) -> &str {
    let Some(first) = text.chars().next() else { return "" };
    let kind = first.is_ascii_digit();
    &text[..text.find(|c: char| c.is_ascii_digit() != kind).unwrap_or(text.len())]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::revision::format::parse;

    /// Revisions from lines `id < parent, parent ! dependency @ label`; a line without `<` has no `revises` header.
    pub(crate) fn parsed(lines: &[&str]) -> Vec<ParsedRevision> {
        lines
            .iter()
            .map(|line| {
                let (line, branch) = line.split_once('@').unwrap_or((line, ""));
                let (line, depends) = line.split_once('!').unwrap_or((line, ""));
                let (id, revises) = line.split_once('<').map_or((line, None), |(id, parents)| (id, Some(parents)));
                let id = id.trim();
                let mut text = format!("-- revision: {id}\n");
                if let Some(parents) = revises {
                    text += &format!("-- revises: {}\n", parents.trim());
                }
                if !depends.is_empty() {
                    text += &format!("-- depends-on: {}\n", depends.trim());
                }
                if !branch.is_empty() {
                    text += &format!("-- branch: {}\n", branch.trim());
                }
                text += "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n";
                parse(Path::new(&format!("{id}.sql")), text.into_bytes()).expect("a sound revision")
            })
            .collect()
    }

    pub(crate) fn graph(lines: &[&str]) -> Graph {
        Graph::build(parsed(lines)).expect("a sound graph")
    }

    fn faults(lines: &[&str]) -> Vec<String> {
        Graph::build(parsed(lines)).expect_err("an unsound graph").iter().map(ToString::to_string).collect()
    }

    fn ids(graph: &Graph, nodes: impl IntoIterator<Item = Node>) -> String {
        crate::revision::join_ids(nodes.into_iter().map(|node| graph.id(node)))
    }

    #[test]
    fn without_headers_the_ids_are_the_chain() {
        let graph = graph(&["10", "9", "1"]);
        assert_eq!(ids(&graph, graph.nodes()), "1, 9, 10");
        assert_eq!(ids(&graph, graph.heads()), "10");
        assert_eq!(ids(&graph, graph.roots()), "1");
    }

    #[test]
    fn a_graph_is_ordered_by_parents_and_dependencies() {
        let graph = graph(&["a <", "z < a", "m < a ! z", "t < m, z", "b < ! t"]);
        assert_eq!(ids(&graph, graph.nodes()), "a, z, m, t, b");
        assert_eq!(ids(&graph, graph.heads()), "t, b");
        let t = graph.node("t").expect("t");
        assert_eq!(ids(&graph, graph.reach(&[t], Graph::prerequisites).nodes()), "a, z, m, t");
    }

    #[test]
    fn faults_name_files_and_ways_out() {
        assert!(faults(&["1 <", "2"])[0].starts_with("2.sql: has no `revises` header, but 1.sql has one"));
        assert!(faults(&["1", "1"])[0].contains("the id `1` is also that of 1.sql"));
        assert!(faults(&["base1 <", "2 < bas1"])[0].starts_with("2.sql:2:1: revises `bas1`, which no file has (did you mean `base1`?)"));
        assert!(faults(&["1 <", "2 < 1 ! 7"])[0].starts_with("2.sql:3:1: depends on `7`"));
        assert!(faults(&["1 < 3", "2 < 1", "3 < 2", "4 <"])[0].contains("in a circle: 1 → 3 → 2 → 1"));
        assert!(faults(&["1 <@x", "2 <@x"])[0].contains("the branch label `x` is also that of 1.sql"));
        assert!(faults(&["1 <@2", "2 <"])[0].contains("branch label `2`"));
    }

    #[test]
    fn numbers_in_names_compare_as_numbers() {
        assert_eq!(natural("2", "10"), Ordering::Less);
        assert_eq!(natural("a2b", "a10a"), Ordering::Less);
        assert_ne!(natural("002", "2"), Ordering::Equal);
        assert_eq!(natural("1", "1"), Ordering::Equal);
        assert_eq!(natural("a", "1"), Ordering::Greater);
    }
}
