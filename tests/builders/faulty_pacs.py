"""A PACS with faults on order: answers every C-STORE as its script says, and counts.

Each step of the script is a status, one of `HANG`, `ABORT`, `CLOSE`, `LOSE` (keeps the object and
breaks off before it answers), or a function called after the object was kept and before it is
acknowledged; after the last step it stores. It keeps SOP
Instance UIDs in the order of arrival, so that repeats show.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, build_context, build_role, evt
from pynetdicom.sop_class import (
    MRImageStorage,
    SegmentationStorage,
    StorageCommitmentPushModel,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)

from app.settings.peers import DimsePeerSettings

HOST = "127.0.0.1"
HANG = "hang"
ABORT = "abort"
CLOSE = "close"
LOSE = "lose"

Step = int | str | Callable[[], None]


@dataclass
class FaultyPacs:
    """What it does, and what it saw.

    `held`: what it lists at C-FIND; `received`: every data set it was sent, whatever it answered;
    `forgets`: acknowledges without keeping; `find_status`: final status of C-FIND;
    `commits`: takes N-ACTION and reports on the `same` association, on a `new` one to `report_to`,
    or `never`; `uncommitted`: SOP Instance UID -> failure reason that it reports.
    """

    port: int = 0
    script: list[Step] = field(default_factory=list)
    forgets: bool = False
    find_status: int = 0x0000
    held: dict[str, bytes] = field(default_factory=dict)
    received: list[str] = field(default_factory=list)
    commits: str = ""
    uncommitted: dict[str, int] = field(default_factory=dict)
    report_to: tuple[str, int] = ("SPINENODE", 0)
    asked: list[tuple[str, list[str]]] = field(default_factory=list)
    action_status: int = 0x0000
    report_answers: list[int] = field(default_factory=list)
    associations: int = 0
    open_now: int = 0
    most_open: int = 0
    finds: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def peer(self, name: str = "pacs", **changes: Any) -> DimsePeerSettings:
        """Its entry in the settings."""
        values = {"name": name, "ae_title": "FAULTY", "host": HOST, "port": self.port, **changes}
        return DimsePeerSettings.model_validate(values)

    def moved(self, port: int) -> dict[str, Any]:
        """What changes in its entry where it listens elsewhere."""
        return {"port": port}

    def on_store(self, event: evt.Event) -> int:
        """The next step of the script."""
        uid = str(event.request.AffectedSOPInstanceUID)
        with self.lock:
            self.received.append(uid)
            step = self.script.pop(0) if self.script else 0x0000
        if step == HANG:
            self.released.wait(60)
            return 0x0110
        if step == ABORT:
            event.assoc.abort()
            return 0x0110
        if step == LOSE:
            self.held[uid] = event.encoded_dataset(include_meta=False)
        if step in {CLOSE, LOSE}:
            event.assoc.dul.socket.socket.shutdown(socket.SHUT_RDWR)
            return 0x0110
        status = 0x0000 if callable(step) else int(step)
        is_kept = status == 0 or status >> 12 == 0xB
        if is_kept and not self.forgets:
            self.held[uid] = event.encoded_dataset(include_meta=False)
        if callable(step):
            step()
        return status

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        """Everything it holds, as a match of the IMAGE level."""
        self.finds += 1
        if self.find_status:
            yield self.find_status, None
            return
        for uid in sorted(self.held):
            answer = Dataset()
            answer.QueryRetrieveLevel = "IMAGE"
            answer.SOPInstanceUID = uid
            yield 0xFF00, answer

    def on_action(self, event: evt.Event) -> tuple[int, None]:
        """A request for storage commitment."""
        request = event.action_information
        uids = [str(item.ReferencedSOPInstanceUID) for item in request.ReferencedSOPSequence]
        self.asked.append((str(request.TransactionUID), uids))
        if self.action_status:
            return self.action_status, None
        if self.commits == "same":
            threading.Timer(0.1, self._report_on, (event.assoc, request.TransactionUID)).start()
        if self.commits == "new":
            threading.Timer(0.1, self.report, (request.TransactionUID,)).start()
        return self.action_status, None

    def report(self, transaction_uid: str) -> None:
        """Report on a request, on an association of our own."""
        entity = AE("FAULTY")
        context = build_context(StorageCommitmentPushModel)
        title, port = self.report_to
        assoc = entity.associate(
            HOST,
            port,
            contexts=[context],
            ae_title=title,
            ext_neg=[build_role(StorageCommitmentPushModel, scp_role=True)],
        )
        assert assoc.is_established
        assert assoc.accepted_contexts[0].as_scp
        self._report_on(assoc, transaction_uid)
        assoc.release()

    def _report_on(self, assoc: Any, transaction_uid: str) -> None:
        uids = dict(self.asked)[str(transaction_uid)]
        failed = {uid: reason for uid, reason in self.uncommitted.items() if uid in uids}
        report = Dataset()
        report.TransactionUID = transaction_uid
        report.ReferencedSOPSequence = [_item(uid) for uid in uids if uid not in failed]
        if failed:
            report.FailedSOPSequence = [_item(uid, reason) for uid, reason in failed.items()]
        answer, _ = assoc.send_n_event_report(
            report,
            2 if failed else 1,
            StorageCommitmentPushModel,
            "1.2.840.10008.1.20.1.1",
        )
        self.report_answers.append(int(answer.get("Status", -1)))

    def on_open(self, _event: evt.Event) -> None:
        """An association was established."""
        with self.lock:
            self.associations += 1
            self.open_now += 1
            self.most_open = max(self.most_open, self.open_now)

    def on_close(self, _event: evt.Event) -> None:
        """A connection ended."""
        with self.lock:
            self.open_now -= 1


def _item(uid: str, reason: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = SegmentationStorage
    item.ReferencedSOPInstanceUID = uid
    if reason is not None:
        item.FailureReason = reason
    return item


@contextmanager
def faulty_pacs(
    script: Sequence[Step] = (),
    *,
    takes_segmentations: bool = True,
    also_takes: Sequence[str] = (),
    offers_find: bool = True,
    transfer_syntaxes: Sequence[str] = tuple(ALL_TRANSFER_SYNTAXES),
    known_callers: Sequence[str] = (),
    **behaviour: Any,
) -> Iterator[FaultyPacs]:
    """A running one, on a free loopback port."""
    pacs = FaultyPacs(script=list(script), **behaviour)
    entity = AE("FAULTY")
    entity.add_supported_context(Verification)
    entity.add_supported_context(MRImageStorage, list(transfer_syntaxes))
    if takes_segmentations:
        entity.add_supported_context(SegmentationStorage, list(transfer_syntaxes))
    for sop_class_uid in also_takes:
        entity.add_supported_context(sop_class_uid, list(transfer_syntaxes))
    if offers_find:
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    if pacs.commits:
        entity.add_supported_context(StorageCommitmentPushModel)
    entity.require_calling_aet = list(known_callers)
    server = entity.start_server(
        (HOST, pacs.port),
        block=False,
        evt_handlers=[
            (evt.EVT_C_STORE, pacs.on_store),
            (evt.EVT_C_FIND, pacs.on_find),
            (evt.EVT_N_ACTION, pacs.on_action),
            (evt.EVT_ESTABLISHED, pacs.on_open),
            (evt.EVT_CONN_CLOSE, pacs.on_close),
        ],
    )
    pacs.port = server.server_address[1]
    try:
        yield pacs
    finally:
        pacs.released.set()
        server.shutdown()


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes TCP connections and never says a word."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen(64)
        yield int(listening.getsockname()[1])
