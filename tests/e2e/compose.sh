# shellcheck shell=bash disable=SC2154 # run.sh sources this and sets what is not set here.
# compose.yaml, unchanged.

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
