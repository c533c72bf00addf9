"""A PACS small enough for the demo: keeps what it is sent, says what it holds.

It stands on the far side of a real association, so that the demo is a round trip on a machine
that has no PACS. Not a product: no access control, no database.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import RLELossless
from pynetdicom import AE, DEFAULT_TRANSFER_SYNTAXES, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from app.node.peers.store import read_storable
from operators.dicom.identity.uids import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pynetdicom.events import Event
    from pynetdicom.transport import ThreadedAssociationServer

AE_TITLE: Final = "SAMPLEPACS"

_TRANSFER_SYNTAXES: Final = (*DEFAULT_TRANSFER_SYNTAXES, RLELossless)
_SUCCESS: Final = 0x0000
_PENDING: Final = 0xFF00
_CANNOT_UNDERSTAND: Final = 0xC000
_KEYS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_LEVELS: Final = {"STUDY": 1, "SERIES": 2, "IMAGE": 3}
"""Query level -> how many of the keys tell two answers apart (PS3.4, C.6.2.1)."""


@dataclass(frozen=True, slots=True)
class HeldObject:
    """One object of the sample PACS: its three identifiers and its file."""

    study_uid: str
    series_uid: str
    sop_uid: str
    path: Path

    @property
    def identifiers(self) -> tuple[str, str, str]:
        """Study, series and object."""
        return self.study_uid, self.series_uid, self.sop_uid


@dataclass(slots=True)
class SamplePacs:
    """Storage and query SCP on a free loopback port.

    Attributes
    ----------
    folder : Path
        Receives what is sent to it.
    """

    folder: Path
    _held: dict[str, HeldObject] = field(default_factory=dict)
    _received: list[HeldObject] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadedAssociationServer | None = None

    def hold(self, study: Path) -> list[Path]:
        """Hold the DICOM files of a folder.

        Parameters
        ----------
        study : Path
            Searched with its sub-folders; other files are passed over.

        Returns
        -------
        list of Path
            The files held.
        """
        for path in sorted(file for file in study.rglob("*") if file.is_file()):
            try:
                header = dcmread(path, stop_before_pixels=True)
            except InvalidDicomError:
                continue
            self._keep(header, path)
        with self._lock:
            return [held.path for held in self._held.values()]

    def start(self) -> int:
        """Listen; the port."""
        self.folder.mkdir(parents=True, exist_ok=True)
        entity = AE(AE_TITLE)
        entity.add_supported_context(Verification)
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        for context in AllStoragePresentationContexts:
            entity.add_supported_context(str(context.abstract_syntax), list(_TRANSFER_SYNTAXES))
        server = entity.start_server(
            ("127.0.0.1", 0),
            block=False,
            evt_handlers=[(evt.EVT_C_STORE, self._on_store), (evt.EVT_C_FIND, self._on_find)],
        )
        if server is None:
            raise OSError("the sample PACS did not start")
        self._server = server
        return int(server.server_address[1])

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()

    def received(self) -> tuple[HeldObject, ...]:
        """Give what it was sent, in order of arrival, each object once."""
        with self._lock:
            return tuple(self._received)

    def _keep(self, header: Dataset, path: Path) -> HeldObject | None:
        study_uid, series_uid, sop_uid = (str(header[key].value) for key in _KEYS)
        held = HeldObject(study_uid, series_uid, sop_uid, path)
        with self._lock:
            if held.sop_uid in self._held:
                return None
            self._held[held.sop_uid] = held
        return held

    def _on_store(self, event: Event) -> int:
        content = event.encoded_dataset()
        path = self.folder / f"{digest([content])[:16]}.dcm"
        path.write_bytes(content)
        try:
            read_storable(path)
            held = self._keep(event.dataset, path)
        except (AttributeError, KeyError, ValueError):
            path.unlink()
            return _CANNOT_UNDERSTAND
        if held is not None:
            with self._lock:
                self._received.append(held)
        return _SUCCESS

    def _on_find(self, event: Event) -> Iterator[tuple[int, Dataset]]:
        query = event.identifier
        wanted = [str(query.get(key, "") or "") for key in _KEYS]
        depth = _LEVELS.get(str(query.get("QueryRetrieveLevel", "")), 0)
        with self._lock:
            matching = [
                held.identifiers
                for held in self._held.values()
                if all(
                    not want or want == have
                    for want, have in zip(wanted, held.identifiers, strict=True)
                )
            ]
        for found in sorted({identifiers[:depth] for identifiers in matching} - {()}):
            answer = Dataset()
            answer.QueryRetrieveLevel = query.QueryRetrieveLevel
            for key, value in zip(_KEYS, found, strict=False):
                setattr(answer, key, value)
            if depth == _LEVELS["SERIES"]:
                count = sum(identifiers[:depth] == found for identifiers in matching)
                answer.NumberOfSeriesRelatedInstances = str(count)
            yield _PENDING, answer
