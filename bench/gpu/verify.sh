#!/usr/bin/env bash
# For a machine with a GPU and PyTorch, without .NET: is the CUDA backend right, how far from the device's limits is it, and how
# does it compare with PyTorch there? Takes a program made by bench/gpu/payload.sh. The work is cut into pieces, each with its own
# time limit, what matters most first; a piece adds its JSON lines to OUT/results.jsonl as they come, and one that has ended is
# not done again, so that a run that was cut off goes on with the same --out. --dry-run does all of it at tiny shapes on the
# emulated device, which ./build.sh native builds.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

usage() {
    cat <<'TEXT'
usage: bench/gpu/verify.sh [--dry-run] [--phase machine|check|parity|kernels|train|encode|dense|more|profile] [--tern PROGRAM]
                           [--python PYTHON] [--out DIR] [--budget SECONDS]
  --out     where results are, and what of them is there already; a new directory unless given
  --budget  starts no piece after that many seconds, and then ends with code 4: call again with the same --out
TEXT
}

dry=0 only='' out='' budget=0 python=${PYTHON:-python3}
tern=$here/tern
[ -x "$tern" ] || tern=$root/artifacts/bin/tern
while [ $# -gt 0 ]; do
    case $1 in
    --dry-run) dry=1 ;;
    --phase | --tern | --python | --out | --budget)
        [ $# -gt 1 ] || { usage >&2; exit 2; }
        case $1 in --phase) only=$2 ;; --tern) tern=$2 ;; --python) python=$2 ;; --out) out=$2 ;; --budget) budget=$2 ;; esac
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
mkdir -p "$out/logs"
results=$out/results.jsonl ended=$out/pieces.txt
touch "$results" "$ended"

# Large files live in memory where there is room for them.
scratch=$out/scratch
if [ $dry = 0 ] && [ -w /dev/shm ]; then scratch=/dev/shm/tern-verify; fi
mkdir -p "$scratch"

small=llama-3.2-1b large=llama-3.1-8b rounds=3
check_size=(--sequences 5 --length 67) time_size=(--sequences 64 --length 192) kernel_limits=() peer_kernel_limits=()
attention_size=(--sequences 5 --length 200)
train_size=(--queries 8 --query-length 64 --negatives 16 --document-length 128 --lora-rank 16)
many=(--warm-ups 5 --rounds 10)
dense_size=(--documents 524288 --dimension 2048 --queries 1024 --k 1000)
if [ $dry = 1 ]; then
    library=$root/artifacts/native/emulator/libcudaemu.so
    [ -e "$library" ] || { echo "verify.sh: no emulated device at $library: ./build.sh native builds it" >&2; exit 3; }
    export TERN_LIB_CUDA=$library TERN_LIB_CUBLAS=$library CUDA_VISIBLE_DEVICES=
    small=tiny large=tiny rounds=1
    check_size=(--sequences 2 --length 5) time_size=(--sequences 2 --length 5) attention_size=(--sequences 2 --length 70)
    kernel_limits=(--repeats 1 --copy-mib 1 --product-size 64 --flush-mib 1) peer_kernel_limits=(--warm-ups 1 --rounds 1 --flush-mib 1)
    train_size=(--queries 2 --query-length 4 --negatives 1 --document-length 6 --lora-rank 4)
    many=(--warm-ups 1 --rounds 2)
    dense_size=(--documents 9000 --dimension 16 --queries 5 --k 10)
fi

failed=0 left=0
piece() { # PHASE NAME SECONDS COMMAND...
    local phase=$1 name="$1 $2" limit=$3
    shift 3
    [ -z "$only" ] || [ "$only" = "$phase" ] || return 0
    if grep -qxF "passed $name" "$ended"; then return 0; fi
    if [ "$budget" -gt 0 ] && [ $SECONDS -ge "$budget" ]; then left=1; return 0; fi
    local started=$SECONDS log="$out/logs/${name//[^A-Za-z0-9]/-}.log" status
    # Shell functions are not programs: a shell of its own runs them.
    timeout "$limit" bash -c "$(declare -p time_size kernel_limits here tern python out scratch small results); $(declare -f); \"\$@\"" verify "$@" 2>"$log" >>"$results"
    status=$?
    if [ $status = 0 ]; then
        echo "passed $name" >>"$ended"
        echo "   passed  $name, $((SECONDS - started)) s" >&2
    else
        echo "   FAILED  $name ($status), $((SECONDS - started)) s: $(tail -n 2 "$log" | tr '\n' ' ')" >&2
        failed=1
    fi
    return $status
}

