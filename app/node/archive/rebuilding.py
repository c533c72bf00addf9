"""A new journal from what is left of a damaged one and from the files of the spool.

Every row that can still be read is taken over. What the spool holds and no row names is taken in
as if it had just arrived; the worker then finds out what it is. Results have the same identifiers
as before, so whatever is segmented or sent a second time is the same object.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from pydicom.filereader import read_file_meta_info

from app.errors import NodeRunningError
from app.node.archive.given_names import given_names
from app.node.archive.header import read_header
from app.node.archive.incoming import HEAD_BYTES
from app.node.archive.raw_values import is_uid
from app.node.journal.arrivals import Arrival, record_arrival
from app.node.journal.engine import journal_url, open_journal, transaction
from app.node.journal.locks import is_held
from app.node.journal.patients import keep_patient, studies_without_patient
from app.node.journal.states import DeliveryState, InstanceState, JobState, SeriesState
from app.node.journal.tables import INSTANCE, LEVEL_CORRECTION, METADATA, SERIES
from operators.dicom.reading.frames import PARSE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from sqlalchemy.engine import Connection, Engine

    from app.node.archive.header import ArrivedHeader

CALLING: Final = "REBUILT"
"""Calling AE title of objects whose sender nobody knows any more."""

_STATES: Final = {
    "instance": frozenset(InstanceState),
    "series": frozenset(SeriesState),
    "job": frozenset(JobState),
    "delivery": frozenset(DeliveryState),
}
_META_BEGIN: Final = 132
"""Behind preamble and prefix: the group length element, 12 bytes (PS3.10, 7.1)."""
_GROUP_LENGTH_BYTES: Final = 12
_BATCH: Final = 200


@dataclass(slots=True, kw_only=True)
class Rebuilt:
    """What came of it.

    Attributes
    ----------
    rows : Counter
        Table -> rows taken over from the damaged journal.
    objects : Counter
        Outcome -> objects taken in from the spool.
    unreadable : int
        Files in the spool that are no whole objects; they stay where they are.
    patients : int
        Studies whose patient was read from the spool.
    kept_in : str
        Folder, within the data folder, of the old databases.
    """

    rows: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    patients: int = 0
    kept_in: str = ""


def check_stopped(data: Path) -> None:
    """Make sure that no listener and no worker is at work on a data folder.

    Raises
    ------
    NodeRunningError
        If one is.
    """
    if any(is_held(data, lock.stem) for lock in (data / "locks").glob("*.lock")):
        raise NodeRunningError


def rebuild(data: Path, called: str, *, keeps_patients: bool = True) -> Rebuilt:
    """Replace the journal of a data folder.

    Parameters
    ----------
    data : Path
        The node's data folder with an SQLite journal; the node is stopped.
    called : str
        The node's AE title, for objects whose association nobody knows any more.
    keeps_patients : bool
        Whether attributes of patients are written to the journal.

    Returns
    -------
    Rebuilt
        What was taken over.

    Raises
    ------
    NodeRunningError
        If the node is at work.
    JournalError
        If the new journal cannot be written.
    """
    check_stopped(data)
    old = _put_aside(data)
    done = Rebuilt(kept_in=old.name)
    engine = open_journal(journal_url(data, None))
    try:
        with transaction(engine) as connection:
            for table in METADATA.sorted_tables:
                rows = list(_salvaged(old / "journal.db", table))
                done.rows[table.name] += _take_rows(connection, table, rows)
            taken = list(given_names(data))
            done.rows[LEVEL_CORRECTION.name] = _take_rows(connection, LEVEL_CORRECTION, taken)
            _forget_headless(connection)
            known = set(connection.execute(sa.select(INSTANCE.c.path)).scalars())
        spool = data / "spool"
        files = sorted((spool / "series").rglob("*.dcm"))
        lost = [path for path in files if str(path.relative_to(spool)) not in known]
        for start in range(0, len(lost), _BATCH):
            with transaction(engine) as connection:
                for path in lost[start : start + _BATCH]:
                    arrival = _arrival_of(path, str(path.relative_to(spool)), called)
                    if arrival is None:
                        done.unreadable += 1
                    else:
                        done.objects[str(record_arrival(connection, arrival))] += 1
        with transaction(engine) as connection:
            without = studies_without_patient(connection)
        if keeps_patients:
            done.patients = _fill_patients(engine, spool, without)
    finally:
        engine.dispose()
    return done


def _put_aside(data: Path) -> Path:
    """Move the old databases: the engine's too, which knows runs that the new journal may not."""
    number = 1
    while (folder := data / f"journal-damaged-{number}").exists():
        number += 1
    folder.mkdir()
    for pattern in ("journal.db*", "queue.db*"):
        for file in sorted(data.glob(pattern)):
            file.rename(folder / file.name)
    return folder


