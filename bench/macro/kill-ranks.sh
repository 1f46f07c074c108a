#!/usr/bin/env bash
# A rank that dies loses nothing past the last checkpoint: trains on two ranks (TCP), kills one of them after a random while, resumes, and so on,
# then compares every step's loss with those of a run that nobody killed. Prints one Markdown row a kill; exit code 1 if a loss differs.
#   bench/macro/kill-ranks.sh [KILLS=20] [DATA=artifacts/demo/collection]
set -euo pipefail
cd "$(dirname "$0")/../.."

kills=${1:-20}
data=${2:-artifacts/demo/collection}
work=artifacts/kill-ranks
port=${TERN_PORT:-29577}
rm -rf "$work"
mkdir -p "$work"
flags=(--data "$data" --new --type sparse --batch 16 --hidden-size 32 --heads 2 --layers 2 --vocabulary-size 2000 --steps 2000 --save-steps 20 --threads 1 --json)

# Starts both ranks; their process ids are in first and second.
start() {
    local directory=$1
    shift
    RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$port artifacts/bin/tern train --output "$directory" "$@" >"$work/0.log" 2>&1 &
    first=$!
    RANK=1 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=$port artifacts/bin/tern train --output "$directory" "$@" >"$work/1.log" 2>&1 &
    second=$!
}

# The step of the newest checkpoint, 0 where there is none.
newest() { { ls -d "$1"/checkpoint-*[0-9] 2>/dev/null || true; } | sed 's/.*-//' | sort -n | tail -1 | grep . || echo 0; }

echo "| kill | rank | newest checkpoint | what the other said |"
echo "| ---: | ---: | ---: | --- |"
for ((kill = 1; kill <= kills; kill++)); do
    before=$(newest "$work/killed")
    if [ "$before" = 0 ]; then rm -rf "$work/killed"; start "$work/killed" "${flags[@]}"; else start "$work/killed" --resume --json; fi
    for ((i = 0; i < 1200; i++)); do [ "$(newest "$work/killed")" -gt "$before" ] && break; sleep 0.05; done
    sleep "0.$((RANDOM % 10))"
    if ((RANDOM % 2)); then victim=$first rank=0 other=$second log=1; else victim=$second rank=1 other=$first log=0; fi
    if ! kill -9 "$victim" 2>/dev/null; then echo "the run ended before kill $kill"; break; fi
    wait "$victim" 2>/dev/null || true
    wait "$other" || true
    echo "| $kill | $rank | $(newest "$work/killed") | $(grep -o 'rank [0-9] of 2 .* is gone' "$work/$log.log" | head -1) |"
done
start "$work/killed" --resume --json
wait "$first" && wait "$second"
start "$work/whole" "${flags[@]}"
wait "$first" && wait "$second"
if cmp -s "$work/killed/training.jsonl" "$work/whole/training.jsonl"; then
    echo
    echo "All $(wc -l <"$work/whole/training.jsonl") steps have the losses of a run without a kill."
else
    echo "losses differ: compare $work/killed/training.jsonl and $work/whole/training.jsonl" >&2
    exit 1
fi
