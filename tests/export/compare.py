"""Compares exported modules with what the reference computed, in the folders that case.cc writes.

Usage: compare.py FOLDER...; prints a line for each folder, and exits with 1 if one of them disagrees.
"""

import importlib.util
import json
import sys
import traceback
from pathlib import Path

import torch

DOUBLE, SINGLE = 1e-9, 1e-4  # largest differences in float64 and float32, relative to the largest element


class Case:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.json = json.loads((self.folder / "case.json").read_text())
        self.data = (self.folder / "arrays.bin").read_bytes()
        spec = importlib.util.spec_from_file_location("model", self.folder / "model.py")
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.tokens = torch.tensor(self.json["tokens"])
        self.documents = torch.tensor(self.json["documents"])

    def array(self, entry):
        count = 1
        for n in entry["shape"]:
            count *= n
        flat = torch.frombuffer(bytearray(self.data), dtype=torch.float64, count=count, offset=entry["offset"])
        return flat.reshape(entry["shape"])

    def model(self, dtype):
        model = getattr(self.module, self.json["class"])().to(dtype)
        parameters = dict(model.named_parameters())
        weights = self.json["weights"]
        assert parameters.keys() == weights.keys(), (
            f"parameters differ: {sorted(parameters.keys() ^ weights.keys())}"
        )
        with torch.no_grad():
            for key, parameter in parameters.items():
                assert list(parameter.shape) == weights[key]["shape"], f"{key}: {parameter.shape}"
                parameter.copy_(self.array(weights[key]))
        return model


def difference(got, want, largest=None):
    """Returns the largest difference, relative to `largest` or the largest expected element (at least 1).

    If an expected element is not finite: 0 if one of `got` is not either, else NaN.
    """
    got = got.double()
    if not torch.isfinite(want).all():
        return float("nan") if torch.isfinite(got).all() else 0.0
    largest = max(1.0, want.abs().max().item()) if largest is None else largest
    return ((got - want).abs().max() / largest).item()


def check_values(case):
    model = case.model(torch.float64)
    logits = model(case.tokens, case.documents)
    errors = {"logits": difference(logits, case.array(case.json["logits"]))}
    (logits * case.array(case.json["seeds"])).sum().backward()
    want = {key: case.array(entry) for key, entry in case.json["gradients"].items()}
    largest = max(g.nan_to_num(0, 0, 0).abs().max().item() for g in want.values())
    worst = 0.0
    for key, parameter in model.named_parameters():
        got = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        error = difference(got, want[key], largest)
        if larger(worst, error) is not worst:
            errors["worst"] = key
        worst = larger(worst, error)
    errors["gradients"] = worst
    with torch.no_grad():
        errors["inference"] = difference(case.model(torch.float64)(case.tokens, case.documents), logits.detach())
        single = case.model(torch.float32)(case.tokens, case.documents)
    errors["single"] = difference(single, case.array(case.json["logits"]))
    errors["rounding"] = 0.0 if errors["single"] <= SINGLE else rounding(case, logits.detach())
    # One document in a row.
    with torch.no_grad():
        alone = model(case.tokens[:1, :3])
    errors["alone"] = difference(alone, logits[:1, :3].detach())
    return errors


def rounding(case, logits):
    """Returns how far logits move when weights change by what float32 rounds: some random designs are ill-conditioned.

    It is infinite if values occur whose squares float32 cannot hold.
    """
    model = case.model(torch.float64)
    largest = []
    for module in model.modules():
        module.register_forward_hook(lambda _, __, y: largest.append(y.abs().max()) if torch.is_tensor(y) else None)
    with torch.no_grad():
        model(case.tokens, case.documents)
    if max(largest) > torch.finfo(torch.float32).max ** 0.5:
        return torch.inf
    moved = 0.0
    with torch.no_grad():
        for _ in range(3):
            model = case.model(torch.float64)
            for parameter in model.parameters():
                parameter.mul_(1 + torch.finfo(torch.float32).eps * torch.randn_like(parameter))
            moved = max(moved, difference(model(case.tokens, case.documents), logits))
    return moved


def check_initial(case):
    """Returns the number of new parameters that are not distributed as the program says."""
    wrong = 0
    for key, parameter in getattr(case.module, case.json["class"])().named_parameters():
        law = case.json["initial"][key]
        if isinstance(law, dict):
            deviation = parameter.detach().square().mean().sqrt().item()
            # Of n normal numbers, the deviation has a standard error of 1 / sqrt(2 n).
            wrong += not abs(deviation / law["std"] - 1) < 4 / parameter.numel() ** 0.5
        else:
            slack = 1e-6 * max(abs(v) for v in law)
            wrong += not (parameter.min() >= law[0] - slack and parameter.max() <= law[-1] + slack)
    return wrong


def in_pieces(model, tokens, documents, lengths, case):
    """Returns the logits of tokens in pieces of these lengths and one of the rest, and the cache of the pieces."""
    cache = case.module.Cache()
    rest = tokens.shape[1] - sum(lengths)
    lengths = [*lengths, rest] if rest else lengths
    logits = [
        model(piece, numbers, cache)
        for piece, numbers in zip(
            tokens.split(lengths, 1), documents.split(lengths, 1) if documents is not None else [None] * len(lengths)
        )
    ]
    return torch.cat(logits, 1), cache


def kept(cache):
    """Returns the number of elements that a cache keeps for a row."""
    return sum(x[0].numel() for slot in cache.slots for x in slot)