def _salvaged(journal: Path, table: sa.Table) -> Iterator[dict[str, Any]]:
    """Rows that can still be read: from the front to the damage, and from the end back to it."""
    if not journal.is_file():
        return
    seen: set[tuple[Any, ...]] = set()
    for direction in ("ASC", "DESC"):
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(journal)) as c:
            query = f"SELECT * FROM {table.name} ORDER BY rowid {direction}"  # noqa: S608 - our own names
            rows = c.execute(query)
            names = [column[0] for column in rows.description]
            for values in rows:
                if values not in seen:
                    seen.add(values)
                    yield dict(zip(names, values, strict=True))


def _take_rows(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> int:
    """Insert rows, without those that contradict the schema; how many there are now."""
    states = _STATES.get(table.name)
    for row in rows:
        if states is None or row.get("state") in states:
            known = {name: value for name, value in row.items() if name in table.c}
            connection.execute(sa.insert(table).prefix_with("OR IGNORE").values(known))
    return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _forget_headless(connection: Connection) -> None:
    """Objects whose series is lost are taken in anew from their files."""
    series = sa.select(SERIES.c.series_uid)
    connection.execute(
        sa.delete(INSTANCE).where(
            INSTANCE.c.state == InstanceState.STORED, INSTANCE.c.series_uid.not_in(series)
        )
    )


def _fill_patients(engine: Engine, spool: Path, study_uids: list[str]) -> int:
    """Read whom studies are about from a file of each, the latest that is there."""
    count = 0
    for start in range(0, len(study_uids), _BATCH):
        with transaction(engine) as connection:
            for study_uid in study_uids[start : start + _BATCH]:
                query = (
                    sa.select(INSTANCE.c.path)
                    .where(INSTANCE.c.study_uid == study_uid)
                    .where(INSTANCE.c.state == InstanceState.STORED)
                    .order_by(INSTANCE.c.received_at.desc())
                )
                path = connection.execute(query.limit(1)).scalar()
                header = None if path is None else _header_of(spool / path)
                if header is not None:
                    keep_patient(connection, study_uid, header.patient.decoded())
                    count += 1
    return count


def _header_of(path: Path) -> ArrivedHeader | None:
    """Header of a file of the spool; None where it cannot be read."""
    try:
        meta = read_file_meta_info(path)
        with path.open("rb") as content:
            content.seek(_beginning(content))
            head = content.read(HEAD_BYTES)
        return read_header(head, str(meta.TransferSyntaxUID))
    except PARSE_ERRORS:
        return None


def _beginning(content: BinaryIO) -> int:
    """Where the data set of a Part 10 file begins, bytes."""
    content.seek(_META_BEGIN)
    element = content.read(_GROUP_LENGTH_BYTES)
    return _META_BEGIN + len(element) + int.from_bytes(element[8:], "little")


def _arrival_of(path: Path, relative: str, called: str) -> Arrival | None:
    """Read a file of the spool as the listener read it when it came."""
    try:
        meta = read_file_meta_info(path)
        with path.open("rb") as content:
            begin = _beginning(content)
            content.seek(begin)
            head = content.read(HEAD_BYTES)
            content.seek(begin)
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        transfer_syntax_uid = str(meta.TransferSyntaxUID)
        sop_class_uid = str(meta.MediaStorageSOPClassUID)
        sop_instance_uid = str(meta.MediaStorageSOPInstanceUID)
        header = read_header(head, transfer_syntax_uid)
    except PARSE_ERRORS:
        return None
    # A file's name carries the beginning of the digest of what was acknowledged.
    if not is_uid(sop_instance_uid) or not path.stem.endswith(digest[:12]):
        return None
    is_whole = header.is_whole and header.series_uid and header.study_uid
    status = path.stat()
    return Arrival(
        sop_instance_uid=sop_instance_uid,
        sop_class_uid=sop_class_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        digest=digest,
        series_uid=header.series_uid if is_whole else "",
        study_uid=header.study_uid,
        path=relative,
        size_bytes=status.st_size,
        calling_ae_title=CALLING,
        called_ae_title=called,
        peer_address="",
        association_id="",
        received_at=status.st_mtime,
        facts=header.facts,
        description=header.description,
        is_quarantined=not is_whole,
    )
