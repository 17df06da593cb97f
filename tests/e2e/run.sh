#!/usr/bin/env bash
# `make e2e`: the images in Docker Compose and in pods. One line for each scenario; ends non-zero if one fails.
# With a pattern, only the scenarios whose function it matches: tests/e2e/run.sh 'server_up|sidecar'.
# Expects target/image/{amd64,arm64} (make stage) and the engines (scripts/dev/need.sh engines); needs root.
set -euo pipefail

cd "$(dirname "$0")/../.."
root=$PWD
pattern=${1:-.}
cache=$root/.cache/e2e
tools=$root/.cache/validators/bin
e2e=$root/tests/e2e

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
die() { echo "e2e: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "needs root, for the engines and for debootstrap"

mkdir -p "$cache"
work=$(mktemp --directory --tmpdir pgmarch-e2e.XXXXXX)
export CONTAINERS_CONF=$work/containers.conf
dockerd=
cleanup() {
    local code=$?
    trap - EXIT INT TERM
    leftovers
    if [ -n "$dockerd" ]; then
        kill "$dockerd"
        wait "$dockerd" 2>/dev/null || true
    fi
    rm -rf "$work"
    exit "$code"
}

# What this run, or one before it that was killed, has left.
leftovers() {
    docker compose down --volumes --timeout 1 >/dev/null 2>&1 || true
    docker ps --all --quiet --filter label=pgmarch-e2e | xargs -r docker rm --force --volumes >/dev/null 2>&1 || true
    docker network rm pgmarch-e2e >/dev/null 2>&1 || true
    pods_down
}

pods_down() {
    podman pod rm --force --ignore --time 0 api migrate >/dev/null 2>&1 || true
    podman rm --force --time 0 --volumes pgmarch-e2e-postgres >/dev/null 2>&1 || true
    podman volume ls --quiet | { grep -E '^revisions' || true; } | xargs -r podman volume rm >/dev/null 2>&1 || true
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The caller's own settings must not steer the containers.
unset DATABASE_URL DEV_PASSWORD "${!PG@}" "${!COMPOSE_@}"

# --- the engines ----------------------------------------------------------------------------------------------------

if ! docker info >/dev/null 2>&1; then
    dockerd >"$work/dockerd.log" 2>&1 &
    dockerd=$!
    for _ in {1..100}; do
        if docker info >/dev/null 2>&1; then break; fi
        sleep 0.2
    done
    docker info >/dev/null 2>&1 || die "dockerd did not start: $(tail -n 5 "$work/dockerd.log")"
fi
{
    # Podman's defaults are above what a machine with few rights may set.
    echo '[containers]'
    echo 'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]'
    # crun refuses machines with both kinds of cgroups.
    if command -v runc >/dev/null; then printf '[engine]\nruntime = "runc"\n'; fi
} >"$CONTAINERS_CONF"

# The server's image from its registry, or a stand-in of that name: Debian's PostgreSQL 17 with an entrypoint of our own.
server_image() {
    if docker image inspect postgres:17 >/dev/null 2>&1; then return; fi
    if timeout 120 docker pull --quiet postgres:17 >/dev/null 2>&1; then return; fi
    local tree=$cache/trixie skip=() path
    if [ ! -e "$tree/complete" ]; then
        rm -rf "$tree"
        debootstrap --variant=minbase --include=postgresql-17 trixie "$tree" "$(debian_mirror)" >"$work/debootstrap.log" ||
            die "debootstrap failed: $(tail -n 5 "$work/debootstrap.log")"
        touch "$tree/complete"
    fi
    install -m 755 "$e2e/postgres/entrypoint.sh" "$tree/usr/local/bin/docker-entrypoint.sh"
    for path in './dev/*' ./var/cache/apt ./var/lib/apt ./usr/share/{doc,man,locale,perl} './usr/lib/x86_64-linux-gnu/'{libLLVM,libz3,perl}'*' \
        './usr/lib/postgresql/17/lib/'{bitcode,llvmjit}'*' ./usr/bin/psql; do
        skip+=(--exclude "$path")
    done
    tar --directory "$tree" "${skip[@]}" --create . | docker import \
        --change 'ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8' \
        --change 'ENTRYPOINT ["docker-entrypoint.sh"]' --change 'CMD ["postgres"]' \
        --change 'VOLUME /var/lib/postgresql/data' --change 'EXPOSE 5432' - postgres:17 >/dev/null
}

debian_mirror() {
    local mirror
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -oE 'https?://[^ ]*/debian/?( |$)' | grep -v snapshot | head -n 1 | tr -d ' ')
    echo "${mirror:-http://deb.debian.org/debian}"
}

build() { docker build --quiet --file docker/Dockerfile --build-arg VERSION="$version" --build-arg REVISION="$revision" "$@" . ; }

# --- scenarios ------------------------------------------------------------------------------------------------------

count=0
failed=()

# scenario NAME FUNCTION: runs it in a shell of its own, where each command must succeed.
scenario() {
    local name=$1 started=$SECONDS log=$work/scenario.log code=0
    [[ $2 =~ $pattern ]] || return 0
    count=$((count + 1))
    set +e
    (set -eE; trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR; "$2") >"$log" 2>&1
    code=$?
    set -e
    if [ "$code" = 0 ]; then
        printf 'ok    %s (%d s)\n' "$name" $((SECONDS - started))
        sed -n 's/^measured: /      /p' "$log"
    else
        printf 'FAIL  %s (%d s)\n' "$name" $((SECONDS - started))
        sed 's/^/      | /' "$log" | tail -n 40
        failed+=("$name")
    fi
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

# --- the image itself -----------------------------------------------------------------------------------------------

image_contents() {
    local image files size
    for image in pgmarch:dev pgmarch-marchproxy:dev pgmarch:dev-arm64; do
        size=$(inspect "$image" '{{.Size}}')
        below "$image's size" 4000000 "$size"
        is "$image's user" 65532:65532 "$(inspect "$image" '{{.Config.User}}')"
        for label in title description licenses version revision source; do
            [ -n "$(inspect "$image" "{{index .Config.Labels \"org.opencontainers.image.$label\"}}")" ]
        done
        is "$image's version" "$version" "$(inspect "$image" '{{index .Config.Labels "org.opencontainers.image.version"}}')"
        measured "$image ($(inspect "$image" '{{.Architecture}}')): $size bytes, $(inspect "$image" '{{len .RootFS.Layers}}') layers, user $(inspect "$image" '{{.Config.User}}')"
    done
    is "layers: documents, binary" 2 "$(inspect pgmarch:dev '{{len .RootFS.Layers}}')"
    is "layers: documents, binary, revisions" 3 "$(inspect pgmarch-marchproxy:dev '{{len .RootFS.Layers}}')"
    is "arm64's architecture" arm64 "$(inspect pgmarch:dev-arm64 '{{.Architecture}}')"
    docker create --name pgmarch-e2e-files --label pgmarch-e2e pgmarch-marchproxy:dev
    files=$(docker export pgmarch-e2e-files | tar --list | grep -v '/$' | grep -vE '^(\.dockerenv|dev/console|etc/(hostname|hosts|mtab|resolv\.conf))$' | sort | tr '\n' ' ')
    is "files" "LICENSE THIRD-PARTY-LICENSES.txt migrations/001_initial_schema.sql migrations/schema.sql pgmarch sbom.cdx.json " "$files"
}

no_shell() {
    local output
    if output=$(docker run --rm --label pgmarch-e2e --entrypoint /bin/sh pgmarch:dev -c true 2>&1); then return 1; fi
    contains "$output" "/bin/sh"
    docker run --rm --label pgmarch-e2e pgmarch:dev --version
}

documents() {
    "$tools/python" "$e2e/documents.py" target/image/amd64/documents Cargo.lock
    "$tools/python" "$e2e/documents.py" target/image/arm64/documents Cargo.lock
}

reproducible() {
    # Another folder, another target folder: the same binary.
    mkdir "$work/again"
    cp -r Cargo.toml Cargo.lock rust-toolchain.toml LICENSE src Makefile scripts migrations "$work/again/"
    (cd "$work/again" && RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo" \
        cargo build --quiet --release --locked --offline --target x86_64-unknown-linux-musl --bin pgmarch)
    local one two
    one=$(sha256sum <target/image/amd64/pgmarch)
    two=$(sha256sum <"$work/again/target/x86_64-unknown-linux-musl/release/pgmarch")
    is "the second binary" "$one" "$two"
    measured "sha256 ${one%% *}"
    build --no-cache --target prebuilt-marchproxy --tag pgmarch-e2e:again
    is "layers" "$(inspect pgmarch-marchproxy:dev '{{.RootFS.Layers}}')" "$(inspect pgmarch-e2e:again '{{.RootFS.Layers}}')"
    docker rmi pgmarch-e2e:again
}

# --- compose.yaml, as it stands -------------------------------------------------------------------------------------

query() { docker compose exec --no-TTY --env PGPASSWORD=throwaway-dev-password postgres psql --no-psqlrc --tuples-only --no-align -h 127.0.0.1 -U marchproxy marchproxy --command "$1"; }
service() { inspect "$(docker compose ps --all --quiet "$1" | head -n 1)" "$2"; }
api_is_done() { [ "$(service api '{{.State.Status}}')" = exited ]; }
fresh() { docker compose down --volumes --timeout 1; }

compose_order() {
    fresh
    docker compose up --detach
    eventually api_is_done
    is "migrate's code" 0 "$(service migrate '{{.State.ExitCode}}')"
    is "api's code" 0 "$(service api '{{.State.ExitCode}}')"
    local migrated started
    migrated=$(date --date "$(service migrate '{{.State.FinishedAt}}')" +%s%N)
    started=$(date --date "$(service api '{{.State.StartedAt}}')" +%s%N)
    [ "$migrated" -lt "$started" ]
    measured "api started $(((started - migrated) / 1000000)) ms after migrate had exited"
    contains "$(docker compose logs --no-color api)" "user_service_assignments"
    # The very variable of MarchProxy's own deployment.
    contains "$(service migrate '{{.Config.Env}}')" "DATABASE_URL=postgresql+asyncpg://marchproxy:"
}

compose_again() {
    local before
    before=$(query 'SELECT count(*) FROM pgmarch.journal; TABLE alembic_version')
    docker compose up --detach
    eventually api_is_done
    contains "$(docker compose logs --no-color --tail 1 migrate)" "nothing to do"
    is "journal and version" "$before" "$(query 'SELECT count(*) FROM pgmarch.journal; TABLE alembic_version')"
}

compose_hardened() {
    is "read-only root" true "$(service migrate '{{.HostConfig.ReadonlyRootfs}}')"
    is "capabilities" "[ALL]" "$(service migrate '{{.HostConfig.CapDrop}}')"
    is "security" "[no-new-privileges:true]" "$(service migrate '{{.HostConfig.SecurityOpt}}')"
    is "user" 65532:65532 "$(service migrate '{{.Config.User}}')"
}

compose_scaled() {
    fresh
    docker compose up --detach --scale migrate=5
    eventually api_is_done
    is "codes" "0 0 0 0 0 " "$(docker compose ps --all --quiet migrate | xargs -n 1 docker inspect --format '{{.State.ExitCode}}' | tr '\n' ' ')"
    is "runs of the revision" 1 "$(query 'SELECT count(*) FROM pgmarch.journal')"
}

compose_broken() {
    fresh
    printf -- '-- revision: 002\n-- revises: 001\n\n-- migrate:up\nALTER TABLE no_such_table ADD COLUMN x int;\n' >"$work/002_broken.sql"
    docker tag pgmarch-marchproxy:dev pgmarch-e2e:sound
    docker create --name pgmarch-e2e-broken --label pgmarch-e2e pgmarch-marchproxy:dev
    docker cp "$work/002_broken.sql" pgmarch-e2e-broken:/migrations/002_broken.sql
    docker commit pgmarch-e2e-broken pgmarch-marchproxy:dev
    local code=0 output
    output=$(docker compose up --detach 2>&1) || code=$?
    docker tag pgmarch-e2e:sound pgmarch-marchproxy:dev
    docker rmi pgmarch-e2e:sound
    [ "$code" != 0 ]
    contains "$output" "didn't complete successfully: exit 6"
    is "migrate's code" 6 "$(service migrate '{{.State.ExitCode}}')"
    is "api" created "$(service api '{{.State.Status}}')"
    contains "$(docker compose logs --no-color migrate)" "002_broken.sql:5:1"
    is "version" 001 "$(query 'TABLE alembic_version')"
    fresh
}

# --- single containers ----------------------------------------------------------------------------------------------

hardened=(--label pgmarch-e2e --network pgmarch-e2e --read-only --cap-drop ALL --security-opt no-new-privileges --memory 32m --pids-limit 16)

server_up() {
    docker network create pgmarch-e2e
    docker run --detach --label pgmarch-e2e --network pgmarch-e2e --name pgmarch-e2e-server --network-alias postgres \
        --env POSTGRES_DB=app --env POSTGRES_USER=app --env POSTGRES_PASSWORD=throwaway postgres:17
}

secret_files() {
    # As Docker and Kubernetes mount secrets: readable to the user of the container alone.
    local folder=$work/secret output
    mkdir "$folder"
    echo 'postgresql://app:throwaway@postgres/app' >"$folder/url"
    chown -R 65532:65532 "$folder"
    chmod 0400 "$folder/url"
    output=$(docker run --rm "${hardened[@]}" --volume "$folder:/run/secrets:ro" --env PGMARCH_DATABASE_URL_FILE=/run/secrets/url pgmarch-marchproxy:dev 2>&1)
    contains "$output" "at 001, 1 applied"
    if grep -q throwaway <<<"$output"; then return 1; fi
    chown 0:0 "$folder/url"
    local code=0
    output=$(docker run --rm "${hardened[@]}" --volume "$folder:/run/secrets:ro" --env PGMARCH_DATABASE_URL_FILE=/run/secrets/url pgmarch-marchproxy:dev 2>&1) || code=$?
    is "code for a file that can't be read" 2 "$code"
    contains "$output" "make it readable to the user that runs pgmarch"
}

waits() {
    local code=0 output
    output=$(docker run --rm "${hardened[@]}" --env PGMARCH_DATABASE_URL=postgresql://app:throwaway@postgres/app pgmarch-marchproxy:dev wait 2>&1)
    contains "$output" "at 001"
    docker run --rm "${hardened[@]}" --env PGMARCH_WAIT_TIMEOUT=1s --env PGMARCH_DATABASE_URL=postgresql://app:throwaway@postgres/template1 pgmarch-marchproxy:dev wait || code=$?
    is "code for an empty database" 1 "$code"
    code=0
    docker run --rm "${hardened[@]}" --env PGMARCH_WAIT_TIMEOUT=1s --env PGMARCH_DATABASE_URL=postgresql://app:throwaway@nowhere/app pgmarch-marchproxy:dev wait || code=$?
    is "code for no server" 4 "$code"
}

answers() { [ "$(curl --silent --output /dev/null --write-out '%{http_code}' "$2")" = "$1" ]; }
resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

sidecar() {
    local pid address status stopped
    docker run --detach --name pgmarch-e2e-sidecar "${hardened[@]}" --env PGMARCH_CHECK_EVERY=1s \
        --env PGMARCH_DATABASE_URL=postgresql://app:throwaway@postgres/app pgmarch-marchproxy:dev sidecar
    address=$(inspect pgmarch-e2e-sidecar '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'):8080
    eventually curl --fail --silent "http://$address/readyz"
    curl --fail --silent "http://$address/livez"
    "$tools/python" "$e2e/metrics.py" "http://$address"
    pid=$(inspect pgmarch-e2e-sidecar '{{.State.Pid}}')
    status=$(cat "/proc/$pid/status")
    contains "$(tr '\t' ' ' <<<"$status")" "Uid: 65532 65532 65532 65532"
    contains "$(tr '\t' ' ' <<<"$status")" "CapEff: 0000000000000000"
    contains "$(tr '\t' ' ' <<<"$status")" "NoNewPrivs: 1"
    for _ in {1..200}; do curl --fail --silent --output /dev/null "http://$address/metrics"; done
    below "resident memory in kB" 10240 "$(resident "$pid")"
    measured "resident memory of the sidecar after 200 scrapes: $(resident "$pid") kB"
    docker stop --time 0 pgmarch-e2e-server >/dev/null
    eventually answers 503 "http://$address/readyz"
    answers 200 "http://$address/livez"
    docker start pgmarch-e2e-server >/dev/null
    eventually curl --fail --silent "http://$address/readyz"
    stopped=$(date +%s%N)
    docker stop --time 10 pgmarch-e2e-sidecar
    stopped=$((($(date +%s%N) - stopped) / 1000000))
    is "code after SIGTERM" 143 "$(inspect pgmarch-e2e-sidecar '{{.State.ExitCode}}')"
    below "milliseconds from docker stop to the end" 2000 "$stopped"
    measured "docker stop: $stopped ms"
}

server_address() { inspect pgmarch-e2e-server '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'; }
psql_as_app() { docker exec --env PGPASSWORD=throwaway pgmarch-e2e-server psql --no-psqlrc --tuples-only --no-align -h 127.0.0.1 -U app --dbname "$1" --command "$2"; }
server_answers() { psql_as_app app 'SELECT 1'; }

memory() {
    eventually server_answers
    psql_as_app app 'CREATE DATABASE memory'
    local peak
    peak=$(PGMARCH_DATABASE_URL="postgresql://app:throwaway@$(server_address)/memory" PGMARCH_MIGRATIONS=migrations \
        python3 "$e2e/memory.py" target/image/amd64/pgmarch)
    below "resident memory in kB" 8192 "$peak"
    measured "resident memory of an init run, at most: $peak kB"
}

arm64() {
    eventually server_answers
    psql_as_app app 'CREATE DATABASE arm64'
    is "version" "pgmarch $version" "$(qemu-aarch64-static target/image/arm64/pgmarch --version)"
    PGMARCH_DATABASE_URL="postgresql://app:throwaway@$(server_address)/arm64" PGMARCH_MIGRATIONS=migrations \
        qemu-aarch64-static target/image/arm64/pgmarch
    is "version in the database" 001 "$(psql_as_app arm64 'TABLE alembic_version')"
}

release() {
    local folder=$work/registry digest
    mkdir "$folder"
    sed "s#REGISTRY_FOLDER#$folder#" "$e2e/registry.yml" >"$folder.yml"
    docker-registry serve "$folder.yml" >"$folder.log" 2>&1 &
    # shellcheck disable=SC2064 # The number of now.
    trap "kill $!" EXIT
    eventually curl --fail --silent http://127.0.0.1:5719/v2/
    digest=$(scripts/release/push.sh 127.0.0.1:5719/pgmarch "$version" prebuilt-pgmarch)
    contains "$(docker buildx imagetools inspect "127.0.0.1:5719/pgmarch@$digest")" "linux/arm64"
    scripts/release/archives.sh "$version" "$work/release"
    (cd "$work/release" && sha256sum --check --quiet SHA256SUMS)
    tar --extract --gzip --file "$work/release/pgmarch-$version-linux-amd64.tar.gz" --directory "$work"
    is "version" "pgmarch $version" "$("$work/pgmarch-$version-linux-amd64/pgmarch" --version)"
    measured "image of both architectures: $digest"
    docker rmi "127.0.0.1:5719/pgmarch:$version-"{amd64,arm64}
}

# --- manifests and pods ---------------------------------------------------------------------------------------------

render() { "$tools/kubectl" kustomize "deploy/kubernetes/$1"; }

manifests() {
    local name versions version
    for name in base overlays/production job sidecar; do render "$name" >"$work/${name//\//-}.yaml"; done
    "$tools/helm" template release deploy/kubernetes/helm >"$work/helm.yaml"
    # From 1.29, the first with native sidecars, to the newest that the validator knows.
    versions=$("$tools/python" -c 'import kubernetes_validate, pathlib
known = {p.name.split("-")[0] for p in (pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema").glob("v1.*")}
print(*sorted({int(n.split(".")[1]) for n in known if int(n.split(".")[1]) >= 29}))')
    contains "$versions" "29"
    for version in $versions; do
        "$tools/kubernetes-validate" --strict --quiet -k "1.$version" "$work"/{base,overlays-production,job,sidecar,helm}.yaml
    done
    measured "valid for Kubernetes 1.${versions// /, 1.}"
}

pod_server() {
    pods_down
    mkdir -p "$work/secrets"
    podman run --detach --name pgmarch-e2e-postgres --env POSTGRES_USER=app --env POSTGRES_PASSWORD=change-me --env POSTGRES_DB=app localhost/postgres:17
    eventually pod_query 'SELECT 1'
}
pod_query() { podman exec --env PGPASSWORD=change-me pgmarch-e2e-postgres psql --no-psqlrc --tuples-only --no-align -h 127.0.0.1 -U app app --command "$1"; }
pod_address() { podman inspect "$1" --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'; }
playable() { "$tools/python" "$e2e/pods.py" "$(pod_address pgmarch-e2e-postgres)" "$work/secrets"; }
container() { podman inspect "$1" --format "$2"; }
stands() { [ "$(container "$1" '{{.State.Status}}')" = "$2" ]; }
says() { podman logs "$1" 2>&1 | grep -q "$2"; }
sees_table() { says api-api '(1 row)'; }

pod_init_succeeds() {
    pod_server
    render base | playable >"$work/play.yaml"
    podman play kube "$work/play.yaml"
    eventually sees_table
    is "app" running "$(container api-api '{{.State.Status}}')"
    is "version" 001 "$(pod_query 'TABLE alembic_version')"
}

pod_init_fails() {
    pod_server
    render base | sed 's/CREATE TABLE notes/CREATE TABEL notes/' | playable >"$work/play.yaml"
    local code=0 output
    output=$(podman play kube "$work/play.yaml" 2>&1) || code=$?
    [ "$code" != 0 ]
    contains "$output" "exited with code 6"
    is "app" created "$(container api-api '{{.State.Status}}')"
    is "read-only root" true "$(container api-migrate '{{.HostConfig.ReadonlyRootfs}}')"
    is "user" 65532:65532 "$(container api-migrate '{{.Config.User}}')"
    is "capabilities" "[]" "$(container api-migrate '{{.EffectiveCaps}}')"
}

pod_job_and_wait() {
    pod_server
    pod_query "CREATE ROLE application LOGIN PASSWORD 'change-me-too'"
    # What docs/operations.md tells: it may read the version table and use what revisions will make.
    pod_query 'ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO application'
    render job | playable >"$work/play.yaml"
    "$tools/python" "$e2e/split.py" "$work/play.yaml" "$work/parts"
    # The application's pod first: it must wait, and its role could not migrate.
    podman play kube "$work/parts/api.yaml" >"$work/waiting.log" 2>&1 &
    local waiting=$!
    eventually says api-wait-for-schema "revision pending"
    is "app" created "$(container api-api '{{.State.Status}}')"
    podman play kube "$work/parts/migrate.yaml"
    eventually stands migrate-migrate exited
    is "the Job's code" 0 "$(container migrate-migrate '{{.State.ExitCode}}')"
    wait "$waiting"
    eventually sees_table
}

pod_sidecar() {
    pod_server
    render sidecar | playable >"$work/play.yaml"
    podman play kube "$work/play.yaml"
    local address
    address=http://$(pod_address "$(podman pod inspect api --format '{{.InfraContainerID}}')"):8080
    eventually curl --fail --silent "$address/readyz"
    contains "$(curl --fail --silent "$address/readyz")" "ready: at 001"
    contains "$(curl --fail --silent "$address/livez")" "alive"
    contains "$(curl --fail --silent "$address/metrics")" 'pgmarch_revision_info{revision="001"} 1'
    is "app" running "$(container api-api '{{.State.Status}}')"
    podman stop --time 10 api-pgmarch
    is "code after SIGTERM" 143 "$(container api-pgmarch '{{.State.ExitCode}}')"
}

# --------------------------------------------------------------------------------------------------------------------

version=$(cargo pkgid | sed 's/.*[#@]//')
revision=$(git rev-parse --verify --quiet HEAD || echo unknown)

leftovers
say "Images"
server_image
build --target prebuilt-pgmarch --tag pgmarch:dev >/dev/null
build --target prebuilt-marchproxy --tag pgmarch-marchproxy:dev >/dev/null
build --target prebuilt-pgmarch --platform linux/arm64 --build-arg ARCH=arm64 --tag pgmarch:dev-arm64 >/dev/null
scenario "from scratch, below 4 MB, one layer for each concern, user 65532, nothing but what belongs there" image_contents
scenario "no shell" no_shell
scenario "the SBOM is valid CycloneDX and, like the licences, names every crate that is linked in" documents
scenario "two builds, one binary; two images, the same layers" reproducible

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
scenario "sidecar: probes, metrics, a server that goes and comes back, SIGTERM" sidecar
scenario "an init run's memory" memory
scenario "arm64 under emulation: --version and an upgrade" arm64
scenario "a release: archives with checksums, an image for both architectures in a registry" release

say "Kubernetes manifests and pods"
scenario "manifests, overlay, chart" manifests
docker save postgres:17 pgmarch:dev | podman load --quiet >/dev/null
scenario "init container succeeds: the app runs" pod_init_succeeds
scenario "init container fails: the app never starts" pod_init_fails
scenario "Job migrates while the pod waits with another role" pod_job_and_wait
scenario "sidecar answers probes beside the app" pod_sidecar

say "$((count - ${#failed[@]})) of $count scenarios passed in $SECONDS s"
for name in "${failed[@]}"; do echo "FAILED: $name"; done
[ ${#failed[@]} = 0 ]
