"""Three stations of a patient through a whole node, in several orders: one name per bone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import MRImageStorage

from operators.anatomy.columns import column_of
from operators.anatomy.vertebrae import LEVEL_NAMES
from tests.builders.counting_pacs import CountingPacs, counting_pacs
from tests.builders.killable_node import KillableNode, killable_node
from tests.builders.waiting import comes_true
from tests.builders.whole_patient import STATIONS, as_patient, write_patient

COLUMN = [LEVEL_NAMES[level] for level in column_of(12, 5)]
SHOWN = {"cervical": ("C1", "T6"), "thoracic": ("T3", "L1"), "lumbar": ("T10", "L5")}
"""First and last bone of every station: neighbours share four."""

ORDERS = (
    ("thoracic", "lumbar", "cervical"),
    ("thoracic", "cervical", "lumbar"),
    ("lumbar", "thoracic", "cervical"),
    STATIONS,
)
"""In which patients' stations come, with pauses; those of the last one come at once. All six orders
on a bare journal: `tests.unit.app.node.work.test_agreeing`."""

AT_ONCE = len(ORDERS) - 1
JOBS_S = 240
"""For the jobs of all patients between two arrivals."""


@dataclass(frozen=True)
class Seen:
    """What node and PACS hold of a station at the end."""

    names: list[str]
    jobs: int
    deeds: list[str]


def send(port: int, datasets: list[Dataset]) -> None:
    entity = AE("SCANNER")
    entity.add_requested_context(MRImageStorage, "1.2.840.10008.1.2.1")
    association = entity.associate("127.0.0.1", port, ae_title="SPINENODE")
    assert association.is_established
    assert {association.send_c_store(dataset).Status for dataset in datasets} == {0}
    association.release()


def is_settled(node: KillableNode, series: list[str]) -> bool:
    """Every series has a result, and nothing runs or is to be sent any more."""
    rows = node.journal.rows
    done = {uid for (uid,) in rows("SELECT series_uid FROM job WHERE state = 'succeeded'")}
    return (
        done >= set(series)
        and rows("SELECT count(*) FROM job WHERE state != 'succeeded'") == [(0,)]
        and rows("SELECT count(*) FROM delivery WHERE state IN ('queued', 'sent')") == [(0,)]
    )


def names_of(node: KillableNode, job_id: str) -> list[str]:
    """Levels in the segment labels, head to foot."""
    (file,) = (node.data / "results" / job_id).glob("*_instances.dcm")
    segments = pydicom.dcmread(file, stop_before_pixels=True).SegmentSequence
    found = (re.fullmatch(r"vertebra \d+ \((.+)\)", str(one.SegmentLabel)) for one in segments)
    return [match[1] for match in found if match]


def seen(node: KillableNode, series_uid: str) -> Seen:
    query = "SELECT job_id FROM job WHERE series_uid = ? ORDER BY created_at"
    jobs = [job for (job,) in node.journal.rows(query, series_uid)]
    deeds = "SELECT actor FROM audit WHERE action = 'job.levels' AND subject = ?"
    return Seen(
        names_of(node, jobs[-1]),
        len(jobs),
        [actor for job in jobs for (actor,) in node.journal.rows(deeds, job)],
    )


def present(pacs: CountingPacs, series_uid: str) -> tuple[int, int]:
    """Of a station's segmentations in the PACS: how many, and how many of them nothing replaces."""
    kept = pacs.by_source_series()[series_uid]
    replaced = {uid for item in kept for uid in item.replaces}
    return len(kept), sum(item.series_uid not in replaced for item in kept)


@pytest.fixture(scope="module")
def patients(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[KillableNode, CountingPacs, list[dict[str, str]]]]:
    """A node that four patients were sent to, station by station; series UIDs of each."""
    folder = tmp_path_factory.mktemp("three stations")
    files = write_patient(folder)
    images = [
        {name: as_patient(files[name], number) for name in STATIONS}
        for number in range(len(ORDERS))
    ]
    uids = [{name: str(of[name][0].SeriesInstanceUID) for name in STATIONS} for of in images]
    sections = {"completeness": {"quiet_s": 1}}
    with (
        counting_pacs() as pacs,
        killable_node(
            folder, pacs, child=("--graph", "--truth", str(folder / "truth")), **sections
        ) as node,
    ):
        sent: list[str] = []
        for turn in range(len(STATIONS)):
            for number, order in enumerate(ORDERS):
                arriving = order if number == AT_ONCE else order[turn : turn + 1]
                if number == AT_ONCE and turn:
                    continue
                for name in arriving:
                    send(node.listener.port, images[number][name])
                    sent.append(uids[number][name])
            assert comes_true(lambda: is_settled(node, sent), JOBS_S)
        yield node, pacs, uids


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(ORDERS)), ids=[*map(" ".join, ORDERS[:-1]), "at once"])
def test_three_stations_in_any_order_end_with_the_true_name_of_every_bone(
    patients: tuple[KillableNode, CountingPacs, list[dict[str, str]]], number: int
):
    node, pacs, uids = patients
    stations = {name: seen(node, uids[number][name]) for name in STATIONS}
    for name, (first, last) in SHOWN.items():
        rows = slice(COLUMN.index(first), COLUMN.index(last) + 1)
        assert stations[name].names == COLUMN[rows], name
    for name, station in stations.items():
        segmentations, current = present(pacs, uids[number][name])
        # Each run's objects are in the PACS, and each but the last run's were replaced by name.
        assert (segmentations, current) == (2 * station.jobs, 2)
        assert station.deeds == ["node"] * (station.jobs - 1)
    if number != AT_ONCE:
        order = ORDERS[number]
        # None is made anew more often than another one arrives; the neck is sure by itself.
        assert all(stations[name].jobs <= 3 - turn for turn, name in enumerate(order))
        assert stations["cervical"].jobs == 1
        early = order[: order.index("cervical")]
        assert all(stations[name].jobs > 1 for name in early)
