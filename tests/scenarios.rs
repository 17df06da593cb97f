//! Everything that the program promises, told as scenarios against a real PostgreSQL; and the harness that tells them.

mod harness;
mod support;
