#!/usr/bin/env bash
# Single-query search over sparse vectors, side by side with reference programs in C++: the same data, one thread on one
# processor, of each query the fastest pass, the thread's processor time. Prints a Markdown table for each set.
#   bench/macro/search.sh [--rounds N] [--only build|time] REFERENCES|- PREFIX...
# PREFIX.docs.csr and PREFIX.queries.csr are BigANN CSR files, PREFIX.bp.u32 the documents' order (bench/macro/search-data.sh
# makes sets). REFERENCES is a directory with exh3.cpp (exhaustive scan) and lbm5.cpp (leaf block-max), called as
# "exh3 PREFIX bp" and "lbm5 PREFIX bp 16"; "-" goes without.
#
# Indexes are built once, and the references load their data once; then N rounds (3 unless given) time the references and Tern
# in turn. A figure is the median over the rounds; a ratio is made within each round, and the median of those is printed, since
# the neighbours of a shared machine move all rows of a round together. ± is half of what lies between the least and the greatest
# round, where that is more than a tenth of the median. Before anything is timed, all algorithms' hits are compared, every round.
#
# Half a million documents and 500 queries take a minute to build and 2.5 minutes to load and time in 3 rounds. Where others have to
# wait for a quiet machine, --only build before keeps the building out of the wait for --only time.
set -euo pipefail
usage() { echo "usage: bench/macro/search.sh [--rounds N] [--only build|time] REFERENCES|- PREFIX..." >&2; exit 2; }
rounds=3
only=both
while [ $# -gt 0 ]; do
    case $1 in
        --rounds) [ $# -ge 2 ] && [[ $2 =~ ^[1-9][0-9]*$ ]] || usage; rounds=$2; shift 2 ;;
        --only) [ $# -ge 2 ] && [[ $2 =~ ^(build|time)$ ]] || usage; only=$2; shift 2 ;;
        --*) usage ;;
        *) break ;;
    esac
