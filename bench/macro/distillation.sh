#!/usr/bin/env bash
# Does distillation help? CL, KD and CL+KD side by side on one collection, with the given teacher scores and with those of a reranker that
# Tern trains itself, three seeds each; every model sees the same queries and candidates, and about as many tokens. Each step is resumable:
# the same command goes on where the last one ended. The table is written again after each model that was measured.
#   bench/macro/distillation.sh BEIR_DIR TEACHER_SCORES [WORK_DIR]     scores: {"qid", "pos": [[id, score]], "neg": [[id, score], ...]} lines
#   TERN=path/to/tern  THREADS=n  PRECISION=bf16|f32  SEEDS="1 2 3"  STEPS=n
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -ge 2 ] || { sed -n '2,7s/^# //p' "$0" >&2; exit 2; }
data=$1 scores=$2 work=${3:-$root/artifacts/distillation}
tern=${TERN:-$root/artifacts/bin/tern}
results=${RESULTS:-$root/bench/results/training}
read -ra seeds <<<"${SEEDS:-1 2 3}"
steps=${STEPS:-200} reranker_steps=${RERANKER_STEPS:-400}
shape="--hidden-size 128 --layers 2 --heads 4 --kv-heads 2" lengths="--query-length 32 --document-length 96"
compute="--threads ${THREADS:-0} --precision ${PRECISION:-bf16}"
test=$data/qrels/test.tsv dev=$data/qrels/dev.tsv
systems=(cl kd-given cl+kd-given kd-own cl+kd-own)
mkdir -p "$work"/{done,models,index,runs} "$results"

# step NAME COMMAND...: runs it unless it has succeeded before.
step() {
    local name=$1 status
    shift
    [ ! -e "$work/done/$name" ] || return 0
    echo "== $name: $(date +%H:%M:%S)"
    set +e # in "... || status=$?" a failure inside a function would not end it
    (set -e; "$@")
    status=$?
    set -e
    [ $status = 0 ] || { echo "distillation.sh: $name ended with $status; the same command goes on from here" >&2; exit $status; }
    touch "$work/done/$name"
}

# train DIR FLAGS...: goes on from the latest checkpoint, where there is one.
train() {
    local output=$1
    shift
    if compgen -G "$output/checkpoint-*" >/dev/null; then
        "$tern" train --output "$output" --resume
    else
        rm -rf "$output"
        "$tern" train --output "$output" "$@"
    fi
}

# student SYSTEM SEED: all start from the weights that the seed draws.
student() {
    local file=$work/given.jsonl loss
    case $1 in
    cl) loss="--loss infonce --negatives 3 --batch 64" ;;
    kd-*) loss="--loss margin-mse --negatives 1 --batch 128" ;;
    cl+kd-*) loss="--loss infonce+kl --negatives 3 --batch 64" ;;
    esac
    case $1 in *-own) file=$work/own.jsonl ;; esac
    train "$work/models/$1.s$2" --train "$file" --corpus "$data" --new --type sparse --tokenizer "$work/tokenizer.json" $shape $lengths $loss --steps "$steps" --learning-rate 1e-3 --query-flops 0.03 --document-flops 0.025 --save-steps 100 --seed "$2" $compute
}

measure_student() {
    local name=$1.s$2
    "$tern" index build --corpus "$data" --model "$work/models/$name" --output "$work/index/$name" $compute
    "$tern" search --index "$work/index/$name" --queries "$data" --qrels "$test" --k 100 --run "$work/runs/$name.trec" $compute
    rm -rf "${work:?}/index/$name"
}

# The reranker's scores of the same candidates.
measure_reranker() {
    "$tern" index build --corpus "$data" --bm25 --output "$work/index/bm25"
    "$tern" search --index "$work/index/bm25" --queries "$data" --qrels "$dev" --k 20 --run "$work/runs/bm25.dev.trec"
    "$tern" rerank --run "$work/runs/bm25.dev.trec" --queries "$data" --corpus "$data" --model "$work/models/reranker" --k 20 --output "$work/runs/reranked.dev.trec" $compute
}

figures() { "$tern" eval -c "$2" "$1" RR@10 nDCG@10 R@100 --format trec | awk '{ printf " | %s", $NF }'; }

write_table() {
    local system seed runs
    echo "# Does distillation help?"
    echo
    echo "\`bench/macro/distillation.sh\` on the test queries of $(basename "$data"). Sparse models \`$shape\`, 8,000 entries, $steps steps from random weights: CL and CL+KD 64 queries with 3 negatives a step, KD (Margin-MSE) 128 with 1. Candidates are those of the given teacher file, for all; \`given\`: its scores; \`own\`: those of a reranker that was trained on the same candidates ($reranker_steps steps, started from the first CL model)."
    echo
    echo "| system | seed | RR@10 | nDCG@10 | R@100 |"
    echo "| --- | ---: | ---: | ---: | ---: |"
    for system in "${systems[@]}"; do
        for seed in "${seeds[@]}"; do
            [ ! -e "$work/done/measured-$system.s$seed" ] || echo "| $system | $seed$(figures "$work/runs/$system.s$seed.trec" "$test") |"
        done
    done
    if [ -e "$work/done/measured-reranker" ]; then
        echo
        echo "The reranker on the dev queries, BM25's first 20 documents: RR@10$(figures "$work/runs/bm25.dev.trec" "$dev" | cut -d'|' -f2)before, $(figures "$work/runs/reranked.dev.trec" "$dev" | cut -d'|' -f2 | tr -d ' ') after."
    fi
    for seed in "${seeds[@]}"; do
        runs=()
        for system in "${systems[@]}"; do
            [ ! -e "$work/done/measured-$system.s$seed" ] || runs+=("$work/runs/$system.s$seed.trec")
        done
        [ ${#runs[@]} -gt 1 ] && [ -e "$work/done/measured-cl.s$seed" ] || continue
        echo
        echo "Seed $seed, each against CL:"
        echo
        "$tern" compare -c "$test" "${runs[@]}" RR@10 --format markdown
    done
    echo
    echo "Machine: $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1), $(nproc) cores; tern $("$tern" --version), $(uname -s)."
}

table() { write_table >"$results/distillation.md.new" && mv "$results/distillation.md.new" "$results/distillation.md"; }

step tokenizer "$tern" data tokenizer --input "$data" --vocabulary-size 8000 --lowercase --splitting words --output "$work/tokenizer.json"
step given "$tern" data examples "$scores" --queries "$data" --negatives 5 --output "$work/given.jsonl"

for seed in "${seeds[@]}"; do
    for system in cl kd-given cl+kd-given; do
        step "$system.s$seed" student $system "$seed"
        step "measured-$system.s$seed" measure_student $system "$seed"
        table
    done
done

step reranker train "$work/models/reranker" --train "$work/given.jsonl" --corpus "$data" --model "$work/models/cl.s${seeds[0]}" --type reranker --loss infonce --negatives 3 --batch 64 --steps "$reranker_steps" --learning-rate 1e-3 --document-length 144 --save-steps 100 $compute
step measured-reranker measure_reranker
step own "$tern" teach --train "$work/given.jsonl" --corpus "$data" --teacher "$work/models/reranker" --output "$work/own.jsonl" $compute
for seed in "${seeds[@]}"; do
    for system in kd-own cl+kd-own; do
        step "$system.s$seed" student $system "$seed"
        step "measured-$system.s$seed" measure_student $system "$seed"
        table
    done
done
table
