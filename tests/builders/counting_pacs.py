"""A PACS that counts: which objects came, how often, and whether one UID ever meant two contents.

On order it breaks an association after it has kept an object and before it has said so.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless
from pynetdicom import AE, DEFAULT_TRANSFER_SYNTAXES, evt
from pynetdicom.sop_class import (
    SegmentationStorage,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

HOST = "127.0.0.1"
TITLE = "COUNTING"


@dataclass(frozen=True)
class Kept:
    """One object: the series it is made from, and its own identifiers."""

    study_uid: str
    series_uid: str
    sop_instance_uid: str
    source_series_uid: str
    description: str
    replaces: tuple[str, ...] = ()


@dataclass
class CountingPacs:
    port: int = 0
    hiccups: float = 0.0
    """Probability that an association breaks after an object was kept."""
    generator: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311
    kept: dict[str, Kept] = field(default_factory=dict)
    contents: dict[str, set[str]] = field(default_factory=dict)
    arrivals: Counter[str] = field(default_factory=Counter)
    breaks: int = 0
    refusal: Dataset | None = None
    """Answer to every C-STORE of a PACS that keeps nothing."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def by_source_series(self) -> dict[str, list[Kept]]:
        with self.lock:
            kept = list(self.kept.values())
        found: dict[str, list[Kept]] = {}
        for item in kept:
            found.setdefault(item.source_series_uid, []).append(item)
        return found

    def on_store(self, event: evt.Event) -> int | Dataset:
        if self.refusal is not None:
            return self.refusal
        content = event.encoded_dataset(include_meta=True)
        dataset = pydicom.dcmread(BytesIO(content), stop_before_pixels=True)
        uid = str(dataset.SOPInstanceUID)
        bare = event.encoded_dataset(include_meta=False)
        with self.lock:
            self.arrivals[uid] += 1
            self.contents.setdefault(uid, set()).add(hashlib.sha256(bare).hexdigest())
            self.kept[uid] = Kept(
                study_uid=str(dataset.StudyInstanceUID),
                series_uid=str(dataset.SeriesInstanceUID),
                sop_instance_uid=uid,
                source_series_uid=str(dataset.ReferencedSeriesSequence[0].SeriesInstanceUID),
                description=str(dataset.SeriesDescription),
                replaces=tuple(
                    str(item.SeriesInstanceUID) for item in dataset.get("RelatedSeriesSequence", ())
                ),
            )
            has_hiccup = self.generator.random() < self.hiccups
            self.breaks += has_hiccup
        if has_hiccup:
            event.assoc.abort()
        return 0x0000

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        wanted = event.identifier
        with self.lock:
            kept = list(self.kept.values())
        for item in kept:
            if _matches(wanted.get("StudyInstanceUID"), item.study_uid) and (
                _matches(wanted.get("SeriesInstanceUID"), item.series_uid)
                and _matches(wanted.get("SOPInstanceUID"), item.sop_instance_uid)
            ):
                answer = Dataset()
                answer.QueryRetrieveLevel = "IMAGE"
                answer.StudyInstanceUID = item.study_uid
                answer.SeriesInstanceUID = item.series_uid
                answer.SOPInstanceUID = item.sop_instance_uid
                yield 0xFF00, answer


def _matches(wanted: object, value: str) -> bool:
    if not wanted:
        return True
    return value in ([wanted] if isinstance(wanted, str) else list(wanted))


@contextmanager
def counting_pacs(
    hiccups: float = 0.0, *, refusal: Dataset | None = None
) -> Iterator[CountingPacs]:
    """A running one, on a free loopback port."""
    pacs = CountingPacs(hiccups=hiccups, refusal=refusal)
    entity = AE(TITLE)
    entity.maximum_associations = 50
    entity.add_supported_context(SegmentationStorage, [*DEFAULT_TRANSFER_SYNTAXES, RLELossless])
    for model in (Verification, StudyRootQueryRetrieveInformationModelFind):
        entity.add_supported_context(model)
    server = entity.start_server(
        (HOST, 0),
        block=False,
        evt_handlers=[(evt.EVT_C_STORE, pacs.on_store), (evt.EVT_C_FIND, pacs.on_find)],
    )
    pacs.port = server.server_address[1]
    try:
        yield pacs
    finally:
        server.shutdown()
