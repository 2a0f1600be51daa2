#!/usr/bin/env python3
"""Training speed of Gabbro against the same models in PyTorch eager, in turns in one run: `./dev bench train`.

For each design and size, bench_train and bench/peer/train.py run as two processes with the same number of threads. They warm up,
then take turns: some steps of the one, some of the other, for several rounds. A round's ratio compares its two medians;
the table gives medians over the rounds, and the least and the greatest ratio. The floor is what the machine needs at least: the
step's FLOPs at the speed of a large matrix product, or the bytes of weights, gradient and moments at the speed of a large copy, whichever
takes longer; both speeds are measured in every round.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path

PEER = Path(__file__).resolve().parent / "train.py"
# Float32 values moved per parameter and step. The weight is read by the forward and the backward pass. The
# gradient is written, read for its norm, and read by the update. The update reads and writes the weight and
# two moments.
VALUES_PER_PARAMETER = 11


class Failure(Exception):
    """One of the two sides could not run."""


def amount(text):
    """Returns the number that a text such as 350k or 1M stands for."""
    units = {"k": 1e3, "M": 1e6}
    try:
        return int(float(text[:-1]) * units[text[-1]]) if text[-1:] in units else int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}': expected an amount such as 350k or 1.5M") from None


class Side:
    """A process that takes orders (bench/train.cc) line by line and answers each with a line of JSON."""

    def __init__(self, name, command, threads, vocab):
        self.name = name
        self.uniform_loss = math.log(vocab)
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.model = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"{self.name} ended with status {self.process.wait()}; its last words are above")
        return json.loads(line)

    def ask(self, order):
        try:
            self.process.stdin.write(order + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # The process has ended; read() reports how.
        return self.read()

    def speed(self, steps):
        """Returns tokens per second, by the median step. Tokens are random, so a loss far from ln V shows a fault."""
        answer = self.ask(f"steps {steps}")
        loss = answer["loss"]
        if loss is None or not abs(loss - self.uniform_loss) < 1:
            raise Failure(f"{self.name}: loss {loss}, expected about ln V = {self.uniform_loss:.2f}")
        return answer["tokens_per_step"] / statistics.median(answer["seconds"])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.terminate()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def floor(model, peaks):
    """Returns the tokens per second that nothing can exceed with the given peaks of the machine."""
    tokens = model["batch"] * model["length"]
    # Seconds per token, at least
    by_flops = model["train_flops_per_token"] / peaks["matrix_flops"]
    by_bytes = VALUES_PER_PARAMETER * 4 * model["params"] / tokens / peaks["copy_bytes"]
    return 1 / max(by_flops, by_bytes)


def shared_options(options, documents):
    out = ["--serve", "--batch", str(options.batch), "--seq", str(options.seq), "--vocab", str(options.vocab),
           "--threads", str(options.threads), "--dtype", options.dtype, "--warmup", str(options.warmup)]
    return out + ["--documents"] if documents else out


def compare(options, design, params, documents):
    """Measures one design at one size and returns the row of the table; `documents`: sequences hold several documents."""
    shared = shared_options(options, documents)
    ours_command = [options.gabbro, "--design", design, "--params", str(params), *shared]
    with Side("Gabbro", ours_command, options.threads, options.vocab) as ours:
        peer_command = [sys.executable, str(PEER), "--design", design, "--width", str(ours.model["width"]),
                        "--free-scale", repr(ours.model["free_scale"]), *shared]
        with Side("PyTorch", peer_command, options.threads, options.vocab) as peer:
            if ours.model["params"] != peer.model["params"]:
                raise Failure(f"{design}: not the same model: Gabbro has {ours.model['params']:,} parameters, "
                              f"PyTorch {peer.model['params']:,}")
            rounds = []
            for number in range(options.rounds):
                progress(f"{design} {params:,}: round {number + 1} of {options.rounds}")
                peaks = ours.ask("peaks")
                rounds.append({"gabbro": ours.speed(options.steps), "pytorch": peer.speed(options.steps),
                               "floor": floor(ours.model, peaks), "peaks": peaks})
            progress("")
            return {"design": design, "documents": documents, "gabbro": ours.model, "pytorch": peer.model, "rounds": rounds}


def progress(text):
    """Replaces the line that is shown on a terminal; an empty text clears it."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def middle(values):
    return statistics.median(list(values))


