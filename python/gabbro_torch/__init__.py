"""Runs designs of Gabbro as PyTorch modules.

`gabbro-worker` starts `python -m gabbro_torch` for jobs with the engine "pytorch" (src/exec/pytorch). The
Python process holds the module and its optimizer, on their device. Text, token budget, checkpoint files, bits per
byte and checks stay with the worker, so that a program takes the same path to its score with either engine ("cpu"
or "pytorch").
"""
