#!/usr/bin/env bash
# `make fuzz`: feeds each target garbage for a while: fuzz.sh [SECONDS] [TARGET...]
# The corpora that are committed are where it starts; what it finds beyond that stays in the target folder beside them.
set -euo pipefail

cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true

# PostgreSQL's parser is C: with Clang's counters in it, the fuzzer sees which parts of the grammar a text reaches.
export CC=clang CFLAGS="-fsanitize-coverage=inline-8bit-counters,pc-table,trace-cmp"

# The program's targets and its library's.
for file in fuzz/fuzz_targets/*.rs crates/*/fuzz/fuzz_targets/*.rs; do
    target=${file##*/}
    target=${target%.rs}
    if [ $# != 0 ] && [[ " $* " != *" $target "* ]]; then continue; fi
    folder=${file%/fuzz_targets/*}
    found=$folder/target/found/$target
    mkdir -p "$found"
    options=()
    if [ -f "$folder/dictionaries/$target.dict" ]; then options+=(-dict="$folder/dictionaries/$target.dict"); fi
    # 64 MB for what is fed, and as much for the fuzzer with its corpus and the address sanitizer: they take 40 to begin with,
    # as long as the sanitizer does not keep 256 MB of freed memory aside, which safe Rust has no use for.
    memory=128
    # PostgreSQL's parser has its own memory, and many more places to keep a text for.
    if [ "$target" = postgres_parser ]; then memory=1024; fi
    echo "== $target, ${seconds}s"
    ASAN_OPTIONS=quarantine_size_mb=4 \
        cargo +nightly fuzz run --fuzz-dir "$folder" --target x86_64-unknown-linux-gnu "$target" "$found" "$folder/corpus/$target" -- \
            -max_total_time="$seconds" -timeout=10 -rss_limit_mb="$memory" -malloc_limit_mb=64 -max_len=8192 -print_final_stats=1 "${options[@]}"
done