done
[ $# -ge 2 ] || usage
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
passes=3
mkdir -p "$work"
processor=$(taskset -pc $$ | sed 's/.*[ ,-]//')
if [ -n "$references" ] && [ "$only" != build ]; then
    # They wait for a line before each round and make as many passes as Tern. Of the scan only the rows with bitmaps for dense
    # lists, its faster ones, and also k = 100; of block-max not the pass that profiles.
    sed 's/for(double dn:{1.0,0.1})/for(double dn:{0.1})/
         s/for(int r=0;r<4;r++)/for(int r=0;r<'$passes';r++)/
         s/for(int ki:{0,2})/for(std::string line;std::getline(std::cin,line);puts("done"),fflush(stdout))for(int ki:{0,1,2})/' "$references/exh3.cpp" >"$work/exh3.cpp"
    sed 's/for(int r=0;r<5;r++)/for(int r=0;r<'$passes';r++)/
         s/for(u32 i=0;i<QN;i++){h.init(KS\[ki\]);L.run<true>(D.q\[i\],h,ki,al);}//
         s/for(double al:split(as))for(int ki=0;/fflush(stdout);for(std::string line;std::getline(std::cin,line);puts("done"),fflush(stdout))for(double al:split(as))for(int ki=0;/' "$references/lbm5.cpp" >"$work/lbm5.cpp"
    for program in exh3 lbm5; do
        grep -q 'puts("done")' "$work/$program.cpp" || { echo "$references/$program.cpp is not the program that this script knows how to time in rounds" >&2; exit 3; }
        g++ -O3 -march=native -std=c++20 -I "$references" -o "$work/$program" "$work/$program.cpp"
    done
fi

# Lines "ROUND WHO ALGORITHM LAYOUT K MEAN P50 P95 P99 ALLOCATED" of one round of a reference that waits at two pipes.
round_of_reference() { # round, algorithm, the pipe that it reads, the one that it writes
    echo >&"$3"
    while read -r line <&"$4" && [ "$line" != done ]; do
        sed -nE "s/^(EXH3|LBM5).* k=([0-9]+) .*mean +([0-9.]+).*/$1 reference $2 - \2 \3 0 0 0 0/p" <<<"$line"
    done
}

table='
    function median(list,    n, v, i, j, t) {
        n = split(list, v, " ")
        for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
        low = v[1]; high = v[n]
        return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
    }
    function show(list, digits,    m) {
        if (list == "") return "–"
        m = median(list)
        return sprintf("%." digits "f", m) (high - low > 0.1 * m ? sprintf(" ± %." digits "f", (high - low) / 2) : "")
    }
    { mean[$1, $2, $3, $4, $5] = $6; if ($1 > rounds) rounds = $1 }
    $2 == "tern" && $1 == 1 { row[++rows] = $3 " " $4 " " $5; allocated[rows] = $10 }
    $2 == "tern" { key = $3 " " $4 " " $5; means[key] = means[key] " " $6; p50[key] = p50[key] " " $7; p95[key] = p95[key] " " $8; p99[key] = p99[key] " " $9 }
    END {
        for (i = 1; i <= rows; i++) {
            split(row[i], f, " ")
            other = times = over = ""
            for (r = 1; r <= rounds; r++) {
                own = mean[r, "tern", f[1], f[2], f[3]]
                if ((r, "reference", f[1], "-", f[3]) in mean) { reference = mean[r, "reference", f[1], "-", f[3]]; other = other " " reference; times = times " " own / reference }
                if ((r, "tern", "exhaustive", f[2], f[3]) in mean) over = over " " mean[r, "tern", "exhaustive", f[2], f[3]] / own
            }
            printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s B |\n", f[1], f[2], f[3], show(means[row[i]], 3), show(p50[row[i]], 3), show(p95[row[i]], 3), show(p99[row[i]], 3), show(other, 3), show(times, 2), show(over, 2), allocated[i]
        }
    }'

for prefix in "${prefixes[@]}"; do
    name=$(basename "$prefix")
    index=$work/$name
    if [ "$only" != time ]; then
        rm -rf "$index"
        "$tern" bench search --data "$prefix" --work "$index" --only build --json >"$work/$name.built.json"
        [ "$only" != build ] || continue
    fi
    [ -f "$work/$name.built.json" ] || { echo "$index is not built; run this with --only build first" >&2; exit 2; }

    : >"$work/rows"
    if [ -n "$references" ]; then
        for program in exh3 lbm5; do
            rm -f "$work/$program.in" "$work/$program.out"
            mkfifo "$work/$program.in" "$work/$program.out"
        done
        "$work/exh3" "$prefix" bp <"$work/exh3.in" >"$work/exh3.out" &
        pids=$!
        "$work/lbm5" "$prefix" bp 16 <"$work/lbm5.in" >"$work/lbm5.out" &
        pids="$pids $!"
        exec 5>"$work/exh3.in" 6<"$work/exh3.out" 7>"$work/lbm5.in" 8<"$work/lbm5.out"
        # Loaded once it has said something: lbm5 says how long it built, exh3 nothing, so its first round does not count.
        read -r _ <&8
        round_of_reference 0 exhaustive 5 6 >/dev/null
        for pid in $pids; do
            taskset -pc "$processor" "$pid" >/dev/null
        done
    fi

    load=$(cut -d' ' -f1 /proc/loadavg)
    for ((round = 1; round <= rounds; round++)); do
        if [ -n "$references" ]; then
            round_of_reference "$round" exhaustive 5 6 >>"$work/rows"
            round_of_reference "$round" block-max 7 8 >>"$work/rows"
        fi

        taskset -c "$processor" "$tern" bench search --data "$prefix" --k 10,100,1000 --threads 1 --clock cpu --passes "$passes" --work "$index" --only time --json >"$work/results.json"
        sed 's/{/\n{/g' "$work/results.json" | sed -nE "s/.*\"algorithm\":\"([^\"]*)\",\"layout\":\"([^\"]*)\",\"k\":([0-9]+),\"mean_ms\":([^,]*),\"p50_ms\":([^,]*),\"p95_ms\":([^,]*),\"p99_ms\":([^,]*),\"bytes_per_posting\":[^,]*,\"allocated_bytes_per_query\":([^,]*),.*/$round tern \1 \2 \3 \4 \5 \6 \7 \8/p" >>"$work/rows"
        sed 's/{/\n{/g' "$work/results.json" | sed -nE 's/.*"layout":"([^"]*)","postings":[0-9]+,"build_seconds":[^,]*,"open_ms":([^,]*),.*/\1 \2/p' >>"$work/opened.$round"
    done
    if [ -n "$references" ]; then
        exec 5>&- 6<&- 7>&- 8<&-
        wait
    fi

    echo "### $name"
    echo
    echo "$(grep -m1 'model name' /proc/cpuinfo | sed 's/.*: //'), load $load before and $(cut -d' ' -f1 /proc/loadavg) after, .NET $(dotnet --version), $(g++ --version | head -1), $(git rev-parse --short HEAD 2>/dev/null || echo unversioned); medians of $rounds rounds."
    sed 's/{/\n{/g' "$work/$name.built.json" | sed -nE 's/.*"layout":"([^"]*)","postings":([0-9]+),"build_seconds":([^,]*),"open_ms":([^,]*),"bytes_per_posting":([^,]*),"segment_bytes_per_posting":([^,}]*).*/\1 \2 \3 \5 \6/p' |
        while read -r layout postings seconds bytes all; do
            opened=$(cat "$work"/opened.* | awk -v l="$layout" '$1 == l { print $2 }' | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }')
            echo "$layout: $postings postings written in $seconds s ($(awk -v p="$postings" -v s="$seconds" 'BEGIN { printf "%.1f", p / s / 1e6 }') million a second), opened in $opened ms; $bytes bytes a posting to search, $all with documents' vectors and ids."
        done
    rm -f "$work"/opened.*
    echo
    echo "| algorithm | layout | k | mean ms | p50 | p95 | p99 | reference's mean | times it | own exhaustive's time over it | allocated |"
    echo "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    awk "$table" "$work/rows"
    echo
    [ "$only" = time ] || rm -rf "$index" "$work/$name.built.json"
done
