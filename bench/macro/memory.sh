#!/usr/bin/env bash
# Training's memory and time beside their plans, printed beforehand, and what saving memory costs in time: as it is, with blocks computed again,
# in chunks, and eight times the batch in chunks. Prints a Markdown table.
#   bench/macro/memory.sh [DATA=artifacts/demo/collection] [STEPS=80]
set -euo pipefail
cd "$(dirname "$0")/../.."

data=${1:-artifacts/demo/collection}
steps=${2:-80}
work=artifacts/memory
rm -rf "$work"
mkdir -p "$work"
echo "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | sed 's/^ //'), $(nproc) processors, .NET $(dotnet --version), commit $(git rev-parse --short HEAD)"
echo
echo "| run | batch | planned MiB | measured MiB | measured / planned | planned s | measured s | measured / planned | ms a query |"
echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
run() {
    local name=$1 batch=$2
    shift 2
    artifacts/bin/tern train --data "$data" --new --type dense --batch "$batch" --hidden-size 256 --layers 6 --vocabulary-size 8000 --steps "$steps" --save-steps 0 --json --output "$work/$name" "$@" >"$work/$name.jsonl" 2>"$work/$name.log"
    # Only whole runs have both: the record says what was planned and what came of it.
    echo "| $name | $batch | $(awk -F'[:,]' -v queries="$((steps * batch))" '
        /planned_bytes/ { p = $2 } /peak_bytes/ { m = $2 } /planned_seconds/ { s = $2 } /"seconds"/ { t = $2 }
        END { printf "%.1f | %.1f | %.3f | %.1f | %.1f | %.3f | %.2f", p / 1048576, m / 1048576, m / p, s, t, t / s, 1000 * t / queries }' "$work/$name/train.json") |"
}

run plain 16
run checkpointing 16 --activation-checkpointing
run chunks 16 --grad-cache-chunk 8
run chunks-8x 128 --grad-cache-chunk 18
run both-8x 128 --grad-cache-chunk 18 --activation-checkpointing
