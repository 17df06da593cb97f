"""pgmarch and its peers: how each wants its revisions, how each is run."""

import os
import shutil
import subprocess
from pathlib import Path

from server import CLEAN, PSQL

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".cache" / "peers"


def small(number):
    """One revision: a table and an index."""
    return (
        f"CREATE TABLE t{number} (id bigint PRIMARY KEY, name text NOT NULL, created timestamptz NOT NULL DEFAULT now());\n"
        f"CREATE INDEX t{number}_name ON t{number} (name);\n",
        f"DROP TABLE t{number};\n",
    )


def tiny(number):
    """One revision that costs the server nothing, for cases that only need it to be there."""
    return f"SELECT {number};\n", "SELECT 0;\n"


def big(_):
    """20 MB of SQL in one revision: 20,000 statements of 1 kB."""
    row = "x" * 960
    return "CREATE TABLE big (id integer, text text);\n" + "".join(
        f"INSERT INTO big VALUES ({number}, '{row}');\n" for number in range(20000)
    ), "DROP TABLE big;\n"


class Tool:
    """One program. `slow` ones take more than half a second to say that there is nothing to do: fewer rounds."""

    name = ""
    slow = False
    can_wait = False

    def write(self, folder, number, up, down):
        raise NotImplementedError

    def command(self, folder, url):
        """Words and environment that bring the database at `url` to the newest revision in `folder`."""
        raise NotImplementedError

    def waiting(self, folder, url):
        """The same, for a server that does not run yet."""
        return self.command(folder, url)

    def noop(self, folder, url):
        return self.command(folder, url)

    def version(self):
        raise NotImplementedError

    def weight(self):
        """What must be shipped, in bytes, and what that is."""
        raise NotImplementedError

    def finish(self, folder):
        """Called when all revisions are written."""


def output(*words, env=None):
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=env)
    return (done.stdout + done.stderr).strip().splitlines()[0]


def size(path):
    path = Path(path).resolve()
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())


class Psql(Tool):
    name = "psql"

    def write(self, folder, number, up, down):
        with open(folder / "all.sql", "a", encoding="utf-8") as file:
            file.write(up)

    def command(self, folder, url):
        return [PSQL, "-Xq", "-v", "ON_ERROR_STOP=1", "-1", "-f", str(folder / "all.sql"), url], {}

    def noop(self, folder, url):
        return [PSQL, "-X", "-c", "select 1", url], {}

    def version(self):
        return output(PSQL, "--version").split()[2]

    def weight(self):
        libraries = [line.split()[2] for line in subprocess.run(["ldd", PSQL], capture_output=True, text=True, check=True).stdout.splitlines() if "=> /" in line]
        return size(PSQL) + sum(size(library) for library in libraries), "program and its shared libraries"


class Pgmarch(Tool):
    name = "pgmarch"
    can_wait = True

    def __init__(self, binary):
        self.binary = str(Path(binary).resolve())

    def write(self, folder, number, up, down):
        text = f"-- migrate:up\n{up}\n-- migrate:down\n{down}"
        (folder / f"{number:05}_t{number}.sql").write_text(text, encoding="utf-8")

    def command(self, folder, url):
        return [self.binary], {"PGMARCH_DATABASE_URL": url, "PGMARCH_MIGRATIONS": str(folder)}

    def version(self):
        return output(self.binary, "--version").split()[1]

    def weight(self):
        return size(self.binary), "static binary; the image is little else"


class Dbmate(Tool):
    name = "dbmate"
    can_wait = True
    binary = str(PEERS / "node/node_modules/@dbmate/linux-x64/bin/dbmate")

    def write(self, folder, number, up, down):
        text = f"-- migrate:up\n{up}\n-- migrate:down\n{down}"
        (folder / f"{number:014}_t{number}.sql").write_text(text, encoding="utf-8")

    def command(self, folder, url):
        return [self.binary, "--url", url, "--migrations-dir", str(folder), "--no-dump-schema", "migrate"], {}

    def waiting(self, folder, url):
        words, env = self.command(folder, url)
        return [words[0], "--wait", *words[1:]], env

    def version(self):
        return output(self.binary, "--version").split()[-1]

    def weight(self):
        return size(self.binary), "binary; its image adds Alpine and clients"


