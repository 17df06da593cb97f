#!/usr/bin/env bash
# Fails unless the given binary runs without any library of the machine; prints its size.
set -euo pipefail

binary=${1:?usage: check-static.sh BINARY}
kind=$(file --brief "$binary")
# ldd exits 1 for some static binaries, so its words count.
libraries=$(ldd "$binary" 2>&1 || true)

if ! grep -Eq 'static-pie linked|statically linked' <<<"$kind" ||
    ! grep -Eq 'statically linked|not a dynamic executable' <<<"$libraries"; then
    printf '%s is not static:\n%s\n%s\n' "$binary" "$kind" "$libraries" >&2
    exit 1
fi

bytes=$(stat --format=%s "$binary")
awk -v path="$binary" -v bytes="$bytes" 'BEGIN { printf "%s: static, %.2f MB (%d bytes)\n", path, bytes / 1e6, bytes }'
