#!/usr/bin/env bash
# A Llama-3.2-1B-shaped model on this machine: makes it with random weights (2.5 GB under artifacts, deleted afterwards
# unless KEEP=1), opens and encodes with it, and prints a Markdown table beside what the machine could do at most.
#   bench/macro/big-model.sh [SHAPE] [THREADS] [PRECISION...]
# SHAPE: llama-3.2-1b (default), llama-3.2-3b, llama-3.1-8b, tiny; THREADS: 0 for all; PRECISION: f32 (default), bf16, int8
set -euo pipefail
cd "$(dirname "$0")/../.."

shape=${1:-llama-3.2-1b}
threads=${2:-0}
precisions=("${@:3}")
[ ${#precisions[@]} -gt 0 ] || precisions=(f32)
model=artifacts/big-model/$shape

./build.sh build >/dev/null
dotnet build bench/Tern.Benchmarks --configuration Release --verbosity quiet --nologo -clp:ErrorsOnly >&2
if [ ! -d "$model" ]; then
    [ "${KEEP:-0}" = 1 ] || trap 'rm -rf "$model"' EXIT
    artifacts/bin/tern model random --like "$shape" --max-document-tokens 512 "$model" >&2
fi
for precision in "${precisions[@]}"; do
    artifacts/bin/Tern.Benchmarks/release/Tern.Benchmarks big-model "$model" "$threads" "$precision"
done
