"""Tern beside its peers in one run: same weights, same token ids, in turns, never at the same time.

Called by blocks.sh, which builds and prepares. Prints Markdown.
"""
import argparse
import dataclasses
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys

import numpy

import checkpoint
import gguf
import onnx_graph
import workers
from workers import Worker, tern_worker, torch_worker

BLOCKS_FLOPS = 644.2e9  # forward and backward of 4096 tokens through 25.2 M weights, attention not counted
TASKS = ["encode", "train", "sparse_step", "sparse_head"]

# Largest difference of a vector's element from Tern's in fp32, relative to the largest element of all.
TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2, "int8": 1e-1}


@dataclasses.dataclass
class Peer:
    """How a peer may be asked to encode: per precision the ways it has, and the batch sizes for equal and mixed lengths, the middle one first tried."""
    name: str
    worker: Worker
    ways: dict
    batches: dict
    padded: dict | None = None  # what "as people run it" adds to a request; None where there is no padding


@dataclasses.dataclass
class Contender:
    label: str
    worker: Worker
    request: dict
    difference: float | None = None

    @property
    def precision(self):
        return self.request["precision"]


def torch_peer(worker):
    fused = {"in_order": False, "fused": True}
    return Peer("PyTorch", worker, {"fp32": [fused], "bf16": [{**fused, "cast": False}, {**fused, "cast": True}]}, {"equal": [4, 8, 16, 32], "mixed": [4, 8, 16, 32, 64]}, {"batch": 32, "in_order": True, "fused": False})


def onnx_runtime_peer(options):
    directory = os.path.join(options.work, "onnx")
    os.makedirs(directory, exist_ok=True)
    onnx_graph.write(checkpoint.Checkpoint(os.path.join(options.work, "blocks")), directory)
    ways = [{"in_order": False, "attention": "plain"}, {"in_order": False, "attention": "fused"}]
    return Peer("ONNX Runtime", Worker([options.onnxruntime, options.work, str(options.threads)]), {"fp32": ways, "int8": ways}, {"equal": [4, 8, 16, 32], "mixed": [4, 8, 16, 32]}, {"batch": 32, "in_order": True, "attention": "plain"})


def llama_cpp_peer(options):
    directory = os.path.join(options.work, "gguf")
    os.makedirs(directory, exist_ok=True)
    gguf.write(checkpoint.Checkpoint(os.path.join(options.work, "blocks")), directory)
    ways = [{"in_order": False, "flash": True}, {"in_order": False, "flash": False}]
    return Peer("llama.cpp", Worker([options.llamacpp, options.work, str(options.threads)]), {"fp32": ways, "bf16": ways, "int8": ways}, {"equal": [1, 2, 4, 8], "mixed": [1, 2, 4, 8]})


def search(options, request, batches, ways, measure):
    """The fastest of these ways and batch sizes: the way at the middle batch, then the batch as long as it gets faster."""
    at = len(batches) // 2
    if options.quick:
        return {**request, **ways[0], "batch": batches[at]}
    known = {}

    def seconds(way, index):
        if (way, index) not in known:
            known[way, index] = measure({**request, **ways[way], "batch": batches[index]})
        return known[way, index]

    way = min(range(len(ways)), key=lambda w: seconds(w, at))
    for step in (-1, 1):
        while 0 <= at + step < len(batches) and seconds(way, at + step) < seconds(way, at):
            at += step
    return {**request, **ways[way], "batch": batches[at]}


def describe(request):
    words = [f"padded, batches of {request['batch']} in the given order" if request["in_order"] else f"sorted by length, batches of {request['batch']}"]
    words += ["fused matrices"] * request.get("fused", False)
    if "cast" in request:
        words.append("weights cast" if request["cast"] else "autocast")
    if "attention" in request:
        words.append(f"{request['attention']} attention")
    if "flash" in request:
        words.append("flash attention" if request["flash"] else "plain attention")
    if "maximum" in request:
        words.append(request["maximum"])
    words += ["foreach"] * request.get("foreach", False)
    return ", ".join(words)


