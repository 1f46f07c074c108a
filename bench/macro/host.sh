#!/usr/bin/env bash
# Packs Tern, restores the packages into a console project of their own, and measures what a latency-sensitive host would
# see: encode and search at 1 and 8 callers, cold start, allocation, idle processor time. Prints a Markdown report.
#   bench/macro/host.sh [INDEX [QUERIES.jsonl]] [-- --seconds 10 --threads 2 --delay-ms 1]
# INDEX is a learned index directory (default: the demo's sparse one, made first if it is not there).
set -euo pipefail
cd "$(dirname "$0")/../.."
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1

positional=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    positional+=("$1")
    shift
done
[ $# -eq 0 ] || shift
index=${positional[0]:-artifacts/demo/index/sparse}
queries=${positional[1]:-artifacts/demo/collection/queries.jsonl}
if [ "${#positional[@]}" -eq 0 ] && [ ! -f "$index/index.json" ]; then
    echo "no demo yet: making it (./build.sh demo)" >&2
    ./build.sh demo >&2
fi

./build.sh pack >&2
# The packages of one version change while Tern is worked on: nothing restored earlier may be taken.
rm -rf artifacts/host
dotnet build bench/macro/Host --configuration Release --verbosity quiet --nologo >&2
host=artifacts/host/bin/Release/net10.0/Host

"$host" "$index" "$queries" "$@"
echo
"$host" --idle 20
echo
echo "| cold start | index and model open ms | first ten hits ms |"
echo "|---|---|---|"
for run in 1 2 3 4 5; do
    "$host" "$index" "$queries" --cold | awk -v run="$run" '{ printf "| %d | %s | %s |\n", run, $1, $2 }'
done
