#!/usr/bin/env python3
"""Tests of baselines.py: whole campaigns with a scripted gabbro, whose scores are known, and the document's arithmetic."""

import contextlib
import fcntl
import io
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import baselines
import baselines_plan as plan
import baselines_report as report
import curves_svg

TOOLS = Path(__file__).resolve().parent

# A scripted gabbro. Its bits are lowest at a learning rate of 0.008 for GPT-2, and at 0.002 for the other
# designs. FAKE (JSON) makes runs fail: "diverge": [rates], "crash": [names of runs], "slow": seconds that a
# run takes, "partial": [names of runs that are first scored on too few documents].
FAKE = f"#!{sys.executable} -SE\n" + r'''
import json, math, os, signal, sys, time
from pathlib import Path
fake = json.loads(os.environ.get("FAKE", "{}"))
args = sys.argv[1:]
option = lambda name: args[args.index(name) + 1]
def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".tmp").write_text(json.dumps(value))
    path.with_suffix(".tmp").replace(path)
if args[0] == "check":
    print(json.dumps({"params": int(option("--params")) + fake.get("more", 0), "width": 80.0, "hash": args[1][-12:],
                      "train_flops_per_token": 6e6, "state_bytes": 1e5, "state_grows": "gpt2" in args[1]}))
elif args[:2] == ["data", "build"]:
    write(Path(option("--out")) / "manifest.json", {"vocab": int(option("--vocab"))})
elif args[:2] == ["data", "info"]:
    manifest = json.loads((Path(args[2]) / "manifest.json").read_text())
    split = {"documents": 5, "tokens": 1000, "bytes": 3000, "documents_hash": "d"}
    print(json.dumps({**manifest, "tokenizer_hash": "t", "splits": {"train": split, "valid": split}}))
elif args[0] == "train":
    folder = Path(option("--out"))
    with open(folder.parent.parent / "order.txt", "a") as order:
        order.write(f"{folder.parent.name}/{folder.name}\n")
    name, rate, seed = Path(args[1]).stem, float(option("--lr")), int(option("--seed"))
    if folder.name in fake.get("crash", []):
        sys.exit(2)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    until = time.time() + fake.get("slow", 0)
    while time.time() < until and not stopped:
        time.sleep(0.02)
    if stopped:
        write(folder / "result.json", {"status": "stopped"})
        sys.exit(1)
    if rate in fake.get("diverge", []):
        write(folder / "result.json", {"status": "failed", "cause": "diverged", "curve": [{"step": 0}], "tokens_per_second": 10.0})
        sys.exit(1)
    documents = int(option("--valid-documents")) or 5
    if folder.name in fake.get("partial", []) and not (folder / "result.json").exists():
        documents -= 1
    best = 0.008 if name == "gpt2" else 0.002
    bits = 2 + 0.1 * math.log2(rate / best) ** 2 + 0.01 * seed + (0.1 if name == "gpt2" else 0)
    (folder / "curve.jsonl").write_text("".join(json.dumps({"loss": 7 - 0.02 * i}) + "\n" for i in range(120)))
    beaten = folder.parent.name != "rates"
    write(folder / "result.json", {
        "status": "done" if beaten else "refused", "cause": "", "bits_per_byte": bits, "bits_low": bits - 0.1, "bits_high": bits + 0.1,
        "valid_documents": documents, "bigram_bits_per_byte": 3.0, "tokens_per_second": 1000.0, "curve": [{"step": 0}],
        "anchors": [{"name": "better than bigrams", "holds": beaten}]})
    sys.exit(0 if beaten else 1)
else:
    metrics = [{"name": "acc", "group": group, "value": 0.6, "error": 0.01} for group in ("", "term: island_effects", "uid: x")]
    write(Path(args[1]) / "eval.json", {"status": "done", "tasks": [{"name": "blimp", "metrics": metrics}]})
'''


class CampaignTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.runs = self.root / "runs"
        for name, text in (("gabbro", FAKE), ("gabbro-worker", "worker"), ("blimp.jsonl", "{}")):
            (self.root / name).write_text(text, encoding="utf-8")
        (self.root / "gabbro").chmod(0o755)

    def command(self, *more):
        return [sys.executable, TOOLS / "baselines.py", "run", "--runs", self.runs, "--gabbro", self.root / "gabbro", "--text", self.root,
                "--blimp", self.root / "blimp.jsonl", "--designs", "gpt2,llama", "--seeds", "1,2", *more]

    def run_campaign(self, *more, **fake):
        """Runs the campaign with further options; `fake` says which runs fail (FAKE)."""
        return subprocess.run(self.command(*more), env={**os.environ, "FAKE": json.dumps(fake)}, capture_output=True, text=True, check=False)

    def order(self):
        """Returns the names of the runs in the order in which they were started."""
        return (self.runs / "order.txt").read_text(encoding="utf-8").split()

    def document(self):
        out = self.root / "doc.md"
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(baselines.main(["report", "--runs", str(self.runs), "--out", str(out)]), 0)
        return out.read_text(encoding="utf-8")

    def test_searches_first_then_seed_by_seed_with_the_chosen_rates(self):
        done = self.run_campaign("--jobs", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        searches = ["rates/gpt2-0.001", "rates/llama-0.001", "rates/gpt2-0.002", "rates/llama-0.002", "rates/gpt2-0.004", "rates/llama-0.004",
                    "rates/gpt2-0.008", "rates/gpt2-0.016"]
        self.assertEqual(self.order(), [*searches, "final/gpt2-1", "final/llama-1", "final/gpt2-2", "final/llama-2"])
        self.assertIn("12 of 12 runs", done.stdout)
        text = self.document()
        self.assertIn("| GPT-2 | 0.008 | 2 | 2.1150 ± 0.0635 | +0.1000 ± 0.0000 | 0.6000 ± 0.0100 | none |", text)
        self.assertLess(text.index("| Llama |"), text.index("| GPT-2 |"), "the best comes first")
        self.assertIn("Complete: 2 designs, 2 seeds.", text)
        self.assertIn("--blimp blimp.jsonl.xz --seeds 1,2 --designs gpt2,llama\n", text)
        self.assertIn("| island effects | 0.600 | 0.600 | 0.010 |", text)

    def test_finished_runs_are_left_alone(self):
        self.run_campaign()
        before = self.order()
        self.assertEqual(self.run_campaign().returncode, 0)
        self.assertEqual(self.order(), before)

    def test_a_signal_stops_the_runs_and_the_same_command_goes_on(self):
        process = subprocess.Popen(self.command(), env={**os.environ, "FAKE": '{"slow": 60}'}, stdout=subprocess.PIPE, text=True)
        while not (self.runs / "order.txt").exists() or len(self.order()) < 2:
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 1)
        self.assertIn("rates/gpt2-0.001: train stopped", out)
        self.assertEqual(len(self.order()), 2)
        self.assertEqual(self.run_campaign("--jobs", "1").returncode, 0)
        self.assertEqual(self.order()[2:4], ["rates/gpt2-0.001", "rates/llama-0.001"])

    def test_a_diverged_rate_is_a_result_and_never_chosen(self):
        self.assertEqual(self.run_campaign(diverge=[0.002, 0.008]).returncode, 0)
        self.assertIn("final/llama-1", self.order())
        text = self.document()
        self.assertRegex(text, r"\| Llama \| 2.1100 \| not finite, or refused \| \*\*2.1100\*\* \||\| Llama \|.*\*\*2.1100\*\*")
        self.assertRegex(text, r"\| GPT-2 \| 0.004 \| 2 \|")

    def test_a_crash_leaves_the_others_running_and_is_tried_again(self):
        done = self.run_campaign("--jobs", "1", crash=["gpt2-0.004"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("rates/gpt2-0.004: train failed with exit status 2", done.stdout)
        self.assertIn("final/llama-2", self.order())
        self.assertNotIn("final/gpt2-1", self.order())
        text = self.document()
        self.assertIn("**Unfinished**: 2 of 4", text)
        self.assertIn("Not finished: seed 1: GPT-2; seed 2: GPT-2.", text)
        self.assertEqual(self.run_campaign().returncode, 0)
        self.assertIn("final/gpt2-2", self.order())

    def test_a_run_scored_on_too_few_documents_is_repeated(self):
        self.assertEqual(self.run_campaign(partial=["llama-1"]).returncode, 1)
        self.assertIn("seed 1: Llama", self.document())
        self.assertEqual(self.run_campaign(partial=["llama-1"]).returncode, 0)
        self.assertEqual(self.order().count("final/llama-1"), 2)

    def test_other_settings_and_another_build_are_refused(self):
        self.run_campaign()
        (self.root / "gabbro-worker").write_text("another", encoding="utf-8")
        done = self.run_campaign("--tokens", "100")
        self.assertEqual(done.returncode, 1)
        self.assertIn("settings.tokens: 2000000 there, 100 now", done.stderr)
        self.assertIn("workers: ", done.stderr)

    def test_designs_and_builds_can_be_added_when_told_so(self):
        self.run_campaign()
        before = self.order()
        (self.root / "gabbro-worker").write_text("another", encoding="utf-8")
        self.assertEqual(self.run_campaign("--designs", "gpt2,llama,retnet").returncode, 1)
        done = self.run_campaign("--designs", "gpt2,llama,retnet", "--another-worker")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(all("retnet" in name for name in self.order()[len(before):]))
        self.assertIn("Trained by 2 builds of the worker", self.document())
        self.assertEqual(self.run_campaign("--designs", "gpt2,llama,retnet").returncode, 0, "a build that is known")

    def test_a_size_that_a_design_cannot_have_is_refused(self):
        done = self.run_campaign(more=20_000)
        self.assertEqual(done.returncode, 1)
        self.assertIn("zoo/gpt2.gab: 1020000 parameters are not within 1 % of 1000000", done.stderr)

    def test_two_campaigns_do_not_share_a_folder(self):
        self.runs.mkdir()
        with (self.runs / "lock").open("w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = self.run_campaign()
        self.assertEqual(done.returncode, 1)
        self.assertIn("another campaign works in", done.stderr)

    def test_what_is_written_by_hand_is_kept(self):
        self.run_campaign()
        text = self.document()
        (self.root / "doc.md").write_text(text.replace("# Baselines", "# Old") + "\n## By hand\n\nKept.\n", encoding="utf-8")
        again = self.document()
        self.assertTrue(again.startswith("# Baselines\n"))
        self.assertTrue(again.endswith("\n## By hand\n\nKept.\n"))
        self.assertEqual(self.document(), again)

    def test_the_picture_has_a_line_per_design(self):
        self.run_campaign()
        self.document()
        root = ElementTree.fromstring((self.root / "doc-curves.svg").read_text(encoding="utf-8"))
        lines = root.findall("{http://www.w3.org/2000/svg}polyline")
        self.assertEqual([len(line.get("points").split()) for line in lines], [60, 60])


class ArithmeticTest(unittest.TestCase):
    def test_search_goes_beyond_an_edge_and_ends_inside(self):
        first = (0.001, 0.002, 0.004)
        for scores, following in (
            ((3.0, 2.0, 3.0), None),
            ((1.0, 2.0, 3.0), 0.0005),
            ((3.0, 2.0, 1.0), 0.008),
            ((2.0, 2.0, 2.0), 0.0005),
            ((math.inf, math.inf, math.inf), 0.0005),
        ):
            with self.subTest(scores):
                self.assertEqual(plan.next_rate(dict(zip(first, scores)), first), following)

    def test_search_ends_after_five_doublings(self):
        scores, first = {0.001: 3.0, 0.002: 2.0}, (0.001, 0.002)
        while (rate := plan.next_rate(scores, first)) is not None:
            scores[rate] = -rate
        self.assertEqual(max(scores), 0.064)

    def test_interval_by_students_t(self):
        mean, half = report.mean_interval([1.0, 2.0, 3.0])
        self.assertAlmostEqual(mean, 2.0)
        self.assertAlmostEqual(half, 4.303 / math.sqrt(3))
        self.assertTrue(math.isnan(report.mean_interval([1.0])[1]))
        self.assertAlmostEqual(report.mean_interval([0.0, 2.0] * 6)[1], 2.201 * 1.04447 / math.sqrt(12), delta=0.01)

    def test_curves_are_means_of_equal_pieces(self):
        self.assertEqual(report.binned([4.0, 2.0, 3.0, 1.0, 5.0], 2), [(2, 3.0), (4, 2.0), (5, 5.0)])

    def test_layers_of_every_design(self):
        layers = {key: baselines.layers_of((baselines.ROOT / file).read_text(encoding="utf-8")) for key, (_, file) in plan.DESIGNS.items()}
        self.assertEqual(layers, {key: 16 if key == "mamba2" else 8 for key in plan.DESIGNS})

    def test_ticks_are_round_and_inside(self):
        self.assertEqual(curves_svg.ticks(0, 2, 8), [0.0, 0.5, 1.0, 1.5, 2.0])
        self.assertTrue(all(4.13 <= tick <= 5.02 for tick in curves_svg.ticks(4.13, 5.02, 6)))


if __name__ == "__main__":
    unittest.main()
