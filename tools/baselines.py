#!/usr/bin/env python3
"""Trains the baselines: seven known architectures at equal parameters and tokens, each at its own best learning rate.

  tools/baselines.py run --text FOLDER --blimp FILE    trains and scores; the same command goes on after a stop
  tools/baselines.py report                            writes docs/results/baselines.md from what there is

`run` makes a corpus of FOLDER/train.txt.xz and FOLDER/valid.txt.xz, then trains by `gabbro train`. First come the searches for a learning
rate: the given rates with the first seed on a small budget, then rates beyond by factors of two while the best lies at an edge. Then come the
final runs with the chosen rates: the first seed of all designs, then the second ..., so that a part of the campaign is a smaller
campaign. Finished runs are left alone, also when further designs are named. Ctrl-C stops the runs at their next step, a second one kills them.

Exit status: 0 all that was asked is done, 1 something failed or was stopped, 2 wrong usage.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, fields
from pathlib import Path

import baselines_report
from baselines_plan import DESIGNS, Campaign, Failure, Run, Settings, read_json, settings_from
from common import ROOT, say, write_atomically

STATUS_SECONDS = 60


def gabbro_json(command):
    """Returns what a gabbro command prints as JSON."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}".rstrip())
    return json.loads(done.stdout)


def layers_of(program):
    """Returns the number of blocks that the program's stack repeats."""
    counts = re.findall(r"\b(\d+) \* (?:Block|Residual)\(", program)
    if len(counts) != 1:
        raise Failure(f"expected one `N * Block(...)` or `N * Residual(...)` in the stack, found {len(counts)}")
    return int(counts[0])


def facts_of(gabbro, settings, design):
    """Returns the facts of a design at the campaign's size, as `gabbro check` computes them."""
    name, file = DESIGNS[design]
    facts = gabbro_json([gabbro, "check", ROOT / file, "--params", str(settings.params), "--vocab", str(settings.vocab),
                         "--context", str(settings.context), "--json"])
    if abs(facts["params"] - settings.params) > 0.01 * settings.params:
        raise Failure(f"{file}: {facts['params']} parameters are not within 1 % of {settings.params}")
    kept = ("params", "width", "hash", "train_flops_per_token", "state_bytes", "state_grows")
    layers = layers_of((ROOT / file).read_text(encoding="utf-8"))
    return {"name": name, "file": file, "layers": layers} | {key: facts[key] for key in kept}


def build_corpus(gabbro, settings, folder, text):
    if (folder / "manifest.json").is_file():
        return
    if text is None:
        raise Failure(f"there is no corpus in {folder}; name the folder of train.txt.xz and valid.txt.xz by --text")
    say(f"building {folder}")
    command = [gabbro, "data", "build", "--out", folder, text / "train.txt.xz", "--valid-source", text / "valid.txt.xz",
               "--vocab", str(settings.vocab)]
    if subprocess.run(command, check=False).returncode != 0:
        raise Failure("the corpus was not built")


def corpus_facts(gabbro, folder, vocab):
    manifest = gabbro_json([gabbro, "data", "info", folder, "--json"])
    if manifest["vocab"] != vocab:
        raise Failure(f"{folder} has a vocabulary of {manifest['vocab']}, the campaign asks for {vocab}")
    return {"tokenizer_hash": manifest["tokenizer_hash"],
            "splits": {name: {key: split[key] for key in ("documents", "tokens", "bytes", "documents_hash")}
                       for name, split in manifest["splits"].items()}}


