#!/usr/bin/env bash
# Tern's dense index beside Faiss's flat indexes, OpenBLAS's product and the memory's read bandwidth, in one process and in turns.
#   bench/peers/dense.sh [--rows 500000] [--dimension 256] [--k 10] [--threads 1] [--seconds 20] ...
# Wants Debian's libfaiss-dev, libopenblas0-pthread and a C++ compiler; goes without what is not there.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p artifacts/peers
peer=()
if command -v c++ >/dev/null 2>&1 && c++ -O2 -fopenmp -shared -fPIC -o artifacts/peers/libfaisspeer.so bench/peers/faiss.cpp -lfaiss -L/usr/lib/x86_64-linux-gnu/openblas-pthread -l:libopenblas.so.0 2>artifacts/peers/faiss.log; then
    version=$(dpkg-query -W -f '${Version}' libfaiss-dev 2>/dev/null || true)
    peer=(--faiss "$PWD/artifacts/peers/libfaisspeer.so" --faiss-version "${version:-unknown}")
fi
# Set for other programs' sake, these would have OpenBLAS run the kernels of another processor.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
exec ./build.sh bench dense "${peer[@]}" "$@"
