#!/usr/bin/env -S python3 -SE
"""Plays sbatch, squeue and scancel, by the name under which it is called. The state is in the folder FAKE_SLURM.

jobs     one line per task of an array, with FIELDS between tabs
calls    one line per call, with its arguments
down     if it exists, the controller does not answer
lost     if it exists, sbatch accepts the job, but its answer is lost
refuse   if it exists, sbatch prints this text and fails
"""

import os
import sys
from pathlib import Path

FIELDS = ("array", "index", "state", "node", "comment", "reason", "name", "options")
folder = Path(os.environ["FAKE_SLURM"])
program = Path(sys.argv[0]).name
arguments = sys.argv[1:]
with (folder / "calls").open("a") as calls:
    print(program, *arguments, file=calls)
jobs_file = folder / "jobs"
lines = jobs_file.read_text().splitlines() if jobs_file.exists() else []
jobs = [dict(zip(FIELDS, line.split("\t"))) for line in lines]


def fail(message):
    print(f"{program}: error: {message}", file=sys.stderr)
    sys.exit(1)


def save():
    temporary = folder / f"jobs.{os.getpid()}"
    temporary.write_text("".join("\t".join(str(job[f]) for f in FIELDS) + "\n" for job in jobs))
    temporary.rename(jobs_file)


def value(name):
    return next((a.split("=", 1)[1] for a in arguments if a.startswith(f"--{name}=")), "")


if (folder / "down").exists():
    fail("Unable to contact slurm controller (connect failure)")
if program == "sbatch":
    if (folder / "refuse").exists():
        fail((folder / "refuse").read_text().strip())
    array = max((int(job["array"]) for job in jobs), default=0) + 1
    first, last = map(int, value("array").split("-"))
    for index in range(first, last + 1):
        jobs.append({"array": str(array), "index": index, "state": "PENDING", "node": "", "reason": "Priority",
                     "comment": value("comment"), "name": value("job-name"), "options": " ".join(arguments)})
    save()
    if (folder / "lost").exists():
        fail("Batch job submission failed: Socket timed out on send/recv operation")
    print(array)
elif program == "squeue":
    for job in jobs:
        if job["name"] == value("name"):
            print("|".join(job[field] for field in FIELDS[:6]))
elif program == "scancel":
    numbers = {a for a in arguments if not a.startswith("-")}
    for job in jobs:
        if f"{job['array']}_{job['index']}" in numbers and not value("signal"):
            job["state"] = "CANCELLED"
    save()
