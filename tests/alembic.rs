//! Beside the real Alembic: names mean the same, and each takes over from the other at any step.

use std::collections::BTreeSet;
use std::path::Path;

use pgmarch::plan::Plan;
use pgmarch::plan::downgrade::select_to_undo;
use pgmarch::revision::graph::{Graph, Node};
use pgmarch::revision::name::RevisionName;
use pgmarch::revision::{Id, format};
use serde_json::{Value, json};

use crate::support::alembic::{Alembic, Driver};
use crate::support::{Database, Project, pgmarch};

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

struct Drawn {
    id: String,
    parents: Vec<String>,
    depends_on: Vec<String>,
    label: Option<String>,
}

/// A graph of up to nine revisions with branches, merges, dependencies, labels and several roots.
fn draw(numbers: &mut Numbers) -> Vec<Drawn> {
    let mut drawn: Vec<Drawn> = Vec::new();
    for place in 0..2 + numbers.below(8) {
        let mut pick = |percent: usize, most: usize| {
            let mut picked = BTreeSet::new();
            while place > 0 && picked.len() < most && numbers.chance(percent) {
                picked.insert(drawn[numbers.below(place)].id.clone());
            }
            picked
        };
        let parents = pick(80, 2);
        let depends_on: Vec<String> = pick(25, 1).difference(&parents).cloned().collect();
        let label = numbers.chance(30).then(|| format!("label{place}"));
        drawn.push(Drawn { id: format!("rev{place}"), parents: parents.into_iter().collect(), depends_on, label });
    }
    drawn
}

fn graph(drawn: &[Drawn]) -> Graph {
    let parse = |one: &Drawn| {
        let mut text = format!("-- revision: {}\n-- revises: {}\n", one.id, one.parents.join(", "));
        if !one.depends_on.is_empty() {
            text += &format!("-- depends-on: {}\n", one.depends_on.join(", "));
        }
        if let Some(label) = &one.label {
            text += &format!("-- branch: {label}\n");
        }
        text += "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n";
        format::parse(Path::new(&format!("{}.sql", one.id)), text.into_bytes()).expect("a sound revision")
    };
    Graph::build(drawn.iter().map(parse).collect()).expect("a sound graph")
}

/// The rows that a database may have: what some revisions and all below them leave.
fn some_rows(graph: &Graph, numbers: &mut Numbers) -> Vec<Node> {
    let chosen: Vec<Node> = graph.nodes().filter(|_| numbers.chance(45)).collect();
    let applied = graph.reach(&chosen, Graph::prerequisites);
    applied.nodes().filter(|node| !graph.dependents(*node).iter().any(|above| applied.contains(*above))).collect()
}

fn names(drawn: &[Drawn], numbers: &mut Numbers) -> Vec<String> {
    let mut some = || drawn[numbers.below(drawn.len())].id.clone();
    let mut names: Vec<String> = ["head", "heads", "base", "+1", "+2", "-1", "-2"].map(str::to_owned).into();
    for _ in 0..2 {
        names.extend([some(), format!("{}+1", some()), format!("{}-1", some()), format!("{}@head", some()), format!("{}@heads", some())]);
        names.extend([format!("{}@-1", some()), format!("{}@+1", some()), format!("{}@base", some()), format!("{}@{}", some(), some())]);
    }
    for label in drawn.iter().filter_map(|one| one.label.as_ref()).take(2) {
        names.extend([label.clone(), format!("{label}@head"), format!("{label}@-1"), format!("{label}@+1"), format!("{label}@base")]);
        names.extend([format!("{label}@-2"), format!("{label}@+2"), format!("{label}@{}", some())]);
    }
    names
}

/// What we would run.
fn ours(graph: &Graph, rows: &[Node], way: &str, name: &str) -> Result<BTreeSet<String>, String> {
    let name = RevisionName::parse(name).map_err(|error| error.to_string())?;
    if way == "up" {
        let targets = name.targets(graph, rows).map_err(|error| error.to_string())?;
        return Ok(Plan::upgrade(graph, rows, &targets).steps.iter().map(|step| step.revision.id.to_string()).collect());
    }
    let to_undo = select_to_undo(graph, rows, &name, &BTreeSet::new()).map_err(|error| error.to_string())?;
    Ok(to_undo.iter().map(Id::to_string).collect())
}