def timed(worker, request):
    """Seconds of one call after an untimed one."""
    reply = worker.ask(**request, warm=1, repeat=1)
    return min(reply["seconds"]) if reply.get("seconds") else float("inf")


def turns(options, contenders):
    """Seconds and replies of every contender, by label."""
    times = {c.label: [] for c in contenders}
    processor_times = {c.label: [] for c in contenders}
    replies = {}
    calls = 1 if options.quick else 2
    for _ in range(options.rounds):
        for c in contenders:
            reply = c.worker.ask(**c.request, warm=1, repeat=calls)
            replies[c.label] = reply
            times[c.label] += reply.get("seconds") or []
            processor_times[c.label] += reply.get("processor_seconds") or []
            reply["processor_seconds"] = processor_times[c.label]
    return times, replies


def output_of(options, worker, request, name):
    """What the request computes, as floats; with it, the worker's reply."""
    path = os.path.join(options.work, f"{name}.f32")
    reply = worker.ask(**request, output=path)
    if reply.get("error"):
        raise SystemExit(f"{worker.name}: {reply['error']}")
    return numpy.fromfile(path, numpy.float32), reply


def difference(request, ours, theirs, begin=0, end=None):
    if ours.shape != theirs.shape:
        raise SystemExit(f"{request}: Tern wrote {ours.size} numbers, the peer {theirs.size}")
    left, right = ours[begin:end], theirs[begin:end]
    return float(numpy.abs(left - right).max() / numpy.abs(left).max())


def check(options, tern, torch, request, variant, tolerance):
    """Both sides' results on one request, element by element against the largest of each array."""
    left, _ = output_of(options, tern, {**request, "threads": options.threads, "precision": "fp32", "warm": 1, "repeat": 0}, "tern")
    right, _ = output_of(options, torch, {**request, **variant, "precision": "fp32", "warm": 1, "repeat": 0}, "torch")
    error = max(difference(request, left, right, begin, end) for begin, end in sections(options, request, left.size))
    if not error <= tolerance:
        raise SystemExit(f"{request}: Tern and PyTorch differ by {error:.1e} of the largest element, more than {tolerance:.0e}; times would say nothing")
    return error


def sections(options, request, total):
    """Where the arrays begin and end in a worker's output."""
    with open(os.path.join(options.work, "work.json")) as file:
        work = json.load(file)
    sizes = [total]
    if request["task"] == "train":
        weights = [array.size for array in checkpoint.read_safetensors(os.path.join(options.work, "blocks", "model.safetensors")).values()]
        sizes = [total - sum(weights), *weights]
    elif request["task"] == "sparse_head":
        head = work["sparse_head"]
        sizes = [head["sequences"] * head["vocabulary"], head["sequences"] * head["length"] * head["hidden_size"], head["vocabulary"] * head["hidden_size"]]
    begin = 0
    for size in sizes:
        yield begin, begin + size
        begin += size


def table(options, title, contenders, times, replies, columns=(), peers=True):
    """Tern's advantage is the row's median over that of Tern in the row's precision."""
    print(f"\n## {title}\n")
    print("| | median s | best s | processor s | Tern's advantage |" + "".join(f" {name} |" for name, _ in columns))
    print("| --- | ---: | ---: | ---: | ---: |" + " ---: |" * len(columns))
    empty = " |" * (4 + len(columns))
    for c in contenders:
        reply = replies[c.label]
        if reply.get("error"):
            print(f"| {c.label} | {reply['error']}{empty}")
            continue
        median = statistics.median(times[c.label])
        own = times.get(f"Tern {c.precision}")
        advantage = f"{median / statistics.median(own):.2f} x" if own and not c.label.startswith("Tern") else ""
        print(f"| {c.label} | {median:.4f} | {min(times[c.label]):.4f} | {statistics.median(reply['processor_seconds']):.4f} | {advantage} |" + "".join(f" {value(c, median, reply)} |" for _, value in columns), flush=True)
    for name, reason in options.missing.items():
        if peers or name == "PyTorch":
            print(f"| {name} | not measured: {reason}{empty}")


