//! Names that a user types for revisions: `head`, an id or a unique prefix of one, `+2`, `ID-1`, `branch@head`.
//! Their meaning is Alembic's ("Relative Migration Identifiers", "Working with Branches" in its documentation).

mod downgrade;
mod error;
mod lineage;
mod parse;
mod range;
mod resolve;

pub use downgrade::DowngradeTarget;
pub use error::NameError;
pub use parse::RevisionName;
pub use range::NameRange;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::graph::Node;
    use crate::revision::graph::tests::graph;
    use crate::revision::join_ids;

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

    fn downgrade_target(typed: &str, rows: &[&str]) -> Result<String, NameError> {
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
            let found = downgrade_target(typed, rows).unwrap_or_else(|error| error.to_string());
            assert!(found.contains(expected), "{typed} from {rows:?}: {found}");
        }
    }

    #[test]
    fn a_branch_selects_the_parent_below_a_merge() {
        let graph = graph(&["a1 <", "a2 < a1", "b1 < a1 @ blue", "m < a2, b1"]);
        let merge = [graph.node("m").expect("m")];
        let target = |typed: &str| RevisionName::parse(typed)?.downgrade_target(&graph, &merge);
        assert!(target("-1").expect_err("a fork").to_string().contains("divides at m into a2, b1"));
        assert_eq!(target("blue@-1").expect("one way").target, graph.node("b1"));
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
        assert!(matches!(range("1:2:3"), Err(NameError::NotARange(_))));
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
