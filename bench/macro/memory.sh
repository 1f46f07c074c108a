#!/usr/bin/env bash
# Training's memory beside its plan, and what saving it costs in time: as it is, with blocks computed again, in chunks, and eight times the batch
# in chunks. Prints a Markdown table.
#   bench/macro/memory.sh [DATA=artifacts/demo/collection] [STEPS=30]
set -euo pipefail
cd "$(dirname "$0")/../.."

data=${1:-artifacts/demo/collection}
steps=${2:-30}
work=artifacts/memory
rm -rf "$work"
mkdir -p "$work"
echo "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | sed 's/^ //'), $(nproc) processors, .NET $(dotnet --version), commit $(git rev-parse --short HEAD)"
echo
echo "| run | batch | planned MiB | measured MiB | measured / planned | ms a step | ms a query |"
echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
run() {
    local name=$1 batch=$2 figures milliseconds
    shift 2
    artifacts/bin/tern train --data "$data" --new --type dense --batch "$batch" --hidden-size 256 --layers 6 --vocabulary-size 8000 --steps "$steps" --save-steps 0 --json --output "$work/$name" "$@" >"$work/$name.jsonl" 2>"$work/$name.log"
    # The first steps compile the code.
    milliseconds=$(grep -o '"seconds":[0-9.]*' "$work/$name.jsonl" | cut -d: -f2 | awk -v n="$steps" 'NR == 6 { a = $1 } END { printf "%.0f", 1000 * ($1 - a) / (n - 6) }')
    figures=$(awk -F'[:,]' '/planned_bytes/ { p = $2 } /peak_bytes/ { m = $2 } END { printf "%.1f | %.1f | %.3f", p / 1048576, m / 1048576, m / p }' "$work/$name/train.json")
    echo "| $name | $batch | $figures | $milliseconds | $(awk -v t="$milliseconds" -v b="$batch" 'BEGIN { printf "%.2f", t / b }') |"
}

run plain 16
run checkpointing 16 --activation-checkpointing
run chunks 16 --grad-cache-chunk 8
run chunks-8x 128 --grad-cache-chunk 18
run both-8x 128 --grad-cache-chunk 18 --activation-checkpointing
