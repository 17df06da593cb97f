//! Output: logs, the output of commands, failures, the termination message.

pub mod check;
pub mod difference;
pub mod extent;
pub mod failure;
mod failure_report;
pub mod graph_drawing;
pub mod history;

pub mod log;
pub mod run_log;
pub mod show;
pub mod status;
