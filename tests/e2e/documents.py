"""documents.py FOLDER CARGO_LOCK: the SBOM is valid, and it and the licences know the same crates, all of them locked."""

import json
import pathlib
import re
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

folder = pathlib.Path(sys.argv[1])
text = (folder / "sbom.cdx.json").read_text()
fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
assert fault is None, fault
sbom = json.loads(text)
components = {(component["name"], component["version"]) for component in sbom["components"]}
locked = set(re.findall(r'name = "(.+)"\nversion = "(.+)"', pathlib.Path(sys.argv[2]).read_text()))
assert components <= locked, components - locked
for name in ("tokio", "tokio-postgres", "deadpool-postgres", "hyper", "prometheus-client"):
    assert any(component == name for component, _ in components), f"{name} is missing"
assert all("hashes" in component for component in sbom["components"])
references = {component["bom-ref"] for component in sbom["components"]} | {sbom["metadata"]["component"]["bom-ref"]}
for dependency in sbom["dependencies"]:
    assert {dependency["ref"], *dependency["dependsOn"]} <= references, dependency
licences = (folder / "THIRD-PARTY-LICENSES.txt").read_text()
for name, version in components:
    assert f"\n{name} {version} (" in licences, f"no licence of {name} {version}"
for name in ("musl", "The Rust standard library"):
    assert f"\n{name}" in licences, f"no licence of {name}"
