#!/usr/bin/env bash
# Builds pgmarch 0.1, which tests/versions.rs runs beside the program under test, and prints the path of its binary.
# Built once: afterwards target/pgmarch-0.1 holds the binary alone.
set -euo pipefail

cd "$(dirname "$0")/../.."
commit=67fa3371aaf01b5552022352aa22588702fce2be
folder=${CARGO_TARGET_DIR:-$PWD/target}/pgmarch-0.1
binary=$folder/pgmarch-${commit:0:7}

die() { echo "earlier-release.sh: $*" >&2; exit 1; }

mkdir -p "$folder"
# One build at a time; the other processes wait here and then find the binary.
exec 9>"$folder/lock"
flock 9

if [ ! -x "$binary" ]; then
    git rev-parse --git-dir >/dev/null ||
        die "pgmarch 0.1 is built from its git commit, which sources alone do not have: run this in a \`git clone\` of the repository"
    git cat-file -e "$commit^{commit}" 2>/dev/null ||
        die "pgmarch 0.1 is built from commit $commit, which this clone does not have: run \`git fetch --unshallow\`"
    echo "earlier-release.sh: building pgmarch 0.1 (commit ${commit:0:7}), once" >&2
    rm -rf "$folder/src"
    mkdir "$folder/src"
    git archive "$commit" Cargo.toml Cargo.lock src | tar --extract --directory "$folder/src"
    # Not a member of the workspace of this checkout, which it is below.
    printf '\n[workspace]\n' >>"$folder/src/Cargo.toml"
    # From this folder, so that this checkout's toolchain compiles it. Without the lock's descriptor, because a compiler cache
    # that is started here would hold the lock as long as it runs.
    env -u CARGO_BUILD_TARGET CARGO_TARGET_DIR="$folder/target" \
        cargo build --locked --manifest-path "$folder/src/Cargo.toml" --bin pgmarch >&2 9>&-
    # A copy that is interrupted must not be taken for the binary.
    cp "$folder/target/debug/pgmarch" "$binary.new"
    mv "$binary.new" "$binary"
    rm -rf "$folder/src" "$folder/target"
fi
echo "$binary"
