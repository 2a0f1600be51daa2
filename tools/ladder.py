#!/usr/bin/env python3
"""Measures what rungs of a ladder measure: known architectures and controls, trained at sizes and budgets, each at its own rate.

  tools/ladder.py run --data CORPUS [--minutes M] [--workers N] [--rungs A,B] [--designs X,Y]
  tools/ladder.py report           writes the tables of docs/results/ladder.md from what is measured

Every finished run is a line of docs/results/ladder.jsonl; what stands there is not run again, so that the measurement goes on over
as many sittings as it takes, also on another machine. Designs are files of zoo/ and of docs/results/ladder/. On the lowest rung of a
ladder each design is given rates by factors of two around 0.008, further ones while the best lies at an edge; on a higher one the
best rate of the rung below and, with --neighbours, half of it and further ones in the same way.

Exit status: 0 all that was asked is done, 1 something is left or failed, 2 wrong usage.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ladder_report
from common import ROOT, say
from ladder_plan import DESIGNS, RUNGS, TABLE, Measured, next_runs


def command(gabbro, data, run, folder):
    """Returns the command that trains a run in `folder`."""
    rung = RUNGS[run.rung]
    return [gabbro, "train", ROOT / DESIGNS[run.design], "--data", data, "--params", rung.params, "--tokens", rung.tokens,
            "--blocks", str(rung.blocks), "--batch", str(rung.sequences), "--seq", str(rung.length), "--dtype", rung.dtype,
            "--lr", f"{run.rate:g}", "--input-rate", f"{rung.tables:g}", "--output-rate", f"{rung.tables:g}", "--seed", str(run.seed), "--threads", "1", "--valid-documents", str(rung.documents),
            "--document-tokens", str(rung.document_tokens), "--memory-limit", "6G", "--out", folder]


def child_seconds():
    """Returns the processor seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def line_of(run, folder, seconds):
    """Returns what is kept of a run that took so many processor seconds, or None when its worker left no result or was stopped."""
    try:
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    if result["status"] == "stopped":
        return None
    kept = ("status", "cause", "params", "width", "bits_per_byte", "bits_error", "train_seconds", "tokens_per_second",
            "train_flops_per_token", "decode_flops_per_token", "state_bytes")
    line = {"rung": run.rung, "design": run.design, "rate": run.rate, "seed": run.seed} | {k: result.get(k) for k in kept}
    line["cpu_seconds"] = round(seconds, 1)
    line["rounding"] = next((a["detail"] for a in result.get("anchors", []) if a["name"] == "backend = reference"), "")
    line["context"] = {str(g["tokens"]): [round(g["gain"], 5), round(g["error"] or 0, 5)] for g in result.get("context", [])}
    line["documents"] = [round(d["bits_per_byte"], 5) for d in result.get("documents", [])]
    return line


def measure(args):
    measured = Measured.read(TABLE)
    end = time.monotonic() + 60 * args.minutes if args.minutes else float("inf")
    active = {}  # run -> (process, folder)
    broken = set()  # runs that left no result; they are not started again
    stopping = False

    def stop(*_):
        nonlocal stopping
        stopping = True
        for process, _ in active.values():
            process.send_signal(signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    scratch = Path(tempfile.mkdtemp(prefix="ladder"))
    try:
        while True:
            for run in list(active):
                process, folder = active[run]
                before = child_seconds()
                if process.poll() is None:
                    continue
                seconds = child_seconds() - before
                del active[run]
                line = line_of(run, folder, seconds)
                if line is None:
                    if not stopping:
                        broken.add(run)
                        say(f"{run}: no result, exit status {process.returncode}: {(folder / 'log').read_text()[-300:]}")
                else:
                    measured.add(line, TABLE)
                    say(f"{run}: {line['status']} {line['bits_per_byte'] or 0:.4f} {line['context'].get('8', '')} "
                        f"{line['tokens_per_second'] or 0:.0f} tokens/s {line['cause'] or ''}")
                shutil.rmtree(folder, ignore_errors=True)
            if not stopping and time.monotonic() < end:
                for run in next_runs(measured, args.rungs, args.designs, args.seeds, args.neighbours):
                    if len(active) >= args.workers:
                        break
                    if run in active or run in broken:
                        continue
                    folder = scratch / str(run).replace(" ", "-")
                    folder.mkdir()
                    with (folder / "log").open("w") as out:
                        active[run] = (subprocess.Popen(command(args.gabbro, args.data, run, folder), stdout=out,
                                                        stderr=subprocess.STDOUT, start_new_session=True,
                                                        env={**os.environ, "OMP_WAIT_POLICY": "passive"}), folder)
            if not active:
                break
            time.sleep(0.2)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    left = [run for run in next_runs(measured, args.rungs, args.designs, args.seeds, args.neighbours) if run not in broken]
    say(f"{len(measured.lines)} runs are measured, {len(left)} or more are left, {len(broken)} gave no result")
    return 1 if left or broken else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train what is not measured yet")
    run.add_argument("--data", type=Path, required=True, help="a corpus with a vocabulary of 512 tokens")
    run.add_argument("--gabbro", type=Path, default=ROOT / "build/gabbro")
    run.add_argument("--minutes", type=float, default=0, help="begin no run after so many; 0: no bound")
    run.add_argument("--workers", type=int, default=2)
    run.add_argument("--rungs", type=lambda s: s.split(","), default=list(RUNGS))
    run.add_argument("--designs", type=lambda s: s.split(","), default=list(DESIGNS))
    run.add_argument("--seeds", type=int, default=1)
    run.add_argument("--neighbours", action="store_true", help="on higher rungs also half of the best rate below, and further ones")
    commands.add_parser("report", help="write the tables")
    args = parser.parse_args()
    if args.command == "report":
        return ladder_report.write()
    for name, known in (("rungs", RUNGS), ("designs", DESIGNS)):
        if unknown := [x for x in getattr(args, name) if x not in known]:
            parser.error(f"--{name}: {', '.join(unknown)} is unknown; there are: {', '.join(known)}")
    return measure(args)


if __name__ == "__main__":
    sys.exit(main())
