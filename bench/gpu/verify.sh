#!/usr/bin/env bash
# For a machine with a GPU and PyTorch, without .NET: is the CUDA backend right, and how far from the device's limits is it?
# Takes a program made by bench/gpu/payload.sh. Each phase has its own time limit; what matters most comes first; results are
# JSON lines in OUT/results.jsonl. --dry-run does the same at tiny shapes on the emulated device, which ./build.sh native builds.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

usage() {
    cat <<'TEXT'
usage: bench/gpu/verify.sh [--dry-run] [--phase machine|check|parity|kernels] [--tern PROGRAM] [--python PYTHON] [--out DIR]
TEXT
}

dry=0 only='' out='' python=${PYTHON:-python3}
tern=$here/tern
[ -x "$tern" ] || tern=$root/artifacts/bin/tern
while [ $# -gt 0 ]; do
    case $1 in
    --dry-run) dry=1 ;;
    --phase | --tern | --python | --out)
        [ $# -gt 1 ] || { usage >&2; exit 2; }
        case $1 in --phase) only=$2 ;; --tern) tern=$2 ;; --python) python=$2 ;; --out) out=$2 ;; esac
        shift
        ;;
    --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done

[ -x "$tern" ] || { echo "verify.sh: no program at $tern: ./build.sh build makes one, bench/gpu/payload.sh one to carry" >&2; exit 3; }
"$python" -c 'import torch' 2>/dev/null || { echo "verify.sh: $python has no PyTorch; name one that has with --python" >&2; exit 3; }
out=${out:-$(mktemp -d)}
mkdir -p "$out"
results=$out/results.jsonl
: >"$results"

# Shapes: sequences and their length for checks, then for times.
models=(llama-3.2-1b llama-3.2-3b llama-3.1-8b) check_sequences=5 check_length=67 time_sequences=64 time_length=192
limits=() seeds=(1 2 3) parity_like=llama-3.2-1b
if [ $dry = 1 ]; then
    library=$root/artifacts/native/emulator/libcudaemu.so
    [ -e "$library" ] || { echo "verify.sh: no emulated device at $library: ./build.sh native builds it" >&2; exit 3; }
    export TERN_LIB_CUDA=$library TERN_LIB_CUBLAS=$library
    models=(tiny) check_sequences=2 check_length=5 time_sequences=2 time_length=5 seeds=(1) parity_like=tiny
    limits=(--repeats 1 --copy-mib 1 --product-size 64 --flush-mib 1)
fi

failed=0
phase() { # NAME SECONDS FUNCTION
    [ -z "$only" ] || [ "$only" = "$1" ] || return 0
    echo "== $1" >&2
    local started=$SECONDS
    export -f "$3"
    if timeout "$2" bash -c "$3" >>"$results" 2>"$out/$1.log"; then
        echo "   passed, $((SECONDS - started)) s" >&2
    else
        echo "   FAILED ($?), $((SECONDS - started)) s: $(tail -n 3 "$out/$1.log" | tr '\n' ' ')" >&2
        failed=1
    fi
}

machine() {
    if command -v nvidia-smi >/dev/null; then
        nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv,noheader |
            sed 's/.*/{"phase": "machine", "gpu": "&"}/'
    fi
    "$python" -c 'import json, torch; print(json.dumps({"phase": "machine", "torch": torch.__version__, "cuda": torch.version.cuda}))'
    "$tern" bench kernels --device cuda --operations SwiGluForward --like tiny --sequences 2 --length 5 --json --repeats 1 --copy-mib 1 --product-size 64 --flush-mib 1
}

check() {
    local status=0 model seed precision
    for model in ${models_list}; do
        for seed in ${seeds_list}; do
            for precision in f32 bf16; do
                mkdir -p "$out/check"
                "$tern" bench kernels --device cuda --like "$model" --precision "$precision" --sequences "$check_sequences" --length "$check_length" --seed "$seed" --write "$out/check" |
                    "$python" "$here/check_kernels.py" "$precision" || status=1
                rm -rf "$out/check"
            done
        done
    done
    return $status
}

parity() {
    local texts=$out/texts.jsonl i
    rm -rf "$out/model"
    "$tern" model random --like "$parity_like" --dtype f32 --kind sparse --seed 7 "$out/model" >&2 || return 1
    for i in 1 2 3 4 5 6 7 8; do echo "{\"_id\": \"d$i\", \"title\": \"\", \"text\": \"Sentence number $i is about the $i th thing of many.\"}"; done >"$texts"
    local precision
    for precision in f32 bf16; do
        "$tern" encode --model "$out/model" --side document --input "$texts" --device cuda --precision "$precision" --output "$out/device.jsonl" >&2 || return 1
        "$tern" encode --model "$out/model" --side document --input "$texts" --device cpu --precision f32 --output "$out/cpu.jsonl" >&2 || return 1
        "$python" "$here/compare_vectors.py" "$out/device.jsonl" "$out/cpu.jsonl" "$precision" || return 1
    done
}

kernels() {
    local model precision
    for model in ${models_list}; do
        for precision in bf16 f32; do
            "$tern" bench kernels --device cuda --like "$model" --precision "$precision" --sequences "$time_sequences" --length "$time_length" --json ${limits_list} || return 1
        done
    done
}

export here tern python out check_sequences check_length time_sequences time_length parity_like
export models_list="${models[*]}" seeds_list="${seeds[*]}" limits_list="${limits[*]:-}"
phase machine 60 machine
phase check 600 check
phase parity 300 parity
# No time is taken of results that are wrong.
if [ $failed = 0 ]; then
    phase kernels 900 kernels
else
    echo "== kernels: not timed, as a phase before it failed" >&2
fi

echo "$results" >&2
exit $failed
