"""The document about a campaign of baselines: tables and curves from its folder, above a marker; what is written by hand, below it."""

import json
import math
import statistics
from dataclasses import fields

import curves_svg
from baselines_plan import Settings, best_rate, failed_anchors
from common import mean_interval, table, with_half

MARKER = "<!-- Above: written by `tools/baselines.py report`. Below: by hand, and kept. -->"
REFERENCE = "llama"  # the design whose bits are subtracted from those of the others, seed by seed
CURVE_POINTS = 60


def human(value):
    """Returns a number with four digits and a unit, as 1.5M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.4g}"


class Design:
    """The final runs of a design that are finished, by seed: results, folders, and benchmark accuracies by group."""

    def __init__(self, plan, campaign, key):
        self.key, self.facts = key, plan["designs"][key]
        self.name, self.rate = self.facts["name"], campaign.chosen_rate(key)
        self.results, self.accuracies, self.folders = {}, {}, {}
        for seed in campaign.settings.seeds if self.rate is not None else ():
            run = campaign.final_run(key, self.rate, seed)
            if (result := campaign.result(run)) is not None:
                self.results[seed] = result
                self.folders[seed] = campaign.folder / run.name
            if seed in self.results and (evaluation := campaign.evaluation(run)) is not None:
                self.accuracies[seed] = {m["group"]: m for m in evaluation["tasks"][0]["metrics"] if m["name"] == "acc"}

    @property
    def counted(self):
        """Returns {seed: result} of the runs that hold every anchor."""
        return {seed: result for seed, result in self.results.items() if result["status"] == "done"}

    def is_complete(self, seed):
        return seed in self.results and (self.results[seed]["status"] == "failed" or seed in self.accuracies)

    def bits(self):
        return {seed: result["bits_per_byte"] for seed, result in self.counted.items()}

    def accuracy(self, group=""):
        """Returns the means over seeds of a benchmark's accuracy and of its standard error, or None without a run that counts."""
        found = [metrics[group] for seed, metrics in self.accuracies.items() if seed in self.counted and group in metrics]
        if not found:
            return None
        return statistics.fmean(m["value"] for m in found), statistics.fmean(m["error"] for m in found)

    def refusals(self):
        """Says how the runs that do not count ended."""
        out = []
        for seed, result in self.results.items():
            if result["status"] == "refused":
                out.append(f"seed {seed} ({result['bits_per_byte']:.4f}): {', '.join(failed_anchors(result))}")
            elif result["status"] == "failed":
                out.append(f"seed {seed}: {result['cause']}")
        return "; ".join(out) or "none"


def by_bits(designs):
    return sorted(designs, key=lambda d: statistics.fmean(d.bits().values()) if d.counted else math.inf)


def score_rows(designs):
    reference = next((d.bits() for d in designs if d.key == REFERENCE), {})
    for d in by_bits(designs):
        bits, accuracy = d.bits(), d.accuracy()
        shared = [bits[seed] - reference[seed] for seed in bits if seed in reference and d.key != REFERENCE]
        yield [d.name, f"{d.rate:g}" if d.rate else "searching", str(len(bits)),
               with_half(mean_interval(list(bits.values()))) if bits else "",
               with_half(mean_interval(shared), sign="+") if shared else "",
               f"{accuracy[0]:.4f} ± {accuracy[1]:.4f}" if accuracy else "", d.refusals() if d.results else ""]


def scores(designs):
    header = ["design", "rate", "seeds", "bits per byte", "minus Llama", "BLiMP accuracy", "refused"]
    results = [result for d in designs for result in d.counted.values()]
    out = table(header, score_rows(designs))
    if results:
        half = statistics.fmean((r["bits_high"] - r["bits_low"]) / 2 for r in results)
        bigram = statistics.fmean(r["bigram_bits_per_byte"] for r in results)
        out += f"""
- Bits per byte: mean over seeds ± half of the 95 % interval by Student's t over seeds. Lower is better.
- "Minus Llama": the same for the differences seed by seed, where data and their order are the same.
- BLiMP: mean over seeds ± standard error of one run over its items.
- Other documents would move all designs together: a single run's 95 % interval over {results[0]["valid_documents"]} documents is ± {half:.3f}.
- A bigram model of the same tokens has {bigram:.4f} bits per byte.
"""
    return out


