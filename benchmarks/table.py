# Copyright (c) 2026 The weir authors. Distributed under the Boost Software License, Version 1.0. See LICENSE.
"""table.py [options] result.json...: one table, one JSON file and one page of what the benchmark programs have found.

Programs are of two kinds. Ours (support/report.hpp) print rows, bars and series. Of Google Benchmark's, each figure
stands beside one clock read plus one compare-exchange of its own process, and a bar is a counter: `target_ns`, or
`target_<counter>`. The exit status is 1 when a bar is missed.
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import re
import statistics
import sys

import page

UNIT = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
STANDARD = {"name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions",
            "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit", "items_per_second",
            "bytes_per_second", "error_occurred", "error_message", "label", "aggregate_name", "aggregate_unit"}
FLOORS = ("floor/clock_read", "floor/compare_exchange")


def scatter(values):
    """Half of the distance between the quartiles, as a share of the median."""
    if len(values) < 4:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / 2 / middle if middle else 0.0


def of_google_benchmark(program, document):
    """Rows and bars of one program, each figure the median over its repetitions."""
    runs = document["benchmarks"]
    # They ran in random order; the source's order reads better.
    runs.sort(key=lambda run: (run.get("family_index", 0), run.get("per_family_instance_index", 0)))
    grouped = {}
    for run in runs:
        if run.get("error_occurred"):
            sys.exit(f"{run['name']}: {run['error_message']}")
        if run["run_type"] == "iteration":
            name = re.sub(r"/(repeats:\d+|real_time|manual_time|min_time:[\d.]+|iterations:\d+|threads:\d+$)", "",
                          run["run_name"])
            grouped.setdefault((name, run["threads"]), []).append(run)
    rows, bars = [], []
    for (name, threads), group in grouped.items():
        clock = "real_time" if threads > 1 or "_time" in group[0]["run_name"] else "cpu_time"
        times = [run[clock] * UNIT[run["time_unit"]] for run in group]
        ns = statistics.median(times)
        if name not in FLOORS:
            counters = {key: statistics.median(run[key] for run in group) for key in group[0] if key not in STANDARD}
            for key, limit in counters.items():
                if not key.startswith("target_"):
                    continue
                what = key.removeprefix("target_")
                value = ns if what == "ns" else counters[what]
                bars.append({"program": program, "name": name if what == "ns" else f"{name}: {what}", "value": value,
                             "limit": limit, "at_most": True, "unit": "ns" if what == "ns" else "",
                             "met": value <= limit, "moonshot": "", "note": ""})
        rows.append({"program": program, "name": name, "threads": threads, "ns": ns, "per_second": None,
                     "scatter": scatter(times), "floor": None, "floor_ns": None, "ratio": None})
    floor = [row["ns"] for row in rows if row["name"] in FLOORS]
    rows = [row for row in rows if row["name"] not in FLOORS]
    if len(floor) == len(FLOORS):
        for row in rows:
            row.update(floor="clock read + compare-exchange", floor_ns=sum(floor), ratio=row["ns"] / sum(floor))
    return rows, bars


def collect(paths):
    """One document of all results."""
    all_of = {"rows": [], "bars": [], "series": [], "noise": {}, "peers": []}
    for path in paths:
        program = pathlib.Path(path).stem
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        if "peers" in document:
            all_of["peers"] = document["peers"]
        elif "benchmarks" in document:
            rows, bars = of_google_benchmark(program, document)
            all_of["rows"] += rows
            all_of["bars"] += bars
        else:
            for kind in ("bars", "series"):
                all_of[kind] += [{"program": program, **item} for item in document[kind]]
            # A floor stands in several tables of a program; once is enough.
            rows = {}
            for row in document["rows"]:
                rows.setdefault((row["name"], row["threads"]), {"program": program, **row})
            all_of["rows"] += rows.values()
            all_of["noise"][program] = document["noise"]
    all_of["bars"].sort(key=lambda bar: not bar["program"].startswith(("limit", "async")))
    return all_of


def read_text(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def machine(compiler):
    """What a reader needs to compare."""
    cpuinfo = read_text("/proc/cpuinfo")
    model = re.search(r"^model name\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    return {
        "processor": re.sub(r" +", " ", model.group(1)) if model else platform.machine(),
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "virtual": bool(flags and "hypervisor" in flags.group(1).split()),
        "system": f"{platform.system()} {platform.release()}",
        "compiler": compiler,
        "governor": read_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "not visible",
        "clock_source": read_text("/sys/devices/system/clocksource/clocksource0/current_clocksource") or "unknown",
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def number(value, unit=""):
    if value is None:
        return ""
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"
    return f"{text} {unit}".strip()


def promise(bar):
    return f"{'<=' if bar['at_most'] else '>='} {bar['limit']:g} {bar['unit']}".strip()


def print_columns(head, rows, left):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, tuple("-" * width for width in widths), *rows]:
        print("  ".join(cell.ljust(width) if i in left else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(row, widths))).rstrip())


def print_table(found):
    m = found["machine"]
    print(f"\n{m['processor']}, {m['processors']} processors{' of a virtual machine' if m['virtual'] else ''}; "
          f"{m['system']}; {m['compiler']}\n"
          f"governor {m['governor']}, clock source {m['clock_source']}, load {m['load']}"
          f"{'; --quick: figures scatter' if found['quick'] else ''}\n")
    rows, program = [], None
    for row in found["rows"]:
        if row["name"] in (row["floor"], "empty loop"):
            continue
        if row["program"] != program:
            program = row["program"]
            rows.append((f"[{program}]", *[""] * 6))
        rows.append((row["name"], str(row["threads"]), number(row["ns"]),
                     number(row["per_second"] / 1e6) if row["per_second"] else "", row["floor"] or "",
                     number(row["floor_ns"]), number(row["ratio"])))
    print_columns(("figure", "threads", "ns", "M/s", "floor", "ns", "x floor"), rows, {0, 4})
    print("\nns: one decision of one thread, median (none where threads outnumber processors); M/s: all threads.")
    if found["noise"]:
        noise = max(found["noise"].values())
        print(f"Two empty loops, measured alike, differ by up to {noise:.2%}"
              f"{': a restless machine, take no smaller difference for real.' if noise > 0.05 else '.'}")
    if found["peers"]:
        print("\nPeers, and weir's token buckets once more, in alternating runs:")
        print_columns(("library", "what", "threads", "ns", "M/s"),
                      [(peer["library"], peer["name"], str(peer["threads"]), number(peer["ns"]),
                        number(peer["per_second"] / 1e6)) for peer in found["peers"]], {0, 1})
    if found["bars"]:
        print()
        print_columns(("bar", "here", "promised", "verdict", "moonshot", "note"),
                      [(bar["name"], number(bar["value"], bar["unit"]), promise(bar),
                        {True: "ok", False: "MISSED", None: "not measured"}[bar["met"]], bar["moonshot"], bar["note"])
                       for bar in found["bars"]], {0, 3, 4, 5})


def compare(found, old_path):
    """Each row as a ratio to an earlier run, and whether that is outside the noise of both."""
    with open(old_path, encoding="utf-8") as file:
        old = json.load(file)
    if not isinstance(old, dict) or old.get("weir_benchmarks") != 1:
        sys.exit(f"{old_path}: not written by benchmarks/run --json")
    before = {(row["program"], row["name"], row["threads"]): row for row in old["rows"]}
    pairs = []
    for row in found["rows"]:
        earlier = before.get((row["program"], row["name"], row["threads"]))
        unit = "ns" if row["ns"] else "per_second"
        if earlier and earlier.get(unit) and row[unit]:
            pairs.append((row, earlier, row["ns"] / earlier["ns"] if unit == "ns" else earlier[unit] / row[unit]))
    # The clock rate of the processor, then and now, is not a matter of the code: an empty loop tells it.
    rates = {row["program"]: ratio for row, _, ratio in pairs if row["name"] == "empty loop" and row["threads"] == 1}
    rate = statistics.median(rates.values()) if rates else 1.0
    rows = []
    for row, earlier, ratio in pairs:
        if row["name"] in (row["floor"], "empty loop"):
            continue
        ratio /= rates.get(row["program"], rate)
        if row["floor_ns"] and earlier["floor_ns"]:
            # Nor is what moved its floor alike. Where only one of the two ratios moved, it was the machine.
            beside = (row["floor_ns"] / earlier["floor_ns"]) / rates.get(row["program"], rate)
            both = (ratio, ratio / beside)
            ratio = 1.0 if min(both) < 1 < max(both) else min(both, key=lambda r: abs(math.log(r)))
        # Where threads meet on a line it matters which processors the host gave us this time: within one run it is one.
        least = 0.3 if row["threads"] > 1 else 0.1 if found["quick"] or old["quick"] else 0.05
        band = max(least, 2 * (row["scatter"] + earlier["scatter"]))
        rows.append({"program": row["program"], "name": row["name"], "threads": row["threads"], "ratio": ratio,
                     "band": band,
                     "change": "slower" if ratio > 1 + band else "faster" if ratio < 1 / (1 + band) else ""})
    return {"when": old["when"], "rows": rows, "same": old["machine"]["processor"] == found["machine"]["processor"],
            "rate": rate}


def print_comparison(compared):
    rows = compared["rows"]
    print(f"\nAgainst {compared['when']}: {sum(not row['change'] for row in rows)} of {len(rows)} rows within the "
          f"noise. An empty loop took {compared['rate']:.2f} of what it took then"
          f"{'' if compared['same'] else ', on ANOTHER PROCESSOR'}; that is taken out.")
    changed = [(row["name"], str(row["threads"]), f"{row['ratio']:.2f}", f"+-{row['band']:.0%}", row["change"])
               for row in rows if row["change"]]
    if changed:
        print_columns(("figure", "threads", "now / then", "noise", ""), changed, {0, 4})


def main():
    options = argparse.ArgumentParser()
    options.add_argument("results", nargs="+")
    options.add_argument("--json", action="append", default=[])
    options.add_argument("--html", action="append", default=[])
    options.add_argument("--shapes", action="append", default=[])
    options.add_argument("--compare")
    options.add_argument("--compiler", default="unknown compiler")
    options.add_argument("--quick", action="store_true")
    options = options.parse_args()

    found = {"weir_benchmarks": 1, "when": datetime.datetime.now().astimezone().isoformat(" ", "minutes"),
             "quick": options.quick, "machine": machine(options.compiler), **collect(options.results)}
    print_table(found)
    if options.compare:
        found["compared"] = compare(found, options.compare)
        print_comparison(found["compared"])
    for path in options.json:
        pathlib.Path(path).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for path in options.html:
        pathlib.Path(path).write_text(page.of(found), encoding="utf-8")
        print(f"\npage with charts: {path}")
    for path in options.shapes:
        pathlib.Path(path).write_text(page.shapes_svg(found), encoding="utf-8")

    missed = [bar for bar in found["bars"] if bar["met"] is False]
    if missed:
        print(f"\n{len(missed)} of {len(found['bars'])} bars missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
