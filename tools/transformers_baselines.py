#!/usr/bin/env python3
"""Compares known architectures of zoo/ with the implementations of the `transformers` library.

  tools/transformers_baselines.py run --data CORPUS [--gabbro FILE] [--designs A,B] [--seeds N] [--minutes M]
  tools/transformers_baselines.py report      writes the tables of docs/results/baselines.md

Both sides have the same vocabulary, blocks, parameters (within 1 %), text in the same order, batches, schedule, optimizer and
held-out documents: those of a rung of tools/ladder_plan.py. Each trains at its own learning rate: rates are tried by factors of two with seed 1, and
further seeds are trained at the best one. Models of `transformers` start from random weights as their authors initialise them, and have one
learning rate for all parameters. Our runs of docs/results/ladder.jsonl are used, and missing ones are trained.

Every finished run is a line of docs/results/transformers.jsonl and is not repeated; an interrupt loses only the run in progress. Runs follow
each other on one thread. CORPUS is made by `gabbro data build`. Needs `pip install torch transformers numpy sentencepiece`.

Exit status: 0 all runs are done, 1 some are left, 2 wrong usage.
"""

import argparse
import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ladder
from common import ROOT, mean_interval, say, write_between
from ladder_plan import MOST_DOUBLINGS, RUNGS, TABLE as LADDER, Measured, Run

TABLE = ROOT / "docs/results/transformers.jsonl"
PAGE = ROOT / "docs/results/baselines.md"
BEGIN, END = "<!-- transformers: tools/transformers_baselines.py report -->", "<!-- end of transformers -->"
SIDES = ("gabbro", "transformers")
FIRST_RATES = (0.004, 0.008)


# --- The models of `transformers` ---


@dataclass(frozen=True)
class Counterpart:
    """The counterpart in `transformers` of a design in zoo/."""

    kind: str  # model_type of its config
    # Options of the config, from the width, the free size and the number of blocks
    options: Callable[[int, int, int], dict]
    free: str  # name of the free size, which is chosen to reach the number of parameters
    wanted: Callable[[int], float]  # free size of the design in zoo/, from the width
    multiple: int  # The width must be a multiple of this.
    separates: bool  # True if documents in one window do not see each other when positions restart.


COUNTERPARTS = {
    "llama": Counterpart("llama", lambda d, f, n: dict(
        hidden_size=d, intermediate_size=f, num_hidden_layers=n, num_attention_heads=4, num_key_value_heads=2,
        tie_word_embeddings=False), "intermediate_size", lambda d: 8 / 3 * d, 8, True),
    "mamba2": Counterpart("mamba2", lambda d, f, n: dict(
        hidden_size=d, state_size=f, num_hidden_layers=n, num_heads=4, head_dim=d // 2, expand=2, n_groups=1, chunk_size=32,
        tie_word_embeddings=False), "state_size", lambda d: 16, 2, False),
    "gpt2": Counterpart("gpt2", lambda d, f, n: dict(
        n_embd=d, n_inner=f, n_layer=n, n_head=4, n_positions=256, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0,
        activation_function="gelu"), "n_inner", lambda d: 4 * d, 4, True),
    "gated_deltanet": Counterpart("qwen3_next", lambda d, f, n: dict(
        hidden_size=d, intermediate_size=f, num_hidden_layers=n, layer_types=["linear_attention"] * n,
        mlp_only_layers=list(range(n)), linear_num_key_heads=4, linear_num_value_heads=4, linear_key_head_dim=d // 4,
        linear_value_head_dim=d // 4, num_attention_heads=4, num_key_value_heads=4, head_dim=d // 4,
        tie_word_embeddings=False), "intermediate_size", lambda d: 8 / 3 * d, 4, False),
    "rwkv4": Counterpart("rwkv", lambda d, f, n: dict(
        hidden_size=d, attention_hidden_size=d, intermediate_size=f, num_hidden_layers=n, rescale_every=0,
        tie_word_embeddings=False), "intermediate_size", lambda d: 4 * d, 4, False),
}


def build(counterpart, width, free, blocks, vocab):
    from transformers import AutoConfig, AutoModelForCausalLM

    ends = dict(pad_token_id=None, bos_token_id=None, eos_token_id=None)
    config = AutoConfig.for_model(counterpart.kind, vocab_size=vocab, use_cache=False, **ends, **counterpart.options(width, free, blocks))
    return AutoModelForCausalLM.from_config(config)


def count(model):
    return sum(p.numel() for p in model.parameters())


