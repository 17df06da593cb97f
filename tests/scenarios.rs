//! Everything that the program promises, told as scenarios against a real PostgreSQL; and the harness that tells them.

mod alembic;
mod cli;
mod docs;
mod failures;
mod harness;
mod lock;
mod marchproxy;
mod signals;
mod status;
mod support;
mod upgrade;
mod wait;