def costs(designs, context, threads, jobs_note):
    rows = []
    for d in designs:
        speeds = [result["tokens_per_second"] for result in d.results.values()]
        speed = f"{statistics.median(speeds):.0f}" if speeds else ""
        rows.append([d.name, f"{d.facts['params']:,}", f"{d.facts['width']:.0f}", str(d.facts["layers"]),
                     human(d.facts["train_flops_per_token"]), speed,
                     human(d.facts["state_bytes"]) + (", grows" if d.facts["state_grows"] else "")])
    header = ["design", "parameters", "width", "layers", "train FLOPs/token", "tokens/s", f"state, bytes at {context}"]
    return table(header, rows) + f"""
Tokens/s of training: median over runs, {threads} thread{"s" if threads > 1 else ""} each, {jobs_note}. The machine was shared, so these numbers rank designs only roughly; [benchmarks.md](../benchmarks.md) has measurements of speed.
"""


def rate_text(scores, rate):
    if rate not in scores:
        return ""
    text = f"{scores[rate]:.4f}" if math.isfinite(scores[rate]) else "not finite, or refused"
    return f"**{text}**" if rate == best_rate(scores) else text


def search(plan, campaign):
    """Returns the table of the searches for a learning rate."""
    found = {design: campaign.scores(design) for design in campaign.settings.designs}
    rates = sorted({rate for scores, waiting in found.values() for rate in [*scores, *waiting]})
    rows = [[plan["designs"][design]["name"], *(rate_text(scores, rate) for rate in rates), "goes on" if waiting else "ended"]
            for design, (scores, waiting) in found.items()]
    return table(["design", *(f"{rate:g}" for rate in rates), "search"], rows)


def phenomena(designs):
    shown = [d for d in designs if d.accuracy()]
    groups = sorted({group for d in shown for metrics in d.accuracies.values() for group in metrics if group.startswith("term: ")})
    if not groups:
        return "No run that counts is scored yet.\n"
    rows = []
    for group in groups:
        values = [d.accuracy(group) for d in shown]
        error = max(value[1] for value in values if value)
        rows.append([group.removeprefix("term: ").replace("_", " "), *(f"{value[0]:.3f}" if value else "" for value in values),
                     f"{error:.3f}"])
    return table(["phenomenon", *(d.name for d in shown), "s.e. at most"], rows)


def binned(losses, bins):
    """Returns [(steps so far, mean loss)] of about `bins` equal pieces."""
    size = max(1, round(len(losses) / bins))
    pieces = [losses[i:i + size] for i in range(0, len(losses), size)]
    return [(min((i + 1) * size, len(losses)), statistics.fmean(piece)) for i, piece in enumerate(pieces)]


def curve(design, tokens_per_step):
    """Returns [(millions of tokens, training loss)], as means over the seeds that count."""
    seeds = []
    for seed in design.counted:
        lines = (design.folders[seed] / "curve.jsonl").read_text(encoding="utf-8").splitlines()
        seeds.append([json.loads(line)["loss"] for line in lines])
    losses = [statistics.fmean(step) for step in zip(*seeds)]
    return [(steps * tokens_per_step / 1e6, loss) for steps, loss in binned(losses, CURVE_POINTS)]


def picture(designs, settings):
    """Returns the SVG, or None before the first run that counts is finished."""
    curves = {d.name: curve(d, settings.batch * settings.context) for d in designs if d.counted}
    title = "Training loss of the baselines, mean over seeds"
    return curves_svg.draw(curves, "million tokens", "training loss, nats per token", title) if curves else None


