"""What verify.sh measured, as Markdown: `summarize.py RESULTS`. Ratios only where every check passed. With --slowest N: the names of
the operations that took longest, with commas between."""
import argparse
import json
import statistics


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.startswith("{")]


def table(head, rows):
    if rows:
        print("\n| " + " | ".join(head) + " |\n| " + " | ".join(["---"] + ["---:"] * (len(head) - 1)) + " |")
        for row in rows:
            print("| " + " | ".join(str(cell) for cell in row) + " |")


def kernel_rows(lines, right):
    ours, peers = {}, {}
    for line in lines:
        if line["phase"] == "kernels" and "ms" in line:
            key = (line["precision"], line["shape"].split()[0].removesuffix("-sparse"), line["operation"])
            if "side" in line:
                peers.setdefault(key, {})[line["side"]] = line["ms"]
            else:
                ours[key] = line
    for key, line in ours.items():
        peer = peers.get(key, {})
        best = min(peer.values(), default=None)
        yield [line["operation"], key[1], key[0], f"{line['ms']:.4f}", f"{line['percent_of_floor']:.0f}"] + [f"{peer[s]:.4f}" if s in peer else "" for s in ("torch eager", "torch compile")] + [f"{best / line['ms']:.2f}" if best and right else ""]


def run_rows(lines, phase, right):
    sides = {}
    for line in lines:
        if line["phase"] == phase and ("ms" in line or "error" in line):
            key = (line["model"].split("/")[-1], line.get("trained", ""), line["precision"], line.get("activation_checkpointing", False))
            sides.setdefault(key, {}).setdefault(line["side"], []).append(line)
    for key, by_side in sides.items():
        own = [line["ms"] for line in by_side.get("tern", [])]
        for side, found in by_side.items():
            times = [line["ms"] for line in found if "ms" in line]
            if not times:
                yield [key[0], key[1], key[2], side, found[0].get("error", ""), "", "", "", "", ""]
                continue
            median, last = statistics.median(times), found[-1]
            peak = last.get("peak_bytes") or last.get("tensor_bytes", 0) + last.get("workspace_bytes", 0)
            ratio = f"{median / statistics.median(own):.2f}" if right and own and side != "tern" else ""
            launches = (last.get("launches") or 0) + last.get("products", 0)
            yield [key[0], key[1] + (", blocks computed again" if key[3] else ""), key[2], side, f"{median:.2f}", f"{min(times):.2f}-{max(times):.2f}", f"{last['tokens'] / median * 1000:.0f}", launches or "", f"{peak / 2**20:.0f}"] + [ratio]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results")
    parser.add_argument("--slowest", type=int)
    args = parser.parse_args()
    lines = read(args.results)
    if args.slowest:
        own = {line["operation"]: line["ms"] for line in lines if line["phase"] == "kernels" and "side" not in line and line["precision"] == "bf16"}
        print(",".join(sorted(own, key=own.get, reverse=True)[: args.slowest]))
        return
    checks = [line for line in lines if line["phase"] in ("check", "parity")]
    wrong = [line for line in checks if not line["passed"]]
    emulated = any(line.get("device") == "emulated" for line in lines)
    right = bool(checks) and not wrong and not emulated
    print("# Verified on", ", ".join(str(line.get("gpu") or line.get("torch") and "PyTorch " + line["torch"]) for line in lines if line["phase"] == "machine"))
    print(f"\n{len(checks) - len(wrong)} of {len(checks)} checks passed." + ("" if right else " No ratios are given" + (": the device is emulated." if emulated else ".")))
    table(["wrong", "precision", "worst", "error", "limit"], [[line.get("operation", "parity"), line["precision"], line.get("worst", "cosine"), line.get("error", line.get("least_cosine")), line["limit"]] for line in wrong])
    table(["operation", "shape", "precision", "ms", "% of floor", "torch eager ms", "torch compile ms", "times as fast"], list(kernel_rows(lines, right)))
    for phase, what in (("train", "training step"), ("encode", "encode")):
        table([what, "trained", "precision", "side", "ms", "spread", "tokens/s", "launches", "peak MiB", "tern is times as fast"], list(run_rows(lines, phase, right)))
    runs = [line for line in lines if line["phase"] == "dense" and "ms" in line]
    table(["dense search", "device", "queries", "vectors", "k", "ms", "queries/s"], [[line["side"], line["device"], line["queries"], f"{line['documents']} x {line['dimension']}", line["k"], f"{line['ms']:.2f}", f"{line['queries_per_s']:.0f}"] for line in runs])


if __name__ == "__main__":
    main()
