#!/usr/bin/env bash
# Exact sparse search beside other programs, on the same sets, one thread on one processor, of each query the fastest of three
# passes: the paper's own scan (numba, term at a time, float32), PISA's MaxScore, BMP. Prints a Markdown table for each set.
#   bench/peers/sparse.sh [--pisa DIRECTORY] [--bmp PROGRAM] [--bmp-blocks "8 16 32"] [--no-scan] PREFIX...
# PREFIX.docs.csr, PREFIX.queries.csr, PREFIX.bp.u32: bench/macro/search-data.sh makes sets. The scan wants Debian's python3-numba
# and python3-scipy. DIRECTORY has PISA's programs compress_inverted_index, create_wand_data and queries. PROGRAM is BMP's search in
# a loop, called as "PROGRAM PREFIX BLOCK PASSES K...", whose lines are "BMP b=BLOCK k=K mean MS p50 MS p99 MS". Peers that are not given are left out.
set -euo pipefail
pisa= bmp= blocks="8 16 32" scan=yes
while [ $# -gt 0 ]; do
    case $1 in
        --pisa) pisa=$(realpath "$2"); shift 2 ;;
        --bmp) bmp=$(realpath "$2"); shift 2 ;;
        --no-scan) scan=no; shift ;;
        --bmp-blocks) blocks=$2; shift 2 ;;
        -*) echo "there is no $1; usage: bench/peers/sparse.sh [--pisa DIRECTORY] [--bmp PROGRAM] [--bmp-blocks "8 16 32"] [--no-scan] PREFIX..." >&2; exit 2 ;;
        *) break ;;
    esac
done
[ $# -ge 1 ] || { echo "usage: bench/peers/sparse.sh [--pisa DIRECTORY] [--bmp PROGRAM] [--bmp-blocks "8 16 32"] [--no-scan] PREFIX..." >&2; exit 2; }
prefixes=()
for prefix in "$@"; do prefixes+=("$(realpath -m "$prefix")"); done
cd "$(dirname "$0")/../.."
tern=artifacts/bin/tern
[ -x "$tern" ] || { echo "$tern is not there; run ./build.sh build first" >&2; exit 2; }
python=/usr/bin/python3
work=artifacts/sparse-peers
processor=$(taskset -pc $$ | sed 's/.*[ ,-]//')
pinned=(taskset -c "$processor")
ks=(10 100 1000)

for prefix in "${prefixes[@]}"; do
    rm -rf "$work"
    mkdir -p "$work"
    load=$(cut -d' ' -f1 /proc/loadavg)
    rows=$work/rows
    : >"$rows"
    "${pinned[@]}" "$tern" bench search --data "$prefix" --k 10,100,1000 --threads 1 --clock cpu --layout packed --algorithm auto --work "$work/index" --json |
        sed 's/{/\n{/g' | sed -nE 's/.*"algorithm":"auto","layout":"([^"]*)","k":([0-9]+),"mean_ms":([^,]*),"p50_ms":([^,]*),"p95_ms":[^,]*,"p99_ms":([^,]*),.*/tern \2 \3 \4 \5/p' >>"$rows"
    rm -rf "$work/index"
    if [ $scan = yes ] && "$python" -c 'import numba, scipy' 2>/dev/null; then
        NUMBA_NUM_THREADS=1 "${pinned[@]}" "$python" bench/peers/sparse.py scan "$prefix" 3 "${ks[@]}" >>"$rows"
    fi

    if [ -n "$pisa" ]; then
        mkdir -p "$work/pisa"
        "$python" bench/peers/sparse.py pisa "$prefix" "$work/pisa"
        "$pisa/create_wand_data" -c "$work/pisa/set" -o "$work/pisa/wand" -s quantized -b 64 -L off >"$work/pisa.log" 2>&1
        "$pisa/compress_inverted_index" -c "$work/pisa/set" -o "$work/pisa/index" -e block_simdbp -L off >"$work/pisa.log" 2>&1
        for k in "${ks[@]}"; do
            "${pinned[@]}" "$pisa/queries" -e block_simdbp -i "$work/pisa/index" -w "$work/pisa/wand" -q "$work/pisa/queries" -k "$k" -a maxscore -s quantized --weighted --tokenizer whitespace -L off |
                "$python" -c 'import json, sys; t = [t for t in json.load(sys.stdin)["times"] if t["query_aggregation"] == "min"][0]; print("pisa", sys.argv[1], t["mean"] / 1e3, t["q50"] / 1e3, t["q99"] / 1e3)' "$k" >>"$rows"
        done
        rm -rf "$work/pisa"
    fi

    if [ -n "$bmp" ]; then
        for block in $blocks; do
            "${pinned[@]}" "$bmp" "$prefix" "$block" 3 "${ks[@]}" | sed -nE 's/^BMP b=([0-9]+) k=([0-9]+) mean ([0-9.]+) p50 ([0-9.]+) p99 ([0-9.]+).*/bmp \2 \3 \4 \5 \1/p' >>"$rows"
        done
    fi

    echo "### $(basename "$prefix")"
    echo
    echo "$(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), load $load before and $(cut -d' ' -f1 /proc/loadavg) after, .NET $(dotnet --version), $("$python" -c 'import numba, numpy; print("numba", numba.__version__, "numpy", numpy.__version__)' 2>/dev/null || echo no numba), $(g++ --version | head -1), $(git rev-parse --short HEAD 2>/dev/null || echo unversioned)."
    echo
    echo "| engine | k | mean ms | p50 | p99 | its time over Tern's |"
    echo "| --- | ---: | ---: | ---: | ---: | ---: |"
    awk '
        $1 == "tern" { tern[$2] = $3 }
        $1 == "bmp" { if (!(("bmp", $2) in least) || $3 < least["bmp", $2]) { least["bmp", $2] = $3; line["bmp", $2] = $0 } next }
        { line[$1, $2] = $0 }
        END {
            names["tern"] = "Tern, auto, packed"; names["numba"] = "numba, term at a time, float32"; names["pisa"] = "PISA, MaxScore, block_simdbp, quantized"; names["bmp"] = "BMP, blocks of "
            split("tern numba pisa bmp", engines, " "); split("10 100 1000", ks, " ")
            for (e = 1; e <= 4; e++) for (i = 1; i <= 3; i++) if ((engines[e], ks[i]) in line) {
                split(line[engines[e], ks[i]], f, " ")
                printf "| %s%s | %s | %.3f | %.3f | %.3f | %.1f |\n", names[f[1]], f[6], f[2], f[3], f[4], f[5], f[3] / tern[f[2]]
            }
        }' "$rows"
    echo
    rm -rf "$work"
done