def differences(a, b, path=""):
    """Yields the paths at which two JSON objects differ, with the value of `a` ("there") and of `b` ("now")."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys()):
            yield from differences(a.get(key), b.get(key), f"{path}.{key}" if path else key)
    elif a != b:
        yield f"{path}: {a} there, {b} now"


def make_plan(gabbro, settings, folder, text, another_worker):
    """Writes plan.json and returns it. An existing one must say the same, except for further designs and builds, so that runs are comparable."""
    corpus = folder / "corpus"
    build_corpus(gabbro, settings, corpus, text)
    plan = {
        "settings": settings.as_json(),
        "designs": {design: facts_of(gabbro, settings, design) for design in settings.designs},
        "corpus": corpus_facts(gabbro, corpus, settings.vocab),
        "workers": [hashlib.sha256((gabbro.parent / "gabbro-worker").read_bytes()).hexdigest()[:16]],
    }
    file = folder / "plan.json"
    before = read_json(file)
    if before is not None and plan["workers"][0] in before["workers"]:
        plan["workers"] = before["workers"]
    elif before is not None and another_worker:
        plan["workers"] = before["workers"] + plan["workers"]
    if before is None or is_extension(before, plan):
        write_atomically(file, json.dumps(plan, indent=2) + "\n")
    elif different := list(differences(before, plan)):
        raise Failure(f"{file} is of another campaign:\n  " + "\n  ".join(different) +
                      "\nuse the same options and the same gabbro, or another folder by --runs; --another-worker goes on with a new build")
    return plan


def is_extension(before, plan):
    """True if the plan only adds designs or builds of the worker to the one before, whose runs then remain valid."""
    known = before["settings"]["designs"]
    kept = {"settings": plan["settings"] | {"designs": known}, "designs": {d: plan["designs"].get(d) for d in known},
            "corpus": plan["corpus"], "workers": plan["workers"][:len(before["workers"])]}
    return not list(differences(before, kept))


@dataclass
class Job:
    step: str  # "train" or "eval"
    run: Run
    process: subprocess.Popen
    log: Path
    began: float  # on the monotonic clock, in seconds


class Driver:
    """Keeps `jobs` workers busy until nothing is left to do, or a signal comes."""

    def __init__(self, gabbro, campaign, blimp, jobs, lock):
        self.gabbro, self.campaign, self.blimp, self.jobs, self.lock = gabbro, campaign, blimp, jobs, lock
        self.active = []  # jobs in progress
        self.broken = set()  # runs that left no result; they are not started again
        self.signals = 0  # received so far; after the first, no job is started

    def on_signal(self, *_):
        self.signals += 1
        for job in self.active:
            job.process.send_signal(signal.SIGTERM)

    def command(self, step, run):
        s, folder = self.campaign.settings, self.campaign.folder / run.name
        if step == "eval":
            return [self.gabbro, "eval", folder, "--tasks-only", "--task", self.blimp, "--limit", str(s.task_limit),
                    "--threads", str(s.threads)]
        return [self.gabbro, "train", ROOT / DESIGNS[run.design][1], "--data", self.campaign.folder / "corpus",
                "--params", str(s.params), "--tokens", str(run.tokens), "--lr", f"{run.rate:g}", "--seed", str(run.seed),
                "--seq", str(s.context), "--batch", str(s.batch), "--valid-documents", str(run.documents),
                "--threads", str(s.threads), "--out", folder]

    def start(self, step, run):
        folder = self.campaign.folder / run.name
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / f"{step}.log"
        # OMP_WAIT_POLICY: waiting threads sleep instead of spinning on cores that other workers need. The
        # process has its own session, so that Ctrl-C reaches gabbro only through this program. It inherits
        # the lock, so that what is left of a killed campaign keeps the next one from starting.
        with log.open("a", encoding="utf-8") as out:
            process = subprocess.Popen(self.command(step, run), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                       env={**os.environ, "OMP_WAIT_POLICY": "passive"}, start_new_session=True,
                                       pass_fds=[self.lock.fileno()])
        self.active.append(Job(step, run, process, log, time.monotonic()))
        if self.signals:  # The signal arrived while the process was starting.
            process.send_signal(signal.SIGTERM)
        say(f"{run.name}: {step}")

    def start_more(self):
        """Starts pending runs until `jobs` are in progress."""
        if self.signals:
            return
        busy = {job.run for job in self.active}
        for step, run in self.campaign.pending():
            if len(self.active) >= self.jobs:
                return
            if run not in busy and run not in self.broken:
                self.start(step, run)
                busy.add(run)

    def finish(self, job):
        self.active.remove(job)
        done = (self.campaign.evaluation if job.step == "eval" else self.campaign.result)(job.run)
        seconds = time.monotonic() - job.began
        if done is None:
            if not self.signals:
                self.broken.add(job.run)
            how = "stopped" if self.signals else f"failed with exit status {job.process.returncode}, see {job.log}"
            say(f"{job.run.name}: {job.step} {how} after {seconds:.0f} s")
        else:
            say(f"{job.run.name}: {job.step} done in {seconds:.0f} s: {summary(job.step, done)}; {self.count()}")

    def count(self):
        """Says how many of the runs known so far are done; searches that go beyond their rates add to them."""
        s = self.campaign.settings
        searches = [self.campaign.scores(design) for design in s.designs]
        known = sum(len(scores) + len(waiting) for scores, waiting in searches) + len(s.designs) * len(s.seeds)
        done = sum(len(scores) for scores, _ in searches) + sum(map(self.is_complete, self.campaign.final_runs()))
        return f"{done} of {known} runs"

    def is_complete(self, run):
        result = self.campaign.result(run)
        return result is not None and (result["status"] == "failed" or self.campaign.evaluation(run) is not None)

    def show_status(self):
        for job in self.active:
            say(f"  {job.run.name}: {last_line(job.log)}")

    def run(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.on_signal)
        shown = time.monotonic()
        self.start_more()
        while self.active:
            time.sleep(0.05)
            ended = [job for job in self.active if job.process.poll() is not None]
            for job in ended:
                self.finish(job)
            if ended:
                self.start_more()
            if time.monotonic() - shown > STATUS_SECONDS:
                self.show_status()
                shown = time.monotonic()
        say(f"{self.count()}" + (f"; failed: {', '.join(sorted(run.name for run in self.broken))}" if self.broken else ""))
        return 1 if self.broken or self.signals else 0


def summary(step, result):
    """Describes the result of a step in a line of the log."""
    if step == "eval":
        accuracy = next(m for m in result["tasks"][0]["metrics"] if m["name"] == "acc" and not m["group"])
        return f"accuracy {accuracy['value']:.4f}"
    score = f"{result['bits_per_byte']:.4f} bits per byte, {result['tokens_per_second']:.0f} tokens/s" if result.get("bits_per_byte") else ""
    return ": ".join(filter(None, (result["status"], score, result.get("cause"))))


def last_line(log):
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "starting"


def lock_folder(folder):
    """Returns the locked file; its lock lasts until it and the runs that inherit it are closed."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failure(f"another campaign works in {folder}, or runs that it left behind still do") from None
    return lock