def sizes(counterpart, params, blocks, vocab):
    """Returns the width and free size with `params` parameters within 1 % whose free size is nearest to the one wanted."""
    found = []
    for width in range(4 * counterpart.multiple, 257, counterpart.multiple):
        low, high = (count(build(counterpart, width, free, blocks, vocab)) for free in (8, 16))
        free = round(8 + (params - low) * 8 / (high - low))
        if free < 1:
            break  # Wider models are larger still.
        error = abs(low + (free - 8) * (high - low) / 8 - params) / params
        if error <= 0.01:
            found.append((abs(math.log(free / counterpart.wanted(width))), width, free))
    return min(found)[1:]


# --- Text ---


def mixed(seed, value):
    """Returns gabbro::mix(seed, value) of src/base/hash.h."""
    mask = (1 << 64) - 1
    z = (seed * 0x9E3779B97F4A7C15 + value + 0x632BE59BD9B4E019) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def permuted(index, n, seed):
    """Returns the window at place `index` of the random order of `n` windows (src/train/batches.cc)."""
    half = 1
    while 1 << (2 * half) < n:
        half += 1
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for turn in range(4):
            left, right = right, left ^ (mixed(mixed(seed, turn), right) & mask)
        index = left << half | right
        if index < n:
            return index


class Corpus:
    """The text of a folder that `gabbro data build` made (src/data/corpus.h)."""

    def __init__(self, folder):
        import numpy
        import sentencepiece

        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.vocab = manifest["vocab"]
        self.tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
        self.end = self.tokenizer.eos_id()
        kind = "<u4" if self.vocab > 65536 else "<u2"
        shards = {name: [numpy.fromfile(folder / s["file"], kind) for s in split["shards"]]
                  for name, split in manifest["splits"].items()}
        self.train, self.valid = (numpy.concatenate(shards[name]) for name in ("train", "valid"))
        self.documents = numpy.fromfile(folder / "valid.documents", "<u8").reshape(-1, 2).tolist()

    def batch(self, index, rows, length, seed):
        """Returns the batch that `gabbro train` consumes at step `index`, as rows of length + 1 tokens."""
        import numpy

        windows = (len(self.train) - 1) // length
        numbers = range(index * rows, (index + 1) * rows)
        starts = [permuted(n % windows, windows, mixed(seed, n // windows)) * length for n in numbers]
        return numpy.stack([self.train[start:start + length + 1] for start in starts]).astype("int64")

    def heads(self, documents, tokens):
        """Yields the first tokens of held-out documents, at most 3 more so that no character is cut, and their number of bytes (src/data/heads.cc)."""
        begin = 0
        for end, size in self.documents[:documents]:
            ids = self.valid[begin:end].tolist()
            begin = end
            if len(ids) > tokens + 4:
                cut = tokens
                while (text := self.tokenizer.decode(ids[:cut])).endswith("\ufffd") and cut < tokens + 3:
                    cut += 1
                ids, size = ids[:cut], len(text.encode())
            yield ids, size


# --- Training and scoring ---


def rate_factor(step, steps, warmup=0.02, floor=0.1):
    """Returns the factor of the cosine schedule at a step (src/train/schedule.cc)."""
    done, rise = step + 1, max(1, round(warmup * steps))
    if done <= rise:
        return done / rise
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * (done - rise) / max(1, steps - rise)))


def losses(model, inputs, targets, positions=None):
    """Returns the loss of every target in nats."""
    from torch.nn.functional import cross_entropy

    given = {} if positions is None else {"position_ids": positions}
    logits = model(input_ids=inputs, **given).logits.float()
    return cross_entropy(logits.transpose(1, 2), targets, reduction="none")


def document_positions(inputs, end):
    """Returns positions counted from the last end token at or before each token, else from the start of its row."""
    import torch

    index = torch.arange(inputs.shape[1]).expand_as(inputs)
    return index - torch.where(inputs == end, index, 0).cummax(1).values


def optimizer_of(model):
    import torch

    matrices = [p for p in model.parameters() if p.ndim == 2]  # including embedding tables
    others = [p for p in model.parameters() if p.ndim != 2]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
                             betas=(0.9, 0.95), eps=1e-8, fused=True)


