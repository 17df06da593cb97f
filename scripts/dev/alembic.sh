#!/usr/bin/env bash
# Creates a Python environment with the real Alembic under .cache/, for the tests that compare with it; prints its python.
set -euo pipefail

cd "$(dirname "$0")/../.."
packages=(alembic==1.20.1 psycopg2-binary==2.9.13 sqlalchemy==2.1.9)
home=.cache/alembic
mkdir -p .cache

# Several test programs may ask at once; the first makes it. A half-made one has no mark and is made again.
exec 9>.cache/alembic.lock
flock 9
if [ "$(cat "$home/made" 2>/dev/null)" != "${packages[*]}" ]; then
    rm -rf "$home"
    python3 -m venv "$home" >&2
    "$home/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" >&2
    printf '%s' "${packages[*]}" >"$home/made"
fi
realpath --no-symlinks "$home/bin/python"
