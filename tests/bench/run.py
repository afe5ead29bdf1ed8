#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make bench: runs programs, lets through what they print, and at the end puts their figures into one table and one file of
JSON.

    run.py OUT.json PROGRAM ...

A figure is a line of a program's output:

    = NAME VALUE UNIT [GOAL] [WHAT=VALUE ...]

GOAL is <=LIMIT or >=LIMIT; WHAT=VALUE stands beside it: the same of the raw client (raw=), of retry_mode parallel
(parallel=), and so on. The exit code says whether every program ran, not whether every goal was met."""
import json
import os
import re
import subprocess
import sys
import time


def parse(line):
    """A figure, or None."""
    words = line.split()
    if len(words) < 4 or words[0] != "=":
        return None
    figure = {"name": words[1], "value": float(words[2]), "unit": words[3], "goal": None, "met": None, "beside": {}}
    for word in words[4:]:
        goal = re.fullmatch(r"(<=|>=)(.+)", word)
        if goal:
            limit = float(goal[2])
            figure["goal"] = word
            figure["met"] = figure["value"] <= limit if goal[1] == "<=" else figure["value"] >= limit
        else:
            what, _, value = word.partition("=")
            figure["beside"][what] = float(value)
    return figure


def run(program):
    """(figures, whether it went well)"""
    figures, began = [], time.monotonic()
    print(f"== {os.path.basename(program)}", flush=True)
    child = subprocess.Popen([os.path.abspath(program)], stdout=subprocess.PIPE, text=True)
    for line in child.stdout:
        figure = parse(line)
        if figure:
            figures.append({"program": os.path.basename(program), **figure})
        print(line, end="", flush=True)
    code = child.wait()
    print(f"({time.monotonic() - began:.0f} s{', exit code %d' % code if code else ''})", flush=True)
    return figures, code == 0


def table(figures):
    rows = [("", "figure", "value", "unit", "goal", "beside")]
    for f in figures:
        mark = "" if f["met"] is None else "met" if f["met"] else "MISSED"
        beside = ", ".join(f"{what} {value:g}" for what, value in f["beside"].items())
        rows.append((mark, f["name"], f"{f['value']:g}", f["unit"], f["goal"] or "", beside))
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for row in rows:
        print("  ".join(cell.rjust(w) if i == 2 else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths))),
              row[5], sep="  ")


def main(out, programs):
    figures, failed, began, load = [], [], time.time(), os.getloadavg()[0]
    for program in programs:
        got, well = run(program)
        figures += got
        failed += [] if well else [program]
    judged = [f for f in figures if f["met"] is not None]
    missed = [f["name"] for f in judged if not f["met"]]
    with open(out, "w") as f:
        json.dump({"began": int(began), "seconds": round(time.time() - began), "cpus": os.cpu_count(),
                   "load_before": load, "failed": failed, "missed": missed, "figures": figures}, f, indent=1)
    print()
    table(figures)
    print(f"\n{len(judged) - len(missed)} of {len(judged)} goals met; {time.time() - began:.0f} s, {os.cpu_count()} CPUs, "
          f"load {load:.1f} before it began; {out}")
    for program in failed:
        print(f"did not run to its end: {program}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
