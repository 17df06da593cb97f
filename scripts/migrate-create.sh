#!/bin/sh
# Writes the next revision: migrate-create.sh "DESCRIPTION" [--manual | --online | --rename OLD=NEW…]. Without --manual its
# SQL comes from the model.
set -eu
pgmarch=${PGMARCH_BIN:-pgmarch}
unset PGMARCH_BIN
case "${1-}" in
'' | -*)
    echo 'usage: migrate-create.sh "DESCRIPTION" [--manual | --online | --rename OLD=NEW...]' >&2
    exit 2
    ;;
esac
description=$1
shift
exec "$pgmarch" create "$@" -- "$description"