machine() {
    if command -v nvidia-smi >/dev/null; then
        nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv,noheader |
            sed 's/.*/{"phase": "machine", "gpu": "&"}/'
    fi
    "$python" -c 'import json, torch; print(json.dumps({"phase": "machine", "torch": torch.__version__, "cuda": torch.version.cuda}))'
    "$tern" bench kernels --device cuda --operations SwiGluForward --like tiny --sequences 2 --length 5 --json --repeats 1 --copy-mib 1 --product-size 64 --flush-mib 1
}

check() { # MODEL PRECISION SEED [arguments of tern bench kernels]
    local model=$1 precision=$2 seed=$3 status
    shift 3
    rm -rf "$scratch/check"
    mkdir -p "$scratch/check"
    "$tern" bench kernels --device cuda --like "$model" --precision "$precision" --seed "$seed" --write "$scratch/check" "$@" |
        "$python" "$here/check_kernels.py" "$precision"
    status=$?
    rm -rf "$scratch/check"
    return $status
}

make_model() { # MODEL KIND
    [ -e "$scratch/$1-$2/retriever.json" ] && return 0
    rm -rf "${scratch:?}/$1-$2"
    "$tern" model random --like "$1" --dtype bf16 --kind "$2" --seed 7 "$scratch/$1-$2" >&2
}

parity() { # PRECISION
    local texts=$scratch/texts.jsonl i
    [ -e "$scratch/parity/retriever.json" ] || "$tern" model random --like "$small" --dtype f32 --kind sparse --seed 7 "$scratch/parity" >&2 || return 1
    for i in 1 2 3 4 5 6 7 8; do echo "{\"_id\": \"d$i\", \"title\": \"\", \"text\": \"Sentence number $i is about the $i th thing of many.\"}"; done >"$texts"
    "$tern" encode --model "$scratch/parity" --side document --input "$texts" --device cuda --precision "$1" --output "$scratch/device.jsonl" >&2 || return 1
    [ -e "$scratch/cpu.jsonl" ] || "$tern" encode --model "$scratch/parity" --side document --input "$texts" --device cpu --precision f32 --output "$scratch/cpu.jsonl" >&2 || return 1
    "$python" "$here/compare_vectors.py" "$scratch/device.jsonl" "$scratch/cpu.jsonl" "$1"
}

kernels() { # MODEL PRECISION
    "$tern" bench kernels --device cuda --like "$1" --precision "$2" "${time_size[@]}" --json ${kernel_limits[@]+"${kernel_limits[@]}"}
}

peer() { # PHASE MODEL KIND [arguments of torch_peer.py]
    local phase=$1 model=$2 kind=$3
    shift 3
    make_model "$model" "$kind" && "$python" "$here/torch_peer.py" "$phase" --model "$scratch/$model-$kind" "$@"
}

train() { # MODEL KIND [arguments of tern bench train]
    local model=$1 kind=$2
    shift 2
    make_model "$model" "$kind" && "$tern" bench train --device cuda --model "$scratch/$model-$kind" --json "$@"
}

encode() { # MODEL KIND [arguments of tern bench encode]
    local model=$1 kind=$2
    shift 2
    make_model "$model" "$kind" && "$tern" bench encode --device cuda --model "$scratch/$model-$kind" --json "$@"
}

dense() { # [arguments of tern bench dense]
    rm -rf "$scratch/dense"
    "$tern" bench dense --device cuda --json --work "$scratch/dense" "$@"
    local status=$?
    rm -rf "$scratch/dense"
    return $status
}

