"""Writes a model directory as ONNX files for ONNX Runtime, the protobuf by hand: one weights file, small graphs beside it.

A graph takes ids [B, L] int64 and mask [B, L] float (1 for a token, 0 for padding; graphs named "full" have no padding and
no mask) and gives the vectors [B, H]: the mean of the tokens' hidden states, each of length 1.
"""
import os
import struct

import numpy

FLOAT, INT8, INT64 = 1, 3, 7  # TensorProto.DataType
MICROSOFT = "com.microsoft"  # ONNX Runtime's own operators, which its optimiser would put in where it can
OPSET = 23  # the first with Attention


def write(checkpoint, directory):
    """PRECISION-ATTENTION-(full|padded).onnx and weights.bin in the directory, unless they are there."""
    if os.path.exists(os.path.join(directory, "weights.bin")):
        return
    weights = Weights()
    for precision in ("fp32", "int8"):
        for attention in ("fused", "plain"):
            for padded in (False, True):
                graph = Graph(weights)
                graph.build(checkpoint, precision, attention == "fused", padded)
                with open(os.path.join(directory, f"{precision}-{attention}-{'padded' if padded else 'full'}.onnx"), "wb") as file:
                    file.write(graph.model())
    weights.save(os.path.join(directory, "weights.bin"))


class Weights:
    """Arrays that the graphs share, in one file. A name always stands for the same array."""

    def __init__(self):
        self.parts, self.length, self.places = [], 0, {}

    def place(self, name, array):
        if name not in self.places:
            data = numpy.ascontiguousarray(array).tobytes()
            self.parts.append(data + bytes(-len(data) % 4096))
            self.places[name] = (self.length, len(data))
            self.length += len(self.parts[-1])
        return self.places[name]

    def save(self, path):
        with open(path + ".part", "wb") as file:
            file.writelines(self.parts)
        os.replace(path + ".part", path)


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(field, value):
    return varint(field << 3) + varint(value)


