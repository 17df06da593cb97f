#!/bin/sh
# Undoes revisions after showing which and asking: migrate-down.sh -N|base|REVISION [--force]. With --force it does not ask.
set -eu
pgmarch=${PGMARCH_BIN:-pgmarch}
unset PGMARCH_BIN
case "$#:${2-}" in
1:*) exec "$pgmarch" downgrade "$1" ;;
2:--force) exec "$pgmarch" downgrade "$1" --yes ;;
*)
    echo "usage: migrate-down.sh -N|base|REVISION [--force]" >&2
    exit 2
    ;;
esac
