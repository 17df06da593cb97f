#!/usr/bin/env bash
# archives.sh VERSION FOLDER: what a release offers for download, from target/image (make stage, for both architectures):
# an archive with binary, licences and SBOM for each architecture, the SBOMs alone, and SHA256SUMS over all of them.
set -euo pipefail

cd "$(dirname "$0")/../.."
version=${1:?usage: archives.sh VERSION FOLDER}
folder=${2:?usage: archives.sh VERSION FOLDER}
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

mkdir -p "$folder"
for arch in amd64 arm64; do
    stage=target/image/$arch
    # The same bytes from the same commit: no owner, one time, sorted names, no time in gzip's head.
    tar --create --owner 0 --group 0 --numeric-owner --mtime "@$epoch" --sort name --transform "s,^\.,pgmarch-$version-linux-$arch," \
        --directory "$stage" ./pgmarch --directory documents ./LICENSE ./THIRD-PARTY-LICENSES.txt ./sbom.cdx.json |
        gzip --best --no-name >"$folder/pgmarch-$version-linux-$arch.tar.gz"
    install -m 644 "$stage/documents/sbom.cdx.json" "$folder/pgmarch-$version-linux-$arch.cdx.json"
done
(cd "$folder" && sha256sum pgmarch-"$version"-* >SHA256SUMS && cat SHA256SUMS)
