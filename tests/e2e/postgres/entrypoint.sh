#!/bin/bash
# Stands in for the entrypoint of the official postgres image, as far as pgmarch can tell them apart: at the first start it
# makes the cluster, runs a server without TCP to create the database, and only then the one that others may reach.
set -euo pipefail

data=${PGDATA:-/var/lib/postgresql/data}
user=${POSTGRES_USER:-postgres}
as_server() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }

if [ "${1:-}" != postgres ]; then exec "$@"; fi

if [ ! -s "$data/PG_VERSION" ]; then
    mkdir -p "$data"
    chown postgres: "$data"
    chmod 700 "$data"
    printf '%s\n' "${POSTGRES_PASSWORD:?}" >/tmp/password
    chown postgres: /tmp/password
    as_server initdb --pgdata "$data" --username "$user" --pwfile /tmp/password --auth scram-sha-256 \
        --encoding UTF8 --locale C.UTF-8 --no-sync
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
    as_server pg_ctl --pgdata "$data" --wait start -o "-c listen_addresses="
    PGPASSWORD=$POSTGRES_PASSWORD psql --username "$user" --dbname postgres --set ON_ERROR_STOP=1 \
        --set name="${POSTGRES_DB:-$user}" <<<'CREATE DATABASE :"name"'
    as_server pg_ctl --pgdata "$data" --wait stop
fi
exec setpriv --reuid postgres --regid postgres --clear-groups postgres -D "$data" -c listen_addresses='*' "${@:2}"
