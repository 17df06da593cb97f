//! The core loop as a type: brings a database to a revision, up or down, and starts over when it loses its connection.
//!
//! A program that embeds pgmarch creates a [`Runner`] from settings, asks it for a [plan](Runner::plan) and has it
//! [applied](Runner::apply), inside its own tokio runtime. Nothing is printed, and no process-wide state is used:
//! [observers](crate::host::Observer) receive events, and failures are returned as typed errors, which
//! [explain](crate::exit::Explain) themselves.
//!
//! ```no_run
//! # async fn example() -> Result<(), pgmarch::error::Error> {
//! use pgmarch::host::Event;
//! use pgmarch::runner::{Goal, Runner};
//!
//! let settings = [("PGMARCH_DATABASE_URL", "postgres://app@localhost/app"), ("PGMARCH_MIGRATIONS", "migrations")];
//! let runner = Runner::from_settings(settings)?.with_observer(|event: &Event<'_>| {
//!     if let Event::RevisionDone { revision, duration, .. } = event {
//!         println!("{revision} in {duration:?}");
//!     }
//! });
//! let revisions = runner.load_revisions()?;
//! let head = Goal::upgrade("head")?;
//! let plan = runner.plan(&revisions, &head).await?;
//! println!("{} pending on {}", plan.steps.len(), plan.address);
//! let outcome = runner.apply(&revisions, &head).await?;
//! println!("at {}", outcome.current.join(", "));
//! # Ok(())
//! # }
//! ```

mod attempt;
mod base;
pub mod error;
mod goal;
mod outcome;
mod prefetch;
mod prefetched;
mod records;
mod remarks;
mod run;
mod snapshot;
mod verified;

pub use crate::apply::StoppedRun;
pub use base::Runner;
pub use goal::Goal;
pub use outcome::{PlannedRun, PlannedStep, RunOutcome};
pub(crate) use snapshot::catalog_scope;
pub(crate) use verified::{LedgerTexts, ancestry, check_ancestry, check_base, is_sealed, resolve_position, verify_checksums};
