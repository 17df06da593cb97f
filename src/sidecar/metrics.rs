//! The status as OpenMetrics text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::status::{Condition, SharedStatus};
use crate::host::Wait;

/// The text that Prometheus reads.
pub fn text(status: &SharedStatus) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("pgmarch");
    registry.register_collector(Box::new(StatusCollector(status.clone())));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct StatusCollector(SharedStatus);

/// A sample without labels.
const NO_LABELS: [(&str, &str); 0] = [];

impl Collector for StatusCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let snapshot = self.0.snapshot();
        let mut families = Families(encoder);
        let at = snapshot.current.iter().map(|revision| [("revision", revision.as_str())]);
        let conditions =
            Condition::ALL.map(|condition| ([("condition", condition.word())], f64::from(u8::from(condition == snapshot.condition))));
        let applied = snapshot.applied.iter().map(|(revision, seconds)| ([("revision", revision.as_str())], *seconds));
        let codes: Vec<(String, u64)> = snapshot.runs.iter().map(|(code, number)| (code.to_string(), *number)).collect();
        let checks =
            Condition::ALL.map(|condition| ([("condition", condition.word())], snapshot.checks.get(&condition).copied().unwrap_or(0)));
        let counters = self.0.counters();
        let waits = [("server", counters.waits(Wait::Server)), ("lock", counters.waits(Wait::Lock))];
        let retries = [("connection", counters.reconnects()), ("lock", counters.lock_retries())];

        families.infos("build", "This program", [[("version", snapshot.version)]])?;
        families.infos("revision", "A revision that the database is at", at)?;
        families.gauges("ready", "Whether the database is at the target", None, [(NO_LABELS, f64::from(u8::from(snapshot.ready)))])?;
        families.gauges("condition", "How things stand: 1 for the one that holds", None, conditions)?;
        let pending = snapshot.pending.iter().map(|pending| (NO_LABELS, pending.len() as f64));
        families.gauges("pending_revisions", "Revisions between the database and the target", None, pending)?;
        families.gauges("revision_duration", "How long a revision took that this process applied", Some(Unit::Seconds), applied)?;
        let checked = snapshot.checked.map(|at| (NO_LABELS, at));
        families.gauges("last_check_timestamp", "When the database was last looked at", Some(Unit::Seconds), checked)?;
        let success = snapshot.last_success.map(|at| (NO_LABELS, at));
        families.gauges("last_success_timestamp", "When the database was last seen at the target", Some(Unit::Seconds), success)?;
        families.counts("checks", "Looks at the database, by what they found", None, checks)?;
        families.counts("runs", "Upgrades, by exit code", None, codes.iter().map(|(code, number)| ([("exit", code.as_str())], *number)))?;
        families.counts(
            "waits",
            "Waits for the server or for another run",
            None,
            waits.map(|(what, (number, _))| ([("for", what)], number)),
        )?;
        families.counts("wait", "Time spent in such waits", Some(Unit::Seconds), waits.map(|(what, (_, time))| ([("for", what)], time)))?;
        families.counts(
            "retries",
            "Runs and revisions begun anew, by what was in the way",
            None,
            retries.map(|(what, number)| ([("cause", what)], number)),
        )?;
        families.counts("folder_changes", "How often the folder of revisions changed", None, [(NO_LABELS, snapshot.folder_changes)])
    }
}

type MetricLabels<'a, const N: usize> = [(&'a str, &'a str); N];

/// Families of samples, written one after the other.
struct Families<'e>(DescriptorEncoder<'e>);

impl Families<'_> {
    fn infos<'a, const N: usize>(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = MetricLabels<'a, N>>) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Info)?;
        samples.into_iter().try_for_each(|labels| family.encode_info(&labels))
    }

    fn gauges<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        samples: impl IntoIterator<Item = (MetricLabels<'a, N>, f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
        samples.into_iter().try_for_each(|(labels, value)| match N {
            0 => family.encode_gauge(&value),
            _ => family.encode_family(&labels)?.encode_gauge(&value),
        })
    }

    fn counts<'a, const N: usize, V: prometheus_client::encoding::EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<Unit>,
        samples: impl IntoIterator<Item = (MetricLabels<'a, N>, V)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
        samples.into_iter().try_for_each(|(labels, value)| match N {
            0 => family.encode_counter::<NoLabelSet, _, u64>(&value, None),
            _ => family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None),
        })
    }
}
