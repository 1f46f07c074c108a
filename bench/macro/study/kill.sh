#!/usr/bin/env bash
# A study that is killed loses nothing past the last checkpoint: a toy study on made-up texts is killed (kill -9) at random moments and started
# again, then its tables and runs are compared, byte for byte, with those of one that nobody killed; only the columns of clocks (seconds,
# us_per_query) are left out. Writes and prints a Markdown table; exit code 1 if anything differs.
#   bench/macro/study/kill.sh [KILLS=10] [RESULT=bench/results/study/kill.md]
set -euo pipefail
cd "$(dirname "$0")/../../.."

kills=${1:-10}
result=${2:-bench/results/study/kill.md}
work=artifacts/kill-study
rm -rf "$work"
mkdir -p "$work/toy/qrels" "$(dirname "$result")"

# 400 documents of 14 words out of 300; a query is four of its document's words; two thirds of them train.
awk -v dir="$work" 'BEGIN {
    srand(7); documents = 400
    for (w = 0; w < 300; w++) { word[w] = ""; for (s = 0; s < 3; s++) word[w] = word[w] substr("bdfgklmnprstvz", 1 + int(14 * rand()), 1) substr("aeiou", 1 + int(5 * rand()), 1) }
    for (d = 0; d < documents; d++) {
        text = ""; query = ""
        for (i = 0; i < 14; i++) { w = word[int(300 * rand() * rand())]; text = text " " w; if (i % 4 == 0) query = query " " w }
        printf "{\"_id\": \"d%d\", \"title\": \"\", \"text\": \"%s\"}\n", d, substr(text, 2) >(dir "/toy/corpus.jsonl")
        printf "{\"_id\": \"q%d\", \"text\": \"%s\"}\n", d, substr(query, 2) >(dir "/toy/queries.jsonl")
        split_name = d % 3 ? "train" : "test"
        if (!(split_name in begun)) { printf "query-id\tcorpus-id\tscore\n" >(dir "/toy/qrels/" split_name ".tsv"); begun[split_name] = 1 }
        printf "q%d\td%d\t1\n", d, d >(dir "/toy/qrels/" split_name ".tsv")
        if (split_name == "train") {
            printf "{\"qid\": \"q%d\", \"pos\": [[\"d%d\", %.3f]], \"neg\": [", d, d, 2 + rand() >(dir "/teacher.jsonl")
            for (n = 1; n <= 4; n++) printf "%s[\"d%d\", %.3f]", (n == 1 ? "" : ", "), (d + 37 * n) % documents, rand() >(dir "/teacher.jsonl")
            print "]}" >(dir "/teacher.jsonl")
        }
    }
}'
cat >"$work/plan.json" <<'PLAN'
{
  "name": "A toy study that is killed", "train": { "name": "toy", "directory": "toy" }, "teacher": "teacher.jsonl", "evaluate": [{ "name": "toy", "directory": "toy" }],
  "sizes": [
    { "name": "s", "hidden_size": 32, "layer_count": 2, "head_count": 2, "key_value_head_count": 1, "intermediate_size": 96 },
    { "name": "m", "hidden_size": 64, "layer_count": 2, "head_count": 4, "key_value_head_count": 2, "intermediate_size": 192 }
  ],
  "objectives": [
    { "name": "CL", "loss": "nce", "batch_size": 32, "negative_count": 2, "learning_rate": 1e-3 },
    { "name": "CL+KD", "loss": "nce_kldiv", "batch_size": 32, "negative_count": 2, "learning_rate": 1e-3 }
  ],
  "seeds": [1], "vocabulary_size": 600, "budget_flops": 2e11
}
PLAN

study() { exec artifacts/bin/tern study --plan "$work/plan.json" --threads 2 --output "$1"; }

