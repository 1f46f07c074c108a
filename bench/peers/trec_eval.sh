#!/usr/bin/env bash
# trec_eval's figures beside Tern's on every run that a study wrote: all measures of -m all_trec, every topic and the means, byte for byte.
# Prints a Markdown table; exit code 1 if a line differs.
#   bench/peers/trec_eval.sh STUDY_DIRECTORY TREC_EVAL [trec9|trec10]
# STUDY_DIRECTORY is what tern study --output wrote (or anything with qrels/NAME.txt and NAME.run.gz in it), TREC_EVAL the program.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
study=$1
program=$2
tern=$(cd "$(dirname "$0")/../.." && pwd)/artifacts/bin/tern
version=$("$program" --version 2>&1 | grep -oE '[0-9]+(\.[0-9]+)+' | head -1 || true)
semantics=${3:-$(case $version in 10.*) echo trec10 ;; *) echo trec9 ;; esac)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "trec_eval ${version:-$program} beside tern eval --semantics $semantics"
echo
echo "| collection | runs | lines | lines that differ |"
echo "| --- | ---: | ---: | ---: |"
status=0
for qrels in "$study"/qrels/*.txt; do
    collection=$(basename "$qrels" .txt)
    runs=0 lines=0 differing=0
    while IFS= read -r run; do
        gunzip -c "$run" >"$work/run"
        "$program" -c -q -m all_trec "$qrels" "$work/run" >"$work/theirs"
        "$tern" eval -c -q -m all_trec --semantics "$semantics" --ignore-identical-ids off "$qrels" "$work/run" >"$work/ours"
        runs=$((runs + 1))
        lines=$((lines + $(wc -l <"$work/theirs")))
        if ! cmp -s "$work/theirs" "$work/ours"; then
            differing=$((differing + $(diff "$work/theirs" "$work/ours" | grep -c '^<' || true) + 1))
            echo "$run: $(diff "$work/theirs" "$work/ours" | head -3 | tr '\n' ' ')" >&2
            status=1
        fi
    done < <(find "$study" -name "$collection.run.gz" | sort)
    echo "| $collection | $runs | $lines | $differing |"
done
exit $status
