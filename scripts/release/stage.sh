#!/usr/bin/env bash
# stage.sh ARCH BINARY: lays out what docker/Dockerfile's prebuilt stages copy, in target/image/ARCH.
# All files get the time of the commit, so that two stagings of one commit become the same layers.
set -euo pipefail

cd "$(dirname "$0")/../.."
arch=${1:?usage: stage.sh amd64|arm64 BINARY}
binary=${2:?usage: stage.sh amd64|arm64 BINARY}
case $arch in
    amd64) target=x86_64-unknown-linux-musl ;;
    arm64) target=aarch64-unknown-linux-musl ;;
    *) echo "stage.sh: unknown architecture '$arch'; known: amd64 arm64" >&2; exit 1 ;;
esac

folder=target/image/$arch
rm -rf "$folder"
mkdir -p "$folder"
scripts/release/documents.sh "$target" "$folder/documents"
install -m 644 LICENSE "$folder/documents/LICENSE"
install -m 755 "$binary" "$folder/pgmarch"
chmod -R u=rwX,go=rX "$folder"
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
# A folder that is copied into an image gets the time of the copying; out of an archive it keeps its own.
archive() { tar --create --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --file "$folder/$1" "${@:2}"; }
archive revisions.tar migrations
# Without an entry for the root, where they go.
archive documents.tar --directory "$folder/documents" LICENSE THIRD-PARTY-LICENSES.txt sbom.cdx.json
find "$folder" -exec touch --no-dereference --date "@$epoch" {} +
