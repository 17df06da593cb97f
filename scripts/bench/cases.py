"""What is measured. Each case runs its tools in turn, round by round, so that a noisy minute hits all of them."""

import random
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from histories import HISTORIES
from say import say
from schemas import schemas
from server import PSQL, Server
from tools import Pgmarch, Psql, big, environment, small, tiny

PATIENCE = 600


class Bench:
    """One run of everything: tools, servers, folders of revisions, and the measurements."""

    def __init__(self, tools, quick, only):
        self.tools, self.quick, self.only = tools, quick, only
        self.rows = []
        self.scratch = Path(tempfile.mkdtemp(prefix="pgmarch-bench-"))
        self.folders = {}
        self.servers = {}

    def record(self, case, size, tool, value, unit="ms", note=""):
        self.rows.append({"case": case, "size": size, "tool": tool.name, "value": round(value, 3), "unit": unit, "note": note})

    def folder(self, tool, count, revision=small):
        """The folder of this many revisions in a tool's own format."""
        key = (tool.name, count, revision.__name__)
        if key not in self.folders:
            folder = self.scratch / f"{tool.name}-{count}-{revision.__name__}"
            folder.mkdir()
            for number in range(1, count + 1):
                tool.write(folder, number, *revision(number))
            tool.finish(folder)
            self.folders[key] = folder
        return self.folders[key]

    def server(self, fsync):
        if fsync not in self.servers:
            self.servers[fsync] = Server(fsync)
            self.servers[fsync].start()
        return self.servers[fsync]

    def close(self):
        for server in self.servers.values():
            server.remove()
        subprocess.run(["rm", "-rf", str(self.scratch)], check=False)

    def run(self, words, env):
        """Wall time in ms of one run that must succeed."""
        env = environment(env)
        started = time.perf_counter()
        done = subprocess.run(words, env=env, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
        took = (time.perf_counter() - started) * 1000
        if done.returncode != 0:
            raise RuntimeError(f"{words}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return took

    def memory(self, words, env):
        """Peak resident memory in kB: GNU time's own is far smaller than any tool's."""
        with tempfile.NamedTemporaryFile(mode="r") as file:
            self.run(["/usr/bin/time", "-f", "%M", "-o", file.name, *words], env)
            return float(file.read().split()[-1])

    def applied(self, tool, server, count, revision):
        """A database to which a tool has applied all: its name."""
        name = f"{tool.name.lower().replace('-', '_')}_{count}"
        server.fresh(name)
        if not isinstance(tool, Psql):
            self.run(*tool.command(self.folder(tool, count, revision), server.url(name)))
        return name


def noop(bench):
    """Nothing to do, with so many revisions applied; psql says `select 1`."""
    server = bench.server(False)
    for count in [1, 100, 1000] if bench.quick else [1, 100, 1000, 10000]:
        say(f"no-op, {count} applied")
        revision = tiny if count > 1000 else small
        tools = [tool for tool in bench.tools if not (bench.quick and tool.slow)]
        names = {tool.name: bench.applied(tool, server, count, revision) for tool in tools}
        server.settle()
        rounds = 15 if bench.quick or count > 1000 else 30
        for number in range(rounds):
            for tool in tools:
                if number % (10 if count <= 1000 else 15) and tool.slow:
                    continue
                folder = bench.folder(tool, count, revision)
                bench.record("no-op", count, tool, bench.run(*tool.noop(folder, server.url(names[tool.name]))))


def apply(bench):
    """So many small revisions (a table and an index) on an empty database."""
    sizes = [1, 100] if bench.quick else [1, 100, 1000]
    for fsync in (False, True):
        server = bench.server(fsync)
        for count in sizes:
            say(f"apply {count}, fsync {'on' if fsync else 'off'}")
            for number in range(3 if bench.quick or fsync and count == 1000 else {1: 10, 100: 5, 1000: 5}[count]):
                for tool in bench.tools:
                    if tool.slow and (bench.quick or number >= 3):
                        continue
                    server.fresh("target")
                    took = bench.run(*tool.command(bench.folder(tool, count), server.url("target")))
                    bench.record(f"apply, fsync {'on' if fsync else 'off'}", count, tool, took)
            server.settle()
        if bench.quick:
            # The one case of a thousand that the targets are about.
            for _ in range(2):
                for tool in bench.tools[:2]:
                    server.fresh("target")
                    took = bench.run(*tool.command(bench.folder(tool, 1000), server.url("target")))
                    bench.record(f"apply, fsync {'on' if fsync else 'off'}", 1000, tool, took)


@contextmanager
def link(server, milliseconds):
    """The port of a link of this round trip to a server."""
    words = [sys.executable, str(Path(__file__).with_name("proxy.py")), str(server.port), str(milliseconds)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as proxy:
        yield int(proxy.stdout.readline())
        proxy.stdin.close()


def far(bench):
    """The same over a link with a round trip of so many ms."""
    server = bench.server(False)
    for milliseconds in [20] if bench.quick else [1, 5, 20]:
        with link(server, milliseconds) as port:
            for count in (100, 1000):
                say(f"apply {count} at {milliseconds} ms")
                for number in range(1 if bench.quick else 3):
                    for tool in bench.tools:
                        few = isinstance(tool, Pgmarch) or number == 0 and (count == 100 or milliseconds == 1)
                        if not few or bench.quick and not isinstance(tool, Pgmarch):
                            continue
                        server.fresh("target")
                        took = bench.run(*tool.command(bench.folder(tool, count), server.url("target", port)))
                        bench.record(f"apply {count} over a link", milliseconds, tool, took)


def ready(bench):
    """From the first login that the server accepts to exit 0, the tool having waited; 100 revisions applied before."""
    server = Server(False)
    try:
        server.start()
        tools = [tool for tool in bench.tools if tool.can_wait]
        names = {tool.name: bench.applied(tool, server, 100, small) for tool in tools}
        psql = bench.tools[0]
        for _ in range(10):
            bench.record("ready → exit 0", "", psql, bench.run(*psql.noop(None, server.url("postgres"))), note="server up already")
        starts = 5 if bench.quick else 30
        for tool in tools:
            say(f"ready → exit 0: {starts if isinstance(tool, Pgmarch) else min(starts, 10)} starts, {tool.name}")
            for _ in range(starts if isinstance(tool, Pgmarch) else min(starts, 10)):
                server.stop()
                words, env = tool.waiting(bench.folder(tool, 100), server.url(names[tool.name]))
                with subprocess.Popen(words, env=environment(env), cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as waiting:
                    time.sleep(random.uniform(0.5, 1.5))
                    server.start(wait=False)
                    at = server.ready_at()
                    code = waiting.wait(PATIENCE)
                    bench.record("ready → exit 0", "", tool, max(0, (time.perf_counter() - at) * 1000), note=f"exit {code}")
    finally:
        server.remove()


def crowd(bench):
    """So many processes at once on one empty database, 100 revisions: wall time till the last exit."""
    server = bench.server(False)
    for many in [1, 10] if bench.quick else [1, 10, 100]:
        say(f"{many} processes at once")
        for _ in range(1 if bench.quick or many == 100 else 3):
            for tool in bench.tools:
                if tool.slow and (many > 10 or bench.quick):
                    continue
                server.fresh("target")
                folder = bench.folder(tool, 100)
                logins = isinstance(tool, Psql)
                words, env = tool.noop(folder, server.url("target")) if logins else tool.command(folder, server.url("target"))
                watch = Watch(server)
                started = time.perf_counter()
                running = [
                    subprocess.Popen(words, env=environment(env), cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                    for _ in range(many)
                ]
                codes = [process.wait(PATIENCE) for process in running]
                took = (time.perf_counter() - started) * 1000
                tally = ", ".join(f"{codes.count(code)} × exit {code}" for code in sorted(set(codes)))
                bench.record("at once", many, tool, took, note=f"{tally}; peak {watch.end()} connections" + ("; select 1 only" if logins else ""))


class Watch:
    """The most connections to the target that a look every 20 ms sees."""

    def __init__(self, server):
        words = [PSQL, "-XqAt", server.url("postgres")]
        self.psql = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.peak, self.over = 0, False
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.over:
            self.psql.stdin.write("SELECT count(*) FROM pg_stat_activity WHERE datname = 'target';\n")
            self.peak = max(self.peak, int(self.psql.stdout.readline()))
            time.sleep(0.02)

    def end(self):
        self.over = True
        self.thread.join()
        self.psql.stdin.close()
        self.psql.wait()
        return self.peak


def large(bench):
    """One revision of 20 MB of SQL."""
    server = bench.server(False)
    say("one revision of 20 MB")
    for number in range(1 if bench.quick else 3):
        for tool in bench.tools:
            if tool.slow and (bench.quick or number):
                continue
            server.fresh("target")
            bench.record("20 MB revision", "", tool, bench.run(*tool.command(bench.folder(tool, 1, big), server.url("target"))))
        server.settle()


def stepwise(bench):
    """One transaction:false revision of so many statements, each committed by itself; psql sends them one by one."""
    server = bench.server(False)
    for count in [5000] if bench.quick else [5000, 50000]:
        say(f"transaction:false, {count} statements")
        folder = bench.scratch / f"stepwise-{count}"
        folder.mkdir()
        text = "CREATE TABLE many (id integer);\n" + "".join(f"INSERT INTO many VALUES ({number});\n" for number in range(count - 1))
        script = bench.scratch / f"stepwise-{count}.sql"
        script.write_text(text, encoding="utf-8")
        (folder / "1_many.sql").write_text(f"-- migrate:up transaction:false\n{text}\n-- migrate:down\nDROP TABLE many;\n", encoding="utf-8")
        for _ in range(3):
            for tool in bench.tools:
                if not isinstance(tool, (Psql, Pgmarch)):
                    continue
                server.fresh("target")
                url = server.url("target")
                one_by_one = [PSQL, "-Xq", "-v", "ON_ERROR_STOP=1", "-f", str(script), url], {}
                command = one_by_one if isinstance(tool, Psql) else tool.command(folder, url)
                bench.record("transaction:false", count, tool, bench.run(*command))
        server.settle()


def memory(bench):
    """Peak resident memory, and what has to be shipped."""
    server = bench.server(False)
    say("memory and size")
    count = 100 if bench.quick else 1000
    for tool in bench.tools:
        size, what = tool.weight()
        bench.record("size", "", tool, size / 1e6, "MB", what)
        if tool.slow and bench.quick:
            continue
        folder = bench.folder(tool, count)
        server.fresh("target")
        bench.record("memory, apply", count, tool, bench.memory(*tool.command(folder, server.url("target"))) / 1024, "MB")
        bench.record("memory, no-op", count, tool, bench.memory(*tool.noop(folder, server.url("target"))) / 1024, "MB")
        if isinstance(tool, Pgmarch):
            server.fresh("target")
            bench.record("memory, 20 MB revision", "", tool, bench.memory(*tool.command(bench.folder(tool, 1, big), server.url("target"))) / 1024, "MB")


CASES = [noop, apply, far, ready, crowd, large, stepwise, memory, *HISTORIES]
# Those that run only by name.
LONG = [schemas]
