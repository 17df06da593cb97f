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
    # The memory limit is the program's own budget and what the fuzzer and the address sanitizer take beside it.
    cargo +nightly fuzz run --fuzz-dir fuzz --target x86_64-unknown-linux-gnu "$target" "$found" "fuzz/corpus/$target" -- \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=512 -malloc_limit_mb=64 -max_len=8192 -print_final_stats=1
done
