#!/usr/bin/env bash
# Single-query search over sparse vectors, side by side with reference programs in C++: the same data, one thread on one
# processor, of each query the fastest pass, the thread's processor time. Prints a Markdown table for each set.
#   bench/macro/search.sh REFERENCES PREFIX...
# PREFIX.docs.csr and PREFIX.queries.csr are BigANN CSR files, PREFIX.bp.u32 the documents' order (bench/macro/search-data.sh
# makes sets). REFERENCES is a directory with exh3.cpp (exhaustive scan) and lbm5.cpp (leaf block-max), called as
# "exh3 PREFIX bp" and "lbm5 PREFIX bp 16"; "-" goes without. Before anything is timed, all algorithms' hits are compared.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: bench/macro/search.sh REFERENCES|- PREFIX..." >&2; exit 2; }
references=$([ "$1" = - ] || realpath "$1")
prefixes=()
for prefix in "${@:2}"; do
    [ -f "$prefix.bp.u32" ] || { echo "$prefix.bp.u32 is not there: it is the order of the documents, one 32-bit number each" >&2; exit 2; }
    prefixes+=("$(realpath -m "$prefix")")
done
cd "$(dirname "$0")/../.."

tern=artifacts/bin/tern
[ -x "$tern" ] || { echo "$tern is not there; run ./build.sh build first" >&2; exit 2; }
work=artifacts/search-bench
rm -rf "$work"
mkdir -p "$work"
processor=$(taskset -pc $$ | sed 's/.*[ ,-]//')
if [ -n "$references" ]; then
    # The scan's own list of k leaves out 100.
    sed 's/for(int ki:{0,2})/for(int ki:{0,1,2})/' "$references/exh3.cpp" >"$work/exh3.cpp"
    cp "$references/lbm5.cpp" "$work"
    for program in exh3 lbm5; do
        g++ -O3 -march=native -std=c++20 -I "$references" -o "$work/$program" "$work/$program.cpp"
    done
fi

for prefix in "${prefixes[@]}"; do
    load=$(cut -d' ' -f1 /proc/loadavg)
    : >"$work/reference"
    if [ -n "$references" ]; then
        # The rows with bitmaps for dense lists are the faster ones of the exhaustive scan.
        taskset -c "$processor" "$work/exh3" "$prefix" bp | sed -nE 's/^EXH3 dense>0\.100 k=([0-9]+) +mean +([0-9.]+).*/reference exhaustive \1 \2/p' >>"$work/reference"
        taskset -c "$processor" "$work/lbm5" "$prefix" bp 16 | sed -nE 's/^LBM5 b=16 k=([0-9]+) .*mean +([0-9.]+).*/reference block-max \1 \2/p' >>"$work/reference"
    fi

    taskset -c "$processor" "$tern" bench search --data "$prefix" --k 10,100,1000 --threads 1 --clock cpu --work "$work/index" --json >"$work/results.json"
    echo "### $(basename "$prefix")"
    echo
    echo "$(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), load $load before and $(cut -d' ' -f1 /proc/loadavg) after, .NET $(dotnet --version), $(g++ --version | head -1), $(git rev-parse --short HEAD 2>/dev/null || echo unversioned)."
    sed 's/{/\n{/g' "$work/results.json" | sed -nE 's/.*"layout":"([^"]*)","postings":([0-9]+),"build_seconds":([^,]*),"open_ms":([^,]*),"bytes_per_posting":([^,]*),"segment_bytes_per_posting":([^,}]*).*/\1 \2 \3 \4 \5 \6/p' |
        while read -r layout postings seconds open bytes all; do
            echo "$layout: $postings postings written in $seconds s ($(awk -v p="$postings" -v s="$seconds" 'BEGIN { printf "%.1f", p / s / 1e6 }') million a second), opened in $open ms; $bytes bytes a posting to search, $all with documents' vectors and ids."
        done
    echo
    echo "| algorithm | layout | k | mean ms | p50 | p95 | p99 | reference's mean | times it | own exhaustive's time over it | allocated |"
    echo "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    sed 's/{/\n{/g' "$work/results.json" | sed -nE 's/.*"algorithm":"([^"]*)","layout":"([^"]*)","k":([0-9]+),"mean_ms":([^,]*),"p50_ms":([^,]*),"p95_ms":([^,]*),"p99_ms":([^,]*),"bytes_per_posting":([^,]*),"allocated_bytes_per_query":([^,]*),.*/\1 \2 \3 \4 \5 \6 \7 \9/p' |
        cat "$work/reference" - | awk '
            $1 == "reference" { reference[$2, $3] = $4; next }
            { row[++rows] = $0; if ($1 == "exhaustive") own[$2, $3] = $4 }
            END {
                for (i = 1; i <= rows; i++) {
                    split(row[i], f, " ")
                    other = reference[f[1], f[3]]
                    printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %.2f | %s B |\n", f[1], f[2], f[3], f[4], f[5], f[6], f[7], other ? other : "–", other ? sprintf("%.2f", f[4] / other) : "–", own[f[2], f[3]] / f[4], f[8]
                }
            }'
    echo
    rm -rf "$work/index"
done
