#!/usr/bin/env bash
# The whole training pipeline on one collection, from the command line: tokenizer, MNTP, CL, mine, teach, CL+KD, and a dense model for the
# hybrid. Each stage is resumable: the same command goes on where the last one ended. After each stage the test queries' figures are
# added to bench/results/training/COLLECTION.json and COLLECTION.md is written again. Fusion weights come from the dev queries.
#   bench/macro/pipeline.sh COLLECTION BEIR_DIR [WORK_DIR]     COLLECTION: debian, medquad or sdkdocs (made in BEIR_DIR if it is not there)
#   TERN=path/to/tern  THREADS=n  PRECISION=bf16|f32  STOP=stage (end after it)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -ge 2 ] || { sed -n '2,7s/^# //p' "$0" >&2; exit 2; }
collection=$1 data=$2 work=${3:-$root/artifacts/pipeline/$1}
tern=${TERN:-$root/artifacts/bin/tern}
threads=${THREADS:-0} precision=${PRECISION:-bf16}
results=${RESULTS:-$root/bench/results/training}

# Passages are short, data few: what is trained is small, and wide enough for its vocabulary. Everything that dev queries chose stands here.
vocabulary=16000 query_length=32 document_length=112 tokenizer_flags="--lowercase"
sparse_shape="--hidden-size 192 --layers 2 --heads 6 --kv-heads 3"
dense_shape="--hidden-size 256 --layers 1 --heads 8 --kv-heads 8 --intermediate-size 256"
flops="--query-flops 0.03 --document-flops 0.025"
origin=start mntp_steps=150 cl_steps=500 cl_batch=128 kd_steps=80 kd_batch=64 kd_negatives=4 dense_steps=300 dense_batch=256
case $collection in
debian) ;;
medquad) document_length=128 vocabulary=12000 cl_steps=200 kd_steps=60 dense_steps=150 ;;
sdkdocs) document_length=64 query_length=48 vocabulary=8000 tokenizer_flags="--lowercase --split-case-changes" cl_steps=300 kd_steps=80 dense_steps=150 ;;
*) echo "pipeline.sh: no settings for the collection '$collection'; add a line to its case" >&2; exit 2 ;;
esac
[ -z "${SETTINGS:-}" ] || eval "$SETTINGS" # a trial: SETTINGS='cl_steps=20 kd_steps=10'

mkdir -p "$work"/{done,models,index,runs} "$results"
lengths="--query-length $query_length --document-length $document_length"
compute="--threads $threads --precision $precision"
dev=$data/qrels/dev.tsv test=$data/qrels/test.tsv

# step NAME COMMAND...: runs it unless it has succeeded before; keeps the seconds of every attempt.
step() {
    local name=$1 started=$SECONDS status
    shift
    [ ! -e "$work/done/$name" ] || return 0
    echo "== $name: $(date +%H:%M:%S)"
    set +e # in "... || status=$?" a failure inside a function would not end it
    (set -e; "$@")
    status=$?
    set -e
    echo "$name $((SECONDS - started))" >>"$work/seconds"
    [ $status = 0 ] || { echo "pipeline.sh: $name ended with $status; the same command goes on from here" >&2; exit $status; }
    touch "$work/done/$name"
}

stop_after() { [ "${STOP:-}" != "$1" ] || exit 0; }

# fresh_or_resumed VERB DIR FLAGS...: a training goes on from its latest checkpoint; one that was ended before its first starts again.
fresh_or_resumed() {
    local verb=$1 output=$2
    shift 2
    if compgen -G "$output/checkpoint-*" >/dev/null; then
        "$tern" "$verb" --output "$output" --resume
    else
        rm -rf "$output"
        "$tern" "$verb" --output "$output" "$@"
    fi
}

search() { # search NAME SPLIT: a run of the index of that name
    "$tern" search --index "$work/index/$1" --queries "$data" --qrels "$data/qrels/$2.tsv" --k "${3:-200}" --run "$work/runs/$1.$2.trec.tmp" $compute
    mv "$work/runs/$1.$2.trec.tmp" "$work/runs/$1.$2.trec"
}

index_and_search() { # NAME FLAGS...
    local name=$1
    shift
    "$tern" index build --corpus "$data" --output "$work/index/$name" "$@"
    search "$name" dev
    search "$name" test
}

measure() { "$tern" eval -c "$2" "$1" RR@10 nDCG@10 R@100 --format trec | awk '{ printf "%s%s", sep, $NF; sep = " " }'; }

