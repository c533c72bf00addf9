"""A real PostgreSQL server in a folder of its own, on a free loopback port."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError


def programs() -> Path | None:
    """Folder of initdb and pg_ctl; Debian does not put it into PATH."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


def can_run() -> bool:
    """Whether a server can be started here: it refuses to run as root."""
    return programs() is not None and (os.getuid() != 0 or _other_user() is not None)


@dataclass
class PostgresServer:
    """A running server; `new_database` gives each test its own."""

    folder: Path
    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def new_database(self) -> str:
        name = f"test{next(self._numbers)}"
        admin = sa.create_engine(self._url("postgres", "postgresql+psycopg"))
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        admin.dispose()
        return self._url(name, "postgresql")

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -h 127.0.0.1 -c fsync=off"
        _run("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", self._log, "start")
        admin = sa.create_engine(self._url("postgres", "postgresql+psycopg"))
        for _ in range(100):
            try:
                admin.connect().close()
                break
            except OperationalError:
                time.sleep(0.1)
        admin.dispose()

    def crash(self) -> None:
        """Stop without a checkpoint and without asking clients."""
        _run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    @property
    def _log(self) -> str:
        return str(self.folder / "log")

    def _url(self, database: str, driver: str) -> str:
        return f"{driver}://node:secret@127.0.0.1:{self.port}/{database}"


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server that lives as long as the context."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    other = _other_user() if os.getuid() == 0 else None
    if other is not None:
        shutil.chown(folder, other)
    password = folder / "password"
    password.write_text("secret")
    if other is not None:
        shutil.chown(password, other)
    _run(
        "initdb",
        *("-D", str(folder / "data"), "-U", "node", "--pwfile", str(password)),
        *("--auth=scram-sha-256", "--no-sync", "--locale=C", "-E", "UTF8"),
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = PostgresServer(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.crash()
        shutil.rmtree(folder, ignore_errors=True)


def _run(program: str, *arguments: str) -> None:
    folder = programs()
    assert folder is not None
    command = [str(folder / program), *arguments]
    other = _other_user()
    if os.getuid() == 0 and other is not None:
        command = ["setpriv", f"--reuid={other}", f"--regid={other}", "--clear-groups", *command]
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300
    )


def _other_user() -> str | None:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names and shutil.which("setpriv") else None
