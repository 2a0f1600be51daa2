"""Helpers of the measuring tools: a log with times, files that appear whole, lines of JSON, pages with tables between two marks, intervals."""

import json
import math
import statistics
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# 97.5 % quantiles of Student's t, by degrees of freedom; there is none for 0.
T_975 = (math.nan, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def write_atomically(path, text):
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def read_lines(path):
    """Returns the values of a file of JSON lines; none when there is no file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def write_lines(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(json.dumps(value) + "\n" for value in values))


def write_between(path, begin, end, text):
    """Replaces what stands between two marks of a page."""
    before, rest = path.read_text(encoding="utf-8").split(begin)
    write_atomically(path, f"{before}{begin}\n{text}{end}{rest.split(end)[1]}")


def mean_interval(values):
    """Returns the mean, and half of its 95 % interval by Student's t; the half is NaN for a single value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, math.nan
    freedom = len(values) - 1
    quantile = T_975[freedom] if freedom < len(T_975) else 1.96 + 2.7 / freedom  # at most 1 % too large
    return mean, quantile * statistics.stdev(values) / math.sqrt(len(values))


def with_half(pair, digits=4, sign=""):
    """Returns the text of a mean_interval; `sign` "+" also shows the sign of a positive mean."""
    mean, half = pair
    return f"{mean:{sign}.{digits}f}" + ("" if math.isnan(half) else f" ± {half:.{digits}f}")


def table(header, rows):
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]
    return "\n".join(lines) + "\n"