def train(model, corpus, run, separates):
    """Returns why the run failed, or an empty text."""
    import torch

    rung = RUNGS[run.rung]
    steps = -(-amount(rung.tokens) // (rung.sequences * rung.length))
    optimizer = optimizer_of(model)
    model.train()
    for step in range(steps):
        tokens = torch.from_numpy(corpus.batch(step, rung.sequences, rung.length, run.seed))
        inputs, targets = tokens[:, :-1], tokens[:, 1:]
        for group in optimizer.param_groups:
            group["lr"] = run.rate * rate_factor(step, steps)
        loss = losses(model, inputs, targets, document_positions(inputs, corpus.end) if separates else None).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if not (torch.isfinite(loss) and torch.isfinite(norm)):
            return f"loss {loss:g} and gradient norm {norm:g} at step {step}"
        optimizer.step()
    return ""


def score(model, corpus, documents, tokens, length, rows=32):
    """Returns (bits, bytes) of each held-out document, read in windows that do not overlap, with the end token before it (src/eval/bits.cc)."""
    import torch

    model.eval()
    out = []
    for ids, size in corpus.heads(documents, tokens):
        text = [corpus.end, *ids]
        windows = -(-len(ids) // length)
        padded = torch.zeros(windows * length + 1, dtype=torch.long)
        padded[:len(text)] = torch.tensor(text)
        with torch.no_grad():
            nats = torch.cat([losses(model, i, t) for i, t in zip(padded[:-1].view(-1, length).split(rows),
                                                                  padded[1:].view(-1, length).split(rows))])
        out.append((nats.flatten()[:len(ids)].double().sum().item() / math.log(2), size))
    return out


def run_transformers(run, args, corpus):
    import torch
    import transformers

    torch.set_num_threads(1)
    rung, counterpart = RUNGS[run.rung], COUNTERPARTS[run.design]
    if rung.dtype != "float32":
        raise SystemExit(f"rung {run.rung}: only float32 is supported")
    width, free = sizes(counterpart, amount(rung.params), rung.blocks, corpus.vocab)
    torch.manual_seed(run.seed)
    model = build(counterpart, width, free, rung.blocks, corpus.vocab)
    start = time.monotonic()
    cause = train(model, corpus, run, counterpart.separates)
    line = vars(run) | {"status": "failed" if cause else "done", "cause": cause, "params": count(model), "width": width,
                        counterpart.free: free, "bits_per_byte": None, "train_seconds": time.monotonic() - start,
                        "version": transformers.__version__}
    if cause:
        return line
    scores = score(model, corpus, rung.documents, rung.document_tokens, rung.length)
    return line | {"bits_per_byte": sum(bits for bits, _ in scores) / sum(size for _, size in scores),
                   "documents": [round(bits / size, 5) for bits, size in scores], "bytes": [size for _, size in scores]}


def run_gabbro(run, args, corpus):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "log").open("w") as log:
            subprocess.run(list(map(str, ladder.command(args.gabbro, args.data, run, folder))), stdout=log, stderr=log)
        line = ladder.line_of(run, folder)
        if line is None:
            raise SystemExit(f"{run}: no result: {(folder / 'log').read_text()[-500:]}")
        return line


# --- Which run comes next ---


def amount(text):
    """Returns the number that a text such as 150k or 1M stands for."""
    return int(float(text[:-1]) * {"k": 1e3, "M": 1e6}[text[-1]])


def scored(line):
    """Returns the line of a run, as "done" if only the bigram anchor refuses it: it has a score, which counts here."""
    return line | {"status": "done"} if line["cause"].startswith("better than bigrams") else line


def measured(side):
    """Returns the finished runs of a side; ours include those of the ladder."""
    lines = [x for x in Measured.read(TABLE).lines if x["side"] == side]
    if side == "gabbro":
        lines = Measured.read(LADDER).lines + lines
    return Measured([scored(x) for x in lines])


def next_run_of(runs, rung, design, seeds):
    """Returns the next run or None: rates with seed 1 until the best has a worse one on either side, then further seeds at the best."""
    scores, rates = runs.scores(rung, design), list(FIRST_RATES)
    for _ in range(MOST_DOUBLINGS + 1):
        if missing := [rate for rate in rates if rate not in scores]:
            return Run(rung, design, missing[0], 1)
        best = min(rates, key=scores.get)
        if scores[best] == math.inf:
            return None
        if best == rates[0]:
            rates.insert(0, best / 2)
        elif best == rates[-1]:
            rates.append(best * 2)
        else:
            break
    best = runs.best(rung, design)[0]
    wanted = (Run(rung, design, best, seed) for seed in range(2, seeds + 1))
    return next((run for run in wanted if run not in runs.by_run), None)


def next_run(args):
    for design in args.designs:
        for side in args.sides:
            if run := next_run_of(measured(side), args.rung, design, args.seeds):
                return side, run
    return None


def measure(args):
    # SIGTERM works like an interrupt: it also ends the program that trains Gabbro's side.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    corpus = Corpus(args.data)
    end = time.monotonic() + 60 * args.minutes if args.minutes else math.inf
    while (found := next_run(args)) and time.monotonic() < end:
        side, run = found
        line = {"side": side} | (run_gabbro if side == "gabbro" else run_transformers)(run, args, corpus)
        Measured.read(TABLE).add(line, TABLE)
        say(f"{side} {run}: {line['status']} {line['bits_per_byte'] or 0:.4f} {line['params']} parameters "
                   f"{line['train_seconds'] or 0:.0f} s {line['cause'] or ''}")
    return 1 if found else 0


# --- Report ---


def best_runs(side, rung, design, seeds):
    """Returns {seed: run} of the finished runs at the best rate."""
    runs = measured(side)
    best = runs.best(rung, design)
    by_seed = {seed: runs.by_run.get(Run(rung, design, best[0], seed)) for seed in range(1, seeds + 1)} if best else {}
    return {seed: x for seed, x in by_seed.items() if x and x["status"] == "done"}


def difference(ours, theirs):
    """Returns ours minus theirs on the seeds of both: the mean, and half of its 95 % intervals over documents and over seeds (NaN: one seed)."""
    seeds = sorted(set(ours) & set(theirs))
    sizes_of = theirs[seeds[0]]["bytes"]
    total = sum(sizes_of)
    bits = [sum(ours[s]["documents"][d] - theirs[s]["documents"][d] for s in seeds) / len(seeds) * size
            for d, size in enumerate(sizes_of)]
    mean = sum(bits) / total
    n = len(bits)
    square = sum((b - mean * size) ** 2 for b, size in zip(bits, sizes_of))
    over_documents = 1.96 * math.sqrt(square * n / (n - 1)) / total
    _, over_seeds = mean_interval([ours[s]["bits_per_byte"] - theirs[s]["bits_per_byte"] for s in seeds])
    return mean, over_documents, over_seeds


def rate_text(side, rung, design):
    runs = measured(side)
    return f"{runs.best(rung, design)[0]:g}" + (" (search not complete)" if next_run_of(runs, rung, design, 1) else "")


def bits_text(runs):
    return " ".join(f"{runs[seed]['bits_per_byte']:.3f}" for seed in sorted(runs))


def table(rung, seeds):
    out = ["| design | our rate | our bits per byte (seeds) | transformers' rate | their bits per byte (seeds) | ours minus theirs "
           "| ± documents | ± seeds | parameters, ours and theirs |", "|---|---|---|---|---|---|---|---|---|"]
    for design in COUNTERPARTS:
        ours, theirs = (best_runs(side, rung, design, seeds) for side in SIDES)
        if not set(ours) & set(theirs):
            continue
        mean, documents, over_seeds = difference(ours, theirs)
        first, second = (rate_text(side, rung, design) for side in SIDES)
        out.append(f"| {design} | {first} | {bits_text(ours)} | {second} | {bits_text(theirs)} | {mean:+.3f} | {documents:.3f} "
                   f"| {'' if math.isnan(over_seeds) else f'{over_seeds:.3f}'} | {ours[1]['params']:,} {theirs[1]['params']:,} |")
    return out


def rates(rung):
    tried = {(side, design): measured(side).scores(rung, design) for design in COUNTERPARTS for side in SIDES}
    every = sorted({rate for scores in tried.values() for rate in scores})
    out = ["| design | side | " + " | ".join(f"{rate:g}" for rate in every) + " |", "|---|---|" + "---|" * len(every)]
    for (side, design), scores in tried.items():
        if scores:
            out.append(f"| {design} | {side} | " + " | ".join(
                "" if rate not in scores else f"{scores[rate]:.3f}" for rate in every) + " |")
    return out


def report(args):
    write_between(PAGE, BEGIN, END, "\n".join([*table(args.rung, args.seeds), "", "Rates, seed 1:", "", *rates(args.rung)]) + "\n")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train what is not measured yet")
    run.add_argument("--data", type=Path, required=True, help="a corpus made by `gabbro data build`")
    run.add_argument("--gabbro", type=Path, default=ROOT / "build/gabbro", help="the program that trains our side")
    run.add_argument("--designs", type=lambda s: s.split(","), default=list(COUNTERPARTS), help="default: " + ",".join(COUNTERPARTS))
    run.add_argument("--sides", type=lambda s: s.split(","), default=list(SIDES), help="default: " + ",".join(SIDES))
    run.add_argument("--minutes", type=float, default=0, help="start no run after this many minutes (default 0: no limit)")
    for command in (run, commands.add_parser("report", help="write the tables")):
        command.add_argument("--rung", choices=RUNGS, default="150k/1M", help="a rung of tools/ladder_plan.py (default 150k/1M)")
        command.add_argument("--seeds", type=int, choices=range(1, 6), default=3, help="seeds at the best rate (default 3)")
    args = parser.parse_args()
    if args.command == "report":
        return report(args)
    for name, known in (("designs", COUNTERPARTS), ("sides", SIDES)):
        if unknown := [x for x in getattr(args, name) if x not in known]:
            parser.error(f"--{name}: unknown {', '.join(unknown)}; known are {', '.join(known)}")
    return measure(args)


if __name__ == "__main__":
    sys.exit(main())