# record STAGE MODEL NAME: the run's figures on the test queries, beside those on dev; the table anew.
record() {
    local stage=$1 model=$2 name=$3
    read -r rr ndcg recall <<<"$(measure "$work/runs/$name.test.trec" "$test")"
    read -r dev_rr _ <<<"$(measure "$work/runs/$name.dev.trec" "$dev")"
    touch "$work/records"
    grep -v "\"model\":\"$model\"" "$work/records" >"$work/records.new" || true
    echo "{\"collection\":\"$collection\",\"stage\":\"$stage\",\"model\":\"$model\",\"rr10\":$rr,\"ndcg10\":$ndcg,\"r100\":$recall,\"dev_rr10\":$dev_rr}" >>"$work/records.new"
    mv "$work/records.new" "$work/records"
    { echo "["; sed '$!s/$/,/; s/^/  /' "$work/records"; echo "]"; } >"$results/$collection.json"
    write_table >"$results/$collection.md"
}

# fuse NAME RUN...: the runs' sum under the name, weighed on dev.
fuse() {
    local name=$1 run test_runs=() dev_runs=() tune_runs=()
    shift
    for run in "$@"; do
        test_runs+=(--run "$work/runs/$run.test.trec")
        dev_runs+=(--run "$work/runs/$run.dev.trec")
        tune_runs+=(--tune-run "$work/runs/$run.dev.trec")
    done
    "$tern" fuse "${test_runs[@]}" "${tune_runs[@]}" --tune-qrels "$dev" --method zscore --k 200 --output "$work/runs/$name.test.trec" | tee "$work/runs/$name.weights"
    "$tern" fuse "${dev_runs[@]}" "${tune_runs[@]}" --tune-qrels "$dev" --method zscore --k 200 --output "$work/runs/$name.dev.trec"
}

note_mntp() { # the last perplexity on held-out text, from the run's own record
    sed -n 's/.*"held_out_loss":\([0-9.]*\).*/cross-entropy \1/p' "$work/models/mntp/training.jsonl" | tail -1 >"$work/mntp-held-out"
}


