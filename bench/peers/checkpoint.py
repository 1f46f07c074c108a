"""The work that peers-prepare wrote, for the peers' sides: weights, the model's shape and the documents' token ids."""
import json
import mmap
import os
import struct

import numpy


def read_safetensors(path):
    """Name -> float32 array, in file order."""
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    arrays = {}
    for name, entry in sorted(header.items(), key=lambda e: e[1]["data_offsets"][0]):
        if entry["dtype"] != "F32":
            raise SystemExit(f"{path}: {name} is {entry['dtype']}; this reader takes F32 only")
        begin, end = entry["data_offsets"]
        arrays[name] = numpy.frombuffer(data, numpy.float32, (end - begin) // 4, 8 + length + begin).reshape(entry["shape"])
    return arrays


class Checkpoint:
    """A model directory: its shape and its weights (name -> float32 array, as the file names them)."""

    def __init__(self, directory):
        with open(os.path.join(directory, "config.json")) as file:
            config = json.load(file)
        self.layers = config["num_hidden_layers"]
        self.heads = config["num_attention_heads"]
        self.groups = config["num_key_value_heads"]
        self.hidden = config["hidden_size"]
        self.intermediate = config["intermediate_size"]
        self.head_size = config.get("head_dim") or self.hidden // self.heads
        self.vocabulary = config["vocab_size"]
        self.positions = config["max_position_embeddings"]
        self.epsilon = config["rms_norm_eps"]
        self.theta = config["rope_theta"]
        self.weights = read_safetensors(os.path.join(directory, "model.safetensors"))

    def layer(self, index, name):
        """Such as layer(0, "self_attn.q_proj"): [outputs, inputs], or [hidden] for a norm."""
        return self.weights[f"model.layers.{index}.{name}.weight"]


def write_documents(directory, documents):
    """documents-SET.i32: how many, the length of each, then all their tokens, as little-endian int32."""
    for name, texts in documents.items():
        flat = [len(texts), *map(len, texts), *(token for text in texts for token in text)]
        numpy.array(flat, "<i4").tofile(os.path.join(directory, f"documents-{name}.i32"))
