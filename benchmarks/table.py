# Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
"""table.py result.json...: one table of Google Benchmark results, each figure beside the floor of its own process.

A target is a counter of the benchmark itself: `target_ns` (the figure must not be above it) or `target_<counter>` (that
counter must not be). The exit status is 1 when one is missed.
"""

import json
import os
import re
import statistics
import sys

UNIT = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
STANDARD = {"name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions",
            "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit", "items_per_second",
            "bytes_per_second", "error_occurred", "error_message", "label", "aggregate_name", "aggregate_unit"}
FLOORS = ("floor/clock_read", "floor/compare_exchange")


def figures(path):
    """The figures of one program: name -> (ns, counters), each the median over the repetitions."""
    with open(path, encoding="utf-8") as file:
        runs = json.load(file)["benchmarks"]
    # They ran in random order; the source's order reads better.
    runs.sort(key=lambda run: (run.get("family_index", 0), run.get("per_family_instance_index", 0)))
    grouped = {}
    for run in runs:
        if run.get("error_occurred"):
            sys.exit(f"{run['name']}: {run['error_message']}")
        if run["run_type"] == "iteration":
            name = re.sub(r"/(repeats:\d+|real_time|manual_time|min_time:[\d.]+|iterations:\d+|threads:1$)", "",
                          run["run_name"])
            name = re.sub(r"/threads:(\d+)$", r", \1 threads", name)
            grouped.setdefault(name, []).append(run)
    result = {}
    for name, group in grouped.items():
        clock = "real_time" if group[0]["threads"] > 1 or "_time" in group[0]["run_name"] else "cpu_time"
        ns = statistics.median(run[clock] * UNIT[run["time_unit"]] for run in group)
        counters = {key: statistics.median(run[key] for run in group) for key in group[0] if key not in STANDARD}
        result[name] = ns, counters
    return result


def machine():
    """The class of this machine: what a reader needs to compare, and no more."""
    model = "unknown processor"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{os.cpu_count()} cores, {re.sub(r' +', ' ', model)}"


def number(value):
    return f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"


def main(paths):
    rows, missed = [], 0
    for path in paths:
        found = figures(path)
        clock, exchange = (found.pop(name, (None, {}))[0] for name in FLOORS)
        for name, (ns, counters) in found.items():
            targets = {key.removeprefix("target_"): value for key, value in counters.items() if key.startswith("target_")}
            verdicts = []
            for what, limit in targets.items():
                value = ns if what == "ns" else counters[what]
                met = value <= limit
                missed += not met
                shown = number(value) + " " if what != "ns" else ""
                verdicts.append(f"{shown}{what} <= {limit:g}: {'ok' if met else 'OVER'}")
            others = [f"{key} {value:g}" for key, value in counters.items()
                      if not key.startswith("target_") and key not in targets]
            floor = (number(clock), number(exchange), f"{ns / (clock + exchange):.2f}") if clock else ("", "", "")
            rows.append((name, number(ns), *floor, "; ".join(verdicts + others)))

    head = ("figure", "ns", "clock read", "exchange", "x floor", "target")
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    print(f"\n{machine()}; medians of repetitions")
    for row in [head, tuple("-" * width for width in widths), *rows]:
        print("  ".join(cell.ljust(width) if i in (0, 5) else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
    print("\nx floor: the figure over one clock read plus one compare-exchange, both measured in the figure's own process.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
