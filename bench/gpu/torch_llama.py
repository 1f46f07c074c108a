"""A retriever on Llama in plain PyTorch: the operations of transformers' LlamaModel and PEFT's LoRA layers, texts padded to one length,
so that the machine with the GPU needs no package but PyTorch. Reads the directories that `tern model random` writes."""
import json
import math
import os
import struct

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16}


def read_safetensors(path, device, dtype):
    tensors = {}
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        start = 8 + length
        for name, entry in header.items():
            if name != "__metadata__":
                first, end = entry["data_offsets"]
                file.seek(start + first)
                flat = torch.frombuffer(bytearray(file.read(end - first)), dtype=DTYPES[entry["dtype"]])
                tensors[name] = flat.reshape(entry["shape"]).to(device, dtype)
    return tensors


def load(directory, device, dtype):
    """The model's configuration, its contract and its weights by their names in the checkpoint."""
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    with open(os.path.join(directory, "retriever.json"), encoding="utf-8") as file:
        contract = json.load(file)
    weights = {}
    for name in sorted(os.listdir(directory)):
        if name.endswith(".safetensors"):
            weights.update(read_safetensors(os.path.join(directory, name), device, dtype))
    return config, contract, {name.removeprefix("model."): value for name, value in weights.items()}


def attend(q, k, v):
    """[B, N, L, D] over [B, G, L, D], the whole sequence."""
    if hasattr(F, "scaled_dot_product_attention"):
        groups = q.shape[1] // k.shape[1]
        return F.scaled_dot_product_attention(q, k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1))
    groups = q.shape[1] // k.shape[1]
    scores = q @ k.repeat_interleave(groups, 1).transpose(2, 3) / math.sqrt(q.shape[-1])
    return torch.softmax(scores, -1, dtype=torch.float32).to(q.dtype) @ v.repeat_interleave(groups, 1)


def rms_norm(x, weight, epsilon):
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + epsilon)).to(x.dtype)


def rotate(x, cosine, sine):
    low, high = x.chunk(2, -1)
    return x * cosine + torch.cat([-high, low], -1) * sine


class Projection(nn.Module):
    """A linear layer, with a LoRA adapter as PEFT computes it where rank is above 0."""

    def __init__(self, weight, rank, dropout):
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=rank == 0)
        self.rank, self.dropout = rank, dropout
        if rank:
            self.a = nn.Parameter(torch.randn(rank, weight.shape[1], device=weight.device, dtype=weight.dtype) / math.sqrt(weight.shape[1]))
            self.b = nn.Parameter(torch.zeros(weight.shape[0], rank, device=weight.device, dtype=weight.dtype))

    def forward(self, x):
        y = F.linear(x, self.weight)
        return y + F.linear(F.linear(F.dropout(x, self.dropout, self.training), self.a), self.b) * 2.0 if self.rank else y


class Block(nn.Module):
    def __init__(self, config, weights, prefix, rank, dropout):
        super().__init__()
        self.heads, self.groups = config["num_attention_heads"], config["num_key_value_heads"]
        self.epsilon = config["rms_norm_eps"]
        self.norms = nn.ParameterList([nn.Parameter(weights[f"{prefix}{n}_layernorm.weight"], requires_grad=rank == 0) for n in ("input", "post_attention")])
        for name in ("q", "k", "v", "o"):
            setattr(self, name, Projection(weights[f"{prefix}self_attn.{name}_proj.weight"], rank, dropout))
        for name in ("gate", "up", "down"):
            setattr(self, name, Projection(weights[f"{prefix}mlp.{name}_proj.weight"], rank, dropout))

    def forward(self, x, cosine, sine):
        batch, length, _ = x.shape
        n = rms_norm(x, self.norms[0], self.epsilon)
        q = self.q(n).view(batch, length, self.heads, -1).transpose(1, 2)
        k = self.k(n).view(batch, length, self.groups, -1).transpose(1, 2)
        v = self.v(n).view(batch, length, self.groups, -1).transpose(1, 2)
        a = attend(rotate(q, cosine, sine), rotate(k, cosine, sine), v)
        x = x + self.o(a.transpose(1, 2).reshape(batch, length, -1))
        n = rms_norm(x, self.norms[1], self.epsilon)
        return x + self.down(F.silu(self.gate(n)) * self.up(n))


class Retriever(nn.Module):
    def __init__(self, directory, device, dtype, rank=0, dropout=0.0, recompute=False):
        super().__init__()
        self.config, contract, weights = load(directory, device, dtype)
        self.sparse = contract["kind"] == "sparse"
        self.scale = contract.get("logit_scale") or 1.0
        self.recompute = recompute
        hidden, heads = self.config["hidden_size"], self.config["num_attention_heads"]
        size = self.config.get("head_dim") or hidden // heads
        self.embedding = nn.Parameter(weights["embed_tokens.weight"], requires_grad=rank == 0)
        head = weights.get("lm_head.weight")
        self.head = self.embedding if head is None else nn.Parameter(head, requires_grad=rank == 0)
        self.blocks = nn.ModuleList([Block(self.config, weights, f"layers.{i}.", rank, dropout) for i in range(self.config["num_hidden_layers"])])
        self.norm = nn.Parameter(weights["norm.weight"], requires_grad=rank == 0)
        frequencies = self.config.get("rope_theta", 500000.0) ** -(torch.arange(0, size, 2, dtype=torch.float64) / size)
        self.angles = torch.outer(torch.arange(self.config.get("max_position_embeddings", 8192), dtype=torch.float64), frequencies)

    def forward(self, tokens):
        """[B, L] tokens to [B, V] or [B, H] representations, Float32."""
        x = F.embedding(tokens, self.embedding)
        angles = torch.cat([self.angles[: tokens.shape[1]]] * 2, -1)
        cosine, sine = angles.cos().to(x.device, x.dtype), angles.sin().to(x.device, x.dtype)
        for block in self.blocks:
            x = checkpoint(block, x, cosine, sine, use_reentrant=False) if self.recompute and self.training else block(x, cosine, sine)
        x = rms_norm(x, self.norm, self.config["rms_norm_eps"])
        if self.sparse:
            return torch.log1p(torch.relu(((x @ self.head.T) * self.scale).max(1).values.float()))
        return F.normalize(x.float(), dim=-1).mean(1)


def info_nce(queries, documents, temperature):
    """Queries' positives come first among the documents."""
    scores = queries @ documents.T / temperature
    return F.cross_entropy(scores, torch.arange(len(queries), device=scores.device))


def flops(vectors):
    return vectors.abs().mean(0).pow(2).sum()
