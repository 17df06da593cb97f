"""Measurements into docs/benchmarks.md, its plots and its raw data."""

import csv
import re
import statistics
from collections import defaultdict

import plot

TITLES = {
    "no-op": ("Nothing to do", "no-op", "revisions applied"),
    "apply, fsync off": ("Apply small revisions, fsync off", "apply-off", "revisions"),
    "apply, fsync on": ("Apply small revisions, fsync on", "apply-on", "revisions"),
    "apply 100 over a link": ("Apply 100 revisions over a slow link", "far-100", "ms round trip"),
    "apply 1000 over a link": ("Apply 1,000 revisions over a slow link", "far-1000", "ms round trip"),
    "at once": ("Processes at once on one empty database, 100 revisions", "at-once", "processes"),
    "20 MB revision": ("One revision of 20 MB", "large", ""),
    "transaction:false": ("One revision outside of transactions", "stepwise", "statements"),
    "memory, no-op": ("Peak memory, nothing to do", "memory-no-op", "revisions"),
    "memory, apply": ("Peak memory, applying", "memory-apply", "revisions"),
    "memory, 20 MB revision": ("Peak memory, one revision of 20 MB", "memory-large", ""),
    "200 MB revision": ("One revision of 200 MB", "huge", ""),
    "heads up": ("So many heads, applied", "heads-up", "heads"),
    "heads down": ("So many heads, undone", "heads-down", "heads"),
    "memory, heads up": ("Peak memory, so many heads applied", "memory-heads-up", "heads"),
    "memory, heads down": ("Peak memory, so many heads undone", "memory-heads-down", "heads"),
    "long history: status": ("`status` of a long history", "long-status", "revisions"),
    "memory, long history: status": ("Peak memory, `status` of a long history", "memory-long-status", "revisions"),
    "size": ("What has to be shipped", "size", ""),
}
SCHEMAS = ("tables", "partitions", "functions")
for kind in SCHEMAS:
    for verb in ("check", "create", "diff"):
        TITLES[f"{verb}, {kind}"] = (f"`{verb}` of a schema of many {kind}", f"{verb}-{kind}", kind)
    TITLES[f"memory, check, {kind}"] = (f"Peak memory, `check` of a schema of many {kind}", f"memory-check-{kind}", kind)
READY = "ready → exit 0"


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


class Figures:
    """The measurements by case, size and tool."""

    def __init__(self, rows):
        self.values, self.notes, self.units = defaultdict(list), {}, {}
        for row in rows:
            key = (row["case"], str(row["size"]), row["tool"])
            self.values[key].append(float(row["value"]))
            self.notes[key] = row["note"]
            self.units[row["case"]] = row["unit"]

    def cases(self):
        return list(dict.fromkeys(case for case, _, _ in self.values))

    def sizes(self, case):
        return list(dict.fromkeys(size for found, size, _ in self.values if found == case))

    def tools(self, case, size):
        return [tool for found, at, tool in self.values if (found, at) == (case, size)]

    def median(self, case, size, tool):
        values = self.values.get((case, str(size), tool))
        return statistics.median(values) if values else None


def targets(figures):
    """Each target that the project set itself: what it is, what came out, whether it is met."""
    m = figures.median

    def ratio(case, size, limit, text):
        ours, psql = m(case, size, "pgmarch"), m(case, size, "psql")
        if ours is None or psql is None:
            return None
        return text, f"{ours / psql:.2f} × ({ours:.1f} ms / {psql:.1f} ms)", ours <= limit * psql

    found = [
        ratio("no-op", 1000, 0.7, "no-op, 1,000 revisions: ≤ 0.7 × `psql -c 'select 1'`"),
        ratio("no-op", 10000, 3, "no-op, 10,000 revisions: ≤ 3 ×"),
        ratio("apply, fsync off", 1000, 1.05, "apply 1,000, fsync off: ≤ 1.05 × `psql -1 -f`"),
        ratio("apply, fsync on", 1000, 1.05, "apply 1,000, fsync on: ≤ 1.05 × `psql -1 -f`"),
    ]
    for count in (5000, 50000):
        found.append(ratio("transaction:false", count, 3, f"transaction:false, {count:,} statements: ≤ 3 × `psql -f`, one by one"))
    here = m("apply, fsync off", 1000, "pgmarch")
    peers = [m("apply, fsync off", 1000, tool) for tool in figures.tools("apply, fsync off", "1000") if tool not in ("psql", "pgmarch")]
    if here and peers:
        found.append(("apply 1,000: faster than every peer", f"{here:,.0f} ms; the fastest peer {min(peers):,.0f} ms", here < min(peers)))
    far = m("apply 1000 over a link", 20, "pgmarch")
    if here and far:
        limit = 1.3 * here + 1000
        found.append(("apply 1,000 at 20 ms round trip: ≤ 1.3 × loopback + 1 s", f"{far:,.0f} ms (limit {limit:,.0f} ms)", far <= limit))
    waited, psql = figures.values.get((READY, "", "pgmarch")), m(READY, "", "psql")
    if waited and psql:
        middle, late = statistics.median(waited) - psql, percentile(waited, 0.95) - psql
        found.append(("ready → exit 0: median ≤ 100 ms over what `psql` takes", f"{middle:.0f} ms", middle <= 100))
        found.append(("ready → exit 0: 95 % ≤ 300 ms over it", f"{late:.0f} ms", late <= 300))
    crowd, one, logins = m("at once", 100, "pgmarch"), m("at once", 1, "pgmarch"), m("at once", 100, "psql")
    if crowd and one and logins:
        limit = 2 * one + logins
        codes = figures.notes[("at once", "100", "pgmarch")].split(";")[0]
        found.append(("100 processes at once: ≤ 2 × one + 100 logins", f"{crowd:,.0f} ms (limit {limit:,.0f} ms)", crowd <= limit))
        found.append(("100 processes at once: all exit 0", codes, codes == "100 × exit 0"))
    for case, limit in (("memory, no-op", 8), ("memory, apply", 8)):
        for size in figures.sizes(case):
            value = m(case, size, "pgmarch")
            found.append((f"{case}, {int(size):,} revisions: ≤ {limit} MB", f"{value:.1f} MB", value <= limit))
    for case in [case for case in figures.cases() if case.startswith("memory, 200 MB revision: ")]:
        value = m(case, "", "pgmarch")
        found.append((f"{case}: ≤ 2.2 × the revision", f"{value:.0f} MB", value <= 440))
    for case in ("memory, heads up", "memory, heads down"):
        if value := m(case, 2000, "pgmarch"):
            found.append((f"{case}, 2,000: ≤ 60 MB", f"{value:.1f} MB", value <= 60))
    status, memory = m("long history: status", 100_000, "pgmarch"), m("memory, long history: status", 100_000, "pgmarch")
    if status and memory:
        found.append(("status of 100,000 revisions: < 2 s", f"{status:,.0f} ms", status < 2000))
        found.append(("status of 100,000 revisions: ≤ 200 MB", f"{memory:.0f} MB", memory <= 200))
    for kind in SCHEMAS:
        for size in figures.sizes(f"check, {kind}"):
            ours, loads = m(f"check, {kind}", size, "pgmarch"), m(f"check, {kind}", size, "psql")
            text = f"check, {int(size):,} {kind}: ≤ what psql takes to load both scratch databases + 60 s"
            found.append((text, f"{ours / 1000:.1f} s (psql {loads / 1000:.1f} s)", ours <= loads + 60_000))
            used = m(f"memory, check, {kind}", size, "pgmarch")
            found.append((f"memory, check, {int(size):,} {kind}: ≤ 400 MB", f"{used:.1f} MB", used <= 400))
    size = m("size", "", "pgmarch")
    if size:
        found.append(("binary: ≤ 6 MB", f"{size:.2f} MB", size <= 6))
    return [target for target in found if target]


