//! What a sidecar serves after its upgrade: its last known status, over HTTP, to probes and to Prometheus.

pub mod fingerprint;
pub mod http;
pub mod metrics;
pub mod status;
