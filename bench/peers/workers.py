"""The processes that are compared: each answers requests on its input, one JSON object a line."""
import json
import os
import platform
import subprocess
import time

BLAS_DIRECTORIES = ["openblas-openmp", "openblas-pthread", "blis-openmp", "blis-pthread"]
BLIS_SKX = "0"  # what BLIS_ARCH_TYPE calls its AVX-512 kernels; it does not choose them itself on processors newer than it
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


def tern_worker(options):
    return Worker(["dotnet", options.tern, "peers-worker", options.work])


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
    """The PyTorch worker with the fastest BLAS of those installed."""
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


def processor():
    with open("/proc/cpuinfo") as file:
        fields = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines() if ":" in line)
    fields = {k.strip(): v.strip() for k, v in fields.items()}
    return f"{fields['model name']} (family {fields['cpu family']}, model {fields['model']}; {' '.join(flags())}), {os.cpu_count()} cores"


def flags():
    with open("/proc/cpuinfo") as file:
        present = next((line.split() for line in file if line.startswith("flags")), [])
    return [f for f in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni") if f in present]
