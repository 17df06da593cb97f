#!/bin/bash -eu
# Builds all fuzz targets into $OUT, each with its corpus (NAME_seed_corpus.zip) and its dictionary (NAME.dict), as OSS-Fuzz and
# ClusterFuzzLite expect it. They run it in the repository's root, in an image that has cargo-fuzz and a nightly toolchain. On a
# machine that has both (`make fuzz` installs them):
#
#   OUT=/tmp/out RUSTUP_TOOLCHAIN=nightly CC=clang fuzz/oss-fuzz/build.sh

for crate in fuzz crates/pg-connect/fuzz; do
    # With optimization, and still with overflow checks and debug assertions.
    cargo fuzz build --fuzz-dir "$crate" --target x86_64-unknown-linux-gnu -O --debug-assertions
    for file in "$crate"/fuzz_targets/*.rs; do
        target=$(basename "$file" .rs)
        cp "$crate/target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
        zip --quiet --junk-paths "$OUT/${target}_seed_corpus.zip" "$crate/corpus/$target"/*
        if [ -f "$crate/dictionaries/$target.dict" ]; then cp "$crate/dictionaries/$target.dict" "$OUT/"; fi
    done
done
