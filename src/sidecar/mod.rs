//! What stays when a sidecar has upgraded: a board of what was last seen, read by probes and by Prometheus.

pub mod board;
pub mod folder;
pub mod http;
pub mod metrics;
