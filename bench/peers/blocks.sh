#!/usr/bin/env bash
# Tern beside its peers: blocks of 25 M weights (encode beside all of them, training step beside PyTorch), the demo's sparse
# training step and the sparse head alone; same weights, same token ids, in turns. Prints Markdown.
#   bench/peers/blocks.sh [--peers torch,onnxruntime,llamacpp] [--llama-cpp DIR] [--rounds 5] [--threads 2] [--quick]
#                         [--only encode train sparse_step sparse_head] [--blas openblas-openmp]
# A peer that cannot be had is named in the tables with the reason. python3-numpy is wanted always. PyTorch: Debian's
# python3-torch, and any of libopenblas0-openmp, libopenblas0-pthread, libblis4-openmp and libblis4-pthread, of which the
# fastest is taken. ONNX Runtime: its NuGet package, restored here. llama.cpp: DIR holds include/llama.h and lib/libllama.so
# (cmake --install puts them there) of a version that knows the architecture llama-embed.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${TERN_PEERS_PYTHON:-/usr/bin/python3}
peers=torch,onnxruntime,llamacpp
llama_cpp=
passed_on=()
while [ $# -gt 0 ]; do
    case $1 in
    --peers) peers=$2; shift ;;
    --llama-cpp) llama_cpp=$2; shift ;;
    *) passed_on+=("$1") ;;
    esac
    shift
done
if ! "$python" -c 'import numpy' 2>/dev/null; then
    echo "bench/peers/blocks.sh: $python has no numpy; apt-get install python3-numpy, or set TERN_PEERS_PYTHON" >&2
    exit 3
fi
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 PYTHONDONTWRITEBYTECODE=1
./build.sh native >/dev/null || echo "no native products: Tern is measured in fp32 only" >&2
dotnet build bench/Tern.Benchmarks --configuration Release --verbosity quiet --nologo -clp:ErrorsOnly >&2
tern=artifacts/bin/Tern.Benchmarks/release/Tern.Benchmarks.dll
out=artifacts/peers
work=$out/work
[ -f "$work/work.json" ] && [ "$work/work.json" -nt "$tern" ] || { rm -rf "$work" && dotnet "$tern" peers-prepare "$work"; }
arguments=()
for peer in ${peers//,/ }; do
    case $peer in
    torch)
        if "$python" -c 'import torch' 2>/dev/null; then
            arguments+=(--torch)
        else
            arguments+=(--missing "PyTorch=$python has no PyTorch (apt-get install python3-torch, or set TERN_PEERS_PYTHON)")
        fi
        ;;
    onnxruntime)
        if dotnet build bench/peers/OnnxRuntime --configuration Release --verbosity quiet --nologo >"$out/onnxruntime.log" 2>&1; then
            arguments+=(--onnxruntime "$out/onnxruntime/bin/Release/net10.0/OnnxWorker")
        else
            arguments+=(--missing "ONNX Runtime=its worker did not build ($out/onnxruntime.log)")
        fi
        ;;
    llamacpp)
        if [ -z "$llama_cpp" ]; then
            arguments+=(--missing "llama.cpp=no --llama-cpp DIR")
        elif [ ! -f "$llama_cpp/include/llama.h" ] || [ ! -f "$llama_cpp/lib/libllama.so" ]; then
            arguments+=(--missing "llama.cpp=--llama-cpp has no include/llama.h and lib/libllama.so")
        elif c++ -O2 -std=c++17 -I"$llama_cpp/include" bench/peers/LlamaCpp/worker.cpp -o "$out/llamacpp-worker" \
            -L"$llama_cpp/lib" -Wl,--disable-new-dtags,-rpath,"$(realpath "$llama_cpp/lib")" -lllama -lggml -lggml-base 2>"$out/llamacpp.log"; then
            arguments+=(--llamacpp "$out/llamacpp-worker")
        else
            arguments+=(--missing "llama.cpp=its worker did not build ($out/llamacpp.log)")
        fi
        ;;
    *)
        echo "bench/peers/blocks.sh: --peers $peer: torch, onnxruntime or llamacpp, separated by commas" >&2
        exit 2
        ;;
    esac
done
exec "$python" bench/peers/compare.py --tern "$tern" --work "$work" --python "$python" "${arguments[@]}" ${passed_on[@]+"${passed_on[@]}"}
