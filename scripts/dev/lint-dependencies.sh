#!/usr/bin/env bash
# cargo-deny over deny.toml. Bans, licences and sources need no network; advisories need RustSec's database from GitHub.
set -euo pipefail

cd "$(dirname "$0")/../.."
deny=.cache/linters/bin/cargo-deny

"$deny" --locked check --hide-inclusion-graph bans licenses sources

# The fuzz targets are workspaces of their own, which nothing else here resolves: their lock files must fit the manifests.
for manifest in fuzz/Cargo.toml crates/*/fuzz/Cargo.toml; do
    cargo metadata --locked --format-version 1 --manifest-path "$manifest" >/dev/null
done

# Not every machine reaches GitHub. A run that could not look must not read like one that found nothing.
if GIT_TERMINAL_PROMPT=0 timeout 60 "$deny" --locked --log-level off fetch db; then
    "$deny" --locked check --disable-fetch advisories
else
    echo "cargo-deny: advisories NOT checked, as RustSec's database could not be fetched from here" >&2
fi