# The newest checkpoint of the cell in work, as cell and step.
newest() { { find "$work/killed/cells" -path '*/checkpoints/*' -name 'checkpoint-*' -type d 2>/dev/null || true; } | grep -E 'checkpoint-[0-9]+$' | sed -E 's#.*/cells/([^/]+)/.*checkpoint-([0-9]+)$#\2 \1#' | sort -n | tail -1; }
finished() { { grep -l '"measures": \[$' "$work"/killed/cells/*/cell.json 2>/dev/null || true; } | wc -l; }

report() { echo "$1" | tee -a "$result.partial"; }
rm -f "$result.partial"
report "A toy study of 8 cells, killed with kill -9 at random moments and started again (\`bench/macro/study/kill.sh $kills\`)"
report ""
report "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2 | sed 's/^ //'), $(nproc) processors, .NET $(dotnet --version), commit $(git rev-parse --short HEAD)"
report ""
report "| kill | after s | cells finished | newest checkpoint at the kill | next run goes on from |"
report "| ---: | ---: | ---: | --- | --- |"
status=0
for ((kill = 1; kill <= kills; kill++)); do
    before="$(newest) $(finished)"
    begun=$(date +%s%N)
    (study "$work/killed") >"$work/killed.log" 2>&1 &
    pid=$!
    # Every second time only after it has done something new, so that a slow machine does not kill starts alone.
    for ((i = 0; i < 1200 && kill % 2; i++)); do [ "$(newest) $(finished)" != "$before" ] && break; sleep 0.1; done
    sleep "$((RANDOM % 5)).$((RANDOM % 10))"
    after=$(awk -v t="$((($(date +%s%N) - begun) / 1000000))" 'BEGIN { printf "%.1f", t / 1000 }')
    if ! kill -9 "$pid" 2>/dev/null; then report "| $kill | the study ended before | | | |"; break; fi
    wait "$pid" 2>/dev/null || true
    read -r step cell _ <<<"$(newest) - -"
    # What the next run says, as soon as it says it; it is killed in its turn, or ends.
    if [ "$kill" -lt "$kills" ] && [ "$step" != - ]; then expected="$cell: goes on from step $step of"; else expected=; fi
    done_before=$(finished)
    if [ -n "$expected" ]; then
        (study "$work/killed") >"$work/next.log" 2>&1 &
        next=$!
        for ((i = 0; i < 400; i++)); do grep -q 'goes on from step' "$work/next.log" && break; sleep 0.05; done
        said=$(grep -m1 -o 'goes on from step [0-9,]* of [0-9,]*' "$work/next.log" || echo nothing)
        kill -9 "$next" 2>/dev/null || true
        wait "$next" 2>/dev/null || true
        if ! grep -m1 'goes on from step' "$work/next.log" | tr -d , | grep -q "^$cell: goes on from step $step of"; then said="$said (WRONG: $step was there)"; status=1; fi
    else
        said="-"
    fi
    report "| $kill | $after | $done_before | $cell $step | $said |"
done
(study "$work/killed") >"$work/killed.log" 2>&1
(study "$work/whole") >"$work/whole.log" 2>&1

# Tables without the columns of clocks.
untimed() { awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "seconds" || $i == "us_per_query") skip[i] } { line = ""; for (i = 1; i <= NF; i++) if (!(i in skip)) line = line "," $i; print substr(line, 2) }' "$1"; }
same=0
for table in results fits comparisons robustness; do
    if cmp -s <(untimed "$work/killed/$table.csv") <(untimed "$work/whole/$table.csv"); then same=$((same + 1)); else echo "$table.csv differs" >&2; status=1; fi
done
runs=0
for run in "$work"/whole/cells/*/*.run.gz; do
    if cmp -s <(gunzip -c "$run") <(gunzip -c "${run/whole/killed}"); then runs=$((runs + 1)); else echo "${run/whole/killed} differs" >&2; status=1; fi
done
report ""
report "$same of 4 tables and $runs of $(ls "$work"/whole/cells/*/*.run.gz | wc -l) runs are those of a study that nobody killed, byte for byte (without the columns seconds and us_per_query)."
mv "$result.partial" "$result"
exit $status
