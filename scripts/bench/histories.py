"""Large revisions and long histories: time as a ratio to psql where it does the same, and peak resident memory."""

import hashlib
import subprocess

from say import say
from server import PSQL
from tools import Pgmarch, Psql, environment

LARGE = 200_000_000


def huge(_):
    """200 MB of SQL in one revision: statements of 1,000 rows each."""
    parts, length, row = ["CREATE TABLE huge (number bigint, body text);\n"], 0, 0
    while length < LARGE:
        values = ",".join(f"({number},'row {number} of the table, with some text in it {number * 7919 % 1000003}')" for number in range(row, row + 1000))
        parts.append(f"INSERT INTO huge VALUES {values};\n")
        length += len(parts[-1])
        row += 1000
    return "".join(parts), "DROP TABLE huge;\n"


def huge_revision(bench):
    """One revision of 200 MB, in every command that reads or runs it; a quick bench leaves it out, unless it is named."""
    if bench.quick and not bench.only:
        return
    server = bench.server(False)
    for tool in [tool for tool in bench.tools if isinstance(tool, (Psql, Pgmarch))]:
        say(f"one revision of 200 MB, {tool.name}")
        folder = bench.folder(tool, 1, huge)
        server.fresh("target")
        words, env = tool.command(folder, server.url("target"))
        bench.record("200 MB revision", "", tool, bench.run(words, env))
        if not isinstance(tool, Pgmarch):
            continue

        def measure(what, *arguments, to=folder):
            command, settings = tool.command(to, server.url("target"))
            say(f"  {what}")
            bench.record(f"memory, 200 MB revision: {what}", "", tool, bench.memory([*command, *arguments], settings) / 1024, "MB")

        server.fresh("target")
        measure("upgrade")
        changed = bench.scratch / "huge-changed"
        changed.mkdir()
        for file in folder.iterdir():
            (changed / file.name).write_text("-- Copyright, another year\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
        for arguments in (["status"], ["wait"], ["history"], ["show", "00001"], ["upgrade"], ["repair", "00001"]):
            measure(f"{arguments[0]}, another license header", *arguments, to=changed)
        measure("downgrade", "downgrade", "base", "--yes", to=changed)
        older, newer = bench.scratch / "huge-older", bench.scratch / "huge-newer"
        older.mkdir()
        newer.mkdir()
        for to in (older, newer):
            (to / "00000_first.sql").write_text("-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n", encoding="utf-8")
        for file in folder.iterdir():
            (newer / file.name).symlink_to(file)
        measure("upgrade of two", "upgrade", to=newer)
        for arguments in (["upgrade"], ["status"], ["wait"], ["history"], ["show", "00001"], ["downgrade", "00000", "--yes"]):
            measure(f"{arguments[0]}, an older image", *arguments, to=older)


def revision_row(number):
    """A line of `COPY pgmarch.revision`, as pgmarch would have recorded the revision."""
    text = f"-- migrate:up\nSELECT {number};\n-- migrate:down\nSELECT {number};\n"
    exact = hashlib.sha256(text.encode()).hexdigest()
    semantic = hashlib.sha256(b"".join(token + b"\0" for token in (b"select", str(number).encode(), b";"))).hexdigest()
    below = f"{{{number - 1:06}}}" if number else "{}"
    escaped = text.replace("\n", "\\n")
    return f"public.alembic_version\t{number:06}\t{number:06}_m.sql\t{below}\t{{}}\tm\tf\t{escaped}\t{exact}\t{semantic}\n"


def psql(server, sql):
    done = subprocess.run([PSQL, "-Xq", "-v", "ON_ERROR_STOP=1", server.url("target")], input=sql, text=True, capture_output=True, env=environment({}), check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)


def long_history(bench):
    """100,000 revisions, all but the first two of them put into the ledger by COPY: applying them takes the server its time."""
    server = bench.server(False)
    count = 10_000 if bench.quick else 100_000
    for tool in [tool for tool in bench.tools if isinstance(tool, Pgmarch)]:
        say(f"a history of {count:,} revisions")
        folder = bench.scratch / f"history-{count}"
        folder.mkdir()
        server.fresh("target")
        command, settings = tool.command(folder, server.url("target"))
        for number in range(count):
            text = f"-- migrate:up\nSELECT {number};\n-- migrate:down\nSELECT {number};\n"
            (folder / f"{number:06}_m.sql").write_text(text, encoding="utf-8")
        bench.run([*command, "upgrade", "000001"], settings)
        columns = "(version_table, revision, file, parents, depends_on, message, breaking, text, exact, semantic)"
        psql(server, f"COPY pgmarch.revision {columns} FROM stdin;\n" + "".join(map(revision_row, range(2, count))) + "\\.\n")
        psql(
            server,
            "INSERT INTO pgmarch.journal (version_table, revision, direction, outcome, started, finished, client_host, pgmarch) "
            "SELECT 'public.alembic_version', to_char(n, 'FM000000'), 'upgrade', 'done', now(), now(), 'bench', '0.2.0' "
            f"FROM generate_series(2, {count - 1}) AS n; UPDATE alembic_version SET version_num = '{count - 1:06}'; ANALYZE;",
        )
        for arguments in (["status"], ["status", "--json"], ["history"], ["wait"], ["upgrade"], ["show", "000005"], ["check", "--offline"]):
            what = " ".join(arguments)
            say(f"  {what}")
            bench.record(f"long history: {what}", count, tool, bench.run([*command, *arguments], settings))
            bench.record(f"memory, long history: {what}", count, tool, bench.memory([*command, *arguments], settings) / 1024, "MB")


def heads(bench):
    """2,000 heads, up and down."""
    server = bench.server(False)
    for tool in [tool for tool in bench.tools if isinstance(tool, Pgmarch)]:
        for count in (500, 2000):
            say(f"{count:,} heads")
            folder = bench.scratch / f"heads-{count}"
            folder.mkdir()
            for number in range(count):
                text = f"-- revises: base\n-- migrate:up\nSELECT {number};\n-- migrate:down\nSELECT {number};\n"
                (folder / f"{number:05}_m.sql").write_text(text, encoding="utf-8")
            command, settings = tool.command(folder, server.url("target"))
            for what, arguments in (("up", ["upgrade", "heads"]), ("down", ["downgrade", "base", "--yes"])):
                server.fresh("target")
                if what == "down":
                    bench.run([*command, "upgrade", "heads"], settings)
                bench.record(f"memory, heads {what}", count, tool, bench.memory([*command, *arguments], settings) / 1024, "MB")
                server.fresh("target")
                if what == "down":
                    bench.run([*command, "upgrade", "heads"], settings)
                bench.record(f"heads {what}", count, tool, bench.run([*command, *arguments], settings))


HISTORIES = [huge_revision, long_history, heads]