def standing(designs, campaign):
    """Says what is finished and what is not."""
    s = campaign.settings
    searching = [d.name for d in designs if d.rate is None]
    missing = {seed: [d.name for d in designs if not d.is_complete(seed)] for seed in s.seeds}
    unfinished, total = sum(map(len, missing.values())), len(designs) * len(s.seeds)
    if not searching and not unfinished:
        return f"Complete: {len(designs)} designs, {len(s.seeds)} seeds.\n"
    lines = [f"**Unfinished**: {total - unfinished} of {total} final runs are trained and scored; means are over the seeds that are there."]
    if searching:
        lines.append(f"Searches for a learning rate that go on: {', '.join(searching)}.")
    names = {seed: "all" if len(found) == len(designs) else ", ".join(found) for seed, found in missing.items() if found}
    lines.append("Not finished: " + "; ".join(f"seed {seed}: {text}" for seed, text in names.items()) + ".")
    return "\n".join(lines) + "\n"


def settings_text(plan, settings):
    s, train, valid = settings, plan["corpus"]["splits"]["train"], plan["corpus"]["splits"]["valid"]
    return f"""- Text: {train["bytes"] / 1e6:.1f} MB of training text ({train["tokens"] / 1e6:.2f}M tokens), {valid["documents"]} held-out documents with {valid["bytes"] / 1e6:.2f} MB in total, and a vocabulary of {s.vocab} tokens made from the training text.
- Runs: {human(s.params)} parameters within 1 %, {human(s.tokens)} tokens, context {s.context}, batch size {s.batch}, otherwise the defaults of `gabbro train` (AdamW, weight decay 0.1, cosine to 10 %, muP rates: matrices get the base rate times 256 / fan-in).
- Learning rates: {", ".join(f"{rate:g}" for rate in s.rates)} on {human(s.search_tokens)} tokens with seed {s.seeds[0]}, scored on the first {s.search_documents} held-out documents. While the best lies at an edge, one more is tried, beyond it by a factor of two. These documents also score the final runs, among others.
- Final runs: seeds {", ".join(map(str, s.seeds))}, which determine initialisation and data order. They are scored on {s.documents or "all"} held-out documents, whole.
- State: what decoding carries after {s.context} tokens, at 4 bytes per element.
""" + (f"- Trained by {len(plan['workers'])} builds of the worker, one after the other.\n" if len(plan["workers"]) > 1 else "")


def commands(settings):
    """Returns the commands that reproduce the numbers, with the settings that differ from the defaults."""
    default = Settings()
    options = "".join(f" --{field.name.replace('_', '-')} {option_text(getattr(settings, field.name))}" for field in fields(Settings)
                      if getattr(settings, field.name) != getattr(default, field.name))
    return f"""```
tools/baselines.py run --text TEXT --blimp blimp.jsonl.xz{options}
tools/baselines.py report
```

TEXT is a folder with train.txt.xz and valid.txt.xz. The first command continues where it was stopped.
"""


def option_text(value):
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def generated(plan, campaign, curves):
    s = campaign.settings
    designs = [Design(plan, campaign, key) for key in s.designs]
    svg = picture(designs, s)
    parts = [
        "# Baselines\n", "Known architectures of `zoo/`, trained by one procedure at equal parameters and tokens. Scores are held-out bits per byte; lower is better.\n", standing(designs, campaign),
        "## Scores\n", scores(designs), "## Sizes and costs\n", costs(designs, s.context, s.threads, "with another worker running"),
        "## Curves\n", f"![Training loss against tokens]({curves})\n" if svg else "No final run that counts is finished yet.\n",
        "## BLiMP by phenomenon\n", phenomena(designs), "## Search for the learning rates\n",
        "Bits per byte at each learning rate; the best of each design is bold.\n", search(plan, campaign), "## Settings\n", settings_text(plan, s),
        "## Commands\n", commands(s),
    ]
    return "\n".join(parts), svg


def kept(before):
    """Returns what stands below the marker of the document as it was; all of it if there is no marker."""
    if MARKER in before:
        return before.split(MARKER, 1)[1]
    return "\n" + before if before.strip() else "\n"


def report(plan, campaign, before, curves):
    """Returns (text of the document, SVG or None). `before` is the text of the document as it is, and `curves` the name of the picture beside it."""
    text, svg = generated(plan, campaign, curves)
    return text + "\n" + MARKER + "\n" + kept(before).removeprefix("\n"), svg
