#!/usr/bin/env bash
# What a training step asks of a device: launches, products and waits of Tern on the emulated device, beside the operators that the
# same step hands to the device in eager PyTorch (views left out: each is at least one kernel). Needs ./build.sh build and a Python
# with PyTorch (--python); writes bench/results/device/step.md.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
[ "${1:-}" != --python ] || python=${2:?--python PROGRAM}
tern=$root/artifacts/bin/tern library=$root/artifacts/native/emulator/libcudaemu.so
[ -x "$tern" ] && [ -e "$library" ] || { echo "step.sh: ./build.sh build and ./build.sh native first" >&2; exit 3; }
"$python" -c 'import torch' 2>/dev/null || { echo "step.sh: $python has no PyTorch; name one that has with --python" >&2; exit 3; }
export TERN_LIB_CUDA=$library TERN_LIB_CUBLAS=$library CUDA_VISIBLE_DEVICES=
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shape=(--queries 3 --query-length 5 --negatives 1 --document-length 9)
for kind in sparse dense; do
    "$tern" model random --like tiny --dtype f32 --kind $kind --seed 7 "$work/$kind" >/dev/null
    for rank in 0 16; do
        for precision in f32 bf16; do
            "$tern" bench train --device cuda --model "$work/$kind" --precision $precision "${shape[@]}" --lora-rank $rank --warm-ups 2 --rounds 1 --json
        done
        "$python" "$root/bench/gpu/torch_peer.py" count --model "$work/$kind" --precision f32 "${shape[@]}" --lora-rank $rank
    done
done >"$work/lines.jsonl"
mkdir -p "$root/bench/results/device"
"$python" - "$work/lines.jsonl" >"$root/bench/results/device/step.md" <<'PYTHON'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
torch = {(l["kind"], l["trained"]): l for l in lines if l["phase"] == "count"}
print("# What a training step asks of a device\n")
print(f"Made by `bench/gpu/step.sh`: shape `tiny` ({next(iter(torch.values()))['layers']} blocks), 3 queries of 5 tokens and 6 documents of 9, InfoNCE (sparse: and FLOPS), clipping, AdamW; steady state.")
print("Tern: counted by its CUDA backend on the emulated device. PyTorch " + next(iter(torch.values()))["torch"] + ", eager: operators dispatched in the step of `torch_peer.py`, views left out; each is at least one kernel.")
print("Waits are the host's for the device: the losses, the two regularisers, the vectors' non-zeros, the gradients' norm.\n")
print("| head | trained | precision | launches | products | both | waits | PyTorch operators | products of them | times fewer |\n|---|---|---|---:|---:|---:|---:|---:|---:|---:|")
for l in lines:
    if l["phase"] == "train":
        t = torch[l["kind"], l["trained"]]
        both = l["launches"] + l["products"]
        print(f"| {l['kind']} | {l['trained']} | {l['precision']} | {l['launches']} | {l['products']} | {both} | {l['waits']} | {t['operators']} | {t['products']} | {t['operators'] / both:.1f} |")
PYTHON
cat "$root/bench/results/device/step.md"
