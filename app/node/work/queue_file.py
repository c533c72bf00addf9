"""The engine's own database, where it is a file: damaged, it is put aside and made anew.

Nothing is lost with it: the journal says what is open, and `reconcile` gives it all to the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from app.errors import JournalDamagedError, JournalError
from app.node.journal.examination import problems_of
from app.node.journal.locks import LISTENER, is_held
from app.node.telemetry import events

if TYPE_CHECKING:
    from pathlib import Path

    from app.node.telemetry.logs import Emit

QUEUE_FILE: Final = "queue.db"


def put_aside_if_damaged(data: Path, worker: str, emit: Emit) -> bool:
    """Rename a damaged database of the engine, unless another worker has it open.

    Parameters
    ----------
    data : Path
        The node's data folder.
    worker : str
        Name, and lock, of the caller.
    emit : Emit
        Event log.

    Returns
    -------
    bool
        Whether the engine begins with an empty database.
    """
    file = data / QUEUE_FILE
    if not file.exists() or _is_shared(data, worker) or not _is_damaged(file):
        return False
    number = 1
    while (aside := data / f"{QUEUE_FILE}.damaged-{number}").exists():
        number += 1
    for old in sorted(data.glob(f"{QUEUE_FILE}-*")):
        old.unlink()  # its write-ahead log, which belongs to nothing else
    file.rename(aside)
    emit(events.ENGINE_ANEW, kept_in=aside.name)
    return True


def _is_shared(data: Path, worker: str) -> bool:
    others = {lock.stem for lock in (data / "locks").glob("*.lock")} - {worker, LISTENER}
    return any(is_held(data, name) for name in others)


def _is_damaged(file: Path) -> bool:
    try:
        return bool(problems_of(sa.create_engine(f"sqlite:///{file}")))
    except JournalDamagedError:
        return True
    except JournalError:
        return False  # busy, or not ours to read: the engine will say
