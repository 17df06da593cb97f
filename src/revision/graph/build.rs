//! Revisions into a graph: parents resolved, faults collected.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::SystemTime;

use super::order::sort_by_prerequisites;
use super::{Graph, Node};
use crate::revision::folder::RevisionFiles;
use crate::revision::format::{header_place, parse};
use crate::revision::id::compare_naturally;
use crate::revision::next_id::next_id;
use crate::revision::{Fault, FileProblem, Id, ParsedRevision, Revision};
use crate::words::{nearest, shell_word};

impl Graph {
    /// Reads all revisions of a folder, or returns all its faults.
    pub fn load(folder: &Path) -> Result<Self, Vec<Fault>> {
        Self::of(RevisionFiles::read(folder)?)
    }

    /// Parses the files of a folder, or returns all their faults.
    pub fn of(files: RevisionFiles) -> Result<Self, Vec<Fault>> {
        let digest = files.digest();
        let unread_folders = files.unread_folders.clone();
        let graph = Self::build(files.parse(parse)?)?;
        Ok(Self { digest, unread_folders, ..graph })
    }

    /// Builds a graph, or returns all its faults.
    pub fn build(mut parsed: Vec<ParsedRevision>) -> Result<Self, Vec<Fault>> {
        parsed.sort_by(|a, b| compare_naturally(a.revision.id.as_str(), b.revision.id.as_str()));
        let chain_end = parsed.iter().take_while(|parsed| !parsed.has_revises).last().map(|parsed| parsed.revision.id.clone());
        let mut faults = link_chain(&mut parsed);
        faults.extend(find_duplicates(&parsed));
        let revisions: Vec<Revision> = parsed.into_iter().map(|parsed| parsed.revision).collect();
        faults.extend(find_missing(&revisions));
        if !faults.is_empty() {
            faults.sort();
            return Err(faults);
        }
        Self::connect(sort_by_prerequisites(revisions)?, chain_end)
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
        Self::connect(sort_by_prerequisites(revisions)?, self.chain_end.clone())
    }

    /// Resolves ids to nodes. `revisions` are in an applicable order, and no id is missing.
    fn connect(revisions: Vec<Revision>, chain_end: Option<Id>) -> Result<Self, Vec<Fault>> {
        let nodes: HashMap<Id, Node> = revisions.iter().enumerate().map(|(index, revision)| (revision.id.clone(), Node(index))).collect();
        let empty = vec![Vec::new(); revisions.len()];
        let mut graph = Self {
            parents: empty.clone(),
            children: empty.clone(),
            prerequisites: empty.clone(),
            dependents: empty,
            nodes,
            revisions,
            chain_end,
            digest: None,
            unread_folders: Vec::new(),
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

/// Files without a `revises` header make a chain: the parent of each is the one with the previous id. They come first; behind a file
/// with the header, its parent would be a guess.
fn link_chain(parsed: &mut [ParsedRevision]) -> Vec<Fault> {
    let first = parsed.iter().position(|parsed| parsed.has_revises).unwrap_or(parsed.len());
    let (parsed, explicit) = parsed.split_at_mut(first);
    if let Some(with) = explicit.first() {
        let other = with.revision.path.display().to_string();
        let mut faults = Vec::new();
        for pair in explicit.windows(2) {
            if let [before, after] = pair
                && !after.has_revises
            {
                let problem = FileProblem::MixedChain { other: other.clone(), parent: before.revision.id.to_string() };
                faults.push(Fault::of(&after.revision.path, problem));
            }
        }
        if !faults.is_empty() {
            return faults;
        }
    }
    let ids: Vec<Id> = parsed.iter().map(|parsed| parsed.revision.id.clone()).collect();
    for (parent, child) in ids.into_iter().zip(parsed.iter_mut().skip(1)) {
        child.revision.parents = vec![parent];
    }
    Vec::new()
}

/// How to give the second of two revisions with the same id another one.
fn renumber(parsed: &[ParsedRevision], first: &ParsedRevision, second: &ParsedRevision) -> String {
    let ids: Vec<&Id> = parsed.iter().map(|parsed| &parsed.revision.id).collect();
    let (revision, id) = (&second.revision, &second.revision.id);
    let Some(free) = next_id(&ids, SystemTime::now()) else { return "give the other one another id".to_owned() };
    let name = revision.file_name();
    let rest = name.strip_prefix(id.as_str()).filter(|rest| rest.starts_with(['_', '.']));
    let renamed = revision.path.with_file_name(rest.map_or_else(|| format!("{free}_{name}"), |rest| format!("{free}{rest}")));
    let mut steps = Vec::new();
    if revision.path != renamed {
        steps.push(format!("`mv {} {}`", shell_word(&revision.path.display().to_string()), shell_word(&renamed.display().to_string())));
    }
    let mut headers = Vec::new();
    if header_place(revision, "revision").is_some() {
        headers.push(format!("`-- revision: {free}`"));
    }
    if second.has_revises && (revision.parents == first.revision.parents) {
        headers.push(format!("`-- revises: {id}`"));
    }
    if !headers.is_empty() {
        steps.push(format!("write {} in its header", headers.join(" and ")));
    }
    format!("give the other one the next id: {}", steps.join(", then "))
}

/// Ids and branch labels that are not unique.
fn find_duplicates(parsed: &[ParsedRevision]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut branches: HashMap<&str, &Path> = HashMap::new();
    for pair in parsed.windows(2) {
        if let [first, second] = pair
            && first.revision.id == second.revision.id
        {
            let problem = FileProblem::DuplicateId {
                id: second.revision.id.to_string(),
                other: first.revision.path.display().to_string(),
                renumber: renumber(parsed, first, second),
            };
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