write_table() {
    echo "# $collection: the pipeline, stage by stage"
    echo
    echo "\`bench/macro/pipeline.sh $collection BEIR_DIR\`. Weights of sums are chosen on the $(($(cut -f1 "$dev" | sort -u | wc -l) - 1)) dev queries, all figures but one are those of the $(($(cut -f1 "$test" | sort -u | wc -l) - 1)) test queries."
    echo
    echo "| stage | model | RR@10 | nDCG@10 | R@100 | RR@10 on dev |"
    echo "| --- | --- | ---: | ---: | ---: | ---: |"
    sed -E 's/.*"stage":"([^"]*)","model":"([^"]*)","rr10":([^,]*),"ndcg10":([^,]*),"r100":([^,]*),"dev_rr10":([^}]*)}.*/| \1 | \2 | \3 | \4 | \5 | \6 |/' "$work/records"
    echo
    echo "Sparse models: \`$sparse_shape\`, $vocabulary entries, FLOPS weights \`$flops\`; dense: \`$dense_shape\`; queries of $query_length tokens, documents of $document_length; products in $precision."
    echo "Steps, of the stages above: MNTP $mntp_steps of 32 blocks of 128 tokens, CL $cl_steps of $cl_batch queries, CL+KD $kd_steps of $kd_batch queries with $kd_negatives negatives each, dense $dense_steps of $dense_batch."
    [ "$origin" = mntp ] || echo "\`cl\` starts from random weights whose vectors are bags of words, and the stages after it go on from there; \`cl-after-mntp\`, measured last, is what the same steps make of the start after MNTP."
    [ ! -e "$work/mntp-held-out" ] || echo "MNTP on held-out text: $(cat "$work/mntp-held-out")."
    { cat "$work"/runs/*.weights 2>/dev/null || true; } | sed -E 's/^[^:]*\/([^/:]*)\.test\.trec: /Weights of \1: /; s/\.test\.trec//g; s/$/./'
    echo
    echo "Machine: $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1), $(nproc) cores, shared with other work; tern $("$tern" --version), .NET $(dotnet --version 2>/dev/null || echo '?') SDK, $(uname -s). Seconds of each step, waiting included:"
    echo
    awk '{ s[$1] += $2; if (!($1 in n)) { n[$1] = ++k; name[k] = $1 } } END { for (i = 1; i <= k; i++) printf "%s%s %d", (i > 1 ? ", " : ""), name[i], s[name[i]]; print "." }' "$work/seconds"
}

train_texts="--data $data"
if [ ! -e "$data/corpus.jsonl" ] && [ "$collection" = sdkdocs ]; then
    "$tern" data sdk --output "$data"
fi

step bm25 index_and_search bm25 --bm25
step bm25-record record bm25 BM25 bm25
step tokenizer "$tern" data tokenizer --input "$data" --vocabulary-size "$vocabulary" $tokenizer_flags --splitting words --output "$work/tokenizer.json"

# The start: random weights whose vectors are bags of words.
start() { rm -rf "$work/models/start" && "$tern" train $train_texts --new --type sparse --tokenizer "$work/tokenizer.json" $sparse_shape $lengths --steps 0 --output "$work/models/start" $compute; }
step start start

# Contrastive learning: contrast NAME ORIGIN, measured alone and added to BM25.
contrast() {
    step "$1" fresh_or_resumed train "$work/models/$1" --model "$work/models/$2" --type sparse $train_texts --batch "$cl_batch" --steps "$cl_steps" --learning-rate 1e-3 $flops --save-steps 100 $compute
    step "$1-search" index_and_search "$1" --model "$work/models/$1" $compute
    step "$1-record" record cl "$1" "$1"
    step "$1-fuse" fuse "$1+bm25" bm25 "$1"
    step "$1-hybrid-record" record cl "$1 + BM25" "$1+bm25"
}

# Masked next-token prediction: from random weights there is nothing that an adapter could lie on, so that all weights learn.
adapt() {
    step mntp fresh_or_resumed mntp "$work/models/mntp" --model "$work/models/start" --data "$data" --all-weights --mask-token eos --block-length 128 --batch 32 --steps "$mntp_steps" --learning-rate 2e-4 --evaluate-steps 100 $compute
    step mntp-record note_mntp
    contrast "$1" mntp
}

if [ "$origin" = mntp ]; then
    adapt cl
else
    contrast cl start
fi
stop_after cl

# The teacher is the hybrid of BM25 and the model so far, on the train queries.
best=cl
search_train() { search bm25 train 100; search "$best" train 100; }
fuse_train() {
    local weights
    weights=$(sed -E 's/.*: ([0-9.]+) × .* \+ ([0-9.]+) × .*;.*/\1,\2/' "$work/runs/$best+bm25.weights")
    "$tern" fuse --run "$work/runs/bm25.train.trec" --run "$work/runs/$best.train.trec" --weights "$weights" --method zscore --k 100 --output "$work/runs/teacher.train.trec"
}
step mine-search search_train
step mine-fuse fuse_train
step mine "$tern" mine --run "$work/runs/teacher.train.trec" --queries "$data" --qrels "$data/qrels/train.tsv" --depth 50 --negatives 16 --output "$work/mined.jsonl"
step teach "$tern" teach --train "$work/mined.jsonl" --run "$work/runs/teacher.train.trec" --queries "$data" --output "$work/taught.jsonl"
stop_after teach

step cl+kd fresh_or_resumed train "$work/models/cl+kd" --model "$work/models/$best" --type sparse --train "$work/taught.jsonl" --corpus "$data" --loss infonce+kl --negatives "$kd_negatives" --batch "$kd_batch" --steps "$kd_steps" --learning-rate 3e-4 --flops-ramp-steps 1 $flops --save-steps 50 $compute
step cl+kd-search index_and_search cl+kd --model "$work/models/cl+kd" $compute
step cl+kd-record record cl+kd "cl+kd" cl+kd
step cl+kd-fuse fuse cl+kd+bm25 bm25 cl+kd
step cl+kd-hybrid-record record cl+kd "cl+kd + BM25" cl+kd+bm25
stop_after cl+kd

step dense fresh_or_resumed train "$work/models/dense" --new --type dense --tokenizer "$work/tokenizer.json" $dense_shape $lengths $train_texts --batch "$dense_batch" --steps "$dense_steps" --learning-rate 3e-3 --temperature 0.02 --save-steps 100 $compute
step dense-search index_and_search dense --model "$work/models/dense" $compute
step dense-record record dense dense dense
step hybrid-fuse fuse hybrid bm25 cl+kd dense
step hybrid-record record hybrid "cl+kd + BM25 + dense" hybrid

# What MNTP does to CL, where the pipeline goes without.
if [ "$origin" != mntp ]; then
    adapt cl-after-mntp
fi
