//! Sections of a change: transactions and sections of single steps take turns. Each statement is in the first one that fits it.

use std::collections::BTreeSet;

use crate::model::statement::{EmitStage, EmittedStatement};

/// A section: even ones are transactions, the statements of odd ones run each on their own.
pub(super) type Section = usize;

/// More sections than any change needs: one that needs more runs in a circle.
const MOST_SECTIONS: Section = 20;

/// What decides on the sections of all nodes, which are the steps of objects.
pub(super) struct SectionRules<'r> {
    /// The statements of each node.
    pub(super) statements: &'r [Vec<EmittedStatement>],
    /// The nodes in order.
    pub(super) ordered: &'r [usize],
    /// For each node, those whose results it needs.
    pub(super) before: &'r [BTreeSet<usize>],
    /// For each node, those of which all statements come first, also those that no other object waits for.
    pub(super) finished: &'r [BTreeSet<usize>],
    /// Pairs of nodes that share a transaction: the DROP and the CREATE of one object.
    pub(super) together: &'r BTreeSet<(usize, usize)>,
}

/// The sections of one node.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeSections {
    /// Of each statement.
    pub(super) statements: Vec<Section>,
    /// The first in which it runs.
    pub(super) first: Section,
    /// The one after which other objects can use it.
    ready: Section,
    /// The last in which it runs.
    last: Section,
}

/// A pair of nodes that can't share a transaction.
pub(super) struct Apart {
    /// The pair.
    pub(super) pair: (usize, usize),
    /// The nodes between them whose statements run on their own.
    pub(super) between: Vec<usize>,
}

