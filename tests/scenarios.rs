//! Everything that the program promises, told as scenarios against a real PostgreSQL; and the harness that tells them.

mod ahead;
mod alembic;
mod answers;
mod changed;
mod cli;
mod create;
mod docs;
mod downgrade;
mod failures;
mod faulty;
mod harness;
mod import;
mod lock;
mod marchproxy;
mod offline;
mod scripts;
mod sidecar;
mod signals;
mod status;
mod support;
mod upgrade;
mod wait;
mod waiting;
