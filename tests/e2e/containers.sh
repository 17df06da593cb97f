# shellcheck shell=bash disable=SC2154 # run.sh sources this and sets what is not set here.
# Single containers, with as little as production should give them.

hardened=(--label pgmarch-e2e --network pgmarch-e2e "${restricted[@]}")

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
    output=$(docker run --rm "${hardened[@]}" --volume "$folder:/run/secrets:ro" --env PGMARCH_DATABASE_URL_FILE=/run/secrets/url --env PGMARCH_LOG_FORMAT=text pgmarch-marchproxy:dev 2>&1)
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
    contains "$output" '"current":["001"]'
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
    measured "resident memory of the sidecar after 200 scrapes: $(resident "$pid") kB"
    python3 "$e2e/clients.py" "${address%:*}" 8080
    measured "resident memory of the sidecar after 500 bad clients: $(resident "$pid") kB"
    below "resident memory in kB, at most" 10240 "$(awk '/^VmHWM/ { print $2 }' "/proc/$pid/status")"
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
    if scripts/release/check-version.sh v0.0.0; then return 1; fi
    scripts/release/archives.sh "$version" "$work/release"
    scripts/release/archives.sh "$version" "$work/release-again"
    is "archives made again" "$(cat "$work/release/SHA256SUMS")" "$(cat "$work/release-again/SHA256SUMS")"
    (cd "$work/release" && sha256sum --check --quiet SHA256SUMS)
    tar --extract --gzip --file "$work/release/pgmarch-$version-linux-amd64.tar.gz" --directory "$work"
    is "version" "pgmarch $version" "$("$work/pgmarch-$version-linux-amd64/pgmarch" --version)"
    measured "image of both architectures: $digest"
    docker rmi "127.0.0.1:5719/pgmarch:$version-"{amd64,arm64}
}
