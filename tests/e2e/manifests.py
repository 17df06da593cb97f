"""manifests.py FILE...: each document is valid, strictly, for Kubernetes 1.29 (the first with native sidecars) to the newest that
kubernetes-validate knows; prints those versions. In one process, because loading its schemas is most of the work.
"""

import pathlib
import sys

import kubernetes_validate
from kubernetes_validate.utils import all_versions
import yaml

OLDEST = 29

documents = {}
for file in map(pathlib.Path, sys.argv[1:]):
    for document in filter(None, yaml.safe_load_all(file.read_text())):
        # What two variants share is looked at once.
        documents.setdefault(yaml.safe_dump(document), (file.name, document))
minors = sorted({int(version.split(".")[1]) for version in all_versions()})
minors = [minor for minor in minors if minor >= OLDEST]
assert minors[0] == OLDEST and len(documents) > 1, (minors, len(documents))
faults = []
for minor in minors:
    for name, document in documents.values():
        try:
            kubernetes_validate.validate(document, f"1.{minor}", strict=True)
        except kubernetes_validate.ValidationError as fault:
            faults.append(f"{name}, {document['kind']} {document['metadata']['name']}, Kubernetes 1.{minor}: {fault.message}")
print(f"{len(documents)} documents for Kubernetes", *(f"1.{minor}" for minor in minors))
sys.exit("\n".join(faults))
