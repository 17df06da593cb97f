#!/usr/bin/env bash
# Fetches what pgmarch is measured against into .cache/peers: peers.sh. Nothing of it is ever committed.
set -euo pipefail

cd "$(dirname "$0")/../.."
peers=$PWD/.cache/peers

alembic=1.20.1 psycopg2=2.9.13
dbmate=2.36.0 node_pg_migrate=9.0.0 node_postgres=8.23.1
refinery=0.10.0 sqlx=0.9.0

say() { echo "peers.sh: $*" >&2; }
# fetched NAME VERSION: whether it is there; then `mark` remembers it.
fetched() { [ "$(cat "$peers/$1.version" 2>/dev/null)" = "$2" ]; }
mark() { echo "$2" >"$peers/$1.version"; }

mkdir -p "$peers"

if ! fetched alembic "$alembic"; then
    say "fetching Alembic $alembic"
    rm -rf "$peers/alembic"
    python3 -m venv "$peers/alembic"
    "$peers/alembic/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
        "alembic==$alembic" "psycopg2-binary==$psycopg2"
    mark alembic "$alembic"
fi

if ! fetched node "$dbmate $node_pg_migrate"; then
    say "fetching dbmate $dbmate and node-pg-migrate $node_pg_migrate"
    rm -rf "$peers/node"
    mkdir -p "$peers/node"
    (cd "$peers/node" && npm install --silent --no-audit --no-fund \
        "dbmate@$dbmate" "node-pg-migrate@$node_pg_migrate" "pg@$node_postgres") >&2
    mark node "$dbmate $node_pg_migrate"
fi

# crate NAME VERSION FEATURES: built in a folder of cargo's own, outside of this repository.
crate() {
    fetched "$1" "$2" && return
    say "building $1 $2 (minutes)"
    (cd "$peers" && cargo install --locked --quiet --root "$peers" "$1@$2" --no-default-features --features "$3")
    mark "$1" "$2"
}
crate refinery_cli "$refinery" postgresql
crate sqlx-cli "$sqlx" rustls,postgres
