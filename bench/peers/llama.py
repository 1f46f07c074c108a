"""A plain Llama for PyTorch 1.13, with the same weights, conventions and heads as Tern's.

Nothing here is needed by Tern.
"""
import json
import os

import torch
import torch.nn.functional as F

import checkpoint


class Llama:
    """fused=True keeps query, key and value, and gate and up, in one matrix each; dtype is that of weights and states."""

    def __init__(self, directory, trainable, fused=True, dtype=torch.float32):
        with open(os.path.join(directory, "config.json")) as file:
            config = json.load(file)
        self.heads = config["num_attention_heads"]
        self.groups = config["num_key_value_heads"]
        self.hidden = config["hidden_size"]
        self.head_size = config.get("head_dim") or self.hidden // self.heads
        self.epsilon = config["rms_norm_eps"]
        self.theta = config["rope_theta"]
        self.fused = fused
        raw = {name: torch.tensor(array, dtype=dtype) for name, array in checkpoint.read_safetensors(os.path.join(directory, "model.safetensors")).items()}
        self.raw_names = list(raw)
        self.parameters = {}
        self.layers = []

        def parameter(name, value):
            value = value.clone().requires_grad_(trainable)
            self.parameters[name] = value
            return value

        self.embedding = parameter("embedding", raw["model.embed_tokens.weight"])
        self.final_norm = parameter("norm", raw["model.norm.weight"])
        bias = [n for n in raw if n not in ("model.embed_tokens.weight", "model.norm.weight") and not n.startswith("model.layers.")]
        self.term_bias_name = bias[0] if bias else None
        self.term_bias = parameter("bias", raw[bias[0]].reshape(-1)) if bias else None
        for i in range(config["num_hidden_layers"]):
            take = lambda name: raw[f"model.layers.{i}.{name}.weight"]
            layer = {
                "in_norm": parameter(f"{i}.in_norm", take("input_layernorm")),
                "post_norm": parameter(f"{i}.post_norm", take("post_attention_layernorm")),
                "o": parameter(f"{i}.o", take("self_attn.o_proj")),
                "down": parameter(f"{i}.down", take("mlp.down_proj")),
            }
            q, k, v, gate, up = take("self_attn.q_proj"), take("self_attn.k_proj"), take("self_attn.v_proj"), take("mlp.gate_proj"), take("mlp.up_proj")
            if fused:
                layer["qkv"] = parameter(f"{i}.qkv", torch.cat([q, k, v]))
                layer["gate_up"] = parameter(f"{i}.gate_up", torch.cat([gate, up]))
            else:
                for name, value in (("q", q), ("k", k), ("v", v), ("gate", gate), ("up", up)):
                    layer[name] = parameter(f"{i}.{name}", value)
            self.layers.append(layer)

    def gradients(self):
        """Gradients under the file's names, in file order."""
        for name in self.raw_names:
            if name == "model.embed_tokens.weight":
                yield self.embedding.grad
            elif name == "model.norm.weight":
                yield self.final_norm.grad
            elif name == self.term_bias_name:
                yield self.term_bias.grad
            else:
                parts = name.split(".")
                layer, part = self.layers[int(parts[2])], parts[-2]
                simple = {"input_layernorm": "in_norm", "post_attention_layernorm": "post_norm", "o_proj": "o", "down_proj": "down"}
                if part in simple:
                    yield layer[simple[part]].grad
                elif not self.fused:
                    yield layer[part.split("_")[0]].grad
                else:
                    query, key = self.heads * self.head_size, self.groups * self.head_size
                    rows = {"q_proj": (0, query), "k_proj": (query, query + key), "v_proj": (query + key, query + 2 * key)}
                    if part in rows:
                        begin, end = rows[part]
                        yield layer["qkv"].grad[begin:end]
                    else:
                        half = layer["gate_up"].shape[0] // 2
                        yield layer["gate_up"].grad[:half] if part == "gate_proj" else layer["gate_up"].grad[half:]

    def norm(self, x, weight):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon) * weight

    def rotation(self, length):
        half = self.head_size // 2
        frequencies = 1.0 / self.theta ** (torch.arange(half, dtype=torch.float64) / half)
        angles = torch.outer(torch.arange(length, dtype=torch.float64), frequencies)
        angles = torch.cat([angles, angles], 1)
        return angles.cos().to(self.embedding.dtype), angles.sin().to(self.embedding.dtype)

    def hidden_states(self, ids, lengths):
        """ids [B, L] padded with anything, lengths [B] -> hidden states after the final norm [B, L, H] and the mask [B, L] or None."""
        batch, length = ids.shape
        mask = None
        additive = None
        if int(lengths.min()) < length:
            mask = torch.arange(length)[None, :] < lengths[:, None]
            additive = torch.zeros(batch, 1, 1, length, dtype=self.embedding.dtype).masked_fill_(~mask[:, None, None, :], float("-inf"))
        cos, sin = self.rotation(length)  # [L, D]
        half = self.head_size // 2
        rows = self.heads // self.groups

        def rotate(x):  # [B, heads, L, D]
            return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin

        x = F.embedding(ids, self.embedding)
        for layer in self.layers:
            h = self.norm(x, layer["in_norm"])
            if self.fused:
                query, key, value = F.linear(h, layer["qkv"]).split([self.heads * self.head_size, self.groups * self.head_size, self.groups * self.head_size], -1)
            else:
                query, key, value = F.linear(h, layer["q"]), F.linear(h, layer["k"]), F.linear(h, layer["v"])
            query = rotate(query.view(batch, length, self.heads, self.head_size).transpose(1, 2)) * self.head_size ** -0.5
            key = rotate(key.view(batch, length, self.groups, self.head_size).transpose(1, 2))
            value = value.view(batch, length, self.groups, self.head_size).transpose(1, 2)
            # Query heads of one group are rows of one product: keys and values are not repeated.
            query = query.reshape(batch, self.groups, rows * length, self.head_size)
            scores = torch.matmul(query, key.transpose(2, 3))  # [B, G, rows · L, L]
            if additive is not None:
                scores = scores + additive
            attended = torch.matmul(scores.softmax(-1), value)  # [B, G, rows · L, D]
            attended = attended.reshape(batch, self.heads, length, self.head_size).transpose(1, 2).reshape(batch, length, self.heads * self.head_size)
            x = x + F.linear(attended, layer["o"])
            h = self.norm(x, layer["post_norm"])
            if self.fused:
                gate, up = F.linear(h, layer["gate_up"]).chunk(2, -1)
            else:
                gate, up = F.linear(h, layer["gate"]), F.linear(h, layer["up"])
            x = x + F.linear(F.silu(gate) * up, layer["down"])
        return self.norm(x, self.final_norm), mask

    def dense(self, ids, lengths):
        """Mean of the tokens' hidden states, each of length 1: [B, H]."""
        hidden, mask = self.hidden_states(ids, lengths)
        hidden = hidden.float()
        unit = hidden / hidden.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        if mask is not None:
            unit = unit * mask[:, :, None]
        return unit.sum(1) / lengths[:, None]

    def sparse(self, ids, lengths, scale, maximum="max"):
        """log1p(relu(max over tokens of scale · logits + bias)): [B, V]. Writes logits [B, L, V], as PyTorch does."""
        hidden, mask = self.hidden_states(ids, lengths)
        return sparse_head(hidden * scale, mask, self.embedding, self.term_bias, maximum)


