#!/bin/sh
# Writes the next revision: migrate-create.sh "DESCRIPTION" [--manual]. Without --manual its SQL comes from the model.
set -eu
pgmarch=${PGMARCH_BIN:-pgmarch}
unset PGMARCH_BIN
case "$#:${2-}" in
1:*) exec "$pgmarch" create -- "$1" ;;
2:--manual) exec "$pgmarch" create --manual -- "$1" ;;
*)
    echo 'usage: migrate-create.sh "DESCRIPTION" [--manual]' >&2
    exit 2
    ;;
esac