def message(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def attribute(name, value):
    if isinstance(value, float):
        body = varint(2 << 3 | 5) + struct.pack("<f", value) + integer(20, 1)
    elif isinstance(value, int):
        body = integer(3, value) + integer(20, 2)
    else:
        body = b"".join(integer(8, v) for v in value) + integer(20, 7)
    return message(5, message(1, name) + body)


def value_info(name, kind, axes):
    shape = b"".join(message(1, integer(1, axis) if isinstance(axis, int) else message(2, axis)) for axis in axes)
    return message(1, name) + message(2, message(1, integer(1, kind) + message(2, shape)))


class Graph:
    def __init__(self, weights):
        self.weights = weights
        self.nodes, self.initializers, self.values = [], {}, 0

    def op(self, kind, *inputs, outputs=1, unused=(), domain="", **attributes):
        """Appends a node; the name of its output, or a list of them."""
        names = ["" if i in unused else f"v{self.values + i}" for i in range(outputs)]
        self.values += outputs
        self.nodes.append(b"".join(message(1, i) for i in inputs) + b"".join(message(2, o) for o in names) + message(3, f"n{len(self.nodes)}")
                          + message(4, kind) + b"".join(attribute(k, v) for k, v in attributes.items()) + message(7, domain))
        return names[0] if outputs == 1 else names

    def weight(self, name, array):
        """An initializer in the weights file."""
        if name not in self.initializers:
            offset, length = self.weights.place(name, array)
            kind = {"float32": FLOAT, "int8": INT8}[array.dtype.name]
            entries = (("location", "weights.bin"), ("offset", str(offset)), ("length", str(length)))
            self.initializers[name] = b"".join(integer(1, size) for size in array.shape) + integer(2, kind) + message(8, name) + b"".join(message(13, message(1, k) + message(2, v)) for k, v in entries) + integer(14, 1)
        return name

    def constant(self, values, kind=INT64):
        """A small initializer in the graph itself: a list, or one number."""
        array = numpy.array(values, "<i8" if kind == INT64 else "<f4")
        name = f"c{len(self.initializers)}"
        self.initializers[name] = b"".join(integer(1, size) for size in array.shape) + integer(2, kind) + message(8, name) + message(9, array.tobytes())
        return name

    def product(self, x, name, weight, precision):
        """x · weightᵀ for a weight [outputs, inputs]; int8 quantises x per call and the weight per output."""
        transposed = numpy.ascontiguousarray(weight.T)
        if precision == "fp32":
            return self.op("MatMul", x, self.weight(name, transposed))
        scale = numpy.abs(transposed).max(0) / numpy.float32(127)
        quantised = numpy.rint(transposed / scale).astype(numpy.int8)
        return self.op("DynamicQuantizeMatMul", x, self.weight(f"{name}.int8", quantised), self.weight(f"{name}.scale", scale.astype(numpy.float32)), domain=MICROSOFT)

    def build(self, c, precision, fused, padded):
        query_size, key_size = c.heads * c.head_size, c.groups * c.head_size
        angles = numpy.outer(numpy.arange(c.positions), 1.0 / c.theta ** (numpy.arange(c.head_size // 2) / (c.head_size // 2)))
        cos, sin = self.weight("cos", numpy.cos(angles).astype(numpy.float32)), self.weight("sin", numpy.sin(angles).astype(numpy.float32))
        start = self.constant([0])  # every text begins at position 0
        shape = lambda *sizes: self.constant(list(sizes))
        rotate = lambda x, heads: self.op("RotaryEmbedding", x, start, cos, sin, domain=MICROSOFT, num_heads=heads, rotary_embedding_dim=0, interleaved=0)
        mask = None
        if padded:
            bias = self.op("Mul", self.op("Sub", "mask", self.constant(1.0, FLOAT)), self.constant(1e9, FLOAT))
            mask = self.op("Unsqueeze", bias, shape(1, 2))  # [B, 1, 1, L]
            if fused:  # Attention wants every query's row of it: [B, 1, L, L]
                length = self.op("Shape", "ids", start=1, end=2)
                mask = self.op("Expand", mask, self.op("Concat", shape(1, 1), length, shape(1), axis=0))
        x = self.op("Gather", self.weight("embedding", c.weights["model.embed_tokens.weight"]), "ids")
        branch = None  # what is still to be added to x
        for i in range(c.layers + 1):
            gain = c.layer(i, "input_layernorm") if i < c.layers else c.weights["model.norm.weight"]
            x, h = self.norm(x, branch, f"{i}.in_norm", gain, c.epsilon)
            if i == c.layers:
                break
            qkv = numpy.concatenate([c.layer(i, f"self_attn.{p}_proj") for p in "qkv"])
            query, key, value = self.op("Split", self.product(h, f"{i}.qkv", qkv, precision), shape(query_size, key_size, key_size), outputs=3, axis=-1)
            query, key = rotate(query, c.heads), rotate(key, c.groups)
            if fused:
                attended = self.op("Attention", query, key, value, *([mask] if mask else []), q_num_heads=c.heads, kv_num_heads=c.groups, scale=c.head_size ** -0.5)
            else:  # the query heads of one group are rows of one product
                split = lambda y, heads, order: self.op("Transpose", self.op("Reshape", y, shape(0, 0, heads, c.head_size)), perm=order)
                query = self.op("Mul", query, self.constant(c.head_size ** -0.5, FLOAT))
                query = self.op("Reshape", split(query, c.heads, (0, 2, 1, 3)), shape(0, c.groups, -1, c.head_size))
                scores = self.op("MatMul", query, split(key, c.groups, (0, 2, 3, 1)))
                scores = self.op("Add", scores, mask) if mask else scores
                attended = self.op("MatMul", self.op("Softmax", scores, axis=-1), split(value, c.groups, (0, 2, 1, 3)))
                attended = self.op("Reshape", attended, shape(0, c.heads, -1, c.head_size))
                attended = self.op("Reshape", self.op("Transpose", attended, perm=(0, 2, 1, 3)), shape(0, 0, query_size))
            branch = self.product(attended, f"{i}.o", c.layer(i, "self_attn.o_proj"), precision)
            x, h = self.norm(x, branch, f"{i}.post_norm", c.layer(i, "post_attention_layernorm"), c.epsilon)
            gate_up = numpy.concatenate([c.layer(i, "mlp.gate_proj"), c.layer(i, "mlp.up_proj")])
            gate, up = self.op("Split", self.product(h, f"{i}.gate_up", gate_up, precision), shape(c.intermediate, c.intermediate), outputs=2, axis=-1)
            gated = self.op("Mul", self.op("QuickGelu", gate, domain=MICROSOFT, alpha=1.0), up)  # with alpha 1 this is SiLU
            branch = self.product(gated, f"{i}.down", c.layer(i, "mlp.down_proj"), precision)
        unit = self.op("Div", h, self.op("ReduceL2", h, shape(-1), keepdims=1))
        if padded:
            unit = self.op("Mul", unit, self.op("Unsqueeze", "mask", shape(2)))
            self.result = self.op("Div", self.op("ReduceSum", unit, shape(1), keepdims=0), self.op("ReduceSum", "mask", shape(1), keepdims=1))
        else:
            self.result = self.op("ReduceMean", unit, shape(1), keepdims=0)
        self.inputs = [value_info("ids", INT64, ("B", "L"))] + ([value_info("mask", FLOAT, ("B", "L"))] if padded else [])
        self.output = value_info(self.result, FLOAT, ("B", c.hidden))

    def norm(self, x, branch, name, gain, epsilon):
        """The sum x + branch and its norm."""
        if branch is None:
            return x, self.op("SimplifiedLayerNormalization", x, self.weight(name, gain), axis=-1, epsilon=epsilon, stash_type=1)
        h, _, _, total = self.op("SkipSimplifiedLayerNormalization", x, branch, self.weight(name, gain), outputs=4, unused=(1, 2), domain=MICROSOFT, epsilon=epsilon)
        return total, h

    def model(self):
        graph = b"".join(message(1, n) for n in self.nodes) + message(2, "blocks") + b"".join(message(5, t) for t in self.initializers.values())
        graph += b"".join(message(11, i) for i in self.inputs) + message(12, self.output)
        opsets = message(8, message(1, "") + integer(2, OPSET)) + message(8, message(1, MICROSOFT) + integer(2, 1))
        return integer(1, 10) + opsets + message(7, graph)
