#!/usr/bin/env bash
# What `make e2e` needs beside amd64's binary: arm64's, and amd64's once more from another folder. Side by side, because linking
# keeps one processor busy for minutes.
set -euo pipefail

cd "$(dirname "$0")/../.."
log=$(mktemp --tmpdir pgmarch-arm64.XXXXXX)
trap 'rm -f "$log"' EXIT

make --no-print-directory stage ARCH=arm64 >"$log" 2>&1 &
arm64=$!
code=0
make --no-print-directory again || code=$?
wait "$arm64" || code=$?
cat "$log"
exit "$code"
