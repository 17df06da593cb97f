"""split.py FILE FOLDER: one file for each pod, each with all ConfigMaps."""

import pathlib
import sys

import yaml

folder = pathlib.Path(sys.argv[2])
folder.mkdir()
documents = list(yaml.safe_load_all(pathlib.Path(sys.argv[1]).read_text()))
shared = [document for document in documents if document["kind"] != "Pod"]
for document in documents:
    if document["kind"] == "Pod":
        (folder / f"{document['metadata']['name']}.yaml").write_text(yaml.safe_dump_all([*shared, document]))
