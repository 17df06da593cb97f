#!/bin/sh
# Compiles the binary that is released, from the sources in this folder: compile.sh TARGET.
# It is what `cargo build --release --target TARGET` compiles, linked smaller, and with the same bytes from every folder.
set -eu

cd "$(dirname "$0")/../.."
target=${1:?usage: compile.sh TARGET}

# Panic messages name source files; their folders differ from machine to machine. Those of the standard library are where rustup has put
# them if it has; else they are named as they are here.
library=$(rustc --print sysroot)/lib/rustlib/src/rust
commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
remap="'--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo', '--remap-path-prefix=$library=/rustc/$commit', '--remap-path-prefix=$PWD=/pgmarch'"
# Functions with the same code are linked once, which GNU's linker can't do, and relocations are packed.
smaller="'-Clink-arg=--icf=all', '-Clink-arg=--pack-dyn-relocs=relr'"

# Flags from the environment would replace these.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS
exec cargo build --release --locked --target "$target" --bin pgmarch \
    --config "target.$target.linker = 'rust-lld'" --config "target.$target.rustflags = [$remap, $smaller]"
