"""PyTorch's side of the timings: `torch_peer.py train|encode|kernels|dense|count --model DIR ...` prints JSON lines in the words of
`tern bench`. Timed by CUDA events, and by the clock without a GPU."""
import argparse
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

import torch_llama

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def say(**fields):
    print(json.dumps(fields), flush=True)


class Clock:
    """Milliseconds from start to stop."""

    def __init__(self):
        self.events = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if DEVICE == "cuda" else None

    def start(self):
        if self.events:
            self.events[0].record()
        self.begun = time.perf_counter()

    def stop(self):
        if not self.events:
            return (time.perf_counter() - self.begun) * 1000
        self.events[1].record()
        torch.cuda.synchronize()
        return self.events[0].elapsed_time(self.events[1])


def time_rounds(run, warm_ups, rounds):
    clock, times = Clock(), []
    for i in range(-warm_ups, rounds):
        clock.start()
        run()
        taken = clock.stop()
        if i >= 0:
            times.append(taken)
    return statistics.median(times), min(times)


def count_launches(run):
    """Kernels of one run as the profiler sees them; None where it sees none."""
    if DEVICE != "cuda":
        return None
    try:
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CUDA]) as recorded:
            run()
            torch.cuda.synchronize()
        return sum(1 for event in recorded.events() if "CUDA" in str(event.device_type) and not event.name.startswith(("Memcpy", "Memset"))) or None
    except Exception as error:  # a profiler that does not work costs this figure only
        print(f"no launch count: {error}", file=sys.stderr)
        return None


def peak_bytes():
    return torch.cuda.max_memory_allocated() if DEVICE == "cuda" else 0


def build(args, rank=0):
    dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
    torch.manual_seed(args.seed)
    model = torch_llama.Retriever(args.model, DEVICE, dtype, rank, args.lora_dropout if rank else 0.0, args.activation_checkpointing)
    if args.mode == "compile":
        for i, block in enumerate(model.blocks):
            model.blocks[i] = torch.compile(block)
    return model


def tokens_of(model, count, length):
    return torch.randint(0, model.config["vocab_size"], (count, length), device=DEVICE)


def make_step(args):
    """One training step as a function, and its tokens."""
    model = build(args, args.lora_rank).train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0, foreach=True)
    queries = tokens_of(model, args.queries, args.query_length)
    documents = tokens_of(model, args.queries * (1 + args.negatives), args.document_length)

    def step():
        optimizer.zero_grad(set_to_none=True)
        q, d = model(queries), model(documents)
        loss = torch_llama.info_nce(q, d, 1.0 if model.sparse else 0.01)
        if model.sparse:
            loss = loss + 1e-3 * torch_llama.flops(q) + 1e-3 * torch_llama.flops(d)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        return loss

    return model, step, queries.numel() + documents.numel()


def train(args):
    model, step, tokens = make_step(args)
    first = float(step())
    median, least = time_rounds(step, args.warm_ups, args.rounds)
    say(phase="train", side=f"torch {args.mode}", device=name(), model=args.model.rstrip("/").split("/")[-1], kind="sparse" if model.sparse else "dense", precision=args.precision,
        trained=f"LoRA {args.lora_rank}" if args.lora_rank else "all weights", activation_checkpointing=args.activation_checkpointing, tokens=tokens, ms=round(median, 4), least_ms=round(least, 4),
        tokens_per_s=round(tokens / median * 1000, 1), launches=count_launches(step), peak_bytes=peak_bytes(), first_loss=first)


def encode(args):
    model = build(args).eval()
    tokens = tokens_of(model, args.sequences, args.length)

    def run():
        with torch.no_grad():
            return model(tokens)

    median, least = time_rounds(run, args.warm_ups, args.rounds)
    say(phase="encode", side=f"torch {args.mode}", device=name(), model=args.model.rstrip("/").split("/")[-1], kind="sparse" if model.sparse else "dense", precision=args.precision,
        texts=args.sequences, tokens=tokens.numel(), ms=round(median, 4), least_ms=round(least, 4), texts_per_s=round(args.sequences / median * 1000, 2), launches=count_launches(run), peak_bytes=peak_bytes())


