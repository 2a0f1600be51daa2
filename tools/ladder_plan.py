"""What the measurement of a ladder consists of: rungs, designs, and which run comes next."""

from dataclasses import dataclass

from common import ROOT, read_lines, write_lines

TABLE = ROOT / "docs/results/ladder.jsonl"
FIRST_RATES = (0.004, 0.008, 0.016)
MOST_DOUBLINGS = 3  # factors of two that a search goes beyond the initial learning rates, both directions together


@dataclass(frozen=True)
class Rung:
    params: str
    tokens: str
    blocks: int
    length: int = 256
    sequences: int = 8
    dtype: str = "float32"
    documents: int = 51  # held-out documents that are scored
    document_tokens: int = 2048  # leading tokens that are scored of each
    tables: float = 4  # factor on the learning rates of the input and output tables
    below: str = ""  # rung whose best learning rates are taken; empty: they are searched for here


RUNGS = {
    "150k/1M": Rung("150k", "1M", 2),
    "300k/3M": Rung("300k", "3M", 4, below="150k/1M"),
    "600k/5M": Rung("600k", "5M", 4, below="300k/3M"),
    "600k/10M": Rung("600k", "10M", 4, below="600k/5M"),
}

DESIGNS = {path.stem: f"zoo/{path.name}" for path in sorted((ROOT / "zoo").glob("*.gab")) if path.stem != "prelude"}
DESIGNS |= {path.stem: f"docs/results/ladder/{path.name}" for path in sorted((ROOT / "docs/results/ladder").glob("*.gab"))}


@dataclass(frozen=True)
class Run:
    rung: str
    design: str
    rate: float
    seed: int

    def __str__(self):
        return f"{self.rung.replace('/', '-').replace(' ', '-')} {self.design} {self.rate:g} {self.seed}"


class Measured:
    """The finished runs."""

    def __init__(self, lines):
        self.lines = lines
        self.by_run = {Run(x["rung"], x["design"], x["rate"], x["seed"]): x for x in lines}

    @staticmethod
    def read(path):
        return Measured(read_lines(path))

    def add(self, line, path):
        self.__init__(self.lines + [line])
        write_lines(path, self.lines)

    def scores(self, rung, design, seed=1):
        """Returns {rate: bits per byte}, infinite for a run without a score."""
        return {run.rate: x["bits_per_byte"] if x["status"] == "done" else float("inf")
                for run, x in self.by_run.items() if (run.rung, run.design, run.seed) == (rung, design, seed)}

    def best(self, rung, design, seed=1):
        """Returns the best rate and its score, or None when no run has a score."""
        scores = {rate: bits for rate, bits in self.scores(rung, design, seed).items() if bits < float("inf")}
        return min(scores.items(), key=lambda item: item[1]) if scores else None


def rates_wanted(measured, rung, design, neighbours):
    """Returns the rates at which a design is to be trained at a rung, as far as they are known yet."""
    rates = list(FIRST_RATES)
    if below := RUNGS[rung].below:
        best = measured.best(below, design)
        if best is None:
            return []
        if not neighbours:
            return [best[0]]
        rates = [best[0] / 2, best[0]]  # Larger models prefer lower learning rates.
    for _ in range(MOST_DOUBLINGS):
        scores = measured.scores(rung, design)
        if any(rate not in scores for rate in rates):
            return rates
        best = min(rates, key=scores.get)
        if scores[best] == float("inf"):
            return rates
        if best == min(rates):
            rates.insert(0, best / 2)
        elif best == max(rates):
            rates.append(best * 2)
        else:
            return rates
    return rates


def next_runs(measured, rungs, designs, seeds, neighbours):
    """Yields the runs that can be started, in the order of rungs; seeds from 2 on at the best rate of seed 1."""
    for rung in rungs:
        for design in designs:
            for rate in rates_wanted(measured, rung, design, neighbours):
                run = Run(rung, design, rate, 1)
                if run not in measured.by_run:
                    yield run
            best = measured.best(rung, design)
            if best is None:
                continue
            for seed in range(2, seeds + 1):
                run = Run(rung, design, best[0], seed)
                if run not in measured.by_run:
                    yield run