def tern_contenders(options, tern, request, precisions):
    return [Contender(f"Tern {p}", tern, {**request, "precision": p, "threads": options.threads}) for p in precisions]


def encode(options, tern, peers):
    for documents in ("equal", "mixed"):
        base = {"task": "encode", "set": documents}
        reference, _ = output_of(options, tern, {**base, "precision": "fp32", "threads": options.threads, "warm": 1, "repeat": 0}, "tern")

        def agreeing(worker, request):
            """Seconds of a call whose vectors were compared first, and how much they differ."""
            vectors, reply = output_of(options, worker, {**request, "warm": 1, "repeat": 1}, "peer")
            error = difference(request, reference, vectors)
            if not error <= TOLERANCE[request["precision"]]:
                raise SystemExit(f"{worker.name}, {request}: vectors differ from Tern's by {error:.1e} of the largest element, more than {TOLERANCE[request['precision']]:.0e}; times would say nothing")
            return min(reply["seconds"]), error

        contenders = tern_contenders(options, tern, base, ("fp32", "bf16", "int8"))
        for peer in peers:
            for precision, ways in peer.ways.items():
                request = search(options, {**base, "precision": precision}, peer.batches[documents], ways, lambda r: agreeing(peer.worker, r)[0])
                requests = [request]
                if documents == "mixed" and peer.padded:
                    requests.append({**base, "precision": precision, **peer.padded})
                contenders += [Contender(f"{peer.name} {precision}, {describe(r)}", peer.worker, r) for r in requests]
        for c in contenders:
            if c.worker is not tern or not tern.ask(**c.request, warm=0, repeat=0).get("error"):
                c.difference = agreeing(c.worker, c.request)[1]
        times, replies = turns(options, contenders)
        tokens = options.tokens[documents]
        columns = [("tokens/s", lambda c, median, _: f"{tokens / median:,.0f}")]
        if documents == "equal":
            columns.append(("GFLOP/s", lambda c, median, _: f"{BLOCKS_FLOPS / 3 / median / 1e9:.0f}"))
        columns.append(("vectors differ by", lambda c, *_: f"{c.difference:.0e}"))
        table(options, f"Encode, {documents} lengths ({tokens:,} tokens)", contenders, times, replies, columns)
        print("\nVectors differ from Tern's in fp32 by that part of the largest element, at most.")


def train(options, tern, peer):
    for documents in ("equal", "mixed"):
        base = {"task": "train", "set": documents, "optimizer": False}
        error = check(options, tern, peer.worker, base, {"batch": 8, "in_order": False, "fused": False}, 1e-3)
        best = {p: search(options, {**base, "precision": p}, peer.batches[documents], ways, lambda r: timed(peer.worker, r)) for p, ways in peer.ways.items()}
        for optimizer in (False, True):
            contenders = tern_contenders(options, tern, {**base, "optimizer": optimizer}, ("fp32", "bf16"))
            for precision, request in best.items():
                request = {**request, "optimizer": optimizer}
                if optimizer:
                    request = search(options, request, [request["batch"]], [{"foreach": False}, {"foreach": True}], lambda r: timed(peer.worker, r))
                requests = [request] + ([{**base, "optimizer": optimizer, "precision": precision, **peer.padded}] if documents == "mixed" else [])
                contenders += [Contender(f"{peer.name} {precision}, {describe(r)}", peer.worker, r) for r in requests]
            times, replies = turns(options, contenders)
            tokens = options.training_tokens[documents]
            columns = [("tokens/s", lambda c, median, _: f"{tokens / median:,.0f}")]
            if documents == "equal":
                columns.append(("GFLOP/s", lambda c, median, _: f"{BLOCKS_FLOPS / median / 1e9:.0f}"))
            table(options, f"Training step {'with AdamW' if optimizer else 'without optimiser'}, {documents} lengths ({tokens:,} tokens)", contenders, times, replies, columns, peers=False)
            print(f"\nLargest difference between the two representations and gradients in fp32: {error:.0e} of the largest element.")