def spread(values, unit):
    low, middle, high = quartiles(values)
    if low == high:
        return f"{plot.figure(middle)} {unit}"
    return f"{plot.figure(middle)} {unit} ({plot.figure(low)}–{plot.figure(high)})"


def table(figures, case, column):
    sizes = figures.sizes(case)
    unit = figures.units[case]
    tools = list(dict.fromkeys(tool for size in sizes for tool in figures.tools(case, size)))
    base = "psql"
    head = [f"{int(size):,} {column}" if size else "" for size in sizes]
    lines = ["| | " + " | ".join(part for name in head for part in (name or "median (quartiles)", f"× {base}")) + " |"]
    lines.append("| --- |" + " ---: |" * (2 * len(sizes)))
    for tool in tools:
        cells = []
        for size in sizes:
            values, psql = figures.values.get((case, size, tool)), figures.median(case, size, base)
            cells.append(spread(values, unit) if values else "")
            cells.append(f"{statistics.median(values) / psql:.2f}" if values and psql else "")
        name = f"**{tool}**" if tool == "pgmarch" else tool
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(figures, case, title, name, column, folder):
    groups = []
    for size in figures.sizes(case):
        tools = [(tool, *quartiles(figures.values[(case, size, tool)])) for tool in figures.tools(case, size)]
        groups.append((f"{int(size):,} {column}" if size else "", tools))
    plot.bars(title, figures.units[case], groups, folder / f"{name}.svg")


def write(rows, about, page, folder, profile):
    """The page, from the measurements, what they were made on, and what a person found in a profile."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "data.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["case", "size", "tool", "value", "unit", "note"])
        writer.writeheader()
        writer.writerows(rows)
    figures = Figures(rows)
    text = ["# Benchmarks\n", about, "\n## Targets\n", "| target | measured | |", "| --- | --- | --- |"]
    text += [f"| {what} | {measured} | {'met' if met else '**missed**'} |" for what, measured, met in targets(figures)]
    if profile:
        text.append("\n" + profile)
    for case in figures.cases():
        if case == READY:
            text.append(ready(figures, folder))
            continue
        title, name, column = TITLES.get(case) or (case[0].upper() + case[1:], re.sub(r"[^a-z0-9]+", "-", case.lower()), "revisions")
        text.append(f"\n## {title}\n")
        picture(figures, case, title, name, column, folder)
        text.append(f"![{title}]({folder.name}/{name}.svg)\n")
        text.append(table(figures, case, column))
        notes = {(size, tool): note for (found, size, tool), note in figures.notes.items() if found == case and note}
        if notes:
            text.append("")
            text += [f"- {tool}{', ' + size if size else ''}: {note}" for (size, tool), note in notes.items()]
    page.write_text("\n".join(text) + "\n", encoding="utf-8")


def ready(figures, folder):
    title = "From the first login that the server accepts to exit 0"
    series = [(tool, plot.COLOURS[tool], figures.values[(READY, "", tool)]) for tool in figures.tools(READY, "")]
    plot.points(title, "ms", series, folder / "ready.svg")
    lines = [f"\n## {title}\n", "The tool waits already when the server starts; each dot is one start. psql: `select 1` on a server that is up.\n"]
    lines += [f"![{title}]({folder.name}/ready.svg)\n", "| | starts | median | 95 % | longest |", "| --- | ---: | ---: | ---: | ---: |"]
    for tool, _, values in series:
        cells = (statistics.median(values), percentile(values, 0.95), max(values))
        lines.append(f"| {tool} | {len(values)} | " + " | ".join(f"{plot.figure(value)} ms" for value in cells) + " |")
    return "\n".join(lines)
