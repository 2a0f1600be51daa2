"""What a campaign of baselines consists of: designs, settings, runs, and which run comes next.

A campaign's folder holds plan.json (settings, facts of the designs, the corpus), corpus/, and a folder for each run as `gabbro train`
leaves it: rates/DESIGN-RATE of the searches for a learning rate, final/DESIGN-SEED of the runs that are reported. What was done
is read from these folders alone, so that a campaign can be stopped anywhere and goes on.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

# Maps a design to its name in tables and its file.
DESIGNS = {
    "gpt2": ("GPT-2", "zoo/gpt2.gab"),
    "llama": ("Llama", "zoo/llama.gab"),
    "mamba2": ("Mamba-2", "zoo/mamba2.gab"),
    "retnet": ("RetNet", "zoo/retnet.gab"),
    "rwkv6": ("RWKV-6", "zoo/rwkv6.gab"),
    "ttt_linear": ("TTT-linear", "zoo/ttt_linear.gab"),
    "gated_deltanet": ("Gated DeltaNet", "zoo/gated_deltanet.gab"),
}
MOST_DOUBLINGS = 5  # factors of two that a search goes beyond the initial learning rates, in each direction


class Failure(Exception):
    """The campaign cannot go on; the text says why, and what would help."""


@dataclass(frozen=True)
class Settings:
    params: int = 1_000_000
    vocab: int = 2048
    context: int = 256
    batch: int = 4  # sequences; with 2M tokens, larger batches leave too few steps
    rates: tuple = (0.001, 0.002, 0.004)
    search_tokens: int = 500_000
    search_documents: int = 2  # held-out documents that score a learning rate
    tokens: int = 2_000_000
    documents: int = 0  # held-out documents that score a final run; 0: all
    seeds: tuple = (1, 2, 3)
    threads: int = 1
    designs: tuple = tuple(DESIGNS)
    task_limit: int = 0  # items of the benchmark; 0: all

    def as_json(self):
        return json.loads(json.dumps(asdict(self)))


def settings_from(record):
    return Settings(**{key: tuple(value) if isinstance(value, list) else value for key, value in record.items()})


@dataclass(frozen=True)
class Run:
    design: str
    rate: float
    seed: int
    tokens: int
    documents: int  # 0: all
    final: bool  # False: a run of the search for a learning rate

    @property
    def name(self):
        return f"final/{self.design}-{self.seed}" if self.final else f"rates/{self.design}-{self.rate:g}"


def read_json(path):
    """Returns the object in a file of JSON, or None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise Failure(f"{path}: not JSON ({error}); remove it, and its run is made again") from None


def failed_anchors(result):
    return [anchor["name"] for anchor in result["anchors"] if not anchor["holds"]]


class Campaign:
    """Runs of a campaign and their results; reads, never writes."""

    def __init__(self, folder, settings, held_out):
        self.folder = Path(folder)
        self.settings = settings
        self.held_out = held_out  # number of held-out documents in the corpus

    def search_run(self, design, rate):
        s = self.settings
        return Run(design, rate, s.seeds[0], s.search_tokens, s.search_documents, final=False)

    def final_run(self, design, rate, seed):
        s = self.settings
        return Run(design, rate, seed, s.tokens, s.documents, final=True)

    def result(self, run):
        """Returns the result of a run that came to its end, else None. A run that was stopped while it was scored has scored fewer documents."""
        result = read_json(self.folder / run.name / "result.json")
        if result is None or result.get("status") not in ("done", "refused", "failed"):
            return None
        if result["status"] == "failed":
            # A result without a step is not the design's fault.
            return result if result.get("curve") else None
        wanted = min(run.documents or self.held_out, self.held_out)
        return result if result["valid_documents"] == wanted else None

    def evaluation(self, run):
        """Returns the benchmark results of a final run, or None when there are none yet."""
        result = read_json(self.folder / run.name / "eval.json")
        return result if result is not None and result.get("status") == "done" else None

    def score(self, run):
        """Returns the bits per byte of a search run; infinite when it cannot be trusted; None when it is not finished.

        That a small budget does not beat bigrams says nothing against a learning rate.
        """
        result = self.result(run)
        if result is None:
            return None
        trusted = result["status"] != "failed" and set(failed_anchors(result)) <= {"better than bigrams"}
        return result["bits_per_byte"] if trusted else math.inf

    def scores(self, design):
        """Returns {rate: score} of the finished runs of a search, lowest rate first, and the list of rates that it still waits for."""
        first = self.settings.rates
        scores = {rate: self.score(self.search_run(design, rate)) for rate in first}
        while None not in scores.values():
            beyond = next_rate(scores, first)
            if beyond is None:
                break
            scores[beyond] = self.score(self.search_run(design, beyond))
        waiting = [rate for rate, score in scores.items() if score is None]
        return {rate: scores[rate] for rate in sorted(scores) if scores[rate] is not None}, waiting

    def chosen_rate(self, design):
        """Returns the best learning rate, or None while the search goes on."""
        scores, waiting = self.scores(design)
        return None if waiting else best_rate(scores)

    def final_runs(self):
        """Returns the final runs whose learning rate is known, in order: the first seed of all designs, then the second ..."""
        rates = {design: self.chosen_rate(design) for design in self.settings.designs}
        return [self.final_run(design, rates[design], seed) for seed in self.settings.seeds
                for design in self.settings.designs if rates[design] is not None]

    def pending(self):
        """Yields (step, run) of all that can be done now, in order; a step is "train" or "eval"."""
        # Designs that are behind in their searches come first, in the order of the settings.
        searches = []
        for index, design in enumerate(self.settings.designs):
            scores, waiting = self.scores(design)
            searches += [(len(scores) + turn, index, self.search_run(design, rate)) for turn, rate in enumerate(waiting)]
        yield from (("train", run) for *_, run in sorted(searches, key=lambda search: search[:2]))
        for run in self.final_runs():
            result = self.result(run)
            if result is None:
                yield "train", run
            elif result["status"] != "failed" and self.evaluation(run) is None:
                yield "eval", run


def best_rate(scores):
    """Returns the rate with the fewest bits per byte; of equals, the lowest."""
    return min(sorted(scores), key=scores.get)


def next_rate(scores, first):
    """Returns the rate beyond the edge at which the best one lies; None when it lies inside, or MOST_DOUBLINGS beyond the `first` rates."""
    best, low, high = best_rate(scores), min(scores), max(scores)
    beyond = best / 2 if best == low else best * 2 if best == high else None
    reach = 2.0 ** MOST_DOUBLINGS * 1.5  # between the last factor allowed and the next, so that rounding does not matter
    if beyond is None or not min(first) / reach < beyond < max(first) * reach:
        return None
    return beyond