def sparse_step(options, tern, torch):
    request = {"task": "sparse_step"}
    maxima = [{"in_order": False, "fused": True, "maximum": m} for m in ("max", "amax")]
    ways = {"fp32": maxima, "bf16": [{**way, "cast": cast} for way in maxima for cast in (False, True)]}
    best = {p: search(options, {**request, "precision": p}, [24, 48, 96, 192], ways[p], lambda r: timed(torch, r)) for p in ways}
    contenders = tern_contenders(options, tern, request, ("fp32", "bf16"))
    contenders += [Contender(f"PyTorch {p}, {describe(r)}", torch, r) for p, r in best.items()]
    padded = {**request, "precision": "fp32", "batch": 192, "in_order": True, "fused": False, "maximum": "max"}
    contenders.append(Contender(f"PyTorch fp32, {describe(padded)}", torch, padded))
    losses = [c.worker.ask(**c.request, warm=3, repeat=0)["losses"] for c in (contenders[0], contenders[2])]
    for step, (left, right) in enumerate(zip(*losses), 1):
        if not abs(left - right) <= 1e-3 * abs(right):
            raise SystemExit(f"sparse_step: the loss of step {step} is {left} for Tern, {right} for PyTorch; times would say nothing")
    times, replies = turns(options, contenders)
    columns = [("document entries not 0", lambda c, _, reply: f"{reply['non_zeros']:.1%}")]
    table(options, "The demo's sparse model: one training step, batch of 192 pairs, vocabulary 8000", contenders, times, replies, columns, peers=False)
    print(f"\nForward, head, InfoNCE, FLOPS on both sides, backward, clipping, AdamW. Losses of the first steps in fp32: Tern {', '.join(f'{x:.5f}' for x in losses[0])}; PyTorch {', '.join(f'{x:.5f}' for x in losses[1])}.")