#[test]
fn names_mean_what_they_mean_to_alembic() {
    let mut alembic = Driver::planner();
    let mut numbers = Numbers(4711);
    let (mut same, mut both_refuse, mut on_purpose) = (0, 0, 0);
    let mut differences = Vec::new();
    for _ in 0..60 {
        let drawn = draw(&mut numbers);
        let graph = graph(&drawn);
        let mut cases = Vec::new();
        for _ in 0..3 {
            let rows = some_rows(&graph, &mut numbers);
            for name in names(&drawn, &mut numbers) {
                cases.extend(["up", "down"].map(|way| (way, rows.clone(), name.clone())));
            }
        }
        let ids = |rows: &[Node]| rows.iter().map(|row| graph.id(*row).to_string()).collect::<Vec<_>>();
        let requests: Vec<Value> = cases.iter().map(|(way, rows, name)| json!({ "way": way, "rows": ids(rows), "name": name })).collect();
        let revisions = drawn.iter().map(|one| json!({ "id": one.id, "parents": one.parents, "depends_on": one.depends_on, "labels": one.label.iter().collect::<Vec<_>>() }));
        let answers = alembic.ask(&json!({ "revisions": revisions.collect::<Vec<_>>(), "cases": requests }));
        for ((way, rows, name), answer) in cases.iter().zip(answers["answers"].as_array().expect("answers")) {
            let theirs = match answer["ids"].as_array() {
                Some(ids) => Ok(ids.iter().filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>()),
                None => Err(answer["error"].as_str().unwrap_or("?").to_owned()),
            };
            let ours = ours(&graph, rows, way, name);
            match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) if ours == theirs => same += 1,
                (Err(_), Err(_)) => both_refuse += 1,
                (ours, theirs) if differs_on_purpose(way, name, rows.len(), ours, theirs) => on_purpose += 1,
                (ours, theirs) => differences.push(format!(
                    "{way} {name} from {:?} in {}: {ours:?}, Alembic {theirs:?}",
                    ids(rows),
                    drawn
                        .iter()
                        .map(|one| format!("{}<{:?}!{:?}@{:?}", one.id, one.parents, one.depends_on, one.label))
                        .collect::<Vec<_>>()
                        .join(" ")
                )),
            }
        }
    }
    println!("{same} the same, {both_refuse} refused by both, {on_purpose} differ on purpose, {} otherwise", differences.len());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(same > 4_000 && on_purpose * 5 < same, "{same} the same, {on_purpose} on purpose");
}

/// Where both run something, they run the same. One may refuse what the other does not:
fn differs_on_purpose(
    way: &str,
    name: &str,
    rows: usize,
    ours: &Result<BTreeSet<String>, String>,
    theirs: &Result<BTreeSet<String>, String>,
) -> bool {
    let error = |text: &str| theirs.as_ref().is_err_and(|error| error.contains(text));
    let nothing = ours.as_ref().is_ok_and(BTreeSet::is_empty);
    match ours {
        // Alembic warns that this is ambiguous, and takes any row; `heads` that is at a head.
        Err(_) => way == "down" && (name.starts_with('-') && rows > 1 || name.ends_with("@heads")),
        Ok(_) if way == "up" => nothing && error("AssertionError") || error("overlaps with other requested revisions"),
        // A branch settles the way at a merge, and what is above a fork on it.
        Ok(_) if name.contains('@') && (error("Ambiguous walk") || error("Not a valid downgrade target")) => true,
        Ok(_) => nothing && (error("MultipleHeads") || error("Nothing to drop")),
    }
}