def kernel_cases(model, args, dtype):
    """Operations as `tern bench kernels` names them, at the same sizes; each made when it is timed."""
    config = model
    b, length = args.sequences, args.length
    t, h, i, v = b * length, config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim") or h // heads

    def normal(*shape, kind=dtype, grad=False):
        return torch.randn(*shape, device=DEVICE, dtype=kind).requires_grad_(grad)

    def backward(forward, *leaves):
        output = forward(*leaves)
        gradient = torch.randn_like(output)
        return lambda: torch.autograd.grad(output, leaves, gradient, retain_graph=True)

    def embedding():
        table, tokens = normal(v, h), torch.randint(0, v, (t,), device=DEVICE)
        return lambda: F.embedding(tokens, table)

    def norm():
        x, w = normal(t, h), normal(h)
        return lambda: torch_llama.rms_norm(x, w, 1e-5)

    def norm_backward():
        return backward(lambda x, w: torch_llama.rms_norm(x, w, 1e-5), normal(t, h, grad=True), normal(h, grad=True))

    def rope():
        q, c, s = normal(b, heads, length, size), normal(length, size), normal(length, size)
        return lambda: torch_llama.rotate(q, c, s)

    def heads_of(grad):
        return normal(b, heads, length, size, grad=grad), normal(b, groups, length, size, grad=grad), normal(b, groups, length, size, grad=grad)

    def attention():
        q, k, value = heads_of(False)
        return lambda: torch_llama.attend(q, k, value)

    def swiglu():
        g, u = normal(t, i), normal(t, i)
        return lambda: F.silu(g) * u

    def project():
        x, w = normal(t, h), normal(i, h)
        return lambda: F.linear(x, w)

    def lora():
        x, a, low, y = normal(t, h), normal(16, h), normal(i, 16), normal(t, i)
        return lambda: y + F.linear(F.linear(x, a), low) * 0.5

    def head():
        x, w = normal(b, length, h), normal(v, h)
        return lambda: ((x @ w.T) * 0.05).max(1)

    def head_backward():
        x, w = normal(b, length, h, grad=True), normal(v, h)
        output = ((x @ w.T) * 0.05).max(1).values
        gradient = torch.randn_like(output) * (torch.rand_like(output) < 0.03)
        return lambda: torch.autograd.grad(output, (x,), gradient, retain_graph=True)

    def log1p():
        m = normal(b, v, kind=torch.float32)
        return lambda: torch.log1p(torch.relu(m))

    def mean():
        x = normal(b, length, h)
        return lambda: F.normalize(x.float(), dim=-1).mean(1)

    def nce():
        scores, labels = normal(b, 8 * b, kind=torch.float32), torch.randint(0, 8 * b, (b,), device=DEVICE)
        return lambda: F.cross_entropy(scores, labels, reduction="none")

    def adamw():
        p = normal(i, h, kind=torch.float32, grad=True)
        p.grad = torch.randn_like(p)
        return torch.optim.AdamW([p], lr=0.01, foreach=True).step

    return {
        "EmbeddingForward": embedding,
        "RmsNormForward": norm,
        "RmsNormBackward": norm_backward,
        "RopeForward": rope,
        "AttentionForward": attention,
        "AttentionBackward": lambda: backward(torch_llama.attend, *heads_of(True)),
        "SwiGluForward": swiglu,
        "SwiGluBackward": lambda: backward(lambda g, u: F.silu(g) * u, normal(t, i, grad=True), normal(t, i, grad=True)),
        "ProjectForward": project,
        "ProjectBackward": lambda: backward(F.linear, normal(t, h, grad=True), normal(i, h, grad=True)),
        "LoraForward": lora,
        "MaxPoolProductForward": head,
        "MaxPoolProductBackward": head_backward,
        "Log1pReluForward": log1p,
        "NormalizedMeanForward": mean,
        "InfoNceForward": nce,
        "AdamW": adamw,
    }


