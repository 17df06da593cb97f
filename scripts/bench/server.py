"""Throwaway PostgreSQL servers."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

CLEAN = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": "/tmp"}


def binaries():
    """The folder of the newest server's programs: /usr/bin/psql is a slow wrapper on Debian."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    return Path(shutil.which("initdb")).resolve().parent


BIN = binaries()
PSQL = str(BIN / "psql")


def free_port():
    """Below the ports that the kernel gives to clients, so that a waiting client can't connect to itself."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError("no free port")


class Server:
    """One server, on disk or in memory, with fsync or without."""

    def __init__(self, fsync, connections=300):
        place = None if fsync or not Path("/dev/shm").is_dir() else "/dev/shm"
        self.folder = Path(tempfile.mkdtemp(prefix="pgmarch-bench-", dir=place))
        self.port = free_port()
        self.fsync = fsync
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        self.folder.chmod(0o700)
        self.run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        settings = f"""
port = {self.port}
listen_addresses = '127.0.0.1'
unix_socket_directories = '{self.folder}'
max_connections = {connections}
shared_buffers = 128MB
max_wal_size = 4GB
checkpoint_timeout = 30min
autovacuum = off
fsync = {"on" if fsync else "off"}
"""
        with open(self.folder / "data" / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(settings)

    def run(self, program, *words):
        command = [str(BIN / program), "-D", str(self.folder / "data"), *words]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        subprocess.run(command, check=True, env=CLEAN, cwd="/", stdout=subprocess.DEVNULL)

    def start(self, wait=True):
        self.run("pg_ctl", "start", "-s", "-w" if wait else "-W", "-l", str(self.folder / "log"))

    def stop(self):
        self.run("pg_ctl", "stop", "-s", "-m", "fast")

    def remove(self):
        if (self.folder / "data" / "postmaster.pid").exists():
            self.run("pg_ctl", "stop", "-s", "-m", "immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database, port=None):
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/{database}?sslmode=disable"

    def sql(self, text, database="postgres"):
        words = [PSQL, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", text, self.url(database)]
        return subprocess.run(words, check=True, env=CLEAN, capture_output=True, text=True).stdout.strip()

    def fresh(self, name):
        """An empty database of this name."""
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.sql(f"CREATE DATABASE {name} TEMPLATE template0")

    def settle(self):
        """What earlier cases left to be written, out of the way of the next."""
        self.sql("CHECKPOINT")

    def greet(self):
        """Whether a login succeeds now: startup packet, and an answer that is not an error."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                body = b"\0\3\0\0user\0postgres\0database\0postgres\0\0"
                line.sendall((len(body) + 4).to_bytes(4, "big") + body)
                return line.recv(1) == b"R"
        except OSError:
            return False

    def ready_at(self):
        """The moment at which it first lets somebody in."""
        while not self.greet():
            time.sleep(0.001)
        return time.perf_counter()
