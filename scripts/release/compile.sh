#!/bin/sh
# Compiles the binary that is released, from the sources in this folder: compile.sh TARGET.
# It is what `cargo build --release --target TARGET` compiles, linked smaller, and with the same bytes from every folder.
set -eu

cd "$(dirname "$0")/../.."
target=${1:?usage: compile.sh TARGET}

# Panic messages name source files; their folders differ from machine to machine.
remap="'--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo', '--remap-path-prefix=$PWD=/pgmarch'"
# Functions with the same code are linked once, which GNU's linker can't do, and relocations are packed.
smaller="'-Clink-arg=--icf=all', '-Clink-arg=--pack-dyn-relocs=relr'"

# Flags from the environment would replace these.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
exec cargo build --release --locked --target "$target" --bin pgmarch \
    --config "target.$target.linker = 'rust-lld'" --config "target.$target.rustflags = [$remap, $smaller]"