profile_slowest() {
    command -v ncu >/dev/null || { echo '{"phase": "profile", "skipped": "ncu is not on PATH"}'; return 0; }
    local operations
    operations=$("$python" "$here/summarize.py" --slowest 6 "$results") || return 1
    OUT=$out/profile TERN=$tern "$here/profile.sh" "$operations" --like "$small" --precision bf16 "${time_size[@]}" >&2 || return 1
    echo "{\"phase\": \"profile\", \"operations\": \"$operations\"}"
}

# Is it right?
piece machine here 120 machine
piece check "$small bf16 1" 300 check "$small" bf16 1 "${check_size[@]}"
piece check "$small f32 1" 300 check "$small" f32 1 "${check_size[@]}"
# Heads of 64 and 128, longer than a tile, on tensor cores.
for model in llama-3.2-1b llama-3.1-8b; do
    piece check "attention of $model bf16" 300 check "$model" bf16 2 --operations AttentionForward,AttentionBackward "${attention_size[@]}"
done
piece parity bf16 300 parity bf16
piece parity f32 300 parity f32
[ "$large" = "$small" ] || piece check "$large bf16 1" 420 check "$large" bf16 1 "${check_size[@]}"

# No time is taken of results that are wrong.
if [ $failed = 1 ]; then
    echo "   no times are taken, as a piece before them failed" >&2
else
    piece kernels "$small bf16" 300 kernels "$small" bf16
    piece kernels "$small bf16, torch" 480 peer kernels "$small" sparse --precision bf16 --mode both "${time_size[@]}" ${peer_kernel_limits[@]+"${peer_kernel_limits[@]}"}
    for round in $(seq $rounds); do
        piece train "$small round $round" 240 train "$small" sparse --precision bf16 "${train_size[@]}" "${many[@]}"
        piece train "$small round $round, torch eager" 240 peer train "$small" sparse --precision bf16 "${train_size[@]}" "${many[@]}"
        [ $dry = 1 ] || piece train "$small round $round, torch compile" 360 peer train "$small" sparse --precision bf16 --mode compile "${train_size[@]}" "${many[@]}"
        piece encode "$small round $round" 180 encode "$small" sparse --precision bf16 "${time_size[@]}" "${many[@]}"
        piece encode "$small round $round, torch eager" 180 peer encode "$small" sparse --precision bf16 "${time_size[@]}" "${many[@]}"
        [ $dry = 1 ] || piece encode "$small round $round, torch compile" 300 peer encode "$small" sparse --precision bf16 --mode compile "${time_size[@]}" "${many[@]}"
    done
    piece train "$small dense" 240 train "$small" dense --precision bf16 "${train_size[@]}" "${many[@]}"
    piece train "$small dense, torch eager" 240 peer train "$small" dense --precision bf16 "${train_size[@]}" "${many[@]}"
    piece train "$small checkpointing" 240 train "$small" sparse --precision bf16 --activation-checkpointing "${train_size[@]}" "${many[@]}"
    piece train "$small checkpointing, torch eager" 240 peer train "$small" sparse --precision bf16 --activation-checkpointing "${train_size[@]}" "${many[@]}"
    piece dense tern 420 dense "${dense_size[@]}"
    piece dense torch 300 "$python" "$here/torch_peer.py" dense "${dense_size[@]}" --warm-ups 1 --rounds 5
    piece kernels "$small f32" 300 kernels "$small" f32
    piece profile slowest 480 profile_slowest
    if [ "$large" != "$small" ]; then
        piece more "kernels $large bf16" 420 kernels "$large" bf16
        piece more "train $large" 480 train "$large" sparse --precision bf16 "${train_size[@]}" "${many[@]}"
        piece more "train $large, torch eager" 480 peer train "$large" sparse --precision bf16 "${train_size[@]}" "${many[@]}"
        piece more "check $small bf16 2" 300 check "$small" bf16 2 "${check_size[@]}"
        piece more "check $small f32 3" 300 check "$small" f32 3 "${check_size[@]}"
    fi
fi

"$python" "$here/summarize.py" "$results" >"$out/results.md" && cat "$out/results.md"
echo "$results" >&2
[ $failed = 0 ] || exit 1
[ $left = 0 ] || { echo "verify.sh: pieces are left: call again with --out $out" >&2; exit 4; }
