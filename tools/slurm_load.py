#!/usr/bin/env python3
"""Measures what a campaign with many jobs on a cluster costs its search process.

The cluster is tests/jobs/fake_slurm.py, whose jobs wait for ever. The campaign draws designs until all jobs are
submitted; then the processor time of the search process and of its calls of squeue is taken over some seconds.
"""

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRESET = """strategies = ["random"]
baselines = ["llama"]
controls = []
final_seeds = 3
[[rung]]
name = "first"
params = "{params}"
tokens = "1M"
"""


def processor_seconds(process):
    """Returns the seconds of a process, and those of its children that have ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks, (int(fields[13]) + int(fields[14])) / ticks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60, help="duration of the measurement (default 60)")
    parser.add_argument("--params", default="300k", help="parameters of a design (default 300k)")
    parser.add_argument("--data", help="corpus (default: a small one is built)")
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="folder with gabbro (default build)")
    arguments = parser.parse_args()
    gabbro = arguments.build.resolve() / "gabbro"
    folder = Path(tempfile.mkdtemp(prefix="slurm-load-"))
    try:
        (folder / "bin").mkdir()
        for program in ("sbatch", "squeue", "scancel"):
            (folder / "bin" / program).symlink_to(ROOT / "tests/jobs/fake_slurm.py")
        environment = os.environ | {"PATH": f"{folder}/bin:{os.environ['PATH']}", "FAKE_SLURM": str(folder)}
        corpus = arguments.data
        if not corpus:
            text = "".join(f"the stone of number {i * 7919} lies under the old bridge of the town\n<|endoftext|>\n"
                           for i in range(50_000))
            (folder / "text.txt").write_text(text)
            corpus = str(folder / "corpus")
            subprocess.run([gabbro, "data", "build", "--vocab", "512", "--out", corpus, folder / "text.txt"],
                           check=True, capture_output=True)
        (folder / "preset.toml").write_text(PRESET.format(params=arguments.params))
        (folder / "slurm.toml").write_text(f"[slurm]\nmax_jobs = {arguments.jobs}\n")
        search = subprocess.Popen([gabbro, "evolve", "--preset", folder / "preset.toml", "--data", corpus, "--dir",
                                   folder / "campaign", "--slurm", folder / "slurm.toml"],
                                  env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        submitted = 0
        while submitted < arguments.jobs:
            time.sleep(2)
            if search.poll() is not None:
                raise SystemExit(f"the campaign ended with {submitted} jobs: {search.stderr.read()[-2000:]}")
            jobs = folder / "jobs"
            submitted = len(jobs.read_text().splitlines()) if jobs.exists() else 0
            print(f"\r{submitted} jobs", end="", flush=True)
        time.sleep(10)
        before = processor_seconds(search.pid)
        time.sleep(arguments.seconds)
        after = processor_seconds(search.pid)
        own, calls = ((b - a) / arguments.seconds for a, b in zip(before, after))
        print(f"\r{submitted} jobs: the search process takes {100 * own:.1f} % of a core, and its calls "
              f"{100 * calls:.1f} %, over {arguments.seconds:.0f} s")
        search.send_signal(signal.SIGKILL)
        search.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