def sparse_head(hidden, mask, weight, bias, maximum):
    logits = F.linear(hidden, weight).float()
    if mask is not None:
        logits = logits.masked_fill(~mask[:, :, None], float("-inf"))
    maxima = logits.amax(1) if maximum == "amax" else logits.max(1).values
    return torch.log1p(torch.relu(maxima + bias))


def padded(documents, batch, in_order):
    """Batches (indices, ids [b, longest], lengths): in the given order, or longest first."""
    order = list(range(len(documents))) if in_order else sorted(range(len(documents)), key=lambda i: -len(documents[i]))
    batches = []
    for start in range(0, len(order), batch):
        members = order[start:start + batch]
        lengths = torch.tensor([len(documents[i]) for i in members])
        ids = torch.zeros(len(members), int(lengths.max()), dtype=torch.long)
        for row, i in enumerate(members):
            ids[row, :len(documents[i])] = torch.tensor(documents[i])
        batches.append((torch.tensor(members), ids, lengths))
    return batches


def gradient_at(rows, columns):
    """Some numbers, the same as PeerWork.GradientAt gives: [rows, columns]."""
    row, column = torch.arange(rows)[:, None], torch.arange(columns)[None, :]
    return ((row * 31 + column * 17) % 101 - 50).float() / 5000
