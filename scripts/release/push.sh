#!/usr/bin/env bash
# push.sh IMAGE VERSION TARGET: builds TARGET (prebuilt-pgmarch, prebuilt-marchproxy) for both architectures, pushes each and
# joins them under IMAGE:VERSION; prints the digest of the whole. Without a release IMAGE may be a registry of one's own.
set -euo pipefail

cd "$(dirname "$0")/../.."
image=${1:?usage: push.sh IMAGE VERSION TARGET}
version=${2:?usage: push.sh IMAGE VERSION TARGET}
target=${3:?usage: push.sh IMAGE VERSION TARGET}
revision=$(git rev-parse HEAD)

for arch in amd64 arm64; do
    docker build --quiet --file docker/Dockerfile --target "$target" --platform "linux/$arch" --tag "$image:$version-$arch" \
        --build-arg ARCH="$arch" --build-arg VERSION="$version" --build-arg REVISION="$revision" --build-arg SOURCE="${SOURCE:-unknown}" . >&2
    docker push --quiet "$image:$version-$arch" >&2
done
docker buildx imagetools create --tag "$image:$version" "$image:$version-amd64" "$image:$version-arm64" >&2
docker buildx imagetools inspect "$image:$version" | awk '/^Digest:/ { print $2 }'
