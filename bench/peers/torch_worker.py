"""PyTorch's side of the comparison: answers requests on its input, one JSON object a line, as Tern's worker does.

usage: torch_worker.py WORK_DIRECTORY THREADS
"""
import contextlib
import json
import os
import sys
import time

import numpy
import torch

import llama

directory, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
torch.set_num_interop_threads(1)
with open(os.path.join(directory, "work.json")) as file:
    work = json.load(file)


def autocast(request):
    """bf16 as autocast, unless the weights themselves are cast."""
    if request["precision"] == "fp32" or request.get("cast"):
        return contextlib.nullcontext()
    return torch.autocast("cpu", dtype=torch.bfloat16)


def load(name, request, trainable):
    dtype = torch.bfloat16 if request["precision"] == "bf16" and request.get("cast") else torch.float32
    return llama.Llama(os.path.join(directory, name), trainable, request.get("fused", True), dtype)


class Train:
    def __init__(self, request):
        documents = work["documents"][request["set"]][:work["training_documents"]]
        self.request = request
        self.model = load("blocks", request, True)
        self.batches = llama.padded(documents, request["batch"], request["in_order"])
        self.gradient = llama.gradient_at(len(documents), self.model.hidden)
        self.representations = torch.zeros(len(documents), self.model.hidden)
        self.optimizer = torch.optim.AdamW(self.model.parameters.values(), lr=1e-4, weight_decay=0.0, foreach=request.get("foreach", False)) if request["optimizer"] else None

    def run(self):
        for parameter in self.model.parameters.values():
            parameter.grad = None
        for members, ids, lengths in self.batches:
            with autocast(self.request):
                output = self.model.dense(ids, lengths)
            self.representations[members] = output.detach()
            output.backward(self.gradient[members])
        if self.optimizer:
            self.optimizer.step()

    def arrays(self):
        yield self.representations
        yield from self.model.gradients()


class Encode:
    def __init__(self, request):
        documents = work["documents"][request["set"]]
        self.request = request
        self.model = load("blocks", request, False)
        self.batches = llama.padded(documents, request["batch"], request["in_order"])
        self.vectors = torch.zeros(len(documents), self.model.hidden)

    def run(self):
        with torch.inference_mode(), autocast(self.request):
            for members, ids, lengths in self.batches:
                self.vectors[members] = self.model.dense(ids, lengths)

    def arrays(self):
        yield self.vectors


class SparseStep:
    def __init__(self, request):
        self.work = work["sparse_step"]
        self.request = request
        self.maximum = request.get("maximum", "max")
        self.model = load("sparse", request, True)
        self.parts = [llama.padded(self.work[kind], request["batch"], request["in_order"]) for kind in ("queries", "documents")]
        self.optimizer = torch.optim.AdamW(self.model.parameters.values(), lr=1.0, weight_decay=0.0, foreach=request.get("foreach", False))
        self.losses = []
        self.non_zeros = 0.0

    def encode(self, batches):
        order = torch.cat([members for members, _, _ in batches])
        with autocast(self.request):
            vectors = torch.cat([self.model.sparse(ids, lengths, self.work["logit_scale"], self.maximum) for _, ids, lengths in batches])
        return vectors[order.argsort()]

    def run(self):
        step = len(self.losses) + 1
        for parameter in self.model.parameters.values():
            parameter.grad = None
        queries, documents = (self.encode(batches) for batches in self.parts)
        scores = queries @ documents.t()
        flops = lambda vectors: vectors.abs().mean(0).pow(2).sum()
        loss = (torch.nn.functional.cross_entropy(scores, torch.arange(len(scores)))
                + self.work["query_flops_weight"] * flops(queries) + self.work["document_flops_weight"] * flops(documents))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters.values(), self.work["clip_norm"])
        total = self.work["step_count"]
        self.optimizer.param_groups[0]["lr"] = self.work["learning_rate"] * (total + 1 - step) / (total + 1)
        self.optimizer.step()
        self.losses.append(loss.item())
        self.non_zeros = (documents.detach() != 0).float().mean().item()

    def describe(self):
        return {"losses": self.losses, "non_zeros": self.non_zeros}

    def arrays(self):
        return []


