#!/usr/bin/env bash
# `make fuzz`: feeds each target garbage for a while: fuzz.sh [SECONDS] [TARGET...]
# The corpus that is committed is where it starts; what it finds beyond that stays in fuzz/target.
set -euo pipefail

cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
targets=("$@")
if [ ${#targets[@]} = 0 ]; then
    for file in fuzz/fuzz_targets/*.rs; do
        name=${file##*/}
        targets+=("${name%.rs}")
    done
fi

for target in "${targets[@]}"; do
    found=fuzz/target/found/$target
    mkdir -p "$found"
    echo "== $target, ${seconds}s"
    # 64 MB for what is fed, and as much for the fuzzer with its corpus and the address sanitizer: they take 40 to begin with,
    # as long as the sanitizer does not keep 256 MB of freed memory aside, which safe Rust has no use for.
    ASAN_OPTIONS=quarantine_size_mb=4 \
        cargo +nightly fuzz run --fuzz-dir fuzz --target x86_64-unknown-linux-gnu "$target" "$found" "fuzz/corpus/$target" -- \
            -max_total_time="$seconds" -timeout=10 -rss_limit_mb=128 -malloc_limit_mb=64 -max_len=8192 -print_final_stats=1
done
