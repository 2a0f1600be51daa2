"""Compares lm-evaluation-harness on an exported folder with `gabbro eval` on its run, item by item.

Usage: check_lm_eval.py GABBRO RUN HF_FOLDER ITEMS FILE...; each file has JSON lines with the fields good and bad,
context and continuation, or query, choices and gold. Exits with 1 if an item differs.
"""

import json
import lzma
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

# The configuration of a task in the harness, by a field that the items of its kind have.
KINDS = {
    "good": dict(
        output_type="multiple_choice", doc_to_text="", doc_to_target=0, doc_to_choice="{{[good, bad]}}", metrics=["acc"]
    ),
    "continuation": dict(
        output_type="loglikelihood",
        doc_to_text="{{context}}",
        doc_to_target="{{' ' + continuation}}",
        metrics=["acc", "perplexity"],
    ),
    "choices": dict(
        output_type="multiple_choice",
        doc_to_text="{{prompt}}",
        doc_to_target="{{gold}}",
        doc_to_choice="{{choices}}",
        metrics=["acc", "acc_norm"],
    ),
}


def read_items(path, count):
    opened = lzma.open(path, "rt") if path.suffix == ".xz" else open(path)
    with opened as file:
        return [json.loads(line) for line, _ in zip(file, range(count))]


def kind_of(item):
    return next(kind for kind in ("good", "choices", "continuation") if kind in item)


def prompted(item):
    """Returns the item with the prompt of its query in the harness."""
    query = item.get("query", "")
    if query.startswith("Question: "):
        query = query.rstrip("\n") + "\nAnswer:"
    return dict(item, prompt=query)


def by_harness(folder, tasks, work):
    """Returns for each item of each task its sample in the harness, and the log-likelihoods of its answers."""
    for name, items in tasks.items():
        (work / f"{name}.jsonl").write_text("".join(json.dumps(prompted(item)) + "\n" for item in items))
        form = dict(KINDS[kind_of(items[0])])
        metrics = [dict(metric=m) for m in form.pop("metrics")]
        config = dict(
            task=name,
            dataset_path="json",
            dataset_kwargs=dict(data_files={"test": str(work / f"{name}.jsonl")}),
            test_split="test",
            metric_list=metrics,
            **form,
        )
        (work / f"{name}.yaml").write_text(json.dumps(config))  # JSON is YAML
    manager = TaskManager(include_path=str(work), include_defaults=False)
    model = HFLM(pretrained=str(folder), trust_remote_code=True, device="cpu", dtype="float32", batch_size=8)
    results = lm_eval.simple_evaluate(model, tasks=list(tasks), task_manager=manager, log_samples=True, bootstrap_iters=0)
    out = {}
    for name in tasks:
        samples = sorted(results["samples"][name], key=lambda sample: sample["doc_id"])
        out[name] = [(sample, [float(r[0]) for r in sample["filtered_resps"]]) for sample in samples]
    return out


def by_gabbro(gabbro, run, tasks, work):
    """Returns the metrics of each item, scored as a task of its own that is called TASK-INDEX."""
    arguments = [gabbro, "eval", run, "--tasks-only", "--json"]
    for name, items in tasks.items():
        for i, item in enumerate(items):
            file = work / f"{name}-{i}.jsonl"
            file.write_text(json.dumps(item) + "\n")
            arguments += ["--task", f"{name}-{i}={file}"]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    scores = json.loads(done.stdout)["tasks"]
    return {score["name"]: {m["name"]: m["value"] for m in score["metrics"] if not m.get("group")} for score in scores}


def compare(name, i, item, sample, likelihoods, metrics):
    """Returns what differs. Answers that are equally likely are not compared: the harness takes the first."""
    wrong = []
    if kind_of(item) == "continuation":
        nats = -math.log(metrics["perplexity"])
        if abs(nats - likelihoods[0]) > 1e-3:
            wrong.append(f"log-likelihood {likelihoods[0]} instead of {nats}")
    if kind_of(item) == "choices":
        nats = likelihoods[int(item["gold"])]
        if abs(nats - metrics["gold_nats"]) > 1e-3:
            wrong.append(f"log-likelihood {nats} instead of {metrics['gold_nats']}")
    for metric in ("acc", "acc_norm"):
        tie = len(likelihoods) > 1 and sorted(likelihoods)[-1] - sorted(likelihoods)[-2] < 1e-3
        if metric in metrics and metric in sample and not tie and float(sample[metric]) != metrics[metric]:
            wrong.append(f"{metric} {sample[metric]} instead of {metrics[metric]}")
    return [f"{name} {i}: {text}" for text in wrong]


def main(gabbro, run, folder, count, files):
    tasks = {Path(file).name.split(".")[0]: read_items(Path(file), count) for file in files}
    with tempfile.TemporaryDirectory() as work:
        theirs = by_harness(folder, tasks, Path(work))
        ours = by_gabbro(gabbro, run, tasks, Path(work))
    wrong, compared = [], 0
    for name, items in tasks.items():
        for i, (item, (sample, likelihoods)) in enumerate(zip(items, theirs[name])):
            wrong += compare(name, i, item, sample, likelihoods, ours[f"{name}-{i}"])
            compared += 1
        right = sum(ours[f"{name}-{i}"]["acc"] for i in range(len(items)))
        print(f"{name}: {len(items)} items, {right:g} right")
    print("\n".join(wrong))
    assert compared == sum(len(items) for items in tasks.values())
    return 1 if wrong or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5:]))
