"""Writes the tables of docs/results/ladder.md, between its marks, from docs/results/ladder.jsonl and capabilities.jsonl."""

import math
import random
from pathlib import Path

from common import ROOT, read_lines, write_between
from ladder_plan import DESIGNS, RUNGS, TABLE, Measured

PAGE = ROOT / "docs/results/ladder.md"
# Output lines of `gabbro capabilities FILE... --json`
CAPABILITIES = ROOT / "docs/results/capabilities.jsonl"
BEGIN, END = "<!-- tables: tools/ladder.py report -->", "<!-- end of tables -->"
CONTROLS = ("ngram", "local")
RESAMPLES = 2000  # of the bootstrap


def ranks(values):
    """Returns ranks from 1; ties share their mean."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    out = [0.0] * len(values)
    i = 0
    while i < len(order):
        j = i
        while j + 1 < len(order) and values[order[j + 1]] == values[order[i]]:
            j += 1
        for k in range(i, j + 1):
            out[order[k]] = (i + j) / 2 + 1
        i = j + 1
    return out


def spearman(a, b):
    """Returns the correlation of ranks; 0 when one side is constant."""
    x, y = ranks(a), ranks(b)
    mx, my = sum(x) / len(x), sum(y) / len(y)
    top = sum((p - mx) * (q - my) for p, q in zip(x, y))
    below = math.sqrt(sum((p - mx) ** 2 for p in x) * sum((q - my) ** 2 for q in y))
    return top / below if below else 0.0


def spearman_interval(a, b, seed=1):
    """Returns Spearman's correlation with a 95 % interval by the bootstrap over designs: (value, low, high)."""
    source = random.Random(seed)
    drawn = []
    for _ in range(RESAMPLES):
        sample = [source.randrange(len(a)) for _ in a]
        drawn.append(spearman([a[i] for i in sample], [b[i] for i in sample]))
    drawn.sort()
    return spearman(a, b), drawn[int(0.025 * RESAMPLES)], drawn[int(0.975 * RESAMPLES)]


def best_line(measured, rung, design):
    """Returns the run of seed 1 at the best rate, or None."""
    best = measured.best(rung, design)
    return None if best is None else next(
        x for run, x in measured.by_run.items() if (run.rung, run.design, run.rate, run.seed) == (rung, design, best[0], 1))


def paired(a, b):
    """Returns the difference of two runs in bits per byte, and half of its 95 % interval over the documents that both were scored on."""
    d = [p - q for p, q in zip(a["documents"], b["documents"])]
    mean = a["bits_per_byte"] - b["bits_per_byte"]
    if len(d) < 2:
        return mean, float("nan")
    centre = sum(d) / len(d)
    return mean, 1.96 * math.sqrt(sum((x - centre) ** 2 for x in d) / (len(d) - 1) / len(d))


def table_of_scores(measured, rungs):
    rows = []
    for design in DESIGNS:
        cells, last = [], None
        for rung in rungs:
            line = best_line(measured, rung, design)
            failed = [x for run, x in measured.by_run.items() if run.rung == rung and run.design == design]
            if line is None:
                cells += ["refused" if failed else "", "", ""]
                continue
            gain = line["context"].get("8")
            cells += [f"{line['bits_per_byte']:.3f}", f"{line['rate']:g}", f"{gain[0]:+.3f}" if gain else ""]
            last = (rungs.index(rung), line["bits_per_byte"])
        if any(cells):
            rows.append(((-last[0], last[1]) if last else (1, 0), f"| {design} | " + " | ".join(cells) + " |"))
    head = "| design | " + " | ".join(f"{r} | rate | context" for r in rungs) + " |"
    return [head, "|---" * (1 + 3 * len(rungs)) + "|"] + [row for _, row in sorted(rows)]


def table_of_rungs(measured, rungs):
    out = ["| rung | designs | best | local control behind it | trigram control behind it | CPU minutes a design (median) |", "|---|---|---|---|---|---|"]
    for rung in rungs:
        lines = {d: line for d in DESIGNS if (line := best_line(measured, rung, d))}
        mixers = {d: x for d, x in lines.items() if d not in CONTROLS}
        if not mixers:
            continue
        best = min(mixers, key=lambda d: mixers[d]["bits_per_byte"])
        cells = []
        for control in ("local", "ngram"):
            if control in lines:
                mean, half = paired(lines[control], lines[best])
                cells.append(f"{mean:+.3f} ± {half:.3f}")
            else:
                cells.append("")
        minutes = sorted(x["cpu_seconds"] / 60 for x in mixers.values() if x.get("cpu_seconds"))
        median = f"{minutes[len(minutes) // 2]:.1f}" if minutes else "not timed"
        out.append(f"| {rung} | {len(mixers)} | {best} {mixers[best]['bits_per_byte']:.3f} | {cells[0]} | {cells[1]} | {median} |")
    return out


def table_of_ranks(measured, rungs):
    out = ["| from | to | designs | Spearman [95 %] | best of the upper rung: its rank below |", "|---|---|---|---|---|"]
    for i, low in enumerate(rungs):
        for high in rungs[i + 1:]:
            both = [(d, a["bits_per_byte"], b["bits_per_byte"]) for d in DESIGNS if d not in CONTROLS
                    if (a := best_line(measured, low, d)) and (b := best_line(measured, high, d))]
            if len(both) < 4:
                continue
            value, least, most = spearman_interval([a for _, a, _ in both], [b for _, _, b in both])
            winner = min(both, key=lambda x: x[2])
            rank = 1 + sum(a < winner[1] for _, a, _ in both)
            out.append(f"| {low} | {high} | {len(both)} | {value:.2f} [{least:.2f}, {most:.2f}] | {winner[0]}: {rank} of {len(both)} |")
    return out


def accuracies():
    """Returns {task: {design: accuracy at the training length}}."""
    out = {}
    for result in read_lines(CAPABILITIES):
        for task in result["tasks"]:
            if task["scores"]:
                out.setdefault(task["task"], {})[Path(result["file"]).stem] = task["scores"][0]["accuracy"]
    return out


def table_of_predictions(measured, rungs):
    """Correlates accuracy at each task with few bits per byte at each rung, over designs."""
    out = ["| task | " + " | ".join(rungs) + " |", "|---" * (1 + len(rungs)) + "|"]
    for task, by_design in accuracies().items():
        cells = []
        for rung in rungs:
            both = [(accuracy, -line["bits_per_byte"]) for design, accuracy in by_design.items()
                    if design not in CONTROLS and (line := best_line(measured, rung, design))]
            if len(both) < 6:
                cells.append("")
                continue
            value, least, most = spearman_interval([a for a, _ in both], [b for _, b in both])
            cells.append(f"{value:+.2f} [{least:+.2f}, {most:+.2f}], {len(both)} designs")
        if any(cells):
            out.append(f"| `{task}` | " + " | ".join(cells) + " |")
    return out


def write():
    measured = Measured.read(TABLE)
    rungs = [r for r in RUNGS if any(run.rung == r for run in measured.by_run)]
    tables = {"Rungs": table_of_rungs, "Ranks": table_of_ranks, "What capability tasks predict": table_of_predictions,
              "Scores": table_of_scores}
    parts = [line for title, table in tables.items() for line in (f"### {title}", *table(measured, rungs), "")][:-1]
    write_between(PAGE, BEGIN, END, "\n".join(parts) + "\n")
    return 0