impl SectionRules<'_> {
    /// The sections of each node; or a pair of nodes that can't share one.
    pub(super) fn assign(&self) -> Result<Vec<NodeSections>, Apart> {
        let mut earliest: Vec<Section> = vec![0; self.statements.len()];
        let mut atomic = vec![false; self.statements.len()];
        for (one, other) in self.together {
            (atomic[*one], atomic[*other]) = (true, true);
        }
        loop {
            let sections = self.assign_from(&earliest, &atomic);
            let mut is_settled = true;
            for (one, other) in self.together {
                let section = sections[*one].first.max(sections[*other].first);
                for node in [*one, *other] {
                    if sections[node].first < section {
                        (earliest[node], is_settled) = (section, false);
                    }
                }
            }
            if is_settled {
                return Ok(sections);
            }
            if earliest.iter().any(|section| *section > MOST_SECTIONS) {
                return Err(self.apart(&earliest));
            }
        }
    }

    fn assign_from(&self, earliest: &[Section], atomic: &[bool]) -> Vec<NodeSections> {
        let mut sections = vec![NodeSections::default(); self.statements.len()];
        for node in self.ordered.iter().copied() {
            let ready = self.before[node].iter().map(|need| sections[*need].ready);
            let last = self.finished[node].iter().map(|need| sections[*need].last);
            let mut section = ready.chain(last).fold(earliest[node], Section::max);
            if atomic[node] {
                section = section.next_multiple_of(2);
            }
            let mut own = NodeSections { statements: Vec::new(), first: section, ready: section, last: section };
            for statement in &self.statements[node] {
                section = match statement.stage {
                    EmitStage::EnumValue | EmitStage::Transaction => section.next_multiple_of(2),
                    EmitStage::Stepwise | EmitStage::Afterwards => section | 1,
                    EmitStage::Either => section,
                };
                if own.statements.is_empty() {
                    (own.first, own.ready) = (section, section);
                }
                if statement.stage != EmitStage::Afterwards {
                    own.ready = section;
                }
                own.statements.push(section);
                own.last = section;
            }
            sections[node] = own;
        }
        sections
    }

    /// A pair that keeps moving, with what keeps it apart.
    fn apart(&self, earliest: &[Section]) -> Apart {
        let moving: Vec<(usize, usize)> = self.together.iter().copied().filter(|(one, _)| earliest[*one] + 4 > MOST_SECTIONS).collect();
        let between = |(one, other): (usize, usize)| -> Vec<usize> {
            let (after, before) = (self.reachable(one, true), self.reachable(other, false));
            let is_stepwise = |node: &usize| self.statements[*node].iter().any(|statement| statement.stage == EmitStage::Stepwise);
            after.intersection(&before).copied().filter(is_stepwise).collect()
        };
        let found = moving.iter().map(|pair| Apart { pair: *pair, between: between(*pair) }).find(|apart| !apart.between.is_empty());
        let first = moving.first().or(self.together.first()).copied().unwrap_or_default();
        found.unwrap_or(Apart { pair: first, between: Vec::new() })
    }

    /// The nodes that run in the same section as this one or in later ones, or the same backwards.
    fn reachable(&self, from: usize, forwards: bool) -> BTreeSet<usize> {
        let mut edges: Vec<Vec<usize>> = vec![Vec::new(); self.statements.len()];
        let needs = self.before.iter().chain(self.finished).zip((0..self.statements.len()).cycle());
        let needs = needs.flat_map(|(needs, node)| needs.iter().map(move |need| (*need, node)));
        for (one, other) in needs.chain(self.together.iter().flat_map(|(one, other)| [(*one, *other), (*other, *one)])) {
            let (one, other) = if forwards { (one, other) } else { (other, one) };
            edges[one].push(other);
        }
        let (mut seen, mut stack) = (BTreeSet::from([from]), vec![from]);
        while let Some(node) = stack.pop() {
            stack.extend(edges[node].iter().copied().filter(|next| seen.insert(*next)));
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(stage: EmitStage) -> Vec<EmittedStatement> {
        let statement = EmittedStatement::alter("");
        vec![match stage {
            EmitStage::EnumValue | EmitStage::Transaction => statement,
            EmitStage::Stepwise => statement.stepwise(),
            EmitStage::Afterwards => statement.afterwards(),
            EmitStage::Either => statement.in_either(),
        }]
    }

    fn assign(stages: &[EmitStage], edges: &[(usize, usize)], together: &[(usize, usize)]) -> Result<Vec<Section>, Vec<usize>> {
        let statements: Vec<Vec<EmittedStatement>> = stages.iter().map(|one| stage(*one)).collect();
        let mut before = vec![BTreeSet::new(); stages.len()];
        for (first, then) in edges {
            before[*then].insert(*first);
        }
        let ordered: Vec<usize> = (0..stages.len()).collect();
        let finished = vec![BTreeSet::new(); stages.len()];
        let together = together.iter().copied().collect();
        let rules = SectionRules { statements: &statements, ordered: &ordered, before: &before, finished: &finished, together: &together };
        rules.assign().map(|sections| sections.iter().map(|node| node.first).collect()).map_err(|apart| apart.between)
    }

    #[test]
    fn sections_take_turns() {
        use EmitStage::{Either, Stepwise, Transaction};
        assert_eq!(assign(&[Transaction, Stepwise, Transaction, Either], &[(0, 1), (1, 2), (1, 3)], &[]), Ok(vec![0, 1, 2, 1]));
        assert_eq!(assign(&[Stepwise, Transaction], &[], &[]), Ok(vec![1, 0]), "what waits for nothing is in the first that fits");
    }

    #[test]
    fn a_pair_shares_a_transaction() {
        use EmitStage::{Either, Stepwise, Transaction};
        assert_eq!(assign(&[Transaction, Stepwise, Transaction], &[(1, 2)], &[(0, 2)]), Ok(vec![2, 1, 2]));
        assert_eq!(assign(&[Stepwise, Either, Either], &[(0, 1), (1, 2)], &[(1, 2)]), Ok(vec![1, 2, 2]));
        assert_eq!(assign(&[Transaction, Stepwise, Transaction], &[(0, 1), (1, 2)], &[(0, 2)]), Err(vec![1]));
    }
}
