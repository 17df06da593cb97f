//! What a run tells about the files that it is about to apply, once.

use crate::host::{Event, Host};
use crate::plan::{Plan, Step};
use crate::revision::{LineColumn, join_ids};

/// Tells what of the steps' files is ignored, and which of them have nothing to do.
pub(super) fn notify_remarks(plan: &Plan<'_>, host: &Host) {
    let ids = |is_one: fn(&&Step<'_>) -> bool| {
        let found: Vec<_> = plan.steps.iter().filter(is_one).map(|step| &step.revision.id).collect();
        (!found.is_empty()).then(|| join_ids(found))
    };
    if let Some(revisions) = ids(|step| step.section.has_outer_transaction) {
        host.notify(&Event::OuterTransactionsIgnored { revisions: &revisions });
    }
    if let Some(revisions) = ids(|step| step.section.is_empty) {
        host.notify(&Event::EmptySections { direction: plan.direction, revisions: &revisions });
    }
    for step in &plan.steps {
        for (offset, option) in &step.section.unknown_options {
            let LineColumn { line, column } = LineColumn::of(&step.revision.text, *offset);
            let place = format!("{}:{line}:{column}", step.revision.path.display());
            host.notify(&Event::UnknownOptionIgnored { place: &place, option });
        }
    }
}
