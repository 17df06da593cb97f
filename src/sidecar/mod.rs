//! The status that a sidecar serves after its upgrade, over HTTP, to probes and to Prometheus.

pub mod fingerprint;
pub mod http;
pub mod metrics;
pub mod status;