def run_campaign(options):
    gabbro = options.gabbro.resolve()
    for file in (gabbro, gabbro.parent / "gabbro-worker", options.blimp):
        if not file.is_file():
            raise Failure(f"there is no {file}")
    with lock_folder(options.runs) as lock:
        settings = Settings(**{field.name: getattr(options, field.name) for field in fields(Settings)})
        plan = make_plan(gabbro, settings, options.runs, options.text, options.another_worker)
        campaign = Campaign(options.runs, settings, plan["corpus"]["splits"]["valid"]["documents"])
        return Driver(gabbro, campaign, options.blimp.resolve(), options.jobs, lock).run()


def write_report(options):
    plan = read_json(options.runs / "plan.json")
    if plan is None:
        raise Failure(f"there is no campaign in {options.runs}: no plan.json")
    campaign = Campaign(options.runs, settings_from(plan["settings"]), plan["corpus"]["splits"]["valid"]["documents"])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    before = options.out.read_text(encoding="utf-8") if options.out.is_file() else ""
    curves = options.out.with_name(options.out.stem + "-curves.svg")
    text, picture = baselines_report.report(plan, campaign, before, curves.name)
    if picture is not None:
        write_atomically(curves, picture)
    write_atomically(options.out, text)
    print(options.out)
    return 0


def tuple_of(kind):
    def parse(text):
        return tuple(map(kind, text.split(",")))
    parse.__name__ = f"list of {kind.__name__}"  # argparse shows it in its errors.
    return parse


def designs(text):
    chosen = tuple(text.split(","))
    for unknown in [name for name in chosen if name not in DESIGNS]:
        raise argparse.ArgumentTypeError(f"unknown design '{unknown}'; there are: {', '.join(DESIGNS)}")
    return chosen


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train and score")
    report = commands.add_parser("report", help="write the document")
    for command in (run, report):
        command.add_argument("--runs", type=Path, default=Path("runs/baselines"), help="folder of the campaign (runs/baselines)")
    report.add_argument("--out", type=Path, default=ROOT / "docs/results/baselines.md", help="the document; curves go beside it")
    run.add_argument("--gabbro", type=Path, default=ROOT / "build/gabbro", help="the program, its worker beside it (build/gabbro)")
    run.add_argument("--text", type=Path, help="folder of train.txt.xz and valid.txt.xz; needed when there is no corpus yet")
    run.add_argument("--blimp", type=Path, required=True, help="the minimal pairs, JSON lines")
    run.add_argument("--another-worker", action="store_true", help="go on with another build of the worker than before; the report counts builds")
    run.add_argument("--jobs", type=int, default=2, help="workers at a time (2)")
    kinds = {"rates": tuple_of(float), "seeds": tuple_of(int), "designs": designs}
    for field in fields(Settings):
        shown = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
        run.add_argument("--" + field.name.replace("_", "-"), type=kinds.get(field.name, int), default=field.default,
                         help=f"({shown})")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = parse_arguments(arguments)
    try:
        return run_campaign(options) if options.command == "run" else write_report(options)
    except Failure as failure:
        print(f"baselines: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