def print_row(row):
    rounds = row["rounds"]
    ratios = [r["gabbro"] / r["pytorch"] for r in rounds]
    ours, peer = (middle(r[side] for r in rounds) for side in ("gabbro", "pytorch"))
    share = middle(r["gabbro"] / r["floor"] for r in rounds)
    peer_share = middle(r["pytorch"] / r["floor"] for r in rounds)
    peer_choices = ", ".join(f"{key} {row['pytorch'][key]}" for key in ("optimizer", "keys") if key in row["pytorch"])
    print(f"{row['design']:8} {row['gabbro']['params']:>10,} {'several' if row['documents'] else 'one':>9} {ours:>9,.0f} {peer:>9,.0f} "
          f"{middle(ratios):>6.2f} {f'{min(ratios):.2f}-{max(ratios):.2f}':>11} {share:>7.1%} {peer_share:>7.1%}  {peer_choices}", flush=True)


def print_head(options):
    print(f"training steps of {options.batch} x {options.seq} tokens, V = {options.vocab}, {options.dtype}, {options.threads} threads; "
          f"{options.rounds} rounds of {options.steps} steps; load {os.getloadavg()[0]:.2f}")
    print(f"{'design':8} {'params':>10} {'documents':>9} {'Gabbro':>9} {'PyTorch':>9} {'ratio':>6} {'range':>11} "
          f"{'floor':>7} {'floor':>7}  PyTorch with")
    print(f"{'':8} {'':>10} {'in a row':>9} {'tokens/s':>9} {'tokens/s':>9} {'':>6} {'':>11} {'Gabbro':>7} {'PyTorch':>7}")


def print_tail(rows):
    peaks = [r["peaks"] for row in rows for r in row["rounds"]]
    print(f"floor: matrix product {middle(p['matrix_flops'] for p in peaks) / 1e9:,.0f} GFLOP/s, "
          f"copy {middle(p['copy_bytes'] for p in peaks) / 1e9:,.1f} GB/s; torch {rows[0]['pytorch']['torch']}")


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench train", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--designs", nargs="+", default=["gpt2", "llama"], metavar="NAME")
    parser.add_argument("--params", nargs="+", type=amount, default=[1_000_000, 5_000_000], metavar="N", help="sizes (1M 5M)")
    parser.add_argument("--documents", choices=["one", "several", "both"], default="both",
                        help="in a sequence; training has several (both)")
    parser.add_argument("--batch", type=int, default=16, help="sequences (16)")
    parser.add_argument("--seq", type=int, default=256, help="tokens in a sequence (256)")
    parser.add_argument("--vocab", type=int, default=4096, help="V (4096)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of each side (the cores)")
    parser.add_argument("--dtype", choices=["float32", "bf16"], default="float32", help="of matrix products (float32)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side (5)")
    parser.add_argument("--steps", type=int, default=4, help="steps in a round (4)")
    parser.add_argument("--warmup", type=int, default=2, help="steps before the first round (2)")
    parser.add_argument("--gabbro", default="build/bench_train", metavar="FILE", help="the program to measure (build/bench_train)")
    parser.add_argument("--json", metavar="FILE", help="also write every round, one JSON object a row")
    return parser.parse_args(arguments)


def run(options):
    variants = {"one": [False], "several": [True], "both": [False, True]}[options.documents]
    rows = []
    print_head(options)
    for design in options.designs:
        for params in options.params:
            for documents in variants:
                rows.append(compare(options, design, params, documents))
                print_row(rows[-1])
    print_tail(rows)
    if options.json:
        temporary = Path(options.json + ".tmp")
        temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        temporary.replace(options.json)


def main():
    try:
        run(parse(sys.argv[1:]))
    except Failure as failure:
        progress("")
        sys.exit(f"bench train: {failure}")
    except OSError as error:
        sys.exit(f"bench train: {error}")
    except KeyboardInterrupt:
        progress("")
        sys.exit(130)


if __name__ == "__main__":
    main()
