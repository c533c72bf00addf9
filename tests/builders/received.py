"""Objects in spool and journal as the listener leaves them, without a network between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from sqlalchemy.engine import Engine

from app.node.archive.disk import DiskReserve
from app.node.archive.header import read_header
from app.node.archive.spool import Spool
from app.node.journal.arrivals import Arrival, ArrivalOutcome, record_arrival
from app.node.journal.engine import transaction


@dataclass
class Inbox:
    """Puts Part 10 files into a node's spool and journal.

    `clock` gives the time of each arrival; `calling` the sender's AE title.
    """

    engine: Engine
    data: Path
    calling: str = "SCANNER"
    now: float = 1000.0

    def receive(self, files: Iterable[Path]) -> list[ArrivalOutcome]:
        return [self._receive(file) for file in files]

    def _receive(self, file: Path) -> ArrivalOutcome:
        self.now += 0.001
        spool = Spool(self.data / "spool")
        meta = pydicom.filereader.read_file_meta_info(file)
        content = file.read_bytes()
        data_set = content[144 + meta.FileMetaInformationGroupLength :]
        syntax = str(meta.TransferSyntaxUID)
        incoming = spool.receive(
            sop_class_uid=str(meta.MediaStorageSOPClassUID),
            sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
            transfer_syntax_uid=syntax,
            reserve=DiskReserve(self.data, 0),
        )
        incoming.write(data_set)
        header = read_header(data_set, syntax)
        stored = spool.keep(
            incoming, series_uid=header.series_uid, sop_instance_uid=header.sop_instance_uid
        )
        arrival = Arrival(
            sop_instance_uid=header.sop_instance_uid,
            sop_class_uid=header.sop_class_uid,
            transfer_syntax_uid=syntax,
            digest=stored.digest,
            series_uid=header.series_uid,
            study_uid=header.study_uid,
            path=stored.path,
            size_bytes=stored.size_bytes,
            calling_ae_title=self.calling,
            called_ae_title="SPINENODE",
            peer_address="127.0.0.1",
            association_id="a1",
            received_at=self.now,
            facts=header.facts,
            description=header.description,
        )
        with transaction(self.engine) as c:
            return record_arrival(c, arrival)