class Sqlx(Tool):
    name = "sqlx-cli"
    binary = str(PEERS / "bin/sqlx")

    def write(self, folder, number, up, down):
        (folder / f"{number}_t{number}.sql").write_text(up, encoding="utf-8")

    def command(self, folder, url):
        return [self.binary, "migrate", "run", "--source", str(folder), "--database-url", url], {}

    def version(self):
        return output(self.binary, "--version").split()[1]

    def weight(self):
        return size(self.binary), "binary, dynamic glibc"


class Refinery(Tool):
    name = "refinery"
    binary = str(PEERS / "bin/refinery")

    def write(self, folder, number, up, down):
        (folder / f"V{number}__t{number}.sql").write_text(up, encoding="utf-8")

    def command(self, folder, url):
        return [self.binary, "migrate", "-e", "TARGET", "-p", str(folder)], {"TARGET": url}

    def version(self):
        return output(self.binary, "--version").split()[-1]

    def weight(self):
        return size(self.binary), "binary, dynamic glibc"


ENV_PY = """
import os
from alembic import context
from sqlalchemy import create_engine
with create_engine(os.environ["TARGET"]).connect() as connection:
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""


class Alembic(Tool):
    name = "Alembic"
    slow = True

    def write(self, folder, number, up, down):
        versions = folder / "versions"
        versions.mkdir(exist_ok=True)
        before = f'"{number - 1:05}"' if number > 1 else "None"
        if len(up) > 100000:
            (folder / "big.sql").write_text(up, encoding="utf-8")
            statement = f"op.get_bind().exec_driver_sql(open({str(folder / 'big.sql')!r}).read())"
        else:
            statement = f"op.execute({up!r})"
        text = (
            f'from alembic import op\nrevision = "{number:05}"\ndown_revision = {before}\n'
            f"def upgrade():\n    {statement}\ndef downgrade():\n    op.execute({down!r})\n"
        )
        (versions / f"{number:05}_t{number}.py").write_text(text, encoding="utf-8")

    def finish(self, folder):
        (folder / "env.py").write_text(ENV_PY, encoding="utf-8")
        (folder / "alembic.ini").write_text(f"[alembic]\nscript_location = {folder}\n", encoding="utf-8")
        # What its image would hold compiled already.
        subprocess.run([str(PEERS / "alembic/bin/python"), "-m", "compileall", "-q", str(folder)], check=True)

    def command(self, folder, url):
        words = [str(PEERS / "alembic/bin/alembic"), "-c", str(folder / "alembic.ini"), "upgrade", "head"]
        # SQLAlchemy's own choice of a driver changes from one release to the next.
        return words, {"TARGET": "postgresql+psycopg2" + url[url.index("://") :]}

    def version(self):
        return (PEERS / "alembic.version").read_text(encoding="utf-8").strip()

    def weight(self):
        return size(PEERS / "alembic"), "virtualenv, without Python itself"


class NodePgMigrate(Tool):
    name = "node-pg-migrate"
    slow = True

    def write(self, folder, number, up, down):
        text = f"-- Up Migration\n{up}\n-- Down Migration\n{down}"
        (folder / f"{1700000000000 + number}_t{number}.sql").write_text(text, encoding="utf-8")

    def command(self, folder, url):
        script = PEERS / "node/node_modules/node-pg-migrate/bin/node-pg-migrate.js"
        words = [shutil.which("node"), str(script), "up", "-m", str(folder), "--no-single-transaction"]
        return words, {"DATABASE_URL": url}

    def version(self):
        return (PEERS / "node.version").read_text(encoding="utf-8").split()[1]

    def weight(self):
        modules = PEERS / "node/node_modules"
        return size(modules) - size(modules / "@dbmate"), "node_modules, without Node itself"


def all_tools(binary):
    """psql first: it is what the others are compared with."""
    return [Psql(), Pgmarch(binary), Dbmate(), Sqlx(), Refinery(), Alembic(), NodePgMigrate()]


def environment(env):
    return {**CLEAN, "PATH": os.environ["PATH"], **env}
