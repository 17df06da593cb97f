//! The graph of revisions: parents by `revises`, dependencies by `depends-on`.

mod build;
mod order;

use std::collections::HashMap;
use std::path::PathBuf;

use super::folder::FolderDigest;
use super::{Id, Revision};

/// The index of a revision in its graph. A revision's prerequisites have smaller indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(usize);

impl Node {
    /// The index, from 0.
    pub fn index(self) -> usize {
        self.0
    }
}

/// Revisions with unique ids, without missing parents and without circles.
#[derive(Clone, Debug)]
pub struct Graph {
    /// In an order in which they can be applied; by id where the graph leaves a choice.
    revisions: Vec<Revision>,
    nodes: HashMap<Id, Node>,
    parents: Vec<Vec<Node>>,
    children: Vec<Vec<Node>>,
    /// Parents and dependencies.
    prerequisites: Vec<Vec<Node>>,
    /// Children and dependents.
    dependents: Vec<Vec<Node>>,
    /// The last of the revisions whose files have no `revises` header: the order of their ids is a chain.
    chain_end: Option<Id>,
    /// The digest of the folder that all revisions were read from, if there is one.
    digest: Option<FolderDigest>,
    /// Subfolders with `.sql` files, which were not read.
    unread_folders: Vec<PathBuf>,
}

impl Graph {
    /// The digest of the folder that all revisions were read from, if there is one.
    pub fn digest(&self) -> Option<&FolderDigest> {
        self.digest.as_ref()
    }

    /// The subfolders of that folder with `.sql` files, which were not read.
    pub fn unread_folders(&self) -> &[PathBuf] {
        &self.unread_folders
    }

    /// The last of the revisions whose files have no `revises` header: the order of their ids is a chain, so a new id must come behind
    /// it.
    pub fn chain_end(&self) -> Option<&Id> {
        self.chain_end.as_ref()
    }

    /// The number of revisions.
    pub fn len(&self) -> usize {
        self.revisions.len()
    }

    /// Whether there is no revision. A folder that was read has at least one.
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
        &self.prerequisites[node.0]
    }

    /// Children and dependents.
    pub fn dependents(&self, node: Node) -> &[Node] {
        &self.dependents[node.0]
    }

    /// The revisions without a child.
    pub fn heads(&self) -> Vec<Node> {
        self.nodes().filter(|node| self.children(*node).is_empty()).collect()
    }

    /// The revisions without a parent.
    pub fn roots(&self) -> Vec<Node> {
        self.nodes().filter(|node| self.parents(*node).is_empty()).collect()
    }

    /// `from`, and all nodes that can be reached from there along `edges`.
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
        self.0.iter().enumerate().filter(|(_, is_in)| **is_in).map(|(index, _)| Node(index))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;
    use crate::revision::ParsedRevision;
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
    fn headers_may_begin_behind_a_chain_without_them() {
        let graph = graph(&["9", "10", "11 < 10", "12 < 9"]);
        assert_eq!(ids(&graph, graph.nodes()), "9, 10, 11, 12");
        assert_eq!(ids(&graph, graph.heads()), "11, 12");
        assert_eq!(graph.chain_end().map(Id::as_str), Some("10"));
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
        assert!(
            faults(&["1 <", "2"])[0]
                .starts_with("2.sql: has no `revises` header, but 1.sql before it has one; add the header, such as `-- revises: 1`")
        );
        assert!(faults(&["1", "1"])[0].contains("the id `1` is also that of 1.sql"));
        assert!(faults(&["base1 <", "2 < bas1"])[0].starts_with("2.sql:2:1: revises `bas1`, which no file has (did you mean `base1`?)"));
        assert!(faults(&["1 <", "2 < 1 ! 7"])[0].starts_with("2.sql:3:1: depends on `7`"));
        assert!(faults(&["1 < 3", "2 < 1", "3 < 2", "4 <"])[0].contains("in a circle: 1 → 3 → 2 → 1"));
        assert!(faults(&["1 <@x", "2 <@x"])[0].contains("the branch label `x` is also that of 1.sql"));
        assert!(faults(&["1 <@2", "2 <"])[0].contains("branch label `2`"));
    }
}
