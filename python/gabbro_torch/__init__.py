"""Runs designs of Gabbro as PyTorch modules.

`gabbro-worker` starts `python -m gabbro_torch` for jobs with the engine "pytorch" (src/exec/pytorch). This
process holds the module, its optimizer and the device. Text, budget, checkpoints, scores and checks stay with the
worker, so that both engines go one road from a program to its score.
"""
