//! The harness keeps its own promises.

use std::panic::{AssertUnwindSafe, catch_unwind};

mod databases;
mod programs;
mod proxies;
mod servers;

/// What a test would fail with.
fn failure_of(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("a failing test");
    *panic.downcast().expect("a message that was put together")
}
