#!/usr/bin/env python3
"""Adds up what `./dev test` ran: prints `N passed, N failed` (and skips) for one or more test-results folders.

A folder holds ctest.xml (ctest --output-junit), one <entry>.json per test binary (Google Test's own cases) and
checks.txt (`pass|fail name` per line, the checks beside ctest). A binary that failed without a failing case, or died
before it wrote its cases, counts as one failure. Exit status 1 when anything failed or nothing ran.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path


def gtest_counts(path):
    counts = Counter()
    for suite in json.loads(path.read_text(encoding="utf-8")).get("testsuites", []):
        for case in suite["testsuite"]:
            if case.get("failures"):
                counts["failed"] += 1
            else:
                counts["passed" if case["result"] == "COMPLETED" else "skipped"] += 1
    return counts


def entry_counts(folder, entry):
    """Returns the counts of one ctest entry (a <testcase> element)."""
    status = entry.get("status")
    cases = folder / f"{entry.get('name')}.json"
    counts = Counter()
    if cases.is_file():
        counts = gtest_counts(cases)
    elif status == "run":
        counts["passed"] = 1
    if status == "fail" and counts["failed"] == 0:
        counts["failed"] = 1
    return counts


def folder_counts(folder):
    counts = Counter()
    report = folder / "ctest.xml"
    if report.is_file():
        for entry in ElementTree.parse(report).getroot().iter("testcase"):
            counts += entry_counts(folder, entry)
    checks = folder / "checks.txt"
    if checks.is_file():
        for line in checks.read_text(encoding="utf-8").splitlines():
            counts["passed" if line.startswith("pass ") else "failed"] += 1
    return counts


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print("usage: test_summary.py RESULTS_FOLDER...", file=sys.stderr)
        return 2
    counts = sum((folder_counts(Path(name)) for name in sys.argv[1:]), Counter())
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
