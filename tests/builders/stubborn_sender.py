"""A sender that never gives up: new series all the time, every object until it is acknowledged.

It remembers what was acknowledged and with which bytes: that is what a node must never lose.
"""

from __future__ import annotations

import hashlib
import random
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty

from pydicom.filereader import read_file_meta_info, read_preamble
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import MRImageStorage

from tests.builders.dicom_sender import associated
from tests.builders.mr_series import MadeSeries
from tests.builders.stub_models import spine_series

SLICES = 8
CALLING, TITLE = "STUBBORN", "SPINENODE"


@dataclass
class StubbornSender:
    """Sends series `prefix-0`, `prefix-1` ... to a listener until `stop` is set."""

    prefix: str
    folder: Path
    port: int
    stop: threading.Event
    seed: int = 0
    slices: int = SLICES
    repeats: float = 0.1
    """Probability that an object is sent once more after it was acknowledged."""
    aborts: float = 0.0
    """Probability that an association ends in an abort within an object, not in a release."""
    truncates: float = 0.0
    """Probability that half of an object comes before the whole one, under its identifier."""
    tally: Counter[str] = field(default_factory=Counter)
    """How often it did what a sender should not."""
    acknowledged: dict[str, str] = field(default_factory=dict)
    """SOP Instance UID -> SHA-256 of the data set's bytes."""
    series: list[str] = field(default_factory=list)
    """Every series of which all objects were acknowledged."""
    refusals: int = 0
    begun: int = 0
    """Series of which the first object was offered."""
    may_go_on: Callable[[], bool] = lambda: True
    """Asked before a series is begun: a node that is killed all the time shall not fall behind."""

    def __post_init__(self) -> None:
        self._generator = random.Random()  # noqa: S311
        self._thread = threading.Thread(target=self._run, name=f"sender-{self.prefix}")

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Whether it came to an end, with all its associations."""
        self._thread.join(timeout_s)
        for thread in threading.enumerate():
            if isinstance(thread, Association):
                thread.join(10)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._generator = random.Random(self.seed)  # noqa: S311
        while not self.stop.is_set():
            if not self.may_go_on():
                self.stop.wait(0.1)
                continue
            name = f"{self.prefix}-{self.begun}"
            self.begun += 1
            made = spine_series(
                self.folder / name,
                slices=self.slices,
                name=name,
                study=f"study {name}",
                tags={"ImagesInAcquisition": self.slices},
            )
            self._send_all(made)
            shutil.rmtree(self.folder / name)

    def _send_all(self, made: MadeSeries) -> None:
        """In any order, some twice; a series once begun is finished also after the stop."""
        waiting = list(zip(made.paths, made.sop_instance_uids, strict=True))
        self._generator.shuffle(waiting)
        repeated = [item for item in waiting if self._generator.random() < self.repeats]
        self.tally["object sent again"] += len(repeated)
        waiting += repeated
        while waiting:
            association = self._associate()
            if association is None:
                self.stop.wait(0.1)
                continue
            # Half of the associations carry a part of the series only.
            whole = self._generator.random() < 0.5
            budget = len(waiting) if whole else self._generator.randint(1, len(waiting))
            for _ in range(budget):
                if not self._send_one(association, *waiting[-1]):
                    break
                waiting.pop()
            if association.is_established:
                association.release()
            if waiting:
                self._misbehave(*waiting[-1])
                self.stop.wait(0.05)
        self.series.append(made.series_uid)

    def _misbehave(self, path: Path, uid: str) -> None:
        """Do with an object that is still to be sent what a sender should not."""
        if self._generator.random() < self.aborts:
            self._break_off(path, uid)
        if self._generator.random() < self.truncates:
            self._send_half(path, uid)

    def _break_off(self, path: Path, uid: str) -> None:
        """A second association that dies within an object."""
        with (
            suppress(OSError, AssertionError, RuntimeError),
            associated(self.port, called=TITLE, calling=CALLING) as sender,
        ):
            pieces = sender.pdus_of(data_set_bytes(path), uid, pdu_bytes=512)
            connection = sender.take_over()
            connection.sendall(b"".join(pieces[: len(pieces) // 2]))
            self.tally["association aborted within an object"] += 1

    def _send_half(self, path: Path, uid: str) -> None:
        """The first half of the data set, as if it were all of it."""
        data = data_set_bytes(path)
        with (
            suppress(OSError, AssertionError, RuntimeError, Empty),
            associated(self.port, called=TITLE, calling=CALLING) as sender,
        ):
            status = sender.offer(data[: len(data) // 2], uid)
            self.tally["truncated object, then the whole one"] += status is not None

    def _associate(self) -> Association | None:
        entity = AE(CALLING)
        entity.add_requested_context(MRImageStorage, "1.2.840.10008.1.2.1")
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 10
        entity.connection_timeout = 2
        association = entity.associate("127.0.0.1", self.port, ae_title=TITLE)
        return association if association.is_established else None

    def _send_one(self, association: Association, path: Path, uid: str) -> bool:
        if not association.is_established:
            return False
        try:
            status = association.send_c_store(path)
        except (RuntimeError, ValueError, AttributeError):
            return False  # the listener was killed in the middle
        if "Status" not in status:
            return False
        if status.Status != 0:
            self.refusals += 1
            return False
        self.acknowledged[uid] = hashlib.sha256(data_set_bytes(path)).hexdigest()
        return True


def data_set_bytes(path: Path) -> bytes:
    """What follows the file meta information: what C-STORE carries."""
    with path.open("rb") as file:
        read_preamble(file, force=False)
        length = read_file_meta_info(path).FileMetaInformationGroupLength
        file.seek(128 + 4 + 12 + int(length))
        return file.read()
