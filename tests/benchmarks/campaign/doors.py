"""Mutated objects and mutated PDUs at the listener of a whole node.

Every object is answered: kept, put aside, or refused. Every damaged PDU is answered or ends its own
association, and a good object is taken at once afterwards. No process ends.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Final

from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pynetdicom import build_context
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)

from tests.benchmarks.campaign.judging import Findings
from tests.benchmarks.campaign.siege import Plan
from tests.benchmarks.mutated_objects import mutants, processes, recorded_answers, send
from tests.builders.dicom_sender import associated, data_set_of, sop_instance_uid_of
from tests.builders.mr_series import make_series
from tests.builders.node import TITLE, Node, running_node
from tests.builders.waiting import comes_true

OBJECTS: Final = "an object with damaged bytes or elements"
REQUESTS: Final = "an association request with damaged bytes"
TRANSFERS: Final = "a C-STORE request with damaged PDUs"
STREAMS: Final = "drawn bytes on a new connection"
FAULTS: Final = (OBJECTS, REQUESTS, TRANSFERS, STREAMS)

ANSWER_S: Final = 10.0
"""The longest that a damaged PDU may keep us waiting, s: the listener's own time-outs are shorter
in this site."""
_FIRST_ANSWER_S: Final = 0.1
_BATCH: Final = 50


def run(plan: Plan) -> Findings:
    """A quarter of the tries each."""
    found, generator = Findings(), random.Random(plan.seed)  # noqa: S311
    end = time.monotonic() + plan.deadline_s
    source = make_series(plan.folder / "source", slices=1).paths[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with running_node(plan.folder / "node", listener={"network_timeout_s": 2}) as node:
            before = processes(node)
            answers: Counter[str] = Counter()
            while found.times.total() < plan.times and time.monotonic() < end:
                first = plan.seed * 1_000_000 + found.times.total()
                answers += offer_mutants(plan.folder / "mutants", node, first, found)
                for _ in range(_BATCH):
                    damage_a_connection(node, source, generator, found)
                if not takes(node, source):
                    found.note("not refused", "a good object was not taken afterwards")
            _judge(node, before, answers, found)
    return found


def offer_mutants(folder: Path, node: Node, first: int, found: Findings) -> Counter[str]:
    """Objects, each in an association of its own."""
    answers = send(node.ports["listener"], mutants(folder, _BATCH, first))
    for answer, count in answers.items():
        for _ in range(count):
            found.came_out(OBJECTS, "hung up" if answer == "none" else f"answered {answer}")
    if answers["none"]:
        found.note("not refused", f"{answers['none']} objects without an answer")
    return answers


def damage_a_connection(
    node: Node, source: Path, generator: random.Random, found: Findings
) -> None:
    """One damaged conversation, and how the listener ended it."""
    port, kind = node.ports["listener"], generator.choice((REQUESTS, TRANSFERS, STREAMS))
    if kind == TRANSFERS:
        with associated(port, called=TITLE) as sender:
            data, uid = data_set_of(source), sop_instance_uid_of(source)
            pdus = sender.pdus_of(data, uid, pdu_bytes=generator.choice((128, 1024, 16384)))
            connection = sender.take_over()
            found.came_out(kind, converse(connection, damaged(b"".join(pdus), generator)))
        return
    content = association_request() if kind == REQUESTS else b""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S) as connection:
        sent = damaged(content, generator) if content else generator.randbytes(200)
        found.came_out(kind, converse(connection, sent))


def converse(connection: socket.socket, content: bytes) -> str:
    """Send it all, hear the answer if there is one, say no more; what came back."""
    got = b""
    try:
        connection.settimeout(ANSWER_S)
        connection.sendall(content)
        if select.select([connection], [], [], _FIRST_ANSWER_S)[0]:
            got = connection.recv(1 << 12)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 12):
            pass
    except TimeoutError:
        return "no end"
    except OSError:
        pass
    return _ENDINGS.get(got[0], "another answer") if got else "hung up"


_ENDINGS: Final = {
    2: "association accepted, then ended",
    3: "association rejected",
    4: "answered",
    6: "released",
    7: "aborted",
}


def association_request() -> bytes:
    """A-ASSOCIATE-RQ as a sender gives it (PS3.8, 9.3.2)."""
    request = A_ASSOCIATE()
    request.application_context_name = "1.2.840.10008.3.1.1.1"
    request.calling_ae_title, request.called_ae_title = "SENDER", TITLE
    context = build_context(MRImageStorage, ExplicitVRLittleEndian)
    context.context_id = 1
    request.presentation_context_definition_list = [context]
    length, implementation = MaximumLengthNotification(), ImplementationClassUIDNotification()
    length.maximum_length_received = 16382
    implementation.implementation_class_uid = "1.2.3"
    request.user_information = [length, implementation]
    pdu = A_ASSOCIATE_RQ()
    pdu.from_primitive(request)
    return bytes(pdu.encode())


def damaged(content: bytes, generator: random.Random) -> bytes:
    """Bytes changed, a length that is false, a stretch lost or added, or an early end."""
    broken = bytearray(content)
    match generator.randrange(5):
        case 0:
            for _ in range(generator.randint(1, 8)):
                broken[generator.randrange(len(broken))] = generator.randrange(256)
        case 1:
            place = generator.choice((2, 6, 10)) if len(broken) > 14 else 2
            struct.pack_into(">L", broken, place, generator.choice((0, 1, 7, 1 << 20, 1 << 31)))
        case 2:
            start = generator.randrange(len(broken))
            del broken[start : start + generator.randint(1, 100)]
        case 3:
            start = generator.randrange(len(broken))
            broken[start:start] = generator.randbytes(generator.randint(1, 100))
        case _:
            del broken[generator.randrange(len(broken)) :]
    return bytes(broken) or b"\0"


def takes(node: Node, source: Path) -> bool:
    """Whether a good object is taken now."""
    with associated(node.ports["listener"], called=TITLE) as sender:
        return sender.offer(data_set_of(source), sop_instance_uid_of(source)) == 0


def _judge(node: Node, before: set[int], answers: Counter[str], found: Findings) -> None:
    ended = len(before - processes(node)) + node.log().count('"number": 790')
    if ended:
        found.note("not refused", f"{ended} processes ended or told an internal error")
    endless = sum(counts["no end"] for counts in found.outcomes.values())
    if endless:
        found.note("stuck", f"{endless} damaged conversations without an end")

    def is_recorded() -> bool:
        recorded = recorded_answers(node)
        return all(recorded[status] >= count for status, count in answers.items())

    if not comes_true(is_recorded, 20.0):
        found.note("stuck", "answers are missing in the record of the associations")
    told = node.page("/api/v1/status").json()["attention_by_kind"]
    aside = Counter(row["state"] for row in node.rows("instance"))["quarantined"]
    found.traffic["objects put aside"] += aside
    if told.get("object_quarantined", 0) != aside:
        found.note("stuck", "objects put aside are not told to anybody")
