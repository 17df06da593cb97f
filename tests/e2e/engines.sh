# shellcheck shell=bash disable=SC2154 # run.sh sources this and sets what is not set here.
# Docker and podman: started where they don't run, tried, and given an image of the server. Nothing of the machine's own
# containers is touched: all that is made here has pgmarch-e2e in its name or its label.

dockerd=

# What of the engines is missing here; the reason stands in one line.
lacking() {
    echo "e2e: no containers can run here: $1: $(tail -n 3 "$2" | tr -s '[:space:]' ' ')" >&2
    exit 1
}

start_engines() {
    export CONTAINERS_CONF=$work/containers.conf
    {
        # Podman's defaults are above what a machine with few rights may set.
        echo '[containers]'
        echo 'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]'
        # crun refuses machines with both kinds of cgroups.
        if command -v runc >/dev/null; then printf '[engine]\nruntime = "runc"\n'; fi
    } >"$CONTAINERS_CONF"
    if docker info >"$work/dockerd.log" 2>&1; then return; fi
    dockerd >"$work/dockerd.log" 2>&1 &
    dockerd=$!
    until docker info >/dev/null 2>&1; do
        if ! kill -0 "$dockerd" 2>/dev/null || [ "$SECONDS" -ge 60 ]; then lacking "dockerd does not start" "$work/dockerd.log"; fi
        sleep 0.2
    done
}

stop_engines() {
    [ -n "$dockerd" ] || return 0
    kill "$dockerd" 2>/dev/null || true
    wait "$dockerd" 2>/dev/null || true
}

# The server's image from its registry, or a stand-in of that name: Debian's PostgreSQL 17 with an entrypoint of our own.
server_image() {
    if docker image inspect postgres:17 >/dev/null 2>&1; then return; fi
    if timeout 120 docker pull --quiet postgres:17 >/dev/null 2>&1; then return; fi
    local tree=$cache/trixie log=$work/server-image.log skip=() path
    if [ ! -e "$tree/complete" ]; then
        rm -rf "$tree"
        debootstrap --variant=minbase --include=postgresql-17 trixie "$tree" "$(debian_mirror)" >"$log" 2>&1 ||
            lacking "postgres:17 can't be pulled, and debootstrap fails" "$log"
        touch "$tree/complete"
    fi
    install -m 755 "$e2e/postgres/entrypoint.sh" "$tree/usr/local/bin/docker-entrypoint.sh"
    for path in './dev/*' ./var/cache/apt ./var/lib/apt ./usr/share/{doc,man,locale,perl} './usr/lib/x86_64-linux-gnu/'{libLLVM,libz3,perl}'*' \
        './usr/lib/postgresql/17/lib/'{bitcode,llvmjit}'*' ./usr/bin/psql; do
        skip+=(--exclude "$path")
    done
    tar --directory "$tree" "${skip[@]}" --create . | docker import \
        --change 'ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8' \
        --change 'ENTRYPOINT ["docker-entrypoint.sh"]' --change 'CMD ["postgres"]' --change 'LABEL pgmarch-e2e=stand-in' \
        --change 'VOLUME /var/lib/postgresql/data' --change 'EXPOSE 5432' - postgres:17 >"$log" 2>&1 || lacking "no image can be made" "$log"
}

# The compiler's image from its registry, or a stand-in of that name: Debian 12 with this machine's toolchain, but without the
# musl target, which the Dockerfile installs.
compiler_image() {
    local name=$1 tree=$cache/bookworm log=$work/compiler-image.log toolchain folder
    if docker image inspect "$name" >/dev/null 2>&1; then return; fi
    if timeout 300 docker pull --quiet "$name" >/dev/null 2>&1; then return; fi
    toolchain=$(readlink --canonicalize "$(rustc --print sysroot)")
    folder=$tree/usr/local/rustup/toolchains/$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)-x86_64-unknown-linux-gnu
    if [ ! -e "$tree/complete" ]; then
        rm -rf "$tree"
        debootstrap --variant=minbase --include=gcc,libc6-dev,ca-certificates bookworm "$tree" "$(debian_mirror)" >"$log" 2>&1 ||
            lacking "$name can't be pulled, and debootstrap fails" "$log"
        mkdir -p "$folder" "$tree/usr/local/cargo/bin"
        tar --directory "$toolchain" --exclude './share' --exclude './lib/rustlib/src' --create . | tar --directory "$folder" --extract
        RUSTUP_HOME=$tree/usr/local/rustup RUSTUP_TOOLCHAIN=$(basename "$folder") rustup target remove x86_64-unknown-linux-musl >"$log" 2>&1 ||
            lacking "the toolchain can't be copied" "$log"
        cp --dereference "$(command -v rustup)" "$tree/usr/local/cargo/bin/rustup"
        for tool in cargo rustc; do ln -s rustup "$tree/usr/local/cargo/bin/$tool"; done
        cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
        touch "$tree/complete"
    fi
    tar --directory "$tree" --exclude './dev/*' --create . | docker import \
        --change 'ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change "ENV RUSTUP_TOOLCHAIN=$(basename "$folder")" --change 'LABEL pgmarch-e2e=stand-in' - "$name" >"$log" 2>&1 || lacking "no image can be made" "$log"
}

debian_mirror() {
    local mirror
    mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -oE 'https?://[^ ]*/debian/?( |$)' | grep -v snapshot | head -n 1 | tr -d ' ')
    echo "${mirror:-http://deb.debian.org/debian}"
}

# One container in each engine, as restricted as the scenarios' are: what fails here is no fault of pgmarch.
try_engines() {
    local log=$work/try.log
    docker run --rm --label pgmarch-e2e "${restricted[@]}" postgres:17 true >"$log" 2>&1 || lacking "Docker runs no container" "$log"
    docker compose version >"$log" 2>&1 || lacking "no docker compose" "$log"
    to_podman postgres:17 >"$log" 2>&1 || lacking "podman loads no image" "$log"
    podman run --rm "${restricted[@]}" localhost/postgres:17 true >"$log" 2>&1 || lacking "podman runs no container" "$log"
}

# to_podman IMAGE: hands one of Docker's images over, unless podman has the very same.
to_podman() {
    local there
    there=$(podman image inspect --format '{{.ID}}' "localhost/$1" 2>/dev/null || true)
    [ "sha256:$there" = "$(docker image inspect --format '{{.ID}}' "$1")" ] || docker save "$1" | podman load --quiet
}

# What this run, or one before it that was killed, has left.
leftovers() {
    docker compose down --volumes --timeout 1 >/dev/null 2>&1 || true
    docker ps --all --quiet --filter label=pgmarch-e2e 2>/dev/null | xargs -r docker rm --force --volumes >/dev/null 2>&1 || true
    docker network rm pgmarch-e2e >/dev/null 2>&1 || true
    pods_down
}

pods_down() {
    podman pod rm --force --ignore --time 0 pgmarch-e2e-api pgmarch-e2e-migrate >/dev/null 2>&1 || true
    podman rm --force --time 0 --volumes pgmarch-e2e-postgres >/dev/null 2>&1 || true
    podman volume ls --quiet --filter name=pgmarch-e2e | xargs -r podman volume rm >/dev/null 2>&1 || true
}

# An image that is not what its name says must not stay where somebody may take it for that.
forget_stand_ins() {
    docker images --filter label=pgmarch-e2e=stand-in --format '{{.Repository}}:{{.Tag}}' 2>/dev/null | grep -v '<none>' |
        xargs -r docker rmi --force >/dev/null 2>&1 || true
}
