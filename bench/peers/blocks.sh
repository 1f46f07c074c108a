#!/usr/bin/env bash
# Tern beside Debian's PyTorch: blocks of 25 M weights (encode, training step), the demo's sparse training step and the
# sparse head alone; same weights, same token ids, in turns.
#   bench/peers/blocks.sh [--rounds 5] [--threads 2] [--only encode train sparse_step sparse_head] [--blas openblas-openmp]
# Wants Debian's python3-torch and python3-numpy, and any of libopenblas0-openmp, libopenblas0-pthread, libblis4-openmp
# and libblis4-pthread, of which it takes the fastest. Prints Markdown.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${TERN_PEERS_PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import torch, numpy' 2>/dev/null; then
    echo "bench/peers/blocks.sh: $python has no PyTorch; apt-get install python3-torch python3-numpy, or set TERN_PEERS_PYTHON" >&2
    exit 3
fi
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1
./build.sh native >/dev/null || echo "no native products: Tern is measured in fp32 only" >&2
dotnet build bench/Tern.Benchmarks --configuration Release --verbosity quiet --nologo -clp:ErrorsOnly
tern=artifacts/bin/Tern.Benchmarks/release/Tern.Benchmarks.dll
work=artifacts/peers/work
[ -f "$work/work.json" ] && [ "$work/work.json" -nt "$tern" ] || dotnet "$tern" peers-prepare "$work"
exec "$python" bench/peers/compare.py --tern "$tern" --work "$work" --python "$python" "$@"
