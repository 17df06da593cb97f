#!/usr/bin/env bash
# check-version.sh TAG: a release is what Cargo.toml and CHANGELOG.md say it is; prints its version.
set -euo pipefail

cd "$(dirname "$0")/../.."
tag=${1:?usage: check-version.sh vX.Y.Z}
version=$(cargo pkgid | sed 's/.*[#@]//')

die() { echo "check-version.sh: $*" >&2; exit 1; }
[ "$tag" = "v$version" ] || die "the tag is $tag, Cargo.toml says $version"
grep -q "^## \[\?$version\]\?" CHANGELOG.md || die "CHANGELOG.md has no section $version: rename Unreleased"
echo "$version"