def kernels(args):
    with open(args.model + "/config.json", encoding="utf-8") as file:
        config = json.load(file)
    dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
    flushed = torch.empty(args.flush_mib << 20, dtype=torch.uint8, device=DEVICE)
    for operation, make in kernel_cases(config, args, dtype).items():
        for mode in ("eager", "compile") if args.mode == "both" and hasattr(torch, "compile") else ("eager",):
            try:
                run = make()
                run = torch.compile(run) if mode == "compile" and not operation.endswith("Backward") and operation != "AdamW" else run
                clock, times = Clock(), []
                for i in range(-args.warm_ups, args.rounds):
                    flushed.zero_()
                    clock.start()
                    run()
                    taken = clock.stop()
                    if i >= 0:
                        times.append(taken)
                say(phase="kernels", side=f"torch {mode}", device=name(), shape=f"{args.model.rstrip('/').split('/')[-1]} {args.sequences}x{args.length}", precision=args.precision, operation=operation, ms=round(statistics.median(times), 5), least_ms=round(min(times), 5))
            except RuntimeError as error:
                say(phase="kernels", side=f"torch {mode}", operation=operation, precision=args.precision, error=str(error).split("\n")[0][:200])
            run = None
            if DEVICE == "cuda":
                torch.cuda.empty_cache()


def dense(args):
    """Exact top-k in Float32: blocks of scores, each merged with the best so far."""
    if DEVICE == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = False
    rows, queries = torch.rand(args.documents, args.dimension, device=DEVICE) * 2 - 1, torch.rand(args.queries, args.dimension, device=DEVICE) * 2 - 1
    k = min(args.k, args.documents)

    def run():
        best, ids = None, None
        for first in range(0, args.documents, args.block):
            scores = queries @ rows[first : first + args.block].T
            values, places = scores.topk(min(k, scores.shape[1]))
            places = places + first
            if best is not None:
                values, chosen = torch.cat([best, values], 1).topk(k)
                places = torch.cat([ids, places], 1).gather(1, chosen)
            best, ids = values, places
        return ids.cpu()

    median, least = time_rounds(run, args.warm_ups, args.rounds)
    say(phase="dense", side="torch eager", device=name(), documents=args.documents, dimension=args.dimension, queries=args.queries, k=args.k, ms=round(median, 4), least_ms=round(least, 4), queries_per_s=round(args.queries / median * 1000, 1))


def count(args):
    """Operators that a step hands to the device, views left out: each is at least one kernel of an eager PyTorch."""
    from torch.utils._python_dispatch import TorchDispatchMode

    views = {"view", "_unsafe_view", "t", "transpose", "permute", "expand", "slice", "select", "split", "unsqueeze", "squeeze", "detach", "alias", "as_strided", "reshape", "_reshape_alias", "empty", "empty_like", "empty_strided", "unbind", "set_", "lift_fresh", "resize_", "is_same_size", "_local_scalar_dense", "chunk"}
    counts = {"operators": 0, "products": 0}

    class Counter(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            plain = function.overloadpacket.__name__
            if plain not in views:
                # One call over all parameters is a few launches; one each is what AdamW without it takes.
                counts["operators"] += 1
                counts["products"] += plain in ("mm", "bmm", "addmm", "matmul")
            return function(*arguments, **(keywords or {}))

    model, step, tokens = make_step(args)
    step()
    with Counter():
        step()
    say(phase="count", side="torch eager", model=args.model.rstrip("/").split("/")[-1], kind="sparse" if model.sparse else "dense", trained=f"LoRA {args.lora_rank}" if args.lora_rank else "all weights", layers=model.config["num_hidden_layers"], tokens=tokens, torch=torch.__version__, **counts)


def name():
    return torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("phase", choices=["train", "encode", "kernels", "dense", "count"])
    parser.add_argument("--model", default="")
    parser.add_argument("--precision", choices=["f32", "bf16"], default="bf16")
    parser.add_argument("--mode", choices=["eager", "compile", "both"], default="eager")
    parser.add_argument("--activation-checkpointing", action="store_true")
    parser.add_argument("--lora-dropout", type=float, default=0.05)
    for option, value in {"queries": 8, "query-length": 64, "negatives": 16, "document-length": 128, "lora-rank": 16, "sequences": 64, "length": 192, "seed": 1, "warm-ups": 3, "rounds": 10, "flush-mib": 256, "documents": 262144, "dimension": 1024, "k": 1000, "block": 65536}.items():
        parser.add_argument("--" + option, type=int, default=value)
    args = parser.parse_args()
    try:
        {"train": train, "encode": encode, "kernels": kernels, "dense": dense, "count": count}[args.phase](args)
    except RuntimeError as error:
        if "out of memory" not in str(error):
            raise
        say(phase=args.phase, side=f"torch {args.mode}", model=args.model, precision=args.precision, error="out of memory", peak_bytes=peak_bytes())


if __name__ == "__main__":
    main()
