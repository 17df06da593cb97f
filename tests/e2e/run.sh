#!/usr/bin/env bash
# `make e2e`: the images in Docker Compose and in pods. One line for each scenario; ends non-zero if one fails.
# With a pattern, only the scenarios whose function it matches: tests/e2e/run.sh 'server_up|sidecar'.
# With --engines, only whether containers can run here: says why not in one line, and ends non-zero.
# Expects target/image/{amd64,arm64} (make stage for both), and the engines; needs root.
set -euo pipefail

cd "$(dirname "$0")/../.."
root=$PWD
pattern=${1:-.}
cache=$root/.cache/e2e
tools=$root/.cache/validators/bin
e2e=$root/tests/e2e
# Seconds that a scenario may take; one that hangs is one that failed.
patience=300

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() { echo "e2e: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "needs root, for the engines and for debootstrap"

# As little as production should give; the scenarios of containers run like this.
restricted=(--read-only --cap-drop ALL --security-opt no-new-privileges --memory 32m --pids-limit 16)

# The caller's own settings must not steer the containers; compose.yaml's own name may be somebody's database.
unset DATABASE_URL DEV_PASSWORD "${!PG@}" "${!COMPOSE_@}"
export COMPOSE_PROJECT_NAME=pgmarch-e2e

# shellcheck source=tests/e2e/engines.sh
. "$e2e/engines.sh"
# shellcheck source=tests/e2e/image.sh
. "$e2e/image.sh"
# shellcheck source=tests/e2e/compose.sh
. "$e2e/compose.sh"
# shellcheck source=tests/e2e/containers.sh
. "$e2e/containers.sh"
# shellcheck source=tests/e2e/pods.sh
. "$e2e/pods.sh"

# --- the harness ----------------------------------------------------------------------------------------------------

count=0
failed=()
running=

# scenario NAME FUNCTION: runs it in a shell of its own, where each command must succeed.
scenario() {
    local name=$1 started=$SECONDS log=$work/scenario.log code=0
    [[ $2 =~ $pattern ]] || return 0
    count=$((count + 1))
    # With job control it is a process group of its own, which can be ended as a whole.
    set -m
    (set -eE; trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR; "$2") >"$log" 2>&1 </dev/null &
    running=$!
    set +m
    while kill -0 "$running" 2>/dev/null; do
        if [ $((SECONDS - started)) -ge "$patience" ]; then
            echo "took longer than $patience s" >>"$log"
            kill -KILL -- "-$running" 2>/dev/null || true
        fi
        sleep 0.1
    done 2>/dev/null
    wait "$running" 2>/dev/null || code=$?
    running=
    if [ "$code" = 0 ]; then
        printf 'ok    %s (%d s)\n' "$name" $((SECONDS - started))
    else
        printf 'FAIL  %s (%d s)\n' "$name" $((SECONDS - started))
        failed+=("$name")
    fi
    sed -n 's/^measured: /      /p' "$log"
    [ "$code" = 0 ] || grep -v '^measured: ' "$log" | tail -n 40 | sed 's/^/      | /'
}

measured() { echo "measured: $*"; }

# is WHAT EXPECTED ACTUAL
is() { [ "$2" = "$3" ] || { echo "$1: expected '$2', got '$3'"; return 1; }; }
# below WHAT LIMIT ACTUAL
below() { [ "$3" -lt "$2" ] || { echo "$1: $3 is not below $2"; return 1; }; }
contains() { grep -qF -- "$2" <<<"$1" || { echo "expected '$2' in: $1"; return 1; }; }

inspect() { docker inspect --format "$2" "$1"; }
# eventually COMMAND...: until it succeeds, 30 s long.
eventually() {
    local deadline=$((SECONDS + 30))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || { echo "never: $*"; return 1; }
        sleep 0.1
    done
}

build() { docker build --quiet --file docker/Dockerfile --build-arg VERSION="$version" --build-arg REVISION="$revision" "$@" . ; }

cleanup() {
    local code=$?
    trap - EXIT INT TERM
    if [ -n "$running" ]; then kill -KILL -- "-$running" 2>/dev/null || true; fi
    leftovers
    [ "$pattern" = --engines ] || forget_stand_ins
    stop_engines
    rm -rf "$work"
    exit "$code"
}

# --------------------------------------------------------------------------------------------------------------------

mkdir -p "$cache"
work=$(mktemp --directory --tmpdir pgmarch-e2e.XXXXXX)
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
version=$(cargo pkgid | sed 's/.*[#@]//')
revision=$(git rev-parse --verify --quiet HEAD || echo unknown)

start_engines
leftovers
server_image
if [ "$pattern" = --engines ]; then
    try_engines
    echo "Docker $(docker version --format '{{.Server.Version}}'), compose $(docker compose version --short) and podman $(podman version --format '{{.Client.Version}}') run containers here"
    exit
fi

say "Images"
build --target prebuilt-pgmarch --tag pgmarch:dev >/dev/null
build --target prebuilt-marchproxy --tag pgmarch-marchproxy:dev >/dev/null
build --target prebuilt-pgmarch --platform linux/arm64 --build-arg ARCH=arm64 --tag pgmarch:dev-arm64 >/dev/null
scenario "from scratch, one layer for each concern, labels, user 65532, nothing but what belongs there" image_contents
scenario "below 7 MB in all" image_size
scenario "no shell" no_shell
scenario "the SBOM is valid CycloneDX and, like the licences, names every crate that is linked in" documents
scenario "two images, the same layers" same_layers
# It compiles.
patience=900 scenario "Docker alone compiles the same binary" compiled_by_docker

say "compose.yaml, unchanged"
scenario "api starts after migrate has exited 0, with MarchProxy's own DATABASE_URL" compose_order
scenario "a second up changes nothing" compose_again
scenario "read-only root, no capabilities, no new privileges, user 65532" compose_hardened
scenario "five migrate at once: all exit 0, the revision runs once" compose_scaled
scenario "a broken revision: up fails, api never starts" compose_broken

say "Containers: read-only root, no capabilities, 32 MB"
scenario "a server" server_up
scenario "secrets as files, readable to user 65532 alone" secret_files
scenario "wait: 0 at the target, 1 not in time, 4 not reachable" waits
scenario "sidecar: probes, metrics, bad clients, a server that goes and comes back, SIGTERM" sidecar
scenario "an init run's memory" memory
scenario "arm64 under emulation: --version and an upgrade" arm64
scenario "a release: archives with checksums, an image for both architectures in a registry" release

say "Kubernetes manifests and pods"
scenario "manifests, overlay, chart" manifests
to_podman postgres:17 >/dev/null
to_podman pgmarch:dev >/dev/null
scenario "init container succeeds: the app runs" pod_init_succeeds
scenario "init container fails: the app never starts" pod_init_fails
scenario "Job migrates while the pod waits with another role" pod_job_and_wait
scenario "sidecar answers probes beside the app and applies what is added to the ConfigMap" pod_sidecar

say "$((count - ${#failed[@]})) of $count scenarios passed in $SECONDS s"
for name in "${failed[@]}"; do echo "FAILED: $name"; done
[ ${#failed[@]} = 0 ]
