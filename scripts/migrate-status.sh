#!/bin/sh
# Shows where the database is, its history, and common commands: migrate-status.sh [--check] [--json].
set -eu
pgmarch=${PGMARCH_BIN:-pgmarch}
unset PGMARCH_BIN
exec "$pgmarch" status "$@"
