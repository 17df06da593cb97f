//! Every cause of a failure: what an operator reads, and what a machine reads, as snapshots.
//!
//! A scenario provokes one cause. Its text is in `snapshots/NAME.txt`, its termination message in `snapshots/NAME.json`; the log line
//! of the failure in JSON must have the same facts. `PGMARCH_WRITE_DOCS=1` writes them. `docs/troubleshooting.md` quotes only messages
//! that one of them has.

mod causes;
mod configuration;
mod files;
mod histories;
mod refusals;
mod runs;
mod settings;
mod setup;
mod snapshot;

pub(crate) use setup::Setup;
pub(crate) use snapshot::{message, outcome};

use crate::support::{Database, Project, pgmarch};

/// A `transaction:false` revision that stopped at its second statement.
fn half_done() -> (Database, Project) {
    let database = Database::new();
    let stepwise = "-- migrate:up transaction:false\nCREATE TABLE a (id int);\nSELECT 1/0;\n\n-- migrate:down\nDROP TABLE a;\n";
    let project = Project::new().revision("001", "CREATE TABLE services ();", "DROP TABLE services;").file("002_test.sql", stepwise);
    pgmarch(&database, &project).run().exits(6);
    (database, project)
}
