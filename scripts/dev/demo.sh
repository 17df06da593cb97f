#!/usr/bin/env bash
# `make demo`: pgmarch as an init container would run it, against a throwaway server and without Docker.
set -euo pipefail

cd "$(dirname "$0")/../.."
pgmarch=$(realpath "${1:?usage: demo.sh PGMARCH_BINARY}")

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() { echo "demo: $*" >&2; exit 1; }
show() { printf '$ %s\n' "$*"; }

# Debian's own folder first: its /usr/bin/psql is a slow wrapper, and initdb isn't on PATH there.
bin=
for folder in /usr/lib/postgresql/*/bin; do
    if [ -x "$folder/initdb" ]; then bin=$folder; fi
done
if [ -z "$bin" ]; then
    initdb=$(command -v initdb) || die "no initdb here: scripts/dev/need.sh postgres installs it"
    bin=$(dirname "$(realpath "$initdb")")
fi

# The server refuses to run as root.
as_server() {
    if [ "$(id -u)" = 0 ]; then runuser --user postgres -- "$@"; else "$@"; fi
}

work=$(mktemp --directory --tmpdir pgmarch-demo.XXXXXX)
runner=
cleanup() {
    local code=$?
    trap - EXIT INT TERM
    if [ -n "$runner" ]; then kill "$runner" 2>/dev/null || true; fi
    if [ -f "$work/data/postmaster.pid" ]; then
        as_server "$bin/pg_ctl" --pgdata "$work/data" --mode immediate --silent stop || true
    fi
    cd /
    rm -rf "$work"
    exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The caller's own PGHOST, PGMARCH_TARGET… must not steer the demo.
unset DATABASE_URL "${!PG@}"
TIMEFORMAT='(%R s)'

port=$((20000 + RANDOM % 20000))
while (: </dev/tcp/127.0.0.1/$port) 2>/dev/null; do port=$((port + 1)); done

password=throwaway-demo-password
export DATABASE_URL="postgresql+asyncpg://marchproxy:$password@127.0.0.1:$port/marchproxy"
export PGMARCH_MIGRATIONS=$PWD/migrations PGMARCH_LOG_FORMAT=text PGMARCH_WAIT_TIMEOUT=30s
# The server's user may not enter the checkout.
cd "$work"

prepare_server() {
    echo "$password" >"$work/password"
    # Root's demo hands the folder to the server's user.
    if [ "$(id -u)" = 0 ]; then chown -R postgres "$work"; fi
    as_server "$bin/initdb" --pgdata "$work/data" --username marchproxy --pwfile "$work/password" \
        --auth scram-sha-256 --encoding UTF8 --no-locale --no-sync >/dev/null
    # A server that listens has its database already, as in the official image: a missing one is an error, not a wait.
    as_server "$bin/postgres" --single -D "$work/data" postgres <<<'CREATE DATABASE marchproxy' &>"$work/create.log" ||
        die "the database could not be created: $(cat "$work/create.log")"
}

start_server() {
    as_server "$bin/pg_ctl" --pgdata "$work/data" --log "$work/data/server.log" --silent --wait start \
        -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$work/data -c fsync=off" ||
        die "the server did not start: $(tail -n 3 "$work/data/server.log")"
}

query() {
    PGPASSWORD=$password "$bin/psql" --no-psqlrc --set ON_ERROR_STOP=1 --pset pager=off \
        --host 127.0.0.1 --port "$port" --username marchproxy --dbname marchproxy "$@"
}

say "A database folder is prepared; nothing listens on port $port yet"
prepare_server

say "pgmarch starts first, and waits"
show "pgmarch"
"$pgmarch" &
runner=$!
sleep 2
kill -0 "$runner" 2>/dev/null || die "pgmarch gave up instead of waiting for the server"

say "The server starts; pgmarch applies the revisions"
start_server
code=0
wait "$runner" || code=$?
runner=
echo "pgmarch exited $code"
[ "$code" = 0 ] || die "exit 0 was due"

say "Only now does the dependent start"
show "psql -c '\\dt'"
query --command '\dt'
[ -n "$(query --tuples-only --no-align --command 'TABLE alembic_version')" ] || die "no revision is recorded"

say "A second run finds nothing to do"
show "pgmarch"
time "$pgmarch"

say "Where are we?"
show "pgmarch status"
"$pgmarch" status

say "Do the revisions lead to the model, and is the database as the run left it?"
show "pgmarch check"
"$pgmarch" check

say "Done; the server is stopped and its folder removed"
