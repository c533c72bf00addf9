"""Delete by policy: by age, never by percentage, never what is not confirmed at its destination.

Each batch is one transaction that deletes the files while it holds the journal's write lock, so
that an object that arrives again in the same moment is either seen (and kept) or stored anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.errors import SpoolError
from app.node.journal import retention as journal
from app.node.journal.associations import forget_associations_before
from app.node.journal.earlier import copies_before
from app.node.journal.engine import transaction
from app.node.journal.states import SeriesState
from app.node.telemetry import events

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Engine

    from app.node.telemetry.logs import Emit
    from app.settings import RetentionSettings

BATCH: Final = 50
"""Series, objects or jobs per transaction: the listener must not wait long for the lock."""

_CONNECTIONS: Final = 1000
"""Rows of the record of connections per transaction; they have no files."""

_DAY_S: Final = 86_400.0


def apply_retention(
    engine: Engine, data: Path, settings: RetentionSettings, *, now: float, emit: Emit
) -> dict[str, int]:
    """Delete one batch of every kind that the policy lets go.

    Parameters
    ----------
    engine : Engine
        Journal.
    data : Path
        The node's data folder; received objects lie in ``spool``.
    settings : RetentionSettings
        Ages in days.
    now : float
        Epoch seconds.
    emit : Emit
        Event log.

    Returns
    -------
    dict of str to int
        Files deleted, and series whose texts were forgotten, by kind; call again while any is at
        the size of a batch.

    Raises
    ------
    SpoolError
        If a file cannot be deleted; the journal still says that it is there.
    """
    ages = {
        SeriesState.ACCEPTED: settings.received_days,
        SeriesState.REJECTED: settings.rejected_days,
        SeriesState.DISCARDED: settings.discarded_days,
    }
    counts = {
        str(state): _delete_series(engine, data / "spool", state, now - days * _DAY_S)
        for state, days in ages.items()
    }
    strays_before = now - settings.received_days * _DAY_S
    counts["stray"] = _delete_strays(engine, data / "spool", strays_before)
    counts["result"] = _delete_results(engine, data, now - settings.results_days * _DAY_S)
    connections_before = now - settings.connections_days * _DAY_S
    with transaction(engine) as connection:
        counts["connection"] = forget_associations_before(
            connection, connections_before, _CONNECTIONS
        )
    texts_before = now - settings.texts_days * _DAY_S
    counts["text"] = _forget_texts(engine, texts_before)
    counts["journal_copy"] = _unlink(data, copies_before(data, texts_before))
    for kind, count in counts.items():
        if count:
            emit(events.RETENTION_DELETED, kind=kind, count=count)
    return counts


def _delete_series(engine: Engine, spool: Path, state: SeriesState, before: float) -> int:
    count = 0
    with transaction(engine) as connection:
        for series_uid in journal.expired_series(connection, state, before, BATCH):
            paths = journal.paths_of_series(connection, series_uid)
            count += _unlink(spool, paths)
            journal.mark_deleted(connection, paths)
    return count


def _delete_strays(engine: Engine, spool: Path, before: float) -> int:
    with transaction(engine) as connection:
        paths = journal.expired_strays(connection, before, BATCH)
        count = _unlink(spool, paths)
        journal.mark_deleted(connection, paths)
    return count


def _delete_results(engine: Engine, data: Path, before: float) -> int:
    count = 0
    with transaction(engine) as connection:
        for job_id in journal.expired_results(connection, before, BATCH):
            count += _unlink(data, journal.forget_result_files(connection, job_id))
    return count


def _forget_texts(engine: Engine, before: float) -> int:
    with transaction(engine) as connection:
        return journal.forget_texts(connection, before, BATCH)


def _unlink(root: Path, paths: list[str]) -> int:
    folders = set()
    try:
        for path in paths:
            file = root / path
            file.unlink(missing_ok=True)
            folders.add(file.parent)
        for folder in folders:
            # A folder that received something meanwhile stays.
            if folder != root and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
    except OSError as error:
        raise SpoolError(f"files cannot be deleted by policy: {error.strerror}") from error
    return len(paths)
