# shellcheck shell=bash disable=SC2154 # run.sh sources this and sets what is not set here.
# Manifests, and pods made of them.

render() { "$tools/kubectl" kustomize "deploy/kubernetes/$1"; }

manifests() {
    local name
    for name in base overlays/production job sidecar; do render "$name" >"$work/manifests-${name//\//-}.yaml"; done
    "$tools/helm" template release deploy/kubernetes/helm >"$work/manifests-helm.yaml"
    measured "valid: $("$tools/python" "$e2e/manifests.py" "$work"/manifests-*.yaml)"
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
sees_table() { says pgmarch-e2e-api-api '(1 row)'; }

pod_init_succeeds() {
    pod_server
    render base | playable >"$work/play.yaml"
    podman play kube "$work/play.yaml"
    eventually sees_table
    is "app" running "$(container pgmarch-e2e-api-api '{{.State.Status}}')"
    is "version" 001 "$(pod_query 'TABLE alembic_version')"
}

pod_init_fails() {
    pod_server
    render base | sed 's/CREATE TABLE notes/CREATE TABEL notes/' | playable >"$work/play.yaml"
    local code=0 output
    output=$(podman play kube "$work/play.yaml" 2>&1) || code=$?
    [ "$code" != 0 ]
    contains "$output" "exited with code 6"
    is "app" created "$(container pgmarch-e2e-api-api '{{.State.Status}}')"
    is "read-only root" true "$(container pgmarch-e2e-api-migrate '{{.HostConfig.ReadonlyRootfs}}')"
    is "user" 65532:65532 "$(container pgmarch-e2e-api-migrate '{{.Config.User}}')"
    is "capabilities" "[]" "$(container pgmarch-e2e-api-migrate '{{.EffectiveCaps}}')"
}

pod_job_and_wait() {
    pod_server
    pod_query "CREATE ROLE application LOGIN PASSWORD 'change-me-too'"
    # What docs/operations.md tells: it may read the version table and use what revisions will make.
    pod_query 'ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO application'
    render job | playable >"$work/play.yaml"
    "$tools/python" "$e2e/split.py" "$work/play.yaml" "$work/parts"
    # The application's pod first: it must wait, and its role could not migrate.
    podman play kube "$work/parts/pgmarch-e2e-api.yaml" >"$work/waiting.log" 2>&1 &
    local waiting=$!
    eventually says pgmarch-e2e-api-wait-for-schema "revision pending"
    is "app" created "$(container pgmarch-e2e-api-api '{{.State.Status}}')"
    podman play kube "$work/parts/pgmarch-e2e-migrate.yaml"
    eventually stands pgmarch-e2e-migrate-migrate exited
    is "the Job's code" 0 "$(container pgmarch-e2e-migrate-migrate '{{.State.ExitCode}}')"
    wait "$waiting"
    eventually sees_table
}

ready_at() { contains "$(curl --fail --silent "$2/readyz")" "ready: at $1"; }

pod_sidecar() {
    pod_server
    render sidecar | playable >"$work/play.yaml"
    podman play kube "$work/play.yaml"
    local address
    address=http://$(pod_address "$(podman pod inspect pgmarch-e2e-api --format '{{.InfraContainerID}}')"):8080
    eventually ready_at 001 "$address"
    contains "$(curl --fail --silent "$address/livez")" "alive"
    contains "$(curl --fail --silent "$address/metrics")" 'pgmarch_revision_info{revision="001"} 1'
    is "app" running "$(container pgmarch-e2e-api-api '{{.State.Status}}')"
    # The overlay lets it apply what is added.
    printf -- '-- revision: 002\n-- revises: 001\n\n-- migrate:up\nCREATE TABLE added ();\n' >"$(podman volume inspect pgmarch-e2e-revisions --format '{{.Mountpoint}}')/002_added.sql"
    eventually ready_at 002 "$address"
    podman stop --time 10 pgmarch-e2e-api-pgmarch
    is "code after SIGTERM" 143 "$(container pgmarch-e2e-api-pgmarch '{{.State.ExitCode}}')"
}
