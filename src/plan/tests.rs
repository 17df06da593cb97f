//! Upgrades, downgrades and stamps of small graphs, and of random ones.

use std::collections::BTreeSet;

use super::downgrade::select_to_undo;
use super::stamp::stamp;
use super::*;
use crate::revision::graph::tests::graph;
use crate::revision::name::RevisionName;
use crate::revision::{Id, join_ids};

fn nodes(graph: &Graph, ids: &[&str]) -> Vec<Node> {
    ids.iter().map(|id| graph.node(id).expect("a row")).collect()
}

fn describe(plan: &Plan<'_>) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{}: {} → {}", step.revision.id, join_ids(&step.before), join_ids(&step.after))).collect()
}

fn upgrade(lines: &[&str], rows: &[&str], target: &str) -> Vec<String> {
    let graph = graph(lines);
    let rows = nodes(&graph, rows);
    let targets = RevisionName::parse(target).expect("a name").targets(&graph, &rows).expect("targets");
    describe(&Plan::upgrade(&graph, &rows, &targets))
}

fn downgrade(lines: &[&str], rows: &[&str], target: &str) -> Vec<String> {
    let graph = graph(lines);
    let rows = nodes(&graph, rows);
    match select_to_undo(&graph, &rows, &RevisionName::parse(target).expect("a name"), &BTreeSet::new()) {
        Ok(to_undo) => describe(&Plan::downgrade(&graph, &rows, &to_undo, &BTreeSet::new()).expect("a plan")),
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn a_chain_moves_one_row() {
    assert_eq!(upgrade(&["1", "2", "3"], &["1"], "head"), ["2: 1 → 2", "3: 2 → 3"]);
    assert_eq!(upgrade(&["1", "2", "3"], &[], "2"), ["1: base → 1", "2: 1 → 2"]);
    assert_eq!(upgrade(&["1", "2", "3"], &["3"], "head"), Vec::<String>::new());
    assert_eq!(upgrade(&["1", "2", "3"], &["3"], "1"), Vec::<String>::new());
    assert_eq!(downgrade(&["1", "2", "3"], &["3"], "-2"), ["3: 3 → 2", "2: 2 → 1"]);
    assert_eq!(downgrade(&["1", "2", "3"], &["2"], "base"), ["2: 2 → 1", "1: 1 → base"]);
    assert_eq!(downgrade(&["1", "2", "3"], &["2"], "2"), Vec::<String>::new());
    assert_eq!(downgrade(&["1", "2", "3"], &["2"], "3"), ["3 is not applied, so there is nothing above it to undo"]);
}

#[test]
fn branches_add_rows_and_merges_join_them() {
    let forked = ["1 <", "2a < 1", "2b < 1", "3 < 2a, 2b"];
    assert_eq!(upgrade(&forked, &[], "head"), ["1: base → 1", "2a: 1 → 2a", "2b: 2a → 2a, 2b", "3: 2a, 2b → 3"]);
    assert_eq!(downgrade(&forked, &["3"], "1"), ["3: 3 → 2a, 2b", "2b: 2a, 2b → 2a", "2a: 2a → 1"]);
    assert_eq!(downgrade(&forked, &["2a", "2b"], "2b@1"), ["2b: 2a, 2b → 2a"]);
}

#[test]
fn a_dependency_is_implied_by_its_dependent() {
    let crossed = ["a1 <", "b1 <", "a2 < a1 ! b1"];
    assert_eq!(upgrade(&crossed, &["a1"], "a2"), ["b1: a1 → a1, b1", "a2: a1, b1 → a2"]);
    assert_eq!(downgrade(&crossed, &["a2"], "-1"), ["a2: a2 → a1, b1"]);
    assert_eq!(downgrade(&crossed, &["a2"], "-2"), ["a2: a2 → a1, b1", "a1: a1, b1 → b1"]);
    assert_eq!(downgrade(&crossed, &["a2"], "b1@base"), ["a2: a2 → a1, b1", "b1: a1, b1 → a1"]);
    assert_eq!(downgrade(&crossed, &["a2"], "b1"), Vec::<String>::new());
}

#[test]
fn a_row_that_another_implies_goes_with_the_next_step() {
    let graph = graph(&["1", "2", "3"]);
    let plan = Plan::upgrade(&graph, &nodes(&graph, &["1", "2"]), &nodes(&graph, &["3"]));
    assert_eq!(describe(&plan), ["3: 1, 2 → 3"]);
}

#[test]
fn what_only_goes_up_is_refused_with_all_its_like() {
    let lines = |down: &str| {
        let file = |id: &str| format!("-- migrate:up\nSELECT 1;\n{}", if id == "1" { "-- migrate:down\nSELECT 2;\n" } else { down });
        let parse = |id| crate::revision::format::parse(std::path::Path::new(&format!("{id}.sql")), file(id).into_bytes()).expect("sound");
        Graph::build(["1", "2", "3"].map(parse).into()).expect("a graph")
    };
    let graph = lines("");
    let rows = nodes(&graph, &["3"]);
    let to_undo = select_to_undo(&graph, &rows, &RevisionName::parse("base").expect("a name"), &BTreeSet::new()).expect("ids");
    let error = Plan::downgrade(&graph, &rows, &to_undo, &BTreeSet::new()).expect_err("irreversible");
    assert_eq!(error.to_string(), "3 (3.sql), 2 (2.sql) can't be undone: no `-- migrate:down` section");
}

#[test]
fn unapplied_revisions_are_not_undone() {
    let down = |lines: &[&str], rows: &[&str], unapplied: &[&str], target: &str| {
        let graph = graph(lines);
        let (rows, unapplied) = (nodes(&graph, rows), nodes(&graph, unapplied).into_iter().collect());
        match select_to_undo(&graph, &rows, &RevisionName::parse(target).expect("a name"), &unapplied) {
            Ok(to_undo) => describe(&Plan::downgrade(&graph, &rows, &to_undo, &unapplied).expect("a plan")),
            Err(error) => vec![error.to_string()],
        }
    };
    let chain = ["1", "2", "3", "4"];
    for target in ["1", "3-2"] {
        assert_eq!(down(&chain, &["4"], &["2"], target), ["4: 4 → 3", "3: 3 → 1"]);
    }
    assert_eq!(down(&chain, &["3"], &["2"], "-1"), ["3: 3 → 1"]);
    assert_eq!(down(&chain, &["4"], &["2", "3"], "base"), ["4: 4 → 1", "1: 1 → base"]);
    assert_eq!(down(&chain, &["4"], &["2"], "2"), ["2 is not applied, so there is nothing above it to undo"]);
    let merged = ["1 <", "2a < 1", "2b < 1", "3 < 2a, 2b"];
    assert_eq!(down(&merged, &["3"], &["2b"], "1"), ["3: 3 → 2a", "2a: 2a → 1"]);
}

#[test]
fn only_the_named_revisions_are_undone() {
    let graph = graph(&["1", "2", "3"]);
    let to_undo: BTreeSet<Id> = [Id::parse("2").expect("an id")].into();
    assert_eq!(describe(&Plan::downgrade(&graph, &nodes(&graph, &["2"]), &to_undo, &BTreeSet::new()).expect("a plan")), ["2: 2 → 1"]);
    assert_eq!(
        describe(&Plan::downgrade(&graph, &nodes(&graph, &["1"]), &to_undo, &BTreeSet::new()).expect("a plan")),
        Vec::<String>::new()
    );
    let error = Plan::downgrade(&graph, &nodes(&graph, &["3"]), &to_undo, &BTreeSet::new()).expect_err("3 stands on it");
    assert!(error.to_string().starts_with("3 would be undone too"));
}

#[test]
fn a_stamp_replaces_the_rows_of_ancestors_and_descendants() {
    let graph = graph(&["a1 <", "a2 < a1", "b1 < a1 @ blue", "m < a2, b1", "c1 < @ red"]);
    let stamped = |rows: &[&str], names: &[&str]| {
        let names: Vec<RevisionName> = names.iter().map(|name| RevisionName::parse(name).expect("a name")).collect();
        stamp(&graph, &nodes(&graph, rows), &names).map(|rows| join_ids(&rows)).unwrap_or_else(|error| error.to_string())
    };
    assert_eq!(stamped(&[], &["heads"]), "c1, m");
    assert_eq!(stamped(&["a2", "b1", "c1"], &["a1"]), "a1, c1");
    assert_eq!(stamped(&["m"], &["a2", "blue"]), "a2, b1");
    assert_eq!(stamped(&["a2"], &["b1"]), "a2, b1");
    assert_eq!(stamped(&["m", "c1"], &["base"]), "base");
    assert_eq!(stamped(&["m", "c1"], &["red@base"]), "m");
    assert_eq!(stamped(&["m"], &["-1"]), "`-1`: the way divides at m into a2, b1; name the revision, or the branch as BRANCH@-1");
    assert!(stamped(&[], &["head"]).contains("several heads"));
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    /// A graph of up to a dozen revisions. Each has three random numbers, whose bits choose its parents and its dependencies.
    fn graphs() -> impl Strategy<Value = Graph> {
        proptest::collection::vec((any::<u16>(), any::<u16>(), any::<u16>()), 1..12).prop_map(|bits| {
            let pick = |bits: u16, end: usize| (0..end).filter(move |place| bits >> place & 1 == 1).map(|place| format!("r{place}"));
            let lines: Vec<String> = bits
                .iter()
                .enumerate()
                .map(|(place, (first, second, third))| {
                    let parents: Vec<String> = pick(first & second, place).take(3).collect();
                    let depends: Vec<String> = pick(first & third & !second, place).take(2).collect();
                    let depends = if depends.is_empty() { String::new() } else { format!("! {}", depends.join(", ")) };
                    format!("r{place} < {} {depends}", parents.join(", "))
                })
                .collect();
            graph(&lines.iter().map(String::as_str).collect::<Vec<_>>())
        })
    }

    fn chosen(graph: &Graph, bits: u16) -> Vec<Node> {
        graph.nodes().filter(|node| bits >> node.index() & 1 == 1).collect()
    }

    /// The rows of the database that the revisions `chosen` and all below them were applied to.
    fn rows(graph: &Graph, chosen: &[Node]) -> Vec<Node> {
        let applied = graph.reach(chosen, Graph::prerequisites);
        applied.nodes().filter(|node| !graph.dependents(*node).iter().any(|above| applied.contains(*above))).collect()
    }

    /// Simulates a plan and checks every step; returns what it leaves applied.
    fn run(graph: &Graph, start: &[Node], plan: &Plan<'_>) -> Vec<Node> {
        let mut applied = graph.reach(start, Graph::prerequisites).nodes().collect::<BTreeSet<_>>();
        let mut expected: VersionRows = start.iter().map(|node| graph.id(*node).clone()).collect();
        for step in &plan.steps {
            let node = graph.node(step.revision.id.as_str()).expect("a node");
            assert_eq!(step.before, expected);
            match plan.direction {
                Direction::Up => {
                    assert!(graph.prerequisites(node).iter().all(|below| applied.contains(below)), "below first");
                    assert!(applied.insert(node), "once");
                }
                Direction::Down => {
                    assert!(!graph.dependents(node).iter().any(|above| applied.contains(above)), "above first");
                    assert!(applied.remove(&node), "once");
                }
            }
            let all: Vec<Node> = applied.iter().copied().collect();
            assert_eq!(step.after, rows(graph, &all).into_iter().map(|node| graph.id(node).clone()).collect::<VersionRows>(), "maximal");
            expected = step.after.clone();
        }
        rows(graph, &applied.into_iter().collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn up_and_then_down_returns(graph in graphs(), state in any::<u16>(), target in any::<u16>()) {
            let start = rows(&graph, &chosen(&graph, state));
            let up = Plan::upgrade(&graph, &start, &chosen(&graph, target));
            let reached = run(&graph, &start, &up);
            let now = graph.reach(&reached, Graph::prerequisites);
            prop_assert!(chosen(&graph, target).iter().chain(&start).all(|node| now.contains(*node)));
            let to_undo = up.steps.iter().map(|step| step.revision.id.clone()).collect();
            let down = Plan::downgrade(&graph, &reached, &to_undo, &BTreeSet::new()).expect("nothing else stands on what was new");
            prop_assert_eq!(run(&graph, &reached, &down), start);
        }

        #[test]
        fn down_to_any_name_and_up_again_returns(graph in graphs(), state in any::<u16>(), target in 0usize..12, label in 0usize..12) {
            let start = rows(&graph, &chosen(&graph, state));
            let id = |place: usize| graph.nodes().nth(place % graph.len()).map(|node| graph.id(node).to_string()).expect("an id");
            let names = [id(target), "base".into(), "-1".into(), "-2".into(), format!("{}@-1", id(label)), format!("{}@base", id(label)), format!("{}@{}", id(label), id(target))];
            for typed in names {
                let name = RevisionName::parse(&typed).expect("a name");
                let Ok(to_undo) = select_to_undo(&graph, &start, &name, &BTreeSet::new()) else { continue };
                let down = Plan::downgrade(&graph, &start, &to_undo, &BTreeSet::new()).expect("all that stands on it is to be undone too");
                let reached = run(&graph, &start, &down);
                prop_assert_eq!(down.steps.len(), to_undo.len());
                if let Ok(Some(node)) = name.downgrade_target(&graph, &start).map(|found| found.target) {
                    prop_assert!(graph.reach(&reached, Graph::prerequisites).contains(node), "the target itself stays");
                }
                if typed == "base" {
                    prop_assert!(reached.is_empty());
                }
                prop_assert_eq!(run(&graph, &reached, &Plan::upgrade(&graph, &reached, &start)), start.clone());
            }
        }

        #[test]
        fn a_stamp_leaves_rows_that_mean_its_targets(graph in graphs(), state in any::<u16>(), target in any::<u16>()) {
            let start = rows(&graph, &chosen(&graph, state));
            let targets = chosen(&graph, target);
            let names: Vec<RevisionName> = targets.iter().map(|node| RevisionName::parse(graph.id(*node).as_str()).expect("a name")).collect();
            let stamped = stamp(&graph, &start, &names).expect("rows");
            let nodes: Vec<Node> = stamped.iter().map(|id| graph.node(id.as_str()).expect("a node")).collect();
            prop_assert_eq!(&rows(&graph, &nodes), &graph.nodes().filter(|node| nodes.contains(node)).collect::<Vec<_>>());
            let now = graph.reach(&nodes, Graph::prerequisites);
            prop_assert!(targets.iter().all(|node| now.contains(*node)));
        }
    }
}
