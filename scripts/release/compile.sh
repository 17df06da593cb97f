#!/bin/sh
# Compiles the binary that is released, from the sources in this folder: compile.sh TARGET.
# It is what `cargo build --release` makes, without what nobody needs, and the same from every folder: 3 instead of 5 MB.
set -eu

cd "$(dirname "$0")/../.."
target=${1:?usage: compile.sh TARGET}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
library=$(rustc --print sysroot)/lib/rustlib/src/rust

flags=$(cat <<FLAGS
--remap-path-prefix=$cargo_home=/cargo
--remap-path-prefix=$cargo_home/registry/src/index.crates.io-1949cf8c6b5b557f=/cargo
--remap-path-prefix=$library=/rust
--remap-path-prefix=$PWD=/pgmarch
-Clink-arg=--icf=all
-Clink-arg=--pack-dyn-relocs=relr
-Cllvm-args=-enable-machine-outliner
-Cllvm-args=-enable-global-merge-func
-Cllvm-args=-enable-pre=false
-Clink-arg=-Tscripts/release/unwinding.ld
-Clink-arg=--no-eh-frame-hdr
-Clink-arg=--defsym=_Unwind_Backtrace=abort
-Clink-arg=--defsym=_Unwind_GetIP=abort
FLAGS
)
# From the top: where folders' names go, of which those of cargo's sources stand in the place of each panic; functions of the
# same code become one; relocations take a bit instead of 24 bytes; repeated code within functions becomes a function; functions
# that differ in constants alone become one that is given them; an expression that some ways have computed already is not
# computed early on the others for it; and what walks up a stack goes, as a panic says its message and place, and aborts. No
# backtrace could name a function anyway.

# ring's C without its large tables for P-256 and Curve25519, and without the assembly that needs them, as it is compiled for
# machines that it has no assembly for: 200 kB less, for 0.3 ms of a login to a server whose key is on P-256. Its Rust calls two
# functions that are then not there; each has a slower twin that computes the same.
ring=ring_core_$(sed -n '/^name = "ring"$/{n;s/version = "\(.*\)"/\1/p;}' Cargo.lock | tr . _)_
case $target in
    x86_64-*)
        variable=CFLAGS_$(echo "$target" | tr - _)
        eval "export $variable=\"\${$variable:-} -DOPENSSL_SMALL\""
        flags="$flags
-Clink-arg=--defsym=${ring}_p256_point_mul_base_vartime=${ring}_p256_point_mul_base
-Clink-arg=--defsym=${ring}_x25519_scalar_mult_adx=${ring}_x25519_scalar_mult_generic_masked"
        ;;
esac

export RUSTFLAGS="${RUSTFLAGS:-} $flags"
RUSTFLAGS=$(echo "$RUSTFLAGS" | tr '\n' ' ')

# The linker of Rust itself: GNU's merges no functions.
variable=CARGO_TARGET_$(echo "$target" | tr 'a-z-' 'A-Z_')_LINKER
export "$variable=rust-lld"

# The standard library in the same way: its source comes by `rustup component add rust-src`, and a stable compiler must be told
# that this is wanted.
if [ -e "$library/library/Cargo.lock" ]; then
    export RUSTC_BOOTSTRAP=1
    set -- -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
    # The names of 2,000 kinds of syntax, for errors of squawk's parser that nobody asks it for: 80 kB.
    set -- "$@" -Zprofile-rustflags --config 'profile.release.package.squawk-parser.rustflags=["-Zfmt-debug=none"]'
else
    echo "compile.sh: without rustup's rust-src the binary gets a tenth larger" >&2
    set --
fi
exec cargo build --release --locked --target "$target" --bin pgmarch "$@"
