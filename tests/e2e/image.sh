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

reproducible() {
    local one two
    one=$(sha256sum <target/image/amd64/pgmarch)
    two=$(sha256sum <target/again/target/x86_64-unknown-linux-musl/release/pgmarch)
    is "the binary from another folder" "$one" "$two"
    measured "sha256 ${one%% *}"
    build --no-cache --target prebuilt-marchproxy --tag pgmarch-e2e:again
    is "layers" "$(inspect pgmarch-marchproxy:dev '{{.RootFS.Layers}}')" "$(inspect pgmarch-e2e:again '{{.RootFS.Layers}}')"
    docker rmi pgmarch-e2e:again
}
