#!/usr/bin/python3
"""Makes tests/golden/llama: a random two-layer Llama with what it must compute, in float64.

    /usr/bin/python3 tests/golden/make_llama.py        (torch and numpy; from the root of the repository)

Written from the formulas of the architecture alone: RMSNorm, rotary positions with the llama3 scaling, attention with
grouped key/value heads, SwiGLU, tied embedding, then the sparse head ln(1 + relu(max_i(scale h_i.E_v) + bias_v)) and the
dense head mean_i(h_i / |h_i|). Weights are rounded to float32 first, so both sides compute with the same numbers.
Gradients are of sum(coefficients * representations): sparse over bidirectional, dense over causal attention.
"""
import json
import math
import os
import struct
import sys

import numpy as np
import torch

SEED = 20250221
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "llama")
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 48,
    "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "vocab_size": 96,
    "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                     "original_max_position_embeddings": 128},
    "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True,
    "bos_token_id": 1, "eos_token_id": 2,
}
LENGTHS = [7, 1, 12, 5]
H, D, N, G, V = 32, 8, 4, 2, 96
SCALE = H ** -0.25


def make_weights(rng):
    def normal(*shape, std, mean=0.0):
        return (mean + std * rng.standard_normal(shape)).astype(np.float32)

    weights = {"model.embed_tokens.weight": normal(V, H, std=0.7)}
    for i in range(CONFIG["num_hidden_layers"]):
        p = f"model.layers.{i}."
        weights[p + "input_layernorm.weight"] = normal(H, std=0.2, mean=1.0)
        weights[p + "self_attn.q_proj.weight"] = normal(N * D, H, std=0.3)
        weights[p + "self_attn.k_proj.weight"] = normal(G * D, H, std=0.3)
        weights[p + "self_attn.v_proj.weight"] = normal(G * D, H, std=0.3)
        weights[p + "self_attn.o_proj.weight"] = normal(H, N * D, std=0.3)
        weights[p + "post_attention_layernorm.weight"] = normal(H, std=0.2, mean=1.0)
        weights[p + "mlp.gate_proj.weight"] = normal(48, H, std=0.3)
        weights[p + "mlp.up_proj.weight"] = normal(48, H, std=0.3)
        weights[p + "mlp.down_proj.weight"] = normal(H, 48, std=0.3)
    weights["model.norm.weight"] = normal(H, std=0.2, mean=1.0)
    weights["sparse_head.bias"] = normal(V, std=1.0, mean=-2.0)
    return weights


