#!/usr/bin/env python3
"""How `check --offline`, `status` and an upgrade with nothing to do grow with the number of revisions.

scale.py PGMARCH_BINARY: starts a throwaway server, applies 100, 1,000 and 10,000 revisions to a database each, and prints
times (medians), their ratios and the peak of memory. Linear growth is a ratio of 10 a row at most, plus what a start costs.
"""

import glob
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SIZES = [100, 1_000, 10_000]
VERBS = [["check", "--offline"], ["status", "--json"], ["upgrade"]]
ROUNDS = 7
MOST_MEMORY = 30 * 1024


def server_folder():
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    initdb = folders[-1] if folders else shutil.which("initdb")
    if not initdb:
        sys.exit("scale.py: no initdb here: scripts/dev/need.sh postgres installs it")
    return pathlib.Path(initdb).resolve().parent


def as_server(words):
    return ["runuser", "--user", "postgres", "--", *words] if os.getuid() == 0 else words


def quiet(words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def write_revisions(folder, number):
    for place in range(1, number + 1):
        parent = f"{place - 1:05}" if place > 1 else "base"
        text = (f"-- revision: {place:05}\n-- revises: {parent}\n-- created: 2026-11-22T10:15:00Z\n-- message: Step {place}\n\n"
                f"-- migrate:up\nCOMMENT ON SCHEMA public IS 'step {place}';\n\n-- migrate:down\nCOMMENT ON SCHEMA public IS NULL;\n")
        (folder / f"{place:05}_step_{place}.sql").write_text(text)


def run(program, verb, environment):
    """Seconds and peak memory in KiB of one run."""
    started = time.perf_counter()
    process = subprocess.Popen([program, *verb], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    stderr = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"scale.py: {verb}: status {status}\n{stderr.decode()}")
    return time.perf_counter() - started, usage.ru_maxrss


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve()) if len(sys.argv) > 1 else sys.exit(__doc__)
    bin_folder = server_folder()
    with tempfile.TemporaryDirectory(prefix="pgmarch-scale-") as name:
        work = pathlib.Path(name)
        work.chmod(0o755)
        data = work / "data"
        data.mkdir()
        if os.getuid() == 0:
            shutil.chown(data, "postgres")
        quiet(as_server([str(bin_folder / "initdb"), "--auth=trust", "--username=postgres", "--no-sync", f"--pgdata={data}"]))
        port = 20_000 + os.getpid() % 20_000
        options = f"-p {port} -h 127.0.0.1 -k {data} -c fsync=off"
        quiet(as_server([str(bin_folder / "pg_ctl"), f"--pgdata={data}", "--silent", "-w", f"--log={data}/log", "-o", options, "start"]))
        try:
            measure(program, work, bin_folder, port)
        finally:
            quiet(as_server([str(bin_folder / "pg_ctl"), f"--pgdata={data}", "--silent", "--mode=immediate", "stop"]))


def measure(program, work, bin_folder, port):
    times, peaks = {}, {}
    environments = {}
    for size in SIZES:
        folder = work / str(size)
        folder.mkdir()
        write_revisions(folder, size)
        quiet([str(bin_folder / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", f"s{size}"])
        environments[size] = {"PGMARCH_DATABASE_URL": f"postgres://postgres@127.0.0.1:{port}/s{size}", "PGMARCH_MIGRATIONS": str(folder),
                              "PGMARCH_LOG": "error"}
        run(program, ["upgrade"], environments[size])
    for _ in range(ROUNDS):
        for size in SIZES:
            for verb in VERBS:
                seconds, peak = run(program, verb, environments[size])
                times.setdefault((verb[0], size), []).append(seconds)
                peaks[verb[0], size] = max(peak, peaks.get((verb[0], size), 0))
    print(f"{'verb':10} {'revisions':>9} {'median':>10} {'spread':>19} {'ratio':>6} {'memory':>9}")
    fails = []
    for verb in VERBS:
        before = None
        for size in SIZES:
            all_times = times[verb[0], size]
            median, peak = statistics.median(all_times), peaks[verb[0], size]
            ratio = f"{median / before:.1f}" if before else ""
            before = median
            spread = f"{min(all_times) * 1000:.1f} to {max(all_times) * 1000:.1f}"
            print(f"{verb[0]:10} {size:>9} {median * 1000:>7.1f} ms {spread:>19} {ratio:>6} {peak / 1024:>6.1f} MB")
            if peak > MOST_MEMORY:
                fails.append(f"{verb[0]} with {size} revisions took {peak / 1024:.1f} MB, more than {MOST_MEMORY / 1024:.0f}")
    if fails:
        sys.exit("\n".join(fails))


main()
