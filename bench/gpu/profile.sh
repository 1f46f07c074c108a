#!/usr/bin/env bash
# Nsight on named operations: profile.sh OPERATION[,OPERATION] [arguments of tern bench kernels]. Writes OUT/kernels.ncu-rep
# (Nsight Compute: every kernel of ours, with source lines) and OUT/timeline.nsys-rep (Nsight Systems: a range an operation).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || { echo "usage: bench/gpu/profile.sh OPERATION[,OPERATION] [arguments of tern bench kernels]" >&2; exit 2; }
operations=$1
shift
tern=${TERN:-$here/tern}
[ -x "$tern" ] || tern=$here/../../artifacts/bin/tern
out=${OUT:-artifacts/profile}
mkdir -p "$out"
run=("$tern" bench kernels --device cuda --operations "$operations" --copy-mib 16 --product-size 1024 "$@")
found=0
if command -v ncu >/dev/null; then
    # Clocks stay as they are: figures are to be those of the times.
    ncu --clock-control none --set full --import-source yes --kernel-name regex:tern_ --launch-count 20 --force-overwrite --export "$out/kernels" "${run[@]}" --repeats 1
    found=1
fi
if command -v nsys >/dev/null; then
    TERN_NVTX=1 nsys profile --trace cuda,nvtx,cublas --force-overwrite true --output "$out/timeline" "${run[@]}"
    found=1
fi
[ $found = 1 ] || { echo "profile.sh: neither ncu nor nsys is on PATH; they come with the CUDA toolkit" >&2; exit 3; }
