//! `PGMARCH_TRANSACTION=run`: all steps of a plan in one transaction.

use super::error::{ApplyError, Done};
use super::executor::Run;
use super::retries::Tries;
use super::script::{Script, duration};
use crate::connect::Failure;
use crate::plan::{Plan, Step};
use crate::revision::SectionMode;

/// A transaction of several steps that failed: in which of them, or at its end.
struct Interrupted<'p> {
    script: Script,
    step: &'p Step<'p>,
    is_end: bool,
    failure: Failure,
}

impl Run<'_> {
    /// All steps in one transaction: nothing is done until the COMMIT at the end is. One that only meets other sessions' locks is
    /// rolled back, and run again from its beginning.
    pub(super) async fn together(&mut self, plan: &Plan<'_>) -> Result<(), ApplyError> {
        if let Some(step) = plan.steps.iter().find(|step| step.mode() == SectionMode::Stepwise) {
            return Err(ApplyError::StepwiseInRun(step.revision.id.clone()));
        }
        let mut tries = Tries::new(self.config.retry_for);
        loop {
            let Interrupted { script, step, is_end, failure } = match self.try_together(plan).await {
                Ok(done) => {
                    for done in done {
                        self.committed(done);
                    }
                    return Ok(());
                }
                Err(interrupted) => *interrupted,
            };
            if failure.met_a_lock() && tries.left() {
                self.roll_back().await;
                tries.pause(step.revision.id.clone(), "the run was rolled back", &failure, &self.watch).await;
                continue;
            }
            let mut error = self.explain(&script, step, failure, 0).await;
            if let (true, ApplyError::OwnTables(changed)) = (is_end, &mut error) {
                changed.deferred = plan.steps.iter().map(|step| step.revision.id.clone()).collect();
            }
            return Err(error);
        }
    }

    async fn try_together<'p>(&self, plan: &'p Plan<'p>) -> Result<Vec<Done>, Box<Interrupted<'p>>> {
        let Some(last) = plan.steps.last() else { return Ok(Vec::new()) };
        let interrupted = |script, step, is_end| move |failure| Box::new(Interrupted { script, step, is_end, failure });
        let mut done = Vec::new();
        // BEGIN has succeeded before anything follows it: a text can't run outside of the transaction.
        let mut opening = Script::begin();
        let message = opening.message();
        self.session.ask(&message).await.map_err(interrupted(opening, last, false))?;
        // What the first step makes, the later ones of this transaction find; others don't, until the end.
        let mut ledger = self.ledger.clone();
        for step in &plan.steps {
            self.go_on().await;
            let id = &step.revision.id;
            let mut script = Script::of(step, &self.how(step, None), &ledger, self.config, &self.marks(id));
            let message = script.message();
            let outcome = self.watch.over(id.as_str(), self.target(), self.session.run(&message)).await;
            done.push(Done { id: id.clone(), duration: duration(&outcome.map_err(interrupted(script, step, false))?) });
            ledger.mark_installed();
        }
        self.go_on().await;
        let mut closing = Script::last(&last.after, &self.server, &ledger, self.config);
        let message = closing.message();
        let outcome = self.watch.over(last.revision.id.as_str(), self.target(), self.session.run(&message)).await;
        outcome.map_err(interrupted(closing, last, true))?;
        Ok(done)
    }
}
