//! Revisions into a graph: parents resolved, faults collected.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::order::sort_by_prerequisites;
use super::{Graph, Node};
use crate::revision::folder::RevisionFiles;
use crate::revision::format::{header_place, parse};
use crate::revision::id::compare_naturally;
use crate::revision::{Fault, FileProblem, Id, ParsedRevision, Revision};
use crate::words::nearest;

impl Graph {
    /// Reads all revisions of a folder, or returns all its faults.
    pub fn load(folder: &Path) -> Result<Self, Vec<Fault>> {
        Self::of(RevisionFiles::read(folder)?)
    }

    /// Parses the files of a folder, or returns all their faults.
    pub fn of(files: RevisionFiles) -> Result<Self, Vec<Fault>> {
        let digest = files.digest();
        let graph = Self::build(files.parse(parse)?)?;
        Ok(Self { digest, ..graph })
    }

    /// Builds a graph, or returns all its faults.
    pub fn build(mut parsed: Vec<ParsedRevision>) -> Result<Self, Vec<Fault>> {
        parsed.sort_by(|a, b| compare_naturally(a.revision.id.as_str(), b.revision.id.as_str()));
        let has_revises_headers = parsed.iter().any(|parsed| parsed.has_revises);
        let mut faults = link_chain(&mut parsed);
        faults.extend(find_duplicates(&parsed));
        let revisions: Vec<Revision> = parsed.into_iter().map(|parsed| parsed.revision).collect();
        faults.extend(find_missing(&revisions));
        if !faults.is_empty() {
            faults.sort();
            return Err(faults);
        }
        Self::connect(sort_by_prerequisites(revisions)?, has_revises_headers)
    }

    /// This graph together with revisions that have no file here.
    pub fn extended(&self, more: Vec<Revision>) -> Result<Self, Vec<Fault>> {
        let mut revisions = self.revisions.clone();
        revisions.extend(more);
        revisions.sort_by(|a, b| compare_naturally(a.id.as_str(), b.id.as_str()));
        let faults = find_missing(&revisions);
        if !faults.is_empty() {
            return Err(faults);
        }
        Self::connect(sort_by_prerequisites(revisions)?, self.has_revises_headers)
    }

    /// Resolves ids to nodes. `revisions` are in an applicable order, and no id is missing.
    fn connect(revisions: Vec<Revision>, has_revises_headers: bool) -> Result<Self, Vec<Fault>> {
        let nodes: HashMap<Id, Node> = revisions.iter().enumerate().map(|(index, revision)| (revision.id.clone(), Node(index))).collect();
        let empty = vec![Vec::new(); revisions.len()];
        let mut graph = Self {
            parents: empty.clone(),
            children: empty.clone(),
            prerequisites: empty.clone(),
            dependents: empty,
            nodes,
            revisions,
            has_revises_headers,
            digest: None,
        };
        for (index, revision) in graph.revisions.iter().enumerate() {
            for parent in revision.parents.iter().filter_map(|id| graph.nodes.get(id)) {
                graph.parents[index].push(*parent);
                graph.children[parent.0].push(Node(index));
            }
            for prerequisite in revision.prerequisites().filter_map(|id| graph.nodes.get(id)).collect::<BTreeSet<_>>() {
                graph.prerequisites[index].push(*prerequisite);
                graph.dependents[prerequisite.0].push(Node(index));
            }
        }
        Ok(graph)
    }
}

/// Where no file has a `revises` header, each revision's parent is the one with the previous id.
fn link_chain(parsed: &mut [ParsedRevision]) -> Vec<Fault> {
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

/// Ids and branch labels that are not unique.
fn find_duplicates(parsed: &[ParsedRevision]) -> Vec<Fault> {
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

/// Parents and dependencies that no revision has as its id.
fn find_missing(revisions: &[Revision]) -> Vec<Fault> {
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
