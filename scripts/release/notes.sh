#!/usr/bin/env bash
# notes.sh VERSION: that version's section of CHANGELOG.md.
set -euo pipefail

cd "$(dirname "$0")/../.."
version=${1:?usage: notes.sh VERSION}
awk -v version="$version" '/^## /{ inside = index($0, version) > 0; next } inside' CHANGELOG.md
