#!/usr/bin/env python3
"""Checks designs as PyTorch modules on a GPU, in one run of some minutes that needs Python and torch alone.

On any machine with a build, once:
    tools/gpu_check.sh prepare DIR
On the machine with the GPU, with this repository and DIR:
    tools/gpu_check.sh run DIR [--device cuda] [--minutes 8] [--out FILE.json]

`run` prints a table and writes its rows as JSON lines. It checks: scores of trained designs against those that the
CPU engine computed in float64; that no later token, other document or other row changes the logits; tokens per second
and FLOP utilisation of training, eager and compiled, at 14M and 125M parameters; how many runs fill a GPU; two
processes, where there are two GPUs. What does not fit into the time is named. Exit status: 1 if a check fails.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tools")]

# Designs whose scores are compared, and designs whose speed is measured, by size
DESIGNS = ("llama", "gpt2", "mamba2", "gated_deltanet", "gla", "rwkv6")
SIZES = {"14M": ("llama", "mamba2", "gated_deltanet"), "125M": ("llama", "mamba2")}
SMALL_SIZES = {"1M": ("llama", "mamba2")}
LENGTH, DOCUMENTS = 128, 2  # tokens of a window, and held-out documents that are scored
EXACT, HALF = 1e-6, 0.02  # nats per token by which float64 and bf16 may differ from the CPU engine
UNSEEN = 1e-4  # the most by which a logit may change with what its position does not see


# ---- prepare ----


def prepare(arguments):
    """Trains the designs on the documentation, and exports them with the scores of the CPU engine."""
    out = arguments.folder
    gabbro = str(ROOT / "build" / "gabbro")

    def call(*words):
        done = subprocess.run([gabbro, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # A run so short may be worse than bigrams (exit status 1). Its weights have a score all the same.
        if done.returncode > (1 if words[0] == "train" else 0):
            sys.exit(f"gabbro {' '.join(words)}: {done.stderr}")
        return done.stdout

    corpus = out / "corpus"
    pages = sorted(str(page) for page in (ROOT / "docs").glob("*.md"))
    call("data", "build", "--out", str(corpus), "--vocab", "512", "--valid", "0.3", *pages)
    for design in DESIGNS:
        run = out / "runs" / design
        call("train", f"zoo/{design}.gab", "--data", str(corpus), "--params", "300k", "--tokens", "20k", "--seq",
             str(LENGTH), "--batch", "4", "--dtype", "float64", "--valid-documents", str(DOCUMENTS), "--out", str(run))
        call("export", str(run), "--format", "torch", "--out", str(out / design))
        result = json.loads((run / "result.json").read_text())
        expected = {"bits": [d["bits_per_byte"] * d["bytes"] for d in result["documents"]],
                    "texts": texts(corpus)}
        (out / design / "expected.json").write_text(json.dumps(expected))
        print(f"{design}: {result['bits_per_byte']:.4f} bits per byte")
    for size, designs in (SMALL_SIZES if arguments.small else SIZES).items():
        for design in designs:
            folder = out / f"{design}-{size}"
            program = ["--params", size, "--vocab", "512" if arguments.small else "32000"]
            call("export", f"zoo/{design}.gab", *program, "--format", "torch", "--out", str(folder))
            facts = json.loads(call("check", f"zoo/{design}.gab", *program, "--json"))
            (folder / "facts.json").write_text(json.dumps({"size": size, "flops": facts["train_flops_per_token"]}))
            print(f"{design} with {size} parameters: {facts['train_flops_per_token']:.3g} FLOPs per token")


def texts(corpus):
    """Returns the tokens of the first held-out documents, each after the token that ends documents."""
    import numpy

    manifest = json.loads((corpus / "manifest.json").read_text())
    shard = manifest["splits"]["valid"]["shards"][0]["file"]
    tokens = numpy.fromfile(corpus / shard, numpy.uint32 if manifest["vocab"] > 65536 else numpy.uint16)
    ends = numpy.fromfile(corpus / "valid.documents", numpy.uint64).reshape(-1, 2)[:, 0].astype(int)
    begins = [0, *ends[:-1]]
    end = int(tokens[ends[0] - 1])
    return [[end, *map(int, tokens[begin:after])] for begin, after in zip(begins, ends[:DOCUMENTS])]


# ---- run ----


class Check:
    """The rows of one run, and its time."""

    def __init__(self, arguments):
        import torch

        self.torch, self.device = torch, torch.device(arguments.device)
        self.small, self.folder = arguments.small, arguments.folder
        self.deadline = time.monotonic() + 60 * arguments.minutes
        self.rows, self.failed = [], False

    def add(self, what, design, value, holds=None):
        """Adds a row. `holds` is None for a measurement that cannot fail."""
        verdict = "" if holds is None else "holds" if holds else "FAILS"
        self.failed |= holds is False
        self.rows.append({"check": what, "design": design, "value": value, "holds": holds})
        print(f"{what:<34}{design:<22}{value:<40}{verdict}", flush=True)

    def has_time(self, what, design, seconds):
        """True if `seconds` are left; otherwise a row says that the check was left out."""
        if time.monotonic() + seconds < self.deadline:
            return True
        self.add(what, design, "left out: no time")
        return False


def model_of(check, folder, dtype="float32", compiled=False):
    """Returns a model as the worker opens it (python/gabbro_torch)."""
    from gabbro_torch.model import Model
    from gabbro_torch.team import Team

    return Model(head_of(folder, dtype, compiled), Team(1, str(check.device)))


def head_of(folder, dtype, compiled):
    """Returns the message that opens a model (python/gabbro_torch)."""
    config = json.loads((folder / "config.json").read_text())
    return {"source": (folder / "model.py").read_text(), "class": config["class"], "dtype": dtype, "threads": 1,
            "rows": 0, "compile": compiled, "untied": False, "weights": config["weights"]}


def load_weights(check, folder, module):
    """Reads weights.safetensors: a length, a header in JSON, then the values."""
    data = (folder / "weights.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, values = json.loads(data[8 : 8 + size]), data[8 + size :]
    with check.torch.no_grad():
        for name, parameter in module.named_parameters():
            begin, end = header[name]["data_offsets"]
            array = check.torch.frombuffer(bytearray(values[begin:end]), dtype=check.torch.float32)
            parameter.copy_(array.reshape(header[name]["shape"]))


def nats_of(check, module, text, half):
    """Returns the loss of a text in nats, in windows of LENGTH positions, each without what came before, as scores are computed."""
    import torch.nn.functional as F

    torch, whole = check.torch, (len(text) - 1) // LENGTH * LENGTH
    total = 0.0
    # The whole windows, then a shorter one with the rest
    for begin, end, rows in ((0, whole, whole // LENGTH), (whole, len(text) - 1, 1)):
        if begin == end:
            continue
        shape = (rows, (end - begin) // rows)
        tokens, targets = (torch.tensor(text[begin + i : end + i], device=check.device).reshape(shape) for i in (0, 1))
        for part in range(0, rows, 64):  # 64 windows at a time
            with torch.no_grad(), torch.autocast(check.device.type, torch.bfloat16, enabled=half):
                logits = module(tokens[part : part + 64])
            total += F.cross_entropy(logits.double().flatten(0, 1), targets[part : part + 64].flatten(),
                                     reduction="sum").item()
    return total


def check_scores(check, design):
    folder = check.folder / design
    expected = json.loads((folder / "expected.json").read_text())
    for dtype, allowed in (("float64", EXACT), ("bf16", HALF)):
        module = model_of(check, folder, dtype).module
        load_weights(check, folder, module)
        worst = 0.0
        for text, bits in zip(expected["texts"], expected["bits"]):
            nats = nats_of(check, module, text, dtype == "bf16")
            worst = max(worst, abs(nats - bits * math.log(2)) / (len(text) - 1))
        check.add(f"score = CPU engine, {dtype}", design, f"{worst:.2g} nats per token", worst <= allowed)


def check_leaks(check, design):
    """Changes what a position must not see; its logits may change by UNSEEN at most."""
    torch, folder = check.torch, check.folder / design
    module = model_of(check, folder).module
    load_weights(check, folder, module)
    module.eval()
    random = torch.Generator().manual_seed(1)
    vocab = module.embedding.weight.shape[0]
    tokens = torch.randint(vocab, (3, 2 * LENGTH), generator=random).to(check.device)
    documents = (torch.arange(2 * LENGTH) >= LENGTH).long().expand(3, -1).to(check.device)
    with torch.no_grad():
        unchanged = module(tokens, documents)
        later = 0.0
        for cut in range(1, 2 * LENGTH, 17):
            changed = tokens.clone()
            changed[:, cut:] = torch.randint(vocab, changed[:, cut:].shape, generator=random).to(check.device)
            later = max(later, (module(changed, documents)[:, :cut] - unchanged[:, :cut]).abs().max().item())
        changed = tokens.clone()
        changed[:, :LENGTH] = torch.randint(vocab, (3, LENGTH), generator=random).to(check.device)
        other = (module(changed, documents)[:, LENGTH:] - unchanged[:, LENGTH:]).abs().max().item()
        changed = tokens.clone()
        changed[1:] = 0
        row = (module(changed, documents)[0] - unchanged[0]).abs().max().item()
    for what, value in (("later tokens", later), ("another document", other), ("other rows", row)):
        check.add(f"{what} change nothing", design, f"{value:.2g} of the logits", value <= UNSEEN)


def peak_flops(check):
    """Returns the FLOP/s of large matrix products in bf16."""
    torch = check.torch
    n = 512 if check.small else 8192
    a = torch.randn(n, n, device=check.device, dtype=torch.bfloat16)
    for _ in range(3):
        a @ a
    synchronize(check)
    start, count = time.monotonic(), 0
    while time.monotonic() - start < 1:
        for _ in range(8):
            a @ a
        synchronize(check)
        count += 8
    return 2 * n**3 * count / (time.monotonic() - start)


def synchronize(check):
    if check.device.type == "cuda":
        check.torch.cuda.synchronize(check.device)


def batch_of(check, vocab, rows, length):
    tokens = check.torch.randint(vocab, (rows, length))
    return {"tokens": tokens, "targets": tokens.roll(-1, 1), "starts": check.torch.zeros_like(tokens)}


def update_of(count):
    """Returns the options of an AdamW update of `count` parameters, as messages have them."""
    return {"rates": [1e-3] * count, "decays": [0.1] * count, "muon": [None] * count, "beta1": 0.9, "beta2": 0.95,
            "epsilon": 1e-8, "clip": 1.0}


def shape_of(check):
    """Returns the sequences of a batch and their length."""
    return (2, 64) if check.small else (8, 2048)


def check_speed(check, folder, peak):
    facts = json.loads((folder / "facts.json").read_text())
    rows, length = shape_of(check)
    seconds = 3 if check.small else 15
    for compiled in (False, True):
        what = f"training in bf16, {'compiled' if compiled else 'eager'}"
        if not check.has_time(what, folder.name, seconds + (60 if compiled else 5)):
            continue
        model = model_of(check, folder, "bf16", compiled)
        batch = batch_of(check, model.module.embedding.weight.shape[0], rows, length)
        for _ in range(10 if compiled else 2):
            model.step(batch, update_of(len(model.parameters)))
        synchronize(check)
        start, steps = time.monotonic(), 0
        while time.monotonic() - start < seconds:
            report = model.step(batch, update_of(len(model.parameters)))
            steps += 1
        synchronize(check)
        speed = steps * rows * length / (time.monotonic() - start)
        share = 100 * speed * facts["flops"] / peak
        check.add(what, folder.name, f"{speed:,.0f} tokens/s, {share:.1f} % of the peak", math.isfinite(report["loss"]))
        check.add("  " + what, folder.name, model.describe())


def train_in_workers(count, check, folder, seconds, processes=1):
    """Trains in `count` workers at a time, each of `processes` processes; returns the tokens per second of all, and the last loss of one."""
    from gabbro_torch import messages

    rows, length = shape_of(check)
    rows *= processes
    config = json.loads((folder / "config.json").read_text())
    batch = batch_of(check, config["vocab"], rows, length)
    update = update_of(len(config["weights"]))
    workers = [subprocess.Popen([sys.executable, "-m", "gabbro_torch", str(processes), str(check.device)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT / "python")
               for _ in range(count)]

    def ask(worker, head, arrays=()):
        messages.write(worker.stdin, head, list(arrays))
        worker.stdin.flush()

    def answer(worker):
        head, arrays = messages.read(worker.stdout)
        if "error" in head:
            raise RuntimeError(head["error"])
        return arrays

    try:
        for worker in workers:
            ask(worker, {"call": "open", "model": 1, **head_of(folder, "bf16", False)})
        for worker in workers:
            answer(worker)
        start, steps = None, 0
        for step in range(10_000):
            for worker in workers:
                ask(worker, {"call": "step", "model": 1, "update": update}, batch.items())
            reports = [answer(worker) for worker in workers]
            steps += 1
            if step == 1:  # The first two steps are not measured.
                start, steps = time.monotonic(), 0
            elif start and time.monotonic() - start > seconds:
                break
        return count * steps * rows * length / (time.monotonic() - start), reports[0]["report"][0].item()
    finally:
        for worker in workers:
            worker.stdin.close()
            worker.wait(60)


def check_sharing(check, folder):
    seconds = 3 if check.small else 8
    for count in (1, 2) if check.small else (1, 2, 4):
        what = f"{count} runs on one device"
        if check.has_time(what, folder.name, 2 * seconds + 10):
            speed, _ = train_in_workers(count, check, folder, seconds)
            check.add(what, folder.name, f"{speed:,.0f} tokens/s in all")


def check_team(check, folder):
    what = "two processes train one model"
    gpus = check.torch.cuda.device_count() if check.device.type == "cuda" else 2
    if gpus < 2:
        check.add(what, folder.name, "left out: one GPU")
    elif check.has_time(what, folder.name, 40):
        speed, loss = train_in_workers(1, check, folder, 3 if check.small else 10, processes=2)
        check.add(what, folder.name, f"{speed:,.0f} tokens/s", math.isfinite(loss))


def run(arguments):
    check = Check(arguments)
    torch = check.torch
    name = torch.cuda.get_device_name(check.device) if check.device.type == "cuda" else "the CPU"
    print(f"PyTorch {torch.__version__} on {name}\n")
    for design in DESIGNS:
        if check.has_time("scores and leaks", design, 5):
            check_scores(check, design)
            check_leaks(check, design)
    peak = peak_flops(check)
    check.add("peak of products in bf16", "", f"{peak:.3g} FLOP/s")
    modules = [folder for folder in sorted(check.folder.iterdir()) if (folder / "facts.json").exists()]
    modules.sort(key=lambda folder: json.loads((folder / "facts.json").read_text())["flops"])
    check_sharing(check, modules[0])
    check_team(check, modules[0])
    for folder in modules:
        check_speed(check, folder, peak)
    if arguments.out:
        from common import write_lines

        write_lines(arguments.out, [{"torch": torch.__version__, "device": name}, *check.rows])
    print("\nfailed" if check.failed else "\nall checks hold")
    return 1 if check.failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("prepare", "run"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        command.add_argument("--small", action="store_true", help="small models, for a rehearsal on a CPU")
        if name == "run":
            command.add_argument("--device", default="cuda")
            command.add_argument("--minutes", type=float, default=8)
            command.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "prepare":
        prepare(arguments)
        return 0
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