/// The same graph for both: a branch, a merge, a dependency on another root.
fn twins() -> (Alembic, Project) {
    let rows: [(&str, &[&str], &str, &str); 9] = [
        ("a100", &[], "", ""),
        ("a200", &["a100"], "", ""),
        ("b200", &["a100"], "", "side"),
        ("b300", &["b200"], "", ""),
        ("m400", &["a200", "b300"], "", ""),
        ("x100", &[], "", "extra"),
        ("x200", &["x100"], "", ""),
        ("d500", &["m400"], "x100", ""),
        ("d600", &["d500"], "", ""),
    ];
    let (mut alembic, mut project) = (Alembic::new(), Project::new());
    for (id, parents, depends, label) in rows {
        let mut others = String::new();
        let mut headers =
            format!("-- revision: {id}\n-- revises: {}\n", if parents.is_empty() { "base".into() } else { parents.join(", ") });
        if !depends.is_empty() {
            others += &format!("depends_on = {depends:?}\n");
            headers += &format!("-- depends-on: {depends}\n");
        }
        if !label.is_empty() {
            others += &format!("branch_labels = ({label:?},)\n");
            headers += &format!("-- branch: {label}\n");
        }
        let (up, down) = (format!("op.execute('CREATE TABLE t_{id} (id int)')"), format!("op.execute('DROP TABLE t_{id}')"));
        alembic = alembic.revision(id, parents, &others, "twin", &up, &down);
        let text = format!("{headers}\n-- migrate:up\nCREATE TABLE t_{id} (id int);\n\n-- migrate:down\nDROP TABLE t_{id};\n");
        project = project.file(&format!("{id}_twin.sql"), &text);
    }
    (alembic, project)
}

const WALK: [&str; 24] = [
    "upgrade a100",
    "upgrade b200",
    "upgrade side@head",
    "downgrade side@-1",
    "upgrade a200",
    "upgrade m400",
    "downgrade a200",
    "upgrade m400",
    "downgrade b200",
    "upgrade side@+1",
    "upgrade heads",
    "downgrade x100",
    "downgrade d500",
    "upgrade extra@head",
    "downgrade m400",
    "upgrade d600",
    "downgrade extra@-1",
    "downgrade d600-1",
    "downgrade extra@base",
    "upgrade heads",
    "downgrade d600@-2",
    "downgrade a100",
    "upgrade heads",
    "downgrade base",
];

#[test]
fn each_takes_over_from_the_other_at_every_step() {
    for ours_first in [true, false] {
        let (alembic, project) = twins();
        let database = Database::new();
        let mut alembic = alembic.on(&database);
        for (number, step) in WALK.iter().enumerate() {
            let words: Vec<&str> = step.split(' ').collect();
            let ours = (number % 2 == 0) == ours_first;
            if ours {
                let yes: &[&str] = if words[0] == "downgrade" { &["--yes"] } else { &[] };
                pgmarch(&database, &project).args(words.iter().copied().chain(yes.iter().copied())).run().exits(0);
            } else {
                alembic.run(&words);
            }
            let theirs = alembic.current();
            let status = pgmarch(&database, &project).env("PGMARCH_TARGET", "heads").args(["status", "--json"]).run().exits(0).json();
            let mut current: Vec<String> =
                status["current"].as_array().expect("rows").iter().filter_map(Value::as_str).map(str::to_owned).collect();
            current.sort();
            assert_eq!(current, theirs, "after {step}, by {}", if ours { "pgmarch" } else { "Alembic" });
            let rows: Vec<String> =
                database.query("SELECT version_num FROM alembic_version ORDER BY 1").into_iter().map(|mut row| row.remove(0)).collect();
            assert_eq!(rows, theirs);
            let history = status["history"].as_array().expect("history").iter().filter(|entry| entry["state"] == "applied");
            let applied: BTreeSet<String> = history.map(|entry| format!("t_{}", entry["revision"].as_str().expect("an id"))).collect();
            assert_eq!(tables(&database), applied, "after {step}");
        }
        assert!(alembic.current().is_empty());
    }
}

fn tables(database: &Database) -> BTreeSet<String> {
    let sql = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 't\\_%' AND relnamespace = 'public'::regnamespace";
    database.query(sql).into_iter().map(|mut row| row.remove(0)).collect()
}
