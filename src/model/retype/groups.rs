//! The groups of statements from a catalog to the model: columns whose types change in steps first, then the rest.

use std::cmp::Ordering;

use super::plan::RetypePlan;
use crate::model::Catalog;
use crate::model::emit::{EmitOptions, StatementGroup, emit, emit_at_once};
use crate::revision::SectionMode;

/// What is emitted next. A group depends on the catalog that the groups before it led to.
pub struct NextGroups<'m> {
    model: &'m Catalog,
    options: EmitOptions,
    plan: Option<RetypePlan>,
    stage: GroupStage,
    /// The number of the group that swaps columns.
    swap: usize,
}

enum GroupStage {
    Copy,
    Swap,
    Rest,
    Done,
}

impl<'m> NextGroups<'m> {
    /// From a catalog to the model.
    pub fn of(from: &Catalog, model: &'m Catalog, options: EmitOptions) -> Self {
        let plan = RetypePlan::find(from, model, options);
        let stage = if plan.is_some() { GroupStage::Copy } else { GroupStage::Rest };
        Self { model, options, plan, stage, swap: 0 }
    }

    /// The next groups, from the catalog after `done` groups; `None` after the last.
    pub fn next(&mut self, done: usize, state: &Catalog) -> Option<Vec<StatementGroup>> {
        let (groups, next) = match (&self.plan, &self.stage) {
            (_, GroupStage::Done) => return None,
            (Some(plan), GroupStage::Copy) => (vec![plan.add(), plan.fill()], GroupStage::Swap),
            (Some(plan), GroupStage::Swap) => {
                self.swap = done;
                (plan.swap(state), GroupStage::Rest)
            }
            _ => (emit(state, self.model, self.options), GroupStage::Done),
        };
        self.stage = next;
        Some(groups)
    }

    /// Whether types were to be changed in steps; from now on they are changed at once, and all groups are emitted again.
    pub fn give_up_steps(&mut self) -> bool {
        let in_steps = self.plan.take().is_some();
        if in_steps {
            self.stage = GroupStage::Rest;
        }
        in_steps
    }

    /// The down migration of a group.
    pub fn down(&self, number: usize, after: &Catalog, before: &Catalog) -> Vec<StatementGroup> {
        let statements = match (&self.plan, number.cmp(&self.swap)) {
            (Some(plan), Ordering::Less) => plan.remove(after, before),
            (Some(plan), Ordering::Equal) => plan.swap_back(after, before),
            _ => return emit_at_once(after, before, self.options.server),
        };
        vec![StatementGroup { mode: SectionMode::Transaction, statements }]
    }
}
