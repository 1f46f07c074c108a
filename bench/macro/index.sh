#!/usr/bin/env bash
# Building segments: postings a second, bytes a posting, memory within a bound, and opening them; and the time of ordering a
# set's documents. Prints Markdown tables.
#   bench/macro/index.sh DIRECTORY
# DIRECTORY has the sets hard500k and hard2m of bench/macro/search-data.sh. About ten minutes on two processors, and 4 GB of disk.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: bench/macro/index.sh DIRECTORY" >&2; exit 2; }
data=$(realpath "$1")
cd "$(dirname "$0")/../.."
program=artifacts/bin/Tern.Benchmarks/release/Tern.Benchmarks
[ -x "$program" ] || dotnet build bench/Tern.Benchmarks --configuration Release --verbosity quiet --nologo
work=artifacts/index-bench
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
build() { "$program" index-build --directory "$work/index" "$@"; }
build --data "$data/hard500k" --order --header
build --data "$data/hard500k" --order --memory 128
# Terms and weights of ten times the bound.
build --data "$data/hard2m" --memory 224
echo
"$program" bisection --data "$data/hard500k.docs.csr" --threads 2
