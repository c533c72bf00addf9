"""A short run of the kill -9 harness (`tests.benchmarks.chaos` runs it for hours)."""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks.chaos import KILL_POINTS, Findings, check_results, run
from tests.builders.counting_pacs import CountingPacs, Kept

# pynetdicom leaves the socket of a refused connection open.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

KINDS = ("SPINEPS semantic", "SPINEPS instances")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_kill_9_at_every_kill_point_loses_nothing_and_doubles_nothing(tmp_path: Path):
    found = run(tmp_path, kills=len(KILL_POINTS), seed=7, deadline_s=60, settle_s=60)
    gc.collect()  # those sockets are this test's
    assert found.wrong == {}, found.as_text()
    assert sum(found.kills.values()) >= 5
    assert found.series >= 5
    assert found.acknowledged == 8 * found.series
    assert found.results == 2 * found.series


def pacs_with(*kept: tuple[str, str, str]) -> CountingPacs:
    """(source series, kind, SOP Instance UID) of what it holds."""
    pacs = CountingPacs()
    for source, kind, uid in kept:
        pacs.kept[uid] = Kept(
            study_uid="1",
            series_uid=f"{uid}.1",
            sop_instance_uid=uid,
            source_series_uid=source,
            description=kind,
        )
        pacs.contents[uid] = {"content"}
        pacs.arrivals[uid] = 1
    return pacs


def judged(pacs: CountingPacs) -> dict[str, int]:
    found = Findings(kills=Counter())
    check_results(pacs, ["2.1", "2.2"], found)
    return {kind: len(texts) for kind, texts in found.wrong.items()}


GOOD = (
    ("2.1", KINDS[0], "3.1"),
    ("2.1", KINDS[1], "3.2"),
    ("2.2", KINDS[0], "3.3"),
    ("2.2", KINDS[1], "3.4"),
)


def test_the_harness_sees_a_lost_and_a_doubled_result():
    assert judged(pacs_with(*GOOD)) == {}
    assert judged(pacs_with(*GOOD[:3])) == {"results lost": 1}
    assert judged(pacs_with(*GOOD, ("2.2", KINDS[1], "3.5"))) == {"duplicate results": 1}
    assert judged(pacs_with(*GOOD, ("2.9", KINDS[1], "3.5"))) == {"duplicate results": 1}
    two_contents = pacs_with(*GOOD)
    two_contents.contents["3.4"].add("other content")
    assert judged(two_contents) == {"duplicate results": 1}
