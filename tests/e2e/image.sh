# shellcheck shell=bash disable=SC2154 # run.sh sources this and sets what is not set here.
# The image itself.

image_contents() {
    local image files
    for image in pgmarch:dev pgmarch-marchproxy:dev pgmarch:dev-arm64; do
        is "$image's user" 65532:65532 "$(inspect "$image" '{{.Config.User}}')"
        for label in title description licenses version revision source; do
            [ -n "$(inspect "$image" "{{index .Config.Labels \"org.opencontainers.image.$label\"}}")" ]
        done
        is "$image's version" "$version" "$(inspect "$image" '{{index .Config.Labels "org.opencontainers.image.version"}}')"
        measured "$image ($(inspect "$image" '{{.Architecture}}')): $(inspect "$image" '{{.Size}}') bytes, $(inspect "$image" '{{len .RootFS.Layers}}') layers, user $(inspect "$image" '{{.Config.User}}')"
    done
    is "layers: documents, binary" 2 "$(inspect pgmarch:dev '{{len .RootFS.Layers}}')"
    is "layers: documents, binary, revisions" 3 "$(inspect pgmarch-marchproxy:dev '{{len .RootFS.Layers}}')"
    is "arm64's architecture" arm64 "$(inspect pgmarch:dev-arm64 '{{.Architecture}}')"
    docker create --name pgmarch-e2e-files --label pgmarch-e2e pgmarch-marchproxy:dev
    files=$(docker export pgmarch-e2e-files | tar --list | grep -v '/$' | grep -vE '^(\.dockerenv|dev/console|etc/(hostname|hosts|mtab|resolv\.conf))$' | sort | tr '\n' ' ')
    is "files" "LICENSE THIRD-PARTY-LICENSES.txt migrations/001_initial_schema.sql migrations/schema.sql pgmarch sbom.cdx.json " "$files"
}

image_size() {
    measured "amd64: binary $(size_of pgmarch), licences $(size_of documents/THIRD-PARTY-LICENSES.txt), SBOM $(size_of documents/sbom.cdx.json), revisions $(size_of revisions.tar) bytes"
    local image
    for image in pgmarch:dev pgmarch-marchproxy:dev pgmarch:dev-arm64; do below "$image's bytes" 7000000 "$(inspect "$image" '{{.Size}}')"; done
}
size_of() { stat --format %s "target/image/amd64/$1"; }

no_shell() {
    local output
    if output=$(docker run --rm --label pgmarch-e2e --entrypoint /bin/sh pgmarch:dev -c true 2>&1); then return 1; fi
    contains "$output" "/bin/sh"
    docker run --rm --label pgmarch-e2e pgmarch:dev --version
}

documents() { "$tools/python" "$e2e/documents.py" target/image/{amd64,arm64}/documents; }

# What Docker alone compiles, in another folder and without this machine's Rust. ring's C is compiled by the machine's compiler: where
# the image has another one, this machine compiles a second time instead.
compiled_by_docker() {
    local ours theirs here there compiler
    compiler=$(sed -n 's/^FROM \(rust:[^ ]*\).*/\1/p' docker/Dockerfile)
    compiler_image "$compiler"
    # From the network of the machine, as some let containers reach nothing else.
    DOCKER_BUILDKIT=1 build --network host --target marchproxy --tag pgmarch-e2e:compiled
    docker run --rm --label pgmarch-e2e pgmarch-e2e:compiled --version
    docker create --name pgmarch-e2e-compiled --label pgmarch-e2e pgmarch-e2e:compiled
    docker cp pgmarch-e2e-compiled:/pgmarch "$work/compiled"
    docker rm pgmarch-e2e-compiled
    docker rmi pgmarch-e2e:compiled
    ours=$(sha256sum <target/image/amd64/pgmarch)
    here=$(cc --version | head -n 1)
    there=$(docker run --rm --label pgmarch-e2e --entrypoint cc "$compiler" --version | head -n 1)
    if [ "$here" = "$there" ]; then
        theirs=$(sha256sum <"$work/compiled")
        measured "sha256 ${ours%% *}, by make and by Docker"
    else
        make --no-print-directory again
        theirs=$(sha256sum <target/again/target/x86_64-unknown-linux-musl/release/pgmarch)
        measured "sha256 ${ours%% *}, by make in two folders; Docker's has $there instead of $here"
    fi
    is "the binary from another folder" "$ours" "$theirs"
}

same_layers() {
    build --no-cache --target prebuilt-marchproxy --tag pgmarch-e2e:again
    is "layers" "$(inspect pgmarch-marchproxy:dev '{{.RootFS.Layers}}')" "$(inspect pgmarch-e2e:again '{{.RootFS.Layers}}')"
    docker rmi pgmarch-e2e:again
}
