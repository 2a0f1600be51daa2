#!/usr/bin/env python3
"""Compares search strategies: campaigns that differ in their seed alone, in each of which all strategies have equal training FLOPs.

  tools/strategies.py run --data CORPUS --out FOLDER --preset FILE [--minutes M] [--seeds 1,2,3,4] [--strategies A,B,C]
  tools/strategies.py report       writes docs/results/strategies.md from what is measured

`run` gives every campaign M minutes of search, in as many sessions as that takes (Ctrl-C ends one in order), and adds a line to
docs/results/strategies.jsonl for each that had its minutes. The folder of a campaign has a name of its preset, strategies and seed, so that
different ones are never mixed.

Exit status: 0 all that was asked is done, 1 something is left or failed, 2 wrong usage.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

from common import ROOT, mean_interval, read_lines, say, table, with_half, write_atomically, write_between, write_lines

PAGE, TABLE = ROOT / "docs/results/strategies.md", ROOT / "docs/results/strategies.jsonl"
BEGIN, END = "<!-- tables: tools/strategies.py report -->", "<!-- end of tables -->"
SHORTEST_SESSION = 0.05  # shortest session worth starting, in minutes


def status(gabbro, folder):
    """Returns what `gabbro status --json` prints."""
    done = subprocess.run([gabbro, "status", folder, "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def end_of(status):
    """Returns the reason for which the last session ended; a session that was killed has none."""
    return (status["session"] or {}).get("end") or "killed"


def line_of(status, seed, minutes, preset):
    """Returns what is kept of a campaign: each strategy's best score at each rung, and the best baseline's; None: no score."""
    rungs = [r["name"] for r in status["rungs"]]
    baselines = [r["best_baseline"] and r["best_baseline"]["bits_per_byte"] for r in status["rungs"]]
    return {"preset": preset, "seed": seed, "minutes": minutes, "rungs": rungs, "baselines": baselines,
            "strategies": [{"name": a["name"], "designs": a["designs"], "refused": a["refused"], "flops": a["flops"],
                      "best": [b and b["bits_per_byte"] for b in a["best"]]} for a in status["strategies"]]}


def run(args):
    strategies = ",".join(args.strategies)
    preset = hashlib.sha256(args.preset.read_bytes() + strategies.encode()).hexdigest()[:16]
    lines, left = read_lines(TABLE), 0
    for seed in args.seeds:
        if any((x["seed"], x["minutes"], x["preset"]) == (seed, args.minutes, preset) for x in lines):
            continue
        folder = args.out / f"{preset}-seed-{seed}"
        begun = (folder / "campaign.db").exists()
        spent = status(args.gabbro, folder)["seconds"] / 60 if begun else 0
        # A session may end before its minutes are used up, since it starts no run that would not fit.
        if args.minutes - spent > SHORTEST_SESSION:
            minutes = f"{args.minutes - spent:.2f}"
            command = ([args.gabbro, "resume", folder, "--data", args.data] if begun else
                       [args.gabbro, "evolve", "--dir", folder, "--data", args.data, "--preset", args.preset,
                        "--strategies", strategies, "--seed", str(seed)])
            say(f"seed {seed}: {minutes} minutes of search")
            log_path = folder.with_suffix(".log")
            with log_path.open("a", encoding="utf-8") as log:
                code = subprocess.run([*command, "--minutes", minutes, "--workers", str(args.workers)], stdout=log,
                                      stderr=log, check=False).returncode
            end = end_of(status(args.gabbro, folder)) if (folder / "campaign.db").exists() else "no campaign"
            if code != 0 or end not in ("budget", "done"):
                say(f"seed {seed}: {end}, exit status {code}; see {log_path}")
                left += 1
                continue
        lines.append(line_of(status(args.gabbro, folder), seed, args.minutes, preset))
        write_lines(TABLE, lines)
        say(f"seed {seed}: measured")
    return 1 if left else 0


def differences(lines, rung, strategy, against=None):
    """Returns the best score of a strategy at a rung minus that of `against` (None: of the best baseline), for each campaign that has both."""
    out = []
    for x in lines:
        best = {a["name"]: a["best"][rung] for a in x["strategies"]}
        other = x["baselines"][rung] if against is None else best.get(against)
        if best.get(strategy) is not None and other is not None:
            out.append(best[strategy] - other)
    return out


def cell(values):
    """Returns the mean with half of its interval, and the number of campaigns."""
    return f"{with_half(mean_interval(values), sign='+')} ({len(values)})" if values else ""


def tables(lines):
    rungs = lines[0]["rungs"]
    strategies = [a["name"] for a in lines[0]["strategies"]]
    total = {strategy: [a for x in lines for a in x["strategies"] if a["name"] == strategy] for strategy in strategies}
    rows = [[strategy, str(sum(a["designs"] for a in total[strategy])), str(sum(a["refused"] for a in total[strategy])),
             *(cell(differences(lines, r, strategy)) for r in range(len(rungs)))] for strategy in strategies]
    pairs = [[f"{a} minus {b}", *(cell(differences(lines, r, a, b)) for r in range(len(rungs)))]
             for a, b in combinations(strategies, 2)]
    return ("### Against the best baseline\n" + table(["strategy", "designs", "draws refused", *rungs], rows) +
            "\n### Against each other\n" + table(["pair", *rungs], pairs))


def report():
    lines = read_lines(TABLE)
    if not lines:
        say(f"{TABLE.name} holds no campaign")
        return 1
    # Campaigns of another preset or budget than the last one's are not comparable.
    kept = [x for x in lines if (x["preset"], x["minutes"]) == (lines[-1]["preset"], lines[-1]["minutes"])]
    if not PAGE.exists():
        write_atomically(PAGE, f"# Search strategies\n\n{BEGIN}\n{END}\n")
    write_between(PAGE, BEGIN, END, tables(kept))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    search = commands.add_parser("run", help="make the campaigns that are missing")
    search.add_argument("--data", type=Path, required=True, help="a corpus with the preset's vocabulary")
    search.add_argument("--out", type=Path, required=True, help="where the campaigns live")
    search.add_argument("--gabbro", type=Path, default=ROOT / "build/gabbro")
    search.add_argument("--preset", type=Path, required=True)
    search.add_argument("--minutes", type=float, default=60, help="minutes of search for each campaign (60)")
    search.add_argument("--workers", type=int, default=2)
    search.add_argument("--seeds", type=lambda s: [int(x) for x in s.split(",")], default=[1, 2, 3, 4])
    search.add_argument("--strategies", type=lambda s: s.split(","), default=["random", "tournament", "adaptive"])
    commands.add_parser("report", help="write the tables")
    args = parser.parse_args()
    if args.command == "report":
        return report()
    args.out.mkdir(parents=True, exist_ok=True)
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
