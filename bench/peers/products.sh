#!/usr/bin/env bash
# Tern's products beside OpenBLAS's and oneDNN's, and beside the multiply-add peaks, in one process and in turns.
#   bench/peers/products.sh [--shapes few|selection|all] [--threads 1 2] [--statistic median|best] [--openblas PATH] ...
# Wants Debian's libopenblas0-pthread and libdnnl2, and a C compiler for the peaks of bf16 and int8; goes without what is not there.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p artifacts/peers
peak=()
if command -v cc >/dev/null 2>&1 && cc -O2 -shared -fPIC -o artifacts/peers/libpeak.so bench/peers/peak.c 2>artifacts/peers/peak.log; then
    peak=(--peak artifacts/peers/libpeak.so)
fi
exec ./build.sh bench products "${peak[@]}" "$@"
