"""metrics.py URL: /metrics is OpenMetrics as Prometheus' own client reads it, and agrees with /status."""

import json
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families


def get(path):
    with urllib.request.urlopen(sys.argv[1] + path, timeout=5) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


kind, text = get("/metrics")
assert kind.startswith("application/openmetrics-text; version=1.0.0"), kind
samples = {(sample.name, *sorted(sample.labels.items())): sample.value for family in text_string_to_metric_families(text) for sample in family.samples}
status = json.loads(get("/status")[1])
assert samples[("pgmarch_ready",)] == 1 and status["ready"] and status["condition"] == "ready"
assert samples[("pgmarch_pending_revisions",)] == 0 and status["pending"] == []
assert samples[("pgmarch_build_info", ("version", status["version"]))] == 1
assert all(("pgmarch_revision_info", ("revision", revision)) in samples for revision in status["current"])
assert samples[("pgmarch_last_success_timestamp_seconds",)] <= status["last_success"]
