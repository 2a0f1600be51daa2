"""Looks for what positions of exported modules read although they do not see it, to the bit.

Usage: leaks.py FILE; each line is {"name", "class", "source", "vocab"} of a module. Prints a line for each module,
and exits with 1 if one of them leaks.
"""

import contextlib
import json
import random
import sys
import types
import zlib

import torch

LENGTH, ROWS = 100, 6  # of a batch
STRANGE = 6  # tokens with strange embeddings
# 3.4e38 is finite in float32 and infinite in bf16.
VALUES = [torch.inf, -torch.inf, torch.nan, 3.4e38, -3.4e38, 1e38, -1e38, 1e30, -3e19, 1e20, 1e5, 1e-42]


def model_of(entry, draw):
    """Returns the module with random weights; embeddings of the last STRANGE tokens have some elements of VALUES."""
    space = types.ModuleType("exported")
    exec(compile(entry["source"], entry["name"], "exec"), space.__dict__)
    model = getattr(space, entry["class"])()
    scale = draw.choice([0, 0.3, 0.3])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
        for token in range(entry["vocab"] - STRANGE, entry["vocab"]):
            row = model.embedding.weight[token]
            part = torch.rand_like(row) < draw.choice([0.5, 1])
            model.embedding.weight[token] = torch.where(part, draw.choice(VALUES), row)
    return space, model


def documents_of(draw):
    """Returns numbers of documents, [rows, time], and the start and end of one document of each row."""
    numbers, chosen = torch.zeros(ROWS, LENGTH, dtype=torch.long), []
    for row in range(ROWS):
        cuts = [0, *sorted(draw.sample(range(1, LENGTH), draw.choice([1, 2, 3, 8]))), LENGTH]
        for number, (start, end) in enumerate(zip(cuts, cuts[1:])):
            numbers[row, start:end] = number
        at = draw.randrange(len(cuts) - 1)
        chosen.append((cuts[at], cuts[at + 1]))
    return numbers, chosen


def run(space, model, tokens, documents, how):
    """Returns the logits of a pass.

    `how` is "once", "training" (with gradients), "bf16", or "decoded" (in pieces).
    """
    half = torch.autocast("cpu", torch.bfloat16) if how == "bf16" else contextlib.nullcontext()
    with torch.set_grad_enabled(how == "training"), half:
        if how != "decoded":
            return model(tokens, documents).detach()
        cache, lengths = space.Cache(), [LENGTH // 2, 1, 1, LENGTH - LENGTH // 2 - 2]
        numbers = [None] * len(lengths) if documents is None else documents.split(lengths, 1)
        return torch.cat([model(x, n, cache) for x, n in zip(tokens.split(lengths, 1), numbers)], 1)


def leaks(entry):
    """Returns descriptions of the logits that change when everything changes that their positions do not see."""
    seed = zlib.crc32(entry["name"].encode())
    torch.manual_seed(seed)
    draw, found = random.Random(seed), []
    space, model = model_of(entry, draw)
    vocab = entry["vocab"]
    tokens = torch.randint(0, vocab - STRANGE, (ROWS, LENGTH))
    packed, chosen = documents_of(draw)
    for documents, spans in ((None, [(0, LENGTH)] * ROWS), (packed, chosen)):
        watched = torch.zeros(ROWS, LENGTH, dtype=torch.bool)
        for row, (start, end) in enumerate(spans):
            watched[row, start : draw.randrange(start, end) + 1] = True
        others = []
        for share in (0.03, 1):
            strange = torch.rand(ROWS, LENGTH) < share
            other = torch.where(strange, torch.randint(vocab - STRANGE, vocab, (ROWS, LENGTH)), tokens.flip(0).roll(1, 1))
            others.append(torch.where(watched, tokens, other))
        for how in ("once", "training", "bf16", "decoded"):
            plain = run(space, model, tokens, documents, how).expand(ROWS, -1, -1)
            for share, other in zip(("few", "all"), others):
                changed = run(space, model, other, documents, how).expand(ROWS, -1, -1)
                # Equal numbers with the same sign, or both NaN.
                same = (plain == changed) & (plain.signbit() == changed.signbit()) | plain.isnan() & changed.isnan()
                bad = watched & ~same.all(2)
                if bad.any():
                    row, t = bad.nonzero()[0].tolist()
                    text = "a document" if documents is None else "packed"
                    found.append(f"{how}, {text}, {share} strange: {int(bad.sum())}, first row {row} position {t}")
    return found


def main(file):
    torch.set_num_threads(1)
    failures = 0
    with open(file) as lines:
        for line in lines:
            entry = json.loads(line)
            try:
                found = leaks(entry)
            except Exception as error:
                found = [f"{type(error).__name__}: {error}".splitlines()[0]]
            failures += bool(found)
            print(f"{'FAIL' if found else 'ok  '} {entry['name']} {'; '.join(found)}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