class SparseHead:
    def __init__(self, request):
        head = work["sparse_head"]
        self.request = request
        self.maximum = request.get("maximum", "max")
        self.group = request["batch"]
        self.sequences = head["sequences"]
        read = lambda name, *shape: torch.from_numpy(numpy.fromfile(os.path.join(directory, name), numpy.float32).reshape(shape))
        self.hidden = read("head-hidden.f32", self.sequences, head["length"], head["hidden_size"]).requires_grad_()
        self.weight = read("head-weight.f32", head["vocabulary"], head["hidden_size"]).requires_grad_()
        self.bias = torch.full((head["vocabulary"],), head["bias"]).requires_grad_()
        self.gradient = llama.gradient_at(self.sequences, head["vocabulary"])
        for tensor in (self.hidden, self.weight, self.bias):
            tensor.grad = torch.zeros_like(tensor)
        self.representations = None

    def run(self):
        for tensor in (self.hidden, self.weight, self.bias):
            tensor.grad.zero_()
        parts = []
        for start in range(0, self.sequences, self.group):
            with autocast(self.request):
                output = llama.sparse_head(self.hidden[start:start + self.group], None, self.weight, self.bias, self.maximum)
            output.backward(self.gradient[start:start + self.group])
            parts.append(output.detach())
        self.representations = torch.cat(parts)

    def describe(self):
        return {"non_zeros": (self.representations != 0).float().mean().item()}

    def arrays(self):
        return [self.representations, self.hidden.grad, self.weight.grad]


def memory(field):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))


def answer(reply):
    print(json.dumps(reply), flush=True)


def blas():
    """The BLAS that this process computes with, and its kernel where it says."""
    import ctypes
    with open("/proc/self/maps") as file:
        loaded = sorted({line.split()[-1] for line in file if "blas" in line})
    preloaded = os.environ.get("LD_PRELOAD")
    path = preloaded if preloaded in loaded else next((p for p in loaded if "openblas" in p), loaded[0])
    package = os.path.basename(os.path.dirname(path))
    library = ctypes.CDLL(path)
    if "openblas" in package:
        library.openblas_get_corename.restype = ctypes.c_char_p
        library.openblas_get_config.restype = ctypes.c_char_p
        return f"{' '.join(library.openblas_get_config().decode().split()[:2])} ({package}), kernel {library.openblas_get_corename().decode()}"
    return f"({package}{', BLIS_ARCH_TYPE=' + os.environ['BLIS_ARCH_TYPE'] if 'BLIS_ARCH_TYPE' in os.environ else ''})"


torch.mm(torch.ones(8, 8), torch.ones(8, 8))
answer({"name": f"PyTorch {torch.__version__}, {blas()}, {threads} threads"})
tasks = {}
kinds = {"train": Train, "encode": Encode, "sparse_step": SparseStep, "sparse_head": SparseHead}
for line in sys.stdin:
    request = json.loads(line)
    key = json.dumps({k: v for k, v in request.items() if k not in ("warm", "repeat", "output")}, sort_keys=True)
    if key not in tasks:
        tasks.clear()  # one at a time: PyTorch's activations are large
        tasks[key] = kinds[request["task"]](request)
    task = tasks[key]
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = memory("VmRSS:")
    for _ in range(request.get("warm", 1)):
        task.run()
    seconds, processor_seconds = [], []
    for _ in range(request.get("repeat", 1)):
        start, processor_start = time.perf_counter(), time.process_time()
        task.run()
        seconds.append(time.perf_counter() - start)
        processor_seconds.append(time.process_time() - processor_start)
    reply = {"seconds": seconds, "processor_seconds": processor_seconds, "peak_bytes": memory("VmHWM:") - before}
    if hasattr(task, "describe"):
        reply.update(task.describe())
    if request.get("output"):
        with open(request["output"], "wb") as file:
            for array in task.arrays():
                file.write(array.detach().float().contiguous().numpy().tobytes())
    answer(reply)
