"""Damaged objects by C-STORE into a whole node: ``python -m tests.benchmarks.mutated_objects``.

Every object is answered: kept, quarantined, or refused. The attention number counts the quarantine,
the record of the associations has every answer, and no process ends. The exit code is 1 where that
is not so.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import psutil
import pydicom

from tests.builders.dicom_sender import associated, data_set_of
from tests.builders.mr_series import make_series
from tests.builders.mutations import mutate
from tests.builders.node import TITLE, Node, running_node
from tests.builders.waiting import comes_true


def mutants(folder: Path, count: int, first: int) -> dict[str, bytes]:
    """Data sets by the SOP Instance UID under which they are sent."""
    dataset = pydicom.dcmread(make_series(folder).paths[0])
    made = {}
    for seed in range(first, first + count):
        uid = dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"2.25.{seed}"
        whole = io.BytesIO()
        dataset.save_as(whole)
        (folder / "whole.dcm").write_bytes(whole.getvalue())
        start = len(whole.getvalue()) - len(data_set_of(folder / "whole.dcm"))
        made[uid] = mutate(whole.getvalue(), seed)[start:]
    return made


def send(port: int, objects: dict[str, bytes]) -> Counter[str]:
    """Each in an association of its own; how often which status was answered."""
    answers: Counter[str] = Counter()
    for uid, data in objects.items():
        with associated(port, called=TITLE) as sender:
            status = sender.offer(data, uid)
        answers["none" if status is None else f"0x{status:04X}"] += 1
    return answers


def processes(node: Node) -> set[int]:
    """Identifiers of the node's processes, the inference child left out: it may be replaced."""
    return {child.pid for child in psutil.Process(node._process.pid).children()}  # type: ignore[union-attr]


def recorded_answers(node: Node) -> Counter[str]:
    """How often which status stands in the record of the associations."""
    found: Counter[str] = Counter()
    for row in node.rows("association"):
        for status, count in json.loads(row["statuses"]).items():
            found[f"0x{status}"] += count * row["repeats"]
    return found


def main() -> int:
    """Send them and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=721)
    parser.add_argument("--first", type=int, default=1, help="seed of the first one")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        objects = mutants(Path(name) / "source", chosen.objects, chosen.first)
        with running_node(Path(name) / "node") as node:
            before = processes(node)
            answers = send(node.ports["listener"], objects)
            told = node.page("/api/v1/status").json()["attention_by_kind"]
            recorded = comes_true(lambda: recorded_answers(node) == answers, 10.0)
            states = Counter(row["state"] for row in node.rows("instance"))
            lost = len(before - processes(node)) + node.log().count('"number": 790')
    attention = {kind: count for kind, count in told.items() if count}
    document = {
        "answers": answers,
        "states": states,
        "attention": attention,
        "recorded": recorded,
        "ended": lost,
    }
    sys.stdout.write(json.dumps(document) + "\n")
    is_counted = attention.get("object_quarantined", 0) == states["quarantined"]
    return 0 if is_counted and recorded and not lost and answers.total() == len(objects) else 1


if __name__ == "__main__":
    sys.exit(main())
