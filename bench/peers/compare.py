"""Tern beside PyTorch in one run: same weights, same token ids, in turns, never at the same time.

Called by blocks.sh, which builds and prepares. Prints Markdown.
"""
import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import numpy

BLAS_DIRECTORIES = ["openblas-openmp", "openblas-pthread", "blis-openmp", "blis-pthread"]
BLIS_SKX = "0"  # what BLIS_ARCH_TYPE calls its AVX-512 kernels; it does not choose them itself on processors newer than it
BLOCKS_FLOPS = 644.2e9  # forward and backward of 4096 tokens through 25.2 M weights, attention not counted
SPIN_SECONDS = 0.1  # after which the other side's idle threads have stopped polling


class Worker:
    def __init__(self, command, environment=None):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}  # they would choose another processor's kernels
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**clean, **(environment or {})})
        self.name = self.read()["name"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args}: ended with code {self.process.wait()}")
        return json.loads(line)

    def ask(self, **request):
        time.sleep(SPIN_SECONDS)
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def torch_worker(options, blas=None):
    path = f"/usr/lib/{platform.machine()}-linux-gnu/{blas}/libblas.so.3"
    count = str(options.threads)
    # The allocator keeps what it has: PyTorch would else return and fault in again the memory of every large tensor.
    environment = {"OMP_NUM_THREADS": count, "BLIS_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
    if blas:
        environment["LD_PRELOAD"] = path
        if blas.startswith("blis") and "avx512f" in flags():
            environment["BLIS_ARCH_TYPE"] = BLIS_SKX
    return Worker([options.python, os.path.join(os.path.dirname(__file__), "torch_worker.py"), options.work, count], environment)


def choose_blas(options):
    """The worker with the fastest BLAS of those installed."""
    best = None
    print("\n## PyTorch's BLAS\n\n| BLAS | encode, equal lengths, seconds |\n| --- | ---: |")
    for blas in options.blas or [d for d in BLAS_DIRECTORIES if os.path.exists(f"/usr/lib/{platform.machine()}-linux-gnu/{d}/libblas.so.3")]:
        worker = torch_worker(options, blas)
        reply = worker.ask(task="encode", set="equal", precision="fp32", batch=16, in_order=False, warm=1, repeat=1 if options.quick else 3)
        seconds = min(reply["seconds"])
        print(f"| {worker.name} | {seconds:.3f} |", flush=True)
        if best is None or seconds < best[0]:
            if best:
                best[1].close()
            best = (seconds, worker)
        else:
            worker.close()
    if best is None:
        return torch_worker(options)
    return best[1]


def search(options, worker, request, grid):
    """The fastest of these variants of a request."""
    best = None
    if options.quick:
        return grid[len(grid) // 2]
    for variant in grid:
        seconds = min(worker.ask(**request, **variant, warm=1, repeat=1)["seconds"])
        if best is None or seconds < best[0]:
            best = (seconds, variant)
    return best[1]


def describe(variant):
    if variant["in_order"]:
        return f"padded, batches of {variant['batch']} in the given order"
    return f"sorted by length, batches of {variant['batch']}" + (", fused matrices" if variant.get("fused", True) else "") + (f", {variant['maximum']}" if "maximum" in variant else "")


def turns(options, contenders):
    """Seconds and replies of every contender: a list of (label, worker, request)."""
    times = {label: [] for label, _, _ in contenders}
    processor_times = {label: [] for label, _, _ in contenders}
    replies = {}
    calls = 1 if options.quick else 2
    for _ in range(options.rounds):
        for label, worker, request in contenders:
            reply = worker.ask(**request, warm=1, repeat=calls)
            replies[label] = reply
            times[label] += reply.get("seconds") or []
            processor_times[label] += reply.get("processor_seconds") or []
            reply["processor_seconds"] = processor_times[label]
    return times, replies


def check(options, tern, torch, request, variant, tolerance):
    """Both sides' results on one request, element by element against the largest of each array."""
    paths = [os.path.join(options.work, f"{side}.f32") for side in ("tern", "torch")]
    for worker, path, extra in ((tern, paths[0], {}), (torch, paths[1], variant)):
        reply = worker.ask(**request, **extra, threads=options.threads, precision="fp32", warm=1, repeat=0, output=path)
        if reply.get("error"):
            raise SystemExit(f"{worker.name}: {reply['error']}")
    left, right = (numpy.fromfile(path, numpy.float32) for path in paths)
    if left.shape != right.shape:
        raise SystemExit(f"{request}: Tern wrote {left.size} numbers, PyTorch {right.size}")
    error = 0.0
    for begin, end in sections(options, request, left.size):
        magnitude = numpy.abs(right[begin:end]).max()
        error = max(error, float(numpy.abs(left[begin:end] - right[begin:end]).max() / magnitude))
    if not error <= tolerance:
        raise SystemExit(f"{request}: Tern and PyTorch differ by {error:.1e} of the largest element, more than {tolerance:.0e}; times would say nothing")
    return error


def sections(options, request, total):
    """Where the arrays begin and end in a worker's output."""
    with open(os.path.join(options.work, "work.json")) as file:
        work = json.load(file)
    sizes = [total]
    if request["task"] == "train":
        with open(os.path.join(options.work, "blocks", "model.safetensors"), "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        header.pop("__metadata__", None)
        offsets = sorted(entry["data_offsets"] for entry in header.values())
        weights = [(end - begin) // 4 for begin, end in offsets]
        sizes = [total - sum(weights), *weights]
    elif request["task"] == "sparse_head":
        head = work["sparse_head"]
        sizes = [head["sequences"] * head["vocabulary"], head["sequences"] * head["length"] * head["hidden_size"], head["vocabulary"] * head["hidden_size"]]
    begin = 0
    for size in sizes:
        yield begin, begin + size
        begin += size


def table(title, contenders, times, replies, first, columns=()):
    print(f"\n## {title}\n")
    print("| | median s | best s | processor s | Tern's advantage |" + "".join(f" {name} |" for name, _ in columns))
    print("| --- | ---: | ---: | ---: | ---: |" + " ---: |" * len(columns))
    for label, _, _ in contenders:
        reply = replies[label]
        if reply.get("error"):
            print(f"| {label} | {reply['error']} | | | |" + " |" * len(columns))
            continue
        median = statistics.median(times[label])
        ratio = median / statistics.median(times[first])
        print(f"| {label} | {median:.4f} | {min(times[label]):.4f} | {statistics.median(reply['processor_seconds']):.4f} | {'' if label == first else f'{ratio:.2f} x'} |" + "".join(f" {value(median, reply)} |" for _, value in columns), flush=True)


def blocks(options, tern, torch):
    grids = {"equal": [4, 8, 16, 32], "mixed": [4, 8, 16, 32, 64]}
    for task, optimizers in (("encode", (False,)), ("train", (False, True))):
        if task not in options.only:
            continue
        for documents in ("equal", "mixed"):
            base = {"task": task, "set": documents}
            error = check(options, tern, torch, {**base, **({"optimizer": False} if task == "train" else {})}, {"batch": 8, "in_order": False, "fused": False}, 1e-4 if task == "encode" else 1e-3)
            for optimizer in optimizers:
                extra = {"optimizer": optimizer} if task == "train" else {}
                grid = [{"batch": b, "in_order": False, "fused": True} for b in grids[documents]]
                request = {**base, **extra}
                contenders = [(f"Tern {p}", tern, {**request, "precision": p, "threads": options.threads}) for p in ("fp32", "bf16")]
                if task == "encode":
                    contenders.append(("Tern int8", tern, {**request, "precision": "int8", "threads": options.threads}))
                for precision in ("fp32", "bf16"):
                    variant = search(options, torch, {**request, "precision": precision}, grid)
                    contenders.append((f"PyTorch {precision}, {describe(variant)}", torch, {**request, "precision": precision, **variant}))
                    if documents == "mixed":
                        padded = {"batch": 32, "in_order": True, "fused": False}
                        contenders.append((f"PyTorch {precision}, {describe(padded)}", torch, {**request, "precision": precision, **padded}))
                times, replies = turns(options, contenders)
                name = "Encode" if task == "encode" else f"Training step {'with AdamW' if optimizer else 'without optimiser'}"
                tokens = options.tokens[documents] if task == "encode" else options.training_tokens[documents]
                columns = [("tokens/s", lambda median, _: f"{tokens / median:,.0f}")]
                if documents == "equal":
                    columns.append(("GFLOP/s", lambda median, _: f"{BLOCKS_FLOPS / (3 if task == 'encode' else 1) / median / 1e9:.0f}"))
                table(f"{name}, {documents} lengths ({tokens:,} tokens)", contenders, times, replies, "Tern fp32", columns)
                print(f"\nLargest difference between the two {'vectors' if task == 'encode' else 'representations and gradients'}: {error:.0e} of the largest element.")


def sparse_step(options, tern, torch):
    request = {"task": "sparse_step"}
    grid = [{"batch": b, "in_order": False, "fused": True, "maximum": m} for b in (24, 48, 96, 192) for m in ("max", "amax")]
    variant = search(options, torch, {**request, "precision": "fp32"}, grid)
    padded = {"batch": 192, "in_order": True, "fused": False, "maximum": "max"}
    contenders = [
        ("Tern fp32", tern, {**request, "precision": "fp32", "threads": options.threads}),
        ("Tern bf16", tern, {**request, "precision": "bf16", "threads": options.threads}),
        (f"PyTorch fp32, {describe(variant)}", torch, {**request, "precision": "fp32", **variant}),
        (f"PyTorch fp32, {describe(padded)}", torch, {**request, "precision": "fp32", **padded}),
        (f"PyTorch bf16, {describe(variant)}", torch, {**request, "precision": "bf16", **variant}),
    ]
    losses = [worker.ask(**contender, warm=3, repeat=0)["losses"] for _, worker, contender in (contenders[0], contenders[2])]
    for step, (left, right) in enumerate(zip(*losses), 1):
        if not abs(left - right) <= 1e-3 * abs(right):
            raise SystemExit(f"sparse_step: the loss of step {step} is {left} for Tern, {right} for PyTorch; times would say nothing")
    times, replies = turns(options, contenders)
    columns = [("document entries not 0", lambda _, reply: f"{reply['non_zeros']:.1%}")]
    table("The demo's sparse model: one training step, batch of 192 pairs, vocabulary 8000", contenders, times, replies, "Tern fp32", columns)
    print(f"\nForward, head, InfoNCE, FLOPS on both sides, backward, clipping, AdamW. Losses of the first steps: Tern {', '.join(f'{x:.5f}' for x in losses[0])}; PyTorch {', '.join(f'{x:.5f}' for x in losses[1])}.")


def sparse_head(options):
    """In fresh processes, whose peak memory is then this task's."""
    with open(os.path.join(options.work, "work.json")) as file:
        head = json.load(file)["sparse_head"]
    tern, torch = tern_worker(options), torch_worker(options, options.chosen_blas)
    request = {"task": "sparse_head"}
    variant = {"batch": head["sequences"], "in_order": False, "maximum": "max"}
    error = check(options, tern, torch, request, variant, 1e-3)
    tern.close()
    torch.close()
    tern, torch = tern_worker(options), torch_worker(options, options.chosen_blas)
    best = {"batch": 1, "in_order": False, "maximum": "max"}
    contenders = [
        ("Tern fp32", tern, {**request, "precision": "fp32", "threads": options.threads}),
        ("PyTorch fp32, all sequences at once", torch, {**request, "precision": "fp32", **variant}),
        ("PyTorch fp32, all at once, amax", torch, {**request, "precision": "fp32", **variant, "maximum": "amax"}),
        ("PyTorch fp32, one sequence at a time", torch, {**request, "precision": "fp32", **best}),
    ]
    first = {label: worker.ask(**contender, warm=1, repeat=1) for label, worker, contender in contenders}
    times, replies = turns(options, contenders)
    for label in replies:
        replies[label]["peak_bytes"] = max(first[label]["peak_bytes"], replies[label]["peak_bytes"])
    logits = head["sequences"] * head["length"] * head["vocabulary"] * 4
    columns = [("peak memory MB", lambda _, reply: f"{reply['peak_bytes'] / 1e6:,.0f}"), ("of [tokens, vocabulary]", lambda _, reply: f"1/{logits / reply['peak_bytes']:.1f}" if reply['peak_bytes'] else "no growth: an earlier row's memory")]
    table(f"The sparse head alone, forward and backward: {head['sequences']} x {head['length']} tokens, H = {head['hidden_size']}, V = {head['vocabulary']:,}", contenders, times, replies, "Tern fp32", columns)
    print(f"\nPeak memory is the growth of the process's resident memory by the calls; operands and their gradients are there before. Logits [tokens, vocabulary] are {logits / 1e6:,.0f} MB. Entries not 0: {replies['Tern fp32']['non_zeros']:.1%}. Largest difference: {error:.0e} of the largest element.")
    tern.close()
    torch.close()


def tern_worker(options):
    return Worker(["dotnet", options.tern, "peers-worker", options.work])


def processor():
    with open("/proc/cpuinfo") as file:
        fields = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines() if ":" in line)
    fields = {k.strip(): v.strip() for k, v in fields.items()}
    return f"{fields['model name']} (family {fields['cpu family']}, model {fields['model']}; {' '.join(flags())}), {os.cpu_count()} cores"


def flags():
    with open("/proc/cpuinfo") as file:
        present = next((line.split() for line in file if line.startswith("flags")), [])
    return [f for f in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni") if f in present]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tern", required=True, help="Tern.Benchmarks.dll")
    parser.add_argument("--work", required=True, help="directory that peers-prepare wrote")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="no search for the peer's best batch, one call a turn: to try the scripts out")
    parser.add_argument("--blas", action="append", help="only this one, such as openblas-openmp; may be repeated")
    parser.add_argument("--only", nargs="+", default=["encode", "train", "sparse_step", "sparse_head"], choices=["encode", "train", "sparse_step", "sparse_head"])
    options = parser.parse_args()
    with open(os.path.join(options.work, "work.json")) as file:
        work = json.load(file)
    options.tokens = {name: sum(map(len, texts)) for name, texts in work["documents"].items()}
    options.training_tokens = {name: sum(map(len, texts[:work["training_documents"]])) for name, texts in work["documents"].items()}
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    print(f"# Tern beside PyTorch\n\nMachine: {processor()}; {platform.platform()}; commit {commit}; {datetime.date.today()}; load when begun {os.getloadavg()[0]:.2f}.")
    lengths = sorted(map(len, work["documents"]["mixed"]))
    print(f"Wall clock, {options.threads} threads on either side, in {options.rounds} turns of one untimed and two timed calls each. Mixed lengths: {len(lengths)} documents, log-normal, seeded: {lengths[0]} to {lengths[-1]} tokens, median {lengths[len(lengths) // 2]}, mean {sum(lengths) / len(lengths):.0f}.")
    print(f"The blocks' model: 8 layers, d = 512, 8 heads over 4, feed-forward 1536, with a small embedding (8000 rows) before and mean pooling after the blocks.")
    torch = choose_blas(options)
    options.chosen_blas = next((d for d in BLAS_DIRECTORIES if f"({d}" in torch.name), None)
    tern = tern_worker(options)
    print(f"\nTern: {tern.name}. PyTorch: {torch.name}.")
    blocks(options, tern, torch)
    if "sparse_step" in options.only:
        sparse_step(options, tern, torch)
    tern.close()
    torch.close()
    if "sparse_head" in options.only:
        sparse_head(options)


main()
