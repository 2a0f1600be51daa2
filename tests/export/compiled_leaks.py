"""Looks for what compiled attention reads of later positions, where a value is finite in float32 and infinite in bf16.

Usage: compiled_leaks.py FILE; FILE is a module that uses `attention`. Exits with 1 if an earlier position changes.
Compiled code may keep numbers unrounded until they are stored, so that a test of the rounded number misses them.
"""

import sys

import torch

CHANGED = 40  # the position whose value changes


def main(file):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    space = {}
    with open(file) as source:
        exec(compile(source.read(), "module", "exec"), space)

    def attend(q, key, value, documents):
        value = torch.where(value > 0, 3.4028234e38, value)
        return space["attention"](q, key, value, documents, None, scale=1.0)

    q, key, value = (torch.randn(2, 64, 2, 4) for _ in range(3))
    value = -value.abs()
    other = value.clone()
    other[0, CHANGED, 0, 1] = 1
    leaks = 0
    for documents in (torch.zeros(2, 64, dtype=torch.long), None):
        for run in (attend, torch.compile(attend, dynamic=False)):
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
                before, after = run(q, key, value, documents), run(q, key, other, documents)
            same = torch.equal(before[:, :CHANGED], after[:, :CHANGED])
            form = "eager" if run is attend else "compiled"
            print("ok  " if same else "FAIL", form, flush=True)
            leaks += not same
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