def check_decoding(case):
    """Returns the largest difference of logits that are computed in pieces from those of whole rows, and what the
    cache keeps in the end, relative to the decoding state that the facts of the design count.
    """
    model = case.model(torch.float64)
    worst = 0.0
    with torch.no_grad():
        for documents in (case.documents, None):
            whole = model(case.tokens, documents)
            for lengths in ([1] * 7, [3, 1], [4]):
                logits, _ = in_pieces(model, case.tokens, documents, lengths, case)
                worst = larger(worst, difference(logits, whole))
        # Numbers of documents for the first tokens only; then rows in another order.
        numbers = case.documents.clone()
        numbers[:, 5:] = numbers[:, 4:5]
        whole = model(case.tokens, numbers)
        cache = case.module.Cache()
        logits = [model(case.tokens[:, :4], numbers[:, :4], cache), model(case.tokens[:, 4:6], numbers[:, 4:6], cache)]
        cache.reorder(torch.tensor([1, 0]))
        logits += [model(case.tokens[:, t : t + 1].flip(0), cache=cache).flip(0) for t in range(6, case.tokens.shape[1])]
        worst = larger(worst, difference(torch.cat(logits, 1), whole))
        # A long text, whose beginning windows no longer see.
        generator = torch.Generator().manual_seed(1)
        time = case.json["state"]["time"]
        tokens = torch.randint(0, whole.shape[-1], (2, time), generator=generator)
        numbers = (torch.rand(tokens.shape, generator=generator) < 0.1).cumsum(1)
        logits, cache = in_pieces(model, tokens, numbers, [time - 9, 1, 1], case)
        worst = larger(worst, difference(logits, model(tokens, numbers)))
    return worst, kept(cache) / max(1, case.json["state"]["elements"])


def larger(a, b):
    """Returns the larger number, or NaN if one is NaN."""
    return b if not b <= a else a


def check_leaks(case):
    """Returns the number of logits that change when embeddings that they do not see become infinite, NaN, large or
    other numbers.
    """

    def decoded(model, tokens, documents):
        return in_pieces(model, tokens, documents, [3, 1, 1], case)[0]

    def whole(model, tokens, documents):
        return model(tokens, documents)

    return leaks(case, whole, (torch.float32, torch.float64)) + leaks(case, decoded, (torch.float32,))


def leaks(case, run, dtypes):
    """As check_leaks, of the logits that `run` computes in these types."""
    values = torch.tensor([torch.inf, -torch.inf, torch.nan, 1e30, 0.5])
    special = len(values)  # tokens that stand only where something changes; each has one of the values as embedding
    count, length = case.tokens.shape
    tokens = case.tokens.clamp(min=special)
    places = [(0, length // 2), (1, length // 4)]
    # Both batches have the same shape, by which products may choose how to round.
    before = tokens.repeat(len(places), special, 1, 1)
    for i, (row, t) in enumerate(places):
        before[i, :, row, t] = special
    after = before.clone()
    for i, (row, t) in enumerate(places):
        after[i, :, row, t] = torch.arange(special)
    leaks = 0
    for dtype in dtypes:
        model = case.model(dtype)
        with torch.no_grad():
            model.embedding.weight[:special] = values[:, None].to(dtype)
            for documents in (case.documents, None):
                numbers = [None, None]
                if documents is not None:
                    numbers = [documents.repeat(x.numel() // documents.numel(), 1) for x in (before, after)]
                plain = run(model, before.flatten(0, -2), numbers[0]).unflatten(0, (len(places), special, count))
                changed = run(model, after.flatten(0, -2), numbers[1]).unflatten(0, (len(places), special, count))
                if "head" not in dict(model.named_children()):  # the embeddings are the output table
                    plain, changed = plain[..., special:], changed[..., special:]
                for i, (row, t) in enumerate(places):
                    same = torch.ones_like(tokens, dtype=torch.bool)
                    later = torch.arange(length) >= t
                    here = documents[row] == documents[row, t] if documents is not None else torch.ones_like(later)
                    same[row] = ~(later & here)
                    unchanged = plain[i][:, same]
                    differs = ~((changed[i][:, same] - unchanged).abs() <= 1e-5 * unchanged.abs().max())
                    leaks += int(differs.sum())
    return leaks


def check(folder):
    case = Case(folder)
    errors = check_values(case)
    errors["initial"] = check_initial(case)
    errors["leaks"] = check_leaks(case)
    errors["decoding"], errors["kept"] = check_decoding(case)
    good = (
        errors["logits"] <= DOUBLE
        and errors["gradients"] <= DOUBLE
        and errors["inference"] <= DOUBLE
        and errors["alone"] <= DOUBLE
        and errors["single"] <= max(SINGLE, 20 * errors["rounding"])
        and errors["initial"] == 0
        and errors["leaks"] == 0
        and errors["decoding"] <= DOUBLE
        and errors["kept"] <= 2
    )
    return good, errors


def main(folders):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    failures = 0
    for folder in folders:
        try:
            good, errors = check(folder)
            text = " ".join(f"{k}={v:.1e}" if isinstance(v, float) else f"{k}={v}" for k, v in errors.items())
        except Exception:
            where = traceback.format_exc().strip().splitlines()
            calls = [line.strip() for line in where if "model.py" in line][-1:]
            good, text = False, " ".join([where[-1], *calls])
        failures += not good
        print(f"{'ok  ' if good else 'FAIL'} {Path(folder).name}: {text}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
