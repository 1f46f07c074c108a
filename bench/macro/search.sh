#!/usr/bin/env bash
# Single-query search over sparse vectors, side by side with reference programs in C++: the same data, one thread on one
# processor, of each query the fastest pass, the thread's processor time. Prints a Markdown table.
#   bench/macro/search.sh PREFIX [REFERENCES]
# PREFIX.docs.csr and PREFIX.queries.csr are BigANN CSR files, PREFIX.bp.u32 the documents' order. REFERENCES is a directory
# with exh3.cpp (exhaustive scan) and lbm5.cpp (leaf block-max), called as "exh3 PREFIX bp" and "lbm5 PREFIX bp 16".
set -euo pipefail
prefix=$(realpath -m "$1")
references=${2:+$(realpath "$2")}
cd "$(dirname "$0")/../.."

tern=artifacts/bin/tern
[ -x "$tern" ] || { echo "$tern is not there; run ./build.sh build first" >&2; exit 2; }
[ -f "$prefix.bp.u32" ] || { echo "$prefix.bp.u32 is not there: it is the order of the documents, one 32-bit number each" >&2; exit 2; }
work=artifacts/search-bench
rm -rf "$work"
mkdir -p "$work"
processor=$(taskset -pc $$ | sed 's/.*[ ,-]//')
load=$(cut -d' ' -f1 /proc/loadavg)

declare -A reference
if [ -n "$references" ]; then
    for program in exh3 lbm5; do
        g++ -O3 -march=native -std=c++20 -o "$work/$program" "$references/$program.cpp"
    done
    # The rows with bitmaps for dense lists are the faster ones of the exhaustive scan.
    while read -r k mean; do reference[exhaustive,$k]=$mean; done < <(taskset -c "$processor" "$work/exh3" "$prefix" bp | sed -nE 's/^EXH3 dense>0\.100 k=([0-9]+) +mean +([0-9.]+).*/\1 \2/p')
    while read -r k mean; do reference[block-max,$k]=$mean; done < <(taskset -c "$processor" "$work/lbm5" "$prefix" bp 16 | sed -nE 's/^LBM5 b=16 k=([0-9]+) .*mean +([0-9.]+).*/\1 \2/p')
fi

taskset -c "$processor" "$tern" bench search --data "$prefix" --k 10,100,1000 --threads 1 --clock cpu --work "$work" --json >"$work/results.json"

echo "$(basename "$prefix"), $(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), load $load before and $(cut -d' ' -f1 /proc/loadavg) after, .NET $(dotnet --version), $(g++ --version | head -1), $(git rev-parse --short HEAD 2>/dev/null || echo unversioned)"
echo
echo "| algorithm | layout | k | mean ms | p50 | p95 | p99 | reference's mean | ratio | bytes a posting | allocated |"
echo "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
sed 's/{/\n{/g' "$work/results.json" | sed -nE 's/.*"algorithm":"([^"]*)","layout":"([^"]*)","k":([0-9]+),"mean_ms":([^,]*),"p50_ms":([^,]*),"p95_ms":([^,]*),"p99_ms":([^,]*),"bytes_per_posting":([^,]*),"allocated_bytes_per_query":([^,]*),.*/\1 \2 \3 \4 \5 \6 \7 \8 \9/p' |
    while read -r algorithm layout k mean p50 p95 p99 bytes allocated; do
        other=${reference[$algorithm,$k]:-}
        ratio=${other:+$(awk -v a="$mean" -v b="$other" 'BEGIN { printf "%.2f", a / b }')}
        echo "| $algorithm | $layout | $k | $mean | $p50 | $p95 | $p99 | ${other:-–} | ${ratio:-–} | $bytes | $allocated B |"
    done
