#!/usr/bin/env bash
# What coarser products cost: the demo's models index the demo's collection and answer its test queries in each precision
# that this machine has. Prints a Markdown table; needs a finished demo (./build.sh demo).
#   bench/macro/precision.sh [DEMO_DIR] [PRECISION...]
set -euo pipefail
cd "$(dirname "$0")/../.."

demo=${1:-artifacts/demo}
precisions=("${@:2}")
[ ${#precisions[@]} -gt 0 ] || precisions=(f32 bf16 int8)
work=artifacts/precision
mkdir -p "$work"
qrels=$demo/collection/qrels/test.tsv
echo "| model | products | RR@10 | nDCG@10 | R@100 | index seconds, documents a second |"
echo "| --- | --- | ---: | ---: | ---: | ---: |"
for model in sparse dense; do
    for precision in "${precisions[@]}"; do
        start=$(date +%s.%N)
        artifacts/bin/tern index --corpus "$demo/collection" --model "$demo/models/$model" --output "$work/$model-$precision" --precision "$precision" >/dev/null
        seconds=$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }')
        artifacts/bin/tern search --index "$work/$model-$precision" --queries "$demo/collection" --qrels "$qrels" --k 100 --run "$work/run.trec" --precision "$precision" >/dev/null
        figures=$(artifacts/bin/tern eval "$qrels" "$work/run.trec" RR@10 nDCG@10 R@100 --format trec | awk '{ printf "%s | ", $NF }')
        documents=$(wc -l <"$demo/collection/corpus.jsonl")
        echo "| $model | $precision | $figures$seconds, $(awk -v n="$documents" -v s="$seconds" 'BEGIN { printf "%.0f", n / s }') |"
        rm -rf "${work:?}/$model-$precision"
    done
done
