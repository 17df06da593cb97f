"""Rendered manifests, as podman can play them: pods.py ADDRESS FOLDER <rendered.yaml >playable.yaml

Only what a single machine without Kubernetes lacks is changed: where `postgres` is, the images' names, one replica, no
probes (podman runs them by a shell inside the container; the test asks by itself), and a Job and a native sidecar, which podman
doesn't know, as a pod and as a container; the sidecar looks each second. All names say whose they are. Secrets become files in FOLDER, owned as fsGroup and defaultMode say, because
podman 4.3 mounts them undecoded. The application becomes a client that looks for the table and stays.
"""

import os
import pathlib
import sys

import yaml

address, folder = sys.argv[1], pathlib.Path(sys.argv[2])
IMAGES = {"registry.example.com/pgmarch": "localhost/pgmarch:dev", "registry.example.com/api": "localhost/postgres:17"}
PREFIX = "pgmarch-e2e-"
LOOK = 'psql --no-psqlrc "$DATABASE_URL" --command "SELECT count(*) FROM notes" && exec sleep 600'


def play(document, secrets):
    if document["kind"] == "ConfigMap":
        document["metadata"]["name"] = PREFIX + document["metadata"]["name"]
        return document
    template = document["spec"]["template"]
    pod = template["spec"]
    pod["restartPolicy"] = "Never"
    pod["hostAliases"] = [{"ip": address, "hostnames": ["postgres"]}]
    sidecars = [container for container in pod.get("initContainers", []) if container.get("restartPolicy") == "Always"]
    pod["initContainers"] = [container for container in pod.get("initContainers", []) if container not in sidecars]
    pod["containers"] = sidecars + pod["containers"]
    for container in pod["initContainers"] + pod["containers"]:
        container["image"] = IMAGES[container["image"].partition(":")[0]]
        container["imagePullPolicy"] = "Never"
        for name in ("startupProbe", "livenessProbe", "readinessProbe", "restartPolicy"):
            container.pop(name, None)
        for variable in container.get("env", []):
            if "valueFrom" in variable:
                reference = variable.pop("valueFrom")["secretKeyRef"]
                variable["value"] = secrets[reference["name"]][reference["key"]]
        if container in sidecars:
            container["env"].append({"name": "PGMARCH_CHECK_EVERY", "value": "1s"})
        if container["name"] == "api":
            container["command"] = ["bash", "-c", "exec sleep 600" if sidecars else LOOK]
    for volume in pod["volumes"]:
        if "configMap" in volume:
            volume["configMap"]["name"] = PREFIX + volume["configMap"]["name"]
        if "secret" in volume:
            secret = volume.pop("secret")
            volume["hostPath"] = {"path": str(files(secret, secrets, pod["securityContext"]["fsGroup"])), "type": "Directory"}
    metadata = {"name": PREFIX + document["metadata"]["name"], "labels": template["metadata"]["labels"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}


def files(secret, secrets, group):
    place = folder / secret["secretName"]
    place.mkdir(exist_ok=True)
    for key, word in secrets[secret["secretName"]].items():
        (place / key).write_text(word)
        os.chown(place / key, 0, group)
        (place / key).chmod(secret["defaultMode"])
    return place


documents = [document for document in yaml.safe_load_all(sys.stdin) if document]
words = {document["metadata"]["name"]: document["stringData"] for document in documents if document["kind"] == "Secret"}
yaml.safe_dump_all([play(document, words) for document in documents if document["kind"] != "Secret"], sys.stdout)
