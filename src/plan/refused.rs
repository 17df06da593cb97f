//! Steps with a statement that PostgreSQL refuses in a transaction: they are found before anything runs.

use std::borrow::Cow;

use thiserror::Error;

use super::Plan;
use crate::exit::{Exit, Explain};
use crate::revision::{Fault, FileProblem, LineColumn, Revision, Section};

/// Statements that are certain to fail, since their sections run in a transaction.
#[derive(Debug, Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct CertainFailures(pub Vec<Fault>);

impl Explain for CertainFailures {
    fn exit(&self) -> Exit {
        Exit::Unsound
    }

    fn next_step(&self) -> Cow<'static, str> {
        "fix the files above and run again; nothing was changed".into()
    }

    fn faults(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

/// The statements of a section that PostgreSQL refuses in a transaction, if it runs in one.
pub(crate) fn certain_failures(revision: &Revision, section: &Section) -> impl Iterator<Item = Fault> {
    let marker = if section == &revision.up { "-- migrate:up" } else { "-- migrate:down" };
    section.refused.iter().map(move |refused| {
        let problem = FileProblem::NotInTransaction { what: refused.what, marker };
        Fault::at(&revision.path, LineColumn::of(&revision.text, refused.start), problem)
    })
}

impl Plan<'_> {
    /// Refuses a plan with a statement that is certain to fail.
    pub fn refuse_certain_failures(&self) -> Result<(), CertainFailures> {
        let faults: Vec<Fault> = self.steps.iter().flat_map(|step| certain_failures(step.revision, step.section)).collect();
        if faults.is_empty() { Ok(()) } else { Err(CertainFailures(faults)) }
    }
}
