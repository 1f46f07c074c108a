"""Checks what `tern bench kernels --write DIR` wrote against PyTorch in float64: one JSON line an operation, exit code 1 when
one is wrong. Reads the program's lines on standard input. An operation's limit is the rounding of the type that it
multiplies in; a result that was not written is NaN and therefore wrong."""
import json
import math
import os
import struct
import sys

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def read(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            flat = torch.frombuffer(data, dtype=torch.float32, count=(end - start) // 4, offset=start)
            tensors[name] = flat.reshape(entry["shape"]).to(DEVICE, torch.float64)
    return tensors


def rms_norm(t, s):
    r = 1 / torch.sqrt((t["input"] ** 2).mean(1, keepdim=True) + s["epsilon"])
    return {"inverseRms": r.T, "destination": t["input"] * r * t["weight"]}


def rms_norm_backward(t, s):
    r, x, dy, w = t["inverseRms"].T, t["input"], t["dOutput"], t["weight"]
    normed = x * r
    g = dy * w
    dx = r * (g - normed * (g * normed).mean(1, keepdim=True))
    return {"accumulateDInput": t["before.accumulateDInput"] + dx, "accumulateDWeight": t["before.accumulateDWeight"] + (dy * normed).sum(0, keepdim=True)}


def rope(t, s):
    size, starts, x = int(s["headSize"]), t["sequenceStarts"][0].long(), t["before.values"]
    positions = torch.cat([torch.arange(int(b - a)) for a, b in zip(starts[:-1], starts[1:])]).to(DEVICE)
    table = t["rotations"][positions][:, None, :]
    cos, sin = table[..., : size // 2], table[..., size // 2 :]
    heads = x.reshape(x.shape[0], -1, size)
    low, high = heads[..., : size // 2], heads[..., size // 2 :]
    return {"values": torch.cat([low * cos - high * sin, high * cos + low * sin], -1).reshape(x.shape)}


def attend(t, s):
    heads, groups, starts = int(s["headCount"]), int(s["keyValueHeadCount"]), t["sequenceStarts"][0].long()
    size = t["query"].shape[1] // heads
    outputs, sums = [], []
    for a, b in zip(starts[:-1].tolist(), starts[1:].tolist()):
        q = t["query"][a:b].reshape(b - a, heads, size).transpose(0, 1)
        k, v = (t[n][a:b].reshape(b - a, groups, size).transpose(0, 1).repeat_interleave(heads // groups, 0) for n in ("key", "value"))
        scores = s["scale"] * q @ k.transpose(1, 2)
        outputs.append((torch.softmax(scores, -1) @ v).transpose(0, 1).reshape(b - a, heads * size))
        sums.append(torch.logsumexp(scores, -1).T)
    return torch.cat(outputs), torch.cat(sums)


def attention(t, s):
    output, sums = attend(t, s)
    return {"destination": output, "logSumExp": sums}


def attention_backward(t, s):
    leaves = {n: t[n].clone().requires_grad_() for n in ("query", "key", "value")}
    output, _ = attend({**t, **leaves}, s)
    output.backward(t["dOutput"])
    return {"dQuery": leaves["query"].grad, "dKey": leaves["key"].grad, "dValue": leaves["value"].grad}


def swiglu_backward(t, s):
    gate, up = t["gate"].clone().requires_grad_(), t["up"].clone().requires_grad_()
    (torch.nn.functional.silu(gate) * up).backward(t["dOutput"])
    return {"dGate": gate.grad, "dUp": up.grad}


def project_backward(t, s):
    return {"dInput": t["dOutput"] @ t["weight"], "accumulateDWeight": t["before.accumulateDWeight"] + t["dOutput"].T @ t["input"]}


def lora(t, s):
    projected = s["scale"] * t["input"] @ t["a"].T
    return {"projected": projected, "accumulateDestination": t["before.accumulateDestination"] + projected @ t["b"].T}


def max_pool(t, s):
    starts = t["sequenceStarts"][0].long().tolist()
    logits = s["scale"] * t["hidden"] @ t["weight"].T
    return {"maxima": torch.stack([logits[a:b].max(0).values for a, b in zip(starts[:-1], starts[1:])])}


def max_pool_row(t, s):
    """The logit at the row that was named must be the greatest: rows themselves may differ where logits are equal."""
    logits = s["scale"] * t["hidden"] @ t["weight"].T
    rows = t["after.argMax"].long()
    return torch.gather(logits, 0, rows), max_pool(t, s)["maxima"]


def max_pool_backward(t, s):
    sequences = t["dMaxima"].shape[0]
    rows = t["argMax"].reshape(sequences, -1).long()
    d = t["before.accumulateDHidden"].clone()
    for b in range(sequences):
        d.index_add_(0, rows[b], s["scale"] * t["dMaxima"][b][:, None] * t["weight"])
    return {"accumulateDHidden": d}


def normalized_mean(t, s):
    starts = t["sequenceStarts"][0].long().tolist()
    inverse = 1 / t["hidden"].norm(dim=1, keepdim=True).clamp_min(1e-12)
    unit = t["hidden"] * inverse
    return {"inverseNorms": inverse.T, "destination": torch.stack([unit[a:b].mean(0) for a, b in zip(starts[:-1], starts[1:])])}


def info_nce(t, s):
    scores = s["inverseTemperature"] * t["scores"]
    sums = torch.logsumexp(scores, 1)
    labels = t["labels"][0].long()
    return {"logSumExp": sums[None], "losses": (sums - scores.gather(1, labels[:, None])[:, 0])[None]}


def kl(t, s):
    p = torch.log_softmax(t["teacher"], 1)
    q = torch.log_softmax(s["inverseTemperature"] * t["student"], 1)
    return {"losses": (p.exp() * (p - q)).sum(1)[None]}


def adamw(t, s):
    g = t["before.gradient"] * s["gradientScale"]
    m = 0.9 * t["before.firstMoment"] + 0.1 * g
    v = 0.999 * t["before.secondMoment"] + 0.001 * g * g
    step = s["step"]
    p = t["before.parameter"] - s["learningRate"] / (1 - 0.9**step) * m / (torch.sqrt(v) / math.sqrt(1 - 0.999**step) + 1e-8)
    return {"firstMoment": m, "secondMoment": v, "parameter": p, "gradient": torch.zeros_like(g)}


def flops_backward(t, s):
    x = t["values"]
    return {"accumulateDValues": t["before.accumulateDValues"] + 2 * s["weight"] / x.shape[0] * t["columnMeans"] * torch.sign(x)}


REFERENCES = {
    "EmbeddingForward": lambda t, s: {"destination": t["table"][t["tokens"][0].long()]},
    "RmsNormForward": rms_norm,
    "RmsNormBackward": rms_norm_backward,
    "RopeForward": rope,
    "AttentionForward": attention,
    "AttentionBackward": attention_backward,
    "SwiGluForward": lambda t, s: {"destination": torch.nn.functional.silu(t["gate"]) * t["up"]},
    "SwiGluBackward": swiglu_backward,
    "ProjectForward": lambda t, s: {"destination": t["input"] @ t["weight"].T},
    "ProjectBackward": project_backward,
    "LoraForward": lora,
    "MaxPoolProductForward": max_pool,
    "MaxPoolProductBackward": max_pool_backward,
    "Log1pReluForward": lambda t, s: {"destination": torch.log1p(torch.relu(t["maxima"]))},
    "NormalizedMeanForward": normalized_mean,
    "InfoNceForward": info_nce,
    "KlDivergenceForward": kl,
    "FlopsBackward": flops_backward,
    "AdamW": adamw,
}
# In bfloat16, too, these work on Float32 alone.
FLOAT32 = {"EmbeddingForward", "Log1pReluForward", "InfoNceForward", "KlDivergenceForward", "FlopsBackward", "AdamW"}
# Its probabilities and their gradients are rounded as well as its operands.
LIMITS = {"AttentionBackward": 1.6e-2}


def distance(actual, expected):
    """Norm of the error over the norm of what is expected; NaN stays NaN."""
    scale = expected.norm()
    return float((actual - expected).norm() / (scale if scale > 0 else 1))


def main():
    precision = sys.argv[1]
    checked = wrong = 0
    for line in sys.stdin:
        checked += 1
        case = json.loads(line)
        name, tensors = case["operation"], read(case["file"])
        os.remove(case["file"])
        limit = LIMITS.get(name, 8e-3) if precision == "bf16" and name not in FLOAT32 else 2e-5
        expected = REFERENCES[name](tensors, case["scalars"])
        errors = {key: distance(tensors["after." + key], value) for key, value in expected.items()}
        if name == "MaxPoolProductForward":
            errors["argMax"] = distance(*max_pool_row(tensors, case["scalars"]))
        worst = max(errors, key=lambda key: errors[key] if errors[key] == errors[key] else math.inf)
        passed = all(error <= limit for error in errors.values()) and case["same_bits"]
        wrong += not passed
        print(json.dumps({"phase": "check", "operation": name, "precision": precision, "passed": passed, "same_bits": case["same_bits"], "worst": worst, "error": errors[worst], "limit": limit}))
    return 1 if wrong or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
