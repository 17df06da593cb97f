#!/bin/sh
# Applies what is pending: migrate.sh [REVISION]. The settings are pgmarch's; PGMARCH_BIN names the program if it is not on PATH.
set -eu
pgmarch=${PGMARCH_BIN:-pgmarch}
unset PGMARCH_BIN
if [ $# -gt 1 ]; then
    echo "usage: migrate.sh [REVISION]" >&2
    exit 2
fi
exec "$pgmarch" upgrade "$@"
