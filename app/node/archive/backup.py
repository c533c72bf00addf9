"""Back up a data folder while the node works, and make a node's folder of a backup again.

The databases are copied first, each as one snapshot (SQLite's backup API, which keeps no writer
waiting), then the files that the journal of the snapshot names. A file's bytes never change, so
what is copied later is what the snapshot means. The manifest is written last: without it a backup
is not whole and is not restored.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app import __version__
from app.errors import BackupError
from app.node.archive.given_names import FOLDER as GIVEN_NAMES
from app.node.journal.engine import journal_url, open_journal
from app.node.journal.examination import problems_of

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFEST: Final = "manifest.json"
JOURNAL: Final = "journal.db"
QUEUE: Final = "queue.db"
SECRET: Final = "site-secret"  # noqa: S105 - a file's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds.

    Attributes
    ----------
    version : str
        Of the software that made it.
    digests : dict
        File of the databases and the secret -> SHA-256.
    files : int
        Images, results, and corrections by people.
    missing : int
        Files that the journal names and that were gone: deleted by policy in the same moment.
    """

    version: str
    digests: dict[str, str] = field(default_factory=dict)
    files: int = 0
    missing: int = 0


def back_up(data: Path, target: Path) -> Manifest:
    """Copy a node's data folder; the node may work meanwhile.

    Parameters
    ----------
    data : Path
        The node's data folder with an SQLite journal.
    target : Path
        Folder for the backup; absent or empty.

    Returns
    -------
    Manifest
        What was copied.

    Raises
    ------
    BackupError
        If there is no journal, `target` holds something, or a file cannot be written.
    """
    if not (data / JOURNAL).is_file():
        raise BackupError("there is no journal in the data folder")
    _make_empty(target)
    try:
        for name in (JOURNAL, QUEUE):
            if (data / name).is_file():
                _snapshot(data / name, target / name)
        if (data / SECRET).is_file():
            shutil.copy2(data / SECRET, target / SECRET)
        files = missing = 0
        given = [path.relative_to(data) for path in sorted((data / GIVEN_NAMES).glob("*.json"))]
        for path in (*_named_files(target / JOURNAL), *given):
            if _copy(data / path, target / path):
                files += 1
            else:
                missing += 1
        digests = {one.name: _digest(one) for one in sorted(target.iterdir()) if one.is_file()}
        manifest = Manifest(version=__version__, digests=digests, files=files, missing=missing)
        os.sync()  # all of it is on the disk before anything says so
        (target / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1) + "\n", "utf-8")
        os.sync()
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"the backup cannot be written: {type(error).__name__}") from error
    return manifest


def restore(backup: Path, data: Path) -> Manifest:
    """Make a data folder of a backup.

    Parameters
    ----------
    backup : Path
        As `back_up` made it.
    data : Path
        Absent or empty. It appears at once, when everything is in it.

    Returns
    -------
    Manifest
        Of the backup.

    Raises
    ------
    BackupError
        If the backup is not whole, or `data` holds something.
    """
    manifest = _read_manifest(backup)
    for name, digest in manifest.digests.items():
        if not (backup / name).is_file() or _digest(backup / name) != digest:
            raise BackupError(f"the backup is damaged: {name}")
    _make_empty(data)
    half = data.with_name(f".{data.name}.restoring")
    try:
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(backup, half, ignore=shutil.ignore_patterns(MANIFEST))
        half.chmod(0o700)
        _examine(half, manifest)
        os.sync()
        data.rmdir()
        half.rename(data)
    except OSError as error:
        raise BackupError(f"the data folder cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return manifest


def _examine(data: Path, manifest: Manifest) -> None:
    engine = open_journal(journal_url(data, None))
    try:
        if problems_of(engine, is_thorough=True):
            raise BackupError(f"the backup is damaged: {JOURNAL}")
        lost = sum(not (data / path).is_file() for path in _named_files(data / JOURNAL))
    finally:
        engine.dispose()
    if lost > manifest.missing:
        raise BackupError(f"the backup is damaged: {lost} files are missing")


def _read_manifest(backup: Path) -> Manifest:
    try:
        return Manifest(**json.loads((backup / MANIFEST).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BackupError("this is no whole backup: it has no valid manifest") from error


def _snapshot(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)


def _named_files(journal: Path) -> Iterator[Path]:
    """Files that a journal names, relative to the data folder."""
    with closing(sqlite3.connect(journal)) as c:
        for (path,) in c.execute("SELECT path FROM instance WHERE state <> 'deleted'"):
            yield Path("spool") / path
        for (path,) in c.execute("SELECT path FROM result WHERE path <> ''"):
            yield Path(path)


def _copy(source: Path, target: Path) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        return False
    return True


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_empty = not any(folder.iterdir())
    except OSError as error:
        raise BackupError(f"the folder cannot be made: {error.strerror}") from error
    if not is_empty:
        raise BackupError("the folder is not empty")


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
