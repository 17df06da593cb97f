"""Measures pgmarch beside its peers: python3 scripts/bench [--quick] [--only CASE,CASE] BINARY.

`make bench` writes docs/benchmarks.md with its plots and raw data; `make bench-quick` prints the targets alone.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import report
from cases import CASES, LONG, Bench
from say import say
from server import BIN
from tools import ROOT, all_tools


def about(tools, took):
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")), "?")
    memory = int(next(line for line in open("/proc/meminfo", encoding="utf-8")).split()[1]) / 1048576
    postgres = subprocess.run([str(BIN / "postgres"), "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    versions = ", ".join(f"{tool.name} {tool.version()}" for tool in tools)
    return (
        f"Made by `make bench` on {time.strftime('%Y-%m-%d')} in {took / 60:.0f} minutes, everything in one run. Nothing here is typed by hand"
        " but the profile.\n\n"
        f"- Machine: {os.cpu_count()} × {model}, {memory:.0f} GB, Linux {platform.release()}. The server shares it with the tools.\n"
        f"- PostgreSQL {postgres} on loopback, its defaults but `shared_buffers = 128MB`, no autovacuum; in memory with fsync off,"
        " on disk with fsync on.\n"
        f"- {versions}; psql is the real program, not Debian's wrapper.\n"
        "- In each round every tool runs once, one after the other, so that a busy minute of the machine hits all of them. Shown are"
        " medians and quartiles; compare within a table, not across runs. Alembic and node-pg-migrate get fewer rounds.\n"
        "- A small revision is a table with a primary key, and an index. With 10,000 revisions each is only a `SELECT`.\n"
        "- `psql` stands for what the server itself needs: `select 1` where nothing is to do, one `psql -1 -f` of the same SQL where"
        " revisions are applied, without any bookkeeping.\n"
        "- refinery applies all revisions in one transaction each, like pgmarch; `-g` is not used.\n"
        f"- Raw data: [data.csv](benchmarks/data.csv).\n"
    )


def main():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--quick", action="store_true", help="two minutes, no report")
    parser.add_argument("--only", default="", help="cases by name: " + ", ".join(case.__name__ for case in CASES + LONG))
    words = parser.parse_args()
    only = set(filter(None, words.only.split(",")))
    if unknown := only - {case.__name__ for case in CASES + LONG}:
        parser.error(f"no such case: {', '.join(unknown)}")
    tools = all_tools(words.binary)
    bench = Bench(tools, words.quick, only)
    started = time.monotonic()
    try:
        for case in CASES + LONG:
            if not only and case in CASES or case.__name__ in only:
                case(bench)
    finally:
        bench.close()
    took = time.monotonic() - started
    say(f"done in {took:.0f} s")
    whole = not words.quick and not only
    docs = ROOT / "docs" if whole else Path(tempfile.mkdtemp(prefix="pgmarch-bench-report-"))
    profile = ROOT / "scripts/bench/profile.md"
    text = profile.read_text(encoding="utf-8") if profile.exists() else ""
    report.write(bench.rows, about(tools, took), docs / "benchmarks.md", docs / "benchmarks", text)
    for what, measured, met in report.targets(report.Figures(bench.rows)):
        print(f"{'met   ' if met else 'MISSED'} {what}: {measured}")
    print(f"report: {docs / 'benchmarks.md'}", file=sys.stderr)


if __name__ == "__main__":
    main()