def sparse_head(options):
    """Peak memory is measured in fresh processes, one a row."""
    with open(os.path.join(options.work, "work.json")) as file:
        head = json.load(file)["sparse_head"]
    start = lambda tern: tern_worker(options) if tern else torch_worker(options, options.chosen_blas)
    request = {"task": "sparse_head", "precision": "fp32"}
    at_once = {**request, "batch": head["sequences"], "in_order": False, "maximum": "max"}
    tern, torch = start(True), start(False)
    error = check(options, tern, torch, {"task": "sparse_head"}, at_once, 1e-3)
    best = search(options, {**request, "in_order": False}, [1, 2, 4, 8, 16], [{"maximum": "max"}, {"maximum": "amax"}], lambda r: timed(torch, r))
    contenders = tern_contenders(options, tern, request, ("fp32",))
    requests = [at_once, {**at_once, "batch": 1}]
    contenders += [Contender(f"PyTorch fp32, {r['batch']} sequences at a time, {r['maximum']}", torch, r) for r in requests + [best] * (best not in requests)]
    peaks = {}
    for c in contenders:
        fresh = start(c.worker is tern)
        peaks[c.label] = fresh.ask(**c.request, warm=1, repeat=1)["peak_bytes"]
        fresh.close()
    times, replies = turns(options, contenders)
    logits = head["sequences"] * head["length"] * head["vocabulary"] * 4
    columns = [("peak memory MB", lambda c, *_: f"{peaks[c.label] / 1e6:,.1f}"), ("of [tokens, vocabulary]", lambda c, *_: f"1/{logits / peaks[c.label]:.1f}")]
    table(options, f"The sparse head alone, forward and backward: {head['sequences']} x {head['length']} tokens, H = {head['hidden_size']}, V = {head['vocabulary']:,}", contenders, times, replies, columns, peers=False)
    print(f"\nPeak memory is the growth of a fresh process's resident memory by two calls, compiling included; operands and their gradients are there before. Logits [tokens, vocabulary] are {logits / 1e6:,.0f} MB. Entries not 0: {replies['Tern fp32']['non_zeros']:.1%}. Largest difference: {error:.0e} of the largest element.")
    tern.close()
    torch.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tern", required=True, help="Tern.Benchmarks.dll")
    parser.add_argument("--work", required=True, help="directory that peers-prepare wrote")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--onnxruntime", help="the worker that uses ONNX Runtime")
    parser.add_argument("--llamacpp", help="the worker that uses llama.cpp")
    parser.add_argument("--missing", action="append", default=[], metavar="NAME=REASON", help="a peer that was asked for and cannot be had")
    parser.add_argument("--torch", action="store_true", help="measure PyTorch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="no search for the peers' best batches, one call a turn: to try the scripts out")
    parser.add_argument("--blas", action="append", help="only this one, such as openblas-openmp; may be repeated")
    parser.add_argument("--only", nargs="+", default=TASKS, choices=TASKS)
    options = parser.parse_args()
    options.missing = dict(entry.split("=", 1) for entry in options.missing)
    with open(os.path.join(options.work, "work.json")) as file:
        work = json.load(file)
    options.tokens = {name: sum(map(len, texts)) for name, texts in work["documents"].items()}
    options.training_tokens = {name: sum(map(len, texts[:work["training_documents"]])) for name, texts in work["documents"].items()}
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    print(f"# Tern beside its peers\n\nMachine: {workers.processor()}; {platform.platform()}; commit {commit}; {datetime.date.today()}; load when begun {os.getloadavg()[0]:.2f}.")
    lengths = sorted(map(len, work["documents"]["mixed"]))
    print(f"Wall clock, {options.threads} threads on every side, in {options.rounds} turns of one untimed and {'one timed call' if options.quick else 'two timed calls'} each. Mixed lengths: {len(lengths)} documents, log-normal, seeded: {lengths[0]} to {lengths[-1]} tokens, median {lengths[len(lengths) // 2]}, mean {sum(lengths) / len(lengths):.0f}.")
    print("The blocks' model: 8 layers, d = 512, 8 heads over 4, feed-forward 1536, with a small embedding (8000 rows) before and mean pooling after the blocks.")
    print("The peers' batches and variants are " + ("**not searched** (--quick)." if options.quick else "the fastest of those tried for each table; \"padded\" rows are as people run it."))
    torch = workers.choose_blas(options) if options.torch else None
    options.chosen_blas = next((d for d in workers.BLAS_DIRECTORIES if torch and f"({d}" in torch.name), None)
    tern = tern_worker(options)
    peers = [torch_peer(torch)] if torch else []
    if "encode" in options.only:
        checkpoint.write_documents(options.work, work["documents"])
        peers += [onnx_runtime_peer(options)] if options.onnxruntime else []
        peers += [llama_cpp_peer(options)] if options.llamacpp else []
    print(f"\nTern: {tern.name}." + "".join(f" {p.name}: {p.worker.name}." for p in peers))
    if "encode" in options.only:
        encode(options, tern, peers)
    for peer in peers:
        if peer.worker is not torch:
            peer.worker.close()
    if torch and "train" in options.only:
        train(options, tern, peers[0])
    if torch and "sparse_step" in options.only:
        sparse_step(options, tern, torch)
    tern.close()
    if torch:
        torch.close()
        if "sparse_head" in options.only:
            sparse_head(options)


main()
