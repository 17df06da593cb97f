"""Schemas of many tables or partitions: `check`, `create` and `diff` beside psql, which loads the same scratch databases."""

from say import say
from server import PSQL, Server
from tools import Pgmarch, Psql

PER_REVISION = 100


def table(number):
    return (
        f"CREATE TABLE table_{number} (\n    id bigserial PRIMARY KEY,\n    name varchar(100) NOT NULL,\n"
        "    amount numeric(12,2) DEFAULT 0 CHECK (amount >= 0),\n    kind text,\n"
        f"    created_at timestamptz NOT NULL DEFAULT now()\n);\nCREATE INDEX table_{number}_name ON table_{number} (name);\n"
    )


def tables(count):
    return [table(number) for number in range(count)]


def partitions(count):
    whole = (
        "CREATE TABLE events (id bigint NOT NULL, day integer NOT NULL, note text DEFAULT 'none', PRIMARY KEY (id, day)) PARTITION BY LIST (day);\n"
        "CREATE INDEX events_note ON events (note);\n"
    )
    return [whole] + [f"CREATE TABLE events_{day} PARTITION OF events FOR VALUES IN ({day});\n" for day in range(count)]


def functions(count):
    """Bodies of 2 MB each."""
    body = "-- a long body of a function\n" * 70000
    return [
        f"CREATE FUNCTION large_{number}() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN\n{body}RETURN {number}; END $$;\n"
        for number in range(count)
    ]


SCHEMAS = [(tables, 2000), (tables, 50000), (partitions, 3000), (partitions, 20000), (functions, 50)]


def schemas(bench):
    """Only by name (`--only schemas`): an hour, and 10 GB of memory for the server. Its lock table is as by default."""
    psql = next(tool for tool in bench.tools if isinstance(tool, Psql))
    pgmarch = next(tool for tool in bench.tools if isinstance(tool, Pgmarch))
    server = Server(False, connections=100)
    try:
        server.start()
        for what, count in SCHEMAS[:1] + SCHEMAS[2:3] if bench.quick else SCHEMAS:
            measure(bench, server, what, count, psql, pgmarch)
    finally:
        server.remove()


def measure(bench, server, what, count, psql, pgmarch):
    kind, parts = what.__name__, what(count)
    folder = bench.scratch / f"schema-{kind}-{count}"
    model_only = bench.scratch / f"model-{kind}-{count}"
    for path in (folder, model_only):
        path.mkdir()
        (path / "schema.sql").write_text("".join(parts), encoding="utf-8")
    for first in range(0, len(parts), PER_REVISION):
        pgmarch.write(folder, first // PER_REVISION + 1, "".join(parts[first : first + PER_REVISION]), "SELECT 1;\n")
    say(f"{count} {kind}: psql loads them twice")
    took = 0
    for name in ("loaded", "target"):
        server.fresh(name)
        took += bench.run([PSQL, "-Xq", "-v", "ON_ERROR_STOP=1", "-f", str(folder / "schema.sql"), server.url(name)], {})
    server.sql("DROP DATABASE target")
    server.fresh("target")
    commands = {
        "check": (folder, "target", ["check"]),
        "create": (model_only, "target", ["create", "all"]),
        "diff": (model_only, "loaded", ["diff"]),
    }
    for verb, (path, database, words) in commands.items():
        say(f"{count} {kind}: {verb}")
        _, env = pgmarch.command(path, server.url(database))
        bench.record(f"{verb}, {kind}", count, psql, took, note="loads the schema twice")
        bench.record(f"{verb}, {kind}", count, pgmarch, bench.run([pgmarch.binary, *words], env))
        for written in model_only.glob("*_all*.sql"):
            written.unlink()
    say(f"{count} {kind}: memory of check")
    _, env = pgmarch.command(folder, server.url("target"))
    bench.record(f"memory, check, {kind}", count, pgmarch, bench.memory([pgmarch.binary, "check"], env) / 1024, "MB")
    server.sql("DROP DATABASE loaded")
    server.settle()
