"""Writes a model directory as GGUF files for llama.cpp: architecture llama-embed, which attends both ways and has no logits."""
import os
import struct

import numpy

UINT32, FLOAT32, BOOL, STRING, UINT64 = 4, 6, 7, 8, 10  # gguf_type
F32, Q8_0, BF16 = 0, 8, 30  # ggml_type
ALIGNMENT = 32
FILES = {"fp32": F32, "bf16": BF16, "int8": Q8_0}


def write(checkpoint, directory):
    """blocks-PRECISION.gguf in the directory, for every precision that is not there yet."""
    for precision, kind in FILES.items():
        path = os.path.join(directory, f"blocks-{precision}.gguf")
        if not os.path.exists(path):
            write_file(checkpoint, kind, path + ".part")
            os.replace(path + ".part", path)


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def write_file(checkpoint, kind, path):
    c = checkpoint
    entries = [("general.architecture", STRING, "llama-embed"), ("general.name", STRING, "blocks"), ("tokenizer.ggml.model", STRING, "none")]
    sizes = {"vocab_size": c.vocabulary, "context_length": c.positions, "embedding_length": c.hidden, "block_count": c.layers, "feed_forward_length": c.intermediate,
             "rope.dimension_count": c.head_size, "attention.head_count": c.heads, "attention.head_count_kv": c.groups, "attention.key_length": c.head_size, "attention.value_length": c.head_size}
    entries += [(f"llama-embed.{key}", UINT32, value) for key, value in sizes.items()]
    entries += [("llama-embed.rope.freq_base", FLOAT32, c.theta), ("llama-embed.attention.layer_norm_rms_epsilon", FLOAT32, c.epsilon), ("llama-embed.attention.causal", BOOL, False)]
    formats = {UINT32: "<I", FLOAT32: "<f", BOOL: "<?"}
    header = b"".join(text(key) + struct.pack("<I", t) + (text(value) if t == STRING else struct.pack(formats[t], value)) for key, t, value in entries)
    tensors = list(arrays(checkpoint))
    parts, offset, index = [], 0, b""
    for name, array in tensors:
        stored = F32 if array.ndim == 1 else kind
        data = encode(array, stored)
        index += text(name) + struct.pack("<I", array.ndim) + b"".join(struct.pack("<Q", size) for size in reversed(array.shape)) + struct.pack("<IQ", stored, offset)
        data += bytes(-len(data) % ALIGNMENT)
        parts.append(data)
        offset += len(data)
    start = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + header + index
    with open(path, "wb") as file:
        file.write(start + bytes(-len(start) % ALIGNMENT))
        file.writelines(parts)


def arrays(c):
    yield "token_embd.weight", c.weights["model.embed_tokens.weight"]
    yield "output_norm.weight", c.weights["model.norm.weight"]
    names = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
    for i in range(c.layers):
        for name, theirs in names.items():
            yield f"blk.{i}.{theirs}.weight", c.layer(i, name)
        yield f"blk.{i}.attn_q.weight", interleaved(c.layer(i, "self_attn.q_proj"), c.heads)
        yield f"blk.{i}.attn_k.weight", interleaved(c.layer(i, "self_attn.k_proj"), c.groups)


def interleaved(weight, heads):
    """Rows reordered: llama.cpp rotates neighbouring pairs, this model the two halves of a head."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def encode(array, kind):
    if kind == F32:
        return numpy.ascontiguousarray(array, "<f4").tobytes()
    if kind == BF16:
        bits = numpy.ascontiguousarray(array, "<f4").view("<u4").astype(numpy.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
    blocks = array.reshape(-1, 32)  # Q8_0: a half-precision scale and 32 signed bytes
    scale = numpy.abs(blocks).max(1, keepdims=True) / 127
    quants = numpy.rint(blocks / numpy.where(scale == 0, 1, scale)).astype(numpy.int8)
    packed = numpy.empty(len(blocks), numpy.dtype([("scale", "<f2"), ("quants", "i1", 32)]))
    packed["scale"], packed["quants"] = scale[:, 0], quants
    return packed.tobytes()
