"""documents.py FOLDER...: each SBOM is valid, and it and the licences know the same crates: all of them locked, none that
a Cargo.toml names missing.

All folders in one process, because loading the schema is most of the work.
"""

import json
import pathlib
import re
import sys
import tomllib

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

locked = set(re.findall(r'name = "(.+)"\nversion = "(.+)"', pathlib.Path("Cargo.lock").read_text()))
manifests = [pathlib.Path("Cargo.toml"), *pathlib.Path("crates").glob("*/Cargo.toml")]
named = {name for path in manifests for name in tomllib.loads(path.read_text())["dependencies"]}
# Without a checksum: they come from no registry.
own = {path.name for path in pathlib.Path("crates").iterdir()}
validator = JsonStrictValidator(SchemaVersion.V1_6)
for folder in map(pathlib.Path, sys.argv[1:]):
    text = (folder / "sbom.cdx.json").read_text()
    fault = validator.validate_str(text)
    assert fault is None, fault
    sbom = json.loads(text)
    components = {(component["name"], component["version"]) for component in sbom["components"]}
    assert components <= locked, components - locked
    assert named <= {name for name, _ in components}, named - {name for name, _ in components}
    assert all("hashes" in component for component in sbom["components"] if component["name"] not in own)
    references = {component["bom-ref"] for component in sbom["components"]} | {sbom["metadata"]["component"]["bom-ref"]}
    for dependency in sbom["dependencies"]:
        assert {dependency["ref"], *dependency["dependsOn"]} <= references, dependency
    licences = (folder / "THIRD-PARTY-LICENSES.txt").read_text()
    for name, version in components:
        assert f"\n{name} {version} (" in licences, f"no licence of {name} {version}"
    for name in ("musl", "The Rust standard library"):
        assert f"\n{name}" in licences, f"no licence of {name}"