def inverse_frequencies():
    s = CONFIG["rope_scaling"]
    original, low, high, factor = s["original_max_position_embeddings"], s["low_freq_factor"], s["high_freq_factor"], s["factor"]
    result = []
    for i in range(D // 2):
        f = CONFIG["rope_theta"] ** (-2.0 * i / D)
        wavelength = 2 * math.pi / f
        if wavelength > original / low:
            f = f / factor
        elif wavelength >= original / high:
            smooth = (original / wavelength - low) / (high - low)
            f = (1 - smooth) * f / factor + smooth * f
        result.append(f)
    return torch.tensor(result, dtype=torch.float64)


def rms_norm(x, weight):
    return weight * (x * torch.rsqrt((x * x).mean(-1, keepdim=True) + CONFIG["rms_norm_eps"]))


def rotate(x, cos, sin):  # x [heads, L, D]
    first, second = x[..., : D // 2], x[..., D // 2:]
    return x * cos + torch.cat([-second, first], -1) * sin


def hidden_states(w, ids, causal):
    length = len(ids)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * inverse_frequencies()[None]
    angles = torch.cat([angles, angles], -1)
    cos, sin = angles.cos(), angles.sin()
    x = w["model.embed_tokens.weight"][ids]
    for i in range(CONFIG["num_hidden_layers"]):
        p = f"model.layers.{i}."
        n = rms_norm(x, w[p + "input_layernorm.weight"])
        q = (n @ w[p + "self_attn.q_proj.weight"].T).view(length, N, D).transpose(0, 1)
        k = (n @ w[p + "self_attn.k_proj.weight"].T).view(length, G, D).transpose(0, 1)
        v = (n @ w[p + "self_attn.v_proj.weight"].T).view(length, G, D).transpose(0, 1)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        k, v = k.repeat_interleave(N // G, 0), v.repeat_interleave(N // G, 0)
        scores = q @ k.transpose(1, 2) / math.sqrt(D)
        if causal:
            scores = scores.masked_fill(torch.triu(torch.ones(length, length, dtype=torch.bool), 1), float("-inf"))
        a = (scores.softmax(-1) @ v).transpose(0, 1).reshape(length, N * D)
        x = x + a @ w[p + "self_attn.o_proj.weight"].T
        n = rms_norm(x, w[p + "post_attention_layernorm.weight"])
        x = x + (torch.nn.functional.silu(n @ w[p + "mlp.gate_proj.weight"].T) * (n @ w[p + "mlp.up_proj.weight"].T)) @ w[p + "mlp.down_proj.weight"].T
    return rms_norm(x, w["model.norm.weight"])


def sparse(w, output, hidden):
    return torch.log1p(torch.relu((SCALE * (hidden @ output.T)).max(0).values + w["sparse_head.bias"]))


def dense(hidden):
    return (hidden / hidden.norm(dim=-1, keepdim=True).clamp_min(1e-12)).mean(0)


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, value in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [offset, offset + value.nbytes]}
        offset += value.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            f.write(np.ascontiguousarray(value, dtype="<f4").tobytes())


def main():
    rng = np.random.default_rng(SEED)
    os.makedirs(OUT, exist_ok=True)
    weights = make_weights(rng)
    sequences = [[1] + rng.integers(3, V, n - 1).tolist() for n in LENGTHS]
    sequences[3][2] = sequences[0][3]  # one token in two texts: its embedding gets gradient from both
    sequences[2][5] = sequences[2][9]
    sparse_coefficients = rng.standard_normal((len(LENGTHS), V)).astype(np.float32)
    dense_coefficients = rng.standard_normal((len(LENGTHS), H)).astype(np.float32)
    expected = {"sparse_coefficients": sparse_coefficients, "dense_coefficients": dense_coefficients}

    def numbers(tensor):
        return tensor.detach().numpy().astype(np.float32)

    for mode, causal in (("bidirectional", False), ("causal", True)):
        w = {k: torch.tensor(v, dtype=torch.float64, requires_grad=True) for k, v in weights.items()}
        output = w["model.embed_tokens.weight"].detach().clone().requires_grad_()  # the head's share of the tied gradient
        hidden = [hidden_states(w, ids, causal) for ids in sequences]
        sparse_vectors = torch.stack([sparse(w, output, h) for h in hidden])
        dense_vectors = torch.stack([dense(h) for h in hidden])
        expected[f"{mode}.hidden"] = numbers(torch.cat(hidden))
        expected[f"{mode}.logits"] = numbers(torch.cat(hidden) @ output.T)
        expected[f"{mode}.sparse"] = numbers(sparse_vectors)
        expected[f"{mode}.dense"] = numbers(dense_vectors)
        if causal:
            (dense_vectors * torch.tensor(dense_coefficients, dtype=torch.float64)).sum().backward()
        else:
            (sparse_vectors * torch.tensor(sparse_coefficients, dtype=torch.float64)).sum().backward()
            expected["sparse_gradient.head_share"] = numbers(output.grad)
            w["model.embed_tokens.weight"].grad += output.grad
        kind = "dense" if causal else "sparse"
        for name, value in w.items():
            if value.grad is not None:
                expected[f"{kind}_gradient.{name}"] = numbers(value.grad)

    with open(os.path.join(OUT, "config.json"), "w") as f:
        json.dump(CONFIG, f, indent=2)
        f.write("\n")
    with open(os.path.join(OUT, "retriever.json"), "w") as f:
        json.dump({"kind": "sparse", "logit_scale": float(np.float32(SCALE)), "has_term_bias": True}, f, indent=2)
        f.write("\n")
    write_safetensors(os.path.join(OUT, "model.safetensors"), weights)
    write_safetensors(os.path.join(OUT, "expected.safetensors"), expected)
    starts = np.concatenate([[0], np.cumsum(LENGTHS)]).tolist()
    with open(os.path.join(OUT, "expected.json"), "w") as f:
        json.dump({"seed": SEED, "python": sys.version.split()[0], "torch": torch.__version__, "numpy": np.__version__,
                   "inverse_frequencies": inverse_frequencies().tolist(),
                   "tokens": sum(sequences, []), "sequence_starts": starts}, f, indent=2)
        f.write("\n")


if __name__ == "__main__":
    main()
